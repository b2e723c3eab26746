"""SpecificFilters: rows from columns, what is refused and how, the layout shared with the C core."""

import re
import shutil
import subprocess
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest

from pastore.filters.specific import ROW, SpecificFilters, join, split
from pastore.model import Action

HEADER = Path(__file__).parents[3] / "ext" / "core"


class Source(NamedTuple):
    rule: str | None
    text: str = "text"
    tunnel: str | None = None
    place: str = "place"


def columns(n: int = 2, **changed: Any) -> dict[str, Any]:
    """Return good columns of n rows, with some replaced."""
    low = np.arange(n, dtype=np.uint32) + 10
    return {"src_lo": low, "src_hi": low + 5, "dst_lo": low, "dst_hi": low, "action": "block"} | changed


def made(n: int = 2, **changed: Any) -> SpecificFilters:
    return SpecificFilters.from_columns(**columns(n, **changed))


def six(n: int, last: int = 1) -> Any:
    return np.tile(np.array([0x20, 1, 0x0D, 0xB8, *[0] * 11, last], np.uint8), (n, 1))


IPV6 = {"src_lo": six(2), "src_hi": six(2, 9), "dst_lo": six(2), "dst_hi": six(2)}


class TestWhatIsTaken:
    def test_what_is_left_out_is_any_protocol_any_port_both_ways_all_interfaces(self) -> None:
        row = made(1)[0]
        ranges = [(int(row[f"{name}_lo"]), int(row[f"{name}_hi"])) for name in ("protocol", "sport", "dport")]
        assert ranges == [(0, 255), (0, 65535), (0, 65535)]
        assert (int(row["direction"]), int(row["interface"]), int(row["family"]), int(row["action"])) == (2, 2, 4, 2)
        assert (int(row["exempt"]), int(row["flags"]), int(row["filter"])) == (0, 0, -1)

    @pytest.mark.parametrize(
        ("name", "words", "codes"),
        [
            ("action", ["allow", "block", "protect"], [1, 2, 3]),
            ("direction", ["in", "out", "both"], [0, 1, 2]),
            ("interface", ["lan", "ras", "all"], [0, 1, 2]),
        ],
    )
    def test_actions_directions_and_interfaces_are_words_or_numbers(self, name: str, words: list[str], codes: list[int]) -> None:
        assert made(3, **{name: words})[name].tolist() == codes
        assert made(3, **{name: np.array(words, object)})[name].tolist() == codes
        assert made(3, **{name: codes})[name].tolist() == codes
        assert made(3, **{name: words[1]})[name].tolist() == [codes[1]] * 3

    def test_actions_of_the_model_are_taken_as_they_are(self) -> None:
        assert made(2, action=[Action.PROTECT, Action.ALLOW])["action"].tolist() == [3, 1]

    def test_one_value_stands_for_every_row(self) -> None:
        assert made(3, dport_lo=445, dport_hi=445)["dport_hi"].tolist() == [445, 445, 445]

    def test_ipv6_columns_are_bytes_in_network_order(self) -> None:
        row = made(**IPV6)[1]
        assert int(row["family"]) == 6
        assert join(row["src_hi"]) == 0x20010DB8_00000000_00000000_00000009

    def test_ipv6_columns_need_not_be_contiguous(self) -> None:
        wide = np.zeros((2, 32), np.uint8)
        wide[:, ::2] = six(2, 9)
        assert join(made(**(IPV6 | {"src_hi": wide[:, ::2]}))[0]["src_hi"]) == 0x20010DB8_00000000_00000000_00000009

    def test_the_last_addresses_of_both_families_fit(self) -> None:
        assert join(made(1, src_hi=[0xFFFFFFFF])[0]["src_hi"]) == 2**32 - 1
        last = np.full((2, 16), 255, np.uint8)
        assert join(made(**(IPV6 | {"src_hi": last}))[0]["src_hi"]) == 2**128 - 1

    def test_no_rows_at_all_are_a_rule_list_too(self) -> None:
        assert len(made(0)) == 0
        assert len(SpecificFilters.from_columns(src_lo=[], src_hi=[], dst_lo=[], dst_hi=[], action=[])) == 0


