"""The analysis of random policies: small ones against brute force over every packet that can be told apart, larger ones
against an SMT solver.

A part of them is looked at here; ``PASTORE_PROOF_POLICIES=3000 PASTORE_PROOF_LARGE=300``, as ``make proof`` has it, looks at all.
"""

import os
import re
from typing import Final

import numpy as np
import pytest

from pastore.analysis.hidden import hidden, hiding_set
from pastore.analysis.openings import SERVICES, service_boxes
from pastore.analysis.questions import questions_of
from pastore.analysis.space import UNSEEN
from pastore.analysis.whole import analyse
from pastore.filters.expand import expand
from pastore.filters.weight import first_match
from pastore.findings import Finding
from tests.support.brute_force import BruteForce
from tests.support.random_policies import random_policy
from tests.support.solver import Solver

SMALL: Final = int(os.environ.get("PASTORE_PROOF_POLICIES", "600"))
LARGE: Final = int(os.environ.get("PASTORE_PROOF_LARGE", "30"))
PARTS: Final = 6


@pytest.mark.parametrize("part", range(PARTS))
def test_every_answer_is_that_of_brute_force(part: int) -> None:
    for seed in range(part, SMALL, PARTS):
        compare(seed)


@pytest.mark.parametrize("part", range(PARTS))
def test_every_answer_about_a_larger_policy_is_that_of_a_solver(part: int) -> None:
    for seed in range(part, LARGE, PARTS):
        made = random_policy(100_000 + seed, rules=8, filters=8, spread=3)
        expansion = expand(made.policy, made.host, order=made.order)
        analysis = analyse(made.policy, expansion, made.host, order=made.order)
        findings = [*analysis.contradictions, *analysis.more]
        solver = Solver(expansion, made.host)
        wholly = {finding.rule for finding in findings if finding.code == "PA315"}
        hidden_with_rules = of(findings, "PA314") | {
            solver.line(owner) for owner in solver.dead if solver.sources[owner].rule in wholly
        }
        assert hidden_with_rules == solver.hidden(), seed
        assert of(findings, "PA316") == solver.redundant(), seed
        assert of(findings, "PA318") == solver.one_way(), seed
        disagreeing = set() if made.order is first_match else solver.disagreeing()
        assert {(named(finding)[0], line(finding)) for finding in findings if finding.code == "PA305"} == disagreeing, seed
        assert "PA430" not in {finding.code for finding in findings}, seed


def compare(seed: int) -> None:
    made = random_policy(seed)
    expansion = expand(made.policy, made.host, order=made.order)
    analysis = analyse(made.policy, expansion, made.host, order=made.order)
    findings = [*analysis.contradictions, *analysis.more]
    brute = BruteForce(expansion, made.host)
    told = {finding.code for finding in findings}
    assert "PA430" not in told, seed
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
        hiders = set(hiding_set(questions, owner)) - {UNSEEN}
        assert hides(brute, owner, hiders), (seed, owner)
        for hider in hiders:
            assert not hides(brute, owner, hiders - {hider}), (seed, owner, hider)


def hides(brute: BruteForce, owner: int, hiders: set[int]) -> bool:
    for family in brute.families:
        for row in (family.owner == owner).nonzero()[0]:
            before = [family.holding(at) for at in range(row) if int(family.owner[at]) in hiders]
            if (family.holding(int(row)) & ~np.any(before, axis=0)).any():
                return False
    return True
