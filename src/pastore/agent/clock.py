"""Time, as the agent asks for it; tests have another one."""

import time
from datetime import UTC, datetime
from typing import Protocol


class Clock(Protocol):
    """Where the agent has its time from."""

    def now(self) -> datetime:
        """Return the time of day, aware."""

    def monotonic(self) -> float:
        """Return seconds that only grow, and go on while the computer sleeps."""


class SystemClock:
    """The time of this computer."""

    def now(self) -> datetime:
        """Return the time of day in UTC."""
        return datetime.now(UTC)

    def monotonic(self) -> float:
        """Return seconds since the computer was started."""
        clock = getattr(time, "CLOCK_BOOTTIME", None)
        return time.monotonic() if clock is None else time.clock_gettime(clock)
