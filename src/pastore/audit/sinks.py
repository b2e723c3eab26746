"""Where audit events go: a file that only grows, or a list.

The file is shared: any number of processes may append to it. Each event is written under an exclusive lock on the file, and a
writer that finds the file grown reads the end of it again, so lines are whole and numbers are unique and contiguous. flock(2) is
advisory and needs a file system that honours it; over NFS that means version 4.
"""

import errno
import os
import stat
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Final, NamedTuple, Protocol

from pastore.audit.events import AuditEvent
from pastore.audit.policy import AuditPolicy
from pastore.audit.record import MAX_LINE, START, Damage, Entry, RecordError, encode, load

# How much of the end of a file is read to find its last whole line: little first, at most two lines of the longest kind.
_WINDOWS: Final = (1 << 13, 1 << 17, 2 * MAX_LINE)


class AuditWriteError(OSError):
    """An event could not be recorded; the message says why. Its sequence number is used for the next one."""

    def __str__(self) -> str:
        return f"{self.filename}: {self.strerror}"


class Sink(Protocol):
    """Anything that takes audit events."""

    def write(self, event: AuditEvent) -> int | None:
        """Record an event and return its sequence number, or None if the audit policy does not want it."""


class MemorySink:
    """A sink that keeps its entries in a list.

    Parameters
    ----------
    policy : AuditPolicy, optional
        What is recorded; everything when left out.

    Attributes
    ----------
    entries : list of Entry
        What was recorded, in order.
    """

    def __init__(self, policy: AuditPolicy | None = None) -> None:
        self.policy = policy or AuditPolicy.all()
        self.entries: list[Entry] = []

    @property
    def events(self) -> list[AuditEvent]:
        """The recorded events, in order."""
        return [entry.event for entry in self.entries]

    def write(self, event: AuditEvent) -> int | None:
        """Record an event and return its sequence number, or None if the audit policy does not want it."""
        if not self.policy.wants(event):
            return None
        self.entries.append(Entry(len(self.entries) + 1, event))
        return len(self.entries)


class _Tail(NamedTuple):
    """The end of a log."""

    last: int  # the last sequence number, 0 for none
    ended: bool  # whether the file ends in a line end (an empty file does)
    torn: int  # bytes of a torn last line


