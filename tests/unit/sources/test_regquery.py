"""The output of reg query."""

import time
from pathlib import Path

import pytest

from pastore.model import Policy
from pastore.sources import load
from pastore.sources.registry import Key, Kind
from pastore.sources.regquery import read
from pastore.sources.sniff import sniff
from tests.support import example
from tests.support.reg_query import DEFAULTS, ENDS, query_text
from tests.support.reg_text import Hex

IPSEC = r"HKEY_LOCAL_MACHINE\SOFTWARE\Policies\Microsoft\Windows\IPSec"
OTHER = IPSEC + r"\Policy"


def lines(*rows: str, key: str = IPSEC) -> bytes:
    return "\r\n".join(["", key, *rows, "", ""]).encode()


def key_of(data: bytes, path: str = IPSEC) -> tuple[Key, list[tuple[str, int | None]]]:
    """Return a key and the findings as code and line."""
    root, findings = read(data, "x.txt")
    key = root.find(path)
    assert key is not None
    return key, [(finding.code, finding.origin.line) for finding in findings]


def values(data: bytes, path: str = IPSEC) -> dict[str, object]:
    """Return the values of a key that is read without a finding."""
    key, findings = key_of(data, path)
    assert findings == []
    return {value.name: value.data for value in key.values.values()}


# Values


def test_every_type() -> None:
    key, findings = key_of(
        lines(
            "    sz    REG_SZ    some text",
            "    expand    REG_EXPAND_SZ    %SystemRoot%\\x",
            "    binary    REG_BINARY    00FFa0",
            "    nothing    REG_BINARY    ",
            "    none    REG_NONE    0102",
            "    word    REG_DWORD    0x2a",
            "    long    REG_QWORD    0x1234567890abcdef",
            "    big    REG_DWORD_BIG_ENDIAN    0x1",
            "    list    REG_MULTI_SZ    one\\0two three\\0four",
            "    empty    REG_MULTI_SZ    ",
            "    resources    REG_RESOURCE_LIST    01",
        )
    )
    assert findings == []
    assert {value.name: (value.kind, value.data) for value in key.values.values()} == {
        "sz": (Kind.SZ, "some text"),
        "expand": (Kind.EXPAND_SZ, "%SystemRoot%\\x"),
        "binary": (Kind.BINARY, b"\x00\xff\xa0"),
        "nothing": (Kind.BINARY, b""),
        "none": (Kind.NONE, b"\x01\x02"),
        "word": (Kind.DWORD, 42),
        "long": (Kind.QWORD, 0x1234567890ABCDEF),
        "big": (Kind.DWORD_BIG_ENDIAN, 1),
        "list": (Kind.MULTI_SZ, ("one", "two three", "four")),
        "empty": (Kind.MULTI_SZ, ()),
        "resources": (8, b"\x01"),
    }


def test_lines_keep_their_numbers() -> None:
    root, _ = read(lines("    a    REG_SZ    b", "    c    REG_SZ    d"), "x.txt")
    key = root.find(IPSEC)
    assert key is not None
    assert (key.line, key.values["a"].line, key.values["c"].line) == (2, 3, 4)


def test_names_and_data_with_blanks() -> None:
    assert values(lines("    a  b    c    REG_SZ      d    e  ", "     lead    REG_SZ    x")) == {
        "a  b    c": "  d    e  ",
        " lead": "x",
    }


def test_data_that_look_like_a_type() -> None:
    assert values(lines("    a    REG_SZ    b    REG_DWORD    0x1")) == {"a": "b    REG_DWORD    0x1"}


def test_the_tabs_of_windows_xp() -> None:
    data = b"\r\n! REG.EXE VERSION 3.0\r\n" + lines("    <NO NAME>\tREG_SZ\tx", "    a b\tREG_DWORD\t0x5")
    assert values(data) == {"": "x", "a b": 5}


@pytest.mark.parametrize("name", [*DEFAULTS.values(), "(Значение)", "（既定）"])
def test_the_default_value_in_every_language(name: str) -> None:
    assert values(lines(f"    {name}    REG_SZ    x", "    (other)    REG_SZ    y")) == {"": "x", "(other)": "y"}


def test_a_string_of_several_lines() -> None:
    data = lines("    a    REG_SZ    one", "two", "", "four", "    b    REG_DWORD    0x1")
    assert values(data) == {"a": "one\ntwo\n\nfour", "b": 1}


