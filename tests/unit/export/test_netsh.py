"""Policies as netsh scripts: what they look like, and that nothing is lost without a word."""

from collections.abc import Callable
from dataclasses import replace
from ipaddress import IPv4Address
from pathlib import Path
from typing import Final

import pytest

from pastore.export import SecretsWithheldError, netsh, policy_json
from pastore.findings import Severity
from pastore.model import Action, Address, AddressKind, Algorithm, AuthMethod, Filter, Offer, Policy, Ports, Rule
from pastore.sources.netsh import load_script
from tests.support.command import pastore as run
from tests.support.exporting import KEY, keyed
from tests.support.policies import ESP_3DES_SHA1, KERBEROS, MAIN_MODE, action, flt, guid, policy, rule

BASE: Final = replace(MAIN_MODE, methods=(replace(MAIN_MODE.methods[0], lifetime_seconds=28_800),))


def made(*rules: Rule) -> Policy:
    return replace(policy(*(rules or (rule("Web", "protect", "tcp 10.0.0.0/8 > me:443"),))), main_mode=BASE)


def with_filter(one: Filter) -> Policy:
    return made(rule("Web", "allow", one))


def with_rule(**changes: object) -> Policy:
    return made(replace(rule("Web", "protect", "tcp any > me:443"), **changes))  # type: ignore[arg-type]


SCRIPT: Final = """\
@echo off
chcp 65001 > nul
netsh ipsec static set store location=local
netsh ipsec static add policy name=Test mmpfs=no qmpermm=0 mmlifetime=480 mmsecmethods=3DES-SHA1-2 assign=no pollinginterval=180
netsh ipsec static add filteraction name=Protect action=negotiate inpass=no soft=no qmpfs=no \
qmsecmethods="ESP[3DES,SHA1]:100000k/3600s"
netsh ipsec static add filterlist name="Web list"
netsh ipsec static add filter filterlist="Web list" srcaddr=10.0.0.0 srcmask=255.0.0.0 dstaddr=me protocol=tcp srcport=0 \
dstport=443 mirrored=yes
netsh ipsec static add rule name=Web policy=Test filterlist="Web list" filteraction=Protect conntype=all activate=yes kerberos=yes
netsh ipsec dynamic set config property=ipsecexempt value=3
netsh ipsec static set policy name=Test assign=yes
"""


def test_a_script_is_what_an_administrator_would_write() -> None:
    written = netsh.script(made())
    assert written.findings == ()
    assert written.data.decode().replace("\r\n", "\n") == SCRIPT


@pytest.mark.parametrize(
    "name", ["50% off", "%PATH%", "a ^ b", "a & b | c > d", "(x)", "it's", "a=b", "ends in \\", "策略", "!x!", "-"]
)
def test_names_survive(name: str) -> None:
    policy_ = replace(made(), name=name, description=name)
    written = netsh.script(policy_)
    assert written.findings == ()
    loaded = load_script(written.data, "x.bat")
    assert isinstance(loaded.policy, Policy)
    assert (loaded.policy.name, loaded.policy.description) == (name, name)
    assert len(loaded.policy.rules) == 1


