"""Hives, reg query text and the running registry from the command line, with exit statuses."""

import sys
from dataclasses import replace
from pathlib import Path

import pytest

from tests.support import example
from tests.support.command import pastore
from tests.support.fake_winreg import FakeWinreg
from tests.support.hives import patched, with_times, write_hive
from tests.support.policies import policy, rule
from tests.support.reg_query import query_text

SOFTWARE, SYSTEM = rf"{example.HKLM}\SOFTWARE", rf"{example.HKLM}\SYSTEM"
CLEAN = policy(rule("Web", "allow", "tcp any > me:80"), name="Clean")


def software(folder: Path, name: str = "SOFTWARE", *, written: int | None = None) -> Path:
    made = replace(CLEAN, when_changed=example.CHANGED)
    path = write_hive(folder / name, example.registry(made, assigned=made), below=SOFTWARE)
    if written is not None:
        path.write_bytes(with_times(path.read_bytes(), {"": written}))
    return path


def system(folder: Path, name: str = "SYSTEM", exempt: int = 1) -> Path:
    services = {rf"{SYSTEM}\ControlSet001\Services\PolicyAgent": {"NoDefaultExempt": exempt}}
    return write_hive(folder / name, {rf"{SYSTEM}\Select": {"Current": 1}, **services}, below=SYSTEM)


def query(folder: Path, name: str = "query.txt") -> Path:
    path = folder / name
    path.write_text(query_text(example.registry(CLEAN, assigned=CLEAN)), encoding="utf-8")
    return path


@pytest.mark.parametrize("command", [["show"], ["explain", "tcp 1.2.3.4:99 > 5.6.7.8:80"], ["check"], ["agent", "--once"]])
def test_every_command_reads_a_hive(tmp_path: Path, command: list[str]) -> None:
    name, *rest = command
    assert pastore(name, software(tmp_path), *rest).status == 0


def test_show_says_when_a_key_was_written_if_not_by_the_policy_tools(tmp_path: Path) -> None:
    result = pastore("show", software(tmp_path, written=example.CHANGED + 3600))
    line = next(line for line in result.out.splitlines() if line.startswith("  Changed"))
    assert line.endswith("2026-03-01 08:00:00 UTC; its key was written 2026-03-01 09:00:00 UTC")
    result = pastore("show", software(tmp_path, written=example.CHANGED))
    line = next(line for line in result.out.splitlines() if line.startswith("  Changed"))
    assert line.endswith("2026-03-01 08:00:00 UTC")


def test_show_says_when_the_key_was_written_where_no_change_is_noted(tmp_path: Path) -> None:
    result = pastore("show", software(tmp_path, written=example.CHANGED))
    assert "not recorded; its key was written 2026-03-01 08:00:00 UTC" in result.out  # of the rule
    assert "Filter list 'Web list': 1 filter; its key was written 2026-03-01 08:00:00 UTC" in result.out


def test_the_system_hive_says_what_is_exempt(tmp_path: Path) -> None:
    result = pastore("show", software(tmp_path), "--system", system(tmp_path))
    assert next(line for line in result.out.splitlines() if "NoDefaultExempt" in line).split()[-1] == "1"


@pytest.mark.parametrize("hive", ["nowhere", "SOFTWARE"])
def test_a_system_hive_that_is_none_is_no_answer(tmp_path: Path, hive: str) -> None:
    path = software(tmp_path)
    result = pastore("check", path, "--system", tmp_path / hive)
    assert (result.status, "PA101" in result.out or "PA129" in result.out) == (2, True)


@pytest.mark.parametrize("command", ["show", "check", "agent --once"])
def test_the_running_registry_is_only_on_windows(monkeypatch: pytest.MonkeyPatch, command: str) -> None:
    monkeypatch.setitem(sys.modules, "winreg", None)
    name, *rest = command.split()
    result = pastore(name, "registry:", *rest)
    assert (result.status, "only be read on Windows" in result.out + result.err) == (2, True)


def test_the_running_registry(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "winreg", FakeWinreg(example.registry(CLEAN, assigned=CLEAN)))
    result = pastore("show", "registry:")
    assert (result.status, "Policy Clean" in result.out) == (0, True)


@pytest.mark.parametrize("named", ["hive", "regquery"])
def test_a_format_that_the_file_does_not_have(tmp_path: Path, named: str) -> None:
    path = software(tmp_path) if named == "regquery" else query(tmp_path)
    assert pastore("check", path, "--format", named).status == 2


