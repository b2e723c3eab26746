"""Capture files: what is read from a frame, and what is said about one that cannot be."""

import time

import pytest

from pastore.packets import UNKNOWN, Damage, PacketBatch
from tests.support import captures as c
from tests.support.packets import texts

SYN = c.ipv4("10.1.2.3", "10.9.0.7", 6, c.tcp(49152, 445))
SYN_TEXT = "tcp 10.1.2.3:49152 > 10.9.0.7:445 in"
SYN6 = c.ipv6("2001:db8::1", "2001:db8::2", 6, c.tcp(49152, 445))
SYN6_TEXT = "tcp [2001:db8::1]:49152 > [2001:db8::2]:445 in"


def read(*frames: bytes, linktype: int = c.ETHERNET) -> PacketBatch:
    return PacketBatch.from_pcap(c.pcap(frames, linktype))


def raw(*packets: bytes) -> list[str]:
    """Texts of packets in a capture of raw IP; none may be skipped."""
    batch = read(*packets, linktype=c.RAW)
    assert batch.damage == ()
    return texts(batch)


@pytest.mark.parametrize("nanoseconds", [False, True])
@pytest.mark.parametrize("big_endian", [False, True])
def test_both_byte_orders_and_resolutions_are_read(nanoseconds: bool, big_endian: bool) -> None:
    batch = PacketBatch.from_pcap(c.pcap([c.ethernet(SYN)] * 2, nanoseconds=nanoseconds, big_endian=big_endian))
    assert texts(batch) == [SYN_TEXT] * 2
    assert batch.damage == ()


@pytest.mark.parametrize("big_endian", [False, True])
def test_the_modified_format_with_longer_records_is_read(big_endian: bool) -> None:
    batch = PacketBatch.from_pcap(c.pcap([c.ethernet(SYN)] * 2, big_endian=big_endian, modified=True))
    assert texts(batch) == [SYN_TEXT] * 2


@pytest.mark.parametrize(
    ("linktype", "frame"),
    [
        (0, c.loopback(SYN)),
        (0, c.loopback(SYN, big_endian=True)),
        (108, c.loopback(SYN, big_endian=True)),
        (1, c.ethernet(SYN)),
        (1 | 0x14000000, c.ethernet(SYN) + bytes(4)),  # the upper half of the field: four bytes of checksum follow
        (12, SYN),
        (14, SYN),
        (101, SYN),
        (113, c.cooked(SYN)),
        (228, SYN),
        (276, c.cooked2(SYN)),
    ],
)
def test_every_link_type_gives_its_packet(linktype: int, frame: bytes) -> None:
    assert texts(read(frame, linktype=linktype)) == [SYN_TEXT]


@pytest.mark.parametrize(
    ("linktype", "frame"),
    [
        *[(0, c.loopback(SYN6, family)) for family in (10, 23, 24, 28, 30)],
        (108, c.loopback(SYN6, 24, big_endian=True)),
        (1, c.ethernet(SYN6)),
        (12, SYN6),
        (14, SYN6),
        (101, SYN6),
        (113, c.cooked(SYN6)),
        (229, SYN6),
        (276, c.cooked2(SYN6)),
    ],
)
def test_every_link_type_gives_its_ipv6_packet(linktype: int, frame: bytes) -> None:
    assert texts(read(frame, linktype=linktype)) == [SYN6_TEXT]


@pytest.mark.parametrize("kinds", [(0x8100,), (0x88A8, 0x8100), (0x9100, 0x8100), (0x8100,) * 5])
def test_tags_are_stepped_over_however_many(kinds: tuple[int, ...]) -> None:
    tags = [(kind, 100 + place) for place, kind in enumerate(kinds)]
    assert texts(read(c.ethernet(SYN, tags), c.ethernet(SYN6, tags))) == [SYN_TEXT, SYN6_TEXT]


@pytest.mark.parametrize(
    ("linktype", "frame"),
    [
        (1, c.ethernet(c.arp(), ethertype=c.TYPE_ARP)),
        (1, c.ethernet(SYN, ethertype=0x8847)),  # MPLS
        (1, c.ethernet(SYN, ethertype=0x8864)),  # PPPoE
        (1, c.ethernet(SYN, ethertype=64)),  # a length: LLC
        (1, c.ethernet(c.arp(), [(c.TYPE_VLAN, 1)], ethertype=c.TYPE_ARP)),
        (0, c.loopback(SYN, 7)),
        (113, c.cooked(SYN, hardware=824)),  # netlink
        (276, c.cooked2(SYN, hardware=824)),
    ],
)
def test_a_frame_of_another_protocol_is_counted(linktype: int, frame: bytes) -> None:
    batch = read(frame, linktype=linktype)
    assert (len(batch), batch.skipped) == (0, 1)
    text = "1 of 1 frames hold no IP packet that can be read: 1 of other protocols, 0 with a cut or damaged header"
    assert batch.damage == (Damage("PA153", text),)


