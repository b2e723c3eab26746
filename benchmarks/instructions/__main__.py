"""``python -m benchmarks.instructions``: instructions a packet, against those on record; see docs/benchmarks.md.

The counts are exact and the same every time, for one compiler and one valgrind; with others nothing is compared. A path is not
counted where the core does not have it, or valgrind cannot run it: it knows no AVX-512.
"""

import argparse
import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any, Final

from benchmarks import native, sets
from benchmarks.files import write_packets, write_rows

NAMES: Final = ("acl-1k", "fw-1k", "ipc-1k", "acl-10k", "fw-10k", "ipc-10k", "acl-1k.v6", "fw-10k.v6", "crossing-1k", "exact-10k")
ISAS: Final = ("scalar", "avx2")
KINDS: Final = ("batch", "single")
PACKETS: Final = 8192
TOLERANCE: Final = 0.03
RECORD: Final = native.ROOT / "benchmarks" / "record" / "instructions.json"
BUILD: Final = native.ROOT / "build" / "instructions"

Counted = dict[str, dict[str, Any]]


def tools() -> dict[str, str]:
    """Return what the counts depend on beside the sources."""
    return {
        "compiler": native.compiler_version(),
        "flags": " ".join(native.FLAGS),
        "valgrind": native.said("valgrind", "--version"),
        "packets": str(PACKETS),
    }


def count(program: Path, kind: str, isa: str, table: Path, packets: Path) -> dict[str, Any]:
    """Return instructions a packet, and what the program said about its table."""
    out = table.with_suffix(f".{kind}.{isa}.callgrind")
    command = ["valgrind", "--tool=callgrind", "--collect-atstart=no", "--toggle-collect=counted", f"--callgrind-out-file={out}"]
    done = subprocess.run(
        [*command, str(program), kind, str(table), str(packets), str(PACKETS)],
        capture_output=True,
        text=True,
        env=os.environ | {"PASTORE_ISA": isa},
        check=False,
    )
    if done.returncode != 0:
        raise native.CannotBuildError(done.stderr.strip())
    collected = re.search(r"^(?:summary|totals): (\d+)", out.read_text(encoding="ascii"), re.MULTILINE)
    assert collected
    if int(collected[1]) == 0:
        raise native.CannotBuildError("callgrind did not see the function that it was to count in")
    said: dict[str, Any] = json.loads(done.stdout)
    return said | {"instructions": round(int(collected[1]) / PACKETS, 2)}


def count_all(names: list[str]) -> Counted:
    """Return what was counted, by set, kind and instruction set; prints it as it comes."""
    objects = native.core_objects(BUILD / "core")
    here = native.ROOT / "benchmarks"
    shared = here / "peers" / "bench.c"
    flags = (*native.FLAGS, *native.OWN, f"-I{here / 'peers'}")
    program = native.program(BUILD / "count", [here / "instructions" / "count.c", shared], objects, flags)
    counted: Counted = {}
    for name in names:
        case = sets.case(name)
        rows, packets, table = (BUILD / f"{name}.{ending}" for ending in ("rows", "packets", "table"))
        write_rows(rows, case.filters)
        write_packets(packets, case.packets)
        native.said(str(program), "build", str(rows), str(table))
        for isa in ISAS:
            for kind in KINDS:
                got = count(program, kind, isa, table, packets)
                if got["isa"] != isa:
                    print(f"{name} {kind} {isa}: not counted, the core runs as {got['isa']}", flush=True)
                    continue
                counted[f"{name} {kind} {isa}"] = got
                print(f"{name} {kind} {isa}: {got['instructions']:.1f} instructions a packet", flush=True)
    return counted


def compare(recorded: Counted, counted: Counted) -> list[str]:
    """Return a sentence for everything that costs more than the tolerance allows; prints what costs less."""
    worse = []
    for what, got in counted.items():
        if what not in recorded:
            print(f"{what}: not on record")
            continue
        before, now = recorded[what]["instructions"], got["instructions"]
        layout = "" if recorded[what]["bytes"] == got["bytes"] else ", and the table has another size: perhaps another layout"
        if now > before * (1 + TOLERANCE):
            worse.append(f"{what}: {before:.1f} -> {now:.1f} instructions a packet, {now / before - 1:+.1%}{layout}")
        elif now < before * (1 - TOLERANCE):
            print(f"{what}: {before:.1f} -> {now:.1f}, {now / before - 1:+.1%}{layout}; worth recording: make callgrind RECORD=1")
    worse += [f"{what}: on record, but not counted any more" for what in recorded if what not in counted]
    return worse


def main() -> int:
    """Count; compare or record."""
    parser = argparse.ArgumentParser(prog="make callgrind", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("sets", nargs="*", help="names as benchmarks/sets.py has them")
    parser.add_argument("--record", action="store_true", help="put the counts on record instead of comparing them")
    options = parser.parse_args()
    try:
        with_tools = tools()
        counted = count_all(options.sets or list(NAMES))
    except native.CannotBuildError as error:
        print(f"callgrind: {error}", file=sys.stderr)
        return 2
    if options.record:
        RECORD.write_text(json.dumps({"tools": with_tools, "counted": counted}, indent=1) + "\n", encoding="utf-8")
        print(f"recorded: {RECORD}")
        return 0
    if not RECORD.exists():
        print("nothing is on record to compare with: make callgrind RECORD=1")
        return 0
    record = json.loads(RECORD.read_text(encoding="utf-8"))
    different = [
        f"{name}: {record['tools'].get(name)}, here {value}"
        for name, value in with_tools.items()
        if record["tools"].get(name) != value
    ]
    if different:
        print("not compared, what is on record was counted with other tools:", *different, sep="\n  ")
        return 0
    known = {what: got for what, got in record["counted"].items() if not options.sets or what.split()[0] in options.sets}
    worse = compare(known, counted)
    if worse:
        print(f"more than {TOLERANCE:.0%} above the record:", *worse, sep="\n  ", file=sys.stderr)
        print("where that is meant: make callgrind RECORD=1", file=sys.stderr)
        return 1
    print(f"within {TOLERANCE:.0%} of the record")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
