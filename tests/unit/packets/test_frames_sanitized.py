"""The packet walk as a plain C program under AddressSanitizer and UndefinedBehaviorSanitizer."""

import os
import random
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.support import captures as c
from tests.support.traffic import FRAMES, damaged, random_frames

ROOT = Path(__file__).parents[3]
FLAGS = ["-std=c11", "-g", "-O1", "-Wall", "-Wextra", "-Wshadow", "-Wconversion", "-Werror", f"-I{ROOT / 'ext/core'}"]
SANITIZERS = ["-fsanitize=address,undefined", "-fno-sanitize-recover=all"]


@pytest.fixture(scope="module")
def replay(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The replay program; it runs an input in a buffer of exactly its size."""
    compiler = os.environ.get("CC") or shutil.which("cc") or shutil.which("gcc")
    assert compiler, "a C compiler is needed, as it is to build the package"
    program = tmp_path_factory.mktemp("replay") / "replay"
    sources = [str(ROOT / name) for name in ("ext/fuzz/replay.c", "ext/fuzz/fuzz_frames.c", "ext/core/frames.c")]
    subprocess.run([*compiler.split(), *FLAGS, *SANITIZERS, *sources, "-o", str(program)], check=True)
    return program


def run(program: Path, folder: Path, inputs: list[bytes]) -> None:
    paths = []
    for number, data in enumerate(inputs):
        path = folder / f"{number}.pcap"
        path.write_bytes(data)
        paths.append(path.name)
    done = subprocess.run([str(program), *paths], cwd=folder, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, f"{len(inputs)} inputs\n", "")


def test_whole_captures_of_every_link_type_are_clean(replay: Path, tmp_path: Path) -> None:
    rng = random.Random(1)
    run(
        replay,
        tmp_path,
        [
            c.pcap(random_frames(rng, linktype, 50), linktype, nanoseconds, big_endian, snaplen, modified)
            for linktype in FRAMES
            for nanoseconds, big_endian, modified in ((False, False, False), (True, True, False), (False, True, True))
            for snaplen in (262144, 60, 30)
        ],
    )


def test_frames_cut_at_every_byte_are_clean(replay: Path, tmp_path: Path) -> None:
    rng = random.Random(2)
    run(
        replay,
        tmp_path,
        [
            c.pcap([frame[:kept]], linktype)  # the last frame: one byte too far is past the end of the buffer
            for linktype in FRAMES
            for frame in random_frames(rng, linktype, 3)
            for kept in range(min(len(frame), 90))
        ],
    )


def test_damaged_captures_are_clean(replay: Path, tmp_path: Path) -> None:
    rng = random.Random(3)
    wholes = [c.pcap(random_frames(rng, linktype, 4), linktype, big_endian=linktype % 2 == 1) for linktype in FRAMES]
    run(replay, tmp_path, [damaged(rng, rng.choice(wholes)) for _ in range(2000)])


def test_anything_else_is_clean(replay: Path, tmp_path: Path) -> None:
    rng = random.Random(4)
    headers = [c.file_header(linktype) for linktype in (*FRAMES, 2)] + [b""]
    run(
        replay,
        tmp_path,
        [b"", *(rng.choice(headers)[: rng.randrange(64)] + rng.randbytes(rng.randrange(99)) for _ in range(500))],
    )
