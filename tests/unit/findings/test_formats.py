"""SARIF and JUnit; names that want to do harm in every format."""

import json
import os
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from lxml import etree

from pastore.findings import Finding
from pastore.findings.identity import fingerprints, same_path
from pastore.findings.junit import findings_junit
from pastore.findings.render import Report, as_json, at_line_start, github, json_lines, json_text, printable, text
from pastore.findings.sarif import message, sarif, uri_of
from pastore.model import Origin
from tests.support.command import pastore
from tests.support.policies import flt, policy, rule
from tests.support.registry import export

SCHEMA = json.loads((Path(__file__).parents[2] / "support" / "sarif.schema.json").read_text(encoding="utf-8"))
PLACE = Origin("corp.reg", r"HKEY_LOCAL_MACHINE\Key\ipsecFilter{00000000-0000-0000-0000-000000000001}\ipsecData+0x18", 42)
TWICE = Finding("PA211", "the same again", PLACE, "Web", "tcp any > me:80 (mirrored)")
COLUMN = Finding("PA322", "there is no filter list 'port'", Origin("ports.bat", line=6, column=56))
NOTE = Finding("PA301", "rule 'Web' is not active", Origin("corp.reg", line=7), "Web")

HOSTILE = (
    "\x1b[2Jgone",
    "a\n::error::owned",
    "::error::owned",
    "  ::stop-commands::x",
    "##[error]owned",
    "###[error]owned",
    "##vso[task.complete result=Succeeded;]",
    "##teamcity[buildStatus status='SUCCESS']",
    "permit\u202ekcolb",
    "</failure></testcase><testcase name='x'/>",
    "]]>&quot;<!--",
    "[click](http://example.com)",
    "{0} {GUID} %0A::error::",
    "[red]markup[/red]",
    "half\ud800",
    "\ufffe\uffff\x00",
    "a\r\nb\u2028c\x85d",
)


def report(*findings: Finding, source: str = "corp.reg") -> Report:
    return Report(source, "Web", 2, 3, findings)


def log(*findings: Finding, source: str = "corp.reg", unanswered: tuple[str, ...] = ()) -> Any:
    document = sarif([report(*findings, source=source)], version="0.1.0", unanswered=unanswered)
    jsonschema.Draft202012Validator(SCHEMA).validate(document)
    return json.loads(json_text(document))["runs"][0]


class TestSarif:
    def test_a_finding_has_rule_level_message_place_and_fingerprints(self) -> None:
        run = log(TWICE, COLUMN, NOTE)
        assert [each["id"] for each in run["tool"]["driver"]["rules"]] == ["PA211", "PA301", "PA322"]
        twice, column, note = run["results"]
        assert (twice["ruleId"], twice["ruleIndex"], twice["level"]) == ("PA211", 0, "error")
        assert twice["message"]["text"] == "the same again (rule 'Web', filter tcp any > me:80 (mirrored))"
        place = twice["locations"][0]["physicalLocation"]
        assert place == {"artifactLocation": {"uri": "corp.reg", "uriBaseId": "%SRCROOT%"}, "region": {"startLine": 42}}
        assert twice["locations"][0]["logicalLocations"][0]["fullyQualifiedName"] == PLACE.locator
        assert twice["properties"] == {"policy": "Web", "win32": 13008, "event": 5477}
        assert column["locations"][0]["physicalLocation"]["region"] == {"startLine": 6, "startColumn": 56}
        assert note["level"] == "note"

    def test_rules_carry_the_page_of_their_code(self) -> None:
        (known,) = log(TWICE)["tool"]["driver"]["rules"]
        assert known["help"]["markdown"].startswith("# PA211: filter exists already\n")
        assert known["defaultConfiguration"] == {"level": "error"}

    def test_sources_without_an_answer_are_told(self) -> None:
        (invocation,) = log(unanswered=("nowhere.reg",))["invocations"]
        assert not invocation["executionSuccessful"]
        assert invocation["toolExecutionNotifications"][0]["message"]["text"] == "no policy was obtained from nowhere.reg"
        assert log()["invocations"] == [{"executionSuccessful": True, "toolExecutionNotifications": []}]

    def test_a_finding_of_nowhere_has_no_place(self) -> None:
        assert log(Finding("PA309", "x"), source="-")["results"][0]["locations"] == []

    def test_what_the_command_prints_is_valid(self, tmp_path: Path) -> None:
        made = policy(rule("{0} [a](b)", "block", flt("tcp any > me:1"), active=False), rule("A", "block", "any > me"))
        result = pastore("check", export(tmp_path, made), tmp_path / "nowhere.reg", "--output-format", "sarif")
        assert result.status == 2
        jsonschema.Draft202012Validator(SCHEMA).validate(result.json)
        assert {each["ruleId"] for each in result.json["runs"][0]["results"]} >= {"PA301", "PA306", "PA101"}

    @pytest.mark.parametrize(
        ("source", "location"),
        [
            ("a b/ü.reg", {"uri": "a%20b/%C3%BC.reg", "uriBaseId": "%SRCROOT%"}),
            ("./x/../corp.reg", {"uri": "corp.reg", "uriBaseId": "%SRCROOT%"}),
            ("../corp.reg", {"uri": "../corp.reg", "uriBaseId": "%SRCROOT%"}),
            ("/srv/a%b.reg", {"uri": "file:///srv/a%25b.reg"}),
            ("c:d.reg", {"uri": "c%3Ad.reg", "uriBaseId": "%SRCROOT%"}),
            ("b\udcffd.reg", {"uri": "b%FFd.reg", "uriBaseId": "%SRCROOT%"}),
            ("ldaps://dc1.corp.example/", {"uri": "ldaps://dc1.corp.example/"}),
        ],
    )
    def test_places_are_valid_uris(self, source: str, location: dict[str, str]) -> None:
        assert uri_of(source) == location

    @pytest.mark.parametrize(
        ("told", "written"),
        [
            ("{0} of {GUID}", "{{0}} of {{GUID}}"),
            ("[a](b) [c]", r"\[a\](b) [c]"),
            ("ESP[3DES,SHA-1]:100k", "ESP[3DES,SHA-1]:100k"),
        ],
    )
    def test_a_message_has_neither_placeholders_nor_links(self, told: str, written: str) -> None:
        assert message(told) == written


