"""The agent as a service: in the foreground, obeying signals and its socket, told about to a service manager.

SIGHUP is a forced reload, SIGTERM and SIGINT a clean end. A retrieval that waits for a directory is given up for an end; nothing
has happened then. Everything but answering on the socket is done in the main thread.
"""

import os
import select
import signal
import threading
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from types import FrameType
from typing import Any, Final

from pastore.agent.control import Answer, Control, as_descriptor
from pastore.agent.engine import Engine, Outcome
from pastore.agent.machine import Trigger
from pastore.agent.notify import notify, reloading
from pastore.agent.status import filters_of, status_of
from pastore.audit.events import AuditEvent

_LONGEST_WAIT: Final = 3600.0
_ACCESS_DENIED, _PATH_NOT_FOUND, _ADDRESS_IN_USE, _GENERAL_FAILURE, _INTERNAL_ERROR = 5, 3, 10048, 31, 1359


class Interrupted(BaseException):
    """The agent is to end while it waits."""


class _Task:
    """Something that a client of the socket wants done, and waits for."""

    def __init__(self, do: str) -> None:
        self.do = do
        self.reply: dict[str, Any] = {"error": "the agent ends"}
        self.done = threading.Event()


class Service:
    """Runs an engine.

    Parameters
    ----------
    make : callable
        Gives the engine; it is handed what to use as its `asking`.
    socket_path : str, optional
        Without one, nobody can ask.
    """

    def __init__(self, make: Callable[[Callable[[], Any]], Engine], socket_path: str | None) -> None:
        self._socket_path = socket_path
        self._is_ending = False
        self._is_waiting = False
        self._is_reload_wanted = False
        self._tasks: deque[_Task] = deque()
        self._read_end, self._write_end = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
        self.engine = make(self._asking)
        self._status = status_of(self.engine)

    @contextmanager
    def _asking(self) -> Iterator[None]:
        """Let a signal interrupt what is done meanwhile."""
        self._is_waiting = True
        try:
            if self._is_ending:
                raise Interrupted
            yield
        finally:
            self._is_waiting = False

    def run(self) -> bool:
        """Run until a signal ends it; whether it could be started and ended as it should."""
        try:
            control = None if self._socket_path is None else Control(self._socket_path, self._answer)
        except OSError as error:
            self.engine.trail.write(_failure(5483, _win32(error)))
            raise
        before = {number: signal.signal(number, self._on_signal) for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)}
        woken = signal.set_wakeup_fd(self._write_end, warn_on_full_buffer=False)
        try:
            with suppress(Interrupted):
                self.engine.start()
                self._tell_manager(READY="1")
                self._loop()
        except BaseException:
            self.engine.trail.write(_failure(5484, _INTERNAL_ERROR))
            raise
        finally:
            notify(STOPPING="1")
            if control is not None:
                control.close()
            self._is_ending = True
            while self._tasks:
                self._tasks.popleft().done.set()
            signal.set_wakeup_fd(woken)
            for number, handler in before.items():
                signal.signal(number, handler)
        self.engine.stop()
        return self.engine.trail.waiting == 0

    def _loop(self) -> None:
        while not self._is_ending:
            self._status = status_of(self.engine)
            if self._is_reload_wanted:
                self._is_reload_wanted = False
                self._reload()
                continue
            if self._tasks:
                self._do(self._tasks.popleft())
                continue
            if self.engine.run_due():
                self._tell_manager()
                continue
            due = self.engine.due
            wait = _LONGEST_WAIT if due is None else min(_LONGEST_WAIT, max(0.0, due - self.engine.clock.monotonic()))
            select.select([self._read_end], [], [], wait)
            with suppress(BlockingIOError):
                while os.read(self._read_end, 4096):
                    pass

    def _on_signal(self, number: int, _frame: FrameType | None) -> None:
        if number == signal.SIGHUP:
            self._is_reload_wanted = True
            return
        self._is_ending = True
        if self._is_waiting:
            self._is_waiting = False
            raise Interrupted

    def _reload(self) -> Outcome:
        reloading()
        try:
            return self.engine.reload()
        finally:
            self._tell_manager(READY="1")

    def _tell_manager(self, **state: str) -> None:
        in_force = self.engine.in_force
        policy = "no policy" if in_force is None else f"policy {in_force.attempt.policy.name!r}"
        self._status = status_of(self.engine)
        notify(**state, STATUS=f"{policy}; {self.engine.state.value}")

    # The socket

    def _do(self, task: _Task) -> None:
        try:
            if task.do == "reload":
                outcome = self._reload()
            else:
                outcome = self._ask_again(Trigger.POLL if task.do == "poll" else Trigger.REFRESH)
            told = {"is_good": outcome.is_good, "has_changed": outcome.has_changed}
            task.reply = {**told, "state": self.engine.state.value, "policy": self._status["policy"]}
        finally:
            task.done.set()

    def _ask_again(self, trigger: Trigger) -> Outcome:
        try:
            return self.engine.turn(trigger if self.engine.directory is not None else Trigger.POLL)
        finally:
            self._tell_manager()

    def _answer(self, request: dict[str, Any]) -> Answer:
        """Answer a client, in its thread."""
        do = request.get("do")
        in_force = self.engine.in_force
        if do == "status":
            return self._status, None
        if do == "filters":
            at_most = request.get("at_most")
            if at_most is not None and (not isinstance(at_most, int) or at_most < 0):
                return {"error": "at_most is a number"}, None
            return {"filters": [] if in_force is None else filters_of(in_force, at_most)}, None
        if do == "table":
            if in_force is None:
                return {"error": "no policy is in force"}, None
            try:
                return {}, as_descriptor(in_force.matcher.save)
            except OSError as error:
                return {"error": f"the table cannot be handed over: {error.strerror or error}"}, None
        if do in ("reload", "refresh", "poll"):
            task = _Task(do)
            self._tasks.append(task)
            with suppress(OSError):
                os.write(self._write_end, b"\0")
            while not task.done.wait(0.5):
                if self._is_ending:
                    task.done.wait(1)
                    break
            return task.reply, None
        return {"error": f"there is no request {str(do)[:40]!r}"}, None

    def close(self) -> None:
        """Give the wakeup pipe back."""
        for descriptor in (self._read_end, self._write_end):
            os.close(descriptor)


def _failure(number: int, error: int) -> AuditEvent:
    from datetime import UTC, datetime

    return AuditEvent(number, {"Error": error}, datetime.now(UTC))


def _win32(error: OSError) -> int:
    import errno

    known = {
        errno.EACCES: _ACCESS_DENIED,
        errno.EPERM: _ACCESS_DENIED,
        errno.ENOENT: _PATH_NOT_FOUND,
        errno.EADDRINUSE: _ADDRESS_IN_USE,
    }
    return known.get(error.errno or 0, _GENERAL_FAILURE)
