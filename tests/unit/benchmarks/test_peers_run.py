"""A run of make bench-peers can be interrupted and goes on where it was; its page says what was measured, and what not."""

import sys
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest

from benchmarks import sets
from benchmarks.peers import __main__ as run
from benchmarks.peers.machine import Machine
from tests.unit.benchmarks.test_figures import result


class Programs:
    """Stands for the built programs."""

    def __init__(self, folder: Path) -> None:
        self.pastore = self.tuple_space = folder / "program"
        self.dpdk = None
        self.pastore.write_text("one version")


@pytest.fixture
def measured(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Have sets measured at once, and return the list of those that were."""
    done: list[str] = []

    def one_set(name: str, builder: Any, options: Any, earlier: Any) -> dict[str, Any]:
        if name == "fw_10k" and done == ["acl_1k"]:
            raise KeyboardInterrupt
        done.append(name)
        return result()

    monkeypatch.setattr(run, "BUILD", tmp_path)
    monkeypatch.setattr(run, "Builder", Programs)
    monkeypatch.setattr(run, "one_set", one_set)
    monkeypatch.setattr(sets, "case", lambda name: None)  # every name is that of a set
    monkeypatch.setattr(run, "hugepages", lambda wanted: nullcontext(""))
    monkeypatch.setattr(run, "machine", lambda core: Machine("Test 2 cores", ("a machine",), True))
    monkeypatch.setitem(sys.modules, "benchmarks.peers.plot", None)  # as where matplotlib is missing
    monkeypatch.setattr("signal.signal", lambda *_: None)
    monkeypatch.setattr("sys.argv", ["bench-peers", "acl_1k", "fw_10k", "acl-1k.v6", "--runs", "1"])
    return done


def test_an_interrupted_run_goes_on_where_it_was_and_a_finished_one_starts_anew(measured: list[str], tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        run.main()
    assert measured == ["acl_1k"]
    measured.append("interrupted")
    assert run.main() == 0
    assert measured == ["acl_1k", "interrupted", "fw_10k", "acl-1k.v6"]
    assert run.main() == 0
    assert measured[4:] == ["acl_1k", "fw_10k", "acl-1k.v6"]
    (page,) = tmp_path.glob("*-peers-test-2-cores.md")
    assert "| acl_1k | 10 |" in page.read_text(encoding="utf-8")


def test_a_page_has_ratios_and_the_builds_that_failed(
    measured: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    measured.append("nothing is interrupted")
    monkeypatch.setattr(sets, "standard_names", lambda: ["acl_1k", "fw_10k"])
    assert run.main() == 0
    page = capsys.readouterr().out
    assert "| 1k (1 sets) | 1.62 (1.25) | 1.62 (1.25) |" in page
    assert "| 1k, seeded, IPv6 twins (1 sets) | 1.62 (1.25) |" in page
    assert "did not build: not within 60 s" in page
    assert "All programs gave the same answer to every packet." in page


def test_a_name_that_no_set_has_ends_the_run_before_anything_is_measured(
    measured: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.undo()
    monkeypatch.setattr(run, "one_set", lambda *_: pytest.fail("something was measured"))
    monkeypatch.setattr("signal.signal", lambda *_: None)
    monkeypatch.setattr("sys.argv", ["bench-peers", "acl-1k", "no-such-set"])
    assert run.main() == 2
    assert capsys.readouterr().err == "no rule set is called no-such-set; is PASTORE_DATA set to the folder of ClassBench's?\n"
