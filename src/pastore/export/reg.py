"""Policies as a registry export (.reg), as regedit writes it: version 5.00, UTF-16LE with byte order mark, CRLF.

What Windows 10 keeps in its local store, in the order in which it keeps it: keys in the registry's own order, the values of an
object as the snap-in made them, references with the path spelled IPSEC. Importing the file puts the policies into the local
store of a computer and, when one of them is assigned, assigns it there.
"""

import re
from collections.abc import Sequence
from typing import Final

from pastore.export.gathering import listed, stored_objects
from pastore.ipsecdata.objects import AttributeValue
from pastore.model import Policy

_HEADER: Final = "Windows Registry Editor Version 5.00"
_IPSEC: Final = "HKEY_LOCAL_MACHINE\\SOFTWARE\\Policies\\Microsoft\\Windows\\IPSec"
_LOCAL: Final = f"{_IPSEC}\\Policy\\Local"
# Keys say IPSec and references IPSEC; the registry does not mind.
_REFERENCES: Final = "SOFTWARE\\Policies\\Microsoft\\Windows\\IPSEC\\Policy\\Local"
_AGENT: Final = "HKEY_LOCAL_MACHINE\\SYSTEM\\CurrentControlSet\\Services\\PolicyAgent"

_LINE: Final = 77  # characters after which regedit starts a new line of hex bytes, the backslash not counted

_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f]")

_VALUES: Final = {
    name.lower(): name
    for name in (
        "className",
        "name",
        "ipsecName",
        "description",
        "distinguishedName",
        "ipsecID",
        "ipsecNegotiationPolicyAction",
        "ipsecNegotiationPolicyType",
        "ipsecDataType",
        "ipsecData",
        "ipsecISAKMPReference",
        "ipsecNegotiationPolicyReference",
        "ipsecFilterReference",
        "whenChanged",
        "ipsecNFAReference",
        "ipsecOwnersReference",
    )
}


def write(policies: Policy | Sequence[Policy], *, secrets: bool = False) -> bytes:
    """Return a registry export of the local store that holds some policies.

    Parameters
    ----------
    policies : Policy or sequence of Policy
        Wherever they were read, they are written as policies of the local store.
    secrets : bool
        Whether pre-shared keys may be written.

    Raises
    ------
    pastore.export.SecretsWithheldError
        If a policy holds a pre-shared key and `secrets` is False.
    ValueError
        If a policy cannot be stored, several are assigned, or they have different NoDefaultExempt. The message says which.
    """
    several = listed(policies)
    assigned = [policy for policy in several if policy.assigned]
    if len(assigned) > 1:
        raise ValueError(f"{len(assigned)} policies are assigned; a computer has one")
    exempt = {policy.default_exempt for policy in several if policy.default_exempt is not None}
    if len(exempt) > 1:
        raise ValueError("the policies come with different values of NoDefaultExempt; a computer has one")
    lines = [_HEADER, "", f"[{_IPSEC}]", "", f"[{_IPSEC}\\Policy]", "", f"[{_LOCAL}]", '@=""']
    for policy in assigned:
        lines.append(_value("ActivePolicy", f"{_REFERENCES}\\ipsecPolicy{{{policy.guid}}}"))
    lines.append("")
    # Subkeys are kept in the order of their names in upper case.
    for stored in sorted(stored_objects(several, _REFERENCES, secrets=secrets), key=lambda one: one.name.upper()):
        lines.append(f"[{_LOCAL}\\{stored.name}]")
        lines += (_value(name, stored.attributes[lower]) for lower, name in _VALUES.items() if lower in stored.attributes)
        lines.append("")
    for value in exempt:
        lines += [f"[{_AGENT}]", _value("NoDefaultExempt", _dword(value, "NoDefaultExempt")), ""]
    return ("\ufeff" + "\r\n".join(lines) + "\r\n").encode("utf-16-le")


def _value(name: str, data: AttributeValue) -> str:
    if isinstance(data, bytes):
        return _hex(name, "hex:", data)
    if isinstance(data, int):
        return f'"{name}"=dword:{_dword(data, name):08x}'
    if isinstance(data, tuple):
        return _hex(name, "hex(7):", "".join(f"{text}\0" for text in (*data, "")).encode("utf-16-le"))
    if _CONTROL.search(data) is None:
        return f'"{name}"=' + '"' + data.replace("\\", "\\\\").replace('"', '\\"') + '"'
    # Line breaks stand in a string as they are, where not every reader understands them; as bytes every one does.
    return _hex(name, "hex(1):", f"{data}\0".encode("utf-16-le"))


def _dword(number: int, name: str) -> int:
    if not 0 <= number <= 0xFFFFFFFF:
        raise ValueError(f"{name} is {number}, which does not fit a REG_DWORD")
    return number


def _hex(name: str, kind: str, raw: bytes) -> str:
    line = f'"{name}"={kind}'
    lines: list[str] = []
    digits = [f"{byte:02x}" for byte in raw]
    start = 0
    while True:
        room = max(1, -(-(_LINE - len(line)) // 3))  # a line is broken once it is long enough, not before it is too long
        part = digits[start : start + room]
        start += len(part)
        line += ",".join(part)
        if start >= len(digits):
            return "\r\n".join([*lines, line])
        lines.append(line + ",\\")
        line = "  "
