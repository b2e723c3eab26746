"""Sets of packets as boxes of ranges: what is left of one when others are taken away, and boxes as products of lists.

A box is one inclusive range in each of some fields; which fields, and in which order, is the caller's business. Subtracting keeps
boxes disjoint, so the answer is exact; the number of boxes is bounded and a caller is told when that was not enough.
"""

from collections.abc import Iterable, Sequence
from typing import Final

Range = tuple[int, int]
Box = tuple[Range, ...]
Product = tuple[tuple[Range, ...], ...]
"""For each field the ranges it may be in, disjoint and in order: the boxes of every combination of them."""

BOX_LIMIT: Final = 20_000
_FEW: Final = 24  # boxes that are taken away one after another


class TooManyBoxesError(Exception):
    """The set became too ragged to be followed exactly within the limit."""


def overlap(one: Box, other: Box) -> bool:
    """Whether two boxes have a packet in common."""
    for (low, high), (other_low, other_high) in zip(one, other, strict=True):  # a loop: this is where the time goes
        if low > other_high or other_low > high:
            return False
    return True


def within(one: Box, other: Box) -> bool:
    """Whether a box lies in another."""
    for (low, high), (other_low, other_high) in zip(one, other, strict=True):
        if low < other_low or high > other_high:
            return False
    return True


def common(one: Box, other: Box) -> Box | None:
    """Return what two boxes have in common, None for nothing."""
    if not overlap(one, other):
        return None
    return tuple((max(low, l2), min(high, h2)) for (low, high), (l2, h2) in zip(one, other, strict=True))


def subtract(box: Box, taken: Iterable[Box], *, limit: int | None = None) -> list[Box]:
    """Return disjoint boxes that hold what is left of a box.

    Fields are cut in their order: a field is only narrowed where all those before it are within what is taken.

    Raises
    ------
    TooManyBoxesError
        If more than `limit` boxes (`BOX_LIMIT` when left out) would be needed on the way.
    """
    most = BOX_LIMIT if limit is None else limit
    left = [box]
    for cut in taken:
        if not overlap(box, cut):
            continue
        remaining: list[Box] = []
        for piece in left:
            remaining.extend(_minus(piece, cut))
            if len(remaining) > most:
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


def carve(box: Box, taken: Iterable[Box], *, limit: int) -> list[Box]:
    """Do as `subtract`, in time that grows little faster than the number of boxes; the pieces are others, and may be more.

    Where many are taken away, the box is halved between them, in the field that parts them best.
    """
    cuts = [cut for cut in taken if overlap(box, cut)]
    if len(cuts) <= _FEW:
        return subtract(box, cuts, limit=limit)
    best: tuple[int, int, int] | None = None
    for field, (low, high) in enumerate(box):
        starts = sorted(cut[field][0] for cut in cuts if low < cut[field][0] <= high)
        if starts:
            middle = starts[len(starts) // 2]
            most = max(sum(cut[field][0] < middle for cut in cuts), sum(cut[field][1] >= middle for cut in cuts))
            best = min(best or (most, field, middle), (most, field, middle))
    if best is None or best[0] > len(cuts) * 0.9:  # they lie over each other: halves would have all of them again
        return subtract(box, cuts, limit=limit)
    _, field, middle = best
    (low, high), found = box[field], []
    for half in ((low, middle - 1), (middle, high)):
        found += carve((*box[:field], half, *box[field + 1 :]), cuts, limit=limit)
        if len(found) > limit:
            raise TooManyBoxesError
    return found


def joined(ranges: Iterable[Range]) -> tuple[Range, ...]:
    """Return the same numbers as disjoint ranges in order, those that touch made one."""
    done: list[Range] = []
    for low, high in sorted(ranges):
        if done and low <= done[-1][1] + 1:
            done[-1] = (done[-1][0], max(high, done[-1][1]))
        else:
            done.append((low, high))
    return tuple(done)


def products(boxes: Iterable[Box]) -> list[Product]:
    """Return the same packets as fewer products: boxes that differ in one field only become one.

    Parameters
    ----------
    boxes : iterable of Box
        All with the same fields. They may overlap.
    """
    found: list[Product] = list(dict.fromkeys(tuple((part,) for part in box) for box in boxes))
    fields: Sequence[int] = range(len(found[0])) if found else ()
    before = -1
    while before != len(found):
        before = len(found)
        for field in fields:
            groups: dict[Product, list[Range]] = {}
            for product in found:
                groups.setdefault((*product[:field], (), *product[field + 1 :]), []).extend(product[field])
            found = [(*key[:field], joined(ranges), *key[field + 1 :]) for key, ranges in groups.items()]
    return found
