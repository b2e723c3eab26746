"""Registry hives: the IPsec keys of a SOFTWARE or SYSTEM hive, or of a part of one that ``reg save`` wrote.

Hives are read by regipy, in a process of its own that `pastore.sources.hive_reader` starts. Only the way to these keys is read
and what is below them. Keys are named as in a running registry, whatever the hive's root is. A hive that was not written
completely is read with its transaction logs, which are applied to a copy; the files are only ever opened for reading. Deleted
keys and values are not looked for.

Messages name keys and values but never quote data: a rule's ipsecData holds pre-shared keys in clear text.
"""

import os
import shutil
import tempfile
from collections.abc import Callable, Iterable, Mapping
from typing import Final

from pastore.findings import Finding
from pastore.model import Origin
from pastore.sources import hive_reader
from pastore.sources.hive_head import LOG_TYPES, BaseBlock, DamageError, base_block
from pastore.sources.hive_keys import Record
from pastore.sources.hive_reader import Request, limits
from pastore.sources.log import FindingLog, quoted
from pastore.sources.reading import STDIN, SourceError, read_bytes
from pastore.sources.registry import Key, Value, decode

LOG_LIMIT: Final = 1 << 28  # bytes of one transaction log


def read(data: bytes, source: str, logs: Mapping[str, bytes] | None = None) -> tuple[Key, tuple[Finding, ...]]:
    """Read a hive into a registry tree.

    Parameters
    ----------
    data : bytes
    source : str
        The file as the user named it, for findings.
    logs : mapping of str to bytes, optional
        Its transaction logs by name; they are used only if the hive is dirty.

    Returns
    -------
    root : Key
        Of the tree; it holds the IPsec keys alone, below HKEY_LOCAL_MACHINE.
    findings : tuple of Finding
        PA112 and PA113 as for other registry sources, PA114 damage, PA115 a hive that was not written completely and whose logs
        do not mend that, PA116 logs that were applied.

    Raises
    ------
    SourceError
        If no process can be started or no temporary file be written.
    """
    block = _block(data, source)
    if isinstance(block, Finding):
        return Key(), (block,)
    wanted = logs if logs and block.is_dirty else {}
    return _run(block, len(data), lambda folder: _put(folder, "hive", data), source, wanted)


def read_with_logs(data: bytes, path: str) -> tuple[Key, tuple[Finding, ...]]:
    """Read a hive whose transaction logs, where they are needed, lie beside the file its bytes came from.

    Parameters
    ----------
    data : bytes
    path : str
        As the user named it; ``-`` for standard input, which has nothing beside it.
    """
    if path == STDIN or not is_dirty(data):
        return read(data, path)
    logs, problems = logs_beside(path)
    return _with_problems(problems, path, read(data, path, logs))


def read_file(path: str) -> tuple[Key, tuple[Finding, ...]]:
    """Read a hive where it lies, with the transaction logs beside it where they are needed.

    The child process maps the file itself; only one that logs are applied to is copied, and not through this process.

    Parameters
    ----------
    path : str
        Of a regular file that begins as a hive does, as the user named it.

    Returns
    -------
    root, findings
        As of `read`.

    Raises
    ------
    SourceError
        If it cannot be read, no process can be started or no temporary file be written.
    """
    try:
        with open(path, "rb") as file:
            head, size = file.read(512), os.fstat(file.fileno()).st_size
    except OSError as error:
        raise SourceError(error.strerror or str(error)) from None
    block = _block(head, path)
    if isinstance(block, Finding):
        return Key(), (block,)
    logs, problems = logs_beside(path) if block.is_dirty else ({}, [])
    place = os.path.abspath(path)

    def lay(folder: str) -> str:
        return shutil.copyfile(place, os.path.join(folder, "hive")) if logs else place

    return _with_problems(problems, path, _run(block, size, lay, path, logs))


def _block(data: bytes, source: str) -> BaseBlock | Finding:
    """Return the base block, or the finding that there is none of a hive."""
    try:
        block = base_block(data)
    except DamageError as damage:
        return Finding("PA114", str(damage), Origin(source))
    if block.kind in LOG_TYPES:
        return Finding("PA114", "this is a transaction log of a hive and not a hive", Origin(source))
    return block


def _run(
    block: BaseBlock, size: int, lay: Callable[[str], str], source: str, logs: Mapping[str, bytes]
) -> tuple[Key, tuple[Finding, ...]]:
    """Have a child read a hive; `lay` is given a folder and returns where it is."""
    try:
        # For the owner alone, as what it holds may be secret.
        with tempfile.TemporaryDirectory(prefix="pastore-", ignore_cleanup_errors=True) as folder:
            place = lay(folder)
            places = {name: _put(folder, f"log{n}", log) for n, (name, log) in enumerate(logs.items())}
            most = limits(size, sum(map(len, logs.values())))
            records, trouble = hive_reader.run(Request(place, places, folder, False, most))
            return tree(records, source, block, trouble)
    except OSError as error:
        raise SourceError(f"a hive is read in a process of its own, which failed: {error.strerror or error}") from None


def _with_problems(problems: Iterable[str], path: str, got: tuple[Key, tuple[Finding, ...]]) -> tuple[Key, tuple[Finding, ...]]:
    root, findings = got
    return root, (*(Finding("PA115", problem, Origin(path)) for problem in problems), *findings)


