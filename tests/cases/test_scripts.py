"""Scripts as people write them: every folder here with a ``script.toml`` is a script, its policy, its findings and packets.

The script stands in the file with the encoding and the line ends that it is to have; ``[[filter]]`` are the filters of the policy
in the order in which they are shown, ``findings`` the codes and lines of what reading says.
"""

import tomllib
from pathlib import Path
from typing import Any

import pytest

import pastore
from pastore.filters.text import filter_text
from pastore.model import Policy
from pastore.sources.sniff import sniff
from tests.support.command import pastore as run

SCRIPTS = sorted(path.parent for path in Path(__file__).parent.glob("*/script.toml"))


def written(folder: Path, to: Path) -> tuple[dict[str, Any], Path]:
    case = tomllib.loads((folder / "script.toml").read_text(encoding="utf-8"))
    text = case["script"].replace("\n", case.get("newline", "\r\n"))
    path = to / case.get("name", "script.bat")
    path.write_bytes(case.get("mark", "").encode("latin-1") + text.encode(case.get("encoding", "utf-8")))
    return case, path


@pytest.mark.parametrize("folder", SCRIPTS, ids=lambda folder: folder.name)
def test_a_script_gives_its_policy(folder: Path, tmp_path: Path) -> None:
    case, path = written(folder, tmp_path)
    assert sniff(path.read_bytes()).format == case.get("format", "netsh")
    loaded = pastore.load(path, policy=case.get("policy"))
    found = sorted([finding.code, finding.origin.line or 0] for finding in loaded.findings)
    assert found == sorted([code, line] for code, line in case.get("findings", []))
    if "filter" not in case:
        assert loaded.policy is None
        return
    assert isinstance(loaded.policy, Policy)
    assert loaded.policy.assigned == case.get("assigned", True)
    shown = [
        {
            "rule": rule.name,
            "action": str(rule.filter_action.action) if rule.filter_action else "",
            "filter": filter_text(one),
            **({"description": one.description} if one.description else {}),
        }
        for rule in loaded.policy.rules
        for filter_list in rule.filter_lists
        for one in filter_list.filters
    ]
    assert shown == case["filter"]
    for name, value in case.get("is", {}).items():
        assert getattr(loaded.policy, name) == value


@pytest.mark.parametrize("folder", SCRIPTS, ids=lambda folder: folder.name)
def test_the_packets_of_a_script_get_their_verdicts(folder: Path, tmp_path: Path) -> None:
    case, path = written(folder, tmp_path)
    flags = ["--policy", case["policy"]] if "policy" in case else []
    for address in case.get("me", []):
        flags += ["--me", address]
    for packet in case.get("packet", []):
        result = run("explain", str(path), packet["packet"], "--output-format", "json", *flags)
        assert result.status == 0, result.err
        assert (result.json["action"], result.json["rule"]) == (packet["action"], packet.get("rule"))
