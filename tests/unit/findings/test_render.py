"""Findings as text, JSON, JSON lines and annotations."""

import json
import unicodedata

import pytest

from pastore.findings import Finding, Severity
from pastore.findings.render import (
    Report,
    as_json,
    counts,
    github,
    json_lines,
    printable,
    summary_line,
    text,
    text_lines,
)
from pastore.model import Origin
from tests.support.command import pastore

PLACE = Origin("corp.reg", r"HKEY_LOCAL_MACHINE\Key\ipsecData+0x18", 42)
TWICE = Finding("PA211", "the same again", PLACE, "Web", "tcp any > me:80 (mirrored)")
NO_TWIN = Finding("PA306", "IPv6 passes", Origin("corp.reg", line=7), "Block all")
UNASSIGNED = Finding("PA309", "policy 'Web' is not assigned", Origin("corp.reg"))


def report(*findings: Finding, source: str = "corp.reg", policy: str | None = "Web", rules: int = 2, filters: int = 3) -> Report:
    return Report(source, policy, rules, filters, findings)


class TestText:
    def test_says_where_how_bad_which_code_what_and_what_to_do(self) -> None:
        assert text_lines(TWICE) == [
            "corp.reg:42: error PA211 the same again",
            "    in rule 'Web', filter tcp any > me:80 (mirrored)",
            r"    at HKEY_LOCAL_MACHINE\Key\ipsecData+0x18",
            "    Win32 error 13008: The specified transport mode filter already exists.",
            "    Remove one of the two filters.",
        ]

    def test_leaves_out_what_is_not_known(self) -> None:
        assert text_lines(NO_TWIN) == [
            "corp.reg:7: warning PA306 IPv6 passes",
            "    in rule 'Block all'",
            "    Add a filter that blocks IPv6 too, or disable IPv6.",
        ]

    def test_gives_no_advice_where_nothing_has_to_be_done(self) -> None:
        assert text_lines(UNASSIGNED) == ["corp.reg: info PA309 policy 'Web' is not assigned"]

    def test_goes_by_the_locator_where_there_is_no_file_and_by_policy_where_there_is_nothing(self) -> None:
        assert text_lines(Finding("PA309", "x", Origin(locator="CN=IPSEC")))[0].startswith("CN=IPSEC: info")
        assert text_lines(Finding("PA309", "x"))[0].startswith("policy: info")

    def test_gives_the_column_where_it_is_known(self) -> None:
        assert text_lines(Finding("PA110", "x", Origin("corp.reg", line=3, column=5)))[0].startswith(
            "corp.reg:3:5: error PA110 x"
        )

    def test_an_error_code_of_its_own_is_explained_too(self) -> None:
        assert "    Win32 error 2: The system cannot find the file specified." in text_lines(Finding("PA126", "x", win32=2))

    def test_tells_all_the_worst_first_and_counts_them_at_the_end(self) -> None:
        lines = text([report(UNASSIGNED, NO_TWIN, TWICE)]).splitlines()
        heads = [line.split()[2] for line in lines[:-1] if line and not line.startswith(" ")]
        assert heads == ["PA211", "PA306", "PA309"]
        assert lines[-2:] == ["", "1 error, 1 warning, 1 info in 1 policy: 2 rules, 3 filters"]

    def test_is_one_line_when_nothing_was_found(self) -> None:
        assert text([report()]) == "nothing found in 1 policy: 2 rules, 3 filters"

    def test_every_part_is_painted_as_what_it_is(self) -> None:
        painted = text([report(TWICE)], paint=lambda part, what: f"<{what}>{part}</>")
        first, _, at, error, advice, *_ = painted.splitlines()
        assert first == "<place>corp.reg:42</>: <error>error</> <code>PA211</> the same again"
        assert at == r"    at <quiet>HKEY_LOCAL_MACHINE\Key\ipsecData+0x18</>"
        assert all(line.startswith("    <quiet>") for line in (error, advice))


