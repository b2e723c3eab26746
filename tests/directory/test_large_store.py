"""Thousands of objects from slapd, which cuts an answer short where pages are not asked for."""

import pytest

import pastore
from pastore.export import ldif
from pastore.model import Filter, FilterList, Policy, Rule
from tests.support.policies import action, flt, guid, policy, rule
from tests.support.slapd import CLIENTS, SLAPD, SUFFIX, directory

RULES, LISTS = 10, 60


def large(rules: int, lists: int) -> Policy:
    """Return a policy with so many rules of so many filter lists, each of one filter."""

    def listed(number: int, at: int) -> FilterList:
        name = f"list {number}.{at}"
        only: Filter = flt(f"tcp 10.{number % 250}.{at // 250}.{at % 250} > me:{1024 + at % 5000}", name=name)
        return FilterList(guid(name), name, (only,))

    def one(number: int) -> Rule:
        base = rule(f"Rule {number}", "block", "any > me")
        made = sorted((listed(number, at) for at in range(lists)), key=lambda each: each.guid)
        return Rule(base.guid, base.name, filter_lists=tuple(made), filter_action=action("block"), auth_methods=base.auth_methods)

    return policy(*sorted(map(one, range(rules)), key=lambda each: each.guid), name="Large")


def entries(made: Policy) -> bytes:
    """Return a policy as LDIF of entries, as slapadd takes it."""
    found: dict[bytes, list[bytes]] = {}
    for block in ldif.write(made, base_dn=SUFFIX).replace(b"\n ", b"").split(b"\n\n"):
        lines = [
            line for line in block.splitlines() if line and not line.startswith((b"changetype:", b"add:", b"-", b"version:"))
        ]
        if lines:
            found.setdefault(lines[0], []).extend(line for line in lines[1:] if line != b"objectClass: top")
    return b"\n\n".join(b"\n".join([dn, *lines]) for dn, lines in found.items()) + b"\n"


@pytest.fixture(scope="module")
def made() -> Policy:
    return large(RULES, LISTS)


def test_pages_get_past_the_limit_of_the_server(made: Policy) -> None:
    assert SLAPD, "slapd is missing; scripts/setup-debian test installs what is missing"
    assert CLIENTS
    with directory(
        settings="sizelimit 500\nlimits anonymous size.pr=unlimited size.prtotal=unlimited", content=entries(made)
    ) as server:
        got = pastore.load(server.url)
    assert isinstance(got.policy, Policy)
    assert got.policy.rules == made.rules
    assert sum(len(one.filter_lists) for one in got.policy.rules) == RULES * LISTS > 500


def test_pa173_a_limit_that_pages_do_not_get_past_gives_nothing(made: Policy) -> None:
    with directory(settings="sizelimit 500", content=entries(made)) as server:
        got = pastore.load(server.url)
    assert (got.policy, got.policies) == (None, ())
    (finding,) = got.findings
    assert finding.code == "PA173"
    assert "its size limit is exceeded" in finding.message
