"""A piece of a script with the place of each of its characters, whatever was done to it on the way."""

import re
from bisect import bisect_right
from collections.abc import Iterable
from typing import Final, NamedTuple

from pastore.sources.log import quoted

_BLANKS: Final = " \t"  # what parts words; a blank of another script does not
_INSIDE: Final = re.compile(r'[^"\\]*')
_OUTSIDE: Final = re.compile(r"[^ \t\"'\\]*")
_SECRET: Final = ("psk", "key", "secret", "pass", "presh", "pwd")


class TooMuchError(Exception):
    """A bound on the work is reached: what follows is not read."""


class Mark(NamedTuple):
    """From an offset on, characters stand at a line and a column; they all stand there if they do not move."""

    offset: int
    line: int
    column: int
    moves: bool = True


class Text:
    """A string and where it was written.

    Parameters
    ----------
    string : str
    marks : list of Mark
        By offset; the first one is at 0 unless the string is empty.
    """

    __slots__ = ("_offsets", "marks", "string")

    def __init__(self, string: str, marks: list[Mark]) -> None:
        self.string = string
        self.marks = marks
        self._offsets: list[int] | None = None

    def place(self, at: int) -> tuple[int, int]:
        """Return line and column, from 1, of the character at an offset."""
        if not self.marks:
            return 1, 1
        mark = self.marks[self.mark_at(at)]
        return mark.line, mark.column + (max(0, at - mark.offset) if mark.moves else 0)

    def mark_at(self, at: int) -> int:
        """Return the index of the mark that is in force at an offset."""
        if self._offsets is None:
            self._offsets = [mark.offset for mark in self.marks]
        return max(0, bisect_right(self._offsets, at) - 1)

    def part(self, start: int, end: int) -> "Text":
        """Return a part of the text."""
        builder = Builder()
        builder.add(self, start, end)
        return builder.text()


class Builder:
    """Puts a text together from parts of others."""

    __slots__ = ("_marks", "_parts", "length")

    def __init__(self) -> None:
        self._parts: list[str] = []
        self._marks: list[Mark] = []
        self.length = 0

    def write(self, string: str, line: int, column: int, *, moves: bool = True) -> None:
        """Add a string that stands at a place."""
        if not string:
            return
        last = self._marks[-1] if self._marks else None
        goes_on = (
            last is not None and last.moves and moves and last.line == line and last.column + self.length - last.offset == column
        )
        if not goes_on:
            self._marks.append(Mark(self.length, line, column, moves))
        self._parts.append(string)
        self.length += len(string)

    def add(self, text: Text, start: int = 0, end: int | None = None) -> None:
        """Add a part of a text with its places."""
        end = len(text.string) if end is None else end
        if not text.marks or start >= end:
            return
        index = text.mark_at(start)
        while index < len(text.marks):
            mark = text.marks[index]
            index += 1
            stop = text.marks[index].offset if index < len(text.marks) else end
            low, high = max(start, mark.offset), min(end, stop)
            if low >= end:
                break
            column = mark.column + (low - mark.offset if mark.moves else 0)
            self.write(text.string[low:high], mark.line, column, moves=mark.moves)

    def drop(self) -> None:
        """Take the last character out again."""
        self._parts[-1] = self._parts[-1][:-1]
        self.length -= 1
        if self._marks[-1].offset == self.length:
            self._marks.pop()

    def last(self) -> str:
        """Return the last two characters."""
        return "".join(self._parts[-2:])[-2:]

    def text(self) -> Text:
        """Return the text."""
        return Text("".join(self._parts), self._marks)


class Word(NamedTuple):
    """A word of a command, its quotes taken away, and its place."""

    string: str
    line: int
    column: int
    is_quoted: bool = False
    is_single: bool = False  # grouped by single quotes

    @property
    def lower(self) -> str:
        """The word in lower case."""
        return self.string.lower()


def words(text: Text) -> list[Word]:
    """Split a command into words as a Windows program gets them: blanks outside of double quotes part them.

    A backslash before a quote makes it a character, two before it are one (the rules of the C runtime). Single quotes group
    words too where the word after a tag begins with one: scripts for PowerShell are written so.
    """
    string = text.string
    result: list[Word] = []
    at, end = 0, len(string)
    while at < end:
        if string[at] in _BLANKS:
            at += 1
            continue
        start = at
        parts: list[str] = []
        inside = quoted_ = single = False
        while at < end:
            character = string[at]
            if character == "\\":
                count = at
                while at < end and string[at] == "\\":
                    at += 1
                count = at - count
                if at < end and string[at] == '"':
                    parts.append("\\" * (count // 2))
                    if count % 2:
                        parts.append('"')
                        at += 1
                else:
                    parts.append("\\" * count)
            elif character == '"':
                inside = not inside
                quoted_ = True
                at += 1
            elif character in _BLANKS and not inside:
                break
            elif character == "'" and not inside and (at == start or string[at - 1] == "=") and _closes(string, at):
                close = string.index("'", at + 1)
                parts.append(string[at + 1 : close])
                single = True
                at = close + 1
            else:
                run = (_INSIDE if inside else _OUTSIDE).match(string, at + 1)
                stop = run.end() if run else at + 1
                parts.append(string[at:stop])
                at = stop
        result.append(Word("".join(parts), *text.place(start), quoted_, single))
    return result


def _closes(string: str, at: int) -> bool:
    """Whether the single quote at an offset is closed at the end of a word."""
    close = string.find("'", at + 1)
    return close > 0 and (close + 1 == len(string) or string[close + 1] in _BLANKS)


def has_secret(string: str) -> bool:
    """Whether a command may hold a pre-shared key, and so none of its words may be shown."""
    lower = string.lower()
    return any(name in lower for name in _SECRET)


def safe(word: str, command: str = "") -> str:
    """Return a word for a message, unless it or its command may hold a key."""
    return "a word that is not shown" if has_secret(word) or has_secret(command) else quoted(word)


def shown(names: Iterable[str], conjunction: str = "and") -> str:
    """Return names for a message, a few of them."""
    listed = [quoted(name) for name in names]
    if len(listed) > 6:
        listed = [*listed[:5], f"{len(listed) - 5} more"]
    return f"{', '.join(listed[:-1])} {conjunction} {listed[-1]}" if len(listed) > 1 else "".join(listed)
