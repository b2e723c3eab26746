"""Boxes of packets: what is left of one when others are taken away, against counting every packet."""

from itertools import product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pastore.analysis.regions import Box, TooManyBoxesError, box_of, overlap, subtract
from pastore.filters import boxes
from pastore.filters.specific import SpecificFilters

SIDES = (3, 3, 2, 2, 2, 1, 1)  # the highest value of each field: 3456 packets in all


def box(*given: tuple[int, int]) -> Box:
    """Return a box with the first fields given and the rest whole."""
    return (*given, *((0, side) for side in SIDES[len(given) :]))


def ranges(side: int) -> st.SearchStrategy[tuple[int, int]]:
    return st.tuples(st.integers(0, side), st.integers(0, side)).map(lambda ends: (min(ends), max(ends)))


BOXES = st.tuples(*(ranges(side) for side in SIDES))


def packets(of: Box) -> set[tuple[int, ...]]:
    return set(product(*(range(low, high + 1) for low, high in of)))


class TestSubtracting:
    @settings(max_examples=150, deadline=None)
    @given(BOXES, st.lists(BOXES, max_size=6))
    def test_what_is_left_is_every_packet_of_the_box_that_is_in_none_of_the_others(self, whole: Box, taken: list[Box]) -> None:
        expected = packets(whole).difference(*map(packets, taken))
        left = subtract(whole, taken)
        assert set().union(*map(packets, left)) == expected
        assert sum(len(packets(piece)) for piece in left) == len(expected)  # disjoint

    def test_nothing_taken_leaves_the_box(self) -> None:
        assert subtract(box((1, 2)), []) == [box((1, 2))]

    def test_a_box_taken_from_itself_leaves_nothing(self) -> None:
        assert subtract(box((1, 2)), [box((1, 2))]) == []

    def test_taking_what_does_not_touch_it_leaves_the_box(self) -> None:
        assert subtract(box((0, 1)), [box((2, 3))]) == [box((0, 1))]

    def test_a_cut_in_the_middle_leaves_both_ends(self) -> None:
        assert subtract(box((0, 3)), [box((1, 2))]) == [box((0, 0)), box((3, 3))]

    def test_several_together_can_take_all_though_none_does_alone(self) -> None:
        halves = [box((0, 3), (0, 1)), box((0, 1), (2, 3)), box((2, 3), (2, 3))]
        assert all(subtract(box(), [half]) for half in halves)
        assert subtract(box(), halves) == []

    def test_ipv6_addresses_are_not_rounded(self) -> None:
        last = (1 << 128) - 1
        whole, cut = ((0, last), *box()[1:]), ((0, last - 1), *box()[1:])
        assert subtract(whole, [cut]) == [((last, last), *box()[1:])]

    def test_a_set_that_becomes_too_ragged_is_an_exception_and_not_a_long_wait(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(boxes, "BOX_LIMIT", 3)
        with pytest.raises(TooManyBoxesError):
            subtract(box(), [box((1, 2), (1, 2), (1, 1))])
        assert len(subtract(box(), [box((1, 2))])) == 2


class TestOverlap:
    @settings(max_examples=200, deadline=None)
    @given(BOXES, BOXES)
    def test_boxes_overlap_if_they_have_a_packet_in_common(self, one: Box, other: Box) -> None:
        assert overlap(one, other) is bool(packets(one) & packets(other))


class TestRows:
    def test_a_row_is_the_box_of_its_ranges(self) -> None:
        rows = SpecificFilters.from_columns(
            src_lo=[1, 0], src_hi=[2, 0], dst_lo=[3, 0], dst_hi=[4, 0], action="block", protocol_lo=6, protocol_hi=6,
            sport_lo=7, sport_hi=8, dport_lo=9, dport_hi=10, direction=["out", "both"], interface=["ras", "all"],
        )  # fmt: skip
        assert box_of(rows[0]) == ((1, 2), (3, 4), (6, 6), (7, 8), (9, 10), (1, 1), (1, 1))
        assert box_of(rows[1])[-2:] == ((0, 1), (0, 1))
