"""Policy objects of a directory as LDIF (RFC 2849), from ldapsearch, ldifde, or our own writer; strictly read and never given up.

Both kinds of file are read: content (entries) and changes, of which ``add``, ``modify`` and ``delete`` are carried out in the
order in which they stand. Only the objects of a policy store and the Group Policy objects that assign a policy are kept, so that
the dump of a whole domain does not have to fit into memory as entries. Damage is a finding with its line, and reading goes on at
the next line.

Messages name DNs and attributes but never quote data: a rule's ipsecData holds pre-shared keys in clear text.
"""

import binascii
import re
from base64 import b64decode
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Final, NamedTuple

from pastore.findings import Finding
from pastore.ipsecdata.objects import AttributeValue, StoredObject, build, parse_name
from pastore.model import Origin, Policy, Storage
from pastore.sources.choice import choose
from pastore.sources.encoding import encoding_of
from pastore.sources.loaded import Loaded
from pastore.sources.log import FindingLog, limited, quoted

_OBJECT: Final = re.compile(r"\s*cn\s*=\s*ipsec(?:Policy|NFA|Filter|NegotiationPolicy|ISAKMPPolicy)\s*\{", re.IGNORECASE)
_POINTER: Final = re.compile(
    r"\s*cn\s*=\s*ipsec\s*,\s*cn\s*=\s*windows\s*,\s*cn\s*=\s*microsoft\s*,\s*cn\s*=\s*machine\s*,", re.IGNORECASE
)
_DELETED: Final = re.compile(r"\\0ADEL:|,\s*CN\s*=\s*Deleted Objects\s*,", re.IGNORECASE)

_ATTRIBUTE: Final = re.compile(rb"([A-Za-z][A-Za-z0-9-]*|[0-9]+(?:\.[0-9]+)*)((?:;[A-Za-z0-9=*-]+)*)[ ]*(::|:<|:)[ ]*")
_RANGE: Final = re.compile(rb";range=\d+-(\d+|\*)", re.IGNORECASE)
_TIME: Final = re.compile(
    r"\s*(\d{4})(\d\d)(\d\d)(\d\d)(?:(\d\d)(?:(\d\d))?)?(?:[.,]\d+)?(Z|[+-]\d\d(?:\d\d)?)\s*", re.IGNORECASE
)
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)

