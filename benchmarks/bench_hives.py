"""A policy of 10,000 filters in a hive of 100,000 keys, read by pastore and walked by regipy and hivex; a process each.

What is timed is the whole process, as somebody waits for it. Beside it stand the time of the reading alone and the most memory
that it, or a process it started, held.
"""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any, Final

import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from benchmarks.bench_reading import big, timed
from tests.support.example import HKLM, registry
from tests.support.hives import PYTHON, write_hive
from tests.support.reg_text import RegValue

KEYS: Final = 100_000
FILTERS: Final = 10_000
BOUND: Final = 60  # seconds for a walk of the whole hive
SOFTWARE: Final = f"{HKLM}\\SOFTWARE"
IPSEC: Final = ("Policies", "Microsoft", "Windows", "IPSec")

_TELL: Final = """
import json, resource, sys, time
def tell(started, **found):
    took = time.perf_counter() - started
    # Not ru_maxrss of this process: that counts what the one that started it held.
    own = next(int(line.split()[1]) for line in open("/proc/self/status") if line.startswith("VmHWM"))
    most = max(own, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)
    print(json.dumps({"inside_ms": took * 1000, "peak_mb": most / 1024, **found}))
"""
_PASTORE: Final = """
from pastore.sources import load
started = time.perf_counter()
got = load(sys.argv[1])
tell(started, filters=sum(len(each.filters) for rule in got.policy.rules for each in rule.filter_lists))
"""
_REGIPY: Final = """
from regipy.registry import RegistryHive
path, bound, *below = sys.argv[1:]
started = time.perf_counter()
key = RegistryHive(path).root
for name in below:
    key = next(child for child in key.iter_subkeys() if child.name == name)
keys = values = size = 0
todo = [key]
while todo and time.perf_counter() - started < float(bound):
    key = todo.pop()
    keys += 1
    for value in key.iter_values(trim_values=False):
        values += 1
        size += len(value.value) if isinstance(value.value, (str, bytes, list)) else 4
    todo += key.iter_subkeys()
tell(started, keys=keys, values=values, whole=not todo)
"""
_HIVEX: Final = """
import hivex
path, _, *below = sys.argv[1:]
started = time.perf_counter()
hive = hivex.Hivex(path)
node = hive.root()
for name in below:
    node = hive.node_get_child(node, name)
keys = values = size = 0
todo = [node]
while todo:
    node = todo.pop()
    keys += 1
    hive.node_name(node)
    for value in hive.node_values(node):
        values += 1
        hive.value_key(value)
        size += len(hive.value_value(value)[1])
    todo += hive.node_children(node)
tell(started, keys=keys, values=values, whole=True)
"""


@pytest.fixture(scope="module")
def hive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The hive: the policy's keys, and others with three values each, in folders of a few hundred."""
    policy = big(FILTERS)
    keys: dict[str, dict[str, RegValue]] = {path: dict(values) for path, values in registry(policy, assigned=policy).items()}
    for number in range(KEYS - len(keys)):
        path = f"{SOFTWARE}\\Classes\\Group{number // 300}\\Key{number % 300}"
        keys[path] = {"": f"Object {number}", "Version": number, "Data": number.to_bytes(4, "little") * 8}
    return write_hive(tmp_path_factory.mktemp("hives") / "SOFTWARE", keys, below=SOFTWARE)


def run(python: str, script: str, *arguments: object) -> dict[str, Any]:
    """Run a script in a process of its own and return what it tells."""
    command = [python, "-c", _TELL + script, *map(str, arguments)]
    done = subprocess.run(command, stdout=subprocess.PIPE, check=True)
    told: dict[str, Any] = json.loads(done.stdout)
    return told


def measured(benchmark: BenchmarkFixture, hive: Path, python: str, script: str, *arguments: object, rounds: int = 5) -> Any:
    told: list[dict[str, Any]] = []
    timed(benchmark, lambda: told.append(run(python, script, hive, *arguments)), rounds=rounds)
    last = sorted(told[-rounds:], key=lambda each: float(each["inside_ms"]))[rounds // 2]
    benchmark.extra_info.update(last)
    benchmark.extra_info["hive_mb"] = hive.stat().st_size / 1e6
    return last


@pytest.mark.benchmark(group="hive of 100,000 keys: the policy of 10,000 filters in it")
def bench_pastore(benchmark: BenchmarkFixture, hive: Path) -> None:
    assert measured(benchmark, hive, sys.executable, _PASTORE)["filters"] == FILTERS


@pytest.mark.benchmark(group="hive of 100,000 keys: the policy of 10,000 filters in it")
def bench_regipy_same_keys(benchmark: BenchmarkFixture, hive: Path) -> None:
    assert measured(benchmark, hive, sys.executable, _REGIPY, BOUND, *IPSEC)["keys"] > 20


@pytest.mark.benchmark(group="hive of 100,000 keys: the policy of 10,000 filters in it")
def bench_hivex_same_keys(benchmark: BenchmarkFixture, hive: Path) -> None:
    assert measured(benchmark, hive, PYTHON, _HIVEX, BOUND, *IPSEC)["keys"] > 20


@pytest.mark.benchmark(group="hive of 100,000 keys: all of it")
def bench_hivex_all_keys(benchmark: BenchmarkFixture, hive: Path) -> None:
    assert measured(benchmark, hive, PYTHON, _HIVEX, BOUND)["keys"] > KEYS


@pytest.mark.benchmark(group="hive of 100,000 keys: all of it")
def bench_regipy_all_keys(benchmark: BenchmarkFixture, hive: Path) -> None:
    """Where it is not done within a minute, the record says so."""
    assert measured(benchmark, hive, sys.executable, _REGIPY, BOUND, rounds=1)["keys"] > 0
