"""Transaction logs of a hive, applied in memory.

Windows writes changes to ``HIVE.LOG1`` and ``HIVE.LOG2`` first and to the hive when it has time; since Windows 8.1 a hive copied
from a running or crashed computer is hardly ever complete without them. A log of the new format is a row of entries, each with
a sequence number, hashes and the pages it replaces; entries already written to the hive stay in the file behind it, so only
those that follow each other from the hive's own number may be taken. The old format (``DIRT``) is a bitmap and pages of 512
bytes.

The hashes are Marvin32 with a fixed seed. What the files say is checked before it is believed, as in `pastore.sources.regf`.
"""

from collections.abc import Mapping
from itertools import chain
from struct import Struct
from typing import Final, NamedTuple

from pastore.sources.regf import BLOCK, BaseBlock, DamageError, base_block, checksum

SEED: Final = 0xC5554E7A884DEF82  # 82 EF 4D 88 7A 4E 55 C5
_HEAD_SIZE: Final = 512
_ENTRY: Final = Struct("<4sIIIIIQQ")
_PAGE: Final = Struct("<II")
_WORD: Final = Struct("<I")
_SPARE: Final = 1 << 24  # bytes a hive may grow by beyond what the logs hold


class Applied(NamedTuple):
    """What applying the logs gave.

    Parameters
    ----------
    data : bytearray
        The hive as it would be; its base block is up to date.
    pages : mapping of str to int
        How many pages were taken, by name of the log; logs that gave none are left out.
    problems : tuple of str
        Why logs, or the rest of them, were not taken.
    """

    data: bytearray
    pages: Mapping[str, int]
    problems: tuple[str, ...]


class _Entry(NamedTuple):
    log: str
    sequence: int
    flags: int
    size: int  # bytes of all bins afterwards
    pages: tuple[tuple[int, memoryview], ...]


def apply(data: bytes, block: BaseBlock, logs: Mapping[str, bytes]) -> Applied:
    """Apply transaction logs to a hive that was not written completely.

    Parameters
    ----------
    data : bytes
        The hive; it is not changed.
    block : BaseBlock
        Of the hive.
    logs : mapping of str to bytes
        By name: LOG1, LOG2, LOG.

    Returns
    -------
    Applied
    """
    hive = bytearray(data)
    problems: list[str] = []
    usable: dict[str, tuple[BaseBlock, bytes]] = {}
    for name, log in logs.items():
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
    limit = len(data) + sum(map(len, logs.values())) + _SPARE
    old = {name: pair for name, pair in usable.items() if pair[1][_HEAD_SIZE : _HEAD_SIZE + 4] == b"DIRT"}
    new = {name: log for name, (_, log) in usable.items() if name not in old and log[_HEAD_SIZE : _HEAD_SIZE + 4] == b"HvLE"}
    problems += [f"{name} holds no entries" for name in usable if name not in old and name not in new]
    if new:
        return _apply_new(hive, block, {name: (usable[name][0], log) for name, log in new.items()}, limit, problems)
    return _apply_old(hive, block, old, limit, problems)


# The new format


def _apply_new(
    hive: bytearray, block: BaseBlock, logs: Mapping[str, tuple[BaseBlock, bytes]], limit: int, problems: list[str]
) -> Applied:
    heads = [_headers(name, log) for name, (_, log) in logs.items()]
    if block.is_sound:
        wanted = block.secondary
    else:
        firsts = [row[0].sequence for row in heads if row]
        if not firsts:
            return Applied(hive, {}, (*problems, "no entry of the logs is whole"))
        # The base block is taken from the log whose entries come first; they are all as new as it.
        wanted = min(firsts)
        name = next(row[0].log for row in heads if row and row[0].sequence == wanted)
        hive[:_HEAD_SIZE] = logs[name][1][:_HEAD_SIZE]
        _WORD.pack_into(hive, 28, 0)
    waiting: dict[int, _Header] = {}
    for header in (header for row in heads for header in row):
        waiting.setdefault(header.sequence, header)
    pages: dict[str, int] = {}
    first = wanted
    while wanted in waiting:
        header = waiting[wanted]
        try:
            entry = _entry(header, logs[header.log][1], limit)
        except DamageError as damage:
            problems.append(f"entry {wanted} of {header.log} is not sound ({damage})")
            break
        if entry.size > len(hive) - BLOCK:
            hive.extend(bytes(BLOCK + entry.size - len(hive)))
        for offset, page in entry.pages:
            hive[BLOCK + offset : BLOCK + offset + len(page)] = page
        pages[entry.log] = pages.get(entry.log, 0) + len(entry.pages)
        _set_head(hive, entry.sequence, entry.size, entry.flags)
        wanted += 1
    if first not in waiting:
        problems.append(f"the logs hold no entry {first}, which would be the next")
    return Applied(hive, pages, tuple(problems))


