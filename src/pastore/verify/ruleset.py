"""SpecificFilters -> an nftables ruleset that gives the same verdicts, row for row.

One rule a row, in the order of the rows: its ranges as a firewall administrator would write them, the number of the row as the
packet's mark, and a jump to the chain named after the action, which logs the packet and ends. Rows are all it is made of: nothing
of pastore's tables is in it, nor in how the kernel reads it.
"""

from collections.abc import Iterator
from ipaddress import IPv4Address, IPv6Address
from typing import Any, Final

from pastore.filters.specific import ALL, BOTH, OUT, RAS, SpecificFilters, join
from pastore.model import Action

# A packet comes in with its direction and interface type as its mark, and goes to the log with the number of the row as its mark.
SENT: Final = 0x40000000
OUT_BIT, RAS_BIT = 1, 2
NO_ROW: Final = 0x7FFFFFFF

LOG_GROUP: Final = 5
LOG_COPY: Final = 32  # bytes of a packet that come back: enough for what tells it from the others
LOG_BATCH: Final = 64  # packets the kernel gathers before it hands them over

_TABLE: Final = "table netdev pastore"
_CHAINS: Final = {4: "ipv4", 6: "ipv6"}
_BITS: Final = {4: 32, 6: 128}


def ruleset(filters: SpecificFilters, device: str = "lo", *, rules_a_script: int = 5000) -> Iterator[str]:
    """Yield the scripts to be loaded with ``nft -f`` one after another.

    Parameters
    ----------
    filters : SpecificFilters
    device : str
        Network device whose incoming packets are judged. The hook is that of the device and not one of IP's, since IP drops
        packets from multicast and the like before any of its own hooks.
    rules_a_script : int
        A script is one netlink message, whose size has a limit.

    Raises
    ------
    ValueError
        If there are more rows than marks.
    """
    if len(filters) >= NO_ROW:
        raise ValueError(f"{len(filters)} rows: marks end at {NO_ROW}")
    log = f"log group {LOG_GROUP} snaplen {LOG_COPY} queue-threshold {LOG_BATCH}"
    ends = [f'chain {action} {{\n{log} prefix "{action}"\ndrop\n}}' for action in Action]
    yield _script(*ends, *(f"chain {chain} {{\n}}" for chain in _CHAINS.values()))
    for family, chain in _CHAINS.items():
        rules = [
            f"{conditions(row)} meta mark set {at} goto {Action(int(row['action']))}".lstrip() for at, row in _of(filters, family)
        ]
        rules.append(f"meta mark set {NO_ROW} goto {Action.NONE}")
        for start in range(0, len(rules), rules_a_script):
            yield _script(f"chain {chain} {{\n" + "\n".join(rules[start : start + rules_a_script]) + "\n}")
    hook = f'type filter hook ingress device "{device}" priority 0; policy drop;'
    yield _script(f"chain entry {{\n{hook}\nmeta protocol vmap {{ ip : goto ipv4, ip6 : goto ipv6 }}\n}}")


def conditions(row: Any) -> str:
    """Return what a packet must meet to be held by a row; nothing for a row that holds every packet of its family.

    Parameters
    ----------
    row : numpy.void of `pastore.filters.specific.ROW`
    """
    family = int(row["family"])
    word = "ip" if family == 4 else "ip6"
    parts = []
    # Ports and protocol first: they rule out most packets, and an address costs a look at the protocol of the frame besides.
    for field, key, last in (("dport", "th dport", 65535), ("sport", "th sport", 65535), ("protocol", "meta l4proto", 255)):
        low, high = int(row[f"{field}_lo"]), int(row[f"{field}_hi"])
        if (low, high) != (0, last):
            parts.append(f"{key} {low}" if low == high else f"{key} {low}-{high}")
    for field in ("dst", "src"):
        addresses = _addresses(family, join(row[f"{field}_lo"]), join(row[f"{field}_hi"]))
        if addresses:
            parts.append(f"{word} {field[0]}addr {addresses}")
    for field, every, bit, wanted in (("direction", BOTH, OUT_BIT, OUT), ("interface", ALL, RAS_BIT, RAS)):
        if row[field] != every:
            parts.append(f"meta mark & {bit} == {bit if row[field] == wanted else 0}")
    return " ".join(parts)


def _of(filters: SpecificFilters, family: int) -> Iterator[tuple[int, Any]]:
    return ((at, row) for at, row in enumerate(filters.rows) if row["family"] == family)


def _addresses(family: int, low: int, high: int) -> str:
    kind = IPv4Address if family == 4 else IPv6Address
    size = high - low + 1
    if size == 1:
        return str(kind(low))
    if size & (size - 1) or low % size:
        return f"{kind(low)}-{kind(high)}"
    length = _BITS[family] - size.bit_length() + 1
    return f"{kind(low)}/{length}" if length else ""


def _script(*chains: str) -> str:
    return f"{_TABLE} {{\n" + "\n".join(chains) + "\n}\n"
