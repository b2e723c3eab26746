"""Boxes of packets: halved before they are cut, and joined to products, against counting every packet."""

from itertools import product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pastore.filters import boxes
from pastore.filters.boxes import Box, TooManyBoxesError, carve, common, joined, overlap, products, within

SIDES = (7, 5, 3)  # the highest value of each field


def ranges(side: int) -> st.SearchStrategy[tuple[int, int]]:
    return st.tuples(st.integers(0, side), st.integers(0, side)).map(lambda ends: (min(ends), max(ends)))


BOXES = st.tuples(*(ranges(side) for side in SIDES))


def packets(of: Box) -> set[tuple[int, ...]]:
    return set(product(*(range(low, high + 1) for low, high in of)))


@settings(max_examples=300, deadline=None)
@given(BOXES, st.lists(BOXES, max_size=12))
def test_carving_leaves_every_packet_of_the_box_that_is_in_none_of_the_others_once(whole: Box, taken: list[Box]) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(boxes, "_FEW", 1)
        left = carve(whole, taken, limit=1000)
    assert set().union(*map(packets, left)) == packets(whole).difference(*map(packets, taken))
    assert sum(len(packets(piece)) for piece in left) == len(set().union(*map(packets, left)))


def test_many_holes_cost_little_more_than_each_alone() -> None:
    calls = 0

    def counted(one: Box, other: Box) -> bool:
        nonlocal calls
        calls += 1
        return overlap(one, other)

    holes = [((10 * at, 10 * at + 3), (0, 9)) for at in range(1000)]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(boxes, "overlap", counted)
        left = carve(((0, 20_000), (0, 9)), holes, limit=2000)
    assert len(left) < 1100
    assert calls < 100_000  # of a million pairs


def test_more_boxes_than_the_limit_are_refused() -> None:
    holes = [((10 * at, 10 * at + 3), (0, 9)) for at in range(100)]
    with pytest.raises(TooManyBoxesError):
        carve(((0, 20_000), (0, 9)), holes, limit=50)


@settings(max_examples=300, deadline=None)
@given(st.lists(BOXES, max_size=8))
def test_products_hold_the_packets_of_the_boxes_and_no_others(given_boxes: list[Box]) -> None:
    found = products(given_boxes)
    held = {packet for each in found for box in product(*each) for packet in packets(box)}
    assert held == set().union(*map(packets, given_boxes))
    assert len(found) <= len(given_boxes)
    for each in found:
        for parts in each:
            assert joined(parts) == parts


def test_boxes_that_differ_in_one_field_are_one_product() -> None:
    assert products([((0, 1), (0, 0)), ((2, 3), (0, 0)), ((7, 7), (0, 0))]) == [(((0, 3), (7, 7)), ((0, 0),))]
    assert products([]) == []


@given(BOXES, BOXES)
def test_what_two_boxes_have_in_common(one: Box, other: Box) -> None:
    met = common(one, other)
    assert (packets(met) if met else set()) == packets(one) & packets(other)
    assert (met is not None) == overlap(one, other)
    assert within(one, other) == (packets(one) <= packets(other))
