"""ipsecNFA data."""

import copy
from dataclasses import replace
from ipaddress import IPv4Address, IPv6Address

import pytest

from pastore.findings import Finding, Severity
from pastore.ipsecdata import meaning, nfa
from pastore.ipsecdata.blob import Text
from pastore.ipsecdata.nfa import AuthBlob, NfaBlob, decode, encode
from pastore.model import AuthKind, AuthMethod, InterfaceType, Rule, Secret
from tests.support import stored as s

CA = "CN=Corp Root,O=Corp"


def read(data: bytes) -> tuple[NfaBlob, tuple[Finding, ...]]:
    blob, findings = decode(data)
    assert blob is not None
    return blob, findings


def codes(data: bytes) -> list[tuple[str, str]]:
    return [(finding.code, finding.origin.locator) for finding in decode(data)[1]]


def test_the_115_byte_windows_10_rule_reads_field_by_field() -> None:
    assert len(s.NFA_W10) == 115
    blob, findings = read(s.NFA_W10)
    assert findings == ()
    assert blob == NfaBlob(
        auth_methods=(AuthBlob(5, b"\0\0"),),
        interface_type=0xFFFFFFFF,
        interface_name=Text(),
        tunnel_address=IPv4Address(0),
        is_tunnel=0,
        is_active=1,
        tunnel_name=Text(),
        alternates=(AuthBlob(5, b""),),
        flags=(0,),
        flags_head=1,
        tunnel_address6=None,
        data_length=42,
        tail=b"\0",
    )


def test_the_63_byte_windows_2000_rule_ends_after_the_main_part() -> None:
    assert len(s.NFA_W2K) == 63
    blob, findings = read(s.NFA_W2K)
    assert findings == ()
    assert (blob.alternates, blob.flags, blob.tunnel_address6, blob.data_length, blob.tail) == (None, None, None, 42, b"\0")


@pytest.mark.parametrize("data", [s.NFA_W2K, s.NFA_W10, s.NFA_W10[:-1], s.NFA_W2K[:-1]])
def test_encoding_gives_the_same_bytes_in_either_style(data: bytes) -> None:
    assert encode(read(data)[0]) == data


@pytest.mark.parametrize(
    ("number", "kind"), [(0xFFFFFFFF, InterfaceType.RAS), (0xFFFFFFFE, InterfaceType.LAN), (0xFFFFFFFD, InterfaceType.ALL)]
)
def test_interface_types(number: int, kind: InterfaceType) -> None:
    assert meaning.interface_type_of(NfaBlob(interface_type=number)) is kind


def test_an_ipv6_tunnel_address_supersedes_the_ipv4_one() -> None:
    blob = NfaBlob(is_tunnel=1, tunnel_address=IPv4Address("192.0.2.1"), tunnel_address6=IPv6Address("2001:db8::1"))
    assert meaning.tunnel_of(read(encode(blob))[0]) == IPv6Address("2001:db8::1")
    assert meaning.tunnel_of(replace(blob, tunnel_address6=None)) == IPv4Address("192.0.2.1")


def test_a_tunnel_address_means_nothing_in_transport_mode() -> None:
    assert meaning.tunnel_of(NfaBlob(tunnel_address=IPv4Address("192.0.2.1"))) is None
    assert meaning.tunnel_of(NfaBlob(is_tunnel=1)) is None


def test_certificates_carry_their_flags_from_the_tail() -> None:
    rule = Rule(
        s.guid(1),
        auth_methods=(
            AuthMethod(AuthKind.KERBEROS),
            AuthMethod(AuthKind.CERTIFICATE, None, CA, True, False),
            AuthMethod(AuthKind.CERTIFICATE, None, CA, False, True),
        ),
    )
    blob, findings = read(encode(meaning.nfa_blob(rule)))
    assert findings == ()
    assert blob.flags == (0, 1, 2)
    assert meaning.auth_methods_of(blob) == rule.auth_methods


def test_flags_are_counted_by_the_alternate_methods_where_there_are_any() -> None:
    two = (AuthBlob(5), AuthBlob(3, b"\0\0"))
    blob = NfaBlob((AuthBlob(5, b"\0\0"),), alternates=two, flags=(0, 2), tunnel_address6=IPv6Address("2001:db8::1"))
    again, findings = read(encode(blob))
    assert again == blob
    assert [finding.code for finding in findings] == ["PA126"]


def test_a_certificate_name_need_not_be_terminated() -> None:
    blob, findings = read(encode(NfaBlob((AuthBlob(3, CA.encode("utf-16-le")),))))
    assert findings == ()
    assert meaning.auth_methods_of(blob) == (AuthMethod(AuthKind.CERTIFICATE, None, CA),)


