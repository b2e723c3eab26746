"""Seeded rule sets and packets with the shapes of access lists, firewalls and IP chains, for tests and benchmarks.

The shapes follow what such lists have in common: a rule is either narrow on both sides or open to nearly everything on one of
them; networks and hosts occur again and again and nest; of ports and protocols there are few triples, a handful of them in most
rules, however many rules there are. Packets are aimed at the bounds of rules, where mistakes live.
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
    """What a family of rule sets has in common. Prefix lengths are those of IPv4; port kinds are any, exact, high and range."""

    wide: tuple[float, float, float, float]  # shares of rules open on neither side, in src, in dst, in both
    src: Choice  # lengths where the side is not open
    dst: Choice
    open: Choice  # lengths where it is
    networks: tuple[float, float]  # distinct networks and hosts a side draws from, for every rule
    sport: tuple[float, float, float, float]
    dport: tuple[float, float, float, float]
    ports: tuple[int, int]  # distinct port ranges of either side
    services: tuple[int, float]  # distinct triples of ports and protocol in a thousand rules, and the power they grow with
    protocol: Choice  # 0 stands for any


SHAPES: Final = {
    "acl": Shape(
        wide=(0.965, 0.005, 0.025, 0.005),
        src={16: 1, 21: 1, 22: 2, 23: 7, 24: 5, 25: 1, 29: 1, 30: 5, 31: 24, 32: 53},
        dst={12: 1, 16: 2, 21: 2, 22: 8, 23: 4, 24: 3, 25: 2, 30: 5, 31: 21, 32: 52},
        open={0: 6, 1: 1, 3: 1, 8: 2},
        networks=(0.4, 0.1),
        sport=(1.0, 0.0, 0.0, 0.0),
        dport=(0.05, 0.65, 0.05, 0.25),
        ports=(1, 108),
        services=(113, 0.13),
        protocol={6: 88, 17: 5, 1: 2, 0: 5},
    ),
    "fw": Shape(
        wide=(0.11, 0.60, 0.25, 0.04),
        src={12: 3, 16: 2, 21: 6, 24: 4, 27: 3, 28: 6, 29: 4, 30: 9, 31: 27, 32: 36},
        dst={13: 2, 21: 2, 22: 3, 24: 2, 28: 3, 30: 8, 31: 36, 32: 44},
        open={0: 63, 1: 29, 2: 5, 3: 1, 8: 2},
        networks=(0.3, 0.7),
        sport=(0.3, 0.5, 0.1, 0.1),
        dport=(0.1, 0.7, 0.1, 0.1),
        ports=(13, 43),
        services=(129, 0.28),
        protocol={6: 54, 17: 33, 47: 7, 1: 5, 0: 1},
    ),
    "ipc": Shape(
        wide=(0.72, 0.16, 0.11, 0.01),
        src={15: 3, 16: 5, 17: 4, 18: 4, 22: 6, 23: 15, 24: 17, 25: 10, 26: 5, 27: 3, 31: 9, 32: 19},
        dst={15: 3, 16: 5, 17: 3, 23: 8, 24: 14, 25: 11, 26: 6, 27: 4, 30: 3, 31: 14, 32: 29},
        open={0: 60, 1: 30, 2: 6, 8: 4},
        networks=(0.3, 0.5),
        sport=(0.3, 0.4, 0.1, 0.2),
        dport=(0.2, 0.5, 0.1, 0.2),
        ports=(34, 54),
        services=(127, 0.21),
        protocol={6: 34, 17: 40, 1: 2, 50: 1, 0: 23},
    ),
}

_WELL_KNOWN: Final = np.array(
    [20, 21, 22, 23, 25, 53, 69, 80, 110, 123, 135, 137, 139, 143, 161, 389, 443, 445, 514, 1433, 1521, 3389]
)
_MIX: Final = np.uint64(0x9E3779B97F4A7C15)

Drawn = dict[str, npt.NDArray[np.int64]]


def make_rules(
    shape: str, n: int, seed: int, *, family: int = 4, arbitrary: float = 0.05, one_way: bool = False
) -> SpecificFilters:
    """Return `n` rules of a shape, no two with the same ranges, the more specific ones mostly first.

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
    drawn = _drawn(rng, SHAPES[shape], n, arbitrary)
    width = sum(np.log2(drawn[f"{name}_hi"] - drawn[f"{name}_lo"] + 1.0) for name in _FIELDS)
    order = np.argsort(width + rng.normal(0, 6, n), kind="stable")
    rules = SpecificFilters.from_columns(
        **{name: column[order] for name, column in drawn.items()},  # type: ignore[arg-type]
        direction=rng.integers(0, 3, n, np.uint8) if one_way else "both",
        interface=rng.integers(0, 3, n, np.uint8) if one_way else "all",
        action=rng.integers(1, 4, n, np.uint8),
    )
    return rules if family == 4 else ipv6_twin(rules)


