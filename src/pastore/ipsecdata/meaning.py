"""What stored numbers mean: blobs <-> the nodes of a policy, side by side so that either direction shows the other.

What has no meaning is left out here; the finding for it comes from the codec, which knows the byte.
"""

from ipaddress import IPv4Address, IPv6Address
from typing import Final
from uuid import UUID

from pastore.ipsecdata import filter_list as fl
from pastore.ipsecdata import isakmp, negotiation, nfa
from pastore.ipsecdata.blob import Text, offset
from pastore.ipsecdata.filter_list import AddressBlob, FilterBlob1, FilterBlob2, FilterListBlob, PortBlob, Section1, Section2
from pastore.ipsecdata.isakmp import IsakmpBlob, MethodBlob
from pastore.ipsecdata.negotiation import NegotiationBlob, OfferBlob, SlotBlob
from pastore.ipsecdata.nfa import AuthBlob, NfaBlob
from pastore.model import (
    ANY_PORT,
    NO_GUID,
    Address,
    AddressKind,
    Algorithm,
    AuthKind,
    AuthMethod,
    Filter,
    FilterAction,
    InterfaceType,
    IPAddress,
    MainMode,
    MainModeMethod,
    Offer,
    Origin,
    Ports,
    Rule,
    Secret,
)

DEFAULT_POLLING: Final = 10800
DEFAULT_LIFETIME: Final = 28800

_ONES4: Final = 0xFFFFFFFF
_ONES6: Final = (1 << 128) - 1

_SERVERS1: Final = {
    1: AddressKind.DNS_SERVER,
    2: AddressKind.WINS_SERVER,
    3: AddressKind.DHCP_SERVER,
    4: AddressKind.GATEWAY,
}
_SPECIAL: Final = {kind: number for number, kind in _SERVERS1.items()}
_DESTINATION: Final = 0x80

_KINDS2: Final = {
    fl.ANY: AddressKind.ANY,
    fl.ME: AddressKind.ME,
    fl.DNS: AddressKind.DNS_SERVER,
    fl.WINS: AddressKind.WINS_SERVER,
    fl.DHCP: AddressKind.DHCP_SERVER,
    fl.GATEWAY: AddressKind.GATEWAY,
}
_NUMBERS2: Final = {kind: number for number, kind in _KINDS2.items()}
_FAMILIES: Final = {fl.IPV4: (4,), fl.IPV6: (6,), fl.BOTH: (4, 6)}
_VERSIONS: Final = {families: version for version, families in _FAMILIES.items()}

_INTERFACES: Final = {nfa.RAS: InterfaceType.RAS, nfa.LAN: InterfaceType.LAN, nfa.ALL: InterfaceType.ALL}
_INTERFACE_NUMBERS: Final = {kind: number for number, kind in _INTERFACES.items()}

_AUTH_KINDS: Final[dict[int, AuthKind]] = {int(kind): kind for kind in AuthKind}
_ACCOUNT_MAPPING, _EXCLUDE_CA = 1, 2

# New-DH and Random-Function: encryption and hash of the four methods with Diffie-Hellman 2048 ([MS-GPIPSEC] 2.2.1.2.1).
_DH2048: Final = {1: (1, 1), 2: (1, 2), 3: (3, 1), 4: (3, 2)}
_MODEL_GROUP_14: Final = 14

_TRANSFORMS: Final = {negotiation.AH: "ah", negotiation.ESP: "esp"}
_TRANSFORM_NUMBERS: Final = {name: number for number, name in _TRANSFORMS.items()}


# Filter lists


def filters_of(blob: FilterListBlob, place: Origin) -> tuple[Filter, ...]:
    """Return the filters of a list: version 1 first, as stored.

    Parameters
    ----------
    blob : FilterListBlob
    place : Origin
        Place of the value; a filter's origin adds its byte offset.
    """
    filters2 = [(spec, _filter2(spec, place)) for spec in (blob.section2.filters if blob.section2 else ())]
    # A version 2 filter with flag 8 replaces the version 1 subnets that its range was expanded to. The specification does not say
    # how they are paired; equal filter GUIDs are our inference, no other common field could serve. A zero GUID pairs nothing.
    replaced = {spec.guid for spec, read in filters2 if read is not None and spec.flags & fl.USE_V2_RANGES} - {NO_GUID}
    filters1 = [_filter1(spec, place) for spec in (blob.section1.filters if blob.section1 else ()) if spec.guid not in replaced]
    return tuple(read for read in (*filters1, *(read for _, read in filters2)) if read is not None)


