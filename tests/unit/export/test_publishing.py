"""What has to be written, where the directory holds something already: by whomever, spelled however, damaged or half done."""

import time
from dataclasses import replace

import pytest

from pastore.directory import DirectoryError
from pastore.directory.writing import Add, Delete, Modify, Operation
from pastore.export import ldif
from pastore.export.publishing import Plan, check_whole, plan
from pastore.ipsecdata.objects import ObjectName, StoredObject, store
from pastore.ipsecdata.stored import POLICY
from pastore.model import Action, FilterAction, Policy
from tests.support import stored as s
from tests.support.exporting import KEY, keyed
from tests.support.policy_store import CONTAINER, MemoryStore, in_store

ROOT = ObjectName(POLICY, s.guid(1))


class Unchecked(MemoryStore):
    """A store that is not looked through after every write."""

    def look_for_dangling(self, change: object = None) -> None:
        pass


def windows(policy: Policy, *, spelled: bool = True) -> MemoryStore:
    """Return a store in which another program wrote a policy: names in capital letters, and the policy object last."""
    made = MemoryStore()
    objects = store(policy, container=CONTAINER)
    made.put(_spelled(one) if spelled else one for one in (*objects[1:], objects[0]))
    return made


def _spelled(stored: StoredObject) -> StoredObject:
    def upper(text: str) -> str:
        head, _, rest = text.partition("{")
        return f"{head}{{{rest.partition('}')[0].upper()}}}{rest.partition('}')[2]}" if "{" in text else text

    attributes = {
        name: tuple(map(upper, value)) if isinstance(value, tuple) else upper(value) if isinstance(value, str) else value
        for name, value in stored.attributes.items()
    }
    return replace(stored, name=upper(stored.name), attributes=attributes)


def planned(found: MemoryStore, policy: Policy, *, remove: bool = False) -> Plan:
    return plan(policy, found.objects(), CONTAINER, remove_unused=remove)


def renamed() -> Policy:
    small = s.small_policy()
    return replace(small, rules=(*small.rules[:2], replace(small.rules[2], name="Renamed")))


def test_what_another_program_wrote_is_the_same_in_capital_letters() -> None:
    assert planned(windows(s.small_policy()), s.small_policy()).changes == ()


def test_what_is_there_keeps_its_spelling_and_is_changed_in_place() -> None:
    found = windows(s.small_policy())
    rule, policy = planned(found, renamed()).changes
    assert isinstance(rule, Modify)
    assert rule.dn == f"CN=ipsecNFA{{{str(s.guid(13)).upper()}}},{CONTAINER}"
    assert [(step.operation, step.attribute, step.values) for step in rule.steps] == [
        (Operation.REPLACE, "ipsecName", (b"Renamed",))
    ]
    assert isinstance(policy, Modify)
    assert [(step.attribute, step.values) for step in policy.steps] == [("ipsecDataType", (b"598",))]


@pytest.mark.parametrize(("held", "fresh"), [("256", b"598"), ("598", b"256"), ("", b"256"), ("7", b"256")])
def test_touching_alternates_between_the_two_types_that_windows_knows(held: str, fresh: bytes) -> None:
    found = windows(s.small_policy())
    found.entries[ROOT][1]["ipsecdatatype"] = [held.encode()] if held else []
    last = planned(found, renamed()).changes[-1]
    assert isinstance(last, Modify)
    assert last.steps[0].values == (fresh,)


def test_bytes_without_a_meaning_are_left_alone() -> None:
    found = windows(s.small_policy())
    values = found.entries[ROOT][1]["ipsecdata"]
    values[0] = values[0][:20] + b"\0\0\0\0"  # 0 stands for 10800, and the pad is not there
    assert planned(found, s.small_policy()).changes == ()
    (change,) = planned(found, replace(s.small_policy(), polling_interval=600)).changes
    assert isinstance(change, Modify)
    assert [step.attribute for step in change.steps] == ["ipsecData"]


def test_damaged_bytes_are_written_anew() -> None:
    found = windows(s.small_policy(), spelled=False)
    name = ObjectName("ipsecFilter", s.guid(22))
    found.entries[name][1]["ipsecdata"] = [b"damaged"]
    changes = planned(found, s.small_policy()).changes
    assert [change.dn.partition("{")[0] for change in changes] == ["CN=ipsecFilter", "CN=ipsecPolicy"]
    for change in changes:
        found.write(change)
    assert found.read()[0] == (in_store(s.small_policy()),)


def test_references_to_deleted_objects_are_replaced() -> None:
    """Active Directory renames them; they cannot be named to be taken away."""
    found = Unchecked()
    found.put(store(s.small_policy(), container=CONTAINER))
    deleted = f"CN=ipsecFilter{{{s.guid(99)}}}\\0ADEL:{s.guid(98)},CN=Deleted Objects,DC=corp,DC=example".encode()
    rule = found.entries[ObjectName("ipsecNFA", s.guid(12))][1]
    rule["ipsecfilterreference"].append(deleted)
    found.entries[ObjectName("ipsecFilter", s.guid(21))][1]["ipsecownersreference"].append(deleted)
    for change in planned(found, s.small_policy()).changes:
        found.write(change)
    assert deleted not in b"".join(rule["ipsecfilterreference"])
    assert found.read()[1] == ()


