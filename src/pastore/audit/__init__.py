"""Audit events as Windows names and words them, the switches that choose them, where they are written and how they are read."""

from pastore.audit.events import EVENTS, AuditEvent, EventType, Outcome, Wording, event
from pastore.audit.log import read_log, select
from pastore.audit.policy import AuditPolicy
from pastore.audit.record import Damage, Entry
from pastore.audit.sinks import AuditWriteError, JsonLinesSink, MemorySink, Sink
from pastore.audit.summary import Example, Summary

__all__ = [
    "EVENTS",
    "AuditEvent",
    "AuditPolicy",
    "AuditWriteError",
    "Damage",
    "Entry",
    "EventType",
    "Example",
    "JsonLinesSink",
    "MemorySink",
    "Outcome",
    "Sink",
    "Summary",
    "Wording",
    "event",
    "read_log",
    "select",
]
