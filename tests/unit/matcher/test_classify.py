"""Many packets at once: columns in, two arrays out."""

import threading
import tracemalloc
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pytest

from pastore.filters.specific import SpecificFilters
from pastore.matcher import Matcher, Verdicts
from pastore.matcher.columns import Columns, columns_of
from tests.support.judging import arguments, classify, rows_of, scan
from tests.support.rulesets import aimed_packets, ipv6_twin, make_rules

N = 5000


@pytest.fixture(scope="module")
def matcher() -> Matcher:
    four, six = make_rules("fw", 300, 1, one_way=True), ipv6_twin(make_rules("fw", 200, 2, one_way=True))
    rows = np.concatenate([four.rows, six.rows])
    rows["rank"] = np.arange(len(rows))
    return Matcher(SpecificFilters(rows))


@pytest.fixture(scope="module")
def packets(matcher: Matcher) -> Columns:
    return aimed_packets(matcher.filters, N, 3)


def named(columns: Columns, **changes: Any) -> dict[str, Any]:
    return (
        dict(zip(("src", "dst", "protocol", "sport", "dport", "direction", "interface"), arguments(columns), strict=True))
        | changes
    )


def test_answers_are_uint8_actions_and_int32_rows(matcher: Matcher, packets: Columns) -> None:
    verdicts = classify(matcher, packets)
    assert verdicts.action.dtype == np.uint8
    assert verdicts.action.shape == (N,)
    assert verdicts.index is not None
    assert verdicts.index.dtype == np.int32
    assert verdicts.index.shape == (N,)
    assert len(verdicts) == N
    assert set(np.unique(verdicts.action)) == {0, 1, 2, 3}
    assert np.array_equal(verdicts.index == -1, verdicts.action == 0)


@pytest.mark.parametrize("convert", [np.int64, np.uint64, list, np.asfortranarray, lambda c: np.repeat(c, 2)[::2]])
def test_columns_of_other_kinds_give_the_same_answers(matcher: Matcher, packets: Columns, convert: Callable[[Any], Any]) -> None:
    expected = rows_of(classify(matcher, packets))
    verdicts = matcher.classify(**named(packets, **{name: convert(column) for name, column in named(packets).items()}))
    assert np.array_equal(rows_of(verdicts), expected)


def test_ipv6_addresses_of_other_kinds_give_the_same_answers(matcher: Matcher) -> None:
    packets = aimed_packets(matcher.filters, N, 3, family=6)
    expected = rows_of(classify(matcher, packets))
    assert (expected >= 300).any()
    wide = matcher.classify(**named(packets, src=packets.src.astype(np.int32), dst=np.asfortranarray(packets.dst)))
    assert np.array_equal(rows_of(wide), expected)


@pytest.mark.parametrize("offset", [0, 1])
def test_columns_that_are_not_aligned_or_not_in_host_order_give_the_same_answers(
    matcher: Matcher, packets: Columns, offset: int
) -> None:
    def unaligned(column: npt.NDArray[Any]) -> npt.NDArray[Any]:
        raw = np.zeros(column.nbytes + 1, np.uint8)
        moved = raw[offset : offset + column.nbytes].view(column.dtype)
        moved[:] = column
        return moved

    expected = rows_of(classify(matcher, packets))
    moved = named(packets, src=unaligned(packets.src), sport=unaligned(packets.sport), dst=packets.dst.astype(">u4"))
    assert np.array_equal(rows_of(matcher.classify(**moved)), expected)


@pytest.mark.parametrize("name", ["protocol", "sport", "dport", "direction", "interface"])
def test_one_value_stands_for_all_packets(matcher: Matcher, packets: Columns, name: str) -> None:
    value = 1 if name in ("direction", "interface") else 17
    column = np.full(N, value, np.asarray(named(packets)[name]).dtype)
    repeated = matcher.classify(**named(packets, **{name: column}))
    single = matcher.classify(**named(packets, **{name: value}))
    assert np.array_equal(rows_of(single), rows_of(repeated))
    assert not np.array_equal(rows_of(single), rows_of(classify(matcher, packets)))


