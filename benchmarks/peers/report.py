"""The page about a run: a table, what it means, and a plot beside it."""

import datetime
from dataclasses import dataclass
from pathlib import Path

from benchmarks import sets
from benchmarks.peers.figures import SHORT, Ratio, SetFigures, geometric_mean, worse
from benchmarks.peers.machine import Machine
from benchmarks.peers.measure import BURSTS, LONG, MAX_SIZES, Result
from tests.support.rulesets import SHAPES

ALONE = 0.95  # of the core: what the system itself takes is less than the rest
CAUTION = (
    "Rates are millions of packets a second on one core, from the median round of the median pass of the run in which pastore "
    "did worse. A ratio is pastore over the best of DPDK in the same pass: default `max_size` or 2000 MB, bursts of 256 or 32, "
    "its fastest algorithm, huge pages on both sides, and the same answers to every packet; first the median of the passes, in "
    "brackets the worst pass of all runs. A machine shared with others has slow spells; one may hit one side only."
)


def one_line(name: str, result: Result) -> str:
    """Return what to print while a run goes on."""
    figures = SetFigures(result)
    wrong = figures.wrong()
    crowded = f"; with {figures.share:.0%} of the core at worst" if figures.share < ALONE else ""
    return (
        f"{name}: pastore {figures.rate('pastore', 'batch', SHORT):.1f}, single {figures.rate('pastore', 'single'):.1f}; "
        f"DPDK {figures.dpdk(BURSTS):.1f}, single {figures.dpdk([1]):.1f}; {result['seconds']:.0f} s{crowded}"
        f"{'; DIFFERENT ANSWERS: ' + ', '.join(wrong) if wrong else ''}"
    )


def _number(value: float) -> str:
    if value == 0:
        return "-"
    return f"{value:.1f}" if value >= 10 else f"{value:.2f}" if value >= 0.1 else f"{value:.4f}"


def _table(head: list[str], rows: list[list[str]]) -> list[str]:
    return ["", f"| {' | '.join(head)} |", "|---|" + "---:|" * (len(head) - 1), *(f"| {' | '.join(row)} |" for row in rows), ""]


