"""Hives held against hivex, which is another reader, and hivexregedit, which is another exporter."""

import os
import random
from pathlib import Path

import pytest

from pastore.model import Policy
from pastore.sources import load, reg
from pastore.sources.hive_cells import Hive
from pastore.sources.hive_head import base_block
from tests.support import example, stored_policy
from tests.support.hives import exported_by_hivexregedit, raw, walk_with_hivex, write_hive
from tests.support.reg_query import query_text
from tests.support.reg_text import Hex, RegValue, reg_text
from tests.support.trees import keys_of

Keys = dict[str, dict[str, RegValue]]


def windows_10() -> bytes:
    """The real export of a Windows 10 computer, or our own of the same shape."""
    data = os.environ.get("PASTORE_DATA")
    return Path(data, "registry", "win10-gsecurity-2022.reg").read_bytes() if data else reg_text(stored_policy.export())


EXPORTS = {"the bundled example": example.export(), "a Windows 10 export": windows_10()}


def tree(export: bytes) -> Keys:
    root, findings = reg.read(export, "x.reg")
    assert findings == ()
    return keys_of(root)


def policy_of(path: Path) -> Policy:
    got = load(path)
    assert isinstance(got.policy, Policy), got.findings
    assert [finding for finding in got.findings if finding.code.startswith("PA11")] == []
    return got.policy


@pytest.mark.parametrize("export", EXPORTS.values(), ids=EXPORTS)
class TestTheSamePolicyIsReadFrom:
    def test_a_registry_export_a_hive_and_the_output_of_reg_query(self, tmp_path: Path, export: bytes) -> None:
        keys = tree(export)
        (tmp_path / "x.reg").write_bytes(export)
        (tmp_path / "x.txt").write_bytes(query_text(keys, "de").encode("cp850"))
        hive = write_hive(tmp_path / "x.hiv", keys)
        assert policy_of(tmp_path / "x.reg") == policy_of(hive) == policy_of(tmp_path / "x.txt")

    def test_the_export_that_hivexregedit_makes_of_the_hive(self, tmp_path: Path, export: bytes) -> None:
        hive = write_hive(tmp_path / "x.hiv", tree(export))
        (tmp_path / "x.reg").write_bytes(exported_by_hivexregedit(hive))
        assert policy_of(tmp_path / "x.reg") == policy_of(hive)

    def test_a_hive_of_any_key_on_the_way_to_the_policy(self, tmp_path: Path, export: bytes) -> None:
        keys = tree(export)
        whole = policy_of(write_hive(tmp_path / "whole", keys))
        path = "HKEY_LOCAL_MACHINE"
        for name in ("SOFTWARE", "Policies", "Microsoft", "Windows", "IPSec", "Policy", "Local"):
            path += f"\\{name}"
            part = policy_of(write_hive(tmp_path / name, keys, below=path))
            assert (part.rules, part.name, part.assigned) == (whole.rules, whole.name, whole.assigned)
            assert part.origin.locator == whole.origin.locator


def odd_keys() -> Keys:
    """Keys with everything that a hive stores in a way of its own: long and short data, many subkeys, names beyond ASCII."""
    generator = random.Random(7)
    top = "HKEY_LOCAL_MACHINE"
    values: dict[str, RegValue] = {
        "": "default",
        "empty": Hex(3, b""),
        "four": b"abcd",
        "five": b"abcde",
        "long": generator.randbytes(16344),
        "big": generator.randbytes(16345),
        "bigger": generator.randbytes(100_000),
        "text": "Zwölf Boxkämpfer",
        "list": ("a", "b" * 9000),
        "expand": Hex(2, "%SystemRoot%\0".encode("utf-16-le")),
        "number": 0xFFFFFFFF,
        "quad": Hex(11, bytes(range(8))),
        "odd": Hex(0x12345, b"xyz"),
        "größe": 1,
        "ключ": 2,
    }
    keys: Keys = {rf"{top}\values": values}
    for n in range(1200):
        keys[rf"{top}\many\sub{n}"] = {"n": n}
    keys[rf"{top}\многo"] = {"ё": 1}
    keys[rf"{top}\schlüssel"] = {"ß": 1}
    return keys


def test_everything_in_a_hive_reads_as_hivex_reads_it(tmp_path: Path) -> None:
    path = write_hive(tmp_path / "odd", odd_keys())
    data = path.read_bytes()
    block = base_block(data)
    hive = Hive(data, block)
    trouble: list[object] = []
    found = {}
    pending = [(hive.root(), "")]
    while pending:
        node, name = pending.pop()
        values = hive.values(node, lambda *what: trouble.append(what))
        found[name] = {value.name: (value.kind, value.data) for value in values}
        pending += [(child, f"{name}\\{child.name}") for child in hive.subkeys(node, lambda *what: trouble.append(what))]
    assert trouble == []
    assert len(found) == 1205
    assert found == walk_with_hivex(path)
    assert found[r"\values"]["bigger"] == raw(odd_keys()[r"HKEY_LOCAL_MACHINE\values"]["bigger"])
