"""The cmdlets of the NetSecurity module that our scripts call, as Microsoft documents them, to hold scripts against.

From the syntax and the accepted values on the pages of the cmdlets (Windows Server 2022), and the limits of rules in [MS-FASP]
2.2.37 and 2.2.54. A value is checked by its parameter; what several have to do with each other by `faults`.
"""

import re
from collections.abc import Callable
from ipaddress import ip_address, ip_network
from typing import Any, Final

from tests.support.powershell import Command

Check = Callable[[Any], bool]


def one_of(*words: str) -> Check:
    return lambda value: value in words


def number(least: int, most: int) -> Check:
    return lambda value: re.fullmatch(r"\d+", str(value)) is not None and least <= int(value) <= most


def text(value: Any) -> bool:
    return isinstance(value, str) and bool(value)


def display(value: Any) -> bool:
    """No separator of the stored form, no reference to a resource, and not the word for every rule."""
    return text(value) and "|" not in value and not value.startswith("@") and value.lower() != "all"


def address(value: Any) -> bool:
    try:
        if "-" in value:
            low, high = (ip_address(part) for part in value.split("-"))
            return low.version == high.version and int(low) <= int(high)
        if "/" in value:
            network = ip_network(value)  # strict: no bits of the host
            return 0 < network.prefixlen < network.max_prefixlen
        ip_address(value)
    except ValueError:
        return False
    return True


def port(value: Any) -> bool:
    match = re.fullmatch(r"(\d{1,5})(?:-(\d{1,5}))?", str(value))
    return match is not None and int(match[1]) <= int(match[2] or match[1]) <= 65535


def protocol(value: Any) -> bool:
    return value in ("TCP", "UDP", "ICMPv4", "ICMPv6", "Any") or number(0, 255)(value)


def made_by(cmdlet: str) -> Check:
    return lambda value: isinstance(value, Command) and value.name == cmdlet


_SET: Final[dict[str, Check]] = {"PolicyStore": text, "Group": text, "Name": text, "DisplayName": display, "Description": text}
_INTERFACE: Final = one_of("Any", "Wired", "Wireless", "RemoteAccess")
_SECURITY: Final = one_of("None", "Request", "Require")
_CONDITIONS: Final[dict[str, Check]] = {
    "LocalAddress": address,
    "RemoteAddress": address,
    "Protocol": protocol,
    "LocalPort": port,
    "RemotePort": port,
    "InterfaceType": _INTERFACE,
}
_IKE: Final = ("DES", "DES3", "AES128", "AES192", "AES256")
_GROUPS: Final = ("DH1", "DH2", "DH14", "DH19", "DH20", "DH24")
_HASH: Final = one_of("None", "MD5", "SHA1", "SHA256", "AESGMAC128", "AESGMAC192", "AESGMAC256")

SIGNATURES: Final[dict[str, dict[str, Check]]] = {
    "New-NetFirewallRule": {
        **_SET,
        **_CONDITIONS,
        "Direction": one_of("Inbound", "Outbound"),
        "Action": one_of("Allow", "Block", "NotConfigured"),
        "Enabled": one_of("True", "False"),
        "Profile": one_of("Any", "Domain", "Private", "Public", "NotApplicable"),
    },
    "New-NetIPsecRule": {
        **{name: check for name, check in _SET.items() if name != "Name"},
        "IPsecRuleName": text,
        **_CONDITIONS,
        "Mode": one_of("None", "Tunnel", "Transport"),
        "InboundSecurity": _SECURITY,
        "OutboundSecurity": _SECURITY,
        "QuickModeCryptoSet": text,
        "Phase1AuthSet": text,
        "KeyModule": one_of("Default", "IKEv1", "AuthIP", "IKEv2"),
        "LocalTunnelEndpoint": address,
        "RemoteTunnelEndpoint": address,
    },
    "New-NetIPsecAuthProposal": {
        "Machine": lambda _: False,  # switches take no value
        "Kerberos": lambda _: False,
        "Cert": lambda _: False,
        "AccountMapping": lambda _: False,
        "ExcludeCAName": lambda _: False,
        "PreSharedKey": text,
        "Authority": text,
        "AuthorityType": one_of("Root", "Intermediate"),
    },
    "New-NetIPsecPhase1AuthSet": {**_SET, "Proposal": made_by("New-NetIPsecAuthProposal")},
    "New-NetIPsecMainModeCryptoProposal": {
        "Encryption": one_of(*_IKE),
        "Hash": one_of("MD5", "SHA1", "SHA256", "SHA384"),
        "KeyExchange": one_of(*_GROUPS),
    },
    "New-NetIPsecMainModeCryptoSet": {
        **_SET,
        "Proposal": made_by("New-NetIPsecMainModeCryptoProposal"),
        "MaxMinutes": number(0, 2879),
        "MaxSessions": number(0, 2147483647),
    },
    "New-NetIPsecMainModeRule": {
        **_SET,
        "MainModeCryptoSet": text,
        "Phase1AuthSet": text,
        "LocalAddress": address,
        "RemoteAddress": address,
    },
    "New-NetIPsecQuickModeCryptoProposal": {
        "Encapsulation": one_of("AH", "ESP"),
        "AHHash": _HASH,
        "ESPHash": _HASH,
        "Encryption": one_of("None", *_IKE, "AESGCM128", "AESGCM192", "AESGCM256"),
        "MaxKiloBytes": number(20480, 2147483647),
        "MaxMinutes": number(5, 2879),
    },
    "New-NetIPsecQuickModeCryptoSet": {
        **_SET,
        "Proposal": made_by("New-NetIPsecQuickModeCryptoProposal"),
        "PerfectForwardSecrecyGroup": one_of("None", *_GROUPS, "SameAsMainMode"),
    },
}
LISTS: Final = ("LocalAddress", "RemoteAddress", "LocalPort", "RemotePort", "Proposal", "Encapsulation")
LONGEST: Final = 200  # not documented; people who import lists of addresses meet a limit of about a thousand
PARAMETER_SETS: Final = ({"Kerberos", "Machine"}, {"Machine", "PreSharedKey"})
VALID_PAIRS: Final = (
    ("None", "None"),
    ("Request", "None"),
    ("Request", "Request"),
    ("Require", "Request"),
    ("Require", "Require"),
)


