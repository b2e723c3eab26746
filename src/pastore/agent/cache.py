"""The cached copy: the last good policy of a directory, in a file that is whole or refused.

A line of ASCII, then JSON::

    pastore-cache 1 LENGTH SHA-256
    {"computer": ..., "domain": ..., "obtained": ..., "source": ..., "policy": ..., "marker": {...}, "entries": [...]}

`policy` is null when the directory said that nothing is assigned: a computer that starts without the directory then has to know
that its local policy is meant. Values of attributes are base64. They may hold pre-shared keys, which is why the file belongs to
its owner alone; one that others may read or write, or that another user owns, is not ours.
"""

import errno
import hashlib
import json
import os
import re
import stat
from base64 import b64decode, b64encode
from binascii import Error as Base64Error
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from pastore.agent.copies import Copy
from pastore.agent.files import replace_file
from pastore.directory import Entry, Marker
from pastore.findings import Finding
from pastore.model import Origin
from pastore.model import win32 as w

VERSION: Final = 1
MAX_BYTES: Final = 512 << 20  # as much as is ever taken from a directory
_HEAD: Final = re.compile(rb"pastore-cache (\d{1,9}) (\d{1,12}) ([0-9a-f]{64})\n")
_LONGEST_HEAD: Final = 128


@dataclass(frozen=True, slots=True)
class Cached:
    """What a cache holds.

    Parameters
    ----------
    copy : Copy, optional
        None if the directory had said that no policy is assigned.
    obtained : datetime
        When the directory said so, in UTC.
    """

    copy: Copy | None
    obtained: datetime


class CacheError(Exception):
    """A cache cannot be used; the message is one sentence that says why.

    Parameters
    ----------
    message : str
    error : int
        Win32 error: 2 if there is none, 13 if there is one that is refused.
    """

    def __init__(self, message: str, error: int = w.INVALID_DATA) -> None:
        super().__init__(message)
        self.error = error

    @property
    def is_absent(self) -> bool:
        """Whether there is simply no cache yet."""
        return self.error == w.FILE_NOT_FOUND

    def finding(self, path: str) -> Finding:
        """Return it as a finding: PA195."""
        return Finding("PA195", str(self), Origin(path))


