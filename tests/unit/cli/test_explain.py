"""pastore explain: which filter decides, and why the others do not."""

from dataclasses import replace
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import pytest

from pastore.model import InterfaceType, Policy, Rule
from tests.support.command import pastore
from tests.support.policies import action, flt, policy, rule
from tests.support.registry import export

RAS, LAN = InterfaceType.RAS, InterfaceType.LAN
PACKET = "tcp 10.1.2.3:50000 > 10.9.0.7:445 in"
ME = ("--me", "10.9.0.7")
CLASSBENCH = (
    "@10.0.0.0/8\t10.9.0.7/32\t0 : 65535\t80 : 80\t0x06/0xFF\t0x0000/0x0200\n"
    "@0.0.0.0/0\t10.9.0.0/16\t0 : 65535\t0 : 65535\t0x00/0x00\n"
    "@0.0.0.0/0\t0.0.0.0/0\t0 : 65535\t22 : 22\t0x06/0xFF\n"
)


def alone(text: str) -> Any:
    """Return a filter that is not mirrored."""
    return flt(text, mirrored=False, version=2)  # version 1 has no ranges


def explained(folder: Path, packet: str, *rules: Rule, flags: tuple[str, ...] = ME) -> Any:
    """Return the JSON answer about a packet."""
    result = pastore("explain", export(folder, policy(*rules)), packet, "--output-format", "json", *flags)
    assert result.status == 0
    return result.json


def whys(answer: Any) -> dict[str, str]:
    """Return why each other rule does not decide."""
    return {str(candidate["rule"]): candidate["why"] for candidate in answer["candidates"]}


WIN = rule("Win", "allow", alone("tcp 10.1.0.0/16 > me:445"))


