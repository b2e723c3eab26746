"""From what the programs said to figures: rates, ratios, and whether two may be compared at all."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any

from benchmarks.peers.measure import BURSTS, MAX_SIZES, Result

SHORT = 256  # packets a call of the batch that ratios are made of


@dataclass(frozen=True)
class Ratio:
    """pastore's rate over DPDK's, pass by pass; or why there is none."""

    passes: tuple[float, ...] = ()
    reason: str = ""

    @property
    def median(self) -> float:
        """The middle of the passes."""
        return median(self.passes)

    @property
    def worst(self) -> float:
        """The lowest of the passes."""
        return min(self.passes)

    def __str__(self) -> str:
        return self.reason or f"{self.median:.2f} ({self.worst:.2f})"


@dataclass(frozen=True)
class SetFigures:
    """One set in one run."""

    result: Result

    @property
    def turns(self) -> int:
        """How many passes there were."""
        return 1 + max((entry["pass"] for entry in self.result["measured"]), default=0)

    def program(self, name: str) -> dict[str, Any]:
        """Return what a program said when it was ready, or {"failed": why}."""
        found: dict[str, Any] = self.result["programs"].get(name, {"failed": "not run"})
        return found

    def rates(
        self, turn: int, program: str, calls: Iterable[int] | None = None, variant: str | None = None, packets: int | None = None
    ) -> dict[tuple[str, int], float]:
        """Return millions of packets a second of a pass, from the median round, for each variant and call."""
        return {
            (entry["variant"], entry["call"]): entry["packets"] / median(entry["seconds"]) / 1e6
            for entry in self.result["measured"]
            if entry["pass"] == turn
            and entry["program"] == program
            and "seconds" in entry
            and (calls is None or entry["call"] in calls)
            and (variant is None or entry["variant"] == variant)
            and (packets is None or entry["packets"] == packets)
        }

    @property
    def packets(self) -> int:
        """How many packets the whole trace has."""
        return int(self.program("pastore").get("packets", 0))

    def rate(self, program: str, variant: str, call: int | None = None) -> float:
        """Return the median over the passes, 0 where it was not measured."""
        whole = None if variant == "scan" or program == "numpy" else self.packets
        found = []
        for turn in range(self.turns):
            rates = self.rates(turn, program, None if call is None else [call], variant, whole)
            if rates:
                found.append(max(rates.values()))
        return median(found) if found else 0.0

    def best_dpdk(
        self, turn: int, calls: Iterable[int], sizes: Sequence[int] = MAX_SIZES
    ) -> tuple[float, tuple[int, str, int] | None]:
        """Return DPDK's best rate of a pass, and the max_size, the algorithm and the burst that it was."""
        calls = tuple(calls)
        rates = {(size, *how): rate for size in sizes for how, rate in self.rates(turn, f"dpdk {size}", calls).items()}
        if not rates:
            return 0.0, None
        which = max(rates, key=lambda how: rates[how])
        return rates[which], which

    def dpdk(self, calls: Iterable[int]) -> float:
        """Return the median over the passes of DPDK's best rate."""
        calls = tuple(calls)
        return median(self.best_dpdk(turn, calls)[0] for turn in range(self.turns))

    def ratio(self, variant: str, call: int, against: Iterable[int], avx512: bool, program: str = "pastore") -> Ratio:
        """Return a program's rate over the best of DPDK in the same pass."""
        reason = self.not_comparable(avx512)
        if reason:
            return Ratio(reason=f"not comparable: {reason}")
        against = tuple(against)
        passes = []
        for turn in range(self.turns):
            ours = self.rates(turn, program, [call], variant, self.packets)
            theirs, _ = self.best_dpdk(turn, against)
            if ours and theirs:
                passes.append(max(ours.values()) / theirs)
        return Ratio(tuple(passes)) if passes else Ratio(reason=self.program(program).get("failed", "not measured"))

    @property
    def share(self) -> float:
        """The least share of the core that a measurement of pastore or DPDK had: 1 where nothing else ran there."""
        shares = [
            entry.get("share", 1.0) for entry in self.result["measured"] if entry["program"].startswith(("pastore", "dpdk"))
        ]
        return float(min(shares, default=1.0))

    def wrong(self) -> list[str]:
        """Return the programs and variants whose answers are not those of pastore's batch."""
        expected: dict[int, str] = {}
        for entry in self.result["measured"]:
            if entry["program"] == "pastore" and entry["variant"] == "batch" and "checksum" in entry:
                expected.setdefault(entry["packets"], entry["checksum"])
        return sorted(
            {
                f"{entry['program']} {entry['variant']}"
                for entry in self.result["measured"]
                if "checksum" in entry and entry["checksum"] != expected.get(entry["packets"], entry["checksum"])
            }
        )

    def not_comparable(self, avx512: bool) -> str:
        """Return why no ratio to DPDK may be printed, "" where it may."""
        ours = self.program("pastore")
        if "failed" in ours:
            return f"pastore: {ours['failed']}"
        built = [f"dpdk {size}" for size in MAX_SIZES if "failed" not in self.program(f"dpdk {size}")]
        if not built:
            return f"DPDK did not build: {self.program(f'dpdk {MAX_SIZES[0]}')['failed']}"
        wrong = [name for name in self.wrong() if name.startswith(("dpdk", "pastore"))]
        if wrong:
            return f"answers differ: {', '.join(wrong)}"
        if self.result.get("no_huge_pages"):
            return f"{self.result['no_huge_pages']}"
        if any(self.program(name)["huge_kb"] * 1024 < self.program(name)["bytes"] for name in built):
            return "DPDK did not get its huge pages"
        if ours["huge_kb"] * 1024 < ours["bytes"]:
            return "pastore did not get huge pages"
        widest = {entry["variant"] for entry in self.result["measured"] if entry["program"] in built and "seconds" in entry}
        if avx512 and "avx512x32" not in widest:
            return "DPDK does not use AVX-512"
        return ""


def geometric_mean(values: Sequence[float]) -> float:
    """Return the geometric mean of numbers above 0."""
    return math.exp(sum(math.log(value) for value in values) / len(values))


def worse(ratios: Sequence[Ratio]) -> Ratio:
    """Return the ratio of several runs that counts: the lower median, the lowest pass of all."""
    for ratio in ratios:
        if ratio.reason:
            return ratio
    lower = min(ratios, key=lambda ratio: ratio.median)
    rest = [value for ratio in ratios for value in ratio.passes]
    return _Worse(lower.passes, lowest=min(rest))


@dataclass(frozen=True)
class _Worse(Ratio):
    lowest: float = 0.0

    @property
    def worst(self) -> float:
        return self.lowest


def best_calls() -> tuple[int, ...]:
    """Return the bursts that DPDK's batch may choose from."""
    return BURSTS
