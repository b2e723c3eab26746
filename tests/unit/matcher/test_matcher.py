"""One matcher: construction, facts about it, and single packets."""

import copy
import pickle
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

from pastore.filters.specific import INPASS, MIRRORED, ROW, SOFT, SpecificFilters
from pastore.findings import Finding
from pastore.matcher import LAYOUTS, Matcher, MemoryLimitError, Verdict
from tests.support.rulesets import make_rules


@dataclass(frozen=True)
class Source:
    rule: str | None
    text: str
    tunnel: str | None = None
    place: str = "policy.reg:7"


TO_SERVER: dict[str, Any] = {"src_lo": [0], "src_hi": [0xFFFFFFFF], "dst_lo": [0x0A090007], "dst_hi": [0x0A090007]}
SMB: dict[str, Any] = {"protocol_lo": 6, "protocol_hi": 6, "dport_lo": 445, "dport_hi": 445}


def smb_filters(**more: Any) -> SpecificFilters:
    return SpecificFilters.from_columns(**TO_SERVER, **SMB, action="protect", **more)


def two_rules() -> SpecificFilters:
    """An exemption without a rule, a tunnel rule with two rows, and a block-all for IPv6."""
    rows = np.zeros(4, ROW)
    rows["src_hi"][:, 1] = rows["dst_hi"][:, 1] = 0xFFFFFFFF
    rows["src_hi"][3] = rows["dst_hi"][3] = 0xFFFFFFFFFFFFFFFF
    rows["sport_hi"] = rows["dport_hi"] = 65535
    rows["protocol_lo"], rows["protocol_hi"] = [17, 6, 6, 0], [17, 6, 6, 255]
    rows["dport_lo"][0] = rows["dport_hi"][0] = 500
    rows["family"], rows["direction"], rows["interface"] = [4, 4, 4, 6], [2, 0, 1, 2], 2
    rows["action"], rows["exempt"], rows["flags"] = [1, 3, 3, 2], [1, 0, 0, 0], [0, INPASS, SOFT | MIRRORED, 0]
    rows["rank"], rows["filter"] = range(4), [0, 1, 1, 2]
    sources = (Source(None, "isakmp"), Source("branch", "any > any tcp", tunnel="192.0.2.1"), Source("no IPv6", "any > any"))
    return SpecificFilters(rows, sources)


def test_first_row_that_holds_the_packet_decides() -> None:
    both: dict[str, Any] = {name: value * 2 for name, value in TO_SERVER.items()}
    matcher = Matcher(SpecificFilters.from_columns(**both, **SMB, action=["allow", "block"]))
    assert matcher.match(6, 1, 0x0A090007, 49152, 445).index == 0
    assert matcher.match(6, 1, 0x0A090007, 49152, 445).action == "allow"


def test_a_packet_that_no_row_holds_passes_untouched() -> None:
    none = Matcher(smb_filters()).match(6, 1, 0x0A090007, 49152, 446)
    assert none == Verdict(action="none", rule=None, filter=None, index=-1, inpass=False, soft=False, tunnel=None, exempt=None)


def test_verdict_says_which_filter_of_which_rule_decided() -> None:
    filters = two_rules()
    matcher = Matcher(filters)
    inbound = matcher.match(6, 1, 2, 3, 4, direction="in")
    assert inbound == Verdict("protect", "branch", filters.sources[1], 1, True, False, "192.0.2.1", None)
    outbound = matcher.match(6, 1, 2, 3, 4, direction="out")
    assert outbound == Verdict("protect", "branch", filters.sources[1], 2, False, True, "192.0.2.1", None)
    exempt = matcher.match(17, 1, 2, 3, 500)
    assert exempt == Verdict("allow", None, filters.sources[0], 0, False, False, None, "isakmp")


def test_families_are_separate_tables() -> None:
    matcher = Matcher(two_rules())
    assert matcher.match(6, 1, 2, 3, 4, family=6).index == 3
    assert matcher.match(50, 1 << 127, (1 << 128) - 1, family=6).rule == "no IPv6"
    assert matcher.match(50, 1, 2, family=4).action == "none"


def test_connection_type_of_a_row_is_obeyed() -> None:
    matcher = Matcher(smb_filters(interface="ras"))
    assert matcher.match(6, 1, 0x0A090007, 1, 445, interface="ras").action == "protect"
    assert matcher.match(6, 1, 0x0A090007, 1, 445, interface="lan").action == "none"


def test_ports_left_out_are_0() -> None:
    matcher = Matcher(SpecificFilters.from_columns(**TO_SERVER, sport_hi=0, dport_hi=0, action="block"))
    assert matcher.match(1, 5, 0x0A090007).action == "block"
    assert matcher.match(1, 5, 0x0A090007, 0, 1).action == "none"


