"""From generic filters to specific ones: what the expansion must say and do."""

from dataclasses import replace
from ipaddress import ip_address
from typing import Any

import pytest

from pastore.filters.expand import Expansion, expand
from pastore.filters.host import Host
from pastore.filters.specific import SpecificFilters, join
from pastore.filters.text import range_text
from pastore.filters.weight import first_match
from pastore.model import Address, AddressKind, InterfaceType, Policy, Ports, Rule
from tests.support.policies import action, flt, guid, policy, rule

ME = Host.parse(["10.9.0.7/24"])


def lines(filters: SpecificFilters, *, exemptions: bool = False) -> list[str]:
    """Return rows as ``block in tcp any:* > 10.9.0.7:445``."""
    return [line(row) for row in filters if exemptions or not row["exempt"]]


def line(row: Any) -> str:
    def end(name: str) -> str:
        address = range_text(int(row["family"]), join(row[f"{name}_lo"]), join(row[f"{name}_hi"]))
        low, high = int(row[f"{name[0]}port_lo"]), int(row[f"{name[0]}port_hi"])
        return address if (low, high) == (0, 65535) else f"{address}:{low}" if low == high else f"{address}:{low}-{high}"

    protocol = {(0, 255): "any", (6, 6): "tcp", (17, 17): "udp", (1, 1): "icmp"}[
        (int(row["protocol_lo"]), int(row["protocol_hi"]))
    ]
    word = ("none", "allow", "block", "protect")[int(row["action"])]
    return f"{word} {('in', 'out', 'both')[int(row['direction'])]} {protocol} {end('src')} > {end('dst')}"


def codes(expansion: Expansion) -> list[str]:
    return [finding.code for finding in expansion.findings]


def expanded(*filters: str, kind: str = "block", host: Host = ME, **options: Any) -> Expansion:
    return expand(policy(rule("Rule", kind, *filters)), host, **options)


class TestMirroring:
    def test_a_mirrored_filter_gives_the_exchanged_one_too_ports_included(self) -> None:
        assert lines(expanded("tcp 10.1.0.0/16:1024 > me:445").filters) == [
            "block in tcp 10.1.0.0/16:1024 > 10.9.0.7:445",
            "block out tcp 10.9.0.7:445 > 10.1.0.0/16:1024",
        ]

    def test_a_filter_that_is_not_mirrored_gives_one_direction(self) -> None:
        one_way = policy(rule("Rule", "block", flt("tcp 10.1.0.0/16 > me:445", mirrored=False)))
        assert lines(expand(one_way, ME).filters) == ["block in tcp 10.1.0.0/16 > 10.9.0.7:445"]

    def test_any_to_any_is_its_own_mirror_image(self) -> None:
        expansion = expanded("any > any")
        assert lines(expansion.filters) == ["block both any any > any"]
        assert "PA313" not in codes(expansion)


