"""Audit policy as auditpol has it."""

import re

import pytest

from pastore.audit import EVENTS, AuditEvent, AuditPolicy, Outcome, event

APPLIED = event(5460, Policy="p")  # success, Filtering Platform Policy Change
PARTLY = event(5462, Policy="p", Error=13008)  # failure, the same
STARTED = event(5478)  # success, IPsec Driver
UNSEEN = event(5480)  # failure, IPsec Driver
NO_IKE = event(5453)  # success, IPsec Main Mode


def wanted(policy: AuditPolicy) -> list[int]:
    return [one.id for one in (APPLIED, PARTLY, STARTED, UNSEEN, NO_IKE) if policy.wants(one)]


def test_our_own_log_records_everything(every_event: list[AuditEvent]) -> None:
    assert all(AuditPolicy.all().wants(one) for one in every_event)
    assert {one.id for one in every_event} == set(EVENTS)


def test_windows_records_nothing_unless_told_to(every_event: list[AuditEvent]) -> None:
    assert not any(AuditPolicy.windows_default().wants(one) for one in every_event)


@pytest.mark.parametrize(
    ("settings", "ids"),
    [
        ([], []),
        (["Filtering Platform Policy Change=failure"], [5462]),
        (["Filtering Platform Policy Change=success"], [5460]),
        (["ipsec driver = Success, FAILURE"], [5478, 5480]),
        (["System=failure"], [5480]),
        (["Policy Change=Success and Failure"], [5460, 5462]),
        (["Logon/Logoff=success"], [5453]),
        (["{0CCE9233-69AE-11D9-BED3-505054503030}=success"], [5460]),
        (["0cce9213-69ae-11d9-bed3-505054503030=failure"], [5480]),
        (["{6997984d-797a-11d9-bed3-505054503030}=success,failure"], [5460, 5462]),
    ],
)
def test_settings_are_by_name_or_guid_and_in_any_case(settings: list[str], ids: list[int]) -> None:
    assert wanted(AuditPolicy.parse(settings, base=AuditPolicy.windows_default())) == ids


def test_category_sets_its_subcategories_and_the_last_setting_holds() -> None:
    lines = ["Filtering Platform Policy Change=failure", "IPsec Driver=success,failure", "System=none"]
    assert wanted(AuditPolicy.parse(lines)) == [5462, 5453]
    assert wanted(AuditPolicy.parse([*lines, "IPsec Driver=success"])) == [5462, 5478, 5453]
    assert wanted(AuditPolicy.parse(["IPsec Driver=No Auditing"])) == [5460, 5462, 5453]


def test_category_sets_every_one_of_its_subcategories(every_event: list[AuditEvent]) -> None:
    policy = AuditPolicy.parse(["Policy Change=none"])
    left = {one.type.subcategory.name for one in every_event if policy.wants(one)}
    assert left == {"IPsec Driver", "IPsec Main Mode"}


def test_what_is_not_named_stays_as_the_base_has_it() -> None:
    base = AuditPolicy.parse(["System=failure"])
    assert wanted(AuditPolicy.parse(["Policy Change=none"], base)) == [5480, 5453]


@pytest.mark.parametrize(
    ("setting", "said"),
    [
        ("IPsec Driver", "audit setting 'IPsec Driver' is not of the form NAME=VALUE"),
        ("Logins=success", "audit category 'Logins' is not known; known are System, Logon/Logoff, Policy Change, IPsec Driver,"),
        ("System=yes", "audit setting 'yes' is not success, failure, success,failure or none"),
        ("System=", "is not success"),
        ("System=success,none", "is not success"),
        ("=success", "audit category '' is not known"),
    ],
)
def test_setting_that_is_not_understood_is_an_error_that_says_what_is(setting: str, said: str) -> None:
    with pytest.raises(ValueError, match=re.escape(said)):
        AuditPolicy.parse([setting])


def test_policy_prints_as_settings_that_parse_to_it() -> None:
    policy = AuditPolicy.parse(["Policy Change=failure", "System=none"])
    assert str(policy).startswith("IPsec Driver=none; IPsec Main Mode=success,failure; Filtering Platform Policy Change=failure")
    again = AuditPolicy.parse(str(policy).split("; "), base=AuditPolicy.windows_default())
    assert (again, hash(again)) == (policy, hash(policy))


def test_policy_cannot_be_changed_from_outside() -> None:
    settings = dict(AuditPolicy.windows_default().settings)
    policy = AuditPolicy(settings)
    settings[PARTLY.type.subcategory] = frozenset(Outcome)
    assert not policy.wants(PARTLY)
