"""Registry exports as text."""

import codecs
import time

import pytest

from pastore.findings import Finding
from pastore.sources import reg
from pastore.sources.registry import Data, Key, Kind
from tests.support.reg_text import STYLES, Hex, RegValue, reg_text
from tests.support.stored_policy import export

KEY = r"HKEY_LOCAL_MACHINE\Test"
HEADER = "Windows Registry Editor Version 5.00\r\n\r\n[HKEY_LOCAL_MACHINE\\Test]\r\n"


def keep_all(path: str) -> bool:
    return True


def read_bytes(data: bytes) -> tuple[Key, tuple[Finding, ...]]:
    return reg.read(data, "x.reg", keep=keep_all)


def read(body: str, *, header: str = HEADER) -> tuple[dict[str, Data], list[str]]:
    """Return the values of the test key, and the findings as ``code line:column``."""
    root, findings = read_bytes((header + body).encode())
    key = root.find(KEY)
    values = {} if key is None else {value.name: value.data for value in key.values.values()}
    return values, [f"{finding.code} {finding.origin.line}:{finding.origin.column}" for finding in findings]


def dump(root: Key) -> dict[str, dict[str, tuple[int, Data, int | None]]]:
    return {
        key.path: {value.name: (value.kind, value.data, value.line) for value in key.values.values()}
        for key in root.walk()
        if key.line
    }


# Encodings

ALL_KINDS: dict[str, dict[str, RegValue]] = {
    KEY: {
        "": "default",
        "string": 'C:\\a "b" \u00e9\u20ac',
        "dword": 0xFFFFFFFE,
        "binary": bytes(range(256)),
        "empty binary": b"",
        "list": ("one", "two\u00e9", "three" * 20),
        "empty list": (),
    }
}


def test_every_style_gives_the_same_tree() -> None:
    trees = []
    for style in STYLES:
        root, findings = read_bytes(reg_text(ALL_KINDS, style))
        assert findings == ()
        trees.append({path: {name: value[:2] for name, value in values.items()} for path, values in dump(root).items()})
    assert trees[0] == trees[1] == trees[2]
    values = {name: data for name, (_, data) in trees[0][KEY].items()}
    assert values == ALL_KINDS[KEY]


@pytest.mark.parametrize("style", STYLES)
def test_a_stored_policy_survives_every_style(style: str) -> None:
    keys = export()
    root, findings = read_bytes(reg_text(keys, style))
    assert findings == ()
    for path, values in keys.items():
        key = root.find(path)
        assert key is not None
        assert {value.name: value.data for value in key.values.values()} == values


TEXT = HEADER + '"x"="\u00e9"\r\n"y"=hex(7):61,00,00,00,00,00\r\n'


@pytest.mark.parametrize(
    "data",
    [
        TEXT.encode(),
        codecs.BOM_UTF8 + TEXT.encode(),
        TEXT.encode("utf-16-le"),
        codecs.BOM_UTF16_LE + TEXT.encode("utf-16-le"),
        TEXT.encode("utf-16-be"),
        codecs.BOM_UTF16_BE + TEXT.encode("utf-16-be"),
        TEXT.replace("\r\n", "\n").encode(),
        TEXT.replace("\r\n", "\r").encode(),
        ("\r\n \r\n" + TEXT.upper().replace("HEX", "hex")).encode(),
    ],
    ids=["utf-8", "utf-8 bom", "le", "le bom", "be", "be bom", "lf", "cr", "upper case after blank lines"],
)
def test_encodings_and_line_ends(data: bytes) -> None:
    root, findings = read_bytes(data)
    assert findings == ()
    key = root.find(KEY)
    assert key is not None
    assert key.values["y"].data == ("a",)
    assert str(key.values["x"].data).lower() == "\u00e9"


def test_regedit4_has_8_bit_strings_in_hex_values() -> None:
    text = f"REGEDIT4\r\n\r\n[{KEY}]\r\n" + '"a"=hex(7):e9,00,62,00,00\r\n"b"=hex(2):80,00\r\n"c"="\u20ac"\r\n'
    root, findings = read_bytes(text.encode("cp1252"))
    key = root.find(KEY)
    assert key is not None
    assert findings == ()
    assert [value.data for value in key.values.values()] == [("\u00e9", "b"), "\u20ac", "\u20ac"]


