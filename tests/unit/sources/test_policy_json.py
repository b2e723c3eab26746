"""Policies as JSON: what is wrong is told with its JSON path, and costs no more than it must."""

import copy
import json
import random
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from pastore.export import policy_json
from pastore.model import Action, Address, AddressKind, Filter, FilterAction, FilterList, Policy, Rule
from pastore.sources import Loaded, load
from pastore.sources.log import LIMIT
from pastore.sources.policy_json import NODE_LIMIT, SIZE_LIMIT, load_json
from tests.support import example
from tests.support import stored as s
from tests.support.exporting import KEY, keyed

SCHEMA = json.loads((Path(__file__).parents[3] / "docs" / "policy.schema.json").read_text(encoding="utf-8"))
VALIDATOR = Draft202012Validator(SCHEMA, format_checker=Draft202012Validator.FORMAT_CHECKER)
WRONG: tuple[Any, ...] = (
    None,
    True,
    7,
    -1,
    1.5,
    1 << 33,
    "x",
    "",
    [],
    {},
    [{}],
    ["x"],
    [None],
    {"x": 1},
    "{00000000}",
    "::1",
    "10.0.0.1",
)


def document() -> Any:
    return json.loads(policy_json.write(example.policy()))


def read(value: Any) -> Loaded:
    data = value if isinstance(value, bytes) else json.dumps(value).encode()
    return load_json(data, "x.json")


def codes(loaded: Loaded) -> list[str]:
    return [finding.code for finding in loaded.findings]


def changed(path: str, value: Any) -> Any:
    """Return the document of the example with the value at a path (``rules.0.name`` below the policy) replaced, or gone."""
    whole = document()
    node = whole["policy"]
    *way, last = path.split(".")
    for step in way:
        node = node[int(step) if step.isdigit() else step]
    key: Any = int(last) if last.isdigit() else last
    if value is GONE:
        del node[key]
    else:
        node[key] = value
    return whole


GONE = object()


def test_a_policy_made_by_hand_needs_little() -> None:
    guid = "{0A000000-0000-4000-8000-00000000000%d}"
    action = {"guid": guid % 4, "action": "block"}
    one = {"guid": guid % 5, "src": {"kind": "any", "families": [4]}, "dst": {"kind": "me", "families": [4]}}
    rule = {"guid": guid % 2, "filter_lists": [{"guid": guid % 3, "filters": [one]}], "filter_action": action}
    loaded = read({"version": 1, "policy": {"guid": guid % 1, "name": "By hand", "rules": [rule]}})
    assert loaded.findings == ()
    made = Filter(s.guid(5), Address(AddressKind.ANY), Address(AddressKind.ME))
    assert loaded.policy == Policy(
        s.guid(1),
        "By hand",
        rules=(
            Rule(
                s.guid(2),
                filter_lists=(FilterList(s.guid(3), "", (made,)),),
                filter_action=FilterAction(s.guid(4), "", Action.BLOCK),
            ),
        ),
    )


def test_every_default_of_the_schema_is_what_is_read() -> None:
    guid = "{0a000000-0000-4000-8000-000000000001}"
    smallest: dict[str, dict[str, Any]] = {
        "policy": {"guid": guid, "name": ""},
        "main_mode": {"guid": guid},
        "rule": {"guid": guid},
        "filter_list": {"guid": guid},
        "filter_action": {"guid": guid, "action": "block"},
        "filter": {"guid": guid, "src": {"kind": "any", "families": [4]}, "dst": {"kind": "any", "families": [4]}},
    }
    wrapped: dict[str, Callable[[Any], Any]] = {
        "policy": lambda node: node,
        "main_mode": lambda node: {**smallest["policy"], "main_mode": node},
        "rule": lambda node: {**smallest["policy"], "rules": [node]},
        "filter_list": lambda node: wrapped["rule"]({**smallest["rule"], "filter_lists": [node]}),
        "filter_action": lambda node: wrapped["rule"]({**smallest["rule"], "filter_action": node}),
        "filter": lambda node: wrapped["filter_list"]({**smallest["filter_list"], "filters": [node]}),
    }
    tried = 0
    for name, wrap in wrapped.items():
        bare = read({"version": 1, "policy": wrap(smallest[name])})
        assert bare.findings == ()
        for key, described in SCHEMA["$defs"][name]["properties"].items():
            target = SCHEMA["$defs"][described["$ref"].rpartition("/")[2]] if "$ref" in described else {}
            for source in (described, target):
                if "default" in source:
                    given = read({"version": 1, "policy": wrap({**smallest[name], key: source["default"]})})
                    assert given == bare, (name, key)
                    tried += 1
    assert tried > 45


