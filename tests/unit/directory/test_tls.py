"""Connections that are refused, each with what to do about it; and passwords, which go nowhere but into an encrypted logon."""

import logging
import pickle
import socket
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace

import click
import pytest

import pastore
from pastore.cli.common import access_from
from pastore.directory import Access
from pastore.directory.session import Session
from pastore.findings import Finding
from pastore.model import Secret
from tests.support.certificates import Authority
from tests.support.command import pastore as run
from tests.support.directory_examples import entries
from tests.support.hostile_ldap import (
    EXTENDED,
    EXTENDED_ANSWER,
    Conversation,
    Directory,
    Request,
    Server,
    message,
    result,
)

USER, PASSWORD = "reader@corp.example", "Planted-Password-51"


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("authority"))


@contextmanager
def served(directory: Directory) -> Iterator[int]:
    with Server(directory.serve) as server:
        yield server.port


def asked(url: str, authority: Authority | None, **more: object) -> list[Finding]:
    """Return the findings of a retrieval with a password; none of them repeats it."""
    ca = None if authority is None else str(authority.file)
    access = Access(user=USER, password=Secret(PASSWORD), ca_file=ca, timeout=5, **more)  # type: ignore[arg-type]
    got = pastore.load(url, access=access)
    assert PASSWORD not in repr(got) + repr(access) + str([finding.as_dict() for finding in got.findings])
    return list(got.findings)


def good(authority: Authority, *, from_start: bool = True) -> Directory:
    return Directory(entries(), tls=authority.server("localhost"), from_start=from_start, users={USER: PASSWORD})


@pytest.mark.parametrize(("scheme", "from_start"), [("ldaps", True), ("ldap", False)])
def test_a_certificate_that_is_right_lets_the_logon_through(authority: Authority, scheme: str, from_start: bool) -> None:
    directory = good(authority, from_start=from_start)
    with served(directory) as port:
        assert not [finding for finding in asked(f"{scheme}://localhost:{port}", authority) if finding.code.startswith("PA17")]
    assert ("bind", f"{USER} in TLS") in directory.log
    assert [what for kind, what in directory.log if kind == "bind" and "clear" in what] == []


@pytest.mark.parametrize(("scheme", "from_start"), [("ldaps", True), ("ldap", False)])
@pytest.mark.parametrize(
    ("how", "said"),
    [
        ("self-signed", "the certificate of localhost is self-signed: if it is the right one, give it with --ca-file"),
        ("expired", "the certificate of localhost has expired: have it renewed on the server, and check this computer's clock"),
        ("wrong name", "the certificate is not for localhost: use the name that is in it, or have one made with that name"),
        (
            "unknown",
            "nobody trusted here has signed the certificate of localhost: give its authority's certificate with --ca-file",
        ),
    ],
)
def test_pa172_a_certificate_that_is_not_right(
    authority: Authority, tmp_path: Path, scheme: str, from_start: bool, how: str, said: str
) -> None:
    other = Authority(tmp_path, "Somebody else")
    contexts = {
        "self-signed": lambda: authority.server("localhost", self_signed=True),
        "expired": lambda: authority.server("localhost", expired=True),
        "wrong name": lambda: authority.server("other.example"),
        "unknown": lambda: other.server("localhost"),
    }
    directory = Directory(entries(), tls=contexts[how](), from_start=from_start, users={USER: PASSWORD})
    with served(directory) as port:
        (finding,) = asked(f"{scheme}://localhost:{port}", authority)
        assert (finding.code, finding.message) == ("PA172", said)
        waived = asked(f"{scheme}://localhost:{port}", authority, insecure=True)
    assert "PA505" in {finding.code for finding in waived}
    assert [kind for kind, _ in directory.log].count("bind") == 1  # the one that was waived


def test_pa172_starttls_that_is_stripped(authority: Authority) -> None:
    """Somebody between answers that there is no StartTLS: nothing follows in clear text."""
    directory = good(authority, from_start=False)

    def strip(conversation: Conversation, request: Request) -> bool:
        if request.tag == EXTENDED:
            conversation.send(message(request.number, result(EXTENDED_ANSWER, 2, "protocol error")))
        return request.tag == EXTENDED

    directory.script = strip
    with served(directory) as port:
        (finding,) = asked(f"ldap://localhost:{port}", authority)
        assert [one.code for one in asked(f"ldap://localhost:{port}", authority, insecure=True)] == ["PA172", "PA505"]
    assert finding.code == "PA172"
    assert "refuses StartTLS" in finding.message
    assert "use ldaps://" in finding.message
    assert "bind" not in {kind for kind, _ in directory.log}


def test_pa172_starttls_that_is_agreed_to_and_not_done(authority: Authority) -> None:
    directory = good(authority, from_start=False)

    def pretend(conversation: Conversation, request: Request) -> bool:
        conversation.send(message(request.number, result(EXTENDED_ANSWER, 0)))
        conversation.send(message(request.number + 1, result(EXTENDED_ANSWER, 0)))  # clear text where TLS should begin
        return True

    directory.script = pretend
    with served(directory) as port:
        (finding,) = asked(f"ldap://localhost:{port}", authority)
    assert finding.code == "PA172"


def test_pa172_a_server_without_tls_gets_no_password(authority: Authority) -> None:
    """Plain ldap with a password: the server knows no TLS at all."""
    directory = Directory(entries(), users={USER: PASSWORD})
    heard: list[bytes] = []

    def listen(conversation: Conversation, request: Request) -> bool:
        heard.append(request.content)
        return False

    directory.script = listen
    with served(directory) as port:
        (finding,) = asked(f"ldap://localhost:{port}", authority)
        assert "nothing is sent to it in clear text" in finding.message
        (spoken,) = asked(f"ldaps://localhost:{port}", authority)
        assert "use ldap:// if it has StartTLS" in spoken.message
    assert (finding.code, spoken.code) == ("PA172", "PA172")
    assert PASSWORD.encode() not in b"".join(heard)
    assert "bind" not in {kind for kind, _ in directory.log}


