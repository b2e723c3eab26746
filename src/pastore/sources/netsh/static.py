"""The commands of ``netsh ipsec static``: what each does to the store, and what is wrong with it.

Names mean the same object whatever their case. What netsh refuses changes nothing and is a finding; so does pastore.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace
from itertools import islice
from typing import Final, TypeVar

from pastore.findings import Severity
from pastore.model import (
    ANY_PORT,
    Action,
    Address,
    AddressKind,
    AuthKind,
    AuthMethod,
    Filter,
    InterfaceType,
    Ports,
    Secret,
)
from pastore.sources.log import quoted
from pastore.sources.netsh import grammar, values
from pastore.sources.netsh.arguments import Call, RefusedError
from pastore.sources.netsh.store import (
    KERBEROS,
    ActionNode,
    ListNode,
    PolicyNode,
    ResponseNode,
    RuleNode,
    Store,
    guid,
    key,
)
from pastore.sources.netsh.text import safe

ACTIONS: Final = {"permit": Action.ALLOW, "block": Action.BLOCK, "negotiate": Action.PROTECT}
INTERFACES: Final = {"lan": InterfaceType.LAN, "dialup": InterfaceType.RAS, "all": InterfaceType.ALL}
_NOT_RANGES: Final = ((67, 68), (546, 547))  # DHCP, whose ports differ
_ONES: Final = {4: 0xFFFFFFFF, 6: (1 << 128) - 1}

Node = TypeVar("Node", PolicyNode, ListNode, ActionNode)


def rename(node: Node, name: str, known: dict[str, Node]) -> None:
    """Give an object another name."""
    del known[key(node.name)]
    node.name = name
    known[key(name)] = node


def where(call: Call) -> str:
    """Return the section of a command for a message."""
    return safe(call.section) if call.section else "before all labels"


def yes(value: str) -> bool:
    """Read yes or no."""
    return values.yes_or_no(value)


def action(value: str) -> Action:
    """Read permit, block or negotiate."""
    return ACTIONS[values.one_of(value, *ACTIONS)]


def interface(value: str) -> InterfaceType:
    """Read lan, dialup or all."""
    return INTERFACES[values.one_of(value, *INTERFACES)]


def filter_of(call: Call, name: str, number: int) -> Filter:
    """Read the filter that a command describes.

    Parameters
    ----------
    call : Call
    name : str
        Of what the filter belongs to, for its GUID.
    number : int
        Its place there.
    """
    ends = []
    for side in ("src", "dst"):
        word = call.given[f"{side}addr"]
        mask = call.given.get(f"{side}mask")
        text = None if mask is None else call.convert(f"{side}mask", mask, str)
        end = call.convert(f"{side}addr", word, lambda value, text=text: values.end(value, text))  # type: ignore[misc]
        if end.remark:
            call.add("PA329", f"{side}addr={end.remark}", word)
        ends.append(end.address)
    src, dst = fit(*ends)
    protocol = call.read("protocol", values.protocol, 0)
    sport, dport = call.read("srcport", values.port, ANY_PORT), call.read("dstport", values.port, ANY_PORT)
    if not (sport.is_any or dport.is_any) and looks_like_range(sport, dport):
        message = (
            f"srcport={sport.low} dstport={dport.low} looks like the range {sport.low}-{dport.low}; it matches packets from port "
            f"{sport.low} to port {dport.low} only"
        )
        call.add("PA324", message, call.given["srcport"])
    version = 2 if 6 in (*src.families, *dst.families) or AddressKind.RANGE in (src.kind, dst.kind) else 1
    return Filter(
        guid("filter", name, number),
        src,
        dst,
        protocol,
        sport,
        dport,
        call.read("mirrored", yes, True),
        call.string("description"),
        version,
        origin=call.origin(),
    )


def looks_like_range(sport: Ports, dport: Ports) -> bool:
    """Whether two single ports are the ends of what somebody took for a range."""
    return sport.low < dport.low and (sport.low, dport.low) not in _NOT_RANGES


def fit(src: Address, dst: Address) -> tuple[Address, Address]:
    """Return two ends of which one without a version of its own takes that of the other."""
    if 6 in src.families or 6 in dst.families:
        return tuple(  # type: ignore[return-value]
            replace(end, families=(6,)) if end.kind not in (AddressKind.SUBNET, AddressKind.RANGE) else end for end in (src, dst)
        )
    return src, dst


def auth_of(call: Call) -> tuple[AuthMethod, ...]:
    """Return the authentication methods in the order in which they are written, none if none is."""
    methods: list[AuthMethod] = []
    for name, word in call.order:
        if name == "kerberos" and call.convert(name, word, yes):
            methods.append(AuthMethod(AuthKind.KERBEROS))
        elif name == "psk":
            if not word.string:
                raise RefusedError("psk= has no value", word)
            methods.append(AuthMethod(AuthKind.PRESHARED_KEY, Secret(word.string)))
        elif name == "rootca":
            methods.append(call.convert(name, word, values.root))
    return tuple(methods)


class Static:
    """Carries out commands of the static context.

    Parameters
    ----------
    is_menu : bool
        Whether the sections of the script may be alternatives: then what one section makes is not undone by another.
    """

    def __init__(self, *, is_menu: bool) -> None:
        self.stores = {"local": Store()}
        self.store = self.stores["local"]
        self._is_menu = is_menu
        self.commands: Mapping[tuple[str, str], Callable[[Call], None]] = {
            ("add", "filter"): self._add_filter,
            ("add", "filteraction"): self._add_action,
            ("add", "filterlist"): self._add_list,
            ("add", "policy"): self._add_policy,
            ("add", "rule"): self._add_rule,
            ("delete", "all"): self._delete_all,
            ("delete", "filter"): self._delete_filter,
            ("delete", "filteraction"): self._delete_action,
            ("delete", "filterlist"): self._delete_list,
            ("delete", "policy"): self._delete_policy,
            ("delete", "rule"): self._delete_rule,
            ("importpolicy", ""): self._import,
            ("restorepolicyexamples", ""): self._import,
            ("set", "defaultrule"): self._set_response,
            ("set", "filteraction"): self._set_action,
            ("set", "filterlist"): self._set_list,
            ("set", "policy"): self._set_policy,
            ("set", "rule"): self._set_rule,
            ("set", "store"): self._set_store,
        }
        """What has an effect; the other commands show or save something."""

    # Looking up

    def _missing(self, kind: str, name: str, known: Mapping[str, object], call: Call, tag: str) -> RefusedError:
        if call.is_open(name):
            message = f"there is no {kind} {call.show(name)}, and the script does not set the variable"
            return RefusedError(message, call.given.get(tag), "PA144")
        close = []
        if call.log.room("PA322"):
            close = grammar.close_to(name, [str(getattr(node, "name", "")) for node in islice(known.values(), 1000)])
        hint = f"; did you mean {quoted(close[0])}?" if close and not call.is_secret else ""
        return RefusedError(f"there is no {kind} {call.show(name)}{hint}", call.given.get(tag), "PA322")

    def _policy(self, call: Call, tag: str) -> PolicyNode:
        name = call.needed(tag)
        node = self.store.policies.get(key(name))
        if node is None:
            raise self._missing("policy", name, self.store.policies, call, tag)
        return node

    def _list(self, call: Call, tag: str) -> ListNode:
        name = call.needed(tag)
        node = self.store.lists.get(key(name))
        if node is None:
            raise self._missing("filter list", name, self.store.lists, call, tag)
        return node

    def _action(self, call: Call, tag: str) -> ActionNode:
        name = call.needed(tag)
        node = self.store.actions.get(key(name))
        if node is None:
            raise self._missing("filter action", name, self.store.actions, call, tag)
        return node

    def _is_kept(self, call: Call, kind: str, node: PolicyNode | ListNode | ActionNode | RuleNode) -> bool:
        """Whether something is not to be undone because another section of a menu made it."""
        if not self._is_menu or call.section == node.section:
            return False
        message = f"the section {where(call)} undoes the {kind} {call.show(node.name)} of another section"
        call.add("PA143", f"{message}; sections are taken for alternatives, and it stays")
        return True

    # add

    def _add_filter(self, call: Call) -> None:
        name = call.needed("filterlist")
        node = self.store.lists.get(key(name))
        made = filter_of(call, name, (node.made if node else 0) + 1)
        if node is None:
            node = self.store.lists[key(name)] = ListNode(name, origin=call.origin(), section=call.section)
        node.made += 1
        node.filters.append(made)

    def _exists(self, call: Call, kind: str, name: str, same: bool) -> None:
        message = f"there is a {kind} {call.show(name)} already"
        if same:
            call.add("PA321", f"{message}, the same as this one", severity=Severity.INFO)
        else:
            call.add("PA321", f"{message}; this one is not added")

    def _add_list(self, call: Call) -> None:
        name = call.needed("name")
        node = ListNode(name, call.string("description"), origin=call.origin(), section=call.section)
        known = self.store.lists.get(key(name))
        if known is not None:
            self._exists(call, "filter list", name, node.description in ("", known.description))
            return
        self.store.lists[key(name)] = node

    def _add_action(self, call: Call) -> None:
        name = call.needed("name")
        node = ActionNode(name, origin=call.origin(), section=call.section)
        self._change_action(node, call)
        known = self.store.actions.get(key(name))
        if known is not None:
            self._exists(call, "filter action", name, node.frozen() == known.frozen())
            return
        self.store.actions[key(name)] = node

    def _change_action(self, node: ActionNode, call: Call) -> None:
        kind = call.read("action", action, node.action)
        pfs = call.read("qmpfs", yes, node.pfs)
        inpass, soft = call.read("inpass", yes, node.inpass), call.read("soft", yes, node.soft)
        offers = call.read("qmsecmethods", lambda value: values.offers(value, pfs=pfs), node.offers)
        if kind is not Action.PROTECT:
            word = {Action.ALLOW: "permit", Action.BLOCK: "block"}[kind]
            idle = [name for name in ("qmpfs", "inpass", "soft") if call.read(name, yes, False)]
            idle += ["qmsecmethods"] if "qmsecmethods" in call.given else []
            for name in idle:
                call.add("PA327", f"{name}= has no effect on a filter action that is to {word}", call.given[name])
            inpass = soft = False
        node.action, node.pfs, node.inpass, node.soft, node.offers = kind, pfs, inpass, soft, offers
        node.description = call.string("description", node.description)

    def _add_policy(self, call: Call) -> None:
        name = call.needed("name")
        node = PolicyNode(name, origin=call.origin(), section=call.section)
        assign = self._change_policy(node, call)
        if key(name) in self.store.policies:
            self._exists(call, "policy", name, same=False)
            return
        self.store.policies[key(name)] = node
        if assign:
            self._assign(node, call)

    def _change_policy(self, node: PolicyNode, call: Call) -> bool | None:
        """Change what a command says, all or nothing, and return whether it assigns the policy."""
        pfs = call.read("mmpfs", yes, node.pfs)
        limit = call.read("qmpermm", lambda value: values.number(value, 0, 0x7FFFFFFF), node.limit)
        if pfs and limit != 1:
            if "qmpermm" in call.given:
                call.add("PA327", "qmpermm= is 1 whatever is given, because of mmpfs=yes", call.given["qmpermm"])
            limit = 1
        lifetime = call.read("mmlifetime", lambda value: values.number(value, 1, 0xFFFFFFFF // 60), node.lifetime)
        polling = call.read("pollinginterval", lambda value: values.number(value, 1, 0xFFFFFFFF // 60), node.polling)
        methods = node.methods
        if "mmsecmethods" in call.given:
            methods = call.read("mmsecmethods", values.main_mode_methods, methods)
        respond: bool | None = call.read("activatedefaultrule", yes, None)
        assign: bool | None = call.read("assign", yes, None)
        node.pfs, node.limit, node.lifetime, node.polling, node.methods = pfs, limit, lifetime, polling, methods
        if respond or (respond is not None and node.response is not None):
            node.response = node.response or ResponseNode(True, origin=call.origin())
            node.response.active = respond
        node.description = call.string("description", node.description)
        return assign

    def _assign(self, node: PolicyNode, call: Call) -> None:
        if self.store.location == "domain":
            call.add(
                "PA327", "assign= has no effect in the store of a domain: a Group Policy object assigns", call.given["assign"]
            )
        else:
            self.store.assign(node)

    def _add_rule(self, call: Call) -> None:
        name = call.needed("name")
        policy = self._policy(call, "policy")
        node = RuleNode(
            name, self._list(call, "filterlist"), self._action(call, "filteraction"), origin=call.origin(), section=call.section
        )
        self._change_rule(node, call)
        known = policy.rules.get(key(name))
        if known is not None:
            self._exists(call, "rule", name, node.same_as(known))
            return
        policy.made += 1
        node.number = policy.made
        policy.rules[key(name)] = node

    def _change_rule(self, node: RuleNode, call: Call) -> None:
        tunnel = call.read("tunnel", values.tunnel, node.tunnel)
        kind = call.read("conntype", interface, node.interface_type)
        active = call.read("activate", yes, node.active)
        auth = auth_of(call) or node.auth_methods
        node.tunnel, node.interface_type, node.active, node.auth_methods = tunnel, kind, active, auth
        node.description = call.string("description", node.description)

    # delete

    def _nothing(self, call: Call, message: str) -> None:
        """Say that there is nothing to delete: scripts do that first, to be run again."""
        call.add("PA322", message, severity=Severity.INFO)

    def _delete_all(self, call: Call) -> None:
        if self._is_menu and any(node.section != call.section for node in self.store.policies.values()):
            message = f"the section {where(call)} deletes everything, and other sections made some of it"
            call.add("PA143", f"{message}; sections are taken for alternatives, and it stays")
            return
        self.store.policies.clear()
        self.store.lists.clear()
        self.store.actions.clear()

    def _delete_policy(self, call: Call) -> None:
        name = call.needed("name")
        wanted = list(self.store.policies) if name.lower() == "all" else [key(name)]
        for each in wanted:
            node = self.store.policies.get(each)
            if node is None:
                self._nothing(call, f"there is no policy {call.show(name)} to delete")
            elif not self._is_kept(call, "policy", node):
                del self.store.policies[each]

    def _delete_list(self, call: Call) -> None:
        self._delete_part(call, "filter list", self.store.lists, {id(rule.filter_list) for rule in self.store.rules()})

    def _delete_action(self, call: Call) -> None:
        self._delete_part(call, "filter action", self.store.actions, {id(rule.filter_action) for rule in self.store.rules()})

    def _delete_part(self, call: Call, kind: str, known: dict[str, ListNode] | dict[str, ActionNode], used: set[int]) -> None:
        name = call.needed("name")
        every = name.lower() == "all"
        for each in list(known) if every else [key(name)]:
            node = known.get(each)
            if node is None:
                self._nothing(call, f"there is no {kind} {call.show(name)} to delete")
            elif id(node) in used:
                call.add("PA328", f"the {kind} {call.show(node.name)} is in use by a rule and is not deleted")
            elif not self._is_kept(call, kind, node):
                del known[each]

    def _delete_rule(self, call: Call) -> None:
        name = call.string("name")
        if "policy" not in call.given:
            raise RefusedError("delete rule needs policy=")
        policy = self.store.policies.get(key(call.needed("policy")))
        if policy is None:
            self._nothing(call, f"there is no policy {call.show(call.string('policy'))} to delete a rule from")
            return
        if name.lower() == "all":
            wanted = policy.in_order()
        else:
            wanted = [self._rule(call, policy)] if name or "id" in call.given else []
            if not wanted:
                raise RefusedError("delete rule needs name=, id= or all")
        for rule in wanted:
            if not self._is_kept(call, "rule", rule):
                del policy.rules[key(rule.name)]

    def _rule(self, call: Call, policy: PolicyNode) -> RuleNode:
        if "name" in call.given:
            name = call.needed("name")
            rule = policy.rules.get(key(name))
            if rule is None:
                raise self._missing("rule", name, policy.rules, call, "name")
            return rule
        number = call.read("id", lambda value: values.number(value, 1, 0xFFFF), 0)
        if not 1 <= number <= len(policy.rules):
            raise RefusedError(f"the policy has no rule {number}", call.given.get("id"), "PA322")
        self.store.spend(len(policy.rules))
        return policy.in_order()[number - 1]

    def _delete_filter(self, call: Call) -> None:
        node = self.store.lists.get(key(call.needed("filterlist")))
        if node is None:
            self._nothing(call, f"there is no filter list {call.show(call.string('filterlist'))} to delete a filter from")
            return
        sample = filter_of(call, node.name, 0)
        self.store.spend(len(node.filters))
        asked = [
            (name, field)
            for name, field in (("protocol", "protocol"), ("mirrored", "mirrored"), ("srcport", "sport"), ("dstport", "dport"))
            if name in call.given
        ]
        ends = [("src", "srcmask"), ("dst", "dstmask")]

        def meant(one: Filter) -> bool:
            for end, mask in ends:
                known, wanted = getattr(one, end), getattr(sample, end)
                if mask not in call.given and wanted.kind is AddressKind.SUBNET and wanted.high == _ONES[wanted.families[0]]:
                    known = replace(known, high=wanted.high) if known.kind is AddressKind.SUBNET else known
                if known != wanted:
                    return False
            return all(getattr(one, field) == getattr(sample, field) for _, field in asked)

        left = [one for one in node.filters if not meant(one)]
        if len(left) == len(node.filters):
            self._nothing(call, f"the filter list {call.show(node.name)} has no such filter to delete")
        elif not self._is_kept(call, "filter list", node):
            node.filters = left

    # set

    def _new_name(self, call: Call, kind: str, node: Node, known: Mapping[str, Node]) -> str:
        """Return the name that an object is to have.

        Raises
        ------
        RefusedError
            If another has it.
        """
        new = call.needed("newname") if "newname" in call.given else node.name
        if known.get(key(new), node) is not node:
            raise RefusedError(f"there is a {kind} {call.show(new)} already", call.given["newname"], "PA321")
        return new

    def _no_guid(self, call: Call) -> None:
        if "guid" in call.given and "name" not in call.given:
            raise RefusedError("guid= names an object that the script does not make", call.given["guid"], "PA322")

    def _set_list(self, call: Call) -> None:
        self._no_guid(call)
        node = self._list(call, "name")
        rename(node, self._new_name(call, "filter list", node, self.store.lists), self.store.lists)
        node.description = call.string("description", node.description)

    def _set_action(self, call: Call) -> None:
        self._no_guid(call)
        node = self._action(call, "name")
        new = self._new_name(call, "filter action", node, self.store.actions)
        self._change_action(node, call)
        rename(node, new, self.store.actions)

    def _set_policy(self, call: Call) -> None:
        self._no_guid(call)
        node = self._policy(call, "name")
        assign = call.read("assign", yes, None)
        if assign is False and node.assigned and self._is_kept(call, "policy", node):
            return
        if "gponame" in call.given and self.store.location != "domain":
            call.add("PA327", "gponame= has no effect outside of the store of a domain", call.given["gponame"])
        new = self._new_name(call, "policy", node, self.store.policies)
        self._change_policy(node, call)
        rename(node, new, self.store.policies)
        if assign and "gponame" not in call.given:
            self._assign(node, call)
        elif assign is False:
            node.assigned = False

    def _set_rule(self, call: Call) -> None:
        policy = self._policy(call, "policy")
        rule = self._rule(call, policy)
        filter_list = self._list(call, "filterlist") if "filterlist" in call.given else rule.filter_list
        filter_action = self._action(call, "filteraction") if "filteraction" in call.given else rule.filter_action
        new = call.needed("newname") if "newname" in call.given else rule.name
        if policy.rules.get(key(new), rule) is not rule:
            raise RefusedError(f"there is a rule {call.show(new)} already", call.given["newname"], "PA321")
        self._change_rule(rule, call)
        rule.filter_list, rule.filter_action = filter_list, filter_action
        del policy.rules[key(rule.name)]
        rule.name = new
        policy.rules[key(new)] = rule

    def _set_response(self, call: Call) -> None:
        policy = self._policy(call, "policy")
        node = policy.response or ResponseNode(False, origin=call.origin())
        pfs = call.read("qmpfs", yes, node.pfs)
        offers = call.read("qmsecmethods", lambda value: values.offers(value, pfs=pfs), node.offers)
        active = call.read("activate", yes, node.active)
        auth = auth_of(call) or node.auth_methods or KERBEROS
        node.pfs, node.offers, node.active, node.auth_methods = pfs, offers, active, auth
        policy.response = node

    def _set_store(self, call: Call) -> None:
        location = call.read("location", lambda value: values.one_of(value, "local", "domain", "persistent"), "local")
        name = location if location != "domain" else f"domain {call.string('domain').lower()}"
        self.store = self.stores.setdefault(name, Store(location))

    def _import(self, call: Call) -> None:
        call.add("PA143", f"{call.name} takes policies from elsewhere, which are not in the script")
