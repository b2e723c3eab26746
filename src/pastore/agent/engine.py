"""The policy agent: keeps the right policy applied whatever the directory does, and writes what happened to the audit log.

`pastore.agent.machine` says what follows what; this carries it out. The engine has one thread. Whoever looks up packets takes
`Engine.in_force` once and has the old table or the new one, whole.
"""

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

from pastore.agent.applying import Attempt, Manner, attempt, events_of, first_error
from pastore.agent.cache import Cache, CacheError
from pastore.agent.clock import Clock, SystemClock
from pastore.agent.comparing import compare
from pastore.agent.copies import Copy
from pastore.agent.machine import TABLE, Apply, Deed, Drop, Heard, Load, Row, State, Trigger
from pastore.agent.storages import Answer, Directory, Local
from pastore.agent.trail import Trail
from pastore.audit.events import AuditEvent
from pastore.audit.summary import Summary
from pastore.directory import DirectoryError, Marker
from pastore.findings import Finding
from pastore.ipsecdata.objects import parse_name
from pastore.matcher import Matcher, MemoryLimitError
from pastore.model import Origin, Policy, Storage
from pastore.model import win32 as w

REFRESH: Final = 90 * 60.0  # seconds; Group Policy's default on Windows
SHORTEST: Final = 60.0  # seconds; the tools of Windows set the polling interval in minutes
_MINUTE: Final = 60.0
_LONGEST: Final = 166  # minutes


def back_off(minutes: float) -> float:
    """Return the next interval after a failure ([MS-GPIPSEC] 3.2.5.1): 1, 4, 25, 166, 166 ... minutes, from 0."""
    return min((minutes + 1) ** 2, _LONGEST)


@dataclass(frozen=True, slots=True)
class InForce:
    """The policy in force.

    Parameters
    ----------
    attempt : Attempt
        Its matcher is there.
    storage : Storage
        Where it came from: a policy of the directory stays one while its cached copy is said to be in force.
    since : datetime
        When it was applied.
    """

    attempt: Attempt
    storage: Storage
    since: datetime

    @property
    def matcher(self) -> Matcher:
        """The table."""
        assert self.attempt.matcher is not None
        return self.attempt.matcher


Reading = tuple[Policy | None, tuple[Finding, ...]]


@dataclass(slots=True)
class _Failures:
    """Back-off of one storage."""

    minutes: float = 0.0

    def next(self) -> float:
        """Count one more failure; the seconds to wait."""
        self.minutes = back_off(self.minutes)
        return self.minutes * _MINUTE


