"""ipsecISAKMPPolicy data ([MS-GPIPSEC] 2.2.1.2.1): key exchange (main mode) settings."""

import struct
from dataclasses import dataclass, field
from typing import Final, cast
from uuid import UUID

from pastore.findings import Finding
from pastore.ipsecdata.blob import COMPUTED, ISAKMP, PAD, Reader, Writer, fits, guarded
from pastore.model import NO_GUID, NOWHERE, Origin

GROUP_14: Final = 0x10000001
"""The stored Oakley group of Diffie-Hellman 2048."""

_FIXED: Final = struct.Struct("<16s4sII4sII20sI")
_METHOD: Final = struct.Struct("<4sIIIII12sB7sIIIII")


@dataclass(frozen=True, slots=True)
class MethodBlob:
    """One 64-byte security method as stored.

    The specification has 8-byte algorithm ids; real data keep the id in the low half and a key size in the high half, and rounds
    in the field it calls Zero4. Only `encryption`, `hash`, `random_function`, `group` and the three limits are meaningful.

    Parameters
    ----------
    encryption, hash, group : int
        Numbers as stored, 32 bits each.
    quick_mode_limit, lifetime_kilobytes, lifetime_seconds : int
    random_function : int
        8 bits; 1 to 4 override encryption, hash and group.
    version : bytes of length 4
        Version numbers and two bytes that Windows 2000 leaves uninitialised.
    encryption_key, rounds, hash_key : int
    reserved1, reserved2 : bytes of length 12 and 7
    pfs : int
        PFS-Identity-Required; uninitialised in Windows 2000 data.
    """

    encryption: int
    hash: int
    group: int
    quick_mode_limit: int = 0
    lifetime_kilobytes: int = 0
    lifetime_seconds: int = 0
    random_function: int = 0
    version: bytes = bytes(4)
    encryption_key: int = 0
    rounds: int = 0
    hash_key: int = 0
    reserved1: bytes = bytes(12)
    reserved2: bytes = bytes(7)
    pfs: int = 0


@dataclass(frozen=True, slots=True)
class IsakmpBlob:
    """An ipsecISAKMPPolicy value as stored.

    Parameters
    ----------
    methods : tuple of MethodBlob
    pfs : int
        Master-PFS-Required.
    options : int
        Bit 0 maps certificates to accounts, bit 1 leaves the certificate request payload out.
    new_dh : tuple of four int
        New-DH-1 to New-DH-4, 8 bits each: methods with Diffie-Hellman 2048 that precede `methods`, 0 for none.
    quick_mode_limit, lifetime_seconds : int
        A lifetime of 0 stands for 28800.
    instance : UUID
        Zero in Windows 10's local store.
    zero1, zero2 : bytes of length 4 and 20
    count : int
        Number of methods as stored; it differs from ``len(methods)`` only in damaged data.
    data_length : int
    tail : bytes
        Everything after the methods, normally one zero byte.
    """

    methods: tuple[MethodBlob, ...] = ()
    pfs: int = 0
    options: int = 0
    new_dh: tuple[int, int, int, int] = (0, 0, 0, 0)
    quick_mode_limit: int = 0
    lifetime_seconds: int = 0
    instance: UUID = NO_GUID
    zero1: bytes = bytes(4)
    zero2: bytes = bytes(20)
    count: int = COMPUTED
    data_length: int = COMPUTED
    tail: bytes = field(default=PAD, repr=False)

    def __post_init__(self) -> None:
        if self.count == COMPUTED:
            object.__setattr__(self, "count", len(self.methods))
        if self.data_length == COMPUTED:
            object.__setattr__(self, "data_length", _FIXED.size + _METHOD.size * len(self.methods))


def decode(data: bytes, origin: Origin = NOWHERE) -> tuple[IsakmpBlob | None, tuple[Finding, ...]]:
    """Read a value; None when it cannot be read at all, and then a finding says why.

    When the count exceeds the data, the whole methods are kept and the rest is `IsakmpBlob.tail`.
    """
    return guarded(data, origin, _read)