_FIELDS: Final = ("src", "dst", "sport", "dport", "protocol")


def _drawn(rng: np.random.Generator, spec: Shape, n: int, arbitrary: float) -> Drawn:
    """Draw until there are n different rules; wide ones run out, and then specific ones take their place."""
    pools = [
        _networks(rng, lengths, max(16, int(n * share)))
        for lengths, share in ((spec.src, spec.networks[0]), (spec.dst, spec.networks[1]))
    ]
    services = _services(rng, spec, n)
    kept: Drawn = {f"{name}_{end}": np.empty(0, np.int64) for name in _FIELDS for end in ("lo", "hi")}
    for attempt in range(6):
        missing = n - len(kept["src_lo"])
        if missing == 0:
            break
        if attempt == 3:  # the pools are used up: hosts of their own
            pools = [_networks(rng, {32: 1}, 4 * n) for _ in pools]
        shares = np.array(spec.wide if attempt < 3 else (1.0, 0.0, 0.0, 0.0))
        more = _some(rng, spec, pools, services, shares, missing + missing // 8 + 8, arbitrary)
        kept = {name: np.concatenate([column, more[name]]) for name, column in kept.items()}
        hashed = np.zeros(len(kept["src_lo"]), np.uint64)
        for column in kept.values():
            hashed = (hashed ^ column.astype(np.uint64)) * _MIX
            hashed ^= hashed >> np.uint64(29)
        _, first = np.unique(hashed, return_index=True)
        first = np.sort(first)[:n]
        kept = {name: column[first] for name, column in kept.items()}
    return kept


def _some(
    rng: np.random.Generator,
    spec: Shape,
    pools: list[Bounds],
    services: npt.NDArray[np.int64],
    shares: npt.NDArray[np.float64],
    n: int,
    arbitrary: float,
) -> Drawn:
    kind = rng.choice(4, n, p=shares / shares.sum())
    drawn: Drawn = {}
    for name, pool, is_open in (("src", pools[0], kind % 2 == 1), ("dst", pools[1], kind >= 2)):
        at = rng.integers(0, len(pool[0]), n)
        # What is open is open to one of a few large networks.
        wide_lo, wide_hi = _prefix(rng.integers(0, 1 << 32, n), _pick(rng, spec.open, n))
        lo, hi = np.where(is_open, wide_lo, pool[0][at]), np.where(is_open, wide_hi, pool[1][at])
        bent = rng.random(n) < arbitrary
        drawn[f"{name}_lo"] = np.where(bent, np.maximum(lo - rng.integers(0, 300, n), 0), lo)
        drawn[f"{name}_hi"] = np.where(bent, np.minimum(hi + rng.integers(0, 300, n), 0xFFFFFFFF), hi)
    popular = 1 / np.arange(1, len(services) + 1)
    service = services[rng.choice(len(services), n, p=popular / popular.sum())]
    for i, name in enumerate(("sport_lo", "sport_hi", "dport_lo", "dport_hi", "protocol_lo", "protocol_hi")):
        drawn[name] = service[:, i]
    return drawn


def _pick(rng: np.random.Generator, choice: Choice, n: int) -> npt.NDArray[np.int64]:
    weights = np.array(list(choice.values()), float)
    return np.asarray(rng.choice(np.array(list(choice)), n, p=weights / weights.sum()), np.int64)


def _prefix(address: npt.NDArray[np.int64], length: npt.NDArray[np.int64]) -> Bounds:
    mask = (np.int64(1) << (32 - length)) - 1
    return address & ~mask, address | mask


def _networks(rng: np.random.Generator, lengths: Choice, n: int) -> Bounds:
    """Networks and hosts that gather around sites, so that they nest."""
    sites = rng.integers(0, 1 << 32, max(2, n // 8))
    near = rng.integers(0, 1 << 11, n) * rng.integers(0, 2, n)
    address = sites[rng.integers(0, len(sites), n)] & ~np.int64(2047) | near
    return _prefix(address, _pick(rng, lengths, n))


def _services(rng: np.random.Generator, spec: Shape, n: int) -> npt.NDArray[np.int64]:
    """Triples of port ranges and protocol, the most popular first: rows of sport_lo, sport_hi, dport_lo, dport_hi, protocols."""
    first, power = spec.services
    count = max(4, int(first * (max(n, 30) / 1000) ** power))
    columns = []
    for kinds, distinct in zip((spec.sport, spec.dport), spec.ports, strict=True):
        ranges = _port_ranges(rng, kinds, distinct)
        weights = 1 / np.arange(1, distinct + 1)
        columns.append(ranges[rng.choice(distinct, 6 * count, p=weights / weights.sum())])
    protocol = _pick(rng, spec.protocol, 6 * count)
    triples = np.column_stack([*columns, protocol, np.where(protocol == 0, 255, protocol)])
    _, at = np.unique(triples, axis=0, return_index=True)
    chosen = triples[np.sort(at)[:count]]
    chosen[len(chosen) // 4, 4:] = 0, 255  # every list has a service of any protocol
    return chosen


def _port_ranges(rng: np.random.Generator, kinds: tuple[float, float, float, float], n: int) -> npt.NDArray[np.int64]:
    kind = rng.choice(4, n, p=kinds)
    kind[0] = 0  # any port is the most popular range everywhere
    exact = np.where(rng.random(n) < 0.5, rng.choice(_WELL_KNOWN, n), rng.integers(1, 65536, n))
    first = rng.integers(1, 60000, n)
    lo = np.choose(kind, [0, exact, 1024, first])
    hi = np.choose(kind, [65535, exact, 65535, first + rng.integers(1, 5000, n)])
    return np.column_stack([lo, hi])


def ipv6_twin(rules: SpecificFilters, prefix: int = 0x20010DB8) -> SpecificFilters:
    """Spread IPv4 rules over 128 bits so that both words of an address matter.

    The first 16 bits of an address follow a prefix of 32, the next 8 end the first word, the last 8 end the second: prefixes up
    to /16 become /32 to /48, those up to /24 /57 to /64, longer ones /121 to /128. Other ranges stay ranges, and any address
    stays any. Order is kept, so a packet spread by `ipv6_address` meets the same rule as before.
    """
    rows = rules.rows.copy()
    for side in ("src", "dst"):
        lo, hi = rows[f"{side}_lo"][:, 1].copy(), rows[f"{side}_hi"][:, 1].copy()
        rows[f"{side}_lo"] = ipv6_address(lo, prefix)
        words = ipv6_address(hi, prefix)
        # The last address of a network ends in ones all along, those between its parts included.
        words[(hi & np.uint64(0xFF)) == np.uint64(0xFF), 1] = np.uint64(0xFFFFFFFFFFFFFFFF)
        words[(hi & np.uint64(0xFFFF)) == np.uint64(0xFFFF), 0] |= np.uint64(0xFFFF)
        rows[f"{side}_hi"] = words
        everything = (lo == 0) & (hi == np.uint64(0xFFFFFFFF))
        rows[f"{side}_lo"][everything] = 0
        rows[f"{side}_hi"][everything] = np.uint64(0xFFFFFFFFFFFFFFFF)
    rows["family"] = 6
    return SpecificFilters(rows, rules.sources)


def ipv6_address(address: U64, prefix: int = 0x20010DB8) -> U64:
    """Spread IPv4 addresses as `ipv6_twin` does; returns two words an address."""
    words = np.empty((len(address), 2), np.uint64)
    address = address.astype(np.uint64)
    words[:, 0] = np.uint64(prefix << 32) | address >> np.uint64(16) << np.uint64(16) | address >> np.uint64(8) & np.uint64(0xFF)
    words[:, 1] = address & np.uint64(0xFF)
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
