"""A policy as a PowerShell script for Windows Firewall with Advanced Security, the successor that Microsoft names.

What the policy blocks becomes rules that block, cut so that they hold nothing that the policy lets pass: in that firewall a block
beats every allow. What it allows becomes no rule, as a rule that allows would open the firewall where the policy never did. What
it protects becomes IPsec rules with their sets, and exemptions for what is allowed within. Cmdlets and values are those of
Microsoft's documentation of the NetSecurity module.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from ipaddress import IPv4Address, IPv6Address
from itertools import product as cartesian
from typing import Final

from pastore.export.gathering import SecretsWithheldError, Written, rules_with_keys
from pastore.export.powershell import Code, Value, command, quoted, shown
from pastore.export.protecting import Protected, Settings, protected, seen_from_here
from pastore.export.wfas_regions import (
    ANY_PORTS,
    ANY_PROTOCOL,
    EVERY,
    LIMIT,
    Part,
    blocked,
    exempt,
    secured,
    unicast,
)
from pastore.filters.boxes import Box, Range, TooManyBoxesError, products
from pastore.filters.expand import Expansion, PolicyFilter
from pastore.filters.specific import IN, OUT
from pastore.findings import Finding, Severity
from pastore.model import Action, Algorithm, AuthKind, AuthMethod, Offer, Origin, Policy

_DIRECTIONS: Final = {IN: "Inbound", OUT: "Outbound"}
_PROTOCOLS: Final = {6: "TCP", 17: "UDP"}
_TYPES: Final = {(0, 1): ("Any",), (0, 0): ("Wired", "Wireless"), (1, 1): ("RemoteAccess",)}
_HASHES: Final = {1: "MD5", 2: "SHA1"}
_IKE_CIPHERS: Final = {1: "DES", 2: "DES3", 3: "DES3"}
_ESP_CIPHERS: Final = {0: "None", 1: "DES", 3: "DES3"}
_GROUPS: Final = {1: "DH1", 2: "DH2", 14: "DH14"}
_SECURITY: Final = {  # inpass, soft
    (False, False): ("Require", "Require"),
    (False, True): ("Require", "Request"),
    (True, True): ("Request", "Request"),
    (True, False): ("Require", "Require"),  # there is no Request and Require
}
_MINUTES: Final = (1, 2879)
_QM_MINUTES: Final = (5, 2879)
_QM_KILOBYTES: Final = (20480, 2147483647)
_MOST_SESSIONS: Final = 2147483647
_LONGEST_LIST: Final = 200  # ranges of a rule: people who import lists of thousands find that Windows refuses about a thousand
_MOST_PORTS: Final = 64  # single ports that a range is written as
_UNWRITABLE: Final = re.compile("[\0\ud800-\udfff]")
_STORE: Final = ("PolicyStore", Code("$PolicyStore"))
_GROUP: Final = ("Group", Code("$Group"))

_HEAD: Final = """\
# IPsec policy {name}, written by pastore for Windows Firewall with Advanced Security.
# Run it as an administrator. Run again, it replaces what it made. -PolicyStore domain\\GPO writes into a Group Policy object.
[CmdletBinding()]
param([string] $PolicyStore = 'PersistentStore')

$ErrorActionPreference = 'Stop'
$Group = {group}

