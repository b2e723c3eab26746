"""The agent's socket: one request, a line of JSON, and one answer, for the user that the agent runs as and for root.

Requests are ``{"do": "status"}``, ``"filters"``, ``"table"``, ``"reload"``, ``"refresh"`` and ``"poll"``. With the answer to
"table" comes a file descriptor of the table that is in force.
"""

import errno
import json
import os
import socket
import struct
import tempfile
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Final

PATIENCE: Final = 5.0  # seconds for a request to come
_LONGEST: Final = 4096
_MOST: Final = 16  # clients at a time

Answer = tuple[dict[str, Any], int | None]
"""What to answer, and a file descriptor to pass and close."""


class ControlError(Exception):
    """The agent cannot be asked, or cannot do what it is asked; the message says why."""


class Control:
    """Listens on the socket; a context manager.

    Parameters
    ----------
    path : str
        The socket's permissions are its owner's alone.
    answer : callable
        Called with the request, in a thread of the client's.

    Raises
    ------
    OSError
        If it cannot be listened to: EADDRINUSE if another agent does.
    """

    def __init__(self, path: str, answer: Callable[[dict[str, Any]], Answer]) -> None:
        self.path = path
        self._answer = answer
        self._room = threading.BoundedSemaphore(_MOST)
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            self._bind()
        except OSError as error:
            self._socket.close()
            error.filename = path
            raise
        self._inode = os.stat(path).st_ino
        threading.Thread(target=self._accept, name="control", daemon=True).start()

    def _bind(self) -> None:
        if len(os.fsencode(self.path)) > 107:
            raise OSError(errno.ENAMETOOLONG, "the path of a socket has at most 107 bytes", self.path)
        with suppress(FileNotFoundError, ConnectionRefusedError), socket.socket(socket.AF_UNIX) as other:
            other.settimeout(PATIENCE)
            other.connect(self.path)
            raise OSError(errno.EADDRINUSE, "another agent listens on this socket", self.path)
        with suppress(FileNotFoundError):
            os.unlink(self.path)  # of one that ended without
        before = os.umask(0o177)
        try:
            self._socket.bind(self.path)
        finally:
            os.umask(before)
        self._socket.listen(_MOST)

    def __enter__(self) -> "Control":
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def close(self) -> None:
        """Stop listening."""
        with suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()
        with suppress(OSError):
            if os.stat(self.path).st_ino == self._inode:
                os.unlink(self.path)

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._socket.accept()
            except OSError as error:
                if error.errno in (errno.EMFILE, errno.ENFILE, errno.ECONNABORTED):
                    continue
                return
            if not self._room.acquire(blocking=False):
                client.close()
                continue
            threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        passed: int | None = None
        try:
            with client:
                client.settimeout(PATIENCE)
                user = struct.unpack("3i", client.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))[1]
                line = _line(client)
                if user not in (0, os.geteuid()):
                    reply: dict[str, Any] = {"error": "only root and the agent's own user may ask"}
                else:
                    try:
                        request = json.loads(line)
                        if not isinstance(request, dict):
                            raise ValueError
                    except (ValueError, RecursionError):
                        reply = {"error": "that is no request: one line of JSON is wanted, an object"}
                    else:
                        client.settimeout(None)
                        reply, passed = self._answer(request)
                client.settimeout(PATIENCE)
                data = json.dumps({"version": 1, **reply}).encode() + b"\n"
                if passed is None:
                    client.sendall(data)
                else:
                    sent = socket.send_fds(client, [data], [passed])
                    client.sendall(data[sent:])
        except OSError:
            pass  # the client has gone, or does not listen
        finally:
            if passed is not None:
                os.close(passed)
            self._room.release()


def _line(client: socket.socket) -> bytes:
    data = b""
    while b"\n" not in data:
        more = client.recv(_LONGEST)
        data += more
        if not more or len(data) > _LONGEST:
            break
    return data


def ask(path: str, request: dict[str, Any], *, patience: float = 300.0) -> tuple[dict[str, Any], int | None]:
    """Ask an agent.

    Parameters
    ----------
    path : str
        Its socket.
    request : dict
    patience : float
        Seconds to wait for the answer; a reload takes as long as the directory does.

    Returns
    -------
    dict
        The answer.
    int or None
        A file descriptor that came with it, to be closed.

    Raises
    ------
    ControlError
    """
    passed: list[int] = []
    try:
        with socket.socket(socket.AF_UNIX) as channel:
            channel.settimeout(patience)
            channel.connect(path)
            channel.sendall(json.dumps(request).encode() + b"\n")
            data, passed, _, _ = socket.recv_fds(channel, 1 << 16, 1)
            parts = [data]
            while more := channel.recv(1 << 20):
                parts.append(more)
        reply = json.loads(b"".join(parts))
    except (FileNotFoundError, ConnectionRefusedError):
        raise ControlError(f"no agent runs here: nobody listens on {path}") from None
    except TimeoutError:
        raise ControlError(f"the agent did not answer within {patience:g} seconds") from None
    except OSError as error:
        raise ControlError(f"the agent cannot be asked: {path}: {error.strerror or error}") from None
    except ValueError:
        raise ControlError("the agent ended before it had answered") from None
    if "error" in reply:
        for descriptor in passed:
            os.close(descriptor)
        raise ControlError(str(reply["error"]))
    return reply, passed[0] if passed else None


def as_descriptor(save: Callable[[str], None]) -> int:
    """Have something written to a file that has no name any more, and return its descriptor.

    Raises
    ------
    OSError
    """
    with tempfile.TemporaryDirectory(prefix="pastore-") as folder:
        path = os.path.join(folder, "table")
        save(path)
        return os.open(path, os.O_RDONLY | os.O_CLOEXEC)
