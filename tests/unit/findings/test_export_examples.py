"""The pages of findings about LDIF and JSON show what pastore prints."""

import re
from pathlib import Path

import pytest

from pastore.findings import CODES, page
from tests.support.command import pastore as run
from tests.support.export_examples import EXAMPLES, KEY


@pytest.mark.parametrize("code", EXAMPLES)
def test_the_example_of_a_page_is_what_is_printed(code: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    files, arguments = EXAMPLES[code]()
    for name, data in files.items():
        (tmp_path / name).write_bytes(data)
    monkeypatch.chdir(tmp_path)
    result = run(*arguments)
    lines = (result.out + result.err).splitlines()
    first = next(line for line in lines if f" {code} " in line)
    assert re.findall(r"```console\n(.*?)```", page(code), re.DOTALL) == [f"$ pastore {' '.join(arguments)}\n{first}\n"]
    assert page(code).startswith(f"# {code}: {CODES[code].title}\n")
    assert KEY.key is not None
    assert KEY.key.reveal() not in result.out + result.err + page(code)
