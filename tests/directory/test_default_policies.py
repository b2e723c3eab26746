"""The three IPsec policies that every new Active Directory domain has, read from a domain controller.

What they hold was worked out by hand from the bytes, and agrees with what the snap-in shows on Windows 2000.
"""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from pastore.analysis.aim import aim
from pastore.analysis.explain import outranked, rows_near
from pastore.api import Compiled, compile_policy
from pastore.filters.host import Host
from pastore.findings import Severity
from pastore.ipsecdata import filter_list, isakmp, negotiation, nfa, policy
from pastore.ipsecdata.objects import AttributeValue, Graph, StoredObject, build
from pastore.model import Action, AddressKind, AuthKind, FilterAction, InterfaceType, Offer, Origin, Policy, Rule, Storage
from pastore.packets.packet import Packet
from pastore.verify.proof import against_scan
from tests.support.domain import BASE, DomainController, Entry, namespaces, read_ldif

CONTAINER = f"CN=IP Security,CN=System,{BASE}"
CODECS = {
    "ipsecPolicy": policy,
    "ipsecISAKMPPolicy": isakmp,
    "ipsecNFA": nfa,
    "ipsecNegotiationPolicy": negotiation,
    "ipsecFilter": filter_list,
}
VERSION_OBJECT = "ipsecNFA{6A1F5C6F-72B7-11D2-ACF0-0060B0ECCA17}"
MANY = ("ipsecnfareference", "ipsecfilterreference", "ipsecownersreference")
OTHERS = (
    "ipsecname",
    "ipsecid",
    "description",
    "distinguishedname",
    "ipsecisakmpreference",
    "ipsecnegotiationpolicyreference",
    "ipsecnegotiationpolicyaction",
    "ipsecnegotiationpolicytype",
)

CLIENT, SERVER, SECURE = "Client (Respond Only)", "Server (Request Security)", "Secure Server (Require Security)"
ICMP_RULE = "Permit unsecure ICMP packets to pass through."


def stored_object(entry: Entry) -> StoredObject:
    dn, values = entry
    attributes: dict[str, AttributeValue] = {"ipsecdata": values["ipsecdata"][0]}
    attributes |= {name: tuple(value.decode() for value in values[name]) for name in MANY if name in values}
    attributes |= {name: values[name][0].decode() for name in OTHERS if name in values}
    attributes["ipsecdatatype"] = int(values["ipsecdatatype"][0])
    changed = datetime.strptime(values["whenchanged"][0].decode(), "%Y%m%d%H%M%S.0Z").replace(tzinfo=UTC)
    attributes["whenchanged"] = int(changed.timestamp())
    return StoredObject(dn.partition(",")[0], attributes, Origin("ldapi", dn))


@pytest.fixture(scope="session")
def objects(domain: DomainController) -> list[StoredObject]:
    return [stored_object(entry) for entry in read_ldif(domain.search(CONTAINER, "(objectClass=ipsecBase)"))]


@pytest.fixture(scope="session")
def graph(objects: list[StoredObject]) -> Graph:
    return build(objects, storage=Storage.DIRECTORY)


@pytest.fixture(scope="session")
def policies(graph: Graph) -> dict[str, Policy]:
    return {one.name: one for one in graph.policies}


def kind_of(stored: StoredObject) -> str:
    return stored.name.removeprefix("CN=").partition("{")[0]


def rules_of(one: Policy) -> dict[str, Rule]:
    return {rule.label: rule for rule in one.rules}


def action_of(rule: Rule) -> FilterAction:
    assert rule.filter_action is not None
    return rule.filter_action


def written(offers: tuple[Offer, ...]) -> list[tuple[str, int, int]]:
    """Offers as people write them, with their lifetimes in seconds and kilobytes."""
    names = {
        ("esp", 3, 2): "ESP 3DES SHA1",
        ("esp", 3, 1): "ESP 3DES MD5",
        ("esp", 1, 2): "ESP DES SHA1",
        ("esp", 1, 1): "ESP DES MD5",
        ("ah", 2, 0): "AH SHA1",
        ("ah", 1, 0): "AH MD5",
    }
    told = []
    for offer in offers:
        (one,) = offer.algorithms
        assert not offer.pfs
        told.append((names[one.transform, one.algorithm, one.integrity], offer.lifetime_seconds, offer.lifetime_kilobytes))
    return told


