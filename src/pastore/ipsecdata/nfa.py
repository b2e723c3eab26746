"""ipsecNFA data ([MS-GPIPSEC] 2.2.1.3.1): a rule's authentication methods, interface type and tunnel endpoint.

Windows 2000 to Server 2003 write a main part and one zero byte. Vista and later put up to three further sections behind it, each
introduced by a GUID made of the byte 1: the authentication methods again, their flags, and an IPv6 tunnel endpoint. DataLength
covers the main part only, so that older systems stop there.
"""

import struct
from dataclasses import dataclass, field
from ipaddress import IPv4Address, IPv6Address
from typing import Final, cast

from pastore.findings import Finding, Severity
from pastore.ipsecdata.blob import COMPUTED, EMPTY, NFA, PAD, DamageError, Reader, Text, Writer, guarded
from pastore.model import NOWHERE, Origin, Secret

PRESHARED_KEY, CERTIFICATE, KERBEROS = 1, 3, 5
RAS, LAN, ALL = 0xFFFFFFFF, 0xFFFFFFFE, 0xFFFFFFFD

NO_TUNNEL: Final = IPv4Address(0)
ALTERNATES: Final = b"\1" * 16
FLAGS: Final = b"\1" * 15 + b"\2"
IPV6_TUNNEL: Final = b"\1" * 15 + b"\3"

_AUTH_HEAD: Final = struct.Struct("<II")
_TUNNEL: Final = struct.Struct(">I")


@dataclass(frozen=True, slots=True)
class AuthBlob:
    """One authentication method as stored.

    Parameters
    ----------
    kind : int
        1 pre-shared key, 3 certificate, 5 Kerberos.
    data : bytes or Secret
        A Secret for a pre-shared key, and only for one; it stands for the stored bytes, see `key_data`. Never shown: data of an
        unknown kind may be a key too.
    """

    kind: int
    data: bytes | Secret = field(default=b"", repr=False)

    @property
    def key(self) -> Secret | None:
        """The pre-shared key itself, up to its terminating zero."""
        if not isinstance(self.data, Secret):
            return None
        raw = self.data.reveal().encode("latin-1")
        return Secret(raw[: len(raw) & ~1].decode("utf-16-le", "surrogatepass").partition("\0")[0])

    @property
    def text(self) -> str:
        """The name of a certificate authority; empty for other kinds."""
        return Text(self.data).text if self.kind == CERTIFICATE and isinstance(self.data, bytes) else ""


def key_data(raw: bytes) -> Secret:
    """Return the stored bytes of a pre-shared key as a Secret: each byte is the character of that number."""
    return Secret(raw.decode("latin-1"))


def key_of(key: Secret) -> Secret:
    """Return the stored form of a pre-shared key.

    Raises
    ------
    ValueError
        If it holds a zero character. The message does not show the key.
    """
    text = key.reveal()
    if "\0" in text:
        raise ValueError("a stored pre-shared key cannot hold a zero character")
    return key_data(text.encode("utf-16-le", "surrogatepass") + b"\0\0")


