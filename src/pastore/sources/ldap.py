"""The policy store of a running directory: the same objects as in LDIF, fetched."""

from typing import TYPE_CHECKING

from pastore.directory import Access, DirectoryError, shown
from pastore.findings import Finding
from pastore.ipsecdata.objects import parse_name
from pastore.model import Origin
from pastore.sources.entries import KEPT, StoreEntry, load_entries
from pastore.sources.loaded import Loaded
from pastore.sources.log import FindingLog, limited

if TYPE_CHECKING:
    from pastore.directory import Entry


def store_entry(entry: "Entry") -> StoreEntry:
    """Return an entry of a directory as one that policies are built from."""
    made = StoreEntry(entry.dn)
    for name in KEPT.intersection(entry.values):
        for value in entry.values[name]:
            made.add(name, value, None)
    return made


def load_url(
    url: str, wanted: str | None = None, *, access: Access, computer: str | None = None, site: str | None = None
) -> Loaded:
    """Read the policies of a directory and choose one.

    Parameters
    ----------
    url : str
        As `pastore.directory.parse_url` takes it.
    wanted : str, optional
        Name or GUID of a policy; see `pastore.sources.choice.choose`.
    access : Access
    computer, site : str, optional
        The policy that this computer gets is meant, see `pastore.directory.assignment.assignment_of`; no other is in `policies`.

    Returns
    -------
    Loaded
        All of the store or none of it: PA102 if the URL is none, PA170 if the server cannot be reached, PA171 if it refuses the
        logon, PA172 if there is no safe connection, PA173 if the answer is not whole, PA175 if there is no such computer,
        PA176 if it gets no policy, PA135 if it gets one that does not exist.
    """
    from pastore.directory.assignment import assignment_of
    from pastore.directory.session import Session, waived  # ldap3 is only loaded for it
    from pastore.directory.store import read_store

    try:
        with Session(url, access) as session:
            assignment = None if computer is None else assignment_of(session, computer, site)
            store = read_store(session)
    except ValueError as error:
        return Loaded(None, (Finding("PA102", str(error), Origin(shown(url))),))
    except DirectoryError as error:
        return Loaded(None, (error.finding(url), *waived(url, access)))
    found = limited(session.findings, url)
    entries = map(store_entry, (*store.objects, *store.pointers))
    log = FindingLog(url)
    if assignment is None:
        loaded = load_entries(entries, log, wanted, place="the directory")
        return Loaded(loaded.policy, (*found, *loaded.findings), loaded.policies)
    found += assignment.findings
    name = parse_name(assignment.policy)
    if wanted is None:
        if any(finding.code == "PA135" for finding in assignment.findings):
            return Loaded(None, found)
        if name is None:
            message = f"none of {len(assignment.links)} links of Group Policy objects assigns a policy to {assignment.computer!r}"
            return Loaded(None, (*found, Finding("PA176", message, Origin(url, assignment.computer))))
        wanted = str(name.guid)
    loaded = load_entries(entries, log, wanted, place="the directory", assigned=assignment.policy)
    policies = tuple(policy for policy in loaded.policies if policy is loaded.policy)
    return Loaded(loaded.policy, (*found, *loaded.findings), policies)