def test_a_dirty_hive_is_answered_with_a_warning(tmp_path: Path) -> None:
    path = software(tmp_path)
    path.write_bytes(patched(path.read_bytes(), (4, 9), (8, 8)))
    result = pastore("check", path, "--ignore", "PA3,PA4,PA5")
    assert (result.status, "warning PA115" in result.out) == (0, True)
    assert pastore("check", path, "--fail-level", "warning").status == 1


def test_damage_in_a_policy_that_still_loads_is_bad_news(tmp_path: Path) -> None:
    path = software(tmp_path)
    path.write_bytes(path.read_bytes()[:-4096])
    result = pastore("check", path)
    assert (result.status in (1, 2), "PA114" in result.out) == (True, True)


class TestFolder:
    def test_every_source_of_a_bundle_is_reported_and_the_rest_is_counted(self, tmp_path: Path) -> None:
        config = tmp_path / "config"
        config.mkdir()
        software(config)
        system(config)
        query(tmp_path)
        (tmp_path / "policy.reg").write_bytes(example.export())
        (config / "SOFTWARE.LOG1").write_bytes(patched((config / "SOFTWARE").read_bytes(), (28, 6))[:512])
        (tmp_path / "bundle.zip").write_bytes(b"PK\x03\x04" + bytes(30))
        (tmp_path / "bundle.cab").write_bytes(b"MSCF" + bytes(60))
        result = pastore("check", tmp_path, "--output-format", "json")
        assert [Path(source["source"]).name for source in result.json["sources"]] == ["policy.reg", "query.txt", "SOFTWARE"]
        assert result.json["summary"]["skipped"] == 4  # ZIP, CAB, log and the SYSTEM hive, which holds no policy

    def test_pa128_the_system_hive_of_the_folder_is_used_and_named(self, tmp_path: Path) -> None:
        software(tmp_path)
        path = system(tmp_path, "anything.bin")
        (report,) = pastore("check", tmp_path, "--output-format", "json").json["sources"]
        told = {finding["code"]: finding for finding in report["findings"]}
        assert told["PA128"]["severity"] == "info"
        assert str(path) in told["PA128"]["message"]
        assert "PA401" not in told

    def test_of_two_system_hives_none_is_used(self, tmp_path: Path) -> None:
        software(tmp_path)
        system(tmp_path)
        system(tmp_path, "SYSTEM.old", exempt=0)
        (report,) = pastore("check", tmp_path, "--output-format", "json").json["sources"]
        codes = {finding["code"] for finding in report["findings"]}
        assert ("PA128" in codes, "PA401" in codes) == (False, True)

    def test_a_system_hive_of_another_folder_is_not_used(self, tmp_path: Path) -> None:
        for name in ("a", "b"):
            (tmp_path / name).mkdir()
        software(tmp_path / "a")
        system(tmp_path / "b")
        result = pastore("check", tmp_path, "--output-format", "json")
        assert "PA128" not in {finding["code"] for finding in result.json["sources"][0]["findings"]}

    def test_the_given_system_hive_goes_before_that_of_the_folder(self, tmp_path: Path) -> None:
        (tmp_path / "x").mkdir()
        software(tmp_path / "x")
        system(tmp_path / "x", exempt=0)
        result = pastore("check", tmp_path / "x", "--system", system(tmp_path, exempt=3), "--output-format", "json")
        codes = {finding["code"] for finding in result.json["sources"][0]["findings"]}
        assert codes.isdisjoint({"PA128", "PA503"})

    def test_a_damaged_system_hive_does_not_stand_in_the_way(self, tmp_path: Path) -> None:
        software(tmp_path)
        path = system(tmp_path)
        data = path.read_bytes()
        path.write_bytes(data.replace(b"PolicyAgent", b"PolicyXgent").replace(b"Select", b"Sxlect"))
        (report,) = pastore("check", tmp_path, "--output-format", "json").json["sources"]
        assert report["policy"] == "Clean"
        assert {finding["code"] for finding in report["findings"]}.isdisjoint({"PA128", "PA129"})

    def test_a_damaged_hive_that_may_have_held_a_policy_is_reported(self, tmp_path: Path) -> None:
        query(tmp_path)
        path = software(tmp_path)
        path.write_bytes(patched(path.read_bytes(), (36, 0x7FFFFFF8)))
        result = pastore("check", tmp_path)
        assert "PA114" in result.out
        assert result.status == 1
