"""ipsecFilter data ([MS-GPIPSEC] 2.2.1.5.1): the filters of a filter list.

A version 1 section (IPv4, subnets, single ports) may be followed by a version 2 section of Windows Vista and later (IPv6, address
and port ranges). Windows 2000 to Server 2003 count the number field into DataLength and end with a zero byte; Windows 10 does
neither. No sample of a version 2 section has been seen: that part follows the specification alone.
"""

import struct
from dataclasses import dataclass, field
from typing import Final, cast
from uuid import UUID

from pastore.findings import Finding, Severity
from pastore.ipsecdata.blob import COMPUTED, EMPTY, FILTERS_V1, FILTERS_V2, PAD, DamageError, Reader, Text, Writer, guarded
from pastore.model import NOWHERE, Origin

ANY, SINGLE, RANGE, SUBNET, ME, DNS, WINS, DHCP, GATEWAY = 0, 1, 2, 4, 8, 0x10, 0x20, 0x40, 0x80
"""IPsec-Address-Type of version 2 filters."""
IPV4, IPV6, BOTH = 1, 2, 3
"""IPsec-Address-Version."""
PORT_ANY, PORT_SINGLE, PORT_RANGE = 0, 1, 2
USE_V2_RANGES: Final = 0x8
"""Filter flag: ignore the version 1 subnets that stand for the same addresses."""

SPECIAL: Final = (0, 1, 2, 3, 4, 0x81, 0x82, 0x83, 0x84)

_KINDS: Final = (ANY, SINGLE, RANGE, SUBNET, ME, DNS, WINS, DHCP, GATEWAY)
_WITH_BOTH: Final = (ME, DNS, WINS, DHCP, GATEWAY)

_V1: Final = struct.Struct("<16sI4s4s4s4s4sIHHBBH")
_V2: Final = struct.Struct("<16sIII16s16sII16s16sIHHIHHII")
_V1_MIN: Final = 12 + _V1.size
_V2_MIN: Final = 12 + _V2.size


