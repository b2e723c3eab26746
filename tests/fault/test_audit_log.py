"""The audit log when disks fill, writers are killed, files are cut and several write at once."""

import errno
import io
import os
import random
import resource
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from pastore.audit import AuditWriteError, Damage, Entry, JsonLinesSink, event, read_log
from pastore.audit.record import encode

SRC = Path(__file__).parents[2] / "src"
EVENT = event(5462, Policy="Server Isolation", Error=13008)
WRITER = """
import sys
from pastore.audit import JsonLinesSink, event
sink = JsonLinesSink(sys.argv[1], patience=60)
print("ready", flush=True)
for number in range(int(sys.argv[2])):
    sink.write(event(5477, QuickModeFilter=f"filter {sys.argv[3]} {number} " + "x" * 200, Error=13008))
"""


def writer(path: Path, count: int, name: str) -> "subprocess.Popen[str]":
    arguments = [sys.executable, "-c", WRITER, os.fspath(path), str(count), name]
    process = subprocess.Popen(arguments, stdout=subprocess.PIPE, text=True, env=os.environ | {"PYTHONPATH": os.fspath(SRC)})
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    return process


def finish(process: "subprocess.Popen[str]") -> int:
    with process:
        return process.wait(timeout=60)


def split(items: list[Entry | Damage]) -> tuple[list[int], list[str]]:
    numbers = [item.seq for item in items if isinstance(item, Entry)]
    return numbers, [item.code for item in items if isinstance(item, Damage)]


def test_writer_killed_at_any_moment_leaves_whole_lines_and_at_most_a_torn_last_one(tmp_path: Path) -> None:
    moments = random.Random(20)
    written = 0
    for run in range(20):
        path = tmp_path / f"{run}.jsonl"
        process = writer(path, 1_000_000, "a")
        time.sleep(moments.uniform(0, 0.06))
        process.send_signal(signal.SIGKILL)
        assert finish(process) == -signal.SIGKILL

        items = list(read_log(path))
        numbers, codes = split(items)
        assert numbers == list(range(1, len(numbers) + 1))
        assert codes in ([], ["PA160"])
        assert not codes or isinstance(items[-1], Damage)
        written += len(numbers)

        with JsonLinesSink(path) as sink:
            assert len(sink.torn) == len(codes)
            assert sink.write(EVENT) == len(numbers) + 1
        assert split(list(read_log(path))) == (list(range(1, len(numbers) + 2)), ["PA161"] * len(codes))
    assert written > 0


def test_log_cut_at_any_byte_gives_the_events_before_and_at_most_one_damage() -> None:
    lines = [encode(Entry(seq, event(5460, Policy=f"Büro {seq}"))) for seq in (1, 2, 3)]
    log = b"".join(lines)
    whole = list(read_log(io.BytesIO(log)))
    ends = [sum(map(len, lines[:count])) for count in range(4)]
    for length in range(len(log) + 1):
        items = list(read_log(io.BytesIO(log[:length])))
        before = sum(length >= end - 1 for end in ends[1:])  # a line is whole even without its line end
        assert items[:before] == whole[:before]
        torn = length not in ends and length + 1 not in ends
        assert [item.code for item in items[before:] if isinstance(item, Damage)] == ["PA160"] * torn
        assert len(items) == before + torn


def test_writer_takes_up_a_log_cut_at_any_byte(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "fsync", lambda descriptor: None)
    log = b"".join(encode(Entry(seq, EVENT)) for seq in (1, 2))
    path = tmp_path / "audit.jsonl"
    for length in range(len(log) + 1):
        path.write_bytes(log[:length])
        numbers, _ = split(list(read_log(path)))
        with JsonLinesSink(path) as sink:
            assert sink.write(EVENT) == len(numbers) + 1
        assert path.read_bytes().startswith(log[:length])
        again, codes = split(list(read_log(path)))
        assert again == [*numbers, len(numbers) + 1]
        assert len(codes) <= 1


def test_full_device_is_an_error_that_says_so() -> None:
    with JsonLinesSink("/dev/full") as sink, pytest.raises(AuditWriteError) as caught:
        sink.write(EVENT)
    assert caught.value.errno == errno.ENOSPC
    assert isinstance(caught.value, OSError)
    assert str(caught.value) == "/dev/full: cannot record event 5462: No space left on device"


def test_event_cut_short_by_a_full_disk_is_taken_back_and_its_number_used_again(tmp_path: Path) -> None:
    path = tmp_path / "audit.jsonl"
    line = len(encode(Entry(1, EVENT)))
    old = resource.getrlimit(resource.RLIMIT_FSIZE)
    with JsonLinesSink(path) as sink:
        sink.write(EVENT)
        resource.setrlimit(resource.RLIMIT_FSIZE, (line + 100, old[1]))  # the kernel takes 100 bytes of the next, then no more
        try:
            with pytest.raises(AuditWriteError, match="cannot record event 5462: File too large") as caught:
                sink.write(EVENT)
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, old)
        assert caught.value.errno == errno.EFBIG
        assert path.stat().st_size == line
        assert sink.write(EVENT) == 2
    assert split(list(read_log(path))) == ([1, 2], [])


