"""pastore convert: the policy in another format."""

import os
import sys
from typing import TYPE_CHECKING, Any, NoReturn

import click

from pastore.cli.common import (
    BAD_NEWS,
    cannot_answer,
    compile_source,
    host_from,
    host_options,
    load_source,
    paint,
    source_options,
    talk,
)

if TYPE_CHECKING:
    from pastore.filters.expand import Expansion
    from pastore.findings import Finding
    from pastore.model import Policy
    from pastore.sources import Loaded

_STORED = ("reg", "ldif", "json", "netsh")  # hold the policy as it is
_EXPANDED = ("wfas", "nftables", "swanctl", "csv")  # hold what it does, on a host
_HOST = ("me", "dns_server", "wins_server", "dhcp_server", "gateway", "target", "default_exempt", "order")


@click.command("convert")
@click.argument("source", metavar="SRC")
@click.option("-t", "--to", "to", type=click.Choice((*_STORED, *_EXPANDED)), required=True, help="Format to write.")
@click.option("-o", "--output", metavar="FILE", help="Write to FILE; stdout if left out.")
@click.option("--base-dn", metavar="DN", help="DN of the domain, for ldif; that of the policy's own DN if left out.")
@click.option("--no-times", is_flag=True, help="Leave whenChanged out of ldif: Active Directory sets it itself and refuses it.")
@click.option("--secrets", is_flag=True, help="Write pre-shared keys, in clear text.")
@source_options
@host_options
def command(
    source: str,
    to: str,
    output: str | None,
    base_dn: str | None,
    no_times: bool,
    secrets: bool,
    **options: Any,
) -> None:
    """Write the policy of SRC in another format.

    reg, ldif, json and netsh hold the policy itself. wfas (PowerShell for Windows Firewall), nftables, swanctl (strongSwan)
    and csv hold what it does on a host: say with --me and the options after it which one.

    Without --secrets, json and swanctl leave pre-shared keys out, and reg, ldif, netsh and wfas refuse a policy that has one:
    imported without its key, the rule would no longer protect what it did. Exit status 1 if the policy was read with errors and
    so is not all there, or if the format cannot hold a part of it.
    """
    if to != "ldif":
        for option, given in (("--base-dn", base_dn is not None), ("--no-times", no_times)):
            if given:
                raise click.UsageError(f"{option} is for -t ldif only")
    if to in _STORED:
        refuse_host_options(to)
    loaded = load_source(source, options)
    from pastore.findings import Severity, in_order
    from pastore.findings.render import text_lines
    from pastore.model import Policy

    if to == "csv":
        data, lost = table(loaded, options)
    elif not isinstance(loaded.policy, Policy):
        cannot_answer(f"{source} is a list of rows and no IPsec policy; there is nothing to convert to {to}")
    elif to in _EXPANDED:
        data, lost = expanded(loaded.policy, to, options, secrets=secrets)
    else:
        data, lost = written(loaded.policy, to, base_dn, times=not no_times, secrets=secrets)
    save(data, output, private=secrets)
    if isinstance(loaded.policy, Policy) and to not in ("csv", "nftables"):
        tell_losses(loaded.policy, to, times=not no_times, secrets=secrets)
    errors = [finding for finding in in_order(loaded.findings) if finding.severity is Severity.ERROR]
    for finding in (*errors, *in_order(lost)):
        click.echo("\n".join(text_lines(finding, paint)), err=True)
    if errors:
        talk("pastore: the policy was read with errors; what could not be read is not in what was written")
    if errors or any(finding.severity is Severity.ERROR for finding in lost):
        sys.exit(BAD_NEWS)


def refuse_host_options(to: str) -> None:
    """End with exit status 2 if options about a host are given for a format that holds the policy as it is."""
    from click.core import ParameterSource

    context = click.get_current_context()
    for parameter in context.command.params:
        if parameter.name in _HOST and context.get_parameter_source(parameter.name) is ParameterSource.COMMANDLINE:
            formats = ", ".join(_EXPANDED)
            raise click.UsageError(f"{parameter.opts[0]} is for {formats} only; {to} holds the policy as it is")


