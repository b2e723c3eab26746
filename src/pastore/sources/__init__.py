"""Where policies are read: one file per place or format, each giving a `Loaded`."""

import os
from typing import TYPE_CHECKING

from pastore.directory.access import ANONYMOUS, Access, is_url, shown
from pastore.findings import Finding
from pastore.model import Origin
from pastore.sources.loaded import Loaded
from pastore.sources.reading import SourceError, read_bytes
from pastore.sources.sniff import COMPILED, READ, is_hive, is_table, sniff

if TYPE_CHECKING:
    from pastore.sources.registry import Key

__all__ = ["Loaded", "is_table", "load"]


def load(
    source: str | os.PathLike[str],
    *,
    policy: str | None = None,
    format: str | None = None,
    system: str | os.PathLike[str] | None = None,
    access: Access | None = None,
    computer: str | None = None,
    site: str | None = None,
    encoding: str | None = None,
) -> Loaded:
    """Read a policy from a file, from a directory, or from the registry of the running Windows.

    Parameters
    ----------
    source : str or path
        A registry export (.reg), a registry hive, the output of reg query, a script of netsh ipsec or ipseccmd, the output of
        netsh ipsec static show, LDIF, a policy as JSON or a ClassBench filter set, as it is or compressed with gzip; ``-`` is
        standard input and ``registry:`` the running registry. The format is told from the bytes, not from the name. At most
        1 GiB is read. The transaction logs of a hive that was not written completely are taken from beside it.
        ``ldaps://HOST``, ``ldap://HOST`` (with StartTLS) and ``ldapi://SOCKET`` are directories.
    policy : str, optional
        Name or GUID of the policy; when left out, the assigned one or the only one.
    format : str, optional
        ``reg``, ``regquery``, ``hive``, ``netsh``, ``ipseccmd``, ``netsh-show``, ``ldif``, ``json`` or ``classbench``, when the
        bytes do not tell.
    system : str or path, optional
        The SYSTEM hive of the same computer, or another file with its services: NoDefaultExempt is read there.
    access : pastore.directory.Access, optional
        How a directory is asked; without it anonymously, with a certificate that the system trusts, for at most 60 seconds.
    computer, site : str, optional
        In a directory: the policy that this computer gets from Group Policy is meant.
    encoding : str, optional
        The encoding of a script without a byte order mark, as a code page (``936``) or by a name that Python knows.

    Returns
    -------
    Loaded
        `policy` is None when none could be obtained. Then a finding says why: PA101 the source cannot be read, PA102 it is of an
        unknown format, PA106 it is a compiled table (`pastore.open` opens those), PA103 to PA105 it holds no policy, or none or
        several that can be meant; the same if `system` cannot be read, and PA129 if it is no SYSTEM hive. PA170 to PA176 say why
        nothing came from a directory.

    Raises
    ------
    TypeError
        If an argument is of the wrong type. Whatever the source holds is a finding.
    ValueError
        If there is no such encoding.
    """
    path = os.fspath(source)
    if not isinstance(path, str):
        raise TypeError(f"source: expected str or a path of str, got {type(source).__name__}")
    beside = None if system is None else os.fspath(system)
    texts = (
        ("policy", policy),
        ("format", format),
        ("system", beside),
        ("computer", computer),
        ("site", site),
        ("encoding", encoding),
    )
    for name, value in texts:
        if value is not None and not isinstance(value, str):
            raise TypeError(f"{name}: expected str, got {type(value).__name__}")
    codec = None
    if encoding is not None:
        from pastore.sources.netsh import codec_of

        codec = codec_of(encoding)
    if is_url(path):
        if format is not None or beside is not None:
            what = "SYSTEM hive beside it" if format is None else "format"
            return _nothing("PA102", f"a directory has no {what}", shown(path))
        if site is not None and computer is None:
            return _nothing("PA102", "a site is of use only with a computer in it", shown(path))
        from pastore.sources.ldap import load_url

        return load_url(path, policy, access=ANONYMOUS if access is None else access, computer=computer, site=site)
    if computer is not None or site is not None:
        return _nothing("PA102", "this is no directory: only there is a policy found by its computer", path)
    if format == COMPILED:
        return _nothing("PA106", _OPENED, path)
    if format is not None and format not in READ:
        return _nothing("PA102", f"{format!r} is not a format; known are {_KNOWN}", path)
    got = _read(path, format)
    if isinstance(got, Finding):
        return Loaded(None, (got,))
    format, data = got
    if format in _NO_REGISTRY:
        if beside is not None:
            return _nothing("PA102", f"{_NO_REGISTRY[format]} has no SYSTEM hive beside it", path)
        return _without_registry(format, data, path, policy, codec)
    from pastore.sources import registry

    services: Key | None = None
    found: tuple[Finding, ...] = ()
    if beside is not None:
        services, found = _services(beside)
        if services is None:
            return Loaded(None, found)
    try:
        root, findings = _tree(format, data, path)
    except SourceError as error:
        return _nothing("PA101", f"cannot read {path!r}: {error}", path)
    return registry.load_tree(
        root,
        source=path,
        wanted=policy,
        findings=(*findings, *found),
        system=None if services is None or beside is None else (services, beside),
    )


