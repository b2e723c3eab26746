"""A policy as our own JSON, by the schema in ``docs/policy.schema.json``; checked by hand, with the JSON path of what is wrong.

A part that cannot be used costs the smallest node that can be left out whole: a filter, a filter list, a filter action, a rule,
the key exchange settings, else the policy. The rule or policy that misses it says so as it does for an object that is not in a
store.
Messages never quote values but those of a fixed list: a string may be a pre-shared key in the wrong place.
"""

import json
import re
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from enum import Enum
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import Any, Final, NoReturn, TypeVar
from uuid import UUID

from pastore.model import (
    ANY_PORT,
    Action,
    Address,
    AddressKind,
    Algorithm,
    AuthKind,
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
    Ports,
    Rule,
    Secret,
    Storage,
)
from pastore.sources.choice import choose
from pastore.sources.encoding import encoding_of
from pastore.sources.loaded import Loaded
from pastore.sources.log import FindingLog, quoted

SIZE_LIMIT: Final = 64 << 20  # bytes; as Python objects they take many times that
NODE_LIMIT: Final = 4_000_000  # arrays and objects

U16, U32 = 0xFFFF, 0xFFFFFFFF
_TIMES: Final = (-62135596800, 253402300799)  # the years 1 to 9999
_DIGITS: Final = 20  # of the longest number that can be right, and some

_GUID: Final = re.compile(r"\{[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}\}")
_LAST: Final = re.compile(r"(?:\w+(?:\[\d+\])*)?$")  # last component of a path, where it is a plain one
_PLAIN_KEY: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_NUMBERS: Final = {AddressKind.SUBNET: ("address", "mask"), AddressKind.RANGE: ("low", "high")}
_FAMILIES: Final = ([4], [6], [4, 6])

Node = TypeVar("Node")
Choice = TypeVar("Choice", bound=Enum)


class _InvalidError(Exception):
    """The node that is being read cannot be had; why was reported."""


class _Object(dict[str, Any]):
    """A JSON object, with the keys that stood in it more than once."""

    __slots__ = ("twice",)

    def __init__(self, pairs: Sequence[tuple[str, Any]]) -> None:
        super().__init__(pairs)
        self.twice: tuple[str, ...] = ()
        if len(self) < len(pairs):
            seen: set[str] = set()
            self.twice = tuple(dict.fromkeys(key for key, _ in pairs if key in seen or seen.add(key)))  # type: ignore[func-returns-value]


class _TooLong:
    """Stands for a number of more digits than any that can be right."""


def load_json(data: bytes, source: str, wanted: str | None = None) -> Loaded:
    """Read a policy from JSON.

    Parameters
    ----------
    data : bytes
        UTF-8 or UTF-16; at most `SIZE_LIMIT` bytes.
    source : str
        The source as the user named it.
    wanted : str, optional
        Name or GUID of the policy; it must be the one in the file.

    Returns
    -------
    Loaded
        Origins are those of this file: `locator` is the JSON path of a node. Findings: PA113 text that is not valid in its
        encoding, PA190 no JSON, PA191 not as the schema has it, PA192 an authentication method without its key.
    """
    log = FindingLog(source)
    policy = _policy_of(data, log)
    if policy is None:
        return Loaded(None, log.findings())
    chosen, choice = choose((policy,), wanted, source=source)
    return Loaded(chosen, (*log.findings(), *choice), (policy,))


def _policy_of(data: bytes, log: FindingLog) -> Policy | None:
    if len(data) > SIZE_LIMIT:
        log.add("PA190", f"there are {len(data)} bytes of JSON, more than the {SIZE_LIMIT} that are read")
        return None
    if data.count(b"{") + data.count(b"[") > NODE_LIMIT:
        log.add("PA190", f"there are more than the {NODE_LIMIT} arrays and objects that are read")
        return None
    try:
        document = json.loads(_text(data, log), object_pairs_hook=_Object, parse_int=_integer, parse_constant=_constant)
    except json.JSONDecodeError as error:
        log.add("PA190", error.msg[:1].lower() + error.msg[1:], line=error.lineno, column=error.colno)
    except RecursionError:
        log.add("PA190", "arrays and objects are nested too deeply")
    except _InvalidError as error:
        log.add("PA190", str(error))
    else:
        try:
            return _Reader(log).document(document)
        except _InvalidError:
            return None
    return None


