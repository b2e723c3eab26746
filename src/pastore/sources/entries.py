"""Entries of a directory's policy store, from a file or a server: as stored objects, and which policy they assign."""

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Final, NamedTuple

from pastore.findings import Finding
from pastore.ipsecdata.objects import AttributeValue, StoredObject, build, parse_name
from pastore.model import Origin, Policy, Storage
from pastore.sources.choice import choose
from pastore.sources.loaded import Loaded
from pastore.sources.log import FindingLog, limited, quoted

OBJECT: Final = re.compile(r"\s*cn\s*=\s*ipsec(?:Policy|NFA|Filter|NegotiationPolicy|ISAKMPPolicy)\s*\{", re.IGNORECASE)
POINTER: Final = re.compile(
    r"\s*cn\s*=\s*ipsec\s*,\s*cn\s*=\s*windows\s*,\s*cn\s*=\s*microsoft\s*,\s*cn\s*=\s*machine\s*,", re.IGNORECASE
)
_TIME: Final = re.compile(
    r"\s*(\d{4})(\d\d)(\d\d)(\d\d)(?:(\d\d)(?:(\d\d))?)?(?:[.,]\d+)?(Z|[+-]\d\d(?:\d\d)?)\s*", re.IGNORECASE
)
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)

_MANY: Final = frozenset(("ipsecnfareference", "ipsecfilterreference", "ipsecownersreference"))
KEPT: Final = _MANY | {
    "description",
    "ipsecdata",
    "ipsecid",
    "ipsecisakmpreference",
    "ipsecname",
    "ipsecnegotiationpolicyaction",
    "ipsecnegotiationpolicyreference",
    "ipsecnegotiationpolicytype",
    "objectclass",
    "whenchanged",
}


@dataclass(eq=False, slots=True)
class StoreEntry:
    """An entry of the directory, and where its values stand."""

    dn: str
    line: int | None = None
    values: dict[str, list[tuple[bytes, int | None]]] = field(default_factory=dict, repr=False)

    def add(self, name: str, value: bytes, line: int | None) -> None:
        """Add a value of an attribute, by its name in lower case."""
        self.values.setdefault(name, []).append((value, line))


def load_entries(
    entries: Iterable[StoreEntry],
    log: FindingLog,
    wanted: str | None,
    *,
    place: str,
    assigned: str | None = None,
    storage: Storage = Storage.DIRECTORY,
) -> Loaded:
    """Build the policies of some entries and choose one.

    Parameters
    ----------
    entries : iterable of StoreEntry
        Objects of policy stores, and the objects by which Group Policy objects point to them; others are left out.
    log : FindingLog
        Takes what is wrong with the entries; its source is theirs.
    wanted : str, optional
        Name or GUID of a policy; see `pastore.sources.choice.choose`.
    place : str
        What to call the source in a sentence: "the LDIF".
    assigned : str, optional
        DN of the assigned policy, where that is known otherwise than from the pointers, which are then not asked.
    storage : Storage
        Which storage the policies are from.
    """
    source = log.source
    entries = list(entries)
    stores: dict[str, list[StoreEntry]] = {}
    for entry in entries:
        if OBJECT.match(entry.dn):
            stores.setdefault(parent_of(entry.dn), []).append(entry)
    known: dict[str, str] = {}
    if assigned is None:
        pointers = [entry for entry in entries if POINTER.match(entry.dn)]
        known = {container: found.policy for container, found in assignments(pointers, stores, log, place).items()}
    policies: list[Policy] = []
    built: list[Finding] = []
    for container, store in stores.items():
        graph = build(
            [stored_object(entry, log) for entry in store],
            storage=storage,
            assigned=known.get(container) if assigned is None else assigned,
        )
        policies += graph.policies
        built += graph.findings
    if not policies:
        log.add("PA103", f"there is no ipsecPolicy object in {place}")
        return Loaded(None, (*log.findings(), *limited(built, source)))
    chosen, choice = choose(policies, wanted, source=source)
    return Loaded(chosen, (*log.findings(), *limited(built, source), *choice), tuple(policies))


# Which policy is assigned


class Assignment(NamedTuple):
    """What a Group Policy object assigns."""

    policy: str  # DN
    dn: str
    line: int | None


