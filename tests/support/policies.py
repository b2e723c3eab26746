"""Policies for tests, written the way pastore prints filters: ``tcp any > me:445``."""

import re
from ipaddress import ip_address, ip_interface
from uuid import UUID, uuid5

from pastore.model import (
    ANY_PORT,
    Action,
    Address,
    AddressKind,
    Algorithm,
    AuthKind,
    AuthMethod,
    Filter,
    FilterAction,
    FilterList,
    InterfaceType,
    IPAddress,
    MainMode,
    MainModeMethod,
    Offer,
    Policy,
    Ports,
    Rule,
    Storage,
)

SPACE = UUID("7a1a4a5e-0000-4000-8000-000000000000")
PROTOCOLS = {"any": 0, "icmp": 1, "tcp": 6, "udp": 17, "gre": 47, "esp": 50}
KEYWORDS = {
    "dns-servers": AddressKind.DNS_SERVER,
    "wins-servers": AddressKind.WINS_SERVER,
    "dhcp-servers": AddressKind.DHCP_SERVER,
    "gateways": AddressKind.GATEWAY,
}
KERBEROS = (AuthMethod(AuthKind.KERBEROS),)
ESP_3DES_SHA1 = Offer((Algorithm("esp", 3, 2),), lifetime_seconds=3600, lifetime_kilobytes=100000)


def guid(name: str) -> UUID:
    """Return a GUID that depends on the name only."""
    return uuid5(SPACE, name)


def address(text: str, families: tuple[int, ...] = (4,)) -> Address:
    """Read ``any``, ``me``, a keyword, an address, ``address/length``, ``address/mask`` or ``low-high``."""
    if text == "any":
        return Address(AddressKind.ANY, families)
    if text == "me":
        return Address(AddressKind.ME, families)
    if text in KEYWORDS:
        return Address(KEYWORDS[text], families)
    if "-" in text:
        low, high = (ip_address(part) for part in text.split("-"))
        return Address(AddressKind.RANGE, (low.version,), int(low), int(high))
    host, _, mask = text.partition("/")
    if "." in mask:
        return Address(AddressKind.SUBNET, (4,), int(ip_address(host)), int(ip_address(mask)))
    interface = ip_interface(text)
    return Address(AddressKind.SUBNET, (interface.version,), int(interface.ip), int(interface.netmask))


def ports(text: str) -> Ports:
    """Read ``445``, ``135-139`` or nothing."""
    if not text:
        return ANY_PORT
    low, _, high = text.partition("-")
    return Ports(int(low), int(high or low))


def flt(text: str, *, mirrored: bool = True, name: str = "", version: int = 1, families: tuple[int, ...] | None = None) -> Filter:
    """Read ``[protocol] source[:ports] > destination[:ports]``; IPv6 ends with ports in brackets."""
    match = re.fullmatch(r"(?:(\S+) )?(\S+) > (\S+)", text)
    assert match, text
    protocol, *ends = match.groups()
    parts = []
    for end in ends:
        bracketed = re.fullmatch(r"\[(.+)\](?::(.+))?", end)
        host, port = bracketed.groups("") if bracketed else (end, "") if end.count(":") > 1 else end.partition(":")[::2]
        parts.append((host, port))
    (src, sport), (dst, dport) = parts
    known = families or ((6,) if any(host.count(":") > 1 for host, _ in parts) else (4,))
    return Filter(
        guid(name or text),
        address(src, known),
        address(dst, known),
        PROTOCOLS[protocol] if protocol in PROTOCOLS else int(protocol or 0),
        ports(sport),
        ports(dport),
        mirrored,
        version=2 if known != (4,) else version,
    )


def action(kind: str, *, inpass: bool = False, soft: bool = False, offers: tuple[Offer, ...] | None = None) -> FilterAction:
    """Return a filter action; protect gets ESP with 3DES and SHA-1 unless told."""
    value = Action[kind.upper()]
    given = ((ESP_3DES_SHA1,) if value is Action.PROTECT else ()) if offers is None else offers
    return FilterAction(guid(f"{kind} {inpass} {soft} {given}"), kind.title(), value, inpass, soft, given)


def rule(
    name: str,
    kind: str,
    *filters: Filter | str,
    active: bool = True,
    interface: InterfaceType = InterfaceType.ALL,
    auth: tuple[AuthMethod, ...] = KERBEROS,
    tunnel: IPAddress | None = None,
    filter_action: FilterAction | None = None,
) -> Rule:
    """Return a rule with one filter list."""
    listed = tuple(flt(each) if isinstance(each, str) else each for each in filters)
    return Rule(
        guid(name),
        name,
        active=active,
        filter_lists=(FilterList(guid(f"list of {name}"), f"{name} list", listed),),
        filter_action=filter_action or action(kind),
        interface_type=interface,
        tunnel=tunnel,
        is_tunnel=tunnel is not None,
        auth_methods=auth,
    )


MAIN_MODE = MainMode(guid("main mode"), methods=(MainModeMethod(3, 2, 2, 28800),))


def policy(*rules: Rule, name: str = "Test", default_exempt: int | None = 3) -> Policy:
    """Return a policy in local storage."""
    ordered = tuple(sorted(rules, key=lambda each: each.guid.int))
    return Policy(
        guid(name), name, rules=ordered, main_mode=MAIN_MODE, storage=Storage.LOCAL, assigned=True, default_exempt=default_exempt
    )
