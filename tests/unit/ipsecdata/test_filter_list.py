"""ipsecFilter data."""

from dataclasses import replace
from ipaddress import IPv4Address
from uuid import UUID

import pytest

from pastore.findings import Finding, Severity
from pastore.ipsecdata import filter_list as fl
from pastore.ipsecdata import meaning
from pastore.ipsecdata.blob import Text
from pastore.ipsecdata.filter_list import (
    AddressBlob,
    FilterBlob1,
    FilterBlob2,
    FilterListBlob,
    PortBlob,
    Section1,
    Section2,
    decode,
    encode,
)
from pastore.model import ANY_PORT, NO_GUID, NOWHERE, Address, AddressKind, Filter, Origin, Ports
from tests.support import stored as s

ME_ANY = FilterBlob1(s.guid(1), src_mask=0xFFFFFFFF)
V2 = FilterBlob2(s.guid(2))
HUGE = (1 << 31).to_bytes(4, "little")


def v1(*filters: FilterBlob1) -> FilterListBlob:
    return FilterListBlob(Section1(filters))


def read(data: bytes) -> tuple[FilterListBlob, tuple[Finding, ...]]:
    blob, findings = decode(data)
    assert blob is not None
    return blob, findings


def codes(data: bytes) -> list[tuple[str, str]]:
    return [(finding.code, finding.origin.locator) for finding in decode(data)[1]]


def first(data: bytes) -> tuple[FilterBlob1, ...]:
    section = read(data)[0].section1
    assert section is not None
    return section.filters


def meant(blob: FilterListBlob) -> Filter:
    """The only filter of a list, as it comes back from bytes."""
    (only,) = meaning.filters_of(read(encode(blob))[0], NOWHERE)
    return only


def ip(text: str | int) -> int:
    return int(IPv4Address(text))


def test_the_103_byte_all_icmp_traffic_reads_field_by_field() -> None:
    assert len(s.ICMP_W2K) == 103
    blob, findings = read(s.ICMP_W2K)
    assert findings == ()
    assert blob.section2 is None
    assert blob.tail == b"\0"
    assert blob.section1 is not None
    assert (blob.section1.count, blob.section1.data_length, blob.section1.rest) == (1, 82, b"")
    assert blob.section1.filters == (
        FilterBlob1(
            guid=UUID("5119d263-071d-11d3-ad22-0060b0ecca17"),
            src=0,
            src_mask=0xFFFFFFFF,
            dst=0,
            dst_mask=0,
            protocol=1,
            sport=0,
            dport=0,
            mirrored=1,
            src_name=Text(b"\0\0"),
            dst_name=Text(b"\0\0"),
            description=Text.of("ICMP"),
            tunnel=0,
            is_tunnel=0,
            special=0,
            options=0,
        ),
    )
    assert encode(blob) == s.ICMP_W2K


def test_all_icmp_traffic_means_me_to_any_mirrored() -> None:
    (only,) = meaning.filters_of(read(s.ICMP_W2K)[0], Origin("x.reg", "key\\ipsecData", 3))
    assert only == Filter(
        UUID("5119d263-071d-11d3-ad22-0060b0ecca17"),
        Address(AddressKind.ME),
        Address(AddressKind.ANY),
        protocol=1,
        description="ICMP",
    )
    assert only.origin == Origin("x.reg", "key\\ipsecData+0x18", 3)


def test_windows_10_leaves_the_count_out_of_the_length_and_writes_no_pad() -> None:
    one = encode(v1(ME_ANY))
    assert (len(one), one[16:20]) == (94, (70).to_bytes(4, "little"))
    many = encode(v1(*[ME_ANY] * 32))
    assert (len(many), many[16:20]) == (2264, (2240).to_bytes(4, "little"))
    assert codes(many) == []


def test_the_2003_style_of_the_same_list_has_four_more_in_its_length_and_a_pad() -> None:
    blob = FilterListBlob(Section1((ME_ANY,), data_length=74), tail=b"\0")
    data = encode(blob)
    assert len(data) == 95
    assert read(data) == (blob, ())


