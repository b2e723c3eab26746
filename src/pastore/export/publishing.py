"""Policies into a directory: what has to be written, in an order in which no reader ever meets a reference that leads nowhere.

A server changes one entry at a time, as a whole, and there is nothing larger that is. So the order is what keeps readers from
harm, whenever they come and whenever the writer is interrupted:

1. filter lists, filter actions and key exchange settings, new and changed;
2. rules, new and changed, which refer to those;
3. the policy, which refers to the rules. Windows compares nothing but the time of this object ([MS-GPIPSEC] 3.2.6.1): it is
   written after everything below it, and if it needs no change itself, it is touched;
4. the assignment;
5. what is no longer used goes last, rules before what they refer to.

References back to owners are never ahead of the references forward: a filter list belongs to the rule that it names as its owner
([MS-GPIPSEC] 2.2.1.3.1). They come after a new reference and go before an old one. docs/adr/019-publishing.md says more.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Final

from pastore.directory import Access, DirectoryError
from pastore.directory.access import ANONYMOUS
from pastore.directory.writing import Add, Change, Delete, Modify, Operation, Step, texts
from pastore.export.gathering import rules_with_keys, stored_objects
from pastore.export.ldif import ATTRIBUTES
from pastore.findings import Finding
from pastore.ipsecdata import filter_list, isakmp, meaning, negotiation, nfa, policy
from pastore.ipsecdata.objects import AttributeValue, ObjectName, StoredObject, parse_name
from pastore.ipsecdata.stored import FILTER, ISAKMP, NEGOTIATION, NFA, POLICY
from pastore.model import NOWHERE, Origin, Policy

if TYPE_CHECKING:
    from pastore.directory.session import Entry, Session

_OWNERS: Final = "ipsecownersreference"
_FORWARD: Final = ("ipsecisakmpreference", "ipsecnfareference", "ipsecnegotiationpolicyreference", "ipsecfilterreference")
_SPELLING: Final = {**ATTRIBUTES, _OWNERS: "ipsecOwnersReference"}
_TEXTS: Final = ("ipsecname", "description")
_GUIDS: Final = ("ipsecid", "ipsecnegotiationpolicytype", "ipsecnegotiationpolicyaction")
_WRITTEN: Final = (*_TEXTS, *_GUIDS, "ipsecdata")
# Both occur in stores that Windows wrote, so that every version of it takes either. No reader makes anything of it.
_DATA_TYPES: Final = ("256", "598")

# What a value means, apart from bytes that mean nothing.
_MEANING: Final[Mapping[str, tuple[Callable[[bytes], tuple[Any, tuple[Finding, ...]]], Callable[[Any], object]]]] = {
    POLICY: (policy.decode, lambda blob: blob.polling_interval or meaning.DEFAULT_POLLING),
    ISAKMP: (
        isakmp.decode,
        lambda blob: (
            bool(blob.pfs),
            blob.lifetime_seconds or meaning.DEFAULT_LIFETIME,
            blob.quick_mode_limit,
            meaning.methods_of(blob),
            blob.options & 3,
        ),
    ),
    NFA: (
        nfa.decode,
        lambda blob: (
            bool(blob.is_active),
            meaning.interface_type_of(blob),
            blob.interface_name.text,
            meaning.tunnel_of(blob),
            bool(blob.is_tunnel),
            blob.tunnel_name.text,
            meaning.auth_methods_of(blob),
        ),
    ),
    NEGOTIATION: (negotiation.decode, meaning.offers_of),
    FILTER: (filter_list.decode, lambda blob: meaning.filters_of(blob, NOWHERE)),
}


@dataclass(frozen=True, slots=True)
class Plan:
    """What publishing a policy comes to.

    Parameters
    ----------
    policy : str
        DN of the policy.
    changes : tuple of Change
        In the order in which they have to be written; none if the directory holds the policy already.
    findings : tuple of Finding
        PA179 if another policy changes with it, PA136 for what is no longer used and stays.
    keys : frozenset of str
        DNs of the entries among the changes whose new values hold pre-shared keys.
    """

    policy: str
    changes: tuple[Change, ...]
    findings: tuple[Finding, ...] = ()
    keys: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Published:
    """What became of publishing a policy.

    Parameters
    ----------
    plan : Plan
        What was written; only what would be, in a dry run.
    findings : tuple of Finding
        Those of the plan, and what was wrong with the connection (PA174, PA505).
    gpo : str
        Display name of the Group Policy object that assigns the policy now, empty if none was named.
    before : str
        DN of the policy that it assigned before, where that was another one.
    is_off : bool
        Whether the computer half of that Group Policy object is disabled.
    """

    plan: Plan
    findings: tuple[Finding, ...]
    gpo: str = ""
    before: str = ""
    is_off: bool = False


class UnfinishedError(DirectoryError):
    """Some of the changes were written, and the next was not; or nothing is known of it, if the connection broke."""


def publish(
    wanted: Policy,
    url: str,
    access: Access = ANONYMOUS,
    *,
    gpo: str | None = None,
    remove_unused: bool = False,
    dry_run: bool = False,
    told: Callable[[Change], None] | None = None,
) -> Published:
    """Have a directory hold a policy, and nothing written if it does.

    Parameters
    ----------
    wanted : Policy
        A policy of the directory with the same GUID becomes this one.
    url : str
        As `pastore.directory.parse_url` takes it.
    access : Access
    gpo : str, optional
        Display name, GUID or DN of a Group Policy object that is to assign the policy.
    remove_unused : bool
        Whether rules, filter lists, filter actions and key exchange settings that the policy had, and that nothing refers to any
        more, are deleted.
    dry_run : bool
        Whether the directory is only read.
    told : callable, optional
        Gets each change after it was written.

    Returns
    -------
    Published

    Raises
    ------
    ValueError
        If the policy is not whole or cannot be stored, or `url` is none.
    DirectoryError
        PA177 if the server refuses a change, PA178 if the policy does not fit into what is there, and what
        `pastore.directory.session.Session` raises. What was written until then leaves a store that is whole, and publishing again
        goes on from there.
    """
    from pastore.directory.group_policy import Assigning, assigning, find_gpo
    from pastore.directory.session import Session  # ldap3 is only loaded for it
    from pastore.directory.store import container_of

    check_whole(wanted)
    with Session(url, access) as session:
        container = container_of(session.base)
        found = find_gpo(session, gpo) if gpo is not None else None
        made = _read_and_plan(session, wanted, container, remove_unused)
        link = Assigning("", (), "", is_off=False)
        if found is not None:
            link = assigning(session, found, made.policy, wanted.name, wanted.description)
            made = replace(made, changes=_before_deletions(made.changes, link.changes))
        if not dry_run and made.changes:
            kept = [change for change in made.changes if not isinstance(change, Delete)]
            writer = _Writer(session, len(made.changes), told)
            writer.write(kept)
            with writer.unfinished():
                # What is there now, and whether anybody has come to use what is to be deleted.
                left = _read_and_plan(session, wanted, container, remove_unused).changes
                if found is not None and link.changes:
                    left += assigning(session, find_gpo(session, found.dn), made.policy, wanted.name, wanted.description).changes
                other = next((change for change in left if not isinstance(change, Delete)), None)
                if other is not None:
                    message = f"{other.dn[:200]!r} is not as it was written: somebody else writes there too; publish again"
                    raise DirectoryError("PA178", message)
            gone = [change for change in made.changes if change in left]
            writer.write(gone)
            made = replace(made, changes=(*kept, *gone))
        before = link.before if parse_name(link.before) != parse_name(made.policy) else ""
        told_twice = (*session.findings, *made.findings)  # the store may have been read twice
        return Published(made, tuple(dict.fromkeys(told_twice)), link.name, before, link.is_off)


def _read_and_plan(session: "Session", wanted: Policy, container: str, remove: bool) -> Plan:
    from pastore.directory.store import read_objects

    return plan(wanted, read_objects(session), container, remove_unused=remove, source=session.url)


def _before_deletions(changes: tuple[Change, ...], more: tuple[Change, ...]) -> tuple[Change, ...]:
    deletions = tuple(change for change in changes if isinstance(change, Delete))
    return (*(change for change in changes if not isinstance(change, Delete)), *more, *deletions)


class _Writer:
    """Writes changes, and tells of how many were written when something goes wrong."""

    def __init__(self, session: "Session", total: int, told: Callable[[Change], None] | None) -> None:
        self._session = session
        self._total = total
        self._told = told
        self._done = 0

    def write(self, changes: Iterable[Change]) -> None:
        for change in changes:
            with self.unfinished():
                self._session.write(change)
            self._done += 1
            if self._told is not None:
                self._told(change)

    @contextmanager
    def unfinished(self) -> Iterator[None]:
        """Have an error say that something was written before it."""
        try:
            yield
        except DirectoryError as error:
            if not self._done:
                raise
            message = f"after {self._done} of {self._total} changes, which leave the store whole: {error}"
            raise UnfinishedError(error.code, message) from None


def check_whole(wanted: Policy) -> None:
    """Look whether a policy is all there.

    Raises
    ------
    ValueError
        If it refers to what could not be had. A directory would keep references that lead nowhere.
    """
    lost = [*wanted.missing, *(name for rule in wanted.rules for name in rule.missing)]
    if lost:
        raise ValueError(f"the policy is not whole: {lost[0][:200]} is missing")
    if wanted.main_mode is None:
        raise ValueError("the policy is not whole: it has no key exchange settings")
    for rule in wanted.rules:
        if rule.filter_action is None:
            raise ValueError(f"the policy is not whole: rule {rule.label!r} has no filter action")


def plan(wanted: Policy, objects: Iterable["Entry"], container: str, *, remove_unused: bool = False, source: str = "") -> Plan:
    """Find out what has to be written for a policy store to hold a policy.

    Parameters
    ----------
    wanted : Policy
    objects : iterable of Entry
        All objects of the store, as `pastore.directory.store.read_objects` gives them.
    container : str
        DN of the store.
    remove_unused : bool
    source : str
        What to call the directory in findings.

    Raises
    ------
    ValueError
        If the policy cannot be stored.
    DirectoryError
        PA178 if it does not fit into the store.
    """
    return _Planner(wanted, objects, container, remove_unused, source).plan()


@dataclass(eq=False, slots=True)
class _Held:
    """An object that the directory holds, and where it refers to."""

    name: ObjectName
    entry: "Entry"
    targets: dict[str, dict[ObjectName, str]] = field(default_factory=dict)
    """By attribute: the objects referred to, and the value that does."""
    strays: set[str] = field(default_factory=set)
    """The attributes with values that name no object."""

    def all_targets(self) -> Iterator[ObjectName]:
        """Yield every object that it refers to, owners left out."""
        for attribute in _FORWARD:
            yield from self.targets.get(attribute, ())

    @property
    def owners(self) -> set[ObjectName]:
        """The objects that it names as its owners."""
        return set(self.targets.get(_OWNERS, ()))


def _held(entry: "Entry", name: ObjectName) -> _Held:
    held = _Held(name, entry)
    for attribute in (*_FORWARD, _OWNERS):
        for value in entry.texts(attribute):
            target = parse_name(value)
            if target is None:
                held.strays.add(attribute)
            else:
                held.targets.setdefault(attribute, {})[target] = value
    return held


class _Planner:
    """The state of one call of `plan`."""

    def __init__(self, wanted: Policy, objects: Iterable["Entry"], container: str, remove: bool, source: str) -> None:
        self.container = container
        self.remove = remove
        self.source = source
        self.findings: list[Finding] = []
        self.wanted: dict[ObjectName, StoredObject] = {}
        for stored in stored_objects((wanted,), container, secrets=True):
            self.wanted[_name_of(stored.name)] = stored
        self.root = ObjectName(POLICY, wanted.guid)
        self.keyed = {ObjectName(NFA, rule.guid) for rule in rules_with_keys(wanted)}
        self.held: dict[ObjectName, _Held] = {}
        for entry in objects:
            name = parse_name(entry.dn.split(",", 1)[0])
            if name is not None:
                self.held.setdefault(name, _held(entry, name))
        self.parents: dict[ObjectName, set[ObjectName]] = {self.root: set()}  # who refers to an object when all is written
        for name, stored in self.wanted.items():
            for target in _targets(stored):
                self.parents.setdefault(target, set()).add(name)
        self.old = self._old_objects()
        self.unused = self._unused()

    def plan(self) -> Plan:
        """Put everything in order."""
        self._look_for_conflicts()
        leaves = sorted((name for name in self.wanted if name.kind not in (POLICY, NFA)), key=_by_kind)
        rules = [name for name in self.wanted if name.kind == NFA]
        below: list[Change] = []
        below += [self._added(name) for name in leaves if name not in self.held]
        shared = [*self._modified(leaves), *self._modified_otherwise()]
        below += [change for _, change in shared]
        below += [self._added(name) for name in rules if name not in self.held]
        below += [change for _, change in self._modified(rules)]
        below += self._owned(leaves)
        changes = [*below, *self._policy(leaves, rules, is_changed=bool(below)), *self._others(shared)]
        if self.remove:
            gone = sorted(self.unused, key=lambda name: (name.kind != NFA, name))
            changes += [Delete(self.held[name].entry.dn) for name in gone]
        else:
            for name in sorted(self.unused):
                message = f"{name} is no longer used; --remove-unused removes it"
                self.findings.append(Finding("PA136", message, self._place(name)))
        keys = frozenset(self._dn(name) for name in self.keyed if self._holds_data(name, changes))
        return Plan(self._dn(self.root), tuple(changes), tuple(self.findings), keys)

    # What is there

    def _old_objects(self) -> set[ObjectName]:
        """Return the objects that belong to the policy in the directory and not to the one that is wanted.

        Those of a run that was interrupted name the policy as their owner.
        """
        root = self.held.get(self.root)
        reached = {name for name, held in self.held.items() if self.root in held.owners}
        reached |= set(root.all_targets()) if root else set()
        rules = {name for name in reached if name.kind == NFA and name in self.held}
        for name in rules:
            reached |= set(self.held[name].all_targets())
        reached |= {name for name, held in self.held.items() if name.kind == FILTER and held.owners & rules}
        return {name for name in reached if name in self.held and name not in self.wanted and name.kind != POLICY}

    def _unused(self) -> set[ObjectName]:
        """Return which of these nothing else refers to, and nobody else claims."""
        unused = set(self.old)
        while True:
            staying = {name for name in self.held if name not in unused}
            needed = set(self.wanted)
            for name in staying - set(self.wanted):
                needed |= set(self.held[name].all_targets())
            # An owner that is not ours may have it by that alone.
            strangers = staying - set(self.wanted)
            claimed = {name for name in unused if self.held[name].owners & strangers}
            left = unused - needed - claimed
            if left == unused:
                return unused
            unused = left

    def _look_for_conflicts(self) -> None:
        for name in self.wanted:
            held = self.held.get(name)
            if held is None:
                continue
            classes = {text.lower() for text in held.entry.texts("objectclass")}
            if name.kind.lower() not in classes:
                raise DirectoryError("PA178", f"{held.entry.dn[:200]!r} is no {name.kind}; it would have to be deleted first")
        for other in self._policies():
            for name in other.all_targets():
                if name.kind == NFA and name in self.wanted:
                    message = (
                        f"{name} belongs to {self._called(other)} already; a rule has one policy, and this one needs its own"
                    )
                    raise DirectoryError("PA178", message)

    def _policies(self) -> Iterator[_Held]:
        """Yield the other policies of the directory."""
        for name, held in self.held.items():
            if name.kind == POLICY and name != self.root:
                yield held

    def _called(self, held: _Held) -> str:
        return f"policy {held.entry.text('ipsecname')[:200]!r}"

    def _dn(self, name: ObjectName) -> str:
        return self.held[name].entry.dn if name in self.held else f"CN={name},{self.container}"

    def _place(self, name: ObjectName) -> Origin:
        return Origin(self.source, self._dn(name)[:300])

    # Changes

    def _added(self, name: ObjectName) -> Add:
        stored = self.wanted[name]
        values: dict[str, tuple[bytes, ...]] = {"objectClass": texts(("top", "ipsecBase", name.kind))}
        for lower, attribute in ATTRIBUTES.items():
            value = stored.attributes.get(lower)
            if value is not None and lower != "whenchanged":
                values[attribute] = self._values(lower, value)
        if name == self.root:
            values["ipsecDataType"] = texts((_DATA_TYPES[1],))  # it is touched when its rules have their owner
        if self.root in self.held and self.root in self.parents[name]:
            values[_SPELLING[_OWNERS]] = texts((self._dn(self.root),))
        return Add(f"CN={name},{self.container}", values)

    def _values(self, lower: str, value: AttributeValue) -> tuple[bytes, ...]:
        if isinstance(value, bytes):
            return (value,)
        several = value if isinstance(value, tuple) else (str(value),)
        if lower in _FORWARD:
            several = tuple(self._dn(_name_of(one)) for one in several)
        return texts(several)

    def _modified(self, names: Iterable[ObjectName]) -> list[tuple[ObjectName, Modify]]:
        """Return the changes of objects that are there already; owners that are not yet to be named are left out."""
        made = []
        for name in names:
            held = self.held.get(name)
            if held is None:
                continue
            steps = self._steps(name, held)
            owners = {one for one in self.parents[name] if self._refers(one, name) or (one == self.root and one in self.held)}
            steps += self._owner_steps(held, self._staying(held, self.parents[name]) | owners)
            if steps:
                made.append((name, Modify(held.entry.dn, tuple(steps))))
        return made

    def _modified_otherwise(self) -> list[tuple[ObjectName, Modify]]:
        """Return what changes of objects that the policy no longer has: whom they name as their owners.

        What nothing uses any more belongs to the policy until it is deleted, so that the next run finds it.
        """
        made = []
        for name in sorted(self.old, key=_by_kind):
            held = self.held[name]
            owners = self._staying(held, set())
            if name in self.unused and not owners:
                owners = {self.root}
            steps = self._owner_steps(held, owners)
            if steps:
                made.append((name, Modify(held.entry.dn, tuple(steps))))
        return made

    def _staying(self, held: _Held, parents: set[ObjectName]) -> set[ObjectName]:
        """Return the owners of an object that remain: those that refer to it in the end, and strangers."""
        staying = set()
        for owner in held.owners:
            if owner in self.old:
                stays = self._refers(owner, held.name) and not (self.remove and owner in self.unused)
            elif owner in self.wanted:
                stays = owner in parents or (owner == self.root and held.name in self.unused)
            else:
                stays = owner in self.held
            if stays:
                staying.add(owner)
        return staying

    def _refers(self, parent: ObjectName, name: ObjectName) -> bool:
        """Whether an object refers to another one already."""
        return parent in self.held and name in set(self.held[parent].all_targets())

    def _steps(self, name: ObjectName, held: _Held) -> list[Step]:
        """Return what makes an object hold what is wanted, its owners left out."""
        stored, steps = self.wanted[name], []
        for lower in _WRITTEN:
            value = stored.attributes.get(lower)
            fresh = () if value is None else self._values(lower, value)
            if not _is_same(name.kind, lower, held.entry.values.get(lower, ()), fresh):
                steps.append(Step(Operation.REPLACE, _SPELLING[lower], fresh))
        for lower in _FORWARD:
            steps += self._reference_steps(held, lower, set(_targets(stored, lower)))
        return steps

    def _owner_steps(self, held: _Held, owners: set[ObjectName]) -> list[Step]:
        return self._reference_steps(held, _OWNERS, owners)

    def _reference_steps(self, held: _Held, lower: str, wanted: set[ObjectName]) -> list[Step]:
        """Return what makes an attribute refer to some objects: only the differences, so that nobody else's are lost."""
        have, attribute = held.targets.get(lower, {}), _SPELLING[lower]
        if lower in held.strays:
            # References to deleted objects cannot be named to be taken away.
            return [Step(Operation.REPLACE, attribute, texts(sorted(self._dn(name) for name in wanted)))]
        if lower in ("ipsecisakmpreference", "ipsecnegotiationpolicyreference") and set(have) != wanted:
            return [Step(Operation.REPLACE, attribute, texts(self._dn(name) for name in wanted))]
        gone = [value for name, value in have.items() if name not in wanted]
        more = sorted(self._dn(name) for name in wanted if name not in have)
        steps = [Step(Operation.DELETE, attribute, texts(gone))] if gone else []
        return [*steps, Step(Operation.ADD, attribute, texts(more))] if more else steps

    def _owned(self, names: Iterable[ObjectName]) -> list[Change]:
        """Return the references back to rules that are new or newly refer to an object, which come after them."""
        made: list[Change] = []
        for name in names:
            held = self.held.get(name)
            known = held.owners if held else set()
            late = [one for one in self.parents[name] if one.kind == NFA and one not in known and not self._refers(one, name)]
            if late:
                values = texts(sorted(self._dn(one) for one in late))
                made.append(Modify(self._dn(name), (Step(Operation.ADD, _SPELLING[_OWNERS], values),)))
        return made

    def _policy(self, leaves: list[ObjectName], rules: list[ObjectName], *, is_changed: bool) -> list[Change]:
        """Return the changes of the policy object, the last of which is the last of all that Windows would notice."""
        held = self.held.get(self.root)
        if held is not None:
            steps = self._steps(self.root, held)
            if not steps and (is_changed or self._is_late(held)):
                steps = [_touch(held.entry.text("ipsecdatatype"))]
            return [Modify(held.entry.dn, tuple(steps))] if steps else []
        made: list[Change] = [self._added(self.root)]
        step = Step(Operation.ADD, _SPELLING[_OWNERS], texts((self._dn(self.root),)))
        for name in (*leaves, *rules):
            known = self.held[name].owners if name in self.held else set()
            if self.root in self.parents[name] and self.root not in known:
                made.append(Modify(self._dn(name), (step,)))
        return [*made, Modify(self._dn(self.root), (_touch(_DATA_TYPES[1]),))]

    def _is_late(self, held: _Held) -> bool:
        """Whether an object of the policy was written after it, so that Windows has not noticed: a writer was interrupted."""
        own = held.entry.number("usnchanged")
        others = (self.held[name].entry.number("usnchanged") for name in self.wanted if name in self.held)
        return own is not None and any(number is not None and number > own for number in others)

    def _others(self, shared: list[tuple[ObjectName, Modify]]) -> list[Change]:
        """Return what touches the other policies that change with this one, and say so."""
        changed = {name for name, change in shared if any(step.attribute != _SPELLING[_OWNERS] for step in change.steps)}
        made: list[Change] = []
        for other in self._policies():
            reached = set(other.all_targets())
            for name in [name for name in reached if name.kind == NFA and name in self.held]:
                reached |= set(self.held[name].all_targets())
            common = sorted(reached & changed)
            if common:
                names = ", ".join(map(str, common[:5]))
                message = f"{self._called(other)} changes with it: {names} {'belongs' if len(common) == 1 else 'belong'} to both"
                self.findings.append(Finding("PA179", message, Origin(self.source, other.entry.dn[:300])))
                made.append(Modify(other.entry.dn, (_touch(other.entry.text("ipsecdatatype")),)))
        return made

    def _holds_data(self, name: ObjectName, changes: Iterable[Change]) -> bool:
        dn = self._dn(name)
        for change in changes:
            if change.dn != dn:
                continue
            if isinstance(change, Add) or (
                isinstance(change, Modify) and any(step.attribute == "ipsecData" for step in change.steps)
            ):
                return True
        return False


