"""What is measured, how often, and that nothing is when answers differ."""

import numpy as np
import pytest

from pastore.analysis.aim import aim, sample
from pastore.filters.specific import SpecificFilters
from pastore.matcher import Matcher, Verdicts
from pastore.packets.batch import PacketBatch
from pastore.verify import speed
from pastore.verify.numpy_scan import NumpyScan
from tests.support.rulesets import ipv6_twin, make_rules


def both_families(n: int) -> SpecificFilters:
    parts = [make_rules("fw", n, seed=5, one_way=True), ipv6_twin(make_rules("ipc", n, seed=6, one_way=True))]
    rows = np.concatenate([part.rows for part in parts])
    rows["rank"] = np.arange(len(rows))
    return SpecificFilters(rows)


@pytest.mark.parametrize("n", [0, 1, 700])
def test_the_scan_in_numpy_finds_the_first_row_as_the_scan_in_c_does(n: int) -> None:
    matcher = Matcher(both_families(n))
    packets = aim(matcher.filters, 1500)
    scanned = matcher.scan(packets).index
    assert scanned is not None
    peer = NumpyScan(matcher.filters)
    for family, part in speed.parts_of(packets):
        assert np.array_equal(peer.classify(family, part, len(part.index)), scanned[part.index])
    assert n == 0 or len(np.unique(scanned)) > 1


def test_the_first_packets_of_a_batch_are_parted_by_family() -> None:
    packets = sample(both_families(30), 200)
    parts = dict(speed.parts_of(packets, 50))
    assert sorted(np.concatenate([part.index for part in parts.values()])) == list(range(50))
    assert set(parts) == {4, 6}
    assert all(len(column) == len(part.index) for part in parts.values() for column in part)


def test_every_way_is_measured_in_several_passes_over_packets_it_can_afford() -> None:
    matcher = Matcher(both_families(300))
    packets = sample(matcher.filters, 3000)
    for measured in (
        speed.batch_speed(matcher, packets, 0.01, threads=2),
        speed.single_speed(matcher, packets, 0.01),
        speed.scan_speed(matcher, packets, 0.01),
        speed.numpy_speed(matcher, packets, 0.01),
    ):
        assert len(measured.seconds) >= speed.FEWEST_PASSES
        assert 0 < measured.packets <= 3000
        assert measured.per_second == pytest.approx(1e9 / measured.nanoseconds)
    assert len(speed.build_seconds(matcher, 0.01)) >= speed.FEWEST_PASSES


def test_the_median_counts() -> None:
    assert speed.Speed("batch", 10, (5.0, 1.0, 2.0)).nanoseconds == 2e8


def test_answers_are_compared_row_by_row_and_for_tables_of_actions_by_action() -> None:
    filters = both_families(200)
    packets = sample(filters, 4000)
    assert speed.compare_answers(Matcher(filters), packets) == (4000, 400)
    assert speed.compare_answers(Matcher(filters, verdict="action"), packets) == (4000, 400)


@pytest.mark.parametrize("which", ["action", "index"])
def test_one_wrong_answer_is_told_with_its_packet(which: str, monkeypatch: pytest.MonkeyPatch) -> None:
    matcher = Matcher(both_families(50))
    packets = sample(matcher.filters, 500)
    right = Matcher.scan

    def wrong(self: Matcher, *columns: object, **more: object) -> Verdicts:
        verdicts = right(self, *columns, **more)  # type: ignore[call-overload]
        assert isinstance(verdicts, Verdicts)
        getattr(verdicts, which)[7] += 1
        return verdicts

    monkeypatch.setattr(Matcher, "scan", wrong)
    packet = packets.packet(int(packets.select(4).index[7]))
    with pytest.raises(speed.DisagreementError, match="disagree about 1 of") as caught:
        speed.compare_answers(matcher, packets)
    assert str(caught.value).endswith(f"first {packet}")


def test_packets_drawn_from_filters_are_held_by_them_half_at_corners() -> None:
    filters = both_families(300)
    packets = sample(filters, 4000)
    assert isinstance(packets, PacketBatch)
    found = Matcher(filters).classify(packets).index
    assert found is not None
    assert (found >= 0).all()
    open_ports = SpecificFilters.from_columns(
        src_lo=[10], src_hi=[1000], dst_lo=[5], dst_hi=[2**32 - 5], protocol_lo=1, protocol_hi=200, action="block"
    )
    four = sample(open_ports, 4000).select(4)
    corners = np.isin(four.src, [10, 1000]) & np.isin(four.dst, [5, 2**32 - 5]) & np.isin(four.protocol, [1, 200])
    assert 1800 < corners.sum() < 2200
    assert len(np.unique(four.src)) > 500


def test_the_same_seed_draws_the_same_packets_and_no_filters_give_packets_from_anywhere() -> None:
    filters = both_families(20)
    once, again, other = (sample(filters, 100, seed) for seed in (1, 1, 2))
    assert np.array_equal(once.src, again.src)
    assert not np.array_equal(once.src, other.src)
    assert len(sample(both_families(0), 10)) == 10
