"""Flows: sets of packets as people write them, ``udp any > 10.0.0.0/8:53``."""

from collections.abc import Sequence
from dataclasses import dataclass
from ipaddress import IPv4Network, IPv6Network, ip_network
from itertools import product
from typing import Final

from pastore.analysis.grid import whole_box
from pastore.analysis.regions import Box, Range
from pastore.packets.names import port_number, protocol_number, shown
from pastore.packets.packet import address

Networks = Sequence[IPv4Network | IPv6Network]

_FORM: Final = "a flow is written [PROTOCOL] SOURCE[:PORTS] > DESTINATION[:PORTS] [in|out] [lan|ras] [ipv4|ipv6]"
_ANY_PORTS: Final = (0, 65535)
_TCP_UDP: Final = (6, 17)
_DIRECTIONS: Final = {"in": 0, "out": 1}
_INTERFACES: Final = {"lan": 0, "ras": 1}
_FAMILIES: Final = {"ipv4": 4, "ipv6": 6}
_MOST_PORTS: Final = 256  # ranges an end may list


@dataclass(frozen=True, slots=True)
class Flow:
    """A set of packets.

    Parameters
    ----------
    text : str
        As it was written.
    parts : tuple of (int, Box)
        Family and box of each of its parts, which may overlap. None is empty, and there is at least one.
    """

    text: str
    parts: tuple[tuple[int, Box], ...]

    @classmethod
    def parse(cls, text: str, me: Networks | None = None) -> "Flow":
        """Read a flow.

        Parameters
        ----------
        text : str
            ``[PROTOCOL] SOURCE[:PORTS] > DESTINATION[:PORTS] [in|out] [lan|ras] [ipv4|ipv6]``. An end is ``any``, ``me``, an
            address, a prefix or ``low-high``, IPv6 in brackets where ports follow; ports are numbers, names and ranges
            with commas between them. A protocol that is left out is any, but TCP and UDP where there are ports. Directions,
            interface types and families that are left out are all that there are; a flow to ``me`` comes in, one from
            ``me`` goes out.
        me : sequence of network, optional
            The local addresses. ``me`` is any address where there are none.

        Raises
        ------
        ValueError
            If it is no flow; the message says which part is wrong.
        """
        words = text.replace(">", " > ").split()
        if words.count(">") != 1:
            raise ValueError(f"flow {shown(text)} needs one '>' between source and destination: {_FORM}")
        arrow = words.index(">")
        before, after = words[:arrow], words[arrow + 1 :]
        if not 1 <= len(before) <= 2:
            raise ValueError(f"flow {shown(text)} needs a source before '>', and at most a protocol before that: {_FORM}")
        if not after:
            raise ValueError(f"flow {shown(text)} has no destination: {_FORM}")
        protocol = before[0] if len(before) == 2 else "any"
        options: dict[str, str] = {}
        for word in after[1:]:
            kind = next((name for name, values in _OPTIONS.items() if word.lower() in values and name not in options), None)
            if kind is None:
                raise ValueError(f"{shown(word)} after the destination of flow {shown(text)} is too much: {_FORM}")
            options[kind] = word.lower()
        try:
            (src, sport), (dst, dport) = (_split(word) for word in (before[-1], after[0]))
            return cls.of(src, dst, protocol, sport, dport, me=me, text=text, **options)
        except ValueError as error:
            raise ValueError(f"flow {shown(text)}: {error}") from None

    @classmethod
    def of(
        cls,
        src: str = "any",
        dst: str = "any",
        protocol: str = "any",
        sport: str = "any",
        dport: str = "any",
        direction: str | None = None,
        interface: str | None = None,
        family: str | None = None,
        *,
        me: Networks | None = None,
        text: str = "",
    ) -> "Flow":
        """Put a flow together from its parts, each written as in `parse`.

        Raises
        ------
        ValueError
            If a part is wrong or no packet can meet all of them; the message says which and why.
        """
        sports, dports = _ports(sport), _ports(dport)
        has_ports = sports != [_ANY_PORTS] or dports != [_ANY_PORTS]
        if protocol.lower() in ("any", "*"):
            protocols: list[Range] = [(number, number) for number in _TCP_UDP] if has_ports else [(0, 255)]
        else:
            number = protocol_number(protocol)
            protocols = [(number, number)]
        is_me = [word.lower() == "me" for word in (src, dst)]
        if direction is None and is_me[0] != is_me[1]:
            direction = "out" if is_me[0] else "in"
        directions = (0, 1) if direction is None else (_DIRECTIONS[direction],) * 2
        interfaces = (0, 1) if interface is None else (_INTERFACES[interface],) * 2
        parts: list[tuple[int, Box]] = []
        for wanted in (4, 6) if family is None else (_FAMILIES[family],):
            ends = product(_end("source", src, wanted, me), _end("destination", dst, wanted, me))
            parts.extend(
                (wanted, (source, destination, number, from_port, to_port, directions, interfaces))
                for (source, destination), number, from_port, to_port in product(ends, protocols, sports, dports)
            )
        if not parts:
            raise ValueError("source, destination and family have no address family in common")
        return cls(text, tuple(parts))


_OPTIONS: Final = {"direction": _DIRECTIONS, "interface": _INTERFACES, "family": _FAMILIES}


def _split(word: str) -> tuple[str, str]:
    """Return the address and the ports of an end."""
    if word.startswith("["):
        host, closing, ports = word[1:].partition("]")
        if not closing or (ports and not ports.startswith(":")):
            raise ValueError(f"{shown(word)} is not [IPv6 address]:ports")
        return host, ports[1:] or "any"
    if word.count(":") == 1:
        host, _, ports = word.partition(":")
        if not ports:
            raise ValueError(f"{shown(word)} has no port after its colon")
        return host, ports
    return word, "any"


def _ports(text: str) -> list[Range]:
    if text.lower() in ("any", "*"):
        return [_ANY_PORTS]
    words = text.split(",")
    if len(words) > _MOST_PORTS:
        raise ValueError(f"an end lists {len(words)} ports: {_MOST_PORTS} are the most")
    found = []
    for word in words:
        try:
            low = high = port_number(word)
        except ValueError:
            first, dash, last = word.partition("-")
            if not dash:
                raise
            low, high = port_number(first), port_number(last)
        if low > high:
            raise ValueError(f"port range {shown(word)} runs backwards")
        found.append((low, high))
    return found


def _end(name: str, text: str, family: int, me: Networks | None) -> list[Range]:
    """Return the ranges of one family that an end stands for."""
    word = text.lower()
    every = whole_box(family)[0]
    if word in ("any", "*") or (word == "me" and not me):
        return [every]
    if word == "me":
        return [(int(local.network_address), int(local.broadcast_address)) for local in me or () if local.version == family]
    try:
        of, low, high = _range(text)
    except ValueError as error:
        raise ValueError(f"{name}: {error}") from None
    return [(low, high)] if of == family else []


def _range(text: str) -> tuple[int, int, int]:
    if "/" in text:
        try:
            network = ip_network(text)
        except ValueError as error:
            raise ValueError(f"{shown(text)} is not a prefix: {str(error)[:200]}") from None
        return network.version, int(network.network_address), int(network.broadcast_address)
    first, dash, last = text.partition("-")
    family, low = address(first)
    if not dash:
        return family, low, low
    other, high = address(last)
    if other != family:
        raise ValueError(f"{shown(text)} begins with an IPv{family} and ends with an IPv{other} address")
    if low > high:
        raise ValueError(f"range {shown(text)} runs backwards")
    return family, low, high
