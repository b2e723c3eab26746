"""A packet in a flow, or the proof that there is none, against every packet of a small world."""

from hypothesis import given, settings
from hypothesis import strategies as st

from pastore.analysis.flow import Flow
from pastore.analysis.question import find
from pastore.model import Action
from tests.property.test_difference import WORLD, Row, a_row, filters, ranges, verdict

HIGHEST = {4: 0xFFFFFFFF, 6: (1 << 128) - 1}


@st.composite
def flows(draw: st.DrawFn) -> Flow:
    """Return a flow of one or two boxes."""
    parts = []
    for _ in range(draw(st.integers(1, 2))):
        family = draw(st.sampled_from((4, 4, 6)))
        box = (
            draw(ranges(3, HIGHEST[family])),
            draw(ranges(3, HIGHEST[family])),
            draw(ranges(2, 255)),
            (0, 65535),
            draw(ranges(2, 65535)),
            draw(st.sampled_from(((0, 0), (1, 1), (0, 1)))),
            draw(st.sampled_from(((0, 0), (1, 1), (0, 1)))),
        )
        parts.append((family, box))
    return Flow("", tuple(parts))


def inside(flow: Flow, packet: tuple[int, ...]) -> bool:
    return any(
        family == packet[0] and all(low <= value <= high for (low, high), value in zip(box, packet[1:], strict=True))
        for family, box in flow.parts
    )


@settings(max_examples=500, deadline=None)
@given(st.lists(a_row(), max_size=8), flows(), st.sets(st.sampled_from(Action), min_size=1))
def test_it_is_found_exactly_when_there_is_one(rows: list[Row], flow: Flow, actions: set[Action]) -> None:
    answer = find(filters(rows), flow, actions)
    there = [packet for packet in WORLD if inside(flow, packet) and Action(verdict(rows, packet)[0]) in actions]
    assert answer.decided
    assert (answer.packet is not None) == bool(there)
    if answer.packet is not None:
        found = answer.packet
        fields = (found.family, min(found.src, 3), min(found.dst, 3), min(found.protocol, 2), 0, min(found.dport, 2))
        assert (*fields, found.direction, found.interface) in there
        assert (answer.index < 0) == (verdict(rows, (*fields, found.direction, found.interface))[0] == 0)


@settings(max_examples=100, deadline=None)
@given(st.lists(a_row(), max_size=8), flows(), st.integers(0, 4))
def test_beyond_the_limit_it_is_not_decided(rows: list[Row], flow: Flow, limit: int) -> None:
    answer = find(filters(rows), flow, {Action.BLOCK}, limit=limit)
    if answer.decided and answer.packet is None:
        assert not any(inside(flow, packet) and verdict(rows, packet)[0] == Action.BLOCK for packet in WORLD)
