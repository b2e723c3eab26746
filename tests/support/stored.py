"""Stored IPsec policy for tests: bytes written out by hand, a small store, and hypothesis strategies."""

from dataclasses import replace
from ipaddress import IPv4Address, IPv6Address
from typing import Any
from uuid import UUID

from hypothesis import strategies as st

from pastore.ipsecdata import filter_list as fl
from pastore.ipsecdata import isakmp, negotiation, nfa
from pastore.ipsecdata.blob import Text
from pastore.ipsecdata.objects import StoredObject, store
from pastore.ipsecdata.policy import PolicyBlob
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
    MainMode,
    MainModeMethod,
    Offer,
    Policy,
    Ports,
    Rule,
    Secret,
    Storage,
)


def blob(*parts: str) -> bytes:
    """Return bytes written as hex, one field a part."""
    return bytes.fromhex(" ".join(parts))


POLICY = blob("63212022 4c4f d111 863b 00a0248d3021", "04000000", "302a0000", "00")

# "All ICMP Traffic" as Windows 2000 writes it: DataLength counts the number field, and a zero byte ends it.
ICMP_W2K = blob(
    "b520dc80 c82e d111 a89e 00a0248d3021",
    "52000000",  # DataLength
    "01000000",  # one filter
    "02000000 0000",  # source DNS name
    "02000000 0000",  # destination DNS name
    "0a000000 4900 4300 4d00 5000 0000",  # description
    "63d21951 1d07 d311 ad22 0060b0ecca17",
    "01000000",  # mirrored
    "00000000 ffffffff",  # source: me
    "00000000 00000000",  # destination: any
    "00000000",  # tunnel
    "01000000",  # ICMP
    "0000 0000",  # ports
    "00 00 0000",  # is-tunnel, special, options
    "00",
)

_NFA_MAIN = (
    "00acbb11 8d49 d111 8639 00a0248d3021",
    "2a000000",  # DataLength: up to the tunnel endpoint name
    "01000000",  # one authentication method
    "05000000 02000000 0000",  # Kerberos
    "ffffffff",  # dial-up
    "02000000 0000",  # interface name
    "00000000",  # tunnel address
    "00000000",  # is-tunnel
    "01000000",  # is-active
    "02000000 0000",  # tunnel endpoint name
)
NFA_W2K = blob(*_NFA_MAIN, "00")
NFA_W10 = blob(
    *_NFA_MAIN,
    "01" * 16,
    "01000000",
    "05000000 00000000",
    "01" * 15 + "02",
    "01000000",
    "00000000",
    "00",
)

ISAKMP_W2K = blob(
    "b820dc80 c82e d111 a89e 00a0248d3021",
    "80000000",  # DataLength
    "68d21951 1d07 d311 ad22 0060b0ecca17",  # instance
    "00000000",
    "01000000",  # master PFS
    "02000000",  # options
    "04 03 00 00",  # New-DH-1 to 4
    "05000000",  # quick mode limit
    "00000000",  # main mode lifetime
    "00" * 20,
    "01000000",  # one method
    "00 00 cdcd",
    "03000000 40000000",  # 3DES, key size
    "08000000",  # rounds
    "02000000 40000000",  # SHA-1, key size
    "00" * 12,
    "00",  # Random-Function
    "00000000 cdcdcd",
    "02000000",  # group
    "00000000",
    "00000000",
    "80700000",  # 28800 s
    "cdcdcdcd",
    "00",
)

NEGOTIATION_W2K = blob(
    "b920dc80 c82e d111 a89e 00a0248d3021",
    "a4000000",  # DataLength
    "02000000",  # two offers
    "84030000 a0860100 00000000 01000000 01000000",  # 900 s, 100000 KB, options, PFS, one algorithm
    "01000000 02000000 02000000 40000000 08000000",  # ESP 1 (DES), integrity SHA-1
    "4d006900 63007200 6f007300 6f006600 74005c00" * 2,  # scraps of memory
    "00000000 00000000 00000000 00000000 00000000",  # no algorithm: fall back to clear
    "5c005c00 cdcdcdcd cdcdcdcd 00000000 00000000" * 3,
    "00",
)

ME_ANY = (Address(AddressKind.ME), Address(AddressKind.ANY))


def guid(number: int) -> UUID:
    """Return a GUID that is easy to recognise."""
    return UUID(int=0x0A000000_0000_4000_8000_000000000000 + number)


