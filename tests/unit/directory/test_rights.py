"""The right Apply Group Policy in security descriptors, bytes by hand from [MS-DTYP] 2.4."""

import struct
from uuid import UUID

import pytest

from pastore.directory.rights import APPLY_GROUP_POLICY, Right, may_apply, sid_text

ME = "S-1-5-21-1-2-3-1105"
TOKEN = frozenset((ME, "S-1-5-11"))
OTHER_RIGHT = UUID("00299570-246d-11d0-a768-00aa006e0529")


def sid(text: str) -> bytes:
    _, revision, authority, *parts = text.split("-")
    head = bytes((int(revision), len(parts))) + int(authority).to_bytes(6, "big")
    return head + b"".join(struct.pack("<I", int(part)) for part in parts)


def ace(kind: int, mask: int, who: str, *, right: UUID | None = None, inherited: UUID | None = None, flags: int = 0) -> bytes:
    body = struct.pack("<I", mask)
    if kind in (5, 6):
        body += struct.pack("<I", (right is not None) + 2 * (inherited is not None))
        body += b"".join(one.bytes_le for one in (right, inherited) if one is not None)
    body += sid(who)
    return struct.pack("<BBH", kind, flags, 4 + len(body)) + body


def descriptor(*aces: bytes, control: int = 0x8004) -> bytes:
    acl = struct.pack("<BBHHH", 4, 0, 8 + sum(map(len, aces)), len(aces), 0) + b"".join(aces)
    return struct.pack("<BBHIIII", 1, 0, control, 0, 0, 0, 20) + acl


ALLOW, DENY, ALLOW_OBJECT, DENY_OBJECT, CONDITIONAL = 0, 1, 5, 6, 9
CONTROL, GENERIC_ALL, READ = 0x100, 0x10000000, 0x10


@pytest.mark.parametrize(
    ("aces", "right"),
    [
        ((), Right.ABSENT),
        ((ace(ALLOW_OBJECT, CONTROL, "S-1-5-11", right=APPLY_GROUP_POLICY),), Right.GRANTED),
        ((ace(ALLOW_OBJECT, CONTROL, ME, right=APPLY_GROUP_POLICY, inherited=OTHER_RIGHT),), Right.GRANTED),
        ((ace(ALLOW_OBJECT, CONTROL, ME),), Right.GRANTED),  # no type: all extended rights
        ((ace(ALLOW, CONTROL, ME),), Right.GRANTED),
        ((ace(ALLOW, GENERIC_ALL, ME),), Right.GRANTED),
        ((ace(ALLOW_OBJECT, CONTROL, ME, right=OTHER_RIGHT),), Right.ABSENT),
        ((ace(ALLOW, READ, ME),), Right.ABSENT),
        ((ace(ALLOW, CONTROL, "S-1-5-21-1-2-3-9"),), Right.ABSENT),
        ((ace(ALLOW, CONTROL, ME, flags=0x08),), Right.ABSENT),  # only for what is below
        ((ace(DENY, CONTROL, ME), ace(ALLOW, CONTROL, "S-1-5-11")), Right.DENIED),
        ((ace(DENY_OBJECT, CONTROL, ME, right=APPLY_GROUP_POLICY), ace(ALLOW, CONTROL, ME)), Right.DENIED),
        ((ace(DENY_OBJECT, CONTROL, ME, right=OTHER_RIGHT), ace(ALLOW, CONTROL, ME)), Right.GRANTED),
        ((ace(ALLOW, CONTROL, ME), ace(DENY, CONTROL, ME)), Right.GRANTED),  # the first that matches decides
        ((ace(CONDITIONAL, CONTROL, ME), ace(ALLOW, CONTROL, ME)), Right.UNKNOWN),
        ((ace(ALLOW, CONTROL, ME), ace(CONDITIONAL, CONTROL, ME)), Right.GRANTED),
        ((ace(2, CONTROL, ME), ace(ALLOW, CONTROL, ME)), Right.GRANTED),  # auditing grants nothing
    ],
)
def test_entries_are_looked_at_in_their_order(aces: tuple[bytes, ...], right: Right) -> None:
    assert may_apply(descriptor(*aces), TOKEN) is right


def test_without_a_dacl_nothing_is_protected() -> None:
    assert may_apply(descriptor(control=0x8000), TOKEN) is Right.GRANTED


def test_every_cut_descriptor_is_unknown() -> None:
    whole = descriptor(ace(ALLOW_OBJECT, CONTROL, ME, right=APPLY_GROUP_POLICY))
    assert may_apply(whole, TOKEN) is Right.GRANTED
    assert {may_apply(whole[:end], TOKEN) for end in range(len(whole))} == {Right.UNKNOWN}


def test_sids_as_text() -> None:
    assert sid_text(sid(ME)) == ME
    assert sid_text(sid("S-1-1-0") + b"more") == "S-1-1-0"
    with pytest.raises(ValueError, match="no SID"):
        sid_text(sid(ME)[:-1])