def filter_list_blob(filters: tuple[Filter, ...]) -> FilterListBlob:
    """Return the Windows 10 form of a list of filters.

    Raises
    ------
    ValueError
        If a filter cannot be stored in the version it asks for.
    """
    guids1 = {spec.guid for spec in filters if spec.version == 1}
    filters1 = tuple(_filter1_blob(spec) for spec in filters if spec.version == 1)
    filters2 = tuple(_filter2_blob(spec, guids1) for spec in filters if spec.version != 1)
    return FilterListBlob(Section1(filters1), Section2(filters2, count1=len(filters1)) if filters2 else None)


def _filter1(spec: FilterBlob1, place: Origin) -> Filter | None:
    if spec.special not in fl.SPECIAL:
        return None
    src = _address1(spec.src, spec.src_mask, spec.src_name)
    dst = _address1(spec.dst, spec.dst_mask, spec.dst_name)
    if spec.special:
        server = _SERVERS1[spec.special & ~_DESTINATION]
        if spec.special & _DESTINATION:
            dst = Address(server, dns_name=dst.dns_name)
        else:
            src = Address(server, dns_name=src.dns_name)
    return Filter(
        spec.guid,
        src,
        dst,
        spec.protocol,
        Ports(spec.sport, spec.sport) if spec.sport else ANY_PORT,
        Ports(spec.dport, spec.dport) if spec.dport else ANY_PORT,
        bool(spec.mirrored),
        spec.description.text,
        1,
        IPv4Address(spec.tunnel) if spec.is_tunnel else None,
        offset(place, spec.offset),
    )


def _filter1_blob(spec: Filter) -> FilterBlob1:
    if spec.src.kind.is_server and spec.dst.kind.is_server:
        raise ValueError(f"filter {{{spec.guid}}}: a version 1 filter has a server address at one end only")
    special = _SPECIAL.get(spec.src.kind, 0) or _SPECIAL.get(spec.dst.kind, 0)
    if spec.dst.kind.is_server:
        special |= _DESTINATION
    src, src_mask = _address1_blob(spec.src, spec)
    dst, dst_mask = _address1_blob(spec.dst, spec)
    if isinstance(spec.tunnel, IPv6Address):
        raise ValueError(f"filter {{{spec.guid}}}: a version 1 filter cannot have an IPv6 tunnel endpoint")
    return FilterBlob1(
        spec.guid,
        src,
        src_mask,
        dst,
        dst_mask,
        spec.protocol,
        _port1_blob(spec.sport, spec),
        _port1_blob(spec.dport, spec),
        int(spec.mirrored),
        Text.of(spec.src.dns_name),
        Text.of(spec.dst.dns_name),
        Text.of(spec.description),
        0 if spec.tunnel is None else int(spec.tunnel),
        int(spec.tunnel is not None),
        special,
    )


def _address1(address: int, mask: int, name: Text) -> Address:
    if address == 0 and mask == 0:
        return Address(AddressKind.ANY, dns_name=name.text)
    if address == 0 and mask == _ONES4:
        return Address(AddressKind.ME, dns_name=name.text)
    return Address(AddressKind.SUBNET, (4,), address, mask, name.text)


def _address1_blob(address: Address, spec: Filter) -> tuple[int, int]:
    if address.families != (4,):
        raise ValueError(f"filter {{{spec.guid}}}: a version 1 filter is IPv4 only")
    if address.kind is AddressKind.ANY:
        return 0, 0
    if address.kind is AddressKind.RANGE:
        raise ValueError(f"filter {{{spec.guid}}}: a version 1 filter cannot hold a range of addresses")
    if address.kind is not AddressKind.SUBNET:
        # Systems that do not know server addresses read this one as me, which is harmless; zero and zero would be any.
        return 0, _ONES4
    if (address.low, address.high) == (0, _ONES4):
        raise ValueError(f"filter {{{spec.guid}}}: in a version 1 filter the host 0.0.0.0 means me")
    return address.low, address.high


