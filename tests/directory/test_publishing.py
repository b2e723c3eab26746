"""Policies published in a real domain: created, changed, assigned, removed; what Windows would notice; and who may not."""

import time
from base64 import b64encode
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

import pastore
from pastore.directory import Access, DirectoryError, changed_since, marker_of
from pastore.directory.assignment import assignment_of
from pastore.directory.session import Session
from pastore.directory.writing import Change, Modify
from pastore.export import ldif
from pastore.export.publishing import publish
from pastore.model import FilterList, Policy, Rule, Secret
from pastore.sources.ldif import load_ldif
from tests.support import example
from tests.support import stored as s
from tests.support.command import pastore as run
from tests.support.domain import ADMINISTRATOR, BASE, DomainController, read_ldif
from tests.support.exporting import in_directory, keyed, timeless, whole_policy
from tests.support.policies import flt

CONTAINER = f"CN=IP Security,CN=System,{BASE}"
POLICIES = f"CN=Policies,CN=System,{BASE}"
GUID = "{0B5E55ED-1111-4111-8111-111111111111}"
GPO = f"CN={GUID},{POLICIES}"
UNIT = f"OU=Published,{BASE}"
COMPUTER = f"CN=FILES9,{UNIT}"
READER = "reader9@ad.test"
REGISTRY = "[{35378EAC-683F-11D2-A89A-00C04FBBCFA2}{D02B1F72-3407-48AE-BA88-E8213C6761F1}]"
SECURITY = "[{FFFFFFFF-683F-11D2-A89A-00C04FBBCFA2}{D02B1F72-3407-48AE-BA88-E8213C6761F1}]"
IPSEC = "[{E437BC1C-AA7D-11D2-A382-00C04F991E27}{DEA8AFA0-CC85-11D0-9CE2-0080C7221EBD}]"


class Estate:
    """The policy store of a domain, a Group Policy object that assigns nothing, and a computer that it is linked to."""

    def __init__(self, domain: DomainController) -> None:
        self.domain = domain
        self.url = domain.url
        self.access = Access(user=ADMINISTRATOR, password=Secret(domain.password))
        self.before = self.objects()

    def objects(self) -> set[str]:
        return {dn for dn, _ in read_ldif(self.domain.search(CONTAINER, "(objectClass=ipsecBase)", "dn"))}

    def make(self) -> None:
        self.domain.modify(
            f"dn: {UNIT}\nchangetype: add\nobjectClass: organizationalUnit\n\n"
            f"dn: {COMPUTER}\nchangetype: add\nobjectClass: computer\nsAMAccountName: FILES9$\nuserAccountControl: 4096\n\n"
            f"dn: {GPO}\nchangetype: add\nobjectClass: groupPolicyContainer\ndisplayName: Isolation of files\nflags: 0\n"
            f"versionNumber: 65535\ngPCFunctionalityVersion: 2\ngPCMachineExtensionNames: {REGISTRY}{SECURITY}\n\n"
            f"dn: {UNIT}\nchangetype: modify\nreplace: gPLink\ngPLink: [LDAP://{GPO};0]\n"
        )

    def clear(self) -> None:
        below = self.domain.search(GPO, "(objectClass=*)", "dn")
        gone = sorted((dn for dn, _ in read_ldif(below)), key=len, reverse=True)
        self.domain.delete(*gone, COMPUTER, UNIT, *sorted(self.objects() - self.before))

    def publish(self, policy: Policy, **how: object) -> tuple[Change, ...]:
        return publish(policy, self.url, self.access, **how).plan.changes  # type: ignore[arg-type]

    def read(self, policy: Policy) -> Policy:
        """Read a policy as ldapsearch and as our own client find it, which agree."""
        wanted = f"{{{policy.guid}}}"
        got = pastore.load(self.url, policy=wanted, access=self.access)
        by_ldapsearch = load_ldif(
            self.domain.search(f"CN=System,{BASE}", "(objectClass=ipsecBase)").encode(), "ldapsearch", wanted
        )
        assert isinstance(got.policy, Policy)
        assert got.policy == by_ldapsearch.policy
        return got.policy

    def value(self, dn: str, attribute: str) -> str:
        (entry,) = (one for one in read_ldif(self.domain.search(dn, "(objectClass=*)", attribute)) if one[0] == dn)
        return entry[1].get(attribute.lower(), [b""])[0].decode()


@pytest.fixture
def estate(domain: DomainController) -> Iterator[Estate]:
    made = Estate(domain)
    made.make()
    try:
        yield made
    finally:
        made.clear()
    assert made.objects() == made.before


