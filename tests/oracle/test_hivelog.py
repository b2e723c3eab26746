"""Transaction logs held against regipy, which is another reader of them.

Only what both do: one log of the new format that starts with the next entry and does not make the hive larger. regipy takes
entries whatever their sequence numbers and hashes are, so the rest has no second opinion.
"""

import subprocess
import sys
from itertools import pairwise
from pathlib import Path

from pastore.sources import hivelog
from pastore.sources.regf import base_block
from tests.support import stored_policy
from tests.support.hives import differing_pages, entry, new_log, patched, write_hive

# In a process of its own: it logs, and its imports may warn.
RECOVER = """
import sys
from regipy.recovery import apply_transaction_logs
apply_transaction_logs(sys.argv[1], sys.argv[2], restored_hive_path=sys.argv[3])
"""


def test_regipy_recovers_the_same_bins(tmp_path: Path) -> None:
    names = ("First", "Other", "Third")
    states = [write_hive(tmp_path / name, stored_policy.export(name=name, blocked=3)).read_bytes() for name in names]
    dirty = patched(states[0], (4, 9), (8, 7))
    entries = [
        entry(7 + n, len(states[0]) - 4096, differing_pages(before, after)) for n, (before, after) in enumerate(pairwise(states))
    ]
    log = new_log(dirty, *entries)
    (tmp_path / "SOFTWARE").write_bytes(dirty)
    (tmp_path / "SOFTWARE.LOG1").write_bytes(log)
    paths = [str(tmp_path / name) for name in ("SOFTWARE", "SOFTWARE.LOG1", "restored")]
    done = subprocess.run([sys.executable, "-c", RECOVER, *paths], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    restored = (tmp_path / "restored").read_bytes()
    applied = hivelog.apply(dirty, base_block(dirty), {"SOFTWARE.LOG1": log})
    assert restored[4096:] == applied.data[4096:] == states[2][4096:]
    assert states[2] != states[0]
