"""What changed in the policy store of a real domain controller."""

from collections.abc import Iterator
from dataclasses import replace

import pytest

from pastore.directory import Access
from pastore.directory.changes import Changes, Marker, changed_since, marker_of
from pastore.directory.session import Session
from pastore.model import Secret
from tests.support.domain import ADMINISTRATOR, BASE, DomainController

CONTAINER = f"CN=IP Security,CN=System,{BASE}"
POLICY = f"CN=ipsecPolicy{{72385236-70FA-11D1-864C-14A300000000}},{CONTAINER}"
ACTION = f"CN=ipsecNegotiationPolicy{{7238523B-70FA-11D1-864C-14A300000000}},{CONTAINER}"
EXTRA = f"CN=ipsecFilter{{0BADF00D-0000-4000-8000-000000000002}},{CONTAINER}"


def opened(domain: DomainController) -> Session:
    return Session(domain.url, Access(user=ADMINISTRATOR, password=Secret(domain.password)))


@pytest.fixture
def marker(domain: DomainController) -> Iterator[Marker]:
    with opened(domain) as session:
        yield marker_of(session, POLICY)


def since(domain: DomainController, marker: Marker) -> Changes:
    with opened(domain) as session:
        return changed_since(session, marker)


def sets(changes: Changes) -> tuple[set[str], set[str], set[str]]:
    return set(changes.modified), set(changes.added), set(changes.deleted)


def describe(domain: DomainController, dn: str, text: str) -> None:
    domain.modify(f"dn: {dn}\nchangetype: modify\nreplace: ipsecName\nipsecName: {text}\n")


def test_a_marker_knows_the_controller_the_objects_and_the_policys_time(marker: Marker) -> None:
    assert len(marker.names) == 22
    assert marker.usn > 0
    assert len(marker.controller) == 36
    assert marker.when_changed.endswith(".0Z")


def test_nothing_changed(domain: DomainController, marker: Marker) -> None:
    got = since(domain, marker)
    assert not got
    assert got.marker == marker


def test_a_modified_child_is_found_and_windows_would_not_notice(domain: DomainController, marker: Marker) -> None:
    describe(domain, ACTION, "Allow")
    try:
        got = since(domain, marker)
        assert sets(got) == ({ACTION}, set(), set())
        assert got.unnoticed
        assert got.marker.usn > marker.usn
        assert not since(domain, got.marker)
    finally:
        describe(domain, ACTION, "Permit")


def test_a_modified_policy_is_found_and_noticed(domain: DomainController, marker: Marker) -> None:
    describe(domain, POLICY, "Client")
    try:
        got = since(domain, marker)
        assert got.modified == {POLICY}
        assert not got.unnoticed
    finally:
        describe(domain, POLICY, "Client (Respond Only)")


def test_additions_and_deletions_are_found(domain: DomainController, marker: Marker) -> None:
    domain.modify(f"dn: {EXTRA}\nchangetype: add\nobjectClass: ipsecFilter\n")
    added = since(domain, marker)
    assert sets(added) == (set(), {EXTRA}, set())
    domain.modify(f"dn: {EXTRA}\nchangetype: delete\n")
    deleted = since(domain, added.marker)
    assert sets(deleted) == (set(), set(), {EXTRA})
    assert not since(domain, deleted.marker)


@pytest.mark.parametrize("other", [{"controller": "00000000-0000-0000-0000-000000000001"}, {"controller": ""}, {"usn": 1 << 40}])
def test_a_marker_of_another_controller_or_of_a_lost_future_means_reading_everything(
    domain: DomainController, marker: Marker, other: dict[str, object]
) -> None:
    got = since(domain, replace(marker, **other))  # type: ignore[arg-type]
    assert got.everything
    assert got.marker == marker