@pytest.mark.parametrize(
    ("path", "value", "place", "said"),
    [
        (
            "rules.0.filter_lists.0.filters.0.src.kind",
            "subnets",
            "rules[0].filter_lists[0].filters[0].src.kind",
            "is none of any, me,",
        ),
        (
            "rules.0.filter_lists.0.filters.0.protocol",
            -1,
            "rules[0].filter_lists[0].filters[0].protocol",
            "is not from 0 to 4294967295",
        ),
        (
            "rules.0.filter_lists.0.filters.0.mirrored",
            "yes",
            "rules[0].filter_lists[0].filters[0].mirrored",
            "is a string, not true or false",
        ),
        (
            "rules.0.filter_lists.0.filters.0.sport",
            {"low": 0, "high": 65536},
            "rules[0].filter_lists[0].filters[0].sport.high",
            "is not from 0 to 65535",
        ),
        (
            "rules.0.filter_lists.0.filters.0.src.address",
            "10.0.0.256",
            "rules[0].filter_lists[0].filters[0].src.address",
            "is not an IPv4 address",
        ),
        ("rules.0.filter_lists.0.filters.0.guid", "{x}", "rules[0].filter_lists[0].filters[0].guid", "is not a GUID in braces"),
        ("rules.0.filter_lists.0.filters.0.dst", GONE, "rules[0].filter_lists[0].filters[0]", "lacks 'dst'"),
        ("rules.0.filter_lists.0.filters.0", None, "rules[0].filter_lists[0].filters[0]", "is null, not an object"),
        (
            "rules.0.filter_lists.0.filters.0.tunnel",
            "fe80::1%eth0",
            "rules[0].filter_lists[0].filters[0].tunnel",
            "is not an IP address",
        ),
    ],
)
def test_a_filter_that_is_wrong_is_left_out_alone(path: str, value: Any, place: str, said: str) -> None:
    loaded = read(changed(path, value))
    assert codes(loaded) == ["PA191"]
    (finding,) = loaded.findings
    assert finding.origin.locator == f"$.policy.{place}"
    assert finding.message.startswith(f"{place.rpartition('.')[2]} {said}")
    assert finding.origin.source == "x.json"
    whole = example.policy()
    first = whole.rules[0]
    kept = replace(first.filter_lists[0], filters=first.filter_lists[0].filters[1:])
    assert loaded.policy == replace(whole, rules=(replace(first, filter_lists=(kept,)), *whole.rules[1:]))


def test_a_filter_list_or_action_that_is_wrong_is_missing_from_its_rule() -> None:
    loaded = read(changed("rules.0.filter_lists.0.name", 5))
    assert isinstance(loaded.policy, Policy)
    lost = example.policy().rules[0].filter_lists[0]
    assert loaded.policy.rules[0].missing == (f"ipsecFilter{{{lost.guid}}}",)
    assert loaded.policy.rules[0].filter_lists == ()
    loaded = read(changed("rules.0.filter_action.action", "deny"))
    assert isinstance(loaded.policy, Policy)
    action = example.policy().rules[0].filter_action
    assert action is not None
    assert loaded.policy.rules[0].missing == (f"ipsecNegotiationPolicy{{{action.guid}}}",)
    assert loaded.policy.rules[0].filter_action is None
    loaded = read(changed("rules.0.filter_action.guid", "none"))
    assert isinstance(loaded.policy, Policy)
    assert loaded.policy.rules[0].missing == ("$.policy.rules[0].filter_action",)


def test_a_rule_that_is_wrong_is_missing_from_its_policy() -> None:
    whole = example.policy()
    loaded = read(changed("rules.1.active", 1))
    assert codes(loaded) == ["PA191"]
    name = f"ipsecNFA{{{whole.rules[1].guid}}}"
    assert loaded.policy == replace(whole, rules=(whole.rules[0], *whole.rules[2:]), missing=(name,))


def test_key_exchange_settings_that_are_wrong_are_not_there() -> None:
    loaded = read(changed("main_mode.methods.0.group", "two"))
    assert codes(loaded) == ["PA191"]
    assert loaded.policy == replace(example.policy(), main_mode=None)


