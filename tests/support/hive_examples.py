"""Inputs for the examples on the pages of findings about hives and reg query: files by name, and the arguments of pastore."""

import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

from pastore.model import Policy
from tests.support.example import CHANGED, HKLM, registry
from tests.support.hives import differing_pages, entry, new_log, patched, with_times, write_hive
from tests.support.policies import flt, policy, rule
from tests.support.reg_query import query_text
from tests.support.reg_text import RegValue

Files = dict[str, bytes]
Arguments = tuple[str, ...]

SOFTWARE: Final = rf"{HKLM}\SOFTWARE"
SYSTEM: Final = rf"{HKLM}\SYSTEM"
CHECK: Final = ("check", "SOFTWARE")


def made(name: str = "Server Isolation") -> Policy:
    """Return the policy of the examples."""
    rules = (rule("Intranet", "allow", "tcp 10.0.0.0/8 > me:443"), rule("Rest", "block", flt("any > me", name="all")))
    return policy(*rules, name=name)


def keys(name: str = "Server Isolation") -> dict[str, Mapping[str, RegValue]]:
    """Return its keys."""
    return registry(made(name), assigned=made(name))


def hive(stored: Mapping[str, Mapping[str, RegValue]], below: str = SOFTWARE) -> bytes:
    """Return a hive of some keys, all of them written when the policies were last changed."""
    with tempfile.TemporaryDirectory() as folder:
        return with_times(write_hive(Path(folder) / "hive", stored, below=below).read_bytes(), {"": CHANGED})


def software(name: str = "Server Isolation") -> bytes:
    """Return the SOFTWARE hive."""
    return hive(keys(name))


def dirty(data: bytes) -> bytes:
    """Return a hive in the middle of a write."""
    return patched(data, (4, 312), (8, 311))


def half() -> tuple[Files, Arguments]:
    """Return a hive that is cut."""
    data = software()
    return {"SOFTWARE": data[: len(data) // 2]}, CHECK


def logged() -> tuple[Files, Arguments]:
    """Return a dirty hive and its log."""
    old, new = dirty(software()), software("Server Isolatiom")
    log = new_log(old, entry(311, len(new) - 4096, differing_pages(old, new)))
    return {"SOFTWARE": old, "SOFTWARE.LOG1": log}, CHECK


def unset() -> tuple[Files, Arguments]:
    """Return output of which one line lost its blanks."""
    text = query_text(keys())
    return {"ipsec.txt": text.replace("    ipsecDataType", "ipsecDataType", 1).encode()}, ("check", "ipsec.txt")


def german() -> tuple[Files, Arguments]:
    """Return output in code page 850."""
    return {"ipsec.txt": query_text(keys("Außenstelle Köln"), "de").encode("cp850")}, ("check", "ipsec.txt")


def narrow() -> tuple[Files, Arguments]:
    """Return output that was copied from a window of 80 columns."""
    rows = []
    for line in query_text(keys()).split("\r\n"):
        is_data = "    ipsecData    " in line
        rows += [line[at : at + 80] for at in range(0, len(line), 80)] if is_data else [line]
    return {"ipsec.txt": "\r\n".join(rows).encode()}, ("check", "ipsec.txt")


def edited() -> tuple[Files, Arguments]:
    """Return a hive in which one key was written later."""
    stored = keys()
    noted = {path: {**values, "whenChanged": CHANGED} if "{" in path else values for path, values in stored.items()}
    name = next(path for path in stored if "ipsecFilter" in path).rpartition("\\")[2]
    return {"SOFTWARE": with_times(hive(noted), {name: CHANGED + 11 * 86_400 + 7_000})}, CHECK


def pair() -> tuple[Files, Arguments]:
    """Return the hives of one computer."""
    services = {rf"{SYSTEM}\Select": {"Current": 1}, rf"{SYSTEM}\ControlSet001\Services\PolicyAgent": {"NoDefaultExempt": 1}}
    return {"SOFTWARE": software(), "SYSTEM": hive(services, SYSTEM)}, ("check", ".")


EXAMPLES: Final[Mapping[str, Callable[[], tuple[Files, Arguments]]]] = {
    "PA114": half,
    "PA115": lambda: ({"SOFTWARE": dirty(software())}, CHECK),
    "PA116": logged,
    "PA117": unset,
    "PA118": german,
    "PA119": narrow,
    "PA127": edited,
    "PA128": pair,
    "PA129": lambda: ({"SOFTWARE": software()}, (*CHECK, "--system", "SOFTWARE")),
}
