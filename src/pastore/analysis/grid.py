"""Rows and boxes in whole numbers: every field by the places where a row begins or ends.

No row begins or ends between two such places, so all packets between them meet the same rows and stand for each other. Seven
ranges of small numbers hold IPv4 and IPv6 alike, and whole lists of rows are compared at once.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from pastore.analysis.regions import Box
from pastore.filters.specific import ALL, BOTH, SpecificFilters

Ends = npt.NDArray[np.int32]  # shape (7,) for a box, (n, 7) for rows; ranges are [low, high)

WORK_LIMIT: Final = 250_000
"""Steps a question may take: a quarter to half a minute."""

_ROWS_A_STEP: Final = 4096
_LAST: Final = (255, 65535, 65535, 1, 1)
_HIGHEST: Final = {4: 0xFFFFFFFF, 6: (1 << 128) - 1}
# Fields in the order in which a box is cut: those that tell many rows apart by few values first, or rows that look at the source
# would be cut by rows that look at the destination.
_CUTTING_ORDER: Final = (5, 6, 2, 1, 0, 4, 3)
_NUMBERS: Final = ("protocol", "sport", "dport")


class WorkLimitError(Exception):
    """A question needs more steps than it may take: it is not decided."""


class Work:
    """Counts the steps of a question.

    Parameters
    ----------
    limit : int
        How many it may take.
    """

    __slots__ = ("left",)

    def __init__(self, limit: int = WORK_LIMIT) -> None:
        self.left = limit

    def step(self, rows: int) -> None:
        """Count looking at so many rows once.

        Raises
        ------
        WorkLimitError
            If nothing is left of the limit.
        """
        self.left -= 1 + rows // _ROWS_A_STEP
        if self.left < 0:
            raise WorkLimitError


def whole_box(family: int) -> Box:
    """Return the box that holds every packet of a family."""
    last = (_HIGHEST[family], _HIGHEST[family], *_LAST)
    return tuple((0, high) for high in last)


class Grid:
    """The places of a family at which rows and boxes begin and end.

    Parameters
    ----------
    family : int
        4 or 6.
    filters : iterable of SpecificFilters
        All whose rows will be asked for.
    boxes : iterable of Box
        All other boxes that will be asked for.
    """

    __slots__ = ("_places", "family", "places")

    def __init__(self, family: int, filters: Iterable[SpecificFilters], boxes: Iterable[Box] = ()) -> None:
        self.family = family
        found: list[set[int]] = [{low, high + 1} for low, high in whole_box(family)]
        for each in filters:
            for field, (lows, highs) in enumerate(_ranges(each, family)):
                found[field].update(lows)
                found[field].update(high + 1 for high in highs)
        for box in boxes:
            for field, (low, high) in enumerate(box):
                found[field].update((low, high + 1))
        self.places = [sorted(each) for each in found]
        self._places = [{value: at for at, value in enumerate(each)} for each in self.places]

    def rows(self, filters: SpecificFilters) -> tuple[npt.NDArray[np.intp], Ends, Ends]:
        """Return the rows of this family: where they stand in `filters`, shape (n,), and their ends, shape (n, 7)."""
        at = np.flatnonzero(filters.rows["family"] == self.family)
        low, high = np.empty((len(at), 7), np.int32), np.empty((len(at), 7), np.int32)
        for field, (lows, highs) in enumerate(_ranges(filters, self.family)):
            place = self._places[field]
            low[:, field] = [place[value] for value in lows]
            high[:, field] = [place[value + 1] for value in highs]
        return at, low, high

    def enter(self, box: Box) -> tuple[Ends, Ends]:
        """Return the ends of a box that was told when the grid was made."""
        low = [self._places[field][low] for field, (low, _) in enumerate(box)]
        high = [self._places[field][high + 1] for field, (_, high) in enumerate(box)]
        return np.array(low, np.int32), np.array(high, np.int32)

    def leave(self, low: Sequence[int] | Ends, high: Sequence[int] | Ends) -> Box:
        """Return the box that has these ends."""
        return tuple((places[a], places[b] - 1) for places, a, b in zip(self.places, low, high, strict=True))


def meeting(low: Ends, high: Ends, rows_low: Ends, rows_high: Ends) -> npt.NDArray[np.bool_]:
    """Return which rows have a packet in common with a box, shape (n,)."""
    fields: npt.NDArray[np.bool_] = (rows_low < high) & (low < rows_high)
    return np.asarray(fields.all(axis=1))


def uncovered(low: Ends, high: Ends, rows_low: Ends, rows_high: Ends) -> npt.NDArray[np.bool_]:
    """Return in which fields rows do not hold all of a box, shape (n, 7)."""
    result: npt.NDArray[np.bool_] = (rows_low > low) | (rows_high < high)
    return result


def cut(low: Ends, high: Ends, row_low: Ends, row_high: Ends) -> tuple[tuple[Ends, Ends], list[tuple[Ends, Ends]]]:
    """Cut a box by a row that meets it.

    Returns
    -------
    inside : (Ends, Ends)
        What they have in common.
    outside : list of (Ends, Ends)
        Disjoint boxes that hold the rest.
    """
    low, high = low.copy(), high.copy()
    outside = []
    for field in _CUTTING_ORDER:
        if low[field] < row_low[field]:
            beside = high.copy()
            beside[field] = row_low[field]
            outside.append((low.copy(), beside))
            low[field] = row_low[field]
        if row_high[field] < high[field]:
            beside = low.copy()
            beside[field] = row_high[field]
            outside.append((beside, high.copy()))
            high[field] = row_high[field]
    return (low, high), outside


def find_outside(
    low: Ends, high: Ends, rows_low: Ends, rows_high: Ends, work: Work, prefer: Callable[[Ends, Ends], int] | None = None
) -> tuple[Ends, Ends] | None:
    """Return a box inside a box that none of the rows meets, or None if together they hold all of it.

    Pieces of which `prefer` returns more are looked at first.

    Raises
    ------
    WorkLimitError
        If it takes more than `work` allows.
    """
    waiting = [(low, high, rows_low, rows_high)]
    while waiting:
        low, high, rows_low, rows_high = waiting.pop()
        work.step(len(rows_low))
        met = meeting(low, high, rows_low, rows_high)
        rows_low, rows_high = rows_low[met], rows_high[met]
        if not len(rows_low):
            return low, high
        fields = uncovered(low, high, rows_low, rows_high).sum(axis=1)
        row = int(fields.argmin())
        if not fields[row]:
            continue
        _, outside = cut(low, high, rows_low[row], rows_high[row])
        if prefer is not None:
            outside.sort(key=lambda piece: prefer(*piece))
        waiting.extend((*piece, rows_low, rows_high) for piece in outside)
    return None


def merged(boxes: Iterable[tuple[tuple[int, ...], tuple[int, ...]]]) -> list[tuple[tuple[int, ...], tuple[int, ...]]]:
    """Join boxes that lie beside each other and are alike in all other fields, as long as there are any."""
    left = set(boxes)
    before = -1
    while before != len(left):
        before = len(left)
        for field in (4, 3, 0, 1, 2, 6, 5):
            lines: dict[Any, list[tuple[int, int]]] = {}
            for low, high in left:
                others = (low[:field], low[field + 1 :], high[:field], high[field + 1 :])
                lines.setdefault(others, []).append((low[field], high[field]))
            left = set()
            for (low_before, low_after, high_before, high_after), ranges in lines.items():
                ranges.sort()
                start, end = ranges[0]
                for next_start, next_end in [*ranges[1:], (-1, -1)]:
                    if next_start == end:
                        end = next_end
                        continue
                    left.add(((*low_before, start, *low_after), (*high_before, end, *high_after)))
                    start, end = next_start, next_end
    return sorted(left)


def _ranges(filters: SpecificFilters, family: int) -> list[tuple[list[int], list[int]]]:
    rows = filters.rows[filters.rows["family"] == family]
    found = []
    for field in ("src", "dst"):
        ends = []
        for end in ("lo", "hi"):
            words = rows[f"{field}_{end}"]
            ends.append([high << 64 | low for high, low in words.tolist()] if family == 6 else words[:, 1].tolist())
        found.append((ends[0], ends[1]))
    found.extend((rows[f"{field}_lo"].tolist(), rows[f"{field}_hi"].tolist()) for field in _NUMBERS)
    for field, every in (("direction", BOTH), ("interface", ALL)):
        either = rows[field] == every
        found.append((np.where(either, 0, rows[field]).tolist(), np.where(either, 1, rows[field]).tolist()))
    return found
