"""What the values of netsh arguments mean: addresses, ports, protocols, security methods, authentication."""

import re
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import Final

from pastore.model import (
    ANY_PORT,
    Address,
    AddressKind,
    Algorithm,
    AuthKind,
    AuthMethod,
    IPAddress,
    Offer,
    Ports,
)
from pastore.sources.log import quoted

PROTOCOLS: Final = {"any": 0, "icmp": 1, "tcp": 6, "udp": 17, "raw": 255}
_OTHERS: Final = {"igmp": 2, "gre": 47, "esp": 50, "ah": 51, "icmpv6": 58, "ospf": 89, "rdp": 27, "ipv6": 41, "sctp": 132}
SERVERS: Final = {
    "dns": AddressKind.DNS_SERVER,
    "wins": AddressKind.WINS_SERVER,
    "dhcp": AddressKind.DHCP_SERVER,
    "gateway": AddressKind.GATEWAY,
}
_ONES: Final = {4: 0xFFFFFFFF, 6: (1 << 128) - 1}
_NAME: Final = re.compile(r"(?=.{1,255}\Z)[^\W_](?:[\w.-]*[\w])?\.?\Z")
_PORT_LIST: Final = re.compile(r"\d+\s*[-,;:]\s*\d[\d\s,;:-]*")
_LIFETIME: Final = re.compile(r"(?::(?:(\d{1,10})k)?(?:/?(\d{1,10})s)?)?", re.IGNORECASE)
_AH: Final = re.compile(r"AH\[(MD5|SHA1|SHA)\]", re.IGNORECASE)
_ESP: Final = re.compile(r"ESP\[(3DES|DES|NONE|NULL)\s*,\s*(MD5|SHA1|SHA|NONE|NULL)\]", re.IGNORECASE)
_MAIN: Final = re.compile(r"(3DES|DES)-(MD5|SHA1|SHA)-([123])", re.IGNORECASE)
_ROOT: Final = re.compile(r"\s+(certmap|excludecaname)\s*:\s*(\w+)", re.IGNORECASE)

CIPHERS: Final = {"NONE": 0, "NULL": 0, "DES": 1, "3DES": 3}
HASHES: Final = {"NONE": 0, "NULL": 0, "MD5": 1, "SHA1": 2, "SHA": 2}
GROUPS: Final = {1: 1, 2: 2, 3: 14}


class BadValueError(ValueError):
    """A value that netsh refuses; the message says why, and shows the value where it is harmless."""


def yes_or_no(value: str) -> bool:
    """Read ``yes``, ``y``, ``no`` or ``n``."""
    lower = value.lower()
    if lower in ("yes", "y"):
        return True
    if lower in ("no", "n"):
        return False
    raise BadValueError(f"{quoted(value)} is neither yes nor no")


def one_of(value: str, *known: str) -> str:
    """Read a keyword or the beginning of one."""
    lower = value.lower()
    found = [name for name in known if lower and name.startswith(lower)]
    if lower in known:
        return lower
    if len(found) != 1:
        raise BadValueError(f"{quoted(value)} is none of {', '.join(known)}")
    return found[0]


def number(value: str, low: int, high: int) -> int:
    """Read a whole number between two bounds."""
    if not (value.isascii() and value.isdigit() and len(value) <= 10 and low <= int(value) <= high):
        raise BadValueError(f"{quoted(value)} is not a number from {low} to {high}")
    return int(value)


def protocol(value: str) -> int:
    """Read a protocol."""
    lower = value.lower()
    if lower in PROTOCOLS:
        return PROTOCOLS[lower]
    if lower in _OTHERS:
        raise BadValueError(f"netsh does not know the protocol {quoted(value)} by its name; its number is {_OTHERS[lower]}")
    try:
        return number(value, 0, 255)
    except BadValueError:
        raise BadValueError(f"{quoted(value)} is none of any, icmp, tcp, udp, raw and no number from 0 to 255") from None


def port(value: str) -> Ports:
    """Read a port; 0 is any."""
    if value.lower() == "any":
        raise BadValueError("any port is written 0")
    if _PORT_LIST.fullmatch(value):
        raise BadValueError(f"{quoted(value)} is more than one port, and netsh takes one: write a filter for each")
    given = number(value, 0, 65535)
    return Ports(given, given) if given else ANY_PORT


@dataclass(frozen=True, slots=True)
class End:
    """An end of a filter, and what is odd about the way it is written."""

    address: Address
    remark: str = ""


def end(value: str, mask: str | None) -> End:
    """Read an address with its mask.

    Parameters
    ----------
    value : str
        ``me``, ``any``, a kind of server, an address, a range of addresses or a DNS name.
    mask : str, optional
        As an address or as a number of bits. It is ignored where it has no meaning.
    """
    lower = value.lower()
    if lower == "any":
        return End(Address(AddressKind.ANY))
    if lower == "me":
        return End(Address(AddressKind.ME))
    if lower in SERVERS:
        return End(Address(SERVERS[lower]))
    if "/" in value:
        before, _, after = value.partition("/")
        raise BadValueError(f"{quoted(value)} is no address to netsh: the mask is an argument of its own, {before} with {after}")
    if "-" in value and (found := _range(value)) is not None:
        return End(found)
    address = _ip(value)
    if address is not None:
        return _subnet(address, mask)
    if not _NAME.match(value) or value.replace(".", "").isdigit():
        raise BadValueError(f"{quoted(value)} is neither an address nor a name")
    return End(Address(AddressKind.ANY, dns_name=value))


