"""pastore events: reading, filtering and rendering an audit log."""

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest
from lxml import etree

from pastore.audit import AuditEvent, Entry
from pastore.audit.record import encode
from tests.support.command import pastore

NAME: dict[str, str | int] = {"Policy": "Server Isolation"}
LOG: list[tuple[int, dict[str, str | int], str]] = [
    (5471, NAME, "2026-03-01T08:00:00"),
    (5460, NAME, "2026-03-01T08:00:01"),
    (5462, {**NAME, "Error": 13008}, "2026-03-01T08:00:02"),
    (5477, {"QuickModeFilter": "tcp any > me:80 of rule 'Web'", "Error": 13008}, "2026-03-01T08:00:02"),
    (5471, NAME, "2026-03-02T08:00:00"),
]


@pytest.fixture
def log(tmp_path: Path) -> Path:
    path = tmp_path / "audit.jsonl"
    with path.open("wb") as file:
        for number, (event, data, time) in enumerate(LOG, 1):
            moment = datetime.fromisoformat(time).replace(tzinfo=UTC)
            file.write(encode(Entry(number, AuditEvent(event, data, moment))))
    return path


def numbers(log: Path, *flags: str) -> list[int]:
    """Return the sequence numbers of what is chosen."""
    result = pastore("events", log, *flags, "--output-format", "json")
    assert result.status == 0
    return [json.loads(line)["seq"] for line in result.lines]


class TestChoice:
    @pytest.mark.parametrize(
        ("flags", "chosen"),
        [
            ((), [1, 2, 3, 4, 5]),
            (("--id", "5471"), [1, 5]),
            (("--id", "5462,5477"), [3, 4]),
            (("--id", "5462", "--id", "5460"), [2, 3]),
            (("--id", "4709"), []),
            (("--outcome", "success"), [1, 2, 5]),
            (("--outcome", "failure"), [3, 4]),
            (("--since", "2026-03-02"), [5]),
            (("--until", "2026-03-02"), [1, 2, 3, 4]),
            (("--since", "2026-03-01T08:00:01Z", "--until", "2026-03-01T08:00:02Z"), [2]),
            (("--since", "2026-03-01T09:00:02+01:00", "--until", "2026-03-01T09:30:00+01:00"), [3, 4]),
            (("--outcome", "failure", "--id", "5462"), [3]),
        ],
    )
    def test_every_condition_given_must_be_met(self, log: Path, flags: tuple[str, ...], chosen: list[int]) -> None:
        assert numbers(log, *flags) == chosen

    @pytest.mark.parametrize("flags", [("--id", "x"), ("--since", "yesterday"), ("--until", "2026-13-01")])
    def test_one_that_cannot_be_read_is_a_usage_error(self, log: Path, flags: tuple[str, ...]) -> None:
        result = pastore("events", log, *flags)
        assert (result.status, result.out) == (2, "")
        assert flags[0] in result.err


class TestForms:
    def test_json_gives_the_lines_of_the_log_as_they_are(self, log: Path) -> None:
        told = [json.loads(line) for line in pastore("events", log, "--output-format", "json").lines]
        assert told == [json.loads(line) for line in log.read_text().splitlines()]
        assert list(told[0]) == ["seq", "time", "id", "outcome", "data", "text"]

    def test_text_says_when_what_and_what_the_error_means(self, log: Path) -> None:
        assert pastore("events", log, "--id", "5462").out == (
            "3  2026-03-01T08:00:02.000000Z  event 5462  failure\n"
            "    PAStore Engine failed to apply some rules of the active IPsec policy on the computer. Use the IP Security "
            "Monitor snap-in to diagnose the problem.\n\n"
            "    Policy:         Server Isolation\n    Error Code:             13008\n\n"
            "    ERROR_IPSEC_TRANSPORT_FILTER_EXISTS (13008): The specified transport mode filter already exists.\n\n"
        )

    def test_xml_is_one_document_of_windows_events(self, log: Path) -> None:
        result = pastore("events", log, "--output-format", "xml", "--computer", "fs1.corp.example")
        root = etree.fromstring(result.out.encode())
        space = {"e": "http://schemas.microsoft.com/win/2004/08/events/event"}
        assert root.xpath("//e:EventID/text()", namespaces=space) == ["5471", "5460", "5462", "5477", "5471"]
        assert set(root.xpath("//e:Computer/text()", namespaces=space)) == {"fs1.corp.example"}
        assert root.xpath("//e:Data[@Name='Error']/text()", namespaces=space) == ["13008", "13008"]

    def test_ecs_is_one_json_object_an_event(self, log: Path) -> None:
        result = pastore("events", log, "--output-format", "ecs", "--computer", "fs1", "--outcome", "failure")
        told = [json.loads(line) for line in result.lines]
        assert [each["event"]["code"] for each in told] == ["5462", "5477"]
        assert {each["event"]["outcome"] for each in told} == {"failure"}

    def test_a_terminal_sees_failures_in_red(self, log: Path) -> None:
        result = pastore("events", log, "--id", "5462", terminal=True)
        assert result.lines[0].endswith("\x1b[31mfailure\x1b[0m")
        assert pastore("events", log, "--id", "5460", terminal=True).lines[0].endswith("\x1b[32msuccess\x1b[0m")


class TestDamage:
    def test_a_torn_last_line_is_told_and_the_rest_is_read(self, log: Path) -> None:
        log.write_bytes(log.read_bytes()[:-20])
        result = pastore("events", log, "--output-format", "json")
        assert (result.status, len(result.lines)) == (0, 4)
        assert result.err == f"{log}:5: PA160 line 5, the last, is torn: it has no line end, and it is not JSON\n"
        assert pastore("--quiet", "events", log).err == ""

    def test_a_damaged_line_is_told_even_when_quiet(self, log: Path) -> None:
        lines = log.read_bytes().splitlines(keepends=True)
        log.write_bytes(b"".join([*lines[:2], b"nonsense\n", *lines[3:]]))
        result = pastore("--quiet", "events", log, "--output-format", "json")
        assert (result.status, len(result.lines)) == (0, 4)
        assert result.err == f"{log}:3: PA161 line 3 is not an event: it is not JSON\n"

    def test_so_is_a_missing_line(self, log: Path) -> None:
        lines = log.read_bytes().splitlines(keepends=True)
        log.write_bytes(b"".join(lines[:1] + lines[2:]))
        assert "event 2 is missing" in pastore("events", log).err

    @pytest.mark.parametrize("form", ["text", "json", "xml", "ecs"])
    def test_a_file_that_is_not_there_is_exit_status_2(self, tmp_path: Path, form: str) -> None:
        result = pastore("events", tmp_path / "nowhere.jsonl", "--output-format", form)
        assert (result.status, result.out) == (2, "")
        assert "cannot be read: No such file or directory" in result.err

    def test_so_is_a_folder(self, tmp_path: Path) -> None:
        assert pastore("events", tmp_path).status == 2


def test_standard_input_is_a_log_too(log: Path) -> None:
    result = pastore("events", "-", "--output-format", "json", stdin=log.read_bytes() + b"torn")
    assert (result.status, len(result.lines)) == (0, 5)
    assert result.err.startswith("-:6: PA160 ")


def test_damage_without_end_is_counted_and_not_told_line_by_line(log: Path) -> None:
    log.write_bytes(log.read_bytes() + b"rubbish\n" * 5000)
    result = pastore("events", log)
    assert (result.status, result.err.count("PA161")) == (0, 101)
    assert "4900 more like these" in result.err
