"""The objects of one policy as a directory gave them: what is compared, kept in the cache, and made a policy of again."""

import hashlib
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from pastore.directory import Entry, Marker
from pastore.findings import Finding
from pastore.ipsecdata.objects import ObjectName, parse_name
from pastore.model import Policy, Storage
from pastore.sources.entries import load_entries
from pastore.sources.ldap import store_entry
from pastore.sources.log import FindingLog

_REFERENCES: Final = (
    "ipsecisakmpreference",
    "ipsecnfareference",
    "ipsecfilterreference",
    "ipsecnegotiationpolicyreference",
)
_OWNERS: Final = "ipsecownersreference"


@dataclass(frozen=True, slots=True)
class Copy:
    """One policy of a directory.

    Parameters
    ----------
    policy : str
        DN of the policy.
    entries : tuple of Entry
        The policy object and all that it leads to, ordered by name. They may hold pre-shared keys.
    marker : Marker
        The state of the directory just before it was read.
    obtained : datetime
        When, in UTC.
    source : str
        URL it was read from.
    """

    policy: str
    entries: tuple[Entry, ...]
    marker: Marker
    obtained: datetime
    source: str

    @property
    def fingerprint(self) -> str:
        """A digest of what the policy says.

        Times of change are left out, since every domain controller has its own ([MS-ADA3] 2.368), and owners: they tell who
        else uses an object.
        """
        digest = hashlib.sha256()
        for entry in self.entries:
            for name, values in sorted(entry.values.items()):
                if name in ("whenchanged", _OWNERS):
                    continue
                texts = values if name == "ipsecdata" else sorted(values)  # a server gives values in any order
                for part in (entry.dn.lower().encode(), name.encode(), *texts):
                    digest.update(len(part).to_bytes(8, "little") + part)
        return digest.hexdigest()

    def same_as(self, other: "Copy") -> bool:
        """Whether this is the other policy, unchanged.

        The same domain controller must also have the same ``whenChanged`` for the policy: whoever touches it means it to be
        noticed ([MS-GPIPSEC] 3.2.6.1).
        """
        mine, others = self.marker, other.marker
        if mine.controller and mine.controller == others.controller and mine.when_changed != others.when_changed:
            return False
        return self.fingerprint == other.fingerprint

    def load(self, storage: Storage) -> tuple[Policy | None, tuple[Finding, ...]]:
        """Make the policy of it, and say what is wrong with it."""
        log = FindingLog(self.source)
        name = parse_name(self.policy)
        wanted = None if name is None else str(name.guid)
        loaded = load_entries(
            map(store_entry, self.entries), log, wanted, place="the copy", assigned=self.policy, storage=storage
        )
        assert loaded.policy is None or isinstance(loaded.policy, Policy)
        return loaded.policy, loaded.findings


def belonging(policy: str, entries: Iterable[Entry]) -> tuple[Entry, ...]:
    """Return the objects that a policy leads to, itself included, ordered by name.

    Parameters
    ----------
    policy : str
        Its DN.
    entries : iterable of Entry
        Objects of the policy store.
    """
    known: dict[ObjectName, Entry] = {}
    owned: dict[ObjectName, list[ObjectName]] = {}
    for entry in entries:
        name = parse_name(entry.dn)
        if name is None:
            continue
        known.setdefault(name, entry)
        for owner in entry.texts(_OWNERS):
            parsed = parse_name(owner)
            if parsed is not None:
                owned.setdefault(parsed, []).append(name)
    start = parse_name(policy)
    found: dict[ObjectName, Entry] = {}
    ahead = deque([start] if start is not None else [])
    while ahead:
        name = ahead.popleft()
        if name in found or name not in known:
            continue
        found[name] = entry = known[name]
        ahead.extend(
            parsed for attribute in _REFERENCES for value in entry.texts(attribute) if (parsed := parse_name(value)) is not None
        )
        # A filter list may belong to a rule by its owner reference alone ([MS-GPIPSEC] 2.2.1.3.1).
        if name.kind == "ipsecNFA":
            ahead.extend(one for one in owned.get(name, ()) if one.kind == "ipsecFilter")
    return tuple(found[name] for name in sorted(found))
