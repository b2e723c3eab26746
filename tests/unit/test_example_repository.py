"""The example of a repository keeps its promises: its CI file runs, and exit statuses and annotations are as told."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

import pastore

EXAMPLE = Path(__file__).parents[2] / "examples" / "repository"
SOURCES = Path(pastore.__file__).parents[1]


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """Return a copy that may be spoiled."""
    copy = tmp_path / "repository"
    shutil.copytree(EXAMPLE, copy, ignore=shutil.ignore_patterns("__pycache__", ".pytest_cache"))
    return copy


def run(repository: Path, command: str) -> subprocess.CompletedProcess[str]:
    """Run a command as the CI does: in its shell, with pastore on the path."""
    tools = repository.parent / "bin"
    tools.mkdir(exist_ok=True)
    for name, words in (("pastore", "-m pastore"), ("python", "")):
        tool = tools / name
        tool.write_text(f'#!/bin/sh\nexec "{sys.executable}" {words} "$@"\n')
        tool.chmod(0o755)
    environment = {
        **os.environ,
        "PATH": f"{tools}:{os.environ['PATH']}",
        "PYTHONPATH": str(SOURCES),
        "PYTHONDONTWRITEBYTECODE": "1",
    }
    return subprocess.run(
        ["bash", "-e", "-c", command], cwd=repository, env=environment, capture_output=True, text=True, timeout=120, check=False
    )


def steps() -> dict[str, str]:
    """Return the commands of the CI file by name, without the one that installs and the one that asks git."""
    workflow: Any = yaml.safe_load((EXAMPLE / ".github" / "workflows" / "policies.yml").read_text(encoding="utf-8"))
    found = {step["name"]: step["run"] for step in workflow["jobs"]["policies"]["steps"] if "run" in step}
    assert found.pop("Install") == "pip install pastore pytest"
    assert "git worktree add" in found.pop("Tell what the change changes")
    return found


def replaced(path: Path, old: str, new: str) -> None:
    text = path.read_bytes().decode()
    assert old in text
    path.write_bytes(text.replace(old, new).encode())


def test_every_step_of_the_ci_file_passes(repository: Path) -> None:
    assert list(steps()) == ["Check every policy", "Test what must hold", "Write what code scanning shows"]
    for name, command in steps().items():
        done = run(repository, command)
        assert done.returncode == 0, f"{name}: {done.stdout}{done.stderr}"
    assert (repository / "policies.sarif").read_text().startswith('{\n  "$schema"')


def test_a_new_mistake_is_1_and_stands_at_its_line(repository: Path) -> None:
    replaced(repository / "policies" / "file-servers.bat", "filterlist=services filteraction", "filterlist=service filteraction")
    done = run(repository, steps()["Check every policy"])
    assert done.returncode == 1
    errors = [line for line in done.stdout.splitlines() if line.startswith("::error ")]
    place = "file=policies/file-servers.bat,title=PA322,line=16,col=61"
    assert errors == [f"::error {place}::there is no filter list 'service'; did you mean 'services'?"]
    assert all(re.match(r"::(error|warning|notice) file=[^,:]+,title=PA\d{3}(,line=\d+(,col=\d+)?)?::", line) for line in errors)


def test_an_old_debt_is_not_told_and_a_paid_one_is_noted(repository: Path) -> None:
    done = run(repository, "pastore check policies")
    assert (done.returncode, "PA322" in done.stdout) == (0, False)
    assert "findings of the baseline left out" in done.stderr
    replaced(repository / "policies" / "print-server.bat", "filterlist=ofice", "filterlist=office")
    done = run(repository, "pastore check policies")
    assert done.returncode == 0
    assert "no longer found: --write-baseline brings it up to date" in done.stderr


def test_a_packet_that_is_judged_otherwise_is_1(repository: Path) -> None:
    replaced(repository / "policies" / "file-servers.bat", "(443 445)", "(443)")
    done = run(repository, "pastore test tests/*.yaml")
    assert done.returncode == 1
    assert "block instead of allow, not by rule 'Services': rule 'Everything else'" in done.stdout
    done = run(repository, "python -m pytest -q -p no:cacheprovider")
    assert done.returncode == 1
    assert "CounterexampleError: a packet of 'tcp 10.20.0.0/16 > me:443,445' does not pass in clear text: tcp " in done.stdout


def test_what_cannot_be_read_is_2(repository: Path) -> None:
    assert run(repository, "pastore check policies policies/mail-server.bat").returncode == 2
    assert run(repository, "pastore test tests/nowhere.yaml").returncode == 2
    assert run(repository, "pastore diff policies/file-servers.bat nowhere.bat").returncode == 2
    replaced(repository / "pyproject.toml", "jobs = 2", "jbos = 2")
    done = run(repository, "pastore check policies")
    assert done.returncode == 2
    assert "tool.pastore.jbos is no setting; did you mean 'jobs'?" in done.stderr


def test_the_difference_of_a_change_is_1_and_of_none_0(repository: Path) -> None:
    shutil.copy(repository / "policies" / "file-servers.bat", repository / "before.bat")
    assert run(repository, "pastore diff before.bat policies/file-servers.bat").returncode == 0
    replaced(repository / "policies" / "file-servers.bat", "dstport=1433", "dstport=1434")
    done = run(repository, "pastore diff - policies/file-servers.bat <before.bat")
    assert done.returncode == 1
    assert "protect by rule 'Database' becomes block by rule 'Everything else':" in done.stdout


def test_the_commands_of_its_readme_run(repository: Path) -> None:
    text = (EXAMPLE / "README.md").read_text(encoding="utf-8")
    commands = [line.strip() for line in text.splitlines() if line.startswith("    pastore ")]
    assert [run(repository, command).returncode for command in commands] == [0, 0, 0, 0]


def test_readme_shows_exactly_what_the_commands_print_here(repository: Path) -> None:
    readme = (EXAMPLE.parents[1] / "README.md").read_text(encoding="utf-8")
    (shown,) = re.findall(r"<!-- answers -->\n```console\n(.*?)```", readme, flags=re.DOTALL)
    told = re.findall(r"^\$ (.*)\n((?:(?!\$ ).*\n)*)", shown, flags=re.MULTILINE)
    assert len(told) == 5
    for command, output in told:
        assert run(repository, f"{command} 2>&1").stdout.rstrip("\n") == output.rstrip("\n"), command
