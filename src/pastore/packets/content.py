"""The bytes of a source of packets: a file, a pipe, standard input or memory, compressed or not; and what they look like."""

import errno
import gzip
import mmap
import os
import re
import stat
import sys
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from io import BytesIO
from typing import BinaryIO, Final, NamedTuple

from pastore.packets.columns import Damage

# What is read into memory (pipes, compressed files) ends here; an uncompressed file is mapped and has no limit.
LIMIT = 1 << 30
_STEP: Final = 1 << 16

Octets = bytes | bytearray | memoryview | mmap.mmap
Source = str | os.PathLike[str] | bytes | bytearray | memoryview


class Content(NamedTuple):
    """Bytes, and what was wrong in getting them. With damage the bytes end early."""

    data: Octets
    damage: tuple[Damage, ...] = ()


@contextmanager
def opened(source: Source) -> Iterator[Content]:
    """Give the bytes of a source, unpacked if they are gzip; a plain file is mapped, not copied.

    A mapped file may grow while it is read but must not be shortened: the system ends a process that reads what is gone.

    Parameters
    ----------
    source : path or bytes
        ``-`` is standard input.

    Raises
    ------
    OSError
        If it cannot be read.
    """
    if not isinstance(source, (str, os.PathLike)):
        yield _unpacked(Content(source))
        return
    name = os.fspath(source)
    if name == "-":
        if sys.stdin is None:
            raise OSError(errno.EBADF, "standard input is closed")
        yield _unpacked(_streamed(sys.stdin.buffer, "standard input"))
        return
    with open(name, "rb") as file:
        status = os.fstat(file.fileno())
        if not stat.S_ISREG(status.st_mode) or not status.st_size:  # a file of /proc is regular and says it is empty
            yield _unpacked(_streamed(file, "the source"))
        else:
            with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as mapped:
                yield _unpacked(Content(mapped))


def _streamed(file: BinaryIO, what: str) -> Content:
    taken = bytearray()
    return Content(taken, _take(file.read, taken, what))


def _take(read: Callable[[int], bytes], taken: bytearray, what: str) -> tuple[Damage, ...]:
    """Read into `taken` until the end or `LIMIT`; what was read before an exception stays there."""
    while chunk := read(_STEP):
        taken += chunk
        if len(taken) > LIMIT:
            del taken[LIMIT:]
            return (
                Damage("PA150", f"{what} is longer than {LIMIT} bytes, of which the rest was not read: give it as a plain file"),
            )
    return ()


def _unpacked(content: Content) -> Content:
    if bytes(content.data[:2]) != b"\x1f\x8b":
        return content
    taken = bytearray()
    packed = content.data if isinstance(content.data, mmap.mmap) else BytesIO(content.data)
    with gzip.GzipFile(fileobj=packed) as file:
        try:
            # read1 rather than read: what came out before the damage is not lost with it.
            damage = _take(file.read1, taken, "the unpacked content")
        except (EOFError, OSError, zlib.error) as error:
            reason = "ends too early" if isinstance(error, EOFError) else f"is damaged ({error})"
            damage = (Damage("PA150", f"the gzip data {reason} after {len(taken)} unpacked bytes"),)
    return Content(taken, content.damage + damage)


# Formats that are recognised in order to say what to do about them.
_OTHERS: Final = (
    (b"\x0a\x0d\x0d\x0a", "PA151", "the capture is pcapng: convert it with editcap -F pcap in.pcapng out.pcap"),
    (b"snoop\x00\x00\x00", "PA151", "the capture is snoop: convert it with editcap -F pcap in.snoop out.pcap"),
    (b"GMBU", "PA151", "the capture is Microsoft Network Monitor: convert it with editcap -F pcap in.cap out.pcap"),
    (b"RTSS", "PA151", "the capture is Microsoft Network Monitor 1: convert it with editcap -F pcap in.cap out.pcap"),
    (b"\x28\xb5\x2f\xfd", "PA102", "the content is compressed with zstd: unpack it first"),
    (b"\xfd7zXZ\x00", "PA102", "the content is compressed with xz: unpack it first"),
    (b"BZh", "PA102", "the content is compressed with bzip2: unpack it first"),
    (b"PK\x03\x04", "PA102", "the content is a zip archive: unpack it first"),
    (b"\x89PNG\r\n\x1a\n", "PA102", "the content is a PNG image, not packets"),
)
_MAGICS: Final = (0xA1B2C3D4, 0xA1B23C4D, 0xA1B2CD34)
_ACCEPTED: Final = "accepted are a pcap capture, a CSV with the header src,dst,protocol and a ClassBench trace, each also gzip"
_TRACE_LINE: Final = re.compile(r"\s*\d+(?:[ \t]+\d+){4}(?:\s|$)", re.ASCII)


def refusal(data: Octets) -> Damage:
    """Say what content that is no packets looks like."""
    start = bytes(data[:64])
    if not start:
        return Damage("PA102", f"the content is empty: {_ACCEPTED}", fatal=True)
    for magic, code, message in _OTHERS:
        if start.startswith(magic):
            return Damage(code, message, fatal=True)
    line = first_line(data).replace("\t", " ")
    if "\ufffd" in line or not line.isprintable():
        return Damage("PA102", f"the content is binary, beginning {start[:8].hex(' ')}: {_ACCEPTED}", fatal=True)
    return Damage("PA102", f"the first line {line[:60]!r} is neither a CSV header nor a line of a trace: {_ACCEPTED}", fatal=True)


def kind(data: Octets) -> str | None:
    """Return "pcap", "csv" or "trace" by the first bytes, None for something else."""
    start = bytes(data[:4])
    if int.from_bytes(start, "little") in _MAGICS or int.from_bytes(start, "big") in _MAGICS:
        return "pcap"
    line = first_line(data)
    if _TRACE_LINE.match(line):
        return "trace"
    words = {word.strip(" \"'").lower() for word in re.split("[,;\t]", line)}
    return "csv" if {"src", "dst"} <= words else None


def first_line(data: Octets) -> str:
    """Return the first line that is not blank, as far as it is in the first 4096 bytes."""
    text = text_of(bytes(data[:4096]))
    return next((line for line in re.split("[\r\n]+", text) if line.strip()), "")


def text_of(data: bytes) -> str:
    """Decode text: UTF-8, or UTF-16 with a byte order mark as PowerShell writes it. What is not valid becomes U+FFFD."""
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        return data.decode("utf-16", "replace")
    return data.decode("utf-8-sig", "replace")
