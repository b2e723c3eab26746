"""The commands of ``netsh ipsec dynamic``: rules that take effect at once and are gone when the service ends.

Only here a rule has an action for each direction. A rule whose two actions are the same is a rule with one filter; one whose
actions differ becomes two rules, each with a filter that goes one way: towards this computer and away from it.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise
from typing import Final, TypeVar

from pastore.findings import Severity
from pastore.model import (
    NOWHERE,
    Action,
    Address,
    AddressKind,
    AuthMethod,
    Filter,
    FilterAction,
    FilterList,
    InterfaceType,
    IPAddress,
    MainMode,
    MainModeMethod,
    Offer,
    Origin,
    Policy,
    Rule,
    Storage,
)
from pastore.sources.log import FindingLog
from pastore.sources.netsh import values
from pastore.sources.netsh.arguments import Call, RefusedError
from pastore.sources.netsh.static import action, auth_of, filter_of, interface, yes
from pastore.sources.netsh.store import (
    DEFAULT_LIFETIME,
    DEFAULT_METHODS,
    DEFAULT_OFFERS,
    KERBEROS,
    guid,
    key,
    with_pfs,
)
from pastore.sources.netsh.text import Word

NAME: Final = "dynamic rules"
_PROPERTIES: Final = (
    "ipsecdiagnostics",
    "ikelogging",
    "strongcrlcheck",
    "ipsecloginterval",
    "ipsecexempt",
    "bootmode",
    "bootexemptions",
)


@dataclass(frozen=True, slots=True)
class _MainModePolicy:
    name: str
    lifetime: int = DEFAULT_LIFETIME  # minutes
    limit: int = 0
    methods: tuple[tuple[int, int, int], ...] = DEFAULT_METHODS


@dataclass(frozen=True, slots=True)
class _QuickModePolicy:
    name: str
    soft: bool = False
    pfs: bool = False
    offers: tuple[Offer, ...] = DEFAULT_OFFERS


@dataclass(slots=True, eq=False)
class _RuleNode:
    filter: Filter
    inbound: Action
    outbound: Action
    main_mode: str = ""
    quick_mode: str = ""
    interface_type: InterfaceType = InterfaceType.ALL
    tunnel: tuple[IPAddress | None, str] | None = None
    auth_methods: tuple[AuthMethod, ...] = KERBEROS
    number: int = 0
    origin: Origin = field(default=NOWHERE)


T = TypeVar("T")
_Identity = tuple[object, ...]


def _identity(one: Filter, kind: InterfaceType, tunnel: object) -> _Identity:
    """Return what tells a dynamic rule from another: it has no name."""
    return (one.src, one.dst, one.protocol, one.sport, one.dport, one.mirrored, kind, tunnel)


class Dynamic:
    """Carries out commands of the dynamic context."""

    def __init__(self) -> None:
        self.exempt: int | None = None
        """NoDefaultExempt, where the script sets it."""
        self._main: dict[str, _MainModePolicy] = {}
        self._quick: dict[str, _QuickModePolicy] = {}
        self._rules: dict[_Identity, _RuleNode] = {}
        self._made = 0
        self.commands: Mapping[tuple[str, str], Callable[[Call], None]] = {
            ("add", "mmpolicy"): self._add_main,
            ("add", "qmpolicy"): self._add_quick,
            ("add", "rule"): self._add_rule,
            ("delete", "all"): self._delete_all,
            ("delete", "mmpolicy"): self._delete_main,
            ("delete", "qmpolicy"): self._delete_quick,
            ("delete", "rule"): self._delete_rule,
            ("set", "config"): self._set_config,
            ("set", "mmpolicy"): self._set_main,
            ("set", "qmpolicy"): self._set_quick,
            ("set", "rule"): self._set_rule,
        }
        """What has an effect; the other commands show something."""

    # Main mode and quick mode policies

    def _add_main(self, call: Call) -> None:
        name = call.needed("name")
        if key(name) in self._main:
            raise RefusedError(f"there is a main mode policy {call.show(name)} already", None, "PA321")
        self._main[key(name)] = self._changed_main(_MainModePolicy(name), call)

    def _set_main(self, call: Call) -> None:
        name = call.needed("name")
        self._main[key(name)] = self._changed_main(self._known(self._main, name, "main mode policy", call), call)

    def _changed_main(self, known: _MainModePolicy, call: Call) -> _MainModePolicy:
        lifetime = call.read("mmlifetime", lambda value: values.number(value, 1, 0xFFFFFFFF // 60), known.lifetime)
        limit = call.read("qmpermm", lambda value: values.number(value, 0, 0x7FFFFFFF), known.limit)
        return _MainModePolicy(known.name, lifetime, limit, call.read("mmsecmethods", values.main_mode_methods, known.methods))

    def _add_quick(self, call: Call) -> None:
        name = call.needed("name")
        if key(name) in self._quick:
            raise RefusedError(f"there is a quick mode policy {call.show(name)} already", None, "PA321")
        self._quick[key(name)] = self._changed_quick(_QuickModePolicy(name), call)

    def _set_quick(self, call: Call) -> None:
        name = call.needed("name")
        self._quick[key(name)] = self._changed_quick(self._known(self._quick, name, "quick mode policy", call), call)

    def _changed_quick(self, known: _QuickModePolicy, call: Call) -> _QuickModePolicy:
        group = call.read(
            "pfsgroup",
            lambda value: values.one_of(value, "grp1", "grp2", "grp3", "grpmm", "nopfs"),
            "grpmm" if known.pfs else "nopfs",
        )
        pfs = group != "nopfs"
        offers = call.read("qmsecmethods", lambda value: values.offers(value, pfs=pfs), known.offers)
        return _QuickModePolicy(known.name, call.read("soft", yes, known.soft), pfs, offers)

    def _known(self, known: Mapping[str, T], name: str, kind: str, call: Call) -> T:
        node = known.get(key(name))
        if node is None:
            raise RefusedError(f"there is no {kind} {call.show(name)}", None, "PA322")
        return node

    def _delete_main(self, call: Call) -> None:
        self._delete_part(call, self._main, "main mode policy", {key(rule.main_mode) for rule in self._rules.values()})

    def _delete_quick(self, call: Call) -> None:
        self._delete_part(call, self._quick, "quick mode policy", {key(rule.quick_mode) for rule in self._rules.values()})

    def _delete_part(self, call: Call, known: dict[str, T], kind: str, used: set[str]) -> None:
        name = call.needed("name")
        for each in list(known) if name.lower() == "all" else [key(name)]:
            if each not in known:
                call.add("PA322", f"there is no {kind} {call.show(name)} to delete", severity=Severity.INFO)
            elif each in used:
                call.add("PA328", f"the {kind} {call.show(name)} is in use by a rule and is not deleted")
            else:
                del known[each]

    # Rules

    def _add_rule(self, call: Call) -> None:
        node = self._rule(call)
        self._change_rule(node, call)
        identity = _identity(node.filter, node.interface_type, node.tunnel)
        if identity in self._rules:
            call.add("PA321", "there is a rule for this filter already; this one is not added")
            return
        self._made += 1
        node.number = self._made
        self._rules[identity] = node

    def _rule(self, call: Call) -> _RuleNode:
        """Return a rule of which only what identifies it is known."""
        for name in ("srcaddr", "dstaddr"):
            call.needed(name)
        return _RuleNode(
            filter_of(call, NAME, self._made + 1),
            Action.PROTECT,
            Action.PROTECT,
            interface_type=call.read("conntype", interface, InterfaceType.ALL),
            tunnel=call.read("tunneldstaddress", values.tunnel, None),
            origin=call.origin(),
        )

    def _change_rule(self, node: _RuleNode, call: Call) -> None:
        inbound = call.read("actioninbound", action, node.inbound)
        outbound = call.read("actionoutbound", action, node.outbound)
        main, quick = call.string("mmpolicy", node.main_mode), call.string("qmpolicy", node.quick_mode)
        if not main:
            raise RefusedError(f"{call.name} needs mmpolicy=")
        self._known(self._main, main, "main mode policy", call)
        if quick:
            self._known(self._quick, quick, "quick mode policy", call)
        elif Action.PROTECT in (inbound, outbound):
            raise RefusedError(f"{call.name} needs qmpolicy= to negotiate")
        node.auth_methods = auth_of(call) or node.auth_methods
        node.inbound, node.outbound, node.main_mode, node.quick_mode = inbound, outbound, main, quick

    def _meant(self, call: Call) -> _RuleNode | None:
        """Return the rule that a command names by its filter."""
        sample = self._rule(call)
        return self._rules.get(_identity(sample.filter, sample.interface_type, sample.tunnel))

    def _set_rule(self, call: Call) -> None:
        node = self._meant(call)
        if node is None:
            raise RefusedError("there is no rule for this filter", None, "PA322")
        self._change_rule(node, call)

    def _delete_rule(self, call: Call) -> None:
        node = self._meant(call)
        if node is None:
            call.add("PA322", "there is no rule for this filter to delete", severity=Severity.INFO)
        else:
            del self._rules[_identity(node.filter, node.interface_type, node.tunnel)]

    def _delete_all(self, call: Call) -> None:
        self._rules.clear()
        self._main.clear()
        self._quick.clear()

    # Settings

    def _set_config(self, call: Call) -> None:
        name = call.read("property", lambda value: values.one_of(value, *_PROPERTIES), "")
        if name == "ipsecexempt":
            self.exempt = call.read("value", lambda value: values.number(value, 0, 3), None)

    def registry(self, typed: Sequence[Word], log: FindingLog) -> None:
        """Take NoDefaultExempt from a command ``reg add KEY /v NoDefaultExempt /t REG_DWORD /d NUMBER``."""
        options = {word.lower: after.string for word, after in pairwise(typed) if word.string.startswith("/")}
        path = typed[2].lower if len(typed) > 2 else ""
        if options.get("/v", "").lower() != "nodefaultexempt" or not path.endswith(
            ("\\services\\policyagent", "\\services\\ipsec")
        ):
            return
        digits = options.get("/d", "")
        if digits.lower() in ("0", "1", "2", "3", "0x0", "0x1", "0x2", "0x3"):
            self.exempt = int(digits, 0)
        else:
            log.add("PA126", "NoDefaultExempt is none of 0 to 3; it is ignored", line=typed[0].line, column=typed[0].column)

    # What comes of it

    def policy(self, log: FindingLog, *, is_only: bool) -> Policy | None:
        """Return the rules as a policy, None where there are none.

        Parameters
        ----------
        log : FindingLog
        is_only : bool
            Whether no other policy of the script is assigned. Dynamic rules are in force as soon as they are added, but of
            policies only one is called assigned.
        """
        if not self._rules:
            return None
        rules: list[Rule] = []
        for node in self._rules.values():
            rules += self._frozen(node, log)
        first = next(iter(self._rules.values()))
        main = self._main.get(key(first.main_mode), _MainModePolicy(""))
        seconds = main.lifetime * 60
        main_mode = MainMode(
            guid("main mode", NAME),
            main.name,
            lifetime_seconds=seconds,
            quick_mode_limit=main.limit,
            methods=tuple(MainModeMethod(*method, seconds, 0, main.limit) for method in main.methods),
            origin=first.origin,
        )
        ordered = tuple(sorted(rules, key=lambda rule: rule.guid.int))
        return Policy(
            guid("policy", NAME),
            NAME,
            "Rules of netsh ipsec dynamic",
            ordered,
            main_mode,
            storage=Storage.MEMORY,
            assigned=is_only,
            default_exempt=self.exempt,
            origin=first.origin,
        )

    def _frozen(self, node: _RuleNode, log: FindingLog) -> list[Rule]:
        if node.inbound is node.outbound:
            return [self._made_of(node, node.filter, node.inbound, "", 0)]
        ways = _ways(node.filter)
        if ways is None:
            log.add(
                "PA411",
                "a rule with different actions has no end that is me: which way is in is not known, and it is left out",
                line=node.origin.line,
                column=node.origin.column,
            )
            return []
        sides = zip(ways, (node.inbound, node.outbound), ("in", "out"), strict=True)
        return [self._made_of(node, one, what, way, at) for at, (one, what, way) in enumerate(sides) if one is not None]

    def _made_of(self, node: _RuleNode, one: Filter, what: Action, way: str, at: int) -> Rule:
        number = 2 * node.number + at
        name = f"{node.number} {way}".strip()
        quick = self._quick.get(key(node.quick_mode), _QuickModePolicy(""))
        label = quick.name if what is Action.PROTECT else {Action.ALLOW: "permit", Action.BLOCK: "block"}[what]
        made = FilterAction(
            guid("dynamic action", label),
            label,
            what,
            soft=quick.soft and what is Action.PROTECT,
            offers=with_pfs(quick.offers, quick.pfs) if what is Action.PROTECT else (),
            origin=node.origin,
        )
        one = replace(one, guid=guid("filter", NAME, number))
        address, tunnel = node.tunnel or (None, "")
        return Rule(
            guid("rule", NAME, number),
            f"dynamic rule {name}",
            filter_lists=(FilterList(guid("list", NAME, number), f"dynamic rule {name}", (one,), origin=node.origin),),
            filter_action=made,
            interface_type=node.interface_type,
            tunnel=address,
            is_tunnel=node.tunnel is not None,
            tunnel_name=tunnel,
            auth_methods=node.auth_methods,
            origin=node.origin,
        )


def _ways(one: Filter) -> tuple[Filter | None, Filter | None] | None:
    """Return the filters of a rule towards this computer and away from it, None if neither end is this computer."""
    src, dst = one.src, one.dst
    if src.kind is AddressKind.ANY and dst.kind is AddressKind.ANY and not src.dns_name and not dst.dns_name:
        me = Address(AddressKind.ME, src.families)
        return replace(one, dst=me, mirrored=False), replace(one, src=me, mirrored=False)
    back = replace(one, src=dst, dst=src, sport=one.dport, dport=one.sport, mirrored=False)
    there = replace(one, mirrored=False)
    if dst.kind is AddressKind.ME and src.kind is not AddressKind.ME:
        return there, back if one.mirrored else None
    if src.kind is AddressKind.ME and dst.kind is not AddressKind.ME:
        return back if one.mirrored else None, there
    return None