class TestWhy:
    @pytest.mark.parametrize(
        ("other", "why"),
        [
            (rule("Lost", "block", alone("tcp 10.0.0.0/8 > me:445")), "it is less specific: 40 address bits against 48"),
            (rule("Lost", "block", alone("10.1.0.0/16 > me")), "it is less specific: it leaves the protocol open"),
            (rule("Lost", "block", alone("tcp 10.1.0.0/16 > me")), "it is less specific: it sets no port against 1"),
            (
                rule("Lost", "allow", alone("tcp 10.1.0.0/16 > me:440-450"), interface=LAN),
                "it is equally specific with the same action, and comes later by GUID",
            ),
            (
                rule("Lost", "allow", alone("tcp 10.1.0.0/16:50000 > me"), interface=LAN),
                "it is equally specific with the same action, and comes later by GUID",
            ),
            (rule("Lost", "block", alone("tcp 10.1.0.0/16 > me:445"), active=False), "its rule is not active"),
            (rule("Lost", "block", alone("udp 10.1.0.0/16 > me:445")), "protocol tcp is not udp"),
            (rule("Lost", "block", alone("tcp 10.2.0.0/16 > me:445")), "source 10.1.2.3 is not in 10.2.0.0/16"),
            (rule("Lost", "block", alone("tcp 10.2.0.1-10.2.0.3 > me")), "source 10.1.2.3 is not in 10.2.0.1-10.2.0.3"),
            (rule("Lost", "block", alone("tcp 10.1.0.0/16:500-600 > me")), "source port 50000 is not in 500-600"),
            (rule("Lost", "block", alone("tcp 10.1.0.0/16 > me:443")), "destination port 445 is not 443"),
            (rule("Lost", "block", alone("tcp 10.1.0.0/16 > me:445"), interface=RAS), "it is for ras interfaces"),
        ],
    )
    def test_the_reason_a_filter_lost(self, tmp_path: Path, other: Rule, why: str) -> None:
        # Of two alike the lower GUID decides; the one that is to win gets it.
        winner = replace(WIN, guid=type(WIN.guid)(int=1))
        answer = explained(tmp_path, PACKET, winner, other)
        assert (answer["action"], answer["rule"]) == ("allow", "Win")
        assert whys(answer) == {"Lost": why}

    @pytest.mark.parametrize(("one", "other"), [("block", "allow"), ("block", "protect"), ("protect", "allow")])
    def test_equally_specific_filters_are_decided_by_action(self, tmp_path: Path, one: str, other: str) -> None:
        rules = (rule("Win", one, alone("tcp 10.1.0.0/16 > me:445")), rule("Lost", other, alone("tcp 10.1.0.0/16 > me:440-450")))
        answer = explained(tmp_path, PACKET, *rules)
        assert answer["rule"] == "Win"
        assert whys(answer) == {"Lost": "it is equally specific, and block goes before protect before allow"}

    def test_a_destination_and_a_direction_may_be_all_that_is_missed(self, tmp_path: Path) -> None:
        answer = explained(tmp_path, PACKET, rule("Other", "block", alone("tcp any > 10.9.0.8:445")), flags=())
        assert whys(answer) == {"Other": "destination 10.9.0.7 is not 10.9.0.8"}
        answer = explained(tmp_path, PACKET, rule("Out", "block", alone("tcp me > any:445")), flags=())
        assert whys(answer) == {"Out": "it is for packets going out"}
        answer = explained(tmp_path, PACKET.replace(" in", " out"), rule("In", "block", alone("tcp any > me:445")), flags=())
        assert whys(answer) == {"In": "it is for packets going in"}

    def test_a_lan_rule_says_so_to_a_packet_of_remote_access(self, tmp_path: Path) -> None:
        answer = explained(
            tmp_path, PACKET, rule("Lan", "block", "tcp any > me:445", interface=LAN), flags=("--interface", "ras")
        )
        assert (answer["action"], whys(answer)) == ("none", {"Lan": "it is for lan interfaces"})

    def test_default_exemptions_come_first(self, tmp_path: Path) -> None:
        answer = explained(tmp_path, "udp 10.1.2.3:500 > 10.9.0.7:500 in", rule("Rest", "block", "any > me"))
        assert (answer["action"], answer["rule"], answer["exempt"], answer["index"]) == ("allow", None, "isakmp", 0)
        assert whys(answer) == {"Rest": "default exemptions come first"}

    def test_one_of_two_exemptions_comes_first(self, tmp_path: Path) -> None:
        answer = explained(tmp_path, "udp 10.1.2.3:500 > 224.0.0.1:500 in")
        assert answer["exempt"] == "isakmp"
        assert [each["why"] for each in answer["candidates"]] == ["another default exemption comes first"]

    def test_an_exemption_that_is_missed_is_no_candidate(self, tmp_path: Path) -> None:
        assert explained(tmp_path, "udp 10.1.2.3:501 > 10.9.0.7:501 in")["candidates"] == []

    def test_first_match_says_listed_later(self, tmp_path: Path) -> None:
        rules = (rule("Wide", "block", alone("any > me")), rule("Narrow", "allow", alone("tcp 10.1.0.0/16 > me:445")))
        answer = explained(tmp_path, PACKET, *rules, flags=("--order", "first-match"))
        assert whys(answer) == {({"Wide", "Narrow"} - {answer["rule"]}).pop(): "it is listed later"}

    def test_a_generic_filter_is_named_once_however_many_rows_it_gives(self, tmp_path: Path) -> None:
        made = (rule("Win", "allow", "tcp 10.1.2.3 > me:445"), rule("Rest", "block", "any > any"))
        answer = explained(tmp_path, PACKET, *made, flags=("--me", "10.9.0.0/24", "--me", "10.9.0.7"))
        assert [each["rule"] for each in answer["candidates"]] == ["Rest"]

    def test_filters_that_match_come_before_those_of_rules_that_are_off_before_those_that_nearly_do(self, tmp_path: Path) -> None:
        rules = (
            WIN,
            rule("Near", "block", alone("tcp 10.1.2.3 > me:446")),
            rule("Off", "block", alone("tcp 10.1.2.3 > me:445"), active=False),
            rule("Rest", "block", alone("any > me")),
        )
        assert list(whys(explained(tmp_path, PACKET, *rules))) == ["Rest", "Off", "Near"]


