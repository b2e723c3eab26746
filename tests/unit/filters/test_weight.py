"""The order of specific filters."""

from dataclasses import replace
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pastore.filters import weight as w
from pastore.filters.weight import SpecificFilter, first_match, range_bits, specificity, weight
from pastore.model import Action

BASE = SpecificFilter(
    source=0,
    listed=0,
    family=4,
    src=(0, 9),
    dst=(0, 9),
    protocol=(6, 6),
    sport=(0, 65535),
    dport=(0, 65535),
    direction=2,
    interface=2,
    action=Action.BLOCK,
    flags=0,
    address_bits=32,
    protocol_set=True,
    ports_set=0,
    rule=UUID(int=5),
    filter=UUID(int=5),
    mirrored_copy=False,
)


class TestOrder:
    @pytest.mark.parametrize(
        ("first", "then"),
        [
            ({"address_bits": 33, "protocol_set": False}, {"ports_set": 2}),
            ({"protocol_set": True}, {"protocol_set": False, "ports_set": 2}),
            ({"ports_set": 2, "action": Action.ALLOW}, {"ports_set": 1}),
            ({"ports_set": 1, "action": Action.ALLOW}, {"ports_set": 0}),
            ({"action": Action.BLOCK, "rule": UUID(int=9)}, {"action": Action.PROTECT}),
            ({"action": Action.PROTECT, "rule": UUID(int=9)}, {"action": Action.ALLOW}),
            ({"rule": UUID(int=4), "filter": UUID(int=9)}, {"rule": UUID(int=5)}),
            ({"filter": UUID(int=4), "mirrored_copy": True}, {"filter": UUID(int=5)}),
            ({"mirrored_copy": False, "listed": 9}, {"mirrored_copy": True}),
            ({"listed": 1}, {"listed": 2}),
        ],
    )
    def test_what_comes_first(self, first: dict[str, Any], then: dict[str, Any]) -> None:
        assert weight(replace(BASE, **first)) < weight(replace(BASE, **then))

    def test_the_weight_begins_with_how_specific_a_filter_is(self) -> None:
        assert weight(BASE)[:3] == specificity(BASE)

    def test_first_match_is_the_order_listed_whatever_the_rest(self) -> None:
        early, late = replace(BASE, listed=1, address_bits=0), replace(BASE, listed=2, address_bits=64)
        assert first_match(early) < first_match(late)
        assert weight(late) < weight(early)

    def test_both_orders_have_their_name(self) -> None:
        assert {"weight": weight, "first-match": first_match} == w.ORDERS


class TestBits:
    @pytest.mark.parametrize(
        ("low", "high", "family", "bits"),
        [
            (5, 5, 4, 32),
            (5, 5, 6, 128),
            (0, 255, 4, 24),
            (0, 256, 4, 23),
            (1, 256, 4, 24),
            (0, 2**32 - 1, 4, 0),
            (0, 2**128 - 1, 6, 0),
            (10, 12, 4, 30),
        ],
    )
    def test_a_range_fixes_the_address_length_less_the_bits_that_number_its_addresses(
        self, low: int, high: int, family: int, bits: int
    ) -> None:
        assert range_bits(low, high, family) == bits

    @given(st.integers(0, 32), st.data())
    def test_a_prefix_fixes_its_length(self, length: int, data: st.DataObject) -> None:
        size = 1 << (32 - length)
        low = data.draw(st.integers(0, (1 << length) - 1)) * size
        assert range_bits(low, low + size - 1, 4) == length