def small_policy() -> Policy:
    """Return a policy of the shape of a real Windows 10 one: three rules, two filter lists, thirty-three filters."""
    block = FilterAction(guid(31), "Block", Action.BLOCK, when_changed=1654308646)
    esp = Offer((Algorithm("esp", 3, 2),))
    respond = FilterAction(guid(32), "", Action.PROTECT, offers=(esp, Offer((Algorithm("ah", 2),))), default_response=True)
    everything = FilterList(guid(21), "All", (Filter(guid(100), ME_ANY[1], ME_ANY[0]),), when_changed=1655772376)
    ports = FilterList(
        guid(22),
        "Ports",
        tuple(Filter(guid(200 + n), *ME_ANY, protocol=6 if n % 2 else 17, dport=Ports(100 + n, 100 + n)) for n in range(32)),
        when_changed=1656389249,
    )
    kerberos = (AuthMethod(AuthKind.KERBEROS),)
    rules = (
        Rule(
            guid(11), active=False, filter_action=respond, default_response=True, auth_methods=kerberos, when_changed=1654308020
        ),
        Rule(
            guid(12),
            filter_lists=(everything,),
            filter_action=block,
            interface_type=InterfaceType.RAS,
            auth_methods=kerberos,
            when_changed=1656389252,
        ),
        Rule(guid(13), filter_lists=(ports,), filter_action=block, auth_methods=kerberos, when_changed=1656389253),
    )
    main_mode = MainMode(guid(2), methods=(MainModeMethod(3, 2, 2, 28800),), when_changed=1654308019)
    return Policy(guid(1), "Small", "", rules, main_mode, storage=Storage.LOCAL, when_changed=1656389252)


def small_store() -> dict[str, StoredObject]:
    """Return the objects of `small_policy` by the last digits of their GUID: 1, 2, 11 to 13, 21, 22, 31, 32."""
    return {str(int(stored.name[-6:-1], 16)): stored for stored in store(small_policy())}


def changed(stored: StoredObject, **attributes: Any) -> StoredObject:
    """Return an object with some attributes replaced; None removes one."""
    merged = {**stored.attributes, **attributes}
    return replace(stored, attributes={key: value for key, value in merged.items() if value is not None})


# Strategies for blobs as stored

u8, u16, u32 = st.integers(0, 0xFF), st.integers(0, 0xFFFF), st.integers(0, 0xFFFFFFFF)
flag = st.integers(0, 1)
words = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=12)
texts = words.map(Text.of)


def raw(size: int) -> st.SearchStrategy[bytes]:
    """Return bytes of one length."""
    return st.binary(min_size=size, max_size=size)


pads = st.sampled_from((b"", b"\0"))

policy_blobs = st.builds(PolicyBlob, u32, tail=pads)

method_blobs = st.builds(
    isakmp.MethodBlob,
    st.sampled_from((0, 1, 2, 3)),
    st.sampled_from((0, 1, 2)),
    st.sampled_from((0, 1, 2, isakmp.GROUP_14)),
    u32,
    u32,
    u32,
    st.integers(0, 4),
    raw(4),
    u32,
    u32,
    u32,
    raw(12),
    raw(7),
    u32,
)
new_dh = st.lists(st.integers(1, 4), max_size=4).map(lambda used: tuple(used + [0] * (4 - len(used))))
isakmp_blobs = st.builds(
    isakmp.IsakmpBlob,
    st.lists(method_blobs, max_size=4).map(tuple),
    flag,
    st.integers(0, 3),
    new_dh,
    u32,
    u32,
    st.uuids(),
    raw(4),
    raw(20),
    tail=pads,
)

used_slots = st.one_of(
    st.builds(negotiation.SlotBlob, st.integers(1, 2), u32, st.just(negotiation.AH), raw(8)),
    st.builds(negotiation.SlotBlob, st.integers(0, 3), st.integers(0, 2), st.just(negotiation.ESP), raw(8)),
)
free_slots = st.builds(negotiation.SlotBlob, u32, u32, u32, raw(8))


@st.composite
def offer_blobs(draw: st.DrawFn) -> negotiation.OfferBlob:
    """Return an offer whose unused slots hold anything."""
    count = draw(st.integers(0, 3))
    slots = tuple(draw(used_slots if index < count else free_slots) for index in range(3))
    return negotiation.OfferBlob((slots[0], slots[1], slots[2]), count, draw(u32), draw(u32), 0, draw(flag))


negotiation_blobs = st.builds(negotiation.NegotiationBlob, st.lists(offer_blobs(), max_size=4).map(tuple), tail=pads)

auth_blobs = st.one_of(
    st.builds(nfa.AuthBlob, st.just(nfa.PRESHARED_KEY), words.map(lambda text: nfa.key_of(Secret(text)))),
    st.builds(nfa.AuthBlob, st.just(nfa.CERTIFICATE), words.map(lambda text: Text.of(text).raw)),
    st.builds(nfa.AuthBlob, st.just(nfa.KERBEROS), st.sampled_from((b"", b"\0\0"))),
)