class TestJson:
    def test_the_keys_are_exactly_those_of_the_contract(self, tmp_path: Path) -> None:
        answer = explained(tmp_path, PACKET, WIN, rule("Rest", "block", "any > me"))
        assert list(answer) == (
            ["version", "packet", "action", "rule", "filter", "index", "inpass", "soft", "tunnel", "exempt", "candidates"]
        )
        assert answer["version"] == 1
        assert [list(candidate) for candidate in answer["candidates"]] == [["rule", "filter", "action", "why"]]
        assert answer["filter"]["text"] == "tcp 10.1.0.0/16 > me:445"
        assert answer["candidates"][0]["filter"]["text"] == "any > me (mirrored)"

    def test_the_packet_is_given_back_as_it_was_understood(self, tmp_path: Path) -> None:
        assert explained(tmp_path, "TCP 10.1.2.3>10.9.0.7:smb")["packet"] == {
            "src": "10.1.2.3",
            "dst": "10.9.0.7",
            "protocol": "tcp",
            "sport": 0,
            "dport": 445,
            "direction": "in",
            "interface": "lan",
        }

    def test_no_match_is_none_with_no_filter(self, tmp_path: Path) -> None:
        answer = explained(tmp_path, "icmp 10.1.2.3 > 10.9.0.7")
        assert (answer["action"], answer["rule"], answer["filter"], answer["index"]) == ("none", None, None, -1)
        assert (answer["inpass"], answer["soft"], answer["tunnel"], answer["exempt"]) == (False, False, None, None)

    def test_what_stands_beside_the_action(self, tmp_path: Path) -> None:
        soft = rule("Soft", "protect", "any > me", filter_action=action("protect", inpass=True, soft=True))
        answer = explained(tmp_path, PACKET, soft)
        assert (answer["action"], answer["inpass"], answer["soft"]) == ("protect", True, True)
        tunnel = rule("Tunnel", "protect", alone("any > any"), tunnel=ip_address("10.9.0.7"))
        assert explained(tmp_path, PACKET, tunnel)["tunnel"] == "10.9.0.7"

    def test_every_filter_that_nearly_matches_is_there(self, tmp_path: Path) -> None:
        ports = rule("Ports", "block", *(alone(f"tcp any > me:{port}") for port in range(1000, 1025)))
        answer = explained(tmp_path, PACKET, ports)
        assert len({each["filter"]["text"] for each in answer["candidates"]}) == 25

    def test_an_ipv6_packet(self, tmp_path: Path) -> None:
        six = rule("Six", "block", flt("tcp any > me:445", families=(6,)))
        answer = explained(tmp_path, "tcp [2001:db8::1]:50000 > [2001:db8::7]:445", six, flags=())
        assert (answer["action"], answer["filter"]["text"]) == ("block", "tcp any > me:445 IPv6 (mirrored)")


