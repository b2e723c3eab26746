"""Makes docs/findings.md, the table of all findings, from the registry: ``python -m tests.support.findings_page`` writes it."""

from pathlib import Path
from typing import Final

from pastore.findings import CODES
from pastore.model.win32 import describe

PATH: Final = Path(__file__).parents[2] / "docs" / "findings.md"
PAGES: Final = "../src/pastore/findings/pages"

_HEAD: Final = """\
# Findings

What pastore says about a policy, a capture or an audit log has a code, which keeps its meaning for ever. `pastore rule CODE`
shows the page of a code: what it means, an example, how to mend it. PA1xx are about reading, PA2xx about rules that cannot be
applied, PA3xx about rules that do not do what they seem to, PA4xx about limits and what could not be decided, PA5xx about
security.

Event and Win32 error are those of the audit event that the finding belongs to. Windows does not publish which condition leads to
which error: the assignment is [our decision](adr/003-what-cannot-be-applied.md).

"""


def rendered() -> str:
    """Return the text of the page."""
    rows = [("Code", "Severity", "Title", "Win32 error", "Event"), ("---",) * 5]
    for known in CODES.values():
        error = f"{known.win32} {describe(known.win32).name}" if known.win32 else ""
        link = f"[{known.code}]({PAGES}/{known.code}.md)"
        rows.append((link, known.severity.value, known.title, error, str(known.event or "")))
    return _HEAD + "".join(f"| {' | '.join(row)} |\n" for row in rows)


def main() -> None:
    """Write the page."""
    PATH.write_text(rendered(), encoding="utf-8")


if __name__ == "__main__":
    main()
