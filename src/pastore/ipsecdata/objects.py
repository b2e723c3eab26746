"""The graph of named objects <-> Policy.

Registry, cache and directory keep the same objects under the same names and differ only in how they write a reference; readers of
all three hand over `StoredObject`s and get policies back.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from pastore.findings import Finding
from pastore.model import Origin, Policy

AttributeValue = str | int | bytes | tuple[str, ...]


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
    """

    name: str
    attributes: Mapping[str, AttributeValue]
    origin: Origin
    places: Mapping[str, Origin] = field(default_factory=dict)

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
