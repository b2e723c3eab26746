"""pastore verify: what it compares, what it says when answers differ, and when it cannot ask the kernel."""

import shlex
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pastore.matcher import Matcher, Verdicts
from pastore.packets import PacketBatch
from pastore.verify import kernel
from pastore.verify.kernel import Answers, KernelUnavailableError
from tests.support.command import Result, pastore
from tests.support.policies import policy, rule
from tests.support.registry import export


@pytest.fixture
def source(tmp_path: Path) -> Path:
    simple = policy(rule("Web", "allow", "tcp any > me:80"), rule("Rest", "block", "any > me"), name="Simple")
    return export(tmp_path, simple)


def verify(source: Path, *more: object) -> Result:
    return pastore("verify", source, "--packets", 2000, *more)


def wrong_scan(self: Matcher, packets: PacketBatch) -> Verdicts:
    """A scan that never sees the row of port 80."""
    right = self.classify(packets)
    assert right.index is not None
    index = right.index.copy()
    action = right.action.copy()
    web = [at for at in range(len(self.filters)) if (source := self.filters.source(at)) and source.rule == "Web"]
    index[np.isin(index, web)] = -1
    action[index < 0] = 0
    return Verdicts(action, index)


def answers(verdicts: Verdicts, **change: Any) -> Answers:
    assert verdicts.index is not None
    whole = Answers(verdicts.action, verdicts.index, np.ones(len(verdicts.action), bool), {})
    return whole._replace(**change)


def test_equal_answers_give_0_and_say_what_was_compared(source: Path) -> None:
    result = verify(source, "--kernel", "no", "--me", "10.9.0.7")
    assert result.status == 0
    assert "policy 'Simple'" in result.out
    assert "2000 IPv4 packets at every bound" in result.out
    assert "2000 IPv6 packets" in result.out
    assert result.out.split("linear scan")[1].split()[:2] == ["4000", "0"]
    assert "not compared with nftables" in result.out


def test_the_same_in_json(source: Path) -> None:
    got = verify(source, "--kernel", "no", "--seed", 7, "--output-format", "json").json
    assert (got["version"], got["policy"], got["seed"], got["packets"], got["equal"]) == (1, "Simple", 7, 4000, True)
    scan, asked = got["comparisons"]
    assert scan == {
        "against": "scan",
        "packets": 4000,
        "different": 0,
        "unanswered": 0,
        "left_out": {},
        "unavailable": None,
        "mismatches": [],
    }
    assert (asked["against"], asked["packets"], asked["unavailable"]) == ("kernel", 0, "not asked for")


def test_a_mismatch_gives_1_and_the_packet_as_explain_takes_it_with_both_answers(
    source: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Matcher, "scan", wrong_scan)
    result = verify(source, "--kernel", "no")
    assert result.status == 1
    lines = result.out.splitlines()
    at = next(number for number, line in enumerate(lines) if line.startswith("tcp "))
    assert "allow by row" in lines[at + 1]
    assert "rule 'Web'" in lines[at + 1]
    assert lines[at + 2].strip() == "linear scan: none, no filter matches"
    assert "more" in lines[-1]
    explained = pastore("explain", source, *shlex.split(f"'{lines[at]}'"))
    assert explained.status == 0
    assert "allow" in explained.out


def test_a_mismatch_in_json(source: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Matcher, "scan", wrong_scan)
    result = verify(source, "--kernel", "no", "--output-format", "json")
    assert (result.status, result.json["equal"]) == (1, False)
    scan = result.json["comparisons"][0]
    assert scan["different"] > len(scan["mismatches"]) == 10
    mismatch = scan["mismatches"][0]
    assert (mismatch["table"]["action"], mismatch["table"]["rule"]) == ("allow", "Web")
    assert mismatch["scan"] == {"action": "none", "index": -1, "rule": None}


def unavailable(*_: object) -> Answers:
    raise KernelUnavailableError("nft is not installed (Debian: apt-get install nftables)")


def test_without_nft_it_says_what_was_not_compared_and_why(source: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kernel, "judge", unavailable)
    result = verify(source)
    assert result.status == 0
    assert "not compared with nftables" in result.out
    assert "nft is not installed" in result.out


def test_a_kernel_that_must_be_asked_and_cannot_gives_2(source: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kernel, "judge", unavailable)
    assert verify(source, "--kernel", "yes").status == 2


def test_a_kernel_that_acts_differently_for_the_right_row_gives_1(source: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def judge(filters: object, packets: PacketBatch) -> Answers:
        right = Matcher(filters).scan(packets)  # type: ignore[arg-type]
        action = right.action.copy()
        action[np.argmax(action == 2)] = 1
        return answers(right, action=action)

    monkeypatch.setattr(kernel, "judge", judge)
    result = verify(source)
    assert result.status == 1
    assert "the table: block" in result.out
    assert ": allow by row" in result.out


def test_an_unanswered_packet_gives_2_and_one_left_out_does_not(source: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def judge(filters: object, packets: PacketBatch) -> Answers:
        right = Matcher(filters).scan(packets)  # type: ignore[arg-type]
        action, asked = right.action.copy(), np.ones(len(packets), bool)
        action[:3] = kernel.UNANSWERED
        asked[:left] = False
        return answers(right, action=action, asked=asked, left_out={"three of a kind": left})

    monkeypatch.setattr(kernel, "judge", judge)
    left = 2
    result = verify(source)
    assert result.status == 2
    assert "1 packets got no answer from nftables" in result.out
    left = 3
    result = verify(source)
    assert result.status == 0
    assert "3 packets left to the scan: three of a kind" in result.out


@pytest.mark.parametrize("wrong", [("--packets", 0), ("--seed", -1), ("--kernel", "maybe"), ("--me", "nowhere")])
def test_misuse_is_2(source: Path, wrong: tuple[str, object]) -> None:
    assert pastore("verify", source, *wrong).status == 2


def test_a_source_without_a_policy_is_2(tmp_path: Path) -> None:
    assert pastore("verify", tmp_path / "nowhere.reg").status == 2


def test_a_rule_list_is_verified_too(tmp_path: Path) -> None:
    path = tmp_path / "list.rules"
    path.write_text(
        "@10.0.0.0/8\t0.0.0.0/0\t0 : 65535\t80 : 80\t0x06/0xFF\n@0.0.0.0/0\t0.0.0.0/0\t0 : 65535\t0 : 65535\t0x00/0x00\n"
    )
    result = verify(path, "--kernel", "no")
    assert result.status == 0
    assert "2 specific filters" in result.out
    assert "2000 IPv6 packets from anywhere" in result.out
