"""A policy made ready to be applied: compiled, with what could not be, and the events that say so (docs/adr/004)."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime

from pastore.api import compile_policy
from pastore.audit.events import AuditEvent, event
from pastore.filters.expand import Failure
from pastore.filters.host import UNKNOWN_HOST, Host
from pastore.findings import Finding, Severity
from pastore.matcher import Matcher
from pastore.model import Policy
from pastore.model import win32 as w


@dataclass(frozen=True, slots=True)
class Manner:
    """For whom policies are expanded, and how.

    Parameters
    ----------
    host : Host
    order, target, default_exempt
        As for `pastore.compile`.
    """

    host: Host = UNKNOWN_HOST
    order: str = "weight"
    target: str = "vista"
    default_exempt: int | None = None


@dataclass(frozen=True, slots=True)
class Attempt:
    """What came of an attempt to apply a policy.

    Parameters
    ----------
    policy : Policy
    matcher : Matcher, optional
        None if the policy as a whole could not be applied.
    error : int
        The first Win32 error, 0 if every rule was applied.
    findings : tuple of Finding
        Reading and expanding together.
    failures : tuple of Failure
        Filters that could not be added.
    failed_rules : frozenset of str
        Labels of rules that could not be applied, or not with all of their filters.
    """

    policy: Policy
    matcher: Matcher | None
    error: int
    findings: tuple[Finding, ...] = field(repr=False)
    failures: tuple[Failure, ...] = field(repr=False)
    failed_rules: frozenset[str] = frozenset()

    @property
    def name(self) -> str:
        """What events call the policy: its DN where it is known, else its name."""
        return self.policy.dn or self.policy.name


def attempt(policy: Policy, reading: tuple[Finding, ...], manner: Manner) -> Attempt:
    """Compile a policy and find out how much of it can be applied.

    The policy as a whole cannot if the object itself cannot be read, if its key exchange settings are missing, or if every rule
    failed.

    Parameters
    ----------
    policy : Policy
    reading : tuple of Finding
        What was found while its source was read.
    manner : Manner
    """
    compiled = compile_policy(
        policy,
        manner.host,
        order=manner.order,
        target=manner.target,
        default_exempt=manner.default_exempt,
        reading=reading,
    )
    expansion = compiled.expansion
    assert expansion is not None
    findings = (*reading, *expansion.findings)
    errors = [finding for finding in _about(policy, reading) if finding.win32]
    errors += [finding for finding in expansion.findings if finding.severity is Severity.ERROR and finding.win32]
    damage = [finding for finding in errors if _is_of_policy_itself(policy, finding)]
    every_rule_failed = bool(expansion.failed_rules or errors) and not expansion.applied_rules
    if policy.main_mode is None:
        error = w.MM_POLICY_NOT_FOUND
    else:
        error = first_error(damage or errors, w.INVALID_DATA if every_rule_failed else 0)
    whole = policy.main_mode is None or bool(damage) or every_rule_failed
    failed = frozenset(finding.rule for finding in errors if finding.rule)
    return Attempt(policy, None if whole else compiled.matcher, error, findings, expansion.failures, failed)


def events_of(attempt: Attempt, applied: int, failed: int, time: datetime | None = None) -> Iterator[AuditEvent]:
    """Yield the events of one apply.

    Parameters
    ----------
    attempt : Attempt
    applied : int
        The event for a policy that was applied, at least in part.
    failed : int
        The one for a policy that as a whole was not.
    time : datetime, optional
    """
    if attempt.matcher is None:
        yield event(failed, time=time, Policy=attempt.name, Error=attempt.error)
    else:
        named: dict[str, str | int] = {} if applied in (5464, 5468) else {"Policy": attempt.name}
        yield AuditEvent(applied, named, time or datetime.now(UTC))
        if attempt.error:
            yield event(5462, time=time, Policy=attempt.name, Error=attempt.error)
    for failure in attempt.failures:
        text = f"{failure.filter} of rule {failure.rule!r}"
        yield event(5477, time=time, QuickModeFilter=text, Error=failure.win32)


def first_error(findings: Iterable[Finding], otherwise: int) -> int:
    """Return the Win32 error of the first error finding that has one."""
    return next((finding.win32 for finding in findings if finding.severity is Severity.ERROR and finding.win32), otherwise)


def _is_of_policy_itself(policy: Policy, finding: Finding) -> bool:
    """Whether the policy object's own data could not be read, and not only a rule it refers to."""
    place = finding.origin.locator.lower()
    is_data = "ipsecdata" in place or finding.code == "PA133"
    return is_data and f"ipsecpolicy{{{policy.guid}}}" in place


def _about(policy: Policy, findings: Iterable[Finding]) -> list[Finding]:
    """Return the errors found in the objects of this policy, and not in others of the same source."""
    guids = {policy.guid}
    for rule in policy.rules:
        guids.add(rule.guid)
        guids.update(filter_list.guid for filter_list in rule.filter_lists)
        if rule.filter_action:
            guids.add(rule.filter_action.guid)
    missing = (*policy.missing, *(name for rule in policy.rules for name in rule.missing))
    names = [str(guid) for guid in guids] + [name.lower() for name in missing]
    return [
        finding
        for finding in findings
        if finding.severity is Severity.ERROR and any(name in finding.origin.locator.lower() for name in names)
    ]
