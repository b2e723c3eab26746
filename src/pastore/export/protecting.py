"""What a policy protects, as other systems say it: both directions at once, seen from this computer.

Windows has a filter for each direction; Windows Firewall and strongSwan have conditions on a local and a remote end, which hold
for what comes and goes alike. So each row of one direction needs its counterpart of the other, protected in the same way; a
tunnel needs a rule with the remote endpoint for what goes out and one with the local endpoint for what comes in.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Any, Final

from pastore.filters.boxes import Range
from pastore.filters.expand import Expansion, PolicyFilter
from pastore.filters.specific import ALL, BOTH, IN, OUT, join
from pastore.model import Action, AddressKind, AuthMethod, FilterAction, IPAddress, Offer

Conditions = tuple[int, Range, Range, Range, Range, Range, Range]
"""Family, protocols, local addresses, remote addresses, local ports, remote ports, interface types (0 lan, 1 ras)."""

_EVERY: Final = (0, 1)


@dataclass(frozen=True, slots=True)
class Settings:
    """How something is protected."""

    offers: tuple[Offer, ...]
    inpass: bool
    soft: bool
    auth_methods: tuple[AuthMethod, ...]


@dataclass(frozen=True, slots=True)
class Protected:
    """What is protected both ways.

    Parameters
    ----------
    conditions : Conditions
    settings : Settings
    source : PolicyFilter
        Where it is from.
    rank : int
        The row that decides first, of those of the two directions.
    endpoints : (IPAddress, IPAddress), optional
        Local and remote endpoint of a tunnel.
    """

    conditions: Conditions
    settings: Settings
    source: PolicyFilter
    rank: int
    endpoints: tuple[IPAddress, IPAddress] | None = None


@dataclass(frozen=True, slots=True)
class Half:
    """A filter that protects in one direction only: "in", "out", or "both" for a tunnel of an unknown host."""

    source: PolicyFilter
    direction: str


def seen_from_here(row: Any) -> Iterator[tuple[int, Conditions]]:
    """Yield the directions of a row (0 in, 1 out), each with its conditions seen from this computer."""
    ends = {end: (join(row[f"{end}_lo"]), join(row[f"{end}_hi"])) for end in ("src", "dst")}
    ports = {end: (int(row[f"{end}_lo"]), int(row[f"{end}_hi"])) for end in ("sport", "dport")}
    protocols = int(row["protocol_lo"]), int(row["protocol_hi"])
    interface = int(row["interface"])
    types = _EVERY if interface == ALL else (interface, interface)
    family, direction = int(row["family"]), int(row["direction"])
    if direction in (IN, BOTH):
        yield IN, (family, protocols, ends["dst"], ends["src"], ports["dport"], ports["sport"], types)
    if direction in (OUT, BOTH):
        yield OUT, (family, protocols, ends["src"], ends["dst"], ports["sport"], ports["dport"], types)


def protected(expansion: Expansion) -> tuple[list[Protected], list[Half]]:
    """Return what a policy protects both ways, in the order tried, and each filter that protects one way only."""
    found: dict[Any, dict[int, int]] = {}
    halves: dict[PolicyFilter, str] = {}
    filters = expansion.filters
    for at in (filters["action"] == Action.PROTECT).nonzero()[0].tolist():
        source = filters.source(at)
        assert isinstance(source, PolicyFilter)
        ways = list(seen_from_here(filters.rows[at]))
        if source.tunnel and len(ways) == 2:
            halves[source] = "both"
            continue
        for way, conditions in ways:
            found.setdefault((conditions, settings_of(source), bool(source.tunnel)), {}).setdefault(way, at)
    whole = []
    for (conditions, settings, tunnel), rows in found.items():
        sources = {way: filters.source(at) for way, at in rows.items()}
        if len(rows) == 1:
            ((way, source),) = sources.items()
            assert isinstance(source, PolicyFilter)
            halves.setdefault(source, "in" if way == IN else "out")
            continue
        rank = min(rows.values())
        source, endpoints = filters.source(rank), None
        assert isinstance(source, PolicyFilter)
        if tunnel:
            local, remote = (getattr(sources[way], "tunnel", None) for way in (IN, OUT))
            assert local is not None
            assert remote is not None
            endpoints = ip_address(local), ip_address(remote)
        whole.append(Protected(conditions, settings, source, rank, endpoints))
    whole.sort(key=lambda each: each.rank)
    return whole, [Half(source, way) for source, way in halves.items()]


def settings_of(source: PolicyFilter) -> Settings:
    """Return how the rule of a filter protects."""
    action = source.node.filter_action
    assert isinstance(action, FilterAction)  # a rule without one gives no row
    return Settings(action.offers, action.inpass, action.soft, source.node.auth_methods)


def is_about_me(source: PolicyFilter) -> bool:
    """Whether an end of a filter is the computer itself, whatever its addresses."""
    return AddressKind.ME in (source.filter.src.kind, source.filter.dst.kind)
