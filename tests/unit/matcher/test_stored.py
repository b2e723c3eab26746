"""A saved table, opened again: the same answers and explanations, or a refusal in a sentence."""

import os
import random
import struct
from dataclasses import replace
from ipaddress import ip_address, ip_network
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest

import pastore
from pastore.api import compile_policy
from pastore.filters.host import Host
from pastore.filters.specific import SpecificFilters
from pastore.findings import Finding
from pastore.matcher import Matcher, TableError, stored
from pastore.matcher.records import RECORD_LIMIT
from pastore.matcher.verdicts import LAYOUTS
from pastore.model import AuthKind, AuthMethod, InterfaceType, Origin, Policy, Secret
from pastore.sources.sniff import TABLE_LABEL, sniff
from tests.support import tables
from tests.support.judging import arguments, classify, rows_of
from tests.support.policies import action, policy, rule
from tests.support.rulesets import aimed_packets, ipv6_twin, make_rules


def reopened(matcher: Matcher, folder: Path) -> Matcher:
    path = folder / "table.pastore"
    matcher.save(path)
    return pastore.open(path)


def opened(data: bytes, folder: Path) -> Matcher:
    path = folder / "changed.pastore"
    path.write_bytes(data)
    return pastore.open(path)


def refusal(data: bytes, folder: Path) -> str:
    with pytest.raises(TableError) as refused:
        opened(data, folder)
    return str(refused.value)


def rich_policy() -> Policy:
    """Everything a source, a verdict or a finding can have."""
    return policy(
        rule("Web", "allow", "tcp any > me:80", "tcp any > me:443"),
        rule("Mail in", "protect", "tcp 10.0.0.0/8 > me:25", filter_action=action("protect", inpass=True, soft=True)),
        rule("Gateway", "protect", "10.1.0.0/16 > 10.2.0.0/16", tunnel=ip_address("192.0.2.9")),
        replace(
            rule("Dial-up", "block", "udp any > me:53", interface=InterfaceType.RAS),
            name="Dial-up \ud800 \N{SNOWMAN}",  # half of a surrogate pair: registries may hold one
        ),
        rule("Asleep", "block", "tcp any > me:8080", active=False),
        rule("Broken", "allow", "tcp 10.0.0.1/255.0.0.255 > me:1"),
        rule("Six", "block", "tcp 2001:db8::/32 > me"),
        rule("Rest", "block", "any > me"),
        name="Rich",
    )


ME = ("10.2.0.7/16", "2001:db8:1::7")


@pytest.fixture
def rich() -> Matcher:
    return compile_policy(
        rich_policy(), Host.parse(ME), reading=(Finding("PA110", "a line", Origin("a.reg", "key", 3, 4)),)
    ).matcher


def both_families(shape: str, n: int) -> SpecificFilters:
    four = make_rules(shape, n, seed=3, one_way=True)
    rows = np.concatenate([four.rows, ipv6_twin(four).rows])
    rows["rank"] = np.arange(len(rows))
    return SpecificFilters(rows)


