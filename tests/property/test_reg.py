"""Whatever a source holds, reading it ends, and says what is wrong."""

import re
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pastore.filters.specific import SpecificFilters
from pastore.model import Policy
from pastore.sources import classbench, load, reg
from pastore.sources.registry import Data, decode, load_tree
from tests.support.reg_text import STYLES, Hex, RegValue, reg_text
from tests.support.stored_policy import LOCAL, POLICY, Keys, export

CODES = {"PA110", "PA111", "PA112", "PA113", "PA123"}
PIECES = st.sampled_from(
    [
        "Windows Registry Editor Version 5.00",
        "REGEDIT4",
        "[HKEY_LOCAL_MACHINE\\IPSec\\Policy\\Local]",
        "[-HKLM\\IPSec]",
        f"[HKLM\\IPSec\\Policy\\Local\\ipsecPolicy{{{POLICY}}}]",
        '"ipsecData"=',
        '"ActivePolicy"=',
        '@="',
        "hex:",
        "hex(7):",
        "dword:",
        "00,61,",
        "\\",
        '"',
        "-",
        ";",
        "[",
        "]",
        "=",
        "\r\n",
        "\n",
        "\r",
        "\t ",
        "\0",
        "\ud800",
        "\u20ac",
    ]
)


def never_raises(data: bytes) -> None:
    root, findings = reg.read(data, "x.reg")
    assert {finding.code for finding in findings} <= CODES
    lines = len(re.findall(rb"\n|\r", data)) + 1
    assert all(finding.origin.line is None or 1 <= finding.origin.line <= lines for finding in findings)
    loaded = load_tree(root, source="x.reg", findings=findings)
    assert loaded.policy is not None or any(finding.severity.value == "error" for finding in loaded.findings)


@given(st.lists(PIECES, max_size=40).map("".join), st.sampled_from(["utf-8", "utf-16", "utf-16-be", "cp1252"]))
@settings(deadline=None)
def test_any_text_is_read(text: str, encoding: str) -> None:
    never_raises(text.encode(encoding, "surrogatepass" if encoding != "cp1252" else "replace"))


@given(st.one_of(st.binary(max_size=400), st.text(max_size=200).map(str.encode)))
@settings(deadline=None)
def test_any_bytes_are_read(data: bytes) -> None:
    never_raises(data)
    never_raises(b"REGEDIT4\n" + data)
    classbench.read(data, "x")


