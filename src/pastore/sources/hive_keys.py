"""Which keys of a hive are wanted, and the records in which they are handed on.

Only the way to the IPsec keys is read and what is below them. Keys are named as in a running registry, whatever the hive's root
is. Keys and values go out as records, which are lists of what JSON can hold, in the order they were read:

- ``["key", PATH, WRITTEN]``, a key that was looked for, its path as a list of names;
- ``["below", NUMBER, NAME, WRITTEN]``, a key below the one of that number (keys are counted from 0);
- ``["value", NUMBER, NAME, TYPE, HEX, IS_CUT]``, a value of the key of that number;
- ``["damage", PATH, MESSAGE]``, what is damaged, with the path of the key or value where it is known.
"""

import re
from collections.abc import Iterator
from typing import Any, Final, NamedTuple

from pastore.sources.hive_cells import Hive, Node, OnDamage
from pastore.sources.hive_head import BLOCK, BaseBlock, Buffer, DamageError, StopReadingError
from pastore.sources.log import quoted
from pastore.sources.registry import MAX_DEPTH

Record = list[Any]

DAMAGE_LIMIT: Final = 10_000  # so many damaged structures are not an accident
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


def ipsec_keys(data: Buffer, block: BaseBlock) -> Iterator[Record]:
    """Yield the records of the IPsec keys of a hive.

    Raises
    ------
    DamageError
        If reading has to end; what was read before stands.
    """
    if len(data) < BLOCK + block.size:
        yield ["damage", "", f"the file has {len(data)} bytes, and its base block says {BLOCK + block.size}"]
    yield from _Reader(Hive(data, block)).run()


def has_control_sets(data: Buffer, block: BaseBlock) -> bool:
    """Whether there are control sets below the root, as in a SYSTEM hive.

    Raises
    ------
    DamageError
        If there is damage on the way.
    """
    hive = Hive(data, block)
    return any(re.fullmatch(_CONTROL_SET, child.name, re.IGNORECASE) for child in hive.subkeys(hive.root(), _refuse))


def _refuse(_name: str, damage: DamageError) -> None:
    raise damage


class _Reader:
    """One pass over the keys that are wanted."""

    def __init__(self, hive: Hive) -> None:
        self._hive = hive
        self._children: dict[int, list[Node]] = {}  # by the key's place in the file: a list of subkeys is read once
        self._copied: set[int] = set()
        self._damages = 0
        self._keys = 0
        self._told: list[Record] = []  # damage found since the last record went out

    def run(self) -> Iterator[Record]:
        """Yield the records of what is wanted."""
        try:
            yield from self._run()
        finally:
            yield from self._damage()

    def _run(self) -> Iterator[Record]:
        top = self._hive.root()
        path = self._path_of(top)
        if path:
            yield from self._copy(top, path, whole=True)
            return
        for target in _TARGETS:
            yield from self._look_for(target, top)

    # The way to what is wanted

    def _path_of(self, top: Node) -> tuple[str, ...]:
        """Return the path of the root where it is a key that is wanted, or one below it, as ``reg save`` of that key gives."""
        names = {child.name.lower() for child in self._below(top, "")}
        if "gptipsecpolicy" in names or ("policy" in names and self._has_store(top)):
            return (_MACHINE, "SOFTWARE", *_IPSEC)
        if names & {"local", "cache"} and self._has_objects(top):
            return (_MACHINE, "SOFTWARE", *_IPSEC, "Policy")
        if any(_OBJECT.match(name) for name in names):
            return (_MACHINE, "SOFTWARE", *_IPSEC, "Policy", "Cache" if top.name.lower() == "cache" else "Local")
        if any(value.name.lower() == "nodefaultexempt" for value in self._hive.values(top, lambda *_: None)):
            return (_MACHINE, "SYSTEM", "CurrentControlSet", "Services", "PolicyAgent")
        return ()

    def _has_store(self, node: Node) -> bool:
        below = [child for child in self._below(node, "") if child.name.lower() == "policy"]
        return any(child.name.lower() in ("local", "cache") for policy in below for child in self._below(policy, ""))

    def _has_objects(self, node: Node) -> bool:
        below = [child for child in self._below(node, "") if child.name.lower() in ("local", "cache")]
        return any(_OBJECT.match(child.name) for store in below for child in self._below(store, ""))

    def _look_for(self, target: _Target, top: Node) -> Iterator[Record]:
        """Copy a target, the hive's root being taken for each key on the way to it in turn, the outermost first."""
        for start in range(1, target.deepest + 1):
            found = list(self._matches(target.path, start, top))
            for path, node in found:
                yield from self._copy(node, path, whole=target.whole)
            if found:
                return

    def _matches(self, pattern: tuple[str, ...], start: int, node: Node) -> Iterator[tuple[tuple[str, ...], Node]]:
        """Yield the keys below one whose path matches a pattern from a component on."""
        # What the root stands for is not in the hive; a control set is called by what Windows calls the one in use.
        names = tuple("CurrentControlSet" if name == _CONTROL_SET else name for name in pattern[:start])
        pending = [(names, node)]
        while pending:
            path, node = pending.pop()
            if len(path) == len(pattern):
                yield path, node
                continue
            wanted = re.compile(pattern[len(path)], re.IGNORECASE)
            below = self._below(node, "\\".join(path))
            pending += [((*path, child.name), child) for child in reversed(below) if wanted.fullmatch(child.name)]

    def _below(self, node: Node, path: str) -> list[Node]:
        if node.at not in self._children:
            self._children[node.at] = list(self._hive.subkeys(node, lambda _, damage: self._damaged(path, damage)))
        return self._children[node.at]

    # What is wanted

    def _copy(self, node: Node, names: tuple[str, ...], *, whole: bool) -> Iterator[Record]:
        yield ["key", list(names), node.written]
        pending = [(node, self._number(), "\\".join(names), 0)]
        while pending:
            node, number, path, depth = pending.pop()
            if node.at in self._copied:
                self._damaged(path, DamageError("a key is below two others, or below itself", node.at))
                continue
            self._copied.add(node.at)
            for value in self._hive.values(node, self._at(path)):
                yield ["value", number, value.name, value.kind, value.data.hex(), value.is_cut]
            if whole and depth >= MAX_DEPTH:
                self._damaged(path, DamageError(f"there are more than {MAX_DEPTH} levels of keys", node.at))
            elif whole:
                seen: set[str] = set()
                for child in self._below(node, path):
                    if child.name.lower() in seen:
                        what = f"two subkeys are called {quoted(child.name)}; the first is read"
                        self._damaged(path, DamageError(what, child.at))
                        continue
                    seen.add(child.name.lower())
                    yield ["below", number, child.name, child.written]
                    pending.append((child, self._number(), f"{path}\\{child.name}", depth + 1))
            yield from self._damage()

    def _number(self) -> int:
        self._keys += 1
        return self._keys - 1

    def _damage(self) -> Iterator[Record]:
        told, self._told = self._told, []
        yield from told

    def _damaged(self, path: str, damage: DamageError) -> None:
        self._told.append(["damage", path, str(damage)])
        self._damages += 1
        if self._damages >= DAMAGE_LIMIT:
            raise StopReadingError(f"{DAMAGE_LIMIT} structures of the hive are damaged; reading stops", damage.at)

    def _at(self, path: str) -> OnDamage:
        return lambda name, damage: self._damaged(f"{path}\\{name}" if name else path, damage)
