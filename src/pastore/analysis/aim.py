"""Packets aimed at the bounds of specific filters, where mistakes live.

A row has twenty aims: one below, at, at and one above the ends of each of its five ranges. Every packet takes one of them and
lies within the row in all other fields, so that it is this bound and no other that decides whether the row holds it.
"""

from typing import Any, Final

import numpy as np
import numpy.typing as npt

from pastore.filters.specific import ALL, BOTH, SpecificFilters
from pastore.packets.batch import PacketBatch
from pastore.packets.columns import Columns, blank

Words = npt.NDArray[np.uint64]  # addresses, shape (n, 2), as rows hold them

_FIELDS: Final = ("src", "dst", "protocol", "sport", "dport")
_ENDS: Final = 4  # lo - 1, lo, hi, hi + 1
AIMS: Final = _ENDS * len(_FIELDS)

_LAST: Final = {4: (0, 0xFFFFFFFF), 6: (0xFFFFFFFFFFFFFFFF, 0xFFFFFFFFFFFFFFFF)}
_LAST_NUMBER: Final = {"protocol": 255, "sport": 65535, "dport": 65535}
_FAR: Final = 32  # one packet in so many goes anywhere
_OTHER_WAY: Final = 1 / 16  # share of packets that go against the direction, or the interface type, of their row
_ONES: Final = np.uint64(0xFFFFFFFFFFFFFFFF)


def aim(filters: SpecificFilters, n: int, seed: int = 1, *, families: tuple[int, ...] = (4, 6)) -> PacketBatch:
    """Return packets aimed at every row of every family in turn.

    Parameters
    ----------
    filters : SpecificFilters
    n : int
        Packets a family. From ``AIMS * rows * 32 / 31`` on every bound is aimed at; below that every row still gets its share.
    seed : int
        The same filters, `n` and `seed` give the same packets.
    families : tuple of int
        4, 6 or both. A family without rows gets packets from anywhere, which no row may hold.

    Returns
    -------
    PacketBatch
        ``len(families) * n`` packets, numbered from 1, with directions and interface types. A bound at the end of its field has
        nothing beyond it; the packet is then at the bound.
    """
    parts = [_aim_family(filters, n, seed, family) for family in families]
    joined = blank(sum(len(part.frame) for part in parts))
    joined.frame[:] = np.arange(1, len(joined.frame) + 1)
    for field in ("family", *_FIELDS, "direction", "interface"):
        np.concatenate([getattr(part, field) for part in parts], out=getattr(joined, field))
    return PacketBatch(joined)


def sample(filters: SpecificFilters, n: int, seed: int = 1) -> PacketBatch:
    """Return packets that rows hold: half of them at corners of a row, half anywhere within one.

    Parameters
    ----------
    filters : SpecificFilters
        Each row is as likely as any other. Without rows the packets are IPv4 from anywhere.
    n : int
    seed : int
        The same filters, `n` and `seed` give the same packets.

    Returns
    -------
    PacketBatch
        `n` packets of both families, as the rows are, numbered from 1, with directions and interface types.
    """
    if not len(filters):
        return aim(filters, n, seed, families=(4,))
    rng = np.random.default_rng([seed, n])
    rows = filters.rows[rng.integers(0, len(filters), n)]
    columns = blank(n)
    columns.frame[:] = np.arange(1, n + 1)
    columns.family[:] = rows["family"]
    corner = rng.random(n) < 0.5
    for field in _FIELDS:
        end = np.where(corner, rng.integers(1, 3, n), 4)
        lo, hi = rows[f"{field}_lo"], rows[f"{field}_hi"]
        if field in _LAST_NUMBER:
            getattr(columns, field)[:] = aim_number(rng, lo, hi, end, _LAST_NUMBER[field])
            continue
        words = aim_address(rng, lo, hi, end, _LAST[6])
        getattr(columns, field)[:] = np.where(rows["family"][:, None] == 4, _octets(words, 4), _octets(words, 6))
    for field, every in (("direction", BOTH), ("interface", ALL)):
        getattr(columns, field)[:] = np.where(rows[field] == every, rng.integers(0, 2, n), rows[field])
    return PacketBatch(columns)


