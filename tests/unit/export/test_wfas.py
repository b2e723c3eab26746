"""What Windows Firewall gets of a policy, and what is told of the rest."""

from dataclasses import replace
from ipaddress import IPv4Address
from typing import Any

import pytest

from pastore.export import SecretsWithheldError, wfas
from pastore.filters import boxes
from pastore.filters.expand import expand
from pastore.filters.host import Host
from pastore.findings import Finding, Severity
from pastore.model import Algorithm, AuthKind, AuthMethod, InterfaceType, MainModeMethod, Offer, Policy, Secret
from tests.support.netsecurity import faults
from tests.support.policies import KERBEROS, MAIN_MODE, action, flt, policy, rule
from tests.support.powershell import Command, run

KEY = (AuthMethod(AuthKind.PRESHARED_KEY, Secret("k")),)


def write(made: Policy, *me: str) -> tuple[list[Command], tuple[Finding, ...]]:
    data, findings = wfas.write(made, expand(made, Host.parse(me)), secrets=True)
    done = run(data).made
    assert faults(done) == []
    return done, findings


def of(commands: list[Command], cmdlet: str) -> list[dict[str, Any]]:
    kept = ("PolicyStore", "Group", "Name", "IPsecRuleName")
    return [
        {name: values for name, values in each.parameters.items() if name not in kept} for each in commands if each.name == cmdlet
    ]


def securing(commands: list[Command]) -> list[dict[str, Any]]:
    """The rules for IPsec that are no exemptions."""
    return [each for each in of(commands, "New-NetIPsecRule") if each["InboundSecurity"] != ["None"]]


def test_a_block_of_a_port_is_a_rule_for_each_direction_and_nothing_else() -> None:
    done, findings = write(policy(rule("No SMB", "block", "tcp any > me:445")))
    common = {"DisplayName": ["No SMB"], "Action": ["Block"], "InterfaceType": ["Any"], "Protocol": ["TCP"]}
    # Multicast and broadcast that come in are exempt from every filter.
    unicast = {"LocalAddress": ["0.0.0.0-223.255.255.255", "240.0.0.0-255.255.255.254"]}
    every = {"RemoteAddress": ["0.0.0.0-255.255.255.255"]}
    assert len(done) == 2
    assert of(done, "New-NetFirewallRule") == [
        {**common, **unicast, "Direction": ["Inbound"], "LocalPort": ["445"]},
        {**common, **every, "Direction": ["Outbound"], "LocalPort": ["445"]},
    ]
    assert findings == ()


def test_a_block_of_both_ip_versions_needs_no_addresses() -> None:
    six = flt("tcp any > me:445", families=(6,), name="six")
    made = policy(rule("No SMB", "block", "tcp any > me:445", six), default_exempt=2)
    done, _ = write(made)
    assert len(done) == 2
    assert not any("RemoteAddress" in each or "LocalAddress" in each for each in of(done, "New-NetFirewallRule"))


def test_what_is_allowed_opens_nothing() -> None:
    assert write(policy(rule("Web", "allow", "tcp any > me:80"))) == ([], ())


def test_a_hole_in_a_block_is_cut_out_of_it() -> None:
    made = policy(rule("All SMB", "block", "tcp any > me:445"), rule("Ours", "allow", "tcp 10.0.0.0/8 > me:445"))
    done, _ = write(made)
    rest = ["0.0.0.0-9.255.255.255", "11.0.0.0-255.255.255.255"]
    assert [each["RemoteAddress"] for each in of(done, "New-NetFirewallRule")] == [rest, rest]


def test_one_protocol_allowed_within_a_block_of_all_leaves_the_others_by_number() -> None:
    made = policy(rule("All", "block", "me > 10.0.0.1"), rule("Ping", "allow", "icmp me > 10.0.0.1"))
    done, _ = write(made)
    rules = of(done, "New-NetFirewallRule")
    assert {each["RemoteAddress"][0] for each in rules} == {"10.0.0.1"}
    protocols = {each["Protocol"][0] for each in rules}
    assert "1" not in protocols
    assert protocols == {*map(str, range(256)), "UDP"} - {"1", "17"}  # UDP is apart: the key exchange is exempt


@pytest.mark.parametrize(
    ("kind", "types"),
    [
        (InterfaceType.ALL, ["Any", "Any"]),
        (InterfaceType.LAN, ["Wired", "Wireless"] * 2),
        (InterfaceType.RAS, ["RemoteAccess"] * 2),
    ],
)
def test_interface_types(kind: InterfaceType, types: list[str]) -> None:
    done, _ = write(policy(rule("x", "block", "tcp any > me:445", interface=kind)))
    assert [each["InterfaceType"] for each in of(done, "New-NetFirewallRule")] == [[each] for each in types]


