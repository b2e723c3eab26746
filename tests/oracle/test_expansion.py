"""A second, slower reading of what a verdict means, packet by packet, against expansion and matcher on random policies.

Nothing here makes ranges, rows or ranks: a packet is held against each filter as the administrator wrote it.

Where the contract leaves room, this reading was settled on the one of `pastore.filters` and is no second opinion: exemptions on
Windows 2000 and XP (docs/adr/003), an assumed NoDefaultExempt of 3 that stays 3 there, ``me > me`` and the direction of tunnels
when the host is not known, ports that are dropped before their range is looked at, and servers substituted before directions.
"""

import random
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import replace
from ipaddress import ip_address, ip_interface
from typing import Any, NamedTuple
from uuid import UUID

import pytest

import pastore
from pastore.filters.expand import PolicyFilter
from pastore.filters.specific import MIRRORED
from pastore.model import (
    ANY_PORT,
    Action,
    Address,
    AddressKind,
    Algorithm,
    Filter,
    FilterAction,
    FilterList,
    InterfaceType,
    IPAddress,
    Offer,
    Policy,
    Ports,
    Rule,
)
from tests.support.policies import KERBEROS, guid, policy

TCP, UDP, ICMP, RSVP, ESP = 6, 17, 1, 46, 50
SERVERS = {
    AddressKind.DNS_SERVER: "dns",
    AddressKind.WINS_SERVER: "wins",
    AddressKind.DHCP_SERVER: "dhcp",
    AddressKind.GATEWAY: "gateway",
}


class Packet(NamedTuple):
    """What a filter can ask about."""

    protocol: int
    src: IPAddress
    dst: IPAddress
    sport: int
    dport: int
    inbound: bool
    interface: str


class Machine(NamedTuple):
    """What `compile` is told beside the policy."""

    me: tuple[str, ...] = ()
    servers: tuple[tuple[str, str], ...] = ()
    target: str = "vista"
    default_exempt: int | None = None

    def is_me(self, address: IPAddress) -> bool:
        return any(within(address, *span) for span in self.spans(address.version))

    def spans(self, family: int) -> Iterator[tuple[int, int]]:
        """Yield the local addresses: ADDR/LEN is one address unless it has no host bits."""
        for interface in (ip_interface(text) for text in self.me):
            if interface.version == family:
                network = interface.network
                whole = network.num_addresses > 1 and interface.ip == network[0]
                yield (int(network[0]), int(network[-1])) if whole else (int(interface.ip), int(interface.ip))

    def addresses(self, kind: AddressKind, family: int) -> list[int]:
        given = (ip_address(text) for name, text in self.servers if name == SERVERS[kind])
        return [int(address) for address in given if address.version == family]

    def keywords(self) -> dict[str, Any]:
        named = {name: [text for given, text in self.servers if given == name] for name in SERVERS.values()}
        return {"me": self.me, "target": self.target, "default_exempt": self.default_exempt, **named}


class Answer(NamedTuple):
    """What happens to a packet."""

    action: str = "none"
    rule: str | None = None
    inpass: bool = False
    soft: bool = False
    tunnel: str | None = None
    exempt: bool = False
    filter: UUID | None = None
    mirrored: bool = False


def within(address: IPAddress, low: int, high: int) -> bool:
    return low <= int(address) <= high


def exempt(packet: Packet, machine: Machine, default_exempt: int | None) -> bool:
    """Whether a default exemption holds the packet (KB 811832; for older targets docs/adr/003-what-cannot-be-applied.md)."""
    if machine.target != "vista" and packet.dst.version == 6:
        return False
    if default_exempt is None:
        default_exempt = 3
    elif machine.target in ("2000", "xp"):
        default_exempt = min(default_exempt, 1)
    ports = {packet.sport, packet.dport}
    multicast = packet.dst.is_multicast
    directed = {
        int(ip_interface(text).network[-1])
        for text in machine.me
        if ":" not in text and ip_interface(text).network.prefixlen < 31
    }
    broadcast = packet.dst.version == 4 and int(packet.dst) in directed | {0xFFFFFFFF}
    if packet.protocol == UDP and ports & {500, 4500}:
        return True
    if default_exempt in (0, 2) and ((packet.protocol in (TCP, UDP) and 88 in ports) or packet.protocol == RSVP):
        return True
    return (multicast or broadcast) and (default_exempt in (0, 1) or (default_exempt == 3 and packet.inbound))


def fits(end: Address, address: IPAddress, machine: Machine) -> bool:
    """Whether an end of a filter holds an address."""
    family = address.version
    if family not in end.families:
        return False
    if end.kind is AddressKind.ANY:
        return True
    if end.kind is AddressKind.ME:
        return machine.is_me(address) or not machine.me
    if end.kind in SERVERS:
        return int(address) in machine.addresses(end.kind, family)
    if end.kind is AddressKind.RANGE:
        return within(address, end.low, end.high)
    return int(address) & end.high == end.low & end.high


