"""Publishing any policy over any other: the store is whole after every single write, and in the end it holds the policy."""

from dataclasses import replace
from uuid import UUID

from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from pastore.directory.writing import Delete
from pastore.export.publishing import plan
from pastore.ipsecdata.objects import ObjectName
from pastore.ipsecdata.stored import POLICY
from pastore.model import FilterList, MainMode, Policy, Rule
from tests.support import stored as s
from tests.support.policy_store import CONTAINER, MemoryStore, in_store

MODE = MainMode(s.guid(2), "Exchange", methods=s.small_policy().main_mode.methods)  # type: ignore[union-attr]

# Each example is a publication for every write of another, so a failing one is shown as it is.
SETTINGS = settings(
    max_examples=25, deadline=None, phases=[Phase.explicit, Phase.generate], suppress_health_check=list(HealthCheck)
)


def whole(policy: Policy) -> Policy:
    """Return a policy without what a directory could not keep."""
    rules = tuple(
        replace(rule, missing=())
        for rule in policy.rules
        if rule.filter_action is not None and (rule.filter_lists or rule.default_response)
    )
    return replace(policy, rules=rules, missing=(), main_mode=policy.main_mode or MODE)


@st.composite
def pairs(draw: st.DrawFn) -> tuple[Policy, Policy]:
    """Return two policies of one GUID that share some objects, changed or not, and have others each."""
    one, other = whole(draw(s.policies())), whole(draw(s.policies()))
    kept: list[Rule] = []
    renamed: dict[UUID, FilterList] = {}
    for rule in one.rules:
        fate = draw(st.integers(0, 4))
        if fate == 0:
            continue
        if fate == 1 and rule.filter_lists:
            first = rule.filter_lists[0]
            changed = replace(first, name=first.name + "!", filters=first.filters[:1])
            kept.append(rule)
            renamed[first.guid] = changed
        elif fate == 2:
            kept.append(replace(rule, name=rule.name + "!", active=not rule.active))
        elif fate == 3 and len(rule.filter_lists) > 1:
            kept.append(replace(rule, filter_lists=rule.filter_lists[1:]))
        else:
            kept.append(rule)
    rules = [_with(rule, renamed) for rule in kept]
    if draw(st.booleans()):  # what of the other policy can stand beside this one: a GUID stands for one thing
        taken = set().union(*map(_guids, one.rules))
        rules += [rule for rule in other.rules if taken.isdisjoint(_guids(rule))]
    main_mode = draw(st.sampled_from((one.main_mode, other.main_mode)))
    made = replace(
        draw(st.sampled_from((one, other))),
        guid=one.guid,
        rules=tuple(sorted(rules, key=lambda rule: rule.guid)),
        main_mode=main_mode,
    )
    return one, made


def _guids(rule: Rule) -> set[UUID]:
    return {rule.guid, *([rule.filter_action.guid] if rule.filter_action else []), *(one.guid for one in rule.filter_lists)}


def _with(rule: Rule, renamed: dict[UUID, FilterList]) -> Rule:
    return replace(rule, filter_lists=tuple(renamed.get(one.guid, one) for one in rule.filter_lists))


def look(store: MemoryStore, before: Policy | None, after: Policy) -> None:
    """Hold what a reader finds at some moment against the policy before and after."""
    policies, errors = store.read()
    assert errors == ()
    read = next((one for one in policies if one.guid == after.guid), None)
    if read is None:
        assert before is None
        return
    both = [in_store(after), *([in_store(before)] if before else [])]
    assert {rule.guid for rule in read.rules} in [{rule.guid for rule in one.rules} for one in both]
    assert read.main_mode in [one.main_mode for one in both]
    assert bare(read) in [bare(one) for one in both]
    rules = [rule for one in both for rule in one.rules]
    lists = [one for rule in rules for one in rule.filter_lists]
    actions = [rule.filter_action for rule in rules]
    known = [(bare_rule(rule), tuple(one.guid for one in rule.filter_lists)) for rule in rules]
    for rule in read.rules:
        assert (bare_rule(rule), tuple(one.guid for one in rule.filter_lists)) in known
        assert rule.filter_action in actions
        assert all(one in lists for one in rule.filter_lists)


def bare(policy: Policy) -> Policy:
    return replace(policy, rules=(), main_mode=None)


def bare_rule(rule: Rule) -> Rule:
    action = rule.filter_action and replace(rule.filter_action, name="", description="", offers=())
    return replace(rule, filter_lists=(), filter_action=action)


def published(store: MemoryStore, policy: Policy, *, remove: bool = False) -> int:
    made = plan(policy, store.objects(), CONTAINER, remove_unused=remove)
    for change in made.changes:
        store.write(change)
    return len(made.changes)


@SETTINGS
@given(pairs(), st.booleans())
def test_after_every_write_the_store_is_whole_and_the_rest_can_be_done_later(pair: tuple[Policy, Policy], remove: bool) -> None:
    before, after = pair
    store = MemoryStore()
    published(store, before)
    look(store, None, before)
    made = plan(after, store.objects(), CONTAINER, remove_unused=remove)
    for change in made.changes:
        again = store.copy()
        published(again, after, remove=remove)
        end(again, after, remove=remove)
        store.write(change)
        look(store, before, after)
    end(store, after, remove=remove)


@SETTINGS
@given(s.policies().map(whole))
def test_a_new_policy_is_not_seen_before_it_is_whole(policy: Policy) -> None:
    store = MemoryStore()
    for change in plan(policy, [], CONTAINER).changes:
        again = store.copy()
        published(again, policy)
        end(again, policy, remove=False)
        store.write(change)
        look(store, None, policy)
    end(store, policy, remove=True)


def end(store: MemoryStore, policy: Policy, *, remove: bool) -> None:
    """Look whether all is done: the policy is there, its object written last, and nothing is left to write."""
    policies, errors = store.read()
    assert errors == ()
    assert [one for one in policies if one.guid == policy.guid] == [in_store(policy)]
    assert plan(policy, store.objects(), CONTAINER, remove_unused=remove).changes == ()
    root = ObjectName(POLICY, policy.guid)
    assert all(store.usn_of(name) <= store.usn_of(root) for name in reached(policy))
    if remove:
        assert set(store.entries) == {root, *reached(policy)}


def reached(policy: Policy) -> set[ObjectName]:
    assert policy.main_mode is not None
    names = {ObjectName("ipsecISAKMPPolicy", policy.main_mode.guid)}
    for rule in policy.rules:
        assert rule.filter_action is not None
        names |= {ObjectName("ipsecNFA", rule.guid), ObjectName("ipsecNegotiationPolicy", rule.filter_action.guid)}
        names |= {ObjectName("ipsecFilter", one.guid) for one in rule.filter_lists}
    return names


@SETTINGS
@given(pairs())
def test_what_is_removed_can_be_removed_later_too(pair: tuple[Policy, Policy]) -> None:
    before, after = pair
    store = MemoryStore()
    published(store, before)
    published(store, after)
    made = plan(after, store.objects(), CONTAINER, remove_unused=True).changes
    assert isinstance(made[-1], Delete) if made else True
    for change in made:
        again = store.copy()
        published(again, after, remove=True)
        end(again, after, remove=True)
        store.write(change)
        look(store, before, after)
    end(store, after, remove=True)
