"""pastore diff: which packets change their verdict."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import pastore as package
from pastore.model import Algorithm, Offer, Policy
from tests.support.command import pastore
from tests.support.policies import action, flt, policy, rule
from tests.support.registry import export

WEB = rule("Web", "allow", "tcp any > me:80", "tcp any > me:443")
REST = rule("Rest", "block", flt("any > me", families=(4, 6)))
BASE = policy(WEB, REST)


def write(folder: Path, name: str, *rules: Any, **options: Any) -> Path:
    return export(folder, policy(*rules, **options), name=name)


class TestVerdicts:
    def test_a_port_that_is_closed_is_told_with_both_rules_and_a_packet(self, tmp_path: Path) -> None:
        old = export(tmp_path, BASE, name="old.reg")
        new = write(tmp_path, "new.reg", rule("Web", "allow", "tcp any > me:443"), REST)
        result = pastore("diff", old, new)
        assert result.status == 1
        assert result.lines == [
            "allow by rule 'Web' becomes block by rule 'Rest':",
            "  tcp 0.0.0.0/0 > 0.0.0.0-223.255.255.255:80 in",  # between lies multicast, which is exempt
            "    for example tcp 192.0.2.1:49152 > 10.0.0.1:80 in",
            "  tcp 0.0.0.0/0 > 240.0.0.0-255.255.255.254:80 in",
            "    for example tcp 192.0.2.1:49152 > 240.0.0.1:80 in",
            "  tcp 0.0.0.0/0:80 > 0.0.0.0/0 out",
            "    for example tcp 192.0.2.1:80 > 10.0.0.1:80 out",
            "",
            "3 ranges of packets change their verdict",
        ]

    def test_the_json_keys_are_those_of_the_contract(self, tmp_path: Path) -> None:
        old, new = export(tmp_path, BASE, name="old.reg"), write(tmp_path, "new.reg", WEB)
        told = pastore("diff", old, new, "--me", "10.9.0.7", "--output-format", "json", "--witnesses", 3).json
        assert (told["version"], told["equal"], told["decided"]) == (1, False, True)
        keys = {"src", "dst", "protocol", "sport", "dport", "direction", "old", "new", "old_rule", "new_rule", "example"}
        for change in told["changes"]:
            assert keys <= change.keys()
            assert (change["old"], change["new"], change["old_rule"], change["new_rule"]) == ("block", "none", "Rest", None)
            assert change["examples"][0] == change["example"]
            assert 1 <= len(change["examples"]) <= 3

    def test_every_example_is_judged_by_both_policies_as_told(self, tmp_path: Path) -> None:
        old = policy(WEB, REST, rule("Db", "protect", "tcp 10.0.0.0/8 > me:1433", "tcp 10.1.0.0/16 > me"))
        new = policy(rule("Web", "allow", "tcp 10.0.0.0/9 > me:80"), REST, rule("Db", "protect", "tcp 10.1.0.0/16 > me:1-2000"))
        matchers = [package.compile(each, me=["10.9.0.7"]) for each in (old, new)]
        found = package.diff(*matchers)
        assert found.changes
        for change in found.changes:
            for packet in change.examples(10):
                told = [
                    matcher.match(
                        packet.protocol, packet.src, packet.dst, packet.sport, packet.dport,
                        direction=packet.direction, interface=packet.interface, family=packet.family,
                    )
                    for matcher in matchers
                ]  # fmt: skip
                assert [verdict.action for verdict in told] == [change.old.action, change.new.action]
                assert [verdict.rule for verdict in told] == [change.old.rule, change.new.rule]

    @pytest.mark.parametrize("what", ["inpass", "soft"])
    def test_what_stands_beside_the_action_is_a_change_too(self, tmp_path: Path, what: str) -> None:
        filters = ("tcp any > me:1433",)
        old = write(tmp_path, "old.reg", rule("Db", "protect", *filters))
        new = write(
            tmp_path,
            "new.reg",
            rule("Db", "protect", *filters, filter_action=action("protect", inpass=what == "inpass", soft=what == "soft")),
        )
        result = pastore("diff", old, new)
        assert result.status == 1
        assert result.lines[0] == f"protect by rule 'Db' becomes protect ({what}) by rule 'Db':"

    def test_exemptions_count(self, tmp_path: Path) -> None:
        old, new = export(tmp_path, BASE, name="old.reg"), export(tmp_path, replace(BASE, default_exempt=1), name="new.reg")
        result = pastore("diff", old, new, "--me", "10.9.0.7")
        assert result.status == 1
        assert "block by rule 'Rest' becomes allow by default exemption multicast:" in result.lines
        assert "NoDefaultExempt is 3 in the old and 1 in the new source; --default-exempt fixes it" in result.err
        assert pastore("diff", old, new, "--default-exempt", 3).status == 0


class TestEqual:
    def test_of_a_policy_and_itself(self, tmp_path: Path) -> None:
        path = export(tmp_path, BASE)
        result = pastore("diff", path, path)
        assert (result.status, result.out, result.err) == (0, "no packet changes its verdict\n", "")

    @pytest.mark.parametrize("form", ["reg", "ldif", "json", "netsh"])
    def test_in_another_format(self, tmp_path: Path, form: str) -> None:
        made = policy(WEB, rule("Rest", "block", "any > me"), rule("Db", "protect", "tcp 10.0.0.0/8 > me:1433"))
        path, other = export(tmp_path, made), tmp_path / f"other.{form}"
        extra = ["--base-dn", "DC=corp,DC=example"] if form == "ldif" else []
        assert pastore("convert", path, "-t", form, "-o", other, *extra).status == 0
        assert pastore("diff", path, other).out == "no packet changes its verdict\n"
        assert pastore("diff", path, other, "--me", "10.9.0.7", "--output-format", "json").json == {
            "version": 1,
            "equal": True,
            "decided": True,
            "changes": [],
        }

    def test_as_a_compiled_table(self, tmp_path: Path) -> None:
        path, compiled = export(tmp_path, BASE), tmp_path / "site.pastore"
        assert pastore("compile", path, "-o", compiled).status == 0
        assert pastore("diff", path, compiled).status == 0
        assert pastore("diff", path, compiled, "--me", "10.9.0.7").status == 2

    def test_with_the_filters_cut_otherwise(self, tmp_path: Path) -> None:
        whole = write(tmp_path, "whole.reg", rule("Net", "block", "tcp 10.0.0.0/8 > me:445"))
        halves = write(tmp_path, "halves.reg", rule("Net", "block", "tcp 10.0.0.0/9 > me:445", "tcp 10.128.0.0/9 > me:445"))
        assert pastore("diff", whole, halves).status == 0

    def test_with_other_names(self, tmp_path: Path) -> None:
        renamed = policy(replace(WEB, name="Internet"), REST)
        assert pastore("diff", export(tmp_path, BASE, name="a.reg"), export(tmp_path, renamed, name="b.reg")).status == 0

    def test_what_protects_otherwise_is_said_and_no_change(self, tmp_path: Path) -> None:
        filters = ("tcp any > me:1433",)
        old = write(tmp_path, "old.reg", rule("Db", "protect", *filters))
        new = write(
            tmp_path,
            "new.reg",
            rule("Db", "protect", *filters, filter_action=action("protect", offers=(Offer((Algorithm("esp", 1, 1),)),))),
        )
        result = pastore("diff", old, new)
        assert result.status == 0
        assert "differs in 'Db': that is no change of a verdict" in result.err


class TestUndecided:
    def test_nothing_is_called_equal(self, tmp_path: Path) -> None:
        old, new = export(tmp_path, BASE, name="old.reg"), write(tmp_path, "new.reg", WEB)
        result = pastore("diff", old, new, "--work-limit", 1)
        assert (result.status, result.out) == (2, "not decided\n")
        assert "undecided after 1 steps: nothing is known" in result.err
        told = pastore("diff", old, new, "--work-limit", 1, "--output-format", "json").json
        assert (told["equal"], told["decided"]) == (False, False)

    def test_changes_found_until_then_are_bad_news_all_the_same(self, tmp_path: Path) -> None:
        old, new = export(tmp_path, BASE, name="old.reg"), write(tmp_path, "new.reg", WEB)
        limits = range(2, 60)
        told = [pastore("diff", old, new, "--work-limit", limit) for limit in limits]
        partly = [result for result in told if "there may be more changes" in result.err]
        assert partly
        assert {result.status for result in partly} == {1}


class TestChoice:
    def test_two_policies_of_one_source(self, tmp_path: Path) -> None:
        path = export(tmp_path, BASE, policy(WEB, name="Other"))
        result = pastore("diff", path, path, "--policy", "Test", "--new-policy", "Other")
        assert result.status == 1
        assert result.lines[0] == "block by rule 'Rest' becomes none (no filter matches):"

    def test_a_source_that_cannot_be_read_is_2(self, tmp_path: Path) -> None:
        result = pastore("diff", export(tmp_path, BASE), tmp_path / "nowhere.reg")
        assert (result.status, result.out) == (2, "")

    def test_names_stay_one_harmless_line(self, tmp_path: Path) -> None:
        bad = "\x1b[2J\n::error::\u202e##vso[task.complete]"
        old = export(tmp_path, policy(replace(WEB, name=bad), REST), name="old.reg")
        result = pastore("diff", old, write(tmp_path, "new.reg", REST))
        assert not set(result.out + result.err) & {"\x1b", "\u202e"}
        assert not any(line.lstrip().startswith("::") for line in result.lines)
        json.loads(pastore("diff", old, write(tmp_path, "new.reg", REST), "--output-format", "json").out)


class TestPython:
    def test_policies_and_matchers_and_rows(self) -> None:
        other = policy(WEB)
        for make in (lambda each: each, package.compile, lambda each: package.compile(each).filters):
            found = package.diff(make(BASE), make(other))
            assert not found.equal
            assert {change.new.action for change in found.changes} == {"none"}
            assert package.diff(make(BASE), make(BASE)).equal

    def test_anything_else_is_refused(self) -> None:
        with pytest.raises(TypeError, match="not str"):
            package.diff(BASE, "corp.reg")  # type: ignore[arg-type]

    def test_a_policy_has_its_own_default_exemptions(self) -> None:
        def kerberos(made: Policy) -> bool:
            return any(change.new.exempt == "kerberos" for change in package.diff(BASE, made).changes)

        assert kerberos(replace(BASE, default_exempt=0))
        assert not kerberos(replace(BASE, default_exempt=1))
