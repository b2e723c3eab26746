"""Seeded random packets of every shape the packet walk distinguishes, and captures of them."""

import random
from collections.abc import Callable
from ipaddress import IPv4Address, IPv6Address
from typing import Final

from tests.support import captures as c

# How a packet becomes a frame of each link type.
FRAMES: Final[dict[int, Callable[[bytes], bytes]]] = {
    c.NULL: c.loopback,
    c.ETHERNET: c.ethernet,
    12: bytes,
    14: bytes,
    c.RAW: bytes,
    c.LOOP: lambda packet: c.loopback(packet, big_endian=True),
    c.COOKED: c.cooked,
    c.IPV4: bytes,
    c.IPV6: bytes,
    c.COOKED2: c.cooked2,
}


def random_packet(rng: random.Random, family: int | None = None) -> bytes:
    """Return an IP packet: any protocol, often TCP or UDP, with options, extension headers and fragments now and then."""
    protocol = rng.choice([6, 6, 6, 17, 17, 1, 58, 132, 33, 136, 47, 2, 89, 59])
    sport, dport = rng.randrange(65536), rng.randrange(65536)
    filler = rng.randbytes(rng.randrange(40))
    payload = {1: c.icmp(), 58: c.icmp(128), 17: c.udp(sport, dport, filler)}.get(protocol, c.tcp(sport, dport, filler))
    if rng.random() < 0.1:
        payload = payload[: rng.randrange(9)]
    if (family or rng.choice((4, 6))) == 4:
        return c.ipv4(
            str(IPv4Address(rng.getrandbits(32))),
            str(IPv4Address(rng.getrandbits(32))),
            protocol,
            payload,
            options=b"\x01" * 4 * rng.choice((0, 0, 0, 1, 5, 10)),
            offset=rng.choice((0, 0, 0, 1, 185, 8191)),
            more=rng.random() < 0.2,
        )
    chain = [(rng.choice((0, 43, 60)), c.extension(rng.choice((0, 1, 4)))) for _ in range(rng.choice((0, 0, 1, 2)))]
    if rng.random() < 0.3:
        chain.append((44, c.fragment(rng.choice((0, 0, 1, 8191)))))
    return c.ipv6(str(IPv6Address(rng.getrandbits(128))), str(IPv6Address(rng.getrandbits(128))), protocol, payload, chain)


def random_frames(rng: random.Random, linktype: int, count: int) -> list[bytes]:
    """Return frames of a link type; on Ethernet some are tagged or hold no IP, everywhere some end in padding."""
    frames = []
    for _ in range(count):
        packet = random_packet(rng, {c.IPV4: 4, c.IPV6: 6}.get(linktype))
        if rng.random() < 0.2:
            packet += bytes(rng.randrange(1, 20))
        if linktype == c.ETHERNET and rng.random() < 0.3:
            tags = rng.choice(([(0x8100, 7)], [(0x88A8, 7), (0x8100, 8)]))
            frames.append(c.ethernet(packet, tags))
        elif linktype == c.ETHERNET and rng.random() < 0.1:
            frames.append(c.ethernet(c.arp(), ethertype=c.TYPE_ARP))
        else:
            frames.append(FRAMES[linktype](packet))
    return frames


def damaged(rng: random.Random, data: bytes) -> bytes:
    """Return a capture after one to eight changes: other bits, other bytes, extreme lengths, pieces cut out or repeated."""
    out = bytearray(data)
    for _ in range(rng.randrange(1, 9)):
        at = rng.randrange(len(out))
        change = rng.randrange(6)
        if change == 0:
            out[at] ^= 1 << rng.randrange(8)
        elif change == 1:
            out[at] = rng.choice((0, 1, 0x7F, 0x80, 0xFF))
        elif change == 2:
            out[at : at + 4] = rng.choice((b"\xff" * 4, bytes(4), b"\xff\xff\xff\x7f", b"\x00\x00\x04\x00"))
        elif change == 3:
            del out[at : at + rng.randrange(1, 40)]
        elif change == 4:
            out[at:at] = out[at : at + rng.randrange(1, 40)]
        else:
            del out[max(at, 1) :]
        if not out:
            out = bytearray(data[:1])
    return bytes(out)
