"""Makes the bundled example: the policy of an invented company's file servers, and a capture of one of them.

``python -m tests.support.example`` writes both files; a test holds what is bundled against what this makes.
"""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from pastore.ipsecdata.objects import store
from pastore.model import Address, AddressKind, Filter, FilterAction, FilterList, Policy, Rule, Storage
from tests.support.captures import arp, ethernet, icmp, ipv4, ipv6, pcap, tcp, udp
from tests.support.policies import KERBEROS, MAIN_MODE, action, flt, guid
from tests.support.reg_text import RegValue, reg_text

FOLDER = Path(__file__).parents[2] / "examples" / "halden"
HKLM = "HKEY_LOCAL_MACHINE"
LOCAL = r"SOFTWARE\Policies\Microsoft\Windows\IPSec\Policy\Local"
CHANGED = 1_772_352_000  # 2026-03-01 08:00 UTC
ME4, ME6 = "10.20.4.7", "2001:db8:20::7"
ICMP, TCP, UDP, ICMPV6 = 1, 6, 17, 58


def described(text: str, description: str, families: tuple[int, ...] | None = None) -> Filter:
    """Return a mirrored filter with a description."""
    return replace(flt(text, families=families, name=f"halden {description}"), description=description)


def ruled(name: str, what: FilterAction, *filters: Filter) -> Rule:
    """Return a rule with one filter list of its own."""
    listed = FilterList(guid(f"halden list {name}"), name, filters, when_changed=CHANGED)
    named = replace(what, guid=guid(f"halden action {what.name}"), when_changed=CHANGED)
    return Rule(
        guid(f"Halden rule {name}"),
        name,
        filter_lists=(listed,),
        filter_action=named,
        auth_methods=KERBEROS,
        when_changed=CHANGED,
    )


def policy() -> Policy:
    """Return the policy of Halden Instruments' file servers."""
    rules = (
        ruled(
            "Allow company services",
            action("allow"),
            described("tcp 10.20.0.0/16 > me:445", "File shares"),
            described("tcp 10.20.0.0/16 > me:443", "Intranet"),
            described("udp me > 10.20.0.53:53", "Name lookups"),
            described("icmp 10.20.0.0/16 > me", "Ping within the company"),
        ),
        ruled(
            "Protect the instrument database",
            action("protect"),
            described("tcp 10.30.0.0/24 > me:1433", "Laboratory, IPv4"),
            described("tcp 2001:db8:20::100-2001:db8:20::1ff > me:1433", "Laboratory, IPv6"),
        ),
        ruled(
            "Block everything else",
            action("block"),
            described("any > me", "Everything else"),
            described("any > me", "Everything else, IPv6", families=(6,)),
        ),
        ruled(
            "Allow backup",
            action("allow"),
            # The administrator meant "host 9 of every site"; a mask has to be a prefix.
            replace(
                described("tcp any > me:10000", "Backup servers of all sites"),
                src=Address(AddressKind.SUBNET, (4,), 0x0A140009, 0xFFFF00FF),
            ),
        ),
        ruled("Allow intranet (old server)", action("allow"), described("tcp 10.20.0.0/16 > me:443", "Intranet (copy)")),
        Rule(
            guid("Halden rule response"),
            active=False,
            default_response=True,
            filter_action=replace(action("protect"), guid=guid("halden response"), name="", default_response=True),
            auth_methods=KERBEROS,
            when_changed=CHANGED,
        ),
    )
    return Policy(
        guid("halden policy"),
        "Halden File Servers",
        "What may reach the file servers of Halden Instruments",
        rules=tuple(sorted(rules, key=lambda rule: rule.guid.int)),
        main_mode=replace(MAIN_MODE, guid=guid("halden main mode"), when_changed=CHANGED),
        storage=Storage.LOCAL,
        assigned=True,
        default_exempt=3,
        when_changed=CHANGED,
    )


