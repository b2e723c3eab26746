"""``[tool.pastore]`` of pyproject.toml: options of ``pastore check`` that a repository has once and for all."""

import os
import tomllib
from difflib import get_close_matches
from pathlib import Path
from typing import Any

import click

from pastore.findings.render import printable

NAME = "pyproject.toml"
_MOST_BYTES = 1 << 20
# Options of the command that say something about one call and not about the repository.
_NOT_HERE = frozenset(
    [
        "config",
        "isolated",
        "help",
        "statistics",
        "write_baseline",
        "policy_name",
        "source_format",
        "user",
        "password_file",
        "kerberos",
        "insecure",
        "computer",
    ]
)
_PATHS = ("baseline", "system", "ca_file", "protect_ranges")
EXTRA = "per-file-ignores"


class ConfiguredCommand(click.Command):
    """A command whose defaults come from ``[tool.pastore]``; what is given on the command line goes before it."""

    def make_context(
        self, info_name: str | None, args: list[str], parent: click.Context | None = None, **extra: Any
    ) -> click.Context:
        """Read the configuration before the options are."""
        path = find(args)
        if path is not None:
            settings = read(path, self)
            extra["default_map"] = {**(extra.get("default_map") or {}), **settings}
        return super().make_context(info_name, list(args), parent, **extra)


def find(args: list[str]) -> Path | None:
    """Return the file to read: that of --config, else the nearest pyproject.toml upward that has a table [tool.pastore]."""
    words = args[: args.index("--")] if "--" in args else args
    for at, word in enumerate(words):
        if word == "--config" and at + 1 < len(words):
            return Path(words[at + 1])
        if word.startswith("--config="):
            return Path(word.partition("=")[2])
    if "--isolated" in words or "--help" in words or "-h" in words:
        return None
    try:
        here = Path.cwd()
    except OSError:
        return None
    for folder in (here, *here.parents):
        path = folder / NAME
        if path.is_file() and _table(path) is not None:
            return path
    return None


def _table(path: Path) -> dict[str, Any] | None:
    """Return the table [tool.pastore] of a file, None if there is none."""
    try:
        with path.open("rb") as file:
            content = file.read(_MOST_BYTES + 1)
        if len(content) > _MOST_BYTES:
            raise _wrong(path, "it is larger than 1 MiB")
        tool = tomllib.loads(content.decode("utf-8")).get("tool", {})
    except OSError as error:
        raise _wrong(path, f"it cannot be read: {error.strerror or error}") from None
    except (ValueError, RecursionError) as error:
        raise _wrong(path, f"it is not valid TOML: {error}") from None
    table = tool.get("pastore") if isinstance(tool, dict) else None
    if table is not None and not isinstance(table, dict):
        raise _wrong(path, "tool.pastore is not a table")
    return table


def read(path: Path, command: click.Command) -> dict[str, Any]:
    """Return the settings of a file as defaults of the parameters of a command.

    Raises
    ------
    click.UsageError
        If the file has no such table, or a key or value that is none; the message says which.
    """
    table = _table(path)
    if table is None:
        raise _wrong(path, "it has no table [tool.pastore]")
    known = {
        _key(parameter): parameter
        for parameter in command.params
        if isinstance(parameter, click.Option) and parameter.name not in _NOT_HERE
    }
    settings: dict[str, Any] = {}
    for key, value in table.items():
        if key == EXTRA:
            settings["per_file_ignores"] = _per_file(path, value)
            continue
        parameter = known.get(key)
        if parameter is None or parameter.name is None:
            close = get_close_matches(key, [*known, EXTRA], n=1)
            raise _wrong(path, f"tool.pastore.{key} is no setting" + (f"; did you mean {close[0]!r}?" if close else ""))
        checked = _value(path, key, value, parameter)
        if parameter.name in _PATHS:
            checked = os.path.normpath(path.parent / checked)
        settings[parameter.name] = checked
    return settings


def _key(parameter: click.Option) -> str:
    """Return the name of an option as it is written in the file."""
    return next(name for name in parameter.opts if name.startswith("--")).removeprefix("--")


def _value(path: Path, key: str, value: Any, parameter: click.Option) -> Any:
    if parameter.is_flag:
        if not isinstance(value, bool):
            raise _wrong(path, f"tool.pastore.{key} is true or false")
        return value
    if parameter.multiple:
        values = [value] if isinstance(value, str) else value
        if not isinstance(values, list) or not all(isinstance(each, str) for each in values):
            raise _wrong(path, f"tool.pastore.{key} is a list of texts")
        return values
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise _wrong(path, f"tool.pastore.{key} is one value")
    try:
        return parameter.type.convert(value if isinstance(parameter.type, click.IntRange) else str(value), parameter, None)
    except click.BadParameter as error:
        raise _wrong(path, f"tool.pastore.{key}: {error.message}") from None


def _per_file(path: Path, value: Any) -> dict[str, list[str]]:
    is_table = isinstance(value, dict) and all(
        isinstance(codes, list) and all(isinstance(code, str) for code in codes) for codes in value.values()
    )
    if not is_table:
        raise _wrong(path, f'tool.pastore.{EXTRA} is a table like {{"old/*.reg" = ["PA502"]}}')
    # Patterns are relative to the folder of the file, wherever the command is run.
    return {os.path.normpath(path.parent / pattern): [code.upper() for code in codes] for pattern, codes in value.items()}


def _wrong(path: Path, why: str) -> click.UsageError:
    return click.UsageError(f"{printable(str(path))}: {printable(why)}")
