"""ClassBench filter sets."""

import gzip
import os
import random
import re
import time
from ipaddress import IPv4Network
from pathlib import Path

import numpy as np
import pytest

from pastore.filters.specific import ALL, BOTH, SpecificFilters
from pastore.sources import Loaded, classbench

LINE = "@176.19.181.33/32\t90.145.23.162/32\t0 : 65535\t1550 : 1550\t0x06/0xFF\t0x0000/0x0200\t\n"
COUNTS = {"acl1": 942, "acl2": 961, "fw1": 857, "fw2": 971, "ipc1": 974, "ipc2": 696}
COLUMNS = ("sport_lo", "sport_hi", "dport_lo", "dport_hi", "protocol_lo", "protocol_hi")


def rows_of(loaded: Loaded) -> SpecificFilters:
    assert isinstance(loaded.policy, SpecificFilters)
    return loaded.policy


def read(text: str) -> Loaded:
    return classbench.read(text.encode(), "set.rules")


def tuples(filters: SpecificFilters) -> list[tuple[int, ...]]:
    """Every range of every row as plain integers."""
    addresses = [filters[name][:, 1].tolist() for name in ("src_lo", "src_hi", "dst_lo", "dst_hi")]
    return list(zip(*addresses, *(filters[name].tolist() for name in COLUMNS), strict=True))


def by_regex(text: str) -> list[tuple[int, ...]]:
    """Read well-formed rules the slow way."""
    rows = []
    for line in text.splitlines():
        match = re.match(r"@(\S+)\s+(\S+)\s+(\d+) : (\d+)\s+(\d+) : (\d+)\s+0x(..)/0x(..)", line)
        assert match is not None, line
        src, dst = (IPv4Network(match[i], strict=False) for i in (1, 2))
        value, mask = int(match[7], 16), int(match[8], 16)
        ends = [int(end) for net in (src, dst) for end in (net.network_address, net.broadcast_address)]
        rows.append((*ends, *(int(match[i]) for i in range(3, 7)), value & mask, value | (mask ^ 255)))
    return rows


def seeded_set(seed: int, count: int) -> str:
    """Make rules of the shape of ClassBench's: prefixes with host bits now and then, ports exact, ranged or any."""
    rng = random.Random(seed)
    lines = []
    for _ in range(count):
        ends = [f"{'.'.join(str(rng.randrange(256)) for _ in range(4))}/{rng.choice((0, 8, 16, 23, 24, 29, 32))}" for _ in "sd"]
        ports = [rng.choice(("0 : 65535", "1024 : 65535", f"{(port := rng.randrange(65536))} : {port}")) for _ in "sd"]
        protocol = rng.choice(("0x06/0xFF", "0x11/0xFF", "0x00/0x00", "0x01/0xFF"))
        flags = rng.choice(("0x0000/0x0000", "0x1000/0x1000"))
        lines.append(f"@{ends[0]}\t{ends[1]}\t{ports[0]}\t{ports[1]}\t{protocol}\t{flags}\t\n")
    return "".join(lines)


def sets() -> list[tuple[str, int, str]]:
    data = os.environ.get("PASTORE_DATA")
    if data:
        names = {name: Path(data, "classbench", f"{name}_1k.rules.gz") for name in COUNTS}
        return [(name, COUNTS[name], gzip.decompress(path.read_bytes()).decode()) for name, path in names.items()]
    return [(name, count, seeded_set(number, count)) for number, (name, count) in enumerate(COUNTS.items())]


@pytest.mark.parametrize(("name", "count", "text"), sets(), ids=list(COUNTS))
def test_a_set_equals_what_a_slow_parser_reads(name: str, count: int, text: str) -> None:
    loaded = read(text)
    filters = rows_of(loaded)
    assert len(filters) == count
    assert loaded.findings == ()
    assert tuples(filters) == by_regex(text)


def test_a_rule_blocks_in_both_directions_on_all_interfaces() -> None:
    row = rows_of(read(LINE))[0]
    assert (row["action"], row["direction"], row["interface"], row["family"]) == (2, BOTH, ALL, 4)
    assert (row["rank"], row["filter"], row["exempt"], row["flags"]) == (0, 0, 0, 0)


