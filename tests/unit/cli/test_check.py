"""pastore check: batch validation."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from pastore.model import AuthKind, AuthMethod, Policy, Secret
from tests.support.command import Result, pastore
from tests.support.example import HKLM, LOCAL, registry
from tests.support.policies import ESP_3DES_SHA1, action, flt, policy, rule
from tests.support.reg_text import reg_text
from tests.support.registry import changed, export, write

PFS = action("protect", offers=(replace(ESP_3DES_SHA1, pfs=True),))
KEY = (AuthMethod(AuthKind.PRESHARED_KEY, key=Secret("hunter2")),)
SERVICES = ("tcp me > any:389", "udp me > any:53", "udp me:68 > any:67")
FINE = policy(
    rule("Web", "allow", "tcp any > me:80"),
    rule("Services", "allow", *SERVICES),
    rule("Rest", "block", "any > me", flt("any > me", families=(6,))),
)
WARNED = policy(rule("Keyed", "protect", "tcp any > me:1433", auth=KEY, filter_action=PFS), name="Warned")  # PA501
TOLD = policy(rule("Off", "block", "tcp any > me:1", active=False), name="Told")  # PA301
WRONG = policy(
    rule("Odd mask", "block", "tcp 10.0.0.1/255.0.0.255 > me:1", "tcp 10.0.0.2/255.0.0.255 > me:2"),
    rule("Keyed", "protect", "tcp any > me:1433", auth=KEY, filter_action=PFS),
    rule("Off", "block", "tcp any > me:3", active=False),
    name="Wrong",
)  # PA203 twice, PA501, PA301
FINDING_KEYS = ["code", "severity", "message", "source", "locator", "line", "column", "rule", "filter", "win32", "event"]
CLASSBENCH = "@10.0.0.0/8\t0.0.0.0/0\t0 : 65535\t80 : 80\t0x06/0xFF\n@0.0.0.0/0\t10.9.0.7/32\t0 : 65535\t0 : 65535\t0x00/0x00\n"


def found(result: Result) -> list[str]:
    """Return the codes of all findings of a JSON answer."""
    return [finding["code"] for source in result.json["sources"] for finding in source["findings"]]


class TestExitStatus:
    @pytest.mark.parametrize(
        ("made", "level", "status"),
        [
            (FINE, "info", 0),
            (TOLD, "error", 0),
            (TOLD, "warning", 0),
            (TOLD, "info", 1),
            (WARNED, "error", 0),
            (WARNED, "warning", 1),
            (WARNED, "info", 1),
            (WRONG, "error", 1),
            (WRONG, "warning", 1),
            (WRONG, "never", 0),
        ],
    )
    def test_it_is_1_from_the_fail_level_on(self, tmp_path: Path, made: Policy, level: str, status: int) -> None:
        assert pastore("check", export(tmp_path, made), "--fail-level", level).status == status

    def test_the_fail_level_is_error_unless_told(self, tmp_path: Path) -> None:
        assert pastore("check", export(tmp_path, WARNED)).status == 0
        assert pastore("check", export(tmp_path, WRONG)).status == 1

    def test_2_outranks_1_and_the_fail_level(self, tmp_path: Path) -> None:
        bad, gone = export(tmp_path, WRONG), tmp_path / "nowhere.reg"
        assert pastore("check", bad, gone).status == 2
        assert pastore("check", gone, bad, "--fail-level", "never").status == 2

    def test_a_named_source_that_cannot_be_read_is_2_after_the_rest_ran(self, tmp_path: Path) -> None:
        gone = tmp_path / "nowhere.reg"
        result = pastore("check", gone, export(tmp_path, WRONG), "--output-format", "json")
        assert result.status == 2
        assert found(result) == ["PA101", "PA203", "PA203", "PA501", "PA301"]

    @pytest.mark.parametrize("form", ["text", "json", "jsonl", "github"])
    def test_the_reason_of_a_2_is_on_stderr_whatever_was_selected(self, tmp_path: Path, form: str) -> None:
        gone = tmp_path / "nowhere.reg"
        result = pastore("--quiet", "check", gone, "--select", "PA2", "--output-format", form)
        assert (result.status, result.err) == (2, f"pastore: no policy was obtained from {gone}\n")

    def test_a_folder_without_any_policy_is_2_and_says_so(self, tmp_path: Path) -> None:
        (tmp_path / "notes.txt").write_text("remember the milk")
        result = pastore("check", tmp_path)
        assert (result.status, result.err) == (2, "pastore: no policy was found in any of the sources\n")

    def test_damage_inside_a_policy_that_still_loads_is_a_finding(self, tmp_path: Path) -> None:
        path = write(tmp_path, changed(registry(FINE, assigned=FINE), "ipsecFilter", lambda values: None))
        result = pastore("check", path, "--output-format", "json")
        assert result.status == 1
        assert {"PA130", "PA202"} <= set(found(result))


class TestSelection:
    @pytest.mark.parametrize(
        ("flags", "codes", "status"),
        [
            ((), ["PA203", "PA203", "PA501", "PA301"], 1),
            (("--select", "PA5"), ["PA501"], 0),
            (("--select", "PA2,PA3"), ["PA203", "PA203", "PA301"], 1),
            (("--select", "PA5", "--select", "PA301"), ["PA501", "PA301"], 0),
            (("--select", "pa203"), ["PA203", "PA203"], 1),
            (("--ignore", "PA2"), ["PA501", "PA301"], 0),
            (("--ignore", "PA203, PA501"), ["PA301"], 0),
            (("--select", "PA", "--ignore", "PA2"), ["PA501", "PA301"], 0),
            (("--select", "PA5", "--fail-level", "warning"), ["PA501"], 1),
        ],
    )
    def test_it_acts_before_the_summary_and_the_exit_status(
        self, tmp_path: Path, flags: tuple[str, ...], codes: list[str], status: int
    ) -> None:
        result = pastore("check", export(tmp_path, WRONG), "--output-format", "json", *flags)
        assert (found(result), result.status) == (codes, status)
        summary = result.json["summary"]
        assert (summary["error"], summary["warning"]) == (codes.count("PA203"), codes.count("PA501"))
        assert summary["info"] == codes.count("PA301")


class TestJson:
    def test_the_keys_are_exactly_those_of_the_contract(self, tmp_path: Path) -> None:
        document = pastore("check", export(tmp_path, WRONG), "--output-format", "json").json
        assert list(document) == ["version", "sources", "summary"]
        assert document["version"] == 1
        assert list(document["summary"]) == ["error", "warning", "info", "skipped", "undecided"]
        (source,) = document["sources"]
        assert list(source) == ["source", "policy", "rules", "filters", "findings"]
        assert all(list(finding) == FINDING_KEYS for finding in source["findings"])

    def test_a_finding_says_what_where_and_with_which_error_and_event(self, tmp_path: Path) -> None:
        path = export(tmp_path, WRONG)
        finding = pastore("check", path, "--output-format", "json").json["sources"][0]["findings"][0]
        assert isinstance(finding["line"], int)
        assert "ipsecFilter{" in finding.pop("locator")
        del finding["line"]
        assert finding == {
            "code": "PA203",
            "severity": "error",
            "message": "the source mask 255.0.0.255 is not contiguous",
            "source": str(path),
            "column": None,
            "rule": "Odd mask",
            "filter": "tcp 10.0.0.1/255.0.0.255 > me:1 (mirrored)",
            "win32": 87,
            "event": 5477,
        }

    def test_rules_and_filters_count_what_the_policy_holds(self, tmp_path: Path) -> None:
        source = pastore("check", export(tmp_path, WRONG), "--output-format", "json").json["sources"][0]
        assert (source["policy"], source["rules"], source["filters"]) == ("Wrong", 3, 4)  # one rule is off, none is an exemption

    def test_a_filter_list_of_two_rules_counts_once(self, tmp_path: Path) -> None:
        first = rule("A", "block", "tcp any > me:1", "tcp any > me:2")
        second = replace(rule("B", "block"), filter_lists=first.filter_lists)
        source = pastore("check", export(tmp_path, policy(first, second)), "--output-format", "json").json["sources"][0]
        assert (source["rules"], source["filters"]) == (2, 2)


class TestSources:
    def test_every_policy_of_a_source_is_checked_the_assigned_one_first(self, tmp_path: Path) -> None:
        path = export(tmp_path, FINE, WRONG, WARNED, assigned=1)
        result = pastore("check", path, "--output-format", "json")
        assert [source["policy"] for source in result.json["sources"]] == ["Wrong", "Test", "Warned"]
        assert result.json["sources"][1]["findings"][0]["code"] == "PA309"
        assert result.status == 1

    def test_that_none_of_several_is_assigned_is_no_error_when_all_are_checked(self, tmp_path: Path) -> None:
        result = pastore("check", export(tmp_path, FINE, TOLD, assigned=None), "--output-format", "json")
        assert (result.status, "PA105" in found(result), found(result).count("PA309")) == (0, False, 2)

    def test_policy_picks_one(self, tmp_path: Path) -> None:
        result = pastore("check", export(tmp_path, FINE, WRONG), "--policy", "wrong", "--output-format", "json")
        assert [source["policy"] for source in result.json["sources"]] == ["Wrong"]

    def test_findings_of_reading_are_not_lost(self, tmp_path: Path) -> None:
        lines = reg_text(registry(FINE, WRONG, assigned=FINE), "utf8").decode().replace("\r\n\r\n", "\r\n\r\nnonsense\r\n", 1)
        path = tmp_path / "policy.reg"
        path.write_text(lines, newline="")
        result = pastore("check", path, "--output-format", "json")
        assert found(result).count("PA110") == 1
        assert result.json["sources"][0]["findings"][0]["line"] == 3

    def test_nor_are_they_without_any_policy(self, tmp_path: Path) -> None:
        result = pastore("check", write(tmp_path, {f"{HKLM}\\{LOCAL}": {}}), "--output-format", "json")
        assert (result.status, found(result)) == (2, ["PA103"])
        assert result.json["sources"][0]["policy"] is None

    def test_standard_input(self, tmp_path: Path) -> None:
        result = pastore("check", "-", "--output-format", "json", stdin=export(tmp_path, WRONG).read_bytes())
        assert (result.json["sources"][0]["source"], result.json["sources"][0]["policy"]) == ("-", "Wrong")

    def test_a_folder_is_all_its_files_in_order(self, tmp_path: Path) -> None:
        (tmp_path / "b").mkdir()
        for folder, name, made in (("b", "x.reg", FINE), (".", "b.reg", WARNED), (".", "a.reg", WRONG)):
            export(tmp_path / folder, made, name=name)
        (tmp_path / "notes.txt").write_text("remember the milk")
        result = pastore("check", tmp_path, "--output-format", "json")
        names = [Path(source["source"]).relative_to(tmp_path).as_posix() for source in result.json["sources"]]
        assert names == ["a.reg", "b.reg", "b/x.reg"]
        assert result.json["summary"]["skipped"] == 1
        assert pastore("check", tmp_path).lines[-1].endswith("; 1 file of unknown format skipped")

    def test_a_classbench_list_counts_its_rules_as_filters(self, tmp_path: Path) -> None:
        path = tmp_path / "acl"
        path.write_text(CLASSBENCH + "@nonsense\n")
        result = pastore("check", path, "--output-format", "json")
        (source,) = result.json["sources"]
        assert (source["policy"], source["rules"], source["filters"]) == (None, 2, 2)
        assert [(finding["code"], finding["line"]) for finding in source["findings"]] == [("PA140", 3)]
        assert result.status == 1
        assert pastore("check", path).lines[-1] == "1 error in 1 rule list: 2 rules, 2 filters"

    def test_who_the_host_is_counts(self, tmp_path: Path) -> None:
        path = export(tmp_path, policy(rule("Remote", "block", "tcp 10.1.0.1 > 10.1.0.2:80")))
        assert found(pastore("check", path, "--output-format", "json")) == []
        assert found(pastore("check", path, "--me", "10.9.0.7", "--output-format", "json")) == ["PA308"]

    def test_so_does_the_windows_version(self, tmp_path: Path) -> None:
        result = pastore("check", export(tmp_path, FINE), "--target", "xp", "--output-format", "json")
        assert found(result) == ["PA404", "PA306", "PA307"]


class TestJobs:
    def test_several_at_a_time_give_the_same(self, tmp_path: Path) -> None:
        paths = [export(tmp_path, made, name=f"{at}.reg") for at, made in enumerate((FINE, WRONG, WARNED, TOLD))]
        paths.insert(2, tmp_path / "nowhere.reg")
        for form in ("text", "json", "jsonl", "github"):
            one = pastore("check", *paths, "--output-format", form)
            two = pastore("check", *paths, "--output-format", form, "--jobs", 2)
            assert one == two
            assert one.status == 2

    def test_standard_input_is_read_by_them_too(self, tmp_path: Path) -> None:
        path, stdin = export(tmp_path, FINE), export(tmp_path, WRONG, name="in.reg").read_bytes()
        result = pastore("check", path, "-", "--jobs", 2, "--output-format", "json", stdin=stdin)
        assert [source["policy"] for source in result.json["sources"]] == ["Test", "Wrong"]
        assert result.status == 1


class TestBaseline:
    @pytest.fixture
    def path(self, tmp_path: Path) -> Path:
        return export(tmp_path, WRONG)

    def baseline(self, path: Path, change: Any = None) -> Path:
        document = pastore("check", path, "--output-format", "json").json
        if change:
            change(document["sources"][0]["findings"])
        told = path.with_name("baseline.json")
        told.write_text(json.dumps(document))
        return told

    def test_what_was_known_is_left_out_of_summary_and_exit_status(self, path: Path) -> None:
        result = pastore("check", path, "--baseline", self.baseline(path), "--fail-level", "info", "--output-format", "json")
        assert (result.status, found(result)) == (0, [])
        assert result.json["summary"] == {"error": 0, "warning": 0, "info": 0, "skipped": 0, "undecided": 0}
        assert result.json["sources"][0]["rules"] == 3

    def test_each_as_often_as_it_is_there(self, tmp_path: Path) -> None:
        path = export(tmp_path, FINE, style="utf8")
        path.write_bytes(path.read_bytes().replace(b"\r\n\r\n", b"\r\n\r\nnonsense\r\nnonsense\r\n", 1))
        assert found(pastore("check", path, "--output-format", "json")) == ["PA110", "PA110"]
        for known, left in ((2, 0), (1, 1), (0, 2)):

            def only(findings: list[Any], known: int = known) -> None:
                del findings[known:]

            result = pastore("check", path, "--baseline", self.baseline(path, only), "--output-format", "json")
            assert found(result) == ["PA110"] * left

    def test_what_is_new_is_told(self, path: Path) -> None:
        known = self.baseline(path, lambda findings: findings.pop(0))
        result = pastore("check", path, "--baseline", known, "--output-format", "json")
        assert (result.status, found(result)) == (1, ["PA203"])

    def test_lines_may_move(self, tmp_path: Path) -> None:
        repeated = policy(rule("A", "allow", "tcp any > me:80"), rule("B", "allow", flt("tcp any > me:80", name="b")))
        path = export(tmp_path, repeated, style="utf8")
        known = self.baseline(path)
        path.write_bytes(path.read_bytes().replace(b"\r\n\r\n", b"\r\n\r\n; a comment\r\n\r\n", 1))
        before = json.loads(known.read_text())["sources"][0]["findings"]
        after = pastore("check", path, "--output-format", "json").json["sources"][0]["findings"]
        assert [finding["code"] for finding in before] == ["PA211"]
        assert after[0]["line"] == before[0]["line"] + 2
        assert found(pastore("check", path, "--baseline", known, "--output-format", "json")) == []

    @pytest.mark.parametrize("content", ["", "[]", "{}", '{"sources": [{"findings": [{}]}]}', "\udcff"])
    def test_a_file_that_is_no_baseline_is_a_usage_error(self, path: Path, content: str) -> None:
        wrong = path.with_name("wrong.json")
        wrong.write_bytes(content.encode("utf-8", "surrogateescape"))
        result = pastore("check", path, "--baseline", wrong)
        assert (result.status, "is not the JSON of an earlier pastore check" in result.err) == (2, True)

    def test_so_is_one_that_cannot_be_read(self, path: Path) -> None:
        result = pastore("check", path, "--baseline", path.with_name("nowhere.json"))
        assert (result.status, "cannot be read: No such file" in result.err) == (2, True)


class TestForms:
    def test_json_lines_are_one_object_a_finding_with_its_policy(self, tmp_path: Path) -> None:
        result = pastore("check", export(tmp_path, WRONG), "--output-format", "jsonl")
        told = [json.loads(line) for line in result.lines]
        assert [each["code"] for each in told] == ["PA203", "PA203", "PA501", "PA301"]
        assert all(list(each) == ["version", *FINDING_KEYS, "policy"] for each in told)
        assert {each["policy"] for each in told} == {"Wrong"}

    @pytest.mark.parametrize("form", ["jsonl", "github"])
    def test_nothing_found_is_no_line_at_all(self, tmp_path: Path, form: str) -> None:
        assert pastore("check", export(tmp_path, FINE), "--output-format", form).out == ""

    def test_github_annotates_the_line(self, tmp_path: Path) -> None:
        path = export(tmp_path, WRONG)
        line = pastore("check", path, "--output-format", "json").json["sources"][0]["findings"][0]["line"]
        result = pastore("check", path, "--output-format", "github")
        assert result.lines[0] == (
            f"::error file={path},title=PA203,line={line}::the source mask 255.0.0.255 is not contiguous (rule 'Odd mask')"
        )
        assert [text.split(" ")[0] for text in result.lines] == ["::error", "::error", "::warning", "::notice"]

    def test_github_escapes_what_would_end_the_command(self, tmp_path: Path) -> None:
        named = policy(rule("100%: off,\nreally", "block", "tcp any > me:1", active=False))
        path = export(tmp_path, named, name="a,b:c.reg")
        (line,) = pastore("check", path, "--output-format", "github").lines
        assert "file=" + str(path).replace(",", "%2C").replace(":", "%3A") in line
        assert "100%25: off,\\nreally" in line

    def test_statistics_count_by_code_the_most_frequent_first(self, tmp_path: Path) -> None:
        result = pastore("check", export(tmp_path, WRONG), "--statistics")
        assert result.lines == [
            "FOUND  CODE   SEVERITY  TITLE",
            "    2  PA203  error     mask is not contiguous",
            "    1  PA301  info      rule is not active",
            "    1  PA501  warning   pre-shared key",
        ]
        assert result.status == 1

    def test_statistics_of_nothing(self, tmp_path: Path) -> None:
        assert pastore("check", export(tmp_path, FINE), "--statistics").out == "nothing found\n"

    def test_text_says_place_severity_code_what_and_how_to_mend_it(self, tmp_path: Path) -> None:
        path = export(tmp_path, WRONG)
        result = pastore("check", path)
        head, about, at, error, advice = result.lines[:5]
        assert head.startswith(f"{path}:")
        assert head.endswith(": error PA203 the source mask 255.0.0.255 is not contiguous")
        assert about == "    in rule 'Odd mask', filter tcp 10.0.0.1/255.0.0.255 > me:1 (mirrored)"
        assert at.startswith(f"    at {HKLM}\\{LOCAL}\\ipsecFilter{{")
        assert error == "    Win32 error 87: The parameter is incorrect."
        assert advice == "    Write the filter with a mask that is a prefix, or one filter for each block."
        assert result.lines[-2:] == ["", "2 errors, 1 warning, 1 info in 1 policy: 3 rules, 4 filters"]
        assert result.err == ""

    def test_text_of_nothing(self, tmp_path: Path) -> None:
        assert pastore("check", export(tmp_path, FINE)).out == "nothing found in 1 policy: 3 rules, 6 filters\n"

    def test_no_key_is_shown(self, tmp_path: Path) -> None:
        result = pastore("check", export(tmp_path, WRONG))
        assert "hunter2" not in result.out + result.err


def test_the_exemptions_that_are_judged_are_those_the_target_knows(tmp_path: Path) -> None:
    file = export(tmp_path, policy(rule("Web", "allow", "tcp any > me:80"), default_exempt=2))
    codes = {
        target: {
            finding["code"]
            for finding in pastore("check", file, "--target", target, "--output-format", "json").json["sources"][0]["findings"]
        }
        for target in ("2003", "xp")
    }
    assert "PA503" in codes["2003"]  # 2 exempts Kerberos
    assert "PA404" in codes["xp"]  # taken as 1, which does not
    assert "PA503" not in codes["xp"]


class TestAnalysis:
    def test_ranges_to_protect_that_are_cut_off_are_an_error(self, tmp_path: Path) -> None:
        ranges = tmp_path / "agent.txt"
        ranges.write_text("203.0.112.0/24 tcp/443 # the agent\n")
        path = export(tmp_path, policy(rule("Out", "block", "me > 203.0.112.9")))
        result = pastore("check", path, "--protect-ranges", ranges, "--output-format", "json")
        assert (result.status, found(result)) == (1, ["PA512"])
        assert pastore("check", path).status == 0

    @pytest.mark.parametrize("content", [b"10.0.0.0/33\n", b"\xff\xfe\x00"])
    def test_a_file_without_ranges_is_a_usage_error(self, tmp_path: Path, content: bytes) -> None:
        ranges = tmp_path / "agent.txt"
        ranges.write_bytes(content)
        result = pastore("check", export(tmp_path, FINE), "--protect-ranges", ranges)
        assert (result.status, "cannot be used: " in result.err) == (2, True)

    def test_so_is_one_that_is_not_there(self, tmp_path: Path) -> None:
        result = pastore("check", export(tmp_path, FINE), "--protect-ranges", tmp_path / "gone.txt")
        assert (result.status, "cannot be read: No such file" in result.err) == (2, True)

    def test_what_is_not_decided_is_counted_in_the_summary(self, tmp_path: Path) -> None:
        result = pastore("check", export(tmp_path, FINE), "--work-limit", 1, "--output-format", "json")
        assert set(found(result)) == {"PA430"}
        assert result.json["summary"]["undecided"] == len(found(result))
        assert "not decided" in pastore("check", export(tmp_path, FINE), "--work-limit", 1).lines[-1]
