"""Inputs for the examples on the pages of findings about LDIF and JSON: files by name, and the arguments of pastore."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Final

from pastore.export import ldif, policy_json
from pastore.model import AuthKind, AuthMethod, Policy, Secret
from tests.support.policies import KERBEROS, flt, guid, policy, rule

Files = dict[str, bytes]
Arguments = tuple[str, ...]

BASE: Final = "DC=corp,DC=example"
KEY: Final = AuthMethod(AuthKind.PRESHARED_KEY, Secret("moonlight-over-halden"))


def made(name: str = "Server Isolation") -> Policy:
    """Return the policy of the examples."""
    rest = (flt("any > me", name="all"), flt("any > me", name="all of IPv6", families=(6,)))
    return policy(rule("Intranet", "allow", "tcp 10.0.0.0/8 > me:443"), rule("Rest", "block", *rest), name=name)


def json_with(old: bytes, new: bytes) -> tuple[Files, Arguments]:
    """Return the policy as JSON with one text replaced."""
    text = policy_json.write(made())
    assert old in text
    return {"corp.json": text.replace(old, new, 1)}, ("check", "corp.json")


def folded() -> tuple[Files, Arguments]:
    """Return LDIF of which a folded line lost the blank at its start."""
    text = ldif.write(made(), base_dn=BASE)
    at = text.index(b"\n ", text.index(b"ipsecData:")) + 1
    return {"corp.ldif": text[:at] + text[at + 1 :]}, ("check", "corp.ldif")


def disagreeing() -> tuple[Files, Arguments]:
    """Return LDIF with two policies, each assigned by another Group Policy object."""
    both = (made(), replace(made("Branch offices"), rules=()))
    text = ldif.write(both, base_dn=BASE)
    for number, one in enumerate(both):
        gpo = f"CN=IPSEC,CN=Windows,CN=Microsoft,CN=Machine,CN={{{guid(str(number))}}},CN=Policies,CN=System,{BASE}"
        owner = f"CN=ipsecPolicy{{{one.guid}}},CN=IP Security,CN=System,{BASE}"
        text += f"\ndn: {gpo}\nchangetype: add\nobjectClass: ipsecPolicy\nipsecOwnersReference: {owner}\n".encode()
    return {"corp.ldif": text}, ("check", "corp.ldif")


def keyless() -> tuple[Files, Arguments]:
    """Return JSON of a policy with a key, written without it."""
    rules = tuple(replace(one, auth_methods=(KEY, *KERBEROS)) for one in made().rules[:1])
    return {"corp.json": policy_json.write(replace(made(), rules=rules))}, ("check", "corp.json")


EXAMPLES: Final[Mapping[str, Callable[[], tuple[Files, Arguments]]]] = {
    "PA180": folded,
    "PA190": lambda: json_with(b'"name": "Server Isolation",', b'"name": "Server Isolation"'),
    "PA191": lambda: json_with(b'"kind": "me"', b'"kind": "my"'),
    "PA192": keyless,
    "PA405": disagreeing,
}
