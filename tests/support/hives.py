"""Registry hives for tests: an empty one is written here, Debian's hivex fills it, and transaction logs are made by hand."""

import json
import shutil
import struct
import subprocess
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Final

from pastore.sources.hive_logs import marvin32
from tests.support.reg_text import Hex, RegValue

PYTHON: Final = "/usr/bin/python3"  # Debian's hivex is a module of Debian's Python
NONE: Final = 0xFFFFFFFF
FILETIME_1970: Final = 116_444_736_000_000_000

# hivex has no way to set the time of a key: it is patched afterwards.
_FILL: Final = """
import json, sys, hivex
h = hivex.Hivex(sys.argv[1], write=True)
for path, values in json.load(sys.stdin):
    node = h.root()
    for name in path:
        child = h.node_get_child(node, name)
        node = h.node_add_child(node, name) if child is None else child
    h.node_set_values(node, [{"key": n, "t": t, "value": bytes.fromhex(d)} for n, t, d in values])
h.commit(None)
"""
_WALK: Final = """
import json, sys, hivex
h = hivex.Hivex(sys.argv[1])
out, todo = [], [(h.root(), "")]
while todo:
    node, path = todo.pop()
    out.append([path, [[h.value_key(v), h.value_type(v)[0], h.value_value(v)[1].hex()] for v in h.node_values(node)]])
    todo += [(c, path + "\\\\" + h.node_name(c)) for c in h.node_children(node)]
json.dump(out, sys.stdout)
"""


def empty_hive(name: str = "ROOT", *, seconds: int = 1_772_352_000) -> bytes:
    """Return a hive of one bin that holds nothing but the root key and a security descriptor for everybody."""
    when = seconds * 10_000_000 + FILETIME_1970
    label = name.encode("ascii")
    root = struct.pack("<2sHQ", b"nk", 0x2C, when) + struct.pack(
        "<15IHH", 0, NONE, 0, 0, NONE, NONE, 0, NONE, 0, NONE, 0, 0, 0, 0, 0, len(label), 0
    )
    everybody = bytes([1, 1, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0])
    access = struct.pack("<BBHI", 0, 2, 8 + len(everybody), 0xF003F) + everybody
    listed = struct.pack("<BBHHH", 2, 0, 8 + len(access), 1, 0) + access
    descriptor = struct.pack("<BBHIIII", 1, 0, 0x8004, 20, 20 + len(everybody), 0, 20 + 2 * len(everybody))
    descriptor += everybody * 2 + listed
    at_root = 32
    at_security = at_root + cell_size(root + label)
    patched = bytearray(root + label)
    struct.pack_into("<I", patched, 44, at_security)
    security = struct.pack("<2sHIIII", b"sk", 0, at_security, at_security, 1, len(descriptor)) + descriptor
    content = cell(bytes(patched)) + cell(security)
    rest = 4096 - at_root - len(content)
    page = struct.pack("<4sIIQQI", b"hbin", 0, 4096, 0, when, 0) + content + struct.pack("<i", rest) + bytes(rest - 4)
    return base_block(name, root=at_root, size=4096, when=when) + page


def cell_size(content: bytes) -> int:
    """Return how many bytes a cell with some content takes."""
    return (4 + len(content) + 7) // 8 * 8


def cell(content: bytes) -> bytes:
    """Return an allocated cell."""
    size = cell_size(content)
    return (struct.pack("<i", -size) + content).ljust(size, b"\0")


def base_block(name: str, *, root: int, size: int, when: int, numbers: tuple[int, int] = (1, 1)) -> bytes:
    """Return the first 4096 bytes of a hive."""
    block = bytearray(4096)
    struct.pack_into("<4sIIQIIIIIII", block, 0, b"regf", *numbers, when, 1, 5, 0, 1, root, size, 1)
    block[48:112] = name.encode("utf-16-le").ljust(64, b"\0")[:64]
    return bytes(sealed(block))


def sealed(data: bytes | bytearray) -> bytearray:
    """Return a hive or a log with the right checksum in its base block."""
    out = bytearray(data)
    total = 0
    for (word,) in struct.iter_unpack("<I", bytes(out[:508])):
        total ^= word
    struct.pack_into("<I", out, 508, {0: 1, NONE: NONE - 1}.get(total, total))
    return out


