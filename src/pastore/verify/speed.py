"""How fast a matcher answers on this machine, beside what it replaces.

Every way of asking runs in passes over the same packets until its time is up; the median pass counts. Slow ways get only as many
of the packets as a pass can take.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import median
from time import perf_counter
from typing import Any, Final, NamedTuple

import numpy as np

from pastore.matcher import Matcher, Verdicts
from pastore.packets.batch import PacketBatch, Selection
from pastore.verify.numpy_scan import NumpyScan

FEWEST_PASSES: Final = 3
_MOST_PASSES: Final = 1000
_SINGLE: Final = 20_000  # packets that are taken one by one: as Python objects they need room
_CHECKED: Final = 50_000_000  # rows that are tried at most while the answers are compared


class DisagreementError(Exception):
    """Two ways of asking gave different answers; figures about either would mean nothing."""


@dataclass(frozen=True, slots=True)
class Speed:
    """One way of asking.

    Parameters
    ----------
    way : str
        "batch" columns of NumPy, "single" one packet from Python, "scan" row after row in C, "numpy" all rows by NumPy.
    packets : int
        In a pass.
    seconds : tuple of float
        Of each pass.
    """

    way: str
    packets: int
    seconds: tuple[float, ...]

    @property
    def nanoseconds(self) -> float:
        """Of one packet, in the median pass."""
        return 1e9 * median(self.seconds) / self.packets if self.packets else 0.0

    @property
    def per_second(self) -> float:
        """Packets, in the median pass."""
        return 1e9 / self.nanoseconds if self.nanoseconds else 0.0


Part = tuple[int, Selection]


def parts_of(packets: PacketBatch, n: int | None = None) -> list[Part]:
    """Return the first `n` packets by family, those without packets left out."""
    found = []
    for family in (4, 6):
        selection = packets.select(family)
        kept = len(selection.index) if n is None else int((selection.index < n).sum())
        if kept:
            found.append((family, _first(selection, kept)))
    return found


def _first(s: Selection, n: int) -> Selection:
    return Selection(
        s.index[:n], s.src[:n], s.dst[:n], s.protocol[:n], s.sport[:n], s.dport[:n], s.direction[:n], s.interface[:n]
    )


class Compared(NamedTuple):
    """How many answers of the table were held against those of the scan in C and of NumPy."""

    scan: int
    numpy: int


def compare_answers(matcher: Matcher, packets: PacketBatch) -> Compared:
    """Hold the table, the scan in C and the scan in NumPy against each other on the first packets.

    Returns
    -------
    Compared
        Fewer, the more rows there are.

    Raises
    ------
    DisagreementError
        If an answer differs; the message names the packet.
    """
    n = min(len(packets), max(1, _CHECKED // max(1, len(matcher.filters))), 20_000)
    peer, by_numpy = NumpyScan(matcher.filters), 0
    actions = np.append(matcher.filters.rows["action"], 0)  # -1 takes the last
    for family, part in parts_of(packets, n):
        told, scanned = _ask(matcher.classify, part), _ask(matcher.scan, part)
        _require_equal(packets, part, "the linear scan", told.action, scanned.action)
        if told.index is not None:
            _require_equal(packets, part, "the linear scan", told.index, scanned.index)
        m = min(len(part.index), max(1, n // 20))
        _require_equal(packets, part, "NumPy", told.action[:m], actions[peer.classify(family, part, m)])
        by_numpy += m
    return Compared(n, by_numpy)


def _require_equal(packets: PacketBatch, part: Selection, other: str, told: Any, wanted: Any) -> None:
    different = np.flatnonzero(told != wanted)
    if len(different):
        packet = packets.packet(int(part.index[different[0]]))
        raise DisagreementError(f"the table and {other} disagree about {len(different)} of {len(told)} packets, first {packet}")


def _ask(call: Callable[..., Verdicts], part: Selection, **more: Any) -> Verdicts:
    return call(
        part.src, part.dst, part.protocol, part.sport, part.dport, direction=part.direction, interface=part.interface, **more
    )


def _passes(run: Callable[[], object], seconds: float) -> tuple[float, ...]:
    """Return how long each pass took, after one that does not count."""
    run()
    times: list[float] = []
    end = perf_counter() + seconds
    while len(times) < FEWEST_PASSES or (perf_counter() < end and len(times) < _MOST_PASSES):
        started = perf_counter()
        run()
        times.append(perf_counter() - started)
    return tuple(times)


def batch_speed(matcher: Matcher, packets: PacketBatch, seconds: float, threads: int) -> Speed:
    """Measure `Matcher.classify` on columns, its result reused."""
    parts = [(part, _room(matcher, len(part.index))) for _, part in parts_of(packets)]

    def run() -> None:
        for part, out in parts:
            _ask(matcher.classify, part, threads=threads, out=out)

    return Speed("batch", len(packets), _passes(run, seconds))


def scan_speed(matcher: Matcher, packets: PacketBatch, seconds: float) -> Speed:
    """Measure the linear scan in C."""

    def run(parts: list[Part]) -> None:
        for _, part in parts:
            _ask(matcher.scan, part)

    return _bounded("scan", run, packets, seconds)


def numpy_speed(matcher: Matcher, packets: PacketBatch, seconds: float) -> Speed:
    """Measure the scan in NumPy."""
    peer = NumpyScan(matcher.filters)

    def run(parts: list[Part]) -> None:
        for family, part in parts:
            peer.classify(family, part, len(part.index))

    return _bounded("numpy", run, packets, seconds)


def _bounded(way: str, run: Callable[[list[Part]], object], packets: PacketBatch, seconds: float) -> Speed:
    """Measure with so few of the packets that several passes fit into the time."""
    n = min(len(packets), 16)
    while n < len(packets):
        parts = parts_of(packets, n)
        started = perf_counter()
        run(parts)
        if perf_counter() - started > seconds / (4 * FEWEST_PASSES):
            break
        n = min(len(packets), 4 * n)
    parts = parts_of(packets, n)
    return Speed(way, n, _passes(lambda: run(parts), seconds))


def single_speed(matcher: Matcher, packets: PacketBatch, seconds: float) -> Speed:
    """Measure `Matcher.match` from Python, with integers."""
    listed = [packets.packet(at) for at in range(min(len(packets), _SINGLE))]
    arguments = [(p.protocol, p.src, p.dst, p.sport, p.dport) for p in listed]
    rest = [{"direction": p.direction, "interface": p.interface, "family": p.family} for p in listed]
    pairs = list(zip(arguments, rest, strict=True))
    match: Callable[..., object] = matcher.match

    def run() -> None:
        for positional, named in pairs:
            match(*positional, **named)

    return Speed("single", len(pairs), _passes(run, seconds))


def _room(matcher: Matcher, n: int) -> Verdicts:
    return Verdicts(np.empty(n, np.uint8), None if matcher.actions_only else np.empty(n, np.int32))


def build_seconds(matcher: Matcher, seconds: float) -> Sequence[float]:
    """Return how long it took to build the table of these filters, several times."""
    verdict: Any = "action" if matcher.actions_only else "rule"
    times = [matcher.stats.build_seconds]
    end = perf_counter() + seconds
    while len(times) < FEWEST_PASSES or (perf_counter() < end and len(times) < _MOST_PASSES):
        times.append(Matcher(matcher.filters, verdict=verdict).stats.build_seconds)
    return times
