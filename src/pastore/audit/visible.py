"""Characters that could forge a line or a terminal command, written so that they can be seen."""

import re

# C0 and C1 controls, line and paragraph separators, bidirectional overrides, lone surrogates, noncharacters.
_FORGING = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff\ufffe\uffff]")
# Everything outside production [2] (Char) of XML 1.0; carriage return too, because a parser would turn it into a newline.
_NOT_XML = re.compile("[^\t\n\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def _escape(match: re.Match[str]) -> str:
    code = ord(match[0])
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}"


def visible(text: str) -> str:
    """Return `text` on one line: each character that could forge output becomes ``\\x0a`` or ``\\u2028``."""
    return _FORGING.sub(_escape, text)


def xml_safe(text: str) -> str:
    """Return `text` with only characters that XML 1.0 allows; the others become ``\\x00`` or ``\\ud800``."""
    return _NOT_XML.sub(_escape, text)


def joined_surrogates(text: str) -> str:
    """Return `text` with every surrogate pair made one character, as it comes back from any UTF-16 or JSON decoder.

    Lone surrogates stay. Without this a value would not be equal to itself after a round trip through the log.
    """
    if not any("\ud800" <= character <= "\udfff" for character in text):
        return text
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "surrogatepass")
