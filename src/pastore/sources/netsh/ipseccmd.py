"""Lines of ipseccmd (Windows XP) and ipsecpol (Windows 2000).

With ``-w REG`` a line adds a rule to a policy of the store, which it makes when it is missing; a rule of the same name is
replaced. Without ``-w`` it is meant for the running service, where rules have no policy: they are read into a policy of the
name that is given, else one called ``ipseccmd``, since what they do to packets is the same. Filters are written
``source/mask:port=destination/mask:port:protocol``; ``+`` for ``=`` mirrors, ``0`` is this computer, ``*`` any; in brackets a
filter blocks, in parentheses it permits.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from pastore.model import (
    ANY_PORT,
    Action,
    Address,
    AddressKind,
    AuthKind,
    AuthMethod,
    Filter,
    InterfaceType,
    IPAddress,
    Offer,
    Ports,
    Secret,
)
from pastore.sources.log import FindingLog, quoted
from pastore.sources.netsh import values
from pastore.sources.netsh.arguments import Call, RefusedError
from pastore.sources.netsh.static import Static, looks_like_range
from pastore.sources.netsh.store import (
    DEFAULT_OFFERS,
    KERBEROS,
    ActionNode,
    ListNode,
    PolicyNode,
    ResponseNode,
    RuleNode,
    guid,
    key,
)
from pastore.sources.netsh.text import Text, Word, has_secret

DYNAMIC: Final = "ipseccmd"
_FLAGS: Final = frozenset(("x", "y", "o", "u", "soft", "confirm", "dialup", "lan", "1p", "?"))
_VALUES: Final = frozenset(("w", "p", "r", "f", "n", "t", "a", "1s", "1k", "1e", "1f"))
_ACTIONS: Final = {"BLOCK": Action.BLOCK, "PASS": Action.ALLOW, "INPASS": Action.PROTECT}
_WILD: Final = re.compile(r"(\d{1,3})\.(\d{1,3}|\*)\.(\d{1,3}|\*)\.\*")
_OFFER: Final = re.compile(
    r"((?:ESP|AH)\[[^\]]*\](?:\+(?:ESP|AH)\[[^\]]*\])*)(?::?(\d{1,10})K)?(?:[:/]?(\d{1,10})S)?(P)?", re.IGNORECASE
)
_AUTH: Final = re.compile(r"(PRESHARE|P|KERBEROS|K|CERT|C)(?::(.*))?", re.IGNORECASE | re.DOTALL)


@dataclass(slots=True)
class _Options:
    """What follows the dashes of a line."""

    flags: dict[str, Word] = field(default_factory=dict)
    values: dict[str, list[Word]] = field(default_factory=dict)

    def one(self, name: str) -> Word | None:
        words = self.values.get(name)
        return words[0] if words else None


class IpsecCmd:
    """Carries out ipseccmd.

    Parameters
    ----------
    static : Static
        Whose store it works on.
    """

    def __init__(self, static: Static) -> None:
        self._static = static

    def command(self, text: Text, typed: Sequence[Word], section: str, log: FindingLog) -> None:
        """Carry out a line."""
        call = Call("ipseccmd", text, section, log, {}, [], has_secret(text.string) or "-a" in text.string.lower(), set())
        try:
            self._run(call, typed[1:])
        except RefusedError as error:
            line, column = (error.word.line, error.word.column) if error.word is not None else text.place(0)
            option, colon, _ = str(error).partition(": ")
            hidden = call.is_secret and colon and option.startswith("-")
            log.add(error.code, f"{option}: its value is not understood" if hidden else str(error), line=line, column=column)

    def _run(self, call: Call, typed: Sequence[Word]) -> None:
        if typed and typed[0].string.startswith("\\\\"):
            call.add("PA143", "another computer is meant; the command is passed by", typed[0])
            return
        if not typed or typed[0].lower in ("show", "help", "-?", "/?"):
            return
        options = self._options(call, typed)
        if "u" in options.flags:
            self._static.store.policies.pop(key(DYNAMIC), None)
            return
        stored = options.one("w")
        if stored is not None and not stored.lower.startswith(("reg", "pers")):
            call.add("PA143", "a directory is meant; the command is passed by", stored)
            return
        policy = self._policy(call, options)
        if policy is None:
            return
        if options.values.get("f"):
            self._rule(call, options, policy)
        elif options.values.get("n"):
            self._response(call, options, policy)
        store = self._static.store
        if "x" in options.flags or (policy.name == DYNAMIC and not any(other.assigned for other in store.policies.values())):
            store.assign(policy)
        elif "y" in options.flags:
            policy.assigned = False

    def _options(self, call: Call, typed: Sequence[Word]) -> _Options:
        options = _Options()
        current = ""
        for word in typed:
            name = word.lower[1:] if word.string[:1] in "-/" and not word.is_quoted else ""
            if name in _FLAGS:
                options.flags[name] = word
                current = ""
            elif name in _VALUES:
                current = name
                options.values.setdefault(name, [])
            elif current and not (current in ("w", "p", "r", "t") and options.values[current]):
                options.values[current].append(word)
            elif name:
                raise RefusedError(
                    f"ipseccmd has no option {quoted(word.string)}" if not call.is_secret else "there is an unknown option", word
                )
            else:
                call.add(
                    "PA325",
                    f"{quoted(word.string) if not call.is_secret else 'a word'} belongs to no option: it is ignored",
                    word,
                )
        return options

    def _policy(self, call: Call, options: _Options) -> PolicyNode | None:
        """Return the policy that a line is about, made where it is missing."""
        store = self._static.store
        named = options.one("p")
        if named is None and "w" in options.values:
            raise RefusedError("-w needs -p and the name of a policy", options.one("w"))
        name, colon, interval = (named.string if named else DYNAMIC).rpartition(":")
        polling = 0
        if colon and interval.isascii() and interval.isdigit() and len(interval) < 7:
            polling = int(interval)
        else:
            name = named.string if named else DYNAMIC
        if named is not None and not name:
            raise RefusedError("-p has no name of a policy", named)
        node = store.policies.get(key(name))
        if "o" in options.flags:
            if node is None:
                call.add("PA322", f"there is no policy {call.show(name)} to delete")
            else:
                del store.policies[key(name)]
            return None
        if node is None:
            if not options.values.get("f") and not options.values.get("n"):
                raise RefusedError(f"there is no policy {call.show(name)}", named, "PA322")
            node = store.policies[key(name)] = PolicyNode(name, origin=call.origin(), section=call.section)
        if polling:
            node.polling = polling
        self._main_mode(call, options, node)
        return node

    def _main_mode(self, call: Call, options: _Options, node: PolicyNode) -> None:
        if "1p" in options.flags:
            node.pfs, node.limit = True, 1
        if options.values.get("1s"):
            try:
                node.methods = values.main_mode_methods(" ".join(word.string for word in options.values["1s"]))
            except values.BadValueError as error:
                raise RefusedError(f"-1s: {error}", options.one("1s")) from None
        life = options.one("1k")
        for digits, unit in re.findall(r"(\d{1,6})([QS])", life.string, re.IGNORECASE) if life else ():
            if unit.upper() == "Q":
                node.limit = int(digits)
            else:
                node.lifetime = max(1, int(digits) // 60)

    def _rule(self, call: Call, options: _Options, policy: PolicyNode) -> None:
        named = options.one("r")
        policy.made += 1
        name = named.string if named else f"{policy.name} {policy.made}"
        by_action: dict[Action | None, list[Filter]] = {}
        count = 0
        for word in options.values["f"]:
            for part in word.string.split():
                count += 1
                kind, made = self._filter(call, part, word, name, count)
                by_action.setdefault(kind, []).append(made)
        auth, tunnel = self._auth(options), self._tunnel(options)
        actions = {
            kind: self._action(call, options, name) if kind is None else ActionNode(_word(kind), "", kind) for kind in by_action
        }
        for at, (kind, filters) in enumerate(by_action.items()):
            label = name if len(by_action) == 1 else f"{name} ({_word(kind) if kind else 'rest'})"
            node = ListNode(label, filters=filters, origin=call.origin(), section=call.section)
            known = policy.rules.get(key(label))
            policy.made += bool(at)
            rule = RuleNode(
                label,
                node,
                actions[kind],
                tunnel=tunnel,
                interface_type=InterfaceType.RAS
                if "dialup" in options.flags
                else InterfaceType.LAN
                if "lan" in options.flags
                else InterfaceType.ALL,
                auth_methods=auth,
                origin=call.origin(),
                section=call.section,
                number=known.number if known else policy.made,
            )
            if known is not None and rule.filter_list.filters != known.filter_list.filters:
                call.add("PA321", f"there is a rule {call.show(label)} already; this one takes its place")
            policy.rules[key(label)] = rule

    def _action(self, call: Call, options: _Options, name: str) -> ActionNode:
        given = options.values.get("n") or []
        soft = "soft" in options.flags
        if not given:
            if "w" in options.values:
                raise RefusedError("the rule needs -n and an action")
            return ActionNode(f"{name} negotiation", soft=soft, offers=DEFAULT_OFFERS, origin=call.origin())
        first = given[0].string
        if first.upper() in _ACTIONS and first not in _ACTIONS:
            call.add(
                "PA325", f"{quoted(first)} is not in capitals, as ipseccmd wants it; it is read as {first.upper()}", given[0]
            )
        if first.upper() in ("BLOCK", "PASS"):
            kind = _ACTIONS[first.upper()]
            return ActionNode(_word(kind), "", kind, origin=call.origin())
        inpass = first.upper() == "INPASS"
        offers = tuple(self._offer(word) for word in (given[1:] if inpass else given))
        return ActionNode(f"{name} negotiation", inpass=inpass, soft=soft, offers=offers or DEFAULT_OFFERS, origin=call.origin())

    def _offer(self, word: Word) -> Offer:
        match = _OFFER.fullmatch(word.string)
        if match is None:
            raise RefusedError("-n is none of BLOCK, PASS, INPASS and no method like ESP[3DES,SHA]", word)
        life = "/".join(part for part in (f"{match[2]}k" if match[2] else "", f"{match[3]}s" if match[3] else "") if part)
        try:
            (offer,) = values.offers(re.sub(r"\s", "", match[1]) + (f":{life}" if life else ""), pfs=bool(match[4]))
        except values.BadValueError as error:
            raise RefusedError(f"-n: {error}", word) from None
        return offer

    def _response(self, call: Call, options: _Options, policy: PolicyNode) -> None:
        """A line with methods and no filters sets the default response rule."""
        offers = tuple(self._offer(word) for word in options.values["n"])
        policy.response = ResponseNode(True, offers=offers, auth_methods=self._auth(options), origin=call.origin())

    def _auth(self, options: _Options) -> tuple[AuthMethod, ...]:
        methods = []
        for word in options.values.get("a", ()):
            match = _AUTH.fullmatch(word.string)
            if match is None:
                raise RefusedError("-a is none of KERBEROS, CERT: and PRESHARE:", word)
            kind, value = match[1].upper()[0], match[2] or ""
            if kind == "K":
                methods.append(AuthMethod(AuthKind.KERBEROS))
            elif not value:
                raise RefusedError("-a has no value behind its colon", word)
            elif kind == "P":
                methods.append(AuthMethod(AuthKind.PRESHARED_KEY, Secret(value)))
            else:
                methods.append(AuthMethod(AuthKind.CERTIFICATE, None, value))
        return tuple(methods) or KERBEROS

    def _tunnel(self, options: _Options) -> tuple[IPAddress | None, str] | None:
        word = options.one("t")
        if word is None:
            return None
        try:
            return values.tunnel(word.string)
        except values.BadValueError as error:
            raise RefusedError(f"-t: {error}", word) from None

    # Filters

    def _filter(self, call: Call, string: str, word: Word, name: str, number: int) -> tuple[Action | None, Filter]:
        kind = None
        for opening, closing, what in (("[", "]", Action.BLOCK), ("(", ")", Action.ALLOW)):
            if string.startswith(opening) and string.endswith(closing):
                kind, string = what, string[1:-1]
        match = re.fullmatch(r"([^=+]+)([=+])([^=+]+)", string)
        if match is None:
            raise RefusedError(f"{call_quoted(call, string)} is no filter like *=0:445:TCP", word)
        before, after = match[1].split(":"), match[3].split(":")
        if len(before) > 2 or len(after) > 3:
            raise RefusedError(f"{call_quoted(call, string)} is no filter like *=0:445:TCP", word)
        before += [""] * (2 - len(before))
        after += [""] * (3 - len(after))
        try:
            src, dst = self._end(before[0]), self._end(after[0])
            sport, dport = self._port(before[1]), self._port(after[1])
            protocol = values.protocol(after[2]) if after[2] else 0
        except values.BadValueError as error:
            raise RefusedError(f"-f: {error}", word) from None
        if not (sport.is_any or dport.is_any) and looks_like_range(sport, dport):
            message = f"the ports {sport.low} and {dport.low} look like the range {sport.low}-{dport.low}"
            call.add("PA324", f"{message}; the filter matches packets from one to the other only", word)
        return kind, Filter(guid("filter", name, number), src, dst, protocol, sport, dport, match[2] == "+", origin=call.origin())

    def _end(self, string: str) -> Address:
        host, _, mask = string.partition("/")
        if host == "0":
            return Address(AddressKind.ME)
        if host == "*":
            return Address(AddressKind.ANY)
        wild = _WILD.fullmatch(host)
        if wild is not None:
            bits = 8 * (4 - host.count("*"))
            return values.end(host.replace("*", "0"), str(bits)).address
        return values.end(host, mask or None).address

    def _port(self, string: str) -> Ports:
        return ANY_PORT if string in ("", "*") else values.port(string)


def call_quoted(call: Call, string: str) -> str:
    """Return a piece of a line for a message, unless the line may hold a key."""
    return "the value of -f" if call.is_secret else quoted(string)


def _word(kind: Action) -> str:
    return {Action.ALLOW: "PASS", Action.BLOCK: "BLOCK"}[kind]
