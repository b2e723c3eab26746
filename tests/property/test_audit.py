"""Whatever goes into an event comes back from the log, and whatever stands in a log never stops the reader."""

import io
import json
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from lxml import etree

from pastore.audit import EVENTS, AuditEvent, Damage, Entry, Wording, ecs, read_log, text, winxml
from pastore.audit.record import MAX_LINE, as_dict, encode

SCHEMA = etree.XMLSchema(etree.parse(Path(__file__).parents[1] / "unit" / "audit" / "event.xsd"))
# Any code points, lone and paired surrogates, controls and noncharacters included.
anything = st.text(st.characters(codec=None, exclude_categories=()), max_size=60)
offsets = st.integers(-23 * 60, 23 * 60).map(lambda minutes: timezone(timedelta(minutes=minutes)))
times = st.datetimes(datetime(1970, 1, 1), datetime(2999, 12, 31), timezones=offsets)


@st.composite
def events(draw: st.DrawFn) -> AuditEvent:
    known = EVENTS[draw(st.sampled_from(sorted(EVENTS)))]
    data: dict[str, str | int] = {
        field.name: draw(st.integers(0, (1 << field.bits) - 1)) if field.bits else draw(anything) for field in known.fields
    }
    return AuditEvent(known.id, data, draw(times), draw(st.sampled_from(Wording)))


def read(data: bytes) -> list[Entry | Damage]:
    return list(read_log(io.BytesIO(data)))


@given(events(), st.integers(1, (1 << 63) - 1))
def test_event_comes_back_from_its_line(event: AuditEvent, seq: int) -> None:
    line = encode(Entry(seq, event))
    assert line.count(b"\n") == 1
    assert line.isascii()
    assert read(line) == [Entry(seq, event)]
    assert json.loads(line)["text"] == event.text


@given(events())
def test_text_has_the_lines_of_its_template_and_no_others(event: AuditEvent) -> None:
    template = event.type.worded(event.wording)
    assert len((event.text + ".").splitlines()) == len((template + ".").splitlines())


@given(st.lists(events(), max_size=3))
def test_every_rendering_is_well_formed(made: list[AuditEvent]) -> None:
    log = [Entry(seq, event) for seq, event in enumerate(made, start=1)]
    document = etree.fromstring("".join(winxml.render(log, "host")).encode("utf-8"))
    assert all(SCHEMA.validate(one) for one in document)
    assert len(document) == len(log)
    for line in ecs.render(log, "host"):
        json.dumps(json.loads(line), ensure_ascii=False).encode("utf-8")
    assert "\x1b" not in "".join(text.render(log)).encode("utf-8").decode("utf-8")


@given(st.integers(2, 14), st.characters(codec=None, exclude_categories=()), st.integers(0, 200_000))
@settings(max_examples=30)
def test_no_event_is_longer_than_a_line_may_be(fields: int, character: str, length: int) -> None:
    known = next(known for known in EVENTS.values() if len(known.fields) >= fields)
    data: dict[str, str | int] = {
        field.name: (1 << field.bits) - 1 if field.bits else character * length for field in known.fields
    }
    event = AuditEvent(known.id, data, datetime(2026, 1, 1, tzinfo=UTC))
    assert len(encode(Entry(1, event))) < MAX_LINE


@given(st.binary(max_size=2000))
def test_no_bytes_make_the_reader_raise(data: bytes) -> None:
    items = read(data)
    assert all(isinstance(item, Damage) and item.code in {"PA160", "PA161"} and item.message for item in items)
    assert len(items) == data.count(b"\n") + (not data.endswith(b"\n") and bool(data))


json_values: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | anything,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(anything, inner, max_size=3),
    max_leaves=5,
)


@given(events(), st.sampled_from(["seq", "time", "id", "outcome", "data", "text", "error", "new"]), json_values)
def test_no_json_makes_the_reader_raise(event: AuditEvent, key: str, value: Any) -> None:
    line = json.dumps(as_dict(Entry(1, event)) | {key: value}).encode()
    (item,) = read(line)
    assert isinstance(item, (Entry, Damage))


@given(st.lists(events(), min_size=1, max_size=4), st.data())
def test_one_damaged_byte_costs_no_more_than_its_line(made: list[AuditEvent], data: st.DataObject) -> None:
    lines = [encode(Entry(seq, event)) for seq, event in enumerate(made, start=1)]
    log = bytearray(b"".join(lines))
    place = data.draw(st.integers(0, len(log) - 1))
    log[place] ^= data.draw(st.integers(1, 255))
    struck = next(number for number in range(len(lines)) if place < sum(map(len, lines[: number + 1])))
    # A struck line end joins two lines; a struck byte may become a line end; nothing else reaches beyond its line.
    lost = {struck + 1, struck + 2} if place == sum(map(len, lines[: struck + 1])) - 1 else {struck + 1}
    kept = [item for item in read(bytes(log)) if isinstance(item, Entry)]
    for seq, event in enumerate(made, start=1):
        if seq not in lost:
            assert Entry(seq, event) in kept
