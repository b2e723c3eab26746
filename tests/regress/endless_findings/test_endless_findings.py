"""A registry store whose references do not fit gives some findings of a code and counts the rest, as every other source does."""

from pastore.sources import reg, regquery
from pastore.sources.log import LIMIT
from pastore.sources.registry import Key, load_tree
from tests.support.example import registry
from tests.support.policies import flt, policy, rule
from tests.support.reg_query import query_text
from tests.support.reg_text import RegValue, reg_text


def damaged() -> dict[str, dict[str, RegValue]]:
    """A store in which every object names three hundred owners that do not refer to it."""
    keys = {path: dict(values) for path, values in registry(policy(rule("Rest", "block", flt("any > me")))).items()}
    owners = tuple(f"X\\ipsecNFA{{{number:08x}-0000-0000-0000-000000000000}}" for number in range(300))
    for values in keys.values():
        if "ipsecOwnersReference" in values:
            values["ipsecOwnersReference"] = owners
    return keys


def findings_of(root: Key) -> dict[str, list[str]]:
    loaded = load_tree(root, source="x")
    by_code: dict[str, list[str]] = {}
    for finding in loaded.findings:
        by_code.setdefault(finding.code, []).append(finding.message)
    return by_code


def test_owners_that_do_not_refer_back_are_not_listed_without_end() -> None:
    texts = findings_of(reg.read(reg_text(damaged()), "x")[0])["PA134"]
    assert len(texts) == LIMIT + 1
    assert texts[-1].startswith("and ")
    assert texts[-1].endswith(" more like this, not listed")


def test_they_are_not_in_the_output_of_reg_query_either() -> None:
    assert len(findings_of(regquery.read(query_text(damaged()).encode(), "x")[0])["PA134"]) == LIMIT + 1
