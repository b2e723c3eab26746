"""Which events one turn of the agent writes (docs/adr/004-events-of-an-apply.md)."""

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import pastore
from pastore.agent.applying import Manner
from pastore.agent.engine import Engine
from pastore.agent.machine import Trigger
from pastore.agent.storages import LocalSource, Preloaded
from pastore.agent.trail import Trail
from pastore.audit import MemorySink
from pastore.filters.host import Host
from pastore.findings import Finding
from pastore.model import Policy, Storage
from pastore.sources.loaded import Loaded
from tests.support.command import pastore as run
from tests.support.example import HKLM, LOCAL, registry
from tests.support.policies import flt, policy, rule
from tests.support.reg_text import RegValue
from tests.support.registry import cached, changed, dn, export, write

WEB = rule("Web", "allow", "tcp any > me:80")
REST = rule("Rest", "block", "any > me")
ODD = rule("Odd mask", "block", "tcp 10.0.0.1/255.0.0.255 > me:81")
AGAIN = rule("Web again", "allow", flt("tcp any > me:80", name="copy"))
FINE = policy(WEB, REST, name="Server Isolation")
SOME = policy(WEB, REST, ODD, AGAIN, name="Server Isolation")
NONE = policy(ODD, name="Server Isolation")

Events = list[tuple[int, dict[str, Any]]]


def turn(path: Path, wanted: str = "") -> tuple[Engine, Events]:
    """Return the agent after one turn, and the events it wrote."""
    sink = MemorySink()
    engine = Engine(Trail(sink), local=LocalSource(str(path)), manner=Manner(Host.parse(["10.9.0.7"])), wanted=wanted)
    engine.turn(Trigger.START)
    return engine, [(event.id, dict(event.data)) for event in sink.events]


def ids(events: Events) -> list[int]:
    return [number for number, _ in events]


def cut(values: Mapping[str, RegValue]) -> dict[str, RegValue]:
    """Return an object whose data ends after thirty bytes."""
    data = values["ipsecData"]
    assert isinstance(data, bytes)
    return {**values, "ipsecData": data[:30]}