NAMES = {
    "classname": "className",
    "name": "name",
    "ipsecname": "ipsecName",
    "ipsecid": "ipsecID",
    "ipsecdatatype": "ipsecDataType",
    "ipsecdata": "ipsecData",
    "whenchanged": "whenChanged",
    "ipsecownersreference": "ipsecOwnersReference",
    "ipsecnfareference": "ipsecNFAReference",
    "ipsecisakmpreference": "ipsecISAKMPReference",
    "ipsecfilterreference": "ipsecFilterReference",
    "ipsecnegotiationpolicyreference": "ipsecNegotiationPolicyReference",
    "ipsecnegotiationpolicyaction": "ipsecNegotiationPolicyAction",
    "ipsecnegotiationpolicytype": "ipsecNegotiationPolicyType",
}


def registry(*policies: Policy, assigned: Policy | None = None) -> dict[str, Mapping[str, RegValue]]:
    """Return the keys of the local store that hold these policies."""
    keys: dict[str, Mapping[str, RegValue]] = {f"{HKLM}\\{LOCAL}": {}}
    if assigned:
        keys[f"{HKLM}\\{LOCAL}"] = {"ActivePolicy": f"{LOCAL}\\ipsecPolicy{{{assigned.guid}}}"}
    exempt = {each.default_exempt for each in policies if each.default_exempt is not None}
    for each in policies:
        for stored in store(each, container=LOCAL):
            values = {NAMES.get(name, name): value for name, value in stored.attributes.items()}
            keys[f"{HKLM}\\{LOCAL}\\{stored.name}"] = values
    for value in exempt:
        keys[rf"{HKLM}\SYSTEM\CurrentControlSet\Services\PolicyAgent"] = {"NoDefaultExempt": value}
    return keys


def export() -> bytes:
    """Return the registry export, as regedit writes it."""
    made = policy()
    return reg_text(registry(made, assigned=made))


def capture() -> bytes:
    """Return a capture of a few minutes on one of the servers."""
    packets: list[bytes] = []

    def exchange(peer: str, protocol: int, there: bytes, back: bytes | None) -> None:
        """Add what a peer sends and what the server answers."""
        build, me = (ipv6, ME6) if ":" in peer else (ipv4, ME4)
        packets.append(build(peer, me, protocol, there))
        if back is not None:
            packets.append(build(me, peer, protocol, back))

    for host in range(1, 9):
        port = 50_000 + 111 * host
        exchange(f"10.20.{host}.{20 + host}", TCP, tcp(port, 445), tcp(445, port))
    for host in (31, 32, 33):
        exchange(f"10.20.6.{host}", TCP, tcp(52_000 + host, 443), tcp(443, 52_000 + host))
    for port in (61_001, 61_002):
        packets.append(ipv4(ME4, "10.20.0.53", UDP, udp(port, 53)))
        packets.append(ipv4("10.20.0.53", ME4, UDP, udp(53, port)))
    exchange("10.20.0.1", ICMP, icmp(8), icmp(0))
    exchange("10.30.0.14", TCP, tcp(49_900, 1433), tcp(1433, 49_900))
    for peer in ("2001:db8:20::101", "2001:db8:20::1fe"):
        exchange(peer, TCP, tcp(49_901, 1433), tcp(1433, 49_901))
    exchange("10.30.0.14", UDP, udp(500, 500), udp(500, 500))
    for port in (51_000, 51_001, 51_002):
        exchange("10.20.0.9", TCP, tcp(port, 10_000), None)
    for host in (9, 10, 77):
        exchange(f"203.0.113.{host}", TCP, tcp(40_000 + host, 3389), None)
    exchange("2001:db8:ffff::66", TCP, tcp(40_066, 22), None)
    packets.append(ipv4(ME4, "198.51.100.20", TCP, tcp(55_555, 443)))
    packets.append(ipv4("10.20.0.2", "224.0.0.251", UDP, udp(5353, 5353)))
    frames = [ethernet(packet) for packet in packets]
    frames.insert(4, ethernet(arp(), ethertype=0x0806))
    frames.insert(20, ethernet(arp(), ethertype=0x0806))
    return pcap(frames)


def main() -> None:
    """Write the bundled files."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    (FOLDER / "policy.reg").write_bytes(export())
    (FOLDER / "morning.pcap").write_bytes(capture())


if __name__ == "__main__":
    main()
