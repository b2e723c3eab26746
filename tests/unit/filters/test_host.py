"""Who the host is: what --me, --dns-server and the others mean."""

from ipaddress import ip_address, ip_network

import pytest

from pastore.filters.host import UNKNOWN_HOST, Host, Local
from pastore.model import AddressKind


def number(text: str) -> int:
    return int(ip_address(text))


class TestMe:
    def test_an_address_is_itself(self) -> None:
        assert Local.parse("10.9.0.7") == Local(4, number("10.9.0.7"), number("10.9.0.7"), None)

    def test_an_address_on_a_subnet_is_itself_and_knows_its_broadcast(self) -> None:
        assert Local.parse("10.9.0.7/24") == Local(4, number("10.9.0.7"), number("10.9.0.7"), number("10.9.0.255"))

    def test_a_network_is_all_its_addresses(self) -> None:
        assert Local.parse("10.9.0.0/24") == Local(4, number("10.9.0.0"), number("10.9.0.255"), number("10.9.0.255"))
        assert Local.parse("2001:db8::/64") == Local(6, number("2001:db8::"), number("2001:db8::ffff:ffff:ffff:ffff"), None)

    @pytest.mark.parametrize("text", ["10.9.0.7/31", "10.9.0.7/32", "2001:db8::7/64"])
    def test_a_subnet_without_a_broadcast_address_has_none(self, text: str) -> None:
        assert Local.parse(text).broadcast is None

    def test_blanks_around_do_not_matter(self) -> None:
        assert Local.parse(" 10.9.0.7\n") == Local.parse("10.9.0.7")

    @pytest.mark.parametrize("text", ["", "10.9.0", "10.9.0.7/33", "10.9.0.256", "me", "10.9.0.7-10.9.0.9", "2001:db8::/129"])
    def test_anything_else_is_refused_with_examples(self, text: str) -> None:
        with pytest.raises(ValueError, match=r"is not an address such as 10\.9\.0\.7, 10\.9\.0\.7/24 or 2001:db8::7$") as refused:
            Local.parse(text)
        assert repr(text) in str(refused.value)


class TestServers:
    def test_each_kind_is_kept_apart(self) -> None:
        host = Host.parse(dns=["10.0.0.53", "2001:db8::53"], wins=["10.0.0.42"], dhcp=["10.0.0.67"], gateway=["10.0.0.1"])
        single = {
            AddressKind.DNS_SERVER: "10.0.0.53",
            AddressKind.WINS_SERVER: "10.0.0.42",
            AddressKind.DHCP_SERVER: "10.0.0.67",
            AddressKind.GATEWAY: "10.0.0.1",
        }
        assert {kind: host.server(kind, 4) for kind in single} == {
            kind: [(number(text), number(text))] for kind, text in single.items()
        }
        assert host.server(AddressKind.DNS_SERVER, 6) == [(number("2001:db8::53"), number("2001:db8::53"))]
        assert host.server(AddressKind.GATEWAY, 6) == []

    @pytest.mark.parametrize(
        ("option", "name"), [("dns", "DNS server"), ("wins", "WINS server"), ("dhcp", "DHCP server"), ("gateway", "gateway")]
    )
    def test_a_refusal_says_which_server_it_is_about(self, option: str, name: str) -> None:
        with pytest.raises(ValueError, match=rf"^{name} '10\.0\.0\.0/8' is not an address$"):
            Host.parse(**{option: ["10.0.0.0/8"]})


class TestLocal:
    def test_every_range_is_local_to_a_host_that_is_not_known(self) -> None:
        assert UNKNOWN_HOST.is_local(4, 5, 5)
        assert UNKNOWN_HOST.is_local(6, 5, 5)

    @pytest.mark.parametrize(
        ("low", "high", "local"),
        [
            ("10.9.0.7", "10.9.0.7", True),
            ("10.9.0.0", "10.9.0.7", True),
            ("10.9.0.7", "10.9.0.9", True),
            ("0.0.0.1", "255.255.255.255", True),
            ("10.9.0.0", "10.9.0.6", False),
            ("10.9.0.8", "10.9.0.255", False),
        ],
    )
    def test_a_range_is_local_if_it_contains_a_local_address(self, low: str, high: str, local: bool) -> None:
        assert Host.parse(["10.9.0.7/24"]).is_local(4, number(low), number(high)) is local

    def test_the_other_family_is_not_local(self) -> None:
        assert not Host.parse(["10.9.0.7"]).is_local(6, 0, 2**128 - 1)
        assert Host.parse(["10.9.0.7"]).local(6) == []

    def test_the_local_addresses_as_networks(self) -> None:
        host = Host.parse(["10.9.0.7/24", "10.8.0.0/16", "2001:db8::7/64"])
        assert host.networks() == [ip_network("10.9.0.7/32"), ip_network("10.8.0.0/16"), ip_network("2001:db8::7/128")]