@pytest.mark.parametrize(
    ("packet", "words"),
    [
        ({"protocol": 256}, "protocol: 256 is not 0 to 255"),
        ({"protocol": -1}, "protocol: -1 is not 0 to 255"),
        ({"src": 1 << 32}, "src: 4294967296 is not 0 to 4294967295"),
        ({"dst": -1}, "dst: -1 is not 0"),
        ({"dst": 1 << 128, "family": 6}, "dst: 340282366920938463463374607431768211456 is not"),
        ({"src": -1, "family": 6}, "src: -1 is not"),
        ({"sport": 65536}, "sport: 65536 is not 0 to 65535"),
        ({"dport": 1 << 70}, "dport: .* is not 0 to 65535"),
        ({"direction": "both"}, 'direction: \'both\' is not "in" or "out"'),
        ({"direction": 2}, "direction: 2 is not"),
        ({"interface": "wan"}, 'interface: \'wan\' is not "lan" or "ras"'),
        ({"family": 5}, "family: 5 is neither 4 nor 6"),
    ],
)
def test_a_value_that_does_not_fit_is_named(packet: dict[str, Any], words: str) -> None:
    matcher = Matcher(smb_filters())
    with pytest.raises(ValueError, match=words):
        matcher.match(**{"protocol": 6, "src": 1, "dst": 2, "sport": 3, "dport": 4, **packet})


def test_matcher_cannot_be_changed() -> None:
    matcher = Matcher(smb_filters())
    for name in ("filters", "stats", "findings", "_table", "anything"):
        with pytest.raises(AttributeError, match="immutable"):
            setattr(matcher, name, None)
    with pytest.raises(AttributeError, match="immutable"):
        del matcher._table
    with pytest.raises(ValueError, match="read-only"):
        matcher.filters.rows["action"] = 1


def test_table_does_not_follow_the_rows_it_was_built_from() -> None:
    filters = smb_filters()
    matcher = Matcher(filters)
    filters.rows.flags.writeable = True
    filters.rows["dport_lo"] = filters.rows["dport_hi"] = 1
    assert matcher.match(6, 1, 0x0A090007, 1, 445).index == 0


def test_findings_are_handed_through() -> None:
    finding = Finding("PA301", "rule is not active")
    assert Matcher(smb_filters(), findings=[finding]).findings == (finding,)
    assert Matcher(smb_filters()).findings == ()


def test_stats_count_rules_and_rows() -> None:
    stats = Matcher(two_rules()).stats
    assert (stats.rules, stats.specific_filters) == (2, 4)  # two rows of one rule, and the exemption is none
    assert stats.layout in LAYOUTS
    assert stats.isa in ("scalar", "avx2", "avx512")
    assert stats.build_seconds > 0
    assert stats.bytes > 4 * 28


def test_rows_without_a_source_count_as_a_rule_each() -> None:
    assert Matcher(make_rules("acl", 50, 1)).stats.rules == 50


@pytest.mark.parametrize(
    "filters",
    [
        SpecificFilters(np.zeros(0, ROW)),
        SpecificFilters.from_columns(src_lo=[], src_hi=[], dst_lo=[], dst_hi=[], action=[]),
    ],
)
def test_no_rows_at_all_is_a_matcher_too(filters: SpecificFilters) -> None:
    matcher = Matcher(filters)
    matcher.check()
    assert matcher.match(6, 1, 2, 3, 4).action == "none"
    assert matcher.match(6, 1, 2, 3, 4, family=6, direction="out").action == "none"
    assert (matcher.stats.rules, matcher.stats.specific_filters) == (0, 0)


@pytest.mark.parametrize("layout", LAYOUTS)
def test_a_layout_that_is_asked_for_is_taken(layout: str) -> None:
    matcher = Matcher(make_rules("ipc", 1000, 1), layout=layout)
    matcher.check()
    assert matcher.stats.layout == layout


def test_layout_that_the_rows_cannot_have_becomes_a_simpler_one() -> None:
    """A hundred thousand rules have no cell for every pair of classes within the memory that a table takes."""
    assert Matcher(make_rules("acl", 100_000, 1), layout="one/direct").stats.layout == "bits"


def test_unknown_layout_is_refused() -> None:
    with pytest.raises(ValueError, match="layout: 'fast' is none of one/direct, "):
        Matcher(smb_filters(), layout="fast")


def test_rows_that_can_never_be_the_answer_are_counted() -> None:
    rows = two_rules().rows
    assert Matcher(two_rules()).stats.dead_rows == 0
    doubled = np.concatenate([rows, rows])
    doubled["rank"] = np.arange(len(doubled))
    matcher = Matcher(SpecificFilters(doubled))
    assert matcher.stats.dead_rows == len(rows)
    assert matcher.stats.specific_filters == 2 * len(rows)


def test_rows_behind_one_that_takes_every_packet_are_dead_and_keep_their_numbers() -> None:
    rows = make_rules("fw", 300, 3).rows.copy()
    rows[100] = SpecificFilters.from_columns(
        src_lo=[0], src_hi=[0xFFFFFFFF], dst_lo=[0], dst_hi=[0xFFFFFFFF], action="allow"
    ).rows[0]
    rows["direction"], rows["rank"] = 2, np.arange(300)
    matcher = Matcher(SpecificFilters(rows))
    assert matcher.stats.dead_rows >= 199
    assert matcher.match(200, 1, 2, 3, 4).index == 100


