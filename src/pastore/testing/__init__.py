"""Statements about a policy for tests, each proved for every packet or refuted by one.

>>> from pastore.testing import assert_blocks
>>> assert_blocks(pastore.compile(policy, me=["10.9.0.7"]), "tcp any > me:445")

A statement is about a flow, ``[PROTOCOL] SOURCE[:PORTS] > DESTINATION[:PORTS] [in|out] [lan|ras] [ipv4|ipv6]``. What it leaves
open stands for everything: both directions, both interface types, both families. Packets that no filter of any policy sees are
left out, unless the flow has no others or ``unseen=True`` counts them: ISAKMP, multicast and broadcast coming in, and what a host
of known addresses sends to itself.
"""

from collections.abc import Collection
from typing import Any, Final, NoReturn

from pastore.analysis.difference import Difference
from pastore.analysis.difference import difference as _difference
from pastore.analysis.flow import Flow
from pastore.analysis.grid import WORK_LIMIT
from pastore.analysis.question import find
from pastore.filters.specific import EXEMPTIONS, SpecificFilters
from pastore.matcher import Matcher
from pastore.model import Action
from pastore.packets.packet import Packet

__all__ = [
    "CounterexampleError",
    "UndecidedError",
    "assert_allows",
    "assert_blocks",
    "assert_passes",
    "assert_protects",
    "assert_same",
    "assert_untouched",
    "check_flow",
]

_SHOWN: Final = 5


class CounterexampleError(AssertionError):
    """A statement does not hold.

    Attributes
    ----------
    packet : Packet
        One for which it does not.
    action : str
        What happens to it instead.
    rule : str or None
        The rule that decides on it.
    """

    def __init__(self, message: str, packet: Packet, action: str, rule: str | None) -> None:
        super().__init__(message)
        self.packet, self.action, self.rule = packet, action, rule


class UndecidedError(Exception):
    """Proving or refuting a statement takes more steps than allowed: nothing is known about it."""


def assert_blocks(matcher: Matcher | SpecificFilters, flow: str, *, unseen: bool = False, limit: int = WORK_LIMIT) -> None:
    """Prove that every packet of a flow is blocked.

    Parameters
    ----------
    matcher : Matcher or SpecificFilters
        ``me`` in the flow is the addresses a matcher was compiled for.
    flow : str
        Such as ``"udp any > 10.0.0.0/8:53"``.
    unseen : bool
        Count the packets that no filter of any policy sees too.
    limit : int
        How many steps the proof may take.

    Raises
    ------
    CounterexampleError
        If a packet of the flow is not; an AssertionError that names it and the filter that decides.
    UndecidedError
        If it takes more steps.
    ValueError
        If the flow cannot be read.
    """
    __tracebackhide__ = True
    _assert(matcher, flow, (Action.BLOCK,), "is not blocked", unseen, limit)


def assert_allows(matcher: Matcher | SpecificFilters, flow: str, *, unseen: bool = False, limit: int = WORK_LIMIT) -> None:
    """Prove that a filter allows every packet of a flow; as `assert_blocks`.

    Packets that meet no filter pass too, but nothing allows them: `assert_passes` takes both.
    """
    __tracebackhide__ = True
    _assert(matcher, flow, (Action.ALLOW,), "is not allowed", unseen, limit)


def assert_protects(matcher: Matcher | SpecificFilters, flow: str, *, unseen: bool = False, limit: int = WORK_LIMIT) -> None:
    """Prove that every packet of a flow is protected by IPsec; as `assert_blocks`.

    A filter action that accepts clear text inbound or falls back to it counts as well: ``match`` tells.
    """
    __tracebackhide__ = True
    _assert(matcher, flow, (Action.PROTECT,), "is not protected", unseen, limit)


def assert_passes(matcher: Matcher | SpecificFilters, flow: str, *, unseen: bool = False, limit: int = WORK_LIMIT) -> None:
    """Prove that every packet of a flow passes in clear text, allowed or untouched; as `assert_blocks`."""
    __tracebackhide__ = True
    _assert(matcher, flow, (Action.ALLOW, Action.NONE), "does not pass in clear text", unseen, limit)


