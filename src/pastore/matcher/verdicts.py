"""What a matcher answers with, and what it needs to know of a batch of packets."""

from dataclasses import dataclass
from typing import Any, Final, NamedTuple, Protocol

import numpy as np
import numpy.typing as npt

from pastore.filters.specific import FilterSource

UNKNOWN: Final = 255  # a direction or interface type that a batch does not tell


@dataclass(frozen=True, slots=True)
class Verdict:
    """What happens to one packet, and why.

    Parameters
    ----------
    action : str
        "none" (no filter matches: the packet passes untouched), "allow", "block" or "protect".
    rule : str, optional
        Label of the rule that decided; None when none did, for a default exemption and for rows without a source.
    filter : FilterSource, optional
        The filter that decided.
    index : int, optional
        Row of `Matcher.filters`, -1 for none. None from a matcher that knows actions only; then everything below and `rule` and
        `filter` are None too.
    inpass : bool, optional
        Clear text is accepted inbound.
    soft : bool, optional
        Falls back to clear text when the other side does not answer.
    tunnel : str, optional
        Tunnel endpoint.
    exempt : str, optional
        Which default exemption it is: isakmp, kerberos, rsvp, multicast or broadcast.
    """

    action: str
    rule: str | None = None
    filter: FilterSource | None = None
    index: int | None = None
    inpass: bool | None = None
    soft: bool | None = None
    tunnel: str | None = None
    exempt: str | None = None


@dataclass(frozen=True, slots=True)
class Verdicts:
    """What happens to many packets.

    Parameters
    ----------
    action : numpy.ndarray of uint8, shape (n,)
        0 none, 1 allow, 2 block, 3 protect.
    index : numpy.ndarray of int32, shape (n,), optional
        Row of `Matcher.filters` that decided, -1 for none. None from a matcher that knows actions only. In a `Verdicts` given as
        ``out=``, None means that row numbers are not wanted.
    """

    action: npt.NDArray[np.uint8]
    index: npt.NDArray[np.int32] | None = None

    def __len__(self) -> int:
        return len(self.action)


LAYOUTS = ("one/direct", "one/bands", "one/shape", "two", "four/small", "four/large", "four/compare", "lists", "bits", "linear")
"""Structures a table may have, as `ext/core/tune.c` tells."""


class Stats(NamedTuple):
    """Facts about a matcher.

    `rules` counts the distinct sources that have rows, a row without a source as one of its own, default exemptions not at all.
    `specific_filters` counts all rows, `dead_rows` those of them that can never be the answer because earlier rows take all their
    packets, as far as compiling finds out. `bytes` is what the built table takes, `layout` how it is laid out, one of `LAYOUTS`,
    and `groups` into how many groups its rows are split. `isa` names the instruction set of the lookup.
    """

    rules: int
    specific_filters: int
    build_seconds: float
    bytes: int
    layout: str
    isa: str
    dead_rows: int
    groups: int


class Selection(Protocol):
    """The m packets of one family in a batch, by columns."""

    @property
    def index(self) -> npt.NDArray[np.int64]:
        """Where in the batch the packets stand, shape (m,)."""

    @property
    def src(self) -> npt.NDArray[Any]:
        """Shape (m,) uint32 in host order, or (m, 16) uint8 in network order."""

    @property
    def dst(self) -> npt.NDArray[Any]:
        """As `src`."""

    @property
    def protocol(self) -> npt.NDArray[np.uint8]:
        """IP protocol numbers."""

    @property
    def sport(self) -> npt.NDArray[np.uint16]:
        """Source ports, 0 where a packet has none."""

    @property
    def dport(self) -> npt.NDArray[np.uint16]:
        """Destination ports, 0 where a packet has none."""

    @property
    def direction(self) -> npt.NDArray[np.uint8]:
        """0 in, 1 out, `UNKNOWN` where the batch does not tell."""

    @property
    def interface(self) -> npt.NDArray[np.uint8]:
        """0 lan, 1 ras, `UNKNOWN` where the batch does not tell."""


class Batch(Protocol):
    """Packets of both families, such as `pastore.packets.batch.PacketBatch`."""

    def __len__(self) -> int: ...

    def select(self, family: int, /) -> Selection:
        """Return the packets of a family, 4 or 6."""