def assignments(
    pointers: Iterable[StoreEntry], stores: dict[str, list[StoreEntry]], log: FindingLog, place: str
) -> dict[str, Assignment]:
    """Return the assigned policy of each container, where the Group Policy objects leave no doubt."""
    by_container: dict[str, list[Assignment]] = {}
    names = {container: {parse_name(first_rdn(entry.dn)) for entry in entries} for container, entries in stores.items()}
    for entry in pointers:
        classes = [value.strip().lower() for value, _ in entry.values.get("objectclass", ())]
        if classes and b"ipsecpolicy" not in classes:
            continue
        for value, line in entry.values.get("ipsecownersreference", ()):
            dn = _text(value, entry, "ipsecOwnersReference", line, log)
            if not dn.strip():
                continue
            name = parse_name(dn)
            container = parent_of(dn)
            if container not in stores and len(stores) == 1:
                (container,) = stores  # a path that is written another way still means the only store there is
            if name is None or name not in names.get(container, ()):
                log.add("PA135", f"the assigned policy is {quoted(dn)}, which is not in {place}", locator=entry.dn, line=line)
                continue
            by_container.setdefault(container, []).append(Assignment(dn, entry.dn, line))
    result = {}
    for container, found in by_container.items():
        policies = {parse_name(one.policy): one for one in found}
        if len(policies) == 1:
            result[container] = found[0]
            continue
        # Links and their precedence decide, and those are not in the policy store.
        several = ", ".join(str(name) for name in list(policies)[:5])
        message = f"{len(found)} Group Policy objects assign {len(policies)} different policies: {several}"
        log.add("PA405", message, locator=found[0].dn, line=found[0].line)
    return result


def first_rdn(dn: str) -> str:
    """Return the first component of a DN as it is written; the names of these objects hold no commas."""
    return dn.split(",", 1)[0]


def parent_of(dn: str) -> str:
    """Return the container of a DN in one spelling."""
    parts = (part.partition("=") for part in dn.lower().split(",")[1:])
    return ",".join(f"{name.strip()}={value.strip()}" for name, _, value in parts)


# Objects


def stored_object(entry: StoreEntry, log: FindingLog) -> StoredObject:
    """Return an entry as the stored object that it is."""
    attributes: dict[str, AttributeValue] = {"distinguishedname": entry.dn}
    places = {}
    for name, values in entry.values.items():
        places[name] = Origin(log.source, entry.dn, values[0][1])
        if name == "ipsecdata" and len(values) == 1:
            attributes[name] = values[0][0]
            continue
        texts = tuple(_text(value, entry, name, line, log) for value, line in values)
        if name == "whenchanged":
            seconds = seconds_of(texts[0]) if len(texts) == 1 else None
            if seconds is None:
                log.add("PA126", "whenChanged is not a time; it is ignored", locator=entry.dn, line=values[0][1])
            else:
                attributes[name] = seconds
        else:
            attributes[name] = texts if name in _MANY or len(texts) > 1 else texts[0]
    return StoredObject(first_rdn(entry.dn), attributes, Origin(log.source, entry.dn, entry.line), places)


def _text(value: bytes, entry: StoreEntry, name: str, line: int | None, log: FindingLog) -> str:
    try:
        return value.decode()
    except UnicodeDecodeError as error:
        if name != "ipsecdata":  # that several values of it are wrong is said elsewhere
            message = f"byte {error.start} of {name} is not valid UTF-8; such characters are replaced by U+FFFD"
            log.add("PA113", message, locator=entry.dn, line=line)
        return value.decode(errors="replace")


def seconds_of(text: str) -> int | None:
    """Return a generalized time (RFC 4517, 3.3.13) as seconds since 1970, None if it is none."""
    match = _TIME.fullmatch(text)
    if match is None:
        return None
    zone = match[7]
    away = timedelta(0)
    if zone.upper() != "Z":
        away = timedelta(hours=int(zone[1:3]), minutes=int(zone[3:5] or 0)) * (-1 if zone[0] == "-" else 1)
    try:
        year, month, day, hour, minute, second = (int(part or 0) for part in match.group(1, 2, 3, 4, 5, 6))
        when = datetime(year, month, day, hour, minute, second, tzinfo=UTC)
    except ValueError:
        return None
    return int((when - _EPOCH - away).total_seconds())