class TestOrder:
    def test_rows_without_ranks_are_tried_as_given(self) -> None:
        filters = made(3)
        assert filters["rank"].tolist() == [0, 1, 2]
        assert [join(row["src_lo"]) for row in filters] == [10, 11, 12]

    def test_lower_ranks_are_tried_first_and_equal_ones_as_given(self) -> None:
        filters = made(5, rank=[7, -3, 7, 0, -3])
        assert [join(row["src_lo"]) for row in filters] == [11, 14, 13, 10, 12]
        assert filters["rank"].tolist() == [-3, -3, 0, 7, 7]

    def test_sources_go_with_their_rows(self) -> None:
        filters = made(3, rank=[2, 0, 1], sources=[Source("a"), Source("b"), Source("c")])
        assert [source.rule for at in range(3) if (source := filters.source(at))] == ["b", "c", "a"]

    def test_a_row_without_a_source_has_none(self) -> None:
        assert made(1).source(0) is None


class TestRefusals:
    @pytest.mark.parametrize(
        ("changed", "message"),
        [
            ({"src_lo": [1.5, 2.5]}, "src_lo: expected (n,) integers for IPv4 or (n, 16) uint8 for IPv6, got (2,) float64"),
            ({"src_lo": 7}, "src_lo: expected (n,) integers"),
            ({"dst_hi": np.zeros((2, 15), np.uint8)}, "dst_hi: expected (n,) integers for IPv4 or (n, 16) uint8"),
            ({"dst_hi": np.zeros((2, 16), np.uint16)}, "dst_hi: expected (n,) integers for IPv4 or (n, 16) uint8"),
            ({"src_hi": [1, 2**32]}, "src_hi: an IPv4 address is 0 to 4294967295"),
            ({"dst_lo": [-1, 1]}, "dst_lo: an IPv4 address is 0 to 4294967295"),
            ({"dst_lo": [1, 1, 1]}, "dst_lo: expected 2 addresses, as many as src_lo has, got 3"),
            ({"dst_lo": six(2)}, "dst_lo: IPv6 addresses, but src_lo has IPv4 ones"),
            ({"protocol_lo": [0, 0, 0]}, "protocol_lo: expected one value or 2, got shape (3,)"),
            ({"protocol_hi": 256}, "protocol_hi: values must be 0 to 255"),
            ({"sport_lo": -1}, "sport_lo: values must be 0 to 65535"),
            ({"sport_hi": 65536}, "sport_hi: values must be 0 to 65535"),
            ({"dport_lo": [80.0, 81.0]}, "dport_lo: expected integers, got float64"),
            ({"dport_hi": "445"}, "dport_hi: expected integers, got <U3"),
            ({"action": 0}, "action: values must be 1 to 3"),
            ({"action": [1, 4]}, "action: values must be 1 to 3"),
            ({"action": "permit"}, "action: 'permit' is none of allow, block, protect"),
            ({"action": ["block"]}, "action: expected one value or 2, got shape (1,)"),
            ({"direction": 3}, "direction: values must be 0 to 2"),
            ({"direction": "inbound"}, "direction: 'inbound' is none of in, out, both"),
            ({"interface": ["lan", "wan"]}, "interface: 'wan' is none of lan, ras, all"),
            ({"interface": [0, 3]}, "interface: values must be 0 to 2"),
            ({"rank": [1]}, "rank: expected one value or 2, got shape (1,)"),
            ({"rank": [0.5, 1]}, "rank: expected integers, got float64"),
            ({"rank": [0, 2**31]}, "rank: values must be -2147483648 to 2147483647"),
            ({"sources": [Source("a")]}, "sources: expected one for each of 2 rows, got 1"),
            ({"src_hi": [10, 10]}, "row 1 is not well formed: src_lo is above src_hi"),
            ({"dst_hi": [10, 10]}, "row 1 is not well formed: dst_lo is above dst_hi"),
            ({"protocol_lo": [17, 0], "protocol_hi": 6}, "row 0 is not well formed: protocol_lo is above protocol_hi"),
            ({"sport_lo": 2, "sport_hi": 1}, "row 0 is not well formed: sport_lo is above sport_hi"),
            ({"dport_lo": [1, 2], "dport_hi": 1}, "row 1 is not well formed: dport_lo is above dport_hi"),
        ],
    )
    def test_every_refusal_names_its_column(self, changed: dict[str, Any], message: str) -> None:
        with pytest.raises(ValueError, match="^" + re.escape(message)):
            made(**changed)

    def test_ipv6_ranges_are_compared_across_both_words(self) -> None:
        low = six(2)
        low[1, 0] = 0x30  # above src_hi in its first word, though not in its second
        with pytest.raises(ValueError, match="row 1 is not well formed: src_lo is above src_hi"):
            made(**(IPV6 | {"src_lo": low}))

    @pytest.mark.parametrize("rows", [np.zeros(2), np.zeros((1, 1), ROW), np.zeros(4, ROW)[::2]])
    def test_an_array_of_another_kind_is_refused(self, rows: Any) -> None:
        with pytest.raises(ValueError, match=r"one-dimensional contiguous array of pastore\.filters\.specific\.ROW"):
            SpecificFilters(rows)

    @pytest.mark.parametrize(
        ("field", "value", "what"),
        [
            ("family", 5, "family is neither 4 nor 6"),
            ("action", 0, "action is none of 1 to 3"),
            ("action", 4, "action is none of 1 to 3"),
            ("direction", 3, "direction is none of 0 to 2"),
            ("interface", 3, "interface is none of 0 to 2"),
            ("exempt", 6, "exempt is none of 0 to 5"),
            ("src_hi", (0, 1 << 32), "src_hi is above every IPv4 address"),
            ("dst_hi", (1, 0), "dst_hi is above every IPv4 address"),
        ],
    )
    def test_a_row_that_is_not_well_formed_is_named(self, field: str, value: Any, what: str) -> None:
        rows = made(3).rows.copy()
        rows[field][1] = value
        with pytest.raises(ValueError, match=f"^row 1 is not well formed: {what}$"):
            SpecificFilters(rows)


