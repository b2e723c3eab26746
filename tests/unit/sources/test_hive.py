"""Registry hives: what is read, what damage is told, and that no hive can take long."""

import os
import struct
import subprocess
import sys
import tempfile
import time
import tracemalloc
from collections.abc import Iterator
from itertools import chain
from pathlib import Path

import pytest

from pastore.findings import Finding
from pastore.model import Policy
from pastore.sources import Loaded, hive, hive_reader, load
from pastore.sources.hive_head import DamageError, base_block, checksum
from pastore.sources.hive_keys import Record
from pastore.sources.reading import SourceError
from pastore.sources.registry import Key
from tests.support import example, stored_policy
from tests.support.hives import NONE, Bins, empty_hive, entry, key_offsets, new_log, patched, with_times, write_hive
from tests.support.reg_text import reg_text

HKLM = example.HKLM
SOFTWARE, SYSTEM = rf"{HKLM}\SOFTWARE", rf"{HKLM}\SYSTEM"
IPSEC = rf"{SOFTWARE}\Policies\Microsoft\Windows\IPSec"
AGENT = rf"{SYSTEM}\ControlSet001\Services\PolicyAgent"


def read(data: bytes) -> tuple[Key, list[str]]:
    """Return the tree and the findings as code and message; read in this process."""
    block = base_block(data)
    root, findings = hive.tree(chain(hive_reader.keys(data, block), [["end"]]), "SOFTWARE", block)
    return root, [f"{finding.code} {finding.message}" for finding in findings]


def only_damage(data: bytes) -> str:
    """Return the message of the one finding, which is of damage."""
    _, (finding,) = read(data)
    code, _, message = finding.partition(" ")
    assert code == "PA114"
    return message


def codes(got: Loaded) -> list[str]:
    return [finding.code for finding in got.findings]


def finding(got: Loaded, code: str) -> Finding:
    (found,) = [each for each in got.findings if each.code == code]
    return found


