"""pastore explain --rule: what a rule does and what hides it."""

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from pastore.cli.common import cannot_answer, paint, say
from pastore.findings.render import json_text, printable

if TYPE_CHECKING:
    from pastore.api import Compiled
    from pastore.filters.specific import SpecificFilters


@dataclass(frozen=True, slots=True)
class Reach:
    """What is left for a row when the rows before it have had their say."""

    index: int
    text: str
    action: str
    state: str  # "all", "part", "none" or "undecided"
    hidden_by: tuple[str, ...]
    example: str | None


def explain_rule(compiled: "Compiled", name: str, output_format: str) -> None:
    """Write what the rule of that name or GUID does."""
    filters = compiled.matcher.filters
    wanted, rows = chosen(compiled, name)
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


def chosen(compiled: "Compiled", name: str) -> tuple[set[str], list[int]]:
    """Return the labels of the rules that a name or GUID stands for, and their rows."""
    background, filters = compiled.matcher.background, compiled.matcher.filters
    if background is None:
        rows = [index for index in range(len(filters)) if (source := filters.source(index)) and source.rule == name]
        return ({name} if rows else set()), rows
    rules = background.called(name)
    rows = [index for index, rule in enumerate(background.weights["rule"].tolist()) if rule in rules]
    return {background.rules[rule][1] for rule in rules}, rows


def reach(filters: "SpecificFilters", index: int) -> Reach:
    """Subtract the rows before a row from it, exactly."""
    from pastore.analysis.examples import ordinary, packet_of
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
    example = str(packet_of(family, max(left, key=lambda piece: ordinary(family, piece))))
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
