"""pastore bench: what a rule set costs on this machine."""

import json
import os
import platform
from statistics import median
from typing import TYPE_CHECKING, Any

import click

from pastore.cli.common import (
    cannot_answer,
    compile_source,
    host_options,
    load_source,
    local_networks,
    say,
    source_options,
    table,
    tell_damage,
    tell_findings,
)
from pastore.findings.render import printable

if TYPE_CHECKING:
    from pastore.matcher import Matcher
    from pastore.packets.batch import PacketBatch
    from pastore.sources import Loaded
    from pastore.verify.speed import Speed

WAYS = {
    "batch": "columns from NumPy",
    "single": "one packet from Python",
    "scan": "linear scan in C",
    "numpy": "all rows by NumPy",
}


@click.command("bench")
@click.argument("source", metavar="SRC")
@click.argument("trace", metavar="[TRACE]", required=False)
@source_options
@host_options
@click.option(
    "--packets", type=click.IntRange(1, 10_000_000), default=100_000, show_default=True, help="How many to draw from the filters."
)
@click.option("--seed", type=click.IntRange(0), default=1, show_default=True, help="The same seed draws the same packets.")
@click.option(
    "--seconds", type=click.FloatRange(0.01, 600), default=1.0, show_default=True, help="For each of the things measured."
)
@click.option("--threads", type=click.IntRange(1), default=1, show_default=True, help="For the columns from NumPy.")
@click.option("--output-format", type=click.Choice(["text", "json"]), default="text", show_default=True)
def command(
    source: str, trace: str | None, packets: int, seed: int, seconds: float, threads: int, output_format: str, **options: Any
) -> None:
    """Measure lookups a second, compile time and memory of the rules of SRC, beside a linear scan and NumPy.

    The packets are those of TRACE (a capture, a CSV file or a ClassBench trace), or are drawn from the filters: half at their
    corners, half within. Before anything is measured, the answers of the table and of the others are compared.

    Exit status: 0 measured, 2 nothing was measured, among other things because answers differ.
    """
    from pastore.verify import speed

    loaded = load_source(source, options)
    matcher = compile_source(loaded, options, rules=False).matcher
    batch = read_trace(trace, loaded, options) if trace is not None else draw(matcher, packets, seed)
    try:
        checked = speed.compare_answers(matcher, batch)
    except speed.DisagreementError as error:
        cannot_answer(f"{error}; nothing was measured, and this is a defect of pastore")
    builds = speed.build_seconds(matcher, seconds)
    measured = [
        speed.batch_speed(matcher, batch, seconds, threads),
        speed.single_speed(matcher, batch, seconds),
        speed.scan_speed(matcher, batch, seconds),
        speed.numpy_speed(matcher, batch, seconds),
    ]
    stats = matcher.stats
    facts = {
        "version": 1,
        "source": source,
        "policy": getattr(loaded.policy, "name", ""),
        "filters": stats.specific_filters,
        "layout": stats.layout,
        "isa": stats.isa,
        "bytes": stats.bytes,
        "build": {"seconds": median(builds), "passes": len(builds)},
        "packets": {"from": trace, "seed": None if trace is not None else seed, "number": len(batch)},
        "compared": checked._asdict(),
        "threads": threads,
        "machine": machine(),
        "lookups": [lookup(each) for each in measured],
    }
    say(json.dumps(facts, indent=2, ensure_ascii=False) if output_format == "json" else "\n".join(text(facts)))
    tell_findings((*loaded.findings, *matcher.findings))


def draw(matcher: "Matcher", n: int, seed: int) -> "PacketBatch":
    """Return packets that the filters hold."""
    from pastore.analysis.aim import sample

    return sample(matcher.filters, n, seed)


def read_trace(trace: str, loaded: "Loaded", options: dict[str, Any]) -> "PacketBatch":
    """Return the packets of a file as ``classify`` reads them; ends with exit status 2 if there are none."""
    from pastore.packets.batch import read_packets

    batch = read_packets(trace)
    for damage in batch.damage:
        tell_damage(trace, damage.line, damage.code, damage.message)
    if any(damage.fatal for damage in batch.damage):
        cannot_answer(f"the packets of {trace} could not be read")
    if not len(batch):
        cannot_answer(f"there is no packet in {trace}")
    return batch.with_context(me=local_networks(loaded, options))


def lookup(speed: "Speed") -> dict[str, Any]:
    """Return one way of asking as JSON has it."""
    per_packet = [1e9 * seconds / speed.packets for seconds in speed.seconds]
    return {
        "way": speed.way,
        "packets_per_second": round(speed.per_second),
        "nanoseconds": {"median": speed.nanoseconds, "least": min(per_packet), "most": max(per_packet)},
        "packets": speed.packets,
        "passes": len(speed.seconds),
    }


def machine() -> dict[str, Any]:
    """Return what the figures depend on."""
    import numpy

    return {
        "processor": processor(),
        "processors": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "system": f"{platform.system()} {platform.release()} {platform.machine()}",
        "python": platform.python_version(),
        "numpy": numpy.__version__,
    }


def processor() -> str:
    """Return the name of the processor, as far as the system tells it."""
    try:
        with open("/proc/cpuinfo", encoding="utf-8", errors="replace") as file:
            names = [line.partition(":")[2].strip() for line in file if line.startswith("model name")]
    except OSError:
        names = []
    return names[0] if names else platform.processor() or platform.machine()


def text(facts: dict[str, Any]) -> list[str]:
    """Return the figures as lines."""
    name, packets, host = facts["policy"], facts["packets"], facts["machine"]
    title = f"policy {printable(name)!r} of {printable(facts['source'])}" if name else printable(facts["source"])
    drawn = (
        f"of {printable(packets['from'])}" if packets["from"] is not None else f"drawn from the filters (seed {packets['seed']})"
    )
    lines = [
        f"{title}: {facts['filters']} specific filters",
        *table(
            [
                ("table", f"{facts['layout']}, {facts['bytes']} bytes, instructions {facts['isa']}"),
                ("build", f"{1000 * facts['build']['seconds']:.3g} ms, median of {facts['build']['passes']}"),
                ("packets", f"{packets['number']} {drawn}"),
                ("machine", f"{host['processor']}, {host['processors']} usable; {host['system']}"),
                ("software", f"Python {host['python']}, NumPy {host['numpy']}"),
                (
                    "compared",
                    f"{facts['compared']['scan']} answers with the scan, {facts['compared']['numpy']} with NumPy: all equal",
                ),
            ],
            indent="  ",
        ),
        "",
    ]
    slowest = next(each for each in facts["lookups"] if each["way"] == "scan")["nanoseconds"]["median"]
    rows = []
    for each in facts["lookups"]:
        took = each["nanoseconds"]
        threads = f", {facts['threads']} thread{'' if facts['threads'] == 1 else 's'}" if each["way"] == "batch" else ""
        rows.append(
            (
                f"{each['packets_per_second']:,}",
                f"{took['median']:,.1f}",
                f"{took['least']:,.1f} - {took['most']:,.1f}",
                f"{slowest / took['median']:,.2f}",
                f"{each['packets']} x {each['passes']}",
                WAYS[each["way"]] + threads,
            )
        )
    heading = ("PACKETS/S", "NS A PACKET", "LEAST - MOST", "TO THE SCAN", "PACKETS", "WAY")
    return lines + table(rows, heading=heading, right=(0, 1, 2, 3, 4))
