"""Transaction logs: which entries are taken, and which are not."""

import os
import struct
from pathlib import Path

import pytest

from pastore.model import Policy
from pastore.sources import Loaded, hive, hive_reader, load
from pastore.sources.hive_logs import SEED, marvin32
from tests.support import stored_policy
from tests.support.hives import differing_pages, entry, new_log, old_log, patched, write_hive

# The published test vectors of Marvin32.
VECTORS = {
    "": 0x30ED35C100CD3C7D,
    "af": 0x48E73FC77D75DDC1,
    "e70f": 0xB5F6E1FC485DBFF8,
    "37f495": 0xF0B07C789B8CF7E8,
    "8642dc59": 0x7008F2E87E9CF556,
    "153fb79826": 0xE6C08C6DA2AFA997,
    "0932e6246c47": 0x6F04BF1A5EA24060,
    "ab427ea8d10fc7": 0xE11847E4F0678C41,
}


@pytest.mark.parametrize(("data", "value"), VECTORS.items())
def test_marvin32(data: str, value: int) -> None:
    assert marvin32(bytes.fromhex(data), 0x004FB61A001BDBCC) == value


def test_the_seed_is_that_of_the_registry() -> None:
    assert struct.pack("<Q", SEED).hex() == "82ef4d887a4e55c5"


class States:
    """One hive in three states, each a change after the one before; the last has grown."""

    def __init__(self, folder: Path) -> None:
        keys = [stored_policy.export(name=name, blocked=n) for name, n in (("First", 3), ("Other", 3), ("Third", 400))]
        hives = [write_hive(folder / f"{n}", each).read_bytes() for n, each in enumerate(keys)]
        size = max(len(data) for data in hives)
        # The same layout apart from what was changed: pad the earlier ones as if they had room, and keep the last as it is.
        self.first, self.second, self.third = hives
        assert len(self.first) == len(self.second) < size == len(self.third)
        self.pages2 = differing_pages(self.first, self.second)
        self.pages3 = differing_pages(self.second, self.third)

    @property
    def dirty(self) -> bytes:
        """The first state while the next write goes on: numbers 8 and 7."""
        return patched(self.first, (4, 8), (8, 7))

    def entry2(self, sequence: int = 7) -> bytes:
        return entry(sequence, len(self.second) - 4096, self.pages2)

    def entry3(self, sequence: int = 8) -> bytes:
        return entry(sequence, len(self.third) - 4096, self.pages3)


@pytest.fixture(scope="module")
def states(tmp_path_factory: pytest.TempPathFactory) -> States:
    return States(tmp_path_factory.mktemp("states"))


def got(folder: Path, data: bytes, **logs: bytes) -> Loaded:
    """Load a hive with logs beside it, and see that no file is changed."""
    files = {"SOFTWARE": data} | {f"SOFTWARE.{ending}": log for ending, log in logs.items()}
    for name, content in files.items():
        (folder / name).write_bytes(content)
        os.chmod(folder / name, 0o444)
    loaded = load(folder / "SOFTWARE")
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == files
    return loaded


def name_of(loaded: Loaded) -> str:
    assert isinstance(loaded.policy, Policy), loaded.findings
    return loaded.policy.name


def told(loaded: Loaded) -> dict[str, str]:
    return {finding.code: finding.message for finding in loaded.findings if finding.code in ("PA114", "PA115", "PA116")}


def test_a_hive_that_is_not_dirty_is_read_without_its_logs(tmp_path: Path, states: States) -> None:
    loaded = got(tmp_path, states.first, LOG1=new_log(states.first, entry(1, len(states.second) - 4096, states.pages2)))
    assert (name_of(loaded), told(loaded)) == ("First", {})


def test_pa115_a_dirty_hive_without_logs_is_read_as_it_is(tmp_path: Path, states: States) -> None:
    loaded = got(tmp_path, states.dirty)
    assert name_of(loaded) == "First"
    assert list(told(loaded)) == ["PA115"]
    assert "sequence numbers are 8 and 7" in told(loaded)["PA115"]


