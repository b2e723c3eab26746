"""The core as a plain C program: under sanitizers, and with every allocation counted."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
HARNESS = ROOT / "tests" / "support" / "core_harness.c"
COMPILER = os.environ.get("CC") or "cc"

pytestmark = pytest.mark.skipif(
    shutil.which(COMPILER.split()[0]) is None or not sys.platform.startswith("linux"), reason="needs a C compiler and GNU ld"
)


def core_sources() -> list[str]:
    """The files of the core that setup.py builds into the extension."""
    listed = re.search(r"^MATCHER_CORE = \[(.*?)\]", (ROOT / "setup.py").read_text(), re.MULTILINE | re.DOTALL)
    assert listed
    return [str(ROOT / "ext" / "core" / name) for name in re.findall(r'"(.*?)"', listed[1])]


def build_harness(directory: Path, flags: list[str]) -> Path:
    program = directory / "core_harness"
    warnings = ["-Wall", "-Wextra", "-Wshadow", "-Werror"]
    command = [
        *COMPILER.split(),
        "-std=c11",
        "-g",
        *warnings,
        f"-I{ROOT / 'ext' / 'core'}",
        *flags,
        str(HARNESS),
        *core_sources(),
    ]
    compiled = subprocess.run([*command, "-o", str(program)], capture_output=True, text=True, check=False)
    assert compiled.returncode == 0, compiled.stderr
    return program


def run_harness(program: Path, seed: int, rounds: int) -> None:
    done = subprocess.run([str(program), str(seed), str(rounds)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_core_is_clean_under_address_and_undefined_behaviour_sanitizers(tmp_path: Path) -> None:
    program = build_harness(tmp_path, ["-O1", "-fsanitize=address,undefined", "-fno-sanitize-recover=all"])
    run_harness(program, seed=1, rounds=30)
    run_harness(program, seed=2, rounds=30)


def test_lookups_do_not_allocate(tmp_path: Path) -> None:
    wrapped = ",".join(f"--wrap={name}" for name in ("malloc", "calloc", "realloc", "free"))
    run_harness(build_harness(tmp_path, ["-O1", "-DCOUNT_ALLOCATIONS", f"-Wl,{wrapped}"]), seed=3, rounds=40)


def test_debug_build_of_the_core_checks_every_table_it_builds(tmp_path: Path) -> None:
    run_harness(build_harness(tmp_path, ["-O0", "-DPASTORE_DEBUG=1"]), seed=4, rounds=10)
