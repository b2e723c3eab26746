"""The core as a plain C program: under sanitizers, and with every allocation counted."""

import os
import platform
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path

import numpy as np
import pytest

from pastore.matcher import Matcher
from tests.support.rulesets import make_rules

ROOT = Path(__file__).parents[2]
SUPPORT = ROOT / "tests" / "support"
COMPILER = os.environ.get("CC") or "cc"
CoreObjects = Callable[[tuple[str, ...]], list[Path]]

pytestmark = pytest.mark.skipif(
    shutil.which(COMPILER.split()[0]) is None or not sys.platform.startswith("linux"), reason="needs a C compiler and GNU ld"
)


def isa_flags(source: str) -> list[str]:
    """Return the flags that setup.py gives the files for an instruction set."""
    listed = {
        name: re.findall(r'"(-m.*?)"', re.search(rf"^{name} = \[(.*?)\]", (ROOT / "setup.py").read_text(), re.M | re.S)[1])  # type: ignore[index]
        for name in ("AVX2_FLAGS", "AVX512_FLAGS")
    }
    if platform.machine() not in ("x86_64", "AMD64"):
        return []
    if source.endswith("_avx512.c"):
        return listed["AVX2_FLAGS"] + listed["AVX512_FLAGS"]
    return listed["AVX2_FLAGS"] if source.endswith("_avx2.c") else []


def core_sources() -> list[Path]:
    """The files of the core that setup.py builds into the extension: all but the reader of frames."""
    return sorted(path for path in (ROOT / "ext" / "core").glob("*.c") if path.name != "frames.c")


@pytest.fixture(scope="module")
def built_core(tmp_path_factory: pytest.TempPathFactory) -> Callable[[tuple[str, ...]], list[Path]]:
    """Objects of the core for some flags, compiled once."""

    @lru_cache
    def build(flags: tuple[str, ...]) -> list[Path]:
        folder = tmp_path_factory.mktemp("objects")
        objects = []
        for source in core_sources():
            objects.append(folder / f"{source.stem}.o")
            run_compiler([*flags, *isa_flags(source.name), "-c", str(source), "-o", str(objects[-1])])
        return objects

    return build


def run_compiler(arguments: list[str]) -> None:
    warnings = ["-Wall", "-Wextra", "-Wshadow", "-Werror"]
    command = [*COMPILER.split(), "-std=c11", "-g", *warnings, f"-I{ROOT / 'ext' / 'core'}", *arguments]
    compiled = subprocess.run(command, capture_output=True, text=True, check=False)
    assert compiled.returncode == 0, compiled.stderr


def build_harness(directory: Path, core: CoreObjects, flags: list[str], *sources: Path, link: str | None = None) -> Path:
    program = directory / "harness"
    inputs = [
        *map(str, sources or (SUPPORT / "core_harness.c",)),
        *map(str, core(tuple(f for f in flags if not f.startswith("-DC")))),
    ]
    run_compiler([*flags, *inputs, *([link] if link else []), "-o", str(program)])
    return program


def run_harness(program: Path, seed: int, rounds: int) -> None:
    done = subprocess.run([str(program), str(seed), str(rounds)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


SANITIZED = ["-O1", "-fsanitize=address,undefined", "-fno-sanitize-recover=all"]


def test_core_is_clean_under_address_and_undefined_behaviour_sanitizers(tmp_path: Path, built_core: CoreObjects) -> None:
    program = build_harness(tmp_path, built_core, SANITIZED)
    run_harness(program, seed=1, rounds=5)
    run_harness(program, seed=2, rounds=5)


def test_lookups_do_not_allocate(tmp_path: Path, built_core: CoreObjects) -> None:
    wrapped = ",".join(f"--wrap={name}" for name in ("malloc", "calloc", "realloc", "free"))
    program = build_harness(tmp_path, built_core, ["-O2", "-DCOUNT_ALLOCATIONS"], link=f"-Wl,{wrapped}")
    run_harness(program, seed=3, rounds=20)


def test_debug_build_of_the_core_checks_every_table_it_builds(tmp_path: Path, built_core: CoreObjects) -> None:
    run_harness(build_harness(tmp_path, built_core, ["-O0", "-DPASTORE_DEBUG=1"]), seed=4, rounds=2)


def run_damage(program: Path, folder: Path, stride: int, least: int) -> None:
    folder.mkdir()
    done = subprocess.run([str(program), "1", str(folder), str(stride)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    counted = re.fullmatch(r"(\d+) refused, (\d+) safe\n", done.stdout)
    assert counted
    assert int(counted[1]) > least


def test_stored_tables_of_every_layout_damaged_in_every_bit_and_length_are_refused_or_safe(
    tmp_path: Path, built_core: CoreObjects
) -> None:
    program = build_harness(tmp_path, built_core, ["-O2"], SUPPORT / "load_harness.c")
    run_damage(program, tmp_path / "tables", stride=1, least=400_000)  # every bit, with the checksum matching


def test_damaged_stored_tables_lead_no_lookup_astray(tmp_path: Path, built_core: CoreObjects) -> None:
    program = build_harness(tmp_path, built_core, SANITIZED, SUPPORT / "load_harness.c")
    run_damage(program, tmp_path / "tables", stride=29, least=15_000)


def test_stored_tables_of_any_bytes_are_refused_or_safe(tmp_path: Path, built_core: CoreObjects) -> None:
    fuzz = ROOT / "ext" / "fuzz"
    program = build_harness(tmp_path, built_core, SANITIZED, fuzz / "replay.c", fuzz / "fuzz_load.c")
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
