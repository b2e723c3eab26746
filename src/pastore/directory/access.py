"""Where a directory is, as whom it is asked, and how much may be taken from it. Nothing here needs ldap3."""

import os
import re
import stat
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from ipaddress import IPv6Address
from typing import Final
from urllib.parse import unquote_to_bytes

from pastore.directory.dn import parse_dn
from pastore.directory.errors import DirectoryError
from pastore.model import Secret

SCHEMES: Final = {"ldaps": 636, "ldap": 389, "ldapi": 0}
PASSWORD_VARIABLE: Final = "PASTORE_PASSWORD"  # noqa: S105 (the name of a variable)
DEFAULT_TIMEOUT: Final = 60.0

_URL: Final = re.compile(r"(ldaps|ldap|ldapi)://([^/?#]*)(?:/([^?#]*))?(\?.*|#.*)?", re.IGNORECASE | re.DOTALL)
_HOST: Final = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9_](?:[A-Za-z0-9_.-]*[A-Za-z0-9_.])?)(?::(\d{1,5}))?")
_MAX_PASSWORD: Final = 4096


@dataclass(frozen=True, slots=True)
class Location:
    """Where a directory is.

    Parameters
    ----------
    scheme : {"ldaps", "ldap", "ldapi"}
        ``ldap`` means StartTLS, always.
    host : str
        Name or address; empty for ``ldapi``.
    port : int
    path : str
        Of the socket, for ``ldapi``.
    base : str
        DN of the domain; empty for the one the server calls its default.
    """

    scheme: str
    host: str = ""
    port: int = 0
    path: str = ""
    base: str = ""

    @property
    def where(self) -> str:
        """Name the server in a sentence."""
        return f"the socket {self.path!r}" if self.scheme == "ldapi" else f"{self.host} port {self.port}"


@dataclass(frozen=True, slots=True)
class Limits:
    """How much of a directory is taken before it counts as an attack or a mistake.

    Parameters
    ----------
    message : int
        Bytes of one message of the server, which is one entry. Active Directory keeps no larger values than about 10 MB.
    elements : int
        Values and structures in one message.
    memory : int
        Bytes that everything from the server may take here, roughly counted.
    """

    message: int = 16 << 20
    elements: int = 250_000
    memory: int = 512 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Access:
    """How a directory is asked.

    Parameters
    ----------
    user : str
        ``user@domain``, ``DOMAIN\\user`` or a DN for a password; a principal, which may be left out, for Kerberos. Empty and no
        Kerberos is an anonymous user, or on a local socket whoever the server takes the process for.
    password : Secret, optional
    kerberos : bool
        Whether to log on with a ticket of the ticket cache (or a keytab, as the Kerberos library is set up).
    ca_file : str, optional
        Certificates (PEM) of the authorities that may sign the server's; those that the system trusts when left out.
    insecure : bool
        Whether the server's certificate is not looked at. The connection is still encrypted.
    timeout : float
        Seconds that all of a retrieval may take, from looking up the server's name to the last byte.
    limits : Limits

    Raises
    ------
    ValueError
        If these do not go together. A message never quotes a password.
    """

    user: str = ""
    password: Secret | None = None
    kerberos: bool = False
    ca_file: str | None = None
    insecure: bool = False
    timeout: float = DEFAULT_TIMEOUT
    limits: Limits = field(default_factory=Limits)

    def __post_init__(self) -> None:
        if self.password is not None and not isinstance(self.password, Secret):
            raise TypeError("password: expected pastore.model.Secret")
        if self.kerberos and self.password is not None:
            raise ValueError("a ticket and a password do not go together: give one of them")
        if self.password is not None and not self.user:
            raise ValueError("a password needs a user")
        if self.password is not None and not self.password.reveal():
            # RFC 4513, 5.1.2: the server would take it for an anonymous logon and say that all is well.
            raise ValueError("the password is empty")
        if self.user and self.password is None and not self.kerberos:
            raise ValueError("a user needs a password or a ticket")
        if not 0 < self.timeout <= 86400:
            raise ValueError("the timeout is a number of seconds above 0, and at most a day")


ANONYMOUS: Final = Access()