@pytest.mark.parametrize(
    ("inpass", "soft", "pair", "told"),
    [
        (False, False, ("Require", "Require"), False),
        (False, True, ("Require", "Request"), False),
        (True, True, ("Request", "Request"), False),
        (True, False, ("Require", "Require"), True),
    ],
)
def test_options_of_negotiation(inpass: bool, soft: bool, pair: tuple[str, str], told: bool) -> None:
    made = policy(rule("x", "protect", "tcp me > 10.0.0.0/8:445", filter_action=action("protect", inpass=inpass, soft=soft)))
    done, findings = write(made)
    (secure,) = securing(done)
    assert (secure["InboundSecurity"], secure["OutboundSecurity"]) == ([pair[0]], [pair[1]])
    assert [finding.severity for finding in findings] == [Severity.ERROR] * told


def test_sets_hold_what_the_rules_ask_for_and_rules_alike_share_them() -> None:
    offers = (
        Offer((Algorithm("esp", 3, 2),), 3600, 100000, pfs=True),
        Offer((Algorithm("ah", 2), Algorithm("esp", 1, 2)), 0, 0, pfs=True),
        Offer((Algorithm("ah", 1),), 300, 20480, pfs=True),
        Offer((Algorithm("esp", 0, 1),), 59 * 60, 0, pfs=True),
    )
    auth = (*KERBEROS, AuthMethod(AuthKind.CERTIFICATE, None, "CN=Root", True, True), *KEY)
    methods = (MainModeMethod(3, 2, 14), MainModeMethod(1, 1, 1), MainModeMethod(2, 1, 2))
    made = policy(
        rule("a", "protect", "me > 10.0.0.0/8", auth=auth, filter_action=action("protect", offers=offers)),
        rule("b", "protect", "me > 192.168.0.0/16", auth=auth, filter_action=action("protect", offers=offers, soft=True)),
    )
    main_mode = replace(MAIN_MODE, methods=methods, lifetime_seconds=28801, quick_mode_limit=7)
    done, findings = write(replace(made, main_mode=main_mode))
    assert of(done, "New-NetIPsecAuthProposal") == [
        {"Machine": None, "Kerberos": None},
        {
            "Machine": None,
            "Cert": None,
            "Authority": ["CN=Root"],
            "AuthorityType": ["Root"],
            "AccountMapping": None,
            "ExcludeCAName": None,
        },
        {"Machine": None, "PreSharedKey": ["k"]},
    ]
    assert of(done, "New-NetIPsecQuickModeCryptoProposal") == [
        {"Encapsulation": ["ESP"], "ESPHash": ["SHA1"], "Encryption": ["DES3"], "MaxMinutes": ["60"], "MaxKiloBytes": ["100000"]},
        {"Encapsulation": ["AH", "ESP"], "AHHash": ["SHA1"], "ESPHash": ["SHA1"], "Encryption": ["DES"]},
        {"Encapsulation": ["AH"], "AHHash": ["MD5"], "MaxMinutes": ["5"], "MaxKiloBytes": ["20480"]},
        {"Encapsulation": ["ESP"], "ESPHash": ["MD5"], "Encryption": ["None"], "MaxMinutes": ["59"]},
    ]
    (quick,) = of(done, "New-NetIPsecQuickModeCryptoSet")
    assert quick["PerfectForwardSecrecyGroup"] == ["SameAsMainMode"]
    assert [tuple(each.values()) for each in of(done, "New-NetIPsecMainModeCryptoProposal")] == [
        (["DES3"], ["SHA1"], ["DH14"]),
        (["DES"], ["MD5"], ["DH1"]),
        (["DES3"], ["MD5"], ["DH2"]),
    ]
    (main,) = of(done, "New-NetIPsecMainModeCryptoSet")
    assert (main["MaxMinutes"], main["MaxSessions"]) == (["481"], ["7"])
    assert len(of(done, "New-NetIPsecPhase1AuthSet")) == 1
    assert [finding.message for finding in findings] == ["a main mode lifetime of 28801 seconds is written as 481 minutes"]


def test_a_tunnel_is_one_rule_of_two() -> None:
    made = policy(
        rule("Out", "protect", flt("10.9.0.0/24 > 10.8.0.0/16", mirrored=False), tunnel=IPv4Address("192.0.2.9")),
        rule("In", "protect", flt("10.8.0.0/16 > 10.9.0.0/24", mirrored=False), tunnel=IPv4Address("10.9.0.7")),
    )
    done, findings = write(made, "10.9.0.7")
    (tunnel,) = securing(done)
    assert findings == ()
    assert tunnel["Mode"] == ["Tunnel"]
    assert (tunnel["LocalTunnelEndpoint"], tunnel["RemoteTunnelEndpoint"]) == (["10.9.0.7"], ["192.0.2.9"])
    assert (tunnel["LocalAddress"], tunnel["RemoteAddress"]) == (["10.9.0.0/24"], ["10.8.0.0/16"])


