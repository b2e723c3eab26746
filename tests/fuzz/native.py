"""The targets in C, ``ext/fuzz/fuzz_*.c``, built with the sanitizers and libFuzzer, or the program that replays files."""

import ast
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

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
    made = []
    for source in sorted((ROOT / "ext" / "core").glob("*.c")):
        made.append(folder / f"{source.stem}.o")
        _run(compiler, *_FLAGS, *flags, *_instruction_set(source.name), "-c", source, "-o", made[-1])
    return made


def program(name: str, core: Sequence[Path], out: Path, compiler: str, flags: Sequence[str] = (), *others: Path) -> Path:
    """Build a target on the core's objects."""
    _run(compiler, *_FLAGS, *flags, ROOT / "ext" / "fuzz" / f"{name}.c", *others, *core, "-o", out)
    return out


def _instruction_set(file: str) -> Sequence[str]:
    """Return what ``setup.py`` adds to the flags of a file."""
    for node in ast.parse((ROOT / "setup.py").read_text()).body:
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name) and node.targets[0].id == "ISA_FLAGS":
            table: dict[str, list[str]] = ast.literal_eval(node.value)
            return [flag for ending, flags in table.items() if file.endswith(ending) for flag in flags]
    return []


def _run(compiler: str, *arguments: Any) -> None:
    subprocess.run([*compiler.split(), *map(str, arguments)], check=True)
