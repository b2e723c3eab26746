"""The agent with 10,000 filters in a real Active Directory (Samba): what a start, a change and an unchanged poll cost."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from benchmarks.bench_reading import big, timed
from pastore.agent.applying import Manner, attempt
from pastore.agent.cache import Cache
from pastore.agent.copies import Copy
from pastore.agent.engine import Engine
from pastore.agent.machine import State, Trigger
from pastore.agent.outlets import Outlets
from pastore.agent.storages import LdapDirectory
from pastore.agent.trail import Trail
from pastore.audit import JsonLinesSink
from pastore.directory import Access
from pastore.export import ldif
from pastore.filters.host import Host
from pastore.model import Policy, Secret, Storage
from tests.directory.test_large_store import large
from tests.support.domain import ADMINISTRATOR, BASE, DomainController

FILTERS = 10_000
SHAPES = ("10 filter lists", "10,000 filter lists")
MANNER = Manner(Host.parse(["10.9.0.7"]))


def shaped(shape: str) -> Policy:
    """Return a policy of 10,000 filters in few objects or in many."""
    return big(FILTERS) if shape == SHAPES[0] else large(10, FILTERS // 10)


@pytest.fixture(scope="module", params=SHAPES, ids=["few", "many"])
def directory(request: pytest.FixtureRequest) -> Iterator[tuple[str, LdapDirectory]]:
    """A domain with such a policy, and how the agent asks it."""
    made = shaped(request.param)
    with DomainController() as domain:
        whole = ldif.write(made, base_dn=BASE, times=False).split(b"\n\n")
        for start in range(0, len(whole), 500):  # the helper gives each ldapadd a minute
            assert domain.change(b"\n\n".join(whole[start : start + 500]) + b"\n\n") == ""
        access = Access(user=ADMINISTRATOR, password=Secret(domain.password), timeout=600)
        yield request.param, LdapDirectory(domain.url, access, policy=made.name)


def copy_of(directory: LdapDirectory) -> Copy:
    copy = directory.ask(None, assignment=True).copy
    assert copy is not None
    return copy


def loaded(copy: Copy) -> Policy:
    policy, _ = copy.load(Storage.DIRECTORY)
    assert policy is not None
    assert sum(len(listed.filters) for rule in policy.rules for listed in rule.filter_lists) == FILTERS
    return policy


@pytest.mark.benchmark(group="agent, 10,000 filters in Active Directory")
def bench_retrieve(benchmark: BenchmarkFixture, directory: tuple[str, LdapDirectory]) -> None:
    benchmark.extra_info["objects"] = len(timed(benchmark, lambda: copy_of(directory[1]), 3).entries)


@pytest.mark.benchmark(group="agent, 10,000 filters in Active Directory")
def bench_load(benchmark: BenchmarkFixture, directory: tuple[str, LdapDirectory]) -> None:
    copy = copy_of(directory[1])
    timed(benchmark, lambda: loaded(copy), 3)


@pytest.mark.benchmark(group="agent, 10,000 filters in Active Directory")
def bench_expand_and_compile(benchmark: BenchmarkFixture, directory: tuple[str, LdapDirectory]) -> None:
    policy = loaded(copy_of(directory[1]))
    tried = timed(benchmark, lambda: attempt(policy, (), MANNER), 3)
    assert len(tried.matcher.filters) > FILTERS


def engine_of(directory: LdapDirectory, folder: Path) -> Engine:
    """Return an engine that writes everything it does."""
    return Engine(
        Trail(JsonLinesSink(folder / "audit.jsonl")),
        directory=directory,
        cache=Cache(str(folder / "policy.cache")),
        manner=MANNER,
        applied=Outlets(str(folder / "policy.pastore"), None, lambda *found: None),
    )


@pytest.mark.benchmark(group="agent, 10,000 filters in Active Directory")
def bench_start(benchmark: BenchmarkFixture, directory: tuple[str, LdapDirectory], tmp_path: Path) -> None:
    """Everything: retrieve, load, expand, compile, events, cached copy, table."""
    engine = engine_of(directory[1], tmp_path)
    engine.start()
    assert timed(benchmark, engine.reload, 3).is_good
    assert engine.state is State.DIRECTORY


@pytest.mark.benchmark(group="agent, 10,000 filters in Active Directory")
def bench_start_from_the_cached_copy(benchmark: BenchmarkFixture, directory: tuple[str, LdapDirectory], tmp_path: Path) -> None:
    cache = Cache(str(tmp_path / "policy.cache"))
    copy = copy_of(directory[1])
    cache.save(copy, copy.obtained)
    benchmark.extra_info["bytes"] = Path(cache.path).stat().st_size

    def start() -> None:
        cached = cache.load().copy
        assert cached is not None
        attempt(loaded(cached), (), MANNER)

    timed(benchmark, start, 3)


@pytest.mark.benchmark(group="agent, 10,000 filters in Active Directory")
def bench_unchanged_poll(benchmark: BenchmarkFixture, directory: tuple[str, LdapDirectory], tmp_path: Path) -> None:
    engine = engine_of(directory[1], tmp_path)
    engine.start()
    outcome = timed(benchmark, lambda: engine.turn(Trigger.POLL), 5)
    assert (outcome.is_good, outcome.has_changed) == (True, False)
    assert engine.trail.last[-1].id == 5463
