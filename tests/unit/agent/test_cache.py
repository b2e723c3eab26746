"""The cached copy is one that was written, or it is refused with the reason."""

import json
import os
import re
import stat
from dataclasses import replace
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path

import pytest

from pastore.agent.cache import Cache, CacheError
from pastore.agent.copies import Copy, belonging
from pastore.directory import Entry, Marker
from pastore.export import ldif
from pastore.model import AuthKind, AuthMethod, Policy, Secret, Storage
from tests.support.agents import FIRST, OTHER, SECOND, dn_of, with_interval
from tests.support.directory_examples import BASE
from tests.support.hostile_ldap import entries_of_ldif
from tests.support.policies import policy, rule

NOW = datetime(2026, 3, 1, 8, tzinfo=UTC)
KEY = "Planted-Key-17"
KEYED = policy(
    rule("Keyed", "protect", "tcp any > me:1433", auth=(AuthMethod(AuthKind.PRESHARED_KEY, Secret(KEY)),)), name="Keyed"
)
MARKER = Marker("00000000-0000-0000-0000-000000000001", dn_of(FIRST), "20260301080000.0Z", 17, frozenset({dn_of(FIRST)}))


def entries(*policies: Policy) -> list[Entry]:
    """Return some policies as a directory holds them."""
    found = entries_of_ldif(ldif.write(list(policies), base_dn=BASE, secrets=True, times=False))
    return [
        Entry(dn, {name.lower(): tuple(v.encode() if isinstance(v, str) else v for v in some) for name, some in values.items()})
        for dn, values in found.items()
    ]


def copy_of(made: Policy, *others: Policy) -> Copy:
    return Copy(
        dn_of(made), belonging(dn_of(made), entries(made, *others)), replace(MARKER, policy=dn_of(made)), NOW, "ldaps://dc1"
    )


@pytest.fixture
def cache(tmp_path: Path) -> Cache:
    return Cache(str(tmp_path / "policy.cache"), computer="files1", domain="dc=corp,dc=example")


def refused(cache: Cache) -> str:
    with pytest.raises(CacheError) as caught:
        cache.load()
    assert caught.value.finding(cache.path).code == "PA195"
    return str(caught.value)


class TestWriting:
    @pytest.mark.parametrize("made", [FIRST, OTHER, KEYED], ids=lambda made: made.name)
    def test_what_was_written_is_read_and_makes_the_same_policy(self, cache: Cache, made: Policy) -> None:
        copy = copy_of(made)
        cache.save(copy, NOW)
        cached = cache.load()
        assert (cached.copy, cached.obtained) == (copy, NOW)
        assert cached.copy is not None
        got, findings = cached.copy.load(Storage.CACHE)
        expected, before = copy.load(Storage.DIRECTORY)
        assert got is not None
        assert expected is not None
        assert got == replace(expected, storage=Storage.CACHE)
        assert (got.name, got.dn, got.assigned) == (made.name, dn_of(made), True)
        assert findings == before

    def test_that_nothing_is_assigned_can_be_cached_too(self, cache: Cache) -> None:
        cache.save(copy_of(FIRST), NOW)
        cache.save(None, NOW)
        assert cache.load().copy is None

    @pytest.mark.parametrize("umask", [0, 0o777])
    def test_the_file_is_its_owners_alone_whatever_the_umask(self, cache: Cache, umask: int) -> None:
        before = os.umask(umask)
        try:
            cache.save(copy_of(FIRST), NOW)
        finally:
            os.umask(before)
        assert stat.S_IMODE(os.stat(cache.path).st_mode) == 0o600

    def test_nothing_is_left_beside_it(self, cache: Cache) -> None:
        Path(cache.path).with_name(".policy.cache.new").write_bytes(b"of a writer that was killed")
        cache.save(copy_of(FIRST), NOW)
        assert os.listdir(os.path.dirname(cache.path)) == ["policy.cache"]

    def test_what_is_shown_of_it_holds_no_key(self, cache: Cache) -> None:
        copy = copy_of(KEYED)
        cache.save(copy, NOW)
        assert KEY.encode("utf-16-le").hex() in b"".join(entry.values.get("ipsecdata", (b"",))[0] for entry in copy.entries).hex()
        assert KEY not in repr(copy) + repr(cache.load()) + repr(copy.load(Storage.CACHE))


