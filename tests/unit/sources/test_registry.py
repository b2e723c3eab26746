"""IPsec policy in a registry tree."""

import os
from pathlib import Path

import pytest

from pastore.model import Policy, Storage
from pastore.sources import Loaded, load
from pastore.sources.reg import read
from pastore.sources.registry import Key, Kind, Value, load_tree
from tests.support.reg_text import STYLES, RegValue, reg_text
from tests.support.stored_policy import CACHE, GPT, IPSEC, LOCAL, POLICY, SERVICES, Keys, export, store

DN = f"CN=ipsecPolicy{{{POLICY}}},CN=IP Security,CN=System,DC=corp,DC=example"


def loaded(keys: Keys, wanted: str | None = None, style: str = "utf8") -> Loaded:
    root, findings = read(reg_text(keys, style), "x.reg")
    assert findings == ()
    return load_tree(root, source="x.reg", wanted=wanted)


def policy_of(got: Loaded) -> Policy:
    assert isinstance(got.policy, Policy), got.findings
    return got.policy


def codes(got: Loaded) -> list[str]:
    return [finding.code for finding in got.findings]


def replaced(keys: Keys, old: str, new: str) -> Keys:
    """Return the same keys at another path."""
    return {path.replace(old, new): values for path, values in keys.items()}


# Whole exports


def real_export(directory: Path) -> Path:
    data = os.environ.get("PASTORE_DATA")
    if data:
        return Path(data, "registry", "win10-gsecurity-2022.reg")
    path = directory / "x.reg"
    path.write_bytes(reg_text(export()))
    return path


def test_a_windows_10_export_has_one_policy_three_rules_and_33_filters(tmp_path: Path) -> None:
    got = load(real_export(tmp_path))
    policy = policy_of(got)
    assert got.policies == (policy,)
    assert len(policy.rules) == 3
    assert sum(len(filters.filters) for rule in policy.rules for filters in rule.filter_lists) == 33
    assert policy.assigned
    assert policy.storage is Storage.LOCAL
    assert [finding for finding in got.findings if finding.severity.value == "error"] == []


def test_every_style_of_export_gives_the_same_policy() -> None:
    v5, utf8, regedit4 = (loaded(export(), style=style) for style in STYLES)
    assert policy_of(v5) == policy_of(utf8) == policy_of(regedit4)
    assert v5.findings == utf8.findings == regedit4.findings
    assert policy_of(v5).name == "Server Isolation"


def test_nodes_know_key_and_line() -> None:
    keys = export()
    text = reg_text(keys, "utf8").decode()
    policy = policy_of(loaded(keys))
    key = f"{LOCAL}\\ipsecPolicy{{{POLICY}}}"
    assert policy.origin.locator == key
    assert policy.origin.line == text[: text.index(f"[{key}]")].count("\n") + 1
    rule = policy.rules[1]
    assert rule.origin.line == text[: text.index(f"[{rule.origin.locator}]")].count("\n") + 1


@pytest.mark.parametrize(
    "base",
    [
        r"HKEY_LOCAL_MACHINE\SOFTWARE\Policies\Microsoft\Windows\IPSEC",
        r"HKEY_LOCAL_MACHINE\OFFLINE\Policies\Microsoft\Windows\IPSec",
        r"HKEY_LOCAL_MACHINE\SOFTWARE\WOW6432Node\Policies\Microsoft\Windows\IPSec",
        r"HKEY_USERS\x\ipsec",
        "IPSec",
        "ROOT",
        r"HKEY_LOCAL_MACHINE\ipsec backup",
    ],
)
def test_a_store_is_found_below_any_root(base: str) -> None:
    policy = policy_of(loaded(replaced(export(), IPSEC, base)))
    assert policy.assigned
    assert len(policy.rules) == 3


def test_a_store_without_the_keys_above_it() -> None:
    policy = policy_of(loaded(replaced(export(), LOCAL, "Local")))
    assert len(policy.rules) == 3
    assert policy.storage is Storage.LOCAL


def test_the_32_bit_view_of_the_same_keys_is_not_a_second_policy() -> None:
    view = IPSEC.replace("SOFTWARE", r"SOFTWARE\WOW6432Node")
    got = loaded(export() | replaced(export(), IPSEC, view))
    assert len(got.policies) == 1
    assert policy_of(got).origin.locator.startswith(IPSEC)


# Assignment


def test_a_policy_that_is_not_assigned_is_taken_when_it_is_the_only_one() -> None:
    policy = policy_of(loaded(export(assigned=False)))
    assert not policy.assigned


