"""What ``reg query KEY /s`` prints, in any language.

A key is a line at the margin, a value a line set in by four blanks: name, type and data, between them four blanks (a tab in the
reg.exe of Windows XP). Words of a language occur in two places only: the name of the default value, which is in brackets, and
what is said at the end of a search. Data are printed as they are, so a string may go on in the next line.

Messages name keys and values but never quote data: a rule's ipsecData holds pre-shared keys in clear text.
"""

import re
from binascii import unhexlify
from typing import Final

from pastore.findings import Finding
from pastore.sources.codepage import decode_console
from pastore.sources.log import FindingLog, quoted
from pastore.sources.registry import Data, Key, Kind, Value, relevant

_ROOTS: Final = {
    "hklm": "HKEY_LOCAL_MACHINE",
    "hkcu": "HKEY_CURRENT_USER",
    "hkcr": "HKEY_CLASSES_ROOT",
    "hku": "HKEY_USERS",
    "hkcc": "HKEY_CURRENT_CONFIG",
}
_KEY: Final = re.compile(r"(HKEY_[A-Z_]+|HK(?:LM|CU|CR|U|CC))(?:\\(.*))?", re.IGNORECASE)
# The type is searched from the left: a name may hold blanks, and data may hold anything.
_TYPE: Final = re.compile(r"(?:    |\t)(REG_[A-Z_]+)(?=    |\t|[ \t]*$)")
_PROMPT: Final = re.compile(r"(?:PS )?[A-Za-z]:\\[^<>|]*>|! REG\.EXE VERSION", re.IGNORECASE)
_SUMMARY: Final = re.compile(r"[^\s\\][^:：\\]{2,60}[:：]\D{0,30}\d[^\\]{0,60}")  # what ends a search: "... : 3 ..."
_TYPES: Final = {
    "REG_NONE": Kind.NONE,
    "REG_SZ": Kind.SZ,
    "REG_EXPAND_SZ": Kind.EXPAND_SZ,
    "REG_BINARY": Kind.BINARY,
    "REG_DWORD": Kind.DWORD,
    "REG_DWORD_LITTLE_ENDIAN": Kind.DWORD,
    "REG_DWORD_BIG_ENDIAN": Kind.DWORD_BIG_ENDIAN,
    "REG_LINK": Kind.LINK,
    "REG_MULTI_SZ": Kind.MULTI_SZ,
    "REG_QWORD": Kind.QWORD,
    "REG_QWORD_LITTLE_ENDIAN": Kind.QWORD,
}
_OTHER_TYPES: Final = {
    "REG_RESOURCE_LIST": 8,
    "REG_FULL_RESOURCE_DESCRIPTOR": 9,
    "REG_RESOURCE_REQUIREMENTS_LIST": 10,
}
_TEXTS: Final = (Kind.SZ, Kind.EXPAND_SZ, Kind.LINK, Kind.MULTI_SZ)
_NUMBERS: Final = {Kind.DWORD: 32, Kind.DWORD_BIG_ENDIAN: 32, Kind.QWORD: 64}
_DIGITS: Final = re.compile(r"[0-9A-Fa-f]*+")
_WIDTHS: Final = (80, 100, 120)  # columns of a console window
_NO_NAME: Final = "<no name>"  # the default value in Windows XP


def read(data: bytes, source: str) -> tuple[Key, tuple[Finding, ...]]:
    """Read the output of reg query into a registry tree.

    Parameters
    ----------
    data : bytes
        UTF-8, UTF-16 or a code page of a console; several queries may follow each other, with the commands between them.
    source : str
        The file as the user named it, for findings.

    Returns
    -------
    root : Key
        Of the tree; HKLM and the other short names of roots are spelled out.
    findings : tuple of Finding
        PA111 a value that ends in the middle, PA112 data that do not fit their type, PA113 text that is not valid in its
        encoding, PA117 lines that are none of reg query, PA118 a code page that was guessed, PA119 lines cut by the width of a
        window.
    """
    log = FindingLog(source)
    text = decode_console(data)
    if text.bad is not None:
        message = f"byte {text.bad} is not valid {text.encoding.upper()}; such characters are replaced by U+FFFD"
        log.add("PA113", message, line=data.count(b"\n", 0, text.bad) + 1)
    if text.is_guess:
        log.add("PA118", f"the text is not Unicode; it is read as code page {text.encoding.removeprefix('cp')}, which is a guess")
    reader = _Reader(log)
    # Not splitlines: names and data may hold what Unicode calls a line separator.
    lines = text.text.replace("\r\n", "\n").removesuffix("\n").split("\n")
    for number, line in enumerate(lines, 1):
        reader.line(number, line.removesuffix("\r"))
    reader.finish()
    return reader.root, log.findings()


