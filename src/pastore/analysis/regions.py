"""Sets of packets as boxes of ranges, one in each of seven fields.

Source, destination, protocol, source port, destination port, direction, interface type. How boxes are taken from each other is
told in `pastore.filters.boxes`.
"""

from typing import Any, Final

from pastore.filters.boxes import BOX_LIMIT, Box, Range, TooManyBoxesError, overlap, subtract
from pastore.filters.specific import ALL, BOTH, join

__all__ = ["BOX_LIMIT", "Box", "Range", "TooManyBoxesError", "box_of", "overlap", "subtract"]

_FIELDS: Final = ("protocol", "sport", "dport")


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
