"""``python -m tests.mutants [FILE...]``: judges all mutants, or those of some files of ext/core.

Exit status: 0 all were noticed, 1 one got through or does not fit, 2 nothing was judged.
"""

import sys
import tempfile
from pathlib import Path

from tests.mutants.core import MUTANTS
from tests.mutants.runner import Driver, MutantError


def main(files: list[str]) -> int:
    """Judge and tell."""
    chosen = [mutant for mutant in MUTANTS if not files or mutant.file in files]
    if not chosen:
        print(f"no mutants of {', '.join(files)}", file=sys.stderr)
        return 2
    with tempfile.TemporaryDirectory() as folder:
        try:
            outcomes = Driver(Path(folder)).judge_all(chosen)
        except MutantError as error:
            print(error, file=sys.stderr)
            return 2
    for outcome in outcomes:
        print(f"{outcome.state:9} {outcome.mutant}" + (f" ({outcome.told})" if outcome.told else ""))
    counts = {state: sum(each.state == state for each in outcomes) for state in ("noticed", "survived", "error", "left out")}
    print(", ".join(f"{n} {state}" for state, n in counts.items()))
    return 1 if counts["survived"] or counts["error"] else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
