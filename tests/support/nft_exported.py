"""The kernel as a judge by an exported ruleset: the file is loaded as it is, and then its chains of verdicts are made to log."""

import re
from collections.abc import Iterator
from typing import Any
from unittest import mock

from pastore.filters.specific import SpecificFilters
from pastore.packets import PacketBatch
from pastore.verify import kernel
from pastore.verify.ruleset import LOG_BATCH, LOG_COPY, LOG_GROUP, NO_ROW, OUT_BIT, RAS_BIT

TABLE = "inet pastore"


def judge(exported: bytes, filters: SpecificFilters, packets: PacketBatch) -> kernel.Answers:
    """Let the kernel judge packets by an exported ruleset; it says actions, and never a row."""

    def scripts(*_: Any, rules_a_script: int = 5000) -> Iterator[str]:
        yield from parts(exported.decode(), rules_a_script)
        yield instrumented(exported.decode())

    with mock.patch.object(kernel, "ruleset", scripts):
        return kernel.judge(filters, packets)


def parts(ruleset: str, rules_a_script: int) -> Iterator[str]:
    """Yield a ruleset as it is or, where an ordinary user's messages to the kernel are too short for it, its rules in turns."""
    chains = re.findall(r"^(\tchain (?:in|out)_\w+ \{\n)(.*?)^\t\}$", ruleset, re.MULTILINE | re.DOTALL)
    if sum(rules.count("\n") for _, rules in chains) <= rules_a_script:
        yield ruleset
        return
    frame = ruleset
    for head, rules in chains:
        frame = frame.replace(head + rules, head, 1)
    yield frame
    for head, rules in chains:
        lines = rules.splitlines()
        for start in range(0, len(lines), rules_a_script):
            yield "\n".join([f"table {TABLE} {{", head, *lines[start : start + rules_a_script], "\t}", "}", ""])


def instrumented(ruleset: str) -> str:
    """Return what makes the loaded table tell its verdicts.

    Packets come in at the device's own hook, since IP drops some kinds before its hooks. They are given to the exported chains by
    their direction, version and interface type, as the table's own chains input and output do. The rules of the chains that
    protect are taken out: they ask what only a later hook knows.
    """
    log = f"meta mark set {NO_ROW} log group {LOG_GROUP} snaplen {LOG_COPY} queue-threshold {LOG_BATCH}"
    chains = re.findall(r"^\tchain (\w+) \{", ruleset, re.MULTILINE)
    lines = []
    for chain in chains:
        action = chain.partition("_")[0]
        if action in ("allow", "block", "protect"):
            lines += [f"flush chain {TABLE} {chain}", f'add rule {TABLE} {chain} {log} prefix "{action}" drop']
    hook = 'type filter hook ingress device "lo" priority 0; policy drop;'
    lines.append(f"add chain {TABLE} judge {{ {hook} }}")
    for chain in chains:
        way, _, rest = chain.partition("_")
        if way not in ("in", "out"):
            continue
        version, _, interface = rest.partition("_")
        mask, code = OUT_BIT, OUT_BIT * (way == "out")
        if interface:
            mask, code = mask | RAS_BIT, code | RAS_BIT * (interface == "ras")
        protocol = {"ipv4": "ip", "ipv6": "ip6"}[version]
        lines.append(f"add rule {TABLE} judge meta mark & {mask} == {code} meta protocol {protocol} jump {chain}")
    return "\n".join([*lines, f'add rule {TABLE} judge {log} prefix "none" drop']) + "\n"
