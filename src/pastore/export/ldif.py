"""Policies as LDIF (RFC 2849) for a directory's policy store, ``CN=IP Security,CN=System,<base DN>`` ([MS-GPIPSEC] 2.2.1).

A rule and its policy refer to each other, and Active Directory refuses a reference to an object that is not there. So the objects
come first, those that are referred to before those that refer, and the references back to owners follow as modifications. All of
it is one file of changes, which ``ldapadd`` and ``ldifde -i`` take.
"""

import re
from base64 import b64encode
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Final

from pastore.directory.writing import Add, Change, Modify
from pastore.export.gathering import kind_of, listed, stored_objects
from pastore.ipsecdata.objects import AttributeValue, StoredObject
from pastore.model import Policy

_WIDTH: Final = 76  # columns of a line
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)

_ORDER: Final = ("ipsecFilter", "ipsecNegotiationPolicy", "ipsecISAKMPPolicy", "ipsecNFA", "ipsecPolicy")
_OWNERS: Final = "ipsecownersreference"
ATTRIBUTES: Final = {
    name.lower(): name
    for name in (
        "cn",
        "description",
        "ipsecName",
        "ipsecID",
        "ipsecDataType",
        "ipsecData",
        "iPSECNegotiationPolicyType",
        "iPSECNegotiationPolicyAction",
        "ipsecISAKMPReference",
        "ipsecNFAReference",
        "ipsecNegotiationPolicyReference",
        "ipsecFilterReference",
        "whenChanged",
    )
}

_SAFE: Final = re.compile(r"(?![ :<])[\x20-\x7e]*(?<! )")
_RDN: Final = r"(?:[A-Za-z][A-Za-z0-9-]*|[0-9]+(?:\.[0-9]+)+)[ ]*=(?:[^\\,\x00-\x1f]|\\[^\x00-\x1f])+"
_DN: Final = re.compile(rf"[ ]*{_RDN}(?:,[ ]*{_RDN})*")
_POLICY_DN: Final = re.compile(
    r"\s*cn\s*=\s*ipsecPolicy\{[^{},]*\}\s*,\s*cn\s*=\s*ip security\s*,\s*cn\s*=\s*system\s*,", re.IGNORECASE
)


def write(policies: Policy | Sequence[Policy], *, base_dn: str | None = None, secrets: bool = False, times: bool = True) -> bytes:
    """Return LDIF that adds some policies to a directory.

    Parameters
    ----------
    policies : Policy or sequence of Policy
    base_dn : str, optional
        DN of the domain, like ``DC=corp,DC=example``. That of the policies' own DN when left out.
    secrets : bool
        Whether pre-shared keys may be written.
    times : bool
        Whether ``whenChanged`` is written. Active Directory sets it itself and refuses an object that brings it.

    Returns
    -------
    bytes
        What a directory object does not hold is not there: the assignment, which belongs to a Group Policy object, and
        NoDefaultExempt.

    Raises
    ------
    pastore.export.SecretsWithheldError
        If a policy holds a pre-shared key and `secrets` is False.
    ValueError
        If there is no base DN or it is no DN, or a policy cannot be stored. The message says which.
    """
    several = listed(policies)
    container = f"CN=IP Security,CN=System,{_base(several, base_dn)}"
    objects = stored_objects(several, container, secrets=secrets)
    objects.sort(key=lambda stored: (_ORDER.index(kind_of(stored)), stored.name))
    records = [_added(stored, container, times) for stored in objects]
    records += [_owned(stored, container) for stored in objects if stored.attributes.get(_OWNERS)]
    return "\n".join(["version: 1\n", *records]).encode("ascii")


def changes(several: Iterable[Change]) -> bytes:
    """Return changes of a directory as LDIF, in their order."""
    records = []
    for change in several:
        lines = [*_line("dn", change.dn), f"changetype: {change.verb}"]
        if isinstance(change, Add):
            for name, values in change.attributes.items():
                for value in values:
                    lines += _value(name, value)
        elif isinstance(change, Modify):
            for step in change.steps:
                lines.append(f"{step.operation.name.lower()}: {step.attribute}")
                for value in step.values:
                    lines += _value(step.attribute, value)
                lines.append("-")
        records.append("\n".join(lines) + "\n")
    return "\n".join(["version: 1\n", *records]).encode("ascii")


def _value(name: str, value: bytes) -> Iterator[str]:
    """Yield the line of a value, as text where it can be."""
    if name != "ipsecData":
        with suppress(UnicodeDecodeError):
            return _line(name, value.decode())
    return _line(name, value)


def _base(policies: Sequence[Policy], given: str | None) -> str:
    if given is None:
        matches = [(policy.dn, _POLICY_DN.match(policy.dn)) for policy in policies if policy.dn]
        bases = {dn[match.end() :].strip() for dn, match in matches if match is not None}
        if len(bases) != 1:
            raise ValueError("the domain is not known; give its DN as the base DN, like DC=corp,DC=example")
        (given,) = bases
    if _DN.fullmatch(given) is None:
        raise ValueError(f"the base DN {given[:200]!r} is not a distinguished name like DC=corp,DC=example")
    return given.strip()


def _added(stored: StoredObject, container: str, times: bool) -> str:
    lines = [*_line("dn", f"CN={stored.name},{container}"), "changetype: add"]
    lines += [f"objectClass: {name}" for name in ("top", "ipsecBase", kind_of(stored))]
    for lower, name in ATTRIBUTES.items():
        value = stored.attributes.get(lower)
        if value is None or (lower == "whenchanged" and not times):
            continue
        for one in value if isinstance(value, tuple) else (value,):
            lines += _line(name, generalized_time(one) if lower == "whenchanged" and isinstance(one, int) else one)
    return "\n".join(lines) + "\n"


def _owned(stored: StoredObject, container: str) -> str:
    owners = stored.attributes[_OWNERS]
    assert isinstance(owners, tuple)
    lines = [*_line("dn", f"CN={stored.name},{container}"), "changetype: modify", "add: ipsecOwnersReference"]
    for owner in owners:
        lines += _line("ipsecOwnersReference", owner)
    return "\n".join([*lines, "-"]) + "\n"


def generalized_time(seconds: int) -> str:
    """Return a time as a directory writes it.

    Raises
    ------
    ValueError
        If it is not in the years 1 to 9999.
    """
    try:
        when = _EPOCH + timedelta(seconds=seconds)
    except OverflowError:
        raise ValueError(f"{seconds} seconds since 1970 is a time that cannot be written") from None
    return f"{when.year:04d}{when:%m%d%H%M%S}.0Z"  # %Y does not pad years on every platform


def _line(name: str, value: AttributeValue) -> Iterator[str]:
    """Yield a line, folded, its value in base64 where RFC 2849 asks for it and for every control character."""
    if isinstance(value, bytes):
        line = f"{name}:: {b64encode(value).decode('ascii')}"
    elif _SAFE.fullmatch(str(value)):
        line = f"{name}: {value}"
    else:
        line = f"{name}:: {b64encode(str(value).encode()).decode('ascii')}"
    yield line[:_WIDTH]
    for at in range(_WIDTH, len(line), _WIDTH - 1):
        yield " " + line[at : at + _WIDTH - 1]
