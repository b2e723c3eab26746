"""The example program in C, which reads captures in its own way, against `pastore classify` on the same table and capture."""

import csv
import io
import random
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pastore.filters.specific import SpecificFilters
from pastore.matcher import Matcher
from tests.support import captures as c
from tests.support.command import pastore
from tests.support.core import COMPILER, CORE, ROOT, SANITIZED, compile_core
from tests.support.rulesets import network_bytes
from tests.support.traffic import damaged, random_frames

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="elsewhere: the example is written for POSIX")

HALDEN = ROOT / "examples" / "halden"
ME = ("10.20.4.7", "2001:db8:20::7")


@pytest.fixture(scope="module")
def judge(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The example under sanitizers."""
    folder = tmp_path_factory.mktemp("judge")
    objects, complaints = compile_core(folder / "objects", SANITIZED)
    assert complaints == ""
    warnings = ["-std=c11", "-Wall", "-Wextra", "-Wshadow", "-Wconversion", "-Werror"]
    source = str(ROOT / "examples/c/judge.c")
    command = [*COMPILER, *warnings, *SANITIZED, f"-I{CORE}", source, *map(str, objects), "-o", str(folder / "judge")]
    subprocess.run(command, check=True)
    return folder / "judge"


def ask(judge: Path, *arguments: object, stdin: bytes | None = None) -> tuple[int, list[str], str]:
    command = [str(judge), *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, input=stdin, check=False, timeout=60)
    assert done.returncode in (0, 1, 2), done.stderr.decode()
    return done.returncode, done.stdout.decode().splitlines(), done.stderr.decode()


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A table of rules so wide that random packets meet all of them."""
    rng = np.random.default_rng(11)

    def half(n: int) -> tuple[np.ndarray, np.ndarray]:
        ends = np.sort(rng.integers(0, 1 << 32, (n, 2)), axis=1)
        return ends[:, 0], ends[:, 1]

    parts = []
    for family in (4, 6):
        columns: dict[str, Any] = {}
        for side in ("src", "dst"):
            for end, values in zip(("lo", "hi"), half(40), strict=True):
                words = np.stack([values.astype(np.uint64) << np.uint64(32), np.zeros(40, np.uint64)], axis=1)
                columns[f"{side}_{end}"] = values if family == 4 else network_bytes(words)
        parts.append(
            SpecificFilters.from_columns(
                **columns,
                protocol_lo=np.where(rng.random(40) < 0.5, 6, 0),
                protocol_hi=np.where(rng.random(40) < 0.5, 17, 255),
                dport_lo=rng.integers(0, 30000, 40),
                dport_hi=rng.integers(30000, 65536, 40),
                direction=rng.integers(0, 3, 40, np.uint8),
                action=rng.integers(1, 4, 40, np.uint8),
            )
        )
    path = tmp_path_factory.mktemp("table") / "wide.pastore"
    rows = np.concatenate([part.rows for part in parts])
    rows["rank"] = np.arange(len(rows))
    Matcher(SpecificFilters(rows)).save(path)
    return path


def classified(table: Path, capture: Path, *options: str) -> tuple[dict[str, int], list[tuple[int, int]]]:
    """What `pastore classify` says: packets of each action, and frame and row of those blocked."""
    result = pastore("classify", table, capture, *options)
    assert result.status == 0, result.err
    records = list(csv.DictReader(io.StringIO(result.out)))
    counts = {action: sum(each["action"] == action for each in records) for action in ("none", "allow", "block", "protect")}
    return counts, [(int(each["frame"]), int(each["index"])) for each in records if each["action"] == "block"]


def judged(lines: list[str]) -> tuple[dict[str, int], list[tuple[int, int]]]:
    """The same of what the example wrote."""
    words = [line.split() for line in lines]
    counts = {line[0]: int(line[1]) for line in words if len(line) == 2}
    return counts, [(int(line[1].rstrip(":")), int(line[-1])) for line in words if line[0] == "frame"]


def test_the_bundled_capture_gets_the_same_answers_as_from_classify(judge: Path, tmp_path: Path) -> None:
    table = tmp_path / "site.pastore"
    me = [word for address in ME for word in ("--me", address)]
    assert pastore("compile", HALDEN / "policy.reg", *me, "-o", table).status == 1  # two rules of it cannot be applied
    ours = [word for address in ME for word in ("-m", address)]
    status, lines, err = ask(judge, *ours, table, HALDEN / "morning.pcap")
    assert (status, err) == (0, "")
    assert judged(lines) == classified(table, HALDEN / "morning.pcap")
    assert judged(lines)[0] == {"none": 0, "allow": 31, "block": 8, "protect": 6}
    assert lines[0] == "frame 39: protocol 6 10.20.0.9:51000 > 10.20.4.7:10000 in: row 25"
    assert lines[-1] == "45 packets in 47 frames"


@pytest.mark.parametrize("linktype", [c.ETHERNET, c.RAW, c.COOKED])
@pytest.mark.parametrize("direction", ["in", "out"])
def test_random_captures_get_the_same_answers_as_from_classify(
    judge: Path, table: Path, linktype: int, direction: str, tmp_path: Path
) -> None:
    rng = random.Random(f"{linktype} {direction}")
    frames = random_frames(rng, linktype, 1500)
    capture = tmp_path / "random.pcap"
    snaplen = 60 if direction == "out" else 262144  # half of them with headers cut off
    capture.write_bytes(c.pcap(frames, linktype, nanoseconds=direction == "in", big_endian=direction == "out", snaplen=snaplen))
    status, lines, err = ask(judge, "-n", 5000, "-d", direction, table, capture)
    assert (status, err) == (0, "")
    wanted = classified(table, capture, "--direction", direction)
    assert judged(lines) == wanted
    assert min(wanted[0].values()) >= 8


def test_a_capture_comes_from_stdin_too_and_no_more_is_listed_than_asked_for(judge: Path, table: Path) -> None:
    frames = random_frames(random.Random(3), c.ETHERNET, 300)
    status, lines, _ = ask(judge, "-n", 2, table, "-", stdin=c.pcap(frames))
    assert status == 0
    assert len([line for line in lines if line.startswith("frame ")]) == 2
    assert len(lines) == 7


def test_a_capture_cut_off_is_judged_up_to_there_with_exit_status_1(judge: Path, table: Path, tmp_path: Path) -> None:
    whole = c.pcap(random_frames(random.Random(4), c.ETHERNET, 30))
    (tmp_path / "cut.pcap").write_bytes(whole[:-3])
    status, lines, err = ask(judge, table, tmp_path / "cut.pcap")
    assert (status, lines[-1].endswith("in 29 frames")) == (1, True)
    assert err == f"judge: {tmp_path}/cut.pcap: cut off or damaged after frame 29\n"


def test_damaged_captures_are_judged_or_refused_and_never_read_beyond(judge: Path, table: Path) -> None:
    rng = random.Random(5)
    whole = c.pcap(random_frames(rng, c.ETHERNET, 12))
    seen = {ask(judge, table, "-", stdin=damaged(rng, whole))[0] for _ in range(150)}
    assert seen == {0, 1, 2}


def test_bad_input_is_a_sentence_and_exit_status_2(judge: Path, table: Path, tmp_path: Path) -> None:
    pcap = HALDEN / "morning.pcap"
    (tmp_path / "text").write_text("no capture at all, nor a table\n")
    (tmp_path / "infiniband.pcap").write_bytes(c.pcap([], linktype=247))
    (tmp_path / "cut.pastore").write_bytes(table.read_bytes()[:-1])
    rows = SpecificFilters.from_columns(src_lo=[0], src_hi=[1], dst_lo=[0], dst_hi=[1], action="block")
    Matcher(rows, verdict="action").save(tmp_path / "actions.pastore")
    for arguments, told in (
        ((), "usage: judge "),
        ((table,), "usage: judge "),
        (("-d", "up", table, pcap), "usage: judge "),
        (("-n", "3x", table, pcap), "usage: judge "),
        (("-n", "-1", table, pcap), "usage: judge "),
        (("-m", "10.0.0", table, pcap), "judge: -m 10.0.0: not an address"),
        ((tmp_path / "none", pcap), "none: No such file or directory"),
        ((tmp_path, pcap), "Is a directory"),
        ((pcap, pcap), "morning.pcap: this is not a compiled table"),
        ((tmp_path / "cut.pastore", pcap), "cut.pastore: "),
        ((tmp_path / "actions.pastore", pcap), "frame 1: "),
        ((table, tmp_path / "none.pcap"), "none.pcap: No such file or directory"),
        ((table, tmp_path), "Is a directory"),
        ((table, tmp_path / "text"), "text: not a classic pcap capture"),
        ((table, tmp_path / "infiniband.pcap"), "link type 247"),
    ):
        status, lines, err = ask(judge, *arguments)
        assert (status, lines, told in err) == (2, [], True), (arguments, err)


def test_it_builds_against_the_installed_library_as_its_makefile_says(judge: Path, tmp_path: Path) -> None:
    assert shutil.which("pkg-config"), "pkg-config is needed"
    subprocess.run(
        ["make", "-s", "-C", str(ROOT), "install-libpastore", f"BUILD={tmp_path}/build", f"PREFIX={tmp_path}/usr"], check=True
    )
    (tmp_path / "judge").mkdir()
    for name in ("judge.c", "Makefile"):
        shutil.copy(ROOT / "examples/c" / name, tmp_path / "judge")
    env = {"PATH": "/usr/bin:/bin", "PKG_CONFIG_PATH": f"{tmp_path}/usr/lib/pkgconfig"}
    subprocess.run(["make", "-s", "-C", str(tmp_path / "judge"), "CFLAGS=-O2 -Wall -Wextra -Werror"], check=True, env=env)
    command = [str(tmp_path / "judge/judge"), "--help"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env={"LD_LIBRARY_PATH": f"{tmp_path}/usr/lib"})
    assert (done.returncode, "usage: judge" in done.stderr) == (2, True)
