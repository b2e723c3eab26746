"""[tool.pastore] of pyproject.toml, and baselines."""

import json
from pathlib import Path

import pytest

from tests.support.command import Result, pastore
from tests.support.policies import flt, policy, rule
from tests.support.registry import export

WRONG = policy(
    rule("Odd mask", "block", flt("tcp 10.0.0.9/255.0.0.255 > me:80")),
    rule("Off", "allow", "tcp any > me:443", active=False),
)


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "policies").mkdir()
    export(tmp_path / "policies", WRONG, name="corp.reg")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def configured(text: str, *arguments: str, name: str = "pyproject.toml") -> Result:
    Path(name).write_text(f"[tool.pastore]\n{text}\n", encoding="utf-8")
    return pastore("check", "policies", *arguments)


def codes(result: Result) -> list[str]:
    return [finding["code"] for source in result.json["sources"] for finding in source["findings"]]


@pytest.mark.usefixtures("repository")
class TestSettings:
    def test_are_defaults_of_check(self) -> None:
        result = configured('output-format = "json"\nignore = ["PA2"]\nfail-level = "info"')
        assert (codes(result), result.status) == (["PA301"], 1)

    def test_the_command_line_goes_before_them(self) -> None:
        result = configured(
            'output-format = "text"\nignore = ["PA2"]\nselect = "PA3"', "--output-format", "json", "--ignore", "PA3"
        )
        assert codes(result) == []
        assert codes(pastore("check", "policies", "--output-format", "json", "--select", "PA2", "--ignore", "PA9")) == ["PA203"]

    def test_are_found_from_a_folder_below(self, monkeypatch: pytest.MonkeyPatch) -> None:
        configured('output-format = "json"\nselect = ["PA301"]')
        monkeypatch.chdir("policies")
        assert codes(pastore("check", "corp.reg")) == ["PA301"]

    def test_a_file_without_the_table_is_passed_by(self, monkeypatch: pytest.MonkeyPatch) -> None:
        configured('output-format = "json"\nselect = ["PA301"]')
        Path("policies/pyproject.toml").write_text("[project]\nname = 'x'\n")
        monkeypatch.chdir("policies")
        assert codes(pastore("check", "corp.reg")) == ["PA301"]

    def test_isolated_looks_at_none(self) -> None:
        configured("nonsense = 1")
        assert pastore("check", "policies", "--isolated").status == 1

    def test_config_names_another_file(self) -> None:
        configured('select = ["PA203"]', name="ci.toml")
        assert pastore("check", "policies", "--config", "ci.toml", "--fail-level", "never").status == 0
        assert "PA301" not in pastore("check", "policies", "--config=ci.toml").out

    def test_who_the_host_is_may_stand_there(self) -> None:
        Path("policies/corp.reg").unlink()
        export(Path("policies"), policy(rule("A", "allow", flt("10.0.0.1 > 10.0.0.2", mirrored=False))))
        assert codes(configured('me = ["10.9.0.7"]\noutput-format = "json"')) == ["PA308"]

    def test_a_compiled_table_is_not_refused_for_them(self) -> None:
        assert pastore("compile", "policies/corp.reg", "-o", "site.pastore").status == 1
        configured('me = ["10.9.0.7"]')
        assert pastore("check", "site.pastore").status == 1
        assert pastore("check", "site.pastore", "--me", "10.9.0.7").status == 2

    def test_some_files_may_have_other_rules(self) -> None:
        export(Path("policies"), WRONG, name="new.reg")
        result = configured('output-format = "json"\n[tool.pastore.per-file-ignores]\n"policies/c*.reg" = ["pa203"]')
        assert codes(result) == ["PA301", "PA203", "PA301"]

    @pytest.mark.parametrize(
        ("text", "why"),
        [
            ("selct = []", "tool.pastore.selct is no setting; did you mean 'select'?"),
            ("password-file = 'x'", "tool.pastore.password-file is no setting"),
            ("statistics = true", "tool.pastore.statistics is no setting"),
            ("select = 1", "tool.pastore.select is a list of texts"),
            ("select = [1]", "tool.pastore.select is a list of texts"),
            ("fail-level = 'worst'", "tool.pastore.fail-level: 'worst' is not one of"),
            ("fail-level = ['info']", "tool.pastore.fail-level is one value"),
            ("jobs = 0", "tool.pastore.jobs: 0 is not in the range x>=1"),
            ("jobs = true", "tool.pastore.jobs is one value"),
            ("default-exempt = 7", "tool.pastore.default-exempt: 7 is not in the range 0<=x<=3"),
            ("per-file-ignores = []", "tool.pastore.per-file-ignores is a table like"),
            ("me = ['x']", "'x' is not an address"),
            ("x = ", "is not valid TOML"),
            ("x = 'a\x1b[2Jb'", "is not valid TOML"),
        ],
    )
    def test_what_is_wrong_is_2_and_said(self, text: str, why: str) -> None:
        result = configured(text)
        assert (result.status, result.out) == (2, "")
        assert why in result.err
        assert "\x1b" not in result.err

    def test_so_is_a_file_that_is_named_and_has_no_table(self) -> None:
        Path("empty.toml").write_text("")
        assert "empty.toml: it has no table [tool.pastore]" in pastore("check", "policies", "--config", "empty.toml").err
        result = pastore("check", "policies", "--config", "nowhere.toml")
        assert (result.status, "nowhere.toml: it cannot be read: No such file" in result.err) == (2, True)

    def test_help_is_there_even_then(self) -> None:
        configured("nonsense = 1")
        assert pastore("check", "--help").status == 0


