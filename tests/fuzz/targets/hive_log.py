"""Any bytes as the transaction log of a hive that was not written completely: applied or refused, never an exception.

The hive is always the same one. The input is tried as it is, and as the entries of a log whose checksums and hashes are made to
match, for otherwise hardly any would be applied. The findings say that logs were applied, or why they were not.
"""

import logging
import struct
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from pastore.sources import hive_logs, hive_reader
from pastore.sources.hive_logs import marvin32
from pastore.sources.registry import load_tree
from tests.fuzz import checks
from tests.support.hive_reading import in_this_process
from tests.support.hives import Bins, differing_pages, entry, new_log, old_log, patched, sealed

__all__ = ["check", "hive_logs", "hive_reader", "seeds"]

CODES: Final = {"PA112", "PA113", "PA114", "PA115", "PA116", "PA123"}
LONGEST: Final = 8192
WORDS: Final = (b"HvLE", b"DIRT", b"regf", *(n.to_bytes(4, "little") for n in (7, 8, 512, 4096, 8192)))
_HEAD: Final = 512
_ENTRY: Final = 40

logging.getLogger("regipy").setLevel(logging.CRITICAL + 1)


def _hive(name: str) -> bytes:
    """Return the hive of a store with one policy."""
    bins = Bins()
    values = bins.values(bins.value("ipsecName", 1, f"{name}\0".encode("utf-16-le")), bins.value("whenChanged", 4, b"\1\2\3\4"))
    one = bins.key("ipsecPolicy{6f1f3b8e-0c5a-4c1e-9d8e-0a2b6d1c7f01}", values=2, value_list=values)
    return bins.hive(bins.key("Local", subkeys=1, subkey_list=bins.list(b"lf", one)))


_DIRTY: Final = patched(_hive("First"), (4, 8), (8, 7))


def check(data: bytes) -> None:
    """See above."""
    for log in (data, _matching(data)):
        with tempfile.TemporaryDirectory(prefix="pastore-fuzz-") as folder:
            root, findings = in_this_process(_DIRTY, Path(folder), LOG1=log)
        codes = {finding.code for finding in findings}
        assert codes <= CODES, codes
        assert codes & {"PA115", "PA116"}
        checks.explained(load_tree(root, source="x", findings=findings), data)


def _matching(data: bytes) -> bytes:
    """Return a log with the right checksum and hashes, its head that of the hive's own log where there is none."""
    head = data[:_HEAD] if data.startswith(b"regf") and len(data) >= _HEAD else new_log(_DIRTY)
    entries = bytearray(data[_HEAD:] if data.startswith(b"regf") else data)
    at = 0
    while at + _ENTRY <= len(entries):
        (size,) = struct.unpack_from("<I", entries, at + 4)
        if size < _ENTRY or size % 512 or at + size > len(entries):
            break
        struct.pack_into("<Q", entries, at + 24, marvin32(bytes(entries[at + _ENTRY : at + size])))
        struct.pack_into("<Q", entries, at + 32, marvin32(bytes(entries[at : at + 32])))
        at += size
    return bytes(sealed(head)) + bytes(entries)


def seeds() -> Iterator[bytes]:
    """Yield logs of both formats, one of them with two entries."""
    other = _hive("Other")
    pages = differing_pages(_DIRTY, other)
    first = entry(7, len(other) - 4096, pages)
    yield new_log(_DIRTY, first)
    yield first + entry(8, len(other) - 4096, pages)
    yield new_log(_DIRTY, entry(7, len(other), [(0, bytes(512)), (512, b"hbin")]))
    small = {at // 512: page for at, page in differing_pages(_DIRTY, other, 512)}
    yield old_log(patched(_DIRTY, (4, 8), (8, 8)), small)
