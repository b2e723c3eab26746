"""Any bytes as the output of reg query: read without an exception, with a policy or the reason why there is none.

The reader's findings are of its own codes and in lines that the file has. A policy that is read can be written as a registry
export and is read from that as the same one.
"""

from collections.abc import Iterator
from typing import Final

from pastore.export import reg as export
from pastore.sources import reg, regquery
from pastore.sources.loaded import Loaded
from pastore.sources.registry import load_tree
from tests.fuzz import checks

CODES: Final = {"PA111", "PA112", "PA113", "PA117", "PA118", "PA119"}
WORDS: Final = (
    b"HKEY_LOCAL_MACHINE\\",
    b"    REG_BINARY    ",
    b"    REG_SZ    ",
    b"    REG_MULTI_SZ    ",
    b"    REG_DWORD    0x",
    b"\tREG_SZ\t",
    b"\\0",
    b"    (Default)",
    b"<NO NAME>",
    b"\r\n\r\n",
    b"C:\\>reg query ",
    b"\xff\xfe",
)


def check(data: bytes) -> None:
    """See above."""
    root, findings = regquery.read(data, "x.txt")
    assert {finding.code for finding in findings} <= CODES
    loaded = load_tree(root, source="x.txt", findings=findings)
    # In UTF-16 a byte 10 may be half of another character, so this is the most there can be.
    checks.explained(loaded, data, data.count(b"\n") + 1)
    checks.stored_again(loaded.policies[:2], lambda one: export.write(one, secrets=True), _read, keeps_assignment=True)


def _read(data: bytes) -> Loaded:
    root, findings = reg.read(data, "y.reg")
    return load_tree(root, source="y.reg", findings=findings)


def seeds() -> Iterator[bytes]:
    """Yield a small store in some languages and encodings, with blanks and with tabs."""
    from tests.support import stored_policy
    from tests.support.example import registry
    from tests.support.exporting import keyed
    from tests.support.policies import flt, policy, rule
    from tests.support.reg_query import query_text

    small = keyed(policy(rule("Büro", "block", flt("any > me")), name="Köln"))
    yield query_text(registry(policy(name="Empty"))).encode()
    yield query_text(stored_policy.export(blocked=1)).encode()
    for language, encoding in (("en", "utf-8"), ("de", "cp850"), ("fr", "utf-16"), ("ru", "cp866")):
        yield query_text(registry(small, assigned=small), language).encode(encoding, "replace")
    yield query_text(registry(small), separator="\t").encode()
    yield b"C:\\>reg query HKLM\\X /s\r\n" + query_text(registry(small)).encode() + b"\r\nEnd of search: 3 match(es) found.\r\n"
