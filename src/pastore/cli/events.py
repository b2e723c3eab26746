"""pastore events: read, filter and render an audit log."""

import socket
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import nullcontext
from datetime import UTC, datetime
from typing import TYPE_CHECKING, cast

import click

from pastore.cli.common import cannot_answer, paint, say, tell_damage

if TYPE_CHECKING:
    from pastore.audit import Damage, Entry


TOLD = 100  # damaged lines told one by one
GIVE_UP = 100_000  # damaged lines after which a file without a single event is no audit log


def numbers(texts: tuple[str, ...]) -> list[int]:
    """Read event ids, repeated or separated by commas."""
    try:
        return [int(part) for text in texts for part in text.split(",") if part.strip()]
    except ValueError:
        raise click.UsageError(f"--id {','.join(texts)}: event ids are numbers such as 5462") from None


def moment(name: str, text: str | None) -> datetime | None:
    """Read a time; one without a zone is UTC."""
    if text is None:
        return None
    try:
        time = datetime.fromisoformat(text)
    except ValueError:
        raise click.UsageError(f"--{name} {text!r}: write it as 2026-03-01 or 2026-03-01T12:00:00Z") from None
    return time if time.tzinfo else time.replace(tzinfo=UTC)


def whole(items: "Iterator[Entry | Damage]", name: str, counts: Counter[str]) -> "Iterator[Entry]":
    """Pass entries on, report damage on stderr as it is met, and count both: ``event``, or the code of the damage."""
    from pastore.audit import Entry

    for item in items:
        if isinstance(item, Entry):
            counts["event"] += 1
            yield item
        else:
            counts[item.code] += 1
            if counts[item.code] <= TOLD:
                tell_damage(name, item.line, item.code, item.message)
            if counts[item.code] > GIVE_UP and not counts["event"]:
                break
    for code, n in counts.items():
        if code != "event" and n > TOLD:
            tell_damage(name, None, code, f"{n - TOLD} more like these")


@click.command("events")
@click.argument("file", metavar="FILE")
@click.option("--id", "ids", multiple=True, metavar="ID", help="Only these event ids (repeatable, or 5462,5477).")
@click.option("--outcome", type=click.Choice(["success", "failure"]), help="Only successes or only failures.")
@click.option("--since", metavar="TIME", help="Only from this time on.")
@click.option("--until", metavar="TIME", help="Only before this time.")
@click.option("--computer", metavar="NAME", help="Name of the computer in xml and ecs; this one if left out.")
@click.option("--output-format", type=click.Choice(["text", "json", "xml", "ecs"]), default="text", show_default=True)
def command(
    file: str,
    ids: tuple[str, ...],
    outcome: str | None,
    since: str | None,
    until: str | None,
    computer: str | None,
    output_format: str,
) -> None:
    """Read, filter and render the audit log FILE, as `agent --audit` writes it; - reads stdin.

    json gives the lines of the log as they are, xml Windows events, ecs JSON lines in the Elastic Common Schema.
    """
    from pastore.audit import Outcome, read_log, select

    if file == "-" and sys.stdin is None:
        cannot_answer("standard input is closed")
    wanted = None if outcome is None else Outcome(outcome)
    conditions = (numbers(ids), wanted, moment("since", since), moment("until", until))
    counts: Counter[str] = Counter()
    try:
        # Opened before anything is written: a file that is not there leaves no half a document behind.
        with nullcontext(sys.stdin.buffer) if file == "-" else open(file, "rb") as stream:
            entries = select(whole(read_log(stream), file, counts), *conditions)
            for block in rendered(cast("Iterator[Entry]", entries), output_format, computer or socket.gethostname()):
                say(block)
    except BrokenPipeError:
        raise  # who reads our output has seen enough
    except OSError as error:
        cannot_answer(f"{file} cannot be read: {error.strerror or error}")
    if counts["PA161"] and not counts["event"]:
        cannot_answer(f"{file} is not an audit log: no line of it is an event")


def rendered(entries: "Iterator[Entry]", form: str, host: str) -> Iterator[str]:
    """Return the entries in one of the output formats, without the last line end of each part."""
    from pastore.audit import ecs, text, winxml
    from pastore.audit.record import encode

    if form == "json":
        return (encode(entry).decode().removesuffix("\n") for entry in entries)
    if form == "text":
        return (colour(block).removesuffix("\n") for block in text.render(entries))
    blocks = winxml.render(entries, host) if form == "xml" else ecs.render(entries, host)
    return (block.removesuffix("\n") for block in blocks)


def colour(block: str) -> str:
    """Colour the first line of an event: its outcome."""
    head, separator, rest = block.partition("\n")
    for outcome in ("failure", "success"):
        if head.endswith(outcome):
            head = paint(head.removesuffix(outcome), "heading") + paint(outcome, outcome)
    return head + separator + rest
