"""ipsecNegotiationPolicy data ([MS-GPIPSEC] 2.2.1.4.1): the quick mode offers of a filter action."""

import struct
from dataclasses import dataclass, field
from typing import Final, cast

from pastore.findings import Finding, Severity
from pastore.ipsecdata.blob import COMPUTED, NEGOTIATION, PAD, Reader, Writer, guarded
from pastore.model import NOWHERE, Origin

SLOTS: Final = 3
AH, ESP = 1, 2

_OFFER_HEAD: Final = struct.Struct("<IIIII")
_SLOT: Final = struct.Struct("<III8s")
_OFFER_SIZE: Final = _OFFER_HEAD.size + SLOTS * _SLOT.size


@dataclass(frozen=True, slots=True)
class SlotBlob:
    """One 20-byte algorithm slot as stored.

    Parameters
    ----------
    algorithm, integrity, kind : int
        32 bits each; `kind` is 1 for AH, 2 for ESP.
    reserved : bytes of length 8
    """

    algorithm: int = 0
    integrity: int = 0
    kind: int = 0
    reserved: bytes = bytes(8)


EMPTY_SLOT: Final = SlotBlob()


@dataclass(frozen=True, slots=True)
class OfferBlob:
    """One 80-byte security offer as stored.

    Parameters
    ----------
    slots : tuple of three SlotBlob
        Only the first `count` mean anything; Windows 2000 leaves the others uninitialised.
    count : int
        Number of algorithms, 0 to 3. An offer without any is the marker for "fall back to clear".
    lifetime_seconds, lifetime_kilobytes : int
    options : int
    pfs : int
        1 when quick mode perfect forward secrecy is on. (The specification's table has it the other way round; every policy
        Windows makes by default, without PFS, stores 0.)
    """

    slots: tuple[SlotBlob, SlotBlob, SlotBlob] = (EMPTY_SLOT, EMPTY_SLOT, EMPTY_SLOT)
    count: int = 0
    lifetime_seconds: int = 0
    lifetime_kilobytes: int = 0
    options: int = 0
    pfs: int = 0

    @property
    def used(self) -> tuple[SlotBlob, ...]:
        """The slots that mean something."""
        return self.slots[: self.count]


@dataclass(frozen=True, slots=True)
class NegotiationBlob:
    """An ipsecNegotiationPolicy value as stored.

    Parameters
    ----------
    offers : tuple of OfferBlob
        None for block and permit.
    count : int
        Number of offers as stored; it differs from ``len(offers)`` only in damaged data.
    data_length : int
    tail : bytes
        Everything after the offers, normally one zero byte.
    """

    offers: tuple[OfferBlob, ...] = ()
    count: int = COMPUTED
    data_length: int = COMPUTED
    tail: bytes = field(default=PAD, repr=False)

    def __post_init__(self) -> None:
        if self.count == COMPUTED:
            object.__setattr__(self, "count", len(self.offers))
        if self.data_length == COMPUTED:
            object.__setattr__(self, "data_length", 4 + _OFFER_SIZE * len(self.offers))


def decode(data: bytes, origin: Origin = NOWHERE) -> tuple[NegotiationBlob | None, tuple[Finding, ...]]:
    """Read a value; None when it cannot be read at all, and then a finding says why.

    When the count exceeds the data, the whole offers are kept and the rest is `NegotiationBlob.tail`.
    """
    return guarded(data, origin, _read)


def _read(reader: Reader) -> NegotiationBlob:
    data_length = reader.header(NEGOTIATION, "a filter action")
    count = reader.u32("the number of offers")
    whole = reader.count(count, _OFFER_SIZE, "offers", reader.at - 4)
    offers = tuple(_read_offer(reader) for _ in range(whole))
    if whole == count:
        reader.length(data_length, 4 + _OFFER_SIZE * count)
    return NegotiationBlob(offers, count, data_length, reader.rest(damaged=whole != count))


def _read_offer(reader: Reader) -> OfferBlob:
    start = reader.at
    seconds, kilobytes, options, pfs, count = cast(tuple[int, int, int, int, int], reader.unpack(_OFFER_HEAD, "an offer"))
    if options:
        reader.report("PA126", f"the negotiation options are {options:#x}; the specification knows 0", start + 8)
    reader.flag(pfs, "quick mode PFS", start + 12)
    if count > SLOTS:
        reader.report("PA121", f"the offer announces {count} algorithms; there are never more than {SLOTS}", start + 16)
    slots = tuple(_read_slot(reader, index < count) for index in range(SLOTS))
    return OfferBlob((slots[0], slots[1], slots[2]), count, seconds, kilobytes, options, pfs)


def _read_slot(reader: Reader, used: bool) -> SlotBlob:
    start = reader.at
    algorithm, integrity, kind, reserved = cast(tuple[int, int, int, bytes], reader.unpack(_SLOT, "an algorithm"))
    if used:
        if kind not in (AH, ESP):
            message = f"the algorithm is of type {kind}, neither AH nor ESP; its offer cannot be used"
            reader.report("PA126", message, start + 8, Severity.ERROR)
        # Windows writes ESP ids that the specification's table does not explain (0, and 1 for DES), so only larger ones are odd.
        elif algorithm > (2 if kind == AH else 3) or (kind == AH and not algorithm):
            reader.report("PA126", f"the algorithm is {algorithm}, which the specification does not know", start)
        if kind == ESP and integrity > 2:
            reader.report("PA126", f"the ESP integrity is {integrity}, which the specification does not know", start + 4)
    return SlotBlob(algorithm, integrity, kind, reserved)


def encode(blob: NegotiationBlob) -> bytes:
    """Return the bytes of a value.

    Raises
    ------
    ValueError
        If a number does not fit its field, or an offer has not three slots.
    """
    writer = Writer()
    writer.header(NEGOTIATION, blob.data_length)
    writer.u32(blob.count, "the number of offers")
    for offer in blob.offers:
        if len(offer.slots) != SLOTS:
            raise ValueError(f"an offer has {SLOTS} algorithm slots, not {len(offer.slots)}")
        writer.u32(offer.lifetime_seconds, "the lifetime in seconds")
        writer.u32(offer.lifetime_kilobytes, "the lifetime in kilobytes")
        writer.u32(offer.options, "the negotiation options")
        writer.u32(offer.pfs, "quick mode PFS")
        writer.u32(offer.count, "the number of algorithms")
        for slot in offer.slots:
            writer.u32(slot.algorithm, "the algorithm")
            writer.u32(slot.integrity, "the ESP integrity")
            writer.u32(slot.kind, "the type of the algorithm")
            writer.raw(slot.reserved, 8)
    writer.raw(blob.tail)
    return writer.bytes()
