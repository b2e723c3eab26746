"""Policies in a directory: connecting, reading, which policy a computer gets, what changed. The only room that knows ldap3."""

from pastore.directory.access import Access, Limits, Location, is_url, parse_url, shown
from pastore.directory.errors import DirectoryError, NoSuchEntryError

__all__ = ["Access", "DirectoryError", "Limits", "Location", "NoSuchEntryError", "is_url", "parse_url", "shown"]
