"""Which of several policies is meant."""

from dataclasses import replace
from uuid import UUID

import pytest

from pastore.model import Policy, Storage
from pastore.sources.choice import choose

ONE = Policy(UUID(int=1), "Server Isolation", storage=Storage.LOCAL)
TWO = Policy(UUID(int=2), "Block All", storage=Storage.LOCAL)
OTHER_CASE = Policy(UUID(int=3), "BLOCK ALL", storage=Storage.CACHE)


def test_the_only_policy_is_meant() -> None:
    assert choose([ONE], None) == (ONE, ())


def test_the_assigned_policy_is_meant() -> None:
    assigned = replace(TWO, assigned=True)
    assert choose([ONE, assigned, OTHER_CASE], None) == (assigned, ())


def test_pa105_several_and_none_assigned_names_them_all() -> None:
    chosen, findings = choose([ONE, TWO], None, source="x.reg")
    assert chosen is None
    assert [(finding.code, finding.origin.source) for finding in findings] == [("PA105", "x.reg")]
    for policy in (ONE, TWO):
        assert policy.name in findings[0].message
        assert str(policy.guid) in findings[0].message


def test_pa105_several_assigned() -> None:
    chosen, findings = choose([replace(ONE, assigned=True), replace(TWO, assigned=True), OTHER_CASE], None)
    assert chosen is None
    assert [finding.code for finding in findings] == ["PA105"]
    assert "2 policies are assigned" in findings[0].message
    assert "BLOCK ALL" not in findings[0].message


@pytest.mark.parametrize(
    ("wanted", "policy"),
    [
        ("Block All", TWO),
        ("BLOCK ALL", OTHER_CASE),
        ("server isolation", ONE),
        ("00000000-0000-0000-0000-000000000001", ONE),
        ("{00000000-0000-0000-0000-000000000003}", OTHER_CASE),
        ("{00000000-0000-0000-0000-00000000000A}", Policy(UUID(int=10), "Ten")),
    ],
)
def test_by_exact_name_then_any_case_then_guid(wanted: str, policy: Policy) -> None:
    assert choose([ONE, TWO, OTHER_CASE, Policy(UUID(int=10), "Ten")], wanted) == (policy, ())


def test_a_name_goes_before_a_guid() -> None:
    named = Policy(UUID(int=7), str(ONE.guid))
    assert choose([ONE, named], str(ONE.guid)) == (named, ())


def test_pa105_two_of_one_name() -> None:
    chosen, findings = choose([TWO, OTHER_CASE], "block all")
    assert chosen is None
    assert [finding.code for finding in findings] == ["PA105"]
    assigned = replace(OTHER_CASE, assigned=True)
    assert choose([TWO, assigned], "block all") == (assigned, ())


def test_pa104_lists_the_policies_and_close_names() -> None:
    chosen, findings = choose([ONE, TWO], "Server Isolaton")
    assert chosen is None
    assert [finding.code for finding in findings] == ["PA104"]
    assert "did you mean 'Server Isolation'?" in findings[0].message
    assert "'Block All'" in findings[0].message


def test_pa104_without_a_close_name_suggests_none() -> None:
    _, findings = choose([ONE, TWO], "zzz")
    assert "did you mean" not in findings[0].message


def test_pa103_nothing_to_choose_from() -> None:
    chosen, findings = choose([], None)
    assert chosen is None
    assert [finding.code for finding in findings] == ["PA103"]


def test_a_long_list_is_cut() -> None:
    _, findings = choose([Policy(UUID(int=n), f"policy {n}") for n in range(1, 100)], None)
    assert "and 79 more" in findings[0].message
