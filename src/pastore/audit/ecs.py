"""An audit log as Elastic Common Schema documents, one JSON line each.

Only fields and values of the published schema are used. ``winlog.*`` is not among them: it is the namespace of Winlogbeat,
and a document that carries it claims to be read from a Windows event log, which these are not. Nothing is lost: the
policy is ``rule.ruleset``, and ``event.original`` holds the whole line of the log.
"""

import ipaddress
import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final, NamedTuple

from pastore.audit.events import PROVIDER, Outcome
from pastore.audit.record import Entry, as_dict, encode

VERSION: Final = "9.4.0"


class _Kind(NamedTuple):
    category: str
    type: str
    action: str


# Category and type are pairs that ECS expects together; the action is ours, as ECS has it.
_KINDS: Final[Mapping[int, _Kind]] = {
    4709: _Kind("process", "start", "ipsec-service-started"),
    4710: _Kind("configuration", "change", "ipsec-service-disabled"),
    4711: _Kind("configuration", "info", "ipsec-policy-reported"),
    4712: _Kind("process", "info", "ipsec-service-failed"),
    4960: _Kind("network", "denied", "ipsec-integrity-check-failed"),
    4961: _Kind("network", "denied", "ipsec-replay-check-failed"),
    4962: _Kind("network", "denied", "ipsec-replay-check-failed"),
    4963: _Kind("network", "denied", "ipsec-clear-text-dropped"),
    4965: _Kind("network", "info", "ipsec-unknown-spi-received"),
    5440: _Kind("configuration", "info", "wfp-callout-present"),
    5441: _Kind("configuration", "info", "wfp-filter-present"),
    5442: _Kind("configuration", "info", "wfp-provider-present"),
    5443: _Kind("configuration", "info", "wfp-provider-context-present"),
    5444: _Kind("configuration", "info", "wfp-sub-layer-present"),
    5446: _Kind("configuration", "change", "wfp-callout-changed"),
    5447: _Kind("configuration", "change", "wfp-filter-changed"),
    5448: _Kind("configuration", "change", "wfp-provider-changed"),
    5449: _Kind("configuration", "change", "wfp-provider-context-changed"),
    5450: _Kind("configuration", "change", "wfp-sub-layer-changed"),
    5453: _Kind("network", "info", "ipsec-negotiation-failed"),
    5456: _Kind("configuration", "change", "ipsec-directory-policy-applied"),
    5457: _Kind("configuration", "change", "ipsec-directory-policy-not-applied"),
    5458: _Kind("configuration", "change", "ipsec-cached-policy-applied"),
    5459: _Kind("configuration", "change", "ipsec-cached-policy-not-applied"),
    5460: _Kind("configuration", "change", "ipsec-local-policy-applied"),
    5461: _Kind("configuration", "change", "ipsec-local-policy-not-applied"),
    5462: _Kind("configuration", "change", "ipsec-rules-not-applied"),
    5463: _Kind("configuration", "info", "ipsec-policy-unchanged"),
    5464: _Kind("configuration", "change", "ipsec-policy-changes-applied"),
    5465: _Kind("configuration", "change", "ipsec-policy-reloaded"),
    5466: _Kind("configuration", "info", "ipsec-directory-unreachable"),
    5467: _Kind("configuration", "info", "ipsec-directory-reachable"),
    5468: _Kind("configuration", "change", "ipsec-directory-changes-applied"),
    5471: _Kind("configuration", "access", "ipsec-local-policy-loaded"),
    5472: _Kind("configuration", "access", "ipsec-local-policy-not-loaded"),
    5473: _Kind("configuration", "access", "ipsec-directory-policy-loaded"),
    5474: _Kind("configuration", "access", "ipsec-directory-policy-not-loaded"),
    5477: _Kind("configuration", "creation", "ipsec-filter-not-added"),
    5478: _Kind("process", "start", "ipsec-service-started"),
    5479: _Kind("process", "end", "ipsec-service-stopped"),
    5480: _Kind("process", "info", "ipsec-interfaces-unknown"),
    5483: _Kind("process", "start", "ipsec-service-not-started"),
    5484: _Kind("process", "end", "ipsec-service-failed"),
    5485: _Kind("configuration", "change", "ipsec-filters-not-applied"),
}


def render(entries: Iterable[Entry], host: str) -> Iterator[str]:
    """Yield one JSON line for each entry.

    Parameters
    ----------
    entries : iterable of Entry
    host : str
        Name of the computer the log is from.

    Yields
    ------
    str
        With its line end; ASCII.
    """
    for entry in entries:
        yield json.dumps(document(entry, host), separators=(",", ":")) + "\n"


def document(entry: Entry, host: str) -> dict[str, Any]:
    """Return the ECS document of one entry.

    Parameters
    ----------
    entry : Entry
    host : str
        Name of the computer the log is from.

    Returns
    -------
    dict
        Nested objects, as ECS writes field names with dots.
    """
    event = entry.event
    line = as_dict(entry)
    kind = _KINDS[event.id]
    result: dict[str, Any] = {
        "@timestamp": line["time"],
        "ecs": {"version": VERSION},
        "event": {
            "kind": "event",
            "category": [kind.category],
            "type": [kind.type],
            "action": kind.action,
            "outcome": event.outcome.value,
            "code": str(event.id),  # an id means something only beside its provider
            "provider": PROVIDER,
            "module": "pastore",
            "dataset": "pastore.audit",
            "sequence": entry.seq,
            "original": encode(entry).decode("ascii").rstrip("\n"),
        },
        "message": event.text,
        "log": {"level": "info" if event.outcome is Outcome.SUCCESS else "error"},
        "host": {"name": _whole(host)},
    }
    if "error" in line:
        error = line["error"]
        result["error"] = {"code": str(error["code"]), "type": error["name"], "message": error["message"]}
    if "Policy" in event.data:
        result["rule"] = {"ruleset": _whole(event.data["Policy"])}
    elif "QuickModeFilter" in event.data:
        result["rule"] = {"name": _whole(event.data["QuickModeFilter"])}
    if "RemoteAddress" in event.data:
        result["source"] = _source(_whole(event.data["RemoteAddress"]))
    return result


def _whole(value: object) -> str:
    """Return a string that UTF-8 can carry: lone surrogates, which Elasticsearch refuses, become question marks."""
    return str(value).encode("utf-8", "replace").decode("utf-8")


def _source(address: str) -> dict[str, str]:
    try:
        return {"address": address, "ip": str(ipaddress.ip_address(address.partition("%")[0]))}
    except ValueError:
        return {"address": address}
