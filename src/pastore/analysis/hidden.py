"""Filters that never decide, rules that never do, and filters that could be left out.

A filter is hidden if every packet it matches is decided by filters before it; all its rows are, then. One could be left out if it
decides something, and everything it decides the filters after it would decide the same.
"""

from collections.abc import Iterator
from typing import Final

import numpy as np
import numpy.typing as npt

from pastore.analysis import _sets
from pastore.analysis.questions import LISTED, Questions
from pastore.analysis.space import UNSEEN, Space
from pastore.filters.expand import PolicyFilter
from pastore.findings import Finding

_TAKERS: Final = 4096  # rows of a hiding set
_REDUCED: Final = 64  # larger sets are not searched for rows that they can do without
NEVER: Final = "whether a filter ever decides"
LEFT_OUT: Final = "whether a filter could be left out"

Owners = npt.NDArray[np.int64]


def hidden(questions: Questions) -> Iterator[Finding]:
    """Yield PA314 and PA315; note which rows never decide, for the questions after this one."""
    rows_of, found = ask(questions, _sets.DECIDES)
    deciding = owners_with(rows_of, found, _sets.FOUND)
    unknown = set(owners_with(rows_of, found, _sets.UNDECIDED)) - set(deciding)
    for owner in sorted(unknown):
        questions.leave_open(NEVER, questions.named(owner))
    never = set(owners_with(rows_of, found, _sets.NONE)) - set(deciding) - unknown
    for space in questions.spaces:
        space.facts["dead"] = np.isin(space.facts["owner"], list(never))
    policy_filters = {owner: source for owner, source in enumerate(questions.filters.sources) if isinstance(source, PolicyFilter)}
    of_rule: dict[int, list[int]] = {}
    having_rows = {int(owner) for owners in rows_of for owner in owners}
    for owner, source in policy_filters.items():
        if owner in having_rows:
            of_rule.setdefault(id(source.node), []).append(owner)
    wholly: set[int] = set()
    for owners in of_rule.values():
        if never.issuperset(owners):
            wholly.update(owners)
            hiders = list(dict.fromkeys(hider for owner in owners[:20] for hider in hiding_set(questions, owner)))
            hiders = [hider for hider in hiders if hider not in owners] or hiders
            rule = policy_filters[owners[0]].node
            what = "its filter is" if len(owners) == 1 else f"all {len(owners)} of its filters are"
            message = f"rule {rule.label!r} does nothing: {what} hidden, {_why(questions, hiders)}"
            yield Finding("PA315", message, rule.origin, rule.label)
    alone = sorted(never - wholly)
    for owner in alone[:LISTED]:
        hiders = hiding_set(questions, owner)
        message = f"this filter never decides: {_why(questions, hiders)}"
        yield questions.finding("PA314", message, owner)
    if len(alone) > LISTED:
        message = f"{len(alone) - LISTED} more filters never decide: they are not listed"
        yield Finding("PA403", message, questions.origin)


def _why(questions: Questions, hiders: list[int]) -> str:
    if hiders == [UNSEEN]:
        return "this computer neither sends nor gets such packets"
    return f"each packet it matches is decided before by {questions.all_named(hiders)}"


def redundant(questions: Questions) -> Iterator[Finding]:
    """Yield PA316; `hidden` must have been asked before."""
    rows_of, found = ask(questions, _sets.CHANGES, living=True)
    changing = set(owners_with(rows_of, found, _sets.FOUND))
    unknown = set(owners_with(rows_of, found, _sets.UNDECIDED)) - changing
    for owner in sorted(unknown):
        questions.leave_open(LEFT_OUT, questions.named(owner))
    idle = sorted(set(owners_with(rows_of, found, _sets.NONE)) - changing - unknown)
    for owner in idle[:LISTED]:
        others = covering_set(questions, owner)
        message = f"this filter could be left out: all it decides would be decided the same by {questions.all_named(others)}"
        yield questions.finding("PA316", message, owner)
    if len(idle) > LISTED:
        message = f"{len(idle) - LISTED} more filters could be left out: they are not listed"
        yield Finding("PA403", message, questions.origin)


def ask(
    questions: Questions, kind: int, *, living: bool = False, among: set[int] | None = None
) -> tuple[list[Owners], list[npt.NDArray[np.uint8]]]:
    """Ask every row of the policy's filters, or of those `among` which it may be; return their owners and answers by space."""
    all_owners, all_answers = [], []
    for space in questions.spaces:
        rows = policy_rows(questions, space)
        if living:
            rows = rows[space.facts["dead"][rows] == 0]
        if among is not None:
            rows = rows[np.isin(space.facts["owner"][rows], list(among))]
        answers, _, spent = space.sets.search_rows(kind, rows, 0, 0, questions.question_work, questions.policy_work)
        questions.spend(spent)
        all_owners.append(space.facts["owner"][rows].astype(np.int64))
        all_answers.append(answers)
    return all_owners, all_answers


def policy_rows(questions: Questions, space: Space) -> npt.NDArray[np.int64]:
    """Return the rows of a space that are no default exemptions."""
    exempt = questions.filters.rows["exempt"][space.ids]
    return np.flatnonzero(exempt == 0) + space.first


def owners_with(owners: list[Owners], answers: list[npt.NDArray[np.uint8]], answer: int) -> list[int]:
    """Return the filters of which some row got an answer."""
    return [int(each) for of, got in zip(owners, answers, strict=True) for each in np.unique(of[got == answer])]


def hiding_set(questions: Questions, owner: int) -> list[int]:
    """Return the filters that hide one, as few of those met as do: none of them can be spared."""
    taken: dict[int, float] = {}
    for space in questions.spaces:
        for row in np.flatnonzero(space.facts["owner"] == owner):
            box = space.boxes[row]
            _, _, takers, _, _ = space.sets.search(_sets.DECIDES, box, 0, int(row), 0, questions.question_work, _TAKERS)
            both = np.minimum(space.boxes[takers, 7:], box[7:]) - np.maximum(space.boxes[takers, :7], box[:7]) + 1.0
            for hider, share in zip(space.facts["owner"][takers].tolist(), np.prod(both, axis=1).tolist(), strict=True):
                taken[hider] = taken.get(hider, 0.0) + share
    unseen = taken.pop(UNSEEN, None) is not None  # what is unseen is there whoever hides the rest
    needed = list(taken)
    if len(needed) <= _REDUCED:
        for hider in sorted(taken, key=lambda each: taken[each]):
            rest = [each for each in needed if each != hider]
            if (rest or unseen) and _hide(questions, owner, rest):
                needed = rest
    return needed or [UNSEEN]


def _hide(questions: Questions, owner: int, hiders: list[int]) -> bool:
    """Whether some filters and what is unseen are known to hide one."""
    for space in questions.spaces:
        rows = np.flatnonzero(space.facts["owner"] == owner)
        before = np.flatnonzero(np.isin(space.facts["owner"], [*hiders, UNSEEN])) if len(rows) else rows
        for row in rows:
            left, _ = space.sets.uncovered(before[before < row], space.boxes[row], questions.question_work)
            if left != _sets.NONE:
                return False
    return True


def covering_set(questions: Questions, owner: int) -> list[int]:
    """Return filters that would decide the same in place of one."""
    others: dict[int, None] = {}
    for space in questions.spaces:
        for row in np.flatnonzero(space.facts["owner"] == owner):
            _, _, takers, _, _ = space.sets.search(
                _sets.CHANGES, space.boxes[row], 0, int(row), 0, questions.question_work, _TAKERS
            )
            for taker in takers:
                if taker > row:
                    others[int(space.facts["owner"][taker])] = None
    return list(others)
