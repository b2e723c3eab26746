"""The agent as people run it: the command, its signals, its socket, and what it tells a service manager."""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Final

import pytest

from pastore.agent.control import Control, ControlError, ask
from pastore.agent.engine import Engine
from pastore.agent.notify import notify
from pastore.agent.service import Service
from pastore.agent.trail import Trail
from pastore.audit import MemorySink
from pastore.matcher import Matcher
from tests.support.agents import FIRST, HOPELESS, ODD, ON_DISK, SECOND, Domain
from tests.support.command import Result, pastore
from tests.support.registry import export

ROOT: Final = Path(__file__).parents[3]
PACKET: Final = "tcp 10.1.2.3:49152 > 10.9.0.7:80 in"


class Running:
    """A running agent; a context manager ends it."""

    def __init__(self, folder: Path, *arguments: object) -> None:
        self.folder = folder
        self.state = folder / "state"
        self.notified = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.notified.bind(str(folder / "notify"))
        self.notified.settimeout(20)
        env = os.environ | {"PYTHONPATH": str(ROOT / "src"), "NOTIFY_SOCKET": str(folder / "notify")}
        command = [sys.executable, "-m", "pastore", "agent", *map(str, arguments), "--state-dir", str(self.state)]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env=env, text=True)

    def told(self) -> dict[str, str]:
        """Return what the service manager is told next."""
        return dict(line.split("=", 1) for line in self.notified.recv(4096).decode().splitlines())

    def ready(self) -> "Running":
        """Wait until it is."""
        while self.told().get("READY") != "1":
            pass
        return self

    def ask(self, what: str, *more: str) -> Result:
        return pastore("agent", what, "--state-dir", self.state, *more)

    def ids(self) -> list[int]:
        return [json.loads(line)["id"] for line in (self.state / "audit.jsonl").read_text().splitlines()]

    def end(self, number: int = signal.SIGTERM) -> str:
        """Send a signal and return everything that was said; it ended well."""
        self.process.send_signal(number)
        said, _ = self.process.communicate(timeout=20)
        assert self.process.returncode == 0, said
        return said


@contextmanager
def running(folder: Path, *arguments: object) -> Iterator[Running]:
    made = Running(folder, *arguments)
    try:
        yield made
    finally:
        if made.process.poll() is None:
            made.process.kill()
        with suppress(ValueError):
            made.process.communicate()
        made.notified.close()


@pytest.fixture
def folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="agent-") as name:  # the path of a socket is short
        yield Path(name)


@pytest.fixture
def domain(folder: Path) -> Iterator[Domain]:
    made = Domain(folder)
    with made.server:
        yield made
        made.release()


def asked(domain: Domain) -> tuple[object, ...]:
    return domain.url, "--computer", "FILES1", "--me", "10.9.0.7", "--timeout", "5"


