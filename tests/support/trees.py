"""A registry tree as the mapping that the writers of tests take."""

import struct

from pastore.sources.registry import Key, Kind
from tests.support.reg_text import Hex, RegValue


def keys_of(root: Key) -> dict[str, dict[str, RegValue]]:
    """Return every key but the root, with its values; those of other types than the common four as `Hex`."""
    return {
        key.path: {value.name: _stored(value.kind, value.data) for value in key.values.values()}
        for key in root.walk()
        if key.parent is not None
    }


def _stored(kind: int, data: object) -> RegValue:
    if kind == Kind.SZ and isinstance(data, str):
        return data
    if kind == Kind.DWORD and isinstance(data, int):
        return data
    if kind == Kind.MULTI_SZ and isinstance(data, tuple):
        return data
    if kind == Kind.BINARY and isinstance(data, bytes):
        return data
    if isinstance(data, str):
        return Hex(kind, f"{data}\0".encode("utf-16-le"))
    if isinstance(data, int):
        return Hex(kind, struct.pack("<Q" if kind == Kind.QWORD else "<I", data))
    assert isinstance(data, bytes)
    return Hex(kind, data)
