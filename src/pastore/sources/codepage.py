"""Text from a console: Unicode where the bytes say so, otherwise a code page that has to be guessed."""

from codecs import BOM_UTF8, BOM_UTF16_BE, BOM_UTF16_LE
from typing import Final, NamedTuple

_KANA: Final = range(0x3041, 0x3100)
_IDEOGRAPHS: Final = range(0x4E00, 0xA000)
_WIDE: Final = (range(0x3000, 0x3040), range(0xFF01, 0xFF61), range(0x2010, 0x2027))

# What reg query calls the default value tells the language for certain. Korean and Traditional Chinese are known by that alone:
# their bytes mean something in the code pages of their neighbours, too.
_NAMES: Final = (("(既定)", "cp932"), ("(默认)", "cp936"), ("(預設)", "cp950"), ("(預設值)", "cp950"), ("(기본값)", "cp949"))

# Multi-byte first: a byte of theirs may look like a backslash.
_ASIAN: Final = ("cp932", "cp936")
_OTHERS: Final = ("cp850", "cp1252", "cp866", "cp1251", "cp852", "cp1250", "cp437")


class Text(NamedTuple):
    """Text and how it was had.

    Parameters
    ----------
    text : str
    encoding : str
    is_guess : bool
        Whether the encoding is one of several that the bytes allow.
    bad : int, optional
        The first byte that is not valid in the encoding; such characters are U+FFFD.
    """

    text: str
    encoding: str
    is_guess: bool = False
    bad: int | None = None


def decode_console(data: bytes) -> Text:
    """Decode what a program wrote to a Windows console or into a file from one.

    A byte order mark decides, then the NULs of UTF-16, then whether the bytes are UTF-8. Otherwise the code page is chosen in
    which the characters beyond ASCII look most like words of a language; ASCII is the same in all of them.

    Parameters
    ----------
    data : bytes

    Returns
    -------
    Text
    """
    for mark, name in ((BOM_UTF8, "utf-8"), (BOM_UTF16_LE, "utf-16-le"), (BOM_UTF16_BE, "utf-16-be")):
        if data.startswith(mark):
            return _decoded(data, name, len(mark))
    for start, name in ((1, "utf-16-le"), (0, "utf-16-be")):
        sample = data[start:512:2]
        if sample and sample.count(0) * 2 > len(sample):
            return _decoded(data, name, 0)
    try:
        return Text(data.decode("utf-8"), "utf-8")
    except UnicodeDecodeError:
        pass
    # The lines that tell are few beside megabytes of hexadecimal digits.
    lines = b"\n".join(line for line in data.splitlines() if not line.isascii())[: 1 << 16].rpartition(b"\n")
    sample = lines[0] or lines[2]
    named = next((page for name, page in _NAMES if name.encode(page) in sample), None)
    encoding = named or max((*_ASIAN, *_OTHERS), key=lambda page: likeness(sample, page))
    return _decoded(data, encoding, 0)._replace(is_guess=True)


def _decoded(data: bytes, encoding: str, start: int) -> Text:
    try:
        return Text(data[start:].decode(encoding), encoding)
    except UnicodeDecodeError as error:
        return Text(data[start:].decode(encoding, "replace"), encoding, bad=start + error.start)


def likeness(sample: bytes, encoding: str) -> float:
    """Return how much the characters beyond ASCII look like text, from 0 to 1; negative if some cannot be."""
    text = sample.decode(encoding, "replace")
    strange = [(at, character) for at, character in enumerate(text) if not character.isascii()]
    bad = sum(character == "\ufffd" for _, character in strange)
    if bad:
        return -bad / len(strange)
    good = sum(_score(text, at, character, encoding) for at, character in strange)
    return good / len(strange) if strange else 0


def _score(text: str, at: int, character: str, encoding: str) -> float:
    code = ord(character)
    before, after = text[at - 1 : at], text[at + 1 : at + 2]
    if encoding in _ASIAN:
        if code in _KANA:
            return 1.0 if encoding == "cp932" else 0.3
        if code not in _IDEOGRAPHS:
            return 0.5 if any(code in wide for wide in _WIDE) else 0.0
        lead, trail = character.encode(encoding)
        if chr(trail).isascii() and chr(trail).isalpha() and any(c.isascii() and c.isalpha() for c in (before, after)):
            return 0.2  # a letter with an accent and the next one of a European word
        # The frequent ideographs come first in both standards: rare ones are a wrong guess.
        return 0.9 if (lead < 0x99 if encoding == "cp932" else 0xB0 <= lead < 0xD8 and trail > 0xA0) else 0.3
    if not character.isalpha():
        return 0.0
    if character.isupper() and before.islower():
        return 0.1  # a capital in the middle of a word
    if encoding in ("cp866", "cp1251"):
        # Cyrillic words hold no Latin letters.
        mixed = sum(neighbour.isascii() and neighbour.isalpha() for neighbour in (before, after))
        return 0.95 - 0.45 * mixed if 0x400 <= code < 0x460 else 0.1
    common = character.lower() in "äöüßéèêàâçñáíóúìòùôîûëïåøæãõ"
    return 0.9 if common else 0.85 if encoding in ("cp852", "cp1250") and character.lower() in "ąćęłńśźżčďěňřšťůž" else 0.4
