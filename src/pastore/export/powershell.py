"""Commands for PowerShell in which values stay data, whatever they hold."""

from collections.abc import Sequence
from typing import Final

from pastore.findings.render import printable

# PowerShell takes the typographic forms for single quotes as well.
_QUOTES: Final = "'\u2018\u2019\u201a\u201b"


class Code(str):
    """An expression that stands as it is: a variable, a switch's absence of a value, a word of an enumeration."""

    __slots__ = ()


Value = str | Sequence[str] | None


def command(name: str, *parameters: tuple[str, Value]) -> str:
    """Return a command; a parameter whose value is None is a switch, one with an empty list is left out."""
    parts = [name]
    for parameter, value in parameters:
        if value is None:
            parts.append(f"-{parameter}")
        elif isinstance(value, str):
            parts.append(f"-{parameter} {quoted(value)}")
        elif value:
            parts.append(f"-{parameter} {','.join(quoted(one) for one in value)}")
    return " ".join(parts)


def quoted(value: str) -> str:
    """Return a value in single quotes, in which PowerShell looks for nothing but their end."""
    if isinstance(value, Code):
        return value
    return "'" + "".join(character * 2 if character in _QUOTES else character for character in value) + "'"


def shown(text: str) -> str:
    """Return a text for a comment, or for people: on one line, control characters escaped."""
    return printable(text)
