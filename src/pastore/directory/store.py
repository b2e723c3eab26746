"""The policy store of a domain: one search for its objects, one for those that point into it ([MS-GPIPSEC] 2.2.3)."""

from dataclasses import dataclass
from typing import Final

from pastore.directory.errors import NoSuchEntryError
from pastore.directory.session import Entry, Session

CLASSES: Final = ("ipsecPolicy", "ipsecISAKMPPolicy", "ipsecNFA", "ipsecNegotiationPolicy", "ipsecFilter")
ATTRIBUTES: Final = (
    "objectClass",
    "description",
    "ipsecName",
    "ipsecID",
    "ipsecData",
    "ipsecOwnersReference",
    "ipsecISAKMPReference",
    "ipsecNFAReference",
    "ipsecNegotiationPolicyReference",
    "ipsecFilterReference",
    "iPSECNegotiationPolicyType",
    "iPSECNegotiationPolicyAction",
    "whenChanged",
)
POINTER_ATTRIBUTES: Final = ("objectClass", "ipsecOwnersReference", "ipsecName", "description")
_OBJECTS: Final = "(|" + "".join(f"(objectClass={name})" for name in CLASSES) + ")"


@dataclass(frozen=True, slots=True)
class Store:
    """What a directory holds of policies.

    Parameters
    ----------
    container : str
        DN of the policy store.
    objects : tuple of Entry
    pointers : tuple of Entry
        The IPSEC objects of Group Policy objects.
    """

    container: str
    objects: tuple[Entry, ...]
    pointers: tuple[Entry, ...]


def container_of(base: str) -> str:
    """Return the DN of the policy store of a domain ([MS-GPIPSEC] 2.2.1)."""
    return f"CN=IP Security,CN=System,{base}"


def read_objects(session: Session) -> tuple[Entry, ...]:
    """Read the objects that stand in the policy store itself, with what only a writer needs of them.

    Raises
    ------
    DirectoryError
        As `Session.search`.
    """
    attributes = (*ATTRIBUTES, "ipsecDataType", "uSNChanged")
    return tuple(session.search(container_of(session.base), _OBJECTS, attributes, scope="onelevel"))


def read_store(session: Session) -> Store:
    """Read every object of the policy store.

    Raises
    ------
    DirectoryError
        As `Session.search`; a part of a store is never returned.
    """
    container = container_of(session.base)
    objects = tuple(session.search(container, _OBJECTS, ATTRIBUTES))
    policies = f"CN=Policies,CN=System,{session.base}"
    try:
        pointers = tuple(session.search(policies, "(&(objectClass=ipsecPolicy)(cn=IPSEC))", POINTER_ATTRIBUTES))
    except NoSuchEntryError:
        pointers = ()
    return Store(container, objects, pointers)
