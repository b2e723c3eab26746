"""What the bytes of a source look like."""

import os
import re
import stat
from codecs import BOM_UTF8, BOM_UTF16_BE, BOM_UTF16_LE
from typing import Final, NamedTuple

from pastore.sources.reading import HEAD, SIZE_LIMIT

READ: Final = ("reg", "regquery", "hive", "netsh", "ipseccmd", "netsh-show", "ldif", "json", "classbench")
COMPILED: Final = "compiled"  # not read into a policy, but opened as a matcher
TABLE_LABEL: Final = b"\x89PST\r\n\x1a\n"


class Guess(NamedTuple):
    """What bytes look like.

    Parameters
    ----------
    format : str, optional
        One of `READ`, or `COMPILED`, None when it is none of these.
    what : str
        In words, for a message: "a PNG image".
    """

    format: str | None
    what: str


_MAGIC: Final = (
    (TABLE_LABEL, COMPILED, "a compiled table"),
    (b"regf", "hive", "a registry hive (regf)"),
    (b"\x89PNG\r\n\x1a\n", None, "a PNG image"),
    (b"\xff\xd8\xff", None, "a JPEG image"),
    (b"GIF8", None, "a GIF image"),
    (b"\xd4\xc3\xb2\xa1", None, "a packet capture (pcap)"),
    (b"\xa1\xb2\xc3\xd4", None, "a packet capture (pcap)"),
    (b"\x4d\x3c\xb2\xa1", None, "a packet capture (pcap)"),
    (b"\xa1\xb2\x3c\x4d", None, "a packet capture (pcap)"),
    (b"\x0a\x0d\x0d\x0a", None, "a packet capture (pcapng)"),
    (b"PK\x03\x04", None, "a ZIP archive"),
    (b"PK\x05\x06", None, "an empty ZIP archive"),
    (b"7z\xbc\xaf\x27\x1c", None, "a 7-Zip archive"),
    (b"\xfd7zXZ\x00", None, "xz compressed data"),
    (b"BZh", None, "bzip2 compressed data"),
    (b"\x28\xb5\x2f\xfd", None, "zstd compressed data"),
    (b"\x1f\x8b", None, "gzip compressed data inside gzip"),
    (b"\x7fELF", None, "an ELF program"),
    (b"MZ", None, "a Windows program"),
    (b"%PDF-", None, "a PDF document"),
    (b"SQLite format 3\x00", None, "an SQLite database"),
    (b"ElfFile\x00", None, "a Windows event log (evtx)"),
    (b"PReg\x01\x00\x00\x00", None, "a Group Policy registry file (Registry.pol)"),
    (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", None, "an OLE document"),
)

_LOG_TYPES: Final = (b"\1", b"\2", b"\6")
_CONTROLS: Final = tuple(chr(code) for code in (*range(1, 9), 11, *range(14, 26), *range(27, 32), 127))
_FLAGS: Final = re.IGNORECASE | re.MULTILINE
# Anywhere in a line: behind a condition, in a loop, in a transcript of a console.
_NETSH: Final = re.compile(r"(?<![\w.#-])netsh(?:\.exe)?[\"' \t^]+\"?ipsec[ \t^]", _FLAGS)
_IPSECCMD: Final = re.compile(r"(?<![\w.#-])ipsec(?:cmd|pol)(?:\.exe)?\"?[ \t]+[-\\]", _FLAGS)
_TEXTS: Final = (
    (re.compile(r"\A\s*(?:windows registry editor version|regedit4)", _FLAGS), "reg", "a registry export"),
    (re.compile(r"^[ \t]*\[-?(?:HKEY_|HK(?:LM|CU|CR|U|CC)\\)", _FLAGS), "reg", "a registry export without its first line"),
    (re.compile(r"^[ \t]*@\d{1,3}\.\d{1,3}\.[\d.]+/\d+[ \t]", _FLAGS), "classbench", "a ClassBench filter set"),
    (re.compile(r"^[ \t@]*netsh(?:\.exe)?[ \t]+ipsec[ \t]", _FLAGS), "netsh", "a netsh script"),
    (re.compile(r"^[ \t]*(?:pushd[ \t]+)?ipsec(?:[ \t]+(?:static|dynamic)\b|[ \t\r]*$)", _FLAGS), "netsh", "a netsh script"),
    (re.compile(r"^[ \t@]*ipsec(?:cmd|pol)(?:\.exe)?[ \t]+-", _FLAGS), "ipseccmd", "a script of ipseccmd commands"),
    (
        re.compile(r"\A(?:[ \t\r]*+\n|#[^\n]*+\n|[ ][^\n]*+\n|version:[ \t]*+\d++[ \t\r]*+\n)*+dn::?", _FLAGS),
        "ldif",
        "LDIF",
    ),
    (re.compile(r"^(?:HKEY_[A-Z_]+|HK(?:LM|CU|CR|U|CC))\\[^\n]*\n(?:    |\t|\s*\n)", _FLAGS), "regquery", "output of reg query"),
    (re.compile(r"^[ \t]*(?:Policy Name|Rule Name|FilterList Name)[ \t]*:", _FLAGS), "netsh-show", "output of netsh ipsec show"),
    (re.compile(r"\A\s*\{.*?\"policy\"\s*:\s*\{", _FLAGS | re.DOTALL), "json", "a policy as JSON"),
    (re.compile(r"\A\s*[\[{]\s*[\"{\]}]", _FLAGS), None, "JSON that is no policy"),
    (re.compile(r"\A\s*<(?:\?xml|!doctype|html)", _FLAGS), None, "XML or HTML"),
    (_NETSH, "netsh", "a netsh script"),
    (_IPSECCMD, "ipseccmd", "a script of ipseccmd commands"),
)


def sniff(data: bytes) -> Guess:
    """Tell the format of a source from its first 64 KiB.

    Parameters
    ----------
    data : bytes

    Returns
    -------
    Guess
    """
    if not data:
        return Guess(None, "an empty file")
    if data.startswith(b"regf") and data[28:29] in _LOG_TYPES:
        return Guess(None, "a transaction log of a registry hive")
    for magic, name, what in _MAGIC:
        if data.startswith(magic):
            return Guess(name, what)
    head = data[:HEAD]
    if head[257:262] == b"ustar":
        return Guess(None, "a tar archive")
    text = _head_text(head)
    if text is None:
        return Guess(None, "binary data")
    if sum(text.count(control) for control in _CONTROLS) > len(text) // 50:
        return Guess(None, "binary data")
    if not text.strip():
        return Guess(None, "a file of blank lines")
    for pattern, name, what in _TEXTS:
        if pattern.search(text):
            return Guess(name, what)
    return Guess(None, "text of no known format")


def is_table(path: str) -> bool:
    """Whether a path leads to a regular file that starts as a compiled table does."""
    return _head_of_file(path).startswith(TABLE_LABEL)


def is_hive(path: str) -> bool:
    """Whether a path leads to a regular file that looks like a registry hive, as it is, and is not too large to be read."""
    return sniff(_head_of_file(path, SIZE_LIMIT)).format == "hive"


def _head_of_file(path: str, limit: int | None = None) -> bytes:
    """Return the first bytes of a regular file, none where there is no such file or it is larger than the limit."""
    try:
        status = os.stat(path)
        if not stat.S_ISREG(status.st_mode) or (limit is not None and status.st_size > limit):
            return b""
        with open(path, "rb") as file:
            return file.read(512)
    except (OSError, ValueError):
        return b""


def _head_text(head: bytes) -> str | None:
    """Decode the start of a file, None if it is not text."""
    for mark, encoding in ((BOM_UTF8, "utf-8"), (BOM_UTF16_LE, "utf-16-le"), (BOM_UTF16_BE, "utf-16-be")):
        if head.startswith(mark):
            return head[len(mark) :].decode(encoding, "replace")
    if head[1:2] == b"\0" and head[:1].isascii():
        return head.decode("utf-16-le", "replace")
    if head[:1] == b"\0" and head[1:2].isascii():
        return head.decode("utf-16-be", "replace")
    if b"\0" in head:
        return None
    return head.decode("utf-8", "replace")
