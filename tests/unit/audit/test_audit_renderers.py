"""The log for people, as Windows Event XML, and as Elastic Common Schema."""

import json
import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from lxml import etree

from pastore.audit import EVENTS, AuditEvent, Entry, Outcome, ecs, event, text, winxml
from pastore.audit.record import encode

NOON = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
NS = "{http://schemas.microsoft.com/win/2004/08/events/event}"
SCHEMA = etree.XMLSchema(etree.parse(Path(__file__).with_name("event.xsd")))
HOSTILE = "a\0b\x1b]]>\ud800<&\ufffe\r\n\t\u2028\U0001f600"
SOME_RULES = Entry(17, event(5462, Policy="Server Isolation", Error=13008, time=NOON))
HOSTILE_RULES = Entry(1, event(5462, Policy=HOSTILE, Error=13008, time=NOON))

# ECS 9.4.0, generated/csv/fields.csv: the fields used here, with their types.
ECS_FIELDS = {
    "@timestamp": "date",
    "ecs.version": "keyword",
    "error.code": "keyword",
    "error.message": "match_only_text",
    "error.type": "keyword",
    "event.action": "keyword",
    "event.category": "keyword[]",
    "event.code": "keyword",
    "event.dataset": "keyword",
    "event.kind": "keyword",
    "event.module": "keyword",
    "event.original": "keyword",
    "event.outcome": "keyword",
    "event.provider": "keyword",
    "event.sequence": "long",
    "event.type": "keyword[]",
    "host.name": "keyword",
    "log.level": "keyword",
    "message": "match_only_text",
    "rule.name": "keyword",
    "rule.ruleset": "keyword",
    "source.address": "keyword",
    "source.ip": "ip",
}
# ECS 9.4.0, schemas/event.yml: the types expected with each of the categories used here.
ECS_TYPES = {
    "configuration": {"access", "change", "creation", "deletion", "info"},
    "network": {"access", "allowed", "connection", "denied", "end", "info", "protocol", "start"},
    "process": {"access", "change", "end", "info", "start"},
}


