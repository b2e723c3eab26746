"""The registry's file format (regf): base block, cells, keys and values, straight from the bytes.

Offsets inside a hive count from the first bin, 4096 bytes into the file; those in messages count from the start of the file. A
hive may be damaged on purpose, so nothing is believed: every structure must lie in an allocated cell inside the file, a cell
serves once (no two parents, no cycles), and all reading together is charged to a budget that grows with the file and that an
honest hive, whose structures do not overlap, cannot use up. What breaks a rule is a `DamageError`, told to the caller, and the
rest goes on being read.

The format is not published by Microsoft; the description used is Maxim Suhanov's "Windows registry file format specification".
"""

from collections.abc import Callable, Iterator
from mmap import mmap
from struct import Struct
from typing import Final, NamedTuple

BLOCK: Final = 4096  # bytes of the base block, and the unit of bins
NOWHERE: Final = 0xFFFFFFFF  # the offset that means "none"
LOG_TYPES: Final = (1, 2, 6)  # file types of transaction logs

_HEAD: Final = Struct("<4sIIQIIIIIII")
_KEY: Final = Struct("<2sHQ4xIIIIIIIIIIIIIIHH")
_VALUE: Final = Struct("<2sHIIIHH")
_LIST: Final = Struct("<2sH")
_BIG: Final = Struct("<2sHI")
_OFFSET: Final = Struct("<I")
_SIZE: Final = Struct("<i")

_LATIN_NAME: Final = 0x20  # flag of a key
_LATIN_VALUE: Final = 1  # flag of a value
_INLINE: Final = 0x80000000  # flag in the size of a value's data
_SEGMENT: Final = 16344  # bytes in a segment of big data; what is longer than one is big data
_MAX_NAME: Final = 32766  # bytes; 255 characters of a key's name, 16383 of a value's
_STEPS: Final = {b"lf": 8, b"lh": 8, b"li": 4}  # bytes of an element of a list of subkeys
_EPOCH: Final = 11_644_473_600  # seconds from 1601 to 1970
_LATEST: Final = 253_402_300_799  # the last second of the year 9999

Buffer = bytes | bytearray | mmap


class DamageError(Exception):
    """What is wrong in a hive, and at which byte of the file."""

    def __init__(self, what: str, at: int) -> None:
        super().__init__(f"{what}, at byte {at:#x} of the file")
        self.at = at


class StopReadingError(DamageError):
    """There is more than an honest hive can hold: reading ends."""


class BaseBlock(NamedTuple):
    """The head of a hive or of a transaction log.

    Parameters
    ----------
    primary, secondary : int
        Sequence numbers; they differ while a write is going on, or after it was broken off.
    written : int
        FILETIME of the last write.
    minor : int
        Minor version.
    kind : int
        0 for a hive, one of `LOG_TYPES` for a log.
    root : int
        Offset of the root key.
    size : int
        Bytes of all bins together.
    is_sound : bool
        Whether the checksum is right.
    """

    primary: int
    secondary: int
    written: int
    minor: int
    kind: int
    root: int
    size: int
    is_sound: bool


def base_block(data: Buffer) -> BaseBlock:
    """Read the base block.

    Raises
    ------
    DamageError
        If there is none.
    """
    if data[:4] != b"regf" or len(data) < 512:
        raise DamageError("the file does not begin with a whole base block", 0)
    _, primary, secondary, written, _, minor, kind, _, root, size, _ = _HEAD.unpack_from(data)
    return BaseBlock(primary, secondary, written, minor, kind, root, size, _OFFSET.unpack_from(data, 508)[0] == checksum(data))


def checksum(data: Buffer) -> int:
    """Return the checksum of a base block: its first 127 words joined by exclusive or, never 0 or 0xFFFFFFFF."""
    total = 0
    for (word,) in _OFFSET.iter_unpack(bytes(data[:508])):
        total ^= word
    return {0: 1, 0xFFFFFFFF: 0xFFFFFFFE}.get(total, total)


