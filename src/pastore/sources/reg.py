"""Registry exports as text (.reg), strictly read and never given up.

What regedit and ``reg export`` write, and what people make of it by hand: ``Windows Registry Editor Version 5.00`` in UTF-16
or UTF-8, and ``REGEDIT4``, which is 8-bit (code page 1252) and holds 8-bit strings in its hex values. Damage is a finding with
line and column; reading goes on at the next line that makes sense. Every part of the text is looked at a bounded number of times.

Messages name keys and values but never quote data: a rule's ipsecData holds pre-shared keys in clear text.
"""

import re
from binascii import unhexlify
from codecs import BOM_UTF8, BOM_UTF16_BE, BOM_UTF16_LE
from collections.abc import Callable
from typing import Final

from pastore.findings import Finding
from pastore.sources.log import FindingLog, quoted
from pastore.sources.registry import Data, Key, Kind, Value, decode, relevant

VERSION_5: Final = "Windows Registry Editor Version 5.00"
VERSION_4: Final = "REGEDIT4"

_ROOTS: Final = {
    "hklm": "HKEY_LOCAL_MACHINE",
    "hkcu": "HKEY_CURRENT_USER",
    "hkcr": "HKEY_CLASSES_ROOT",
    "hku": "HKEY_USERS",
    "hkcc": "HKEY_CURRENT_CONFIG",
}

_TERMINATORS: Final[dict[int, int]] = {Kind.SZ: 1, Kind.EXPAND_SZ: 1, Kind.MULTI_SZ: 2}  # NULs behind the last character

# Possessive throughout: nothing here is ever tried twice.
_BLANKS: Final = re.compile(r"[ \t\r]*+")
_LINE_REST: Final = re.compile(r"[ \t\r]*+(?:;[^\n]*+)?(?=\n|\Z)")
_KEY: Final = re.compile(r"\[(-?+)([^\n]*)\]")  # up to the last bracket: a name may hold some
_NAME: Final = re.compile(r'(?:@|"((?:[^"\\\n]++|\\[^\n])*+)")[ \t]*+=[ \t]*+')
_STRING: Final = re.compile(r'"((?:[^"\\]++|\\.)*+)"', re.DOTALL)
_ESCAPE: Final = re.compile(r"\\(.)", re.DOTALL)
_DWORD: Final = re.compile(r"dword:[ \t]*+([0-9a-f]{1,8})(?![0-9a-z])", re.IGNORECASE)
_HEX: Final = re.compile(r"hex(?:\([ \t]*([0-9a-f]{1,8})[ \t]*\))?:", re.IGNORECASE)
_CONTINUATION: Final = r"\\[ \t\r]*+(?:;[^\n]*+)?\n"
_HEX_BODY: Final = re.compile(rf"[0-9a-fA-F, \t\r]*+(?:{_CONTINUATION}[0-9a-fA-F, \t\r]*+)*+(?:\\[ \t\r]*+\Z)?+")
_HEX_COMMENT: Final = re.compile(rb";[^\n]*+")
_HEX_SKIPPED: Final = b" \t\r\n\\"
_HEX_LIST: Final = re.compile(rb"(?:[0-9a-fA-F]{1,2}+,)*+(?:[0-9a-fA-F]{1,2}+)?+")
_HEX_PARTS: Final = re.compile(r";[^\n]*+|[0-9a-fA-F,]++")
_ONE_DIGIT: Final = re.compile(rb"\b([0-9a-fA-F])\b")


def read(data: bytes, source: str, *, keep: Callable[[str], bool] = relevant) -> tuple[Key, tuple[Finding, ...]]:
    """Read a .reg file into a registry tree.

    Parameters
    ----------
    data : bytes
    source : str
        The file as the user named it, for findings.
    keep : callable
        Says of a key path whether its values are wanted. The others are checked and dropped, so that the export of a whole
        registry does not have to fit into memory as a tree.

    Returns
    -------
    root : Key
        Of the tree; HKLM and the other short names of roots are spelled out.
    findings : tuple of Finding
        PA110 bad syntax, PA111 a value that ends in the middle, PA112 data that does not fit its type, PA113 text that is not
        valid in its encoding.
    """
    log = FindingLog(source)
    reader = _Reader(_text(data, log), log, keep)
    reader.run()
    return reader.root, log.findings()