class TestLocal:
    def test_a_fine_policy_is_loaded_and_applied(self, tmp_path: Path) -> None:
        engine, events = turn(export(tmp_path, FINE))
        assert events == [(5471, {"Policy": "Server Isolation"}), (5460, {"Policy": "Server Isolation"})]
        assert engine.in_force is not None
        assert engine.last_attempt is not None
        assert engine.last_attempt.failures == ()

    def test_some_rules_that_fail_are_one_5462_with_the_first_error_and_a_5477_for_each_filter(self, tmp_path: Path) -> None:
        engine, events = turn(export(tmp_path, SOME))
        assert ids(events) == [5471, 5460, 5462, 5477, 5477]
        told = {data["QuickModeFilter"]: data["Error"] for number, data in events if number == 5477}
        later = max(WEB, AGAIN, key=lambda each: each.guid.int)  # of two alike, the one that is tried later
        assert told == {
            "tcp 10.0.0.1/255.0.0.255 > me:81 (mirrored) of rule 'Odd mask'": 87,
            f"tcp any > me:80 (mirrored) of rule {later.name!r}": 13008,
        }
        assert events[2][1] == {"Policy": "Server Isolation", "Error": 87}  # masks are looked at before repetitions
        assert engine.in_force is not None
        assert engine.last_attempt is not None
        assert len(engine.last_attempt.failures) == 2

    def test_a_policy_of_which_every_rule_fails_is_not_applied(self, tmp_path: Path) -> None:
        engine, events = turn(export(tmp_path, NONE))
        assert ids(events) == [5471, 5461, 5477]
        assert events[1][1] == {"Policy": "Server Isolation", "Error": 87}
        assert engine.in_force is None

    def test_a_rule_that_is_not_active_has_not_failed(self, tmp_path: Path) -> None:
        _, events = turn(export(tmp_path, policy(replace(ODD, active=False), WEB)))
        assert ids(events) == [5471, 5460]

    def test_a_policy_without_rules_is_applied(self, tmp_path: Path) -> None:
        engine, events = turn(export(tmp_path, policy()))
        assert ids(events) == [5471, 5460]
        assert engine.in_force is not None

    def test_missing_key_exchange_settings_are_a_whole_failure_with_their_error(self, tmp_path: Path) -> None:
        path = write(tmp_path, changed(registry(FINE, assigned=FINE), "ipsecISAKMPPolicy", lambda values: None))
        engine, events = turn(path)
        assert events == [(5471, {"Policy": "Server Isolation"}), (5461, {"Policy": "Server Isolation", "Error": 13004})]
        assert engine.in_force is None

    def test_a_damaged_filter_list_is_a_rule_that_could_not_be_applied(self, tmp_path: Path) -> None:
        engine, events = turn(write(tmp_path, changed(registry(FINE, assigned=FINE), "ipsecFilter", cut)))
        assert ids(events) == [5471, 5460, 5462]
        assert events[-1][1]["Error"] == 13
        assert engine.in_force is not None

    def test_a_rule_that_cannot_be_read_is_one_too(self, tmp_path: Path) -> None:
        engine, events = turn(write(tmp_path, changed(registry(FINE, assigned=FINE), "ipsecNFA", cut)))
        assert ids(events) == [5471, 5460, 5462]
        assert events[-1][1]["Error"] == 13
        assert engine.in_force is not None

    def test_a_reference_to_a_rule_that_is_not_there_is_one_too(self, tmp_path: Path) -> None:
        _, events = turn(write(tmp_path, changed(registry(FINE, assigned=FINE), "ipsecNFA", lambda values: None)))
        assert ids(events) == [5471, 5460, 5462]
        assert events[-1][1]["Error"] == 2

    @pytest.mark.parametrize("how", ["gone", "cut"])
    def test_a_policy_whose_only_rule_cannot_be_had_is_a_whole_failure(self, tmp_path: Path, how: str) -> None:
        only = policy(WEB)
        keys = changed(registry(only, assigned=only), "ipsecNFA", cut if how == "cut" else lambda values: None)
        engine, events = turn(write(tmp_path, keys))
        assert ids(events) == [5471, 5461]
        assert events[-1][1]["Error"] == (13 if how == "cut" else 2)
        assert engine.in_force is None

    def test_a_missing_filter_action_is_told_for_every_filter_of_its_rule(self, tmp_path: Path) -> None:
        two = policy(WEB, rule("Keyed", "protect", "tcp any > me:1", "tcp any > me:2"))
        keys = registry(two, assigned=two)
        protect = two.rules[[each.name for each in two.rules].index("Keyed")].filter_action
        assert protect is not None
        path = write(tmp_path, {path: values for path, values in keys.items() if str(protect.guid) not in path})
        _, events = turn(path)
        assert ids(events) == [5471, 5460, 5462, 5477, 5477]

    def test_errors_of_another_policy_of_the_source_are_not_this_ones(self, tmp_path: Path) -> None:
        other = policy(rule("Other", "block", "tcp any > me:99"), name="Other")
        keys = registry(FINE, other, assigned=FINE)
        filters = str(other.rules[0].filter_lists[0].guid)
        keys = {path: cut(values) if filters in path else values for path, values in keys.items()}
        _, events = turn(write(tmp_path, keys))
        assert ids(events) == [5471, 5460]

    def test_no_policy_at_all_is_5472(self, tmp_path: Path) -> None:
        engine, events = turn(write(tmp_path, {f"{HKLM}\\{LOCAL}": {}}), wanted="Server Isolation")
        assert events == [(5472, {"Policy": "Server Isolation", "Error": 2})]
        assert engine.in_force is None

    def test_a_rule_list_is_not_a_policy(self) -> None:
        rows = pastore.SpecificFilters.from_columns(src_lo=[0], src_hi=[0], dst_lo=[0], dst_hi=[0], action="block")
        sink = MemorySink()
        told: list[Finding] = []
        engine = Engine(Trail(sink), local=Preloaded(Loaded(rows)), told=told.append)
        engine.turn(Trigger.START)
        assert [event.id for event in sink.events] == [5472]
        assert "rule list is not a Windows policy" in told[0].message