@pytest.mark.parametrize(
    ("address", "mask", "wanted"),
    [
        (0, 0, Address(AddressKind.ANY)),
        (0, 0xFFFFFFFF, Address(AddressKind.ME)),
        ("10.1.2.3", "255.255.255.255", Address(AddressKind.SUBNET, (4,), ip("10.1.2.3"), ip("255.255.255.255"))),
        ("10.1.2.3", "255.255.0.0", Address(AddressKind.SUBNET, (4,), ip("10.1.2.3"), ip("255.255.0.0"))),
        ("10.1.2.3", "255.0.255.0", Address(AddressKind.SUBNET, (4,), ip("10.1.2.3"), ip("255.0.255.0"))),
        ("10.1.2.3", 0, Address(AddressKind.SUBNET, (4,), ip("10.1.2.3"), 0)),
    ],
)
def test_version_1_addresses_are_kept_as_written(address: str | int, mask: str | int, wanted: Address) -> None:
    spec = FilterBlob1(s.guid(1), ip(address), ip(mask))
    assert meant(v1(spec)).src == wanted
    assert encode(v1(spec))[24 + 18 + 20 :][:8] == IPv4Address(address).packed + IPv4Address(mask).packed


@pytest.mark.parametrize(
    ("special", "src", "dst"),
    [
        (1, AddressKind.DNS_SERVER, AddressKind.ANY),
        (2, AddressKind.WINS_SERVER, AddressKind.ANY),
        (3, AddressKind.DHCP_SERVER, AddressKind.ANY),
        (4, AddressKind.GATEWAY, AddressKind.ANY),
        (0x81, AddressKind.ME, AddressKind.DNS_SERVER),
        (0x82, AddressKind.ME, AddressKind.WINS_SERVER),
        (0x83, AddressKind.ME, AddressKind.DHCP_SERVER),
        (0x84, AddressKind.ME, AddressKind.GATEWAY),
    ],
)
def test_special_filters_put_a_server_at_one_end(special: int, src: AddressKind, dst: AddressKind) -> None:
    only = meant(v1(replace(ME_ANY, special=special)))
    assert (only.src.kind, only.dst.kind) == (src, dst)


def test_version_1_ports_are_little_endian_single_and_zero_is_any() -> None:
    data = encode(v1(replace(ME_ANY, protocol=6, dport=445)))
    assert data[-8:-4] == b"\0\0\xbd\x01"
    only = meant(v1(replace(ME_ANY, protocol=6, dport=445)))
    assert (only.sport, only.dport) == (ANY_PORT, Ports(445, 445))


def test_a_version_1_filter_has_a_tunnel_endpoint_only_when_it_says_so() -> None:
    assert meant(v1(replace(ME_ANY, tunnel=ip("192.0.2.1")))).tunnel is None
    assert meant(v1(replace(ME_ANY, tunnel=ip("192.0.2.1"), is_tunnel=1))).tunnel == IPv4Address("192.0.2.1")


def test_dns_names_stay_with_their_end() -> None:
    only = meant(v1(replace(ME_ANY, dst=ip("192.0.2.1"), dst_mask=0xFFFFFFFF, dst_name=Text.of("www.example.com"))))
    assert (only.src.dns_name, only.dst.dns_name) == ("", "www.example.com")


def address(kind: int, version: int, low: str = "", high: str = "") -> AddressBlob:
    return AddressBlob(kind, version, bytes.fromhex(low).ljust(16, b"\0"), bytes.fromhex(high).ljust(16, b"\0"))


ONES6 = (1 << 128) - 1
DB8 = 0x20010DB8 << 96


