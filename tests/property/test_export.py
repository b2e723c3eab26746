"""Any policy survives each format, one after the other, and back."""

import os
from dataclasses import replace
from typing import Final

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pastore.export import ldif, policy_json, reg
from pastore.model import AuthKind, Policy, Storage
from pastore.sources import Loaded
from pastore.sources import reg as reg_source
from pastore.sources.ldif import load_ldif
from pastore.sources.policy_json import load_json
from pastore.sources.registry import load_tree
from tests.support import stored as s

BASE: Final = "DC=corp,DC=example"
POLICIES: Final = int(os.environ.get("PASTORE_EXPORT_POLICIES", "2000"))


@st.composite
def policies(draw: st.DrawFn) -> Policy:
    """Return a policy of which some rules may be missing."""
    lost = draw(st.lists(st.integers(1, 1 << 40).map(lambda number: f"ipsecNFA{{{s.guid(number)}}}"), max_size=2, unique=True))
    return replace(draw(s.policies()), missing=tuple(sorted(lost)))


def as_local(policy: Policy) -> Policy:
    """Return a policy as the local store holds it."""
    return replace(policy, storage=Storage.LOCAL)


def as_directory(policy: Policy) -> Policy:
    """Return a policy as a directory holds it: no assignment and no NoDefaultExempt."""
    dn = f"CN=ipsecPolicy{{{policy.guid}}},CN=IP Security,CN=System,{BASE}"
    return replace(policy, storage=Storage.DIRECTORY, assigned=False, default_exempt=None, dn=dn)


def through_reg(policy: Policy) -> Policy:
    root, findings = reg_source.read(reg.write(policy, secrets=True), "x.reg")
    assert findings == ()
    return only(load_tree(root, source="x.reg"))


def through_ldif(policy: Policy) -> Policy:
    return only(load_ldif(ldif.write(policy, base_dn=BASE, secrets=True), "x.ldif"))


def through_json(policy: Policy, *, secrets: bool = True) -> Policy:
    return only(load_json(policy_json.write(policy, secrets=secrets), "x.json"))


def only(loaded: Loaded) -> Policy:
    # A random policy has rules without an action and lists that are missing: that is a finding, and no damage of the format.
    assert {finding.code for finding in loaded.findings} <= {"PA126", "PA130", "PA133", "PA138", "PA192"}
    assert isinstance(loaded.policy, Policy)
    assert loaded.policies == (loaded.policy,)
    return loaded.policy


@settings(max_examples=POLICIES, deadline=None, suppress_health_check=list(HealthCheck), database=None)
@given(policies())
def test_a_policy_is_read_back_from_each_format(policy: Policy) -> None:
    assert through_reg(policy) == as_local(policy)
    assert through_ldif(policy) == as_directory(policy)
    assert through_json(policy) == policy


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(policies())
def test_a_policy_goes_round_all_formats(policy: Policy) -> None:
    local = as_local(policy)
    directory = as_directory(policy)
    assert through_json(through_ldif(through_reg(policy))) == directory
    assert through_reg(through_json(directory)) == as_local(directory)
    assert through_json(through_reg(through_json(policy))) == local


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(policies())
def test_without_secrets_json_differs_only_in_the_keys(policy: Policy) -> None:
    rules = tuple(
        replace(rule, auth_methods=tuple(replace(method, key=None) for method in rule.auth_methods)) for rule in policy.rules
    )
    assert through_json(policy, secrets=False) == replace(policy, rules=rules)
    has_key = any(method.kind == AuthKind.PRESHARED_KEY for rule in policy.rules for method in rule.auth_methods)
    if has_key:
        for write in (reg.write, lambda one: ldif.write(one, base_dn=BASE)):
            with pytest.raises(ValueError, match="has a pre-shared key"):
                write(policy)
