"""The rule sets that tests and benchmarks are run on are what they say they are."""

from pathlib import Path

import numpy as np
import pytest

from benchmarks import sets
from benchmarks.files import (
    read_packets,
    read_rows,
    write_classbench_rules,
    write_classbench_trace,
    write_packets,
    write_rows,
)
from pastore.filters.specific import SpecificFilters
from pastore.matcher import Matcher
from pastore.packets.batch import PacketBatch
from pastore.sources import load
from tests.support.rulesets import SHAPES, aimed_packets, make_rules
from tests.support.structureless import KINDS, make_structureless

RANGES = [f"{name}_{end}" for name in ("src", "dst", "sport", "dport", "protocol") for end in ("lo", "hi")]


@pytest.mark.parametrize("n", [1, 100, 5000])
@pytest.mark.parametrize("shape", SHAPES)
def test_a_shape_gives_as_many_different_rules_as_asked_for_and_the_same_again(shape: str, n: int) -> None:
    filters = make_rules(shape, n, 3)
    assert len(filters) == n
    assert len(sets.without_duplicates(filters.rows)) == n
    assert np.array_equal(filters.rows, make_rules(shape, n, 3).rows)
    assert n == 1 or not np.array_equal(filters.rows, make_rules(shape, n, 4).rows)


@pytest.mark.parametrize("shape", SHAPES)
def test_shares_of_open_sides_and_the_number_of_services_are_those_of_the_shape(shape: str) -> None:
    rows = make_rules(shape, 10_000, 5, arbitrary=0).rows
    src, dst = (rows[f"{side}_hi"][:, 1] - rows[f"{side}_lo"][:, 1] >= 2**23 for side in ("src", "dst"))
    found = [(~src & ~dst).mean(), (src & ~dst).mean(), (~src & dst).mean(), (src & dst).mean()]
    assert found == pytest.approx(SHAPES[shape].wide, abs=0.03)
    services = np.unique(rows[["sport_lo", "sport_hi", "dport_lo", "dport_hi", "protocol_lo"]])
    assert 100 <= len(services) <= 400


@pytest.mark.parametrize("shape", SHAPES)
def test_most_rules_can_be_met(shape: str) -> None:
    filters = make_rules(shape, 2000, 6)
    packets = aimed_packets(filters, 60_000, 7)
    index = Matcher(filters).classify(packets.src, packets.dst, packets.protocol, packets.sport, packets.dport).index
    assert index is not None
    assert (index >= 0).mean() > 0.6
    assert len(np.unique(index)) > 1200


@pytest.mark.parametrize("name", ["fw-1k", "ipc-1k", "crossing-1k"])
def test_a_packet_of_a_twin_meets_the_row_it_met_before(name: str) -> None:
    four, six = sets.case(name), sets.case(f"{name}.v6")
    indexes = [
        Matcher(case.filters).classify(p.src, p.dst, p.protocol, p.sport, p.dport).index
        for case, p in ((four, four.packets), (six, six.packets))
    ]
    assert indexes[0] is not None
    assert np.array_equal(indexes[0], indexes[1])  # type: ignore[arg-type]


def test_a_twin_has_prefixes_of_many_lengths() -> None:
    rows = make_rules("ipc", 3000, 8, family=6, arbitrary=0).rows
    numbers = [[(int(high) << 64) | int(low) for high, low in rows[name]] for name in ("src_lo", "src_hi")]
    lengths = {128 - (hi - lo).bit_length() for lo, hi in zip(*numbers, strict=True)}
    assert {0, 48, 64, 128} <= lengths
    assert len(lengths) > 12


@pytest.mark.parametrize("kind", KINDS)
def test_structureless_sets_have_the_size_asked_for_and_the_property_of_their_name(kind: str) -> None:
    rows = make_structureless(kind, 200, 1).rows
    assert len(rows) == 200
    src_lo, src_hi = rows["src_lo"][:, 1].astype(np.int64), rows["src_hi"][:, 1].astype(np.int64)
    dst_lo, dst_hi = rows["dst_lo"][:, 1].astype(np.int64), rows["dst_hi"][:, 1].astype(np.int64)
    checks = {
        "wildcards": lambda: (src_lo == 0).all() and (src_hi == 2**32 - 1).all() and (rows["dport_hi"] == 65535).all(),
        "exact": lambda: all((rows[lo] == rows[hi]).all() for lo, hi in zip(RANGES[::2], RANGES[1::2], strict=True)),
        "staircase": lambda: (np.diff(src_lo) > 0).all() and (np.diff(dst_hi) > 0).all(),
        "nested": lambda: (np.diff(src_lo) < 0).all() and (np.diff(src_hi) > 0).all() and (np.diff(dst_lo) < 0).all(),
        "overlapping": lambda: ((src_lo[:, None] <= src_hi) & (src_lo <= src_hi[:, None])).mean() > 0.5,
        "crossing": lambda: ((src_lo == src_hi) ^ (dst_lo == dst_hi)).all(),
    }
    assert checks[kind]()  # type: ignore[no-untyped-call]


def test_files_of_the_programs_hold_what_was_written(tmp_path: Path) -> None:
    for family in (4, 6):
        filters = make_rules("fw", 50, 1, family=family)
        packets = sets.inbound(aimed_packets(filters, 70, 2, family=family))
        write_rows(tmp_path / "rows", filters)
        write_packets(tmp_path / "packets", packets)
        assert np.array_equal(read_rows(tmp_path / "rows").rows, filters.rows)
        again = read_packets(tmp_path / "packets")
        for name in ("src", "dst", "sport", "dport", "protocol"):
            assert np.array_equal(getattr(again, name), getattr(packets, name)), name


def test_classbench_text_is_read_back_as_the_same_rules_and_packets(tmp_path: Path) -> None:
    filters = make_rules("ipc", 300, 9, arbitrary=0)
    packets = aimed_packets(filters, 500, 9)
    write_classbench_rules(tmp_path / "set.rules", filters)
    write_classbench_trace(tmp_path / "set.trace", packets)
    again = load(tmp_path / "set.rules").policy
    assert isinstance(again, SpecificFilters)
    assert all(np.array_equal(again[name], filters[name]) for name in RANGES)
    trace = PacketBatch.from_trace(tmp_path / "set.trace").select(4)
    assert np.array_equal(trace.src, packets.src)
    assert np.array_equal(trace.dport, packets.dport)


@pytest.mark.parametrize("filters", [make_rules("fw", 5, 1, family=6), make_structureless("overlapping", 5, 1)])
def test_what_classbench_cannot_say_is_refused(filters: SpecificFilters, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"ClassBench|prefix"):
        write_classbench_rules(tmp_path / "set.rules", filters)


def test_a_blocklist_and_a_mix_can_be_had_without_outside_data(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PASTORE_DATA", raising=False)
    monkeypatch.setattr(sets, "standard_names", lambda: ["acl-1k", "fw-1k", "ipc-1k"])
    listed = sets.blocklist()
    assert len(listed.filters) > 100_000
    index = Matcher(listed.filters).classify(*listed.packets[1:6]).index
    assert index is not None
    assert 0.4 < (index >= 0).mean() < 0.6
    with pytest.raises(KeyError, match="no rule set is called acl1_1k"):
        sets.case("acl1_1k")
