"""Computers that a policy cuts off: those that must be reached, and lists of public ones."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from ipaddress import ip_address, ip_network
from typing import Final

import numpy as np

from pastore.analysis import _sets
from pastore.analysis.questions import Questions
from pastore.analysis.regions import Box
from pastore.filters.expand import PolicyFilter
from pastore.filters.host import Host
from pastore.filters.text import range_text
from pastore.findings import Finding
from pastore.model import Action, Origin
from pastore.packets.names import protocol_number

CUT_OFF: Final = "whether a range to be protected can be reached"
_PIECES: Final = 4096  # pieces of one range that are asked about
_HOSTS: Final = 3  # single public hosts that make a list
_EVERY: Final = {4: (0, (1 << 32) - 1), 6: (0, (1 << 128) - 1)}


@dataclass(frozen=True, slots=True)
class Protected:
    """A range of addresses that must not be cut off, and for which packets.

    Parameters
    ----------
    family : int
    low, high : int
    text : str
        As it was written.
    protocol : (int, int)
    ports : (int, int)
        Destination ports.
    origin : Origin
    """

    family: int
    low: int
    high: int
    text: str
    protocol: tuple[int, int]
    ports: tuple[int, int]
    origin: Origin

    def box(self, host: Host) -> list[Box]:
        """Return the packets by which this computer reaches it."""
        sources = host.local(self.family) or [_EVERY[self.family]]
        to = (self.low, self.high)
        return [(source, to, self.protocol, (0, 65535), self.ports, (1, 1), (0, 1)) for source in sources]


def read_ranges(text: str, source: str) -> list[Protected]:
    """Read a file of ranges that must not be cut off.

    Each line is an address, ``ADDRESS/LENGTH`` or ``FIRST-LAST``, and may go on with ``tcp/443``, ``udp/53`` or ``tcp``; what
    follows ``#`` is a remark.

    Raises
    ------
    ValueError
        If a line is none of these; the message has its number.
    """
    found = []
    for number, line in enumerate(text.splitlines(), 1):
        words = line.partition("#")[0].split()
        if not words:
            continue
        try:
            if len(words) > 2:
                raise ValueError("more than a range and a service")
            family, low, high = _range(words[0])
            protocol, ports = _service(words[1]) if len(words) == 2 else ((0, 255), (0, 65535))
        except ValueError as error:
            raise ValueError(f"line {number}: {error}") from None
        found.append(Protected(family, low, high, " ".join(words), protocol, ports, Origin(source, line=number)))
    return found


def _range(text: str) -> tuple[int, int, int]:
    first, dash, last = text.partition("-")
    if dash:
        low, high = ip_address(first), ip_address(last)
        if low.version != high.version or int(low) > int(high):
            raise ValueError(f"{text!r} does not go from a lower to a higher address of one family")
        return low.version, int(low), int(high)
    network = ip_network(text, strict=False)
    return network.version, int(network.network_address), int(network.broadcast_address)


def _service(text: str) -> tuple[tuple[int, int], tuple[int, int]]:
    name, slash, port = text.partition("/")
    number = protocol_number(name)
    if slash and not (port.isdecimal() and len(port) < 6 and int(port) < 65536):
        raise ValueError(f"{text!r} is no service such as tcp/443")
    return (number, number), (int(port), int(port)) if slash else (0, 65535)


def cut_off(questions: Questions, protected: Sequence[Protected], asked: Sequence[Sequence[int]]) -> Iterator[Finding]:
    """Yield PA512 for ranges with addresses that no packet reaches and comes back from.

    Parameters
    ----------
    questions : Questions
    protected : sequence of Protected
    asked : for each of them, which of ``space.asked`` are its packets
    """
    for each, numbers in zip(protected, asked, strict=True):
        space = questions.spaces[each.family == 6]
        # What is exempt (key exchange) does not count as reaching somebody.
        policy = space.first + int((questions.filters.rows["exempt"][space.ids] != 0).sum())
        boxes = [space.asked[number] for number in numbers]
        first, last = int(boxes[0][1]), int(boxes[0][8])
        if last - first >= _PIECES:
            questions.leave_open(CUT_OFF, f"{each.text}, which filters tell apart into {last - first + 1} pieces")
            continue
        lost: list[tuple[int, int]] = []
        unknown = False
        for cell in range(first, last + 1):
            answers = []
            for box in boxes:
                piece = box.copy()
                piece[1] = piece[8] = cell
                answer, _, _, _, spent = space.sets.search(_sets.PASSES, piece, policy, 0, 0, questions.work)
                questions.spend(spent)
                answers.append(answer)
                if answer == _sets.FOUND:
                    break
            if answers[-1] != _sets.FOUND and _sets.UNDECIDED in answers:
                unknown = True
            elif answers[-1] != _sets.FOUND:
                low, high = space.values(np.array([0, cell, 0, 0, 0, 0, 0], np.uint32))[1]
                if lost and lost[-1][1] == low - 1:
                    low = lost.pop()[0]
                lost.append((low, high))
        if unknown:
            questions.leave_open(CUT_OFF, each.text)
        if lost:
            yield _cut_off_finding(questions, each, lost)


def _cut_off_finding(questions: Questions, each: Protected, lost: list[tuple[int, int]]) -> Finding:
    if lost == [(each.low, each.high)]:
        where = "is cut off"
    else:
        texts = [range_text(each.family, *piece) for piece in lost[:3]]
        more = f" and {len(lost) - 3} pieces more" if len(lost) > 3 else ""
        where = f"is cut off in part: {', '.join(texts)}{more}"
    blocker = _blocker(questions, each, lost[0][0])
    message = f"{each.text} ({each.origin}) {where}: no packet gets there and back past {blocker}"
    return Finding("PA512", message, questions.origin)


def _blocker(questions: Questions, each: Protected, address: int) -> str:
    """Name a filter that blocks the way to an address, or the way back."""
    space = questions.spaces[each.family == 6]
    rows = questions.filters.rows[space.ids]
    words = np.array([address >> 64, address & 0xFFFFFFFFFFFFFFFF], np.uint64)

    def within(field: str) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
        lo, hi = rows[f"{field}_lo"], rows[f"{field}_hi"]
        above = (lo[:, 0] < words[0]) | ((lo[:, 0] == words[0]) & (lo[:, 1] <= words[1]))
        below = (hi[:, 0] > words[0]) | ((hi[:, 0] == words[0]) & (hi[:, 1] >= words[1]))
        result: np.ndarray[tuple[int], np.dtype[np.bool_]] = above & below
        return result

    blocks = rows["action"] == Action.BLOCK
    hit = np.flatnonzero(blocks & ((within("dst") & (rows["direction"] != 0)) | (within("src") & (rows["direction"] != 1))))
    return questions.named(int(space.facts["owner"][space.first + int(hit[0])])) if len(hit) else "its block filters"


def silenced(questions: Questions) -> Iterator[Finding]:
    """Yield PA513 for rules that block single public hosts outbound, one after the other."""
    hosts: dict[int, dict[str, int]] = {}
    for space in questions.spaces:
        rows = questions.filters.rows[space.ids]
        single = (rows["dst_lo"] == rows["dst_hi"]).all(axis=1)
        living = space.facts["dead"][space.first :] == 0
        outbound = (rows["direction"] != 0) & (rows["action"] == Action.BLOCK) & (rows["filter"] >= 0)
        for row in rows[single & living & outbound]:
            source = questions.filters.sources[int(row["filter"])]
            address = int(row["dst_lo"][0]) << 64 | int(row["dst_lo"][1])
            text = range_text(space.family, address, address)
            if isinstance(source, PolicyFilter) and ip_address(text).is_global and not ip_address(text).is_multicast:
                hosts.setdefault(id(source.node), {})[text] = int(row["filter"])
    for of_rule in hosts.values():
        if len(of_rule) < _HOSTS:
            continue
        names = list(of_rule)
        source = questions.filters.sources[of_rule[names[0]]]
        assert isinstance(source, PolicyFilter)
        more = f" and {len(names) - 3} more" if len(names) > 3 else ""
        message = (
            f"rule {source.rule!r} blocks what this computer sends to {len(names)} single public hosts: "
            f"{', '.join(names[:3])}{more}"
        )
        yield Finding("PA513", message, source.node.origin, source.rule)
