"""LDAP messages from a socket: whole ones only, looked at before ldap3 takes them apart, and none after the deadline.

ldap3 waits for ever for a server that sends a byte now and then, collects whatever length a server announces, and takes
structures apart without a limit. So it is not given the socket but a `MessageSocket`, whose ``recv`` gives exactly one message
that is whole and sound. A message has to keep to what RFC 4511, 5.1 demands (definite lengths), and hold no more than a directory
has reason to send.
"""

import socket
import ssl
from contextlib import suppress
from typing import Any, Final

from pastore.directory.access import Deadline, Limits
from pastore.directory.errors import DirectoryError

_CHUNK: Final = 65536
_MESSAGE: Final = 0x30
# What a message is charged beyond its bytes: measured with ldap3, an entry is a handful of dictionaries and an element a tuple.
_PER_MESSAGE: Final = 2048
_PER_ELEMENT: Final = 80
_DEPTH: Final = 12
_MAX_CONTROLS: Final = 16384
_MAX_NUMBER: Final = 8

# Tags that occur in an answer (RFC 4511, appendix B). ldap3 descends into some by their number whether or not they are
# constructed, so everything else is refused.
_NUMBERS: Final = frozenset((0x01, 0x02, 0x0A))
_STRINGS: Final = frozenset((0x04, 0x87, 0x8A, 0x8B))
_STRUCTURES: Final = frozenset((0x30, 0x31, 0xA0, 0xA3))
# Of these ldap3 makes bytes whatever they hold, of a number so many.
_OF_STRINGS: Final = frozenset((0x64, 0x73))
_ANSWERS: Final = frozenset((0x61, 0x64, 0x65, 0x67, 0x69, 0x6B, 0x6D, 0x6F, 0x73, 0x78))


class MessageSocket:
    """A connected socket, as ldap3 needs one.

    Parameters
    ----------
    connected : socket.socket or ssl.SSLSocket
    deadline : Deadline
    limits : Limits
    """

    def __init__(self, connected: socket.socket, deadline: Deadline, limits: Limits) -> None:
        self._socket = connected
        self._deadline = deadline
        self._limits = limits
        self._buffer = bytearray()
        self._charged = 0
        self.failure: DirectoryError | None = None

    def recv(self, size: int) -> bytes:
        """Return the next message, whatever the size asked for, empty if the server has ended the connection between two.

        Raises
        ------
        DirectoryError
            PA173 if there is no whole and sound message before the deadline.
        """
        try:
            return self._message()
        except DirectoryError as error:
            self.failure = error
            raise

    def sendall(self, data: bytes) -> None:
        """Send a request.

        Raises
        ------
        DirectoryError
        """
        view = memoryview(data)
        try:
            while view:
                self._socket.settimeout(self._deadline.remaining())
                view = view[self._socket.send(view) :]
        except DirectoryError as error:
            self.failure = error
            raise
        except OSError as error:
            self.failure = self._failed(error)
            raise self.failure from None

    def start_tls(self, context: ssl.SSLContext, name: str) -> None:
        """Go on in TLS.

        Raises
        ------
        ssl.SSLError, OSError
            As the handshake does.
        DirectoryError
            PA172 if the server has sent more in clear text: somebody may have put it there.
        """
        if self._buffer:
            raise DirectoryError(
                "PA172", "the server went on in clear text after it had agreed to StartTLS; somebody may be in between"
            )
        self._socket.settimeout(self._deadline.remaining())
        # The timeout is one for the whole handshake, not for each read.
        self._socket = context.wrap_socket(self._socket, server_hostname=name)

    def getpeercert(self, binary_form: bool = False) -> Any:
        """Return the server's certificate, which Kerberos ties its tickets to."""
        if not isinstance(self._socket, ssl.SSLSocket):
            raise OSError("not a TLS connection")
        return self._socket.getpeercert(binary_form)

    def getpeername(self) -> Any:
        """Return the address of the server."""
        return self._socket.getpeername()

    def shutdown(self, how: int) -> None:
        """Do nothing: `close` is what follows, and it must not wait."""

    def close(self) -> None:
        """End the connection without waiting for the server; once more does nothing."""
        with suppress(OSError):
            self._socket.settimeout(0)
        self._socket.close()

    def _message(self) -> bytes:
        if not self._fill(2):
            return b""
        buffer = self._buffer
        header = 2 + (buffer[1] & 0x7F if buffer[1] & 0x80 else 0)
        if buffer[0] != _MESSAGE or not ((header == 2 and buffer[1] < 0x80) or 2 < header <= 6):
            raise _unsound("its answer does not begin as an LDAP message does")
        if header > 2:
            self._fill(header)
        length = header + (int.from_bytes(buffer[2:header], "big") if header > 2 else buffer[1])
        if length > self._limits.message:
            raise DirectoryError("PA173", f"the server sends a message of {length} bytes; up to {self._limits.message} are taken")
        self._fill(length)
        message = bytes(buffer[:length])
        del buffer[:length]
        elements = check_message(message, header, self._limits.elements)
        self._charged += length + _PER_MESSAGE + _PER_ELEMENT * elements
        if self._charged > self._limits.memory:
            raise DirectoryError(
                "PA173",
                f"the server sends more than a policy store holds; it would take over {self._limits.memory >> 20} MiB here",
            )
        return message

    def _fill(self, wanted: int) -> bool:
        """Read until so many bytes of a message are there; False if the server has ended the connection before the first."""
        buffer = self._buffer
        while len(buffer) < wanted:
            try:
                self._socket.settimeout(self._deadline.remaining())
                data = self._socket.recv(_CHUNK)
            except TimeoutError:
                raise self._deadline.over() from None
            except OSError as error:
                raise self._failed(error) from None
            if not data:
                if not buffer:
                    return False
                raise DirectoryError("PA173", "the server ended the connection in the middle of an answer")
            buffer += data
        return True

    def _failed(self, error: OSError) -> DirectoryError:
        if isinstance(error, TimeoutError):
            return self._deadline.over()
        return DirectoryError("PA173", f"the connection broke in the middle of the retrieval: {error.strerror or error}")