@pytest.mark.filterwarnings("ignore:ssl.TLSVersion:DeprecationWarning")
def test_pa172_tls_before_1_2(authority: Authority) -> None:
    context = authority.server("localhost")
    context.minimum_version = ssl.TLSVersion.MINIMUM_SUPPORTED
    context.maximum_version = ssl.TLSVersion.TLSv1_1
    context.set_ciphers("ALL:@SECLEVEL=0")
    with served(Directory(entries(), tls=context, from_start=True)) as port:
        (finding,) = asked(f"ldaps://localhost:{port}", authority)
    assert finding.code == "PA172"
    assert "TLS" in finding.message


def test_a_handshake_that_never_ends_ends_with_the_deadline(authority: Authority) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        access = Access(ca_file=str(authority.file), timeout=0.5)
        (finding,) = pastore.load(f"ldaps://localhost:{port}", access=access).findings
    assert finding.code == "PA173"


@pytest.mark.parametrize("content", [b"no certificate", None])
def test_pa172_a_ca_file_that_holds_none_or_is_not_there(authority: Authority, tmp_path: Path, content: bytes | None) -> None:
    file = tmp_path / "ca.pem"
    if content is not None:
        file.write_bytes(content)
    with served(good(authority)) as port:
        (finding,) = pastore.load(f"ldaps://localhost:{port}", access=Access(ca_file=str(file))).findings
    assert finding.code == "PA172"
    assert "the CA file" in finding.message


def test_pa505_insecure_is_told_every_time(authority: Authority) -> None:
    directory = Directory(entries(), tls=authority.server("other.example"), from_start=True)
    with served(directory) as port:
        result_ = run("check", f"ldaps://localhost:{port}", "--insecure")
        assert result_.status == 0
        assert "warning PA505" in result_.out
        assert "warning PA505" in run("show", f"ldaps://localhost:{port}", "--insecure").err
        assert "PA505" in run("show", f"ldaps://localhost:{port}", "--insecure", "--assignment", "--computer", "FILES1").err


def test_a_password_is_asked_for_where_somebody_is_there(monkeypatch: pytest.MonkeyPatch) -> None:
    asked_for: list[tuple[str, bool]] = []

    def prompt(text: str, *, hide_input: bool, err: bool) -> str:
        assert err
        asked_for.append((text, hide_input))
        return PASSWORD

    monkeypatch.setattr("pastore.cli.common.click.prompt", prompt)
    monkeypatch.setattr("pastore.cli.common.sys.stdin", SimpleNamespace(isatty=lambda: True))
    options = {"user": USER, "kerberos": False, "password_file": None, "ca_file": None, "insecure": False, "timeout": None}
    access = access_from(options, ask=True)
    assert access.password == Secret(PASSWORD)
    assert asked_for == [(f"Password of {USER}", True)]
    monkeypatch.setattr("pastore.cli.common.sys.stdin", SimpleNamespace(isatty=lambda: False))
    with pytest.raises(click.UsageError, match="a user needs a password"):
        access_from(options, ask=True)


def test_a_password_is_in_no_log_repr_exception_or_pickle(
    authority: Authority, caplog: pytest.LogCaptureFixture, tmp_path: Path
) -> None:
    caplog.set_level(logging.DEBUG)
    access = Access(user=USER, password=Secret(PASSWORD), ca_file=str(authority.file))
    with served(good(authority)) as port, Session(f"ldaps://localhost:{port}", access) as session:
        texts = [repr(session), repr(access), f"{session!s} {access!s}", repr(session.root)]
    file = tmp_path / "password"
    file.write_text(PASSWORD)
    file.chmod(0o644)
    refused = run("show", f"ldaps://localhost:{port}", "--user", USER, "--password-file", file)
    assert refused.status == 2
    assert "others may read the password file" in refused.err
    file.chmod(0o600)
    gone = run("show", f"ldaps://localhost:{port}", "--user", USER, "--password-file", file, "--ca-file", authority.file)
    assert gone.status == 2
    with pytest.raises(TypeError) as caught:
        pickle.dumps(access)
    everything = "\n".join([*texts, refused.out, refused.err, gone.out, gone.err, str(caught.value), caplog.text])
    assert PASSWORD not in everything


def test_a_password_in_a_url_is_refused_and_not_repeated() -> None:
    for command in ("show", "check", "explain", "convert"):
        more = {"explain": ["icmp 10.0.0.1 > 10.0.0.2"], "convert": ["-t", "json"]}.get(command, [])
        got = run(command, f"ldaps://{USER}:{PASSWORD}@localhost/", *more)
        assert got.status == 2
        assert "a URL holds no user and no password" in got.out + got.err
        assert PASSWORD not in got.out + got.err


def test_every_address_of_a_name_is_tried(authority: Authority, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as unused, served(good(authority)) as port:
        unused.bind(("127.0.0.1", 0))  # bound, and nobody listens
        tried = [unused.getsockname()[1], port]
        found = [(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP, "", ("127.0.0.1", number)) for number in tried]
        monkeypatch.setattr("pastore.directory.dial.socket.getaddrinfo", lambda *_args, **_more: found)
        assert not [one for one in asked("ldaps://localhost", authority) if one.code.startswith("PA17")]
        found.pop()
        (finding,) = asked("ldaps://localhost", authority)
    assert finding.code == "PA170"
