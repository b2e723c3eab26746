"""Which Unicode encoding a text file is in, told from its first bytes."""

from codecs import BOM_UTF8, BOM_UTF16_BE, BOM_UTF16_LE
from typing import Final

_MARKS: Final = ((BOM_UTF8, "utf-8"), (BOM_UTF16_LE, "utf-16-le"), (BOM_UTF16_BE, "utf-16-be"))


def encoding_of(data: bytes) -> tuple[str, int]:
    """Return the encoding of a text and where it starts behind the byte order mark.

    Without a mark, text whose first character is ASCII shows UTF-16 by where its NUL is; all else is UTF-8.
    """
    for mark, encoding in _MARKS:
        if data.startswith(mark):
            return encoding, len(mark)
    if data[1:2] == b"\0":
        return "utf-16-le", 0
    return ("utf-16-be" if data[:1] == b"\0" else "utf-8"), 0
