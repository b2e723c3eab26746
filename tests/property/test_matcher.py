"""Small adversarial rule sets against the reference, and changes to a set that must not change the answers."""

from collections.abc import Callable

import hypothesis.strategies as st
import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import example, given, settings

from pastore.filters.specific import BOTH, IN, OUT, ROW, SpecificFilters, split
from pastore.matcher import LAYOUTS, Matcher, MemoryLimitError
from pastore.matcher.columns import Columns
from tests.support.judging import assert_reference_agrees, assert_scan_agrees, build, classify, instruction_sets, rows_of
from tests.support.rulesets import SHAPES, aimed_packets, make_rules

Rows = npt.NDArray[np.void]


def bounds(last: int) -> st.SearchStrategy[tuple[int, int]]:
    """Ranges whose ends crowd at both ends of the axis, around the middle and, for IPv6, around the border of the two words."""
    places = [0, last // 2, last] + ([(1 << 64) - 1] if last >= 1 << 64 else [])
    crowded = st.builds(lambda place, off: min(max(place + off, 0), last), st.sampled_from(places), st.integers(-3, 3))
    pair = st.tuples(crowded, crowded).map(lambda ends: (min(ends), max(ends)))
    return st.one_of(st.just((0, last)), pair)


@st.composite
def rows(draw: st.DrawFn, counts: st.SearchStrategy[int]) -> SpecificFilters:
    """Draw rows from a small pool of ranges, so that they nest, touch, overlap and repeat."""
    n = draw(counts)
    pools = {
        name: draw(st.lists(bounds(last), min_size=1, max_size=5))
        for name, last in (("4", 0xFFFFFFFF), ("6", (1 << 128) - 1), ("port", 65535), ("protocol", 255))
    }
    families = draw(st.sampled_from([(4,), (6,), (4, 6)]))  # rows of one family and direction fill a side to the last bit
    directions = draw(st.sampled_from([(IN,), (OUT,), (BOTH,), (IN, OUT, BOTH)]))
    rng = np.random.default_rng(draw(st.integers(0, 1 << 32)))
    out = np.zeros(n, ROW)
    for row in out:
        row["family"] = family = rng.choice(families)
        for side in ("src", "dst"):
            lo, hi = pools[str(family)][rng.integers(len(pools[str(family)]))]
            row[f"{side}_lo"], row[f"{side}_hi"] = split(lo), split(hi)
        for name in ("sport", "dport"):
            row[f"{name}_lo"], row[f"{name}_hi"] = pools["port"][rng.integers(len(pools["port"]))]
        row["protocol_lo"], row["protocol_hi"] = pools["protocol"][rng.integers(len(pools["protocol"]))]
        row["direction"], row["interface"] = rng.choice(directions), rng.integers(0, 3)
        row["action"] = rng.integers(1, 4)
    return SpecificFilters(out)


def assert_right(matcher: Matcher, seed: int, packets: int = 300, sample: int = 40) -> None:
    for family in (4, 6):
        columns = aimed_packets(matcher.filters, packets, seed, family=family)
        assert_scan_agrees(matcher, columns)
        assert_reference_agrees(matcher, columns, sample)


@settings(max_examples=60, deadline=None)
@given(rows(st.integers(0, 12)), st.integers(0, 1 << 16))
@example(SpecificFilters(np.zeros(0, ROW)), 0)
def test_few_rows_get_the_answers_of_the_reference(filters: SpecificFilters, seed: int) -> None:
    assert_right(build(filters), seed)


@settings(max_examples=25, deadline=None)
@given(rows(st.sampled_from([63, 64, 65, 127, 128, 129, 257])), st.integers(0, 1 << 16))
def test_row_counts_around_the_borders_of_words_and_chunks_get_the_answers_of_the_reference(
    filters: SpecificFilters, seed: int
) -> None:
    assert_right(build(filters), seed, sample=15)


@settings(max_examples=15, deadline=None)
@given(rows(st.sampled_from([1, 64, 65, 128, 129, 300])), st.integers(0, 1 << 16))
def test_a_smaller_memory_limit_gives_a_smaller_layout_and_the_same_answers(filters: SpecificFilters, seed: int) -> None:
    largest = build(filters)
    columns = aimed_packets(filters, 300, seed)
    answers = rows_of(classify(largest, columns))
    limit, layouts = largest.stats.bytes, [largest.stats.layout]
    while True:
        try:
            matcher = build(filters, memory_limit=limit)
        except MemoryLimitError:
            break
        assert matcher.stats.bytes <= limit
        assert np.array_equal(rows_of(classify(matcher, columns)), answers)
        layouts.append(matcher.stats.layout)
        limit = matcher.stats.bytes - 1
    assert layouts[-1] == "linear"


ISAS = instruction_sets()


@settings(max_examples=80, deadline=None)
@given(rows(st.sampled_from([1, 2, 5, 30, 64, 200])), st.sampled_from(LAYOUTS), st.sampled_from(ISAS), st.integers(0, 1 << 16))
def test_every_layout_gives_the_answers_of_the_reference_on_every_instruction_set(
    filters: SpecificFilters, layout: str, isa: str, seed: int
) -> None:
    assert_right(build(filters, layout=layout, isa=isa), seed, packets=400, sample=10)


@pytest.mark.parametrize("isa", ISAS)
@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("family", [4, 6])
def test_sets_as_people_write_them_get_the_rows_of_the_scan(family: int, layout: str, isa: str) -> None:
    for shape in SHAPES:
        filters = make_rules(shape, 900, 31, family=family)
        matcher = build(filters, layout=layout, isa=isa)
        columns = aimed_packets(filters, 8_000, 32, family=family)
        assert_scan_agrees(matcher, columns)
        actions = Matcher(filters, verdict="action", layout=layout)
        assert np.array_equal(classify(actions, columns).action, classify(matcher, columns).action)


@pytest.mark.parametrize("isa", ISAS)
def test_any_number_of_packets_a_call_gives_the_same_rows(isa: str) -> None:
    filters = make_rules("fw", 400, 33)
    matcher = build(filters, isa=isa)
    columns = aimed_packets(filters, 200, 34)
    rows_at_once = rows_of(classify(matcher, columns))
    for n in [*range(1, 70), 127, 128, 129, 199]:
        head = columns._replace(
            src=columns.src[:n],
            dst=columns.dst[:n],
            protocol=columns.protocol[:n],
            sport=columns.sport[:n],
            dport=columns.dport[:n],
            direction=None if columns.direction is None else columns.direction[:n],
            interface=None if columns.interface is None else columns.interface[:n],
        )
        assert np.array_equal(rows_of(classify(matcher, head)), rows_at_once[:n])


def packets_of(filters: SpecificFilters) -> Columns:
    return aimed_packets(filters, 20_000, 21)


@pytest.mark.parametrize("shape", SHAPES)
def test_exchanging_source_and_destination_in_rows_and_packets_changes_nothing(shape: str) -> None:
    filters = make_rules(shape, 600, 8, one_way=True)
    turned = filters.rows.copy()
    for end in ("lo", "hi"):
        for one, other in (("src", "dst"), ("sport", "dport")):
            turned[f"{one}_{end}"], turned[f"{other}_{end}"] = filters[f"{other}_{end}"], filters[f"{one}_{end}"]
    packets = packets_of(filters)
    mirrored = packets._replace(src=packets.dst, dst=packets.src, sport=packets.dport, dport=packets.sport)
    expected = rows_of(classify(build(filters), packets))
    assert np.array_equal(rows_of(classify(build(SpecificFilters(turned)), mirrored)), expected)
    assert not np.array_equal(rows_of(classify(build(filters), mirrored)), expected)


def duplicated(rows: Rows, at: int, to: int) -> Rows:
    copy = np.insert(rows, to, rows[at])
    copy["rank"] = np.arange(len(copy))
    return copy


@pytest.mark.parametrize("shape", SHAPES)
def test_repeating_a_row_later_only_shifts_the_numbers_behind_it(shape: str) -> None:
    filters = make_rules(shape, 600, 9, one_way=True)
    packets = packets_of(filters)
    before = rows_of(classify(build(filters), packets))
    for at, to in ((0, 1), (5, 300), (300, 600), (599, 600)):
        after = rows_of(classify(build(SpecificFilters(duplicated(filters.rows, at, to))), packets))
        assert np.array_equal(after, np.where(before >= to, before + 1, before))


def split_in_two(rows: Rows, at: int, field: str, middle: Callable[[int, int], int]) -> Rows:
    """Replace row `at` by two that meet inside one of its ranges."""
    lo, hi = int(rows[at][f"{field}_lo"]), int(rows[at][f"{field}_hi"])
    halves = duplicated(rows, at, at)
    halves[at][f"{field}_hi"] = middle(lo, hi)
    halves[at + 1][f"{field}_lo"] = middle(lo, hi) + 1
    return halves


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("field", ["sport", "dport", "protocol"])
def test_splitting_a_range_in_two_rows_keeps_the_actions(shape: str, field: str) -> None:
    filters = make_rules(shape, 600, 10, one_way=True)
    packets = packets_of(filters)
    before = classify(build(filters), packets)
    wide = np.flatnonzero(filters[f"{field}_lo"] < filters[f"{field}_hi"])
    at = int(max(wide, key=lambda row: int((rows_of(before) == row).sum())))  # the one that decides most packets
    rows = split_in_two(filters.rows, at, field, lambda lo, hi: (lo + hi) // 2)
    after = classify(build(SpecificFilters(rows)), packets)
    assert np.array_equal(after.action, before.action)
    shifted = rows_of(after) - (rows_of(after) > at)  # both halves count as the row they came from
    assert np.array_equal(shifted, rows_of(before))
