"""pastore explain --rule: what a rule does and what hides it."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import pastore as package
from pastore.api import compile_policy
from pastore.cli import explain_rule
from pastore.cli.explain_rule import reach
from pastore.filters.host import Host
from pastore.model import Filter, InterfaceType, Rule
from pastore.packets.packet import Packet
from tests.support.command import pastore
from tests.support.policies import action, flt, policy, rule
from tests.support.registry import export

NARROW = rule("Narrow", "allow", flt("tcp 10.1.0.0/16 > 10.9.0.7:445", mirrored=False))
WIDE = rule("Wide", "block", flt("tcp any > 10.9.0.7", mirrored=False))
HIDDEN = rule("Hidden", "allow", flt("tcp 10.1.0.0/16 > 10.9.0.0/24", mirrored=False))
HALVES = rule("Halves", "block", *(flt(f"{end} > 10.9.0.0/24", mirrored=False) for end in ("10.1.0.0/17", "10.1.128.0/17")))


def answer(folder: Path, name: str, *rules: Rule) -> Any:
    """Return the JSON answer about a rule."""
    result = pastore("explain", export(folder, policy(*rules)), "--rule", name, "--output-format", "json")
    assert result.status == 0
    return result.json


def states(told: Any) -> list[str]:
    return [row["state"] for row in told["rows"]]


class TestStates:
    def test_all_of_a_filter_that_nothing_comes_before(self, tmp_path: Path) -> None:
        told = answer(tmp_path, "Narrow", NARROW, WIDE)
        assert states(told) == ["all"]
        assert told["rows"][0]["hidden_by"] == []
        assert told["rows"][0]["example"] == "tcp 10.1.0.1:49152 > 10.9.0.7:445 in"

    def test_part_of_one_that_another_comes_before(self, tmp_path: Path) -> None:
        told = answer(tmp_path, "Wide", NARROW, WIDE)
        assert states(told) == ["part"]
        assert told["rows"][0]["hidden_by"] == ["rule 'Narrow', filter tcp 10.1.0.0/16 > 10.9.0.7:445"]
        assert told["rows"][0]["example"] == "tcp 192.0.2.1:49152 > 10.9.0.7:80 in"

    def test_none_of_one_that_others_hide_together(self, tmp_path: Path) -> None:
        told = answer(tmp_path, "Hidden", HIDDEN, HALVES)
        assert states(told) == ["none"]
        assert sorted(told["rows"][0]["hidden_by"]) == [
            "rule 'Halves', filter 10.1.0.0/17 > 10.9.0.0/24",
            "rule 'Halves', filter 10.1.128.0/17 > 10.9.0.0/24",
        ]
        assert told["rows"][0]["example"] is None

    def test_undecided_when_it_becomes_too_ragged(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(explain_rule, "ROW_LIMIT", 1)
        told = answer(tmp_path, "Wide", NARROW, WIDE)
        assert states(told) == ["undecided"]
        assert told["rows"][0]["example"] is None

    def test_each_in_words(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        path = export(tmp_path, policy(NARROW, WIDE, HIDDEN, HALVES))

        def words(name: str) -> list[str]:
            return pastore("explain", path, "--rule", name).lines

        assert words("Narrow") == [
            "Rule Narrow",
            "  allow tcp 10.1.0.0/16 > 10.9.0.7:445 both ways, IPv4",
            "    nothing hides it; for example tcp 10.1.0.1:49152 > 10.9.0.7:445 in",
        ]
        *_, hidden = words("Hidden")
        assert hidden.startswith(
            "    never decides: hidden by rule 'Narrow', filter tcp 10.1.0.0/16 > 10.9.0.7:445; rule 'Halves'"
        )
        *_, wide = words("Wide")
        assert wide.startswith(
            "    partly hidden by rule 'Narrow', filter tcp 10.1.0.0/16 > 10.9.0.7:445; rule 'Halves', filter "
        )
        assert wide.endswith("; it still decides on tcp 192.0.2.1:49152 > 10.9.0.7:80 in")
        monkeypatch.setattr(explain_rule, "ROW_LIMIT", 1)
        *_, ragged = words("Wide")
        assert ragged.startswith("    too many overlaps to say what is left; before it come rule 'Narrow', filter ")


class TestRules:
    def test_by_name_in_any_case_or_guid_with_or_without_braces(self, tmp_path: Path) -> None:
        texts = ("Narrow", "NARROW", str(NARROW.guid), f"{{{NARROW.guid}}}", f"{{{NARROW.guid}}}".upper())
        told = [answer(tmp_path, text, NARROW, WIDE) for text in texts]
        assert all(each == told[0] for each in told)
        assert told[0]["rule"] == "Narrow"

    def test_two_rules_of_one_name_are_told_apart_by_guid(self, tmp_path: Path) -> None:
        twins = [replace(each, name="Twin") for each in (NARROW, WIDE)]
        assert len(answer(tmp_path, "Twin", *twins)["rows"]) == 2
        (row,) = answer(tmp_path, str(twins[1].guid), *twins)["rows"]
        assert row["text"].startswith("tcp any > 10.9.0.7 ")

    def test_one_that_is_not_there_is_exit_status_2_with_those_that_are(self, tmp_path: Path) -> None:
        result = pastore("explain", export(tmp_path, policy(NARROW, WIDE)), "--rule", "Nrrow")
        assert (result.status, result.out) == (2, "")
        assert "there is no rule 'Nrrow'; rules with filters are: " in result.err
        assert all(name in result.err for name in ("'Narrow'", "'Wide'"))

    @pytest.mark.parametrize(
        ("made", "code"),
        [
            (rule("Idle", "block", "any > me", active=False), "PA301"),
            (rule("Idle", "block", "any 10.0.0.1/255.0.0.255 > me"), "PA203"),
            (rule("Idle", "protect", "any > me", filter_action=action("protect", offers=())), "PA209"),
        ],
    )
    def test_a_rule_without_specific_filters_says_so_and_why(self, tmp_path: Path, made: Rule, code: str) -> None:
        told = answer(tmp_path, "Idle", made, WIDE)
        assert told["rows"] == []
        assert [finding["code"] for finding in told["findings"]] == [code]
        lines = pastore("explain", export(tmp_path, policy(made)), "--rule", "Idle").lines
        assert lines[:2] == ["Rule Idle", "  gives no specific filter: it does nothing"]
        assert lines[2].startswith(f"  {code} ")

    def test_the_keys_of_the_answer(self, tmp_path: Path) -> None:
        told = answer(tmp_path, "Wide", NARROW, WIDE)
        assert list(told) == ["version", "rule", "rows", "findings"]
        assert list(told["rows"][0]) == ["index", "text", "action", "state", "hidden_by", "example"]

    def test_a_classbench_rule_goes_by_its_number(self, tmp_path: Path) -> None:
        path = tmp_path / "acl"
        path.write_text(
            "@10.0.0.0/8\t0.0.0.0/0\t0 : 65535\t80 : 80\t0x06/0xFF\n@10.0.0.0/9\t0.0.0.0/0\t0 : 9\t80 : 80\t0x06/0xFF\n"
        )
        told = pastore("explain", path, "--rule", "1", "--output-format", "json").json
        assert (told["rule"], states(told)) == ("1", ["none"])
        assert pastore("explain", path, "--rule", "2").status == 2


ENDS = ("any", "10.0.0.0/8", "10.1.0.0/16", "10.1.0.0-10.1.0.9", "10.9.0.7", "192.0.2.0/24", "192.0.2.1")


def drawn_filter(protocol: str, src: str, dst: str, sport: str, dport: str, mirrored: bool) -> Filter:
    ported = protocol in ("tcp ", "udp ")
    return flt(f"{protocol}{src}{sport if ported else ''} > {dst}{dport if ported else ''}", mirrored=mirrored)


FILTERS = st.builds(
    drawn_filter,
    st.sampled_from(("", "tcp ", "udp ", "icmp ", "gre ")),
    st.sampled_from((*ENDS, "me")),
    st.sampled_from(ENDS),
    st.sampled_from(("", ":1-1024", ":49152")),
    st.sampled_from(("", ":80", ":1-1024", ":81-65535")),
    st.booleans(),
)
RULES = st.lists(
    st.builds(
        lambda filters, kind, interface: (filters, kind, interface),
        st.lists(FILTERS, min_size=1, max_size=2),
        st.sampled_from(("allow", "block", "protect")),
        st.sampled_from(list(InterfaceType)),
    ),
    min_size=1,
    max_size=6,
)


@settings(max_examples=80, deadline=None)
@given(RULES, st.sampled_from((0, 3)), st.booleans())
def test_the_packet_given_as_an_example_really_gets_that_filter(drawn: list[Any], exempt: int, known: bool) -> None:
    rules = [rule(f"Rule {at}", kind, *filters, interface=interface) for at, (filters, kind, interface) in enumerate(drawn)]
    host = Host.parse(["10.9.0.7"] if known else [])
    matcher = compile_policy(policy(*rules), host, default_exempt=exempt).matcher
    for index in range(len(matcher.filters)):
        told = reach(matcher.filters, index)
        if told.state == "none":
            assert told.example is None
            assert told.hidden_by
            continue
        assert told.example is not None
        packet = Packet.parse(told.example)
        verdict = matcher.match(
            packet.protocol, packet.src, packet.dst, packet.sport, packet.dport,
            direction=packet.direction, interface=packet.interface, family=packet.family,
        )  # fmt: skip
        assert verdict.index == index
        assert (told.state == "all") is (told.hidden_by == ())


def test_a_row_that_never_decides_decides_on_no_packet_of_a_small_world() -> None:
    columns: dict[str, Any] = {
        "src_lo": [0, 2, 1], "src_hi": [1, 3, 2], "dst_lo": [0] * 3, "dst_hi": [3] * 3, "action": "block",
    }  # fmt: skip
    filters = package.SpecificFilters.from_columns(**columns)
    assert [reach(filters, index).state for index in range(3)] == ["all", "all", "none"]
    assert reach(filters, 2).hidden_by == ("row 0", "row 1")
