"""The common parts of a blob."""

import time
from uuid import UUID

import pytest

from pastore.findings import Finding
from pastore.ipsecdata import filter_list, isakmp, negotiation, nfa, policy
from pastore.ipsecdata.blob import Text, Writer
from pastore.model import Origin
from tests.support import stored as s

PLACE = Origin("corp.reg", "HKLM\\x\\ipsecData", 7)
CODECS = {
    policy.decode: s.POLICY,
    isakmp.decode: s.ISAKMP_W2K,
    negotiation.decode: s.NEGOTIATION_W2K,
    nfa.decode: s.NFA_W10,
    filter_list.decode: s.ICMP_W2K,
}


def codes(findings: tuple[Finding, ...]) -> list[str]:
    return [finding.code for finding in findings]


@pytest.mark.parametrize("decode", CODECS)
def test_pa124_data_of_another_type_name_the_type_they_are(decode: object) -> None:
    other = s.POLICY if decode is not policy.decode else s.NFA_W10
    blob, findings = decode(other, PLACE)  # type: ignore[operator]
    assert blob is None
    assert codes(findings) == ["PA124"]
    assert ("a policy" if other is s.POLICY else "a rule") in findings[0].message


@pytest.mark.parametrize("decode", CODECS)
@pytest.mark.parametrize("size", [0, 15, 16, 19, 20])
def test_pa120_a_blob_shorter_than_its_header_and_count_is_refused(decode: object, size: int) -> None:
    blob, findings = decode(CODECS[decode][:size], PLACE)  # type: ignore[operator, index]
    assert blob is None
    assert codes(findings) == ["PA120"]


@pytest.mark.parametrize("decode", CODECS)
def test_pa122_a_length_of_no_known_convention_is_reported_and_not_believed(decode: object) -> None:
    data = bytearray(CODECS[decode])  # type: ignore[index]
    data[16:20] = b"\xff\xff\xff\xff"
    blob, findings = decode(bytes(data), PLACE)  # type: ignore[operator]
    assert codes(findings) == ["PA122"]
    assert findings[0].origin.locator == "HKLM\\x\\ipsecData+0x10"
    assert blob.data_length if hasattr(blob, "data_length") else blob.section1.data_length == 0xFFFFFFFF


@pytest.mark.parametrize("decode", CODECS)
def test_pa123_bytes_after_the_end_are_reported_and_kept(decode: object) -> None:
    data = CODECS[decode] + b"more"  # type: ignore[index]
    blob, findings = decode(data, PLACE)  # type: ignore[operator]
    assert codes(findings) == ["PA123"]
    assert blob.tail == b"\0more"


def test_a_finding_keeps_source_and_line_and_adds_the_byte_offset() -> None:
    _, findings = filter_list.decode(s.ICMP_W2K[:0x5A], PLACE)  # in the middle of the only filter
    assert [str(finding.origin) for finding in findings] == ["corp.reg:7"]
    assert findings[0].origin.locator == "HKLM\\x\\ipsecData+0x32"


@pytest.mark.parametrize(
    ("raw", "problem"),
    [
        (b"", None),
        (b"\0\0", None),
        (b"a\0\0\0", None),
        (b"a\0\0", "has an odd number of bytes"),
        (b"a\0", "lacks its terminating zero"),
        (b"a\0\0\0b\0", "goes on after its terminating zero"),
        (b"\0\xd8\0\0", "is not valid UTF-16"),
    ],
)
def test_a_string_that_is_not_well_formed_says_how(raw: bytes, problem: str | None) -> None:
    assert Text(raw).problem() == problem


def test_a_string_reads_up_to_its_zero_and_shows_what_is_not_utf16() -> None:
    assert Text(b"a\0\0\0b\0").text == "a"
    assert Text(b"a\0\0\xd8").text == "a\ufffd"


@pytest.mark.parametrize("text", ["a\0b", "\ud800"])
def test_a_string_that_cannot_be_stored_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="stored string"):
        Text.of(text)


@pytest.mark.parametrize("value", [-1, 1 << 32])
def test_a_number_that_does_not_fit_its_field_is_refused(value: int) -> None:
    with pytest.raises(ValueError, match="the count must be 0 to 4294967295"):
        Writer().u32(value, "the count")


def test_guids_are_stored_mixed_endian() -> None:
    writer = Writer()
    writer.guid(UUID("22202163-4f4c-11d1-863b-00a0248d3021"))
    assert writer.bytes() == s.POLICY[:16]


COUNTS = {isakmp.decode: 80, negotiation.decode: 20, nfa.decode: 20, filter_list.decode: 20}


@pytest.mark.parametrize("decode", COUNTS)
@pytest.mark.parametrize("fill", [b"\0", b"\1", b"\xff", b"\0\0\0\1"])
def test_pa121_a_megabyte_that_announces_two_to_the_31_items_is_done_with_at_once(decode: object, fill: bytes) -> None:
    head = CODECS[decode][: COUNTS[decode]]  # type: ignore[index]
    data = head + (1 << 31).to_bytes(4, "little") + fill * (1_000_000 // len(fill))
    began = time.perf_counter()
    _, findings = decode(data, PLACE)  # type: ignore[operator]
    assert time.perf_counter() - began < 5
    assert codes(findings)[0] == "PA121"
