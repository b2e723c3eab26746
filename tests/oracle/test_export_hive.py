"""An independent reader of .reg text puts our exports into a hive, and what it exports from there is the same policy."""

from dataclasses import replace
from pathlib import Path

import pytest

from pastore.export import reg
from pastore.model import Policy
from pastore.sources import reg as source
from pastore.sources.registry import load_tree
from tests.support import stored as s
from tests.support.export_hive import HIVEXREGEDIT, through_hive
from tests.support.exporting import keyed, policies

pytestmark = pytest.mark.skipif(not HIVEXREGEDIT, reason="hivexregedit (libwin-hivex-perl) is not installed")


def values(written: bytes) -> dict[str, dict[str, tuple[int, object]]]:
    root, findings = source.read(written, "x.reg", keep=lambda _: True)
    assert findings == ()
    return {
        key.path.lower(): {name: (value.kind, value.data) for name, value in key.values.items()}
        for key in root.walk()
        if key.values
    }


@pytest.mark.parametrize("number", [0, 1])
def test_every_value_is_in_the_hive_and_the_policy_comes_back(tmp_path: Path, data: Path | None, number: int) -> None:
    policy = policies(data)[number]
    written = reg.write(policy)
    again = through_hive(written, tmp_path)
    assert values(again) == values(written)
    root, findings = source.read(again, "x.reg")
    assert findings == ()
    assert load_tree(root, source="x.reg").policy == policy


def test_keys_and_strings_with_line_breaks_come_back(tmp_path: Path) -> None:
    policy: Policy = keyed(replace(s.small_policy(), description='one\r\ntwo "quoted" \\ three', assigned=True, default_exempt=2))
    root, findings = source.read(through_hive(reg.write(policy, secrets=True), tmp_path), "x.reg")
    assert findings == ()
    assert load_tree(root, source="x.reg").policy == policy
