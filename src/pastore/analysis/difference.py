"""Which packets change their verdict from one list of rows to another, exactly.

Rows that both lists have, in the same order, cannot make a difference by themselves: a packet that lies in no other row meets
the same rows in both. So only the boxes of the other rows are looked at, and cut by all rows that come before, until every piece
is decided by one row, or none, on either side.
"""

from bisect import bisect_left
from dataclasses import dataclass
from math import prod
from typing import Any, Final, NamedTuple

import numpy as np
import numpy.typing as npt

from pastore.analysis.examples import ordinary, packets_of
from pastore.analysis.grid import WORK_LIMIT, Ends, Grid, Work, WorkLimitError, cut, meeting, merged, uncovered
from pastore.analysis.regions import Box
from pastore.filters.specific import EXEMPTIONS, INPASS, SOFT, SpecificFilters
from pastore.filters.text import range_text
from pastore.model import Action
from pastore.packets.names import protocol_name
from pastore.packets.packet import Packet

_TRIED: Final = 8  # rows of either list among which the best one to cut by is looked for
_EVERY: Final = {4: "0.0.0.0/0", 6: "::/0"}
_NOTHING: Final = 0  # the key of packets that meet no row


class Decision(NamedTuple):
    """What happens to a packet: all of a verdict that counts as a change, and who decided, which does not."""

    action: str
    inpass: bool = False
    soft: bool = False
    tunnel: str | None = None
    rule: str | None = None
    exempt: str | None = None

    @property
    def verdict(self) -> tuple[Any, ...]:
        """What must be equal for a packet to keep its verdict."""
        return self[:4]

    @property
    def how(self) -> str:
        """Return what stands beside the action: ``inpass, soft, tunnel to 192.0.2.1``; empty if nothing does."""
        parts = ["inpass"] * self.inpass + ["soft"] * self.soft + ([f"tunnel to {self.tunnel}"] if self.tunnel else [])
        return ", ".join(parts)


UNTOUCHED: Final = Decision("none")


@dataclass(frozen=True, slots=True)
class Change:
    """A box of packets that change their verdict in the same way.

    Parameters
    ----------
    family : int
        4 or 6.
    box : tuple of (int, int)
        Inclusive ranges: source, destination, protocol, source port, destination port, direction, interface type.
    old, new : Decision
    """

    family: int
    box: Box
    old: Decision
    new: Decision

    @property
    def src(self) -> str:
        """Return the sources: an address, a prefix or ``low-high``; any is ``0.0.0.0/0`` or ``::/0``."""
        return self._addresses(0)

    @property
    def dst(self) -> str:
        """Return the destinations."""
        return self._addresses(1)

    def _addresses(self, field: int) -> str:
        text = range_text(self.family, *self.box[field])
        return _EVERY[self.family] if text == "any" else text

    @property
    def protocol(self) -> str:
        """Return ``any``, a name or ``low-high``."""
        low, high = self.box[2]
        if (low, high) == (0, 255):
            return "any"
        return protocol_name(low) if low == high else f"{low}-{high}"

    @property
    def sport(self) -> str:
        """Return the source ports: ``any``, ``445`` or ``low-high``."""
        return _ports(self.box[3])

    @property
    def dport(self) -> str:
        """Return the destination ports."""
        return _ports(self.box[4])

    @property
    def direction(self) -> str:
        """Return ``in``, ``out`` or ``both``."""
        low, high = self.box[5]
        return ("in", "out")[low] if low == high else "both"

    @property
    def interface(self) -> str:
        """Return ``lan``, ``ras`` or ``all``."""
        low, high = self.box[6]
        return ("lan", "ras")[low] if low == high else "all"

    @property
    def example(self) -> Packet:
        """Return one packet of them."""
        return self.examples(1)[0]

    def examples(self, n: int) -> list[Packet]:
        """Return up to `n` packets of them, an ordinary one first."""
        found = packets_of(self.family, self.box)
        return [packet for packet, _ in zip(found, range(n), strict=False)]

    def as_dict(self) -> dict[str, Any]:
        """Return the JSON form of the interface contract."""
        return {
            "src": self.src,
            "dst": self.dst,
            "protocol": self.protocol,
            "sport": self.sport,
            "dport": self.dport,
            "direction": self.direction,
            "interface": self.interface,
            "old": self.old.action,
            "new": self.new.action,
            "old_how": self.old.how,
            "new_how": self.new.how,
            "old_rule": self.old.rule,
            "new_rule": self.new.rule,
            "old_exempt": self.old.exempt,
            "new_exempt": self.new.exempt,
            "example": str(self.example),
        }


