"""From stored objects to policies."""

import time
from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import pytest

from pastore.findings import Finding, Severity
from pastore.ipsecdata import filter_list, nfa
from pastore.ipsecdata.blob import VERSION_INFORMATION
from pastore.ipsecdata.objects import Graph, StoredObject, build, parse_name, store
from pastore.model import Action, AuthKind, AuthMethod, Origin, Policy, Rule, Secret, Storage
from tests.support import stored as s

POLICY_NAME = f"ipsecPolicy{{{s.guid(1)}}}"
KEY = "HKEY_LOCAL_MACHINE\\SOFTWARE\\Policies\\Microsoft\\Windows\\IPSec\\Policy\\Local"


def built(objects: Iterable[StoredObject], **options: Any) -> Graph:
    return build(objects, storage=Storage.LOCAL, **options)


def edited(which: str, **attributes: Any) -> Graph:
    """Build the small store with one object changed."""
    objects = s.small_store()
    objects[which] = s.changed(objects[which], **attributes)
    return built(objects.values())


def without(*which: str) -> Graph:
    """Build the small store with some objects gone."""
    return built(stored for key, stored in s.small_store().items() if key not in which)


def found(graph: Graph, code: str) -> list[Finding]:
    return [finding for finding in graph.findings if finding.code == code]


def codes(graph: Graph) -> list[str]:
    return sorted(finding.code for finding in graph.findings)


def rule(graph: Graph, number: int) -> Rule:
    return next(one for one in graph.policies[0].rules if one.guid == s.guid(number))


def test_the_small_store_builds_the_small_policy_without_a_finding() -> None:
    assert built(s.small_store().values()) == Graph((s.small_policy(),), ())


def test_the_order_of_the_objects_does_not_matter() -> None:
    assert built(reversed(s.small_store().values())).policies == (s.small_policy(),)


@pytest.mark.parametrize(
    "form",
    [
        POLICY_NAME,
        f"SOFTWARE\\Policies\\Microsoft\\Windows\\IPSEC\\Policy\\Local\\{POLICY_NAME}",
        f"CN={POLICY_NAME.upper()},CN=IP Security,CN=System,DC=corp,DC=example",
        f"CN = {POLICY_NAME.replace('}', ' }')} , CN=IP Security, CN=System, DC=corp",
        f"LDAP://CN={POLICY_NAME},CN=IP Security,CN=System,DC=corp",
        f"LDAP://dc1.corp.example/CN={POLICY_NAME},CN=IP Security",
    ],
)
def test_the_assigned_policy_is_found_in_every_spelling(form: str) -> None:
    graph = built(s.small_store().values(), assigned=form)
    assert graph.findings == ()
    assert graph.policies == (replace(s.small_policy(), assigned=True),)


def test_objects_of_registry_and_directory_resolve_alike() -> None:
    objects = store(s.small_policy(), container="CN=IP Security,CN=System,DC=corp,DC=example")
    graph = build(objects, storage=Storage.DIRECTORY)
    assert graph.findings == ()
    dn = f"CN={POLICY_NAME},CN=IP Security,CN=System,DC=corp,DC=example"
    assert graph.policies == (replace(s.small_policy(), storage=Storage.DIRECTORY, dn=dn),)


def test_upper_case_names_resolve() -> None:
    objects = [replace(one, name="CN=" + one.name.upper()) for one in s.small_store().values()]
    assert built(objects) == Graph((s.small_policy(),), ())


def test_single_values_may_come_as_lists_and_lists_of_one_as_single_values() -> None:
    objects = s.small_store()
    policy, one = objects["1"], objects["12"]
    objects["1"] = s.changed(policy, ipsecisakmpreference=(policy.attributes["ipsecisakmpreference"],), ipsecname=("Small",))
    references = one.attributes["ipsecfilterreference"]
    assert isinstance(references, tuple)
    objects["12"] = s.changed(one, ipsecfilterreference=references[0])
    assert built(objects.values()) == Graph((s.small_policy(),), ())


