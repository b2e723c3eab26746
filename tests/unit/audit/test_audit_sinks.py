"""The append-only file: numbers, modes, torn lines, refusals."""

import os
import stat
from pathlib import Path

import pytest

from pastore.audit import AuditPolicy, AuditWriteError, Damage, Entry, JsonLinesSink, MemorySink, event, read_log
from pastore.audit.record import MAX_LINE, encode

EVENT = event(5462, Policy="Server Isolation", Error=13008)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "audit.jsonl"


def entries(path: Path) -> list[Entry]:
    items = list(read_log(path))
    assert not [item for item in items if isinstance(item, Damage)]
    return [item for item in items if isinstance(item, Entry)]


def test_events_are_written_in_order_with_numbers_from_one(path: Path) -> None:
    with JsonLinesSink(path) as sink:
        assert [sink.write(EVENT), sink.write(event(5463))] == [1, 2]
        assert sink.torn == []
    assert [(entry.seq, entry.event.id) for entry in entries(path)] == [(1, 5462), (2, 5463)]
    assert entries(path)[0].event == EVENT


def test_new_file_belongs_to_its_owner_alone_and_an_old_one_keeps_its_mode(path: Path) -> None:
    JsonLinesSink(path).close()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    path.chmod(0o640)
    JsonLinesSink(path).close()
    assert stat.S_IMODE(path.stat().st_mode) == 0o640


