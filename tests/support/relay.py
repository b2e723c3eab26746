"""Passes bytes on between sockets, and cuts them where a test wants it.

Also a program, with nothing but the standard library: ``python3 relay.py SOCKET=PORT ...`` listens on the sockets (paths) and
passes on to ports of the loopback device. A path reaches from one network namespace into another, which an address does not.
"""

import os
import socket
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from types import TracebackType


class Relay:
    """Listens, connects on for each client, and passes bytes both ways; a context manager.

    Parameters
    ----------
    dial : callable
        Gives a connection to pass on to.
    path : str, optional
        Socket to listen on; a port of the loopback device when left out.
    cut_after : int, optional
        How many bytes of the server's reach a client before both connections are ended.
    piece : int
        How many bytes are passed on at a time.
    """

    def __init__(
        self, dial: Callable[[], socket.socket], *, path: str | None = None, cut_after: int | None = None, piece: int = 65536
    ) -> None:
        self._dial = dial
        self._path = path
        self.cut_after = cut_after
        self.piece = piece
        self.passed = 0  # bytes of the server's for the last client
        self._socket = socket.socket(socket.AF_INET if path is None else socket.AF_UNIX)

    @property
    def port(self) -> int:
        """The port listened on."""
        return int(self._socket.getsockname()[1])

    def start(self) -> None:
        """Listen."""
        self._socket.bind(("127.0.0.1", 0) if self._path is None else self._path)
        self._socket.listen()
        threading.Thread(target=self._accept, daemon=True).start()

    def __enter__(self) -> "Relay":
        self.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        with suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._socket.accept()
            except OSError:
                return
            try:
                server = self._dial()
            except OSError:
                client.close()
                continue
            threading.Thread(target=self._pass, args=(client, server, False), daemon=True).start()
            threading.Thread(target=self._pass, args=(server, client, True), daemon=True).start()

    def _pass(self, source: socket.socket, sink: socket.socket, counted: bool) -> None:
        passed = 0
        with suppress(OSError):
            while data := source.recv(self.piece):
                if counted:
                    if self.cut_after is not None:
                        data = data[: self.cut_after - passed]
                    passed += len(data)
                    self.passed = passed
                sink.sendall(data)
                if counted and passed == self.cut_after:
                    break
        for one in (source, sink):
            with suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
            one.close()


def to_path(path: str) -> Callable[[], socket.socket]:
    """Return how to connect to a socket by its path."""

    def dial() -> socket.socket:
        made = socket.socket(socket.AF_UNIX)
        made.connect(path)
        return made

    return dial


if __name__ == "__main__":
    for argument in sys.argv[1:]:
        where, _, port = argument.rpartition("=")
        Relay(lambda port=port: socket.create_connection(("127.0.0.1", int(port))), path=where).start()  # type: ignore[misc]
    os.close(0)
    threading.Event().wait()
