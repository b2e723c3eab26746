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
from collections.abc import Iterator
from typing import Final, NamedTuple

from pastore.sources.encoding import encoding_of
from pastore.sources.entries import KEPT, OBJECT, POINTER, StoreEntry, first_rdn, load_entries, parent_of
from pastore.sources.loaded import Loaded
from pastore.sources.log import FindingLog, quoted

_DELETED: Final = re.compile(r"\\0ADEL:|,\s*CN\s*=\s*Deleted Objects\s*,", re.IGNORECASE)

_ATTRIBUTE: Final = re.compile(rb"([A-Za-z][A-Za-z0-9-]*|[0-9]+(?:\.[0-9]+)*)((?:;[A-Za-z0-9=*-]+)*)[ ]*(::|:<|:)[ ]*")
_RANGE: Final = re.compile(rb";range=\d+-(\d+|\*)", re.IGNORECASE)


class _Line(NamedTuple):
    """An attribute and a value, unfolded. The value is not shown, and None where it cannot be had."""

    name: str
    value: bytes | None
    number: int


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
    return load_entries(_Reader(_utf8(data, log), log).entries(), log, wanted, place="the LDIF")


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
        self._entries: dict[str, StoreEntry] = {}
        self._twice: list[StoreEntry] = []
        # The record that is being read
        self._dn = ""
        self._entry: StoreEntry | None = None
        self._lines: list[_Line] = []
        self._is_inside = False

    def entries(self) -> list[StoreEntry]:
        """Read everything; the entries that matter, in the order of the file, those with the same DN as another included."""
        for line, number in self._logical_lines():
            if line:
                self._feed(line, number)
            else:
                self._end_record()
        self._end_record()
        return [*self._entries.values(), *self._twice]

    def _bad(self, message: str, line: int | None) -> None:
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
        if (OBJECT.match(dn) or POINTER.match(dn)) and not _DELETED.search(dn):
            self._entry = StoreEntry(dn, number)

    def _end_record(self) -> None:
        entry, lines = self._entry, self._lines
        if entry is not None:
            change = "add"
            if lines and lines[0].name == "changetype":
                change = (lines[0].value or b"").strip().decode("ascii", "replace").lower()
                del lines[0]
            self._change(change, entry, lines)
        self._dn, self._entry, self._lines, self._is_inside = "", None, [], False

    def _change(self, change: str, entry: StoreEntry, lines: list[_Line]) -> None:
        key = _key(entry.dn)
        known = self._entries.get(key)
        if change == "add":
            for line in lines:
                if line.value is not None and line.name in KEPT:
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

    def _modify(self, entry: StoreEntry, lines: list[_Line]) -> None:
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
            elif line.value is not None and name in KEPT:
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
        if cut is not None and cut[1] != b"*" and name in KEPT:
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
    return f"{first_rdn(dn).replace(' ', '').lower()},{parent_of(dn)}"