def _touch(data_type: str) -> Step:
    """Return what makes the server take a new time for a policy object and changes nothing in its meaning."""
    return Step(Operation.REPLACE, "ipsecDataType", texts((_DATA_TYPES[data_type == _DATA_TYPES[0]],)))


def _by_kind(name: ObjectName) -> tuple[int, ObjectName]:
    return ((FILTER, NEGOTIATION, ISAKMP, NFA, POLICY).index(name.kind), name)


def _name_of(text: str) -> ObjectName:
    name = parse_name(text)
    assert name is not None  # of an object that `store` made
    return name


def _targets(stored: StoredObject, *attributes: str) -> Iterator[ObjectName]:
    """Yield the objects that one refers to, by some attributes or all but that of its owners."""
    for attribute in attributes or _FORWARD:
        value = stored.attributes.get(attribute, ())
        for text in (value,) if isinstance(value, str) else value if isinstance(value, tuple) else ():
            yield _name_of(text)


def _is_same(kind: str, lower: str, held: tuple[bytes, ...], wanted: tuple[bytes, ...]) -> bool:
    """Whether an attribute means what is wanted; bytes that mean nothing may differ."""
    if held == wanted:
        return True
    if len(held) != 1 or len(wanted) != 1:
        return False
    if lower in _GUIDS:
        return held[0].strip().lower() == wanted[0].lower()
    if lower != "ipsecdata":
        return False
    decode, meaning_of = _MEANING[kind]
    (one, found), (other, _) = decode(held[0]), decode(wanted[0])
    return one is not None and other is not None and not found and meaning_of(one) == meaning_of(other)
