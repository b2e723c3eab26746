"""End-to-end behaviour as data: every folder here is a policy, packets and what must become of them.

A case is written in TOML and goes the whole way: the policy is stored as Windows stores it, exported as .reg, loaded, expanded,
compiled; each packet is judged by the C core, the linear scan and the reference.
"""

import tomllib
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import pytest

import pastore
from pastore.agent.applying import Manner
from pastore.agent.engine import Engine
from pastore.agent.machine import Trigger
from pastore.agent.storages import Preloaded
from pastore.agent.trail import Trail
from pastore.audit import MemorySink
from pastore.filters.host import Host
from pastore.matcher import reference
from pastore.model import InterfaceType, Policy
from pastore.packets.packet import Packet
from tests.support.command import pastore as run
from tests.support.policies import action, flt, policy, rule
from tests.support.registry import export

CASES = sorted(path.parent for path in Path(__file__).parent.glob("*/case.toml"))


def read(folder: Path) -> dict[str, Any]:
    return tomllib.loads((folder / "case.toml").read_text(encoding="utf-8"))


def policy_of(case: dict[str, Any]) -> Policy:
    rules = []
    for each in case["rule"]:
        filters = [
            flt(text, mirrored=each.get("mirrored", True), name=f"{each['name']} {text}") for text in each.get("filters", [])
        ]
        for text in each.get("filters6", []):
            filters.append(flt(text, mirrored=each.get("mirrored", True), name=f"{each['name']} {text} 6", families=(6,)))
        rules.append(
            rule(
                each["name"],
                each["action"],
                *filters,
                active=each.get("active", True),
                interface=InterfaceType(each.get("interface", "all")),
                tunnel=ip_address(each["tunnel"]) if "tunnel" in each else None,
                filter_action=action(each["action"], inpass=each.get("inpass", False), soft=each.get("soft", False)),
            )
        )
    return policy(*rules, name=case["policy"], default_exempt=case.get("default_exempt"))


@pytest.mark.parametrize("folder", CASES, ids=lambda folder: folder.name)
def test_case(folder: Path, tmp_path: Path) -> None:
    case = read(folder)
    made = policy_of(case)
    loaded = pastore.load(export(tmp_path, made))
    assert loaded.policy == made
    options = case.get("options", {})
    matcher = pastore.compile(loaded.policy, me=case.get("me", []), **options)
    matcher.check()
    rows = reference.plain_rows(matcher.filters)
    for expected in case["packet"]:
        packet = Packet.parse(expected["packet"])
        verdict = matcher.match(
            packet.protocol,
            packet.src,
            packet.dst,
            packet.sport,
            packet.dport,
            direction=("in", "out")[packet.direction],
            interface=("lan", "ras")[packet.interface],
            family=packet.family,
        )
        told = {name: getattr(verdict, name) for name in expected if name != "packet"}
        assert told == {name: value for name, value in expected.items() if name != "packet"}, expected["packet"]
        plain = reference.Packet(
            packet.family,
            packet.src,
            packet.dst,
            packet.protocol,
            packet.sport,
            packet.dport,
            packet.direction,
            packet.interface,
        )
        assert reference.first_match(rows, plain) == verdict.index
    codes = sorted({finding.code for finding in (*loaded.findings, *matcher.findings)})
    assert codes == sorted(case.get("findings", []))
    sink = MemorySink()
    manner = Manner(Host.parse(case.get("me", [])), **options)
    Engine(Trail(sink), local=Preloaded(loaded), manner=manner).turn(Trigger.START)
    assert [event.id for event in sink.events] == case["events"]


@pytest.mark.parametrize("folder", CASES, ids=lambda folder: folder.name)
def test_explain_says_the_same_as_the_matcher(folder: Path, tmp_path: Path) -> None:
    case = read(folder)
    file = export(tmp_path, policy_of(case))
    flags = [part for address in case.get("me", []) for part in ("--me", address)]
    flags += [part for name, value in case.get("options", {}).items() for part in (f"--{name.replace('_', '-')}", value)]
    for expected in case["packet"]:
        result = run("explain", file, expected["packet"], "--output-format", "json", *flags)
        assert (result.status, result.json["action"]) == (0, expected["action"])
        assert result.json["rule"] == expected.get("rule", result.json["rule"])
        whys = [candidate["why"] for candidate in result.json["candidates"]]
        assert all(whys), expected["packet"]
