"""What cmd.exe makes of a batch file, as far as it can be known without running it.

Variables, loops over lists that are written out, subroutines and comparisons of known texts are carried out; programs are not
run, files are not looked at and jumps are not followed. Which parts that are, and why, is decided in docs/adr/016. The work is
bounded: by the length of a line, by the number of commands that loops and subroutines make, and by how deep they nest.
"""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from pastore.sources.log import FindingLog
from pastore.sources.netsh.text import Builder, Mark, Text, TooMuchError, safe

LINE_LIMIT: Final = 1 << 16  # characters of a command; cmd itself takes 8191
STEP_LIMIT: Final = 150_000  # commands that loops and subroutines may make beyond those that are written
WORK_LIMIT: Final = 1 << 27  # characters in them
DEPTH_LIMIT: Final = 32  # of blocks in blocks, and of subroutines in subroutines

_VARIABLE: Final = re.compile(r"%(%|\*|[0-9]|~[a-zA-Z]*[0-9]|[^%\s:=][^%:=\n]*(?::[^%\n]*)?%|(?![A-Za-z]))")
_DELAYED: Final = re.compile(r"!([^!\s:=][^!:=\n]*(?::[^!\n]*)?)!")
_PART: Final = re.compile(r"~(-?\d+)(?:,(-?\d+))?")
_RUN: Final = re.compile(r'[^"^&|<>()]+')
_REDIRECTION: Final = re.compile(r'>{1,2}\s*(?:&\s*\d|"[^"]*"?|[^\s&|<>()]*)|<\s*(?:&\s*\d|"[^"]*"?|[^\s&|<>()]*)')
_BEFORE: Final = re.compile(r"[ \t]*(?:\d(?=[<>]))?")
_GAP: Final = re.compile(r"[ \t]+(?=[&|)]|$)")
_BLANKS: Final = re.compile(r"[\s,;=@]*")
_WORD: Final = re.compile(r'[^\s&|<>()"]+')
_FOR: Final = re.compile(r'for(?:\s+/([dlrf])(?:\s+(?:"[^"]*"|[^\s%(]+))?)?\s+%%?([^\s%])\s+in\s*\(', re.IGNORECASE)
_DO: Final = re.compile(r"\s*do\b\s*", re.IGNORECASE)
_ELSE: Final = re.compile(r"\s*else\b\s*", re.IGNORECASE)
_IF: Final = re.compile(r"if\b(\s+/i)?(\s+not)?\s+(/i\s+)?", re.IGNORECASE)
_UNARY: Final = re.compile(r'(errorlevel|exist|defined|cmdextversion)\s+("[^"]*"|[^\s()]+)\s*', re.IGNORECASE)
_OPERAND: Final = r'((?:"[^"]*"|[^\s="&|<>()])+|)'
_BINARY: Final = re.compile(rf"{_OPERAND}\s*(==|\s(?:equ|neq|lss|leq|gtr|geq)\s)\s*{_OPERAND}\s*", re.IGNORECASE)
_ITEM: Final = re.compile(r'"[^"]*"?|[^\s,;="]+')
_SET: Final = re.compile(r'set\s+(?:"([^"=]+)=(.*)"[^"]*|([^"=/\s][^=]*)=(.*))', re.IGNORECASE | re.DOTALL)
_SUM: Final = re.compile(r'set\s+/a\s+"?\s*(\w+)\s*([-+*]?)=\s*(\w+|-?\d+)\s*(?:([-+*])\s*(\w+|\d+))?\s*"?', re.IGNORECASE)
_NAME: Final = re.compile(r'set\s+(?:/[ap]\s+)?"?([^"=]+?)[-+*/%&|^]?=', re.IGNORECASE)
_IPSEC: Final = re.compile(r"\bipsec(?:cmd|pol)?\b", re.IGNORECASE)


class Command(NamedTuple):
    """One command, variables put in and escapes taken out."""

    text: Text
    section: str  # the label it stands behind