def test_words_for_direction_and_connection_type_are_their_codes(matcher: Matcher, packets: Columns) -> None:
    words = matcher.classify(**named(packets, direction="out", interface="ras"))
    codes = matcher.classify(**named(packets, direction=np.ones(N, np.uint8), interface=np.ones(N, np.uint8)))
    assert np.array_equal(rows_of(words), rows_of(codes))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"src": np.array([1 << 32])}, "src: values must be 0 to 4294967295"),
        ({"dst": np.array([-1])}, "dst: values must be 0 to 4294967295"),
        ({"protocol": np.array([256])}, "protocol: values must be 0 to 255"),
        ({"protocol": 256}, "protocol: values must be 0 to 255"),
        ({"sport": np.array([-1])}, "sport: values must be 0 to 65535"),
        ({"dport": np.array([65536], np.uint64)}, "dport: values must be 0 to 65535"),
        ({"dport": np.array([443.0])}, "dport: expected integers, got float64"),
        ({"src": ["10.0.0.1"]}, "src: expected integers"),
        ({"src": np.zeros((1, 4), np.uint8)}, r"src: expected shape \(n,\) for IPv4 or \(n, 16\) for IPv6"),
        ({"dst": np.zeros((1, 16), np.uint8)}, "dst: addresses of IPv6, but src has IPv4"),
        ({"src": np.full((1, 16), 256), "dst": np.zeros((1, 16), np.uint8)}, "src: values must be 0 to 255"),
        ({"dst": np.zeros(2, np.uint32)}, "dst: 2 addresses, but src has 1"),
        ({"sport": np.zeros(2, np.uint16)}, "sport: expected 1 values"),
        ({"direction": "both"}, "direction: 'both' is not"),
        ({"direction": np.array([256])}, "direction: values must be 0 to 255"),
        ({"direction": np.array([2], np.uint8)}, "packet 0: the direction is neither"),
        ({"interface": np.array([2], np.uint8)}, "packet 0: .* interface type neither"),
        ({"interface": np.zeros(3, np.uint8)}, "interface: expected 1 values"),
        ({"threads": 0}, "threads: 0"),
    ],
)
@pytest.mark.parametrize("way", ["classify", "scan"])
def test_a_column_that_does_not_fit_is_named(matcher: Matcher, way: str, change: dict[str, Any], words: str) -> None:
    one = {"src": np.array([1]), "dst": np.array([2]), "protocol": 6, "sport": 3, "dport": 4}
    with pytest.raises(ValueError, match=words):
        getattr(matcher, way)(**{**one, **change})


def test_columns_left_out_are_named(matcher: Matcher) -> None:
    with pytest.raises(TypeError, match="columns missing: protocol, dport"):
        matcher.classify(np.array([1]), np.array([2]), sport=5)  # type: ignore[call-overload]


@pytest.mark.parametrize("threads", [1, 3])
def test_a_packet_with_an_unknown_direction_is_named_by_its_place(matcher: Matcher, packets: Columns, threads: int) -> None:
    many: dict[str, Any] = {name: np.resize(column, 40_000) for name, column in named(packets).items()}
    many["direction"][31_234] = 2
    with pytest.raises(ValueError, match="packet 31234: the direction"):
        matcher.classify(**many, threads=threads)


def test_no_packets_give_no_answers(matcher: Matcher) -> None:
    sources: list[Any] = [np.zeros(0, np.uint32), np.zeros((0, 16), np.uint8), []]
    for src in sources:
        verdicts = matcher.classify(src, src, [], [], [])
        assert len(verdicts) == len(rows_of(verdicts)) == 0


@pytest.mark.parametrize("family", [4, 6])
@pytest.mark.parametrize("threads", [2, 5])
def test_threads_change_nothing(matcher: Matcher, family: int, threads: int) -> None:
    packets = aimed_packets(matcher.filters, 30_011, 4, family=family)
    one, many = classify(matcher, packets), classify(matcher, packets, threads)
    assert np.array_equal(rows_of(one), rows_of(many))
    assert np.array_equal(one.action, many.action)


