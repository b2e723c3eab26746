"""pastore classify: a verdict for every packet."""

import csv
import io
import json
from collections import Counter
from pathlib import Path

import pytest

import pastore as package
from pastore.model import Action, InterfaceType, Policy
from pastore.packets.batch import PacketBatch
from tests.support.captures import arp, ethernet, icmp, ipv4, ipv6, pcap, tcp, udp
from tests.support.command import pastore
from tests.support.policies import flt, policy, rule
from tests.support.registry import export

SITE = policy(
    rule("Web", "allow", "tcp any > me:80", "tcp any > me:443"),
    rule("Remote access", "block", "udp any > me:7", interface=InterfaceType.RAS),
    rule("Rest", "block", "tcp any > me", flt("tcp any > me", families=(6,))),
    name="Server Isolation",
)
PACKETS = """\
src,dst,protocol,sport,dport,direction,interface
198.51.100.9,10.9.0.7,tcp,40000,80,in,lan
198.51.100.9,10.9.0.7,tcp,40000,443,,
198.51.100.9,10.9.0.7,tcp,40000,22,in,
10.9.0.7,198.51.100.9,tcp,80,40000,out,
10.9.0.7,198.51.100.9,tcp,80,40000,,
198.51.100.9,10.9.0.7,udp,40000,7,in,ras
198.51.100.9,10.9.0.7,udp,40000,7,in,
198.51.100.9,10.9.0.7,udp,500,500,in,
2001:db8::1,2001:db8::7,tcp,40000,22,in,
198.51.100.9,10.9.0.7,icmp,,,in,
"""
ME = ("--me", "10.9.0.7", "--me", "2001:db8::7")
HEADING = "src,dst,protocol,sport,dport,direction,interface,frame,action,rule,index"


@pytest.fixture
def source(tmp_path: Path) -> Path:
    return export(tmp_path, SITE)


@pytest.fixture
def packets(tmp_path: Path) -> Path:
    path = tmp_path / "packets.csv"
    path.write_text(PACKETS)
    return path


def records(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text)))


class TestCsv:
    def test_each_packet_has_its_verdict(self, source: Path, packets: Path) -> None:
        result = pastore("classify", source, packets, *ME)
        assert (result.status, result.lines[0]) == (0, HEADING)
        told = [(each["direction"], each["interface"], each["action"], each["rule"]) for each in records(result.out)]
        assert told == [
            ("in", "lan", "allow", "Web"),
            ("in", "lan", "allow", "Web"),
            ("in", "lan", "block", "Rest"),
            ("out", "lan", "allow", "Web"),
            ("out", "lan", "allow", "Web"),
            ("in", "ras", "block", "Remote access"),
            ("in", "lan", "none", ""),
            ("in", "lan", "allow", ""),
            ("in", "lan", "block", "Rest"),
            ("in", "lan", "none", ""),
        ]

    def test_it_is_what_the_matcher_says(self, source: Path, packets: Path) -> None:
        told = records(pastore("classify", source, packets, *ME).out)
        loaded = package.load(source).policy
        assert isinstance(loaded, Policy)
        matcher = package.compile(loaded, me=["10.9.0.7", "2001:db8::7"])
        batch = PacketBatch.from_csv(packets).with_context(me=["10.9.0.7", "2001:db8::7"])
        verdicts = matcher.classify(batch)
        assert verdicts.index is not None
        assert [each["action"] for each in told] == [str(Action(number)) for number in verdicts.action]
        assert [int(each["index"]) for each in told] == verdicts.index.tolist()

    def test_the_frame_is_the_line_of_the_packet(self, source: Path, packets: Path) -> None:
        assert [each["frame"] for each in records(pastore("classify", source, packets).out)] == [str(n) for n in range(2, 12)]

    def test_what_comes_out_goes_in_again_and_gives_the_same(self, source: Path, packets: Path) -> None:
        first = pastore("classify", source, packets, *ME)
        again = packets.with_name("again.csv")
        again.write_text(first.out)
        assert pastore("classify", source, again, *ME).out == first.out

    def test_standard_input(self, source: Path, packets: Path) -> None:
        assert pastore("classify", source, "-", *ME, stdin=PACKETS).out == pastore("classify", source, packets, *ME).out

    def test_threads_change_nothing(self, source: Path, tmp_path: Path) -> None:
        many = tmp_path / "many.csv"
        head, *lines = PACKETS.splitlines()
        many.write_text("\n".join([head, *lines * 1000]))
        one = pastore("classify", source, many, *ME)
        assert len(one.lines) == 10_001
        assert pastore("classify", source, many, *ME, "--threads", 2) == one

    def test_the_exit_status_is_0_whatever_the_verdicts(self, source: Path, packets: Path) -> None:
        assert pastore("classify", source, packets, "--default-exempt", "3").status == 0