def domain(local: bool = True, **gpt: RegValue) -> Keys:
    """A machine with a policy from the domain, and one of its own."""
    other = "6f1f3b8e-0c5a-4c1e-9d8e-0a2b6d1c7f99"
    cached = store(CACHE, name="Domain Policy")
    keys = export(name="Own Policy") if local else {}
    moved = {
        path.replace(POLICY, other): {
            name: value.replace(POLICY, other) if isinstance(value, str) else value for name, value in values.items()
        }
        for path, values in keys.items()
    }
    return {GPT: {"DSIPSECPolicyPath": f"LDAP://{DN}", "DSIPSECPolicyName": "Domain Policy", **gpt}} | moved | cached


def test_pa312_the_domain_policy_overrides_the_local_assignment() -> None:
    got = loaded(domain())
    policy = policy_of(got)
    assert (policy.name, policy.storage, policy.assigned, policy.dn) == ("Domain Policy", Storage.CACHE, True, DN)
    assert [p.name for p in got.policies if p.assigned] == ["Domain Policy"]
    assert {p.name for p in got.policies} == {"Domain Policy", "Own Policy"}
    finding = next(finding for finding in got.findings if finding.code == "PA312")
    assert finding.origin.locator == LOCAL
    assert finding.origin.line is not None


def test_the_local_policy_can_still_be_asked_for() -> None:
    policy = policy_of(loaded(domain(), "Own Policy"))
    assert (policy.name, policy.assigned, policy.dn) == ("Own Policy", False, "")


def test_without_a_local_assignment_there_is_nothing_to_override() -> None:
    got = loaded(domain(local=False))
    assert policy_of(got).name == "Domain Policy"
    assert "PA312" not in codes(got)


@pytest.mark.parametrize("prefix", ["LDAP://", "ldap://", "LDAP://dc1.corp.example/", ""])
def test_the_dn_is_what_follows_the_ldap_prefix(prefix: str) -> None:
    assert policy_of(loaded(domain(DSIPSECPolicyPath=prefix + DN.upper()))).dn == DN.upper()


def test_an_empty_path_assigns_nothing() -> None:
    got = loaded(domain(DSIPSECPolicyPath=""))
    assert policy_of(got).name == "Own Policy"
    assert "PA312" not in codes(got)


def test_pa135_a_domain_policy_that_is_not_cached_is_not_replaced_by_the_local_one() -> None:
    keys = {path: values for path, values in domain().items() if not path.startswith(CACHE)}
    got = loaded(keys)
    assert got.policy is None
    assert [p.name for p in got.policies] == ["Own Policy"]
    assert codes(got).count("PA135") == 1
    finding = next(finding for finding in got.findings if finding.code == "PA135")
    assert finding.origin.locator == GPT
    assert policy_of(loaded(keys, "Own Policy")).name == "Own Policy"


def test_pa135_a_domain_assignment_alone() -> None:
    got = loaded({GPT: {"DSIPSECPolicyPath": f"LDAP://{DN}"}})
    assert got.policy is None
    assert codes(got) == ["PA135"]


def test_pa126_a_domain_path_without_a_policy() -> None:
    got = loaded(domain(DSIPSECPolicyPath="LDAP://CN=System"))
    assert got.policy is None
    assert {"PA126", "PA135"} <= set(codes(got))


def test_pa135_local_assignment_of_a_policy_that_is_not_there() -> None:
    keys = export()
    keys[LOCAL]["ActivePolicy"] = r"SOFTWARE\x\ipsecPolicy{6f1f3b8e-0c5a-4c1e-9d8e-0a2b6d1c7fff}"
    got = loaded(keys)
    finding = next(finding for finding in got.findings if finding.code == "PA135")
    assert finding.origin.locator == LOCAL + r"\ActivePolicy"
    assert finding.origin.line is not None
    assert reg_text(keys, "utf8").decode().splitlines()[finding.origin.line - 1].startswith('"ActivePolicy"=')
    assert not policy_of(got).assigned


def test_pa105_two_machines_in_one_file() -> None:
    got = loaded(export() | replaced(export(name="Other"), IPSEC, r"HKEY_USERS\x\IPSec"))
    assert got.policy is None
    assert codes(got).count("PA105") == 1
    assert len(got.policies) == 2


def test_pa104_and_pa105_reach_the_caller() -> None:
    assert "PA104" in codes(loaded(export(), "Nothing"))
    two = export(assigned=False) | replaced(export(assigned=False, name="Other"), IPSEC, r"HKEY_USERS\x\IPSec")
    assert "PA105" in codes(loaded(two))
    assert policy_of(loaded(two, "other")).name == "Other"


@pytest.mark.parametrize("keys", [{}, {IPSEC: {}}, {LOCAL: {}}, {SERVICES + r"\PolicyAgent": {"NoDefaultExempt": 3}}])
def test_pa103_no_policy(keys: Keys) -> None:
    got = loaded(keys)
    assert got.policy is None
    assert got.policies == ()
    assert codes(got) == ["PA103"]


