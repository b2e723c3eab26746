"""Policies as LDIF: RFC 2849, in an order that a directory takes."""

import re
from base64 import b64decode
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from pastore.export import SecretsWithheldError, ldif
from pastore.model import Policy
from pastore.sources.ldif import load_ldif
from tests.support import example
from tests.support import stored as s
from tests.support.exporting import BASE, KEY, in_directory, keyed, policies

STORE = f"CN=IP Security,CN=System,{BASE}"


def records(written: bytes) -> list[list[tuple[str, str]]]:
    """Take the file apart; just enough of the format for this test, base64 undone where it is text."""
    unfolded = written.decode("ascii").replace("\n ", "")
    found = []
    for block in unfolded.split("\n\n")[1:]:
        pairs = []
        for line in block.strip().split("\n"):
            name, mark, value = re.fullmatch(r"([\w-]+?)(::?|$) ?(.*)", line).groups()  # type: ignore[union-attr]
            text = b64decode(value).decode("utf-8", "replace") if mark == "::" and name != "ipsecData" else value
            pairs.append((name, text))
        found.append(pairs)
    return found


def write(policy: Policy, **options: bool) -> bytes:
    return ldif.write(policy, base_dn=BASE, **options)


def test_it_is_a_file_of_changes_that_begins_with_its_version() -> None:
    written = write(s.small_policy())
    assert written.startswith(b"version: 1\n\ndn: CN=ipsecFilter{")
    assert written.endswith(b"-\n")
    assert {pairs[1][1] for pairs in records(written)} == {"add", "modify"}
    assert {pairs[1][0] for pairs in records(written)} == {"changetype"}


def test_no_line_is_longer_than_76_columns_and_every_one_is_ascii() -> None:
    written = write(replace(s.small_policy(), name="Büro " * 40, description="x" * 400))
    assert max(map(len, written.decode("ascii").split("\n"))) == 76


def test_an_object_is_there_before_something_refers_to_it() -> None:
    there: set[str] = set()
    references = 0
    for policy in (example.policy(), s.small_policy()):
        there.clear()
        for pairs in records(write(policy)):
            for name, value in pairs:
                if name.endswith("Reference") and "," in value:
                    assert value in there
                    references += 1
            there.add(pairs[0][1])
        assert len(there) == len([1 for pairs in records(write(policy)) if pairs[1][1] == "add"])
    assert references == 54


def test_entries_have_their_classes_and_the_spelling_of_active_directory() -> None:
    found = {pairs[0][1].partition("{")[0]: [name for name, _ in pairs] for pairs in records(write(example.policy()))[:17]}
    assert found["CN=ipsecPolicy"] == [
        "dn",
        "changetype",
        *["objectClass"] * 3,
        "cn",
        "description",
        "ipsecName",
        "ipsecID",
        "ipsecDataType",
        "ipsecData",
        "ipsecISAKMPReference",
        *["ipsecNFAReference"] * 6,
        "whenChanged",
    ]
    assert "iPSECNegotiationPolicyType" in found["CN=ipsecNegotiationPolicy"]
    assert "iPSECNegotiationPolicyAction" in found["CN=ipsecNegotiationPolicy"]
    for pairs in records(write(example.policy()))[:17]:
        classes = [value for name, value in pairs if name == "objectClass"]
        assert classes == ["top", "ipsecBase", pairs[0][1].removeprefix("CN=").partition("{")[0]]
        assert pairs[0][1] == f"CN={dict(pairs)['cn']},{STORE}"


def test_the_back_links_are_added_last() -> None:
    made = records(write(s.small_policy()))
    kinds = [pairs[1][1] for pairs in made]
    assert kinds == ["add"] * 9 + ["modify"] * 8
    for pairs in made[9:]:
        assert pairs[2] == ("add", "ipsecOwnersReference")
        assert {name for name, _ in pairs[3:-1]} == {"ipsecOwnersReference"}
        assert pairs[-1][0] == "-"