@dataclass(frozen=True)
class Page:
    """The page about a run.

    Parameters
    ----------
    machine : Machine
    date : datetime.date
    names : list of str
    results : dict of (str, int) to Result
        What was measured, by set and run.
    """

    machine: Machine
    date: datetime.date
    names: list[str]
    results: dict[tuple[str, int], Result]

    def runs(self, name: str) -> list[SetFigures]:
        """Return the figures of a set, run by run."""
        return [SetFigures(result) for (known, _), result in sorted(self.results.items()) if known == name]

    def ratio(self, name: str, variant: str, call: int, program: str = "pastore") -> Ratio:
        """Return the ratio that counts: of the worse run."""
        against = [1] if variant == "single" else BURSTS
        runs = self.runs(name)
        return worse([run.ratio(variant, min(call, run.packets or call), against, self.machine.avx512, program) for run in runs])

    def shown(self, name: str) -> SetFigures:
        """Return the run to show: the one in which pastore did worse."""
        return min(self.runs(name), key=lambda run: run.rate("pastore", "batch", SHORT) / (run.dpdk(BURSTS) or 1.0))

    def text(self) -> str:
        """Return the whole page as Markdown."""
        runs = 1 + max(run for _, run in self.results)
        turns = self.shown(self.names[0]).turns
        scheme = f"{runs} {'runs' if runs > 1 else 'run'} of {turns} {'passes' if turns > 1 else 'pass'}"
        return "\n".join(
            [
                f"# pastore beside its peers, {self.date.isoformat()}",
                "",
                "; ".join(self.machine.facts) + ".",
                "",
                f"{CAUTION} {scheme}. How to read and repeat this: docs/benchmarks.md.",
                *self._crowd(),
                *self._summary(),
                *self._lookups(),
                *self._structures(),
                *self._instruction_sets(),
                *self._differences(),
            ]
        )

    def _crowd(self) -> list[str]:
        least = min((SetFigures(result).share, name) for (name, _), result in self.results.items())
        if least[0] >= ALONE:
            return ["", "The programs had the core to themselves."]
        return ["", f"**The core was not theirs alone: at worst a measurement had {least[0]:.0%} of it ({least[1]}).**"]

    def _summary(self) -> list[str]:
        rows = []
        standard = sets.standard_names()
        groups = {size: [name for name in standard if sets.size_class(name) == size] for size in sets.SIZES}
        for size in sets.SIZES:
            groups[f"{size}, seeded"] = [name for shape in SHAPES if (name := f"{shape}-{size}") not in standard]
        for group, members in list(groups.items()):
            groups[f"{group}, IPv6 twins"] = [f"{name}.v6" for name in members]
        for group, members in groups.items():
            present = [name for name in members if name in self.names]
            if not present:
                continue
            cells = [f"{group} ({len(present)} sets)"]
            for variant, call in (("batch", SHORT), ("batch", LONG), ("single", 1)):
                ratios = [self.ratio(name, variant, call) for name in present]
                good = [ratio for ratio in ratios if not ratio.reason]
                if not good:
                    cells += ["not comparable", "-"]
                    continue
                note = "" if len(good) == len(ratios) else f", {len(good)} of {len(ratios)}"
                means = (geometric_mean([r.median for r in good]), geometric_mean([r.worst for r in good]))
                cells += [
                    f"{means[0]:.2f} ({means[1]:.2f}){note}",
                    f"{min(r.median for r in good):.2f} ({min(r.worst for r in good):.2f})",
                ]
            rows.append(cells)
        if not rows:
            return []
        head = ["sets", "calls of 256: mean", "least", "calls of 100,000: mean", "least", "one packet a call: mean", "least"]
        return ["", "## pastore / DPDK, geometric mean and least over the sets", *_table(head, rows)]

    def _lookups(self) -> list[str]:
        rows = []
        for name in self.names:
            run = self.shown(name)
            which = run.best_dpdk(0, BURSTS)[1]
            how = f" {which[1]}/{which[2]}{' fat' if which[0] else ''}" if which else ""
            rows.append(
                [
                    name,
                    f"{run.program('pastore').get('rows', 0):,}",
                    _number(run.rate("pastore", "batch", SHORT)),
                    _number(run.rate("pastore", "batch", min(LONG, run.packets))),
                    _number(run.rate("pastore", "single")),
                    _number(run.dpdk(BURSTS)) + how,
                    _number(run.dpdk([1])),
                    str(self.ratio(name, "batch", SHORT)),
                    str(self.ratio(name, "single", 1)),
                    _number(run.rate("tuple space", "single")),
                    _number(run.rate("pastore", "scan")),
                    _number(run.rate("numpy", "scan")),
                ]
            )
        head = "set|rows|pastore 256|pastore 100k|pastore single|DPDK|DPDK single|batch ratio|single ratio"
        head += "|tuple space|linear scan|NumPy"
        note = (
            "DPDK's cell names algorithm and burst of the first pass; fat: with `max_size` 2000 MB. NAME:action judges actions."
        )
        return ["", "## Lookups", "", note, *_table(head.split("|"), rows)]

    def _structures(self) -> list[str]:
        rows = []
        for name in self.names:
            run = self.shown(name)
            cells = [name]
            for program in ("pastore", *(f"dpdk {size}" for size in MAX_SIZES), "tuple space"):
                said = run.program(program)
                if "failed" in said:
                    cells += [f"did not build: {said['failed']}" if "dpdk" in program else said["failed"], "-"]
                else:
                    cells += [f"{said['bytes'] / 2**20:.2f}", f"{said['build_seconds']:.3f}"]
            rows.append(cells)
        head = "set|pastore MB|s|DPDK MB|s|DPDK 2000 MB|s|tuple space MB|s"
        return ["", "## Memory of the structure and seconds to build it", *_table(head.split("|"), rows)]

    def _instruction_sets(self) -> list[str]:
        programs = sorted(
            {name for result in self.results.values() for name in result["programs"] if name.startswith("pastore ")}
        )
        have = [
            name
            for name in programs
            if any("failed" not in result["programs"].get(name, {"failed": ""}) for result in self.results.values())
        ]
        if not have:
            return []
        rows = []
        for name in self.names:
            run = self.shown(name)
            ours = run.rate("pastore", "batch", SHORT)
            cells = [name, f"{run.program('pastore').get('how', '-')} {_number(ours)}"]
            for program in have:
                rate = run.rate(program, "batch", SHORT)
                cells += [
                    _number(rate),
                    f"{rate / ours:.2f}" if ours and rate else "-",
                    str(self.ratio(name, "batch", SHORT, program)),
                ]
            rows.append(cells)
        head = ["set", "pastore"]
        for program in have:
            isa = program.partition(" ")[2]
            head += [isa, f"{isa} / pastore", f"{isa} / DPDK's best"]
        return ["", "## Instruction sets, calls of 256", *_table(head, rows)]

    def _differences(self) -> list[str]:
        wrong = [f"- {name}: {', '.join(run.wrong())}" for name in self.names for run in self.runs(name) if run.wrong()]
        if wrong:
            return ["", "## Different answers", "", *wrong, ""]
        return ["", "All programs gave the same answer to every packet.", ""]

    def write(self, folder: Path) -> list[Path]:
        """Write page and plot into a folder; without matplotlib only the page."""
        page = folder / f"{self.date.isoformat()}-peers-{self.machine.slug}.md"
        plot = page.with_suffix(".svg")
        try:
            from benchmarks.peers.plot import draw
        except ModuleNotFoundError:
            page.write_text(self.text(), encoding="utf-8")
            return [page]
        draw(plot, {name: self.shown(name) for name in self.names}, f"{self.machine.model}, {self.date.isoformat()}")
        page.write_text(f"{self.text()}\n![lookups]({plot.name})\n", encoding="utf-8")
        return [page, plot]
