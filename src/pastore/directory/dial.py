"""Connecting to a server, and TLS with it. Failures are told in words that say what to do."""

import socket
import ssl
import threading
from collections.abc import Callable
from typing import Final, TypeVar

from pastore.directory.access import Access, Deadline, Location
from pastore.directory.errors import DirectoryError

T = TypeVar("T")

# OpenSSL's X509_V_ERR_*
_EXPIRED: Final = 10
_NOT_YET_VALID: Final = 9
_SELF_SIGNED: Final = 18
_SELF_SIGNED_IN_CHAIN: Final = 19
_UNKNOWN_ISSUER: Final = (2, 20, 21)
_WRONG_NAME: Final = (62, 64)


def within(deadline: Deadline, work: Callable[[], T]) -> T:
    """Do what cannot be interrupted, as a system library's call, and leave it alone when the deadline has passed.

    Raises
    ------
    DirectoryError
        PA173 when it is not done in time.
    """
    results: list[T] = []
    errors: list[BaseException] = []

    def run() -> None:
        try:
            results.append(work())
        except BaseException as error:  # noqa: BLE001 (it is raised again in the thread that waits)
            errors.append(error)

    worker = threading.Thread(target=run, daemon=True, name="pastore-directory")
    worker.start()
    worker.join(deadline.remaining())
    if errors:
        raise errors[0]
    if not results:
        raise deadline.over()
    return results[0]


def dial(location: Location, deadline: Deadline) -> socket.socket:
    """Connect to a server, address by address.

    Raises
    ------
    DirectoryError
        PA170 if it cannot be reached.
    """
    if location.scheme == "ldapi":
        if not hasattr(socket, "AF_UNIX"):
            raise DirectoryError("PA170", "this platform has no local sockets; use ldaps://")
        made = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        return _connected(made, location.path, location, deadline.remaining())
    try:
        found = within(
            deadline, lambda: socket.getaddrinfo(location.host, location.port, type=socket.SOCK_STREAM, proto=socket.IPPROTO_TCP)
        )
    except (OSError, UnicodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else str(error)
        raise DirectoryError(
            "PA170", f"the name {location.host!r} cannot be resolved: {reason}; check the name and the DNS server"
        ) from None
    last = DirectoryError("PA170", f"{location.host!r} has no address")
    for number, (family, kind, protocol, _, address) in enumerate(found):
        # An address that swallows packets leaves the others their share of the time.
        share = deadline.remaining() / (len(found) - number)
        try:
            return _connected(socket.socket(family, kind, protocol), address, location, share)
        except OSError as error:  # as when there is no IPv6 here
            last = DirectoryError("PA170", f"cannot connect to {location.where}: {error.strerror or error}")
        except DirectoryError as error:
            last = error
    raise last


def _connected(
    made: socket.socket,
    address: "str | tuple[str, int] | tuple[str, int, int, int] | tuple[int, bytes]",
    location: Location,
    seconds: float,
) -> socket.socket:
    made.settimeout(seconds)
    try:
        made.connect(address)
    except TimeoutError:
        made.close()
        message = f"{location.where} did not answer in {seconds:.3g} seconds; check the address and the firewalls between"
        raise DirectoryError("PA170", message) from None
    except OSError as error:
        made.close()
        message = f"cannot connect to {location.where}: {error.strerror or error}; check the address and that the server runs"
        raise DirectoryError("PA170", message) from None
    return made


def tls_context(access: Access) -> ssl.SSLContext:
    """Return how TLS is spoken: 1.2 or later, and with a certificate that is looked at unless that was waived.

    Raises
    ------
    DirectoryError
        PA172 if the certificates of the authorities cannot be read.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if access.insecure:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        return context
    if access.ca_file is None:
        context.load_default_certs(ssl.Purpose.SERVER_AUTH)
        return context
    try:
        context.load_verify_locations(cafile=access.ca_file)
    except ssl.SSLError:
        message = f"the CA file {access.ca_file!r} holds no certificate in PEM; convert it with openssl x509 -inform der"
        raise DirectoryError("PA172", message) from None
    except OSError as error:
        raise DirectoryError("PA172", f"the CA file {access.ca_file!r} cannot be read: {error.strerror or error}") from None
    return context


def refused_tls(error: OSError, location: Location, deadline: Deadline) -> DirectoryError:
    """Return why a handshake failed and what to do about it."""
    if isinstance(error, TimeoutError):
        return deadline.over()
    host = location.host
    if isinstance(error, ssl.SSLCertVerificationError):
        code = error.verify_code
        if code == _EXPIRED:
            why = f"the certificate of {host} has expired: have it renewed on the server, and check this computer's clock"
        elif code == _NOT_YET_VALID:
            why = f"the certificate of {host} is not valid yet: check this computer's clock and the server's"
        elif code in _WRONG_NAME:
            why = f"the certificate is not for {host}: use the name that is in it, or have one made with that name"
        elif code == _SELF_SIGNED:
            why = f"the certificate of {host} is self-signed: if it is the right one, give it with --ca-file"
        elif code == _SELF_SIGNED_IN_CHAIN or code in _UNKNOWN_ISSUER:
            why = f"nobody trusted here has signed the certificate of {host}: give its authority's certificate with --ca-file"
        else:
            why = f"the certificate of {host} cannot be trusted: {error.verify_message}"
        return DirectoryError("PA172", why)
    no_tls = f"{location.where} answers without TLS, and nothing is sent to it in clear text: use ldap:// if it has StartTLS"
    if isinstance(error, ssl.SSLError) and not isinstance(error, ssl.SSLEOFError):
        reason = (error.reason or "").lower().replace("_", " ") or "the handshake failed"
        if reason in ("wrong version number", "record layer failure", "http request"):
            return DirectoryError("PA172", no_tls)
        if "version" in reason or "protocol" in reason:
            return DirectoryError("PA172", f"{location.where} has no TLS 1.2 or later ({reason}): allow it on the server")
        return DirectoryError("PA172", f"no TLS with {location.where}: {reason}")
    if location.scheme == "ldaps":
        no_tls = f"{location.where} ended the connection during the TLS handshake: use ldap:// if it has StartTLS there"
    else:
        no_tls = f"{location.where} ended the connection during the TLS handshake: look into its log, or use ldaps://"
    return DirectoryError("PA172", no_tls)