def test_rules_and_their_filter_lists_are_sorted_by_guid() -> None:
    policy = s.small_policy()
    lists = tuple(one.filter_lists[0] for one in policy.rules[1:])
    both = replace(policy.rules[1], filter_lists=lists)
    upside_down = replace(both, filter_lists=lists[::-1])
    objects = store(replace(policy, rules=(policy.rules[2], upside_down, policy.rules[0])))
    assert built(objects).policies == (replace(policy, rules=(policy.rules[0], both, policy.rules[2])),)


def test_policies_are_sorted_by_name_then_guid() -> None:
    objects = []
    for number, name in ((3, "b"), (2, "a"), (1, "b")):
        policy = Policy(s.guid(number), name, storage=Storage.LOCAL)
        objects += store(policy)
    assert [(one.name, one.guid) for one in built(objects).policies] == [("a", s.guid(2)), ("b", s.guid(1)), ("b", s.guid(3))]


def test_a_polling_interval_and_a_main_mode_lifetime_of_zero_are_the_defaults() -> None:
    policy = s.small_policy()
    assert policy.main_mode is not None
    zero = replace(policy, polling_interval=0, main_mode=replace(policy.main_mode, lifetime_seconds=0))
    assert built(store(zero)).policies == (policy,)


def test_the_source_gives_the_default_exemptions() -> None:
    assert built(s.small_store().values(), default_exempt=3).policies[0].default_exempt == 3


def test_origins_name_the_key_the_line_and_the_byte() -> None:
    objects = s.small_store()
    where = Origin("corp.reg", f"{KEY}\\{objects['21'].name}", 40)
    line = Origin("corp.reg", where.locator, 46)
    objects["21"] = replace(objects["21"], origin=where, places={"ipsecdata": line})
    lists = rule(built(objects.values()), 12).filter_lists
    assert lists[0].origin == where
    assert lists[0].filters[0].origin == Origin("corp.reg", f"{where.locator}\\ipsecData+0x18", 46)


def test_the_place_of_a_directory_value_is_not_one_more_component_of_its_dn() -> None:
    dn = f"CN={POLICY_NAME},CN=IP Security,DC=corp"
    stored = StoredObject(POLICY_NAME, {"ipsecdata": b"short"}, Origin("dc1", dn))
    assert found(built([stored]), "PA120")[0].origin == Origin("dc1", f"{dn}:ipsecData+0x0")


def test_the_repr_of_a_stored_object_counts_bytes_and_shows_none() -> None:
    stored = StoredObject("ipsecNFA{x}", {"ipsecdata": b"Hunter2", "ipsecname": "a"}, Origin())
    assert "Hunter2" not in repr(stored)
    assert "<7 bytes>" in repr(stored)


# What a rule is


def test_a_rule_without_filter_reference_is_the_default_response_rule() -> None:
    graph = built(s.small_store().values())
    assert [one.default_response for one in graph.policies[0].rules] == [True, False, False]


def test_an_action_of_default_response_type_makes_a_default_response_rule() -> None:
    graph = edited("31", ipsecnegotiationpolicytype="{62F49E13-6C37-11D1-864C-14A300000000}")
    assert [one.default_response for one in graph.policies[0].rules] == [True, True, True]
    assert codes(graph) == ["PA126", "PA126"]


def test_pa126_an_ordinary_action_without_filter_list_is_noted() -> None:
    graph = edited("12", ipsecfilterreference=None)
    assert rule(graph, 12).default_response
    assert "no filter list" in found(graph, "PA126")[0].message
    assert found(graph, "PA126")[0].rule == "<Dynamic>"


@pytest.mark.parametrize(
    ("guid", "action", "inpass"),
    [
        ("{3F91A819-7647-11D1-864D-D46A00000000}", Action.BLOCK, False),
        ("{8a171dd2-77e3-11d1-8659-a04f00000000}", Action.ALLOW, False),
        ("{8A171DD3-77E3-11D1-8659-A04F00000000} ", Action.PROTECT, False),
        ("{3F91A81A-7647-11D1-864D-D46A00000000}", Action.PROTECT, True),
    ],
)
def test_action_guids(guid: str, action: Action, inpass: bool) -> None:
    graph = edited("31", ipsecnegotiationpolicyaction=guid)
    assert graph.findings == ()
    got = rule(graph, 12).filter_action
    assert got is not None
    assert (got.action, got.inpass) == (action, inpass)


