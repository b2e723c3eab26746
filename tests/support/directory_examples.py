"""Inputs for the examples on the pages of findings about directories: a domain, how it is asked, and a server that plays it."""

import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Final
from unittest.mock import patch

from pastore.export import ldif
from pastore.model import Policy
from tests.support.certificates import Authority
from tests.support.hostile_ldap import (
    ADD,
    ADDED,
    DONE,
    SEARCH,
    Conversation,
    Directory,
    Request,
    Script,
    Server,
    Values,
    domain_entries,
    entries_of_ldif,
    entry_message,
    message,
    result,
)
from tests.support.policies import flt, guid, policy, rule

Arguments = tuple[str, ...]

BASE: Final = "DC=corp,DC=example"
CONTAINER: Final = f"CN=IP Security,CN=System,{BASE}"
COMPUTER: Final = f"CN=FILES1,OU=Servers,{BASE}"
HOST: Final = "dc1.corp.example"
URL: Final = f"ldaps://{HOST}"
ASKED: Final = ("check", URL, "--ca-file", "corp-ca.pem")
AGENT: Final = ("agent", URL, "--once", "--state-dir", "state", "--computer", "FILES1", "--ca-file", "corp-ca.pem")
OF_FILES1: Final = (*ASKED, "--computer", "FILES1")
GPO: Final = f"CN={{{guid('gpo')}}},CN=Policies,CN=System,{BASE}"
SID: Final = bytes.fromhex("010500000000000515000000aaaaaaaabbbbbbbbcccccccc51040000")
USERS_MAY_APPLY: Final = bytes.fromhex(
    "010004800000000000000000000000001400000004003000010000000500280000010000010000008ffdacedb3ffd111b41d00a0c968f939"
    "01010000000000050b000000"
)


def made() -> Policy:
    """Return the policy of the examples."""
    rest = (flt("any > me", name="all"), flt("any > me", name="all of IPv6", families=(6,)))
    return policy(rule("Intranet", "allow", "tcp 10.0.0.0/8 > me:443"), rule("Rest", "block", *rest), name="Server Isolation")


def entries(link: str = "0", **gpo: list[bytes | str]) -> dict[str, dict[str, list[bytes | str]]]:
    """Return a domain with a policy, assigned by a Group Policy object that is linked to the unit of a computer."""
    owner = f"CN=ipsecPolicy{{{made().guid}}},{CONTAINER}"
    found = {**domain_entries(BASE), **entries_of_ldif(ldif.write(made(), base_dn=BASE))}
    found[f"OU=Servers,{BASE}"] = {"objectClass": ["organizationalUnit"], "gPLink": [f"[LDAP://{GPO};{link}]"]}
    found[COMPUTER] = {"objectClass": ["computer"], "sAMAccountName": ["FILES1$"], "objectSid": [SID], "tokenGroups": [SID]}
    found[GPO] = {
        "objectClass": ["groupPolicyContainer"],
        "displayName": ["Servers"],
        "flags": ["0"],
        "versionNumber": ["1"],
        "gPCMachineExtensionNames": ["[{E437BC1C-AA7D-11D2-A382-00C04F991E27}{DEA8AFA0-CC85-11D0-9CE2-0080C7221EBD}]"],
        "nTSecurityDescriptor": [USERS_MAY_APPLY],
        **gpo,
    }
    pointer = f"CN=IPSEC,CN=Windows,CN=Microsoft,CN=Machine,{GPO}"
    found[pointer] = {"objectClass": ["ipsecPolicy"], "cn": ["IPSEC"], "ipsecOwnersReference": [owner]}
    sites = f"CN=Sites,CN=Configuration,{BASE}"
    found[sites] = {"objectClass": ["sitesContainer"]}
    return found


def with_site() -> dict[str, dict[str, list[bytes | str]]]:
    """Return the domain with a site that has a link to the Group Policy object too."""
    found = entries()
    found[f"CN=HQ,CN=Sites,CN=Configuration,{BASE}"] = {"objectClass": ["site"], "gPLink": [f"[LDAP://{GPO};2]"]}
    return found