class JsonLinesSink:
    """An append-only file of JSON lines, one write and one fsync for each event.

    The file is created for its owner alone (mode 0600). Numbers go on from the last whole line that is there. A torn last line is
    left as it is and ended, so that the next event has a line of its own. A file that was moved away, as log rotation does, is
    opened afresh and the numbers go on. Any number of threads may write, and so may the child of a fork.

    Parameters
    ----------
    path : str or os.PathLike
        A regular file or a character device; created if it is not there.
    policy : AuditPolicy, optional
        What is recorded; everything when left out.
    patience : float, optional
        Seconds to wait for the lock of another writer.

    Attributes
    ----------
    torn : list of Damage
        Torn lines (PA160) found at the end of the file; they are ended with the next event.

    Raises
    ------
    AuditWriteError
        If the file cannot be opened, or holds something that is not an audit log.
    """

    def __init__(self, path: str | os.PathLike[str], policy: AuditPolicy | None = None, *, patience: float = 5.0) -> None:
        self.path = os.fspath(path)
        self.policy = policy or AuditPolicy.all()
        self.torn: list[Damage] = []
        self._patience = patience
        self._last = 0
        self._closed = False
        self._fd = -1
        self._mutex = threading.Lock()
        self._open()
        try:
            with self._exclusive():
                self._catch_up()
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> "JsonLinesSink":
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the file. Closing twice does nothing."""
        with self._mutex:
            self._closed = True
            self._release()

    def write(self, event: AuditEvent) -> int | None:
        """Record an event.

        Parameters
        ----------
        event : AuditEvent
            What happened.

        Returns
        -------
        int or None
            Its sequence number, once it is on disk; None if the audit policy does not want it.

        Raises
        ------
        AuditWriteError
            If it could not be written or made durable. Nothing of it stays in the file unless the file system refuses that
            too; what stays is ended like any torn line.
        ValueError
            If the sink is closed.
        """
        if not self.policy.wants(event):
            return None
        if os.getpid() != self._pid:
            # A child shares its parent's lock on the file and may have inherited a mutex that no thread of its own holds.
            self._mutex = threading.Lock()
            self._release()
        with self._mutex:
            if self._closed:
                raise ValueError("the audit log is closed")
            if self._fd < 0 or self._moved():
                self._open()
            with self._exclusive():
                self._catch_up()
                self._append(event)
                return self._last

    def _failed(self, error: OSError, doing: str) -> AuditWriteError:
        return AuditWriteError(error.errno or errno.EIO, f"cannot {doing}: {error.strerror or error}", self.path)

    def _release(self) -> None:
        descriptor, self._fd = self._fd, -1
        if descriptor >= 0:
            os.close(descriptor)

    def _open(self) -> None:
        self._release()
        self._pid = os.getpid()
        self._end = -1  # size of the file when its end was last known; -1 for unknown
        flags = os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC | os.O_NOCTTY
        try:
            try:
                self._fd = os.open(self.path, flags | os.O_EXCL, 0o600)
                self._sync_directory()
            except FileExistsError:
                self._fd = os.open(self.path, flags, 0o600)
            mode = os.fstat(self._fd).st_mode
        except OSError as error:
            self._release()
            raise self._failed(error, "open the audit log") from error
        self._regular = stat.S_ISREG(mode)
        if not self._regular and not stat.S_ISCHR(mode):
            self._release()
            raise AuditWriteError(errno.EINVAL, "an audit log is a regular file or a character device", self.path)

    def _sync_directory(self) -> None:
        """Make the name of a new file as durable as what will stand in it, where the directory lets us."""
        try:
            descriptor = os.open(os.path.dirname(os.path.abspath(self.path)), os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        except PermissionError:  # it may be written but not read
            return
        try:
            os.fsync(descriptor)
        except OSError as error:
            if error.errno != errno.EINVAL:  # some file systems have no fsync of directories
                raise
        finally:
            os.close(descriptor)

    def _moved(self) -> bool:
        """Whether the name of the file now belongs to another one, or to none."""
        mine = os.fstat(self._fd)
        try:
            named = os.stat(self.path)
        except FileNotFoundError:
            return True
        except OSError as error:
            raise self._failed(error, "find the audit log") from error
        return (named.st_dev, named.st_ino) != (mine.st_dev, mine.st_ino)

    @contextmanager
    def _exclusive(self) -> Iterator[None]:
        """Hold the lock that keeps other processes out."""
        import fcntl  # not on Windows, where this room must still be importable

        until = time.monotonic() + self._patience
        pause = 0.0005
        while True:
            try:
                fcntl.flock(self._fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError as error:
                if time.monotonic() >= until:
                    reason = f"another writer has held the audit log for {self._patience:g} s"
                    raise AuditWriteError(errno.EAGAIN, reason, self.path) from error
                time.sleep(pause)
                pause = min(2 * pause, 0.02)
            except OSError as error:
                raise self._failed(error, "lock the audit log") from error
        try:
            yield
        finally:
            fcntl.flock(self._fd, fcntl.LOCK_UN)

    def _catch_up(self) -> None:
        """Learn the end of the file, if it is not the one this sink wrote last."""
        if not self._regular:
            self._ended = True
            return
        try:
            size = os.fstat(self._fd).st_size
            if size == self._end:
                return
            tail = _tail(self._fd, size)
        except OSError as error:
            raise self._failed(error, "read the end of the audit log") from error
        except RecordError as error:
            raise AuditWriteError(errno.EBADMSG, str(error), self.path) from None
        self._last = tail.last or self._last
        self._ended = tail.ended
        self._end = size
        if tail.torn:
            message = f"the log ends in a torn line of {tail.torn} bytes at byte {size - tail.torn}: its writer was stopped"
            self.torn.append(Damage("PA160", None, message))

    def _append(self, event: AuditEvent) -> None:
        line = encode(Entry(self._last + 1, event))
        start = self._end
        left = memoryview(line if self._ended else b"\n" + line)
        size = start + len(left)
        try:
            while left:  # once, unless the file system takes less than all of it
                left = left[os.write(self._fd, left) :]
            if self._regular:
                os.fsync(self._fd)
        except OSError as error:
            if self._regular:
                with suppress(OSError):
                    os.ftruncate(self._fd, start)
            raise self._failed(error, f"record event {event.id}") from error
        self._last += 1
        self._ended = True
        self._end = size


def _tail(descriptor: int, size: int) -> _Tail:
    """Find the last sequence number of a log, reading no more of it than needed.

    Raises
    ------
    RecordError
        If what was read is not the end of an audit log.
    """
    for window in _WINDOWS:
        start = max(0, size - window)
        *lines, rest = os.pread(descriptor, size - start, start).split(b"\n")
        last = next((number for number in map(_sequence, [*lines, rest][::-1]) if number), 0)
        if last or (start == 0 and all(_begun(line) for line in [*lines, rest])):
            return _Tail(last, not rest, 0 if _sequence(rest) else len(rest))
        if start == 0:
            break
    raise RecordError("there is no whole event in the last 2 MiB: this is not an audit log, or a badly damaged one")


def _sequence(line: bytes) -> int:
    try:
        return int(load(line)["seq"])
    except RecordError:
        return 0


def _begun(line: bytes) -> bool:
    """Whether a line can be one of ours, cut short."""
    return line.startswith(START) or START.startswith(line)
