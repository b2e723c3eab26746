"""The same policy in two formats has no difference, and one edit of it has the difference that brute force finds."""

from dataclasses import replace
from typing import Final

import numpy as np
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pastore.analysis.aim import aim
from pastore.analysis.difference import difference
from pastore.export import ldif, netsh, policy_json, reg
from pastore.filters.expand import expand
from pastore.filters.host import Host
from pastore.filters.specific import SpecificFilters
from pastore.matcher import Matcher
from pastore.model import Policy, Rule
from pastore.sources import Loaded
from pastore.sources import reg as reg_source
from pastore.sources.ldif import load_ldif
from pastore.sources.netsh import load_script
from pastore.sources.policy_json import load_json
from pastore.sources.registry import load_tree
from tests.support import stored as s
from tests.support.policies import flt, policy, rule

HOSTS: Final = (Host(), Host.parse(["10.9.0.7/24"]), Host.parse(["10.9.0.7", "2001:db8::7"]))
ENDS: Final = ("any", "me", "10.0.0.0/8", "10.9.0.0/16", "10.9.0.0/24", "10.9.0.9", "10.9.0.3-10.9.0.20", "192.0.2.1")
PORTS: Final = ("", ":80", ":445")


@st.composite
def rules(draw: st.DrawFn) -> Rule:
    """Return a rule of a few filters that netsh can write and that overlap those of others."""
    made = []
    for _ in range(draw(st.integers(1, 3))):
        protocol = draw(st.sampled_from(("any", "tcp", "udp", "icmp")))
        src, dst = draw(st.sampled_from(ENDS)), draw(st.sampled_from(ENDS))
        port = draw(st.sampled_from(PORTS)) if protocol in ("tcp", "udp") else ""
        made.append(
            flt(
                f"{protocol} {src} > {dst}{port}",
                mirrored=draw(st.booleans()),
                name=str(draw(st.integers(0, 10**9))),
                version=2 if "-" in src + dst else 1,
            )
        )
    return rule(f"rule {draw(st.integers(0, 10**9))}", draw(st.sampled_from(("allow", "block", "protect"))), *made)


policies = st.lists(rules(), min_size=1, max_size=4, unique_by=lambda each: each.name).map(lambda made: policy(*made))


def rows(made: Policy, host: Host) -> SpecificFilters:
    return expand(made, host, default_exempt=3).filters


def only(loaded: Loaded) -> Policy:
    assert isinstance(loaded.policy, Policy)
    return loaded.policy


def through_reg(made: Policy) -> Policy:
    root, findings = reg_source.read(reg.write(made, secrets=True), "x.reg")
    assert findings == ()
    return only(load_tree(root, source="x.reg"))


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(policies, st.sampled_from(HOSTS))
def test_it_is_the_same_in_every_format(made: Policy, host: Host) -> None:
    written = netsh.script(made, secrets=True)
    assert written.findings == ()
    expected = rows(made, host)
    for other in (
        through_reg(made),
        only(load_ldif(ldif.write(made, base_dn="DC=corp,DC=example", secrets=True), "x.ldif")),
        only(load_json(policy_json.write(made, secrets=True), "x.json")),
        only(load_script(written.data, "x.bat")),
    ):
        assert difference(expected, rows(other, host)).equal


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(s.policies(), st.sampled_from(HOSTS))
def test_so_is_any_policy_in_the_formats_that_hold_all_of_it(made: Policy, host: Host) -> None:
    expected = rows(made, host)
    assert difference(expected, rows(through_reg(made), host)).equal
    assert difference(expected, rows(only(load_json(policy_json.write(made, secrets=True), "x.json")), host)).equal


@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
@given(policies, rules(), st.sampled_from(HOSTS), st.data())
def test_an_edit_has_the_difference_that_packets_at_all_bounds_find(
    made: Policy, extra: Rule, host: Host, data: st.DataObject
) -> None:
    edited = list(made.rules)
    at = data.draw(st.integers(0, len(edited) - 1))
    kind = data.draw(st.sampled_from(("add", "remove", "replace")))
    if kind != "add":
        del edited[at]
    if kind != "remove":
        edited.append(extra)
    old, new = rows(made, host), rows(replace(made, rules=tuple(edited)), host)
    found = difference(old, new)
    assert found.decided
    both = SpecificFilters(np.ascontiguousarray(np.concatenate([old.rows, new.rows])))
    for filters, seed in ((old, 1), (new, 2)):
        batch = aim(filters if len(filters) else both, 800, seed)
        before, after = (Matcher(each).classify(batch).action for each in (old, new))
        for number, differs in enumerate(before != after):
            packet = batch.packet(number)
            fields = (packet.src, packet.dst, packet.protocol, packet.sport, packet.dport, packet.direction, packet.interface)
            told = [
                change
                for change in found.changes
                if change.family == packet.family
                and all(low <= value <= high for (low, high), value in zip(change.box, fields, strict=True))
            ]
            assert len(told) == differs
