"""What the commands share: options, how to say things, exit statuses."""

import sys
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any, NoReturn, TypeVar

import click

if TYPE_CHECKING:
    from ipaddress import IPv4Network, IPv6Network

    from pastore.api import Compiled
    from pastore.directory import Access
    from pastore.filters.host import Host
    from pastore.findings import Finding
    from pastore.sources import Loaded

F = TypeVar("F", bound=Callable[..., Any])

FINE, BAD_NEWS, NO_ANSWER = 0, 1, 2

FORMATS = ("reg", "regquery", "hive", "netsh", "netsh-show", "ipseccmd", "classbench", "ldif", "json", "compiled")

_COLOURS = {
    "error": {"fg": "red", "bold": True},
    "warning": {"fg": "yellow"},
    "info": {"fg": "cyan"},
    "code": {"bold": True},
    "place": {"bold": True},
    "heading": {"bold": True},
    "quiet": {"dim": True},
    "block": {"fg": "red"},
    "protect": {"fg": "blue"},
    "allow": {"fg": "green"},
    "none": {"dim": True},
    "failure": {"fg": "red"},
    "success": {"fg": "green"},
}


def paint(text: str, what: str) -> str:
    """Colour a text for a terminal; click takes the colours out again where stdout is none, or NO_COLOR is set."""
    return click.style(text, **_COLOURS[what]) if what in _COLOURS else text  # type: ignore[arg-type]


def say(text: str = "") -> None:
    """Write data to stdout; half a surrogate pair, as in a file name that is not UTF-8, as the escape that JSON has for it."""
    click.echo(text.encode("utf-8", "backslashreplace").decode("utf-8"))


def talk(text: str) -> None:
    """Write talk to stderr unless --quiet."""
    if not is_quiet():
        click.echo(_visible(text), err=True)


def is_quiet() -> bool:
    """Whether --quiet was given."""
    context = click.get_current_context(silent=True)
    return bool(context and context.find_root().params.get("quiet"))


def cannot_answer(message: str) -> NoReturn:
    """End with exit status 2."""
    click.echo(f"pastore: {_visible(message)}", err=True)
    sys.exit(NO_ANSWER)


def _visible(text: str) -> str:
    from pastore.findings.render import printable

    return printable(text)  # it may quote the name of a file, which may hold anything


def encoding(context: click.Context, parameter: click.Parameter, value: str | None) -> str | None:
    """Check the name of an encoding."""
    if value is not None:
        from pastore.sources.netsh import codec_of

        try:
            codec_of(value)
        except ValueError as error:
            raise click.BadParameter(str(error), context, parameter) from None
    return value


def source_options(command: F) -> F:
    """Add the options that say how a source is read."""
    for option in (
        click.option("--policy", "policy_name", metavar="NAME|GUID", help="Which policy; the assigned or only one if left out."),
        click.option("--system", metavar="HIVE", help="The SYSTEM hive that holds NoDefaultExempt."),
        click.option(
            "--encoding",
            metavar="NAME",
            callback=encoding,
            help="Encoding of a script that is not Unicode: a code page or a name; guessed if left out.",
        ),
        click.option("--format", "source_format", type=click.Choice(FORMATS), help="Format of the source; sniffed if left out."),
        click.option("--site", metavar="NAME", help="Directory: the site that the computer is in."),
        click.option(
            "--computer", metavar="NAME", help="Directory: the policy that this computer gets (account, DNS name or DN)."
        ),
        click.option("--timeout", type=float, metavar="SECONDS", help="Directory: for all of a retrieval; 60 if left out."),
        click.option("--insecure", is_flag=True, help="Directory: do not look at the server's certificate."),
        click.option("--ca-file", metavar="FILE", help="Directory: certificates of authorities (PEM); the system's if left out."),
        click.option("--kerberos", is_flag=True, help="Directory: log on with the ticket of the ticket cache."),
        click.option("--password-file", metavar="FILE", help="Directory: its first line is the password; else PASTORE_PASSWORD."),
        click.option("--user", metavar="NAME", help="Directory: log on as user@domain or DN; anonymous if left out."),
    ):
        command = option(command)
    return command