def test_a_preshared_key_is_a_secret_from_the_first_moment() -> None:
    blob = NfaBlob((AuthBlob(1, nfa.key_of(Secret("Hunter2"))),))
    data = encode(blob)
    assert "Hunter2".encode("utf-16-le") in data
    again, _ = read(data)
    assert again == blob
    assert meaning.auth_methods_of(again) == (AuthMethod(AuthKind.PRESHARED_KEY, Secret("Hunter2")),)
    for shown in (repr(again), str(again), repr(again.auth_methods), f"{again.auth_methods[0].data!s}"):
        assert "unter" not in shown
        assert "u\\x00n" not in shown
    with pytest.raises(TypeError):
        copy.copy(blob.auth_methods[0].data).__reduce__()


@pytest.mark.parametrize("raw", [b"k\0e\0y", b"k\0e\0y\0", b"k\0\0\0y\0", b"\0\xd8k\0\0\0"])
def test_pa125_a_key_that_is_not_well_formed_is_reported_without_being_shown(raw: bytes) -> None:
    data = encode(NfaBlob((AuthBlob(1, nfa.key_data(raw)),)))
    blob, findings = read(data)
    assert [finding.code for finding in findings] == ["PA125"]
    assert findings[0].origin.locator == "+0x20"
    assert "ey" not in findings[0].message.removeprefix("the pre-shared key")
    assert encode(blob) == data


def test_pa121_a_method_count_of_two_to_the_31_is_refused_at_once() -> None:
    data = s.NFA_W10[:20] + (1 << 31).to_bytes(4, "little") + s.NFA_W10[24:]
    assert decode(data)[0] is None
    assert codes(data) == [("PA121", "+0x14")]


def test_pa120_a_method_longer_than_the_data_is_refused() -> None:
    data = s.NFA_W10[:28] + (1 << 31).to_bytes(4, "little") + s.NFA_W10[32:]
    assert decode(data)[0] is None
    assert codes(data) == [("PA120", "+0x20")]


@pytest.mark.parametrize(("cut", "code"), [(80, "PA120"), (82, "PA121"), (94, "PA120"), (110, "PA120")])
def test_a_damaged_tail_is_reported_and_kept_undecoded(cut: int, code: str) -> None:
    data = s.NFA_W10[:cut]
    blob, findings = read(data)
    assert [finding.code for finding in findings] == ([code] if cut != 94 else ["PA123"])
    assert blob.auth_methods == (AuthBlob(5, b"\0\0"),)
    assert encode(blob) == data


@pytest.mark.parametrize(
    ("blob", "place"),
    [
        (NfaBlob((AuthBlob(2, b"x"),)), "+0x18"),
        (NfaBlob((AuthBlob(5, b"\0\1"),)), "+0x20"),
        (NfaBlob(is_tunnel=2), "+0x30"),
        (NfaBlob(is_active=2), "+0x34"),
        (NfaBlob(alternates=()), "+0x3e"),
        (NfaBlob(flags=(4,)), "+0x52"),
    ],
)
def test_pa126_each_value_outside_the_specification_is_found_at_its_byte(blob: NfaBlob, place: str) -> None:
    assert codes(encode(blob)) == [("PA126", place)]


def test_pa126_an_unknown_interface_type_is_an_error_that_costs_the_rule() -> None:
    blob, findings = decode(encode(NfaBlob(interface_type=0)))
    assert blob is None
    assert [(finding.code, finding.severity, finding.origin.locator) for finding in findings] == [
        ("PA126", Severity.ERROR, "+0x22")
    ]


def test_a_method_of_unknown_kind_keeps_its_number() -> None:
    blob, _ = read(encode(NfaBlob((AuthBlob(2, b"secret?"),))))
    assert meaning.auth_methods_of(blob) == (AuthMethod(2),)
    assert "secret?" not in repr(blob)


@pytest.mark.parametrize(
    "blob",
    [
        NfaBlob((AuthBlob(1, b"k\0\0\0"),)),
        NfaBlob((AuthBlob(3, Secret("k")),)),
        NfaBlob(flags=()),
        NfaBlob(interface_type=1 << 32),
    ],
)
def test_a_rule_that_does_not_fit_is_refused(blob: NfaBlob) -> None:
    with pytest.raises(ValueError, match=r"Secret|flags|must be"):
        encode(blob)


@pytest.mark.parametrize(
    "method",
    [AuthMethod(AuthKind.PRESHARED_KEY), AuthMethod(AuthKind.KERBEROS, Secret("k")), AuthMethod(1, Secret("Hunt\0er2"))],
)
def test_a_method_whose_key_is_missing_or_out_of_place_is_refused_without_showing_it(method: AuthMethod) -> None:
    with pytest.raises(ValueError, match="key") as refused:
        meaning.nfa_blob(Rule(s.guid(1), auth_methods=(method,)))
    assert "unt" not in str(refused.value)
