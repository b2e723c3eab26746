"""Any bytes as a registry hive: read without an exception, with a policy or the reason why there is none.

The functions are those of the child process that reads hives, run in this one. Findings are of the reader's own codes, and not
more than are listed. A policy that is read can be written as a registry export and is read from that as the same one.
"""

import logging
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from pastore.export import reg as export
from pastore.sources import hive_cells, hive_keys, hive_logs, hive_reader, reg
from pastore.sources.loaded import Loaded
from pastore.sources.registry import load_tree
from tests.fuzz import checks
from tests.support.hive_reading import in_this_process

__all__ = ["check", "hive_cells", "hive_keys", "hive_logs", "hive_reader", "seeds"]

CODES: Final = {"PA112", "PA113", "PA114", "PA115", "PA123"}
LONGEST: Final = 16_384
WORDS: Final = (b"regf", b"hbin", b"nk", b"vk", b"lf", b"lh", b"li", b"ri", b"db", b"\xff\xff\xff\xff", b"\x04\0\0\x80")

logging.getLogger("regipy").setLevel(logging.CRITICAL + 1)


def check(data: bytes) -> None:
    """See above."""
    root, findings = in_this_process(data, Path())
    assert {finding.code for finding in findings} <= CODES, {finding.code for finding in findings} - CODES
    loaded = load_tree(root, source="x", findings=findings)
    checks.explained(loaded, data)
    checks.stored_again(loaded.policies[:2], lambda one: export.write(one, secrets=True), _read, keeps_assignment=True)


def _read(data: bytes) -> Loaded:
    root, findings = reg.read(data, "y.reg")
    return load_tree(root, source="y.reg", findings=findings)


def seeds() -> Iterator[bytes]:
    """Yield hives that hivex wrote, of one bin each, whole and of the store alone."""
    from tests.support import stored_policy
    from tests.support.example import registry
    from tests.support.exporting import keyed
    from tests.support.hives import NONE, Bins, patched, write_hive
    from tests.support.policies import flt, policy, rule

    small = keyed(policy(rule("Rest", "block", flt("any > me")), name="One"))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "hive")
        for below in (stored_policy.LOCAL, r"HKEY_LOCAL_MACHINE\SOFTWARE"):
            yield (data := write_hive(path, stored_policy.export(blocked=0), below=below).read_bytes())
            yield patched(data, (4, 9))
            yield write_hive(path, registry(small, assigned=small), below=below).read_bytes()
        services = {rf"{stored_policy.SERVICES}\PolicyAgent": {"NoDefaultExempt": 1}}
        yield write_hive(path, services, below=r"HKEY_LOCAL_MACHINE\SYSTEM").read_bytes()
    for kind in (b"lf", b"lh", b"li", b"ri"):
        bins = Bins()
        values = bins.values(bins.value("ipsecName", 1, "Name\0".encode("utf-16-le")), bins.value("whenChanged", 4, b"\1\2\3\4"))
        one = bins.key("ipsecPolicy{6f1f3b8e-0c5a-4c1e-9d8e-0a2b6d1c7f01}", values=2, value_list=values)
        children = bins.list(kind, bins.list(b"lf", one) if kind == b"ri" else one)
        yield bins.hive(bins.key("Local", subkeys=1, subkey_list=children))
    bins = Bins()
    parts = bins.values(*(bins.add(bytes(4000)) for _ in range(1)))
    big = bins.value("ipsecData", 3, b"", size=20_000, place=bins.add(b"db\1\0" + parts.to_bytes(4, "little")))
    yield bins.hive(bins.key("Local", values=1, value_list=bins.values(big), subkeys=0, subkey_list=NONE))
