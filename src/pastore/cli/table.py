"""Compiled tables where a source is asked for."""

from dataclasses import dataclass

from pastore.findings import Finding
from pastore.matcher import Matcher, TableError
from pastore.model import Origin
from pastore.sources import Loaded


@dataclass(frozen=True, slots=True)
class LoadedTable(Loaded):
    """A compiled table in place of a policy: `policy` is its rows, `findings` what was found when its policy was read."""

    matcher: Matcher | None = None


def load_table(source: str) -> LoadedTable:
    """Open a compiled table; what is wrong with it is a finding."""
    try:
        if source == "-":
            raise TableError("a compiled table is mapped from a file; it cannot come from standard input")
        matcher = Matcher.open(source)
    except TableError as error:
        return LoadedTable(None, (Finding("PA106", str(error), Origin(source)),))
    except (OSError, ValueError) as error:  # a path with a NUL is a ValueError
        why = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        return LoadedTable(None, (Finding("PA101", f"cannot read {source!r}: {why}", Origin(source)),))
    return LoadedTable(matcher.filters, matcher.background.reading if matcher.background else (), matcher=matcher)