def _text(data: bytes, log: FindingLog) -> str:
    """Decode by byte order mark, by where the NULs of UTF-16 are, or by the header line."""
    encoding, start = "utf-8", 0
    for mark, name in ((BOM_UTF8, "utf-8"), (BOM_UTF16_LE, "utf-16-le"), (BOM_UTF16_BE, "utf-16-be")):
        if data.startswith(mark):
            encoding, start = name, len(mark)
            break
    else:
        if data[1:2] == b"\0":
            encoding = "utf-16-le"
        elif data[:1] == b"\0":
            encoding = "utf-16-be"
        elif data[:200].lstrip()[: len(VERSION_4)].upper() == VERSION_4.encode():
            encoding = "cp1252"
    body = data[start:]
    if encoding.startswith("utf-16") and len(body) % 2:
        log.add("PA113", f"the file ends after {len(data)} bytes, in the middle of a character of {encoding.upper()}")
        body = body[:-1]
    try:
        text = body.decode(encoding)
    except UnicodeDecodeError as error:
        before = body[: error.start].decode(encoding, "replace")
        line, column = before.count("\n") + 1, len(before) - before.rfind("\n")
        message = f"byte {start + error.start} is not valid {encoding.upper()}; such characters are replaced by U+FFFD"
        log.add("PA113", message, line=line, column=column)
        text = body.decode(encoding, "replace")
    return text if "\n" in text else text.replace("\r", "\n")