METHOD: Final = BASE.methods[0]
LOSSES: Final[dict[str, tuple[Callable[[], Policy], Severity]]] = {
    "a quotation mark": (lambda: replace(made(), name='a "b" c'), Severity.WARNING),
    "a line break": (lambda: replace(made(), description="a\nb"), Severity.WARNING),
    "half a character": (lambda: replace(made(), description="\ud800"), Severity.WARNING),
    "seconds of polling": (lambda: replace(made(), polling_interval=90), Severity.WARNING),
    "rules that were not read": (lambda: replace(made(), missing=("x",)), Severity.ERROR),
    "no key exchange": (lambda: replace(made(), main_mode=None), Severity.ERROR),
    "no method of the key exchange": (lambda: replace(made(), main_mode=replace(BASE, methods=())), Severity.ERROR),
    "seconds of the key exchange": (lambda: replace(made(), main_mode=replace(BASE, lifetime_seconds=100)), Severity.WARNING),
    "a group of its own": (
        lambda: replace(made(), main_mode=replace(BASE, methods=(METHOD, replace(METHOD, group=5)))),
        Severity.ERROR,
    ),
    "a method with a limit": (
        lambda: replace(made(), main_mode=replace(BASE, methods=(replace(METHOD, lifetime_seconds=60),))),
        Severity.WARNING,
    ),
    "mapping of certificates": (lambda: replace(made(), main_mode=replace(BASE, account_mapping=True)), Severity.WARNING),
    "pfs without its limit": (lambda: replace(made(), main_mode=replace(BASE, pfs=True)), Severity.WARNING),
    "no filter action": (lambda: with_rule(filter_action=None), Severity.ERROR),
    "an unknown action": (lambda: with_rule(filter_action=replace(action("allow"), action=Action.NONE)), Severity.ERROR),
    "no filter list": (lambda: with_rule(filter_lists=()), Severity.ERROR),
    "two filter lists": (
        lambda: with_rule(filter_lists=tuple(rule(name, "allow", "any > me").filter_lists[0] for name in "ab")),
        Severity.WARNING,
    ),
    "no name of a rule": (lambda: with_rule(name=""), Severity.WARNING),
    "no authentication": (lambda: with_rule(auth_methods=()), Severity.ERROR),
    "authentication of another kind": (lambda: with_rule(auth_methods=(*KERBEROS, AuthMethod(77))), Severity.ERROR),
    "Kerberos twice": (lambda: with_rule(auth_methods=KERBEROS * 2), Severity.ERROR),
    "an interface": (lambda: with_rule(interface_name="eth0"), Severity.WARNING),
    "a tunnel to nowhere": (lambda: with_rule(is_tunnel=True), Severity.ERROR),
    "an endpoint without a tunnel": (lambda: with_rule(tunnel=IPv4Address("192.0.2.1")), Severity.WARNING),
    "objects that were not read": (lambda: with_rule(missing=("x",)), Severity.ERROR),
    "pfs of some": (
        lambda: with_rule(filter_action=action("protect", offers=(ESP_3DES_SHA1, replace(ESP_3DES_SHA1, pfs=True)))),
        Severity.WARNING,
    ),
    "an unknown algorithm": (
        lambda: with_rule(filter_action=action("protect", offers=(ESP_3DES_SHA1, Offer((Algorithm("esp", 12, 2),))))),
        Severity.ERROR,
    ),
    "no security method": (lambda: with_rule(filter_action=action("protect", offers=())), Severity.ERROR),
    "methods of a block": (lambda: with_rule(filter_action=action("block", offers=(ESP_3DES_SHA1,))), Severity.WARNING),
    "any of IPv6": (lambda: with_filter(flt("any > me", families=(6,))), Severity.ERROR),
    "any of both": (lambda: with_filter(replace(flt("any > me"), src=Address(AddressKind.ANY, (4, 6)))), Severity.ERROR),
    "a few ports": (lambda: with_filter(replace(flt("tcp any > me"), dport=Ports(135, 139))), Severity.WARNING),
    "many ports": (lambda: with_filter(replace(flt("tcp any > me"), dport=Ports(1024, 65535))), Severity.ERROR),
    "port 0": (lambda: with_filter(replace(flt("tcp any > me"), dport=Ports(0, 0))), Severity.ERROR),
    "the host 0.0.0.0": (lambda: with_filter(flt("0.0.0.0 > me")), Severity.ERROR),
    "the network of all": (lambda: with_filter(flt("0.0.0.0/0 > me")), Severity.ERROR),
    "a tunnel of a filter": (lambda: with_filter(replace(flt("any > me"), tunnel=IPv4Address("192.0.2.1"))), Severity.WARNING),
    "a protocol that is none": (lambda: with_filter(replace(flt("any > me"), protocol=300)), Severity.ERROR),
    "a resolved name": (
        lambda: with_filter(replace(flt("any > me"), src=replace(flt("10.0.0.1 > me").src, dns_name="a.example"))),
        Severity.WARNING,
    ),
    "a name that is none": (
        lambda: with_filter(replace(flt("any > me"), src=Address(AddressKind.ANY, dns_name="a b"))),
        Severity.ERROR,
    ),
    "a command too long": (lambda: replace(made(), description="x" * 9000), Severity.ERROR),
    "two lists of one name": (
        lambda: made(
            rule("a", "allow", "tcp any > me:1"),
            replace(
                rule("b", "allow", "tcp any > me:2"),
                filter_lists=(replace(rule("b", "allow", "tcp any > me:2").filter_lists[0], name="A LIST"),),
            ),
        ),
        Severity.WARNING,
    ),
    "a list called all": (
        lambda: with_rule(filter_lists=(replace(rule("b", "allow", "tcp any > me:2").filter_lists[0], name="All"),)),
        Severity.WARNING,
    ),
    "two default responses": (
        lambda: made(
            *(
                Rule(
                    guid(name),
                    default_response=True,
                    filter_action=replace(action("protect"), name="", default_response=True),
                    auth_methods=KERBEROS,
                )
                for name in "ab"
            )
        ),
        Severity.ERROR,
    ),
}