class TestDirection:
    @pytest.fixture
    def undirected(self, tmp_path: Path) -> Path:
        path = tmp_path / "undirected.csv"
        path.write_text(
            "src,dst,protocol,direction\n10.9.0.7,10.1.1.1,tcp,\n10.1.1.1,10.9.0.7,tcp,\n10.1.1.1,10.9.0.7,tcp,out\n"
            "10.9.0.7,10.1.1.1,tcp,in\n"
        )
        return path

    @pytest.mark.parametrize(
        ("flags", "directions"),
        [
            ((), ["in", "in", "out", "in"]),
            (("--me", "10.9.0.7"), ["out", "in", "out", "in"]),
            (("--me", "10.9.0.0/24"), ["out", "in", "out", "in"]),
            (("--direction", "out"), ["out", "out", "out", "in"]),
            (("--direction", "in", "--me", "10.9.0.7"), ["in", "in", "out", "in"]),
        ],
    )
    def test_it_is_the_column_then_the_option_then_whether_the_source_is_ours(
        self, source: Path, undirected: Path, flags: tuple[str, ...], directions: list[str]
    ) -> None:
        told = records(pastore("classify", source, undirected, *flags).out)
        assert [each["direction"] for each in told] == directions

    def test_the_interface_is_the_column_then_the_option_then_lan(self, source: Path, tmp_path: Path) -> None:
        path = tmp_path / "interfaces.csv"
        path.write_text(
            "src,dst,protocol,dport,interface\n" + "".join(f"10.1.1.1,10.9.0.7,udp,7,{t}\n" for t in ("", "lan", "ras"))
        )
        told = [each["action"] for each in records(pastore("classify", source, path).out)]
        assert told == ["none", "none", "block"]
        told = [each["action"] for each in records(pastore("classify", source, path, "--interface", "ras").out)]
        assert told == ["block", "none", "block"]


class TestFiles:
    def test_csv_in_a_file_is_the_csv_of_stdout(self, source: Path, packets: Path, tmp_path: Path) -> None:
        out = tmp_path / "out.csv"
        result = pastore("classify", source, packets, *ME, "-o", out)
        assert (result.status, result.out) == (0, "")
        assert f"pastore: 10 verdicts written to {out}" in result.err
        assert out.read_text() == pastore("classify", source, packets, *ME).out

    def test_json_lines_say_the_same(self, source: Path, packets: Path, tmp_path: Path) -> None:
        out = tmp_path / "out.jsonl"
        pastore("classify", source, packets, *ME, "-o", out)
        told = [json.loads(line) for line in out.read_text().splitlines()]
        assert all(list(each) == HEADING.split(",") for each in told)
        as_csv = records(pastore("classify", source, packets, *ME).out)
        assert [{name: "" if value is None else str(value) for name, value in each.items()} for each in told] == as_csv
        assert (told[0]["sport"], told[0]["rule"], told[-1]["rule"], told[-1]["index"]) == (40000, "Web", None, -1)

    @pytest.mark.parametrize("name", ["out.txt", "out", "out.json", "out.csv.gz"])
    def test_another_ending_is_refused_before_anything_is_done(
        self, source: Path, packets: Path, tmp_path: Path, name: str
    ) -> None:
        out = tmp_path / name
        result = pastore("classify", source, packets, "-o", out, "--by", "rule")
        assert (result.status, result.out, out.exists()) == (2, "", False)
        assert "the name must end in .csv or .jsonl" in result.err

    def test_one_that_cannot_be_written_is_exit_status_2(self, source: Path, packets: Path, tmp_path: Path) -> None:
        result = pastore("classify", source, packets, "-o", tmp_path / "nowhere" / "out.csv")
        assert (result.status, "cannot be written: No such file" in result.err) == (2, True)