@pytest.mark.parametrize(
    ("linktype", "frame"),
    [
        (1, b""),
        (1, c.ethernet(SYN)[:13]),
        (1, c.ethernet(SYN, [(c.TYPE_VLAN, 1)])[:17]),
        (1, c.ethernet(SYN)[:33]),
        (1, c.ethernet(SYN6)[:53]),
        (1, c.ethernet(SYN, ethertype=c.TYPE_IPV6)),
        (1, c.ethernet(SYN6, ethertype=c.TYPE_IPV4)),
        (0, c.loopback(SYN)[:3]),
        (0, c.loopback(SYN, 30)),
        (101, b""),
        (101, b"\x00" * 40),
        (113, c.cooked(SYN)[:15]),
        (276, c.cooked2(SYN)[:19]),
        (228, SYN6),
        (229, SYN),
        (228, b"\x44" + SYN[1:]),  # a header of 16 bytes
        (228, b"\x46" + SYN[1:20]),  # options that are not there
        (228, SYN[:2] + b"\x00\x13" + SYN[4:]),  # a packet of 19 bytes
    ],
)
def test_a_cut_or_damaged_header_is_counted(linktype: int, frame: bytes) -> None:
    batch = read(frame, linktype=linktype)
    assert (len(batch), batch.skipped) == (0, 1)
    text = "1 of 1 frames hold no IP packet that can be read: 0 of other protocols, 1 with a cut or damaged header"
    assert batch.damage == (Damage("PA153", text),)


def test_frames_keep_their_numbers_when_some_are_skipped() -> None:
    arp = c.ethernet(c.arp(), ethertype=c.TYPE_ARP)
    batch = read(arp, c.ethernet(SYN), arp, b"", c.ethernet(SYN6))
    assert (batch.frame.tolist(), batch.skipped) == ([2, 5], 3)
    assert "3 of 5 frames" in batch.damage[0].message
    assert "2 of other protocols, 1 with" in batch.damage[0].message


def test_a_capture_does_not_tell_direction_and_interface() -> None:
    batch = read(c.ethernet(SYN))
    assert (batch.direction.tolist(), batch.interface.tolist()) == ([UNKNOWN], [UNKNOWN])


def test_ipv4_options_are_stepped_over() -> None:
    assert raw(c.ipv4("10.1.2.3", "10.9.0.7", 6, c.tcp(49152, 445), options=b"\x94\x04\x00\x00" * 10)) == [SYN_TEXT]


def test_padding_after_the_packet_is_not_ports() -> None:
    assert raw(c.ipv4("10.1.2.3", "10.9.0.7", 6, b"\xc0\x00") + b"\x01\xbd" * 10) == ["tcp 10.1.2.3 > 10.9.0.7 in"]
    assert raw(c.ipv6("::1", "::2", 17, b"\xc0\x00") + b"\x01\xbd" * 10) == ["udp ::1 > ::2 in"]


def test_a_length_of_zero_means_the_rest_of_the_frame() -> None:
    assert raw(SYN[:2] + bytes(2) + SYN[4:]) == [SYN_TEXT]
    assert raw(SYN6[:4] + bytes(2) + SYN6[6:]) == [SYN6_TEXT]


def test_only_the_first_fragment_has_ports() -> None:
    first = c.ipv4("10.1.2.3", "10.9.0.7", 6, c.tcp(49152, 445), more=True)
    later = c.ipv4("10.1.2.3", "10.9.0.7", 6, c.tcp(49152, 445), offset=1)
    last = c.ipv4("10.1.2.3", "10.9.0.7", 6, c.tcp(49152, 445), offset=0x1000)
    assert raw(first, later, last) == [SYN_TEXT, "tcp 10.1.2.3 > 10.9.0.7 in", "tcp 10.1.2.3 > 10.9.0.7 in"]