def _port1_blob(ports: Ports, spec: Filter) -> int:
    if ports.is_any:
        return 0
    if ports.low != ports.high or ports.low == 0:
        raise ValueError(f"filter {{{spec.guid}}}: a version 1 filter holds single ports from 1, not {ports.low} to {ports.high}")
    return ports.low


def _filter2(spec: FilterBlob2, place: Origin) -> Filter | None:
    if any(fl.address_problem(end) for end in (spec.src, spec.dst)):
        return None
    if spec.sport.kind > fl.PORT_RANGE or spec.dport.kind > fl.PORT_RANGE:
        return None
    return Filter(
        spec.guid,
        _address2(spec.src, spec.src_name),
        _address2(spec.dst, spec.dst_name),
        spec.protocol,
        _ports2(spec.sport),
        _ports2(spec.dport),
        bool(spec.mirrored),
        spec.description.text,
        2,
        origin=offset(place, spec.offset),
    )


def _filter2_blob(spec: Filter, guids1: set[UUID]) -> FilterBlob2:
    if spec.version != 2:
        raise ValueError(f"filter {{{spec.guid}}}: version {spec.version} is neither 1 nor 2")
    if spec.tunnel is not None:
        raise ValueError(f"filter {{{spec.guid}}}: a version 2 filter cannot hold a tunnel endpoint")
    ranged = AddressKind.RANGE in (spec.src.kind, spec.dst.kind)
    return FilterBlob2(
        spec.guid,
        _address2_blob(spec.src, spec),
        _address2_blob(spec.dst, spec),
        spec.protocol,
        _ports2_blob(spec.sport),
        _ports2_blob(spec.dport),
        int(spec.mirrored),
        Text.of(spec.src.dns_name),
        Text.of(spec.dst.dns_name),
        Text.of(spec.description),
        # Set for ranges; not where it would silence a version 1 filter that the list holds as one of its own.
        fl.USE_V2_RANGES if ranged and spec.guid not in guids1 else 0,
    )


def _address2(end: AddressBlob, name: Text) -> Address:
    families = _FAMILIES[end.version]
    if end.kind in _KINDS2:
        return Address(_KINDS2[end.kind], families, dns_name=name.text)
    size, ones = (4, _ONES4) if end.version == fl.IPV4 else (16, _ONES6)
    low, high = int.from_bytes(end.first[:size]), int.from_bytes(end.second[:size])
    if end.kind == fl.RANGE:
        return Address(AddressKind.RANGE, families, low, high, name.text)
    if end.kind == fl.SINGLE:
        high = ones
    elif end.version == fl.IPV6:
        high = ones ^ (ones >> end.second[0])
    return Address(AddressKind.SUBNET, families, low, high, name.text)


def _address2_blob(address: Address, spec: Filter) -> AddressBlob:
    version = _VERSIONS.get(address.families)
    if version is None:
        raise ValueError(f"filter {{{spec.guid}}}: IP versions {address.families} cannot be stored")
    if address.kind in _NUMBERS2:
        return AddressBlob(_NUMBERS2[address.kind], version)
    if version == fl.BOTH:
        raise ValueError(f"filter {{{spec.guid}}}: a subnet or range is either IPv4 or IPv6")
    size, ones = (4, _ONES4) if version == fl.IPV4 else (16, _ONES6)
    if not (0 <= address.low <= ones and 0 <= address.high <= ones):
        raise ValueError(f"filter {{{spec.guid}}}: an address does not fit its IP version")
    first = address.low.to_bytes(size).ljust(16, b"\0")
    if address.kind is AddressKind.RANGE:
        return AddressBlob(fl.RANGE, version, first, address.high.to_bytes(size).ljust(16, b"\0"))
    if address.high == ones:
        return AddressBlob(fl.SINGLE, version, first)
    if version == fl.IPV4:
        return AddressBlob(fl.SUBNET, version, first, address.high.to_bytes(4).ljust(16, b"\0"))
    prefix = address.high.bit_count()
    if address.high != ones ^ (ones >> prefix):
        raise ValueError(f"filter {{{spec.guid}}}: an IPv6 mask must be a prefix")
    return AddressBlob(fl.SUBNET, version, first, bytes((prefix,)).ljust(16, b"\0"))