def check_message(message: bytes, start: int, limit: int) -> int:
    """Look whether a message is built as an answer of LDAP is (RFC 4511, 5.1), and count its elements.

    Parameters
    ----------
    message : bytes
    start : int
        Where its content begins.
    limit : int
        How many elements it may have.

    Raises
    ------
    DirectoryError
        PA173 if not.
    """
    ends = [len(message)]
    at, count, operation = start, 0, 0
    while ends:
        if at == ends[-1]:
            ends.pop()
            continue
        count += 1
        if count > limit:
            raise _unsound(f"its answer has more than {limit} parts")
        end = ends[-1]
        if end - at < 2:
            raise _unsound("its answer ends in the middle of a part")
        tag, length = message[at], message[at + 1]
        at += 2
        if length & 0x80:
            extra = length & 0x7F
            if not 0 < extra <= 4 or end - at < extra:
                raise _unsound("its answer has a part of no definite length")
            length = int.from_bytes(message[at : at + extra], "big")
            at += extra
        if length > end - at:
            raise _unsound("its answer has a part that is longer than the whole")
        if tag in _STRINGS:
            at += length
        elif tag in _NUMBERS:
            if operation in _OF_STRINGS and len(ends) > 1:
                raise _unsound("its answer has a number among the values of an entry")
            if not 0 < length <= _MAX_NUMBER:
                raise _unsound("its answer has a number of no possible length")
            at += length
        elif tag in _STRUCTURES or (tag in _ANSWERS and len(ends) == 1):
            if len(ends) == _DEPTH:
                raise _unsound("its answer is nested too deeply")
            if tag == 0xA0 and (len(ends) != 1 or length > _MAX_CONTROLS):
                raise _unsound("its answer has controls out of place or too long")
            if len(ends) == 1:
                operation = tag
            ends.append(at + length)
        else:
            raise _unsound(f"its answer has a part of the unknown type {tag:#04x}")
    return count


def _unsound(why: str) -> DirectoryError:
    return DirectoryError("PA173", f"the server does not speak LDAP as it should: {why}")
