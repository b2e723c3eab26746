"""Stored policy: nothing raises, well-formed blobs keep their bytes, policies survive being stored."""

from collections.abc import Callable
from types import ModuleType
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from pastore.findings import Severity
from pastore.ipsecdata import filter_list, isakmp, meaning, negotiation, nfa, policy
from pastore.ipsecdata.blob import FILTERS_V2
from pastore.ipsecdata.objects import Graph, StoredObject, build, parse_name, store
from pastore.model import NOWHERE, Origin, Policy, Storage
from tests.support import stored as s

CODECS: tuple[tuple[ModuleType, st.SearchStrategy[Any]], ...] = (
    (policy, s.policy_blobs),
    (isakmp, s.isakmp_blobs),
    (negotiation, s.negotiation_blobs),
    (nfa, s.nfa_blobs()),
    (filter_list, s.filter_list_blobs()),
)
HEADERS = (
    b"",
    s.POLICY[:16],
    s.ISAKMP_W2K[:16],
    s.NEGOTIATION_W2K[:16],
    s.NFA_W10[:16],
    s.ICMP_W2K[:16],
    FILTERS_V2.bytes_le,
)
blobs = st.one_of(*(strategy.map(codec.encode) for codec, strategy in CODECS))
decoders = st.sampled_from([codec for codec, _ in CODECS])


def check(codec: Any, data: bytes) -> None:
    """Decode anything: it does not raise, explains itself, and what it gives encodes to the same bytes."""
    blob, findings = codec.decode(data, Origin("x", "key\\ipsecData"))
    if blob is None:
        assert any(finding.severity is Severity.ERROR for finding in findings)
    else:
        assert codec.encode(blob) == data
    for finding in findings:
        offset = int(finding.origin.locator.removeprefix("key\\ipsecData+0x"), 16)
        assert 0 <= offset <= len(data)


@settings(deadline=1000)
@given(decoders, st.sampled_from(HEADERS), st.binary(max_size=400))
def test_arbitrary_bytes_never_raise_and_are_kept(codec: ModuleType, header: bytes, rest: bytes) -> None:
    check(codec, header + rest)


@settings(deadline=1000)
@given(blobs, st.data())
def test_truncated_blobs_never_raise_and_are_kept(data: bytes, draw: st.DataObject) -> None:
    cut = data[: draw.draw(st.integers(0, len(data)))]
    for codec, _ in CODECS:
        check(codec, cut)


@settings(deadline=1000)
@given(blobs, st.lists(st.tuples(st.integers(0, 10_000), st.sampled_from((0, 1, 2, 4, 0x7F, 0x80, 0xFF))), max_size=6))
def test_mutated_blobs_never_raise_and_are_kept(data: bytes, edits: list[tuple[int, int]]) -> None:
    mutated = bytearray(data)
    for at, value in edits:
        mutated[at % len(mutated)] = value
    for codec, _ in CODECS:
        check(codec, bytes(mutated))


@pytest.mark.parametrize(("codec", "strategy"), CODECS, ids=lambda value: getattr(value, "__name__", "").rpartition(".")[2])
def test_well_formed_blobs_round_trip_without_a_finding(codec: Any, strategy: st.SearchStrategy[Any]) -> None:
    @settings(deadline=None)
    @given(strategy)
    def round_trip(blob: Any) -> None:
        decoded, findings = codec.decode(codec.encode(blob), NOWHERE)
        assert decoded == blob
        assert findings == ()

    round_trip()


@settings(deadline=None)
@given(s.filter_list_blobs() | st.builds(lambda f: filter_list.FilterListBlob(None, filter_list.Section2((f,))), s.filter_blobs2))
def test_a_filter_goes_missing_only_when_another_stands_for_it(blob: filter_list.FilterListBlob) -> None:
    stored = (blob.section1.filters if blob.section1 else ()) + (blob.section2.filters if blob.section2 else ())
    flagged = {spec.guid for spec in blob.section2.filters if spec.flags} if blob.section2 else set()
    lost = sum(spec.guid in flagged for spec in (blob.section1.filters if blob.section1 else ()))
    assert len(meaning.filters_of(blob, NOWHERE)) == len(stored) - lost


