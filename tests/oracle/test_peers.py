"""The programs of benchmarks/peers give the answers of the matcher: what is compared by speed must be the same work.

The tuple space search shares no line with the core, so this is another independent judge of it, for both families.
"""

import importlib.util
import os
import shutil
import sys
from collections.abc import Iterator
from contextlib import closing
from datetime import date
from pathlib import Path

import numpy as np
import pytest

from benchmarks import frontier, native, sets, sizes
from benchmarks.files import write_packets, write_rows
from benchmarks.peers.numpy_bench import checksum
from benchmarks.peers.programs import GaveUpError, Program
from pastore.filters.specific import SpecificFilters
from pastore.matcher import Matcher
from pastore.matcher.columns import Columns
from tests.support.rulesets import SHAPES, aimed_packets, make_rules
from tests.support.structureless import KINDS, make_structureless

pytestmark = pytest.mark.skipif(
    shutil.which(native.compiler()[0]) is None or not sys.platform.startswith("linux"), reason="needs a C compiler and Linux"
)
PACKETS = 4000
CORE_OF_TESTS = min(os.sched_getaffinity(0))
QUICK = ("-std=c11", "-O1", "-g", "-Wall", "-Wextra")


@pytest.fixture(scope="module")
def programs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The programs, compiled for a quick start."""
    folder = tmp_path_factory.mktemp("programs")
    here = native.ROOT / "benchmarks" / "peers"
    objects = native.core_objects(folder / "core", QUICK)
    flags = (*QUICK, *native.OWN)
    return {
        "pastore": native.program(folder / "pastore_bench", [here / "pastore_bench.c", here / "bench.c"], objects, flags),
        "tuple space": native.program(folder / "tuple_space", [here / "tuple_space.c", here / "bench.c"], flags=flags),
    }


def written(folder: Path, filters: SpecificFilters, packets: Columns) -> list[str]:
    rows, columns = folder / "rows", folder / "packets"
    write_rows(rows, filters)
    write_packets(columns, packets)
    return [str(rows), str(columns)]


def answers(programs: dict[str, Path], files: list[str], verdict: str) -> Iterator[tuple[str, str]]:
    for name, variant, call in (
        ("pastore", "batch", 256),
        ("pastore", "batch", 77),
        ("pastore", "single", 1),
        ("pastore", "scan", 1000),
        ("tuple space", "single", 1),
    ):
        with closing(Program([str(programs[name]), *files, verdict], CORE_OF_TESTS, 60)) as program:
            said = program.measure(variant, call, 1, PACKETS)
            assert len(said["seconds"]) == 1
            yield f"{name} {variant} {call}", said["checksum"]


def sets_of(family: int) -> Iterator[tuple[str, SpecificFilters]]:
    for shape in SHAPES:
        yield shape, make_rules(shape, 400, 11, family=family, arbitrary=0.3)
    for kind in KINDS:
        yield kind, make_structureless(kind, 150, 12, family=family)


@pytest.mark.parametrize("family", [4, 6])
def test_every_program_gives_the_rows_and_actions_of_the_scan(family: int, programs: dict[str, Path], tmp_path: Path) -> None:
    for name, filters in sets_of(family):
        packets = sets.inbound(aimed_packets(filters, PACKETS, 13, family=family))
        verdicts = Matcher(filters).scan(packets.src, packets.dst, packets.protocol, packets.sport, packets.dport)
        assert verdicts.index is not None
        assert len(np.unique(verdicts.index)) > 10 or name == "wildcards", name  # else this would prove little
        files = written(tmp_path, filters, packets)
        rows = checksum(verdicts.index)
        actions = checksum(verdicts.action.astype(np.int32) - 1)
        assert {who: found for who, found in answers(programs, files, "rule") if found != rows} == {}, name
        assert {who: found for who, found in answers(programs, files, "action") if found != actions} == {}, name


def test_a_program_that_does_not_get_ready_says_why(programs: dict[str, Path], tmp_path: Path) -> None:
    with pytest.raises(GaveUpError, match="an input file cannot be opened"):
        Program([str(programs["pastore"]), str(tmp_path / "rows"), str(tmp_path / "packets"), "rule"], CORE_OF_TESTS, 60)
    with pytest.raises(GaveUpError, match="not within 0 s"):
        Program(["sleep", "60"], CORE_OF_TESTS, 0.05)


def test_what_a_program_cannot_do_is_said_and_the_program_goes_on(programs: dict[str, Path], tmp_path: Path) -> None:
    filters = make_rules("acl", 20, 1, arbitrary=0)
    files = written(tmp_path, filters, sets.inbound(aimed_packets(filters, 50, 2)))
    with closing(Program([str(programs["pastore"]), *files, "rule"], CORE_OF_TESTS, 60)) as program:
        assert program.measure("nonsense", 1, 1, 50)["unavailable"] == "no such variant"
        assert program.measure("single", 2, 1, 50)["unavailable"] == "single is one packet a call"
        assert program.measure("batch", 256, 1, 51)["unavailable"] == "out of range"
        assert len(program.measure("batch", 256, 3, 50)["seconds"]) == 3


class Started:
    """Knows the programs of the tests."""

    def __init__(self, programs: dict[str, Path]) -> None:
        self.programs = programs

    def command(self, kind: str, core: int, files: list[str]) -> list[str]:
        return [str(self.programs[kind.replace("_", " ")]), *files]


def test_the_cost_of_a_rule_has_every_figure_and_a_page_and_a_plot(
    programs: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sizes, "TURNS", 1)
    monkeypatch.setattr(sizes, "ROUNDS", 1)
    points = [sizes.measured("fw", rules, Started(programs), CORE_OF_TESTS, tmp_path) for rules in (100, 300)]
    assert all(figure > 0 for point in points for figure in point[2:])
    page = sizes.page(points, ("a machine",), date(2026, 3, 1))
    assert page.startswith("# The cost of a rule, 2026-03-01\n\na machine.\n")
    assert [line.split("|")[1:3] for line in page.splitlines() if line.startswith("| fw")] == [
        [" fw ", " 100 "],
        [" fw ", " 300 "],
    ]
    if importlib.util.find_spec("matplotlib"):
        sizes.plot(points, tmp_path / "plot.svg")
        assert "ns a packet" in (tmp_path / "plot.svg").read_text(encoding="utf-8")


def test_the_cost_of_a_rule_is_not_told_where_answers_differ(
    programs: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sizes, "rate", lambda program, variant, call, packets: (1.0, variant))
    with pytest.raises(ValueError, match="different answers"):
        sizes.measured("acl", 100, Started(programs), CORE_OF_TESTS, tmp_path)


def test_what_memory_buys_has_a_row_for_every_set_and_says_where_there_is_no_room(
    programs: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(frontier, "LIMITS", (0.01, 2, 0))
    monkeypatch.setattr(frontier, "TURNS", 1)
    monkeypatch.setattr(frontier, "ROUNDS", 1)
    found = {"fw-1k": frontier.measured("fw-1k", Started(programs), CORE_OF_TESTS, tmp_path)}
    small, middle, free = found["fw-1k"]
    assert small == frontier.Point(0.01, 0, 0)
    assert 0.01 < middle.megabytes <= 2
    assert middle.rate > 0
    assert free.rate > 0
    page = frontier.page(found, ("a machine",), date(2026, 3, 1))
    assert page.startswith("# What memory buys, 2026-03-01\n\na machine.\n")
    assert "| 1k | - | " in page
    assert page.splitlines()[-1].startswith("| fw-1k | no room for the rows | ")


def test_what_memory_buys_is_not_told_where_answers_differ(
    programs: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    checksums = iter(range(100))
    monkeypatch.setattr(Program, "measure", lambda *_: {"seconds": [1.0], "checksum": next(checksums)})
    with pytest.raises(ValueError, match="under different limits give different answers"):
        frontier.measured("acl-1k", Started(programs), CORE_OF_TESTS, tmp_path)
