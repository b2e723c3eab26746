"""The NumPy scan as a program that obeys the commands of ``bench.h``: ``python -m benchmarks.peers.numpy_bench ROWS PACKETS``."""

import json
import sys
import time
from pathlib import Path

import numpy as np

from benchmarks.files import read_packets, read_rows
from benchmarks.peers.numpy_scan import NumpyScan


def checksum(answers: "np.typing.NDArray[np.int32]") -> str:
    """Return the checksum of ``bench.c`` over row numbers."""
    total = 0
    for answer in answers.tolist():
        total = (total * 1000003 + answer + 1) & 0xFFFFFFFFFFFFFFFF
    return f"{total:016x}"


def main() -> None:
    """Build, say so, obey."""
    filters, packets = read_rows(Path(sys.argv[1])), read_packets(Path(sys.argv[2]))
    start = time.perf_counter()
    peer = NumpyScan(filters)
    size = sum(bound.nbytes for pair in peer.bounds for bound in pair)
    ready = {"peer": "numpy", "rows": len(filters), "build_seconds": time.perf_counter() - start, "bytes": size}
    print(json.dumps(ready | {"how": np.__version__}), flush=True)
    for line in sys.stdin:
        _, variant, call, rounds, count = line.split()
        n = int(count)
        columns = [column[:n] for column in (packets.src, packets.dst, packets.protocol, packets.sport, packets.dport)]
        answers = peer.classify(*columns)
        seconds = []
        for _ in range(int(rounds)):
            start = time.perf_counter()
            answers = peer.classify(*columns)
            seconds.append(time.perf_counter() - start)
        said = {"variant": variant, "call": int(call), "packets": n, "checksum": checksum(answers), "seconds": seconds}
        print(json.dumps(said), flush=True)


if __name__ == "__main__":
    main()