_SCRIPTS = ("netsh", "ipseccmd")
_SHOWN = "netsh-show"
_NO_REGISTRY = {
    "classbench": "a ClassBench filter set",
    "ldif": "LDIF",
    "json": "a policy as JSON",
    "netsh": "a script",
    "ipseccmd": "a script",
    _SHOWN: "output of netsh",
}
_OPENED = (
    "a compiled table holds no policy to load: it is opened, with pastore.open or by its path on the command line, "
    "and must be a file that is not compressed"
)
_KNOWN = (
    "registry exports (reg), output of reg query (regquery), registry hives (hive), scripts (netsh, ipseccmd), output of netsh "
    "ipsec show (netsh-show), LDIF (ldif), policies as JSON (json) and ClassBench filter sets (classbench)"
)
_LIVE = "registry:"
_HIVE_FILE = "hive file"  # a hive that is read where it lies


def _read(path: str, format: str | None) -> tuple[str, bytes] | Finding:
    """Return the format and the bytes of a source, or why there are none."""
    if path == _LIVE:
        if format is not None:
            return Finding("PA102", f"the running registry is not a file of the format {format!r}", Origin(path))
        return path, b""
    if format in (None, "hive") and is_hive(path):
        return _HIVE_FILE, b""
    try:
        data = read_bytes(path, is_wanted=lambda head: format is not None or sniff(head).format in READ)
    except SourceError as error:
        return Finding("PA101", f"cannot read {path!r}: {error}", Origin(path))
    if format is not None:
        return format, data
    guess = sniff(data)
    if guess.format == COMPILED:
        return Finding("PA106", _OPENED, Origin(path))
    if guess.format not in READ:
        return Finding("PA102", _unknown(path, guess.what), Origin(path))
    return guess.format, data


def _tree(format: str, data: bytes, path: str) -> "tuple[Key, tuple[Finding, ...]]":
    """Read the registry tree of a source.

    Raises
    ------
    SourceError
        If it is the running registry and cannot be had.
    """
    if format == _LIVE:
        from pastore.sources import live

        return live.read()
    if format in (_HIVE_FILE, "hive"):
        from pastore.sources import hive

        return hive.read_file(path) if format == _HIVE_FILE else hive.read_with_logs(data, path)
    if format == "regquery":
        from pastore.sources import regquery

        return regquery.read(data, path)
    from pastore.sources import reg

    return reg.read(data, path)


def _services(path: str) -> "tuple[Key | None, tuple[Finding, ...]]":
    """Read the tree of a SYSTEM hive, None if it cannot be had or is none."""
    got = _read(path, None)
    if isinstance(got, Finding):
        return None, (got,)
    format, data = got
    if format in _NO_REGISTRY:
        return None, (Finding("PA129", f"this is {_NO_REGISTRY[format]}", Origin(path)),)
    try:
        root, findings = _tree(format, data, path)
    except SourceError as error:
        return None, (Finding("PA101", f"cannot read {path!r}: {error}", Origin(path)),)
    if root.find(r"HKEY_LOCAL_MACHINE\SYSTEM") is None:
        message = "it holds neither Select nor the services PolicyAgent and IPSEC of a control set"
        return None, (*findings, Finding("PA129", message, Origin(path)))
    return root, findings


def _unknown(path: str, what: str) -> str:
    if path.lower().endswith(".ipsec"):
        what += " with the name of a netsh exportpolicy file; export the registry key with reg export instead"
    return f"this looks like {what}; known are {_KNOWN}"


def _without_registry(format: str, data: bytes, path: str, policy: str | None, codec: str | None) -> Loaded:
    if format == _SHOWN:
        from pastore.sources.netsh import load_show

        return load_show(data, path, policy, encoding=codec)
    if format in _SCRIPTS:
        from pastore.sources.netsh import load_script

        return load_script(data, path, policy, encoding=codec)
    if format == "ldif":
        from pastore.sources.ldif import load_ldif

        return load_ldif(data, path, policy)
    if format == "json":
        from pastore.sources.policy_json import load_json

        return load_json(data, path, policy)
    return _classbench(data, path, policy)


def _classbench(data: bytes, path: str, policy: str | None) -> Loaded:
    from pastore.sources import classbench  # NumPy is only loaded for it

    loaded = classbench.read(data, path)
    if policy is None or loaded.policy is None:
        return loaded
    unnamed = Finding("PA104", f"there is no policy {policy!r}: a ClassBench filter set is one list without a name", Origin(path))
    return Loaded(None, (*loaded.findings, unnamed))


def _nothing(code: str, message: str, path: str) -> Loaded:
    return Loaded(None, (Finding(code, message, Origin(path)),))
