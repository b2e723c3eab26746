"""Retrieve a policy from a local source, apply it, and say so in the audit log: one turn of the PAStore engine.

Which event is written when is docs/adr/004-events-of-an-apply.md; the texts are `pastore.audit.events`.
"""

from dataclasses import dataclass

from pastore.agent.applying import Manner, attempt, events_of, first_error
from pastore.audit.events import event
from pastore.audit.sinks import Sink
from pastore.filters.expand import Failure
from pastore.filters.host import UNKNOWN_HOST, Host
from pastore.findings import Finding
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
        sink.write(event(5472, Policy=wanted, Error=first_error(loaded.findings, w.FILE_NOT_FOUND)))
        return Applied(None, loaded.findings)
    if not isinstance(policy, Policy):
        raise TypeError("a first-match rule list is not a Windows policy: there is nothing for the agent to apply")
    cached = policy.storage is Storage.CACHE
    if not cached:
        sink.write(event(5471, Policy=policy.dn or policy.name))
    tried = attempt(policy, loaded.findings, Manner(host, order, target, default_exempt))
    for told in events_of(tried, *((5458, 5459) if cached else (5460, 5461))):
        sink.write(told)
    return Applied(tried.matcher, tried.findings, tried.failures)