def test_blank_lines_before_the_next_key_are_not_part_of_a_string() -> None:
    data = lines("    a    REG_SZ    one", "", "", OTHER, "    b    REG_SZ    x")
    assert values(data) == {"a": "one"}
    assert values(data, OTHER) == {"b": "x"}


@pytest.mark.parametrize("end", ENDS.values())
def test_what_is_said_at_the_end_of_a_search_is_no_data(end: str) -> None:
    data = lines("    a    REG_SZ    one", "", end) + lines("    b    REG_SZ    two", key=OTHER)
    assert values(data) == {"a": "one"}
    assert values(data, OTHER) == {"b": "two"}


def test_several_queries_with_their_commands() -> None:
    data = b"C:\\>reg query HKLM\\A /s" + lines("    a    REG_SZ    one") + b"C:\\Users\\x>reg query HKLM\\B\r\n"
    data += lines("    b    REG_SZ    two", key=OTHER) + b"PS C:\\Users\\x> exit\r\n"
    assert (values(data), values(data, OTHER)) == ({"a": "one"}, {"b": "two"})


def test_the_short_names_of_roots() -> None:
    assert values(lines("    a    REG_SZ    b", key=IPSEC.replace("HKEY_LOCAL_MACHINE", "HKLM"))) == {"a": "b"}


def test_a_key_queried_twice_is_one() -> None:
    assert values(lines("    a    REG_SZ    b") + lines("    a    REG_SZ    c", "    d    REG_SZ    e")) == {"a": "c", "d": "e"}


def test_other_keys_are_read_over() -> None:
    root, findings = read(lines("    a    REG_SZ    b", "    c    REG_DWORD    x", key=r"HKEY_LOCAL_MACHINE\SOFTWARE\X"), "x.txt")
    assert (list(root.children), findings) == ([], ())


# What is wrong


@pytest.mark.parametrize(
    ("row", "code"),
    [
        ("    a    REG_DWORD    12", "PA112"),
        ("    a    REG_DWORD    0x123456789", "PA112"),
        ("    a    REG_DWORD    ", "PA112"),
        ("    a    REG_QWORD    0x12345678901234567", "PA112"),
        ("    a    REG_BINARY    0g", "PA112"),
        ("    a    REG_BINARY    00 11", "PA112"),
        ("    a    REG_BINARY    \u0660\u0661", "PA112"),
        ("    a    REG_STRANGE    00", "PA112"),
    ],
)
def test_pa112_data_that_do_not_fit_their_type(row: str, code: str) -> None:
    key, findings = key_of(lines(row, "    b    REG_SZ    x"))
    assert (list(key.values), findings) == (["b"], [(code, 3)])


def test_pa111_half_a_byte() -> None:
    key, findings = key_of(lines("    a    REG_BINARY    01020"))
    assert (key.values["a"].data, findings) == (b"\x01\x02", [("PA111", 3)])


def test_pa117_lines_that_are_neither_key_nor_value() -> None:
    data = b"hello\r\n" + lines("    a    REG_DWORD    0x1", "what is this", "    b    REG_DWORD    0x2")
    key, findings = key_of(data)
    assert [value.data for value in key.values.values()] == [1, 2]
    assert findings == [("PA117", 1), ("PA117", 5)]


def test_pa117_a_value_that_lost_its_blanks_is_read_and_told() -> None:
    key, findings = key_of(lines("    a    REG_SZ    x", "b c    REG_SZ    y"))
    assert {value.name: value.data for value in key.values.values()} == {"a": "x", "b c": "y"}
    assert findings == [("PA117", 4)]


def test_pa119_a_line_that_a_window_of_80_columns_cut() -> None:
    whole = "    ipsecData    REG_BINARY    " + "0123456789ABCDEF" * 8
    key, findings = key_of(lines(whole[:80], whole[80:], "    b    REG_SZ    x"))
    assert key.values["ipsecdata"].data == bytes.fromhex("0123456789ABCDEF" * 8)
    assert findings == [("PA119", 4)]
    path = IPSEC + r"\Policy\Local\ipsecPolicy{00000000-0000-0000-0000-000000000001}"
    _, told = read(lines(path[80:], "    a    REG_SZ    b", key=path[:80]), "x.txt")
    assert [(finding.code, finding.origin.line) for finding in told] == [("PA119", 3)]