class Node(NamedTuple):
    """A key.

    Parameters
    ----------
    name : str
    written : int, optional
        When it was last written, in seconds since 1970-01-01 UTC; None if it is no time after that.
    at : int
        Its byte in the file.
    subkeys, values : int
        How many there are said to be.
    subkey_list, value_list : int
        Offsets.
    """

    name: str
    written: int | None
    at: int
    subkeys: int
    subkey_list: int
    values: int
    value_list: int


class RawValue(NamedTuple):
    """A value; `is_cut` says that the end of the data could not be had. Its data may hold secrets and is not shown."""

    name: str
    kind: int
    data: bytes
    is_cut: bool

    def __repr__(self) -> str:
        return f"<RawValue {self.name!r}: type {self.kind}, {len(self.data)} bytes>"


class Hive:
    """Reads keys and values out of the bytes of a hive.

    Parameters
    ----------
    data : bytes, bytearray or mmap
        Not copied.
    block : BaseBlock
        Of these bytes.
    """

    def __init__(self, data: Buffer, block: BaseBlock) -> None:
        self._data = data
        self._minor = block.minor
        self._end = min(len(data), BLOCK + block.size)
        self._budget = 4 * len(data) + 65536
        self._used: set[int] = set()  # cells that hold lists of subkeys and were read

    def node(self, offset: int) -> Node:
        """Read the key at an offset.

        Raises
        ------
        DamageError
        """
        at, end = self._cell(offset, "a key")
        if end - at < _KEY.size:
            raise DamageError("a key's cell is too short", at)
        fields = _KEY.unpack_from(self._data, at)
        magic, flags, filetime, _, subkeys, _, subkey_list, _, values, value_list = fields[:10]
        if magic != b"nk":
            raise DamageError("there is no key where one is expected", at)
        name = self._name(at + _KEY.size, fields[-2], end, is_latin=bool(flags & _LATIN_NAME))
        written = filetime // 10_000_000 - _EPOCH
        return Node(name, written if 0 <= written <= _LATEST else None, at, subkeys, subkey_list, values, value_list)

    def subkeys(self, node: Node, damaged: Callable[[DamageError], None]) -> Iterator[tuple[int, Node]]:
        """Yield the subkeys of a key with their offsets; what is damaged is told and left out."""
        if not node.subkeys:
            return
        found = 0
        for offset in self._subkey_offsets(node.subkey_list, damaged):
            found += 1
            try:
                child = self.node(offset)
            except StopReadingError:
                raise
            except DamageError as damage:
                damaged(damage)
            else:
                yield offset, child
        if found != node.subkeys:
            damaged(DamageError(f"the key says that it has {node.subkeys} subkeys, and its lists have {found}", node.at))

    def _subkey_offsets(self, offset: int, damaged: Callable[[DamageError], None]) -> Iterator[int]:
        pending = [(offset, True)]
        while pending:
            offset, may_be_root = pending.pop()
            try:
                magic, elements = self._list(offset, may_be_root=may_be_root)
            except StopReadingError:
                raise
            except DamageError as damage:
                damaged(damage)
                continue
            if magic == b"ri":
                pending.extend((element, False) for element in reversed(elements))
            else:
                yield from elements

    def _list(self, offset: int, *, may_be_root: bool) -> tuple[bytes, list[int]]:
        """Return the kind of a list of subkeys and the offsets in it: of keys, or of further lists in an index root."""
        at, end = self._cell(offset, "a list of subkeys")
        if offset in self._used:
            raise DamageError("a list of subkeys serves twice", at)
        self._used.add(offset)
        magic, count = _LIST.unpack_from(self._data, at)
        step = _STEPS.get(magic, 4 if magic == b"ri" and may_be_root else 0)
        if not step:
            raise DamageError("there is no list of subkeys where one is expected", at)
        first = at + _LIST.size
        if first + count * step > end:
            raise DamageError(f"a list of {count} subkeys does not fit into its cell", at)
        self._charge(count * step, at)
        return magic, [_OFFSET.unpack_from(self._data, first + step * n)[0] for n in range(count)]

    def values(self, node: Node, damaged: Callable[[str, DamageError], None]) -> Iterator[RawValue]:
        """Yield the values of a key; what is damaged is told, with the name of the value where it is known."""
        if not node.values:
            return
        try:
            at, end = self._cell(node.value_list, "a list of values")
        except DamageError as damage:
            damaged("", damage)
            return
        count = min(node.values, (end - at) // 4)
        if count < node.values:
            damaged("", DamageError(f"a list of {node.values} values does not fit into its cell", at))
        for n in range(count):
            self._charge(4, at)
            name = ""
            try:
                start, name, kind, size, place = self._value(_OFFSET.unpack_from(self._data, at + 4 * n)[0])
                data = self._value_data(start, size, place)
            except StopReadingError:
                raise
            except DamageError as damage:
                damaged(name, damage)
                continue
            is_cut = len(data) < size & ~_INLINE
            if is_cut:
                damaged(name, DamageError(f"only {len(data)} of {size & ~_INLINE} bytes of data are there", start))
            yield RawValue(name, kind, data, is_cut)

    def _value(self, offset: int) -> tuple[int, str, int, int, int]:
        at, end = self._cell(offset, "a value")
        if end - at < _VALUE.size:
            raise DamageError("a value's cell is too short", at)
        magic, length, size, place, kind, flags, _ = _VALUE.unpack_from(self._data, at)
        if magic != b"vk":
            raise DamageError("there is no value where one is expected", at)
        name = self._name(at + _VALUE.size, length, end, is_latin=bool(flags & _LATIN_VALUE))
        return at, name, kind, size, place

    def _value_data(self, at: int, size: int, place: int) -> bytes:
        """Return the data of a value, or as much as there is."""
        if size & _INLINE:
            if size & ~_INLINE > 4:
                raise DamageError("more than four bytes of data are said to be inside the value", at)
            return _OFFSET.pack(place)[: size & ~_INLINE]
        if not size:
            return b""
        start, end = self._cell(place, "a value's data")
        if size > _SEGMENT and self._minor > 3 and self._data[start : start + 2] == b"db":
            return self._big_data(start, size)
        stop = min(end, start + size)
        self._charge(stop - start, start)
        return bytes(self._data[start:stop])

    def _big_data(self, at: int, size: int) -> bytes:
        _, count, place = _BIG.unpack_from(self._data, at)
        first, end = self._cell(place, "a list of segments")
        parts = bytearray()
        for n in range(min(count, (end - first) // 4)):
            if len(parts) >= size:
                break
            start, stop = self._cell(_OFFSET.unpack_from(self._data, first + 4 * n)[0], "a segment of data")
            stop = min(stop, start + _SEGMENT, start + size - len(parts))
            self._charge(stop - start, start)
            parts += self._data[start:stop]
        return bytes(parts)

    def _cell(self, offset: int, what: str) -> tuple[int, int]:
        """Return where the content of an allocated cell starts and ends in the file."""
        at = BLOCK + offset
        if offset == NOWHERE:
            raise DamageError(f"{what} is missing", BLOCK)
        if offset % 8 or at + 8 > self._end:
            raise DamageError(f"{what} is said to be where no cell can be", at)
        size = -_SIZE.unpack_from(self._data, at)[0]
        if size <= 0:
            raise DamageError(f"{what} is in a cell that is not in use", at)
        if size < 8 or at + size > self._end:
            raise DamageError(f"the cell of {what} has an impossible size", at)
        self._charge(16, at)
        return at + 4, at + size

    def _name(self, at: int, length: int, end: int, *, is_latin: bool) -> str:
        if length > min(end - at, _MAX_NAME):
            raise DamageError("a name does not fit into its cell", at)
        self._charge(length, at)
        raw = bytes(self._data[at : at + length])
        return raw.decode("latin-1") if is_latin else raw.decode("utf-16-le", "replace")

    def _charge(self, cost: int, at: int) -> None:
        self._budget -= cost
        if self._budget < 0:
            raise StopReadingError("structures of the hive overlap, so that it holds more than its size; reading stops", at)
