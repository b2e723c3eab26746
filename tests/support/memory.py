"""The most memory that a process held.

Of a process that was started by another, ``ru_maxrss`` counts what the other held: a test's own megabytes. And of this process it
counts what some test long before held.
"""

import re
import resource
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final, NamedTuple

_STATUS: Final = Path("/proc/self/status")
_RESET: Final = Path("/proc/self/clear_refs")

# The command is a child of a small interpreter, so that the most which its parents held is this one's few megabytes.
_BETWEEN: Final = """
import resource, subprocess, sys
got = subprocess.run(sys.argv[1:], capture_output=True)
sys.stdout.buffer.write(got.stdout)
sys.stderr.buffer.write(got.stderr)
peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
sys.stderr.write(f"\\n{got.returncode} {peak}")
"""


class Measured(NamedTuple):
    """What a command gave, and the most memory that it, or a process it started, held in KiB."""

    status: int
    out: bytes
    err: bytes
    peak: int


def run_measured(command: Sequence[str]) -> Measured:
    """Run a command to its end."""
    done = subprocess.run([sys.executable, "-S", "-c", _BETWEEN, *command], capture_output=True, check=True)
    err, _, last = done.stderr.rpartition(b"\n")
    status, peak = map(int, last.split())
    return Measured(status, done.stdout, err, peak)


class Growth:
    """What this process took more than it held before, in KiB; known once the block has ended."""

    kib: int


@contextmanager
def growth() -> Iterator[Growth]:
    """Measure the block."""
    growth = Growth()
    _RESET.write_text("5")  # proc(5): the peak becomes what is held now
    before = _peak()
    yield growth
    growth.kib = _peak() - before


def _peak() -> int:
    found = re.search(r"^VmHWM:\s+(\d+) kB$", _STATUS.read_text(), re.MULTILINE)
    return int(found[1]) if found else resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
