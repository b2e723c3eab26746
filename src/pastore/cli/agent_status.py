"""pastore agent status, as text or JSON."""

from typing import Any, Final

from pastore.cli.common import paint, say, table
from pastore.findings.render import json_text, printable

FIRST: Final = 20  # specific filters that are shown unless all are wanted
_EVENTS: Final = 10

_STATES: Final = {
    "off": "starting",
    "directory": "the directory's policy is in force",
    "cache": "the last good policy of the directory is in force: the directory cannot be reached, or its policy not be applied",
    "local": "the policy of local storage is in force",
    "waiting": "no policy is in force: neither the directory nor a cached copy could be had",
    "idle": "no policy is in force: none is assigned",
}


def show_status(found: dict[str, Any], output_format: str) -> None:
    """Print it."""
    say(json_text(found, indent=2) if output_format == "json" else "\n".join(status_lines(found)))


def status_lines(found: dict[str, Any]) -> list[str]:
    """Return it for people."""
    policy = found["policy"]
    facts = [("State", _STATES.get(found["state"], found["state"]))]
    if found["directory"]:
        facts.append(("Directory", printable(found["directory"])))
    if found["computer"]:
        facts.append(("Computer", printable(found["computer"])))
    facts += [
        (name, str(found[key]))
        for name, key in (
            ("Asked last", "last_poll"),
            ("Answered last", "last_answer"),
            ("Polls next", "next_poll"),
            ("Refreshes next", "next_refresh"),
        )
        if found[key]
    ]
    if policy:
        facts += [
            ("Applied", policy["since"]),
            ("Polling", f"every {policy['polling_interval']} seconds"),
            ("DN", printable(policy["dn"] or "")),
            ("Filters", f"{policy['specific_filters']} specific ones, {policy['bytes']} bytes"),
        ]
    heading = f"Policy {printable(policy['name'])}" if policy else "No policy"
    lines = [paint(heading, "heading"), *table([fact for fact in facts if fact[1]], indent="  ")]
    if policy:
        rows = [(printable(rule["name"]), _state_of(rule)) for rule in policy["rules"]]
        lines += ["", *table(rows, heading=("RULE", "STATE"))]
    if found["failed"]:
        rows3 = [
            (
                printable(one["rule"]),
                printable(one["filter"] or "all of it"),
                f"{one['error']['code']}: {one['error']['message']}",
            )
            for one in found["failed"]
        ]
        lines += ["", *table(rows3, heading=("NOT APPLIED: RULE", "FILTER", "BECAUSE"))]
    if found["filters"]:
        rows5 = [
            (
                paint(one["action"], one["action"]),
                one["direction"],
                _weight(one["weight"]),
                _what(one),
                printable(one["rule"] or "-"),
            )
            for one in found["filters"]
        ]
        lines += ["", *table(rows5, heading=("ACTION", "WAY", "WEIGHT", "FILTER", "RULE"))]
        more = policy["specific_filters"] - len(rows5) if policy else 0
        if more > 0:
            lines.append(f"and {more} more, which --filters lists")
    if found["events"]:
        rows4 = [
            (one["time"], str(one["id"]), paint(one["outcome"], one["outcome"]), _data(one)) for one in found["events"][-_EVENTS:]
        ]
        lines += ["", *table(rows4, heading=("TIME", "EVENT", "OUTCOME", "DATA"))]
    if found["audit"]["waiting"] or found["audit"]["lost"]:
        audit = found["audit"]
        lines += [
            "",
            f"{audit['waiting']} events wait to be recorded, {audit['lost']} were given up: {printable(audit['problem'])}",
        ]
    if found["findings"]:
        lines += ["", *(f"{paint(one['code'], 'code')} {printable(one['message'])}" for one in found["findings"])]
    return lines


def _state_of(rule: dict[str, Any]) -> str:
    if rule["failed"]:
        return paint("not applied, or not with all of its filters", "failure")
    return "active" if rule["active"] else "not active"


def _weight(weight: list[int] | None) -> str:
    """Return address bits, whether a protocol is set, and how many ports are."""
    return "exempt" if weight is None else f"{weight[0]}/{int(weight[1])}/{weight[2]}"


def _what(one: dict[str, Any]) -> str:
    return f"IPv{one['family']} {printable(one['filter'] or '')}".rstrip()


def _data(one: dict[str, Any]) -> str:
    return printable(", ".join(f"{name} {value}" for name, value in one["data"].items()))
