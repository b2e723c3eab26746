"""A winreg that behaves as the documentation of Python says, over keys in memory."""

from collections.abc import Mapping
from types import ModuleType, TracebackType
from typing import Any, TypeVar

from tests.support.hives import FILETIME_1970, raw
from tests.support.reg_text import RegValue

T = TypeVar("T")


class WindowsError(OSError):
    """OSError as it is on Windows, with `winerror`."""

    def __init__(self, winerror: int, message: str) -> None:
        super().__init__({2: 2, 5: 13}.get(winerror, 22), message)
        self.winerror = winerror


class Handle:
    """What OpenKeyEx gives; closed by a with statement."""

    def __init__(self, path: str, opened: list["Handle"]) -> None:
        self.path = path
        self.is_open = True
        opened.append(self)

    def __enter__(self) -> "Handle":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.is_open = False


class FakeWinreg(ModuleType):
    """The module.

    Parameters
    ----------
    keys : mapping
        As `tests.support.reg_text.reg_text` takes them, all below HKEY_LOCAL_MACHINE.
    denied : tuple of str
        Paths below HKEY_LOCAL_MACHINE that may not be opened.
    seconds : int
        When every key was written, since 1970.
    """

    HKEY_LOCAL_MACHINE = 18446744071562067970
    KEY_READ = 0x20019
    KEY_WOW64_64KEY = 0x100

    def __init__(
        self, keys: Mapping[str, Mapping[str, RegValue]], denied: tuple[str, ...] = (), seconds: int = 1_772_352_000
    ) -> None:
        super().__init__("winreg")
        self.denied = tuple(path.lower() for path in denied)
        self.seconds = seconds
        self.opened: list[Handle] = []
        self.accesses: set[int] = set()
        self._values: dict[str, list[tuple[str, Any, int]]] = {}
        self._children: dict[str, list[str]] = {}
        for path, values in keys.items():
            names = path.split("\\")[1:]
            for depth, name in enumerate(names):
                parent = "\\".join(names[:depth]).lower()
                if name.lower() not in [known.lower() for known in self._children.setdefault(parent, [])]:
                    self._children[parent].append(name)
                self._values.setdefault("\\".join(names[: depth + 1]).lower(), [])
            self._values["\\".join(names).lower()] = [(name, *_python(*raw(value))) for name, value in values.items()]

    def OpenKeyEx(self, key: object, sub_key: str, reserved: int = 0, access: int = KEY_READ) -> Handle:
        assert key == self.HKEY_LOCAL_MACHINE
        self.accesses.add(access)
        if sub_key.lower() not in self._values:
            raise WindowsError(2, "The system cannot find the file specified")
        if sub_key.lower() in self.denied:
            raise WindowsError(5, "Access is denied")
        return Handle(sub_key.lower(), self.opened)

    def QueryInfoKey(self, key: Handle) -> tuple[int, int, int]:
        assert key.is_open
        return (
            len(self._children.get(key.path, [])),
            len(self._values[key.path]),
            self.seconds * 10_000_000 + FILETIME_1970,
        )

    def EnumKey(self, key: Handle, index: int) -> str:
        assert key.is_open
        return _item(self._children.get(key.path, []), index)

    def EnumValue(self, key: Handle, index: int) -> tuple[str, Any, int]:
        assert key.is_open
        return _item(self._values[key.path], index)


def _item(items: list[T], index: int) -> T:
    if index >= len(items):
        raise WindowsError(259, "No more data is available")
    return items[index]


def _python(kind: int, data: bytes) -> tuple[Any, int]:
    """Return data in the form winreg gives them: None for empty binary data."""
    if kind in (1, 2):
        return data.decode("utf-16-le").removesuffix("\0"), kind
    if kind == 7:
        return [string for string in data.decode("utf-16-le").split("\0") if string], kind
    if kind in (4, 11):
        return int.from_bytes(data, "little") if data else None, kind
    return data or None, kind
