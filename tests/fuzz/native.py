"""The targets in C, ``ext/fuzz/fuzz_*.c``, built with the sanitizers and libFuzzer, or the program that replays files."""

import os
import subprocess
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Final

from tests.support.core import flags_of

ROOT: Final = Path(__file__).parents[2]
SANITIZERS: Final = ("-fsanitize=address,undefined", "-fno-sanitize-recover=all")
_FLAGS: Final = ("-std=c11", "-g", "-O1", "-fno-omit-frame-pointer", f"-I{ROOT / 'ext' / 'core'}", *SANITIZERS)


def names() -> list[str]:
    """Return the names of all targets."""
    return sorted(path.stem for path in (ROOT / "ext" / "fuzz").glob("fuzz_*.c"))


def objects(folder: Path, compiler: str, flags: Sequence[str] = ()) -> list[Path]:
    """Compile the whole core once, and return its objects.

    Raises
    ------
    subprocess.CalledProcessError
        If that fails; the compiler has said why.
    """
    folder.mkdir(parents=True, exist_ok=True)

    def one(source: Path) -> Path:
        made = folder / f"{source.stem}.o"
        _run(compiler, *_FLAGS, *flags, *flags_of(source), "-c", source, "-o", made)
        return made

    with ThreadPoolExecutor(len(os.sched_getaffinity(0))) as pool:
        return list(pool.map(one, sorted((ROOT / "ext" / "core").glob("*.c"))))


def program(name: str, core: Sequence[Path], out: Path, compiler: str, flags: Sequence[str] = (), *others: Path) -> Path:
    """Build a target on the core's objects."""
    _run(compiler, *_FLAGS, *flags, ROOT / "ext" / "fuzz" / f"{name}.c", *others, *core, "-o", out)
    return out


def _run(compiler: str, *arguments: Any) -> None:
    subprocess.run([*compiler.split(), *map(str, arguments)], check=True)
