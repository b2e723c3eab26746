"""A policy as our own JSON, version 1: every field of the model, by the schema in ``docs/policy.schema.json``.

GUIDs and addresses are text, times seconds since 1970-01-01 UTC, numbers of algorithms as stored. Where a node was read stands
in its ``origin``, for people; a reader of the file ignores it. Pre-shared keys are left out unless they are asked for.
"""

import json
from ipaddress import IPv4Address, IPv6Address
from typing import Any, Final
from uuid import UUID

from pastore.model import (
    NOWHERE,
    Address,
    AddressKind,
    AuthKind,
    AuthMethod,
    Filter,
    FilterAction,
    FilterList,
    MainMode,
    Offer,
    Origin,
    Policy,
    Ports,
    Rule,
)

VERSION: Final = 1

_IP: Final = {4: IPv4Address, 6: IPv6Address}


def write(policy: Policy, *, secrets: bool = False) -> bytes:
    """Return a policy as JSON in UTF-8.

    Parameters
    ----------
    policy : Policy
    secrets : bool
        Whether pre-shared keys are written. Without them, what is read back has authentication methods whose key is not known.

    Raises
    ------
    TypeError
        If it is no Policy.
    ValueError
        If an address does not fit its family. The message names the filter.
    """
    if not isinstance(policy, Policy):
        raise TypeError(f"expected a Policy, got {type(policy).__name__}")
    document = {"version": VERSION, "policy": _policy(policy, secrets)}
    # Half a surrogate pair has no UTF-8; the escape it gets here is that of JSON.
    return json.dumps(document, indent=2, ensure_ascii=False).encode(errors="backslashreplace") + b"\n"


def _guid(guid: UUID) -> str:
    return f"{{{guid}}}"


def _placed(node: dict[str, Any], origin: Origin) -> dict[str, Any]:
    if origin != NOWHERE:
        place = {"source": origin.source, "locator": origin.locator, "line": origin.line, "column": origin.column}
        node["origin"] = {key: value for key, value in place.items() if value not in ("", None)}
    return node


def _policy(policy: Policy, secrets: bool) -> dict[str, Any]:
    node = {
        "guid": _guid(policy.guid),
        "name": policy.name,
        "description": policy.description,
        "storage": policy.storage.value,
        "assigned": policy.assigned,
        "default_exempt": policy.default_exempt,
        "dn": policy.dn,
        "polling_interval": policy.polling_interval,
        "when_changed": policy.when_changed,
        "missing": list(policy.missing),
        "main_mode": None if policy.main_mode is None else _main_mode(policy.main_mode),
        "rules": [_rule(rule, secrets) for rule in policy.rules],
    }
    return _placed(node, policy.origin)


def _main_mode(main_mode: MainMode) -> dict[str, Any]:
    node = {
        "guid": _guid(main_mode.guid),
        "name": main_mode.name,
        "pfs": main_mode.pfs,
        "lifetime_seconds": main_mode.lifetime_seconds,
        "quick_mode_limit": main_mode.quick_mode_limit,
        "account_mapping": main_mode.account_mapping,
        "no_certificate_request": main_mode.no_certificate_request,
        "when_changed": main_mode.when_changed,
        "methods": [
            {
                "encryption": method.encryption,
                "hash": method.hash,
                "group": method.group,
                "lifetime_seconds": method.lifetime_seconds,
                "lifetime_kilobytes": method.lifetime_kilobytes,
                "quick_mode_limit": method.quick_mode_limit,
            }
            for method in main_mode.methods
        ],
    }
    return _placed(node, main_mode.origin)


def _rule(rule: Rule, secrets: bool) -> dict[str, Any]:
    node = {
        "guid": _guid(rule.guid),
        "name": rule.name,
        "description": rule.description,
        "active": rule.active,
        "default_response": rule.default_response,
        "interface_type": rule.interface_type.value,
        "interface_name": rule.interface_name,
        "is_tunnel": rule.is_tunnel,
        "tunnel": None if rule.tunnel is None else str(rule.tunnel),
        "tunnel_name": rule.tunnel_name,
        "when_changed": rule.when_changed,
        "missing": list(rule.missing),
        "auth_methods": [_auth_method(method, secrets) for method in rule.auth_methods],
        "filter_action": None if rule.filter_action is None else _filter_action(rule.filter_action),
        "filter_lists": [_filter_list(filter_list) for filter_list in rule.filter_lists],
    }
    return _placed(node, rule.origin)


def _auth_method(method: AuthMethod, secrets: bool) -> dict[str, Any]:
    node: dict[str, Any] = {
        "kind": method.kind.name.lower() if isinstance(method.kind, AuthKind) else method.kind,
        "certificate_authority": method.certificate_authority,
        "account_mapping": method.account_mapping,
        "exclude_ca_name": method.exclude_ca_name,
    }
    if secrets and method.key is not None:
        node["key"] = method.key.reveal()
    return node


def _filter_action(action: FilterAction) -> dict[str, Any]:
    node = {
        "guid": _guid(action.guid),
        "name": action.name,
        "description": action.description,
        "action": str(action.action),
        "inpass": action.inpass,
        "soft": action.soft,
        "default_response": action.default_response,
        "when_changed": action.when_changed,
        "offers": [_offer(offer) for offer in action.offers],
    }
    return _placed(node, action.origin)


def _offer(offer: Offer) -> dict[str, Any]:
    return {
        "algorithms": [
            {"transform": one.transform, "algorithm": one.algorithm, "integrity": one.integrity} for one in offer.algorithms
        ],
        "lifetime_seconds": offer.lifetime_seconds,
        "lifetime_kilobytes": offer.lifetime_kilobytes,
        "pfs": offer.pfs,
    }


def _filter_list(filter_list: FilterList) -> dict[str, Any]:
    node = {
        "guid": _guid(filter_list.guid),
        "name": filter_list.name,
        "description": filter_list.description,
        "when_changed": filter_list.when_changed,
        "filters": [_filter(one) for one in filter_list.filters],
    }
    return _placed(node, filter_list.origin)


def _filter(one: Filter) -> dict[str, Any]:
    try:
        src, dst = _address(one.src), _address(one.dst)
    except ValueError as error:
        raise ValueError(f"filter {_guid(one.guid)}: {error}") from None
    node = {
        "guid": _guid(one.guid),
        "version": one.version,
        "description": one.description,
        "mirrored": one.mirrored,
        "protocol": one.protocol,
        "src": src,
        "sport": _ports(one.sport),
        "dst": dst,
        "dport": _ports(one.dport),
        "tunnel": None if one.tunnel is None else str(one.tunnel),
    }
    return _placed(node, one.origin)


def _address(address: Address) -> dict[str, Any]:
    node: dict[str, Any] = {"kind": address.kind.value, "families": list(address.families)}
    names = {AddressKind.SUBNET: ("address", "mask"), AddressKind.RANGE: ("low", "high")}.get(address.kind)
    if names is None:
        if address.low or address.high:
            raise ValueError(f"an address of kind {address.kind.value} has no numbers")
    elif len(address.families) != 1:
        raise ValueError(f"an address of kind {address.kind.value} is of one IP version")
    else:
        make = _IP[address.families[0]]
        node[names[0]], node[names[1]] = str(make(address.low)), str(make(address.high))
    node["dns_name"] = address.dns_name
    return node


def _ports(ports: Ports) -> dict[str, int]:
    return {"low": ports.low, "high": ports.high}