@pytest.mark.parametrize("what", LOSSES)
def test_what_netsh_cannot_express_is_told(what: str) -> None:
    make, severity = LOSSES[what]
    written = netsh.script(make())
    assert {finding.code for finding in written.findings} == {"PA410"}
    assert severity in {finding.severity for finding in written.findings}
    if severity is Severity.WARNING:
        assert Severity.ERROR not in {finding.severity for finding in written.findings}
    loaded = load_script(written.data, "x.bat")
    assert not [each for each in loaded.findings if each.severity is Severity.ERROR and each.code != "PA145"]


def test_a_few_ports_are_written_one_by_one() -> None:
    make, _ = LOSSES["a few ports"]
    loaded = load_script(netsh.write(make()), "x.bat")
    assert isinstance(loaded.policy, Policy)
    (filter_list,) = loaded.policy.rules[0].filter_lists
    assert [one.dport.low for one in filter_list.filters] == [135, 136, 137, 138, 139]


def test_keys_are_written_when_they_are_asked_for_and_not_told() -> None:
    with pytest.raises(SecretsWithheldError, match="has a pre-shared key") as caught:
        netsh.write(keyed(made()))
    assert KEY not in str(caught.value)
    written = netsh.script(keyed(made()), secrets=True)
    assert f'psk="{KEY}"'.encode() in written.data
    assert KEY not in repr(written.findings)
    told = netsh.script(keyed(made(), 'moonlight "quoted"'), secrets=True)
    assert [finding.severity for finding in told.findings] == [Severity.ERROR]
    assert "moonlight" not in repr(told.findings)
    assert b"moonlight" not in told.data


def test_a_key_that_is_not_known_cannot_be_written() -> None:
    unknown = with_rule(auth_methods=(AuthMethod(1),))
    with pytest.raises(ValueError, match="is not known"):
        netsh.write(unknown, secrets=True)


def test_a_policy_without_a_name_cannot_be_written() -> None:
    with pytest.raises(ValueError, match="without a name"):
        netsh.write(replace(made(), name=""))
    with pytest.raises(TypeError, match="expected a Policy"):
        netsh.write("x")  # type: ignore[arg-type]


def test_convert_ends_with_1_when_a_filter_is_lost(tmp_path: Path) -> None:
    for what, status in (("any of IPv6", 1), ("a line break", 0)):
        source, target = tmp_path / "x.json", tmp_path / "x.bat"
        source.write_bytes(policy_json.write(LOSSES[what][0]()))
        result = run("convert", source, "-t", "netsh", "-o", target)
        assert (result.status, "PA410" in result.err) == (status, True)
        assert target.read_bytes().startswith(b"@echo off\r\n")


def test_convert_writes_a_script_that_checks_the_same(tmp_path: Path) -> None:
    source, target = tmp_path / "x.json", tmp_path / "x.bat"
    source.write_bytes(policy_json.write(made()))
    assert run("convert", source, "-t", "netsh", "-o", target).status == 0
    packet = "tcp 10.1.2.3:40000 > 192.0.2.1:443 in"
    assert run("explain", source, packet, "--output-format", "json").json["action"] == "protect"
    assert run("explain", target, packet, "--output-format", "json").json["action"] == "protect"
