"""What follows an apply: the compiled table where other processes map it, and a command of the user's."""

import os
import shlex
import signal
import subprocess
from collections.abc import Callable
from contextlib import suppress
from typing import Final

import numpy as np

from pastore.agent.engine import InForce
from pastore.filters.specific import ROW, SpecificFilters
from pastore.findings import Finding
from pastore.matcher import Matcher
from pastore.model import Origin

PATIENCE: Final = 60.0  # seconds for a command


class Outlets:
    """Writes the table, then runs the command.

    Parameters
    ----------
    table : str, optional
        File of the table. When no policy is in force any more, it becomes a table without rows.
    command : str, optional
        Split as a shell would and run without one, with the variables PASTORE_POLICY and PASTORE_TABLE.
    note : callable
        Takes "table" or "command", and what is wrong with it now.
    """

    def __init__(self, table: str | None, command: str | None, note: Callable[..., None]) -> None:
        self.table = table
        self.command = command
        self._note = note

    def __call__(self, in_force: InForce | None) -> None:
        """Do it."""
        if self.table is not None:
            self._write(self.table, in_force)
        if self.command is not None:
            self._run(self.command, in_force)

    def _write(self, path: str, in_force: InForce | None) -> None:
        try:
            matcher = Matcher(SpecificFilters(np.zeros(0, ROW))) if in_force is None else in_force.matcher
            matcher.save(path)
        except OSError as error:
            why = f"the table cannot be written: {error.strerror or error}; other processes still have the one from before"
            self._note("table", Finding("PA196", why, Origin(path)))
        else:
            self._note("table")

    def _run(self, command: str, in_force: InForce | None) -> None:
        env = os.environ | {
            "PASTORE_POLICY": "" if in_force is None else in_force.attempt.name,
            "PASTORE_TABLE": self.table or "",
        }
        env = {name: value.replace("\0", "") for name, value in env.items()}
        wrong = ""
        try:
            # Its own process group, so that what it started ends with it.
            process = subprocess.Popen(shlex.split(command), stdin=subprocess.DEVNULL, env=env, start_new_session=True)
        except (OSError, ValueError) as error:
            wrong = f"cannot be run: {getattr(error, 'strerror', None) or error}"
        else:
            try:
                status = process.wait(PATIENCE)
                wrong = f"ended with status {status}" if status else ""
            except BaseException as error:
                with suppress(OSError):
                    os.killpg(process.pid, signal.SIGKILL)
                process.wait()
                if not isinstance(error, subprocess.TimeoutExpired):
                    raise
                wrong = f"was stopped, it had not ended after {PATIENCE:g} seconds"
        if wrong:
            self._note("command", Finding("PA197", f"the command {wrong}", Origin(command[:200])))
        else:
            self._note("command")
