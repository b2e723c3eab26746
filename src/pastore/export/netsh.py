"""A policy as a batch file of ``netsh ipsec static`` commands, which makes the same policy on another computer.

Each value stands in double quotes, a percent sign twice, as cmd and netsh read them. What netsh cannot express is told: a warning
where something is written otherwise or left out without harm, an error where a rule or a filter is missing from what was written.
"""

import re
from collections.abc import Iterator
from ipaddress import IPv4Address, IPv6Address
from typing import Final, NamedTuple

from pastore.export.gathering import SecretsWithheldError, rules_with_keys
from pastore.findings import Finding, Severity
from pastore.model import (
    Action,
    Address,
    AddressKind,
    AuthKind,
    AuthMethod,
    Filter,
    FilterAction,
    FilterList,
    InterfaceType,
    MainMode,
    Offer,
    Origin,
    Policy,
    Ports,
    Rule,
)

_ONES: Final = {4: 0xFFFFFFFF, 6: (1 << 128) - 1}
_IP: Final = {4: IPv4Address, 6: IPv6Address}
_KINDS: Final = {
    AddressKind.ANY: "any",
    AddressKind.ME: "me",
    AddressKind.DNS_SERVER: "dns",
    AddressKind.WINS_SERVER: "wins",
    AddressKind.DHCP_SERVER: "dhcp",
    AddressKind.GATEWAY: "gateway",
}
_PROTOCOLS: Final = {0: "any", 1: "icmp", 6: "tcp", 17: "udp", 255: "raw"}
_ACTIONS: Final = {Action.ALLOW: "permit", Action.BLOCK: "block", Action.PROTECT: "negotiate"}
_INTERFACES: Final = {InterfaceType.ALL: "all", InterfaceType.LAN: "lan", InterfaceType.RAS: "dialup"}
_AUTH: Final[dict[int, str]] = {AuthKind.KERBEROS: "kerberos", AuthKind.PRESHARED_KEY: "psk", AuthKind.CERTIFICATE: "rootca"}
_HASHES: Final = {0: "None", 1: "MD5", 2: "SHA1"}
_CIPHERS: Final = {0: "None", 1: "DES", 3: "3DES"}
_MM_CIPHERS: Final = {1: "DES", 2: "3DES", 3: "3DES"}
_GROUPS: Final = {1: 1, 2: 2, 14: 3}
_HOST: Final = re.compile(r"(?=.{1,255}\Z)[^\W_](?:[\w.-]*\w)?\.?\Z")
_LONGEST: Final = 8191  # characters of a command that cmd takes
_MOST_LIMIT: Final = 0x7FFFFFFF
_MOST_PORTS: Final = 64  # filters that a range of ports is written as


class Script(NamedTuple):
    """What was written, and what could not be."""

    data: bytes
    findings: tuple[Finding, ...]


def write(policy: Policy, *, secrets: bool = False) -> bytes:
    """Return a policy as a batch file; see `script` for what it cannot express.

    Parameters
    ----------
    policy : Policy
    secrets : bool
        Whether pre-shared keys may be written.

    Raises
    ------
    pastore.export.SecretsWithheldError
        If the policy holds a pre-shared key and `secrets` is False.
    ValueError
        If a pre-shared key is not known, or the policy has no name.
    """
    return script(policy, secrets=secrets).data


def script(policy: Policy, *, secrets: bool = False) -> Script:
    """Return a policy as a batch file in UTF-8, and a PA410 for everything that netsh cannot express.

    Raises
    ------
    TypeError
        If it is no Policy.
    pastore.export.SecretsWithheldError, ValueError
        As `write`.
    """
    if not isinstance(policy, Policy):
        raise TypeError(f"expected a Policy, got {type(policy).__name__}")
    for rule in rules_with_keys(policy):
        if not secrets:
            raise SecretsWithheldError(f"rule {rule.label!r} has a pre-shared key")
        if any(method.kind == AuthKind.PRESHARED_KEY and method.key is None for method in rule.auth_methods):
            raise ValueError(f"the pre-shared key of rule {rule.label!r} is not known")
    writer = _Writer(policy)
    lines = writer.lines()
    return Script("".join(f"{line}\r\n" for line in lines).encode("utf-8"), tuple(writer.findings))


