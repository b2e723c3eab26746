"""SpecificFilters: the one type between policies and matchers.

One structured NumPy array, a row per range tuple. Ordering, mirroring, ``me``, server addresses and default exemptions are
finished before this line; a matcher knows only rows and ranks, and a brute-force scan or the kernel filter can take the same
rows as an oracle. `ROW` mirrors ``pastore_row`` of ``ext/core/pastore.h`` byte for byte.
"""

from collections.abc import Iterator, Sequence
from typing import Any, Final, Protocol

import numpy as np
import numpy.typing as npt

from pastore.model import Action

ROW: Final = np.dtype(
    {
        "names": [
            "src_lo",  # addresses: two 64-bit words in host order, high word first; IPv4 is the low 32 bits of the low word
            "src_hi",
            "dst_lo",
            "dst_hi",
            "sport_lo",
            "sport_hi",
            "dport_lo",
            "dport_hi",
            "protocol_lo",
            "protocol_hi",
            "family",  # 4 or 6
            "direction",  # 0 in, 1 out, 2 both
            "interface",  # 0 lan, 1 ras, 2 all
            "action",  # 1 allow, 2 block, 3 protect
            "exempt",  # EXEMPTIONS index, 0 for a row of the policy
            "flags",  # INPASS | SOFT | MIRRORED
            "rank",  # lower is tried first
            "filter",  # index into `SpecificFilters.sources`, -1 when there is none
        ],
        "formats": [
            *[("<u8", (2,))] * 4,
            *["<u2"] * 4,
            *["u1"] * 8,
            "<i4",
            "<i4",
        ],
        "offsets": [0, 16, 32, 48, 64, 66, 68, 70, 72, 73, 74, 75, 76, 77, 78, 79, 80, 84],
        "itemsize": 88,
    }
)

IN, OUT, BOTH = 0, 1, 2
LAN, RAS, ALL = 0, 1, 2
INPASS, SOFT, MIRRORED = 1, 2, 4
EXEMPTIONS: Final = (None, "isakmp", "kerberos", "rsvp", "multicast", "broadcast")

_DIRECTIONS: Final = {"in": IN, "out": OUT, "both": BOTH}
_INTERFACES: Final = {"lan": LAN, "ras": RAS, "all": ALL}


class FilterSource(Protocol):
    """What a row came from, as far as verdicts and reports need to know."""

    @property
    def rule(self) -> str | None:
        """Label of the rule; None for a default exemption."""

    @property
    def text(self) -> str:
        """The filter as a person reads it."""

    @property
    def tunnel(self) -> str | None:
        """Tunnel endpoint."""

    @property
    def place(self) -> str:
        """Where it was read, as ``file:line`` or a registry key."""