def same(read: Policy, written: Policy) -> bool:
    """Whether two policies differ in nothing but what a directory keeps otherwise."""
    return bool(timeless(replace(read, dn="", assigned=False)) == timeless(replace(in_directory(written, BASE), dn="")))


def changed(policy: Policy) -> Policy:
    """Return the small policy with a list changed, a rule dropped and one added, a list exchanged."""
    default, everything, ports = policy.rules
    shorter = replace(ports.filter_lists[0], filters=ports.filter_lists[0].filters[:5], name="Fewer ports")
    fresh = FilterList(s.guid(23), "Fresh", (flt("udp any > me:53"),))
    added = Rule(s.guid(14), "Added", filter_lists=(shorter,), filter_action=ports.filter_action, auth_methods=ports.auth_methods)
    return replace(policy, name="Changed", rules=(default, replace(everything, filter_lists=(fresh,)), added))


def test_policies_are_created_changed_and_read_back(estate: Estate, data: Path | None) -> None:
    small = s.small_policy()
    for policy in (small, changed(small), keyed(small, "Schlüssel 🔑"), example.policy(), whole_policy(data)):
        assert estate.publish(policy, remove_unused=True)
        read = estate.read(policy)
        assert same(read, policy)
        assert read.when_changed is not None
        assert abs(read.when_changed - time.time()) < 3600
        assert estate.publish(policy, remove_unused=True) == ()
        assert estate.publish(read) == ()


def test_ldapmodify_takes_what_a_dry_run_prints(estate: Estate) -> None:
    for policy in (s.small_policy(), changed(s.small_policy())):
        changes = estate.publish(policy, remove_unused=True, dry_run=True, gpo=GUID)
        assert estate.domain.change(ldif.changes(changes)) == ""
        assert same(estate.read(policy), policy)
        assert estate.publish(policy, remove_unused=True, gpo=GUID) == ()


def test_what_is_removed_is_gone_and_what_is_not_is_told(estate: Estate) -> None:
    small = s.small_policy()
    estate.publish(small)
    told = publish(changed(small), estate.url, estate.access).findings
    assert [finding.code for finding in told] == ["PA136", "PA136"]  # the rule that was dropped, and a list
    numbers = len(estate.objects())
    assert len(estate.publish(changed(small), remove_unused=True)) >= 2
    assert len(estate.objects()) == numbers - 2
    assert same(estate.read(changed(small)), changed(small))


def test_the_policy_is_newer_than_a_child_that_was_changed(estate: Estate) -> None:
    """Windows compares nothing else."""
    small = s.small_policy()
    estate.publish(small)
    dn = in_directory(small, BASE).dn
    with Session(estate.url, estate.access) as session:
        marker = marker_of(session, dn)
    time.sleep(1.1)  # times are whole seconds
    block = replace(small.rules[1].filter_lists[0], description="Of the third floor")
    wanted = replace(small, rules=(small.rules[0], replace(small.rules[1], filter_lists=(block,)), small.rules[2]))
    changes = estate.publish(wanted)
    assert [change.dn.partition("{")[0] for change in changes] == ["CN=ipsecFilter", "CN=ipsecPolicy"]
    with Session(estate.url, estate.access) as session:
        got = changed_since(session, marker)
    assert len(got.modified) == 2
    assert not got.unnoticed
    assert got.marker.when_changed > marker.when_changed


def test_a_run_that_ended_before_the_policy_was_touched_is_finished(estate: Estate) -> None:
    small = s.small_policy()
    estate.publish(small)
    wanted = replace(small, rules=(*small.rules[:2], replace(small.rules[2], name="Renamed")))

    class Gone(Exception):
        pass

    def told(change: Change) -> None:
        raise Gone

    with pytest.raises(Gone):
        publish(wanted, estate.url, estate.access, told=told)
    assert same(estate.read(wanted), wanted)
    (touched,) = estate.publish(wanted)
    assert isinstance(touched, Modify)
    assert touched.dn.lower() == in_directory(small, BASE).dn.lower()
    assert [step.attribute for step in touched.steps] == ["ipsecDataType"]
    assert estate.publish(wanted) == ()


def test_a_policy_that_windows_made_is_left_as_it_is(estate: Estate) -> None:
    """Its values have other bytes than ours where they mean nothing; at most its time is renewed, once."""
    dn = f"CN=ipsecPolicy{{72385230-70FA-11D1-864C-14A300000000}},{CONTAINER}"
    got = pastore.load(estate.url, policy="Server (Request Security)", access=estate.access).policy
    assert isinstance(got, Policy)
    changes = estate.publish(got, dry_run=True)
    assert {change.dn for change in changes} <= {dn}
    assert {step.attribute for change in changes if isinstance(change, Modify) for step in change.steps} <= {"ipsecDataType"}


