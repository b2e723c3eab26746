"""Findings and the registry of their codes."""

from dataclasses import FrozenInstanceError

import pytest

from pastore.audit.events import EVENTS
from pastore.findings import CODES, Finding, Severity, codes, in_order, select
from pastore.model import NOWHERE, Origin
from pastore.model.win32 import ERRORS

ORIGIN = Origin("corp.reg", r"HKEY_LOCAL_MACHINE\Key", 12, 3)


def of(*names: str) -> list[Finding]:
    return [Finding(name, "something") for name in names]


class TestRegistry:
    def test_codes_are_sorted_and_none_is_there_twice(self) -> None:
        registered = [known.code for known in codes._CODES]
        assert registered == sorted(set(registered))
        assert list(CODES) == registered

    @pytest.mark.parametrize("known", CODES.values(), ids=CODES)
    def test_every_code_is_of_a_known_family_and_says_what_to_do(self, known: codes.Code) -> None:
        assert known.code[:3] in ("PA1", "PA2", "PA3", "PA4", "PA5")
        assert len(known.code) == 5
        assert known.code[2:].isdecimal()
        assert known.title
        assert not known.title.endswith(".")
        assert known.advice[0].isupper()
        assert known.advice.endswith(".")

    @pytest.mark.parametrize("known", CODES.values(), ids=CODES)
    def test_errors_and_events_are_ones_that_exist(self, known: codes.Code) -> None:
        assert known.win32 is None or known.win32 in ERRORS
        assert known.event is None or known.event in EVENTS

    def test_what_cannot_be_applied_is_an_error_with_a_win32_code_and_an_event(self) -> None:
        for known in CODES.values():
            if known.code.startswith("PA2"):
                assert (known.severity, known.event in (5462, 5477), known.win32 is None) == (Severity.ERROR, True, False)

    def test_titles_tell_codes_apart(self) -> None:
        titles = [known.title for known in CODES.values()]
        assert len(set(titles)) == len(titles)

    def test_error_is_the_highest_severity(self) -> None:
        assert sorted(Severity, key=lambda severity: severity.rank) == [Severity.ERROR, Severity.WARNING, Severity.INFO]


class TestFinding:
    def test_takes_severity_error_and_event_from_the_registry(self) -> None:
        finding = Finding("PA211", "a filter of rule 'Web' has the same conditions")
        assert (finding.severity, finding.win32, finding.event) == (Severity.ERROR, 13008, 5477)
        assert (finding.origin, finding.rule, finding.filter) == (NOWHERE, None, None)

    def test_has_none_where_the_registry_has_none(self) -> None:
        finding = Finding("PA305", "they disagree")
        assert (finding.severity, finding.win32, finding.event) == (Severity.WARNING, None, None)

    def test_may_be_of_another_severity_error_and_event_than_registered(self) -> None:
        finding = Finding("PA126", "it cannot be used", severity=Severity.ERROR, win32=13, event=5462)
        assert (finding.severity, finding.win32, finding.event) == (Severity.ERROR, 13, 5462)

    @pytest.mark.parametrize("code", ["PA999", "pa211", "", "PA2111"])
    def test_refuses_a_code_that_is_not_registered(self, code: str) -> None:
        with pytest.raises(KeyError):
            Finding(code, "something")

    def test_cannot_be_changed(self) -> None:
        finding = Finding("PA211", "something")
        with pytest.raises(FrozenInstanceError):
            finding.message = "else"  # type: ignore[misc]

    def test_is_equal_to_another_that_says_the_same(self) -> None:
        assert Finding("PA211", "something", ORIGIN) == Finding("PA211", "something", ORIGIN, win32=13008)
        assert Finding("PA211", "something", ORIGIN) != Finding("PA211", "something", NOWHERE)
        assert len({Finding("PA211", "something"), Finding("PA211", "something")}) == 1

    def test_has_the_keys_of_the_contract_as_a_dictionary(self) -> None:
        assert Finding("PA211", "something", ORIGIN, "Web", "tcp any > me:80").as_dict() == {
            "code": "PA211",
            "severity": "error",
            "message": "something",
            "source": "corp.reg",
            "locator": r"HKEY_LOCAL_MACHINE\Key",
            "line": 12,
            "column": 3,
            "rule": "Web",
            "filter": "tcp any > me:80",
            "win32": 13008,
            "event": 5477,
        }

    def test_has_nulls_in_the_dictionary_for_what_is_not_known(self) -> None:
        as_dict = Finding("PA306", "something").as_dict()
        assert {key for key, value in as_dict.items() if value is None} == {"line", "column", "rule", "filter", "win32", "event"}
        assert (as_dict["source"], as_dict["locator"]) == ("", "")


class TestSelection:
    @pytest.mark.parametrize(
        ("selected", "ignored", "kept"),
        [
            ((), (), ["PA101", "PA211", "PA212", "PA306"]),
            (("PA2",), (), ["PA211", "PA212"]),
            (("PA211",), (), ["PA211"]),
            (("PA1", "PA306"), (), ["PA101", "PA306"]),
            ((), ("PA2",), ["PA101", "PA306"]),
            ((), ("PA",), []),
            (("PA2",), ("PA211",), ["PA212"]),
            (("PA211",), ("PA2",), []),
            (("PA4",), (), []),
        ],
    )
    def test_is_by_prefix_and_ignoring_goes_last(
        self, selected: tuple[str, ...], ignored: tuple[str, ...], kept: list[str]
    ) -> None:
        findings = of("PA101", "PA211", "PA212", "PA306")
        assert [finding.code for finding in select(findings, selected, ignored)] == kept


class TestOrder:
    def test_the_worst_come_first_then_place_then_code(self) -> None:
        findings = [
            Finding("PA301", "info", Origin("a.reg", line=1)),
            Finding("PA306", "warning", Origin("a.reg", line=1)),
            Finding("PA212", "second code", Origin("a.reg", line=9)),
            Finding("PA211", "first code", Origin("a.reg", line=9)),
            Finding("PA130", "later line", Origin("a.reg", line=10)),
            Finding("PA101", "another source", Origin("b.reg")),
            Finding("PA103", "no line", Origin("a.reg")),
        ]
        expected = ["no line", "first code", "second code", "later line", "another source", "warning", "info"]
        assert [finding.message for finding in in_order(findings)] == expected
        assert [finding.message for finding in in_order(reversed(findings))] == expected

    def test_a_raised_severity_counts(self) -> None:
        raised = Finding("PA126", "raised", severity=Severity.ERROR)
        assert in_order([Finding("PA125", "as registered"), raised])[0] is raised

    def test_equal_ones_keep_their_order(self) -> None:
        findings = [Finding("PA130", text, ORIGIN) for text in ("first", "second", "third")]
        assert in_order(findings) == findings
