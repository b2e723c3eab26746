"""Lookups beside the linear scan in C and a NumPy scan, on the same rows and packets in the same run; compiling; threads.

Rule sets: our own seeded ones, and the ClassBench sets below PASTORE_DATA where there are any. Answers are compared before the
clock starts. A round judges as many packets as `PACKETS` says; the report's figures are divided by that in the record.
"""

from collections.abc import Callable
from functools import lru_cache, partial
from typing import Any, Literal

import numpy as np
import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from benchmarks import sets
from benchmarks.peers.numpy_scan import NumpyScan
from pastore.filters.specific import SpecificFilters
from pastore.matcher import Matcher
from tests.support.rulesets import SHAPES
from tests.support.structureless import KINDS

PACKETS = {"batch": 100_000, "scan": 2_000, "numpy": 200, "single": 2_000, "threads": 1_000_000}
Case = tuple[SpecificFilters, tuple[Any, ...]]
OURS = [f"{shape}-{size}" for shape in SHAPES for size in ("1k", "10k")]


def names() -> list[str]:
    return OURS + [name for name in sets.standard_names() if sets.data("classbench")]


@lru_cache(maxsize=2)
def case(name: str) -> Case:
    filters, packets = sets.case(name)
    return filters, (packets.src, packets.dst, packets.protocol, packets.sport, packets.dport)


@lru_cache(maxsize=2)
def matcher(name: str) -> Matcher:
    return Matcher(case(name)[0])


def first(columns: tuple[Any, ...], n: int) -> tuple[Any, ...]:
    return tuple(column[:n] for column in columns)


def measured(benchmark: BenchmarkFixture, kind: str, call: Callable[[], Any], rounds: int = 7) -> Any:
    benchmark.extra_info["packets"] = PACKETS[kind]
    return benchmark.pedantic(call, rounds=rounds, warmup_rounds=1)  # type: ignore[no-untyped-call]


@pytest.mark.parametrize("name", names())
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


def lookups(benchmark: BenchmarkFixture, group: str, name: str, kind: str) -> None:
    """Measure batch, or single of IPv6, on a set."""
    benchmark.group = group
    columns = first(case(name)[1], PACKETS[kind])
    built = matcher(name)
    sample = first(columns, 500)
    assert np.array_equal(built.classify(*sample).index, built.scan(*sample).index)  # type: ignore[arg-type]
    if kind == "batch":
        measured(benchmark, kind, lambda: built.classify(*columns))
        return
    src6, dst6 = ([int.from_bytes(bytes(address)) for address in column] for column in columns[:2])
    packets = list(zip(src6, dst6, *(column.tolist() for column in columns[2:]), strict=True))

    def run() -> None:
        for src, dst, protocol, sport, dport in packets:
            built.match(protocol, src, dst, sport, dport, family=6)

    measured(benchmark, kind, run)


@pytest.mark.parametrize("kind", ["batch", "single"])
@pytest.mark.parametrize("shape", SHAPES)
def bench_ipv6(benchmark: BenchmarkFixture, shape: str, kind: str) -> None:
    lookups(benchmark, f"IPv6 twins, {kind}", f"{shape}-1k.v6", kind)


@pytest.mark.parametrize("kind", KINDS)
def bench_structureless(benchmark: BenchmarkFixture, kind: str) -> None:
    lookups(benchmark, "rule sets without structure", f"{kind}-1k", "batch")


@pytest.mark.parametrize("threads", [1, 2, 4])
def bench_threads(benchmark: BenchmarkFixture, threads: int) -> None:
    benchmark.group = "threads, a million packets a call"
    name = "fw-10k"
    columns = tuple(np.tile(column, 10) for column in case(name)[1])
    classify = partial(matcher(name).classify, *columns)
    verdicts = classify()
    assert np.array_equal(verdicts.index, classify(threads=threads).index)  # type: ignore[arg-type]
    measured(benchmark, "threads", lambda: classify(threads=threads, out=verdicts), rounds=5)


@pytest.mark.parametrize("verdict", ["rule", "action"])
@pytest.mark.parametrize("size", ["1k", "10k", "100k"])
@pytest.mark.parametrize("shape", SHAPES)
def bench_compile(benchmark: BenchmarkFixture, shape: str, size: str, verdict: Literal["rule", "action"]) -> None:
    benchmark.group = f"compiling {size[:-1]},000 rules"
    filters = case(f"{shape}-{size}")[0]
    built = benchmark.pedantic(lambda: Matcher(filters, verdict=verdict), rounds=3, warmup_rounds=1)  # type: ignore[no-untyped-call]
    benchmark.extra_info["bytes"] = built.stats.bytes


def bench_compile_blocklist(benchmark: BenchmarkFixture) -> None:
    benchmark.group = "compiling a blocklist"
    filters = case("blocklist")[0]
    benchmark.pedantic(lambda: Matcher(filters, verdict="action"), rounds=3, warmup_rounds=1)  # type: ignore[no-untyped-call]
