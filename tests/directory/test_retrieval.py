"""The default policies of a real domain, by every way in: what comes is what its LDIF holds, or nothing."""

import re
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

import pastore
from pastore.directory import Access
from pastore.model import Policy, Secret
from pastore.sources import Loaded
from tests.support.command import pastore as run
from tests.support.domain import ADMINISTRATOR, BASE, DomainController
from tests.support.relay import Relay, to_path

CONTAINER = f"CN=IP Security,CN=System,{BASE}"
CLIENT = "Client (Respond Only)"
NAMES = [CLIENT, "Secure Server (Require Security)", "Server (Request Security)"]


@pytest.fixture(scope="module")
def exported(domain: DomainController, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The policy store as ldapsearch, an independent reader, writes it."""
    file = tmp_path_factory.mktemp("ldif") / "store.ldif"
    file.write_text(domain.search(CONTAINER, "(objectClass=ipsecBase)"))
    return file


@pytest.fixture(scope="module")
def policies(exported: Path) -> tuple[Policy, ...]:
    return pastore.load(exported).policies


def access(domain: DomainController, *, timeout: float = 30, user: str = ADMINISTRATOR, password: str | None = None) -> Access:
    return Access(user=user, password=Secret(password or domain.password), ca_file=str(domain.authority.file), timeout=timeout)


def codes(loaded: Loaded) -> list[str]:
    return [finding.code for finding in loaded.findings]


def test_the_socket_of_the_server_gives_what_the_ldif_holds(domain: DomainController, policies: tuple[Policy, ...]) -> None:
    got = pastore.load(domain.url)
    assert [policy.name for policy in got.policies] == NAMES
    assert got.policies == policies
    assert codes(got) == ["PA105"]  # none of three is assigned


@pytest.mark.parametrize("scheme", ["ldaps", "ldap"])
def test_tls_and_starttls_give_what_the_ldif_holds(domain: DomainController, policies: tuple[Policy, ...], scheme: str) -> None:
    with domain.port(scheme) as relay:
        got = pastore.load(f"{scheme}://localhost:{relay.port}/", policy=CLIENT, access=access(domain))
        named = pastore.load(f"{scheme}://localhost:{relay.port}/{BASE}", access=access(domain))
    assert got.policies == named.policies == policies
    assert got.policy == policies[0]
    assert codes(got) == []


def test_one_policy_is_picked_by_its_guid(domain: DomainController, policies: tuple[Policy, ...]) -> None:
    assert pastore.load(domain.url, policy="{72385236-70FA-11D1-864C-14A300000000}").policy == policies[0]
    assert codes(pastore.load(domain.url, policy="Client (Respond)")) == ["PA104"]


@pytest.fixture(scope="module")
def ticket(domain: DomainController, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """The environment in which the Kerberos library finds the domain and a ticket of its administrator's."""
    if shutil.which("kinit") is None:
        pytest.fail("a ticket needs krb5-user; scripts/setup-debian test installs what is missing")
    folder = tmp_path_factory.mktemp("kerberos")
    domain.modify(
        f"dn: CN=DC1,OU=Domain Controllers,{BASE}\nchangetype: modify\nadd: servicePrincipalName\n"
        "servicePrincipalName: ldap/localhost\nservicePrincipalName: ldap/dc1.ad.test\n"
    )
    with domain.port("kerberos") as relay:
        (folder / "krb5.conf").write_text(
            "[libdefaults]\ndefault_realm = AD.TEST\ndns_lookup_kdc = false\ndns_canonicalize_hostname = false\nrdns = false\n"
            f"udp_preference_limit = 1\n[realms]\nAD.TEST = {{\nkdc = 127.0.0.1:{relay.port}\n}}\n"
            "[domain_realm]\nlocalhost = AD.TEST\n.ad.test = AD.TEST\n"
        )
        env = {"KRB5_CONFIG": str(folder / "krb5.conf"), "KRB5CCNAME": f"FILE:{folder}/cache", "PATH": "/usr/bin:/bin"}
        subprocess.run(
            ["kinit", ADMINISTRATOR.upper()], input=f"{domain.password}\n", env=env, text=True, check=True, capture_output=True
        )
        yield env


def test_a_kerberos_ticket_is_a_logon(
    domain: DomainController, policies: tuple[Policy, ...], ticket: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in ticket.items():
        monkeypatch.setenv(name, value)
    by_ticket = Access(kerberos=True, ca_file=str(domain.authority.file))
    with domain.port("ldaps") as relay:
        assert pastore.load(f"ldaps://localhost:{relay.port}", access=by_ticket).policies == policies
        named = replace(by_ticket, user=ADMINISTRATOR.upper())
        assert pastore.load(f"ldaps://localhost:{relay.port}", access=named).policies == policies
        (finding,) = pastore.load(f"ldaps://localhost:{relay.port}", access=replace(by_ticket, user="OTHER@AD.TEST")).findings
        assert (finding.code, "no logon with Kerberos" in finding.message) == ("PA171", True)
    with domain.port("ldap") as relay:
        assert pastore.load(f"ldap://localhost:{relay.port}", access=by_ticket).policies == policies
    # Through the socket the server is the one that it says it is: the ticket is for the name in its root DSE.
    assert pastore.load(domain.url, access=Access(kerberos=True)).policies == policies


def test_without_a_ticket_it_is_said_so(
    domain: DomainController, ticket: dict[str, str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for name, value in {**ticket, "KRB5CCNAME": f"FILE:{tmp_path}/none"}.items():
        monkeypatch.setenv(name, value)
    with domain.port("ldaps") as relay:
        got = pastore.load(f"ldaps://localhost:{relay.port}", access=Access(kerberos=True, ca_file=str(domain.authority.file)))
    (finding,) = got.findings
    assert finding.code == "PA171"
    assert finding.message.startswith("no logon with Kerberos: ")
    assert "credential" in finding.message.lower()


def test_a_kerberos_server_that_keeps_silent_does_not_hold_beyond_the_deadline(
    domain: DomainController, ticket: dict[str, str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    env = {**ticket, "KRB5CCNAME": f"FILE:{tmp_path}/cache"}
    subprocess.run(
        ["kinit", ADMINISTRATOR.upper()], input=f"{domain.password}\n", env=env, text=True, check=True, capture_output=True
    )
    with socket.create_server(("127.0.0.1", 0)) as silent, domain.port("ldaps") as relay:
        settings = Path(ticket["KRB5_CONFIG"]).read_text()
        elsewhere = re.sub(r"kdc = 127.0.0.1:\d+", f"kdc = 127.0.0.1:{silent.getsockname()[1]}", settings)
        (tmp_path / "krb5.conf").write_text(elsewhere)
        for name, value in {**env, "KRB5_CONFIG": str(tmp_path / "krb5.conf")}.items():
            monkeypatch.setenv(name, value)
        by_ticket = Access(kerberos=True, ca_file=str(domain.authority.file), timeout=1)
        start = time.monotonic()
        got = pastore.load(f"ldaps://localhost:{relay.port}", access=by_ticket)
    assert codes(got) == ["PA173"]
    assert time.monotonic() - start < 2.5


def test_a_wrong_password_is_refused_and_never_repeated(domain: DomainController) -> None:
    with domain.port("ldaps") as relay:
        url = f"ldaps://localhost:{relay.port}"
        (finding,) = pastore.load(url, access=access(domain, password="Wrong-Password-77")).findings
    assert (finding.code, finding.win32) == ("PA171", 1326)
    assert finding.message == f"the server refuses {ADMINISTRATOR!r}: wrong user or password"


def test_an_anonymous_user_is_told_to_log_on(domain: DomainController) -> None:
    with domain.port("ldaps") as relay:
        url = f"ldaps://localhost:{relay.port}"
        (finding,) = pastore.load(url, access=Access(ca_file=str(domain.authority.file))).findings
    assert finding.code == "PA171"
    assert "an anonymous user may not read" in finding.message


def test_the_command_takes_the_password_from_a_file_or_the_environment(
    domain: DomainController, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "password"
    file.write_text(f"{domain.password}\n")
    file.chmod(0o600)
    with domain.port("ldaps") as relay:
        who = (f"ldaps://localhost:{relay.port}", "--policy", CLIENT, "--user", ADMINISTRATOR, "--ca-file", domain.authority.file)
        by_file = run("show", *who, "--password-file", file)
        monkeypatch.setenv("PASTORE_PASSWORD", domain.password)
        by_environment = run("show", *who)
        checked = run("check", *who)
        converted = run("convert", *who, "-t", "json")
        explained = run("explain", *who, "udp 10.1.2.3:500 > 10.9.0.7:500 in")
    assert [by_file.status, by_environment.status, checked.status, converted.status, explained.status] == [0] * 5
    assert by_file.out == by_environment.out
    assert by_file.lines[0] == f"Policy {CLIENT}"
    for result in (by_file, checked, converted, explained):
        assert domain.password not in result.out + result.err


def test_a_proxy_that_cuts_the_answer_anywhere_leaves_all_or_an_error(
    domain: DomainController, policies: tuple[Policy, ...]
) -> None:
    """Wherever it ends, what comes is whole or nothing; every 64th byte is tried where a server is quicker."""
    step = 1024
    server = to_path(str(domain.folder / "private" / "ldap_priv" / "ldapi"))
    path = str(domain.folder / "cut")
    url = f"ldapi://{path.replace('/', '%2F')}"
    whole, refused = 0, 0
    with Relay(server, path=path) as relay:
        assert pastore.load(url).policies == policies
        length = relay.passed
        assert length > 10_000
        for cut in range(64, length + step, step):
            relay.cut_after = cut
            got = pastore.load(url, access=Access(timeout=10))
            if got.policies:
                assert got.policies == policies
                assert cut >= length
                whole += 1
            else:
                assert codes(got) == ["PA173"]
                refused += 1
    assert whole == 1
    assert refused > 10


def test_pieces_of_64_bytes_are_put_together(domain: DomainController, policies: tuple[Policy, ...]) -> None:
    with domain.port("ldaps", piece=64) as relay:
        assert pastore.load(f"ldaps://localhost:{relay.port}", access=access(domain)).policies == policies


def test_a_proxy_that_stops_passing_on_ends_with_the_deadline(domain: DomainController) -> None:
    with domain.port("ldaps") as relay:
        relay.piece = 0  # nothing is read any more
        start = time.monotonic()
        got = pastore.load(f"ldaps://localhost:{relay.port}", access=access(domain, timeout=1))
    assert set(codes(got)) <= {"PA172", "PA173"}
    assert time.monotonic() - start < 2.5


def test_pa172_its_certificate_is_looked_at(domain: DomainController) -> None:
    """Its authority is not known to the system, and its certificate does not hold the address."""
    told = []
    for scheme in ("ldaps", "ldap"):
        with domain.port(scheme) as relay:
            unknown = Access(user=ADMINISTRATOR, password=Secret(domain.password))
            for url, how in (
                (f"{scheme}://localhost:{relay.port}", unknown),
                (f"{scheme}://127.0.0.1:{relay.port}", access(domain)),
            ):
                (finding,) = pastore.load(url, access=how).findings
                assert finding.code == "PA172"
                told.append(finding.message)
    assert ["nobody trusted here has signed" in one for one in told] == [True, False, True, False]
    assert ["the certificate is not for 127.0.0.1" in one for one in told] == [False, True, False, True]


def test_pa172_port_389_is_not_taken_for_tls(domain: DomainController) -> None:
    with domain.port("ldap") as relay:
        (finding,) = pastore.load(f"ldaps://localhost:{relay.port}", access=access(domain)).findings
    assert finding.code == "PA172"
    assert "use ldap:// if it has StartTLS" in finding.message
