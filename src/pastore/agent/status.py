"""What the agent does at the moment, as JSON: what the IP Security Monitor showed, and why rules failed, which it did not."""

from datetime import datetime, timedelta
from typing import Any

from pastore.agent.engine import Engine, InForce
from pastore.audit.record import timestamp
from pastore.model import Action
from pastore.model.win32 import describe

VERSION = 1


def status_of(engine: Engine) -> dict[str, Any]:
    """Return everything but the filters, which `filters_of` gives."""
    in_force = engine.in_force
    return {
        "version": VERSION,
        "state": engine.state.value,
        "directory": getattr(engine.directory, "url", None),
        "computer": getattr(engine.directory, "computer", None),
        "policy": None if in_force is None else _policy(in_force),
        "failed": [] if in_force is None else _failed(in_force),
        "last_poll": _time(engine.last_poll),
        "last_answer": _time(engine.last_answer),
        "next_poll": _ahead(engine, engine.poll_at),
        "next_refresh": _ahead(engine, engine.refresh_at),
        "findings": [finding.as_dict() for finding in engine.findings],
        "audit": {"waiting": engine.trail.waiting, "lost": engine.trail.lost, "problem": engine.trail.problem or None},
        "events": [
            {"time": timestamp(told.time), "id": told.id, "outcome": told.outcome.value, "data": dict(told.data)}
            | ({} if told.summary is None else {"summary": told.summary.as_dict()})
            for told in engine.trail.last
        ],
    }


def _policy(in_force: InForce) -> dict[str, Any]:
    policy, attempt = in_force.attempt.policy, in_force.attempt
    stats = in_force.matcher.stats
    return {
        "name": policy.name,
        "guid": f"{{{policy.guid}}}",
        "dn": policy.dn or None,
        "storage": in_force.storage.value,
        "since": timestamp(in_force.since),
        "polling_interval": policy.polling_interval,
        "rules": [
            {"name": rule.label, "active": rule.active, "failed": rule.label in attempt.failed_rules} for rule in policy.rules
        ],
        "specific_filters": stats.specific_filters,
        "bytes": stats.bytes,
        "layout": stats.layout,
    }


def _failed(in_force: InForce) -> list[dict[str, Any]]:
    """Return what could not be applied: filters by filter, and rules that have none to name."""
    found: list[dict[str, Any]] = [
        {"rule": failure.rule, "filter": failure.filter, "error": describe(failure.win32)._asdict()}
        for failure in in_force.attempt.failures
    ]
    told = {failure.rule for failure in in_force.attempt.failures}
    for finding in in_force.attempt.findings:
        if finding.rule in in_force.attempt.failed_rules - told and finding.win32:
            told.add(finding.rule)
            found.append({"rule": finding.rule, "filter": None, "error": describe(finding.win32)._asdict()})
    return found


def filters_of(in_force: InForce, at_most: int | None = None) -> list[dict[str, Any]]:
    """Return the specific filters by weight, the one that is tried first at the top."""
    filters, background = in_force.matcher.filters, in_force.matcher.background
    count = len(filters) if at_most is None else min(at_most, len(filters))
    listed = []
    for index in range(count):
        source = filters.source(index)
        row = filters.rows[index]
        listed.append(
            {
                "action": str(Action(int(row["action"]))),
                "direction": ("in", "out", "both")[int(row["direction"])],
                "family": int(row["family"]),
                "rule": None if source is None else source.rule,
                "filter": None if source is None else source.text,
                "weight": None if background is None or row["exempt"] else list(background.weight(filters, index)[:3]),
            }
        )
    return listed


def _time(moment: datetime | None) -> str | None:
    return None if moment is None else timestamp(moment)


def _ahead(engine: Engine, at: float | None) -> str | None:
    if at is None:
        return None
    return timestamp(engine.clock.now() + timedelta(seconds=max(0.0, at - engine.clock.monotonic())))
