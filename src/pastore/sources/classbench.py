"""ClassBench filter sets, straight to SpecificFilters columns.

One rule a line, first match wins::

    @176.19.181.33/32<TAB>90.145.23.162/32<TAB>0 : 65535<TAB>1550 : 1550<TAB>0x06/0xFF<TAB>0x0000/0x0200

that is source and destination prefix, source and destination port range, protocol and its mask; what follows the protocol (TCP
flags) is ignored. Fields are separated by blanks or tabs, and blanks may surround the colons.

The file is never taken apart into Python objects. A line is a sequence of *tokens*, the maximal runs of hexadecimal digits and
``x``, and of gaps between them. Chunk by chunk, NumPy finds the ends of all tokens, lays the first sixteen of every line side by
side, compares each gap with what must stand there, and adds up the digits column by column. Only lines that fail are looked
at one by one, to say what is wrong with them.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address
from typing import Any, Final, overload

import numpy as np
import numpy.typing as npt

from pastore.filters.specific import ALL, BOTH, ROW, SpecificFilters
from pastore.model import Action
from pastore.sources.loaded import Loaded
from pastore.sources.log import FindingLog

CHUNK: Final = 1 << 20  # bytes looked at together: bounds the memory, and a line may not be longer
_TOKENS: Final = 16  # a.b.c.d/len, twice; lo : hi, twice; protocol / mask

_BLANK, _TOKEN, _HARD, _COLON = 0, 1, 2, 3
_CLASS: Final = np.full(256, _HARD, np.uint8)
_CLASS[list(b" \t\r\n")] = _BLANK
_CLASS[list(b"0123456789abcdefABCDEFxX")] = _TOKEN
_CLASS[ord(":")] = _COLON
# Summed over a gap, these tell "blanks only" (0) and "one colon among blanks" (1) from everything else.
_WEIGHT: Final = np.array([0, 0, 64, 1], np.uint8)[_CLASS]

_DIGIT: Final = np.full(256, 255, np.uint8)
_DIGIT[list(b"0123456789")] = range(10)
_HEX: Final = _DIGIT.copy()
_HEX[list(b"abcdef")] = range(10, 16)
_HEX[list(b"ABCDEF")] = range(10, 16)

# What follows token 0 to 14: the byte itself, "b" for blanks only, "c" for a colon among blanks.
_GAPS: Final = "..." + "/" + "b" + "..." + "/" + "b" + "c" + "b" + "c" + "b" + "/"
_EXACT_GAPS: Final = np.array([i for i, gap in enumerate(_GAPS) if gap in "./"])
_EXACT_BYTES: Final = np.array([ord(gap) for gap in _GAPS if gap in "./"], np.uint8)
_WIDE_GAPS: Final = np.array([i for i, gap in enumerate(_GAPS) if gap in "bc"])
_WIDE_WEIGHTS: Final = np.array([int(gap == "c") for gap in _GAPS if gap in "bc"], np.int32)

_OCTETS: Final = np.array([0, 1, 2, 3, 5, 6, 7, 8])
_LENGTHS: Final = np.array([4, 9])
_PORTS: Final = np.array([10, 11, 12, 13])
_RANGE_MASKS: Final = frozenset((0xFF << shift) & 0xFF for shift in range(9))
_IS_RANGE_MASK: Final = np.isin(np.arange(256), list(_RANGE_MASKS))

_NAMES: Final = {1: "icmp", 6: "tcp", 17: "udp"}

Array = npt.NDArray[Any]


@dataclass(frozen=True, slots=True)
class ClassBenchRule:
    """What a row came from; see `pastore.filters.specific.FilterSource`."""

    rule: str
    text: str
    place: str
    tunnel: None = None


class ClassBenchRules(Sequence[ClassBenchRule]):
    """The rules of a ClassBench list, made when asked for.

    Parameters
    ----------
    rows : numpy.ndarray, shape (n,), dtype `pastore.filters.specific.ROW`
    lines : numpy.ndarray, shape (n,), int32
        One-based line of each rule.
    source : str
        The file as the user named it.
    """

    __slots__ = ("_lines", "_rows", "_source")

    def __init__(self, rows: npt.NDArray[np.void], lines: npt.NDArray[np.int32], source: str) -> None:
        self._rows = rows
        self._lines = lines
        self._source = source

    def __len__(self) -> int:
        return len(self._lines)

    @overload
    def __getitem__(self, index: int) -> ClassBenchRule: ...

    @overload
    def __getitem__(self, index: slice) -> Sequence[ClassBenchRule]: ...

    def __getitem__(self, index: int | slice) -> ClassBenchRule | Sequence[ClassBenchRule]:
        """Return a rule, or a list of them for a slice."""
        if isinstance(index, slice):
            return [self[i] for i in range(*index.indices(len(self)))]
        at = range(len(self))[index]
        return ClassBenchRule(str(at), _text(self._rows[at]), f"{self._source}:{self._lines[at]}")


def read(data: bytes, source: str) -> Loaded:
    """Read a ClassBench filter set.

    Parameters
    ----------
    data : bytes
    source : str
        The file as the user named it, for findings and places.

    Returns
    -------
    Loaded
        `policy` is a `SpecificFilters`, a row for each line that was understood: action block, both directions, all
        interfaces, host bits below the prefix cleared. None when no line was.
    """
    log = FindingLog(source)
    parts: list[Array] = []
    part_lines: list[npt.NDArray[np.int32]] = []
    line = 1  # of the first byte of the chunk
    at = 3 if data.startswith(b"\xef\xbb\xbf") else 0
    while at < len(data):
        end = len(data) if len(data) - at <= CHUNK else data.rfind(b"\n", at, at + CHUNK) + 1
        if end == 0:
            end = data.find(b"\n", at + CHUNK) + 1 or len(data)
            _ill(log, line, f"the line is longer than {CHUNK} bytes")
            line += 1
        else:
            rows, lines, count = _chunk(data[at:end], line, log)
            parts.append(rows)
            part_lines.append(lines)
            line += count
        at = end
    rows = np.concatenate(parts) if parts else np.zeros(0, ROW)
    if not len(rows):
        log.add("PA103", "the file holds no ClassBench rule")
        return Loaded(None, log.findings())
    rows["rank"] = rows["filter"] = np.arange(len(rows), dtype=np.int32)
    lines = np.concatenate(part_lines)
    return Loaded(SpecificFilters(rows, ClassBenchRules(rows, lines, source)), log.findings())


def _ill(log: FindingLog, line: int, why: str) -> None:
    log.add("PA140", f"{why}; the line is skipped, and the rules after it are numbered as if it were not there", line=line)


def _chunk(data: bytes, first_line: int, log: FindingLog) -> tuple[Array, npt.NDArray[np.int32], int]:
    """Read whole lines; return their rows, the line number of each, and how many line ends there were."""
    text = np.frombuffer(data if data.endswith(b"\n") else data + b"\n", np.uint8)
    line_ends = np.flatnonzero(text == ord("\n")).astype(np.int32)
    line_starts = np.concatenate((np.zeros(1, np.int32), line_ends[:-1] + 1))

    is_token = _CLASS[text] == _TOKEN
    edges = np.flatnonzero(is_token[1:] != is_token[:-1]).astype(np.int32) + 1
    if is_token[0]:
        edges = np.concatenate((np.zeros(1, np.int32), edges))
    starts, ends = edges[::2], edges[1::2]  # the last byte is a line end, so every token ends
    weights = np.zeros(len(text) + 1, np.int32)  # of all bytes before a position
    np.cumsum(_WEIGHT[text], out=weights[1:])

    first_token = np.searchsorted(starts, line_starts)
    tokens = np.diff(first_token, append=len(starts))
    written = (tokens > 0) | (weights[line_ends] != weights[line_starts])
    enough = np.flatnonzero(tokens >= _TOKENS)
    columns = first_token[enough][:, None] + np.arange(_TOKENS)
    rows, good = _rows(text, weights, starts[columns], ends[columns], line_starts[enough])
    understood = enough[good]

    ill = written
    ill[understood] = False
    numbers = np.flatnonzero(ill)
    listed = min(len(numbers), log.room("PA140"))
    for number in numbers[:listed]:
        _ill(log, first_line + int(number), _what_is_wrong(text[line_starts[number] : line_ends[number]].tobytes()))
    log.count("PA140", len(numbers) - listed)
    return rows[good], (understood + first_line).astype(np.int32), len(line_ends)


def _rows(text: Array, weights: Array, starts: Array, ends: Array, line_starts: Array) -> tuple[Array, Array]:
    """Return a row for each line, and which of them are right.

    Parameters
    ----------
    text : numpy.ndarray, uint8
    weights : numpy.ndarray, shape (len(text) + 1,), int32
    starts, ends : numpy.ndarray, shape (n, 16), int32
        Where the first sixteen tokens of each line start and end.
    line_starts : numpy.ndarray, shape (n,), int32
    """
    good = (text[starts[:, 0] - 1] == ord("@")) & (starts[:, 0] > line_starts)
    good &= weights[starts[:, 0]] - weights[line_starts] == 64
    good &= _every((starts[:, _EXACT_GAPS + 1] - ends[:, _EXACT_GAPS] == 1) & (text[ends[:, _EXACT_GAPS]] == _EXACT_BYTES))
    good &= _every(weights[starts[:, _WIDE_GAPS + 1]] - weights[ends[:, _WIDE_GAPS]] == _WIDE_WEIGHTS)
    good &= _CLASS[text[ends[:, -1]]] == _BLANK

    octets, fits = _numbers(text, starts[:, _OCTETS], ends[:, _OCTETS], 3)
    good &= fits & _every(octets <= 255)
    lengths, fits = _numbers(text, starts[:, _LENGTHS], ends[:, _LENGTHS], 2)
    good &= fits & _every(lengths <= 32)
    ports, fits = _numbers(text, starts[:, _PORTS], ends[:, _PORTS], 5)
    good &= fits & _every(ports <= 65535) & (ports[:, 0] <= ports[:, 1]) & (ports[:, 2] <= ports[:, 3])
    protocol, mask, fits = _protocols(text, starts[:, 14:], ends[:, 14:])
    good &= fits & _IS_RANGE_MASK[mask]

    octets = (octets & 255).astype(np.uint64)  # above 255 only where the line is ill
    addresses = octets[:, ::4] << 24 | octets[:, 1::4] << 16 | octets[:, 2::4] << 8 | octets[:, 3::4]
    hosts = np.uint64(0xFFFFFFFF) >> np.minimum(lengths, 32).astype(np.uint64)
    low, high = addresses & ~hosts, addresses | hosts
    rows = np.zeros(len(starts), ROW)
    rows["src_lo"][:, 1], rows["src_hi"][:, 1] = low[:, 0], high[:, 0]
    rows["dst_lo"][:, 1], rows["dst_hi"][:, 1] = low[:, 1], high[:, 1]
    for column, name in enumerate(("sport_lo", "sport_hi", "dport_lo", "dport_hi")):
        rows[name] = ports[:, column].astype(np.uint16)
    rows["protocol_lo"], rows["protocol_hi"] = protocol & mask, protocol | ~mask
    rows["family"] = 4
    rows["direction"], rows["interface"], rows["action"] = BOTH, ALL, int(Action.BLOCK)
    return rows, good


def _numbers(text: Array, starts: Array, ends: Array, width: int) -> tuple[Array, Array]:
    """Return decimal values, shape (n, k), and which of the n lines have digits only, at most `width` in each."""
    values: Array = np.zeros(starts.shape, np.int32)
    fits = _every(ends - starts <= width)
    for place in range(width):
        at = ends - 1 - place
        digits = _DIGIT[text[np.maximum(at, 0)]]
        there = at >= starts
        fits &= _every((digits <= 9) | ~there)
        values += np.where(there, digits.astype(np.int32) * 10**place, 0)
    return values, fits


def _every(table: Array) -> Array:
    """Reduce shape (n, k) to (n,): whether all of a line is true."""
    return np.asarray(table.all(axis=1))


def _protocols(text: Array, starts: Array, ends: Array) -> tuple[Array, Array, Array]:
    """Return protocol, mask, both uint8 of shape (n,), and which lines have both as ``0xHH``."""
    digits = _HEX[text[ends - 2]], _HEX[text[ends - 1]]
    fits = _every((ends - starts == 4) & (text[starts] == ord("0")) & (text[ends - 3] | 0x20 == ord("x")))
    fits &= _every((digits[0] < 16) & (digits[1] < 16))
    values = digits[0] << 4 | digits[1] & 15
    return values[:, 0], values[:, 1], fits


_PREFIX = rb"(\d{1,3})\.(\d{1,3})\.(\d{1,3})\.(\d{1,3})/(\d{1,2})"
_PORT_RANGE = rb"(\d{1,5})[ \t\r]*:[ \t\r]*(\d{1,5})"
_FIELDS: Final = (
    ("@ at the start", re.compile(rb"[ \t\r]*@")),
    ("source prefix a.b.c.d/len", re.compile(_PREFIX + rb"[ \t\r]+")),
    ("destination prefix a.b.c.d/len", re.compile(_PREFIX + rb"[ \t\r]+")),
    ("source port range lo : hi", re.compile(_PORT_RANGE + rb"[ \t\r]+")),
    ("destination port range lo : hi", re.compile(_PORT_RANGE + rb"[ \t\r]+")),
    ("protocol and mask 0xPP/0xMM", re.compile(rb"0[xX]([0-9a-fA-F]{2})/0[xX]([0-9a-fA-F]{2})(?=[ \t\r]|$)")),
)


def _what_is_wrong(line: bytes) -> str:
    """Say what keeps a line from being a rule."""
    at = 0
    for what, pattern in _FIELDS:
        match = pattern.match(line, at)
        if match is None:
            return f"no {what} where it is expected (column {at + 1})"
        at = match.end()
        numbers = match.groups()
        if "prefix" in what:
            values = [int(number) for number in numbers]
            if max(values[:4]) > 255:
                return f"{what}: an octet is above 255"
            if values[4] > 32:
                return f"{what}: the length is above 32"
        elif "port" in what:
            low, high = int(numbers[0]), int(numbers[1])
            if max(low, high) > 65535:
                return f"{what}: a port is above 65535"
            if low > high:
                return f"{what}: the range runs backwards"
        elif "mask" in what and int(numbers[1], 16) not in _RANGE_MASKS:
            return f"protocol mask 0x{int(numbers[1], 16):02X} does not describe a range of protocols"
    return "not a rule"


def _text(row: Any) -> str:
    low, high = int(row["protocol_lo"]), int(row["protocol_hi"])
    several = "any" if (low, high) == (0, 255) else f"{low}-{high}"
    protocol = _NAMES.get(low, str(low)) if low == high else several
    return f"{protocol} {_end(row, 'src', 'sport')} > {_end(row, 'dst', 'dport')}"


def _end(row: Any, address: str, port: str) -> str:
    low, high = int(row[f"{address}_lo"][1]), int(row[f"{address}_hi"][1])
    length = 32 - (low ^ high).bit_length()
    text = "any" if length == 0 else str(IPv4Address(low)) if length == 32 else f"{IPv4Address(low)}/{length}"
    first, last = int(row[f"{port}_lo"]), int(row[f"{port}_hi"])
    if (first, last) == (0, 65535):
        return text
    return f"{text}:{first}" if first == last else f"{text}:{first}-{last}"
