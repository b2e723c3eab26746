"""A swanctl.conf of ours, loaded by strongSwan: what the kernel's IPsec policies do is what the policy does where it protects."""

from collections import Counter
from dataclasses import replace
from ipaddress import IPv4Address
from typing import Any

import pytest

from pastore.analysis.aim import aim
from pastore.export import swanctl
from pastore.filters.expand import Expansion, expand
from pastore.filters.host import Host
from pastore.filters.specific import EXEMPTIONS
from pastore.matcher import Matcher
from pastore.model import Action, Algorithm, AuthKind, AuthMethod, MainModeMethod, Offer, Policy, Secret
from pastore.verify import kernel
from tests.support import charon
from tests.support.policies import MAIN_MODE, action, flt, policy, rule

KEY = (AuthMethod(AuthKind.PRESHARED_KEY, Secret("correct horse")),)
OTHER_KEY = (AuthMethod(AuthKind.PRESHARED_KEY, Secret('b"\\{}#\n$x é')),)
ROOT = (AuthMethod(AuthKind.CERTIFICATE, certificate_authority='CN=The "Root" \\ of all, O=Example #1'),)
ME = ["10.9.0.7/24", "2001:db8:20::7"]


@pytest.fixture(scope="module", autouse=True)
def _strongswan_can_be_asked() -> None:
    """A missing package is a failure; only a platform without network namespaces is excused."""
    try:
        kernel.namespace_command()
    except kernel.KernelUnavailableError as error:
        if error.platform:
            pytest.skip(f"elsewhere: {error}")
        pytest.fail(str(error))
    if not (charon.SWANCTL and charon.CHARON):
        pytest.fail("strongSwan is not installed; scripts/setup-debian test installs it")


def written(made: Policy, host: Host, *, secrets: bool = True) -> tuple[bytes, Expansion, list[str]]:
    expansion = expand(made, host)
    data, findings = swanctl.write(made, expansion, secrets=secrets, me_known=bool(host.me))
    return data, expansion, [finding.message for finding in findings]


def loaded(data: bytes) -> charon.Loaded:
    got = charon.load(data)
    assert got.status == 0, got.said
    # swanctl looks for plugins and folders that are not there, and says so.
    said = [line for line in got.said.splitlines() if not line.startswith(("plugin ", "opening directory "))]
    assert "failed" not in "".join(said), said
    return got


def verdict(policies: list[dict[str, Any]], packet: Any) -> str:
    """What the kernel's policies say: the one with the lowest priority that holds the packet."""
    holding = [each for each in policies if holds(each, packet)]
    if not holding:
        return "none"
    first = min(each["priority"] for each in holding)
    (answer,) = {each["action"] for each in holding if each["priority"] == first}
    return str(answer)


def holds(each: dict[str, Any], packet: Any) -> bool:
    if each["family"] != packet.family or each["direction"] != packet.direction or each["protocol"] not in (0, packet.protocol):
        return False
    width = 32 if packet.family == 4 else 128
    for end in ("src", "dst"):
        address, length = each[end]
        if (address ^ getattr(packet, end)) >> (width - length):
            return False
    return not any((each[port][0] ^ getattr(packet, port)) & each[port][1] for port in ("sport", "dport"))


MIXED = policy(
    rule("Laboratory", "protect", "any > 10.8.0.0/16", "tcp 10.7.0.5-10.7.0.29 > me", auth=KEY),
    rule("Servers", "protect", "tcp me > 10.8.4.0/24:1433", "udp me:123 > any", auth=ROOT),
    rule("Odd ports", "protect", flt("tcp me > 10.6.0.0/16:135-139", version=2), auth=KEY),
    rule("Web", "allow", "tcp 10.8.1.0/24 > me:80", "icmp 10.8.0.0/20 > me"),
    rule("Bad", "block", "10.8.0.5-10.8.0.9 > me", flt("tcp me > 10.8.3.0/24:1000-1999", version=2)),
    rule("Six", "protect", flt("tcp [2001:db8:20::100-2001:db8:20::1ff] > [2001:db8:20::7]:1433"), auth=OTHER_KEY),
    rule("Rest", "block", "any > me"),
    default_exempt=0,
)


