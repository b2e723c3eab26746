"""What is right, in a few lines: the first row, in the order given, whose ranges all hold the packet decides.

Slow on purpose. The linear scan of the C core is proved against this, and the fast path against both.
"""

from collections.abc import Sequence
from typing import NamedTuple

from pastore.filters.specific import ALL, BOTH, SpecificFilters, join


class Row(NamedTuple):
    """A row of `SpecificFilters` in plain integers, every range inclusive."""

    family: int
    src: tuple[int, int]
    dst: tuple[int, int]
    protocol: tuple[int, int]
    sport: tuple[int, int]
    dport: tuple[int, int]
    direction: int
    interface: int


class Packet(NamedTuple):
    """A packet in plain integers."""

    family: int
    src: int
    dst: int
    protocol: int
    sport: int
    dport: int
    direction: int
    interface: int


def matches(row: Row, packet: Packet) -> bool:
    """Return whether a row holds a packet."""
    return (
        row.family == packet.family
        and row.direction in (packet.direction, BOTH)
        and row.interface in (packet.interface, ALL)
        and row.src[0] <= packet.src <= row.src[1]
        and row.dst[0] <= packet.dst <= row.dst[1]
        and row.protocol[0] <= packet.protocol <= row.protocol[1]
        and row.sport[0] <= packet.sport <= row.sport[1]
        and row.dport[0] <= packet.dport <= row.dport[1]
    )


def first_match(rows: Sequence[Row], packet: Packet) -> int:
    """Return the number of the row that decides, -1 if there is none."""
    return next((number for number, row in enumerate(rows) if matches(row, packet)), -1)


def plain_rows(filters: SpecificFilters) -> list[Row]:
    """Return the rows of `filters` in plain integers."""
    return [
        Row(
            int(row["family"]),
            (join(row["src_lo"]), join(row["src_hi"])),
            (join(row["dst_lo"]), join(row["dst_hi"])),
            (int(row["protocol_lo"]), int(row["protocol_hi"])),
            (int(row["sport_lo"]), int(row["sport_hi"])),
            (int(row["dport_lo"]), int(row["dport_hi"])),
            int(row["direction"]),
            int(row["interface"]),
        )
        for row in filters
    ]