def test_a_new_domain_holds_twenty_two_objects(objects: list[StoredObject]) -> None:
    kinds = [kind_of(stored) for stored in objects]
    assert {kind: kinds.count(kind) for kind in CODECS} == {
        "ipsecPolicy": 3,
        "ipsecISAKMPPolicy": 3,
        "ipsecNFA": 8,
        "ipsecNegotiationPolicy": 6,
        "ipsecFilter": 2,
    }
    assert len(objects) == 22
    assert {stored.attributes["ipsecdatatype"] for stored in objects} == {598}
    assert sum("ipsecname" not in stored.attributes for stored in objects) == 9


def test_every_blob_decodes_without_a_finding_and_encodes_to_the_same_bytes(objects: list[StoredObject]) -> None:
    skipped = []
    for stored in objects:
        data = stored.attributes["ipsecdata"]
        assert isinstance(data, bytes)
        codec = CODECS[kind_of(stored)]
        blob, findings = codec.decode(data, stored.origin)
        if blob is None:
            skipped.append(stored.name)
            assert [finding.code for finding in findings] == ["PA124"]
            continue
        assert findings == (), stored.name
        assert codec.encode(blob) == data, stored.name
    # The one exception is no rule, only a marker of the version kept among the rules; `build` knows it.
    assert skipped == [f"CN={VERSION_OBJECT}"]


def test_the_graph_is_whole_and_the_version_object_no_part_of_it(graph: Graph) -> None:
    assert graph.findings == ()
    assert [one.name for one in graph.policies] == [CLIENT, SECURE, SERVER]
    assert sum(len(one.rules) for one in graph.policies) == 7  # eight NFAs, but for the version object


@pytest.mark.parametrize("name", [CLIENT, SERVER, SECURE])
def test_all_three_poll_every_three_hours_and_offer_the_same_main_mode_methods(policies: dict[str, Policy], name: str) -> None:
    got = policies[name]
    assert got.polling_interval == 10800
    assert got.storage is Storage.DIRECTORY
    assert got.dn.endswith(CONTAINER)
    assert got.default_exempt is None
    assert got.when_changed is not None
    assert abs(got.when_changed - time.time()) < 3600
    assert got.main_mode is not None
    assert (got.main_mode.lifetime_seconds, got.main_mode.pfs, got.main_mode.quick_mode_limit) == (28800, False, 0)
    # 3DES 3, DES 1; SHA-1 2, MD5 1: 3DES-SHA1-2, 3DES-MD5-2, DES-SHA1-1, DES-MD5-1
    assert [(m.encryption, m.hash, m.group, m.lifetime_seconds) for m in got.main_mode.methods] == [
        (3, 2, 2, 28800),
        (3, 1, 2, 28800),
        (1, 2, 1, 28800),
        (1, 1, 1, 28800),
    ]


def test_every_rule_is_active_on_all_interfaces_with_kerberos_and_without_a_tunnel(policies: dict[str, Policy]) -> None:
    for got in policies.values():
        for rule in got.rules:
            assert (rule.active, rule.interface_type, rule.is_tunnel, rule.tunnel) == (True, InterfaceType.ALL, False, None)
            assert [method.kind for method in rule.auth_methods] == [AuthKind.KERBEROS]
            assert rule.missing == ()


@pytest.mark.parametrize(
    ("name", "labels"),
    [
        (CLIENT, {"<Dynamic>"}),
        (SERVER, {"<Dynamic>", ICMP_RULE, "Request Security (Optional) Rule"}),
        (SECURE, {"<Dynamic>", ICMP_RULE, "Require Security"}),
    ],
)
def test_their_rules(policies: dict[str, Policy], name: str, labels: set[str]) -> None:
    assert {rule.label for rule in policies[name].rules} == labels
    assert len(policies[name].rules) == len(labels)