@dataclass(slots=True)
class _Asked:
    """What was heard, and what it was heard of."""

    heard: Heard
    policy: str = ""
    error: int = 0
    copy: Copy | None = None
    reading: Reading = (None, ())
    of_directory: bool = False

    @property
    def version(self) -> str:
        """What tells this version of a policy from any other, so that a failure is told once."""
        return self.copy.fingerprint if self.copy is not None else f"{self.policy} {self.error}"


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one turn came to.

    Parameters
    ----------
    is_good : bool
        Whether what was asked for was done: a policy, or that there is none, was obtained from where it should be.
    has_changed : bool
        Whether another policy was put in force.
    """

    is_good: bool = True
    has_changed: bool = False


class Engine:
    """The policy agent.

    Parameters
    ----------
    trail : Trail
        Takes the events.
    directory : Directory, optional
        Without one, the computer is in no domain.
    cache : Cache, optional
        For the directory's policies.
    local : Local, optional
        Without one, there is no local storage.
    manner : Manner
    clock : Clock, optional
    refresh_every : float
        Seconds between two readings of the assignment.
    wanted : str
        What events call a policy that was not obtained and has no DN that is known.
    applied : callable, optional
        Called after another policy was put in force, or None was, with `InForce` or None.
    told : callable, optional
        Called with each finding about the agent's work that is new: it is not kept.
    asking : callable, optional
        Gives a context manager around whatever may take long: each retrieval, and `applied`. It may be left by an exception.

    Attributes
    ----------
    state : State
    in_force : InForce or None
    last_attempt : Attempt or None
        The last policy that was tried, whether it could be applied or not.
    last_poll, last_answer : datetime or None
        When a storage was asked last, and when a directory answered last.
    poll_at, refresh_at : float or None
        When that is due, by the clock's `monotonic`.
    """

    def __init__(
        self,
        trail: Trail,
        *,
        directory: Directory | None = None,
        cache: Cache | None = None,
        local: Local | None = None,
        manner: Manner | None = None,
        clock: Clock | None = None,
        refresh_every: float = REFRESH,
        wanted: str = "",
        applied: Callable[[InForce | None], None] | None = None,
        told: Callable[[Finding], None] | None = None,
        asking: Callable[[], AbstractContextManager[object]] = nullcontext,
    ) -> None:
        self.trail = trail
        self.directory = directory
        self.cache = cache
        self.local = local
        self.manner = manner or Manner()
        self.clock = clock or SystemClock()
        self.refresh_every = refresh_every
        self.wanted = wanted
        self.state = State.OFF
        self.in_force: InForce | None = None
        self.last_attempt: Attempt | None = None
        self.last_poll: datetime | None = None
        self.last_answer: datetime | None = None
        self.poll_at: float | None = None
        self.refresh_at: float | None = None
        self._applied = applied
        self._told = told
        self._asking = asking
        self._found: dict[str, tuple[Finding, ...]] = {}
        self._copy: Copy | None = None  # of the directory's policy in force
        self._assigned = ""  # DN of the policy that was assigned last
        self._refused = ""  # version of the directory's policy that could not be applied and was told
        self._local_in_force: Reading | None = None
        self._local_refused: Reading | None = None
        self._local_was_read = False
        self._unsaved: tuple[Copy | None, datetime] | None = None
        self._directory_failures = _Failures()
        self._local_failures = _Failures()

    @property
    def findings(self) -> tuple[Finding, ...]:
        """What is wrong with the agent's work now: the directory, local storage, the cache."""
        return tuple(finding for found in self._found.values() for finding in found)

    # What makes it move

    def start(self) -> Outcome:
        """Begin: 5478, and the first policy.

        Raises
        ------
        RuntimeError
            If it runs already.
        """
        if self.state is not State.OFF:
            raise RuntimeError("the agent runs already")
        self._write(5478)
        return self.turn(Trigger.START)

    def stop(self) -> None:
        """End: 5479. What is in force is not any more."""
        self._write(5479)
        self.state = State.OFF
        self.in_force = None
        self.poll_at = self.refresh_at = None

    def reload(self) -> Outcome:
        """Read everything again, as service control 129 has Windows do: 5465 if that went well."""
        outcome = self.turn(Trigger.RELOAD)
        if outcome.is_good:
            self._write(5465)
        return outcome

    @property
    def due(self) -> float | None:
        """When there is something to do, by the clock's `monotonic`; None if never."""
        return min((at for at in (self.poll_at, self._refresh_due_at) if at is not None), default=None)

    @property
    def _refresh_due_at(self) -> float | None:
        """When a refresh is due for itself: not while the directory is polled because something is wrong, which reads all."""
        return None if self.state in (State.CACHE, State.WAITING) else self.refresh_at

    def run_due(self) -> bool:
        """Do what is due; whether something was."""
        self.trail.flush()
        self._look_at_trail()
        is_refresh_due, is_poll_due = (
            at is not None and at <= self.clock.monotonic() for at in (self._refresh_due_at, self.poll_at)
        )
        # Of a directory, one poll asks both.
        if is_refresh_due and not (is_poll_due and self.state not in (State.LOCAL, State.IDLE)):
            self.turn(Trigger.REFRESH)
        if is_poll_due and self.poll_at is not None and self.poll_at <= self.clock.monotonic():
            self.turn(Trigger.POLL)
        return is_refresh_due or is_poll_due

    def turn(self, trigger: Trigger) -> Outcome:
        """Ask the storages as the state wants it, and do what the table says."""
        before = self.in_force
        self._local_was_read = False
        asked = self._ask(trigger)
        is_good = self._go(trigger, asked)
        self._schedule(trigger, asked)
        if self._unsaved is not None:
            self._save()
        self._look_at_trail()
        if self.in_force is not before and self._applied is not None:
            with self._asking():
                self._applied(self.in_force)
        return Outcome(is_good, self.in_force is not before)

    # Asking

    def _ask(self, trigger: Trigger) -> _Asked:
        self.last_poll = self.clock.now()
        afresh = trigger in (Trigger.START, Trigger.RELOAD)
        if afresh:
            self._refused = ""
        if self.directory is None:
            return _Asked(Heard.UNASSIGNED) if afresh else self._ask_local()
        if self.state in (State.LOCAL, State.IDLE) and trigger is Trigger.POLL:
            return self._ask_local()
        known = None if afresh else self._copy
        # Polling reads the assignment too where that is overdue; a refresh reads nothing else, unless the directory was away.
        assignment = trigger is not Trigger.POLL or known is None or self._is_overdue()
        changes = trigger is not Trigger.REFRESH or self.state in (State.CACHE, State.WAITING)
        try:
            with self._asking():
                answer = self.directory.ask(known, assignment=assignment, changes=changes)
        except DirectoryError as error:
            finding = error.finding(getattr(self.directory, "url", ""))
            self.note("directory", finding)
            policy = self._assigned or (self._cached_name() if afresh else "") or self.wanted
            return _Asked(Heard.UNREACHABLE, policy, finding.win32 or w.DS_SERVER_DOWN, of_directory=True)
        self.last_answer = self.clock.now()
        if assignment:
            self.refresh_at = self.clock.monotonic() + self.refresh_every
        self.note("directory", *answer.findings)
        asked = self._heard(answer, known)
        asked.of_directory = True
        return asked

    def _is_overdue(self) -> bool:
        return self.refresh_at is None or self.refresh_at <= self.clock.monotonic()

    def _cached_name(self) -> str:
        try:
            cached = self.cache.load() if self.cache is not None else None
        except CacheError:
            return ""
        return cached.copy.policy if cached is not None and cached.copy is not None else ""

    def _heard(self, answer: Answer, known: Copy | None) -> _Asked:
        self._assigned = answer.policy
        if answer.is_missing:
            return _Asked(Heard.BROKEN, answer.policy or self.wanted, first_error(answer.findings, w.FILE_NOT_FOUND))
        if not answer.policy:
            if self.state not in (State.LOCAL, State.IDLE):
                self._unsaved = (None, self.clock.now())
            return _Asked(Heard.UNASSIGNED)
        copy = answer.copy
        if copy is None:
            assert known is not None
            self._know(known, answer.marker or known.marker)
            return _Asked(Heard.SAME, answer.policy)
        if known is None or parse_name(copy.policy) != parse_name(known.policy):
            return _Asked(Heard.OTHER, answer.policy, copy=copy, reading=copy.load(Storage.DIRECTORY))
        if copy.same_as(known):
            self._know(known, copy.marker)
            return _Asked(Heard.SAME, answer.policy)
        return _Asked(Heard.CHANGED, answer.policy, copy=copy, reading=copy.load(Storage.DIRECTORY))

    def _know(self, known: Copy, marker: Marker) -> None:
        """Keep what is known of the policy in force, with the newest marker."""
        self._refused = ""
        if marker != known.marker:
            self._copy = replace(known, marker=marker)
            self._unsaved = (self._copy, self.clock.now())

    def _ask_local(self) -> _Asked:
        """Poll local storage."""
        read = self._read_local()
        if read[0] is None:
            if read != self._local_refused and self.local is not None:
                self._write(5472, Policy=self.wanted, Error=first_error(read[1], w.FILE_NOT_FOUND))
            self._local_refused = read
            return _Asked(Heard.NO_LOCAL)
        if read == self._local_refused:
            return _Asked(Heard.NO_LOCAL)
        if read == self._local_in_force:
            self._local_refused = None
            return _Asked(Heard.SAME)
        return _Asked(Heard.CHANGED, reading=read)

    def _read_local(self) -> Reading:
        self._local_was_read = True
        if self.local is None:
            return None, ()
        with self._asking():
            loaded = self.local.read()
        policy, findings = loaded.policy, loaded.findings
        if policy is not None and not isinstance(policy, Policy):
            no_policy = Finding("PA103", "a first-match rule list is not a Windows policy: there is nothing to apply")
            policy, findings = None, (*findings, no_policy)
        self.note("local", *(findings if policy is None else ()))
        return policy, findings

    # Doing

    def _go(self, trigger: Trigger, asked: _Asked) -> bool:
        """Follow the table from row to row; whether everything went well."""
        if asked.heard in (Heard.OTHER, Heard.CHANGED) and asked.copy is not None and asked.version == self._refused:
            asked.heard = Heard.BROKEN  # as was told before
        elif asked.heard is Heard.BROKEN and asked.version != self._refused:
            self._refused = asked.version
            self._write(5457, Policy=asked.policy, Error=asked.error)
        state, heard = self.state, asked.heard
        is_good = heard not in (Heard.UNREACHABLE, Heard.BROKEN)
        while True:
            row = row_of(state, trigger, heard)
            otherwise = next(filter(None, (self._do(deed, asked) for deed in row.deeds)), None)
            if otherwise is None:
                self.state = row.then or state
                return is_good
            is_fine = otherwise is Heard.UNASSIGNED or (otherwise is Heard.NO_LOCAL and self.local is None)
            is_good = is_good and is_fine
            heard = otherwise

    def _do(self, deed: Deed, asked: _Asked) -> Heard | None:
        """Do one thing; what is heard if it could not be done."""
        if isinstance(deed, Drop):
            self.in_force = self._copy = self._local_in_force = None
        elif isinstance(deed, Load):
            return self._load_local(asked)
        elif deed is Apply.CACHE:
            return self._apply_cache(asked)
        elif isinstance(deed, Apply):
            return self._apply(deed, asked)
        elif deed == 5474:
            self._write(deed, Policy=asked.policy, Error=asked.error)
        elif deed in (5471, 5473):
            policy, findings = asked.reading
            if policy is None:  # there are objects, but no policy can be made of them
                self._refused = asked.version
                self._write(5457, Policy=asked.policy, Error=first_error(findings, w.INVALID_DATA))
                return Heard.BROKEN
            self._write_loaded(deed, policy)
        else:
            self._write(deed)
        return None

    def _load_local(self, asked: _Asked) -> Heard | None:
        asked.reading = policy, findings = self._read_local()
        if policy is None:
            # What goes must be told, even where nothing was meant to come.
            if self.local is not None or self.in_force is not None:
                self._write(5472, Policy=self.wanted, Error=first_error(findings, w.FILE_NOT_FOUND))
            self._local_refused = asked.reading
            return Heard.NO_LOCAL
        self._write_loaded(5471, policy)
        return None

    def _write_loaded(self, number: int, policy: Policy) -> None:
        if policy.storage is not Storage.CACHE:  # a cached copy within local storage: there is no event for loading it
            self._write(number, Policy=policy.dn or policy.name)

    def _apply(self, deed: Apply, asked: _Asked) -> Heard | None:
        policy, findings = asked.reading
        if policy is None:
            self._refused = asked.version
            self._write(deed.failed, Policy=asked.policy, Error=first_error(findings, w.INVALID_DATA))
            return deed.otherwise
        tried = self._attempt(policy, findings)
        applied, failed = _named(deed, policy)
        if tried.matcher is None:
            if asked.copy is None:
                self._local_refused = asked.reading
            else:
                self._refused = asked.version
            self._record(tried, applied, failed)
            return deed.otherwise
        self._put(tried, applied, failed)
        self._copy = asked.copy
        if asked.copy is None:
            self._local_in_force, self._local_refused = asked.reading, None
        else:
            self._local_in_force, self._refused = None, ""
            self._unsaved = (asked.copy, self.clock.now())
        return None

    def _apply_cache(self, asked: _Asked) -> Heard | None:
        path = "" if self.cache is None else self.cache.path
        try:
            if self.cache is None:
                raise CacheError("there is no folder for a cached copy", w.FILE_NOT_FOUND)
            copy = self.cache.load().copy
            if copy is None and asked.heard is Heard.UNREACHABLE:
                return Heard.UNASSIGNED  # that is what the directory said when it was last heard
            if copy is None:
                raise CacheError("there is no cached copy: when last heard, the directory assigned no policy", w.FILE_NOT_FOUND)
        except CacheError as error:
            self.note("cache", error.finding(path))
            self._write(5459, Policy=asked.policy, Error=error.error)
            return Heard.NO_CACHE
        self.note("cache")
        policy, findings = copy.load(Storage.CACHE)
        if policy is None:
            self._write(5459, Policy=copy.policy, Error=first_error(findings, w.INVALID_DATA))
            return Heard.NO_CACHE
        tried = self._attempt(policy, findings)
        if tried.matcher is None:
            self._record(tried, Apply.CACHE.applied, Apply.CACHE.failed)
            return Heard.NO_CACHE
        self._put(tried, Apply.CACHE.applied, Apply.CACHE.failed)
        self._copy = copy
        self._local_in_force = None
        return None

    def _attempt(self, policy: Policy, findings: tuple[Finding, ...]) -> Attempt:
        try:
            tried = attempt(policy, findings, self.manner)
        except (MemoryError, MemoryLimitError):
            tried = Attempt(policy, None, w.NOT_ENOUGH_MEMORY, findings, ())
        self.last_attempt = tried
        return tried

    def _put(self, tried: Attempt, applied: int, failed: int) -> None:
        """Put a policy in force, and say so."""
        before = self.in_force
        self.in_force = InForce(tried, tried.policy.storage, self.clock.now())
        is_change = applied in (5464, 5468) and before is not None
        self._record(tried, applied, failed, compare(before.attempt, tried) if is_change and before else None)

    def _record(self, tried: Attempt, applied: int, failed: int, summary: Summary | None = None) -> None:
        for number, told in enumerate(events_of(tried, applied, failed, self.clock.now())):
            self.trail.write(replace(told, summary=summary) if summary is not None and number == 0 else told)

    # Afterwards

    def _schedule(self, trigger: Trigger, asked: _Asked) -> None:
        """Decide when to ask again."""
        now = self.clock.monotonic()
        has_failed = asked.of_directory and (
            asked.heard in (Heard.UNREACHABLE, Heard.BROKEN) or self.state in (State.CACHE, State.WAITING)
        )
        if asked.of_directory and not has_failed:
            self._directory_failures = _Failures()
        if self.state in (State.LOCAL, State.IDLE):
            if has_failed:
                self.refresh_at = now + self._directory_failures.next()
            if self._local_was_read:
                self.poll_at = self._next_local_poll(now)
        elif has_failed:
            self.poll_at = now + self._directory_failures.next()
            if self._is_overdue():
                self.refresh_at = None
        elif trigger is not Trigger.REFRESH or asked.heard is not Heard.SAME:
            self.poll_at = now + self._interval()

    def _next_local_poll(self, now: float) -> float | None:
        if self.local is None:
            return None
        if self._local_refused is not None:
            return now + self._local_failures.next()
        self._local_failures = _Failures()
        return now + self._interval()

    def _interval(self) -> float:
        """Return the polling interval of the policy in force, in seconds."""
        assert self.in_force is not None
        return max(SHORTEST, float(self.in_force.attempt.policy.polling_interval))

    def _save(self) -> None:
        """Write what the directory said to the cache; until that succeeds it is tried at every turn."""
        assert self._unsaved is not None
        if self.cache is None:
            self._unsaved = None
            return
        try:
            self.cache.save(*self._unsaved)
        except OSError as error:
            why = f"the cached copy cannot be written: {error.strerror or error}; the one from before stays"
            self.note("saving", Finding("PA196", why, Origin(self.cache.path)))
        else:
            self.note("saving")
            self.note("cache")
            self._unsaved = None

    def _look_at_trail(self) -> None:
        if self.trail.problem:
            why = f"{self.trail.problem}; {self.trail.waiting} events wait to be recorded"
            if not self._found.get("audit"):
                self.note("audit", Finding("PA196", why, Origin("audit log")))
        else:
            self.note("audit")

    def note(self, about: str, *findings: Finding) -> None:
        """Note what is wrong with a part of the agent's work now, and tell what is new."""
        before = self._found.get(about, ())
        self._found[about] = findings
        if self._told is not None:
            for finding in findings:
                if finding not in before:
                    self._told(finding)

    def _write(self, number: int, **data: str | int) -> None:
        self.trail.write(AuditEvent(number, data, self.clock.now()))


def _named(deed: Apply, policy: Policy) -> tuple[int, int]:
    """Return the two events of applying a policy; a cached copy within local storage has those of a cached copy."""
    if deed is Apply.LOCAL and policy.storage is Storage.CACHE:
        return Apply.CACHE.applied, Apply.CACHE.failed
    return deed.applied, deed.failed


def row_of(state: State, trigger: Trigger, heard: Heard) -> Row:
    """Return the row of the table.

    Raises
    ------
    LookupError
        If there is none: then the table, or whoever asks it, is wrong.
    """
    for row in TABLE:
        if heard is row.heard and state in row.states and trigger in row.triggers:
            return row
    raise LookupError(f"the agent's table has no row for {state}, {trigger}, {heard}")