class TestRoundTrip:
    @pytest.mark.parametrize("shape", ["acl", "fw", "ipc"])
    @pytest.mark.parametrize("limit", [None, 200_000, 120_000])
    @pytest.mark.parametrize("verdict", ["rule", "action"])
    def test_answers_are_those_of_the_saved_one(self, tmp_path: Path, shape: str, limit: int | None, verdict: Any) -> None:
        matcher = Matcher(both_families(shape, 500), memory_limit=limit, verdict=verdict)
        again = reopened(matcher, tmp_path)
        again.check()
        assert again.stats == matcher.stats
        assert again.background is None
        for family in (4, 6):
            packets = aimed_packets(matcher.filters, 4000, 7, family=family)
            was, now = classify(matcher, packets), classify(again, packets)
            assert np.array_equal(was.action, now.action)
            assert len(np.unique(was.action)) > 2
            if verdict == "rule":
                assert np.array_equal(rows_of(was), rows_of(now))
            else:
                assert now.index is None

    def test_layouts_of_the_test_above_are_different_ones(self) -> None:
        rows = both_families("acl", 500)
        layouts = [Matcher(rows, memory_limit=limit).stats.layout for limit in (None, 200_000, 120_000)]
        assert len(set(layouts)) > 1
        assert layouts[-1] == "linear"

    @pytest.mark.parametrize("layout", LAYOUTS)
    @pytest.mark.parametrize("verdict", ["rule", "action"])
    def test_tables_of_every_layout_are_proved_and_answer_as_before(self, tmp_path: Path, layout: str, verdict: Any) -> None:
        matcher = Matcher(both_families("fw", 80), layout=layout, verdict=verdict)
        again = reopened(matcher, tmp_path)
        again.check()
        assert again.stats == matcher.stats
        packets = aimed_packets(matcher.filters, 2000, 8)
        assert np.array_equal(classify(again, packets).action, classify(matcher, packets).action)

    def test_no_rows_at_all(self, tmp_path: Path) -> None:
        nothing = Matcher(SpecificFilters(np.zeros(0, make_rules("acl", 1, seed=1).rows.dtype)))
        again = reopened(nothing, tmp_path)
        assert again.match("tcp", "10.0.0.1:1", "10.0.0.2:2").action == "none"
        assert again.stats == nothing.stats

    def test_rows_findings_and_background_are_those_of_the_saved_one(self, tmp_path: Path, rich: Matcher) -> None:
        again = reopened(rich, tmp_path)
        assert np.array_equal(again.filters.rows, rich.filters.rows)
        assert again.findings == rich.findings
        assert {finding.code for finding in again.findings} >= {"PA203", "PA301"}
        was, now = rich.background, again.background
        assert was is not None
        assert now is not None
        assert np.array_equal(was.weights, now.weights)
        assert np.array_equal(was.idle.rows, now.idle.rows)
        assert len(now.idle) == 2
        for field in ("policy", "order", "filters", "rules", "me", "failures", "reading", "analysed"):
            assert getattr(was, field) == getattr(now, field), field
        assert now.me == (ip_network("10.2.0.7/32"), ip_network("2001:db8:1::7/128"))
        assert (now.order, len(now.rules), len(now.failures), len(now.reading)) == ("weight", 8, 1, 1)

    def test_sources_say_the_same(self, tmp_path: Path, rich: Matcher) -> None:
        again = reopened(rich, tmp_path)
        assert len(again.filters.sources) == len(rich.filters.sources)
        for was, now in zip(rich.filters.sources, again.filters.sources, strict=True):
            assert (was.rule, was.text, was.tunnel, was.place) == (now.rule, now.text, now.tunnel, now.place)
            assert was.as_dict() == now.as_dict()  # type: ignore[attr-defined]
        assert [source.rule for source in again.filters.sources[1:4]] == [source.rule for source in rich.filters.sources][1:4]

    def test_verdicts_say_the_same(self, tmp_path: Path, rich: Matcher) -> None:
        again = reopened(rich, tmp_path)
        seen = set()
        for packet, direction in (
            (("tcp", "10.9.9.9:1024", "10.2.0.7:80"), "in"),
            (("tcp", "10.9.9.9:1024", "10.2.0.7:25"), "in"),
            (("tcp", "10.1.9.9:1024", "10.2.0.8:99"), "out"),
            (("udp", "10.9.9.9:500", "10.2.0.7:500"), "in"),
            (("tcp", "[2001:db8::1]:5", "[2001:db8:1::7]:6"), "in"),
            (("tcp", "[2001:db9::1]:5", "[2001:db8:1::7]:6"), "in"),
        ):
            was, now = rich.match(*packet, direction=direction), again.match(*packet, direction=direction)
            for field in ("action", "rule", "index", "inpass", "soft", "tunnel", "exempt"):
                assert getattr(was, field) == getattr(now, field), (packet, field)
            assert (was.filter is None) == (now.filter is None)
            seen |= {was.action, was.exempt, was.tunnel, was.inpass, was.soft}
        assert seen >= {"none", "allow", "block", "protect", "isakmp", "192.0.2.9", True}

    def test_an_opened_table_saved_again_gives_the_same_bytes(self, tmp_path: Path, rich: Matcher) -> None:
        first = tables.saved(rich, tmp_path)
        assert tables.saved(rich, tmp_path) == first
        assert tables.saved(reopened(rich, tmp_path), tmp_path) == first

    def test_a_table_may_be_replaced_while_it_is_open(self, tmp_path: Path, rich: Matcher) -> None:
        again = reopened(rich, tmp_path)
        (tmp_path / "table.pastore").write_bytes((tmp_path / "table.pastore").read_bytes())  # the same bytes: not a new file
        Matcher(make_rules("acl", 3, seed=1)).save(tmp_path / "table.pastore")
        assert again.match("tcp", "10.9.9.9:1024", "10.2.0.7:80").rule == "Web"
        assert len(pastore.open(tmp_path / "table.pastore").filters) == 3

    def test_rows_of_an_opened_table_cannot_be_written(self, tmp_path: Path, rich: Matcher) -> None:
        with pytest.raises(ValueError, match="read-only"):
            reopened(rich, tmp_path).filters.rows["action"][0] = 2

    def test_a_list_of_rules_keeps_texts_and_order_without_a_policy(self, tmp_path: Path) -> None:
        (tmp_path / "rules").write_text("@10.0.0.0/8\t0.0.0.0/0\t0 : 65535\t80 : 80\t0x06/0xFF\t0x0000/0x0000\n" * 2)
        loaded = pastore.load(tmp_path / "rules")
        assert isinstance(loaded.policy, SpecificFilters)
        matcher = pastore.compile(loaded.policy)
        again = reopened(matcher, tmp_path)
        for was, now in zip(matcher.filters.sources, again.filters.sources, strict=True):
            assert (was.rule, was.text, was.place) == (now.rule, now.text, now.place)
        assert again.background is None

    def test_an_order_of_the_callers_own_is_not_called_weight(self, tmp_path: Path) -> None:
        matcher = pastore.compile(rich_policy(), order=lambda row: -row.listed)
        background = reopened(matcher, tmp_path).background
        assert background is not None
        assert background.order is None


