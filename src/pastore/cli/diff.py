"""pastore diff: which packets change their verdict."""

import sys
from typing import TYPE_CHECKING, Any

import click

from pastore.cli.common import (
    BAD_NEWS,
    NO_ANSWER,
    compile_source,
    host_options,
    load_source,
    paint,
    say,
    source_options,
    talk,
)
from pastore.findings.render import json_text, printable

if TYPE_CHECKING:
    from pastore.analysis.difference import Change, Decision, Difference
    from pastore.api import Compiled
    from pastore.sources import Loaded

SHOWN = 10  # ranges of each kind of change in text; JSON has them all


@click.command("diff")
@click.argument("old", metavar="OLD")
@click.argument("new", metavar="NEW")
@source_options
@host_options
@click.option("--new-policy", metavar="NAME|GUID", help="Which policy of NEW, where it is not that of --policy.")
@click.option(
    "--witnesses", type=click.IntRange(1, 100), default=1, show_default=True, help="Example packets for each range of packets."
)
@click.option(
    "--work-limit", "work", type=click.IntRange(1), metavar="N", help="Steps the comparison may take; 250000 if left out."
)
@click.option("--output-format", type=click.Choice(["text", "json"]), default="text", show_default=True)
def command(
    old: str, new: str, new_policy: str | None, witnesses: int, work: int | None, output_format: str, **options: Any
) -> None:
    """Which packets change their verdict from the policy of OLD to that of NEW, as ranges and examples, by rule.

    Two policies are compared on every packet there can be, not line by line: the same policy in two formats, or with its filters
    cut otherwise, has no difference.

    Exit status: 0 no packet changes its verdict, 1 some do, 2 it could not be decided.
    """
    from pastore.analysis.grid import WORK_LIMIT
    from pastore.api import diff

    sides = []
    for source, name in ((old, options["policy_name"]), (new, new_policy or options["policy_name"])):
        chosen = {**options, "policy_name": name}
        loaded = load_source(source, chosen)
        sides.append((loaded, compile_source(loaded, chosen)))
    (old_loaded, old_compiled), (new_loaded, new_compiled) = sides
    limit = WORK_LIMIT if work is None else work
    found = diff(old_compiled.matcher, new_compiled.matcher, limit=limit)
    for note in notes(old_loaded, new_loaded, old_compiled, new_compiled, given=options["default_exempt"] is not None):
        talk(f"pastore: {note}")
    if output_format == "json":
        document = found.as_dict()
        for told, change in zip(document["changes"], found.changes, strict=True):
            told["examples"] = [str(packet) for packet in change.examples(witnesses)]
        say(json_text(document, indent=2))
    else:
        say("\n".join(diff_text(found, witnesses)))
    if not found.decided:
        more = "there may be more changes" if found.changes else "nothing is known"
        click.echo(f"pastore: the comparison ended undecided after {limit} steps: {more}; --work-limit allows more", err=True)
    if found.changes:
        sys.exit(BAD_NEWS)
    if not found.decided:
        sys.exit(NO_ANSWER)


def diff_text(found: "Difference", witnesses: int) -> list[str]:
    """Return what changes, as lines."""
    groups: dict[tuple[Decision, Decision], list[Change]] = {}
    for change in found.changes:
        groups.setdefault((change.old, change.new), []).append(change)
    lines = []
    for (old, new), changes in groups.items():
        lines.append(f"{decision_text(old)} becomes {decision_text(new)}:")
        together = by_ports(changes)
        for alike in together[:SHOWN]:
            lines.append(f"  {range_line(alike)}")
            lines += [f"    for example {packet}" for packet in alike[0].examples(witnesses)]
        if len(together) > SHOWN:
            lines.append(f"  and {len(together) - SHOWN} more, which --output-format json lists")
        lines.append("")
    n = len(found.changes)
    if n:
        lines.append(
            f"{n} {'range' if n == 1 else 'ranges'} of packets {'changes its verdict' if n == 1 else 'change their verdict'}"
        )
    elif found.decided:
        lines.append("no packet changes its verdict")
    else:
        lines.append("not decided")
    return lines


