"""A small reader of ClassBench rule sets and traces, for tests only."""

import gzip
import os
from pathlib import Path

import numpy as np

from pastore.filters.specific import SpecificFilters
from pastore.matcher.columns import Columns


def data_directory() -> Path | None:
    """Return where the sets are, None without PASTORE_DATA."""
    root = os.environ.get("PASTORE_DATA")
    return Path(root) / "classbench" if root else None


def read_rules(path: Path) -> SpecificFilters:
    """Return the rules of a set as a first-match list: ``@src/len dst/len lo : hi lo : hi 0xPP/0xMM ...``; flags are ignored."""
    columns: dict[str, list[int]] = {
        f"{name}_{end}": [] for name in ("src", "dst", "sport", "dport", "protocol") for end in ("lo", "hi")
    }
    with gzip.open(path, "rt", encoding="ascii") as lines:
        for line in lines:
            src, dst, sport, dport, protocol, *_ = line.removeprefix("@").split("\t")
            bounds = {"src": _prefix(src), "dst": _prefix(dst), "sport": _range(sport), "dport": _range(dport)}
            number, mask = (int(part, 16) for part in protocol.split("/"))
            bounds["protocol"] = (number & mask, number | ~mask & 0xFF)
            for name, (lo, hi) in bounds.items():
                columns[f"{name}_lo"].append(lo)
                columns[f"{name}_hi"].append(hi)
    return SpecificFilters.from_columns(**{name: np.array(values) for name, values in columns.items()}, action="block")  # type: ignore[arg-type]


def read_trace(path: Path) -> Columns:
    """Return the headers of a trace as columns, inbound on a lan."""
    with gzip.open(path, "rt", encoding="ascii") as lines:
        src, dst, sport, dport, protocol = np.loadtxt(lines, np.int64, delimiter="\t", usecols=range(5), unpack=True)
    return Columns(
        4,
        src.astype(np.uint32),
        dst.astype(np.uint32),
        protocol.astype(np.uint8),
        sport.astype(np.uint16),
        dport.astype(np.uint16),
        None,
        0,
        None,
        0,
    )


def _prefix(text: str) -> tuple[int, int]:
    address, _, length = text.partition("/")
    number = int.from_bytes(bytes(int(part) for part in address.split(".")))
    mask = (1 << 32 - int(length)) - 1
    return number & ~mask, number | mask


def _range(text: str) -> tuple[int, int]:
    lo, _, hi = text.partition(":")
    return int(lo), int(hi)
