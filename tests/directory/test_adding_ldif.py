"""Active Directory takes our LDIF as it is, and what it gives back is the same policy."""

import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, given, settings

from pastore.export import ldif
from pastore.model import Policy
from pastore.sources import Loaded
from pastore.sources.ldif import load_ldif
from tests.support import example, policies
from tests.support import stored as s
from tests.support.command import pastore
from tests.support.domain import BASE, DomainController, read_ldif
from tests.support.exporting import in_directory, keyed, timeless, whole_policy

CONTAINER = f"CN=IP Security,CN=System,{BASE}"


class Store:
    """The policy store of the directory, and what was added to it."""

    def __init__(self, domain: DomainController) -> None:
        self.domain = domain
        self.before = self._dns()

    def _dns(self) -> set[str]:
        return {dn for dn, _ in read_ldif(self.domain.search(CONTAINER, "(objectClass=ipsecBase)", "dn"))}

    def add(self, written: bytes) -> None:
        """Have the directory take LDIF, all of it."""
        assert self.domain.change(written) == ""

    def read(self, policy: Policy) -> Loaded:
        """Read a policy among all that are there."""
        found = self.domain.search(CONTAINER, "(objectClass=ipsecBase)").encode()
        return load_ldif(found, "directory", f"{{{policy.guid}}}")

    def clear(self) -> None:
        """Take out what was not there before."""
        added = sorted(self._dns() - self.before)
        if added:
            self.domain.delete(*added)
        assert self._dns() == self.before


@pytest.fixture
def store(domain: DomainController) -> Iterator[Store]:
    made = Store(domain)
    try:
        yield made
    finally:
        made.clear()


def added_and_read(store: Store, policy: Policy) -> Policy:
    store.add(ldif.write(policy, base_dn=BASE, secrets=True, times=False))
    loaded = store.read(policy)
    assert isinstance(loaded.policy, Policy)
    return loaded.policy


def same(read: Policy, written: Policy) -> bool:
    """Whether two policies differ in nothing but what a directory keeps otherwise."""
    return bool(timeless(replace(read, dn="")) == timeless(replace(in_directory(written, BASE), dn="")))


def plain() -> dict[str, Policy]:
    small = s.small_policy()
    return {
        "bundled example": example.policy(),
        "three rules": small,
        "any script": replace(small, name="Büro 事務所 🏢", description=" :<a line\r\nand another "),
        "pre-shared keys": keyed(small, "Schlüssel 🔑"),
        "no rules": policies.policy(name="Empty"),
    }


@pytest.mark.parametrize("name", plain())
def test_the_directory_takes_a_policy_and_gives_it_back(store: Store, name: str) -> None:
    written = plain()[name]
    read = added_and_read(store, written)
    assert same(read, written)
    assert read.dn.lower() == in_directory(written, BASE).dn.lower()
    assert read.when_changed is not None
    assert abs(read.when_changed - time.time()) < 3600


def test_a_registry_export_goes_into_the_directory_and_comes_back(store: Store, data: Path | None) -> None:
    written = whole_policy(data)
    assert same(added_and_read(store, written), written)


def test_what_the_command_writes_is_taken(store: Store, tmp_path: Path) -> None:
    out = tmp_path / "policy.ldif"
    done = pastore("convert", example.FOLDER / "policy.reg", "-t", "ldif", "--base-dn", BASE, "--no-times", "-o", out)
    assert done.status == 0, done.err
    store.add(out.read_bytes())
    assert isinstance(read := store.read(example.policy()).policy, Policy)
    assert same(read, example.policy())


def test_samba_takes_times_too_and_sets_its_own(store: Store) -> None:
    """Windows refuses an object that brings them; for that there is ``--no-times``."""
    store.add(ldif.write(s.small_policy(), base_dn=BASE))
    assert isinstance(read := store.read(s.small_policy()).policy, Policy)
    assert same(read, s.small_policy())
    assert read.when_changed is not None
    assert abs(read.when_changed - time.time()) < 3600


def test_two_policies_of_one_file_come_back(store: Store) -> None:
    both = [s.small_policy(), example.policy()]
    store.add(ldif.write(both, base_dn=BASE, times=False))
    for one in both:
        assert isinstance(read := store.read(one).policy, Policy)
        assert same(read, one)


def test_policies_of_every_kind_of_node_come_back(store: Store) -> None:
    # Each takes a second, so a failing one is shown as it is.
    @settings(max_examples=8, deadline=None, derandomize=True, phases=[Phase.generate], suppress_health_check=list(HealthCheck))
    @given(s.policies().filter(lambda one: not one.missing and not any(rule.missing for rule in one.rules)))
    def comes_back(written: Policy) -> None:
        try:
            assert same(added_and_read(store, written), written)
        finally:
            store.clear()

    comes_back()