def test_out_is_filled_and_returned(matcher: Matcher, packets: Columns) -> None:
    out = Verdicts(np.full(N, 99, np.uint8), np.full(N, 99, np.int32))
    assert matcher.classify(**named(packets), out=out) is out
    assert np.array_equal(rows_of(out), rows_of(classify(matcher, packets)))
    assert np.array_equal(out.action, classify(matcher, packets).action)
    assert rows_of(matcher.scan(**named(packets), out=Verdicts(out.action, np.empty(N, np.int32)))) is not out.index


def test_out_without_an_index_asks_for_actions_only(matcher: Matcher, packets: Columns) -> None:
    out = matcher.classify(**named(packets), out=Verdicts(np.empty(N, np.uint8)))
    assert out.index is None
    assert np.array_equal(out.action, classify(matcher, packets).action)


@pytest.mark.parametrize(
    ("out", "words"),
    [
        (Verdicts(np.empty(N - 1, np.uint8)), "out.action"),
        (Verdicts(np.empty(N, np.int8)), "out.action"),
        (Verdicts(np.empty(2 * N, np.uint8)[::2]), "out.action"),
        (Verdicts(np.frombuffer(bytes(N), np.uint8)), "out.action"),
        (Verdicts(np.empty(N, np.uint8), np.empty(N, np.int64)), "out.index"),
    ],
)
def test_out_that_does_not_fit_is_refused(matcher: Matcher, packets: Columns, out: Verdicts, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        matcher.classify(**named(packets), out=out)


def test_matcher_of_actions_gives_the_same_actions_and_no_index(matcher: Matcher, packets: Columns) -> None:
    actions = Matcher(matcher.filters, verdict="action")
    for verdicts in (classify(actions, packets), scan(actions, packets), classify(actions, packets, threads=2)):
        assert verdicts.index is None
        assert np.array_equal(verdicts.action, classify(matcher, packets).action)
    with pytest.raises(ValueError, match="knows actions only"):
        actions.classify(**named(packets), out=Verdicts(np.empty(N, np.uint8), np.empty(N, np.int32)))


@pytest.mark.parametrize("family", [4, 6])
def test_columns_of_the_right_kind_are_not_copied(matcher: Matcher, family: int) -> None:
    packets = aimed_packets(matcher.filters, 100, 5, family=family)
    for given, used in zip(arguments(packets), (*columns_of(*arguments(packets))[1:7], None), strict=True):
        assert used is None or used is given
    n = 1_000_000
    many: dict[str, Any] = {name: np.resize(column, (n, *np.shape(column)[1:])) for name, column in named(packets).items()}
    tracemalloc.start()
    try:
        verdicts = matcher.classify(**many)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    outputs = verdicts.action.nbytes + rows_of(verdicts).nbytes
    assert outputs == 5 * n
    assert peak < outputs + 20_000  # the smallest column alone has a million bytes


@pytest.mark.parametrize("way", ["classify", "scan"])
def test_other_threads_run_while_packets_are_judged(way: str) -> None:
    """Python sees an output that is filled in part: it ran while the core did."""
    matcher = Matcher(make_rules("fw", 2000, 1))
    n = {"classify": 2_000_000, "scan": 100_000}[way]
    packets = aimed_packets(matcher.filters, 50_000, 6)
    many = {name: np.resize(column, n) for name, column in named(packets).items()}
    out = Verdicts(np.full(n, 99, np.uint8))
    worker = threading.Thread(target=getattr(matcher, way), kwargs={**many, "out": out})
    worker.start()
    partly = False
    while worker.is_alive() and not partly:
        partly = bool(out.action[0] != 99 and out.action[-1] == 99)
    worker.join()
    assert partly
    assert out.action[-1] != 99


def test_eight_threads_share_one_matcher(matcher: Matcher) -> None:
    batches = [aimed_packets(matcher.filters, 20_000, seed, family=4 + 2 * (seed % 2)) for seed in range(8)]
    alone = [rows_of(classify(matcher, batch)) for batch in batches]

    def several(batch: Columns) -> list[npt.NDArray[np.int32]]:
        return [rows_of(classify(matcher, batch)) for _ in range(5)]

    with ThreadPoolExecutor(8) as pool:
        for expected, got in zip(alone, pool.map(several, batches), strict=True):
            assert all(np.array_equal(expected, rows) for rows in got)


class Selection(NamedTuple):
    index: npt.NDArray[np.int64]  # type: ignore[assignment]
    src: npt.NDArray[Any]
    dst: npt.NDArray[Any]
    protocol: npt.NDArray[np.uint8]
    sport: npt.NDArray[np.uint16]
    dport: npt.NDArray[np.uint16]
    direction: npt.NDArray[np.uint8]
    interface: npt.NDArray[np.uint8]


class Mixed:
    """A batch of both families in a shuffled order, with `others` packets of neither."""

    def __init__(self, four: Columns, six: Columns, others: int) -> None:
        self.length = len(four.src) + len(six.src) + others
        places = np.random.default_rng(1).permutation(self.length)
        self.places = {4: places[: len(four.src)], 6: places[len(four.src) : len(four.src) + len(six.src)]}
        self.columns = {4: four, 6: six}

    def __len__(self) -> int:
        return self.length

    def select(self, family: int, /) -> Selection:
        return Selection(self.places[family], *arguments(self.columns[family]))  # type: ignore[arg-type]


@pytest.mark.parametrize("way", ["classify", "scan"])
def test_a_batch_of_both_families_is_answered_in_its_own_order(matcher: Matcher, way: str) -> None:
    four, six = aimed_packets(matcher.filters, 900, 7), aimed_packets(matcher.filters, 700, 8, family=6)
    batch = Mixed(four, six, others=50)
    verdicts = getattr(matcher, way)(batch, threads=2)
    for family, columns in batch.columns.items():
        assert np.array_equal(verdicts.index[batch.places[family]], rows_of(classify(matcher, columns)))
        assert np.array_equal(verdicts.action[batch.places[family]], classify(matcher, columns).action)
    neither = np.setdiff1d(np.arange(len(batch)), np.concatenate(list(batch.places.values())))
    assert (verdicts.index[neither] == -1).all()
    assert (verdicts.action[neither] == 0).all()
    out = Verdicts(np.full(len(batch), 99, np.uint8), np.full(len(batch), 99, np.int32))
    assert getattr(matcher, way)(batch, out=out) is out
    assert np.array_equal(rows_of(out), verdicts.index)


def test_what_a_batch_does_not_tell_is_taken_from_the_arguments(matcher: Matcher) -> None:
    four, six = aimed_packets(matcher.filters, 900, 7), aimed_packets(matcher.filters, 700, 8, family=6)
    untold = np.full(900, 255, np.uint8)
    batch = Mixed(four._replace(direction=untold, interface=untold), six, others=0)
    for direction, interface in (("in", "lan"), ("out", "ras")):
        verdicts = matcher.classify(batch, direction=direction, interface=interface)
        told = matcher.classify(**named(four, direction=direction, interface=interface))
        assert np.array_equal(rows_of(verdicts)[batch.places[4]], rows_of(told))
        assert np.array_equal(rows_of(verdicts)[batch.places[6]], rows_of(classify(matcher, six)))


def test_columns_beside_a_batch_are_refused(matcher: Matcher, packets: Columns) -> None:
    batch = Mixed(packets, aimed_packets(matcher.filters, 3, 9, family=6), others=0)
    with pytest.raises(TypeError, match="brings its own columns"):
        matcher.classify(batch, packets.dst)  # type: ignore[call-overload]
    with pytest.raises(ValueError, match="direction: 'up'"):
        matcher.classify(batch, direction="up")
