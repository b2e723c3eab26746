"""Transaction logs of a hive: which entries go on where the hive ends, for regipy to apply.

Windows writes changes to ``HIVE.LOG1`` and ``HIVE.LOG2`` first and to the hive when it has time; since Windows 8.1 a hive copied
from a running or crashed computer is hardly ever complete without them. A log of the new format is a row of entries, each with
a sequence number, hashes and the pages it replaces; entries already written to the hive stay in the file behind it. The old
format (``DIRT``) is a bitmap and pages of 512 bytes.

regipy applies whatever it is given: entries that are older than the hive and undo what came later, and torn ones. It refuses
pages behind the end of the hive. So it is given copies in a folder of their own: of the logs, with nothing in them but the
entries that follow each other from the hive's number and whose hashes (Marvin32 with a fixed seed) are right; and of the hive,
as long as they make it.
"""

import os
import shutil
from collections.abc import Mapping
from io import BytesIO
from itertools import chain
from struct import Struct
from typing import Any, Final, NamedTuple

from pastore.sources.hive_head import BLOCK, BaseBlock, DamageError, base_block, checksum

SEED: Final = 0xC5554E7A884DEF82  # 82 EF 4D 88 7A 4E 55 C5
HEAD_SIZE: Final = 512
_ENTRY_SIZE: Final = 40  # bytes of the head of an entry
_WORD: Final = Struct("<I")
_SPARE: Final = 1 << 24  # bytes a hive may grow by beyond what the logs hold
_OLD_LIMIT: Final = 508  # bytes of the bitmap of an old log; regipy takes the pages to begin at byte 1024 whatever its size


class Applied(NamedTuple):
    """What applying the logs gave.

    Parameters
    ----------
    pages : mapping of str to int
        How many pages were taken, by name of the log; logs that gave none are left out. If it is empty, so is what was done.
    problems : tuple of str
        Why logs, or the rest of them, were not taken.
    """

    pages: Mapping[str, int]
    problems: tuple[str, ...]


class _Entry(NamedTuple):
    log: str
    at: int
    length: int
    sequence: int
    size: int  # bytes of all bins afterwards
    pages: tuple[tuple[int, int], ...]  # offset and size
    body_hash: int
    head_hash: int


def apply(path: str, block: BaseBlock, logs: Mapping[str, str], folder: str) -> Applied:
    """Apply transaction logs to a copy of a hive that was not written completely.

    Parameters
    ----------
    path : str
        Of the copy, which is changed.
    block : BaseBlock
        Of the hive.
    logs : mapping of str to str
        Paths by name: LOG1, LOG2, LOG.
    folder : str
        Where copies of the logs can be written.

    Returns
    -------
    Applied
    """
    problems: list[str] = []
    usable: dict[str, tuple[BaseBlock, bytes]] = {}
    for name, place in logs.items():
        with open(place, "rb") as file:
            log = file.read()
        try:
            head = base_block(log)
        except DamageError:
            if log:  # Windows keeps an empty .LOG beside the two
                problems.append(f"{name} does not begin with a whole base block")
            continue
        if head.is_sound:
            usable[name] = (head, log)
        else:
            problems.append(f"the base block of {name} has a wrong checksum")
    limit = os.path.getsize(path) + sum(len(log) for _, log in usable.values()) + _SPARE
    old = {name: pair for name, pair in usable.items() if pair[1][HEAD_SIZE : HEAD_SIZE + 4] == b"DIRT"}
    new = {name: log for name, (_, log) in usable.items() if name not in old and log[HEAD_SIZE : HEAD_SIZE + 4] == b"HvLE"}
    problems += [f"{name} holds no entries" for name in usable if name not in old and name not in new]
    if new:
        return _apply_new(path, block, new, limit, problems, folder)
    return _apply_old(path, block, old, limit, problems, folder)


def _give(path: str, log: bytes, folder: str) -> None:
    """Have regipy apply a log to a hive."""
    from regipy import recovery

    untyped: Any = recovery
    place, restored = os.path.join(folder, "given"), os.path.join(folder, "restored")
    with open(place, "wb") as file:
        file.write(log)
    untyped.apply_transaction_logs(path, place, restored_hive_path=restored)
    shutil.move(restored, path)


def _prepare(path: str, size: int, head: bytes | None = None) -> None:
    """Make a hive as long as it will be, and give it another base block."""
    with open(path, "r+b") as file:
        if file.seek(0, os.SEEK_END) < BLOCK + size:
            file.truncate(BLOCK + size)
        if head:
            block = bytearray(head)
            _WORD.pack_into(block, 28, 0)
            _WORD.pack_into(block, 508, checksum(block))
            file.seek(0)
            file.write(block)


# The new format


