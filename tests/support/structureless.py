"""Seeded rule sets that are like no rule set anyone would write: what a matcher must survive with the right answers."""

from collections.abc import Callable
from typing import Final

import numpy as np
import numpy.typing as npt

from pastore.filters.specific import SpecificFilters
from tests.support.rulesets import ipv6_twin

Numbers = npt.NDArray[np.int64]

_LAST: Final = {"src": 2**32 - 1, "dst": 2**32 - 1, "sport": 65535, "dport": 65535, "protocol": 255}


def _filters(n: int, seed: int, **ranges: tuple[Numbers, Numbers]) -> SpecificFilters:
    """Rows of these ranges; a field that is left out is any."""
    columns: dict[str, Numbers] = {}
    for name, last in _LAST.items():
        lo, hi = ranges.get(name, (np.zeros(n, np.int64), np.full(n, last, np.int64)))
        columns |= {f"{name}_lo": lo, f"{name}_hi": hi}
    action = np.random.default_rng([seed, n]).integers(1, 4, n, np.uint8)
    return SpecificFilters.from_columns(**columns, action=action)  # type: ignore[arg-type]


def wildcards(n: int, seed: int) -> SpecificFilters:
    """Return `n` rows that all match every packet."""
    return _filters(n, seed)


def exact(n: int, seed: int) -> SpecificFilters:
    """Return `n` rows of one value in every field, spread evenly: nothing is shared."""
    rng = np.random.default_rng([seed, n, 1])
    drawn = {name: rng.integers(0, last + 1, n) for name, last in _LAST.items()}
    return _filters(n, seed, **{name: (value, value) for name, value in drawn.items()})


def staircase(n: int, seed: int) -> SpecificFilters:
    """Return `n` rows each of which starts later in src and ends later in dst than the one before: n * n / 2 cells differ."""
    step = np.arange(1, n + 1) * (2**32 // (n + 2))
    end = np.full(n, 2**32 - 1)
    return _filters(n, seed, src=(step, end), dst=(np.zeros(n, np.int64), step))


def nested(n: int, seed: int) -> SpecificFilters:
    """Return `n` rows each of which lies within the next in every field but the protocol."""
    step = np.arange(n)[::-1]
    ranges = {}
    for name, last in _LAST.items():
        if name != "protocol":
            inset = step * (last // 2) // n
            ranges[name] = (inset, last - inset)
    return _filters(n, seed, **ranges)


def overlapping(n: int, seed: int) -> SpecificFilters:
    """Return `n` rows of random ranges in every field: few are prefixes, and most of them overlap."""
    rng = np.random.default_rng([seed, n, 2])
    ranges = {}
    for name, last in _LAST.items():
        ends = np.sort(rng.integers(0, last + 1, (2, n)), axis=0)
        ranges[name] = (ends[0], ends[1])
    return _filters(n, seed, **ranges)


def crossing(n: int, seed: int) -> SpecificFilters:
    """Return `n` rows, half of them one source to anywhere, half anywhere to one destination: n * n / 4 crossings."""
    rng = np.random.default_rng([seed, n, 3])
    hosts = rng.integers(0, 2**32, n)
    by_source = rng.permutation(n) % 2 == 0
    port = rng.integers(0, 65536, n)
    return _filters(
        n,
        seed,
        src=(np.where(by_source, hosts, 0), np.where(by_source, hosts, 2**32 - 1)),
        dst=(np.where(by_source, 0, hosts), np.where(by_source, 2**32 - 1, hosts)),
        dport=(port, np.minimum(port + rng.integers(0, 3000, n), 65535)),
    )


KINDS: Final[dict[str, Callable[[int, int], SpecificFilters]]] = {
    "wildcards": wildcards,
    "exact": exact,
    "staircase": staircase,
    "nested": nested,
    "overlapping": overlapping,
    "crossing": crossing,
}


def make_structureless(kind: str, n: int, seed: int, *, family: int = 4) -> SpecificFilters:
    """Return `n` rows of a kind, one of `KINDS`; those of family 6 are the twins of those of family 4."""
    filters = KINDS[kind](n, seed)
    return filters if family == 4 else ipv6_twin(filters)
