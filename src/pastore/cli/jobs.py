"""Many jobs, some at the same time: results in the order given, a bar on a terminal, and no job that stops the others."""

import os
import sys
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from typing import TYPE_CHECKING, Generic, TypeVar

import click

from pastore.cli.common import is_quiet

if TYPE_CHECKING:
    from click._termui_impl import ProgressBar

J = TypeVar("J")
R = TypeVar("R")

KILLED = "the process that checked it was ended by the system, as happens when memory runs out"


def run_jobs(
    jobs: Sequence[J],
    work: Callable[[J], R],
    failed: Callable[[J, str], R],
    *,
    at_once: int = 1,
    here: Callable[[J], bool] = lambda _: False,
) -> list[R]:
    """Do every job.

    Parameters
    ----------
    jobs : sequence
    work : callable
        A function of a module, since other processes look it up by name. What it raises makes its own job fail and no other.
    failed : callable
        What a job gives whose work ended otherwise: takes the job and why.
    at_once : int
        Processes. With 1 all is done in this one.
    here : callable
        Whether a job must be done in this process.

    Returns
    -------
    list
        One result for each job, in their order.
    """
    hidden = is_quiet() or not sys.stderr.isatty() or len(jobs) < 2
    results: dict[int, R] = {}
    with click.progressbar(length=len(jobs), label="checking", file=sys.stderr, hidden=hidden) as bar:
        away = [] if at_once == 1 or len(jobs) < 2 else [at for at, job in enumerate(jobs) if not here(job)]
        if away:
            _Crew(jobs, work, failed, results, bar).run(away, min(at_once, len(away)))
        for at, job in enumerate(jobs):
            if at not in results:
                results[at] = _guarded(job, work, failed)
                bar.update(1)
    return [results[at] for at in range(len(jobs))]


def _guarded(job: J, work: Callable[[J], R], failed: Callable[[J, str], R]) -> R:
    try:
        return work(job)
    except Exception as error:
        if os.environ.get("PASTORE_TRACEBACK"):
            raise
        return failed(job, _reason(error))


def _reason(error: BaseException) -> str:
    if isinstance(error, MemoryError):
        return "there is not enough memory for it"
    if isinstance(error, RecursionError):
        return "it is nested too deeply"
    return f"checking it failed with {type(error).__name__}: {error}; PASTORE_TRACEBACK=1 shows where"


class _Crew(Generic[J, R]):
    """Processes that do jobs. One that dies takes the pool down, but only those that were being done are under suspicion."""

    def __init__(
        self,
        jobs: Sequence[J],
        work: Callable[[J], R],
        failed: Callable[[J, str], R],
        results: dict[int, R],
        bar: "ProgressBar[int]",
    ) -> None:
        self.jobs, self.work, self.failed, self.results, self.bar = jobs, work, failed, results, bar

    def run(self, places: Sequence[int], at_once: int) -> None:
        """Do the jobs at these places."""
        left = list(reversed(places))
        while left:
            suspects = self._until_broken(left, at_once)
            for at in suspects:
                # Alone: if the process dies again, it is this job.
                if self._until_broken([at], 1):
                    self._done(at, self.failed(self.jobs[at], KILLED))

    def _until_broken(self, left: list[int], at_once: int) -> list[int]:
        """Do jobs from the end of `left` until none is left or a process dies; return those that were being done then."""
        running: dict[Future[R], int] = {}
        broken: list[int] = []
        with ProcessPoolExecutor(at_once) as pool:
            while (left or running) and not broken:
                while left and len(running) < at_once:
                    at = left.pop()
                    try:
                        running[pool.submit(_guarded, self.jobs[at], self.work, self.failed)] = at
                    except BrokenProcessPool:
                        left.append(at)
                        break
                finished, _ = wait(running, return_when=FIRST_COMPLETED)
                for future in finished:
                    at = running.pop(future)
                    try:
                        self._done(at, future.result())
                    except BrokenProcessPool:
                        broken.append(at)
            for future, at in running.items():
                try:
                    self._done(at, future.result())
                except BrokenProcessPool:
                    broken.append(at)
        return sorted(broken)

    def _done(self, at: int, result: R) -> None:
        self.results[at] = result
        self.bar.update(1)
