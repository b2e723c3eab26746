"""pastore: the Windows IPsec Policy Agent (PAStore Engine) in the open.

The names below are imported when they are first used, so that ``import pastore`` costs next to nothing.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pastore.api import Difference as Difference
    from pastore.api import Loaded as Loaded
    from pastore.api import compile as compile
    from pastore.api import diff as diff
    from pastore.api import load as load
    from pastore.api import open as open
    from pastore.api import publish as publish
    from pastore.filters.specific import SpecificFilters as SpecificFilters
    from pastore.findings import Finding as Finding
    from pastore.matcher import Matcher as Matcher
    from pastore.matcher import MemoryLimitError as MemoryLimitError
    from pastore.matcher import TableError as TableError
    from pastore.matcher import Verdict as Verdict
    from pastore.matcher import Verdicts as Verdicts
    from pastore.model import Policy as Policy
    from pastore.packets.batch import PacketBatch as PacketBatch

__version__ = "0.1.0"

_HOMES = {
    "Difference": "pastore.api",
    "Finding": "pastore.findings",
    "Loaded": "pastore.api",
    "Matcher": "pastore.matcher",
    "MemoryLimitError": "pastore.matcher",
    "PacketBatch": "pastore.packets.batch",
    "Policy": "pastore.model",
    "SpecificFilters": "pastore.filters.specific",
    "TableError": "pastore.matcher",
    "Verdict": "pastore.matcher",
    "Verdicts": "pastore.matcher",
    "compile": "pastore.api",
    "diff": "pastore.api",
    "load": "pastore.api",
    "open": "pastore.api",
    "publish": "pastore.api",
}

__all__ = [
    "Difference",
    "Finding",
    "Loaded",
    "Matcher",
    "MemoryLimitError",
    "PacketBatch",
    "Policy",
    "SpecificFilters",
    "TableError",
    "Verdict",
    "Verdicts",
    "__version__",
    "compile",
    "diff",
    "load",
    "open",
    "publish",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'pastore' has no attribute {name!r}")
    from importlib import import_module

    value = getattr(import_module(_HOMES[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
