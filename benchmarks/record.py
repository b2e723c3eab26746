"""Turns the JSON of a benchmark run into a dated page: ``python -m benchmarks.record RUN.json > record/DATE-MACHINE.md``.

Medians and ratios within one run; absolute figures move with the machine's mood, ratios much less.
"""

import json
import platform
import sys
from collections import defaultdict
from pathlib import Path
from typing import Any

CAUTION = "Medians of one run on a shared virtual machine: compare within a row, not between days."
LOOKUPS = (
    "batch is `Matcher.classify` on NumPy columns (100,000 packets a call), single is `Matcher.match` with integers from "
    "Python. Peers in the same run: scan is the linear scan in C over the same rows, NumPy compares whole columns packet by "
    "packet. Answers were compared before the clock started."
)


def cpu() -> str:
    """Return the processor's name as the kernel has it."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor() or "unknown processor"
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "unknown processor")


def rate(benchmark: dict[str, Any]) -> float:
    """Return packets a second, in millions, from the median."""
    return float(benchmark["extra_info"]["packets"] / benchmark["stats"]["median"] / 1e6)


def memory(info: dict[str, Any]) -> str:
    """Return what a process of its own told of its memory, its work, and how far it came; empty for others."""
    if "peak_mb" not in info:
        return ""
    read = ", ".join(f"{info[what]:,} {what}" for what in ("filters", "keys", "values") if what in info)
    stopped = "" if info.get("whole", True) else "; ended there by the bound on its time"
    spent = f"peak {info['peak_mb']:.0f} MB, reading alone {info['inside_ms']:.0f} ms"
    return f" ({spent}, hive of {info['hive_mb']:.0f} MB: {read}{stopped})"


def page(run: dict[str, Any]) -> str:
    """Return the page of a run."""
    machine = run["machine_info"]
    cores = machine["cpu"].get("count", "?")
    where = f"Python {machine['python_version']}, {machine['system']} {machine['release']}, {cores} cores"
    lines = [
        f"# {run['datetime'][:10]}, {cpu()}",
        "",
        f"{where}, commit {run['commit_info']['id'][:10]}. {CAUTION}",
    ]
    lookups: dict[str, dict[str, dict[str, Any]]] = defaultdict(dict)
    rest: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for benchmark in run["benchmarks"]:
        if benchmark["fullname"].split("::")[1] == "BenchLookup":
            lookups[benchmark["group"]][benchmark["name"].partition("[")[0]] = benchmark
        else:
            rest[benchmark["group"] or benchmark["fullname"]].append(benchmark)
    if lookups:
        lines += [
            "",
            "## Lookups, one core, million packets a second",
            "",
            LOOKUPS,
            "",
            "| rule set | rows | layout | table MB | build ms | batch | scan | NumPy | batch / scan | batch / NumPy | single |",
            "|---|---|---|---|---|---|---|---|---|---|---|",
        ]
        for name, kinds in lookups.items():
            batch, scan, numpy, single = (rate(kinds[f"bench_{kind}"]) for kind in ("batch", "scan", "numpy", "single"))
            info = kinds["bench_batch"]["extra_info"]
            size, build = f"{info['bytes'] / 1e6:.2f}", f"{info['build_ms']:.1f}"
            ratios = f"{batch / scan:.0f}x | {batch / numpy:.0f}x"
            facts = f"{name} | {info['rows']:,} | {info['layout']} | {size} | {build}"
            lines.append(f"| {facts} | {batch:.2f} | {scan:.3f} | {numpy:.4f} | {ratios} | {single:.2f} |")
    for group, benchmarks in rest.items():
        lines += ["", f"## {group}", "", "| what | median ms | of the fastest |", "|---|---|---|"]
        fastest = min(benchmark["stats"]["median"] for benchmark in benchmarks)
        for benchmark in benchmarks:
            median = benchmark["stats"]["median"]
            what = benchmark["name"].removeprefix("bench_")
            packets = benchmark["extra_info"].get("packets")
            note = f" ({packets / median / 1e6:.1f} M packets/s)" if packets else memory(benchmark["extra_info"])
            lines.append(f"| {what}{note} | {median * 1000:.1f} | {median / fastest:.1f}x |")
    return "\n".join([*lines, ""])


if __name__ == "__main__":
    sys.stdout.write(page(json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))))
