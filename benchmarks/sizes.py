"""``python -m benchmarks.sizes FOLDER [--most N]``: what a rule costs, from 100 rules to a million; see docs/benchmarks.md.

Seeded rules of three shapes. At each size the core, and a tuple space search that has the same rows and packets, take turns at
the clock in their C programs; answers must agree. Writes a page and a plot.
"""

import argparse
import datetime
import os
import sys
from pathlib import Path
from statistics import median
from typing import Any, Final, NamedTuple

from benchmarks import native
from benchmarks.files import write_packets, write_rows
from benchmarks.peers.machine import machine
from benchmarks.peers.programs import Builder, Commands, GaveUpError, Program
from benchmarks.sets import PACKETS, SEED, inbound
from tests.support.rulesets import SHAPES, aimed_packets, make_rules

NUMBERS: Final = (100, 300, 1_000, 3_000, 10_000, 30_000, 100_000, 300_000, 1_000_000)
TURNS: Final = 3
ROUNDS: Final = 5
SHORT: Final = 256  # packets a call
SLOW: Final = 20_000  # packets that the tuple space search judges: it takes long
PATIENCE: Final = 300.0  # seconds for a build
COLOURS: Final = {"acl": "#0072b2", "fw": "#d55e00", "ipc": "#009e73"}


class Point(NamedTuple):
    """What was measured at one size; rates are millions of packets a second, 0 where there is none."""

    shape: str
    rules: int
    build: float
    megabytes: float
    batch: float
    single: float
    tuple_space: float


def rate(program: Program, variant: str, call: int, packets: int) -> tuple[float, str]:
    """Return millions of packets a second of the median round, and the checksum over all answers."""
    said = program.measure(variant, call, ROUNDS, packets)
    return packets / median(said["seconds"]) / 1e6, str(said["checksum"])


def measured(shape: str, rules: int, builder: Commands, core: int, folder: Path) -> Point:
    """Measure one set.

    Raises
    ------
    GaveUpError
        If pastore does not build it.
    ValueError
        If the two do not give the same answers.
    """
    filters = make_rules(shape, rules, SEED, arbitrary=0)
    folder.mkdir(parents=True, exist_ok=True)
    files = [str(folder / "rows"), str(folder / "packets"), "rule"]
    write_rows(folder / "rows", filters)
    write_packets(folder / "packets", inbound(aimed_packets(filters, PACKETS, SEED + 1)))
    ours = Program(builder.command("pastore", core, files), core, PATIENCE)
    try:
        theirs = Program(builder.command("tuple_space", core, files), core, PATIENCE)
        try:
            turns: dict[str, list[float]] = {"batch": [], "single": [], "theirs": []}
            for _ in range(TURNS):
                turns["batch"].append(rate(ours, "batch", SHORT, PACKETS)[0])
                turns["single"].append(rate(ours, "single", 1, PACKETS)[0])
                speed, wanted = rate(theirs, "single", 1, SLOW)
                turns["theirs"].append(speed)
            if rate(ours, "batch", SHORT, SLOW)[1] != wanted:
                raise ValueError(f"{shape}, {rules} rules: pastore and the tuple space search give different answers")
        finally:
            theirs.close()
        ready: dict[str, Any] = ours.ready
        speeds = (median(turns[name]) for name in ("batch", "single", "theirs"))
        return Point(shape, rules, float(ready["build_seconds"]), ready["bytes"] / 1e6, *speeds)
    finally:
        ours.close()


def page(points: list[Point], facts: tuple[str, ...], day: datetime.date) -> str:
    """Return the page."""
    lines = [
        f"| {each.shape} | {each.rules:,} | {each.build:.3f} | {each.megabytes:.2f} | {each.batch:.1f} | {each.single:.1f} "
        f"| {each.tuple_space:.2f} |"
        for each in points
    ]
    return f"""# The cost of a rule, {day}

{"; ".join(facts)}.

Seeded sets of three shapes (docs/benchmarks.md), {PACKETS:,} packets aimed at their bounds; rates are millions of packets a
second on one core: calls of {SHORT} packets, one packet a call, and for comparison a tuple space search, which gave the same
answers. Median of {TURNS} turns, each the median of {ROUNDS} rounds. Seconds to build are those of one build, tuning included.

| shape | rules | build s | table MB | calls of {SHORT} | one a call | tuple space |
|---|---:|---:|---:|---:|---:|---:|
{chr(10).join(lines)}
"""


def plot(points: list[Point], path: Path) -> None:
    """Draw nanoseconds a packet, megabytes and seconds to build over the number of rules."""
    import matplotlib as mpl

    mpl.use("svg")
    from matplotlib import pyplot as plt

    mpl.rcParams["svg.hashsalt"] = "pastore"
    figure, (time, memory, build) = plt.subplots(1, 3, figsize=(13, 4.2), layout="constrained")
    for shape, colour in COLOURS.items():
        some = [each for each in points if each.shape == shape]
        if not some:
            continue
        rules = [each.rules for each in some]
        time.loglog(rules, [1e3 / each.batch for each in some], "o-", color=colour, label=f"{shape}, calls of {SHORT}")
        time.loglog(rules, [1e3 / each.single for each in some], "^--", color=colour, label=f"{shape}, one a call")
        time.loglog(rules, [1e3 / each.tuple_space for each in some], ":", color=colour, label=f"{shape}, tuple space")
        memory.loglog(rules, [each.megabytes for each in some], "o-", color=colour, label=shape)
        build.loglog(rules, [each.build for each in some], "o-", color=colour, label=shape)
    for axes, name in ((time, "ns a packet, one core"), (memory, "table, MB"), (build, "seconds to build")):
        axes.set_xlabel("rules")
        axes.set_ylabel(name)
        axes.grid(visible=True, which="major", color="#dddddd", linewidth=0.6)
        axes.set_axisbelow(True)
        axes.legend(fontsize=7, frameon=False, loc="upper center", bbox_to_anchor=(0.5, -0.16), ncols=3)
    figure.savefig(path, metadata={"Date": None})
    plt.close(figure)


def main() -> int:
    """Measure what is asked for, and write page and plot."""
    parser = argparse.ArgumentParser(prog="make bench-sizes", description=(__doc__ or "").partition("\n\n")[2])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--most", type=int, default=NUMBERS[-1], help="rules of the largest set")
    parser.add_argument("--core", type=int, default=max(os.sched_getaffinity(0)), help="processor of all programs")
    options = parser.parse_args()
    build = native.ROOT / "build" / "sizes"
    builder = Builder(native.ROOT / "build" / "peers")
    points: list[Point] = []
    for shape in SHAPES:
        for rules in (number for number in NUMBERS if number <= options.most):
            try:
                points.append(measured(shape, rules, builder, options.core, build))
            except GaveUpError as why:
                print(f"{shape}, {rules} rules: {why}", file=sys.stderr)
                continue
            print(points[-1], file=sys.stderr, flush=True)
    about, day = machine(options.core), datetime.date.today()
    options.folder.mkdir(parents=True, exist_ok=True)
    path = options.folder / f"{day}-sizes-{about.slug}.md"
    text = page(points, about.facts, day)
    try:
        plot(points, path.with_suffix(".svg"))
        text += f"\n![time, memory and building by the number of rules]({path.with_suffix('.svg').name})\n"
    except ImportError:
        print("no plot: matplotlib is not installed", file=sys.stderr)
    path.write_text(text, encoding="utf-8")
    print(f"written: {path}", file=sys.stderr)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
