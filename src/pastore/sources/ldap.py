"""The policy store of a running directory: the same objects as in LDIF, fetched."""

from pastore.directory import Access, DirectoryError, shown
from pastore.findings import Finding
from pastore.model import Origin
from pastore.sources.entries import KEPT, StoreEntry, load_entries
from pastore.sources.loaded import Loaded
from pastore.sources.log import FindingLog, limited


def load_url(url: str, wanted: str | None = None, *, access: Access) -> Loaded:
    """Read the policies of a directory and choose one.

    Parameters
    ----------
    url : str
        As `pastore.directory.parse_url` takes it.
    wanted : str, optional
        Name or GUID of a policy; see `pastore.sources.choice.choose`.
    access : Access

    Returns
    -------
    Loaded
        All of the store or none of it: PA102 if the URL is none, PA170 if the server cannot be reached, PA171 if it refuses the
        logon, PA172 if there is no safe connection, PA173 if the answer is not whole.
    """
    from pastore.directory.session import Entry, Session  # ldap3 is only loaded for it
    from pastore.directory.store import read_store

    def taken(entry: Entry) -> StoreEntry:
        values = {name: [(value, None) for value in some] for name, some in entry.values.items() if name in KEPT}
        return StoreEntry(entry.dn, None, values)

    try:
        with Session(url, access) as session:
            store = read_store(session)
    except ValueError as error:
        return Loaded(None, (Finding("PA102", str(error), Origin(shown(url))),))
    except DirectoryError as error:
        return Loaded(None, (error.finding(url),))
    log = FindingLog(url)
    loaded = load_entries(map(taken, (*store.objects, *store.pointers)), log, wanted, place="the directory")
    return Loaded(loaded.policy, (*limited(session.findings, url), *loaded.findings), loaded.policies)
