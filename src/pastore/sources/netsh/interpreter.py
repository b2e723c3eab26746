"""From the lines of a script to policies: which lines are commands of whom, and in which context of netsh they are given."""

import re
from collections.abc import Sequence
from itertools import pairwise
from typing import Final

from pastore.findings import Finding
from pastore.model import Origin, Policy
from pastore.sources.log import FindingLog, quoted
from pastore.sources.netsh import grammar, ipseccmd
from pastore.sources.netsh.arguments import RefusedError, call
from pastore.sources.netsh.batch import LINE_LIMIT, Batch, Command
from pastore.sources.netsh.dynamic import Dynamic
from pastore.sources.netsh.ipseccmd import IpsecCmd
from pastore.sources.netsh.static import Static
from pastore.sources.netsh.store import Store
from pastore.sources.netsh.text import Builder, Mark, Text, TooMuchError, Word, safe, shown, words

_PROMPT: Final = re.compile(r"\s*(?:PS )?[A-Za-z]:\\[^<>|]*>\s*(?=netsh\b|ipsec(?:cmd|pol)\b)", re.IGNORECASE)
_NETSH_PROMPT: Final = re.compile(r"\s*netsh(?: \w+){0,2}>\s*", re.IGNORECASE)
_PROGRAM: Final = re.compile(r"(?:.*[\\/])?(netsh|ipseccmd|ipsecpol)(?:\.exe)?", re.IGNORECASE)
_BATCH: Final = re.compile(
    r"(?<![\w.#-])(?:netsh(?:\.exe)?[\"' \t^]+(?:-\S+[ \t]+\S+[ \t]+)*\"?(?:ipsec|static|dynamic)\b"
    r"|ipsec(?:cmd|pol)(?:\.exe)?[ \t\"])",
    re.IGNORECASE,
)
_ARGUMENT: Final = re.compile(r"^%[0-9*]")  # a trick to start again in another window
# A command in a string of another language; two quotes in it are one.
_IN_STRING: Final = re.compile(
    r'"((?:\S*[\\/])?(?:netsh(?:\.exe)?[ \t]+ipsec|ipsec(?:cmd|pol)(?:\.exe)?)[ \t](?:[^"]|"")*)"', re.IGNORECASE
)
_VBSCRIPT: Final = re.compile(
    r"^[ \t]*(?:dim[ \t]|option explicit|on error resume|wscript\.|set[ \t]+\w+[ \t]*=[ \t]*(?:createobject|wscript))",
    re.IGNORECASE | re.MULTILINE,
)
_GLUED: Final = re.compile(r".*netsh(?:\.exe)?", re.IGNORECASE)

# Words of cmd and programs of Windows that have no part in IPsec policy. Whatever else a script starts is a finding.
_KNOWN: Final = frozenset(
    """
    assoc attrib auditpol break cacls cd chcp chdir choice cls color compact copy date del dir endlocal erase exit
    explorer fc find findstr fsutil ftype gpresult gpupdate hostname icacls ipconfig logoff md mkdir mklink mode more
    move msg mshta nbtstat net net1 netstat nslookup path pause ping popd powercfg prompt pushd rd reg regedit regsvr32
    ren rename rmdir route runas sc schtasks setx shift shutdown sleep sort start systeminfo taskkill tasklist time
    timeout title tracert tree type ver vol wevtutil where whoami wmic write-host write-output xcopy out-null
    """.split()  # noqa: SIM905
)
_WRAPPERS: Final = ("start", "cmd", "cmd.exe")
_OTHER_CONTEXTS: Final = frozenset(
    """
    advfirewall branchcache bridge dhcp dhcpclient dnsclient firewall http int interface ip ipv4 ipv6 lan mbn namespace nap netio
    p2p portproxy ras routing rpc trace wfp winhttp wins winsock wlan
    """.split()  # noqa: SIM905
)


