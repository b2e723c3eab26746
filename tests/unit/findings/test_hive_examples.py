"""The examples of findings about hives and reg query cause what they are for."""

from pathlib import Path

import pytest

from tests.support.command import pastore
from tests.support.hive_examples import EXAMPLES


@pytest.mark.parametrize("code", EXAMPLES)
def test_the_example_causes_its_finding(code: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    files, arguments = EXAMPLES[code]()
    for name, data in files.items():
        (tmp_path / name).write_bytes(data)
    monkeypatch.chdir(tmp_path)
    result = pastore(*arguments)
    assert f" {code} " in result.out, result.out
