"""pastore show: the policy as a person reads it."""

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import click

from pastore.cli.common import (
    compile_source,
    host_options,
    load_source,
    paint,
    say,
    source_options,
    table,
    tell_findings,
)
from pastore.findings.render import printable
from pastore.model import was_written_otherwise

if TYPE_CHECKING:
    from pastore.filters.specific import SpecificFilters
    from pastore.model import AuthMethod, Filter, FilterAction, FilterList, MainMode, Offer, Policy, Rule

# Numbers as stored: [MS-GPIPSEC] 2.2.1.2 and 2.2.1.4.1; an ESP algorithm 1 is DES in the data Windows writes.
_MM_ENCRYPTION = {1: "DES", 2: "3DES", 3: "3DES"}
_HASH = {0: "none", 1: "MD5", 2: "SHA-1"}
_ESP = {0: "none", 1: "DES", 2: "DES (2)", 3: "3DES"}
_AUTH = {1: "pre-shared key (redacted)", 3: "certificate", 5: "Kerberos"}


def when(seconds: int | None) -> str:
    """Return a time of change."""
    if seconds is None:
        return "not recorded"
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")


def changed(node: "Policy | Rule") -> str:
    """Return when a node was changed, by its own account and by that of its key where they differ."""
    return when(node.when_changed) + late(node)


def late(node: "Policy | Rule | FilterList | FilterAction | MainMode | None") -> str:
    """Return when the key of a node was written, empty where that agrees with what the policy tools noted."""
    if node is None or not was_written_otherwise(node.when_changed, node.written):
        return ""
    return f"; its key was written {when(node.written)}"


def duration(seconds: int) -> str:
    """Return a number of seconds as minutes where it is a whole number of them."""
    return f"{seconds // 60} minutes" if seconds and seconds % 60 == 0 else f"{seconds} seconds"


def policy_lines(policy: "Policy") -> list[str]:
    """Return the whole policy."""
    state = {True: "assigned", False: "not assigned"}[policy.assigned]
    exempt = "not in the source" if policy.default_exempt is None else str(policy.default_exempt)
    facts = [
        ("GUID", f"{{{policy.guid}}}"),
        ("Storage", f"{policy.storage.value}, {state}"),
        ("Read from", printable(str(policy.origin))),
        ("Changed", changed(policy)),
        ("Polling", f"every {duration(policy.polling_interval)}"),
        ("NoDefaultExempt", exempt),
        ("Key exchange", main_mode_text(policy.main_mode) + late(policy.main_mode)),
    ]
    if policy.missing:
        facts.append(("Missing", ", ".join(printable(name) for name in policy.missing)))
    if policy.dn:
        facts.insert(1, ("DN", printable(policy.dn)))
    if policy.description:
        facts.insert(0, ("Description", printable(policy.description)))
    lines = [paint(f"Policy {printable(policy.name)}", "heading"), *table(facts, indent="  ")]
    for number, rule in enumerate(policy.rules, 1):
        lines += ["", *rule_lines(number, rule)]
    return lines


def main_mode_text(main_mode: "MainMode | None") -> str:
    """Return the key exchange settings in one line."""
    if main_mode is None:
        return "missing"
    methods = ", ".join(
        f"{_MM_ENCRYPTION.get(m.encryption, m.encryption)}-{_HASH.get(m.hash, m.hash)}-DH{m.group}" for m in main_mode.methods
    )
    parts = [methods or "no methods", f"lifetime {duration(main_mode.lifetime_seconds)}"]
    if main_mode.pfs:
        parts.append("perfect forward secrecy")
    if main_mode.quick_mode_limit:
        parts.append(f"{main_mode.quick_mode_limit} quick modes per main mode")
    return "; ".join(parts)


def rule_lines(number: int, rule: "Rule") -> list[str]:
    """Return one rule."""
    title = f"Rule {number}: {printable(rule.label)}"
    if rule.default_response:
        title += " (default response rule)"
    facts = [
        ("State", "active" if rule.active else "not active"),
        ("Interfaces", {"all": "all", "lan": "LAN only", "ras": "remote access (dial-up) only"}[rule.interface_type.value]),
        ("Filter action", action_text(rule.filter_action) + late(rule.filter_action)),
        ("Authentication", ", ".join(auth_text(method) for method in rule.auth_methods) or "none"),
    ]
    if rule.is_tunnel:
        facts.append(("Tunnel to", str(rule.tunnel) if rule.tunnel else "no endpoint"))
    if rule.description:
        facts.insert(0, ("Description", printable(rule.description)))
    if rule.missing:
        facts.append(("Missing", ", ".join(printable(name) for name in rule.missing)))
    facts.append(("Changed", changed(rule)))
    lines = [paint(title, "heading"), *table(facts, indent="  ")]
    for filter_list in rule.filter_lists:
        n = len(filter_list.filters)
        lines.append(f"  Filter list {printable(filter_list.name)!r}: {n} {'filter' if n == 1 else 'filters'}{late(filter_list)}")
        rows = [filter_row(filter_) for filter_ in filter_list.filters]
        if rows:
            heading = ("PROTOCOL", "SOURCE", "PORT", "DESTINATION", "PORT", "MIRRORED", "DESCRIPTION")
            lines += table(rows, heading=heading, indent="    ")
    return lines