def access_from(options: dict[str, Any], *, ask: bool) -> "Access":
    """Return how a directory is asked; ends with exit status 2 if the options do not go together.

    A password comes from a file, the environment or, where `ask` allows it and somebody is there, a prompt; never from the
    command line, which every user of the computer can read.
    """
    import os

    from pastore.directory.access import DEFAULT_TIMEOUT, PASSWORD_VARIABLE, Access, password_from, read_password

    user, kerberos = options["user"] or "", options["kerberos"]
    try:
        password = None
        if options["password_file"] is not None:
            password = read_password(options["password_file"])
        elif user and not kerberos:
            password = password_from(os.environ)
            if password is None and ask and sys.stdin.isatty():
                from pastore.model import Secret

                password = Secret(click.prompt(f"Password of {user}", hide_input=True, err=True))
            if password is None:
                raise ValueError(f"a user needs a password: give --password-file, {PASSWORD_VARIABLE} or --kerberos")
        return Access(
            user=user,
            password=password,
            kerberos=kerberos,
            ca_file=options["ca_file"],
            insecure=options["insecure"],
            timeout=DEFAULT_TIMEOUT if options["timeout"] is None else options["timeout"],
        )
    except ValueError as error:
        raise click.UsageError(str(error)) from None


def host_options(command: F) -> F:
    """Add the options that say who the host is and what Windows it runs."""
    for option in (
        click.option(
            "--order",
            type=click.Choice(["weight", "first-match"]),
            default="weight",
            show_default=True,
            help="How rules are ordered.",
        ),
        click.option("--default-exempt", type=click.IntRange(0, 3), help="NoDefaultExempt; the source's if left out, else 3."),
        click.option(
            "--target",
            type=click.Choice(["2000", "xp", "2003", "vista"]),
            default="vista",
            show_default=True,
            help="Version of Windows.",
        ),
        click.option("--gateway", multiple=True, metavar="ADDR", help="Default gateway of the host (repeatable)."),
        click.option("--dhcp-server", multiple=True, metavar="ADDR", help="DHCP server of the host (repeatable)."),
        click.option("--wins-server", multiple=True, metavar="ADDR", help="WINS server of the host (repeatable)."),
        click.option("--dns-server", multiple=True, metavar="ADDR", help="DNS server of the host (repeatable)."),
        click.option(
            "--me", multiple=True, metavar="ADDR[/LEN]", help="Address of the host (repeatable); any address if left out."
        ),
    ):
        command = option(command)
    return command


def host_from(options: dict[str, Any]) -> "Host":
    """Return the Host of the host options; ends with exit status 2 if one is not an address."""
    from pastore.filters.host import Host

    try:
        return Host.parse(
            options["me"], options["dns_server"], options["wins_server"], options["dhcp_server"], options["gateway"]
        )
    except ValueError as error:
        raise click.UsageError(str(error)) from None


_FIXED = (
    "me",
    "dns_server",
    "wins_server",
    "dhcp_server",
    "gateway",
    "order",
    "target",
    "default_exempt",
    "policy_name",
    "system",
    "encoding",
    "computer",
    "site",
)


# About the way a policy came and not about the policy: told whatever was asked.
_OF_RETRIEVAL = ("PA174", "PA406", "PA407", "PA408", "PA505")


def load_source(source: str, options: dict[str, Any]) -> "Loaded":
    """Read a source and end with exit status 2, saying why, if no policy was obtained.

    A compiled table has none: it gives a `pastore.cli.table.LoadedTable`, which `compile_source` takes as it does a policy.
    """
    from pastore.directory.access import is_url, shown
    from pastore.sources import is_table, load

    source_format = options["source_format"]
    if source_format == "compiled" or (source_format is None and is_table(source)):
        from pastore.cli.table import load_table

        refuse_fixed(source)
        loaded: Loaded = load_table(source)
    else:
        access = access_from(options, ask=True) if is_url(source) else None
        loaded = load(
            source,
            policy=options["policy_name"],
            format=source_format,
            system=options["system"],
            encoding=options["encoding"],
            access=access,
            computer=options["computer"],
            site=options["site"],
        )
    from pastore.findings.render import text_lines

    told = [finding for finding in loaded.findings if finding.code in _OF_RETRIEVAL]
    if loaded.policy is None:
        from pastore.findings import Severity

        errors = [finding for finding in loaded.findings if finding.severity is Severity.ERROR]
        told = [*errors, *told] if errors else list(loaded.findings)
    for finding in told:
        click.echo("\n".join(text_lines(finding, paint)), err=True)
    if loaded.policy is None:
        cannot_answer(f"no policy was obtained from {shown(source)}")
    return loaded


