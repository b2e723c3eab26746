"""Specific filters of one family as boxes of cells, which exact questions can be asked about.

All values of a field that no filter tells apart are one cell. Source and destination share their cells, and so do the two ports,
so that a packet and its answer, with the ends exchanged, can be compared.
"""

from collections.abc import Sequence
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from pastore.analysis import _sets
from pastore.analysis.regions import Box
from pastore.filters.specific import ALL, BOTH, SpecificFilters, join
from pastore.model import Action

Cells = npt.NDArray[np.uint32]  # shape (7,): a packet; (14,): a box, the lowest cells before the highest

UNSEEN: Final = -2  # owner of the packets that no filter sees

_USUAL: Final = {4: (0xC0000201, 0x0A000001), 6: ((0x20010DB8 << 96) + 1, (0x20010DB8 << 96) + 2)}
_LAST: Final = {4: (1 << 32) - 1, 6: (1 << 128) - 1}


class Space:
    """The rows of one family.

    Parameters
    ----------
    filters : SpecificFilters
        In the order tried.
    family : int
        4 or 6.
    outcomes : numpy.ndarray of int32, shape (len(filters),)
        Rows with the same number do the same to a packet.
    levels : numpy.ndarray of int32, shape (len(filters),)
        Rows with the same number are equally specific.
    unseen : sequence of Box
        Packets that no filter of this computer ever sees.
    asked : sequence of Box
        Boxes that will be asked about: their bounds are bounds of cells too.

    Attributes
    ----------
    ids : numpy.ndarray of int64
        Which of `filters` are here.
    first : int
        Number of the first of them in `sets`; before it come the packets that are unseen.
    n : int
        One more than the number of the last.
    boxes : numpy.ndarray of uint32, shape (n, 14)
    asked : numpy.ndarray of uint32, shape (len(asked), 14)
    sets : Sets
    """

    def __init__(
        self,
        filters: SpecificFilters,
        family: int,
        outcomes: npt.NDArray[np.int32],
        levels: npt.NDArray[np.int32],
        unseen: Sequence[Box] = (),
        asked: Sequence[Box] = (),
    ) -> None:
        self.family = family
        self.ids = np.flatnonzero(filters.rows["family"] == family)
        rows = filters.rows[self.ids]
        cells = self._cells(rows, [*unseen, *asked])
        count, self.first = len(rows), len(unseen)
        self.n = self.first + count
        self.boxes = np.concatenate([cells[count : count + self.first], cells[:count]])
        self.asked = cells[count + self.first :]
        facts = np.zeros(self.n, _sets.ROW)
        facts["owner"][: self.first] = UNSEEN
        facts["outcome"][: self.first] = -1
        facts["level"][: self.first] = -1
        facts["action"][: self.first] = Action.BLOCK  # an answer that nobody gets is none
        mine = facts[self.first :]
        # A row without a source is an owner of its own.
        mine["owner"] = np.where(rows["filter"] < 0, len(filters.sources) + self.ids, rows["filter"])
        mine["outcome"] = outcomes[self.ids]
        mine["level"] = levels[self.ids]
        mine["action"] = rows["action"]
        self.facts = facts
        self.sets = _sets.Sets(self.boxes, facts, self._usual())

    def _usual(self) -> Cells:
        """Return the cells of an ordinary packet, to be tried before others."""
        ends = [self._cell_of(address) for address in _USUAL[self.family]]
        protocol = int(np.searchsorted(self.protocols, 6, "right")) - 1
        port = int(np.searchsorted(self.ports, 49152, "right")) - 1
        return np.array([*ends, protocol, port, port, 0, 0], np.uint32)

    def _cell_of(self, address: int) -> int:
        high, low = (np.uint64(word) for word in _words(address))
        starts = self.addresses
        return int(((starts[:, 0] < high) | ((starts[:, 0] == high) & (starts[:, 1] <= low))).sum()) - 1

    def _cells(self, rows: npt.NDArray[np.void], more: Sequence[Box]) -> Cells:
        """Number the cells; return the boxes of the rows and then of `more`, shape (k, 14)."""
        count = len(rows) + len(more)
        lo, hi = np.zeros((count, 7), np.uint32), np.zeros((count, 7), np.uint32)
        words = {}
        for field, column in (("src", 0), ("dst", 1)):
            for end, name in enumerate(("lo", "hi")):
                added = np.array([_words(box[column][end]) for box in more], np.uint64).reshape(-1, 2)
                words[field, name] = np.concatenate([rows[f"{field}_{name}"], added])
        self.addresses, numbers = _number_addresses(
            [words["src", "lo"], words["dst", "lo"]], [words["src", "hi"], words["dst", "hi"]], self.family
        )
        lo[:, 0], lo[:, 1], hi[:, 0], hi[:, 1] = numbers
        numeric = {}
        for field, column in (("protocol", 2), ("sport", 3), ("dport", 4)):
            for end, name in enumerate(("lo", "hi")):
                added = np.array([box[column][end] for box in more], np.int64)
                numeric[field, name] = np.concatenate([rows[f"{field}_{name}"].astype(np.int64), added])
        self.protocols, numbers = _number([numeric["protocol", "lo"]], [numeric["protocol", "hi"]], 256)
        lo[:, 2], hi[:, 2] = numbers
        self.ports, numbers = _number(
            [numeric["sport", "lo"], numeric["dport", "lo"]], [numeric["sport", "hi"], numeric["dport", "hi"]], 65536
        )
        lo[:, 3], lo[:, 4], hi[:, 3], hi[:, 4] = numbers
        for field, column, both in (("direction", 5, BOTH), ("interface", 6, ALL)):
            codes = rows[field]
            lo[: len(rows), column] = np.where(codes == both, 0, codes)
            hi[: len(rows), column] = np.where(codes == both, 1, codes)
            for at, box in enumerate(more, len(rows)):
                lo[at, column], hi[at, column] = box[column]
        return np.ascontiguousarray(np.concatenate([lo, hi], axis=1))

    def whole(self, *, direction: tuple[int, int] = (0, 1)) -> Cells:
        """Return the box of all packets, or of those of a direction."""
        last = (len(self.addresses), len(self.addresses), len(self.protocols), len(self.ports), len(self.ports))
        return np.array([0, 0, 0, 0, 0, direction[0], 0, *(each - 1 for each in last), direction[1], 1], np.uint32)

    def values(self, point: Cells) -> Box:
        """Return the values of the cells of a packet, as a box."""
        src, dst, protocol, sport, dport, direction, interface = (int(cell) for cell in point)
        return (
            self._addresses_of(src),
            self._addresses_of(dst),
            _values(self.protocols, protocol, 255),
            _values(self.ports, sport, 65535),
            _values(self.ports, dport, 65535),
            (direction, direction),
            (interface, interface),
        )

    def _addresses_of(self, cell: int) -> tuple[int, int]:
        after = cell + 1
        last = join(self.addresses[after]) - 1 if after < len(self.addresses) else _LAST[self.family]
        return join(self.addresses[cell]), last

    def first_holding(self, point: Cells, start: int) -> int:
        """Return the first row from `start` on that holds a packet, `n` if there is none."""
        boxes = self.boxes[start:]
        held = ((boxes[:, :7] <= point) & (point <= boxes[:, 7:])).all(axis=1)
        return start + int(np.argmax(held)) if held.any() else self.n


