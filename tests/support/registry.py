"""Policies as registry exports on disk."""

from collections.abc import Callable, Mapping
from pathlib import Path

from pastore.model import Policy
from tests.support.example import HKLM, LOCAL, registry
from tests.support.reg_text import RegValue, reg_text

Keys = dict[str, Mapping[str, RegValue]]


def export(folder: Path, *policies: Policy, assigned: int | None = 0, name: str = "policy.reg", style: str = "v5") -> Path:
    """Write policies to a .reg file; `assigned` is the position of the assigned one."""
    return write(folder, registry(*policies, assigned=None if assigned is None else policies[assigned]), name, style)


def write(folder: Path, keys: Mapping[str, Mapping[str, RegValue]], name: str = "policy.reg", style: str = "v5") -> Path:
    """Write keys to a .reg file."""
    path = folder / name
    path.write_bytes(reg_text(keys, style))
    return path


def dn(policy: Policy) -> str:
    """Return the distinguished name of a policy in the directory of an invented domain."""
    return f"CN=ipsecPolicy{{{policy.guid}}},CN=IP Security,CN=System,DC=corp,DC=example"


def cached(policy: Policy) -> Keys:
    """Return the keys of a computer whose domain assigns a policy, with the copy in the cache."""
    cache = LOCAL.removesuffix("Local") + "Cache"

    def moved(value: RegValue) -> RegValue:
        if isinstance(value, tuple) and not isinstance(value, str) and all(isinstance(one, str) for one in value):
            return tuple(str(one).replace(LOCAL, cache) for one in value)
        return value.replace(LOCAL, cache) if isinstance(value, str) else value

    keys: Keys = {
        path.replace(LOCAL, cache): {name: moved(value) for name, value in values.items()}
        for path, values in registry(policy).items()
    }
    gpt = f"{HKLM}\\{LOCAL.removesuffix('Policy' + chr(92) + 'Local')}GPTIPSECPolicy"
    return {gpt: {"DSIPSECPolicyPath": f"LDAP://{dn(policy)}", "DSIPSECPolicyName": policy.name}} | keys


def changed(keys: Mapping[str, Mapping[str, RegValue]], kind: str, change: Callable[[Mapping[str, RegValue]], object]) -> Keys:
    """Return the keys with the first object of a class changed; None from `change` takes it out."""
    path = next(path for path in keys if f"\\{kind}{{" in path)
    new = change(keys[path])
    rest = {other: values for other, values in keys.items() if other != path}
    return {other: (new if other == path else values) for other, values in keys.items()} if isinstance(new, dict) else rest
