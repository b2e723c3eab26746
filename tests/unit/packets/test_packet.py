"""One packet as text."""

import dataclasses
from ipaddress import IPv4Address, IPv6Address

import pytest

from pastore.packets import Packet, address, address_text, endpoint, endpoint_text

CLIENT, SERVER = int(IPv4Address("10.1.2.3")), int(IPv4Address("10.9.0.7"))


def test_the_contract_s_example_is_read() -> None:
    assert Packet.parse("tcp 10.1.2.3:49152 > 10.9.0.7:445 in") == Packet(4, 6, CLIENT, SERVER, 49152, 445, 0, 0)


@pytest.mark.parametrize(
    "text",
    [
        "tcp 10.1.2.3:49152 > 10.9.0.7:445 in",
        "udp 10.1.2.3:500 > 10.9.0.7:500 out",
        "icmp 10.1.2.3 > 10.9.0.7 in ras",
        "tcp 10.1.2.3 > 10.9.0.7:445 in",
        "200 0.0.0.0 > 255.255.255.255 out ras",
        "tcp [2001:db8::1]:49152 > [2001:db8::2]:445 in",
        "icmpv6 fe80::1 > ff02::1 out",
        "esp ::ffff:a01:203 > ::ffff:0:0 in",
    ],
)
def test_a_packet_gives_its_text_back(text: str) -> None:
    assert str(Packet.parse(text)) == text


@pytest.mark.parametrize(
    "text",
    [
        "  TCP   10.1.2.3:49152   >  10.9.0.7:445\t",
        "6 10.1.2.3:49152>10.9.0.7:smb IN",
        "tcp 10.1.2.3:49152 > 10.9.0.7:445 lan",
        "tcp 10.1.2.3:49152 > 10.9.0.7:445 lan in",
    ],
)
def test_blanks_case_names_and_left_out_words_do_not_matter(text: str) -> None:
    assert str(Packet.parse(text)) == "tcp 10.1.2.3:49152 > 10.9.0.7:445 in"


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "needs one '>' between source and destination"),
        ("tcp 10.1.2.3 10.9.0.7", "needs one '>' between source and destination"),
        ("tcp 10.1.2.3 > 10.9.0.7 > 10.9.0.8", "needs one '>' between source and destination"),
        ("10.1.2.3 > 10.9.0.7", "needs a protocol and a source before '>'"),
        ("tcp 10.1.2.3 445 > 10.9.0.7", "needs a protocol and a source before '>'"),
        ("tcp 10.1.2.3 >", "has no destination"),
        ("tpc 10.1.2.3 > 10.9.0.7", "protocol of packet .*'tpc' is not a protocol: accepted are 0 to 255 and names"),
        ("tcp 10.1.2.300 > 10.9.0.7", "source of packet .*'10.1.2.300' is not an IP address: Octet 300"),
        ("tcp 10.1.2.3 > 10.9.0", "destination of packet .*'10.9.0' is not an IP address: Expected 4 octets"),
        ("tcp 10.1.02.3 > 10.9.0.7", "source of packet .*Leading zeros are not permitted"),
        ("tcp 10.1.2.3:70000 > 10.9.0.7", "source of packet .*'70000' is not a port: accepted are 0 to 65535"),
        ("tcp 10.1.2.3: > 10.9.0.7", "source of packet .*'' is not a port"),
        ("tcp 10.1.2.0/24 > 10.9.0.7", "source of packet .*a packet has single addresses, not a network"),
        ("tcp 10.1.2.3 > fe80::1", "has an IPv4 source and an IPv6 destination: both must be of one family"),
        ("tcp fe80::1%eth0 > fe80::2", "source of packet .*has a zone id, which no filter looks at: write 'fe80::1'"),
        ("tcp ::ffff:10.1.2.3 > ::1", "can be read in two ways: write 10.1.2.3 for the IPv4 packet or ::ffff:a01:203 for"),
        ("tcp [10.1.2.3]:80 > 10.9.0.7", "has an IPv4 address in brackets: accepted is 10.1.2.3:port"),
        ("tcp [fe80::1 > fe80::2", "lacks the closing bracket"),
        ("tcp [fe80::1]80 > fe80::2", "has something other than ':port' after the bracket"),
        ("tcp 10.1.2.3 > 10.9.0.7 inward", "'inward' after the destination of packet .* is too much"),
        ("tcp 10.1.2.3 > 10.9.0.7 in out", "'out' after the destination of packet .* is too much"),
        ("tcp 10.1.2.3 > 10.9.0.7 in lan lan", "'lan' after the destination of packet .* is too much"),
        ("tcp > 10.9.0.7", "needs a protocol and a source before '>'"),
    ],
)
def test_a_wrong_packet_is_refused_with_the_part_and_the_reason(text: str, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        Packet.parse(text)


def test_a_message_about_an_endless_text_is_not_endless() -> None:
    with pytest.raises(ValueError, match=r"\.\.\.") as caught:
        Packet.parse("tcp " + "1" * 1_000_000 + " > 10.9.0.7")
    assert len(str(caught.value)) < 600


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("10.1.2.3", (4, CLIENT, 0)),
        ("10.1.2.3:445", (4, CLIENT, 445)),
        (" 10.1.2.3:ldap ", (4, CLIENT, 389)),
        ("2001:db8::1", (6, int(IPv6Address("2001:db8::1")), 0)),
        ("2001:db8::1:445", (6, int(IPv6Address("2001:db8::1:445")), 0)),  # without brackets there is no port
        ("[2001:db8::1]", (6, int(IPv6Address("2001:db8::1")), 0)),
        ("[2001:db8::1]:445", (6, int(IPv6Address("2001:db8::1")), 445)),
        ("64:ff9b::10.1.2.3", (6, int(IPv6Address("64:ff9b::a01:203")), 0)),
        ("::", (6, 0, 0)),
    ],
)
def test_an_endpoint_is_family_address_and_port(text: str, expected: tuple[int, int, int]) -> None:
    assert endpoint(text) == expected


def test_an_ipv4_mapped_address_is_written_the_same_with_every_python() -> None:
    value = 0xFFFF_0A01_0203
    assert address_text(6, value) == "::ffff:a01:203"
    assert address("::ffff:a01:203") == (6, value)
    assert endpoint_text(6, value, 80) == "[::ffff:a01:203]:80"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("family", 5),
        ("protocol", 256),
        ("src", 1 << 32),
        ("dst", -1),
        ("sport", 65536),
        ("dport", -1),
        ("direction", 2),
        ("interface", 255),
    ],
)
def test_numbers_outside_their_range_are_refused_by_name(name: str, value: int) -> None:
    with pytest.raises(ValueError, match=rf"^{name} is {value}: accepted are"):
        dataclasses.replace(Packet(4, 6, CLIENT, SERVER), **{name: value})


def test_a_packet_cannot_be_changed() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        Packet(4, 6, CLIENT, SERVER).dport = 80  # type: ignore[misc]


def test_the_json_form_has_the_names_of_the_csv_columns() -> None:
    assert Packet.parse("tcp 10.1.2.3:49152 > 10.9.0.7:445 out ras").as_dict() == {
        "src": "10.1.2.3",
        "dst": "10.9.0.7",
        "protocol": "tcp",
        "sport": 49152,
        "dport": 445,
        "direction": "out",
        "interface": "ras",
    }
