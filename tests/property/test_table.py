"""Any bytes at all behind a header that is as it should be."""

import tempfile
from pathlib import Path

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

import pastore
from pastore.matcher import Matcher, TableError
from pastore.matcher.records import Records, encode
from tests.support import tables
from tests.support.judging import classify, rows_of, scan
from tests.support.rulesets import aimed_packets, make_rules

with tempfile.TemporaryDirectory() as _folder:
    WHOLE = tables.saved(Matcher(make_rules("ipc", 40, seed=9, one_way=True)), Path(_folder))
SECTIONS = tables.taken_apart(WHOLE)
PACKETS = aimed_packets(make_rules("ipc", 40, seed=9, one_way=True), 200, 1)

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=5),
    lambda children: st.lists(children, max_size=6) | st.dictionaries(st.text(max_size=3), children, max_size=3),
    max_leaves=8,
)


def refused_or_right(data: bytes) -> None:
    """Open a table: refused, or answering like its own rows."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "table"
        path.write_bytes(data)
        try:
            matcher = pastore.open(path)
        except TableError:
            return
        assert np.array_equal(rows_of(classify(matcher, PACKETS)), rows_of(scan(matcher, PACKETS)))
        for index in range(len(matcher.filters)):
            matcher.filters.source(index)


@settings(max_examples=150, deadline=None)
@given(st.binary(max_size=3000))
def test_any_bytes_after_the_label(rest: bytes) -> None:
    refused_or_right(tables.LABEL + rest)


@settings(max_examples=150, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 12), st.binary(max_size=400)), max_size=6))
def test_any_bytes_in_any_sections(sections: list[tuple[int, bytes]]) -> None:
    refused_or_right(tables.put_together(sections))


@settings(max_examples=200, deadline=None)
@given(st.sampled_from(range(len(SECTIONS))), st.integers(0, 1 << 16), st.binary(min_size=1, max_size=24))
def test_any_bytes_over_a_place_in_a_section(which: int, at: int, over: bytes) -> None:
    kind, content = SECTIONS[which]
    start = at % max(len(content), 1)
    refused_or_right(tables.with_section(WHOLE, kind, (content[:start] + over + content[start + len(over) :])[: len(content)]))


@settings(max_examples=150, deadline=None)
@given(st.sampled_from([kind for kind, _ in SECTIONS[2:]]), st.lists(json_values, max_size=4))
def test_any_values_in_a_list(kind: int, values: list[object]) -> None:
    refused_or_right(tables.with_section(WHOLE, kind, tables.records(*map(tables.record, values))))


@settings(max_examples=100, deadline=None)
@given(st.lists(st.lists(json_values, max_size=4), max_size=8))
def test_a_list_gives_back_what_it_was_made_of(values: list[list[object]]) -> None:
    found = Records("value", memoryview(encode("value", values, lambda value: value)), lambda value: value)
    assert list(found) == values
    assert found[1:] == values[1:]
