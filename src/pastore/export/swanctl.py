"""What a policy protects, as a swanctl.conf for strongSwan.

A connection for each way to authenticate and each tunnel, in IKEv1 as Windows speaks it; a child for each pair of traffic
selectors, since a quick mode of IKEv1 negotiates one pair. Children are trapped: the first packet starts the negotiation, and
nothing passes in clear text. What the policy allows or blocks before it protects is a child that passes or drops. Priorities are
the order in which the policy tries its filters. What only blocks or allows is the business of `pastore.export.nftables`.
"""

import re
from base64 import b64encode
from collections import Counter
from collections.abc import Iterator
from ipaddress import IPv4Address, IPv6Address, summarize_address_range
from typing import Final

from pastore.export.gathering import Written
from pastore.export.protecting import Conditions, Protected, Settings, is_about_me, protected, seen_from_here
from pastore.filters.boxes import Range
from pastore.filters.expand import Expansion, PolicyFilter
from pastore.filters.specific import EXEMPTIONS
from pastore.findings import Finding, Severity
from pastore.findings.render import printable
from pastore.model import Action, AuthKind, AuthMethod, Offer, Origin, Policy

_IKE_CIPHERS: Final = {1: "des", 2: "3des", 3: "3des"}
_HASHES: Final = {1: "md5", 2: "sha1"}
_GROUPS: Final = {1: "modp768", 2: "modp1024", 14: "modp2048"}
_ESP_CIPHERS: Final = {0: "null", 1: "des", 3: "3des"}
_EVERY: Final = {4: (0, (1 << 32) - 1), 6: (0, (1 << 128) - 1)}
_ANY_PORTS: Final = (0, 65535)
_ANY_PROTOCOL: Final = (0, 255)
_MM_LIFETIME: Final = 28800  # seconds, where the policy says 0
_QM_LIFETIME: Final = 3600
_MOST_CHILDREN: Final = 256  # that one filter is written as
_FIRST_PRIORITY: Final = 1000
_PLAIN_KEY: Final = re.compile(r"(?!0[sx])[A-Za-z0-9 !%&()*+,./:;<=>?@^_|~-]+")
_WITHOUT: Final = ("isakmp", "multicast", "broadcast")  # exemptions that are the daemon's own, or of no unicast packet


def write(policy: Policy, expansion: Expansion, *, secrets: bool = False, me_known: bool = True) -> Written:
    """Return a swanctl.conf, and a PA422 for everything that strongSwan cannot express.

    Parameters
    ----------
    policy : Policy
    expansion : Expansion
        Of that policy.
    secrets : bool
        Whether pre-shared keys are written. Without them nothing is negotiated until the keys are there: nothing passes.
    me_known : bool
        Whether the policy was expanded for known addresses; otherwise ``me`` is what the daemon finds at run time.

    Raises
    ------
    ValueError
        If the policy protects nothing.
    """
    return _Writer(policy, expansion, secrets, me_known).written()