def test_no_message_holds_data() -> None:
    _, findings = read(lines("    a    REG_BINARY    s3cret", "    b    REG_DWORD    s3cret", "s3cret"), "x.txt")
    assert len(findings) == 3
    assert "s3cret" not in repr(findings)


def test_a_path_of_too_many_levels() -> None:
    _, findings = read(lines("    a    REG_SZ    b", key=IPSEC + "\\k" * 600), "x.txt")
    assert [finding.code for finding in findings][:1] == ["PA117"]


@pytest.mark.parametrize(
    "data",
    [
        b"    " * 500_000,
        b"x: " + b"1" * 2_000_000 + b"\\",
        (IPSEC.encode() + b"\n" + b"    REG_" * 300_000),
        (IPSEC.encode() + b"\n    a    REG_SZ" + b" " * 2_000_000 + b"x"),
        (IPSEC.encode() + b"\n    a    REG_BINARY    " + b"z" * 2_000_000),
        (IPSEC.encode() + b"\n    a    REG_SZ    x" + b"\n" * 1_000_000 + b"y"),
        (IPSEC.encode() + b"\n" + b"junk\n" * 200_000),
        b"\xff\xfe" + b"\xd8" * 1_000_001,
        bytes(range(128, 256)) * 4000,
    ],
    ids=range(9),
)
def test_nothing_takes_long(data: bytes) -> None:
    started = time.monotonic()
    read(data, "x.txt")
    assert time.monotonic() - started < 5


# Encodings

ENCODINGS = [
    ("en", "Corporate", "ascii"),
    ("de", "Büro für Außenstelle", "utf-8"),
    ("de", "Büro für Außenstelle", "utf-8-sig"),
    ("de", "Büro für Außenstelle", "utf-16"),
    ("de", "Büro für Außenstelle", "utf-16-le"),
    ("de", "Büro für Außenstelle", "utf-16-be"),
    ("de", "Büro für Außenstelle", "cp850"),
    ("de", "Büro für Außenstelle", "cp437"),
    ("de", "Büro für Außenstelle", "cp1252"),
    ("de", "Zwölf Boxkämpfer öffnen Türen", "cp850"),
    ("de", "Überprüfung", "cp1252"),
    ("fr", "Sécurité du réseau à l'étage", "cp850"),
    ("fr", "Sécurité du réseau à l'étage", "cp1252"),
    ("es", "Política de dirección", "cp850"),
    ("ru", "Политика сервера", "cp866"),
    ("ru", "Политика сервера", "cp1251"),
    ("ja", "サーバーの分離ポリシー", "cp932"),
    ("ja", "表示用ソフト", "cp932"),  # bytes of these look like backslashes
    ("zh", "服务器隔离策略", "cp936"),
    ("ko", "서버 격리 정책", "cp949"),
]


@pytest.mark.parametrize(("language", "name", "encoding"), ENCODINGS)
def test_a_policy_with_a_name_in_every_encoding(tmp_path: Path, language: str, name: str, encoding: str) -> None:
    from dataclasses import replace

    made = replace(example.policy(), name=name)
    keys = {path: {"": "x", **values} for path, values in example.registry(made, assigned=made).items()}
    path = tmp_path / "query.txt"
    path.write_bytes(query_text(keys, language).encode(encoding))
    got = load(path)
    assert isinstance(got.policy, Policy)
    assert got.policy == made
    unicode = encoding.startswith(("utf", "ascii"))
    assert [finding.code for finding in got.findings] == ([] if unicode else ["PA118"])


def test_pa113_bytes_that_no_encoding_has_are_replaced() -> None:
    data = b"\xef\xbb\xbf" + lines("    a    REG_SZ    b").replace(b"    b", b"    \xff\xfe")
    key, findings = key_of(data)
    assert key.values["a"].data == "\ufffd\ufffd"
    assert findings == [("PA113", 3)]


def test_it_is_known_by_its_bytes() -> None:
    keys = example.registry(example.policy())
    for encoding in ("utf-8", "utf-16", "utf-16-le", "cp850"):
        assert sniff(query_text(keys).encode(encoding)).format == "regquery"


def test_a_quad_word_and_an_expanding_string_are_written_by_the_support_as_reg_query_does() -> None:
    keys = {IPSEC: {"q": Hex(11, bytes([1] * 8)), "e": Hex(2, "%x%\0".encode("utf-16-le"))}}
    assert values(query_text(keys).encode()) == {"q": 0x0101010101010101, "e": "%x%"}
