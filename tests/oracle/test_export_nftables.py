"""Policies written as nftables rulesets, loaded into the kernel: every packet gets the verdict of the policy.

4,000 packets a policy; with PASTORE_PROOF_PACKETS, so many of each IP version in all. ``make proof`` prints the figures.
"""

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from pastore.analysis.aim import aim
from pastore.export import nftables
from pastore.filters.expand import Expansion, expand
from pastore.filters.host import Host
from pastore.matcher import Matcher
from pastore.model import Action, InterfaceType, Policy
from pastore.packets import PacketBatch
from pastore.verify import kernel
from tests.support import example
from tests.support.nft_exported import judge
from tests.support.overlapping_policies import random_policy
from tests.support.policies import flt, policy, rule
from tests.support.site import HOST, SITE

WHOLE = "PASTORE_PROOF_PACKETS" in os.environ


@pytest.fixture(scope="module", autouse=True)
def _the_kernel_can_be_asked() -> None:
    """A missing package is a failure; only a platform that has no such kernel, or forbids namespaces, is excused."""
    try:
        kernel.judge(expand(SITE).filters, PacketBatch.from_packets([]))
    except kernel.KernelUnavailableError as error:
        if error.platform:
            pytest.skip(f"elsewhere: {error}")
        pytest.fail(f"{error}; scripts/setup-debian test installs what is missing")


def halden() -> Policy:
    return example.policy()


SETS: dict[str, Callable[[], tuple[Policy, Host]]] = {
    "a site": lambda: (SITE, HOST),
    "a site, any host": lambda: (SITE, Host()),
    "the bundled example": lambda: (halden(), Host.parse(["10.20.4.7/16", "2001:db8:20::7"])),
    "12 random rules": lambda: (random_policy(1, 12), Host.parse(["10.9.0.3/28", "2001:db8:20::7"])),
    "60 random rules": lambda: (random_policy(2, 60), Host.parse(["10.9.0.3/28", "2001:db8:20::7"])),
    "60 random rules, any host": lambda: (random_policy(3, 60), Host()),
}
# One packet in thirty is an IPv6 extension header, which the kernel cannot be asked about.
PACKETS = int(2.07 * int(os.environ["PASTORE_PROOF_PACKETS"]) / len(SETS)) if WHOLE else 4000


def different(exported: bytes, expansion: Expansion, packets: PacketBatch) -> tuple[int, int, int]:
    """How many packets the kernel sees otherwise, of how many, and how many it did not answer."""
    answers = judge(exported, expansion.filters, packets)
    verdicts = Matcher(expansion.filters).classify(packets)
    differ = answers.asked & (answers.action != verdicts.action)
    return int(differ.sum()), int(answers.asked.sum()), answers.unanswered


