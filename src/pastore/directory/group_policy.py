"""Assigning a policy: what makes a Group Policy object point to it ([MS-GPIPSEC] 2.2.2, [MS-GPOL] 2.2.4 and 3.3.5).

The pointer comes before what announces it, which is a single modification: the list of extensions and the version of the
computer's half. The version in SYSVOL (gpt.ini) is out of reach.
"""

import re
from dataclasses import dataclass
from typing import Final
from uuid import UUID

from pastore.directory.assignment import POINTER
from pastore.directory.dn import parse_dn, same_dn
from pastore.directory.errors import DirectoryError, NoSuchEntryError
from pastore.directory.session import Entry, Session
from pastore.directory.store import POINTER_ATTRIBUTES
from pastore.directory.writing import Add, Change, Modify, Operation, Step, texts

EXTENSION: Final = "{E437BC1C-AA7D-11D2-A382-00C04F991E27}"
TOOL: Final = "{DEA8AFA0-CC85-11D0-9CE2-0080C7221EBD}"

_ATTRIBUTES: Final = ("cn", "displayName", "flags", "versionNumber", "gPCMachineExtensionNames", "uSNChanged")
_GROUP: Final = re.compile(r"\[(\{[^\[\]{}]*\})((?:\{[^\[\]{}]*\})*)\]")
_COMPUTER_HALF_OFF: Final = 2


@dataclass(frozen=True, slots=True)
class Assigning:
    """What assigns a policy by a Group Policy object.

    Parameters
    ----------
    name : str
        Display name of the Group Policy object.
    changes : tuple of Change
    before : str
        DN of the policy that it assigned before, empty if there was none.
    is_off : bool
        Whether its computer half is disabled, so that it assigns nothing.
    """

    name: str
    changes: tuple[Change, ...]
    before: str
    is_off: bool


def find_gpo(session: Session, name: str) -> Entry:
    """Find a Group Policy object.

    Parameters
    ----------
    session : Session
    name : str
        Its display name, GUID or DN.

    Raises
    ------
    DirectoryError
        PA178 if there is none, or several are called so.
    """
    policies = f"CN=Policies,CN=System,{session.base}"
    try:
        every = list(session.search(policies, "(objectClass=groupPolicyContainer)", _ATTRIBUTES, scope="onelevel"))
    except NoSuchEntryError:
        every = []
    wanted = name.strip()
    try:
        guid = str(UUID(wanted.strip("{}")))
    except ValueError:
        guid = ""
    if guid:
        found = [entry for entry in every if entry.text("cn").strip("{}").lower() == guid]
    elif "=" in wanted and parse_dn(wanted):
        found = [entry for entry in every if same_dn(entry.dn, wanted)]
    else:
        found = []
    found = found or [entry for entry in every if wanted and entry.text("displayname").casefold() == wanted.casefold()]
    if not found:
        names = ", ".join(sorted(repr(entry.text("displayname")) for entry in every)[:10])
        there = f"there are {names}" if names else "there is none at all"
        raise DirectoryError("PA178", f"there is no Group Policy object {name[:200]!r}: {there}")
    if len(found) > 1:
        names = ", ".join(repr(entry.dn[:200]) for entry in found[:5])
        raise DirectoryError(
            "PA178", f"{len(found)} Group Policy objects are called {name[:200]!r}; name one by its GUID: {names}"
        )
    return found[0]


