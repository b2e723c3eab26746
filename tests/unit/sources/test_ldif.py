"""LDIF as ldapsearch, ldifde and people write it; damage is a finding with its line."""

import base64
import time
from dataclasses import replace
from pathlib import Path
from uuid import UUID

import pytest

from pastore.findings import Finding
from pastore.ipsecdata.objects import store
from pastore.model import Policy, Storage
from pastore.sources import Loaded, load
from pastore.sources.entries import seconds_of
from pastore.sources.ldif import load_ldif
from pastore.sources.log import LIMIT
from tests.support import stored as s
from tests.support.exporting import BASE, KEY, in_directory, keyed

STORE = f"CN=IP Security,CN=System,{BASE}"
POLICY = f"CN=ipsecPolicy{{{s.guid(1)}}},{STORE}"
GPO = "CN=IPSEC,CN=Windows,CN=Microsoft,CN=Machine,CN={{{}}},CN=Policies,CN=System," + BASE
SPELLED = {
    "ipsecnegotiationpolicytype": "iPSECNegotiationPolicyType",
    "ipsecnegotiationpolicyaction": "iPSECNegotiationPolicyAction",
    "ipsecdata": "ipsecData",
    "whenchanged": "whenChanged",
}


def content(policy: Policy, container: str = STORE) -> str:
    """Return the entries of a policy as ldapsearch prints them, in no helpful order."""
    records = []
    for stored in store(policy, container=container):
        lines = [f"dn: CN={stored.name},{container}"]
        for name, value in stored.attributes.items():
            for one in value if isinstance(value, tuple) else (value,):
                spelled = SPELLED.get(name, name)
                if isinstance(one, bytes):
                    lines.append(f"{spelled}:: {base64.b64encode(one).decode()}")
                elif name == "whenchanged" and isinstance(one, int):
                    lines.append("whenChanged: " + time.strftime("%Y%m%d%H%M%S.0Z", time.gmtime(one)))
                else:
                    lines.append(f"{spelled}: {one}")
        records.append("\n".join(lines) + "\n")
    return "\n".join(records) + "\n"


def pointer(number: int, policy: str | None) -> str:
    """Return the object of a Group Policy object that assigns a policy."""
    lines = ["dn: " + GPO.format(s.guid(number)), "objectClass: top", "objectClass: ipsecBase", "objectClass: ipsecPolicy"]
    if policy is not None:
        lines.append(f"ipsecOwnersReference: {policy}")
    return "\n".join(lines) + "\n\n"


def read(text: str | bytes, wanted: str | None = None) -> Loaded:
    return load_ldif(text if isinstance(text, bytes) else text.encode(), "x.ldif", wanted)


def only(loaded: Loaded, code: str) -> Finding:
    (finding,) = (finding for finding in loaded.findings if finding.code == code)
    return finding


def found(text: str | bytes) -> list[str]:
    """Return codes and lines of what is worth a warning."""
    return [
        f"{finding.code}:{finding.origin.line}"
        for finding in read(text).findings
        if finding.severity.value in ("error", "warning")
    ]


