"""Something that is wrong, or worth knowing, with its place."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final, cast

from pastore.findings.codes import CODES, Severity
from pastore.model import NOWHERE, Origin

_REGISTERED: Final = cast(Severity, object())  # stands for "as registered" until __post_init__ has looked it up


@dataclass(frozen=True, slots=True)
class Finding:
    """One finding.

    Parameters
    ----------
    code : str
        A code of `pastore.findings.codes`.
    message : str
        One sentence about this case. Never contains a secret.
    origin : Origin
        Where.
    rule, filter : str, optional
        Label of the rule and text of the filter it is about.
    severity : Severity, optional
        The registry's when left out.
    win32 : int, optional
        The registry's when left out.
    event : int, optional
        The registry's when left out.

    Raises
    ------
    KeyError
        If the code is not registered.
    """

    code: str
    message: str
    origin: Origin = NOWHERE
    rule: str | None = None
    filter: str | None = None
    severity: Severity = _REGISTERED
    win32: int | None = None
    event: int | None = None

    def __post_init__(self) -> None:
        known = CODES[self.code]
        if self.severity is _REGISTERED:
            object.__setattr__(self, "severity", known.severity)
        if self.win32 is None:
            object.__setattr__(self, "win32", known.win32)
        if self.event is None:
            object.__setattr__(self, "event", known.event)

    def as_dict(self) -> dict[str, Any]:
        """Return the JSON form of the interface contract."""
        return {
            "code": self.code,
            "severity": self.severity.value,
            "message": self.message,
            "source": self.origin.source,
            "locator": self.origin.locator,
            "line": self.origin.line,
            "column": self.origin.column,
            "rule": self.rule,
            "filter": self.filter,
            "win32": self.win32,
            "event": self.event,
        }


def in_order(findings: Iterable[Finding]) -> list[Finding]:
    """Sort for reading: worst first, then by place and code; equal ones keep their order."""
    return sorted(findings, key=lambda f: (f.severity.rank, f.origin.source, f.origin.line or 0, f.code))


def select(findings: Iterable[Finding], selected: Sequence[str] = (), ignored: Sequence[str] = ()) -> list[Finding]:
    """Keep the findings whose code starts with one of `selected` (all if empty) and with none of `ignored`."""
    return [
        finding
        for finding in findings
        if (not selected or finding.code.startswith(tuple(selected))) and not finding.code.startswith(tuple(ignored))
    ]