def _ip(value: str) -> IPAddress | None:
    try:
        address = ip_address(value)
    except ValueError:
        return None
    return None if isinstance(address, IPv6Address) and address.scope_id else address


def _range(value: str) -> Address | None:
    parts = value.split("-")
    ends = [_ip(part) for part in parts]
    if len(parts) != 2 or not any(ends):
        return None
    low, high = ends
    if low is None or high is None or low.version != high.version:
        raise BadValueError(f"{quoted(value)} is not a range of two addresses of one version")
    return Address(AddressKind.RANGE, (low.version,), int(low), int(high))


def _subnet(address: IPAddress, mask: str | None) -> End:
    family = address.version
    ones = _ONES[family]
    bits = ones if mask is None else _mask(mask, family)
    if family == 4 and not int(address):
        # As they are stored: [MS-GPIPSEC] 2.2.1.5.1.
        if bits == ones:
            odd = "" if mask is not None else "0.0.0.0 without a mask means this computer, as me does; any computer is any"
            return End(Address(AddressKind.ME), odd)
        if not bits:
            return End(Address(AddressKind.ANY))
    return End(Address(AddressKind.SUBNET, (family,), int(address), bits))


def _mask(mask: str, family: int) -> int:
    width = 32 if family == 4 else 128
    if mask.isascii() and mask.isdigit():
        length = number(mask, 0, width)
        return _ONES[family] ^ ((1 << (width - length)) - 1)
    given = _ip(mask)
    if given is None or given.version != family:
        raise BadValueError(f"{quoted(mask)} is no mask of IPv{family}")
    return int(given)


def tunnel(value: str) -> tuple[IPAddress | None, str]:
    """Read the endpoint of a tunnel: an address, or a name that has to be resolved."""
    address = _ip(value)
    if address is not None:
        return address, ""
    if not _NAME.match(value):
        raise BadValueError(f"{quoted(value)} is neither an address nor a name")
    return None, value


def offers(value: str, *, pfs: bool) -> tuple[Offer, ...]:
    """Read quick mode security methods: ``ESP[3DES,SHA1]:100000k/3600s AH[MD5]+ESP[DES,None]:300s``."""
    result = []
    for text in re.split(r"\s+(?![^\[]*\])", value.strip()):
        at = 0
        algorithms: list[Algorithm] = []
        while True:
            ah, esp = _AH.match(text, at), _ESP.match(text, at)
            if ah is not None:
                algorithms.append(Algorithm("ah", HASHES[ah[1].upper()]))
                at = ah.end()
            elif esp is not None:
                algorithms.append(Algorithm("esp", CIPHERS[esp[1].upper()], HASHES[esp[2].upper()]))
                at = esp.end()
            else:
                raise BadValueError(f"{quoted(text)} is no method like ESP[3DES,SHA1]:100000k/3600s or AH[SHA1]")
            if text[at : at + 1] != "+":
                break
            at += 1
        life = _LIFETIME.fullmatch(text, at)
        if life is None or len(algorithms) > 3:
            raise BadValueError(f"{quoted(text)} is no method like ESP[3DES,SHA1]:100000k/3600s or AH[SHA1]")
        offer = Offer(tuple(algorithms), _u32(life[2]), _u32(life[1]), pfs)
        result.append(offer)
    return tuple(result)


def _u32(digits: str | None) -> int:
    return number(digits, 0, 0xFFFFFFFF) if digits else 0


def main_mode_methods(value: str) -> tuple[tuple[int, int, int], ...]:
    """Read main mode security methods as cipher, hash and group: ``3DES-SHA1-2 3DES-MD5-2``; group 3 is Diffie-Hellman 2048."""
    result = []
    for text in value.split():
        match = _MAIN.fullmatch(text)
        if match is None:
            raise BadValueError(f"{quoted(text)} is no method like 3DES-SHA1-2")
        result.append((CIPHERS[match[1].upper()], HASHES[match[2].upper()], GROUPS[int(match[3])]))
    if not result:
        raise BadValueError("there is no method")
    return tuple(result)


def root(value: str) -> AuthMethod:
    """Read ``rootca``: the name of a certificate, ``certmap:`` and ``excludecaname:`` behind it, quotes in it as ``\\'``."""
    flags: dict[str, bool] = {}
    while (match := _last_flag(value)) is not None and match[1].lower() not in flags:
        flags[match[1].lower()] = yes_or_no(match[2])
        value = value[: match.start()]
    name = value.strip().replace("\\'", '"')
    if not name:
        raise BadValueError("there is no name of a certificate authority")
    return AuthMethod(AuthKind.CERTIFICATE, None, name, flags.get("certmap", False), flags.get("excludecaname", False))


def _last_flag(value: str) -> re.Match[str] | None:
    tail = max(0, len(value) - 60)
    match = None
    for found in _ROOT.finditer(value, tail):
        match = found
    return match if match is not None and not value[match.end() :].strip() else None


def address_text(address: int, family: int) -> str:
    """Return an address as text."""
    return str(IPv4Address(address) if family == 4 else IPv6Address(address))
