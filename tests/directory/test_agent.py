"""The walk of docs/agent.md with a real domain: the agent runs, its path to the directory is cut and mended, and every event."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

import pytest
from lxml import etree

from pastore.export import ldif
from pastore.model import Policy
from tests.directory.test_adding_ldif import Store
from tests.support.command import Result, pastore
from tests.support.domain import ADMINISTRATOR, BASE, DomainController
from tests.support.hostile_ldap import entries_of_ldif
from tests.support.policies import flt, policy, rule
from tests.support.registry import export
from tests.support.relay import Relay, to_path

ROOT: Final = Path(__file__).parents[2]
SCHEMA: Final = etree.XMLSchema(etree.parse(ROOT / "tests" / "unit" / "audit" / "event.xsd"))
PAGE: Final = ROOT / "docs" / "agent.md"
UNIT: Final = f"OU=Walk,{BASE}"
COMPUTER: Final = f"CN=WALKER,{UNIT}"
GPO: Final = f"CN={{0BADF00D-5555-4555-8555-555555555555}},CN=Policies,CN=System,{BASE}"
EXTENSIONS: Final = "[{E437BC1C-AA7D-11D2-A382-00C04F991E27}{DEA8AFA0-CC85-11D0-9CE2-0080C7221EBD}]"

REST: Final = rule("Rest", "block", flt("any > me", name="all"))
ODD: Final = rule("Odd mask", "block", "tcp 10.0.0.1/255.0.0.255 > me:81")
ON_DISK: Final = policy(rule("Home", "allow", "udp any > me:53"), name="At Home")


def version(port: int, *more: object) -> Policy:
    """Return one version of the policy: they differ in a filter."""
    return policy(rule("Web", "allow", f"tcp any > me:{port}"), REST, *more, name="Server Isolation")  # type: ignore[arg-type]


def walk() -> list[tuple[str, list[int]]]:
    """Return the walk as the page tells it."""
    table = PAGE.read_text(encoding="utf-8").split("<!-- walk -->")[1]
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in table.strip().splitlines()[2:]]
    return [(row[0], [int(number) for number in row[1].split()]) for row in rows]


class Way:
    """The agent's path to the directory, which can be cut."""

    def __init__(self, domain: DomainController) -> None:
        self._on = to_path(f"{domain.folder}/ldaps")
        self.is_cut = False

    def dial(self) -> socket.socket:
        """Connect on, unless it is cut."""
        if self.is_cut:
            raise ConnectionRefusedError
        return self._on()


class Estate:
    """A computer, a Group Policy object that assigns it a policy, and an agent."""

    def __init__(self, domain: DomainController, folder: Path, port: int, made: Policy) -> None:
        self.domain = domain
        self.folder = folder
        self.made = made
        self.process: subprocess.Popen[bytes] | None = None
        (folder / "password").write_text(domain.password)
        (folder / "password").chmod(0o600)
        self.config = folder / "agent.toml"
        self.config.write_text(
            f'source = "ldaps://localhost:{port}"\ncomputer = "WALKER"\nuser = "{ADMINISTRATOR}"\n'
            f'password_file = "{folder}/password"\nca_file = "{domain.authority.file}"\ntimeout = 20\n'
            f'local = "{export(folder, ON_DISK)}"\nstate_dir = "{folder}/state"\nme = ["10.9.0.7"]\n'
        )

    @property
    def state(self) -> str:
        return str(self.folder / "state")

    def start(self) -> None:
        env = os.environ | {"PYTHONPATH": str(ROOT / "src")}
        command = [sys.executable, "-m", "pastore", "agent", "--config", str(self.config)]
        with open(self.folder / "said", "ab") as said:
            self.process = subprocess.Popen(command, stderr=said, stdout=said, env=env)
        until = time.monotonic() + 30
        while self.ask("status").status == 2 or json.loads(self.ask("status", "--output-format", "json").out)["state"] == "off":
            assert self.process.poll() is None, (self.folder / "said").read_text()
            assert time.monotonic() < until
            time.sleep(0.05)

    def stop(self) -> None:
        assert self.process is not None
        self.process.send_signal(signal.SIGTERM)
        assert self.process.wait(20) == 0, (self.folder / "said").read_text()
        self.process = None

    def ask(self, what: str, *more: str) -> Result:
        return pastore("agent", what, "--state-dir", self.state, *more)

    def edit(self, made: Policy) -> None:
        """Write what is another in this version, and touch the policy as the tools of Windows do."""
        before, after = (entries_of_ldif(ldif.write(one, base_dn=BASE, times=False)) for one in (self.made, made))
        changes = []
        for dn, values in after.items():
            if values["ipsecData"] != before[dn]["ipsecData"]:
                lines = re.sub(r"\n ", "", ldif.write(made, base_dn=BASE, times=False).decode())
                (data,) = re.findall(rf"dn: {re.escape(dn)}\nchangetype: add\n(?:.*\n)*?(ipsecData:: .*)\n", lines)
                changes.append(f"dn: {dn}\nchangetype: modify\nreplace: ipsecData\n{data}\n")
        owner = f"CN=ipsecPolicy{{{made.guid}}},CN=IP Security,CN=System,{BASE}"
        changes.append(f"dn: {owner}\nchangetype: modify\nreplace: description\ndescription: edited {time.time_ns()}\n")
        self.domain.modify("\n".join(changes))
        self.made = made

    def link(self, is_linked: bool) -> None:
        value = f"gPLink: [LDAP://{GPO};0]\n" if is_linked else ""
        self.domain.modify(f"dn: {UNIT}\nchangetype: modify\nreplace: gPLink\n{value}")

    def events(self) -> list[int]:
        """Return the ids of all events so far, as `pastore events` shows them, without quiet polls."""
        told = pastore("events", f"{self.state}/audit.jsonl", "--output-format", "json")
        assert told.status == 0
        return [number for number in (json.loads(line)["id"] for line in told.lines) if number != 5463]


