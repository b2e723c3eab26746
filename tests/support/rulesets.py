"""Seeded rule sets and packets with the shapes of access lists, firewalls and IP chains, for tests and benchmarks.

The shapes follow what ClassBench-like sets have in common: how long prefixes are on either side, how many rules leave a side or a
port open, which protocols occur, how strongly prefixes nest. Packets are aimed at the bounds of rules, where mistakes live.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from pastore.analysis.aim import aim_address, aim_number
from pastore.filters.specific import SpecificFilters
from pastore.matcher.columns import Columns

U64 = npt.NDArray[np.uint64]
Bounds = tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]
Choice = dict[int, float]


@dataclass(frozen=True)
class Shape:
    """Probabilities of a family of rule sets. Prefix lengths are those of IPv4; port kinds are any, exact, high and range."""

    src: Choice
    dst: Choice
    sport: tuple[float, float, float, float]
    dport: tuple[float, float, float, float]
    protocol: Choice  # 0 stands for any
    sites: int  # rules share this many networks on either side, one for every `sites` rules


SHAPES: Final = {
    "acl": Shape(
        src={0: 3, 8: 1, 16: 1, 22: 2, 23: 8, 24: 6, 30: 5, 31: 22, 32: 52},
        dst={0: 3, 3: 1, 8: 2, 12: 2, 16: 5, 21: 3, 22: 8, 24: 6, 28: 3, 30: 6, 31: 20, 32: 41},
        sport=(1.0, 0.0, 0.0, 0.0),
        dport=(0.27, 0.58, 0.05, 0.10),
        protocol={6: 88, 17: 2, 1: 2, 0: 8},
        sites=12,
    ),
    "fw": Shape(
        src={0: 40, 1: 18, 2: 4, 8: 2, 12: 3, 21: 3, 24: 2, 28: 3, 30: 3, 31: 9, 32: 13},
        dst={0: 23, 1: 9, 2: 2, 13: 2, 22: 2, 28: 3, 30: 7, 31: 24, 32: 28},
        sport=(0.78, 0.13, 0.08, 0.01),
        dport=(0.32, 0.58, 0.07, 0.03),
        protocol={6: 54, 17: 33, 47: 7, 1: 5, 0: 1},
        sites=6,
    ),
    "ipc": Shape(
        src={0: 8, 1: 5, 15: 2, 16: 4, 18: 4, 22: 5, 23: 12, 24: 15, 25: 8, 26: 5, 27: 3, 31: 9, 32: 20},
        dst={0: 5, 1: 3, 15: 3, 16: 6, 17: 3, 23: 8, 24: 14, 25: 11, 26: 5, 27: 4, 31: 11, 32: 27},
        sport=(0.81, 0.17, 0.01, 0.01),
        dport=(0.57, 0.30, 0.06, 0.07),
        protocol={6: 27, 17: 38, 1: 1, 50: 1, 0: 33},
        sites=4,
    ),
}

_SERVICES: Final = np.array(
    [20, 21, 22, 23, 25, 53, 69, 80, 110, 123, 135, 137, 139, 143, 161, 389, 443, 445, 514, 1433, 1521, 3389]
)


def make_rules(
    shape: str, n: int, seed: int, *, family: int = 4, arbitrary: float = 0.05, one_way: bool = False
) -> SpecificFilters:
    """Return `n` rules of a shape.

    Parameters
    ----------
    shape : {"acl", "fw", "ipc"}
    n, seed : int
    family : {4, 6}
        6 spreads the same rules over 128 bits (see `ipv6_twin`).
    arbitrary : float
        Share of rules whose address ranges are not prefixes.
    one_way : bool
        Draw direction and interface type too, instead of both and all.
    """
    rng = np.random.default_rng([seed, n, sum(shape.encode())])
    spec = SHAPES[shape]
    src = _addresses(rng, spec.src, n, spec.sites, arbitrary)
    dst = _addresses(rng, spec.dst, n, spec.sites, arbitrary)
    sport, dport = _ports(rng, spec.sport, n), _ports(rng, spec.dport, n)
    protocol = _pick(rng, spec.protocol, n)
    rules = SpecificFilters.from_columns(
        src_lo=src[0],
        src_hi=src[1],
        dst_lo=dst[0],
        dst_hi=dst[1],
        sport_lo=sport[0],
        sport_hi=sport[1],
        dport_lo=dport[0],
        dport_hi=dport[1],
        protocol_lo=protocol,
        protocol_hi=np.where(protocol == 0, 255, protocol),
        direction=rng.integers(0, 3, n, np.uint8) if one_way else "both",
        interface=rng.integers(0, 3, n, np.uint8) if one_way else "all",
        action=rng.integers(1, 4, n, np.uint8),
    )
    return rules if family == 4 else ipv6_twin(rules)


def _pick(rng: np.random.Generator, choice: Choice, n: int) -> npt.NDArray[np.int64]:
    weights = np.array(list(choice.values()), float)
    return np.asarray(rng.choice(np.array(list(choice)), n, p=weights / weights.sum()), np.int64)


def _addresses(rng: np.random.Generator, lengths: Choice, n: int, sites: int, arbitrary: float) -> Bounds:
    networks = rng.integers(0, 1 << 32, max(2, n // sites))  # rules gather around sites, so their prefixes nest
    near = rng.integers(0, 1 << 10, n) * rng.integers(0, 2, n)
    address = networks[rng.integers(0, len(networks), n)] & ~np.int64(1023) | near
    mask = (np.int64(1) << (32 - _pick(rng, lengths, n))) - 1
    lo = address & ~mask
    hi = lo | mask
    bent = rng.random(n) < arbitrary
    lo = np.where(bent, np.maximum(lo - rng.integers(0, 300, n), 0), lo)
    hi = np.where(bent, np.minimum(hi + rng.integers(0, 300, n), 0xFFFFFFFF), hi)
    return lo, hi


def _ports(rng: np.random.Generator, kinds: tuple[float, float, float, float], n: int) -> Bounds:
    kind = rng.choice(4, n, p=kinds)
    exact = np.where(rng.random(n) < 0.8, rng.choice(_SERVICES, n), rng.integers(1, 65536, n))
    first = rng.integers(1, 60000, n)
    lo = np.choose(kind, [0, exact, 1024, first])
    hi = np.choose(kind, [65535, exact, 65535, first + rng.integers(1, 5000, n)])
    return lo, hi


def ipv6_twin(rules: SpecificFilters, prefix: int = 0x20010DB8) -> SpecificFilters:
    """Spread IPv4 rules over 128 bits so that both words of an address matter.

    The upper 20 bits of an address go to bits 32 to 51 counted from the front, the lower 12 to the end: prefixes up to /20 become
    /32 to /52, longer ones /116 to /128, and ranges of other kinds stay ranges. Order is kept, so a packet spread by
    `ipv6_address` meets the same rule as before.
    """
    rows = rules.rows.copy()
    for side in ("src", "dst"):
        for end in ("lo", "hi"):
            address = rows[f"{side}_{end}"][:, 1]
            words = ipv6_address(address, prefix)
            # The last address of a whole network of the upper bits ends in ones all along.
            whole = (address & np.uint64(0xFFF)) == np.uint64(0xFFF)
            if end == "hi":
                words[whole, 0] |= np.uint64(0xFFF)
                words[whole, 1] = np.uint64(0xFFFFFFFFFFFFFFFF)
            rows[f"{side}_{end}"] = words
    rows["family"] = 6
    return SpecificFilters(rows, rules.sources)


def ipv6_address(address: U64, prefix: int = 0x20010DB8) -> U64:
    """Spread IPv4 addresses as `ipv6_twin` does; returns two words an address."""
    words = np.empty((len(address), 2), np.uint64)
    address = address.astype(np.uint64)
    words[:, 0] = np.uint64(prefix << 32) | (address >> np.uint64(12)) << np.uint64(12)
    words[:, 1] = address & np.uint64(0xFFF)
    return words


def network_bytes(words: U64) -> npt.NDArray[np.uint8]:
    """Return addresses of two words as (n, 16) bytes in network order."""
    return np.ascontiguousarray(words).astype(">u8").view(np.uint8).reshape(len(words), 16)


def aimed_packets(rules: SpecificFilters, n: int, seed: int, *, family: int = 4) -> Columns:
    """Return `n` packets aimed at the rules of a family.

    Each packet picks a rule and, in every field, one of lo - 1, lo, hi, hi + 1 and a value inside, mostly ones that stay within
    the rule; 2 % of the packets go anywhere. Direction and interface type are drawn too.
    """
    rng = np.random.default_rng([seed, n, family])
    rows = rules.rows[rules.rows["family"] == family]
    if len(rows) == 0:
        return _anywhere(rng, n, family)
    rows = rows[rng.integers(0, len(rows), n)]
    last = (0, 0xFFFFFFFF) if family == 4 else (0xFFFFFFFFFFFFFFFF, 0xFFFFFFFFFFFFFFFF)
    src, dst = (aim_address(rng, rows[f"{side}_lo"], rows[f"{side}_hi"], _aims(rng, n), last) for side in ("src", "dst"))
    protocol, sport, dport = (
        aim_number(rng, rows[f"{name}_lo"], rows[f"{name}_hi"], _aims(rng, n), end)
        for name, end in (("protocol", 255), ("sport", 65535), ("dport", 65535))
    )
    away = rng.random(n) < 0.02
    far = _anywhere(rng, n, family)
    return far._replace(
        src=np.where(away if family == 4 else away[:, None], far.src, _in_family(src, family)),
        dst=np.where(away if family == 4 else away[:, None], far.dst, _in_family(dst, family)),
        protocol=protocol.astype(np.uint8),
        sport=sport.astype(np.uint16),
        dport=dport.astype(np.uint16),
    )


def _anywhere(rng: np.random.Generator, n: int, family: int) -> Columns:
    src, dst = (rng.integers(0, 1 << 64, (n, 2), np.uint64) for _ in range(2))
    if family == 4:
        src, dst = src >> np.uint64(32), dst >> np.uint64(32)
    return Columns(
        family,
        _in_family(src, family),
        _in_family(dst, family),
        rng.integers(0, 256, n, np.uint8),
        rng.integers(0, 1 << 16, n, np.uint16),
        rng.integers(0, 1 << 16, n, np.uint16),
        rng.integers(0, 2, n, np.uint8),
        0,
        rng.integers(0, 2, n, np.uint8),
        0,
    )


def _in_family(words: U64, family: int) -> npt.NDArray[np.uint32] | npt.NDArray[np.uint8]:
    return words[:, 1].astype(np.uint32) if family == 4 else network_bytes(words)


_AIMS: Final = np.array([0.06, 0.28, 0.28, 0.06, 0.32])  # lo - 1, lo, hi, hi + 1, inside


def _aims(rng: np.random.Generator, n: int) -> npt.NDArray[np.int64]:
    return rng.choice(5, n, p=_AIMS)