def test_pa126_an_unknown_action_guid_is_no_action() -> None:
    graph = edited("31", ipsecnegotiationpolicyaction="{00000000-0000-0000-0000-000000000001}")
    got = rule(graph, 12).filter_action
    assert got is not None
    assert got.action is Action.NONE
    assert codes(graph) == ["PA126"]


@pytest.mark.parametrize(
    "version",
    [
        StoredObject(f"ipsecNFA{{{str(VERSION_INFORMATION).upper()}}}", {"ipsecname": "Version Information Object"}, Origin()),
        StoredObject(f"ipsecNFA{{{s.guid(99)}}}", {"ipsecdata": VERSION_INFORMATION.bytes_le + bytes(64)}, Origin()),
    ],
)
def test_the_version_information_object_is_skipped(version: StoredObject) -> None:
    assert built([*s.small_store().values(), version]) == Graph((s.small_policy(),), ())


# What can be wrong with references


def test_pa130_a_missing_filter_list_is_named_in_the_rule_that_lacks_it() -> None:
    graph = without("21")
    assert codes(graph) == ["PA130"]
    assert rule(graph, 12).missing == (f"ipsecFilter{{{s.guid(21)}}}",)
    assert rule(graph, 12).filter_lists == ()
    assert not rule(graph, 12).default_response
    finding = found(graph, "PA130")[0]
    assert (finding.win32, finding.event) == (2, None)  # the rule is still there; what becomes of it is not ours to say
    assert finding.rule == f"{{{s.guid(12)}}}"
    assert finding.origin.locator.endswith("ipsecFilterReference")
    assert rule(graph, 13) == s.small_policy().rules[2]


def test_pa130_a_missing_filter_action_leaves_the_rule_without_one() -> None:
    graph = without("31")
    assert codes(graph) == ["PA130", "PA130"]
    assert rule(graph, 12).filter_action is None
    assert rule(graph, 12).missing == (f"ipsecNegotiationPolicy{{{s.guid(31)}}}",)


def test_pa130_a_missing_rule_leaves_the_others() -> None:
    graph = without("12", "21")
    assert codes(graph) == ["PA130", "PA134"]  # the filter action still names the rule
    assert [one.guid for one in graph.policies[0].rules] == [s.guid(11), s.guid(13)]


def test_pa130_a_reference_that_is_no_name_is_shown_cut() -> None:
    graph = edited("12", ipsecfilterreference=("x" * 500,))
    message = found(graph, "PA130")[0].message
    assert "is not the name of an object" in message
    assert len(message) < 200


def test_pa131_an_object_stored_twice_is_read_once() -> None:
    objects = s.small_store()
    second = replace(s.changed(objects["1"], ipsecname="Other"), name=objects["1"].name.upper())
    graph = built([*objects.values(), second])
    assert codes(graph) == ["PA131"]
    assert graph.policies == (s.small_policy(),)


def test_pa132_a_rule_that_refers_to_itself() -> None:
    graph = edited("12", ipsecfilterreference=(f"a\\ipsecNFA{{{s.guid(12)}}}",))
    assert found(graph, "PA132")[0].message == f"ipsecNFA{{{s.guid(12)}}} refers to itself"
    assert found(graph, "PA137")
    assert rule(graph, 12).missing == (f"ipsecNFA{{{s.guid(12)}}}",)
    assert rule(graph, 13) == s.small_policy().rules[2]


def test_pa132_a_rule_that_refers_to_its_policy() -> None:
    graph = edited("12", ipsecnegotiationpolicyreference=f"CN={POLICY_NAME},CN=x")
    assert POLICY_NAME in found(graph, "PA132")[0].message
    assert len(found(graph, "PA132")) == 1


def test_pa132_a_filter_list_that_leads_back_to_its_rule() -> None:
    graph = edited("21", ipsecnfareference=(f"a\\ipsecNFA{{{s.guid(12)}}}",))
    assert codes(graph) == ["PA132"]
    assert graph.policies == (s.small_policy(),)