def test_only_the_first_ipv6_fragment_has_ports() -> None:
    def piece(header: bytes, *before: tuple[int, bytes]) -> bytes:
        return c.ipv6("2001:db8::1", "2001:db8::2", 6, c.tcp(49152, 445), [*before, (44, header)])

    hop_by_hop = (0, c.extension())
    assert raw(piece(c.fragment()), piece(c.fragment(), hop_by_hop), piece(c.fragment(0, more=False))) == [SYN6_TEXT] * 3
    assert raw(piece(c.fragment(1)), piece(c.fragment(8191), hop_by_hop)) == ["tcp 2001:db8::1 > 2001:db8::2 in"] * 2


@pytest.mark.parametrize("number", [0, 43, 60, 135, 139, 140])
@pytest.mark.parametrize("units", [0, 1, 255])
def test_ipv6_extension_headers_are_stepped_over(number: int, units: int) -> None:
    chain = [(number, c.extension(units)), (60, c.extension())]
    assert raw(c.ipv6("2001:db8::1", "2001:db8::2", 6, c.tcp(49152, 445), chain)) == [SYN6_TEXT]


def test_what_a_later_fragment_begins_with_cannot_be_known_beyond_its_number() -> None:
    packet = c.ipv6("::1", "::2", 6, c.tcp(49152, 445), [(44, c.fragment(1)), (60, c.extension())])
    assert raw(packet) == ["ipv6-opts ::1 > ::2 in"]


@pytest.mark.parametrize("kept", range(40, 65))
def test_where_the_chain_is_cut_the_protocol_is_the_last_number_that_can_be_read(kept: int) -> None:
    packet = c.ipv6("::1", "::2", 6, c.tcp(49152, 445), [(0, c.extension()), (60, c.extension(1))])
    (text,) = raw(packet[:kept])
    assert text == f"{'hopopt' if kept < 41 else 'ipv6-opts' if kept < 49 else 'tcp'} ::1 > ::2 in"
    assert raw(packet[:68]) == ["tcp [::1]:49152 > [::2]:445 in"]


@pytest.mark.parametrize("kept", range(40, 52))
def test_a_cut_fragment_header_has_ports_0(kept: int) -> None:
    (text,) = raw(c.ipv6("::1", "::2", 6, c.tcp(49152, 445), [(44, c.fragment())])[:kept])
    assert text == f"{'ipv6-frag' if kept == 40 else 'tcp'} ::1 > ::2 in"


@pytest.mark.parametrize(("number", "name"), [(50, "esp"), (51, "ah"), (47, "gre"), (4, "ipip"), (41, "ipv6")])
def test_protected_and_tunnelled_packets_are_not_opened(number: int, name: str) -> None:
    inner = bytes([6, 4]) + c.tcp(49152, 445) + SYN
    assert raw(c.ipv4("10.1.2.3", "10.9.0.7", number, inner)) == [f"{name} 10.1.2.3 > 10.9.0.7 in"]
    assert raw(c.ipv6("::1", "::2", number, inner)) == [f"{name} ::1 > ::2 in"]


@pytest.mark.parametrize("protocol", [6, 17, 33, 132, 136])
def test_five_protocols_have_ports(protocol: int) -> None:
    batch = read(c.ipv4("10.1.2.3", "10.9.0.7", protocol, c.udp(1000, 2000)), linktype=c.RAW)
    assert (batch.protocol.tolist(), batch.sport.tolist(), batch.dport.tolist()) == ([protocol], [1000], [2000])


def test_no_other_protocol_has_ports() -> None:
    others = [number for number in range(256) if number not in (6, 17, 33, 132, 136)]
    batch = read(*[c.ipv4("10.1.2.3", "10.9.0.7", number, b"\xff" * 64) for number in others], linktype=c.RAW)
    assert batch.protocol.tolist() == others
    assert not batch.sport.any()
    assert not batch.dport.any()


@pytest.mark.parametrize("kept", range(20, 28))
def test_a_header_cut_before_its_ports_has_ports_0(kept: int) -> None:
    (text,) = raw(SYN[:kept])
    assert text == (SYN_TEXT if kept >= 24 else "tcp 10.1.2.3 > 10.9.0.7 in")


