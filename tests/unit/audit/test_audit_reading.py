"""Lines of the log, reading them, and choosing among them."""

import io
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from pastore.audit import AuditEvent, Damage, Entry, MemorySink, Outcome, event, read_log, select
from pastore.audit.record import MAX_LINE, as_dict, encode

NOON = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)


def lines(count: int, first: int = 1) -> list[bytes]:
    return [encode(Entry(seq, event(5460, Policy=f"p{seq}", time=NOON))) for seq in range(first, first + count)]


def read(data: bytes) -> list[Entry | Damage]:
    return list(read_log(io.BytesIO(data)))


def numbers(items: list[Entry | Damage]) -> list[int | str]:
    return [item.seq if isinstance(item, Entry) else item.code for item in items]


def test_line_is_the_contract() -> None:
    line = encode(Entry(7, event(5462, Policy="Büro", Error=13008, time=NOON)))
    assert line.endswith(b"}\n")
    assert line.isascii()
    assert json.loads(line) == {
        "seq": 7,
        "time": "2026-11-22T12:00:00.000000Z",
        "id": 5462,
        "outcome": "failure",
        "data": {"Policy": "Büro", "Error": 13008},
        "text": "PAStore Engine failed to apply some rules of the active IPsec policy on the computer. Use the IP Security"
        " Monitor snap-in to diagnose the problem.\n\nPolicy:\t\tBüro\nError Code:\t\t13008",
        "error": {
            "code": 13008,
            "name": "ERROR_IPSEC_TRANSPORT_FILTER_EXISTS",
            "message": "The specified transport mode filter already exists.",
        },
    }
    assert list(json.loads(line)) == ["seq", "time", "id", "outcome", "data", "text", "error"]


def test_line_without_an_error_has_no_error() -> None:
    assert "error" not in as_dict(Entry(1, event(5463)))


def test_error_code_that_is_not_known_is_still_described() -> None:
    error = as_dict(Entry(1, event(5483, Error=4321)))["error"]
    assert error == {"code": 4321, "name": "ERROR_4321", "message": "System error 4321 (see: net helpmsg 4321)."}


def test_every_event_comes_back_from_its_line(every_event: list[AuditEvent]) -> None:
    sink = MemorySink()
    for one in every_event:
        sink.write(one)
    again = read(b"".join(map(encode, sink.entries)))
    assert again == sink.entries
    assert [item.event.text for item in again if isinstance(item, Entry)] == [one.text for one in every_event]


def test_log_is_read_from_a_path_or_a_stream_that_stays_open(tmp_path: Path) -> None:
    path = tmp_path / "audit.jsonl"
    path.write_bytes(b"".join(lines(2)))
    with path.open("rb") as stream:
        assert list(read_log(stream)) == list(read_log(path)) == list(read_log(str(path)))
        assert not stream.closed
    with pytest.raises(FileNotFoundError):
        list(read_log(tmp_path / "none"))


def test_empty_log_has_no_entries_and_no_damage() -> None:
    assert read(b"") == []


def test_torn_last_line_is_one_damage() -> None:
    one, two = lines(2)
    items = read(one + two[:40])
    assert numbers(items) == [1, "PA160"]
    assert items[1] == Damage("PA160", 2, "line 2, the last, is torn: it has no line end, and it is not JSON")


def test_last_line_that_only_lacks_its_line_end_is_whole() -> None:
    assert numbers(read(b"".join(lines(2))[:-1])) == [1, 2]


def test_damaged_line_in_the_middle_is_passed_over() -> None:
    one, two, three = lines(3)
    items = read(one + two.replace(b'"id"', b'"ix"') + three)
    assert numbers(items) == [1, "PA161", 3]
    assert items[1] == Damage("PA161", 2, "line 2 is not an event: its id is not an integer")


