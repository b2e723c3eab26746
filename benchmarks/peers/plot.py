"""The plot of a run: one line of points a set, one colour a program, rates on a logarithmic axis."""

from collections.abc import Mapping
from pathlib import Path

import matplotlib as mpl

mpl.use("svg")
from matplotlib import pyplot as plt

from benchmarks.peers.figures import SHORT, SetFigures
from benchmarks.peers.measure import BURSTS

COLOURS = {"pastore": "#0072b2", "DPDK": "#d55e00", "tuple space": "#009e73", "linear scan": "#888888", "NumPy": "#cc79a7"}


def draw(path: Path, figures: Mapping[str, SetFigures], title: str) -> None:
    """Write the plot as SVG."""
    names = list(figures)
    rates = {
        "pastore": [figures[name].rate("pastore", "batch", SHORT) for name in names],
        "DPDK": [figures[name].dpdk(BURSTS) for name in names],
        "tuple space": [figures[name].rate("tuple space", "single") for name in names],
        "linear scan": [figures[name].rate("pastore", "scan") for name in names],
        "NumPy": [figures[name].rate("numpy", "scan") for name in names],
    }
    plt.rcParams["svg.hashsalt"] = "pastore"  # the same figures give the same file
    figure, axes = plt.subplots(figsize=(9, 1.5 + 0.24 * len(names)), layout="constrained")
    for program, values in rates.items():
        known = [(rate, at) for at, rate in enumerate(values) if rate]
        if known:
            axes.plot(*zip(*known, strict=True), "o", color=COLOURS[program], label=program, markersize=5)
    axes.set_xscale("log")
    axes.set_yticks(range(len(names)), names)
    axes.invert_yaxis()
    axes.grid(visible=True, axis="both", color="#dddddd", linewidth=0.6)
    axes.set_axisbelow(True)
    axes.set_xlabel("million packets a second, one core")
    axes.set_title(title, fontsize=10)
    axes.legend(loc="upper center", bbox_to_anchor=(0.5, -0.08), ncols=len(rates), frameon=False)
    figure.savefig(path, metadata={"Date": None})
    plt.close(figure)
