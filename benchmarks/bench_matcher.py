"""Lookups beside the linear scan in C and a NumPy scan, on the same rows and packets in the same run.

Rule sets: our own seeded ones, and the ClassBench sets below PASTORE_DATA where there are any. Answers are compared before the
clock starts. A round judges as many packets as `PACKETS` says; the report's figures are divided by that in the record.
"""

import os
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from benchmarks.peers.numpy_scan import NumpyScan
from pastore.filters.specific import SpecificFilters
from pastore.matcher import Matcher
from pastore.packets.batch import PacketBatch
from pastore.sources import load
from tests.support.rulesets import aimed_packets, ipv6_twin, make_rules

PACKETS = {"batch": 100_000, "scan": 2_000, "numpy": 200, "single": 2_000, "ipv6 batch": 100_000}
Case = tuple[SpecificFilters, tuple[Any, ...]]


def sets() -> list[str]:
    names = [f"ours-{shape}-{n}" for shape in ("acl", "fw", "ipc") for n in (1000, 10_000)]
    data = os.environ.get("PASTORE_DATA")
    if data:
        names += [path.name.removesuffix(".rules.gz") for path in sorted(Path(data, "classbench").glob("*k.rules.gz"))]
    return names


@lru_cache(maxsize=2)
def case(name: str) -> Case:
    n = max(PACKETS.values())
    if name.startswith("ours-"):
        _, shape, size = name.split("-")
        rules = make_rules(shape, int(size), seed=7)
        packets = aimed_packets(rules, n, seed=8)
        return rules, (packets.src, packets.dst, packets.protocol, packets.sport, packets.dport)
    folder = Path(os.environ["PASTORE_DATA"], "classbench")
    rules_ = load(folder / f"{name}.rules.gz").policy
    assert isinstance(rules_, SpecificFilters)
    trace = PacketBatch.from_trace(folder / f"{name}.trace.gz").select(4)
    return rules_, tuple(column[:n] for column in (trace.src, trace.dst, trace.protocol, trace.sport, trace.dport))


@lru_cache(maxsize=2)
def matcher(name: str) -> Matcher:
    return Matcher(case(name)[0])


def first(columns: tuple[Any, ...], n: int) -> tuple[Any, ...]:
    return tuple(column[:n] for column in columns)


def measured(benchmark: BenchmarkFixture, kind: str, call: Callable[[], Any], rounds: int = 7) -> Any:
    benchmark.extra_info["packets"] = PACKETS[kind]
    return benchmark.pedantic(call, rounds=rounds, warmup_rounds=1)  # type: ignore[no-untyped-call]


@pytest.mark.parametrize("name", sets())
class BenchLookup:
    def bench_batch(self, benchmark: BenchmarkFixture, name: str) -> None:
        benchmark.group = name
        columns = first(case(name)[1], PACKETS["batch"])
        sample = first(columns, 500)
        assert np.array_equal(matcher(name).classify(*sample).index, matcher(name).scan(*sample).index)  # type: ignore[arg-type]
        verdicts = matcher(name).classify(*columns)
        stats = matcher(name).stats
        benchmark.extra_info.update(
            rows=stats.specific_filters, layout=stats.layout, bytes=stats.bytes, build_ms=round(stats.build_seconds * 1000, 2)
        )
        measured(benchmark, "batch", lambda: matcher(name).classify(*columns, out=verdicts))

    def bench_scan(self, benchmark: BenchmarkFixture, name: str) -> None:
        benchmark.group = name
        columns = first(case(name)[1], PACKETS["scan"])
        measured(benchmark, "scan", lambda: matcher(name).scan(*columns), rounds=3)

    def bench_numpy(self, benchmark: BenchmarkFixture, name: str) -> None:
        benchmark.group = name
        columns = first(case(name)[1], PACKETS["numpy"])
        peer = NumpyScan(case(name)[0])
        assert np.array_equal(peer.classify(*columns), matcher(name).classify(*columns).index)  # type: ignore[arg-type]
        measured(benchmark, "numpy", lambda: peer.classify(*columns), rounds=3)

    def bench_single(self, benchmark: BenchmarkFixture, name: str) -> None:
        benchmark.group = name
        columns = first(case(name)[1], PACKETS["single"])
        packets = list(zip(*(column.tolist() for column in columns), strict=True))
        match = matcher(name).match

        def run() -> None:
            for src, dst, protocol, sport, dport in packets:
                match(protocol, src, dst, sport, dport)

        measured(benchmark, "single", run)


@pytest.mark.parametrize("shape", ["acl", "fw", "ipc"])
def bench_ipv6_batch(benchmark: BenchmarkFixture, shape: str) -> None:
    benchmark.group = f"IPv6 twin of ours-{shape}-1000"
    twin = ipv6_twin(make_rules(shape, 1000, seed=7))
    packets = aimed_packets(twin, PACKETS["ipv6 batch"], seed=8, family=6)
    built = Matcher(twin)
    columns = (packets.src, packets.dst, packets.protocol, packets.sport, packets.dport)
    measured(benchmark, "ipv6 batch", lambda: built.classify(*columns))
