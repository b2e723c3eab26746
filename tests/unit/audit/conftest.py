from datetime import UTC, datetime

import pytest

from pastore.audit import EVENTS, AuditEvent, Wording
from pastore.audit.events import EventType


def filled(known: EventType, wording: Wording) -> AuditEvent:
    data: dict[str, str | int] = {
        field.name: 13008 if field.bits else f"value {place}" for place, field in enumerate(known.fields, start=1)
    }
    return AuditEvent(known.id, data, datetime(2026, 11, 22, 10, 30, 0, 123456, UTC), wording)


@pytest.fixture
def every_event() -> list[AuditEvent]:
    """One event of each id and wording, with data."""
    return [filled(known, wording) for known in EVENTS.values() for wording in Wording]