class TestArray:
    def test_rows_are_read_only(self) -> None:
        filters = made()
        assert not filters.rows.flags.writeable
        with pytest.raises(ValueError, match="read-only"):
            filters.rows["action"][0] = 1
        with pytest.raises(ValueError, match="read-only"):
            filters["action"][:] = 1

    def test_an_array_is_taken_without_a_copy_and_made_read_only(self) -> None:
        rows = made().rows.copy()
        assert SpecificFilters(rows).rows is rows
        assert not rows.flags.writeable

    def test_the_columns_given_are_not_touched(self) -> None:
        given = columns()
        before = {name: np.array(value) for name, value in given.items()}
        SpecificFilters.from_columns(**given)
        assert all(np.array_equal(given[name], value) for name, value in before.items())
        assert given["src_lo"].flags.writeable

    def test_it_is_an_array_to_numpy(self) -> None:
        filters = made(3)
        assert np.asarray(filters).dtype == ROW
        assert (len(filters), len(list(filters))) == (3, 3)
        assert repr(filters) == "<SpecificFilters: 3 rows>"

    @pytest.mark.parametrize("address", [0, 1, 2**32 - 1, 2**64 - 1, 2**64, 2**128 - 1])
    def test_split_and_join_are_inverse(self, address: int) -> None:
        assert join(np.array(split(address), np.uint64)) == address


@pytest.mark.skipif(shutil.which("gcc") is None, reason="gcc is needed to ask the C core for its layout")
def test_a_row_is_laid_out_as_pastore_row_of_the_c_core(tmp_path: Path) -> None:
    assert ROW.names is not None
    prints = "\n".join(f"P({name})" for name in ROW.names)
    program = tmp_path / "layout.c"
    program.write_text(
        "#include <stddef.h>\n#include <stdio.h>\n#include <pastore.h>\n"
        '#define P(f) printf("%s %zu %zu\\n", #f, offsetof(pastore_row, f), sizeof(((pastore_row *)0)->f));\n'
        f'int main(void) {{\n{prints}\nprintf("size %zu\\n", sizeof(pastore_row));\nreturn 0;\n}}\n'
    )
    built = ["gcc", "-std=c11", "-Wall", "-Werror", f"-I{HEADER}", str(program), "-o", str(tmp_path / "layout")]
    subprocess.run(built, check=True, timeout=60)
    told = subprocess.run([str(tmp_path / "layout")], check=True, capture_output=True, text=True, timeout=60).stdout
    assert ROW.fields is not None
    ours = [f"{name} {ROW.fields[name][1]} {ROW.fields[name][0].itemsize}" for name in ROW.names]
    assert told.splitlines() == [*ours, f"size {ROW.itemsize}"]