def test_the_kernel_protects_what_the_policy_protects_and_passes_and_drops_what_comes_first() -> None:
    data, expansion, messages = written(MIXED, Host.parse(ME))
    assert messages == ["the pre-shared key is not ASCII and written in UTF-8: not every peer takes the same bytes"]
    got = loaded(data)
    packets = aim(expansion.filters, 4000, 3)
    verdicts = Matcher(expansion.filters).classify(packets)
    assert verdicts.index is not None
    seen: Counter[tuple[str, str]] = Counter()
    wrong = []
    for at in range(len(packets)):
        row = int(verdicts.index[at])
        if row >= 0 and EXEMPTIONS[int(expansion.filters["exempt"][row])] in ("isakmp", "multicast", "broadcast"):
            continue  # the daemon's own packets have sockets that pass everything
        ours, theirs = str(Action(int(verdicts.action[at]))), verdict(got.policies, packets.packet(at))
        seen[ours, theirs] += 1
        # Outside of what is protected there is no policy, and nftables is asked.
        if ours != theirs and (theirs != "none" or ours == "protect"):
            wrong.append((str(packets.packet(at)), ours, theirs))
    assert wrong == []
    assert min(seen[answer, answer] for answer in ("protect", "allow", "block")) > 100
    assert "failed" not in "".join(line for line in got.log.splitlines() if "[LIB]" not in line)


def test_a_narrower_selector_is_noticed() -> None:
    data, expansion, _ = written(MIXED, Host.parse(ME))
    got = loaded(data.replace(b"10.8.0.0/16", b"10.8.0.0/17"))
    packets = aim(expansion.filters, 4000, 3)
    actions = Matcher(expansion.filters).classify(packets).action
    protect = [packets.packet(at) for at in (actions == Action.PROTECT).nonzero()[0].tolist()]
    assert any(verdict(got.policies, packet) == "none" for packet in protect)


@pytest.mark.parametrize("me", [ME, []], ids=["known", "any host"])
def test_every_method_of_windows_that_strongswan_has_loads(me: list[str]) -> None:
    made = policy(
        *(
            rule(
                f"{transform} {number} {integrity}",
                "protect",
                f"me > 10.{10 * number + integrity}.{len(transform)}.0/24",
                auth=KEY,
                filter_action=action("protect", offers=(Offer((Algorithm(transform, number, integrity),), 300, 20480, pfs),)),
            )
            for pfs, transform, number, integrity in (
                *((True, "esp", number, integrity) for number in (0, 1, 3) for integrity in (1, 2)),
                (False, "ah", 1, 0),
                (True, "ah", 2, 0),
            )
        )
    )
    methods = tuple(MainModeMethod(cipher, hash_, group) for cipher in (1, 2, 3) for hash_ in (1, 2) for group in (1, 2, 14))
    made = replace(made, main_mode=replace(MAIN_MODE, methods=methods))
    data, _, messages = written(made, Host.parse(me))
    assert messages == []
    got = loaded(data)
    assert got.connections.count("IKEv1,") == 8
    assert got.connections.count("TRANSPORT") == 8
    assert got.connections.count("rekeying every 300s or 20971520 bytes") == 8
    assert f"local:  {'10.9.0.7/32' if me else 'dynamic'}" in got.connections


def test_a_pair_of_tunnel_rules_is_a_tunnel() -> None:
    made = policy(
        rule("Out", "protect", flt("10.9.0.0/24 > 10.8.0.0/16", mirrored=False), auth=KEY, tunnel=IPv4Address("192.0.2.9")),
        rule("In", "protect", flt("10.8.0.0/16 > 10.9.0.0/24", mirrored=False), auth=KEY, tunnel=IPv4Address("10.9.0.7")),
    )
    data, _, messages = written(made, Host.parse(ME))
    assert messages == []
    got = loaded(data)
    assert "local:  10.9.0.7\n" in got.connections
    assert "remote: 192.0.2.9\n" in got.connections
    assert "TUNNEL" in got.connections
    assert "local:  10.9.0.0/24" in got.connections


def test_keys_and_authorities_arrive_as_they_are_and_hostile_names_stay_comments() -> None:
    names = ("a }\nconnections { evil { } }", 'b "quoted" \\', "# c", "${d}", "include /etc/passwd", "\x1b[31mred")
    made = policy(
        *(rule(name, "protect", f"me > 10.8.{at}.0/24", auth=(KEY, OTHER_KEY, ROOT)[at % 3]) for at, name in enumerate(names)),
        name="p\nsecrets { ike { } }",
    )
    data, _, _ = written(made, Host.parse(ME))
    got = loaded(data)
    assert got.said.count("loaded connection ") == 3
    assert got.said.count("loaded ike secret ") == 2
    assert "ca_id" in data.decode()
    assert got.connections.count("TRANSPORT") == len(names)
    assert "evil" not in got.connections + got.said


def test_without_secrets_it_loads_and_no_key_is_in_it() -> None:
    data, _, _ = written(MIXED, Host.parse(ME), secrets=False)
    assert b"secret" not in data
    assert b"correct" not in data
    assert "secret" not in loaded(data).said
