"""Packet classification: SpecificFilters in, verdicts out."""

from pastore.matcher.errors import MemoryLimitError, TableError
from pastore.matcher.matcher import Matcher
from pastore.matcher.verdicts import Batch, Selection, Stats, Verdict, Verdicts

__all__ = ["Batch", "Matcher", "MemoryLimitError", "Selection", "Stats", "TableError", "Verdict", "Verdicts"]