def test_row_i_is_rule_line_i_and_keeps_its_place() -> None:
    filters = rows_of(read(LINE + "\n  \n" + LINE.replace("1550", "80")))
    assert filters["rank"].tolist() == filters["filter"].tolist() == [0, 1]
    sources = filters.sources
    assert len(sources) == 2
    assert [source.rule for source in sources] == ["0", "1"]
    assert [source.place for source in sources] == ["set.rules:1", "set.rules:4"]
    assert [source.place for source in sources[-1:]] == ["set.rules:4"]
    assert sources[0].text == "tcp 176.19.181.33 > 90.145.23.162:1550"
    assert sources[-1].tunnel is None
    with pytest.raises(IndexError):
        sources[2]


@pytest.mark.parametrize(
    ("rule", "text"),
    [
        ("@0.0.0.0/0 10.1.0.0/16 0 : 65535 0 : 65535 0x00/0x00", "any any > 10.1.0.0/16"),
        ("@10.1.2.3/32 0.0.0.0/0 53 : 53 1024 : 2048 0x11/0xFF", "udp 10.1.2.3:53 > any:1024-2048"),
        ("@10.1.2.3/32 10.0.0.0/8 0 : 65535 0 : 65535 0x32/0xFF", "50 10.1.2.3 > 10.0.0.0/8"),
        ("@10.1.2.3/32 10.0.0.0/8 0 : 65535 0 : 65535 0x04/0xFC", "4-7 10.1.2.3 > 10.0.0.0/8"),
    ],
)
def test_the_text_of_a_rule_is_for_people(rule: str, text: str) -> None:
    assert rows_of(read(rule)).sources[0].text == text


def test_host_bits_below_the_prefix_are_cleared() -> None:
    filters = rows_of(read(LINE.replace("176.19.181.33/32", "176.19.181.33/29").replace("90.145.23.162/32", "90.145.23.162/0")))
    assert tuples(filters)[0][:4] == (0xB013B520, 0xB013B527, 0, 0xFFFFFFFF)


@pytest.mark.parametrize(
    ("protocol", "low", "high"),
    [("0x06/0xFF", 6, 6), ("0x06/0x00", 0, 255), ("0x11/0xf0", 16, 31), ("0XfF/0x80", 128, 255)],
)
def test_a_protocol_mask_gives_a_range(protocol: str, low: int, high: int) -> None:
    row = rows_of(read(LINE.replace("0x06/0xFF", protocol)))[0]
    assert (row["protocol_lo"], row["protocol_hi"]) == (low, high)


@pytest.mark.parametrize("ending", ["", "\n", "\r\n", "\t\n", " trailing words, : and @ are ignored\n"])
def test_what_follows_the_protocol_is_ignored(ending: str) -> None:
    plain = LINE[: LINE.index("\t0x0000")]
    loaded = read(plain + ending + (LINE if ending else ""))
    assert loaded.findings == ()
    assert len(set(tuples(rows_of(loaded)))) == 1


@pytest.mark.parametrize("gap", [" ", "\t", " \t  "])
def test_blanks_and_tabs_separate(gap: str) -> None:
    text = LINE.replace("\t", gap).replace(" : ", f"{gap}:{gap}")
    assert tuples(rows_of(read(text))) == tuples(rows_of(read(LINE.replace(" : ", ":"))))


