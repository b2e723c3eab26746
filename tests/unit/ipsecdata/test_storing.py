"""From policies to stored objects."""

from dataclasses import replace

import pytest

from pastore.ipsecdata import nfa
from pastore.ipsecdata.objects import store
from pastore.model import NO_GUID, Action, FilterAction, FilterList, Offer, Policy, Rule
from tests.support import stored as s

LOCAL = "SOFTWARE\\Policies\\Microsoft\\Windows\\IPSec\\Policy\\Local"


def test_a_rule_is_stored_as_windows_10_stores_it() -> None:
    stored = s.small_store()["12"]
    name = f"ipsecNFA{{{s.guid(12)}}}"
    assert stored.name == name
    assert stored.origin.locator == f"HKEY_LOCAL_MACHINE\\{LOCAL}\\{name}"
    assert stored.attributes == {
        "classname": "ipsecNFA",
        "name": name,
        "ipsecid": f"{{{s.guid(12)}}}",
        "ipsecdatatype": 0x100,
        "ipsecdata": s.NFA_W10,
        "whenchanged": 1656389252,
        "ipsecownersreference": (f"{LOCAL}\\ipsecPolicy{{{s.guid(1)}}}",),
        "ipsecfilterreference": (f"{LOCAL}\\ipsecFilter{{{s.guid(21)}}}",),
        "ipsecnegotiationpolicyreference": f"{LOCAL}\\ipsecNegotiationPolicy{{{s.guid(31)}}}",
    }


def test_a_shared_object_is_stored_once_and_names_all_its_owners() -> None:
    stored = s.small_store()["31"]
    owners = tuple(f"{LOCAL}\\ipsecNFA{{{s.guid(number)}}}" for number in (12, 13))
    assert stored.attributes["ipsecownersreference"] == owners


def test_empty_names_and_unknown_times_are_left_out() -> None:
    (stored,) = store(Policy(s.guid(1), ""))
    assert {"ipsecname", "description", "whenchanged", "ipsecnfareference", "distinguishedname"}.isdisjoint(stored.attributes)


def test_in_a_directory_objects_have_a_dn_and_refer_by_dn() -> None:
    objects = store(s.small_policy(), container="CN=IP Security,CN=System,DC=corp")
    name = f"ipsecPolicy{{{s.guid(1)}}}"
    assert objects[0].attributes["distinguishedname"] == f"CN={name},CN=IP Security,CN=System,DC=corp"
    assert objects[0].attributes["objectclass"] == "ipsecPolicy"
    assert objects[1].attributes["ipsecownersreference"] == (f"CN={name},CN=IP Security,CN=System,DC=corp",)


def test_the_soft_option_is_one_more_offer_without_algorithms() -> None:
    action = FilterAction(s.guid(1), "", Action.PROTECT, soft=True)
    rule = Rule(s.guid(2), filter_action=action, default_response=True)
    objects = store(Policy(s.guid(3), "", rules=(rule,)))
    data = objects[2].attributes["ipsecdata"]
    assert isinstance(data, bytes)
    assert (len(data), data[20:24], data[24:]) == (105, b"\1\0\0\0", bytes(81))


RULE = Rule(s.guid(2), filter_lists=(FilterList(s.guid(4), "a"),))
ACTION = FilterAction(s.guid(5), "", Action.BLOCK)


@pytest.mark.parametrize(
    ("rules", "why"),
    [
        ((replace(RULE, guid=NO_GUID),), "without a GUID"),
        ((RULE, RULE), "in the policy twice"),
        ((RULE, Rule(s.guid(3), filter_lists=(FilterList(s.guid(4), "b"),))), "two different things"),
        ((Rule(s.guid(2)),), "default response rule"),
        ((replace(RULE, default_response=True),), "default response rule"),
        ((replace(RULE, filter_action=replace(ACTION, default_response=True)),), "default response rule"),
        ((replace(RULE, filter_action=replace(ACTION, inpass=True)),), "only a filter action that protects"),
        ((replace(RULE, filter_action=replace(ACTION, offers=(Offer(),))),), "1 to 3 algorithms"),
        ((replace(RULE, interface_name="a\0b"),), "zero character"),
    ],
)
def test_a_policy_that_cannot_be_stored_as_it_is_is_refused(rules: tuple[Rule, ...], why: str) -> None:
    with pytest.raises(ValueError, match=why):
        store(Policy(s.guid(1), "x", rules=rules))


def test_an_interval_that_does_not_fit_is_refused() -> None:
    with pytest.raises(ValueError, match="polling interval"):
        store(Policy(s.guid(1), "x", polling_interval=-1))


def test_a_rule_keeps_both_lists_of_authentication_methods() -> None:
    blob, _ = nfa.decode(s.NFA_W10)
    data = s.small_store()["13"].attributes["ipsecdata"]
    assert isinstance(data, bytes)
    again, _ = nfa.decode(data)
    assert blob is not None
    assert again == replace(blob, interface_type=nfa.ALL)
