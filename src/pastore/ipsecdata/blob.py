"""What all ipsecData blobs share: header, strings, a bounds-checked reader and a range-checked writer.

Integers are little-endian, strings UTF-16LE with their terminating zero counted in the byte length, GUIDs mixed-endian as in
[MS-DTYP] 2.3.4.2. A blob is read by its counts: DataLength follows three conventions in real data and is only a cross-check.
"""

import struct
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, TypeVar
from uuid import UUID

from pastore.findings import Finding, Severity
from pastore.model import Origin

HEADER_SIZE: Final = 20
PAD: Final = b"\0"
COMPUTED: Final = -1
"""Stands for "as Windows 10 writes it" where a blob is built by hand: DataLength and counts."""

POLICY: Final = UUID("22202163-4f4c-11d1-863b-00a0248d3021")
ISAKMP: Final = UUID("80dc20b8-2ec8-11d1-a89e-00a0248d3021")
NFA: Final = UUID("11bbac00-498d-11d1-8639-00a0248d3021")
NEGOTIATION: Final = UUID("80dc20b9-2ec8-11d1-a89e-00a0248d3021")
FILTERS_V1: Final = UUID("80dc20b5-2ec8-11d1-a89e-00a0248d3021")
FILTERS_V2: Final = UUID("35fecd3d-ae29-4373-8a6a-c5d8fab2fb08")
VERSION_INFORMATION: Final = UUID("6a1f5c6f-72b7-11d2-acf0-0060b0ecca17")

_KNOWN: Final = {
    POLICY: "a policy",
    ISAKMP: "key exchange settings",
    NFA: "a rule",
    NEGOTIATION: "a filter action",
    FILTERS_V1: "a filter list",
    FILTERS_V2: "a filter list",
    VERSION_INFORMATION: "version information",
}

_U16: Final = struct.Struct("<H")
_U32: Final = struct.Struct("<I")

B = TypeVar("B")


@dataclass(frozen=True, slots=True)
class Text:
    """A string as stored: its bytes, terminating zero included.

    Parameters
    ----------
    raw : bytes
        UTF-16LE as found, well-formed or not.
    """

    raw: bytes = b"\0\0"

    @classmethod
    def of(cls, text: str) -> "Text":
        """Return the stored form of `text`.

        Raises
        ------
        ValueError
            If it holds a zero character or a lone surrogate.
        """
        if "\0" in text:
            raise ValueError("a stored string cannot hold a zero character")
        try:
            return cls(text.encode("utf-16-le") + b"\0\0") if text else EMPTY
        except UnicodeEncodeError:
            raise ValueError("a stored string cannot hold a lone surrogate") from None

    @property
    def text(self) -> str:
        """The string up to its terminating zero; what is not UTF-16 becomes U+FFFD."""
        if self.raw == b"\0\0":
            return ""
        return self.raw.decode("utf-16-le", "replace").partition("\0")[0]

    def problem(self, *, terminated: bool = True) -> str | None:
        """Return what is wrong with it, as the end of a sentence; None if nothing is. No bytes at all are an empty string."""
        raw = self.raw
        if not raw or raw == b"\0\0":
            return None
        if len(raw) % 2:
            return "has an odd number of bytes"
        try:
            text = raw.decode("utf-16-le")
        except UnicodeDecodeError:
            return "is not valid UTF-16"
        head, zero, rest = text.partition("\0")
        if rest:
            return "goes on after its terminating zero"
        return "lacks its terminating zero" if terminated and head and not zero else None

    def __repr__(self) -> str:
        return f"Text({self.text!r})"


EMPTY: Final = Text()


class DamageError(Exception):
    """Reading cannot go on; never leaves this package.

    Parameters
    ----------
    finding : Finding
    """

    def __init__(self, finding: Finding) -> None:
        super().__init__(finding.message)
        self.finding = finding


