"""Judging the same packets several ways."""

import numpy as np
import numpy.typing as npt
import pytest

from pastore.filters.specific import SpecificFilters
from pastore.matcher import Matcher, Verdicts
from pastore.matcher.columns import Columns
from pastore.matcher.reference import Packet, first_match, plain_rows


def arguments(columns: Columns) -> tuple[npt.ArrayLike, ...]:
    """Return columns as the positional arguments of `Matcher.classify`."""
    direction = columns.one_direction if columns.direction is None else columns.direction
    interface = columns.one_interface if columns.interface is None else columns.interface
    return (columns.src, columns.dst, columns.protocol, columns.sport, columns.dport, direction, interface)


def classify(matcher: Matcher, columns: Columns, threads: int = 1) -> Verdicts:
    return matcher.classify(*arguments(columns), threads=threads)  # type: ignore[call-overload, no-any-return]


def scan(matcher: Matcher, columns: Columns) -> Verdicts:
    return matcher.scan(*arguments(columns))  # type: ignore[call-overload, no-any-return]


def rows_of(verdicts: Verdicts) -> npt.NDArray[np.int32]:
    assert verdicts.index is not None
    return verdicts.index


def plain_packet(columns: Columns, i: int) -> Packet:
    """Return packet `i` in plain integers."""
    src, dst = (
        int(column[i]) if columns.family == 4 else int.from_bytes(column[i].tobytes()) for column in (columns.src, columns.dst)
    )
    return Packet(
        columns.family,
        src,
        dst,
        int(columns.protocol[i]),
        int(columns.sport[i]),
        int(columns.dport[i]),
        columns.one_direction if columns.direction is None else int(columns.direction[i]),
        columns.one_interface if columns.interface is None else int(columns.interface[i]),
    )


def single(matcher: Matcher, packet: Packet) -> int | None:
    """Return the row number that `Matcher.match` gives for a packet."""
    return matcher.match(
        packet.protocol,
        packet.src,
        packet.dst,
        packet.sport,
        packet.dport,
        direction=packet.direction,
        family=packet.family,
        interface=packet.interface,
    ).index


def assert_scan_agrees(matcher: Matcher, columns: Columns) -> None:
    """Assert that the table and the linear scan give the same rows and actions for every packet."""
    fast, slow = classify(matcher, columns), scan(matcher, columns)
    differ = np.flatnonzero(rows_of(fast) != rows_of(slow))
    assert len(differ) == 0, [(plain_packet(columns, i), rows_of(fast)[i], rows_of(slow)[i]) for i in differ[:3]]
    assert np.array_equal(fast.action, slow.action)
    answered = rows_of(slow) >= 0
    assert np.array_equal(slow.action[answered], matcher.filters["action"][rows_of(slow)[answered]])
    assert not slow.action[~answered].any()


def assert_reference_agrees(matcher: Matcher, columns: Columns, sample: int, seed: int = 1) -> None:
    """Assert that table, scan and single match give the row of the reference for a seeded sample of the packets."""
    rows = plain_rows(matcher.filters)
    fast, slow = classify(matcher, columns), scan(matcher, columns)
    chosen = np.random.default_rng(seed).permutation(len(columns.src))[:sample]
    for i in chosen:
        packet = plain_packet(columns, i)
        right = first_match(rows, packet)
        assert (right, right, right) == (rows_of(fast)[i], rows_of(slow)[i], single(matcher, packet)), packet


def instruction_sets() -> list[str]:
    """Return the names that PASTORE_ISA may have here and that are then used."""
    found = []
    for name in ("scalar", "avx2", "avx512"):
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("PASTORE_ISA", name)
            found.append(Matcher(SpecificFilters.from_columns(src_lo=[], src_hi=[], dst_lo=[], dst_hi=[], action=[])).stats.isa)
    return sorted(set(found))


def build(
    filters: SpecificFilters, memory_limit: int | None = None, layout: str | None = None, isa: str | None = None
) -> Matcher:
    """Build a matcher, for an instruction set if one is given, and check all its invariants."""
    with pytest.MonkeyPatch.context() as patch:
        if isa is not None:
            patch.setenv("PASTORE_ISA", isa)
        matcher = Matcher(filters, memory_limit=memory_limit, layout=layout)
    assert isa in (None, matcher.stats.isa)
    matcher.check()
    return matcher
