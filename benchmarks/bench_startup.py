"""How long a user waits for ``pastore --help``, beside the interpreter alone and the interpreter with click.

Whole processes, so that everything that is imported counts. The peers say what no Python command can beat.
"""

import subprocess
import sys

import pytest
from pytest_benchmark.fixture import BenchmarkFixture

COMMANDS = {
    "python -c pass": [sys.executable, "-c", "pass"],
    "python -c 'import click'": [sys.executable, "-c", "import click"],
    "python -c 'import pastore'": [sys.executable, "-c", "import pastore"],
    "pastore --help": [sys.executable, "-m", "pastore", "--help"],
    "pastore --version": [sys.executable, "-m", "pastore", "--version"],
}


@pytest.mark.benchmark(group="startup")
@pytest.mark.parametrize("name", COMMANDS)
def bench_startup(benchmark: BenchmarkFixture, name: str) -> None:
    def run() -> int:
        return subprocess.run(COMMANDS[name], stdout=subprocess.DEVNULL, check=True).returncode

    assert benchmark.pedantic(run, rounds=15, warmup_rounds=2) == 0  # type: ignore[no-untyped-call]
