"""The order in which specific filters are tried.

Windows tries the most specific filter first; its exact formula is not published. Ours is in docs/adr/001-filter-order.md and can
be replaced: `expand` takes any function from a `SpecificFilter` to a sort key.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

from pastore.model import Action

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
