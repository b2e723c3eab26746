"""One packet of a set, an ordinary one where the set allows."""

from ipaddress import ip_address
from typing import Final

from pastore.analysis.regions import Box
from pastore.packets.packet import Packet

_ADDRESSES: Final = {
    family: tuple(int(ip_address(text)) for text in texts)
    for family, texts in ((4, ("192.0.2.1", "10.0.0.1")), (6, ("2001:db8::1", "fe80::1")))
}
_NUMBERS: Final = ((6, 17, 1), (49152,), (80, 443), (0,), (0,))  # what people know: protocol, ports, in, lan


def wish(family: int, field: int, low: int, high: int) -> int | None:
    """Return an ordinary value of a field, None where a range holds none."""
    wishes = _ADDRESSES[family] if field < 2 else _NUMBERS[field - 2]
    return next((value for value in wishes if low <= value <= high), None)


def ordinary(family: int, box: Box) -> int:
    """Return in how many fields a box has something ordinary."""
    return sum(wish(family, field, low, high) is not None for field, (low, high) in enumerate(box))


def packet_of(family: int, box: Box) -> Packet:
    """Return one packet of a box, an ordinary one where the box allows."""
    wishes = [wish(family, field, low, high) for field, (low, high) in enumerate(box)]
    # Not the network's own address, where there is another.
    rest = [min(low + 1, high) if field < 2 else low for field, (low, high) in enumerate(box)]
    src, dst, protocol, sport, dport, direction, interface = (
        other if value is None else value for value, other in zip(wishes, rest, strict=True)
    )
    if src == dst:  # somebody else, where there is one
        low, high = box[1]
        dst = next((value for value in (*_ADDRESSES[family], low, high) if low <= value <= high and value != src), dst)
    if protocol not in (6, 17):
        sport, dport = box[3][0], box[4][0]
    return Packet(family, protocol, src, dst, sport, dport, direction, interface)
