"""Cases of ``pastore test``: a policy, packets and what is expected of them, as YAML."""

import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from pastore.packets.packet import Packet

MOST_BYTES: Final = 4 << 20
_ACTIONS: Final = ("none", "allow", "block", "protect")
_CASE: Final = (
    "name",
    "policy",
    "select",
    "format",
    "me",
    "dns",
    "wins",
    "dhcp",
    "gateway",
    "target",
    "order",
    "default_exempt",
    "packets",
    "flows",
)
_TARGETS: Final = ("2000", "xp", "2003", "vista")
_ORDERS: Final = ("weight", "first-match")


class CaseError(Exception):
    """A case file that cannot be used; the message says where and why."""


@dataclass(frozen=True, slots=True)
class Expectation:
    """One packet, or one flow, and what is to happen to it.

    Parameters
    ----------
    text : str
        The packet or the flow.
    action : str
    line : int
    rule : str, optional
        Label of the rule that is to decide.
    any_rule : bool
        Whether it does not matter which rule decides.
    flow : bool
        Whether `text` is a flow.
    """

    text: str
    action: str
    line: int
    rule: str | None = None
    any_rule: bool = True
    flow: bool = False


@dataclass(frozen=True, slots=True)
class Case:
    """A policy and what is expected of it.

    Parameters
    ----------
    file : str
    line : int
    name : str
    policy : str
        Source, relative to the folder of the file.
    options : dict
        How it is loaded and compiled.
    expectations : tuple of Expectation
    """

    file: str
    line: int
    name: str
    policy: str
    options: dict[str, Any] = field(default_factory=dict)
    expectations: tuple[Expectation, ...] = ()


def read_cases(path: str) -> list[Case]:
    """Read a file of cases.

    Parameters
    ----------
    path : str
        YAML: a case, a list of cases, or several documents. A case has ``policy`` and ``packets`` or ``flows``; the other
        keys are ``name``, ``select`` (which policy of the source), ``format``, ``me``, ``dns``, ``wins``, ``dhcp``,
        ``gateway``, ``target``, ``order`` and ``default_exempt``.

    Raises
    ------
    CaseError
        If it cannot be read or is no such file; the message begins with the place.
    """
    import yaml

    try:
        with open(path, "rb") as file:
            content = file.read(MOST_BYTES + 1)
    except (OSError, ValueError) as error:
        raise CaseError(f"{path}: {getattr(error, 'strerror', None) or error}") from None
    if len(content) > MOST_BYTES:
        raise CaseError(f"{path}: more than {MOST_BYTES >> 20} MiB")
    cases: list[Case] = []
    try:
        # Not the loader in C: it goes as deep as the text does, and the stack does not.
        for document in yaml.compose_all(content, yaml.SafeLoader):
            for node in document.value if isinstance(document, yaml.SequenceNode) else [document]:
                cases.append(_case(path, node))
    except RecursionError:
        raise CaseError(f"{path}: nested too deeply") from None
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        place = f"{path}:{mark.line + 1}:{mark.column + 1}" if mark else path
        raise CaseError(f"{place}: not valid YAML: {getattr(error, 'problem', None) or str(error).splitlines()[0]}") from None
    except ValueError as error:  # UnicodeDecodeError, from bytes that are no text
        raise CaseError(f"{path}: {error}") from None
    if not cases:
        raise CaseError(f"{path}: no cases")
    return cases


def _case(path: str, node: Any) -> Case:
    values = _mapping(path, node, _CASE, "a case")
    line = node.start_mark.line + 1
    if "policy" not in values:
        raise CaseError(f"{path}:{line}: a case needs a policy")
    options: dict[str, Any] = {}
    for key in ("me", "dns", "wins", "dhcp", "gateway"):
        if key in values:
            options[key] = _texts(path, key, values[key])
    for key in ("select", "format"):
        if key in values:
            options[key] = _text(path, key, values[key])
    for key, allowed in (("target", _TARGETS), ("order", _ORDERS), ("default_exempt", ("0", "1", "2", "3"))):
        if key in values:
            options[key] = _choice(path, key, values[key], allowed)
    if "default_exempt" in options:
        options["default_exempt"] = int(options["default_exempt"])
    expectations = [*_expectations(path, values.get("packets"), "packet"), *_expectations(path, values.get("flows"), "flow")]
    if not expectations:
        raise CaseError(f"{path}:{line}: a case needs packets or flows")
    policy = _text(path, "policy", values["policy"])
    name = _text(path, "name", values["name"]) if "name" in values else policy
    return Case(path, line, name, policy, options, tuple(expectations))


