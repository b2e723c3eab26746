"""A small writer of packets and of pcap files: bytes from parameters, nothing else needed."""

import struct
from collections.abc import Iterable, Sequence
from ipaddress import IPv4Address, IPv6Address
from typing import Final

MAGIC: Final = {False: 0xA1B2C3D4, True: 0xA1B23C4D}  # by nanoseconds
MODIFIED_MAGIC: Final = 0xA1B2CD34

ETHERNET, RAW, NULL, LOOP, COOKED, COOKED2, IPV4, IPV6 = 1, 101, 0, 108, 113, 276, 228, 229
TYPE_IPV4, TYPE_IPV6, TYPE_ARP, TYPE_VLAN, TYPE_PROVIDER_VLAN = 0x0800, 0x86DD, 0x0806, 0x8100, 0x88A8


def file_header(
    linktype: int = ETHERNET,
    nanoseconds: bool = False,
    big_endian: bool = False,
    snaplen: int = 262144,
    version: tuple[int, int] = (2, 4),
    magic: int | None = None,
) -> bytes:
    """Return the 24 bytes at the start of a capture."""
    order = ">" if big_endian else "<"
    return struct.pack(f"{order}IHHIIII", magic or MAGIC[nanoseconds], *version, 0, 0, snaplen, linktype)


