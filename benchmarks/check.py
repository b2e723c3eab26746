"""How long `pastore check` takes, with everything it asks: ``python -m benchmarks.check FOLDER`` writes a page and a plot.

A repository of 1,000 policies of 200 filters, single policies of 1,000 to 1,000,000 filters, each by the command in processes of
its own, and the shade check of Aerleon beside the same question here, on rules that both can read.
"""

import logging
import os
import platform
import random
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any, Final, NamedTuple

from pastore.analysis.whole import analyse
from pastore.filters.expand import expand
from pastore.filters.weight import first_match
from pastore.model import Policy
from tests.support.memory import run_measured
from tests.support.policies import flt, guid, policy, rule
from tests.support.registry import export

SIZES: Final = (1_000, 3_000, 10_000, 30_000, 100_000, 300_000, 1_000_000)
SHADED: Final = (250, 500, 1_000, 2_000)
POLICIES, FILTERS = 1_000, 200
_PAGE: Final = """\
# {date}, check, {machine}

`python -m benchmarks.check FOLDER`: `pastore check` with all that it asks, in processes of its own, from the start of the command
to its end, the reading of `.reg` files in it; the largest process counts for the memory. Python {python}, {cores}.

| what | filters | seconds | peak MiB | found |
|---|---|---|---|---|
{runs}

Beside the shade check of Aerleon, on the same first-match lists of TCP rules (source network and port), processor time, reading
the text in it for Aerleon and expanding for pastore, which asks everything else too. Aerleon compares rules pair by pair, so a
rule that only several others hide together is not shaded to it; pastore's count has these, and the equal ones.

| rules | Aerleon s | shaded | pastore s | hidden or equal |
|---|---|---|---|---|
{shades}
"""
_PORTS: Final = (80, 443, 445, 3389, 135)


class Run(NamedTuple):
    """What one run of the command took."""

    name: str
    filters: int
    seconds: float
    peak_mib: float
    status: int
    summary: str


