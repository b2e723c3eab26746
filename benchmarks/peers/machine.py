"""What a page of figures says about the machine: nothing that names it, everything that explains the figures."""

import platform
import re
from dataclasses import dataclass
from pathlib import Path

from benchmarks import native


@dataclass(frozen=True)
class Machine:
    """Facts about where figures come from."""

    model: str
    facts: tuple[str, ...]
    avx512: bool

    @property
    def slug(self) -> str:
        """The model as part of a file's name."""
        return re.sub(r"[^a-z0-9]+", "-", self.model.lower()).strip("-")


def cpu_lines() -> dict[str, str]:
    """Return the kernel's lines about the first processor."""
    try:
        block = Path("/proc/cpuinfo").read_text(encoding="utf-8").split("\n\n")[0]
    except OSError:
        return {}
    pairs = (line.partition(":") for line in block.splitlines())
    return {name.strip(): value.strip() for name, _, value in pairs}


def dpdk_version() -> str:
    """Return DPDK's version, or that there is none."""
    try:
        return f"DPDK {native.said('pkg-config', '--modversion', 'libdpdk')}"
    except native.CannotBuildError:
        return "no DPDK"


def machine(core: int) -> Machine:
    """Return the facts about this machine, with the caches that one core sees."""
    cpu = cpu_lines()
    caches = []
    for index in sorted(Path(f"/sys/devices/system/cpu/cpu{core}/cache").glob("index*")):
        level, kind, size = ((index / name).read_text(encoding="ascii").strip() for name in ("level", "type", "size"))
        if kind != "Instruction":
            caches.append(f"L{level} {size}")
    model = cpu.get("model name", platform.processor() or "unknown processor")
    count = len([line for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines() if line.startswith("processor")])
    flags = cpu.get("flags", "").split()
    virtual = ", virtual machine" if "hypervisor" in flags else ""
    facts = (
        f"{model} (family {cpu.get('cpu family', '?')}, model {cpu.get('model', '?')}), {count} cores{virtual}",
        f"caches: {', '.join(caches)}" if caches else "caches unknown",
        f"{platform.system()} {re.match(r'[0-9.]*', platform.release())[0]}",  # type: ignore[index]
        native.compiler_version(),
        dpdk_version(),
    )
    return Machine(f"{model} {count} cores", facts, "avx512bw" in flags)
