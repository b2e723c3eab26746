"""Every packet that can be told apart, against every row: the answers about a small policy without any cleverness.

It takes the rows of an expansion and knows nothing of boxes, trees or zones. A value of a field stands for all up to the next
bound of a row, so that the packets it looks at are all that there are.
"""

from collections.abc import Iterator
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from pastore.filters.expand import Expansion, PolicyFilter
from pastore.filters.host import Host
from pastore.filters.specific import EXEMPTIONS, join
from pastore.filters.weight import specificity
from pastore.model import Action, AddressKind

Mask = npt.NDArray[np.bool_]
Sets = npt.NDArray[np.uint64]
_OWN: Final = np.uint64(1 << 62)
_ANSWER_BLOCKED: Final = np.uint64(1 << 63)
_NO_ANSWER: Final = np.uint64(1 << 61)
_FIELDS: Final = ("src", "dst", "protocol", "sport", "dport")
_LAST: Final = {4: (1 << 32) - 1, 6: (1 << 128) - 1}


class Family:
    """All packets of a family, as the sets of rows that hold them.

    A set is a number with a bit for each row, the first one lowest. Values of a field that the same rows hold are one.
    """

    def __init__(self, expansion: Expansion, host: Host, family: int) -> None:
        self.family = family
        self.rows = [int(at) for at in np.flatnonzero(expansion.filters.rows["family"] == family)]
        assert len(self.rows) <= 60
        rows = [expansion.filters.rows[at] for at in self.rows]
        self.ranges = [
            [*(_bounds(row, field) for field in _FIELDS), _both(row["direction"]), _both(row["interface"])] for row in rows
        ]
        self.local = host.local(family)
        self.broadcasts = [each.broadcast for each in host.me if each.family == family and each.broadcast]
        bounds = [[ranges[field] for ranges in self.ranges] for field in range(5)]
        many = (0xE0000000 if family == 4 else 0xFF << 120, _LAST[family])
        special = [(0, 0), many, *self.local, *((each, each) for each in self.broadcasts)]
        addresses = self._told_apart(_starts([*bounds[0], *bounds[1], *special], _LAST[family]), (0, 1))
        ports = self._told_apart(_starts([*bounds[3], *bounds[4], (88, 88)], 65535), (3, 4))
        protocols = self._told_apart(_starts(bounds[2], 255), (2,))
        self.values: list[list[int]] = [addresses, addresses, protocols, ports, ports, [0, 1], [0, 1]]
        self.owner = np.array([int(row["filter"]) for row in rows], np.int64)
        self.action = np.array([int(row["action"]) for row in rows] + [0])
        self.exempt = np.array([int(row["exempt"]) for row in rows], np.int64)
        sets = self.sets(self.values)
        blocked = self.blocks(sets)
        own = self.unseen(self.values)
        answer, none = (
            np.broadcast_to(each, sets.shape).transpose(1, 0, 2, 4, 3, 5, 6)[:, :, :, :, :, ::-1] for each in (blocked, own)
        )
        self.kinds = np.unique(sets | own * _OWN | answer * _ANSWER_BLOCKED | none * _NO_ANSWER)
        self.kinds = self.kinds[(self.kinds & _OWN) == 0]  # no filter sees the others
        self.answer_blocked = (self.kinds & _ANSWER_BLOCKED) != 0
        self.unanswerable = (self.kinds & _NO_ANSWER) != 0
        self.kinds &= ~(_ANSWER_BLOCKED | _NO_ANSWER)
        self.decided = self.first(self.kinds)

    def is_many(self, value: int) -> bool:
        """Whether an address stands for many computers."""
        return value >= (0xE0000000 if self.family == 4 else 0xFF << 120) or value in self.broadcasts

    def unseen(self, values: list[list[int]]) -> Mask:
        """Return which packets of a grid no filter of this computer sees."""
        if not self.local:
            return np.zeros((1,) * 7, bool)
        held = np.zeros((len(values[0]), len(values[1]), 2), bool)
        for at, src in enumerate(values[0]):
            for to, dst in enumerate(values[1]):
                mine = [any(low <= end <= high for low, high in self.local) for end in (src, dst)]
                held[at, to, 1] = all(mine) or not (mine[0] or src == 0)
                held[at, to, 0] = all(mine) or not (mine[1] or self.is_many(dst))
        result: Mask = held[:, :, None, None, None, values[5], None]
        return result

    def _told_apart(self, values: list[int], fields: tuple[int, ...]) -> list[int]:
        held: dict[Any, int] = {}
        for value in values:
            key = (
                tuple(ranges[field][0] <= value <= ranges[field][1] for ranges in self.ranges for field in fields),
                fields[0] == 0
                and bool(self.local)
                and (any(low <= value <= high for low, high in self.local), value == 0, self.is_many(value)),
                fields[0] == 3 and value == 88,
            )
            held.setdefault(key, value)
        return list(held.values())

    def sets(self, values: list[list[int]], *, turned: bool = False) -> Sets:
        """Return the rows that hold each packet of a grid, or the answer to it."""
        found = np.zeros(tuple(len(each) for each in values), np.uint64)
        for at, ranges in enumerate(self.ranges):
            asked = ranges
            if turned:
                src, dst, protocol, sport, dport, direction, interface = ranges
                asked = [dst, src, protocol, dport, sport, (1 - direction[1], 1 - direction[0]), interface]
            held: Any = np.ones((1,) * 7, bool)
            for field, (low, high) in enumerate(asked):
                inside = np.array([low <= value <= high for value in values[field]], bool)
                held = held & inside.reshape([-1 if each == field else 1 for each in range(7)])
            found |= held * np.uint64(1 << at)
        return found

    def holding(self, row: int) -> Mask:
        """Return which kinds of packets a row holds."""
        held: Mask = (self.kinds & np.uint64(1 << row)) != 0
        return held

    def bits(self, rows: Mask) -> np.uint64:
        return np.uint64(sum(1 << int(row) for row in np.flatnonzero(rows)))

    def first(self, sets: Sets) -> npt.NDArray[np.int64]:
        """Return the row that decides, -1 for none."""
        lowest = sets & (~sets + np.uint64(1))
        return np.where(sets == 0, -1, np.log2(np.maximum(lowest, 1).astype(np.float64)).astype(np.int64))

    def blocks(self, sets: Sets) -> Mask:
        """Return where the row that decides blocks."""
        blocked: Mask = self.action[self.first(sets)] == Action.BLOCK
        return blocked