def given_fixed() -> list[str]:
    """Return the options given on the command line that a compiled table has fixed."""
    from click.core import ParameterSource

    context = click.get_current_context()
    parameters = {parameter.name: parameter for parameter in context.command.params}
    return [
        parameters[name].opts[0]
        for name in _FIXED
        if name in parameters
        and context.get_parameter_source(name) not in (ParameterSource.DEFAULT, ParameterSource.DEFAULT_MAP, None)
    ]


def refuse_fixed(source: str) -> None:
    """End with exit status 2 if options are given that a compiled table has fixed."""
    given = given_fixed()
    if given:
        raise click.UsageError(
            f"{source} is a compiled table: {', '.join(given)} {'is' if len(given) == 1 else 'are'} fixed in it"
        )


def compile_source(loaded: "Loaded", options: dict[str, Any], *, rules: bool = True) -> "Compiled":
    """Compile what was loaded with the host options. A table is compiled; with `rules` it must know which row decides."""
    from pastore.api import Compiled, compile_policy
    from pastore.cli.table import LoadedTable

    if isinstance(loaded, LoadedTable):
        assert loaded.matcher is not None
        if rules and loaded.matcher.actions_only:
            cannot_answer("this compiled table knows actions only, not which filter decides")
        return Compiled(loaded.matcher, None)
    assert loaded.policy is not None
    return compile_policy(
        loaded.policy,
        host_from(options),
        order=options["order"],
        target=options["target"],
        default_exempt=options["default_exempt"],
        reading=loaded.findings,
    )


def tell_damage(name: str, line: int | None, code: str, message: str) -> None:
    """Say on stderr what could not be read of a file; with --quiet only if it is an error."""
    from pastore.findings import CODES, Severity
    from pastore.findings.render import printable

    place = name if line is None else f"{name}:{line}"
    text = f"{paint(printable(place), 'place')}: {paint(code, 'code')} {printable(message)}"
    if CODES[code].severity is Severity.ERROR or not is_quiet():
        click.echo(text, err=True)


def local_networks(loaded: "Loaded", options: dict[str, Any]) -> "list[IPv4Network | IPv6Network]":
    """Return the addresses of the host: those given, or those fixed in a compiled table."""
    from pastore.cli.table import LoadedTable

    if isinstance(loaded, LoadedTable):
        background = loaded.matcher.background if loaded.matcher else None
        return list(background.me) if background else []
    return host_from(options).networks()


def tell_findings(findings: Iterable["Finding"]) -> None:
    """Say on stderr how many errors and warnings there are and where to read them."""
    from pastore.findings.render import counts

    found = counts(findings)
    parts = [f"{found[name]} {name}{'' if found[name] == 1 else 's'}" for name in ("error", "warning") if found[name]]
    if parts:
        talk(f"pastore: {' and '.join(parts)} in this policy; `pastore check` tells them")


def width(text: str) -> int:
    """Return how many columns of a terminal a text takes, colours left out."""
    text = click.unstyle(text)
    if text.isascii():
        return len(text)
    from rich.cells import cell_len

    return cell_len(text)


def table(
    rows: Sequence[Sequence[str]], *, heading: Sequence[str] | None = None, indent: str = "", right: Sequence[int] = ()
) -> list[str]:
    """Return rows as aligned lines; columns in `right` are aligned to the right, the last one is never padded."""
    everything = [list(heading), *rows] if heading else list(rows)
    if not everything:
        return []
    widths = [max(width(row[column]) for row in everything) for column in range(len(everything[0]))]
    lines = []
    for number, row in enumerate(everything):
        cells = []
        for column, cell in enumerate(row):
            padding = " " * (widths[column] - width(cell))
            if column in right:
                cells.append(padding + cell)
            else:
                cells.append(cell if column == len(row) - 1 else cell + padding)
        line = (indent + "  ".join(cells)).rstrip()
        lines.append(paint(line, "heading") if heading and number == 0 else line)
    return lines
