"""A packet that stands for a set: an ordinary one where the set has one."""

from collections.abc import Iterator
from ipaddress import ip_address
from typing import Final

from pastore.analysis.regions import Box
from pastore.packets.packet import Packet

_ADDRESSES: Final = {
    family: tuple(int(ip_address(text)) for text in texts)
    for family, texts in ((4, ("192.0.2.1", "10.0.0.1")), (6, ("2001:db8::1", "fe80::1")))
}
# What people know when they see it: protocol, ports, in, lan.
_NUMBERS: Final = ((6, 17, 1), (49152,), (80, 443), (0,), (0,))
_WITH_PORTS: Final = (6, 17, 33, 132, 136)  # TCP, UDP, DCCP, SCTP, UDP-Lite


def ordinary(family: int, box: Box) -> int:
    """Return in how many fields a box has something ordinary."""
    return sum(_wish(family, field, low, high) is not None for field, (low, high) in enumerate(box))


def witness(family: int, box: Box) -> Packet:
    """Return one packet of a box, an ordinary one where the box allows."""
    return next(witnesses(family, box))


def witnesses(family: int, box: Box) -> Iterator[Packet]:
    """Yield different packets of a box, the most ordinary first, then its corners."""
    wishes = [_wish(family, field, low, high) for field, (low, high) in enumerate(box)]
    # Not the network's own address, where there is another.
    rest = [min(low + 1, high) if field < 2 else low for field, (low, high) in enumerate(box)]
    first = [other if wish is None else wish for wish, other in zip(wishes, rest, strict=True)]
    told = set()
    for ends in (first, [low for low, _ in box], [high for _, high in box], *_corners(first, box)):
        src, dst, protocol, sport, dport, direction, interface = ends
        if protocol not in _WITH_PORTS:
            sport, dport = box[3][0], box[4][0]
        packet = Packet(family, protocol, src, dst, sport, dport, direction, interface)
        if packet not in told:
            told.add(packet)
            yield packet


def _corners(first: list[int], box: Box) -> Iterator[list[int]]:
    for field, (low, high) in enumerate(box):
        for end in (low, high):
            yield [*first[:field], end, *first[field + 1 :]]


def _wish(family: int, field: int, low: int, high: int) -> int | None:
    """Return an ordinary value of a field, None where a range holds none."""
    wishes = _ADDRESSES[family] if field < 2 else _NUMBERS[field - 2]
    return next((wish for wish in wishes if low <= wish <= high), None)