def test_pa113_text_that_is_not_valid_in_its_encoding_is_located_and_replaced() -> None:
    data = HEADER.encode() + b'"a"="ok"\r\n"b"="\xe9t\xe9"\r\n"c"=dword:1\r\n'
    root, findings = read_bytes(data)
    assert [(f.code, f.origin.line, f.origin.column) for f in findings] == [("PA113", 5, 6)]
    assert f"byte {data.index(0xE9)} " in findings[0].message
    key = root.find(KEY)
    assert key is not None
    assert [value.data for value in key.values.values()] == ["ok", "\ufffdt\ufffd", 1]


def test_pa113_half_a_character_at_the_end_of_utf16() -> None:
    data = codecs.BOM_UTF16_LE + TEXT.encode("utf-16-le")
    root, findings = read_bytes(data[:-1])
    assert [finding.code for finding in findings] == ["PA113"]
    assert f"after {len(data) - 1} bytes" in findings[0].message
    key = root.find(KEY)
    assert key is not None
    assert key.values["y"].data == ("a",)


def test_pa113_lone_surrogate_in_a_stored_string() -> None:
    values, findings = read('"a"=hex(1):00,d8,00,00\r\n')
    assert values == {"a": "\ufffd"}
    assert findings == ["PA113 4:12"]


def test_pa110_first_line_missing_or_unknown() -> None:
    values, findings = read('"a"="b"\r\n', header=f"[{KEY}]\r\n")
    assert (values, findings) == ({"a": "b"}, ["PA110 1:1"])
    values, findings = read('"a"="b"\r\n', header=f"Windows Registry Editor Version 6.00\r\n[{KEY}]\r\n")
    assert (values, findings) == ({"a": "b"}, ["PA110 1:1"])


# Keys


@pytest.mark.parametrize(
    "line",
    [
        "[HKEY_LOCAL_MACHINE\\Test]",
        "[HKEY_LOCAL_MACHINE\\Test] \t",
        "[HKEY_LOCAL_MACHINE\\Test] ; note",
        " [HKEY_LOCAL_MACHINE\\Test\\]",
        "[HKEY_LOCAL_MACHINE\\Test ]",
        "[HKLM\\Test]",
        "[hklm\\TEST]",
        "[hkey_local_machine\\test]",
    ],
)
def test_ways_to_write_a_key(line: str) -> None:
    assert read('"a"="b"\r\n', header=f"REGEDIT4\r\n{line}\r\n") == ({"a": "b"}, [])


def test_a_key_name_may_hold_brackets() -> None:
    root, findings = read_bytes(b'REGEDIT4\n[HKLM\\a]b[c];d]\n"x"="y"\n')
    assert findings == ()
    assert root.find(r"HKEY_LOCAL_MACHINE\a]b[c];d") is not None


def test_repeated_keys_merge_and_the_last_value_counts() -> None:
    body = '"a"="1"\r\n"b"="1"\r\n[HKLM\\Other]\r\n"a"="x"\r\n[HKLM\\TEST]\r\n"B"="2"\r\n"c"="3"\r\n'
    assert read(body) == ({"a": "1", "B": "2", "c": "3"}, [])


def test_every_key_and_value_keeps_its_line() -> None:
    root, _ = read_bytes((HEADER + '\r\n; note\r\n"a"="1\r\n2"\r\n"b"=hex:01,\\\r\n  02\r\n@="c"\r\n[HKLM\\T2]\r\n').encode())
    assert {path: {name: value[2] for name, value in values.items()} for path, values in dump(root).items()} == {
        r"HKEY_LOCAL_MACHINE": {},
        KEY: {"a": 6, "b": 8, "": 10},
        r"HKEY_LOCAL_MACHINE\T2": {},
    }
    key = root.find(r"hklm\t2".replace("hklm", "HKEY_LOCAL_MACHINE"))
    assert key is not None
    assert key.line == 11


def test_deleting_a_key_takes_what_was_read_before_with_all_below() -> None:
    root, findings = read_bytes(
        (HEADER + '"a"="1"\r\n[HKLM\\Test\\sub]\r\n"b"="1"\r\n[-HKLM\\Test]\r\n[HKLM\\Test]\r\n"c"="2"\r\n').encode()
    )
    assert findings == ()
    assert dump(root) == {"HKEY_LOCAL_MACHINE": {}, KEY: {"c": (Kind.SZ, "2", 9)}}


