"""pastore check: batch validation."""

import json
import os
import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from fnmatch import fnmatch
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import click

from pastore.cli.common import (
    BAD_NEWS,
    NO_ANSWER,
    access_from,
    cannot_answer,
    given_fixed,
    host_from,
    host_options,
    paint,
    refuse_fixed,
    say,
    source_options,
    talk,
)
from pastore.cli.config import ConfiguredCommand
from pastore.cli.jobs import run_jobs
from pastore.findings import Finding, Severity, select
from pastore.findings.identity import Identity, identity
from pastore.findings.render import Report, as_json, github, json_lines, json_text, printable, text

if TYPE_CHECKING:
    from pastore.analysis.remote import Protected
    from pastore.directory import Access
    from pastore.filters.host import Host
    from pastore.model import Policy

_LEVELS = {"error": 0, "warning": 1, "info": 2, "never": -1}


class Job(NamedTuple):
    """One source to check."""

    source: str
    named: bool  # given on the command line, not found in a folder
    policy: str | None
    source_format: str | None
    system: str | None
    host: "Host"
    options: dict[str, Any]
    fixed: bool = False  # options are given that a compiled table has fixed
    is_guessed: bool = False  # the SYSTEM hive was found in the folder and not given
    encoding: str | None = None  # of a script
    access: "Access | None" = None  # of a directory
    computer: str | None = None
    site: str | None = None


class Checked(NamedTuple):
    """What checking one source gave."""

    reports: tuple[Report, ...]
    answered: bool
    skipped: bool


def check_source(job: Job) -> Checked:
    """Load, expand and analyse every policy of one source."""
    from pastore.directory.access import shown
    from pastore.model import Origin, Policy
    from pastore.sources import is_table, load

    if job.source_format == "compiled" or (job.source_format is None and is_table(job.source)):
        return check_table(job)
    loaded = load(
        job.source,
        policy=job.policy,
        format=job.source_format,
        system=job.system,
        encoding=job.encoding,
        access=job.access,
        computer=job.computer,
        site=job.site,
    )
    if job.is_guessed and not loaded.policies:  # nobody asked for that hive: it must not stand in the way
        loaded = load(job.source, policy=job.policy, format=job.source_format)
    findings = list(loaded.findings)
    if job.is_guessed and any(policy.default_exempt is not None for policy in loaded.policies):
        findings.append(Finding("PA128", f"NoDefaultExempt is taken from {job.system}, in the same folder", Origin(job.source)))
    if not job.policy and loaded.policies:
        findings = [finding for finding in findings if finding.code != "PA105"]  # check takes them all
    if not isinstance(loaded.policy, Policy) and loaded.policy is not None:
        report = Report(job.source, None, len(loaded.policy), len(loaded.policy), tuple(findings))
        return Checked((report,), answered=True, skipped=False)
    wanted = [loaded.policy] if job.policy and loaded.policy else list(loaded.policies) if not job.policy else []
    if not wanted:
        codes = {finding.code for finding in findings}
        unknown = not codes.isdisjoint(("PA102", "PA103")) and "PA114" not in codes  # a damaged hive may have held one
        if not job.named and unknown:
            return Checked((), answered=False, skipped=True)
        return Checked((Report(shown(job.source), None, 0, 0, tuple(findings)),), answered=False, skipped=False)
    reports = []
    for position, policy in enumerate(sorted(wanted, key=lambda policy: not policy.assigned)):
        told = findings if position == 0 else []
        rules, filters = count(policy)
        reports.append(Report(job.source, policy.name, rules, filters, (*told, *check_policy(policy, job.host, job.options))))
    return Checked(tuple(reports), answered=True, skipped=False)


def check_table(job: Job) -> Checked:
    """Tell what was found when a table was compiled."""
    from pastore.cli.table import load_table

    if job.fixed and not job.named:
        return Checked((), answered=False, skipped=True)
    matcher = (loaded := load_table(job.source)).matcher
    if matcher is None:
        return Checked((Report(job.source, None, 0, 0, loaded.findings),), answered=False, skipped=False)
    background = matcher.background
    if background is None:
        n = matcher.stats.rules
        return Checked((Report(job.source, None, n, n, matcher.findings),), answered=True, skipped=False)
    findings = (*loaded.findings, *matcher.findings, *background.analysed)
    report = Report(job.source, background.policy, len(background.rules), background.filters, findings)
    return Checked((report,), answered=True, skipped=False)


