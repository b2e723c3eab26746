"""pastore convert: the policy in another format."""

import os
import sys
from typing import TYPE_CHECKING, Any

import click

from pastore.cli.common import BAD_NEWS, cannot_answer, load_source, paint, source_options, talk

if TYPE_CHECKING:
    from pastore.findings import Finding
    from pastore.model import Policy

_WRITTEN = ("reg", "ldif", "json", "netsh")
_NOT_YET = ("wfas", "nftables", "swanctl", "csv")


@click.command("convert")
@click.argument("source", metavar="SRC")
@click.option("-t", "--to", "target", type=click.Choice((*_WRITTEN, *_NOT_YET)), required=True, help="Format to write.")
@click.option("-o", "--output", metavar="FILE", help="Write to FILE; stdout if left out.")
@click.option("--base-dn", metavar="DN", help="DN of the domain, for ldif; that of the policy's own DN if left out.")
@click.option("--no-times", is_flag=True, help="Leave whenChanged out of ldif: Active Directory sets it itself and refuses it.")
@click.option("--secrets", is_flag=True, help="Write pre-shared keys, in clear text.")
@source_options
def command(
    source: str,
    target: str,
    output: str | None,
    base_dn: str | None,
    no_times: bool,
    secrets: bool,
    **options: Any,
) -> None:
    """Write the policy of SRC in another format.

    Without --secrets, json leaves pre-shared keys out, and reg, ldif and netsh refuse a policy that has one: imported without its
    key, the rule would no longer protect what it did. Exit status 1 if the policy was read with errors and so is not all there,
    or if the format cannot hold a part of it.
    """
    if target in _NOT_YET:
        raise click.UsageError(f"-t {target} is not in this version; it writes {', '.join(_WRITTEN)}")
    if target != "ldif":
        for option, given in (("--base-dn", base_dn is not None), ("--no-times", no_times)):
            if given:
                raise click.UsageError(f"{option} is for -t ldif only")
    loaded = load_source(source, options)
    from pastore.model import Policy

    if not isinstance(loaded.policy, Policy):
        cannot_answer(f"{source} is a list of rows and no IPsec policy; there is nothing to convert to {target}")
    data, lost = written(loaded.policy, target, base_dn, times=not no_times, secrets=secrets)
    save(data, output, private=secrets)
    tell_losses(loaded.policy, target, times=not no_times, secrets=secrets)
    from pastore.findings import Severity, in_order
    from pastore.findings.render import text_lines

    errors = [finding for finding in in_order(loaded.findings) if finding.severity is Severity.ERROR]
    for finding in errors:
        click.echo("\n".join(text_lines(finding, paint)), err=True)
    for finding in in_order(lost):
        click.echo("\n".join(text_lines(finding, paint)), err=True)
    if errors:
        talk("pastore: the policy was read with errors; what could not be read is not in what was written")
    if errors or any(finding.severity is Severity.ERROR for finding in lost):
        sys.exit(BAD_NEWS)


def written(
    policy: "Policy", target: str, base_dn: str | None, *, times: bool, secrets: bool
) -> "tuple[bytes, tuple[Finding, ...]]":
    """Return a policy in a format, and what is lost in it; ends with exit status 2, saying why, if it cannot be written."""
    from pastore.export import SecretsWithheldError, ldif, netsh, policy_json, reg
    from pastore.findings.render import printable

    try:
        if target == "reg":
            return reg.write(policy, secrets=secrets), ()
        if target == "ldif":
            return ldif.write(policy, base_dn=base_dn, times=times, secrets=secrets), ()
        if target == "netsh":
            return netsh.script(policy, secrets=secrets)
        return policy_json.write(policy, secrets=secrets), ()
    except SecretsWithheldError as error:
        cannot_answer(
            f"{printable(str(error))}, and {target} without it would be a policy that protects no longer; "
            "give --secrets to write the key in clear text, or convert to json, which leaves it out"
        )
    except ValueError as error:
        cannot_answer(f"the policy cannot be written as {target}: {printable(str(error))}")


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


def tell_losses(policy: "Policy", target: str, *, times: bool, secrets: bool) -> None:
    """Say on stderr what the format does not hold, and what its reader has to know."""
    from pastore.model import AuthKind

    keys = sum(method.kind == AuthKind.PRESHARED_KEY for rule in policy.rules for method in rule.auth_methods)
    if keys and secrets:
        talk("pastore: what was written holds pre-shared keys in clear text")
    elif keys:
        talk("pastore: pre-shared keys are left out; give --secrets to write them")
    if target != "ldif":
        return
    lost = ["that the policy is assigned"] if policy.assigned else []
    lost += ["NoDefaultExempt"] if policy.default_exempt is not None else []
    if lost:
        talk(f"pastore: LDIF does not hold {' and '.join(lost)}")
    if times:
        talk("pastore: Active Directory refuses whenChanged; give --no-times for LDIF to import there")
