"""The same questions about a policy as formulas over bit vectors, put to Z3.

A packet is seven variables of the width of their fields; a row is the conjunction of its bounds. Nothing is enumerated, and there
are no boxes: the solver either finds a packet or proves that there is none.
"""

from typing import Any, Final

import z3

from pastore.filters.expand import Expansion, PolicyFilter
from pastore.filters.host import Host
from pastore.filters.specific import join
from pastore.filters.weight import specificity
from pastore.model import Action

_WIDTH: Final = {4: 32, 6: 128}


class Formulas:
    """The rows of one family as formulas, in the order tried."""

    def __init__(self, expansion: Expansion, host: Host, family: int) -> None:
        width = _WIDTH[family]
        names = (
            ("src", width),
            ("dst", width),
            ("protocol", 8),
            ("sport", 16),
            ("dport", 16),
            ("direction", 1),
            ("interface", 1),
        )
        self.packet = {name: z3.BitVec(name, bits) for name, bits in names}
        self.answer = {
            **self.packet,
            "src": self.packet["dst"],
            "dst": self.packet["src"],
            "sport": self.packet["dport"],
            "dport": self.packet["sport"],
            "direction": ~self.packet["direction"],
        }
        self.ids = [at for at, row in enumerate(expansion.filters.rows) if row["family"] == family]
        rows = [expansion.filters.rows[at] for at in self.ids]
        self.rows = rows
        self.here = [self._row(row, self.packet) for row in rows]
        self.there = [self._row(row, self.answer) for row in rows]
        self.owner = [int(row["filter"]) for row in rows]
        self.action = [int(row["action"]) for row in rows]
        self.exempt = [int(row["exempt"]) for row in rows]
        self.level = [specificity(row) if (row := expansion.specific[at]) else None for at in self.ids]

        self.host, self.family = host, family
        self.unseen, self.unanswered = self._unseen(self.packet), self._unseen(self.answer)

    def _unseen(self, packet: dict[str, Any]) -> Any:
        """Return the formula of the packets that no filter of this computer sees."""
        local = self.host.local(self.family)
        if not local:
            return z3.BoolVal(False)

        def inside(end: str) -> Any:
            return z3.Or([z3.And(z3.UGE(packet[end], low), z3.ULE(packet[end], high)) for low, high in local])

        src, dst, way = packet["src"], packet["dst"], packet["direction"]
        many = [z3.UGE(dst, 0xE0000000 if self.family == 4 else 0xFF << 120)]
        many += [dst == each.broadcast for each in self.host.me if each.family == self.family and each.broadcast]
        not_from_here = z3.And(way == 1, z3.Not(inside("src")), src != 0)
        not_to_here = z3.And(way == 0, z3.Not(inside("dst")), z3.Not(z3.Or(many)))
        return z3.Or(z3.And(inside("src"), inside("dst")), not_from_here, not_to_here)

    @staticmethod
    def _row(row: Any, packet: dict[str, Any]) -> Any:
        parts = []
        for field in ("src", "dst", "protocol", "sport", "dport"):
            low, high = row[f"{field}_lo"], row[f"{field}_hi"]
            if field in ("src", "dst"):
                low, high = join(low), join(high)
            parts += [z3.UGE(packet[field], int(low)), z3.ULE(packet[field], int(high))]
        parts += [packet[field] == int(row[field]) for field in ("direction", "interface") if row[field] != 2]
        return z3.And(parts)

    def decides(self, row: int) -> Any:
        """Return the formula of the packets that a row decides."""
        return z3.And(self.here[row], z3.Not(z3.Or(self.here[:row])), z3.Not(self.unseen))

    def instead(self, row: int, without: set[int], wanted: set[int]) -> Any:
        """Return the formula: of the rows after `row`, without some owners' rows, the first that holds it is one of `wanted`."""
        result: Any = z3.BoolVal(False)
        for at in reversed(range(row + 1, len(self.here))):
            if self.owner[at] not in without:
                result = z3.If(self.here[at], z3.BoolVal(at in wanted), result)
        return result

    def is_blocked(self, rows: list[Any]) -> Any:
        """Return the formula of what is blocked, for the packet or for its answer."""
        result: Any = z3.BoolVal(False)
        for at in reversed(range(len(rows))):
            result = z3.If(rows[at], z3.BoolVal(self.action[at] == Action.BLOCK), result)
        return result


