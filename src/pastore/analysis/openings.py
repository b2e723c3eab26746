"""What still passes: openings of one direction, services behind a block-all, and the exemption of Kerberos."""

from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple

import numpy as np

from pastore.analysis import _sets
from pastore.analysis.contradictions import block_alls
from pastore.analysis.hidden import ask, owners_with
from pastore.analysis.questions import LISTED, Questions
from pastore.analysis.regions import Box
from pastore.analysis.space import Space
from pastore.filters.host import Host
from pastore.filters.specific import EXEMPTIONS, SpecificFilters
from pastore.findings import Finding, Severity
from pastore.model import Action

ONE_WAY: Final = "whether answers come back through an opening"
SERVICE: Final = "whether a service can be reached past a block-all"
KERBEROS: Final = "what the Kerberos exemption lets pass"

_ALL: Final = (0, 65535)
_TCP, _UDP = (6, 6), (17, 17)
_EVERY: Final = {4: (0, (1 << 32) - 1), 6: (0, (1 << 128) - 1)}
_MULTICAST: Final = {4: (0xE0000000, 0xFFFFFFFF), 6: (0xFF << 120, (1 << 128) - 1)}


Asked = tuple[tuple[int, int], tuple[int, int], tuple[int, int]]  # protocol, source ports, destination ports


class Service(NamedTuple):
    """A service that a Windows computer cannot do without, and by what packets it asks for it, over IPv4 and IPv6."""

    name: str
    four: tuple[Asked, ...]
    six: tuple[Asked, ...]


# Ports: IANA registry of service names. Domain controllers are asked by LDAP, also of the global catalogue.
_LDAP: Final = ((_TCP, _ALL, (389, 389)), (_UDP, _ALL, (389, 389)), (_TCP, _ALL, (636, 636)), (_TCP, _ALL, (3268, 3269)))
_DNS: Final = ((_UDP, _ALL, (53, 53)), (_TCP, _ALL, (53, 53)))
SERVICES: Final = (
    Service("the directory (LDAP)", _LDAP, _LDAP),
    Service("name lookups (DNS)", _DNS, _DNS),
    Service("addresses (DHCP)", ((_UDP, (68, 68), (67, 67)),), ((_UDP, (546, 546), (547, 547)),)),
)
_DHCP: Final = 2

# Ports that Windows takes for what it asks (KB 929851); before Vista without 4500, which ISAKMP has.
_EPHEMERAL: Final = {"vista": (49152, 65535)}
_EPHEMERAL_BEFORE: Final = (1025, 4499)


def service_boxes(host: Host, family: int, target: str = "vista") -> list[list[Box]]:
    """Return for each service the packets by which this computer asks for it."""
    sources = host.local(family) or [_EVERY[family]]
    ephemeral = _EPHEMERAL.get(target, _EPHEMERAL_BEFORE)
    return [
        [
            (source, _EVERY[family], protocol, ephemeral if sport == _ALL else sport, dport, (1, 1), (0, 1))
            for source in sources
            for protocol, sport, dport in (service.four if family == 4 else service.six)
        ]
        for service in SERVICES
    ]


def no_way_out(questions: Questions, boxes: Sequence[Sequence[Sequence[int]]]) -> Iterator[Finding]:
    """Yield PA319 for block-alls past which a service cannot be reached.

    Parameters
    ----------
    questions : Questions
    boxes : per family, per service, which of ``space.asked`` are its packets
    """
    blocking = [(owner, source) for owner, source in block_alls(questions)]
    told: set[tuple[str, ...]] = set()
    for owner, _ in blocking:
        families = [
            (space, asked) for space, asked in zip(questions.spaces, boxes, strict=True) if (space.facts["owner"] == owner).any()
        ]
        all_families = [
            (space, asked)
            for space, asked in zip(questions.spaces, boxes, strict=True)
            if any((space.facts["owner"] == other).any() for other, _ in blocking)
        ]
        if not families:
            continue
        lost = []
        for number, service in enumerate(SERVICES):
            passes = [_passes(questions, space, asked[number], service.name) for space, asked in all_families]
            if all(answer == _sets.NONE for answer in passes):
                lost.append(service.name)
        if lost and tuple(lost) not in told:
            told.add(tuple(lost))
            names = lost[0] if len(lost) == 1 else f"{', '.join(lost[:-1])} and {lost[-1]}"
            message = f"all traffic is blocked, and no way there and back is left for {names}"
            # Many computers have fixed addresses.
            severity = Severity.INFO if lost == [SERVICES[_DHCP].name] else Severity.WARNING
            yield questions.finding("PA319", message, owner, severity=severity)


