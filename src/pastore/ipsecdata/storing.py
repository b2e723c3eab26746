"""Policy -> stored objects, in the form Windows 10 writes."""

from collections.abc import Mapping
from typing import Final
from uuid import UUID

from pastore.ipsecdata import filter_list, isakmp, meaning, negotiation, nfa, policy
from pastore.ipsecdata.blob import fits
from pastore.ipsecdata.stored import (
    ACTION_BLOCK,
    ACTION_INPASS,
    ACTION_NEGOTIATE,
    ACTION_PERMIT,
    FILTER,
    ISAKMP,
    NEGOTIATION,
    NFA,
    POLICY,
    TYPE_DEFAULT_RESPONSE,
    TYPE_STANDARD,
    AttributeValue,
    ObjectName,
    StoredObject,
    parse_name,
)
from pastore.model import NO_GUID, Action, FilterAction, FilterList, MainMode, Origin, Policy, Rule

LOCAL: Final = "SOFTWARE\\Policies\\Microsoft\\Windows\\IPSec\\Policy\\Local"

_DATA_TYPE: Final = 0x100
_ACTIONS: Final = {
    (Action.BLOCK, False): ACTION_BLOCK,
    (Action.ALLOW, False): ACTION_PERMIT,
    (Action.PROTECT, False): ACTION_NEGOTIATE,
    (Action.PROTECT, True): ACTION_INPASS,
}


def store(policy: Policy, *, container: str = LOCAL) -> list[StoredObject]:
    """Return the objects that hold a policy, in the form Windows 10 writes.

    Parameters
    ----------
    policy : Policy
        Version 1 filters are stored before version 2 filters, whatever their order.
    container : str
        A registry path below HKEY_LOCAL_MACHINE, or the DN of a directory container; references are written accordingly.

    Returns
    -------
    list of StoredObject
        The policy first. Giving them to `build` gives an equal policy, apart from `assigned`, `storage` and `default_exempt`,
        which no object holds.

    Raises
    ------
    ValueError
        If the policy cannot be stored as it is: a node without GUID, two different nodes with the same one, a number that does
        not fit its field, a rule without filter lists that is no default response rule. The message names the node.
    """
    return _Store(policy, container).objects()