def test_rows_for_both_directions_are_kept_once() -> None:
    both = make_rules("acl", 2000, 1)
    one_way = both.rows.copy()
    one_way["direction"][::2] = 0
    assert Matcher(both).stats.bytes < Matcher(SpecificFilters(one_way)).stats.bytes


def test_matcher_of_actions_is_smaller_and_gives_no_index() -> None:
    filters = two_rules()
    actions = Matcher(filters, verdict="action")
    actions.check()
    assert actions.stats.bytes < Matcher(filters).stats.bytes
    assert actions.match(6, 1, 2, 3, 4) == Verdict("protect")
    assert actions.match(6, 1, 2, 3, 4).index is None
    assert actions.match(50, 1, 2).action == "none"


def test_memory_limit_is_kept_by_slower_layouts_until_the_rows_themselves_exceed_it() -> None:
    filters = make_rules("fw", 3000, 2)
    free = Matcher(filters).stats
    half = Matcher(filters, memory_limit=free.bytes // 2).stats
    assert half.bytes <= free.bytes // 2
    rows_alone = Matcher(filters, memory_limit=3000 * 36).stats
    assert rows_alone.layout == "linear"
    least = Matcher(filters, layout="linear").stats.bytes
    assert Matcher(filters, memory_limit=least).stats.bytes == least
    with pytest.raises(MemoryLimitError, match="row list alone exceeds the memory limit"):
        Matcher(filters, memory_limit=least - 1)
    with pytest.raises(MemoryLimitError):
        Matcher(filters, memory_limit=1)


def test_random_ranges_without_structure_keep_within_the_bounds_of_bit_vectors() -> None:
    ends = np.sort(np.random.default_rng(1).integers(0, 1 << 32, (2, 2, 50_000)), axis=1)
    filters = SpecificFilters.from_columns(
        src_lo=ends[0, 0], src_hi=ends[0, 1], dst_lo=ends[1, 0], dst_hi=ends[1, 1], action="block"
    )
    free = Matcher(filters).stats
    assert free.layout == "bits"
    assert free.bytes <= 64 << 20
    assert Matcher(filters, memory_limit=1 << 30).stats[3:] == free[3:]


@pytest.mark.parametrize("limit", [0, -1])
def test_memory_limit_must_be_positive(limit: int) -> None:
    with pytest.raises(ValueError, match="memory_limit"):
        Matcher(smb_filters(), memory_limit=limit)


def test_unknown_kind_of_verdict_is_refused() -> None:
    with pytest.raises(ValueError, match="verdict: 'both'"):
        Matcher(smb_filters(), verdict="both")  # type: ignore[arg-type]


def damaged(name: str, value: int) -> SpecificFilters:
    """Rows that got past `SpecificFilters` and were changed afterwards."""
    filters = make_rules("acl", 10, 1)
    filters.rows.flags.writeable = True
    filters.rows[name][7] = value
    return filters


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("family", 5, "row 7: the family"),
        ("direction", 3, "row 7: the family, direction"),
        ("interface", 3, "row 7: the family, direction, interface"),
        ("action", 0, "row 7: the family"),
        ("action", 4, "row 7: the family"),
        ("src_lo", 1 << 40, "row 7: a range runs backwards"),
        ("dst_hi", 1 << 40, "row 7: a range runs backwards, or an address does not fit"),
        ("rank", 3, "row 7: the rank is lower"),
    ],
)
def test_core_names_the_row_that_is_not_well_formed(name: str, value: int, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        Matcher(damaged(name, value))


@pytest.mark.parametrize("arguments", [(6.5, 1, 1), (6, 1.5, 1), (6, 1, 1, 1.5, 2), (6, 1, 1, 1, 2.5)])
@pytest.mark.parametrize("family", [4, 6])
def test_regression_a_fraction_was_cut_off_instead_of_refused(arguments: tuple[Any, ...], family: int) -> None:
    with pytest.raises(TypeError, match="'float' object cannot be interpreted as an integer"):
        Matcher(make_rules("acl", 10, seed=1)).match(*arguments, family=family)


def test_numpy_integers_are_integers() -> None:
    matcher = Matcher(make_rules("acl", 50, seed=1))
    plain = matcher.match(6, 10, 20, 30, 40)
    assert matcher.match(np.uint8(6), np.uint32(10), np.uint32(20), np.uint16(30), np.uint16(40)) == plain  # type: ignore[arg-type]


def test_a_copy_is_the_matcher_itself_because_it_never_changes() -> None:
    matcher = Matcher(make_rules("acl", 10, seed=1))
    assert copy.copy(matcher) is matcher
    assert copy.deepcopy(matcher) is matcher
    with pytest.raises(TypeError, match="cannot be pickled"):
        pickle.dumps(matcher)