def test_times_are_generalized_times_and_can_be_left_out() -> None:
    policy = replace(s.small_policy(), when_changed=int(datetime(2022, 6, 28, 4, 7, 32, tzinfo=UTC).timestamp()))
    assert b"\nwhenChanged: 20220628040732.0Z\n" in write(policy)
    assert b"whenChanged" not in write(policy, times=False)
    assert b"\nwhenChanged: 00010101000000.0Z\n" in write(replace(policy, when_changed=-62135596800))
    with pytest.raises(ValueError, match="cannot be written"):
        write(replace(policy, when_changed=1 << 60))


@pytest.mark.parametrize(
    ("name", "is_safe"),
    [
        ("plain", True),
        ("with : and < inside", True),
        (" blank first", False),
        ("blank last ", False),
        (":colon first", False),
        ("<less first", False),
        ("line\nbreak", False),
        ("tab\there", False),
        ("Büro", False),
        ("🏢", False),
    ],
)
def test_a_value_that_is_not_safe_is_base64_and_every_value_is_read_back(name: str, is_safe: bool) -> None:
    policy = replace(s.small_policy(), name=name)
    written = write(policy)
    assert (f"\nipsecName: {name}\n".encode() in written) == is_safe
    assert load_ldif(written, "x").policy == in_directory(policy)


@pytest.mark.parametrize(
    "base", ["DC=corp,DC=example", "dc=a", "OU=Büro\\, 2,O=x y,C=NO", "2.5.4.11=x, DC=y", "DC=corp,DC=" + "x" * 200]
)
def test_any_base_dn_can_be_given(base: str) -> None:
    policy = s.small_policy()
    got = load_ldif(ldif.write(policy, base_dn=base), "x").policy
    assert got == in_directory(policy, base)


@pytest.mark.parametrize("base", ["", " ", "corp", "DC=", "=x", "DC=a,", ",DC=a", "DC=a,b", "DC=a\nDC=b", "DC=a\\", "DC=a\0"])
def test_what_is_no_dn_is_refused(base: str) -> None:
    with pytest.raises(ValueError, match="base DN"):
        ldif.write(s.small_policy(), base_dn=base)


def test_the_domain_is_that_of_the_policys_own_dn_when_it_is_not_given() -> None:
    policy = in_directory(s.small_policy())
    assert ldif.write(policy) == ldif.write(policy, base_dn=BASE)
    for dn in ("", "CN=ipsecPolicy{x},OU=elsewhere,DC=corp"):
        with pytest.raises(ValueError, match="give its DN as the base DN"):
            ldif.write(replace(policy, dn=dn))
    with pytest.raises(ValueError, match="give its DN as the base DN"):
        ldif.write([policy, replace(policy, guid=s.guid(9), dn=policy.dn.replace("corp", "other"))])


def test_a_key_is_only_written_when_secrets_are_asked_for() -> None:
    policy = keyed(s.small_policy())
    with pytest.raises(SecretsWithheldError, match="has a pre-shared key") as caught:
        write(policy)
    assert KEY not in str(caught.value)
    assert load_ldif(write(policy, secrets=True), "x").policy == in_directory(policy)


def test_the_example_and_the_whole_policy_are_read_back(data: Path | None) -> None:
    for policy in policies(data):
        loaded = load_ldif(write(policy), "x.ldif")
        assert loaded.policy == in_directory(policy)
        assert [finding for finding in loaded.findings if finding.severity.value != "info"] == []
        assert "PA134" not in {finding.code for finding in loaded.findings}


def test_several_policies_are_one_store() -> None:
    one, other = s.small_policy(), example.policy()
    loaded = load_ldif(ldif.write([one, other], base_dn=BASE), "x", "Small")
    assert loaded.policy == in_directory(one)
    assert set(loaded.policies) == {in_directory(one), in_directory(other)}
