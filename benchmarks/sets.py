"""Rule sets and packets by name, for every benchmark.

``acl1_10k``
    A ClassBench set below ``PASTORE_DATA/classbench``, with its trace.
``acl-10k``, ``fw-100k``, ``ipc-1k``
    Our own seeded sets of those shapes, of any size; half of the packets at bounds of rules, half inside.
``wildcards-1k``, ``exact-10k``, ``staircase-1k``, ``nested-1k``, ``overlapping-1k``, ``crossing-10k``
    Rule sets without structure, of any size.
``NAME.v6``
    The IPv6 twin of an IPv4 set: the same rules and packets, spread over 128 bits.
``mix``, ``mix.catchall``
    Sets of 100k joined, some of our own among them, until there are 900,000 rules; duplicates out, the more specific first. And
    the same with a rule for everything in the middle.
``blocklist``
    One rule an address of a public blocklist below ``PASTORE_DATA/real``, or of a generated one.
"""

import gzip
import os
import re
from collections.abc import Callable
from itertools import count
from pathlib import Path
from typing import Final, NamedTuple

import numpy as np

from pastore.filters.specific import ROW, SpecificFilters
from pastore.matcher.columns import Columns
from pastore.packets.batch import PacketBatch
from pastore.sources import load
from tests.support.rulesets import SHAPES, aimed_packets, ipv6_address, ipv6_twin, make_rules, network_bytes
from tests.support.structureless import KINDS, make_structureless

SEED: Final = 7
PACKETS: Final = 100_000
MIX: Final = 900_000  # rules of the largest set
SIZES: Final = {"1k": 1_000, "10k": 10_000, "100k": 100_000, "1M": 1_000_000}


class Case(NamedTuple):
    """Rows in the order they are tried, and packets to try them on."""

    filters: SpecificFilters
    packets: Columns


def data(folder: str) -> Path | None:
    """Return a folder below PASTORE_DATA, None where there is none."""
    root = os.environ.get("PASTORE_DATA")
    path = Path(root, folder) if root else None
    return path if path and path.is_dir() else None


def standard_names() -> list[str]:
    """Return the sets that summaries are made of: those of PASTORE_DATA, else our own."""
    folder = data("classbench")
    found = [path.name.removesuffix(".rules.gz") for path in folder.glob("*k.rules.gz")] if folder else []
    names = found or [f"{shape}-{size}" for shape in SHAPES for size in ("1k", "10k", "100k")]
    return sorted(names, key=lambda name: (SIZES[size_class(name)], name))


def size_class(name: str) -> str:
    """Return 1k, 10k, 100k or 1M, as the set's name has it; "" for others."""
    found = re.search(r"[-_](\d+[kM])\b", name)
    return found[1] if found else ""


def case(name: str) -> Case:
    """Return a set by name.

    Raises
    ------
    KeyError
        If there is none of that name.
    """
    if name.endswith(".v6"):
        return twin(case(name.removesuffix(".v6")))
    if name in _OTHERS:
        return _OTHERS[name]()
    shape, _, size = name.partition("-")
    if shape in (*SHAPES, *KINDS) and size in SIZES:
        n = SIZES[size]
        filters = make_rules(shape, n, SEED, arbitrary=0) if shape in SHAPES else make_structureless(shape, n, SEED)
        return Case(filters, inbound(aimed_packets(filters, PACKETS, SEED + 1)))
    folder = data("classbench")
    if folder and (folder / f"{name}.rules.gz").exists():
        return _classbench(folder, name)
    raise KeyError(f"no rule set is called {name}")


def _classbench(folder: Path, name: str) -> Case:
    filters = load(folder / f"{name}.rules.gz").policy
    assert isinstance(filters, SpecificFilters)
    trace = PacketBatch.from_trace(folder / f"{name}.trace.gz").select(4)
    whole = np.ascontiguousarray
    packets = Columns(
        4,
        whole(trace.src),
        whole(trace.dst),
        whole(trace.protocol),
        whole(trace.sport),
        whole(trace.dport),
        None,
        0,
        None,
        0,
    )
    return Case(filters, packets)


def inbound(packets: Columns) -> Columns:
    """Return the packets as inbound ones of a lan."""
    return packets._replace(direction=None, one_direction=0, interface=None, one_interface=0)


def twin(of: Case) -> Case:
    """Return the IPv6 twin of a case: each packet meets the row that it met before."""
    src, dst = (network_bytes(ipv6_address(column)) for column in (of.packets.src, of.packets.dst))
    return Case(ipv6_twin(of.filters), of.packets._replace(family=6, src=src, dst=dst))