@dataclass(frozen=True, slots=True)
class Difference:
    """Which packets change their verdict.

    Parameters
    ----------
    changes : tuple of Change
        Disjoint boxes; together, if `decided`, all packets whose verdicts differ, and no others.
    decided : bool
        False if the work limit ended the search: then there may be more, and nothing is known to be equal.
    """

    changes: tuple[Change, ...]
    decided: bool = True

    @property
    def equal(self) -> bool:
        """Whether it is proved that no packet changes its verdict."""
        return self.decided and not self.changes

    def as_dict(self) -> dict[str, Any]:
        """Return the JSON document of the interface contract."""
        return {
            "version": 1,
            "equal": self.equal,
            "decided": self.decided,
            "changes": [change.as_dict() for change in self.changes],
        }


def difference(old: SpecificFilters, new: SpecificFilters, *, limit: int = WORK_LIMIT) -> Difference:
    """Compare the verdicts of two lists of rows on every packet there can be.

    Parameters
    ----------
    old, new : SpecificFilters
        In the order tried.
    limit : int
        How many steps it may take.

    Returns
    -------
    Difference
        Never `equal` without a proof: beyond the limit it is not `decided`.
    """
    work = Work(limit)
    changes: list[Change] = []
    decided = True
    for family in (4, 6):
        search = _Search(family, old, new, work)
        try:
            search.run()
        except WorkLimitError:
            decided = False
        changes.extend(search.changes())
        if not decided:
            break
    return Difference(tuple(changes), decided)


class _Side:
    """The rows of one list in one family, with what each decides as a number."""

    __slots__ = ("high", "key", "low", "odd")

    def __init__(self, grid: Grid, filters: SpecificFilters, keys: dict[Decision, int]) -> None:
        at, low, high = grid.rows(filters)
        key = np.array([keys.setdefault(decision_of(filters, int(row)), len(keys)) for row in at], np.int32)
        # A row with the conditions of an earlier one never decides.
        first = np.sort(np.unique(np.hstack([low, high]), axis=0, return_index=True)[1]) if len(at) else np.empty(0, np.intp)
        self.low, self.high, self.key = low[first], high[first], key[first]
        self.odd = np.ones(len(first), np.bool_)  # no partner in the other list yet


