"""One event as one line of an audit log: JSON, ASCII only, so that no cut and no tool can split a character."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from pastore.audit.events import EVENTS, AuditEvent, Wording
from pastore.audit.summary import Summary
from pastore.model.win32 import describe

MAX_LINE: Final = 1 << 20  # bytes, the line end included; an event is bounded so that it never comes near
MAX_SEQUENCE: Final = (1 << 63) - 1
START: Final = b'{"seq":'  # how every line of ours begins
_SHAPES: Final[Mapping[str, tuple[type, str]]] = {
    "id": (int, "an integer"),
    "outcome": (str, "a string"),
    "data": (dict, "an object"),
    "text": (str, "a string"),
}
_RFC3339 = re.compile(r"\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(\.\d{1,9})?([Zz]|[+-]\d\d:\d\d)", re.ASCII)


@dataclass(frozen=True, slots=True)
class Entry:
    """A whole event of a log and its sequence number."""

    seq: int
    event: AuditEvent


@dataclass(frozen=True, slots=True)
class Damage:
    """Something of a log that is not a whole event, or a number that is missing.

    Parameters
    ----------
    code : str
        PA160 for a torn last line, PA161 for anything else.
    line : int or None
        Line number from 1; None where only the end of the file was read.
    message : str
        One sentence.
    """

    code: str
    line: int | None
    message: str


class RecordError(ValueError):
    """A line is not an event of ours; the message is a clause that says why."""


def timestamp(time: datetime) -> str:
    """Return an aware time as RFC 3339 in UTC with microseconds and Z, so that text order is time order."""
    return time.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


def as_dict(entry: Entry) -> dict[str, Any]:
    """Return the JSON form of the interface contract.

    ``error`` is there when the data has an Error, and ``summary`` when the event tells of a change.
    """
    event = entry.event
    line: dict[str, Any] = {
        "seq": entry.seq,
        "time": timestamp(event.time),
        "id": event.id,
        "outcome": event.outcome.value,
        "data": dict(event.data),
        "text": event.text,
    }
    code = event.data.get("Error")
    if isinstance(code, int):
        line["error"] = describe(code)._asdict()
    if event.summary is not None:
        line["summary"] = event.summary.as_dict()
    return line


def encode(entry: Entry) -> bytes:
    """Return the line of an entry, line end included."""
    return json.dumps(as_dict(entry), separators=(",", ":")).encode("ascii") + b"\n"


def load(line: bytes) -> dict[str, Any]:
    """Parse a line as far as its sequence number.

    Parameters
    ----------
    line : bytes
        With or without its line end. May be anything.

    Returns
    -------
    dict
        The JSON object; its ``seq`` is an integer from 1 to 2**63 - 1, the rest is unchecked.

    Raises
    ------
    RecordError
        If it is not that.
    """
    try:
        loaded = json.loads(line.decode("utf-8"), parse_constant=_refused)
    except RecursionError:
        raise RecordError("it is nested too deeply") from None
    except ValueError:  # JSON, UTF-8 and the length of a number alike
        raise RecordError("it is not JSON") from None
    if not isinstance(loaded, dict):
        raise RecordError("it is not a JSON object")
    sequence = loaded.get("seq")
    if not isinstance(sequence, int) or isinstance(sequence, bool) or not 1 <= sequence <= MAX_SEQUENCE:
        raise RecordError("it has no sequence number")
    return loaded


def decode(line: bytes) -> Entry:
    """Return the entry of a line.

    Keys that are not known are passed over, since later versions may add some. The outcome must be the one that the catalogue
    gives for the id; the text is only used to tell the wording.

    Parameters
    ----------
    line : bytes
        With or without its line end. May be anything.

    Returns
    -------
    Entry

    Raises
    ------
    RecordError
        If it is not a whole event.
    """
    loaded = load(line)
    for key, (kind, name) in _SHAPES.items():
        if not isinstance(loaded.get(key), kind) or isinstance(loaded[key], bool):
            raise RecordError(f"its {key} is not {name}")
    known = EVENTS.get(loaded["id"])
    if known is None:
        raise RecordError(f"event {str(loaded['id'])[:20]} is not in the catalogue")
    if loaded["outcome"] != known.outcome.value:
        raise RecordError(f"event {known.id} is a {known.outcome.value}, which the line denies")
    try:
        summary = None if loaded.get("summary") is None else Summary.from_dict(loaded["summary"])
        event = AuditEvent(known.id, loaded["data"], _time(loaded.get("time")), summary=summary)
    except (ValueError, TypeError) as error:
        raise RecordError(str(error)) from None
    if loaded["text"] != event.text:
        newer = AuditEvent(event.id, event.data, event.time, Wording.POLICY_AGENT, event.summary)
        event = newer if loaded["text"] == newer.text else event
    return Entry(loaded["seq"], event)


def _refused(constant: str) -> None:
    raise ValueError(f"{constant} is not JSON")


def _time(text: object) -> datetime:
    if not isinstance(text, str) or not _RFC3339.fullmatch(text):
        raise RecordError("its time is not RFC 3339")
    try:
        return datetime.fromisoformat(text.upper()).astimezone(UTC)
    except (ValueError, OverflowError):
        raise RecordError("its time does not exist") from None
