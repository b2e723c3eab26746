"""Which policy a computer gets, where a real domain is hard to bring into the state: other domains, hidden attributes, twins."""

import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import pastore
from pastore.directory import Assignment, DirectoryError, Fate, Session, assignment_of, changed_since, marker_of
from pastore.model import Policy
from tests.support.directory_examples import BASE, COMPUTER, CONTAINER, GPO, entries, made, with_site
from tests.support.hostile_ldap import Directory, serving

Entries = dict[str, dict[str, list[bytes | str]]]
POLICY = f"CN=ipsecPolicy{{{made().guid}}},{CONTAINER}"
POINTER = f"CN=IPSEC,CN=Windows,CN=Microsoft,CN=Machine,{GPO}"
UNIT = f"OU=Servers,{BASE}"
Ask = Callable[[Entries], Assignment]


@pytest.fixture
def folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="ldap-") as name:
        yield Path(name)


@pytest.fixture
def ask(folder: Path) -> Ask:
    def asked(found: Entries) -> Assignment:
        with serving(Directory(found), folder) as server, Session(server.url) as session:
            got = assignment_of(session, "FILES1")
        (folder / "ldapi").unlink()
        return got

    return asked


def codes(assignment: Assignment) -> list[str]:
    return [finding.code for finding in assignment.findings]


def test_a_unit_with_one_link(ask: Ask) -> None:
    got = ask(entries())
    assert [(link.fate, link.kind, link.place, link.name) for link in got.links] == [(Fate.WINS, "ou", UNIT, "Servers")]
    assert (got.computer, got.policy, got.findings) == (COMPUTER, POLICY, ())


def test_the_policy_is_the_assigned_one_of_what_is_loaded(folder: Path) -> None:
    with serving(Directory(entries()), folder) as server:
        got = pastore.load(server.url, computer="files1$")
        other = pastore.load(server.url, computer="FILES1", policy="Nothing")
    assert isinstance(got.policy, Policy)
    assert (got.policy.name, got.policy.assigned, got.policies) == ("Server Isolation", True, (got.policy,))
    assert (other.policy, other.policies, [finding.code for finding in other.findings][-1]) == (None, (), "PA104")


def test_pa406_a_link_to_another_domain_is_not_followed_and_told(ask: Ask) -> None:
    found = entries()
    elsewhere = "CN={11111111-1111-4111-8111-111111111111},CN=Policies,CN=System,DC=other,DC=example"
    found[UNIT]["gPLink"] = [f"[LDAP://{GPO};0][LDAP://{elsewhere};0]"]
    got = ask(found)
    assert [link.fate for link in got.links] == [Fate.NOT_FOUND, Fate.WINS]
    assert got.links[0].why == "it is in another domain, which was not asked"
    assert codes(got) == ["PA406"]


def test_a_group_policy_object_that_is_gone_does_not_count(ask: Ask) -> None:
    found = entries()
    del found[GPO]
    got = ask(found)
    assert [(link.fate, link.name) for link in got.links] == [(Fate.NOT_FOUND, GPO.partition(",")[0].removeprefix("CN="))]
    assert (got.winner, got.policy, codes(got)) == (None, "", [])


def test_pa406_groups_that_cannot_be_read(ask: Ask) -> None:
    found = entries()
    del found[COMPUTER]["tokenGroups"]
    got = ask(found)
    assert (got.policy, codes(got)) == (POLICY, ["PA406"])
    assert got.findings[0].message.startswith("the groups of the computer cannot be read")


def test_pa135_a_pointer_into_another_domain(ask: Ask) -> None:
    found = entries()
    found[POINTER]["ipsecOwnersReference"] = [POLICY.replace("DC=corp", "DC=other")]
    assert codes(ask(found)) == ["PA135"]


def test_a_functionality_version_other_than_2_does_not_count(ask: Ask) -> None:
    got = ask(entries(gPCFunctionalityVersion=["3"]))
    assert [(link.fate, link.why) for link in got.links] == [(Fate.FILTERED, "its functionality version is not 2")]


def test_links_are_read_whatever_their_case_and_spaces(ask: Ask) -> None:
    found = entries()
    found[UNIT]["gPLink"] = [f" [ldap://{GPO.upper().replace(',', ', ')};0] "]
    assert ask(found).policy == POLICY


def test_pa408_is_told_only_for_sites_whose_links_would_count(ask: Ask) -> None:
    assert codes(ask(with_site())) == ["PA408"]
    found = with_site()
    found[f"CN=HQ,CN=Sites,CN=Configuration,{BASE}"]["gPLink"] = ["[LDAP://CN={0},CN=Policies,CN=System," + BASE + ";0]"]
    assert codes(ask(found)) == []


def test_pa175_twins_are_listed(ask: Ask) -> None:
    found = entries()
    found[f"CN=FILES1,{BASE}"] = {"objectClass": ["computer"], "cn": ["FILES1"]}
    with pytest.raises(DirectoryError) as refused:
        ask(found)
    assert refused.value.code == "PA175"
    assert COMPUTER in str(refused.value)
    assert f"'CN=FILES1,{BASE}'" in str(refused.value)


def test_a_server_without_a_number_of_its_own_is_read_whole_every_time(folder: Path) -> None:
    with serving(Directory(entries()), folder) as server, Session(server.url) as session:
        marker = marker_of(session, POLICY)
        assert (marker.controller, len(marker.names)) == ("", len([dn for dn in entries() if dn.endswith(f",{CONTAINER}")]))
        changes = changed_since(session, marker)
    assert changes.everything
    assert changes
    assert changes.marker == marker