def goes_this_way(filter_: Filter, packet: Packet, machine: Machine) -> bool:
    """Whether a transport filter applies in the direction of the packet: destination local in, source local out."""
    near, far = (filter_.dst, filter_.src) if packet.inbound else (filter_.src, filter_.dst)
    if not machine.me:
        return near.kind is AddressKind.ME or far.kind is not AddressKind.ME  # any address can be local, but `me` surely is
    if near.kind in SERVERS:  # a filter for each of them
        return machine.is_me(packet.dst if packet.inbound else packet.src)
    low, high = span(near, packet.src.version)
    return any(low <= last and first <= high for first, last in machine.spans(packet.src.version))


def span(end: Address, family: int) -> tuple[int, int]:
    """Return the lowest and highest address of an end that is no server; `me` is within any."""
    every = (1 << (32 if family == 4 else 128)) - 1
    if end.kind is AddressKind.SUBNET:
        return end.low & end.high, end.low & end.high | every ^ end.high
    return (end.low, end.high) if end.kind is AddressKind.RANGE else (0, every)


def fixed_bits(end: Address, family: int) -> int:
    bits = 32 if family == 4 else 128
    if end.kind is AddressKind.ANY:
        return 0
    if end.kind is AddressKind.SUBNET:
        return end.high.bit_count()
    return bits - (end.high - end.low).bit_length() if end.kind is AddressKind.RANGE else bits


def usable(filter_: Filter, target: str) -> bool:
    """Whether Windows could add the filter at all."""
    ends = (filter_.src, filter_.dst)
    if filter_.protocol > 255 or (filter_.version == 2 and target != "vista"):
        return False
    if not set(filter_.src.families) & set(filter_.dst.families):
        return False
    for end, other in (ends, ends[::-1]):
        if end.kind in SERVERS and other.kind is not AddressKind.ME:
            return False
        if end.kind is AddressKind.RANGE and end.low > end.high:
            return False
        bits = 32 if end.families == (4,) else 128
        host = ((1 << bits) - 1) ^ end.high
        if end.kind is AddressKind.SUBNET and host & (host + 1):
            return False
    ports = (filter_.sport, filter_.dport) if filter_.protocol in (TCP, UDP) else ()
    return all(each.low <= each.high for each in ports)


def applicable(rule: Rule) -> bool:
    """Whether the rule as a whole can be applied."""
    if not rule.active or rule.default_response or rule.filter_action is None or rule.filter_action.action is Action.NONE:
        return False
    if rule.filter_action.action is Action.PROTECT and not (rule.filter_action.offers and rule.auth_methods):
        return False
    return not rule.is_tunnel or rule.tunnel is not None


def orientations(filter_: Filter) -> list[tuple[bool, Filter]]:
    copy = replace(filter_, src=filter_.dst, dst=filter_.src, sport=filter_.dport, dport=filter_.sport)
    return [(False, filter_), (True, copy)] if filter_.mirrored else [(False, filter_)]


def judge(policy: Policy, machine: Machine, packet: Packet) -> Answer:
    """Say what happens to a packet: exemptions, then the most specific filter that holds it."""
    given = machine.default_exempt if machine.default_exempt is not None else policy.default_exempt
    if exempt(packet, machine, given):
        return Answer("allow", exempt=True)
    family = packet.src.version
    best: tuple[Any, ...] | None = None
    answer = Answer()
    for rule in filter(applicable, policy.rules):
        action = rule.filter_action
        assert action is not None
        if rule.interface_type not in (InterfaceType.ALL, InterfaceType(packet.interface)):
            continue
        for written in (
            each for filter_list in rule.filter_lists for each in filter_list.filters if usable(each, machine.target)
        ):
            for mirrored, each in orientations(written):
                if rule.tunnel and machine.me:
                    here = machine.is_me(rule.tunnel) == packet.inbound
                else:
                    here = goes_this_way(each, packet, machine)
                if not here or not holds(each, packet, machine):
                    continue
                ports = [each.protocol in (TCP, UDP) and not ports.is_any for ports in (each.sport, each.dport)]
                key = (
                    -fixed_bits(each.src, family) - fixed_bits(each.dst, family),
                    each.protocol == 0,
                    -sum(ports),
                    (Action.BLOCK, Action.PROTECT, Action.ALLOW).index(action.action),
                    rule.guid.int,
                    written.guid.int,
                    mirrored,
                )
                if best is None or key < best:
                    best = key
                    tunnel = str(rule.tunnel) if rule.is_tunnel else None
                    answer = Answer(
                        str(action.action), rule.label, action.inpass, action.soft, tunnel, False, written.guid, mirrored
                    )
    return answer