def tree(records: Iterable[Record], source: str, block: BaseBlock, trouble: str = "") -> tuple[Key, tuple[Finding, ...]]:
    """Make a registry tree of what was read from a hive.

    Parameters
    ----------
    records : iterable of Record
        As `pastore.sources.hive_reader.records` yields them.
    source : str
    block : BaseBlock
        Of the hive as it was found.
    trouble : str
        What stopped the reading from outside.

    Returns
    -------
    root, findings
        As of `read`.
    """
    log = FindingLog(source)
    root = Key()
    keys: list[Key] = []
    stops: list[str] = []
    is_whole = is_applied = False
    for kind, *fields in records:
        if kind == "key":
            key = root
            for name in fields[0]:
                key = key.children.setdefault(name.lower(), Key(name, key))
            key.written = fields[1]
            keys.append(key)
        elif kind == "below":
            above, name, written = fields
            key = keys[above].children[name.lower()] = Key(name, keys[above], written=written)
            keys.append(key)
        elif kind == "value":
            _put_value(log, keys[fields[0]], *fields[1:])
        elif kind == "damage":
            log.add("PA114", fields[1], locator=fields[0])
        elif kind == "applied":
            is_applied = True
            _tell_logs(log, block, *fields)
        elif kind == "stop":
            stops.append(fields[0])
        is_whole = kind == "end"
    if block.is_dirty and not is_applied:
        what = "reading ended before its logs were applied" if trouble else "there is no transaction log"
        log.add("PA115", f"{_why_dirty(block)} and {what}; the latest changes may be missing")
    if not is_whole or trouble:
        where = f", in {quoted(keys[-1].path)} or later" if keys else ""
        stops.append(f"{trouble or 'reading ended early'}; {len(keys)} keys were read until then{where}")
    # Last, and whatever the number of findings before them.
    return root, (*log.findings(), *(Finding("PA114", stop, Origin(source)) for stop in stops))


def _put(folder: str, name: str, data: bytes) -> str:
    path = os.path.join(folder, name)
    with open(path, "wb") as file:
        file.write(data)
    return path


def _put_value(log: FindingLog, key: Key, name: str, kind: int, data: str, is_cut: bool) -> None:
    decoded = decode(kind, bytes.fromhex(data), cut=is_cut)
    for code, text in decoded.problems:
        log.add(code, f"{quoted(name) if name else 'the default value'}: {text}", locator=key.path)
    if decoded.data is not None:
        key.put(Value(name, kind, decoded.data))


def _why_dirty(block: BaseBlock) -> str:
    why = f"its sequence numbers are {block.primary} and {block.secondary}" if block.is_sound else "its checksum is wrong"
    return f"the hive was not written completely ({why})"


def _tell_logs(log: FindingLog, block: BaseBlock, pages: Mapping[str, int], problems: list[str]) -> None:
    why = _why_dirty(block)
    if pages:
        taken = " and ".join(f"{n} page{'' if n == 1 else 's'} of {name}" for name, n in pages.items())
        log.add("PA116", f"{why}; {taken} were applied to a copy")
    if not pages or any("entry" in problem for problem in problems):
        trouble = "; ".join(problems) or "the logs hold nothing for it"
        rest = "the rest of its logs was not applied" if pages else f"{why} and its logs could not be applied"
        log.add("PA115", f"{rest}: {trouble}; the latest changes may be missing")


def is_dirty(data: bytes) -> bool:
    """Whether a hive was not written completely, so that its logs are needed."""
    try:
        return base_block(data).is_dirty
    except DamageError:
        return False


def logs_beside(path: str) -> tuple[dict[str, bytes], list[str]]:
    """Read the transaction logs beside a hive.

    Parameters
    ----------
    path : str
        Of the hive; the logs have its name with .LOG1, .LOG2 or .LOG behind it, in capitals or not.

    Returns
    -------
    logs : dict of str to bytes
        By name, in the order Windows uses them.
    problems : list of str
        Why one could not be read.
    """
    folder, name = os.path.split(path)
    wanted = [f"{name}{ending}".lower() for ending in (".LOG1", ".LOG2", ".LOG")]
    try:
        names = {each.lower(): each for each in os.listdir(folder or ".") if each.lower() in wanted}
    except OSError as error:
        return {}, [f"the folder cannot be listed: {error.strerror}"]
    logs: dict[str, bytes] = {}
    problems: list[str] = []
    for each in (names[lower] for lower in wanted if lower in names):
        try:
            logs[each] = read_bytes(os.path.join(folder, each), LOG_LIMIT)
        except SourceError as error:
            problems.append(f"{each} cannot be read: {error}")
    return logs, problems


def is_system(path: str) -> bool:
    """Whether a file is a hive with control sets at its root, as far as it is not damaged there."""
    try:
        with open(path, "rb") as file:
            if base_block(file.read(512)).kind in LOG_TYPES:
                return False
        with tempfile.TemporaryDirectory(prefix="pastore-", ignore_cleanup_errors=True) as folder:
            most = limits(os.path.getsize(path))
            records, _ = hive_reader.run(Request(os.path.abspath(path), {}, folder, True, most))
            return ["system", True] in records
    except (OSError, DamageError):
        return False