def check_policy(policy: "Policy", host: "Host", options: dict[str, Any]) -> Iterator[Finding]:
    """Yield what expanding and analysing a policy says."""
    from pastore.analysis.whole import analyse
    from pastore.filters.expand import expand
    from pastore.filters.weight import ORDERS

    order = ORDERS[options["order"]]
    expansion = expand(policy, host, order=order, target=options["target"], default_exempt=options["default_exempt"])
    yield from expansion.findings
    analysis = analyse(
        policy,
        expansion,
        host,
        order=order,
        target=options["target"],
        protected=options["protected"],
        question_work=options["work_limit"],
    )
    yield from analysis.contradictions
    yield from analysis.more


def count(policy: "Policy") -> tuple[int, int]:
    """Return how many rules and how many different filters a policy holds."""
    from pastore.filters.background import count_filters

    return len(policy.rules), count_filters(policy)


def jobs_of(sources: tuple[str, ...], host: "Host", options: dict[str, Any]) -> Iterator[Job]:
    """Yield a job for each source, and for each file of a folder."""
    from pastore.directory.access import is_url

    settings = {name: options[name] for name in ("order", "target", "default_exempt")}
    settings["work_limit"] = options["work_limit"]
    settings["protected"] = protected_from(options["protect_ranges"])

    if (options["computer"] or options["site"]) and not any(is_url(source) for source in sources):
        raise click.UsageError("--computer and --site are for directories, and none is given")
    access = access_from(options, ask=True) if any(is_url(source) for source in sources) else None

    def job(source: str, named: bool, system: str | None, is_guessed: bool = False) -> Job:
        return Job(
            source,
            named,
            options["policy_name"],
            options["source_format"],
            system,
            host,
            settings,
            is_guessed=is_guessed,
            encoding=options["encoding"],
        )

    for source in sources:
        if is_url(source):
            named = job(source, True, options["system"])
            yield named._replace(access=access, computer=options["computer"], site=options["site"])
        elif source != "-" and Path(source).is_dir():
            for folder, folders, files in os.walk(source):
                folders.sort()
                paths = [str(Path(folder) / name) for name in sorted(files)]
                beside = {} if options["system"] else systems_for(paths)
                for path in paths:
                    yield job(path, False, options["system"] or beside.get(path), path in beside)
        else:
            yield job(source, True, options["system"])


def protected_from(path: str | None) -> "list[Protected]":
    """Return the ranges of ``--protect-ranges``."""
    if path is None:
        return []
    from pastore.analysis.remote import read_ranges

    try:
        return read_ranges(Path(path).read_text(encoding="utf-8"), path)
    except OSError as error:
        raise click.UsageError(f"the ranges {printable(path)} cannot be read: {error.strerror}") from None
    except ValueError as error:
        raise click.UsageError(f"the ranges {printable(path)} cannot be used: {printable(str(error))}") from None


def systems_for(paths: list[str]) -> dict[str, str]:
    """Return, for each hive of a folder, the SYSTEM hive to go with it, where there is one and not several."""
    hives = [path for path in paths if begins_like_a_hive(path)]
    if len(hives) < 2:
        return {}
    from pastore.sources.hive import is_system

    systems = [path for path in hives if is_system(path)]
    return {path: systems[0] for path in hives if path not in systems} if len(systems) == 1 else {}


def begins_like_a_hive(path: str) -> bool:
    """Whether a file begins with the letters of a hive, or of a log of one."""
    try:
        if not Path(path).is_file():  # a pipe would wait
            return False
        with open(path, "rb") as file:
            return file.read(4) == b"regf"
    except OSError:
        return False


