"""Where policies are read: one file per place or format, each giving a `Loaded`."""

import os

from pastore.findings import Finding
from pastore.model import Origin
from pastore.sources.loaded import Loaded
from pastore.sources.reading import SourceError, read_bytes
from pastore.sources.sniff import COMPILED, NOT_READ, READ, is_table, sniff

__all__ = ["Loaded", "is_table", "load"]


def load(source: str | os.PathLike[str], *, policy: str | None = None, format: str | None = None) -> Loaded:
    """Read a policy from a file.

    Parameters
    ----------
    source : str or path
        A registry export (.reg), LDIF, a policy as JSON or a ClassBench filter set, as it is or compressed with gzip; ``-`` is
        standard input. The format is told from the bytes, not from the name. At most 1 GiB is read.
    policy : str, optional
        Name or GUID of the policy; when left out, the assigned one or the only one.
    format : str, optional
        ``reg``, ``ldif``, ``json`` or ``classbench``, when the bytes do not tell.

    Returns
    -------
    Loaded
        `policy` is None when none could be obtained. Then a finding says why: PA101 the source cannot be read, PA102 it is of an
        unknown format, PA106 it is a compiled table (`pastore.open` opens those), PA103 to PA105 it holds no policy, or none or
        several that can be meant.

    Raises
    ------
    TypeError
        If an argument is of the wrong type. Whatever the source holds is a finding.
    """
    path = os.fspath(source)
    if not isinstance(path, str):
        raise TypeError(f"source: expected str or a path of str, got {type(source).__name__}")
    for name, value in (("policy", policy), ("format", format)):
        if value is not None and not isinstance(value, str):
            raise TypeError(f"{name}: expected str, got {type(value).__name__}")
    if format == COMPILED:
        return _nothing("PA106", _OPENED, path)
    if format is not None and format not in READ:
        trouble = "is not read by this version" if format in NOT_READ else "is not a format"
        return _nothing("PA102", f"{format!r} {trouble}; it reads {_KNOWN}", path)
    try:
        data = read_bytes(path)
    except SourceError as error:
        return _nothing("PA101", f"cannot read {path!r}: {error}", path)
    if format is None:
        guess = sniff(data)
        if guess.format == COMPILED:
            return _nothing("PA106", _OPENED, path)
        if guess.format not in READ:
            return _nothing("PA102", _unknown(path, guess.what, guess.format), path)
        format = guess.format
    if format == "classbench":
        return _classbench(data, path, policy)
    if format == "ldif":
        from pastore.sources.ldif import load_ldif

        return load_ldif(data, path, policy)
    if format == "json":
        from pastore.sources.policy_json import load_json

        return load_json(data, path, policy)
    from pastore.sources import reg, registry

    root, findings = reg.read(data, path)
    return registry.load_tree(root, source=path, wanted=policy, findings=findings)


_OPENED = (
    "a compiled table holds no policy to load: it is opened, with pastore.open or by its path on the command line, "
    "and must be a file that is not compressed"
)
_KNOWN = "registry exports (reg), LDIF (ldif), policies as JSON (json) and ClassBench filter sets (classbench)"


def _unknown(path: str, what: str, format: str | None) -> str:
    if format is not None:
        return f"this looks like {what}, which this version does not read yet; it reads {_KNOWN}"
    if path.lower().endswith(".ipsec"):
        what += " with the name of a netsh exportpolicy file; export the registry key with reg export instead"
    return f"this looks like {what}; known are {_KNOWN}"


def _classbench(data: bytes, path: str, policy: str | None) -> Loaded:
    from pastore.sources import classbench  # NumPy is only loaded for it

    loaded = classbench.read(data, path)
    if policy is None or loaded.policy is None:
        return loaded
    unnamed = Finding("PA104", f"there is no policy {policy!r}: a ClassBench filter set is one list without a name", Origin(path))
    return Loaded(None, (*loaded.findings, unnamed))


def _nothing(code: str, message: str, path: str) -> Loaded:
    return Loaded(None, (Finding(code, message, Origin(path)),))