@dataclass(frozen=True, slots=True)
class _Simple:
    text: Text
    section: str


@dataclass(frozen=True, slots=True)
class _Sequence:
    """Commands one after the other, with what joins each to the one before."""

    parts: tuple[tuple[str, "_Node"], ...]


@dataclass(frozen=True, slots=True)
class _If:
    """A condition in the words of the script, and its branches."""

    negated: bool
    fold: bool
    operator: str
    left: str
    right: str
    line: int
    column: int
    then: "_Node"
    otherwise: "_Node | None"


@dataclass(frozen=True, slots=True)
class _For:
    """A loop."""

    switch: str
    variable: str
    items: str
    line: int
    column: int
    body: "_Node"


_Node = _Simple | _Sequence | _If | _For


@dataclass(slots=True)
class _Frame:
    """What arguments stand for in a subroutine, None outside of one."""

    arguments: list[str] | None = None
    loops: dict[str, str] = field(default_factory=dict)


class Batch:
    """Carries out a batch file and hands on the commands in it.

    Parameters
    ----------
    lines : list of str
        Without their ends.
    log : FindingLog
        Gets PA142 to PA145.
    handle : callable
        Is given each `Command` that is no word of cmd's own.
    """

    def __init__(self, lines: list[str], log: FindingLog, handle: Callable[[Command], None]) -> None:
        self._lines = lines
        self._log = log
        self._handle = handle
        self._variables: dict[str, str] = {}
        self._unknown: set[str] = set()  # set to what is not known here
        self.open: set[str] = set()
        """The variables that stayed as they are written, with their signs."""
        self._next = 0
        self._section = ""
        self._is_delayed = False
        self._frames = [_Frame()]
        self._calls: list[str] = []
        self._steps = 0
        self._work = 0
        self._jumps = 0
        self._labels: dict[str, int] = {}
        self._called: set[str] = set()
        for number, line in enumerate(lines):
            stripped = line.lstrip()
            if stripped.startswith(":") and not stripped.startswith("::"):
                self._labels.setdefault(_label(stripped), number)
            elif "call" in line.lower():
                self._called.update(match.lower() for match in re.findall(r"(?i)\bcall\s+:([^\s&|()<>]+)", line))
        self._called &= set(self._labels)
        self._jumped = any(re.search(r"(?i)\bgoto\b|\bcall\s+:", line) for line in lines)

    @property
    def is_menu(self) -> bool:
        """Whether the script jumps, so that its sections may be alternatives."""
        return self._jumped

    def run(self) -> None:
        """Read the whole file."""
        try:
            self._run(len(self._lines), skip_called=True)
        except TooMuchError as error:
            self.tell("PA145", f"{error}; what follows is not read", min(self._next, len(self._lines)) or 1, 1)

    def tell(self, code: str, message: str, line: int, column: int) -> None:
        """Add a finding."""
        self._log.add(code, message, line=line, column=column)

    def _run(self, end: int, *, skip_called: bool = False) -> None:
        skipping = False
        while self._next < end:
            line = self._lines[self._next]
            stripped = line.lstrip()
            if stripped.startswith(":"):
                self._next += 1
                if not stripped.startswith("::") and (name := _label(stripped)):
                    self._section = name
                    skipping = skip_called and name in self._called
                continue
            if self._calls:
                self._step(len(line))
            if skipping or not stripped:
                self._next += 1
                continue
            if self._calls and _returns(stripped):
                return
            text = self._logical()
            node = _Parser(self, text, self._section).statement()
            if node is not None:
                self._carry_out(node, self._section)

    # Lines

    def logical(self) -> Text | None:
        """Return the next line of a block, None at the end of the file."""
        while self._next < len(self._lines):
            stripped = self._lines[self._next].lstrip()
            if stripped.startswith(":"):
                self._next += 1
                continue
            return self._logical()
        return None

    def _logical(self) -> Text:
        """Return the next line with its variables, those that follow behind a caret joined to it."""
        number = self._next
        line = self._lines[number]
        self._next += 1
        if "%" not in line and not line.endswith("^"):
            if len(line) > LINE_LIMIT:
                return self._cut(number)
            return Text(line, [Mark(0, number + 1, 1)] if line else [])
        builder = Builder()
        while True:
            text = self._expanded(line, number + 1)
            joins = _ends_in_caret(text.string) and self._next < len(self._lines)
            builder.add(text, 0, len(text.string) - joins)
            if builder.length > LINE_LIMIT:
                return self._cut(number)
            if not joins:
                return builder.text()
            number = self._next
            line = self._lines[number]
            self._next += 1

    def _cut(self, number: int) -> Text:
        self.tell("PA145", f"the command is longer than {LINE_LIMIT} characters; it is skipped", number + 1, 1)
        return Text("", [])

    def _expanded(self, line: str, number: int) -> Text:
        """Put in the variables of a line as cmd does before it looks at anything else."""
        builder = Builder()
        at = 0
        for match in _VARIABLE.finditer(line):
            builder.write(line[at : match.start()], number, at + 1)
            at = match.end()
            value = self._percent(match[1])
            if value is None:
                self._leave_open(match[0])
            builder.write(match[0] if value is None else value, number, match.start() + 1, moves=value is None)
            if builder.length > LINE_LIMIT:
                break  # it is cut by the caller
        else:
            builder.write(line[at:], number, at + 1)
        if at:
            self._spend(builder.length)
        return builder.text()

    def _leave_open(self, name: str) -> None:
        if len(self.open) < STEP_LIMIT:
            self.open.add(name)

    def _is_open(self, value: str) -> bool:
        """Whether a text holds a variable that is not known."""
        return any(match[0] in self.open for pattern in (_VARIABLE, _DELAYED) for match in pattern.finditer(value))

    def _percent(self, name: str) -> str | None:
        """Return what stands for a name between percent signs, None if that is not known."""
        if name in ("", "%"):
            return name  # a percent sign that begins no variable goes
        arguments = self._frames[-1].arguments
        if name == "*":
            return None if arguments is None else " ".join(arguments[1:])
        if not name.endswith("%"):
            if arguments is None:
                return None
            number = int(name[-1])
            value = arguments[number] if number < len(arguments) else ""
            return value.strip('"') if name.startswith("~") else value
        return self._variable(name[:-1])

    def _variable(self, name: str) -> str | None:
        name, colon, change = name.partition(":")
        value = self._variables.get(name.lower())
        if value is None or not colon:
            return value
        part = _PART.fullmatch(change)
        if part:
            start = int(part[1])
            start = max(0, len(value) + start) if start < 0 else start
            if part[2] is None:
                return value[start:]
            length = int(part[2])
            return value[start:length] if length < 0 else value[start : start + length]
        old, equals, new = change.partition("=")
        if not equals or not old or old.startswith("*"):
            return None
        return re.sub(re.escape(old), lambda _: new, value, flags=re.IGNORECASE)[: LINE_LIMIT + 1]

    # Carrying out

    def _carry_out(self, node: _Node, section: str) -> None:
        if isinstance(node, _Simple):
            self._command(node)
        elif isinstance(node, _Sequence):
            for operator, part in node.parts:
                if operator == "||":
                    self._pass_by(part, "what follows || is carried out only if the command before it fails")
                else:
                    self._carry_out(part, section)
        elif isinstance(node, _If):
            self._branch(node, section)
        else:
            self._loop(node, section)

    def _pass_by(self, node: _Node, why: str) -> None:
        """Say that IPsec commands are passed by."""
        for part in _simples(node):
            if _IPSEC.search(part.text.string):
                line, column = part.text.place(0)
                self.tell("PA143", f"{why}; it is passed by", line, column)

    def _branch(self, node: _If, section: str) -> None:
        left, right = self._substituted(node.left), self._substituted(node.right)
        holds = self._holds(node, left, right)
        if holds is None:
            if any(_IPSEC.search(part.text.string) for part in _simples(node)):
                message = "whether the condition holds is not known here; it is read as if it did"
                if node.otherwise is not None:
                    message += ", and what follows else is passed by"
                self.tell("PA143", message, node.line, node.column)
            holds = True
        if holds:
            self._carry_out(node.then, section)
        elif node.otherwise is not None:
            self._carry_out(node.otherwise, section)

    def _holds(self, node: _If, left: str, right: str) -> bool | None:
        operator = node.operator
        if operator == "defined":
            name = right.strip('"').lower()
            if name in self._unknown:
                return None
            known = name in self._variables
            return (bool(self._variables[name]) != node.negated) if known else None
        if operator in ("errorlevel", "exist", "cmdextversion") or self._is_open(left) or self._is_open(right):
            return None
        if node.fold:
            left, right = left.lower(), right.lower()
        if operator in ("==", "equ", "neq"):
            return ((left == right) != (operator == "neq")) != node.negated
        try:
            one, other = int(left), int(right)
        except ValueError:
            return None
        return {"lss": one < other, "leq": one <= other, "gtr": one > other, "geq": one >= other}[operator] != node.negated

    def _loop(self, node: _For, section: str) -> None:
        if node.switch in ("f", "r", "d"):
            self._pass_by(node.body, f"for /{node.switch} goes over files or the output of programs")
            return
        items: Iterator[str] | list[str]
        source = self._substituted(node.items)
        if node.switch == "l":
            numbers = re.split(r"[\s,;]+", source.strip())
            try:
                start, step, last = (int(number) for number in numbers)
            except ValueError:
                self._pass_by(node.body, "the bounds of the loop are not known")
                return
            if not step:
                self._pass_by(node.body, "the loop has no end")
                return
            items = (str(number) for number in range(start, last + (1 if step > 0 else -1), step))
        else:
            items = _ITEM.findall(source)
            if any(self._is_open(item) for item in items):
                self._pass_by(node.body, "what the loop goes over is not known here")
                return
            if any("*" in item or "?" in item for item in items):
                self.tell("PA143", "a loop goes over the names of files; those are passed by", node.line, node.column)
                items = [item for item in items if "*" not in item and "?" not in item]
        loops = self._frames[-1].loops
        before = loops.get(node.variable)
        for item in items:
            self._step()
            loops[node.variable] = item
            self._carry_out(node.body, section)
        if before is None:
            loops.pop(node.variable, None)
        else:
            loops[node.variable] = before

    def _step(self, length: int = 0) -> None:
        self._steps += 1
        self._spend(length)
        if self._steps > STEP_LIMIT:
            raise TooMuchError(f"loops and subroutines make more than {STEP_LIMIT} commands")

    def _spend(self, length: int) -> None:
        self._work += length
        if self._work > WORK_LIMIT:
            raise TooMuchError(f"variables make more than {WORK_LIMIT >> 20} million characters")

    def _substituted(self, string: str) -> str:
        loops = self._frames[-1].loops
        for name, value in loops.items():
            if f"%{name}" in string or "%~" in string:
                string = string.replace(f"%~{name}", value.strip('"')).replace(f"%{name}", value)[: LINE_LIMIT + 1]
        if self._is_delayed and "!" in string:
            string = _DELAYED.sub(self._delayed, string)
        return string[: LINE_LIMIT + 1]

    def _delayed(self, match: re.Match[str]) -> str:
        """Return what stands for a variable between exclamation marks."""
        value = self._variable(match[0][1:-1])
        if value is None:
            self._leave_open(match[0])
            return match[0]
        return value

    def _put_in(self, text: Text) -> Text:
        """Put in the variables of loops, and those between exclamation marks."""
        loops = self._frames[-1].loops
        delayed = self._is_delayed and "!" in text.string
        if not (loops and "%" in text.string) and not delayed:
            return text
        alternatives = [rf"%~?[{re.escape(''.join(loops))}]"] if loops else []
        if delayed:
            alternatives.append(_DELAYED.pattern)
        builder = Builder()
        at = 0
        for match in re.finditer("|".join(alternatives), text.string):
            builder.add(text, at, match.start())
            at = match.end()
            name = match[0]
            value = loops[name[-1]] if name.startswith("%") else self._delayed(match)
            if name.startswith("%~"):
                value = value.strip('"')
            builder.write(value, *text.place(match.start()), moves=False)
            if builder.length > LINE_LIMIT:
                self.tell("PA145", f"the command is longer than {LINE_LIMIT} characters; it is skipped", *text.place(0))
                return Text("", [])
        builder.add(text, at)
        return builder.text()

    def _command(self, node: _Simple) -> None:
        if self._frames[-1].loops or self._calls:
            self._step(len(node.text.string))
        text = self._put_in(node.text)
        match = _WORD.match(text.string)
        if match is None and not text.string.startswith('"'):
            return
        word = match[0].lower() if match else ""
        if word == "set":
            self._set(text)
        elif word == "setlocal":
            self._is_delayed = self._is_delayed or "enabledelayedexpansion" in text.string.lower()
        elif word == "goto" or word.startswith("goto:"):
            self._jump(text)
        elif word == "call" or word.startswith("call:"):
            self._call(text, node.section)
        else:
            self._handle(Command(text, node.section))

    def _jump(self, text: Text) -> None:
        self._jumps += 1
        if self._jumps == 1:
            line, column = text.place(0)
            message = "goto is not followed: all sections of the script are read, one after the other"
            self.tell("PA143", message, line, column)

    def _call(self, text: Text, section: str) -> None:
        rest = text.string[4:].lstrip()
        if not rest.startswith(":"):
            start = len(text.string) - len(rest)
            if rest and _WORD.match(rest):
                self._command(_Simple(text.part(start, len(text.string)), section))
            return
        parts = _ITEM.findall(rest[1:])
        name = parts[0].lower() if parts else ""
        line, column = text.place(0)
        if name == "eof":
            return
        if name not in self._labels:
            self.tell("PA143", f"there is no label {safe(name)}: the call does nothing", line, column)
            return
        if name in self._calls or len(self._calls) >= DEPTH_LIMIT:
            return  # it calls itself, as menus do
        self._step()
        here, section_before = self._next, self._section
        self._next, self._section = self._labels[name], name
        self._frames.append(_Frame([f":{name}", *parts[1:10]]))
        self._calls.append(name)
        self._next += 1
        self._run(len(self._lines))
        self._calls.pop()
        self._frames.pop()
        self._next, self._section = here, section_before

    def _set(self, text: Text) -> None:
        string = text.string
        total = _SUM.fullmatch(string.rstrip())
        if total is not None:
            self._add_up(total)
            return
        match = _SET.fullmatch(string)
        if match is None:
            named = _NAME.match(string)
            if named is not None:
                self._forget(named[1].lower())
            return
        name = (match[1] or match[3]).lower()
        value = match[2] if match[1] else match[4]
        if self._is_open(value) and f"%{name}%" in value.lower():
            self._forget(name)
            return
        self._unknown.discard(name)
        self._variables[name] = value[:LINE_LIMIT]
        if len(self._variables) > STEP_LIMIT:
            raise TooMuchError("the script sets too many variables")

    def _forget(self, name: str) -> None:
        self._variables.pop(name, None)
        self._unknown.add(name)

    def _add_up(self, match: re.Match[str]) -> None:
        name = match[1].lower()
        terms = [self._number(name) if match[2] else 0, self._number(match[3]), self._number(match[5]) if match[4] else 0]
        if None in terms:
            self._forget(name)
            return
        before, first, second = (term or 0 for term in terms)
        result = _calculated(first, match[4] or "+", second)
        if match[2]:
            result = _calculated(before, match[2], result)
        self._variables[name] = str((result + (1 << 31)) % (1 << 32) - (1 << 31))

    def _number(self, term: str) -> int | None:
        if re.fullmatch(r"-?[0-9]{1,10}", term):
            return int(term)
        if term.lower() in self._unknown:
            return None
        value = self._variables.get(term.lower(), "")
        return int(value) if re.fullmatch(r"-?[0-9]{1,10}", value) else None


