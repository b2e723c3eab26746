"""What is said about policies that people write; that the answers are right is for tests/oracle/test_analysis.py."""

import pytest

from pastore.analysis.questions import LISTED, POLICY_WORK, QUESTION_WORK
from pastore.analysis.whole import analyse
from pastore.filters.expand import expand
from pastore.filters.host import Host
from pastore.filters.weight import first_match
from pastore.findings import Finding
from pastore.model import InterfaceType, Policy
from tests.support.policies import action, flt, policy, rule

ME = Host.parse(["10.9.0.7"])
EVERYTHING = rule("Rest", "block", "any > me", flt("any > me", families=(6,), name="six"))


def told(made: Policy, host: Host = ME, *, question_work: int = QUESTION_WORK, policy_work: int = POLICY_WORK) -> list[Finding]:
    expansion = expand(made, host)
    found = analyse(made, expansion, host, question_work=question_work, policy_work=policy_work)
    return [*found.contradictions, *found.more]


def of(code: str, made: Policy, host: Host = ME) -> list[Finding]:
    return [finding for finding in told(made, host) if finding.code == code]


class TestHidden:
    def test_filters_that_hide_one_together_are_named(self) -> None:
        web = rule("Web", "allow", "tcp 10.0.0.0/9 > me:443", "tcp 10.128.0.0/9 > me:443")
        other = rule("No web", "block", "tcp 10.0.0.0/8 > me:443", "tcp any > me:80")
        (finding,) = of("PA314", policy(web, other))
        assert finding.filter == "tcp 10.0.0.0/8 > me:443 (mirrored)"
        assert finding.message.count("of rule 'Web'") == 2

    def test_one_that_keeps_a_single_packet_is_not_hidden(self) -> None:
        web = rule("Web", "allow", "tcp 10.0.0.0/9 > me:443", flt("tcp 10.128.0.0-10.255.255.254 > me:443", version=2))
        assert of("PA314", policy(web, rule("No web", "block", "tcp 10.0.0.0/8 > me:443", "tcp any > me:80"))) == []

    def test_a_rule_of_which_nothing_is_left_is_told_once(self) -> None:
        made = policy(rule("IKE", "block", "udp any > me:500", "udp any > me:4500"))
        found = told(made)
        assert [finding.code for finding in found if finding.code in ("PA314", "PA315")] == ["PA315"]
        assert "all 2 of its filters are hidden" in found[0].message
        assert "default exemption isakmp" in found[0].message

    def test_one_direction_that_is_left_is_enough(self) -> None:
        hider = rule("In", "allow", flt("tcp 10.1.2.3:1024 > me:443", mirrored=False))
        assert of("PA314", policy(hider, rule("Both", "block", "tcp 10.1.2.3 > me:443"))) == []

    def test_very_many_are_not_all_listed(self) -> None:
        count = LISTED + 5
        wide = rule("Wide", "allow", "tcp any > me")
        narrow = rule("Narrow", "block", *(f"tcp any > me:{port}" for port in range(1, count + 1)), "udp 10.1.2.3 > me")
        listed = Policy(wide.guid, "p", rules=(wide, narrow))
        expansion = expand(listed, order=first_match)
        found = analyse(listed, expansion, order=first_match).more
        assert [finding.code for finding in found].count("PA314") == LISTED
        assert [finding.message for finding in found if finding.code == "PA403"] == [
            "5 more filters never decide: they are not listed"
        ]


