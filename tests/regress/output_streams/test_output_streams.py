"""Whatever stdout is connected to, the command ends with a sentence and an exit status of its own, and JSON stays UTF-8."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import IO

import pytest

from tests.support.command import pastore as in_process
from tests.support.example import FOLDER
from tests.support.policies import policy, rule
from tests.support.registry import export

POLICY, CAPTURE = FOLDER / "policy.reg", FOLDER / "morning.pcap"
PACKET = "tcp 10.20.1.1:50000 > 10.20.4.7:445 in"
PRINTING = (
    ("check", POLICY),
    ("show", POLICY),
    ("explain", POLICY, PACKET),
    ("classify", POLICY, CAPTURE),
    ("rule",),
)


def pastore(
    *arguments: object, stdout: int | IO[bytes] = subprocess.PIPE, encoding: str = "utf-8"
) -> "subprocess.CompletedProcess[bytes]":
    """Run the command as a process of its own."""
    environment = {**os.environ, "PYTHONIOENCODING": encoding, "PYTHONPATH": os.pathsep.join(sys.path)}
    command = [os.fsencode(each) for each in (sys.executable, "-m", "pastore", *map(str, arguments))]
    return subprocess.run(command, env=environment, check=False, timeout=60, stdout=stdout, stderr=subprocess.PIPE)


@pytest.mark.parametrize("encoding", ["ascii", "cp1252"])
@pytest.mark.parametrize("format_", ["json", "text"])
def test_names_in_any_script_are_utf_8_whatever_the_locale(tmp_path: Path, encoding: str, format_: str) -> None:
    path = export(tmp_path, policy(rule("Блок 封鎖", "protect", "tcp any > me:445", auth=()), name="Überall"))
    done = pastore("check", path, "--output-format", format_, encoding=encoding)
    assert (done.returncode, done.stderr) == (1, b"")
    assert "Блок 封鎖" in done.stdout.decode("utf-8")


def test_csv_is_utf_8_whatever_the_locale(tmp_path: Path) -> None:
    path = export(tmp_path, policy(rule("封鎖", "block", "any > any")))
    done = pastore("classify", path, CAPTURE, encoding="cp1252")
    assert done.returncode == 0
    assert "封鎖" in done.stdout.decode("utf-8")


@pytest.mark.parametrize("encoding", ["utf-8:surrogateescape", "utf-8:strict"])
def test_a_file_name_that_is_no_text_still_gives_valid_json(tmp_path: Path, encoding: str) -> None:
    path = Path(os.fsdecode(os.fsencode(tmp_path) + b"/caf\xe9.reg"))
    try:
        path.write_bytes(POLICY.read_bytes())
    except OSError:
        pytest.skip("elsewhere: this file system has no such names")
    done = pastore("check", path, "--output-format", "json", encoding=encoding)
    assert json.loads(done.stdout.decode("utf-8"))["sources"][0]["source"] == str(path)


@pytest.mark.parametrize("arguments", PRINTING, ids=lambda arguments: arguments[0])
def test_a_full_disk_is_said_in_a_sentence(arguments: tuple[object, ...]) -> None:
    if not os.path.exists("/dev/full"):
        pytest.skip("elsewhere: there is no /dev/full")
    with open("/dev/full", "wb") as full:
        done = pastore(*arguments, stdout=full)
    assert done.returncode == 2
    assert b"No space left on device" in done.stderr
    assert b"internal error" not in done.stderr
    assert b"cannot be read" not in done.stderr


@pytest.mark.parametrize("arguments", PRINTING, ids=lambda arguments: arguments[0])
def test_a_reader_that_went_away_is_not_bad_news(arguments: tuple[object, ...]) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    try:
        done = pastore(*arguments, stdout=writing)
    finally:
        os.close(writing)
    assert done.returncode == 141  # what a shell calls SIGPIPE, and neither of the answers 0, 1 and 2
    assert b"Error" not in done.stderr
    assert b"Exception" not in done.stderr


@pytest.mark.parametrize("arguments", [*PRINTING, ("classify", POLICY, "-"), ("check", "-"), ("events", "-")], ids=str)
@pytest.mark.parametrize("closed", [0, 1])
def test_a_closed_standard_stream_is_no_internal_error(arguments: tuple[object, ...], closed: int) -> None:
    shell = f'exec "$@" {"<" if closed == 0 else ">"}&-'
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    command = ["/bin/sh", "-c", shell, "sh", sys.executable, "-m", "pastore", *map(str, arguments)]
    done = subprocess.run(command, env=environment, check=False, timeout=60, capture_output=True, stdin=subprocess.DEVNULL)
    assert done.returncode in (0, 1, 2)
    assert b"internal error" not in done.stderr
    if "-" in arguments and closed == 0:
        assert done.returncode == 2
        assert b"standard input is" in done.stdout + done.stderr


def test_an_interrupted_check_is_not_bad_news(monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("pastore.sources.load", interrupted)
    assert in_process("check", POLICY).status == 130
