"""The table for spreadsheets: every row in the order tried, and no cell that is a formula."""

import csv
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pastore.export import table_csv
from pastore.filters.expand import expand
from pastore.filters.host import Host
from pastore.model import Policy
from tests.support.policies import policy, rule
from tests.support.site import HOST, SITE

FORMULAS = ("=1+1", "+1", "-1", "@SUM(A1)", "=cmd|' /C calc'!A0", "＝1", "\t=1", "\r\n=1", "  =1", '"=1', "＠x", "\u200b=1")


def read(made: Policy, host: Host = HOST) -> list[dict[str, str]]:
    data = table_csv.write(expand(made, host).filters)
    return list(csv.DictReader(io.StringIO(data.decode("utf-8"), newline="")))


def test_every_row_of_a_policy_is_a_line_in_the_order_tried() -> None:
    rows = read(SITE)
    expansion = expand(SITE, HOST)
    assert [int(row["order"]) for row in rows] == list(range(len(expansion.filters)))
    assert [row["action"] for row in rows] == [("", "allow", "block", "protect")[each] for each in expansion.filters["action"]]
    assert {row["direction"] for row in rows} == {"in", "out", "both"}
    assert {row["interface"] for row in rows} == {"lan", "ras", "all"}
    assert {row["exempt"] for row in rows} == {"", "isakmp", "kerberos", "rsvp", "multicast", "broadcast"}
    (mail, *_) = (row for row in rows if row["rule"] == "No mail out")
    assert {name: mail[name] for name in ("protocol", "src", "sport", "dst", "dport", "filter")} == {
        "protocol": "tcp",
        "src": "10.9.0.7",
        "sport": "any",
        "dst": "0.0.0.0/0",
        "dport": "25",
        "filter": "tcp me > any:25",
    }


@pytest.mark.parametrize("name", FORMULAS)
def test_names_that_would_be_formulas_are_text(name: str) -> None:
    cells = [cell for row in read(policy(rule(name, "block", "any > me"))) for cell in row.values()]
    assert not any(cell.lstrip("\u200b \t\r\n").startswith(tuple("=+-@＝＋－＠")) for cell in cells)


@given(st.text(st.characters() | st.sampled_from("=+-@\t\r\n '\"＝"), max_size=12))
def test_no_cell_begins_as_a_formula_or_holds_a_control_character(text: str) -> None:
    cell = table_csv.cell(text)
    assert not cell.lstrip().startswith(tuple("=+-@＝＋－＠"))
    assert cell.isprintable()


def test_other_cells_stay_as_they_are() -> None:
    for text in ("tcp any > me:445", "Web, and 'more'", "10.0.0.0/8", "", "any", "a=b"):
        assert table_csv.cell(text) == text