def test_deleting_what_is_not_there_is_nothing() -> None:
    assert read('[-HKLM\\Nothing\\There]\r\n[HKLM\\Test]\r\n"a"=-\r\n') == ({}, [])


def test_deleting_a_value() -> None:
    assert read('"a"="1"\r\n"b"="2"\r\n@="3"\r\n"A"=-\r\n@=-  ; gone\r\n') == ({"b": "2"}, [])


def test_pa110_key_without_closing_bracket_takes_its_values_along() -> None:
    values, findings = read('"a"="1"\r\n[HKLM\\Test\\b\r\n"c"="2"\r\n[HKLM\\Test]\r\n"d"="3"\r\n')
    assert (values, findings) == ({"a": "1", "d": "3"}, ["PA110 5:1"])


def test_pa110_text_behind_the_closing_bracket() -> None:
    assert read('[HKLM\\Test] x\r\n"a"="1"\r\n') == ({"a": "1"}, ["PA110 4:12"])


def test_pa110_more_levels_than_a_registry_has() -> None:
    values, findings = read("[HKLM" + "\\a" * 600 + ']\r\n"a"="1"\r\n')
    assert (values, findings) == ({}, ["PA110 4:1"])


@pytest.mark.parametrize("before", ["", "[-HKLM\\Test]\r\n"])
def test_pa110_value_outside_any_key(before: str) -> None:
    values, findings = read(before + '"a"="1"\r\n', header="REGEDIT4\r\n")
    assert (values, findings) == ({}, [f"PA110 {3 if before else 2}:1"])


# Values


def test_strings_with_escapes_blanks_and_comments() -> None:
    body = '"a\\\\b\\"c"="x\\\\y\\"z" ; note\r\n  "d" = "e"\t\r\n"f"=""\r\n@ = "g"\r\n'
    assert read(body) == ({'a\\b"c': 'x\\y"z', "d": "e", "f": "", "": "g"}, [])


def test_a_string_may_hold_line_breaks() -> None:
    assert read('"a"="one\r\n[two]\r\n\\"three\\""\r\n"b"="c"\r\n') == ({"a": 'one\r\n[two]\r\n"three"', "b": "c"}, [])


def test_pa110_a_backslash_that_escapes_nothing_is_kept() -> None:
    assert read('"a"="SOFTWARE\\Policies\\\\x"\r\n') == ({"a": "SOFTWARE\\Policies\\x"}, ["PA110 4:14"])


@pytest.mark.parametrize(
    ("data", "value"),
    [
        ("dword:0000000a", 10),
        ("dword:A", 10),
        ("dword:ffffffff", 0xFFFFFFFF),
        ("dword:00000001 ; one", 1),
        ("hex:", b""),
        ("hex:01,02,ff", b"\x01\x02\xff"),
        ("hex:1,2,F", b"\x01\x02\x0f"),
        ("hex: 01, 02 ; two", b"\x01\x02"),
        ("hex:01,\\\r\n  02,\\ \t\r\n\t03", b"\x01\x02\x03"),
        ("hex:\\\r\n  01,\\; note, with 02\r\n  02", b"\x01\x02"),
        ("hex(0):01", b"\x01"),
        ("hex(1):61,00,00,00", "a"),
        ("hex(1):61,00", "a"),
        ("hex(1):61,00,00,00,62,00", "a"),
        ("hex(2):25,00,61,00,25,00,00,00", "%a%"),
        ("hex(3):01,02", b"\x01\x02"),
        ("hex(4):01,02,03,04", 0x04030201),
        ("hex(5):01,02,03,04", 0x01020304),
        ("hex(6):61,00", "a"),
        ("hex(7):61,00,00,00,62,00,00,00,00,00", ("a", "b")),
        ("hex(7):61,00,00,00,62,00,00,00", ("a", "b")),
        ("hex(7):61,00,00,00,62,00", ("a", "b")),
        ("hex(7):61,00,00,00,00,00,00,00,00,00", ("a",)),
        ("hex(7):00,00", ()),
        ("hex(7):00,00,00,00", ()),
        ("hex(7):", ()),
        ("hex(8):01,02", b"\x01\x02"),
        ("hex(b):01,00,00,00,00,00,00,80", 0x8000000000000001),
        ("HEX(B):01,00,00,00,00,00,00,00", 1),
        ("hex(ffff0012):01", b"\x01"),
    ],
)
def test_data_of_every_kind(data: str, value: Data) -> None:
    assert read(f'"a"={data}\r\n"z"="end"\r\n') == ({"a": value, "z": "end"}, [])


