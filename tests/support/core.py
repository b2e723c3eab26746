"""Compiles the core for tests: the files and flags of ext/core/sources.mk, whatever the compiler and for whatever machine."""

import os
import re
import shutil
import subprocess
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from hashlib import sha1
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parents[2]
CORE: Final = ROOT / "ext" / "core"
PROGRAMS: Final = ROOT / "tests" / "c"
SANITIZED: Final = ("-g", "-O1", "-fno-omit-frame-pointer", "-fsanitize=address,undefined", "-fno-sanitize-recover=all")
COMPILER: Final = (os.environ.get("CC") or shutil.which("cc") or "gcc").split()


def settings(core: Path = CORE) -> dict[str, list[str]]:
    """Return the lines of sources.mk."""
    text = (core / "sources.mk").read_text()
    return {name: words.split() for name, words in re.findall(r"^(\w+) := (.*)$", text, re.MULTILINE)}


def core_sources(core: Path = CORE) -> list[Path]:
    """Return the files of the core that make the tables."""
    left_out = settings(core)["CORE_FRAMES"]
    return sorted(path for path in core.glob("*.c") if path.name not in left_out)


def can_run(isa: str) -> bool:
    """Whether this processor has the instruction set of a lookup, as PASTORE_ISA names it."""
    if isa == "scalar":
        return True
    wanted = {flag[2:] for flag in settings().get(f"CORE_CFLAGS_{isa}", [f"-m{isa}"]) if "=" not in flag}
    names = {"bmi": "bmi1"}  # how the kernel calls it
    try:
        flags = Path("/proc/cpuinfo").read_text().partition("flags")[2].partition("\n")[0].split()
    except OSError:
        return False
    return {names.get(flag, flag) for flag in wanted} <= set(flags)


def instruction_sets() -> list[str]:
    """Return the instruction sets that the core has lookups for, as PASTORE_ISA names them."""
    return ["scalar", *sorted(path.stem.removeprefix("scan_") for path in CORE.glob("scan_avx*.c"))]


def flags_of(source: Path, core: Path = CORE) -> list[str]:
    """Return what a file of the core is compiled with on x86 besides the flags of all."""
    known = settings(core)
    isa = next((name for name in ("avx512", "avx2") if f"_{name}" in source.name), None)
    return known[f"CORE_CFLAGS_{isa}"] if isa else []


def is_for_x86(compiler: Sequence[str]) -> bool:
    """Whether the code a compiler makes is for x86."""
    machine = subprocess.run([*compiler, "-dumpmachine"], capture_output=True, text=True, check=True).stdout
    return re.match(r"x86_64|i[3-6]86|amd64", machine) is not None


def compile_core(
    folder: Path,
    flags: Iterable[str] = (),
    compiler: Sequence[str] = COMPILER,
    core: Path = CORE,
    sources: Sequence[Path] | None = None,
) -> tuple[list[Path], str]:
    """Compile each file of the core with its own flags and `flags`.

    Parameters
    ----------
    folder : path
        Where the objects go, made if it is not there; those of the whole core of this project are kept under build/ instead.
    flags : iterable of str
    compiler : sequence of str
    core : path
        The folder of the sources.
    sources : sequence of path, optional
        Only these of them.

    Returns
    -------
    list of path
        The objects; those that could not be made are not there.
    str
        What the compiler complained of; empty when all is well.
    """
    kept = core == CORE and sources is None
    if kept:
        folder = _kept_objects(compiler, flags := list(flags))
    folder.mkdir(parents=True, exist_ok=True)
    known, x86 = settings(core), is_for_x86(compiler)
    changed = max(path.stat().st_mtime for path in [*core.glob("*.h"), core / "sources.mk"])

    def compile_one(source: Path) -> tuple[Path, str]:
        own = flags_of(source, core) if x86 else []
        target = folder / f"{source.stem}.o"
        if kept and target.exists() and target.stat().st_mtime > max(changed, source.stat().st_mtime):
            return target, ""
        made = target.with_suffix(f".{os.getpid()}")
        command = [*compiler, *known["CORE_CFLAGS"], *own, *flags, f"-I{core}", "-c", str(source), "-o", str(made)]
        complaint = subprocess.run(command, capture_output=True, text=True, check=False).stderr
        if made.exists():  # whole, under its name: another process may be at the same
            made.replace(target)
        if complaint and kept:
            target.unlink(missing_ok=True)
        return target, complaint

    with ThreadPoolExecutor(len(os.sched_getaffinity(0))) as pool:
        made = list(pool.map(compile_one, core_sources(core) if sources is None else sources))
    return [target for target, _ in made], "".join(complaint for _, complaint in made)


def _kept_objects(compiler: Sequence[str], flags: Sequence[str]) -> Path:
    """Return the folder for objects of this core: with sanitizers they take a minute, and many tests need them."""
    version = subprocess.run([*compiler, "--version"], capture_output=True, text=True, check=True).stdout
    name = sha1(repr((list(compiler), version, list(flags))).encode(), usedforsecurity=False).hexdigest()[:12]
    return ROOT / "build" / "core" / name


def build_program(
    folder: Path,
    sources: Sequence[Path],
    flags: Sequence[str] = (),
    compiler: Sequence[str] = COMPILER,
    link: Sequence[str | Path] = (),
) -> Path:
    """Compile a program with the core, and return it.

    Parameters
    ----------
    folder : path
    sources : sequence of path
        The program's own files.
    flags : sequence of str
        For its own files, the core and the linker; -DC... for its own files only.
    compiler : sequence of str
    link : sequence of str
        For the linker only.

    Raises
    ------
    AssertionError
        If it cannot be compiled without a warning; the message is the compiler's.
    """
    objects, complaints = compile_core(folder / "objects", [flag for flag in flags if not flag.startswith("-DC")], compiler)
    assert not complaints, complaints
    folder.mkdir(parents=True, exist_ok=True)
    program = folder / sources[0].stem
    warnings = ["-std=c11", "-Wall", "-Wextra", "-Wshadow", "-Werror"]
    command = [*compiler, *warnings, *flags, f"-I{CORE}", f"-I{ROOT / 'tests' / 'support'}", *map(str, sources)]
    done = subprocess.run(
        [*command, *map(str, objects), *map(str, link), "-o", str(program)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return program


def run(program: Path, *arguments: object, under: Sequence[str] = (), env: dict[str, str] | None = None) -> str:
    """Run a program that is to end with 0, and return what it wrote to stdout."""
    command = [*under, str(program), *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=600, env=env)
    assert done.returncode == 0, f"exit status {done.returncode}: {done.stdout[-2000:]}{done.stderr[-4000:]}"
    return done.stdout
