"""Ranges that must not be cut off, and lists of public hosts that are."""

import pytest

from pastore.analysis.remote import Protected, read_ranges
from pastore.analysis.whole import analyse
from pastore.filters.expand import expand
from pastore.filters.host import UNKNOWN_HOST, Host
from pastore.findings import Finding
from pastore.model import Policy
from tests.support.policies import flt, policy, rule

ME = Host.parse(["10.9.0.7", "2001:db8::7"])
EVERYTHING = rule("Rest", "block", "any > me", flt("any > me", families=(6,), name="six"))


def told(made: Policy, ranges: str = "", host: Host = ME) -> list[Finding]:
    expansion = expand(made, host)
    found = analyse(made, expansion, host, protected=read_ranges(ranges, "ranges.txt"))
    return [finding for finding in found.more if finding.code in ("PA512", "PA513", "PA430")]


class TestReading:
    def test_addresses_networks_ranges_services_and_remarks(self) -> None:
        text = "# agents\n10.1.0.0/16\n10.2.0.5 tcp/443 # one\n\n10.3.0.1-10.3.0.9 udp\n2001:db8::/32 6/8443\n"
        found = [(each.family, each.text, each.protocol, each.ports, each.origin.line) for each in read_ranges(text, "f")]
        assert found == [
            (4, "10.1.0.0/16", (0, 255), (0, 65535), 2),
            (4, "10.2.0.5 tcp/443", (6, 6), (443, 443), 3),
            (4, "10.3.0.1-10.3.0.9 udp", (17, 17), (0, 65535), 5),
            (6, "2001:db8::/32 6/8443", (6, 6), (8443, 8443), 6),
        ]

    @pytest.mark.parametrize(
        "line",
        [
            "10.1.0.0/33", "10.0.0.9-10.0.0.1", "10.0.0.1-2001:db8::1", "host.example",
            "10.0.0.1 tcp/70000", "10.0.0.1 web", "10.0.0.1 tcp/1 x",
        ],
    )  # fmt: skip
    def test_what_is_none_of_these_is_refused_with_its_line(self, line: str) -> None:
        with pytest.raises(ValueError, match=r"^line 2: "):
            read_ranges(f"10.0.0.0/8\n{line}\n", "f")

    def test_a_protected_range_is_asked_from_every_local_address(self) -> None:
        (each,) = read_ranges("10.1.0.0/16", "f")
        assert isinstance(each, Protected)
        assert len(each.box(Host.parse(["10.9.0.7", "10.9.0.8"]))) == 2
        assert len(each.box(UNKNOWN_HOST)) == 1


class TestCutOff:
    @pytest.mark.parametrize("host", [ME, UNKNOWN_HOST])
    def test_the_blocked_part_is_named_with_its_filter(self, host: Host) -> None:
        made = policy(rule("Out", "block", "me > 203.0.112.9", "me > 203.0.112.10"))
        (finding,) = told(made, "203.0.112.0/24\n", host)
        assert finding.message.startswith("203.0.112.0/24 (ranges.txt:1) is cut off in part: 203.0.112.9-203.0.112.10: no packet")
        assert "of rule 'Out'" in finding.message
        assert finding.severity.value == "error"

    def test_all_of_it_behind_a_block_all(self) -> None:
        (finding,) = told(policy(EVERYTHING), "203.0.112.0/24 tcp/443\n2001:db8:1::/64\n")[:1]
        assert finding.message.startswith("203.0.112.0/24 tcp/443 (ranges.txt:1) is cut off: no packet")
        assert len(told(policy(EVERYTHING), "203.0.112.0/24 tcp/443\n2001:db8:1::/64\n")) == 2

    def test_not_what_is_permitted_through_it(self) -> None:
        assert told(policy(EVERYTHING, rule("Agent", "allow", "tcp me > 203.0.112.0/24:443")), "203.0.112.0/24 tcp/443") == []

    def test_a_blocked_port_is_no_cut_unless_it_is_the_service(self) -> None:
        made = policy(rule("Out", "block", "tcp me > 203.0.112.9:443"))
        assert told(made, "203.0.112.0/24") == []
        assert len(told(made, "203.0.112.0/24 tcp/443")) == 1

    def test_answers_that_are_blocked_cut_off_too(self) -> None:
        made = policy(rule("In", "block", flt("203.0.112.9 > me", mirrored=False)))
        (finding,) = told(made, "203.0.112.9")
        assert "is cut off: no packet" in finding.message

    def test_ports_in_pieces_cut_off_together(self) -> None:
        halves = [flt(f"{protocol} me > 203.0.112.9", name=protocol) for protocol in ("tcp", "udp")]
        (finding,) = told(policy(rule("Out", "block", *halves)), "203.0.112.9 tcp\n203.0.112.9\n")
        assert finding.message.startswith("203.0.112.9 tcp ")


class TestSilenced:
    HOSTS = ("203.0.112.9", "203.0.112.10", "198.52.100.7")

    @pytest.mark.parametrize("host", [ME, UNKNOWN_HOST])
    def test_a_list_of_single_public_hosts(self, host: Host) -> None:
        (finding,) = told(policy(rule("T", "block", *(f"me > {each}" for each in self.HOSTS))), host=host)
        assert (finding.code, finding.rule) == ("PA513", "T")
        assert "to 3 single public hosts: 203.0.112.9, 203.0.112.10, 198.52.100.7" in finding.message

    @pytest.mark.parametrize(
        ("kind", "filters"),
        [
            ("block", ["me > 203.0.112.9", "me > 203.0.112.10"]),
            ("block", ["me > 10.0.0.1", "me > 192.168.0.1", "me > 172.16.0.1"]),
            ("block", ["me > 203.0.112.0/24", "me > 198.52.100.0/24", "me > 198.52.101.0/24"]),
            ("allow", ["me > 203.0.112.9", "me > 203.0.112.10", "me > 198.52.100.7"]),
        ],
    )
    def test_two_private_networks_and_permits_are_none(self, kind: str, filters: list[str]) -> None:
        assert told(policy(rule("T", kind, *filters))) == []

    def test_inbound_blocks_are_none(self) -> None:
        inbound = [flt(f"{each} > me", mirrored=False) for each in self.HOSTS]
        assert told(policy(rule("T", "block", *inbound))) == []