@pytest.mark.parametrize("name", [CLIENT, SERVER, SECURE])
def test_the_default_response_rule_protects_with_six_offers(policies: dict[str, Policy], name: str) -> None:
    rule = rules_of(policies[name])["<Dynamic>"]
    assert rule.default_response
    assert rule.filter_lists == ()
    action = action_of(rule)
    assert (action.action, action.inpass, action.soft, action.default_response) == (Action.PROTECT, False, False, True)
    names = ["ESP 3DES SHA1", "ESP 3DES MD5", "ESP DES SHA1", "ESP DES MD5", "AH SHA1", "AH MD5"]
    assert written(action.offers) == [(each, 0, 0) for each in names]


@pytest.mark.parametrize("name", [SERVER, SECURE])
def test_icmp_between_this_computer_and_any_other_is_permitted(policies: dict[str, Policy], name: str) -> None:
    rule = rules_of(policies[name])[ICMP_RULE]
    (listed,) = rule.filter_lists
    (only,) = listed.filters
    assert (listed.name, only.description) == ("All ICMP Traffic", "ICMP")
    assert (only.src.kind, only.dst.kind, only.protocol, only.mirrored) == (AddressKind.ME, AddressKind.ANY, 1, True)
    assert str(only.guid) == "5119d263-071d-11d3-ad22-0060b0ecca17"
    action = action_of(rule)
    assert (action.name, action.action, action.offers) == ("Permit", Action.ALLOW, ())


def test_server_requests_security_and_falls_back_to_clear_text(policies: dict[str, Policy]) -> None:
    rule = rules_of(policies[SERVER])["Request Security (Optional) Rule"]
    assert [listed.name for listed in rule.filter_lists] == ["All IP Traffic"]
    action = action_of(rule)
    assert (action.name, action.action) == ("Request Security (Optional)", Action.PROTECT)
    assert (action.inpass, action.soft) == (True, True)
    assert written(action.offers) == [
        ("ESP 3DES SHA1", 900, 100000),
        ("ESP DES SHA1", 900, 100000),
        ("AH SHA1", 300, 100000),
        ("AH MD5", 300, 100000),
    ]


def test_secure_server_requires_security_without_a_way_back_to_clear_text(policies: dict[str, Policy]) -> None:
    rule = rules_of(policies[SECURE])["Require Security"]
    (listed,) = rule.filter_lists
    (only,) = listed.filters
    assert listed.name == "All IP Traffic"
    assert (only.src.kind, only.dst.kind, only.protocol, only.mirrored) == (AddressKind.ME, AddressKind.ANY, 0, True)
    action = action_of(rule)
    assert (action.name, action.action) == ("Require Security", Action.PROTECT)
    assert (action.inpass, action.soft) == (True, False)
    names = ["ESP 3DES SHA1", "ESP 3DES MD5", "ESP DES SHA1", "ESP DES MD5"]
    assert written(action.offers) == [(each, 900, 100000) for each in names]


# From here on: what they do to packets.

HOST = Host.parse(["10.9.0.7/24"])


def compiled(got: Policy, target: str = "vista") -> Compiled:
    return compile_policy(got, HOST, target=target)


def test_client_has_no_filters_of_its_own(policies: dict[str, Policy]) -> None:
    got = compiled(policies[CLIENT])
    assert (got.matcher.filters["exempt"] > 0).all()  # nothing but default exemptions
    assert {finding.code for finding in got.matcher.findings} == {"PA302", "PA401"}
    verdict = got.matcher.match("tcp", "10.1.2.3:49152", "10.9.0.7:445")
    assert (verdict.action, verdict.index) == ("none", -1)
    before = {finding.code for finding in compiled(policies[CLIENT], "2000").matcher.findings}
    assert before == {"PA401"}  # there the default response rule counts