def mixed(n: int, seed: int = 1) -> Policy:
    """Return a policy of n filters over all addresses: hosts and networks, permitted, blocked and protected, and a block-all."""
    rng = random.Random(seed)
    parts = max(1, min(20, n // 50))
    rules: dict[str, list[Any]] = {}
    for number in range(n - 1):
        kind = rng.choice(("allow", "allow", "block", "protect"))
        length = rng.choice((32, 32, 32, 24, 24, 16))
        value = rng.getrandbits(32) >> (32 - length) << (32 - length)
        address = ".".join(str(value >> shift & 255) for shift in (24, 16, 8, 0))
        protocol = rng.choice(("tcp ", "tcp ", "udp ", ""))
        port = f":{rng.choice((*_PORTS, rng.randint(1, 65535)))}" if protocol else ""
        text = f"{protocol}{address}/{length} > me{port}"
        rules.setdefault(f"{kind} {number * parts // n}", []).append(replace(flt(text), guid=guid(f"{seed} {number}")))
    made = [rule(name, name.split()[0], *filters) for name, filters in rules.items()]
    return policy(*made, rule("Everything else", "block", "any > me"), name=f"Policy {seed}")


def checked(name: str, filters: int, *arguments: str) -> Run:
    """Run the command and measure it."""
    began = time.monotonic()
    done = run_measured([sys.executable, "-m", "pastore", "--quiet", "check", *arguments, "--statistics"])
    seconds = time.monotonic() - began
    lines = done.out.decode().splitlines()[1:]
    summary = ", ".join(" ".join(line.split()[:2][::-1]) for line in lines)
    return Run(name, filters, seconds, done.peak / 1024, done.status, summary)


def repository(jobs: int) -> Run:
    """Check a folder of many policies."""
    with tempfile.TemporaryDirectory() as folder:
        for number in range(POLICIES):
            export(Path(folder), mixed(FILTERS, number), name=f"{number:04}.reg")
        return checked(
            f"{POLICIES} policies of {FILTERS} filters, --jobs {jobs}", POLICIES * FILTERS, folder, "--jobs", str(jobs)
        )


def single(n: int) -> Run:
    """Check one policy."""
    with tempfile.TemporaryDirectory() as folder:
        path = export(Path(folder), mixed(n))
        return checked(f"one policy of {n:,} filters", n, str(path))


class Shade(NamedTuple):
    """The same rules by both."""

    rules: int
    aerleon_seconds: float
    aerleon_found: int
    pastore_seconds: float
    pastore_found: int


def shaded(n: int) -> Shade:
    """Ask both for the rules of a first-match list that never decide."""
    rng = random.Random(n)
    listed = []
    for _ in range(n):
        length = rng.choice((16, 20, 24, 24, 32, 32))
        value = (10 << 24 | rng.getrandbits(24)) >> (32 - length) << (32 - length)
        listed.append((".".join(str(value >> shift & 255) for shift in (24, 16, 8, 0)), length, rng.choice(_PORTS)))
    began = time.process_time()
    by_aerleon = _aerleon(listed)
    aerleon = time.process_time() - began
    rules = tuple(
        replace(
            rule(
                f"t{at}",
                "allow" if at % 2 else "block",
                replace(flt(f"tcp {address}/{length} > me:{port}", mirrored=False), guid=guid(str(at))),
            ),
            guid=guid(f"rule {at}"),
        )
        for at, (address, length, port) in enumerate(listed)
    )
    made = replace(policy(), rules=rules)
    began = time.process_time()
    expansion = expand(made, order=first_match)
    found = analyse(made, expansion, order=first_match)
    ours = time.process_time() - began
    # An equal filter is refused while expanding, as Windows does; Aerleon calls it shaded.
    count = sum(finding.code == "PA315" for finding in found.more) + sum(
        finding.code == "PA211" for finding in expansion.findings
    )
    return Shade(n, aerleon, by_aerleon, ours, count)


def _aerleon(listed: list[tuple[str, int, int]]) -> int:
    from aerleon.lib import naming
    from aerleon.lib import policy as reader

    definitions = naming.Naming()
    lines = ["header {", "  target:: cisco test extended", "}"]
    for at, (address, length, port) in enumerate(listed):
        definitions._ParseLine(f"A{at} = {address}/{length}", "networks")
        lines += [
            f"term t{at} {{",
            f"  source-address:: A{at}",
            "  protocol:: tcp",
            f"  destination-port:: P{port}",
            f"  action:: {'accept' if at % 2 else 'deny'}",
            "}",
        ]
    for port in _PORTS:
        definitions._ParseLine(f"P{port} = {port}/tcp", "services")
    said: set[str] = set()

    class Counted(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            text = record.getMessage()
            if " is shaded by " in text:
                said.add(text.split(" ")[0].strip())

    log, handler = logging.getLogger("absl"), Counted()
    log.addHandler(handler)
    was, log.propagate = log.propagate, False
    try:
        reader.ParsePolicy("\n".join(lines), definitions=definitions, shade_check=True, optimize=False)
    finally:
        log.removeHandler(handler)
        log.propagate = was
    return len(said)


def page(runs: list[Run], shades: list[Shade]) -> str:
    """Return the page."""
    cores = len(os.sched_getaffinity(0))
    singles = [f"| {each.name} | {each.filters:,} | {each.seconds:.1f} | {each.peak_mib:.0f} | {each.summary} |" for each in runs]
    both = [
        f"| {each.rules:,} | {each.aerleon_seconds:.2f} | {each.aerleon_found} "
        f"| {each.pastore_seconds:.2f} | {each.pastore_found} |"
        for each in shades
    ]
    return _PAGE.format(
        date=date.today(),
        machine=platform.processor() or platform.machine(),
        python=platform.python_version(),
        cores=f"{cores} {'core' if cores == 1 else 'cores'}",
        runs="\n".join(singles),
        shades="\n".join(both),
    )


def plot(runs: list[Run], shades: list[Shade], path: Path) -> None:
    """Draw seconds and memory over the number of filters."""
    import matplotlib as mpl

    mpl.use("svg")
    from matplotlib import pyplot as plt

    mpl.rcParams["svg.hashsalt"] = "pastore"
    figure, (left, right) = plt.subplots(1, 2, figsize=(10, 4))
    singles = [each for each in runs if each.name.startswith("one")]
    left.loglog(
        [each.filters for each in singles], [each.seconds for each in singles], "o-", label="pastore check, all questions"
    )
    if shades:
        left.loglog(
            [each.rules for each in shades], [each.aerleon_seconds for each in shades], "s--", label="Aerleon, shade check"
        )
        left.loglog(
            [each.rules for each in shades], [each.pastore_seconds for each in shades], "^--", label="pastore, the same rules"
        )
    left.set(xlabel="filters", ylabel="seconds")
    left.legend()
    right.loglog([each.filters for each in singles], [each.peak_mib for each in singles], "o-")
    right.set(xlabel="filters", ylabel="peak MiB")
    for axes in (left, right):
        axes.grid(alpha=0.3)
    figure.tight_layout()
    figure.savefig(path, metadata={"Date": None})


def main(folder: str, most: str = str(SIZES[-1])) -> None:
    """Measure, and write page and plot; what is not installed is left out."""
    runs: list[Run] = []

    def measure(run: Callable[[], Run]) -> None:
        runs.append(run())
        print(runs[-1], file=sys.stderr)

    measure(lambda: repository(2))
    for n in (size for size in SIZES if size <= int(most)):
        measure(lambda n=n: single(n))  # type: ignore[misc]
    try:
        shades = [shaded(n) for n in SHADED]
    except ImportError:
        shades = []
    into = Path(folder)
    into.mkdir(parents=True, exist_ok=True)
    (into / f"{date.today()}-check.md").write_text(page(runs, shades), encoding="utf-8")
    try:
        plot(runs, shades, into / f"{date.today()}-check.svg")
    except ImportError:
        print("matplotlib is not installed: there is no plot", file=sys.stderr)


if __name__ == "__main__":
    main(*sys.argv[1:])
