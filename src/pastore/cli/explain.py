"""pastore explain: which filter decides, and why the others do not."""

from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any

import click

from pastore.cli.common import compile_source, host_options, load_source, paint, say, source_options
from pastore.findings.render import json_text, printable

if TYPE_CHECKING:
    from pastore.api import Compiled
    from pastore.filters.specific import SpecificFilters
    from pastore.packets.packet import Packet

NOT_ACTIVE = "its rule is not active"
SHOWN = 10  # in text, of filters that nearly match and of filters that could not be applied; JSON has them all


@dataclass(frozen=True, slots=True)
class Candidate:
    """A filter that does not decide, and why."""

    rule: str | None
    filter: dict[str, Any]
    action: str
    why: str
    text: str
    place: str
    matches: bool


def source_dict(filters: "SpecificFilters", index: int) -> dict[str, Any] | None:
    """Return the generic filter of a row as JSON."""
    source = filters.source(index)
    if source is None:
        return None
    as_dict = getattr(source, "as_dict", None)
    return as_dict() if as_dict else {"text": source.text, "place": source.place}


def candidates(compiled: "Compiled", packet: "Packet", winner: int) -> list[Candidate]:
    """Return every other filter that matches, then those that miss in one field; each generic filter once."""
    from pastore.analysis.explain import miss_text, outranked, rows_near
    from pastore.model import Action

    filters = compiled.matcher.filters
    background = compiled.matcher.background
    weighed = background if background and background.order == "weight" else None
    decides = int(filters.rows["filter"][winner]) if winner >= 0 else None
    matching: dict[int, Candidate] = {}
    missing: dict[int, Candidate] = {}
    for near in rows_near(filters, packet):
        key = int(filters.rows["filter"][near.index])
        if key == decides or (near.misses and (key in matching or key in missing)) or key in matching:
            continue
        row = filters.rows[near.index]
        if near.misses and row["exempt"]:
            continue  # a packet that is not multicast tells nobody anything
        if near.misses:
            why = miss_text(row, packet, near.misses[0])
        elif filters.rows["exempt"][winner]:
            why = "another default exemption comes first" if row["exempt"] else "default exemptions come first"
        else:
            pair = [weighed.weight(filters, index) for index in (winner, near.index)] if weighed else None
            why = outranked(*pair) if pair else "it is listed later"
        source = filters.source(near.index)
        place = source.place if source else ""
        text = source.text if source else ""
        rule = source.rule if source else None
        found = Candidate(
            rule, source_dict(filters, near.index) or {}, str(Action(int(row["action"]))), why, text, place, not near.misses
        )
        if near.misses:
            missing[key] = found
        else:
            missing.pop(key, None)
            matching[key] = found
    # Filters for the other interface type or direction come first: everything else about them fits.
    nearest = sorted(missing.values(), key=lambda candidate: not candidate.why.startswith("it is for "))
    return [*matching.values(), *nearest]


def idle_candidates(compiled: "Compiled", packet: "Packet") -> list[Candidate]:
    """Return filters that would match if their rule were active."""
    from pastore.analysis.explain import rows_near
    from pastore.model import Action

    if compiled.matcher.background is None:
        return []
    idle = compiled.matcher.background.idle
    found: dict[int, Candidate] = {}
    for near in rows_near(idle, packet, at_most=0):
        source = idle.source(near.index)
        if source is not None:
            action = str(Action(int(idle.rows["action"][near.index])))
            found[int(idle.rows["filter"][near.index])] = Candidate(
                source.rule,
                source_dict(idle, near.index) or {},
                action,
                NOT_ACTIVE,
                source.text,
                source.place,
                matches=False,
            )
    return list(found.values())


def failed_candidates(compiled: "Compiled") -> list[str]:
    """Return a line for each filter that could not be added at all."""
    from pastore.model.win32 import describe

    if compiled.matcher.background is None:
        return []
    return [
        f"rule {printable(failure.rule)!r}: {printable(failure.filter)} ({failure.win32}: {describe(failure.win32).message})"
        for failure in compiled.matcher.background.failures
    ]


@click.command("explain")
@click.argument("source", metavar="SRC")
@click.argument("packet_text", metavar="PACKET", required=False)
@source_options
@host_options
@click.option("--rule", "rule_name", metavar="NAME", help="What this rule does and what hides it, instead of a packet.")
@click.option(
    "--interface", type=click.Choice(["lan", "ras"]), default=None, help="Interface type of the packet; lan if left out."
)
@click.option("--output-format", type=click.Choice(["text", "json"]), default="text", show_default=True)
def command(
    source: str, packet_text: str | None, rule_name: str | None, interface: str | None, output_format: str, **options: Any
) -> None:
    """Which filter of SRC decides on PACKET, then every other that matches or nearly does, and why it lost.

    PACKET is written 'tcp 10.1.2.3:49152 > 10.9.0.7:445 in'; an IPv6 address with a port in brackets; ports may be left out, and
    so may in or out, which then is in.
    """
    if (packet_text is None) == (rule_name is None):
        raise click.UsageError("give either a PACKET or --rule NAME")
    loaded = load_source(source, options)
    compiled = compile_source(loaded, options)
    if rule_name is not None:
        from pastore.cli.explain_rule import explain_rule

        explain_rule(compiled, rule_name, output_format)
        return
    explain_packet(compiled, parse(packet_text or "", interface), output_format)


