"""The targets in C, ``ext/fuzz/fuzz_*.c``, built with the sanitizers and libFuzzer, or the program that replays files."""

import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from tests.support.core import CORE, ROOT, SANITIZED, compile_core

_FLAGS: Final = ("-std=c11", f"-I{CORE}", *SANITIZED)


def names() -> list[str]:
    """Return the names of all targets."""
    return sorted(path.stem for path in (ROOT / "ext" / "fuzz").glob("fuzz_*.c"))


def objects(folder: Path, compiler: str, flags: Sequence[str] = ()) -> list[Path]:
    """Compile the whole core, and return its objects.

    Raises
    ------
    AssertionError, subprocess.CalledProcessError
        If that fails, with what the compiler says.
    """
    made, complaints = compile_core(folder, [*SANITIZED, *flags], compiler.split())
    assert not complaints, complaints
    folder.mkdir(parents=True, exist_ok=True)
    frames = folder / "frames.o"
    _run(compiler, *_FLAGS, *flags, "-c", CORE / "frames.c", "-o", frames)
    return [*made, frames]


def program(name: str, core: Sequence[Path], out: Path, compiler: str, flags: Sequence[str] = (), *others: Path) -> Path:
    """Build a target on the core's objects."""
    _run(compiler, *_FLAGS, *flags, ROOT / "ext" / "fuzz" / f"{name}.c", *others, *core, "-o", out)
    return out


def _run(compiler: str, *arguments: Any) -> None:
    subprocess.run([*compiler.split(), *map(str, arguments)], check=True)