def _words(address: int) -> tuple[int, int]:
    return address >> 64, address & 0xFFFFFFFFFFFFFFFF


def _values(starts: npt.NDArray[np.int64], cell: int, last: int) -> tuple[int, int]:
    return int(starts[cell]), int(starts[cell + 1]) - 1 if cell + 1 < len(starts) else last


def _number(lows: list[Any], highs: list[Any], limit: int) -> tuple[npt.NDArray[np.int64], list[npt.NDArray[np.int64]]]:
    """Return where cells begin, and the cells of each of the columns."""
    after = [(high + 1) % limit for high in highs]  # the number after the last is 0, where a cell begins anyway
    starts, inverse = np.unique(np.concatenate([[0], *lows, *after]), return_inverse=True)
    columns = np.split(inverse[1:], len(lows) + len(after))
    return starts, [*columns[: len(lows)], *((column - 1) % len(starts) for column in columns[len(lows) :])]


def _number_addresses(
    lows: list[Any], highs: list[Any], family: int
) -> tuple[npt.NDArray[np.uint64], list[npt.NDArray[np.int64]]]:
    after = []
    for high in highs:
        next_ = high.copy()
        next_[:, 1] += np.uint64(1)
        if family == 4:
            next_[:, 1] &= np.uint64(0xFFFFFFFF)
        else:
            next_[:, 0] += next_[:, 1] == 0
        after.append(next_)
    points = np.concatenate([np.zeros((1, 2), np.uint64), *lows, *after])
    order = np.argsort(points[:, 1], kind="stable") if family == 4 else np.lexsort((points[:, 1], points[:, 0]))
    ordered = points[order]
    fresh = np.ones(len(points), bool)
    fresh[1:] = (ordered[1:] != ordered[:-1]).any(axis=1)
    inverse = np.empty(len(points), np.int64)
    inverse[order] = np.cumsum(fresh) - 1
    starts = ordered[fresh]
    columns = np.split(inverse[1:], len(lows) + len(after))
    return starts, [*columns[: len(lows)], *((column - 1) % len(starts) for column in columns[len(lows) :])]
