"""Every input that is kept is replayed: what fuzzing has reached once is reached on every test run.

Targets in Python are called as the fuzzer calls them; those in C are built with sanitizers and the program that replays files.
"""

import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.fuzz import native
from tests.fuzz.corpora import CORPORA, seeds_of, settings_of, target, targets
from tests.support.core import ROOT

SLOWEST = 10  # seconds an input may take where the machine is busy; most take a few milliseconds
COMPILER = os.environ.get("CC") or "cc"

# regipy leaves files open for the collector to close.
pytestmark = pytest.mark.filterwarnings("ignore:Exception ignored in.*FileIO:pytest.PytestUnraisableExceptionWarning")


def kept(name: str) -> list[Path]:
    return sorted((CORPORA / name).iterdir())


def test_every_target_has_a_corpus_and_every_corpus_a_target() -> None:
    assert {path.name for path in CORPORA.iterdir()} == {*targets(), *native.names()}
    assert all(kept(name) for name in (*targets(), *native.names()))


def test_all_corpora_together_are_small() -> None:
    assert sum(path.stat().st_size for path in CORPORA.rglob("*") if path.is_file()) < 1_000_000


@pytest.mark.parametrize("name", targets())
def test_a_target_says_what_it_checks_and_its_seeds_hold(name: str) -> None:
    module = target(name)
    assert module.__doc__
    assert module.__doc__.startswith("Any bytes")
    longest, _ = settings_of(name)
    seeds = list(seeds_of(name))
    assert any(len(seed) <= longest for seed in seeds)
    for seed in (b"", b"\0", *seeds):
        module.check(seed)


@pytest.mark.parametrize("name", targets())
def test_the_corpus_of_a_target_holds(name: str) -> None:
    check = target(name).check
    for path in kept(name):
        started = time.monotonic()
        check(path.read_bytes())
        assert time.monotonic() - started < SLOWEST, path


@pytest.fixture(scope="module")
def core(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    return native.objects(tmp_path_factory.mktemp("core"), COMPILER)


@pytest.mark.skipif(
    shutil.which(COMPILER.split()[0]) is None or not sys.platform.startswith("linux"), reason="elsewhere: needs a C compiler"
)
@pytest.mark.parametrize("name", native.names())
def test_the_corpus_of_a_target_in_c_is_clean(name: str, core: list[Path], tmp_path: Path) -> None:
    program = native.program(name, core, tmp_path / name, COMPILER, (), ROOT / "ext" / "fuzz" / "replay.c")
    inputs = [*map(str, kept(name))]
    for number, seed in enumerate(seeds_of(name)):
        (tmp_path / str(number)).write_bytes(seed)
        inputs.append(str(tmp_path / str(number)))
    done = subprocess.run([program, *inputs], capture_output=True, text=True, check=False, timeout=120)
    assert (done.returncode, done.stdout, done.stderr) == (0, f"{len(inputs)} inputs\n", "")