@pytest.fixture(scope="module")
def software(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """The hive of the bundled example, all keys written when its policy says."""
    made = example.policy()
    keys = example.registry(made, assigned=made)
    path = write_hive(tmp_path_factory.mktemp("hive") / "SOFTWARE", keys, below=SOFTWARE)
    return with_times(path.read_bytes(), {"": example.CHANGED})


def put(folder: Path, data: bytes, name: str = "SOFTWARE") -> Path:
    path = folder / name
    path.write_bytes(data)
    return path


def ipsec_hive(bins: Bins, below: int, *, minor: int = 5) -> bytes:
    """Return a hive whose root is the IPSec key, with one key below it."""
    names = bins.list(b"lf", below)
    return bins.hive(bins.key("root", subkeys=1, subkey_list=names), minor=minor)


def with_value(bins: Bins, value: int, *, minor: int = 5) -> bytes:
    """Return a hive with a value in GPTIPSECPolicy."""
    return ipsec_hive(bins, bins.key("GPTIPSECPolicy", values=1, value_list=bins.values(value)), minor=minor)


# What is read


def test_the_policy_of_a_software_hive(tmp_path: Path, software: bytes) -> None:
    got = load(put(tmp_path, software))
    assert isinstance(got.policy, Policy)
    assert got.policy.rules == example.policy().rules
    assert got.policy.origin.locator.startswith(rf"{IPSEC}\Policy\Local\ipsecPolicy{{")
    assert got.findings == ()


def test_only_the_ipsec_keys_are_taken(tmp_path: Path) -> None:
    keys = stored_policy.export() | {rf"{SOFTWARE}\Classes\c{n}": {"a": n} for n in range(50)}
    root, findings = read(write_hive(tmp_path / "x", keys, below=SOFTWARE).read_bytes())
    assert findings == []
    assert {key.path.split("\\")[2] for key in root.walk() if key.path.count("\\") > 1} == {"Policies"}


def test_the_32_bit_view_of_the_policy_keys_is_not_a_second_policy(tmp_path: Path) -> None:
    keys = stored_policy.export()
    second = {path.replace("SOFTWARE", r"SOFTWARE\WOW6432Node"): values for path, values in keys.items()}
    got = load(write_hive(tmp_path / "x", keys | second, below=SOFTWARE))
    assert len(got.policies) == 1


def test_a_hive_without_an_ipsec_key_holds_no_policy(tmp_path: Path) -> None:
    assert codes(load(put(tmp_path, empty_hive()))) == ["PA103"]


def test_a_string_beyond_ascii_and_a_list_are_what_was_stored(tmp_path: Path) -> None:
    keys = stored_policy.export(name="Büro \u4e2d")
    got = load(write_hive(tmp_path / "x", keys))
    assert isinstance(got.policy, Policy)
    assert got.policy.name == "Büro \u4e2d"


# Times of keys


def test_the_time_of_each_key_is_beside_what_the_policy_tools_noted(tmp_path: Path, software: bytes) -> None:
    got = load(put(tmp_path, software))
    assert isinstance(got.policy, Policy)
    assert {rule.written for rule in got.policy.rules} == {example.CHANGED}
    assert got.policy.written == example.CHANGED


@pytest.mark.parametrize(("late", "told"), [(-3, True), (-2, False), (0, False), (2, False), (3, True), (86_400, True)])
def test_pa127_a_key_written_more_than_two_seconds_from_its_when_changed(
    tmp_path: Path, software: bytes, late: int, told: bool
) -> None:
    name = next(name for name in key_offsets(software) if name.startswith("ipsecFilter"))
    got = load(put(tmp_path, with_times(software, {name: example.CHANGED + late})))
    assert codes(got) == ["PA127"] * told
    if told:
        assert finding(got, "PA127").origin.locator.endswith(name)
        assert "2026-03-01 08:00:00 UTC" in finding(got, "PA127").message


def test_the_keys_of_the_cache_are_written_whenever_it_is_filled(tmp_path: Path) -> None:
    path = write_hive(tmp_path / "x", stored_policy.store(stored_policy.CACHE))
    got = load(put(tmp_path, with_times(path.read_bytes(), {"": 2_000_000_000})))
    assert len(got.policies) == 1
    assert "PA127" not in codes(got)


@pytest.mark.parametrize("seconds", [-1, -11_644_473_600, 253_402_300_800])
def test_a_time_that_cannot_be_is_none(seconds: int) -> None:
    bins = Bins()
    root, _ = read(ipsec_hive(bins, bins.key("GPTIPSECPolicy", when=seconds)))
    key = root.find(rf"{IPSEC}\GPTIPSECPolicy")
    assert key is not None
    assert key.written is None


# NoDefaultExempt from the SYSTEM hive


def system_hive(folder: Path, **exempt: int) -> Path:
    """Write a SYSTEM hive with NoDefaultExempt in some control sets, the second of which is in use."""
    keys = {rf"{SYSTEM}\Select": {"Current": 2, "Default": 1}}
    for name, value in exempt.items():
        keys[rf"{SYSTEM}\{name}\Services\PolicyAgent"] = {"NoDefaultExempt": value, "Start": 2}
        keys[rf"{SYSTEM}\{name}\Services\Tcpip"] = {"Start": 1}
    return write_hive(folder / "SYSTEM", keys, below=SYSTEM)


def test_the_control_set_in_use_decides(tmp_path: Path, software: bytes) -> None:
    system = system_hive(tmp_path, ControlSet001=0, ControlSet002=1, ControlSet003=3)
    got = load(put(tmp_path, software), system=system)
    assert isinstance(got.policy, Policy)
    assert (got.policy.default_exempt, got.findings) == (1, ())


def test_without_the_system_hive_the_exemptions_are_unknown(tmp_path: Path, software: bytes) -> None:
    got = load(put(tmp_path, software))
    assert isinstance(got.policy, Policy)
    assert got.policy.default_exempt is None


def test_the_system_hive_goes_before_what_the_source_says(tmp_path: Path) -> None:
    source = put(tmp_path, example.export(), "policy.reg")
    got = load(source, system=system_hive(tmp_path, ControlSet002=1))
    assert isinstance(got.policy, Policy)
    assert got.policy.default_exempt == 1


def test_the_services_may_also_come_as_an_export(tmp_path: Path, software: bytes) -> None:
    services = put(tmp_path, reg_text({AGENT: {"NoDefaultExempt": 2}}), "system.reg")
    got = load(put(tmp_path, software), system=services)
    assert isinstance(got.policy, Policy)
    assert got.policy.default_exempt == 2


def test_a_value_out_of_range_is_told_with_the_name_of_the_system_hive(tmp_path: Path, software: bytes) -> None:
    system = system_hive(tmp_path, ControlSet002=7)
    got = load(put(tmp_path, software), system=system)
    assert finding(got, "PA126").origin.source == str(system)
    assert finding(got, "PA126").origin.locator.endswith(r"ControlSet002\Services\PolicyAgent")


def test_pa129_another_hive_is_not_taken_for_the_system_hive(tmp_path: Path, software: bytes) -> None:
    path = put(tmp_path, software)
    got = load(path, system=path)
    assert (got.policy, codes(got)) == (None, ["PA129"])


def test_pa101_a_system_hive_that_is_not_there(tmp_path: Path, software: bytes) -> None:
    got = load(put(tmp_path, software), system=tmp_path / "SYSTEM")
    assert (got.policy, codes(got)) == (None, ["PA101"])
    assert got.findings[0].origin.source == str(tmp_path / "SYSTEM")


def test_a_hive_with_control_sets_is_known_as_a_system_hive(tmp_path: Path, software: bytes) -> None:
    assert hive.is_system(str(system_hive(tmp_path, ControlSet001=3)))
    assert not hive.is_system(str(put(tmp_path, software)))
    assert not hive.is_system(str(put(tmp_path, b"", "empty")))
    assert not hive.is_system(str(put(tmp_path, b"regf", "short")))
    assert not hive.is_system(str(tmp_path / "nowhere"))


# Damage


def test_a_file_that_is_cut_says_so(tmp_path: Path, software: bytes) -> None:
    _, found = read(software[: len(software) // 4096 * 2048])
    assert f"PA114 the file has {len(software) // 4096 * 2048} bytes, and its base block says {len(software)}" in found


def test_a_head_that_is_cut(tmp_path: Path) -> None:
    got = load(put(tmp_path, b"regf" + bytes(100)))
    assert codes(got) == ["PA114", "PA103"]


@pytest.mark.parametrize("kind", [1, 2, 6])
def test_a_log_that_is_named_as_a_hive(tmp_path: Path, software: bytes, kind: int) -> None:
    path = put(tmp_path, patched(software, (28, kind)), "SOFTWARE.LOG1")
    assert "transaction log" in finding(load(path), "PA102").message
    assert codes(load(path, format="hive")) == ["PA114", "PA103"]


@pytest.mark.parametrize("offset", [NONE, 0xFFFFFFF8, 0x7FFFFFF8, 33, 4096])
def test_a_root_that_is_nowhere(software: bytes, offset: int) -> None:
    root, found = read(patched(software, (36, offset)))
    assert list(root.children) == []
    assert len(found) == 1


def test_a_damaged_object_is_told_with_its_place_and_the_rest_is_read(tmp_path: Path, software: bytes) -> None:
    name, at = next((name, at) for name, at in key_offsets(software).items() if name.startswith("ipsecFilter"))
    broken = bytearray(software)
    broken[at : at + 2] = b"xx"
    got = load(put(tmp_path, bytes(broken)))
    assert isinstance(got.policy, Policy)
    told = finding(got, "PA114")
    assert told.origin.locator == rf"{IPSEC}\Policy\Local"
    assert f"{at:#x}" in told.message
    assert "PA130" in codes(got)
    assert name not in {key.name for key in hive.read(bytes(broken), "x")[0].walk()}


def test_a_key_in_a_cell_that_is_not_in_use() -> None:
    bins = Bins()
    below = bins.key("GPTIPSECPolicy")
    at = len(bins.content)
    data = bytearray(ipsec_hive(bins, below))
    struct.pack_into("<i", data, 4096 + below, at - below)
    assert f"a key is in a cell that is not in use, at byte {4096 + below:#x}" in only_damage(bytes(data))


@pytest.mark.parametrize("size", [0, -4, -(2**31), -8192])
def test_a_cell_of_an_impossible_size(size: int) -> None:
    bins = Bins()
    below = bins.key("GPTIPSECPolicy")
    data = bytearray(ipsec_hive(bins, below))
    struct.pack_into("<i", data, 4096 + below, size)
    assert "cell" in only_damage(bytes(data))


def test_a_key_below_itself() -> None:
    bins = Bins()
    names = bins.list(b"lf", 0)
    root = bins.key("root", subkeys=1, subkey_list=names)
    policy = bins.key("Policy", subkeys=1, subkey_list=bins.list(b"lf", root))
    gpt = bins.key("GPTIPSECPolicy")
    both = bins.list(b"li", gpt, policy)
    top = bins.key("root", subkeys=2, subkey_list=both)
    bins.put(names, struct.pack("<2sHII", b"lf", 1, policy, 0))
    message = only_damage(bins.hive(top))
    assert "below itself" in message


def test_a_list_of_subkeys_that_leads_to_itself() -> None:
    bins = Bins()
    below = bins.key("GPTIPSECPolicy")
    inner = bins.list(b"lf", below)
    outer = bins.list(b"ri", inner, inner, 0)
    bins.put(outer, struct.pack("<2sHIII", b"ri", 3, inner, inner, outer))
    _, found = read(bins.hive(bins.key("root", subkeys=1, subkey_list=outer)))
    assert [message.split(",")[0] for message in found] == [
        "PA114 2 of 1 subkeys could be read (regipy gave up: RegistryParsingException)",
        "PA114 two subkeys are called 'GPTIPSECPolicy'; the first is read",
    ]


def test_an_index_of_lists_inside_another() -> None:
    bins = Bins()
    inner = bins.list(b"ri", bins.list(b"lf", bins.key("GPTIPSECPolicy")))
    outer = bins.list(b"ri", inner)
    _, found = read(bins.hive(bins.key("root", subkeys=1, subkey_list=outer)))
    assert "PA114 0 of 1 subkeys could be read (regipy gave up: RegistryParsingException)" in found[0]


def test_a_count_of_subkeys_beyond_the_cell() -> None:
    bins = Bins()
    names = bins.list(b"lh", bins.key("GPTIPSECPolicy"), count=65535)
    _, found = read(bins.hive(bins.key("root", subkeys=1, subkey_list=names)))
    assert "a list of 65535 subkeys does not fit into its cell" in found[0]


def test_a_name_beyond_its_cell() -> None:
    bins = Bins()
    assert "a name does not fit" in "".join(read(ipsec_hive(bins, bins.key("GPTIPSECPolicy", name_length=65535)))[1])


def test_two_subkeys_of_one_name() -> None:
    bins = Bins()
    names = bins.list(b"li", bins.key("GPTIPSECPolicy"), bins.key("gptIPSECpolicy"))
    message = only_damage(bins.hive(bins.key("root", subkeys=2, subkey_list=names)))
    assert "two subkeys are called 'gptIPSECpolicy'" in message


@pytest.mark.parametrize(("size", "there"), [(12, 12), (4000, 12), (0x7FFFFFFF, 12)])
def test_data_that_are_shorter_than_they_say(size: int, there: int) -> None:
    bins = Bins()
    root, found = read(with_value(bins, bins.value("blob", 3, b"secret bytes", size=size)))
    key = root.find(rf"{IPSEC}\GPTIPSECPolicy")
    assert key is not None
    assert key.values["blob"].data == b"secret bytes"[:there]
    assert bool(found) == (size > 12)
    assert all("secret" not in message and f"only 12 of {size}" in message for message in found)


def test_a_string_that_is_cut_is_not_half_a_string() -> None:
    bins = Bins()
    root, found = read(with_value(bins, bins.value("DSIPSECPolicyPath", 1, "LDAP://x".encode("utf-16-le"), size=999)))
    key = root.find(rf"{IPSEC}\GPTIPSECPolicy")
    assert key is not None
    assert (key.values, len(found)) == ({}, 1)


def test_more_than_four_bytes_inside_a_value() -> None:
    bins = Bins()
    _, found = read(with_value(bins, bins.value("n", 4, b"", size=0x80000005, place=0)))
    assert "more than four bytes" in found[0]


def test_big_data_whose_segments_are_the_value_itself(tmp_path: Path) -> None:
    bins = Bins()
    segments = bins.values(*[0] * 100)
    block = bins.add(struct.pack("<2sHI", b"db", 100, segments))
    bins.put(segments, struct.pack("<100I", *[segments] * 100))
    root, found = read(with_value(bins, bins.value("n", 3, b"", size=0x7FFFFFFF, place=block)))
    key = root.find(rf"{IPSEC}\GPTIPSECPolicy")
    assert key is not None
    data = key.values["n"].data
    assert isinstance(data, bytes)
    assert len(data) <= 100 * 404
    assert len(found) == 1


def test_before_version_4_there_is_no_big_data() -> None:
    bins = Bins()
    data = b"db" + bytes(20_000)
    root, found = read(with_value(bins, bins.value("n", 3, data), minor=3))
    key = root.find(rf"{IPSEC}\GPTIPSECPolicy")
    assert key is not None
    assert (key.values["n"].data, found) == (data, [])


def test_keys_that_share_their_values_cannot_make_a_hive_larger_than_it_is() -> None:
    bins = Bins()
    data = bins.add(bytes(1 << 20))
    value = bins.value("n", 3, b"", size=1 << 20, place=data)
    values = bins.values(*[value] * 1000)
    keys = [bins.key(f"k{n}", values=1000, value_list=values) for n in range(1000)]
    keys.append(bins.key("GPTIPSECPolicy"))
    hostile = bins.hive(bins.key("root", subkeys=len(keys), subkey_list=bins.list(b"li", *keys)))
    tracemalloc.start()
    started = time.monotonic()
    _, found = read(hostile)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert time.monotonic() - started < 5
    assert peak < 10 * len(hostile)
    assert "structures of the hive overlap" in found[-1]


def test_lists_of_subkeys_that_overlap_cannot_take_long() -> None:
    bins = Bins()
    gpt = bins.key("GPTIPSECPolicy")
    # Each eight bytes of a large cell are the head of a cell with a list that says it goes on to the end of the bin.
    count = 40_000
    area = bins.add(bytes(8 * count))
    for n in range(count):
        left = (count - n) * 8
        struct.pack_into("<i2sH", bins.content, area + 8 * n, -left, b"li", min(65535, left // 4 - 2))
    names = bins.list(b"ri", *[area + 8 * n for n in range(count)], bins.list(b"li", gpt))
    hostile = bins.hive(bins.key("root", subkeys=1, subkey_list=names))
    started = time.monotonic()
    _, found = read(hostile)
    assert time.monotonic() - started < 10
    assert "0 of 1 subkeys could be read" in found[-1]
    assert len(found) < 110


def test_after_ten_thousand_damaged_structures_reading_stops() -> None:
    bins = Bins()
    bins.add(bytes(1 << 20))  # a hive of this size may be read for so long
    nothing = bins.add(bytes(96))
    names = bins.list(b"li", *[nothing] * 10_001, bins.key("GPTIPSECPolicy"))
    _, found = read(bins.hive(bins.key("root", subkeys=10_002, subkey_list=names)))
    assert "10000 structures of the hive are damaged; reading stops" in found[-1]
    assert "there is no key where one is expected" in found[0]
    assert len(found) < 110


def test_lists_of_lists_that_repeat_without_end_are_charged_to_the_budget() -> None:
    bins = Bins()
    lists = bins.list(b"li", *[bins.key("k")] * 1000)
    hostile = bins.hive(bins.key("root", subkeys=1, subkey_list=bins.list(b"ri", *[lists] * 50_000)))
    started = time.monotonic()
    _, found = read(hostile)
    assert time.monotonic() - started < 10
    assert "structures of the hive overlap" in found[-1]


def test_a_damaged_value_does_not_end_the_list() -> None:
    bins = Bins()
    row = [bins.value(f"v{n}", 4, struct.pack("<I", n)) for n in range(5)]
    bins.put(row[1], b"xx")
    bins.put(row[3], b"xx")
    root, found = read(ipsec_hive(bins, bins.key("GPTIPSECPolicy", values=5, value_list=bins.values(*row))))
    key = root.find(rf"{IPSEC}\GPTIPSECPolicy")
    assert key is not None
    assert {value.name: value.data for value in key.values.values()} == {"v0": 0, "v2": 2, "v4": 4}
    assert [message.split(", at")[0] for message in found] == ["PA114 there is no value where one is expected"] * 2
    assert f"{4096 + row[1] + 4:#x}" in found[0]


def test_a_key_that_announces_more_subkeys_than_it_has() -> None:
    bins = Bins()
    names = bins.list(b"lf", bins.key("GPTIPSECPolicy"))
    assert "1 of 3 subkeys could be read" in only_damage(bins.hive(bins.key("root", subkeys=3, subkey_list=names)))


@pytest.mark.parametrize("data", [b"ab", b"abcdefgh"])
def test_a_number_of_the_wrong_size_does_not_end_the_list(data: bytes) -> None:
    bins = Bins()
    row = bins.values(bins.value("bad", 11, data[:2]), bins.value("worse", 4, data), bins.value("good", 4, bytes(4)))
    root, found = read(ipsec_hive(bins, bins.key("GPTIPSECPolicy", values=3, value_list=row)))
    key = root.find(rf"{IPSEC}\GPTIPSECPolicy")
    assert key is not None
    assert list(key.values) == ["good"]
    assert {message.split()[0] for message in found} == {"PA112"}


# The child process


def test_a_hive_with_a_cycle_ends_in_a_finding(tmp_path: Path) -> None:
    bins = Bins()
    names = bins.list(b"lf", 0)
    policy = bins.key("Policy", subkeys=1, subkey_list=names)
    bins.put(names, struct.pack("<2sHII", b"lf", 1, policy, 0))
    top = bins.key("root", subkeys=2, subkey_list=bins.list(b"li", bins.key("GPTIPSECPolicy"), policy))
    started = time.monotonic()
    got = load(put(tmp_path, bins.hive(top)))
    assert time.monotonic() - started < 10
    assert codes(got) == ["PA114", "PA103"]
    assert "below itself" in got.findings[0].message


def limited(monkeypatch: pytest.MonkeyPatch, limits: hive_reader.Limits) -> None:
    monkeypatch.setattr(hive, "limits", lambda *_: limits)


def test_a_child_that_takes_too_long_is_ended(monkeypatch: pytest.MonkeyPatch, software: bytes) -> None:
    limited(monkeypatch, hive_reader.limits(1)._replace(seconds=0))
    root, (found,) = hive.read(software, "SOFTWARE")
    assert (found.code, list(root.children)) == ("PA114", [])
    assert found.message == "reading took more than 0 seconds and was ended; 0 keys were read until then"


@pytest.mark.skipif(sys.platform != "linux", reason="the limit on address space is Linux's")
def test_a_child_that_takes_too_much_memory_is_ended(monkeypatch: pytest.MonkeyPatch, software: bytes) -> None:
    limited(monkeypatch, hive_reader.limits(1)._replace(memory=1 << 20))
    _, found = hive.read(software, "SOFTWARE")
    assert {each.code for each in found} == {"PA114"}
    assert "Cannot allocate memory" in found[-1].message or "status 1" in found[-1].message


@pytest.mark.skipif(sys.platform == "win32", reason="the limit on what is written is Unix's")
def test_what_was_read_before_a_child_died_is_kept_and_the_place_is_told(
    monkeypatch: pytest.MonkeyPatch, software: bytes
) -> None:
    limited(monkeypatch, hive_reader.limits(1)._replace(written=6000))
    root, found = hive.read(software, "SOFTWARE")
    (stopped,) = [each.message for each in found]
    assert "reading ended with status 1" in stopped
    assert "ipsecPolicy" in stopped or "Policy" in stopped
    assert root.find(IPSEC) is not None


def test_a_child_that_cannot_be_started_is_an_error_of_the_source(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, software: bytes
) -> None:
    monkeypatch.setattr(sys, "executable", str(tmp_path / "nowhere"))
    with pytest.raises(SourceError, match="in a process of its own"):
        hive.read(software, "SOFTWARE")
    assert codes(load(put(tmp_path, software))) == ["PA101"]


def test_a_module_in_the_current_folder_is_not_run(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, software: bytes) -> None:
    for name in ("regipy", "construct", "json"):
        put(tmp_path, b"raise SystemExit(9)", f"{name}.py")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", ["", *sys.path])
    assert hive.read(software, "SOFTWARE")[1] == ()


def test_nothing_is_left_in_the_temporary_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, software: bytes) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    assert hive.read(software, "SOFTWARE")[1] == ()
    assert list(tmp_path.iterdir()) == []


def test_limits_grow_with_the_hive_and_have_an_end() -> None:
    small, large, largest = (hive_reader.limits(size) for size in (1 << 20, 1 << 26, 1 << 30))
    assert small.seconds < large.seconds < largest.seconds == 600
    assert small.memory < large.memory < largest.memory < 3 << 30


def test_the_parent_never_loads_regipy(tmp_path: Path, software: bytes) -> None:
    script = "import sys\nfrom pastore.sources import load\nassert load(sys.argv[1]).policy\nassert 'regipy' not in sys.modules"
    command = [sys.executable, "-c", script, str(put(tmp_path, software))]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env={"PYTHONPATH": os.pathsep.join(sys.path)})
    assert done.returncode == 0, done.stderr


def test_levels_without_end_are_cut() -> None:
    bins = Bins()
    below = bins.key("leaf")
    for _ in range(2000):
        below = bins.key("k", subkeys=1, subkey_list=bins.list(b"lf", below))
    policy = bins.key("GPTIPSECPolicy", subkeys=1, subkey_list=bins.list(b"lf", below))
    assert "more than 512 levels" in only_damage(ipsec_hive(bins, policy))


def test_the_checksum_is_never_all_zeros_or_all_ones() -> None:
    assert checksum(bytes(508)) == 1
    assert checksum(b"\xff" * 4 + bytes(504)) == 0xFFFFFFFE


def test_no_base_block() -> None:
    with pytest.raises(DamageError, match="base block"):
        base_block(b"regx" + bytes(5000))


def asked(monkeypatch: pytest.MonkeyPatch) -> list[hive_reader.Request]:
    """Return what children are asked from now on."""
    requests: list[hive_reader.Request] = []
    run = hive_reader.run

    def noted(request: hive_reader.Request) -> tuple[Iterator[Record], str]:
        requests.append(request)
        return run(request)

    monkeypatch.setattr(hive_reader, "run", noted)
    return requests


def test_a_hive_is_read_where_it_lies(tmp_path: Path, software: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "SOFTWARE"
    path.write_bytes(software)
    requests = asked(monkeypatch)
    monkeypatch.chdir(tmp_path)
    assert isinstance(got := load("SOFTWARE").policy, Policy)
    assert got == load(path).policy
    assert [request.hive for request in requests] == [str(path)] * 2
    assert not [request for request in requests if (Path(request.folder) / "hive").exists()]


def test_a_hive_that_logs_are_applied_to_is_copied_and_stays_as_it_is(
    tmp_path: Path, software: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "SOFTWARE"
    dirty = patched(software, (4, 8), (8, 7))
    path.write_bytes(dirty)
    (tmp_path / "SOFTWARE.LOG1").write_bytes(new_log(dirty, entry(7, len(software) - 4096, [(0, software[4096:8192])])))
    requests = asked(monkeypatch)
    assert "PA116" in [finding.code for finding in load(path).findings]
    assert [request.hive for request in requests] == [str(Path(requests[0].folder) / "hive")]
    assert path.read_bytes() == dirty


def test_a_hive_that_goes_away_is_a_finding(tmp_path: Path, software: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "SOFTWARE"
    path.write_bytes(software)
    run = hive_reader.run

    def too_late(request: hive_reader.Request) -> tuple[Iterator[Record], str]:
        path.unlink()
        return run(request)

    monkeypatch.setattr(hive_reader, "run", too_late)
    got = load(path)
    assert got.policy is None
    assert "No such file" in next(finding.message for finding in got.findings if finding.code == "PA114")