@pytest.mark.parametrize(
    ("packet", "action", "rule"),
    [
        ("tcp 10.1.2.3:49152 > 10.9.0.7:445 in", "protect", "Require Security"),
        ("tcp 10.9.0.7:445 > 10.1.2.3:49152 out", "protect", "Require Security"),
        ("udp 10.9.0.7:49152 > 10.9.0.53:53 out", "protect", "Require Security"),
        ("tcp 10.9.0.7:49152 > 10.9.0.1:88 out", "protect", "Require Security"),
        ("47 192.0.2.1 > 10.9.0.7 in ras", "protect", "Require Security"),
        ("icmp 10.1.2.3 > 10.9.0.7 in", "allow", ICMP_RULE),
        ("icmp 10.9.0.7 > 10.1.2.3 out", "allow", ICMP_RULE),
        ("udp 10.1.2.3:500 > 10.9.0.7:500 in", "allow", None),  # key exchange is exempt, or there would be none
        ("tcp 10.1.2.3:49152 > 10.9.0.8:445 in", "none", None),  # another computer's
        ("tcp [2001:db8::1]:1 > [2001:db8::2]:445 in", "none", None),  # filters of that age know no IPv6
    ],
)
def test_secure_server_protects_all_ip_traffic_but_icmp(
    policies: dict[str, Policy], packet: str, action: str, rule: str | None
) -> None:
    parsed = Packet.parse(packet)
    verdict = compiled(policies[SECURE]).matcher.match(
        parsed.protocol,
        parsed.src,
        parsed.dst,
        parsed.sport,
        parsed.dport,
        family=parsed.family,
        direction=parsed.direction,
        interface=parsed.interface,
    )
    assert (verdict.action, verdict.rule) == (action, rule)
    if verdict.action == "protect":
        assert (verdict.inpass, verdict.soft, verdict.tunnel) == (True, False, None)


def test_server_lets_a_packet_through_in_clear_text_if_need_be(policies: dict[str, Policy]) -> None:
    verdict = compiled(policies[SERVER]).matcher.match("tcp", "10.1.2.3:49152", "10.9.0.7:445")
    assert (verdict.action, verdict.rule, verdict.soft) == ("protect", "Request Security (Optional) Rule", True)


def test_icmp_is_permitted_because_its_filter_is_the_more_specific_one(policies: dict[str, Policy]) -> None:
    got = compiled(policies[SECURE])
    assert got.expansion is not None
    winner, other = rows_near(got.matcher.filters, Packet.parse("icmp 10.1.2.3 > 10.9.0.7 in"), at_most=0)
    first, second = got.expansion.specific[winner.index], got.expansion.specific[other.index]
    assert first is not None
    assert second is not None
    assert (first.action, second.action) == (Action.ALLOW, Action.PROTECT)
    assert outranked(first, second) == "it is less specific: it leaves the protocol open"


@pytest.mark.parametrize("name", [CLIENT, SERVER, SECURE])
def test_nothing_of_them_fails_to_apply_and_the_table_agrees_with_the_scan(policies: dict[str, Policy], name: str) -> None:
    got = compiled(policies[name])
    assert got.expansion is not None
    assert got.expansion.failures == ()
    assert not [finding for finding in got.matcher.findings if finding.severity is Severity.ERROR]
    assert against_scan(got.matcher, aim(got.matcher.filters, 3000)).different == 0


# And the domain controller itself.


def test_the_domain_controller_keeps_nobodys_ports(domain: DomainController) -> None:
    """It listens in a network of its own: no socket of this network's belongs to it."""
    assert domain.server is not None
    inner = os.readlink(f"/proc/{domain.server.pid}/ns/net")
    assert inner != os.readlink("/proc/self/ns/net")


def processes(word: str) -> list[int]:
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            if word.encode() in path.read_bytes():
                found.append(int(path.parent.name))
        except OSError:
            continue  # it has ended meanwhile
    return found


def test_whatever_runs_in_the_namespaces_ends_with_the_tests_even_when_they_are_killed(domain: DomainController) -> None:
    word = f"{os.getpid()}.25"  # a length of sleep that nobody else sleeps
    inside = [*namespaces(), "sh", "-c", f"setsid sleep {word} & exec sleep 1{word}"]
    code = f"import subprocess, time; subprocess.Popen({inside!r}); time.sleep(600)"
    starter = subprocess.Popen([sys.executable, "-c", code])
    try:
        wait_until(lambda: len(processes(f"\0{word}")) == 1 and len(processes(f"\x001{word}")) == 1)
    finally:
        starter.send_signal(signal.SIGKILL)
        starter.wait()
    wait_until(lambda: not processes(f"\0{word}") and not processes(f"\x001{word}"))


def wait_until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)
