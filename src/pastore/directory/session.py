"""A connection to a directory and searches through it: the only file that knows ldap3.

ldap3 makes requests and takes answers apart; it neither opens the connection nor follows anything. Its unsafe defaults
(certificates not looked at, referrals followed with the same password, no timeouts) have no part in that.
"""

import re
import ssl
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Final, Self

from pastore.directory.access import ANONYMOUS, Access, Deadline, Location, parse_url
from pastore.directory.dial import dial, refused_tls, tls_context, within
from pastore.directory.dn import Dn, is_below, parse_dn
from pastore.directory.errors import DirectoryError, NoSuchEntryError
from pastore.directory.wire import MessageSocket
from pastore.directory.writing import Add, Change, Modify
from pastore.findings import Finding
from pastore.model import Origin

PAGE: Final = 500
_PAGED: Final = "1.2.840.113556.1.4.319"
_START_TLS: Final = "1.3.6.1.4.1.1466.20037"
# Leaves out references to the other naming contexts of the forest, which every search of a domain would find ([MS-ADTS]
# 3.1.1.3.4.1.4). Servers that do not know it go on without.
_DOMAIN_SCOPE: Final = ("1.2.840.113556.1.4.1339", False, None)
_RANGE: Final = re.compile(r"(.+);range=(\d+)-(\d+|\*)", re.IGNORECASE)

# Result codes (RFC 4511, 4.1.9)
_SUCCESS: Final = 0
_OPERATIONS_ERROR: Final = 1
_STRONGER_AUTH: Final = (8, 13)
_REFERRAL: Final = 10
_SIZES: Final = {3: "time", 4: "size", 11: "administrative"}
_NO_SUCH_ATTRIBUTE: Final = 16
_NO_SCHEMA: Final = (17, 21, 65)
_EXISTS_ALREADY: Final = (20, 68)
_NO_SUCH_OBJECT: Final = 32
_INVALID_CREDENTIALS: Final = 49
_NO_RIGHTS: Final = 50
_AGAIN: Final = (51, 52)

# What Active Directory adds to invalidCredentials: the start of AcceptSecurityContext's data, in hexadecimal.
_LOGON: Final = {
    "525": "there is no such user",
    "52e": "wrong user or password",
    "530": "not at this time of day",
    "531": "not from this computer",
    "532": "the password has expired",
    "533": "the account is disabled",
    "701": "the account has expired",
    "773": "the password must be changed first",
    "775": "the account is locked",
}


@dataclass(frozen=True, slots=True, repr=False)
class Entry:
    """An entry of the directory.

    Parameters
    ----------
    dn : str
    values : mapping of str to tuple of bytes
        By attribute in lower case. Not shown: ipsecData holds pre-shared keys in clear text.
    """

    dn: str
    values: Mapping[str, tuple[bytes, ...]]

    def __repr__(self) -> str:
        return f"Entry({self.dn!r}, {sorted(self.values)})"

    def text(self, name: str) -> str:
        """Return the only value of an attribute as text, empty if there is none or several."""
        values = self.values.get(name, ())
        return values[0].decode(errors="replace") if len(values) == 1 else ""

    def texts(self, name: str) -> tuple[str, ...]:
        """Return the values of an attribute as text."""
        return tuple(value.decode(errors="replace") for value in self.values.get(name, ()))

    def number(self, name: str) -> int | None:
        """Return the only value of an attribute as a number, None if it is none."""
        text = self.text(name)
        return int(text) if re.fullmatch(r"-?\d{1,20}", text) else None


def _ldap3() -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it imports names that pyasn1 has renamed
        try:
            import ldap3
            import ldap3.core.exceptions
            import ldap3.protocol.microsoft
        except ImportError:
            raise DirectoryError("PA170", "directories need the package ldap3: pip install ldap3") from None
    return ldap3