@st.composite
def nfa_blobs(draw: st.DrawFn) -> nfa.NfaBlob:
    """Return a rule in the style of Windows 2000 or of Windows 10, with or without each later section."""
    methods = draw(st.lists(auth_blobs, max_size=3).map(tuple))
    flagged = draw(st.booleans())
    flags = draw(st.lists(st.integers(0, 3), min_size=len(methods), max_size=len(methods)).map(tuple))
    return nfa.NfaBlob(
        methods,
        draw(st.sampled_from((nfa.RAS, nfa.LAN, nfa.ALL))),
        draw(texts),
        IPv4Address(draw(u32)),
        draw(flag),
        draw(flag),
        draw(texts),
        methods if draw(st.booleans()) else None,
        flags if flagged else None,
        draw(u32) if flagged else 1,
        IPv6Address(draw(raw(16))) if draw(st.booleans()) else None,
        tail=draw(pads),
    )


filter_blobs1 = st.builds(
    fl.FilterBlob1,
    st.uuids(),
    u32,
    u32,
    u32,
    u32,
    u32,
    u16,
    u16,
    flag,
    texts,
    texts,
    texts,
    u32,
    flag,
    st.sampled_from(fl.SPECIAL),
)
address_blobs = st.one_of(
    st.builds(fl.AddressBlob, st.sampled_from((0, 1, 2, 4)), st.just(fl.IPV4), raw(16), raw(16)),
    st.builds(fl.AddressBlob, st.sampled_from((0, 1, 2)), st.just(fl.IPV6), raw(16), raw(16)),
    st.builds(
        fl.AddressBlob,
        st.just(fl.SUBNET),
        st.just(fl.IPV6),
        raw(16),
        st.integers(0, 128).map(lambda prefix: bytes([prefix]).ljust(16, b"\0")),
    ),
    st.builds(fl.AddressBlob, st.sampled_from((8, 0x10, 0x20, 0x40, 0x80)), st.integers(1, 3), raw(16), raw(16)),
)
port_blobs = st.builds(fl.PortBlob, st.integers(0, 2), u16, u16)
filter_blobs2 = st.builds(
    fl.FilterBlob2,
    st.uuids(),
    address_blobs,
    address_blobs,
    u32,
    port_blobs,
    port_blobs,
    flag,
    texts,
    texts,
    texts,
    st.sampled_from((0, 8)),
)


@st.composite
def filter_list_blobs(draw: st.DrawFn) -> fl.FilterListBlob:
    """Return a list in the style of Windows 2000 (version 1, long DataLength, pad) or of Windows 10 (either version)."""
    section1 = fl.Section1(draw(st.lists(filter_blobs1, max_size=4).map(tuple)))
    if draw(st.booleans()):
        return fl.FilterListBlob(replace(section1, data_length=section1.data_length + 4), tail=b"\0")
    if draw(st.booleans()):
        return fl.FilterListBlob(section1)
    count1 = draw(st.sampled_from((0, section1.count)))
    section2 = fl.Section2(draw(st.lists(filter_blobs2, max_size=4).map(tuple)), count1=count1)
    if draw(st.booleans()):
        return fl.FilterListBlob(section1, section2)
    return fl.FilterListBlob(None, replace(section2, count1=0))


# Strategies for policies

ipv4 = st.integers(0, 0xFFFFFFFF)
ipv6 = st.integers(0, (1 << 128) - 1)
masks6 = st.integers(0, 128).map(lambda prefix: ((1 << 128) - 1) ^ (((1 << 128) - 1) >> prefix))
servers = (AddressKind.DNS_SERVER, AddressKind.WINS_SERVER, AddressKind.DHCP_SERVER, AddressKind.GATEWAY)
times = st.none() | u32
ranges = st.builds(lambda a, b: Ports(min(a, b), max(a, b)), u16, u16)
single_ports = st.just(ANY_PORT) | st.integers(1, 65535).map(lambda port: Ports(port, port))
plain1 = st.one_of(
    st.builds(Address, st.sampled_from((AddressKind.ANY, AddressKind.ME)), dns_name=words),
    st.builds(Address, st.just(AddressKind.SUBNET), st.just((4,)), st.integers(1, 0xFFFFFFFF), ipv4, words),
)
servers1 = st.builds(Address, st.sampled_from(servers), dns_name=words)
ends1 = st.one_of(st.tuples(plain1, plain1), st.tuples(servers1, plain1), st.tuples(plain1, servers1))
addresses2 = st.one_of(
    st.builds(
        Address,
        st.sampled_from((AddressKind.ANY, AddressKind.ME, *servers)),
        st.sampled_from(((4,), (6,), (4, 6))),
        dns_name=words,
    ),
    st.builds(Address, st.sampled_from((AddressKind.SUBNET, AddressKind.RANGE)), st.just((4,)), ipv4, ipv4, words),
    st.builds(Address, st.just(AddressKind.SUBNET), st.just((6,)), ipv6, masks6, words),
    st.builds(Address, st.just(AddressKind.RANGE), st.just((6,)), ipv6, ipv6, words),
)


