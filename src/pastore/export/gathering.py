"""What the writers share: the policies that are meant, their keys, and the objects of several policies as those of one store."""

import re
from collections.abc import Sequence
from dataclasses import replace
from typing import Final, NamedTuple

from pastore.findings import Finding
from pastore.ipsecdata.objects import StoredObject, parse_name, store
from pastore.model import AuthKind, Policy, Rule

_OWNERS: Final = "ipsecownersreference"
_UNSTORABLE: Final = re.compile("[\\0\ud800-\udfff]")  # a string ends at its NUL, and half a character has no UTF-8


class SecretsWithheldError(ValueError):
    """A format that must hold a policy's pre-shared keys was asked for without them."""


class Written(NamedTuple):
    """What was written, and what could not be."""

    data: bytes
    findings: tuple[Finding, ...]


def listed(policies: Policy | Sequence[Policy]) -> tuple[Policy, ...]:
    """Return policies as a tuple.

    Raises
    ------
    TypeError
        If something is no Policy.
    ValueError
        If there is none.
    """
    several = (policies,) if isinstance(policies, Policy) else tuple(policies)
    for policy in several:
        if not isinstance(policy, Policy):
            raise TypeError(f"expected a Policy, got {type(policy).__name__}")
    if not several:
        raise ValueError("there is no policy to write")
    return several


def rules_with_keys(policy: Policy) -> list[Rule]:
    """Return the rules that authenticate by a pre-shared key, known or not."""
    return [rule for rule in policy.rules if any(method.kind == AuthKind.PRESHARED_KEY for method in rule.auth_methods)]


def stored_objects(policies: Sequence[Policy], container: str, *, secrets: bool) -> list[StoredObject]:
    """Return the objects of some policies, each once, the owners of an object that policies share joined.

    Parameters
    ----------
    policies : sequence of Policy
    container : str
        A registry path or the DN of a directory container, as for `pastore.ipsecdata.objects.store`.
    secrets : bool
        Whether pre-shared keys may be written.

    Raises
    ------
    SecretsWithheldError
        If a policy holds a pre-shared key and they may not be written: a rule that is imported with another key, or an empty one,
        no longer protects what it did.
    ValueError
        If a policy cannot be stored, or two policies hold different objects of one name. The message names the object.
    """
    merged: dict[str, StoredObject] = {}
    for policy in policies:
        for rule in rules_with_keys(policy):
            if not secrets:
                raise SecretsWithheldError(f"rule {rule.label!r} has a pre-shared key")
            if any(method.kind == AuthKind.PRESHARED_KEY and method.key is None for method in rule.auth_methods):
                raise ValueError(f"the pre-shared key of rule {rule.label!r} is not known")
        for stored in store(policy, container=container):
            known = merged.get(stored.name)
            merged[stored.name] = stored if known is None else _joined(known, stored)
    for stored in merged.values():
        _check_texts(stored)
    return list(merged.values())


def kind_of(stored: StoredObject) -> str:
    """Return the class of an object that `store` made."""
    name = parse_name(stored.name)
    assert name is not None  # store() only makes names of that form
    return name.kind


def _joined(known: StoredObject, other: StoredObject) -> StoredObject:
    """Return an object that two policies store, with the owners it has in either."""
    owners = tuple(dict.fromkeys((*_owners(known), *_owners(other))))
    attributes, others = ({**stored.attributes, _OWNERS: owners} for stored in (known, other))
    if attributes != others:
        raise ValueError(f"{known.name} stands for two different things")
    return replace(known, attributes={key: value for key, value in attributes.items() if value != ()})


def _owners(stored: StoredObject) -> tuple[str, ...]:
    value = stored.attributes.get(_OWNERS, ())
    return value if isinstance(value, tuple) else ()


def _check_texts(stored: StoredObject) -> None:
    for name, value in stored.attributes.items():
        for text in value if isinstance(value, tuple) else (value,):
            if isinstance(text, str) and _UNSTORABLE.search(text):
                raise ValueError(f"{name} of {stored.name} holds a character that cannot be stored")
