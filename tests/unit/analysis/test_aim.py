"""Aimed packets: every bound is met, within the row in all other fields, the same for the same seed."""

import numpy as np
import pytest

from pastore.analysis.aim import AIMS, aim, bounds_aimed_at
from pastore.filters.specific import ALL, BOTH, SpecificFilters, join
from pastore.packets import PacketBatch
from tests.support.rulesets import make_rules

ENDS = {4: (1 << 32) - 1, 6: (1 << 128) - 1}


def one_row(family: int = 4, **fields: tuple[int, int]) -> SpecificFilters:
    """A row with room on both sides of every range, unless given otherwise."""
    bits = 32 if family == 4 else 128
    ranges = {
        "src": (5 << bits - 8, (6 << bits - 8) - 1),
        "dst": (9 << bits - 8, 9 << bits - 8),
        "protocol": (6, 17),
        "sport": (1024, 5000),
        "dport": (80, 80),
    } | fields
    columns = {f"{name}_{end}": [value[at]] for name, value in ranges.items() for at, end in enumerate(("lo", "hi"))}
    if family == 6:
        for name in ("src_lo", "src_hi", "dst_lo", "dst_hi"):
            columns[name] = np.frombuffer(columns[name][0].to_bytes(16, "big"), np.uint8).reshape(1, 16)  # type: ignore[assignment]
    return SpecificFilters.from_columns(**columns, action="block")  # type: ignore[arg-type]


def values(batch: PacketBatch) -> list[dict[str, int]]:
    packets = [batch.packet(at) for at in range(len(batch))]
    return [{name: getattr(packet, name) for name in ("src", "dst", "protocol", "sport", "dport")} for packet in packets]


def ranges_of(rows: SpecificFilters) -> dict[str, tuple[int, int]]:
    row = rows.rows[0]
    ranges = {name: (int(row[f"{name}_lo"]), int(row[f"{name}_hi"])) for name in ("protocol", "sport", "dport")}
    return ranges | {name: (join(row[f"{name}_lo"]), join(row[f"{name}_hi"])) for name in ("src", "dst")}


@pytest.mark.parametrize("family", [4, 6])
def test_every_bound_of_every_field_is_met_by_a_packet_within_the_row_in_all_other_fields(family: int) -> None:
    rows = one_row(family)
    ranges = ranges_of(rows)
    met = set()
    for packet in values(aim(rows, 40, families=(family,))):
        outside = [name for name, (low, high) in ranges.items() if not low <= packet[name] <= high]
        for name, (low, high) in ranges.items():
            for end, value in (("below", low - 1), ("lo", low), ("hi", high), ("above", high + 1)):
                if packet[name] == value and outside in ([], [name]):
                    met.add((name, end))
    assert met == {(name, end) for name in ranges for end in ("below", "lo", "hi", "above")}


@pytest.mark.parametrize("family", [4, 6])
def test_nothing_is_beyond_the_ends_of_a_field(family: int) -> None:
    last = ENDS[family]
    whole = one_row(family, src=(0, last), dst=(0, last), protocol=(0, 255), sport=(0, 65535), dport=(0, 65535))
    packets = values(aim(whole, 400, families=(family,)))
    assert {0, last} <= {packet["src"] for packet in packets}
    assert {0, 255} <= {packet["protocol"] for packet in packets}


def test_a_bound_at_the_seam_of_the_two_words_of_an_address_carries() -> None:
    seam = 7 << 64
    rows = one_row(6, src=(seam, seam + (1 << 64) - 1))
    sources = {packet["src"] for packet in values(aim(rows, 200, families=(6,)))}
    assert {seam - 1, seam, seam + (1 << 64) - 1, seam + (1 << 64)} <= sources


def test_the_bounds_reached_are_those_that_are_told() -> None:
    count = 30
    networks = np.arange(1, count + 1) << 16
    rows = SpecificFilters.from_columns(
        src_lo=np.zeros(count, int),
        src_hi=np.full(count, 9),
        dst_lo=networks,
        dst_hi=networks + 255,
        sport_lo=1000,
        sport_hi=2000,
        action="block",
    )
    enough = next(n for n in range(count * AIMS, 2 * count * AIMS) if bounds_aimed_at(count, n) == 1)
    got = aim(rows, enough, families=(4,)).select(4)
    for network in networks:
        ports = got.sport[(got.dst >= network) & (got.dst <= network + 255)]
        assert {999, 1000, 2000, 2001} <= set(ports.tolist())
    assert bounds_aimed_at(count, enough // 2) == pytest.approx(0.5, abs=0.01)
    assert bounds_aimed_at(0, 1) == 1


def test_few_packets_still_go_to_different_rows_and_bounds() -> None:
    rows = make_rules("fw", 400, 3)
    got = aim(rows, 400, families=(4,)).select(4)
    assert len(np.unique(got.src)) > 100
    assert len(np.unique(got.dport)) > 50


def test_direction_and_interface_follow_the_row_with_some_against_it() -> None:
    rows = make_rules("ipc", 600, 4, one_way=True)
    assert {BOTH, 0, 1} == set(rows["direction"].tolist())
    assert {ALL, 0, 1} == set(rows["interface"].tolist())
    one_way = SpecificFilters(rows.rows[(rows["direction"] == 1) & (rows["interface"] == 0)].copy())
    batch = aim(one_way, 20_000, families=(4,))
    assert 0.88 < (batch.direction == 1).mean() < 0.97
    assert 0.88 < (batch.interface == 0).mean() < 0.97


def test_both_families_with_the_one_that_has_no_rows_from_anywhere() -> None:
    batch = aim(one_row(4), 100)
    assert np.bincount(batch.family)[[4, 6]].tolist() == [100, 100]
    assert batch.frame.tolist() == list(range(1, 201))
    assert len(np.unique(batch.select(6).src, axis=0)) == 100
    assert len(aim(SpecificFilters(one_row().rows[:0].copy()), 10)) == 20


def test_the_seed_makes_the_packets() -> None:
    rows = make_rules("acl", 100, 1)
    first, same, other = aim(rows, 500, 1), aim(rows, 500, 1), aim(rows, 500, 2)
    assert np.array_equal(first.src, same.src)
    assert not np.array_equal(first.src, other.src)