class TestLife:
    def test_started_asked_changed_reloaded_and_ended(self, folder: Path, domain: Domain) -> None:
        with running(folder, *asked(domain)) as agent:
            agent.ready()
            status = agent.ask("status", "--output-format", "json")
            assert status.status == 0
            assert (status.json["version"], status.json["state"], status.json["computer"]) == (1, "directory", "FILES1")
            assert status.json["policy"]["name"] == "Server Isolation"
            assert [one["id"] for one in status.json["events"]] == [5478, 5473, 5456]
            assert agent.ask("explain", PACKET, "--output-format", "json").json["action"] == "allow"

            domain.store(ODD)
            poll = agent.ask("poll")
            assert (poll.status, "'Server Isolation' is in force (directory), it changed" in poll.err) == (0, True)
            status = agent.ask("status", "--output-format", "json")
            assert status.status == 1  # a rule could not be applied, and here is why
            (failed,) = status.json["failed"]
            assert (failed["rule"], failed["error"]["code"]) == ("Odd mask", 87)
            assert [rule["name"] for rule in status.json["policy"]["rules"] if rule["failed"]] == ["Odd mask"]

            assert agent.ask("reload").status == 0
            agent.process.send_signal(signal.SIGHUP)
            until = time.monotonic() + 20
            while agent.ids().count(5465) < 2:
                assert time.monotonic() < until
                time.sleep(0.02)
            said = agent.end()
        some = [5462, 5477]
        assert agent.ids() == [5478, 5473, 5456, 5464, *some, *([5473, 5456, *some, 5465] * 2), 5479]
        assert "pastore: event 5464 success: PAStore Engine polled for changes" in said
        assert "pastore:   Rules added: 'Odd mask'" in said
        assert not (agent.state / "agent.sock").exists()

    @pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
    def test_a_signal_ends_it_in_the_middle_of_a_retrieval(self, folder: Path, domain: Domain, number: int) -> None:
        domain.is_hung = True
        with running(folder, *asked(domain)[:-1], 60) as agent:
            until = time.monotonic() + 20
            while not (agent.state / "audit.jsonl").exists() or agent.ids() != [5478]:
                assert time.monotonic() < until
                time.sleep(0.02)
            time.sleep(0.2)
            started = time.monotonic()
            agent.end(number)
            assert time.monotonic() - started < 5
        assert agent.ids() == [5478, 5479]

    def test_while_it_waits_for_the_directory_it_can_be_asked(self, folder: Path, domain: Domain) -> None:
        with running(folder, *asked(domain)[:-1], 60) as agent:
            agent.ready()
            domain.is_hung = True
            waiting = threading.Thread(target=agent.ask, args=("poll",))
            waiting.start()
            time.sleep(0.3)
            started = time.monotonic()
            assert agent.ask("status").status == 0
            assert agent.ask("explain", PACKET).status == 0
            assert time.monotonic() - started < 5
            agent.end()
            waiting.join()

    def test_the_service_manager_is_told(self, folder: Path, domain: Domain) -> None:
        with running(folder, *asked(domain)) as agent:
            assert agent.told() == {"READY": "1", "STATUS": "policy 'Server Isolation'; directory"}
            agent.process.send_signal(signal.SIGHUP)
            begun = agent.told()
            assert begun["RELOADING"] == "1"
            assert int(begun["MONOTONIC_USEC"]) > 0
            assert agent.told()["READY"] == "1"
            agent.end()
            assert agent.told() == {"STOPPING": "1"}

    def test_after_each_apply_the_table_is_there_and_the_command_is_run(self, folder: Path, domain: Domain) -> None:
        table, log = folder / "live.pastore", folder / "log"
        command = f"""sh -c 'echo "$PASTORE_POLICY|$PASTORE_TABLE" >>{log}'"""
        with running(folder, *asked(domain), "--table", table, "--command", command) as agent:
            agent.ready()
            old = Matcher.open(table)
            domain.store(SECOND)
            assert agent.ask("poll").status == 0
            packet = ("tcp", "10.1.2.3:49152", "10.9.0.7:80")
            assert Matcher.open(table).match(*packet, direction="in").action == "block"
            assert old.match(*packet, direction="in").action == "allow"  # whoever has it mapped goes on with it
            domain.assign(None)
            assert agent.ask("refresh").status == 0
            assert Matcher.open(table).match(*packet, direction="in").action == "none"
            assert agent.ask("explain", PACKET).status == 2
            assert agent.ask("status").status == 1
            agent.end()
        lines = log.read_text().splitlines()
        assert [line.split("|")[0].partition(",")[0] for line in lines] == [f"CN=ipsecPolicy{{{FIRST.guid}}}"] * 2 + [""]
        assert {line.split("|")[1] for line in lines} == {str(table)}

    def test_a_configuration_says_the_same_and_the_command_line_goes_first(self, folder: Path, domain: Domain) -> None:
        config = folder / "agent.toml"
        config.write_text(f'source = "{domain.url}"\ncomputer = "NOBODY"\nme = ["10.9.0.7"]\naudit = "{folder}/log.jsonl"\n')
        with running(folder, "--config", config, "--computer", "FILES1") as agent:
            agent.ready()
            assert agent.ask("explain", PACKET, "--output-format", "json").json["rule"] == "Web"
            agent.end()
        assert [json.loads(line)["id"] for line in (folder / "log.jsonl").read_text().splitlines()] == [5478, 5473, 5456, 5479]

    def test_local_storage_alone_needs_no_directory(self, folder: Path) -> None:
        with running(folder, export(folder, ON_DISK)) as agent:
            agent.ready()
            assert agent.ask("refresh").status == 0  # there is no Group Policy: it polls
            export(folder, FIRST)
            assert agent.ask("poll").status == 0
            agent.end()
        assert agent.ids() == [5478, 5471, 5460, 5463, 5464, 5479]

    def test_a_second_agent_is_kept_out_of_the_folder(self, folder: Path, domain: Domain) -> None:
        with running(folder, *asked(domain)) as agent:
            agent.ready()
            for more in ((), ("--once",)):
                second = pastore("agent", *asked(domain), "--state-dir", agent.state, *more)
                assert (second.status, "another agent uses the state folder" in second.err) == (2, True)
            assert agent.ask("status").status == 0
            agent.end()

    def test_5483_if_it_cannot_be_asked(self, folder: Path, domain: Domain) -> None:
        with running(folder, *asked(domain), "--socket", folder / "nowhere" / "sock") as agent:
            said, _ = agent.process.communicate(timeout=20)
        assert (agent.process.returncode, agent.ids()) == (2, [5483])
        assert "nowhere/sock: No such file or directory" in said

    def test_a_log_that_is_none_is_not_written_to(self, folder: Path, domain: Domain) -> None:
        (folder / "notes").write_text("remember the milk\n")
        with running(folder, *asked(domain), "--audit", folder / "notes") as agent:
            agent.process.communicate(timeout=20)
        assert (agent.process.returncode, (folder / "notes").read_text()) == (2, "remember the milk\n")