class Reader:
    """A cursor over the bytes of a blob that cannot leave them.

    Parameters
    ----------
    data : bytes
    origin : Origin
        Place of the value; findings add the byte offset to its locator.
    """

    __slots__ = ("at", "data", "findings", "origin")

    def __init__(self, data: bytes, origin: Origin) -> None:
        self.data = data
        self.origin = origin
        self.at = 0
        self.findings: list[Finding] = []

    @property
    def left(self) -> int:
        """Bytes not read yet."""
        return len(self.data) - self.at

    def finding(self, code: str, message: str, at: int | None = None, severity: Severity | None = None) -> Finding:
        """Return a finding whose place is byte `at`, the cursor when left out."""
        place = offset(self.origin, self.at if at is None else at)
        return Finding(code, message, place) if severity is None else Finding(code, message, place, severity=severity)

    def report(self, code: str, message: str, at: int | None = None, severity: Severity | None = None) -> None:
        """Add a finding and go on."""
        self.findings.append(self.finding(code, message, at, severity))

    def take(self, size: int, what: str) -> bytes:
        """Return the next `size` bytes.

        Raises
        ------
        DamageError
            If there are fewer.
        """
        if size > self.left:
            raise DamageError(self.finding("PA120", f"{what} needs {size} bytes, and {self.left} are left"))
        self.at += size
        return self.data[self.at - size : self.at]

    def u32(self, what: str) -> int:
        """Return an unsigned 32-bit integer."""
        return int(_U32.unpack(self.take(4, what))[0])

    def guid(self, what: str) -> UUID:
        """Return a GUID."""
        return UUID(bytes_le=self.take(16, what))

    def unpack(self, form: struct.Struct, what: str) -> tuple[int | bytes, ...]:
        """Return the fields of a fixed-size structure."""
        return form.unpack(self.take(form.size, what))

    def text(self, what: str) -> Text:
        """Return a string stored behind its byte length; one that is not well-formed is reported."""
        start = self.at
        text = Text(self.take(self.u32(f"the length of {what}"), what))
        self.check_text(text, what, start)
        return text if text.raw != b"\0\0" else EMPTY

    def check_text(self, text: Text, what: str, at: int, *, terminated: bool = True) -> None:
        """Report a string that is not well-formed."""
        problem = text.problem(terminated=terminated)
        if problem is not None:
            self.report("PA125", f"{what} {problem}", at)

    def header(self, expected: UUID, what: str) -> int:
        """Read GUID and DataLength and return the latter.

        Raises
        ------
        DamageError
            If the data are shorter than a header or of another type.
        """
        start = self.at
        found = self.guid("the type of the data")
        if found != expected:
            kind = _KNOWN.get(found, f"unknown, {{{found}}}")
            raise DamageError(self.finding("PA124", f"the data should be {what}; their type is {kind}", start))
        return self.u32("the length of the data")

    def count(self, stored: int, size: int, what: str, at: int) -> int:
        """Return how many of `stored` items of at least `size` bytes the remaining bytes can hold; report it if not all."""
        room = self.left // size
        if stored <= room:
            return stored
        self.report("PA121", f"the data announce {stored} {what} and have room for {room} at most", at)
        return room

    def flag(self, value: int, what: str, at: int) -> None:
        """Report a flag that is neither 0 nor 1."""
        if value > 1:
            self.report("PA126", f"{what} is {value}; the specification knows 0 and 1", at)

    def length(self, stored: int, *right: int, at: int = 16) -> None:
        """Report a DataLength that follows none of the known conventions."""
        if stored not in right:
            self.report("PA122", f"the stored length is {stored}; the content has {' or '.join(map(str, right))} bytes", at)

    def rest(self, *, damaged: bool = False) -> bytes:
        """Return what is left, normally one zero byte or nothing; more is reported unless damage before it was."""
        tail = self.take(self.left, "the end")
        if not damaged and tail not in (b"", PAD):
            self.report("PA123", f"{len(tail)} bytes follow the end of the object", self.at - len(tail))
        return tail


class Writer:
    """Collects the bytes of a blob and refuses values that do not fit their field."""

    __slots__ = ("_parts",)

    def __init__(self) -> None:
        self._parts: list[bytes] = []

    def u32(self, value: int, what: str) -> None:
        """Add an unsigned 32-bit integer.

        Raises
        ------
        ValueError
            If it does not fit.
        """
        self._parts.append(_U32.pack(fits(value, 32, what)))

    def u16(self, value: int, what: str) -> None:
        """Add an unsigned 16-bit integer."""
        self._parts.append(_U16.pack(fits(value, 16, what)))

    def u8(self, value: int, what: str) -> None:
        """Add a byte."""
        self._parts.append(bytes((fits(value, 8, what),)))

    def guid(self, value: UUID) -> None:
        """Add a GUID."""
        self._parts.append(value.bytes_le)

    def raw(self, value: bytes, size: int | None = None, what: str = "a reserved field") -> None:
        """Add bytes as they are.

        Raises
        ------
        ValueError
            If there are not `size` of them.
        """
        if size is not None and len(value) != size:
            raise ValueError(f"{what} has {size} bytes, not {len(value)}")
        self._parts.append(value)

    def text(self, value: Text) -> None:
        """Add a string behind its byte length."""
        self.u32(len(value.raw), "the length of a string")
        self._parts.append(value.raw)

    def header(self, kind: UUID, data_length: int) -> None:
        """Add GUID and DataLength."""
        self.guid(kind)
        self.u32(data_length, "the length of the data")

    def bytes(self) -> bytes:
        """Return everything added."""
        return b"".join(self._parts)


def fits(value: int, bits: int, what: str) -> int:
    """Return `value` if it is an unsigned integer of so many bits.

    Raises
    ------
    ValueError
        If it is not; the message names the field.
    """
    if not 0 <= value < 1 << bits:
        raise ValueError(f"{what} must be 0 to {(1 << bits) - 1}, not {value}")
    return value


def offset(origin: Origin, at: int) -> Origin:
    """Return `origin` with a byte offset behind its locator, like ``...\\ipsecData+0x5a``."""
    return Origin(origin.source, f"{origin.locator}+0x{at:x}", origin.line, origin.column)


def guarded(data: bytes, origin: Origin, read: Callable[[Reader], B]) -> tuple[B | None, tuple[Finding, ...]]:
    """Run `read` over the data; damage that it cannot get past gives None and its finding."""
    reader = Reader(data, origin)
    try:
        blob = read(reader)
    except DamageError as damage:
        return None, (*reader.findings, damage.finding)
    return blob, tuple(reader.findings)
