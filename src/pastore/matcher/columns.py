"""The columns of `Matcher.classify`: used as they are where they fit, else converted without losing a bit."""

from typing import Any, Final, NamedTuple

import numpy as np
import numpy.typing as npt

from pastore.filters.specific import IN, LAN, OUT, RAS

DIRECTIONS: Final = {"in": IN, "out": OUT, IN: IN, OUT: OUT}
INTERFACES: Final = {"lan": LAN, "ras": RAS, LAN: LAN, RAS: RAS}

_LIMITS: Final = {np.dtype(t): int(np.iinfo(t).max) for t in (np.uint8, np.uint16, np.uint32)}


class Columns(NamedTuple):
    """Columns as the extension takes them: contiguous, aligned, of the right type and of one length."""

    family: int
    src: npt.NDArray[Any]
    dst: npt.NDArray[Any]
    protocol: npt.NDArray[np.uint8]
    sport: npt.NDArray[np.uint16]
    dport: npt.NDArray[np.uint16]
    direction: npt.NDArray[np.uint8] | None
    one_direction: int
    interface: npt.NDArray[np.uint8] | None
    one_interface: int


def columns_of(
    src: npt.ArrayLike,
    dst: npt.ArrayLike,
    protocol: npt.ArrayLike,
    sport: npt.ArrayLike,
    dport: npt.ArrayLike,
    direction: str | npt.ArrayLike,
    interface: str | npt.ArrayLike,
) -> Columns:
    """Check and, where needed, convert the columns of `Matcher.classify`.

    Raises
    ------
    ValueError
        If a column has the wrong shape or kind, or a value does not fit; the message names the column.
    """
    family, src = _addresses("src", src)
    dst_family, dst = _addresses("dst", dst)
    if dst_family != family:
        raise ValueError(f"dst: addresses of IPv{dst_family}, but src has IPv{family}")
    if len(dst) != len(src):
        raise ValueError(f"dst: {len(dst)} addresses, but src has {len(src)}")
    n = len(src)
    direction_column, one_direction = _codes("direction", direction, DIRECTIONS, n)
    interface_column, one_interface = _codes("interface", interface, INTERFACES, n)
    return Columns(
        family,
        src,
        dst,
        _numbers("protocol", protocol, np.dtype(np.uint8), (n,)),
        _numbers("sport", sport, np.dtype(np.uint16), (n,)),
        _numbers("dport", dport, np.dtype(np.uint16), (n,)),
        direction_column,
        one_direction,
        interface_column,
        one_interface,
    )


def _addresses(name: str, value: npt.ArrayLike) -> tuple[int, npt.NDArray[Any]]:
    column = np.asarray(value)
    if column.ndim == 2 and column.shape[1] == 16:
        return 6, _numbers(name, column, np.dtype(np.uint8), column.shape)
    if column.ndim == 1:
        return 4, _numbers(name, column, np.dtype(np.uint32), column.shape)
    raise ValueError(f"{name}: expected shape (n,) for IPv4 or (n, 16) for IPv6, got {column.shape}")


def _numbers(name: str, value: npt.ArrayLike, dtype: np.dtype[Any], shape: tuple[int, ...]) -> npt.NDArray[Any]:
    """Return `value` as a contiguous array of `dtype`; without a copy if it is one. A single value is repeated."""
    column = np.asarray(value)
    if column.shape not in ((), shape):
        raise ValueError(f"{name}: expected {shape[0]} values, got shape {column.shape}")
    if column.dtype != dtype:
        if column.size and not np.issubdtype(column.dtype, np.integer):
            raise ValueError(f"{name}: expected integers, got {column.dtype}")
        if column.size and (int(column.min()) < 0 or int(column.max()) > _LIMITS[dtype]):
            raise ValueError(f"{name}: values must be 0 to {_LIMITS[dtype]}")
        column = column.astype(dtype)
    if column.shape != shape:
        return np.full(shape, column, dtype)
    return np.require(column, requirements=["C", "A"])


def _codes(name: str, value: str | npt.ArrayLike, codes: dict[Any, int], n: int) -> tuple[npt.NDArray[np.uint8] | None, int]:
    """Return a column, or None and the one code that all packets have. The extension rejects unknown codes in a column."""
    if isinstance(value, str | int):
        return None, code_of(name, value, codes)
    return _numbers(name, value, np.dtype(np.uint8), (n,)), 0


def code_of(name: str, value: str | int, codes: dict[Any, int]) -> int:
    """Return the code of a direction or interface type given as a word or as its code."""
    code = codes.get(value)
    if code is None:
        words = " or ".join(f'"{word}"' for word in codes if isinstance(word, str))
        raise ValueError(f"{name}: {value!r} is not {words}")
    return code