class TestOnce:
    def run(self, folder: Path, domain: Domain, *more: object) -> Result:
        return pastore("agent", *asked(domain), "--once", "--state-dir", folder / "state", *more)

    def test_retrieves_applies_and_caches(self, folder: Path, domain: Domain) -> None:
        first = self.run(folder, domain, "--audit", folder / "log")
        assert (first.status, first.out) == (0, "")
        assert first.err == "pastore: policy 'Server Isolation' applied: 15 specific filters\n"
        assert [json.loads(line)["id"] for line in (folder / "log").read_text().splitlines()] == [5473, 5456]
        assert sorted(os.listdir(folder / "state")) == ["lock", "policy.cache", "policy.pastore"]

    def test_the_cached_copy_is_bad_news_and_none_is_no_answer(self, folder: Path, domain: Domain) -> None:
        domain.is_up = False
        none = self.run(folder, domain)
        assert (none.status, "PA195" in none.err, "no policy was obtained from ldapi://" in none.err) == (2, True, True)
        domain.is_up = True
        assert self.run(folder, domain).status == 0
        domain.is_up = False
        cached = self.run(folder, domain)
        assert (cached.status, "applied from the cached copy" in cached.err) == (1, True)

    def test_rules_that_fail_are_bad_news(self, folder: Path, domain: Domain) -> None:
        domain.store(ODD)
        some = self.run(folder, domain)
        assert (some.status, "not added: tcp 10.0.0.1/255.0.0.255 > me:81" in some.err) == (1, True)
        domain.store(HOPELESS)
        shutil.rmtree(folder / "state")
        every = self.run(folder, domain)
        assert (every.status, "could not be applied" in every.err) == (1, True)

    def test_nothing_assigned_is_no_answer(self, folder: Path, domain: Domain) -> None:
        domain.assign(None)
        assert self.run(folder, domain).status == 2
        local = self.run(folder, domain, "--local", export(folder, ON_DISK))
        assert (local.status, "policy 'At Home' applied" in local.err) == (0, True)

    @pytest.mark.parametrize(
        ("arguments", "said"),
        [
            ((), "give a SRC"),
            (("--once",), "give a SRC"),
            (("corp.reg", "--local", "other.reg"), "--local is for when SRC is a directory"),
            (("ldaps://dc1", "--site", "HQ", "--once"), "--site is of use only with --computer"),
            (("ldaps://dc1", "--system", "SYSTEM"), "--system goes with local storage"),
            (("ldaps://dc1", "--local", "ldaps://dc2", "--once"), "local storage is a file"),
            (("ldaps://me:secret@dc1", "--once"), "a URL holds no user and no password"),
            (("ldaps://dc1", "--group-policy-refresh", "0", "--once"), "above 0"),
            (("ldaps://dc1", "--user", "reader", "--once"), "a user needs a password"),
            (("--config", "nowhere.toml"), "nowhere.toml: cannot be read"),
            (("corp.reg", "--audit-policy", "x"), "--audit-policy"),
            (("status", "--socket", "/nowhere/sock"), "no agent runs here: nobody listens on /nowhere/sock"),
            (("explain", "tcp what"), "PACKET"),
            (("stats",), "there is no file 'stats'; did you mean `pastore agent status`?"),
        ],
    )
    def test_what_does_not_go_is_exit_status_2(
        self, folder: Path, monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...], said: str
    ) -> None:
        monkeypatch.setenv("STATE_DIRECTORY", str(folder / "state"))
        monkeypatch.chdir(folder)
        result = pastore("agent", *arguments)
        assert result.status == 2
        assert said in result.err
        assert "secret" not in result.err


