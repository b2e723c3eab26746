"""What the agent does, whatever the directory, the cached copy and local storage are like: what is in force, and every event."""

import threading
import time
from collections.abc import Callable, Iterator
from itertools import product
from pathlib import Path
from typing import Final

import pytest

from pastore.agent.machine import State, Trigger
from pastore.agent.storages import LdapDirectory, LocalSource
from pastore.packets.packet import Packet
from tests.support.agents import (
    FIRST,
    HOPELESS,
    ODD,
    ON_DISK,
    OTHER,
    SECOND,
    World,
    dn_of,
    with_interval,
    world,
)
from tests.support.policies import policy, rule
from tests.support.registry import export

# The matrix

DIRECTORIES: Final = ("up", "down", "hung", "changed", "corrupt")
CACHES: Final = ("none", "good", "stale", "damaged")
STALE: Final = SECOND  # an older version of the policy that the directory has, FIRST

Cell = tuple[str | None, list[int]]


def expected(directory: str, cache: str) -> Cell:
    """Return what is in force after the start (the verdict of its rule 'Web') and the events, as domain knowledge has it."""
    if directory == "up":
        return "allow", [5478, 5473, 5456]
    if directory == "changed":
        return "block", [5478, 5473, 5456]
    lost = [5478, 5474] if directory in ("down", "hung") else [5478, 5473, 5457, 5477]
    verdict = {"good": "allow", "stale": "block"}.get(cache)
    return verdict, [*lost, 5458 if verdict else 5459]


def returning(directory: str, cache: str) -> list[int]:
    """Return the events of the next poll, when the directory is as it should be, with the policy FIRST."""
    if directory == "up":
        return [5463]
    if directory == "changed":
        return [5464]
    if cache == "good":
        return [5468] if directory == "corrupt" else [5467]  # whoever mends a policy changes it
    return [5468] if cache == "stale" else [5473, 5456]