class _Search:
    """The comparison within one family."""

    def __init__(self, family: int, old: SpecificFilters, new: SpecificFilters, work: Work) -> None:
        self.grid = Grid(family, (old, new))
        keys = {UNTOUCHED: _NOTHING}
        self.sides = (_Side(self.grid, old, keys), _Side(self.grid, new, keys))
        self.decisions = list(keys)
        verdicts: dict[Any, int] = {}
        self.verdict = np.array([verdicts.setdefault(decision.verdict, len(verdicts)) for decision in keys], np.int32)
        self.work = work
        self.found: dict[tuple[int, int], list[tuple[tuple[int, ...], tuple[int, ...]]]] = {}
        self._pair()

    def _pair(self) -> None:
        """Find rows that both lists have in the same order, as many as possible: the others are odd."""
        old, new = self.sides
        places = {self._identity(new, at): at for at in range(len(new.key))}
        pairs = [(at, places[name]) for at in range(len(old.key)) if (name := self._identity(old, at)) in places]
        for old_at, new_at in _longest_rising(pairs):
            old.odd[old_at] = new.odd[new_at] = False

    def _identity(self, side: _Side, at: int) -> tuple[bytes, bytes, int]:
        return side.low[at].tobytes(), side.high[at].tobytes(), int(self.verdict[side.key[at]])

    def run(self) -> None:
        """Look at the boxes of all odd rows, the large ones first, each without what was looked at before."""
        low = np.concatenate([side.low[side.odd] for side in self.sides])
        high = np.concatenate([side.high[side.odd] for side in self.sides])
        sizes = np.prod((high - low).astype(np.float64), axis=1)
        order = np.argsort(-sizes, kind="stable")
        low, high = low[order], high[order]
        for at in range(len(low)):
            self._explore(low[at], high[at], low[:at], high[:at])

    def _explore(self, low: Ends, high: Ends, done_low: Ends, done_high: Ends) -> None:
        every = tuple(np.arange(len(side.key)) for side in self.sides)
        waiting = [(low, high, every, done_low, done_high)]
        while waiting:
            low, high, rows, done_low, done_high = waiting.pop()
            self.work.step(len(done_low) + sum(map(len, rows)))
            met = meeting(low, high, done_low, done_high)
            done_low, done_high = done_low[met], done_high[met]
            done_fields = uncovered(low, high, done_low, done_high).sum(axis=1)
            if not done_fields.all():
                continue  # looked at before
            views = [self._view(side, low, high, of_side) for side, of_side in zip(self.sides, rows, strict=True)]
            if self._is_equal(views):
                continue
            if not len(done_low) and not any(len(view.open) for view in views):
                ends = tuple(low.tolist()), tuple(high.tolist())
                self.found.setdefault((views[0].decides, views[1].decides), []).append(ends)
                continue
            inside, outside = cut(low, high, *self._best(views, done_low, done_high, done_fields))
            kept = tuple(view.rows for view in views)
            waiting.extend((*piece, kept, done_low, done_high) for piece in (inside, *outside))

    def _view(self, side: _Side, low: Ends, high: Ends, rows: npt.NDArray[np.intp]) -> "_View":
        rows = rows[meeting(low, high, side.low[rows], side.high[rows])]
        fields = uncovered(low, high, side.low[rows], side.high[rows]).sum(axis=1)
        decides, odd = _NOTHING, False
        covering = np.flatnonzero(fields == 0)
        if len(covering):
            first = int(covering[0])
            decides, odd = int(side.key[rows[first]]), bool(side.odd[rows[first]])
            rows, fields = rows[: first + 1], fields[: first + 1]
        before = rows[:-1] if len(covering) else rows
        other = np.flatnonzero(side.key[before] != decides)
        # Those at the end that decide as the covering row does change nothing.
        before = before[: int(other[-1]) + 1 if len(other) else 0]
        return _View(side, rows, before, fields[: len(before)], decides, odd)

    def _is_equal(self, views: list["_View"]) -> bool:
        """Whether no packet of a box changes its verdict, as far as it can be told without cutting."""
        if not any(view.odd or view.side.odd[view.open].any() for view in views):
            return True
        verdicts = {int(self.verdict[view.decides]) for view in views}
        return len(verdicts) == 1 and not any(
            (self.verdict[view.side.key[view.open]] != self.verdict[view.decides]).any() for view in views
        )

    def _best(
        self, views: list["_View"], done_low: Ends, done_high: Ends, done_fields: npt.NDArray[np.intp]
    ) -> tuple[Ends, Ends]:
        """Return the row to cut by: one that leaves few pieces."""
        options = [(int(fields), view.side.low[row], view.side.high[row]) for view in views for row, fields in view.first()]
        options.extend(zip(done_fields[:_TRIED].tolist(), done_low, done_high, strict=False))
        return min(options, key=lambda option: option[0])[1:]

    def changes(self) -> list[Change]:
        """Return what was found, by decisions, in boxes as large as can be."""
        result = []
        for (old, new), boxes in self.found.items():
            for low, high in merged(boxes):
                result.append(Change(self.grid.family, self.grid.leave(low, high), self.decisions[old], self.decisions[new]))
        # What people know first, and of that the most.
        result.sort(key=lambda change: (-ordinary(change.family, change.box), -prod(high - low + 1 for low, high in change.box)))
        return result


class _View(NamedTuple):
    """What one side says about a box."""

    side: _Side
    rows: npt.NDArray[np.intp]  # those that meet it, to the first that holds all of it
    open: npt.NDArray[np.intp]  # those of them that decide on a part of it
    fields: npt.NDArray[np.intp]  # in how many fields each of those cuts it
    decides: int  # key of what happens to the rest
    odd: bool  # whether the row that decides on the rest has no partner

    def first(self) -> list[tuple[np.intp, np.intp]]:
        return list(zip(self.open[:_TRIED], self.fields[:_TRIED], strict=True))


def decision_of(filters: SpecificFilters, index: int) -> Decision:
    """Return what a row decides."""
    row, source = filters.rows[index], filters.source(index)
    return Decision(
        str(Action(int(row["action"]))),
        bool(row["flags"] & INPASS),
        bool(row["flags"] & SOFT),
        source.tunnel if source else None,
        source.rule if source else None,
        EXEMPTIONS[row["exempt"]],
    )


def _longest_rising(pairs: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """Return as many pairs as possible whose second numbers rise as their first ones do."""
    ends: list[int] = []  # the least second number that a chain of each length ends with
    last: list[int] = []  # and the pair it belongs to
    previous: list[int] = []
    for at, (_, second) in enumerate(pairs):
        length = bisect_left(ends, second)
        previous.append(last[length - 1] if length else -1)
        ends[length : length + 1] = [second]
        last[length : length + 1] = [at]
    chain = []
    at = last[-1] if last else -1
    while at >= 0:
        chain.append(pairs[at])
        at = previous[at]
    return chain[::-1]


def _ports(ports: tuple[int, int]) -> str:
    low, high = ports
    if (low, high) == (0, 65535):
        return "any"
    return str(low) if low == high else f"{low}-{high}"