class TestCached:
    def test_a_cached_domain_policy_goes_by_its_dn(self, tmp_path: Path) -> None:
        path = write(tmp_path, cached(FINE))
        got = pastore.load(path).policy
        assert isinstance(got, Policy)
        assert (got.storage, got.dn, got.assigned) == (Storage.CACHE, dn(FINE), True)
        _, events = turn(path)
        assert events == [(5458, {"Policy": dn(FINE)})]

    def test_one_with_failures(self, tmp_path: Path) -> None:
        _, events = turn(write(tmp_path, cached(SOME)))
        assert ids(events) == [5458, 5462, 5477, 5477]
        assert {data["Policy"] for number, data in events if "Policy" in data} == {dn(SOME)}

    def test_a_whole_failure(self, tmp_path: Path) -> None:
        engine, events = turn(write(tmp_path, cached(NONE)))
        assert ids(events) == [5459, 5477]
        assert events[0][1] == {"Policy": dn(NONE), "Error": 87}
        assert engine.in_force is None

    def test_missing_key_exchange_settings(self, tmp_path: Path) -> None:
        _, events = turn(write(tmp_path, changed(cached(FINE), "ipsecISAKMPPolicy", lambda values: None)))
        assert events == [(5459, {"Policy": dn(FINE), "Error": 13004})]