@pytest.mark.parametrize(
    "value",
    [
        [],
        {},
        5,
        None,
        "x",
        {"version": 1},
        {"version": 2, "policy": document()["policy"]},
        {"version": "1", "policy": document()["policy"]},
        {"version": 1, "policy": []},
        {"version": 1, "policy": {"name": "x"}},
        changed("guid", "x"),
        changed("name", None),
        changed("rules", {}),
        changed("storage", "cloud"),
        changed("default_exempt", 4),
        changed("polling_interval", 0),
    ],
)
def test_without_what_a_policy_needs_there_is_none(value: Any) -> None:
    loaded = read(value)
    assert loaded.policy is None
    assert codes(loaded) == ["PA191"]


def test_a_key_that_is_not_known_is_told_and_ignored() -> None:
    whole = document()
    whole["policy"]["rules"][0]["actve"] = False
    whole["extra ☃"] = 1
    loaded = read(whole)
    assert [finding.origin.locator for finding in loaded.findings] == ["$['extra ☃']", "$.policy.rules[0].actve"]
    assert [finding.message.split()[0] for finding in loaded.findings] == ["this", "actve"]
    assert loaded.policy == example.policy()


def test_a_key_that_is_there_twice_is_told_and_the_last_one_counts() -> None:
    text = policy_json.write(s.small_policy()).replace(b'"name": "Small"', b'"name": "First", "name": "Small"')
    loaded = read(text)
    assert codes(loaded) == ["PA191"]
    assert loaded.findings[0].message == "name is there more than once; the last one counts"
    assert loaded.policy == s.small_policy()


def test_a_rule_that_is_there_twice_is_told_and_the_first_one_counts() -> None:
    whole = json.loads(policy_json.write(s.small_policy()))
    whole["policy"]["rules"].append({**whole["policy"]["rules"][1], "name": "again"})
    loaded = read(whole)
    assert codes(loaded) == ["PA131"]
    assert loaded.findings[0].origin.locator == "$.policy.rules[3]"
    assert loaded.policy == s.small_policy()


def test_references_are_sets_and_their_order_means_nothing() -> None:
    whole = document()
    whole["policy"]["rules"].reverse()
    assert read(whole).policy == example.policy()


@pytest.mark.parametrize(
    ("text", "said", "line", "column"),
    [
        (b"", "expecting value", 1, 1),
        (b'{"version": 1,\n "policy": }', "expecting value", 2, 12),
        (b'{"version": 1} x', "extra data", 1, 16),
        (b'{"version": 1, "policy": {"name": "x', "unterminated string", 1, 35),
        (b'{"version": NaN}', "NaN is no JSON value", None, None),
        (b'{"version": -Infinity}', "-Infinity is no JSON value", None, None),
        (b"{'version': 1}", "expecting property name", 1, 2),
    ],
)
def test_text_that_is_no_json_is_told_with_its_place(text: bytes, said: str, line: int | None, column: int | None) -> None:
    loaded = read(text)
    (finding,) = loaded.findings
    assert (finding.code, finding.origin.line, finding.origin.column) == ("PA190", line, column)
    assert finding.message.startswith(said)
    assert loaded.policy is None


def test_text_that_is_not_utf8_is_told_and_replaced() -> None:
    text = policy_json.write(replace(s.small_policy(), name="BAD")).replace(b"BAD", b"B\xffD")
    loaded = read(text)
    (finding,) = loaded.findings
    assert (finding.code, finding.origin.line) == ("PA113", 5)
    assert loaded.policy == replace(s.small_policy(), name="B\ufffdD")


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be"])
def test_every_encoding(encoding: str) -> None:
    policy = replace(s.small_policy(), name="Büro 🏢")
    assert read(policy_json.write(policy).decode().encode(encoding)).policy == policy


def test_what_the_schema_takes_is_read_and_what_it_refuses_is_told() -> None:
    """The checks by hand and the published schema agree on every value of a policy, damaged in several ways."""
    whole = json.loads(policy_json.write(keyed(example.policy()), secrets=True))
    VALIDATOR.validate(whole)
    small = whole["policy"]
    small["rules"] = small["rules"][2:4]
    for rule in small["rules"]:
        for filter_list in rule["filter_lists"]:
            del filter_list["filters"][1:]
    paths: list[list[Any]] = []

    def walk(node: Any, path: list[Any]) -> None:
        if path:
            paths.append(path)
        for key, value in node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ():
            walk(value, [*path, key])

    walk(whole, [])
    assert len(paths) > 150
    seeded = random.Random(5)
    verdicts = {True: 0, False: 0}
    for path in paths:
        for value in (*seeded.sample(WRONG, 5), GONE):
            damaged = copy.deepcopy(whole)
            node = damaged
            for step in path[:-1]:
                node = node[step]
            if value is GONE:
                del node[path[-1]]
            else:
                node[path[-1]] = value
            loaded = read(damaged)
            is_valid = VALIDATOR.is_valid(damaged)
            assert ("PA191" not in codes(loaded)) == is_valid, (path, value)
            verdicts[is_valid] += 1
    assert min(verdicts.values()) > 100


