"""Policies as registry exports on disk."""

from pathlib import Path

from pastore.model import Policy
from tests.support.example import registry
from tests.support.reg_text import reg_text


def export(folder: Path, *policies: Policy, assigned: int | None = 0, name: str = "policy.reg", style: str = "v5") -> Path:
    """Write policies to a .reg file; `assigned` is the position of the assigned one."""
    path = folder / name
    path.write_bytes(reg_text(registry(*policies, assigned=None if assigned is None else policies[assigned]), style))
    return path
