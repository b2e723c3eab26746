"""Which policy a computer gets: the links of Group Policy objects, in the order of their precedence, and which one wins.

[MS-GPOL] 3.2.5.1.2 to 3.2.5.1.7 for the links and who is filtered out, [MS-GPIPSEC] 2.2.2 and 3.2.5.3 for the policy: the Group
Policy object of the highest precedence that has the IP Security extension decides alone. Where the specification is silent or
contradicts itself, docs/adr/011-policies-from-directories.md says what was decided.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from enum import Enum
from typing import Final

from pastore.directory import rights
from pastore.directory.dn import Dn, escaped, is_below, parse_dn
from pastore.directory.errors import DirectoryError, NoSuchEntryError
from pastore.directory.rights import Right
from pastore.directory.session import Entry, Session
from pastore.directory.store import POINTER_ATTRIBUTES
from pastore.findings import Finding
from pastore.model import Origin

IPSEC_EXTENSION: Final = "{e437bc1c-aa7d-11d2-a382-00c04f991e27}"
POINTER: Final = "CN=IPSEC,CN=Windows,CN=Microsoft,CN=Machine"

_LINK: Final = re.compile(r"\[\s*LDAP://([^\[\];]*);\s*(\d{1,10})\s*\]", re.IGNORECASE)
_DISABLED, _ENFORCED = 1, 2
_MAX_LINKS: Final = 999
_COMPUTER_HALF_OFF: Final = 2
_GPO_ATTRIBUTES: Final = (
    "displayName",
    "flags",
    "versionNumber",
    "gPCFunctionalityVersion",
    "gPCMachineExtensionNames",
    "gPCWQLFilter",
    "nTSecurityDescriptor",
)


class Fate(Enum):
    """What became of a link."""

    WINS = "wins"
    OUTRANKED = "outranked"
    DISABLED = "link disabled"
    BLOCKED = "inheritance blocked"
    NOT_FOUND = "not found"
    FILTERED = "filtered out"
    NO_POLICY = "no IPsec policy"


@dataclass(frozen=True, slots=True)
class Link:
    """A link of a Group Policy object that was considered.

    Parameters
    ----------
    place : str
        DN of the site, domain or organizational unit that has the link.
    kind : {"site", "domain", "ou"}
    order : int
        Link order there, from 1; 1 has the highest precedence of its place.
    enforced : bool
    gpo : str
        DN of the Group Policy object.
    name : str
        Its display name; the DN's first part where there is none.
    fate : Fate
    why : str
        A sentence part that explains the fate.
    policy : str
        DN of the policy that the Group Policy object points to, empty if it points to none.
    """

    place: str
    kind: str
    order: int
    enforced: bool
    gpo: str
    name: str
    fate: Fate
    why: str = ""
    policy: str = ""


@dataclass(frozen=True, slots=True)
class Assignment:
    """Which policy a computer gets, and why.

    Parameters
    ----------
    computer : str
        DN of the computer.
    site : str
        DN of the site, empty if it was not given.
    links : tuple of Link
        Every link that was considered, the one of the highest precedence first.
    winner : Link, optional
    findings : tuple of Finding
        PA135 if the winner points nowhere; PA406 if rights could not be read, PA407 if a WMI filter may decide, PA408 if a site
        may.
    """

    computer: str
    site: str
    links: tuple[Link, ...]
    winner: Link | None
    findings: tuple[Finding, ...]

    @property
    def policy(self) -> str:
        """DN of the assigned policy, empty if there is none."""
        return self.winner.policy if self.winner else ""


@dataclass(frozen=True, slots=True)
class _Place:
    """A site, domain or organizational unit: a scope of management."""

    dn: str
    kind: str
    links: tuple[tuple[str, int], ...]
    blocks: bool


def assignment_of(session: Session, computer: str, site: str | None = None) -> Assignment:
    """Find out which policy a computer gets.

    Parameters
    ----------
    session : Session
    computer : str
        Its account name, with or without ``$``, its DNS name or its DN.
    site : str, optional
        Name of the site it is in, which a member computer finds by its address and the directory does not hold.

    Raises
    ------
    DirectoryError
        PA175 if there is no such computer or site, or several; else as `Session.search`.
    """
    account = find_computer(session, computer)
    token = _token(session, account)
    site_dn, site_place = _site(session, site)
    places = [*_domain_places(session, account.dn), *([site_place] if site_place else [])]
    objects = _group_policy_objects(session)
    pointers = _pointers(session)
    judge = _Judge(session, token, objects, pointers)
    links = judge.links(places)
    if site is None:
        judge.look_at_sites()
    winner = next((link for link in links if link.fate is Fate.WINS), None)
    if winner is not None:
        judge.look_at(winner)
    return Assignment(account.dn, site_dn, tuple(links), winner, tuple(judge.findings))


def find_computer(session: Session, computer: str) -> Entry:
    """Find the account of a computer.

    Raises
    ------
    DirectoryError
        PA175 if there is none, or several are meant.
    """
    attributes = ("objectSid", "sAMAccountName", "dNSHostName")
    name = computer.strip()
    try:
        parsed = parse_dn(name) if "=" in name else None
        if parsed:
            found = []
            if is_below(parsed, session.dn(session.base)):
                found = list(session.search(name, "(objectClass=computer)", attributes, scope="base"))
        else:
            value = _in_filter(name.removesuffix("$"))
            test = f"(dNSHostName={value})" if "." in name else f"(|(sAMAccountName={value}$)(cn={value}))"
            found = list(session.search(session.base, f"(&(objectClass=computer){test})", attributes))
    except NoSuchEntryError:
        found = []
    if not name or not found:
        raise DirectoryError("PA175", f"there is no computer {computer[:200]!r} below {session.base!r}")
    if len(found) > 1:
        names = ", ".join(repr(entry.dn[:200]) for entry in found[:5])
        raise DirectoryError("PA175", f"{len(found)} computers are called {computer[:200]!r}; name one by its DN: {names}")
    return found[0]


def parse_links(text: str) -> tuple[tuple[str, int], ...]:
    """Take a ``gPLink`` apart ([MS-GPOL] 2.2.2).

    Returns
    -------
    tuple of (str, int)
        DN and options of each link in the order of the attribute, of which the last has link order 1 and the highest precedence.
    """
    return tuple((match[1].strip(), int(match[2])) for match in _LINK.finditer(text))


def _in_filter(value: str) -> str:
    return "".join(f"\\{byte:02x}" if byte < 0x20 or byte in b"\\*()" or byte >= 0x7F else chr(byte) for byte in value.encode())


def _token(session: Session, account: Entry) -> frozenset[str] | None:
    """Return the SIDs of a computer and its groups, None if they cannot be read."""
    found = next(iter(session.search(account.dn, "(objectClass=*)", ("tokenGroups", "objectSid"), scope="base")), None)
    sids = (*found.values.get("objectsid", ()), *found.values.get("tokengroups", ())) if found else ()
    if found is None or not found.values.get("tokengroups"):
        return None
    try:
        return frozenset((*map(rights.sid_text, sids), rights.EVERYONE, rights.AUTHENTICATED_USERS, rights.THIS_ORGANIZATION))
    except ValueError:
        return None


def _place(entry: Entry, kind: str) -> _Place:
    text = entry.text("gplink")
    if text.count("[") > _MAX_LINKS:
        raise DirectoryError(
            "PA173", f"{entry.dn[:200]!r} has more links to Group Policy objects than Windows applies, {_MAX_LINKS}"
        )
    return _Place(entry.dn, kind, parse_links(text), entry.number("gpoptions") == 1)


def _site(session: Session, site: str | None) -> tuple[str, _Place | None]:
    if site is None:
        return "", None
    configuration = session.root.text("configurationnamingcontext")
    if not configuration:
        raise DirectoryError("PA175", "the directory has no sites: it does not say where its configuration is")
    dn = f"CN={escaped(site)},CN=Sites,{configuration}"
    try:
        found = list(session.search(dn, "(objectClass=site)", ("gPLink", "gPOptions"), scope="base"))
    except NoSuchEntryError:
        found = []
    if not found:
        raise DirectoryError("PA175", f"there is no site {site[:200]!r}")
    return found[0].dn, _place(found[0], "site")


def _domain_places(session: Session, computer: str) -> list[_Place]:
    """Return the organizational units above a computer and its domain, the nearest first ([MS-GPOL] 3.2.5.1.3)."""
    base = session.dn(session.base)
    places = []
    for dn in _parents(computer):
        parsed = session.dn(dn)
        if not is_below(parsed, base):
            break
        kind = "domain" if parsed == base else "ou" if parsed[0][0] == "ou" else ""
        if kind:
            places += [
                _place(entry, kind) for entry in session.search(dn, "(objectClass=*)", ("gPLink", "gPOptions"), scope="base")
            ]
    return places


def _parents(dn: str) -> Iterable[str]:
    """Yield the DNs above one, as they are written."""
    rest = dn
    while True:
        cut = re.match(r"(?:[^\\,]|\\.)*,", rest, re.DOTALL)
        if cut is None:
            return
        rest = rest[cut.end() :]
        yield rest


def _group_policy_objects(session: Session) -> dict[Dn, Entry]:
    policies = f"CN=Policies,CN=System,{session.base}"
    try:
        found = list(
            session.search(policies, "(objectClass=groupPolicyContainer)", _GPO_ATTRIBUTES, scope="onelevel", descriptors=True)
        )
    except NoSuchEntryError:
        found = []
    return {session.dn(entry.dn): entry for entry in found}


def _pointers(session: Session) -> dict[Dn, Entry]:
    """Return the IPSEC objects of Group Policy objects, by the DN of the Group Policy object."""
    head = parse_dn(POINTER) or ()
    try:
        found = list(
            session.search(f"CN=Policies,CN=System,{session.base}", "(&(objectClass=ipsecPolicy)(cn=IPSEC))", POINTER_ATTRIBUTES)
        )
    except NoSuchEntryError:
        found = []
    parsed = ((session.dn(entry.dn), entry) for entry in found)
    return {dn[len(head) :]: entry for dn, entry in parsed if dn[: len(head)] == head}


_Doubt = tuple[str, str]
"""Code and message of what could not be decided."""


class _Judge:
    """Decides about links."""

    def __init__(
        self, session: Session, token: frozenset[str] | None, objects: Mapping[Dn, Entry], pointers: Mapping[Dn, Entry]
    ) -> None:
        self.session = session
        self.token = token
        self.objects = objects
        self.pointers = pointers
        self.findings: list[Finding] = []

    def links(self, places: list[_Place]) -> list[Link]:
        """Return every link of some places, nearest place first, in the order of precedence and with its fate."""
        found: list[tuple[int, Link, list[_Doubt]]] = []
        blocker = ""
        for distance, place in enumerate(places):
            # The last link of the attribute has link order 1 and the highest precedence.
            for order, (gpo, options) in enumerate(reversed(place.links), 1):
                is_enforced = bool(options & _ENFORCED)
                doubts: list[_Doubt] = []
                link = Link(place.dn, place.kind, order, is_enforced, gpo, _first(gpo), Fate.OUTRANKED)
                link = self._judge(link, doubts)
                if options & _DISABLED:
                    link, doubts = replace(link, fate=Fate.DISABLED, why="the link is disabled"), []
                elif blocker and not is_enforced and link.fate is Fate.OUTRANKED:
                    why = f"{blocker} blocks inheritance, and the link is not enforced"
                    link, doubts = replace(link, fate=Fate.BLOCKED, why=why), []
                found.append((distance, link, doubts))
            if place.blocks and not blocker:
                blocker = place.dn
        # Enforced links go before the others, those of the farthest place first; the others go by the nearest place.
        found.sort(key=lambda one: (0, -one[0], one[1].order) if one[1].enforced else (1, one[0], one[1].order))
        links: list[Link] = []
        winner: Link | None = None
        for _, link, doubts in found:
            if winner is None:
                self._tell(link, doubts)
            if link.fate is Fate.OUTRANKED and winner is None:
                winner = link
                link = replace(link, fate=Fate.WINS, why="it has the highest precedence of those that apply")
            elif link.fate is Fate.OUTRANKED:
                assert winner is not None
                link = replace(link, why=f"{winner.name!r} has precedence")
            links.append(link)
        return links

    def _judge(self, link: Link, doubts: list[_Doubt]) -> Link:
        """Return a link with what speaks against its Group Policy object, wherever it is linked."""
        gpo = self.session.dn(link.gpo)
        entry = self.objects.get(gpo)
        if entry is None:
            if is_below(gpo, self.session.dn(self.session.base)):
                return replace(link, fate=Fate.NOT_FOUND, why="the Group Policy object is gone, or not shown to this user")
            doubts.append(("PA406", f"the Group Policy object {link.gpo[:200]!r} is in another domain, which was not asked"))
            return replace(link, fate=Fate.NOT_FOUND, why="it is in another domain, which was not asked")
        link = replace(link, name=entry.text("displayname") or link.name)
        pointer = self.pointers.get(gpo)
        targets = [text for text in pointer.texts("ipsecownersreference") if text.strip()] if pointer else []
        link = replace(link, policy=targets[0] if targets else "")
        if IPSEC_EXTENSION not in entry.text("gpcmachineextensionnames").lower():
            why = "it does not list the IP Security extension"
            return replace(link, fate=Fate.NO_POLICY, why=f"{why}, though it points to a policy" if link.policy else why)
        if entry.number("gpcfunctionalityversion") not in (None, 2):
            return replace(link, fate=Fate.FILTERED, why="its functionality version is not 2")
        if (entry.number("flags") or 0) & _COMPUTER_HALF_OFF:
            return replace(link, fate=Fate.FILTERED, why="its computer half is disabled")
        if (entry.number("versionnumber") or 0) & 0xFFFF == 0:
            return replace(link, fate=Fate.FILTERED, why="its computer half is empty: the version is 0")
        return self._access(link, entry, doubts)

    def _access(self, link: Link, entry: Entry, doubts: list[_Doubt]) -> Link:
        descriptors = entry.values.get("ntsecuritydescriptor", ())
        right = Right.UNKNOWN
        if self.token is not None and len(descriptors) == 1:
            right = rights.may_apply(descriptors[0], self.token)
        if right is Right.DENIED:
            return replace(link, fate=Fate.FILTERED, why="the computer is denied the right Apply Group Policy")
        if right is Right.ABSENT:
            return replace(link, fate=Fate.FILTERED, why="the computer does not have the right Apply Group Policy")
        if right is Right.UNKNOWN:
            what = "the groups of the computer" if self.token is None else f"the rights on {link.name!r}"
            doubts.append(("PA406", f"{what} cannot be read: {link.name!r} is taken to apply"))
        if entry.text("gpcwqlfilter").strip():
            doubts.append(
                ("PA407", f"{link.name!r} has a WMI filter, which only the computer can evaluate: it is taken to apply")
            )
        return link

    def _tell(self, link: Link, doubts: Iterable[_Doubt]) -> None:
        for code, message in doubts:
            finding = Finding(code, message, Origin(self.session.url, link.gpo[:300]))
            if finding not in self.findings:
                self.findings.append(finding)

    def look_at(self, winner: Link) -> None:
        """Report a winner that leads nowhere."""
        place = Origin(self.session.url, f"{POINTER},{winner.gpo}"[:300])
        if not winner.policy:
            message = f"{winner.name!r} wins and lists the IP Security extension, but points to no policy"
            self.findings.append(Finding("PA135", message, place))
            return
        if not is_below(self.session.dn(winner.policy), self.session.dn(self.session.base)):
            message = f"{winner.name!r} wins and points to {winner.policy[:200]!r}, which is no entry of this domain"
            self.findings.append(Finding("PA135", message, place))
            return
        try:
            found = list(self.session.search(winner.policy, "(objectClass=ipsecPolicy)", ("objectClass",), scope="base"))
        except NoSuchEntryError:
            found = []
        if not found:
            message = f"{winner.name!r} wins and points to {winner.policy[:200]!r}, which does not exist"
            self.findings.append(Finding("PA135", message, place))

    def look_at_sites(self) -> None:
        """Report that a site may decide, if one has a link that would count."""
        configuration = self.session.root.text("configurationnamingcontext")
        if not configuration:
            return
        try:
            sites = list(
                self.session.search(f"CN=Sites,{configuration}", "(&(objectClass=site)(gPLink=*))", ("gPLink", "gPOptions"))
            )
        except DirectoryError as error:
            if error.code == "PA173":
                raise
            return
        counting = [
            entry.dn for entry in sites if any(self._counts(entry.dn, gpo) for gpo, _ in parse_links(entry.text("gplink")))
        ]
        if counting:
            shown = ", ".join(counting[:5])[:300]
            message = f"a site has a link that may decide, and the site of the computer is not known: give --site; {shown}"
            self.findings.append(Finding("PA408", message, Origin(self.session.url, counting[0][:300])))

    def _counts(self, place: str, gpo: str) -> bool:
        return self._judge(Link(place, "site", 1, False, gpo, _first(gpo), Fate.OUTRANKED), []).fate is Fate.OUTRANKED


def _first(dn: str) -> str:
    return dn.partition(",")[0].partition("=")[2] or dn