def test_pa116_the_entries_of_a_log_are_applied_in_memory(tmp_path: Path, states: States) -> None:
    loaded = got(tmp_path, states.dirty, LOG1=new_log(states.dirty, states.entry2()))
    assert name_of(loaded) == "Other"
    assert list(told(loaded)) == ["PA116"]
    n = len(states.pages2)
    assert f"{n} page{'s' * (n > 1)} of SOFTWARE.LOG1 were applied" in told(loaded)["PA116"]


def test_a_hive_grows_by_its_log(tmp_path: Path, states: States) -> None:
    loaded = got(tmp_path, states.dirty, LOG1=new_log(states.dirty, states.entry2(), states.entry3()))
    assert (name_of(loaded), list(told(loaded))) == ("Third", ["PA116"])


@pytest.mark.parametrize("newer", ["LOG1", "LOG2"])
def test_entries_go_on_in_the_other_log_whichever_it_is(tmp_path: Path, states: States, newer: str) -> None:
    older = "LOG2" if newer == "LOG1" else "LOG1"
    logs = {older: new_log(states.dirty, states.entry2()), newer: new_log(states.dirty, states.entry3())}
    assert name_of(got(tmp_path, states.dirty, **logs)) == "Third"


def test_entries_that_are_already_in_the_hive_are_not_applied_again(tmp_path: Path, states: States) -> None:
    back = entry(6, len(states.first) - 4096, differing_pages(states.second, states.first))
    loaded = got(tmp_path, states.dirty, LOG1=new_log(states.dirty, states.entry2()), LOG2=new_log(states.dirty, back))
    assert name_of(loaded) == "Other"


def test_old_entries_alone_change_nothing(tmp_path: Path, states: States) -> None:
    loaded = got(tmp_path, states.dirty, LOG1=new_log(states.dirty, states.entry2(5), states.entry3(6)))
    assert name_of(loaded) == "First"
    assert "the logs hold no entry 7" in told(loaded)["PA115"]


def test_a_gap_ends_the_recovery(tmp_path: Path, states: States) -> None:
    loaded = got(tmp_path, states.dirty, LOG1=new_log(states.dirty, states.entry2(), states.entry3(9)))
    assert name_of(loaded) == "Other"


@pytest.mark.parametrize("at", [20, 45, -600])
def test_an_entry_whose_hash_is_wrong_ends_the_recovery(tmp_path: Path, states: States, at: int) -> None:
    bad = bytearray(states.entry3())
    bad[at] ^= 1
    loaded = got(tmp_path, states.dirty, LOG1=new_log(states.dirty, states.entry2(), bytes(bad)))
    assert name_of(loaded) == "Other"
    assert set(told(loaded)) == {"PA115", "PA116"}
    assert "hash" in told(loaded)["PA115"]


@pytest.mark.parametrize(
    ("size", "pages"),
    [
        (0xFFFFF000, [(0, b"x" * 512)]),
        (4097, [(0, b"x" * 512)]),
        (8192, [(0x7FFFF000, b"x" * 512)]),
    ],
)
def test_pages_and_sizes_that_cannot_be(tmp_path: Path, states: States, size: int, pages: list[tuple[int, bytes]]) -> None:
    loaded = got(tmp_path, states.dirty, LOG1=new_log(states.dirty, entry(7, size, pages)))
    assert (name_of(loaded), list(told(loaded))) == ("First", ["PA115"])


def test_a_log_that_is_no_log_is_told(tmp_path: Path, states: States) -> None:
    loaded = got(tmp_path, states.dirty, LOG1=b"nothing", LOG2=patched(states.dirty, (28, 6))[:512], LOG=b"")
    assert name_of(loaded) == "First"
    assert "SOFTWARE.LOG1 does not begin with a whole base block" in told(loaded)["PA115"]
    assert "SOFTWARE.LOG2 holds no entries" in told(loaded)["PA115"]


def test_a_base_block_with_a_wrong_checksum_is_taken_from_the_log(tmp_path: Path, states: States) -> None:
    broken = bytearray(states.dirty)
    broken[36:40] = b"\xff" * 4  # the root's offset is lost as well
    loaded = got(tmp_path, bytes(broken), LOG1=new_log(states.dirty, states.entry2()))
    assert name_of(loaded) == "Other"