class _Reader:
    """One pass over the text. `_at` only moves forward, and `_line` with it."""

    def __init__(self, text: str, log: FindingLog, keep: Callable[[str], bool]) -> None:
        self.root = Key()
        self._text = text
        self._log = log
        self._keep = keep
        self._at = 0
        self._line = 1
        self._key: Key | None = None  # None: values are read and dropped
        self._path = ""
        self._has_key = False  # whether a key line, right or wrong, came before
        self._encoding = "utf-16-le"

    def run(self) -> None:
        self._header()
        while self._at < len(self._text):
            self._advance(_BLANKS.match(self._text, self._at).end())  # type: ignore[union-attr]  # matches anywhere
            first = self._text[self._at : self._at + 1]
            if first in ("", "\n", ";"):
                self._skip_line()
            elif first == "[":
                self._read_key()
            elif first in ('"', "@"):
                self._read_value()
            else:
                self._bad("the line starts with none of [, a value name in quotes, @ and ;")
                self._skip_line()

    # Moving

    def _advance(self, to: int) -> None:
        self._line += self._text.count("\n", self._at, to)
        self._at = to

    def _line_end(self, at: int) -> int:
        end = self._text.find("\n", at)
        return len(self._text) if end < 0 else end

    def _skip_line(self, at: int | None = None) -> None:
        """Go behind the end of the line that holds `at`."""
        self._advance(min(self._line_end(self._at if at is None else at) + 1, len(self._text)))

    def _skip_value(self, at: int) -> None:
        """Go behind the end of a value that is not understood from `at` on, its continuation lines included."""
        while True:
            end = self._line_end(at)
            if end == len(self._text) or not self._text[max(at, end - 80) : end].rstrip(" \t\r").endswith("\\"):
                break
            at = end + 1
            if self._text[at : at + 1] in ("[", '"', "@"):
                self._advance(at)
                return
        self._skip_line(at)

    # Findings

    def _add(self, code: str, message: str, at: int) -> None:
        """Add a finding about the text at `at`, which is not before `_at`."""
        if not self._log.room(code):
            self._log.count(code, 1)
            return
        line = self._line + self._text.count("\n", self._at, at)
        self._log.add(code, message, locator=self._path, line=line, column=at - self._text.rfind("\n", 0, at))

    def _bad(self, message: str, at: int | None = None, *, may_be_cut: bool = False) -> None:
        """Report bad syntax. What `may_be_cut` is so when it stands on a last line without a line end."""
        at = self._at if at is None else at
        cut = may_be_cut and self._line_end(at) == len(self._text)
        self._add("PA111" if cut else "PA110", f"{message}; the file ends here" if cut else message, at)

    # Lines

    def _header(self) -> None:
        while self._at < len(self._text) and not self._text[self._at : self._line_end(self._at)].strip():
            self._skip_line()
        line = self._text[self._at : min(self._line_end(self._at), self._at + 200)].strip()
        if line.upper() == VERSION_4:
            self._encoding = "cp1252"
        elif line.upper() != VERSION_5.upper():
            self._add("PA110", f"the first line is neither {VERSION_5!r} nor {VERSION_4!r}; read as version 5", self._at)
            if line[:1] in ("[", ";", '"', "@"):
                return
        self._skip_line()

    def _read_key(self) -> None:
        end = self._line_end(self._at)
        line = self._text[self._at : end]
        match = _KEY.match(line)
        self._key, self._path, self._has_key = None, "", True
        if match is None:
            self._bad("the key has no closing bracket; its values are skipped", may_be_cut=True)
            self._skip_line()
            return
        if _LINE_REST.match(line, match.end()) is None:
            self._bad("there is something behind the closing bracket", self._at + match.end())
        root, backslash, below = match[2].strip(" \t").partition("\\")
        path = _ROOTS.get(root.lower(), root) + backslash + below
        try:
            if match[1]:
                self.root.delete(path)
                self._has_key = False
            else:
                self._path = path
                self._key = self.root.enter(path, self._line) if self._keep(path) else None
        except ValueError as error:
            self._bad(f"{error}; its values are skipped")
        self._skip_line()

    def _read_value(self) -> None:
        if not self._has_key:
            self._bad("the value belongs to no key")
        match = _NAME.match(self._text, self._at)
        if match is None:
            self._bad('a value is written as "name"=data or @=data', may_be_cut=True)
            self._skip_line()
            return
        name = self._unescape(match[1] or "", match.start(1))
        at = match.end()
        text = self._text
        if text.startswith('"', at):
            self._read_string(name, at)
        elif text.startswith("-", at):
            end = at + 1
            if self._ends(name, end) and self._key is not None:
                self._key.values.pop(name.lower(), None)
            self._skip_line(end)
        elif (match := _DWORD.match(text, at)) is not None:
            cut = match.end() == len(text) and len(match[1]) < 8
            if cut:
                self._add("PA111", f"{_called(name)} ends in the middle of a number; the file ends here", at)
            elif self._ends(name, match.end()):
                self._put(name, Kind.DWORD, int(match[1], 16))
            self._skip_line(at)
        elif (match := _HEX.match(text, at)) is not None:
            self._read_hex(name, int(match[1], 16) if match[1] else Kind.BINARY, match.end())
        else:
            what = "neither a string nor dword: and one to eight digits nor hex: and bytes"
            self._bad(f"the data of {_called(name)} is {what}", at, may_be_cut=True)
            self._skip_value(at)

    def _ends(self, name: str, at: int) -> bool:
        """Whether only blanks and a comment stand between `at` and the end of the line; a finding if not."""
        if _LINE_REST.match(self._text, at) is not None:
            return True
        self._bad(f"there is something behind the data of {_called(name)}; the value is skipped", at)
        return False

    def _put(self, name: str, kind: int, data: Data) -> None:
        if self._key is not None:
            self._key.put(Value(name, kind, data, self._line))

    # Data

    def _unescape(self, text: str, at: int) -> str:
        if "\\" not in text:
            return text
        bad = next((match for match in _ESCAPE.finditer(text) if match[1] not in ('"', "\\")), None)
        if bad is not None:
            self._bad("a backslash stands before neither a backslash nor a quote; it is kept as it is", at + bad.start())
        return _ESCAPE.sub(lambda match: match[1] if match[1] in ('"', "\\") else match[0], text)

    def _read_string(self, name: str, at: int) -> None:
        match = _STRING.match(self._text, at)
        line_end = self._line_end(at)
        # A string may hold line breaks. One whose closing quote is missing seems to as well, but what follows its end tells.
        if match is None or (match.end() > line_end and _LINE_REST.match(self._text, match.end()) is None):
            self._add("PA111", f"the string of {_called(name)} has no closing quote; the value is skipped", at)
            self._skip_line(at)
            return
        if self._ends(name, match.end()):
            self._put(name, Kind.SZ, self._unescape(match[1], at + 1).partition("\0")[0])
        self._skip_line(match.end())

    def _read_hex(self, name: str, kind: int, at: int) -> None:
        match = _HEX_BODY.match(self._text, at)
        assert match is not None  # it matches the empty string too
        end = match.end()
        body = _HEX_COMMENT.sub(b"", match[0].encode("ascii", "replace"))
        packed = body.translate(None, _HEX_SKIPPED)
        at_file_end = end == len(self._text)
        stops_early = packed.endswith(b",") or body.rstrip(b" \t\r\n").endswith(b"\\")
        clean = _LINE_REST.match(self._text, end) is not None
        if not clean and stops_early and self._text[end] in ('"', "[", "@"):
            clean = True  # the continuation line is missing and something else stands in its place
        if not clean:
            self._bad(f"the data of {_called(name)} holds something that is not a hexadecimal byte; the value is skipped", end)
            self._skip_value(end)
            return
        if at_file_end and re.search(rb"(?:\A|,)[0-9a-fA-F]\Z", packed):
            stops_early, packed = True, packed[:-1]
        raw = _bytes(packed.removesuffix(b","))
        if raw is None:
            at += _offset(match[0], _HEX_LIST.match(packed).end())  # type: ignore[union-attr]  # matches the empty string too
            self._bad(f"the data of {_called(name)} is not a list of hexadecimal bytes; the value is skipped", at)
        else:
            if at_file_end and not stops_early:
                stops_early = not _is_terminated(kind, raw, 1 if self._encoding == "cp1252" else 2)
            if stops_early:
                skipped = decode(kind, b"", cut=True).data is None
                kept = "; the value is skipped" if skipped else "; what is whole is kept"
                where = "the file ends here" if at_file_end else "more bytes are announced than there are"
                stop = at + len(match[0].rstrip(" \t\r"))
                self._add("PA111", f"{_called(name)} ends in the middle: {where}{kept}", stop)
            self._put_raw(name, kind, raw, at, cut=stops_early)
        if self._text[end : end + 1] in ('"', "[", "@"):
            self._advance(end)
        else:
            self._skip_line(end)

    def _put_raw(self, name: str, kind: int, raw: bytes, at: int, *, cut: bool) -> None:
        if self._key is None:
            return  # other programs' values may break the rules of their types
        decoded = decode(kind, raw, self._encoding, cut=cut)
        for code, text in decoded.problems:
            self._add(code, f"{_called(name)}: {text}", at)
        if decoded.data is not None:
            self._put(name, kind, decoded.data)