def expansion_of(policy: "Policy", options: dict[str, Any]) -> "tuple[Expansion, list[Finding]]":
    """Expand a policy for a host; with what of it could not be, or matches nothing because an address was not given."""
    from pastore.filters.expand import expand
    from pastore.filters.weight import ORDERS
    from pastore.findings import Severity

    expansion = expand(
        policy,
        host_from(options),
        order=ORDERS[options["order"]],
        target=options["target"],
        default_exempt=options["default_exempt"],
    )
    told = [finding for finding in expansion.findings if finding.severity is Severity.ERROR or finding.code in ("PA308", "PA402")]
    return expansion, told


def expanded(policy: "Policy", to: str, options: dict[str, Any], *, secrets: bool) -> "tuple[bytes, tuple[Finding, ...]]":
    """Return what a policy does on a host in a format, and what is lost; ends with exit status 2 if it cannot be written."""
    from pastore.export import SecretsWithheldError, nftables, swanctl, wfas
    from pastore.findings.render import printable

    expansion, told = expansion_of(policy, options)
    try:
        if to == "nftables":
            data, lost = nftables.write(policy, expansion)
        elif to == "wfas":
            data, lost = wfas.write(policy, expansion, secrets=secrets)
        else:
            data, lost = swanctl.write(policy, expansion, secrets=secrets, me_known=bool(options["me"]))
    except SecretsWithheldError as error:
        withheld(to, str(error))
    except ValueError as error:
        cannot_answer(f"the policy cannot be written as {to}: {printable(str(error))}")
    return data, (*told, *lost)


def table(loaded: "Loaded", options: dict[str, Any]) -> "tuple[bytes, tuple[Finding, ...]]":
    """Return a policy, a list of rows or a compiled table as CSV."""
    from pastore.export import table_csv
    from pastore.model import Policy

    if isinstance(loaded.policy, Policy):
        expansion, told = expansion_of(loaded.policy, options)
        return table_csv.write(expansion.filters), tuple(told)
    return table_csv.write(compile_source(loaded, options).matcher.filters), ()


def written(policy: "Policy", to: str, base_dn: str | None, *, times: bool, secrets: bool) -> "tuple[bytes, tuple[Finding, ...]]":
    """Return a policy in a format, and what is lost in it; ends with exit status 2, saying why, if it cannot be written."""
    from pastore.export import SecretsWithheldError, ldif, netsh, policy_json, reg
    from pastore.findings.render import printable

    try:
        if to == "reg":
            return reg.write(policy, secrets=secrets), ()
        if to == "ldif":
            return ldif.write(policy, base_dn=base_dn, times=times, secrets=secrets), ()
        if to == "netsh":
            return netsh.script(policy, secrets=secrets)
        return policy_json.write(policy, secrets=secrets), ()
    except SecretsWithheldError as error:
        withheld(to, str(error))
    except ValueError as error:
        cannot_answer(f"the policy cannot be written as {to}: {printable(str(error))}")


def withheld(to: str, why: str) -> NoReturn:
    """End with exit status 2: a key would have to be written, and nobody asked for it."""
    from pastore.findings.render import printable

    cannot_answer(
        f"{printable(why)}, and {to} without it would be a policy that protects no longer; "
        "give --secrets to write the key in clear text, or convert to json, which leaves it out"
    )


def save(data: bytes, output: str | None, *, private: bool) -> None:
    """Write to a file or stdout; a new file that holds secrets is its owner's alone."""
    if output is None or output == "-":
        sys.stdout.buffer.write(data)
        sys.stdout.buffer.flush()
        return
    try:
        with open(output, "wb", opener=lambda path, flags: os.open(path, flags, 0o600 if private else 0o666)) as file:
            file.write(data)
    except (OSError, ValueError) as error:
        cannot_answer(f"{output} cannot be written: {getattr(error, 'strerror', None) or error}")


def tell_losses(policy: "Policy", to: str, *, times: bool, secrets: bool) -> None:
    """Say on stderr what the format does not hold, and what its reader has to know."""
    from pastore.model import AuthKind

    keys = sum(method.kind == AuthKind.PRESHARED_KEY for rule in policy.rules for method in rule.auth_methods)
    if keys and secrets:
        talk("pastore: what was written holds pre-shared keys in clear text")
    elif keys:
        talk("pastore: pre-shared keys are left out; give --secrets to write them")
    if to != "ldif":
        return
    lost = ["that the policy is assigned"] if policy.assigned else []
    lost += ["NoDefaultExempt"] if policy.default_exempt is not None else []
    if lost:
        talk(f"pastore: LDIF does not hold {' and '.join(lost)}")
    if times:
        talk("pastore: Active Directory refuses whenChanged; give --no-times for LDIF to import there")