def test_a_capture_cut_in_a_frame_gives_what_came_before() -> None:
    frame = c.ethernet(SYN)
    batch = PacketBatch.from_pcap(c.pcap([frame] * 3)[:-1])
    assert texts(batch) == [SYN_TEXT] * 2
    stopped = 24 + 2 * (16 + len(frame))
    text = f"the frame at byte {stopped} claims {len(frame)} bytes, more than the file holds; the last whole frame is number 2"
    assert batch.damage == (Damage("PA150", text),)


def test_a_capture_cut_in_a_record_header_gives_what_came_before() -> None:
    frame = c.ethernet(SYN)
    batch = PacketBatch.from_pcap(c.pcap([frame] * 2)[: -len(frame) - 1])
    assert texts(batch) == [SYN_TEXT]
    text = f"the capture ends inside the header of the frame at byte {24 + 16 + len(frame)}; the last whole frame is number 1"
    assert batch.damage == (Damage("PA150", text),)


def test_a_frame_of_absurd_length_ends_the_walk() -> None:
    data = c.pcap([c.ethernet(SYN)], snaplen=1500)
    longest = 1500 + 256 * 1024
    fits = data + bytes(8) + longest.to_bytes(4, "little") * 2 + bytes(longest)
    assert [damage.code for damage in PacketBatch.from_pcap(fits).damage] == ["PA153"]
    absurd = data + bytes(8) + (longest + 1).to_bytes(4, "little") * 2 + bytes(longest + 1)
    batch = PacketBatch.from_pcap(absurd)
    assert texts(batch) == [SYN_TEXT]
    (damage,) = batch.damage
    assert (damage.code, damage.fatal) == ("PA150", False)
    assert damage.message == (
        f"the frame at byte {len(data)} claims {longest + 1} bytes, more than the capture's snapshot length allows;"
        " the last whole frame is number 1"
    )


def test_a_capture_of_nothing_is_empty_and_whole() -> None:
    batch = read()
    assert (len(batch), batch.damage, batch.skipped) == (0, (), 0)


@pytest.mark.parametrize("length", range(4, 24))
def test_a_capture_that_ends_in_its_file_header_is_refused(length: int) -> None:
    (damage,) = PacketBatch.from_pcap(c.file_header()[:length]).damage
    assert damage == Damage("PA150", f"the capture ends at byte {length}, inside its 24-byte file header", None, True)


@pytest.mark.parametrize(
    ("data", "code", "reason"),
    [
        (c.file_header(linktype=105), "PA151", "the capture is of link type 105: understood are 0, 1, 12, 14, 101,"),
        (c.file_header(linktype=2), "PA151", "the capture is of link type 2:"),
        (c.file_header(version=(2, 3)), "PA151", "the capture is of pcap version 2.3: understood is 2.4"),
        (c.file_header(version=(3, 0), big_endian=True), "PA151", "the capture is of pcap version 3.0"),
        (
            bytes.fromhex("0a0d0d0a1c0000004d3c2b1a") + bytes(16),
            "PA151",
            "the capture is pcapng: convert it with editcap -F pcap",
        ),
        (b"snoop\0\0\0" + bytes(8), "PA151", "the capture is snoop"),
        (b"GMBU" + bytes(40), "PA151", "the capture is Microsoft Network Monitor"),
        (b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR", "PA102", "the content is a PNG image, not packets"),
        (b"", "PA102", "the content is empty: accepted are a pcap capture, a CSV"),
        (b"\xd4\xc3", "PA102", "the content is binary, beginning d4 c3: accepted are"),
        (b"\0" * 64, "PA102", "the content is binary, beginning 00 00 00 00 00 00 00 00: accepted are"),
        (b"Dear packets,\n", "PA102", "the first line 'Dear packets,' is neither a CSV header nor a line of a trace"),
    ],
)
def test_what_is_no_capture_is_refused_with_what_it_is(data: bytes, code: str, reason: str) -> None:
    batch = PacketBatch.from_pcap(data)
    assert len(batch) == 0
    (damage,) = batch.damage
    assert (damage.code, damage.fatal, damage.line) == (code, True, None)
    assert damage.message.startswith(reason)


def test_a_hundred_thousand_packets_are_read() -> None:
    data = c.pcap([c.ethernet(c.ipv4("10.1.2.3", "10.9.0.7", 6, c.tcp(port, 445, bytes(200)))) for port in range(1000)] * 100)
    started = time.perf_counter()
    batch = PacketBatch.from_pcap(data)
    assert time.perf_counter() - started < 5  # hang guard: 0.02 s where this was written
    assert batch.sport.tolist() == list(range(1000)) * 100
