"""The table against the linear scan in C and the reference in Python, on whole rule sets."""

from functools import cache
from typing import NamedTuple

import numpy as np
import pytest

from pastore.filters.specific import SpecificFilters
from pastore.matcher.columns import Columns
from tests.support.classbench import data_directory, read_rules, read_trace
from tests.support.judging import assert_reference_agrees, assert_scan_agrees, build, classify, rows_of
from tests.support.rulesets import SHAPES, aimed_packets, ipv6_address, ipv6_twin, make_rules, network_bytes

AIMED = 200_000
SAMPLE = 150

SMALL = [f"{shape}-1000-1" for shape in SHAPES]
LARGE = ["acl-10000-3", "fw-10000-3"]
if data_directory():
    SMALL += [f"{family}_1k" for family in ("acl1", "acl2", "fw1", "fw2", "ipc1", "ipc2")]
    LARGE += ["acl1_10k", "fw1_10k"]


class Case(NamedTuple):
    rules: SpecificFilters
    trace: Columns


@cache
def case(name: str) -> Case:
    """A set of PASTORE_DATA with its trace, or one of our own, as in ``acl-1000-1``, with packets in the place of the trace."""
    root = data_directory()
    if root and "_" in name:
        return Case(read_rules(root / f"{name}.rules.gz"), read_trace(root / f"{name}.trace.gz"))
    shape, n, seed = name.split("-")
    rules = make_rules(shape, int(n), int(seed))
    return Case(rules, aimed_packets(rules, 100_000, int(seed) + 100))


def head(columns: Columns, n: int) -> Columns:
    return Columns._make(field[:n] if isinstance(field, np.ndarray) else field for field in columns)


def spread(columns: Columns) -> Columns:
    return columns._replace(
        family=6,
        src=network_bytes(ipv6_address(columns.src.astype(np.uint64))),
        dst=network_bytes(ipv6_address(columns.dst.astype(np.uint64))),
    )


@pytest.mark.parametrize("name", SMALL)
def test_whole_trace_gets_the_rows_of_scan_and_reference(name: str) -> None:
    rules, trace = case(name)
    matcher = build(rules)
    assert (rows_of(classify(matcher, trace)) >= 0).mean() > 0.5  # the trace is about this set
    assert_scan_agrees(matcher, trace)
    assert_reference_agrees(matcher, trace, SAMPLE)


@pytest.mark.parametrize("name", SMALL)
def test_packets_at_the_bounds_of_rules_get_the_rows_of_scan_and_reference(name: str) -> None:
    matcher = build(case(name).rules)
    packets = aimed_packets(matcher.filters, AIMED, 11)
    assert_scan_agrees(matcher, packets)
    assert_reference_agrees(matcher, packets, SAMPLE)


@pytest.mark.parametrize("name", SMALL)
def test_ipv6_twin_gets_the_rows_of_scan_and_reference_at_the_bounds_of_rules(name: str) -> None:
    matcher = build(ipv6_twin(case(name).rules))
    packets = aimed_packets(matcher.filters, AIMED, 12, family=6)
    assert_scan_agrees(matcher, packets)
    assert_reference_agrees(matcher, packets, SAMPLE)


@pytest.mark.parametrize("name", SMALL)
def test_ipv6_twin_gives_the_rows_of_the_ipv4_set(name: str) -> None:
    rules, trace = case(name)
    twin = build(ipv6_twin(rules))
    assert np.array_equal(rows_of(classify(twin, spread(trace))), rows_of(classify(build(rules), trace)))


@pytest.mark.parametrize("name", LARGE)
def test_large_sets_get_the_rows_of_the_scan(name: str) -> None:
    rules, trace = case(name)
    matcher = build(rules)
    assert len(rules) > 2 * 4096
    assert_scan_agrees(build(rules, layout="bits"), head(trace, 20_000))  # in several chunks
    assert_scan_agrees(matcher, head(trace, 20_000))
    assert_scan_agrees(matcher, aimed_packets(rules, 20_000, 13))


@pytest.mark.parametrize("shape", SHAPES)
def test_one_way_rules_and_connection_types_get_the_rows_of_scan_and_reference(shape: str) -> None:
    four, six = make_rules(shape, 700, 5, one_way=True), make_rules(shape, 500, 6, family=6, one_way=True)
    rows = np.concatenate([four.rows, six.rows])
    order = np.random.default_rng(7).permutation(len(rows))  # both families mixed
    rows = rows[order]
    rows["rank"] = np.arange(len(rows))
    matcher = build(SpecificFilters(rows))
    for family in (4, 6):
        packets = aimed_packets(matcher.filters, 50_000, 14, family=family)
        assert_scan_agrees(matcher, packets)
        assert_reference_agrees(matcher, packets, SAMPLE)