class _Parser:
    """Takes one statement apart; blocks take further lines from the batch file."""

    def __init__(self, batch: Batch, text: Text, section: str) -> None:
        self._batch = batch
        self._text = text
        self._at = 0
        self._section = section
        self._opened: list[tuple[int, int]] = []  # where the blocks begin that are not closed yet
        self._is_over = False  # the file ended inside of a block

    def statement(self) -> _Node | None:
        """Return what a line says, None if it says nothing."""
        return self._sequence(0)

    def _sequence(self, depth: int) -> _Node | None:
        parts: list[tuple[str, _Node]] = []
        operator = ""
        while True:
            node = self._element(depth)
            if node is not None:
                parts.append((operator, node))
            operator = self._operator()
            if not operator:
                break
        if not parts:
            return None
        return parts[0][1] if len(parts) == 1 and parts[0][0] != "||" else _Sequence(tuple(parts))

    def _operator(self) -> str:
        string = self._text.string
        if self._at < len(string) and string[self._at] in "&|":
            length = 2 if string[self._at : self._at + 2] in ("&&", "||") else 1
            self._at += length
            return string[self._at - length : self._at]
        return ""

    def _element(self, depth: int) -> _Node | None:
        if depth > DEPTH_LIMIT:
            raise TooMuchError(f"blocks nest more than {DEPTH_LIMIT} deep")
        string = self._text.string
        blanks = _BLANKS.match(string, self._at)
        self._at = blanks.end() if blanks else self._at
        if self._at >= len(string):
            return None
        if string[self._at] == "(":
            self._opened.append(self._text.place(self._at))
            self._at += 1
            block = self._block(depth + 1)
            self._opened.pop()
            self._redirections()
            return block
        word = _WORD.match(string, self._at)
        lower = word[0].lower() if word else ""
        if lower == "rem" or lower.startswith(":"):
            self._at = len(string)
            return None
        if lower == "for":
            loop = self._loop(depth)
            if loop is not None:
                return loop
        elif lower == "if":
            branch = self._branch(depth)
            if branch is not None:
                return branch
        return self._simple()

    def _block(self, depth: int) -> _Node | None:
        """Return the commands up to the closing parenthesis."""
        parts: list[tuple[str, _Node]] = []
        while True:
            node = self._sequence(depth)
            if node is not None:
                parts.append(("&", node))
            string = self._text.string
            if self._at < len(string) and string[self._at] == ")":
                self._at += 1
                break
            if not self._more():
                break
        return _Sequence(tuple(parts)) if parts else None

    def _more(self) -> bool:
        """Go to the next line."""
        if self._is_over:
            return False
        text = self._batch.logical()
        if text is None:
            self._is_over = True
            line, column = self._opened[-1] if self._opened else self._text.place(0)
            self._batch.tell("PA142", "the script ends inside of a block in parentheses", line, column)
            return False
        self._text, self._at = text, 0
        return True

    def _redirections(self) -> None:
        string = self._text.string
        while True:
            blanks = _BEFORE.match(string, self._at)
            at = blanks.end() if blanks else self._at
            match = _REDIRECTION.match(string, at)
            if match is None:
                rest = _GAP.match(string, self._at)
                self._at = rest.end() if rest else self._at
                return
            self._at = match.end()

    def _simple(self) -> _Node | None:
        string = self._text.string
        builder = Builder()
        at, end = self._at, len(string)
        while at < end:
            character = string[at]
            if character == '"':
                close = string.find('"', at + 1)
                close = end if close < 0 else close + 1
                builder.add(self._text, at, close)
                at = close
            elif character == "^":
                if at + 1 < end:
                    builder.add(self._text, at + 1, at + 2)
                at += 2
            elif character in "&|" or (character == ")" and self._opened):
                break
            elif character in "<>":
                if re.fullmatch(r"\s?\d", builder.last()):
                    builder.drop()
                match = _REDIRECTION.match(string, at)
                at = match.end() if match else at + 1
            else:
                run = _RUN.match(string, at)
                stop = run.end() if run else at + 1
                builder.add(self._text, at, stop)
                at = stop
        self._at = at
        return _Simple(builder.text(), self._section) if builder.length else None

    def _loop(self, depth: int) -> _Node | None:
        match = _FOR.match(self._text.string, self._at)
        if match is None:
            return None
        line, column = self._text.place(self._at)
        self._at = match.end()
        items: list[str] = []
        length = 0
        while True:
            string = self._text.string
            close = _closing(string, self._at)
            items.append(string[self._at : close])
            length += close - self._at
            self._at = close + 1
            if close < len(string):
                break
            if length > LINE_LIMIT:
                raise TooMuchError("the list of a loop is too long")
            if not self._more():
                break
        do = _DO.match(self._text.string, self._at)
        if do is None:
            self._batch.tell("PA142", "the loop has no do", line, column)
            self._at = len(self._text.string)
            return _Sequence(())
        self._at = do.end()
        body = self._sequence(depth + 1)
        return _For((match[1] or "").lower(), match[2], " ".join(items), line, column, body or _Sequence(()))

    def _branch(self, depth: int) -> _Node | None:
        string = self._text.string
        head = _IF.match(string, self._at)
        if head is None:
            return None
        unary = _UNARY.match(string, head.end())
        binary = None if unary else _BINARY.match(string, head.end())
        condition = unary or binary
        if condition is None:
            return None
        line, column = self._text.place(self._at)
        operator = (unary[1] if unary else binary[2] if binary else "").strip().lower()
        left, right = ("", unary[2]) if unary else (binary[1], binary[3]) if binary else ("", "")
        self._at = condition.end()
        is_block = self._text.string[self._at : self._at + 1] == "("
        then = self._element(depth + 1) if is_block else self._sequence(depth + 1)
        otherwise: _Node | None = None
        match = _ELSE.match(self._text.string, self._at) if is_block else None
        if match is not None:
            self._at = match.end()
            otherwise = self._sequence(depth + 1)
        nothing = _Sequence(())
        fold = bool(head[1] or head[3])
        return _If(bool(head[2]), fold, operator, left, right, line, column, then or nothing, otherwise)