class TestSummary:
    @pytest.mark.parametrize("by", ["rule", "filter", "action"])
    def test_the_counts_sum_to_the_number_of_packets(self, source: Path, packets: Path, by: str) -> None:
        result = pastore("classify", source, packets, *ME, "--by", by)
        counts = [int(line.split()[1]) for line in result.lines[1:]]
        shares = [float(line.split()[2].rstrip("%")) for line in result.lines[1:]]
        assert sum(counts) == 10
        assert shares == [100 * count / 10 for count in counts]

    def test_by_rule_and_nothing_else_is_what_summary_means(self, source: Path, packets: Path) -> None:
        result = pastore("classify", source, packets, *ME, "--summary")
        assert result == pastore("classify", source, packets, *ME, "--by", "rule")
        assert result.lines == [
            "ACTION  PACKETS  SHARE  RULE",
            "allow         4  40.0%  Web",
            "block         2  20.0%  Rest",
            "none          2  20.0%  (no filter matches)",
            "allow         1  10.0%  default exemption isakmp",
            "block         1  10.0%  Remote access",
        ]

    def test_by_filter(self, source: Path, packets: Path) -> None:
        assert pastore("classify", source, packets, *ME, "--by", "filter").lines == [
            "ACTION  PACKETS  SHARE  RULE                      FILTER",
            "allow         3  30.0%  Web                       tcp any > me:80 (mirrored)",
            "none          2  20.0%  (no filter matches)",
            "allow         1  10.0%  Web                       tcp any > me:443 (mirrored)",
            "allow         1  10.0%  default exemption isakmp",
            "block         1  10.0%  Remote access             udp any > me:7 (mirrored)",
            "block         1  10.0%  Rest                      tcp any > me (mirrored)",
            "block         1  10.0%  Rest                      tcp any > me IPv6 (mirrored)",
        ]

    def test_by_action(self, source: Path, packets: Path) -> None:
        assert pastore("classify", source, packets, *ME, "--by", "action").lines == [
            "ACTION   PACKETS  SHARE",
            "none           2  20.0%",
            "allow          5  50.0%",
            "block          3  30.0%",
            "protect        0   0.0%",
        ]

    def test_a_file_beside_it_still_gets_every_packet(self, source: Path, packets: Path, tmp_path: Path) -> None:
        out = tmp_path / "out.csv"
        result = pastore("classify", source, packets, *ME, "--by", "action", "-o", out)
        assert result.lines[0].startswith("ACTION")
        assert len(out.read_text().splitlines()) == 11

    def test_of_no_packets(self, source: Path, tmp_path: Path) -> None:
        empty = tmp_path / "empty.csv"
        empty.write_text("src,dst,protocol\n")
        assert pastore("classify", source, empty, "--by", "rule").lines == ["ACTION  PACKETS  SHARE  RULE"]
        assert {line.split()[2] for line in pastore("classify", source, empty, "--by", "action").lines[1:]} == {"-"}


class TestFormats:
    def test_a_capture(self, source: Path, tmp_path: Path) -> None:
        path = tmp_path / "x.pcap"
        path.write_bytes(
            pcap(
                [
                    ethernet(ipv4("198.51.100.9", "10.9.0.7", 6, tcp(40000, 80))),
                    ethernet(arp(), ethertype=0x0806),
                    ethernet(ipv4("10.9.0.7", "198.51.100.9", 6, tcp(443, 40000))),
                    ethernet(ipv6("2001:db8::1", "2001:db8::7", 6, tcp(40000, 22))),
                    ethernet(ipv4("198.51.100.9", "10.9.0.7", 1, icmp())),
                    ethernet(ipv4("198.51.100.9", "10.9.0.7", 17, udp(500, 500))),
                ]
            )
        )
        result = pastore("classify", source, path, *ME)
        told = [(each["frame"], each["direction"], each["action"], each["rule"]) for each in records(result.out)]
        assert told == [
            ("1", "in", "allow", "Web"),
            ("3", "out", "allow", "Web"),
            ("4", "in", "block", "Rest"),
            ("5", "in", "none", ""),
            ("6", "in", "allow", ""),
        ]
        assert f"{path}: PA153 1 of 6 frames" in result.err
        assert pastore("--quiet", "classify", source, path, *ME).err == ""  # frames without IP are no error

    def test_a_classbench_trace_and_list(self, tmp_path: Path) -> None:
        rules, trace = tmp_path / "acl", tmp_path / "acl_trace"
        rules.write_text(
            "@10.0.0.0/8\t10.9.0.7/32\t0 : 65535\t80 : 80\t0x06/0xFF\t0x0000/0x0200\n"
            "@0.0.0.0/0\t10.9.0.0/16\t0 : 65535\t0 : 65535\t0x00/0x00\n"
        )
        me, peer, other = 0x0A090007, 0x0A010203, 0xC6336409
        lines = [
            (peer, me, 1, 80, 6),
            (peer, me, 1, 81, 6),
            (other, me, 1, 80, 6),
            (other, other, 1, 80, 6),
            (me, peer, 80, 1, 6),
        ]
        trace.write_text("".join("\t".join(map(str, (*line, 0))) + "\n" for line in lines))
        result = pastore("classify", rules, trace)
        told = [(each["action"], each["rule"], each["index"]) for each in records(result.out)]
        assert told == [("block", "0", "0"), ("block", "1", "1"), ("block", "1", "1"), ("none", "", "-1"), ("none", "", "-1")]
        by = Counter(
            {line.split()[3]: int(line.split()[1]) for line in pastore("classify", rules, trace, "--by", "rule").lines[1:]}
        )
        assert by == {"0": 1, "1": 2, "(no": 2}

    def test_damaged_lines_are_told_even_when_quiet(self, source: Path, tmp_path: Path) -> None:
        path = tmp_path / "packets.csv"
        path.write_text("src,dst,protocol\n10.1.1.1,10.9.0.7,tcp\n10.1.1.1,ten,tcp\n")
        result = pastore("--quiet", "classify", source, path)
        assert (result.status, len(result.lines)) == (0, 2)
        assert result.err.startswith(f"{path}:3: PA152 column dst: 'ten' is not an IP address")

    def test_packets_that_are_not_there_are_exit_status_2(self, source: Path, tmp_path: Path) -> None:
        result = pastore("classify", source, tmp_path / "nowhere.pcap")
        assert (result.status, result.out) == (2, "")
        assert "could not be read" in result.err
