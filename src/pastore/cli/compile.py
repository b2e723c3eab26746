"""pastore compile: a policy becomes a table on the disk."""

import os
import sys
from typing import Any

import click

from pastore.cli.common import (
    BAD_NEWS,
    cannot_answer,
    compile_source,
    host_options,
    load_source,
    source_options,
    talk,
    tell_findings,
)
from pastore.findings import Severity


@click.command("compile")
@click.argument("source", metavar="SRC")
@source_options
@host_options
@click.option("-o", "--output", required=True, metavar="FILE", help="The table; an older one is replaced whole.")
def command(source: str, output: str, **options: Any) -> None:
    """Compile the policy of SRC into a table that check, show, explain, classify, pastore.open and the C library use as it lies.

    The host options, the order, the target and the exemptions are fixed in it. Exit status 1 if there are error findings (the
    table is written), 2 if no policy was obtained or the table cannot be written.
    """
    from pastore.cli.table import LoadedTable

    if output == "-":
        raise click.UsageError("-o -: a table is written to a file, not to standard output")
    if same_file(source, output):
        raise click.UsageError(f"-o {output}: this is the source itself")
    loaded = load_source(source, options)
    if isinstance(loaded, LoadedTable):
        cannot_answer(f"{source} is a compiled table already")
    compiled = compile_source(loaded, options)
    matcher, stats = compiled.matcher, compiled.matcher.stats
    try:
        matcher.save(output)
        size = os.path.getsize(output)
    except OSError as error:
        cannot_answer(f"{output} cannot be written: {error.strerror or error}")
    except ValueError as error:
        cannot_answer(f"{output} is not written: {error}")
    rules = len(compiled.expansion.applied_rules) if compiled.expansion else stats.rules
    talk(
        f"pastore: {output}: {rules} {'rule' if rules == 1 else 'rules'}, {stats.specific_filters} rows, "
        f"{size} bytes, layout {stats.layout}"
    )
    findings = (*loaded.findings, *matcher.findings)
    tell_findings(findings)
    if any(finding.severity is Severity.ERROR for finding in findings):
        sys.exit(BAD_NEWS)


def same_file(source: str, output: str) -> bool:
    """Whether two paths lead to one file."""
    try:
        return source != "-" and os.path.samefile(source, output)
    except (OSError, ValueError):
        return False
