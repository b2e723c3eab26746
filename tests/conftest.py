"""What all tests share."""

import os
from pathlib import Path

import pytest
from xdist.remote import Producer
from xdist.scheduler import LoadFileScheduling

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


class FileScheduling(LoadFileScheduling):  # type: ignore[misc]
    """All tests of a file on one worker, as they share what it has made; those of a folder too that has a ``conftest.py``.

    Marks of groups are not used: from pytest 9.2 on, ``--dist loadgroup`` of pytest-xdist 3.8 passes over them in silence.
    """

    def _split_scope(self, nodeid: str) -> str:
        file = Path(nodeid.split("::", 1)[0])
        return str(file.parent if (Path(self.config.rootpath) / file.parent / "conftest.py").exists() else file)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> FileScheduling:
    return FileScheduling(config, log)


@pytest.fixture(scope="session")
def data() -> Path | None:
    """Return the folder of rule sets and exports that are not ours, None where there is none."""
    folder = os.environ.get("PASTORE_DATA")
    return Path(folder) if folder else None