@pytest.mark.parametrize("kind", [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11])
def test_the_type_of_a_value_is_kept(kind: int) -> None:
    root, _ = read_bytes(reg_text({KEY: {"a": Hex(kind, bytes(8 if kind == 11 else 4))}}))
    key = root.find(KEY)
    assert key is not None
    assert key.values["a"].kind == kind


@pytest.mark.parametrize("data", ["hex(4):01,02,03", "hex(5):", "hex(b):01,02,03,04"])
def test_pa112_number_of_the_wrong_size(data: str) -> None:
    values, findings = read(f'"a"={data}\r\n"z"="end"\r\n')
    assert values == {"z": "end"}
    assert findings == ["PA112 4:12"]


def test_pa123_list_that_goes_on_after_its_terminator() -> None:
    values, findings = read('"a"=hex(7):61,00,00,00,00,00,62,00\r\n')
    assert (values, findings) == ({"a": ("a",)}, ["PA123 4:12"])


@pytest.mark.parametrize(
    ("line", "place"),
    [
        ("junk", "4:1"),
        ("  junk", "4:3"),
        ('"a"', "4:1"),
        ('"a"x"b"', "4:1"),
        ('"a', "4:1"),
        ("@", "4:1"),
        ('"a"=', "4:5"),
        ('"a"=b', "4:5"),
        ('"a"=dword:', "4:5"),
        ('"a"=dword:123456789', "4:5"),
        ('"a"=dword:12 x', "4:13"),
        ('"a"=dwords:12', "4:5"),
        ('"a"="b" c', "4:8"),
        ('"a"="b"c"', "4:8"),
        ('"a"=- b', "4:6"),
        ('"a"=hex(x):01', "4:5"),
        ('"a"=hex(7:01', "4:5"),
        ('"a"=hex:01,0g', "4:13"),
        ('"a"=hex:01,,02', "4:12"),
        ('"a"=hex:01,023', "4:14"),
        ('"a"=hex:,01', "4:9"),
        ('"a"=hex:01,\\\r\n  02,\\\r\n  zz,\\\r\n  04', "6:3"),
        ('"a"=hex:01,\\\r\n  02,\\;,\r\n  0 3,,4\\\r\n  04', "6:7"),
        ('"a"=hax:01,\\\r\n  02,\\\r\n  03', "4:5"),
    ],
)
def test_pa110_bad_syntax_is_located_and_reading_goes_on(line: str, place: str) -> None:
    assert read(f'{line}\r\n"z"="end"\r\n') == ({"z": "end"}, [f"PA110 {place}"])


@pytest.mark.parametrize(
    ("line", "kept", "place"),
    [
        ('"a"="b', {}, "4:5"),
        ('"a"="b\\"', {}, "4:5"),
        ('"a"=hex:01,02,', {"a": b"\x01\x02"}, "4:15"),
        ('"a"=hex:01,02,\\', {"a": b"\x01\x02"}, "5:1"),
        ('"a"=hex:01,02,\\\r\n', {"a": b"\x01\x02"}, "5:1"),
        ('"a"=hex(0):01,', {"a": b"\x01"}, "4:15"),
        ('"a"=hex(1):61,00,', {}, "4:18"),
        ('"a"=hex(4):61,00,', {}, "4:18"),
        ('"a"=hex(7):61,00,00,00,62,00,\\', {"a": ("a",)}, "5:1"),
        ('"a"=hex(7):61,00,00,00,62,\\', {"a": ("a",)}, "5:1"),
    ],
)
def test_pa111_value_that_ends_in_the_middle_keeps_what_is_whole(line: str, kept: dict[str, Data], place: str) -> None:
    values, findings = read(f'{line}\r\n"z"="end"\r\n')
    assert findings == [f"PA111 {place}"]
    assert values == {key: data for key, data in kept.items() if data != b""} | {"z": "end"}


def test_pa111_continuation_followed_by_the_next_key() -> None:
    values, findings = read('"a"=hex:01,\\\r\n[HKLM\\Test]\r\n"z"="end"\r\n')
    assert (values, findings) == ({"a": b"\x01", "z": "end"}, ["PA111 5:1"])