class TestRedundant:
    def test_the_filter_that_would_do_the_same_is_named(self) -> None:
        (finding,) = of("PA316", policy(rule("Intranet", "allow", "tcp 10.0.0.0/8 > me:443", "tcp 10.1.2.3 > me:443")))
        assert finding.filter == "tcp 10.1.2.3 > me:443 (mirrored)"
        assert "allow tcp 10.0.0.0/8 > me:443 (mirrored) of rule 'Intranet'" in finding.message

    def test_an_exception_between_makes_it_needed(self) -> None:
        made = policy(
            rule("Intranet", "allow", "tcp 10.0.0.0/8 > me:443", "tcp 10.1.2.3 > me:443"),
            rule("Not these", "block", "tcp 10.1.0.0/16 > me:443"),
        )
        assert of("PA316", made) == []

    def test_another_way_to_protect_is_not_the_same(self) -> None:
        made = policy(
            rule("Wide", "protect", "tcp 10.0.0.0/8 > me:443"),
            rule("Narrow", "protect", "tcp 10.1.2.3 > me:443", filter_action=action("protect", soft=True)),
        )
        assert of("PA316", made) == []


class TestConflicts:
    TIED = (rule("Allow", "allow", "tcp any > me:80"), rule("Block", "block", "tcp any:1024 > me"))

    def test_equal_specificity_overlap_and_different_actions(self) -> None:
        (finding,) = of("PA305", policy(*self.TIED))
        assert finding.message.endswith("block is taken, for example for tcp 192.0.2.1:1024 > 10.9.0.7:80 in")

    def test_none_where_something_more_specific_decides_all_of_it(self) -> None:
        assert of("PA305", policy(*self.TIED, rule("Both", "allow", "tcp any:1024 > me:80"))) == []

    def test_none_without_overlap_even_where_the_host_talks_to_itself(self) -> None:
        assert of("PA305", policy(rule("A", "allow", "tcp any > me:80"), rule("B", "block", "tcp any > me:81"))) == []

    def test_none_on_different_interfaces(self) -> None:
        lan = rule("Allow", "allow", "tcp any > me:80", interface=InterfaceType.LAN)
        ras = rule("Block", "block", "tcp any:1024 > me", interface=InterfaceType.RAS)
        assert of("PA305", policy(lan, ras)) == []

    def test_none_in_a_list_that_has_an_order(self) -> None:
        made = policy(*self.TIED)
        found = analyse(made, expand(made, ME, order=first_match), ME, order=first_match)
        assert found.contradictions == ()


class TestBlockAll:
    def test_without_an_ipv6_twin(self) -> None:
        (finding,) = of("PA306", policy(rule("Rest", "block", "any > me")))
        assert "IPv6 traffic passes" in finding.message

    @pytest.mark.parametrize("host", [["10.9.0.7"], ["10.9.0.7", "2001:db8::7"], []])
    def test_with_its_twin(self, host: list[str]) -> None:
        assert of("PA306", policy(EVERYTHING), Host.parse(host)) == []

    def test_two_halves_are_a_twin(self) -> None:
        halves = [flt(f"{half} > me", families=(6,)) for half in ("::/1", "8000::/1")]
        made = policy(rule("Rest", "block", "any > me", *halves))
        assert of("PA306", made, Host.parse(["10.9.0.7", "2001:db8::7"])) == []

    def test_a_block_of_one_protocol_is_no_block_all(self) -> None:
        assert [finding.code for finding in told(policy(rule("Rest", "block", "tcp any > me")))] == []

    def test_services_without_a_way_are_named(self) -> None:
        (finding,) = of("PA319", policy(EVERYTHING, rule("DNS", "allow", "udp me > 10.0.0.53:53")))
        assert finding.message.endswith("no way there and back is left for the directory (LDAP) and addresses (DHCP)")
        assert finding.severity.value == "warning"

    def test_a_way_there_without_one_back_is_none(self) -> None:
        there = flt("udp me > 10.0.0.53:53", mirrored=False)
        (finding,) = of("PA319", policy(EVERYTHING, rule("DNS", "allow", there)))
        assert "name lookups (DNS)" in finding.message

    def test_dhcp_alone_matters_less(self) -> None:
        services = rule("Services", "protect", "udp me > 10.0.0.53:53", "tcp me > 10.0.0.0/8:389")
        (finding,) = of("PA319", policy(EVERYTHING, services))
        assert finding.severity.value == "info"

    def test_what_a_web_server_answers_from_is_no_way_to_ask(self) -> None:
        (finding,) = of("PA319", policy(EVERYTHING, rule("Web", "allow", "tcp any > me:443")))
        assert "the directory (LDAP)" in finding.message


