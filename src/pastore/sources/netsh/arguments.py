"""The arguments of a netsh command: ``tag=value`` in any spelling, and values without a tag in the order of the help."""

import re
from collections.abc import Callable, Container, Sequence
from typing import Final, NamedTuple, TypeVar

from pastore.findings import Severity
from pastore.model import Origin
from pastore.sources.log import FindingLog, quoted
from pastore.sources.netsh import grammar, values
from pastore.sources.netsh.text import Text, Word, has_secret, safe, shown

T = TypeVar("T")

_TAG: Final = re.compile(r"([A-Za-z]+)=(.*)", re.DOTALL)
_NAME: Final = re.compile(r"[A-Za-z]+")
_METHOD: Final = re.compile(r"(?:ESP|AH)\[.*|(?:3?DES)-.*|.*\](?::.*)?", re.IGNORECASE)
_OPEN: Final = re.compile(r"%(?:[0-9*]|~[a-z]*[0-9]|[^%\s]+%)|![^!\s]+!", re.IGNORECASE)
_REPEATED: Final = "rootca"
_SMART: Final = "“”„‟″"


class RefusedError(Exception):
    """A command that netsh refuses, or that cannot be carried out here: nothing of it takes effect.

    Parameters
    ----------
    message : str
    word : Word, optional
        The word it is about, the command when left out.
    code : str
    """

    def __init__(self, message: str, word: Word | None = None, code: str = "PA141") -> None:
        super().__init__(message)
        self.word = word
        self.code = code


class Call(NamedTuple):
    """A command: its arguments by name, and where it stands.

    `order` has the arguments in the order in which they are written, those that may be repeated each time. `loose` are the values
    that stand without a tag: beside a pre-shared key they may be parts of it, and are not shown. `open` are the variables that
    are not known.
    """

    name: str
    text: Text
    section: str
    log: FindingLog
    given: dict[str, Word]
    order: list[tuple[str, Word]]
    is_secret: bool
    loose: set[str]
    open: Container[str] = ()

    def add(self, code: str, message: str, word: Word | None = None, *, severity: Severity | None = None) -> None:
        """Add a finding about a word, or about the command."""
        line, column = (word.line, word.column) if word is not None else self.text.place(0)
        self.log.add(code, message, line=line, column=column, severity=severity)

    def origin(self) -> Origin:
        """Return where the command stands."""
        line, column = self.text.place(0)
        return Origin(self.log.source, line=line, column=column)

    def string(self, name: str, default: str = "") -> str:
        """Return an argument as it is."""
        word = self.given.get(name)
        return default if word is None else word.string

    def needed(self, name: str) -> str:
        """Return an argument that must be there and not empty."""
        word = self.given.get(name)
        if word is None:
            raise RefusedError(f"{self.name} needs {name}=")
        if not word.string:
            raise RefusedError(f"{name}= has no value", word)
        return word.string

    def read(self, name: str, convert: Callable[[str], T], default: T) -> T:
        """Return an argument converted, or the default where it is not given.

        Raises
        ------
        RefusedError
            If it cannot be converted.
        """
        word = self.given.get(name)
        return default if word is None else self.convert(name, word, convert)

    def convert(self, name: str, word: Word, convert: Callable[[str], T]) -> T:
        """Return the value of a word converted."""
        if self.is_open(word.string):
            raise RefusedError(f"{name}= is not known here: it depends on {self.show(word.string)}", word, "PA144")
        if not word.string:
            raise RefusedError(f"{name}= has no value", word)
        try:
            return convert(word.string)
        except values.BadValueError as error:
            why = "its value is not understood" if self.is_secret else str(error)
            raise RefusedError(f"{name}: {why}", word) from None

    def is_open(self, value: str) -> bool:
        """Whether a value holds a variable that is not known."""
        return any(match[0] in self.open for match in _OPEN.finditer(value))

    def show(self, value: str) -> str:
        """Return a value for a message, unless the command holds a key."""
        is_named = value not in self.loose and any(word.string == value for tag, word in self.order if tag != "psk")
        return quoted(value) if is_named or not self.is_secret else "a word that is not shown beside a key"


