"""A world for the agent: a clock that a test turns, a domain that changes under it, and an agent in it."""

import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

from pastore.agent.applying import Manner
from pastore.agent.cache import Cache
from pastore.agent.engine import Engine
from pastore.agent.storages import LdapDirectory, LocalSource
from pastore.agent.trail import Trail
from pastore.audit import MemorySink
from pastore.directory import Access
from pastore.export import ldif
from pastore.filters.host import Host
from pastore.findings import Finding
from pastore.model import Policy
from tests.support.directory_examples import BASE, COMPUTER, CONTAINER, GPO, entries
from tests.support.hostile_ldap import Conversation, Directory, Request, Server, entries_of_ldif
from tests.support.policies import flt, policy, rule

Entries = dict[str, dict[str, list[bytes | str]]]

NTDS: Final = f"CN=NTDS Settings,CN=DC1,CN=Servers,CN=HQ,CN=Sites,CN=Configuration,{BASE}"
POINTER: Final = f"CN=IPSEC,CN=Windows,CN=Microsoft,CN=Machine,{GPO}"
ME: Final = "10.9.0.7"

WEB: Final = rule("Web", "allow", "tcp any > me:80")
REST: Final = rule("Rest", "block", flt("any > me", name="all"))
FIRST: Final = policy(WEB, REST, name="Server Isolation")
SECOND: Final = policy(rule("Web", "block", "tcp any > me:80"), REST, name="Server Isolation")
ODD: Final = policy(WEB, REST, rule("Odd mask", "block", "tcp 10.0.0.1/255.0.0.255 > me:81"), name="Server Isolation")
HOPELESS: Final = policy(rule("Odd mask", "block", "tcp 10.0.0.1/255.0.0.255 > me:81"), name="Server Isolation")
OTHER: Final = policy(rule("Mail", "allow", "tcp any > me:25"), REST, name="Mail Servers")
ON_DISK: Final = policy(rule("Home", "allow", "udp any > me:53"), name="At Home")


def dn_of(made: Policy) -> str:
    """Return the DN of a policy of the domain."""
    return f"CN=ipsecPolicy{{{made.guid}}},{CONTAINER}"


@dataclass
class FakeClock:
    """A clock that goes when it is told to."""

    seconds: float = 1000.0
    start: datetime = datetime(2026, 3, 1, 8, tzinfo=UTC)

    def now(self) -> datetime:
        """Return the time of day."""
        return self.start + timedelta(seconds=self.seconds)

    def monotonic(self) -> float:
        """Return seconds."""
        return self.seconds

    def pass_minutes(self, minutes: float) -> None:
        """Go on."""
        self.seconds += 60 * minutes


class Domain:
    """A domain with one controller, which can be cut off, stopped, and changed; numbers of changes as Active Directory has them.

    Parameters
    ----------
    folder : Path
        For the controller's socket.
    made : Policy, optional
        The policy that is assigned to the computer FILES1.
    """

    def __init__(self, folder: Path, made: Policy | None = None) -> None:
        self.usn = 100
        self.invocation = bytes(range(16))
        self.entries: Entries = {}
        self.is_up = True
        self.is_hung = False
        self._released = threading.Event()
        self._content = Directory(script=self._script)
        self.server = Server(self._serve, path=folder / "ldapi")
        base = entries()
        self.entries = {
            dn: values for dn, values in base.items() if "ipsec" not in dn.lower() or dn == f"CN=IP Security,CN=System,{BASE}"
        }
        self.entries[POINTER] = dict(base[POINTER])
        self.entries[NTDS] = {"objectClass": ["nTDSDSA"], "invocationId": [self.invocation]}
        self.store(made or FIRST)
        self.assign(made or FIRST)

    def _serve(self, conversation: Conversation) -> None:
        if not self.is_up:
            conversation.socket.close()
            return
        self._content.entries = {dn: dict(values) for dn, values in self.entries.items()}
        self._content.entries[""]["highestCommittedUSN"] = [str(self.usn)]
        self._content.serve(conversation)

    def _script(self, conversation: Conversation, request: Request) -> bool:
        if self.is_hung:
            self._released.wait(30)
            return True
        return False

    @property
    def url(self) -> str:
        """Where it is."""
        return self.server.url

    def release(self) -> None:
        """Let threads of a hung server go."""
        self._released.set()

    def touch(self, dn: str) -> None:
        """Count a change of an object."""
        self.usn += 1
        moment = datetime(2026, 3, 1, 8, tzinfo=UTC) + timedelta(seconds=self.usn)
        self.entries[dn] |= {"uSNChanged": [str(self.usn)], "whenChanged": [moment.strftime("%Y%m%d%H%M%S.0Z")]}

    def move_to_another_controller(self) -> None:
        """Have another controller of the same domain answer: other numbers, other times, another identity."""
        self.invocation = bytes(reversed(self.invocation))
        self.entries[NTDS]["invocationId"] = [self.invocation]
        self.usn += 5000
        for dn, values in self.entries.items():
            if "uSNChanged" in values:
                self.touch(dn)

    def store(self, made: Policy) -> None:
        """Have a policy in the store: what it had of it and does not hold any more goes, and the policy object is touched."""
        fresh = entries_of_ldif(ldif.write(made, base_dn=BASE, times=False))
        for dn, values in fresh.items():
            known = self.entries.get(dn)
            if known is None or {name: some for name, some in known.items() if name in values} != values:
                self.entries[dn] = values
                self.touch(dn)
        self.touch(dn_of(made))

    def delete(self, made: Policy) -> None:
        """Take a policy object away, and nothing else."""
        self.usn += 1
        del self.entries[dn_of(made)]

    def assign(self, made: Policy | None) -> None:
        """Assign a policy to the computer, or none."""
        unit = self.entries[f"OU=Servers,{BASE}"]
        unit["gPLink"] = [f"[LDAP://{GPO};{0 if made else 1}]"]
        if made is not None:
            self.entries[POINTER]["ipsecOwnersReference"] = [dn_of(made)]

    def break_policy(self, made: Policy) -> None:
        """Damage the policy object's own data."""
        self.entries[dn_of(made)]["ipsecData"] = [b"not a policy"]
        self.touch(dn_of(made))


