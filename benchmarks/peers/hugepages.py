"""Huge pages of 2 MB, reserved for a while: DPDK takes nothing else without being slower for it."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

RESERVED: Final = Path("/proc/sys/vm/nr_hugepages")
FREE: Final = Path("/sys/kernel/mm/hugepages/hugepages-2048kB/free_hugepages")


@contextmanager
def hugepages(wanted: int) -> Iterator[str]:
    """Have so many free huge pages; give back what was taken.

    Yields
    ------
    str
        Empty, or why there are not enough of them.
    """
    try:
        before, free = int(RESERVED.read_text()), int(FREE.read_text())
    except (OSError, ValueError):
        yield "this kernel has no huge pages of 2 MB"
        return
    short = wanted - free
    if short <= 0:
        yield ""
        return
    try:
        RESERVED.write_text(str(before + short))
    except OSError:
        yield "no right to reserve huge pages"
        return
    try:
        free = int(FREE.read_text())
        yield "" if free >= wanted else f"only {free} of {wanted} huge pages could be reserved"
    finally:
        RESERVED.write_text(str(before))