class Solver:
    """The answers about one policy; filters are named by the line of their origin."""

    def __init__(self, expansion: Expansion, host: Host) -> None:
        self.expansion = expansion
        self.families = [Formulas(expansion, host, family) for family in (4, 6)]
        self.sources = expansion.filters.sources
        self.dead = self._dead()

    @staticmethod
    def exists(*formulas: Any) -> bool:
        solver = z3.SolverFor("QF_BV")
        solver.add(*formulas)
        answer = solver.check()
        assert answer != z3.unknown
        return bool(answer == z3.sat)

    def line(self, owner: int) -> int:
        source = self.sources[owner]
        assert isinstance(source, PolicyFilter)
        assert source.filter.origin.line is not None
        return source.filter.origin.line

    def _rows(self) -> dict[int, list[tuple[Formulas, int]]]:
        found: dict[int, list[tuple[Formulas, int]]] = {}
        for family in self.families:
            for row, owner in enumerate(family.owner):
                if not family.exempt[row]:
                    found.setdefault(owner, []).append((family, row))
        return found

    def _dead(self) -> set[int]:
        return {
            owner for owner, rows in self._rows().items() if not any(self.exists(family.decides(row)) for family, row in rows)
        }

    def hidden(self) -> set[int]:
        return {self.line(owner) for owner in self.dead}

    def outcome(self, owner: int) -> Any:
        source = self.sources[owner]
        if not isinstance(source, PolicyFilter):
            return "exempt"
        does = source.node.filter_action
        assert does is not None
        if does.action is not Action.PROTECT:
            return does.action
        return does.action, does.soft, does.inpass, does.offers, source.node.auth_methods

    def redundant(self) -> set[int]:
        found = set()
        for owner, rows in self._rows().items():
            if owner in self.dead:
                continue
            same = {other for other in range(len(self.sources)) if self.outcome(other) == self.outcome(owner)}

            def changes(family: Formulas, row: int, owner: int = owner, same: set[int] = same) -> bool:
                wanted = {at for at, other in enumerate(family.owner) if other in same}
                return any(
                    self.exists(family.decides(row), z3.Not(family.instead(row, without, wanted)))
                    for without in ({owner}, {owner} | self.dead)
                )

            if not any(changes(family, row) for family, row in rows):
                found.add(self.line(owner))
        return found

    def disagreeing(self) -> set[tuple[int, int]]:
        found = set()
        for family in self.families:
            for one in range(len(family.here)):
                for other in range(one + 1, len(family.here)):
                    if (
                        family.level[one] is not None
                        and family.level[one] == family.level[other]
                        and family.action[one] != family.action[other]
                        and family.owner[one] != family.owner[other]
                        and self.exists(family.decides(one), family.here[other])
                    ):
                        found.add((self.line(family.owner[one]), self.line(family.owner[other])))
        return found

    def one_way(self) -> set[int]:
        found = set()
        blocked = {id(family): z3.Or(family.is_blocked(family.there), family.unanswered) for family in self.families}
        for owner, rows in self._rows().items():
            if owner in self.dead or self.outcome(owner) is Action.BLOCK:
                continue
            if not any(self.exists(family.decides(row), z3.Not(family.unanswered)) for family, row in rows):
                continue
            if not any(self.exists(family.decides(row), z3.Not(blocked[id(family)])) for family, row in rows):
                found.add(self.line(owner))
        return found
