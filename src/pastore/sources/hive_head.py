"""The base block of registry hives and of their transaction logs: what is needed before a reader of hives is asked at all.

Whether a file is a hive, whether it was written completely and whether a log belongs to it stand in its first 512 bytes. What
follows them is regipy's business, see `pastore.sources.hive_reader`.
"""

from mmap import mmap
from struct import Struct
from typing import Final, NamedTuple

BLOCK: Final = 4096  # bytes of the base block, and the unit of bins
LOG_TYPES: Final = (1, 2, 6)  # file types of transaction logs

_HEAD: Final = Struct("<4sIIQIIIIIII")
_WORD: Final = Struct("<I")

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

    @property
    def is_dirty(self) -> bool:
        """Whether the hive was not written completely, so that its logs are needed."""
        return not self.is_sound or self.primary != self.secondary


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
    return BaseBlock(primary, secondary, written, minor, kind, root, size, _WORD.unpack_from(data, 508)[0] == checksum(data))


def checksum(data: Buffer) -> int:
    """Return the checksum of a base block: its first 127 words joined by exclusive or, never 0 or 0xFFFFFFFF."""
    total = 0
    for (word,) in _WORD.iter_unpack(bytes(data[:508])):
        total ^= word
    return {0: 1, 0xFFFFFFFF: 0xFFFFFFFE}.get(total, total)