def test_pa132_a_chain_of_ten_thousand_objects_is_followed_without_recursion() -> None:
    chain = [
        StoredObject(f"ipsecNFA{{{s.guid(n)}}}", {"ipsecfilterreference": (f"ipsecNFA{{{s.guid((n + 1) % 10000)}}}",)}, Origin())
        for n in range(10000)
    ]
    assert len(found(built(chain), "PA132")) == 1


def test_pa126_a_rule_claimed_by_two_policies() -> None:
    other = Policy(s.guid(5), "Z", rules=s.small_policy().rules[1:2], storage=Storage.LOCAL)
    graph = built([*s.small_store().values(), store(other)[0]])
    assert [finding.message for finding in found(graph, "PA126")] == [
        f"ipsecNFA{{{s.guid(12)}}} belongs to {POLICY_NAME} already; a rule has one policy"
    ]
    assert graph.policies == (s.small_policy(), other)


def test_pa137_a_reference_of_the_wrong_class_is_not_followed() -> None:
    graph = edited("12", ipsecfilterreference=(f"a\\ipsecNegotiationPolicy{{{s.guid(31)}}}",))
    assert [finding.message for finding in found(graph, "PA137")] == [
        f"ipsecFilterReference of ipsecNFA{{{s.guid(12)}}} names ipsecNegotiationPolicy{{{s.guid(31)}}}, which is no ipsecFilter"
    ]
    assert rule(graph, 12).missing == (f"ipsecNegotiationPolicy{{{s.guid(31)}}}",)


def test_pa137_a_filter_list_where_the_action_should_be_stays_there_when_stored_again() -> None:
    graph = edited("12", ipsecnegotiationpolicyreference=f"a\\ipsecFilter{{{s.guid(22)}}}")
    got = graph.policies[0]
    assert rule(graph, 12).missing == (f"ipsecFilter{{{s.guid(22)}}}",)
    assert rule(graph, 12).filter_action is None
    assert built(store(got)).policies == (got,)


def test_pa134_a_child_that_does_not_name_its_owner() -> None:
    graph = edited("21", ipsecownersreference=None)
    assert codes(graph) == ["PA134"]
    assert graph.policies == (s.small_policy(),)


def test_pa134_a_child_that_names_an_owner_that_is_not_there() -> None:
    owners = (f"a\\ipsecNFA{{{s.guid(12)}}}", f"a\\ipsecNFA{{{s.guid(98)}}}", "nonsense")
    graph = edited("21", ipsecownersreference=owners)
    assert codes(graph) == ["PA134", "PA134"]


def test_pa134_a_further_filter_list_is_found_by_its_owner_reference() -> None:
    owners = (f"a\\ipsecNFA{{{s.guid(12)}}}", f"a\\ipsecNFA{{{s.guid(13)}}}")
    graph = edited("22", ipsecownersreference=owners)
    assert codes(graph) == ["PA134"]
    assert [one.guid for one in rule(graph, 12).filter_lists] == [s.guid(21), s.guid(22)]
    assert [one.guid for one in rule(graph, 13).filter_lists] == [s.guid(22)]


def test_pa134_an_owner_named_in_two_spellings_adds_the_list_once() -> None:
    owners = (f"a\\ipsecNFA{{{s.guid(12)}}}", f"CN=IPSECNFA{{{s.guid(12)}}},DC=x", f"a\\ipsecNFA{{{s.guid(13)}}}")
    graph = edited("22", ipsecownersreference=owners)
    assert codes(graph) == ["PA134"]
    assert [one.guid for one in rule(graph, 12).filter_lists] == [s.guid(21), s.guid(22)]


def test_pa134_the_default_response_rule_gets_no_filter_list_that_way() -> None:
    owners = (f"a\\ipsecNFA{{{s.guid(12)}}}", f"a\\ipsecNFA{{{s.guid(11)}}}")
    graph = edited("21", ipsecownersreference=owners)
    assert codes(graph) == ["PA134"]
    assert graph.policies == (s.small_policy(),)


def test_pa135_the_assigned_policy_is_missing() -> None:
    graph = built(s.small_store().values(), assigned=f"a\\ipsecPolicy{{{s.guid(97)}}}")
    assert codes(graph) == ["PA135"]
    assert not graph.policies[0].assigned