class TestFingerprints:
    def test_do_not_change_when_lines_move_or_a_filter_before_goes(self) -> None:
        moved = Finding(
            "PA211", "the same again", Origin("corp.reg", PLACE.locator.replace("0x18", "0x98"), 99), "Web", TWICE.filter
        )
        assert list(fingerprints([TWICE])) == list(fingerprints([moved]))

    def test_nor_when_the_message_names_the_line_of_another_rule(self) -> None:
        one, two = (Finding("PA211", f"a filter (corp.reg:{line}:7) is there", Origin("corp.reg")) for line in (5, 6))
        assert list(fingerprints([one])) == list(fingerprints([two]))

    @pytest.mark.parametrize(
        "other",
        [
            Finding("PA212", "the same again", PLACE, "Web", TWICE.filter),
            Finding("PA211", "something else", PLACE, "Web", TWICE.filter),
            Finding("PA211", "the same again", PLACE, "Db", TWICE.filter),
            Finding("PA211", "the same again", PLACE, "Web", "any > me"),
            Finding("PA211", "the same again", Origin("b.reg", PLACE.locator, 42), "Web", TWICE.filter),
            Finding("PA211", "the same again", Origin("corp.reg", "HKEY", 42), "Web", TWICE.filter),
        ],
    )
    def test_are_different_for_whatever_is_different(self, other: Finding) -> None:
        assert list(fingerprints([TWICE])) != list(fingerprints([other]))

    def test_count_what_is_there_twice(self) -> None:
        one, two = fingerprints([TWICE, TWICE])
        assert (one[:-2], one[-2:], two[:-2], two[-2:]) == (one[:-2], ":1", one[:-2], ":2")

    def test_are_these(self) -> None:
        # Stored by code scanning for ever: if this changes, every finding of every user opens again.
        assert list(fingerprints([TWICE])) == ["ff6eeb7e1e6a8ac25e934574da5b9e90:1"]

    def test_a_path_is_the_same_however_it_is_written(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.chdir(tmp_path)
        assert {same_path(path) for path in ("a/b.reg", "./a/b.reg", "a/c/../b.reg", f"{tmp_path}/a/b.reg")} == {"a/b.reg"}
        assert same_path("/elsewhere/b.reg") == "/elsewhere/b.reg"
        assert same_path("ldaps://dc1/") == "ldaps://dc1/"
        assert same_path("-") == "-"


class TestJunit:
    def parsed(self, *reports: Report, rank: int = 0, unanswered: tuple[str, ...] = ()) -> Any:
        return etree.fromstring(findings_junit(reports, rank, unanswered).encode())

    def test_findings_of_the_fail_level_are_failures_and_others_are_told(self) -> None:
        root = self.parsed(report(TWICE, NOTE))
        assert dict(root.attrib) == {"name": "pastore check", "tests": "2", "failures": "1", "errors": "0"}
        (suite,) = root
        assert suite.attrib["name"] == "corp.reg, policy 'Web'"
        failing, passing = suite
        assert failing.attrib == {"name": "PA211 Web at corp.reg:42", "classname": "PA211"}
        assert failing[0].tag == "failure"
        assert failing[0].attrib == {"type": "error", "message": "the same again"}
        assert "Remove one of the two filters." in failing[0].text
        assert passing[0].tag == "system-out"

    def test_the_fail_level_decides(self) -> None:
        assert [self.parsed(report(TWICE, NOTE), rank=rank).attrib["failures"] for rank in (-1, 0, 2)] == ["0", "1", "2"]

    def test_a_policy_without_findings_is_a_test_that_passed(self) -> None:
        (suite,) = self.parsed(report())
        assert [(case.attrib["name"], len(case)) for case in suite] == [("no findings", 0)]

    def test_a_source_without_an_answer_is_an_error(self) -> None:
        root = self.parsed(unanswered=("nowhere.reg",))
        assert (root.attrib["errors"], root[0][0][0].tag) == ("1", "error")


@pytest.mark.parametrize("name", HOSTILE)
class TestHostileNames:
    def everywhere(self, name: str) -> list[Report]:
        finding = Finding("PA211", f"about {name}", Origin(name, name, 3), name, name)
        return [Report(name, name, 1, 1, (finding,)), Report("other", "x", 1, 1, ())]

    def harmless(self, written: str) -> None:
        assert not set(written) & set("\x1b\x00\x07\x85\u2028\u202e\ufeff\ufffe\uffff\r")
        for order in ("##[", "##vso[", "##teamcity["):
            assert order not in written
        written.encode()

    def test_in_text(self, name: str) -> None:
        written = text(self.everywhere(name))
        self.harmless(written)
        assert not any(line.lstrip().startswith("::") for line in written.splitlines())
        assert len(written.splitlines()) == len(text(self.everywhere("harmless")).splitlines())

    def test_in_json(self, name: str) -> None:
        written = json_text(as_json(self.everywhere(name)))
        self.harmless(written)
        assert json.loads(written)["sources"][0]["source"] == name

    def test_in_json_lines(self, name: str) -> None:
        (line,) = json_lines(self.everywhere(name)).splitlines()
        self.harmless(line)
        assert json.loads(line)["rule"] == name

    def test_in_annotations(self, name: str) -> None:
        written = github(self.everywhere(name))
        self.harmless(written)
        (line,) = written.splitlines()
        assert line.startswith("::error file=")
        properties, separator, _ = line.removeprefix("::error ").partition("::")
        assert separator
        assert [each.partition("=")[0] for each in properties.split(",")] == ["file", "title", "line"]

    def test_in_sarif(self, name: str) -> None:
        document = sarif(self.everywhere(name), version="0.1.0", unanswered=[name])
        jsonschema.Draft202012Validator(SCHEMA).validate(document)
        self.harmless(json_text(document, indent=2))

    def test_in_junit(self, name: str) -> None:
        written = findings_junit(self.everywhere(name), 2, [name])
        self.harmless(written)
        root = etree.fromstring(written.encode())
        assert [len(suite) for suite in root] == [1, 1, 1]
        assert [element.tag for element in root.iter() if isinstance(element.tag, str)].count("testcase") == 3


class TestLineStart:
    @pytest.mark.parametrize(
        ("name", "shown"), [("::error::x", r"\x3a:error::x"), ("  ::x", r"  \x3a:x"), ("a::b", "a::b"), ("C:", "C:"), ("", "")]
    )
    def test_two_colons_do_not_begin_a_line(self, name: str, shown: str) -> None:
        assert at_line_start(name) == shown

    @pytest.mark.parametrize(
        ("name", "shown"), [("##[x]", r"#\x23[x]"), ("## x", "## x"), ("##vso x", "##vso x"), ("###[", r"##\x23[")]
    )
    def test_nor_does_a_command_stand_anywhere(self, name: str, shown: str) -> None:
        assert printable(name) == shown


def test_a_hostile_file_name_in_a_folder_is_harmless_in_text(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    export(tmp_path, policy(rule("A", "block", "any > me")), name="::error::owned.reg")
    result = pastore("check", ".")
    assert result.status == 0
    assert r"\x3a:error::owned.reg" in result.out
    assert not any(line.lstrip().startswith("::") for line in result.lines)
    assert os.listdir() == ["::error::owned.reg"]
