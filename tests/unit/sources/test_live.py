"""The running registry, through a winreg of our own that behaves as documented."""

import sys
from collections.abc import Mapping

import pytest

from pastore.model import Policy
from pastore.sources import Loaded, load
from tests.support import example, stored_policy
from tests.support.fake_winreg import FakeWinreg, WindowsError
from tests.support.reg_text import Hex, RegValue

IPSEC = stored_policy.IPSEC


def got(monkeypatch: pytest.MonkeyPatch, winreg: FakeWinreg) -> Loaded:
    monkeypatch.setitem(sys.modules, "winreg", winreg)
    loaded = load("registry:")
    assert not [handle for handle in winreg.opened if handle.is_open]
    return loaded


def keys() -> dict[str, Mapping[str, RegValue]]:
    made = example.policy()
    return example.registry(made, assigned=made)


def test_the_same_policy_as_from_an_export(monkeypatch: pytest.MonkeyPatch) -> None:
    loaded = got(monkeypatch, FakeWinreg(keys(), seconds=example.CHANGED))
    assert loaded.policy == example.policy()
    assert loaded.findings == ()


def test_times_of_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    loaded = got(monkeypatch, FakeWinreg(keys(), seconds=example.CHANGED + 60))
    assert isinstance(loaded.policy, Policy)
    assert loaded.policy.written == example.CHANGED + 60
    assert {finding.code for finding in loaded.findings} == {"PA127"}


def test_the_64_bit_view_is_read_and_nothing_is_opened_for_writing(monkeypatch: pytest.MonkeyPatch) -> None:
    winreg = FakeWinreg(keys())
    got(monkeypatch, winreg)
    assert winreg.accesses == {FakeWinreg.KEY_READ | FakeWinreg.KEY_WOW64_64KEY}


def test_only_the_keys_of_ipsec_are_opened(monkeypatch: pytest.MonkeyPatch) -> None:
    more = keys() | {r"HKEY_LOCAL_MACHINE\SOFTWARE\Other\X": {"a": 1}}
    winreg = FakeWinreg(more)
    got(monkeypatch, winreg)
    assert all("ipsec" in handle.path or handle.path.endswith(r"services\policyagent") for handle in winreg.opened)


def test_a_computer_without_ipsec_policy(monkeypatch: pytest.MonkeyPatch) -> None:
    loaded = got(monkeypatch, FakeWinreg({}))
    assert [finding.code for finding in loaded.findings] == ["PA103"]


def test_pa101_access_denied(monkeypatch: pytest.MonkeyPatch) -> None:
    loaded = got(monkeypatch, FakeWinreg(keys(), denied=(IPSEC.partition("\\")[2],)))
    assert loaded.policy is None
    assert [finding.code for finding in loaded.findings] == ["PA101"]
    assert "Access is denied" in loaded.findings[0].message


def test_pa101_one_key_that_may_not_be_read_does_not_hide_the_others(monkeypatch: pytest.MonkeyPatch) -> None:
    loaded = got(monkeypatch, FakeWinreg(keys(), denied=(r"SYSTEM\CurrentControlSet\Services\PolicyAgent",)))
    assert isinstance(loaded.policy, Policy)
    assert loaded.policy.default_exempt is None
    assert [(finding.code, finding.origin.locator[-11:]) for finding in loaded.findings if finding.code == "PA101"] == [
        ("PA101", "PolicyAgent")
    ]


def test_empty_data_which_winreg_gives_as_none(monkeypatch: pytest.MonkeyPatch) -> None:
    values: dict[str, RegValue] = {"a": Hex(3, b""), "b": Hex(4, b""), "c": ()}
    monkeypatch.setitem(sys.modules, "winreg", FakeWinreg({IPSEC: values}))
    from pastore.sources import live

    root, findings = live.read()
    key = root.find(IPSEC)
    assert key is not None
    assert {value.name: value.data for value in key.values.values()} == {"a": b"", "c": ()}
    assert [finding.code for finding in findings] == ["PA112"]


def test_an_error_while_enumerating_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    class Failing(FakeWinreg):
        def EnumValue(self, key: object, index: int) -> tuple[str, object, int]:
            raise WindowsError(1018, "Illegal operation attempted on a registry key marked for deletion")

    loaded = got(monkeypatch, Failing(keys()))
    assert [finding.code for finding in loaded.findings] == ["PA101"]
    assert "marked for deletion" in loaded.findings[0].message


def test_elsewhere_the_answer_is_that_this_is_not_windows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "winreg", None)
    loaded = load("registry:")
    assert [finding.code for finding in loaded.findings] == ["PA101"]
    assert "only be read on Windows" in loaded.findings[0].message


def test_pa102_the_running_registry_has_no_format() -> None:
    assert [finding.code for finding in load("registry:", format="reg").findings] == ["PA102"]
