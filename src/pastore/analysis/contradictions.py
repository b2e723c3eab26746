"""Filters that contradict each other, and block-alls that forget IPv6."""

from collections.abc import Iterator, Sequence
from typing import Final

import numpy as np

from pastore.analysis import _sets
from pastore.analysis.questions import LISTED, Questions
from pastore.analysis.regions import Box
from pastore.analysis.space import Space
from pastore.filters.expand import PolicyFilter
from pastore.filters.host import Host
from pastore.filters.weight import CONFLICT_LIMIT
from pastore.findings import Finding
from pastore.model import Action, AddressKind, Filter

CONFLICTS: Final = "which equally specific filters disagree"
UNDONE: Final = "whether an allow undoes a block"
TWIN: Final = "whether IPv6 passes a policy that blocks all IPv4"
_EVERY: Final = (0, (1 << 128) - 1)
_PAIRS: Final = 100_000  # pairs of rows that are kept


def disagreeing(questions: Questions) -> Iterator[Finding]:
    """Yield PA305 for filters of equal weight that act differently on packets which nothing more specific decides."""
    pairs: dict[tuple[int, int], tuple[Space, int, str]] = {}
    many = False
    for space in questions.spaces:
        facts = space.facts[space.first :]
        # Only where a level has several actions there is something to disagree about.
        levels, first = np.unique(facts["level"], return_inverse=True)
        actions = np.zeros((len(levels), 4), bool)
        actions[first, facts["action"]] = True
        mixed = actions.sum(axis=1) > 1
        rows = np.flatnonzero(mixed[first] & (facts["level"] >= 0)) + space.first
        answers, ones, others, points, spent = space.sets.pairs(
            _sets.DISAGREE, rows, 0, questions.question_work, questions.policy_work, _PAIRS
        )
        questions.spend(spent)
        many |= len(ones) == _PAIRS
        for one, other, point in zip(ones.tolist(), others.tolist(), points, strict=True):
            owners = (int(space.facts["owner"][one]), int(space.facts["owner"][other]))
            if owners not in pairs:
                pairs[owners] = (space, one, str(questions.example(space, point)))
        if len(ones) < _PAIRS:
            for row in rows[answers == _sets.UNDECIDED]:
                questions.leave_open(CONFLICTS, questions.named(int(space.facts["owner"][row])))
    for at, ((first_owner, other_owner), (space, one, example)) in enumerate(pairs.items()):
        if at == CONFLICT_LIMIT:
            break
        taken = questions.action(space, one)
        message = (
            f"{questions.named(first_owner)} and {questions.named(other_owner)} overlap and are equally specific: "
            f"{taken} is taken, for example for {example}"
        )
        yield questions.finding("PA305", message, other_owner)
    if many or len(pairs) > CONFLICT_LIMIT:
        message = f"the search for conflicts stopped after {CONFLICT_LIMIT} conflicts: there may be more"
        yield Finding("PA403", message, questions.origin)


def undone_blocks(questions: Questions) -> Iterator[Finding]:
    """Yield PA317 for allows that are wider than a block and decide before it."""
    blocks: dict[int, dict[int, str]] = {}
    whole: set[int] = set()
    for space in questions.spaces:
        actions = space.facts["action"]
        rows = np.flatnonzero((actions == Action.ALLOW) & (space.facts["dead"] == 0))
        exempt = np.zeros(space.n, bool)
        exempt[space.first :] = questions.filters.rows["exempt"][space.ids] != 0
        rows = rows[(rows >= space.first) & ~exempt[rows]]
        if not (actions[space.first :] == Action.BLOCK).any():
            continue
        answers, ones, others, points, spent = space.sets.pairs(
            _sets.UNDONE, rows, 0, questions.question_work, questions.policy_work, _PAIRS
        )
        questions.spend(spent)
        for one, other, point in zip(ones.tolist(), others.tolist(), points, strict=True):
            of = blocks.setdefault(int(space.facts["owner"][one]), {})
            of.setdefault(int(space.facts["owner"][other]), str(questions.example(space, point)))
        for row in rows[answers == _sets.UNDECIDED]:
            whole.add(int(space.facts["owner"][row]))
    for owner in sorted(whole - set(blocks)):
        questions.leave_open(UNDONE, questions.named(owner))
    for owner in sorted(blocks)[:LISTED]:
        undone = blocks[owner]
        example = next(iter(undone.values()))
        message = f"this allow is tried before {questions.all_named(list(undone))} and is wider: {example} passes"
        yield questions.finding("PA317", message, owner)
    if len(blocks) > LISTED:
        yield Finding("PA403", f"{len(blocks) - LISTED} more allows undo blocks: they are not listed", questions.origin)


def is_everything(filter_: Filter) -> bool:
    """Whether a filter, as written, means all traffic of this computer."""
    wide = (AddressKind.ANY, AddressKind.ME)
    return filter_.src.kind in wide and filter_.dst.kind in wide and filter_.protocol == 0


def block_alls(questions: Questions) -> Iterator[tuple[int, PolicyFilter]]:
    """Yield the filters that block everything, with their number."""
    for owner, source in enumerate(questions.filters.sources):
        if (
            isinstance(source, PolicyFilter)
            and source.node.filter_action is not None
            and source.node.filter_action.action is Action.BLOCK
            and is_everything(source.filter)
        ):
            yield owner, source


def twin_boxes(host: Host) -> tuple[list[Box], list[Box]]:
    """Return the IPv6 packets that come in, and those that go out."""
    local: list[tuple[int, int]] = host.local(6) or [_EVERY]
    rest = ((0, 255), (0, 65535), (0, 65535))
    return (
        [(_EVERY, address, *rest, (0, 0), (0, 1)) for address in local],
        [(address, _EVERY, *rest, (1, 1), (0, 1)) for address in local],
    )


def without_twin(questions: Questions, boxes: Sequence[Sequence[int]]) -> Iterator[Finding]:
    """Yield PA306 for filters that block all IPv4 while an IPv6 packet meets no filter at all.

    Parameters
    ----------
    questions : Questions
    boxes : which of ``space.asked`` are the packets of `twin_boxes`
    """
    four, six = questions.spaces
    blocking = list(block_alls(questions))
    if questions.host.me and not questions.host.local(6) and any(6 in source.filter.src.families for _, source in blocking):
        return  # it blocks IPv6 as soon as the computer has an address
    for owner, _ in blocking:
        rows = np.flatnonzero(four.facts["owner"] == owner)
        if not len(rows):
            continue
        directions = range(int(four.boxes[rows, 5].min()), int(four.boxes[rows, 12].max()) + 1)
        for number in [number for direction in directions for number in boxes[direction]]:
            box = six.asked[number].copy()
            box[[6, 13]] = four.boxes[rows, 6].min(), four.boxes[rows, 13].max()
            answer, point, _, _, spent = six.sets.search(_sets.DECIDES, box, 0, six.n, 0, questions.work)
            questions.spend(spent)
            if answer == _sets.UNDECIDED:
                questions.leave_open(TWIN, questions.named(owner))
            elif answer == _sets.FOUND:
                example = questions.example(six, point)
                message = f"all IPv4 traffic is blocked, IPv6 traffic passes: no filter matches {example}"
                yield questions.finding("PA306", message, owner)
                break
