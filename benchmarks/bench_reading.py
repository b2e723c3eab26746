"""Reading and expanding: what a user waits for before the first verdict."""

import gzip
import io
import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from pytest_benchmark.fixture import BenchmarkFixture

import pastore
from pastore.filters.expand import expand
from pastore.model import Policy
from pastore.sources import load
from tests.support.policies import flt, guid, policy, rule
from tests.support.registry import export


def big(n: int) -> Policy:
    """Return a policy with n filters in ten rules, such as a list of hosts gives."""
    rules = []
    for number in range(10):
        filters = [
            replace(flt(f"tcp 10.{number}.{at // 250}.{at % 250 + 1} > me:{1000 + at % 50}"), guid=guid(f"{number} {at}"))
            for at in range(n // 10)
        ]
        rules.append(rule(f"Rule {number}", ("block", "allow", "protect")[number % 3], *filters))
    return policy(*rules, name="Big")


def classbench_text(n: int) -> bytes:
    lines = []
    for at in range(n):
        src, dst, port = f"10.{at >> 16 & 255}.{at >> 8 & 255}.{at & 255}/32", f"192.168.{at & 255}.0/24", at % 60000
        lines.append(f"@{src}\t{dst}\t0 : 65535\t{port} : {port}\t0x06/0xFF\t")
    return ("\n".join(lines) + "\n").encode()


def timed(benchmark: BenchmarkFixture, call: Any, rounds: int = 5) -> Any:
    return benchmark.pedantic(call, rounds=rounds, warmup_rounds=1)  # type: ignore[no-untyped-call]


@pytest.mark.benchmark(group="ClassBench filter file, 100,000 rules")
def bench_classbench(benchmark: BenchmarkFixture, tmp_path: Path) -> None:
    path = tmp_path / "big.rules"
    path.write_bytes(classbench_text(100_000))
    loaded = timed(benchmark, lambda: load(path))
    assert len(loaded.policy) == 100_000


@pytest.mark.benchmark(group="ClassBench filter file, 98,237 rules, gzip")
def bench_classbench_real(benchmark: BenchmarkFixture, tmp_path: Path) -> None:
    data = os.environ.get("PASTORE_DATA")
    path = Path(data, "classbench", "ipc2_100k.rules.gz") if data else tmp_path / "big.rules.gz"
    if not data:
        buffer = io.BytesIO()
        with gzip.open(buffer, "wb") as file:
            file.write(classbench_text(98_237))
        path.write_bytes(buffer.getvalue())
    assert len(timed(benchmark, lambda: load(path)).policy) == 98_237


@pytest.mark.benchmark(group="a policy of 10,000 filters")
def bench_load_export(benchmark: BenchmarkFixture, tmp_path: Path) -> None:
    path = export(tmp_path, big(10_000))
    assert timed(benchmark, lambda: load(path)).policy is not None


@pytest.mark.benchmark(group="a policy of 10,000 filters")
def bench_expand(benchmark: BenchmarkFixture) -> None:
    made = big(10_000)
    assert len(timed(benchmark, lambda: expand(made)).filters) > 20_000


@pytest.mark.benchmark(group="a policy of 10,000 filters")
def bench_compile(benchmark: BenchmarkFixture) -> None:
    made = big(10_000)
    assert timed(benchmark, lambda: pastore.compile(made)).stats.specific_filters > 20_000


@pytest.mark.benchmark(group="a policy of 10,000 filters")
def bench_save(benchmark: BenchmarkFixture, tmp_path: Path) -> None:
    matcher = pastore.compile(big(10_000))
    timed(benchmark, lambda: matcher.save(tmp_path / "big.pastore"))
    assert (tmp_path / "big.pastore").stat().st_size > matcher.stats.bytes


@pytest.mark.benchmark(group="a policy of 10,000 filters")
def bench_open(benchmark: BenchmarkFixture, tmp_path: Path) -> None:
    matcher = pastore.compile(big(10_000))
    matcher.save(tmp_path / "big.pastore")
    assert timed(benchmark, lambda: pastore.open(tmp_path / "big.pastore")).stats == matcher.stats


@pytest.mark.benchmark(group="100,000 rules, a table")
def bench_compile_rules(benchmark: BenchmarkFixture, tmp_path: Path) -> None:
    (tmp_path / "big.rules").write_bytes(classbench_text(100_000))
    rules: Any = load(tmp_path / "big.rules").policy
    assert timed(benchmark, lambda: pastore.compile(rules)).stats.specific_filters == 100_000


@pytest.mark.benchmark(group="100,000 rules, a table")
def bench_open_rules(benchmark: BenchmarkFixture, tmp_path: Path) -> None:
    (tmp_path / "big.rules").write_bytes(classbench_text(100_000))
    rules: Any = load(tmp_path / "big.rules").policy
    pastore.compile(rules).save(tmp_path / "big.pastore")
    assert timed(benchmark, lambda: pastore.open(tmp_path / "big.pastore")).stats.specific_filters == 100_000
