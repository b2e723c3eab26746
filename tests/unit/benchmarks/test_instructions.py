"""The gate of instruction counts fails when a path became dearer, and only then."""

import json
from pathlib import Path
from typing import Any

import pytest

from benchmarks import native
from benchmarks.instructions import __main__ as gate


def counts(**instructions: float) -> dict[str, Any]:
    return {name: {"instructions": number, "bytes": 100, "isa": "scalar"} for name, number in instructions.items()}


@pytest.fixture
def gated(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Run the gate with these counts instead of valgrind's; returns the exit status."""
    monkeypatch.setattr(gate, "RECORD", tmp_path / "instructions.json")
    monkeypatch.setattr(gate, "tools", lambda: {"compiler": "cc 1", "valgrind": "3"})

    def run(counted: dict[str, Any], *arguments: str) -> int:
        monkeypatch.setattr(gate, "count_all", lambda names: counted)
        monkeypatch.setattr("sys.argv", ["callgrind", *arguments])
        return gate.main()

    return run


def test_what_is_recorded_is_passed_and_three_per_cent_above_it_too(gated: Any, capsys: pytest.CaptureFixture[str]) -> None:
    assert gated(counts(a=100.0)) == 0
    assert "nothing is on record" in capsys.readouterr().out
    assert gated(counts(a=100.0), "--record") == 0
    assert gated(counts(a=100.0)) == 0
    assert gated(counts(a=102.9)) == 0


def test_more_than_three_per_cent_above_the_record_fails_and_says_where(gated: Any, capsys: pytest.CaptureFixture[str]) -> None:
    gated(counts(a=100.0, b=50.0), "--record")
    assert gated(counts(a=103.1, b=50.0)) == 1
    assert "a: 100.0 -> 103.1 instructions a packet, +3.1%" in capsys.readouterr().err


def test_a_path_that_is_not_counted_any_more_fails(gated: Any, capsys: pytest.CaptureFixture[str]) -> None:
    gated(counts(a=100.0, b=50.0), "--record")
    assert gated(counts(a=100.0)) == 1
    assert "b: on record, but not counted any more" in capsys.readouterr().err


def test_other_tools_than_those_on_record_are_said_and_nothing_is_compared(
    gated: Any, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    gated(counts(a=100.0), "--record")
    record = tmp_path / "instructions.json"
    content = json.loads(record.read_text(encoding="utf-8"))
    content["tools"]["compiler"] = "cc 2"
    record.write_text(json.dumps(content), encoding="utf-8")
    assert gated(counts(a=900.0)) == 0
    assert "compiler: cc 2, here cc 1" in capsys.readouterr().out


def test_less_is_said_and_passes(gated: Any, capsys: pytest.CaptureFixture[str]) -> None:
    gated(counts(a=100.0), "--record")
    assert gated(counts(a=50.0)) == 0
    assert "worth recording" in capsys.readouterr().out


def test_a_program_that_is_not_there_is_said() -> None:
    with pytest.raises(native.CannotBuildError, match="no-such-program: not found"):
        native.said("no-such-program")
