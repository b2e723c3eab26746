"""pastore search: a packet with such a verdict, or the proof that there is none."""

import sys
from typing import TYPE_CHECKING, Any

import click

from pastore.cli.common import (
    BAD_NEWS,
    NO_ANSWER,
    compile_source,
    host_options,
    load_source,
    local_networks,
    paint,
    say,
    source_options,
)
from pastore.findings.render import json_text, printable

if TYPE_CHECKING:
    from pastore.analysis.question import Found
    from pastore.filters.specific import SpecificFilters

_ACTIONS = ("none", "allow", "block", "protect")


@click.command("search")
@click.argument("source", metavar="SRC")
@source_options
@host_options
@click.option("--work-limit", "work", type=click.IntRange(1), metavar="N", help="Steps it may take; 250000 if left out.")
@click.option("--seen", is_flag=True, help="Only packets that filters see: no ISAKMP, none that the host sends to itself, ...")
@click.option(
    "--action", multiple=True, type=click.Choice(_ACTIONS), help="What happens to it (repeatable); anything if left out."
)
@click.option("--interface", type=click.Choice(["lan", "ras"]), help="Interface type; both if left out.")
@click.option("--direction", type=click.Choice(["in", "out"]), help="Direction; both if left out.")
@click.option("--dport", default="any", metavar="PORTS", help="Destination ports: 445, domain, 135-139, 80,443.")
@click.option("--sport", default="any", metavar="PORTS", help="Source ports.")
@click.option("--protocol", default="any", metavar="NAME", help="Protocol; TCP and UDP if left out where there are ports.")
@click.option("--dst", default="any", metavar="ADDR", help="Destination: an address, a prefix, low-high or me.")
@click.option("--src", default="any", metavar="ADDR", help="Source: an address, a prefix, low-high or me.")
@click.option("--output-format", type=click.Choice(["text", "json"]), default="text", show_default=True)
def command(
    source: str,
    src: str,
    dst: str,
    protocol: str,
    sport: str,
    dport: str,
    direction: str | None,
    interface: str | None,
    action: tuple[str, ...],
    seen: bool,
    work: int | None,
    output_format: str,
    **options: Any,
) -> None:
    """A packet that meets all conditions and gets one of the actions from SRC, or the proof that there is none.

    Exit status: 0 proved that there is none, 1 found, 2 it could not be decided.
    """
    from pastore.analysis.flow import Flow
    from pastore.analysis.grid import WORK_LIMIT
    from pastore.analysis.question import find
    from pastore.model import Action

    loaded = load_source(source, options)
    matcher = compile_source(loaded, options).matcher
    local = local_networks(loaded, options)
    try:
        flow = Flow.of(src, dst, protocol, sport, dport, direction, interface, me=local)
    except ValueError as error:
        raise click.UsageError(str(error)) from None
    wanted = [Action[name.upper()] for name in action or _ACTIONS]
    limit = WORK_LIMIT if work is None else work
    found = find(matcher.filters, flow, wanted, unseen=not seen, me=local, limit=limit)
    if output_format == "json":
        say(json_text(search_json(matcher.filters, found), indent=2))
    else:
        say(search_text(matcher.filters, found))
    if not found.decided:
        click.echo(f"pastore: the search ended undecided after {limit} steps; --work-limit allows more", err=True)
        sys.exit(NO_ANSWER)
    if found.packet is not None:
        sys.exit(BAD_NEWS)


def search_json(filters: "SpecificFilters", found: "Found") -> dict[str, Any]:
    """Return the JSON document of the interface contract."""
    from pastore.filters.specific import EXEMPTIONS

    source = filters.source(found.index) if found.index >= 0 else None
    return {
        "version": 1,
        "found": found.packet is not None,
        "decided": found.decided,
        "packet": None if found.packet is None else str(found.packet),
        "action": None if found.packet is None else action_of(filters, found.index),
        "rule": source.rule if source else None,
        "index": None if found.packet is None else found.index,
        "exempt": EXEMPTIONS[filters.rows["exempt"][found.index]] if found.index >= 0 else None,
    }


def action_of(filters: "SpecificFilters", index: int) -> str:
    """Return the action of a row; none for -1."""
    from pastore.model import Action

    return "none" if index < 0 else str(Action(int(filters.rows["action"][index])))


def search_text(filters: "SpecificFilters", found: "Found") -> str:
    """Return the answer in words."""
    if found.packet is None:
        return "there is no such packet" if found.decided else "not decided"
    action = action_of(filters, found.index)
    line = f"{found.packet}: {paint(action, action)}"
    source = filters.source(found.index) if found.index >= 0 else None
    if found.index < 0:
        return f"{line}\n  no filter matches: the packet passes untouched"
    if source is None:
        return f"{line}\n  by row {found.index}"
    if source.rule is None:
        return f"{line}\n  by {printable(source.text)}"
    place = "\n  at " + paint(printable(source.place), "quiet") if source.place else ""
    return f"{line}\n  by rule {printable(source.rule)!r}, filter {printable(source.text)}{place}"
