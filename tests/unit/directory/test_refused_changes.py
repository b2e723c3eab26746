"""Servers that refuse to be written to, each in its way: what is said names the entry and what to do, and never a secret."""

import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from pastore.directory import Access, DirectoryError
from pastore.export import ldif
from pastore.export.publishing import UnfinishedError, publish
from pastore.model import Secret
from tests.support.certificates import Authority
from tests.support.command import pastore as run
from tests.support.directory_examples import BASE, CONTAINER, made
from tests.support.exporting import keyed
from tests.support.hostile_ldap import (
    ADD,
    ADDED,
    MODIFIED,
    MODIFY,
    Conversation,
    Directory,
    Request,
    Server,
    domain_entries,
    entries_of_ldif,
    message,
    result,
    serving,
)
from tests.support.policies import guid

DELETE, DELETED = 0x4A, 0x6B
PASSWORD = "Planted-Password-52"
FIRST = min(f"CN=ipsecFilter{{{rule.filter_lists[0].guid}}},{CONTAINER}" for rule in made().rules)


@pytest.fixture
def folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="ldap-") as name:
        yield Path(name)


class Refusing:
    """Takes some additions, and refuses the next as it was told."""

    def __init__(self, code: int, *, after: int = 0, said: str = "", referral: str = "") -> None:
        self.code, self.left, self.said, self.referral = code, after, said, referral

    def __call__(self, conversation: Conversation, request: Request) -> bool:
        if request.tag != ADD:
            return False
        code = 0 if self.left else self.code
        self.left -= 1
        referral = self.referral if code else ""
        conversation.send(message(request.number, result(ADDED, code, self.said if code else "", referral=referral)))
        return True


def directory(script: Refusing) -> Directory:
    return Directory(domain_entries(BASE), users={"writer": PASSWORD}, script=script)


@pytest.mark.parametrize(
    ("code", "said"),
    [
        (50, "an anonymous user may not; log on with --user or --kerberos as one who may write there"),
        (68, "it is there already, written meanwhile or hidden from this user; publish again as one who may read it"),
        (32, "somebody else has changed or deleted it meanwhile; publish again"),
        (17, "its schema has no place for it (undefinedAttributeType); policies belong into Active Directory"),
        (65, "its schema has no place for it (objectClassViolation); policies belong into Active Directory"),
        (51, "publish again later"),
        (19, "constraintViolation"),
        (53, "unwillingToPerform"),
        (10, "referrals are not followed: name a domain controller that takes changes"),
    ],
)
def test_pa177_a_refusal_names_the_entry_and_says_what_to_do(folder: Path, code: int, said: str) -> None:
    script = Refusing(code, referral="ldap://elsewhere.example/" if code == 10 else "")
    with serving(Directory(domain_entries(BASE), script=script), folder) as server, pytest.raises(DirectoryError) as refused:
        publish(made(), server.url)
    assert refused.value.code == "PA177"
    assert str(refused.value).startswith(f"the server refuses to add {FIRST!r}")
    assert said in str(refused.value)


def test_what_was_written_before_is_told(folder: Path) -> None:
    refusing = Directory(domain_entries(BASE), script=Refusing(50, after=2))
    with serving(refusing, folder) as server, pytest.raises(UnfinishedError) as refused:
        publish(made(), server.url)
    assert str(refused.value).startswith("after 2 of ")
    assert "which leave the store whole: the server refuses to add" in str(refused.value)


def test_pa178_a_server_that_takes_everything_and_keeps_nothing(folder: Path) -> None:
    def swallow(conversation: Conversation, request: Request) -> bool:
        answers = {ADD: ADDED, MODIFY: MODIFIED}
        if request.tag in answers:
            conversation.send(message(request.number, result(answers[request.tag], 0)))
        return request.tag in answers

    keeping_nothing = Directory(domain_entries(BASE), script=swallow)
    with serving(keeping_nothing, folder) as server, pytest.raises(UnfinishedError) as refused:
        publish(made(), server.url)
    assert refused.value.code == "PA178"
    assert "is not as it was written" in str(refused.value)


