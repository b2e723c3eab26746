"""What strongSwan gets of a policy, and what is told of the rest; that it loads is shown in tests/oracle."""

import re
from base64 import b64decode
from dataclasses import replace
from ipaddress import IPv4Address

import pytest

from pastore.export import swanctl
from pastore.filters.expand import expand
from pastore.filters.host import Host
from pastore.findings import Finding, Severity
from pastore.model import Algorithm, AuthKind, AuthMethod, InterfaceType, MainModeMethod, Offer, Policy, Secret
from tests.support.policies import KERBEROS, MAIN_MODE, action, flt, policy, rule

KEY = (AuthMethod(AuthKind.PRESHARED_KEY, Secret("correct horse")),)
PROTECT = rule("x", "protect", "tcp me > 10.8.0.0/16:445", auth=KEY)


def write(made: Policy, *me: str, secrets: bool = False) -> tuple[str, tuple[Finding, ...]]:
    data, findings = swanctl.write(made, expand(made, Host.parse(me)), secrets=secrets, me_known=bool(me))
    return data.decode(), findings


def values(text: str, key: str) -> list[str]:
    return re.findall(rf"^ *{key} = (.*)$", text, re.MULTILINE)


def test_a_filter_is_a_child_with_its_selectors_and_methods() -> None:
    text, findings = write(policy(PROTECT), "10.9.0.7")
    assert findings == ()
    assert (values(text, "local_ts"), values(text, "remote_ts")) == (["10.9.0.7/32[6]"], ["10.8.0.0/16[6/445]"])
    assert (values(text, "version"), values(text, "mode"), values(text, "auth")) == (["1"], ["transport"], ["psk", "psk"])
    assert (values(text, "proposals"), values(text, "esp_proposals")) == (["3des-sha1-modp1024"], ["3des-sha1"])
    assert (values(text, "local_addrs"), values(text, "remote_addrs")) == (["10.9.0.7"], ["10.8.0.0/16"])
    assert values(text, "start_action") == ["trap"]


def test_me_is_what_the_daemon_finds_when_no_address_is_given() -> None:
    assert values(write(policy(PROTECT))[0], "local_ts") == ["dynamic[6]"]


def test_ranges_become_networks_and_blocks_of_ports() -> None:
    made = policy(rule("x", "protect", flt("tcp me > 10.8.0.3-10.8.0.8:1000-1009", version=2), auth=KEY))
    text, _ = write(made, "10.9.0.7")
    networks = ("10.8.0.3/32", "10.8.0.4/30", "10.8.0.8/32")
    assert values(text, "remote_ts") == [f"{network}[6/{ports}]" for network in networks for ports in ("1000-1007", "1008-1009")]


@pytest.mark.parametrize(("low", "high"), [(0, 0), (0, 65534), (1, 65535), (135, 139), (1000, 1999), (32768, 65535)])
def test_blocks_of_ports_are_the_range_and_each_has_a_mask(low: int, high: int) -> None:
    blocks = [tuple(map(int, part.split("-"))) for part in swanctl._port_blocks((low, high))]
    ranges = [(block[0], block[-1]) for block in blocks]
    assert [port for first, last in ranges for port in range(first, last + 1)] == list(range(low, high + 1))
    assert all((last - first + 1).bit_count() == 1 and first % (last - first + 1) == 0 for first, last in ranges)


def test_what_comes_before_passes_or_is_dropped_by_the_order_of_the_policy() -> None:
    made = policy(PROTECT, rule("Hole", "allow", "10.8.1.0/24 > me"), rule("Bad", "block", "10.8.1.9 > me"))
    text, findings = write(made, "10.9.0.7")
    shunts = text[text.index("pastore-shunts") :]
    assert findings == ()
    assert values(shunts, "mode") == ["drop", "pass"]
    assert values(shunts, "remote_ts") == ["10.8.1.9/32", "10.8.1.0/24"]
    drop, passing, protect = (int(number) for number in (*values(shunts, "priority"), *values(text, "priority")[:1]))
    assert drop < passing < protect


def test_what_is_outside_of_the_protected_is_not_written() -> None:
    made = policy(PROTECT, rule("Elsewhere", "allow", "10.7.0.0/24 > me"), rule("After", "block", "any > me"))
    assert "pastore-shunts" not in write(made, "10.9.0.7")[0]


