"""pastore agent: the policy agent, in the foreground or once; and what a running one is asked."""

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from typing import TYPE_CHECKING, Any

import click

from pastore.cli.common import (
    BAD_NEWS,
    access_from,
    cannot_answer,
    host_from,
    host_options,
    paint,
    source_options,
    talk,
)

if TYPE_CHECKING:
    from pastore.agent.engine import Engine
    from pastore.agent.trail import Trail
    from pastore.audit.events import AuditEvent
    from pastore.audit.policy import AuditPolicy
    from pastore.audit.sinks import Sink
    from pastore.findings import Finding

# Names of options in the configuration and here, where click's are other ones.
_RENAMED = {
    "policy": "policy_name",
    "format": "source_format",
    "audit": "audit_file",
    "command": "user_command",
    "socket": "socket_path",
}


class _Agent(click.Group):
    """A group whose command may be left out: then it is to run."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        if not args or (args[0] not in self.commands and args[0] != "--help"):
            args = ["run", *args]
        return super().parse_args(ctx, args)

    def collect_usage_pieces(self, ctx: click.Context) -> list[str]:
        return ["[COMMAND] [SRC] [OPTIONS]..."]


@click.group("agent", cls=_Agent)
def command() -> None:
    """The policy agent: retrieves, applies, caches, polls and audits.

    Without a COMMAND it runs: `pastore agent ldaps://dc1.corp.example --computer FILES1`. A file that is called like a command is
    ./status.
    """


def _configured(context: click.Context, _parameter: click.Parameter, path: str | None) -> str | None:
    """Take what a configuration says for what the command line does not."""
    if path is not None:
        from pastore.agent.config import ConfigError, read_config

        try:
            values = read_config(path)
        except ConfigError as error:
            cannot_answer(str(error))
        context.default_map = {_RENAMED.get(name, name): value for name, value in values.items()}
    return path


@command.command("run")
@click.option(
    "--config",
    metavar="FILE",
    is_eager=True,
    expose_value=False,
    callback=_configured,
    help="A TOML file with these options, written with _ for -.",
)
@click.argument("source", metavar="[SRC]", required=False)
@source_options
@host_options
@click.option("--local", metavar="SRC", help="Local storage, for when the directory SRC assigns no policy: a file, or registry:.")
@click.option("--once", is_flag=True, help="Retrieve and apply once, then end.")
@click.option(
    "--group-policy-refresh", type=float, metavar="MINUTES", help="How often the assignment is read again; 90 if left out."
)
@click.option("--state-dir", metavar="DIR", help="Folder of the cached copy, the table, the socket and the audit log.")
@click.option("--table", metavar="FILE", help="The compiled table for other processes; policy.pastore in DIR if left out.")
@click.option("--command", "user_command", metavar="COMMAND", help="Run after each apply.")
@click.option("--socket", "socket_path", metavar="PATH", help="For `agent status`; agent.sock in DIR if left out.")
@click.option("--audit", "audit_file", metavar="FILE", help="Append the audit events to FILE; audit.jsonl in DIR if left out.")
@click.option(
    "--audit-policy",
    "audit_policy",
    multiple=True,
    metavar="SUBCATEGORY=SETTING",
    help="success, failure, both with a comma, or none, for a subcategory or category (repeatable); everything if left out.",
)
def run(source: str | None, once: bool, audit_policy: tuple[str, ...], **options: Any) -> None:
    """Keep the right policy in force.

    SRC is a directory, which says what the policy of --computer is, or local storage: a registry export, a hive, or registry:.

    With --once, exit status 1 if a rule or filter could not be applied, 2 if no policy was obtained.
    """
    from pastore.audit.policy import AuditPolicy
    from pastore.directory.access import is_url

    if source is None:
        raise click.UsageError("give a SRC: the URL of a directory, or local storage; or a --config that has one")
    try:
        audited = AuditPolicy.parse(audit_policy) if audit_policy else AuditPolicy.all()
    except ValueError as error:
        raise click.UsageError(f"--audit-policy: {error}") from None
    if is_url(source) and options["system"] is not None and options["local"] is None:
        raise click.UsageError("--system goes with local storage, and this is a directory")
    if not is_url(source) and options["local"] is not None:
        raise click.UsageError("--local is for when SRC is a directory")
    if not once and not is_url(source) and source != "registry:" and not os.path.exists(source):
        from difflib import get_close_matches

        close = get_close_matches(source, command.commands, n=1)
        cannot_answer(f"there is no file {source!r}" + (f"; did you mean `pastore agent {close[0]}`?" if close else ""))
    if once:
        _once(source, audited, options)
    else:
        _serve(source, audited, options)


# Putting it together


def state_folder(given: str | None) -> str:
    """Return the folder where the agent keeps things."""
    told = given or os.environ.get("STATE_DIRECTORY", "").split(":")[0]
    if told:
        return told
    if os.geteuid() == 0:
        return "/var/lib/pastore"
    home = os.environ.get("XDG_STATE_HOME") or os.path.expanduser("~/.local/state")
    return os.path.join(home, "pastore")


def socket_of(given: str | None, folder: str) -> str:
    """Return the path of the agent's socket."""
    told = os.environ.get("RUNTIME_DIRECTORY", "").split(":")[0]
    return given or os.path.join(told or folder, "agent.sock")