@pytest.mark.parametrize("name", SETS)
def test_every_packet_gets_the_action_of_the_policy(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    made, host = SETS[name]()
    expansion = expand(made, host)
    packets = aim(expansion.filters, -(-PACKETS // 2), 7)
    began = time.perf_counter()
    differ, compared, unanswered = different(nftables.write(made, expansion).data, expansion, packets)
    if WHOLE:
        with capsys.disabled():
            seconds = time.perf_counter() - began
            print(f"\nexported, {name}: {len(expansion.filters)} rows, {compared} packets, {differ} different, {seconds:.1f} s")
    assert (differ, unanswered) == (0, 0)
    assert compared > 0.9 * len(packets)
    verdicts = Matcher(expansion.filters).classify(packets)
    assert set(np.unique(verdicts.action).tolist()) >= {Action.ALLOW, Action.BLOCK, Action.PROTECT}


class TestTheComparisonNotices:
    @pytest.mark.parametrize(
        ("right", "wrong"),
        [
            ("10.20.0.0/16", "10.20.0.0/17"),
            ("goto block", "goto allow"),
            ("tcp dport", "tcp sport"),
            ("goto protect_in", "goto block"),
        ],
    )
    def test_a_changed_rule(self, right: str, wrong: str) -> None:
        expansion = expand(halden(), Host.parse(["10.20.4.7/16"]))
        exported = nftables.write(halden(), expansion).data.decode()
        assert right in exported
        changed = exported.replace(right, wrong).encode()
        assert different(changed, expansion, aim(expansion.filters, 1000, 7))[0] > 0

    def test_chains_that_are_taken_for_each_other(self) -> None:
        made = policy(rule("Out", "block", flt("tcp me > any:25", mirrored=False)), rule("In", "allow", "tcp any > me:80"))
        expansion = expand(made, Host.parse(["10.9.0.7"]))
        exported = nftables.write(made, expansion).data.decode()
        swapped = exported.replace("chain in_", "chain x_").replace("chain out_", "chain in_").replace("chain x_", "chain out_")
        swapped = swapped.replace("goto in_", "goto x_").replace("goto out_", "goto in_").replace("goto x_", "goto out_")
        packets = aim(expansion.filters, 1000, 7)
        assert different(exported.encode(), expansion, packets)[0] == 0
        assert different(swapped.encode(), expansion, packets)[0] > 0


def in_namespace(script: str, *, exported: bytes) -> str:
    """Run a shell script in a network namespace of its own, the ruleset in the file ``$1``."""
    path = Path(os.environ.get("TMPDIR", "/tmp"), f"pastore-{os.getpid()}.nft")  # noqa: S108
    path.write_bytes(exported)
    try:
        command = [*kernel.namespace_command(), "sh", "-eu", "-c", script, "sh", str(path)]
        environment = os.environ | {"PATH": f"{os.environ['PATH']}:/usr/sbin:/sbin"}
        done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment, timeout=60)
    finally:
        path.unlink()
    assert done.returncode == 0, done.stderr
    return done.stdout


SENDER = Path(__file__).parents[1] / "support" / "nft_hooks.py"


def test_the_tables_own_hooks_drop_and_pass_what_a_host_sends_and_gets() -> None:
    if shutil.which("ip", path=f"{os.environ['PATH']}:/usr/sbin:/sbin") is None:
        pytest.fail("ip (iproute2) is not installed; scripts/setup-debian test installs it")
    made = policy(
        rule("Rest", "block", "any > me", flt("any > me", families=(6,), name="six")),
        rule("Web", "allow", "udp any > me:80", flt("udp any > [me]:80", families=(6,), name="web six")),
        rule("Data", "protect", "udp any > me:1433"),
        rule("Dial-in", "allow", "udp any > me:22", interface=InterfaceType.RAS),
    )
    expansion = expand(made, Host.parse(["10.9.0.7/24", "2001:db8:20::7"]))
    script = f"nft -f $1; exec '{sys.executable}' -I '{SENDER}'"
    said = in_namespace(script, exported=nftables.write(made, expansion).data)
    assert said.splitlines() == [
        "in 10.9.0.9 > 10.9.0.7:80 passed",
        "in 10.9.0.9 > 10.9.0.7:81 dropped",
        "in 10.9.0.9 > 10.9.0.7:1433 dropped",  # in clear text, and nothing was negotiated
        "in 10.9.0.9 > 10.9.0.7:22 dropped",
        "in 10.9.0.9 > 10.9.0.8:81 passed",  # not an address of this host to the policy
        "in 2001:db8:20::9 > 2001:db8:20::7:80 passed",
        "in 2001:db8:20::9 > 2001:db8:20::7:81 dropped",
        "out 10.9.0.7:80 > 10.9.0.9 passed",
        "out 10.9.0.7:81 > 10.9.0.9 dropped",
        "out 10.9.0.7:1433 > 10.9.0.9 dropped",
        "out 10.9.0.8:81 > 10.9.0.9 passed",
        "lo 10.9.0.7 > 10.9.0.7:81 passed",
        "in, the device is dial-up 10.9.0.9 > 10.9.0.7:22 passed",
        "in, the device is dial-up 10.9.0.9 > 10.9.0.7:81 dropped",
    ]


def test_loaded_twice_it_replaces_itself_and_other_tables_stay() -> None:
    expansion = expand(SITE, HOST)
    script = "nft add table inet other; nft -f $1; nft list table inet pastore >$1.one; nft -f $1; nft list table inet pastore"
    said = in_namespace(f"{script} | cmp - $1.one; rm $1.one; nft list tables", exported=nftables.write(SITE, expansion).data)
    assert sorted(said.split("\n")) == ["", "table inet other", "table inet pastore"]


HOSTILE = (
    'a"; drop; #',
    "a\ntable inet evil { }",
    "back\\slash\\",
    "`reboot` $(reboot) $x",
    "\x1b[31mred\x07",
    "\u202eoverride",
    "事務所" * 60,
    "'} flush ruleset",
    "*",
    "{ }",
    "@set",
)


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_names_stay_comments(name: str) -> None:
    made = policy(rule(name, "block", "tcp any > me:80", "any > 10.0.0.1"), name=name)
    expansion = expand(made)
    exported = nftables.write(made, expansion).data
    plain = nftables.write(policy(rule("plain", "block", "tcp any > me:80", "any > 10.0.0.1"), name="plain"), expansion)
    assert len(exported.splitlines()) == len(plain.data.splitlines())
    said = in_namespace("nft -f $1; nft -s list ruleset | sed 's/ comment .*//'", exported=exported)
    assert said.count("table ") == 1
    without = [line.strip().partition(" comment ")[0] for line in exported.decode().splitlines()]
    assert [line for line in without if "goto block" in line] == [
        line.strip() for line in said.splitlines() if "goto block" in line
    ]