def _bytes(packed: bytes) -> bytes | None:
    """Turn ``01,02,0a`` into bytes; None when it is not such a list. It holds nothing but digits and commas."""
    if len(packed) % 3 == 2 and packed.count(b",") == len(packed) // 3 == packed[2::3].count(b","):
        return unhexlify(packed.translate(None, b","))  # as regedit writes it, two digits everywhere
    if not packed:
        return b""
    if _HEX_LIST.fullmatch(packed) is None or packed.endswith(b","):
        return None
    return unhexlify(_ONE_DIGIT.sub(rb"0\1", packed).translate(None, b","))


def _is_terminated(kind: int, raw: bytes, unit: int) -> bool:
    """Whether strings have the NULs that end them, `unit` bytes each; other data has no such mark."""
    nuls = _TERMINATORS.get(kind, 0) * unit
    return nuls == 0 or (raw.endswith(bytes(nuls)) and len(raw) % unit == 0)


def _offset(body: str, packed: int) -> int:
    """Return where in the text of a hex value the digit or comma number `packed` is."""
    for match in _HEX_PARTS.finditer(body):
        if match[0][0] != ";":
            if packed < len(match[0]):
                return match.start() + packed
            packed -= len(match[0])
    return len(body)


def _called(name: str) -> str:
    return quoted(name) if name else "the default value"
