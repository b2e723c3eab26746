"""What changed in a policy store since it was read, without reading it again.

``uSNChanged`` counts the writes of one domain controller ([MS-ADTS] 3.1.1.1.9): it finds every object that was added or modified
since, but no object that was deleted, and means nothing on another controller. So a `Marker` also holds the names of all objects
and the controller's ``invocationId``; a controller whose database was restored has a new one.
"""

from dataclasses import dataclass
from typing import Final
from uuid import UUID

from pastore.directory.dn import Dn, parse_dn
from pastore.directory.errors import NoSuchEntryError
from pastore.directory.session import Session
from pastore.directory.store import CLASSES, container_of

_CLASSES: Final = "".join(f"(objectClass={name})" for name in CLASSES)
_NOTHING: Final = "1.1"  # no attributes (RFC 4511, 4.5.1.8)


@dataclass(frozen=True, slots=True)
class Marker:
    """The state of a policy store at one moment.

    Parameters
    ----------
    controller : str
        ``invocationId`` of the domain controller, empty where the server has none.
    policy : str
        DN of the policy that is followed.
    when_changed : str
        ``whenChanged`` of that policy as the server writes it, empty if it does not exist. Windows compares nothing but this
        ([MS-GPIPSEC] 3.2.6.1).
    usn : int
        The highest ``uSNChanged`` of the store.
    names : frozenset of str
        DNs of all its objects.
    """

    controller: str
    policy: str
    when_changed: str
    usn: int
    names: frozenset[str]


@dataclass(frozen=True, slots=True)
class Changes:
    """What is different from a marker.

    Parameters
    ----------
    marker : Marker
        The state now; what changes while it is made is found the next time.
    everything : bool
        Whether the store has to be read again as a whole, because the marker means nothing here. The rest is then empty.
    modified : frozenset of str
        DNs of objects that were modified, or renamed to.
    added, deleted : frozenset of str
    """

    marker: Marker
    everything: bool = False
    modified: frozenset[str] = frozenset()
    added: frozenset[str] = frozenset()
    deleted: frozenset[str] = frozenset()

    def __bool__(self) -> bool:
        return bool(self.everything or self.modified or self.added or self.deleted)

    @property
    def unnoticed(self) -> bool:
        """Whether there are changes that Windows would not notice, since the policy itself was left as it was."""
        policy = parse_dn(self.marker.policy)
        noticed = any(parse_dn(name) == policy for name in (*self.modified, *self.added, *self.deleted))
        return bool(self) and not self.everything and not noticed


def marker_of(session: Session, policy: str = "") -> Marker:
    """Take down the state of the policy store. Do so before it is read, so that no change falls between.

    Parameters
    ----------
    session : Session
    policy : str
        DN of the policy that is followed.

    Raises
    ------
    DirectoryError
        As `Session.search`.
    """
    highest = 0
    names = set()
    when_changed = ""
    followed = parse_dn(policy) if policy else None
    for entry in session.search(container_of(session.base), f"(|{_CLASSES})", ("uSNChanged", "whenChanged")):
        highest = max(highest, entry.number("usnchanged") or 0)
        names.add(entry.dn)
        if followed is not None and session.dn(entry.dn) == followed:
            when_changed = entry.text("whenchanged")
    return Marker(_controller(session), policy, when_changed, highest, frozenset(names))


def changed_since(session: Session, marker: Marker) -> Changes:
    """Find out what changed since a marker: one search for what was written since, and one for the names.

    Parameters
    ----------
    session : Session
    marker : Marker

    Raises
    ------
    DirectoryError
        As `Session.search`.
    """
    container = container_of(session.base)
    controller = _controller(session)
    committed = session.root.number("highestcommittedusn")
    if not controller or controller != marker.controller or committed is None or committed < marker.usn:
        return Changes(marker_of(session, marker.policy), everything=True)
    written = f"(&(|{_CLASSES})(uSNChanged>={marker.usn + 1}))"
    known = _by_dn(marker.names)
    followed = parse_dn(marker.policy) if marker.policy else None
    usn, when_changed = marker.usn, marker.when_changed
    modified = set()
    for entry in session.search(container, written, ("uSNChanged", "whenChanged")):
        usn = max(usn, entry.number("usnchanged") or 0)
        dn = session.dn(entry.dn)
        if dn in known:
            modified.add(entry.dn)
        if dn == followed:
            when_changed = entry.text("whenchanged")
    names = frozenset(entry.dn for entry in session.search(container, f"(|{_CLASSES})", (_NOTHING,)))
    now = _by_dn(names)
    deleted = frozenset(name for dn, name in known.items() if dn not in now)
    if followed is not None and followed not in now:
        when_changed = ""
    fresh = Marker(controller, marker.policy, when_changed, usn, names)
    added = frozenset(name for dn, name in now.items() if dn not in known)
    return Changes(fresh, False, frozenset(modified), added, deleted)


def _by_dn(names: frozenset[str]) -> dict[Dn, str]:
    return {parse_dn(name) or (): name for name in names}


def _controller(session: Session) -> str:
    """Return the ``invocationId`` of the domain controller, empty where there is none."""
    service = session.root.text("dsservicename")
    if not service:
        return ""
    try:
        found = list(session.search(service, "(objectClass=*)", ("invocationId",), scope="base"))
    except NoSuchEntryError:
        return ""
    value = found[0].values.get("invocationid", (b"",))[0] if found else b""
    return str(UUID(bytes_le=value)) if len(value) == 16 else ""
