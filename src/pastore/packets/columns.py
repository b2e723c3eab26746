"""What every reader of packets gives: columns, and what was wrong."""

from collections.abc import Sequence
from typing import Any, Final, NamedTuple

import numpy as np
import numpy.typing as npt

UNKNOWN: Final = 255  # a direction or interface the source does not tell


class Damage(NamedTuple):
    """Something wrong with a source of packets; the caller turns it into a finding.

    Parameters
    ----------
    code : str
        A code of the findings registry: PA101, PA102, PA150, PA151, PA152 or PA153.
    message : str
        One sentence about this case.
    line : int, optional
        One-based line of a text source.
    fatal : bool
        Whether no packet could be had from the source because of it.
    """

    code: str
    message: str
    line: int | None = None
    fatal: bool = False


class Columns(NamedTuple):
    """One row for each packet; see `pastore.packets.PacketBatch` for what the columns mean."""

    frame: npt.NDArray[np.int64]
    family: npt.NDArray[np.uint8]
    protocol: npt.NDArray[np.uint8]
    src: npt.NDArray[np.uint8]
    dst: npt.NDArray[np.uint8]
    sport: npt.NDArray[np.uint16]
    dport: npt.NDArray[np.uint16]
    direction: npt.NDArray[np.uint8]
    interface: npt.NDArray[np.uint8]
    damage: tuple[Damage, ...] = ()
    skipped: int = 0


# Type and second dimension of each array of Columns.
_TYPES: Final[dict[str, tuple[Any, tuple[int, ...]]]] = {
    "frame": (np.int64, ()),
    "family": (np.uint8, ()),
    "protocol": (np.uint8, ()),
    "src": (np.uint8, (16,)),
    "dst": (np.uint8, (16,)),
    "sport": (np.uint16, ()),
    "dport": (np.uint16, ()),
    "direction": (np.uint8, ()),
    "interface": (np.uint8, ()),
}


def blank(n: int = 0, *damage: Damage) -> Columns:
    """Return `n` rows of zeros whose direction and interface are unknown."""
    return Columns(
        frame=np.zeros(n, np.int64),
        family=np.zeros(n, np.uint8),
        protocol=np.zeros(n, np.uint8),
        src=np.zeros((n, 16), np.uint8),
        dst=np.zeros((n, 16), np.uint8),
        sport=np.zeros(n, np.uint16),
        dport=np.zeros(n, np.uint16),
        direction=np.full(n, UNKNOWN, np.uint8),
        interface=np.full(n, UNKNOWN, np.uint8),
        damage=damage,
    )


def checked(columns: Columns) -> Columns:
    """Return the same columns after asserting their types and one length, and make them read-only.

    Raises
    ------
    ValueError
        If a column has another type or shape; the message names it.
    """
    n = len(columns.frame)
    for name, (kind, width) in _TYPES.items():
        column: npt.NDArray[Any] = getattr(columns, name)
        if column.dtype != kind or column.shape != (n, *width):
            raise ValueError(f"{name}: expected {(n, *width)} {np.dtype(kind)}, got {column.shape} {column.dtype}")
        column.flags.writeable = False
    return columns


def address_bytes(family: int, value: int) -> bytes:
    """Return an address as the 16 bytes a row holds: network order, IPv4 in the first four, the rest 0."""
    return value.to_bytes(4, "big") + bytes(12) if family == 4 else value.to_bytes(16, "big")


def rows(packets: Sequence[tuple[int, int, int, bytes, bytes, int, int, int, int]], damage: tuple[Damage, ...] = ()) -> Columns:
    """Turn tuples (frame, family, protocol, src, dst, sport, dport, direction, interface) into columns."""
    columns = blank(len(packets))
    if not packets:
        return columns._replace(damage=damage)
    frame, family, protocol, src, dst, sport, dport, direction, interface = zip(*packets, strict=True)
    columns.frame[:] = frame
    columns.family[:] = family
    columns.protocol[:] = protocol
    columns.src[:] = np.frombuffer(b"".join(src), np.uint8).reshape(-1, 16)
    columns.dst[:] = np.frombuffer(b"".join(dst), np.uint8).reshape(-1, 16)
    columns.sport[:] = sport
    columns.dport[:] = dport
    columns.direction[:] = direction
    columns.interface[:] = interface
    return columns._replace(damage=damage)