class TestRefusing:
    def test_none_at_all(self, cache: Cache) -> None:
        assert refused(cache) == "there is no cached copy yet"

    def test_every_byte_that_is_another(self, cache: Cache) -> None:
        cache.save(copy_of(policy(rule("Web", "allow", "tcp any > me:80"))), NOW)
        data = Path(cache.path).read_bytes()
        for at in range(len(data)):
            damaged = bytearray(data)
            damaged[at] ^= 1 << at % 8
            with pytest.raises(CacheError):
                cache.decode(bytes(damaged))

    def test_every_length_that_is_less_and_a_byte_that_is_more(self, cache: Cache) -> None:
        cache.save(copy_of(policy(rule("Web", "allow", "tcp any > me:80"))), NOW)
        data = Path(cache.path).read_bytes()
        for cut in (data + b"\n", *(data[:length] for length in range(len(data)))):
            with pytest.raises(CacheError):
                cache.decode(cut)

    def test_a_damaged_one_says_so(self, cache: Cache) -> None:
        cache.save(copy_of(FIRST), NOW)
        data = Path(cache.path).read_bytes()
        os.truncate(cache.path, len(data) - 1)
        assert re.fullmatch(r"the cached copy is damaged: it has \d+ bytes where it says \d+", refused(cache))
        Path(cache.path).write_bytes(data[:-1] + b" ")
        assert refused(cache) == "the cached copy is damaged: its checksum is another"

    def test_another_file(self, cache: Cache) -> None:
        Path(cache.path).touch(0o600)
        assert refused(cache) == "the file is no cached copy of a policy"

    def test_another_version(self, cache: Cache) -> None:
        cache.save(copy_of(FIRST), NOW)
        path = Path(cache.path)
        path.write_bytes(path.read_bytes().replace(b"pastore-cache 1 ", b"pastore-cache 2 ", 1))
        assert refused(cache) == "the cached copy is of version 2; this pastore reads version 1"

    def test_of_another_computer_or_domain(self, cache: Cache) -> None:
        cache.save(copy_of(FIRST), NOW)
        cache.computer = "files2"
        assert (
            refused(cache) == "the cached copy is for 'files1 of dc=corp,dc=example' and not for 'files2 of dc=corp,dc=example'"
        )
        cache.computer, cache.domain = "files1", "dc=other"
        assert "and not for 'files1 of dc=other'" in refused(cache)

    @pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o602, 0o777])
    def test_that_others_may_read_or_write(self, cache: Cache, mode: int) -> None:
        cache.save(copy_of(FIRST), NOW)
        os.chmod(cache.path, mode)
        assert refused(cache) == f"others may read or write the cached copy: its mode is {mode:04o}"

    def test_of_another_user(self, cache: Cache, monkeypatch: pytest.MonkeyPatch) -> None:
        cache.save(copy_of(FIRST), NOW)
        me = os.geteuid()
        monkeypatch.setattr(os, "geteuid", lambda: me + 1)
        assert refused(cache) == f"the cached copy belongs to the user {me}, and the agent runs as {me + 1}"

    def test_a_symbolic_link(self, cache: Cache, tmp_path: Path) -> None:
        cache.save(copy_of(FIRST), NOW)
        os.rename(cache.path, tmp_path / "elsewhere")
        os.symlink(tmp_path / "elsewhere", cache.path)
        assert refused(cache) == "the cached copy is a symbolic link, which pastore never makes"

    def test_a_pipe_does_not_hold_it_up(self, cache: Cache) -> None:
        os.mkfifo(cache.path, 0o600)
        assert refused(cache) == "the cached copy is not a regular file"

    @pytest.mark.parametrize(
        "document",
        [
            None,
            [],
            {},
            {"computer": "files1", "domain": "dc=corp,dc=example", "obtained": "yesterday", "policy": None},
            {"computer": "files1", "domain": "dc=corp,dc=example", "obtained": NOW.isoformat(), "policy": "CN=x"},
            {
                "computer": "files1",
                "domain": "dc=corp,dc=example",
                "obtained": NOW.isoformat(),
                "policy": "CN=x",
                "source": "",
                "marker": {"controller": "", "policy": "", "when_changed": "", "usn": True, "names": []},
                "entries": [],
            },
            {
                "computer": "files1",
                "domain": "dc=corp,dc=example",
                "obtained": NOW.isoformat(),
                "policy": "CN=x",
                "source": "",
                "marker": {"controller": "", "policy": "", "when_changed": "", "usn": 1, "names": []},
                "entries": [["CN=x", {"ipsecdata": ["no base64!"]}]],
            },
        ],
    )
    def test_of_another_writer_though_its_checksum_is_right(self, cache: Cache, document: object) -> None:
        body = json.dumps(document).encode()
        head = f"pastore-cache 1 {len(body)} {sha256(body).hexdigest()}\n".encode()
        Path(cache.path).touch(0o600)
        Path(cache.path).write_bytes(head + body)
        assert refused(cache) == "the cached copy has a right checksum and a content that pastore does not write"