def test_name_of_a_new_file_is_made_durable_too(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    synced: list[int] = []
    monkeypatch.setattr(os, "fsync", lambda descriptor: synced.append(os.fstat(descriptor).st_ino))
    JsonLinesSink(path).close()
    JsonLinesSink(path).close()
    assert synced == [path.parent.stat().st_ino]


def test_numbers_go_on_where_the_last_writer_stopped(path: Path) -> None:
    for number in range(1, 4):
        with JsonLinesSink(path) as sink:
            assert sink.write(EVENT) == number
    assert [entry.seq for entry in entries(path)] == [1, 2, 3]


def test_each_event_is_one_write_and_one_fsync_and_reads_nothing(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[tuple[str, bytes]] = []
    write, fsync = os.write, os.fsync

    def counted_write(descriptor: int, data: memoryview) -> int:
        calls.append(("write", bytes(data)))
        return write(descriptor, data)

    def counted_fsync(descriptor: int) -> None:
        calls.append(("fsync", b""))
        fsync(descriptor)

    with JsonLinesSink(path) as sink:
        monkeypatch.setattr(os, "write", counted_write)
        monkeypatch.setattr(os, "fsync", counted_fsync)
        monkeypatch.setattr(os, "pread", lambda *_: calls.append(("pread", b"")))
        sink.write(EVENT)
        sink.write(EVENT)
    assert calls == [("write", encode(Entry(1, EVENT))), ("fsync", b""), ("write", encode(Entry(2, EVENT))), ("fsync", b"")]


def test_event_that_the_policy_does_not_want_uses_no_number(path: Path) -> None:
    with JsonLinesSink(path, AuditPolicy.parse(["Policy Change=failure"])) as sink:
        assert [sink.write(event(5460, Policy="p")), sink.write(EVENT)] == [None, 1]
    memory = MemorySink(AuditPolicy.windows_default())
    assert memory.write(EVENT) is None
    assert memory.entries == []


def test_memory_sink_keeps_its_entries() -> None:
    sink = MemorySink()
    assert [sink.write(EVENT), sink.write(EVENT)] == [1, 2]
    assert sink.entries == [Entry(1, EVENT), Entry(2, EVENT)]
    assert sink.events == [EVENT, EVENT]


def test_torn_line_is_ended_reported_and_kept(path: Path) -> None:
    one, two = encode(Entry(1, EVENT)), encode(Entry(2, EVENT))
    path.write_bytes(one + two[:50])
    with JsonLinesSink(path) as sink:
        assert sink.torn == [
            Damage("PA160", None, f"the log ends in a torn line of 50 bytes at byte {len(one)}: its writer was stopped")
        ]
        assert sink.write(EVENT) == 2
        assert sink.write(EVENT) == 3
        assert len(sink.torn) == 1
    assert path.read_bytes() == one + two[:50] + b"\n" + two + encode(Entry(3, EVENT))


def test_last_line_that_only_lacks_its_line_end_counts_and_is_ended(path: Path) -> None:
    path.write_bytes(encode(Entry(41, EVENT))[:-1])
    with JsonLinesSink(path) as sink:
        assert sink.torn == []
        assert sink.write(EVENT) == 42
    assert [entry.seq for entry in entries(path)] == [41, 42]


@pytest.mark.parametrize("length", [1, 6, 20, 100])
def test_log_that_is_nothing_but_a_torn_first_line_is_taken_up(path: Path, length: int) -> None:
    path.write_bytes(encode(Entry(1, EVENT))[:length])
    with JsonLinesSink(path) as sink:
        assert [damage.code for damage in sink.torn] == ["PA160"]
        assert sink.write(EVENT) == 1
    assert [type(item).__name__ for item in read_log(path)] == ["Damage", "Entry"]


def test_end_of_the_log_is_found_behind_damaged_and_zeroed_lines(path: Path) -> None:
    path.write_bytes(encode(Entry(4, EVENT)) + encode(Entry(5, EVENT)) + b"garbage\n" * 10 + b"\0" * 10_000)
    with JsonLinesSink(path) as sink:
        assert sink.write(EVENT) == 6


def test_only_the_end_of_a_long_log_is_read(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with path.open("wb") as stream:
        stream.truncate(1 << 40)  # a hole of 1 TiB
        stream.seek(0, os.SEEK_END)
        stream.write(b"\n" + encode(Entry(7, EVENT)) + b"x" * 20_000)
    asked: list[int] = []
    pread = os.pread

    def counted(descriptor: int, length: int, offset: int) -> bytes:
        asked.append(length)
        return pread(descriptor, length, offset)

    monkeypatch.setattr(os, "pread", counted)
    with JsonLinesSink(path) as sink:
        assert sink.write(EVENT) == 8
    assert sum(asked) <= 3 * MAX_LINE


@pytest.mark.parametrize("content", [b"root:x:0:0:root:/root:/bin/sh\n", b"no line end", b"\0" * 50, b"[1]\n" * 1000])
def test_file_that_is_no_audit_log_is_refused_and_not_touched(path: Path, content: bytes) -> None:
    path.write_bytes(content)
    with pytest.raises(AuditWriteError, match="this is not an audit log"):
        JsonLinesSink(path)
    assert path.read_bytes() == content


def test_megabytes_without_an_event_are_refused(path: Path) -> None:
    path.write_bytes(encode(Entry(1, EVENT)) + b"x" * (3 * MAX_LINE))
    with pytest.raises(AuditWriteError, match="no whole event in the last 2 MiB"):
        JsonLinesSink(path)


def test_place_that_cannot_be_a_log_is_refused_with_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(AuditWriteError) as caught:
        JsonLinesSink(tmp_path / "none" / "audit.jsonl")
    assert str(caught.value) == f"{tmp_path}/none/audit.jsonl: cannot open the audit log: No such file or directory"
    with pytest.raises(AuditWriteError, match="Is a directory"):
        JsonLinesSink(tmp_path)
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(AuditWriteError, match="an audit log is a regular file or a character device"):
        JsonLinesSink(tmp_path / "pipe")


def test_closed_sink_takes_nothing(path: Path) -> None:
    sink = JsonLinesSink(path)
    sink.close()
    sink.close()
    with pytest.raises(ValueError, match="the audit log is closed"):
        sink.write(EVENT)


def test_log_that_was_rotated_is_opened_afresh_and_the_numbers_go_on(path: Path) -> None:
    with JsonLinesSink(path) as sink:
        sink.write(EVENT)
        path.rename(path.with_suffix(".1"))
        assert sink.write(EVENT) == 2
        path.unlink()
        assert sink.write(EVENT) == 3
    assert [entry.seq for entry in entries(path.with_suffix(".1"))] == [1]
    assert [entry.seq for entry in entries(path)] == [3]


def test_log_that_was_emptied_in_place_goes_on(path: Path) -> None:
    with JsonLinesSink(path) as sink:
        sink.write(EVENT)
        os.truncate(path, 0)
        assert sink.write(EVENT) == 2
    assert [entry.seq for entry in entries(path)] == [2]


def test_two_sinks_on_one_file_share_its_numbers(path: Path) -> None:
    with JsonLinesSink(path) as one, JsonLinesSink(os.fspath(path)) as other:
        assert [one.write(EVENT), other.write(EVENT), other.write(EVENT), one.write(EVENT)] == [1, 2, 3, 4]
    assert [entry.seq for entry in entries(path)] == [1, 2, 3, 4]
