from typing import Final

import numpy as np
import numpy.typing as npt

# Answers.
NONE: Final[int]
FOUND: Final[int]
UNDECIDED: Final[int]
# Kinds of packets that are searched; ext/sets/sets.h says what they are.
DECIDES: Final[int]
CHANGES: Final[int]
UNDOES: Final[int]
ANSWERED: Final[int]
ANSWERABLE: Final[int]
PASSES: Final[int]
OPENS: Final[int]

# Pairs of rows.
DISAGREE: Final[int]
UNDONE: Final[int]

ROW: Final[np.dtype[np.void]]

class Sets:
    """Boxes in the order tried.

    Parameters
    ----------
    boxes : numpy.ndarray of uint32, shape (n, 14)
        Lowest cells of the seven fields, then the highest. Used where it lies.
    rows : numpy.ndarray of `ROW`, shape (n,)
        Used where it lies; ``dead`` may be set later.
    usual : numpy.ndarray of uint32, shape (7,)
        The packet that is tried first, as far as a box allows.
    """

    def __init__(self, boxes: npt.NDArray[np.uint32], rows: npt.NDArray[np.void], usual: npt.NDArray[np.uint32]) -> None: ...
    def search_rows(
        self, kind: int, rows: npt.NDArray[np.integer], start: int, other: int, work: int, budget: int
    ) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.uint32], int]:
        """Ask the same of many rows, each about its own box: answers (k,), packets (k, 7), work done.

        From where `budget` is used up the answers are UNDECIDED.
        """

    def search(
        self, kind: int, box: npt.NDArray[np.uint32], start: int, row: int, other: int, work: int, capacity: int = 0
    ) -> tuple[int, npt.NDArray[np.uint32], npt.NDArray[np.int32], int, int]:
        """Ask about any box: answer, packet (7,), up to `capacity` rows that took of it, how many did, work done."""

    def uncovered(self, ids: npt.ArrayLike, box: npt.NDArray[np.uint32], work: int) -> tuple[int, npt.NDArray[np.uint32]]:
        """Whether some rows leave something of a box, and a packet of that."""

    def pairs(
        self, pairing: int, rows: npt.NDArray[np.integer], start: int, work: int, budget: int, capacity: int
    ) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.int32], npt.NDArray[np.int32], npt.NDArray[np.uint32], int]:
        """Find pairs of the given rows with rows after them, at most `capacity` of all together.

        Returns
        -------
        answers : (k,) uint8
            NONE, FOUND (its pairs are all there) or UNDECIDED for each of the rows.
        first, other : (m,) int32
            The pairs.
        points : (m, 7) uint32
            A packet of each.
        spent : int
        """
