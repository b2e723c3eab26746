"""Builds C programs around the core, with the sources and flags of ext/core/sources.mk."""

import os
import shlex
import subprocess
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final

from tests.support.core import core_sources, flags_of

ROOT: Final = Path(__file__).resolve().parents[1]
CORE: Final = ROOT / "ext" / "core"
FLAGS: Final = ("-std=c11", "-O3", "-g", "-Wall", "-Wextra", "-Wvla", "-fvisibility=hidden")
OWN: Final = ("-Wshadow", "-Wconversion", "-Werror")  # where no header of others is included


class CannotBuildError(Exception):
    """The compiler or a library said no."""


def compiler() -> list[str]:
    """Return the command of the compiler: CC, or cc."""
    return shlex.split(os.environ.get("CC") or "cc")


def said(*command: str) -> str:
    """Return what a command prints, without the last line's end.

    Raises
    ------
    CannotBuildError
        If it is not there or fails.
    """
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    except FileNotFoundError as error:
        raise CannotBuildError(f"{command[0]}: not found") from error
    if done.returncode != 0:
        raise CannotBuildError(f"{shlex.join(command)}\n{done.stderr}")
    return done.stdout.rstrip("\n")


def compiler_version() -> str:
    """Return the compiler's own first line about itself."""
    return said(*compiler(), "--version").splitlines()[0]


def core_objects(folder: Path, flags: Sequence[str] = FLAGS) -> list[Path]:
    """Compile the core into a folder and return the objects; what has not changed is not compiled again."""
    folder.mkdir(parents=True, exist_ok=True)
    newest = max(path.stat().st_mtime for path in [*CORE.glob("*.h"), CORE / "sources.mk"])

    def one(source: Path) -> Path:
        made = folder / f"{source.stem}.o"
        if not made.exists() or made.stat().st_mtime < max(newest, source.stat().st_mtime):
            said(*compiler(), *flags, *OWN, *flags_of(source), "-c", str(source), "-o", str(made))
        return made

    with ThreadPoolExecutor(len(os.sched_getaffinity(0))) as pool:
        return list(pool.map(one, core_sources()))


def program(made: Path, sources: Sequence[Path], objects: Sequence[Path] = (), flags: Sequence[str] = (*FLAGS, *OWN)) -> Path:
    """Compile and link a program; flags that name libraries come last."""
    made.parent.mkdir(parents=True, exist_ok=True)
    compile_flags = [flag for flag in flags if not flag.startswith(("-l", "-L", "-Wl,"))]
    link_flags = [flag for flag in flags if flag.startswith(("-l", "-L", "-Wl,"))]
    inputs = [str(path) for path in (*sources, *objects)]
    said(*compiler(), *compile_flags, f"-I{CORE}", *inputs, "-o", str(made), *link_flags)
    return made
