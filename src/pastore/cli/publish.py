"""pastore publish: a policy into a directory."""

import sys
from typing import TYPE_CHECKING, Any

import click

from pastore.cli.common import BAD_NEWS, access_from, cannot_answer, load_source, paint, say, source_options, talk

if TYPE_CHECKING:
    from pastore.directory.writing import Change
    from pastore.export.publishing import Published

_DONE = {"add": "added", "modify": "modified", "delete": "deleted"}


@click.command("publish")
@click.argument("source", metavar="SRC")
@click.option("--to", "target", metavar="URL", required=True, help="The directory: ldaps://HOST, ldap://HOST or ldapi://SOCKET.")
@click.option("--gpo", metavar="NAME|GUID", help="Have this Group Policy object assign the policy.")
@click.option("--remove-unused", is_flag=True, help="Delete what the policy had and nothing refers to any more.")
@click.option("--dry-run", is_flag=True, help="Write nothing: print as LDIF what would be written.")
@click.option("--secrets", is_flag=True, help="Let --dry-run print pre-shared keys, in clear text.")
@source_options
def command(source: str, target: str, gpo: str | None, remove_unused: bool, dry_run: bool, secrets: bool, **options: Any) -> None:
    """Write the policy of SRC into a directory.

    A policy with the same GUID there becomes this one; if it is already, nothing is written. Changes come in an order in which
    no reader ever meets half a policy that it could not apply, so that a run that was interrupted may be repeated. User, password
    and the other options of directories are for the directory written to, and for SRC where it is one.

    Exit status 1, and nothing written, if the policy was read with errors; 2 if the directory cannot be reached or refuses.
    """
    from pastore.directory.access import is_url, shown
    from pastore.directory.errors import DirectoryError
    from pastore.export.publishing import UnfinishedError, publish
    from pastore.findings import Severity, in_order
    from pastore.findings.render import printable, text_lines
    from pastore.model import Policy

    if not is_url(target):
        raise click.UsageError("--to is the URL of a directory: ldaps://HOST, ldap://HOST or ldapi://SOCKET")
    if secrets and not dry_run:
        raise click.UsageError("--secrets is for --dry-run only: what is published holds its pre-shared keys in any case")
    loaded = load_source(source, options)
    if not isinstance(loaded.policy, Policy):
        cannot_answer(f"{source} is a list of rows and no IPsec policy; there is nothing to publish")
    errors = [finding for finding in in_order(loaded.findings) if finding.severity is Severity.ERROR]
    if errors:
        for finding in errors:
            click.echo("\n".join(text_lines(finding, paint)), err=True)
        talk(
            "pastore: the policy was read with errors, so nothing was written; pastore convert -t json writes what could be read"
        )
        sys.exit(BAD_NEWS)
    access = access_from(options, ask=True)
    try:
        published = publish(
            loaded.policy, target, access, gpo=gpo, remove_unused=remove_unused, dry_run=dry_run, told=None if dry_run else _tell
        )
    except DirectoryError as error:
        click.echo("\n".join(text_lines(error.finding(shown(target)), paint)), err=True)
        if isinstance(error, UnfinishedError):
            cannot_answer(f"the policy is not published whole in {shown(target)}; run it again to finish")
        cannot_answer(f"the policy was not published in {shown(target)}")
    except ValueError as error:
        cannot_answer(f"the policy cannot be published: {printable(str(error))}")
    if dry_run:
        _print(published, secrets)
    for finding in published.findings:
        click.echo("\n".join(text_lines(finding, paint)), err=True)
    _sum_up(loaded.policy, published, dry_run)


def _tell(change: "Change") -> None:
    from pastore.findings.render import printable

    say(f"{_DONE[change.verb]:8} {printable(change.dn)}")


def _print(published: "Published", secrets: bool) -> None:
    """Print the changes as LDIF; with pre-shared keys only if that was asked for."""
    from pastore.export import ldif

    plan = published.plan
    if plan.keys and not secrets:
        cannot_answer(
            f"{len(plan.keys)} of the changes {'holds' if len(plan.keys) == 1 else 'hold'} pre-shared keys, which LDIF shows "
            "in clear text; give --secrets to print it"
        )
    if plan.changes:
        sys.stdout.buffer.write(ldif.changes(plan.changes))
        sys.stdout.buffer.flush()


def _sum_up(policy: Any, published: "Published", dry_run: bool) -> None:
    """Say on stderr what was done, and what nobody but the user can do."""
    plan = published.plan
    name = f"policy {policy.name!r}"
    number = f"{len(plan.changes)} change{'' if len(plan.changes) == 1 else 's'}"
    if not plan.changes:
        talk(f"pastore: {name} is in the directory as it is here: nothing to write")
    elif dry_run:
        talk(f"pastore: {number} would be written; nothing was")
    else:
        talk(f"pastore: {name} published: {number}")
    if plan.keys:
        talk("pastore: pre-shared keys stand in the directory in clear text, and every user who may read policies may read them")
    if not published.gpo:
        return
    will = "would assign" if dry_run else "assigns"
    instead = f" instead of {published.before}" if published.before else ""
    talk(f"pastore: Group Policy object {published.gpo!r} {will} it{instead}")
    if published.is_off:
        talk("pastore: its computer half is disabled: it assigns nothing until that is enabled")