def holds(filter_: Filter, packet: Packet, machine: Machine) -> bool:
    """Whether all conditions of a filter hold the packet."""
    if filter_.protocol not in (0, packet.protocol):
        return False
    ported = filter_.protocol in (TCP, UDP)
    if ported and not filter_.sport.low <= packet.sport <= filter_.sport.high:
        return False
    if ported and not filter_.dport.low <= packet.dport <= filter_.dport.high:
        return False
    return fits(filter_.src, packet.src, machine) and fits(filter_.dst, packet.dst, machine)


# Random policies over few addresses and ports, so that filters meet and tie often.

HOSTS4 = ("10.0.0.1", "10.0.0.2", "10.0.0.7", "10.0.1.1", "10.0.0.255", "192.0.2.9", "224.0.0.5", "255.255.255.255")
HOSTS6 = ("2001:db8::1", "2001:db8::2", "2001:db8:1::7", "fe80::1", "ff02::1")
PORTS = (0, 53, 80, 88, 445, 500, 4500)
MACHINES: tuple[tuple[str, ...], ...] = (
    (),
    ("10.0.0.7",),
    ("10.0.0.7/24", "2001:db8:1::7"),
    ("10.0.0.0/24",),
    ("2001:db8::1", "10.0.0.1", "10.0.0.2"),
    ("2001:db8::/64",),
)


