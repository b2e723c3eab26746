"""ipsecISAKMPPolicy data."""

from dataclasses import replace
from uuid import UUID

import pytest

from pastore.findings import Finding
from pastore.ipsecdata import meaning
from pastore.ipsecdata.isakmp import GROUP_14, IsakmpBlob, MethodBlob, decode, encode
from pastore.model import MainModeMethod
from tests.support import stored as s


def read(data: bytes) -> tuple[IsakmpBlob, tuple[Finding, ...]]:
    blob, findings = decode(data)
    assert blob is not None
    return blob, findings


def test_a_windows_2000_value_reads_field_by_field() -> None:
    blob, findings = read(s.ISAKMP_W2K)
    assert findings == ()
    assert blob.instance == UUID("5119d268-071d-11d3-ad22-0060b0ecca17")
    assert (blob.pfs, blob.options, blob.new_dh) == (1, 2, (4, 3, 0, 0))
    assert (blob.quick_mode_limit, blob.lifetime_seconds, blob.count, blob.data_length) == (5, 0, 1, 128)
    (method,) = blob.methods
    assert (method.encryption, method.hash, method.group, method.lifetime_seconds) == (3, 2, 2, 28800)
    assert (method.encryption_key, method.rounds, method.hash_key) == (64, 8, 64)
    assert (method.version, method.reserved2, method.pfs) == (b"\0\0\xcd\xcd", b"\0\0\0\0\xcd\xcd\xcd", 0xCDCDCDCD)
    assert blob.tail == b"\0"


def test_uninitialised_memory_survives_encoding() -> None:
    blob, _ = read(s.ISAKMP_W2K)
    assert encode(blob) == s.ISAKMP_W2K


def test_new_dh_entries_precede_the_methods_and_take_the_limits_of_the_policy() -> None:
    blob, _ = read(s.ISAKMP_W2K)
    assert meaning.methods_of(blob) == (
        MainModeMethod(3, 2, 14, 28800, 0, 5),
        MainModeMethod(3, 1, 14, 28800, 0, 5),
        MainModeMethod(3, 2, 2, 28800),
    )


@pytest.mark.parametrize(("number", "encryption", "hash_"), [(1, 1, 1), (2, 1, 2), (3, 3, 1), (4, 3, 2)])
def test_random_function_overrides_the_algorithms_with_a_group_14_method(number: int, encryption: int, hash_: int) -> None:
    blob = IsakmpBlob((MethodBlob(2, 0, 1, random_function=number),), lifetime_seconds=60)
    assert meaning.methods_of(blob) == (MainModeMethod(encryption, hash_, 14, 60),)


def test_group_14_is_stored_as_a_number_of_its_own() -> None:
    assert meaning.methods_of(IsakmpBlob((MethodBlob(3, 2, GROUP_14, 1, 2, 3),))) == (MainModeMethod(3, 2, 14, 3, 2, 1),)


def test_pa121_a_count_of_two_to_the_31_keeps_the_methods_that_are_there() -> None:
    data = bytearray(s.ISAKMP_W2K)
    data[80:84] = (1 << 31).to_bytes(4, "little")
    blob, findings = read(bytes(data))
    assert [finding.code for finding in findings] == ["PA121"]
    assert "2147483648" in findings[0].message
    assert len(blob.methods) == 1
    assert encode(blob) == bytes(data)


@pytest.mark.parametrize(
    ("blob", "offset"),
    [
        (IsakmpBlob(pfs=2), 0x28),
        (IsakmpBlob(options=4), 0x2C),
        (IsakmpBlob(new_dh=(5, 0, 0, 0)), 0x30),
        (IsakmpBlob(new_dh=(1, 0, 1, 0)), 0x32),
        (IsakmpBlob((MethodBlob(4, 2, 2),)), 0x58),
        (IsakmpBlob((MethodBlob(3, 3, 2),)), 0x64),
        (IsakmpBlob((MethodBlob(3, 2, 14),)), 0x80),
        (IsakmpBlob((MethodBlob(3, 2, 2, random_function=5),)), 0x78),
    ],
)
def test_pa126_each_value_outside_the_specification_is_found_at_its_byte(blob: IsakmpBlob, offset: int) -> None:
    _, findings = read(encode(blob))
    assert [(finding.code, finding.origin.locator) for finding in findings] == [("PA126", f"+{offset:#x}")]


@pytest.mark.parametrize(
    "blob",
    [
        IsakmpBlob(pfs=-1),
        IsakmpBlob(zero1=b""),
        IsakmpBlob(new_dh=(256, 0, 0, 0)),
        IsakmpBlob(new_dh=(0, 0, 0)),  # type: ignore[arg-type]
        IsakmpBlob((replace(MethodBlob(3, 2, 2), reserved2=b""),)),
    ],
)
def test_fields_that_do_not_fit_are_refused(blob: IsakmpBlob) -> None:
    with pytest.raises(ValueError, match=r"must be|bytes, not"):
        encode(blob)
