"""A directory server takes our LDIF as it is, and what it gives back is the same policy."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from pastore.export import ldif
from pastore.filters.specific import SpecificFilters
from pastore.model import Policy, Rule, Storage
from pastore.sources.ldif import load_ldif
from tests.support import example
from tests.support import stored as s
from tests.support.exporting import in_directory, keyed, policies
from tests.support.slapd import CLIENTS, SLAPD, SUFFIX, Directory, directory

pytestmark = pytest.mark.skipif(not (SLAPD and CLIENTS), reason="slapd and ldap-utils are not installed")


@pytest.fixture
def server() -> Iterator[Directory]:
    with directory() as running:
        yield running


def spelled(policy: Policy | SpecificFilters | None) -> Policy:
    """Return a policy with its DN as we write it: the server spells the types of attributes its own way."""
    assert isinstance(policy, Policy)
    ours = in_directory(policy, SUFFIX).dn
    assert policy.dn.lower() == ours.lower()
    return replace(policy, dn=ours)


def written(policy: Policy) -> bytes:
    return ldif.write(policy, base_dn=SUFFIX, secrets=True)


@pytest.mark.parametrize("number", [0, 1])
@pytest.mark.parametrize("options", [("-LLL",), ("-L",), ()])
def test_ldapadd_takes_a_policy_and_ldapsearch_gives_it_back(
    server: Directory, data: Path | None, number: int, options: tuple[str, ...]
) -> None:
    policy = policies(data)[number]
    assert server.add(written(policy)) == ""
    loaded = load_ldif(server.search(*options), "server")
    assert spelled(loaded.policy) == in_directory(policy, SUFFIX)
    assert [finding for finding in loaded.findings if finding.severity.value != "info"] == []
    assert "PA134" not in {finding.code for finding in loaded.findings}


def test_names_in_any_script_keys_and_names_that_need_base64_come_back(server: Directory) -> None:
    policy = keyed(replace(s.small_policy(), name="Büro 事務所 🏢", description=" :<a line\r\nand another "), "Schlüssel 🔑")
    assert server.add(written(policy)) == ""
    assert spelled(load_ldif(server.search("-LLL"), "server").policy) == in_directory(policy, SUFFIX)


def test_two_policies_of_one_file_come_back(server: Directory) -> None:
    both = [s.small_policy(), example.policy()]
    assert server.add(ldif.write(both, base_dn=SUFFIX)) == ""
    assert set(map(spelled, load_ldif(server.search("-LLL"), "server").policies)) == {in_directory(one, SUFFIX) for one in both}


def test_without_times_the_server_has_none(server: Directory) -> None:
    assert server.add(ldif.write(s.small_policy(), base_dn=SUFFIX, times=False)) == ""
    got = load_ldif(server.search("-LLL"), "server").policy
    assert isinstance(got, Policy)
    assert got.storage is Storage.DIRECTORY
    assert got.when_changed is None
    assert [rule.guid for rule in got.rules] == [rule.guid for rule in s.small_policy().rules]


def test_the_server_would_refuse_what_is_wrong(server: Directory) -> None:
    lost = Rule(s.guid(40), filter_lists=s.small_policy().rules[1].filter_lists, missing=("no name",))
    assert "Invalid syntax" in server.add(written(replace(s.small_policy(), rules=(lost,))))
    assert "Already exists" in server.add(written(s.small_policy()))
