"""Lists of packets as text: CSV and ClassBench traces."""

import csv
from collections.abc import Callable, Iterator
from functools import lru_cache
from socket import AF_INET, AF_INET6, inet_pton
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

from pastore.packets.columns import UNKNOWN, Columns, Damage, address_bytes, blank, rows
from pastore.packets.content import Octets, text_of
from pastore.packets.names import port_number, protocol_number, shown
from pastore.packets.packet import DIRECTIONS, INTERFACES, address

COLUMNS: Final = ("src", "dst", "protocol", "sport", "dport", "direction", "interface")
REQUIRED: Final = COLUMNS[:3]
REPORTED: Final = 1000  # lines described one by one; a file that is something else altogether has millions

TRACE_COLUMNS: Final = ("src", "dst", "sport", "dport", "protocol")
_TRACE_LIMITS: Final = (0xFFFFFFFF, 0xFFFFFFFF, 0xFFFF, 0xFFFF, 0xFF)
_BLOCK: Final = 8 << 20


class _Ill:
    """Collects ill lines, so many in full and the rest as a number."""

    def __init__(self) -> None:
        self.damage: list[Damage] = []
        self.more = 0

    def add(self, line: int, describe: Callable[[], str]) -> None:
        if len(self.damage) < REPORTED:
            self.damage.append(Damage("PA152", describe(), line))
        else:
            self.more += 1

    def all(self) -> tuple[Damage, ...]:
        if self.more:
            return (*self.damage, Damage("PA152", f"{self.more} more lines cannot be read"))
        return tuple(self.damage)


class _Header(NamedTuple):
    line: int
    delimiter: str
    places: tuple[int, ...]  # of each of COLUMNS, -1 for one that is not there
    width: int


def read_csv(data: Octets, cut: bool = False) -> Columns:
    """Read a packet CSV.

    Parameters
    ----------
    data : bytes
        UTF-8 with or without a byte order mark, or UTF-16 with one. The first line that is not blank names the columns, of
        which src, dst and protocol are required and others than `COLUMNS` are not looked at; the delimiter is the comma,
        semicolon or tab the header uses.
    cut : bool
        Whether the data is known to end early: an unfinished last line is then left out.

    Returns
    -------
    Columns
        With `frame` the line number, and each line that cannot be read as PA152.
    """
    text = text_of(bytes(data)).replace("\r\n", "\n").replace("\r", "\n")
    if cut:
        text = text[: text.rfind("\n") + 1]
    lines = enumerate(text.split("\n"), 1)
    header = _header(lines)
    if isinstance(header, Damage):
        return blank(0, header)
    ill = _Ill()
    packets = []
    for number, line in lines:
        if not line.strip():
            continue
        # One reader a line: none of our values holds a line break, and a stray quote must not swallow the lines after it.
        try:
            fields = _fields(line, header.delimiter)
            packets.append((number, *_row(fields, header)))
        except (ValueError, csv.Error) as error:
            ill.add(number, error.__str__)
    return rows(packets, ill.all())


def _fields(line: str, delimiter: str) -> list[str]:
    return next(csv.reader((line,), delimiter=delimiter, strict=True, skipinitialspace=True))


def _header(lines: Iterator[tuple[int, str]]) -> _Header | Damage:
    for number, line in lines:
        if not line.strip():
            continue
        delimiter = next((mark for mark in ",;\t" if mark in line), ",")
        try:
            names = [field.strip().lower() for field in _fields(line, delimiter)]
        except csv.Error as error:
            return Damage("PA152", f"the header cannot be read: {error}", number, True)
        for name in COLUMNS:
            if names.count(name) > 1:
                return Damage("PA152", f"the header names column {name} more than once", number, True)
        missing = [name for name in REQUIRED if name not in names]
        if missing:
            wanted = ",".join(COLUMNS)
            return Damage(
                "PA152",
                f"the header {shown(line)} lacks {', '.join(missing)}: the columns are {wanted}, the first three required",
                number,
                True,
            )
        return _Header(number, delimiter, tuple(names.index(name) if name in names else -1 for name in COLUMNS), len(names))
    return Damage("PA152", f"there is no header: the columns are {','.join(COLUMNS)}", 1, True)


def _row(fields: list[str], header: _Header) -> tuple[int, int, bytes, bytes, int, int, int, int]:
    if len(fields) > header.width:
        raise ValueError(f"the line has {len(fields)} fields, the header {header.width}")
    cells = [fields[place].strip() if 0 <= place < len(fields) else "" for place in header.places]
    for name, cell in zip(REQUIRED, cells, strict=False):
        if not cell:
            raise ValueError(f"column {name} is empty")
    name = "src"
    try:
        family, src = _address(cells[0])
        name = "dst"
        other_family, dst = _address(cells[1])
        name = "protocol"
        protocol = _protocol(cells[2])
        name = "sport"
        sport = _port(cells[3])
        name = "dport"
        dport = _port(cells[4])
        name = "direction"
        direction = _word(cells[5], DIRECTIONS)
        name = "interface"
        interface = _word(cells[6], INTERFACES)
    except ValueError as error:
        raise ValueError(f"column {name}: {error}") from None
    if family != other_family:
        raise ValueError(f"src is IPv{family} and dst IPv{other_family}: both must be of one family")
    return family, protocol, src, dst, sport, dport, direction, interface


_protocol = lru_cache(maxsize=1 << 10)(protocol_number)


