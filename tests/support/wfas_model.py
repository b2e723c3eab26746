"""How Windows Firewall with Advanced Security judges the first packet of a connection, by the rules that a script made.

Rules apply by class and not by order: one that blocks beats all that allow, and what no rule holds goes by the profile's default,
which is not the script's business ("pass" here). IPsec rules only say what protection is required; one that requires none exempts
from the others (New-NetIPsecRule, -OutboundSecurity None). A list of addresses holds packets of the IP versions that are in it;
multicast and broadcast are not secured.
"""

from dataclasses import dataclass, field
from ipaddress import ip_address, ip_network

from pastore.packets.packet import Packet
from tests.support.powershell import Command

Range = tuple[int, int, int]  # IP version, first, last
NUMBERS = {"TCP": 6, "UDP": 17, "ICMPv4": 1, "ICMPv6": 58}


def addresses(values: list[str]) -> list[Range]:
    found: list[Range] = []
    for value in values:
        if "-" in value:
            low, high = (ip_address(part) for part in value.split("-"))
        else:
            network = ip_network(value)
            low, high = network[0], network[-1]
        found.append((low.version, int(low), int(high)))
    return found


def ports(values: list[str]) -> list[tuple[int, int]]:
    pairs = [value.partition("-") for value in values]
    return [(int(low), int(high or low)) for low, _, high in pairs]


@dataclass
class Rule:
    """A rule, read once."""

    direction: str | None
    interfaces: set[int]
    protocol: int | None
    local: list[Range] | None
    remote: list[Range] | None
    local_ports: list[tuple[int, int]] | None
    remote_ports: list[tuple[int, int]] | None

    def holds(self, packet: Packet) -> bool:
        inbound = packet.direction == 0
        if self.direction is not None and (self.direction == "Inbound") != inbound:
            return False
        if packet.interface not in self.interfaces or self.protocol not in (None, packet.protocol):
            return False
        local, remote = (packet.dst, packet.src) if inbound else (packet.src, packet.dst)
        lport, rport = (packet.dport, packet.sport) if inbound else (packet.sport, packet.dport)
        for wanted, value in ((self.local, local), (self.remote, remote)):
            if wanted is not None and not any(version == packet.family and low <= value <= high for version, low, high in wanted):
                return False
        return all(
            wanted is None or any(low <= value <= high for low, high in wanted)
            for wanted, value in ((self.local_ports, lport), (self.remote_ports, rport))
        )


def rule_of(command: Command) -> Rule:
    given = {name: values for name, values in command.parameters.items() if values is not None}
    (interface,) = given.get("InterfaceType", ["Any"])
    (protocol,) = given.get("Protocol", ["Any"])
    (direction,) = given.get("Direction", [None])

    return Rule(
        direction,
        {"Any": {0, 1}, "Wired": {0}, "Wireless": {0}, "RemoteAccess": {1}}[interface],
        None if protocol == "Any" else NUMBERS.get(protocol) or int(protocol),
        addresses(given["LocalAddress"]) if "LocalAddress" in given else None,
        addresses(given["RemoteAddress"]) if "RemoteAddress" in given else None,
        ports(given["LocalPort"]) if "LocalPort" in given else None,
        ports(given["RemotePort"]) if "RemotePort" in given else None,
    )


@dataclass
class Firewall:
    """What a script made."""

    block: list[Rule] = field(default_factory=list)
    allow: list[Rule] = field(default_factory=list)
    exempt: list[Rule] = field(default_factory=list)
    secure: list[Rule] = field(default_factory=list)
    _by_protocol: dict[int, list[Rule]] = field(default_factory=dict)

    @classmethod
    def of(cls, commands: list[Command]) -> "Firewall":
        made = cls()
        for command in commands:
            if command.name == "New-NetFirewallRule":
                (action,) = command.parameters["Action"] or []
                (made.block if action == "Block" else made.allow).append(rule_of(command))
            elif command.name == "New-NetIPsecRule":
                (inbound,) = command.parameters["InboundSecurity"] or []
                (made.exempt if inbound == "None" else made.secure).append(rule_of(command))
        return made

    def _blocking(self, protocol: int) -> list[Rule]:
        """Return the rules that block and are of a protocol or all; found once for each."""
        if protocol not in self._by_protocol:
            self._by_protocol[protocol] = [rule for rule in self.block if rule.protocol in (None, protocol)]
        return self._by_protocol[protocol]

    def verdict(self, packet: Packet) -> str:
        """Return "block", "protect" or "pass"."""
        if any(rule.holds(packet) for rule in self._blocking(packet.protocol)):
            return "block"
        if is_multicast(packet) or any(rule.holds(packet) for rule in self.exempt):
            return "pass"
        return "protect" if any(rule.holds(packet) for rule in self.secure) else "pass"


def is_multicast(packet: Packet) -> bool:
    """Whether an end of a packet is multicast or the limited broadcast address."""
    first = 0xE0000000 if packet.family == 4 else 0xFF << 120
    last = 0xEFFFFFFF if packet.family == 4 else (1 << 128) - 1
    return any(first <= end <= last or (packet.family == 4 and end == 0xFFFFFFFF) for end in (packet.src, packet.dst))
