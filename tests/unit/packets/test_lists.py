"""Packet CSV and ClassBench traces: every good line counts, every ill line is named."""

import time

import numpy as np
import pytest

from pastore.packets import UNKNOWN, Damage, PacketBatch, lists
from tests.support.packets import texts

HEADER = "src,dst,protocol,sport,dport,direction,interface"


def lines(*rows: str) -> bytes:
    return "\n".join([HEADER, *rows, ""]).encode()


def test_a_csv_row_is_a_packet_and_its_line_number_its_frame() -> None:
    batch = PacketBatch.from_csv(lines("10.1.2.3,10.9.0.7,tcp,49152,445,in,lan", "2001:db8::1,2001:db8::2,17,500,500,out,ras"))
    assert texts(batch) == ["tcp 10.1.2.3:49152 > 10.9.0.7:445 in", "udp [2001:db8::1]:500 > [2001:db8::2]:500 out ras"]
    assert batch.frame.tolist() == [2, 3]
    assert batch.family.tolist() == [4, 6]
    assert batch.damage == ()


def test_only_source_destination_and_protocol_are_required() -> None:
    batch = PacketBatch.from_csv(b"protocol,dst,src\nicmp,10.9.0.7,10.1.2.3")
    assert texts(batch) == ["icmp 10.1.2.3 > 10.9.0.7 in"]
    assert (batch.direction[0], batch.interface[0]) == (UNKNOWN, UNKNOWN)


def test_empty_cells_are_no_port_and_not_known() -> None:
    batch = PacketBatch.from_csv(lines("10.1.2.3,10.9.0.7,tcp,,,,", "10.1.2.3,10.9.0.7,tcp"))
    assert batch.dport.tolist() == [0, 0]
    assert batch.direction.tolist() == [UNKNOWN, UNKNOWN]
    assert batch.damage == ()


@pytest.mark.parametrize(
    "data",
    [
        b"\xef\xbb\xbfsrc,dst,protocol\r\n10.1.2.3,10.9.0.7,tcp\r\n",
        b"src,dst,protocol\r10.1.2.3,10.9.0.7,tcp\r",
        b'"src","dst","protocol"\n"10.1.2.3","10.9.0.7","tcp"\n',
        b"Src ; Dst ; Protocol\n10.1.2.3 ; 10.9.0.7 ; TCP\n",
        b"src\tdst\tprotocol\n10.1.2.3\t10.9.0.7\t6\n",
        b"\n\nsrc,dst,protocol\n\n10.1.2.3,10.9.0.7,tcp\n\n",
        b"frame,action,src,dst,protocol,rule\n7,block,10.1.2.3,10.9.0.7,tcp,Block all\n",
        "src,dst,protocol\n10.1.2.3,10.9.0.7,tcp\n".encode("utf-16"),
    ],
    ids=["bom-crlf", "cr", "quoted", "semicolons", "tabs", "blank-lines", "further-columns", "utf-16"],
)
def test_the_spellings_of_csv_that_programs_write_are_all_read(data: bytes) -> None:
    batch = PacketBatch.from_csv(data)
    assert texts(batch) == ["tcp 10.1.2.3 > 10.9.0.7 in"]
    assert batch.damage == ()


ILL = [
    ("10.1.2.300,10.9.0.7,tcp,1,2,in,lan", "column src: '10.1.2.300' is not an IP address"),
    ("010.1.2.3,10.9.0.7,tcp,1,2,in,lan", "column src: '010.1.2.3' is not an IP address: Leading zeros"),
    ("10.1.2.3,,tcp,1,2,in,lan", "column dst is empty"),
    ("10.1.2.3,10.9.0.0/24,tcp,1,2,in,lan", "column dst: '10.9.0.0/24' is not an IP address: a packet has single addresses"),
    ("10.1.2.3,fe80::1,tcp,1,2,in,lan", "src is IPv4 and dst IPv6"),
    ("fe80::1%2,fe80::1,tcp,1,2,in,lan", "column src: 'fe80::1%2' has a zone id"),
    ("::ffff:10.1.2.3,::1,tcp,1,2,in,lan", "column src: '::ffff:10.1.2.3' can be read in two ways"),
    ("10.1.2.3,10.9.0.7,tpc,1,2,in,lan", "column protocol: 'tpc' is not a protocol"),
    ("10.1.2.3,10.9.0.7,256,1,2,in,lan", "column protocol: '256' is not a protocol"),
    ("10.1.2.3,10.9.0.7,tcp,65536,2,in,lan", "column sport: '65536' is not a port"),
    ("10.1.2.3,10.9.0.7,tcp,1,-2,in,lan", "column dport: '-2' is not a port"),
    ("10.1.2.3,10.9.0.7,tcp,1,2,inward,lan", "column direction: 'inward' is none of in, out"),
    ("10.1.2.3,10.9.0.7,tcp,1,2,in,dialup", "column interface: 'dialup' is none of lan, ras"),
    ("10.1.2.3,10.9.0.7,tcp,1,2,in,lan,more", "the line has 8 fields, the header 7"),
    ("10.1.2.3", "column dst is empty"),
    ('"10.1.2.3,10.9.0.7,tcp,1,2,in,lan', "unexpected end of data"),
    ("10.1.2.3\x00,10.9.0.7,tcp,1,2,in,lan", "column src: '10.1.2.3\\x00' is not an IP address"),
]


@pytest.mark.parametrize(("row", "reason"), ILL)
def test_an_ill_row_is_named_with_its_line_and_the_others_count(row: str, reason: str) -> None:
    good = "10.1.2.3,10.9.0.7,tcp,49152,445,in,lan"
    batch = PacketBatch.from_csv(lines(good, row, good))
    assert batch.frame.tolist() == [2, 4]
    (damage,) = batch.damage
    assert (damage.code, damage.line, damage.fatal) == ("PA152", 3, False)
    assert damage.message.startswith(reason)


