"""pastore events: read, filter and render an audit log."""

import socket
import sys
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import click

from pastore.cli.common import cannot_answer, paint
from pastore.findings.render import printable

if TYPE_CHECKING:
    from pastore.audit import Damage, Entry


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


def whole(items: "Iterator[Entry | Damage]", name: str) -> "Iterator[Entry]":
    """Pass entries on and report damage on stderr as it is met; ends with exit status 2 if the log cannot be read."""
    from pastore.audit import Entry

    try:
        for item in items:
            if isinstance(item, Entry):
                yield item
            else:
                place = name if item.line is None else f"{name}:{item.line}"
                head = f"{paint(printable(place), 'place')}: {paint(item.code, 'code')}"
                click.echo(f"{head} {printable(item.message)}", err=True)
    except OSError as error:
        cannot_answer(f"{name} cannot be read: {error.strerror or error}")


def counted(items: "Iterator[Entry | Damage]", counts: Counter[str]) -> "Iterator[Entry | Damage]":
    """Pass everything on and count what it is: ``event``, or the code of the damage."""
    from pastore.audit import Entry

    for item in items:
        counts["event" if isinstance(item, Entry) else item.code] += 1
        yield item


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
    from pastore.audit.record import encode

    host = computer or socket.gethostname()
    wanted = None if outcome is None else Outcome(outcome)
    if file == "-" and sys.stdin is None:
        cannot_answer("standard input is closed")
    source = sys.stdin.buffer if file == "-" else file
    counts: Counter[str] = Counter()
    chosen = select(counted(read_log(source), counts), numbers(ids), wanted, moment("since", since), moment("until", until))
    entries = whole(chosen, file)
    if output_format == "text":
        from pastore.audit.text import render as text

        for block in text(entries):
            click.echo(colour(block), nl=False)
    elif output_format == "xml":
        from pastore.audit.winxml import render as xml

        for block in xml(entries, host):
            click.echo(block, nl=False)
    elif output_format == "ecs":
        from pastore.audit.ecs import render as ecs

        for block in ecs(entries, host):
            click.echo(block, nl=False)
    else:
        for entry in entries:
            click.echo(encode(entry), nl=False)
    if counts["PA161"] and not counts["event"]:
        cannot_answer(f"{file} is not an audit log: no line of it is an event")


def colour(block: str) -> str:
    """Colour the first line of an event: its outcome."""
    head, separator, rest = block.partition("\n")
    for outcome in ("failure", "success"):
        if head.endswith(outcome):
            head = paint(head.removesuffix(outcome), "heading") + paint(outcome, outcome)
    return head + separator + rest
