"""ipsecNegotiationPolicy data."""

from dataclasses import replace

import pytest

from pastore.findings import Severity
from pastore.ipsecdata import meaning
from pastore.ipsecdata.negotiation import EMPTY_SLOT, NegotiationBlob, OfferBlob, SlotBlob, decode, encode
from pastore.model import Algorithm, Offer
from tests.support import stored as s

ESP = SlotBlob(3, 2, 2)


def offer(*slots: SlotBlob, count: int | None = None) -> OfferBlob:
    first, second, third, *_ = (*slots, EMPTY_SLOT, EMPTY_SLOT, EMPTY_SLOT)
    return OfferBlob((first, second, third), len(slots) if count is None else count)


def test_a_windows_2000_action_reads_field_by_field() -> None:
    blob, findings = decode(s.NEGOTIATION_W2K)
    assert blob is not None
    assert findings == ()
    assert (blob.count, blob.data_length, blob.tail) == (2, 164, b"\0")
    first, marker = blob.offers
    assert (first.lifetime_seconds, first.lifetime_kilobytes, first.options, first.pfs, first.count) == (900, 100000, 0, 1, 1)
    assert first.used == (SlotBlob(1, 2, 2, bytes.fromhex("4000000008000000")),)
    assert first.slots[1].algorithm == 0x69004D  # memory that Windows 2000 never cleared
    assert (marker.count, marker.used) == (0, ())


def test_garbage_in_unused_slots_survives_encoding() -> None:
    blob, _ = decode(s.NEGOTIATION_W2K)
    assert blob is not None
    assert encode(blob) == s.NEGOTIATION_W2K


def test_an_offer_without_algorithms_means_fall_back_to_clear() -> None:
    blob, _ = decode(s.NEGOTIATION_W2K)
    assert blob is not None
    assert meaning.offers_of(blob) == ((Offer((Algorithm("esp", 1, 2),), 900, 100000, True),), True)
    assert meaning.offers_of(NegotiationBlob((offer(ESP),)))[1] is False


def test_block_and_permit_have_no_offers_in_25_bytes() -> None:
    data = encode(NegotiationBlob())
    assert len(data) == 25
    assert decode(data) == (NegotiationBlob((), 0, 4, b"\0"), ())


def test_pa121_a_count_of_two_to_the_31_keeps_the_offers_that_are_there() -> None:
    data = s.NEGOTIATION_W2K[:20] + (1 << 31).to_bytes(4, "little") + s.NEGOTIATION_W2K[24:]
    blob, findings = decode(data)
    assert blob is not None
    assert [finding.code for finding in findings] == ["PA121"]
    assert len(blob.offers) == 2
    assert encode(blob) == data


def test_pa121_an_offer_with_more_than_three_algorithms_keeps_three() -> None:
    data = encode(NegotiationBlob((offer(ESP, ESP, ESP, count=4),)))
    blob, findings = decode(data)
    assert blob is not None
    assert [finding.code for finding in findings] == ["PA121"]
    assert len(blob.offers[0].used) == 3


def test_pa126_an_offer_with_an_algorithm_of_unknown_type_is_an_error_and_left_out_as_a_whole() -> None:
    data = encode(NegotiationBlob((offer(ESP, SlotBlob(1, 0, 3)), offer(ESP))))
    blob, findings = decode(data)
    assert blob is not None
    assert [(finding.code, finding.severity) for finding in findings] == [("PA126", Severity.ERROR)]
    assert meaning.offers_of(blob) == ((Offer((Algorithm("esp", 3, 2),)),), False)


@pytest.mark.parametrize(
    ("one", "at"),
    [
        (replace(offer(ESP), options=1), 0x20),
        (replace(offer(ESP), pfs=2), 0x24),
        (offer(SlotBlob(0, 0, 1)), 0x2C),
        (offer(SlotBlob(3, 0, 1)), 0x2C),
        (offer(SlotBlob(4, 0, 2)), 0x2C),
        (offer(SlotBlob(3, 3, 2)), 0x30),
    ],
)
def test_pa126_each_value_outside_the_specification_is_found_at_its_byte(one: OfferBlob, at: int) -> None:
    _, findings = decode(encode(NegotiationBlob((one,))))
    assert [(finding.code, finding.origin.locator) for finding in findings] == [("PA126", f"+{at:#x}")]


@pytest.mark.parametrize(
    "one",
    [
        replace(offer(ESP), slots=(ESP,)),  # type: ignore[arg-type]
        replace(offer(ESP), lifetime_seconds=-1),
        offer(SlotBlob(3, 2, 2, b"")),
    ],
)
def test_offers_that_do_not_fit_are_refused(one: OfferBlob) -> None:
    with pytest.raises(ValueError, match=r"must be|not"):
        encode(NegotiationBlob((one,)))