class TestWhatIsRead:
    def test_a_policy_of_the_directory_with_its_dn_and_the_place_of_every_part(self) -> None:
        policy = s.small_policy()
        loaded = read(content(policy))
        assert loaded.policy == in_directory(policy)
        assert isinstance(loaded.policy, Policy)
        assert loaded.policy.storage is Storage.DIRECTORY
        assert loaded.policy.dn == POLICY
        assert (loaded.policy.origin.source, loaded.policy.origin.line, loaded.policy.origin.locator) == ("x.ldif", 1, POLICY)
        assert loaded.findings == ()

    @pytest.mark.parametrize(
        ("old", "new"),
        [
            ("dn: ", "version: 1\n\ndn: "),
            ("dn: ", "# extended LDIF\n#\n# LDAPv3\n# a comment that is so long that it\n  goes on\n\ndn: "),
            ("dn: ", "version: 1\ndn: "),
            ("\n", "\r\n"),
            ("dn: ", "DN:"),
            ("dn: CN=", "dn: cn = "),
            ("ipsecData:: ", "ipsecData;binary::    "),
            ("ipsecData:: ", "IPSECDATA::"),
            ("whenChanged: ", "uSNChanged: 12345\nwhenCreated: 20200101000000.0Z\nwhenChanged: "),
            ("ipsecnfareference: ", "ipsecNFAReference;range=0-*: "),
            ("\n\n", "\n\n\n# a comment\n\n   \n\n"),
            ("dn: ", "dn: CN=Somebody,CN=Users,DC=x\nobjectClass: user\njpegPhoto:: AAAA\n\ndn: "),
            ("objectclass: ", "objectClass: top\nobjectClass: "),
        ],
    )
    def test_every_way_to_write_the_same(self, old: str, new: str) -> None:
        policy = s.small_policy()
        count = 1 if "version" in new else -1
        loaded = read(content(policy).replace(old, new, count))
        assert isinstance(loaded.policy, Policy)
        assert replace(loaded.policy, dn=POLICY) == in_directory(policy)
        assert loaded.findings == ()

    @pytest.mark.parametrize("width", [1, 2, 20, 76])
    def test_lines_folded_at_any_width(self, width: int) -> None:
        lines = content(s.small_policy()).split("\n")
        folded = ["\n ".join(line[at : at + width] for at in range(0, len(line), width)) for line in lines]
        # Folded anywhere, even inside the name of an attribute.
        assert read("\n".join(folded)).policy == in_directory(s.small_policy())

    @pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be"])
    def test_every_encoding_even_without_the_name_of_the_format(self, encoding: str) -> None:
        policy = replace(s.small_policy(), name="Büro 🏢")
        loaded = load_ldif(content(policy).encode(encoding), "x")
        assert loaded.policy == in_directory(policy)

    def test_what_ldapsearch_writes_behind_the_entries_is_no_damage(self) -> None:
        tail = (
            "# search reference\nref: ldap://forest.example/DC=x\n\n# search result\nsearch: 2\nresult: 0 Success\n\n"
            "# numResponses: 4\n# numEntries: 3\n"
        )
        assert read(content(s.small_policy()) + tail).findings == ()

    def test_changes_are_carried_out_in_the_order_in_which_they_stand(self) -> None:
        policy = s.small_policy()
        changes = (
            f"dn: {POLICY}\nchangetype: modify\nreplace: ipsecName\nipsecName: Renamed\n-\n"
            f"add: description\ndescription: new\n-\n\n"
            f"dn: {POLICY}\nchangetype: modify\ndelete: description\n-\n"
            f"delete: ipsecNFAReference\nipsecNFAReference: CN=ipsecNFA{{{s.guid(12)}}},{STORE}\n-\n\n"
            f"dn: CN=ipsecNFA{{{s.guid(12)}}},{STORE}\ncontrol: 1.2.840.113556.1.4.805 true\nchangetype: delete\n"
        )
        expected = replace(policy, name="Renamed", rules=(policy.rules[0], policy.rules[2]))
        assert read(content(policy) + changes).policy == in_directory(expected)

    def test_an_object_deleted_in_the_directory_is_not_there(self) -> None:
        text = f"dn: CN=ipsecPolicy{{{s.guid(8)}}}\\0ADEL:{s.guid(7)},CN=Deleted Objects,{BASE}\nipsecName: gone\n\n"
        loaded = read(text + content(s.small_policy()))
        assert loaded.policies == (in_directory(s.small_policy()),)
        assert loaded.findings == ()

    @pytest.mark.parametrize(
        ("text", "seconds"),
        [
            ("20220628040732.0Z", 1656389252),
            ("20220628040732Z", 1656389252),
            ("20220628060732+0200", 1656389252),
            ("20220628033732-0030", 1656389252),
            ("20220628040732,123Z", 1656389252),
            ("2022062804Z", 1656388800),
            ("19700101000000.0Z", 0),
            ("16010101000000.0Z", -11644473600),
            ("99991231235959.0Z", 253402300799),
            ("20221328040732.0Z", None),
            ("20220628040732", None),
            ("2022-06-28", None),
            ("", None),
        ],
    )
    def test_generalized_times(self, text: str, seconds: int | None) -> None:
        assert seconds_of(text) == seconds