@pytest.fixture
def make(domain: DomainController, tmp_path: Path) -> Iterator[Callable[[Policy, int], Estate]]:
    """A way to have the estate of a policy; it goes afterwards."""
    store = Store(domain)
    below = [GPO]
    for part in ("Machine", "Microsoft", "Windows", "IPSEC"):
        below.append(f"CN={part},{below[-1]}")
    made: list[Estate] = []

    def estate(of: Policy, port: int) -> Estate:
        store.add(ldif.write(of, base_dn=BASE, times=False))
        owner = f"CN=ipsecPolicy{{{of.guid}}},CN=IP Security,CN=System,{BASE}"
        changes = [
            f"dn: {UNIT}\nchangetype: add\nobjectClass: organizationalUnit\n",
            f"dn: {COMPUTER}\nchangetype: add\nobjectClass: computer\nsAMAccountName: WALKER$\nuserAccountControl: 4096\n",
            (
                f"dn: {GPO}\nchangetype: add\nobjectClass: groupPolicyContainer\ndisplayName: Walk\nflags: 0\nversionNumber: 1\n"
                f"gPCFunctionalityVersion: 2\ngPCMachineExtensionNames: {EXTENSIONS}\n"
            ),
            *(f"dn: {dn}\nchangetype: add\nobjectClass: container\n" for dn in below[1:4]),
            f"dn: {below[4]}\nchangetype: add\nobjectClass: ipsecPolicy\nipsecOwnersReference: {owner}\n",
        ]
        domain.modify("\n".join(changes))
        made.append(Estate(domain, tmp_path, port, of))
        made[0].link(True)
        return made[0]

    try:
        yield estate
    finally:
        for one in made:
            if one.process is not None:
                one.process.kill()
                one.process.wait(20)
        if made:
            domain.delete(*reversed(below), COMPUTER, UNIT)
        store.clear()


@pytest.mark.parametrize("odd", [False, True], ids=["every rule can be applied", "one rule cannot"])
def test_the_walk(domain: DomainController, make: Callable[[Policy, int], Estate], odd: bool) -> None:
    more = (ODD,) if odd else ()
    path = Way(domain)
    told: list[int] = []

    def expect(step: str) -> None:
        """Compare the new events with the next row of the page."""
        what, ids = rows.pop(0)
        assert step in what
        expected = [number for one in ids for number in ((one, 5462, 5477) if odd and one in APPLYING else (one,))]
        events = estate.events()
        assert events[len(told) :] == expected, what
        told[:] = events

    APPLYING = (5456, 5458, 5464, 5468)  # the local policy has no such rule
    rows = walk()
    with Relay(path.dial) as relay:
        estate = make(version(80, *more), relay.port)
        estate.start()
        expect("the agent starts")
        packet = "tcp 10.1.2.3:49152 > 10.9.0.7:{} in"
        assert estate.ask("explain", packet.format(80), "--output-format", "json").json["action"] == "allow"
        assert estate.ask("status").status == int(odd)

        estate.edit(version(8080, *more))
        assert estate.ask("poll").status == 0
        expect("a filter of the policy is edited")
        assert estate.ask("explain", packet.format(80), "--output-format", "json").json["action"] == "block"

        path.is_cut = True
        assert estate.ask("poll").status == 1
        expect("the path to the directory is cut")

        estate.stop()
        estate.start()
        expect("the agent is restarted")
        assert estate.ask("explain", packet.format(8080), "--output-format", "json").json["action"] == "allow"

        path.is_cut = False
        assert estate.ask("poll").status == 0
        expect("the path is there again")

        path.is_cut = True
        assert estate.ask("poll").status == 1
        expect("the path is cut")
        estate.edit(version(8443, *more))
        path.is_cut = False
        assert estate.ask("poll").status == 0
        expect("the policy is edited, and the path is there again")

        assert estate.ask("poll").status == 0  # quiet
        estate.link(False)
        assert estate.ask("refresh").status == 0
        expect("the Group Policy object is unlinked, Group Policy refreshed")
        assert estate.ask("explain", "udp 10.1.2.3:5353 > 10.9.0.7:53 in", "--output-format", "json").json["rule"] == "Home"

        estate.stop()
        expect("the agent is stopped")
    assert rows == []
    assert domain.password not in (estate.folder / "said").read_text()
    written = pastore("events", f"{estate.state}/audit.jsonl", "--output-format", "xml")
    document = etree.fromstring(written.out.encode())
    for one in document:
        SCHEMA.assertValid(one)
    ids = document.findall(".//{*}EventID")
    assert [int(one.text or 0) for one in ids if one.text != "5463"] == told
