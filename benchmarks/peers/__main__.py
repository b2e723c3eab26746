"""``python -m benchmarks.peers``: pastore beside its peers, set by set, and the page about it; see docs/benchmarks.md."""

import argparse
import datetime
import hashlib
import json
import os
import signal
import sys
import time
from pathlib import Path

from benchmarks import native, sets
from benchmarks.peers.hugepages import hugepages
from benchmarks.peers.machine import machine
from benchmarks.peers.measure import Plan, Result, measure_set
from benchmarks.peers.programs import Builder
from benchmarks.peers.report import Page, one_line

HUGE_PAGES = 2000  # two structures of up to 800 MB side by side, the rules, and what heaps waste
STRUCTURELESS = ["exact-10k", "crossing-1k", "staircase-1k", "nested-1k", "wildcards-1k"]  # others are no set of prefixes
BUILD = native.ROOT / "build" / "peers"


def arguments() -> argparse.Namespace:
    """Return the options of the command line."""
    parser = argparse.ArgumentParser(prog="make bench-peers", description=__doc__)
    parser.add_argument("sets", nargs="*", help="names as benchmarks/sets.py has them; all when left out")
    parser.add_argument("--passes", type=int, default=3, help="turns at the clock with what was built once")
    parser.add_argument("--runs", type=int, default=2, help="how often everything is built anew")
    parser.add_argument("--core", type=int, default=max(os.sched_getaffinity(0)), help="processor of all programs")
    parser.add_argument("--record", type=Path, help="folder of the page; benchmarks/record, or build/peers for some sets only")
    parser.add_argument("--fresh", action="store_true", help="measure again what an interrupted run has measured already")
    return parser.parse_args()


def all_names() -> list[str]:
    """Return every set of a full run, and which of them are judged by action too."""
    standard = sets.standard_names()
    smaller = [name for name in standard if sets.size_class(name) in ("1k", "10k")]
    shapes = ["acl1", "fw1", "ipc1"] if "acl1_1k" in standard else ["acl", "fw", "ipc"]
    twins = [f"{name}.v6" for name in smaller if name.partition("_")[0].partition("-")[0] in shapes]
    return [*standard, *twins, *STRUCTURELESS, "blocklist", "blocklist:action", "mix", "mix.catchall"]


def fingerprint(builder: Builder, options: argparse.Namespace) -> str:
    """Return what must be the same for results of an earlier run to be used."""
    programs = [builder.pastore, builder.tuple_space, *([builder.dpdk] if builder.dpdk else [])]
    digest = hashlib.sha256(repr((options.passes, options.core, os.environ.get("PASTORE_DATA"))).encode())
    for path in programs:
        digest.update(path.read_bytes())
    return digest.hexdigest()[:16]


def kept_as(folder: Path, name: str, run: int) -> Path:
    """Return where the result of a set is kept until the whole run is finished."""
    return folder / f"{name.replace(':', '=')}.{run}.json"


def one_set(name: str, builder: Builder, options: argparse.Namespace, earlier: Result | None) -> Result:
    """Measure a set; NAME:action has the actions judged instead of the rules. What an earlier run could not build is left."""
    programs = earlier["programs"] if earlier else {}
    hopeless = {program: said["failed"] for program, said in programs.items() if "failed" in said}
    name, _, verdict = name.partition(":")
    plan = Plan(core=options.core, passes=options.passes, verdict=verdict or "rule")
    return measure_set(sets.case(name), builder, plan, BUILD / "input", hopeless)


def main() -> int:
    """Measure what is asked for, print it as it comes, write the page."""
    options = arguments()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that huge pages are given back
    names = options.sets or all_names()
    for name in options.sets:
        try:
            sets.case(name.partition(":")[0])
        except KeyError as error:
            print(f"{error.args[0]}; is PASTORE_DATA set to the folder of ClassBench's?", file=sys.stderr)
            return 2
    record = options.record or (BUILD if options.sets else native.ROOT / "benchmarks" / "record")
    builder = Builder(BUILD)
    kept = BUILD / "results" / fingerprint(builder, options)
    kept.mkdir(parents=True, exist_ok=True)
    results: dict[tuple[str, int], Result] = {}
    with hugepages(HUGE_PAGES if builder.dpdk else 0) as missing:
        for run in range(options.runs):
            for name in names:
                file = kept_as(kept, name, run)
                if options.fresh or not file.exists():
                    start = time.monotonic()
                    result = one_set(name, builder, options, results.get((name, 0))) | {"no_huge_pages": missing}
                    result["seconds"] = round(time.monotonic() - start, 1)
                    file.write_text(json.dumps(result), encoding="utf-8")
                results[name, run] = json.loads(file.read_text(encoding="utf-8"))
                print(f"run {run + 1}: {one_line(name, results[name, run])}", file=sys.stderr, flush=True)
    page = Page(machine(options.core), datetime.date.today(), names, results)
    record.mkdir(parents=True, exist_ok=True)
    written = page.write(record)
    for name, run in results:  # finished: the next run starts anew
        kept_as(kept, name, run).unlink()
    print(page.text())
    print(f"written: {', '.join(str(path) for path in written)}", file=sys.stderr)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