def decision_text(decision: "Decision") -> str:
    """Return what happens and who says so: ``block by rule 'Web'``."""
    text = paint(decision.action, decision.action)
    if decision.how:
        text += f" ({printable(decision.how)})"
    if decision.exempt:
        return f"{text} by default exemption {decision.exempt}"
    if decision.rule is not None:
        return f"{text} by rule {printable(decision.rule)!r}"
    return text if decision.action != "none" else f"{text} (no filter matches)"


def by_ports(changes: "list[Change]") -> "list[list[Change]]":
    """Put changes together that are alike but for ports, where every pair of their ports is among them.

    Exemptions cut holes in the ports of both ends, and nobody wants to read nine lines instead of one.
    """
    by_source: dict[Any, list[Change]] = {}
    for change in changes:
        by_source.setdefault((change.family, change.box[:4], change.box[5:]), []).append(change)
    together: dict[Any, list[Change]] = {}
    for (family, before, after), alike in by_source.items():
        dports = frozenset(change.box[4] for change in alike)
        together.setdefault((family, before[:3], dports, after), []).extend(alike)
    return list(together.values())


def range_line(alike: "list[Change]") -> str:
    """Return ranges of packets that differ in ports only: ``tcp 10.0.0.0/8 > any:80,443 in``."""
    change = alike[0]
    protocol = "" if change.protocol == "any" else change.protocol
    if protocol and not protocol[0].isalpha():
        protocol = f"protocol {protocol}"
    ends = []
    for address, field in ((change.src, 3), (change.dst, 4)):
        ports = sorted({each.box[field] for each in alike})
        text = ",".join(f"{low}" if low == high else f"{low}-{high}" for low, high in ports)
        whole = ports == [(0, 65535)]
        ends.append(address if whole else f"[{address}]:{text}" if ":" in address else f"{address}:{text}")
    way = "in and out" if change.direction == "both" else change.direction
    text = f"{protocol} {ends[0]} > {ends[1]}".strip()
    return f"{text} {way}" + ("" if change.interface == "all" else f", {change.interface} only")


def notes(old: "Loaded", new: "Loaded", old_compiled: "Compiled", new_compiled: "Compiled", *, given: bool) -> list[str]:
    """Return what differs beside the verdicts, or makes them differ."""
    from pastore.model import Action, Policy

    if not isinstance(old.policy, Policy) or not isinstance(new.policy, Policy):
        return []
    found = []
    if not given and old_compiled.expansion and new_compiled.expansion:
        values = [
            (policy.default_exempt, of.expansion.default_exempt)
            for policy, of in ((old.policy, old_compiled), (new.policy, new_compiled))
            if of.expansion
        ]
        if values[0][1] != values[1][1]:
            told = [f"{used}" if own is not None else f"{used} (assumed)" for own, used in values]
            found.append(f"NoDefaultExempt is {told[0]} in the old and {told[1]} in the new source; --default-exempt fixes it")

    def protection(policy: Policy) -> dict[str, Any]:
        return {
            rule.label: (rule.filter_action.offers, tuple(method.kind for method in rule.auth_methods))
            for rule in policy.rules
            if rule.active and rule.filter_action and rule.filter_action.action is Action.PROTECT
        }

    before, after = protection(old.policy), protection(new.policy)
    changed = [name for name in before if name in after and before[name] != after[name]]
    if changed:
        names = ", ".join(repr(printable(name)) for name in changed[:5]) + (" and more" if len(changed) > 5 else "")
        found.append(f"what protects (algorithms, lifetimes, authentication) differs in {names}: that is no change of a verdict")
    methods = [getattr(policy.main_mode, "methods", None) for policy in (old.policy, new.policy)]
    if methods[0] != methods[1]:
        found.append("the methods of the key exchange differ: that is no change of a verdict")
    return found