def faults(commands: list[Command]) -> list[str]:
    """Return what Windows would refuse, or take for something else."""
    found = []
    names: dict[str, set[str]] = {}
    for command in commands:
        known = SIGNATURES.get(command.name)
        if known is None:
            found.append(f"{command.name} is not known")
            continue
        for parameter, values in command.parameters.items():
            check = known.get(parameter)
            if check is None:
                found.append(f"{command.name} has no -{parameter}")
            elif values is None:
                if command.name != "New-NetIPsecAuthProposal" or parameter in ("PreSharedKey", "Authority", "AuthorityType"):
                    found.append(f"-{parameter} of {command.name} is no switch")
            elif len(values) > LONGEST:
                found.append(f"-{parameter} with {len(values)} values")
            elif len(values) > 1 and parameter not in LISTS:
                found.append(f"-{parameter} takes one value, not {values}")
            else:
                found += [f"-{parameter} {value!r} of {command.name}" for value in values if not check(value)]
        if "DisplayName" in known:
            if "DisplayName" not in command.parameters:
                found.append(f"{command.name} without -DisplayName")
            taken = names.setdefault(command.name, set())
            if command.Name in taken:
                found.append(f"the name {command.Name} stands twice")
            taken.add(command.Name)
        found += _together(command, names)
    return found


def _together(command: Command, names: dict[str, set[str]]) -> list[str]:
    """What parameters have to do with each other, and with what was made before."""
    given = {name: values or [] for name, values in command.parameters.items()}
    found = []
    ports = [*given.get("LocalPort", []), *given.get("RemotePort", [])]
    if ports and given.get("Protocol") not in (["TCP"], ["UDP"]):
        found.append("ports without TCP or UDP")
    if command.name == "New-NetIPsecAuthProposal":
        kinds = set(given)
        if kinds not in PARAMETER_SETS and not ({"Machine", "Cert", "Authority"} <= kinds and "PreSharedKey" not in kinds):
            found.append(f"no way to authenticate: {sorted(kinds)}")
    if command.name == "New-NetIPsecRule":
        pair = given["InboundSecurity"][0], given["OutboundSecurity"][0]
        if pair not in VALID_PAIRS:
            found.append(f"{pair} do not go together")
        secure = pair != ("None", "None")
        if secure and any("-" in port for port in ports):
            found.append("a range of ports in a rule that secures")
        if secure != ("Phase1AuthSet" in given and "QuickModeCryptoSet" in given):
            found.append("sets are for rules that secure, and only for these")
        tunnel = {"LocalTunnelEndpoint", "RemoteTunnelEndpoint"} & set(given)
        if (given["Mode"] == ["Tunnel"]) != (len(tunnel) == 2) or (tunnel and ("Protocol" in given or ports)):
            found.append("a tunnel has two endpoints, and no protocol")
        if not secure and tunnel:
            found.append("an exemption is no tunnel")
    if command.name == "New-NetIPsecQuickModeCryptoProposal":
        ah, esp = (word in given["Encapsulation"] for word in ("AH", "ESP"))
        if ah != ("AHHash" in given) or esp != ("Encryption" in given and "ESPHash" in given):
            found.append("hashes that do not fit the encapsulation")
        if ah and esp and given["AHHash"] != given["ESPHash"]:
            found.append("different hashes of AH and ESP")
        if esp and given["ESPHash"] == given["Encryption"] == ["None"]:
            found.append("ESP that does nothing")
    for parameter, maker in (
        ("Phase1AuthSet", "New-NetIPsecPhase1AuthSet"),
        ("QuickModeCryptoSet", "New-NetIPsecQuickModeCryptoSet"),
        ("MainModeCryptoSet", "New-NetIPsecMainModeCryptoSet"),
    ):
        found += [f"there is no set {value}" for value in given.get(parameter, []) if value not in names.get(maker, set())]
    return found
