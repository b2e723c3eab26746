"""Policies as our own JSON: every field of the model, by the published schema, without keys unless they are asked for."""

import json
from dataclasses import fields, replace
from ipaddress import IPv6Address
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

import pastore.model
from pastore.export import policy_json
from pastore.model import (
    Address,
    AddressKind,
    AuthKind,
    AuthMethod,
    Filter,
    FilterList,
    InterfaceType,
    Policy,
    Rule,
    Secret,
    Storage,
)
from pastore.sources.policy_json import load_json
from tests.support import example
from tests.support import stored as s
from tests.support.exporting import KEY, keyed, policies

SCHEMA = json.loads((Path(__file__).parents[3] / "docs" / "policy.schema.json").read_text(encoding="utf-8"))
VALIDATOR = Draft202012Validator(SCHEMA, format_checker=Draft202012Validator.FORMAT_CHECKER)


def document(policy: Policy, **options: bool) -> Any:
    return json.loads(policy_json.write(policy, **options))


def test_the_schema_is_one() -> None:
    Draft202012Validator.check_schema(SCHEMA)


@pytest.mark.parametrize(
    "node",
    [
        "Policy",
        "Rule",
        "FilterList",
        "Filter",
        "FilterAction",
        "MainMode",
        "MainModeMethod",
        "AuthMethod",
        "Offer",
        "Algorithm",
        "Origin",
    ],
)
def test_every_field_of_the_model_is_in_the_schema_and_no_other(node: str) -> None:
    name = "".join("_" + letter.lower() if letter.isupper() else letter for letter in node)[1:]
    # When a key was written is evidence about one registry, as an origin is; unlike that, nobody needs it elsewhere.
    model = {field.name for field in fields(getattr(pastore.model, node))} - {"written"}
    assert set(SCHEMA["$defs"][name]["properties"]) == model


def test_every_field_that_the_schema_knows_is_written() -> None:
    found: dict[str, set[str]] = {}

    def walk(node: Any, name: str) -> None:
        if isinstance(node, list):
            for one in node:
                walk(one, name.removesuffix("s"))
        elif isinstance(node, dict):
            found.setdefault(name, set()).update(node)
            for key, value in node.items():
                walk(value, key if key != "methods" else "main_mode_methods")

    written = load_json(policy_json.write(keyed(example.policy()), secrets=True), "x").policy
    assert isinstance(written, Policy)  # read back so that it has origins
    walk(document(written, secrets=True)["policy"], "policy")
    for name in (
        "policy",
        "rule",
        "filter_list",
        "filter",
        "filter_action",
        "main_mode",
        "main_mode_method",
        "auth_method",
        "offer",
        "algorithm",
    ):
        assert found[name] == set(SCHEMA["$defs"][name]["properties"]), name


def test_what_is_written_is_valid_and_read_back(data: Path | None) -> None:
    for policy in [*policies(data), keyed(s.small_policy())]:
        for secrets in (False, True):
            VALIDATOR.validate(document(policy, secrets=secrets))
        assert load_json(policy_json.write(policy, secrets=True), "x").policy == policy


def test_guids_and_addresses_are_text() -> None:
    one = Filter(
        s.guid(5),
        Address(AddressKind.SUBNET, (4,), 0x0A000001, 0xFFFF00FF),
        Address(AddressKind.RANGE, (6,), 1, 2**128 - 1, "srv.corp"),
        version=2,
    )
    policy = replace(s.small_policy(), rules=(Rule(s.guid(4), filter_lists=(FilterList(s.guid(6), "x", (one,)),)),))
    made = document(policy)["policy"]["rules"][0]["filter_lists"][0]["filters"][0]
    assert made["guid"] == "{0a000000-0000-4000-8000-000000000005}"
    assert made["src"] == {"kind": "subnet", "families": [4], "address": "10.0.0.1", "mask": "255.255.0.255", "dns_name": ""}
    assert made["dst"] == {
        "kind": "range",
        "families": [6],
        "low": "::1",
        "high": str(IPv6Address(2**128 - 1)),
        "dns_name": "srv.corp",
    }


def test_a_key_is_left_out_unless_secrets_are_asked_for() -> None:
    policy = keyed(s.small_policy())
    assert KEY.encode() not in policy_json.write(policy)
    assert "key" not in document(policy)["policy"]["rules"][0]["auth_methods"][0]
    assert document(policy, secrets=True)["policy"]["rules"][0]["auth_methods"][0]["key"] == KEY
    loaded = load_json(policy_json.write(policy), "x.json")
    unknown = (AuthMethod(AuthKind.PRESHARED_KEY), AuthMethod(AuthKind.KERBEROS))
    assert loaded.policy == replace(policy, rules=tuple(replace(rule, auth_methods=unknown) for rule in policy.rules))
    assert [finding.code for finding in loaded.findings] == ["PA192"] * 3
    assert loaded.findings[0].origin.locator == "$.policy.rules[0].auth_methods[0]"
    # The key is not known, so the next format cannot be given one; json can.
    assert isinstance(loaded.policy, Policy)
    assert load_json(policy_json.write(loaded.policy, secrets=True), "x.json").policy == loaded.policy


def test_where_a_node_was_read_is_written_and_means_nothing() -> None:
    policy = load_json(policy_json.write(s.small_policy()), "first.json").policy
    assert isinstance(policy, Policy)
    made = document(policy)["policy"]
    assert made["origin"] == {"source": "first.json", "locator": "$.policy"}
    assert made["rules"][1]["origin"]["locator"] == "$.policy.rules[1]"
    again = load_json(policy_json.write(policy), "second.json").policy
    assert again == policy == s.small_policy()
    assert isinstance(again, Policy)
    assert again.origin.source == "second.json"
    assert "origin" not in document(s.small_policy())["policy"]


@pytest.mark.parametrize("name", ["Büro 事務所 🏢", "a\0b\r\n\x7f", "\u2028", '"\\', "half \ud83d"])
def test_any_name_is_read_back(name: str) -> None:
    policy = replace(s.small_policy(), name=name)
    written = policy_json.write(policy)
    assert load_json(written, "x").policy == policy
    assert written.isascii() == ("half" in name or name.isascii())


@pytest.mark.parametrize("storage", Storage)
@pytest.mark.parametrize("interface", InterfaceType)
def test_every_storage_and_interface_type(storage: Storage, interface: InterfaceType) -> None:
    policy = replace(s.small_policy(), storage=storage, rules=(replace(s.small_policy().rules[0], interface_type=interface),))
    assert load_json(policy_json.write(policy), "x").policy == policy


@pytest.mark.parametrize(
    ("address", "message"),
    [
        (Address(AddressKind.SUBNET, (4,), 1 << 32, 0), "4294967296"),
        (Address(AddressKind.RANGE, (4, 6), 0, 0), "one IP version"),
        (Address(AddressKind.ANY, (4,), 1, 0), "has no numbers"),
    ],
)
def test_an_address_that_is_none_is_refused_with_its_filter(address: Address, message: str) -> None:
    one = Filter(s.guid(5), address, Address(AddressKind.ME))
    policy = replace(s.small_policy(), rules=(Rule(s.guid(4), filter_lists=(FilterList(s.guid(6), "x", (one,)),)),))
    with pytest.raises(ValueError, match=message) as caught:
        policy_json.write(policy)
    assert str(s.guid(5)) in str(caught.value)


def test_something_else_is_refused() -> None:
    with pytest.raises(TypeError, match="got Secret"):
        policy_json.write(Secret("x"))  # type: ignore[arg-type]
