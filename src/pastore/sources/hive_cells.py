"""Keys and values of a registry hive through regipy, held within bounds.

regipy parses the structures; what is here is what it leaves to its caller. It is given a stream that charges every read to a
budget growing with the file, so that overlapping structures, cycles and copies of the rest of the file end somewhere. Cells are
looked at before it follows an offset, because it looks neither at whether a cell is in use nor at where it ends. A value's data
are taken where regipy reads them (`NKRecord.read_value`), before it makes text or numbers of them and loses type and bytes. Where
a list of values ends at a damaged one, reading goes on behind it. What was announced and not got is told.
"""

from collections.abc import Callable, Iterator
from struct import Struct
from typing import Any, Final, NamedTuple

from pastore.sources.hive_head import BLOCK, BaseBlock, Buffer, DamageError, StopReadingError

_NOWHERE: Final = 0xFFFFFFFF  # the offset that means "none"
_OFFSET: Final = Struct("<I")
_SIZE: Final = Struct("<i")
_COUNT: Final = Struct("<H")
_KEY_SIZE: Final = 76  # bytes of a key up to its name
_INLINE: Final = 0x80000000  # flag in the size of a value's data
_SEGMENT: Final = 16344  # bytes in a segment of big data; what is longer than one is big data
_EPOCH: Final = 11_644_473_600  # seconds from 1601 to 1970
_LATEST: Final = 253_402_300_799  # the last second of the year 9999
_STEPS: Final = {b"lf": 8, b"lh": 8, b"li": 4, b"ri": 4}  # bytes of an element of a list of subkeys

OnDamage = Callable[[str, DamageError], None]


class Node(NamedTuple):
    """A key.

    Parameters
    ----------
    name : str
    written : int, optional
        When it was last written, in seconds since 1970-01-01 UTC; None if it is no time after that.
    at : int
        Its byte in the file.
    record : NKRecord
        regipy's.
    """

    name: str
    written: int | None
    at: int
    record: Any


class RawValue(NamedTuple):
    """A value; `is_cut` says that the end of the data could not be had. Its data may hold secrets and is not shown."""

    name: str
    kind: int
    data: bytes
    is_cut: bool

    def __repr__(self) -> str:
        return f"<RawValue {self.name!r}: type {self.kind}, {len(self.data)} bytes>"


class _Stream:
    """What regipy reads from: the bytes of a hive, without a copy of them, and no more of them than the budget allows."""

    def __init__(self, data: Buffer, budget: int) -> None:
        self._data = data
        self._at = 0
        self._budget = budget

    def read(self, size: int = -1) -> bytes:
        """Return some bytes from here on, fewer at the end."""
        stop = len(self._data) if size < 0 else min(len(self._data), self._at + size)
        self.charge(max(0, stop - self._at) + 1)
        out = bytes(self._data[self._at : stop])
        self._at += len(out)
        return out

    def seek(self, offset: int, whence: int = 0) -> int:
        """Go to a byte."""
        self._at = offset + (0, self._at, len(self._data))[whence]
        return self._at

    def tell(self) -> int:
        """Return where the next byte is read."""
        return self._at

    def charge(self, cost: int) -> None:
        """Take something off the budget; construct makes errors of its own of what `read` raises, so it is asked again then."""
        self._budget -= cost
        if self._budget < 0:
            what = "structures of the hive overlap, so that it holds more than its size; reading stops"
            raise StopReadingError(what, self._at)