def flattened(value: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for key, item in value.items():
        flat |= flattened(item, f"{prefix}{key}.") if isinstance(item, dict) else {prefix + key: item}
    return flat


def numbered(events: list[AuditEvent]) -> list[Entry]:
    return [Entry(seq, one) for seq, one in enumerate(events, start=1)]


def test_text_is_a_block_with_the_meaning_of_the_error() -> None:
    assert "".join(text.render([SOME_RULES, Entry(18, event(5463, time=NOON))])) == (
        "17  2026-11-22T12:00:00.000000Z  event 5462  failure\n"
        "    PAStore Engine failed to apply some rules of the active IPsec policy on the computer. Use the IP Security Monitor "
        "snap-in to diagnose the problem.\n"
        "\n"
        "    Policy:         Server Isolation\n"
        "    Error Code:             13008\n"
        "\n"
        "    ERROR_IPSEC_TRANSPORT_FILTER_EXISTS (13008): The specified transport mode filter already exists.\n"
        "\n"
        "18  2026-11-22T12:00:00.000000Z  event 5463  success\n"
        "    PAStore Engine polled for changes to the active IPsec policy and detected no changes.\n"
        "\n"
    )


def test_text_of_a_hostile_value_stays_on_its_line_and_commands_no_terminal() -> None:
    (block,) = text.render([HOSTILE_RULES])
    assert r"    Policy:         a\x00b\x1b]]>\ud800<&\ufffe\x0d\x0a\x09\u2028😀" in block.split("\n")
    assert not re.search("[\x00-\x09\x0b-\x1f\x7f-\x9f\u2028\ud800-\udfff]", block)


def test_xml_is_that_of_a_windows_security_record() -> None:
    document = "".join(winxml.render([SOME_RULES], "srv01.corp.example"))
    assert document == (
        '<?xml version="1.0" encoding="utf-8"?>\n'
        "<Events>\n"
        '<Event xmlns="http://schemas.microsoft.com/win/2004/08/events/event"><System>'
        '<Provider Name="Microsoft-Windows-Security-Auditing" Guid="{54849625-5478-4994-A5BA-3E3B0328C30D}" />'
        "<EventID>5462</EventID><Version>0</Version><Level>0</Level><Task>13572</Task><Opcode>0</Opcode>"
        '<Keywords>0x8010000000000000</Keywords><TimeCreated SystemTime="2026-11-22T12:00:00.000000Z" />'
        '<EventRecordID>17</EventRecordID><Correlation /><Execution ProcessID="0" ThreadID="0" /><Channel>Security</Channel>'
        "<Computer>srv01.corp.example</Computer><Security /></System>"
        '<EventData><Data Name="Policy">Server Isolation</Data><Data Name="Error">13008</Data></EventData></Event>\n'
        "</Events>\n"
    )


def test_xml_of_every_event_meets_the_schema(every_event: list[AuditEvent]) -> None:
    document = etree.fromstring("".join(winxml.render(numbered(every_event), "srv01")).encode())
    events = document.findall(f"{NS}Event")
    assert [int(one.findtext(f"{NS}System/{NS}EventID")) for one in events] == [one.id for one in every_event]
    for one, made in zip(events, every_event, strict=True):
        assert SCHEMA.validate(one), SCHEMA.error_log
        success = one.findtext(f"{NS}System/{NS}Keywords") == "0x8020000000000000"
        assert success is (made.outcome is Outcome.SUCCESS)
        assert {item.get("Name"): item.text for item in one.iter(f"{NS}Data")} == {k: str(v) for k, v in made.data.items()}


@pytest.mark.parametrize(
    ("right", "wrong"),
    [
        ("<EventID>5462</EventID>", "<EventID>x</EventID>"),
        ("<EventID>5462</EventID>", ""),
        ("<Computer>h</Computer>", ""),
        ("0x8010000000000000", "failure"),
        ("54849625-5478", "54849625"),
        ("12:00:00.000000Z", "noon"),
        (' ThreadID="0"', ""),
        ("<Data ", "<Datum "),
        ("<Version>0</Version><Level>0</Level>", "<Level>0</Level><Version>0</Version>"),
    ],
)
def test_schema_refuses_what_is_not_an_event(right: str, wrong: str) -> None:
    (_, one, _) = winxml.render([SOME_RULES], "h")
    assert SCHEMA.validate(etree.fromstring(one))
    broken = one.replace(right, wrong).replace("</Data>", "</Datum>" if "Datum" in wrong else "</Data>")
    assert broken != one
    assert not SCHEMA.validate(etree.fromstring(broken))


def test_xml_of_a_hostile_value_is_valid_and_shows_what_xml_cannot_hold() -> None:
    document = "".join(winxml.render([HOSTILE_RULES], "h\x07")).encode("utf-8")
    (one,) = etree.fromstring(document).findall(f"{NS}Event")
    assert SCHEMA.validate(one), SCHEMA.error_log
    assert one.find(f"{NS}EventData")[0].text == "a\\x00b\\x1b]]>\\ud800<&\\ufffe\\x0d\n\t\u2028\U0001f600"
    assert one.findtext(f"{NS}System/{NS}Computer") == r"h\x07"


def test_empty_log_is_still_a_document() -> None:
    assert len(etree.fromstring("".join(winxml.render([], "h")).encode())) == 0


def test_ecs_document_of_rules_that_could_not_be_applied() -> None:
    assert ecs.document(SOME_RULES, "srv01") == {
        "@timestamp": "2026-11-22T12:00:00.000000Z",
        "ecs": {"version": "9.4.0"},
        "event": {
            "kind": "event",
            "category": ["configuration"],
            "type": ["change"],
            "action": "ipsec-rules-not-applied",
            "outcome": "failure",
            "code": "5462",
            "provider": "Microsoft-Windows-Security-Auditing",
            "module": "pastore",
            "dataset": "pastore.audit",
            "sequence": 17,
            "original": encode(SOME_RULES).decode().rstrip("\n"),
        },
        "message": SOME_RULES.event.text,
        "log": {"level": "error"},
        "host": {"name": "srv01"},
        "error": {
            "code": "13008",
            "type": "ERROR_IPSEC_TRANSPORT_FILTER_EXISTS",
            "message": "The specified transport mode filter already exists.",
        },
        "rule": {"ruleset": "Server Isolation"},
    }


def test_ecs_uses_only_fields_and_values_of_the_published_schema(every_event: list[AuditEvent]) -> None:
    used: set[str] = set()
    documents = [json.loads(line) for line in ecs.render(numbered(every_event), "srv01")]
    for document in documents:
        flat = flattened(document)
        used |= flat.keys()
        for name, value in flat.items():
            kind = ECS_FIELDS[name]
            if kind.endswith("[]"):
                assert isinstance(value, list)
                assert all(isinstance(item, str) for item in value)
            else:
                assert isinstance(value, int if kind == "long" else str), name
        assert flat["event.kind"] == "event"
        assert flat["event.outcome"] in {"success", "failure"}
        (category,) = flat["event.category"]
        assert set(flat["event.type"]) <= ECS_TYPES[category]
    assert [document["event"]["code"] for document in documents] == [str(one.id) for one in every_event]
    assert set(EVENTS) == {one.id for one in every_event}
    assert used == ECS_FIELDS.keys() - {"source.ip"}


@pytest.mark.parametrize(
    ("address", "source"),
    [
        ("10.0.0.9", {"address": "10.0.0.9", "ip": "10.0.0.9"}),
        ("fe80::1%3", {"address": "fe80::1%3", "ip": "fe80::1"}),
        ("host.example", {"address": "host.example"}),
    ],
)
def test_ecs_source_has_an_ip_only_if_it_is_one(address: str, source: dict[str, str]) -> None:
    document = ecs.document(Entry(1, event(4960, RemoteAddress=address, SPI=7)), "h")
    assert document["source"] == source
    assert document["event"]["type"] == ["denied"]


def test_ecs_names_the_filter_that_was_not_added() -> None:
    assert ecs.document(Entry(1, event(5477, QuickModeFilter="me > any", Error=13008)), "h")["rule"] == {"name": "me > any"}


def test_ecs_of_a_hostile_value_is_one_line_without_surrogates() -> None:
    (line,) = ecs.render([HOSTILE_RULES], "h\udc80")
    assert line.endswith("\n")
    assert line[:-1].isprintable()
    document = json.loads(line)
    json.dumps(document, ensure_ascii=False).encode("utf-8")  # would raise on a lone surrogate
    assert document["rule"]["ruleset"] == HOSTILE.replace("\ud800", "?")
    assert json.loads(document["event"]["original"])["data"]["Policy"] == HOSTILE
