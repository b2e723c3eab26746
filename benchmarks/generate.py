"""Writes a rule set and packets: ``python -m benchmarks.generate NAME FOLDER``, names as `benchmarks.sets` has them.

Writes ``NAME.rules`` and ``NAME.trace`` as ClassBench has them where that can say it (IPv4, prefixes), and always ``NAME.rows``
and ``NAME.packets``, which the programs of benchmarks/peers read. ``--rules`` and ``--seed`` make a shape or a kind of any size:
``python -m benchmarks.generate fw FOLDER --rules 250000 --seed 3``.
"""

import argparse
import sys
from pathlib import Path

from benchmarks import sets
from benchmarks.files import write_classbench_rules, write_classbench_trace, write_packets, write_rows
from tests.support.rulesets import SHAPES, aimed_packets, make_rules
from tests.support.structureless import KINDS, make_structureless


def made(name: str, rules: int | None, seed: int, packets: int) -> sets.Case:
    """Return the set of a name, or one of a shape or kind with so many rules."""
    if rules is None:
        return sets.case(name)
    base = name.removesuffix(".v6")
    if base in SHAPES:
        filters = make_rules(base, rules, seed, arbitrary=0)
    elif base in KINDS:
        filters = make_structureless(base, rules, seed)
    else:
        raise KeyError(f"neither a shape nor a kind: {name}")
    case = sets.Case(filters, sets.inbound(aimed_packets(filters, packets, seed + 1)))
    return sets.twin(case) if name != base else case


def main() -> int:
    """Write the files and say which."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.generate", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("name")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--rules", type=int, help="how many; then the name is a shape or kind only")
    parser.add_argument("--seed", type=int, default=sets.SEED)
    parser.add_argument("--packets", type=int, default=sets.PACKETS)
    options = parser.parse_args()
    try:
        case = made(options.name, options.rules, options.seed, options.packets)
    except KeyError as error:
        print(f"generate: {error.args[0]}", file=sys.stderr)
        return 2
    options.folder.mkdir(parents=True, exist_ok=True)
    stem = str(options.folder / (options.name if options.rules is None else f"{options.name}-{options.rules}-{options.seed}"))
    write_rows(Path(f"{stem}.rows"), case.filters)
    write_packets(Path(f"{stem}.packets"), case.packets)
    try:
        write_classbench_rules(Path(f"{stem}.rules"), case.filters)
        write_classbench_trace(Path(f"{stem}.trace"), case.packets)
    except ValueError as error:
        print(f"generate: not as ClassBench text: {error}", file=sys.stderr)
    print(f"{stem}: {len(case.filters)} rules, {len(case.packets.src)} packets")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
