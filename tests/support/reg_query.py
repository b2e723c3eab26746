"""Writes what ``reg query KEY /s`` prints, in some of its languages."""

from collections.abc import Mapping
from typing import Final

from tests.support.reg_text import Hex, RegValue

DEFAULTS: Final = {
    "en": "(Default)",
    "de": "(Standard)",
    "fr": "(par défaut)",
    "es": "(Predeterminado)",
    "ru": "(По умолчанию)",
    "ja": "(既定)",
    "zh": "(默认)",
    "ko": "(기본값)",
}
ENDS: Final = {
    "en": "End of search: 3 match(es) found.",
    "de": "Suchende: 3 Übereinstimmung(en) gefunden.",
    "fr": "Fin de la recherche : 3 correspondance(s) trouvée(s).",
    "es": "Fin de la búsqueda: 3 coincidencias encontradas.",
    "ja": "検索の完了: 3 件一致しました。",
}
NAMES: Final = {0: "NONE", 1: "SZ", 2: "EXPAND_SZ", 3: "BINARY", 4: "DWORD", 7: "MULTI_SZ", 11: "QWORD"}


def query_text(keys: Mapping[str, Mapping[str, RegValue]], language: str = "en", *, separator: str = "    ") -> str:
    """Return the output for some keys, as `tests.support.reg_text.reg_text` takes them; lines end in CR LF."""
    lines = []
    for path, values in keys.items():
        lines += ["", path]
        for name, value in values.items():
            kind, text = _typed(value)
            lines.append(f"    {name or DEFAULTS[language]}{separator}REG_{NAMES[kind]}{separator}{text}")
    return "".join(f"{line}\r\n" for line in [*lines, ""])


def _typed(value: RegValue) -> tuple[int, str]:
    if isinstance(value, Hex):
        if value.kind in (1, 2):
            return value.kind, value.raw.decode("utf-16-le").rstrip("\0")
        if value.kind == 7:
            return 7, "\\0".join(value.raw.decode("utf-16-le").rstrip("\0").split("\0"))
        if value.kind in (4, 11):
            return value.kind, hex(int.from_bytes(value.raw, "little"))
        return value.kind, value.raw.hex().upper()
    if isinstance(value, str):
        return 1, value
    if isinstance(value, int):
        return 4, hex(value)
    if isinstance(value, bytes):
        return 3, value.hex().upper()
    return 7, "\\0".join(value)
