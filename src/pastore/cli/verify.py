"""pastore verify: the proof on the user's own policy."""

import json
import platform
import sys
from typing import TYPE_CHECKING, Any

import click

from pastore.cli.common import BAD_NEWS, NO_ANSWER, compile_source, host_options, load_source, paint, say, source_options, table
from pastore.findings.render import printable

if TYPE_CHECKING:
    from pastore.matcher import Matcher
    from pastore.verify.proof import Answer, Comparison

FAMILIES = (4, 6)


@click.command("verify")
@click.argument("source", metavar="SRC")
@source_options
@host_options
@click.option(
    "--packets", type=click.IntRange(1, 10_000_000), default=20_000, show_default=True, help="Packets for each of IPv4 and IPv6."
)
@click.option("--seed", type=click.IntRange(0), default=1, show_default=True, help="The same seed gives the same packets.")
@click.option(
    "--kernel",
    type=click.Choice(["auto", "yes", "no"]),
    default="auto",
    show_default=True,
    help="Ask the kernel's nftables too: where the machine allows it, by all means, or not at all.",
)
@click.option("--output-format", type=click.Choice(["text", "json"]), default="text", show_default=True)
def command(source: str, packets: int, seed: int, kernel: str, output_format: str, **options: Any) -> None:
    """Compare the verdicts of the compiled table of SRC with those of a linear scan and of the Linux kernel's packet filter.

    The packets are aimed at the bounds of the policy's filters: one below, at and one above each end of each range. The kernel
    gets the same specific filters as nftables rules, in a network namespace of its own that leaves nothing behind.

    Exit status: 0 all answers are equal, 1 some differ, 2 what was to be compared could not be.
    """
    from pastore.analysis.aim import aim
    from pastore.verify.proof import Comparison, against_kernel, against_scan

    loaded = load_source(source, options)
    matcher = compile_source(loaded, options).matcher
    batch = aim(matcher.filters, packets, seed, families=FAMILIES)
    comparisons = [against_scan(matcher, batch)]
    comparisons.append(Comparison("kernel", unavailable="not asked for") if kernel == "no" else against_kernel(matcher, batch))
    name = getattr(loaded.policy, "name", "")
    if output_format == "json":
        say(json.dumps(verify_json(source, name, matcher, packets, seed, comparisons), indent=2, ensure_ascii=False))
    else:
        say("\n".join(verify_text(source, name, matcher, packets, seed, comparisons)))
    if any(each.unanswered or (each.unavailable and kernel == "yes") for each in comparisons):
        sys.exit(NO_ANSWER)
    if any(each.different for each in comparisons):
        sys.exit(BAD_NEWS)


def verify_json(
    source: str, name: str, matcher: "Matcher", packets: int, seed: int, comparisons: list["Comparison"]
) -> dict[str, Any]:
    """Return the JSON document."""
    return {
        "version": 1,
        "source": source,
        "policy": name,
        "filters": len(matcher.filters),
        "packets": packets * len(FAMILIES),
        "seed": seed,
        "equal": not any(each.different for each in comparisons),
        "comparisons": [
            {
                "against": each.against,
                "packets": each.packets,
                "different": each.different,
                "unanswered": each.unanswered,
                "left_out": each.left_out,
                "unavailable": each.unavailable or None,
                "mismatches": [
                    {
                        "packet": str(mismatch.packet),
                        "table": answer_dict(matcher, mismatch.table),
                        each.against: answer_dict(matcher, mismatch.other),
                    }
                    for mismatch in each.mismatches
                ],
            }
            for each in comparisons
        ],
    }


def answer_dict(matcher: "Matcher", answer: "Answer") -> dict[str, Any]:
    """Return an answer as ``explain`` names its parts."""
    source = matcher.filters.source(answer.row) if answer.row >= 0 else None
    return {"action": answer.action, "index": answer.row, "rule": source.rule if source else None}


def verify_text(
    source: str, name: str, matcher: "Matcher", packets: int, seed: int, comparisons: list["Comparison"]
) -> list[str]:
    """Return what was compared, as lines."""
    from pastore.analysis.aim import bounds_aimed_at

    rows = matcher.filters.rows["family"]
    title = f"policy {printable(name)!r} of {printable(source)}" if name else printable(source)
    lines = [f"{title}: {len(rows)} specific filters"]
    for family in FAMILIES:
        count = int((rows == family).sum())
        reached = bounds_aimed_at(count, packets)
        what = (
            f"at {'every bound' if reached == 1 else f'{reached:.1%} of the bounds'} of {count} filters"
            if count
            else "from anywhere"
        )
        lines.append(f"  {packets} IPv{family} packets {what} (seed {seed})")
    lines.append("")
    told = [(judge_name(each.against), str(each.packets), str(each.different)) for each in comparisons if not each.unavailable]
    lines += table(told, heading=("TABLE AGAINST", "PACKETS", "DIFFERENT"), right=(1, 2))
    for each in comparisons:
        if each.unavailable:
            lines.append(f"not compared with {judge_name(each.against)}: {each.unavailable}")
        for reason, n in each.left_out.items():
            lines.append(f"{n} packets left to the scan: {reason}")
        if each.unanswered:
            lines.append(paint(f"{each.unanswered} packets got no answer from {judge_name(each.against)}", "error"))
    for each in comparisons:
        for mismatch in each.mismatches:
            lines += ["", str(mismatch.packet)]
            lines.append(f"  the table: {answer_text(matcher, mismatch.table)}")
            lines.append(f"  {judge_name(each.against)}: {answer_text(matcher, mismatch.other)}")
        if each.different > len(each.mismatches):
            lines += ["", f"and {each.different - len(each.mismatches)} more"]
    return lines


def judge_name(against: str) -> str:
    """Return the name of the other judge."""
    return f"nftables of {platform.system()} {platform.release()}" if against == "kernel" else "linear scan"


def answer_text(matcher: "Matcher", answer: "Answer") -> str:
    """Return an answer in a few words."""
    action = paint(answer.action, answer.action)
    if answer.row < 0:
        return f"{action}, no filter matches"
    source = matcher.filters.source(answer.row)
    if source is None:
        return f"{action} by row {answer.row}"
    rule = f"rule {printable(source.rule)!r}, filter " if source.rule else ""
    return f"{action} by row {answer.row}, {rule}{printable(source.text)}"
