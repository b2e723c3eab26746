"""What holds for all packets and for any bytes."""

import csv
import io
import random
from ipaddress import ip_network

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from pastore.packets import UNKNOWN, Packet, PacketBatch, capture, content, lists
from tests.support import captures as c
from tests.support.packets import texts
from tests.support.traffic import FRAMES, damaged, random_frames

ports = st.integers(0, 65535)


@st.composite
def packets(draw: st.DrawFn) -> Packet:
    family = draw(st.sampled_from((4, 6)))
    interesting = st.integers(0, 0xFFFFFFFF).map(lambda low: low if family == 4 else 0xFFFF << 32 | low)  # IPv4-mapped
    addresses = st.integers(0, (1 << (32 if family == 4 else 128)) - 1) | interesting
    return Packet(
        family,
        draw(st.integers(0, 255)),
        draw(addresses),
        draw(addresses),
        draw(ports),
        draw(ports),
        draw(st.integers(0, 1)),
        draw(st.integers(0, 1)),
    )


@given(packets())
def test_a_packet_is_read_from_its_own_text(packet: Packet) -> None:
    assert Packet.parse(str(packet)) == packet


@given(st.text(st.sampled_from("tcp10.>:[]f% inoutlanras/"), max_size=60) | st.text(max_size=60))
def test_any_text_is_a_packet_or_a_sentence(text: str) -> None:
    packet: Packet | None
    sentence = ""
    try:
        packet = Packet.parse(text)
    except ValueError as error:
        packet, sentence = None, str(error)
    assert "packet " in sentence if packet is None else Packet.parse(str(packet)) == packet


@given(st.lists(packets(), max_size=20))
def test_a_batch_gives_its_packets_back(some: list[Packet]) -> None:
    made = PacketBatch.from_packets(some)
    assert [made.packet(row) for row in range(len(made))] == some
    four, six = made.select(4), made.select(6)
    assert sorted([*four.index.tolist(), *six.index.tolist()]) == list(range(len(some)))
    assert four.src.tolist() == [packet.src for packet in some if packet.family == 4]
    assert [row.tobytes() for row in six.dst] == [packet.dst.to_bytes(16, "big") for packet in some if packet.family == 6]


@given(st.lists(packets(), max_size=20))
def test_a_csv_of_packets_gives_them_back(some: list[Packet]) -> None:
    file = io.StringIO()
    writer = csv.DictWriter(file, lists.COLUMNS)
    writer.writeheader()
    writer.writerows(packet.as_dict() for packet in some)
    made = PacketBatch.from_csv(file.getvalue().encode())
    assert made.damage == ()
    assert [made.packet(row) for row in range(len(made))] == some


@given(
    st.lists(packets(), max_size=20),
    st.lists(st.tuples(st.sampled_from((4, 6)), st.integers(0, (1 << 128) - 1), st.integers(0, 128)), max_size=5),
    st.data(),
)
def test_a_packet_goes_out_exactly_when_its_source_is_in_one_of_our_networks(
    some: list[Packet], ours: list[tuple[int, int, int]], data: st.DataObject
) -> None:
    networks = []
    for family, value, length in ours:
        bits = 32 if family == 4 else 128
        near = data.draw(st.booleans())
        if some and near:  # near a packet, or else hardly any network would hold one
            value = data.draw(st.sampled_from(some)).src
        networks.append(ip_network((value % (1 << bits), length % (bits + 1)), strict=False))
    made = PacketBatch.from_packets(some)
    undirected = PacketBatch(made._columns._replace(direction=np.full(len(made), UNKNOWN, np.uint8)))
    expected = [
        int(any(packet.src in range(int(net[0]), int(net[-1]) + 1) for net in networks if net.version == packet.family))
        for packet in some
    ]
    assert undirected.with_context(networks).direction.tolist() == expected


@given(st.sampled_from([*FRAMES, 2, 0xFFFF]), st.binary(max_size=300), st.booleans(), st.sampled_from((0, 65535, 0xFFFFFFFF)))
def test_any_bytes_after_a_file_header_are_walked(linktype: int, rest: bytes, big_endian: bool, snaplen: int) -> None:
    data = c.file_header(linktype, big_endian=big_endian, snaplen=snaplen) + rest
    whole = PacketBatch.from_pcap(data)
    assert all(damage.code in ("PA150", "PA151", "PA153") for damage in whole.damage)
    assert whole.frame.tolist() == sorted(set(whole.frame.tolist()))


@settings(max_examples=60)
@given(st.integers(0, 2**32), st.sampled_from(list(FRAMES)), st.booleans(), st.data())
def test_every_truncation_of_a_damaged_capture_gives_what_came_before(
    seed: int, linktype: int, big_endian: bool, data: st.DataObject
) -> None:
    rng = random.Random(seed)
    octets = c.pcap(random_frames(rng, linktype, 5), linktype, big_endian=big_endian)
    octets = octets[:24] + damaged(rng, octets[24:])
    whole = texts(PacketBatch.from_pcap(octets))
    cut = texts(PacketBatch.from_pcap(octets[: data.draw(st.integers(24, len(octets)))]))
    assert cut == whole[: len(cut)]


@given(st.binary(max_size=200) | st.text(st.sampled_from("0123456789 \t\n.,:srcdtpol"), max_size=200).map(str.encode))
def test_whatever_the_bytes_are_each_reader_answers(data: bytes) -> None:
    for read in (PacketBatch.from_pcap, PacketBatch.from_csv, PacketBatch.from_trace):
        got = read(data)
        assert len(got) or got.damage or not data.strip()
        assert all(damage.message for damage in got.damage)
    assert content.refusal(data).fatal
    assert not capture.read_capture(data).frame.size


fields = st.integers(0, 300).map(str) | st.sampled_from(
    ["4294967295", "4294967296", "65535", "65536", "x", "-1", "007", "1e3", "é"]
)
trace_lines = st.lists(fields, max_size=8).map("\t".join) | st.sampled_from(["", " ", " 1 2  3 4 5 ", "\t1\t2\t3\t4\t6\r"])


@given(st.lists(trace_lines, max_size=12), st.booleans())
def test_a_trace_is_read_line_by_line_as_a_plain_loop_reads_it(some: list[str], ended: bool) -> None:
    expected, ill = [], []
    for number, line in enumerate(some, 1):
        words = line.split()
        if not words:
            continue
        limits = zip(words[:5], (0xFFFFFFFF, 0xFFFFFFFF, 65535, 65535, 255), strict=False)
        if len(words) >= 5 and all(word.isdecimal() and int(word) <= limit for word, limit in limits):
            expected.append((number, *map(int, words[:5])))
        else:
            ill.append(number)
    got = PacketBatch.from_trace(("\n".join(some) + "\n" * ended).encode())
    four = got.select(4)
    columns = (got.frame, four.src, four.dst, got.sport, got.dport, got.protocol)
    assert list(zip(*(column.tolist() for column in columns), strict=True)) == expected
    assert [damage.line for damage in got.damage] == ill
