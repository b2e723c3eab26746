"""A whole registry export: a real one where there is one, else our own of the same shape."""

import os
import re
from pathlib import Path

import pytest

from pastore.findings import Severity
from pastore.ipsecdata import filter_list, isakmp, negotiation, nfa, policy
from pastore.ipsecdata.objects import AttributeValue, StoredObject, build, store
from pastore.model import Origin, Storage
from tests.support import stored as s

CODECS = {
    "ipsecPolicy": policy,
    "ipsecISAKMPPolicy": isakmp,
    "ipsecNFA": nfa,
    "ipsecNegotiationPolicy": negotiation,
    "ipsecFilter": filter_list,
}


def value_of(text: str) -> AttributeValue:
    if text.startswith("dword:"):
        return int(text[6:], 16)
    if text.startswith("hex"):
        raw = bytes.fromhex(text.partition(":")[2].replace(",", ""))
        return raw if text.startswith("hex:") else tuple(raw.decode("utf-16-le").rstrip("\0").split("\0"))
    return text[1:-1].replace("\\\\", "\\")


def exported(path: Path) -> tuple[list[StoredObject], str | None]:
    """Return the objects of a .reg file and the assigned policy; just enough of the format for this test."""
    text = re.sub(r"\\\s+", "", path.read_text("utf-16"))
    objects, assigned = [], None
    for section in text.split("\n[")[1:]:
        key, _, body = section.partition("]")
        values = {name.lower(): value_of(text) for name, text in re.findall(r'^"(\w+)"=(.*?)\r?$', body, re.MULTILINE)}
        if "activepolicy" in values:
            assigned = str(values["activepolicy"])
        if "{" in key:
            objects.append(StoredObject(key.rpartition("\\")[2], values, Origin(path.name, key)))
    return objects, assigned


@pytest.fixture
def whole() -> tuple[list[StoredObject], str | None]:
    """The objects and the assigned policy."""
    data = os.environ.get("PASTORE_DATA")
    if data:
        return exported(Path(data, "registry", "win10-gsecurity-2022.reg"))
    objects = store(s.small_policy())
    return objects, objects[0].name


def test_every_blob_decodes_without_a_finding_and_encodes_to_the_same_bytes(whole: tuple[list[StoredObject], str]) -> None:
    kinds = []
    for stored in whole[0]:
        kind = stored.name.partition("{")[0]
        data = stored.attributes["ipsecdata"]
        assert isinstance(data, bytes)
        blob, findings = CODECS[kind].decode(data, stored.origin)
        assert findings == ()
        assert CODECS[kind].encode(blob) == data
        kinds.append(kind)
    assert sorted(kinds) == sorted(
        ["ipsecPolicy", "ipsecISAKMPPolicy"] + ["ipsecNFA"] * 3 + ["ipsecNegotiationPolicy", "ipsecFilter"] * 2
    )


def test_the_export_is_one_assigned_policy_of_three_rules_and_thirty_three_filters(whole: tuple[list[StoredObject], str]) -> None:
    graph = build(whole[0], storage=Storage.LOCAL, assigned=whole[1])
    assert [finding for finding in graph.findings if finding.severity is not Severity.INFO] == []
    (got,) = graph.policies
    assert got.assigned
    assert got.polling_interval == 10800
    assert sorted(sum(len(one.filters) for one in rule.filter_lists) for rule in got.rules) == [0, 1, 32]
    assert [rule.active for rule in got.rules if rule.default_response] == [False]
    assert got.main_mode is not None
    assert [(m.encryption, m.hash, m.group, m.lifetime_seconds) for m in got.main_mode.methods] == [(3, 2, 2, 28800)]


def test_what_was_read_is_stored_as_the_same_bytes(whole: tuple[list[StoredObject], str]) -> None:
    (got,) = build(whole[0], storage=Storage.LOCAL, assigned=whole[1]).policies
    before = {stored.name.lower(): stored.attributes["ipsecdata"] for stored in whole[0]}
    after = {stored.name.lower(): stored.attributes["ipsecdata"] for stored in store(got)}
    assert after == before