@lru_cache(maxsize=1 << 16)
def _port(text: str) -> int:
    return port_number(text) if text else 0


def _address(text: str) -> tuple[int, bytes]:
    # The system's own conversion is many times faster than `address`, which judges whatever that refuses and the spellings
    # about which the two disagree.
    try:
        if ":" not in text:
            return 4, inet_pton(AF_INET, text) + bytes(12)
        if "." not in text and "%" not in text:
            return 6, inet_pton(AF_INET6, text)
    except (OSError, ValueError):
        pass
    family, value = address(text)
    return family, address_bytes(family, value)


def _word(text: str, accepted: tuple[str, ...]) -> int:
    if not text:
        return UNKNOWN
    if text.lower() not in accepted:
        raise ValueError(f"{shown(text)} is none of {', '.join(accepted)}")
    return accepted.index(text.lower())


def read_trace(data: Octets, cut: bool = False) -> Columns:
    """Read a ClassBench trace: decimal ``src dst sport dport protocol`` a line, further columns not looked at.

    Parameters
    ----------
    data : bytes
        Columns separated by tabs or blanks.
    cut : bool
        Whether the data is known to end early: an unfinished last line is then left out.

    Returns
    -------
    Columns
        IPv4 packets with `frame` the line number, and each line that cannot be read as PA152.
    """
    ill = _Ill()
    blocks: list[tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]] = []
    first = 1
    for block in _blocks(data, cut):
        numbers, values, bad, lines = _trace_block(block)
        blocks.append((numbers + first, values))
        if len(bad):
            text = block.split(b"\n") if len(ill.damage) < REPORTED else []
            for number in bad.tolist():
                ill.add(number + first, lambda line=number, text=text: _trace_reason(text[line]))  # type: ignore[misc]
        first += lines
    if not blocks:
        return blank(0, *ill.all())
    numbers = np.concatenate([numbers for numbers, _ in blocks])
    values = np.concatenate([values for _, values in blocks], axis=1)
    columns = blank(len(numbers), *ill.all())
    columns.frame[:] = numbers
    columns.family[:] = 4
    columns.src[:, :4] = values[0].astype(">u4").view(np.uint8).reshape(-1, 4)
    columns.dst[:, :4] = values[1].astype(">u4").view(np.uint8).reshape(-1, 4)
    columns.sport[:], columns.dport[:], columns.protocol[:] = values[2:]
    return columns


def _blocks(data: Octets, cut: bool) -> Iterator[bytes]:
    """Give the data in pieces of whole lines."""
    start, end = 0, len(data)
    while start < end:
        stop = min(start + _BLOCK, end)
        piece = bytes(data[start:stop])
        while stop < end and not piece.endswith(b"\n"):
            more = bytes(data[stop : stop + 4096])
            newline = more.find(b"\n") + 1
            more = more[:newline] if newline else more
            piece += more
            stop += len(more)
        if cut and stop == end:
            piece = piece[: piece.rfind(b"\n") + 1]
        if piece:
            yield piece
        start = stop


_BLANK: Final = np.isin(np.arange(256), [9, 10, 13, 32])


def _trace_block(block: bytes) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64], npt.NDArray[np.int64], int]:
    """Read whole lines all at once.

    Returns
    -------
    numbers : (n,) int64
        Lines that are packets, from 0.
    values : (5, n) int64
    bad : (m,) int64
        Lines that are neither packets nor blank, from 0.
    lines : int
    """
    octets = np.frombuffer(block, np.uint8)
    blanks = np.ones(len(octets) + 2, bool)
    blanks[1:-1] = _BLANK[octets]
    edges = np.flatnonzero(blanks[1:] != blanks[:-1])
    starts, ends = edges[::2], edges[1::2]
    line_starts = np.concatenate(([0], np.flatnonzero(octets == 10) + 1))
    if line_starts[-1] == len(octets):
        line_starts = line_starts[:-1]
    first = np.searchsorted(starts, line_starts)
    count = np.diff(first, append=len(starts))
    numbers = np.flatnonzero(count >= len(TRACE_COLUMNS))
    values = np.zeros((len(TRACE_COLUMNS), len(numbers)), np.int64)
    wrong = np.zeros(len(numbers), bool)
    for column, limit in enumerate(_TRACE_LIMITS):
        start = starts[first[numbers] + column]
        length = ends[first[numbers] + column] - start
        wrong |= length > 10
        value = values[column]
        for digit in range(min(10, int(length.max(initial=0)))):
            within = digit < length
            figure = octets[np.where(within, start + digit, 0)] - np.uint8(48)  # wraps: what is no digit is above 9
            wrong |= within & (figure > 9)
            np.copyto(value, value * 10 + figure, where=within)
        wrong |= value > limit
    bad = np.concatenate((np.flatnonzero((count > 0) & (count < len(TRACE_COLUMNS))), numbers[wrong]))
    return numbers[~wrong], values[:, ~wrong], np.sort(bad), len(line_starts)


def _trace_reason(line: bytes) -> str:
    words = line.decode("ascii", "replace").split()
    for name, limit, word in zip(TRACE_COLUMNS, _TRACE_LIMITS, words, strict=False):
        if not (word.isascii() and word.isdecimal() and len(word) <= 10 and int(word) <= limit):
            return f"{name} {shown(word)} is not a decimal number 0 to {limit}"
    return f"the line has {len(words)} columns: a trace has {' '.join(TRACE_COLUMNS)}"