def _closing(string: str, at: int) -> int:
    """Return where a parenthesis closes, the end of the string if it does not."""
    while at < len(string):
        if string[at] == '"':
            close = string.find('"', at + 1)
            at = len(string) if close < 0 else close + 1
        elif string[at] == ")":
            return at
        else:
            at += 1
    return len(string)


def _simples(node: _Node) -> Iterator[_Simple]:
    if isinstance(node, _Simple):
        yield node
    elif isinstance(node, _Sequence):
        for _, part in node.parts:
            yield from _simples(part)
    elif isinstance(node, _If):
        yield from _simples(node.then)
        if node.otherwise is not None:
            yield from _simples(node.otherwise)
    else:
        yield from _simples(node.body)


def _label(line: str) -> str:
    """Return the name of a label; a colon with a blank behind it is a remark."""
    match = re.match(r":([^\s:+&|<>()]+)", line)
    return match[1].lower() if match else ""


def _returns(line: str) -> bool:
    return re.match(r"(?i)@?\s*(?:exit\b|goto\s*:eof\b)", line) is not None


def _ends_in_caret(string: str) -> bool:
    if not string.endswith("^"):
        return False
    carets = len(string) - len(string.rstrip("^"))
    return carets % 2 == 1 and string.count('"') % 2 == 0


def _calculated(one: int, operator: str, other: int) -> int:
    return one - other if operator == "-" else one * other if operator == "*" else one + other