def test_torn_line_that_a_later_writer_ended_does_not_hide_that_its_number_was_used_again() -> None:
    one, two = lines(2)
    assert numbers(read(one + two[:30] + b"\n" + two)) == [1, "PA161", 2]


@pytest.mark.parametrize(
    ("kept", "said"),
    [
        ([1, 2, 4], "line 3 has sequence number 4 after 2: event 3 is missing"),
        ([1, 9], "line 2 has sequence number 9 after 1: events 2 to 8 are missing"),
        ([2, 1], "line 2 has sequence number 1 after 2: lines were copied in, moved or written twice"),
        ([1, 1], "line 2 has sequence number 1 after 1: lines were copied in, moved or written twice"),
    ],
)
def test_numbers_that_do_not_follow_are_damage(kept: list[int], said: str) -> None:
    items = read(b"".join(lines(1, first=seq)[0] for seq in kept))
    assert [item for item in items if isinstance(item, Damage)] == [Damage("PA161", len(kept), said)]
    assert [item.seq for item in items if isinstance(item, Entry)] == kept


def test_more_missing_numbers_than_damaged_lines_are_told() -> None:
    one, six = lines(1)[0], lines(1, first=6)[0]
    assert numbers(read(one + b"{}\n" * 4 + six)) == [1, *["PA161"] * 4, 6]
    assert numbers(read(one + b"{}\n" * 3 + six)) == [1, *["PA161"] * 4, 6]
    two, four = lines(1, first=2)[0], lines(1, first=4)[0]
    assert numbers(read(one + b"{}\n" + two + four)) == [1, "PA161", 2, "PA161", 4]
    assert numbers(read(one + b"{}\n" * 4 + one)) == [1, *["PA161"] * 5, 1]


def test_rotated_log_may_begin_at_any_number() -> None:
    assert numbers(read(b"".join(lines(2, first=1000)))) == [1000, 1001]


def test_line_longer_than_the_limit_is_damage_and_the_next_is_read() -> None:
    one, two, three = lines(3)
    items = read(one + b'{"seq":2,"x":"' + b"x" * (3 * MAX_LINE) + b'"}\n' + three)
    assert numbers(items) == [1, "PA161", 3]
    assert items[1] == Damage("PA161", 2, f"line 2 is not an event: it is longer than {MAX_LINE} bytes")
    at_limit = two[:-2] + b"," + b'"pad":"' + b"x" * (MAX_LINE - len(two) - 9) + b'"}\n'
    assert len(at_limit) == MAX_LINE
    assert numbers(read(one + at_limit + three)) == [1, 2, 3]
    assert numbers(read(one + at_limit.replace(b"xx", b"xxx", 1) + three)) == [1, "PA161", 3]


def test_reading_holds_no_more_than_a_line() -> None:
    class Endless(io.RawIOBase):
        """64 MiB without a line end; remembers the largest read."""

        left = 64 << 20
        largest = 0

        def readable(self) -> bool:
            return True

        def readline(self, size: int | None = -1) -> bytes:
            assert size is not None
            assert 0 < size <= MAX_LINE
            self.largest = max(self.largest, size)
            size = min(size, self.left)
            self.left -= size
            return b"x" * size

    stream = Endless()
    assert numbers(list(read_log(stream))) == ["PA161"]  # type: ignore[arg-type]
    assert stream.largest == MAX_LINE


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"seq": 0}, "it has no sequence number"),
        ({"seq": True}, "it has no sequence number"),
        ({"seq": 1.0}, "it has no sequence number"),
        ({"seq": 1 << 63}, "it has no sequence number"),
        ({"id": "5460"}, "its id is not an integer"),
        ({"id": 5469}, "event 5469 is not in the catalogue"),
        ({"id": 10**4000}, "event 10000000000000000000 is not in the catalogue"),
        ({"outcome": "failure"}, "event 5460 is a success, which the line denies"),
        ({"data": []}, "its data is not an object"),
        ({"data": {"Policy": "p", "Error": 1}}, "event 5460 takes Policy; got Policy, Error"),
        ({"data": {"Policy": None}}, "Policy of event 5460 is a string, not NoneType"),
        ({"text": None}, "its text is not a string"),
        ({"time": 5}, "its time is not RFC 3339"),
        ({"time": "2026-11-22"}, "its time is not RFC 3339"),
        ({"time": "2026-11-22T12:00:00"}, "its time is not RFC 3339"),
        ({"time": "2026-02-30T12:00:00Z"}, "its time does not exist"),
        ({"time": "0001-01-01T00:00:00+23:00"}, "its time does not exist"),
    ],
)
def test_line_that_breaks_the_contract_is_damage_that_says_where(change: dict[str, object], said: str) -> None:
    line = as_dict(Entry(1, event(5460, Policy="p", time=NOON))) | change
    assert read(json.dumps(line).encode() + b"\n") == [Damage("PA161", 1, f"line 1 is not an event: {said}")]


