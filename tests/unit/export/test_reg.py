"""Policies as registry exports: as regedit writes them, and no other value than Windows has."""

import re
from dataclasses import replace
from pathlib import Path

import pytest

from pastore.export import SecretsWithheldError, reg
from pastore.model import NO_GUID, Policy, Storage
from pastore.sources import Loaded, load, registry
from pastore.sources import reg as source
from tests.support import example
from tests.support import stored as s
from tests.support.exporting import KEY, keyed, policies, real_export, whole_policy


def lines(written: bytes) -> list[str]:
    return written.decode("utf-16").split("\r\n")


def values(written: bytes) -> dict[str, dict[str, tuple[int, object]]]:
    """Return type and data of every value, references as sets."""
    root, findings = source.read(written, "x.reg", keep=lambda _: True)
    assert findings == ()
    return {
        key.path: {
            value.name: (value.kind, sorted(value.data) if isinstance(value.data, tuple) else value.data)
            for value in key.values.values()
        }
        for key in root.walk()
    }


def read(written: bytes) -> Loaded:
    root, findings = source.read(written, "x.reg")
    return registry.load_tree(root, source="x.reg", findings=findings)


def test_the_file_is_utf16_with_a_mark_and_ends_its_lines_as_windows_does(data: Path | None) -> None:
    written = reg.write(whole_policy(data))
    assert written.startswith(b"\xff\xfeW\0i\0n\0")
    text = written.decode("utf-16")
    assert text.startswith("Windows Registry Editor Version 5.00\r\n\r\n[")
    assert text.endswith("\r\n\r\n")
    assert "\n" not in text.replace("\r\n", "")


def test_an_export_written_again_has_the_keys_and_values_it_had(data: Path | None, tmp_path: Path) -> None:
    path = real_export(data)
    if path is None:
        path = tmp_path / "own.reg"
        path.write_bytes(reg.write(whole_policy(None)))
    policy = load(path).policy
    assert isinstance(policy, Policy)
    before, after = values(path.read_bytes()), values(reg.write(policy))
    assert after == before
    assert sum("ipsecData" in found for found in after.values()) == 9
    # Not only the same data: the same text in the same order, but for the order of references.
    text, again = path.read_bytes().decode("utf-16").rstrip(), reg.write(policy).decode("utf-16").rstrip()
    assert re.findall(r'^(?:\[.*|"[^"]*"=)', again, re.MULTILINE) == re.findall(r'^(?:\[.*|"[^"]*"=)', text, re.MULTILINE)
    blocks = [re.findall(r'"ipsecData"=hex:(?:.*\\\r\n)*.*', one) for one in (text, again)]
    assert blocks[0] == blocks[1]
    assert len(blocks[0]) == 9


def test_hex_data_is_broken_where_regedit_breaks_it() -> None:
    policy = s.small_policy()
    broken = [line for line in lines(reg.write(policy)) if line.endswith("\\")]
    for line in broken:
        # A line is broken when it has come past 76 columns, so it is 78 to 80 long with its backslash.
        assert 78 <= len(line) <= 80
    assert {len(line) for line in broken if line.startswith("  ")} == {78}


@pytest.mark.parametrize("size", range(60))
def test_hex_data_of_any_length_is_read_back(size: int) -> None:
    raw = bytes(range(size))
    text = "Windows Registry Editor Version 5.00\r\n\r\n[HKEY_LOCAL_MACHINE\\IPSec]\r\n" + reg._hex("x", "hex:", raw) + "\r\n\r\n"
    root, findings = source.read(text.encode("utf-16"), "x.reg")
    assert findings == ()
    key = root.find("HKEY_LOCAL_MACHINE\\IPSec")
    assert key is not None
    assert key.values["x"].data == raw
    assert ",\\\r\n  \r\n" not in text


def test_an_assigned_policy_is_named_as_the_active_one_and_another_is_not() -> None:
    policy = s.small_policy()
    name = rf"SOFTWARE\\Policies\\Microsoft\\Windows\\IPSEC\\Policy\\Local\\ipsecPolicy{{{policy.guid}}}"
    assert f'"ActivePolicy"="{name}"' in lines(reg.write(replace(policy, assigned=True)))
    assert "ActivePolicy" not in reg.write(policy).decode("utf-16")


def test_no_default_exempt_is_a_value_of_the_policy_agent_where_it_is_known() -> None:
    policy = s.small_policy()
    written = lines(reg.write(replace(policy, default_exempt=1)))
    at = written.index(r"[HKEY_LOCAL_MACHINE\SYSTEM\CurrentControlSet\Services\PolicyAgent]")
    assert written[at + 1] == '"NoDefaultExempt"=dword:00000001'
    assert "PolicyAgent" not in reg.write(policy).decode("utf-16")


