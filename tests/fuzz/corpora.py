"""Which targets there are, what they start from, and the inputs that are kept."""

import importlib
import pkgutil
import shutil
import tempfile
from collections.abc import Callable, Iterator
from hashlib import sha1
from pathlib import Path
from types import ModuleType
from typing import Final

import tests.fuzz.targets

CORPORA: Final = Path(__file__).parents[1] / "corpus"
LONGEST: Final = 16_384  # bytes of an input, where a target does not say
KEPT_BYTES: Final = 80_000  # of a target's corpus; all of them stay below 1 MB
KEPT_FILES: Final = 120


def targets() -> list[str]:
    """Return the names of the targets in Python."""
    return sorted(module.name for module in pkgutil.iter_modules(tests.fuzz.targets.__path__))


def target(name: str) -> ModuleType:
    """Return a target in Python."""
    return importlib.import_module(f"tests.fuzz.targets.{name}")


def settings_of(name: str) -> tuple[int, tuple[bytes, ...]]:
    """Return the most bytes of an input of a target, and words of its format."""
    if name not in targets():
        return LONGEST, ()
    module = target(name)
    return getattr(module, "LONGEST", LONGEST), getattr(module, "WORDS", ())


def seeds_of(name: str) -> Iterator[bytes]:
    """Yield what a target starts from beside its corpus."""
    if name in targets():
        yield from target(name).seeds()
    elif name in CORE_SEEDS:
        yield from CORE_SEEDS[name]()


def trim(folder: Path, out: Path) -> int:
    """Replace a corpus by the inputs of a folder, the smallest first, as far as there is room, named after their content.

    Returns
    -------
    int
        How many there are.

    Raises
    ------
    ValueError
        If the folder is empty, which is a merge that went wrong.
    """
    inputs = sorted((path.read_bytes() for path in folder.iterdir()), key=len)
    if not inputs:
        raise ValueError(f"{folder} holds no inputs")
    room = KEPT_BYTES
    for path in out.iterdir():
        path.unlink()
    kept = 0
    for data in inputs:
        if kept == KEPT_FILES or len(data) > room:
            break
        (out / sha1(data, usedforsecurity=False).hexdigest()[:16]).write_bytes(data)
        room -= len(data)
        kept += 1
    return kept


# Targets in C


def _captures() -> Iterator[bytes]:
    """Yield captures of every link type, in both byte orders."""
    import random

    from tests.support import captures as c
    from tests.support.traffic import FRAMES, random_frames

    rng = random.Random(1)
    for linktype in FRAMES:
        yield c.pcap(random_frames(rng, linktype, 4), linktype)
        yield c.pcap(random_frames(rng, linktype, 4), linktype, big_endian=True, modified=True)


def _tables() -> Iterator[bytes]:
    """Yield tables of every layout, of both families."""
    from pastore.matcher import LAYOUTS, Matcher
    from tests.support.rulesets import make_rules

    folder = Path(tempfile.mkdtemp())
    try:
        for family in (4, 6):
            for number, layout in enumerate(LAYOUTS):
                rules = make_rules("fw", 3 if number % 2 else 12, seed=family, family=family)
                Matcher(rules, layout=layout, verdict="action" if number % 3 == 0 else "rule").save(folder / "x")
                yield (folder / "x").read_bytes()
    finally:
        shutil.rmtree(folder)


def _rows() -> Iterator[bytes]:
    """Yield rows for every layout and instruction set."""
    import random

    draw = random.Random(3)
    for how in range(0, 256, 5):
        yield bytes([how, draw.choice((0, 0, 8, 40))]) + draw.randbytes(14 * draw.choice((1, 3, 20, 60)))


CORE_SEEDS: Final[dict[str, Callable[[], Iterator[bytes]]]] = {
    "fuzz_build": _rows,
    "fuzz_frames": _captures,
    "fuzz_load": _tables,
}
