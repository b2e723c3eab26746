"""JUnit XML, as continuous integration reads it.

There is no standard; this is what Jenkins, GitLab and others have in common: ``testsuites`` with ``testsuite`` elements that
count their ``testcase`` elements, in which a ``failure`` or ``error`` says what is wrong.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple
from xml.sax.saxutils import escape, quoteattr

from pastore.findings.finding import in_order
from pastore.findings.render import Report, printable, text_lines


class Fault(NamedTuple):
    """What is wrong: a type, a message of one line, a text of several."""

    kind: str
    message: str
    text: str = ""


@dataclass(slots=True)
class Suite:
    """A test suite.

    Parameters
    ----------
    name : str
    cases : list of Test
    """

    name: str
    cases: list["Test"] = field(default_factory=list)

    def add(self, name: str, of: str, fault: Fault | None = None, *, error: bool = False, note: str = "") -> None:
        """Add a test case; `error` says that it could not be carried out, `note` is output of one that passed."""
        self.cases.append(Test(name, of, fault, error, note))

    def count(self) -> tuple[int, int, int]:
        """Return how many cases there are, and how many failed and could not be carried out."""
        failed = sum(case.fault is not None and not case.error for case in self.cases)
        return len(self.cases), failed, sum(case.fault is not None and case.error for case in self.cases)


class Test(NamedTuple):
    """A test case."""

    name: str
    of: str
    fault: Fault | None
    error: bool
    note: str


def junit(name: str, suites: Iterable[Suite]) -> str:
    """Return suites as XML; whatever their texts hold, the document is well formed."""
    told = list(suites)
    total = [sum(column) for column in zip((0, 0, 0), *(suite.count() for suite in told), strict=True)]
    lines = ['<?xml version="1.0" encoding="UTF-8"?>', f"<testsuites {_counts(name, (total[0], total[1], total[2]))}>"]
    for suite in told:
        lines.append(f"  <testsuite {_counts(suite.name, suite.count())}>")
        lines += [line for case in suite.cases for line in _case(case)]
        lines.append("  </testsuite>")
    lines.append("</testsuites>")
    return "\n".join(lines)


def findings_junit(reports: Sequence[Report], rank: int, unanswered: Sequence[str] = ()) -> str:
    """Return the findings of a check: a suite a policy, a test case a finding; a policy without any is a case that passed.

    Findings up to `rank` are failures; others are told in the output of a case that passed, since the exit status is 0 too.
    Sources that no policy was obtained from are errors.
    """
    suites = []
    for report in reports:
        suite = Suite(f"{report.source}, policy {report.policy!r}" if report.policy is not None else report.source)
        for finding in in_order(report.findings):
            about = f"{finding.code} {finding.rule}" if finding.rule else finding.code
            place = str(finding.origin) if finding.origin.source else finding.origin.locator or report.source
            text = "\n".join(text_lines(finding))
            if finding.severity.rank <= rank:
                suite.add(f"{about} at {place}", finding.code, Fault(finding.severity.value, finding.message, text))
            else:
                suite.add(f"{about} at {place}", finding.code, note=text)
        if not report.findings:
            suite.add("no findings", "pastore")
        suites.append(suite)
    if unanswered:
        suites.append(Suite("sources"))
        for source in unanswered:
            suites[-1].add(source, "pastore", Fault("unanswered", f"no policy was obtained from {source}"), error=True)
    return junit("pastore check", suites)


def _case(case: Test) -> Iterator[str]:
    head = f"    <testcase name={_attribute(case.name)} classname={_attribute(case.of)}"
    if case.fault is None and not case.note:
        yield f"{head}/>"
        return
    yield f"{head}>"
    if case.fault is not None:
        tag = "error" if case.error else "failure"
        opening = f"      <{tag} type={_attribute(case.fault.kind)} message={_attribute(case.fault.message)}"
        yield f"{opening}>{_content(case.fault.text)}</{tag}>" if case.fault.text else f"{opening}/>"
    if case.note:
        yield f"      <system-out>{_content(case.note)}</system-out>"
    yield "    </testcase>"


def _counts(name: str, counts: tuple[int, int, int]) -> str:
    tests, failures, errors = counts
    return f'name={_attribute(name)} tests="{tests}" failures="{failures}" errors="{errors}"'


def _attribute(text: str) -> str:
    return quoteattr(printable(text))


def _content(text: str) -> str:
    return escape("\n".join(printable(line) for line in text.splitlines()))