@st.composite
def filters1(draw: st.DrawFn) -> Filter:
    """Return a version 1 filter."""
    src, dst = draw(ends1)
    sport, dport = draw(single_ports), draw(single_ports)
    tunnel = draw(st.none() | ipv4.map(IPv4Address))
    return Filter(draw(st.uuids()), src, dst, draw(u32), sport, dport, draw(st.booleans()), draw(words), 1, tunnel)


filters2 = st.builds(Filter, st.uuids(), addresses2, addresses2, u32, ranges, ranges, st.booleans(), words, st.just(2), st.none())

algorithms = st.builds(Algorithm, st.sampled_from(("ah", "esp")), u32, u32)
offers = st.builds(Offer, st.lists(algorithms, min_size=1, max_size=3).map(tuple), u32, u32, st.booleans())
auth_methods = st.one_of(
    st.builds(AuthMethod, st.just(AuthKind.KERBEROS), account_mapping=st.booleans(), exclude_ca_name=st.booleans()),
    st.builds(AuthMethod, st.just(AuthKind.CERTIFICATE), st.none(), words, st.booleans(), st.booleans()),
    st.builds(AuthMethod, st.just(AuthKind.PRESHARED_KEY), words.map(Secret)),
    st.builds(AuthMethod, st.sampled_from((0, 2, 4, 77, 0xFFFFFFFF))),
)
methods = st.builds(MainModeMethod, st.integers(0, 3), st.integers(0, 2), st.sampled_from((0, 1, 2, 14)), u32, u32, u32)


@st.composite
def policies(draw: st.DrawFn) -> Policy:
    """Return a policy that uses every kind of node, with filter lists and filter actions shared between rules."""
    numbers = draw(st.lists(st.integers(1, (1 << 128) - 1).map(lambda n: UUID(int=n)), min_size=14, max_size=14, unique=True))
    lists = [
        FilterList(
            numbers[index],
            draw(words),
            tuple(draw(st.lists(filters1(), max_size=2)) + draw(st.lists(filters2, max_size=2))),
            draw(words),
            draw(times),
        )
        for index in range(draw(st.integers(1, 3)))
    ]
    actions = []
    for index in range(3, 3 + draw(st.integers(1, 2))):
        action = draw(st.sampled_from(tuple(Action)))
        actions.append(
            FilterAction(
                numbers[index],
                draw(words),
                action,
                action is Action.PROTECT and draw(st.booleans()),
                draw(st.booleans()),
                tuple(draw(st.lists(offers, max_size=2))),
                draw(words),
                draw(st.booleans()),
                draw(times),
            )
        )
    rules = []
    for index in range(5, 5 + draw(st.integers(0, 3))):
        own = sorted(draw(st.lists(st.sampled_from(lists), unique_by=lambda one: one.guid, max_size=2)), key=lambda one: one.guid)
        missing = [f"ipsecFilter{{{numbers[9]}}}"] if draw(st.booleans()) else []
        filter_action = draw(st.sampled_from((None, *actions)))
        if filter_action is None and draw(st.booleans()):
            missing.append(f"ipsecNegotiationPolicy{{{numbers[10]}}}")
        no_lists = not own and not any(name.startswith("ipsecFilter{") for name in missing)
        tunnel = draw(st.none() | st.integers(1, 0xFFFFFFFF).map(IPv4Address) | st.integers(1, (1 << 128) - 1).map(IPv6Address))
        rules.append(
            Rule(
                numbers[index],
                draw(words),
                draw(words),
                draw(st.booleans()),
                tuple(own),
                filter_action,
                tuple(sorted(missing)),
                no_lists or (filter_action is not None and filter_action.default_response),
                draw(st.sampled_from(InterfaceType)),
                draw(words),
                tunnel,
                tunnel is not None or draw(st.booleans()),
                draw(words),
                tuple(draw(st.lists(auth_methods, max_size=3))),
                draw(times),
            )
        )
    rules.sort(key=lambda rule: rule.guid)
    main_mode = draw(
        st.none()
        | st.builds(
            MainMode,
            st.just(numbers[11]),
            words,
            st.booleans(),
            st.integers(1, 0xFFFFFFFF),
            u32,
            st.lists(methods, max_size=3).map(tuple),
            st.booleans(),
            st.booleans(),
            times,
        )
    )
    return Policy(
        numbers[12],
        draw(words),
        draw(words),
        tuple(rules),
        main_mode,
        draw(st.integers(1, 0xFFFFFFFF)),
        draw(st.sampled_from(Storage)),
        draw(st.booleans()),
        draw(st.none() | st.integers(0, 3)),
        draw(st.sampled_from(("", "CN=ipsecPolicy{x},CN=IP Security"))),
        draw(times),
    )
