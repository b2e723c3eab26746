"""Many sources at the same time: in order, and none stops the others."""

import os
import signal
from pathlib import Path
from typing import Any

import click
import pytest

from pastore.cli import check, jobs
from pastore.cli.jobs import KILLED, run_jobs
from tests.support.command import pastore
from tests.support.policies import policy, rule
from tests.support.registry import export

FINE = policy(rule("Web", "allow", "tcp any > me:80"))


def work(job: str) -> str:
    """Do what the job says."""
    if job == "die":
        os.kill(os.getpid(), signal.SIGKILL)
    if job == "memory":
        raise MemoryError
    if job == "deep":
        raise RecursionError
    if job == "wrong":
        raise ValueError("no such thing")
    return f"{job} done"


def failed(job: str, why: str) -> str:
    return f"{job}: {why}"


class TestRun:
    @pytest.mark.parametrize("at_once", [1, 2, 3, 16])
    def test_results_are_in_order(self, at_once: int) -> None:
        names = [str(number) for number in range(20)]
        assert run_jobs(names, work, failed, at_once=at_once) == [f"{name} done" for name in names]

    @pytest.mark.parametrize("at_once", [1, 2])
    def test_what_a_job_raises_is_its_own_result(self, at_once: int) -> None:
        assert run_jobs(["a", "memory", "deep", "wrong", "b"], work, failed, at_once=at_once) == [
            "a done",
            "memory: there is not enough memory for it",
            "deep: it is nested too deeply",
            "wrong: checking it failed with ValueError: no such thing; PASTORE_TRACEBACK=1 shows where",
            "b done",
        ]

    @pytest.mark.parametrize("at_once", [2, 3])
    @pytest.mark.parametrize("names", [["die"] * 2, ["a", "die", "b", "c", "die", "d"], ["a", "b", "c", "die"]])
    def test_a_process_that_is_killed_costs_only_its_own_job(self, names: list[str], at_once: int) -> None:
        assert run_jobs(names, work, failed, at_once=at_once) == [
            f"die: {KILLED}" if name == "die" else f"{name} done" for name in names
        ]

    def test_some_stay_here(self) -> None:
        got = run_jobs(["a", "b", "c"], _process, failed, at_once=2, here=lambda job: job == "b")
        assert got[1] == str(os.getpid())
        assert str(os.getpid()) not in (got[0], got[2])

    def test_a_traceback_is_there_for_who_asks(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("PASTORE_TRACEBACK", "1")
        with pytest.raises(ValueError, match="no such thing"):
            run_jobs(["wrong"], work, failed)


def _process(_job: str) -> str:
    return str(os.getpid())


class TestCheck:
    def paths(self, folder: Path) -> list[Path]:
        return [export(folder, FINE, name=f"{at}.reg") for at in range(4)]

    @pytest.mark.parametrize("at_once", [2, 3])
    def test_a_killed_worker_is_a_finding_for_its_file(
        self, tmp_path: Path, at_once: int, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        real = check.check_source

        def killed(job: Any) -> Any:
            if job.source.endswith("2.reg"):
                os.kill(os.getpid(), signal.SIGKILL)
            return real(job)

        # Processes are forked here, and find the function by its name.
        monkeypatch.setattr(check, "check_source", killed)
        killed.__module__, killed.__qualname__ = "pastore.cli.check", "check_source"
        result = pastore("check", *self.paths(tmp_path), "--jobs", at_once, "--output-format", "json")
        assert result.status == 2
        told = [(Path(each["source"]).name, [finding["code"] for finding in each["findings"]]) for each in result.json["sources"]]
        assert told == [("0.reg", []), ("1.reg", []), ("2.reg", ["PA107"]), ("3.reg", [])]
        assert KILLED in result.json["sources"][2]["findings"][0]["message"]
        assert result.err == f"pastore: no policy was obtained from {tmp_path}/2.reg\n"

    def test_in_a_folder_it_is_an_error_finding(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.paths(tmp_path)
        real = check.check_source

        def short(job: Any) -> Any:
            if job.source.endswith("2.reg"):
                raise MemoryError
            return real(job)

        monkeypatch.setattr(check, "check_source", short)
        result = pastore("check", tmp_path)
        assert result.status == 1
        assert "did not come to its end: there is not enough memory for it" in result.out
        assert result.lines[-1] == "1 error in 3 policies: 3 rules, 3 filters"


class TestBar:
    def test_there_is_none_without_a_terminal(self, tmp_path: Path) -> None:
        assert pastore("check", *(export(tmp_path, FINE, name=f"{at}.reg") for at in range(3))).err == ""

    def test_there_is_one_on_a_terminal_and_none_when_quiet(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        shown: list[bool] = []
        real = click.progressbar

        def bar(*args: Any, **options: Any) -> Any:
            shown.append(not options["hidden"])
            return real(*args, **{**options, "hidden": True})

        class Terminal:
            @staticmethod
            def isatty() -> bool:
                return True

        monkeypatch.setattr("pastore.cli.jobs.click.progressbar", bar)
        monkeypatch.setattr("pastore.cli.jobs.sys.stderr", Terminal())
        for quiet in (False, True):
            monkeypatch.setattr(jobs, "is_quiet", lambda quiet=quiet: quiet)
            run_jobs(["a", "b"], work, failed)
        run_jobs(["a"], work, failed)
        assert shown == [True, False, False]