def test_pa103_objects_without_a_policy_object() -> None:
    keys = {path: values for path, values in store().items() if "ipsecPolicy" not in path}
    got = loaded(keys)
    assert got.policy is None
    assert "PA103" in codes(got)


# Values


@pytest.mark.parametrize(
    ("name", "value"),
    [("description", 5), ("ipsecDataType", "256"), ("whenChanged", b"\x01"), ("ipsecOwnersReference", "one")],
)
def test_pa112_a_value_of_the_wrong_type_is_ignored(name: str, value: RegValue) -> None:
    keys = export()
    path = f"{LOCAL}\\ipsecPolicy{{{POLICY}}}"
    keys[path][name] = value
    got = loaded(keys)
    assert policy_of(got).name == "Server Isolation"
    finding = next(finding for finding in got.findings if finding.code == "PA112")
    assert finding.origin.locator == path
    line = finding.origin.line
    assert line is not None
    assert reg_text(keys, "utf8").decode().splitlines()[line - 1].startswith(f'"{name}"=')


def test_pa112_assignments_of_the_wrong_type() -> None:
    keys = export(assigned=False)
    keys[LOCAL]["ActivePolicy"] = 1
    keys[GPT] = {"DSIPSECPolicyPath": b"\x01"}
    got = loaded(keys)
    assert codes(got).count("PA112") == 2
    assert not policy_of(got).assigned


# Default exemptions


@pytest.mark.parametrize(
    ("services", "expected"),
    [
        ({}, None),
        ({"PolicyAgent": 1}, 1),
        ({"IPSEC": 2}, 2),
        ({"IPSEC": 2, "PolicyAgent": 0}, 0),
        ({"Other": 1}, None),
    ],
)
def test_no_default_exempt_of_policy_agent_goes_before_ipsec(services: dict[str, int], expected: int | None) -> None:
    keys = export() | {f"{SERVICES}\\{service}": {"NoDefaultExempt": value} for service, value in services.items()}
    assert policy_of(loaded(keys)).default_exempt == expected


def test_the_control_set_in_use_counts() -> None:
    keys: Keys = {}
    for number in (2, 1, 3):
        keys[rf"HKEY_LOCAL_MACHINE\SYSTEM\ControlSet00{number}\Services\PolicyAgent"] = {"NoDefaultExempt": number}
    assert policy_of(loaded(export() | keys)).default_exempt == 1
    select: Keys = {r"HKEY_LOCAL_MACHINE\SYSTEM\Select": {"Current": 3}}
    assert policy_of(loaded(export() | keys | select)).default_exempt == 3
    current: Keys = {SERVICES + r"\PolicyAgent": {"NoDefaultExempt": 0}}
    assert policy_of(loaded(export() | keys | current)).default_exempt == 0


@pytest.mark.parametrize(("value", "code"), [("3", "PA112"), (7, "PA126")])
def test_no_default_exempt_that_cannot_be_used(value: RegValue, code: str) -> None:
    got = loaded(export() | {SERVICES + r"\PolicyAgent": {"NoDefaultExempt": value}})
    assert policy_of(got).default_exempt is None
    finding = next(finding for finding in got.findings if finding.code == code)
    assert finding.origin.locator == SERVICES + r"\PolicyAgent"


# The tree


def test_keys_are_found_in_any_case_and_keep_their_spelling() -> None:
    root = Key()
    key = root.enter(r"A\bC\\d\\"[:-1], 3)
    assert key.path == r"A\bC\d"
    assert root.find(r"a\BC\D") is key is root.enter(r"a\bc\d", 9)
    assert key.line == 3
    assert root.find(r"a\x\d") is None


def test_deleting_a_key_and_the_root() -> None:
    root = Key()
    root.enter(r"a\b\c")
    root.delete(r"A\B")
    root.delete(r"a\nothing")
    root.delete("")
    assert [key.path for key in root.walk()] == ["", "a"]


def test_walking_is_parents_first_in_order() -> None:
    root = Key()
    for path in (r"b\y", r"b\x", "a"):
        root.enter(path)
    assert [key.path for key in root.walk()] == ["", "b", r"b\y", r"b\x", "a"]


def test_a_path_deeper_than_a_registry_is_refused() -> None:
    with pytest.raises(ValueError, match="512 levels"):
        Key().enter("a\\" * 513)
    assert Key().enter("a\\" * 512).name == "a"


def test_a_value_does_not_show_its_data() -> None:
    assert "SECRET" not in repr(Value("ipsecData", Kind.BINARY, b"SECRET"))
