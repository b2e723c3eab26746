"""The core as a plain C program: under sanitizers, and with every allocation counted."""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from pastore.matcher import Matcher
from tests.support.core import COMPILER, ROOT, SANITIZED, build_program
from tests.support.rulesets import make_rules

SUPPORT = ROOT / "tests" / "support"

pytestmark = pytest.mark.skipif(
    shutil.which(COMPILER[0]) is None or not sys.platform.startswith("linux"), reason="needs a C compiler and GNU ld"
)


def build_harness(directory: Path, flags: Sequence[str], *sources: Path, link: tuple[str, ...] = ()) -> Path:
    return build_program(directory, sources or (SUPPORT / "core_harness.c",), flags, link=link)


def run_harness(program: Path, seed: int, rounds: int) -> None:
    done = subprocess.run([str(program), str(seed), str(rounds)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_core_is_clean_under_address_and_undefined_behaviour_sanitizers(tmp_path: Path) -> None:
    program = build_harness(tmp_path, SANITIZED)
    run_harness(program, seed=1, rounds=30)
    run_harness(program, seed=2, rounds=30)


def test_lookups_do_not_allocate(tmp_path: Path) -> None:
    wrapped = ",".join(f"--wrap={name}" for name in ("malloc", "calloc", "realloc", "free"))
    program = build_harness(tmp_path, ["-O2", "-DCOUNT_ALLOCATIONS"], link=(f"-Wl,{wrapped}",))
    run_harness(program, seed=3, rounds=40)


def test_debug_build_of_the_core_checks_every_table_it_builds(tmp_path: Path) -> None:
    run_harness(build_harness(tmp_path, ["-O0", "-DPASTORE_DEBUG=1"]), seed=4, rounds=10)


def run_damage(program: Path, folder: Path, stride: int, of_sixteen: int, least: int) -> None:
    folder.mkdir()
    command = [str(program), "1", str(folder), str(stride), str(of_sixteen)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    counted = re.fullmatch(r"(\d+) refused, (\d+) safe, (\d+) not proved\n", done.stdout)
    assert counted
    assert int(counted[1]) > least
    assert int(counted[2]) > 100


def test_stored_tables_of_every_layout_damaged_in_every_bit_and_length_are_refused_or_safe(tmp_path: Path) -> None:
    program = build_harness(tmp_path, ["-O2"], SUPPORT / "load_harness.c")
    whole = "PASTORE_PROOF" in os.environ  # every bit of ten tables of 16 KB, some minutes
    run_damage(program, tmp_path / "tables", stride=1, of_sixteen=1 if whole else 41, least=400_000)


def test_damaged_stored_tables_lead_no_lookup_astray(tmp_path: Path) -> None:
    program = build_harness(tmp_path, SANITIZED, SUPPORT / "load_harness.c")
    run_damage(program, tmp_path / "tables", stride=29, of_sixteen=397, least=15_000)


def test_stored_tables_of_any_bytes_are_refused_or_safe(tmp_path: Path) -> None:
    fuzz = ROOT / "ext" / "fuzz"
    program = build_harness(tmp_path, SANITIZED, fuzz / "replay.c", fuzz / "fuzz_load.c")
    rng = np.random.default_rng(5)
    wholes = []
    for number, family in enumerate((4, 6)):
        rules = make_rules("fw", 12, seed=number, family=family, one_way=True)
        Matcher(rules, memory_limit=None if number else 20_000).save(tmp_path / f"{family}.pastore")
        wholes.append(np.frombuffer((tmp_path / f"{family}.pastore").read_bytes(), np.uint8))
    inputs = tmp_path / "inputs"
    inputs.mkdir()
    for number in range(900):
        data = wholes[number % 2].copy()
        for _ in range(int(rng.integers(0, 6))):
            at = int(rng.integers(24, 2000 if rng.random() < 0.5 else len(data) - 8))
            data[at : at + int(rng.integers(1, 9))] = rng.integers(0, 256) if rng.random() < 0.5 else rng.choice([0, 1, 127, 255])
        kept = len(data) if rng.random() < 0.8 else int(rng.integers(0, len(data)))
        (inputs / str(number)).write_bytes(data[:kept].tobytes())
    names = [path.name for path in inputs.iterdir()]
    done = subprocess.run([str(program), *names], cwd=inputs, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, f"{len(names)} inputs\n", "")
