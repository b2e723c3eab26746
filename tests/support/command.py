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


def pastore(*arguments: object, stdin: str | bytes | None = None) -> Result:
    """Run ``pastore ARGUMENTS``; an exception that would be a traceback fails the test."""
    result = CliRunner().invoke(cli, [str(argument) for argument in arguments], input=stdin, prog_name="pastore")
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return Result(result.exit_code, result.stdout, result.stderr)