class TestCopies:
    def test_other_policies_of_the_store_are_left_out(self) -> None:
        for made, others in ((FIRST, (OTHER, KEYED)), (OTHER, (FIRST, KEYED))):
            among = {entry.dn for entry in copy_of(made, *others).entries}
            assert among == {entry.dn for entry in copy_of(made).entries}

    def test_a_filter_list_that_only_names_its_owner_belongs_to_it(self) -> None:
        found = copy_of(FIRST).entries
        lists = {entry.dn for entry in found if entry.dn.startswith("CN=ipsecFilter")}
        assert len(lists) == 2
        lost = sorted(lists)[0]

        def without(entry: Entry) -> Entry:
            values = {name: tuple(v for v in some if v.decode(errors="replace") != lost) for name, some in entry.values.items()}
            values["ipsecfilterreference"] = values.get("ipsecfilterreference") or (b"CN=ipsecFilter{0}",)
            return Entry(entry.dn, values) if "ipsecNFA" in entry.dn else entry

        assert lost in {entry.dn for entry in belonging(dn_of(FIRST), map(without, found))}

    def test_a_policy_that_is_not_there_has_no_objects(self) -> None:
        assert belonging(dn_of(OTHER), entries(FIRST)) == ()
        assert belonging("", entries(FIRST)) == ()

    def test_the_same_policy_is_the_same(self) -> None:
        assert copy_of(FIRST).same_as(copy_of(FIRST))
        assert not copy_of(FIRST).same_as(copy_of(SECOND))
        assert not copy_of(FIRST).same_as(copy_of(with_interval(FIRST, 60)))

    def test_the_order_of_values_means_nothing(self) -> None:
        copy = copy_of(FIRST)
        turned = tuple(Entry(entry.dn, {name: some[::-1] for name, some in entry.values.items()}) for entry in copy.entries)
        assert copy.same_as(replace(copy, entries=turned))

    def test_a_controllers_own_time_of_change_counts_and_that_of_another_one_does_not(self) -> None:
        copy = copy_of(FIRST)
        touched = replace(copy, marker=replace(copy.marker, when_changed="20260302080000.0Z"))
        assert not copy.same_as(touched)
        elsewhere = replace(touched, marker=replace(touched.marker, controller="00000000-0000-0000-0000-000000000002"))
        assert copy.same_as(elsewhere)
