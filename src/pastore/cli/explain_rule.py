"""pastore explain --rule: what a rule does and what hides it."""

from dataclasses import asdict, dataclass
from ipaddress import ip_address
from typing import TYPE_CHECKING, Any

from pastore.cli.common import cannot_answer, paint, say
from pastore.findings.render import json_text, printable

if TYPE_CHECKING:
    from pastore.api import Compiled
    from pastore.filters.specific import SpecificFilters
    from pastore.model import Policy


@dataclass(frozen=True, slots=True)
class Reach:
    """What is left for a row when the rows before it have had their say."""

    index: int
    text: str
    action: str
    state: str  # "all", "part", "none" or "undecided"
    hidden_by: tuple[str, ...]
    example: str | None


def explain_rule(policy: "Policy | SpecificFilters | None", compiled: "Compiled", name: str, output_format: str) -> None:
    """Write what the rule of that name or GUID does."""
    filters = compiled.matcher.filters
    wanted, rows = chosen(policy, filters, name)
    if not wanted:
        known = list(dict.fromkeys(source.rule for source in filters.sources if source.rule))[:20]
        cannot_answer(f"there is no rule {name!r}; rules with filters are: {', '.join(map(repr, known)) or 'none'}")
    reaches = [reach(filters, index) for index in rows]
    findings = [finding for finding in compiled.matcher.findings if finding.rule in wanted]
    if output_format == "json":
        document = {
            "version": 1,
            "rule": sorted(wanted)[0],
            "rows": [asdict(each) for each in reaches],
            "findings": [finding.as_dict() for finding in findings],
        }
        say(json_text(document, indent=2))
        return
    say(paint(f"Rule {printable(sorted(wanted)[0])}", "heading"))
    if not reaches:
        say("  gives no specific filter: it does nothing")
    for each in reaches:
        say(f"  {paint(each.action, each.action)} {printable(each.text)}")
        say(f"    {state_text(each)}")
    for finding in findings:
        say(f"  {paint(finding.code, 'code')} {printable(finding.message)}")


def chosen(policy: "Policy | SpecificFilters | None", filters: "SpecificFilters", name: str) -> tuple[set[str], list[int]]:
    """Return the labels of the rules that a name or GUID stands for, and their rows."""
    from pastore.filters.expand import PolicyFilter
    from pastore.model import Policy

    sources = [filters.source(index) for index in range(len(filters))]
    if not isinstance(policy, Policy):
        rows = [index for index, source in enumerate(sources) if source and source.rule == name]
        return ({name} if rows else set()), rows
    bare = name.strip("{} ").lower()
    rules = [rule for rule in policy.rules if rule.label == name or str(rule.guid) == bare]
    rules = rules or [rule for rule in policy.rules if rule.label.casefold() == name.casefold()]
    guids = {rule.guid for rule in rules}
    rows = [index for index, source in enumerate(sources) if isinstance(source, PolicyFilter) and source.node.guid in guids]
    return {rule.label for rule in rules}, rows


def reach(filters: "SpecificFilters", index: int) -> Reach:
    """Subtract the rows before a row from it, exactly."""
    from pastore.analysis.regions import TooManyBoxesError, box_of, overlap, subtract
    from pastore.model import Action

    row = filters.rows[index]
    family = int(row["family"])
    box = box_of(row)
    earlier = [
        (at, other)
        for at in range(index)
        if int(filters.rows["family"][at]) == family and overlap(box, other := box_of(filters.rows[at]))
    ]
    action = str(Action(int(row["action"])))
    hiding = tuple(dict.fromkeys(hider_text(filters, at) for at, _ in earlier))
    try:
        left = subtract(box, [other for _, other in earlier])
    except TooManyBoxesError:
        return Reach(index, row_text(row), action, "undecided", hiding, None)
    if not left:
        return Reach(index, row_text(row), action, "none", hiding, None)
    example = packet_text(family, max(left, key=lambda piece: _ordinary(family, piece)))
    return Reach(index, row_text(row), action, "part" if earlier else "all", hiding, example)


def hider_text(filters: "SpecificFilters", at: int) -> str:
    """Return who decides before."""
    source = filters.source(at)
    if source is None:
        return f"row {at}"
    return f"rule {source.rule!r}, filter {source.text}" if source.rule else source.text


def row_text(row: Any) -> str:
    """Return a specific filter in one line."""
    from pastore.filters.specific import join
    from pastore.filters.text import conditions_text, range_text
    from pastore.model import Ports
    from pastore.packets.names import protocol_name

    family = int(row["family"])
    protocol = "" if row["protocol_lo"] != row["protocol_hi"] else protocol_name(int(row["protocol_lo"]))
    text = conditions_text(
        protocol,
        range_text(family, join(row["src_lo"]), join(row["src_hi"])),
        Ports(int(row["sport_lo"]), int(row["sport_hi"])),
        range_text(family, join(row["dst_lo"]), join(row["dst_hi"])),
        Ports(int(row["dport_lo"]), int(row["dport_hi"])),
    )
    way = ("in", "out", "both ways")[int(row["direction"])]
    return f"{text} {way}, IPv{family}"


_ADDRESSES = {
    family: tuple(int(ip_address(text)) for text in texts)
    for family, texts in ((4, ("192.0.2.1", "10.0.0.1")), (6, ("2001:db8::1", "fe80::1")))
}
_NUMBERS = ((6, 17, 1), (49152,), (80, 443), (0,), (0,))  # what people know when they see it: protocol, ports, in, lan


def _wish(family: int, field: int, low: int, high: int) -> int | None:
    """Return an ordinary value of a field, None where a range holds none."""
    wishes = _ADDRESSES[family] if field < 2 else _NUMBERS[field - 2]
    return next((wish for wish in wishes if low <= wish <= high), None)


def _ordinary(family: int, box: tuple[tuple[int, int], ...]) -> int:
    """Return in how many fields a box has something ordinary."""
    return sum(_wish(family, field, low, high) is not None for field, (low, high) in enumerate(box))


def packet_text(family: int, box: tuple[tuple[int, int], ...]) -> str:
    """Return one packet of a box as `explain` takes it, an ordinary one where the box allows."""
    from pastore.packets.packet import Packet

    wishes = [_wish(family, field, low, high) for field, (low, high) in enumerate(box)]
    # Not the network's own address, where there is another.
    rest = [min(low + 1, high) if field < 2 else low for field, (low, high) in enumerate(box)]
    src, dst, protocol, sport, dport, direction, interface = (
        other if wish is None else wish for wish, other in zip(wishes, rest, strict=True)
    )
    if protocol not in (6, 17):
        sport, dport = box[3][0], box[4][0]
    return str(Packet(family, protocol, src, dst, sport, dport, direction, interface))


def state_text(each: Reach) -> str:
    """Return what is left of a row in words."""
    by = "; ".join(printable(text) for text in each.hidden_by[:3])
    if len(each.hidden_by) > 3:
        by += f"; and {len(each.hidden_by) - 3} more"
    if each.state == "all":
        return f"nothing hides it; for example {each.example}"
    if each.state == "part":
        return f"partly hidden by {by}; it still decides on {each.example}"
    if each.state == "none":
        return f"never decides: hidden by {by}"
    return f"too many overlaps to say what is left; before it come {by}"
