"""Measures one rule set: every program on the same files, in turn, several times."""

from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from benchmarks.files import write_packets, write_rows
from benchmarks.peers.programs import Builder, GaveUpError, Program
from benchmarks.sets import Case

ALGORITHMS: Final = ("scalar", "sse", "avx2", "avx512x16", "avx512x32")
MAX_SIZES: Final = (0, 2000)  # MB; 0 is the default
ISAS: Final = ("avx512", "avx2", "scalar")
BURSTS: Final = (256, 32)
LONG: Final = 100_000
BUILD_PATIENCE: Final = 60.0
NEAR: Final = 0.8  # an algorithm this close to the best in the first pass stays in the race

Result = dict[str, Any]


@dataclass(frozen=True)
class Plan:
    """How a set is measured."""

    core: int
    passes: int
    rounds: int = 5
    verdict: str = "rule"


class _Race:
    """The programs that hold one set, and what they said."""

    def __init__(self, builder: Builder, plan: Plan, files: list[str], stack: ExitStack) -> None:
        self.builder, self.plan, self.files, self.stack = builder, plan, files, stack
        self.programs: dict[str, Program] = {}
        self.result: Result = {"programs": {}, "measured": []}

    def start(self, name: str, kind: str, **environment: str) -> None:
        try:
            command = self.builder.command(kind, self.plan.core, self.files)
            program = Program(command, self.plan.core, BUILD_PATIENCE, **environment)
        except GaveUpError as why:
            self.result["programs"][name] = {"failed": str(why)}
            return
        self.stack.callback(program.close)
        self.result["programs"][name] = program.ready
        isa = environment.get("PASTORE_ISA")
        if isa and program.ready["how"] != isa:
            program.close()
            self.result["programs"][name] = {"failed": f"runs as {program.ready['how']}"}
            return
        self.programs[name] = program

    def measure(self, turn: int, name: str, variant: str, call: int, packets: int, rounds: int | None = None) -> float:
        """Record a measurement; return packets a second of its median, 0 where it cannot be had."""
        if name not in self.programs:
            return 0.0
        try:
            said = self.programs[name].measure(variant, call, rounds or self.plan.rounds, packets)
        except GaveUpError as why:
            del self.programs[name]
            said = {"variant": variant, "call": call, "packets": packets, "unavailable": str(why)}
        self.result["measured"].append({"pass": turn, "program": name, **said})
        if "seconds" not in said:
            return 0.0
        seconds = sorted(said["seconds"])
        return packets / float(seconds[len(seconds) // 2])


def measure_set(case: Case, builder: Builder, plan: Plan, folder: Path, hopeless: Mapping[str, str]) -> Result:
    """Return what all programs said about one set.

    Parameters
    ----------
    case : Case
    builder : Builder
    plan : Plan
    folder : pathlib.Path
        Where the files of the set go.
    hopeless : mapping of str to str
        Programs that are known not to build this set, and why.

    Returns
    -------
    dict
        "programs": name -> what it said when it was ready, or {"failed": why}; "measured": one entry a measurement, with the
        pass, the program, and the program's own answer.
    """
    folder.mkdir(parents=True, exist_ok=True)
    rows, packets = folder / "rows", folder / "packets"
    write_rows(rows, case.filters)
    write_packets(packets, case.packets)
    n = len(case.packets.src)
    with ExitStack() as stack:
        race = _Race(builder, plan, [str(rows), str(packets), plan.verdict], stack)
        race.start("pastore", "pastore")
        for isa in ISAS:
            if race.result["programs"]["pastore"].get("how") != isa:
                race.start(f"pastore {isa}", "pastore", PASTORE_ISA=isa)
        for size in MAX_SIZES:
            if f"dpdk {size}" in hopeless:
                race.result["programs"][f"dpdk {size}"] = {"failed": hopeless[f"dpdk {size}"]}
            else:
                race.start(f"dpdk {size}", f"dpdk {size}")
        race.start("tuple space", "tuple_space")
        if case.packets.family == 4 and plan.verdict == "rule":
            race.start("numpy", "numpy")
        stay = {(size, call): set(ALGORITHMS) for size in MAX_SIZES for call in (*BURSTS, 1)}
        for turn in range(plan.passes):
            for name in [name for name in race.programs if name.startswith("pastore")]:
                for call in (BURSTS[0], min(LONG, n)):
                    race.measure(turn, name, "batch", call, n)
                race.measure(turn, name, "single", 1, n)
            for (size, call), algorithms in stay.items():
                speeds = {name: race.measure(turn, f"dpdk {size}", name, call, n) for name in sorted(algorithms)}
                if turn == 0:
                    stay[size, call] = {name for name, speed in speeds.items() if speed >= NEAR * max(speeds.values())}
            race.measure(turn, "tuple space", "single", 1, n, rounds=3)
        for name, variant, some in _slow(len(case.filters), n):
            race.measure(0, name, variant, some, some, rounds=3)
            race.measure(0, "pastore", "batch", 256, some, rounds=1)  # the checksum that theirs must equal
        return race.result


def _slow(rows: int, packets: int) -> Iterator[tuple[str, str, int]]:
    """Peers that try all rows see as many packets as they can judge in a second or so."""
    yield "pastore", "scan", max(100, min(packets, 30_000_000 // rows))
    yield "numpy", "scan", max(20, min(2_000, packets, 20_000_000 // rows))
