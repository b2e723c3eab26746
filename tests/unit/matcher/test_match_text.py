"""Single packets given as text."""

import numpy as np
import pytest

from pastore.filters.specific import SpecificFilters
from pastore.matcher import Matcher


@pytest.fixture(scope="module")
def matcher() -> Matcher:
    four = SpecificFilters.from_columns(
        src_lo=[0x0A010200], src_hi=[0x0A0102FF], dst_lo=[0x0A090007], dst_hi=[0x0A090007],
        protocol_lo=6, protocol_hi=6, sport_lo=49152, dport_lo=445, dport_hi=445, action="block",
    )  # fmt: skip
    return Matcher(four)


def test_ends_with_ports_are_read(matcher: Matcher) -> None:
    assert matcher.match("tcp", "10.1.2.3:49152", "10.9.0.7:445", direction="in", interface="lan").action == "block"
    assert matcher.match("tcp", "10.1.2.3:49151", "10.9.0.7:445").action == "none"
    assert matcher.match("tcp", "10.1.3.3:49152", "10.9.0.7:445").action == "none"
    assert matcher.match("udp", "10.1.2.3:49152", "10.9.0.7:445").action == "none"


def test_text_and_integers_give_the_same_verdict(matcher: Matcher) -> None:
    text = matcher.match("tcp", "10.1.2.3:49152", "10.9.0.7:445")
    assert text == matcher.match(6, 0x0A010203, 0x0A090007, 49152, 445)
    assert text == matcher.match("tcp", 0x0A010203, 0x0A090007, 49152, 445)
    assert text == matcher.match(6, "10.1.2.3:49152", "10.9.0.7:445")


def test_text_says_its_family_itself() -> None:
    first, last = np.zeros((1, 16), np.uint8), np.full((1, 16), 255, np.uint8)
    six = SpecificFilters.from_columns(
        src_lo=first, src_hi=last, dst_lo=first, dst_hi=last, dport_lo=443, dport_hi=443, action="protect"
    )
    matcher = Matcher(six)
    assert matcher.match("tcp", "[2001:db8::1]:50000", "[2001:db8::2]:443").action == "protect"
    assert matcher.match("tcp", "10.0.0.1:50000", "10.0.0.2:443").action == "none"


def test_a_port_left_out_is_0(matcher: Matcher) -> None:
    assert matcher.match("tcp", "10.1.2.3:49152", "10.9.0.7").action == "none"
    every_port = SpecificFilters.from_columns(
        src_lo=[0], src_hi=[0xFFFFFFFF], dst_lo=[0], dst_hi=[0xFFFFFFFF], sport_hi=0, dport_hi=0, action="allow"
    )
    assert Matcher(every_port).match("icmp", "10.1.2.3", "10.9.0.7").action == "allow"


def test_ends_of_two_families_are_refused(matcher: Matcher) -> None:
    with pytest.raises(ValueError, match=r"src 10\.1\.2\.3 is IPv4, dst 2001:db8::1 is IPv6"):
        matcher.match("tcp", "10.1.2.3", "2001:db8::1")


def test_text_that_is_no_packet_is_refused(matcher: Matcher) -> None:
    with pytest.raises(ValueError, match=r"10\.1\.2"):
        matcher.match("tcp", "10.1.2", "10.9.0.7:445")
    with pytest.raises(ValueError, match="tpc"):
        matcher.match("tpc", "10.1.2.3", "10.9.0.7:445")


def test_text_beside_integers_and_ports_given_twice_are_misuse(matcher: Matcher) -> None:
    with pytest.raises(TypeError, match="both be text or both be integers"):
        matcher.match("tcp", "10.1.2.3:1", 5)
    with pytest.raises(TypeError, match="both be text or both be integers"):
        matcher.match("tcp", 5, "10.1.2.3:1")
    with pytest.raises(TypeError, match="go with integer addresses"):
        matcher.match("tcp", "10.1.2.3:1", "10.9.0.7:445", 1, 445)
