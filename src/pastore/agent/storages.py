"""The storages that the agent asks: a directory, and local storage."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Protocol

from pastore.agent.copies import Copy, belonging
from pastore.directory import Access, Marker, is_url
from pastore.directory.dn import parse_dn
from pastore.findings import Finding
from pastore.ipsecdata.objects import parse_name
from pastore.model import Origin
from pastore.sources import Loaded, load
from pastore.sources.entries import load_entries
from pastore.sources.ldap import store_entry
from pastore.sources.log import FindingLog

if TYPE_CHECKING:
    from pastore.directory import Entry, Session


@dataclass(frozen=True, slots=True)
class Answer:
    """What a directory says.

    Parameters
    ----------
    policy : str
        DN of the assigned policy. Empty if none is assigned, or if there is one that cannot be named.
    copy : Copy, optional
        The policy, read anew. None if none is assigned, if it does not exist, or if it was not read because nothing changed.
    marker : Marker, optional
        The state of the directory now, where nothing of the policy changed since the copy that was known.
    findings : tuple of Finding
    is_missing : bool
        Whether a policy is assigned that does not exist.
    """

    policy: str = ""
    copy: Copy | None = None
    marker: Marker | None = None
    findings: tuple[Finding, ...] = ()
    is_missing: bool = False


class Directory(Protocol):
    """A directory, as the agent asks it."""

    def ask(self, known: Copy | None, *, assignment: bool, changes: bool = True) -> Answer:
        """Ask which policy is assigned and what it is.

        Parameters
        ----------
        known : Copy, optional
            What is known of the policy that was assigned when it was last asked.
        assignment : bool
            Whether to find out again which policy is assigned; else it is the known one.
        changes : bool
            Whether to find out if the known policy changed.

        Raises
        ------
        DirectoryError
            If it cannot be reached or does not answer to the end.
        """


class LdapDirectory:
    """Active Directory, or another directory with a policy store.

    Parameters
    ----------
    url : str
    access : Access
    computer, site : str, optional
        The policy that this computer gets is meant.
    policy : str, optional
        Without a computer: name or GUID of the policy; the assigned one or the only one when left out.
    now : callable, optional
        Gives the time, for the copies.
    """

    def __init__(
        self,
        url: str,
        access: Access,
        *,
        computer: str | None = None,
        site: str | None = None,
        policy: str | None = None,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self.url = url
        self.access = access
        self.computer = computer
        self.site = site
        self.policy = policy
        self._now = now

    def ask(self, known: Copy | None, *, assignment: bool, changes: bool = True) -> Answer:
        """Do as `Directory.ask` says, over one connection and with one deadline for all of it."""
        from pastore.directory import Session, assignment_of, changed_since  # ldap3 is only loaded for it

        with Session(self.url, self.access) as session:
            policy = known.policy if known is not None else ""
            findings: tuple[Finding, ...] = ()
            if self.computer is not None and (assignment or known is None):
                assigned = assignment_of(session, self.computer, self.site)
                policy, findings = assigned.policy, assigned.findings
                if any(finding.code == "PA135" for finding in findings):
                    return Answer(policy, findings=(*session.findings, *findings), is_missing=True)
                if not policy:
                    return Answer(findings=(*session.findings, *findings))
            if known is not None and parse_name(policy) == parse_name(known.policy):
                if not changes:
                    return Answer(known.policy, marker=known.marker, findings=(*session.findings, *findings))
                changed = changed_since(session, known.marker)
                if not changed:
                    return Answer(known.policy, marker=changed.marker, findings=(*session.findings, *findings))
            answer = self._read(session, policy)
            return Answer(answer.policy, answer.copy, None, (*session.findings, *findings, *answer.findings), answer.is_missing)

    def _read(self, session: "Session", policy: str) -> Answer:
        """Read the policy, whichever way it is chosen."""
        from pastore.directory import marker_of, read_store

        marker = marker_of(session, policy)  # before reading, so that no change falls between
        store = read_store(session)
        if self.computer is None:
            log = FindingLog(self.url)
            loaded = load_entries(map(store_entry, (*store.objects, *store.pointers)), log, self.policy, place="the directory")
            if loaded.policy is None:
                return Answer(findings=loaded.findings, is_missing=True)
            policy = getattr(loaded.policy, "dn", "")
            marker = _marker_for(marker, policy, store.objects)
        entries = belonging(policy, store.objects)
        if not entries:
            finding = Finding("PA135", f"the assigned policy {policy[:200]!r} does not exist", Origin(self.url, policy[:300]))
            return Answer(policy, findings=(finding,), is_missing=True)
        return Answer(policy, Copy(policy, entries, marker, self._now(), self.url))


def _marker_for(marker: Marker, policy: str, objects: "tuple[Entry, ...]") -> Marker:
    """Return a marker of the same moment that follows a policy which was not known then."""
    followed = parse_dn(policy)
    changed = next((entry.text("whenchanged") for entry in objects if parse_dn(entry.dn) == followed), "")
    return Marker(marker.controller, policy, changed, marker.usn, marker.names)


class Local(Protocol):
    """Local storage, as the agent asks it."""

    def read(self) -> Loaded:
        """Read it; bad input is in the findings."""


@dataclass(frozen=True, slots=True)
class LocalSource:
    """Local storage: a file in any format that policies are read from, or the registry of the running Windows."""

    source: str
    policy: str | None = None
    format: str | None = None
    system: str | None = None
    encoding: str | None = None

    def __post_init__(self) -> None:
        if is_url(self.source):
            raise ValueError("local storage is a file or registry:, not a directory")

    def read(self) -> Loaded:
        """Read it."""
        return load(self.source, policy=self.policy, format=self.format, system=self.system, encoding=self.encoding)


@dataclass(frozen=True, slots=True)
class Preloaded:
    """Local storage that was read already."""

    loaded: Loaded

    def read(self) -> Loaded:
        """Return it."""
        return self.loaded
