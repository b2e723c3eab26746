"""The agent when it is killed, when disks fill and fail, when answers are cut, and after a week."""

import errno
import gc
import json
import os
import signal
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

import pytest
from lxml import etree

from pastore.agent.cache import Cache
from pastore.agent.machine import State
from pastore.agent.outlets import Outlets
from pastore.agent.trail import KEPT, LaterSink, Trail
from pastore.audit import AuditPolicy, AuditWriteError, Damage, Entry, JsonLinesSink, event, read_log
from pastore.audit.winxml import element
from pastore.matcher import Matcher
from tests.support.agents import FIRST, ODD, OTHER, SECOND, World, world
from tests.support.relay import Relay, to_path

ROOT: Final = Path(__file__).parents[2]
SCHEMA: Final = etree.XMLSchema(etree.parse(ROOT / "tests" / "unit" / "audit" / "event.xsd"))

# kill -9

ALTERNATING: Final = """
import os, sys, random, signal, time
from pathlib import Path
from pastore.agent.cache import Cache
from pastore.agent.engine import Engine
from pastore.agent.outlets import Outlets
from pastore.agent.storages import Answer
from pastore.agent.trail import Trail
from pastore.audit import JsonLinesSink
from tests.unit.agent.test_cache import copy_of
from tests.support.agents import FIRST, SECOND, FakeClock

folder, runs = sys.argv[1], int(sys.argv[2])
copies = [copy_of(FIRST), copy_of(SECOND)]

class Alternating:
    url, turn = "ldaps://dc1", 0  # the first policy of a run is not always the same one
    def ask(self, known, *, assignment, changes=True):
        if not changes:
            return Answer(known.policy, marker=known.marker)
        self.turn += 1
        return Answer(copies[self.turn % 2].policy, copies[self.turn % 2])

def work(folder, polls):
    cache = Cache(folder + "/policy.cache", computer="files1", domain="dc=corp,dc=example")
    engine = Engine(Trail(JsonLinesSink(folder + "/audit.jsonl")), directory=Alternating(), cache=cache, clock=FakeClock(),
                    applied=Outlets(folder + "/policy.pastore", None, lambda *found: engine.note(*found)))
    engine.start()
    while polls:
        engine.clock.seconds = engine.due
        engine.run_due()
        polls -= 1

os.mkdir(folder + "/warm")
work(folder + "/warm", 6)  # so that the children need not import anything
moments = random.Random(500)
for run in range(runs):
    Alternating.turn = run
    child = os.fork()
    if not child:
        try:
            work(folder, -1)
        finally:
            os._exit(1)
    time.sleep(moments.uniform(0.001, 0.03))
    os.kill(child, signal.SIGKILL)
    status = os.waitpid(child, 0)[1]
    print(os.WTERMSIG(status) if os.WIFSIGNALED(status) else -1, flush=True)
    if sys.stdin.readline() != "next\\n":
        break
"""


@pytest.fixture
def quick(tmp_path: Path) -> Iterator[Path]:
    """A folder in memory where there is one: a killed process leaves a file as it is there too, and fsync takes no time."""
    memory = Path("/dev/shm")  # noqa: S108
    if not os.access(memory, os.W_OK):
        yield tmp_path
        return
    with tempfile.TemporaryDirectory(dir=memory, prefix="pastore-") as folder:
        yield Path(folder)


