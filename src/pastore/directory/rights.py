"""Whether a security descriptor lets a computer apply a Group Policy object: the one right of the DACL that the question needs.

[MS-DTYP] 2.4.6 security descriptors, 2.4.5 ACLs, 2.4.4 ACEs, 2.4.2 SIDs; [MS-ADTS] 5.1.3.2.1 the extended right.
"""

import struct
from collections.abc import Set
from enum import Enum
from typing import Final
from uuid import UUID

APPLY_GROUP_POLICY: Final = UUID("edacfd8f-ffb3-11d1-b41d-00a0c968f939")

EVERYONE: Final = "S-1-1-0"
AUTHENTICATED_USERS: Final = "S-1-5-11"
THIS_ORGANIZATION: Final = "S-1-5-15"

_CONTROL_ACCESS: Final = 0x00000100
_GENERIC_ALL: Final = 0x10000000
_INHERIT_ONLY: Final = 0x08
_DACL_PRESENT: Final = 0x0004
_OBJECT_TYPE: Final = 0x1
_INHERITED_TYPE: Final = 0x2
_ALLOW: Final = (0x00, 0x05)
_DENY: Final = (0x01, 0x06)
_OBJECT: Final = (0x05, 0x06)
_CONDITIONAL: Final = (0x09, 0x0A, 0x0B, 0x0C)


class Right(Enum):
    """Whether a right is had."""

    GRANTED = "granted"
    DENIED = "denied"
    ABSENT = "absent"  # nobody of the token is given it
    UNKNOWN = "unknown"


def may_apply(descriptor: bytes, token: Set[str]) -> Right:
    """Say whether a computer has the right Apply Group Policy.

    Parameters
    ----------
    descriptor : bytes
        ``nTSecurityDescriptor`` with its DACL.
    token : set of str
        SIDs of the computer and of all groups it belongs to.

    Returns
    -------
    Right
        UNKNOWN if the descriptor is damaged, or a conditional entry would have to be evaluated before the answer is reached.
    """
    try:
        return _walk(descriptor, token)
    except (struct.error, ValueError):
        return Right.UNKNOWN


def _walk(descriptor: bytes, token: Set[str]) -> Right:
    revision, _, control, _, _, _, at = struct.unpack_from("<BBHIIII", descriptor)
    if revision != 1:
        return Right.UNKNOWN
    if not control & _DACL_PRESENT or at == 0:
        return Right.GRANTED  # without a DACL nothing is protected
    _, _, size, count, _ = struct.unpack_from("<BBHHH", descriptor, at)
    acl = descriptor[at : at + size]
    if len(acl) != size:
        return Right.UNKNOWN
    place = 8
    for _ in range(count):
        kind, flags, length, mask = struct.unpack_from("<BBHI", acl, place)
        entry = acl[place : place + length]
        if length < 16 or len(entry) != length:
            return Right.UNKNOWN
        place += length
        if flags & _INHERIT_ONLY or not mask & (_CONTROL_ACCESS | _GENERIC_ALL):
            continue
        if kind in _CONDITIONAL:
            return Right.UNKNOWN
        if kind not in _ALLOW and kind not in _DENY:
            continue
        sid_at = 8
        if kind in _OBJECT:
            (present,) = struct.unpack_from("<I", entry, 8)
            sid_at = 12
            if present & _OBJECT_TYPE:
                if UUID(bytes_le=entry[12:28]) != APPLY_GROUP_POLICY:
                    continue
                sid_at += 16
            if present & _INHERITED_TYPE:
                sid_at += 16
        if sid_text(entry[sid_at:]) in token:
            return Right.GRANTED if kind in _ALLOW else Right.DENIED
    return Right.ABSENT


def sid_text(data: bytes) -> str:
    """Return a SID as text; bytes behind it do not matter.

    Raises
    ------
    ValueError
        If the bytes are none.
    """
    if len(data) < 8 or data[0] != 1 or data[1] > 15 or len(data) < 8 + 4 * data[1]:
        raise ValueError("no SID")
    parts = struct.unpack_from(f"<{data[1]}I", data, 8)
    return "-".join(["S-1", str(int.from_bytes(data[2:8], "big")), *map(str, parts)])
