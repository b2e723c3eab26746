"""pastore check: batch validation."""

import json
import os
import re
import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
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
    is_quiet,
    paint,
    refuse_fixed,
    say,
    source_options,
)
from pastore.findings import Finding, Severity, select
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


def read_baseline(path: str) -> Counter[tuple[str, ...]]:
    """Return the findings of an earlier ``check --output-format json``."""
    try:
        document = json.loads(Path(path).read_text(encoding="utf-8"))
        return Counter(_key(finding) for source in document["sources"] for finding in source["findings"])
    except OSError as error:
        raise click.UsageError(f"the baseline {printable(path)} cannot be read: {error.strerror}") from None
    except (ValueError, KeyError, TypeError, RecursionError):
        raise click.UsageError(f"the baseline {printable(path)} is not the JSON of an earlier pastore check") from None


def _key(finding: dict[str, Any]) -> tuple[str, ...]:
    # Lines move when a file is edited; what a finding is about does not.
    told = dict(finding)
    if finding["source"]:
        told["message"] = re.sub(rf"({re.escape(finding['source'])}):\d+", r"\1", finding["message"])
    return tuple(str(told[name]) for name in ("code", "source", "locator", "rule", "filter", "message"))


def without_baseline(reports: list[Report], known: Counter[tuple[str, ...]]) -> list[Report]:
    """Take the findings of the baseline out, each as often as it is there."""
    known = known.copy()
    result = []
    for report in reports:
        fresh = []
        for finding in report.findings:
            key = _key(finding.as_dict())
            if known[key] > 0:
                known[key] -= 1
            else:
                fresh.append(finding)
        result.append(replace(report, findings=tuple(fresh)))
    return result


@click.command("check")
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
@click.option("--output-format", type=click.Choice(["text", "json", "jsonl", "github"]), default="text", show_default=True)
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
    help="How much one question may look at before it is given up as not decided (PA420).",
)
@click.option("--baseline", metavar="FILE", help="JSON of an earlier check: its findings are left out.")
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
    results = run(jobs, options["jobs"])
    reports = [report for checked in results for report in checked.reports]
    reports = [
        replace(report, findings=tuple(select(report.findings, _split(options["selected"]), _split(options["ignored"]))))
        for report in reports
    ]
    if options["baseline"]:
        reports = without_baseline(reports, read_baseline(options["baseline"]))
    skipped = sum(checked.skipped for checked in results)
    render(reports, skipped, options)
    unanswered = [job.source for job, checked in zip(jobs, results, strict=True) if job.named and not checked.answered]
    from pastore.directory.access import shown

    for source in unanswered:
        # Whatever the findings are selected by and written as, an exit status of 2 has its reason here.
        click.echo(f"pastore: no policy was obtained from {printable(shown(source))}", err=True)
    if unanswered:
        sys.exit(NO_ANSWER)
    if not any(checked.answered for checked in results):
        cannot_answer("no policy was found in any of the sources")
    limit = _LEVELS[options["fail_level"]]
    if any(finding.severity.rank <= limit for report in reports for finding in report.findings):
        sys.exit(BAD_NEWS)


def run(jobs: list[Job], at_once: int) -> list[Checked]:
    """Check every source, in the order given, with a progress bar where there is a terminal and something to wait for."""
    if len(jobs) < 2:
        return [check_source(job) for job in jobs]
    hidden = is_quiet() or not sys.stderr.isatty()
    if at_once == 1:
        with click.progressbar(jobs, label="checking", file=sys.stderr, hidden=hidden) as bar:
            return [check_source(job) for job in bar]
    from concurrent.futures import ProcessPoolExecutor

    with ProcessPoolExecutor(min(at_once, len(jobs))) as pool:
        # Standard input is closed in the other processes, and passwords do not leave this one.
        running = [None if job.source == "-" or job.access else pool.submit(check_source, job) for job in jobs]
        pairs = zip(jobs, running, strict=True)
        with click.progressbar(pairs, length=len(jobs), label="checking", file=sys.stderr, hidden=hidden) as done:
            return [future.result() if future else check_source(job) for job, future in done]


def render(reports: list[Report], skipped: int, options: dict[str, Any]) -> None:
    """Write the findings to stdout in the form asked for."""
    form = options["output_format"]
    if form == "json":
        say(json_text(as_json(reports, skipped), indent=2))
    elif form == "jsonl":
        lines = json_lines(reports)
        if lines:
            say(lines)
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
