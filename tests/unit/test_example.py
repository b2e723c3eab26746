"""The bundled example is what its maker makes, and README shows what it really prints."""

import re
import subprocess
import sys
from pathlib import Path

from tests.support import example

ROOT = Path(__file__).parents[2]
TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z")


def test_the_bundled_files_are_what_the_maker_makes() -> None:
    assert (example.FOLDER / "policy.reg").read_bytes() == example.export()
    assert (example.FOLDER / "morning.pcap").read_bytes() == example.capture()


def test_the_example_is_a_policy_as_windows_stores_it() -> None:
    import pastore

    loaded = pastore.load(example.FOLDER / "policy.reg")
    assert loaded.policy == example.policy()
    assert loaded.findings == ()


def test_readme_shows_exactly_what_the_demonstration_prints() -> None:
    pastore = Path(sys.executable).with_name("pastore")
    done = subprocess.run(
        [str(ROOT / "scripts" / "demo"), str(pastore)], capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    (shown,) = re.findall(r"<!-- demo -->\n```console\n(.*?)```", readme, flags=re.DOTALL)
    # The times are those of the run; everything else is the same everywhere.
    assert TIME.sub("TIME", shown.strip()) == TIME.sub("TIME", done.stdout.strip())