def pcap(
    frames: Iterable[bytes],
    linktype: int = ETHERNET,
    nanoseconds: bool = False,
    big_endian: bool = False,
    snaplen: int = 262144,
    modified: bool = False,
) -> bytes:
    """Return a capture, a millisecond between frames; each is cut to `snaplen`.

    Parameters
    ----------
    frames : iterable of bytes
        With the header of the link type.
    modified : bool
        Write the variant with 24 bytes before each frame.
    """
    order = ">" if big_endian else "<"
    out = [file_header(linktype, nanoseconds, big_endian, snaplen, magic=MODIFIED_MAGIC if modified else None)]
    fraction = 1_000_000 if nanoseconds else 1_000
    for number, frame in enumerate(frames):
        kept = frame[:snaplen]
        stamp = (1_700_000_000 + number // 1000, number % 1000 * fraction)
        out.append(struct.pack(f"{order}IIII", *stamp, len(kept), len(frame)))
        if modified:
            out.append(struct.pack(f"{order}IHBx", 1, TYPE_IPV4, 0))
        out.append(kept)
    return b"".join(out)


def ethernet(packet: bytes, tags: Sequence[tuple[int, int]] = (), ethertype: int | None = None) -> bytes:
    """Return an Ethernet frame around an IP packet.

    Parameters
    ----------
    packet : bytes
    tags : sequence of (EtherType of the tag, VLAN number)
        Outermost first.
    ethertype : int, optional
        That of the packet's version when left out.
    """
    header = bytes.fromhex("020000000002 020000000001")
    for tag, vlan in tags:
        header += struct.pack(">HH", tag, vlan)
    return header + struct.pack(">H", _ethertype(packet, ethertype)) + packet


def cooked(packet: bytes, ethertype: int | None = None, hardware: int = 1) -> bytes:
    """Return a frame of link type LINUX_SLL."""
    return struct.pack(">HHH8sH", 0, hardware, 6, bytes(8), _ethertype(packet, ethertype)) + packet


def cooked2(packet: bytes, ethertype: int | None = None, hardware: int = 1) -> bytes:
    """Return a frame of link type LINUX_SLL2."""
    return struct.pack(">HHIHBB8s", _ethertype(packet, ethertype), 0, 1, hardware, 0, 6, bytes(8)) + packet


def loopback(packet: bytes, family: int | None = None, big_endian: bool = False) -> bytes:
    """Return a frame of link type NULL, or with `big_endian` LOOP."""
    number = (30 if packet[0] >> 4 == 6 else 2) if family is None else family
    return number.to_bytes(4, "big" if big_endian else "little") + packet


def ipv4(
    src: str, dst: str, protocol: int, payload: bytes = b"", *, options: bytes = b"", offset: int = 0, more: bool = False
) -> bytes:
    """Return an IPv4 packet.

    Parameters
    ----------
    src, dst : str
    protocol : int
    payload : bytes
    options : bytes
        A multiple of four bytes, at most 40.
    offset : int
        Fragment offset in units of eight bytes.
    more : bool
        Whether more fragments follow.
    """
    size = 20 + len(options)
    header = struct.pack(
        ">BBHHHBBH4s4s",
        0x40 | size // 4,
        0,
        size + len(payload),
        1,
        offset | (0x2000 if more else 0),
        64,
        protocol,
        0,
        IPv4Address(src).packed,
        IPv4Address(dst).packed,
    )
    whole = header + options
    return whole[:10] + struct.pack(">H", checksum(whole)) + whole[12:] + payload


def ipv6(src: str, dst: str, protocol: int, payload: bytes = b"", extensions: Sequence[tuple[int, bytes]] = ()) -> bytes:
    """Return an IPv6 packet.

    Parameters
    ----------
    src, dst : str
    protocol : int
        Of the payload.
    payload : bytes
    extensions : sequence of (number, bytes)
        Extension headers in order; the first byte of each is overwritten with the number of what follows it.
    """
    numbers = [number for number, _ in extensions] + [protocol]
    chain = b"".join(bytes([following]) + body[1:] for following, (_, body) in zip(numbers[1:], extensions, strict=True))
    return (
        struct.pack(
            ">IHBB16s16s",
            0x60000000,
            len(chain) + len(payload),
            numbers[0],
            64,
            IPv6Address(src).packed,
            IPv6Address(dst).packed,
        )
        + chain
        + payload
    )


def extension(units: int = 0) -> bytes:
    """Return an options or routing header of 8 + 8 * units bytes, padded as options are."""
    size = 8 + 8 * units
    body = bytearray(size)
    body[1] = units
    at = 2
    while at < size:  # PadN holds at most 255 bytes of padding
        length = min(size - at - 2, 255)
        if length < 0:
            break  # one byte is left: Pad1 is a zero
        body[at], body[at + 1] = 1, length
        at += 2 + length
    return bytes(body)


def fragment(offset: int = 0, more: bool = True) -> bytes:
    """Return an IPv6 fragment header; the offset is in units of eight bytes."""
    return struct.pack(">BBHI", 0, 0, offset << 3 | more, 1)


def tcp(sport: int, dport: int, payload: bytes = b"") -> bytes:
    """Return a TCP header (SYN) and payload."""
    return struct.pack(">HHIIBBHHH", sport, dport, 0, 0, 5 << 4, 2, 65535, 0, 0) + payload


def udp(sport: int, dport: int, payload: bytes = b"") -> bytes:
    """Return a UDP header and payload."""
    return struct.pack(">HHHH", sport, dport, 8 + len(payload), 0) + payload


def icmp(kind: int = 8, code: int = 0, payload: bytes = b"ping") -> bytes:
    """Return an ICMP message, an echo request unless told otherwise."""
    message = struct.pack(">BBHHH", kind, code, 0, 1, 1) + payload
    return message[:2] + struct.pack(">H", checksum(message)) + message[4:]


def arp() -> bytes:
    """Return an ARP request, the commonest frame without IP."""
    return struct.pack(">HHBBH", 1, TYPE_IPV4, 6, 4, 1) + bytes(20)


def checksum(octets: bytes) -> int:
    """Return the Internet checksum (RFC 1071)."""
    padded = octets + bytes(len(octets) % 2)
    total = sum(int.from_bytes(padded[at : at + 2], "big") for at in range(0, len(padded), 2))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def _ethertype(packet: bytes, given: int | None) -> int:
    if given is not None:
        return given
    return TYPE_IPV6 if packet[0] >> 4 == 6 else TYPE_IPV4