class SpecificFilters:
    """Rows in the order they are to be tried, with what each came from.

    Parameters
    ----------
    rows : numpy.ndarray, shape (n,), dtype `ROW`
        Taken as it is, without a copy, and made read-only. Must be C-contiguous.
    sources : sequence of FilterSource
        What ``rows["filter"]`` points into. May be computed on access.

    Raises
    ------
    ValueError
        If the array has another dtype or shape, or a row is not well formed; the message names the row.
    """

    __slots__ = ("rows", "sources")

    def __init__(self, rows: npt.NDArray[np.void], sources: Sequence[FilterSource] = ()) -> None:
        if rows.dtype != ROW or rows.ndim != 1 or not rows.flags.c_contiguous:
            raise ValueError("rows must be a one-dimensional contiguous array of pastore.filters.specific.ROW")
        _check(rows)
        rows.flags.writeable = False
        self.rows = rows
        self.sources = sources

    @classmethod
    def from_columns(
        cls,
        *,
        src_lo: npt.ArrayLike,
        src_hi: npt.ArrayLike,
        dst_lo: npt.ArrayLike,
        dst_hi: npt.ArrayLike,
        action: npt.ArrayLike,
        protocol_lo: npt.ArrayLike = 0,
        protocol_hi: npt.ArrayLike = 255,
        sport_lo: npt.ArrayLike = 0,
        sport_hi: npt.ArrayLike = 65535,
        dport_lo: npt.ArrayLike = 0,
        dport_hi: npt.ArrayLike = 65535,
        direction: npt.ArrayLike = "both",
        interface: npt.ArrayLike = "all",
        rank: npt.ArrayLike | None = None,
        sources: Sequence[FilterSource] = (),
    ) -> "SpecificFilters":
        """Build rows from columns; no Policy is needed.

        Parameters
        ----------
        src_lo, src_hi, dst_lo, dst_hi : array_like, shape (n,) of uint32, or (n, 16) of uint8
            Inclusive address ranges: IPv4 as integers in host order, IPv6 as bytes in network order. All four of one family.
        action : array_like of uint8 or str
            1 allow, 2 block, 3 protect, or those words. One value or n.
        protocol_lo, protocol_hi : array_like of uint8
        sport_lo, sport_hi, dport_lo, dport_hi : array_like of uint16
        direction : array_like of uint8 or str
            0 in, 1 out, 2 both, or those words.
        interface : array_like of uint8 or str
            0 lan, 1 ras, 2 all, or those words.
        rank : array_like of int32, optional
            Lower is tried first; equal ranks keep the order given. The order given when left out.
        sources : sequence of FilterSource, optional
            One for each row.

        Raises
        ------
        ValueError
            If shapes or values do not fit; the message names the column and, for ranges that run backwards, the row.
        """
        addresses = {"src_lo": src_lo, "src_hi": src_hi, "dst_lo": dst_lo, "dst_hi": dst_hi}
        family, first = _address_words("src_lo", src_lo)
        n = len(first)
        rows = np.zeros(n, ROW)
        rows["family"] = family
        for name, value in addresses.items():
            other, column = _address_words(name, value)
            if other != family:
                raise ValueError(f"{name}: IPv{other} addresses, but src_lo has IPv{family} ones")
            if len(column) != n:
                raise ValueError(f"{name}: expected {n} addresses, as many as src_lo has, got {len(column)}")
            rows[name] = column
        numeric = {
            "protocol_lo": (protocol_lo, 255),
            "protocol_hi": (protocol_hi, 255),
            "sport_lo": (sport_lo, 65535),
            "sport_hi": (sport_hi, 65535),
            "dport_lo": (dport_lo, 65535),
            "dport_hi": (dport_hi, 65535),
        }
        for name, (value, limit) in numeric.items():
            rows[name] = _numbers(name, value, n, limit)
        actions = {str(action): int(action) for action in Action if action}
        rows["action"] = _numbers("action", _words_to_codes("action", action, actions), n, 3, 1)
        rows["direction"] = _numbers("direction", _words_to_codes("direction", direction, _DIRECTIONS), n, 2)
        rows["interface"] = _numbers("interface", _words_to_codes("interface", interface, _INTERFACES), n, 2)
        rows["rank"] = np.arange(n, dtype=np.int32) if rank is None else _numbers("rank", rank, n, 2**31 - 1, -(2**31))
        if len(sources) not in (0, n):
            raise ValueError(f"sources: expected one for each of {n} rows, got {len(sources)}")
        rows["filter"] = np.arange(n, dtype=np.int32) if len(sources) else -1
        if rank is not None:
            rows = rows[np.argsort(rows["rank"], kind="stable")]
        return cls(rows, sources)

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, key: Any) -> Any:
        """Return a column by name or a row by number, as the array does."""
        return self.rows[key]

    def __iter__(self) -> Iterator[Any]:
        return iter(self.rows)

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> npt.NDArray[Any]:
        return np.array(self.rows, dtype=dtype, copy=copy)

    def __repr__(self) -> str:
        return f"<SpecificFilters: {len(self)} rows>"

    def source(self, index: int) -> FilterSource | None:
        """Return what row `index` came from, None for a row without a source."""
        at = int(self.rows["filter"][index])
        return self.sources[at] if 0 <= at < len(self.sources) else None


