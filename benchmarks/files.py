"""Rows and packets as files: for the C programs that are measured, and as ClassBench text."""

from pathlib import Path

import numpy as np
import numpy.typing as npt

from pastore.filters.specific import ROW, SpecificFilters
from pastore.matcher.columns import Columns

_COLUMN_ORDER = ("src", "dst", "sport", "dport", "protocol")


def write_rows(path: Path, filters: SpecificFilters) -> None:
    """Write rows as ``bench.h`` reads them: a magic number, how many, and the array as it is in memory."""
    with path.open("wb") as file:
        file.write(b"PSROWS1\n" + np.uint64(len(filters)).tobytes())
        filters.rows.tofile(file)


def write_packets(path: Path, packets: Columns) -> None:
    """Write packets as ``bench.h`` reads them: a magic number, how many, the family, and column after column."""
    with path.open("wb") as file:
        file.write(b"PSPACK1\n" + np.array([len(packets.src), packets.family], np.uint64).tobytes())
        for name in _COLUMN_ORDER:
            np.ascontiguousarray(getattr(packets, name)).tofile(file)


def read_rows(path: Path) -> SpecificFilters:
    """Return what `write_rows` wrote."""
    return SpecificFilters(np.fromfile(path, ROW, offset=16))


def read_packets(path: Path) -> Columns:
    """Return what `write_packets` wrote."""
    content = path.read_bytes()
    n, family = (int(number) for number in np.frombuffer(content, np.uint64, 2, 8))
    at, columns = 24, {}
    for name in _COLUMN_ORDER:
        address = name in ("src", "dst")
        kind = np.dtype(np.uint8 if name == "protocol" or (address and family == 6) else np.uint32 if address else np.uint16)
        count = 16 * n if address and family == 6 else n
        column: npt.NDArray[np.generic] = np.frombuffer(content, kind, count, at)
        at += column.nbytes
        columns[name] = column.reshape(n, 16) if count != n else column
    return Columns(
        family,
        columns["src"],
        columns["dst"],
        columns["protocol"].astype(np.uint8),
        columns["sport"].astype(np.uint16),
        columns["dport"].astype(np.uint16),
        None,
        0,
        None,
        0,
    )


def _dotted(addresses: npt.NDArray[np.uint64]) -> npt.NDArray[np.str_]:
    octets = [(addresses >> np.uint64(shift) & np.uint64(255)).astype(np.str_) for shift in (24, 16, 8, 0)]
    text = octets[0]
    for octet in octets[1:]:
        text = np.strings.add(np.strings.add(text, "."), octet)
    return text


def _prefix_lengths(side: str, lo: npt.NDArray[np.uint64], hi: npt.NDArray[np.uint64]) -> npt.NDArray[np.int64]:
    size = hi - lo + np.uint64(1)
    fits = (size & size - np.uint64(1) == 0) & (lo & size - np.uint64(1) == 0)
    if not fits.all():
        raise ValueError(f"row {int(np.argmin(fits))}: {side} is no prefix, and ClassBench knows nothing else")
    return np.asarray(32 - np.log2(size.astype(float)), np.int64)


def write_classbench_rules(path: Path, filters: SpecificFilters) -> None:
    """Write IPv4 rows as a ClassBench filter set.

    Raises
    ------
    ValueError
        If a row's addresses are not prefixes of IPv4, or its protocols are neither one nor all.
    """
    rows = filters.rows
    if (rows["family"] != 4).any():
        raise ValueError("ClassBench knows IPv4 only")
    columns = []
    for side in ("src", "dst"):
        lo, hi = rows[f"{side}_lo"][:, 1], rows[f"{side}_hi"][:, 1]
        columns.append(np.strings.add(np.strings.add(_dotted(lo), "/"), _prefix_lengths(side, lo, hi).astype(np.str_)))
    columns[0] = np.strings.add("@", columns[0])
    for side in ("sport", "dport"):
        lo, hi = (rows[f"{side}_{end}"].astype(np.str_) for end in ("lo", "hi"))
        columns.append(np.strings.add(np.strings.add(lo, " : "), hi))
    one = rows["protocol_lo"] == rows["protocol_hi"]
    if not (one | (rows["protocol_lo"] == 0) & (rows["protocol_hi"] == 255)).all():
        raise ValueError("a protocol must be one or any")
    numbers = np.array([f"0x{number:02x}/0xFF" for number in range(256)] + ["0x00/0x00"])
    columns.append(numbers[np.where(one, rows["protocol_lo"].astype(np.int64), 256)])
    columns.append(np.full(len(rows), "0x0000/0x0000"))
    _write_lines(path, columns)


def write_classbench_trace(path: Path, packets: Columns) -> None:
    """Write IPv4 packets as a ClassBench trace: source, destination, ports and protocol in decimal.

    Raises
    ------
    ValueError
        If they are of IPv6.
    """
    if packets.family != 4:
        raise ValueError("ClassBench knows IPv4 only")
    _write_lines(path, [getattr(packets, name).astype(np.str_) for name in _COLUMN_ORDER])


def _write_lines(path: Path, columns: list[npt.NDArray[np.str_]]) -> None:
    with path.open("w", encoding="ascii") as file:
        file.writelines("\t".join(fields) + "\t\n" for fields in zip(*(column.tolist() for column in columns), strict=True))
