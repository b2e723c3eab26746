"""All that is asked about a policy."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from pastore.analysis.contradictions import disagreeing, twin_boxes, undone_blocks, without_twin
from pastore.analysis.hidden import hidden, redundant
from pastore.analysis.openings import no_way_out, one_way, past_kerberos, service_boxes
from pastore.analysis.questions import POLICY_WORK, QUESTION_WORK, Questions, questions_of
from pastore.analysis.regions import Box
from pastore.analysis.remote import Protected, cut_off, silenced
from pastore.analysis.security import not_assigned, security
from pastore.filters.expand import Expansion
from pastore.filters.host import UNKNOWN_HOST, Host
from pastore.filters.weight import Order, first_match
from pastore.findings import Finding
from pastore.model import Policy


@dataclass(frozen=True, slots=True)
class Analysis:
    """What analysing a policy says.

    Parameters
    ----------
    contradictions : tuple of Finding
        Where filters contradict each other or forget a family: what a compiled policy says about itself too.
    more : tuple of Finding
        All the rest.
    """

    contradictions: tuple[Finding, ...]
    more: tuple[Finding, ...]


def analyse(
    policy: Policy,
    expansion: Expansion,
    host: Host = UNKNOWN_HOST,
    *,
    order: Order | None = None,
    target: str = "vista",
    protected: Sequence[Protected] = (),
    question_work: int = QUESTION_WORK,
    policy_work: int = POLICY_WORK,
) -> Analysis:
    """Ask everything about a policy that was expanded with these arguments.

    Parameters
    ----------
    policy : Policy
    expansion : Expansion
    host : Host
    order : callable, optional
        The order it was expanded in, where that is not by weight.
    target : {"vista", "2003", "xp", "2000"}
    protected : sequence of Protected
        Ranges that must not be cut off.
    question_work, policy_work : int
        What one question, and what all of them, may take, in nodes and boxes looked at. What is not decided by then is PA430.
    """
    prepared = _prepare(policy, expansion, host, target, protected, question_work, policy_work)
    questions = prepared.questions
    contradicting = _contradictions(prepared, order)
    more = (
        *not_assigned(policy),
        *security(policy, expansion.default_exempt, target),
        *hidden(questions),
        *redundant(questions),
        *undone_blocks(questions),
        *one_way(questions),
        *no_way_out(questions, prepared.services),
        *past_kerberos(questions),
        *cut_off(questions, protected, prepared.ranges),
        *silenced(questions),
        *questions.undecided(),
    )
    return Analysis(contradicting, more)


def contradictions(
    policy: Policy, expansion: Expansion, host: Host = UNKNOWN_HOST, *, order: Order | None = None, target: str = "vista"
) -> tuple[Finding, ...]:
    """Ask only where filters contradict each other or forget a family."""
    prepared = _prepare(policy, expansion, host, target)
    return (*_contradictions(prepared, order), *prepared.questions.undecided())


class _Prepared(NamedTuple):
    """The questions, and which of the boxes they were prepared for are whose."""

    questions: Questions
    services: tuple[list[list[int]], ...]
    twin: list[list[int]]
    ranges: list[list[int]]


def _prepare(
    policy: Policy,
    expansion: Expansion,
    host: Host,
    target: str,
    protected: Sequence[Protected] = (),
    question_work: int = QUESTION_WORK,
    policy_work: int = POLICY_WORK,
) -> _Prepared:
    # Whoever asks less prepares as much: examples depend on what is told apart, and shall be the same.
    asked: tuple[list[Box], list[Box]] = ([], [])
    services = tuple(
        [_number(asked[place], boxes) for boxes in service_boxes(host, family, target)] for place, family in enumerate((4, 6))
    )
    ranges = [_number(asked[each.family == 6], each.box(host)) for each in protected]
    twin = [_number(asked[1], boxes) for boxes in twin_boxes(host)]
    questions = questions_of(
        expansion, host, asked=asked, origin=policy.origin, question_work=question_work, policy_work=policy_work
    )
    return _Prepared(questions, services, twin, ranges)


def _contradictions(prepared: _Prepared, order: Order | None) -> tuple[Finding, ...]:
    # As listed, nothing is equal: what comes first is what the list says.
    equal = () if order is first_match else tuple(disagreeing(prepared.questions))
    return (*without_twin(prepared.questions, prepared.twin), *equal)


def _number(asked: list[Box], boxes: Sequence[Box]) -> list[int]:
    asked.extend(boxes)
    return list(range(len(asked) - len(boxes), len(asked)))