class TestAssignment:
    def test_a_group_policy_object_assigns_the_policy_it_names(self) -> None:
        text = content(s.small_policy())
        for owner in (POLICY, POLICY.upper(), POLICY.replace(",", ", "), f"CN=ipsecPolicy{{{s.guid(1)}}},OU=another,DC=spelling"):
            loaded = read(text + pointer(51, owner))
            assert loaded.policy == replace(in_directory(s.small_policy()), assigned=True)
            assert loaded.findings == ()

    def test_of_two_policies_the_assigned_one_is_meant(self) -> None:
        other = replace(s.small_policy(), guid=s.guid(9), name="Other", rules=(), main_mode=None)
        text = content(s.small_policy()) + content(other)
        assert only(read(text), "PA105").message.startswith("none of 2 policies is assigned")
        loaded = read(pointer(51, POLICY) + text + pointer(52, POLICY))
        assert isinstance(loaded.policy, Policy)
        assert (loaded.policy.name, loaded.policy.assigned) == ("Small", True)
        assert [policy.assigned for policy in loaded.policies] == [False, True]

    def test_group_policy_objects_that_do_not_agree_decide_nothing(self) -> None:
        other = replace(s.small_policy(), guid=s.guid(9), name="Other", rules=(), main_mode=None)
        second = POLICY.replace(str(s.guid(1)), str(s.guid(9)))
        text = content(s.small_policy()) + content(other) + pointer(51, POLICY) + pointer(52, second)
        loaded = read(text)
        assert loaded.policy is None
        finding = only(loaded, "PA405")
        assert "2 Group Policy objects assign 2 different policies" in finding.message
        assert finding.origin.locator == GPO.format(s.guid(51))
        assert finding.origin.line == text[: text.index("ipsecOwnersReference: " + POLICY)].count("\n") + 1
        only(loaded, "PA105")
        chosen = read(text, "Other").policy
        assert isinstance(chosen, Policy)
        assert not chosen.assigned

    def test_a_pointer_to_a_policy_that_was_deleted_is_told_with_its_place(self) -> None:
        gone = POLICY.replace(str(s.guid(1)), str(s.guid(9)))
        text = content(s.small_policy()) + pointer(51, gone)
        finding = only(read(text), "PA135")
        assert finding.origin.line == text.count("\n") - 1
        assert finding.origin.locator == GPO.format(s.guid(51))
        assert read(text).policy == in_directory(s.small_policy())

    @pytest.mark.parametrize(
        "text",
        [pointer(51, None), pointer(51, POLICY).replace("objectClass: ipsecPolicy", "objectClass: container")],
    )
    def test_a_pointer_without_a_policy_assigns_none(self, text: str) -> None:
        assert read(content(s.small_policy()) + text) == read(content(s.small_policy()))

    def test_domains_of_one_forest_have_policies_of_the_same_guid(self) -> None:
        child = "CN=IP Security,CN=System,DC=child,DC=corp,DC=example"
        policy, twin = s.small_policy(), replace(s.small_policy(), name="Twin")
        owner = f"CN=ipsecPolicy{{{s.guid(1)}}},{child}"
        loaded = read(content(policy) + content(twin, child) + pointer(51, owner))
        assert [(one.name, one.assigned, one.dn) for one in loaded.policies] == [("Small", False, POLICY), ("Twin", True, owner)]
        assert loaded.findings == ()


class TestDamage:
    @pytest.mark.parametrize(
        ("old", "new", "expected"),
        [
            ("ipsecdatatype: 256\n", "this is no attribute\n", ["PA180:3"]),
            ("ipsecdatatype: 256\n", "not an attribute: x\n", ["PA180:3"]),
            ("dn: ", " x\n\ndn: ", ["PA180:1"]),
            ("dn: ", "version: 2\n\ndn: ", ["PA180:1"]),
            ("whenChanged: ", "whenChanged: x", ["PA126:13"]),
            ("ipsecname: Small\n", "ipsecName:< file:///etc/passwd\n", ["PA180:8"]),
            ("ipsecname: Small\n", "ipsecName:: U21hbG\n", ["PA180:8"]),
            ("ipsecname: Small\n", "ipsecName:: U21h!GwK\n", ["PA180:8"]),
            ("ipsecname: Small\n", "ipsecName: Small\nipsecName: Other\n", ["PA112:8"]),
            ("ipsecname: Small\n", "ipsecName:: U21h/2xs\n", ["PA113:8"]),
            ("ipsecnfareference: ", "ipsecNFAReference;range=0-1499: ", ["PA180:9", "PA180:10", "PA180:11"]),
            ("dn: ", "ipsecName: lost\n\ndn: ", ["PA180:1"]),
            ("dn: ", "dn:: /////w==\nipsecName: x\n\ndn: ", ["PA180:1"]),
            ("dn: ", f"dn: CN=ipsecNFA{{x}},{STORE}\nchangetype: modrdn\n\ndn: ", ["PA180:1"]),
            ("dn: ", f"dn: CN=ipsecNFA{{x}},{STORE}\nchangetype: modify\nadd: cn\n-\n\ndn: ", ["PA180:1"]),
            ("dn: ", f"dn: CN=ipsecNFA{{x}},{STORE}\nipsecName: x\n\ndn: ", ["PA126:1"]),
        ],
    )
    def test_a_finding_with_the_line_and_the_rest_is_read(self, old: str, new: str, expected: list[str]) -> None:
        text = content(s.small_policy())
        count = -1 if "range" in new else 1
        damaged = text.replace(old, new, count)
        assert damaged != text
        assert found(damaged) == expected
        policy = read(damaged).policy
        assert isinstance(policy, Policy)
        assert policy.rules == s.small_policy().rules

    def test_a_modification_that_is_none_is_told(self) -> None:
        text = content(s.small_policy())
        changes = f"dn: {POLICY}\nchangetype: modify\nincrement: ipsecDataType\n-\nadd: ipsecName\ndescription: x\n-\n"
        at = text.count("\n")
        assert found(text + changes) == [f"PA180:{at + 3}", f"PA180:{at + 6}"]

    def test_data_that_is_not_base64_costs_the_object_that_needs_it(self) -> None:
        text = content(s.small_policy())
        at = text.index("ipsecData:: ", text.index(f"dn: CN=ipsecNFA{{{s.guid(12)}}}")) + 12
        loaded = read(text[:at] + "*" + text[at:])
        assert {finding.code for finding in loaded.findings} >= {"PA180", "PA133"}
        assert isinstance(loaded.policy, Policy)
        assert [rule.guid for rule in loaded.policy.rules] == [s.guid(11), s.guid(13)]
        assert loaded.policy.missing == (f"ipsecNFA{{{s.guid(12)}}}",)

    def test_an_entry_that_stands_twice_is_told_and_the_first_is_used(self) -> None:
        text = content(s.small_policy())
        loaded = read(text + text.split("\n\n")[0].replace("Small", "Again") + "\n")
        assert isinstance(loaded.policy, Policy)
        assert loaded.policy.name == "Small"
        assert only(loaded, "PA131").origin.line == text.count("\n") + 1

    def test_ldif_without_a_policy_is_told(self) -> None:
        for text in ("", "dn: CN=x\ncn: x\n", "version: 1\n", pointer(51, None)):
            loaded = read(text)
            assert loaded.policy is None
            only(loaded, "PA103")

    def test_a_key_in_damaged_data_is_in_no_message(self) -> None:
        text = content(keyed(s.small_policy()))
        assert isinstance(read(text).policy, Policy)
        everything = ""
        for at in range(0, len(text), 397):
            for piece in ("*", "\n", "\n\n", "\n ", ":", "\xff"):
                everything += repr(read(text[:at] + piece + text[at:]))
        wide = KEY.encode("utf-16-le")
        # Whatever the key's place among three bytes, one of these is in the base64 of data that holds it.
        encoded = [base64.b64encode(bytes(shift) + wide)[4:-4].decode() for shift in range(3)]
        assert any(one in text for one in encoded)
        assert [form for form in (KEY, *encoded, wide.hex()) if form in everything] == []


