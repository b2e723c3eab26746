"""The Python interface: names that come when they are used, load and compile."""

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import pastore
from pastore.filters.host import Host
from pastore.filters.weight import weight
from pastore.model import Policy
from tests.support.policies import flt, policy, rule
from tests.support.registry import export

WEB = policy(rule("Web", "allow", "tcp any > me:80"), rule("Rest", "block", "any > me"), name="Server Isolation")


class TestNames:
    def test_the_public_names(self) -> None:
        contract = {"load", "compile", "SpecificFilters", "PacketBatch", "MemoryLimitError", "Matcher", "Verdict", "Verdicts"}
        assert contract <= set(pastore.__all__)
        assert dir(pastore) == sorted(pastore.__all__)

    @pytest.mark.parametrize("name", pastore.__all__)
    def test_every_public_name_is_there(self, name: str) -> None:
        assert getattr(pastore, name) is not None

    def test_a_name_is_looked_up_once(self) -> None:
        program = "import pastore\nassert 'load' not in vars(pastore)\npastore.load\nassert vars(pastore)['load'] is pastore.load"
        subprocess.run([sys.executable, "-c", program], check=True, timeout=60)

    def test_all_of_them_can_be_imported_with_a_star(self) -> None:
        names: dict[str, Any] = {}
        exec("from pastore import *", names)  # noqa: S102
        assert set(pastore.__all__) <= set(names)

    def test_a_name_that_is_not_there_is_an_attribute_error_as_of_any_module(self) -> None:
        with pytest.raises(AttributeError, match=r"^module 'pastore' has no attribute 'lod'$"):
            pastore.lod  # noqa: B018
        assert not hasattr(pastore, "_nothing")

    def test_an_import_of_one_that_is_not_there_is_an_import_error(self) -> None:
        with pytest.raises(ImportError, match="cannot import name 'lod'"):
            exec("from pastore import lod")  # noqa: S102


class TestLoad:
    def test_a_policy_is_loaded_by_name(self, tmp_path: Path) -> None:
        path = export(tmp_path, WEB, policy(name="Other"))
        got = pastore.load(path, policy="Other")
        assert isinstance(got.policy, Policy)
        assert got.policy.name == "Other"
        assert {each.name for each in got.policies} == {"Server Isolation", "Other"}

    def test_a_bad_source_is_a_finding_and_not_an_exception(self, tmp_path: Path) -> None:
        got = pastore.load(tmp_path / "nowhere.reg")
        assert got.policy is None
        assert [finding.code for finding in got.findings] == ["PA101"]


class TestCompile:
    def test_a_policy_is_compiled_for_a_host(self) -> None:
        matcher = pastore.compile(WEB, me=["10.9.0.7"])
        verdict = matcher.match("tcp", "10.1.2.3:49152", "10.9.0.7:80", direction="in")
        assert (verdict.action, verdict.rule) == ("allow", "Web")
        assert matcher.match("tcp", "10.1.2.3:49152", "10.9.0.8:80", direction="in").action == "none"
        assert matcher.match(6, 0x0A010203, 0x0A090007, 49152, 80, direction="in", family=4) == verdict

    @pytest.mark.parametrize("option", ["dns", "wins", "dhcp", "gateway"])
    def test_the_servers_of_a_host_are_substituted(self, option: str) -> None:
        word = {"dns": "dns-servers", "wins": "wins-servers", "dhcp": "dhcp-servers", "gateway": "gateways"}[option]
        made = policy(rule("Servers", "allow", f"udp me > {word}"))
        given: dict[str, Any] = {option: ["10.0.0.53"]}
        matcher = pastore.compile(made, **given)
        assert matcher.match("udp", "10.9.0.7:50000", "10.0.0.53:53", direction="out").rule == "Servers"
        assert pastore.compile(made).match("udp", "10.9.0.7:50000", "10.0.0.53:53", direction="out").action == "none"

    def test_what_was_found_on_the_way_is_there(self) -> None:
        damaged = policy(rule("Bad", "block", "any 10.0.0.1/255.0.0.255 > me"))
        assert [finding.code for finding in pastore.compile(damaged).findings] == ["PA203"]

    @pytest.mark.parametrize(
        ("options", "message"),
        [
            ({"order": "alphabet"}, "order 'alphabet' is none of weight, first-match"),
            ({"target": "win95"}, "target 'win95' is none of 2000, xp, 2003, vista"),
            ({"default_exempt": 4}, "default_exempt must be 0 to 3, not 4"),
            ({"me": ["10.9.0"]}, "'10.9.0' is not an address"),
            ({"dns": ["resolver"]}, "DNS server 'resolver' is not an address"),
            ({"verdict": "both"}, 'verdict: \'both\' is neither "rule" nor "action"'),
            ({"memory_limit": 0}, "memory_limit: 0 is not a positive number of bytes"),
        ],
    )
    def test_an_argument_that_is_none_of_the_choices_is_refused(self, options: dict[str, Any], message: str) -> None:
        with pytest.raises(ValueError, match=re.escape(message)):
            pastore.compile(WEB, **options)

    def test_something_else_than_a_policy_is_refused(self) -> None:
        with pytest.raises(TypeError, match="compile takes a Policy or SpecificFilters, not str"):
            pastore.compile("corp.reg")  # type: ignore[arg-type]

    def test_the_order_may_be_any_function(self) -> None:
        backwards = pastore.compile(WEB, order=lambda row: tuple(-part for part in weight(row)[:1]))
        assert backwards.match("tcp", "10.1.2.3:1", "10.9.0.7:80").rule == "Web"  # the same address bits: as listed
        widest_first = pastore.compile(
            policy(rule("Web", "allow", "tcp any > 10.9.0.7:80"), rule("Rest", "block", "any > 10.0.0.0/8")),
            order=lambda row: row.address_bits,
        )
        assert widest_first.match("tcp", "10.1.2.3:1", "10.9.0.7:80").rule == "Rest"

    def test_rows_need_no_policy_and_are_final(self) -> None:
        rows = pastore.SpecificFilters.from_columns(
            src_lo=[0], src_hi=[0xFFFFFFFF], dst_lo=[0x0A090007], dst_hi=[0x0A090007], action="block"
        )
        matcher = pastore.compile(rows, default_exempt=0, me=["10.9.0.7"])
        assert matcher.filters is rows
        assert matcher.match("udp", "10.1.2.3:500", "10.9.0.7:500").action == "block"

    def test_a_table_of_actions_only_has_no_row_numbers(self) -> None:
        matcher = pastore.compile(WEB, verdict="action")
        one = np.array([6], np.uint8)
        address = np.array([1], np.uint32)
        out = matcher.classify(address, address, one, one, np.array([80], np.uint16))
        assert (out.action.tolist(), out.index) == ([1], None)

    def test_a_limit_below_the_rows_is_a_memory_limit_error(self) -> None:
        with pytest.raises(pastore.MemoryLimitError):
            pastore.compile(WEB, memory_limit=1)


def test_compiling_for_the_command_keeps_what_the_expansion_said() -> None:
    from pastore.api import compile_policy

    made = policy(rule("Twice", "block", "tcp any > me:1", flt("tcp any > me:1", name="again")))
    compiled = compile_policy(made, Host.parse(["10.9.0.7"]))
    assert compiled.expansion is not None
    assert len(compiled.expansion.specific) == len(compiled.matcher.filters)
    assert [(failure.rule, failure.win32) for failure in compiled.expansion.failures] == [("Twice", 13008)]
    assert compile_policy(compiled.matcher.filters, Host()).expansion is None