class _Header(NamedTuple):
    log: str
    at: int
    length: int
    flags: int
    sequence: int
    size: int
    pages: int
    body_hash: int
    head_hash: int


def _headers(name: str, log: bytes) -> list[_Header]:
    """Return the heads of the entries of a log, up to the first that cannot be one."""
    found = []
    at = _HEAD_SIZE
    while at + _ENTRY.size <= len(log):
        magic, length, flags, sequence, size, pages, body, head = _ENTRY.unpack_from(log, at)
        if magic != b"HvLE" or length < _ENTRY.size or length % 512 or at + length > len(log):
            break
        found.append(_Header(name, at, length, flags, sequence, size, pages, body, head))
        at += length
    return found


def _entry(header: _Header, log: bytes, limit: int) -> _Entry:
    """Check an entry and return its pages.

    Raises
    ------
    DamageError
    """
    at = header.at
    if header.size % BLOCK or BLOCK + header.size > limit:
        raise DamageError("it gives the hive an impossible size", at)
    if marvin32(log[at : at + 32]) != header.head_hash:
        raise DamageError("the hash of its head is wrong", at)
    if marvin32(log[at + _ENTRY.size : at + header.length]) != header.body_hash:
        raise DamageError("the hash of its pages is wrong", at)
    place, end = at + _ENTRY.size + header.pages * _PAGE.size, at + header.length
    if place > end:
        raise DamageError("its pages do not fit into it", at)
    view = memoryview(log)
    pages = []
    for n in range(header.pages):
        offset, size = _PAGE.unpack_from(log, at + _ENTRY.size + n * _PAGE.size)
        if place + size > end or offset + size > header.size:
            raise DamageError("a page is outside of the entry or of the hive", at)
        pages.append((offset, view[place : place + size]))
        place += size
    return _Entry(header.log, header.sequence, header.flags, header.size, tuple(pages))


def _set_head(hive: bytearray, sequence: int, size: int, flags: int) -> None:
    for place, number in ((4, sequence), (8, sequence), (40, size), (144, flags)):
        _WORD.pack_into(hive, place, number)
    _WORD.pack_into(hive, 508, checksum(hive))


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
    hive: bytearray, block: BaseBlock, logs: Mapping[str, tuple[BaseBlock, bytes]], limit: int, problems: list[str]
) -> Applied:
    for name, (head, log) in logs.items():
        if head.primary != head.secondary:
            problems.append(f"{name} was not written completely itself")
        elif block.is_sound and head.written != block.written:
            problems.append(f"{name} belongs to another state of the hive")
        elif head.size % BLOCK or BLOCK + head.size > limit:
            problems.append(f"{name} gives the hive an impossible size")
        else:
            pages = _dirty_pages(log, head.size)
            if pages is None:
                problems.append(f"{name} ends before its last page")
                continue
            if head.size > len(hive) - BLOCK:
                hive.extend(bytes(BLOCK + head.size - len(hive)))
            for offset, page in pages:
                hive[BLOCK + offset : BLOCK + offset + len(page)] = page
            hive[:_HEAD_SIZE] = log[:_HEAD_SIZE]
            _WORD.pack_into(hive, 28, 0)
            _WORD.pack_into(hive, 508, checksum(hive))
            return Applied(hive, {name: len(pages)}, tuple(problems))
    return Applied(hive, {}, tuple(problems))


def _dirty_pages(log: bytes, size: int) -> list[tuple[int, bytes]] | None:
    start = _HEAD_SIZE + 4
    bitmap = log[start : start + size // BLOCK]
    if len(bitmap) < size // BLOCK:
        return None
    place = -(-(start + len(bitmap)) // 512) * 512
    pages = []
    for number, byte in enumerate(bitmap):
        if not byte:
            continue
        for bit in range(8):
            if byte >> bit & 1:
                page = log[place : place + 512]
                if len(page) < 512:
                    return None
                pages.append(((number * 8 + bit) * 512, page))
                place += 512
    return pages
