"""Types of the extension: the C core behind a layer without logic. `pastore.matcher.matcher` is what to use."""

from collections.abc import Callable
from mmap import mmap
from typing import Any

import numpy as np
import numpy.typing as npt

U8 = npt.NDArray[np.uint8]
U16 = npt.NDArray[np.uint16]
U32 = npt.NDArray[np.uint32]
I32 = npt.NDArray[np.int32]
Buffer = bytes | memoryview | mmap | npt.NDArray[Any]

class Table:
    """A built or loaded table. Codes are those of ext/core/pastore.h; a failure in C is raised as an exception."""

    actions_only: bool

    @staticmethod
    def build(rows: U8, memory_limit: int, actions_only: bool, layout: str | None, /) -> Table:
        """Build a table.

        Parameters
        ----------
        rows : numpy.ndarray of uint8
            Bytes of contiguous ``pastore_row``.
        memory_limit : int
            Bytes, 0 for no limit.
        actions_only : bool
        layout : str or None
            One of `pastore.matcher.verdicts.LAYOUTS`, or None for the fastest.

        Raises
        ------
        MemoryLimitError, MemoryError
        ValueError
            If a row is not well formed; the message names the row.
        """

    @staticmethod
    def load(buffer: Buffer, /) -> Table:
        """Take a stored table as it lies in a buffer, which is kept. TableError with a sentence if it is refused."""

    def save(self, sections: list[tuple[int, Buffer]], write: Callable[[memoryview], object], /) -> None:
        """Hand the stored form to `write`, piece by piece. What `write` raises ends it and is raised."""

    def section(self, kind: int, /) -> memoryview | None:
        """Return a section of a loaded table; it keeps the buffer."""

    def same_rows(self, rows: U8, /) -> None:
        """TableError if these are not the rows the table was built from."""

    def match4(
        self, src: int, dst: int, protocol: int, sport: int, dport: int, direction: int, interface: int, /
    ) -> tuple[int, int]:
        """Return action and row number of one IPv4 packet. OverflowError if a number does not fit its field."""

    def match6(
        self, src: bytes, dst: bytes, protocol: int, sport: int, dport: int, direction: int, interface: int, /
    ) -> tuple[int, int]:
        """Return action and row number of one IPv6 packet; addresses are 16 bytes in network order."""

    def classify4(
        self,
        scan: bool,
        src: U32,
        dst: U32,
        protocol: U8,
        sport: U16,
        dport: U16,
        direction: U8 | None,
        one_direction: int,
        interface: U8 | None,
        one_interface: int,
        action: U8 | None,
        index: I32 | None,
        start: int,
        stop: int,
        /,
    ) -> None:
        """Judge packets start to stop, without the GIL. `scan` tries row after row instead of using the table."""

    def classify6(
        self,
        scan: bool,
        src: U8,
        dst: U8,
        protocol: U8,
        sport: U16,
        dport: U16,
        direction: U8 | None,
        one_direction: int,
        interface: U8 | None,
        one_interface: int,
        action: U8 | None,
        index: I32 | None,
        start: int,
        stop: int,
        /,
    ) -> None:
        """Do the same for addresses of shape (n, 16) in network order."""

    def check(self) -> None:
        """Recompute every invariant of the table from its rows. AssertionError with a sentence if one does not hold."""

    def stats(self) -> tuple[int, int, int, str, int, str]:
        """Return rows, dead rows, bytes, layout, groups and instruction set."""
