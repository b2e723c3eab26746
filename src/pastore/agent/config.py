"""The agent's configuration: a TOML file that says what the command line can, with errors by line."""

import re
import tomllib
from collections.abc import Callable, Mapping
from typing import Any, Final

from pastore.audit.policy import AuditPolicy
from pastore.directory import is_url, parse_url
from pastore.filters.host import Host
from pastore.filters.weight import ORDERS

MAX_BYTES: Final = 1 << 20

Check = Callable[[Any], None]


class ConfigError(ValueError):
    """A configuration cannot be used; the message begins with the file and the line."""


def _text(value: Any) -> None:
    if not isinstance(value, str) or not value or "\0" in value:
        raise ValueError("a text in quotes is wanted")


def _flag(value: Any) -> None:
    if not isinstance(value, bool):
        raise ValueError("true or false is wanted")


def _number(low: float, high: float, unit: str) -> Check:
    def check(value: Any) -> None:
        if isinstance(value, bool) or not isinstance(value, (int, float)) or not low < value <= high:
            raise ValueError(f"a number of {unit} is wanted, above {low:g} and at most {high:g}")

    return check


def _choice(*known: Any) -> Check:
    def check(value: Any) -> None:
        if isinstance(value, bool) or value not in known:
            raise ValueError(f"one of {', '.join(map(repr, known))} is wanted")

    return check


def _texts(check_all: Callable[[list[str]], object]) -> Check:
    def check(value: Any) -> None:
        if not isinstance(value, list) or not all(isinstance(one, str) for one in value):
            raise ValueError('a list of texts is wanted: ["...", "..."]')
        check_all(value)

    return check


def _url_or_path(value: Any) -> None:
    _text(value)
    if is_url(value):
        parse_url(value)


def _path(value: Any) -> None:
    _text(value)
    if is_url(value):
        raise ValueError("local storage is a file or registry:, not a directory")


OPTIONS: Final[Mapping[str, Check]] = {
    # Where policies come from
    "source": _url_or_path,
    "local": _path,
    "policy": _text,
    "format": _text,
    "system": _text,
    "encoding": _text,
    "computer": _text,
    "site": _text,
    "user": _text,
    "password_file": _text,
    "kerberos": _flag,
    "ca_file": _text,
    "insecure": _flag,
    "timeout": _number(0, 86400, "seconds"),
    "group_policy_refresh": _number(0, 44640, "minutes"),  # 31 days, as on Windows
    # Who the computer is
    "me": _texts(lambda texts: Host.parse(texts)),
    "dns_server": _texts(lambda texts: Host.parse(dns=texts)),
    "wins_server": _texts(lambda texts: Host.parse(wins=texts)),
    "dhcp_server": _texts(lambda texts: Host.parse(dhcp=texts)),
    "gateway": _texts(lambda texts: Host.parse(gateway=texts)),
    "target": _choice("2000", "xp", "2003", "vista"),
    "order": _choice(*ORDERS),
    "default_exempt": _choice(0, 1, 2, 3),
    # What is kept and written
    "state_dir": _text,
    "table": _text,
    "socket": _text,
    "command": _text,
    "audit": _text,
    "audit_policy": _texts(AuditPolicy.parse),
}
"""What a configuration may hold, in the order of the documentation, and how it is checked."""


def read_config(path: str) -> dict[str, Any]:
    """Read a configuration.

    Parameters
    ----------
    path : str
        A TOML file.

    Returns
    -------
    dict
        Some of `OPTIONS`.

    Raises
    ------
    ConfigError
        If it cannot be read, is not TOML, or holds something that is not known or not of the right kind.
    """
    try:
        with open(path, "rb") as file:
            data = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read: {error.strerror or error}") from None
    if len(data) > MAX_BYTES:
        raise ConfigError(f"{path}: a configuration has at most 1 MiB")
    try:
        text = data.decode()
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise ConfigError(f"{path}:{line}: byte {error.start} is not UTF-8") from None
    try:
        values = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(_place(path, text, str(error))) from None
    except RecursionError:
        raise ConfigError(f"{path}: nested too deeply") from None
    for name, value in values.items():
        line = line_of(text, name)
        if name not in OPTIONS:
            raise ConfigError(f"{path}:{line}: there is no option {name[:80]!r}{_hint(name, value)}")
        try:
            OPTIONS[name](value)
        except ValueError as error:
            raise ConfigError(f"{path}:{line}: {name}: {error}") from None
    return values


def _hint(name: str, value: Any) -> str:
    from difflib import get_close_matches

    if name.replace("-", "_") in OPTIONS:
        return f"; it is written {name.replace('-', '_')}"
    if name == "password":
        return "; a password does not belong here: put it in a file of its own and name that in password_file"
    if isinstance(value, dict):
        return "; a configuration has no tables"
    close = get_close_matches(name, OPTIONS, n=1)
    return f"; did you mean {close[0]}?" if close else f"; known are {', '.join(OPTIONS)}"


def _place(path: str, text: str, message: str) -> str:
    """Return what tomllib says with the line in front."""
    match = re.search(r" \(at line (\d+), column (\d+)\)$", message)
    if match:
        return f"{path}:{match[1]}:{match[2]}: {message[: match.start()]}"
    at = text.count("\n") + 1
    return f"{path}:{at}: {message.removesuffix(' (at end of document)')}, at the end of the file"


def line_of(text: str, name: str) -> int:
    """Return the line of a key at the top level, 1 if it cannot be told.

    A line that looks like it may stand inside a text of several lines; the lines before the right one are TOML by themselves.
    """
    key = re.compile(rf"""\s*\[*\s*(?:{re.escape(name)}|"{re.escape(name)}"|'{re.escape(name)}')\s*[=.\]]""")
    lines = text.splitlines(keepends=True)
    for number, line in enumerate(lines, 1):
        if key.match(line):
            try:
                tomllib.loads("".join(lines[: number - 1]))
            except tomllib.TOMLDecodeError:
                continue
            return number
    return 1
