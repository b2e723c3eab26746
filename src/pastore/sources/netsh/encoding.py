"""Which encoding a script is in: Unicode where the bytes say so, else GB18030, else the code page that was asked for."""

from codecs import BOM_UTF8, BOM_UTF16_BE, BOM_UTF16_LE
from typing import Final

from pastore.sources.codepage import likeness
from pastore.sources.log import FindingLog

DEFAULT: Final = "cp1252"
_MARKS: Final = ((BOM_UTF8, "utf-8"), (BOM_UTF16_LE, "utf-16-le"), (BOM_UTF16_BE, "utf-16-be"))
_CHINESE: Final = 0.5  # likeness from which on valid GB18030 is taken for Chinese
_SAMPLE: Final = 1 << 16


def codec_of(name: str) -> str:
    """Return the name of a codec for what a user calls an encoding: a code page by its number, or any name that Python knows.

    Raises
    ------
    ValueError
        If there is no such encoding of text.
    """
    codec = f"cp{name}" if name.isascii() and name.isdigit() else name
    try:
        "".encode(codec)
    except (LookupError, ValueError):
        raise ValueError(f"{name!r} is not an encoding; write a code page as 1252 or a name as utf-8") from None
    return codec


def decode(data: bytes, log: FindingLog, encoding: str | None = None) -> str:
    """Return the text of a script.

    Parameters
    ----------
    data : bytes
    log : FindingLog
        Gets PA118 where the encoding is a guess, PA113 where bytes are not valid in it.
    encoding : str, optional
        A codec, for text that has no byte order mark.
    """
    for mark, codec in _MARKS:
        if data.startswith(mark):
            return _decoded(data, codec, len(mark), log)
    if encoding is not None:
        return _decoded(data, encoding, 0, log)
    for start, codec in ((1, "utf-16-le"), (0, "utf-16-be")):
        sample = data[start:512:2]
        if sample and sample.count(0) * 2 > len(sample):
            return _decoded(data, codec, 0, log)
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        pass
    codec = "gb18030" if _is_chinese(data) else DEFAULT
    page = "GB18030" if codec == "gb18030" else "code page 1252"
    log.add("PA118", f"the text is not Unicode; it is read as {page}, which is a guess")
    return _decoded(data, codec, 0, log)


def _is_chinese(data: bytes) -> bool:
    """Whether text is valid GB18030 and reads like it: a German word in code page 1252 is valid, too."""
    try:
        data.decode("gb18030")
    except UnicodeDecodeError:
        return False
    lines = b"\n".join(line for line in data.splitlines() if not line.isascii())[:_SAMPLE]
    return likeness(lines.rpartition(b"\n")[0] or lines, "cp936") >= _CHINESE


def _decoded(data: bytes, codec: str, start: int, log: FindingLog) -> str:
    try:
        return data[start:].decode(codec)
    except UnicodeDecodeError as error:
        bad = start + error.start
        message = f"byte {bad} is not valid {codec.upper()}; such characters are replaced by U+FFFD"
        log.add("PA113", message, line=data.count(b"\n", 0, bad) + 1)
        return data[start:].decode(codec, "replace")
