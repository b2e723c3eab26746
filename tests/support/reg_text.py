"""Writes .reg text the way regedit does, in each of the encodings that are met."""

from collections.abc import Mapping
from typing import NamedTuple


class Hex(NamedTuple):
    """A value of an explicit type, written ``hex(kind):``."""

    kind: int
    raw: bytes


RegValue = str | int | bytes | tuple[str, ...] | Hex

STYLES = ("v5", "utf8", "regedit4")


def reg_text(keys: Mapping[str, Mapping[str, RegValue]], style: str = "v5") -> bytes:
    """Return an export of some keys.

    Parameters
    ----------
    keys : mapping of str to mapping
        By full path, each a mapping of value name (empty for the default value) to str (REG_SZ), int (REG_DWORD), bytes
        (REG_BINARY), tuple of str (REG_MULTI_SZ) or `Hex`.
    style : str
        ``v5``: version 5.00, UTF-16LE with byte order mark. ``utf8``: the same text in UTF-8 without one. ``regedit4``: code page
        1252, strings in hex values 8-bit.
    """
    if style not in STYLES:
        raise ValueError(f"{style!r} is none of {', '.join(STYLES)}")
    lines = ["REGEDIT4" if style == "regedit4" else "Windows Registry Editor Version 5.00", ""]
    for path, values in keys.items():
        lines.append(f"[{path}]")
        lines += (f"{_quoted(name) if name else '@'}={_data(name, value, style)}" for name, value in values.items())
        lines.append("")
    text = "\r\n".join([*lines, ""])
    return {"v5": b"\xff\xfe" + text.encode("utf-16-le"), "utf8": text.encode()}.get(style) or text.encode("cp1252")


def _quoted(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _data(name: str, value: RegValue, style: str) -> str:
    if isinstance(value, Hex):
        return _hex(name, f"hex({value.kind:x}):", value.raw)
    if isinstance(value, str):
        return _quoted(value)
    if isinstance(value, int):
        return f"dword:{value:08x}"
    if isinstance(value, bytes):
        return _hex(name, "hex:", value)
    encoding = "cp1252" if style == "regedit4" else "utf-16-le"
    return _hex(name, "hex(7):", "".join(f"{string}\0" for string in (*value, "")).encode(encoding))


def _hex(name: str, kind: str, raw: bytes) -> str:
    line = f'"{name}"={kind}'
    out = ""
    for index, byte in enumerate(raw):
        item = f"{byte:02x}" + ("," if index < len(raw) - 1 else "")
        if len(line) + len(item) > 78:
            out, line = out + line + "\\\r\n", "  "
        line += item
    return (out + line).removeprefix(f'"{name}"=')