@dataclass(frozen=True, slots=True)
class NfaBlob:
    """An ipsecNFA value as stored.

    Parameters
    ----------
    auth_methods : tuple of AuthBlob
        In order of preference.
    interface_type : int
        `RAS`, `LAN` or `ALL`.
    interface_name : Text
    tunnel_address : IPv4Address
        Means something only when `is_tunnel` is 1.
    is_tunnel, is_active : int
        0 or 1.
    tunnel_name : Text
    alternates : tuple of AuthBlob, optional
        The methods as later systems read them; None when the section is absent. Kerberos has no data here.
    flags : tuple of int, optional
        For each method: 1 maps certificates to accounts, 2 leaves the name of the authority out of requests. None when absent.
    flags_head : int
        The field the specification calls Zero1; Windows 10 writes 1 with one method.
    tunnel_address6 : IPv6Address, optional
        Takes the place of `tunnel_address`; None when the section is absent.
    data_length : int
        Length of the main part.
    tail : bytes
        Everything after the last section, normally one zero byte.
    """

    auth_methods: tuple[AuthBlob, ...] = (AuthBlob(KERBEROS, b"\0\0"),)
    interface_type: int = ALL
    interface_name: Text = EMPTY
    tunnel_address: IPv4Address = NO_TUNNEL
    is_tunnel: int = 0
    is_active: int = 1
    tunnel_name: Text = EMPTY
    alternates: tuple[AuthBlob, ...] | None = None
    flags: tuple[int, ...] | None = None
    flags_head: int = 1
    tunnel_address6: IPv6Address | None = None
    data_length: int = COMPUTED
    tail: bytes = field(default=PAD, repr=False)

    def __post_init__(self) -> None:
        if self.data_length == COMPUTED:
            auth = sum(8 + _size(method.data) for method in self.auth_methods)
            names = len(self.interface_name.raw) + len(self.tunnel_name.raw)
            object.__setattr__(self, "data_length", 28 + auth + names)


def _size(data: bytes | Secret) -> int:
    return len(data if isinstance(data, bytes) else data.reveal())


def decode(data: bytes, origin: Origin = NOWHERE) -> tuple[NfaBlob | None, tuple[Finding, ...]]:
    """Read a value; None when its main part cannot be read, and then a finding says why.

    A damaged later section is reported and left undecoded in `NfaBlob.tail`, with everything after it.
    """
    return guarded(data, origin, _read)


def _read(reader: Reader) -> NfaBlob:
    data_length = reader.header(NFA, "a rule")
    start = reader.at
    auth = _read_methods(reader, "authentication methods")
    at = reader.at
    interface_type = reader.u32("the interface type")
    if interface_type not in (RAS, LAN, ALL):
        # A wrong number of methods before it looks just like this, and then a key would be read, and shown, as a name.
        message = f"the interface type is {interface_type:#x}, which the specification does not know"
        raise DamageError(reader.finding("PA126", message, at, Severity.ERROR))
    interface_name = reader.text("the interface name")
    tunnel_address = IPv4Address(reader.take(4, "the tunnel address"))
    at = reader.at
    is_tunnel = reader.u32("the tunnel flag")
    reader.flag(is_tunnel, "the tunnel flag", at)
    is_active = reader.u32("the active flag")
    reader.flag(is_active, "the active flag", at + 4)
    tunnel_name = reader.text("the tunnel endpoint name")
    reader.length(data_length, reader.at - start)

    alternates: tuple[AuthBlob, ...] | None = None
    flags: tuple[int, ...] | None = None
    flags_head = 1
    tunnel_address6: IPv6Address | None = None
    section = reader.at
    damaged = False
    try:
        if _section(reader, ALTERNATES):
            alternates = _read_alternates(reader, auth, section)
            section = reader.at
        if _section(reader, FLAGS):
            flags_head, flags = _read_flags(reader, len(auth if alternates is None else alternates))
            section = reader.at
        if _section(reader, IPV6_TUNNEL):
            tunnel_address6 = IPv6Address(reader.take(16, "the IPv6 tunnel address"))
    except DamageError as damage:
        reader.findings.append(damage.finding)
        reader.at = section
        damaged = True
    return NfaBlob(
        auth,
        interface_type,
        interface_name,
        tunnel_address,
        is_tunnel,
        is_active,
        tunnel_name,
        alternates,
        flags,
        flags_head,
        tunnel_address6,
        data_length,
        reader.rest(damaged=damaged),
    )


def _section(reader: Reader, guid: bytes) -> bool:
    found = reader.data.startswith(guid, reader.at)
    if found:
        reader.at += 16
    return found


def _read_methods(reader: Reader, what: str) -> tuple[AuthBlob, ...]:
    at = reader.at
    count = reader.u32(f"the number of {what}")
    if count > reader.left // _AUTH_HEAD.size:
        # What follows can only be found behind the last method, so a wrong count here leaves nothing to read.
        room = reader.left // _AUTH_HEAD.size
        raise DamageError(reader.finding("PA121", f"the data announce {count} {what} and have room for {room} at most", at))
    return tuple(_read_method(reader) for _ in range(count))


