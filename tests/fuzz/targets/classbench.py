"""Any bytes as a ClassBench filter set: exactly the lines that a plain regular expression takes are rules, with the same numbers.

The reader is vectorised; the expression below says the same line by line. Each other line that is not blank is a finding.
"""

import re
from collections.abc import Iterator
from typing import Final

from pastore.filters.specific import SpecificFilters
from pastore.sources import classbench
from pastore.sources.log import LIMIT
from tests.fuzz import checks

LONGEST: Final = 1024
WORDS: Final = (
    b"@10.0.0.1/32\t",
    b"192.168.0.0/16\t",
    b"0 : 65535\t",
    b"80 : 80\t",
    b"0x06/0xFF",
    b"0x00/0x00",
    b"0x10/0xF0",
    b"0x0000/0x0200",
    b"\r\n",
    b"\xef\xbb\xbf",
)
_RULE: Final = re.compile(
    rb"[ \t\r]*@(\d{1,3})\.(\d{1,3})\.(\d{1,3})\.(\d{1,3})/(\d{1,2})[ \t\r]+(\d{1,3})\.(\d{1,3})\.(\d{1,3})\.(\d{1,3})/(\d{1,2})"
    rb"[ \t\r]+(\d{1,5})[ \t\r]*:[ \t\r]*(\d{1,5})[ \t\r]+(\d{1,5})[ \t\r]*:[ \t\r]*(\d{1,5})"
    rb"[ \t\r]+0[xX]([0-9a-fA-F]{2})/0[xX]([0-9a-fA-F]{2})(?![^ \t\r])"
)
_COLUMNS: Final = ("src", "dst", "sport", "dport", "protocol")


def check(data: bytes) -> None:
    """See above."""
    loaded = classbench.read(data, "x")
    checks.bounded(loaded.findings)
    lines = data.removeprefix(b"\xef\xbb\xbf").split(b"\n")
    expected = [(number, row) for number, line in enumerate(lines, 1) if (row := _row(line)) is not None]
    actual: list[tuple[int, tuple[int, ...]]] = []
    if isinstance(loaded.policy, SpecificFilters):
        for source, row in zip(loaded.policy.sources, loaded.policy.rows, strict=True):
            assert source.text
            bounds = [(row[f"{name}_lo"], row[f"{name}_hi"]) for name in _COLUMNS]
            numbers = tuple(int(n[1] if n.shape else n) for pair in bounds for n in pair)
            actual.append((int(source.place.removeprefix("x:")), numbers))
    assert actual == expected
    rules = {number for number, _ in expected}
    ill = [number for number, line in enumerate(lines, 1) if line.strip(b" \t\r") and number not in rules]
    told = [finding.origin.line for finding in loaded.findings if finding.code == "PA140" and finding.origin.line]
    assert told == ill[:LIMIT]


def _row(line: bytes) -> tuple[int, ...] | None:
    """Return what a line says as pairs of bounds, None if it is no rule."""
    match = _RULE.match(line)
    if match is None:
        return None
    n = [int(number) for number in match.groups()[:14]]
    if max(n[0:4] + n[5:9]) > 255 or max(n[4], n[9]) > 32 or max(n[10:14]) > 65535 or n[10] > n[11] or n[12] > n[13]:
        return None
    free = ~int(match[16], 16) & 0xFF
    if free & (free + 1):
        return None  # no range of protocols
    protocol = int(match[15], 16) & ~free
    return (*_prefix(n[0:4], n[4]), *_prefix(n[5:9], n[9]), *n[10:14], protocol, protocol | free)


def _prefix(octets: list[int], length: int) -> tuple[int, int]:
    free = (1 << 32 - length) - 1
    address = int.from_bytes(bytes(octets)) & ~free
    return address, address | free


def seeds() -> Iterator[bytes]:
    """Yield rules of every kind, and lines that are none."""
    yield b"@10.0.0.1/32\t10.2.0.0/16\t0 : 65535\t80 : 80\t0x06/0xFF\t0x0000/0x0200\n"
    yield b"@0.0.0.0/0\t0.0.0.0/0\t0 : 65535\t0 : 65535\t0x00/0x00\n@192.0.2.1/31 192.0.2.9/32 1:2 3:4 0x50/0xF0\r\n"
    yield b"\xef\xbb\xbf  @1.2.3.4/5 6.7.8.9/10 1 : 2 3 : 14 0xfe/0xFE\n\n# none\n@1.2.3.4/33 1.2.3.4/5 1 : 2 3 : 4 0x06/0xF8\n"
    yield b"@1.2.3.4/5 6.7.8.9/10 12 : 11 13 : 14 0x11/0xFF\n@1.2.3.256/5 6.7.8.9/10 1 : 1 13 : 14 0x11/0xAA"