UNKNOWN = AuthMethod(9)
LOSSES = {
    "protects what comes in only": [rule("x", "protect", flt("tcp any > me:445", mirrored=False))],
    "which endpoint is this computer is not known": [
        rule("x", "protect", flt("10.9.0.0/24 > 10.8.0.0/16", mirrored=False), tunnel=IPv4Address("192.0.2.9"))
    ],
    "more than 64 single ones": [rule("x", "protect", flt("tcp me > 10.0.0.0/8:1000-2000", version=2))],
    "an authentication method is unknown": [rule("x", "protect", "me > 10.0.0.0/8", auth=(*KERBEROS, UNKNOWN))],
    "no authentication method of it is known": [rule("x", "protect", "me > 10.0.0.0/8", auth=(UNKNOWN,))],
    "no security method of it is known": [
        rule("x", "protect", "me > 10.0.0.0/8", filter_action=action("protect", offers=(Offer((Algorithm("esp", 77, 2),)),)))
    ],
    "neither encrypts nor has integrity": [
        rule("x", "protect", "me > 10.0.0.0/8", filter_action=action("protect", offers=(Offer((Algorithm("esp", 0, 0),)),)))
    ],
    "has different hashes for AH and ESP": [
        rule(
            "x",
            "protect",
            "me > 10.0.0.0/8",
            filter_action=action("protect", offers=(Offer((Algorithm("ah", 1), Algorithm("esp", 3, 2))),)),
        )
    ],
    "it allows one way what is protected the other way": [
        rule("x", "protect", "me > 10.0.0.0/8"),
        rule("y", "allow", flt("tcp 10.1.0.0/16 > me:80", mirrored=False)),
    ],
}


@pytest.mark.parametrize("message", LOSSES)
def test_what_is_lost_of_the_protection_is_an_error_with_its_place(message: str) -> None:
    _, findings = write(policy(*LOSSES[message]))
    told = [finding for finding in findings if message in finding.message]
    assert [(finding.code, finding.severity) for finding in told] == [("PA420", Severity.ERROR)] * len(told)
    assert told
    assert all(finding.rule and finding.filter for finding in told)


def test_a_block_one_way_is_told_and_written_for_that_way() -> None:
    done, findings = write(policy(rule("x", "block", flt("tcp me > any:25", mirrored=False))))
    assert [each["Direction"] for each in of(done, "New-NetFirewallRule")] == [["Outbound"]]
    assert [(finding.code, finding.severity, finding.rule) for finding in findings] == [("PA420", Severity.WARNING, "x")]


def test_filters_that_protect_alike_places_differently_do_not_overlap() -> None:
    other = action("protect", offers=(Offer((Algorithm("ah", 2),)),))
    done, findings = write(
        policy(rule("a", "protect", "me > 10.1.0.0/16"), rule("b", "protect", "me > 10.0.0.0/8", filter_action=other))
    )
    rest = ["10.0.0.0/16", "10.2.0.0-10.255.255.255"]
    assert [each["RemoteAddress"] for each in securing(done)] == [["10.1.0.0/16"], rest]
    assert findings == ()
    _, findings = write(
        policy(rule("a", "protect", "tcp me > 10.0.0.0/8:80"), rule("b", "protect", "tcp me > 10.0.0.0/8", filter_action=other))
    )
    assert ["which of the two rules Windows takes" in finding.message for finding in findings] == [True]


class TestKeys:
    def test_a_key_is_not_written_unless_asked_for(self) -> None:
        made = policy(rule("x", "protect", "me > 10.0.0.0/8", auth=KEY))
        with pytest.raises(SecretsWithheldError):
            wfas.write(made, expand(made))

    def test_a_key_that_is_not_known_cannot_be_written(self) -> None:
        made = policy(rule("x", "protect", "me > 10.0.0.0/8", auth=(AuthMethod(AuthKind.PRESHARED_KEY),)))
        with pytest.raises(ValueError, match="not known"):
            wfas.write(made, expand(made), secrets=True)


def test_a_policy_that_is_too_ragged_is_refused_and_takes_no_longer(monkeypatch: pytest.MonkeyPatch) -> None:
    made = policy(rule("All", "block", "me > any"), *(rule(f"{at}", "allow", f"10.{at}.0.1 > me") for at in range(50)))
    monkeypatch.setattr("pastore.export.wfas_regions.LIMIT", 20)
    with pytest.raises(ValueError, match="so ragged"):
        wfas.write(made, expand(made))
    assert boxes.BOX_LIMIT > 20