class TestMe:
    def test_without_addresses_me_is_any_address_inbound_as_destination_and_outbound_as_source(self) -> None:
        assert lines(expanded("tcp 10.1.2.3 > me:445", host=Host()).filters) == [
            "block in tcp 10.1.2.3 > any:445",
            "block out tcp any:445 > 10.1.2.3",
        ]

    def test_every_address_of_the_host_gets_a_row(self) -> None:
        host = Host.parse(["10.9.0.7", "192.168.1.1"])
        rows = lines(expand(policy(rule("Rule", "block", flt("1.2.3.4 > me", mirrored=False))), host).filters)
        assert sorted(rows) == ["block in any 1.2.3.4 > 10.9.0.7", "block in any 1.2.3.4 > 192.168.1.1"]

    def test_me_counts_as_a_full_address_whether_known_or_not(self) -> None:
        for host in (Host(), ME):
            found = expand(policy(rule("Wide", "allow", "any > 10.0.0.0/8"), rule("Me", "block", "any > me")), host)
            assert [line.split()[0] for line in lines(found.filters)] == ["block", "block", "allow", "allow"]

    def test_a_version_1_me_is_ipv4_only(self) -> None:
        host = Host.parse(["10.9.0.7", "2001:db8::7"])
        assert {int(row["family"]) for row in expanded("any > me", host=host).filters if not row["exempt"]} == {4}

    def test_a_version_2_me_follows_its_version_field(self) -> None:
        host = Host.parse(["10.9.0.7", "2001:db8::7"])
        both = policy(rule("Rule", "block", flt("any > me", families=(4, 6), mirrored=False)))
        assert lines(expand(both, host).filters) == [
            "block both any any > 2001:db8::7",  # any contains the host itself
            "block both any any > 10.9.0.7",
        ]

    def test_a_network_given_as_me_stands_for_each_of_its_addresses(self) -> None:
        rows = lines(expanded("tcp 1.2.3.4 > me:80", host=Host.parse(["10.9.0.0/24"])).filters)
        assert rows[0] == "block in tcp 1.2.3.4 > 10.9.0.0/24:80"

    def test_a_filter_between_other_computers_never_matches_and_is_a_finding(self) -> None:
        expansion = expanded("tcp 10.1.1.1 > 10.2.2.2:445")
        assert lines(expansion.filters) == []
        assert codes(expansion) == ["PA308"]

    def test_without_addresses_a_filter_between_two_hosts_applies_both_ways(self) -> None:
        assert lines(expanded("tcp 10.1.1.1 > 10.2.2.2:445", host=Host()).filters)[0] == "block both tcp 10.1.1.1 > 10.2.2.2:445"

    def test_what_is_no_address_is_refused_by_name(self) -> None:
        with pytest.raises(ValueError, match=r"'10\.9\.0' is not an address such as"):
            Host.parse(["10.9.0"])
        with pytest.raises(ValueError, match="gateway 'x' is not an address"):
            Host.parse(gateway=["x"])


class TestServers:
    def test_a_server_keyword_stands_for_the_addresses_given(self) -> None:
        host = Host.parse(["10.9.0.7"], dns=["10.9.0.53", "10.9.0.54"])
        assert sorted(lines(expanded("udp me > dns-servers:53", host=host).filters)) == [
            "block in udp 10.9.0.53:53 > 10.9.0.7",
            "block in udp 10.9.0.54:53 > 10.9.0.7",
            "block out udp 10.9.0.7 > 10.9.0.53:53",
            "block out udp 10.9.0.7 > 10.9.0.54:53",
        ]

    @pytest.mark.parametrize("keyword", ["dns-servers", "wins-servers", "dhcp-servers", "gateways"])
    def test_an_unknown_server_matches_nothing_and_is_undecided(self, keyword: str) -> None:
        expansion = expanded(f"me > {keyword}")
        assert (lines(expansion.filters), codes(expansion)) == ([], ["PA402"])

    def test_the_other_end_of_a_server_must_be_me(self) -> None:
        expansion = expanded("any > gateways", host=Host.parse(["10.9.0.7"], gateway=["10.9.0.1"]))
        assert codes(expansion) == ["PA208"]
        assert [failure.win32 for failure in expansion.failures] == [87]


