"""An LDAP server of our own for tests, well-behaved or as hostile as a script makes it; its BER is nobody's but its own.

`Directory` answers as Active Directory does, from a dictionary of entries. Before it answers a request, the script gets it and
may answer instead, with whatever bytes it likes.
"""

import re
import socket
import ssl
import struct
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Final, NamedTuple, Self
from urllib.parse import quote

BIND, BOUND, SEARCH, FOUND, DONE, REFERENCE, EXTENDED, EXTENDED_ANSWER = 0x60, 0x61, 0x63, 0x64, 0x65, 0x73, 0x77, 0x78
MODIFY, MODIFIED, ADD, ADDED = 0x66, 0x67, 0x68, 0x69
PAGED: Final = "1.2.840.113556.1.4.319"

Values = Mapping[str, Iterable[bytes | str]]


# BER


def ber(tag: int, content: bytes) -> bytes:
    """Return one element."""
    length = len(content)
    if length < 128:
        return bytes((tag, length)) + content
    size = (length.bit_length() + 7) // 8
    return bytes((tag, 0x80 | size)) + length.to_bytes(size, "big") + content


def text(value: bytes | str) -> bytes:
    """Return an octet string."""
    return ber(0x04, value.encode() if isinstance(value, str) else value)


def number(value: int, tag: int = 0x02) -> bytes:
    """Return an integer."""
    return ber(tag, value.to_bytes(value.bit_length() // 8 + 1, "big", signed=True))


def message(number_: int, operation: bytes, controls: bytes = b"") -> bytes:
    """Return an LDAP message."""
    return ber(0x30, number(number_) + operation + controls)


def entry_message(number_: int, dn: str, values: Values) -> bytes:
    """Return the message of an entry that was found."""
    listed = b"".join(ber(0x30, text(name) + ber(0x31, b"".join(text(value) for value in some))) for name, some in values.items())
    return message(number_, ber(FOUND, text(dn) + ber(0x30, listed)))


def result(tag: int, code: int, said: str = "", *, referral: str = "", dn: str = "") -> bytes:
    """Return a result."""
    more = ber(0xA3, text(referral)) if referral else b""
    return ber(tag, number(code, 0x0A) + text(dn) + text(said) + more)


def page_control(cookie: bytes) -> bytes:
    """Return the control of RFC 2696 in an answer."""
    value = ber(0x30, number(0) + text(cookie))
    return ber(0xA0, ber(0x30, text(PAGED) + text(value)))


def elements(content: bytes) -> list[tuple[int, bytes]]:
    """Take the elements of a structure apart."""
    found, at = [], 0
    while at < len(content):
        tag, length = content[at], content[at + 1]
        at += 2
        if length & 0x80:
            size = length & 0x7F
            length = int.from_bytes(content[at : at + size], "big")
            at += size
        found.append((tag, content[at : at + length]))
        at += length
    return found


class Request(NamedTuple):
    """What a client asks."""

    number: int
    tag: int
    content: bytes
    controls: dict[str, bytes]

    @property
    def parts(self) -> list[tuple[int, bytes]]:
        """The elements of the operation."""
        return elements(self.content)

    @property
    def base(self) -> str:
        """DN that a search begins at."""
        return self.parts[0][1].decode()

    @property
    def scope(self) -> int:
        """0 base, 1 one level, 2 subtree."""
        return self.parts[1][1][0]

    @property
    def attributes(self) -> list[str]:
        """What is asked for, in lower case."""
        return [value.decode().lower() for _, value in elements(self.parts[7][1])]

    def paging(self) -> tuple[int, bytes] | None:
        """Size of a page and the cookie, None if no pages are asked for."""
        if PAGED not in self.controls:
            return None
        ((_, value),) = elements(self.controls[PAGED])
        (_, size), (_, cookie) = elements(value)
        return int.from_bytes(size, "big"), cookie


class Conversation:
    """One connection of a client."""

    def __init__(self, connected: socket.socket) -> None:
        self.socket = connected
        self._buffer = b""
        self.is_secure = False

    def receive(self) -> Request | None:
        """Return the next request, None when the client has gone."""
        header = self._exactly(2)
        if header is None or header[0] != 0x30:  # gone, or no LDAP
            return None
        length = header[1]
        if length & 0x80:
            more = self._exactly(length & 0x7F)
            if more is None:
                return None
            length = int.from_bytes(more, "big")
        content = self._exactly(length)
        if content is None:
            return None
        (_, number_), (tag, operation), *rest = elements(content)
        controls = {}
        for _, one in elements(rest[0][1]) if rest else ():
            parts = elements(one)
            controls[parts[0][1].decode()] = parts[-1][1] if len(parts) > 1 else b""
        return Request(int.from_bytes(number_, "big"), tag, operation, controls)

    def _exactly(self, wanted: int) -> bytes | None:
        while len(self._buffer) < wanted:
            try:
                data = self.socket.recv(65536)
            except OSError:
                return None
            if not data:
                return None
            self._buffer += data
        taken, self._buffer = self._buffer[:wanted], self._buffer[wanted:]
        return taken

    def send(self, data: bytes) -> None:
        """Send bytes."""
        self.socket.sendall(data)

    def secure(self, context: ssl.SSLContext) -> None:
        """Go on in TLS."""
        self.socket = context.wrap_socket(self.socket, server_side=True)
        self.is_secure = True


Script = Callable[[Conversation, Request], bool]
"""Gets each request before the directory does; True if it has answered."""


def normal(dn: str) -> str:
    """Return a DN in one spelling, for DNs without escapes."""
    return ",".join(part.strip() for part in dn.lower().split(","))


@dataclass
class Directory:
    """What a server knows, and how it behaves.

    Parameters
    ----------
    entries : mapping of str to mapping
        Attributes by DN; the empty DN is the root DSE.
    tls : ssl.SSLContext, optional
        Without it there is no StartTLS.
    from_start : bool
        Whether TLS is spoken from the first byte, as on port 636.
    users : mapping of str to str
        Passwords by user; without any, anybody may search.
    script : callable, optional
    """

    entries: dict[str, dict[str, list[bytes | str]]] = field(default_factory=dict)
    tls: ssl.SSLContext | None = None
    from_start: bool = False
    users: dict[str, str] = field(default_factory=dict)
    script: Script | None = None
    page: int = 1000
    log: list[tuple[str, str]] = field(default_factory=list)
    """Pairs of what was asked and something about it."""

    def serve(self, conversation: Conversation) -> None:
        """Answer one client until it goes."""
        if self.from_start and self.tls is not None:
            try:
                conversation.secure(self.tls)
            except (ssl.SSLError, OSError):
                self.log.append(("tls", "refused by the client"))
                return
        is_known = not self.users
        while (request := conversation.receive()) is not None:
            if self.script is not None and self.script(conversation, request):
                continue
            if request.tag == BIND:
                _, (_, user), (kind, password) = request.parts
                self.log.append(("bind", f"{user.decode()} {'in TLS' if conversation.is_secure else 'in clear text'}"))
                is_right = kind == 0x80 and self.users.get(user.decode()) == password.decode()
                is_known = is_known or is_right
                said = "80090308: LdapErr: DSID-0C090439, comment: AcceptSecurityContext error, data 52e, v4563"
                code = 0 if is_right or not user else 49
                conversation.send(message(request.number, result(BOUND, code, said if code else "")))
            elif request.tag == EXTENDED:
                self.log.append(("extended", request.parts[0][1].decode()))
                if self.tls is None or conversation.is_secure:
                    conversation.send(message(request.number, result(EXTENDED_ANSWER, 52, "no TLS here")))
                else:
                    conversation.send(message(request.number, result(EXTENDED_ANSWER, 0)))
                    conversation.secure(self.tls)
            elif request.tag == SEARCH:
                self.log.append(("search", request.base))
                if not is_known and request.base:
                    conversation.send(
                        message(request.number, result(DONE, 1, "000004DC: LdapErr: a successful bind must be completed"))
                    )
                else:
                    self.answer(conversation, request)
            else:
                return

    def answer(self, conversation: Conversation, request: Request) -> None:
        """Answer a search from the entries, in pages if asked so."""
        base = normal(request.base)
        if base not in {normal(dn) for dn in self.entries}:
            conversation.send(message(request.number, result(DONE, 32, "0000208D: NameErr")))
            return
        found = [(dn, values) for dn, values in self.entries.items() if in_scope(normal(dn), base, request.scope)]
        found = [(dn, values) for dn, values in found if matches(request.parts[6], values)]
        paging = request.paging()
        cookie = b""
        if paging is not None:
            size, given = paging
            at = struct.unpack(">I", given)[0] if given else 0
            size = min(size, self.page)
            cookie = struct.pack(">I", at + size) if at + size < len(found) else b""
            found = found[at : at + size]
        out = []
        for dn, values in found:
            wanted = {name: some for name, some in values.items() if name.lower() in request.attributes}
            out.append(entry_message(request.number, dn, wanted))
        controls = b"" if paging is None else page_control(cookie)
        conversation.send(b"".join(out) + message(request.number, result(DONE, 0), controls))


def in_scope(dn: str, base: str, scope: int) -> bool:
    """Whether an entry belongs to a search."""
    if scope == 0 or not dn:
        return dn == base
    is_below = dn == base or dn.endswith(f",{base}")
    return is_below and (scope == 2 or dn.count(",") == base.count(",") + 1)


def matches(filter_: tuple[int, bytes], values: Values) -> bool:
    """Whether an entry meets a filter; strings are compared without their case."""
    tag, content = filter_
    if tag == 0xA0:
        return all(matches(part, values) for part in elements(content))
    if tag == 0xA1:
        return any(matches(part, values) for part in elements(content))
    if tag == 0xA2:
        return not matches(elements(content)[0], values)
    lower = {name.lower(): [v.encode() if isinstance(v, str) else v for v in some] for name, some in values.items()}
    if tag == 0x87:
        name = content.decode().lower()
        return name == "objectclass" or bool(lower.get(name))
    (_, attribute), (_, value) = elements(content)
    have = lower.get(attribute.decode().lower(), [])
    if tag == 0xA3:
        return any(one.lower() == value.lower() for one in have)
    if tag == 0xA5:
        return any(int(one) >= int(value) for one in have)
    raise AssertionError(f"a filter of kind {tag:#x} is not known here")


class Server:
    """Listens on a port of the loopback device or a socket in a folder, and serves each client in a thread; a context manager."""

    def __init__(self, serve: Callable[[Conversation], None], *, path: Path | None = None) -> None:
        self._serve = serve
        self.path = path
        self._socket = socket.socket(socket.AF_INET if path is None else socket.AF_UNIX)
        self._clients: list[socket.socket] = []
        self._is_open = True

    @property
    def port(self) -> int:
        """The port."""
        return int(self._socket.getsockname()[1])

    @property
    def url(self) -> str:
        """URL of the socket."""
        assert self.path is not None
        return f"ldapi://{quote(str(self.path), safe='')}"

    def __enter__(self) -> Self:
        self._socket.bind(("127.0.0.1", 0) if self.path is None else str(self.path))
        self._socket.listen()
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._is_open = False
        for client in (self._socket, *self._clients):
            with suppress(OSError):
                client.shutdown(socket.SHUT_RDWR)
            client.close()

    def _accept(self) -> None:
        while self._is_open:
            try:
                client, _ = self._socket.accept()
            except OSError:
                return
            self._clients.append(client)
            threading.Thread(target=self._one, args=(client,), daemon=True).start()

    def _one(self, client: socket.socket) -> None:
        conversation = Conversation(client)
        with suppress(OSError):  # the client may go when it likes
            self._serve(conversation)
        with suppress(OSError):
            conversation.socket.close()


@contextmanager
def serving(directory: Directory, folder: Path) -> Iterator[Server]:
    """Serve a directory on a socket in a folder."""
    with Server(directory.serve, path=folder / "ldapi") as server:
        yield server


def domain_entries(base: str = "DC=corp,DC=example") -> dict[str, dict[str, list[bytes | str]]]:
    """Return a domain with an empty policy store."""
    return {
        "": {
            "defaultNamingContext": [base],
            "configurationNamingContext": [f"CN=Configuration,{base}"],
            "dnsHostName": ["dc1.corp.example"],
            "dsServiceName": [f"CN=NTDS Settings,CN=DC1,CN=Servers,CN=HQ,CN=Sites,CN=Configuration,{base}"],
        },
        base: {"objectClass": ["domainDNS"]},
        f"CN=System,{base}": {"objectClass": ["container"]},
        f"CN=Policies,CN=System,{base}": {"objectClass": ["container"]},
        f"CN=IP Security,CN=System,{base}": {"objectClass": ["container"]},
    }


def entries_of_ldif(ldif: bytes) -> dict[str, dict[str, list[bytes | str]]]:
    """Return what a file of changes leaves in a directory: additions of entries and of values."""
    import base64

    found: dict[str, dict[str, list[bytes | str]]] = {}
    for block in re.sub(rb"\r?\n ", b"", ldif).split(b"\n\n"):
        dn, adding = "", True
        for line in block.splitlines():
            name, _, rest = line.decode().partition(":")
            value = base64.b64decode(rest[1:]) if rest.startswith(":") else rest.lstrip(" ").encode()
            if name == "dn":
                dn = value.decode()
            elif name == "changetype":
                adding = value == b"add"
            elif dn and name not in ("-", "version") and (adding or name != "add"):
                found.setdefault(dn, {}).setdefault(name, []).append(value)
    return found
