"""Inputs for the examples on the pages of findings about scripts: files by name, and the arguments of pastore."""

from collections.abc import Callable, Mapping
from typing import Final

from pastore.export import policy_json
from tests.support.export_examples import made

Files = dict[str, bytes]
Arguments = tuple[str, ...]

FILTER: Final = "add filter filterlist=Ports srcaddr=any dstaddr=me protocol=tcp dstport=445"
BEGIN: Final = ("add policy name=Hardening", "add filteraction name=Block action=block", FILTER)
RULE: Final = "add rule name=Close policy=Hardening filterlist=Ports filteraction=Block"
END: Final = ("set policy name=Hardening assign=yes",)


def script(*lines: str, name: str = "harden.bat") -> tuple[Files, Arguments]:
    """Return the check of a batch file; lines that begin with a verb are commands of netsh ipsec static."""
    verbs = ("add ", "set policy", "delete ")
    text = ["@echo off", *(f"netsh ipsec static {line}" if line.startswith(verbs) else line for line in lines)]
    return {name: "\r\n".join(text).encode() + b"\r\n"}, ("check", name)


def with_line(line: str, *, before_rule: bool = True) -> tuple[Files, Arguments]:
    """Return the check of a whole script with one line more."""
    middle = (line, RULE) if before_rule else (RULE, line)
    return script(*BEGIN, *middle, *END)


EXAMPLES: Final[Mapping[str, Callable[[], tuple[Files, Arguments]]]] = {
    "PA141": lambda: with_line("add filter filterlist=Ports srcaddr=any dstaddr=me protocol=tcp dstport=137-139"),
    "PA142": lambda: with_line("nesth ipsec static add filter filterlist=Ports srcaddr=any dstaddr=me protocol=tcp dstport=139"),
    "PA143": lambda: with_line('if "%1"=="server" netsh ipsec static ' + FILTER.replace("445", "139")),
    "PA144": lambda: with_line("add filter filterlist=Ports srcaddr=%OFFICE% dstaddr=me protocol=tcp dstport=3389"),
    "PA145": lambda: with_line(
        "for /l %%a in (1,1,1000) do for /l %%b in (1,1,1000) do netsh ipsec static "
        "add filter filterlist=Ports srcaddr=any dstaddr=me protocol=tcp srcport=%%a dstport=%%b"
    ),
    "PA146": lambda: (
        {"shown.txt": b"Policy Name   : Hardening\r\nRichtlinie    : x\r\nNo. of Rules  : 0\r\n"},
        ("check", "shown.txt"),
    ),
    "PA321": lambda: with_line(RULE.replace("filteraction=Block", "filteraction=Block conntype=lan"), before_rule=False),
    "PA322": lambda: script(*BEGIN, RULE.replace("policy=Hardening", "policy=Hardning"), *END),
    "PA323": lambda: script("add policy name=Hardening assign=yes"),
    "PA324": lambda: with_line("add filter filterlist=Ports srcaddr=any dstaddr=me protocol=tcp srcport=135 dstport=139"),
    "PA325": lambda: with_line("add filter filterlist=Ports srcaddr=any dstaddr=me protocol=tcp dstport=137 139"),
    "PA326": lambda: script(*BEGIN, f"{RULE}netsh ipsec static {END[0]}"),
    "PA327": lambda: with_line("add filteraction name=Permit action=permit soft=yes"),
    "PA328": lambda: with_line("delete filterlist name=Ports", before_rule=False),
    "PA410": lambda: ({"corp.json": policy_json.write(made())}, ("convert", "corp.json", "-t", "netsh", "-o", "corp.bat")),
    "PA411": lambda: (
        {
            "quarantine.txt": b"pushd ipsec dynamic\r\nadd mmpolicy name=Panic\r\n"
            b"add rule srcaddr=10.1.0.0 srcmask=16 dstaddr=10.2.0.0 dstmask=16 mmpolicy=Panic "
            b"actioninbound=block actionoutbound=permit\r\npopd\r\n"
        },
        ("check", "quarantine.txt"),
    ),
    "PA329": lambda: with_line("add filter filterlist=Ports srcaddr=0.0.0.0 dstaddr=10.1.0.9 protocol=tcp dstport=21"),
}