def action_text(action: "FilterAction | None") -> str:
    """Return a filter action with the word Windows uses beside ours."""
    if action is None:
        return "missing"
    word = {"allow": "allow (permit)", "block": "block", "protect": "protect (negotiate)"}.get(str(action.action), "unknown")
    text = paint(word, str(action.action))
    if action.name:
        text += f" {printable(action.name)!r}"
    if action.offers:
        text += ": " + "; ".join(offer_text(offer) for offer in action.offers)
    if action.inpass:
        text += "; accepts clear text inbound"
    if action.soft:
        text += "; falls back to clear text"
    return text


def offer_text(offer: "Offer") -> str:
    """Return a quick mode method as netsh writes it, with the stored numbers that are not certain."""
    parts = []
    for algorithm in offer.algorithms:
        if algorithm.transform == "ah":
            parts.append(f"AH[{_HASH.get(algorithm.algorithm, algorithm.algorithm)}]")
        else:
            cipher = _ESP.get(algorithm.algorithm, "unknown")
            integrity = _HASH.get(algorithm.integrity, algorithm.integrity)
            parts.append(f"ESP[{cipher},{integrity}] (id {algorithm.algorithm})")
    text = "+".join(parts)
    if offer.lifetime_kilobytes or offer.lifetime_seconds:
        text += f" {offer.lifetime_kilobytes}k/{offer.lifetime_seconds}s"
    return text + (" PFS" if offer.pfs else "")


def auth_text(method: "AuthMethod") -> str:
    """Return an authentication method, never a key."""
    name = _AUTH.get(int(method.kind), f"method {int(method.kind)}")
    if method.certificate_authority:
        name += f" from {printable(method.certificate_authority)!r}"
    return name


def filter_row(filter_: "Filter") -> tuple[str, ...]:
    """Return a filter as a row of the table."""
    from pastore.filters.text import address_text
    from pastore.packets.names import protocol_name

    def end(address: Any) -> str:
        text = address_text(address)
        return f"{text} ({printable(address.dns_name)})" if address.dns_name else text

    protocol = protocol_name(filter_.protocol) if filter_.protocol else "any"
    families = {*filter_.src.families, *filter_.dst.families}
    if 6 in families:
        protocol += " IPv4+6" if 4 in families else " IPv6"
    return (
        protocol,
        end(filter_.src),
        port_cell(filter_.sport, filter_.protocol),
        end(filter_.dst),
        port_cell(filter_.dport, filter_.protocol),
        "yes" if filter_.mirrored else "no",
        printable(filter_.description),
    )


def port_cell(ports: Any, protocol: int) -> str:
    """Return ports with the service's name where it is a single well-known one."""
    from pastore.filters.text import ports_text
    from pastore.packets.names import port_name

    name = port_name(ports.low, protocol) if ports.low == ports.high else None
    return f"{ports_text(ports)} ({name})" if name else ports_text(ports)


def specific_lines(filters: "SpecificFilters") -> list[str]:
    """Return the specific filters in the order tried."""
    from pastore.filters.specific import EXEMPTIONS, INPASS, SOFT, join
    from pastore.filters.text import range_text
    from pastore.model import Action, Ports
    from pastore.packets.names import protocol_name

    rows = []
    for index, row in enumerate(filters):
        source = filters.source(index)
        family = int(row["family"])
        protocol = "any" if row["protocol_lo"] != row["protocol_hi"] else protocol_name(int(row["protocol_lo"]))
        action = str(Action(int(row["action"])))
        notes = [name for bit, name in ((INPASS, "inpass"), (SOFT, "soft")) if row["flags"] & bit]
        if source and source.tunnel:
            notes.append(f"tunnel {source.tunnel}")
        if row["exempt"]:
            notes.append(f"exempt {EXEMPTIONS[int(row['exempt'])]}")
        rows.append(
            (
                str(index),
                action,
                ("in", "out", "both")[int(row["direction"])],
                ("lan", "ras", "all")[int(row["interface"])],
                f"IPv{family}",
                protocol,
                range_text(family, join(row["src_lo"]), join(row["src_hi"])),
                port_cell(Ports(int(row["sport_lo"]), int(row["sport_hi"])), int(row["protocol_lo"])),
                range_text(family, join(row["dst_lo"]), join(row["dst_hi"])),
                port_cell(Ports(int(row["dport_lo"]), int(row["dport_hi"])), int(row["protocol_lo"])),
                printable(source.rule if source and source.rule else "-"),
                " ".join(notes),
            )
        )
    heading = ("INDEX", "ACTION", "WAY", "IF", "IP", "PROTOCOL", "SOURCE", "PORT", "DESTINATION", "PORT", "RULE", "NOTES")
    return table(rows, heading=heading, right=(0,))


@click.command("show")
@click.argument("source", metavar="SRC")
@source_options
@host_options
@click.option("--filters", "specific", is_flag=True, help="The specific filters in the order they are tried.")
@click.option(
    "--assignment", is_flag=True, help="Directory: how --computer gets its policy, link by link, instead of the policy."
)
def command(source: str, specific: bool, assignment: bool, **options: Any) -> None:
    """The policy of SRC as a person reads it: rules, filter lists, filters, filter actions, key exchange, times of change."""
    from pastore.model import Policy

    if assignment:
        from pastore.cli.assignment import show_assignment

        show_assignment(source, options)
        return
    loaded = load_source(source, options)
    compiled = compile_source(loaded, options, rules=False)
    if specific or not isinstance(loaded.policy, Policy):
        say("\n".join(specific_lines(compiled.matcher.filters)))
    else:
        say("\n".join(policy_lines(loaded.policy)))
    tell_findings((*loaded.findings, *compiled.matcher.findings))
