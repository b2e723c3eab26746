"""The table against the kernel's own packet filter: the same rows, the same packets, every answer equal and none missing.

100,000 packets a family and set, or as many as PASTORE_PROOF_PACKETS says; ``make proof`` prints the figures.
"""

import os
import shutil
import subprocess
import time
from collections.abc import Callable

import numpy as np
import pytest

from pastore.analysis.aim import aim
from pastore.api import compile_policy
from pastore.filters.host import Host
from pastore.filters.specific import SpecificFilters
from pastore.matcher import Matcher
from pastore.model import InterfaceType
from pastore.packets import PacketBatch
from pastore.packets.packet import Packet
from pastore.verify import kernel
from pastore.verify.proof import against_kernel, against_scan
from tests.support.classbench import data_directory, read_rules
from tests.support.command import pastore
from tests.support.example import FOLDER
from tests.support.policies import flt, policy, rule
from tests.support.rulesets import ipv6_twin, make_rules

PACKETS = int(os.environ.get("PASTORE_PROOF_PACKETS", "100000"))


@pytest.fixture(scope="module", autouse=True)
def _the_kernel_can_be_asked() -> None:
    """A missing package is a failure; only a platform that has no such kernel, or forbids namespaces, is excused."""
    try:
        kernel.judge(make_rules("acl", 1, 1), PacketBatch.from_packets([]))
    except kernel.KernelUnavailableError as error:
        if error.platform:
            pytest.skip(f"elsewhere: {error}")
        pytest.fail(f"{error}; scripts/setup-debian test installs what is missing")


def with_twin(rules: SpecificFilters) -> SpecificFilters:
    """The rules of IPv4, and the same for IPv6 after them."""
    rows = np.concatenate([rules.rows, ipv6_twin(rules).rows])
    rows["rank"] = np.arange(len(rows))
    rows["filter"] = -1
    return SpecificFilters(rows)


def listed(name: str, shape: str, n: int) -> SpecificFilters:
    """A set of PASTORE_DATA, or one of our own of the same shape, of 3,000 rules at most, with its twin."""
    root = data_directory()
    return with_twin(read_rules(root / f"{name}.rules.gz") if root else make_rules(shape, min(n, 3000), 3))


def site_policy() -> SpecificFilters:
    """A policy with one-way filters, either interface type, both families, and every default exemption."""
    got = policy(
        rule("Web", "allow", "tcp any > me:80", "tcp any > me:443"),
        rule("Dial-in", "protect", "any > me", "tcp 10.0.0.0/8 > me:3389", interface=InterfaceType.RAS),
        rule(
            "Office", "protect", "10.9.0.0/255.255.0.0 > me", flt("udp any > me:135-139", version=2), interface=InterfaceType.LAN
        ),
        rule("No mail out", "block", flt("tcp me > any:25", mirrored=False)),
        rule("Ping", "allow", flt("icmp me > any"), "2001:db8::/32 > me"),
        rule("Laboratory", "protect", flt("tcp [2001:db8:20::100-2001:db8:20::1ff] > [2001:db8:20::7]:1433")),
        rule("Rest", "block", "any > me", flt("any > me", families=(6,), name="six")),
        default_exempt=0,
    )
    host = Host.parse(["10.9.0.7/24", "172.16.3.1", "2001:db8:20::7"])
    return compile_policy(got, host).matcher.filters


SETS: dict[str, Callable[[], SpecificFilters]] = {
    "access list of 1,000": lambda: listed("acl1_1k", "acl", 1000),
    "IP chain of 1,000": lambda: listed("ipc1_1k", "ipc", 1000),
    "firewall of 10,000": lambda: listed("fw1_10k", "fw", 10_000),
    "one-way rules of 800, any ranges": lambda: with_twin(make_rules("fw", 800, 21, arbitrary=0.5, one_way=True)),
    "policy of a site": site_policy,
}