@given(st.binary(min_size=8, max_size=8), st.integers(0, 9), st.integers(0, 40))
def test_a_filter_without_meaning_is_an_error_finding(noise: bytes, where: int, shift: int) -> None:
    data = bytearray(
        filter_list.encode(filter_list.FilterListBlob(None, filter_list.Section2((filter_list.FilterBlob2(s.guid(1)),))))
    )
    start = 28 + 18 + 20 + (where * 11 + shift) % 90
    data[start : start + 8] = noise
    blob, findings = filter_list.decode(bytes(data), NOWHERE)
    assert blob is not None
    read = meaning.filters_of(blob, NOWHERE)
    assert (not read) == any(finding.severity is Severity.ERROR for finding in findings)


def rebuild(original: Policy, **options: Any) -> Graph:
    """Store a policy and build it again."""
    assigned = f"ipsecPolicy{{{original.guid}}}" if original.assigned else None
    return build(store(original, **options), storage=original.storage, assigned=assigned, default_exempt=original.default_exempt)


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(s.policies())
def test_a_stored_policy_is_built_again(original: Policy) -> None:
    assert rebuild(original).policies == (original,)


def mutate(draw: Callable[[st.SearchStrategy[Any]], Any], objects: list[StoredObject]) -> list[StoredObject]:
    """Damage a store: references bent, values removed or of another type, bytes changed, objects lost or doubled."""
    references = [
        key
        for key in ("ipsecnfareference", "ipsecfilterreference", "ipsecisakmpreference", "ipsecnegotiationpolicyreference")
        for _ in range(3)
    ]
    keys = (*references, "ipsecdata", "ipsecdata", "ipsecname", "ipsecid", "whenchanged", "ipsecownersreference", "description")
    names = [one.name for one in objects]
    for _ in range(draw(st.integers(0, 5))):
        index = draw(st.integers(0, len(objects) - 1))
        victim = objects[index]
        key = draw(st.sampled_from(keys))
        kind = draw(st.integers(0, 6))
        if kind == 0:
            objects.append(s.changed(victim, ipsecname="again"))
        elif kind == 1 and len(objects) > 1:
            del objects[index]
        elif kind == 2:
            objects[index] = s.changed(victim, **{key: None})
        elif kind == 3:
            objects[index] = s.changed(victim, **{key: draw(st.sampled_from((7, "text", b"\1\2", ("a", "b"), ())))})
        elif kind in (4, 5):
            bent = draw(st.sampled_from(references))
            targets = tuple(draw(st.lists(st.sampled_from([*names, "garbage", "CN=" + names[0] + ",DC=x"]), max_size=3)))
            objects[index] = s.changed(victim, **{bent: targets})
        else:
            data = bytearray(victim.attributes.get("ipsecdata", b"") if kind == 6 else b"")
            if data:
                data[draw(st.integers(0, len(data) - 1))] = draw(s.u8)
                objects[index] = s.changed(victim, ipsecdata=bytes(data[: draw(st.integers(len(data) // 2, len(data)))]))
    return objects


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.data())
def test_a_damaged_store_never_raises_and_what_was_read_can_be_stored_again(draw: st.DataObject) -> None:
    objects = mutate(draw.draw, store(s.small_policy()))
    graph = build(objects, storage=Storage.CACHE, assigned=objects[0].name)
    for built in graph.policies:
        assert rebuild(built).policies == (built,)


@given(st.text(max_size=60))
@example("ipsecNFA{}")
@example("CN=ipsecNFA{zzzzzzzz-0000-0000-0000-000000000000},CN=x")
def test_a_reference_that_is_no_name_is_none(text: str) -> None:
    assert parse_name(text) is None or "{" in text


@given(
    s.u32,
    st.sampled_from(
        ("{0}", "CN={0},CN=IP Security,DC=a\\,b", "cn = {0} , DC=x", "A\\B\\{0}", "A\\b,c\\{0}", "LDAP://h/CN={0},DC=x")
    ),
)
def test_every_spelling_of_a_reference_means_the_same_object(number: int, form: str) -> None:
    name = f"ipsecNFA{{{s.guid(number)}}}"
    wanted = parse_name(name)
    assert wanted is not None
    assert str(wanted) == name
    for spelling in (name, name.upper(), name.replace("{", "{ ").replace("}", " }")):
        assert parse_name(form.format(spelling)) == wanted
