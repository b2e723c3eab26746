"""The nftables ruleset of specific filters: one rule a row, in order."""

import numpy as np
import pytest

from pastore.filters.specific import SpecificFilters
from pastore.verify.ruleset import conditions, ruleset


def row(family: int = 4, **fields: object) -> SpecificFilters:
    last = (1 << 32) - 1
    columns: dict[str, object] = {"src_lo": 0, "src_hi": last, "dst_lo": 0, "dst_hi": last} | fields
    for name in ("src_lo", "src_hi", "dst_lo", "dst_hi"):
        value = columns[name]
        assert isinstance(value, int)
        columns[name] = np.frombuffer(value.to_bytes(16, "big"), np.uint8).reshape(1, 16) if family == 6 else [value]
    return SpecificFilters.from_columns(**columns, action="block")  # type: ignore[arg-type]


NET = {"src_lo": 0x0A000000, "src_hi": 0x0AFFFFFF}
SIX = {"dst_lo": 0x20010DB8 << 96, "dst_hi": (0x20010DB9 << 96) - 1, "src_hi": (1 << 128) - 1}


@pytest.mark.parametrize(
    ("filters", "text"),
    [
        (row(), ""),
        (row(**NET), "ip saddr 10.0.0.0/8"),
        (row(dst_lo=0x0A090007, dst_hi=0x0A090007), "ip daddr 10.9.0.7"),
        (row(src_lo=0, src_hi=1), "ip saddr 0.0.0.0/31"),
        (row(src_lo=1, src_hi=2), "ip saddr 0.0.0.1-0.0.0.2"),
        (row(src_lo=1), "ip saddr 0.0.0.1-255.255.255.255"),
        (row(protocol_lo=6, protocol_hi=6, dport_lo=445, dport_hi=445), "th dport 445 meta l4proto 6"),
        (row(protocol_lo=0, protocol_hi=0), "meta l4proto 0"),
        (row(protocol_lo=6, sport_lo=1024), "th sport 1024-65535 meta l4proto 6-255"),
        (row(dport_lo=0, dport_hi=0), "th dport 0"),
        (row(direction="in"), "meta mark & 1 == 0"),
        (row(direction="out"), "meta mark & 1 == 1"),
        (row(interface="lan"), "meta mark & 2 == 0"),
        (row(interface="ras", direction="out"), "meta mark & 1 == 1 meta mark & 2 == 2"),
        (row(6, **SIX), "ip6 daddr 2001:db8::/32"),
        (row(6, **SIX | {"src_hi": 5}), "ip6 daddr 2001:db8::/32 ip6 saddr ::-::5"),
    ],
)
def test_a_row_is_written_as_its_conditions(filters: SpecificFilters, text: str) -> None:
    assert conditions(filters.rows[0]) == text


def both_families() -> SpecificFilters:
    rows = np.concatenate([row(**NET).rows, row(6, **SIX).rows, row().rows, row(protocol_hi=0).rows])
    rows["action"] = [2, 1, 3, 2]
    rows["rank"] = np.arange(4)
    return SpecificFilters(rows)


def test_rules_keep_the_order_and_carry_the_number_of_their_row() -> None:
    rules = [line for script in ruleset(both_families()) for line in script.splitlines() if "mark set" in line]
    assert rules == [
        "ip saddr 10.0.0.0/8 meta mark set 0 goto block",
        "meta mark set 2 goto protect",
        "meta l4proto 0 meta mark set 3 goto block",
        "meta mark set 2147483647 goto none",
        "ip6 daddr 2001:db8::/32 meta mark set 1 goto allow",
        "meta mark set 2147483647 goto none",
    ]


def test_scripts_hold_no_more_rules_than_told_and_together_the_same() -> None:
    def rules(limit: int) -> list[list[str]]:
        scripts = [
            [line for line in script.splitlines() if "mark set" in line]
            for script in ruleset(both_families(), rules_a_script=limit)
        ]
        return [script for script in scripts if script]

    assert [len(script) for script in rules(2)] == [2, 2, 2]
    assert [line for script in rules(2) for line in script] == [line for script in rules(100) for line in script]


def test_packets_are_judged_only_when_all_rules_stand() -> None:
    scripts = list(ruleset(both_families(), "tun7"))
    assert ["hook ingress" in script for script in scripts] == [False] * (len(scripts) - 1) + [True]
    assert 'device "tun7"' in scripts[-1]
