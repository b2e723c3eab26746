"""load, compile, open and diff: the only place that joins sources, filters, analysis and the matcher."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from os import PathLike
from typing import TYPE_CHECKING

from pastore.analysis.difference import Difference, difference
from pastore.analysis.grid import WORK_LIMIT
from pastore.analysis.whole import analyse, contradictions
from pastore.directory import Access
from pastore.filters.background import Background, background_of, weights_of
from pastore.filters.expand import Expansion, Failure, expand
from pastore.filters.host import Host
from pastore.filters.specific import SpecificFilters
from pastore.filters.weight import ORDERS, Order
from pastore.findings import Finding
from pastore.matcher import Matcher
from pastore.model import Policy
from pastore.sources import Loaded
from pastore.sources import load as load_source

if TYPE_CHECKING:
    from typing import Literal

    import numpy as np
    import numpy.typing as npt

    from pastore.export.publishing import Published

    Verdict = Literal["rule", "action"]

__all__ = ["Compiled", "Difference", "Loaded", "compile", "compile_policy", "diff", "load", "open", "publish"]


def load(
    source: str | PathLike[str],
    *,
    policy: str | None = None,
    format: str | None = None,
    system: str | PathLike[str] | None = None,
    access: Access | None = None,
    computer: str | None = None,
    site: str | None = None,
    encoding: str | None = None,
) -> Loaded:
    """Read the policy of a source.

    Parameters
    ----------
    source : str or path
        A file whose format is found from its bytes, ``-`` for standard input, ``registry:`` for the running
        registry of Windows, or ``ldaps://HOST``, ``ldap://HOST`` (with StartTLS) or ``ldapi://SOCKET`` for a directory.
    policy : str, optional
        Name or GUID. The assigned policy, or the only one, when left out.
    format : str, optional
        Overrides what the bytes look like.
    system : str or path, optional
        The SYSTEM hive that holds NoDefaultExempt.
    access : pastore.directory.Access, optional
        How a directory is asked: user, password or ticket, certificates, timeout.
    computer, site : str, optional
        In a directory: the policy that this computer gets from Group Policy.
    encoding : str, optional
        The encoding of a script that is not Unicode, as a code page (``"936"``) or by name; guessed when left out.

    Returns
    -------
    Loaded
        ``.policy`` is None when none could be obtained; ``.findings`` then says why. Bad input never raises.
    """
    return load_source(
        source,
        policy=policy,
        format=format,
        system=system,
        access=access,
        computer=computer,
        site=site,
        encoding=encoding,
    )


@dataclass(frozen=True, slots=True)
class Compiled:
    """A matcher with what expanding said; the expansion is None for rows that came without a Policy."""

    matcher: Matcher
    expansion: Expansion | None


def compile(
    policy: Policy | SpecificFilters,
    *,
    me: Iterable[str] = (),
    dns: Iterable[str] = (),
    wins: Iterable[str] = (),
    dhcp: Iterable[str] = (),
    gateway: Iterable[str] = (),
    order: str | Order = "weight",
    target: str = "vista",
    default_exempt: int | None = None,
    verdict: "Verdict" = "rule",
    memory_limit: int | None = None,
    layout: str | None = None,
) -> Matcher:
    """Compile a policy, or rows made without one, into a Matcher.

    Parameters
    ----------
    policy : Policy or SpecificFilters
        SpecificFilters are final: the parameters about the host, the order, the target and the exemptions do not touch them.
    me : iterable of str
        Addresses of this computer, ``ADDR`` or ``ADDR/LEN``. Without any, ``me`` is any address.
    dns, wins, dhcp, gateway : iterable of str
        Addresses of its servers.
    order : {"weight", "first-match"} or callable
        Sort key of a `pastore.filters.weight.SpecificFilter`, or the name of one.
    target : {"vista", "2003", "xp", "2000"}
    default_exempt : int, optional
        0 to 3; the policy's own NoDefaultExempt when left out, else 3.
    verdict : {"rule", "action"}
        "action" builds a table that knows actions only.
    memory_limit : int, optional
        Bytes the finished table may take.
    layout : str, optional
        One of `pastore.matcher.LAYOUTS` instead of the fastest.

    Raises
    ------
    ValueError
        If an argument is none of the above.
    pastore.matcher.MemoryLimitError
        If even the plain list of rows exceeds `memory_limit`.
    """
    host = Host.parse(me, dns, wins, dhcp, gateway)
    return compile_policy(
        policy,
        host,
        order=order,
        target=target,
        default_exempt=default_exempt,
        verdict=verdict,
        memory_limit=memory_limit,
        layout=layout,
    ).matcher


def compile_policy(
    policy: Policy | SpecificFilters,
    host: Host,
    *,
    order: str | Order = "weight",
    target: str = "vista",
    default_exempt: int | None = None,
    verdict: "Verdict" = "rule",
    memory_limit: int | None = None,
    layout: str | None = None,
    reading: Sequence[Finding] = (),
) -> Compiled:
    """Compile as `compile` does, and keep what expanding said.

    `reading` is what was found while the policy was read: a saved table keeps it beside the findings of compiling.
    """
    if isinstance(policy, SpecificFilters):
        return Compiled(Matcher(policy, verdict=verdict, memory_limit=memory_limit, layout=layout), None)
    if not isinstance(policy, Policy):
        raise TypeError(f"compile takes a Policy or SpecificFilters, not {type(policy).__name__}")
    if isinstance(order, str):
        if order not in ORDERS:
            raise ValueError(f"order {order!r} is none of {', '.join(ORDERS)}")
        order = ORDERS[order]
    expansion = expand(policy, host, order=order, target=target, default_exempt=default_exempt)
    contradicting = contradictions(policy, expansion, host, order=order, target=target)
    expansion = replace(expansion, findings=(*expansion.findings, *contradicting))
    # The background costs time that only saving and explaining need.
    background = partial(
        _background,
        policy,
        host,
        weights_of(policy, expansion),
        expansion.failures,
        order,
        target,
        expansion.default_exempt,
        tuple(reading),
    )
    matcher = Matcher(
        expansion.filters,
        findings=expansion.findings,
        background=background,
        verdict=verdict,
        memory_limit=memory_limit,
        layout=layout,
    )
    return Compiled(matcher, expansion)


def _background(
    policy: Policy,
    host: Host,
    weights: "npt.NDArray[np.void]",
    failures: tuple[Failure, ...],
    order: Order,
    target: str,
    default_exempt: int,
    reading: tuple[Finding, ...],
) -> Background:
    # What was expanded is not kept for this: it would be most of the memory of a large policy.
    expansion = expand(policy, host, order=order, target=target, default_exempt=default_exempt)
    analysed = analyse(policy, expansion, host, order=order, target=target).more
    return background_of(policy, host, weights, failures, order=order, target=target, reading=reading, analysed=analysed)


def open(path: str | PathLike[str]) -> Matcher:
    """Open a table that `Matcher.save` or ``pastore compile`` wrote.

    Parameters
    ----------
    path : str or path
        Memory-mapped, so it must not be cut short or written to in place while the matcher is in use.

    Raises
    ------
    pastore.TableError
        If the file is no compiled table, of another version or byte order, cut off or damaged; the message says which.
    OSError
        If it cannot be opened.
    """
    return Matcher.open(path)


def publish(
    policy: Policy,
    url: str,
    *,
    access: Access | None = None,
    gpo: str | None = None,
    remove_unused: bool = False,
    dry_run: bool = False,
) -> "Published":
    """Have a directory hold a policy; nothing is written if it does already.

    Parameters
    ----------
    policy : Policy
        A policy of the directory with the same GUID becomes this one.
    url : str
        ``ldaps://HOST``, ``ldap://HOST`` (with StartTLS) or ``ldapi://SOCKET``.
    access : pastore.directory.Access, optional
        How it is asked: user, password or ticket, certificates, timeout.
    gpo : str, optional
        Display name, GUID or DN of a Group Policy object that is to assign the policy.
    remove_unused : bool
        Whether objects that the policy had, and that nothing refers to any more, are deleted.
    dry_run : bool
        Whether the directory is only read.

    Returns
    -------
    Published
        ``.plan.changes`` is what was written, in that order; ``.findings``.

    Raises
    ------
    ValueError
        If the policy is not whole or cannot be stored.
    pastore.directory.DirectoryError
        If the directory cannot be reached or refuses; what was written until then leaves its policies whole.
    """
    from pastore.directory.access import ANONYMOUS
    from pastore.export import publishing

    if not isinstance(policy, Policy):
        raise TypeError(f"publish takes a Policy, not {type(policy).__name__}")
    return publishing.publish(
        policy, url, ANONYMOUS if access is None else access, gpo=gpo, remove_unused=remove_unused, dry_run=dry_run
    )


def diff(
    old: Matcher | Policy | SpecificFilters, new: Matcher | Policy | SpecificFilters, *, limit: int = WORK_LIMIT
) -> Difference:
    """Tell which packets change their verdict, exactly, over all packets there can be.

    Parameters
    ----------
    old, new : Matcher, Policy or SpecificFilters
        A Policy is expanded for a host that is not known; compile it to say more.
    limit : int
        How many steps it may take.

    Returns
    -------
    Difference
        ``.equal`` if it is proved that no packet does; ``.changes``, disjoint ranges of packets with what happened to them, what
        happens now, by which rules, and an example; ``.decided`` is False if the limit ended the search.
    """
    return difference(_rows(old), _rows(new), limit=limit)


def _rows(policy: Matcher | Policy | SpecificFilters) -> SpecificFilters:
    if isinstance(policy, Matcher):
        return policy.filters
    if isinstance(policy, Policy):
        return expand(policy, Host()).filters
    if isinstance(policy, SpecificFilters):
        return policy
    raise TypeError(f"diff takes a Matcher, a Policy or SpecificFilters, not {type(policy).__name__}")
