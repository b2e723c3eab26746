"""Which rows a packet meets, which it nearly meets, and what it misses them by."""

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from pastore.filters.specific import ALL, BOTH, SpecificFilters, join, split
from pastore.filters.text import ip_text, range_text
from pastore.filters.weight import SpecificFilter
from pastore.packets.names import protocol_name
from pastore.packets.packet import Packet

FIELDS: Final = ("protocol", "source", "destination", "source port", "destination port", "direction", "interface type")


@dataclass(frozen=True, slots=True)
class Near:
    """A row and the fields in which a packet misses it (none for a match)."""

    index: int
    misses: tuple[str, ...]


def rows_near(filters: SpecificFilters, packet: Packet, *, at_most: int = 1) -> list[Near]:
    """Return the rows a packet matches, or misses in at most so many fields, in the order tried.

    Parameters
    ----------
    filters : SpecificFilters
    packet : Packet
    at_most : int
    """
    rows = filters.rows
    missed = np.column_stack(
        [
            _outside(rows, "protocol", packet.protocol),
            _outside_address(rows, "src", packet.src),
            _outside_address(rows, "dst", packet.dst),
            _outside(rows, "sport", packet.sport),
            _outside(rows, "dport", packet.dport),
            (rows["direction"] != BOTH) & (rows["direction"] != packet.direction),
            (rows["interface"] != ALL) & (rows["interface"] != packet.interface),
        ]
    ).reshape(len(rows), len(FIELDS))
    near = np.flatnonzero((missed.sum(axis=1) <= at_most) & (rows["family"] == packet.family))
    return [Near(int(at), tuple(name for name, miss in zip(FIELDS, missed[at], strict=True) if miss)) for at in near]


def _outside(rows: npt.NDArray[np.void], field: str, value: int) -> npt.NDArray[np.bool_]:
    result: npt.NDArray[np.bool_] = (rows[f"{field}_lo"] > value) | (rows[f"{field}_hi"] < value)
    return result


def _outside_address(rows: npt.NDArray[np.void], field: str, value: int) -> npt.NDArray[np.bool_]:
    high, low = (np.uint64(word) for word in split(value))
    lo, hi = rows[f"{field}_lo"], rows[f"{field}_hi"]
    below = (lo[:, 0] > high) | ((lo[:, 0] == high) & (lo[:, 1] > low))
    above = (hi[:, 0] < high) | ((hi[:, 0] == high) & (hi[:, 1] < low))
    result: npt.NDArray[np.bool_] = below | above
    return result


def miss_text(row: Any, packet: Packet, field: str) -> str:
    """Return one sentence part: ``destination port 443 is not 445``."""
    family = packet.family
    if field == "protocol":
        low, high = int(row["protocol_lo"]), int(row["protocol_hi"])
        wanted = protocol_name(low) if low == high else f"in {low}-{high}"
        return f"protocol {protocol_name(packet.protocol)} is not {wanted}"
    if field in ("source", "destination"):
        name, value = ("src", packet.src) if field == "source" else ("dst", packet.dst)
        wanted = range_text(family, join(row[f"{name}_lo"]), join(row[f"{name}_hi"]))
        return f"{field} {ip_text(family, value)} is not {'in ' if '/' in wanted or '-' in wanted else ''}{wanted}"
    if field in ("source port", "destination port"):
        name, value = ("sport", packet.sport) if field == "source port" else ("dport", packet.dport)
        low, high = int(row[f"{name}_lo"]), int(row[f"{name}_hi"])
        return f"{field} {value} is not {low if low == high else f'in {low}-{high}'}"
    if field == "direction":
        return f"it is for packets going {'out' if row['direction'] == 1 else 'in'}"
    return f"it is for {'ras' if row['interface'] == 1 else 'lan'} interfaces"


def outranked(winner: SpecificFilter, other: SpecificFilter) -> str:
    """Return why a matching row lost against the one that decides, both ordered by weight."""
    if winner.address_bits != other.address_bits:
        return f"it is less specific: {other.address_bits} address bits against {winner.address_bits}"
    if winner.protocol_set != other.protocol_set:
        return "it is less specific: it leaves the protocol open"
    if winner.ports_set != other.ports_set:
        return f"it is less specific: it sets {other.ports_set or 'no'} port against {winner.ports_set}"
    if winner.action != other.action:
        return "it is equally specific, and block goes before protect before allow"
    return "it is equally specific with the same action, and comes later by GUID"
