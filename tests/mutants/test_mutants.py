"""The list of mutants fits the core, and the runner tells those that are noticed from those that are not."""

from collections import Counter
from pathlib import Path

import pytest

from tests.mutants.core import MUTANTS
from tests.mutants.runner import Driver, Mutant, MutantError, applied
from tests.support.core import CORE


@pytest.mark.parametrize("mutant", MUTANTS, ids=str)
def test_every_mutant_changes_one_place_of_a_file_that_is_there(mutant: Mutant) -> None:
    assert applied(mutant, (CORE / mutant.file).read_text())
    assert mutant.breaks


def test_no_mutant_is_listed_twice() -> None:
    twice = [each for each, n in Counter((m.file, m.original, m.replacement) for m in MUTANTS).items() if n > 1]
    assert twice == []


@pytest.mark.parametrize(
    ("original", "replacement", "told"),
    [
        ("return none;", "", "0 times"),
        ("x", "y", "2 times"),
        ("a", "a", "replaced by itself"),
    ],
)
def test_a_mutant_that_does_not_fit_is_an_error(original: str, replacement: str, told: str) -> None:
    with pytest.raises(MutantError, match=told):
        applied(Mutant("rows.c", original, replacement, "nothing"), "x = a + x;")


PROGRAM = """
#include <stdio.h>
#include <stdlib.h>
#include "sum.h"
int main(int argc, char **argv) {
    if (argc == 4 && sum(2, atoi(argv[1])) == 2 + atoi(argv[1]))
        return 0;
    fprintf(stderr, "harness: the sum is wrong\\n");
    return 1;
}
"""


@pytest.fixture(scope="module")
def driver(tmp_path_factory: pytest.TempPathFactory) -> Driver:
    """A core of one function with a driver."""
    folder = tmp_path_factory.mktemp("driver")
    core = folder / "core"
    core.mkdir()
    (core / "sources.mk").write_text((CORE / "sources.mk").read_text())
    (core / "sum.h").write_text("#define ZERO 0\nint sum(int a, int b);\n")
    (core / "sum.c").write_text('#include "sum.h"\nint sum(int a, int b) { /* adds */ return a + b + ZERO; }\n')
    (core / "other.c").write_text('#include "sum.h"\nint other(void);\nint other(void) { return sum(1, 2); }\n')
    (folder / "program.c").write_text(PROGRAM)
    return Driver(folder / "work", core, folder / "program.c", ())


@pytest.mark.parametrize(
    ("mutant", "state", "told"),
    [
        (Mutant("sum.c", "a + b", "a - b", "the sign"), "noticed", "the sum is wrong"),
        (Mutant("sum.h", "ZERO 0", "ZERO 1", "a header"), "noticed", "the sum is wrong"),
        (Mutant("sum.c", "/* adds */", "gone();", "no such function"), "error", "undefined reference"),
        (Mutant("sum.c", "/* adds */", "*(volatile int *)0 = 0;", "a crash"), "noticed", "ended with status -"),
        (Mutant("sum.c", "/* adds */", "/* sums */", "nothing"), "survived", ""),
        (Mutant("sum.c", "a + b +", "a + b + ) +", "the syntax"), "error", "does not compile"),
        (Mutant("sum.c", "a * b", "a", "nothing that is there"), "error", "0 times"),
        (Mutant("sun.c", "a", "b", "another file"), "error", "no such file"),
        (Mutant("sum.c", "a + b", "b", "elsewhere", isa="vector-unit"), "left out", "no vector-unit"),
    ],
    ids=lambda value: value.breaks if isinstance(value, Mutant) else "",
)
def test_what_becomes_of_a_mutant(driver: Driver, mutant: Mutant, state: str, told: str) -> None:
    outcome = driver.judge(mutant)
    assert (outcome.state, told in outcome.told) == (state, True), outcome.told


def test_a_core_that_is_wrong_as_it_is_cannot_be_mutated(driver: Driver, tmp_path: Path) -> None:
    core = tmp_path / "core"
    core.mkdir()
    for path in driver.core.iterdir():
        (core / path.name).write_text(path.read_text().replace("a + b", "a"))
    with pytest.raises(MutantError, match="fails on the core as it is: the sum is wrong"):
        Driver(tmp_path / "work", core, driver.programs[0], ())


def test_some_mutants_of_the_core_are_noticed(tmp_path: Path) -> None:
    some = [next(mutant for mutant in MUTANTS if mutant.file == name) for name in ("rows.c", "scan_linear.c", "save.c")]
    assert [outcome.state for outcome in Driver(tmp_path).judge_all(some)] == ["noticed"] * 3
