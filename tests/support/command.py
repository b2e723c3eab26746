"""Runs the command in this process."""

import json
from typing import Any, NamedTuple

from click.testing import CliRunner

from pastore.cli.main import cli


class Result(NamedTuple):
    """What a run of the command gave."""

    status: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """stdout as JSON."""
        return json.loads(self.out)

    @property
    def lines(self) -> list[str]:
        """stdout as lines."""
        return self.out.splitlines()


def pastore(*arguments: object, stdin: str | bytes | None = None, terminal: bool = False) -> Result:
    """Run ``pastore ARGUMENTS``; an exception that would be a traceback fails the test.

    With `terminal`, colours are written as to a terminal.
    """
    texts = [str(argument) for argument in arguments]
    result = CliRunner().invoke(cli, texts, input=stdin, prog_name="pastore", color=terminal)
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return Result(result.exit_code, result.stdout, result.stderr)
