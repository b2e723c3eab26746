"""A list of findings that a damaged file cannot make endless."""

from collections import Counter
from collections.abc import Iterable
from typing import Final

from pastore.findings import CODES, Finding, Severity
from pastore.model import Origin

LIMIT: Final = 100


class FindingLog:
    """Collects the findings of one source, at most `LIMIT` of each code; the rest are counted.

    Parameters
    ----------
    source : str
        The source as the user named it.
    """

    __slots__ = ("_counts", "_findings", "source")

    def __init__(self, source: str) -> None:
        self.source = source
        self._findings: list[Finding] = []
        self._counts: Counter[str] = Counter()

    def add(
        self,
        code: str,
        message: str,
        *,
        locator: str = "",
        line: int | None = None,
        column: int | None = None,
        severity: Severity | None = None,
    ) -> None:
        """Add a finding, or count it when there are enough of its code; its severity is the registry's when left out."""
        self._counts[code] += 1
        if self._counts[code] <= LIMIT:
            severity = severity or CODES[code].severity
            self._findings.append(Finding(code, message, Origin(self.source, locator, line, column), severity=severity))

    def room(self, code: str) -> int:
        """Return how many more findings of a code will be listed."""
        return max(0, LIMIT - self._counts[code])

    def count(self, code: str, times: int) -> None:
        """Count findings that there is no `room` to list."""
        self._counts[code] += times

    def findings(self) -> tuple[Finding, ...]:
        """Return what was collected; each code that overflowed ends with a finding that says how many are not listed."""
        return (*self._findings, *_more(self._counts, self.source))


def limited(findings: Iterable[Finding], source: str) -> tuple[Finding, ...]:
    """Return findings made elsewhere, bounded as those of a `FindingLog` are."""
    counts: Counter[str] = Counter()
    listed = []
    for finding in findings:
        counts[finding.code] += 1
        if counts[finding.code] <= LIMIT:
            listed.append(finding)
    return (*listed, *_more(counts, source))


def _more(counts: Counter[str], source: str) -> list[Finding]:
    return [
        Finding(code, f"and {count - LIMIT} more like this, not listed", Origin(source))
        for code, count in counts.items()
        if count > LIMIT
    ]


def quoted(name: str) -> str:
    """Return a name for a message: in quotes, control characters escaped, cut when it is long."""
    return repr(name if len(name) <= 80 else name[:77] + "...")
