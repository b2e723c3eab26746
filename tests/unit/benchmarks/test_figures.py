"""A ratio is printed only where both sides did the same work under the same conditions."""

import copy
from typing import Any

import pytest

from benchmarks.peers.figures import Ratio, SetFigures, geometric_mean, worse

SUM = "00000000000000aa"


def entry(turn: int, program: str, variant: str, call: int, rate: float, checksum: str = SUM) -> dict[str, Any]:
    """A measurement of `rate` million packets a second, with a slow first round that the median passes over."""
    seconds = 1000 / rate / 1e6
    told = {"variant": variant, "call": call, "packets": 1000, "checksum": checksum, "seconds": [9 * seconds, seconds, seconds]}
    return {"pass": turn, "program": program, **told}


def result() -> dict[str, Any]:
    ready = {"rows": 10, "packets": 1000, "huge_kb": 8192, "bytes": 4 << 20, "build_seconds": 0.1}
    return {
        "programs": {"pastore": {**ready, "how": "avx512"}, "dpdk 0": dict(ready), "dpdk 2000": {"failed": "not within 60 s"}},
        "no_huge_pages": "",
        "measured": [
            entry(0, "pastore", "batch", 256, 30),
            entry(0, "pastore", "single", 1, 8),
            entry(0, "dpdk 0", "avx512x32", 256, 10),
            entry(0, "dpdk 0", "avx512x32", 32, 15),
            entry(0, "dpdk 0", "sse", 256, 5),
            entry(0, "dpdk 0", "scalar", 1, 2),
            entry(1, "pastore", "batch", 256, 20),
            entry(1, "pastore", "single", 1, 8),
            entry(1, "dpdk 0", "avx512x32", 256, 16),
            entry(1, "dpdk 0", "scalar", 1, 2),
        ],
    }


def test_a_ratio_is_against_the_best_burst_and_algorithm_of_the_same_pass() -> None:
    ratio = SetFigures(result()).ratio("batch", 256, (256, 32), avx512=True)
    assert ratio.passes == pytest.approx((30 / 15, 20 / 16))
    assert str(ratio) == "1.62 (1.25)"
    assert SetFigures(result()).ratio("single", 1, [1], avx512=True).passes == pytest.approx((4, 4))


def test_the_better_of_both_max_sizes_counts() -> None:
    both = result()
    both["programs"]["dpdk 2000"] = both["programs"]["dpdk 0"]
    both["measured"].append(entry(0, "dpdk 2000", "avx2", 256, 20))
    figures = SetFigures(both)
    assert figures.ratio("batch", 256, (256, 32), avx512=True).passes == pytest.approx((30 / 20, 20 / 16))
    assert figures.best_dpdk(0, (256, 32))[1] == (2000, "avx2", 256)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda r: r["measured"][0].update(checksum="00"), "answers differ: dpdk 0 avx512x32, dpdk 0 scalar, dpdk 0 sse"),
        (lambda r: r["measured"][3].update(checksum="00"), "answers differ: dpdk 0 avx512x32"),
        (lambda r: r.update(no_huge_pages="no right to reserve huge pages"), "no right to reserve huge pages"),
        (lambda r: r["programs"]["dpdk 0"].update(huge_kb=0), "DPDK did not get its huge pages"),
        (lambda r: r["programs"]["pastore"].update(huge_kb=1024), "pastore did not get huge pages"),
        (lambda r: r["programs"].update({"dpdk 0": {"failed": "not installed"}}), "DPDK did not build: not installed"),
        (lambda r: [m.update(variant="avx2") for m in r["measured"] if m["variant"] == "avx512x32"], "DPDK does not use AVX-512"),
    ],
)
def test_what_is_not_comparable_gets_a_reason_instead_of_a_ratio(change: Any, reason: str) -> None:
    changed = copy.deepcopy(result())
    change(changed)
    ratio = SetFigures(changed).ratio("batch", 256, (256, 32), avx512=True)
    assert ratio.passes == ()
    assert ratio.reason.startswith(f"not comparable: {reason}")


def test_a_machine_without_avx512_is_compared_without_it() -> None:
    narrow = result()
    for measured in narrow["measured"]:
        if measured["variant"] == "avx512x32":
            measured["variant"] = "avx2"
    assert SetFigures(narrow).ratio("batch", 256, (256, 32), avx512=False).passes


def test_of_two_runs_the_lower_median_and_the_lowest_pass_count() -> None:
    counted = worse([Ratio((3.0, 4.0, 5.0)), Ratio((2.0, 6.0, 7.0))])
    assert (counted.median, counted.worst) == (4.0, 2.0)
    assert worse([Ratio((3.0,)), Ratio(reason="not comparable: x")]).reason == "not comparable: x"


def test_geometric_mean() -> None:
    assert geometric_mean([1.0, 4.0]) == pytest.approx(2.0)


def test_answers_that_nothing_can_be_held_against_are_not_called_different() -> None:
    alone = result()
    alone["measured"].append({**entry(0, "numpy", "scan", 1, 0.1, "bb"), "packets": 20})
    assert SetFigures(alone).wrong() == []
    alone["measured"].append({**entry(0, "pastore", "batch", 256, 30, "cc"), "packets": 20})
    assert SetFigures(alone).wrong() == ["numpy scan"]
