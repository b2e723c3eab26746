"""The child process that reads a hive with regipy, and how it is started.

regipy trusts what it reads. A hive made to hang it or to fill the memory shall end neither pastore nor the computer, so it runs
in a process of its own, with limits on time, memory and written files that grow with the hive. The parent gives it a request as
JSON (`Request`); it writes records (`pastore.sources.hive_keys`), one JSON array a line, into a file. The last one says that it
came to its end, so whatever stops it, the parent knows, and has what was read until then.
"""

import json
import logging
import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from mmap import ACCESS_READ, mmap
from pathlib import Path
from typing import Any, Final, NamedTuple

from pastore.sources import hive_keys, hive_logs
from pastore.sources.hive_head import BaseBlock, Buffer, DamageError, base_block
from pastore.sources.hive_keys import Record

_MIB: Final = 1 << 20
_SECONDS: Final = (20, 2, 600)  # at least, for each MiB, at most
# Modules are found where the parent finds them, and not (-P, and no empty name) in the folder it happens to be in.
_BOOT: Final = (
    "import json, sys; sys.path[:] = json.loads(sys.argv[1])\nfrom pastore.sources.hive_reader import main; main(sys.argv[2])"
)


class Limits(NamedTuple):
    """What a child may use.

    Parameters
    ----------
    seconds : int
        Of the processor, and on the wall.
    memory, written : int
        Bytes of address space, and of any file that it writes.
    """

    seconds: int
    memory: int
    written: int


class Request(NamedTuple):
    """What a child is to do.

    Parameters
    ----------
    hive : str
        Path of the hive; of a copy where logs are given.
    logs : mapping of str to str
        Paths of the transaction logs, by the names they have for the user.
    folder : str
        For what is written.
    system : bool
        Whether it is only asked if this is a SYSTEM hive.
    limits : Limits
    """

    hive: str
    logs: Mapping[str, str]
    folder: str
    system: bool
    limits: Limits


def limits(size: int, logs: int = 0) -> Limits:
    """Return the limits for a hive.

    Parameters
    ----------
    size, logs : int
        Bytes of the hive and of all its logs.
    """
    least, more, most = _SECONDS
    seconds = min(most, least + more * (size + logs) // _MIB)
    # regipy's recovery holds the hive several times; reading maps it.
    memory = 512 * _MIB + (8 * (size + logs) if logs else 2 * size)
    return Limits(seconds, memory, 64 * _MIB + 8 * (size + logs))


def run(request: Request) -> tuple[Iterator[Record], str]:
    """Run a child.

    Returns
    -------
    records : iterator of Record
        What it wrote, read from its file as they are asked for.
    trouble : str
        What stopped it before its end; empty if nothing did.

    Raises
    ------
    OSError
        If it cannot be started.
    """
    order, out = Path(request.folder, "request"), Path(request.folder, "records")
    order.write_text(json.dumps(request), encoding="ascii")
    out.touch()
    places = json.dumps([os.path.abspath(place) for place in sys.path if place])
    command = [sys.executable, "-P", "-c", _BOOT, places, str(order)]
    silent = subprocess.DEVNULL
    # Its own words are not shown: regipy's messages quote data.
    child = subprocess.Popen(command, stdin=silent, stdout=silent, stderr=silent, cwd=request.folder)
    try:
        status = child.wait(request.limits.seconds)
        trouble = "" if status == 0 else _ending(status, request.limits)
    except subprocess.TimeoutExpired:
        trouble = f"reading took more than {request.limits.seconds} seconds and was ended"
    finally:
        child.kill()
        child.wait()
    return _written(out), trouble


def _ending(status: int, limits: Limits) -> str:
    if sys.platform != "win32":
        import signal

        if status in (-signal.SIGXCPU, -signal.SIGKILL):
            return f"reading took more than {limits.seconds} seconds and was ended"
        if status < 0:
            return f"reading was ended by signal {-status}"
    return f"reading ended with status {status}"


def _written(out: Path) -> Iterator[Record]:
    with out.open(encoding="ascii", errors="replace") as file:
        for line in file:
            if not line.endswith("\n"):  # the child was ended in the middle of it
                return
            yield json.loads(line)


# In the child


def main(order: str) -> None:
    """Do what a request says."""
    hive, logs, folder, system, limits = json.loads(Path(order).read_text(encoding="ascii"))
    _limit(Limits(*limits))
    with open(os.path.join(folder, "records"), "w", encoding="ascii") as out:
        for record in records(Request(hive, logs, folder, system, Limits(*limits))):
            out.write(json.dumps(record) + "\n")


def _limit(limits: Limits) -> None:
    """Take away what the process shall not use, where the system knows such limits."""
    try:
        import resource
    except ImportError:  # Windows: there is the limit on the wall, which the parent keeps
        return
    wanted = {
        resource.RLIMIT_CPU: limits.seconds,
        resource.RLIMIT_AS: limits.memory,
        resource.RLIMIT_FSIZE: limits.written,
        resource.RLIMIT_CORE: 0,
    }
    for which, limit in wanted.items():
        hard = resource.getrlimit(which)[1]
        resource.setrlimit(which, (limit if hard == resource.RLIM_INFINITY else min(limit, hard), hard))


def records(request: Request) -> Iterator[Record]:
    """Yield the records of a hive, in whichever process.

    Beside those of `pastore.sources.hive_keys` there are ``["applied", PAGES, PROBLEMS]`` after logs were looked at, as in
    `pastore.sources.hive_logs.Applied`; ``["system", YES]``; ``["stop", MESSAGE]``, which says why the end was not reached; and
    ``["end"]``, the last one.
    """
    logging.getLogger("regipy").setLevel(logging.CRITICAL + 1)  # what it says quotes data
    try:
        if request.logs:
            yield from guarded(lambda: _apply(request))
        with open(request.hive, "rb") as file, mmap(file.fileno(), 0, access=ACCESS_READ) as data:
            if request.system:
                yield ["system", hive_keys.has_control_sets(data, base_block(data))]
            else:
                yield from keys(data, base_block(data))
    except (OSError, ValueError) as error:  # ValueError: an empty file
        yield ["stop", f"the hive cannot be read: {getattr(error, 'strerror', None) or error}"]
    except DamageError as damage:
        yield ["stop", str(damage)]
    yield ["end"]


def keys(data: Buffer, block: BaseBlock) -> Iterator[Record]:
    """Yield the records of the IPsec keys of a hive whose logs need no more thought, and ``stop`` if the end is not reached."""
    yield from guarded(lambda: hive_keys.ipsec_keys(data, block))


def guarded(source: Callable[[], Iterator[Record]]) -> Iterator[Record]:
    """Yield records up to whatever error; it becomes a record itself."""
    try:
        yield from source()
    except DamageError as damage:
        yield ["stop", str(damage)]
    except MemoryError:
        yield ["stop", "reading took more memory than a hive of its size may"]
    except Exception as error:  # noqa: BLE001 - whatever regipy and construct make of damage; what it says may quote data
        yield ["stop", f"regipy gave up: {type(error).__name__}"]


def _apply(request: Request) -> Iterator[Record]:
    with open(request.hive, "rb") as file:
        block = base_block(file.read(512))
    try:
        applied: Any = hive_logs.apply(request.hive, block, request.logs, request.folder)
        yield ["applied", dict(applied.pages), list(applied.problems)]
    except MemoryError:
        yield ["applied", {}, ["applying the logs took more memory than they may"]]
    except Exception as error:  # noqa: BLE001 - whatever regipy makes of damage
        yield ["applied", {}, [f"regipy gave up: {type(error).__name__}"]]
