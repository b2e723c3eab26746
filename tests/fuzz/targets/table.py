"""Any bytes as a compiled table: opened or refused with a sentence, as they are and with length and checksum made to match.

What is opened can be asked everything: its findings, the origin of each row, what explains it, a verdict for packets at the
bounds of its rows. The table answers those as the linear scan over its rows does. (What the core does with memory is proved by
``ext/fuzz/fuzz_load.c``, with the sanitizers.)
"""

import os
import struct
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import numpy as np

from pastore.analysis.aim import aim
from pastore.matcher import Matcher, TableError
from pastore.verify.proof import against_scan
from tests.support.tables import HEADER_BYTES, signed

LONGEST: Final = 16_384
WORDS: Final = (
    b'["',
    b'"]',
    b"null",
    b"true",
    b"[[]]",
    b"{}",
    b"\\u0000",
    b"1e999",
    b"NaN",
    *(bytes([n, 0, 0, 0]) for n in range(1, 12)),
)
_PLACE: Final = Path("/dev/shm" if os.path.isdir("/dev/shm") else tempfile.gettempdir())  # noqa: S108 - a folder of our own is made there
_ROWS: Final = 500


def check(data: bytes) -> None:
    """See above."""
    with tempfile.TemporaryDirectory(prefix="pastore-fuzz-", dir=_PLACE) as folder:
        path = Path(folder, "x.pastore")
        for table in (data, _matching(data)):
            path.write_bytes(table)
            try:
                matcher = Matcher.open(path)
            except TableError:  # which is a sentence for the user
                continue
            _ask(matcher)


def _ask(matcher: Matcher) -> None:
    assert all(finding.message is not None for finding in matcher.findings)
    rows = matcher.filters
    if len(rows) > _ROWS:
        return
    for source in rows.sources:
        assert source.text is not None
    if matcher.background is not None:
        assert len(matcher.background.weights) == len(rows)
    if len(rows) and np.all(rows.rows["rank"][1:] >= rows.rows["rank"][:-1]):
        assert against_scan(matcher, aim(rows, 50)).different == 0


def _matching(data: bytes) -> bytes:
    """Return a table with the label, version, length and checksum that belong to its bytes."""
    if len(data) < HEADER_BYTES:
        return data
    return signed(b"\x89PST\r\n\x1a\n" + struct.pack("<IIQ", 0x01020304, 1, len(data)) + data[24:])


def seeds() -> Iterator[bytes]:
    """Yield small tables, with and without what explains them."""
    from pastore.api import compile
    from pastore.filters.specific import SpecificFilters
    from tests.support.policies import flt, policy, rule

    rows = SpecificFilters.from_columns(src_lo=[1], src_hi=[9], dst_lo=[0], dst_hi=[2**32 - 1], action="block")
    small = policy(rule("Rest", "block", flt("any > me")), rule("In", "allow", flt("tcp 10.0.0.0/8 > me:443")), name="One")
    with tempfile.TemporaryDirectory() as folder:
        for matcher in (compile(rows), compile(small, me=["10.9.0.7"]), Matcher(rows, memory_limit=1 << 20)):
            matcher.save(path := Path(folder, "x"))
            yield path.read_bytes()
