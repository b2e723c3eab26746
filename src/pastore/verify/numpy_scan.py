"""The peer that every user of NumPy has at hand: all rows against a block of packets, column by column."""

from typing import Any, Final

import numpy as np
import numpy.typing as npt

from pastore.filters.specific import ALL, BOTH, SpecificFilters
from pastore.matcher.verdicts import Selection

_CELLS: Final = 1 << 18  # comparisons at a time: the intermediate results stay within the processor's cache
_NUMBERS: Final = ("protocol", "sport", "dport")
_ADDRESSES: Final = ("src", "dst")

Hits = npt.NDArray[np.bool_]
Values = npt.NDArray[Any]


class NumpyScan:
    """First match by comparing whole columns.

    Parameters
    ----------
    filters : SpecificFilters
    """

    def __init__(self, filters: SpecificFilters) -> None:
        self._numbers: dict[int, npt.NDArray[np.int32]] = {}
        self._columns: dict[int, dict[str, Values]] = {}
        for family in (4, 6):
            numbers = np.flatnonzero(filters.rows["family"] == family).astype(np.int32)
            rows = filters.rows[numbers]
            names = ("direction", "interface", *(f"{field}_{end}" for field in _NUMBERS for end in ("lo", "hi")))
            columns: dict[str, Values] = {name: np.ascontiguousarray(rows[name]) for name in names}
            for name in (f"{field}_{end}" for field in _ADDRESSES for end in ("lo", "hi")):
                # The two words of IPv6 one after the other; IPv4 in the type that its packets have.
                columns[name] = np.ascontiguousarray(rows[name].T) if family == 6 else rows[name][:, 1].astype(np.uint32)
            self._numbers[family], self._columns[family] = numbers, columns

    def classify(self, family: int, packets: Selection, n: int) -> npt.NDArray[np.int32]:
        """Return the first row that holds each of the first `n` packets, -1 for none.

        Parameters
        ----------
        family : {4, 6}
        packets : Selection
            Of that family, direction and interface type known.
        n : int
        """
        numbers = self._numbers[family]
        out = np.full(n, -1, np.int32)
        block = max(1, _CELLS // max(1, len(numbers)))
        for start in range(0, n if len(numbers) else 0, block):
            part = slice(start, min(n, start + block))
            hit = self._hits(family, packets, part)
            first = hit.argmax(axis=1)
            found = hit[np.arange(len(first)), first]
            out[part] = np.where(found, numbers[first], -1)
        return out

    def _hits(self, family: int, packets: Selection, part: slice) -> Hits:
        """Return which rows hold which packets, shape (packets, rows)."""
        rows = self._columns[family]
        hit: Hits = (rows["direction"] == BOTH) | (rows["direction"] == packets.direction[part, None])
        hit &= (rows["interface"] == ALL) | (rows["interface"] == packets.interface[part, None])
        for field in (*_NUMBERS, *(_ADDRESSES if family == 4 else ())):
            value = getattr(packets, field)[part, None]
            hit &= rows[f"{field}_lo"] <= value
            hit &= value <= rows[f"{field}_hi"]
        for field in _ADDRESSES if family == 6 else ():
            words = np.ascontiguousarray(getattr(packets, field)[part]).view(">u8").astype(np.uint64)
            high, low = words[:, :1], words[:, 1:]
            lo, hi = rows[f"{field}_lo"], rows[f"{field}_hi"]
            hit &= (lo[0] < high) | ((lo[0] == high) & (lo[1] <= low))
            hit &= (high < hi[0]) | ((high == hi[0]) & (low <= hi[1]))
        return hit
