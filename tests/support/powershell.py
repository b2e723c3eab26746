"""Reads the small part of PowerShell that our scripts use, strictly: what is not known here is an error, and strings are data.

Written from about_Quoting_Rules and the language's specification (2.3.5.2, string literals), not from the writer of the scripts.
"""

import re
from dataclasses import dataclass, field
from typing import Any, Final

SINGLE_QUOTES: Final = "'\u2018\u2019\u201a\u201b"
_PLAIN: Final = re.compile(
    r"(?P<variable>\$[A-Za-z][A-Za-z0-9]*(?:\.[A-Za-z]+)?)"
    r"|(?P<parameter>-[A-Za-z][A-Za-z0-9]*)"
    r"|(?P<range>\.\.)"
    r"|(?P<number>[0-9]+)"
    r"|(?P<word>[A-Za-z][A-Za-z0-9]*(?:-[A-Za-z0-9]+)*)"
    r"|(?P<sign>[()@{}|,=+])"
)


class NotUnderstoodError(ValueError):
    """The script is none of those that are understood here."""


@dataclass(frozen=True)
class Token:
    kind: str
    text: str


@dataclass(frozen=True)
class Command:
    """A cmdlet that was carried out: its parameters, None for a switch."""

    name: str
    parameters: dict[str, list[Any] | None]

    @property
    def Name(self) -> str:
        """The name of what it made."""
        made = self.parameters.get("Name", self.parameters.get("IPsecRuleName"))
        assert made is not None
        (name,) = made
        return str(name)


def statements(script: str) -> list[list[Token]]:
    """Return the tokens of each statement; a line break ends one, except within a string or braces."""
    done: list[list[Token]] = [[]]
    at = depth = 0
    while at < len(script):
        character = script[at]
        if character in "\r\n":
            at += 1
            if not depth and done[-1]:
                done.append([])
        elif character in " \t":
            at += 1
        elif character == "#":
            while at < len(script) and script[at] not in "\r\n":
                at += 1
        elif character in SINGLE_QUOTES:
            text, at = _string(script, at)
            done[-1].append(Token("string", text))
        else:
            match = _PLAIN.match(script, at)
            if match is None:
                raise NotUnderstoodError(f"{script[at : at + 40]!r} at {at}")
            kind = str(match.lastgroup)
            depth += {"{": 1, "}": -1}.get(match[0], 0)
            done[-1].append(Token(kind, match[0]))
            at = match.end()
    return [each for each in done if each]


def _string(script: str, at: int) -> tuple[str, int]:
    """Read a verbatim string: any single quote ends it, two of them are one."""
    text = []
    at += 1
    while at < len(script):
        if script[at] not in SINGLE_QUOTES:
            text.append(script[at])
        elif at + 1 < len(script) and script[at + 1] in SINGLE_QUOTES:
            at += 1
            text.append(script[at])
        else:
            return "".join(text), at + 1
        at += 1
    raise NotUnderstoodError("a string does not end")


HEAD: Final = "[CmdletBinding()]\r\nparam([string] $PolicyStore = 'PersistentStore')\r\n"