def log_of(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


class TestCommand:
    def test_a_fine_policy_is_exit_status_0(self, tmp_path: Path) -> None:
        audit = tmp_path / "audit.jsonl"
        result = run("agent", export(tmp_path, FINE), "--once", "--audit", audit)
        assert (result.status, result.out) == (0, "")
        assert result.err == "pastore: policy 'Server Isolation' applied: 15 specific filters\n"
        assert [line["id"] for line in log_of(audit)] == [5471, 5460]

    def test_an_audit_line_has_exactly_the_keys_of_the_contract_and_the_error_in_words(self, tmp_path: Path) -> None:
        audit = tmp_path / "audit.jsonl"
        run("agent", export(tmp_path, SOME), "--once", "--audit", audit)
        loaded, _, some, *_ = log_of(audit)
        assert list(loaded) == ["seq", "time", "id", "outcome", "data", "text"]
        assert list(some) == [*loaded, "error"]
        assert (some["outcome"], some["data"]) == ("failure", {"Policy": "Server Isolation", "Error": 87})
        assert some["error"] == {"code": 87, "name": "ERROR_INVALID_PARAMETER", "message": "The parameter is incorrect."}
        assert some["text"] == (
            "PAStore Engine failed to apply some rules of the active IPsec policy on the computer. Use the IP Security Monitor "
            "snap-in to diagnose the problem.\n\nPolicy:\t\tServer Isolation\nError Code:\t\t87"
        )

    def test_rules_that_could_not_be_applied_are_exit_status_1_and_told_one_by_one(self, tmp_path: Path) -> None:
        result = run("agent", export(tmp_path, SOME), "--once")
        assert result.status == 1
        first, _, last = result.err.splitlines()
        assert first.startswith("pastore: not added: tcp 10.0.0.1/255.0.0.255 > me:81 (mirrored) of rule")
        assert first.endswith("(87: The parameter is incorrect.)")
        assert last.startswith("pastore: policy 'Server Isolation' applied: ")

    def test_a_whole_failure_is_exit_status_1(self, tmp_path: Path) -> None:
        result = run("agent", export(tmp_path, NONE), "--once")
        assert result.status == 1
        assert result.err.splitlines()[-1] == "pastore: policy 'Server Isolation' could not be applied"

    def test_no_policy_is_exit_status_2_with_5472_on_record(self, tmp_path: Path) -> None:
        audit = tmp_path / "audit.jsonl"
        empty = write(tmp_path, {f"{HKLM}\\{LOCAL}": {}})
        result = run("agent", empty, "--once", "--audit", audit, "--policy", "Server Isolation")
        assert result.status == 2
        assert f"no policy was obtained from {empty}" in result.err
        assert [(line["id"], line["data"]) for line in log_of(audit)] == [(5472, {"Policy": "Server Isolation", "Error": 2})]

    def test_a_second_run_appends_with_growing_numbers(self, tmp_path: Path) -> None:
        audit = tmp_path / "audit.jsonl"
        for _ in range(2):
            run("agent", export(tmp_path, FINE), "--once", "--audit", audit)
        assert [(line["seq"], line["id"]) for line in log_of(audit)] == [(1, 5471), (2, 5460), (3, 5471), (4, 5460)]

    def test_the_audit_policy_switches_successes_off(self, tmp_path: Path) -> None:
        audit = tmp_path / "audit.jsonl"
        source = export(tmp_path, SOME)
        run("agent", source, "--once", "--audit", audit, "--audit-policy", "Filtering Platform Policy Change=failure")
        assert [line["id"] for line in log_of(audit)] == [5462, 5477, 5477]

    def test_or_everything_and_the_exit_status_stays(self, tmp_path: Path) -> None:
        audit = tmp_path / "audit.jsonl"
        result = run("agent", export(tmp_path, SOME), "--once", "--audit", audit, "--audit-policy", "Policy Change=none")
        assert (result.status, log_of(audit)) == (1, [])

    @pytest.mark.parametrize("setting", ["Firewall=success", "Policy Change=sometimes", "Policy Change"])
    def test_an_audit_policy_that_is_none_is_a_usage_error_before_anything_is_written(self, tmp_path: Path, setting: str) -> None:
        audit = tmp_path / "audit.jsonl"
        result = run("agent", export(tmp_path, FINE), "--once", "--audit", audit, "--audit-policy", setting)
        assert (result.status, audit.exists()) == (2, False)
        assert "--audit-policy" in result.err

    def test_a_classbench_source_is_refused_and_nothing_is_written(self, tmp_path: Path) -> None:
        rules, audit = tmp_path / "acl", tmp_path / "audit.jsonl"
        rules.write_text("@10.0.0.0/8\t0.0.0.0/0\t0 : 65535\t80 : 80\t0x06/0xFF\n")
        result = run("agent", rules, "--once", "--audit", audit)
        assert (result.status, audit.exists()) == (2, False)
        assert "first-match rule list, not a Windows policy" in result.err

    def test_an_audit_file_that_cannot_be_written_is_exit_status_2(self, tmp_path: Path) -> None:
        result = run("agent", export(tmp_path, FINE), "--once", "--audit", tmp_path / "nowhere" / "audit.jsonl")
        assert result.status == 2
        assert "audit.jsonl: cannot open the audit log: No such file or directory" in result.err

    def test_nor_is_anything_that_is_not_an_audit_log_written_to(self, tmp_path: Path) -> None:
        notes = tmp_path / "notes.txt"
        notes.write_text("remember the milk\n")
        result = run("agent", export(tmp_path, FINE), "--once", "--audit", notes)
        assert (result.status, notes.read_text()) == (2, "remember the milk\n")

    def test_quiet_says_nothing_of_what_the_log_says(self, tmp_path: Path) -> None:
        result = run("--quiet", "agent", export(tmp_path, SOME), "--once")
        assert (result.status, result.out, result.err) == (1, "", "")
