"""Findings as text and JSON."""

import json
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from pastore.findings.codes import CODES, Severity
from pastore.findings.finding import Finding, in_order
from pastore.model.win32 import describe

# DEL and C1 controls, soft hyphen, marks of direction and joining, line separators, surrogates, byte order mark, tags.
_HIDDEN = re.compile(
    "[\x7f-\x9f\xad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\ud800-\udfff\ufeff\ufff9-\ufffb\ufffe\uffff\U000e0000-\U000e007f]"
)

# What a build server would obey wherever it stands in a line: ##[command], ##vso[...], ##teamcity[...].
_ORDER = re.compile(r"##(?=\[|[A-Za-z]+\[)")
_COMMAND = re.compile(r"^(\s*)::")

Paint = Callable[[str, str], str]
"""Takes a text and what it is (a severity, "code", "place" or "quiet"), returns it as the terminal should show it."""


@dataclass(frozen=True, slots=True)
class Report:
    """The findings of one policy of one source."""

    source: str
    policy: str | None
    rules: int
    filters: int
    findings: tuple[Finding, ...]


def plain(text: str, _what: str) -> str:
    """Paint nothing."""
    return text


def printable(text: str) -> str:
    """Return text with control characters escaped: names come from files that may want to write to the terminal themselves.

    So is the beginning of what a build server would obey anywhere in its log.
    """
    if "##" in text:
        text = _ORDER.sub(r"#\\x23", text)
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else c.encode("unicode_escape", "surrogatepass").decode() for c in text)


def at_line_start(text: str) -> str:
    """Return printable text to begin a line with: build servers obey lines that begin with two colons."""
    return _COMMAND.sub(r"\1\\x3a:", printable(text))


def json_text(value: Any, indent: int | None = None) -> str:
    """Return JSON in which letters stand as they are and what a terminal would obey or not show is escaped."""
    written = json.dumps(value, indent=indent, ensure_ascii=False)
    return _ORDER.sub(r"#\\u0023", _HIDDEN.sub(lambda match: json.dumps(match[0])[1:-1], written))


def counts(findings: Iterable[Finding]) -> dict[str, int]:
    """Return how many findings there are of each severity."""
    result = {severity.value: 0 for severity in Severity}
    for finding in findings:
        result[finding.severity.value] += 1
    return result


def text_lines(finding: Finding, paint: Paint = plain) -> list[str]:
    """Return a finding as lines: place, severity, code and message; what it is about; what to do."""
    place = at_line_start(str(finding.origin) if finding.origin.source else finding.origin.locator or "policy")
    head = f"{paint(place, 'place')}: {paint(finding.severity.value, finding.severity.value)} {paint(finding.code, 'code')}"
    lines = [f"{head} {printable(finding.message)}"]
    about = []
    if finding.rule:
        about.append(f"rule {finding.rule!r}")
    if finding.filter:
        about.append(finding.filter)
    if about:
        lines.append(f"    in {printable(', filter '.join(about))}")
    if finding.origin.source and finding.origin.locator:
        lines.append("    at " + paint(printable(finding.origin.locator), "quiet"))
    if finding.severity is not Severity.INFO:
        advice = CODES[finding.code].advice
        if finding.win32:
            error = describe(finding.win32)
            lines.append("    " + paint(f"Win32 error {error.code}: {error.message}", "quiet"))
        lines.append("    " + paint(advice, "quiet"))
    return lines


def text(reports: Sequence[Report], skipped: int = 0, paint: Paint = plain) -> str:
    """Return all findings, the worst first in each policy, and a closing line that counts them."""
    lines: list[str] = []
    for report in reports:
        if len(reports) > 1 and report.findings and report.policy is not None:
            lines.append(paint(at_line_start(f"{report.source}, policy {report.policy!r}"), "heading"))
        for finding in in_order(report.findings):
            lines.extend(text_lines(finding, paint))
    if lines:
        lines.append("")
    lines.append(summary_line(reports, skipped))
    return "\n".join(lines)


def summary_line(reports: Sequence[Report], skipped: int = 0) -> str:
    """Return ``2 errors, 1 warning, 3 info in 1 policy: 5 rules, 14 filters``."""
    total = counts(finding for report in reports for finding in report.findings)
    names = ((total["error"], "error"), (total["warning"], "warning"), (total["info"], "info"))
    parts = [f"{n} {name}{'' if n == 1 or name == 'info' else 's'}" for n, name in names if n]
    policies = sum(report.policy is not None for report in reports)
    lists = sum(report.policy is None and report.rules > 0 for report in reports)
    kinds = [f"{policies} {'policy' if policies == 1 else 'policies'}"] if policies or not lists else []
    if lists:
        kinds.append(f"{lists} rule {'list' if lists == 1 else 'lists'}")
    rules = sum(report.rules for report in reports)
    filters = sum(report.filters for report in reports)
    line = (
        f"{', '.join(parts) if parts else 'nothing found'} in {' and '.join(kinds)}: "
        f"{rules} {'rule' if rules == 1 else 'rules'}, {filters} {'filter' if filters == 1 else 'filters'}"
    )
    undecided = count_undecided(reports)
    if undecided:
        line += f"; {undecided} {'kind' if undecided == 1 else 'kinds'} of questions not decided"
    return f"{line}; {skipped} {'file' if skipped == 1 else 'files'} of unknown format skipped" if skipped else line


def count_undecided(reports: Sequence[Report]) -> int:
    """Return how many findings say that something could not be decided."""
    return sum(finding.code == "PA430" for report in reports for finding in report.findings)


def as_json(reports: Sequence[Report], skipped: int = 0) -> dict[str, Any]:
    """Return the JSON document of the interface contract."""
    return {
        "version": 1,
        "sources": [
            {
                "source": report.source,
                "policy": report.policy,
                "rules": report.rules,
                "filters": report.filters,
                "findings": [finding.as_dict() for finding in in_order(report.findings)],
            }
            for report in reports
        ],
        "summary": {
            **counts(finding for report in reports for finding in report.findings),
            "skipped": skipped,
            "undecided": count_undecided(reports),
        },
    }


def json_lines(reports: Sequence[Report]) -> str:
    """Return one JSON object a finding, with the policy's name added."""
    return "\n".join(
        json_text({"version": 1, **finding.as_dict(), "policy": report.policy})
        for report in reports
        for finding in in_order(report.findings)
    )


def github(reports: Sequence[Report]) -> str:
    """Return workflow commands that annotate a pull request."""

    def escape(value: str, *, in_property: bool) -> str:
        pairs = [("%", "%25"), ("\r", "%0D"), ("\n", "%0A")] + ([(":", "%3A"), (",", "%2C")] if in_property else [])
        for raw, escaped in pairs:
            value = value.replace(raw, escaped)
        return printable(value)

    names = {Severity.ERROR: "error", Severity.WARNING: "warning", Severity.INFO: "notice"}
    lines = []
    for report in reports:
        for finding in in_order(report.findings):
            properties = {"file": finding.origin.source or report.source, "title": finding.code}
            if finding.origin.line is not None:
                properties["line"] = str(finding.origin.line)
                if finding.origin.column is not None:
                    properties["col"] = str(finding.origin.column)
            joined = ",".join(f"{name}={escape(value, in_property=True)}" for name, value in properties.items())
            about = f" (rule {finding.rule!r})" if finding.rule else ""
            lines.append(f"::{names[finding.severity]} {joined}::{escape(printable(finding.message + about), in_property=False)}")
    return "\n".join(lines)
