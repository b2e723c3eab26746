"""The analysis of small random policies against brute force over every packet that can be told apart."""

import os
import re
from typing import Final

import numpy as np
import pytest

from pastore.analysis.hidden import hidden, hiding_set
from pastore.analysis.openings import SERVICES, service_boxes
from pastore.analysis.questions import questions_of
from pastore.analysis.whole import analyse
from pastore.filters.expand import expand
from pastore.filters.weight import first_match
from pastore.findings import Finding
from tests.support.brute_force import BruteForce
from tests.support.random_policies import random_policy

SMALL: Final = int(os.environ.get("PASTORE_PROOF_POLICIES", "600"))
PARTS: Final = 6


@pytest.mark.parametrize("part", range(PARTS))
def test_every_answer_is_that_of_brute_force(part: int) -> None:
    for seed in range(part, SMALL, PARTS):
        compare(seed)


def compare(seed: int) -> None:
    made = random_policy(seed)
    expansion = expand(made.policy, made.host, order=made.order)
    analysis = analyse(made.policy, expansion, made.host, order=made.order)
    findings = [*analysis.contradictions, *analysis.more]
    brute = BruteForce(expansion, made.host)
    told = {finding.code for finding in findings}
    assert "PA420" not in told, seed
    lines, rules = brute.hidden()
    assert (of(findings, "PA314"), {finding.rule for finding in findings if finding.code == "PA315"}) == (lines, rules), seed
    assert of(findings, "PA316") == brute.redundant(), seed
    disagreeing = set() if made.order is first_match else brute.disagreeing()
    assert {(named(finding)[0], line(finding)) for finding in findings if finding.code == "PA305"} == disagreeing, seed
    undone = brute.undone()
    assert of(findings, "PA317") == set(undone), seed
    for finding in findings:
        if finding.code == "PA317":
            assert set(named(finding)) <= undone[line(finding)], seed
    assert of(findings, "PA318") == brute.one_way(), seed
    assert of(findings, "PA306") == brute.without_twin(), seed
    assert ("PA506" in told) == brute.past_kerberos(), seed
    assert services(findings) == lost_services(brute), seed
    check_hiding_sets(brute, seed)


def of(findings: list[Finding], code: str) -> set[int]:
    return {line(finding) for finding in findings if finding.code == code}


def line(finding: Finding) -> int:
    assert finding.origin.line is not None
    return finding.origin.line


def named(finding: Finding) -> list[int]:
    """Return the lines of the filters that a message names."""
    return [int(number) for number in re.findall(r"\(p:(\d+)\)", finding.message)]


def services(findings: list[Finding]) -> set[str]:
    texts = [finding.message for finding in findings if finding.code == "PA319"]
    return {service.name for service in SERVICES if any(service.name in text for text in texts)}


def lost_services(brute: BruteForce) -> set[str]:
    blocking = brute.block_alls()
    families = [family for family in brute.families if any((family.owner == owner).any() for owner in blocking)]
    if not families:
        return set()
    boxes = {family.family: service_boxes(brute.host, family.family) for family in families}
    return {
        service.name
        for at, service in enumerate(SERVICES)
        if not any(brute.passes(family, list(box)) for family in families for box in boxes[family.family][at])
    }


def check_hiding_sets(brute: BruteForce, seed: int) -> None:
    """What is said to hide a filter holds all of it, and would not without any one of them."""
    questions = questions_of(brute.expansion, brute.host)
    list(hidden(questions))
    for owner in brute.dead:
        hiders = set(hiding_set(questions, owner))
        assert hides(brute, owner, hiders), (seed, owner)
        for hider in hiders:
            # A row has a set that cannot be made smaller; rows together may share.
            assert len(rows_of(brute, owner)) > 1 or not hides(brute, owner, hiders - {hider}) or many(brute, hider), (
                seed,
                owner,
            )


def rows_of(brute: BruteForce, owner: int) -> list[int]:
    return [int(row) for family in brute.families for row in (family.owner == owner).nonzero()[0]]


def many(brute: BruteForce, owner: int) -> bool:
    return len(rows_of(brute, owner)) > 1


def hides(brute: BruteForce, owner: int, hiders: set[int]) -> bool:
    for family in brute.families:
        for row in (family.owner == owner).nonzero()[0]:
            before = [family.holding(at) for at in range(row) if int(family.owner[at]) in hiders]
            if (family.holding(int(row)) & ~np.any(before, axis=0)).any():
                return False
    return True
