"""The agent's table: one row for whatever can be heard, and no way to another policy without an event."""

from itertools import product

import pytest

from pastore.agent.engine import back_off, row_of
from pastore.agent.machine import TABLE, Apply, Drop, Heard, Load, State, Trigger

S, T, H = State, Trigger, Heard
AFRESH, LATER = (T.START, T.RELOAD), (T.POLL, T.REFRESH)

# What can be heard in a state, by what happens there; START is only heard when the agent does not run.
OF_DOMAIN = {H.SAME, H.CHANGED, H.OTHER, H.UNASSIGNED, H.UNREACHABLE, H.BROKEN}
EXPECTED: dict[tuple[State, Trigger], set[Heard]] = {
    **{(state, T.RELOAD): OF_DOMAIN - {H.SAME, H.CHANGED} | {H.NO_CACHE, H.NO_LOCAL} for state in S if state is not S.OFF},
    (S.OFF, T.START): OF_DOMAIN - {H.SAME, H.CHANGED} | {H.NO_CACHE, H.NO_LOCAL},
    (S.DIRECTORY, T.POLL): OF_DOMAIN | {H.NO_LOCAL},
    (S.DIRECTORY, T.REFRESH): OF_DOMAIN - {H.CHANGED} | {H.NO_LOCAL},
    (S.CACHE, T.POLL): OF_DOMAIN | {H.NO_LOCAL},
    (S.CACHE, T.REFRESH): OF_DOMAIN | {H.NO_LOCAL},
    (S.WAITING, T.POLL): OF_DOMAIN - {H.SAME, H.CHANGED} | {H.NO_LOCAL},
    (S.WAITING, T.REFRESH): OF_DOMAIN - {H.SAME, H.CHANGED} | {H.NO_LOCAL},
    (S.LOCAL, T.POLL): {H.SAME, H.CHANGED, H.NO_LOCAL},
    (S.LOCAL, T.REFRESH): {H.OTHER, H.UNASSIGNED, H.UNREACHABLE, H.BROKEN},
    (S.IDLE, T.POLL): {H.CHANGED, H.NO_LOCAL},
    (S.IDLE, T.REFRESH): {H.OTHER, H.UNASSIGNED, H.UNREACHABLE, H.BROKEN},
}


def rows(state: State, trigger: Trigger, heard: Heard) -> list[object]:
    return [row for row in TABLE if heard is row.heard and state in row.states and trigger in row.triggers]


@pytest.mark.parametrize("state", S)
@pytest.mark.parametrize("trigger", T)
def test_there_is_exactly_one_row_for_whatever_can_be_heard(state: State, trigger: Trigger) -> None:
    for heard in EXPECTED.get((state, trigger), ()):
        assert len(rows(state, trigger, heard)) == 1, heard


def test_every_row_can_be_reached_in_every_state_it_names() -> None:
    for row in TABLE:
        for state in row.states:
            assert any(row.heard in EXPECTED.get((state, trigger), ()) for trigger in row.triggers), (row, state)


def test_nothing_is_ambiguous() -> None:
    assert all(len(rows(*key)) <= 1 for key in product(S, T, H))


def test_a_row_that_is_not_there_is_an_error_of_the_program() -> None:
    with pytest.raises(LookupError, match=r"no row for State\.LOCAL"):
        row_of(S.LOCAL, T.POLL, H.UNREACHABLE)


def test_what_a_row_goes_on_with_when_it_fails_is_in_the_table_too() -> None:
    for row in TABLE:
        otherwise = {deed.otherwise for deed in row.deeds if isinstance(deed, Apply)}
        otherwise |= {H.NO_LOCAL for deed in row.deeds if isinstance(deed, Load)}
        for heard, state, trigger in product(otherwise, row.states, row.triggers):
            if row.heard in EXPECTED.get((state, trigger), ()):
                assert len(rows(state, trigger, heard)) == 1, (row, heard)


def test_no_row_changes_to_another_storage_without_an_event() -> None:
    """But one: a policy that goes, where 5472 was written for local storage, which has none."""
    for row in TABLE:
        for state in row.states:
            if row.then in (None, state) or row.deeds:
                continue
            kept = row.heard in (H.NO_CACHE, H.BROKEN, H.NO_LOCAL)  # 5459, 5457, 5472 were written before
            assert kept, row


def test_a_policy_is_only_dropped_where_the_directory_says_that_none_is_assigned() -> None:
    dropping = [row for row in TABLE if Drop.POLICY in row.deeds]
    assert {row.heard for row in dropping} == {H.NO_LOCAL}
    assert all(S.LOCAL not in row.states for row in dropping)


def test_after_failures_the_intervals_are_1_4_25_and_then_166_minutes() -> None:
    intervals, last = [], 0.0
    for _ in range(6):
        last = back_off(last)
        intervals.append(last)
    assert intervals == [1, 4, 25, 166, 166, 166]
