"""What the agent does, whatever the directory, the cached copy and local storage are like: what is in force, and every event."""

from collections.abc import Callable
from itertools import product
from pathlib import Path
from typing import Final

import pytest

from pastore.agent.machine import State
from pastore.agent.storages import LocalSource
from tests.support.agents import (
    FIRST,
    HOPELESS,
    ODD,
    ON_DISK,
    OTHER,
    SECOND,
    Domain,
    World,
    dn_of,
    with_interval,
    world,
)
from tests.support.registry import export

# The matrix

DIRECTORIES: Final = ("up", "down", "hung", "changed", "corrupt")
CACHES: Final = ("none", "good", "stale", "damaged")
STALE: Final = SECOND  # an older version of the policy that the directory has, FIRST

Cell = tuple[str | None, list[int]]


def expected(directory: str, cache: str) -> Cell:
    """Return what is in force after the start (the verdict of its rule 'Web') and the events, as domain knowledge has it."""
    if directory == "up":
        return "allow", [5478, 5473, 5456]
    if directory == "changed":
        return "block", [5478, 5473, 5456]
    lost = [5478, 5474] if directory in ("down", "hung") else [5478, 5473, 5457, 5477]
    verdict = {"good": "allow", "stale": "block"}.get(cache)
    return verdict, [*lost, 5458 if verdict else 5459]


def returning(directory: str, cache: str) -> list[int]:
    """Return the events of the next poll, when the directory is as it should be, with the policy FIRST."""
    if directory == "up":
        return [5463]
    if directory == "changed":
        return [5464]
    if cache == "good":
        return [5468] if directory == "corrupt" else [5467]  # whoever mends a policy changes it
    return [5468] if cache == "stale" else [5473, 5456]


def prepare(found: World, directory: str, cache: str) -> Callable[[], None]:
    """Make the world of a cell; how to mend its directory."""
    if cache in ("good", "stale"):
        found.domain.store(STALE if cache == "stale" else FIRST)
        found.engine.start()
        found.engine.stop()
        found.restart()
        if cache == "stale":
            found.domain.store(FIRST)
    elif cache == "damaged":
        found.engine.start()
        found.engine.stop()
        found.restart()
        data = bytearray(Path(found.cache.path).read_bytes())
        data[len(data) // 2] ^= 1
        Path(found.cache.path).write_bytes(data)
    domain = found.domain

    def mend() -> None:
        domain.is_up, domain.is_hung = True, False
        domain.release()
        if directory in ("changed", "corrupt"):
            domain.store(FIRST)

    if directory == "down":
        domain.is_up = False
    elif directory == "hung":
        domain.is_hung = True
    elif directory == "changed":
        domain.store(SECOND)
    elif directory == "corrupt":
        domain.store(HOPELESS)
        domain.break_policy(HOPELESS)
    return mend


@pytest.mark.parametrize("local", ["local policy", "no local policy"])
@pytest.mark.parametrize(("directory", "cache"), list(product(DIRECTORIES, CACHES)))
def test_matrix_of_starts(directory: str, cache: str, local: str, tmp_path: Path) -> None:
    storage = LocalSource(str(export(tmp_path, ON_DISK))) if local == "local policy" else None
    with world(local=storage, timeout=0.3 if directory == "hung" else 5.0) as found:
        mend = prepare(found, directory, cache)
        found.ids()
        found.engine.start()
        verdict, ids = expected(directory, cache)
        assert (found.verdict(), found.ids()) == (verdict, ids)
        assert found.name() == (None if verdict is None else "Server Isolation")  # and never the local one
        mend()
        assert found.until_answer() == returning(directory, cache)
        assert (found.verdict(), found.engine.state) == ("allow", State.DIRECTORY)