class BruteForce:
    """The answers about one policy; filters are named by the line of their origin."""

    def __init__(self, expansion: Expansion, host: Host) -> None:
        self.expansion, self.host = expansion, host
        self.families = [Family(expansion, host, family) for family in (4, 6)]
        self.sources = expansion.filters.sources
        self.dead = self._dead()

    def line(self, owner: int) -> int:
        source = self.sources[owner]
        assert isinstance(source, PolicyFilter)
        assert source.filter.origin.line is not None
        return source.filter.origin.line

    def _filters(self) -> set[int]:
        return {int(owner) for family in self.families for owner in family.owner[family.exempt == 0]}

    def _dead(self) -> set[int]:
        alive = {int(family.owner[row]) for family in self.families for row in np.unique(family.decided) if row >= 0}
        return self._filters() - alive

    def outcome(self, owner: int) -> Any:
        source = self.sources[owner]
        if not isinstance(source, PolicyFilter):
            return "exempt"
        does = source.node.filter_action
        assert does is not None
        if does.action is not Action.PROTECT:
            return does.action
        return does.action, does.soft, does.inpass, does.offers, source.node.auth_methods

    def hidden(self) -> tuple[set[int], set[str]]:
        """Return the lines of filters that never decide, and the rules of which none does; the filters of those are left out."""
        rules: dict[str, set[int]] = {}
        for owner in self._filters():
            rules.setdefault(self.sources[owner].rule or "", set()).add(owner)
        wholly = {name for name, owners in rules.items() if owners <= self.dead}
        return {self.line(owner) for owner in self.dead if self.sources[owner].rule not in wholly}, wholly

    def redundant(self) -> set[int]:
        numbers: dict[Any, int] = {}
        what = [numbers.setdefault(self.outcome(owner), len(numbers)) for owner in range(len(self.sources))]

        def verdicts(family: Family, without: set[int]) -> npt.NDArray[np.int64]:
            outcomes = np.array([*(what[owner] for owner in family.owner), -1])
            left = family.kinds & ~family.bits(np.isin(family.owner, list(without)))
            return outcomes[family.first(left)]

        usual = [verdicts(family, set()) for family in self.families]
        found = set()
        for owner in self._filters() - self.dead:
            if all(
                (verdicts(family, without) == same).all()
                for family, same in zip(self.families, usual, strict=True)
                for without in ({owner}, {owner} | self.dead)
            ):
                found.add(self.line(owner))
        return found

    def disagreeing(self) -> set[tuple[int, int]]:
        found = set()
        for family in self.families:
            levels = [specificity(row) if (row := self.expansion.specific[at]) else None for at in family.rows]
            for one, other in _pairs(family):
                if levels[one] is None or levels[one] != levels[other] or family.action[one] == family.action[other]:
                    continue
                if ((family.decided == one) & family.holding(other)).any():
                    found.add((self.line(int(family.owner[one])), self.line(int(family.owner[other]))))
        return found

    def undone(self) -> dict[int, set[int]]:
        found: dict[int, set[int]] = {}
        for family in self.families:
            for one, other in _pairs(family):
                if family.exempt[one] or family.action[one] != Action.ALLOW or family.action[other] != Action.BLOCK:
                    continue
                if not any(map(_is_wider, family.ranges[one][:5], family.ranges[other][:5])):
                    continue
                instead = family.first(family.kinds & ~family.bits(family.owner == family.owner[one]))
                if ((family.decided == one) & (instead == other)).any():
                    found.setdefault(self.line(int(family.owner[one])), set()).add(self.line(int(family.owner[other])))
        return found

    def one_way(self) -> set[int]:
        found = set()
        for owner in self._filters() - self.dead:
            if self.outcome(owner) is Action.BLOCK:
                continue
            answers = set()
            for family in self.families:
                here = np.isin(family.decided, np.flatnonzero(family.owner == owner)) & ~family.unanswerable
                answers |= set(family.answer_blocked[here].tolist())
            if answers == {True}:
                found.add(self.line(owner))
        return found

    def block_alls(self) -> list[int]:
        wide = (AddressKind.ANY, AddressKind.ME)
        return [
            owner
            for owner, source in enumerate(self.sources)
            if isinstance(source, PolicyFilter)
            and self.outcome(owner) is Action.BLOCK
            and source.filter.src.kind in wide
            and source.filter.dst.kind in wide
            and source.filter.protocol == 0
        ]

    def without_twin(self) -> set[int]:
        four, six = self.families
        blocking = self.block_alls()
        is_known = {
            6 in source.filter.src.families for owner in blocking if isinstance(source := self.sources[owner], PolicyFilter)
        }
        if self.host.me and not self.host.local(6) and True in is_known:
            return set()
        local = self.host.local(6) or [(0, _LAST[6])]
        found = set()
        for owner in blocking:
            for row in np.flatnonzero(four.owner == owner):
                for direction in range(four.ranges[row][5][0], four.ranges[row][5][1] + 1):
                    values = list(six.values)
                    values[1 - direction] = [value for value in values[0] if any(low <= value <= high for low, high in local)]
                    values[5], low_high = [direction], four.ranges[row][6]
                    values[6] = list(range(low_high[0], low_high[1] + 1))
                    if ((six.sets(values) == 0) & ~six.unseen(values)).any():
                        found.add(self.line(owner))
        return found

    def passes(self, family: Family, ranges: list[tuple[int, int]]) -> bool:
        """Whether a packet of a box and its answer are not blocked."""
        values = []
        for field, (low, high) in enumerate(ranges):
            bounds = [each[field] for each in family.ranges]
            turned = {0: 1, 1: 0, 3: 4, 4: 3}.get(field, field)
            bounds += [each[turned] for each in family.ranges]
            starts = range(low, high + 1) if field > 4 else _starts([*bounds, *family.local], _LAST[6])
            values.append(sorted({low, *(value for value in starts if low <= value <= high)}))
        there, back = (family.blocks(family.sets(values, turned=turned)) for turned in (False, True))
        return bool((~there & ~back).any())

    def past_kerberos(self) -> bool:
        kind = EXEMPTIONS.index("kerberos")
        for family in self.families:
            values = list(family.values)
            values[3], values[5] = [88], [0]
            sets = family.sets(values)
            by_kerberos = np.append(family.exempt, 0)[family.first(sets)] == kind
            instead = family.first(sets & ~family.bits(family.exempt != 0))
            # By source port: the same rows by destination port are the service itself.
            source = [row for row in np.flatnonzero(family.exempt == kind) if family.ranges[row][3] == (88, 88)]
            by_source = by_kerberos & np.isin(family.first(sets), source)
            by_source &= ~family.unseen(values)
            if (by_source & (instead >= 0) & (family.action[instead] != Action.ALLOW)).any():
                return True
        return False


def _pairs(family: Family) -> Iterator[tuple[int, int]]:
    for one in range(len(family.rows)):
        for other in range(one + 1, len(family.rows)):
            if family.owner[one] != family.owner[other] and not family.exempt[other]:
                yield one, other


def _is_wider(wide: tuple[int, int], narrow: tuple[int, int]) -> bool:
    return wide != narrow and wide[0] <= narrow[0] and narrow[1] <= wide[1]


def _bounds(row: Any, field: str) -> tuple[int, int]:
    low, high = row[f"{field}_lo"], row[f"{field}_hi"]
    return (join(low), join(high)) if field in ("src", "dst") else (int(low), int(high))


def _both(code: Any) -> tuple[int, int]:
    return (0, 1) if code == 2 else (int(code), int(code))


def _starts(bounds: list[tuple[int, int]], last: int) -> list[int]:
    return sorted({0, *(low for low, _ in bounds), *(high + 1 for _, high in bounds if high < last)})