class Cache:
    """The file of the cached copy.

    Parameters
    ----------
    path : str
    computer : str
        The computer that the policy is for, as the configuration names it; a cache of another one is refused.
    domain : str
        What tells one domain from another in the configuration, likewise.
    """

    def __init__(self, path: str, *, computer: str = "", domain: str = "") -> None:
        self.path = path
        self.computer = computer
        self.domain = domain

    def save(self, copy: Copy | None, obtained: datetime) -> None:
        """Replace what is cached.

        Raises
        ------
        OSError
            It could not be brought to the disk; what was cached before still is.
        """
        replace_file(self.path, self.encode(copy, obtained), mode=0o600)

    def encode(self, copy: Copy | None, obtained: datetime) -> bytes:
        """Return the file of a copy."""
        document: dict[str, Any] = {
            "computer": self.computer,
            "domain": self.domain,
            "obtained": obtained.astimezone(UTC).isoformat(),
            "policy": None,
        }
        if copy is not None:
            marker = copy.marker
            document |= {
                "policy": copy.policy,
                "source": copy.source,
                "marker": {
                    "controller": marker.controller,
                    "policy": marker.policy,
                    "when_changed": marker.when_changed,
                    "usn": marker.usn,
                    "names": sorted(marker.names),
                },
                "entries": [
                    [entry.dn, {name: [b64encode(value).decode() for value in some] for name, some in entry.values.items()}]
                    for entry in copy.entries
                ],
            }
        body = json.dumps(document, separators=(",", ":")).encode("ascii")
        head = f"pastore-cache {VERSION} {len(body)} {hashlib.sha256(body).hexdigest()}\n"
        return head.encode("ascii") + body

    def load(self) -> Cached:
        """Read what is cached.

        Raises
        ------
        CacheError
            If there is nothing, or nothing that may be used; the message says why.
        """
        return self.decode(self._read())

    def _read(self) -> bytes:
        try:
            descriptor = os.open(self.path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOFOLLOW)
        except FileNotFoundError:
            raise CacheError("there is no cached copy yet", w.FILE_NOT_FOUND) from None
        except OSError as error:
            if error.errno == errno.ELOOP:
                raise CacheError("the cached copy is a symbolic link, which pastore never makes") from None
            raise CacheError(f"the cached copy cannot be opened: {error.strerror or error}") from None
        with open(descriptor, "rb") as file:
            status = os.fstat(descriptor)
            if not stat.S_ISREG(status.st_mode):
                raise CacheError("the cached copy is not a regular file")
            if status.st_uid != os.geteuid():
                raise CacheError(f"the cached copy belongs to the user {status.st_uid}, and the agent runs as {os.geteuid()}")
            if stat.S_IMODE(status.st_mode) & 0o077:
                raise CacheError(f"others may read or write the cached copy: its mode is {stat.S_IMODE(status.st_mode):04o}")
            if status.st_size > MAX_BYTES + _LONGEST_HEAD:
                raise CacheError(f"the cached copy has {status.st_size} bytes, more than any directory is allowed to give")
            try:
                return file.read(MAX_BYTES + _LONGEST_HEAD)
            except OSError as error:
                raise CacheError(f"the cached copy cannot be read: {error.strerror or error}") from None

    def decode(self, data: bytes) -> Cached:
        """Return what the bytes of a cache say.

        Raises
        ------
        CacheError
        """
        head = _HEAD.match(data[:_LONGEST_HEAD])
        if head is None:
            raise CacheError("the file is no cached copy of a policy")
        if int(head[1]) != VERSION:
            raise CacheError(f"the cached copy is of version {int(head[1])}; this pastore reads version {VERSION}")
        body = data[head.end() :]
        if len(body) != int(head[2]):
            raise CacheError(f"the cached copy is damaged: it has {len(body)} bytes where it says {int(head[2])}")
        if hashlib.sha256(body).hexdigest().encode() != head[3]:
            raise CacheError("the cached copy is damaged: its checksum is another")
        try:
            return self._taken(json.loads(body))
        except (ValueError, TypeError, KeyError, AttributeError, RecursionError, Base64Error):
            # Its checksum is right, so nothing was damaged: somebody else wrote it.
            raise CacheError("the cached copy has a right checksum and a content that pastore does not write") from None

    def _taken(self, document: Any) -> Cached:
        computer, domain = document["computer"], document["domain"]
        if (computer, domain) != (self.computer, self.domain):
            theirs, ours = (" of ".join(filter(None, pair)) for pair in ((computer, domain), (self.computer, self.domain)))
            raise CacheError(f"the cached copy is for {theirs[:200]!r} and not for {ours[:200]!r}")
        obtained = datetime.fromisoformat(document["obtained"]).astimezone(UTC)
        if document["policy"] is None:
            return Cached(None, obtained)
        stored = document["marker"]
        marker = Marker(
            _text(stored["controller"]),
            _text(stored["policy"]),
            _text(stored["when_changed"]),
            _number(stored["usn"]),
            frozenset(map(_text, stored["names"])),
        )
        entries = tuple(Entry(_text(dn), dict(_values(values))) for dn, values in document["entries"])
        return Cached(Copy(_text(document["policy"]), entries, marker, obtained, _text(document["source"])), obtained)


def _values(values: Mapping[str, list[str]]) -> Iterator[tuple[str, tuple[bytes, ...]]]:
    for name, some in values.items():
        yield _text(name), tuple(b64decode(value, validate=True) for value in some)


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError
    return value


def _number(value: object) -> int:
    if not isinstance(value, int) or isinstance(value, bool):
        raise TypeError
    return value