def _passes(questions: Questions, space: Space, asked: Sequence[int], name: str) -> int:
    worst = _sets.NONE
    for at in asked:
        answer, _, _, _, spent = space.sets.search(_sets.PASSES, space.asked[at], space.first, 0, 0, questions.work)
        questions.spend(spent)
        if answer == _sets.FOUND:
            return answer
        if answer == _sets.UNDECIDED:
            worst = answer
    if worst == _sets.UNDECIDED:
        questions.leave_open(SERVICE, f"{name} by IPv{space.family}")
    return worst


def one_way(questions: Questions) -> Iterator[Finding]:
    """Yield PA318 for filters that let packets pass of which every answer is blocked."""
    if not any((space.facts["action"][space.first :] == Action.BLOCK).any() for space in questions.spaces):
        return
    opening = _openings(questions)
    rows_of, found = ask(questions, _sets.ANSWERED, living=True, among=opening)
    answered = set(owners_with(rows_of, found, _sets.FOUND))
    unknown = set(owners_with(rows_of, found, _sets.UNDECIDED)) - answered
    silent = set(owners_with(rows_of, found, _sets.NONE)) - answered - unknown
    for owner in sorted(unknown):
        questions.leave_open(ONE_WAY, questions.named(owner))
    told = [owner for owner in sorted(silent) if _is_answerable(questions, owner)]
    for owner in told[:LISTED]:
        protocols = _protocols(questions.filters, owner)
        # Datagrams may be meant to go one way; nothing of TCP works without answers.
        severity = Severity.WARNING if protocols & {6, 256} else Severity.INFO
        what = "allow" if _action(questions.filters, owner) is Action.ALLOW else "protect"
        message = f"this {what} lets packets pass, but every answer to them is blocked"
        yield questions.finding("PA318", message, owner, severity=severity)
    if len(told) > LISTED:
        yield Finding("PA403", f"{len(told) - LISTED} more openings go one way: they are not listed", questions.origin)


def _is_answerable(questions: Questions, owner: int) -> bool:
    """Whether there can be an answer to some packet that a filter lets pass."""
    for space in questions.spaces:
        for row in np.flatnonzero(space.facts["owner"] == owner):
            answer, _, _, _, spent = space.sets.search(
                _sets.ANSWERABLE, space.boxes[row], 0, int(row), space.first, questions.work
            )
            questions.spend(spent)
            if answer == _sets.FOUND:
                return True
            if answer == _sets.UNDECIDED:
                questions.leave_open(ONE_WAY, questions.named(owner))
    return False


def _openings(questions: Questions) -> set[int]:
    """Return the filters that let packets pass, other than to many computers at once: those are not answered from there."""
    found: set[int] = set()
    for space in questions.spaces:
        rows = questions.filters.rows[space.ids]
        low = _MULTICAST[space.family][0]
        words = np.array([low >> 64, low & 0xFFFFFFFFFFFFFFFF], np.uint64)
        at = rows["dst_lo"]
        many = (at[:, 0] > words[0]) | ((at[:, 0] == words[0]) & (at[:, 1] >= words[1]))
        living = space.facts["dead"][space.first :] == 0
        passing = (rows["exempt"] == 0) & (rows["action"] != Action.BLOCK) & (rows["filter"] >= 0) & living
        found |= {int(owner) for owner in np.unique(rows["filter"][passing])}
        found -= {int(owner) for owner in np.unique(rows["filter"][passing & many])}
    return found


def _protocols(filters: SpecificFilters, owner: int) -> set[int]:
    rows = filters.rows[filters.rows["filter"] == owner]
    return {int(row["protocol_lo"]) if row["protocol_lo"] == row["protocol_hi"] else 256 for row in rows}


def _action(filters: SpecificFilters, owner: int) -> Action:
    return Action(int(filters.rows["action"][filters.rows["filter"] == owner][0]))


def past_kerberos(questions: Questions) -> Iterator[Finding]:
    """Yield PA506 when packets from port 88 pass that a filter would block or protect."""
    kind = EXEMPTIONS.index("kerberos")
    for space in questions.spaces:
        exempt = questions.filters.rows["exempt"][space.ids]
        first = space.first + int((exempt != 0).sum())
        for row in np.flatnonzero(exempt == kind) + space.first:
            box = space.boxes[row].copy()
            box[5] = box[12] = 0
            if box[3] != box[10]:
                continue  # by destination port: that is the service itself
            answer, point, _, _, spent = space.sets.search(_sets.OPENS, box, 0, int(row), first, questions.work)
            questions.spend(spent)
            if answer == _sets.UNDECIDED:
                questions.leave_open(KERBEROS, f"IPv{space.family}")
            if answer != _sets.FOUND:
                continue
            other = space.first_holding(point, first)
            owner = int(space.facts["owner"][other])
            message = (
                f"whoever sends from port 88 gets past {questions.named(owner)}: "
                f"{questions.example(space, point)} passes as Kerberos"
            )
            yield Finding("PA506", message, questions.origin)
            return
