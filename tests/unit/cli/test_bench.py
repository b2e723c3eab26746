"""pastore bench: what it prints, what it measures with, and when it refuses."""

import re
from pathlib import Path

import pytest

from pastore.matcher import Matcher
from pastore.verify import speed
from tests.support import captures as c
from tests.support.command import Result, pastore
from tests.support.policies import policy, rule
from tests.support.registry import export

QUICK = ("--seconds", "0.01", "--packets", "2000")
WAYS = ("batch", "single", "scan", "numpy")
NAMES = ("columns from NumPy, 1 thread", "one packet from Python", "linear scan in C", "all rows by NumPy")


@pytest.fixture
def source(tmp_path: Path) -> Path:
    return export(tmp_path, policy(rule("Web", "allow", "tcp any > me:80"), rule("Rest", "block", "any > me"), name="Simple"))


def bench(source: Path, *more: object) -> Result:
    return pastore("bench", source, *QUICK, *more)


def test_a_policy_is_measured_four_ways(source: Path) -> None:
    result = bench(source)
    assert result.status == 0
    assert result.lines[0] == f"policy 'Simple' of {source}: 15 specific filters"
    assert result.lines[3] == "  packets   2000 drawn from the filters (seed 1)"
    assert result.lines[6] == "  compared  2000 answers with the scan, 200 with NumPy: all equal"
    heading = result.lines.index("")
    assert tuple(re.split(r"  +", line)[-1] for line in result.lines[heading + 2 :]) == NAMES
    scan = result.lines[heading + 4].split()
    assert scan[5] == "1.00"  # times as fast as itself


def test_json_has_the_facts_of_the_table_and_every_figure(source: Path) -> None:
    told = bench(source, "--output-format", "json", "--threads", 2, "--seed", 9).json
    assert (told["version"], told["policy"], told["filters"]) == (1, "Simple", 15)
    assert (told["threads"], told["packets"]) == (2, {"from": None, "seed": 9, "number": 2000})
    assert told["compared"] == {"scan": 2000, "numpy": 200}
    assert told["bytes"] > 0
    assert told["isa"]
    assert told["build"]["passes"] >= speed.FEWEST_PASSES
    assert set(told["machine"]) == {"processor", "processors", "system", "python", "numpy"}
    assert tuple(each["way"] for each in told["lookups"]) == WAYS
    for each in told["lookups"]:
        took = each["nanoseconds"]
        assert 0 < took["least"] <= took["median"] <= took["most"]
        assert each["packets_per_second"] == pytest.approx(1e9 / took["median"], abs=1)
        assert each["passes"] >= speed.FEWEST_PASSES


def test_the_packets_of_a_capture_are_judged_as_classify_reads_them(source: Path, tmp_path: Path) -> None:
    capture = tmp_path / "site.pcap"
    frames = [c.ethernet(c.ipv4("10.0.0.1", "10.9.0.7", 6, c.tcp(1024, port))) for port in range(60, 100)]
    capture.write_bytes(c.pcap([*frames, c.ethernet(c.arp(), ethertype=c.TYPE_ARP)]))
    result = bench(source, capture, "--output-format", "json")
    assert result.status == 0
    assert "PA153 1 of 41 frames" in result.err
    assert result.json["packets"] == {"from": str(capture), "seed": None, "number": 40}


def test_rule_lists_and_compiled_tables_are_measured_too(source: Path, tmp_path: Path) -> None:
    rules = tmp_path / "list.rules"
    rules.write_text("@10.0.0.0/8\t0.0.0.0/0\t0 : 65535\t80 : 80\t0x06/0xFF\t0x0000/0x0000\n")
    assert bench(rules, "--output-format", "json").json["filters"] == 1
    table = tmp_path / "site.pastore"
    assert pastore("compile", source, "-o", table).status == 0
    assert bench(table, "--output-format", "json").json["filters"] == 15
    actions = tmp_path / "actions.pastore"
    Matcher(Matcher.open(table).filters, verdict="action").save(actions)
    assert bench(actions).status == 0


def test_a_table_that_answers_wrongly_is_not_measured(source: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    right = Matcher.scan

    def wrong(self: Matcher, *columns: object, **more: object) -> object:
        verdicts = right(self, *columns, **more)  # type: ignore[call-overload]
        verdicts.action[0] ^= 3
        return verdicts

    monkeypatch.setattr(Matcher, "scan", wrong)
    result = bench(source)
    assert (result.status, result.out) == (2, "")
    assert "the table and the linear scan disagree about 1 of" in result.err
    assert "nothing was measured" in result.err


@pytest.mark.parametrize(
    ("content", "told"), [(None, "No such file"), (b"what?\n\x00", "PA102"), (c.pcap([]), "there is no packet in")]
)
def test_packets_that_cannot_be_read_are_exit_status_2(source: Path, tmp_path: Path, content: bytes | None, told: str) -> None:
    if content is not None:
        (tmp_path / "trace").write_bytes(content)
    result = bench(source, tmp_path / "trace")
    assert (result.status, result.out) == (2, "")
    assert told in result.err


def test_usage_that_is_wrong_is_exit_status_2(source: Path) -> None:
    for arguments in (("--seconds", "0"), ("--threads", "0"), ("--packets", "0"), ("--output-format", "csv")):
        assert pastore("bench", source, *arguments).status == 2
    assert pastore("bench", source.with_name("none.reg"), *QUICK).status == 2
