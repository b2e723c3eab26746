"""A domain controller of our own for tests: Samba in a network and a process namespace, on a folder that goes when it goes.

It is reached by paths: its own socket, and one for each of its ports, which a `Relay` inside passes on.
"""

import base64
import os
import secrets
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Final, Self
from urllib.parse import quote

from tests.support.certificates import Authority
from tests.support.relay import Relay, to_path

BASE: Final = "DC=ad,DC=test"
ADMINISTRATOR: Final = "administrator@ad.test"
PORTS: Final = {"ldap": 389, "ldaps": 636, "kerberos": 88}
PYTHON: Final = "/usr/bin/python3"  # the one that Debian's Samba belongs to

NEEDS: Final = {
    "samba": "samba",
    "ldapsearch": "ldap-utils",
    "setpriv": "util-linux",
    "unshare": "util-linux",
}
FILES: Final = {
    "/usr/share/samba/setup/provision.ldif": "samba-ad-provision",
    "/usr/lib/*/samba/ldb/acl.so": "samba-dsdb-modules",
    "/usr/lib/python3/dist-packages/samba/provision": "samba",
}

# Brings the loopback device up, there being no other program sure to be there, and becomes the server.
_START: Final = """
import fcntl, os, socket, struct, sys
with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
    fcntl.ioctl(any_socket, 0x8914, struct.pack("16sh22x", b"lo", 1))
at = sys.argv.index("--")
os.spawnvp(os.P_NOWAIT, sys.executable, [sys.executable, *sys.argv[1:at]])
os.execvp(sys.argv[at + 1], sys.argv[at + 1:])
"""
_PATH: Final = f"{os.environ.get('PATH', os.defpath)}:/usr/sbin:/sbin"


class Elsewhere(Exception):  # not an error: the platform can never run it
    """This platform has no domain controllers."""


def namespaces() -> list[str]:
    """Return how to start a program in network, process and mount namespaces of its own, which all end with it.

    Raises
    ------
    Elsewhere
        If that is not permitted.
    """
    # However this process ends, unshare ends with it, and with unshare the first process of the namespace, and so all of them.
    leash = ["setpriv", "--pdeathsig", "KILL", "--"]
    said = ""
    for user in ([], ["--map-root-user"]):
        command = [*leash, "unshare", *user, "--net", "--pid", "--fork", "--kill-child=KILL", "--mount-proc", "--"]
        done = subprocess.run([*command, "true"], capture_output=True, text=True, check=False, env={"PATH": _PATH})
        if done.returncode == 0:
            return command
        said = said or done.stderr.strip()
    raise Elsewhere(f"no namespaces here: {said}")


def missing_packages() -> list[str]:
    """Return which Debian packages a domain controller lacks here."""
    lacking = [package for program, package in NEEDS.items() if shutil.which(program, path=_PATH) is None]
    lacking += [package for file, package in FILES.items() if not list(Path("/").glob(file.lstrip("/")))]
    return sorted(set(lacking))