@pytest.mark.parametrize(
    ("end", "wanted"),
    [
        (address(0, 1), Address(AddressKind.ANY, (4,))),
        (address(0, 2), Address(AddressKind.ANY, (6,))),
        (address(1, 1, "0a010203"), Address(AddressKind.SUBNET, (4,), 0x0A010203, 0xFFFFFFFF)),
        (address(1, 2, "20010db8"), Address(AddressKind.SUBNET, (6,), DB8, ONES6)),
        (address(2, 1, "0a000001", "0a000009"), Address(AddressKind.RANGE, (4,), 0x0A000001, 0x0A000009)),
        (address(2, 2, "20010db8", "20010db9"), Address(AddressKind.RANGE, (6,), DB8, DB8 + (1 << 96))),
        (address(4, 1, "0a000000", "ff000000"), Address(AddressKind.SUBNET, (4,), 0x0A000000, 0xFF000000)),
        (address(4, 2, "20010db8", "20"), Address(AddressKind.SUBNET, (6,), DB8, 0xFFFFFFFF << 96)),
        (address(8, 3), Address(AddressKind.ME, (4, 6))),
        (address(0x10, 1), Address(AddressKind.DNS_SERVER, (4,))),
        (address(0x20, 2), Address(AddressKind.WINS_SERVER, (6,))),
        (address(0x40, 3), Address(AddressKind.DHCP_SERVER, (4, 6))),
        (address(0x80, 3), Address(AddressKind.GATEWAY, (4, 6))),
    ],
)
def test_version_2_addresses(end: AddressBlob, wanted: Address) -> None:
    only = meant(FilterListBlob(Section1(), Section2((replace(V2, src=end),))))
    assert (only.src, only.version) == (wanted, 2)
    assert meaning.filter_list_blob((only,)).section2 == Section2((replace(V2, src=end, flags=8 if end.kind == 2 else 0),))


@pytest.mark.parametrize(
    ("ports", "wanted"),
    [(PortBlob(0, 5, 6), ANY_PORT), (PortBlob(1, 53, 9), Ports(53, 53)), (PortBlob(2, 1024, 5000), Ports(1024, 5000))],
)
def test_version_2_ports(ports: PortBlob, wanted: Ports) -> None:
    assert meant(FilterListBlob(None, Section2((replace(V2, dport=ports),)))).dport == wanted


def test_a_version_2_filter_of_empty_strings_has_142_bytes() -> None:
    assert len(encode(FilterListBlob(None, Section2((V2,))))) == 28 + 142


def test_flag_8_drops_the_version_1_subnets_of_the_same_guid_and_no_others() -> None:
    ranged = FilterBlob2(ME_ANY.guid, address(2, 1, "0a000001", "0a000003"), flags=8)
    other = replace(ME_ANY, guid=s.guid(9))
    blob = FilterListBlob(Section1((ME_ANY, other, ME_ANY)), Section2((ranged,), count1=3))
    assert [(one.guid, one.version) for one in meaning.filters_of(blob, NOWHERE)] == [(s.guid(9), 1), (ME_ANY.guid, 2)]
    without = replace(blob, section2=Section2((replace(ranged, flags=0),)))
    assert len(meaning.filters_of(without, NOWHERE)) == 4


def test_flag_8_pairs_nothing_by_a_zero_guid_or_from_a_filter_without_meaning() -> None:
    nameless = FilterListBlob(Section1((replace(ME_ANY, guid=NO_GUID),)), Section2((replace(V2, guid=NO_GUID, flags=8),)))
    assert len(meaning.filters_of(nameless, NOWHERE)) == 2
    broken = FilterListBlob(Section1((ME_ANY,)), Section2((FilterBlob2(ME_ANY.guid, address(3, 1), flags=8),)))
    assert [one.version for one in meaning.filters_of(broken, NOWHERE)] == [1]


def test_the_count_of_version_1_filters_in_the_second_section_overrides_the_first() -> None:
    both = FilterListBlob(Section1((ME_ANY, ME_ANY), count=1), Section2((V2,), count1=2))
    data = encode(both)
    assert read(data) == (both, ())


@pytest.mark.parametrize("count1", [0, 3])
def test_pa121_a_shortfall_of_version_1_filters_is_reported(count1: int) -> None:
    both = FilterListBlob(Section1((ME_ANY,), count=2 if not count1 else 1), Section2((V2,), count1=count1))
    blob, findings = read(encode(both))
    assert [finding.code for finding in findings] == ["PA121"]
    assert len(meaning.filters_of(blob, NOWHERE)) == 2