def patched(data: bytes, *changes: tuple[int, int]) -> bytes:
    """Return a hive with 32-bit numbers of its base block changed, and the checksum right."""
    out = bytearray(data)
    for place, number in changes:
        struct.pack_into("<I", out, place, number)
    return bytes(sealed(out))


def raw(value: RegValue) -> tuple[int, bytes]:
    """Return the type and the bytes of a value as Windows stores it."""
    if isinstance(value, Hex):
        return value.kind, value.raw
    if isinstance(value, str):
        return 1, f"{value}\0".encode("utf-16-le")
    if isinstance(value, int):
        return 4, struct.pack("<I", value)
    if isinstance(value, bytes):
        return 3, value
    return 7, "".join(f"{string}\0" for string in (*value, "")).encode("utf-16-le")


def write_hive(
    path: Path, keys: Mapping[str, Mapping[str, RegValue]], *, below: str = "HKEY_LOCAL_MACHINE", name: str = "ROOT"
) -> Path:
    """Write the keys below one to a hive, and fail clearly where hivex is not installed.

    Parameters
    ----------
    path : Path
    keys : mapping
        As `tests.support.reg_text.reg_text` takes them.
    below : str
        The key that the hive's root stands for; others are left out.
    name : str
        Of the root.
    """
    path.write_bytes(empty_hive(name))
    tree = []
    for key, values in keys.items():
        if key.lower() == below.lower() or key.lower().startswith(f"{below}\\".lower()):
            stored = [(label, *raw(value)) for label, value in values.items()]
            inside = [part for part in key[len(below) :].split("\\") if part]
            tree.append((inside, [(label, kind, data.hex()) for label, kind, data in stored]))
    hivex(_FILL, path, json.dumps(tree))
    return path


def walk_with_hivex(path: Path) -> dict[str, dict[str, tuple[int, bytes]]]:
    """Return what hivex reads: by key path, type and bytes of each value by its name."""
    found: list[tuple[str, list[tuple[str, int, str]]]] = json.loads(hivex(_WALK, path))
    return {key: {name: (kind, bytes.fromhex(data)) for name, kind, data in values} for key, values in found}


def hivex(script: str, path: Path, stdin: str = "") -> str:
    """Run a script with hivex."""
    done = subprocess.run([PYTHON, "-c", script, str(path)], input=stdin, capture_output=True, text=True, check=False)
    if "No module named 'hivex'" in done.stderr or not Path(PYTHON).exists():
        raise AssertionError("python3-hivex is not installed: run scripts/setup-debian test as root")
    assert done.returncode == 0, done.stderr
    return done.stdout


def exported_by_hivexregedit(path: Path, prefix: str = "HKEY_LOCAL_MACHINE") -> bytes:
    """Return what hivexregedit writes as .reg."""
    tool = shutil.which("hivexregedit")
    assert tool, "libwin-hivex-perl is not installed: run scripts/setup-debian test as root"
    command = [tool, "--export", "--prefix", prefix, str(path), "\\"]
    return subprocess.run(command, capture_output=True, check=True).stdout


def key_offsets(data: bytes) -> dict[str, int]:
    """Return where in the file each key is, by name; in hives whose key names are all different."""
    found = {}
    for at in range(4096 + 32, len(data) - 80, 8):
        if data[at + 4 : at + 6] == b"nk" and struct.unpack_from("<i", data, at)[0] < 0:
            (length,) = struct.unpack_from("<H", data, at + 4 + 72)
            found[data[at + 80 : at + 80 + length].decode("latin-1")] = at + 4
    return found


def with_times(data: bytes, times: Mapping[str, int]) -> bytes:
    """Return a hive whose keys of some names were written at other times, in seconds since 1970; "" is for all others."""
    out = bytearray(data)
    for name, at in key_offsets(data).items():
        seconds = times.get(name, times.get(""))
        if seconds is not None:
            struct.pack_into("<Q", out, at + 4, seconds * 10_000_000 + FILETIME_1970)
    return bytes(out)


# Transaction logs