def _text(data: bytes, log: FindingLog) -> str:
    encoding, start = encoding_of(data)
    try:
        return data[start:].decode(encoding)
    except UnicodeDecodeError as error:
        before = data[start : start + error.start].decode(encoding, "replace")
        line, column = before.count("\n") + 1, len(before) - before.rfind("\n")
        message = f"byte {start + error.start} is not valid {encoding.upper()}; such characters are replaced by U+FFFD"
        log.add("PA113", message, line=line, column=column)
        return data[start:].decode(encoding, "replace")


def _integer(digits: str) -> int | _TooLong:
    return int(digits) if len(digits) <= _DIGITS else _TooLong()


def _constant(name: str) -> NoReturn:
    raise _InvalidError(f"{name} is no JSON value")


class _Reader:
    """Reads nodes; each method takes a JSON value and its path."""

    def __init__(self, log: FindingLog) -> None:
        self._log = log

    # Complaints

    def _wrong(self, path: str, trouble: str) -> NoReturn:
        self._complain(path, trouble)
        raise _InvalidError

    def _complain(self, path: str, trouble: str) -> None:
        # A long path is one through long keys, which only a hostile file has.
        shown = path if len(path) <= 300 else path[:297] + "..."
        self._log.add("PA191", f"{_LAST.search(shown)[0] or 'this'} {trouble}", locator=shown)  # type: ignore[index]  # matches anywhere

    # Values

    def _object(self, value: object, path: str, required: Sequence[str], optional: Sequence[str] = ()) -> _Object:
        if not isinstance(value, _Object):
            self._wrong(path, f"is {_kind(value)}, not an object")
        for key in value.twice:
            self._complain(_below(path, key), "is there more than once; the last one counts")
        for key in value:
            if key not in required and key not in optional:
                self._complain(_below(path, key), "is not known to the schema; it is ignored")
        for key in required:
            if key not in value:
                self._wrong(path, f"lacks {key!r}")
        return value

    def _list(self, node: _Object, path: str, key: str, read: Callable[[Any, str], Node]) -> tuple[Node, ...]:
        """Read an array, every element of which must be right."""
        path = _below(path, key)
        return tuple(read(one, f"{path}[{index}]") for index, one in enumerate(self._array(node.get(key, []), path)))

    def _array(self, value: object, path: str) -> list[Any]:
        if not isinstance(value, list):
            self._wrong(path, f"is {_kind(value)}, not an array")
        return value

    def _str(self, node: _Object, path: str, key: str, default: str = "") -> str:
        return self._string(node.get(key, default), _below(path, key))

    def _string(self, value: object, path: str) -> str:
        if not isinstance(value, str):
            self._wrong(path, f"is {_kind(value)}, not a string")
        return value

    def _bool(self, node: _Object, path: str, key: str, default: bool = False) -> bool:
        value = node.get(key, default)
        if not isinstance(value, bool):
            self._wrong(_below(path, key), f"is {_kind(value)}, not true or false")
        return value

    def _int(self, node: _Object, path: str, key: str, default: int = 0, low: int = 0, high: int = U32) -> int:
        return self._integer(node.get(key, default), _below(path, key), low, high)

    def _integer(self, value: object, path: str, low: int = 0, high: int = U32) -> int:
        if isinstance(value, _TooLong):
            self._wrong(path, f"is not from {low} to {high}")
        if not isinstance(value, int) or isinstance(value, bool):
            self._wrong(path, f"is {_kind(value)}, not an integer")
        if not low <= value <= high:
            self._wrong(path, f"is not from {low} to {high}")
        return value

    def _int_or_none(self, node: _Object, path: str, key: str, low: int, high: int) -> int | None:
        return None if node.get(key) is None else self._int(node, path, key, 0, low, high)

    def _choice(self, node: _Object, path: str, key: str, choices: Mapping[str, Choice], default: Choice | None = None) -> Choice:
        if key not in node and default is not None:
            return default
        value = node.get(key)
        if not isinstance(value, str) or value not in choices:
            self._wrong(_below(path, key), f"is none of {', '.join(choices)}")
        return choices[value]

    def _guid(self, node: _Object, path: str) -> UUID:
        value = self._str(node, path, "guid")
        if _GUID.fullmatch(value) is None:
            self._wrong(_below(path, "guid"), "is not a GUID in braces")
        return UUID(value)

    def _address_text(self, value: object, path: str, family: int | None = None) -> IPAddress:
        text = self._string(value, path)
        address: IPAddress | None = None
        with suppress(ValueError):
            address = ip_address(text) if family is None else IPv4Address(text) if family == 4 else IPv6Address(text)
        if address is None or getattr(address, "scope_id", None) is not None:
            self._wrong(path, f"is not an IP{'' if family is None else f'v{family}'} address")
        return address

    def _ip_or_none(self, node: _Object, path: str, key: str) -> IPAddress | None:
        return None if node.get(key) is None else self._address_text(node[key], _below(path, key))

    def _origin(self, path: str) -> Origin:
        return Origin(self._log.source, path)

    def _optional(self, value: object, path: str, read: Callable[[Any, str], Node]) -> Node | None:
        """Read a node that may be left out when it is wrong."""
        try:
            return None if value is None else read(value, path)
        except _InvalidError:
            return None

    def _name(self, value: object, path: str, kind: str) -> str:
        """Return how a node that cannot be read is named among what is missing."""
        guid = value.get("guid") if isinstance(value, _Object) else None
        return f"{kind}{guid.lower()}" if isinstance(guid, str) and _GUID.fullmatch(guid) else path

    def _kept(
        self, node: _Object, path: str, key: str, read: Callable[[Any, str], Node], kind: str
    ) -> tuple[list[Node], list[str]]:
        """Read an array whose wrong elements are left out; the names of those come second."""
        path = _below(path, key)
        kept, lost = [], []
        for index, value in enumerate(self._array(node.get(key, []), path)):
            place = f"{path}[{index}]"
            one = self._optional(value, place, read)
            if one is None:
                lost.append(self._name(value, place, kind))
                if value is None:
                    self._complain(place, "is null, not an object")
            else:
                kept.append(one)
        return kept, lost

    # Nodes

    def document(self, value: object) -> Policy:
        """Read the whole document."""
        node = self._object(value, "$", ("version", "policy"))
        if node["version"] != 1 or isinstance(node["version"], bool):
            self._wrong("$.version", "is not 1, the only version there is")
        return self._policy(node["policy"], "$.policy")

    def _policy(self, value: object, path: str) -> Policy:
        node = self._object(
            value,
            path,
            ("guid", "name"),
            (
                "description",
                "storage",
                "assigned",
                "default_exempt",
                "dn",
                "polling_interval",
                "when_changed",
                "missing",
                "main_mode",
                "rules",
                "origin",
            ),
        )
        self._check_origin(node, path)
        rules, lost = self._kept(node, path, "rules", self._rule, "ipsecNFA")
        unique: dict[UUID, Rule] = {}
        for rule in rules:
            if rule.guid in unique:
                first = unique[rule.guid].origin.locator
                self._log.add(
                    "PA131",
                    f"rule {{{rule.guid}}} is there twice; the one at {first} is used",
                    locator=rule.origin.locator,
                )
            unique.setdefault(rule.guid, rule)
        return Policy(
            self._guid(node, path),
            self._str(node, path, "name"),
            self._str(node, path, "description"),
            tuple(sorted(unique.values(), key=lambda rule: rule.guid)),
            self._optional(node.get("main_mode"), _below(path, "main_mode"), self._main_mode),
            self._int(node, path, "polling_interval", 10800, 1),
            self._choice(node, path, "storage", {one.value: one for one in Storage}, Storage.MEMORY),
            self._bool(node, path, "assigned"),
            self._int_or_none(node, path, "default_exempt", 0, 3),
            self._str(node, path, "dn"),
            self._int_or_none(node, path, "when_changed", *_TIMES),
            tuple(sorted({*self._list(node, path, "missing", self._string), *lost})),
            self._origin(path),
        )

    def _check_origin(self, node: _Object, path: str) -> None:
        """Check the shape of where a node was read before; nothing depends on it."""
        if "origin" not in node:
            return
        path = _below(path, "origin")
        try:
            origin = self._object(node["origin"], path, (), ("source", "locator", "line", "column"))
            for key in ("source", "locator"):
                self._str(origin, path, key)
            for key in ("line", "column"):
                self._int(origin, path, key, 1, 1)
        except _InvalidError:
            pass

    def _main_mode(self, value: object, path: str) -> MainMode:
        node = self._object(
            value,
            path,
            ("guid",),
            (
                "name",
                "pfs",
                "lifetime_seconds",
                "quick_mode_limit",
                "account_mapping",
                "no_certificate_request",
                "when_changed",
                "methods",
                "origin",
            ),
        )
        self._check_origin(node, path)
        return MainMode(
            self._guid(node, path),
            self._str(node, path, "name"),
            self._bool(node, path, "pfs"),
            self._int(node, path, "lifetime_seconds", 28800, 1),
            self._int(node, path, "quick_mode_limit"),
            self._list(node, path, "methods", self._method),
            self._bool(node, path, "account_mapping"),
            self._bool(node, path, "no_certificate_request"),
            self._int_or_none(node, path, "when_changed", *_TIMES),
            self._origin(path),
        )

    def _method(self, value: object, path: str) -> MainModeMethod:
        limits = ("lifetime_seconds", "lifetime_kilobytes", "quick_mode_limit")
        node = self._object(value, path, ("encryption", "hash", "group"), limits)
        numbers = [self._int(node, path, key) for key in ("encryption", "hash", "group", *limits)]
        return MainModeMethod(*numbers)

    def _rule(self, value: object, path: str) -> Rule:
        node = self._object(
            value,
            path,
            ("guid",),
            (
                "name",
                "description",
                "active",
                "default_response",
                "interface_type",
                "interface_name",
                "is_tunnel",
                "tunnel",
                "tunnel_name",
                "when_changed",
                "missing",
                "auth_methods",
                "filter_action",
                "filter_lists",
                "origin",
            ),
        )
        self._check_origin(node, path)
        filter_lists, lost = self._kept(node, path, "filter_lists", self._filter_list, "ipsecFilter")
        given = node.get("filter_action")
        action = self._optional(given, _below(path, "filter_action"), self._filter_action)
        if given is not None and action is None:
            lost.append(self._name(given, _below(path, "filter_action"), "ipsecNegotiationPolicy"))
        return Rule(
            self._guid(node, path),
            self._str(node, path, "name"),
            self._str(node, path, "description"),
            self._bool(node, path, "active", True),
            tuple(sorted(filter_lists, key=lambda one: one.guid)),
            action,
            tuple(sorted({*self._list(node, path, "missing", self._string), *lost})),
            self._bool(node, path, "default_response"),
            self._choice(node, path, "interface_type", {one.value: one for one in InterfaceType}, InterfaceType.ALL),
            self._str(node, path, "interface_name"),
            self._ip_or_none(node, path, "tunnel"),
            self._bool(node, path, "is_tunnel"),
            self._str(node, path, "tunnel_name"),
            self._list(node, path, "auth_methods", self._auth_method),
            self._int_or_none(node, path, "when_changed", *_TIMES),
            self._origin(path),
        )

    def _auth_method(self, value: object, path: str) -> AuthMethod:
        flags = ("account_mapping", "exclude_ca_name")
        node = self._object(value, path, ("kind",), ("key", "certificate_authority", *flags))
        kind: AuthKind | int
        if isinstance(node["kind"], str):
            kind = self._choice(node, path, "kind", {one.name.lower(): one for one in AuthKind})
        else:
            number = self._int(node, path, "kind")
            if number in tuple(AuthKind):
                self._wrong(_below(path, "kind"), f"is {number}, which is written {AuthKind(number).name.lower()!r}")
            kind = number
        key = None
        if kind == AuthKind.PRESHARED_KEY:
            if "key" in node:
                key = Secret(self._str(node, path, "key"))
            else:
                self._log.add("PA192", "the pre-shared key is left out, and so is not known", locator=path)
        elif "key" in node:
            self._wrong(_below(path, "key"), "is there, and only a pre-shared key has one")
        account_mapping, exclude_ca_name = (self._bool(node, path, flag) for flag in flags)
        return AuthMethod(kind, key, self._str(node, path, "certificate_authority"), account_mapping, exclude_ca_name)

    def _filter_action(self, value: object, path: str) -> FilterAction:
        node = self._object(
            value,
            path,
            ("guid", "action"),
            ("name", "description", "inpass", "soft", "default_response", "when_changed", "offers", "origin"),
        )
        self._check_origin(node, path)
        return FilterAction(
            self._guid(node, path),
            self._str(node, path, "name"),
            self._choice(node, path, "action", {str(one): one for one in Action}),
            self._bool(node, path, "inpass"),
            self._bool(node, path, "soft"),
            self._list(node, path, "offers", self._offer),
            self._str(node, path, "description"),
            self._bool(node, path, "default_response"),
            self._int_or_none(node, path, "when_changed", *_TIMES),
            self._origin(path),
        )

    def _offer(self, value: object, path: str) -> Offer:
        node = self._object(value, path, ("algorithms",), ("lifetime_seconds", "lifetime_kilobytes", "pfs"))
        return Offer(
            self._list(node, path, "algorithms", self._algorithm),
            self._int(node, path, "lifetime_seconds"),
            self._int(node, path, "lifetime_kilobytes"),
            self._bool(node, path, "pfs"),
        )

    def _algorithm(self, value: object, path: str) -> Algorithm:
        node = self._object(value, path, ("transform", "algorithm"), ("integrity",))
        if node["transform"] not in ("ah", "esp"):
            self._wrong(_below(path, "transform"), "is none of ah, esp")
        return Algorithm(node["transform"], self._int(node, path, "algorithm"), self._int(node, path, "integrity"))

    def _filter_list(self, value: object, path: str) -> FilterList:
        node = self._object(value, path, ("guid",), ("name", "description", "when_changed", "filters", "origin"))
        self._check_origin(node, path)
        filters, _ = self._kept(node, path, "filters", self._filter, "")
        return FilterList(
            self._guid(node, path),
            self._str(node, path, "name"),
            tuple(filters),
            self._str(node, path, "description"),
            self._int_or_none(node, path, "when_changed", *_TIMES),
            self._origin(path),
        )

    def _filter(self, value: object, path: str) -> Filter:
        optional = ("version", "description", "mirrored", "protocol", "sport", "dport", "tunnel", "origin")
        node = self._object(value, path, ("guid", "src", "dst"), optional)
        self._check_origin(node, path)
        return Filter(
            self._guid(node, path),
            self._address(node["src"], _below(path, "src")),
            self._address(node["dst"], _below(path, "dst")),
            self._int(node, path, "protocol"),
            self._ports(node, path, "sport"),
            self._ports(node, path, "dport"),
            self._bool(node, path, "mirrored", True),
            self._str(node, path, "description"),
            self._int(node, path, "version", 1, 1, 2),
            self._ip_or_none(node, path, "tunnel"),
            self._origin(path),
        )

    def _address(self, value: object, path: str) -> Address:
        names = ("address", "mask", "low", "high")
        node = self._object(value, path, ("kind", "families"), (*names, "dns_name"))
        kind = self._choice(node, path, "kind", {one.value: one for one in AddressKind})
        wanted = _NUMBERS.get(kind, ())
        families = node["families"]
        if families not in (_FAMILIES[:2] if wanted else _FAMILIES) or any(type(family) is not int for family in families):
            self._wrong(_below(path, "families"), "is none of [4], [6]" + ("" if wanted else ", [4, 6]"))
        for name in names:
            if (name in wanted) != (name in node):
                trouble = "is there, and has no meaning" if name in node else "is not there"
                self._wrong(_below(path, name), f"{trouble} for an address of kind {kind.value}")
        numbers = [int(self._address_text(node[name], _below(path, name), families[0])) for name in wanted]
        low, high = numbers or (0, 0)
        return Address(kind, tuple(families), low, high, self._str(node, path, "dns_name"))

    def _ports(self, node: _Object, path: str, key: str) -> Ports:
        if key not in node:
            return ANY_PORT
        path = _below(path, key)
        ports = self._object(node[key], path, ("low", "high"))
        return Ports(self._int(ports, path, "low", high=U16), self._int(ports, path, "high", high=U16))


def _below(path: str, key: str) -> str:
    return f"{path}.{key}" if _PLAIN_KEY.fullmatch(key) else f"{path}[{quoted(key)}]"


def _kind(value: object) -> str:
    names: dict[type, str] = {
        str: "a string",
        bool: "true or false",
        int: "a number",
        float: "a number",
        _TooLong: "a number",
        list: "an array",
        _Object: "an object",
    }
    return names.get(type(value), "null")