Get-NetFirewallRule -PolicyStore $PolicyStore | Where-Object Group -EQ $Group | Remove-NetFirewallRule
Get-NetIPsecRule -PolicyStore $PolicyStore | Where-Object Group -EQ $Group | Remove-NetIPsecRule
Get-NetIPsecMainModeRule -PolicyStore $PolicyStore | Where-Object Group -EQ $Group | Remove-NetIPsecMainModeRule
Get-NetIPsecMainModeCryptoSet -PolicyStore $PolicyStore | Where-Object Group -EQ $Group | Remove-NetIPsecMainModeCryptoSet
Get-NetIPsecQuickModeCryptoSet -PolicyStore $PolicyStore | Where-Object Group -EQ $Group | Remove-NetIPsecQuickModeCryptoSet
Get-NetIPsecPhase1AuthSet -PolicyStore $PolicyStore | Where-Object Group -EQ $Group | Remove-NetIPsecPhase1AuthSet
"""


def write(policy: Policy, expansion: Expansion, *, secrets: bool = False) -> Written:
    """Return a policy as a script in UTF-8 with a byte order mark, and a PA420 for everything that cannot be expressed.

    Parameters
    ----------
    policy : Policy
    expansion : Expansion
        Of that policy.
    secrets : bool
        Whether pre-shared keys may be written.

    Raises
    ------
    pastore.export.SecretsWithheldError
        If an active rule has a pre-shared key and `secrets` is False.
    ValueError
        If a pre-shared key is not known, or what is blocked is too ragged to be cut exactly.
    """
    keyed = rules_with_keys(policy)
    for rule in policy.rules:
        if rule in keyed and not secrets:
            raise SecretsWithheldError(f"rule {rule.label!r} has a pre-shared key")
        if any(method.kind == AuthKind.PRESHARED_KEY and method.key is None for method in rule.auth_methods):
            raise ValueError(f"the pre-shared key of rule {rule.label!r} is not known")
        texts = [method.key.reveal() if method.key else method.certificate_authority for method in rule.auth_methods]
        if any(_UNWRITABLE.search(text) for text in texts):
            raise ValueError(f"a key or an authority of rule {rule.label!r} holds a character that cannot be written")
    writer = _Writer(policy, expansion)
    try:
        lines = writer.lines()
    except TooManyBoxesError:
        raise ValueError(f"what it blocks and lets pass is so ragged that it takes more than {LIMIT} rules") from None
    return Written(("\ufeff" + "".join(f"{line}\r\n" for line in lines)).encode("utf-8"), tuple(writer.findings))


class _Writer:
    def __init__(self, policy: Policy, expansion: Expansion) -> None:
        self.findings: list[Finding] = []
        self._policy = policy
        self._filters = expansion.filters
        self._told: set[tuple[str, str]] = set()
        self._whole, self._halves = protected(expansion)
        self._number = 0
        self._auth: dict[tuple[AuthMethod, ...], str] = {}  # variables that hold the sets, empty where there is none
        self._quick: dict[tuple[Offer, ...], str] = {}

    def lines(self) -> list[str]:
        """Return the whole script."""
        head = _HEAD.format(name=shown(self._policy.name), group=quoted(f"pastore {{{self._policy.guid}}}"))
        blocks, protects = list(self._blocks()), list(self._protects())
        return [
            *head.splitlines(),
            *(["", "# What is blocked. Everything else is left to the rules that are there."] if blocks else []),
            *blocks,
            *(["", "# What is protected, and what is exempt from that."] if protects else []),
            *protects,
        ]

    # Rules that block

    def _blocks(self) -> Iterator[str]:
        owner: dict[int, object] = {at: self._label(at) for at in range(len(self._filters))}
        self._one_way()
        for way, direction in _DIRECTIONS.items():
            parts = [part for family in (4, 6) for part in blocked(self._filters, way, family, owner)]
            for families, part in _of_both(parts):
                for name, interface, piece in self._named(part):
                    yield from self._each_protocol(
                        "New-NetFirewallRule",
                        piece,
                        name,
                        ("DisplayName", _display(self._label(part.row))),
                        ("Direction", direction),
                        ("Action", "Block"),
                        ("InterfaceType", interface),
                        *_ends(families, piece.product[0], piece.product[1]),
                        *_ports(piece.product[3], piece.product[4]),
                    )

    def _one_way(self) -> None:
        """Say which filters block one way only: a firewall that judges connections lets the answers of the other way pass."""
        ways: dict[object, set[int]] = {}
        for row in self._filters.rows[self._filters["action"] == Action.BLOCK]:
            for way, conditions in seen_from_here(row):
                ways.setdefault(conditions, set()).add(way)
        for at in (self._filters["action"] == Action.BLOCK).nonzero()[0].tolist():
            if any(len(ways[conditions]) == 1 for _, conditions in seen_from_here(self._filters.rows[at])):
                self._say(
                    "it blocks one way only: Windows Firewall judges connections by their first packet, and what answers a "
                    "connection the other way passes",
                    self._filters.source(at),
                )

    def _named(self, part: Part) -> Iterator[tuple[str, str, Part]]:
        """Yield a name for each rule that a part takes, with its interface type and what of the part it is."""
        for local, remote, types, lports, rports in cartesian(*(_short(ranges) for ranges in part.product)):
            for interface in (name for one in types for name in _TYPES[one]):
                yield self._name(), interface, part._replace(product=(local, remote, types, lports, rports))

    def _name(self) -> str:
        self._number += 1
        return f"pastore-{self._policy.guid}-{self._number}"

    def _each_protocol(
        self, cmdlet: str, part: Part, name: str, *parameters: tuple[str, Value], key: str = "Name"
    ) -> Iterator[str]:
        """Yield a command, or a loop over protocols with it."""
        start = (_STORE, _GROUP)
        if part.protocols is None:
            yield f"{command(cmdlet, *start, (key, name), *parameters)} | Out-Null"
        elif len(part.protocols) == 1:
            number = part.protocols[0]
            protocol = ("Protocol", _PROTOCOLS.get(number, str(number)))
            yield f"{command(cmdlet, *start, (key, name), *parameters, protocol)} | Out-Null"
        else:
            named = (key, Code(f"({quoted(name + '-{0}')} -f $Protocol)"))
            line = command(cmdlet, *start, named, *parameters, ("Protocol", Code("$Protocol")))
            yield f"foreach ($Protocol in {_listed(part.protocols)}) {{ {line} | Out-Null }}"

    # IPsec

    def _protects(self) -> Iterator[str]:
        for half in self._halves:
            why = (
                "it is a tunnel, and which endpoint is this computer is not known: give --me"
                if half.direction == "both"
                else f"it protects what {'comes in' if half.direction == 'in' else 'goes out'} only; IPsec rules hold both ways"
            )
            self._say(f"{why}; the filter is left out", half.source, is_error=True)
        written: list[tuple[Protected, list[Box]]] = []
        rules: list[str] = []
        sets: list[str] = []
        for each in self._whole:
            names = self._sets_of(each.settings, each.source, sets)
            if names is None or not self._can(each):
                continue
            boxes, exact = secured(each, unicast(self._filters, each.conditions[0]), self._whole[: self._whole.index(each)])
            if not exact:
                self._say(
                    "another filter protects a part of it otherwise, and rules for IPsec have no ranges of ports: which of the "
                    "two rules Windows takes there is not documented",
                    each.source,
                )
            if boxes:
                written.append((each, boxes))
                rules += self._secure(each, boxes, *names)
        yield from sets
        yield from self._main_mode([each for each, _ in written])
        yield from rules
        for family in (4, 6):
            secure = [(each.rank, box) for each, boxes in written if each.conditions[0] == family for box in boxes]
            if secure:
                yield from self._exempt(family, secure)

    def _can(self, each: Protected) -> bool:
        _, protocols, _, _, lports, rports, _ = each.conditions
        if each.endpoints and (protocols != ANY_PROTOCOL or lports != ANY_PORTS or rports != ANY_PORTS):
            self._say("a tunnel takes every protocol and port; the filter is left out", each.source, is_error=True)
            return False
        if any(ports != ANY_PORTS and ports[1] - ports[0] >= _MOST_PORTS for ports in (lports, rports)):
            self._say(
                f"rules for IPsec have no ranges of ports, and more than {_MOST_PORTS} single ones are not written; "
                "the filter is left out",
                each.source,
                is_error=True,
            )
            return False
        return True

    def _secure(self, each: Protected, boxes: list[Box], auth: str, quick: str) -> Iterator[str]:
        settings = each.settings
        if settings.inpass and not settings.soft:
            self._say(
                "clear text cannot be accepted inbound and refused outbound: it is refused both ways", each.source, is_error=True
            )
        inbound, outbound = _SECURITY[settings.inpass, settings.soft]
        tunnel: list[tuple[str, Value]] = []
        if each.endpoints:
            ends = zip(("LocalTunnelEndpoint", "RemoteTunnelEndpoint"), each.endpoints, strict=True)
            tunnel = [(name, str(address)) for name, address in ends]
        for part in _protocol_parts(each.conditions[0], ((each.rank, box) for box in boxes)):
            for name, interface, piece in self._named(part):
                yield from self._each_protocol(
                    "New-NetIPsecRule",
                    piece,
                    name,
                    ("DisplayName", _display(self._label(each.rank))),
                    ("Mode", "Tunnel" if each.endpoints else "Transport"),
                    *tunnel,
                    ("InboundSecurity", inbound),
                    ("OutboundSecurity", outbound),
                    ("Phase1AuthSet", Code(f"${auth}.Name")),
                    ("QuickModeCryptoSet", Code(f"${quick}.Name")),
                    ("InterfaceType", interface),
                    *_ends((each.conditions[0],), piece.product[0], piece.product[1]),
                    *_ports(piece.product[3], piece.product[4], single=True),
                    key="IPsecRuleName",
                )

    def _exempt(self, family: int, secure: list[tuple[int, Box]]) -> Iterator[str]:
        boxes, one_way = exempt(self._filters, family, secure)
        for at in one_way:
            self._say(
                "it allows one way what is protected the other way, and IPsec rules hold both ways: it stays protected",
                self._filters.source(at),
                is_error=True,
            )
        for part in _protocol_parts(family, boxes):
            for name, interface, piece in self._named(part):
                yield from self._each_protocol(
                    "New-NetIPsecRule",
                    piece,
                    name,
                    ("DisplayName", _display(self._label(part.row))),
                    ("Mode", "Transport"),
                    ("InboundSecurity", "None"),
                    ("OutboundSecurity", "None"),
                    ("InterfaceType", interface),
                    *_ends((family,), piece.product[0], piece.product[1]),
                    *_ports(piece.product[3], piece.product[4]),
                    key="IPsecRuleName",
                )

    # Sets

    def _sets_of(self, settings: Settings, source: PolicyFilter, lines: list[str]) -> tuple[str, str] | None:
        """Return the variables that hold the sets of some settings, made where they are new; None if there can be none."""
        if settings.auth_methods not in self._auth:
            variable = f"Auth{len(self._auth) + 1}"
            made = self._auth_set(variable, settings.auth_methods, source)
            self._auth[settings.auth_methods] = variable if made else ""
            lines += made
        if settings.offers not in self._quick:
            variable = f"Quick{len(self._quick) + 1}"
            made = self._quick_set(variable, settings.offers, source)
            self._quick[settings.offers] = variable if made else ""
            lines += made
        auth, quick = self._auth[settings.auth_methods], self._quick[settings.offers]
        if auth and quick:
            return auth, quick
        what = "security method" if auth else "authentication method"
        self._say(f"no {what} of it is known to Windows Firewall; the filter is left out", source, is_error=True)
        return None

    def _auth_set(self, variable: str, methods: tuple[AuthMethod, ...], source: PolicyFilter) -> list[str]:
        proposals = []
        for method in methods:
            if method.kind == AuthKind.KERBEROS:
                proposals.append(command("New-NetIPsecAuthProposal", ("Machine", None), ("Kerberos", None)))
            elif method.kind == AuthKind.PRESHARED_KEY:
                assert method.key is not None
                key = ("PreSharedKey", method.key.reveal())
                proposals.append(command("New-NetIPsecAuthProposal", ("Machine", None), key))
            elif method.kind == AuthKind.CERTIFICATE and method.certificate_authority:
                switches: list[tuple[str, Value]] = [("AccountMapping", None)] if method.account_mapping else []
                switches += [("ExcludeCAName", None)] if method.exclude_ca_name else []
                authority: list[tuple[str, Value]] = [("Authority", method.certificate_authority), ("AuthorityType", "Root")]
                proposals.append(command("New-NetIPsecAuthProposal", ("Machine", None), ("Cert", None), *authority, *switches))
            else:
                self._say("an authentication method is unknown and left out", source, is_error=True)
        return self._set("New-NetIPsecPhase1AuthSet", variable, proposals)

    def _quick_set(self, variable: str, offers: tuple[Offer, ...], source: PolicyFilter) -> list[str]:
        proposals = []
        for offer in offers:
            parameters = self._algorithms(offer, source)
            if parameters:
                proposals.append(command("New-NetIPsecQuickModeCryptoProposal", *parameters, *self._lives(offer, source)))
        if len({offer.pfs for offer in offers}) > 1:
            self._say("perfect forward secrecy is for all security methods or none; it is for all", source)
        group = "SameAsMainMode" if any(offer.pfs for offer in offers) else "None"
        more: tuple[tuple[str, Value], ...] = (("PerfectForwardSecrecyGroup", group),)
        return self._set("New-NetIPsecQuickModeCryptoSet", variable, proposals, *more)

    def _algorithms(self, offer: Offer, source: PolicyFilter) -> list[tuple[str, Value]]:
        by_transform: dict[str, Algorithm] = {}
        for algorithm in offer.algorithms:
            if by_transform.setdefault(algorithm.transform, algorithm) is not algorithm:
                self._say("a security method has two algorithms of one kind; it is left out", source, is_error=True)
                return []
        ah, esp = by_transform.get("ah"), by_transform.get("esp")
        found: list[tuple[str, Value]] = []
        if ah:
            found.append(("AHHash", _HASHES.get(ah.algorithm, "")))
        if esp:
            known = {**_HASHES, 0: "None"}
            found += [("ESPHash", known.get(esp.integrity, "")), ("Encryption", _ESP_CIPHERS.get(esp.algorithm, ""))]
        values = dict(found)
        why = ""
        if not found or "" in values.values():
            why = "is unknown"
        elif esp and values["ESPHash"] == values["Encryption"] == "None":
            why = "neither encrypts nor has integrity"
        elif ah and esp and values["AHHash"] != values["ESPHash"]:
            why = "has different hashes for AH and ESP"
        if why:
            self._say(f"a security method {why}; it is left out", source, is_error=True)
            return []
        encapsulation: Sequence[str] = [Code(name) for name, part in (("AH", ah), ("ESP", esp)) if part]
        return [("Encapsulation", encapsulation), *found]

    def _lives(self, offer: Offer, source: PolicyFilter) -> Iterator[tuple[str, Value]]:
        for name, given, bounds, what in (
            ("MaxMinutes", -(-offer.lifetime_seconds // 60), _QM_MINUTES, f"{offer.lifetime_seconds} seconds"),
            ("MaxKiloBytes", offer.lifetime_kilobytes, _QM_KILOBYTES, f"{offer.lifetime_kilobytes} kilobytes"),
        ):
            if not given:
                continue  # the default, there as here
            taken = min(max(given, bounds[0]), bounds[1])
            exact = offer.lifetime_seconds == taken * 60 if name == "MaxMinutes" else given == taken
            if not exact:
                self._say(
                    f"a lifetime of {what} is written as {taken} {'minutes' if name == 'MaxMinutes' else 'kilobytes'}", source
                )
            yield name, str(taken)

    def _main_mode(self, written: list[Protected]) -> Iterator[str]:
        if not written:
            return
        main_mode = self._policy.main_mode
        if main_mode is None:
            self._about_policy("the settings of the key exchange are missing; Windows takes its own", is_error=True)
            return
        proposals = []
        for method in main_mode.methods:
            names = (_IKE_CIPHERS.get(method.encryption), _HASHES.get(method.hash), _GROUPS.get(method.group))
            if None in names:
                self._about_policy("a method of the key exchange is unknown and left out", main_mode.origin, is_error=True)
                continue
            keys = zip(("Encryption", "Hash", "KeyExchange"), map(str, names), strict=True)
            proposals.append(command("New-NetIPsecMainModeCryptoProposal", *keys))
        minutes = -(-main_mode.lifetime_seconds // 60)
        taken = min(max(minutes, _MINUTES[0]), _MINUTES[1])
        if taken * 60 != main_mode.lifetime_seconds and main_mode.lifetime_seconds:
            message = f"a main mode lifetime of {main_mode.lifetime_seconds} seconds is written as {taken} minutes"
            self._about_policy(message, main_mode.origin)
        sessions = 1 if main_mode.pfs else min(main_mode.quick_mode_limit, _MOST_SESSIONS)
        life: list[tuple[str, Value]] = [("MaxMinutes", str(taken))] if main_mode.lifetime_seconds else []
        made = self._set(
            "New-NetIPsecMainModeCryptoSet", "Main", list(dict.fromkeys(proposals)), *life, ("MaxSessions", str(sessions))
        )
        if not made:
            self._about_policy(
                "no method of the key exchange can be written; Windows takes its own", main_mode.origin, is_error=True
            )
            return
        yield from made
        for methods in dict.fromkeys(each.settings.auth_methods for each in written):
            of_set = [each.conditions for each in written if each.settings.auth_methods == methods]
            for family in (4, 6):
                ends = products((part[2], part[3]) for part in of_set if part[0] == family)
                for local, remote in (pair for whole in ends for pair in cartesian(*map(_short, whole))):
                    name = self._name()
                    made_rule = command(
                        "New-NetIPsecMainModeRule",
                        _STORE,
                        _GROUP,
                        ("Name", name),
                        ("DisplayName", f"Main mode {self._number}"),
                        ("MainModeCryptoSet", Code("$Main.Name")),
                        ("Phase1AuthSet", Code(f"${self._auth[methods]}.Name")),
                        *_ends((family,), local, remote),
                    )
                    yield f"{made_rule} | Out-Null"

    def _set(self, cmdlet: str, variable: str, proposals: list[str], *parameters: tuple[str, Value]) -> list[str]:
        if not proposals:
            return []
        names = [Code(f"${variable}Proposal{number}") for number in range(1, len(proposals) + 1)]
        lines = [f"{name} = {proposal}" for name, proposal in zip(names, proposals, strict=True)]
        made = command(
            cmdlet,
            _STORE,
            _GROUP,
            ("Name", self._name()),
            ("DisplayName", _display(f"{self._policy.name or 'policy'}, {variable}")),
            ("Proposal", names),
            *parameters,
        )
        return [*lines, f"${variable} = {made}"]

    # Names and findings

    def _label(self, at: int) -> str:
        source = self._filters.source(at)
        return (source.rule or source.text) if source else f"row {at}"

    def _say(self, message: str, source: object, *, is_error: bool = False) -> None:
        if not isinstance(source, PolicyFilter):
            self._about_policy(message, is_error=is_error)
        elif (message, f"{source.node.guid} {source.text}") not in self._told:
            self._told.add((message, f"{source.node.guid} {source.text}"))
            severity = Severity.ERROR if is_error else Severity.WARNING
            origin = source.filter.origin
            self.findings.append(Finding("PA420", message, origin, source.rule, source.text, severity=severity))

    def _about_policy(self, message: str, origin: Origin | None = None, *, is_error: bool = False) -> None:
        if (message, "") not in self._told:
            self._told.add((message, ""))
            severity = Severity.ERROR if is_error else Severity.WARNING
            self.findings.append(Finding("PA420", message, origin or self._policy.origin, severity=severity))


def _display(label: str) -> str:
    """Return a name that Windows takes for what it is: no separator, no resource, and not every rule at once."""
    text = shown(label).replace("|", "/").strip()
    return f"rule {text}" if not text or text.startswith("@") or text.lower() == "all" else text


def _of_both(parts: list[Part]) -> Iterator[tuple[tuple[int, ...], Part]]:
    """Yield parts with their IP versions; two that hold everything of either version alike are one of both."""
    whole: dict[object, set[int]] = {}
    for part in parts:
        if _is_everywhere(part):
            whole.setdefault((part.protocols, part.product[2:]), set()).add(part.family)
    for part in parts:
        families = whole.get((part.protocols, part.product[2:]), set()) if _is_everywhere(part) else set()
        if families != {4, 6}:
            yield (part.family,), part
        elif part.family == 4:
            yield (4, 6), part


def _short(ranges: tuple[Range, ...]) -> list[tuple[Range, ...]]:
    """Return ranges in lists that one rule takes."""
    return [ranges[at : at + _LONGEST_LIST] for at in range(0, len(ranges), _LONGEST_LIST)]


def _is_everywhere(part: Part) -> bool:
    return part.product[0] == part.product[1] == (EVERY[part.family],)


def _protocol_parts(family: int, boxes: Iterable[tuple[int, Box]]) -> Iterator[Part]:
    """Yield parts of boxes that have a protocol, those of one row with the same protocols joined."""
    groups: dict[tuple[int, Range], list[Box]] = {}
    for at, box in boxes:
        groups.setdefault((at, box[3]), []).append((*box[:3], *box[4:]))
    for (at, protocols), members in groups.items():
        numbers = None if protocols == ANY_PROTOCOL else tuple(range(protocols[0], protocols[1] + 1))
        for product in products(members):
            yield Part(family, numbers, product, at)


def _ends(families: tuple[int, ...], local: tuple[Range, ...], remote: tuple[Range, ...]) -> Iterator[tuple[str, Value]]:
    """Yield the addresses of a rule; where both ends are any, the remote one says of which IP version."""
    if len(families) > 1:
        return
    (family,) = families
    for name, ranges in (("LocalAddress", local), ("RemoteAddress", remote)):
        if ranges != (EVERY[family],) or (name == "RemoteAddress" and local == (EVERY[family],)):
            yield name, [_address(family, low, high) for low, high in ranges]


def _address(family: int, low: int, high: int) -> str:
    kind = IPv4Address if family == 4 else IPv6Address
    size = high - low + 1
    if size == 1:
        return str(kind(low))
    length = (32 if family == 4 else 128) - size.bit_length() + 1
    if size & (size - 1) or low % size or not length:
        return f"{kind(low)}-{kind(high)}"
    return f"{kind(low)}/{length}"


def _ports(local: tuple[Range, ...], remote: tuple[Range, ...], *, single: bool = False) -> Iterator[tuple[str, Value]]:
    for name, ranges in (("LocalPort", local), ("RemotePort", remote)):
        if ranges == (ANY_PORTS,):
            continue
        if single:
            yield name, [str(port) for low, high in ranges for port in range(low, high + 1)]
        else:
            yield name, [str(low) if low == high else f"{low}-{high}" for low, high in ranges]


def _listed(numbers: tuple[int, ...]) -> str:
    """Return numbers as an expression: ``(0..5) + (7..16)``."""
    runs: list[list[int]] = []
    for number in numbers:
        if runs and number == runs[-1][1] + 1:
            runs[-1][1] = number
        else:
            runs.append([number, number])
    return " + ".join(f"({low}..{high})" if low != high else f"@({low})" for low, high in runs)
