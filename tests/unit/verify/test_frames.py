"""Frames for the kernel, read back by another reader of packets."""

import dpkt
import numpy as np

from pastore.packets import PacketBatch
from pastore.packets.packet import Packet
from pastore.verify.frames import frames, judgeable
from tests.support.captures import pcap

PACKETS = [
    "tcp 10.1.2.3:49152 > 10.9.0.7:445 in",
    "udp 255.255.255.255:65535 > 0.0.0.0 out",
    "icmp 127.0.0.1 > 224.0.0.1:8 in",
    "255 1.2.3.4:1 > 5.6.7.8:2 in",
]
PACKETS6 = [
    "tcp [2001:db8::1]:1 > [ff02::1]:65535 in",
    "esp [::1]:7 > [::ffff:102:304] out",
]


def batch(texts: list[str]) -> PacketBatch:
    return PacketBatch.from_packets([Packet.parse(text) for text in texts])


def test_ipv4_frames_are_read_back_as_the_packets_they_carry_with_a_valid_checksum() -> None:
    got = batch(PACKETS)
    for at, frame in enumerate(frames(4, got.select(4))):
        packet = got.packet(at)
        ip = dpkt.ethernet.Ethernet(frame.tobytes()).data
        assert isinstance(ip, dpkt.ip.IP)
        assert (ip.p, ip.id, ip.offset, ip.mf, ip.hl, ip.len) == (packet.protocol, at, 0, 0, 5, 28)
        assert (int.from_bytes(ip.src), int.from_bytes(ip.dst)) == (packet.src, packet.dst)
        written = ip.sum
        ip.sum = 0
        assert bytes(ip)[10:12] == written.to_bytes(2)  # computed anew by dpkt


def test_ipv6_frames_carry_addresses_protocol_number_and_ports() -> None:
    got = batch(PACKETS6)
    for at, frame in enumerate(frames(6, got.select(6))):
        packet = got.packet(at)
        data = frame.tobytes()
        assert data[12:14] == b"\x86\xdd"
        assert data[14] >> 4 == 6
        assert int.from_bytes(data[16:18]) == at
        assert (data[20], int.from_bytes(data[22:38]), int.from_bytes(data[38:54])) == (packet.protocol, packet.src, packet.dst)
        assert (int.from_bytes(data[54:56]), int.from_bytes(data[56:58])) == (packet.sport, packet.dport)
        assert int.from_bytes(data[18:20]) == len(data) - 54


def test_a_capture_of_the_frames_has_the_packets_again() -> None:
    whole = [text for text in PACKETS + PACKETS6 if text.startswith(("tcp", "udp"))]
    got = batch(whole)
    data = [frame.tobytes() for family in (4, 6) for frame in frames(family, got.select(family))]
    again = PacketBatch.from_pcap(pcap(data))
    assert [str(again.packet(at)).rsplit(" ", 1)[0] for at in range(len(again))] == [text.rsplit(" ", 1)[0] for text in whole]


def test_numbers_come_round_after_65536() -> None:
    many = PacketBatch.from_columns(np.zeros(65538, np.uint32), np.zeros(65538, np.uint32))
    data = frames(4, many.select(4))
    assert data[[0, 65535, 65536, 65537], 18:20].tolist() == [[0, 0], [255, 255], [0, 0], [0, 1]]


def test_only_extension_headers_of_ipv6_are_left_out() -> None:
    every = np.arange(256).astype(np.uint8)
    assert judgeable(4, every).all()
    assert np.flatnonzero(~judgeable(6, every)).tolist() == [0, 43, 44, 51, 60]