class TestOpenings:
    def test_an_allow_wider_than_the_block_it_undoes(self) -> None:
        made = policy(rule("Admin", "allow", "10.1.2.3 > me"), rule("No RDP", "block", "tcp any > me:3389"))
        (finding,) = of("PA317", made)
        assert finding.message.endswith("and is wider: tcp 10.1.2.3:49152 > 10.9.0.7:3389 in passes")

    def test_an_exception_inside_a_block_is_none(self) -> None:
        made = policy(rule("Admin", "allow", "tcp 10.1.2.3 > me:3389"), rule("No RDP", "block", "tcp any > me:3389"))
        assert of("PA317", made) == []

    def test_one_whose_block_something_else_decides_first_is_none(self) -> None:
        made = policy(
            rule("Admin", "allow", "10.1.2.3 > me"),
            rule("No RDP", "block", "tcp any > me:3389"),
            rule("No RDP at all", "block", "tcp 10.1.2.3 > me:3389"),
        )
        assert of("PA317", made) == []

    @pytest.mark.parametrize(("protocol", "severity"), [("tcp", "warning"), ("udp", "info")])
    def test_an_opening_without_answers(self, protocol: str, severity: str) -> None:
        made = policy(EVERYTHING, rule("In", "allow", flt(f"{protocol} any > me:514", mirrored=False)))
        (finding,) = of("PA318", made)
        assert (finding.rule, finding.severity.value) == ("In", severity)

    def test_mirrored_it_has_them(self) -> None:
        assert of("PA318", policy(EVERYTHING, rule("In", "allow", "tcp any > me:514"))) == []

    def test_nobody_answers_from_a_multicast_address(self) -> None:
        assert of("PA318", policy(EVERYTHING, rule("mDNS", "allow", flt("udp me > 224.0.0.251:5353", mirrored=False)))) == []

    def test_source_port_88_past_a_block_is_shown_with_a_packet(self) -> None:
        block = rule("No SMB", "block", "tcp any > me:445")
        (finding,) = of("PA506", policy(block, default_exempt=0))
        assert "block tcp any > me:445 (mirrored) of rule 'No SMB'" in finding.message
        assert ":88 > 10.9.0.7:445 in" in finding.message
        assert of("PA506", policy(block, default_exempt=3)) == []
        assert of("PA506", policy(rule("UDP", "allow", "udp any > me:445"), default_exempt=0)) == []


class TestWork:
    def test_what_is_not_decided_is_said_and_never_clean(self) -> None:
        web = rule("Web", "allow", "tcp 10.0.0.0/9 > me:443", "tcp 10.128.0.0/9 > me:443")
        found = told(policy(web, rule("No web", "block", "tcp 10.0.0.0/8 > me:443")), question_work=20)
        assert "PA315" not in {finding.code for finding in found}
        assert any(
            finding.code == "PA430" and "whether a filter ever decides" in finding.message and "rule 'No web'" in finding.message
            for finding in found
        )

    def test_a_policy_has_a_limit_of_its_own(self) -> None:
        found = told(policy(EVERYTHING, rule("Web", "allow", "tcp any > me:443")), policy_work=0)
        assert {finding.code for finding in found} == {"PA430"}

    def test_a_ragged_set_ends_within_the_limit(self) -> None:
        ragged = [
            flt(f"tcp 10.0.{a}.{b} > me:{port}", name=f"{a} {b} {port}")
            for a in range(4)
            for b in range(0, 256, 2)
            for port in range(1, 8, 2)
        ]
        made = policy(rule("Holes", "allow", *ragged), rule("Rest", "block", "tcp 10.0.0.0/22 > me"))
        assert "PA430" not in {finding.code for finding in told(made)}