def test_ill_rows_are_each_named() -> None:
    batch = PacketBatch.from_csv(lines(*(row for row, _ in ILL)))
    assert len(batch) == 0
    assert [damage.line for damage in batch.damage] == list(range(2, len(ILL) + 2))


def test_invalid_utf8_is_an_ill_row_not_an_exception() -> None:
    batch = PacketBatch.from_csv(HEADER.encode() + b"\n\xff\xfe10.1.2.3,10.9.0.7,tcp,,,,\n10.1.2.3,10.9.0.7,tcp,,,,\n")
    assert (batch.frame.tolist(), [damage.line for damage in batch.damage]) == ([3], [2])


@pytest.mark.parametrize(
    ("data", "line", "reason"),
    [
        (b"", 1, "there is no header"),
        (b"\n\n", 1, "there is no header"),
        (b"src,dst,sport\n1.2.3.4,1.2.3.5,80\n", 1, "lacks protocol: the columns are src,dst,protocol,sport"),
        (b"\n10.1.2.3,10.9.0.7,tcp\n", 2, "lacks src, dst, protocol"),
        (b"src,dst,protocol,src\n", 1, "the header names column src more than once"),
        (b'"src,dst,protocol\n', 1, "the header cannot be read"),
    ],
)
def test_a_csv_without_a_usable_header_is_refused_as_a_whole(data: bytes, line: int, reason: str) -> None:
    (damage,) = PacketBatch.from_csv(data).damage
    assert (damage.code, damage.line, damage.fatal) == ("PA152", line, True)
    assert reason in damage.message


def test_so_many_ill_lines_are_told_and_the_rest_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lists, "REPORTED", 3)
    for batch in (PacketBatch.from_csv(lines(*["x,y,z"] * 10)), PacketBatch.from_trace(b"ill\n" * 10)):
        assert len(batch.damage) == 4
        assert batch.damage[-1] == Damage("PA152", "7 more lines cannot be read")


def test_a_trace_line_is_an_ipv4_packet() -> None:
    batch = PacketBatch.from_trace(b"167838211\t168361991\t49152\t445\t6\t0\t17\n0\t4294967295\t0\t65535\t255\n")
    assert texts(batch) == ["tcp 10.1.2.3:49152 > 10.9.0.7:445 in", "raw 0.0.0.0 > 255.255.255.255:65535 in"]
    assert batch.frame.tolist() == [1, 2]
    assert batch.direction.tolist() == [UNKNOWN, UNKNOWN]
    assert batch.damage == ()


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (b"1\t2\t3\t4", "the line has 4 columns: a trace has src dst sport dport protocol"),
        (b"4294967296\t2\t3\t4\t6", "src '4294967296' is not a decimal number 0 to 4294967295"),
        (b"1\t99999999999\t3\t4\t6", "dst '99999999999' is not a decimal number"),
        (b"1\t2\t65536\t4\t6", "sport '65536' is not a decimal number 0 to 65535"),
        (b"1\t2\t3\t-4\t6", "dport '-4' is not a decimal number"),
        (b"1\t2\t3\t4\t256", "protocol '256' is not a decimal number 0 to 255"),
        (b"1\t2\t3\t4\t0x06/0xff", "protocol '0x06/0xff' is not a decimal number"),
        (b"1.5\t2\t3\t4\t6", "src '1.5' is not a decimal number"),
        (b"\xff\xfe\x00", "src '"),
        (b"# comment", "src '#' is not a decimal number"),
    ],
)
@pytest.mark.parametrize("end", [b"\n", b"\r\n"])
def test_an_ill_trace_line_is_named_and_the_others_count(line: bytes, reason: str, end: bytes) -> None:
    batch = PacketBatch.from_trace(end.join([b"1 2 3 4 6", b"", line, b"5 6 7 8 17 9"]))
    assert batch.frame.tolist() == [1, 4]
    assert batch.protocol.tolist() == [6, 17]
    (damage,) = batch.damage
    assert (damage.code, damage.line, damage.fatal) == ("PA152", 3, False)
    assert damage.message.startswith(reason)


@pytest.mark.parametrize("block", [1, 7, 64, 4096, 5000])
def test_where_a_trace_is_split_into_blocks_does_not_matter(block: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lists, "_BLOCK", block)
    data = b"".join(b"%d\t2\t3\t4\t6\t0\t1\n" % number if number % 50 else b"ill\n" for number in range(1, 501))
    batch = PacketBatch.from_trace(data)
    expected = [number for number in range(1, 501) if number % 50]
    assert batch.frame.tolist() == expected
    assert batch.select(4).src.tolist() == expected
    assert [damage.line for damage in batch.damage] == list(range(50, 501, 50))


def test_half_a_million_trace_lines_are_read() -> None:
    rng = np.random.default_rng(5)
    table = np.column_stack(
        [rng.integers(0, limit, 500_000) for limit in (1 << 32, 1 << 32, 1 << 16, 1 << 16, 256, 1 << 32, 10_000)]
    )
    data = "\n".join("\t".join(map(str, row)) for row in table.tolist()).encode()
    started = time.perf_counter()
    batch = PacketBatch.from_trace(data)
    assert time.perf_counter() - started < 10  # hang guard: 0.4 s where this was written
    assert np.array_equal(batch.select(4).src, table[:, 0])
    assert np.array_equal(batch.select(4).dst, table[:, 1])
    assert np.array_equal(batch.protocol, table[:, 4])
