"""Runs fuzz targets one after the other and says what they found: ``python -m tests.fuzz [--seconds N] [--keep] [TARGET]...``.

Ends with status 1 if anything was found, with 2 if a target could not be run. What is found, the growing corpus of each target
and what it said are in ``build/fuzz/TARGET``.
"""

import argparse
import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Final, NamedTuple

from tests.fuzz import native
from tests.fuzz.corpora import CORPORA, seeds_of, settings_of, targets, trim
from tests.support.core import ROOT

BUILD: Final = ROOT / "build" / "fuzz"
TIMEOUT: Final = 20  # seconds that one input may take
MEMORY: Final = 2048  # MiB
_COVERED: Final = re.compile(r"cov: (\d+) ft: (\d+) corp: (\d+)/(\d+\w*)")
_STAT: Final = re.compile(r"stat::(\w+):\s+(\d+)")


class Outcome(NamedTuple):
    """What a run gave.

    Parameters
    ----------
    target : str
    status : int
    executions, seconds, peak_mb : int
    coverage : str
        Edges, features and the size of the corpus, as libFuzzer counts them.
    found : tuple of Path
        Inputs that broke the property.
    """

    target: str
    status: int
    executions: int
    seconds: int
    peak_mb: int
    coverage: str
    found: tuple[Path, ...]


def main() -> int:
    """Do what the command line says."""
    known = [*targets(), *native.names()]
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("target", nargs="*", help=f"one of {', '.join(known)}; all when left out")
    parser.add_argument("--seconds", type=int, default=60, help="for each target (60)")
    parser.add_argument("--keep", action="store_true", help="then put what was learnt into tests/corpus, within its bounds")
    parser.add_argument("--only-keep", action="store_true", help="do that with what earlier runs have learnt")
    arguments = parser.parse_args()
    for name in arguments.target:
        if name not in known:
            parser.error(f"{name} is none of {', '.join(known)}")
    chosen = arguments.target or known
    if arguments.only_keep:
        for name in chosen:
            keep(name, _command(name, prepared(name)))
        return 0
    outcomes = [run(name, arguments.seconds, keeps=arguments.keep) for name in chosen]
    for outcome in outcomes:
        print(_line(outcome))
    if any(outcome.found for outcome in outcomes):
        return 1
    return 2 if any(outcome.status for outcome in outcomes) else 0


def prepared(name: str) -> Path:
    """Write what a target starts from, and return its folder."""
    folder = BUILD / name
    for fresh in ("seeds", "found", "merged"):
        shutil.rmtree(folder / fresh, ignore_errors=True)
        (folder / fresh).mkdir(parents=True)
    for each in (folder / "corpus", CORPORA / name):
        each.mkdir(parents=True, exist_ok=True)
    longest, words = settings_of(name)
    for number, seed in enumerate(seeds_of(name)):
        if len(seed) <= longest:
            (folder / "seeds" / str(number)).write_bytes(seed)
    (folder / "words").write_text("".join(f'"{_escaped(word)}"\n' for word in words or (b"\0",)))
    return folder


def run(name: str, seconds: int, *, keeps: bool) -> Outcome:
    """Run a target and print how it went."""
    folder = prepared(name)
    command = _command(name, folder)
    print(f"{name}: {seconds} s", flush=True)
    options = [
        f"-max_total_time={seconds}",
        f"-dict={folder / 'words'}",
        f"-artifact_prefix={folder / 'found'}/",
        "-print_final_stats=1",
    ]
    with (folder / "said").open("wb") as said:
        places = map(str, (folder / "corpus", CORPORA / name, folder / "seeds"))
        done = subprocess.run([*command, *options, *places], stdout=said, stderr=said, check=False)
    outcome = _outcome(name, done.returncode, seconds, folder)
    if outcome.found or done.returncode:
        print("\n".join((folder / "said").read_text(errors="replace").splitlines()[-40:]))
    if keeps:
        keep(name, command)
    return outcome


def keep(name: str, command: list[str]) -> None:
    """Replace the corpus of a target by the smallest inputs that together reach all that was ever reached."""
    folder = BUILD / name
    with (folder / "merging").open("wb") as said:
        places = map(str, (folder / "merged", CORPORA / name, folder / "seeds", folder / "corpus"))
        subprocess.run([*command, "-merge=1", *places], stdout=said, stderr=said, check=True)
    kept = trim(folder / "merged", CORPORA / name)
    print(f"{name}: {kept} inputs in {(CORPORA / name).relative_to(ROOT)}", flush=True)


def _command(name: str, folder: Path) -> list[str]:
    """Return how to start a target, built where need be."""
    longest, _ = settings_of(name)
    bounds = [f"-timeout={TIMEOUT}", f"-rss_limit_mb={MEMORY}", f"-max_len={longest}"]
    if name not in native.names():
        start = folder / "start"
        start.write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)} -m tests.fuzz.inside {name} "$0" "$@"\n')
        start.chmod(0o755)
        return [str(start), *bounds]
    compiler = os.environ.get("FUZZ_CC", "clang")
    core = native.objects(folder / "objects", compiler, ["-fsanitize=fuzzer-no-link"])
    return [str(native.program(name, core, folder / name, compiler, ["-fsanitize=fuzzer"])), *bounds]


def _escaped(word: bytes) -> str:
    return "".join(f"\\x{byte:02x}" for byte in word)


def _outcome(name: str, status: int, seconds: int, folder: Path) -> Outcome:
    said = (folder / "said").read_text(errors="replace")
    stats = {key: int(value) for key, value in _STAT.findall(said)}
    covered = _COVERED.findall(said)
    edges, features, inputs, size = covered[-1] if covered else ("?", "?", "?", "?")
    return Outcome(
        name,
        status,
        stats.get("number_of_executed_units", 0),
        seconds,
        stats.get("peak_rss_mb", 0),
        f"{edges} edges, {features} features, {inputs} inputs ({size}) in its corpus",
        tuple(sorted((folder / "found").iterdir())),
    )


def _line(outcome: Outcome) -> str:
    how = f"{outcome.executions} executions in {outcome.seconds} s, {outcome.coverage}, {outcome.peak_mb} MB"
    trouble = f"; FOUND {', '.join(map(str, outcome.found))}" if outcome.found else ""
    if outcome.status and not outcome.found:
        trouble = f"; ended with status {outcome.status}, see {BUILD / outcome.target / 'said'}"
    return f"{outcome.target}: {how}{trouble}"


if __name__ == "__main__":
    sys.exit(main())