def join(words: npt.NDArray[np.uint64]) -> int:
    """Return an address of a row, shape (2,) uint64, as one integer."""
    return int(words[0]) << 64 | int(words[1])


def split(address: int) -> tuple[int, int]:
    """Return an integer address as the two words a row holds."""
    return address >> 64, address & 0xFFFFFFFFFFFFFFFF


def _address_words(name: str, value: npt.ArrayLike) -> tuple[int, npt.NDArray[np.uint64]]:
    column = np.asarray(value)
    if column.ndim == 2 and column.shape[1] == 16 and column.dtype == np.uint8:
        return 6, np.ascontiguousarray(column).view(">u8").astype(np.uint64)
    if column.ndim == 1 and (np.issubdtype(column.dtype, np.integer) or column.size == 0):
        if column.size and (int(column.min()) < 0 or int(column.max()) > 0xFFFFFFFF):
            raise ValueError(f"{name}: an IPv4 address is 0 to 4294967295")
        words = np.zeros((len(column), 2), np.uint64)
        words[:, 1] = column
        return 4, words
    raise ValueError(f"{name}: expected (n,) integers for IPv4 or (n, 16) uint8 for IPv6, got {column.shape} {column.dtype}")


def _numbers(name: str, value: npt.ArrayLike, n: int, limit: int, least: int = 0) -> npt.NDArray[Any]:
    column = np.asarray(value)
    if column.shape not in ((), (n,)):
        raise ValueError(f"{name}: expected one value or {n}, got shape {column.shape}")
    if column.size and not np.issubdtype(column.dtype, np.integer):
        raise ValueError(f"{name}: expected integers, got {column.dtype}")
    if column.size and (int(column.min()) < least or int(column.max()) > limit):
        raise ValueError(f"{name}: values must be {least} to {limit}")
    return column


def _words_to_codes(name: str, value: npt.ArrayLike, codes: dict[str, int]) -> npt.ArrayLike:
    column = np.asarray(value)
    if column.dtype.kind not in "UO":
        return column
    try:
        return np.array([codes[str(word)] for word in column.ravel()], np.uint8).reshape(column.shape)
    except KeyError as error:
        raise ValueError(f"{name}: {error.args[0]!r} is none of {', '.join(codes)}") from None


def _check(rows: npt.NDArray[np.void]) -> None:
    for what, bad in _faults(rows):
        if bad.any():
            raise ValueError(f"row {int(np.argmax(bad))} is not well formed: {what}")


def _faults(rows: npt.NDArray[np.void]) -> Iterator[tuple[str, npt.NDArray[np.bool_]]]:
    """Yield what can be wrong with a row, and with which rows it is."""
    yield "family is neither 4 nor 6", (rows["family"] != 4) & (rows["family"] != 6)
    for field in ("src", "dst"):
        lo, hi = rows[f"{field}_lo"], rows[f"{field}_hi"]
        yield f"{field}_lo is above {field}_hi", (lo[:, 0] > hi[:, 0]) | ((lo[:, 0] == hi[:, 0]) & (lo[:, 1] > hi[:, 1]))
        yield f"{field}_hi is above every IPv4 address", (rows["family"] == 4) & ((hi[:, 0] != 0) | (hi[:, 1] > 0xFFFFFFFF))
    for field in ("sport", "dport", "protocol"):
        yield f"{field}_lo is above {field}_hi", rows[f"{field}_lo"] > rows[f"{field}_hi"]
    yield "action is none of 1 to 3", (rows["action"] < 1) | (rows["action"] > 3)
    for field, most in (("direction", BOTH), ("interface", ALL), ("exempt", len(EXEMPTIONS) - 1)):
        yield f"{field} is none of 0 to {most}", rows[field] > most