ENDPOINT = IPv4Address("192.0.2.9")
OFFER = Offer((Algorithm("esp", 3, 2),), 3600, 100000)
LOSSES = {
    "does not authenticate by Kerberos": rule("x", "protect", "me > 10.8.0.0/16", auth=KERBEROS),
    "no authentication method of it is known": rule("x", "protect", "me > 10.8.0.0/16", auth=(AuthMethod(9),)),
    "a certificate authority has no name": rule(
        "x", "protect", "me > 10.8.0.0/16", auth=(*KEY, AuthMethod(AuthKind.CERTIFICATE))
    ),
    "holds a control character": rule(
        "x", "protect", "me > 10.8.0.0/16", auth=(*KEY, AuthMethod(AuthKind.CERTIFICATE, None, "CN=a\nb"))
    ),
    "not mapped to accounts": rule(
        "x", "protect", "me > 10.8.0.0/16", auth=(AuthMethod(AuthKind.CERTIFICATE, None, "CN=a", account_mapping=True),)
    ),
    "protects what goes out only": rule("x", "protect", flt("tcp me > 10.8.0.0/16:445", mirrored=False), auth=KEY),
    "which endpoint is this computer is not known": rule(
        "x", "protect", flt("10.9.0.0/24 > 10.8.0.0/16", mirrored=False), auth=KEY, tunnel=ENDPOINT
    ),
    "are not talked to in clear text": rule(
        "x", "protect", "me > 10.8.0.0/16", auth=KEY, filter_action=action("protect", soft=True)
    ),
    "clear text is not accepted inbound": rule(
        "x", "protect", "me > 10.8.0.0/16", auth=KEY, filter_action=action("protect", inpass=True)
    ),
    "for dial-up connections only": rule("x", "protect", "me > 10.8.0.0/16", auth=KEY, interface=InterfaceType.RAS),
    "AH and ESP in one security method": rule(
        "x",
        "protect",
        "me > 10.8.0.0/16",
        auth=KEY,
        filter_action=action("protect", offers=(OFFER, Offer((Algorithm("ah", 2), Algorithm("esp", 3, 2))))),
    ),
    "a security method has no integrity": rule(
        "x", "protect", "me > 10.8.0.0/16", auth=KEY, filter_action=action("protect", offers=(Offer((Algorithm("esp", 3, 0),)),))
    ),
    "a security method is unknown": rule(
        "x", "protect", "me > 10.8.0.0/16", auth=KEY, filter_action=action("protect", offers=(Offer((Algorithm("esp", 9, 2),)),))
    ),
    "pairs of traffic selectors": rule(
        "x", "protect", flt("tcp 10.7.0.1-10.8.255.254:1-65534 > 10.8.0.1-10.9.255.254:1-65534", version=2), auth=KEY
    ),
}


@pytest.mark.parametrize("message", LOSSES)
def test_what_has_no_equivalent_is_an_error_with_its_place(message: str) -> None:
    _, findings = write(policy(LOSSES[message]))
    told = [finding for finding in findings if message in finding.message]
    assert told
    assert all((each.code, each.severity, each.rule) == ("PA422", Severity.ERROR, "x") for each in told)
    assert all(each.filter for each in told)


def test_an_allow_one_way_within_what_is_protected_is_an_error() -> None:
    _, findings = write(policy(PROTECT, rule("Hole", "allow", flt("tcp me > 10.8.1.0/24:445", mirrored=False))), "10.9.0.7")
    assert [(each.rule, each.severity) for each in findings] == [("Hole", Severity.ERROR)]
    assert "allows one way" in findings[0].message


def test_of_the_key_exchange_what_is_unknown_or_has_no_limit_is_told() -> None:
    methods = (MainModeMethod(9, 2, 2), MainModeMethod(3, 2, 2))
    made = replace(policy(PROTECT), main_mode=replace(MAIN_MODE, methods=methods, quick_mode_limit=3))
    text, findings = write(made)
    assert values(text, "proposals") == ["3des-sha1-modp1024"]
    assert sorted(each.severity.value for each in findings) == ["error", "warning"]
    _, findings = write(replace(made, main_mode=None))
    assert "the settings of the key exchange are missing" in [each.message for each in findings]


def test_a_policy_that_protects_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="protects nothing"):
        write(policy(rule("x", "block", "any > me")))


class TestKeys:
    def test_no_key_is_written_unless_asked_for(self) -> None:
        text, findings = write(policy(PROTECT))
        assert ("secrets" in text, "correct" in text, findings) == (False, False, ())

    def test_a_key_is_for_the_peers_of_its_rule(self) -> None:
        text, _ = write(policy(PROTECT), secrets=True)
        assert values(text, "secret") == ['"correct horse"']
        assert values(text, "id-1") == ["10.8.0.0/16"]
        everybody, _ = write(policy(rule("x", "protect", "me > any", auth=KEY)), secrets=True)
        assert values(everybody, "id-1") == []

    @pytest.mark.parametrize("key", ['a"b', "a\\b", "a\nb", "${x}", "0x41", "0sQQ==", "#", "{", "é", "'"])
    def test_a_key_that_could_mean_something_else_is_in_base64(self, key: str) -> None:
        made = policy(rule("x", "protect", "me > 10.8.0.0/16", auth=(AuthMethod(AuthKind.PRESHARED_KEY, Secret(key)),)))
        text, findings = write(made, secrets=True)
        (value,) = values(text, "secret")
        assert value.startswith("0s")
        assert b64decode(value[2:]).decode() == key
        assert key not in "".join(finding.message for finding in findings) or key in "#{'"
