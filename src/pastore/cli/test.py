"""pastore test: packets and flows that must be judged as the cases say."""

import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import click

from pastore.cli.common import BAD_NEWS, NO_ANSWER, paint, say
from pastore.findings.render import json_text, printable

if TYPE_CHECKING:
    from pastore.matcher import Matcher
    from pastore.testing.cases import Case, Expectation


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one expectation: "passed", "failed" or "undecided"."""

    case: "Case"
    expectation: "Expectation"
    state: str
    action: str | None = None
    rule: str | None = None
    message: str = ""


@click.command("test")
@click.argument("files", nargs=-1, required=True, metavar="CASES...")
@click.option("--work-limit", "work", type=click.IntRange(1), metavar="N", help="Steps a flow may take; 250000 if left out.")
@click.option("--output-format", type=click.Choice(["text", "json", "junit"]), default="text", show_default=True)
@click.option("-v", "--verbose", is_flag=True, help="Tell what passed too.")
def command(files: tuple[str, ...], work: int | None, output_format: str, verbose: bool) -> None:
    """Judge the packets of CASES and compare with what they say; prove what they say about flows for every packet.

    CASES is YAML: name, policy (a path relative to the file), me, packets, each with packet, action and, where it matters, rule;
    flows, each with flow and action.

    Exit status: 0 all as expected, 1 some not, 2 a file or a policy could not be read or a flow not be decided.
    """
    from pastore.testing.cases import CaseError, read_cases

    outcomes: list[Outcome] = []
    problems: list[str] = []
    compiled: dict[Any, Matcher | str] = {}
    for file in files:
        try:
            cases = read_cases(file)
        except CaseError as error:
            problems.append(str(error))
            continue
        for case in cases:
            matcher = matcher_of(case, compiled)
            if isinstance(matcher, str):
                problems.append(f"{case.file}:{case.line}: {matcher}")
                continue
            outcomes += [judged(case, matcher, expectation, work) for expectation in case.expectations]
    if output_format == "json":
        say(json_text(test_json(outcomes, problems), indent=2))
    elif output_format == "junit":
        from pastore.findings.junit import Fault, Suite, junit

        suites: dict[str, Suite] = {}
        for outcome in outcomes:
            suite = suites.setdefault(outcome.case.file, Suite(outcome.case.file))
            name = f"{outcome.case.name}: {outcome.expectation.text}"
            suite.add(name, outcome.case.name, None if outcome.state == "passed" else Fault(outcome.state, line_of(outcome)))
        for problem in problems:
            suites.setdefault("unreadable", Suite("unreadable")).add(problem, "pastore", Fault("error", problem), error=True)
        say(junit("pastore test", suites.values()))
    else:
        say("\n".join(test_text(outcomes, problems, verbose)))
    for problem in problems:
        click.echo(f"pastore: {printable(problem)}", err=True)
    if problems or any(outcome.state == "undecided" for outcome in outcomes):
        sys.exit(NO_ANSWER)
    if any(outcome.state == "failed" for outcome in outcomes):
        sys.exit(BAD_NEWS)


def matcher_of(case: "Case", compiled: "dict[Any, Matcher | str]") -> "Matcher | str":
    """Return the compiled policy of a case, or why there is none; each policy is compiled once for each host."""
    from pastore.testing.cases import policy_path

    path = policy_path(case)
    key = (path, repr(sorted(case.options.items())))
    if key not in compiled:
        compiled[key] = compile_case(path, case.options)
    return compiled[key]


def compile_case(path: str, options: dict[str, Any]) -> "Matcher | str":
    """Load and compile a policy; returns what is wrong as a sentence."""
    from pastore import api
    from pastore.cli.table import load_table
    from pastore.findings import Severity
    from pastore.sources import is_table

    if options.get("format") == "compiled" or ("format" not in options and is_table(path)):
        fixed = sorted(set(options) - {"format"})
        if fixed:
            return f"{path} is a compiled table: {', '.join(fixed)} {'is' if len(fixed) == 1 else 'are'} fixed in it"
        opened = load_table(path)
        if opened.matcher is None:
            return opened.findings[0].message
        return "this compiled table knows actions only" if opened.matcher.actions_only else opened.matcher
    rest = dict(options)
    try:
        loaded = api.load(path, policy=rest.pop("select", None), format=rest.pop("format", None))
        if loaded.policy is None:
            errors = [finding.message for finding in loaded.findings if finding.severity is Severity.ERROR]
            return f"no policy was obtained from {path}" + (f": {errors[0]}" if errors else "")
        return api.compile(loaded.policy, **rest)
    except ValueError as error:
        return str(error)


def judged(case: "Case", matcher: "Matcher", expectation: "Expectation", work: int | None) -> Outcome:
    """Compare what happens with what is expected."""
    if expectation.flow:
        return proved(case, matcher, expectation, work)
    from pastore.packets.packet import Packet

    packet = Packet.parse(expectation.text)
    verdict = matcher.match(
        packet.protocol,
        packet.src,
        packet.dst,
        packet.sport,
        packet.dport,
        direction=packet.direction,
        interface=packet.interface,
        family=packet.family,
    )
    wrong = []
    if verdict.action != expectation.action:
        wrong.append(f"{verdict.action} instead of {expectation.action}")
    if not expectation.any_rule and verdict.rule != expectation.rule:
        wrong.append("not by a rule" if expectation.rule is None else f"not by rule {expectation.rule!r}")
    if not wrong:
        return Outcome(case, expectation, "passed", verdict.action, verdict.rule)
    if verdict.exempt:
        by = f"default exemption {verdict.exempt} decides"
    elif verdict.filter is None:
        by = "no filter matches" if verdict.action == "none" else f"row {verdict.index} decides"
    else:
        place = f" ({verdict.filter.place})" if verdict.filter.place else ""
        by = f"rule {verdict.rule!r}, filter {verdict.filter.text} decides{place}"
    return Outcome(case, expectation, "failed", verdict.action, verdict.rule, f"{', '.join(wrong)}: {by}")


def proved(case: "Case", matcher: "Matcher", expectation: "Expectation", work: int | None) -> Outcome:
    """Prove what is expected of a flow, or find a packet of it that is judged otherwise."""
    from pastore.analysis.grid import WORK_LIMIT
    from pastore.model import Action
    from pastore.testing import UndecidedError, check_flow

    limit = WORK_LIMIT if work is None else work
    try:
        found = check_flow(matcher, expectation.text, (Action[expectation.action.upper()],), limit=limit)
    except UndecidedError as error:
        return Outcome(case, expectation, "undecided", message=f"{error}; --work-limit allows more")
    except ValueError as error:  # me is of another family than the other end
        return Outcome(case, expectation, "failed", message=str(error))
    if found is None:
        return Outcome(case, expectation, "passed", expectation.action)
    packet, action, rule, text = found
    return Outcome(case, expectation, "failed", action, rule, f"not for {packet}: {text}")


def line_of(outcome: Outcome) -> str:
    """Return ``file:line: packet: message``."""
    return f"{outcome.case.file}:{outcome.expectation.line}: {outcome.expectation.text}: {outcome.message}"


def test_text(outcomes: list[Outcome], problems: list[str], verbose: bool) -> list[str]:
    """Return what failed, or everything, and a closing line that counts."""
    colours = {"passed": "success", "failed": "error", "undecided": "warning"}
    lines = []
    for outcome in outcomes:
        if outcome.state == "passed" and not verbose:
            continue
        place = f"{printable(outcome.case.file)}:{outcome.expectation.line}"
        state = paint(outcome.state, colours[outcome.state])
        what = f"{printable(outcome.case.name)}: {printable(outcome.expectation.text)}"
        lines.append(f"{paint(place, 'place')}: {state} {what}")
        if outcome.state == "passed":
            continue
        lines.append(f"    {printable(outcome.message)}")
    if lines:
        lines.append("")
    counted = {state: sum(outcome.state == state for outcome in outcomes) for state in colours}
    parts = [f"{n} {state}" for state, n in counted.items() if n]
    cases = len({(outcome.case.file, outcome.case.line) for outcome in outcomes})
    closing = f"{', '.join(parts) or 'nothing tested'} in {cases} {'case' if cases == 1 else 'cases'}"
    n = len(problems)
    lines.append(closing + (f"; {n} {'file or case' if n == 1 else 'files or cases'} could not be used" if n else ""))
    return lines


def test_json(outcomes: list[Outcome], problems: list[str]) -> dict[str, Any]:
    """Return the JSON document."""
    return {
        "version": 1,
        "results": [
            {
                "file": outcome.case.file,
                "line": outcome.expectation.line,
                "name": outcome.case.name,
                "kind": "flow" if outcome.expectation.flow else "packet",
                "packet": outcome.expectation.text,
                "expected": outcome.expectation.action,
                "expected_rule": outcome.expectation.rule,
                "state": outcome.state,
                "action": outcome.action,
                "rule": outcome.rule,
                "message": outcome.message or None,
            }
            for outcome in outcomes
        ],
        "problems": problems,
        "summary": {state: sum(outcome.state == state for outcome in outcomes) for state in ("passed", "failed", "undecided")},
    }