class Hive:
    """Reads keys and values.

    Parameters
    ----------
    data : bytes, bytearray or mmap
        Not copied.
    block : BaseBlock
        Of these bytes.
    """

    def __init__(self, data: Buffer, block: BaseBlock) -> None:
        from regipy.registry import Cell, NKRecord
        from regipy.structs import VALUE_TYPE_ENUM

        self._data = data
        self._block = block
        self._end = min(len(data), BLOCK + block.size)
        self._stream = _Stream(data, 8 * len(data) + 65536)
        self._cell_type: Any = Cell  # regipy's classes are not typed
        self._record_type: Any = NKRecord
        self._binary = VALUE_TYPE_ENUM.parse(_OFFSET.pack(3))

    def root(self) -> Node:
        """Read the root key: the one the base block names, where regipy itself would take the first cell.

        Raises
        ------
        DamageError
        """
        start, end = self._cell(self._block.root, "the root key")
        try:
            record = self._record_type(self._cell_type(offset=start + 2, cell_type="nk", size=end - start), self._stream)
        except StopReadingError:
            raise
        except Exception as error:  # noqa: BLE001 - whatever regipy and construct make of damage
            self._stream.charge(0)
            raise DamageError(f"the root key cannot be read ({_kind_of(error)})", start) from None
        return self._node(record)

    def subkeys(self, node: Node, damaged: OnDamage) -> Iterator[Node]:
        """Yield the keys below one; what is damaged is told."""
        announced = node.record.header.subkey_count
        if not announced:
            return
        try:
            at = self._check_list(node.record.header.subkeys_list_offset)
        except StopReadingError:
            raise
        except DamageError as damage:
            damaged("", damage)
            return
        got = 0
        ended = ""
        records = node.record.iter_subkeys()
        while True:
            try:
                record = next(records, None)
                if record is None:
                    break
                got += 1
                child = self._node(record)
            except StopReadingError:
                raise
            except DamageError as damage:
                damaged("", damage)
                continue
            except Exception as error:  # noqa: BLE001 - whatever regipy and construct make of damage
                self._stream.charge(0)
                ended = f" ({_kind_of(error)})"
                break
            yield child
        if got < announced or ended:
            damaged("", DamageError(f"{got} of {announced} subkeys could be read{ended}", at))

    def values(self, node: Node, damaged: OnDamage) -> Iterator[RawValue]:
        """Yield the values of a key; what is damaged is told, with the name of the value where it is known."""
        header = node.record.header
        announced = node.record.values_count
        if not announced:
            return
        try:
            at, end = self._cell(header.values_list_offset, "a list of values")
        except StopReadingError:
            raise
        except DamageError as damage:
            damaged("", damage)
            return
        count = min(announced, (end - at) // 4)
        if count < announced:
            damaged("", DamageError(f"a list of {announced} values does not fit into its cell", at))
        first = header.values_list_offset
        done = 0
        while done < count:
            # regipy ends at the first value that is damaged: the rest of the list is given to it as a list of its own.
            header.values_list_offset = first + 4 * done
            node.record.values_count = count - done
            for value in self._row(node, at + 4 * done, damaged):
                done += 1
                if value is not None:
                    yield value
            done += 1  # over the damaged one, or past the end

    def _row(self, node: Node, at: int, damaged: OnDamage) -> Iterator[RawValue | None]:
        """Yield the values up to the first that regipy does not get over; None stands for a value that was told as damaged."""
        wanted = node.record.values_count
        taken: list[tuple[str, int, int, int]] = []
        node.record.read_value = lambda vk, stream: self._take(vk, stream, taken)
        values = node.record.iter_values(trim_values=False)
        done = 0
        while done < wanted:
            taken.clear()
            try:
                value = next(values, None)
                if value is None:
                    raise DamageError("there is no value where one is expected", self._value_at(at + 4 * done))
            except StopReadingError:
                raise
            except DamageError as damage:
                damaged(taken[0][0] if taken else "", damage)
                return
            except Exception as error:  # noqa: BLE001 - whatever regipy and construct make of damage
                self._stream.charge(0)
                what = f"a value cannot be read ({_kind_of(error)})"
                damaged(taken[0][0] if taken else "", DamageError(what, self._value_at(at + 4 * done)))
                return
            for name, _, _, place in taken[:-1]:  # regipy went over them without a word
                damaged(name, DamageError("the data of a value cannot be read", place))
                yield None
            done += len(taken)
            name, kind, size, place = taken[-1]
            data = value.value
            if len(data) < size:
                damaged(name, DamageError(f"only {len(data)} of {size} bytes of data are there", place))
            yield RawValue(name, kind, data, len(data) < size)

    def _take(self, vk: Any, stream: Any, taken: list[tuple[str, int, int, int]]) -> Any:
        """Stand in for regipy's `read_value`: keep type and size, give the bytes, and let regipy take them as binary data."""
        name = vk.name.decode("latin-1") if vk.flags.VALUE_COMP_NAME else vk.name.decode("utf-16-le", "replace")
        size = vk.data_size & ~_INLINE
        place = stream.tell() - len(vk.name) - 20
        taken.append((name, int(vk.data_type), size, place))
        start, end = self._cell(place - 4 - BLOCK, "a value")
        if start + 20 + vk.name_size > end:
            raise DamageError("a name does not fit into its cell", place)
        inline = bool(vk.data_size & _INLINE)
        if inline and size > 4:
            raise DamageError("more than four bytes of data are said to be inside the value", place)
        vk.data_type = self._binary
        vk.data_size = 0
        if inline or not size:
            got = self._record_type.read_value(vk, stream)
            got.value = _OFFSET.pack(vk.data_offset)[:size] if inline else b""
            return got
        start, end = self._cell(vk.data_offset, "a value's data")
        is_big = size > _SEGMENT and self._block.minor > 3 and self._data[start : start + 2] == b"db"
        vk.data_size = 8 if is_big else min(size, end - start)
        got = self._record_type.read_value(vk, stream)
        vk.data_size = got.size = size if is_big else 0  # big data are put together by regipy
        return got

    def _node(self, record: Any) -> Node:
        """Return a key that regipy has just read, after a look at whether there is one."""
        label = record.header.key_name_string
        at = self._stream.tell() - len(label) - _KEY_SIZE
        start, end = self._cell(at - 4 - BLOCK, "a key")
        if self._data[at : at + 2] != b"nk":
            raise DamageError("there is no key where one is expected", at)
        if len(label) < record.header.key_name_size or start + _KEY_SIZE + len(label) > end:
            raise DamageError("a name does not fit into its cell", at)
        # regipy takes what is Latin-1 for ASCII.
        is_latin = record.header.flags.KEY_COMP_NAME
        name = label.decode("latin-1") if is_latin else label.decode("utf-16-le", "replace")
        written = record.header.last_modified // 10_000_000 - _EPOCH
        return Node(name, written if 0 <= written <= _LATEST else None, at, record)

    def _check_list(self, offset: int) -> int:
        """Look at the head of a list of subkeys and return where it is."""
        at, end = self._cell(offset, "a list of subkeys")
        step = _STEPS.get(bytes(self._data[at : at + 2]))
        if step is None:
            raise DamageError("there is no list of subkeys where one is expected", at)
        (count,) = _COUNT.unpack_from(self._data, at + 2)
        if at + 4 + count * step > end:
            raise DamageError(f"a list of {count} subkeys does not fit into its cell", at)
        return at

    def _value_at(self, at: int) -> int:
        """Return where a value is said to be by an element of a list."""
        place = BLOCK + 4 + int(_OFFSET.unpack_from(self._data, at)[0])
        return place if place < self._end else at

    def _cell(self, offset: int, what: str) -> tuple[int, int]:
        """Return where the content of an allocated cell starts and ends in the file."""
        at = BLOCK + offset
        if offset == _NOWHERE:
            raise DamageError(f"{what} is missing", BLOCK)
        if offset < 0 or offset % 8 or at + 8 > self._end:
            raise DamageError(f"{what} is said to be where no cell can be", at)
        size = -_SIZE.unpack_from(self._data, at)[0]
        if size <= 0:
            raise DamageError(f"{what} is in a cell that is not in use", at)
        if size < 8 or at + size > self._end:
            raise DamageError(f"the cell of {what} has an impossible size", at)
        self._stream.charge(16)
        return at + 4, at + size


def _kind_of(error: Exception) -> str:
    """Name an exception of regipy's; what it says may quote data and is not shown."""
    return f"regipy gave up: {type(error).__name__}"