@dataclass
class Interpreter:
    """Carries a script out on paper."""

    variables: dict[str, Any] = field(default_factory=lambda: {"$PolicyStore": "PersistentStore"})
    made: list[Command] = field(default_factory=list)
    removed: list[str] = field(default_factory=list)

    def run(self, script: str) -> None:
        head, found, body = script.partition(HEAD)
        if not found or not all(line.startswith("#") for line in head.split("\r\n") if line):
            raise NotUnderstoodError("the script does not begin as expected")
        for statement in statements(body):
            self._statement(statement)

    def _statement(self, tokens: list[Token]) -> None:
        if tokens[0] == Token("word", "foreach"):
            self._loop(tokens)
        elif tokens[0].kind == "variable" and tokens[1:2] == [Token("sign", "=")]:
            rest = tokens[2:]
            value = rest[0].text if len(rest) == 1 and rest[0].kind == "string" else self._command(rest)
            self.variables[tokens[0].text] = value
        elif tokens[0].text.startswith("Get-"):
            texts = [token.text for token in tokens]
            noun = texts[0].removeprefix("Get-")
            middle = ["-PolicyStore", "$PolicyStore", "|", "Where-Object", "Group", "-EQ", "$Group", "|"]
            if texts != [f"Get-{noun}", *middle, f"Remove-{noun}"]:
                raise NotUnderstoodError(" ".join(texts))
            self.removed.append(noun)
        else:
            if tokens[-2:] != [Token("sign", "|"), Token("word", "Out-Null")]:
                raise NotUnderstoodError("output goes to the screen")
            self._command(tokens[:-2])

    def _loop(self, tokens: list[Token]) -> None:
        """``foreach ($Protocol in (0..5) + @(7)) { ... }``."""
        opening = tokens.index(Token("sign", "{"))
        if [token.text for token in tokens[1:4]] != ["(", "$Protocol", "in"] or tokens[-1] != Token("sign", "}"):
            raise NotUnderstoodError("a loop over something else")
        numbers: list[int] = []
        text = "".join(token.text for token in tokens[4 : opening - 1])
        for part in text.split("+"):
            match = re.fullmatch(r"\((\d+)\.\.(\d+)\)|@\((\d+)\)", part)
            if match is None:
                raise NotUnderstoodError(part)
            low, high, one = match.groups()
            numbers += range(int(low), int(high) + 1) if one is None else [int(one)]
        for number in numbers:
            self.variables["$Protocol"] = str(number)
            self._statement(tokens[opening + 1 : -1])
        del self.variables["$Protocol"]

    def _command(self, tokens: list[Token]) -> Command:
        if not tokens or tokens[0].kind != "word":
            raise NotUnderstoodError(f"no command: {tokens[:1]}")
        parameters: dict[str, list[Any] | None] = {}
        at = 1
        while at < len(tokens):
            if tokens[at].kind != "parameter":
                raise NotUnderstoodError(f"{tokens[at]} stands without a parameter")
            name = tokens[at].text[1:]
            if name in parameters:
                raise NotUnderstoodError(f"-{name} stands twice")
            at += 1
            values: list[Any] = []
            while at < len(tokens) and tokens[at].kind != "parameter":
                value, at = self._value(tokens, at)
                values.append(value)
                if at < len(tokens) and tokens[at] == Token("sign", ","):
                    at += 1
                elif at < len(tokens) and tokens[at].kind != "parameter":
                    raise NotUnderstoodError(f"{tokens[at]} follows a value")
            parameters[name] = values or None
        command = Command(tokens[0].text, parameters)
        self.made.append(command)
        return command

    def _value(self, tokens: list[Token], at: int) -> tuple[Any, int]:
        token = tokens[at]
        if token.kind in ("string", "word", "number"):
            return token.text, at + 1
        if token.kind == "variable":
            name, _, attribute = token.text.partition(".")
            value = self.variables[name]
            return (getattr(value, attribute) if attribute else value), at + 1
        texts = [each.text for each in tokens[at : at + 5]]
        if tokens[at + 1].kind == "string" and texts[0] == "(" and texts[2:] == ["-f", "$Protocol", ")"]:
            return texts[1].replace("{0}", self.variables["$Protocol"]), at + 5
        raise NotUnderstoodError(str(token))


def run(script: bytes) -> Interpreter:
    """Carry out a script that Windows PowerShell reads as UTF-8, by its byte order mark."""
    if not script.startswith(b"\xef\xbb\xbf"):
        raise NotUnderstoodError("Windows PowerShell would read it in the code page of the computer")
    interpreter = Interpreter()
    interpreter.run(script.decode("utf-8-sig"))
    return interpreter