class TestSummary:
    @pytest.mark.parametrize(
        ("findings", "start"),
        [
            ((), "nothing found in"),
            ((TWICE,), "1 error in"),
            ((TWICE, TWICE), "2 errors in"),
            ((NO_TWIN,), "1 warning in"),
            ((NO_TWIN, NO_TWIN), "2 warnings in"),
            ((UNASSIGNED, UNASSIGNED), "2 info in"),
            ((TWICE, UNASSIGNED), "1 error, 1 info in"),
        ],
    )
    def test_is_singular_for_one_and_plural_for_more(self, findings: tuple[Finding, ...], start: str) -> None:
        assert summary_line([report(*findings)]).startswith(start + " 1 policy: 2 rules")

    def test_adds_up_reports(self) -> None:
        one = report(TWICE, rules=1, filters=1)
        assert summary_line([one]) == "1 error in 1 policy: 1 rule, 1 filter"
        assert summary_line([one, report(NO_TWIN)]) == "1 error, 1 warning in 2 policies: 3 rules, 4 filters"

    def test_does_not_count_a_source_without_a_policy_as_one(self) -> None:
        lost = report(Finding("PA101", "gone"), policy=None, rules=0, filters=0)
        assert summary_line([lost]) == "1 error in 0 policies: 0 rules, 0 filters"

    def test_says_what_was_not_decided(self) -> None:
        assert summary_line([report(Finding("PA430", "unknown"))]).endswith("; 1 kind of questions not decided")

    @pytest.mark.parametrize(
        ("skipped", "end"), [(1, "; 1 file of unknown format skipped"), (2, "; 2 files of unknown format skipped")]
    )
    def test_counts_skipped_files(self, skipped: int, end: str) -> None:
        assert summary_line([report()], skipped).endswith(end)
        assert "skipped" not in summary_line([report()])

    def test_counts_by_the_severity_a_finding_has(self) -> None:
        raised = Finding("PA126", "raised", severity=Severity.ERROR)
        assert counts([raised, NO_TWIN, NO_TWIN, UNASSIGNED]) == {"error": 1, "warning": 2, "info": 1}
        assert counts([]) == {"error": 0, "warning": 0, "info": 0}


class TestJson:
    def test_is_the_document_of_the_contract(self) -> None:
        document = as_json([report(UNASSIGNED, TWICE), report(source="b.reg", policy=None, rules=0, filters=0)], skipped=4)
        assert document == {
            "version": 1,
            "sources": [
                {
                    "source": "corp.reg",
                    "policy": "Web",
                    "rules": 2,
                    "filters": 3,
                    "findings": [TWICE.as_dict(), UNASSIGNED.as_dict()],
                },
                {"source": "b.reg", "policy": None, "rules": 0, "filters": 0, "findings": []},
            ],
            "summary": {"error": 1, "warning": 0, "info": 1, "skipped": 4, "undecided": 0},
        }
        assert json.loads(json.dumps(document)) == document

    def test_lines_hold_one_finding_each_with_the_name_of_the_policy(self) -> None:
        lines = json_lines([report(UNASSIGNED, TWICE), report(NO_TWIN, source="b.reg", policy=None)]).splitlines()
        assert [json.loads(line) for line in lines] == [
            {"version": 1, **TWICE.as_dict(), "policy": "Web"},
            {"version": 1, **UNASSIGNED.as_dict(), "policy": "Web"},
            {"version": 1, **NO_TWIN.as_dict(), "policy": None},
        ]

    def test_a_line_break_in_a_name_does_not_break_the_line(self) -> None:
        hostile = Finding("PA301", "two\nlines\u2028three", rule="a\r\nb")
        assert json_lines([report(hostile)]).count("\n") == 0
        assert json.loads(json_lines([report(hostile)]))["message"] == "two\nlines\u2028three"

    def test_nothing_gives_no_line(self) -> None:
        assert json_lines([report()]) == ""

    @pytest.mark.parametrize("form", ["json", "jsonl", "github", "text"])
    def test_a_file_name_that_is_not_unicode_can_be_written(self, form: str) -> None:
        result = pastore("check", "/nowhere/b\udcffd.reg", "--output-format", form)
        assert (result.status, r"b\udcffd.reg" in result.out) == (2, True)
        if form == "json":
            assert result.json["sources"][0]["source"] == "/nowhere/b\udcffd.reg"