_MANY: Final = frozenset(("ipsecnfareference", "ipsecfilterreference", "ipsecownersreference"))
_KEPT: Final = _MANY | {
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


class _Line(NamedTuple):
    """An attribute and a value, unfolded. The value is not shown, and None where it cannot be had."""

    name: str
    value: bytes | None
    number: int


@dataclass(eq=False, slots=True)
class _Entry:
    """An entry of the directory, and where its values stand."""

    dn: str
    line: int
    values: dict[str, list[tuple[bytes, int]]] = field(default_factory=dict, repr=False)

    def add(self, name: str, value: bytes, line: int) -> None:
        self.values.setdefault(name, []).append((value, line))


def load_ldif(data: bytes, source: str, wanted: str | None = None) -> Loaded:
    """Read the policies of a directory from LDIF and choose one.

    Parameters
    ----------
    data : bytes
        UTF-8, or UTF-16 as ``ldifde -u`` writes it.
    source : str
        The source as the user named it.
    wanted : str, optional
        Name or GUID of a policy; see `pastore.sources.choice.choose`.

    Returns
    -------
    Loaded
        The policies are those of `Storage.DIRECTORY`. One is assigned when the Group Policy objects of the file agree on it.
        Findings: PA113 text that is not valid in its encoding, PA180 bad syntax, PA405 Group Policy objects that do not agree,
        and those of `build` and `choose`.
    """
    log = FindingLog(source)
    entries = _Reader(_utf8(data, log), log).entries()
    stores: dict[str, list[_Entry]] = {}
    for entry in entries:
        if _OBJECT.match(entry.dn):
            stores.setdefault(_parent(entry.dn), []).append(entry)
    assigned = _assignments([entry for entry in entries if _POINTER.match(entry.dn)], stores, log)
    policies: list[Policy] = []
    built: list[Finding] = []
    for container, store in stores.items():
        pointer = assigned.get(container)
        graph = build(
            [_object(entry, log) for entry in store],
            storage=Storage.DIRECTORY,
            assigned=pointer.policy if pointer is not None else None,
        )
        policies += graph.policies
        built += graph.findings
    if not policies:
        log.add("PA103", "there is no ipsecPolicy object in the LDIF")
        return Loaded(None, (*log.findings(), *limited(built, source)))
    chosen, choice = choose(policies, wanted, source=source)
    return Loaded(chosen, (*log.findings(), *limited(built, source), *choice), tuple(policies))


# Which policy is assigned


class _Assignment(NamedTuple):
    """What a Group Policy object assigns."""

    policy: str  # DN
    dn: str
    line: int


def _assignments(pointers: Iterable[_Entry], stores: dict[str, list[_Entry]], log: FindingLog) -> dict[str, _Assignment]:
    """Return the assigned policy of each container, where the Group Policy objects leave no doubt."""
    by_container: dict[str, list[_Assignment]] = {}
    names = {container: {parse_name(_first(entry.dn)) for entry in entries} for container, entries in stores.items()}
    for entry in pointers:
        classes = [value.strip().lower() for value, _ in entry.values.get("objectclass", ())]
        if classes and b"ipsecpolicy" not in classes:
            continue
        for value, line in entry.values.get("ipsecownersreference", ()):
            dn = _text(value, entry, "ipsecOwnersReference", line, log)
            if not dn.strip():
                continue
            name = parse_name(dn)
            container = _parent(dn)
            if container not in stores and len(stores) == 1:
                (container,) = stores  # a path that is written another way still means the only store there is
            if name is None or name not in names.get(container, ()):
                log.add("PA135", f"the assigned policy is {quoted(dn)}, which is not in the LDIF", locator=entry.dn, line=line)
                continue
            by_container.setdefault(container, []).append(_Assignment(dn, entry.dn, line))
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


def _first(dn: str) -> str:
    return dn.split(",", 1)[0]


def _parent(dn: str) -> str:
    """Return the container of a DN in one spelling."""
    parts = (part.partition("=") for part in dn.lower().split(",")[1:])
    return ",".join(f"{name.strip()}={value.strip()}" for name, _, value in parts)


# Objects


def _object(entry: _Entry, log: FindingLog) -> StoredObject:
    attributes: dict[str, AttributeValue] = {"distinguishedname": entry.dn}
    places = {}
    for name, values in entry.values.items():
        places[name] = Origin(log.source, entry.dn, values[0][1])
        if name == "ipsecdata" and len(values) == 1:
            attributes[name] = values[0][0]
            continue
        texts = tuple(_text(value, entry, name, line, log) for value, line in values)
        if name == "whenchanged":
            seconds = _seconds(texts[0]) if len(texts) == 1 else None
            if seconds is None:
                log.add("PA126", "whenChanged is not a time; it is ignored", locator=entry.dn, line=values[0][1])
            else:
                attributes[name] = seconds
        else:
            attributes[name] = texts if name in _MANY or len(texts) > 1 else texts[0]
    return StoredObject(_first(entry.dn), attributes, Origin(log.source, entry.dn, entry.line), places)


def _text(value: bytes, entry: _Entry, name: str, line: int, log: FindingLog) -> str:
    try:
        return value.decode()
    except UnicodeDecodeError as error:
        if name != "ipsecdata":  # that several values of it are wrong is said elsewhere
            message = f"byte {error.start} of {name} is not valid UTF-8; such characters are replaced by U+FFFD"
            log.add("PA113", message, locator=entry.dn, line=line)
        return value.decode(errors="replace")


def _seconds(text: str) -> int | None:
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


# Syntax


def _utf8(data: bytes, log: FindingLog) -> bytes:
    """Return the file in UTF-8, as which its values are checked one by one."""
    encoding, start = encoding_of(data)
    if encoding == "utf-8":
        return data[start:]
    try:
        return data[start:].decode(encoding).encode()
    except UnicodeDecodeError as error:
        log.add("PA113", f"byte {start + error.start} is not valid {encoding.upper()}; such characters are replaced by U+FFFD")
        return data[start:].decode(encoding, "replace").encode()


class _Reader:
    """One pass over the lines of the file."""

    def __init__(self, data: bytes, log: FindingLog) -> None:
        self._data = data
        self._log = log
        self._entries: dict[str, _Entry] = {}
        self._twice: list[_Entry] = []
        # The record that is being read
        self._dn = ""
        self._entry: _Entry | None = None
        self._lines: list[_Line] = []
        self._is_inside = False

    def entries(self) -> list[_Entry]:
        """Read everything; the entries that matter, in the order of the file, those with the same DN as another included."""
        for line, number in self._logical_lines():
            if line:
                self._feed(line, number)
            else:
                self._end_record()
        self._end_record()
        return [*self._entries.values(), *self._twice]

    def _bad(self, message: str, line: int) -> None:
        self._log.add("PA180", message, locator=self._dn, line=line)

    def _logical_lines(self) -> Iterator[tuple[bytes, int]]:
        """Yield unfolded lines with their numbers, comments left out, an empty one for each run of blank lines."""
        folded: list[bytes] = []
        start = 0
        for number, line in self._physical_lines():
            if line.startswith(b" "):
                if folded:
                    folded.append(line[1:])
                elif line.strip():
                    self._bad("the line continues none", number)
                else:
                    yield b"", number  # a line of blanks, where an empty one is meant
                continue
            if folded and not folded[0].startswith(b"#"):
                yield b"".join(folded), start
            folded, start = ([line] if line else []), number
            if not line:
                yield b"", number
        if folded and not folded[0].startswith(b"#"):
            yield b"".join(folded), start

    def _physical_lines(self) -> Iterator[tuple[int, bytes]]:
        data, at, number = self._data, 0, 0
        while at < len(data):
            end = data.find(b"\n", at)
            end = len(data) if end < 0 else end
            number += 1
            yield number, data[at : end - 1] if data[at:end].endswith(b"\r") else data[at:end]
            at = end + 1

    # Records

    def _feed(self, text: bytes, number: int) -> None:
        """Take the next line of a record; of entries that do not matter only the syntax is looked at."""
        line = self._line(text, number)
        if self._is_inside:
            if self._entry is not None and line is not None and line.name != "control":
                self._lines.append(line)
            return
        if line is not None and line.name == "version":
            if line.value is None or line.value.strip() != b"1":
                self._bad("the version of the format is not 1; it is read as if it were", number)
            return
        self._is_inside = True
        if line is None or line.name != "dn":
            # The others are what ldapsearch writes behind the entries, and for those that another server has.
            if line is None or line.name not in ("search", "result", "ref"):
                self._bad("an entry begins with its DN; this one is skipped", number)
            return
        if line.value is None:
            return
        try:
            dn = line.value.decode()
        except UnicodeDecodeError as error:
            self._bad(f"byte {error.start} of the DN is not valid UTF-8; the entry is skipped", number)
            return
        self._dn = dn if len(dn) <= 300 else dn[:297] + "..."
        if (_OBJECT.match(dn) or _POINTER.match(dn)) and not _DELETED.search(dn):
            self._entry = _Entry(dn, number)

    def _end_record(self) -> None:
        entry, lines = self._entry, self._lines
        if entry is not None:
            change = "add"
            if lines and lines[0].name == "changetype":
                change = (lines[0].value or b"").strip().decode("ascii", "replace").lower()
                del lines[0]
            self._change(change, entry, lines)
        self._dn, self._entry, self._lines, self._is_inside = "", None, [], False

    def _change(self, change: str, entry: _Entry, lines: list[_Line]) -> None:
        key = _key(entry.dn)
        known = self._entries.get(key)
        if change == "add":
            for line in lines:
                if line.value is not None and line.name in _KEPT:
                    entry.add(line.name, line.value, line.number)
            if known is None:
                self._entries[key] = entry
            else:
                self._twice.append(entry)
        elif change == "delete":
            self._entries.pop(key, None)
        elif change != "modify":
            self._bad(f"the change {quoted(change)} is not carried out: add, modify and delete are", entry.line)
        elif known is None:
            self._bad("the entry is modified, and it does not come before", entry.line)
        else:
            self._modify(known, lines)

    def _modify(self, entry: _Entry, lines: list[_Line]) -> None:
        operation, name = "", ""
        removed: set[bytes] = set()
        is_whole = False  # whether a deletion names no value, and so means all

        def end() -> None:
            if operation == "delete":
                kept = [] if is_whole else [pair for pair in entry.values.get(name, ()) if pair[0] not in removed]
                entry.values[name] = kept
                if not kept:
                    del entry.values[name]
            removed.clear()

        for line in lines:
            if line.name == "-":
                end()
                operation, name = "", ""
            elif not operation:
                operation, is_whole = line.name, True
                name = (line.value or b"").split(b";")[0].strip().decode("ascii", "replace").lower()
                if operation not in ("add", "replace", "delete"):
                    self._bad(f"{quoted(operation)} is no modification; add, replace and delete are", line.number)
                elif operation == "replace":
                    entry.values.pop(name, None)
            elif line.name != name:
                self._bad(f"a value of {line.name} stands among those of {quoted(name)}; it is skipped", line.number)
            elif operation == "delete":
                is_whole = False
                if line.value is not None:
                    removed.add(line.value)
            elif line.value is not None and name in _KEPT:
                entry.add(name, line.value, line.number)
        end()

    # Lines

    def _line(self, line: bytes, number: int) -> _Line | None:
        """Take a line apart; a finding and None if it is not an attribute and a value."""
        if line == b"-":
            return _Line("-", None, number)
        match = _ATTRIBUTE.match(line)
        if match is None:
            self._bad("a line is written as attribute: value", number)
            return None
        name = match[1].decode("ascii").lower()
        cut = _RANGE.search(match[2])
        if cut is not None and cut[1] != b"*" and name in _KEPT:
            self._bad(f"{name} has more values than the server gave; fetch them with ranges", number)
        if match[3] == b":":
            return _Line(name, line[match.end() :], number)
        if match[3] == b":<":
            self._bad(f"the value of {name} is elsewhere, and URLs are not followed; it is skipped", number)
            return _Line(name, None, number)
        try:
            return _Line(name, b64decode(line[match.end() :].rstrip(b" "), validate=True), number)
        except (binascii.Error, ValueError):
            self._bad(f"the value of {name} is not valid base64; it is skipped", number)
            return _Line(name, None, number)


def _key(dn: str) -> str:
    """Return a DN in one spelling, as far as objects of a policy store need it."""
    return f"{_first(dn).replace(' ', '').lower()},{_parent(dn)}"