class TestAddresses:
    def test_host_bits_under_a_mask_are_ignored_with_a_finding(self) -> None:
        expansion = expanded("tcp 192.168.0.1/255.255.255.0 > me:445")
        assert lines(expansion.filters)[0] == "block in tcp 192.168.0.0/24 > 10.9.0.7:445"
        assert codes(expansion) == ["PA304"]
        assert "192.168.0.0/24 is taken" in expansion.findings[0].message

    def test_a_mask_that_is_not_a_prefix_cannot_be_applied(self) -> None:
        expansion = expanded("tcp 192.168.0.1/255.0.255.0 > me:445", "tcp any > me:80")
        assert codes(expansion) == ["PA203"]
        assert [(failure.filter, failure.win32) for failure in expansion.failures] == [
            ("tcp 192.168.0.1/255.0.255.0 > me:445 (mirrored)", 87)
        ]
        assert len(lines(expansion.filters)) == 2  # the rest of the rule still applies

    def test_a_range_counts_the_bits_that_it_fixes(self) -> None:
        found = expand(
            policy(rule("Narrow", "allow", "10.0.0.1-10.0.0.4 > me"), rule("Wide", "block", "10.0.0.0/29 > me")),
            ME,
        )
        assert [line.split()[0] for line in lines(found.filters)] == ["allow", "allow", "block", "block"]

    def test_a_range_that_runs_backwards_cannot_be_applied(self) -> None:
        assert codes(expanded("10.0.0.9-10.0.0.1 > me")) == ["PA204"]

    def test_an_ipv6_range_gives_ipv6_rows_only(self) -> None:
        host = Host.parse(["10.9.0.7", "2001:db8::7"])
        rows = lines(expanded("tcp 2001:db8:20::100-2001:db8:20::1ff > me", host=host).filters)
        assert rows[0] == "block in tcp 2001:db8:20::100/120 > 2001:db8::7"

    def test_ends_of_two_ip_versions_cannot_be_applied(self) -> None:
        mixed = replace(flt("any > me"), src=Address(AddressKind.SUBNET, (6,), 1, (1 << 128) - 1))
        assert codes(expand(policy(rule("Rule", "block", mixed)), ME)) == ["PA206"]

    def test_a_dns_name_uses_the_address_stored_with_it(self) -> None:
        named = flt("tcp me > 203.0.113.9:443")
        named = replace(named, dst=replace(named.dst, dns_name="www.example.com"))
        assert lines(expand(policy(rule("Rule", "allow", named)), ME).filters)[0] == "allow out tcp 10.9.0.7 > 203.0.113.9:443"

    def test_a_dns_name_without_an_address_cannot_be_applied(self) -> None:
        named = flt("tcp me > any:443")
        named = replace(named, dst=replace(named.dst, dns_name="www.example.com"))
        expansion = expand(policy(rule("Rule", "allow", named)), ME)
        assert (codes(expansion), expansion.failures[0].win32) == (["PA207"], 11001)


class TestPorts:
    @pytest.mark.parametrize("protocol", ["icmp", "any", "gre"])
    def test_ports_are_dropped_where_the_protocol_is_neither_tcp_nor_udp(self, protocol: str) -> None:
        expansion = expanded(f"{protocol} any > me:445")
        row = next(row for row in expansion.filters if not row["exempt"])
        assert (row["dport_lo"], row["dport_hi"]) == (0, 65535)
        assert "PA303" in codes(expansion)

    def test_a_port_range_that_runs_backwards_cannot_be_applied(self) -> None:
        backwards = replace(flt("tcp any > me:445"), dport=Ports(9, 3))
        assert codes(expand(policy(rule("Rule", "block", backwards)), ME)) == ["PA204"]

    def test_a_protocol_number_above_255_cannot_be_applied(self) -> None:
        beyond = replace(flt("tcp any > me"), protocol=256)
        assert codes(expand(policy(rule("Rule", "block", beyond)), ME)) == ["PA214"]


