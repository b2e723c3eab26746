"""The order in which specific filters are tried, and filters that this order cannot tell apart.

Windows tries the most specific filter first; its exact formula is not published. Ours is in docs/adr/001-filter-order.md and can
be replaced: `expand` takes any function from a `SpecificFilter` to a sort key.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

import numpy as np
import numpy.typing as npt

from pastore.model import Action

PAIR_LIMIT: Final = 20_000_000  # pairs of rows compared in search of conflicts before the search is cut short
CONFLICT_LIMIT: Final = 100  # conflicts reported for one policy


@dataclass(frozen=True, slots=True)
class SpecificFilter:
    """One row in the making: a directed filter with addresses filled in.

    Parameters
    ----------
    source : int
        Index of the generic filter it came from.
    listed : int
        Position in which it was produced: rules, filter lists and filters as they stand.
    address_bits : int
        Bits of source plus destination that are fixed; ``me``, servers and hosts count in full.
    protocol_set : bool
    ports_set : int
        How many of the two ports are restricted.
    """

    source: int
    listed: int
    family: int
    src: tuple[int, int]
    dst: tuple[int, int]
    protocol: tuple[int, int]
    sport: tuple[int, int]
    dport: tuple[int, int]
    direction: int
    interface: int
    action: Action
    flags: int
    address_bits: int
    protocol_set: bool
    ports_set: int
    rule: UUID
    filter: UUID
    mirrored_copy: bool

    @property
    def conditions(self) -> tuple[Any, ...]:
        """What a packet must meet; two filters with equal conditions cannot both be added."""
        return (
            self.family,
            self.src,
            self.dst,
            self.protocol,
            self.sport,
            self.dport,
            self.direction,
            self.interface,
        )


Order = Callable[[SpecificFilter], Any]

_PRECEDENCE: Final = {Action.BLOCK: 0, Action.PROTECT: 1, Action.ALLOW: 2}


def weight(row: SpecificFilter) -> tuple[Any, ...]:
    """Most specific first: address bits, protocol, ports; then block, protect, allow; then GUIDs, the mirrored copy last."""
    return (*specificity(row), _PRECEDENCE[row.action], row.rule.int, row.filter.int, row.mirrored_copy, row.listed)


def specificity(row: SpecificFilter) -> tuple[int, bool, int]:
    """Return the part of the weight that says how specific a filter is; smaller is more specific."""
    return (-row.address_bits, not row.protocol_set, -row.ports_set)


def first_match(row: SpecificFilter) -> int:
    """As listed."""
    return row.listed


ORDERS: Final[dict[str, Order]] = {"weight": weight, "first-match": first_match}


def range_bits(low: int, high: int, family: int) -> int:
    """Return how many leading bits a range fixes: the address length less the bits needed to count its addresses."""
    return (32 if family == 4 else 128) - (high - low).bit_length()


def conflicts(rows: list[SpecificFilter]) -> Iterator[tuple[int, int] | None]:
    """Find pairs of rows of equal specificity that overlap and act differently.

    Parameters
    ----------
    rows : list of SpecificFilter
        In the order tried.

    Yields
    ------
    tuple of int
        Positions of the two rows, the one that is tried first before the other. At last None if the search was cut short by
        `PAIR_LIMIT`.
    """
    groups: dict[Any, list[int]] = {}
    for position, row in enumerate(rows):
        groups.setdefault((row.family, *specificity(row)), []).append(position)
    pairs = 0
    for positions in groups.values():
        if len({rows[position].action for position in positions}) < 2:
            continue
        lanes = _lanes([rows[position] for position in positions])
        for at in range(len(positions) - 1):
            pairs += len(positions) - at
            if pairs > PAIR_LIMIT:
                yield None
                return
            for other in np.flatnonzero(_overlap(lanes, at)):
                yield positions[at], positions[at + 1 + int(other)]


def _lanes(rows: list[SpecificFilter]) -> list[tuple[npt.NDArray[Any], npt.NDArray[Any]]]:
    """Return (low, high) columns of every field; 128-bit addresses and codes become ranks of their sorted values."""
    lanes = []
    for field in ("src", "dst", "protocol", "sport", "dport"):
        bounds = [getattr(row, field) for row in rows]
        rank = {value: at for at, value in enumerate(sorted({value for pair in bounds for value in pair}))}
        lanes.append((np.array([rank[low] for low, _ in bounds]), np.array([rank[high] for _, high in bounds])))
    for codes in ([row.direction for row in rows], [row.interface for row in rows]):
        low = np.array([0 if code == 2 else code for code in codes])
        high = np.array([1 if code == 2 else code for code in codes])
        lanes.append((low, high))
    actions = np.array([int(row.action) for row in rows])
    lanes.append((actions, actions))
    return lanes


def _overlap(lanes: list[tuple[npt.NDArray[Any], npt.NDArray[Any]]], at: int) -> npt.NDArray[np.bool_]:
    """Return which rows after `at` overlap it in every field and differ in action."""
    *fields, (actions, _) = lanes
    hit: npt.NDArray[np.bool_] = actions[at + 1 :] != actions[at]
    for low, high in fields:
        hit &= (low[at + 1 :] <= high[at]) & (low[at] <= high[at + 1 :])
    return hit
