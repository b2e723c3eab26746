"""Default exemptions: NoDefaultExempt 0 to 3 (TechNet cc756041)."""

import pytest

from pastore.filters.expand import expand
from pastore.filters.host import Host
from pastore.filters.specific import EXEMPTIONS
from tests.support.policies import policy


def kinds(value: int, **options: str) -> dict[str, set[int]]:
    """Return the exempt kinds with their directions (0 in, 1 out, 2 both)."""
    found: dict[str, set[int]] = {}
    for row in expand(policy(default_exempt=None), Host.parse(["10.9.0.7/24"]), default_exempt=value, **options).filters:  # type: ignore[arg-type]
        found.setdefault(str(EXEMPTIONS[int(row["exempt"])]), set()).add(int(row["direction"]))
    return found


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (0, {"isakmp": {2}, "kerberos": {2}, "rsvp": {2}, "multicast": {2}, "broadcast": {2}}),
        (1, {"isakmp": {2}, "multicast": {2}, "broadcast": {2}}),
        (2, {"isakmp": {2}, "kerberos": {2}, "rsvp": {2}}),
        (3, {"isakmp": {2}, "multicast": {0}, "broadcast": {0}}),
    ],
)
def test_each_value_exempts_what_windows_documents(value: int, expected: dict[str, set[int]]) -> None:
    assert kinds(value) == expected


def test_isakmp_is_udp_with_either_port_500_or_4500_in_both_families() -> None:
    rows = [row for row in expand(policy(), default_exempt=3).filters if row["exempt"] == EXEMPTIONS.index("isakmp")]
    ports = {
        (int(r["family"]), int(r["protocol_lo"]), int(r["sport_lo"]), int(r["sport_hi"]), int(r["dport_lo"]), int(r["dport_hi"]))
        for r in rows
    }
    assert ports == {
        (family, 17, *ends)
        for family in (4, 6)
        for port in (500, 4500)
        for ends in ((port, port, 0, 65535), (0, 65535, port, port))
    }


def test_exemptions_come_before_every_filter_and_belong_to_no_rule() -> None:
    found = expand(policy(), default_exempt=0).filters
    assert all(row["exempt"] for row in found)
    assert {found.source(at).rule for at in range(len(found))} == {None}  # type: ignore[union-attr]


def test_the_directed_broadcast_of_the_hosts_subnet_is_exempt() -> None:
    rows = expand(policy(), Host.parse(["10.9.0.7/24"]), default_exempt=3).filters
    broadcast = {int(row["dst_lo"][1]) for row in rows if row["exempt"] == EXEMPTIONS.index("broadcast")}
    assert broadcast == {0xFFFFFFFF, 0x0A0900FF}


def test_the_source_decides_where_no_option_is_given() -> None:
    assert {str(EXEMPTIONS[int(row["exempt"])]) for row in expand(policy(default_exempt=2)).filters} == {
        "isakmp",
        "kerberos",
        "rsvp",
    }


def test_a_source_without_a_value_means_3_and_a_note() -> None:
    expansion = expand(policy(default_exempt=None))
    assert [finding.code for finding in expansion.findings] == ["PA401"]
    assert {str(EXEMPTIONS[int(row["exempt"])]) for row in expansion.filters} == {"isakmp", "multicast", "broadcast"}


@pytest.mark.parametrize("target", ["2000", "xp"])
def test_values_that_came_with_server_2003_count_as_1_before_it(target: str) -> None:
    expansion = expand(policy(default_exempt=3), target=target)
    assert [finding.code for finding in expansion.findings] == ["PA404"]
    assert {str(EXEMPTIONS[int(row["exempt"])]) for row in expansion.filters} == {"isakmp", "multicast", "broadcast"}


def test_a_stored_value_beyond_3_is_told_and_taken_as_3() -> None:
    assert [finding.code for finding in expand(policy(default_exempt=7)).findings] == ["PA404"]


def test_an_option_beyond_3_is_refused() -> None:
    with pytest.raises(ValueError, match="0 to 3, not 4"):
        expand(policy(), default_exempt=4)


def test_exemptions_cover_ipv6_for_vista_only() -> None:
    assert {int(row["family"]) for row in expand(policy(), target="2003").filters} == {4}
    assert {int(row["family"]) for row in expand(policy()).filters} == {4, 6}