def test_failed_fsync_is_an_error_and_uses_no_number(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(descriptor: int) -> None:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    path = tmp_path / "audit.jsonl"
    with JsonLinesSink(path) as sink:
        sink.write(EVENT)
        with monkeypatch.context() as patch:
            patch.setattr(os, "fsync", broken)
            with pytest.raises(AuditWriteError, match="cannot record event 5462: Input/output error"):
                sink.write(EVENT)
        assert sink.write(EVENT) == 2
    assert split(list(read_log(path))) == ([1, 2], [])


def test_torn_line_is_reported_once_however_often_the_next_event_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(descriptor: int, data: memoryview) -> int:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    path = tmp_path / "audit.jsonl"
    torn = encode(Entry(1, EVENT)) + b'{"seq":2,"ti'
    path.write_bytes(torn)
    with JsonLinesSink(path) as sink:
        monkeypatch.setattr(os, "write", full)
        for _ in range(3):
            with pytest.raises(AuditWriteError, match="No space left on device"):
                sink.write(EVENT)
        assert path.read_bytes() == torn
        assert [damage.code for damage in sink.torn] == ["PA160"]


def test_file_system_that_lets_nothing_be_taken_back_still_gives_a_readable_log(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write = os.write

    def half(descriptor: int, data: memoryview) -> int:
        if len(data) < 100:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return write(descriptor, data[: len(data) - 50])

    def refused(descriptor: int, length: int) -> None:
        raise PermissionError(errno.EPERM, os.strerror(errno.EPERM))  # as on a file with the append-only attribute

    path = tmp_path / "audit.jsonl"
    with JsonLinesSink(path) as sink:
        sink.write(EVENT)
        with monkeypatch.context() as patch:
            patch.setattr(os, "write", half)
            patch.setattr(os, "ftruncate", refused)
            for _ in range(2):
                with pytest.raises(AuditWriteError, match="No space left on device"):
                    sink.write(EVENT)
        assert sink.write(EVENT) == 2
        assert [damage.code for damage in sink.torn] == ["PA160", "PA160"]
    assert split(list(read_log(path))) == ([1, 2], ["PA161", "PA161"])


def test_log_whose_directory_vanished_is_an_error_until_it_is_back(tmp_path: Path) -> None:
    folder = tmp_path / "logs"
    folder.mkdir()
    with JsonLinesSink(folder / "audit.jsonl") as sink:
        sink.write(EVENT)
        folder.rename(tmp_path / "old")
        for _ in range(2):
            with pytest.raises(AuditWriteError, match="cannot open the audit log: No such file or directory"):
                sink.write(EVENT)
        folder.mkdir()
        assert sink.write(EVENT) == 2
    assert split(list(read_log(folder / "audit.jsonl"))) == ([2], [])


def test_processes_that_write_at_once_share_whole_lines_and_contiguous_numbers(tmp_path: Path) -> None:
    path = tmp_path / "audit.jsonl"
    processes = [writer(path, 150, name) for name in "ab"]
    assert [finish(process) for process in processes] == [0, 0]
    items = list(read_log(path))
    assert split(items) == (list(range(1, 301)), [])
    for name in "ab":
        filters = [item.event.data["QuickModeFilter"] for item in items if isinstance(item, Entry)]
        mine = [str(one).split()[2] for one in filters if str(one).split()[1] == name]
        assert mine == [str(number) for number in range(150)]


def test_threads_share_one_sink(tmp_path: Path) -> None:
    path = tmp_path / "audit.jsonl"
    with JsonLinesSink(path) as sink:
        threads = [threading.Thread(target=lambda: [sink.write(EVENT) for _ in range(25)]) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert split(list(read_log(path))) == (list(range(1, 101)), [])


def test_child_of_a_fork_writes_with_a_lock_of_its_own(tmp_path: Path) -> None:
    path = tmp_path / "audit.jsonl"
    with JsonLinesSink(path) as sink:
        sink.write(EVENT)
        child = os.fork()
        if child == 0:
            status = 1
            try:
                for _ in range(50):
                    sink.write(EVENT)
                status = 0
            finally:
                os._exit(status)
        for _ in range(50):
            sink.write(EVENT)
        assert os.waitpid(child, 0)[1] == 0
    assert split(list(read_log(path))) == (list(range(1, 102)), [])


def test_lock_that_is_never_let_go_is_an_error_and_not_a_hang(tmp_path: Path) -> None:
    import fcntl

    path = tmp_path / "audit.jsonl"
    with JsonLinesSink(path, patience=0.05) as sink, path.open("rb") as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        began = time.monotonic()
        with pytest.raises(AuditWriteError, match=r"another writer has held the audit log for 0\.05 s"):
            sink.write(EVENT)
        assert time.monotonic() - began < 5
        fcntl.flock(other, fcntl.LOCK_UN)
        assert sink.write(EVENT) == 1