class TestRules:
    def test_inactive_rules_do_not_apply_and_are_told(self) -> None:
        expansion = expand(policy(rule("Off", "block", "any > me", active=False)), ME)
        assert (lines(expansion.filters), codes(expansion)) == ([], ["PA301"])

    def test_the_default_response_rule_gives_no_filter_and_vista_ignores_it(self) -> None:
        response = Rule(guid("default"), default_response=True, filter_action=action("protect"))
        assert codes(expand(policy(response), ME)) == ["PA302"]
        assert codes(expand(policy(response), ME, target="xp", default_exempt=1)) == []
        assert codes(expand(policy(replace(response, active=False)), ME)) == ["PA301"]

    def test_the_interface_type_is_that_of_the_rule(self) -> None:
        found = [
            int(
                expand(policy(rule("Rule", "block", flt("any > me", mirrored=False), interface=kind)), ME).filters[-1][
                    "interface"
                ]
            )
            for kind in (InterfaceType.LAN, InterfaceType.RAS, InterfaceType.ALL)
        ]
        assert found == [0, 1, 2]

    def test_inpass_and_soft_are_attributes_of_the_rows(self) -> None:
        both = replace(rule("Rule", "protect", "any > me"), filter_action=action("protect", inpass=True, soft=True))
        assert [int(row["flags"]) & 3 for row in expand(policy(both), ME).filters if not row["exempt"]] == [3, 3]

    def test_a_tunnel_rule_applies_inbound_where_its_endpoint_is_local_and_outbound_otherwise(self) -> None:
        def direction(endpoint: str) -> str:
            one_way = flt("10.1.0.0/16 > 10.2.0.0/16", mirrored=False)
            found = expand(policy(rule("Tunnel", "protect", one_way, tunnel=ip_address(endpoint))), ME)
            assert found.filters.sources[int(found.filters[-1]["filter"])].tunnel == endpoint
            return lines(found.filters)[0].split()[1]

        assert (direction("10.9.0.7"), direction("198.51.100.1")) == ("in", "out")

    def test_a_mirrored_tunnel_filter_is_a_finding(self) -> None:
        assert codes(expand(policy(rule("Tunnel", "protect", "10.1.0.0/16 > me", tunnel=ip_address("198.51.100.1"))), ME)) == [
            "PA311"
        ]

    @pytest.mark.parametrize(
        ("change", "code", "win32"),
        [
            ({"filter_action": None}, "PA201", 13001),
            ({"filter_action": action("none")}, "PA205", 87),
            ({"filter_action": action("protect", offers=())}, "PA209", 13001),
            ({"filter_action": action("protect"), "auth_methods": ()}, "PA213", 13011),
            ({"is_tunnel": True}, "PA210", 87),
        ],
    )
    def test_a_rule_that_cannot_be_applied_fails_with_each_of_its_filters(
        self, change: dict[str, Any], code: str, win32: int
    ) -> None:
        broken = replace(rule("Rule", "block", "tcp any > me:1", "tcp any > me:2"), **change)
        expansion = expand(policy(broken, rule("Fine", "allow", "tcp any > me:3")), ME)
        assert codes(expansion) == [code]
        assert [failure.win32 for failure in expansion.failures] == [win32, win32]
        assert (expansion.failed_rules, expansion.applied_rules) == (("Rule",), ("Fine",))

    def test_the_lists_that_are_there_apply_when_another_is_missing(self) -> None:
        broken = replace(rule("Rule", "block", "tcp any > me:1"), missing=("ipsecFilter{1}",))
        expansion = expand(policy(broken), ME)
        assert (codes(expansion), len(lines(expansion.filters))) == (["PA202"], 2)

    def test_an_empty_filter_list_is_a_finding(self) -> None:
        assert codes(expand(policy(rule("Rule", "block")), ME)) == ["PA310"]


