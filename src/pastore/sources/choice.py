"""Which of several policies is meant."""

from collections.abc import Sequence
from difflib import get_close_matches
from uuid import UUID

from pastore.findings import Finding
from pastore.model import Origin, Policy
from pastore.sources.log import quoted

_LISTED = 20


def choose(policies: Sequence[Policy], wanted: str | None, *, source: str = "") -> tuple[Policy | None, tuple[Finding, ...]]:
    """Choose a policy by what the user asked for.

    Parameters
    ----------
    policies : sequence of Policy
    wanted : str, optional
        A name (an exact match goes before one that differs in case), or a GUID with or without braces. When left out, the
        assigned policy is meant, or the only one.
    source : str
        The source as the user named it, for findings.

    Returns
    -------
    policy : Policy or None
    findings : tuple of Finding
        PA103 when there is no policy at all, PA104 when there is none of that name, PA105 when several are meant.
    """
    if not policies:
        return None, (Finding("PA103", "there is no policy to choose from", Origin(source)),)
    if wanted is None:
        meant = [policy for policy in policies if policy.assigned] or list(policies)
        if len(meant) == 1:
            return meant[0], ()
        several = f"{len(meant)} policies are assigned" if meant[0].assigned else f"none of {len(meant)} policies is assigned"
        return None, (Finding("PA105", f"{several}: {_names(meant)}", Origin(source)),)
    meant = _called(policies, wanted)
    if not meant:
        names = [policy.name for policy in policies]
        close = get_close_matches(wanted[:200].casefold(), [name[:200].casefold() for name in names], n=3, cutoff=0.6)
        hint = [quoted(name) for name in dict.fromkeys(names) if name[:200].casefold() in close]
        message = f"there is no policy {quoted(wanted)}; " + (f"did you mean {' or '.join(hint)}? " if hint else "")
        return None, (Finding("PA104", f"{message}The policies are {_names(policies)}", Origin(source)),)
    if len(meant) > 1:
        meant = [policy for policy in meant if policy.assigned] or meant
    if len(meant) > 1:
        return None, (Finding("PA105", f"{len(meant)} policies are called {quoted(wanted)}: {_names(meant)}", Origin(source)),)
    return meant[0], ()


def _called(policies: Sequence[Policy], wanted: str) -> list[Policy]:
    exact = [policy for policy in policies if policy.name == wanted]
    if exact:
        return exact
    same = [policy for policy in policies if policy.name.casefold() == wanted.casefold()]
    if same:
        return same
    try:
        guid = UUID(wanted.strip())
    except ValueError:
        return []
    return [policy for policy in policies if policy.guid == guid]


def _names(policies: Sequence[Policy]) -> str:
    names = [f"{quoted(policy.name)} {{{policy.guid}}} ({policy.storage.value})" for policy in policies[:_LISTED]]
    if len(policies) > _LISTED:
        names.append(f"and {len(policies) - _LISTED} more")
    return ", ".join(names)
