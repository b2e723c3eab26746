"""Findings as SARIF 2.1.0, the Static Analysis Results Interchange Format of OASIS.

Source: https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/sarif-v2.1.0-errata01-os-complete.html, by its sections.
"""

import os
import re
from collections.abc import Sequence
from typing import Any, Final
from urllib.parse import quote

from pastore.findings.codes import CODES, Severity, page
from pastore.findings.finding import Finding, in_order
from pastore.findings.identity import fingerprints, same_path
from pastore.findings.render import Report, printable

SCHEMA: Final = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
_LEVELS: Final = {Severity.ERROR: "error", Severity.WARNING: "warning", Severity.INFO: "note"}  # 3.27.10
_BASE: Final = "%SRCROOT%"
_LINK: Final = re.compile(r"\[([^\[\]]*)\](?=\()")


def sarif(reports: Sequence[Report], *, version: str, unanswered: Sequence[str] = ()) -> dict[str, Any]:
    """Return a SARIF log of one run.

    Parameters
    ----------
    reports : sequence of Report
    version : str
        Of pastore.
    unanswered : sequence of str
        Sources that no policy was obtained from.
    """
    findings = [(report, finding) for report in reports for finding in in_order(report.findings)]
    codes = sorted({finding.code for _, finding in findings})
    prints = fingerprints(finding for _, finding in findings)
    return {
        "$schema": SCHEMA,
        "version": "2.1.0",
        "runs": [
            {
                "tool": {"driver": {"name": "pastore", "semanticVersion": version, "rules": [_rule(code) for code in codes]}},
                "invocations": [
                    {
                        "executionSuccessful": not unanswered,
                        "toolExecutionNotifications": [
                            {"level": "error", "message": {"text": message(f"no policy was obtained from {source}")}}
                            for source in unanswered
                        ],
                    }
                ],
                "originalUriBaseIds": {_BASE: {"description": {"text": "The working directory of the check."}}},
                "columnKind": "unicodeCodePoints",
                "results": [
                    _result(report, finding, codes.index(finding.code), fingerprint)
                    for (report, finding), fingerprint in zip(findings, prints, strict=True)
                ],
            }
        ],
    }


def message(text: str) -> str:
    """Return a text as a message that stands for itself: no placeholders (3.11.5) and no links (3.11.6)."""
    text = printable(text).replace("{", "{{").replace("}", "}}")
    return _LINK.sub(r"\\[\1\\]", text)


def uri_of(source: str) -> dict[str, str]:
    """Return the artifactLocation (3.4) of a source."""
    if "://" in source:
        return {"uri": quote(source, safe=":/?#[]@!$&'()*+,;=%", errors="surrogatepass")}
    path = same_path(source)
    path = path.replace(os.sep, "/")
    try:
        uri = quote(os.fsencode(path))
    except UnicodeEncodeError:  # no name that a file here could have
        uri = quote(path, errors="surrogatepass")
    return {"uri": f"file://{uri}"} if os.path.isabs(path) else {"uri": uri, "uriBaseId": _BASE}


def _rule(code: str) -> dict[str, Any]:
    known = CODES[code]
    return {
        "id": code,
        "shortDescription": {"text": message(known.title)},
        "help": {"text": message(known.advice), "markdown": page(code)},
        "defaultConfiguration": {"level": _LEVELS[known.severity]},
    }


def _result(report: Report, finding: Finding, index: int, fingerprint: str) -> dict[str, Any]:
    told = finding.message
    if finding.rule:
        told += f" (rule {finding.rule!r}" + (f", filter {finding.filter}" if finding.filter else "") + ")"
    elif finding.filter:
        told += f" (filter {finding.filter})"
    location: dict[str, Any] = {}
    source = finding.origin.source or report.source
    if source and source != "-":
        place: dict[str, Any] = {"artifactLocation": uri_of(source)}
        if finding.origin.line is not None and finding.origin.line > 0:
            region = {"startLine": finding.origin.line}
            if finding.origin.column is not None and finding.origin.column > 0:
                region["startColumn"] = finding.origin.column
            place["region"] = region
        location["physicalLocation"] = place
    if finding.origin.locator:
        location["logicalLocations"] = [{"fullyQualifiedName": printable(finding.origin.locator)}]
    properties = {"policy": report.policy, "win32": finding.win32, "event": finding.event}
    return {
        "ruleId": finding.code,
        "ruleIndex": index,
        "level": _LEVELS[finding.severity],
        "message": {"text": message(told)},
        "locations": [location] if location else [],
        # The first is the one that GitHub goes by.
        "partialFingerprints": {"primaryLocationLineHash": fingerprint, "pastoreFinding/v1": fingerprint},
        "properties": {
            name: printable(value) if isinstance(value, str) else value for name, value in properties.items() if value is not None
        },
    }
