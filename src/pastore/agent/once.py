"""Retrieve a policy from a local source, apply it, and say so in the audit log: one turn of the PAStore engine.

Which event is written when is docs/adr/004-events-of-an-apply.md; the texts are `pastore.audit.events`.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from pastore.api import compile_policy
from pastore.audit.events import event
from pastore.audit.sinks import Sink
from pastore.filters.expand import Failure
from pastore.filters.host import UNKNOWN_HOST, Host
from pastore.findings import Finding, Severity
from pastore.matcher import Matcher
from pastore.model import Policy, Storage
from pastore.model import win32 as w
from pastore.sources import Loaded


@dataclass(frozen=True, slots=True)
class Applied:
    """What one turn did.

    Parameters
    ----------
    matcher : Matcher, optional
        The compiled policy; None when none was applied.
    findings : tuple of Finding
        Reading and expanding together.
    failures : tuple of Failure
        Filters that could not be added.
    """

    matcher: Matcher | None
    findings: tuple[Finding, ...]
    failures: tuple[Failure, ...] = ()


def apply_once(
    loaded: Loaded,
    sink: Sink,
    host: Host = UNKNOWN_HOST,
    *,
    wanted: str = "",
    order: str = "weight",
    target: str = "vista",
    default_exempt: int | None = None,
) -> Applied:
    """Apply what was loaded and write the events.

    Parameters
    ----------
    loaded : Loaded
        From a local source: the registry's local storage or its cached copy of a domain policy.
    sink : Sink
        Takes the events.
    host : Host
    wanted : str
        What to call the policy in the event when none was obtained.
    order, target, default_exempt
        As for `pastore.compile`.

    Raises
    ------
    pastore.audit.sinks.AuditWriteError
        If an event cannot be written.
    TypeError
        If what was loaded is a rule list and not a Windows policy.
    """
    policy = loaded.policy
    if policy is None:
        sink.write(event(5472, Policy=wanted, Error=_first_error(loaded.findings, w.FILE_NOT_FOUND)))
        return Applied(None, loaded.findings)
    if not isinstance(policy, Policy):
        raise TypeError("a first-match rule list is not a Windows policy: there is nothing for the agent to apply")
    name = policy.dn or policy.name
    cached = policy.storage is Storage.CACHE
    if not cached:
        sink.write(event(5471, Policy=name))
    applied, failed = (5458, 5459) if cached else (5460, 5461)
    compiled = compile_policy(policy, host, order=order, target=target, default_exempt=default_exempt)
    expansion = compiled.expansion
    assert expansion is not None
    findings = (*loaded.findings, *expansion.findings)
    errors = [finding for finding in _about(policy, loaded.findings) if finding.win32]
    errors += [finding for finding in expansion.findings if finding.severity is Severity.ERROR and finding.win32]
    failed_rules = bool(expansion.failed_rules or errors)
    whole = policy.main_mode is None or (failed_rules and not expansion.applied_rules)
    if whole:
        error = w.MM_POLICY_NOT_FOUND if policy.main_mode is None else _first_error(errors, w.INVALID_DATA)
        sink.write(event(failed, Policy=name, Error=error))
    else:
        sink.write(event(applied, Policy=name))
        if errors:
            sink.write(event(5462, Policy=name, Error=_first_error(errors, w.INVALID_DATA)))
    for failure in expansion.failures:
        sink.write(event(5477, QuickModeFilter=f"{failure.filter} of rule {failure.rule!r}", Error=failure.win32))
    return Applied(None if whole else compiled.matcher, findings, expansion.failures)


def _first_error(findings: Iterable[Finding], otherwise: int) -> int:
    return next((finding.win32 for finding in findings if finding.severity is Severity.ERROR and finding.win32), otherwise)


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
