"""What publishing leaves in a real server: slapd takes every change, and what readers find is always whole."""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from collections.abc import Set as AbstractSet
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import pytest

import pastore
from pastore.directory import Access, DirectoryError
from pastore.directory.writing import Add, Change, Delete
from pastore.export import ldif
from pastore.export.publishing import UnfinishedError, publish
from pastore.model import FilterList, Policy, Rule, Secret
from pastore.sources.ldif import load_ldif
from tests.support import stored as s
from tests.support.command import pastore as run
from tests.support.exporting import in_directory, keyed, timeless
from tests.support.policies import flt
from tests.support.relay import Relay, to_path
from tests.support.slapd import CLIENTS, SLAPD, SUFFIX, Directory, directory

pytestmark = pytest.mark.skipif(not (SLAPD and CLIENTS), reason="slapd and ldap-utils are not installed")

USER = f"CN=admin,{SUFFIX}"
ACCESS = Access(user=USER, password=Secret("lab"), timeout=20)
DANGLING = {"PA130", "PA131", "PA132", "PA133", "PA135", "PA137", "PA138"}


def old() -> Policy:
    return s.small_policy()


def new() -> Policy:
    """Return the policy changed in every way: a list changed, a rule dropped, a rule added, a list exchanged, another mode."""
    policy = s.small_policy()
    default, everything, ports = policy.rules
    shorter = replace(ports.filter_lists[0], filters=ports.filter_lists[0].filters[:5], name="Fewer ports")
    fresh = FilterList(s.guid(23), "Fresh", (flt("udp any > me:53"),))
    added = Rule(s.guid(14), "Added", filter_lists=(shorter,), filter_action=ports.filter_action, auth_methods=ports.auth_methods)
    assert policy.main_mode is not None
    mode = replace(policy.main_mode, guid=s.guid(3), lifetime_seconds=3600)
    rules = (default, replace(everything, filter_lists=(fresh,)), added)
    return replace(policy, name="Changed", rules=rules, main_mode=mode, description="New")


@pytest.fixture
def server() -> Iterator[Directory]:
    with directory() as running:
        yield running


def url(server: Directory) -> str:
    return f"{server.url}/{SUFFIX}"


def held(policy: Policy) -> Policy:
    """Return a policy as the server gives it back."""
    kept = timeless(replace(in_directory(policy, SUFFIX), dn=""))
    assert isinstance(kept, Policy)
    return kept


def read(server: Directory) -> Policy | None:
    """Return the policy that the server holds, if two independent clients of it agree, and nothing it refers to is missing."""
    got = pastore.load(url(server), access=ACCESS)
    by_ldapsearch = load_ldif(server.search("-LLL"), "ldapsearch")
    assert got.policies == by_ldapsearch.policies
    assert {finding.code for finding in got.findings} & DANGLING == set()
    if not isinstance(got.policy, Policy):
        return None
    assert got.policy.dn.lower() == in_directory(got.policy, SUFFIX).dn.lower()
    policy = timeless(replace(got.policy, dn=""))
    assert isinstance(policy, Policy)
    return policy


def dangling(server: Directory) -> list[str]:
    """Return the references of the store, as ldapsearch prints them, that lead to no entry."""
    text = server.search("-LLL", "-o", "ldif-wrap=no").decode().lower()
    entries = {line[4:] for line in text.splitlines() if line.startswith("dn: ")}
    values = [line.partition(": ")[2] for line in text.splitlines() if "reference: " in line]
    return [value for value in values if value not in entries]


def parts(policy: Policy) -> tuple[AbstractSet[object], ...]:
    """Return the rules of a policy without their filters, its filter lists, and everything else."""
    rules = {(replace(rule, filter_lists=()), tuple(one.guid for one in rule.filter_lists)) for rule in policy.rules}
    return (
        rules,
        {one for rule in policy.rules for one in rule.filter_lists},
        {replace(policy, rules=(), main_mode=None), policy.main_mode},
    )


def is_complete(policy: Policy | None, *whole: Policy) -> bool:
    """Whether each part of a policy is one of some whole policies."""
    if policy is None:
        return True
    return all(mine <= set[object]().union(*theirs) for mine, *theirs in zip(parts(policy), *map(parts, whole), strict=True))


def test_what_is_published_is_read_back_and_published_again_writes_nothing(server: Directory) -> None:
    for policy in (
        old(),
        new(),
        keyed(replace(new(), name="Büro 事務所 🏢", description=" :<a line\r\nand more "), "Schlüssel 🔑"),
    ):
        got = publish(policy, url(server), ACCESS, remove_unused=True)
        assert got.plan.changes
        assert got.findings == ()
        assert read(server) == held(policy)
        assert dangling(server) == []
        before = server.search("-LLL", "+")
        assert publish(policy, url(server), ACCESS, remove_unused=True).plan.changes == ()
        assert server.search("-LLL", "+") == before  # with every operational attribute: nothing at all was written


