"""Takes registry exports through hivexregedit, an independent reader and writer of .reg text, by way of a hive."""

import shutil
import struct
import subprocess
from pathlib import Path

HIVEXREGEDIT = shutil.which("hivexregedit")

_PAGE = 4096
_NONE = 0xFFFFFFFF
_ROOT_FLAGS = 0x2C  # root of the hive, not to be deleted, name in 8 bits
_RELATIVE = 0x8000  # a security descriptor without owner, group and lists


def empty_hive() -> bytes:
    """Return a hive that holds its root key and nothing else: base block, one bin, a key, its security, free room."""
    name = b"ROOT"
    key_at = 32
    key = bytearray(76) + name
    security_at = key_at + _cell_size(key)
    struct.pack_into("<2sH", key, 0, b"nk", _ROOT_FLAGS)
    struct.pack_into("<6I", key, 16, _NONE, 0, 0, _NONE, _NONE, 0)  # parent, subkeys, volatile ones, their lists, values
    struct.pack_into("<3I", key, 40, _NONE, security_at, _NONE)  # list of values, security, class
    struct.pack_into("<H", key, 72, len(name))
    descriptor = struct.pack("<BBH16x", 1, 0, _RELATIVE)
    security = struct.pack("<2s2x4I", b"sk", security_at, security_at, 1, len(descriptor)) + descriptor
    bin_ = bytearray(_PAGE)
    struct.pack_into("<4s2I", bin_, 0, b"hbin", 0, _PAGE)
    free_at = security_at + _cell_size(security)
    for at, cell in ((key_at, key), (security_at, security)):
        struct.pack_into("<i", bin_, at, -_cell_size(cell))
        bin_[at + 4 : at + 4 + len(cell)] = cell
    struct.pack_into("<i", bin_, free_at, _PAGE - free_at)
    base = bytearray(_PAGE)
    struct.pack_into("<4s2IQ7I", base, 0, b"regf", 1, 1, 0, 1, 3, 0, 1, key_at, _PAGE, 1)
    checksum = 0
    for (word,) in struct.iter_unpack("<I", base[:508]):
        checksum ^= word
    struct.pack_into("<I", base, 508, checksum)
    return bytes(base + bin_)


def _cell_size(cell: bytes | bytearray) -> int:
    return -(-(4 + len(cell)) // 8) * 8


def through_hive(written: bytes, folder: Path) -> bytes:
    """Merge an export into an empty hive and export that again.

    hivexregedit wants UTF-8 and makes no key above the one it is given, so the text is converted and the keys above come first.
    """
    assert HIVEXREGEDIT
    hive, text = folder / "hive", written.decode("utf-16")
    hive.write_bytes(empty_hive())
    keys = [line[1:-1].split("\\") for line in text.split("\r\n") if line.startswith("[")]
    above = dict.fromkeys("\\".join(key[:depth]) for key in keys for depth in range(2, len(key)))
    skeleton = "".join(f"[{path}]\r\n\r\n" for path in above)
    for name, part in (("above.reg", skeleton), ("export.reg", text.removeprefix("\ufeff"))):
        (folder / name).write_bytes(part.encode())
        _run("--merge", "--prefix", "HKEY_LOCAL_MACHINE", str(hive), str(folder / name))
    return _run("--export", "--prefix", "HKEY_LOCAL_MACHINE", str(hive), "\\")


def _run(*arguments: str) -> bytes:
    done = subprocess.run(["hivexregedit", *arguments], capture_output=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr
    return done.stdout
