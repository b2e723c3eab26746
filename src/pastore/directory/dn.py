"""Distinguished names (RFC 4514), as far as places in a domain need them: taken apart and compared."""

import re
from typing import Final

Dn = tuple[tuple[str, str], ...]
"""Pairs of attribute and value in lower case, the leaf first."""

_TYPE: Final = re.compile(r" *([A-Za-z][A-Za-z0-9-]*|[0-9]+(?:\.[0-9]+)*) *= *")
_VALUE: Final = re.compile(r"(?:[^\\,+\"]|\\(?:[0-9A-Fa-f]{2}|[^0-9A-Fa-f]))*")
_ESCAPE: Final = re.compile(r"((?:\\[0-9A-Fa-f]{2})+)|\\(.)", re.DOTALL)
_MAX: Final = 16384


def parse_dn(text: str) -> Dn | None:
    """Take a DN apart.

    Returns
    -------
    tuple of (str, str) or None
        Empty for the root. None if it is no DN, is longer than 16 KiB, or has parts of several values, which no place of a
        domain has.
    """
    if not text.strip():
        return ()
    if len(text) > _MAX:
        return None
    parts: list[tuple[str, str]] = []
    at = 0
    while True:
        kind = _TYPE.match(text, at)
        if kind is None:
            return None
        value = _VALUE.match(text, kind.end())
        assert value is not None
        parts.append((kind[1].lower(), _plain(value[0]).lower()))
        at = value.end()
        if at == len(text):
            return tuple(parts)
        if text[at] != ",":
            return None
        at += 1


def _plain(value: str) -> str:
    """Resolve escapes; blanks count only where they are escaped."""
    kept = value.rstrip(" ")
    escapes = len(kept) - len(kept.rstrip("\\"))
    if escapes % 2 and len(kept) < len(value):
        kept += " "  # the last backslash belongs to a blank

    def resolve(match: re.Match[str]) -> str:
        if match[1]:
            return bytes.fromhex(match[1].replace("\\", "")).decode(errors="replace")
        return match[2]

    return _ESCAPE.sub(resolve, kept)


def is_below(dn: Dn, base: Dn) -> bool:
    """Whether a DN is another one or below it."""
    return len(dn) >= len(base) and dn[len(dn) - len(base) :] == base


def same_dn(one: str, other: str) -> bool:
    """Whether two DNs name the same entry."""
    first = parse_dn(one)
    return first is not None and first == parse_dn(other)


def escaped(value: str) -> str:
    """Return a value as it stands in a DN."""
    text = re.sub(r'([\\,+"<>;=])', r"\\\1", value).replace("\0", "\\00")
    if len(text) > 1 and text.endswith(" "):
        text = text[:-1] + "\\ "
    return "\\" + text if text.startswith((" ", "#")) else text