def test_ldapmodify_takes_what_a_dry_run_prints(server: Directory) -> None:
    for policy in (old(), new()):
        dry = publish(policy, url(server), ACCESS, remove_unused=True, dry_run=True)
        assert read(server) != held(policy)
        assert server.add(ldif.changes(dry.plan.changes)) == ""
        assert read(server) == held(policy)
        assert publish(policy, url(server), ACCESS, remove_unused=True).plan.changes == ()


class Killed(Exception):
    """The writer is gone."""


def stop_after(number: int) -> Callable[[Change], None]:
    def told(change: Change) -> None:
        nonlocal number
        number -= 1
        if not number:
            raise Killed

    return told


@pytest.mark.parametrize("first", [None, old()], ids=["created", "changed"])
def test_stopped_after_any_write_the_policy_is_complete_and_publishing_again_finishes(first: Policy | None) -> None:
    wanted = new()
    with directory() as server:
        if first is not None:
            publish(first, url(server), ACCESS)
        total = len(publish(wanted, url(server), ACCESS, remove_unused=True, dry_run=True).plan.changes)
        seen = set()
        before = [held(first)] if first else []
        # One write, then the writer is gone; the next one goes on from there, and is stopped after one write too.
        for number in range(total):
            with suppress(Killed):
                publish(wanted, url(server), ACCESS, remove_unused=True, told=stop_after(1))
            found = read(server)
            assert dangling(server) == []
            assert is_complete(found, *before, held(wanted)), number
            seen.add(found)
        assert read(server) == held(wanted)
        assert publish(wanted, url(server), ACCESS, remove_unused=True).plan.changes == ()
        assert ((held(first) if first else None) in seen, held(wanted) in seen) == (True, True)


def test_a_writer_that_is_killed_leaves_what_the_next_one_finishes(server: Directory, tmp_path: Path) -> None:
    file = tmp_path / "new.ldif"
    file.write_bytes(ldif.write(new(), base_dn=SUFFIX))
    publish(old(), url(server), ACCESS)
    command = [sys.executable, "-m", "pastore", "publish", str(file), "--to", url(server), "--user", USER, "--remove-unused"]
    environment = {**os.environ, "PASTORE_PASSWORD": "lab", "PYTHONUNBUFFERED": "1"}
    for lines in (1, 5, 9):
        publish(old(), url(server), ACCESS, remove_unused=True)
        with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as writer:
            assert writer.stdout is not None
            for _ in range(lines):
                assert writer.stdout.readline()
            writer.send_signal(signal.SIGKILL)
        assert is_complete(read(server), held(old()), held(new())), lines
        assert dangling(server) == []
        publish(new(), url(server), ACCESS, remove_unused=True)
        assert read(server) == held(new())


def test_readers_who_come_while_it_is_written_find_complete_policies(server: Directory) -> None:
    publish(old(), url(server), ACCESS)
    whole = (held(old()), held(new()))
    is_over = threading.Event()
    found: list[tuple[Policy | None, set[str]]] = []

    def look() -> None:
        while not is_over.is_set():
            got = pastore.load(url(server), access=ACCESS)
            policy = timeless(replace(got.policy, dn="")) if isinstance(got.policy, Policy) else None
            found.append((policy, {finding.code for finding in got.findings} & DANGLING))

    reader = threading.Thread(target=look)
    reader.start()
    try:
        for _ in range(4):
            publish(new(), url(server), ACCESS, remove_unused=True)
            publish(old(), url(server), ACCESS, remove_unused=True)
    finally:
        is_over.set()
        reader.join()
    assert len(found) > 10
    for policy, wrong in found:
        assert policy is not None
        assert wrong == set()
        assert is_complete(policy, *whole)
    assert any(policy not in whole for policy, _ in found) or len({policy for policy, _ in found}) > 1  # it was changed meanwhile