def _apply_new(path: str, block: BaseBlock, logs: Mapping[str, bytes], limit: int, problems: list[str], folder: str) -> Applied:
    rows = {name: _entries(name, log) for name, log in logs.items()}
    head = None
    wanted = block.secondary
    if not block.is_sound:
        firsts = [row[0] for row in rows.values() if row]
        if not firsts:
            return Applied({}, (*problems, "no entry of the logs is whole"))
        # The base block is taken from the log whose entries come first; they are all as new as it.
        first = min(firsts, key=lambda entry: entry.sequence)
        wanted, head = first.sequence, logs[first.log][:HEAD_SIZE]
    waiting: dict[int, _Entry] = {}
    for entry in chain.from_iterable(rows.values()):
        waiting.setdefault(entry.sequence, entry)
    if wanted not in waiting:
        problems.append(f"the logs hold no entry {wanted}, which would be the next")
    taken: list[_Entry] = []
    while wanted in waiting:
        entry = waiting[wanted]
        trouble = _trouble(entry, logs[entry.log], limit)
        if trouble:
            problems.append(f"entry {wanted} of {entry.log} is not sound ({trouble}, at byte {entry.at:#x})")
            break
        taken.append(entry)
        wanted += 1
    pages: dict[str, int] = {}
    if taken:
        _prepare(path, max(entry.size for entry in taken), head)
        given = b"".join(logs[entry.log][entry.at : entry.at + entry.length] for entry in taken)
        _give(path, logs[taken[0].log][:HEAD_SIZE] + given, folder)
        for entry in taken:
            pages[entry.log] = pages.get(entry.log, 0) + len(entry.pages)
    return Applied(pages, tuple(problems))


def _entries(name: str, log: bytes) -> list[_Entry]:
    """Return the entries of a log, up to the first that cannot be one."""
    from regipy.structs import TRANSACTION_LOG

    found = []
    at = HEAD_SIZE
    while at + _ENTRY_SIZE <= len(log):
        stream = BytesIO(log)
        stream.seek(at)
        try:
            head = TRANSACTION_LOG.parse_stream(stream)
        except Exception:  # noqa: BLE001 - construct's errors have no common meaning but that this is no entry
            break
        if head.log_size < _ENTRY_SIZE or head.log_size % 512 or at + head.log_size > len(log):
            break
        pages = tuple((page.offset, page.size) for page in head.dirty_pages_references)
        numbers = (head.sequence_number, head.hive_bin_size, pages, head.hash_1, head.hash_2)
        found.append(_Entry(name, at, head.log_size, *numbers))
        at += head.log_size
    return found


def _trouble(entry: _Entry, log: bytes, limit: int) -> str:
    """Return why an entry is not to be applied."""
    if entry.size % BLOCK or BLOCK + entry.size > limit:
        return "it gives the hive an impossible size"
    if marvin32(log[entry.at : entry.at + 32]) != entry.head_hash:
        return "the hash of its head is wrong"
    if marvin32(log[entry.at + _ENTRY_SIZE : entry.at + entry.length]) != entry.body_hash:
        return "the hash of its pages is wrong"
    if _ENTRY_SIZE + 8 * len(entry.pages) + sum(size for _, size in entry.pages) > entry.length:
        return "its pages do not fit into it"
    if any(offset + size > entry.size for offset, size in entry.pages):
        return "a page is outside of the hive"
    return ""


def marvin32(data: bytes, seed: int = SEED) -> int:
    """Return the Marvin32 hash of some bytes, 64 bits."""
    mask = 0xFFFFFFFF
    low, high = seed & mask, seed >> 32
    whole = len(data) & ~3
    last = (int.from_bytes(data[whole:] + b"\x80", "little"),), (0,)
    for (word,) in chain(_WORD.iter_unpack(data[:whole]), last):
        low = (low + word) & mask
        high ^= low
        low = ((low << 20 | low >> 12) + high) & mask
        high = (high << 9 | high >> 23) & mask ^ low
        low = ((low << 27 | low >> 5) + high) & mask
        high = (high << 19 | high >> 13) & mask
    return low ^ high << 32


# The old format


def _apply_old(
    path: str, block: BaseBlock, logs: Mapping[str, tuple[BaseBlock, bytes]], limit: int, problems: list[str], folder: str
) -> Applied:
    for name, (head, log) in logs.items():
        bitmap = log[HEAD_SIZE + 4 : HEAD_SIZE + 4 + head.size // BLOCK]
        pages = sum(byte.bit_count() for byte in bitmap)
        if head.primary != head.secondary:
            problems.append(f"{name} was not written completely itself")
        elif block.is_sound and head.written != block.written:
            problems.append(f"{name} belongs to another state of the hive")
        elif head.size % BLOCK or BLOCK + head.size > limit:
            problems.append(f"{name} gives the hive an impossible size")
        elif head.size // BLOCK > _OLD_LIMIT:
            most = _OLD_LIMIT * BLOCK
            problems.append(f"{name} is of the old format, which is read for hives of at most {most} bytes, not {head.size}")
        elif len(bitmap) < head.size // BLOCK or len(log) < 2 * HEAD_SIZE + 512 * pages:
            problems.append(f"{name} ends before its last page")
        else:
            _prepare(path, head.size, log[:HEAD_SIZE])
            _give(path, log, folder)
            return Applied({name: pages}, tuple(problems))
    return Applied({}, tuple(problems))
