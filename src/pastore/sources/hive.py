"""Registry hives: the IPsec keys of a SOFTWARE or SYSTEM hive, or of a part of one that ``reg save`` wrote.

Only the way to these keys is read and what is below them, so a large hive takes no longer than a small one. Keys are named as
in a running registry, whatever the hive's root is. A hive that was not written completely is read with its transaction logs,
which are applied in memory; the files are only ever opened for reading. Deleted keys and values are not looked for.

Messages name keys and values but never quote data: a rule's ipsecData holds pre-shared keys in clear text.
"""

import os
import re
from collections.abc import Iterable, Iterator, Mapping
from mmap import ACCESS_READ, mmap
from typing import Final, NamedTuple

from pastore.findings import Finding
from pastore.model import Origin
from pastore.sources import hivelog
from pastore.sources.log import FindingLog, quoted
from pastore.sources.reading import SourceError, read_bytes
from pastore.sources.regf import BLOCK, LOG_TYPES, BaseBlock, Buffer, DamageError, Hive, Node, StopReadingError, base_block
from pastore.sources.registry import MAX_DEPTH, Key, Value, decode

DAMAGE_LIMIT: Final = 10_000  # so many damaged structures are not an accident
LOG_LIMIT: Final = 1 << 28  # bytes of one transaction log
_MACHINE: Final = "HKEY_LOCAL_MACHINE"
_CONTROL_SET: Final = r"ControlSet\d{3}|CurrentControlSet"


class _Target(NamedTuple):
    """A key that is wanted.

    Parameters
    ----------
    path : tuple of str
        Its components; a regular expression where several keys are meant.
    deepest : int
        How many components, at most, the hive's root may stand for.
    whole : bool
        Whether what is below it is wanted too.
    """

    path: tuple[str, ...]
    deepest: int
    whole: bool


_IPSEC: Final = ("Policies", "Microsoft", "Windows", "IPSec")
_TARGETS: Final = (
    _Target((_MACHINE, "SOFTWARE", *_IPSEC), 5, whole=True),
    _Target((_MACHINE, "SOFTWARE", "WOW6432Node", *_IPSEC), 2, whole=True),
    _Target((_MACHINE, "SYSTEM", _CONTROL_SET, "Services", "PolicyAgent"), 4, whole=False),
    _Target((_MACHINE, "SYSTEM", _CONTROL_SET, "Services", "IPSEC"), 3, whole=False),
    _Target((_MACHINE, "SYSTEM", "Select"), 2, whole=False),
)
_OBJECT: Final = re.compile(r"ipsec\w+\{", re.IGNORECASE)


def read(data: bytes, source: str, logs: Mapping[str, bytes] | None = None) -> tuple[Key, tuple[Finding, ...]]:
    """Read a hive into a registry tree.

    Parameters
    ----------
    data : bytes
    source : str
        The file as the user named it, for findings.
    logs : mapping of str to bytes, optional
        Its transaction logs by name; needed only if the hive is dirty.

    Returns
    -------
    root : Key
        Of the tree; it holds the IPsec keys alone, below HKEY_LOCAL_MACHINE.
    findings : tuple of Finding
        PA112 and PA113 as for other registry sources, PA114 damage, PA115 a hive that was not written completely and whose logs
        do not mend that, PA116 logs that were applied.
    """
    log = FindingLog(source)
    root = Key()
    try:
        block = base_block(data)
        if block.kind in LOG_TYPES:
            log.add("PA114", "this is a transaction log of a hive and not a hive")
            return root, log.findings()
        current, block = _recovered(data, block, logs or {}, log)
        _Reader(current, block, log, root).run()
    except StopReadingError as stop:  # last, and whatever the number of findings before it
        return root, (*log.findings(), Finding("PA114", str(stop), Origin(source)))
    except DamageError as damage:
        log.add("PA114", str(damage))
    return root, log.findings()


def is_dirty(data: Buffer) -> bool:
    """Whether a hive was not written completely, so that its logs are needed."""
    try:
        block = base_block(data)
    except DamageError:
        return False
    return not block.is_sound or block.primary != block.secondary