def random_address(rng: random.Random, version: int) -> Address:
    if version == 2 and rng.random() < 0.5:
        families: tuple[int, ...] = rng.choice(((4,), (6,), (4, 6)))
    else:
        families = (4,)
    kind = rng.choice(
        (AddressKind.ANY, AddressKind.ANY, AddressKind.ME, AddressKind.ME, AddressKind.SUBNET, AddressKind.SUBNET, None)
    )
    if kind in (AddressKind.ANY, AddressKind.ME):
        return Address(kind, families)
    if kind is None and rng.random() < 0.5:
        return Address(rng.choice(tuple(SERVERS)), families)
    family = rng.choice(families)
    hosts, bits = (HOSTS4, 32) if family == 4 else (HOSTS6, 128)
    low = int(ip_address(rng.choice(hosts)))
    if kind is None and version == 2:
        high = low + rng.choice((0, 1, 2, 7, 255, 256, -1))
        return Address(AddressKind.RANGE, (family,), low, max(0, min(high, (1 << bits) - 1)))
    length = rng.choice((bits, bits, bits - 8, bits // 2, 0))
    mask = ((1 << bits) - 1) ^ ((1 << (bits - length)) - 1)
    if rng.random() < 0.03:
        mask ^= 1 << bits - 1
    return Address(AddressKind.SUBNET, (family,), low, mask)


def random_ports(rng: random.Random, version: int) -> Ports:
    low = rng.choice(PORTS[1:])
    high = rng.choice(PORTS[1:]) if version == 2 and rng.random() < 0.3 else low
    return rng.choice((Ports(), Ports(), Ports(low, high)))


def random_filter(rng: random.Random, name: str) -> Filter:
    version = rng.choice((1, 1, 2))
    src, dst = random_address(rng, version), random_address(rng, version)
    if (src.kind in SERVERS or dst.kind in SERVERS) and rng.random() < 0.8:
        src, dst = (
            (src, Address(AddressKind.ME, src.families)) if src.kind in SERVERS else (Address(AddressKind.ME, dst.families), dst)
        )
    protocol = rng.choice((0, 0, TCP, TCP, UDP, ICMP, RSVP, ESP, 256 if rng.random() < 0.1 else 0))
    sport, dport = random_ports(rng, version), random_ports(rng, version)
    return Filter(guid(name), src, dst, protocol, sport, dport, rng.random() < 0.6, version=version)


def random_rule(rng: random.Random, name: str, filters: Iterable[Filter]) -> Rule:
    action = rng.choice((Action.ALLOW, Action.BLOCK, Action.PROTECT, Action.NONE if rng.random() < 0.2 else Action.BLOCK))
    offers = (Offer((Algorithm("esp", 3, 2),)),) if action is Action.PROTECT and rng.random() < 0.9 else ()
    protect = action is Action.PROTECT
    what = FilterAction(
        guid(f"{name} does"), name, action, protect and rng.random() < 0.3, protect and rng.random() < 0.3, offers
    )
    tunnel = protect and rng.random() < 0.3
    return Rule(
        guid(name),
        name,
        active=rng.random() < 0.9,
        filter_lists=(FilterList(guid(f"{name} lists"), name, tuple(filters)),),
        filter_action=what,
        interface_type=rng.choice((InterfaceType.ALL, InterfaceType.ALL, InterfaceType.LAN, InterfaceType.RAS)),
        tunnel=ip_address(rng.choice(("10.0.0.7", "192.0.2.9", "2001:db8::1"))) if tunnel and rng.random() < 0.9 else None,
        is_tunnel=tunnel,
        auth_methods=KERBEROS if rng.random() < 0.95 else (),
    )


def random_policy(rng: random.Random) -> Policy:
    rules, earlier = [], random_filter(rng, "the first")
    for n in range(rng.randint(2, 7)):
        filters = []
        for m in range(rng.randint(1, 4)):
            name = f"filter {n}.{m} {rng.random()}"
            made = random_filter(rng, name)
            if rng.random() < 0.3:  # differs only in what breaks ties
                made = replace(earlier, guid=made.guid, sport=rng.choice((made.sport, ANY_PORT)), mirrored=made.mirrored)
            filters.append(made)
            earlier = made
        rules.append(random_rule(rng, f"rule {n}", filters))
    return policy(*rules, default_exempt=rng.choice((None, 0, 1, 2, 3, 3, 3)))


def random_machine(rng: random.Random) -> Machine:
    servers = tuple(
        (name, rng.choice(HOSTS4[:6] + HOSTS6[:3])) for name in SERVERS.values() for _ in range(rng.choice((0, 0, 1, 2)))
    )
    return Machine(
        rng.choice(MACHINES), servers, rng.choice(("vista", "vista", "2003", "xp", "2000")), rng.choice((None, None, 0, 1, 2, 3))
    )


def random_packet(rng: random.Random, hosts: tuple[str, ...], tried: Policy) -> Packet:
    """Return a packet, mostly with protocol and ports of one of the filters."""
    aim = rng.choice([each for rule in tried.rules for filter_list in rule.filter_lists for each in filter_list.filters])
    protocol = aim.protocol if aim.protocol in range(1, 256) else rng.choice((TCP, TCP, UDP, ICMP, RSVP, ESP))
    sport, dport = 0, 0
    if protocol in (TCP, UDP):
        sport = aim.sport.low if rng.random() < 0.7 and not aim.sport.is_any else rng.choice(PORTS)
        dport = aim.dport.low if rng.random() < 0.7 and not aim.dport.is_any else rng.choice(PORTS)
    if rng.random() < 0.3:
        sport, dport = dport, sport
    ends = ip_address(rng.choice(hosts)), ip_address(rng.choice(hosts))
    return Packet(protocol, *ends, sport, dport, rng.random() < 0.6, rng.choice(("lan", "lan", "ras")))


def packet_text(packet: Packet) -> str:
    way = "in" if packet.inbound else "out"
    return f"{packet.protocol} {packet.src} {packet.sport} > {packet.dst} {packet.dport} {way} {packet.interface}"


def answer_of(matcher: pastore.Matcher, packet: Packet) -> Answer:
    verdict = matcher.match(
        packet.protocol,
        int(packet.src),
        int(packet.dst),
        packet.sport,
        packet.dport,
        direction="in" if packet.inbound else "out",
        family=packet.src.version,
        interface=packet.interface,
    )
    written = verdict.filter.filter.guid if isinstance(verdict.filter, PolicyFilter) else None
    mirrored = verdict.index != -1 and bool(matcher.filters["flags"][verdict.index] & MIRRORED)
    exempt = verdict.exempt is not None
    return Answer(
        verdict.action, verdict.rule, bool(verdict.inpass), bool(verdict.soft), verdict.tunnel, exempt, written, mirrored
    )


@pytest.mark.parametrize("seed", range(8))
def test_expansion_and_matcher_judge_as_the_policy_reads(seed: int) -> None:
    rng = random.Random(seed)
    seen: Counter[str] = Counter()
    for _ in range(200):
        tried, machine = random_policy(rng), random_machine(rng)
        matcher = pastore.compile(tried, **machine.keywords())
        for hosts in (HOSTS4, HOSTS4, HOSTS6):
            for _ in range(20):
                packet = random_packet(rng, hosts, tried)
                expected = judge(tried, machine, packet)
                assert answer_of(matcher, packet) == expected, f"{packet_text(packet)}\n{machine}\n{tried}"
                seen["exempt" if expected.exempt else expected.action] += 1
                seen.update(name for name in ("inpass", "soft", "tunnel") if getattr(expected, name))
    for outcome in ("exempt", "none", "allow", "block", "protect", "inpass", "soft", "tunnel"):
        assert seen[outcome] >= 20, (outcome, seen)  # each was really put to the test
