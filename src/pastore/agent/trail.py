"""The agent's audit trail: events that could not be recorded are kept and recorded later, and the last ones are remembered."""

import errno
from collections import deque
from collections.abc import Callable
from typing import Final

from pastore.audit.events import AuditEvent
from pastore.audit.policy import AuditPolicy
from pastore.audit.sinks import AuditWriteError, JsonLinesSink, Sink

KEPT: Final = 10_000  # events that wait for a log that can be written again
REMEMBERED: Final = 50


class Trail:
    """Writes events to a sink, in order, and never fails.

    Parameters
    ----------
    sink : Sink
    policy : AuditPolicy, optional
        What the sink records; nothing else waits for it.
    heard : callable, optional
        Called with each event that is recorded or waits for it.

    Attributes
    ----------
    problem : str
        Why the last event could not be recorded, empty if it was.
    lost : int
        Events that were given up because too many waited.
    last : collections.deque of AuditEvent
        The last events, recorded or not.
    """

    def __init__(
        self, sink: Sink, policy: AuditPolicy | None = None, *, heard: Callable[[AuditEvent], None] | None = None
    ) -> None:
        self._sink = sink
        self._policy = policy or AuditPolicy.all()
        self._heard = heard
        self._waiting: deque[AuditEvent] = deque()
        self.problem = ""
        self.lost = 0
        self.last: deque[AuditEvent] = deque(maxlen=REMEMBERED)

    @property
    def waiting(self) -> int:
        """How many events wait to be recorded."""
        return len(self._waiting)

    def write(self, event: AuditEvent) -> None:
        """Record an event, after those that wait."""
        if not self._policy.wants(event):
            return
        self.last.append(event)
        if self._heard is not None:
            self._heard(event)
        self._waiting.append(event)
        if len(self._waiting) > KEPT:
            self._waiting.popleft()
            self.lost += 1
        self.flush()

    def flush(self) -> None:
        """Record what waits, as far as that can be done."""
        while self._waiting:
            try:
                self._sink.write(self._waiting[0])
            except AuditWriteError as error:
                self.problem = str(error)
                return
            self._waiting.popleft()
        self.problem = ""


class LaterSink:
    """An audit log that could not be opened yet, because there is no room or the disk does not answer: opened when it can be."""

    def __init__(self, path: str, policy: AuditPolicy) -> None:
        self._path = path
        self._policy = policy
        self._sink: JsonLinesSink | None = None

    @staticmethod
    def may_wait(error: AuditWriteError) -> bool:
        """Whether an error is one that goes by, and not a mistake in a path."""
        return error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.EROFS, errno.EAGAIN)

    def write(self, event: AuditEvent) -> int | None:
        """Record an event.

        Raises
        ------
        AuditWriteError
        """
        if self._sink is None:
            self._sink = JsonLinesSink(self._path, self._policy)
        return self._sink.write(event)
