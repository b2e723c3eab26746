"""pastore show --assignment: how a computer gets its policy, as a person would check it."""

from typing import TYPE_CHECKING, Any

import click

from pastore.cli.common import access_from, cannot_answer, paint, say, table
from pastore.findings.render import printable, text_lines

if TYPE_CHECKING:
    from pastore.directory.assignment import Assignment

_KINDS = {"site": "site", "domain": "domain", "ou": "OU"}


def show_assignment(source: str, options: dict[str, Any]) -> None:
    """Print every link that was considered, and which one won; exit status 2 if that cannot be found out."""
    from pastore.directory.access import is_url, shown
    from pastore.directory.assignment import assignment_of
    from pastore.directory.errors import DirectoryError
    from pastore.directory.session import Session

    if not is_url(source) or not options["computer"]:
        raise click.UsageError("--assignment needs the URL of a directory and --computer")
    try:
        with Session(source, access_from(options, ask=True)) as session:
            assignment = assignment_of(session, options["computer"], options["site"])
    except ValueError as error:
        raise click.UsageError(str(error)) from None
    except DirectoryError as error:
        click.echo("\n".join(text_lines(error.finding(source), paint)), err=True)
        cannot_answer(f"no assignment was obtained from {shown(source)}")
    say("\n".join(assignment_lines(assignment)))
    for finding in (*session.findings, *assignment.findings):
        click.echo("\n".join(text_lines(finding, paint)), err=True)


def assignment_lines(assignment: "Assignment") -> list[str]:
    """Return an assignment as text."""
    facts = [("Site", printable(assignment.site) or "not given")]
    winner = assignment.winner
    if winner is None:
        facts.append(("Policy", "none"))
    else:
        facts += [("Policy", printable(winner.policy) or "none"), ("Assigned by", printable(winner.name))]
    lines = [paint(f"Computer {printable(assignment.computer)}", "heading"), *table(facts, indent="  ")]
    if not assignment.links:
        return [*lines, "", "No Group Policy object is linked anywhere above it."]
    rows = [
        (
            str(number),
            f"{_KINDS[link.kind]} {printable(link.place)}",
            str(link.order),
            "yes" if link.enforced else "no",
            printable(link.name),
            paint(link.fate.value, "success" if link is winner else "quiet"),
            printable(link.why),
        )
        for number, link in enumerate(assignment.links, 1)
    ]
    heading = ("RANK", "LINKED TO", "ORDER", "ENFORCED", "GROUP POLICY OBJECT", "OUTCOME", "BECAUSE")
    return [*lines, "", *table(rows, heading=heading, right=(0, 2))]
