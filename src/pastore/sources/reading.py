"""Getting the bytes of a source: files, standard input, gzip; bounded in size."""

import os
import stat
import sys
import zlib
from typing import BinaryIO, Final

STDIN: Final = "-"
SIZE_LIMIT: Final = 1 << 30  # bytes, before and after decompression
_STEP: Final = 1 << 20


class SourceError(Exception):
    """The bytes cannot be had; the message says why, in the operating system's words where they are its."""


def read_bytes(path: str, limit: int = SIZE_LIMIT) -> bytes:
    """Read a file, ``-`` for standard input; a gzip file gives what was compressed.

    Parameters
    ----------
    path : str
    limit : int
        Most bytes that are accepted, compressed or not.

    Raises
    ------
    SourceError
    """
    try:
        if path == STDIN:
            stream = getattr(sys.stdin, "buffer", None)
            if stream is None:
                raise SourceError("standard input is not open for bytes")
            data = _bounded(stream, limit)
        else:
            with open(path, "rb") as file:
                status = os.fstat(file.fileno())
                if stat.S_ISREG(status.st_mode) and status.st_size > limit:
                    raise SourceError(f"the file has {status.st_size} bytes, more than the {limit} that are read")
                data = _bounded(file, limit)
    except OSError as error:
        raise SourceError(error.strerror or str(error)) from None
    except ValueError as error:  # a NUL in the path, or a closed standard input
        raise SourceError(str(error)) from None
    return _decompressed(data, limit) if data.startswith(b"\x1f\x8b\x08") else data


def _bounded(stream: BinaryIO, limit: int) -> bytes:
    data = stream.read(limit + 1)
    if len(data) > limit:
        raise SourceError(f"there are more than the {limit} bytes that are read")
    return data


def _decompressed(data: bytes, limit: int) -> bytes:
    """Unpack all members of a gzip file; what follows the last one must be padding."""
    out = bytearray()
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
                out += member.decompress(fed, _STEP)
            except zlib.error as error:
                raise SourceError(f"the gzip data is damaged: {error}") from None
            if len(out) > limit:
                raise SourceError(f"the gzip data unpacks to more than the {limit} bytes that are read")
        rest = member.unused_data + rest[at:]
    if rest.strip(b"\0"):
        raise SourceError("there is something behind the gzip data")
    return bytes(out)