def _ports2(ports: PortBlob) -> Ports:
    if ports.kind == fl.PORT_ANY:
        return ANY_PORT
    return Ports(ports.low, ports.low if ports.kind == fl.PORT_SINGLE else ports.high)


def _ports2_blob(ports: Ports) -> PortBlob:
    if ports.is_any:
        return fl.ANY_PORT
    if ports.low == ports.high:
        return PortBlob(fl.PORT_SINGLE, ports.low)
    return PortBlob(fl.PORT_RANGE, ports.low, ports.high)


# Filter actions


def offers_of(blob: NegotiationBlob) -> tuple[tuple[Offer, ...], bool]:
    """Return the offers and whether one of them is the marker for "fall back to clear", which has no algorithms."""
    offers = []
    for offer in blob.offers:
        # With an algorithm left out the offer would promise something else, so it goes as a whole.
        if offer.used and all(slot.kind in _TRANSFORMS for slot in offer.used):
            algorithms = tuple(Algorithm(_TRANSFORMS[slot.kind], slot.algorithm, slot.integrity) for slot in offer.used)
            offers.append(Offer(algorithms, offer.lifetime_seconds, offer.lifetime_kilobytes, bool(offer.pfs)))
    return tuple(offers), any(offer.count == 0 for offer in blob.offers)


def negotiation_blob(action: FilterAction) -> NegotiationBlob:
    """Return the Windows 10 form of a filter action's offers.

    Raises
    ------
    ValueError
        If an offer has no algorithm or more than three, or one that is neither AH nor ESP.
    """
    offers = [_offer_blob(offer, action) for offer in action.offers]
    if action.soft:
        offers.append(OfferBlob())
    return NegotiationBlob(tuple(offers))


def _offer_blob(offer: Offer, action: FilterAction) -> OfferBlob:
    if not 1 <= len(offer.algorithms) <= negotiation.SLOTS:
        raise ValueError(f"filter action {{{action.guid}}}: an offer has 1 to 3 algorithms, not {len(offer.algorithms)}")
    slots = []
    for algorithm in offer.algorithms:
        if algorithm.transform not in _TRANSFORM_NUMBERS:
            raise ValueError(f"filter action {{{action.guid}}}: transform {algorithm.transform!r} is neither ah nor esp")
        slots.append(SlotBlob(algorithm.algorithm, algorithm.integrity, _TRANSFORM_NUMBERS[algorithm.transform]))
    slots += [negotiation.EMPTY_SLOT] * (negotiation.SLOTS - len(slots))
    return OfferBlob(
        (slots[0], slots[1], slots[2]),
        len(offer.algorithms),
        offer.lifetime_seconds,
        offer.lifetime_kilobytes,
        pfs=int(offer.pfs),
    )


# Key exchange


def methods_of(blob: IsakmpBlob) -> tuple[MainModeMethod, ...]:
    """Return the main mode methods in order of precedence: New-DH-1 to New-DH-4, then the security methods."""
    lifetime = blob.lifetime_seconds or DEFAULT_LIFETIME
    methods = [_dh2048(number, lifetime, blob.quick_mode_limit) for number in blob.new_dh if number in _DH2048]
    for method in blob.methods:
        if method.random_function in _DH2048:
            methods.append(_dh2048(method.random_function, lifetime, blob.quick_mode_limit))
        else:
            group = _MODEL_GROUP_14 if method.group == isakmp.GROUP_14 else method.group
            limits = method.lifetime_seconds, method.lifetime_kilobytes, method.quick_mode_limit
            methods.append(MainModeMethod(method.encryption, method.hash, group, *limits))
    return tuple(methods)