@contextmanager
def _held(folder: str | None) -> Iterator[None]:
    """Make the state folder, and keep other agents out of it; ends with exit status 2 if that cannot be done."""
    import fcntl

    if folder is None:
        yield
        return
    try:
        os.makedirs(folder, mode=0o700, exist_ok=True)
        lock = os.open(os.path.join(folder, "lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        cannot_answer(f"the state folder {folder!r} cannot be used: {error.strerror or error}; give another one with --state-dir")
    try:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            cannot_answer(f"another agent uses the state folder {folder!r}")
        for name in os.listdir(folder):  # what a killed writer of tables left
            if name.startswith(".pastore-") and name.endswith(".tmp"):
                os.unlink(os.path.join(folder, name))
        yield
    finally:
        os.close(lock)


def _sink(path: str | None, audited: "AuditPolicy", *, patient: bool) -> "Sink":
    """Open the audit log; if there is no room for it, a service opens it later."""
    from pastore.agent.trail import LaterSink
    from pastore.audit.sinks import AuditWriteError, JsonLinesSink, MemorySink

    if path is None:
        return MemorySink(audited)
    try:
        return JsonLinesSink(path, audited)
    except AuditWriteError as error:
        if patient and LaterSink.may_wait(error):
            return LaterSink(path, audited)
        cannot_answer(str(error))


def _made(
    source: str, trail: "Trail", folder: str | None, options: dict[str, Any], *, asking: Callable[[], Any] = nullcontext
) -> "Engine":
    """Return the engine that the options describe."""
    from pastore.agent.applying import Manner
    from pastore.agent.cache import Cache
    from pastore.agent.engine import REFRESH, Engine
    from pastore.agent.outlets import Outlets
    from pastore.agent.storages import LdapDirectory, LocalSource
    from pastore.directory.access import is_url, parse_url

    directory = cache = None
    wanted = options["policy_name"]
    storage: str | None = source
    if is_url(source):
        try:
            location = parse_url(source)
        except ValueError as error:
            cannot_answer(str(error))
        if options["site"] is not None and options["computer"] is None:
            raise click.UsageError("--site is of use only with --computer")
        directory = LdapDirectory(
            source, access_from(options, ask=True), computer=options["computer"], site=options["site"], policy=wanted
        )
        if folder is not None:
            # Any controller of the domain will do, so the server is no part of what a cached copy is for.
            computer = (options["computer"] or wanted or "").casefold()
            cache = Cache(os.path.join(folder, "policy.cache"), computer=computer, domain=location.base.casefold())
        storage = options["local"]
    local = None
    if storage is not None:
        try:
            # A policy that is named is the directory's, where there is one.
            named = None if directory is not None else wanted
            local = LocalSource(storage, named, options["source_format"], options["system"], options["encoding"])
        except ValueError as error:
            raise click.UsageError(str(error)) from None
    table = options["table"] or (None if folder is None else os.path.join(folder, "policy.pastore"))
    minutes = options["group_policy_refresh"]
    if minutes is not None and not 0 < minutes <= 44640:
        raise click.UsageError("--group-policy-refresh is a number of minutes above 0, and at most 44640")
    outlets = Outlets(table, options["user_command"], lambda *found: engine.note(*found))
    engine = Engine(
        trail,
        directory=directory,
        cache=cache,
        local=local,
        manner=Manner(host_from(options), options["order"], options["target"], options["default_exempt"]),
        refresh_every=REFRESH if minutes is None else 60.0 * minutes,
        wanted=wanted or "",
        applied=outlets,
        told=_tell,
        asking=asking,
    )
    return engine


def _tell(finding: "Finding") -> None:
    """Say what is wrong with the agent's work."""
    from pastore.findings.render import text_lines

    click.echo("\n".join(text_lines(finding, paint)), err=True)


def _tell_event(told: "AuditEvent") -> None:
    """Say an event in one line, as a journal wants it."""
    text = told.text.split("\n")[0]
    data = ", ".join(f"{name} {value}" for name, value in told.data.items())
    talk(f"pastore: event {told.id} {told.outcome.value}: {text}{f' ({data})' if data else ''}")
    if told.summary is not None:
        for line in told.summary.lines():
            talk(f"pastore:   {line}")


def _once(source: str, audited: "AuditPolicy", options: dict[str, Any]) -> None:
    from pastore.agent.machine import Trigger
    from pastore.agent.storages import Preloaded
    from pastore.agent.trail import Trail
    from pastore.directory.access import is_url, shown
    from pastore.findings import Severity
    from pastore.model import Policy
    from pastore.model.win32 import describe
    from pastore.sources import load

    local = None
    if not is_url(source):
        names = ("policy_name", "source_format", "system", "encoding")
        policy, source_format, system, encoding = (options[name] for name in names)
        loaded = load(source, policy=policy, format=source_format, system=system, encoding=encoding)
        if loaded.policy is not None and not isinstance(loaded.policy, Policy):
            cannot_answer(f"{source} is a first-match rule list, not a Windows policy: there is nothing for the agent to apply")
        local = Preloaded(loaded)
    folder = state_folder(options["state_dir"]) if local is None or options["state_dir"] is not None else None
    with _held(folder):
        trail = Trail(_sink(options["audit_file"], audited, patient=False), audited)
        engine = _made(source, trail, folder, options)
        engine.local = local or engine.local
        outcome = engine.turn(Trigger.START)
    if trail.problem:
        cannot_answer(trail.problem)
    in_force, last = engine.in_force, engine.last_attempt
    if last is None:
        cannot_answer(f"no policy was obtained from {shown(source)}")
    for failure in last.failures:
        known = describe(failure.win32)
        talk(f"pastore: not added: {failure.filter} of rule {failure.rule!r} ({known.code}: {known.message})")
    if in_force is None:
        talk(f"pastore: policy {last.policy.name!r} could not be applied")
        sys.exit(BAD_NEWS)
    stats = in_force.matcher.stats
    cached = " from the cached copy" if engine.state.value == "cache" else ""
    talk(f"pastore: policy {in_force.attempt.policy.name!r} applied{cached}: {stats.specific_filters} specific filters")
    findings = (*engine.findings, *in_force.attempt.findings)
    if not outcome.is_good or any(finding.severity is Severity.ERROR for finding in findings):
        sys.exit(BAD_NEWS)


def _serve(source: str, audited: "AuditPolicy", options: dict[str, Any]) -> None:
    from pastore.agent.service import Service
    from pastore.agent.trail import Trail

    folder = state_folder(options["state_dir"])
    with _held(folder):
        sink = _sink(options["audit_file"] or os.path.join(folder, "audit.jsonl"), audited, patient=True)
        trail = Trail(sink, audited, heard=_tell_event)
        service = Service(
            lambda asking: _made(source, trail, folder, options, asking=asking), socket_of(options["socket_path"], folder)
        )
        try:
            if not service.run():
                cannot_answer(f"not every event could be recorded: {trail.problem}")
        except OSError as error:
            cannot_answer(f"{error.filename or 'the socket'}: {error.strerror or error}")
        finally:
            service.close()


# Asking a running one


def _asking(function: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options that say which agent is asked."""
    for option in (
        click.option("--socket", "socket_path", metavar="PATH", help="The agent's socket."),
        click.option("--state-dir", metavar="DIR", help="The agent's state folder, which has the socket."),
    ):
        function = option(function)
    return function


def _ask(request: dict[str, Any], socket_path: str | None, state_dir: str | None) -> tuple[dict[str, Any], int | None]:
    """Ask a running agent; ends with exit status 2 if that cannot be done."""
    from pastore.agent.control import ControlError, ask

    path = socket_path
    if path is None and state_dir is None and "RUNTIME_DIRECTORY" not in os.environ:
        # The unit file has the socket there, and the folder of the state elsewhere.
        path = "/run/pastore/agent.sock" if os.path.exists("/run/pastore/agent.sock") else None
    try:
        return ask(path or socket_of(None, state_folder(state_dir)), request)
    except ControlError as error:
        cannot_answer(str(error))


@command.command("status")
@_asking
@click.option("--filters", "all_filters", is_flag=True, help="All specific filters, by weight, instead of the first ones.")
@click.option("--output-format", type=click.Choice(["text", "json"]), default="text", show_default=True)
def status(all_filters: bool, output_format: str, socket_path: str | None, state_dir: str | None) -> None:
    """Show state, policy, filters by weight, failed rules with the reasons, and the last events of a running agent.

    Exit status 1 if no policy is in force, or a rule could not be applied.
    """
    from pastore.cli.agent_status import FIRST, show_status

    found, _ = _ask({"do": "status"}, socket_path, state_dir)
    filters, _ = _ask({"do": "filters"} | ({} if all_filters else {"at_most": FIRST}), socket_path, state_dir)
    show_status({**found, "filters": filters["filters"]}, output_format)
    if found["policy"] is None or found["failed"] or any(rule["failed"] for rule in found["policy"]["rules"]):
        sys.exit(BAD_NEWS)


def _command(name: str, help_text: str) -> None:
    @command.command(name, help=help_text)
    @_asking
    def told(socket_path: str | None, state_dir: str | None) -> None:
        found, _ = _ask({"do": name}, socket_path, state_dir)
        policy = found["policy"]
        in_force = "no policy is in force" if policy is None else f"policy {policy['name']!r} is in force ({found['state']})"
        changed = "it changed" if found["has_changed"] else "as before"
        talk(f"pastore: {in_force}, {changed}")
        if not found["is_good"]:
            talk("pastore: but something went wrong; `pastore agent status` tells what")
            sys.exit(BAD_NEWS)


_command("reload", "Have a running agent read everything again, and apply it: what SIGHUP does.")
_command("refresh", "Have a running agent look now which policy is assigned, as gpupdate does.")
_command("poll", "Have a running agent poll for changes now.")


@command.command("explain")
@click.argument("packet_text", metavar="PACKET")
@_asking
@click.option(
    "--interface", type=click.Choice(["lan", "ras"]), default=None, help="Interface type of the packet; lan if left out."
)
@click.option("--output-format", type=click.Choice(["text", "json"]), default="text", show_default=True)
def explain(packet_text: str, interface: str | None, output_format: str, socket_path: str | None, state_dir: str | None) -> None:
    """Which filter of the policy in force decides on PACKET: `pastore explain` with the table of a running agent."""
    from pastore.api import Compiled
    from pastore.cli.explain import explain_packet
    from pastore.cli.explain import parse as parse_packet
    from pastore.matcher import Matcher, TableError

    packet = parse_packet(packet_text, interface)
    _, descriptor = _ask({"do": "table"}, socket_path, state_dir)
    if descriptor is None:
        cannot_answer("the agent handed no table over")
    try:
        matcher = Matcher.open(f"/proc/self/fd/{descriptor}")
    except (TableError, OSError) as error:
        cannot_answer(f"the agent's table cannot be used: {error}")
    finally:
        os.close(descriptor)
    explain_packet(Compiled(matcher, None), packet, output_format)
