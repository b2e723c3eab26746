"""Reading an audit log: entries as they come, and damage as values; no bytes make it raise."""

import os
from collections.abc import Iterable, Iterator
from contextlib import nullcontext
from datetime import datetime
from typing import BinaryIO, Final, TypeAlias

from pastore.audit.events import Outcome
from pastore.audit.record import MAX_LINE, Damage, Entry, RecordError, decode

_ENDLESS: Final = 1 << 26  # bytes of a line after which what follows is not looked at: a device, or anything but a log

Source: TypeAlias = str | os.PathLike[str] | BinaryIO


def read_log(source: Source) -> Iterator[Entry | Damage]:
    """Read a log line by line.

    A last line that is cut short is PA160. A line that is not a whole event or longer than `MAX_LINE` bytes, and sequence numbers
    that do not follow each other, are PA161. A log may begin at any number, because logs are rotated. One line is held at a
    time, so memory is bounded whatever the file holds. A line that does not end within 64 MiB is the last that is looked at.

    Parameters
    ----------
    source : path or binary stream
        A stream is read from where it stands and is not closed.

    Yields
    ------
    Entry or Damage
        In the order of the log.

    Raises
    ------
    OSError
        If the source cannot be opened or read.
    """
    opened = open(source, "rb") if isinstance(source, (str, os.PathLike)) else nullcontext(source)  # noqa: SIM115
    with opened as stream:
        yield from _read(stream)


def _read(stream: BinaryIO) -> Iterator[Entry | Damage]:
    last: int | None = None
    unread = 0  # damaged lines since the last entry: that many numbers may be missing without more being wrong
    for number, (line, too_long, ended) in enumerate(_lines(stream), start=1):
        try:
            if too_long and not ended:
                raise RecordError(f"it is longer than {MAX_LINE} bytes and has no end; nothing behind it is read")
            if too_long:
                raise RecordError(f"it is longer than {MAX_LINE} bytes")
            entry = decode(line)
        except RecordError as error:
            unread += 1
            if ended or too_long:
                yield Damage("PA161", number, f"line {number} is not an event: {error}")
            else:
                yield Damage("PA160", number, f"line {number}, the last, is torn: it has no line end, and {error}")
            continue
        if last is not None and not last < entry.seq <= last + 1 + unread:
            yield Damage("PA161", number, _gap(number, last, entry.seq))
        last, unread = entry.seq, 0
        yield entry


def _lines(stream: BinaryIO) -> Iterator[tuple[bytes, bool, bool]]:
    """Yield each line, whether it is too long (it is then left out), and whether it has its line end."""
    while line := stream.readline(MAX_LINE):
        too_long = not line.endswith(b"\n") and len(line) == MAX_LINE
        rest, skipped = line, 0
        while too_long and rest and not rest.endswith(b"\n") and skipped < _ENDLESS:
            rest = stream.readline(MAX_LINE)
            skipped += len(rest)
        yield (b"" if too_long else line), too_long, rest.endswith(b"\n")
        if skipped >= _ENDLESS and not rest.endswith(b"\n"):
            return


def _gap(number: int, last: int, sequence: int) -> str:
    if sequence <= last:
        return f"line {number} has sequence number {sequence} after {last}: lines were copied in, moved or written twice"
    missing = f"event {last + 1} is" if sequence == last + 2 else f"events {last + 1} to {sequence - 1} are"
    return f"line {number} has sequence number {sequence} after {last}: {missing} missing"


def select(
    entries: Iterable[Entry | Damage],
    ids: Iterable[int] = (),
    outcome: Outcome | None = None,
    since: datetime | None = None,
    until: datetime | None = None,
) -> Iterator[Entry | Damage]:
    """Keep the entries that meet every condition given; damage is always kept.

    Parameters
    ----------
    entries : iterable of Entry or Damage
        As `read_log` yields them.
    ids : iterable of int
        Event ids; empty for all.
    outcome : Outcome, optional
        Only successes or only failures.
    since, until : datetime, optional
        Aware; from `since`, included, to `until`, excluded.

    Returns
    -------
    iterator of Entry or Damage

    Raises
    ------
    ValueError
        If a time is naive.
    """
    for time in (since, until):
        if time is not None and time.utcoffset() is None:
            raise ValueError("since and until need a time zone")
    wanted = frozenset(ids)

    def keeps(item: Entry | Damage) -> bool:
        if isinstance(item, Damage):
            return True
        event = item.event
        return (
            (not wanted or event.id in wanted)
            and (outcome is None or event.outcome is outcome)
            and (since is None or event.time >= since)
            and (until is None or event.time < until)
        )

    return filter(keeps, entries)
