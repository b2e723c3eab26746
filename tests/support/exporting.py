"""What the tests of exports share: whole policies to export, and files of them."""

from dataclasses import fields, is_dataclass, replace
from pathlib import Path
from typing import Any, Final

from pastore.model import AuthKind, AuthMethod, Policy, Secret, Storage
from pastore.sources import load
from tests.support import example
from tests.support import stored as s

BASE: Final = "DC=corp,DC=example"
KEY: Final = "correct horse battery staple"


def real_export(data: Path | None) -> Path | None:
    """Return a real registry export where there is one."""
    return data / "registry" / "win10-gsecurity-2022.reg" if data else None


def whole_policy(data: Path | None) -> Policy:
    """Return the policy of a real registry export, else one of its shape."""
    path = real_export(data)
    if path is None:
        return replace(s.small_policy(), assigned=True)
    policy = load(path).policy
    assert isinstance(policy, Policy)
    return policy


def policies(data: Path | None) -> list[Policy]:
    """Return the policy of the bundled example and the whole one."""
    return [example.policy(), whole_policy(data)]


def keyed(policy: Policy, key: str = KEY) -> Policy:
    """Return a policy whose rules have a pre-shared key."""
    auth = (AuthMethod(AuthKind.PRESHARED_KEY, Secret(key)), AuthMethod(AuthKind.KERBEROS))
    return replace(policy, rules=tuple(replace(rule, auth_methods=auth) for rule in policy.rules))


def in_directory(policy: Policy, base: str = BASE) -> Policy:
    """Return a policy as it is read from a directory, which holds neither the assignment nor NoDefaultExempt."""
    dn = f"CN=ipsecPolicy{{{policy.guid}}},CN=IP Security,CN=System,{base}"
    return replace(policy, storage=Storage.DIRECTORY, assigned=False, default_exempt=None, dn=dn)


def timeless(node: Any) -> Any:
    """Return a policy without the times at which it was changed, which the directory sets itself."""
    if isinstance(node, tuple):
        return tuple(map(timeless, node))
    if not is_dataclass(node):
        return node
    changes = {each.name: timeless(getattr(node, each.name)) for each in fields(node) if each.init}
    return replace(node, **(changes | ({"when_changed": None} if "when_changed" in changes else {})))  # type: ignore[type-var]