def test_a_log_with_a_wrong_checksum_is_not_used(tmp_path: Path, states: States) -> None:
    log = bytearray(new_log(states.dirty, states.entry2()))
    log[300] ^= 1
    assert name_of(got(tmp_path, states.dirty, LOG1=bytes(log))) == "First"


def test_the_names_of_the_logs_may_be_in_small_letters(tmp_path: Path, states: States) -> None:
    assert name_of(got(tmp_path, states.dirty, log1=new_log(states.dirty, states.entry2()))) == "Other"


def test_a_log_that_cannot_be_read_is_told(tmp_path: Path, states: States) -> None:
    (tmp_path / "SOFTWARE.LOG1").mkdir()
    (tmp_path / "SOFTWARE").write_bytes(states.dirty)
    found = [finding.message for finding in load(tmp_path / "SOFTWARE").findings if finding.code == "PA115"]
    assert found[0] == "SOFTWARE.LOG1 cannot be read: Is a directory"


# The old format


def small_pages(states: States) -> dict[int, bytes]:
    return {at // 512: page for at, page in differing_pages(states.first, states.second, 512)}


def test_a_log_of_the_old_format_is_applied(tmp_path: Path, states: States) -> None:
    log = old_log(patched(states.first, (4, 8), (8, 8)), small_pages(states))
    loaded = got(tmp_path, states.dirty, LOG=log)
    assert (name_of(loaded), list(told(loaded))) == ("Other", ["PA116"])


def test_a_log_of_the_old_format_of_another_state_is_not_applied(tmp_path: Path, states: States) -> None:
    log = old_log(patched(states.first, (4, 8), (8, 8), (12, 77)), small_pages(states))
    loaded = got(tmp_path, states.dirty, LOG1=log)
    assert name_of(loaded) == "First"
    assert "belongs to another state" in told(loaded)["PA115"]


def test_a_log_of_the_old_format_that_is_itself_torn(tmp_path: Path, states: States) -> None:
    log = old_log(patched(states.first, (4, 9), (8, 8)), small_pages(states))
    assert "was not written completely itself" in told(got(tmp_path, states.dirty, LOG1=log))["PA115"]


def test_a_log_of_the_old_format_that_is_cut(tmp_path: Path, states: States) -> None:
    log = old_log(patched(states.first, (4, 8), (8, 8)), small_pages(states))
    assert "ends before its last page" in told(got(tmp_path, states.dirty, LOG1=log[:-1]))["PA115"]


def test_a_log_of_the_old_format_for_a_hive_too_large_for_regipy_is_told(tmp_path: Path, states: States) -> None:
    large = 509 * 4096
    grown = patched(states.first + bytes(large), (4, 8), (8, 7), (40, large))
    log = old_log(patched(grown, (4, 8), (8, 8)), small_pages(states))
    loaded = got(tmp_path, grown, LOG=log)
    assert name_of(loaded) == "First"
    assert f"for hives of at most {508 * 4096} bytes, not {large}" in told(loaded)["PA115"]


def test_logs_that_take_too_long_are_told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, states: States) -> None:
    monkeypatch.setattr(hive, "limits", lambda *_: hive_reader.limits(1)._replace(seconds=0))
    loaded = got(tmp_path, states.dirty, LOG1=new_log(states.dirty, states.entry2()))
    assert loaded.policy is None
    assert "reading ended before its logs were applied" in told(loaded)["PA115"]
    assert "took more than 0 seconds" in told(loaded)["PA114"]


def test_a_log_that_regipy_cannot_apply_is_told_and_the_hive_read(tmp_path: Path, states: States) -> None:
    # regipy wants the name of a hive to be text.
    odd = bytearray(states.dirty)
    odd[48:50] = b"\x00\xd8"
    odd = bytearray(patched(bytes(odd)))
    loaded = got(tmp_path, bytes(odd), LOG1=new_log(bytes(odd), states.entry2()))
    assert name_of(loaded) == "First"
    assert "could not be applied: regipy gave up: " in told(loaded)["PA115"]
