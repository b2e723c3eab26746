"""pastore agent: load and apply once, with the events Windows would have written."""

import sys
from typing import Any

import click

from pastore.cli.common import BAD_NEWS, cannot_answer, host_from, host_options, paint, source_options, talk


@click.command("agent")
@click.argument("source", metavar="SRC")
@source_options
@host_options
@click.option("--once", is_flag=True, help="Load and apply once, then end. This version has no other way to run.")
@click.option("--audit", "audit_file", metavar="FILE", help="Append the audit events to FILE (JSON lines).")
@click.option(
    "--audit-policy",
    "audit_policy",
    multiple=True,
    metavar="SUBCATEGORY=SETTING",
    help="success, failure, both with a comma, or none, for a subcategory or category (repeatable); everything if left out.",
)
def command(source: str, once: bool, audit_file: str | None, audit_policy: tuple[str, ...], **options: Any) -> None:
    """Load the assigned policy of SRC, apply it, and write the audit events.

    Exit status 1 if a rule or filter could not be applied, 2 if no policy was obtained.
    """
    from pastore.agent.once import apply_once
    from pastore.audit.policy import AuditPolicy
    from pastore.audit.sinks import AuditWriteError, JsonLinesSink, MemorySink
    from pastore.directory.access import is_url
    from pastore.findings import Severity
    from pastore.findings.render import text_lines
    from pastore.model import Policy
    from pastore.model.win32 import describe
    from pastore.sources import load

    if is_url(source):
        cannot_answer("this version's agent applies local sources: pastore convert makes one of a directory's policy")
    if not once:
        raise click.UsageError("this version runs with --once only")
    try:
        audited = AuditPolicy.parse(audit_policy) if audit_policy else AuditPolicy.all()
    except ValueError as error:
        raise click.UsageError(f"--audit-policy: {error}") from None
    host = host_from(options)
    loaded = load(
        source,
        policy=options["policy_name"],
        format=options["source_format"],
        system=options["system"],
        encoding=options["encoding"],
    )
    if loaded.policy is not None and not isinstance(loaded.policy, Policy):
        cannot_answer(f"{source} is a first-match rule list, not a Windows policy: there is nothing for the agent to apply")
    wanted = options["policy_name"] or ""
    settings = {name: options[name] for name in ("order", "target", "default_exempt")}
    try:
        if audit_file:
            with JsonLinesSink(audit_file, audited) as sink:
                applied = apply_once(loaded, sink, host, wanted=wanted, **settings)
        else:
            applied = apply_once(loaded, MemorySink(audited), host, wanted=wanted, **settings)
    except AuditWriteError as error:
        cannot_answer(str(error))
    if loaded.policy is None:
        for finding in applied.findings:
            click.echo("\n".join(text_lines(finding, paint)), err=True)
        cannot_answer(f"no policy was obtained from {source}")
    for failure in applied.failures:
        known = describe(failure.win32)
        talk(f"pastore: not added: {failure.filter} of rule {failure.rule!r} ({known.code}: {known.message})")
    if applied.matcher is None:
        talk(f"pastore: policy {loaded.policy.name!r} could not be applied")
        sys.exit(BAD_NEWS)
    stats = applied.matcher.stats
    talk(f"pastore: policy {loaded.policy.name!r} applied: {stats.specific_filters} specific filters")
    if any(finding.severity is Severity.ERROR for finding in applied.findings):
        sys.exit(BAD_NEWS)