def explain_packet(compiled: "Compiled", packet: "Packet", output_format: str) -> None:
    """Print which filter decides on a packet, and why the others do not."""
    verdict = compiled.matcher.match(
        packet.protocol,
        packet.src,
        packet.dst,
        packet.sport,
        packet.dport,
        direction=("in", "out")[packet.direction],
        interface=("lan", "ras")[packet.interface],
        family=packet.family,
    )
    assert verdict.index is not None  # compiled to know rules
    others = [*candidates(compiled, packet, verdict.index), *idle_candidates(compiled, packet)]
    others.sort(key=lambda other: (not other.matches, other.why != NOT_ACTIVE))
    if output_format == "json":
        say(json_text(explain_json(compiled, packet, verdict, others), indent=2))
    else:
        say("\n".join(explain_text(compiled, packet, verdict, others)))


def parse(text: str, interface: str | None) -> "Packet":
    """Read PACKET; ends with a usage error that says what is wrong with it."""
    from pastore.packets.packet import Packet

    try:
        packet = Packet.parse(text)
    except ValueError as error:
        raise click.UsageError(f"PACKET {text!r}: {error}") from None
    return packet if interface is None else replace(packet, interface=("lan", "ras").index(interface))


def explain_json(compiled: "Compiled", packet: "Packet", verdict: Any, others: list[Candidate]) -> dict[str, Any]:
    """Return the JSON document of the interface contract."""
    filters = compiled.matcher.filters
    told = [
        {name: value for name, value in asdict(other).items() if name in ("rule", "filter", "action", "why")} for other in others
    ]
    return {
        "version": 1,
        "packet": packet.as_dict(),
        "action": verdict.action,
        "rule": verdict.rule,
        "filter": source_dict(filters, verdict.index) if verdict.index >= 0 else None,
        "index": verdict.index,
        "inpass": verdict.inpass,
        "soft": verdict.soft,
        "tunnel": verdict.tunnel,
        "exempt": verdict.exempt,
        "candidates": told,
    }


def explain_text(compiled: "Compiled", packet: "Packet", verdict: Any, others: list[Candidate]) -> list[str]:
    """Return the explanation as lines."""
    filters = compiled.matcher.filters
    lines = [f"{packet}: {paint(verdict.action, verdict.action)}"]
    if verdict.index < 0:
        lines.append("  no filter matches: the packet passes untouched")
    else:
        source = filters.source(verdict.index)
        if verdict.exempt:
            lines.append(f"  by the default exemption for {verdict.exempt}, which no filter sees")
        elif source:
            lines.append(f"  by rule {printable(source.rule or '')!r}, filter {printable(source.text)}")
            if source.place:
                lines.append("  at " + paint(printable(source.place), "quiet"))
        lines += [f"  {note}" for note in verdict_notes(verdict)]
    for title, chosen in (
        ("These match too:", [other for other in others if other.matches]),
        ("These nearly match:", [other for other in others if not other.matches]),
    ):
        if chosen:
            lines += ["", title]
            shown = chosen if chosen[0].matches else chosen[:SHOWN]
            for other in shown:
                name = f"rule {printable(other.rule)!r}, filter {printable(other.text)}" if other.rule else printable(other.text)
                lines.append(f"  {paint(other.action, other.action)} by {name}")
                lines.append(f"    but {printable(other.why)}")
            if len(shown) < len(chosen):
                lines.append(f"  and {len(chosen) - len(shown)} more, which --output-format json lists")
    failed = failed_candidates(compiled)
    if failed:
        lines += ["", "These could not be applied and were not considered:", *(f"  {line}" for line in failed[:SHOWN])]
        if len(failed) > SHOWN:
            lines.append(f"  and {len(failed) - SHOWN} more, which `pastore check` tells")
    return lines


def verdict_notes(verdict: Any) -> list[str]:
    """Return what stands beside the action."""
    notes = []
    if verdict.inpass:
        notes.append("clear text is accepted inbound, answers use IPsec")
    if verdict.soft:
        notes.append("falls back to clear text with a computer that does not answer IKE")
    if verdict.tunnel:
        notes.append(f"through the tunnel to {verdict.tunnel}")
    return notes