class TestSocket:
    @pytest.fixture
    def path(self, folder: Path) -> str:
        return str(folder / "sock")

    def test_is_its_owners_alone_and_goes_with_the_agent(self, path: str) -> None:
        with Control(path, lambda request: ({"heard": request}, None)):
            assert os.stat(path).st_mode & 0o777 == 0o600
            assert ask(path, {"do": "x"}) == ({"version": 1, "heard": {"do": "x"}}, None)
        assert not os.path.exists(path)

    def test_one_that_was_left_is_taken_over_and_one_in_use_is_not(self, path: str) -> None:
        with socket.socket(socket.AF_UNIX) as left:
            left.bind(path)
        with Control(path, lambda request: ({}, None)), pytest.raises(OSError, match="another agent listens"):
            Control(path, lambda request: ({}, None))

    @pytest.mark.parametrize("data", [b"\n", b"[]\n", b"{\n", b"\xff\n", b"{" * 10_000 + b"\n", b"[" * 4000 + b"\n"])
    def test_what_is_no_request_is_answered_so(self, path: str, data: bytes) -> None:
        with Control(path, lambda request: ({}, None)), socket.socket(socket.AF_UNIX) as client:
            client.connect(path)
            with suppress(OSError):
                client.sendall(data)
            reply = b""
            with suppress(OSError):
                while more := client.recv(4096):
                    reply += more
        assert not reply or "no request" in json.loads(reply)["error"]

    def test_clients_that_say_nothing_do_not_keep_others_out(self, path: str) -> None:
        silent = [socket.socket(socket.AF_UNIX) for _ in range(10)]
        with Control(path, lambda request: ({}, None)):
            for one in silent:
                one.connect(path)
            assert ask(path, {"do": "x"})[0] == {"version": 1}
            for one in silent:
                one.close()

    def test_other_users_are_refused(self, path: str, monkeypatch: pytest.MonkeyPatch) -> None:
        if os.geteuid() == 0:
            # Root may always ask, so another user does: the descriptor of a connection keeps who made it.
            os.chmod(os.path.dirname(path), 0o755)  # noqa: S103
            program = f"import os; from pastore.agent.control import ask; os.setuid(12345); print(ask({path!r}, {{}}))"
            with Control(path, lambda request: ({}, None)):
                os.chmod(path, 0o666)  # noqa: S103
                env = {"PYTHONPATH": str(ROOT / "src"), "PATH": os.environ["PATH"]}
                done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, env=env, check=False)
            assert "ControlError: only root and the agent's own user may ask" in done.stderr
            return
        monkeypatch.setattr(os, "geteuid", lambda: 12345)
        with Control(path, lambda request: ({}, None)), pytest.raises(ControlError, match="only root"):
            ask(path, {})

    def test_a_descriptor_comes_with_the_answer(self, path: str, folder: Path) -> None:
        (folder / "x").write_bytes(b"table")
        with Control(path, lambda request: ({}, os.open(folder / "x", os.O_RDONLY))):
            _, passed = ask(path, {})
        assert passed is not None
        assert os.read(passed, 10) == b"table"
        os.close(passed)

    @pytest.mark.parametrize(
        ("request_", "said"),
        [({"do": "dance"}, "there is no request 'dance'"), ({}, "no request"), ({"do": "filters", "at_most": "x"}, "a number")],
    )
    def test_requests_that_there_are_not(self, path: str, request_: dict[str, Any], said: str) -> None:
        service = Service(lambda asking: Engine(Trail(MemorySink()), asking=asking), path)
        try:
            reply, _ = service._answer(request_)
            assert said in reply["error"]
        finally:
            service.close()


def test_nobody_to_notify_is_fine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("NOTIFY_SOCKET", raising=False)
    assert not notify(READY="1")
    monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "gone"))
    assert not notify(READY="1")


def test_5484_if_the_agent_itself_is_wrong(folder: Path) -> None:
    """Whatever is raised that nobody expects ends the agent, and the log says so."""

    class Broken:
        def read(self) -> Any:
            raise ZeroDivisionError

    sink = MemorySink()
    service = Service(lambda asking: Engine(Trail(sink), local=Broken(), asking=asking), str(folder / "sock"))
    try:
        with pytest.raises(ZeroDivisionError):
            service.run()
    finally:
        service.close()
    assert [one.id for one in sink.events] == [5478, 5484]


def test_the_unit_file_is_one_that_systemd_takes(tmp_path: Path) -> None:
    program = shutil.which("systemd-analyze")
    unit = (ROOT / "packaging" / "pastore-agent.service").read_text()
    assert "ExecStart=/usr/bin/pastore agent --config /etc/pastore/agent.toml" in unit
    if program is None:  # another way to start services, or none
        return
    path = tmp_path / "pastore-agent.service"
    path.write_text(unit.replace("/usr/bin/pastore", sys.executable))
    done = subprocess.run([program, "verify", str(path)], capture_output=True, text=True, check=False, timeout=60)
    assert (done.returncode, [line for line in done.stderr.splitlines() if "pastore-agent" in line]) == (0, [])