def test_pa121_a_filter_count_of_two_to_the_31_keeps_the_filters_that_are_there() -> None:
    data = s.ICMP_W2K[:20] + HUGE + s.ICMP_W2K[24:]
    blob, findings = read(data)
    assert [finding.code for finding in findings] == ["PA121"]
    assert len(meaning.filters_of(blob, NOWHERE)) == 1
    assert encode(blob) == data


def test_pa121_a_version_2_count_of_two_to_the_31_keeps_the_filters_that_are_there() -> None:
    data = encode(FilterListBlob(None, Section2((V2,), count=1 << 31)))
    blob, findings = read(data)
    assert [finding.code for finding in findings] == ["PA121"]
    assert len(meaning.filters_of(blob, NOWHERE)) == 1


def test_a_damaged_filter_keeps_the_filters_before_it() -> None:
    data = bytearray(encode(v1(*[ME_ANY] * 5)))
    data[24 + 3 * 70 : 24 + 3 * 70 + 4] = HUGE  # the length of the fourth filter's source name
    assert len(first(bytes(data))) == 3
    assert codes(bytes(data)) == [("PA120", f"+{24 + 3 * 70 + 4:#x}")]
    assert encode(read(bytes(data))[0]) == bytes(data)


def test_a_list_cut_in_its_third_filter_keeps_two() -> None:
    data = encode(v1(*[ME_ANY] * 3))[:-10]
    assert len(first(data)) == 2
    assert codes(data) == [("PA120", f"+{24 + 140 + 18:#x}")]


def test_damage_in_version_1_does_not_hide_version_2() -> None:
    data = bytearray(encode(FilterListBlob(Section1((ME_ANY, ME_ANY)), Section2((V2,), count1=2))))
    data[24 + 70 : 24 + 74] = HUGE
    blob, findings = read(bytes(data))
    assert [finding.code for finding in findings] == ["PA120"]
    assert [one.version for one in meaning.filters_of(blob, NOWHERE)] == [1, 2]
    assert encode(blob) == bytes(data)


def test_a_filter_that_runs_into_version_2_is_damaged() -> None:
    data = bytearray(encode(FilterListBlob(Section1((ME_ANY,)), Section2((V2,), count1=1))))
    data[24:28] = (80).to_bytes(4, "little")
    blob, findings = read(bytes(data))
    assert "PA120" in [finding.code for finding in findings]
    assert [one.version for one in meaning.filters_of(blob, NOWHERE)] == [2]
    assert encode(blob) == bytes(data)


@pytest.mark.parametrize(
    ("blob", "place"),
    [
        (v1(replace(ME_ANY, mirrored=2)), 24 + 34),
        (v1(replace(ME_ANY, is_tunnel=2)), 24 + 66),
        (v1(replace(ME_ANY, special=5)), 24 + 67),
        (v1(replace(ME_ANY, special=0x80)), 24 + 67),
        (v1(replace(ME_ANY, options=1)), 24 + 68),
        (FilterListBlob(None, Section2((replace(V2, mirrored=2),))), 28 + 34),
        (FilterListBlob(None, Section2((replace(V2, src=address(3, 1)),))), 28 + 38),
        (FilterListBlob(None, Section2((replace(V2, src=address(1, 3)),))), 28 + 38),
        (FilterListBlob(None, Section2((replace(V2, dst=address(8, 0)),))), 28 + 78),
        (FilterListBlob(None, Section2((replace(V2, dst=address(4, 2, "", "81")),))), 28 + 78),
        (FilterListBlob(None, Section2((replace(V2, dst=address(0, 3)),))), 28 + 82),
        (FilterListBlob(None, Section2((replace(V2, sport=PortBlob(3)),))), 28 + 118),
        (FilterListBlob(None, Section2((replace(V2, dport=PortBlob(3)),))), 28 + 126),
        (FilterListBlob(None, Section2((replace(V2, flags=1),))), 28 + 138),
    ],
)
def test_pa126_each_value_outside_the_specification_is_found_at_its_byte(blob: FilterListBlob, place: int) -> None:
    assert codes(encode(blob)) == [("PA126", f"+{place:#x}")]