def test_pa135_the_assignment_is_no_name() -> None:
    assert codes(built(s.small_store().values(), assigned="My Policy")) == ["PA135"]


def test_pa137_the_assignment_is_no_policy() -> None:
    assert codes(built(s.small_store().values(), assigned=f"a\\ipsecNFA{{{s.guid(11)}}}")) == ["PA137"]


def test_nothing_is_assigned_by_a_blank_value() -> None:
    assert codes(built(s.small_store().values(), assigned=" ")) == []


def test_pa136_objects_of_no_policy_are_noted() -> None:
    graph = without("1")
    assert graph.policies == ()
    assert codes(graph) == ["PA136"] * 8


def test_pa138_a_policy_without_key_exchange_settings_still_loads() -> None:
    graph = without("2")
    assert codes(graph) == ["PA130", "PA138"]
    assert graph.policies == (replace(s.small_policy(), main_mode=None),)
    assert codes(edited("1", ipsecisakmpreference=None)) == ["PA136", "PA138"]
    assert "PA138" in codes(edited("2", ipsecdata=b"x"))


# What can be wrong with values


def test_pa133_a_policy_without_data_polls_at_the_default_interval() -> None:
    graph = edited("1", ipsecdata=None)
    assert codes(graph) == ["PA133"]
    assert graph.policies == (s.small_policy(),)


def test_pa133_a_rule_without_data_is_left_out_and_belongs_to_event_5462() -> None:
    graph = edited("12", ipsecdata=None, ipsecname="Web")
    assert [(finding.rule, finding.event) for finding in found(graph, "PA133")] == [("Web", 5462)]
    assert [one.guid for one in graph.policies[0].rules] == [s.guid(11), s.guid(13)]


def test_a_rule_whose_data_are_damaged_is_left_out() -> None:
    graph = edited("12", ipsecdata=s.NFA_W10[:34])
    assert [(finding.code, finding.event) for finding in graph.findings] == [("PA120", 5462)]
    assert len(graph.policies[0].rules) == 2


def test_a_filter_list_whose_data_are_damaged_is_missing_from_its_rule() -> None:
    graph = edited("21", ipsecdata=s.NFA_W10)
    assert codes(graph) == ["PA124"]
    assert rule(graph, 12).missing == (f"ipsecFilter{{{s.guid(21)}}}",)


def test_a_filter_list_with_a_damaged_filter_keeps_those_before_it() -> None:
    data = s.small_store()["22"].attributes["ipsecdata"]
    assert isinstance(data, bytes)
    graph = edited("22", ipsecdata=data[:-75])
    assert codes(graph) == ["PA120"]
    assert len(rule(graph, 13).filter_lists[0].filters) == 30


def test_a_filter_action_without_data_still_blocks() -> None:
    graph = edited("31", ipsecdata=None)
    assert codes(graph) == ["PA133"]
    got = rule(graph, 12).filter_action
    assert got is not None
    assert got.action is Action.BLOCK


@pytest.mark.parametrize(
    ("which", "attribute", "severity"),
    [
        ("12", "ipsecnegotiationpolicyreference", Severity.ERROR),
        ("31", "ipsecnegotiationpolicyaction", Severity.ERROR),
        ("31", "ipsecnegotiationpolicytype", Severity.WARNING),
        ("1", "ipsecnfareference", Severity.WARNING),
    ],
)
def test_pa133_a_missing_value_is_named(which: str, attribute: str, severity: Severity) -> None:
    findings = found(edited(which, **{attribute: None}), "PA133")
    assert [finding.severity for finding in findings] == [severity]


@pytest.mark.parametrize(
    ("which", "attribute", "value"),
    [
        ("1", "ipsecname", 7),
        ("1", "description", b"x"),
        ("1", "whenchanged", "20220628"),
        ("1", "ipsecid", ("a", "b")),
        ("1", "ipsecdata", "63,21"),
        ("1", "ipsecnfareference", 7),
        ("1", "ipsecisakmpreference", ("a", "b")),
        ("12", "ipsecnegotiationpolicyreference", b"x"),
        ("31", "ipsecnegotiationpolicyaction", 3),
        ("21", "ipsecownersreference", 3),
    ],
)
def test_pa112_a_value_of_another_type_is_ignored(which: str, attribute: str, value: Any) -> None:
    graph = edited(which, **{attribute: value})
    assert len(found(graph, "PA112")) == 1
    assert found(graph, "PA112")[0].origin.locator.lower().endswith(attribute)
    assert len(graph.policies) == 1


