"""URLs of directories, users, passwords, and what does not go together."""

import re
from pathlib import Path

import pytest

import pastore
from pastore.directory import Access, Location, parse_url
from pastore.directory.access import Deadline, password_from, read_password, shown
from pastore.directory.errors import DirectoryError
from pastore.model import Secret
from tests.support.command import pastore as run


@pytest.mark.parametrize(
    ("url", "location"),
    [
        ("ldaps://dc1.corp.example", Location("ldaps", "dc1.corp.example", 636)),
        ("LDAPS://dc1/", Location("ldaps", "dc1", 636)),
        ("ldap://dc1:3389/DC=corp,DC=example", Location("ldap", "dc1", 3389, base="DC=corp,DC=example")),
        (
            "ldaps://[2001:db8::1]:1636/DC=corp%20x,DC=example",
            Location("ldaps", "2001:db8::1", 1636, base="DC=corp x,DC=example"),
        ),
        ("ldapi://%2Fvar%2Frun%2Fldapi", Location("ldapi", path="/var/run/ldapi")),
        ("ldapi://%2Fvar%2Frun%2Fldapi/DC=a", Location("ldapi", path="/var/run/ldapi", base="DC=a")),
        ("ldaps://dc1/DC=a??", Location("ldaps", "dc1", 636, base="DC=a")),
    ],
)
def test_urls(url: str, location: Location) -> None:
    assert parse_url(url) == location


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("ldaps://", "'' is not HOST"),
        ("ldaps://dc1:0", "there is no port 0"),
        ("ldaps://dc1:99999", "there is no port 99999"),
        ("ldaps://dc1:x", "is not HOST"),
        ("ldaps://a b", "is not HOST"),
        ("ldaps://[::1", "is not HOST"),
        ("ldaps://[1::2::3]", "At most one '::'"),
        ("ldaps://user:secret@dc1", "a URL holds no user"),
        ("ldaps://dc1/DC=a?cn", "only the base DN"),
        ("ldaps://dc1/DC=a#x", "only the base DN"),
        ("ldaps://dc1/corp", "is no DN"),
        ("ldaps://dc1/%ff", "not UTF-8"),
        ("ldapi://", "needs the path of the socket"),
        ("ldapi://%00", "holds a NUL"),
    ],
)
def test_pa102_what_is_no_url_of_a_directory(url: str, said: str) -> None:
    with pytest.raises(ValueError, match=re.escape(said)) as refused:
        parse_url(url)
    assert "secret" not in str(refused.value)
    (finding,) = pastore.load(url).findings
    assert finding.code == "PA102"


def test_a_url_is_shown_without_what_may_be_a_password() -> None:
    assert shown("ldaps://u:p@dc1/DC=a") == "ldaps://(redacted)@dc1/DC=a"
    assert shown("ldaps://dc1/DC=a@b") == "ldaps://dc1/DC=a@b"
    assert shown("a@b://c@d") == "a@b://c@d"


@pytest.mark.parametrize(
    "options",
    [
        {"user": "u"},
        {"password": Secret("p")},
        {"user": "u", "password": Secret("")},  # RFC 4513: the server would call that an anonymous success
        {"user": "u", "password": Secret("p"), "kerberos": True},
        {"timeout": 0},
        {"timeout": float("nan")},
        {"timeout": 1e9},
    ],
)
def test_what_does_not_go_together_is_refused(options: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=r"\w"):
        Access(**options)  # type: ignore[arg-type]


def test_a_password_that_is_plain_text_is_refused() -> None:
    with pytest.raises(TypeError):
        Access(user="u", password="p")  # type: ignore[arg-type]


def test_a_password_is_the_first_line_of_a_file_that_only_its_owner_may_read(tmp_path: Path) -> None:
    file = tmp_path / "password"
    file.write_bytes("pässwörd with blanks \r\nsecond line\n".encode())
    file.chmod(0o600)
    assert read_password(str(file)) == Secret("pässwörd with blanks ")
    for bad in (b"", b"\nx", b"\xff\n", b"x" * 5000):
        file.write_bytes(bad)
        with pytest.raises(ValueError, match="password file"):
            read_password(str(file))
    file.write_bytes(b"fine")
    file.chmod(0o640)
    with pytest.raises(ValueError, match="chmod 600"):
        read_password(str(file))
    with pytest.raises(ValueError, match="No such file"):
        read_password(str(tmp_path / "none"))


def test_a_password_is_taken_from_the_environment() -> None:
    assert password_from({"PASTORE_PASSWORD": "p"}) == Secret("p")
    assert password_from({"PASTORE_PASSWORD": ""}) is None
    assert password_from({}) is None


def test_the_deadline_is_one_for_all() -> None:
    assert 0 < Deadline(5).remaining() <= 5
    with pytest.raises(DirectoryError) as over:
        Deadline(-1).remaining()
    assert over.value.code == "PA173"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--user", "u"), "a user needs a password"),
        (("--timeout", "0"), "the timeout is a number of seconds above 0"),
        (("--site", "HQ"), "a site is of use only with a computer"),
        (("--format", "reg"), "a directory has no format"),
        (("--system", "SYSTEM"), "a directory has no SYSTEM hive beside it"),
    ],
)
def test_options_that_cannot_be_used_end_with_status_2(arguments: tuple[str, ...], said: str) -> None:
    got = run("show", "ldapi://%2Fnowhere", *arguments)
    assert got.status == 2
    assert said in got.err


def test_a_file_has_no_computers(tmp_path: Path) -> None:
    (tmp_path / "a.reg").write_text("REGEDIT4\n")
    got = run("show", tmp_path / "a.reg", "--computer", "FILES1")
    assert (got.status, "this is no directory" in got.err) == (2, True)
    assert run("check", tmp_path / "a.reg", "--computer", "FILES1").status == 2
    assert run("show", tmp_path / "a.reg", "--assignment", "--computer", "FILES1").status == 2


def test_pa170_a_server_that_is_not_there(tmp_path: Path) -> None:
    (finding,) = pastore.load(f"ldapi://{tmp_path}/none".replace("/", "%2F").replace("ldapi:%2F%2F", "ldapi://")).findings
    assert (finding.code, finding.win32, finding.event) == ("PA170", 8250, 5474)
    (finding,) = pastore.load("ldaps://no-such-host.invalid", access=Access(timeout=20)).findings
    assert finding.code == "PA170"
    assert "cannot be resolved" in finding.message
