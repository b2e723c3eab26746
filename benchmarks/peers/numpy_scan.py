"""The peer every NumPy user has at hand: all rows against one packet, column by column."""

from typing import Any

import numpy as np
import numpy.typing as npt

from pastore.filters.specific import SpecificFilters


class NumpyScan:
    """First match of IPv4 packets by whole-column comparisons.

    Parameters
    ----------
    filters : SpecificFilters
        IPv4 rows that apply in both directions and on all interfaces.
    """

    def __init__(self, filters: SpecificFilters) -> None:
        rows = filters.rows
        self.bounds = [
            (rows["src_lo"][:, 1].astype(np.uint32), rows["src_hi"][:, 1].astype(np.uint32)),
            (rows["dst_lo"][:, 1].astype(np.uint32), rows["dst_hi"][:, 1].astype(np.uint32)),
            (rows["protocol_lo"].copy(), rows["protocol_hi"].copy()),
            (rows["sport_lo"].copy(), rows["sport_hi"].copy()),
            (rows["dport_lo"].copy(), rows["dport_hi"].copy()),
        ]

    def classify(self, *columns: npt.NDArray[Any]) -> npt.NDArray[np.int32]:
        """Return the first matching row of each packet, -1 for none; columns src, dst, protocol, sport, dport."""
        out = np.full(len(columns[0]), -1, np.int32)
        for at, packet in enumerate(zip(*columns, strict=True)):
            hit = np.ones(len(self.bounds[0][0]), bool)
            for (low, high), value in zip(self.bounds, packet, strict=True):
                hit &= (low <= value) & (value <= high)
            first = int(hit.argmax())
            if hit[first]:
                out[at] = first
        return out
