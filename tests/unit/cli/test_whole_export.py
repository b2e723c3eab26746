"""The commands on a whole registry export: a real one where there is one, else our own of the same shape."""

import json
from pathlib import Path
from typing import NamedTuple

import pytest

from pastore.ipsecdata import nfa
from tests.support import stored_policy as stored
from tests.support.command import pastore
from tests.support.registry import write


class Export(NamedTuple):
    """A policy with a rule for remote access that blocks everything, and a rule that blocks some ports."""

    path: Path
    policy: str
    everything: str  # names of the two filter lists, and so of their rules
    ports: str
    blocked: str  # a packet that the second rule blocks


@pytest.fixture
def whole(tmp_path: Path, data: Path | None) -> Export:
    """The real export, or ours."""
    if data is not None:
        path = data / "registry" / "win10-gsecurity-2022.reg"
        packet = "tcp 10.1.2.3:50000 > 10.9.0.7:445 in"
        return Export(path, "GSecurity IP Policy", "All IP Filter List", "Blocked IP Filter List", packet)
    keys = stored.export(name="Small")
    rule = keys[f"{stored.LOCAL}\\ipsecNFA{{{stored.RULES[1]}}}"]
    rule["ipsecData"] = stored.rule_blob(active=True, interface=nfa.RAS)
    return Export(write(tmp_path, keys), "Small", "All", "Blocked", "tcp 10.1.2.3:50000 > 10.9.0.7:1005 in")


def decides(whole: Export, packet: str, interface: str) -> tuple[str, str | None]:
    answer = pastore("explain", whole.path, packet, "--interface", interface, "--output-format", "json").json
    return answer["action"], answer["rule"]


def test_show_names_the_policy_and_both_filter_lists(whole: Export) -> None:
    result = pastore("show", whole.path)
    assert result.status == 0
    assert result.lines[0] == f"Policy {whole.policy}"
    assert "  Storage          local, assigned" in result.lines
    assert f"  Filter list {whole.everything!r}: 1 filter" in result.lines
    assert f"  Filter list {whole.ports!r}: 32 filters" in result.lines
    assert len([line for line in result.lines if line.startswith("Rule ")]) == 3


def test_check_finds_no_error_in_reading_and_counts_three_rules_and_thirty_three_filters(whole: Export) -> None:
    result = pastore("check", whole.path, "--output-format", "json")
    assert result.status == 0
    (source,) = result.json["sources"]
    assert (source["policy"], source["rules"], source["filters"]) == (whole.policy, 3, 33)
    codes = {finding["code"] for finding in source["findings"]}
    assert [finding for finding in source["findings"] if finding["severity"] == "error"] == []
    assert not any(code.startswith("PA1") for code in codes)
    # A block-all for IPv4 only, the default response rule that is off, exemptions that no SYSTEM key tells.
    assert {"PA306", "PA301", "PA401"} <= codes
    assert result.json["summary"]["error"] == 0


def test_the_rule_for_remote_access_blocks_there_what_passes_on_the_lan(whole: Export) -> None:
    # Outbound, a filter that is mirrored and one from me to any both hold it.
    packet = "tcp 10.9.0.7:50000 > 198.51.100.9:8080 out"
    assert decides(whole, packet, "lan") == ("none", None)
    assert decides(whole, packet, "ras") == ("block", whole.everything)


def test_explain_says_that_it_is_for_remote_access(whole: Export) -> None:
    packet = "tcp 10.9.0.7:50000 > 198.51.100.9:8080 out"
    answer = pastore("explain", whole.path, packet, "--output-format", "json").json
    assert [each["why"] for each in answer["candidates"] if each["rule"] == whole.everything] == ["it is for ras interfaces"]


@pytest.mark.parametrize("interface", ["lan", "ras"])
def test_the_rule_for_all_interfaces_blocks_on_both(whole: Export, interface: str) -> None:
    assert decides(whole, whole.blocked, interface) == ("block", whole.ports)


def test_the_whole_rule_for_remote_access_is_explained(whole: Export) -> None:
    told = pastore("explain", whole.path, "--rule", whole.everything, "--output-format", "json").json
    assert told["rows"]
    assert all(row["state"] == "part" and row["example"].endswith(" ras") for row in told["rows"])
    for row in told["rows"]:
        answer = pastore("explain", whole.path, row["example"], "--output-format", "json").json
        assert (answer["rule"], answer["index"]) == (whole.everything, row["index"])


def test_the_agent_applies_it(whole: Export, tmp_path: Path) -> None:
    audit = tmp_path / "audit.jsonl"
    assert pastore("agent", whole.path, "--once", "--audit", audit).status == 0
    told = pastore("events", audit, "--output-format", "json").out
    assert [json.loads(line)["id"] for line in told.splitlines()] == [5471, 5460]