class TestText:
    def text(self, folder: Path, made: Policy, packet: str, *flags: str) -> list[str]:
        result = pastore("explain", export(folder, made), packet, *flags)
        assert (result.status, result.err) == (0, "")
        return result.lines

    def test_it_says_what_by_which_filter_where_and_why_not_the_others(self, tmp_path: Path) -> None:
        made = policy(
            WIN,
            rule("Near", "block", alone("tcp 10.1.2.3 > me:446")),
            rule("Rest", "block", alone("any > me")),
            rule("Odd mask", "block", "any 10.0.0.1/255.0.0.255 > me"),
        )
        lines = self.text(tmp_path, made, PACKET, *ME)
        assert lines.pop(2).startswith(f"  at {tmp_path}/policy.reg:")
        assert lines == [
            f"{PACKET}: allow",
            "  by rule 'Win', filter tcp 10.1.0.0/16 > me:445",
            "",
            "These match too:",
            "  block by rule 'Rest', filter any > me",
            "    but it is less specific: 32 address bits against 48",
            "",
            "These nearly match:",
            "  block by rule 'Near', filter tcp 10.1.2.3 > me:446",
            "    but destination port 445 is not 446",
            "",
            "These could not be applied and were not considered:",
            "  rule 'Odd mask': 10.0.0.1/255.0.0.255 > me (mirrored) (87: The parameter is incorrect.)",
        ]

    def test_nothing_matching_is_said_in_words(self, tmp_path: Path) -> None:
        assert self.text(tmp_path, policy(), PACKET) == [f"{PACKET}: none", "  no filter matches: the packet passes untouched"]

    def test_so_is_an_exemption(self, tmp_path: Path) -> None:
        lines = self.text(tmp_path, policy(), "udp 10.1.2.3:500 > 224.0.0.1:500 in")
        assert lines == [
            "udp 10.1.2.3:500 > 224.0.0.1:500 in: allow",
            "  by the default exemption for isakmp, which no filter sees",
            "",
            "These match too:",
            "  allow by default exemption multicast",
            "    but another default exemption comes first",
        ]

    def test_notes_stand_below_the_filter(self, tmp_path: Path) -> None:
        soft = rule("Soft", "protect", "any > me", filter_action=action("protect", inpass=True, soft=True))
        assert self.text(tmp_path, policy(soft), PACKET)[-2:] == [
            "  clear text is accepted inbound, answers use IPsec",
            "  falls back to clear text with a computer that does not answer IKE",
        ]
        tunnel = rule("Tunnel", "protect", alone("any > any"), tunnel=ip_address("10.9.0.7"))
        assert self.text(tmp_path, policy(tunnel), PACKET)[-1] == "  through the tunnel to 10.9.0.7"

    def test_more_than_a_screen_of_near_ones_is_counted(self, tmp_path: Path) -> None:
        ports = rule("Ports", "block", *(alone(f"tcp any > me:{port}") for port in range(1000, 1025)))
        lines = self.text(tmp_path, policy(ports), PACKET)
        assert len([line for line in lines if line.startswith("    but ")]) == 10
        assert lines[-1] == "  and 15 more, which --output-format json lists"

    def test_and_so_are_filters_that_could_not_be_applied(self, tmp_path: Path) -> None:
        odd = rule("Odd", "block", *(f"tcp 10.0.0.1/255.0.0.255 > me:{port}" for port in range(1000, 1025)))
        assert self.text(tmp_path, policy(odd), PACKET)[-1] == "  and 15 more, which `pastore check` tells"

    def test_interface_counts_more_than_the_word_in_the_packet(self, tmp_path: Path) -> None:
        made = policy(rule("Ras", "block", "tcp any > me:445", interface=RAS))
        assert self.text(tmp_path, made, PACKET + " ras")[0].endswith("in ras: block")
        assert self.text(tmp_path, made, PACKET, "--interface", "ras")[0].endswith("in ras: block")
        assert self.text(tmp_path, made, PACKET + " ras", "--interface", "lan")[0].endswith("in: none")


class TestClassBench:
    def test_the_first_rule_that_matches_decides_and_the_others_are_listed_later(self, tmp_path: Path) -> None:
        path = tmp_path / "acl"
        path.write_text(CLASSBENCH)
        result = pastore("explain", path, "tcp 10.1.2.3:50000 > 10.9.0.7:80", "--output-format", "json")
        answer = result.json
        assert (result.status, answer["action"], answer["rule"], answer["index"]) == (0, "block", "0", 0)
        assert answer["filter"] == {"text": "tcp 10.0.0.0/8 > 10.9.0.7:80", "place": f"{path}:1"}
        assert whys(answer) == {"1": "it is listed later", "2": "destination port 80 is not 22"}

    def test_what_no_rule_matches_passes(self, tmp_path: Path) -> None:
        path = tmp_path / "acl"
        path.write_text(CLASSBENCH)
        assert pastore("explain", path, "udp 10.1.2.3:500 > 192.0.2.1:500").lines[0].endswith(": none")
