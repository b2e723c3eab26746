"""What runs within the network namespace: loads the rules, sends the packets, reads the verdicts from the kernel's log.

A program of its own, which imports nothing but the standard library: it is started by its path under ``unshare``. Standard
input holds a line of JSON, the scripts for nft, and for each group of packets their codes and frames; standard output gets for
each group the marks (32 bits each, in the machine's order) and the actions (a byte each). Exit status 3 with a sentence on
standard error: the kernel could not be asked.
"""

import contextlib
import ctypes
import fcntl
import json
import select
import socket
import struct
import subprocess
import sys
from array import array
from collections.abc import Iterator
from typing import Any, BinaryIO, Final, NoReturn

ACTIONS: Final = {b"none": 0, b"allow": 1, b"block": 2, b"protect": 3}
UNANSWERED: Final = 255  # as an action

CHUNK: Final = 256  # packets sent before the answers are read: neither the backlog nor the log may overflow
TRIES: Final = 4
PATIENCE: Final = 1.0  # seconds without an answer after which what is missing is sent again
GIVE_UP: Final = 3  # chunks of which nothing at all came back

# <linux/if_packet.h>, <linux/sockios.h>, <linux/netfilter/nfnetlink_log.h> and their like, where Python has no name for them.
SIOCGIFFLAGS, SIOCSIFFLAGS, IFF_UP = 0x8913, 0x8914, 1
NETLINK_NETFILTER, NFNL_SUBSYS_ULOG = 12, 4
NFULNL_MSG_PACKET, NFULNL_MSG_CONFIG = 0, 1
NFULA_CFG_CMD, NFULA_CFG_MODE, NFULA_CFG_NLBUFSIZ, NFULA_CFG_TIMEOUT, NFULA_CFG_QTHRESH = 1, 2, 3, 4, 5
NFULNL_CFG_CMD_BIND, NFULNL_COPY_PACKET = 1, 2
NFULA_MARK, NFULA_PAYLOAD, NFULA_PREFIX = 2, 9, 10
NLM_F_REQUEST, NLM_F_ACK, NLMSG_ERROR = 1, 4, 2
SO_MARK: Final = 36
PR_SET_PDEATHSIG, SIGKILL = 1, 9


class Log:
    """The kernel's packet log, a netlink socket bound to one group."""

    def __init__(self, group: int, copy: int, batch: int) -> None:
        self.socket = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, NETLINK_NETFILTER)
        self.socket.bind((0, 0))
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 22)
        for kind, value in (
            (NFULA_CFG_CMD, struct.pack("B", NFULNL_CFG_CMD_BIND)),
            (NFULA_CFG_MODE, struct.pack(">IBx", copy, NFULNL_COPY_PACKET)),
            (NFULA_CFG_NLBUFSIZ, struct.pack(">I", 16384)),
            (NFULA_CFG_QTHRESH, struct.pack(">I", batch)),
            (NFULA_CFG_TIMEOUT, struct.pack(">I", 1)),  # hundredths of a second
        ):
            self._configure(group, kind, value)

    def _configure(self, group: int, kind: int, value: bytes) -> None:
        attribute = struct.pack("=HH", 4 + len(value), kind) + value + b"\0" * (-len(value) % 4)
        body = struct.pack(">BBH", socket.AF_UNSPEC, 0, group) + attribute
        message = NFNL_SUBSYS_ULOG << 8 | NFULNL_MSG_CONFIG
        self.socket.send(struct.pack("=IHHII", 16 + len(body), message, NLM_F_REQUEST | NLM_F_ACK, 1, 0) + body)
        answer = self.socket.recv(65536)
        (error,) = struct.unpack_from("=i", answer, 16)
        if error:
            raise OSError(-error, "the kernel's packet log (nfnetlink_log) refused")

    def read(self, seconds: float) -> list[tuple[int, int, int]]:
        """Return (number, mark, action) of the packets that came back, nothing if none did in time."""
        if not select.select([self.socket], [], [], seconds)[0]:
            return []
        try:
            data = self.socket.recv(1 << 18)
        except OSError:  # the socket's buffer ran over; what is missing is sent again
            return []
        return list(_answers(data))


