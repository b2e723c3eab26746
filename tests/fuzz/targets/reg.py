"""Any bytes as a registry export: read without an exception, with a policy or the reason why there is none.

The reader's findings are of its own codes and in lines that the file has. A policy that is read can be written as an export and
is read from it as the same one.
"""

import re
from collections.abc import Iterator
from typing import Final

from pastore.export import reg as export
from pastore.findings import Finding
from pastore.sources import reg
from pastore.sources.loaded import Loaded
from pastore.sources.registry import load_tree
from tests.fuzz import checks

CODES: Final = {"PA110", "PA111", "PA112", "PA113", "PA123"}
WORDS: Final = (
    b"Windows Registry Editor Version 5.00",
    b"REGEDIT4",
    b'"ipsecData"=hex:',
    b'"ActivePolicy"=',
    b'"ipsecNFAReference"=hex(7):',
    b"dword:",
    b"hex(1):",
    b"\\\r\n  ",
    b"[-HKEY_LOCAL_MACHINE",
    b"\xff\xfe",
    b"\xfe\xff",
)


def check(data: bytes) -> None:
    """See above."""
    root, findings = reg.read(data, "x.reg")
    assert {finding.code for finding in findings} <= CODES
    lines = len(re.findall(rb"\n|\r", data)) + 1
    loaded = load_tree(root, source="x.reg", findings=findings)
    checks.explained(loaded, data, lines)
    checks.stored_again(loaded.policies[:2], lambda one: export.write(one, secrets=True), _read, keeps_assignment=True)


def _read(data: bytes) -> Loaded:
    root, findings = reg.read(data, "y.reg")
    assert not [finding for finding in findings if finding.code in CODES], _codes(findings)
    return load_tree(root, source="y.reg", findings=findings)


def _codes(findings: tuple[Finding, ...]) -> list[str]:
    return [finding.code for finding in findings]


def seeds() -> Iterator[bytes]:
    """Yield small stores in each encoding, with a key, with a domain's assignment."""
    from tests.support import stored_policy
    from tests.support.example import registry
    from tests.support.exporting import keyed
    from tests.support.policies import flt, policy, rule
    from tests.support.reg_text import STYLES, reg_text
    from tests.support.registry import cached

    small = keyed(
        policy(rule("Rest", "block", flt("any > me")), rule("In", "protect", flt("tcp 10.0.0.0/8 > me:443")), name="One")
    )
    yield reg_text(registry(policy(name="Empty")), "utf8")
    for style in STYLES:
        yield reg_text(stored_policy.export(blocked=1), style)
        yield reg_text(registry(small, assigned=small), style)
    yield reg_text(cached(small), "utf8")
    yield reg_text({rf"{stored_policy.SERVICES}\PolicyAgent": {"NoDefaultExempt": 1}, **registry(small)}, "utf8")
