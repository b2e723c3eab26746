"""A slip in a call of the Python interface is refused by name, never taken for something else."""

from typing import Any

import pytest

import pastore
from tests.support.policies import policy, rule

TWO: dict[str, Any] = {"src_lo": [0, 0], "src_hi": [9, 9], "dst_lo": [0, 0], "dst_hi": [9, 9], "action": "block"}


@pytest.mark.parametrize("name", ["me", "dns", "wins", "dhcp", "gateway"])
def test_one_text_in_the_place_of_a_list_of_addresses(name: str) -> None:
    arguments: dict[str, Any] = {name: "10.0.0.1"}
    with pytest.raises(ValueError, match=f"{name} is the text '10.0.0.1': give a list"):
        pastore.compile(policy(rule("block", "block", "any > me")), **arguments)


@pytest.mark.parametrize("rank", [[1, 2, 3], [0.5, 1.5], ["a", "b"], [0, 2**31], [0, -(2**31) - 1]])
def test_ranks_that_do_not_fit(rank: list[Any]) -> None:
    with pytest.raises(ValueError, match="rank: "):
        pastore.SpecificFilters.from_columns(**TWO, rank=rank)


def test_negative_ranks_go_before_others() -> None:
    rows = pastore.SpecificFilters.from_columns(**{**TWO, "action": ["block", "allow"]}, rank=[0, -5])
    assert rows["action"].tolist() == [1, 2]


def test_sources_that_are_not_one_for_each_row() -> None:
    source = pastore.compile(policy(rule("block", "block", "any > me"))).filters.sources[0]
    with pytest.raises(ValueError, match="sources: expected one for each of 2 rows, got 1"):
        pastore.SpecificFilters.from_columns(**TWO, sources=[source])