def _read(reader: Reader) -> IsakmpBlob:
    data_length = reader.header(ISAKMP, "key exchange settings")
    start = reader.at
    instance, zero1, pfs, options, new_dh, limit, lifetime, zero2, count = cast(
        tuple[bytes, bytes, int, int, bytes, int, int, bytes, int], reader.unpack(_FIXED, "the key exchange settings")
    )
    reader.flag(pfs, "Master PFS", start + 20)
    if options > 3:
        reader.report("PA126", f"the key exchange options are {options:#x}; the specification knows 0 to 3", start + 24)
    _check_new_dh(reader, new_dh, start + 28)
    whole = reader.count(count, _METHOD.size, "security methods", start + 60)
    methods = tuple(_read_method(reader) for _ in range(whole))
    if whole == count:
        reader.length(data_length, _FIXED.size + _METHOD.size * count)
    return IsakmpBlob(
        methods,
        pfs,
        options,
        (new_dh[0], new_dh[1], new_dh[2], new_dh[3]),
        limit,
        lifetime,
        UUID(bytes_le=instance),
        zero1,
        zero2,
        count,
        data_length,
        reader.rest(damaged=whole != count),
    )


def _check_new_dh(reader: Reader, new_dh: bytes, at: int) -> None:
    for index, value in enumerate(new_dh):
        if value > 4:
            reader.report("PA126", f"New-DH-{index + 1} is {value}; the specification knows 0 to 4", at + index)
        elif value and 0 in new_dh[:index]:
            reader.report("PA126", f"New-DH-{index + 1} is set although one before it is not", at + index)


def _read_method(reader: Reader) -> MethodBlob:
    start = reader.at
    version, encryption, encryption_key, rounds, hash_, hash_key, reserved1, random, reserved2, group, limit, kb, seconds, pfs = (
        cast(
            tuple[bytes, int, int, int, int, int, bytes, int, bytes, int, int, int, int, int],
            reader.unpack(_METHOD, "a security method"),
        )
    )
    if random > 4:
        reader.report("PA126", f"Random-Function is {random}; the specification knows 0 to 4", start + 36)
    elif not random:
        for name, value, known, at in (
            ("encryption algorithm", encryption, (0, 1, 2, 3), 4),
            ("hash algorithm", hash_, (0, 1, 2), 16),
            ("Oakley group", group, (0, 1, 2, GROUP_14), 44),
        ):
            if value not in known:
                reader.report("PA126", f"the {name} is {value:#x}, which the specification does not know", start + at)
    return MethodBlob(
        encryption,
        hash_,
        group,
        limit,
        kb,
        seconds,
        random,
        version,
        encryption_key,
        rounds,
        hash_key,
        reserved1,
        reserved2,
        pfs,
    )


def encode(blob: IsakmpBlob) -> bytes:
    """Return the bytes of a value.

    Raises
    ------
    ValueError
        If a number does not fit its field or a reserved field has another size.
    """
    writer = Writer()
    writer.header(ISAKMP, blob.data_length)
    writer.guid(blob.instance)
    writer.raw(blob.zero1, 4)
    writer.u32(blob.pfs, "master PFS")
    writer.u32(blob.options, "the key exchange options")
    writer.raw(bytes(fits(value, 8, "New-DH") for value in blob.new_dh), 4, "New-DH")
    writer.u32(blob.quick_mode_limit, "the quick mode limit")
    writer.u32(blob.lifetime_seconds, "the main mode lifetime")
    writer.raw(blob.zero2, 20)
    writer.u32(blob.count, "the number of security methods")
    for method in blob.methods:
        writer.raw(method.version, 4, "the version")
        writer.u32(method.encryption, "the encryption algorithm")
        writer.u32(method.encryption_key, "the encryption key size")
        writer.u32(method.rounds, "the number of rounds")
        writer.u32(method.hash, "the hash algorithm")
        writer.u32(method.hash_key, "the hash key size")
        writer.raw(method.reserved1, 12)
        writer.u8(method.random_function, "Random-Function")
        writer.raw(method.reserved2, 7)
        writer.u32(method.group, "the Oakley group")
        writer.u32(method.quick_mode_limit, "the quick mode limit")
        writer.u32(method.lifetime_kilobytes, "the lifetime in kilobytes")
        writer.u32(method.lifetime_seconds, "the lifetime in seconds")
        writer.u32(method.pfs, "PFS-Identity-Required")
    writer.raw(blob.tail)
    return writer.bytes()
