"""Scripts for Windows Firewall: carried out on paper, held against the documented cmdlets, and judged packet by packet."""

import os
import random
from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pastore.analysis.aim import aim
from pastore.export import wfas
from pastore.filters.expand import Expansion, expand
from pastore.filters.host import Host
from pastore.filters.specific import EXEMPTIONS
from pastore.findings import Finding, Severity
from pastore.matcher import Matcher
from pastore.model import Action, Policy
from pastore.packets.packet import Packet
from tests.support import example
from tests.support.netsecurity import faults
from tests.support.overlapping_policies import random_policy
from tests.support.policies import flt, policy, rule
from tests.support.powershell import run
from tests.support.site import HOST, SITE
from tests.support.wfas_model import Firewall, is_multicast

POLICIES = int(os.environ.get("PASTORE_WFAS_POLICIES", "60"))
ME = ("10.9.0.3/28", "2001:db8:20::7")
MEANT = {Action.NONE: "pass", Action.ALLOW: "pass", Action.BLOCK: "block", Action.PROTECT: "protect"}


def judged(made: Policy, host: Host, n: int, seed: int = 5) -> tuple[Counter[tuple[str, str]], list[str], tuple[Finding, ...]]:
    """Return how often which verdicts met, the packets of which they differ, and what was lost."""
    expansion = expand(made, host)
    data, findings = wfas.write(made, expansion, secrets=True)
    done = run(data)
    assert faults(done.made) == []
    firewall = Firewall.of(done.made)
    assert firewall.allow == []  # nothing is opened that was not open
    packets = aim(expansion.filters, n, seed)
    actions = Matcher(expansion.filters).classify(packets).action
    seen: Counter[tuple[str, str]] = Counter()
    wrong = []
    lost = any(finding.severity is Severity.ERROR for finding in findings)
    for at in range(len(packets)):
        packet = packets.packet(at)
        ours, theirs = MEANT[Action(int(actions[at]))], firewall.verdict(packet)
        seen[ours, theirs] += 1
        if ours == theirs or (ours == "protect" and theirs == "pass" and not is_unicast(packet, expansion)):
            continue
        if lost and "block" not in (ours, theirs):
            continue  # what is lost of the protection is told
        wrong.append(f"{packet}: {ours} here, {theirs} there")
    return seen, wrong, findings


def is_unicast(packet: Packet, expansion: Expansion) -> bool:
    """Whether neither end is multicast or broadcast, which IPsec does not secure."""
    broadcasts = expansion.filters["dst_lo"][expansion.filters["exempt"] == EXEMPTIONS.index("broadcast")][:, 1].tolist()
    return not is_multicast(packet) and not (packet.family == 4 and {packet.src, packet.dst} & set(broadcasts))


@pytest.mark.parametrize("host", [HOST, Host()], ids=["known", "any host"])
def test_every_packet_of_a_site_gets_the_verdict_of_the_policy(host: Host) -> None:
    seen, wrong, findings = judged(SITE, host, 1500)
    assert wrong == []
    assert [finding.severity for finding in findings] == [Severity.WARNING] * len(findings)
    assert min(seen[verdict, verdict] for verdict in ("pass", "block", "protect")) > 50


def test_every_packet_of_the_bundled_example_gets_the_verdict_of_the_policy() -> None:
    seen, wrong, findings = judged(example.policy(), Host.parse(["10.20.4.7/16", "2001:db8:20::7"]), 1500)
    assert (wrong, findings) == ([], ())
    assert min(seen[verdict, verdict] for verdict in ("pass", "block", "protect")) > 50


@settings(max_examples=POLICIES, deadline=None)
@given(st.integers(0, 1 << 32), st.integers(1, 8), st.booleans(), st.booleans())
def test_every_packet_of_any_policy_gets_its_verdict(seed: int, rules: int, known: bool, one_way: bool) -> None:
    made = random_policy(seed, rules, mirrored=0.7 if one_way else 1.0)
    _, wrong, _ = judged(made, Host.parse(ME) if known else Host(), 60, seed)
    assert wrong == []