def test_no_answer_brings_a_secret_out(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A server that sends back what it was given."""
    key = "Planted-Key-53"
    source = folder / "policy.ldif"
    source.write_bytes(ldif.write(keyed(made(), key), base_dn=BASE, secrets=True))
    monkeypatch.setenv("PASTORE_PASSWORD", PASSWORD)
    for after in (0, 3):
        with serving(directory(Refusing(80, after=after, said=f"{PASSWORD} {key}")), folder) as server:
            done = run("publish", source, "--to", server.url, "--user", "writer")
        (folder / "ldapi").unlink()
        assert done.status == 2
        assert len(done.lines) == after
        assert "PA177" in done.err
        assert PASSWORD not in done.out + done.err
        assert key not in done.out + done.err


def test_a_connection_that_ends_at_a_change_is_told(folder: Path) -> None:
    def hang_up(conversation: Conversation, request: Request) -> bool:
        if request.tag == ADD:
            conversation.socket.close()
        return request.tag == ADD

    with serving(Directory(domain_entries(BASE), script=hang_up), folder) as server, pytest.raises(DirectoryError) as refused:
        publish(made(), server.url, Access(timeout=5))
    assert refused.value.code == "PA173"


@pytest.mark.parametrize("how", ["self-signed", "expired", "wrong name", "unknown"])
def test_pa172_nothing_is_said_to_a_server_whose_certificate_is_not_right(tmp_path: Path, how: str) -> None:
    ours, other = Authority(tmp_path), Authority(tmp_path, "Somebody else")
    tls = {
        "self-signed": lambda: ours.server("localhost", self_signed=True),
        "expired": lambda: ours.server("localhost", expired=True),
        "wrong name": lambda: ours.server("other.example"),
        "unknown": lambda: other.server("localhost"),
    }[how]()
    access = Access(user="writer", password=Secret(PASSWORD), ca_file=str(ours.file), timeout=5)
    served = Directory(domain_entries(BASE), tls=tls, from_start=True, users={"writer": PASSWORD}, script=Refusing(0, after=99))
    with Server(served.serve) as server:
        url = f"ldaps://localhost:{server.port}"
        with pytest.raises(DirectoryError) as refused:
            publish(made(), url, access)
        assert refused.value.code == "PA172"
        assert {kind for kind, _ in served.log} <= {"tls"}
        waived = publish(made(), url, replace(access, insecure=True), dry_run=True)
    assert [finding.code for finding in waived.findings] == ["PA505"]


def test_pa178_what_somebody_has_come_to_use_is_not_deleted(folder: Path) -> None:
    """Between the first reading and the deletions another policy takes a list."""
    first = made()
    less = replace(first, rules=first.rules[:1])
    gone = first.rules[1]
    found = {**domain_entries(BASE), **entries_of_ldif(ldif.write(first, base_dn=BASE))}
    dn = f"CN=ipsecFilter{{{gone.filter_lists[0].guid}}},{CONTAINER}"
    policy = f"CN=ipsecPolicy{{{first.guid}}},{CONTAINER}"
    deleted: list[str] = []

    def serve(conversation: Conversation, request: Request) -> bool:
        if request.tag == MODIFY:
            name = request.parts[0][1].decode()
            if name == policy:
                rules = [value for value in found[name]["ipsecNFAReference"] if str(gone.guid) not in str(value)]
                found[name]["ipsecNFAReference"] = rules
                found[f"CN=ipsecNFA{{{guid('theirs')}}},{CONTAINER}"] = {
                    "objectClass": ["ipsecNFA"],
                    "ipsecFilterReference": [dn],
                }
            else:
                found[name]["ipsecOwnersReference"] = [policy]
            conversation.send(message(request.number, result(MODIFIED, 0)))
        elif request.tag == DELETE:
            deleted.append(request.content.decode())
            conversation.send(message(request.number, result(DELETED, 0)))
        return request.tag in (MODIFY, DELETE)

    with serving(Directory(found, script=serve), folder) as server:
        planned = publish(less, server.url, remove_unused=True, dry_run=True)
        assert dn in [change.dn for change in planned.plan.changes if change.verb == "delete"]
        with pytest.raises(DirectoryError, match="somebody else writes there too; publish again") as refused:
            publish(less, server.url, remove_unused=True)
        assert refused.value.code == "PA178"
        assert deleted == []
        found[f"CN=ipsecNFA{{{guid('theirs')}}},{CONTAINER}"]["ipsecFilterReference"] = []
        publish(less, server.url, remove_unused=True)
    assert deleted[:1] == [f"CN=ipsecNFA{{{gone.guid}}},{CONTAINER}"]
    assert dn in deleted


def test_a_policy_that_is_not_whole_is_not_published(folder: Path) -> None:
    whole = made()
    first = whole.rules[0]
    for lost, said in (
        (replace(whole, missing=("ipsecNFA{x}",)), "ipsecNFA{x} is missing"),
        (replace(whole, main_mode=None), "it has no key exchange settings"),
        (replace(whole, rules=(replace(first, filter_action=None),)), "has no filter action"),
        (replace(whole, rules=(replace(first, missing=("ipsecFilter{y}",)),)), "ipsecFilter{y} is missing"),
    ):
        with pytest.raises(ValueError, match="the policy is not whole") as refused:
            publish(lost, "ldapi://nowhere")  # not even asked
        assert said in str(refused.value)