class TestSecrets:
    def test_no_pre_shared_key_is_in_a_table(self, tmp_path: Path) -> None:
        key = "Swordfish-over-the-wall"
        auth = (AuthMethod(AuthKind.PRESHARED_KEY, key=Secret(key)), AuthMethod(AuthKind.KERBEROS))
        keyed = policy(
            rule("Keyed", "protect", "tcp any > me:1433", "tcp 10.0.0.1/255.0.0.255 > me:1434", auth=auth),
            rule("Asleep", "protect", "udp any > me", auth=auth, active=False),
        )
        data = tables.saved(pastore.compile(keyed), tmp_path)
        assert b"Keyed" in data
        for encoding in ("utf-8", "utf-16-le", "utf-16-be"):
            for form in (key, key[:8], key[-8:]):
                assert form.encode(encoding) not in data


class TestRefusals:
    def test_an_empty_file(self, tmp_path: Path) -> None:
        assert "empty" in refusal(b"", tmp_path)

    def test_something_else(self, tmp_path: Path) -> None:
        assert "not a compiled table" in refusal(b"Windows Registry Editor Version 5.00\r\n" * 50, tmp_path)

    def test_a_folder_a_missing_file_and_a_pipe_are_errors_of_the_system(self, tmp_path: Path) -> None:
        os.mkfifo(tmp_path / "pipe")
        with pytest.raises(IsADirectoryError):
            pastore.open(tmp_path)
        with pytest.raises(FileNotFoundError):
            pastore.open(tmp_path / "missing")
        with pytest.raises(OSError, match="not a regular file"):
            pastore.open(tmp_path / "pipe")

    @pytest.mark.parametrize("version", [1, 2])
    def test_another_version(self, tmp_path: Path, rich: Matcher, version: int) -> None:
        data = tables.put_together(tables.taken_apart(tables.saved(rich, tmp_path)), version=version)
        assert "another version" in refusal(data, tmp_path)

    def test_the_other_byte_order(self, tmp_path: Path, rich: Matcher) -> None:
        data = bytearray(tables.saved(rich, tmp_path))
        data[8:16] = data[8:12][::-1] + data[12:16][::-1]
        assert "byte order" in refusal(bytes(data), tmp_path)

    def test_text_mode_damage(self, tmp_path: Path, rich: Matcher) -> None:
        data = tables.saved(rich, tmp_path)
        assert "not a compiled table" in refusal(data.replace(b"\r\n", b"\n"), tmp_path)

    def test_every_reason_has_its_own_sentence(self, tmp_path: Path, rich: Matcher) -> None:
        data = tables.saved(rich, tmp_path)
        flipped = data[:5000] + bytes([data[5000] ^ 1]) + data[5001:]
        reasons = [
            refusal(b"MZ", tmp_path),
            refusal(tables.put_together(tables.taken_apart(data), version=9), tmp_path),
            refusal(data[:8] + b"\1\2\3\4" + data[12:], tmp_path),
            refusal(data[:-1], tmp_path),
            refusal(flipped, tmp_path),
            refusal(tables.signed(data[:460] + b"\xff" * 8 + data[468:]), tmp_path),
        ]
        assert len(set(reasons)) == len(reasons)

    def test_the_support_code_takes_tables_apart_and_together_without_a_change(self, tmp_path: Path, rich: Matcher) -> None:
        data = tables.saved(rich, tmp_path)
        assert tables.put_together(tables.taken_apart(data)) == data

    def test_the_label_is_what_sniffing_looks_for(self, tmp_path: Path, rich: Matcher) -> None:
        data = tables.saved(rich, tmp_path)
        assert data.startswith(TABLE_LABEL)
        assert sniff(data).format == "compiled"
        (code,) = [finding.code for finding in pastore.load(tmp_path / "saved.pastore").findings]
        assert code == "PA106"