@given(st.binary(max_size=300))
@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_file_is_loaded_or_refused_with_a_reason(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "x"
    path.write_bytes(data)
    loaded = load(path)
    assert loaded.policy is not None or any(finding.severity.value == "error" for finding in loaded.findings)


NAMES = st.text(st.characters(codec="cp1252", exclude_characters="\r\n\0", exclude_categories=["Cc"]), min_size=1, max_size=12)
STRINGS = st.text(st.characters(codec="cp1252", exclude_characters="\0", exclude_categories=["Cc"]), max_size=60)
VALUES: st.SearchStrategy[RegValue] = st.one_of(
    STRINGS,
    st.tuples(STRINGS, STRINGS).map("\r\n".join),
    st.integers(0, 0xFFFFFFFF),
    st.binary(max_size=120),
    st.lists(STRINGS.filter(bool), max_size=4).map(tuple),
    st.builds(Hex, st.sampled_from([0, 3, 8, 9, 10, 0xFFFF0001]), st.binary(max_size=60)),
)


@given(
    st.dictionaries(NAMES.filter(lambda name: "\\" not in name and name.strip() == name), st.dictionaries(NAMES, VALUES)),
    st.sampled_from(STYLES),
)
@settings(deadline=None)
def test_what_is_written_is_read(keys: dict[str, dict[str, RegValue]], style: str) -> None:
    written = {f"HKEY_LOCAL_MACHINE\\ipsec\\{name}": values for name, values in keys.items()}
    root, findings = reg.read(reg_text(written, style), "x.reg")
    assert findings == ()
    expected: dict[str, dict[str, Data]] = {}
    for path, values in written.items():  # names differ in case only: the first spelling of a key, the last of a value
        found = expected.setdefault(path.lower(), {})
        found.update({name.lower(): value.raw if isinstance(value, Hex) else value for name, value in values.items()})
    actual = {
        key.path.lower(): {name: value.data for name, value in key.values.items()}
        for key in root.walk()
        if key.path.lower() in expected
    }
    assert actual == expected


@given(st.integers(0, 12), st.binary(max_size=60), st.sampled_from(["utf-16-le", "cp1252"]), st.booleans())
def test_any_data_of_any_kind_is_decoded(kind: int, raw: bytes, encoding: str, cut: bool) -> None:
    decoded = decode(kind, raw, encoding, cut=cut)
    assert decoded.data is not None or cut or decoded.problems


def small() -> Keys:
    """A policy and a rule with little data: every kind of value a store has."""
    keys = export(blocked=0)
    objects = [path for path in keys if "ipsecNFA" in path or "ipsecPolicy" in path]
    kept = {path: dict(keys[path]) for path in (LOCAL, objects[0], objects[-1])}
    kept[objects[-1]]["ipsecNFAReference"] = (r"X\ipsecNFA{1}", r"X\ipsecNFA{2}")
    kept[objects[0]]["ipsecData"] = bytes(30)
    return kept


@pytest.mark.parametrize("style", STYLES)
def test_a_file_cut_anywhere_keeps_what_is_before_the_cut(style: str) -> None:
    text = reg_text(small(), style)
    whole, findings = reg.read(text, "x.reg")
    assert findings == ()
    complete = {key.path: {value.name: value.data for value in key.values.values()} for key in whole.walk()}
    silent = 0
    for length in range(len(text)):
        root, findings = reg.read(text[:length], "x.reg")
        values = [(key.path, value) for key in root.walk() for value in key.values.values()]
        changed = [value for path, value in values if complete[path][value.name] != value.data]
        silent += not findings
        if changed:
            assert changed == [values[-1][1]]
            data = complete[values[-1][0]][changed[0].name]
            # Bytes have no mark at their end: where the cut falls between two of them, the object's own lengths must tell.
            assert findings or isinstance(data, bytes)
            assert isinstance(changed[0].data, bytes | tuple)
            assert data[: len(changed[0].data)] == changed[0].data  # type: ignore[index]
    assert 0 < silent < len(text) / 3


def test_a_policy_cut_anywhere_is_loaded_or_refused_with_a_reason() -> None:
    text = reg_text(export(blocked=1), "utf8")
    outcomes = set()
    for length in range(0, len(text), 41):
        root, findings = reg.read(text[:length], "x.reg")
        loaded = load_tree(root, source="x.reg", findings=findings)
        assert isinstance(loaded.policy, Policy) or any(finding.severity.value == "error" for finding in loaded.findings)
        outcomes.add(loaded.policy is None)
    assert outcomes == {True, False}


# ClassBench: the vectorised reader accepts exactly what a regular expression accepts

RULE = re.compile(
    rb"[ \t\r]*@(\d{1,3})\.(\d{1,3})\.(\d{1,3})\.(\d{1,3})/(\d{1,2})[ \t\r]+(\d{1,3})\.(\d{1,3})\.(\d{1,3})\.(\d{1,3})/(\d{1,2})"
    rb"[ \t\r]+(\d{1,5})[ \t\r]*:[ \t\r]*(\d{1,5})[ \t\r]+(\d{1,5})[ \t\r]*:[ \t\r]*(\d{1,5})"
    rb"[ \t\r]+0[xX]([0-9a-fA-F]{2})/0[xX](FF|ff|00|F0|f0|80)(?![^ \t\r])"
)


def is_rule(line: bytes) -> bool:
    match = RULE.match(line)
    if match is None:
        return False
    n = [int(number) for number in match.groups()[:14]]
    octets = n[0:4] + n[5:9]
    return max(octets) < 256 and max(n[4], n[9]) <= 32 and max(n[10:14]) < 65536 and n[10] <= n[11] and n[12] <= n[13]


FIELDS = ["@10.0.0.1/32", "10.2.0.0/16", "0 : 65535", "80 : 80", "0x06/0xFF", "0x0000/0x0200"]
LINES = st.lists(
    st.tuples(
        st.sampled_from(["\t", " ", "\t\t", "", "\r"]),
        st.lists(
            st.tuples(
                st.integers(0, 80), st.sampled_from(["0", "9", "a", "x", "@", ".", "/", ":", " ", "\t", "\0", "F", "\xff", ""])
            ),
            max_size=2,
        ),
    ),
    max_size=8,
)


def damaged_line(spec: tuple[str, list[tuple[int, str]]]) -> bytes:
    gap, edits = spec
    line = (gap or "\t").join(FIELDS)
    for at, piece in edits:
        line = line[:at] + piece + line[at + 1 :] if len(piece) else line[:at]
    return line.encode("latin-1")


@given(LINES)
@settings(deadline=None, max_examples=300)
def test_a_line_is_a_rule_exactly_when_the_grammar_says_so(specs: list[tuple[str, list[tuple[int, str]]]]) -> None:
    lines = [damaged_line(spec) for spec in specs]
    loaded = classbench.read(b"\n".join(lines), "x")
    expected = [number for number, line in enumerate(lines, 1) if is_rule(line)]
    places = [source.place for source in loaded.policy.sources] if isinstance(loaded.policy, SpecificFilters) else []
    assert places == [f"x:{number}" for number in expected]
    ill = [number for number, line in enumerate(lines, 1) if line.strip(b" \t\r") and number not in expected]
    assert [finding.origin.line for finding in loaded.findings if finding.code == "PA140"] == ill
    assert not any("not a rule" in finding.message for finding in loaded.findings)