def test_a_store_whose_policy_is_older_than_a_child_is_touched_once() -> None:
    found = windows(s.small_policy())
    found.entries[ObjectName("ipsecNFA", s.guid(12))][1]["usnchanged"] = [b"2000"]
    found.usn = 2000
    (change,) = planned(found, s.small_policy()).changes
    found.write(change)
    assert planned(found, s.small_policy()).changes == ()


def test_pa178_an_entry_of_another_class() -> None:
    found = windows(s.small_policy())
    found.entries[ObjectName("ipsecFilter", s.guid(21))][1]["objectclass"] = [b"top", b"container"]
    with pytest.raises(DirectoryError, match="is no ipsecFilter; it would have to be deleted first") as refused:
        planned(found, s.small_policy())
    assert refused.value.code == "PA178"


def test_pa136_what_is_no_longer_used_is_told_and_removed_only_when_asked() -> None:
    small = s.small_policy()
    found = windows(small)
    less = replace(small, rules=small.rules[:2])
    kept = planned(found, less)
    assert [finding.code for finding in kept.findings] == ["PA136", "PA136"]
    assert {finding.message.partition("{")[0] for finding in kept.findings} == {"ipsecNFA", "ipsecFilter"}
    assert not any(isinstance(change, Delete) for change in kept.changes)
    gone = planned(found, less, remove=True)
    assert gone.findings == ()
    assert [change.dn.partition("{")[0] for change in gone.changes if isinstance(change, Delete)] == [
        "CN=ipsecNFA",
        "CN=ipsecFilter",
    ]


def test_lists_that_never_belonged_to_the_policy_and_those_of_strangers_stay() -> None:
    small = s.small_policy()
    found = windows(small, spelled=False)
    spare = FilterAction(s.guid(50), "Spare", Action.ALLOW)
    other = replace(small, guid=s.guid(51), name="Other", rules=(replace(small.rules[2], guid=s.guid(52), filter_action=spare),))
    objects = store(other, container=CONTAINER)
    known = {str(name) for name in found.entries}
    found.put(one for one in objects if one.name not in known and "52" not in one.name)
    found.put(one for one in objects if "00000034" in one.name or one.name == f"ipsecNFA{{{s.guid(52)}}}")
    less = replace(small, rules=small.rules[:2])
    gone = {change.dn for change in planned(found, less, remove=True).changes if isinstance(change, Delete)}
    assert gone == {f"CN=ipsecNFA{{{s.guid(13)}}},{CONTAINER}"}  # its list is the other rule's too


def test_keys_are_named_where_they_are_written_and_shown_nowhere() -> None:
    secret = keyed(s.small_policy())
    made = planned(MemoryStore(), secret)
    assert len(made.keys) == 3
    assert KEY.encode("utf-16-le").hex() not in repr(made)
    assert KEY not in repr(made)
    assert "ipsecData" in repr(made.changes[0])
    found = windows(secret)
    assert planned(found, secret).keys == frozenset()
    other = keyed(s.small_policy(), "Another key")
    changes = planned(found, other)
    assert len(changes.keys) == 3
    assert "Another" not in repr(changes)
    assert planned(windows(s.small_policy()), renamed()).keys == frozenset()


def test_ldif_of_changes_holds_text_as_text_and_names_what_is_taken_away() -> None:
    found = windows(s.small_policy())
    small = s.small_policy()
    less = replace(small, name="Büro", description="", rules=small.rules[:2])
    text = ldif.changes(planned(found, less, remove=True).changes).decode()
    assert "changetype: modify\nreplace: ipsecName\nipsecName:: QsO8cm8=\n-\n" in text
    assert "delete: ipsecNFAReference\nipsecNFAReference: CN=ipsecNFA{" in text
    assert text.endswith("changetype: delete\n")
    assert ldif.changes(()) == b"version: 1\n"
    added = planned(MemoryStore(), small).changes[0]
    assert isinstance(added, Add)
    assert "objectClass: ipsecFilter\n" in ldif.changes([added]).decode()


def test_a_policy_without_guids_or_parts_is_refused() -> None:
    with pytest.raises(ValueError, match="is missing"):
        check_whole(replace(s.small_policy(), missing=("ipsecNFA{x}",)))
    with pytest.raises(ValueError, match="without a GUID"):
        planned(MemoryStore(), replace(s.small_policy(), guid=s.guid(1).__class__(int=0)))


def test_five_hundred_rules_are_planned_in_a_moment() -> None:
    small = s.small_policy()
    rules = tuple(
        replace(
            small.rules[2],
            guid=s.guid(10_000 + number),
            filter_lists=(replace(small.rules[2].filter_lists[0], guid=s.guid(20_000 + number)),),
        )
        for number in range(500)
    )
    large = replace(small, rules=rules)
    found = Unchecked()
    for change in planned(found, large).changes:
        found.write(change)
    start = time.process_time()
    assert planned(found, large).changes == ()
    assert time.process_time() - start < 5
