"""ipsecPolicy data ([MS-GPIPSEC] 2.2.1.1.1): the polling interval."""

from dataclasses import dataclass, field

from pastore.findings import Finding
from pastore.ipsecdata.blob import PAD, POLICY, Reader, Writer, guarded
from pastore.model import NOWHERE, Origin


@dataclass(frozen=True, slots=True)
class PolicyBlob:
    """An ipsecPolicy value as stored.

    Parameters
    ----------
    polling_interval : int
        Seconds, 32 bits; 0 stands for 10800.
    data_length : int
    tail : bytes
        Everything after the interval, normally one zero byte.
    """

    polling_interval: int
    data_length: int = 4
    tail: bytes = field(default=PAD, repr=False)


def decode(data: bytes, origin: Origin = NOWHERE) -> tuple[PolicyBlob | None, tuple[Finding, ...]]:
    """Read a value; None when it cannot be read at all, and then a finding says why."""
    return guarded(data, origin, _read)


def _read(reader: Reader) -> PolicyBlob:
    data_length = reader.header(POLICY, "a policy")
    interval = reader.u32("the polling interval")
    reader.length(data_length, 4)
    return PolicyBlob(interval, data_length, reader.rest())


def encode(blob: PolicyBlob) -> bytes:
    """Return the bytes of a value.

    Raises
    ------
    ValueError
        If a number does not fit its field.
    """
    writer = Writer()
    writer.header(POLICY, blob.data_length)
    writer.u32(blob.polling_interval, "the polling interval")
    writer.raw(blob.tail)
    return writer.bytes()
