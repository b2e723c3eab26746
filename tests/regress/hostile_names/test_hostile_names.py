"""Names out of a policy command neither the terminal nor the spreadsheet they are shown in."""

import csv
import io
import json
import unicodedata
from dataclasses import replace
from pathlib import Path

import pytest

from pastore.cli.classify import COLUMNS, write_csv
from tests.support.command import pastore
from tests.support.example import FOLDER
from tests.support.policies import policy, rule
from tests.support.registry import export

CAPTURE = FOLDER / "morning.pcap"
PACKET = "tcp 10.1.2.3:1 > 10.0.0.1:445 in"
HOSTILE = "=1+1 \x1b]0;owned\x07\x9b31m \u202eneddih\u2066 \u2028 \ufeff\U000e0041\x7f\x85\xad end"


@pytest.fixture
def hostile(tmp_path: Path) -> Path:
    """Return a policy, one rule of which cannot be applied, where all names are hostile."""
    rules = rule("one", "block", "any > any"), rule("two", "protect", "tcp any > me:445", auth=())
    named = [replace(each, name=f"{HOSTILE} {each.name}", description=HOSTILE) for each in rules]
    return export(tmp_path, policy(*named, name=HOSTILE))


def commanding(text: str) -> set[str]:
    """Return the characters that a terminal obeys or does not show."""
    return {character for character in text if unicodedata.category(character) in ("Cc", "Cf", "Cs", "Zl", "Zp")} - {"\n"}


@pytest.mark.parametrize(
    "arguments",
    [
        ("check",),
        ("check", "--output-format", "json"),
        ("check", "--output-format", "jsonl"),
        ("check", "--output-format", "github"),
        ("check", "--policy", f"no {HOSTILE}"),
        ("show",),
        ("show", "--filters"),
        ("explain", PACKET),
        ("explain", PACKET, "--output-format", "json"),
        ("explain", "--rule", f"{HOSTILE} one"),
        ("explain", "--rule", f"{HOSTILE} one", "--output-format", "json"),
        ("explain", "--rule", f"no {HOSTILE}"),
        ("classify", str(CAPTURE)),
        ("classify", str(CAPTURE), "--by", "filter"),
        ("agent", "--once"),
    ],
    ids=lambda arguments: " ".join(arguments[:1] + arguments[-1:]).encode("ascii", "ignore").decode()[:30],
)
def test_nothing_shown_holds_a_character_that_commands(hostile: Path, arguments: tuple[str, ...]) -> None:
    command, *rest = arguments
    result = pastore(command, hostile, *rest)
    assert "end" in result.out + result.err  # the name is there
    assert commanding(result.out + result.err) == set()


def test_json_gives_back_the_very_name(hostile: Path) -> None:
    document = pastore("check", hostile, "--output-format", "json").json
    assert document["sources"][0]["policy"] == HOSTILE
    document = pastore("explain", hostile, PACKET, "--output-format", "json").json
    assert document["rule"] == f"{HOSTILE} one"


def test_json_lines_of_verdicts_give_back_the_very_name(hostile: Path, tmp_path: Path) -> None:
    pastore("classify", hostile, CAPTURE, "-o", tmp_path / "out.jsonl")
    text = (tmp_path / "out.jsonl").read_text("utf-8")
    assert commanding(text) == set()
    assert json.loads(text.splitlines()[0])["rule"] == f"{HOSTILE} one"


def test_audit_log_is_shown_as_it_is_written(hostile: Path, tmp_path: Path) -> None:
    log = tmp_path / "audit.jsonl"
    pastore("agent", hostile, "--once", "--audit", log)
    assert pastore("events", log, "--output-format", "json").out == log.read_text("ascii")


@pytest.mark.parametrize(
    ("name", "cell"),
    [
        ("=HYPERLINK(1)", "'=HYPERLINK(1)"),
        ("+1", "'+1"),
        ("-1", "'-1"),
        ("@SUM(1)", "'@SUM(1)"),
        ("\t=1", "'\\t=1"),
        ("a=b", "a=b"),
        ("Block 封鎖, all", "Block 封鎖, all"),
        ("a\x1bb", "a\\x1bb"),
        ("", ""),
    ],
)
def test_a_rule_in_csv_is_never_a_formula(name: str, cell: str) -> None:
    record = dict.fromkeys(COLUMNS, "1") | {"rule": name}
    file = io.StringIO()
    write_csv(file, iter([tuple(record.values())]))
    assert list(csv.DictReader(io.StringIO(file.getvalue()))) == [record | {"rule": cell}]


def test_a_file_name_cannot_command_the_terminal(tmp_path: Path) -> None:
    name = tmp_path / "no\x1b[31m.reg"
    for arguments in (("show", name), ("classify", FOLDER / "policy.reg", name), ("events", name), ("rule", "PA\x1b[31m")):
        result = pastore(*arguments)
        assert result.status == 2
        assert commanding(result.err) == set(), arguments