class DomainController:
    """A new domain ``ad.test`` with its controller; a context manager.

    Raises
    ------
    RuntimeError
        If it does not start; the message has the end of what it said.
    """

    def __init__(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="pastore-ad-"))  # short: the path of a socket has at most 107 bytes
        self.server: subprocess.Popen[bytes] | None = None
        self.password = f"Aa1-{secrets.token_hex(16)}"  # the administrator's; Samba wants several kinds of characters
        self.authority = Authority(self.folder)

    def __enter__(self) -> Self:
        try:
            self._start()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.stop()

    def _start(self) -> None:
        inside = namespaces()
        program = str(Path(__file__).with_name("make_domain.py"))
        env = {"PATH": _PATH, "LC_ALL": "C.UTF-8"}
        made = subprocess.run(
            [*inside, PYTHON, program, str(self.folder), self.password],
            capture_output=True,
            text=True,
            check=False,
            env=env,
            timeout=120,
        )
        if made.returncode:
            raise RuntimeError(f"no domain could be made: {made.stderr[-2000:]}")
        run = self.folder / "run"
        run.mkdir()
        certificate, key = self.authority.certificate("localhost", "dc1.ad.test")
        options = {
            "server services": "ldap kdc",
            "dcerpc endpoint servers": "",
            "interfaces": "lo",
            "bind interfaces only": "yes",
            "ldap server require strong auth": "allow_sasl_over_tls",
            "tls enabled": "yes",
            "tls certfile": certificate,
            "tls keyfile": key,
            "tls cafile": self.authority.file,
            "pid directory": run,
            "cache directory": run,
            "ncalrpc dir": run / "ncalrpc",
            "winbindd socket directory": run / "winbindd",
            "ntp signd socket directory": run / "ntp_signd",
            "log file": run / "log",
        }
        samba = ["samba", "--foreground", "--no-process-group", "--model=single", f"--configfile={self.folder}/etc/smb.conf"]
        samba += [f"--option={name}={value}" for name, value in options.items()]
        relay = [str(Path(__file__).with_name("relay.py"))]
        relay += [f"{self.folder}/{name}={port}" for name, port in PORTS.items()]
        with open(run / "said", "wb") as said:
            self.server = subprocess.Popen(
                [*inside, PYTHON, "-c", _START, *relay, "--", *samba], stdin=subprocess.DEVNULL, stdout=said, stderr=said, env=env
            )
        deadline = time.monotonic() + 60
        while not self._answers():
            if self.server.poll() is not None or time.monotonic() > deadline:
                logs = "".join(path.read_text(errors="replace")[-2000:] for path in (run / "said", run / "log") if path.exists())
                raise RuntimeError(f"the domain controller does not start: {logs}")
            time.sleep(0.05)

    def stop(self) -> None:
        """End the server with everything it started, and take its folder away."""
        if self.server is not None:
            self.server.kill()
            self.server.wait(30)
            self.server = None
        shutil.rmtree(self.folder, ignore_errors=True)

    @property
    def url(self) -> str:
        """URL of the socket whose users are the system itself."""
        return "ldapi://" + quote(str(self.folder / "private" / "ldap_priv" / "ldapi"), safe="")

    @contextmanager
    def port(self, name: str, *, cut_after: int | None = None, piece: int = 65536) -> Iterator[Relay]:
        """Have one of the ports on a port of this network's loopback device, as a relay that may cut what the server says."""
        with Relay(to_path(f"{self.folder}/{name}"), cut_after=cut_after, piece=piece) as relay:
            yield relay

    def modify(self, ldif: str) -> None:
        """Carry out changes as the administrator, or fail."""
        said = self.change(ldif.encode())
        if said:
            raise RuntimeError(f"ldapadd: {said}")

    def _search(self, *arguments: str) -> "subprocess.CompletedProcess[str]":
        command = ["ldapsearch", "-x", "-LLL", "-o", "ldif-wrap=no", "-H", self.url, *arguments]
        return subprocess.run(command, capture_output=True, text=True, check=False, env={"PATH": _PATH}, timeout=60)

    def _answers(self) -> bool:
        return self._search("-s", "base", "-b", "", "defaultNamingContext").returncode == 0

    def search(self, base: str, query: str, *attributes: str) -> str:
        """Return what ``ldapsearch`` finds below a DN, as LDIF without folded lines."""
        done = self._search("-b", base, query, *attributes)
        if done.returncode:
            raise RuntimeError(f"ldapsearch: {done.stderr.strip()}")
        return done.stdout

    def change(self, ldif: bytes) -> str:
        """Give LDIF to ``ldapadd`` as the administrator; what it says on stderr, empty when the directory took everything."""
        return self._give("ldapadd", ldif)

    def delete(self, *dns: str) -> None:
        """Delete objects."""
        said = self._give("ldapdelete", "".join(f"{dn}\n" for dn in dns).encode())
        if said:
            raise RuntimeError(f"ldapdelete: {said}")

    def _give(self, program: str, stdin: bytes) -> str:
        command = [program, "-x", "-H", self.url, "-D", f"CN=Administrator,CN=Users,{BASE}", "-y", str(self._password_file())]
        done = subprocess.run(command, input=stdin, capture_output=True, check=False, env={"PATH": _PATH}, timeout=60)
        return done.stderr.decode() if done.returncode else ""

    def _password_file(self) -> Path:
        path = self.folder / "password"
        if not path.exists():
            path.write_text(self.password)
        return path


Entry = tuple[str, dict[str, list[bytes]]]


def read_ldif(text: str) -> list[Entry]:
    """Return the entries of an LDIF without folded lines: the DN, and the values of each attribute by its lower-cased name."""
    entries: list[Entry] = []
    for block in text.strip().split("\n\n"):
        values: dict[str, list[bytes]] = {}
        for line in block.splitlines():
            if line and not line.startswith("#"):
                name, _, rest = line.partition(":")
                value = base64.b64decode(rest[1:]) if rest.startswith(":") else rest.lstrip(" ").encode()
                values.setdefault(name.lower(), []).append(value)
        if "dn" in values:
            entries.append((values["dn"][0].decode(), values))
    return entries