class Change(NamedTuple):
    """What stands in a section, and a part of the sentence it is refused with."""

    kind: int
    content: bytes | None
    told: str


ABOUT = [0.5, "P", "weight", 3, ["10.0.0.1/32"]]
FINDING = ["PA110", "error", "text", "a.reg", "", 1, None, None, None, None, None]
SOURCE = ["rule", "text", None, "place", {"text": "text", "sport": [0, 1]}]

CHANGES = [
    Change(stored.ROWS, None, "holds no rows"),
    Change(stored.SOURCES, None, "holds no rows and sources"),
    Change(stored.WEIGHTS, None, "holds no rows and sources"),
    Change(stored.ROWS, b"", "contradict each other"),
    Change(stored.ROWS, b"x", "ends in the middle of a row"),
    Change(stored.WEIGHTS, b"", "number of weights"),
    Change(stored.RULES, tables.records(b'["guid","label"]'), "belongs to a rule that is not there"),
    Change(stored.IDLE_ROWS, bytes(88), "row 0 is not well formed"),
    Change(stored.SOURCES, b"", "list of sources is cut off"),
    Change(stored.SOURCES, struct.pack("<Q", 2**63), "list of sources is cut off"),
    Change(stored.SOURCES, struct.pack("<Q", 2**64 - 1), "list of sources is cut off"),
    Change(stored.SOURCES, struct.pack("<2Q", 1, 2**64 - 1), "lengths in its list of sources"),
    Change(stored.SOURCES, struct.pack("<3Q", 2, 5, 4) + b"[] [] ", "lengths in its list of sources"),
    Change(stored.SOURCES, struct.pack("<2Q", 1, 2) + b"[]x", "lengths in its list of sources"),
    Change(stored.SOURCES, tables.records(b" " * (RECORD_LIMIT + 1)), "lengths in its list of sources"),
    Change(stored.SOURCES, tables.records(b"[" * 100_000), "source 0 is not one"),
    Change(stored.SOURCES, tables.records(tables.record(SOURCE) + b" "), "source 0 is not one"),
    Change(stored.SOURCES, tables.records(b'["a","b"', b',null,"c",null]'), "source 0 is not one"),
    Change(stored.SOURCES, tables.records(tables.record(SOURCE), b"\xff\xff"), "source 0 is not one"),
    Change(stored.SOURCES, tables.records(tables.record(SOURCE), tables.record(SOURCE[:4])), "source 1 is not one"),
    *(
        Change(stored.SOURCES, tables.records(tables.record([*SOURCE[:at], value, *SOURCE[at + 1 :]])), "source 0 is not one")
        for at, value in (
            (0, 1),
            (1, None),
            (2, True),
            (3, []),
            (4, []),
            (4, {"a": {"b": 1}}),
            (4, {"a": [[1]]}),
            (4, {"a": 0.5}),
        )
    ),
    *(
        Change(stored.FINDINGS, tables.records(tables.record([*FINDING[:at], value, *FINDING[at + 1 :]])), "finding 0 is not one")
        for at, value in ((0, "PA000"), (0, 1), (1, "fatal"), (2, None), (3, 3), (5, "1"), (5, True), (7, 1), (9, 1.5))
    ),
    Change(stored.READING, tables.records(b"null"), "finding 0 is not one"),
    Change(stored.ANALYSED, tables.records(b"{}"), "finding 0 is not one"),
    Change(stored.RULES, tables.records(b'["a"]'), "rule 0 is not one"),
    Change(stored.FAILURES, tables.records(b'["a","b",null]'), "failure 0 is not one"),
    Change(stored.ABOUT, tables.records(), "facts about itself"),
    Change(stored.ABOUT, tables.records(tables.record(ABOUT), tables.record(ABOUT)), "facts about itself"),
    *(
        Change(stored.ABOUT, tables.records(text), "fact 0 is not one")
        for text in (
            b"[NaN]",
            b"[-1.0]",
            b"[1e999]",
            b"[1]",
            b"[]",
            b'[0.5,"P","weight",-1,[]]',
            b'[0.5,"P","weight",1,["10.0.0.1/99"]]',
            b'[0.5,"P","weight",1,[1]]',
            b'[0.5,"P",1,1,[]]',
        )
    ),
]


