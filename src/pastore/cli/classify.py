"""pastore classify: a verdict for every packet."""

import csv
import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, TextIO

import click

from pastore.cli.common import (
    cannot_answer,
    compile_source,
    host_options,
    load_source,
    local_networks,
    paint,
    say,
    source_options,
    table,
    talk,
    tell_damage,
    tell_findings,
)
from pastore.findings.render import json_text, printable

if TYPE_CHECKING:
    from pastore.filters.specific import SpecificFilters
    from pastore.matcher import Verdicts
    from pastore.packets.batch import PacketBatch

COLUMNS = ("src", "dst", "protocol", "sport", "dport", "direction", "interface", "frame", "action", "rule", "index")


def records(batch: "PacketBatch", verdicts: "Verdicts", filters: "SpecificFilters") -> Iterator[tuple[Any, ...]]:
    """Yield one record a packet, in the order of `COLUMNS`."""
    from pastore.filters.text import ip_text
    from pastore.model import Action

    actions = [str(action) for action in Action]
    assert verdicts.index is not None
    for at, (action, index) in enumerate(zip(verdicts.action.tolist(), verdicts.index.tolist(), strict=True)):
        packet = batch.packet(at)
        source = filters.source(index) if index >= 0 else None
        yield (
            ip_text(packet.family, packet.src),
            ip_text(packet.family, packet.dst),
            packet.protocol,
            packet.sport,
            packet.dport,
            ("in", "out")[packet.direction],
            ("lan", "ras")[packet.interface],
            int(batch.frame[at]),
            actions[action],
            source.rule if source else None,
            index,
        )


def write(path: str | None, batch: "PacketBatch", verdicts: "Verdicts", filters: "SpecificFilters") -> None:
    """Write the records as CSV or JSON lines, by the end of the name; CSV to stdout without one."""
    if path is None:
        write_csv(sys.stdout, records(batch, verdicts, filters))
        sys.stdout.flush()  # now, while a failure can still be told
        return
    try:
        with open(path, "w", encoding="utf-8", newline="") as file:
            if path.endswith(".csv"):
                write_csv(file, records(batch, verdicts, filters))
            else:
                for record in records(batch, verdicts, filters):
                    file.write(json_text(dict(zip(COLUMNS, record, strict=True))) + "\n")
    except OSError as error:
        cannot_answer(f"{path} cannot be written: {error.strerror}")
    talk(f"pastore: {len(batch)} verdicts written to {path}")


def write_csv(file: TextIO, rows: Iterator[tuple[Any, ...]]) -> None:
    """Write records as CSV.

    A name of a rule is written so that neither a terminal nor a spreadsheet takes it for a command: control characters escaped,
    an apostrophe before what would start a formula.
    """
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(COLUMNS)
    at = COLUMNS.index("rule")
    for row in rows:
        rule = row[at]
        if rule and (rule[0] in "=+-@" or not rule.isprintable()):
            row = (*row[:at], ("'" if rule[0] in "=+-@\t\r" else "") + printable(rule), *row[at + 1 :])
        writer.writerow(row)


def summary_lines(batch: "PacketBatch", verdicts: "Verdicts", filters: "SpecificFilters", by: str) -> list[str]:
    """Return packet counts by rule, filter or action."""
    import numpy as np

    from pastore.model import Action

    total = len(batch)
    if by == "action":
        found = np.bincount(verdicts.action, minlength=4)
        shares = [
            (paint(str(action), str(action)), str(int(found[action])), share(int(found[action]), total)) for action in Action
        ]
        return table(shares, heading=("ACTION", "PACKETS", "SHARE"), right=(1, 2))
    assert verdicts.index is not None
    counts: dict[tuple[str, str, str], int] = {}
    indices, found = np.unique(verdicts.index, return_counts=True)
    for index, n in zip(indices.tolist(), found.tolist(), strict=True):
        if index < 0:
            key = ("none", "(no filter matches)", "")
        else:
            source = filters.source(index)
            action = str(Action(int(filters.rows["action"][index])))
            rule = source.rule if source else None
            text = source.text if source else f"row {index}"
            key = (action, rule or text, text if by == "filter" and rule else "")
        counts[key] = counts.get(key, 0) + n
    rows = [
        (paint(action, action), str(n), share(n, total), printable(rule), printable(text))
        for (action, rule, text), n in sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    ]
    heading = ("ACTION", "PACKETS", "SHARE", "RULE", "FILTER")
    if by == "rule":
        return table([row[:4] for row in rows], heading=heading[:4], right=(1, 2))
    return table(rows, heading=heading, right=(1, 2))


def share(n: int, total: int) -> str:
    """Return a part of a whole in percent."""
    return f"{100 * n / total:.1f}%" if total else "-"


@click.command("classify")
@click.argument("source", metavar="SRC")
@click.argument("packets", metavar="PACKETS")
@source_options
@host_options
@click.option("-o", "--output", metavar="FILE", help="Write the verdicts to FILE (.csv or .jsonl); CSV on stdout if left out.")
@click.option("--summary", is_flag=True, help="Count packets instead of listing them.")
@click.option(
    "--by", type=click.Choice(["rule", "filter", "action"]), help="What to count by (implies --summary); rule if left out."
)
@click.option("--direction", type=click.Choice(["in", "out"]), help="Direction of packets that do not say theirs.")
@click.option(
    "--interface", type=click.Choice(["lan", "ras"]), default="lan", show_default=True, help="Interface type, likewise."
)
@click.option("--threads", type=click.IntRange(1), default=1, show_default=True)
def command(source: str, packets: str, **options: Any) -> None:
    """A verdict for every packet of PACKETS: a pcap capture, a CSV file or a ClassBench trace.

    CSV columns are src,dst,protocol,sport,dport,direction,interface; the last four may be missing. A packet goes out when its
    source is an address given by --me, and in otherwise, unless its column or --direction says so.
    """
    from pastore.packets.batch import read_packets

    output = options["output"]
    if output and not output.endswith((".csv", ".jsonl")):
        raise click.UsageError(f"-o {output}: the name must end in .csv or .jsonl")
    loaded = load_source(source, options)
    local = local_networks(loaded, options)
    batch = read_packets(packets)
    fatal = False
    for damage in batch.damage:
        tell_damage(packets, damage.line, damage.code, damage.message)
        fatal |= damage.fatal
    if fatal:
        cannot_answer(f"the packets of {packets} could not be read")
    batch = batch.with_context(me=local, direction=options["direction"], interface=options["interface"])
    by_action = options["by"] == "action" and not options["output"]
    compiled = compile_source(loaded, options, rules=not by_action)
    verdicts = compiled.matcher.classify(batch, threads=options["threads"])
    if options["summary"] or options["by"]:
        say("\n".join(summary_lines(batch, verdicts, compiled.matcher.filters, options["by"] or "rule")))
    if output or not (options["summary"] or options["by"]):
        write(output, batch, verdicts, compiled.matcher.filters)
    tell_findings((*loaded.findings, *compiled.matcher.findings))