def without_duplicates(rows: np.ndarray) -> np.ndarray:
    """Return the rows without those that equal an earlier one in every range."""
    ranges = np.ascontiguousarray(rows)[[name for name in ROW.names or () if name.endswith(("_lo", "_hi"))]]
    _, first = np.unique(ranges.copy(), return_index=True)
    return rows[np.sort(first)]


def _width(rows: np.ndarray) -> np.ndarray:
    """How unspecific rows are: the sum of the bits that each range leaves open."""
    sides = [rows[f"{side}_hi"][:, 1] - rows[f"{side}_lo"][:, 1] for side in ("src", "dst")]
    sides += [rows[f"{name}_hi"] - rows[f"{name}_lo"] for name in ("sport", "dport", "protocol")]
    return np.asarray(sum(np.log2(side.astype(float) + 1) for side in sides))


def _numbered(rows: np.ndarray) -> SpecificFilters:
    rows = np.ascontiguousarray(rows).copy()
    rows["rank"] = np.arange(len(rows))
    return SpecificFilters(rows)


def mix(*, catchall: bool) -> Case:
    """Return every set of 100k in one, with or without a rule for everything in the middle."""
    parts = [case(name).filters.rows for name in standard_names() if size_class(name) == "100k"]
    more = ((shape, SEED + i) for i in count(1) for shape in SHAPES)
    while sum(map(len, parts)) < MIX:  # our own, of other seeds, until there are enough
        shape, seed = next(more)
        parts.append(make_rules(shape, 100_000, seed, arbitrary=0).rows)
    rows = without_duplicates(np.concatenate(parts))[:MIX]
    rows = rows[np.argsort(_width(rows), kind="stable")]
    packets = inbound(aimed_packets(SpecificFilters(rows.copy()), PACKETS, SEED + 2))
    if catchall:
        everything = make_rules("acl", 1, SEED, arbitrary=0).rows.copy()
        for name, last in (("src", 2**32 - 1), ("dst", 2**32 - 1), ("sport", 65535), ("dport", 65535), ("protocol", 255)):
            everything[f"{name}_lo"] = 0
            everything[f"{name}_hi"] = (0, last) if name in ("src", "dst") else last
        rows = np.concatenate([rows[: len(rows) // 2], everything, rows[len(rows) // 2 :]])
    return Case(_numbered(rows), packets)


def blocklist() -> Case:
    """Return one row an address, blocked; half of the packets come from there."""
    rng = np.random.default_rng([SEED, 120_000])
    folder = data("real")
    if folder and (folder / "ipsum-level1.txt.gz").exists():
        with gzip.open(folder / "ipsum-level1.txt.gz", "rt", encoding="ascii") as lines:
            text = [line.split()[0] for line in lines if line[:1].isdigit()]
        octets = np.array([address.split(".") for address in text], np.uint32)
        addresses = octets @ np.array([1 << 24, 1 << 16, 1 << 8, 1], np.uint32)
    else:  # hosts gather in networks that let them
        networks = rng.integers(1 << 24, 224 << 24, 30_000)
        near = rng.pareto(1.0, 140_000).astype(np.int64) % len(networks)
        addresses = (networks[near] & ~0xFFFF | rng.integers(0, 1 << 16, 140_000)).astype(np.uint32)
    addresses = np.unique(addresses)
    filters = SpecificFilters.from_columns(
        src_lo=addresses,
        src_hi=addresses,
        dst_lo=np.zeros(len(addresses), np.uint32),
        dst_hi=np.full(len(addresses), 2**32 - 1, np.uint32),
        action="block",
    )
    anywhere = rng.integers(0, 1 << 32, PACKETS, np.uint32)
    listed = addresses[rng.integers(0, len(addresses), PACKETS)]
    packets = Columns(
        4,
        np.where(rng.random(PACKETS) < 0.5, listed, anywhere).astype(np.uint32),
        rng.integers(0, 1 << 32, PACKETS, np.uint32),
        rng.choice(np.array([6, 17], np.uint8), PACKETS),
        rng.integers(1024, 1 << 16, PACKETS, np.uint16),
        rng.choice(np.array([25, 53, 80, 443], np.uint16), PACKETS),
        None,
        0,
        None,
        0,
    )
    return Case(filters, packets)


_OTHERS: Final[dict[str, Callable[[], Case]]] = {
    "mix": lambda: mix(catchall=False),
    "mix.catchall": lambda: mix(catchall=True),
    "blocklist": blocklist,
}