def read_baseline(path: str) -> Counter[Identity]:
    """Return the findings of an earlier ``check --output-format json``."""
    try:
        document = json.loads(Path(path).read_text(encoding="utf-8"))
        return Counter(identity(finding) for source in document["sources"] for finding in source["findings"])
    except OSError as error:
        raise click.UsageError(f"the baseline {printable(path)} cannot be read: {error.strerror}") from None
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        raise click.UsageError(f"the baseline {printable(path)} is not the JSON of an earlier pastore check") from None


def write_baseline(path: str, reports: list[Report]) -> None:
    """Write findings as `read_baseline` takes them."""
    try:
        Path(path).write_text(json_text(as_json(reports), indent=1) + "\n", encoding="utf-8")
    except OSError as error:
        cannot_answer(f"the baseline {path} cannot be written: {error.strerror}")


def without_known(reports: list[Report], known: Counter[Identity]) -> list[Report]:
    """Take the findings of the baseline out, and say how many were hidden and how many are gone."""
    fresh = without_baseline(reports, known)
    hidden = sum(len(report.findings) for report in reports) - sum(len(report.findings) for report in fresh)
    gone = known.total() - hidden
    parts = [f"{hidden} {'finding' if hidden == 1 else 'findings'} of the baseline left out"] if hidden else []
    if gone:
        parts.append(f"{gone} of the baseline no longer found: --write-baseline brings it up to date")
    if parts:
        talk(f"pastore: {'; '.join(parts)}")
    return fresh


def without_per_file(reports: list[Report]) -> list[Report]:
    """Take out what tool.pastore.per-file-ignores says."""
    ignored = (click.get_current_context().default_map or {}).get("per_file_ignores") or {}
    if not ignored:
        return reports
    result = []
    for report in reports:
        path = os.path.abspath(report.source)
        codes = [code for pattern, each in ignored.items() if fnmatch(path, os.path.abspath(pattern)) for code in each]
        result.append(replace(report, findings=tuple(select(report.findings, (), codes))) if codes else report)
    return result


def without_baseline(reports: list[Report], known: Counter[Identity]) -> list[Report]:
    """Take the findings of the baseline out, each as often as it is there."""
    known = known.copy()
    result = []
    for report in reports:
        fresh = []
        for finding in report.findings:
            key = identity(finding.as_dict())
            if known[key] > 0:
                known[key] -= 1
            else:
                fresh.append(finding)
        result.append(replace(report, findings=tuple(fresh)))
    return result


