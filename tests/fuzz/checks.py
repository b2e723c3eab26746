"""What the targets have in common: promises that hold for every reader."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import fields, is_dataclass, replace

from pastore.findings import Finding, Severity
from pastore.model import AuthKind, Policy, Secret, Storage
from pastore.sources.loaded import Loaded
from pastore.sources.log import LIMIT

SHORTEST = 8  # characters of a key that a message does not hold by chance


def explained(loaded: Loaded, data: bytes, lines: int | None = None) -> None:
    """There is a policy or an error says why not, the findings are few, have their places, and give no secret away.

    Parameters
    ----------
    loaded : Loaded
    data : bytes
        What was read.
    lines : int, optional
        How many lines it has; no finding may be elsewhere.
    """
    findings = loaded.findings
    assert loaded.policy is not None or any(finding.severity is Severity.ERROR for finding in findings)
    bounded(findings)
    for finding in findings:
        assert finding.message
        line = finding.origin.line
        assert line is None or lines is None or 1 <= line <= lines, finding
    no_secret_told(loaded, data)


def bounded(findings: Iterable[Finding]) -> None:
    """No code has more findings than a reader lists, in each of the two places that list them."""
    counts: dict[str, int] = {}
    for finding in findings:
        counts[finding.code] = counts.get(finding.code, 0) + 1
    assert max(counts.values(), default=0) <= 3 * (LIMIT + 1), counts


def no_secret_told(loaded: Loaded, data: bytes) -> None:
    """A pre-shared key is in no finding and in no repr of a policy.

    A key that the input also holds as something else, a name for one, may well be shown as that.
    """
    shown = ""
    for policy in loaded.policies:
        keys = [
            method.key.reveal()
            for rule in policy.rules
            for method in rule.auth_methods
            if method.key is not None and method.kind == AuthKind.PRESHARED_KEY
        ]
        for key in keys:
            if len(key) < SHORTEST:
                continue
            written = {key.encode(name, "surrogatepass") for name in ("utf-8", "utf-16-le")} | {key.encode("cp1252", "replace")}
            clear = sum(data.count(each) for each in written)
            if clear > keys.count(key) or any(key in text for text in _texts(policy)):
                continue
            shown = shown or f"{loaded!r}" + "".join(str(finding.as_dict()) for finding in loaded.findings)
            assert key not in shown, "a pre-shared key is shown"


def _texts(node: object) -> Iterator[str]:
    """Yield every text of a policy that is no secret."""
    if isinstance(node, str):
        yield node
    elif isinstance(node, tuple):
        for each in node:
            yield from _texts(each)
    elif is_dataclass(node) and not isinstance(node, Secret):
        for each in fields(node):
            yield from _texts(getattr(node, each.name))


def stored_again(
    policies: Iterable[Policy], write: Callable[[Policy], bytes], read: Callable[[bytes], Loaded], *, keeps_assignment: bool
) -> None:
    """A policy that was read can be written and is read as the same one, or a sentence refuses to write it.

    Parameters
    ----------
    policies : iterable of Policy
    write, read : callable
        Of one format.
    keeps_assignment : bool
        Whether the format says which policy is assigned, and NoDefaultExempt.
    """
    for policy in policies:
        try:
            written = write(policy)
        except ValueError:  # which is a sentence for the user
            continue
        again = read(written).policy
        assert isinstance(again, Policy)
        assert _essence(again, keeps_assignment) == _essence(policy, keeps_assignment)


def _essence(policy: Policy, keeps_assignment: bool) -> Policy:
    """Return a policy without what depends on where it is kept."""
    policy = replace(policy, storage=Storage.MEMORY, dn="")
    return policy if keeps_assignment else replace(policy, assigned=False, default_exempt=None)