@contextmanager
def domain(directory: Directory, *, host: str = HOST, self_signed: bool = False, reachable: bool = True) -> Iterator[None]:
    """Have the name of the domain controller lead to a server of ours; its authority's certificate is in ``corp-ca.pem``."""
    with tempfile.TemporaryDirectory() as folder, Server(directory.serve) as server:
        authority = Authority(Path(folder))
        directory.tls = authority.server(host, self_signed=self_signed)
        Path("corp-ca.pem").write_bytes(authority.file.read_bytes())
        port = server.port if reachable else 1
        address = (2, 1, 6, "", ("127.0.0.1", port))
        with patch("pastore.directory.dial.socket.getaddrinfo", lambda *_args, **_more: [address]):
            yield


def played(
    found: Callable[[], dict[str, dict[str, list[bytes | str]]]] = entries,
    *,
    script: Script | None = None,
    users: Mapping[str, str] | None = None,
    **how: bool,
) -> Callable[[], AbstractContextManager[object]]:
    """Return a world with a domain controller in it."""
    return lambda: domain(Directory(found(), from_start=True, users=dict(users or {}), script=script), **how)  # type: ignore[arg-type]


def limited(conversation: Conversation, request: Request) -> bool:
    """Give a part of the store and say so."""
    if request.tag != SEARCH or request.base != CONTAINER:
        return False
    conversation.send(message(request.number, result(DONE, 4)))
    return True


def read_only(conversation: Conversation, request: Request) -> bool:
    """Take no entries from this user."""
    if request.tag == ADD:
        conversation.send(message(request.number, result(ADDED, 50)))
    return request.tag == ADD


def longer() -> Policy:
    """Return a policy of its own that shares a filter list with that of the examples, and has one filter more in it."""
    one = made().rules[0]
    (listed,) = one.filter_lists
    shared = replace(listed, filters=(*listed.filters, flt("udp any > me:53", name="more")))
    return replace(
        made(), guid=guid("other"), name="Files", rules=(replace(one, guid=guid("other rule"), filter_lists=(shared,)),)
    )


def strange(conversation: Conversation, request: Request) -> bool:
    """Add an entry of another place to the store."""
    values: Values = {"objectClass": ["ipsecPolicy"]}
    if request.tag == SEARCH and request.base == CONTAINER:
        conversation.send(entry_message(request.number, "CN=ipsecPolicy{0},CN=Elsewhere,DC=other,DC=example", values))
    return False


EXAMPLES: Final[Mapping[str, tuple[Arguments, Callable[[], AbstractContextManager[object]]]]] = {
    "PA170": (("check", URL), played(reachable=False)),
    "PA171": (ASKED, played(users={"someone": "else"})),
    "PA172": (("check", URL), played(self_signed=True)),
    "PA173": (ASKED, played(script=limited)),
    "PA174": (ASKED, played(script=strange)),
    "PA175": ((*ASKED, "--computer", "FILES2"), played()),
    "PA176": (OF_FILES1, played(lambda: entries(flags=["2"]))),
    "PA195": (AGENT, played(reachable=False)),
    "PA406": (OF_FILES1, played(lambda: entries(nTSecurityDescriptor=[]))),
    "PA407": (OF_FILES1, played(lambda: entries(gPCWQLFilter=["[corp.example;{0};0]"]))),
    "PA408": (OF_FILES1, played(with_site)),
    "PA505": (("check", URL, "--insecure"), played()),
}
"""By code: the arguments of pastore, and the world to run it in."""

PUBLISH: Final = ("publish", "new.ldif", "--to", URL, "--ca-file", "corp-ca.pem")
PUBLISHED: Final[Mapping[str, tuple[Callable[[], Policy], Arguments, Callable[[], AbstractContextManager[object]]]]] = {
    "PA177": (made, PUBLISH, played(lambda: domain_entries(BASE), script=read_only)),
    "PA178": (lambda: replace(made(), guid=guid("copy"), name="Copy"), PUBLISH, played()),
    "PA179": (longer, (*PUBLISH, "--dry-run"), played()),
}
"""By code: the policy in ``new.ldif``, the arguments of pastore, and the world to run it in."""
