"""The programs that are measured: built, started with the same input, asked in turn."""

import json
import os
import resource
import selectors
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final, Protocol

from benchmarks import native

HERE: Final = Path(__file__).parent
MEMORY: Final = 10 << 30  # bytes of its own that a program may take
PATIENCE: Final = 300.0  # seconds that a measurement may take


class GaveUpError(Exception):
    """A program ended, or took too long or too much; the message is for the table."""


class Program:
    """A program that obeys the commands of ``bench.h``.

    Parameters
    ----------
    command : sequence of str
    core : int
        The processor it runs on.
    patience : float
        Seconds until it must be ready; it is ended then.
    environment : dict of str
        Beside what is set already.

    Raises
    ------
    GaveUpError
        If it does not get ready.
    """

    def __init__(self, command: Sequence[str], core: int, patience: float, **environment: str) -> None:
        def bounds() -> None:
            os.sched_setaffinity(0, {core})
            resource.setrlimit(resource.RLIMIT_DATA, (MEMORY, MEMORY))

        self.process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=os.environ | environment,
            cwd=native.ROOT,
            preexec_fn=bounds,  # there are no threads here
        )
        self.selector = selectors.DefaultSelector()
        assert self.process.stdout
        self.selector.register(self.process.stdout, selectors.EVENT_READ)
        self.ready: dict[str, Any] = self._answer(patience)

    def _answer(self, patience: float) -> dict[str, Any]:
        assert self.process.stdout
        assert self.process.stderr
        if not self.selector.select(patience):
            self.close()
            raise GaveUpError(f"not within {patience:.0f} s")
        line = self.process.stdout.readline()
        if line:
            answer: dict[str, Any] = json.loads(line)
            return answer
        last = self.process.stderr.read().decode(errors="replace").strip().splitlines()[-1:]
        status = self.process.wait()
        self.close()
        if status < 0:
            raise GaveUpError(f"ended by signal {-status}, of at most {MEMORY >> 30} GB of memory")
        raise GaveUpError(last[0] if last else f"ended with status {status}")

    def measure(self, variant: str, call: int, rounds: int, packets: int) -> dict[str, Any]:
        """Return the answer to ``measure``; its "unavailable", where there is one, says why there are no seconds."""
        assert self.process.stdin
        try:
            self.process.stdin.write(f"measure {variant} {call} {rounds} {packets}\n".encode())
            self.process.stdin.flush()
        except BrokenPipeError as error:
            raise GaveUpError("ended while it was measured") from error
        return self._answer(PATIENCE)

    def close(self) -> None:
        """End the program, whatever it is doing."""
        self.selector.close()
        self.process.kill()
        self.process.wait()
        for pipe in (self.process.stdin, self.process.stdout, self.process.stderr):
            if pipe:
                try:
                    pipe.close()
                except BrokenPipeError:  # what was not yet written
                    continue


class Commands(Protocol):
    """What knows how a program is started."""

    def command(self, kind: str, core: int, files: list[str]) -> list[str]:
        """Return the command of a program with its files."""


class Builder:
    """Builds the programs into a folder, and knows how to start them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        shared = HERE / "bench.c"
        self.pastore = native.program(
            folder / "pastore_bench", [HERE / "pastore_bench.c", shared], native.core_objects(folder / "core")
        )
        self.tuple_space = native.program(folder / "tuple_space", [HERE / "tuple_space.c", shared])
        self.dpdk: Path | None = None
        self.no_dpdk = "libdpdk is not installed: scripts/setup-debian bench-peers"
        if shutil.which("pkg-config") and subprocess.run(["pkg-config", "--exists", "libdpdk"], check=False).returncode == 0:
            flags = native.said("pkg-config", "--cflags", "--libs", "libdpdk").split()
            own = [flag if flag != "-std=c11" else "-std=gnu11" for flag in native.FLAGS]  # its headers use asm and typeof
            self.dpdk = native.program(folder / "dpdk_bench", [HERE / "dpdk_bench.c", shared], flags=[*own, *flags])

    def command(self, kind: str, core: int, files: Sequence[str]) -> list[str]:
        """Return the command of a program: pastore, tuple_space, numpy, or dpdk with its max_size in MB, as ``dpdk 2000``."""
        name, _, size = kind.partition(" ")
        if name == "numpy":
            return [sys.executable, "-m", "benchmarks.peers.numpy_bench", *files]
        if name != "dpdk":
            return [str(getattr(self, name)), *files]
        if self.dpdk is None:
            raise GaveUpError(self.no_dpdk)
        environment = ["--in-memory", "--no-pci", "--no-telemetry", "-l", str(core), "--log-level=4"]
        return [str(self.dpdk), *environment, "--force-max-simd-bitwidth=512", "--", *files, size]
