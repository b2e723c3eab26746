"""What ``netsh ipsec static show`` prints with ``level=verbose``, in English: fields and their values, one a line.

Microsoft documents the fields of filter lists (KB 4471134); the others are read as that program names them. Indentation and order
are not relied upon: a field that begins an object ends the one before, and a list or an action that follows a rule belongs to
it. Every other line is a finding, so that output in another language, or of another form, is not read as an empty policy.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Final
from uuid import UUID

from pastore.model import (
    NOWHERE,
    Action,
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
    Origin,
    Policy,
    Rule,
    Secret,
    Storage,
)
from pastore.sources.choice import choose
from pastore.sources.loaded import Loaded
from pastore.sources.log import FindingLog
from pastore.sources.netsh import values
from pastore.sources.netsh.encoding import decode
from pastore.sources.netsh.static import fit
from pastore.sources.netsh.store import DEFAULT_LIFETIME, DEFAULT_POLLING, guid, key
from pastore.sources.netsh.text import safe

_FIELD: Final = re.compile(r"\s{0,80}([A-Za-z][A-Za-z0-9 .()/-]{0,60}?)\s{0,40}:(?:\s(.*)|)$")
_GUID: Final = re.compile(r"\{([0-9A-Fa-f]{8}(?:-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12})\}")
_HEADING: Final = re.compile(
    r"\s*(?:[-=~]{2,}[-=~\s]*|(?:Rule|FilterList|FilterAction|Filter|Policy) Details|Rules|Security Methods?.*"
    r"|Main ?Mode Security Method Order|Encryption\s+Integrity.*|AH\s+ESP\s+.*|Authentication Methods?\s*(?:\(\d+\))?|Ok\."
    r"|Policies|Filter ?Lists|Filter ?Actions|(?:PS )?[A-Za-z]:\\[^>]*>.*|netsh.*)\s*",
    re.IGNORECASE,
)
_MAIN: Final = re.compile(r"\s*(3DES|DES)\s+(SHA1|SHA-1|MD5)\s+.*?\(?(2048|14|[123])\)?\s*", re.IGNORECASE)
_OFFER: Final = re.compile(r"\s*\[([^\]]{0,40})\]\s*\[([^\]]{0,40})\]\s*(\d{1,10})\D{0,20}?(\d{1,10})\D{0,12}", re.IGNORECASE)
_NUMBER: Final = re.compile(r"\d{1,9}")
_ADDRESSES: Final = {
    "myipaddress": "me",
    "anyipaddress": "any",
    "dnsserver": "dns",
    "dnsservers": "dns",
    "winsserver": "wins",
    "winsservers": "wins",
    "dhcpserver": "dhcp",
    "dhcpservers": "dhcp",
    "defaultgateway": "gateway",
    "gateway": "gateway",
}
_INTERFACES: Final = {
    "all": InterfaceType.ALL,
    "lan": InterfaceType.LAN,
    "dialup": InterfaceType.RAS,
    "ras": InterfaceType.RAS,
    "remoteaccess": InterfaceType.RAS,
}
_FILTER_FIELDS: Final = frozenset(
    (
        "description",
        "mirrored",
        "sourceipaddress",
        "sourcemask",
        "sourcednsname",
        "destinationipaddress",
        "destinationmask",
        "destinationdnsname",
        "protocol",
        "sourceport",
        "destinationport",
    )
)
_OTHERS: Final = frozenset(
    (
        "description",
        "store",
        "storelocation",
        "lastmodified",
        "guid",
        "nooffilters",
        "noofrules",
        "noofsecuritymethods",
        "assigned",
        "pollinginterval",
        "mainmodelifetime",
        "masterpfs",
        "activated",
        "connectiontype",
        "tunneldestipaddress",
        "tunnelendpoint",
        "action",
        "allowunsecurefallback",
        "inboundpassthrough",
        "qmpfs",
        "quickmodepfs",
        "rulename",
        "noofpolicies",
        "nooffilterlists",
        "nooffilteractions",
        "authenticationmethods",
    )
)
_MODEL_GROUPS: Final = {"1": 1, "2": 2, "3": 14, "14": 14, "2048": 14}


@dataclass(slots=True, eq=False)
class _Node:
    """An object and the fields that it has so far."""

    name: str
    origin: Origin
    fields: dict[str, str] = field(default_factory=dict)
    filters: list["_Node"] = field(default_factory=list)
    rules: list["_Node"] = field(default_factory=list)
    lists: list["_Node"] = field(default_factory=list)
    action: "_Node | None" = None
    methods: list[tuple[int, int, int]] = field(default_factory=list)
    offers: list[Offer] = field(default_factory=list)
    auth: list[AuthMethod] = field(default_factory=list)

    def says_yes(self, name: str) -> bool:
        """Whether a field says yes."""
        return self.fields.get(name, "").strip().lower() in ("yes", "y", "true")

    def text(self, name: str) -> str:
        """Return a field, empty where it says that there is nothing."""
        value = self.fields.get(name, "").strip()
        return "" if value.upper() in ("NONE", "<NONE>") else value

    def guid(self, kind: str) -> UUID:
        """Return the GUID that is told, one made from the name where it is not."""
        match = _GUID.search(self.fields.get("guid", ""))
        return UUID(match[1]) if match else guid(kind, self.name)


def load_show(data: bytes, source: str, wanted: str | None = None, *, encoding: str | None = None) -> Loaded:
    """Read the policies that ``netsh ipsec static show all level=verbose`` prints, and choose one.

    Parameters
    ----------
    data : bytes
    source : str
        The file as the user named it.
    wanted : str, optional
        Name or GUID of a policy; see `pastore.sources.choice.choose`.
    encoding : str, optional
        A codec, for text without a byte order mark.

    Returns
    -------
    Loaded
        Findings: PA113 and PA118 about the encoding, PA130 rules or objects that are not in the output, PA146 lines that are not
        understood, and those of `choose`.
    """
    log = FindingLog(source)
    reader = _Reader(log)
    for number, line in enumerate(decode(data, log, encoding).replace("\r\n", "\n").split("\n"), 1):
        reader.line(number, line.rstrip("\r"))
    policies = tuple(reader.policy(node) for node in reader.policies)
    if not policies:
        log.add("PA103", "there is no policy in the output: show all with level=verbose prints them, in English")
        return Loaded(None, log.findings())
    chosen, choice = choose(policies, wanted, source=source)
    return Loaded(chosen, (*log.findings(), *choice), policies)


class _Reader:
    """Takes one line after the other."""

    def __init__(self, log: FindingLog) -> None:
        self.policies: list[_Node] = []
        self._log = log
        self._lists: dict[str, _Node] = {}
        self._actions: dict[str, _Node] = {}
        self._policy: _Node | None = None
        self._rule: _Node | None = None
        self._list: _Node | None = None
        self._action: _Node | None = None
        self._current: _Node | None = None
        self._in_filters = False
        self._is_beside_key = False  # nothing that is known came after a pre-shared key, so this may be more of it
        self._number = 0

    def line(self, number: int, line: str) -> None:
        """Take a line."""
        self._number = number
        match = _FIELD.match(line) if len(line) < 70_000 else None
        if match is not None:
            name = re.sub(r"[^a-z]", "", match[1].lower())
            is_known = self._field(name, (match[2] or "").strip())
            if is_known or name == "presharedkey":
                self._is_beside_key = name == "presharedkey"
            if is_known:
                return
        if not line.strip():
            return
        if re.fullmatch(r"\s*Filter(?:s|\(s\))\s*", line, re.IGNORECASE):
            self._in_filters = self._list is not None
            self._current = None if self._in_filters else self._current
        elif not (self._method(line) or self._authentication(line) or (len(line) < 1000 and _HEADING.fullmatch(line))):
            first = line.split(None, 1)[0][:40]
            shown = "a word that is not shown" if self._is_beside_key else safe(first, line)
            self._add("PA146", f"the line that begins with {shown} is not understood; it is skipped", number)

    def _add(self, code: str, message: str, number: int) -> None:
        self._log.add(code, message, line=number)

    def _made(self, name: str) -> _Node:
        self._in_filters = False
        return _Node(name, Origin(self._log.source, line=self._number))

    def _field(self, name: str, value: str) -> bool:
        """Take a field; False if it is none that is known."""
        begin: Callable[[str], None] | None = {
            "policyname": self._begin_policy,
            "ruleid": self._begin_rule,
            "filterlistname": self._begin_list,
            "filteractionname": self._begin_action,
        }.get(name)
        if begin is not None:
            begin(value)
            return True
        if self._in_filters and self._list is not None and name in _FILTER_FIELDS:
            if self._current is None or name in self._current.fields:
                self._current = _Node("", Origin(self._log.source, line=self._number))
                self._list.filters.append(self._current)
            self._current.fields[name] = value
            return True
        if name == "rulename":
            self._name_rule(value)
            return True
        if name in ("presharedkey", "rootca", "certificate", "kerberos"):
            return self._authentication(f"{name}: {value}")
        if name in _OTHERS:
            if self._current is not None:
                self._current.fields[name] = value
            return True
        return False

    def _begin_policy(self, value: str) -> None:
        self._policy = self._current = self._made(value)
        self._rule = self._list = self._action = None
        self.policies.append(self._policy)

    def _begin_rule(self, value: str) -> None:
        self._rule = self._current = self._made("")
        self._rule.fields["guid"] = value
        self._list = self._action = None
        if self._policy is not None:
            self._policy.rules.append(self._rule)

    def _name_rule(self, value: str) -> None:
        if self._rule is None or self._rule.name or self._rule.lists:
            self._begin_rule("")
        assert self._rule is not None
        self._rule.name = "" if value.upper() in ("NONE", "<NONE>") else value

    def _begin_list(self, value: str) -> None:
        node = self._made(value)
        self._list = self._current = node
        if self._rule is not None and not self._rule.lists:
            self._rule.lists.append(node)
        else:
            self._rule = None
            self._lists.setdefault(key(value), node)

    def _begin_action(self, value: str) -> None:
        node = self._made(value)
        self._action = self._current = node
        self._list = None
        if self._rule is not None and self._rule.action is None:
            self._rule.action = node
        else:
            self._rule = None
            self._actions.setdefault(key(value), node)

    # Tables

    def _method(self, line: str) -> bool:
        """Take a line of a table of security methods."""
        if len(line) > 300:
            return False
        main = _MAIN.fullmatch(line)
        if main is not None and self._policy is not None and self._rule is None:
            cipher, digest = values.CIPHERS[main[1].upper()], values.HASHES[main[2].upper().replace("-", "")]
            self._policy.methods.append((cipher, digest, _MODEL_GROUPS[main[3]]))
            return True
        offer = _OFFER.fullmatch(line)
        if offer is None or self._action is None:
            return False
        algorithms = [*_ah(offer[1]), *_esp(offer[2])]
        if not algorithms:
            return False
        self._action.offers.append(Offer(tuple(algorithms), min(int(offer[3]), 0xFFFFFFFF), min(int(offer[4]), 0xFFFFFFFF)))
        return True

    def _authentication(self, line: str) -> bool:
        """Take a line of the authentication methods of a rule."""
        if self._rule is None:
            return False
        words, _, value = line.strip().partition(":")
        name = re.sub(r"[^a-z]", "", words.lower())
        value = value.strip()
        if name == "kerberos":
            self._rule.auth.append(AuthMethod(AuthKind.KERBEROS))
        elif name == "presharedkey":
            self._rule.auth.append(AuthMethod(AuthKind.PRESHARED_KEY, Secret(value) if value else None))
        elif name in ("rootca", "certificate") and value:
            self._rule.auth.append(AuthMethod(AuthKind.CERTIFICATE, None, value))
        else:
            return False
        return True

    # What comes of it

    def policy(self, node: _Node) -> Policy:
        """Return a policy with its rules."""
        lifetime, _, limit = node.fields.get("mainmodelifetime", "").partition("/")
        # An interval or a lifetime of 0 means the default, as ipsecData has it.
        seconds = (_number(lifetime, DEFAULT_LIFETIME) or DEFAULT_LIFETIME) * 60
        quick = _number(limit, 0)
        main_mode = MainMode(
            guid("main mode", node.name),
            pfs=node.says_yes("masterpfs"),
            lifetime_seconds=seconds,
            quick_mode_limit=quick,
            methods=tuple(MainModeMethod(*method, seconds, 0, quick) for method in node.methods),
            origin=node.origin,
        )
        rules = [self._frozen(rule, node, number) for number, rule in enumerate(node.rules, 1)]
        said = _number(node.fields.get("noofrules", ""), len(rules))
        missing: tuple[str, ...] = ()
        if said > len(rules):
            message = f"the policy has {said} rules, and the output tells {len(rules)}: show it with level=verbose"
            self._log.add("PA130", message, line=node.origin.line)
            missing = tuple(sorted(f"rule {number}" for number in range(len(rules) + 1, min(said, 1000) + 1)))
        return Policy(
            node.guid("policy"),
            node.name,
            node.text("description"),
            self._unique(rules),
            main_mode,
            (_number(node.fields.get("pollinginterval", ""), DEFAULT_POLLING) or DEFAULT_POLLING) * 60,
            Storage.DIRECTORY if "domain" in node.fields.get("store", "").lower() else Storage.LOCAL,
            node.says_yes("assigned"),
            missing=missing,
            origin=node.origin,
        )

    def _unique(self, rules: list[Rule]) -> tuple[Rule, ...]:
        """Return the rules in the order of their GUIDs; of those that have the same, the first."""
        unique: dict[UUID, Rule] = {}
        for rule in rules:
            first = unique.setdefault(rule.guid, rule)
            if first is not rule:
                message = f"rule {{{rule.guid}}} is there twice; the one in line {first.origin.line} is used"
                self._log.add("PA131", message, line=rule.origin.line)
        return tuple(sorted(unique.values(), key=lambda rule: rule.guid.int))

    def _frozen(self, node: _Node, policy: _Node, number: int) -> Rule:
        missing: list[str] = []
        lists: list[FilterList] = []
        is_response = any(each.name.lower() in ("none", "<dynamic>", "dynamic", "") and not each.filters for each in node.lists)
        for each in () if is_response else node.lists:
            known = each if each.filters or key(each.name) not in self._lists else self._lists[key(each.name)]
            if not known.filters and _number(known.fields.get("nooffilters", ""), 1):
                missing.append(f"the filters of {known.name}")
            lists.append(self._list_of(known))
        if not node.lists:
            missing.append("the filter list")
        action = node.action
        if action is not None and "action" not in action.fields:
            action = self._actions.get(key(action.name), action)
        if missing:
            self._log.add(
                "PA130", f"the output does not tell {missing[0]} of a rule: show it with level=verbose", line=node.origin.line
            )
        endpoint = node.text("tunneldestipaddress") or node.text("tunnelendpoint")
        address, name = None, ""
        if endpoint:
            try:
                address, name = values.tunnel(endpoint)
            except values.BadValueError:
                self._add("PA146", "the endpoint of the tunnel is neither an address nor a name", node.origin.line or 1)
        kind = re.sub(r"[^a-z]", "", node.fields.get("connectiontype", "all").lower())
        match = _GUID.search(node.fields.get("guid", ""))
        return Rule(
            UUID(match[1]) if match else guid("rule", policy.name, number),
            node.name,
            node.text("description"),
            node.fields.get("activated", "yes").strip().lower() != "no",
            tuple(lists),
            self._action_of(action, is_response) if action is not None else None,
            tuple(sorted({*missing})),
            is_response,
            _INTERFACES.get(kind, InterfaceType.ALL),
            tunnel=address,
            is_tunnel=bool(endpoint),
            tunnel_name=name,
            auth_methods=tuple(node.auth),
            origin=node.origin,
        )

    def _action_of(self, node: _Node, is_response: bool) -> FilterAction:
        word = node.fields.get("action", "").strip().lower()
        action = next(
            (
                kind
                for name, kind in (("permit", Action.ALLOW), ("block", Action.BLOCK), ("negotiate", Action.PROTECT))
                if name in word
            ),
            Action.PROTECT if is_response else Action.NONE,
        )
        pfs = node.says_yes("qmpfs") or node.says_yes("quickmodepfs")
        return FilterAction(
            node.guid("action"),
            node.text("filteractionname") or ("" if is_response else node.name),
            action,
            node.says_yes("inboundpassthrough"),
            node.says_yes("allowunsecurefallback"),
            tuple(replace(offer, pfs=pfs) for offer in node.offers),
            node.text("description"),
            is_response,
            origin=node.origin,
        )

    def _list_of(self, node: _Node) -> FilterList:
        made = [self._filter_of(one, node, number) for number, one in enumerate(node.filters, 1)]
        return FilterList(
            node.guid("list"),
            node.name,
            tuple(one for one in made if one is not None),
            node.text("description"),
            origin=node.origin,
        )

    def _filter_of(self, node: _Node, owner: _Node, number: int) -> Filter | None:
        try:
            ends = []
            for side in ("source", "destination"):
                value = node.fields.get(f"{side}ipaddress", "").strip()
                word = _ADDRESSES.get(re.sub(r"[^a-z]", "", value.lower())) if value.startswith("<") else value
                name = node.text(f"{side}dnsname")
                if not word:
                    raise values.BadValueError(f"the {side} address is not understood")
                end = values.end(word, node.text(f"{side}mask") or None).address
                if end.kind is AddressKind.SUBNET and name and not name.startswith("<"):
                    end = replace(end, dns_name=name)
                ends.append(end)
            src, dst = fit(*ends)
            word = node.fields.get("protocol", "any").strip().lower()
            protocol = values.protocol(word if not (number_ := _NUMBER.search(word)) else number_[0])
            ports = [node.fields.get(f"{side}port", "any").strip() for side in ("source", "destination")]
            sport, dport = (values.port("0" if port.lower() in ("any", "") else port) for port in ports)
        except values.BadValueError as error:
            self._add("PA146", f"a filter is left out: {error}", node.origin.line or 1)
            return None
        version = 2 if 6 in (*src.families, *dst.families) or AddressKind.RANGE in (src.kind, dst.kind) else 1
        mirrored = node.fields.get("mirrored", "yes").strip().lower() != "no"
        return Filter(
            guid("filter", owner.name, number),
            src,
            dst,
            protocol,
            sport,
            dport,
            mirrored,
            node.text("description"),
            version,
            origin=node.origin if node.origin != NOWHERE else owner.origin,
        )


def _number(text: str, default: int) -> int:
    match = _NUMBER.search(text)
    return min(int(match[0]), 0xFFFFFFFF // 60) if match else default


def _ah(text: str) -> list[Algorithm]:
    digest = values.HASHES.get(text.strip().upper().replace("-", ""), 0)
    return [Algorithm("ah", digest)] if digest else []


def _esp(text: str) -> list[Algorithm]:
    words = [word.strip().upper().replace("-", "") for word in text.split(",")]
    if len(words) != 2:
        return []
    digest, cipher = words if words[0] not in ("DES", "3DES") else words[::-1]
    if cipher not in values.CIPHERS or digest not in values.HASHES:
        return []
    return [Algorithm("esp", values.CIPHERS[cipher], values.HASHES[digest])] if (digest, cipher) != ("NONE", "NONE") else []