class TestGithub:
    def test_annotates_the_line_of_the_file(self) -> None:
        assert github([report(TWICE)]) == "::error file=corp.reg,title=PA211,line=42::the same again (rule 'Web')"

    def test_knows_a_level_for_every_severity(self) -> None:
        lines = github([report(TWICE, NO_TWIN, UNASSIGNED)]).splitlines()
        assert [line.split(" ")[0] for line in lines] == ["::error", "::warning", "::notice"]

    def test_leaves_the_line_out_where_it_is_not_known_and_takes_the_source_for_the_file(self) -> None:
        assert github([report(Finding("PA309", "x"), source="b.reg")]) == "::notice file=b.reg,title=PA309::x"

    def test_escapes_what_ends_a_property(self) -> None:
        odd = Finding("PA309", "x", Origin("C:\\a,b%20c\r\n.reg"))
        assert github([report(odd)]) == "::notice file=C%3A\\a%2Cb%2520c%0D%0A.reg,title=PA309::x"

    def test_escapes_what_ends_a_message_and_leaves_colons_and_commas_in_it(self) -> None:
        odd = Finding("PA309", "100%, a::b\nnext\r", rule="50%")
        (line,) = github([report(odd)]).splitlines()
        assert line == r"::notice file=corp.reg,title=PA309::100%25, a::b\nnext\r (rule '50%25')"

    def test_a_name_cannot_add_a_command_of_its_own(self) -> None:
        hostile = Finding("PA301", "x\n::error::owned", Origin("a\n::error::owned"), rule="r\n::error::owned")
        assert len(github([report(hostile)]).splitlines()) == 1

    def test_nothing_gives_no_line(self) -> None:
        assert github([report()]) == ""


class TestPrintable:
    @pytest.mark.parametrize("harmless", ["", "Server Isolation", "B\xfcro 2, \u4e1c\u4eac \U0001f600", "tab\\n"])
    def test_text_stays_as_it_is(self, harmless: str) -> None:
        assert printable(harmless) == harmless

    @pytest.mark.parametrize(
        ("hostile", "shown"),
        [
            ("\x1b[2Jgone", r"\x1b[2Jgone"),
            ("a\nb\rc\td", r"a\nb\rc\td"),
            ("\0\x07\x7f\x9b", r"\x00\x07\x7f\x9b"),
            ("permit\u202ekcolb", r"permit\u202ekcolb"),
            ("a\u2066b\u2069", r"a\u2066b\u2069"),
            ("line\u2028end\u2029", r"line\u2028end\u2029"),
            ("zero\u200bwidth\ufeff", r"zero\u200bwidth\ufeff"),
            ("half\ud800", r"half\ud800"),
            ("tag\U000e0041", r"tag\U000e0041"),
        ],
    )
    def test_what_would_steer_a_terminal_is_escaped(self, hostile: str, shown: str) -> None:
        assert printable(hostile) == shown

    def test_no_control_format_or_surrogate_character_at_all_passes(self) -> None:
        for code in range(0x110000):
            if unicodedata.category(chr(code)) in ("Cc", "Cf", "Cs", "Zl", "Zp"):
                assert printable(chr(code)).isascii()

    def test_every_part_of_a_finding_goes_through_it(self) -> None:
        evil = "\x1b]0;owned\x07\u202e"
        origin = Origin(f"file{evil}", f"key{evil}", 1)
        finding = Finding("PA211", f"message{evil}", origin, f"rule{evil}", f"filter{evil}")
        for line in [*text_lines(finding), *text_lines(Finding("PA309", "x", Origin(locator=evil)))]:
            assert line.isprintable()


def test_text_names_the_policy_where_there_are_several() -> None:
    one, two = (Report("corp.reg", name, 1, 1, (Finding("PA301", f"about {name}"),)) for name in ("One", "Two"))
    assert "policy 'One'" not in text([one])
    lines = text([one, two]).splitlines()
    assert lines[0] == "corp.reg, policy 'One'"
    assert lines.index("corp.reg, policy 'Two'") < next(at for at, line in enumerate(lines) if "about Two" in line)