def test_a_filter_whose_special_value_is_unknown_is_an_error_and_left_out() -> None:
    blob, findings = read(encode(v1(replace(ME_ANY, special=5), ME_ANY)))
    assert [finding.severity for finding in findings] == [Severity.ERROR]
    assert len(meaning.filters_of(blob, NOWHERE)) == 1


def test_pa125_a_description_without_its_zero_is_reported_and_read() -> None:
    blob, findings = read(encode(v1(replace(ME_ANY, description=Text(b"a\0")))))
    assert [(finding.code, finding.origin.locator) for finding in findings] == [("PA125", "+0x24")]
    assert findings[0].message == "the description of the filter lacks its terminating zero"
    assert meaning.filters_of(blob, NOWHERE)[0].description == "a"


@pytest.mark.parametrize(
    "blob",
    [
        FilterListBlob(None, None),
        v1(replace(ME_ANY, sport=65536)),
        v1(replace(ME_ANY, src=1 << 32)),
        FilterListBlob(None, Section2((replace(V2, src=AddressBlob(first=b"")),))),
    ],
)
def test_lists_that_do_not_fit_are_refused(blob: FilterListBlob) -> None:
    with pytest.raises(ValueError, match=r"section|must be|bytes"):
        encode(blob)


ANY = Address(AddressKind.ANY)


@pytest.mark.parametrize(
    ("spec", "why"),
    [
        (Filter(s.guid(1), Address(AddressKind.RANGE, (4,), 1, 2), ANY), "range"),
        (Filter(s.guid(1), Address(AddressKind.ME, (4, 6)), ANY), "IPv4 only"),
        (Filter(s.guid(1), Address(AddressKind.SUBNET, (4,), 0, 0xFFFFFFFF), ANY), "means me"),
        (Filter(s.guid(1), Address(AddressKind.GATEWAY), Address(AddressKind.DNS_SERVER)), "one end"),
        (Filter(s.guid(1), ANY, ANY, dport=Ports(1, 2)), "single ports"),
        (Filter(s.guid(1), ANY, ANY, dport=Ports(0, 0)), "single ports"),
        (Filter(s.guid(1), ANY, ANY, protocol=1 << 32), "protocol"),
        (Filter(s.guid(1), ANY, ANY, description="a\0b"), "zero character"),
        (Filter(s.guid(1), ANY, ANY, version=3), "neither 1 nor 2"),
        (Filter(s.guid(1), ANY, ANY, version=2, tunnel=IPv4Address(1)), "tunnel"),
        (Filter(s.guid(1), Address(AddressKind.ME, (5,)), ANY, version=2), "IP versions"),
        (Filter(s.guid(1), Address(AddressKind.RANGE, (4, 6), 1, 2), ANY, version=2), "either"),
        (Filter(s.guid(1), Address(AddressKind.SUBNET, (6,), 0, 5), ANY, version=2), "prefix"),
        (Filter(s.guid(1), Address(AddressKind.SUBNET, (4,), 1 << 32, 0), ANY, version=2), "does not fit"),
    ],
)
def test_a_filter_that_its_version_cannot_hold_is_refused(spec: Filter, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        encode(meaning.filter_list_blob((spec,)))


def test_a_range_is_flagged_unless_that_would_silence_a_version_1_filter() -> None:
    ranged = Filter(s.guid(1), Address(AddressKind.RANGE, (4,), 1, 2), ANY, version=2)
    plain = Filter(s.guid(1), ANY, ANY)
    for filters in ((ranged,), (plain, ranged)):
        assert meaning.filters_of(meaning.filter_list_blob(filters), NOWHERE) == filters
    section = meaning.filter_list_blob((ranged,)).section2
    assert section is not None
    assert section.filters[0].flags == fl.USE_V2_RANGES