ILL = {
    "no at sign": (LINE[1:], "no @ at the start"),
    "two at signs": ("@" + LINE, "source prefix"),
    "words before": ("x " + LINE, "no @ at the start"),
    "hexadecimal octet": (LINE.replace("176.", "b6."), "source prefix"),
    "octet": (LINE.replace("176.", "276."), "an octet is above 255"),
    "long octet": (LINE.replace("176.", "0176."), "source prefix"),
    "three octets": (LINE.replace("176.", ""), "source prefix"),
    "five octets": (LINE.replace("176.", "176.1."), "source prefix"),
    "prefix length": (LINE.replace("162/32", "162/33"), "the length is above 32"),
    "no prefix length": (LINE.replace("162/32", "162"), "destination prefix"),
    "blank in a prefix": (LINE.replace("162/32", "162 /32"), "destination prefix"),
    "port": (LINE.replace("0 : 65535", "0 : 65536"), "a port is above 65535"),
    "backwards": (LINE.replace("1550 : 1550", "1551 : 1550"), "the range runs backwards"),
    "dash": (LINE.replace("1550 : 1550", "1550 - 1550"), "destination port range"),
    "two colons": (LINE.replace("1550 : 1550", "1550 :: 1550"), "destination port range"),
    "hexadecimal port": (LINE.replace("1550 : 1550", "15a0 : 1550"), "destination port range"),
    "protocol in decimal": (LINE.replace("0x06/0xFF", "6/255"), "protocol and mask"),
    "short protocol": (LINE.replace("0x06/0xFF", "0x6/0xFF"), "protocol and mask"),
    "no 0x": (LINE.replace("0x06/0xFF", "0006/0xFF"), "protocol and mask"),
    "mask with a hole": (LINE.replace("0x06/0xFF", "0x06/0x0F"), "does not describe a range"),
    "glued tail": (LINE.replace("0xFF\t", "0xFF;"), "protocol and mask"),
    "IPv6": (LINE.replace("176.19.181.33/32", "2001:db8::/32"), "source prefix"),
    "comment": ("# comment\n", "no @ at the start"),
    "NUL": (LINE.replace("\t", "\0", 1), "source prefix"),
    "cut": (LINE[:60], "protocol and mask"),
    "only @": ("@\n", "source prefix"),
    "colon first": (":" * 64 + LINE, "no @ at the start"),
}


@pytest.mark.parametrize(("line", "why"), ILL.values(), ids=list(ILL))
def test_pa140_a_line_that_is_no_rule_is_located_and_the_others_load(line: str, why: str) -> None:
    good = LINE.replace("1550", "80")
    loaded = read(LINE + line.rstrip("\n") + "\n" + good)
    filters = rows_of(loaded)
    assert filters["dport_lo"].tolist() == [1550, 80]
    assert [(finding.code, str(finding.origin)) for finding in loaded.findings] == [("PA140", "set.rules:2")]
    assert why in loaded.findings[0].message
    assert "numbered as if it were not there" in loaded.findings[0].message
    assert [(source.rule, source.place) for source in filters.sources] == [("0", "set.rules:1"), ("1", "set.rules:3")]


def test_pa103_a_list_without_a_rule_is_no_policy() -> None:
    loaded = read("\n\nnonsense\n")
    assert loaded.policy is None
    assert [finding.code for finding in loaded.findings] == ["PA140", "PA103"]


def test_many_ill_lines_are_counted_not_listed() -> None:
    loaded = read("junk\n" * 5000 + LINE)
    assert len(rows_of(loaded)) == 1
    assert len(loaded.findings) == 101
    assert loaded.findings[-1].message == "and 4900 more like this, not listed"


def test_rules_across_chunks_keep_their_lines(monkeypatch: pytest.MonkeyPatch) -> None:
    text = seeded_set(5, 400)
    text = text.replace("\n", "\nill\n", 1)
    whole = read(text)
    monkeypatch.setattr(classbench, "CHUNK", 500)
    parts = read(text)
    np.testing.assert_array_equal(rows_of(parts).rows, rows_of(whole).rows)
    assert [source.place for source in rows_of(parts).sources] == [source.place for source in rows_of(whole).sources]
    assert parts.findings == whole.findings
    assert len(rows_of(parts)) == 400


def test_a_line_longer_than_a_chunk_is_ill(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(classbench, "CHUNK", 500)
    loaded = read(LINE + "@" * 2000 + "\n" + LINE)
    assert [str(finding.origin) for finding in loaded.findings] == ["set.rules:2"]
    assert [source.place for source in rows_of(loaded).sources] == ["set.rules:1", "set.rules:3"]


def test_a_byte_order_mark_is_no_part_of_the_first_line() -> None:
    assert len(rows_of(classbench.read(b"\xef\xbb\xbf" + LINE.encode(), "set.rules"))) == 1


def test_a_hundred_thousand_rules_are_read_in_under_half_a_second() -> None:
    text = seeded_set(9, 100_000).encode()
    best = min(_seconds(text) for _ in range(3))
    assert best < 0.5, f"{best:.3f} s"


def _seconds(text: bytes) -> float:
    start = time.process_time()
    classbench.read(text, "set.rules")
    return time.process_time() - start
