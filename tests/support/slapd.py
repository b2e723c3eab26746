"""A directory server of its own for a test: slapd on a socket in a folder that goes away with it."""

import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote

SLAPD = shutil.which("slapd", path="/usr/sbin:/usr/local/sbin:/usr/bin") or shutil.which("slapd")
CLIENTS = shutil.which("ldapadd") and shutil.which("ldapsearch")
SUFFIX = "DC=lab,DC=test"

_STRING = "EQUALITY caseIgnoreMatch SUBSTR caseIgnoreSubstringsMatch SYNTAX 1.3.6.1.4.1.1466.115.121.1.15 SINGLE-VALUE"
_INTEGER = "EQUALITY integerMatch SYNTAX 1.3.6.1.4.1.1466.115.121.1.27 SINGLE-VALUE"
_OCTETS = "EQUALITY octetStringMatch SYNTAX 1.3.6.1.4.1.1466.115.121.1.40 SINGLE-VALUE"
_DN = "EQUALITY distinguishedNameMatch SYNTAX 1.3.6.1.4.1.1466.115.121.1.12"
_TIME = "EQUALITY generalizedTimeMatch SYNTAX 1.3.6.1.4.1.1466.115.121.1.24 SINGLE-VALUE"

# [MS-ADA1] 2.320 to 2.331, [MS-ADA3] whenChanged: number below 1.2.840.113556.1, name, syntax
_ATTRIBUTES = (
    ("4.620", "ipsecName", _STRING),
    ("4.621", "ipsecID", _STRING),
    ("4.622", "ipsecDataType", _INTEGER),
    ("4.623", "ipsecData", _OCTETS),
    ("4.624", "ipsecOwnersReference", _DN),
    ("4.626", "ipsecISAKMPReference", f"{_DN} SINGLE-VALUE"),
    ("4.627", "ipsecNFAReference", _DN),
    ("4.628", "ipsecNegotiationPolicyReference", f"{_DN} SINGLE-VALUE"),
    ("4.629", "ipsecFilterReference", _DN),
    ("4.887", "iPSECNegotiationPolicyType", _STRING),
    ("4.888", "iPSECNegotiationPolicyAction", _STRING),
    ("2.3", "whenChanged", _TIME),
)
# [MS-ADSC] 2.70 to 2.75
_BASE = "cn $ description $ ipsecName $ ipsecID $ ipsecDataType $ ipsecData $ ipsecOwnersReference $ whenChanged"
_CLASSES = (
    ("3.23", "container", "SUP top STRUCTURAL MUST cn"),
    ("5.7000.56", "ipsecBase", f"SUP top ABSTRACT MAY ( {_BASE} )"),
    ("5.98", "ipsecPolicy", "SUP ipsecBase STRUCTURAL MAY ( ipsecNFAReference $ ipsecISAKMPReference )"),
    ("5.118", "ipsecFilter", "SUP ipsecBase STRUCTURAL"),
    (
        "5.119",
        "ipsecNegotiationPolicy",
        "SUP ipsecBase STRUCTURAL MAY ( iPSECNegotiationPolicyType $ iPSECNegotiationPolicyAction )",
    ),
    ("5.120", "ipsecISAKMPPolicy", "SUP ipsecBase STRUCTURAL"),
    ("5.121", "ipsecNFA", "SUP ipsecBase STRUCTURAL MAY ( ipsecNegotiationPolicyReference $ ipsecFilterReference )"),
)
_SCHEMA = [f"attributetype ( 1.2.840.113556.1.{oid} NAME '{name}' {rest} )" for oid, name, rest in _ATTRIBUTES] + [
    f"objectclass ( 1.2.840.113556.1.{oid} NAME '{name}' {rest} )" for oid, name, rest in _CLASSES
]

_TREE = f"""dn: {SUFFIX}
objectClass: organization
objectClass: dcObject
o: lab
dc: lab

dn: CN=System,{SUFFIX}
objectClass: container
cn: System

dn: CN=IP Security,CN=System,{SUFFIX}
objectClass: container
cn: IP Security
"""


class Directory:
    """A running server.

    Parameters
    ----------
    url : str
    """

    def __init__(self, url: str) -> None:
        self.url = url

    def answers(self) -> bool:
        """Whether the server can be asked."""
        return self._client("ldapsearch", b"", "-s", "base", "-b", "").returncode == 0

    def add(self, ldif: bytes) -> str:
        """Give LDIF to ldapadd; what it says on stderr, empty when the server took everything."""
        done = self._client("ldapadd", ldif)
        return "" if done.returncode == 0 else done.stderr.decode()

    def search(self, *options: str) -> bytes:
        """Return what ldapsearch prints of the policy store."""
        done = self._client("ldapsearch", b"", *options, "-b", f"CN=System,{SUFFIX}")
        assert done.returncode == 0, done.stderr
        return done.stdout

    def _client(self, program: str, stdin: bytes, *options: str) -> subprocess.CompletedProcess[bytes]:
        command = [program, "-x", "-H", self.url, "-D", f"CN=admin,{SUFFIX}", "-w", "lab", *options]
        return subprocess.run(command, input=stdin, capture_output=True, check=False, timeout=60)


@contextmanager
def directory(*, settings: str = "", content: bytes = b"", schema: bool = True) -> Iterator[Directory]:
    """Run a server with the classes of Active Directory's policy store, and a store that is empty or holds some LDIF.

    `settings` are further lines of the configuration of its database. Without `schema` it knows containers and no policies.
    """
    assert SLAPD
    # The path of a socket is short, so the folder is not below pytest's.
    folder = Path(tempfile.mkdtemp(prefix="slapd-"))
    server: subprocess.Popen[bytes] | None = None
    try:
        (folder / "db").mkdir()
        known = _SCHEMA if schema else [line for line in _SCHEMA if "NAME 'container'" in line]
        (folder / "policy.schema").write_text("\n".join(known) + "\n")
        (folder / "slapd.conf").write_text(
            "modulepath /usr/lib/ldap\nmoduleload back_mdb\ninclude /etc/ldap/schema/core.schema\n"
            f"include {folder}/policy.schema\npidfile {folder}/pid\ndatabase mdb\nsuffix {SUFFIX}\n"
            f"rootdn CN=admin,{SUFFIX}\nrootpw lab\ndirectory {folder}/db\nmaxsize 268435456\n{settings}\n"
        )
        if content:
            (folder / "content").write_bytes(_TREE.encode() + b"\n" + content)
            command = [SLAPD, "-T", "add", "-q", "-f", str(folder / "slapd.conf"), "-l", str(folder / "content")]
            subprocess.run(command, check=True, capture_output=True, timeout=120)
        url = f"ldapi://{quote(str(folder / 'socket'), safe='')}"
        with (folder / "log").open("wb") as log:
            command = [SLAPD, "-d", "0", "-f", str(folder / "slapd.conf"), "-h", url]
            server = subprocess.Popen(command, stdout=log, stderr=log)
        made = Directory(url)
        until = time.monotonic() + 20
        while not made.answers():  # the socket is there before it is listened to
            assert server.poll() is None, (folder / "log").read_text()
            assert time.monotonic() < until
            time.sleep(0.02)
        if not content:
            assert made.add(_TREE.encode()) == ""
        yield made
    finally:
        if server is not None:
            server.terminate()
            server.wait(20)
        shutil.rmtree(folder)
