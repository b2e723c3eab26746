"""Policies in a directory: connecting, reading, which policy a computer gets, what changed. The only room that knows ldap3.

What needs a connection is imported when it is first used, so that a file can be read without it.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from pastore.directory.access import Access, Limits, Location, is_url, parse_url, shown
from pastore.directory.errors import DirectoryError, NoSuchEntryError

if TYPE_CHECKING:
    from pastore.directory.assignment import Assignment as Assignment
    from pastore.directory.assignment import Fate as Fate
    from pastore.directory.assignment import Link as Link
    from pastore.directory.assignment import assignment_of as assignment_of
    from pastore.directory.changes import Changes as Changes
    from pastore.directory.changes import Marker as Marker
    from pastore.directory.changes import changed_since as changed_since
    from pastore.directory.changes import marker_of as marker_of
    from pastore.directory.session import Entry as Entry
    from pastore.directory.session import Session as Session
    from pastore.directory.store import Store as Store
    from pastore.directory.store import read_store as read_store

_LAZY = {
    "assignment": ("Assignment", "Fate", "Link", "assignment_of"),
    "changes": ("Changes", "Marker", "changed_since", "marker_of"),
    "session": ("Entry", "Session"),
    "store": ("Store", "read_store"),
}
_MODULES = {name: module for module, names in _LAZY.items() for name in names}

__all__ = [
    "Access",
    "Assignment",
    "Changes",
    "DirectoryError",
    "Entry",
    "Fate",
    "Limits",
    "Link",
    "Location",
    "Marker",
    "NoSuchEntryError",
    "Session",
    "Store",
    "assignment_of",
    "changed_since",
    "is_url",
    "marker_of",
    "parse_url",
    "read_store",
    "shown",
]


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_MODULES[name]}"), name)