def bounds_aimed_at(rows: int, n: int) -> float:
    """Return which share of the bounds of so many rows of a family `n` packets are aimed at, 0 to 1."""
    return min(1.0, (n - n // _FAR) / (AIMS * rows)) if rows else 1.0


def _aim_family(filters: SpecificFilters, n: int, seed: int, family: int) -> Columns:
    rng = np.random.default_rng([seed, n, family])
    of_family = filters.rows[filters.rows["family"] == family]
    count = len(of_family)
    columns = _anywhere(rng, n, family)
    aimed = n - n // _FAR if count else 0
    if not aimed:
        return columns
    turn, place = np.divmod(np.arange(aimed), count)
    chosen = rng.permutation(count)[place]
    rows = of_family[chosen]
    # Rows begin at different aims, so that few packets already meet all kinds of bounds.
    target = (rng.integers(0, AIMS, count)[chosen] + turn) % AIMS
    for number, field in enumerate(_FIELDS):
        lo, hi = rows[f"{field}_lo"], rows[f"{field}_hi"]
        end = np.where(target // _ENDS == number, target % _ENDS, rng.choice(np.array([1, 2, 4]), aimed, p=[0.2, 0.2, 0.6]))
        if field in _LAST_NUMBER:
            getattr(columns, field)[:aimed] = aim_number(rng, lo, hi, end, _LAST_NUMBER[field])
        else:
            getattr(columns, field)[:aimed] = _octets(aim_address(rng, lo, hi, end, _LAST[family]), family)
    for field, every in (("direction", BOTH), ("interface", ALL)):
        other = rng.random(aimed) < _OTHER_WAY
        drawn = getattr(columns, field)[:aimed]
        getattr(columns, field)[:aimed] = np.where(rows[field] == every, drawn, rows[field] ^ other)
    return columns


def aim_number(
    rng: np.random.Generator,
    lo: npt.NDArray[np.integer],
    hi: npt.NDArray[np.integer],
    end: npt.NDArray[np.integer],
    last: int,
) -> npt.NDArray[np.int64]:
    """Return a number for each range.

    Parameters
    ----------
    rng : numpy.random.Generator
    lo, hi : numpy.ndarray of integers, shape (n,)
        Inclusive ranges.
    end : numpy.ndarray of integers, shape (n,)
        0 one below the range, 1 its first, 2 its last, 3 one above it, 4 anywhere inside.
    last : int
        Highest number of the field; nothing goes beyond it, nor below 0.
    """
    low, high = lo.astype(np.int64), hi.astype(np.int64)
    inside = rng.integers(low, high + 1)
    value: npt.NDArray[np.int64] = np.choose(end, [low - 1, low, high, high + 1, inside])
    return np.clip(value, 0, last)


def aim_address(
    rng: np.random.Generator, lo: Words, hi: Words, end: npt.NDArray[np.integer], last: tuple[int, int]
) -> npt.NDArray[Any]:
    """Do as `aim_number` for addresses of two words, with carries from one to the other; shape (n, 2)."""
    one = np.uint64(1)
    before, after = lo.copy(), hi.copy()
    before[:, 0] -= lo[:, 1] == 0
    before[:, 1] -= one
    before[~lo.any(axis=1)] = 0
    after[:, 0] += hi[:, 1] == _ONES
    after[:, 1] += one
    after[(hi == np.array(last, np.uint64)).all(axis=1)] = last
    inside = np.empty_like(lo)
    inside[:, 0] = rng.integers(lo[:, 0], hi[:, 0], dtype=np.uint64, endpoint=True)
    inside[:, 1] = rng.integers(
        np.where(inside[:, 0] == lo[:, 0], lo[:, 1], np.uint64(0)),
        np.where(inside[:, 0] == hi[:, 0], hi[:, 1], _ONES),
        dtype=np.uint64,
        endpoint=True,
    )
    return np.choose(end[:, None], [before, lo, hi, after, inside])


def _anywhere(rng: np.random.Generator, n: int, family: int) -> Columns:
    columns = blank(n)
    columns.family[:] = family
    width = 4 if family == 4 else 16
    for field in ("src", "dst"):
        getattr(columns, field)[:, :width] = rng.integers(0, 256, (n, width), np.uint8)
    columns.protocol[:] = rng.integers(0, 256, n)
    columns.sport[:] = rng.integers(0, 65536, n)
    columns.dport[:] = rng.integers(0, 65536, n)
    columns.direction[:] = rng.integers(0, 2, n)
    columns.interface[:] = rng.integers(0, 2, n)
    return columns


def _octets(words: npt.NDArray[Any], family: int) -> npt.NDArray[np.uint8]:
    octets = np.ascontiguousarray(words).astype(">u8").view(np.uint8).reshape(len(words), 16)
    if family == 6:
        return octets
    low = np.zeros_like(octets)
    low[:, :4] = octets[:, 12:]
    return low