def waived(url: str, access: Access) -> tuple[Finding, ...]:
    """Return PA505 if the server's certificate is not looked at, nothing if it is or there is none."""
    location = parse_url(url)
    if not access.insecure or location.scheme == "ldapi":
        return ()
    return (Finding("PA505", f"the certificate of {location.host} was not looked at: the policy may be anybody's", Origin(url)),)


class Session:
    """A connection to a directory, logged on; a context manager.

    Parameters
    ----------
    url : str
        As `pastore.directory.access.parse_url` takes it.
    access : Access

    Attributes
    ----------
    base : str
        DN of the domain.
    root : Entry
        The root DSE.
    findings : list of Finding
        What was wrong and did not stop anything: PA174, PA505.

    Raises
    ------
    DirectoryError
        PA170 if the server cannot be reached, PA171 if it refuses the logon, PA172 if TLS cannot be had, PA173 if the time is up
        or the server does not speak LDAP as it should.
    ValueError
        If it is no URL of a directory.
    """

    def __init__(self, url: str, access: Access = ANONYMOUS) -> None:
        self.url = url
        self.location: Location = parse_url(url)
        self.access = access
        self.deadline = Deadline(access.timeout)
        self.findings: list[Finding] = []
        self._ldap3 = _ldap3()
        self._wire = MessageSocket(dial(self.location, self.deadline), self.deadline, access.limits)
        try:
            self._connection = self._adopt()
            self._secure()
            if access.kerberos and self.location.scheme == "ldapi":
                self._bind(self._read_root().text("dnshostname"))
            else:
                self._bind(self.location.host)
            self.root = self._read_root()
            self.base = self.location.base or self._default_base()
        except BaseException:
            self._wire.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if error is None and self._wire.failure is None:
            with suppress(Exception):
                self._connection.unbind()
        self._wire.close()

    # Getting in

    def _adopt(self) -> Any:
        """Return an ldap3 connection over the socket that is there already."""
        access, api = self.access, self._ldap3
        server = api.Server(self.location.host or "localhost", port=self.location.port or 389, get_info=api.NONE)
        options: dict[str, Any] = {"authentication": api.ANONYMOUS}
        if access.kerberos:
            options = {"authentication": api.SASL, "sasl_mechanism": api.KERBEROS, "user": access.user or None}
        elif access.password is not None:
            options = {"authentication": api.SIMPLE, "user": access.user, "password": access.password.reveal()}
        connection = api.Connection(
            server,
            client_strategy=api.SYNC,  # SAFE_SYNC copies every answer; here each connection has one thread
            auto_bind=api.AUTO_BIND_NONE,
            auto_referrals=False,
            auto_range=False,
            return_empty_attributes=False,
            check_names=False,
            raise_exceptions=False,
            **options,
        )
        connection.socket = self._wire
        connection.closed = False
        connection.strategy._outstanding = {}
        connection.strategy._start_listen()
        return connection

    def _call(self, what: Callable[[], Any]) -> Any:
        """Have ldap3 do something; whatever it makes of an answer it does not understand is an error of the server."""
        try:
            return what()
        except DirectoryError:
            raise
        except self._ldap3.core.exceptions.LDAPSessionTerminatedByServerError:
            message = "the server ended the connection before it had answered; ask again, or look into its log"
            raise DirectoryError("PA173", message) from None
        except self._ldap3.core.exceptions.LDAPPackageUnavailableError:
            message = "Kerberos needs the packages gssapi and cryptography: pip install 'pastore[kerberos]'"
            raise DirectoryError("PA171", message) from None
        except MemoryError:
            raise
        except Exception as error:  # noqa: BLE001 (what ldap3 raises for a strange answer is of every kind)
            if self._wire.failure is not None:
                raise self._wire.failure from None
            # Only the type: the text may quote what was sent or received.
            message = f"the server does not speak LDAP as it should: ldap3 gives up with {type(error).__name__}"
            raise DirectoryError("PA173", message) from None

    def _secure(self) -> None:
        """Have TLS, or do without where nobody else can listen."""
        if self.location.scheme == "ldapi":
            return
        self.findings += waived(self.url, self.access)
        context = tls_context(self.access)
        if self.location.scheme == "ldap":
            self._call(lambda: self._connection.extended(_START_TLS))
            result = self._connection.result
            if result["result"] != _SUCCESS:
                message = (
                    f"{self.location.where} refuses StartTLS ({result['description']}), and nothing is sent to it in clear text: "
                    "use ldaps://, or give the server a certificate"
                )
                raise DirectoryError("PA172", message)
        try:
            self._wire.start_tls(context, self.location.host)
        except (ssl.SSLError, OSError, ValueError) as error:
            if isinstance(error, ValueError) and not isinstance(error, OSError):
                raise DirectoryError("PA172", f"{self.location.host!r} cannot be the name of a TLS server") from None
            raise refused_tls(error, self.location, self.deadline) from None

    def _bind(self, host: str) -> None:
        access = self.access
        if access.kerberos:
            self._connection.sasl_credentials = (host,)
            try:
                # The Kerberos library asks its own servers and knows no deadline.
                self._call(lambda: within(self.deadline, self._kerberos_bind))
            finally:
                self._connection.sasl_credentials = None
        else:
            self._call(self._connection.bind)
        result = self._connection.result
        code = result["result"]
        if code == _SUCCESS:
            return
        who = f"{access.user!r}" if access.user else "the user of the ticket" if access.kerberos else "an anonymous user"
        if code in _STRONGER_AUTH:
            raise DirectoryError("PA171", f"the server wants a stronger logon than this: {result['description']}; use ldaps://")
        if code == _INVALID_CREDENTIALS:
            match = re.search(r"\bdata ([0-9a-f]+)", str(result["message"]))
            why = _LOGON.get(match[1], "wrong user or password") if match else "wrong user or password"
            raise DirectoryError("PA171", f"the server refuses {who}: {why}")
        raise DirectoryError("PA171", f"the server refuses {who}: {result['description']}")

    def _kerberos_bind(self) -> Any:
        try:
            return self._connection.bind()
        except (DirectoryError, self._ldap3.core.exceptions.LDAPExceptionError):
            raise
        except Exception as error:
            # GSSError: its text is the Kerberos library's, which knows of principals and files but not of keys.
            if type(error).__module__.startswith("gssapi"):
                raise DirectoryError("PA171", f"no logon with Kerberos: {' '.join(str(error).split())[:300]}") from None
            raise

    def _read_root(self) -> Entry:
        asked = ["defaultNamingContext", "namingContexts", "configurationNamingContext", "dsServiceName", "dnsHostName"]
        asked.append("highestCommittedUSN")
        found = list(self.search("", "(objectClass=*)", asked, scope="base"))
        return found[0] if found else Entry("", {})

    def _default_base(self) -> str:
        found = self.root.text("defaultnamingcontext") or self.root.text("namingcontexts")
        if not found:
            message = (
                "the server does not say what its domain is; put the DN behind the server, as in ldaps://dc1/DC=corp,DC=example"
            )
            raise DirectoryError("PA173", message)
        if not parse_dn(found):
            raise DirectoryError("PA173", f"the server calls its domain {found[:200]!r}, which is no DN")
        return found

    # Asking

    def search(
        self,
        base: str,
        query: str,
        attributes: Sequence[str],
        *,
        scope: str = "subtree",
        descriptors: bool = False,
        controls: Sequence[tuple[str, bool, bytes | None]] = (),
    ) -> Iterator[Entry]:
        """Search page by page. Referrals are not followed.

        Parameters
        ----------
        base : str
        query : str
            A filter (RFC 4515).
        attributes : sequence of str
        scope : {"base", "onelevel", "subtree"}
        descriptors : bool
            Whether only the owner, group and DACL of ``nTSecurityDescriptor`` are wanted: the rest takes a right that few have.

        Raises
        ------
        NoSuchEntryError
            PA103 if the base does not exist.
        DirectoryError
            PA171 if this user may not search, PA173 if the answer is not whole.
        """
        api = self._ldap3
        within_dn = parse_dn(base)
        wanted = {name.lower() for name in attributes}
        scopes = {"base": api.BASE, "onelevel": api.LEVEL, "subtree": api.SUBTREE}
        more = [_DOMAIN_SCOPE, *controls]
        if descriptors:
            more += api.protocol.microsoft.security_descriptor_control(criticality=False, sdflags=7)
        paged = None if scope == "base" else PAGE
        cookie: bytes | None = None
        while True:
            result, response = self._ask(
                base,
                query,
                scopes[scope],
                list(attributes),
                controls=more,
                paged_size=paged,
                paged_criticality=False,
                paged_cookie=cookie,
            )
            for item in response or ():
                if item["type"] == "searchResRef":
                    self._referred(base)
                    continue
                dn, found = _sound(item)
                parsed = parse_dn(dn)
                if (
                    parsed is None
                    or within_dn is None
                    or not is_below(parsed, within_dn)
                    or (scope == "base" and parsed != within_dn)
                ):
                    self._report("PA174", f"the server sent {_cut(dn)}, which is not below {_cut(base)}; it is left out", dn)
                    continue
                yield self._entry(dn, found, wanted)
            self._judge(result, base)
            cookie = _cookie(result)
            if not cookie:
                return

    # Writing

    def write(self, change: Change) -> None:
        """Change an entry, as a whole or not at all.

        Raises
        ------
        DirectoryError
            PA177 if the server refuses it, PA173 if the connection broke: whether the entry was changed is then not known.
        """
        connection = self._connection
        if isinstance(change, Add):
            self._call(lambda: connection.add(change.dn, attributes={name: list(v) for name, v in change.attributes.items()}))
        elif isinstance(change, Modify):
            steps: dict[str, list[tuple[int, list[bytes]]]] = {}
            for step in change.steps:
                steps.setdefault(step.attribute, []).append((int(step.operation), list(step.values)))
            self._call(lambda: connection.modify(change.dn, steps))
        else:
            self._call(lambda: connection.delete(change.dn))
        code, said = connection.result["result"], connection.result["description"]
        if code != _SUCCESS:
            raise DirectoryError("PA177", self._refusal(change, code, said))

    def _refusal(self, change: Change, code: int, said: str) -> str:
        """Return why a change was refused. What else the server says is left out: it may quote what was sent."""
        what = f"the server refuses to {change.verb} {_cut(change.dn)}"
        if code == _NO_RIGHTS or code in _STRONGER_AUTH:
            who = f"{self.access.user!r}" if self.access.user else "this user" if self.access.kerberos else "an anonymous user"
            return f"{what}: {who} may not; log on with --user or --kerberos as one who may write there"
        if code in _EXISTS_ALREADY:
            return (
                f"{what}: it is there already, written meanwhile or hidden from this user; publish again as one who may read it"
            )
        if code in (_NO_SUCH_OBJECT, _NO_SUCH_ATTRIBUTE):
            return f"{what}: somebody else has changed or deleted it meanwhile; publish again"
        if code in _NO_SCHEMA:
            return f"{what}: its schema has no place for it ({said}); policies belong into Active Directory"
        if code == _REFERRAL:
            return f"{what} and sends us elsewhere, and referrals are not followed: name a domain controller that takes changes"
        if code in _AGAIN:
            return f"{what} now: it is {said}; publish again later"
        return f"{what}: {said}"

    def _ask(self, base: str, query: str, scope: Any, attributes: list[str], **more: Any) -> tuple[Any, Any]:
        """Ask one question; the result and what was found."""
        never = self._ldap3.DEREF_NEVER
        self._call(
            lambda: self._connection.search(
                base, query, search_scope=scope, dereference_aliases=never, attributes=attributes, **more
            )
        )
        return self._connection.result, self._connection.response

    def _entry(self, dn: str, found: Mapping[str, Sequence[bytes]], wanted: set[str]) -> Entry:
        values: dict[str, tuple[bytes, ...]] = {}
        for name, some in found.items():
            lower = name.lower()
            match = _RANGE.fullmatch(lower)
            if match is None:
                if lower in wanted:
                    values[lower] = tuple(some)
            elif match[1] in wanted:
                values[match[1]] = tuple(self._rest(dn, match[1], match[3], list(some)))
        return Entry(dn, values)

    def _rest(self, dn: str, name: str, last: str, values: list[bytes]) -> list[bytes]:
        """Return all values of an attribute of which the server gives some at a time ([MS-ADTS] 3.1.1.3.1.3.3)."""
        while last != "*":
            first = int(last) + 1
            query = f"{name};range={first}-*"
            result, response = self._ask(dn, "(objectClass=*)", self._ldap3.BASE, [query])
            self._judge(result, dn)
            last = ""
            for item in response or ():
                found = _sound(item)[1] if item["type"] != "searchResRef" else {}
                for attribute, some in found.items():
                    match = _RANGE.fullmatch(attribute.lower())
                    if match and match[1] == name and int(match[2]) == first and (match[3] == "*" or int(match[3]) >= first):
                        values += some
                        last = match[3]
            if not last:
                raise DirectoryError("PA173", f"the server does not give all values of {name} of {_cut(dn)}")
        return values

    def _judge(self, result: Mapping[str, Any], base: str) -> None:
        """Raise what a result means."""
        code, said = result["result"], result["description"]
        if code == _SUCCESS:
            return
        if code == _NO_SUCH_OBJECT:
            raise NoSuchEntryError("PA103", f"the directory has no {_cut(base)}, or does not show it to this user")
        if code == _REFERRAL:
            message = (
                f"the server sends us elsewhere for {_cut(base)}, and referrals are not followed: name a server that holds it"
            )
            raise DirectoryError("PA173", message)
        if code in _SIZES:
            raise DirectoryError("PA173", f"the server gave only a part of {_cut(base)}: its {_SIZES[code]} limit is exceeded")
        if code == _NO_RIGHTS or (code == _OPERATIONS_ERROR and not self.access.user and not self.access.kerberos):
            who = "this user" if self.access.user or self.access.kerberos else "an anonymous user"
            raise DirectoryError("PA171", f"{who} may not read {_cut(base)}: log on with --user or --kerberos as one who may")
        raise DirectoryError("PA173", f"the server cannot search {_cut(base)}: {said}")

    def _referred(self, base: str) -> None:
        self._report("PA174", f"a part of {_cut(base)} is on another server, and referrals are not followed", base)

    def _report(self, code: str, message: str, dn: str) -> None:
        if sum(finding.code == code for finding in self.findings) < 100:
            self.findings.append(Finding(code, message, Origin(self.url, dn[:300])))

    def dn(self, text: str) -> Dn:
        """Take a DN that the server gave apart, the root if it is none."""
        return parse_dn(text) or ()


def _sound(item: Mapping[str, Any]) -> tuple[str, Mapping[str, list[bytes]]]:
    """Return the DN and the attributes of an entry; ldap3 hands on values of any type, and None for no values.

    Raises
    ------
    DirectoryError
        PA173 if a value is no string of bytes.
    """
    dn, found = item.get("dn"), item.get("raw_attributes")
    if isinstance(dn, str) and isinstance(found, Mapping):
        some = {name: list(values or ()) for name, values in found.items()}
        if all(isinstance(name, str) and all(isinstance(value, bytes) for value in values) for name, values in some.items()):
            return dn, some
    raise DirectoryError("PA173", "the server does not speak LDAP as it should: an entry has no values where they belong")


def _cookie(result: Mapping[str, Any]) -> bytes | None:
    control = (result.get("controls") or {}).get(_PAGED)
    cookie = control["value"]["cookie"] if control else None
    return cookie if isinstance(cookie, bytes) and cookie else None


def _cut(dn: str) -> str:
    return repr(dn if len(dn) <= 200 else dn[:197] + "...")
