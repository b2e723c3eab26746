import mmap
from typing import Final

import numpy as np
import numpy.typing as npt

# How the file header was read.
OK: Final[int]
UNKNOWN: Final[int]
SHORT: Final[int]
PCAPNG: Final[int]
VERSION: Final[int]
LINK: Final[int]
# Why the walk ended.
WHOLE: Final[int]
CUT_HEADER: Final[int]
CUT_FRAME: Final[int]
ABSURD: Final[int]
FULL: Final[int]

def walk(
    data: bytes | bytearray | memoryview | mmap.mmap,
) -> tuple[
    int,
    tuple[int, int, int],
    tuple[
        npt.NDArray[np.int64],
        npt.NDArray[np.uint8],
        npt.NDArray[np.uint8],
        npt.NDArray[np.uint16],
        npt.NDArray[np.uint16],
        npt.NDArray[np.uint8],
        npt.NDArray[np.uint8],
    ]
    | None,
    tuple[int, int, int, int, int, int] | None,
]:
    """Read a whole capture, without the interpreter lock.

    Parameters
    ----------
    data : contiguous buffer of bytes
        Read where it lies; not changed.

    Returns
    -------
    header_status : int
        OK, UNKNOWN, SHORT, PCAPNG, VERSION or LINK. If it is not OK there are neither columns nor a report.
    header : tuple of int
        Version major, minor and link type, as far as they were read.
    columns : tuple of numpy.ndarray or None
        frame (n,) int64, family (n,) uint8, protocol (n,) uint8, sport (n,) uint16, dport (n,) uint16, src and dst (n, 16) uint8.
    report : tuple of int or None
        Frames, frames of other protocols, broken frames, offset where the walk stopped, length claimed there, why it ended
        (WHOLE, CUT_HEADER, CUT_FRAME, ABSURD or FULL).
    """
