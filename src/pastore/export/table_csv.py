"""A policy as a table for spreadsheets: its specific filters in the order tried, one a line, as CSV (RFC 4180) in UTF-8.

A spreadsheet takes a cell that begins with ``=`` and the like for a formula, and names of rules are anybody's. Such a cell gets
an apostrophe before it, which spreadsheets read as "this is text".
"""

import csv
import io
from collections.abc import Iterator
from typing import Any, Final

from pastore.filters.specific import ALL, BOTH, EXEMPTIONS, INPASS, OUT, RAS, SOFT, SpecificFilters, join
from pastore.filters.text import range_text
from pastore.findings.render import printable
from pastore.model import Action
from pastore.packets.names import protocol_name

COLUMNS: Final = (
    "order",
    "rule",
    "action",
    "direction",
    "interface",
    "protocol",
    "src",
    "sport",
    "dst",
    "dport",
    "exempt",
    "inpass",
    "soft",
    "tunnel",
    "filter",
    "place",
)

_FORMULAS: Final = tuple("=+-@＝＋－＠")  # full-width forms count where the language of the computer writes them


def write(filters: SpecificFilters) -> bytes:
    """Return specific filters as CSV, with a heading.

    Parameters
    ----------
    filters : SpecificFilters
        Of a policy, or any rows.

    Returns
    -------
    bytes
        UTF-8; lines end with a line feed. ``order`` counts from 0, as indices of verdicts do.
    """
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    writer.writerows([cell(value) for value in row] for row in _rows(filters))
    return text.getvalue().encode("utf-8", "backslashreplace")


def cell(text: str) -> str:
    """Return a text that no spreadsheet takes for a formula, control characters escaped."""
    shown = printable(text)
    # Escaped, a tab or a line break is no blank any more, and not before a formula either.
    return f"'{shown}" if shown.lstrip().startswith(_FORMULAS) else shown


def _rows(filters: SpecificFilters) -> Iterator[tuple[str, ...]]:
    for at, row in enumerate(filters.rows):
        source = filters.source(at)
        family = int(row["family"])
        yield (
            str(at),
            (source.rule or "") if source else "",
            str(Action(int(row["action"]))),
            {BOTH: "both", OUT: "out"}.get(int(row["direction"]), "in"),
            {ALL: "all", RAS: "ras"}.get(int(row["interface"]), "lan"),
            _protocol(row),
            _addresses(family, row, "src"),
            _numbers(row, "sport", 65535),
            _addresses(family, row, "dst"),
            _numbers(row, "dport", 65535),
            EXEMPTIONS[int(row["exempt"])] or "",
            "yes" if row["flags"] & INPASS else "no",
            "yes" if row["flags"] & SOFT else "no",
            (source.tunnel or "") if source else "",
            source.text if source else "",
            source.place if source else "",
        )


def _addresses(family: int, row: Any, end: str) -> str:
    low, high = join(row[f"{end}_lo"]), join(row[f"{end}_hi"])
    if low == 0 and high == (1 << (32 if family == 4 else 128)) - 1:
        return "0.0.0.0/0" if family == 4 else "::/0"  # "any" would not say of which version
    return range_text(family, low, high)


def _protocol(row: Any) -> str:
    low, high = int(row["protocol_lo"]), int(row["protocol_hi"])
    return protocol_name(low) if low == high else _numbers(row, "protocol", 255)


def _numbers(row: Any, field: str, last: int) -> str:
    low, high = int(row[f"{field}_lo"]), int(row[f"{field}_hi"])
    if (low, high) == (0, last):
        return "any"
    return str(low) if low == high else f"{low}-{high}"