class TestExisting:
    def test_a_filter_with_the_conditions_of_another_cannot_be_added(self) -> None:
        twice = policy(
            rule("One", "allow", flt("tcp any > me:80", name="a")), rule("Two", "allow", flt("tcp any > me:80", name="b"))
        )
        expansion = expand(twice, ME)
        assert codes(expansion) == ["PA211"]
        assert [failure.win32 for failure in expansion.failures] == [13008]
        assert len(lines(expansion.filters)) == 2

    def test_of_two_equal_filters_the_blocking_one_stays(self) -> None:
        twice = policy(
            rule("One", "allow", flt("tcp any > me:80", name="a")), rule("Two", "block", flt("tcp any > me:80", name="b"))
        )
        assert {line.split()[0] for line in lines(expand(twice, ME).filters)} == {"block"}

    def test_tunnel_filters_have_an_error_of_their_own(self) -> None:
        end = ip_address("198.51.100.1")
        one = rule("One", "protect", flt("me > 10.2.0.0/16", name="a", mirrored=False), tunnel=end)
        two = rule("Two", "protect", flt("me > 10.2.0.0/16", name="b", mirrored=False), tunnel=end)
        expansion = expand(policy(one, two), ME)
        assert (codes(expansion), expansion.failures[0].win32) == (["PA212"], 13016)

    def test_rules_for_different_interfaces_do_not_collide(self) -> None:
        lan = rule("Lan", "allow", flt("tcp any > me:80", name="a"), interface=InterfaceType.LAN)
        ras = rule("Ras", "block", flt("tcp any > me:80", name="b"), interface=InterfaceType.RAS)
        assert codes(expand(policy(lan, ras), ME)) == []

    def test_the_mirror_image_of_a_filter_changes_nothing_and_is_a_warning(self) -> None:
        image = policy(rule("One", "block", flt("tcp any:22 > any", name="a"), flt("tcp any > any:22", name="b")))
        expansion = expand(image, ME)
        assert (codes(expansion), len(lines(expansion.filters)), expansion.failures) == (["PA313"], 2, ())
        assert "it is the mirror image of filter tcp any" in expansion.findings[0].message

    def test_half_of_a_filter_that_exists_is_a_warning_and_the_other_half_is_added(self) -> None:
        one = rule("One", "allow", flt("tcp any > me:80", name="a", mirrored=False))
        two = rule("Two", "allow", flt("tcp any > me:80", name="b"))
        expansion = expand(policy(one, two), ME)
        assert (codes(expansion), len(lines(expansion.filters)), expansion.failures) == (["PA313"], 2, ())


class TestOrder:
    def test_most_specific_first_addresses_then_protocol_then_ports(self) -> None:
        mixed = policy(
            rule("A", "block", flt("any > me", mirrored=False)),
            rule("B", "allow", flt("tcp any > me", mirrored=False)),
            rule("C", "allow", flt("tcp any > me:80", mirrored=False)),
            rule("D", "allow", flt("tcp any:1024 > me:80", mirrored=False)),
            rule("E", "allow", flt("10.0.0.0/8 > me", mirrored=False)),
            rule("F", "allow", flt("10.1.2.3 > me", mirrored=False)),
        )
        found = expand(mixed, ME).filters
        assert [found.source(at).rule for at, row in enumerate(found) if not row["exempt"]] == ["F", "E", "D", "C", "B", "A"]  # type: ignore[union-attr]

    def test_equally_specific_filters_block_then_protect_then_allow(self) -> None:
        tied = policy(
            rule("Allow", "allow", flt("tcp 10.1.0.0/16 > me", mirrored=False)),
            rule("Protect", "protect", flt("tcp 10.2.0.0/16 > me", mirrored=False)),
            rule("Block", "block", flt("tcp 10.3.0.0/16 > me", mirrored=False)),
        )
        assert [line.split()[0] for line in lines(expand(tied, ME).filters)] == ["block", "protect", "allow"]

    def test_the_order_of_references_does_not_matter(self) -> None:
        one, two = rule("One", "allow", "tcp 10.1.0.0/16 > me"), rule("Two", "allow", "tcp 10.2.0.0/16 > me")
        forward, backward = (replace(policy(), rules=rules) for rules in ((one, two), (two, one)))
        assert lines(expand(forward, ME).filters) == lines(expand(backward, ME).filters)

    def test_first_match_keeps_the_order_listed(self) -> None:
        listed = Policy(guid("p"), "p", rules=(rule("Wide", "block", "any > me"), rule("Narrow", "allow", "10.1.2.3 > me")))
        found = lines(expand(listed, ME, order=first_match, default_exempt=3).filters)
        assert [line.split()[0] for line in found] == ["block", "block", "allow", "allow"]


class TestTarget:
    def test_version_2_filters_are_not_read_before_vista(self) -> None:
        new = policy(rule("Rule", "block", flt("10.0.0.1-10.0.0.9 > me", version=2)))
        assert codes(expand(new, ME, target="2003")) == ["PA307"]

    def test_what_is_no_target_is_refused(self) -> None:
        with pytest.raises(ValueError, match="target 'nt4' is none of"):
            expand(policy(), ME, target="nt4")
