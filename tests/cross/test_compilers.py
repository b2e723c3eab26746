"""The core under other compilers and for other machines: clang, aarch64 under qemu, older processors, Windows by mingw-w64.

`make cross` installs what this needs and lets nothing be left out; where a compiler is there, `make test` uses it too.
"""

import os
import platform
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Final

import pytest

from tests.support.core import COMPILER, PROGRAMS, ROOT, build_program, compile_core, instruction_sets, is_for_x86, run

CLANG: Final[tuple[str, ...]] = ("clang",)
AARCH64: Final[tuple[str, ...]] = ("aarch64-linux-gnu-gcc",)
WINDOWS: Final[tuple[str, ...]] = ("x86_64-w64-mingw32-gcc",)
FLAGS: Final = {CLANG: ["-O2", "-Wall", "-Wextra"], AARCH64: ["-O2", "-static"], WINDOWS: ["-O2", "-D__USE_MINGW_ANSI_STDIO=1"]}
# What Windows itself brings along.
WINDOWS_LIBRARIES: Final = {"kernel32.dll", "msvcrt.dll"}

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="elsewhere: needs Debian's cross compilers")


def need(*programs: str) -> None:
    """Skip, or fail where nothing may be left out, if a program is missing."""
    missing = [program for program in programs if shutil.which(program) is None]
    if missing:
        assert not os.environ.get("PASTORE_CROSS"), f"{' and '.join(missing)} missing"
        pytest.skip(f"elsewhere: {' and '.join(missing)} not installed, which `make cross` does")


@pytest.fixture(scope="module")
def programs(tmp_path_factory: pytest.TempPathFactory) -> dict[tuple[str, ...], Path]:
    """The comparison of tables with their rows, by compiler; filled as they are asked for."""
    return {}


def compared(programs: dict[tuple[str, ...], Path], compiler: tuple[str, ...], tmp_path: Path) -> Path:
    if compiler not in programs:
        programs[compiler] = build_program(tmp_path, [PROGRAMS / "tables.c"], FLAGS.get(compiler, ["-O2"]), compiler)
    return programs[compiler]


@pytest.mark.parametrize("compiler", [CLANG, AARCH64, WINDOWS], ids=lambda compiler: str(compiler[0]))
def test_every_file_of_the_core_compiles_without_a_warning(compiler: tuple[str, ...], tmp_path: Path) -> None:
    need(*compiler)
    objects, complaints = compile_core(tmp_path, ["-O2", "-Wcast-align", "-Wundef"], compiler)
    assert complaints == ""
    assert all(path.exists() for path in objects)


def test_tables_are_right_when_clang_compiled_them(programs: dict[tuple[str, ...], Path], tmp_path: Path) -> None:
    need(*CLANG)
    assert run(compared(programs, CLANG, tmp_path), 21, 6, tmp_path / "scratch").startswith("6 rounds, ")


def test_tables_are_right_on_aarch64(programs: dict[tuple[str, ...], Path], tmp_path: Path) -> None:
    need(*AARCH64, "qemu-aarch64")
    program = compared(programs, AARCH64, tmp_path)
    assert program.read_bytes()[18:20] == b"\xb7\x00"  # EM_AARCH64
    assert run(program, 22, 4, tmp_path / "scratch", under=["qemu-aarch64"]) == "4 rounds, scalar\n"


@pytest.mark.parametrize("processor", ["Nehalem", "Haswell-noTSX"])
def test_tables_are_right_on_an_x86_processor_with_fewer_instructions(
    programs: dict[tuple[str, ...], Path], processor: str, tmp_path: Path
) -> None:
    """Nehalem has no vectors wider than 128 bits, Haswell none wider than 256: what was compiled for more must not be called."""
    if platform.machine() != "x86_64" or not is_for_x86(COMPILER):
        pytest.skip("elsewhere: needs a compiler for x86-64")
    need("qemu-x86_64")
    program = compared(programs, tuple(COMPILER), tmp_path)
    best = "avx2" if processor.startswith("Haswell") and "avx2" in instruction_sets() else "scalar"
    told = run(program, 23, 4, tmp_path / "scratch", under=["qemu-x86_64", "-cpu", processor])
    assert told == f"4 rounds, {best}\n"


def test_windows_gets_a_program_that_needs_nothing_but_windows(programs: dict[tuple[str, ...], Path], tmp_path: Path) -> None:
    need(*WINDOWS, "x86_64-w64-mingw32-objdump")
    program = compared(programs, WINDOWS, tmp_path).with_suffix("")
    program = program if program.exists() else program.with_suffix(".exe")
    command = ["x86_64-w64-mingw32-objdump", "-p", str(program)]
    listed = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert "pei-x86-64" in listed
    assert {name.lower() for name in re.findall(r"DLL Name: (\S+)", listed)} <= WINDOWS_LIBRARIES
    for function in ("CreateFileMappingW", "MapViewOfFile", "UnmapViewOfFile"):
        assert function in listed


@pytest.mark.parametrize("machine", ["aarch64-linux-gnu", "x86_64-w64-mingw32"])
def test_make_gives_the_static_library_for_another_machine(machine: str, tmp_path: Path) -> None:
    need(f"{machine}-gcc", f"{machine}-ar")
    windows = machine.endswith("mingw32")
    tools = [f"CC={machine}-gcc", f"AR={machine}-ar", f"OBJCOPY={'' if windows else f'{machine}-objcopy'}"]
    subprocess.run(["make", "-s", "-C", str(ROOT), "static-libpastore", *tools, f"BUILD={tmp_path}"], check=True)
    program = tmp_path / ("first.exe" if windows else "first")
    flags = ["-std=c11", "-Wall", "-Wextra", "-Werror", "-static", f"-I{ROOT / 'ext/core'}"]
    command = [f"{machine}-gcc", *flags, str(PROGRAMS / "first.c"), str(tmp_path / "libpastore.a"), "-o", str(program)]
    subprocess.run(command, check=True)
    if not windows:
        need("qemu-aarch64")
        assert run(program, under=["qemu-aarch64"]) == "row 0: block\n"
