"""What a packet misses a row by, and why a matching row lost."""

from dataclasses import replace
from ipaddress import ip_address
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pastore.analysis.explain import FIELDS, Near, miss_text, outranked, rows_near
from pastore.filters.specific import SpecificFilters
from pastore.matcher import reference
from pastore.model import Action
from pastore.packets.packet import Packet
from tests.support.rulesets import make_rules
from tests.unit.filters.test_weight import BASE


def one_row(**changed: object) -> SpecificFilters:
    """Return a row for TCP from 10.1.0.0/16, ports above 1023, to 10.9.0.7:445, in, LAN."""
    source, destination = int(ip_address("10.1.0.0")), int(ip_address("10.9.0.7"))
    columns = {
        "src_lo": [source], "src_hi": [source + 0xFFFF], "dst_lo": [destination], "dst_hi": [destination],
        "protocol_lo": 6, "protocol_hi": 6, "sport_lo": 1024, "dport_lo": 445, "dport_hi": 445,
        "direction": "in", "interface": "lan", "action": "allow",
    }  # fmt: skip
    return SpecificFilters.from_columns(**{**columns, **changed})  # type: ignore[arg-type]


class TestNear:
    def test_a_match_misses_in_nothing(self) -> None:
        assert rows_near(one_row(), Packet.parse("tcp 10.1.2.3:50000 > 10.9.0.7:445 in")) == [Near(0, ())]

    @pytest.mark.parametrize(
        ("packet", "field", "text"),
        [
            ("udp 10.1.2.3:50000 > 10.9.0.7:445 in", "protocol", "protocol udp is not tcp"),
            ("tcp 10.2.2.3:50000 > 10.9.0.7:445 in", "source", "source 10.2.2.3 is not in 10.1.0.0/16"),
            ("tcp 10.1.2.3:50000 > 10.9.0.8:445 in", "destination", "destination 10.9.0.8 is not 10.9.0.7"),
            ("tcp 10.1.2.3:1023 > 10.9.0.7:445 in", "source port", "source port 1023 is not in 1024-65535"),
            ("tcp 10.1.2.3:50000 > 10.9.0.7:443 in", "destination port", "destination port 443 is not 445"),
            ("tcp 10.1.2.3:50000 > 10.9.0.7:445 out", "direction", "it is for packets going in"),
            ("tcp 10.1.2.3:50000 > 10.9.0.7:445 in ras", "interface type", "it is for lan interfaces"),
        ],
    )
    def test_a_miss_in_one_field_is_named_and_worded(self, packet: str, field: str, text: str) -> None:
        filters, judged = one_row(), Packet.parse(packet)
        assert rows_near(filters, judged) == [Near(0, (field,))]
        assert miss_text(filters[0], judged, field) == text

    def test_the_other_direction_and_interface_are_worded_too(self) -> None:
        row = one_row(direction="out", interface="ras")[0]
        packet = Packet.parse("tcp 10.1.2.3:50000 > 10.9.0.7:445 in lan")
        assert miss_text(row, packet, "direction") == "it is for packets going out"
        assert miss_text(row, packet, "interface type") == "it is for ras interfaces"

    def test_ranges_that_are_no_prefix_and_several_protocols_are_worded(self) -> None:
        low = int(ip_address("10.1.0.1"))
        row = one_row(src_lo=[low], src_hi=[low + 8], protocol_lo=0, protocol_hi=3)[0]
        packet = Packet.parse("tcp 10.2.0.1:50000 > 10.9.0.7:445 in")
        assert miss_text(row, packet, "source") == "source 10.2.0.1 is not in 10.1.0.1-10.1.0.9"
        assert miss_text(row, packet, "protocol") == "protocol tcp is not in 0-3"

    def test_two_misses_are_too_far_unless_asked_for(self) -> None:
        filters, packet = one_row(), Packet.parse("udp 10.1.2.3:50000 > 10.9.0.7:443 in")
        assert rows_near(filters, packet) == []
        assert rows_near(filters, packet, at_most=2) == [Near(0, ("protocol", "destination port"))]
        assert rows_near(filters, packet, at_most=0) == []

    def test_the_other_family_is_never_near(self) -> None:
        assert rows_near(one_row(), Packet.parse("tcp [2001:db8::1]:50000 > [2001:db8::2]:445 in"), at_most=7) == []

    @settings(max_examples=50, deadline=None)
    @given(st.integers(0, 10_000), st.integers(0, 2**32 - 1), st.integers(0, 2**32 - 1), st.integers(0, 1), st.integers(0, 1))
    def test_the_rows_missed_in_no_field_are_those_the_reference_matches(
        self, seed: int, src: int, dst: int, direction: int, interface: int
    ) -> None:
        filters = make_rules("acl", 60, seed)
        rows = reference.plain_rows(filters)
        aimed = rows[seed % len(rows)]
        src, dst = (src, dst) if seed % 2 else (aimed.src[0], aimed.dst[1])
        packet = Packet(4, aimed.protocol[0], src, dst, aimed.sport[0], aimed.dport[1], direction, interface)
        plain = reference.Packet(4, src, dst, aimed.protocol[0], aimed.sport[0], aimed.dport[1], direction, interface)
        expected = [at for at, row in enumerate(rows) if reference.matches(row, plain)]
        assert [near.index for near in rows_near(filters, packet, at_most=0)] == expected
        assert all(set(near.misses) <= set(FIELDS) for near in rows_near(filters, packet, at_most=7))


class TestOutranked:
    @pytest.mark.parametrize(
        ("winner", "other", "why"),
        [
            ({"address_bits": 48}, {"address_bits": 32}, "it is less specific: 32 address bits against 48"),
            (
                {"protocol_set": True},
                {"protocol_set": False, "ports_set": 0},
                "it is less specific: it leaves the protocol open",
            ),
            ({"ports_set": 2}, {"ports_set": 1}, "it is less specific: it sets 1 port against 2"),
            ({"ports_set": 1}, {"ports_set": 0}, "it is less specific: it sets no port against 1"),
            (
                {"action": Action.BLOCK},
                {"action": Action.ALLOW},
                "it is equally specific, and block goes before protect before allow",
            ),
            (
                {"rule": UUID(int=1)},
                {"rule": UUID(int=2)},
                "it is equally specific with the same action, and comes later by GUID",
            ),
        ],
    )
    def test_the_first_difference_in_weight_is_the_reason(
        self, winner: dict[str, object], other: dict[str, object], why: str
    ) -> None:
        assert outranked(replace(BASE, **winner), replace(BASE, **other)) == why  # type: ignore[arg-type]