def _expectations(path: str, node: Any, what: str) -> Iterator[Expectation]:
    from yaml import SequenceNode

    if node is None:
        return
    if not isinstance(node, SequenceNode):
        raise CaseError(f"{_place(path, node)}: {what}s is a list")
    keys = ("packet", "action", "rule") if what == "packet" else ("flow", "action")
    for each in node.value:
        values = _mapping(path, each, keys, f"a {what}")
        for key in (what, "action"):
            if key not in values:
                raise CaseError(f"{_place(path, each)}: a {what} of a case needs {'an' if key == 'action' else 'a'} {key}")
        text = _text(path, what, values[what])
        action = _choice(path, "action", values["action"], _ACTIONS)
        rule = _text(path, "rule", values["rule"], null=True) if "rule" in values else None
        _check(path, values[what], what, text)
        yield Expectation(text, action, each.start_mark.line + 1, rule or None, "rule" not in values, what == "flow")


def _check(path: str, node: Any, what: str, text: str) -> None:
    """Read a packet or flow once, so that a mistake in it is told with its line and not after half of the tests ran."""
    from pastore.analysis.flow import Flow

    try:
        if what == "packet":
            Packet.parse(text)
        else:
            Flow.parse(text)
    except ValueError as error:
        raise CaseError(f"{_place(path, node)}: {error}") from None


def _mapping(path: str, node: Any, keys: tuple[str, ...], what: str) -> dict[str, Any]:
    from difflib import get_close_matches

    from yaml import MappingNode, ScalarNode

    if not isinstance(node, MappingNode):
        place = _place(path, node) if node is not None else path
        raise CaseError(f"{place}: {what} is written as keys and values, one of {', '.join(keys)} a line")
    values: dict[str, Any] = {}
    for key, value in node.value:
        name = key.value if isinstance(key, ScalarNode) else ""
        if name not in keys:
            close = get_close_matches(name, keys, n=1)
            hint = f"; did you mean {close[0]!r}?" if close else f": {', '.join(keys)} are"
            raise CaseError(f"{_place(path, key)}: {name!r} is no key of {what}{hint}")
        if name in values:
            raise CaseError(f"{_place(path, key)}: {name!r} is there twice")
        values[name] = value
    return values


def _text(path: str, name: str, node: Any, *, null: bool = False) -> str:
    from yaml import ScalarNode

    if not isinstance(node, ScalarNode):
        raise CaseError(f"{_place(path, node)}: {name} is one text")
    if node.tag == "tag:yaml.org,2002:null":
        if null:
            return ""
        raise CaseError(f"{_place(path, node)}: {name} is empty")
    return str(node.value)


def _texts(path: str, name: str, node: Any) -> list[str]:
    from yaml import SequenceNode

    return [_text(path, name, each) for each in (node.value if isinstance(node, SequenceNode) else [node])]


def _choice(path: str, name: str, node: Any, allowed: tuple[str, ...]) -> str:
    text = _text(path, name, node)
    if text not in allowed:
        raise CaseError(f"{_place(path, node)}: {name} {text!r} is none of {', '.join(allowed)}")
    return text


def _place(path: str, node: Any) -> str:
    return f"{path}:{node.start_mark.line + 1}"


def policy_path(case: Case) -> str:
    """Return where the policy of a case is: relative to the folder of its file."""
    return case.policy if "://" in case.policy else os.path.normpath(Path(case.file).parent / case.policy)
