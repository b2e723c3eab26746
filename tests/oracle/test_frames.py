"""The packet walk against dpkt, an independent reader of captures and of packets."""

import io
import random
import struct
from collections.abc import Iterator

import dpkt
import pytest

from pastore.packets import PacketBatch
from tests.support import captures as c
from tests.support.traffic import FRAMES, random_frames

Row = tuple[int, int, int, bytes, bytes, int, int]
WITH_PORTS = (6, 17, 33, 132, 136)


def ours(data: bytes) -> list[Row]:
    batch = PacketBatch.from_pcap(data)
    return [
        (
            int(batch.frame[row]),
            int(batch.family[row]),
            int(batch.protocol[row]),
            batch.src[row].tobytes(),
            batch.dst[row].tobytes(),
            int(batch.sport[row]),
            int(batch.dport[row]),
        )
        for row in range(len(batch))
    ]


def theirs(data: bytes) -> list[Row]:
    linktype = struct.unpack_from(">I" if data[0] == 0xA1 else "<I", data, 20)[0]
    found = []
    for number, (_, frame) in enumerate(dpkt.pcap.Reader(io.BytesIO(data)), 1):
        try:
            found += [(number, *row) for row in _packets(frame, linktype)]
        except dpkt.UnpackError:
            continue  # a header that is cut or contradicts itself
    return found


def _packets(frame: bytes, linktype: int) -> Iterator[tuple[int, int, bytes, bytes, int, int]]:
    packet = {
        c.NULL: dpkt.loopback.Loopback,
        c.LOOP: dpkt.loopback.Loopback,
        c.ETHERNET: dpkt.ethernet.Ethernet,
        c.COOKED: dpkt.sll.SLL,
        c.COOKED2: dpkt.sll2.SLL2,
        c.IPV4: dpkt.ip.IP,
        c.IPV6: dpkt.ip6.IP6,
    }.get(linktype, dpkt.ip6.IP6 if frame[:1] >= b"\x60" else dpkt.ip.IP)(frame)
    while isinstance(packet, (dpkt.ethernet.Ethernet, dpkt.sll.SLL, dpkt.sll2.SLL2, dpkt.loopback.Loopback)):
        packet = packet.data
    if isinstance(packet, dpkt.ip.IP):
        if len(packet.opts) < packet.hl * 4 - 20:
            return  # dpkt takes what is left of cut options; to us that is a cut header
        later = packet.offset > 0
        yield (4, packet.p, packet.src + bytes(12), packet.dst + bytes(12), *_ports(packet.p, packet.data, later))
    elif isinstance(packet, dpkt.ip6.IP6):
        later = any(isinstance(header, dpkt.ip6.IP6FragmentHeader) and header.frag_off for header in packet.all_extension_headers)
        yield (6, packet.p, packet.src, packet.dst, *_ports(packet.p, packet.data, later))


def _ports(protocol: int, data: object, later: bool) -> tuple[int, int]:
    if protocol not in WITH_PORTS or later:
        return 0, 0
    if isinstance(data, (dpkt.tcp.TCP, dpkt.udp.UDP, dpkt.sctp.SCTP)):
        return data.sport, data.dport
    assert isinstance(data, bytes)  # a protocol dpkt does not know, or a header it finds cut
    return struct.unpack_from(">HH", data) if len(data) >= 4 else (0, 0)


@pytest.mark.parametrize("linktype", FRAMES)
@pytest.mark.parametrize("big_endian", [False, True])
def test_random_captures_of_every_link_type_are_read_alike(linktype: int, big_endian: bool) -> None:
    rng = random.Random(1000 * linktype + big_endian)
    data = c.pcap(random_frames(rng, linktype, 400), linktype, nanoseconds=not big_endian, big_endian=big_endian)
    expected = theirs(data)
    assert len(expected) > 300
    assert ours(data) == expected


def test_the_modified_format_is_read_alike() -> None:
    data = c.pcap(random_frames(random.Random(5), c.ETHERNET, 100), modified=True)
    expected = theirs(data)
    assert len(expected) > 80
    assert ours(data) == expected


@pytest.mark.parametrize("linktype", FRAMES)
def test_captures_of_any_snapshot_length_are_read_alike(linktype: int) -> None:
    rng = random.Random(linktype)
    for snaplen in range(0, 110, 3):
        frames = random_frames(rng, linktype, 20)
        data = c.pcap(frames, linktype, snaplen=snaplen)
        expected, whole = theirs(data), {row[0]: row for row in theirs(c.pcap(frames, linktype))}
        found = {row[0]: row for row in ours(data)}
        assert [found.pop(row[0], None) for row in expected] == expected
        # What is left is IPv6 whose chain of headers is cut: an error to dpkt, to us a packet without ports.
        for number, family, protocol, src, dst, *ports in found.values():
            assert (family, src, dst, ports) == (6, *whole[number][3:5], [0, 0])
            assert protocol in (0, 43, 44, 60, whole[number][2])


def test_a_capture_cut_at_every_byte_gives_its_whole_frames() -> None:
    frames = random_frames(random.Random(6), c.ETHERNET, 12)
    data = c.pcap(frames)
    expected = theirs(data)
    whole, ends = 0, [24]
    for frame in frames:
        ends.append(ends[-1] + 16 + len(frame))
    for length in range(24, len(data) + 1):
        while whole < len(frames) and ends[whole + 1] <= length:
            whole += 1
        batch = PacketBatch.from_pcap(data[:length])
        assert ours(data[:length]) == [row for row in expected if row[0] <= whole]
        cut = [damage.message for damage in batch.damage if damage.code == "PA150"]
        assert len(cut) == (length != ends[whole])
        for message in cut:
            assert f"byte {ends[whole]}" in message
            assert message.endswith(f"number {whole}" if whole else "no whole frame")


def test_what_dpkt_writes_is_read() -> None:
    file = io.BytesIO()
    writer = dpkt.pcap.Writer(file, snaplen=65535, linktype=c.ETHERNET)
    for port in range(50):
        tcp = dpkt.tcp.TCP(sport=port, dport=445, flags=2)
        ip = dpkt.ip.IP(src=b"\x0a\x01\x02\x03", dst=b"\x0a\x09\x00\x07", p=6, data=tcp)
        ip.len = len(ip)
        writer.writepkt(dpkt.ethernet.Ethernet(src=bytes(6), dst=bytes(6), data=ip), ts=port)
    batch = PacketBatch.from_pcap(file.getvalue())
    assert batch.sport.tolist() == list(range(50))
    assert str(batch.packet(49)) == "tcp 10.1.2.3:49 > 10.9.0.7:445 in"