def test_random_policies_are_not_all_lost() -> None:
    seen: Counter[tuple[str, str]] = Counter()
    whole = 0
    for seed in range(12):
        found, wrong, findings = judged(random_policy(seed, 6, mirrored=1.0), Host.parse(ME), 100, seed)
        assert wrong == []
        seen += found
        whole += not any(finding.severity is Severity.ERROR for finding in findings)
    assert whole > 4
    assert min(seen[verdict, verdict] for verdict in ("pass", "block", "protect")) > 50


class TestTheComparisonNotices:
    MADE = policy(
        rule("Web", "allow", "tcp 10.0.0.0/8 > me:80"),
        rule("Data", "protect", "tcp me > 10.8.0.0/16:1433"),
        rule("Hole", "allow", "tcp me > 10.8.1.0/24:1433"),
        rule("Rest", "block", "any > me"),
    )

    def verdicts(self, change: tuple[str, str] | None = None) -> int:
        """How many packets the script sees otherwise than the policy when it is changed."""
        expansion = expand(self.MADE, Host.parse(ME))
        text = wfas.write(self.MADE, expansion).data.decode()
        if change:
            assert change[0] in text
            text = text.replace(change[0], change[1])
        firewall = Firewall.of(run(text.encode()).made)
        packets = aim(expansion.filters, 1500, 3)
        actions = Matcher(expansion.filters).classify(packets).action
        pairs = [
            (MEANT[Action(int(actions[at]))], firewall.verdict(packets.packet(at)))
            for at in range(len(packets))
            if is_unicast(packets.packet(at), expansion)
        ]
        return sum(ours != theirs for ours, theirs in pairs)

    def test_nothing_where_nothing_is_changed(self) -> None:
        assert self.verdicts() == 0

    @pytest.mark.parametrize(
        "change",
        [
            ("'0-79','81-65535'", "'0-65535'"),  # a block over the allow
            ("'Inbound'", "'Outbound'"),
            ("-InboundSecurity 'None' -OutboundSecurity 'None'", "-InboundSecurity 'Require' -OutboundSecurity 'Require'"),
            ("10.8.0.0/16", "10.8.0.0/17"),
            ("-Action 'Block'", "-Action 'Allow'"),
            ("(18..255)", "(18..99)"),
        ],
    )
    def test_a_changed_script(self, change: tuple[str, str]) -> None:
        assert self.verdicts(change) > 0


def test_a_permit_list_in_a_block_all_has_no_rule_that_allows_and_none_that_overlaps_it() -> None:
    made = policy(rule("Web", "allow", "tcp any > me:80", "61.128.128.67 > me"), rule("All", "block", "me > any"))
    seen, wrong, findings = judged(made, Host.parse(ME), 2000)
    assert (wrong, findings) == ([], ())
    assert seen["pass", "pass"] > 100
    assert seen["block", "block"] > 100


def test_whole_policies_with_many_holes_are_cut_exactly() -> None:
    draw = random.Random(4)
    # More addresses than one rule takes, and more holes than are cut out one after another.
    places = [(draw.randrange(256), draw.randrange(256), draw.randrange(20, 30), draw.randrange(1, 3)) for _ in range(500)]
    holes = [f"tcp 10.{one}.{two}.0/{length} > me:{port}" for one, two, length, port in places]
    made = policy(
        *(rule(f"Hole {at}", "allow", flt(text, name=str(at))) for at, text in enumerate(dict.fromkeys(holes))),
        rule("All", "block", "me > any", flt("any > me", families=(6,), name="six")),
    )
    seen, wrong, _ = judged(made, Host.parse(ME), 1500)
    assert wrong == []
    assert seen["pass", "pass"] > 100