class TestBounds:
    def test_findings_are_listed_up_to_a_limit_and_counted(self) -> None:
        findings = read("nonsense\n\n" * 5000).findings
        told = [finding.message for finding in findings if finding.code == "PA180"]
        # Each is no attribute, and so no DN either.
        assert len(told) == LIMIT + 1
        assert told[-1] == f"and {2 * 5000 - LIMIT} more like this, not listed"

    @pytest.mark.parametrize(
        "text",
        [
            b"dn: " + b"CN=x," * 2_000_000,
            b"dn: CN=x\nipsecData:: " + b"QUFB" * 2_500_000,
            f"dn: {POLICY}\nipsecData:: ".encode() + b"QUFB" * 2_500_000,
            f"dn: {POLICY}\nipsecName: ".encode() + b"x" * 10_000_000,
            b"dn: CN=ipsecPolicy{" + b"x" * 10_000_000,
            b"dn: x\n" + b" y\n" * 500_000,
            b"# " + b"x" * 10_000_000,
            b"\n" * 1_000_000,
            b"x\n" * 300_000,
            b" \n" * 300_000,
            f"dn: {POLICY}\n".encode() + b"ipsecOwnersReference: x\n" * 50_000,
            (
                content(s.small_policy())
                + f"dn: {POLICY}\nchangetype: modify\n"
                + "delete: ipsecName\nipsecName: x\n-\n" * 30_000
            ).encode(),
        ],
    )
    def test_long_lines_and_many_are_done_with_in_time(self, text: bytes) -> None:
        start = time.perf_counter()
        loaded = read(text)
        assert time.perf_counter() - start < 10
        assert len(loaded.findings) < 10 * LIMIT
        assert all(len(finding.message) < 2000 for finding in loaded.findings)

    def test_many_pointers_and_many_policies_are_done_with_in_time(self) -> None:
        small = replace(s.small_policy(), rules=(), main_mode=None)
        text = "".join(content(replace(small, guid=UUID(int=n + 1))) for n in range(1500)) + "".join(
            pointer(n, POLICY.replace(str(s.guid(1)), str(UUID(int=n + 1)))) for n in range(1500)
        )
        start = time.perf_counter()
        loaded = read(text)
        assert time.perf_counter() - start < 10
        assert len(loaded.policies) == 1500
        only(loaded, "PA405")


def test_load_takes_a_file_told_by_its_bytes_or_by_name(tmp_path: Path) -> None:
    path = tmp_path / "x.txt"
    path.write_text(content(s.small_policy()))
    assert load(path).policy == load(path, format="ldif", policy="Small").policy == in_directory(s.small_policy())
