"""A policy store in memory that is as strict as Active Directory: it counts its writes and keeps no reference to nothing."""

from collections.abc import Iterable

from pastore.directory.session import Entry
from pastore.directory.writing import Add, Change, Delete, Modify, Operation
from pastore.findings import Finding
from pastore.ipsecdata.objects import ObjectName, StoredObject, parse_name
from pastore.model import Policy
from pastore.sources.entries import KEPT, StoreEntry, load_entries
from pastore.sources.log import FindingLog
from tests.support.exporting import in_directory, timeless

BASE = "DC=corp,DC=example"
CONTAINER = f"CN=IP Security,CN=System,{BASE}"
REFERENCES = (
    "ipsecisakmpreference",
    "ipsecnfareference",
    "ipsecnegotiationpolicyreference",
    "ipsecfilterreference",
    "ipsecownersreference",
)


class MemoryStore:
    """Entries by name, each with the number of its last write."""

    def __init__(self) -> None:
        self.entries: dict[ObjectName, tuple[str, dict[str, list[bytes]]]] = {}
        self.usn = 1000

    def copy(self) -> "MemoryStore":
        """Return a store that goes its own way from here."""
        other = MemoryStore()
        other.usn = self.usn
        other.entries = {
            name: (dn, {attribute: list(some) for attribute, some in values.items()})
            for name, (dn, values) in self.entries.items()
        }
        return other

    def objects(self) -> list[Entry]:
        """Return the entries as a session gives them."""
        return [Entry(dn, {name: tuple(some) for name, some in values.items()}) for dn, values in self.entries.values()]

    def write(self, change: Change) -> None:
        """Carry out a change, or fail as the server would."""
        name = parse_name(change.dn)
        assert name is not None, change
        self.usn += 1
        if isinstance(change, Add):
            assert name not in self.entries, f"{change.dn} exists already"
            values = {attribute.lower(): list(some) for attribute, some in change.attributes.items()}
            assert all(values.values()), f"{change.dn} has attributes without values"
            self.entries[name] = (change.dn, values)
        elif isinstance(change, Delete):
            del self.entries[name]
        else:
            self._modify(name, change)
        if name in self.entries:
            self.entries[name][1]["usnchanged"] = [str(self.usn).encode()]
        self.look_for_dangling(change)

    def _modify(self, name: ObjectName, change: Modify) -> None:
        values = self.entries[name][1]
        before = {attribute: sorted(some) for attribute, some in values.items()}
        assert change.steps, change
        for step in change.steps:
            lower = step.attribute.lower()
            have = values.setdefault(lower, [])
            if step.operation is Operation.REPLACE:
                have[:] = step.values
            for value in step.values:
                if step.operation is Operation.ADD:
                    assert value not in have, f"{change}: the value is there already"
                    have.append(value)
                elif step.operation is Operation.DELETE:
                    have.remove(value)
            if not have:
                del values[lower]
        after = {attribute: sorted(some) for attribute, some in values.items()}
        assert after != before, f"{change} changes nothing, and the server would not count it"

    def look_for_dangling(self, change: object = None) -> None:
        """Fail if an object refers to one that is not there."""
        for dn, values in self.entries.values():
            for attribute in REFERENCES:
                for value in values.get(attribute, ()):
                    target = parse_name(value.decode())
                    assert target in self.entries, f"after {change!r}, {attribute} of {dn} leads nowhere"

    def usn_of(self, name: ObjectName) -> int:
        """Return the number of the last write of an object."""
        return int(self.entries[name][1]["usnchanged"][0])

    def read(self) -> tuple[tuple[Policy, ...], tuple[Finding, ...]]:
        """Return the policies that a reader finds, and what is wrong with their references."""
        entries = []
        for dn, values in self.entries.values():
            entry = StoreEntry(dn)
            for attribute in KEPT.intersection(values):
                for value in values[attribute]:
                    entry.add(attribute, value, None)
            entries.append(entry)
        loaded = load_entries(entries, FindingLog("store"), None, place="the store")
        errors = (one for one in loaded.findings if one.code in ("PA130", "PA131", "PA132", "PA137", "PA138"))
        return loaded.policies, tuple(errors)

    def put(self, stored: Iterable[StoredObject]) -> None:
        """Take objects in as another program wrote them."""
        for one in stored:
            name = parse_name(one.name)
            assert name is not None
            self.usn += 1
            values: dict[str, list[bytes]] = {"usnchanged": [str(self.usn).encode()]}
            for attribute, value in one.attributes.items():
                some = value if isinstance(value, tuple) else (value,)
                values[attribute] = [each if isinstance(each, bytes) else str(each).encode() for each in some]
            self.entries[name] = (str(one.attributes["distinguishedname"]), values)


def in_store(policy: Policy) -> Policy:
    """Return a policy as it is read from a store that keeps no times."""
    kept = timeless(in_directory(policy))
    assert isinstance(kept, Policy)
    return kept