class _Writer:
    def __init__(self, policy: Policy, expansion: Expansion, secrets: bool, me_known: bool) -> None:
        self._policy = policy
        self._filters = expansion.filters
        self._secrets = secrets
        self._me_known = me_known
        self._findings: list[Finding] = []
        self._told: set[tuple[str, str]] = set()
        self._whole, self._halves = protected(expansion)
        self._number = 0
        self._children_named: Counter[int] = Counter()

    def written(self) -> Written:
        if not self._whole and not self._halves:
            raise ValueError("it protects nothing: strongSwan has no part in it")
        for half in self._halves:
            why = (
                "it is a tunnel, and which endpoint is this computer is not known: give --me"
                if half.direction == "both"
                else f"it protects what {'comes in' if half.direction == 'in' else 'goes out'} only, and IPsec policies of Linux "
                "hold both ways"
            )
            self._say(f"{why}; the filter is left out", half.source, is_error=True)
        connections = [line for connection in self._connections() for line in connection]
        shunts = self._shunts()
        keys = self._keys()
        lines = [
            f"# What IPsec policy {_comment(self._policy.name)} protects, written by pastore.",
            "",
            "connections {",
            *(f"    {line}".rstrip() for line in connections + shunts),
            "}",
        ]
        if keys:
            lines += ["", "secrets {", *(f"    {line}" for line in keys), "}"]
        return Written("".join(f"{line}\n" for line in lines).encode("utf-8"), tuple(self._findings))

    # Connections

    def _connections(self) -> Iterator[list[str]]:
        groups: dict[object, list[Protected]] = {}
        for each in self._whole:
            groups.setdefault((each.settings, each.endpoints, each.conditions[0]), []).append(each)
        proposals = self._proposals()
        for members in groups.values():
            yield from self._group(members, proposals)

    def _group(self, members: list[Protected], proposals: list[str]) -> Iterator[list[str]]:
        settings, source = members[0].settings, members[0].source
        self._differences(settings, members)
        esp, ah = self._offers(settings, source)
        methods = [method for method in settings.auth_methods if self._can(method, source)]
        if not methods or not (esp or ah) or not proposals:
            what = "authentication method" if not methods else "security method" if proposals else "method of the key exchange"
            for each in members:
                self._say(f"no {what} of it is known to strongSwan; the filter is left out", each.source, is_error=True)
            return
        children = [line for each in members for line in self._children(each, settings, esp, ah)]
        if not children:
            return
        if len(methods) > 1:
            self._say("each way to authenticate is a connection of its own; the first one is tried", source)
        for number, method in enumerate(methods):
            self._number += 1
            labels = dict.fromkeys(_comment(each.source.rule) for each in members)
            yield [
                *(f"# {label}" for label in labels),
                f"pastore-{self._number} {{",
                "    version = 1",
                *self._addresses(members),
                f"    proposals = {','.join(proposals)}",
                f"    rekey_time = {self._main_mode_lifetime()}s",
                *self._auth(method),
                "    children {",
                # Traps of the other connections would be the same ones.
                *(f"        {line}" for line in (children if not number else _untrapped(children))),
                "    }",
                "}",
            ]

    def _addresses(self, members: list[Protected]) -> Iterator[str]:
        endpoints = members[0].endpoints
        if endpoints:
            yield f"    local_addrs = {endpoints[0]}"
            yield f"    remote_addrs = {endpoints[1]}"
            return
        family = members[0].conditions[0]
        every = "%any" if family == 4 else "%any6"
        locals_ = dict.fromkeys(each.conditions[2] for each in members)
        # Without an address of its version the daemon takes IPv4 for the ends of a trap, and the kernel refuses it.
        if self._me_known and all(low == high for low, high in locals_):
            yield f"    local_addrs = {','.join(block.partition('/')[0] for part in locals_ for block in _blocks(family, part))}"
        else:
            yield f"    local_addrs = {every}"
        remotes = list(dict.fromkeys(each.conditions[3] for each in members))
        if len(remotes) == 1 and remotes[0][0] == remotes[0][1]:
            yield f"    remote_addrs = {_blocks(family, remotes[0])[0].partition('/')[0]}"
        elif _EVERY[family] in remotes or family == 6:
            # Networks of IPv6 beside it would be taken for IPv4 again.
            yield f"    remote_addrs = {every}"
        else:
            yield f"    remote_addrs = {','.join(block for part in remotes for block in _blocks(family, part))}"

    def _auth(self, method: AuthMethod) -> Iterator[str]:
        kind = "psk" if method.kind == AuthKind.PRESHARED_KEY else "pubkey"
        yield from ("    local {", f"        auth = {kind}", "    }", "    remote {", f"        auth = {kind}")
        if kind == "pubkey":
            yield f"        ca_id = {_quoted(method.certificate_authority)}"
        yield "    }"

    def _can(self, method: AuthMethod, source: PolicyFilter) -> bool:
        if method.kind == AuthKind.PRESHARED_KEY:
            return True
        if method.kind == AuthKind.CERTIFICATE:
            if not method.certificate_authority:
                self._say("a certificate authority has no name; the method is left out", source, is_error=True)
                return False
            if printable(method.certificate_authority) != method.certificate_authority:
                self._say("the name of a certificate authority holds a control character", source, is_error=True)
                return False
            if method.account_mapping:
                self._say("certificates are not mapped to accounts", source, is_error=True)
            return True
        what = "Kerberos" if method.kind == AuthKind.KERBEROS else f"authentication method {int(method.kind)}"
        self._say(f"strongSwan does not authenticate by {what}; the method is left out", source, is_error=True)
        return False

    def _differences(self, settings: Settings, members: list[Protected]) -> None:
        for each in members:
            if settings.soft:
                self._say(
                    "those who do not answer are not talked to in clear text: packets are dropped", each.source, is_error=True
                )
            if settings.inpass:
                self._say("clear text is not accepted inbound: packets are dropped", each.source, is_error=True)
            if each.conditions[6] != (0, 1):
                kind = "dial-up connections" if each.conditions[6] == (1, 1) else "the local network"
                self._say(f"the rule is for {kind} only; it is written for every interface", each.source, is_error=True)

    # Methods

    def _proposals(self) -> list[str]:
        main_mode = self._policy.main_mode
        if main_mode is None:
            self._about_policy("the settings of the key exchange are missing", is_error=True)
            return []
        found = []
        for method in main_mode.methods:
            names = _IKE_CIPHERS.get(method.encryption), _HASHES.get(method.hash), _GROUPS.get(method.group)
            if None in names:
                self._about_policy("a method of the key exchange is unknown and left out", main_mode.origin, is_error=True)
                continue
            found.append("-".join(str(name) for name in names))
        if main_mode.quick_mode_limit or main_mode.pfs:
            self._about_policy("a main mode is not limited to a number of quick modes", main_mode.origin)
        return list(dict.fromkeys(found))

    def _main_mode_lifetime(self) -> int:
        return (self._policy.main_mode.lifetime_seconds if self._policy.main_mode else 0) or _MM_LIFETIME

    def _offers(self, settings: Settings, source: PolicyFilter) -> tuple[list[str], list[str]]:
        esp, ah = [], []
        for offer in settings.offers:
            if len(offer.algorithms) != 1:
                self._say("AH and ESP in one security method are not known to strongSwan; it is left out", source, is_error=True)
                continue
            (algorithm,) = offer.algorithms
            group = self._pfs(offer)
            integrity = _HASHES.get(algorithm.algorithm if algorithm.transform == "ah" else algorithm.integrity)
            cipher = _ESP_CIPHERS.get(algorithm.algorithm)
            if algorithm.transform == "ah" and integrity:
                ah.append(integrity + group)
            elif algorithm.transform == "esp" and integrity and cipher:
                esp.append(f"{cipher}-{integrity}{group}")
            else:
                what = "has no integrity" if algorithm.transform == "esp" and cipher else "is unknown"
                self._say(f"a security method {what}; it is left out", source, is_error=True)
        if esp and ah:
            self._say("security methods of ESP are tried before those of AH", source)
        lives = {(offer.lifetime_seconds, offer.lifetime_kilobytes) for offer in settings.offers}
        if len(lives) > 1:
            self._say("security methods have one lifetime; that of the first is taken", source)
        return list(dict.fromkeys(esp)), list(dict.fromkeys(ah))

    def _pfs(self, offer: Offer) -> str:
        methods = self._policy.main_mode.methods if self._policy.main_mode else ()
        groups = [_GROUPS[method.group] for method in methods if method.group in _GROUPS]
        return f"-{groups[0]}" if offer.pfs and groups else ""

    # Children

    def _children(self, each: Protected, settings: Settings, esp: list[str], ah: list[str]) -> list[str]:
        first = settings.offers[0]
        lines = [f"mode = {'tunnel' if each.endpoints else 'transport'}"]
        lines += [f"esp_proposals = {','.join(esp)}"] if esp else []
        lines += [f"ah_proposals = {','.join(ah)}"] if ah else []
        lines.append(f"rekey_time = {first.lifetime_seconds or _QM_LIFETIME}s")
        lines += [f"rekey_bytes = {first.lifetime_kilobytes * 1024}"] if first.lifetime_kilobytes else []
        lines.append("start_action = trap")
        return self._children_of(each.conditions, each.source, each.rank, lines)

    def _children_of(self, conditions: Conditions, source: object, rank: int, settings: list[str]) -> list[str]:
        family, protocols, local, remote, lports, rports, _ = conditions
        if protocols[0] != protocols[1] and protocols != _ANY_PROTOCOL:
            protocols = _ANY_PROTOCOL  # rows of a policy have one protocol or any
        dynamic = not self._me_known and local == _EVERY[family] and isinstance(source, PolicyFilter) and is_about_me(source)
        pairs = [
            (one, other)
            for one in _selectors(family, protocols, None if dynamic else local, lports)
            for other in _selectors(family, protocols, remote, rports)
        ]
        if len(pairs) > _MOST_CHILDREN:
            self._say(
                f"it takes {len(pairs)} pairs of traffic selectors, more than the {_MOST_CHILDREN} that are written for one; "
                "the filter is left out",
                source,
                is_error=True,
            )
            return []
        lines = []
        for one, other in pairs:
            # A section that stands twice would be one with the settings of both.
            self._children_named[rank] += 1
            name = f"row-{rank}-{self._children_named[rank]}"
            selectors = [f"local_ts = {one}", f"remote_ts = {other}", f"priority = {_FIRST_PRIORITY + rank}"]
            lines += [f"{name} {{", *(f"    {line}" for line in selectors + settings), "}"]
        return lines

    def _shunts(self) -> list[str]:
        """Return what passes or is dropped within what is protected, because it comes first."""
        rows = [(at, Action(int(row["action"])), list(seen_from_here(row))) for at, row in enumerate(self._filters.rows)]
        directions: dict[tuple[Action, Conditions], set[int]] = {}
        for _, action, ways in rows:
            for way, conditions in ways:
                directions.setdefault((action, conditions), set()).add(way)
        lines: list[str] = []
        written: set[Conditions] = set()
        for at, action, ways in rows:
            if action is Action.PROTECT or EXEMPTIONS[int(self._filters["exempt"][at])] in _WITHOUT:
                continue
            later = [each.conditions for each in self._whole if each.rank > at]
            within = [conditions for _, conditions in ways if any(_meet(conditions, other) for other in later)]
            source = self._filters.source(at)
            for conditions in dict.fromkeys(within):
                if conditions in written:
                    continue
                if len(directions[action, conditions]) == 1:
                    what = "allows" if action is Action.ALLOW else "blocks"
                    self._say(
                        f"it {what} one way within what other rules protect, and IPsec policies of Linux hold both ways; "
                        "the filter is left out",
                        source,
                        is_error=True,
                    )
                    continue
                written.add(conditions)
                mode = "pass" if action is Action.ALLOW else "drop"
                lines += [f"# {_comment(source.rule or source.text)}"] if source else []
                lines += self._children_of(conditions, source, at, [f"mode = {mode}", "start_action = trap"])
        if not lines:
            return []
        return [
            "# What passes or is dropped before it is protected.",
            "pastore-shunts {",
            "    local_addrs = 127.0.0.1",
            "    remote_addrs = 127.0.0.1",
            "    children {",
            *(f"        {line}" for line in lines),
            "    }",
            "}",
        ]

    # Keys

    def _keys(self) -> list[str]:
        lines: list[str] = []
        known: dict[AuthMethod, list[Protected]] = {}
        for each in self._whole:
            for method in each.settings.auth_methods:
                if method.kind == AuthKind.PRESHARED_KEY:
                    known.setdefault(method, []).append(each)
        for number, (method, users) in enumerate(known.items(), 1):
            if method.key is None:
                self._say("the pre-shared key is not known and not written", users[0].source)
            if method.key is None or not self._secrets:
                continue
            key = method.key.reveal()
            if not key.isascii():
                self._say(
                    "the pre-shared key is not ASCII and written in UTF-8: not every peer takes the same bytes", users[0].source
                )
            lines += [f"ike-{number} {{", f"    secret = {_key(key)}", *self._identities(users), "}"]
        return lines

    @staticmethod
    def _identities(users: list[Protected]) -> Iterator[str]:
        found: dict[str, None] = {}
        for each in users:
            family, remote = each.conditions[0], each.conditions[3]
            if each.endpoints:
                found[str(each.endpoints[1])] = None
            elif remote == _EVERY[family]:
                return  # a key for everybody
            else:
                found.update(dict.fromkeys(_blocks(family, remote)))
        for number, identity in enumerate(found, 1):
            yield f"    id-{number} = {identity}"

    # Findings

    def _say(self, message: str, source: object, *, is_error: bool = False) -> None:
        """Say something once about a filter."""
        severity = Severity.ERROR if is_error else Severity.WARNING
        if isinstance(source, PolicyFilter):
            key = (message, f"{source.node.guid} {source.text}")
            if key not in self._told:
                self._told.add(key)
                self._findings.append(
                    Finding("PA422", message, source.filter.origin, source.rule, source.text, severity=severity)
                )
        else:
            self._about_policy(message, is_error=is_error)

    def _about_policy(self, message: str, origin: Origin | None = None, *, is_error: bool = False) -> None:
        if (message, "") not in self._told:
            self._told.add((message, ""))
            severity = Severity.ERROR if is_error else Severity.WARNING
            self._findings.append(Finding("PA422", message, origin or self._policy.origin, severity=severity))


