"""Lists of small JSON arrays in a section of a compiled table: checked when it is opened, parsed one by one when asked for.

A list is the number of its records (8 bytes), where each ends (8 bytes each, from the first record), and the records, each one
JSON array in ASCII. Numbers have the byte order of the table.
"""

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, Final, TypeVar, overload

import numpy as np

from pastore.matcher.errors import TableError

RECORD_LIMIT: Final = 1 << 22  # bytes of one record; bounds what checking a list takes
_DECODE: Final = json.JSONDecoder().scan_once  # type: ignore[attr-defined]
_ENCODE: Final = json.JSONEncoder(allow_nan=False, separators=(",", ":")).encode
_BATCH: Final = 1 << 20

T = TypeVar("T")


def encode(what: str, values: Iterable[Any], check: Callable[[Any], object]) -> bytes:
    """Return a list of arrays as bytes.

    Parameters
    ----------
    what : str
        What the values are, for messages.
    values : iterable of lists or tuples of JSON values
    check : callable
        What the records will be checked with: so that nothing is written that could not be read.

    Raises
    ------
    ValueError
        If a value is not of the shape; the message says which.
    """
    texts = []
    for number, value in enumerate(values):
        try:
            text = _ENCODE(value).encode("ascii")
            check(_DECODE(text.decode("ascii"), 0)[0])
        except (TypeError, ValueError, KeyError, RecursionError) as error:
            raise ValueError(f"{what} {number} cannot be stored in a table: {error}") from None
        if len(text) > RECORD_LIMIT:
            raise ValueError(f"{what} {number} cannot be stored in a table: it takes {len(text)} bytes, more than {RECORD_LIMIT}")
        texts.append(text)
    ends = np.cumsum([len(texts), *map(len, texts)], dtype=np.uint64)
    ends[1:] -= np.uint64(len(texts))
    return ends.tobytes() + b"".join(texts)


class Records(Sequence[T]):
    """A list in a section, which stays where it is.

    Parameters
    ----------
    what : str
    section : memoryview
    parse : callable
        Makes what is wanted of an array; raises ValueError, TypeError or KeyError where it has another shape.
    check : callable, optional
        Raises the same without making anything; `parse` when left out.

    Raises
    ------
    TableError
        If the section is no such list; every record is parsed once to find out, a megabyte at a time.
    """

    __slots__ = ("_ends", "_parse", "_text")

    def __init__(
        self, what: str, section: memoryview, parse: Callable[[Any], T], check: Callable[[Any], object] | None = None
    ) -> None:
        check = check or parse
        self._parse = parse
        count = int(np.frombuffer(section[:8], np.uint64)[0]) if len(section) >= 8 else -1
        if count < 0 or count > len(section) // 8 - 1:
            raise TableError(f"the table is damaged: its list of {what}s is cut off")
        self._ends = np.frombuffer(section[8 : 8 + 8 * count], np.uint64)
        self._text = section[8 + 8 * count :]
        starts = np.concatenate([np.zeros(1, np.uint64), self._ends])
        lengths_fit = bool((starts[1:] > starts[:-1]).all()) and int(starts[-1]) == len(self._text)
        if not lengths_fit or (count and int((starts[1:] - starts[:-1]).max()) > RECORD_LIMIT):
            raise TableError(f"the table is damaged: the lengths in its list of {what}s are wrong")
        for number, (value, whole) in enumerate(self._values()):
            try:
                if not whole:
                    raise ValueError
                check(value)
            except (ValueError, TypeError, KeyError):
                raise TableError(f"the table is damaged: {what} {number} is not one") from None

    def _values(self) -> Iterator[tuple[Any, bool]]:
        """Yield every value, and whether it is exactly one record."""
        ends = self._ends.tolist()
        at = 0
        while at < len(ends):
            start = ends[at - 1] if at else 0
            upto = max(at + 1, int(np.searchsorted(self._ends, np.uint64(start + _BATCH), "right")))
            try:
                text = str(self._text[start : ends[upto - 1]], "ascii")
            except ValueError:
                yield None, False
                return
            position = 0
            for end in ends[at:upto]:
                try:
                    value, position = _DECODE(text, position)
                except (StopIteration, ValueError, RecursionError):
                    yield None, False
                    return
                yield value, position == end - start
            at = upto

    def __len__(self) -> int:
        return len(self._ends)

    @overload
    def __getitem__(self, index: int) -> T: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[T]: ...
    def __getitem__(self, index: int | slice) -> T | Sequence[T]:
        if isinstance(index, slice):
            return [self[at] for at in range(*index.indices(len(self)))]
        at = range(len(self))[index]
        start = int(self._ends[at - 1]) if at else 0
        return self._parse(json.loads(bytes(self._text[start : int(self._ends[at])])))
