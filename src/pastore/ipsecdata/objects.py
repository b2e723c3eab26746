"""The graph of named objects <-> Policy.

Registry, cache and directory keep the same objects under the same names and differ only in how they write a reference; readers of
all three hand over `StoredObject`s to `build` and get policies back. `store` is the way back.

References lead from policy to key exchange settings and rules, from rule to filter lists and filter action; whatever is wrong
with one is a finding, and the rest loads.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from enum import Enum
from typing import Final
from uuid import UUID

from pastore.findings import Finding, Severity
from pastore.ipsecdata import filter_list, isakmp, meaning, negotiation, nfa, policy
from pastore.ipsecdata.blob import VERSION_INFORMATION
from pastore.ipsecdata.stored import (
    ACTION_BLOCK,
    ACTION_INPASS,
    ACTION_NEGOTIATE,
    ACTION_PERMIT,
    CLASSES,
    FILTER,
    ISAKMP,
    NEGOTIATION,
    NFA,
    POLICY,
    TYPE_DEFAULT_RESPONSE,
    TYPE_STANDARD,
    AttributeValue,
    Graph,
    ObjectName,
    StoredObject,
    parse_guid,
    parse_name,
)
from pastore.ipsecdata.storing import store
from pastore.model import Action, FilterAction, FilterList, MainMode, Origin, Policy, Rule, Storage

__all__ = ["AttributeValue", "Graph", "ObjectName", "StoredObject", "build", "parse_name", "store"]

_FORWARD: Final = {
    "ipsecisakmpreference": ISAKMP,
    "ipsecnfareference": NFA,
    "ipsecfilterreference": FILTER,
    "ipsecnegotiationpolicyreference": NEGOTIATION,
}
_OWNERS: Final = "ipsecownersreference"
_SINGLE: Final = ("ipsecisakmpreference", "ipsecnegotiationpolicyreference")

# Names as Windows writes them, for people to read.
_SPELLING: Final = {
    "ipsecdata": "ipsecData",
    "ipsecname": "ipsecName",
    "ipsecid": "ipsecID",
    "whenchanged": "whenChanged",
    "ipsecisakmpreference": "ipsecISAKMPReference",
    "ipsecnfareference": "ipsecNFAReference",
    "ipsecfilterreference": "ipsecFilterReference",
    "ipsecnegotiationpolicyreference": "ipsecNegotiationPolicyReference",
    "ipsecnegotiationpolicyaction": "ipsecNegotiationPolicyAction",
    "ipsecnegotiationpolicytype": "ipsecNegotiationPolicyType",
    "ipsecownersreference": "ipsecOwnersReference",
}

_ACTIONS: Final = {
    ACTION_BLOCK: (Action.BLOCK, False),
    ACTION_PERMIT: (Action.ALLOW, False),
    ACTION_NEGOTIATE: (Action.PROTECT, False),
    ACTION_INPASS: (Action.PROTECT, True),
}


def build(
    objects: Iterable[StoredObject],
    *,
    storage: Storage,
    assigned: str | None = None,
    default_exempt: int | None = None,
) -> Graph:
    """Return every policy of a store.

    Parameters
    ----------
    objects : iterable of StoredObject
        All objects of one container, in any order.
    storage : Storage
        Which storage it is.
    assigned : str, optional
        Reference to the assigned policy, as a registry path, DN, LDAP URL or bare name.
    default_exempt : int, optional
        NoDefaultExempt as the source has it.

    Returns
    -------
    Graph
        Policies by name, then GUID. Rules are in order of GUID, and so are the filter lists of a rule: the stores keep references
        as sets. A rule whose own data cannot be read is left out, and its finding says so.
    """
    return _Build(objects, storage, default_exempt).graph(assigned)


class _Colour(Enum):
    WHITE = 0  # not seen
    GREY = 1  # on the way from the root
    BLACK = 2  # done


@dataclass(eq=False, slots=True)
class _Entry:
    """An object and its references, read once."""

    name: ObjectName
    stored: StoredObject
    references: dict[str, list[str]] = field(default_factory=dict)
    owners: set[ObjectName] = field(default_factory=set)
    parents: set[ObjectName] = field(default_factory=set)  # those that refer to it, as found while building
    adopted: set[ObjectName] = field(default_factory=set)  # rules that have it by its owner reference alone
    colour: _Colour = _Colour.WHITE

    def place(self, attribute: str) -> Origin:
        """Return where an attribute was read."""
        spelling = _SPELLING.get(attribute, attribute)
        known = self.stored.places.get(attribute)
        place = self.stored.origin if known is None else known
        if place.locator.lower().endswith(attribute):
            return place
        # A DN is not a path: the attribute is not one more component of it.
        joint = ":" if "=" in place.locator else "\\"
        locator = f"{place.locator}{joint}{spelling}" if place.locator else spelling
        return Origin(place.source, locator, place.line, place.column)


class _Build:
    """The state of one call of `build`."""

    def __init__(self, objects: Iterable[StoredObject], storage: Storage, default_exempt: int | None) -> None:
        self.storage = storage
        self.default_exempt = default_exempt
        self.findings: list[Finding] = []
        self.entries: dict[ObjectName, _Entry] = {}
        self.source = ""
        self.adoptions: dict[ObjectName, list[_Entry]] = {}
        self.rules: dict[ObjectName, Rule | None] = {}
        self.filter_lists: dict[ObjectName, FilterList | None] = {}
        self.actions: dict[ObjectName, FilterAction] = {}
        self.claims: dict[ObjectName, ObjectName] = {}
        for stored in objects:
            self._take(stored)

    def graph(self, assigned: str | None) -> Graph:
        """Build everything."""
        for entry in self.entries.values():
            self._read_references(entry)
        self._find_cycles()
        chosen = self._assigned(assigned)
        policies = [self._policy(entry, entry.name == chosen) for entry in self.entries.values() if entry.name.kind == POLICY]
        policies.sort(key=lambda built: (built.name, built.guid))
        self._compare_back_references()
        return Graph(tuple(policies), tuple(self.findings))

    def report(self, code: str, message: str, place: Origin, severity: Severity | None = None) -> None:
        """Add a finding."""
        self.findings.append(
            Finding(code, message, place) if severity is None else Finding(code, message, place, severity=severity)
        )

    # Taking objects in

    def _take(self, stored: StoredObject) -> None:
        self.source = self.source or stored.origin.source
        name = parse_name(stored.name)
        if name is None or name.kind not in CLASSES.values():
            self.report("PA126", f"{_shown(stored.name)} is not the name of an object; it is left out", stored.origin)
            return
        if _is_version_information(name, stored):
            return
        if name in self.entries:
            first = self.entries[name].stored.origin
            self.report("PA131", f"{name} is stored twice; the one at {first}{_at(first)} is used", stored.origin)
            return
        self.entries[name] = _Entry(name, stored)

    def _read_references(self, entry: _Entry) -> None:
        for attribute in _FORWARD:
            values = self._strings(entry, attribute)
            if values and attribute in _SINGLE and len(values) > 1:
                self.report("PA112", f"{_SPELLING[attribute]} has {len(values)} values; it is ignored", entry.place(attribute))
                values = []
            if values:
                entry.references[attribute] = values
        for value in self._strings(entry, _OWNERS):
            owner = parse_name(value)
            if owner is None:
                self.report("PA134", f"the owner {_shown(value)} is not the name of an object", entry.place(_OWNERS))
            else:
                entry.owners.add(owner)
                if entry.name.kind == FILTER and owner.kind == NFA:
                    self.adoptions.setdefault(owner, []).append(entry)
        identity = self._string(entry, "ipsecid")
        if identity and parse_guid(identity) != entry.name.guid:
            message = f"ipsecID is {_shown(identity)}, unlike the name of the object, which is used"
            self.report("PA126", message, entry.place("ipsecid"))

    # Attribute values

    def _wrong_type(self, entry: _Entry, attribute: str, wanted: str) -> None:
        value = entry.stored.attributes[attribute]
        found = {str: "a string", int: "a number", bytes: "binary", tuple: "a list"}.get(type(value), "of an unknown type")
        message = f"{_SPELLING.get(attribute, attribute)} is {found} where {wanted} is wanted; it is ignored"
        self.report("PA112", message, entry.place(attribute))

    def _string(self, entry: _Entry, attribute: str) -> str:
        value = entry.stored.attributes.get(attribute)
        if isinstance(value, tuple) and len(value) == 1:
            value = value[0]
        if value is None or isinstance(value, str):
            return value or ""
        self._wrong_type(entry, attribute, "a string")
        return ""

    def _strings(self, entry: _Entry, attribute: str) -> list[str]:
        value = entry.stored.attributes.get(attribute)
        if isinstance(value, str):
            value = (value,)
        if isinstance(value, tuple) and all(isinstance(one, str) for one in value):
            return [one for one in value if one.strip()]
        if value is not None:
            self._wrong_type(entry, attribute, "a reference")
        return []

    def _number(self, entry: _Entry, attribute: str) -> int | None:
        value = entry.stored.attributes.get(attribute)
        if value is None or isinstance(value, int):
            return value
        self._wrong_type(entry, attribute, "a number")
        return None

    def _data(self, entry: _Entry) -> bytes | None:
        value = entry.stored.attributes.get("ipsecdata")
        if isinstance(value, bytes):
            return value
        if value is not None:
            self._wrong_type(entry, "ipsecdata", "binary")
        self.report("PA133", f"{entry.name} has no ipsecData", entry.stored.origin)
        return None

    # Following references

    def _follow(self, entry: _Entry, attribute: str) -> tuple[list[_Entry], list[str]]:
        """Return the objects a reference attribute leads to, and the names of those that could not be had."""
        wanted = _FORWARD[attribute]
        found: dict[ObjectName, _Entry] = {}
        missing: dict[str, None] = {}
        for value in entry.references.get(attribute, ()):
            name = parse_name(value)
            target = self.entries.get(name) if name else None
            if name is None:
                self.report("PA130", f"{_shown(value)} is not the name of an object", entry.place(attribute))
                missing[value.strip()] = None
            elif name.kind != wanted:
                message = f"{_SPELLING[attribute]} of {entry.name} names {name}, which is no {wanted}"
                self.report("PA137", message, entry.place(attribute))
                missing[str(name)] = None
            elif target is None:
                self.report("PA130", f"{entry.name} refers to {name}, which is not in the store", entry.place(attribute))
                missing[str(name)] = None
            else:
                target.parents.add(entry.name)
                found[name] = target
        return list(found.values()), list(missing)

    def _find_cycles(self) -> None:
        """Report every reference that leads back to an object on the way to it.

        Classes form a hierarchy, so a cycle needs a reference of the wrong class; nothing is ever followed through one.
        """
        for root in self.entries.values():
            if root.colour is not _Colour.WHITE:
                continue
            root.colour = _Colour.GREY
            path = [(root, self._targets(root))]
            while path:
                entry, targets = path[-1]
                if not targets:
                    entry.colour = _Colour.BLACK
                    path.pop()
                    continue
                attribute, target = targets.pop()
                if target.colour is _Colour.GREY:
                    back = "itself" if target is entry else f"{target.name}, which leads back to it"
                    self.report("PA132", f"{entry.name} refers to {back}", entry.place(attribute))
                elif target.colour is _Colour.WHITE:
                    target.colour = _Colour.GREY
                    path.append((target, self._targets(target)))

    def _targets(self, entry: _Entry) -> list[tuple[str, _Entry]]:
        names = ((attribute, parse_name(value)) for attribute, values in entry.references.items() for value in values)
        unique = dict.fromkeys((attribute, name) for attribute, name in names if name in self.entries)
        return [(attribute, self.entries[name]) for attribute, name in unique if name is not None]

    def _assigned(self, reference: str | None) -> ObjectName | None:
        if reference is None or not reference.strip():
            return None
        name = parse_name(reference)
        place = Origin(self.source, reference[:200])
        if name is None:
            self.report("PA135", f"the assigned policy is {_shown(reference)}, which is not the name of an object", place)
        elif name.kind != POLICY:
            self.report("PA137", f"the assigned policy is {name}, which is no {POLICY}", place)
        elif name not in self.entries:
            self.report("PA135", f"the assigned policy is {name}, which is not in the store", place)
        return name

    # Nodes

    def _policy(self, entry: _Entry, assigned: bool) -> Policy:
        blob = None
        data = self._data(entry)
        if data is not None:
            blob, found = policy.decode(data, entry.place("ipsecdata"))
            self.findings += found
        rules = []
        targets, missing = self._follow(entry, "ipsecnfareference")
        if not entry.references.get("ipsecnfareference"):
            self.report("PA133", f"{entry.name} has no rules", entry.stored.origin, Severity.WARNING)
        for target in targets:
            first = self.claims.setdefault(target.name, entry.name)
            if first != entry.name:
                message = f"{target.name} belongs to {first} already; a rule has one policy"
                self.report("PA126", message, entry.place("ipsecnfareference"))
            if target.name not in self.rules:
                self.rules[target.name] = self._rule(target)
            rule = self.rules[target.name]
            if rule is not None:
                rules.append(rule)
            else:
                missing.append(str(target.name))
        rules.sort(key=lambda rule: rule.guid)
        return Policy(
            entry.name.guid,
            self._string(entry, "ipsecname"),
            self._string(entry, "description"),
            tuple(rules),
            self._main_mode(entry),
            (blob.polling_interval if blob else 0) or meaning.DEFAULT_POLLING,
            self.storage,
            assigned,
            self.default_exempt,
            self._dn(entry),
            self._number(entry, "whenchanged"),
            tuple(sorted(set(missing))),
            entry.stored.origin,
            entry.stored.written,
        )

    def _dn(self, entry: _Entry) -> str:
        dn = self._string(entry, "distinguishedname")
        locator = entry.stored.origin.locator
        if not dn and self.storage is Storage.DIRECTORY and locator.lower().lstrip().startswith("cn"):
            return locator
        return dn

    def _main_mode(self, owner: _Entry) -> MainMode | None:
        attribute = "ipsecisakmpreference"
        targets, missing = self._follow(owner, attribute)
        if not targets:
            what = f"refers to {', '.join(map(_shown, missing))}, which cannot be used" if missing else "refers to none"
            self.report("PA138", f"{owner.name} {what}: it has no key exchange settings", owner.place(attribute))
            return None
        entry = targets[0]
        data = self._data(entry)
        blob, found = isakmp.decode(data, entry.place("ipsecdata")) if data is not None else (None, ())
        self.findings += found
        if blob is None:
            self.report("PA138", f"{entry.name} cannot be read: {owner.name} has no key exchange settings", entry.stored.origin)
            return None
        return MainMode(
            entry.name.guid,
            self._string(entry, "ipsecname"),
            bool(blob.pfs),
            blob.lifetime_seconds or meaning.DEFAULT_LIFETIME,
            blob.quick_mode_limit,
            meaning.methods_of(blob),
            bool(blob.options & 1),
            bool(blob.options & 2),
            self._number(entry, "whenchanged"),
            entry.stored.origin,
            entry.stored.written,
        )

    def _rule(self, entry: _Entry) -> Rule | None:
        start = len(self.findings)
        data = self._data(entry)
        blob, found = nfa.decode(data, entry.place("ipsecdata")) if data is not None else (None, ())
        self.findings += found
        missing: list[str] = []
        named = bool(entry.references.get("ipsecfilterreference"))
        targets, absent = self._follow(entry, "ipsecfilterreference")
        missing += absent
        if named:
            targets += self._adopt(entry, targets)
        action = self._rule_action(entry, missing)
        own = len(self.findings)
        filter_lists = []
        for target in targets:
            if target.name not in self.filter_lists:
                self.filter_lists[target.name] = self._filter_list(target)
            filter_list_ = self.filter_lists[target.name]
            if filter_list_ is None:
                missing.append(str(target.name))
            else:
                filter_lists.append(filter_list_)
        filter_lists.sort(key=lambda one: one.guid)
        if blob is None:
            self._label(start, own, self._string(entry, "ipsecname") or str(entry.name), lost=True)
            return None
        rule = Rule(
            entry.name.guid,
            self._string(entry, "ipsecname"),
            self._string(entry, "description"),
            bool(blob.is_active),
            tuple(filter_lists),
            action,
            tuple(sorted(set(missing))),
            not named or (action is not None and action.default_response),
            meaning.interface_type_of(blob),
            blob.interface_name.text,
            meaning.tunnel_of(blob),
            bool(blob.is_tunnel),
            blob.tunnel_name.text,
            meaning.auth_methods_of(blob),
            self._number(entry, "whenchanged"),
            entry.stored.origin,
            entry.stored.written,
        )
        self._label(start, own, rule.label)
        if action is not None and named == action.default_response:
            what = (
                "names a filter list although its filter action is that of a default response rule"
                if named
                else "names no filter list and so is the default response rule, although its filter action is not of that type"
            )
            self.findings.append(Finding("PA126", f"{entry.name} {what}", entry.stored.origin, rule=rule.label))
        return rule

    def _label(self, start: int, end: int, label: str, *, lost: bool = False) -> None:
        """Put a rule's label on its own findings; errors that cost the whole rule belong to event 5462."""
        for index in range(start, end):
            finding = self.findings[index]
            event = 5462 if lost and finding.severity is Severity.ERROR else finding.event
            self.findings[index] = replace(finding, rule=label, event=event)

    def _adopt(self, entry: _Entry, targets: list[_Entry]) -> list[_Entry]:
        """Return the filter lists that belong to a rule by their owner reference alone ([MS-GPIPSEC] 2.2.1.3.1)."""
        known = {one.name for one in targets}
        # Two owner references may name the rule in two spellings.
        more = list({one.name: one for one in self.adoptions.get(entry.name, ()) if one.name not in known}.values())
        for one in more:
            one.adopted.add(entry.name)
            one.parents.add(entry.name)
            message = (
                f"{one.name} names {entry.name} as its owner, which does not refer to it; it belongs to the rule all the same"
            )
            self.report("PA134", message, one.place(_OWNERS))
        return more

    def _rule_action(self, entry: _Entry, missing: list[str]) -> FilterAction | None:
        attribute = "ipsecnegotiationpolicyreference"
        targets, absent = self._follow(entry, attribute)
        missing += absent
        if not targets:
            if not absent:
                self.report("PA133", f"{entry.name} has no {_SPELLING[attribute]}", entry.stored.origin)
            return None
        name = targets[0].name
        if name not in self.actions:
            self.actions[name] = self._filter_action(targets[0])
        return self.actions[name]

    def _filter_list(self, entry: _Entry) -> FilterList | None:
        data = self._data(entry)
        if data is None:
            return None
        place = entry.place("ipsecdata")
        blob, found = filter_list.decode(data, place)
        self.findings += found
        if blob is None:
            return None
        return FilterList(
            entry.name.guid,
            self._string(entry, "ipsecname"),
            meaning.filters_of(blob, place),
            self._string(entry, "description"),
            self._number(entry, "whenchanged"),
            entry.stored.origin,
            entry.stored.written,
        )

    def _filter_action(self, entry: _Entry) -> FilterAction:
        data = self._data(entry)
        blob, found = negotiation.decode(data, entry.place("ipsecdata")) if data is not None else (None, ())
        self.findings += found
        offers, soft = meaning.offers_of(blob) if blob else ((), False)
        action_guid = self._guid(entry, "ipsecnegotiationpolicyaction", tuple(_ACTIONS), Severity.ERROR)
        type_guid = self._guid(entry, "ipsecnegotiationpolicytype", (TYPE_STANDARD, TYPE_DEFAULT_RESPONSE), Severity.WARNING)
        action, inpass = _ACTIONS.get(action_guid, (Action.NONE, False)) if action_guid else (Action.NONE, False)
        return FilterAction(
            entry.name.guid,
            self._string(entry, "ipsecname"),
            action,
            inpass,
            soft,
            offers,
            self._string(entry, "description"),
            type_guid == TYPE_DEFAULT_RESPONSE,
            self._number(entry, "whenchanged"),
            entry.stored.origin,
            entry.stored.written,
        )

    def _guid(self, entry: _Entry, attribute: str, known: tuple[UUID, ...], severity: Severity) -> UUID | None:
        text = self._string(entry, attribute)
        if not text.strip():
            self.report("PA133", f"{entry.name} has no {_SPELLING[attribute]}", entry.stored.origin, severity)
            return None
        guid = parse_guid(text)
        if guid not in known:
            message = f"{_SPELLING[attribute]} is {_shown(text)}, which the specification does not know"
            self.report("PA126", message, entry.place(attribute))
        return guid

    # Afterwards

    def _compare_back_references(self) -> None:
        for entry in self.entries.values():
            if entry.name.kind == POLICY:
                continue
            if not entry.parents:
                self.report("PA136", f"{entry.name} belongs to no policy", entry.stored.origin)
                continue
            for parent in sorted(entry.parents - entry.owners):
                message = f"{parent} refers to {entry.name}, which does not name it as an owner"
                self.report("PA134", message, entry.place(_OWNERS))
            for owner in sorted(entry.owners - entry.parents):
                message = f"{entry.name} names {owner} as an owner, which does not refer to it"
                self.report("PA134", message, entry.place(_OWNERS))


def _is_version_information(name: ObjectName, stored: StoredObject) -> bool:
    """Whether this is the marker that Windows keeps among the rules: by its GUID, or by its data and the lack of an owner."""
    if name.kind != NFA:
        return False
    data = stored.attributes.get("ipsecdata")
    marked = isinstance(data, bytes) and data.startswith(VERSION_INFORMATION.bytes_le)
    return name.guid == VERSION_INFORMATION or (marked and not stored.attributes.get(_OWNERS))


def _shown(text: str) -> str:
    """Return text of unknown content for a message: quoted, escaped and cut."""
    return repr(text if len(text) <= 120 else text[:120] + "...")


def _at(place: Origin) -> str:
    return f" ({place.locator})" if place.locator else ""
