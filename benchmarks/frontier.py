"""``python -m benchmarks.frontier FOLDER [SET...]``: what memory buys; see docs/benchmarks.md.

Every standard set is built with memory limits of 4, 8, 16 and 32 MB and without one, and all of these tables take turns at the
clock. Answers must agree. Writes a page.
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
from benchmarks.peers.figures import geometric_mean
from benchmarks.peers.machine import machine
from benchmarks.peers.programs import Builder, Commands, GaveUpError, Program
from benchmarks.sets import case, size_class, standard_names

LIMITS: Final[tuple[float, ...]] = (4, 8, 16, 32, 0)  # MB; 0: none
TURNS: Final = 5
ROUNDS: Final = 5
CALL: Final = 256
PATIENCE: Final = 300.0  # seconds for a build


class Point(NamedTuple):
    """A set under one limit: megabytes of the table, millions of packets a second; 0 without a table."""

    limit: float
    megabytes: float
    rate: float


def measured(name: str, builder: Commands, core: int, folder: Path) -> list[Point]:
    """Return a set under every limit.

    Raises
    ------
    ValueError
        If two tables do not give the same answers.
    """
    of = case(name)
    folder.mkdir(parents=True, exist_ok=True)
    files = [str(folder / "rows"), str(folder / "packets"), "rule"]
    write_rows(folder / "rows", of.filters)
    write_packets(folder / "packets", of.packets)
    running: dict[float, Program] = {}
    try:
        for limit in LIMITS:
            try:
                running[limit] = Program([*builder.command("pastore", core, files), str(int(limit * 1e6))], core, PATIENCE)
            except GaveUpError as why:
                print(f"{name} in {limit} MB: {why}", file=sys.stderr)
        rates: dict[float, list[float]] = {limit: [] for limit in running}
        checksums: set[str] = set()
        packets = len(of.packets.src)
        for _ in range(TURNS):
            for limit, program in running.items():
                said: dict[str, Any] = program.measure("batch", CALL, ROUNDS, packets)
                rates[limit].append(packets / median(said["seconds"]) / 1e6)
                checksums.add(str(said["checksum"]))
        if len(checksums) > 1:
            raise ValueError(f"{name}: tables under different limits give different answers")
        return [
            Point(limit, running[limit].ready["bytes"] / 1e6, median(rates[limit])) if limit in running else Point(limit, 0, 0)
            for limit in LIMITS
        ]
    finally:
        for program in running.values():
            program.close()


def _named(limit: float) -> str:
    return f"{limit} MB" if limit else "no limit"


def _row(name: str, points: list[Point]) -> str:
    cells = (f"{each.rate:.1f} ({each.megabytes:.1f} MB)" if each.rate else "no room for the rows" for each in points)
    return f"| {name} | {' | '.join(cells)} |"


def _mean(sets: dict[str, list[Point]], size: str) -> str:
    some = [points for name, points in sets.items() if size_class(name) == size]
    cells = []
    for i in range(len(LIMITS)):
        rates = [points[i].rate for points in some]
        cells.append(f"{geometric_mean(rates):.1f}" if all(rates) else "-")
    return f"| {size} | {' | '.join(cells)} |"


def page(sets: dict[str, list[Point]], facts: tuple[str, ...], day: datetime.date) -> str:
    """Return the page."""
    heads = " | ".join(_named(limit) for limit in LIMITS)
    lines = "|---|" + "---:|" * len(LIMITS)
    sizes = dict.fromkeys(size_class(name) for name in sets)
    return f"""# What memory buys, {day}

{"; ".join(facts)}.

Millions of packets a second on one core, calls of {CALL}; the tables of a set took turns at the clock: medians of {TURNS} turns
of {ROUNDS} rounds. In brackets what the table takes, its rows included. A limit is `memory_limit`; without one the compiler
keeps to what caches hold. 0.0 is less than 50,000 a second: nothing but rows that are tried one after the other fits.

| sets, geometric mean | {heads} |
{lines}
{chr(10).join(_mean(sets, size) for size in sizes)}

| set | {heads} |
{lines}
{chr(10).join(_row(name, points) for name, points in sets.items())}
"""


def main() -> int:
    """Measure what is asked for, and write the page."""
    parser = argparse.ArgumentParser(prog="make bench-frontier", description=(__doc__ or "").partition("\n\n")[2])
    parser.add_argument("folder", type=Path)
    parser.add_argument("sets", nargs="*", help="names as benchmarks/sets.py has them; the standard ones when left out")
    parser.add_argument("--core", type=int, default=max(os.sched_getaffinity(0)), help="processor of all programs")
    options = parser.parse_args()
    builder = Builder(native.ROOT / "build" / "peers")
    found = {}
    for name in options.sets or standard_names():
        found[name] = measured(name, builder, options.core, native.ROOT / "build" / "frontier")
        print(_row(name, found[name]), file=sys.stderr, flush=True)
    about, day = machine(options.core), datetime.date.today()
    options.folder.mkdir(parents=True, exist_ok=True)
    path = options.folder / f"{day}-frontier-{about.slug}.md"
    path.write_text(page(found, about.facts, day), encoding="utf-8")
    print(f"written: {path}", file=sys.stderr)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
