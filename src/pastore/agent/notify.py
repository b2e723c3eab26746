"""Telling the service manager what the service does: sd_notify(3), which is a datagram."""

import os
import socket
import time


def notify(**state: str) -> bool:
    """Send assignments like ``READY=1`` to the manager that started this process.

    Returns
    -------
    bool
        Whether there is one and it could be told. Nobody's work depends on it.
    """
    path = os.environ.get("NOTIFY_SOCKET", "")
    if not path.startswith(("/", "@")):
        return False
    address = "\0" + path[1:] if path.startswith("@") else path
    text = "\n".join(f"{name}={value}" for name, value in state.items())
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as channel:
            channel.settimeout(1)
            channel.sendto(text.encode(errors="backslashreplace"), address)
    except OSError:
        return False
    return True


def reloading() -> bool:
    """Say that a reload begins; ``notify(READY="1")`` ends it."""
    return notify(RELOADING="1", MONOTONIC_USEC=str(time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000))