def _answers(data: bytes) -> Iterator[tuple[int, int, int]]:
    at = 0
    while at + 16 <= len(data):
        length, kind = struct.unpack_from("=IH", data, at)
        if kind == NFNL_SUBSYS_ULOG << 8 | NFULNL_MSG_PACKET:
            mark = number = action = None
            here, end = at + 20, at + length
            while here + 4 <= end:
                size, attribute = struct.unpack_from("=HH", data, here)
                attribute &= 0x7FFF
                if attribute == NFULA_MARK:
                    (mark,) = struct.unpack_from(">I", data, here + 4)
                elif attribute == NFULA_PREFIX:
                    action = ACTIONS.get(data[here + 4 : here + size].rstrip(b"\0"))
                elif attribute == NFULA_PAYLOAD:
                    # IPv4 has the number as its identification, IPv6 in its flow label.
                    (number,) = struct.unpack_from(">H", data, here + 4 + (4 if data[here + 4] >> 4 == 4 else 2))
                here += max(4, size + 3 & ~3)
            if action is not None and number is not None:
                yield number, mark or 0, action  # a mark of 0 is left out of the message
        at += max(16, length + 3 & ~3)


def _lo_up() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        request = fcntl.ioctl(any_socket, SIOCGIFFLAGS, struct.pack("16sh22x", b"lo", 0))
        (flags,) = struct.unpack_from("=h", request, 16)
        fcntl.ioctl(any_socket, SIOCSIFFLAGS, struct.pack("16sh22x", b"lo", flags | IFF_UP))


def _senders(marks: list[int]) -> list[socket.socket]:
    """Return a socket for each mark that packets may come with."""
    senders = []
    for mark in marks:
        sender = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
        sender.bind(("lo", 0))
        sender.setsockopt(socket.SOL_SOCKET, SO_MARK, mark)
        senders.append(sender)
    return senders


def ask(log: Log, senders: list[socket.socket], codes: bytes, frames: list[bytes]) -> tuple["array[int]", bytearray]:
    """Send every packet and return the mark and the action it got.

    Parameters
    ----------
    log : Log
    senders : list of socket
    codes : bytes
        Which sender each packet goes by.
    frames : list of bytes
        Packet i carries the number i modulo 65536.
    """
    n = len(frames)
    marks, actions = array("I", bytes(4 * n)), bytearray([UNANSWERED]) * n
    silent = 0
    for start in range(0, n, CHUNK):
        stop = min(start + CHUNK, n)
        missing = list(range(start, stop))
        for _ in range(TRIES):
            for at in missing:
                with contextlib.suppress(BlockingIOError, InterruptedError):
                    senders[codes[at]].send(frames[at])
            left = len(missing)
            while left:
                answers = log.read(PATIENCE)
                if not answers:
                    break
                for number, mark, action in answers:
                    at = start + ((number - start) & 0xFFFF)
                    if at < stop and actions[at] == UNANSWERED:
                        marks[at], actions[at] = mark, action
                        left -= 1
            missing = [at for at in missing if actions[at] == UNANSWERED]
            if not missing:
                break
        silent = silent + 1 if len(missing) == stop - start else 0
        if silent == GIVE_UP:
            break
    return marks, actions


def _load(nft: str, script: bytes) -> None:
    done = subprocess.run([nft, "-f", "-"], input=script, capture_output=True, check=False)
    if done.returncode:
        said = done.stderr.decode("utf-8", "replace").strip().splitlines()
        refuse(f"nft refused the rules: {said[0] if said else f'exit status {done.returncode}'}")


def refuse(why: str) -> NoReturn:
    """End with exit status 3."""
    sys.stderr.write(why + "\n")
    sys.exit(3)


def _exactly(source: BinaryIO, n: int) -> bytes:
    data = source.read(n)
    if len(data) != n:
        refuse("the packets ended too early")
    return data


def main() -> None:
    """Do it all once."""
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, SIGKILL)  # whoever asked is gone: so is the question
    source = sys.stdin.buffer
    order: dict[str, Any] = json.loads(source.readline())
    try:
        _lo_up()
        log = Log(order["group"], order["copy"], order["batch"])
        senders = _senders(order["marks"])
    except OSError as error:
        refuse(f"the kernel does not let us send packets or read its log: {error}")
    for length in order["scripts"]:
        _load(order["nft"], _exactly(source, length))
    for n, size in order["packets"]:
        codes, frames = _exactly(source, n), _exactly(source, n * size)
        marks, actions = ask(log, senders, codes, [frames[at : at + size] for at in range(0, n * size, size)])
        sys.stdout.buffer.write(marks.tobytes() + actions)


if __name__ == "__main__":
    main()
