"""Is there a packet in a flow with one of these verdicts? An example, or the proof that there is none."""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from pastore.analysis.examples import ordinary, packet_of
from pastore.analysis.explain import rows_near
from pastore.analysis.flow import Flow, Networks
from pastore.analysis.grid import WORK_LIMIT, Ends, Grid, Work, WorkLimitError, find_outside, meeting, whole_box
from pastore.analysis.regions import Box, box_of
from pastore.filters.specific import EXEMPTIONS, SpecificFilters
from pastore.model import Action
from pastore.packets.packet import Packet

_ALWAYS: Final = ("isakmp",)
_INBOUND: Final = ("multicast", "broadcast")


@dataclass(frozen=True, slots=True)
class Found:
    """The answer.

    Parameters
    ----------
    packet : Packet, optional
        None if there is none, or if it is not decided.
    index : int
        Row that decides on it, -1 for none.
    decided : bool
        False if the work limit ended the search without a packet: then there may be one.
    """

    packet: Packet | None
    index: int = -1
    decided: bool = True


def find(
    filters: SpecificFilters,
    flow: Flow,
    actions: Collection[Action],
    *,
    unseen: bool = True,
    me: Networks = (),
    limit: int = WORK_LIMIT,
) -> Found:
    """Find a packet of a flow on which one of some actions is taken.

    Parameters
    ----------
    filters : SpecificFilters
        In the order tried.
    flow : Flow
    actions : collection of Action
        ``Action.NONE`` stands for packets that meet no row.
    unseen : bool
        False leaves out the packets that no filter of any policy sees (`unseen_boxes`), as long as the flow has others.
    me : sequence of network
        The local addresses; only `unseen` looks at them.
    limit : int
        How many steps it may take.
    """
    work = Work(limit)
    try:
        for family in (4, 6):
            boxes = [box for of, box in flow.parts if of == family]
            if not boxes:
                continue
            aside = [] if unseen else unseen_boxes(filters, family, me)
            search = _Search(family, filters, [*boxes, *aside], actions, work)
            for box in boxes:
                packet = search.find(box, aside)
                if packet is not None:
                    return _found(filters, packet)
        if not unseen and not _has_others(filters, flow, me, work):
            return find(filters, flow, actions, limit=work.left)
    except WorkLimitError:
        return Found(None, decided=False)
    return Found(None)


def unseen_boxes(filters: SpecificFilters, family: int, me: Networks) -> list[Box]:
    """Return the packets that no filter of any policy sees.

    They are those of the default exemptions that even NoDefaultExempt 3 keeps (ISAKMP, and what comes in by multicast and
    broadcast), and those that the host sends to itself. A whole network as `me` stands for many hosts, which do send to each
    other.
    """
    rows = filters.rows
    found = []
    for row in rows[(rows["exempt"] != 0) & (rows["family"] == family)]:
        kind = EXEMPTIONS[row["exempt"]]
        box = box_of(row)
        if kind in _ALWAYS:
            found.append(box)
        elif kind in _INBOUND:
            found.append((*box[:5], (0, 0), box[6]))
    own = [(int(each.network_address),) * 2 for each in me if each.version == family and each.num_addresses == 1]
    found.extend((src, dst, *whole_box(family)[2:]) for src in own for dst in own)
    return found


def _has_others(filters: SpecificFilters, flow: Flow, me: Networks, work: Work) -> bool:
    for family, box in flow.parts:
        aside = unseen_boxes(filters, family, me)
        grid = Grid(family, (), [box, *aside])
        if find_outside(*grid.enter(box), *_entered(grid, aside), work) is not None:
            return True
    return False


class _Search:
    """The search within one family."""

    def __init__(self, family: int, filters: SpecificFilters, boxes: list[Box], actions: Collection[Action], work: Work) -> None:
        self.family = family
        self.grid = Grid(family, [filters], boxes)
        self.at, self.low, self.high = self.grid.rows(filters)
        rows = filters.rows[self.at]
        self.wanted = np.isin(rows["action"], [int(action) for action in actions])
        self.exempt = rows["exempt"] != 0
        self.untouched = Action.NONE in actions
        self.work = work

    def find(self, box: Box, aside: list[Box]) -> Packet | None:
        """Return a packet of a box that meets none of the boxes put aside."""
        low, high = self.grid.enter(box)
        aside_low, aside_high = _entered(self.grid, aside)
        self.work.step(len(self.low))
        met = np.flatnonzero(meeting(low, high, self.low, self.high))
        holding = np.flatnonzero(((self.low[met] <= low) & (high <= self.high[met])).all(axis=1))
        if len(holding):
            met = met[: int(holding[0]) + 1]  # no later row gets anything
        wanted = met[self.wanted[met]]
        others = met[~self.wanted[met]]
        # What a rule does says more than what an exemption does.
        for row in (*wanted[~self.exempt[wanted]], *wanted[self.exempt[wanted]]):
            before = others[others < row]
            found = self._outside(np.maximum(low, self.low[row]), np.minimum(high, self.high[row]), before, aside_low, aside_high)
            if found is not None:
                return found
        if self.untouched and not len(holding):
            return self._outside(low, high, met, aside_low, aside_high)
        return None

    def _outside(self, low: Ends, high: Ends, rows: npt.NDArray[np.intp], aside_low: Ends, aside_high: Ends) -> Packet | None:
        rows_low = np.concatenate([aside_low, self.low[rows]])
        rows_high = np.concatenate([aside_high, self.high[rows]])
        found = find_outside(low, high, rows_low, rows_high, self.work, self._ordinary)
        return None if found is None else packet_of(self.family, self.grid.leave(*found))

    def _ordinary(self, low: Ends, high: Ends) -> int:
        return ordinary(self.family, self.grid.leave(low, high))


def _entered(grid: Grid, boxes: list[Box]) -> tuple[Ends, Ends]:
    if not boxes:
        return np.empty((0, 7), np.int32), np.empty((0, 7), np.int32)
    entered = [grid.enter(box) for box in boxes]
    return np.array([low for low, _ in entered]), np.array([high for _, high in entered])


def _found(filters: SpecificFilters, packet: Packet) -> Found:
    near = rows_near(filters, packet, at_most=0)
    return Found(packet, near[0].index if near else -1)