def test_a_connection_that_breaks_is_told_with_what_was_written(server: Directory) -> None:
    path = Path(tempfile.mkdtemp(prefix="cut-")) / "ldapi"  # short: the path of a socket has at most 107 bytes
    publish(old(), url(server), ACCESS)
    through = f"ldapi://{str(path).replace('/', '%2F')}/{SUFFIX}"
    socket = server.url.removeprefix("ldapi://").replace("%2F", "/")
    said = set()
    with Relay(to_path(socket), path=str(path)) as relay:
        for after_reading in (-1000, -1, 7, 40, 90, 150):
            relay.cut_after = None
            publish(new(), through, ACCESS, dry_run=True)
            relay.cut_after = relay.passed + after_reading
            with pytest.raises(DirectoryError) as refused:
                publish(new(), through, ACCESS, remove_unused=True)
            said.add((type(refused.value), refused.value.code))
            assert is_complete(read(server), held(old()), held(new())), after_reading
            assert dangling(server) == []
    shutil.rmtree(path.parent)
    assert said == {(DirectoryError, "PA173"), (UnfinishedError, "PA173")}
    publish(new(), url(server), ACCESS, remove_unused=True)
    assert read(server) == held(new())


def test_what_others_use_stays_and_is_said_to_change(server: Directory) -> None:
    """A second policy has its own rules and shares a filter list; what only the first had goes."""
    first, second = old(), s.small_policy()
    rule = replace(second.rules[2], guid=s.guid(60), name="Theirs")
    second = replace(second, guid=s.guid(61), name="Second", rules=(rule,), main_mode=replace(first.main_mode, guid=s.guid(62)))  # type: ignore[type-var]
    publish(first, url(server), ACCESS)
    assert publish(second, url(server), ACCESS).findings == ()  # to be named as an owner changes nothing
    got = publish(new(), url(server), ACCESS, remove_unused=True)
    assert [finding.code for finding in got.findings] == ["PA179"]
    assert "'Second' changes with it" in got.findings[0].message
    changed = replace(second, rules=(replace(rule, filter_lists=new().rules[2].filter_lists),))
    found = pastore.load(url(server), policy="Second", access=ACCESS).policy
    assert isinstance(found, Policy)
    assert timeless(replace(found, dn="")) == held(changed)
    touched = [change.dn for change in got.plan.changes if not isinstance(change, Add | Delete) and str(s.guid(61)) in change.dn]
    assert len(touched) == 1


def test_a_schema_without_policies_is_told_and_nothing_is_written() -> None:
    with directory(schema=False) as server:
        with pytest.raises(DirectoryError, match="its schema has no place for it") as refused:
            publish(old(), url(server), ACCESS)
        assert refused.value.code == "PA177"
        assert "CN=ipsecFilter{" in str(refused.value)
        assert b"ipsec" not in server.search("-LLL", "(!(cn=IP Security))").lower()


def test_a_directory_without_a_policy_store_is_told(server: Directory) -> None:
    with pytest.raises(DirectoryError) as refused:
        publish(old(), f"{server.url}/OU=elsewhere,{SUFFIX}", ACCESS)
    assert refused.value.code == "PA103"
    assert "'CN=IP Security,CN=System,OU=elsewhere" in str(refused.value)


def test_a_user_without_the_right_is_told_and_nothing_is_written(tmp_path: Path) -> None:
    with directory(settings="access to * by * read") as server:
        for access in (Access(), ACCESS):
            before = server.search("-LLL")
            if access is ACCESS:
                publish(old(), url(server), access)
                continue
            with pytest.raises(DirectoryError, match="an anonymous user may not; log on") as refused:
                publish(old(), url(server), access)
            assert refused.value.code == "PA177"
            assert server.search("-LLL") == before


def test_the_command_publishes_and_says_so(server: Directory, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PASTORE_PASSWORD", "lab")
    file = tmp_path / "policy.ldif"
    file.write_bytes(ldif.write(keyed(new()), base_dn=SUFFIX, secrets=True))
    where = ("publish", file, "--to", url(server), "--user", USER)
    refused = run(*where, "--dry-run")
    assert (refused.status, refused.out) == (2, "")
    assert "give --secrets to print it" in refused.err
    dry = run(*where, "--dry-run", "--secrets")
    assert dry.status == 0
    assert dry.out.startswith("version: 1\n\ndn: CN=ipsecFilter{")
    assert read(server) is None
    done = run(*where)
    assert done.status == 0
    assert done.lines[0].startswith("added    CN=ipsecFilter{")
    assert f"policy 'Changed' published: {len(done.lines)} changes" in done.err
    assert "pre-shared keys stand in the directory in clear text" in done.err
    again = run(*where)
    assert (again.status, again.out) == (0, "")
    assert "nothing to write" in again.err
    assert read(server) == held(keyed(new()))
    for result in (refused, dry, done, again):
        assert "lab" not in (result.out + result.err).replace("DC=lab", "").replace("dc=lab", "")
        assert "correct horse" not in result.out + result.err