@dataclass
class World:
    """An agent with all it needs."""

    folder: Path
    domain: Domain
    clock: FakeClock = field(default_factory=FakeClock)
    sink: MemorySink = field(default_factory=MemorySink)
    told: list[Finding] = field(default_factory=list)
    local: LocalSource | None = None
    timeout: float = 5.0
    engine: Engine = field(init=False)

    def __post_init__(self) -> None:
        self.restart()

    @property
    def cache(self) -> Cache:
        """The cached copy."""
        return Cache(str(self.folder / "policy.cache"), computer="FILES1", domain=BASE)

    def restart(self) -> None:
        """Have an agent that was not started yet; what was told before is forgotten."""
        self.sink.entries.clear()
        self.told.clear()
        directory = LdapDirectory(self.domain.url, Access(timeout=self.timeout), computer="FILES1", now=self.clock.now)
        self.engine = Engine(
            Trail(self.sink),
            directory=directory,
            cache=self.cache,
            local=self.local,
            manner=Manner(Host.parse([ME])),
            clock=self.clock,
            told=self.told.append,
        )

    def ids(self) -> list[int]:
        """Return the ids of the events since the last call."""
        found = [entry.event.id for entry in self.sink.entries]
        self.sink.entries.clear()
        return found

    def until_due(self) -> list[int]:
        """Go on until something is due, and do it; the events."""
        due = self.engine.due
        assert due is not None
        self.clock.seconds = max(self.clock.seconds, due)
        assert self.engine.run_due()
        return self.ids()

    def until_answer(self) -> list[int]:
        """Go on until the directory was asked for changes; the events. A refresh alone, which is quiet, does not count."""
        while not (found := self.until_due()):
            pass
        return found

    def verdict(self, packet: str = "tcp 10.1.2.3:49152 > 10.9.0.7:80") -> str | None:
        """Return what happens to a packet, None if no policy is in force."""
        if self.engine.in_force is None:
            return None
        protocol, src, _, dst = packet.split()
        return str(self.engine.in_force.matcher.match(protocol, src, dst, direction="in").action)

    def name(self) -> str | None:
        """Return the name of the policy in force."""
        return None if self.engine.in_force is None else self.engine.in_force.attempt.policy.name


@contextmanager
def world(made: Policy | None = None, *, local: LocalSource | None = None, timeout: float = 5.0) -> Iterator[World]:
    """Make a domain, and an agent that has not been started."""
    with tempfile.TemporaryDirectory(prefix="agent-") as name:  # short: the path of a socket has at most 107 bytes
        domain = Domain(Path(name), made)
        with domain.server:
            found = World(Path(name), domain, local=local, timeout=timeout)
            try:
                yield found
            finally:
                domain.release()
                with suppress(RuntimeError):
                    found.engine.in_force = None


def with_interval(made: Policy, seconds: int) -> Policy:
    """Return a policy with another polling interval."""
    return replace(made, polling_interval=seconds)


__all__ = ["COMPUTER", "Domain", "FakeClock", "World", "dn_of", "with_interval", "world"]