def logs_beside(path: str) -> tuple[dict[str, bytes], list[str]]:
    """Read the transaction logs beside a hive.

    Parameters
    ----------
    path : str
        Of the hive; the logs have its name with .LOG1, .LOG2 or .LOG behind it, in capitals or not.

    Returns
    -------
    logs : dict of str to bytes
        By name, in the order Windows uses them.
    problems : list of str
        Why one could not be read.
    """
    folder, name = os.path.split(path)
    wanted = [f"{name}{ending}".lower() for ending in (".LOG1", ".LOG2", ".LOG")]
    try:
        names = {each.lower(): each for each in os.listdir(folder or ".") if each.lower() in wanted}
    except OSError as error:
        return {}, [f"the folder cannot be listed: {error.strerror}"]
    logs: dict[str, bytes] = {}
    problems: list[str] = []
    for each in (names[lower] for lower in wanted if lower in names):
        try:
            logs[each] = read_bytes(os.path.join(folder, each), LOG_LIMIT)
        except SourceError as error:
            problems.append(f"{each} cannot be read: {error}")
    return logs, problems


def is_system(path: str) -> bool:
    """Whether a file is a hive with control sets at its root, as far as it is not damaged there."""
    try:
        with open(path, "rb") as file, mmap(file.fileno(), 0, access=ACCESS_READ) as data:
            block = base_block(data)
            if block.kind in LOG_TYPES:
                return False
            hive = Hive(data, block)
            children = hive.subkeys(hive.node(block.root), _refuse)
            return any(re.fullmatch(_CONTROL_SET, child.name, re.IGNORECASE) for _, child in children)
    except (OSError, ValueError, DamageError):  # ValueError: an empty file
        return False


def _refuse(damage: DamageError) -> None:
    raise damage


def _recovered(data: bytes, block: BaseBlock, logs: Mapping[str, bytes], log: FindingLog) -> tuple[Buffer, BaseBlock]:
    """Return the hive as it is with its logs, and the base block to go with it."""
    if not is_dirty(data):
        return data, block
    why = f"its sequence numbers are {block.primary} and {block.secondary}" if block.is_sound else "its checksum is wrong"
    why = f"the hive was not written completely ({why})"
    if not logs:
        log.add("PA115", f"{why} and there is no transaction log; the latest changes may be missing")
        return data, block
    applied = hivelog.apply(data, block, logs)
    if applied.pages:
        taken = " and ".join(f"{n} page{'' if n == 1 else 's'} of {name}" for name, n in applied.pages.items())
        log.add("PA116", f"{why}; {taken} were applied in memory")
    if not applied.pages or any("entry" in problem for problem in applied.problems):
        trouble = "; ".join(applied.problems) or "the logs hold nothing for it"
        rest = "the rest of its logs was not applied" if applied.pages else f"{why} and its logs could not be applied"
        log.add("PA115", f"{rest}: {trouble}; the latest changes may be missing")
    return applied.data, base_block(applied.data)