@pytest.mark.parametrize("storage", Storage)
def test_a_policy_of_any_storage_is_written_to_the_local_store(storage: Storage) -> None:
    policy = replace(s.small_policy(), storage=storage, dn="CN=ipsecPolicy{x},DC=corp")
    assert read(reg.write(policy)).policy == replace(policy, storage=Storage.LOCAL)


def test_every_child_names_its_owners_by_their_path() -> None:
    written = reg.write(example.policy())
    # PA134 is a reference without its way back, or the reverse.
    assert "PA134" not in {finding.code for finding in read(written).findings}
    found = {path: held for path, held in values(written).items() if "ipsecData" in held and "ipsecPolicy{" not in path}
    assert len(found) == 16
    owners = [owner for held in found.values() for owner in held["ipsecOwnersReference"][1]]  # type: ignore[attr-defined]
    assert {owner.rpartition("\\")[0] for owner in owners} == {r"SOFTWARE\Policies\Microsoft\Windows\IPSEC\Policy\Local"}


def test_several_policies_share_an_object_and_both_own_it() -> None:
    one = s.small_policy()
    shared = one.rules[1]
    another = replace(one, guid=s.guid(9), name="Another", rules=(replace(shared, guid=s.guid(19)),), main_mode=None)
    loaded = read(reg.write([one, another]))
    assert loaded.policies == (another, one)
    assert not [finding for finding in loaded.findings if finding.code == "PA134"]


class TestRefused:
    def test_two_assigned_policies(self) -> None:
        one = replace(s.small_policy(), assigned=True)
        with pytest.raises(ValueError, match="2 policies are assigned"):
            reg.write([one, replace(one, guid=s.guid(9))])

    def test_two_values_of_no_default_exempt(self) -> None:
        one = replace(s.small_policy(), default_exempt=1)
        with pytest.raises(ValueError, match="different values of NoDefaultExempt"):
            reg.write([one, replace(one, guid=s.guid(9), default_exempt=2)])

    def test_two_things_of_one_name(self) -> None:
        one = s.small_policy()
        other = replace(one, guid=s.guid(9), main_mode=replace(one.main_mode, name="other"))  # type: ignore[type-var]
        with pytest.raises(ValueError, match=r"ipsecISAKMPPolicy\{.*stands for two different things"):
            reg.write([one, other])

    def test_nothing_and_what_is_no_policy(self) -> None:
        with pytest.raises(ValueError, match="no policy to write"):
            reg.write([])
        with pytest.raises(TypeError, match="got str"):
            reg.write(["x"])  # type: ignore[list-item]

    def test_a_policy_without_a_guid(self) -> None:
        with pytest.raises(ValueError, match="without a GUID"):
            reg.write(replace(s.small_policy(), guid=NO_GUID))

    def test_a_time_that_fits_no_dword(self) -> None:
        with pytest.raises(ValueError, match="whenChanged is -1"):
            reg.write(replace(s.small_policy(), when_changed=-1))

    @pytest.mark.parametrize("name", ["a\0b", "half \ud83d of one"])
    def test_a_name_that_no_string_can_hold(self, name: str) -> None:
        with pytest.raises(ValueError, match=r"ipsecname of ipsecPolicy.*cannot be stored"):
            reg.write(replace(s.small_policy(), name=name))

    def test_a_key_without_secrets_and_a_key_that_is_not_known(self) -> None:
        policy = keyed(s.small_policy())
        with pytest.raises(SecretsWithheldError, match="has a pre-shared key") as caught:
            reg.write(policy)
        assert KEY not in str(caught.value)
        assert read(reg.write(policy, secrets=True)).policy == policy
        unknown = tuple(
            replace(rule, auth_methods=tuple(replace(method, key=None) for method in rule.auth_methods)) for rule in policy.rules
        )
        with pytest.raises(ValueError, match="is not known"):
            reg.write(replace(policy, rules=unknown), secrets=True)


@pytest.mark.parametrize("name", ["line\r\nbreak", "tab\tand\x7f", 'quo"te\\back', "Büro 事務所 🏢", " ; [x]", "a\rb"])
def test_any_name_is_read_back(name: str) -> None:
    policy = replace(s.small_policy(), name=name, description=name)
    assert read(reg.write(policy)).policy == policy


def test_strings_with_control_characters_are_bytes_on_one_logical_line() -> None:
    written = lines(reg.write(replace(s.small_policy(), name="a\r\nb")))
    assert '"ipsecName"=hex(1):61,00,0d,00,0a,00,62,00,00,00' in written


def test_the_example_and_the_whole_policy_are_read_back(data: Path | None) -> None:
    for policy in policies(data):
        loaded = read(reg.write(policy))
        assert loaded.policy == policy
        assert [finding for finding in loaded.findings if finding.severity.value != "info"] == []