class _Writer:
    def __init__(self, policy: Policy) -> None:
        self.findings: list[Finding] = []
        self._policy = policy
        self._lists: dict[FilterList, str] = {}
        self._actions: dict[FilterAction, str] = {}
        self._taken: dict[str, set[str]] = {"filter list": set(), "filter action": set(), "rule": set()}
        self._rule: str | None = None

    def _lost(self, message: str, origin: Origin, *, is_error: bool = False) -> None:
        severity = Severity.ERROR if is_error else Severity.WARNING
        self.findings.append(Finding("PA410", message, origin, self._rule, severity=severity))

    def lines(self) -> list[str]:
        """Return the whole script."""
        policy = self._policy
        name = self._text(policy.name, "the name of the policy", policy.origin)
        if not name:
            raise ValueError("a policy without a name cannot be made by netsh")
        text = ["@echo off", "chcp 65001 > nul", _command("set store", ("location", "local"))]
        arguments = [("name", name), ("description", self._text(policy.description, "the description", policy.origin))]
        text.append(_command("add policy", *arguments, *self._main_mode(policy.main_mode), ("assign", "no"), *self._polling()))
        if policy.missing:
            self._lost(
                f"{len(policy.missing)} rules of the policy could not be read and are not written", policy.origin, is_error=True
            )
        responses = [rule for rule in policy.rules if rule.default_response]
        for rule in policy.rules:
            self._rule = rule.label
            if not rule.default_response:
                text += self._rule_lines(rule, name)
            elif rule is responses[0]:
                text += self._response(rule, name)
            else:
                self._lost("a policy has one default response rule; another one is left out", rule.origin, is_error=True)
        self._rule = None
        if policy.default_exempt not in (None, 0, 1, 2, 3):
            self._lost(f"NoDefaultExempt is {policy.default_exempt}, which netsh does not take", policy.origin)
        elif policy.default_exempt is not None:
            exempt = (("property", "ipsecexempt"), ("value", str(policy.default_exempt)))
            text.append(_command("set config", *exempt, context="dynamic"))
        if policy.assigned:
            text.append(_command("set policy", ("name", name), ("assign", "yes")))
        if any(len(line) > _LONGEST for line in text):
            self._lost(f"a command is longer than the {_LONGEST} characters that cmd takes", policy.origin, is_error=True)
        return text

    # Names

    def _text(self, value: str, what: str, origin: Origin) -> str:
        """Return a text without what cannot stand in quotes."""
        clean = "".join("'" if character == '"' else _plain(character) for character in value)
        if clean != value:
            self._lost(f"{what} holds a quotation mark or a control character, which is written otherwise", origin)
        return clean

    def _name(self, kind: str, value: str, origin: Origin) -> str:
        """Return a name that no other object of a kind has."""
        taken = self._taken[kind]
        name = self._text(value, f"the name of the {kind}", origin)
        if not name:
            name = kind
            self._lost(f"netsh needs a name for the {kind}; one is made up", origin)
        if name.lower() == "all":
            self._lost(f"a {kind} cannot be called {name!r}, which means every one of them", origin)
            name = f"({name})"
        plain, number = name, 1
        while name.casefold() in taken:
            number += 1
            name = f"{plain} ({number})"
        if number > 1:
            self._lost(f"another {kind} has the name {plain!r}; this one is called {name!r}", origin)
        taken.add(name.casefold())
        return name

    # The policy

    def _polling(self) -> Iterator[tuple[str, str]]:
        minutes, seconds = divmod(self._policy.polling_interval, 60)
        if seconds or not minutes:
            self._lost(
                f"a polling interval of {self._policy.polling_interval} seconds is no number of minutes", self._policy.origin
            )
        yield "pollinginterval", str(max(1, minutes))

    def _main_mode(self, main_mode: MainMode | None) -> Iterator[tuple[str, str]]:
        if main_mode is None:
            self._lost("the settings of the key exchange are missing; netsh takes its own", self._policy.origin, is_error=True)
            return
        minutes, seconds = divmod(main_mode.lifetime_seconds, 60)
        if seconds or not minutes:
            self._lost(f"a lifetime of {main_mode.lifetime_seconds} seconds is no number of minutes", main_mode.origin)
        limit = main_mode.quick_mode_limit
        if main_mode.pfs and limit != 1:
            self._lost(
                "perfect forward secrecy of the key exchange means one quick mode for each, and so it is written",
                main_mode.origin,
            )
            limit = 1
        if limit > _MOST_LIMIT:
            self._lost(f"{limit} quick modes for each main mode are more than netsh takes", main_mode.origin)
            limit = 0
        yield "mmpfs", _yes(main_mode.pfs)
        yield "qmpermm", str(limit)
        yield "mmlifetime", str(max(1, minutes))
        methods = []
        for method in main_mode.methods:
            names = (
                _MM_CIPHERS.get(method.encryption),
                _HASHES.get(method.hash) if method.hash else None,
                _GROUPS.get(method.group),
            )
            if None in names:
                self._lost("a method of the key exchange has no name in netsh and is left out", main_mode.origin, is_error=True)
                continue
            methods.append("-".join(str(part) for part in names))
            lives = (method.lifetime_seconds, method.lifetime_kilobytes, method.quick_mode_limit)
            if lives != (main_mode.lifetime_seconds, 0, main_mode.quick_mode_limit):
                self._lost("a method of the key exchange has limits of its own, which netsh does not know", main_mode.origin)
        if methods:
            yield "mmsecmethods", " ".join(methods)
        else:
            self._lost("no method of the key exchange can be written; netsh takes its own", main_mode.origin, is_error=True)
        for what, is_set in (
            ("a name of its own", bool(main_mode.name)),
            ("mapping of certificates to accounts", main_mode.account_mapping),
            ("no certificate request", main_mode.no_certificate_request),
        ):
            if is_set:
                self._lost(f"the key exchange has {what}, which netsh does not know", main_mode.origin)

    # Rules

    def _rule_lines(self, rule: Rule, policy: str) -> Iterator[str]:
        action = rule.filter_action
        if action is None or action.action is Action.NONE:
            self._lost("the rule has no filter action that netsh knows and is left out", rule.origin, is_error=True)
            return
        if rule.missing:
            self._lost("the rule refers to objects that could not be read, which are not written", rule.origin, is_error=True)
        if action.default_response:
            self._lost("the filter action is one for default response rules; netsh makes an ordinary one", action.origin)
        if rule.interface_name:
            self._lost("the rule names an interface, which netsh does not know", rule.origin)
        tunnel = self._tunnel(rule)
        auth = list(self._auth(rule))
        if not auth:
            self._lost("the rule has no authentication method; netsh takes Kerberos", rule.origin, is_error=True)
        yield from self._action(action)
        for at, filter_list in enumerate(rule.filter_lists):
            yield from self._list(filter_list)
            if at:
                self._lost("a rule of netsh has one filter list; another rule is written for the next one", rule.origin)
            yield _command(
                "add rule",
                ("name", self._name("rule", rule.name or rule.label, rule.origin)),
                ("policy", policy),
                ("filterlist", self._lists[filter_list]),
                ("filteraction", self._actions[action]),
                ("tunnel", tunnel),
                ("conntype", _INTERFACES[rule.interface_type]),
                ("activate", _yes(rule.active)),
                ("description", self._text(rule.description, "the description", rule.origin)),
                *auth,
            )
            if not rule.name:
                self._lost("netsh needs a name for the rule; one is made up", rule.origin)
        if not rule.filter_lists:
            self._lost("the rule has no filter list and is left out", rule.origin, is_error=True)

    def _tunnel(self, rule: Rule) -> str:
        if not rule.is_tunnel:
            if rule.tunnel is not None or rule.tunnel_name:
                self._lost("the rule has the endpoint of a tunnel, and is for none", rule.origin)
            return ""
        if rule.tunnel is None and not rule.tunnel_name:
            self._lost(
                "the rule is for a tunnel without an endpoint; netsh makes a rule without a tunnel", rule.origin, is_error=True
            )
        elif rule.tunnel is None and not _is_host(rule.tunnel_name):
            self._lost("netsh does not take the name of the tunnel's endpoint", rule.origin, is_error=True)
            return ""
        if rule.tunnel is not None and rule.tunnel_name:
            self._lost("the name of the tunnel's endpoint is not written, its address is", rule.origin)
        return str(rule.tunnel) if rule.tunnel is not None else rule.tunnel_name

    def _auth(self, rule: Rule) -> Iterator[tuple[str, str]]:
        seen: set[str] = set()
        for method in rule.auth_methods:
            tag = _AUTH.get(method.kind)
            if tag is None or (tag in seen and tag != "rootca"):
                self._lost(
                    "an authentication method is unknown to netsh or is there twice; it is left out", rule.origin, is_error=True
                )
                continue
            seen.add(tag)
            value = self._auth_value(method, rule)
            if value:
                yield tag, value

    def _auth_value(self, method: AuthMethod, rule: Rule) -> str:
        if method.kind == AuthKind.KERBEROS:
            return "yes"
        if method.kind == AuthKind.PRESHARED_KEY:
            assert method.key is not None
            key = method.key.reveal()
            if not key or '"' in key or any(_plain(character) != character for character in key):
                self._lost("the pre-shared key cannot stand in quotes and is left out", rule.origin, is_error=True)
                return ""
            return key
        name = method.certificate_authority
        clean = "".join(_plain(character) for character in name.replace('"', "\\'")).strip()
        if not clean or clean.replace("\\'", '"') != name:
            self._lost("the name of a certificate authority cannot be written as it is", rule.origin, is_error=not clean)
            if not clean:
                return ""
        return f"{clean} certmap:{_yes(method.account_mapping)} excludecaname:{_yes(method.exclude_ca_name)}"

    def _response(self, rule: Rule, policy: str) -> Iterator[str]:
        action = rule.filter_action
        if rule.name or rule.description or rule.is_tunnel or rule.interface_type is not InterfaceType.ALL or rule.interface_name:
            self._lost("netsh knows no name, description, tunnel or interface of a default response rule", rule.origin)
        if rule.filter_lists:
            self._lost("a default response rule has no filter lists; they are left out", rule.origin)
        arguments: list[tuple[str, str]] = [("policy", policy), ("activate", _yes(rule.active))]
        if action is None or action.action is not Action.PROTECT:
            self._lost("the default response rule does not negotiate; netsh takes its own methods", rule.origin)
        else:
            if action.name or action.description or action.inpass or action.soft or not action.default_response:
                self._lost("netsh knows only the methods of the action of a default response rule", action.origin)
            arguments += self._offers(action)
        auth = list(self._auth(rule))
        if not auth:
            self._lost("the rule has no authentication method; netsh takes Kerberos", rule.origin, is_error=True)
        yield _command("set defaultrule", *arguments, *auth)

    # Filter actions

    def _action(self, action: FilterAction) -> Iterator[str]:
        if action in self._actions:
            return
        name = self._actions[action] = self._name("filter action", action.name, action.origin)
        arguments = [
            ("name", name),
            ("description", self._text(action.description, "the description", action.origin)),
            ("action", _ACTIONS[action.action]),
        ]
        if action.action is Action.PROTECT:
            arguments += [("inpass", _yes(action.inpass)), ("soft", _yes(action.soft)), *self._offers(action)]
        elif action.inpass or action.soft or action.offers:
            self._lost(
                f"a filter action to {_ACTIONS[action.action]} has no security methods and options; they are left out",
                action.origin,
            )
        yield _command("add filteraction", *arguments)

    def _offers(self, action: FilterAction) -> Iterator[tuple[str, str]]:
        pfs = any(offer.pfs for offer in action.offers)
        if pfs and not all(offer.pfs for offer in action.offers):
            self._lost("some methods have perfect forward secrecy and some have not; netsh gives it to all", action.origin)
        yield "qmpfs", _yes(pfs)
        texts = []
        for offer in action.offers:
            text = _offer(offer)
            if text is None:
                self._lost("a security method has no name in netsh and is left out", action.origin, is_error=True)
            else:
                texts.append(text)
        if texts:
            yield "qmsecmethods", " ".join(texts)
        else:
            self._lost("there is no security method that can be written; netsh takes its own", action.origin, is_error=True)

    # Filters

    def _list(self, filter_list: FilterList) -> Iterator[str]:
        if filter_list in self._lists:
            return
        name = self._lists[filter_list] = self._name("filter list", filter_list.name, filter_list.origin)
        description = self._text(filter_list.description, "the description", filter_list.origin)
        yield _command("add filterlist", ("name", name), ("description", description))
        for one in filter_list.filters:
            yield from self._filter(one, name)

    def _filter(self, one: Filter, name: str) -> Iterator[str]:
        src = self._end(one.src, one.dst, one, "src")
        dst = None if src is None else self._end(one.dst, one.src, one, "dst")
        sports, dports = self._ports(one.sport, one), self._ports(one.dport, one)
        if one.tunnel is not None:
            self._lost("a filter has a tunnel of its own, which netsh does not know", one.origin)
        if not 0 <= one.protocol <= 255:
            self._lost(f"there is no protocol {one.protocol}; the filter is left out", one.origin, is_error=True)
            return
        if src is None or dst is None or sports is None or dports is None:
            return
        if len(sports) * len(dports) > _MOST_PORTS:
            self._lost("a filter of netsh has one port, and this one has too many; it is left out", one.origin, is_error=True)
            return
        if len(sports) * len(dports) > 1:
            self._lost(
                f"a filter of netsh has one port; {len(sports) * len(dports)} filters are written for the range", one.origin
            )
        description = self._text(one.description, "the description", one.origin)
        for sport in sports:
            for dport in dports:
                yield _command(
                    "add filter",
                    ("filterlist", name),
                    *src,
                    *dst,
                    ("protocol", _PROTOCOLS.get(one.protocol, str(one.protocol))),
                    ("srcport", str(sport)),
                    ("dstport", str(dport)),
                    ("mirrored", _yes(one.mirrored)),
                    ("description", description),
                )

    def _ports(self, ports: Ports, one: Filter) -> list[int] | None:
        if ports.is_any:
            return [0]
        if ports.low < 1 or ports.high < ports.low or ports.high - ports.low >= _MOST_PORTS:
            self._lost(
                f"netsh cannot express the ports {ports.low} to {ports.high}; the filter is left out", one.origin, is_error=True
            )
            return None
        return list(range(ports.low, ports.high + 1))

    def _end(self, end: Address, other: Address, one: Filter, side: str) -> list[tuple[str, str]] | None:
        if end.kind in _KINDS:
            wanted = (6,) if 6 in end.families and other.kind not in _KINDS and 6 in other.families else (4,)
            if end.families != wanted:
                what = "IPv4 and IPv6" if len(end.families) > 1 else f"IPv{end.families[0]}"
                self._lost(f"netsh has no {_KINDS[end.kind]} of {what} here; the filter is left out", one.origin, is_error=True)
                return None
            if not end.dns_name:
                return [(f"{side}addr", _KINDS[end.kind])]
            if end.kind is not AddressKind.ANY or not _is_host(end.dns_name):
                self._lost(
                    "netsh does not take the name at an end of a filter; the filter is left out", one.origin, is_error=True
                )
                return None
            return [(f"{side}addr", end.dns_name)]
        family = end.families[0]
        if len(end.families) != 1:
            self._lost("an address is of two versions; the filter is left out", one.origin, is_error=True)
            return None
        if end.dns_name:
            self._lost(f"the DNS name {end.dns_name!r} is not written, its address is", one.origin)
        if max(end.low, end.high) > _ONES[family] or min(end.low, end.high) < 0:
            self._lost("an address does not fit its version; the filter is left out", one.origin, is_error=True)
            return None
        low, high = str(_IP[family](end.low)), str(_IP[family](end.high))
        if end.kind is AddressKind.RANGE:
            return [(f"{side}addr", f"{low}-{high}")]
        if family == 4 and end.low == 0 and end.high in (0, _ONES[4]):
            meaning = "me" if end.high else "any"
            self._lost(f"{low} with the mask {high} is {meaning} to netsh; the filter is left out", one.origin, is_error=True)
            return None
        if family == 6:
            length = end.high.bit_count()
            if end.high != _ONES[6] ^ ((1 << (128 - length)) - 1):
                self._lost("a mask of IPv6 is no prefix; the filter is left out", one.origin, is_error=True)
                return None
            high = str(length)
        return [(f"{side}addr", low), *([] if end.high == _ONES[family] else [(f"{side}mask", high)])]