class Interpreter:
    """Reads one script.

    Parameters
    ----------
    text : str
    log : FindingLog
    """

    def __init__(self, text: str, log: FindingLog) -> None:
        self._log = log
        self._lines = [line.removesuffix("\r") for line in text.replace("\r\n", "\n").replace("\0", " ").split("\n")]
        self.is_batch = _BATCH.search(text) is not None
        self._is_vbscript = _VBSCRIPT.search(text) is not None
        if self.is_batch:  # commands copied from a console
            self._lines = [_PROMPT.sub(_blanks, line, count=1) for line in self._lines]
        self._batch = Batch(self._lines, log, self._command) if self.is_batch else None
        self._static = Static(is_menu=self._batch.is_menu if self._batch else False)
        self._dynamic = Dynamic()
        self._ipseccmd = IpsecCmd(self._static)
        self._commands = 0
        self._last_unknown = 0

    def run(self) -> None:
        """Carry out the script."""
        try:
            if self._batch is not None:
                self._batch.run()
            else:
                self._netsh_file()
        except TooMuchError as error:
            self._log.add("PA145", f"{error}; what follows is not read")

    def policies(self) -> tuple[Policy, ...]:
        """Return the policies that the script makes, with the findings about them."""
        exempt = self._dynamic.exempt
        policies: list[Policy] = []
        for store in self._static.stores.values():
            policies += self._finished(store, exempt)
        dynamic = self._dynamic.policy(self._log, is_only=not any(policy.assigned for policy in policies))
        return (*policies, *([dynamic] if dynamic else []))

    def has_commands(self) -> bool:
        """Whether there was any IPsec command."""
        return self._commands > 0

    def _finished(self, store: Store, exempt: int | None) -> list[Policy]:
        used: set[int] = set()
        for policy in store.policies.values():
            place = policy.origin
            if not policy.rules:
                self._at("PA323", f"the policy {quoted(policy.name)} has no rules when the script ends: it does nothing", place)
            if not policy.assigned and store.location == "local" and policy.name != ipseccmd.DYNAMIC:
                self._at("PA309", f"the script does not assign the policy {quoted(policy.name)}", place)
            for rule in policy.rules.values():
                used.update((id(rule.filter_list), id(rule.filter_action)))
        for kind, nodes in (("filter list", store.lists), ("filter action", store.actions)):
            for node in nodes.values():
                if id(node) not in used:
                    self._at("PA136", f"no rule uses the {kind} {quoted(node.name)}", node.origin)
        return [policy.frozen(exempt) for policy in store.policies.values()]

    def _at(self, code: str, message: str, origin: Origin) -> None:
        self._log.add(code, message, line=origin.line, column=origin.column)

    # Lines of a file for netsh -f

    def _netsh_file(self) -> None:
        stack: list[tuple[str, ...]] = []
        context: tuple[str, ...] = ()
        for number, line in enumerate(self._lines, 1):
            prompt = _NETSH_PROMPT.match(line)
            start = prompt.end() if prompt else 0
            stripped = line[start:].strip()
            if not stripped or stripped.startswith(("#", "::")) or re.match(r"(?i)@?rem\b", stripped):
                continue
            start = line.index(stripped, start)
            if len(stripped) > LINE_LIMIT:
                self._log.add(
                    "PA145", f"the command is longer than {LINE_LIMIT} characters; it is skipped", line=number, column=1
                )
                continue
            text = Text(stripped, [Mark(0, number, start + 1)])
            typed = words(text)
            first = typed[0].lower if typed else ""
            if first in ("exit", "quit", "bye"):
                return
            if first == "popd":
                context = stack.pop() if stack else ()
            elif first == "pushd":
                stack.append(context)
                del stack[:-1000]
                context, rest = self._enter(context, typed[1:])
                if rest:
                    self._unknown(text)
            elif first == "..":
                context = context[:-1]
            elif first in _OTHER_CONTEXTS and not (context and context[0] == "ipsec" and first in context):
                context = ("other",) if len(typed) == 1 else context
            elif first in ("abort", "commit", "offline", "online"):
                continue
            else:
                inside, rest = self._enter(context, typed)
                if not rest:
                    context = inside
                elif len(inside) == 2 and inside[0] == "ipsec":
                    self._context_command(inside[1], rest, text, "")
                elif inside != ("other",):
                    self._unknown(text)

    def _enter(self, context: tuple[str, ...], typed: Sequence[Word]) -> tuple[tuple[str, ...], list[Word]]:
        """Return the context that the first words of a command lead to, and the words behind them."""
        rest = list(typed)
        if rest and rest[0].lower == "netsh":
            rest.pop(0)
        if rest and rest[0].lower == "ipsec":
            context = ("ipsec",)
            rest.pop(0)
        if rest and context == ("ipsec",):
            name = grammar.meant(rest[0].string, ("static", "dynamic"))
            if isinstance(name, str):
                context = ("ipsec", name)
                rest.pop(0)
        elif rest and len(context) == 2 and rest[0].lower in ("static", "dynamic"):
            context = ("ipsec", rest.pop(0).lower)
        elif rest and rest[0].lower in _OTHER_CONTEXTS and not context:
            return ("other",), []
        return context, rest

    def _unknown(self, text: Text) -> None:
        line, column = text.place(0)
        if line == self._last_unknown:
            return  # one piece of it was told
        self._last_unknown = line
        first = text.string.split(None, 1)[0]
        self._log.add(
            "PA142",
            f"{safe(first[:40], text.string)} begins no command that is known here; the line is skipped",
            line=line,
            column=column,
        )

    # Commands of a batch file

    def _command(self, command: Command) -> None:
        text = command.text
        typed = words(text)
        while typed and typed[0].lower.strip("&'.") in _WRAPPERS:
            at = next((at for at, word in enumerate(typed) if _PROGRAM.fullmatch(word.string)), 0)
            if not at:
                break
            typed = typed[at:]
        if not typed:
            return
        program = _PROGRAM.fullmatch(typed[0].string)
        if program is None:
            self._other(text, typed, command.section)
        elif program[1].lower() == "netsh":
            self._netsh(text, typed, command.section)
        else:
            self._commands += 1
            self._ipseccmd.command(text, typed, command.section, self._log)

    def _other(self, text: Text, typed: Sequence[Word], section: str) -> None:
        """Pass by a command of something else, and say so where it may matter."""
        if typed[0].string.startswith(("'", "#")):
            return  # a remark of VBScript or PowerShell
        name = re.split(r"[\\/]", _ARGUMENT.sub("", typed[0].lower))[-1].removesuffix(".exe").removesuffix(".com")
        if name == "reg" and len(typed) > 1 and typed[1].lower == "add" and "nodefaultexempt" in text.string.lower():
            self._dynamic.registry(typed, self._log)
            return
        if name.startswith("echo") or name in _KNOWN:
            return
        inside = _IN_STRING.search(text.string)
        if inside is not None:
            builder = Builder()
            for part in re.finditer(r'""|[^"]+', inside[1]):
                builder.add(text, inside.start(1) + part.start() + (part[0] == '""'), inside.start(1) + part.end())
            self._command(Command(builder.text(), section))
        elif not self._is_vbscript:
            self._unknown(text)

    def _netsh(self, text: Text, typed: Sequence[Word], section: str) -> None:
        rest = list(typed[1:])
        context: tuple[str, ...] = ()
        while rest and rest[0].string[:1] in "-/" and len(rest[0].string) == 2:
            option = rest.pop(0)
            value = rest.pop(0) if rest else None
            if option.lower[1] == "c" and value is not None:
                context, _ = self._enter((), [Word(part, value.line, value.column) for part in value.string.split()])
            elif option.lower[1] in "rf":
                line, column = option.line, option.column
                what = "another computer is meant" if option.lower[1] == "r" else "the commands are in another file"
                self._log.add("PA143", f"{what}; the command is passed by", line=line, column=column)
                return
        if not rest:
            return
        context, rest = self._enter(context, rest)
        if len(context) == 2 and rest:
            self._context_command(context[1], rest, text, section)
        elif context[:1] == ("ipsec",) and not (rest and rest[0].lower in ("dump", "help", "?", "/?", "-?")):
            self._commands += 1
            line, column = text.place(0)
            if not rest:
                message = "netsh waits for commands here, and does not take them from the lines that follow"
            else:
                message = f"netsh ipsec has no context {safe(rest[0].string, text.string)}; it has static and dynamic"
            self._log.add("PA141", message, line=line, column=column)
        elif not context and rest and rest[0].lower not in _OTHER_CONTEXTS | {"dump", "show", "add", "delete", "set", "exec"}:
            close = grammar.close_to(rest[0].string, ("ipsec",))
            if close:
                self._commands += 1
                line, column = rest[0].line, rest[0].column
                message = f"netsh has no context {safe(rest[0].string, text.string)}; did you mean ipsec?"
                self._log.add("PA141", message, line=line, column=column)

    # Commands of IPsec

    def _context_command(self, context: str, typed: Sequence[Word], text: Text, section: str) -> None:
        self._commands += 1
        try:
            self._refusable(context, typed, text, section)
        except RefusedError as error:
            line, column = (error.word.line, error.word.column) if error.word is not None else text.place(0)
            self._log.add(error.code, str(error), line=line, column=column)

    def _refusable(self, context: str, typed: Sequence[Word], text: Text, section: str) -> None:
        for before, word in pairwise(typed):
            if word.lower == "ipsec" and _GLUED.fullmatch(before.string):
                raise RefusedError("a second command begins here, on the same line: neither is carried out", before, "PA326")
        known = grammar.CONTEXTS[context]
        verb = self._meant(typed[0], list(known), f"netsh ipsec {context}", text)
        objects = known[verb]
        rest = typed[1:]
        kind = ""
        if "" not in objects:
            if not rest:
                raise RefusedError(f"{verb} needs one of {shown(objects, 'or')}", typed[0])
            kind = self._meant(rest[0], list(objects), verb, text)
            rest = rest[1:]
        handlers = self._static.commands if context == "static" else self._dynamic.commands
        handle = handlers.get((verb, kind))
        if handle is None:
            return
        needed = grammar.NEEDED[context].get((verb, kind), ())
        slots = objects[kind]
        if verb == "delete" and "name" in slots and len(rest) == 1 and "=" not in rest[0].string:
            slots = tuple(sorted(slots, key=lambda slot: slot != "name"))
        name = f"{verb} {kind}".strip()
        unknown = self._batch.open if self._batch is not None else ()
        handle(call(name, text, section, self._log, rest, slots, needed, unknown))

    def _meant(self, word: Word, known: list[str], where: str, text: Text) -> str:
        name = grammar.meant(word.string, [each for each in known if each])
        if isinstance(name, str):
            return name
        typed = safe(word.string, text.string)
        if name:
            raise RefusedError(f"{typed} may be {shown(name, 'or')}", word)
        close = grammar.close_to(word.string, known)
        hint = f"; did you mean {close[0]}?" if close else ""
        raise RefusedError(f"{where} has no {typed}{hint}", word)


def finding_without_commands(source: str) -> Finding:
    """Return what to say of a script without any IPsec command."""
    return Finding("PA103", "there is no IPsec command in the script", Origin(source))


def _blanks(match: re.Match[str]) -> str:
    return " " * len(match[0])