class _Reader:
    """Takes one line after the other; a value is stored when the next line shows that it has ended."""

    def __init__(self, log: FindingLog) -> None:
        self.root = Key()
        self._log = log
        self._key: Key | None = None
        self._path = ""
        self._value: tuple[str, str, int] | None = None  # name, type and line of the value that may go on
        self._parts: list[str] = []  # its data, by line
        self._blank = 0  # blank lines since
        self._values = 0  # of this key
        self._width = 0  # of the line before

    def line(self, number: int, line: str) -> None:
        """Take a line."""
        if not line.strip():
            self._blank += 1
            return
        key = _KEY.fullmatch(line) if line[0] in "Hh" else None
        value = _TYPE.search(line) if self._key is not None else None
        if key is not None:
            self._enter(key, number)
        elif value is not None:
            self._begin(line, value, number)
            if not line.startswith(("    ", "\t")):
                self._add("PA117", "the line is not set in by four blanks; it is read as a value", number)
        elif _PROMPT.match(line):
            self._leave()
        elif self._blank and _SUMMARY.fullmatch(line):
            self.finish()
        elif self._value is not None:
            self._go_on(line, number)
        elif self._is_wrapped():
            self._add("PA119", "the line before is as wide as a window and goes on here; the names in it are cut", number)
        else:
            self._add("PA117", "the line is neither a key nor a value; it is skipped", number)
        self._blank = 0
        self._width = len(line)

    def finish(self) -> None:
        """Store the value that may go on."""
        if self._value is None:
            return
        name, kind, number = self._value
        self._value = None
        if self._key is None or self._key.parent is None:
            return  # another program's
        code = _TYPES.get(kind)
        if code is None and kind not in _OTHER_TYPES:
            self._add("PA112", f"{_called(name)} has the unknown type {kind}; it is skipped", number)
            return
        data = self._data(name, code, number)
        if data is not None:
            self._key.put(Value(name, _OTHER_TYPES[kind] if code is None else code, data, number))

    # Lines

    def _enter(self, match: re.Match[str], number: int) -> None:
        self._leave()
        below = f"\\{match[2]}" if match[2] else ""
        path = _ROOTS.get(match[1].lower(), match[1]) + below
        try:
            self._key = self.root.enter(path, number) if relevant(path) else Key()
        except ValueError as error:
            self._add("PA117", f"{error}; its values are skipped", number)
            return
        self._path = path

    def _leave(self) -> None:
        self.finish()
        self._key, self._path, self._values = None, "", 0

    def _begin(self, line: str, match: re.Match[str], number: int) -> None:
        self.finish()
        name = line[: match.start()].removeprefix("    ").removeprefix("\t")
        # In whatever language, the default value comes first and has its name in brackets.
        if name.lower() == _NO_NAME or (not self._values and re.fullmatch(r"[(（].*[)）]", name)):
            name = ""
        self._values += 1
        self._value = (name, match[1].upper(), number)
        rest = line[match.end() :]
        self._parts = [rest[4:] if rest.startswith("    ") else rest.removeprefix("\t")]

    def _go_on(self, line: str, number: int) -> None:
        """Add a line to the data of the value before, or say that it does not belong there."""
        assert self._value is not None
        name, kind, _ = self._value
        if not self._blank and self._is_wrapped():
            self._add(
                "PA119", f"the line before is as wide as a window; what follows is taken for more of {_called(name)}", number
            )
            self._parts[-1] += line
            return
        if _TYPES.get(kind) in _TEXTS:
            self._parts += [""] * self._blank + [line]
            return
        self._add("PA117", f"the line is neither a key nor a value, and {_called(name)} does not go on; it is skipped", number)

    def _is_wrapped(self) -> bool:
        return self._width in _WIDTHS

    # Data

    def _data(self, name: str, kind: int | None, number: int) -> Data | None:
        text = "\n".join(self._parts)
        if kind in _NUMBERS:
            match = re.fullmatch(r"0x([0-9a-f]{1,16})", text.strip(), re.IGNORECASE)
            if match is None or int(match[1], 16) >> _NUMBERS[Kind(kind)]:
                self._add("PA112", f"{_called(name)} is not a number of its type; the value is skipped", number)
                return None
            return int(match[1], 16)
        if kind == Kind.MULTI_SZ:
            return tuple(string for string in text.split("\\0") if string)
        if kind in _TEXTS:
            return text
        digits = text.strip()
        if _DIGITS.fullmatch(digits) is None:
            self._add("PA112", f"{_called(name)} is not a row of hexadecimal digits; the value is skipped", number)
            return None
        if len(digits) % 2:
            self._add("PA111", f"{_called(name)} ends in the middle of a byte; what is whole is kept", number)
        return unhexlify(digits[: len(digits) & ~1])

    def _add(self, code: str, message: str, number: int) -> None:
        self._log.add(code, message, locator=self._path, line=number)


def _called(name: str) -> str:
    return quoted(name) if name else "the default value"
