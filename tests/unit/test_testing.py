"""pastore.testing: statements about a policy, proved or refuted."""

from collections.abc import Callable
from typing import Any

import pytest

import pastore
from pastore.matcher import Matcher
from pastore.testing import (
    CounterexampleError,
    UndecidedError,
    assert_allows,
    assert_blocks,
    assert_passes,
    assert_protects,
    assert_same,
    assert_untouched,
)
from tests.support.policies import flt, policy, rule

DNS = rule("No DNS", "block", "udp any > 10.0.0.0/8:53")
WEB = rule("Web", "allow", "tcp any > me:80")
DB = rule("Db", "protect", "tcp any > me:1433")


def matcher(*rules: Any, default_exempt: int = 3) -> Matcher:
    return pastore.compile(policy(*rules, default_exempt=default_exempt), me=["10.9.0.7", "2001:db8::7"])


def everywhere(*rules: Any, default_exempt: int = 3) -> Matcher:
    return pastore.compile(policy(*rules, default_exempt=default_exempt))


class TestBlocks:
    def test_holds_for_every_packet(self) -> None:
        assert_blocks(everywhere(DNS), "udp any > 10.0.0.0/8:53")

    def test_is_refuted_by_a_packet_and_who_decides(self) -> None:
        hole = rule("Hole", "allow", "udp 192.0.2.77 > 10.1.2.3:53")
        with pytest.raises(AssertionError) as error:
            assert_blocks(everywhere(DNS, hole), "udp any > 10.0.0.0/8:53")
        refuted = error.value
        assert isinstance(refuted, CounterexampleError)
        assert (refuted.action, refuted.rule) == ("allow", "Hole")
        assert str(refuted.packet).startswith("udp 192.0.2.77:")
        assert "a packet of 'udp any > 10.0.0.0/8:53' is not blocked: udp 192.0.2.77" in str(refuted)
        assert "allow by rule 'Hole', filter udp 192.0.2.77 > 10.1.2.3:53 (mirrored)" in str(refuted)

    def test_the_smallest_hole_is_found(self) -> None:
        parts = ["udp any > 10.0.0.0/9:53", "udp any > 10.128.0.0-10.255.255.254:53"]
        with pytest.raises(CounterexampleError) as error:
            assert_blocks(everywhere(rule("Nearly", "block", *parts)), "udp any > 10.0.0.0/8:53")
        assert error.value.packet.dst == 0x0AFFFFFF
        assert error.value.action == "none"

    def test_one_direction_is_not_both(self) -> None:
        one_way = everywhere(rule("Out", "block", flt("udp me > 10.0.0.0/8:53", mirrored=False)))
        assert_blocks(one_way, "udp any > 10.0.0.0/8:53 out")
        with pytest.raises(CounterexampleError):
            assert_blocks(one_way, "udp any > 10.0.0.0/8:53")


class TestEachAction:
    def test_holds_where_it_is_taken_and_nowhere_else(self) -> None:
        checks: dict[str, Callable[..., None]] = {
            "tcp any > me:80 ipv4": assert_allows,
            "tcp any > me:1433 ipv4": assert_protects,
            "tcp any > me:81 ipv4": assert_untouched,
            "udp any > me:53 ipv4": assert_blocks,
        }
        made = matcher(WEB, DB, rule("No DNS", "block", "udp any > me:53"))
        for flow, holds in checks.items():
            for check in checks.values():
                if check is holds:
                    check(made, flow)
                else:
                    with pytest.raises(CounterexampleError):
                        check(made, flow)

    def test_passing_is_being_allowed_or_untouched(self) -> None:
        assert_passes(matcher(WEB, DB), "tcp any > me:80-81 ipv4")
        with pytest.raises(CounterexampleError, match="does not pass in clear text"):
            assert_passes(matcher(WEB, DB), "tcp any > me:80-1433 ipv4")

    def test_me_is_the_addresses_compiled_for(self) -> None:
        assert_allows(matcher(WEB), "tcp any > 10.9.0.7:80 in")
        with pytest.raises(CounterexampleError):
            assert_allows(matcher(WEB), "tcp any > me:80")  # no filter for IPv6


class TestExemptions:
    def test_those_that_no_policy_can_take_away_are_left_out(self) -> None:
        assert_blocks(everywhere(DNS), "udp any > 10.0.0.0/8:53")
        with pytest.raises(CounterexampleError, match="default exemption isakmp"):
            assert_blocks(everywhere(DNS), "udp any > 10.0.0.0/8:53", unseen=True)

    def test_the_kerberos_hole_is_a_hole(self) -> None:
        smb = rule("No SMB", "block", "tcp any > 10.0.0.0/8:445")
        assert_blocks(everywhere(smb), "tcp any > 10.0.0.0/8:445")
        with pytest.raises(CounterexampleError, match="default exemption kerberos") as error:
            assert_blocks(everywhere(smb, default_exempt=0), "tcp any > 10.0.0.0/8:445")
        assert error.value.packet.sport == 88

    def test_multicast_that_goes_out_is_a_hole_where_it_is_exempt(self) -> None:
        everything = rule("All", "block", "any > any")
        assert_blocks(everywhere(everything), "udp any:9 > 224.0.0.0/4:9")
        with pytest.raises(CounterexampleError, match="default exemption multicast"):
            assert_blocks(everywhere(everything, default_exempt=1), "udp any:9 > 224.0.0.0/4:9")

    def test_a_flow_of_nothing_else_is_not_proved_by_leaving_it_out(self) -> None:
        with pytest.raises(CounterexampleError, match="default exemption isakmp"):
            assert_blocks(everywhere(rule("All", "block", "any > any")), "udp any > 10.0.0.1:500")


class TestSame:
    def test_holds_for_the_same_policy(self) -> None:
        assert_same(everywhere(DNS, WEB), everywhere(WEB, DNS))

    def test_is_refuted_by_a_packet(self) -> None:
        with pytest.raises(CounterexampleError, match="allow becomes none") as error:
            assert_same(matcher(WEB, DB), matcher(DB))
        assert error.value.packet.dport == 80 or error.value.packet.sport == 80

    def test_undecided_is_no_proof(self) -> None:
        with pytest.raises(UndecidedError):
            assert_same(matcher(WEB, DB), matcher(DB), limit=1)


class TestMisuse:
    def test_undecided_is_no_proof(self) -> None:
        with pytest.raises(UndecidedError, match="after 0 steps"):
            assert_blocks(everywhere(DNS), "udp any > 10.0.0.0/8:53", limit=0)
        assert not issubclass(UndecidedError, AssertionError)

    def test_a_flow_that_cannot_be_read(self) -> None:
        with pytest.raises(ValueError, match="needs one '>'"):
            assert_blocks(everywhere(DNS), "udp any 10.0.0.0/8:53")

    def test_a_policy_must_be_compiled(self) -> None:
        with pytest.raises(TypeError, match="compile makes one of a policy"):
            assert_blocks(policy(DNS), "udp any > any")  # type: ignore[arg-type]

    def test_rows_do(self) -> None:
        assert_blocks(everywhere(DNS).filters, "udp any > 10.0.0.0/8:53")