def _read_method(reader: Reader) -> AuthBlob:
    start = reader.at
    kind, size = cast(tuple[int, int], reader.unpack(_AUTH_HEAD, "an authentication method"))
    at = reader.at
    raw = reader.take(size, "the data of an authentication method")
    if kind == PRESHARED_KEY:
        reader.check_text(Text(raw), "the pre-shared key", at)
        return AuthBlob(kind, key_data(raw))
    if kind == CERTIFICATE:
        # The specification does not say that this string is terminated.
        reader.check_text(Text(raw), "the name of the certificate authority", at, terminated=False)
    elif kind == KERBEROS:
        if raw.strip(b"\0"):
            reader.report("PA126", "the data of the Kerberos method are not empty", at)
    else:
        reader.report("PA126", f"the authentication method is {kind}, which the specification does not know", start)
    return AuthBlob(kind, raw)


def _read_alternates(reader: Reader, auth: tuple[AuthBlob, ...], at: int) -> tuple[AuthBlob, ...]:
    alternates = _read_methods(reader, "alternate authentication methods")
    if [method.kind for method in alternates] != [method.kind for method in auth]:
        reader.report("PA126", "the alternate authentication methods are not of the kinds of the main ones, which are used", at)
    return alternates


def _read_flags(reader: Reader, count: int) -> tuple[int, tuple[int, ...]]:
    head = reader.u32("the head of the flags")
    at = reader.at
    # The specification counts the flags by the methods; the field in front of them is to be ignored.
    values = struct.unpack(f"<{count}I", reader.take(4 * count, "the flags of the authentication methods"))
    for index, value in enumerate(values):
        if value > 3:
            reader.report("PA126", f"the flags of an authentication method are {value:#x}", at + 4 * index)
    return head, values


def encode(blob: NfaBlob) -> bytes:
    """Return the bytes of a value.

    Raises
    ------
    ValueError
        If a number does not fit its field, a pre-shared key is not a Secret or anything else is one, or there is not one flag for
        each method.
    """
    writer = Writer()
    writer.header(NFA, blob.data_length)
    _write_methods(writer, blob.auth_methods)
    writer.u32(blob.interface_type, "the interface type")
    writer.text(blob.interface_name)
    writer.raw(_TUNNEL.pack(int(blob.tunnel_address)))
    writer.u32(blob.is_tunnel, "the tunnel flag")
    writer.u32(blob.is_active, "the active flag")
    writer.text(blob.tunnel_name)
    if blob.alternates is not None:
        writer.raw(ALTERNATES)
        _write_methods(writer, blob.alternates)
    if blob.flags is not None:
        count = len(blob.auth_methods if blob.alternates is None else blob.alternates)
        if len(blob.flags) != count:
            raise ValueError(f"{count} authentication methods need {count} flags, not {len(blob.flags)}")
        writer.raw(FLAGS)
        writer.u32(blob.flags_head, "the head of the flags")
        for value in blob.flags:
            writer.u32(value, "the flags of an authentication method")
    if blob.tunnel_address6 is not None:
        writer.raw(IPV6_TUNNEL)
        writer.raw(blob.tunnel_address6.packed)
    writer.raw(blob.tail)
    return writer.bytes()


def _write_methods(writer: Writer, methods: tuple[AuthBlob, ...]) -> None:
    writer.u32(len(methods), "the number of authentication methods")
    for method in methods:
        if isinstance(method.data, Secret) != (method.kind == PRESHARED_KEY):
            raise ValueError("the data of a pre-shared key, and only those, must be a Secret")
        raw = method.data if isinstance(method.data, bytes) else method.data.reveal().encode("latin-1")
        writer.u32(method.kind, "the authentication method")
        writer.u32(len(raw), "the length of the authentication data")
        writer.raw(raw)