@pytest.mark.parametrize("name", SETS)
def test_every_packet_gets_the_row_and_action_of_the_kernel(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    filters = SETS[name]()
    matcher = Matcher(filters)
    packets = aim(filters, PACKETS, 31)
    began = time.perf_counter()
    got = against_kernel(matcher, packets)
    seconds = time.perf_counter() - began
    if "PASTORE_PROOF_PACKETS" in os.environ:
        with capsys.disabled():
            left = sum(got.left_out.values())
            print(
                f"\n{name}: {len(filters)} rows, {got.packets} packets compared, {got.different} different,"
                f" {got.unanswered} unanswered, {left} left to the scan, {seconds:.1f} s"
            )
    assert (got.unavailable, got.unanswered) == ("", 0)
    assert got.different == 0, got.mismatches
    # What the kernel cannot be asked about is little, is counted, and is the scan's.
    assert got.packets + sum(got.left_out.values()) == 2 * PACKETS
    assert got.packets > 1.8 * PACKETS
    assert against_scan(matcher, packets).different == 0
    # The packets are about these rules.
    verdicts = matcher.classify(packets)
    assert verdicts.index is not None
    for family in (4, 6):
        assert (verdicts.index[packets.family == family] >= 0).mean() > 0.5
    assert len(np.unique(verdicts.index)) > min(len(filters) / 4, PACKETS / 500)


def test_the_policy_has_rows_of_every_direction_and_interface_type_and_both_families() -> None:
    rows = site_policy().rows
    assert set(rows["direction"].tolist()) == {0, 1, 2}
    assert set(rows["interface"].tolist()) == {0, 1, 2}
    assert set(rows["family"].tolist()) == {4, 6}
    assert set(rows["action"].tolist()) == {1, 2, 3}
    assert (rows["exempt"] > 0).any()


def few() -> SpecificFilters:
    """Two rows a family with room around every range, the narrow one first."""
    whole = SpecificFilters.from_columns(
        src_lo=[0x0A010000, 0x0A000000],
        src_hi=[0x0A01FFFF, 0x0AFFFFFF],
        dst_lo=[0x0A090000, 0x0A090000],
        dst_hi=[0x0A0900FF, 0x0A09FFFF],
        protocol_lo=[6, 3],
        protocol_hi=[17, 30],
        sport_lo=[2000, 1000],
        sport_hi=[3000, 5000],
        dport_lo=[400, 100],
        dport_hi=[500, 9000],
        direction=["in", "both"],
        interface=["lan", "all"],
        action=["allow", "block"],
    )
    return with_twin(whole)


def judged_otherwise(changed: SpecificFilters) -> int:
    """How many packets the kernel sees differently when it is given other rows."""
    right = Matcher(few())
    packets = aim(right.filters, 2000)
    answers = kernel.judge(changed, packets)
    verdicts = right.classify(packets)
    assert answers.unanswered == 0
    return int((answers.asked & ((answers.row != verdicts.index) | (answers.action != verdicts.action))).sum())


def test_the_kernel_agrees_with_the_rows_that_the_next_tests_change() -> None:
    assert judged_otherwise(few()) == 0


@pytest.mark.parametrize("family", [4, 6])
@pytest.mark.parametrize("end", ["lo", "hi"])
@pytest.mark.parametrize("field", ["src", "dst", "protocol", "sport", "dport"])
def test_a_bound_that_is_off_by_one_is_noticed(field: str, end: str, family: int) -> None:
    rows = few().rows.copy()
    at = 0 if family == 4 else 2
    column = rows[f"{field}_{end}"]
    if field in ("src", "dst"):
        column[at, 1] ^= np.uint64(1)  # the last bit: the first address becomes the second, the last the one before
    elif end == "lo":
        column[at] += 1
    else:
        column[at] -= 1
    assert judged_otherwise(SpecificFilters(rows)) > 0


@pytest.mark.parametrize(
    ("field", "value"), [("direction", 1), ("direction", 2), ("interface", 1), ("interface", 2), ("action", 3)]
)
def test_a_wrong_direction_interface_type_or_action_is_noticed(field: str, value: int) -> None:
    rows = few().rows.copy()
    rows[field][0] = value
    assert judged_otherwise(SpecificFilters(rows)) > 0


def test_rows_in_another_order_are_noticed() -> None:
    rows = few().rows[[1, 0, 2, 3]].copy()
    rows["rank"] = np.arange(4)
    assert judged_otherwise(SpecificFilters(rows)) > 0


def test_addresses_that_ip_itself_would_drop_are_judged_all_the_same() -> None:
    odd4 = ("0.0.0.0", "127.0.0.1", "224.0.0.1", "240.0.0.1", "255.255.255.255")  # noqa: S104
    odd6 = ("::", "::1", "::ffff:102:304", "ff01::1", "ff02::1", "ff0e::1", "fe80::1", "2002:7f00:1::")
    packets = [
        Packet.parse(f"{protocol} {src} > {dst} {way}")
        for odd in (odd4, odd6)
        for src in odd
        for dst in odd
        for protocol in (1, 6, 17, 50, 58, 59, 132, 255)
        for way in ("in", "out", "in ras", "out ras")
    ]
    got = against_kernel(Matcher(site_policy()), PacketBatch.from_packets(packets))
    assert (got.different, got.unanswered, got.packets) == (0, 0, len(packets))


def test_protocols_that_are_extension_headers_are_left_out_and_all_others_are_not() -> None:
    packets = [Packet(family, protocol, 1, 2) for family in (4, 6) for protocol in range(256)]
    batch = PacketBatch.from_packets(packets).with_context()
    got = against_kernel(Matcher(site_policy()), batch)
    assert (got.different, got.unanswered, got.packets) == (0, 0, 512 - 5)
    assert list(got.left_out.values()) == [5]


def test_without_root_it_goes_the_same_way_in_a_namespace_of_the_users_own(monkeypatch: pytest.MonkeyPatch) -> None:
    unshare = shutil.which("unshare")
    assert unshare
    tried = subprocess.run([unshare, "-rn", "true"], capture_output=True, text=True, check=False)
    if tried.returncode:
        pytest.skip(f"elsewhere: no namespace without root: {tried.stderr.strip()}")
    monkeypatch.setattr(kernel, "namespace_command", lambda: (unshare, "-rn", "--"))
    rules = with_twin(make_rules("fw", 700, 5, one_way=True))  # more than one script's worth
    got = against_kernel(Matcher(rules), aim(rules, 1000))
    assert (got.unavailable, got.different, got.unanswered) == ("", 0, 0)
    assert got.packets > 1900


def test_nothing_is_left_behind() -> None:
    kernel.judge(few(), aim(few(), 100))
    if os.geteuid() == 0:
        nft = shutil.which("nft", path=f"{os.environ['PATH']}:/usr/sbin")
        assert nft
        listed = subprocess.run([nft, "list", "tables"], capture_output=True, text=True, check=True)
        assert "pastore" not in listed.stdout


def test_rules_that_nft_refuses_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kernel, "ruleset", lambda *_, **__: iter(["nonsense\n"]))
    with pytest.raises(kernel.KernelUnavailableError, match=r"nft refused the rules: .*syntax error"):
        kernel.judge(few(), aim(few(), 10))


def test_verify_compares_the_bundled_example_with_the_kernel() -> None:
    result = pastore("verify", FOLDER / "policy.reg", "--kernel", "yes", "--packets", 3000, "--output-format", "json")
    assert result.status == 0
    asked = result.json["comparisons"][1]
    assert (asked["against"], asked["different"], asked["unanswered"]) == ("kernel", 0, 0)
    assert asked["packets"] + sum(asked["left_out"].values()) == 6000