class TestSections:
    @pytest.mark.parametrize("change", CHANGES, ids=range(len(CHANGES)))
    def test_what_does_not_belong_in_a_section_is_refused(self, tmp_path: Path, rich: Matcher, change: Change) -> None:
        data = tables.with_section(tables.saved(rich, tmp_path), change.kind, change.content)
        assert change.told in refusal(data, tmp_path)

    @pytest.mark.parametrize(
        ("kind", "content"),
        [
            (stored.SOURCES, tables.records(tables.record(SOURCE))),
            (stored.FINDINGS, tables.records(tables.record(FINDING))),
            (stored.ABOUT, tables.records(tables.record(ABOUT))),
            (stored.ABOUT, tables.records(b"[0.5]")),
        ],
    )
    def test_the_same_with_nothing_wrong_is_accepted(self, tmp_path: Path, rich: Matcher, kind: int, content: bytes) -> None:
        again = opened(tables.with_section(tables.saved(rich, tmp_path), kind, content), tmp_path)
        for index in range(len(again.filters)):
            again.filters.source(index)

    def test_rows_other_than_those_the_table_was_built_from_are_refused(self, tmp_path: Path, rich: Matcher) -> None:
        data = tables.saved(rich, tmp_path)
        for field, value in (("action", 1), ("dport_hi", 65534), ("rank", 10_000), ("direction", 2), ("interface", 1)):
            rows = rich.filters.rows.copy()
            at = int(np.flatnonzero(rows[field] != value)[0])
            rows[field][at] = value
            assert "contradict" in refusal(tables.with_section(data, stored.ROWS, rows.tobytes()), tmp_path), field

    def test_sections_of_a_kind_not_known_are_left_alone(self, tmp_path: Path, rich: Matcher) -> None:
        sections = tables.taken_apart(tables.saved(rich, tmp_path))
        again = opened(tables.put_together([*sections, (99, b"from the future")]), tmp_path)
        assert again.stats == rich.stats

    def test_a_source_that_a_table_cannot_keep_is_named_when_it_is_saved(self, tmp_path: Path) -> None:
        class Odd(NamedTuple):
            rule: str | None = "r"
            text: Any = "t"
            tunnel: str | None = None
            place: str = ""

        one = make_rules("acl", 1, seed=1)
        rows = one.rows.copy()
        rows["filter"] = 0
        for text, told in (
            (5, "int and str where text belongs"),
            (b"x", "not JSON serializable"),
            ("x" * RECORD_LIMIT, "bytes, more than"),
        ):
            matcher = Matcher(SpecificFilters(rows.copy(), [Odd(text=text)]))
            with pytest.raises(ValueError, match=told):
                matcher.save(tmp_path / "odd.pastore")
        assert list(tmp_path.iterdir()) == []


class TestDamage:
    """A sample in Python of what tests/support/load_harness.c does for every bit."""

    def test_flipped_bits_are_refused_and_with_the_checksum_made_to_match_refused_or_safe(
        self, tmp_path: Path, rich: Matcher
    ) -> None:
        data = tables.saved(rich, tmp_path)
        packets = [aimed_packets(rich.filters, 200, 5, family=family) for family in (4, 6)]
        rng = random.Random(6)
        safe = 0
        for _ in range(150):
            at, bit = rng.randrange(len(data)), 1 << rng.randrange(8)
            changed = data[:at] + bytes([data[at] ^ bit]) + data[at + 1 :]
            refusal(changed, tmp_path)
            if tables.CHECKSUM.start <= at < tables.CHECKSUM.stop:
                continue
            try:
                again = opened(tables.signed(changed), tmp_path)
            except TableError:
                continue
            safe += 1
            again.check()
            for columns in packets:
                verdicts = classify(again, columns)
                assert np.array_equal(rows_of(verdicts), rows_of(again.scan(*arguments(columns))))  # type: ignore[call-overload]
            for index in range(len(again.filters)):
                again.filters.source(index)
        assert safe > 0  # texts may say anything

    def test_cut_lengths_are_refused(self, tmp_path: Path, rich: Matcher) -> None:
        data = tables.saved(rich, tmp_path)
        for length in (*range(1, 64), *range(64, len(data), 257), len(data) - 1):
            assert "cut off" in refusal(data[:length], tmp_path)


def test_a_filter_description_of_another_alphabet_survives(tmp_path: Path) -> None:
    made = rich_policy()
    named = replace(made, name="Ünïcödé \U0001f512")
    background = reopened(pastore.compile(named), tmp_path).background
    assert background is not None
    assert background.policy == "Ünïcödé \U0001f512"
    assert any(label.startswith("Dial-up \ud800") for _, label in background.rules)
