"""Whatever an LDIF or JSON file holds, reading it ends, and says what is wrong."""

import json
import re
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pastore.export import ldif, policy_json, reg
from pastore.model import NO_GUID, Policy
from pastore.sources import Loaded
from pastore.sources.ldif import load_ldif
from pastore.sources.policy_json import load_json
from tests.support import stored as s
from tests.support.exporting import BASE

NAME = f"CN=ipsecPolicy{{{s.guid(1)}}},CN=IP Security,CN=System,{BASE}"
PIECES = st.sampled_from(
    [
        "dn: ",
        "dn:: ",
        NAME,
        f"CN=ipsecNFA{{{s.guid(2)}}},CN=x",
        "CN=IPSEC,CN=Windows,CN=Microsoft,CN=Machine,CN={x},DC=y",
        "changetype: ",
        "add",
        "modify",
        "delete",
        "replace: ",
        "-",
        "version: 1",
        "ipsecData:: ",
        "ipsecNFAReference",
        "ipsecOwnersReference: ",
        "ipsecName",
        "objectClass: ipsecPolicy",
        "whenChanged: 20220628040732.0Z",
        ";range=0-1",
        ":< file:///x",
        "QUJD",
        "=",
        "#",
        ": ",
        " ",
        "\n",
        "\n",
        "\n\n",
        "\r\n",
        "\r",
        "\0",
        "é",
        "\u20ac",
    ]
)


def told(loaded: Loaded, lines: int) -> None:
    assert isinstance(loaded.policy, Policy) or any(finding.severity.value == "error" for finding in loaded.findings)
    assert all(finding.origin.line is None or 1 <= finding.origin.line <= lines for finding in loaded.findings)


@given(st.lists(PIECES, max_size=60).map("".join), st.sampled_from(["utf-8", "utf-16", "latin-1", "cp1252"]))
@settings(deadline=None, max_examples=400)
def test_any_ldif_is_read(text: str, encoding: str) -> None:
    data = text.encode(encoding, "replace")
    told(load_ldif(data, "x"), len(re.findall(r"\n", text)) + 2)


@given(st.one_of(st.binary(max_size=300), st.text(max_size=200).map(str.encode)))
@settings(deadline=None)
def test_any_bytes_are_read(data: bytes) -> None:
    told(load_ldif(data, "x"), 400)
    told(load_ldif(f"dn: {NAME}\n".encode() + data, "x"), 400)
    told(load_json(data, "x"), 400)
    told(load_json(b'{"version": 1, "policy": ' + data, "x"), 400)


def test_ldif_cut_anywhere_gives_a_policy_or_a_reason() -> None:
    written = ldif.write(s.small_policy(), base_dn=BASE)
    outcomes = set()
    for length in range(0, len(written), 29):
        loaded = load_ldif(written[:length], "x")
        told(loaded, written.count(b"\n"))
        outcomes.add(loaded.policy is None)
    assert outcomes == {True, False}


def test_json_cut_anywhere_is_refused_with_its_place() -> None:
    written = policy_json.write(s.small_policy()).rstrip()
    for length in range(0, len(written), 211):
        loaded = load_json(written[:length], "x")
        assert loaded.policy is None
        (finding,) = loaded.findings
        assert finding.code == "PA190"
        assert finding.origin.line is not None


values: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["guid", "name", "rules", "kind", "families", "src", "key", "x"]), inner, max_size=4)
    ),
    max_leaves=8,
)


@given(st.data())
@settings(deadline=None, max_examples=300)
def test_a_document_with_any_value_anywhere_is_read(draw: st.DataObject) -> None:
    whole = json.loads(policy_json.write(s.small_policy()))
    node: Any = whole
    while True:
        key = draw.draw(st.sampled_from(sorted(node) if isinstance(node, dict) else range(len(node))))
        if not isinstance(node[key], dict | list) or not node[key] or draw.draw(st.integers(0, 3)) == 0:
            break
        node = node[key]
    node[key] = draw.draw(values)
    loaded = load_json(json.dumps(whole).encode(), "x")
    told(loaded, 1)
    written_or_refused(loaded.policy)


U32 = st.sampled_from([0, 1, 2, 14, 255, 256, 65535, 65536, 0xFFFFFFFF])
EXTREMES: dict[str, st.SearchStrategy[Any]] = {
    "when_changed": st.sampled_from([None, 0, -1, 1 << 32, -62135596800, 253402300799]),
    "name": st.sampled_from(["", "\0", "\ud800", "é", "x" * 40_000]),
    "description": st.sampled_from(["", "\0", "\ud800", "x" * 40_000]),
    "interface_name": st.sampled_from(["", "a\0b", "\udfff"]),
    "missing": st.lists(st.sampled_from([f"ipsecNFA{{{s.guid(7)}}}", f"ipsecFilter{{{s.guid(22)}}}", "x", "", "\0"]), max_size=2),
    "guid": st.sampled_from([f"{{{s.guid(number)}}}" for number in (1, 2, 11, 21, 31)] + [f"{{{NO_GUID}}}"]),
    "tunnel": st.sampled_from([None, "::", "10.0.0.1", "255.255.255.255", "2001:db8::1"]),
    "families": st.sampled_from([[4], [6], [4, 6]]),
    "kind": st.sampled_from(["any", "me", "dns", "gateway", "kerberos", "preshared_key", "certificate", 7]),
    "action": st.sampled_from(["none", "allow", "block", "protect"]),
    "version": st.sampled_from([1, 2]),
    "sport": st.builds(lambda low, high: {"low": low, "high": high}, s.u16, s.u16),
    "offers": st.lists(st.just({"algorithms": [{"transform": "esp", "algorithm": 3}] * 4}), max_size=2),
    **dict.fromkeys(("inpass", "soft", "default_response", "active", "is_tunnel", "mirrored", "pfs"), st.booleans()),
    **dict.fromkeys(("protocol", "encryption", "hash", "group", "quick_mode_limit", "algorithm", "integrity"), U32),
}


@given(st.data())
@settings(deadline=None, max_examples=300)
def test_a_document_of_extremes_is_written_or_refused_with_a_sentence(draw: st.DataObject) -> None:
    whole = json.loads(policy_json.write(s.small_policy()))
    places: list[tuple[Any, str]] = []

    def walk(node: Any) -> None:
        for key, value in node.items() if isinstance(node, dict) else enumerate(node):
            if key in EXTREMES and node is not whole:
                places.append((node, key))
            if isinstance(value, dict | list):
                walk(value)

    walk(whole)
    for node, key in draw.draw(st.lists(st.sampled_from(places), min_size=1, max_size=4)):
        node[key] = draw.draw(EXTREMES[key])
    loaded = load_json(json.dumps(whole).encode(), "x")
    told(loaded, 1)
    written_or_refused(loaded.policy)


def written_or_refused(policy: object) -> None:
    if isinstance(policy, Policy):
        for write in (reg.write, policy_json.write, lambda one: ldif.write(one, base_dn=BASE)):
            try:
                assert write(policy)
            except ValueError as error:
                assert str(error)  # noqa: PT017 - either is right


@pytest.mark.parametrize("end", [b"", b"\n", b"\r\n"])
def test_the_last_line_needs_no_end(end: bytes) -> None:
    written = ldif.write(s.small_policy(), base_dn=BASE).rstrip(b"-\n")
    assert load_ldif(written + end, "x").policy == load_ldif(written + b"\n-\n", "x").policy