@pytest.mark.usefixtures("repository")
class TestBaseline:
    def test_old_debts_are_written_and_only_new_ones_told(self) -> None:
        written = pastore("check", "policies", "--write-baseline", "old.json")
        assert written.status == 0
        result = configured('baseline = "old.json"\nfail-level = "info"')
        assert result.status == 0
        assert result.out.startswith("nothing found in 1 policy")
        assert result.err == "pastore: 2 findings of the baseline left out\n"
        export(Path("policies"), policy(*WRONG.rules, rule("New", "allow", "tcp any > me:81", active=False)), name="corp.reg")
        result = configured('baseline = "old.json"\nfail-level = "info"\noutput-format = "json"')
        assert (result.status, codes(result)) == (1, ["PA301"])

    def test_however_the_path_is_written(self, repository: Path) -> None:
        pastore("check", "policies", "--write-baseline", "old.json")
        for path in ("./policies", "policies/", str(repository / "policies"), "policies/corp.reg"):
            assert "nothing found" in pastore("check", path, "--baseline", "old.json").out

    def test_its_place_is_beside_the_configuration(self, monkeypatch: pytest.MonkeyPatch) -> None:
        pastore("check", "policies", "--write-baseline", "old.json")
        configured('baseline = "old.json"\nselect = ["PA9"]')
        monkeypatch.chdir("policies")
        assert pastore("check", "corp.reg").status == 0

    def test_debts_that_are_paid_are_told(self) -> None:
        pastore("check", "policies", "--write-baseline", "old.json")
        export(Path("policies"), policy(WRONG.rules[0]), name="corp.reg")
        assert "1 of the baseline no longer found: --write-baseline" in pastore("check", "policies", "--baseline", "old.json").err

    def test_it_is_the_json_of_the_contract(self) -> None:
        pastore("check", "policies", "--write-baseline", "old.json")
        document = json.loads(Path("old.json").read_text(encoding="utf-8"))
        assert document == pastore("check", "policies", "--output-format", "json").json

    def test_one_that_cannot_be_written_is_2(self) -> None:
        result = pastore("check", "policies", "--write-baseline", "no/where.json")
        assert (result.status, "cannot be written: No such file" in result.err) == (2, True)
