"""Flows as people write them."""

from ipaddress import ip_network

import pytest

from pastore.analysis.flow import Flow
from pastore.analysis.grid import whole_box

V4, V6 = whole_box(4), whole_box(6)
ANY_PORTS = (0, 65535)
BOTH = (0, 1)
TEN = (0x0A000000, 0x0AFFFFFF)


def parts(text: str, *me: str) -> list[tuple[object, ...]]:
    return [(family, *box) for family, box in Flow.parse(text, [ip_network(each) for each in me]).parts]


class TestParse:
    def test_protocol_ends_ports_and_everything_that_is_left_open(self) -> None:
        assert parts("udp any > 10.0.0.0/8:53") == [(4, V4[0], TEN, (17, 17), ANY_PORTS, (53, 53), BOTH, BOTH)]

    def test_any_is_both_families(self) -> None:
        assert parts("any > any") == [(4, *V4), (6, *V6)]
        assert parts("any any > any ipv6") == [(6, *V6)]

    def test_ports_without_a_protocol_are_those_of_tcp_and_udp(self) -> None:
        assert [part[3] for part in parts("any > 10.0.0.0/8:445")] == [(6, 6), (17, 17)]

    def test_ports_are_numbers_names_ranges_and_lists_of_them(self) -> None:
        assert [part[5] for part in parts("tcp any > 10.0.0.1:ms-sql-s,135-139,80,1024-http-alt")] == [
            (1433, 1433),
            (135, 139),
            (80, 80),
            (1024, 8080),
        ]

    def test_ranges_of_addresses_and_ipv6_in_brackets(self) -> None:
        assert parts("tcp 10.0.0.1-10.0.0.9 > any ipv4 in lan")[0][1:3] == ((0x0A000001, 0x0A000009), V4[0])
        (part,) = parts("tcp [2001:db8::/32]:1-9 > 2001:db8::1")
        assert part[:5] == (6, (0x20010DB8 << 96, (0x20010DB9 << 96) - 1), ((0x20010DB8 << 96) + 1,) * 2, (6, 6), (1, 9))

    @pytest.mark.parametrize(("text", "directions"), [("in", (0, 0)), ("out", (1, 1)), ("", (0, 1))])
    def test_direction(self, text: str, directions: tuple[int, int]) -> None:
        assert parts(f"any > 10.0.0.1 {text}")[0][6] == directions

    def test_interface(self) -> None:
        assert [parts(f"any > 10.0.0.1 {word}")[0][7] for word in ("lan", "ras", "")] == [(0, 0), (1, 1), (0, 1)]

    def test_me_is_the_local_addresses_and_says_the_direction(self) -> None:
        local = (0x0A090007, 0x0A090007)
        assert parts("tcp any > me:445", "10.9.0.7/32", "2001:db8::7/128")[0][2:] == (
            local,
            (6, 6),
            ANY_PORTS,
            (445, 445),
            (0, 0),
            BOTH,
        )
        assert parts("me > 10.0.0.0/8", "10.9.0.7/32") == [(4, local, TEN, (0, 255), ANY_PORTS, ANY_PORTS, (1, 1), BOTH)]
        assert [part[0] for part in parts("any > me", "10.9.0.7/32", "2001:db8::7/128")] == [4, 6]

    def test_me_is_any_address_where_the_host_is_not_known(self) -> None:
        assert parts("any > me ipv4") == [(4, *V4[:5], (0, 0), BOTH)]

    @pytest.mark.parametrize(
        ("text", "why"),
        [
            ("udp any 10.0.0.0/8", "needs one '>'"),
            ("> any", "needs a source"),
            ("a b c > any", "at most a protocol"),
            ("tcp any >", "no destination"),
            ("tcp any > any sideways", "'sideways' after the destination"),
            ("tcp any > any in out", "'out' after the destination"),
            ("nonsense any > any", "'nonsense' is not a protocol"),
            ("tcp any > any:70000", "'70000' is not a port"),
            ("tcp any > any:9-1", "runs backwards"),
            ("tcp any > any:", "no port after its colon"),
            ("tcp any > 10.0.0.1/8", "has host bits set"),
            ("tcp any > 10.0.0.9-10.0.0.1", "runs backwards"),
            ("tcp any > 10.0.0.9-2001:db8::1", "begins with an IPv4 and ends with an IPv6"),
            ("tcp 10.0.0.1 > 2001:db8::1", "no address family in common"),
            ("tcp 10.0.0.1 > any ipv6", "no address family in common"),
            ("tcp any > [2001:db8::1", "is not [IPv6 address]:ports"),
            ("tcp nowhere > any", "source: 'nowhere' is not an IP address"),
            ("tcp any > any:" + ",".join(["1"] * 257), "257 ports"),
            ("tcp any > any:1,,2", "'' is not a port"),
        ],
    )
    def test_what_is_wrong_is_said(self, text: str, why: str) -> None:
        with pytest.raises(ValueError, match="flow ") as error:
            parts(text)
        assert why in str(error.value)

    def test_a_message_shows_nothing_a_terminal_would_obey(self) -> None:
        with pytest.raises(ValueError, match="flow ") as error:
            parts("\x1b[2Jtcp any > any")
        assert "\x1b" not in str(error.value)
