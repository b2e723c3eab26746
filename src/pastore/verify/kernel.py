"""The kernel's own packet filter as a judge of the same packets by the same rows.

A fresh network namespace holds the whole experiment and takes it along when it ends: no rule and no packet touches the machine's
network. Root needs nothing else; others need a kernel that lets users have namespaces of their own.
"""

import json
import os
import shutil
import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

from pastore.filters.specific import SpecificFilters
from pastore.packets.batch import PacketBatch, Selection
from pastore.verify.frames import EXTENSION_HEADERS, frames, judgeable
from pastore.verify.inside import UNANSWERED as UNANSWERED
from pastore.verify.ruleset import LOG_BATCH, LOG_COPY, LOG_GROUP, NO_ROW, OUT_BIT, RAS_BIT, SENT, ruleset

_INSIDE: Final = Path(__file__).with_name("inside.py")
_SBIN: Final = "/usr/sbin:/sbin"  # not on the PATH of ordinary users, who may run nft all the same
LEFT_OUT: Final = f"IPv6 protocols that the kernel takes for extension headers ({', '.join(map(str, EXTENSION_HEADERS))})"


class KernelUnavailableError(Exception):
    """The kernel cannot be asked on this machine; the message says why.

    Parameters
    ----------
    message : str
    platform : bool
        Whether it is the platform that does not have or permit it, so that nothing can be installed to change that.
    """

    def __init__(self, message: str, *, platform: bool = False) -> None:
        super().__init__(message)
        self.platform = platform


class Answers(NamedTuple):
    """What the kernel said.

    Parameters
    ----------
    action : numpy.ndarray of uint8, shape (n,)
        0 none, 1 allow, 2 block, 3 protect; 255 where there is no answer.
    row : numpy.ndarray of int32, shape (n,)
        Row that decided, -1 for none and where there is no answer.
    asked : numpy.ndarray of bool, shape (n,)
        False where the packet was left out.
    left_out : dict of str to int
        Packets that the kernel cannot take for what they are, by reason.
    """

    action: npt.NDArray[np.uint8]
    row: npt.NDArray[np.int32]
    asked: npt.NDArray[np.bool_]
    left_out: dict[str, int]

    @property
    def unanswered(self) -> int:
        """How many packets were sent and never seen again."""
        return int((self.asked & (self.action == UNANSWERED)).sum())


def judge(filters: SpecificFilters, packets: PacketBatch) -> Answers:
    """Let the kernel judge packets by rows.

    Parameters
    ----------
    filters : SpecificFilters
    packets : PacketBatch
        With directions and interface types.

    Raises
    ------
    KernelUnavailableError
        If it cannot be asked.
    """
    asked = np.ones(len(packets), bool)
    chosen, parts = [], []
    for family in (4, 6):
        of_family = packets.select(family)
        fit = judgeable(family, of_family.protocol)
        asked[of_family.index[~fit]] = False
        sent = _only(of_family, fit)
        chosen.append(sent.index)
        codes = sent.direction * OUT_BIT | sent.interface * RAS_BIT
        parts.append((codes.astype(np.uint8), frames(family, sent)))
    done = _run(filters, parts)
    action, row = np.full(len(packets), UNANSWERED, np.uint8), np.full(len(packets), -1, np.int32)
    at = 0
    for where in chosen:
        mark = np.frombuffer(done, np.uint32, len(where), at).astype(np.int64)
        action[where] = np.frombuffer(done, np.uint8, len(where), at + 4 * len(where))
        # A mark that is no row is as good as no answer.
        action[where[(mark != NO_ROW) & (mark >= len(filters))]] = UNANSWERED
        row[where] = np.where(mark < len(filters), mark, -1)
        at += 5 * len(where)
    row[action == UNANSWERED] = -1
    count = int((~asked).sum())
    return Answers(action, row, asked, {LEFT_OUT: count} if count else {})


def _only(packets: Selection, fit: npt.NDArray[np.bool_]) -> Selection:
    return Selection(
        packets.index[fit],
        packets.src[fit],
        packets.dst[fit],
        packets.protocol[fit],
        packets.sport[fit],
        packets.dport[fit],
        packets.direction[fit],
        packets.interface[fit],
    )


def _run(filters: SpecificFilters, parts: list[tuple[npt.NDArray[np.uint8], npt.NDArray[np.uint8]]]) -> bytes:
    """Return what the program in the namespace answers."""
    nft, (*namespace, options, end) = _nft(), namespace_command()
    # An unprivileged user's netlink messages are bounded by net.core.wmem_max.
    sizes = (5000, 100) if options == "-n" else (100,)
    for size in sizes:
        scripts = [script.encode() for script in ruleset(filters, rules_a_script=size)]
        order = {
            "nft": nft,
            "scripts": [len(script) for script in scripts],
            "marks": [SENT | code for code in range(4)],
            "packets": [frame.shape for _, frame in parts],
            "group": LOG_GROUP,
            "copy": LOG_COPY,
            "batch": LOG_BATCH,
        }
        request = b"".join([json.dumps(order).encode(), b"\n", *scripts, *(array.tobytes() for pair in parts for array in pair)])
        # -I: nothing of this environment changes what the program imports.
        command = [*namespace, options, end, sys.executable, "-I", str(_INSIDE)]
        done = subprocess.run(command, input=request, capture_output=True, check=False)
        if done.returncode == 0:
            return done.stdout
        said = done.stderr.decode("utf-8", "replace").strip().splitlines()
        why = said[-1] if said else f"the program in the namespace ended with status {done.returncode}"
        if "Message too long" not in why:
            break
    raise KernelUnavailableError(why)


def _nft() -> str:
    if not sys.platform.startswith("linux"):
        raise KernelUnavailableError("nftables is part of Linux, and this is another system", platform=True)
    nft = shutil.which("nft", path=f"{os.environ.get('PATH', os.defpath)}:{_SBIN}")
    if nft is None:
        raise KernelUnavailableError("nft is not installed (Debian: apt-get install nftables)")
    return nft


@cache
def namespace_command() -> tuple[str, ...]:
    """Return how to start a program in a network namespace of its own.

    Raises
    ------
    KernelUnavailableError
        If neither root's way nor the unprivileged one is permitted.
    """
    unshare = shutil.which("unshare")
    if unshare is None:
        raise KernelUnavailableError("unshare is not installed (Debian: apt-get install util-linux)")
    said = ""
    for options in ("-n", "-rn"):
        command = (unshare, options, "--")
        done = subprocess.run([*command, "true"], capture_output=True, text=True, check=False)
        if done.returncode == 0:
            return command
        said = said or done.stderr.strip().rpartition(": ")[2]
    who = "root here" if os.geteuid() == 0 else "this user"
    raise KernelUnavailableError(f"{who} may not make a network namespace ({said or 'no reason given'})", platform=True)
