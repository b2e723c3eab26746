"""One packet, as text and as numbers: ``tcp 10.1.2.3:49152 > 10.9.0.7:445 in``."""

from collections.abc import Callable
from dataclasses import dataclass
from ipaddress import AddressValueError, IPv4Address, IPv6Address
from typing import Final, Self, TypeVar

from pastore.packets.names import port_number, protocol_name, protocol_number, shown

DIRECTIONS: Final = ("in", "out")
INTERFACES: Final = ("lan", "ras")

_FORM: Final = "a packet is written PROTOCOL SOURCE[:PORT] > DESTINATION[:PORT] [in|out] [lan|ras]"
_BITS: Final = {4: 32, 6: 128}
T = TypeVar("T")
_MAPPED: Final = 0xFFFF  # what stands above the low 32 bits of ::ffff:0:0/96


@dataclass(frozen=True, slots=True)
class Packet:
    """What a filter can ask about a packet.

    Parameters
    ----------
    family : int
        4 or 6.
    protocol : int
        IP protocol number, 0 to 255.
    src, dst : int
        Addresses as integers.
    sport, dport : int
        0 to 65535; 0 where the packet has no ports.
    direction : int
        0 in, 1 out.
    interface : int
        0 lan, 1 ras.

    Raises
    ------
    ValueError
        If a value is outside its range; the message names it.
    """

    family: int
    protocol: int
    src: int
    dst: int
    sport: int = 0
    dport: int = 0
    direction: int = 0
    interface: int = 0

    def __post_init__(self) -> None:
        if self.family not in _BITS:
            raise ValueError(f"family is {self.family}: accepted are 4 and 6")
        highest = (1 << _BITS[self.family]) - 1
        for name, value, limit in (
            ("protocol", self.protocol, 255),
            ("src", self.src, highest),
            ("dst", self.dst, highest),
            ("sport", self.sport, 65535),
            ("dport", self.dport, 65535),
            ("direction", self.direction, 1),
            ("interface", self.interface, 1),
        ):
            if not 0 <= value <= limit:
                raise ValueError(f"{name} is {value}: accepted are 0 to {limit}")

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read a packet as people write it.

        Parameters
        ----------
        text : str
            ``PROTOCOL SOURCE[:PORT] > DESTINATION[:PORT] [in|out] [lan|ras]``. Protocol and ports by number or name; an IPv6
            address with a port stands in brackets; without a direction the packet comes in, without an interface type it
            is of the LAN.

        Raises
        ------
        ValueError
            If it is no packet; the message says which part is wrong and what is accepted.
        """
        words = text.replace(">", " > ").split()
        if words.count(">") != 1:
            raise ValueError(f"packet {shown(text)} needs one '>' between source and destination: {_FORM}")
        arrow = words.index(">")
        before, after = words[:arrow], words[arrow + 1 :]
        if len(before) != 2:
            raise ValueError(f"packet {shown(text)} needs a protocol and a source before '>': {_FORM}")
        if not after:
            raise ValueError(f"packet {shown(text)} has no destination: {_FORM}")
        protocol = _part(text, "protocol", protocol_number, before[0])
        family, src, sport = _part(text, "source", endpoint, before[1])
        other_family, dst, dport = _part(text, "destination", endpoint, after[0])
        if family != other_family:
            raise ValueError(
                f"packet {shown(text)} has an IPv{family} source and an IPv{other_family} destination: both must be of one family"
            )
        direction, interface = _options(text, after[1:])
        return cls(family, protocol, src, dst, sport, dport, direction, interface)

    def __str__(self) -> str:
        text = (
            f"{protocol_name(self.protocol)} {endpoint_text(self.family, self.src, self.sport)}"
            f" > {endpoint_text(self.family, self.dst, self.dport)} {DIRECTIONS[self.direction]}"
        )
        return text + " ras" if self.interface else text

    def as_dict(self) -> dict[str, str | int]:
        """Return it as JSON-ready values under the column names of a packet CSV."""
        return {
            "src": address_text(self.family, self.src),
            "dst": address_text(self.family, self.dst),
            "protocol": protocol_name(self.protocol),
            "sport": self.sport,
            "dport": self.dport,
            "direction": DIRECTIONS[self.direction],
            "interface": INTERFACES[self.interface],
        }


def endpoint(text: str) -> tuple[int, int, int]:
    """Read ``10.1.2.3``, ``10.1.2.3:445``, ``[2001:db8::1]:445``, ``[2001:db8::1]`` or ``2001:db8::1`` (no port).

    Returns
    -------
    family, address, port : int
        The port is 0 when none is written.

    Raises
    ------
    ValueError
        If it is none of these forms; the message says why.
    """
    word = text.strip()
    host, port = word, ""
    bracketed = word.startswith("[")
    if bracketed:
        host, closing, port = word[1:].partition("]")
        if not closing:
            raise ValueError(f"{shown(text)} lacks the closing bracket: accepted is [IPv6 address]:port")
        if port and not port.startswith(":"):
            raise ValueError(f"{shown(text)} has something other than ':port' after the bracket: accepted is [IPv6 address]:port")
    elif word.count(":") == 1:
        host, _, _ = word.partition(":")
        port = word[len(host) :]
    family, value = address(host)
    if bracketed and family == 4:
        raise ValueError(f"{shown(text)} has an IPv4 address in brackets: accepted is {host}:port")
    return family, value, port_number(port[1:]) if port else 0


def address(text: str) -> tuple[int, int]:
    """Read a single IPv4 or IPv6 address.

    Returns
    -------
    family : int
        4 or 6.
    value : int

    Raises
    ------
    ValueError
        If it is not one; the message says why. A zone id is refused, because a filter has none, and so is the dotted way to write
        an IPv4-mapped IPv6 address, because it is an IPv4 packet for the socket that logged it and an IPv6 packet by
        its spelling.
    """
    word = text.strip()
    if ":" not in word:
        try:
            return 4, int(IPv4Address(word))
        except AddressValueError as error:
            raise ValueError(f"{shown(text)} is not an IP address: {_reason(error, word)}") from None
    if "%" in word:
        raise ValueError(f"{shown(text)} has a zone id, which no filter looks at: write {shown(word.partition('%')[0])}")
    try:
        value = int(IPv6Address(word))
    except AddressValueError as error:
        raise ValueError(f"{shown(text)} is not an IP address: {_reason(error, word)}") from None
    if value >> 32 == _MAPPED and "." in word:
        raise ValueError(
            f"{shown(text)} can be read in two ways: write {address_text(4, value & 0xFFFFFFFF)} for the IPv4 packet"
            f" or {address_text(6, value)} for the IPv6 one"
        )
    return 6, value


def address_text(family: int, value: int) -> str:
    """Write an address as `address` reads it, the same with every version of Python.

    Parameters
    ----------
    family : int
        4 or 6.
    value : int
    """
    if family == 4:
        return str(IPv4Address(value))
    if value >> 32 == _MAPPED:  # Python 3.13 writes these dotted
        return f"::ffff:{value >> 16 & 0xFFFF:x}:{value & 0xFFFF:x}"
    return str(IPv6Address(value))


def endpoint_text(family: int, value: int, port: int) -> str:
    """Write an address with its port as `endpoint` reads it; port 0 is left out."""
    host = address_text(family, value)
    if not port:
        return host
    return f"[{host}]:{port}" if family == 6 else f"{host}:{port}"


def _reason(error: AddressValueError, word: str) -> str:
    if not word:
        return "it is empty"
    if "/" in word:
        return "a packet has single addresses, not a network"
    return str(error)[:200]


def _part(text: str, name: str, read: Callable[[str], T], word: str) -> T:
    try:
        return read(word)
    except ValueError as error:
        raise ValueError(f"{name} of packet {shown(text)}: {error}") from None


def _options(text: str, words: list[str]) -> tuple[int, int]:
    chosen: dict[str, int] = {}
    for word in words:
        for name, values in (("direction", DIRECTIONS), ("interface", INTERFACES)):
            if word.lower() in values and name not in chosen:
                chosen[name] = values.index(word.lower())
                break
        else:
            raise ValueError(f"{shown(word)} after the destination of packet {shown(text)} is too much: {_FORM}")
    return chosen.get("direction", 0), chosen.get("interface", 0)