def test_killed_at_500_moments_the_cached_copy_is_one_of_the_two_and_the_log_has_at_most_a_torn_last_line(quick: Path) -> None:
    from tests.unit.agent.test_cache import copy_of

    runs = 500
    path = os.pathsep.join((str(ROOT / "src"), str(ROOT)))
    child = subprocess.Popen(
        [sys.executable, "-c", ALTERNATING, str(quick), str(runs)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env=os.environ | {"PYTHONPATH": path},
    )
    assert child.stdin is not None
    assert child.stdout is not None
    cache = Cache(str(quick / "policy.cache"), computer="files1", domain="dc=corp,dc=example")
    policies = {copy_of(made).fingerprint: made.name for made in (FIRST, SECOND)}
    assert len(policies) == 2
    seen: Counter[str] = Counter()
    log = quick / "audit.jsonl"
    events = torn = tables = 0
    with child:
        for _ in range(runs):
            assert child.stdout.readline() == f"{int(signal.SIGKILL)}\n"
            if seen or os.path.exists(cache.path):  # the first ones may be killed before their first policy
                copy = cache.load().copy
                assert copy is not None
                assert copy.fingerprint in policies
                seen[copy.fingerprint] += 1
            if log.exists():
                items = list(read_log(log))
                damage = [item for item in items if isinstance(item, Damage)]
                assert [item.code for item in damage] in ([], ["PA160"])
                assert not damage or items[-1] is damage[0]
                torn += len(damage)
                events += sum(isinstance(item, Entry) for item in items)
                log.unlink()
            if (quick / "policy.pastore").exists():
                Matcher.open(quick / "policy.pastore")
                (quick / "policy.pastore").unlink()
                tables += 1
            child.stdin.write("next\n")
            child.stdin.flush()
    assert len(seen) == 2
    assert min(seen.values()) > 20
    assert events > 20
    assert tables > 20
    # What killed writers leave does not pile up: the cached copy's goes with the next one, the table's with the next start.
    assert len(list(quick.glob(".policy.cache.*"))) <= 1


# Disks

FAILURES: Final = {"full": errno.ENOSPC, "broken": errno.EIO}


class Disk:
    """Fails at the nth call that writes below a folder, and at every one after it, until it is mended."""

    NAMES: Final = ("open", "write", "fsync", "rename", "replace")

    def __init__(self, monkeypatch: pytest.MonkeyPatch, number: int) -> None:
        self.number = number
        self.calls = 0
        self.fails_at: int | None = None
        self.failed: list[str] = []
        for name in self.NAMES:
            monkeypatch.setattr(os, name, self._wrapped(name, getattr(os, name)))

    def _wrapped(self, name: str, real: Callable[..., Any]) -> Callable[..., Any]:
        def call(*arguments: Any, **more: Any) -> Any:
            if name == "open" and not (len(arguments) > 1 and arguments[1] & os.O_CREAT):
                return real(*arguments, **more)
            self.calls += 1
            if self.fails_at is not None and self.calls > self.fails_at:
                self.failed.append(name)
                raise OSError(self.number, os.strerror(self.number))
            return real(*arguments, **more)

        return call


@pytest.mark.parametrize("kind", FAILURES)
def test_a_disk_that_fails_at_any_write_leaves_the_agent_running_on_what_it_has_and_it_says_so(
    kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A poll finds a change; the disk fails from the nth write of it on. What is in force is the new policy all the same."""
    disk = Disk(monkeypatch, FAILURES[kind])
    at, ways = 0, set()
    while True:
        disk.fails_at = None
        with world() as found:
            log, table = found.folder / "audit.jsonl", found.folder / "policy.pastore"
            found.engine.trail = Trail(JsonLinesSink(log))
            found.engine._applied = Outlets(str(table), None, found.engine.note)
            found.engine.start()
            old_cache, old_table = Path(found.cache.path).read_bytes(), table.read_bytes()
            found.domain.store(SECOND)
            found.told.clear()
            found.clock.pass_minutes(180)
            before = disk.calls
            disk.fails_at = disk.calls + at
            found.engine.run_due()
            assert (found.verdict(), found.engine.state) == ("block", State.DIRECTORY)
            if not disk.failed:
                assert at == disk.calls - before
                break
            ways.update(disk.failed)
            assert {finding.code for finding in found.told} == {"PA196"}
            reason = os.strerror(FAILURES[kind])
            assert all(reason in finding.message for finding in found.told)
            # What stands there is the old or the new, whole.
            copy = found.cache.load().copy
            assert copy is not None
            assert Path(found.cache.path).read_bytes() == old_cache or copy.same_as(found.engine._copy or copy)
            assert table.read_bytes() == old_table or Matcher.open(table).filters is not None
            # And when there is room again, everything is there after the next poll: no event was lost.
            disk.failed.clear()
            disk.fails_at = None
            found.clock.pass_minutes(180)
            found.engine.run_due()
            copy = found.cache.load().copy
            assert copy is not None
            assert copy.fingerprint == (found.engine._copy or copy).fingerprint
            assert [item.event.id for item in read_log(log) if isinstance(item, Entry)] == [5478, 5473, 5456, 5464, 5463]
            assert not [finding for finding in found.engine.findings if "table" not in finding.message]
        at += 1
    assert at > 8
    assert ways == {"open", "write", "fsync", "rename", "replace"}


def test_events_wait_in_memory_and_the_oldest_go_when_there_are_too_many(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sink = JsonLinesSink(tmp_path / "audit.jsonl")
    trail = Trail(sink)

    def full(told: object) -> int:
        raise AuditWriteError(errno.ENOSPC, "no room", "audit.jsonl")

    monkeypatch.setattr(sink, "write", full)
    for _ in range(KEPT + 5):
        trail.write(event(5463))
    assert (trail.waiting, trail.lost, trail.problem) == (KEPT, 5, "audit.jsonl: no room")
    monkeypatch.undo()
    monkeypatch.setattr(os, "fsync", lambda descriptor: None)
    trail.flush()
    assert (trail.waiting, trail.problem) == (0, "")
    assert len(list(read_log(tmp_path / "audit.jsonl"))) == KEPT


def test_a_log_for_which_there_is_no_room_at_the_start_is_opened_later(tmp_path: Path) -> None:
    error = AuditWriteError(errno.ENOSPC, "cannot open", "x")
    assert LaterSink.may_wait(error)
    assert not LaterSink.may_wait(AuditWriteError(errno.EBADMSG, "not an audit log", "x"))
    folder = tmp_path / "later"
    trail = Trail(LaterSink(str(folder / "audit.jsonl"), AuditPolicy.all()))
    trail.write(event(5478))
    assert trail.waiting == 1
    folder.mkdir()
    trail.write(event(5463))
    assert [item.event.id for item in read_log(folder / "audit.jsonl") if isinstance(item, Entry)] == [5478, 5463]


# Answers that are cut


def test_an_answer_cut_after_every_64th_byte_leaves_the_old_policy_or_the_new_and_the_right_event(tmp_path: Path) -> None:
    with world() as found:
        path = found.folder / "cut"
        with Relay(to_path(str(found.folder / "ldapi")), path=str(path)) as relay:
            directory = found.engine.directory
            directory.url = f"ldapi://{str(path).replace('/', '%2F')}"  # type: ignore[union-attr]
            found.engine.start()
            assert found.ids() == [5478, 5473, 5456]
            versions = [SECOND, FIRST]
            found.domain.store(versions[0])
            assert found.until_answer() == [5464]
            whole = relay.passed
            seen: Counter[int] = Counter()
            for turn, cut in enumerate(range(0, whole + 64, 64)):
                found.domain.store(versions[(turn + 1) % 2])
                old = found.verdict()
                relay.cut_after = cut
                found.clock.pass_minutes(180)
                found.engine.run_due()
                ids = found.ids()
                new = {"allow": "block", "block": "allow"}[str(old)]
                if ids == [5466]:
                    assert (found.verdict(), found.engine.state) == (old, State.CACHE)
                    relay.cut_after = None
                    assert found.until_answer() == [5468]
                else:
                    assert ids == [5464]
                assert (found.verdict(), found.engine.state) == (new, State.DIRECTORY)
                seen[ids[0]] += 1
    assert seen[5464] >= 1
    assert seen[5466] > 50


# A week


def test_a_week_of_polls_cuts_edits_and_reloads_keeps_memory_and_descriptors_and_every_event_in_its_place(tmp_path: Path) -> None:
    """Seven days on a fake clock; each has a cut of three hours, an edit, an odd rule, other assignments, and a reload."""
    log = tmp_path / "audit.jsonl"
    days: list[tuple[int, int]] = []
    with world() as found:
        found.domain.store(OTHER)
        found.engine.trail = Trail(JsonLinesSink(log))
        found.engine._applied = Outlets(str(tmp_path / "policy.pastore"), None, found.engine.note)
        start = found.clock.seconds
        expected = [5478, 5473, 5456]
        found.engine.start()

        def until(hour: float) -> None:
            """Let time pass as the agent would."""
            while (due := found.engine.due) is not None and due <= start + 3600 * hour:
                found.clock.seconds = max(found.clock.seconds, due)
                found.engine.run_due()
            found.clock.seconds = start + 3600 * hour

        for day in range(7):
            at = 24 * day
            until(at + 4)
            found.domain.store(SECOND if day % 2 == 0 else FIRST)
            until(at + 8)  # an edit is found
            found.domain.is_up = False
            until(at + 11)  # a cut
            found.domain.is_up = True
            until(at + 14)
            found.domain.store(ODD)
            until(at + 17)  # an odd rule
            found.domain.assign(OTHER)
            until(at + 20)  # another policy
            found.domain.assign(FIRST)
            until(at + 22)
            found.engine.reload()
            until(at + 24)
            expected += [5464, 5466, 5467, 5464, 5462, 5477, 5473, 5456, 5473, 5456, 5462, 5477]
            expected += [5473, 5456, 5462, 5477, 5465]
            gc.collect()
            days.append((sys.getallocatedblocks(), len(os.listdir("/proc/self/fd"))))
        found.engine.stop()
        expected.append(5479)
    entries = [item for item in read_log(log) if isinstance(item, Entry)]
    quiet = [entry for entry in entries if entry.event.id == 5463]
    assert [entry.event.id for entry in entries if entry.event.id != 5463] == expected
    polls = len(quiet)
    assert polls > 7
    assert [entry.seq for entry in entries] == list(range(1, len(entries) + 1))
    for entry in entries:
        SCHEMA.assertValid(etree.fromstring(etree_text(entry)))
    memory, descriptors = zip(*days, strict=True)
    assert max(descriptors[1:]) == min(descriptors[1:])
    assert memory[-1] - memory[1] < 3000, memory  # blocks; what a connection or a policy would leave behind is thousands


def etree_text(entry: Entry) -> bytes:
    import xml.etree.ElementTree as ET

    return ET.tostring(element(entry, "files1"))


def test_what_is_said_of_it_all_is_json(tmp_path: Path) -> None:
    """A log of an agent has the keys of the contract, and a summary beside them where there was a change."""
    log = tmp_path / "audit.jsonl"
    with world() as found:
        found.engine.trail = Trail(JsonLinesSink(log))
        found.engine.start()
        found.domain.store(ODD)
        found.clock.pass_minutes(180)
        found.engine.run_due()
    lines = [json.loads(line) for line in log.read_text().splitlines()]
    contract = {"seq", "time", "id", "outcome", "data", "text"}
    for line in lines:
        assert set(line) - {"error"} == contract | ({"summary"} if line["id"] == 5464 else set())
    (summary,) = [line["summary"] for line in lines if "summary" in line]
    assert summary == {"added": ["Odd mask"], "changed": [], "removed": [], "settings": [], "example": None}


def test_two_worlds_do_not_share_anything() -> None:
    with world() as one, world() as other:
        assert isinstance(one, World)
        one.engine.start()
        assert other.ids() == []