def _dh2048(number: int, lifetime: int, limit: int) -> MainModeMethod:
    encryption, hash_ = _DH2048[number]
    return MainModeMethod(encryption, hash_, _MODEL_GROUP_14, lifetime, quick_mode_limit=limit)


def isakmp_blob(main_mode: MainMode) -> IsakmpBlob:
    """Return the Windows 10 form of key exchange settings.

    Methods of group 14 are stored as such rather than as New-DH, which would lose their limits and their place in the order.
    """
    methods = tuple(
        MethodBlob(
            method.encryption,
            method.hash,
            isakmp.GROUP_14 if method.group == _MODEL_GROUP_14 else method.group,
            method.quick_mode_limit,
            method.lifetime_kilobytes,
            method.lifetime_seconds,
        )
        for method in main_mode.methods
    )
    return IsakmpBlob(
        methods,
        int(main_mode.pfs),
        int(main_mode.account_mapping) | int(main_mode.no_certificate_request) << 1,
        quick_mode_limit=main_mode.quick_mode_limit,
        lifetime_seconds=main_mode.lifetime_seconds,
    )


# Rules


def auth_methods_of(blob: NfaBlob) -> tuple[AuthMethod, ...]:
    """Return the authentication methods in order of preference."""
    flags = blob.flags or ()
    return tuple(
        _auth_method(method, flags[index] if index < len(flags) else 0) for index, method in enumerate(blob.auth_methods)
    )


def _auth_method(method: AuthBlob, flags: int) -> AuthMethod:
    kind = _AUTH_KINDS.get(method.kind, method.kind)
    return AuthMethod(kind, method.key, method.text, bool(flags & _ACCOUNT_MAPPING), bool(flags & _EXCLUDE_CA))


def interface_type_of(blob: NfaBlob) -> InterfaceType:
    """Return the interface type; a number that is not known stands for all interfaces."""
    return _INTERFACES.get(blob.interface_type, InterfaceType.ALL)


def tunnel_of(blob: NfaBlob) -> IPAddress | None:
    """Return the tunnel endpoint, the IPv6 one where there is one; None in transport mode and for a zero address."""
    address: IPAddress = blob.tunnel_address if blob.tunnel_address6 is None else blob.tunnel_address6
    return address if blob.is_tunnel and int(address) else None


def nfa_blob(rule: Rule) -> NfaBlob:
    """Return the Windows 10 form of a rule's own settings.

    Raises
    ------
    ValueError
        If an authentication method has a key and is none, or the reverse. The message does not show it.
    """
    methods = tuple(_auth_blob(method, rule) for method in rule.auth_methods)
    tunnel = rule.tunnel
    return NfaBlob(
        methods,
        _INTERFACE_NUMBERS[rule.interface_type],
        Text.of(rule.interface_name),
        tunnel if isinstance(tunnel, IPv4Address) else nfa.NO_TUNNEL,
        int(rule.is_tunnel or tunnel is not None),
        int(rule.active),
        Text.of(rule.tunnel_name),
        tuple(AuthBlob(method.kind) if method.kind == nfa.KERBEROS else method for method in methods),
        tuple(method.account_mapping * _ACCOUNT_MAPPING | method.exclude_ca_name * _EXCLUDE_CA for method in rule.auth_methods),
        len(methods),
        tunnel if isinstance(tunnel, IPv6Address) else None,
    )


def _auth_blob(method: AuthMethod, rule: Rule) -> AuthBlob:
    if (method.key is not None) != (method.kind == AuthKind.PRESHARED_KEY):
        raise ValueError(f"rule {{{rule.guid}}}: the authentication method by pre-shared key, and only that, has a key")
    data: bytes | Secret = b""
    if method.key is not None:
        data = nfa.key_of(method.key)
    elif method.kind == AuthKind.CERTIFICATE:
        data = Text.of(method.certificate_authority).raw
    elif method.kind == AuthKind.KERBEROS:
        data = b"\0\0"
    return AuthBlob(int(method.kind), data)
