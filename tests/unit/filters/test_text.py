"""Filters as people read them."""

from ipaddress import ip_address, ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pastore.filters.text import address_text, conditions_text, end_text, filter_text, ports_text, prefix_length, range_text
from pastore.model import Address, AddressKind, Ports
from tests.support.policies import address, flt


class TestAddresses:
    @pytest.mark.parametrize(
        "text",
        [
            *("any", "me", "dns-servers", "wins-servers", "dhcp-servers", "gateways"),
            *("10.1.2.3", "10.0.0.0/8", "0.0.0.0/0", "10.0.0.1-10.0.0.9", "10.0.0.9/255.0.255.0"),
            *("2001:db8::1", "2001:db8::/32", "2001:db8::1-2001:db8::9"),
        ],
    )
    def test_an_end_reads_as_it_was_written(self, text: str) -> None:
        assert address_text(address(text)) == text

    def test_host_bits_are_shown_as_they_are_stored(self) -> None:
        assert address_text(address("192.168.0.1/24")) == "192.168.0.1/24"

    def test_every_keyword_has_a_word(self) -> None:
        written = {address_text(Address(kind)) for kind in AddressKind if kind not in (AddressKind.SUBNET, AddressKind.RANGE)}
        assert written == {"any", "me", "dns-servers", "wins-servers", "dhcp-servers", "gateways"}


class TestMasks:
    @pytest.mark.parametrize("family", [4, 6])
    def test_every_prefix_length_is_found(self, family: int) -> None:
        bits = 32 if family == 4 else 128
        for length in range(bits + 1):
            mask = ((1 << length) - 1) << (bits - length)
            assert prefix_length(mask, family) == length

    @given(st.integers(0, 2**33))
    def test_a_mask_with_a_hole_or_too_many_bits_is_no_prefix(self, mask: int) -> None:
        ones = f"{mask:032b}"
        expected = ones.count("1") if len(ones) == 32 and "01" not in ones else None
        assert prefix_length(mask, 4) == expected


class TestRanges:
    @pytest.mark.parametrize(
        ("family", "low", "high", "text"),
        [
            (4, 0, "255.255.255.255", "any"),
            (6, "::", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "any"),
            (4, "10.9.0.7", "10.9.0.7", "10.9.0.7"),
            (4, "10.0.0.0", "10.255.255.255", "10.0.0.0/8"),
            (4, "10.0.0.1", "10.0.0.2", "10.0.0.1-10.0.0.2"),
            (4, "10.0.0.2", "10.0.0.3", "10.0.0.2/31"),
            (4, 0, "127.255.255.255", "0.0.0.0/1"),
            (4, "224.0.0.0", "239.255.255.255", "224.0.0.0/4"),
            (6, "2001:db8::", "2001:db8::ffff:ffff:ffff:ffff", "2001:db8::/64"),
            (6, "2001:db8::100", "2001:db8::1fe", "2001:db8::100-2001:db8::1fe"),
            (6, "::", "::", "::"),
        ],
    )
    def test_a_range_is_written_the_shortest_way(self, family: int, low: str | int, high: str, text: str) -> None:
        assert range_text(family, int(ip_address(low)), int(ip_address(high))) == text

    @given(st.integers(0, 2**32 - 1), st.integers(0, 2**32 - 1))
    def test_what_is_written_means_the_range(self, one: int, other: int) -> None:
        low, high = min(one, other), max(one, other)
        text = range_text(4, low, high)
        if text == "any":
            meant = (0, 2**32 - 1)
        elif "-" in text:
            first, last = (int(ip_address(part)) for part in text.split("-"))
            meant = (first, last)
        else:
            network = ip_network(text)
            meant = (int(network.network_address), int(network.broadcast_address))
        assert meant == (low, high)


class TestPorts:
    @pytest.mark.parametrize(
        ("ports", "text"),
        [
            (Ports(), "*"),
            (Ports(445, 445), "445"),
            (Ports(135, 139), "135-139"),
            (Ports(0, 0), "0"),
            (Ports(0, 65534), "0-65534"),
        ],
    )
    def test_ports(self, ports: Ports, text: str) -> None:
        assert ports_text(ports) == text

    def test_an_ipv6_address_with_ports_stands_in_brackets(self) -> None:
        assert end_text("2001:db8::1", Ports(445, 445)) == "[2001:db8::1]:445"
        assert end_text("2001:db8::1", Ports()) == "2001:db8::1"
        assert end_text("me", Ports(1, 9)) == "me:1-9"


class TestFilters:
    @pytest.mark.parametrize(
        "text",
        [
            "tcp any > me:445",
            "any > me",
            "udp me:500 > any:500",
            "icmp 10.0.0.0/8 > me",
            "99 any > me",
            "tcp 10.0.0.1-10.0.0.9:1024-65535 > dns-servers:53",
            "tcp [2001:db8::/32]:1 > [2001:db8::7]:445",
        ],
    )
    def test_a_filter_reads_as_it_was_written(self, text: str) -> None:
        shown = text.removeprefix("any ") if text.count("any") > 1 else text
        assert filter_text(flt(text, mirrored=False)) == shown
        assert filter_text(flt(text)) == f"{shown} (mirrored)"

    def test_a_filter_for_ipv6_says_so_where_its_addresses_do_not(self) -> None:
        assert filter_text(flt("any > me", mirrored=False, families=(6,))) == "any > me IPv6"
        assert filter_text(flt("any > me", mirrored=False, families=(4, 6))) == "any > me IPv4 and IPv6"
        assert filter_text(flt("tcp any > me:445", mirrored=False, families=(6,))) == "tcp any > me:445 IPv6"

    def test_any_protocol_is_left_out(self) -> None:
        assert conditions_text("", "any", Ports(), "me", Ports()) == "any > me"
