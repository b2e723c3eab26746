"""What all questions about one policy share: its rows as sets, the work that may be done, and what was not decided."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from pastore.analysis.examples import packet_of
from pastore.analysis.regions import Box
from pastore.analysis.space import Cells, Space
from pastore.filters.expand import Expansion, PolicyFilter
from pastore.filters.host import UNKNOWN_HOST, Host
from pastore.filters.specific import FilterSource, SpecificFilters
from pastore.filters.weight import specificity
from pastore.findings import Finding
from pastore.model import NOWHERE, Action, Origin
from pastore.packets.packet import Packet

QUESTION_WORK: Final = 1_000_000  # nodes and boxes one question may look at
POLICY_WORK: Final = 2_000_000_000  # and all questions about one policy
LISTED: Final = 1000  # findings of a code for one policy
_NAMED: Final = 3  # filters a message names
_EVERY: Final = {4: (0, (1 << 32) - 1), 6: (0, (1 << 128) - 1)}
_MULTICAST: Final = {4: (0xE0000000, (1 << 32) - 1), 6: (0xFF << 120, (1 << 128) - 1)}  # and the limited broadcast


@dataclass(slots=True)
class Questions:
    """Exact questions about the rows of a policy, or of a list.

    Parameters
    ----------
    filters : SpecificFilters
    spaces : tuple of Space
        IPv4 and IPv6.
    host : Host
    origin : Origin
        Of the policy.
    question_work, policy_work : int
        What one question and all questions may take; see `QUESTION_WORK`.
    """

    filters: SpecificFilters
    spaces: tuple[Space, ...]
    host: Host = UNKNOWN_HOST
    origin: Origin = NOWHERE
    question_work: int = QUESTION_WORK
    policy_work: int = POLICY_WORK
    open: dict[str, dict[str, None]] = field(default_factory=dict)

    def spend(self, work: int) -> None:
        """Take away what was used of the work that may be done."""
        self.policy_work = max(0, self.policy_work - work)

    @property
    def work(self) -> int:
        """What the next question may take."""
        return min(self.question_work, self.policy_work)

    def leave_open(self, question: str, about: str) -> None:
        """Note that a question was not decided; `about` names the filter or the packets."""
        self.open.setdefault(question, {})[about] = None

    def undecided(self) -> Iterator[Finding]:
        """Yield PA430 for every kind of question that was not decided in every case."""
        for question, about in self.open.items():
            names = list(about)
            more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
            cases = f"{len(names)} {'case' if len(names) == 1 else 'cases'}"
            message = f"not decided within the work limit: {question}, in {cases}: {'; '.join(names[:_NAMED])}{more}"
            yield Finding("PA430", message, self.origin)

    def action(self, space: Space, row: int) -> Action:
        """Return what a row of a space does."""
        return Action(int(space.facts["action"][row]))

    def source(self, space: Space, row: int) -> FilterSource | None:
        """Return what a row of a space came from."""
        return self.filters.source(int(space.ids[row - space.first]))

    def named(self, owner: int) -> str:
        """Return ``block tcp any > me:445 (mirrored) of rule 'Shares' (corp.reg:81)``."""
        if owner >= len(self.filters.sources):
            return f"row {owner - len(self.filters.sources)}"
        source = self.filters.sources[owner]
        if not source.rule:
            return source.text
        place = f" ({source.place})" if source.place else ""
        action = f"{source.node.filter_action.action} " if isinstance(source, PolicyFilter) and source.node.filter_action else ""
        return f"{action}{source.text} of rule {source.rule!r}{place}"

    def all_named(self, owners: Sequence[int]) -> str:
        """Return the names of some filters, the first ones in full."""
        names = [self.named(owner) for owner in owners[:_NAMED]]
        if len(owners) > _NAMED:
            names.append(f"{len(owners) - _NAMED} more")
        return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"

    def finding(self, code: str, message: str, owner: int, **more: Any) -> Finding:
        """Return a finding about a filter."""
        source = self.filters.sources[owner] if owner < len(self.filters.sources) else None
        if isinstance(source, PolicyFilter):
            return Finding(code, message, source.filter.origin, source.rule, source.text, **more)
        if source is None:
            return Finding(code, message, self.origin, filter=self.named(owner), **more)
        return Finding(code, message, Origin(self.origin.source, source.place), source.rule, source.text, **more)

    def example(self, space: Space, point: Cells) -> Packet:
        """Return a packet of the cells that a question found."""
        return packet_of(space.family, space.values(point))


def questions_of(
    expansion: Expansion,
    host: Host = UNKNOWN_HOST,
    *,
    asked: Sequence[Sequence[Box]] = ((), ()),
    origin: Origin = NOWHERE,
    question_work: int = QUESTION_WORK,
    policy_work: int = POLICY_WORK,
) -> Questions:
    """Prepare the questions about an expanded policy.

    Parameters
    ----------
    expansion : Expansion
    host : Host
        The one it was expanded for.
    asked : (sequence of Box, sequence of Box)
        IPv4 and IPv6 boxes that will be asked about, as `Space` takes them.
    origin : Origin
        Of the policy.
    question_work, policy_work : int
    """
    filters = expansion.filters
    numbers: dict[Any, int] = {}
    per_source = np.array([numbers.setdefault(_outcome(source), len(numbers)) for source in filters.sources] or [0], np.int32)
    outcomes = per_source[filters.rows["filter"]]
    levels = _levels(expansion)
    spaces = tuple(
        Space(filters, family, outcomes, levels, unseen(host, family, filters.sources), boxes)
        for family, boxes in zip((4, 6), asked, strict=True)
    )
    return Questions(filters, spaces, host, origin, question_work, policy_work)


def unseen(host: Host, family: int, sources: Sequence[FilterSource]) -> list[Box]:
    """Return the packets that no filter of a computer sees, where its addresses are known.

    What it sends to itself, and, unless it forwards for a tunnel, what does not come from it or is not sent to it. It may send
    from no address at all, and get what is sent to many.
    """
    local = sorted(host.local(family))
    if not local:
        return []
    every, rest = _EVERY[family], ((0, 255), (0, 65535), (0, 65535))
    found: list[Box] = [(one, other, *rest, (0, 1), (0, 1)) for one in local for other in local]
    if any(source.tunnel for source in sources):
        return found
    many = [_MULTICAST[family], *((each.broadcast,) * 2 for each in host.me if each.family == family and each.broadcast)]
    found += [(gap, every, *rest, (1, 1), (0, 1)) for gap in _gaps([(0, 0), *local], every)]
    found += [(every, gap, *rest, (0, 0), (0, 1)) for gap in _gaps([*local, *many], every)]
    return found


def _gaps(ranges: list[tuple[int, int]], every: tuple[int, int]) -> list[tuple[int, int]]:
    """Return what some ranges leave."""
    left, start = [], every[0]
    for low, high in sorted(ranges):
        if low > start:
            left.append((start, low - 1))
        start = max(start, high + 1)
    return [*left, (start, every[1])] if start <= every[1] else left


def _outcome(source: FilterSource) -> Any:
    """Return what is equal for filters that do the same to a packet."""
    if not isinstance(source, PolicyFilter) or source.node.filter_action is None:
        return source.text
    action = source.node.filter_action
    how = (action.offers, source.node.auth_methods) if action.action is Action.PROTECT else ()
    return action.action, action.inpass, action.soft, source.tunnel, how


def _levels(expansion: Expansion) -> npt.NDArray[np.int32]:
    numbers: dict[Any, int] = {}
    return np.array(
        [-1 if row is None else numbers.setdefault(specificity(row), len(numbers)) for row in expansion.specific], np.int32
    )
