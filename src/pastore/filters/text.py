"""Filters as people read them."""

from ipaddress import IPv4Address, IPv6Address, summarize_address_range

from pastore.model import Address, AddressKind, Filter, Ports
from pastore.packets.names import protocol_name

_KEYWORDS = {
    AddressKind.ANY: "any",
    AddressKind.ME: "me",
    AddressKind.DNS_SERVER: "dns-servers",
    AddressKind.WINS_SERVER: "wins-servers",
    AddressKind.DHCP_SERVER: "dhcp-servers",
    AddressKind.GATEWAY: "gateways",
}


def ip_text(family: int, value: int) -> str:
    """Return an integer address in its usual notation."""
    return str(IPv4Address(value) if family == 4 else IPv6Address(value))


def prefix_length(mask: int, family: int) -> int | None:
    """Return the length of a contiguous mask, None for any other."""
    bits = 32 if family == 4 else 128
    host = ((1 << bits) - 1) ^ mask
    if mask >> bits or host & (host + 1):
        return None
    return bits - host.bit_length()


def address_text(address: Address) -> str:
    """Return an end of a filter: ``any``, ``me``, ``10.0.0.0/8``, ``10.0.0.1-10.0.0.9``, ``dns-servers``."""
    if address.kind in _KEYWORDS:
        return _KEYWORDS[address.kind]
    family = address.families[0]
    if address.kind is AddressKind.RANGE:
        return f"{ip_text(family, address.low)}-{ip_text(family, address.high)}"
    length = prefix_length(address.high, family)
    if length is None:
        return f"{ip_text(family, address.low)}/{ip_text(family, address.high)}"
    host = ip_text(family, address.low)
    return host if length == (32 if family == 4 else 128) else f"{host}/{length}"


def range_text(family: int, low: int, high: int) -> str:
    """Return an address range of a specific filter: ``any``, a prefix where it is one, else ``low-high``."""
    bits = 32 if family == 4 else 128
    if low == 0 and high == (1 << bits) - 1:
        return "any"
    if low == high:
        return ip_text(family, low)
    size = high - low + 1
    if size & (size - 1) == 0 and low % size == 0:
        kind = IPv4Address if family == 4 else IPv6Address
        return str(next(iter(summarize_address_range(kind(low), kind(high)))))
    return f"{ip_text(family, low)}-{ip_text(family, high)}"


def ports_text(ports: Ports) -> str:
    """Return ``*``, ``445`` or ``135-139``."""
    if ports.is_any:
        return "*"
    return str(ports.low) if ports.low == ports.high else f"{ports.low}-{ports.high}"


def end_text(address: str, ports: Ports) -> str:
    """Return an address with its ports, if they are restricted: ``me:445``, ``[2001:db8::1]:445``."""
    if ports.is_any:
        return address
    if ":" in address:
        address = f"[{address}]"
    return f"{address}:{ports_text(ports)}"


def conditions_text(protocol: str, src: str, sport: Ports, dst: str, dport: Ports) -> str:
    """Return ``tcp any > me:445``; the protocol is left out where any is meant."""
    ends = f"{end_text(src, sport)} > {end_text(dst, dport)}"
    return f"{protocol} {ends}" if protocol else ends


def filter_text(filter_: Filter) -> str:
    """Return a generic filter in one line: ``tcp any > me:445 (mirrored)``."""
    protocol = protocol_name(filter_.protocol) if filter_.protocol else ""
    src, dst = address_text(filter_.src), address_text(filter_.dst)
    text = conditions_text(protocol, src, filter_.sport, dst, filter_.dport)
    if 6 in filter_.src.families + filter_.dst.families and ":" not in src + dst:
        text += " IPv4 and IPv6" if 4 in filter_.src.families + filter_.dst.families else " IPv6"
    return f"{text} (mirrored)" if filter_.mirrored else text