def _untrapped(children: list[str]) -> list[str]:
    return [line for line in children if line.strip() != "start_action = trap"]


def _meet(one: Conditions, other: Conditions) -> bool:
    return one[0] == other[0] and all(
        low <= other_high and other_low <= high for (low, high), (other_low, other_high) in zip(one[1:], other[1:], strict=True)
    )


def _blocks(family: int, addresses: Range) -> list[str]:
    """Return a range as networks: the kernel's policies know no others."""
    low, high = addresses
    if family == 4:
        return [str(network) for network in summarize_address_range(IPv4Address(low), IPv4Address(high))]
    return [str(network) for network in summarize_address_range(IPv6Address(low), IPv6Address(high))]


def _selectors(family: int, protocols: Range, addresses: Range | None, ports: Range) -> list[str]:
    """Return traffic selectors, one for each network and block of ports; addresses None are those the daemon finds."""
    networks = ["dynamic"] if addresses is None else _blocks(family, addresses)
    if protocols == _ANY_PROTOCOL:
        return networks
    number = str(protocols[0])
    if ports == _ANY_PORTS:
        return [f"{network}[{number}]" for network in networks]
    return [f"{network}[{number}/{part}]" for network in networks for part in _port_blocks(ports)]


def _port_blocks(ports: Range) -> Iterator[str]:
    """Yield a range of ports in blocks that a mask can stand for, as the kernel's policies need them."""
    low, high = ports
    while low <= high:
        size = low & -low or 65536
        while low + size - 1 > high:
            size //= 2
        yield str(low) if size == 1 else f"{low}-{low + size - 1}"
        low += size


def _key(key: str) -> str:
    """Return a key as swanctl.conf takes it: as text where nothing in it could mean anything else, else in base64."""
    if _PLAIN_KEY.fullmatch(key):
        return f'"{key}"'
    return "0s" + b64encode(key.encode("utf-8", "surrogatepass")).decode("ascii")


def _quoted(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _comment(text: str) -> str:
    return printable(text).strip()
