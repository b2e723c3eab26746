"""Names of protocols and ports do not depend on the machine."""

import socket
from typing import NoReturn

import pytest

from pastore.packets import port_name, port_number, protocol_name, protocol_number


@pytest.mark.parametrize(
    ("number", "name"),
    [(1, "icmp"), (6, "tcp"), (17, "udp"), (27, "rdp"), (46, "rsvp"), (50, "esp"), (51, "ah"), (58, "icmpv6"), (255, "raw")],
)
def test_a_protocol_is_shown_by_the_name_people_write(number: int, name: str) -> None:
    assert protocol_name(number) == name
    assert protocol_number(name) == number


def test_a_protocol_without_a_name_is_shown_as_its_number() -> None:
    assert protocol_name(200) == "200"


def test_what_is_shown_for_any_protocol_is_read_back() -> None:
    assert [protocol_number(protocol_name(number)) for number in range(256)] == list(range(256))


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("TCP", 6),
        ("ICMPv6", 58),
        ("ipv6-icmp", 58),
        ("RAW", 255),
        ("XNS-IDP", 22),
        ("hmp", 20),
        ("rvd", 66),
        (" 47 ", 47),
        ("0", 0),
    ],
)
def test_protocols_are_understood_in_any_case_and_by_their_other_names(text: str, number: int) -> None:
    assert protocol_number(text) == number


@pytest.mark.parametrize("text", ["", "any", "256", "-1", "6.0", "0x06", "٦", "tcpp", "9" * 5000])
def test_what_is_no_protocol_is_refused_with_what_is_accepted(text: str) -> None:
    with pytest.raises(ValueError, match="is not a protocol: accepted are 0 to 255 and names") as caught:
        protocol_number(text)
    assert len(str(caught.value)) < 300


def test_a_port_is_named_for_the_protocols_it_is_registered_for() -> None:
    assert port_name(445, 6) == "microsoft-ds"
    assert port_name(500, 17) == "isakmp"
    assert port_name(514, 17) == "syslog"
    assert port_name(514, 6) is None  # TCP 514 is another service
    assert port_name(445, 1) is None
    assert port_name(49152, 6) is None


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("http", 80),
        ("https", 443),
        ("ssh", 22),
        ("telnet", 23),
        ("smtp", 25),
        ("dns", 53),
        ("Kerberos", 88),
        ("ntp", 123),
        ("rpc", 135),
        ("epmap", 135),
        ("netbios-ns", 137),
        ("netbios-dgm", 138),
        ("netbios-ssn", 139),
        ("snmp", 161),
        ("ldap", 389),
        ("smb", 445),
        ("isakmp", 500),
        ("syslog", 514),
        ("ldaps", 636),
        ("ms-sql", 1433),
        ("rdp", 3389),
        ("ipsec-nat-t", 4500),
        ("winrm", 5985),
        ("0", 0),
        ("65535", 65535),
    ],
)
def test_ports_are_understood_by_name_or_number(text: str, number: int) -> None:
    assert port_number(text) == number


@pytest.mark.parametrize("text", ["", "65536", "-1", "80-90", "webb", "1" * 5000])
def test_what_is_no_port_is_refused_with_what_is_accepted(text: str) -> None:
    with pytest.raises(ValueError, match="is not a port: accepted are 0 to 65535 and names"):
        port_number(text)


def test_the_machine_is_not_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> NoReturn:
        raise AssertionError("the machine's own tables were asked")

    for function in ("getservbyname", "getservbyport", "getprotobyname"):
        monkeypatch.setattr(socket, function, refuse)
    assert (protocol_number("tcp"), port_number("ldap"), port_name(389, 6)) == (6, 389, "ldap")