def assigning(session: Session, gpo: Entry, policy: str, name: str, description: str) -> Assigning:
    """Find out what makes a Group Policy object assign a policy.

    Parameters
    ----------
    session : Session
    gpo : Entry
        As `find_gpo` gives it.
    policy : str
        DN of the policy.
    name, description : str
        What the pointer shows of it.

    Raises
    ------
    DirectoryError
        PA178 if its list of extensions is not understood.
    """
    pointer_dn = f"{POINTER},{gpo.dn}"
    changes: list[Change] = []
    pointer = _entry(session, pointer_dn)
    if pointer is None:
        dn = gpo.dn
        for part in ("Machine", "Microsoft", "Windows"):
            dn = f"CN={part},{dn}"
            if _entry(session, dn) is None:
                changes.append(Add(dn, {"objectClass": (b"top", b"container"), "cn": (part.encode(),)}))
    wanted = {"ipsecOwnersReference": policy, "ipsecName": name, "description": description}
    before = ""
    if pointer is None:
        values = {attribute: texts((value,)) for attribute, value in wanted.items() if value}
        changes.append(Add(pointer_dn, {"objectClass": (b"top", b"ipsecBase", b"ipsecPolicy"), "cn": (b"IPSEC",), **values}))
    else:
        targets = pointer.texts("ipsecownersreference")
        before = next((target for target in targets if target.strip()), "")
        steps = tuple(
            Step(Operation.REPLACE, attribute, texts((value,)) if value else ())
            for attribute, value in wanted.items()
            if not _holds(pointer, attribute, value)
        )
        if steps:
            changes.append(Modify(pointer.dn, steps))
    announced = _announced(gpo, pointer, is_changed=bool(changes))
    if announced:
        changes.append(Modify(gpo.dn, announced))
    is_off = bool((gpo.number("flags") or 0) & _COMPUTER_HALF_OFF)
    return Assigning(gpo.text("displayname") or gpo.dn, tuple(changes), before, is_off)


def with_extension(listed: str) -> str:
    """Return a list of extensions with that of IP Security in it, sorted as [MS-GPOL] 2.2.4 wants it.

    Raises
    ------
    ValueError
        If the list is not of that form.
    """
    groups = [(match[1], match[2]) for match in _GROUP.finditer(listed)]
    if "".join(f"[{extension}{tools}]" for extension, tools in groups) != listed.strip():
        raise ValueError("gPCMachineExtensionNames is no list of [{extension}{tool}]")
    if any(extension.upper() == EXTENSION for extension, _ in groups):
        return listed
    groups.append((EXTENSION, TOOL))
    groups.sort(key=lambda group: group[0].upper())
    return "".join(f"[{extension}{tools}]" for extension, tools in groups)


def next_version(number: int) -> int:
    """Return a ``versionNumber`` with the computer's half, its lower 16 bits, one higher; 0 would mean that it is empty."""
    whole = number & 0xFFFFFFFF
    low = (whole & 0xFFFF) + 1
    whole = (whole & 0xFFFF0000) | (low if low <= 0xFFFF else 1)
    return whole - (1 << 32) if whole & 0x80000000 else whole


def _entry(session: Session, dn: str) -> Entry | None:
    try:
        return next(session.search(dn, "(objectClass=*)", (*POINTER_ATTRIBUTES, "uSNChanged"), scope="base"), None)
    except NoSuchEntryError:
        return None


def _holds(pointer: Entry, attribute: str, value: str) -> bool:
    have = pointer.texts(attribute.lower())
    if attribute == "ipsecOwnersReference":
        return len(have) == 1 and same_dn(have[0], value)
    return have == ((value,) if value else ())


def _announced(gpo: Entry, pointer: Entry | None, *, is_changed: bool) -> tuple[Step, ...]:
    """Return what tells the computers of a new pointer.

    Values are taken away and put in by name, so that the server refuses if somebody has changed them meanwhile.
    """
    listed = gpo.text("gpcmachineextensionnames")
    try:
        fresh = with_extension(listed)
    except ValueError as error:
        raise DirectoryError("PA178", f"{error}: {gpo.dn[:200]!r}") from None
    ours, theirs = (gpo.number("usnchanged"), pointer.number("usnchanged")) if pointer else (None, None)
    # A pointer that was written after the version: somebody was interrupted in between.
    is_late = ours is not None and theirs is not None and theirs > ours
    version = gpo.number("versionnumber") or 0
    if fresh == listed and not is_changed and not is_late and version & 0xFFFF:
        return ()
    steps = []
    if fresh != listed:
        steps += [Step(Operation.DELETE, "gPCMachineExtensionNames", texts((listed,)))] if listed else []
        steps.append(Step(Operation.ADD, "gPCMachineExtensionNames", texts((fresh,))))
    held = gpo.values.get("versionnumber", ())
    steps += [Step(Operation.DELETE, "versionNumber", held)] if held else []
    steps.append(Step(Operation.ADD, "versionNumber", texts((str(next_version(version)),))))
    return tuple(steps)
