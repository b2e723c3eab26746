"""pastore rule: what a finding means, an example, how to mend it."""

import sys

import click

from pastore.cli.common import cannot_answer, paint, say, table


@click.command("rule")
@click.argument("code", required=False)
def command(code: str | None) -> None:
    """What the finding CODE means, an example, and how to mend it. Without CODE, lists them all."""
    from pastore.findings import CODES, page

    if code is None:
        rows = [(known.code, known.severity.value, known.title) for known in CODES.values()]
        say("\n".join(table(rows, heading=("CODE", "SEVERITY", "TITLE"))))
        return
    wanted = code.upper()
    if wanted not in CODES:
        from difflib import get_close_matches

        close = get_close_matches(wanted, CODES, n=3)
        cannot_answer(f"there is no finding {code}" + (f"; did you mean {', '.join(close)}?" if close else ""))
    text = page(wanted)
    if sys.stdout.isatty():
        from rich.console import Console
        from rich.markdown import Markdown

        console = Console()
        console.print(Markdown(text), width=min(100, console.width))
    else:
        say(text.rstrip())
    known = CODES[wanted]
    if known.win32:
        from pastore.model.win32 import describe

        error = describe(known.win32)
        say()
        say(paint(f"Win32 error {error.code} {error.name}: {error.message}", "quiet"))
