"""pastore publish, typed wrong: nothing is asked, nothing is written, and it is said why."""

from pathlib import Path

import pytest

from pastore.export import ldif, reg
from tests.support.command import pastore as run
from tests.support.directory_examples import BASE, made

NOWHERE = "ldapi://%2Fnowhere"


@pytest.fixture
def source(tmp_path: Path) -> Path:
    path = tmp_path / "policy.reg"
    path.write_bytes(reg.write(made()))
    return path


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ((), "Missing option '--to'"),
        (("--to", "dc1.corp.example"), "--to is the URL of a directory"),
        (("--to", "ldaps://user:secret-54@dc1/"), "a URL holds no user and no password"),
        (("--to", NOWHERE, "--secrets"), "--secrets is for --dry-run only"),
        (("--to", NOWHERE, "--user", "me"), "a user needs a password"),
        (("--to", NOWHERE, "--timeout", "0"), "the timeout is a number of seconds above 0"),
        (("--to", NOWHERE, "--password", "secret-54"), "No such option"),
    ],
)
def test_usage_that_is_wrong(source: Path, monkeypatch: pytest.MonkeyPatch, options: tuple[str, ...], said: str) -> None:
    monkeypatch.delenv("PASTORE_PASSWORD", raising=False)
    done = run("publish", source, *options)
    assert (done.status, done.out) == (2, "")
    assert said in done.err
    assert "secret-54" not in done.err


def test_a_directory_that_cannot_be_reached(source: Path) -> None:
    done = run("publish", source, "--to", NOWHERE)
    assert (done.status, done.out) == (2, "")
    assert "error PA170" in done.err
    assert f"the policy was not published in {NOWHERE}" in done.err


def test_a_source_that_is_no_policy_or_not_there(tmp_path: Path) -> None:
    rows = tmp_path / "rows"
    rows.write_text("@10.0.0.0/8\t0.0.0.0/0\t0 : 65535\t0 : 65535\t0x06/0xFF\n")
    assert "there is nothing to publish" in run("publish", rows, "--to", NOWHERE).err
    gone = run("publish", tmp_path / "gone.reg", "--to", NOWHERE)
    assert (gone.status, gone.out) == (2, "")


def test_a_policy_that_was_read_with_errors_is_not_published(tmp_path: Path) -> None:
    """Half of it would take the place of the whole one."""
    text = ldif.write(made(), base_dn=BASE)
    at = text.index(b"dn: CN=ipsecFilter{")
    path = tmp_path / "cut.ldif"
    path.write_bytes(text[:at] + text[text.index(b"\n\n", at) + 2 :])
    done = run("publish", path, "--to", NOWHERE)
    assert (done.status, done.out) == (1, "")
    assert "error PA130" in done.err
    assert "nothing was written" in done.err
