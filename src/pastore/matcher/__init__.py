"""Packet classification: SpecificFilters in, verdicts out."""

from pastore.matcher.errors import MemoryLimitError, TableError
from pastore.matcher.matcher import Matcher
from pastore.matcher.verdicts import LAYOUTS, Batch, Selection, Stats, Verdict, Verdicts

__all__ = ["LAYOUTS", "Batch", "Matcher", "MemoryLimitError", "Selection", "Stats", "TableError", "Verdict", "Verdicts"]
