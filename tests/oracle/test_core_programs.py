"""The core as plain C programs: tables against their rows, every allocation counted, readers under ThreadSanitizer."""

import os
import platform
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.core import PROGRAMS, build_program, can_run, instruction_sets, run

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="elsewhere: needs glibc and a compiler")


@pytest.mark.parametrize(
    "flags", [["-O2"], ["-O1", "-g", "-fsanitize=address,undefined", "-fno-sanitize-recover=all"]], ids=["plain", "sanitized"]
)
def test_tables_answer_as_their_rows_built_loaded_and_opened(flags: list[str], tmp_path: Path) -> None:
    program = build_program(tmp_path, [PROGRAMS / "tables.c"], flags)
    left_out = []
    for seed, isa in enumerate(instruction_sets(), 31):
        rounds = 30 if len(flags) == 1 else 4
        told = run(program, seed, rounds, tmp_path / "scratch", env=os.environ | {"PASTORE_ISA": isa})
        if can_run(isa):
            assert told == f"{rounds} rounds, {isa}\n"
        else:
            left_out.append(isa)
    if left_out:
        pytest.skip(f"elsewhere: this processor has no {' and '.join(left_out)}; the others were tried")


def test_every_promise_about_the_structure_of_a_table_is_checked_and_named(tmp_path: Path) -> None:
    program = build_program(tmp_path, [PROGRAMS / "forged.c"], ["-O2"])
    for seed in (35, 36, 37):
        counted = re.fullmatch(r"(\d+) refused\n", run(program, seed))
        assert counted
        assert int(counted[1]) > 5000


def test_folded_addresses_compare_with_ends_as_they_are_and_what_can_be_folded_is(tmp_path: Path) -> None:
    flags = ["-O1", "-g", "-fsanitize=address,undefined", "-fno-sanitize-recover=all"]
    program = build_program(tmp_path, [PROGRAMS / "folds.c"], flags)
    for seed in (41, 42):
        assert run(program, seed) == "1601 folded, 800 refused\n"


def test_instruction_sets_are_those_of_the_processor() -> None:
    assert can_run("scalar")
    assert not can_run("vector-unit-of-the-future")
    assert instruction_sets()[0] == "scalar"


def test_lookups_allocate_nothing_on_built_and_opened_tables(tmp_path: Path) -> None:
    if platform.libc_ver()[0] != "glibc":
        pytest.skip("elsewhere: the allocator is replaced as glibc has it")
    # The compiler must not know malloc for what it is, or it would reason the counting away.
    program = build_program(tmp_path, [PROGRAMS / "allocations.c"], ["-O2", "-fno-builtin"])
    told = run(program, 32, 25, tmp_path / "scratch")
    counted = re.fullmatch(r"(\d+) tables, no allocation\n", told)
    assert counted
    assert int(counted[1]) > 100


def thread_sanitizer(folder: Path, *more: str) -> tuple[list[str], Path]:
    """The program under ThreadSanitizer, and how to run it: its shadow memory wants addresses that are not drawn too freely."""
    program = build_program(folder, [PROGRAMS / "swap.c"], ["-O1", "-g", "-fsanitize=thread", *more], link=["-pthread"])
    return ["setarch", "-R"] if shutil.which("setarch") and can_fix_addresses() else [], program


def can_fix_addresses() -> bool:
    return subprocess.run(["setarch", "-R", "true"], capture_output=True, check=False).returncode == 0


def test_readers_and_a_writer_that_swaps_tables_do_not_race(tmp_path: Path) -> None:
    under, program = thread_sanitizer(tmp_path)
    told = run(program, 33, 20, under=under, env=os.environ | {"TSAN_OPTIONS": "halt_on_error=1"})
    assert int(told.split()[0]) >= 20


def test_closing_a_table_that_is_still_read_is_noticed(tmp_path: Path) -> None:
    under, program = thread_sanitizer(tmp_path, "-DCLOSE_AT_ONCE")
    env = os.environ | {"TSAN_OPTIONS": "halt_on_error=1"}
    done = subprocess.run([*under, str(program), "33", "200"], capture_output=True, text=True, check=False, timeout=300, env=env)
    assert done.returncode != 0
    assert "ThreadSanitizer" in done.stderr or "harness: " in done.stderr or done.returncode < 0
