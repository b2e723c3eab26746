"""Compiled tables as bytes: taking them apart, putting them together again, and signing them.

Written from docs/table-format.md, so that a mistake in the core is not repeated here.
"""

import json
import struct
from pathlib import Path
from typing import Any, Final

from pastore.matcher import Matcher

LABEL: Final = b"\x89PST\r\n\x1a\n"
HEADER: Final = struct.Struct("<8sIIQQII")
SECTION: Final = struct.Struct("<IIQQ")
HEADER_BYTES: Final = 448
CHECKSUM: Final = slice(24, 32)

_MASK: Final = (1 << 64) - 1
_PRIMES: Final = (0x9E3779B185EBCA87, 0xC2B2AE3D27D4EB4F, 0x165667B19E3779F9, 0x85EBCA77C2B2AE63, 0x27D4EB2F165667C5)


def xxh64(data: bytes) -> int:
    """Return the XXH64 of bytes, seed 0."""
    p1, p2, p3, p4, p5 = _PRIMES

    def rotate(value: int, bits: int) -> int:
        value &= _MASK
        return (value << bits | value >> (64 - bits)) & _MASK

    def mix(lane: int, word: int) -> int:
        return rotate(lane + word * p2, 31) * p1 & _MASK

    stripes = len(data) // 32
    if stripes:
        lanes = [p1 + p2, p2, 0, -p1]
        for words in struct.iter_unpack("<4Q", data[: 32 * stripes]):
            lanes = [mix(lane, word) for lane, word in zip(lanes, words, strict=True)]
        value = sum(rotate(lane, bits) for lane, bits in zip(lanes, (1, 7, 12, 18), strict=True))
        for lane in lanes:
            value = (value ^ mix(0, lane)) * p1 + p4 & _MASK
    else:
        value = p5
    value += len(data)
    rest = data[32 * stripes :]
    while len(rest) >= 8:
        value = rotate(value ^ mix(0, int.from_bytes(rest[:8], "little")), 27) * p1 + p4
        rest = rest[8:]
    if len(rest) >= 4:
        value = rotate(value ^ int.from_bytes(rest[:4], "little") * p1, 23) * p2 + p3
        rest = rest[4:]
    for byte in rest:
        value = rotate(value ^ byte * p5, 11) * p1
    value &= _MASK
    value = (value ^ value >> 33) * p2 & _MASK
    value = (value ^ value >> 29) * p3 & _MASK
    return value ^ value >> 32


def signed(data: bytes) -> bytes:
    """Return a table with the checksum that belongs to its bytes."""
    blank = data[:24] + bytes(8) + data[32:]
    return data[:24] + struct.pack("<Q", xxh64(blank)) + data[32:]


def taken_apart(data: bytes) -> list[tuple[int, bytes]]:
    """Return the sections of a whole table."""
    count = HEADER.unpack_from(data)[5]
    found = [SECTION.unpack_from(data, HEADER.size + number * SECTION.size) for number in range(count)]
    return [(kind, data[offset : offset + length]) for kind, _, offset, length in found]


def put_together(sections: list[tuple[int, bytes]], *, version: int = 3) -> bytes:
    """Return a table of sections, signed."""
    body, entries = b"", b""
    for kind, content in sections:
        body += bytes(-len(body) % 64)
        entries += SECTION.pack(kind, 0, HEADER_BYTES + len(body), len(content))
        body += content
    header = HEADER.pack(LABEL, 0x01020304, version, HEADER_BYTES + len(body), 0, len(sections), 0) + entries
    return signed(header.ljust(HEADER_BYTES, b"\0") + body)


def with_section(data: bytes, kind: int, content: bytes | None) -> bytes:
    """Return a table with other content in a section, or without the section."""
    others = [(each, content if each == kind else old) for each, old in taken_apart(data)]
    return put_together([(each, new) for each, new in others if new is not None])


def records(*texts: bytes) -> bytes:
    """Return a section that is a list of records."""
    ends = [sum(map(len, texts[: at + 1])) for at in range(len(texts))]
    return struct.pack(f"<{1 + len(ends)}Q", len(texts), *ends) + b"".join(texts)


def record(value: Any) -> bytes:
    """Return one record."""
    return json.dumps(value).encode()


def saved(matcher: Matcher, folder: Path) -> bytes:
    """Return the bytes of a table."""
    path = folder / "saved.pastore"
    matcher.save(path)
    return path.read_bytes()