def test_pa126_an_id_that_differs_from_the_name() -> None:
    graph = edited("1", ipsecid=f"{{{s.guid(3)}}}")
    assert codes(graph) == ["PA126"]
    assert graph.policies == (s.small_policy(),)


@pytest.mark.parametrize("name", ["Local", "ipsecNFA{1}", "ipsecOther{0a000000-0000-4000-8000-000000000001}"])
def test_pa126_an_object_with_a_name_of_another_form_is_left_out(name: str) -> None:
    graph = built([*s.small_store().values(), StoredObject(name, {}, Origin())])
    assert codes(graph) == ["PA126"]


def test_a_name_is_compared_without_regard_to_case() -> None:
    assert parse_name("CN=IPSECNFA{0A000000-0000-4000-8000-00000000000C}") == parse_name(f"ipsecNFA{{{s.guid(12)}}}")
    assert parse_name("CN=ipsecNFA{0a000000-0000-4000-8000-00000000000c}\\0ADEL:0a000000,CN=Deleted Objects,DC=x") is None


# Secrets


@pytest.mark.parametrize("value", [None, 0, 1, 2, 0x7F, 0xFF])
def test_a_preshared_key_is_in_no_repr_and_no_finding_even_of_damaged_data(value: int | None) -> None:
    key = "Tr0ub4dor"
    policy = s.small_policy()
    keyed = replace(policy.rules[1], auth_methods=(AuthMethod(AuthKind.PRESHARED_KEY, Secret(key)),))
    objects = store(replace(policy, rules=(policy.rules[0], keyed, policy.rules[2])))
    index = next(n for n, one in enumerate(objects) if one.name.endswith(f"{s.guid(12)}}}"))
    data = objects[index].attributes["ipsecdata"]
    assert isinstance(data, bytes)
    assert key.encode("utf-16-le") in data
    assert rule(built(objects), 12).auth_methods[0].key == Secret(key)
    for at in range(20, len(data)) if value is not None else (0,):
        damaged = data if value is None else data[:at] + bytes((value,)) + data[at + 1 :]
        objects[index] = s.changed(objects[index], ipsecdata=damaged)
        graph = built(objects)
        shown = repr(graph) + repr(objects) + str(nfa.decode(damaged)) + "".join(str(f.as_dict()) for f in graph.findings)
        for part in (key, key[:4], key[-4:], "\\x00".join(key[:4])):
            assert part not in shown, at


def test_a_large_list_is_read_once_however_many_rules_use_it(monkeypatch: pytest.MonkeyPatch) -> None:
    calls = []
    decode = filter_list.decode
    monkeypatch.setattr(filter_list, "decode", lambda *given: calls.append(1) or decode(*given))  # type: ignore[func-returns-value]
    policy = s.small_policy()
    shared = policy.rules[2].filter_lists
    rules = tuple(replace(policy.rules[2], guid=s.guid(40 + n), filter_lists=shared) for n in range(20))
    assert built(store(replace(policy, rules=rules))).policies == (replace(policy, rules=rules),)
    assert len(calls) == 1


def test_thousands_of_rules_and_lists_that_name_each_other_are_built_and_stored_in_time() -> None:
    policy = s.small_policy()
    lists = tuple(replace(policy.rules[1].filter_lists[0], guid=s.guid(100_000 + n)) for n in range(3000))
    rules = tuple(replace(policy.rules[1], guid=s.guid(10_000 + n), filter_lists=lists[:1]) for n in range(3000))
    wide = replace(policy, rules=(replace(policy.rules[1], filter_lists=lists), *rules))
    began = time.perf_counter()
    graph = built(store(wide))
    assert time.perf_counter() - began < 10
    assert graph == Graph((wide,), ())
