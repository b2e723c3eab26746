"""What is written into a directory: entries that are added, modified and deleted (RFC 4511, 4.6 to 4.8).

Each of these is done by the server as a whole or not at all, and there is nothing larger that is.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import IntEnum


class Operation(IntEnum):
    """What a modification does with its values; the numbers are those of RFC 4511, 4.6."""

    ADD = 0
    DELETE = 1
    REPLACE = 2


@dataclass(frozen=True, slots=True, repr=False)
class Step:
    """A part of a modification.

    Parameters
    ----------
    operation : Operation
    attribute : str
    values : tuple of bytes
        None with `Operation.REPLACE` or `Operation.DELETE` takes the attribute away. Not shown: ipsecData holds pre-shared keys.
    """

    operation: Operation
    attribute: str
    values: tuple[bytes, ...] = ()

    def __repr__(self) -> str:
        return f"Step({self.operation.name}, {self.attribute!r}, <{len(self.values)} values>)"


@dataclass(frozen=True, slots=True, repr=False)
class Add:
    """An entry that is added.

    Parameters
    ----------
    dn : str
    attributes : mapping of str to tuple of bytes
    """

    dn: str
    attributes: Mapping[str, tuple[bytes, ...]]
    verb = "add"

    def __repr__(self) -> str:
        return f"Add({self.dn!r}, {sorted(self.attributes)})"


@dataclass(frozen=True, slots=True)
class Modify:
    """An entry that is modified.

    Parameters
    ----------
    dn : str
    steps : tuple of Step
        Those of one attribute stand together.
    """

    dn: str
    steps: tuple[Step, ...]
    verb = "modify"


@dataclass(frozen=True, slots=True)
class Delete:
    """An entry that is deleted, which has none below it."""

    dn: str
    verb = "delete"


Change = Add | Modify | Delete


def texts(values: Iterable[str]) -> tuple[bytes, ...]:
    """Return strings as values."""
    return tuple(value.encode() for value in values)