class _Store:
    """The state of one call of `store`."""

    def __init__(self, root: Policy, container: str) -> None:
        self.policy = root
        self.container = container
        self.in_directory = "=" in container
        self.owners: dict[ObjectName, dict[ObjectName, None]] = {}
        self.nodes: dict[ObjectName, FilterAction | FilterList | Rule | MainMode] = {}

    def objects(self) -> list[StoredObject]:
        """Store everything."""
        root = _name(POLICY, self.policy.guid)
        if self.policy.main_mode is not None:
            self._claim(_name(ISAKMP, self.policy.main_mode.guid), self.policy.main_mode, root)
        for rule in self.policy.rules:
            name = _name(NFA, rule.guid)
            if name in self.nodes:
                raise ValueError(f"{name} is in the policy twice")
            self._claim(name, rule, root)
            for filter_list_ in rule.filter_lists:
                self._claim(_name(FILTER, filter_list_.guid), filter_list_, name)
            if rule.filter_action is not None:
                self._claim(_name(NEGOTIATION, rule.filter_action.guid), rule.filter_action, name)
        stored = [self._policy(root)]
        for name, node in self.nodes.items():
            if isinstance(node, Rule):
                stored.append(self._rule(name, node))
            elif isinstance(node, MainMode):
                stored.append(self._main_mode(name, node))
            elif isinstance(node, FilterList):
                stored.append(self._filter_list(name, node))
            else:
                stored.append(self._filter_action(name, node))
        return stored

    def _claim(self, name: ObjectName, node: FilterAction | FilterList | Rule | MainMode, owner: ObjectName) -> None:
        if self.nodes.setdefault(name, node) != node:
            raise ValueError(f"{name} stands for two different things")
        self.owners.setdefault(name, {})[owner] = None

    def reference(self, name: ObjectName | str) -> str:
        """Return the reference to an object of the container."""
        return f"CN={name},{self.container}" if self.in_directory else f"{self.container}\\{name}"

    def _object(
        self,
        name: ObjectName,
        data: bytes,
        when_changed: int | None,
        texts: Mapping[str, str],
        references: Mapping[str, AttributeValue],
    ) -> StoredObject:
        attributes: dict[str, AttributeValue] = {"ipsecid": f"{{{name.guid}}}", "ipsecdatatype": _DATA_TYPE, "ipsecdata": data}
        path = self.reference(name)
        if self.in_directory:
            attributes |= {"objectclass": name.kind, "cn": str(name), "distinguishedname": path}
            locator = path
        else:
            attributes |= {"classname": name.kind, "name": str(name)}
            locator = f"HKEY_LOCAL_MACHINE\\{path}"
        attributes |= {key: text for key, text in texts.items() if text}
        attributes |= {key: value for key, value in references.items() if value}
        if when_changed is not None:
            attributes["whenchanged"] = when_changed
        owners = self.owners.get(name)
        if owners:
            attributes["ipsecownersreference"] = tuple(self.reference(owner) for owner in owners)
        return StoredObject(str(name), attributes, Origin(locator=locator))

    def _policy(self, name: ObjectName) -> StoredObject:
        root = self.policy
        texts = {"ipsecname": root.name, "description": root.description}
        if root.dn and not self.in_directory:
            texts["distinguishedname"] = root.dn
        references: dict[str, AttributeValue] = {
            "ipsecnfareference": (
                *(self.reference(_name(NFA, rule.guid)) for rule in root.rules),
                *map(self._lost_reference, root.missing),
            )
        }
        if root.main_mode is not None:
            references["ipsecisakmpreference"] = self.reference(_name(ISAKMP, root.main_mode.guid))
        interval = fits(root.polling_interval, 32, "the polling interval")
        return self._object(name, policy.encode(policy.PolicyBlob(interval)), root.when_changed, texts, references)

    def _main_mode(self, name: ObjectName, node: MainMode) -> StoredObject:
        data = isakmp.encode(meaning.isakmp_blob(node))
        return self._object(name, data, node.when_changed, {"ipsecname": node.name}, {})

    def _filter_list(self, name: ObjectName, node: FilterList) -> StoredObject:
        data = filter_list.encode(meaning.filter_list_blob(node.filters))
        return self._object(name, data, node.when_changed, {"ipsecname": node.name, "description": node.description}, {})

    def _filter_action(self, name: ObjectName, node: FilterAction) -> StoredObject:
        texts = {
            "ipsecname": node.name,
            "description": node.description,
            "ipsecnegotiationpolicytype": f"{{{TYPE_DEFAULT_RESPONSE if node.default_response else TYPE_STANDARD}}}",
        }
        if node.action is not Action.NONE or node.inpass:
            guid = _ACTIONS.get((node.action, node.inpass))
            if guid is None:
                raise ValueError(f"{name}: only a filter action that protects can accept unsecured communication")
            texts["ipsecnegotiationpolicyaction"] = f"{{{guid}}}"
        return self._object(name, negotiation.encode(meaning.negotiation_blob(node)), node.when_changed, texts, {})

    def _rule(self, name: ObjectName, node: Rule) -> StoredObject:
        filters = [self.reference(_name(FILTER, one.guid)) for one in node.filter_lists]
        action = None if node.filter_action is None else self.reference(_name(NEGOTIATION, node.filter_action.guid))
        lost = list(node.missing)
        if action is None:
            text = self._lost_action(node, lost)
            if text is not None:
                lost.remove(text)
                action = self._lost_reference(text)
        filters += map(self._lost_reference, lost)
        by_action = node.filter_action is not None and node.filter_action.default_response
        if node.default_response != (not filters or by_action):
            raise ValueError(
                f"{name}: a rule is the default response rule if it has no filter list or a filter action of that type"
            )
        references: dict[str, AttributeValue] = {"ipsecfilterreference": tuple(filters)}
        if action is not None:
            references["ipsecnegotiationpolicyreference"] = action
        texts = {"ipsecname": node.name, "description": node.description}
        return self._object(name, nfa.encode(meaning.nfa_blob(node)), node.when_changed, texts, references)

    def _lost_reference(self, text: str) -> str:
        name = parse_name(text)
        return text if name is None else self.reference(name)

    def _lost_action(self, node: Rule, lost: list[str]) -> str | None:
        """Return which of the missing objects the reference to the filter action led to; the others go with the filter lists."""
        names = {text: parse_name(text) for text in lost}
        for text, name in names.items():
            # A filter list that can be had was missed because it stood where a filter action should.
            if name is not None and name.kind == FILTER and name in self.nodes:
                return text
        if node.default_response:
            return lost[0] if lost else None
        if node.filter_lists or len(lost) > 1:
            for text, name in names.items():
                if name is not None and name.kind == NEGOTIATION and name not in self.nodes:
                    return text
        return None


def _name(kind: str, guid: UUID) -> ObjectName:
    if guid == NO_GUID:
        raise ValueError(f"an {kind} without a GUID cannot be stored")
    return ObjectName(kind, guid)
