"""A file of the wrong kind in the place of a baseline or an audit log is exit status 2 with a sentence."""

from pathlib import Path

import pytest

from tests.support.command import pastore
from tests.support.example import FOLDER

POLICY = FOLDER / "policy.reg"


@pytest.mark.parametrize("content", ["[" * 100_000, "[]", "{}", "1", '{"sources":[{"findings":[{"code":1}]}]}', "", "\udcff"])
def test_a_baseline_that_is_none(tmp_path: Path, content: str) -> None:
    path = tmp_path / "baseline.json"
    path.write_bytes(content.encode("utf-8", "surrogateescape"))
    result = pastore("check", POLICY, "--baseline", path)
    assert result.status == 2
    assert "is not the JSON of an earlier pastore check" in result.err


@pytest.mark.parametrize("output_format", ["text", "json", "xml", "ecs"])
@pytest.mark.parametrize("path", [POLICY, FOLDER / "morning.pcap"], ids=lambda path: path.name)
def test_an_audit_log_that_is_none(path: Path, output_format: str) -> None:
    result = pastore("events", path, "--output-format", output_format)
    assert result.status == 2
    assert "is not an audit log" in result.err


def test_a_damaged_line_does_not_make_a_log_unknown(tmp_path: Path) -> None:
    log = tmp_path / "audit.jsonl"
    pastore("agent", POLICY, "--once", "--audit", log)
    log.write_bytes(b"not an event\n" + log.read_bytes())
    result = pastore("events", log, "--id", "5479")  # none of that id
    assert (result.status, result.out) == (0, "")
    assert "PA161" in result.err


def test_an_empty_log_holds_no_events(tmp_path: Path) -> None:
    log = tmp_path / "audit.jsonl"
    log.touch()
    assert pastore("events", log).status == 0
