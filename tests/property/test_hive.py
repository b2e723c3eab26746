"""No hive, however damaged, makes an exception, takes long or takes much memory."""

import random
import time
from pathlib import Path

import pytest

from pastore.sources import hive, load
from pastore.sources.registry import load_tree
from tests.support import stored_policy
from tests.support.hive_reading import in_this_process
from tests.support.hives import differing_pages, entry, new_log, old_log, patched, sealed, write_hive
from tests.support.memory import growth

VARIANTS = 2000

# regipy leaves files open for the collector to close; in the child process nobody minds.
pytestmark = pytest.mark.filterwarnings("ignore:Exception ignored in.*FileIO:pytest.PytestUnraisableExceptionWarning")


def damaged(data: bytes, generator: random.Random) -> bytes:
    """Return a hive with some bits turned, numbers replaced, a piece moved, or its end missing; often with a right checksum."""
    out = bytearray(data)
    for _ in range(generator.choice((1, 1, 2, 4, 16, 64))):
        at = generator.randrange(len(out))
        kind = generator.randrange(5)
        if kind == 0:
            out[at] ^= 1 << generator.randrange(8)
        elif kind == 1:
            at &= ~3
            out[at : at + 4] = generator.choice(
                (b"\0" * 4, b"\xff" * 4, b"\xff\xff\xff\x7f", b"\0\0\0\x80", generator.randbytes(4))
            )
        elif kind == 2:
            other, length = generator.randrange(len(out)) & ~7, generator.choice((8, 32, 128))
            out[at & ~7 : (at & ~7) + length] = out[other : other + length]
            del out[len(data) :]
        elif kind == 3:
            # A pointer to another cell that exists: cycles and shared lists.
            out[at & ~3 : (at & ~3) + 4] = (generator.randrange(len(out)) & ~7).to_bytes(4, "little")
        elif generator.random() < 0.1:
            del out[at:]
            break
    if len(out) >= 512 and generator.random() < 0.8:
        out = sealed(out)
    return bytes(out)


@pytest.fixture(scope="module")
def states(tmp_path_factory: pytest.TempPathFactory) -> tuple[bytes, bytes]:
    """A small hive before and after a change."""
    folder = tmp_path_factory.mktemp("fuzz")
    first, second = (
        write_hive(folder / name, stored_policy.export(name=name, blocked=3)).read_bytes() for name in ("First", "Other")
    )
    return first, second


def test_a_damaged_hive_gives_findings_and_nothing_else(states: tuple[bytes, bytes], tmp_path: Path) -> None:
    generator = random.Random(20260301)
    in_this_process(states[0], tmp_path)  # regipy is loaded
    read = 0
    with growth() as grown:
        for number in range(VARIANTS):
            data = damaged(states[0], generator)
            started = time.monotonic()
            root, findings = in_this_process(data, tmp_path)
            loaded = load_tree(root, source="x", findings=findings)
            assert time.monotonic() - started < 3, number
            assert loaded.policy is not None or loaded.findings, number
            read += loaded.policy is not None
    assert grown.kib < 300 * 1024
    assert VARIANTS // 10 < read < VARIANTS  # the damage is neither everywhere nor nowhere


def test_the_child_process_gives_what_this_one_does(states: tuple[bytes, bytes], tmp_path: Path) -> None:
    generator = random.Random(20260302)
    for number in range(20):
        data = damaged(states[0], generator)
        root, findings = hive.read(data, "x")
        here, found = in_this_process(data, tmp_path)
        assert findings == found, number
        assert [(key.path, key.written, key.values) for key in root.walk()] == [
            (key.path, key.written, key.values) for key in here.walk()
        ], number


@pytest.mark.parametrize("form", ["new", "old"])
def test_damaged_logs_give_findings_and_nothing_else(states: tuple[bytes, bytes], tmp_path: Path, form: str) -> None:
    generator = random.Random(form)
    first, second = states
    dirty = patched(first, (4, 8), (8, 7))
    if form == "new":
        log = new_log(dirty, entry(7, len(second) - 4096, differing_pages(first, second)))
    else:
        pages = {at // 512: page for at, page in differing_pages(first, second, 512)}
        log = old_log(patched(first, (4, 8), (8, 8)), pages)
    applied = 0
    for number in range(300):
        data = damaged(dirty, generator) if number % 3 == 0 else dirty
        bad = damaged(log, generator) if number else log
        root, findings = in_this_process(data, tmp_path, LOG1=bad)
        load_tree(root, source="x", findings=findings)
        applied += any(finding.code == "PA116" for finding in findings)
    assert 0 < applied < 300


def test_cut_anywhere_in_its_head(states: tuple[bytes, bytes], tmp_path: Path) -> None:
    for length in (4, 5, 28, 29, 48, 511, 512, 4095, 4096, 4100, 4128):
        (tmp_path / "x").write_bytes(states[0][:length])
        got = load(tmp_path / "x", format="hive")
        assert got.policy is None
        assert "PA114" in [finding.code for finding in got.findings]


def test_a_log_cut_at_every_length(states: tuple[bytes, bytes], tmp_path: Path) -> None:
    first, second = states
    dirty = patched(first, (4, 8), (8, 7))
    log = new_log(dirty, entry(7, len(second) - 4096, differing_pages(first, second)))
    whole = [length for length in range(0, len(log) + 1, 97) if _applies(dirty, log[:length], tmp_path)]
    assert whole == []
    assert _applies(dirty, log, tmp_path)


def _applies(dirty: bytes, log: bytes, folder: Path) -> bool:
    return any(finding.code == "PA116" for finding in in_this_process(dirty, folder, LOG1=log)[1])