def test_a_group_policy_object_assigns_it(estate: Estate) -> None:
    small, other = s.small_policy(), example.policy()

    def assigned() -> str:
        with Session(estate.url, estate.access) as session:
            got = assignment_of(session, "FILES9", "Default-First-Site-Name")
        assert [finding.code for finding in got.findings if finding.code == "PA135"] == []
        return got.policy.lower()

    assert assigned() == ""
    got = publish(small, estate.url, estate.access, gpo="isolation of FILES")
    assert (got.gpo, got.before, got.is_off) == ("Isolation of files", "", False)
    assert assigned() == in_directory(small, BASE).dn.lower()
    assert estate.value(GPO, "gPCMachineExtensionNames") == f"{REGISTRY}{IPSEC}{SECURITY}"
    assert estate.value(GPO, "versionNumber") == "1"  # 65535 was the last; the half of the users stays 0
    assert estate.publish(small, gpo=GUID) == ()
    got = publish(other, estate.url, estate.access, gpo=GPO.lower())
    assert got.before.lower() == in_directory(small, BASE).dn.lower()
    assert assigned() == in_directory(other, BASE).dn.lower()
    assert estate.value(GPO, "versionNumber") == "2"
    loaded = pastore.load(estate.url, computer="FILES9", site="Default-First-Site-Name", access=estate.access)
    assert isinstance(loaded.policy, Policy)
    assert loaded.policy.assigned
    assert same(loaded.policy, other)


def test_pa178_a_group_policy_object_that_is_not_there(estate: Estate) -> None:
    with pytest.raises(DirectoryError, match="there is no Group Policy object 'Nothing': there are 'Default Domain") as refused:
        estate.publish(s.small_policy(), gpo="Nothing")
    assert refused.value.code == "PA178"
    assert estate.objects() == estate.before


def test_pa178_a_rule_of_another_policy(estate: Estate) -> None:
    estate.publish(s.small_policy())
    twin = replace(s.small_policy(), guid=s.guid(70), name="Twin")
    with pytest.raises(DirectoryError, match="belongs to policy 'Small' already") as refused:
        estate.publish(twin)
    assert refused.value.code == "PA178"


def test_a_user_who_may_only_read_writes_nothing(estate: Estate, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    password = "Reads-9-Only!"
    quoted = b64encode(f'"{password}"'.encode("utf-16-le")).decode()
    user = f"CN=Reader9,CN=Users,{BASE}"
    estate.domain.modify(
        f"dn: {user}\nchangetype: add\nobjectClass: user\nsAMAccountName: reader9\nuserPrincipalName: {READER}\n"
        f"userAccountControl: 512\nunicodePwd:: {quoted}\n"
    )
    file = tmp_path / "small.ldif"
    file.write_bytes(ldif.write(s.small_policy(), base_dn=BASE))
    monkeypatch.setenv("PASTORE_PASSWORD", password)
    try:
        done = run("publish", file, "--to", estate.url, "--user", READER)
    finally:
        estate.domain.delete(user)
    assert (done.status, done.out) == (2, "")
    assert f"error PA177 the server refuses to add 'CN=ipsecFilter{{{s.guid(21)}}},{CONTAINER}': '{READER}' may not" in done.err
    assert password not in done.err
    assert estate.objects() == estate.before


def test_stopped_after_any_write_no_reference_leads_nowhere_and_the_next_run_finishes(estate: Estate) -> None:
    small, wanted = s.small_policy(), changed(s.small_policy())
    estate.publish(small)

    class Gone(Exception):
        pass

    def told(change: Change) -> None:
        raise Gone

    for _ in range(len(estate.publish(wanted, remove_unused=True, dry_run=True, gpo=GUID))):
        with pytest.raises(Gone):
            publish(wanted, estate.url, estate.access, remove_unused=True, gpo=GUID, told=told)
        found = pastore.load(estate.url, policy=f"{{{small.guid}}}", access=estate.access)
        assert not {finding.code for finding in found.findings} & {"PA130", "PA132", "PA133", "PA135", "PA137", "PA138"}
        text = estate.domain.search(CONTAINER, "(objectClass=ipsecBase)").lower()
        assert "0adel" not in text
    assert same(estate.read(wanted), wanted)
    assert estate.publish(wanted, remove_unused=True, gpo=GUID) == ()