@dataclass(frozen=True, slots=True)
class FilterBlob1:
    """A version 1 filter as stored.

    Parameters
    ----------
    src_name, dst_name, description : Text
    guid : UUID
    mirrored : int
        0 or 1.
    src, src_mask, dst, dst_mask : int
        IPv4 addresses as integers. 0 with mask 0 is any address, 0 with a mask of all ones is "me".
    tunnel : int
        IPv4 address; means something only when `is_tunnel` is 1.
    protocol, sport, dport : int
        0 for any.
    is_tunnel : int
    special : int
        1 to 4: the source is the DNS, WINS, DHCP server or default gateway; with 0x80 the destination is.
    options : int
    offset : int
        Where the filter starts in the value it was read from.
    """

    guid: UUID
    src: int = 0
    src_mask: int = 0
    dst: int = 0
    dst_mask: int = 0
    protocol: int = 0
    sport: int = 0
    dport: int = 0
    mirrored: int = 1
    src_name: Text = EMPTY
    dst_name: Text = EMPTY
    description: Text = EMPTY
    tunnel: int = 0
    is_tunnel: int = 0
    special: int = 0
    options: int = 0
    offset: int = field(default=0, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class AddressBlob:
    """One end of a version 2 filter as stored.

    Parameters
    ----------
    kind, version : int
    first : bytes of length 16
        Network order; an IPv4 address is in the first four bytes.
    second : bytes of length 16
        End of a range; IPv4 mask in four bytes; IPv6 prefix length in one.
    """

    kind: int = ANY
    version: int = IPV4
    first: bytes = bytes(16)
    second: bytes = bytes(16)


@dataclass(frozen=True, slots=True)
class PortBlob:
    """A port condition of a version 2 filter as stored: `kind` any, single or range, and the two ends."""

    kind: int = PORT_ANY
    low: int = 0
    high: int = 0


ANY_ADDRESS: Final = AddressBlob()
ANY_PORT: Final = PortBlob()


@dataclass(frozen=True, slots=True)
class FilterBlob2:
    """A version 2 filter as stored. Names as in `FilterBlob1`; `flags` is 0 or `USE_V2_RANGES`."""

    guid: UUID
    src: AddressBlob = ANY_ADDRESS
    dst: AddressBlob = ANY_ADDRESS
    protocol: int = 0
    sport: PortBlob = ANY_PORT
    dport: PortBlob = ANY_PORT
    mirrored: int = 1
    src_name: Text = EMPTY
    dst_name: Text = EMPTY
    description: Text = EMPTY
    flags: int = 0
    offset: int = field(default=0, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Section1:
    """The version 1 section.

    Parameters
    ----------
    filters : tuple of FilterBlob1
    count : int
        Number of filters as stored.
    data_length : int
        Size of the filters (Windows 10), or of the filters and the number before them (Windows 2000 to Server 2003).
    rest : bytes
        Bytes between the last filter that could be read and the version 2 section; normally none.
    """

    filters: tuple[FilterBlob1, ...] = ()
    count: int = COMPUTED
    data_length: int = COMPUTED
    rest: bytes = field(default=b"", repr=False)

    def __post_init__(self) -> None:
        if self.count == COMPUTED:
            object.__setattr__(self, "count", len(self.filters))
        if self.data_length == COMPUTED:
            object.__setattr__(self, "data_length", sum(_V1_MIN + _names(spec) for spec in self.filters))


@dataclass(frozen=True, slots=True)
class Section2:
    """The version 2 section.

    Parameters
    ----------
    filters : tuple of FilterBlob2
    count : int
        Number of filters as stored.
    count1 : int
        Number of version 1 filters; takes the place of `Section1.count` unless 0.
    data_length : int
        Size of the filters.
    """

    filters: tuple[FilterBlob2, ...] = ()
    count: int = COMPUTED
    count1: int = 0
    data_length: int = COMPUTED

    def __post_init__(self) -> None:
        if self.count == COMPUTED:
            object.__setattr__(self, "count", len(self.filters))
        if self.data_length == COMPUTED:
            object.__setattr__(self, "data_length", sum(_V2_MIN + _names(spec) for spec in self.filters))


def _names(spec: FilterBlob1 | FilterBlob2) -> int:
    return len(spec.src_name.raw) + len(spec.dst_name.raw) + len(spec.description.raw)


@dataclass(frozen=True, slots=True)
class FilterListBlob:
    """An ipsecFilter value as stored.

    Parameters
    ----------
    section1 : Section1, optional
    section2 : Section2, optional
    tail : bytes
        Everything after the last filter that could be read: nothing from Windows 10, one zero byte from Windows 2000.
    """

    section1: Section1 | None = Section1()
    section2: Section2 | None = None
    tail: bytes = field(default=b"", repr=False)


def decode(data: bytes, origin: Origin = NOWHERE) -> tuple[FilterListBlob | None, tuple[Finding, ...]]:
    """Read a value; None when it cannot be read at all, and then a finding says why.

    A damaged filter is reported and ends its section: the filters before it are kept, what follows stays undecoded.
    """
    return guarded(data, origin, _read)


def _read(reader: Reader) -> FilterListBlob:
    section1: Section1 | None = None
    damaged = False
    if not reader.data.startswith(FILTERS_V2.bytes_le):
        section1, damaged = _read_section1(reader)
    section2: Section2 | None = None
    start = reader.at
    if reader.data.startswith(FILTERS_V2.bytes_le, reader.at):
        try:
            section2, damaged = _read_section2(reader, section1, damaged)
        except DamageError as damage:
            if section1 is None:
                raise
            reader.findings.append(damage.finding)
            reader.at = start
            damaged = True
    return FilterListBlob(section1, section2, reader.rest(damaged=damaged))


def _read_section1(reader: Reader) -> tuple[Section1, bool]:
    data_length = reader.header(FILTERS_V1, "a filter list")
    count_at = reader.at
    count = reader.u32("the number of filters")
    start = reader.at
    whole = reader.count(count, _V1_MIN, "filters", count_at)
    # Number-Of-Filters11 overrides the count, so the section ends where the next one starts, if there is one.
    section2 = reader.data.find(FILTERS_V2.bytes_le, start)
    filters: list[FilterBlob1] = []
    end = start
    damaged = whole < count
    try:
        while reader.at < section2 if section2 >= 0 else len(filters) < whole:
            if len(filters) >= whole and section2 - reader.at < _V1_MIN:
                break
            filters.append(_read_filter1(reader))
            end = reader.at
    except DamageError as damage:
        reader.at = end
        # A count that is too large has been reported, and then running out of data is not news.
        if whole == count:
            reader.findings.append(damage.finding)
        damaged = True
    rest = b""
    if section2 >= 0:
        if reader.at > section2:
            # The last filter ran into the next section: it is damaged, whatever its fields look like.
            end = filters.pop().offset
            reader.at = end
            reader.report("PA120", "a filter runs into the version 2 section", end)
            damaged = True
        rest = reader.take(section2 - reader.at, "the end of the version 1 section")
        if rest not in (b"", PAD) and not damaged:
            reader.report("PA123", f"{len(rest)} bytes follow the version 1 section", end)
    if not damaged:
        reader.length(data_length, end - start, end - start + 4)
    return Section1(tuple(filters), count, data_length, rest), damaged


def _read_section2(reader: Reader, section1: Section1 | None, damaged: bool) -> tuple[Section2, bool]:
    length_at = reader.at + 16
    data_length = reader.header(FILTERS_V2, "a filter list")
    count1 = reader.u32("the number of version 1 filters")
    count = reader.u32("the number of version 2 filters")
    start = reader.at
    expected = count1 or (section1.count if section1 else 0)
    have = len(section1.filters) if section1 else 0
    if expected != have and not damaged:
        # The overriding count may be the larger one, so this is the first moment at which a shortfall is known.
        message = f"the data announce {expected} version 1 filters; {have} could be read"
        reader.report("PA121", message, start - 8)
        damaged = True
    whole = reader.count(count, _V2_MIN, "version 2 filters", start - 4)
    cut = whole < count
    filters: list[FilterBlob2] = []
    end = start
    try:
        while len(filters) < whole:
            filters.append(_read_filter2(reader))
            end = reader.at
    except DamageError as damage:
        reader.at = end
        if whole == count:
            reader.findings.append(damage.finding)
        cut = True
    if not cut:
        reader.length(data_length, end - start, at=length_at)
    return Section2(tuple(filters), count, count1, data_length), damaged or cut


def _read_names(reader: Reader) -> tuple[Text, Text, Text]:
    return (
        reader.text("the source DNS name"),
        reader.text("the destination DNS name"),
        reader.text("the description of the filter"),
    )


def _read_filter1(reader: Reader) -> FilterBlob1:
    start = reader.at
    src_name, dst_name, description = _read_names(reader)
    at = reader.at
    guid, mirrored, src, src_mask, dst, dst_mask, tunnel, protocol, sport, dport, is_tunnel, special, options = cast(
        tuple[bytes, int, bytes, bytes, bytes, bytes, bytes, int, int, int, int, int, int], reader.unpack(_V1, "a filter")
    )
    reader.flag(mirrored, "the mirror flag", at + 16)
    reader.flag(is_tunnel, "the tunnel flag of the filter", at + 48)
    if special not in SPECIAL:
        message = f"the special filter value is {special:#x}, which the specification does not know; the filter is left out"
        reader.report("PA126", message, at + 49, Severity.ERROR)
    if options:
        reader.report("PA126", f"the filter options are {options:#x}; the specification knows 0", at + 50)
    return FilterBlob1(
        UUID(bytes_le=guid),
        int.from_bytes(src),
        int.from_bytes(src_mask),
        int.from_bytes(dst),
        int.from_bytes(dst_mask),
        protocol,
        sport,
        dport,
        mirrored,
        src_name,
        dst_name,
        description,
        int.from_bytes(tunnel),
        is_tunnel,
        special,
        options,
        start,
    )


def _read_filter2(reader: Reader) -> FilterBlob2:
    start = reader.at
    src_name, dst_name, description = _read_names(reader)
    at = reader.at
    fields = reader.unpack(_V2, "a version 2 filter")
    guid, mirrored = cast(tuple[bytes, int], fields[:2])
    src = AddressBlob(*cast(tuple[int, int, bytes, bytes], fields[2:6]))
    dst = AddressBlob(*cast(tuple[int, int, bytes, bytes], fields[6:10]))
    sport = PortBlob(*cast(tuple[int, int, int], fields[10:13]))
    dport = PortBlob(*cast(tuple[int, int, int], fields[13:16]))
    protocol, flags = cast(tuple[int, int], fields[16:])
    reader.flag(mirrored, "the mirror flag", at + 16)
    for end, place in ((src, at + 20), (dst, at + 60)):
        wrong = address_problem(end)
        if wrong is not None:
            reader.report("PA126", f"{wrong}; the filter is left out", place, Severity.ERROR)
        elif end.version == BOTH and end.kind not in _WITH_BOTH:
            # Only any is left here, and its meaning is not in doubt.
            message = "the any address is marked as both IPv4 and IPv6, which the specification has for me and servers only"
            reader.report("PA126", message, place + 4, Severity.INFO)
    for ports, place in ((sport, at + 100), (dport, at + 108)):
        if ports.kind > PORT_RANGE:
            message = f"the port type is {ports.kind}, which the specification does not know; the filter is left out"
            reader.report("PA126", message, place, Severity.ERROR)
    if flags & ~USE_V2_RANGES:
        reader.report("PA126", f"the filter flags are {flags:#x}; the specification knows 0 and 8", at + 120)
    return FilterBlob2(
        UUID(bytes_le=guid), src, dst, protocol, sport, dport, mirrored, src_name, dst_name, description, flags, start
    )


def address_problem(end: AddressBlob) -> str | None:
    """Return why an end of a version 2 filter has no meaning, as the beginning of a sentence; None when it has one."""
    if end.kind not in _KINDS:
        return f"the address type is {end.kind:#x}, which the specification does not know"
    if end.version not in (IPV4, IPV6, BOTH):
        return f"the IP version is {end.version}, which the specification does not know"
    if end.kind in (SINGLE, RANGE, SUBNET):
        if end.version == BOTH:
            return "a single address, range or subnet cannot be both IPv4 and IPv6"
        if end.kind == SUBNET and end.version == IPV6 and end.second[0] > 128:
            return f"the IPv6 prefix length is {end.second[0]}"
    return None


def encode(blob: FilterListBlob) -> bytes:
    """Return the bytes of a value.

    Raises
    ------
    ValueError
        If it has no section, a number does not fit its field or an address has not 16 bytes.
    """
    writer = Writer()
    if blob.section1 is None and blob.section2 is None:
        raise ValueError("a filter list has at least one section")
    if blob.section1 is not None:
        writer.header(FILTERS_V1, blob.section1.data_length)
        writer.u32(blob.section1.count, "the number of filters")
        for spec1 in blob.section1.filters:
            _write_filter1(writer, spec1)
        writer.raw(blob.section1.rest)
    if blob.section2 is not None:
        writer.header(FILTERS_V2, blob.section2.data_length)
        writer.u32(blob.section2.count1, "the number of version 1 filters")
        writer.u32(blob.section2.count, "the number of version 2 filters")
        for spec2 in blob.section2.filters:
            _write_filter2(writer, spec2)
    writer.raw(blob.tail)
    return writer.bytes()


def _write_names(writer: Writer, spec: FilterBlob1 | FilterBlob2) -> None:
    writer.text(spec.src_name)
    writer.text(spec.dst_name)
    writer.text(spec.description)
    writer.guid(spec.guid)
    writer.u32(spec.mirrored, "the mirror flag")


def _write_filter1(writer: Writer, spec: FilterBlob1) -> None:
    _write_names(writer, spec)
    for value, what in (
        (spec.src, "the source address"),
        (spec.src_mask, "the source mask"),
        (spec.dst, "the destination address"),
        (spec.dst_mask, "the destination mask"),
        (spec.tunnel, "the tunnel address"),
    ):
        if not 0 <= value <= 0xFFFFFFFF:
            raise ValueError(f"{what} must be an IPv4 address")
        writer.raw(value.to_bytes(4))
    writer.u32(spec.protocol, "the protocol")
    writer.u16(spec.sport, "the source port")
    writer.u16(spec.dport, "the destination port")
    writer.u8(spec.is_tunnel, "the tunnel flag")
    writer.u8(spec.special, "the special filter value")
    writer.u16(spec.options, "the filter options")


def _write_filter2(writer: Writer, spec: FilterBlob2) -> None:
    _write_names(writer, spec)
    for end in (spec.src, spec.dst):
        writer.u32(end.kind, "the address type")
        writer.u32(end.version, "the IP version")
        writer.raw(end.first, 16, "an address")
        writer.raw(end.second, 16, "an address")
    for ports in (spec.sport, spec.dport):
        writer.u32(ports.kind, "the port type")
        writer.u16(ports.low, "the port")
        writer.u16(ports.high, "the end of the port range")
    writer.u32(spec.protocol, "the protocol")
    writer.u32(spec.flags, "the filter flags")
