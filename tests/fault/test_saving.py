"""Saving a table when disks fill, the process is killed, and the name stands for something else."""

import errno
import os
import signal
import stat
import subprocess
import sys
from pathlib import Path

import pytest

import pastore
from pastore.matcher import Matcher
from tests.support.rulesets import make_rules

ROOT = Path(__file__).parents[2]
OLD, NEW = Matcher(make_rules("acl", 5, seed=1)), Matcher(make_rules("fw", 90, seed=2))
SAVER = """
import os, signal, sys
import pastore
from tests.support.rulesets import make_rules
def die(*ignored):
    os.kill(os.getpid(), signal.SIGKILL)
setattr(os, sys.argv[2], die)
pastore.compile(make_rules("fw", 90, seed=2)).save(sys.argv[1])
"""


@pytest.fixture
def table(tmp_path: Path) -> Path:
    """An older table, to be replaced."""
    path = tmp_path / "site.pastore"
    OLD.save(path)
    return path


def rows(path: Path) -> int:
    return len(pastore.open(path).filters)


@pytest.mark.parametrize("moment", ["fsync", "replace"])
def test_killed_before_the_rename_the_old_table_stays(table: Path, moment: str) -> None:
    path = os.pathsep.join((str(ROOT / "src"), str(ROOT)))
    done = subprocess.run(
        [sys.executable, "-c", SAVER, str(table), moment], env=os.environ | {"PYTHONPATH": path}, capture_output=True, check=False
    )
    assert done.returncode == -signal.SIGKILL, done.stderr
    assert rows(table) == 5
    left = [each for each in table.parent.iterdir() if each != table]
    assert [each.suffix for each in left] == [".tmp"]  # it was on the way
    NEW.save(table)
    assert rows(table) == 90


@pytest.mark.parametrize(("what", "error"), [("fsync", errno.EIO), ("replace", errno.EACCES), ("open", errno.EROFS)])
def test_what_the_system_refuses_is_raised_and_the_old_table_stays(
    table: Path, monkeypatch: pytest.MonkeyPatch, what: str, error: int
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise OSError(error, os.strerror(error))

    with monkeypatch.context() as patch:
        patch.setattr(os, what, refuse)
        with pytest.raises(OSError, match=os.strerror(error)) as raised:
            NEW.save(table)
    assert raised.value.errno == error
    assert rows(table) == 5
    assert list(table.parent.iterdir()) == [table]


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="elsewhere: needs a device that is always full")
def test_a_full_disk_is_raised_and_the_old_table_stays(table: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = os.open

    def opened(path: str, flags: int, mode: int = 0o777) -> int:
        descriptor = real(path, flags, mode)
        if flags & os.O_CREAT:
            full = real("/dev/full", os.O_WRONLY)
            os.dup2(full, descriptor)
            os.close(full)
        return descriptor

    with monkeypatch.context() as patch:
        patch.setattr(os, "open", opened)
        with pytest.raises(OSError, match=os.strerror(errno.ENOSPC)):
            NEW.save(table)
    assert rows(table) == 5
    assert list(table.parent.iterdir()) == [table]


def test_what_is_not_a_regular_file_is_not_replaced(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(OSError, match="not a regular file"):
        NEW.save(tmp_path / "pipe")
    with pytest.raises(IsADirectoryError):
        NEW.save(tmp_path)
    assert stat.S_ISFIFO((tmp_path / "pipe").stat().st_mode)
    with pytest.raises(FileNotFoundError):
        NEW.save(tmp_path / "missing" / "site.pastore")


def test_a_link_stays_a_link_and_permissions_stay(table: Path) -> None:
    table.chmod(0o640)
    link = table.parent / "current.pastore"
    link.symlink_to(table.name)
    NEW.save(link)
    assert link.is_symlink()
    assert (rows(table), stat.S_IMODE(table.stat().st_mode)) == (90, 0o640)


def test_a_new_table_has_the_permissions_that_the_umask_leaves(tmp_path: Path) -> None:
    before = os.umask(0o027)
    try:
        NEW.save(tmp_path / "new.pastore")
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "new.pastore").stat().st_mode) == 0o640


def test_a_name_without_a_folder_is_in_the_current_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    NEW.save("site.pastore")
    assert rows(Path("site.pastore")) == 90
