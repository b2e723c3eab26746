"""The pastore command. Each sub-command is imported when it is called, so that ``pastore --help`` stays quick."""

import os
import sys
from contextlib import suppress
from importlib import import_module
from io import TextIOWrapper
from typing import Any

import click

from pastore import __version__

_COMMANDS = {
    "check": "Validate policies: every finding of every policy.",
    "show": "A policy as a person reads it.",
    "explain": "Why a packet is allowed, blocked or protected.",
    "classify": "A verdict for every packet of a capture, CSV or trace.",
    "diff": "Which packets change their verdict between two policies.",
    "search": "A packet with such a verdict, or the proof of none.",
    "test": "Packets and flows that must be judged as you say.",
    "verify": "Proof: the matcher against the scan and the kernel.",
    "bench": "Lookups a second, build time and memory here.",
    "convert": "The policy in another format, or for another system.",
    "compile": "A policy becomes a table that opens at once.",
    "agent": "Keeps the right policy in force, as a service or once.",
    "publish": "The policy into a directory, and assigned there.",
    "events": "Read, filter and render an audit log.",
    "rule": "What a finding means and how to mend it.",
}


_INTERRUPTED = 128 + 2  # as a shell reports SIGINT and SIGPIPE
_NOBODY_READS = 128 + 13


class LazyGroup(click.Group):
    """A group whose commands are modules of this package, imported on use."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the commands in the order a newcomer needs them."""
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import one command."""
        if cmd_name not in _COMMANDS:
            return None
        command = getattr(import_module(f"pastore.cli.{cmd_name}"), "command")  # noqa: B009
        assert isinstance(command, click.Command)
        return command

    def invoke(self, ctx: click.Context) -> Any:
        """Run a command; one that is interrupted, or whose reader has gone, ends as a shell expects and not as an answer."""
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt:
            sys.exit(_INTERRUPTED)
        except BrokenPipeError:
            _abandon_output()
            sys.exit(_NOBODY_READS)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List the commands without importing them."""
        with formatter.section("Commands"):
            formatter.write_dl(list(_COMMANDS.items()))

    def resolve_command(self, ctx: click.Context, args: list[str]) -> tuple[str | None, click.Command | None, list[str]]:
        """Suggest a command when the name is not one."""
        try:
            return super().resolve_command(ctx, args)
        except click.UsageError as error:
            from difflib import get_close_matches

            close = get_close_matches(args[0], _COMMANDS, n=1) if args else []
            if close and "Did you mean" not in error.message:
                raise click.UsageError(f"{error.message} Did you mean {close[0]!r}?", ctx) from None
            raise


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.option("-q", "--quiet", is_flag=True, help="No talk on stderr, only errors.")
@click.version_option(__version__, message="pastore %(version)s")
def cli(quiet: bool) -> None:
    """The Windows IPsec Policy Agent in the open.

    Reads IPsec policy wherever Windows keeps it, says what happens to every packet (block, allow, protect) and why, and audits
    every rule that could not be applied.

    Exit status: 0 fine, 1 answered and the answer is bad news, 2 could not be answered.
    """


def _abandon_output() -> None:
    """Let what is left in the buffer of stdout go nowhere, or the interpreter would try again at the end and complain."""
    with suppress(OSError, ValueError):
        sys.stdout.flush()
        return
    with suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def open_streams() -> None:
    """Make stdout and stderr take every character.

    Data is UTF-8 whatever the locale says, since JSON has to be; on a terminal, and in talk, what its encoding lacks is escaped.
    The bytes of a file name that are no text are escaped too. A stream that the caller closed swallows what is written.
    """
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is None:
            setattr(sys, name, open(os.devnull, "w", encoding="utf-8"))  # noqa: SIM115 (it stays open)
        elif isinstance(stream, TextIOWrapper):
            data = name == "stdout" and not stream.isatty()
            stream.reconfigure(encoding="utf-8" if data else None, errors="backslashreplace")


def main() -> None:
    """Run the command; whatever happens, the answer is a sentence and an exit status."""
    # NO_COLOR (no-color.org) counts when it is set and not empty.
    color = False if os.environ.get("NO_COLOR") else None
    extra: dict[str, Any] = {} if color is None else {"color": color}
    try:
        open_streams()
        cli.main(prog_name="pastore", **extra)
    except KeyboardInterrupt:
        sys.exit(_INTERRUPTED)
    except OSError as error:
        if os.environ.get("PASTORE_TRACEBACK"):
            raise
        click.echo(f"pastore: the system refused to read or write: {error.strerror or error}", err=True)
        _abandon_output()
        sys.exit(2)
    except MemoryError:
        click.echo("pastore: out of memory; the input is too large for this machine", err=True)
        sys.exit(2)
    except Exception as error:
        if os.environ.get("PASTORE_TRACEBACK"):
            raise
        click.echo(
            f"pastore: internal error ({type(error).__name__}); this is a defect of pastore. "
            "Run again with PASTORE_TRACEBACK=1 and report what it prints.",
            err=True,
        )
        sys.exit(2)


if __name__ == "__main__":
    main()
