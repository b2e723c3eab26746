"""Any bytes as a file to load: told from its bytes and read, or refused with the reason, never an exception.

Compressed it gives the same. Telling the format looks at the first 64 KiB alone. Hives are left to their own target, because each
is read in a process of its own.
"""

import gzip
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from pastore.filters.specific import SpecificFilters
from pastore.sources import classbench, ldif, load, netsh, policy_json, reg, registry, regquery
from pastore.sources.loaded import Loaded
from pastore.sources.reading import SourceError, read_bytes
from pastore.sources.sniff import COMPILED, READ, sniff
from tests.fuzz import checks
from tests.fuzz.targets.netsh import few_steps

__all__ = ["check", "classbench", "ldif", "netsh", "policy_json", "reg", "registry", "regquery", "seeds"]

LONGEST: Final = 4096
WORDS: Final = (
    b"regf",
    b"\x1f\x8b\x08",
    b"REGEDIT4\r\n",
    b"[HKEY_LOCAL_MACHINE\\",
    b"HKEY_LOCAL_MACHINE\\SOFTWARE\r\n    ",
    b"dn: CN=ipsecPolicy{",
    b'{"version": 1, "policy": {',
    b"@10.0.0.1/32\t",
    b"netsh ipsec static add policy",
    b"ipseccmd -",
    b"Policy Name : ",
    b"\xff\xfe",
    b"\xef\xbb\xbf",
)
_PLACE: Final = Path("/dev/shm" if os.path.isdir("/dev/shm") else tempfile.gettempdir())  # noqa: S108 - a folder of our own is made there


def check(data: bytes) -> None:
    """See above."""
    guess = sniff(data)
    assert guess.format in (*READ, COMPILED, None)
    assert guess.what
    assert sniff(data[:65536]) == guess
    with tempfile.TemporaryDirectory(prefix="pastore-fuzz-", dir=_PLACE) as folder:
        path = Path(folder, "x")
        path.write_bytes(data)
        try:
            if sniff(read_bytes(str(path))).format == "hive":
                return
        except SourceError:
            pass
        with few_steps():
            loaded = load(path)
            checks.explained(loaded, data)
            if not data.startswith(b"\x1f\x8b"):
                path.write_bytes(gzip.compress(data, 1))
                assert _shown(load(path)) == _shown(loaded)


def _shown(loaded: Loaded) -> object:
    """Return what can be compared: rows of filters are compared as bytes."""
    policy = loaded.policy
    return (policy.rows.tobytes() if isinstance(policy, SpecificFilters) else policy), loaded.findings, loaded.policies


def seeds() -> Iterator[bytes]:
    """Yield the smallest seed of each format, whole and compressed, a table's first bytes, and scripts of one line."""
    from tests.fuzz.targets import classbench, ldif, netsh_show, policy_json, reg, regquery

    for target in (classbench, ldif, netsh_show, policy_json, reg, regquery):
        smallest = min(target.seeds(), key=len)
        yield smallest
        yield gzip.compress(smallest, 9, mtime=0)
    yield b"\x89PST\r\n\x1a\n" + bytes(40)
    yield from (b"netsh ipsec static add policy name=x\r\n", b"ipsec static\r\n", b"Policy Name : x\r\n", b"ipseccmd -f 0+*\n")
    yield gzip.compress(b"", mtime=0) + gzip.compress(b"@1.2.3.4/5 6.7.8.9/10 1 : 2 3 : 4 0x06/0xFF\n", mtime=0) + b"\0\0"
