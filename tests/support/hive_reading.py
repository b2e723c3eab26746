"""Reading hives without a child process, by the same functions, for tests that read thousands."""

from itertools import chain
from pathlib import Path

from pastore.findings import Finding
from pastore.sources import hive, hive_reader
from pastore.sources.hive_head import LOG_TYPES, DamageError, base_block
from pastore.sources.registry import Key


def in_this_process(data: bytes, folder: Path, **logs: bytes) -> tuple[Key, tuple[Finding, ...]]:
    """Read a hive with the function that the child process runs; the folder is only written to where logs are needed."""
    try:
        block = base_block(data)
    except DamageError:
        return hive.read(data, "x")  # no child is started
    if block.kind in LOG_TYPES:
        return hive.read(data, "x")
    if not (logs and block.is_dirty):
        return hive.tree(chain(hive_reader.keys(data, block), [["end"]]), "x", block)
    (folder / "hive").write_bytes(data)
    for name, log in logs.items():
        (folder / name).write_bytes(log)
    places = {name: str(folder / name) for name in logs}
    request = hive_reader.Request(str(folder / "hive"), places, str(folder), False, hive_reader.limits(len(data)))
    return hive.tree(hive_reader.records(request), "x", block)