def test_no_message_quotes_a_key_that_is_in_the_wrong_place() -> None:
    whole = json.loads(policy_json.write(keyed(s.small_policy()), secrets=True))
    method = whole["policy"]["rules"][0]["auth_methods"][0]
    everything = ""
    for name in ("kind", "certificate_authority", "account_mapping"):
        damaged = copy.deepcopy(whole)
        damaged["policy"]["rules"][0]["auth_methods"][0] = {**method, name: KEY}
        everything += repr(read(damaged))
    for value in (KEY, [KEY], {"guid": KEY}):
        everything += repr(read(changed("rules.0", value))) + repr(read(changed("rules.0.tunnel", value)))
        everything += repr(read(changed("guid", value))) + repr(read(changed("storage", value)))
    text = policy_json.write(keyed(s.small_policy()), secrets=True)
    at = text.index(KEY.encode())
    everything += (
        repr(read(text[: at + 20])) + repr(read(text[:at] + b"\xff" + text[at:])) + repr(read(text[:at] + b'"' + text[at:]))
    )
    # A certificate authority is no secret and is kept as what it says it is.
    assert everything.replace(f"certificate_authority={KEY!r}", "").count(KEY) == 0


class TestBounds:
    @pytest.mark.parametrize(
        "text",
        [
            b"[" * 100_000,
            b'{"a":' * 100_000,
            b'{"version": 1, "policy": {"rules": ' + b"[" * 100_000,
            b'{"version": ' + b"9" * 5_000_000 + b"}",
            b'{"version": 1e' + b"9" * 1_000_000 + b"}",
            b'{"version": ' + b"9" * 400 + b'.5, "policy": {}}',
            b'{"version": 1, "policy": {"guid": "' + b"x" * 10_000_000 + b'", "name": "x"}}',
            b'{"' + b"x" * 10_000_000 + b'": 1, "version": 1, "policy": {}}',
            b'{"version": 1, "policy": {' + b'"name": "x", ' * 200_000 + b'"guid": 1}}',
            b'{"version": 1, "policy": {"rules": [' + b"{}," * 200_000 + b"{}]}}",
            b"\n" * 10_000_000,
            b'"' + b"\\" * 10_000_000,
        ],
    )
    def test_hostile_text_is_done_with_in_time(self, text: bytes) -> None:
        start = time.perf_counter()
        loaded = read(text)
        assert time.perf_counter() - start < 10
        assert loaded.policy is None
        assert 0 < len(loaded.findings) <= LIMIT + 2
        assert all(len(finding.message) < 2000 for finding in loaded.findings)

    def test_a_number_of_many_digits_is_out_of_range(self) -> None:
        for number in ("9" * 5000, "-" + "9" * 21):
            text = policy_json.write(s.small_policy()).replace(
                b'"polling_interval": 10800', b'"polling_interval": ' + number.encode()
            )
            (finding,) = read(text).findings
            assert finding.message == "polling_interval is not from 1 to 4294967295"

    def test_more_than_is_read_is_refused(self) -> None:
        for text in (b" " * (SIZE_LIMIT + 1), b"[" * (NODE_LIMIT + 1)):
            (finding,) = read(text).findings
            assert finding.code == "PA190"
            assert "that are read" in finding.message


def test_load_takes_a_file_told_by_its_bytes_or_by_name(tmp_path: Path) -> None:
    path = tmp_path / "x.txt"
    path.write_bytes(policy_json.write(s.small_policy()))
    assert load(path).policy == load(path, format="json", policy="small").policy == s.small_policy()
    other = load(path, policy="Other")
    assert other.policy is None
    assert [finding.code for finding in other.findings] == ["PA104"]
    path.write_bytes(b'{"version": 1}')
    assert [finding.code for finding in load(path, format="json").findings] == ["PA191"]
