"""What all tests share."""

import os
from pathlib import Path

import pytest

ELSEWHERE = "elsewhere:"  # how the reason of a skip starts when the test can never run on this platform


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> object:
    """Turn a skip that should have run into a failure, where PASTORE_SKIP_FAILS is set."""
    outcome = yield
    report = outcome.get_result()  # type: ignore[attr-defined]
    if os.environ.get("PASTORE_SKIP_FAILS") and report.skipped and not hasattr(report, "wasxfail"):
        reason = str(call.excinfo.value) if call.excinfo else ""
        if ELSEWHERE not in reason:
            report.outcome = "failed"
            report.longrepr = f"skipped, but it should run here: {reason}"
    return None


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Keep the tests of a file on one worker, as they share what it has made; a domain is made once, for its whole folder."""
    for item in items:
        folder = item.path.parent
        item.add_marker(pytest.mark.xdist_group(str(folder if (folder / "conftest.py").exists() else item.path)))


@pytest.fixture(scope="session")
def data() -> Path | None:
    """Return the folder of rule sets and exports that are not ours, None where there is none."""
    folder = os.environ.get("PASTORE_DATA")
    return Path(folder) if folder else None