def entry(sequence: int, size: int, pages: Iterable[tuple[int, bytes]], *, flags: int = 0) -> bytes:
    """Return a log entry of the new format; pages are pairs of offset and bytes."""
    pages = list(pages)
    body = b"".join(struct.pack("<II", offset, len(page)) for offset, page in pages) + b"".join(page for _, page in pages)
    body += bytes(-(40 + len(body)) % 512)
    head = struct.pack("<4sIIIII", b"HvLE", 40 + len(body), flags, sequence, size, len(pages))
    head += struct.pack("<Q", marvin32(body))
    return head + struct.pack("<Q", marvin32(head)) + body


def new_log(hive: bytes, *entries: bytes) -> bytes:
    """Return a log of the new format."""
    return bytes(sealed(patched(hive, (28, 6))[:512])) + b"".join(entries)


def old_log(hive: bytes, pages: Mapping[int, bytes]) -> bytes:
    """Return a log of the old format; pages of 512 bytes by their number."""
    size: Any = struct.unpack_from("<I", hive, 40)[0]
    bitmap = bytearray(size // 4096)
    for number in pages:
        bitmap[number // 8] |= 1 << number % 8
    vector = b"DIRT" + bitmap
    head = bytes(sealed(patched(hive, (28, 1))[:512]))
    return head + vector + bytes(-len(vector) % 512) + b"".join(pages[number] for number in sorted(pages))


def differing_pages(old: bytes, new: bytes, size: int = 4096) -> list[tuple[int, bytes]]:
    """Return the pages of the bins that differ, as pairs of offset and bytes."""
    return [(at - 4096, new[at : at + size]) for at in range(4096, len(new), size) if old[at : at + size] != new[at : at + size]]


# Hives by hand


class Bins:
    """One bin that is filled cell by cell, for hives that no program would write."""

    def __init__(self) -> None:
        self.content = bytearray(32)

    def add(self, content: bytes) -> int:
        """Add an allocated cell and return its offset."""
        at = len(self.content)
        self.content += cell(content)
        return at

    def key(
        self,
        name: str,
        *,
        subkeys: int = 0,
        subkey_list: int = NONE,
        values: int = 0,
        value_list: int = NONE,
        when: int = 1_772_352_000,
        flags: int = 0x20,
        name_length: int | None = None,
    ) -> int:
        """Add a key."""
        label = name.encode("latin-1" if flags & 0x20 else "utf-16-le")
        filetime = when * 10_000_000 + FILETIME_1970
        numbers = (0, 0, subkeys, 0, subkey_list, NONE, values, value_list, NONE, NONE, 0, 0, 0, 0, 0)
        length = len(label) if name_length is None else name_length
        return self.add(struct.pack("<2sHQ15IHH", b"nk", flags, filetime, *numbers, length, 0) + label)

    def list(self, kind: bytes, *offsets: int, count: int | None = None) -> int:
        """Add a list of subkeys, or a list of such lists."""
        elements = b"".join(struct.pack("<I", offset) + (bytes(4) if kind in (b"lf", b"lh") else b"") for offset in offsets)
        return self.add(struct.pack("<2sH", kind, len(offsets) if count is None else count) + elements)

    def value(
        self, name: str, kind: int, data: bytes, *, size: int | None = None, place: int | None = None, latin: bool = True
    ) -> int:
        """Add a value, its data inside it where they are short enough."""
        label = name.encode("latin-1" if latin else "utf-16-le")
        if place is None:
            inside = len(data) <= 4 and size is None
            place = struct.unpack("<I", data.ljust(4, b"\0"))[0] if inside else self.add(data)
            size = len(data) | 0x80000000 if inside else len(data) if size is None else size
        return self.add(struct.pack("<2sHIIIHH", b"vk", len(label), size or 0, place, kind, latin, 0) + label)

    def values(self, *offsets: int) -> int:
        """Add a list of values."""
        return self.add(struct.pack(f"<{len(offsets)}I", *offsets))

    def put(self, at: int, content: bytes) -> None:
        """Overwrite some bytes of a cell, its size not counted."""
        self.content[at + 4 : at + 4 + len(content)] = content

    def hive(self, root: int, *, minor: int = 5) -> bytes:
        """Return the hive."""
        size = -(-(len(self.content) + 8) // 4096) * 4096
        rest = size - len(self.content)
        body = bytes(self.content) + struct.pack("<i", rest) + bytes(rest - 4)
        body = struct.pack("<4sIIQQI", b"hbin", 0, size, 0, 0, 0) + body[32:]
        return patched(base_block("ROOT", root=root, size=size, when=1) + body, (24, minor))
