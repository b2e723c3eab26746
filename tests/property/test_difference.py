"""The exact difference of two lists of rows against every packet of a small world."""

from itertools import product

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from pastore.analysis.difference import Difference, decision_of, difference
from pastore.filters.specific import INPASS, ROW, SOFT, SpecificFilters, split

PORTS = (0, 1, 2)
ADDRESSES = (0, 1, 2, 3)
PROTOCOLS = (0, 1, 2)
WORLD = [
    (family, src, dst, protocol, 0, dport, direction, interface)
    for family, src, dst, protocol, dport, direction, interface in product(
        (4, 6), ADDRESSES, ADDRESSES, PROTOCOLS, PORTS, (0, 1), (0, 1)
    )
]


@st.composite
def ranges(draw: st.DrawFn, last: int, highest: int) -> tuple[int, int]:
    """Return a range of a field whose numbers from `last` on behave alike."""
    low = draw(st.integers(0, last))
    high = draw(st.integers(low, last))
    return low, highest if high == last else high


Row = tuple[int, tuple[int, int], tuple[int, int], tuple[int, int], tuple[int, int], int, int, int, int]


@st.composite
def a_row(draw: st.DrawFn) -> Row:
    family = draw(st.sampled_from((4, 4, 4, 6)))
    highest = 0xFFFFFFFF if family == 4 else (1 << 128) - 1
    return (
        family,
        draw(ranges(3, highest)),
        draw(ranges(3, highest)),
        draw(ranges(2, 255)),
        draw(ranges(2, 65535)),
        draw(st.integers(0, 2)),
        draw(st.integers(0, 2)),
        draw(st.integers(1, 3)),
        draw(st.sampled_from((0, 0, 0, INPASS, SOFT))),
    )


def filters(rows: list[Row]) -> SpecificFilters:
    made = np.zeros(len(rows), ROW)
    for at, (family, src, dst, protocol, dport, direction, interface, action, flags) in enumerate(rows):
        row = made[at]
        row["family"] = family
        for field, (low, high) in (("src", src), ("dst", dst)):
            row[f"{field}_lo"], row[f"{field}_hi"] = split(low), split(high)
        row["protocol_lo"], row["protocol_hi"] = protocol
        row["sport_lo"], row["sport_hi"] = 0, 65535
        row["dport_lo"], row["dport_hi"] = dport
        row["direction"], row["interface"] = direction, interface
        row["action"], row["flags"], row["rank"], row["filter"] = action, flags, at, -1
    return SpecificFilters(made)


@st.composite
def pairs(draw: st.DrawFn) -> tuple[list[Row], list[Row]]:
    """Return two lists: the second drawn anew, or made from the first by a few edits, as people do."""
    old = draw(st.lists(a_row(), max_size=7))
    if draw(st.booleans()):
        return old, draw(st.lists(a_row(), max_size=7))
    new = list(old)
    for _ in range(draw(st.integers(0, 3))):
        edit = draw(st.sampled_from(("insert", "delete", "move", "replace")))
        if edit == "insert":
            new.insert(draw(st.integers(0, len(new))), draw(a_row()))
        elif new:
            at = draw(st.integers(0, len(new) - 1))
            taken = new.pop(at)
            if edit == "move":
                new.insert(draw(st.integers(0, len(new))), taken)
            elif edit == "replace":
                new.insert(at, (*taken[:7], draw(st.integers(1, 3)), taken[8]))
    return old, new


def verdict(rows: list[Row], packet: tuple[int, ...]) -> tuple[int, int]:
    """Return the action and the flags of the first row that holds a packet."""
    family, src, dst, protocol, _, dport, direction, interface = packet
    for row in rows:
        holds = row[0] == family and all(
            low <= value <= high for (low, high), value in zip(row[1:5], (src, dst, protocol, dport), strict=True)
        )
        if holds and row[5] in (direction, 2) and row[6] in (interface, 2):
            return row[7], row[8]
    return 0, 0


def holding(found: Difference, packet: tuple[int, ...]) -> list[int]:
    return [
        at
        for at, change in enumerate(found.changes)
        if change.family == packet[0]
        and all(low <= value <= high for (low, high), value in zip(change.box, packet[1:], strict=True))
    ]


@settings(max_examples=400, deadline=None)
@given(pairs())
def test_it_is_what_every_packet_says(lists: tuple[list[Row], list[Row]]) -> None:
    old, new = lists
    found = difference(filters(old), filters(new))
    assert found.decided
    for packet in WORLD:
        before, after = verdict(old, packet), verdict(new, packet)
        told = holding(found, packet)
        assert len(told) == (before != after), packet
        for at in told:
            change = found.changes[at]
            names = ("none", "allow", "block", "protect")
            assert (change.old.action, change.new.action) == (names[before[0]], names[after[0]])
            assert (change.old.inpass, change.old.soft) == (bool(before[1] & INPASS), bool(before[1] & SOFT))
    for change in found.changes:
        for example in change.examples(3):
            fields = (
                example.family,
                *(min(value, 3) for value in (example.src, example.dst)),
                min(example.protocol, 2),
                0,
                min(example.dport, 2),
                example.direction,
                example.interface,
            )
            assert verdict(old, fields) != verdict(new, fields)


@settings(max_examples=200, deadline=None)
@given(pairs(), st.integers(0, 12))
def test_beyond_the_limit_nothing_is_called_equal_that_is_not(lists: tuple[list[Row], list[Row]], limit: int) -> None:
    old, new = lists
    found = difference(filters(old), filters(new), limit=limit)
    if found.equal:
        assert all(verdict(old, packet) == verdict(new, packet) for packet in WORLD)
    for packet in WORLD:
        if holding(found, packet):
            assert verdict(old, packet) != verdict(new, packet)


def test_a_decision_is_that_of_its_row() -> None:
    rows = filters([(4, (0, 1), (0, 1), (0, 255), (0, 65535), 2, 2, 3, SOFT)])
    assert decision_of(rows, 0) == ("protect", False, True, None, None, None)