def _offer(offer: Offer) -> str | None:
    """Return a security method as netsh writes it, None if it cannot."""
    parts = []
    for algorithm in offer.algorithms:
        if algorithm.transform == "ah" and algorithm.algorithm in (1, 2):
            parts.append(f"AH[{_HASHES[algorithm.algorithm]}]")
        elif algorithm.transform == "esp" and algorithm.algorithm in _CIPHERS and algorithm.integrity in _HASHES:
            parts.append(f"ESP[{_CIPHERS[algorithm.algorithm]},{_HASHES[algorithm.integrity]}]")
        else:
            return None
    if not parts:
        return None
    kilobytes, seconds = offer.lifetime_kilobytes, offer.lifetime_seconds
    life = "/".join(part for part in (f"{kilobytes}k" if kilobytes else "", f"{seconds}s" if seconds else "") if part)
    return "+".join(parts) + (f":{life}" if life else "")


def _is_host(name: str) -> bool:
    """Whether netsh takes a name for one of the DNS."""
    return _HOST.match(name) is not None and not name.replace(".", "").isdigit() and name.lower() not in _KINDS.values()


def _plain(character: str) -> str:
    """Return a character, another one where it cannot stand in a line of a batch file."""
    if character < " " or character == "\x7f" or character in "\x85\u2028\u2029":
        return " "
    return "\ufffd" if "\ud800" <= character <= "\udfff" else character


def _yes(value: bool) -> str:
    return "yes" if value else "no"


def _command(verb: str, *arguments: tuple[str, str], context: str = "static") -> str:
    """Return a command; arguments without a value are left out."""
    parts = [f"{tag}={_quoted(value)}" for tag, value in arguments if value]
    return " ".join(("netsh", "ipsec", context, verb, *parts))


def _quoted(value: str) -> str:
    """Return a value in quotes, unless it is a plain word; what a backslash does at its end is undone."""
    if value.isascii() and value.replace("-", "").replace(".", "").isalnum():
        return value
    run = len(value) - len(value.rstrip("\\"))
    return '"' + (value + "\\" * run).replace("%", "%%") + '"'
