"""IPsec policy in a registry tree, however the tree was read.

A reader of some file format (.reg text, a hive, ``reg query`` output) fills a tree of `Key` and `Value`; `load_tree` finds the
policy stores in it and hands their objects to `pastore.ipsecdata.objects`. What Windows keeps where:

- ``SOFTWARE\\Policies\\Microsoft\\Windows\\IPSec\\Policy\\Local``: the local store. Its value ``ActivePolicy`` names the assigned
  policy by key path.
- ``...\\IPSec\\Policy\\Cache``: a copy of the domain's objects, of the same shape.
- ``...\\IPSec\\GPTIPSECPolicy``: ``DSIPSECPolicyPath``, that is ``LDAP://`` and the DN of the policy that Group Policy assigns.
  When it is set, the local assignment is not in force.
- ``SYSTEM\\CurrentControlSet\\Services\\PolicyAgent`` (Vista and later) or ``...\\IPSEC``: ``NoDefaultExempt``.

Exports start at any key and hives are loaded below any root, so a store is known by what is in it or by the end of its path.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from enum import IntEnum
from typing import Final, NamedTuple

from pastore.findings import Finding
from pastore.ipsecdata.objects import StoredObject, build
from pastore.model import Origin, Policy, Storage, was_written_otherwise
from pastore.sources.choice import choose
from pastore.sources.loaded import Loaded
from pastore.sources.log import FindingLog, limited, quoted

MAX_DEPTH: Final = 512  # levels; the registry's own limit

Data = str | int | bytes | tuple[str, ...]


class Kind(IntEnum):
    """Types of registry values (REG_SZ and so on); other numbers are possible and hold bytes."""

    NONE = 0
    SZ = 1
    EXPAND_SZ = 2
    BINARY = 3
    DWORD = 4
    DWORD_BIG_ENDIAN = 5
    LINK = 6
    MULTI_SZ = 7
    QWORD = 11


@dataclass(frozen=True, slots=True)
class Value:
    """A registry value.

    Parameters
    ----------
    name : str
        As stored; empty for the default value.
    kind : int
        A `Kind`, or the number of another type.
    data : str, int, bytes or tuple of str
        As `decode` gives it for the type. Not shown: ipsecData of a rule holds pre-shared keys in clear text.
    line : int, optional
        One-based, where the tree was read from text.
    """

    name: str
    kind: int
    data: Data = field(repr=False)
    line: int | None = None


class Key:
    """A registry key: values and subkeys by lower-cased name. The root of a tree has an empty name.

    Parameters
    ----------
    name : str
        As stored.
    parent : Key, optional
    line : int, optional
        One-based, where the tree was read from text.
    written : int, optional
        When the key was last written, in seconds since 1970-01-01 UTC, where the source knows.
    """

    __slots__ = ("children", "line", "name", "parent", "values", "written")

    def __init__(self, name: str = "", parent: "Key | None" = None, line: int | None = None, written: int | None = None) -> None:
        self.name = name
        self.parent = parent
        self.line = line
        self.written = written
        self.values: dict[str, Value] = {}
        self.children: dict[str, Key] = {}

    def __repr__(self) -> str:
        return f"<Key {self.path!r}: {len(self.values)} values, {len(self.children)} subkeys>"

    @property
    def path(self) -> str:
        """Full path, components joined by backslashes."""
        names: list[str] = []
        key: Key | None = self
        while key is not None and key.parent is not None:
            names.append(key.name)
            key = key.parent
        return "\\".join(reversed(names))

    def enter(self, path: str, line: int | None = None) -> "Key":
        """Return the key of a path below this one, made where it does not exist; `line` is for those that are made.

        Raises
        ------
        ValueError
            If the path has more than `MAX_DEPTH` components.
        """
        key = self
        for name in _components(path):
            lower = name.lower()
            child = key.children.get(lower)
            if child is None:
                child = key.children[lower] = Key(name, key, line)
            key = child
        return key

    def find(self, path: str) -> "Key | None":
        """Return the key of a path below this one, None where there is none."""
        key: Key | None = self
        for name in _components(path):
            if key is None:
                return None
            key = key.children.get(name.lower())
        return key

    def delete(self, path: str) -> None:
        """Take a key and all below it out, if it is there."""
        key = self.find(path)
        if key is not None and key.parent is not None:
            del key.parent.children[key.name.lower()]

    def put(self, value: Value) -> None:
        """Add a value; one of the same name is replaced."""
        self.values[value.name.lower()] = value

    def walk(self) -> Iterator["Key"]:
        """Go through this key and all below it, parents first, in the order they were made."""
        stack = [self]
        while stack:
            key = stack.pop()
            yield key
            stack.extend(reversed(key.children.values()))


def _components(path: str) -> list[str]:
    names = [name for name in path.split("\\") if name]
    if len(names) > MAX_DEPTH:
        raise ValueError(f"a key path has more than {MAX_DEPTH} levels")
    return names


class Decoded(NamedTuple):
    """Data of a value, None where it cannot be had, and what was wrong with it as pairs of code and text."""

    data: Data | None
    problems: tuple[tuple[str, str], ...] = ()


_SIZES: Final = {Kind.DWORD: 4, Kind.DWORD_BIG_ENDIAN: 4, Kind.QWORD: 8}


def decode(kind: int, raw: bytes, encoding: str = "utf-16-le", *, cut: bool = False) -> Decoded:
    """Give the bytes of a value the form of its type.

    Parameters
    ----------
    kind : int
    raw : bytes
        As the registry stores it.
    encoding : str
        Of strings: UTF-16LE, or an 8-bit code page in REGEDIT4 files.
    cut : bool
        Whether the end of the data is missing. What is whole is kept: the bytes of a binary value, the strings of a list that
        have their terminator. Strings and numbers are not half a value.

    Returns
    -------
    Decoded
        str for REG_SZ, REG_EXPAND_SZ and REG_LINK, up to the first NUL; a tuple of str for REG_MULTI_SZ, up to the first
        empty string, whether or not the terminators are there; int for REG_DWORD and REG_QWORD; otherwise the bytes.
    """
    if kind in _SIZES:
        size = _SIZES[Kind(kind)]
        if cut:
            return Decoded(None)
        if len(raw) != size:
            return Decoded(None, (("PA112", f"a {_kind_name(kind)} has {size} bytes, not {len(raw)}"),))
        return Decoded(int.from_bytes(raw, "big" if kind == Kind.DWORD_BIG_ENDIAN else "little"))
    if kind not in (Kind.SZ, Kind.EXPAND_SZ, Kind.LINK, Kind.MULTI_SZ):
        return Decoded(raw)
    if cut and kind != Kind.MULTI_SZ:
        return Decoded(None)
    problems: tuple[tuple[str, str], ...] = ()
    try:
        text = raw.decode(encoding)
    except UnicodeDecodeError as error:
        text = raw.decode(encoding, "replace")
        if not cut:
            problems = (("PA113", f"byte {error.start} of the string is not valid {encoding.upper()}"),)
    if kind != Kind.MULTI_SZ:
        return Decoded(text.partition("\0")[0], problems)
    strings = (text[: text.rfind("\0") + 1] if cut else text).split("\0")
    end = strings.index("") if "" in strings else len(strings)
    if any(strings[end:]):
        problems += (("PA123", "the list of strings goes on after its terminator; that part is not read"),)
    return Decoded(tuple(strings[:end]), problems)


def _kind_name(kind: int) -> str:
    try:
        return f"REG_{Kind(kind).name}"
    except ValueError:
        return f"value of type {kind:#x}"


_OBJECT: Final = re.compile(r"ipsec(?:Policy|NFA|Filter|NegotiationPolicy|ISAKMPPolicy)\{", re.IGNORECASE)
_POLICY_GUID: Final = re.compile(r"ipsecPolicy(\{[0-9a-f-]{36}\})", re.IGNORECASE)
_CONTROL_SET: Final = re.compile(r"(?:current)?controlset(\d*)", re.IGNORECASE)
_RELEVANT: Final = re.compile(r"ipsec|policyagent|\\policy\\(?:local|cache)\\*$|(?:^|\\)select\\*$", re.IGNORECASE)
_WOW64: Final = "wow6432node"
_GPT: Final = "gptipsecpolicy"
_STRINGS: Final = frozenset((Kind.SZ, Kind.EXPAND_SZ))

_EXPECTED: Final[Mapping[str, frozenset[Kind]]] = {
    **dict.fromkeys(
        (
            "classname",
            "description",
            "ipsecid",
            "ipsecisakmpreference",
            "ipsecname",
            "ipsecnegotiationpolicyaction",
            "ipsecnegotiationpolicyreference",
            "ipsecnegotiationpolicytype",
            "name",
        ),
        _STRINGS,
    ),
    **dict.fromkeys(("ipsecdatatype", "whenchanged"), frozenset((Kind.DWORD,))),
    **dict.fromkeys(("ipsecfilterreference", "ipsecnfareference", "ipsecownersreference"), frozenset((Kind.MULTI_SZ,))),
    "ipsecdata": frozenset((Kind.BINARY,)),
}


def relevant(path: str) -> bool:
    """Whether a key may say something about IPsec policy; a reader need not keep others."""
    return _RELEVANT.search(path) is not None


def load_tree(
    root: Key,
    *,
    source: str,
    wanted: str | None = None,
    findings: Iterable[Finding] = (),
    system: tuple[Key, str] | None = None,
) -> Loaded:
    """Read the policies in a registry tree and choose one.

    Parameters
    ----------
    root : Key
    source : str
        The source as the user named it.
    wanted : str, optional
        Name or GUID of a policy; see `pastore.sources.choice.choose`.
    findings : iterable of Finding
        What the reader of the tree found; they come first.
    system : tuple of Key and str, optional
        Another tree, that of the SYSTEM hive, and its name for findings. NoDefaultExempt is read there and not in `root`.

    Returns
    -------
    Loaded
    """
    log = FindingLog(source)
    if system is None:
        exempt = default_exempt(root, log)
    else:
        system_log = FindingLog(system[1])
        exempt = default_exempt(system[0], system_log)
        findings = (*findings, *system_log.findings())
    policies: list[Policy] = []
    built: list[Finding] = []
    domain_is_missing = False
    for machine in _machines(root):
        domain = _domain_assignment(machine.gpt, log) if machine.gpt is not None else None
        found = domain is None
        for store in machine.stores:
            is_cache = store.name.lower() == "cache"
            local = None if is_cache else _local_assignment(store, domain, log)
            graph = build(
                list(_objects(store, log)),
                storage=Storage.CACHE if is_cache else Storage.LOCAL,
                # A domain policy that is not in the cache is reported below, with the place of the assignment.
                assigned=domain.name if is_cache and domain is not None and _holds(store, domain) else local,
                default_exempt=exempt,
            )
            built += (_with_place(finding, store, source) for finding in graph.findings)
            for policy in graph.policies:
                is_domains = is_cache and domain is not None and policy.assigned
                found = found or is_domains
                policies.append(replace(policy, dn=domain.dn) if is_domains and domain is not None else policy)
        if domain is not None and not found:
            domain_is_missing = True
            message = f"the domain assigns {domain.name}, and the cache does not hold it"
            log.add("PA135", message, locator=domain.locator, line=domain.line)
    if not policies and not domain_is_missing:
        log.add("PA103", "there is no ipsecPolicy object in the registry data")
    chosen: Policy | None = None
    choice: tuple[Finding, ...] = ()
    # When the domain's policy is in force and cannot be had, another one is only taken if it is asked for by name.
    if policies and not (wanted is None and domain_is_missing):
        chosen, choice = choose(policies, wanted, source=source)
    return Loaded(chosen, (*findings, *log.findings(), *limited(built, source), *choice), tuple(policies))


def default_exempt(root: Key, log: FindingLog) -> int | None:
    """Return NoDefaultExempt, 0 to 3; None where it is absent or not usable, which is a finding.

    The value of the service PolicyAgent goes before that of IPSEC, the control set in use before others.
    """
    candidates: list[tuple[tuple[bool, int], Key, Value]] = []
    current: int | None = None
    for key in root.walk():
        lower = key.name.lower()
        if lower == "select" and (in_use := key.values.get("current")) is not None and isinstance(in_use.data, int):
            current = in_use.data
        value = key.values.get("nodefaultexempt")
        if value is None or lower not in ("policyagent", "ipsec") or key.parent is None:
            continue
        if key.parent.name.lower() != "services":
            continue
        control_set = _CONTROL_SET.fullmatch(key.parent.parent.name) if key.parent.parent is not None else None
        number = int(control_set[1] or 0) if control_set is not None and len(control_set[1]) < 9 else 1000
        candidates.append(((lower == "ipsec", number), key, value))
    if not candidates:
        return None
    _, key, value = min(candidates, key=lambda c: (c[0][0], -1 if c[0][1] in (0, current) else c[0][1]))
    if value.kind != Kind.DWORD or not isinstance(value.data, int):
        code, trouble = "PA112", f"a {_kind_name(value.kind)}, not a REG_DWORD; it is ignored"
    elif not 0 <= value.data <= 3:
        code, trouble = "PA126", f"{value.data}; 0 to 3 are defined, and it is ignored"
    else:
        return value.data
    log.add(code, f"NoDefaultExempt is {trouble}", locator=key.path, line=value.line)
    return None


class _Assignment(NamedTuple):
    """What Group Policy assigns."""

    name: str  # ipsecPolicy{guid}, or what else the path is
    dn: str
    locator: str
    line: int | None


class _Machine(NamedTuple):
    """What belongs together: the stores below one IPSec key, and its GPTIPSECPolicy."""

    stores: list[Key]
    gpt: Key | None


def _machines(root: Key) -> list[_Machine]:
    stores: dict[int, list[Key]] = {}
    assignments: dict[int, Key] = {}
    bases: dict[int, Key] = {}
    for key in root.walk():
        if key.parent is None:
            continue
        if key.name.lower() == _GPT:
            assignments[id(key.parent)] = key
            bases.setdefault(id(key.parent), key.parent)
        elif _is_store(key):
            is_below_policy = key.parent.name.lower() == "policy" and key.parent.parent is not None
            base = key.parent.parent if is_below_policy and key.parent.parent is not None else key
            stores.setdefault(id(base), []).append(key)
            bases.setdefault(id(base), base)
    # The 32-bit view shows the same policy keys a second time.
    native = {path for base in bases.values() if _WOW64 not in (path := base.path.lower()).split("\\")}
    return [
        _Machine(stores.get(identity, []), assignments.get(identity))
        for identity, base in bases.items()
        if not _is_second_view(base.path.lower(), native)
    ]


def _is_second_view(path: str, native: set[str]) -> bool:
    names = path.split("\\")
    return _WOW64 in names and "\\".join(name for name in names if name != _WOW64) in native


def _is_store(key: Key) -> bool:
    if any(_OBJECT.match(name) for name in key.children):
        return True
    path = key.path.lower().split("\\")[-3:]
    return path in (["ipsec", "policy", "local"], ["ipsec", "policy", "cache"])


def _domain_assignment(gpt: Key, log: FindingLog) -> _Assignment | None:
    path = _string(gpt, "DSIPSECPolicyPath", log)
    if not path.strip():
        return None
    line = gpt.values["dsipsecpolicypath"].line
    dn = re.sub(r"^(?:LDAP|GC)://(?:[^/=]*/)?", "", path.strip(), flags=re.IGNORECASE)
    guid = _POLICY_GUID.search(dn)
    if guid is None:
        log.add("PA126", "DSIPSECPolicyPath does not name an ipsecPolicy object", locator=gpt.path, line=line)
    return _Assignment(f"ipsecPolicy{guid[1]}" if guid is not None else quoted(dn), dn, gpt.path, line)


def _local_assignment(store: Key, domain: _Assignment | None, log: FindingLog) -> str | None:
    active = _string(store, "ActivePolicy", log).strip()
    if not active or store.name.lower() == "cache":
        return None
    if domain is None:
        return active
    log.add(
        "PA312",
        f"the domain assigns {domain.name}; the local assignment of {quoted(active.rpartition(chr(92))[2])} is not in force",
        locator=store.path,
        line=store.values["activepolicy"].line,
    )
    return None


def _holds(store: Key, domain: _Assignment) -> bool:
    return domain.name.lower() in store.children


def _with_place(finding: Finding, store: Key, source: str) -> Finding:
    """Give "assigned policy does not exist" the place of the assignment, which only the registry knows."""
    active = store.values.get("activepolicy")
    if finding.code != "PA135" or active is None:
        return finding
    return replace(finding, origin=Origin(source, f"{store.path}\\ActivePolicy", active.line))


def _string(key: Key, name: str, log: FindingLog) -> str:
    """Return a string value, empty when it is absent or of another type, which is a finding."""
    value = key.values.get(name.lower())
    if value is None:
        return ""
    if value.kind in _STRINGS and isinstance(value.data, str):
        return value.data
    log.add("PA112", f"{name} is a {_kind_name(value.kind)}, not a REG_SZ", locator=key.path, line=value.line)
    return ""


def _objects(store: Key, log: FindingLog) -> Iterator[StoredObject]:
    store_path = store.path
    for key in store.children.values():
        if _OBJECT.match(key.name) is None:
            continue
        path = f"{store_path}\\{key.name}" if store_path else key.name
        attributes: dict[str, Data] = {}
        places: dict[str, Origin] = {}
        for lower, value in key.values.items():
            kinds = _EXPECTED.get(lower)
            if kinds is not None and value.kind not in kinds:
                wanted = " or ".join(f"REG_{kind.name}" for kind in sorted(kinds))
                message = f"{value.name} is a {_kind_name(value.kind)}, not a {wanted}; it is ignored"
                log.add("PA112", message, locator=path, line=value.line)
                continue
            attributes[lower] = value.data
            if value.line is not None:
                places[lower] = Origin(log.source, path, value.line)
        # The cache holds the directory's times, and its keys are written whenever it is filled: that says nothing.
        written = None if store.name.lower() == "cache" else key.written
        noted = attributes.get("whenchanged")
        if isinstance(noted, int) and written is not None and was_written_otherwise(noted, written):
            message = f"the key was written at {_utc(written)}, and its whenChanged says {_utc(noted)}"
            log.add("PA127", message, locator=path, line=key.line)
        yield StoredObject(key.name, attributes, Origin(log.source, path, key.line), places, written)


def _utc(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