@click.command("check", cls=ConfiguredCommand)
@click.argument("sources", nargs=-1, required=True, metavar="SRC...")
@source_options
@host_options
@click.option(
    "--fail-level", type=click.Choice(list(_LEVELS)), default="error", show_default=True, help="Exit 1 from this severity on."
)
@click.option(
    "--select", "selected", multiple=True, metavar="CODE", help="Only findings whose code starts so (repeatable, or a,b)."
)
@click.option("--ignore", "ignored", multiple=True, metavar="CODE", help="No findings whose code starts so (repeatable, or a,b).")
@click.option(
    "--output-format", type=click.Choice(["text", "json", "jsonl", "sarif", "github", "junit"]), default="text", show_default=True
)
@click.option("--jobs", type=click.IntRange(1), default=1, show_default=True, help="Sources checked at the same time.")
@click.option("--statistics", is_flag=True, help="Count the findings by code instead of telling them (text only).")
@click.option(
    "--protect-ranges", metavar="FILE", help="Ranges, one a line (10.1.0.0/16 or 10.1.0.5 tcp/443), that no policy may cut off."
)
@click.option(
    "--work-limit",
    type=click.IntRange(1),
    default=1_000_000,
    show_default=True,
    metavar="N",
    help="How much one question may look at before it is given up as not decided (PA430).",
)
@click.option("--baseline", metavar="FILE", help="JSON of an earlier check: its findings are left out.")
@click.option("--write-baseline", metavar="FILE", help="Write what is found to FILE, for --baseline, and end with 0.")
@click.option("--config", metavar="FILE", help="Settings, in its table [tool.pastore]; the nearest pyproject.toml if left out.")
@click.option("--isolated", is_flag=True, help="Without any pyproject.toml.")
def command(sources: tuple[str, ...], **options: Any) -> None:
    """Validate policies: load, expand and analyse every policy of every SRC, a file or a folder of files.

    Exit status 1 if there are findings of the fail level, 2 if a named source could not be read.
    """
    host = host_from(options)
    jobs = list(jobs_of(sources, host, options))
    if given_fixed():
        from pastore.sources import is_table

        for job in jobs:
            if job.named and is_table(job.source):
                refuse_fixed(job.source)
        jobs = [job._replace(fixed=True) for job in jobs]
    results = run_jobs(jobs, check_source, failed, at_once=options["jobs"], here=must_stay)
    reports = [report for checked in results for report in checked.reports]
    reports = [
        replace(report, findings=tuple(select(report.findings, _split(options["selected"]), _split(options["ignored"]))))
        for report in reports
    ]
    reports = without_per_file(reports)
    if options["write_baseline"]:
        write_baseline(options["write_baseline"], reports)
    if options["baseline"]:
        reports = without_known(reports, read_baseline(options["baseline"]))
    skipped = sum(checked.skipped for checked in results)
    from pastore.directory.access import shown

    unanswered = [shown(job.source) for job, checked in zip(jobs, results, strict=True) if job.named and not checked.answered]
    render(reports, skipped, unanswered, options)
    for source in unanswered:
        # Whatever the findings are selected by and written as, an exit status of 2 has its reason here.
        click.echo(f"pastore: no policy was obtained from {printable(source)}", err=True)
    if unanswered:
        sys.exit(NO_ANSWER)
    if not any(checked.answered for checked in results):
        cannot_answer("no policy was found in any of the sources")
    limit = _LEVELS[options["fail_level"]]
    if not options["write_baseline"] and any(finding.severity.rank <= limit for report in reports for finding in report.findings):
        sys.exit(BAD_NEWS)


def failed(job: Job, why: str) -> Checked:
    """Return what a source gives whose check did not come to its end."""
    from pastore.directory.access import shown
    from pastore.model import Origin

    source = shown(job.source)
    finding = Finding("PA107", f"the check of {source!r} did not come to its end: {why}", Origin(source))
    return Checked((Report(source, None, 0, 0, (finding,)),), answered=False, skipped=False)


def must_stay(job: Job) -> bool:
    """Whether a job must be done in this process: standard input is closed in others, and passwords do not leave this one."""
    return job.source == "-" or job.access is not None


def render(reports: list[Report], skipped: int, unanswered: list[str], options: dict[str, Any]) -> None:
    """Write the findings to stdout in the form asked for."""
    form = options["output_format"]
    if form == "json":
        say(json_text(as_json(reports, skipped), indent=2))
    elif form == "jsonl":
        lines = json_lines(reports)
        if lines:
            say(lines)
    elif form == "sarif":
        from pastore import __version__
        from pastore.findings.sarif import sarif

        say(json_text(sarif(reports, version=__version__, unanswered=unanswered), indent=2))
    elif form == "junit":
        from pastore.findings.junit import findings_junit

        say(findings_junit(reports, _LEVELS[options["fail_level"]], unanswered))
    elif form == "github":
        lines = github(reports)
        if lines:
            say(lines)
    elif options["statistics"]:
        say(statistics(reports))
    else:
        say(text(reports, skipped, paint))


def statistics(reports: list[Report]) -> str:
    """Return the number of findings of each code, the most frequent first."""
    from pastore.cli.common import table
    from pastore.findings import CODES

    found = Counter(finding.code for report in reports for finding in report.findings)
    worst = {finding.code: finding.severity for report in reports for finding in report.findings}
    rows = [
        (str(n), code, (worst.get(code) or Severity.INFO).value, CODES[code].title)
        for code, n in sorted(found.items(), key=lambda item: (-item[1], item[0]))
    ]
    return "\n".join(table(rows, heading=("FOUND", "CODE", "SEVERITY", "TITLE"), right=(0,))) if rows else "nothing found"


def _split(values: tuple[str, ...]) -> list[str]:
    return [part.strip().upper() for value in values for part in value.split(",") if part.strip()]
