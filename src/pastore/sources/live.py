"""The registry of the running Windows, read through winreg: the same keys as from a hive, named the same way."""

import importlib
import sys
from types import ModuleType
from typing import Any, Final

from pastore.findings import Finding
from pastore.sources.log import FindingLog, quoted
from pastore.sources.reading import SourceError
from pastore.sources.registry import MAX_DEPTH, Data, Key, Kind, Value

LIVE: Final = "registry:"  # the source that means the running registry
_MACHINE: Final = "HKEY_LOCAL_MACHINE"
_IPSEC: Final = r"SOFTWARE\Policies\Microsoft\Windows\IPSec"
_SERVICES: Final = r"SYSTEM\CurrentControlSet\Services"
_MISSING: Final = 2  # ERROR_FILE_NOT_FOUND
_NO_MORE: Final = 259  # ERROR_NO_MORE_ITEMS
_EPOCH: Final = 11_644_473_600  # seconds from 1601 to 1970


def read() -> tuple[Key, tuple[Finding, ...]]:
    """Read the IPsec keys of this computer's registry.

    Returns
    -------
    root : Key
    findings : tuple of Finding
        PA101 for keys that may not be read, PA112 for values whose data do not fit their type.

    Raises
    ------
    SourceError
        If this is not Windows, or the key of the policies may not be read at all.
    """
    try:
        winreg = importlib.import_module("winreg")
    except ImportError:
        raise SourceError(f"the running registry can only be read on Windows, and this is {sys.platform}") from None
    reader = _Reader(winreg)
    reader.copy(_IPSEC, whole=True, needed=True)
    for service in ("PolicyAgent", "IPSEC"):
        reader.copy(f"{_SERVICES}\\{service}", whole=False, needed=False)
    return reader.root, reader.log.findings()


class _Reader:
    def __init__(self, winreg: ModuleType) -> None:
        self.root = Key()
        self.log = FindingLog(LIVE)
        # As Any: the standard library's description of winreg is empty on other systems.
        self._winreg: Any = winreg

    def copy(self, path: str, *, whole: bool, needed: bool) -> None:
        """Copy a key, and what is below it if `whole`; one that does not exist is no trouble."""
        pending = [path]
        while pending:
            path = pending.pop()
            full = f"{_MACHINE}\\{path}"
            try:
                subkeys = self._copy_key(path, full)
            except OSError as error:
                if _code(error) == _MISSING:
                    continue  # taken away meanwhile, or never there
                if needed:
                    raise SourceError(f"{full}: {error.strerror or error}") from None
                self.log.add("PA101", f"the key cannot be read: {error.strerror or error}", locator=full)
                continue
            finally:
                needed = False
            if whole and path.count("\\") < MAX_DEPTH:
                pending += [f"{path}\\{name}" for name in reversed(subkeys)]

    def _copy_key(self, path: str, full: str) -> list[str]:
        winreg = self._winreg
        # A 32-bit Python would be shown the 32-bit view.
        access = winreg.KEY_READ | winreg.KEY_WOW64_64KEY
        with winreg.OpenKeyEx(winreg.HKEY_LOCAL_MACHINE, path, 0, access) as handle:
            key = self.root.enter(full)
            written = winreg.QueryInfoKey(handle)[2] // 10_000_000 - _EPOCH
            key.written = written if written >= 0 else None
            index = 0
            while True:
                try:
                    name, data, kind = winreg.EnumValue(handle, index)
                except OSError as error:
                    if _code(error) == _NO_MORE:
                        break
                    raise
                index += 1
                self._put(key, name, data, kind)
            names: list[str] = []
            while True:
                try:
                    names.append(winreg.EnumKey(handle, len(names)))
                except OSError as error:
                    if _code(error) == _NO_MORE:
                        return names
                    raise

    def _put(self, key: Key, name: str, data: object, kind: int) -> None:
        converted = _converted(data, kind)
        if converted is None:
            what = quoted(name) if name else "the default value"
            self.log.add("PA112", f"the data of {what} do not fit its type {kind}; the value is skipped", locator=key.path)
        else:
            key.put(Value(name, kind, converted))


def _converted(data: object, kind: int) -> Data | None:
    """Return data in the form of `pastore.sources.registry.decode`; winreg gives None for empty binary data and numbers."""
    if kind == Kind.MULTI_SZ:
        return tuple(map(str, data)) if isinstance(data, list) else () if data is None else None
    if kind in (Kind.SZ, Kind.EXPAND_SZ):
        return data.partition("\0")[0] if isinstance(data, str) else "" if data is None else None
    if kind in (Kind.DWORD, Kind.QWORD):
        return data if isinstance(data, int) else None
    if kind == Kind.LINK:
        return data if isinstance(data, str | bytes) else None
    if kind == Kind.DWORD_BIG_ENDIAN and isinstance(data, bytes) and len(data) == 4:
        return int.from_bytes(data, "big")
    return bytes(data) if isinstance(data, bytes | bytearray) else b"" if data is None else None


def _code(error: OSError) -> int | None:
    code = getattr(error, "winerror", None)
    return code if isinstance(code, int) else error.errno
