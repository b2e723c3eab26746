"""Sets of packets as boxes of ranges, and what is left of one when others are taken away.

A box is one range in each of seven fields: source, destination, protocol, source port, destination port, direction, interface
type. Subtracting keeps boxes disjoint, so the answer is exact; the number of boxes is bounded and a caller is told when that was
not enough.
"""

from collections.abc import Iterable
from typing import Any, Final

from pastore.filters.specific import ALL, BOTH, join

Range = tuple[int, int]
Box = tuple[Range, ...]

BOX_LIMIT: Final = 20_000
_FIELDS: Final = ("protocol", "sport", "dport")


class TooManyBoxesError(Exception):
    """The set became too ragged to be followed exactly within `BOX_LIMIT` boxes."""


def box_of(row: Any) -> Box:
    """Return the box of a row of SpecificFilters."""
    direction, interface = int(row["direction"]), int(row["interface"])
    return (
        (join(row["src_lo"]), join(row["src_hi"])),
        (join(row["dst_lo"]), join(row["dst_hi"])),
        *((int(row[f"{field}_lo"]), int(row[f"{field}_hi"])) for field in _FIELDS),
        (0, 1) if direction == BOTH else (direction, direction),
        (0, 1) if interface == ALL else (interface, interface),
    )


def overlap(one: Box, other: Box) -> bool:
    """Whether two boxes have a packet in common."""
    return all(low <= other_high and other_low <= high for (low, high), (other_low, other_high) in zip(one, other, strict=True))


def subtract(box: Box, taken: Iterable[Box]) -> list[Box]:
    """Return disjoint boxes that hold what is left of a box.

    Raises
    ------
    TooManyBoxesError
        If more than `BOX_LIMIT` boxes would be needed on the way.
    """
    left = [box]
    for cut in taken:
        remaining: list[Box] = []
        for piece in left:
            remaining.extend(_minus(piece, cut))
            if len(remaining) > BOX_LIMIT:
                raise TooManyBoxesError
        left = remaining
        if not left:
            break
    return left


def _minus(piece: Box, cut: Box) -> Iterable[Box]:
    if not overlap(piece, cut):
        yield piece
        return
    for field, ((low, high), (cut_low, cut_high)) in enumerate(zip(piece, cut, strict=True)):
        if low < cut_low:
            yield (*piece[:field], (low, cut_low - 1), *piece[field + 1 :])
        if high > cut_high:
            yield (*piece[:field], (cut_high + 1, high), *piece[field + 1 :])
        piece = (*piece[:field], (max(low, cut_low), min(high, cut_high)), *piece[field + 1 :])