def prepare(found: World, directory: str, cache: str) -> Callable[[], None]:
    """Make the world of a cell; how to mend its directory."""
    if cache in ("good", "stale"):
        found.domain.store(STALE if cache == "stale" else FIRST)
        found.engine.start()
        found.engine.stop()
        found.restart()
        if cache == "stale":
            found.domain.store(FIRST)
    elif cache == "damaged":
        found.engine.start()
        found.engine.stop()
        found.restart()
        data = bytearray(Path(found.cache.path).read_bytes())
        data[len(data) // 2] ^= 1
        Path(found.cache.path).write_bytes(data)
    domain = found.domain

    def mend() -> None:
        domain.is_up, domain.is_hung = True, False
        domain.release()
        if directory in ("changed", "corrupt"):
            domain.store(FIRST)

    if directory == "down":
        domain.is_up = False
    elif directory == "hung":
        domain.is_hung = True
    elif directory == "changed":
        domain.store(SECOND)
    elif directory == "corrupt":
        domain.store(HOPELESS)
        domain.break_policy(HOPELESS)
    return mend


@pytest.mark.parametrize("local", ["local policy", "no local policy"])
@pytest.mark.parametrize(("directory", "cache"), list(product(DIRECTORIES, CACHES)))
def test_matrix_of_starts(directory: str, cache: str, local: str, tmp_path: Path) -> None:
    storage = LocalSource(str(export(tmp_path, ON_DISK))) if local == "local policy" else None
    with world(local=storage, timeout=0.3 if directory == "hung" else 5.0) as found:
        mend = prepare(found, directory, cache)
        found.ids()
        found.engine.start()
        verdict, ids = expected(directory, cache)
        assert (found.verdict(), found.ids()) == (verdict, ids)
        assert found.name() == (None if verdict is None else "Server Isolation")  # and never the local one
        mend()
        assert found.until_answer() == returning(directory, cache)
        assert (found.verdict(), found.engine.state) == ("allow", State.DIRECTORY)


# What happens later


@pytest.fixture
def found() -> Iterator[World]:
    """A world whose agent was started, with the policy FIRST of its directory in force."""
    with world() as made:
        made.engine.start()
        assert made.ids() == [5478, 5473, 5456]
        yield made


def data(found: World, number: int) -> list[dict[str, object]]:
    """Return the data of the events of an id; they stay."""
    return [dict(entry.event.data) for entry in found.sink.entries if entry.event.id == number]


class TestInterval:
    def test_an_unchanged_poll_is_5463_at_the_policys_own_interval(self, found: World) -> None:
        polled = []
        for _ in range(8):
            before = found.clock.seconds
            found.until_answer()
            polled.append(found.clock.seconds - before)
        assert polled == [10800] * 8

    def test_a_new_interval_counts_from_the_poll_that_finds_it(self, found: World) -> None:
        found.domain.store(with_interval(FIRST, 600))
        assert found.until_answer() == [5464]
        before = found.clock.seconds
        assert found.until_answer() == [5463]
        assert found.clock.seconds - before == 600

    def test_after_failures_it_is_1_4_25_and_166_minutes_and_the_policys_own_after_a_success(self, found: World) -> None:
        found.domain.is_up = False
        assert found.until_due() == [5466]
        waited = []
        for _ in range(5):
            before = found.clock.seconds
            assert found.until_due() == []  # still unreachable: silent
            waited.append((found.clock.seconds - before) / 60)
        assert waited == [1, 4, 25, 166, 166]
        found.domain.is_up = True
        assert found.until_due() == [5467]
        before = found.clock.seconds
        assert found.until_answer() == [5463]
        assert found.clock.seconds - before == 10800

    def test_a_refresh_that_is_due_meanwhile_does_not_hurry_it(self, found: World) -> None:
        found.domain.store(with_interval(FIRST, 600))
        found.engine.turn(Trigger.POLL)
        found.ids()
        found.domain.is_up = False
        assert found.until_due() == [5466]  # the refresh is due 80 minutes later
        waited = []
        for _ in range(5):
            before = found.clock.seconds
            assert found.until_due() == []
            waited.append((found.clock.seconds - before) / 60)
        assert waited == [1, 4, 25, 166, 166]

    def test_a_policy_that_wants_to_be_polled_all_the_time_is_polled_every_minute(self, found: World) -> None:
        found.domain.store(with_interval(FIRST, 1))
        assert found.until_answer() == [5464]
        before = found.clock.seconds
        assert found.until_answer() == [5463]
        assert found.clock.seconds - before == 60

    def test_the_assignment_is_read_every_90_minutes_and_that_is_quiet(self, found: World) -> None:
        before = found.clock.seconds
        assert found.until_due() == []
        assert found.clock.seconds - before == 90 * 60
        assert found.engine.state is State.DIRECTORY


class TestDirectory:
    def test_an_edited_filter_is_5464_with_what_changed(self, found: World) -> None:
        found.domain.store(SECOND)
        assert found.until_due() == []  # only the assignment is read
        found.clock.seconds = found.engine.due or 0
        found.engine.run_due()
        (entry,) = found.sink.entries
        assert entry.event.id == 5464
        summary = entry.event.summary
        assert summary is not None
        assert (summary.added, summary.changed, summary.removed, summary.settings) == ((), ("Web",), (), ())
        assert summary.example is not None
        assert summary.example.packet.startswith("tcp ")
        assert (summary.example.old, summary.example.new) == ("allow", "block")
        told = Packet.parse(summary.example.packet)
        assert found.engine.in_force is not None
        ways, types = ("in", "out"), ("lan", "ras")
        verdict = found.engine.in_force.matcher.match(
            told.protocol,
            told.src,
            told.dst,
            told.sport,
            told.dport,
            direction=ways[told.direction],
            interface=types[told.interface],
            family=told.family,
        )
        assert verdict.action == "block"

    def test_rules_that_came_and_went_are_told(self, found: World) -> None:
        found.domain.store(ODD)
        assert found.until_answer() == [5464, 5462, 5477]
        found.domain.store(FIRST)
        found.clock.pass_minutes(180)
        found.engine.run_due()
        (entry,) = found.sink.entries
        assert entry.event.summary is not None
        assert (entry.event.summary.removed, entry.event.summary.example) == (("Odd mask",), None)

    def test_a_child_that_was_edited_without_the_policy_is_found_though_windows_would_not(self, found: World) -> None:
        untouched = found.domain.entries[dn_of(FIRST)].copy()
        found.domain.store(SECOND)
        found.domain.entries[dn_of(FIRST)] = untouched
        assert found.until_answer() == [5464]
        assert found.verdict() == "block"

    def test_edits_of_another_policy_are_none(self, found: World) -> None:
        found.domain.store(OTHER)
        assert found.until_answer() == [5463]

    def test_a_policy_that_was_only_touched_is_a_change_as_on_windows(self, found: World) -> None:
        found.domain.touch(dn_of(FIRST))
        assert found.until_answer() == [5464]

    def test_another_domain_controller_with_its_own_numbers_and_times_is_no_change(self, found: World) -> None:
        found.domain.move_to_another_controller()
        assert found.until_answer() == [5463]
        found.domain.store(SECOND)
        assert found.until_answer() == [5464]

    def test_rules_that_cannot_be_applied_follow_the_event_of_each_apply(self, found: World) -> None:
        some = [5462, 5477]
        found.domain.store(ODD)
        assert found.until_answer() == [5464, *some]
        found.engine.reload()
        assert found.ids() == [5473, 5456, *some, 5465]
        found.domain.is_up = False
        assert found.until_answer() == [5466]
        found.restart()
        found.engine.start()
        assert found.ids() == [5478, 5474, 5458, *some]
        found.domain.is_up = True
        found.domain.touch(dn_of(ODD))
        assert found.until_answer() == [5468, *some]

    def test_a_policy_of_which_no_rule_can_be_applied_is_told_once_and_the_one_in_force_stays(self, found: World) -> None:
        found.domain.store(HOPELESS)
        assert found.until_answer() == [5457, 5477]
        assert (found.verdict(), found.engine.state) == ("allow", State.CACHE)
        assert [found.until_due() for _ in range(3)] == [[], [], []]
        found.domain.store(SECOND)
        assert found.until_answer() == [5468]
        assert (found.verdict(), found.engine.state) == ("block", State.DIRECTORY)

    def test_a_policy_whose_own_data_is_damaged_is_not_applied_either(self, found: World) -> None:
        found.domain.break_policy(FIRST)
        found.clock.pass_minutes(180)
        found.engine.run_due()
        assert data(found, 5457) == [{"Policy": dn_of(FIRST), "Error": 13}]
        assert (found.ids(), found.verdict()) == ([5457], "allow")

    def test_a_policy_that_was_deleted_while_it_is_assigned_is_kept_as_the_cached_copy(self, found: World) -> None:
        found.domain.delete(FIRST)
        found.clock.pass_minutes(180)
        found.engine.run_due()
        assert data(found, 5457) == [{"Policy": dn_of(FIRST), "Error": 2}]
        assert (found.ids(), found.verdict(), found.engine.state) == ([5457], "allow", State.CACHE)
        found.domain.is_up = False
        found.restart()
        found.engine.start()
        assert (found.ids(), found.verdict()) == ([5478, 5474, 5458], "allow")

    def test_5466_and_5467_around_a_cut_and_5468_if_something_changed_meanwhile(self, found: World) -> None:
        for change, ids in ((FIRST, [5467]), (SECOND, [5468])):
            found.domain.is_up = False
            assert found.until_answer() == [5466]
            if change is not FIRST:
                found.domain.store(change)
            found.domain.is_up = True
            assert found.until_answer() == ids
        assert found.verdict() == "block"


class TestAssignment:
    def test_another_policy_is_loaded_and_applied_at_the_refresh(self, found: World) -> None:
        found.domain.store(OTHER)
        found.domain.assign(OTHER)
        assert found.until_due() == [5473, 5456]
        assert found.name() == "Mail Servers"

    def test_polling_does_not_look_at_it(self, found: World) -> None:
        found.domain.store(OTHER)
        found.domain.assign(OTHER)
        found.engine.turn(Trigger.POLL)
        assert (found.ids(), found.name()) == ([5463], "Server Isolation")

    def test_a_policy_that_is_no_longer_assigned_goes_and_5472_says_so(self, found: World) -> None:
        found.domain.assign(None)
        assert found.until_due() == [5472]
        assert (found.engine.in_force, found.engine.state) == (None, State.IDLE)
        found.domain.assign(FIRST)
        assert found.until_due() == [5473, 5456]

    def test_or_local_storage_takes_its_place(self, tmp_path: Path) -> None:
        with world(local=LocalSource(str(export(tmp_path, ON_DISK)))) as found:
            found.engine.start()
            found.ids()
            found.domain.assign(None)
            assert found.until_due() == [5471, 5460]
            assert (found.name(), found.engine.state) == ("At Home", State.LOCAL)
            found.domain.is_up = False
            found.restart()
            found.engine.start()  # that nothing is assigned is known from the cache
            assert found.ids() == [5478, 5474, 5471, 5460]
            found.domain.assign(FIRST)
            found.domain.is_up = True
            before = found.clock.seconds
            assert found.until_answer() == [5473, 5456]
            assert found.clock.seconds - before == 60  # the back-off of the directory

    def test_a_pointer_to_nothing_is_not_the_same_as_no_assignment(self, found: World) -> None:
        found.domain.assign(OTHER)  # which is not in the store
        assert found.until_due() == [5457]
        assert (found.name(), found.engine.state) == ("Server Isolation", State.CACHE)

    def test_a_policy_by_its_name_needs_no_computer(self) -> None:
        with world() as found:
            directory = found.engine.directory
            assert isinstance(directory, LdapDirectory)
            directory.computer, directory.policy = None, "server isolation"
            found.engine.start()
            assert found.ids() == [5478, 5473, 5456]
            assert found.until_answer() == [5463]
            found.domain.store(SECOND)
            assert found.until_answer() == [5464]
            found.domain.delete(FIRST)
            assert found.until_answer() == [5457]


class TestReload:
    def test_everything_is_read_again_and_5465_comes_last(self, found: World) -> None:
        assert found.engine.reload().is_good
        assert found.ids() == [5473, 5456, 5465]

    def test_without_the_directory_it_is_the_cached_copy_and_no_5465(self, found: World) -> None:
        found.domain.is_up = False
        assert not found.engine.reload().is_good
        assert found.ids() == [5474, 5458]
        assert found.engine.state is State.CACHE

    def test_without_either_what_is_in_force_stays(self, found: World) -> None:
        found.domain.is_up = False
        Path(found.cache.path).unlink()
        found.engine.reload()
        assert data(found, 5459) == [{"Policy": dn_of(FIRST), "Error": 2}]
        assert (found.ids(), found.verdict(), found.engine.state) == ([5474, 5459], "allow", State.CACHE)
        found.domain.is_up = True
        assert found.until_answer() == [5467]

    def test_in_every_state(self, tmp_path: Path) -> None:
        with world(local=LocalSource(str(export(tmp_path, ON_DISK)))) as found:
            found.domain.is_up = False
            found.engine.start()
            assert (found.ids(), found.engine.state) == ([5478, 5474, 5459], State.WAITING)
            found.engine.reload()
            assert (found.ids(), found.engine.state) == ([5474, 5459], State.WAITING)
            found.domain.is_up = True
            found.engine.reload()
            assert (found.ids(), found.engine.state) == ([5473, 5456, 5465], State.DIRECTORY)
            found.domain.assign(None)
            found.engine.reload()
            assert (found.ids(), found.engine.state) == ([5471, 5460, 5465], State.LOCAL)
            found.domain.is_up = False
            found.engine.reload()
            assert (found.ids(), found.engine.state) == ([5474, 5471, 5460], State.LOCAL)


class TestLocal:
    @pytest.fixture
    def path(self, tmp_path: Path) -> Path:
        return export(tmp_path, FIRST)

    @pytest.fixture
    def alone(self, path: Path) -> Iterator[World]:
        """An agent without a directory."""
        with world(local=LocalSource(str(path))) as found:
            found.engine.directory = found.engine.cache = None
            found.engine.start()
            assert found.ids() == [5478, 5471, 5460]
            yield found

    def test_polled_at_the_policys_interval(self, alone: World) -> None:
        before = alone.clock.seconds
        assert alone.until_due() == [5463]
        assert alone.clock.seconds - before == 10800

    def test_an_edit_is_5464_with_what_changed(self, alone: World, path: Path) -> None:
        export(path.parent, SECOND)
        alone.clock.pass_minutes(180)
        alone.engine.run_due()
        (entry,) = alone.sink.entries
        assert (entry.event.id, entry.event.summary and entry.event.summary.changed) == (5464, ("Web",))
        assert alone.verdict() == "block"
        alone.ids()
        assert alone.until_due() == [5463]

    def test_storage_that_cannot_be_read_is_5472_once_and_the_policy_stays(self, alone: World, path: Path) -> None:
        path.rename(path.with_name("away"))
        assert alone.until_due() == [5472]
        assert [alone.until_due() for _ in range(2)] == [[], []]
        assert alone.verdict() == "allow"
        path.with_name("away").rename(path)
        assert alone.until_due() == [5463]

    def test_a_policy_that_cannot_be_applied_is_5461_once_and_the_one_before_stays(self, alone: World, path: Path) -> None:
        export(path.parent, HOPELESS)
        assert alone.until_due() == [5461, 5477]
        assert [alone.until_due() for _ in range(2)] == [[], []]
        assert alone.verdict() == "allow"
        export(path.parent, SECOND)
        assert alone.until_due() == [5464]

    def test_a_policy_that_comes_later_is_loaded(self, tmp_path: Path) -> None:
        with world(local=LocalSource(str(tmp_path / "policy.reg"))) as found:
            found.engine.directory = found.engine.cache = None
            found.engine.start()
            assert (found.ids(), found.engine.state) == ([5478, 5472], State.IDLE)
            export(tmp_path, FIRST)
            assert found.until_due() == [5471, 5460]
            assert found.engine.state is State.LOCAL

    def test_nothing_at_all_is_only_a_start(self) -> None:
        with world() as found:
            found.engine.directory = found.engine.cache = None
            found.engine.start()
            assert (found.ids(), found.engine.due) == ([5478], None)
            assert found.engine.reload().is_good
            assert found.ids() == [5465]


class TestReaders:
    def test_whoever_looks_up_sees_the_old_table_or_the_new_one(self, found: World) -> None:
        """The two policies disagree on every port from 1 to 50, each in itself the same on all of them."""
        ports = range(1, 51)
        pair = [
            policy(*(rule(f"Port {port}", action, f"tcp any > me:{port}") for port in ports), name="Server Isolation")
            for action in ("allow", "block")
        ]
        found.domain.store(pair[0])
        assert found.until_answer() == [5464]
        seen: set[tuple[str, ...]] = set()
        is_over = threading.Event()

        def look() -> None:
            while not is_over.is_set():
                in_force = found.engine.in_force
                assert in_force is not None
                match = in_force.matcher.match
                seen.add(tuple(match("tcp", "10.1.2.3:5", f"10.9.0.7:{port}", direction="in").action for port in ports))
                time.sleep(0.001)  # the test's own directory wants its turn

        readers = [threading.Thread(target=look) for _ in range(3)]
        for reader in readers:
            reader.start()
        for turn in range(6):
            found.domain.store(pair[(turn + 1) % 2])
            assert found.until_answer() == [5464]
        is_over.set()
        for reader in readers:
            reader.join()
        assert seen == {("allow",) * 50, ("block",) * 50}