def call(
    name: str,
    text: Text,
    section: str,
    log: FindingLog,
    typed: Sequence[Word],
    slots: Sequence[str],
    needed: Sequence[str],
    unknown: Container[str] = (),
) -> Call:
    """Sort the words behind a command by the arguments they are.

    Parameters
    ----------
    name : str
        The command, for messages.
    text : Text
        All of it.
    section : str
        The section of the script it stands in.
    log : FindingLog
    typed : sequence of Word
    slots : sequence of str
        The arguments in the order of the help.
    needed : sequence of str
        Those that cannot be left out.
    unknown : container of str
        The variables that are not known, with their signs.

    Raises
    ------
    RefusedError
    """
    result = Call(name, text, section, log, {}, [], has_secret(text.string), set(), unknown)
    loose: list[tuple[Word, Word | None]] = []  # words without a tag, each with the word before it if a tag came before
    last: Word | None = None
    at = 0
    while at < len(typed):
        tag, word, at = _tagged(typed, at, slots, result)
        if tag is None:
            if (
                last is not None
                and result.order
                and result.order[-1][0].endswith("secmethods")
                and _METHOD.fullmatch(word.string)
            ):
                _lengthen(result, word)
            else:
                loose.append((word, last))
            continue
        if tag in result.given and tag != _REPEATED:
            raise RefusedError(f"{tag}= is given twice", word)
        result.given[tag] = word
        result.order.append((tag, word))
        last = word
    _place(result, loose, slots, needed)
    for tag in needed:
        result.needed(tag)
    for tag, word in result.order:
        if tag not in ("psk", "description") and any(character in _SMART for character in word.string):
            result.add(
                "PA325", f"{tag}= holds a typographic quotation mark, which groups no words and is part of the value", word
            )
        if word.is_single:
            result.add("PA325", f"{tag}= is in single quotes, which group words in PowerShell and nowhere else", word)
    return result


def _tagged(typed: Sequence[Word], at: int, slots: Sequence[str], found: Call) -> tuple[str | None, Word, int]:
    """Return the next argument: its tag, its value as a word, and where the next one begins."""
    word = typed[at]
    match = _TAG.fullmatch(word.string)
    after = typed[at + 1] if at + 1 < len(typed) else None
    if match is None:
        is_tag = _NAME.fullmatch(word.string) and after is not None and after.string.startswith("=")
        if not is_tag or after is None:
            return None, word, at + 1
        key, value, at = word.string, after._replace(string=after.string[1:]), at + 2
        empty = after.string == "="
    else:
        key, value, at = match[1], word._replace(string=match[2]), at + 1
        empty = not match[2] and not word.is_quoted and not word.is_single
    if empty and at < len(typed):
        following = _TAG.fullmatch(typed[at].string)
        if following is None or not isinstance(grammar.meant(following[1], (*slots, "psk")), str):
            value = typed[at]._replace(line=word.line, column=word.column)
            at += 1
    tag = grammar.meant(key, slots)
    if isinstance(tag, str):
        return tag, value._replace(line=word.line, column=word.column), at
    if len(tag) > 1:
        raise RefusedError(f"{key}= may be {shown((f'{name}=' for name in tag), 'or')}", word)
    close = grammar.close_to(key, slots)
    hint = f"; did you mean {close[0]}=?" if close else ""
    raise RefusedError(f"{found.name} has no argument {safe(key)}{hint}", word)


def _lengthen(found: Call, word: Word) -> None:
    """Add one more security method to a list that is not in quotes."""
    tag, before = found.order[-1]
    longer = before._replace(string=f"{before.string} {word.string}")
    found.order[-1] = (tag, longer)
    found.given[tag] = longer


def _place(found: Call, loose: list[tuple[Word, Word | None]], slots: Sequence[str], needed: Sequence[str]) -> None:
    """Give words without a tag to the arguments that are free: in order at first, behind a tag to those that are needed."""
    free = [slot for slot in slots if slot not in found.given and slot != _REPEATED]
    found.loose.update(word.string for word, before in loose if before is not None)
    for word, before in loose:
        tag = next((tag for tag, known in found.order if known == before), "")
        taken = None
        if before is None:
            taken = free[0] if free else None
        else:
            taken = next((slot for slot in free if slot in needed), None)
            taken = taken or ("description" if "description" in free and tag != "psk" else None)
        if taken is not None:
            free.remove(taken)
            found.given[taken] = word
            found.order.append((taken, word))
        if before is not None and taken not in needed:
            _stray(found, word, tag, taken)
        elif taken is None:
            raise RefusedError(f"{found.name} takes no further argument: {found.show(word.string)}", word)


def _stray(found: Call, word: Word, tag: str, taken: str | None) -> None:
    what = found.show(word.string)
    fate = "it is taken for the description" if taken else "it is ignored"
    if tag in ("srcport", "dstport") and word.string.strip(",;").isdigit():
        found.add("PA325", f"{what} behind {tag}= is no second port: {fate}; write a filter for each port", word)
    else:
        found.add("PA325", f"{what} has no tag: {fate}", word)