@pytest.mark.parametrize(
    ("end", "kept"),
    [
        ('"a"=hex:01,02,0', b"\x01\x02"),
        ('"a"=hex:01,02,\\\r\n', b"\x01\x02"),
        ('"a"=hex:01,02,\\\r\n  ', b"\x01\x02"),
        ('"a"=hex:01,02,\\', b"\x01\x02"),
        ('"a"=hex:0', b""),
        ('"a"=dword:0000', None),
        ('"a"=dwo', None),
        ('"a"="b', None),
        ('"a"=', None),
        ('"a', None),
        ("[HKLM\\Te", None),
        ('"a"=hex(1):61,00', None),
        ('"a"=hex(2):61,00,00', None),
    ],
)
def test_pa111_file_that_was_cut(end: str, kept: bytes | None) -> None:
    values, findings = read(f'"y"="start"\r\n{end}')
    assert values == ({"y": "start"} if kept is None else {"y": "start", "a": kept})
    assert [finding[:5] for finding in findings] == ["PA111"]


def test_pa111_a_cut_between_two_bytes_of_a_list_is_known_by_the_missing_terminator() -> None:
    whole = '"a"=hex(7):61,00,00,00,62,00,00,00,00,00'
    assert read(whole) == ({"a": ("a", "b")}, [])
    assert read(whole[:-6]) == ({"a": ("a", "b")}, ["PA111 4:35"])
    assert read(whole[:-12]) == ({"a": ("a",)}, ["PA111 4:29"])


def test_findings_name_key_and_value_and_never_quote_data() -> None:
    body = '"ipsecData"=hex:73,00,65,00,63,00,zz\r\n"other"="SECRET" SECRET\r\nSECRET\r\n"third"="SECRET\r\n'
    _, findings = read_bytes((HEADER + body).encode())
    assert len(findings) == 4
    assert all("SECRET" not in repr(finding) and "73,00" not in repr(finding) for finding in findings)
    assert "'ipsecData'" in findings[0].message
    assert {finding.origin.locator for finding in findings} == {KEY}


def test_values_are_not_shown() -> None:
    root, _ = read_bytes((HEADER + '"a"="SECRET"\r\n').encode())
    key = root.find(KEY)
    assert key is not None
    assert "SECRET" not in repr(key) + repr(key.values["a"])


def test_keys_that_are_not_wanted_are_checked_and_dropped() -> None:
    body = '"a"="1"\r\n[HKLM\\Test\\IPSec\\Policy]\r\n"b"="2"\r\n[HKLM\\Test\\Else]\r\njunk\r\n"d"=hex(4):00\r\n'
    root, findings = reg.read((HEADER + body).encode(), "x.reg")
    assert [finding.code for finding in findings] == ["PA110"]
    assert [value for key in root.walk() for value in key.values] == ["b"]
    assert root.find(KEY + "\\Else") is None


def test_many_findings_are_counted_not_listed() -> None:
    _, findings = read_bytes((HEADER + "junk\r\n" * 1000).encode())
    assert len(findings) == 101
    assert findings[-1].message == "and 900 more like this, not listed"


def _seconds(text: str) -> float:
    data = text.encode()
    start = time.process_time()
    read_bytes(data)
    return time.process_time() - start


@pytest.mark.parametrize(
    ("head", "unit", "tail"),
    [
        ('"x"=hex:\\\r\n', "  " + "ab," * 25 + "\\\r\n", "  00\r\n"),
        ('"x"=hex:\\\r\n', "  " + "ab," * 25 + "\\\r\n", "  zz\r\n"),
        ('"x"=hex:', "ab,", "00\r\n"),
        ('"x"=hex:', "\\;\n", ""),
        ("", '"a"="\\\r\n', ""),
        ("", '"a"="b\\"\r\n', ""),
        ("", "[a]b", ""),
        ("", "[HKLM\\a\\b]\r\n[-HKLM\\a]\r\n", ""),
    ],
    ids=[
        "hex lines",
        "bad hex at the end",
        "one long line",
        "comments",
        "open strings",
        "escaped quotes",
        "brackets",
        "deletions",
    ],
)
def test_millions_of_characters_of_one_kind_do_not_hang_the_reader(head: str, unit: str, tail: str) -> None:
    # Half a second at most where this was written; a reader that is quadratic in any of these takes minutes.
    assert _seconds(HEADER + head + unit * (3_200_000 // len(unit)) + tail) < 10