class _Reader:
    """One pass over the keys that are wanted."""

    def __init__(self, data: Buffer, block: BaseBlock, log: FindingLog, root: Key) -> None:
        self._hive = Hive(data, block)
        self._size = len(data)
        self._block = block
        self._log = log
        self._tree = root
        self._children: dict[int, list[tuple[int, Node]]] = {}  # a list of subkeys can be read only once
        self._copied: set[int] = set()
        self._damages = 0

    def run(self) -> None:
        """Copy what is wanted."""
        if self._size < BLOCK + self._block.size:
            what = f"the file has {self._size} bytes, and its base block says {BLOCK + self._block.size}"
            self._log.add("PA114", what)
        top = self._hive.node(self._block.root)
        if self._is_target(self._block.root, top):
            return
        for target in _TARGETS:
            self._look_for(target, top)

    # The way to what is wanted

    def _is_target(self, offset: int, top: Node) -> bool:
        """Copy the root itself where it is a key that is wanted, or one below it, as ``reg save`` of that key gives."""
        names = {child.name.lower() for _, child in self._below(offset, top, "")}
        path: tuple[str, ...] = ()
        if "gptipsecpolicy" in names or ("policy" in names and self._has_store(offset, top)):
            path = (_MACHINE, "SOFTWARE", *_IPSEC)
        elif names & {"local", "cache"} and self._has_objects(offset, top):
            path = (_MACHINE, "SOFTWARE", *_IPSEC, "Policy")
        elif any(_OBJECT.match(name) for name in names):
            path = (_MACHINE, "SOFTWARE", *_IPSEC, "Policy", "Cache" if top.name.lower() == "cache" else "Local")
        elif any(value.name.lower() == "nodefaultexempt" for value in self._hive.values(top, lambda *_: None)):
            path = (_MACHINE, "SYSTEM", "CurrentControlSet", "Services", "PolicyAgent")
        if path:
            self._copy(offset, top, path, whole=True)
        return bool(path)

    def _has_store(self, offset: int, node: Node) -> bool:
        below = [pair for pair in self._below(offset, node, "") if pair[1].name.lower() == "policy"]
        return any(child.name.lower() in ("local", "cache") for at, policy in below for _, child in self._below(at, policy, ""))

    def _has_objects(self, offset: int, node: Node) -> bool:
        below = [pair for pair in self._below(offset, node, "") if pair[1].name.lower() in ("local", "cache")]
        return any(_OBJECT.match(child.name) for at, store in below for _, child in self._below(at, store, ""))

    def _look_for(self, target: _Target, top: Node) -> None:
        """Copy a target, the hive's root being taken for each key on the way to it in turn, the outermost first."""
        for start in range(1, target.deepest + 1):
            found = list(self._matches(target.path, start, self._block.root, top))
            for path, offset, node in found:
                self._copy(offset, node, path, whole=target.whole)
            if found:
                return

    def _matches(
        self, pattern: tuple[str, ...], start: int, offset: int, node: Node
    ) -> Iterator[tuple[tuple[str, ...], int, Node]]:
        """Yield the keys below one whose path matches a pattern from a component on."""
        # What the root stands for is not in the hive; a control set is called by what Windows calls the one in use.
        names = tuple("CurrentControlSet" if name == _CONTROL_SET else name for name in pattern[:start])
        pending = [(names, offset, node)]
        while pending:
            path, offset, node = pending.pop()
            if len(path) == len(pattern):
                yield path, offset, node
                continue
            wanted = re.compile(pattern[len(path)], re.IGNORECASE)
            below = self._below(offset, node, "\\".join(path))
            pending += [((*path, child.name), at, child) for at, child in reversed(below) if wanted.fullmatch(child.name)]

    def _below(self, offset: int, node: Node, path: str) -> list[tuple[int, Node]]:
        if offset not in self._children:
            self._children[offset] = list(self._hive.subkeys(node, lambda damage: self._damaged(path, damage)))
        return self._children[offset]

    # What is wanted

    def _copy(self, offset: int, node: Node, path: Iterable[str], *, whole: bool) -> None:
        key = self._tree
        for name in path:
            key = key.children.setdefault(name.lower(), Key(name, key))
        key.written = node.written
        pending = [(offset, node, key, 0)]
        while pending:
            offset, node, key, depth = pending.pop()
            if offset in self._copied:
                self._damaged(key.path, DamageError("a key is below two others, or below itself", node.at))
                continue
            self._copied.add(offset)
            self._copy_values(node, key)
            if not whole:
                continue
            if depth >= MAX_DEPTH:
                self._damaged(key.path, DamageError(f"there are more than {MAX_DEPTH} levels of keys", node.at))
                continue
            for at, child in self._below(offset, node, key.path):
                if child.name.lower() in key.children:
                    self._damaged(
                        key.path, DamageError(f"two subkeys are called {quoted(child.name)}; the first is read", child.at)
                    )
                    continue
                below = key.children[child.name.lower()] = Key(child.name, key, written=child.written)
                pending.append((at, child, below, depth + 1))

    def _copy_values(self, node: Node, key: Key) -> None:
        path = key.path
        for raw in self._hive.values(node, lambda name, damage: self._damaged(f"{path}\\{name}" if name else path, damage)):
            decoded = decode(raw.kind, raw.data, cut=raw.is_cut)
            for code, text in decoded.problems:
                self._log.add(code, f"{quoted(raw.name) if raw.name else 'the default value'}: {text}", locator=path)
            if decoded.data is not None:
                key.put(Value(raw.name, raw.kind, decoded.data))

    def _damaged(self, path: str, damage: DamageError) -> None:
        self._log.add("PA114", str(damage), locator=path)
        self._damages += 1
        if self._damages >= DAMAGE_LIMIT:
            raise StopReadingError(f"{DAMAGE_LIMIT} structures of the hive are damaged; reading stops", damage.at)
