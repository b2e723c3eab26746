"""Stored objects, their names and how they refer to each other ([MS-GPIPSEC] 2.2.1, the attribute tables)."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, NamedTuple
from uuid import UUID

from pastore.findings import Finding
from pastore.model import Origin, Policy

AttributeValue = str | int | bytes | tuple[str, ...]

POLICY: Final = "ipsecPolicy"
ISAKMP: Final = "ipsecISAKMPPolicy"
NFA: Final = "ipsecNFA"
NEGOTIATION: Final = "ipsecNegotiationPolicy"
FILTER: Final = "ipsecFilter"
CLASSES: Final = {name.lower(): name for name in (POLICY, ISAKMP, NFA, NEGOTIATION, FILTER)}

TYPE_STANDARD: Final = UUID("62f49e10-6c37-11d1-864c-14a300000000")
TYPE_DEFAULT_RESPONSE: Final = UUID("62f49e13-6c37-11d1-864c-14a300000000")
ACTION_BLOCK: Final = UUID("3f91a819-7647-11d1-864d-d46a00000000")
ACTION_PERMIT: Final = UUID("8a171dd2-77e3-11d1-8659-a04f00000000")
ACTION_NEGOTIATE: Final = UUID("8a171dd3-77e3-11d1-8659-a04f00000000")
ACTION_INPASS: Final = UUID("3f91a81a-7647-11d1-864d-d46a00000000")

_NAME: Final = re.compile(r"\s*(?:cn\s*=\s*)?(ipsec[a-z]+)\s*(\{[^{}]*\})\s*", re.IGNORECASE)
_GUID: Final = re.compile(r"\s*\{\s*([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})\s*\}\s*", re.IGNORECASE)


@dataclass(frozen=True, slots=True, repr=False)
class StoredObject:
    """One stored object: a subkey of the registry store, or an entry of the directory.

    Parameters
    ----------
    name : str
        Last component of the key or DN as stored, like ``ipsecNFA{78e7557c-...}``; ``CN=`` in front is allowed.
    attributes : mapping of str to str, int, bytes or tuple of str
        By lower-cased name: ``ipsecdata`` bytes, ``ipsecname``, ``ipsecid`` and ``ipsecisakmpreference`` str,
        ``ipsecnfareference`` and the other multi-valued references tuple of str, ``whenchanged`` int (seconds since 1970 UTC).
        A value of another type is a finding, not an exception.
    origin : Origin
        `locator` is the full key path or DN, `line` where known.
    places : mapping of str to Origin
        Origin of single attributes where it is known, as the line of a value.
    written : int, optional
        When the store itself last wrote the object, in seconds since 1970 UTC, where it keeps that beside ``whenchanged``.
    """

    name: str
    attributes: Mapping[str, AttributeValue]
    origin: Origin
    places: Mapping[str, Origin] = field(default_factory=dict)
    written: int | None = None

    def __repr__(self) -> str:
        # ipsecData of a rule holds pre-shared keys in clear text: bytes are counted, never shown.
        shown = ", ".join(
            f"{key}=<{len(value)} bytes>" if isinstance(value, bytes) else f"{key}={value!r}"
            for key, value in self.attributes.items()
        )
        return f"StoredObject({self.name!r}, {{{shown}}}, {self.origin!r})"


@dataclass(frozen=True, slots=True)
class Graph:
    """What `build` gives: every policy of the store, by name then GUID, and everything that was wrong."""

    policies: tuple[Policy, ...]
    findings: tuple[Finding, ...]


class ObjectName(NamedTuple):
    """Class and GUID of an object; two spellings of one name are equal."""

    kind: str
    guid: UUID

    def __str__(self) -> str:
        return f"{self.kind}{{{self.guid}}}"


def parse_name(text: str) -> ObjectName | None:
    """Return the object that a name or a reference means.

    Parameters
    ----------
    text : str
        ``class{GUID}``, a registry path that ends in it, or a DN or LDAP URL that begins with it; blanks and ``CN=`` do not
        matter. The container is ignored, so that objects of the local store, the cache and the directory resolve alike.

    Returns
    -------
    ObjectName or None
        None if it is not of that form.
    """
    # The first RDN of a DN; a registry path has no comma unless its container has one, which the second try is for.
    for last in (text.split(",", 1)[0], text):
        match = _NAME.fullmatch(last.rsplit("\\", 1)[-1].rsplit("/", 1)[-1])
        guid = parse_guid(match[2]) if match else None
        if match and guid is not None:
            return ObjectName(CLASSES.get(match[1].lower(), match[1]), guid)
    return None


def parse_guid(text: str) -> UUID | None:
    """Return a GUID in braces, None if it is not one."""
    match = _GUID.fullmatch(text)
    return UUID(match[1]) if match else None
