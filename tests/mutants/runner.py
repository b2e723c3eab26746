"""Breaks the core one line at a time and sees whether its tests notice.

A mutant is one change to one file of ext/core that makes the core wrong. A driver, tests/c/tables.c first, must fail with it:
stop with a message, crash, or not come to an end. One that gets through shows what the drivers do not look at. A mutant whose
original text is not there exactly once, or which does not compile, is an error: the list has to move with the code.
"""

import os
import re
import shutil
import subprocess
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

from tests.support.core import COMPILER, CORE, PROGRAMS, ROOT, can_run, compile_core, core_sources, instruction_sets

_FLAGS: Final = ("-O1", "-w")
# What is compiled for one mutant: quickly. It may leave a variable unused; whether it is wrong is asked elsewhere.
_MUTANT_FLAGS: Final = ("-O0", "-w")
_ROUNDS: Final = ((1, 4), (2, 8), (3, 16))  # seed and rounds; the next only for those that survive the one before
_SECONDS: Final = 120
_KEPT_MESSAGE: Final = 100


class MutantError(Exception):
    """A mutant that says nothing: its text is not there, or it does not compile."""


@dataclass(frozen=True, slots=True)
class Mutant:
    """One change.

    Parameters
    ----------
    file : str
        In ext/core.
    original : str
        As it stands there, exactly once.
    replacement : str
    breaks : str
        What goes wrong with it.
    isa : str
        The instruction set the lookup must use to come to that line, as PASTORE_ISA names it; where the processor has not got it
        (its flags are in /proc/cpuinfo), the mutant is left out. Empty: whatever is chosen. Of the files for one instruction set,
        a header's mutant changes only that one.
    """

    file: str
    original: str
    replacement: str
    breaks: str
    isa: str = ""

    def __str__(self) -> str:
        return f"{self.file}: {self.breaks}"


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a mutant, and how the driver failed."""

    mutant: Mutant
    state: Literal["noticed", "survived", "error", "left out"]
    told: str = ""


def applied(mutant: Mutant, text: str) -> str:
    """Return the text of a file with the mutant in it.

    Raises
    ------
    MutantError
        If the original text is not there exactly once, or nothing would change.
    """
    found = text.count(mutant.original)
    if found != 1:
        raise MutantError(f"{mutant.file}: {mutant.original!r} is there {found} times instead of once")
    if mutant.original == mutant.replacement:
        raise MutantError(f"{mutant.file}: {mutant.original!r} is replaced by itself")
    return text.replace(mutant.original, mutant.replacement)


def _users(core: Path, mutant: Mutant) -> list[Path]:
    """Return the files that include a mutated header, by way of others too, but for those of other instruction sets."""
    text = {path.name: path.read_text() for path in core.glob("*.[ch]")}
    users, found = {mutant.file}, 0
    while found < len(users):
        found = len(users)
        users |= {name for name, lines in text.items() if users & set(re.findall(r'^#include "(.+)"', lines, re.MULTILINE))}
    others = {f"scan_{isa}.c" for isa in instruction_sets() if mutant.isa and isa != mutant.isa}
    return [path for path in core_sources(core) if path.name in users - others]


class Driver:
    """The driver with the whole core, compiled once, of which a mutant then replaces what it touches.

    Parameters
    ----------
    folder : path
        For everything that is compiled.
    core : path
        The core that is mutated.
    program : path
        The driver: ``program SEED ROUNDS SCRATCH-FILE``.
    others : sequence of path
        More, for those that survive the first: ``other SEED``.

    Raises
    ------
    MutantError
        If the driver fails without any mutant.
    """

    def __init__(
        self,
        folder: Path,
        core: Path = CORE,
        program: Path = PROGRAMS / "tables.c",
        others: Sequence[Path] = (PROGRAMS / "forged.c", PROGRAMS / "folds.c"),
    ) -> None:
        self.folder, self.core = folder, core
        self.programs = [program, *others]
        self.objects = self._compile(core, core_sources(core), folder / "whole")
        self.mains = self._compile_mains(core, folder)
        failed = self._run_all(folder, self.objects, self.mains, "")
        if failed:
            raise MutantError(f"the driver fails on the core as it is: {failed}")

    def judge(self, mutant: Mutant) -> Outcome:
        """Build the driver with a mutant and run it."""
        if mutant.isa and not can_run(mutant.isa):
            return Outcome(mutant, "left out", f"this processor has no {mutant.isa}")
        place = self.folder / f"{abs(hash((mutant.file, mutant.original, mutant.replacement))):x}"
        try:
            changed = place / "core"
            shutil.copytree(self.core, changed)
            target = changed / mutant.file
            if not target.is_file():
                raise MutantError(f"{mutant.file}: there is no such file")
            target.write_text(applied(mutant, target.read_text()))
            header = target.suffix == ".h"
            sources = _users(changed, mutant) if header else [target]
            made = {path.name: path for path in self._compile(changed, sources, place, _MUTANT_FLAGS)}
            mains = self._compile_mains(changed, place) if header else self.mains
            failed = self._run_all(place, [made.get(path.name, path) for path in self.objects], mains, mutant.isa)
        except MutantError as error:
            return Outcome(mutant, "error", str(error))
        finally:
            shutil.rmtree(place, ignore_errors=True)
        return Outcome(mutant, "noticed" if failed else "survived", failed)

    def judge_all(self, mutants: list[Mutant]) -> list[Outcome]:
        """Judge many, on as many processors as there are."""
        with ThreadPoolExecutor(len(os.sched_getaffinity(0))) as pool:
            return list(pool.map(self.judge, mutants))

    def _compile(self, core: Path, sources: list[Path], folder: Path, flags: tuple[str, ...] = _FLAGS) -> list[Path]:
        objects, complaints = compile_core(folder, flags, core=core, sources=sources)
        missing = [path.stem for path in objects if not path.exists()]
        if missing:
            raise MutantError(f"{', '.join(missing)} does not compile: {complaints.strip()}")
        return objects

    def _compile_mains(self, core: Path, folder: Path) -> list[Path]:
        targets = []
        for program in self.programs:
            target = folder / f"{program.stem}.main.o"
            includes = [f"-I{core}", f"-I{ROOT / 'tests' / 'support'}"]
            command = [*COMPILER, "-std=c11", *_FLAGS, *includes, "-c", str(program), "-o", str(target)]
            done = subprocess.run(command, capture_output=True, text=True, check=False)
            if done.returncode:
                raise MutantError(f"{program.name} does not compile: {done.stderr.strip()}")
            targets.append(target)
        return targets

    def _run_all(self, folder: Path, objects: list[Path], mains: list[Path], isa: str) -> str:
        """Return how the first driver that fails does so, empty if none did."""
        for number, main in enumerate(mains):
            program = folder / f"driver{number}"
            command = [*COMPILER, str(main), *map(str, objects), "-o", str(program)]
            done = subprocess.run(command, capture_output=True, text=True, check=False)
            if done.returncode:
                raise MutantError(f"does not link: {done.stderr.strip()}")
            arguments = (
                [[str(seed), str(rounds), str(folder / "scratch")] for seed, rounds in _ROUNDS] if number == 0 else [["1"]]
            )
            failed = next(filter(None, (self._run(program, each, isa) for each in arguments)), "")
            if failed:
                return failed
        return ""

    def _run(self, program: Path, arguments: list[str], isa: str) -> str:
        """Return how a driver failed, empty if it did not."""
        env = os.environ | ({"PASTORE_ISA": isa} if isa else {})
        try:
            done = subprocess.run(
                [str(program), *arguments], capture_output=True, text=True, check=False, timeout=_SECONDS, env=env
            )
        except subprocess.TimeoutExpired:
            return f"no end after {_SECONDS} s"
        if not done.returncode:
            return ""
        message = done.stderr.strip().removeprefix("harness: ")[:_KEPT_MESSAGE]
        return message or f"ended with status {done.returncode}"