class Deadline:
    """The moment when all of a retrieval must be over.

    Parameters
    ----------
    seconds : float
        From now.
    """

    __slots__ = ("_end", "seconds")

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self._end = time.monotonic() + seconds

    def remaining(self) -> float:
        """Return the seconds that are left.

        Raises
        ------
        DirectoryError
            PA173 when there are none.
        """
        left = self._end - time.monotonic()
        if left <= 0:
            raise self.over()
        return left

    def over(self) -> DirectoryError:
        """Return the error to raise when it has passed."""
        return DirectoryError(
            "PA173", f"the retrieval was not done after {self.seconds:g} seconds; allow more with --timeout if the server is slow"
        )


def is_url(source: str) -> bool:
    """Whether a source is the URL of a directory."""
    return source[:8].lower().startswith(("ldaps://", "ldap://", "ldapi://"))


def shown(source: str) -> str:
    """Return a URL without what may be a password in it."""
    if not is_url(source):
        return source
    scheme, mark, rest = source.partition("://")
    authority, slash, base = rest.partition("/")
    return f"{scheme}{mark}(redacted)@{authority.rpartition('@')[2]}{slash}{base}" if "@" in authority else source


def parse_url(url: str) -> Location:
    """Take the URL of a directory apart (RFC 4516).

    Parameters
    ----------
    url : str
        ``ldaps://HOST[:PORT][/BASE DN]``, the same with ``ldap``, or ``ldapi://SOCKET[/BASE DN]`` with the path percent-encoded.

    Raises
    ------
    ValueError
        If it is not one; the message says why and quotes nothing that may be a password.
    """
    match = _URL.fullmatch(url)
    if match is None:
        raise ValueError("the URL of a directory is ldaps://HOST, ldap://HOST or ldapi://SOCKET")
    scheme, authority, path, rest = match[1].lower(), match[2], match[3] or "", match[4]
    if "@" in authority:
        raise ValueError("a URL holds no user and no password: give them with --user and --password-file")
    if rest and rest.strip("?"):
        raise ValueError("only the base DN may follow the server: attributes, scope and filter are not asked for in the URL")
    base = _decoded(path, "base DN")
    if scheme == "ldapi":
        if not authority:
            raise ValueError("ldapi needs the path of the socket, with %2F for each slash: ldapi://%2Fvar%2Frun%2Fldapi")
        socket_path = _decoded(authority, "path of the socket")
        return Location(scheme, path=socket_path, base=_base(base))
    found = _HOST.fullmatch(authority)
    if found is None:
        raise ValueError(f"{authority[:200]!r} is not HOST or HOST:PORT")
    host, port = found[1], int(found[2] or SCHEMES[scheme])
    if host.startswith("["):
        host = str(IPv6Address(host[1:-1]))
    if not 0 < port < 65536:
        raise ValueError(f"there is no port {port}")
    return Location(scheme, host, port, base=_base(base))


def _decoded(text: str, what: str) -> str:
    try:
        decoded = unquote_to_bytes(text).decode()
    except UnicodeDecodeError:
        raise ValueError(f"the {what} in the URL is not UTF-8") from None
    if "\0" in decoded:
        raise ValueError(f"the {what} in the URL holds a NUL")
    return decoded


def _base(text: str) -> str:
    if text and parse_dn(text) is None:
        raise ValueError(f"{text[:200]!r} is no DN like DC=corp,DC=example")
    return text


def read_password(path: str) -> Secret:
    """Read a password from the first line of a file.

    Raises
    ------
    ValueError
        If there is none, or others than the owner may read the file. The message never quotes what is in it.
    """
    try:
        with open(path, "rb") as file:
            status = os.fstat(file.fileno())
            if os.name == "posix" and stat.S_ISREG(status.st_mode) and stat.S_IMODE(status.st_mode) & 0o077:
                raise ValueError(f"others may read the password file {path!r}: chmod 600 it")
            data = file.read(_MAX_PASSWORD + 1)
    except OSError as error:
        raise ValueError(f"the password file {path!r} cannot be read: {error.strerror or error}") from None
    line = data.split(b"\n", 1)[0].rstrip(b"\r")
    if not line or len(line) > _MAX_PASSWORD:
        raise ValueError(f"the first line of the password file {path!r} holds no password")
    try:
        return Secret(line.decode())
    except UnicodeDecodeError:
        raise ValueError(f"the password file {path!r} is not UTF-8") from None


def password_from(environment: Mapping[str, str]) -> Secret | None:
    """Return the password in the variable PASTORE_PASSWORD, None if there is none."""
    text = environment.get(PASSWORD_VARIABLE)
    return Secret(text) if text else None
