"""Getting the bytes of a source: files, standard input, gzip; bounded in size."""

import os
import stat
import sys
import zlib
from collections.abc import Callable
from typing import BinaryIO, Final

STDIN: Final = "-"
SIZE_LIMIT: Final = 1 << 30  # bytes, before and after decompression
HEAD: Final = 65536  # bytes by which it is decided whether the rest is wanted
_STEP: Final = 1 << 20
_GZIP: Final = b"\x1f\x8b\x08"


class SourceError(Exception):
    """The bytes cannot be had; the message says why, in the operating system's words where they are its."""


def read_bytes(path: str, limit: int = SIZE_LIMIT, is_wanted: Callable[[bytes], bool] = lambda head: True) -> bytes:
    """Read a file, ``-`` for standard input; a gzip file gives what was compressed.

    Parameters
    ----------
    path : str
    limit : int
        Most bytes that are accepted, compressed or not.
    is_wanted : callable
        Is shown the first `HEAD` bytes, unpacked. When it says no they are all that is read: what is refused anyway costs neither
        time nor memory.

    Raises
    ------
    SourceError
    """
    try:
        if path == STDIN:
            stream = getattr(sys.stdin, "buffer", None)
            if stream is None:
                raise SourceError("standard input is not open for bytes")
            data = _bounded(stream, limit, is_wanted)
        else:
            with open(path, "rb") as file:
                status = os.fstat(file.fileno())
                is_regular = stat.S_ISREG(status.st_mode)
                if is_regular and status.st_size > limit:
                    raise SourceError(f"the file has {status.st_size} bytes, more than the {limit} that are read")
                data = _bounded(file, limit, is_wanted, is_regular=is_regular)
    except OSError as error:
        raise SourceError(error.strerror or str(error)) from None
    except ValueError as error:  # a NUL in the path, or a closed standard input
        raise SourceError(str(error)) from None
    return _decompressed(data, limit, is_wanted) if data.startswith(_GZIP) else data


def _bounded(stream: BinaryIO, limit: int, is_wanted: Callable[[bytes], bool], *, is_regular: bool = False) -> bytes:
    head = stream.read(min(HEAD, limit + 1))
    if not head.startswith(_GZIP) and not is_wanted(head):
        return head
    if is_regular:
        stream.seek(0)  # rather than a second copy of everything
        data = stream.read()
    else:
        data = head + stream.read(limit + 1 - len(head))
    if len(data) > limit:
        raise SourceError(f"there are more than the {limit} bytes that are read")
    return data


def _decompressed(data: bytes, limit: int, is_wanted: Callable[[bytes], bool]) -> bytes:
    """Unpack all members of a gzip file; what follows the last one must be padding."""
    out = bytearray()
    is_known = False
    rest = data
    while rest.startswith(b"\x1f\x8b"):
        member = zlib.decompressobj(wbits=31)
        at = 0
        while not member.eof:
            fed = member.unconsumed_tail or rest[at : at + _STEP]
            if not fed:
                raise SourceError(f"the gzip data ends too early, after {len(out)} bytes were unpacked")
            if not member.unconsumed_tail:
                at += len(fed)
            try:
                out += member.decompress(fed, _STEP if is_known else HEAD)
            except zlib.error as error:
                raise SourceError(f"the gzip data is damaged: {error}") from None
            if not is_known and len(out) >= HEAD:
                is_known = True
                if not is_wanted(bytes(out[:HEAD])):
                    return bytes(out[:HEAD])
            if len(out) > limit:
                raise SourceError(f"the gzip data unpacks to more than the {limit} bytes that are read")
        rest = member.unused_data + rest[at:]
    if rest.strip(b"\0"):
        raise SourceError("there is something behind the gzip data")
    return bytes(out)