def assert_untouched(matcher: Matcher | SpecificFilters, flow: str, *, unseen: bool = False, limit: int = WORK_LIMIT) -> None:
    """Prove that no packet of a flow meets a filter; as `assert_blocks`."""
    __tracebackhide__ = True
    _assert(matcher, flow, (Action.NONE,), "is not untouched", unseen, limit)


def assert_same(old: Matcher | SpecificFilters, new: Matcher | SpecificFilters, *, limit: int = WORK_LIMIT) -> None:
    """Prove that no packet changes its verdict from one policy to another.

    Raises
    ------
    CounterexampleError
        If one does; the message tells the first few changes.
    UndecidedError
        If it takes more steps.
    """
    __tracebackhide__ = True
    found = _difference(_rows(old), _rows(new), limit=limit)
    if found.changes:
        first = found.changes[0]
        raise CounterexampleError(_changes_text(found), first.example, first.new.action, first.new.rule)
    if not found.decided:
        raise UndecidedError(f"whether a packet changes its verdict is not decided after {limit} steps")


def check_flow(
    matcher: Matcher | SpecificFilters,
    flow: str,
    actions: Collection[Action],
    *,
    unseen: bool = False,
    limit: int = WORK_LIMIT,
) -> tuple[Packet, str, str | None, str] | None:
    """Prove that one of some actions is taken on every packet of a flow.

    Returns
    -------
    packet, action, rule, text : Packet, str, str or None, str
        One on which another action is taken, by which rule, and what decides in words. None if there is none.

    Raises
    ------
    UndecidedError, ValueError
        As `assert_blocks`.
    """
    rows = _rows(matcher)
    background = matcher.background if isinstance(matcher, Matcher) else None
    me = background.me if background else ()
    parsed = Flow.parse(flow, me)
    others = [action for action in Action if action not in actions]
    found = find(rows, parsed, others, unseen=unseen, me=me, limit=limit)
    if not found.decided:
        raise UndecidedError(f"flow {flow!r} is not decided after {limit} steps")
    if found.packet is None:
        return None
    if found.index < 0:
        return found.packet, "none", None, "no filter matches it"
    row, source = rows.rows[found.index], rows.source(found.index)
    action = str(Action(int(row["action"])))
    if row["exempt"]:
        return found.packet, action, None, f"{action} by default exemption {EXEMPTIONS[row['exempt']]}"
    if source is None:
        return found.packet, action, None, f"{action} by row {found.index}"
    name = f"rule {source.rule!r}, filter {source.text}" if source.rule else source.text
    return found.packet, action, source.rule, f"{action} by {name}" + (f" ({source.place})" if source.place else "")


def _assert(
    matcher: Matcher | SpecificFilters, flow: str, actions: tuple[Action, ...], fails: str, unseen: bool, limit: int
) -> None:
    __tracebackhide__ = True
    found = check_flow(matcher, flow, actions, unseen=unseen, limit=limit)
    if found is not None:
        packet, action, rule, text = found
        _refute(f"a packet of {flow!r} {fails}: {packet}: {text}", packet, action, rule)


def _refute(message: str, packet: Packet, action: str, rule: str | None) -> NoReturn:
    __tracebackhide__ = True
    raise CounterexampleError(message, packet, action, rule)


def _rows(matcher: Any) -> SpecificFilters:
    if isinstance(matcher, Matcher):
        return matcher.filters
    if isinstance(matcher, SpecificFilters):
        return matcher
    raise TypeError(f"expected a Matcher or SpecificFilters, not {type(matcher).__name__}: pastore.compile makes one of a policy")


def _changes_text(found: Difference) -> str:
    lines = ["packets change their verdict:"]
    for change in found.changes[:_SHOWN]:
        lines.append(f"  {change.example}: {change.old.action} becomes {change.new.action}")
    if len(found.changes) > _SHOWN:
        lines.append(f"  and {len(found.changes) - _SHOWN} more ranges of packets")
    return "\n".join(lines)