@pytest.mark.parametrize(
    ("line", "said"),
    [
        (b"", "it is not JSON"),
        (b"\0" * 100, "it is not JSON"),
        (b"\xff\xfe{\0}\0", "it is not JSON"),
        (b'{"seq":NaN}', "it is not JSON"),
        (b'{"seq":' + b"1" * 10_000 + b"}", "it is not JSON"),
        (b"[" * 100_000, "it is nested too deeply"),
        (b"[1]", "it is not a JSON object"),
        (b"{}", "it has no sequence number"),
    ],
)
def test_hostile_line_is_damage(line: bytes, said: str) -> None:
    assert read(line + b"\n") == [Damage("PA161", 1, f"line 1 is not an event: {said}")]


def test_log_is_utf_8_and_nothing_else() -> None:
    assert numbers(read(lines(1)[0].decode().rstrip().encode("utf-16-le"))) == ["PA160"]


def test_keys_of_a_later_version_and_other_time_zones_are_read() -> None:
    line = as_dict(Entry(1, event(5460, Policy="p"))) | {"time": "2026-11-22T13:00:00.5+01:00", "host": "srv"}
    (item,) = read(json.dumps(line).encode())
    assert isinstance(item, Entry)
    assert item.event == event(5460, Policy="p", time=NOON + timedelta(milliseconds=500))


def test_select_keeps_what_meets_every_condition_and_all_damage() -> None:
    sink = MemorySink()
    sink.write(event(5460, Policy="a", time=NOON))
    sink.write(event(5462, Policy="a", Error=2, time=NOON + timedelta(hours=1)))
    sink.write(event(5463, time=NOON + timedelta(hours=2)))
    damage = Damage("PA161", 4, "x")
    log: list[Entry | Damage] = [*sink.entries, damage]

    assert list(select(log)) == log
    assert numbers(list(select(log, ids=[5463, 5460]))) == [1, 3, "PA161"]
    assert numbers(list(select(log, outcome=Outcome.FAILURE))) == [2, "PA161"]
    assert numbers(list(select(log, outcome=Outcome.SUCCESS, ids=[5462]))) == ["PA161"]
    assert numbers(list(select(log, since=NOON + timedelta(hours=1)))) == [2, 3, "PA161"]
    assert numbers(list(select(log, until=NOON + timedelta(hours=1)))) == [1, "PA161"]


def test_select_refuses_a_time_without_a_zone_at_once() -> None:
    with pytest.raises(ValueError, match="time zone"):
        select([], since=datetime(2026, 1, 1))


def test_line_without_an_end_is_the_last_that_is_looked_at() -> None:
    class Endless(io.RawIOBase):
        def readable(self) -> bool:
            return True

        def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
            buffer[:] = bytes(len(buffer))
            return len(buffer)

    (item,) = read_log(io.BufferedReader(Endless()))
    assert isinstance(item, Damage)
    assert item.message.endswith("has no end; nothing behind it is read")
