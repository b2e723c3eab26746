"""pastore search: a packet with such a verdict, or the proof that there is none."""

from pathlib import Path

import pytest

from pastore.packets.packet import Packet
from tests.support.command import pastore
from tests.support.policies import flt, policy, rule
from tests.support.registry import export

HOLE = policy(
    rule("Block SMB", "block", "tcp any > me:445"),
    rule("Office", "allow", "tcp 10.1.0.0/16 > me:445"),
    rule("Guests", "block", flt("tcp 10.1.0.0/17 > me:445", mirrored=False), flt("tcp 10.1.128.0/17 > me:445", mirrored=False)),
    name="Hole",
)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return export(tmp_path, HOLE)


class TestAnswer:
    def test_found_is_1_with_a_packet_and_what_decides(self, path: Path) -> None:
        result = pastore("search", path, "--me", "10.9.0.7", "--dst", "me", "--dport", "445", "--action", "block")
        assert result.status == 1
        assert result.lines[:2] == [
            "tcp 10.1.0.1:49152 > 10.9.0.7:445 in: block",
            "  by rule 'Guests', filter tcp 10.1.0.0/17 > me:445",
        ]

    def test_the_proof_that_there_is_none_is_0(self, path: Path) -> None:
        # The two halves of the guests' network hide the office's.
        result = pastore(
            "search", path, "--me", "10.9.0.7", "--protocol", "tcp", "--dst", "me", "--dport", "445", "--action", "allow"
        )
        assert (result.status, result.out) == (0, "there is no such packet\n")

    def test_a_packet_that_meets_no_filter(self, path: Path) -> None:
        result = pastore("search", path, "--action", "none", "--protocol", "icmp", "--output-format", "json")
        assert result.status == 1
        told = result.json
        assert (told["found"], told["action"], told["rule"], told["index"]) == (True, "none", None, -1)
        assert Packet.parse(told["packet"]).protocol == 1

    def test_both_directions_unless_told(self, path: Path) -> None:
        base = ("search", path, "--me", "10.9.0.7", "--sport", "445", "--action", "allow", "--protocol", "tcp")
        assert pastore(*base, "--output-format", "json").json["packet"].endswith(" out")
        assert pastore(*base, "--direction", "in", "--seen").status == 0

    def test_exemptions_count_unless_told(self, path: Path) -> None:
        base = ("search", path, "--me", "10.9.0.7", "--dst", "me", "--action", "allow", "--direction", "in", "--protocol", "udp")
        told = pastore(*base, "--output-format", "json").json
        assert (told["found"], told["rule"], told["exempt"]) == (True, None, "isakmp")
        assert pastore(*base).lines[1] == "  by default exemption isakmp"
        assert pastore(*base, "--seen").status == 0

    def test_beyond_the_limit_it_is_2(self, path: Path) -> None:
        result = pastore("search", path, "--action", "allow", "--protocol", "tcp", "--dport", "445", "--work-limit", 1)
        assert (result.status, result.out) == (2, "not decided\n")
        assert "undecided after 1 steps" in result.err


@pytest.mark.parametrize(
    ("options", "why"),
    [
        (("--src", "10.0.0.1/8"), "has host bits set"),
        (("--src", "10.0.0.1", "--dst", "2001:db8::1"), "no address family in common"),
        (("--dport", "445-"), "'' is not a port"),
        (("--protocol", "smb"), "'smb' is not a protocol"),
        (("--action", "deny"), "'deny' is not one of"),
    ],
)
def test_a_condition_that_cannot_be_read_is_2_and_said(path: Path, options: tuple[str, ...], why: str) -> None:
    result = pastore("search", path, *options)
    assert (result.status, result.out) == (2, "")
    assert why in result.err
