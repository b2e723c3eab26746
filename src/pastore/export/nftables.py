"""A policy as an nftables ruleset: one loadable file whose verdict for every packet is that of the policy.

One rule a specific filter, in the order tried; a chain for each direction, IP version and, where a rule asks for it, interface
type. What a filter does stands in a chain of its own: ``allow`` accepts, ``block`` drops, the chains of ``protect`` accept what
the kernel's IPsec has opened or will wrap and drop the same in clear text, unless the filter action lets it pass. A packet that
no filter holds goes on, as it does for Windows.
"""

from collections.abc import Iterator
from ipaddress import IPv4Address, IPv6Address
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from pastore.export.gathering import Written
from pastore.filters.expand import Expansion, PolicyFilter
from pastore.filters.specific import ALL, BOTH, IN, INPASS, OUT, RAS, SOFT, join
from pastore.findings import Finding, Severity
from pastore.findings.render import printable
from pastore.model import NOWHERE, Action, Policy

TABLE: Final = "pastore"
_WORDS: Final = {4: "ip", 6: "ip6"}
_VERSIONS: Final = {4: "ipv4", 6: "ipv6"}
_WAYS: Final = {IN: "in", OUT: "out"}
_PROTOCOLS: Final = {6: "tcp", 17: "udp"}
_EXTENSION_HEADERS: Final = (0, 43, 44, 51, 60)  # the kernel looks for another protocol behind them
_COMMENT: Final = 100  # bytes; nft takes 128
_ESP: Final = 50


def write(policy: Policy, expansion: Expansion) -> Written:
    """Return a policy as a file for ``nft -f``, and a PA421 for everything that it cannot hold.

    Parameters
    ----------
    policy : Policy
    expansion : Expansion
        Of that policy.
    """
    return _Writer(policy, expansion).written()


class _Writer:
    def __init__(self, policy: Policy, expansion: Expansion) -> None:
        self._policy = policy
        self._filters = expansion.filters
        self._findings: list[Finding] = []
        self._types = bool((expansion.filters["interface"] != ALL).any())
        self._protects: dict[str, None] = {}

    def written(self) -> Written:
        bodies = [line for chain in self._chains() for line in chain]
        self._remark()
        lines = [
            "#!/usr/sbin/nft -f",
            f"# IPsec policy {_comment(self._policy.name)}, written by pastore. Loaded again, it replaces itself.",
            f"add table inet {TABLE}",
            f"delete table inet {TABLE}",
            f"table inet {TABLE} {{",
        ]
        if self._types:
            lines += [
                "\t# Interfaces of dial-up connections, such as ppp0: rules for remote access apply to these, rules for the",
                "\t# local network to all others.",
                "\tset ras {",
                "\t\ttype ifname",
                "\t}",
                "",
            ]
        lines += ["\tchain allow {", "\t\taccept", "\t}", "", "\tchain block {", "\t\tcounter drop", "\t}", ""]
        for name in self._protects:
            lines += [f"\tchain {name} {{", *(f"\t\t{line}" for line in _protect(name)), "\t}", ""]
        lines += bodies
        for way, hook, name in ((IN, "input", "iif"), (OUT, "output", "oif")):
            lines += [
                f"\tchain {hook} {{",
                f"\t\ttype filter hook {hook} priority filter; policy accept;",
                f'\t\t{name} "lo" accept # what a host sends to itself no IPsec filter sees',
                *(f"\t\t{line}" for line in self._entry(way, f"{name}name")),
                "\t}",
                "",
            ]
        lines[-1] = "}"
        return Written("".join(f"{line}\n" for line in lines).encode("utf-8"), tuple(self._findings))

    def _entry(self, way: int, name: str) -> Iterator[str]:
        for family, version in _VERSIONS.items():
            if self._types:
                yield f"meta nfproto {version} {name} @ras goto {_chain(way, family, RAS)}"
                yield f"meta nfproto {version} goto {_chain(way, family, RAS ^ 1)}"
            else:
                yield f"meta nfproto {version} goto {_chain(way, family, None)}"

    def _chains(self) -> Iterator[list[str]]:
        for way in (IN, OUT):
            for family in _VERSIONS:
                for interface in (RAS ^ 1, RAS) if self._types else (None,):
                    rules = [f"\t\t{rule}" for rule in self._rules(way, family, interface)]
                    yield [f"\tchain {_chain(way, family, interface)} {{", *rules, "\t}", ""]

    def _rules(self, way: int, family: int, interface: int | None) -> Iterator[str]:
        for at, row in enumerate(self._filters.rows):
            if row["family"] != family or row["direction"] not in (way, BOTH) or row["interface"] not in (interface, ALL):
                continue
            source = self._filters.source(at)
            label = (source.rule or source.text) if source else ""
            comment = f' comment "{_comment(label)}"' if label else ""
            yield f"{conditions(row)} goto {self._verdict(row, way)}{comment}".lstrip()

    def _verdict(self, row: Any, way: int) -> str:
        action = Action(int(row["action"]))
        if action is not Action.PROTECT:
            return str(action)
        flags = int(row["flags"])
        name = f"protect_{_WAYS[way]}{'_inpass' if flags & INPASS else ''}{'_soft' if flags & SOFT else ''}"
        self._protects[name] = None
        return name

    # What is not the same here

    def _remark(self) -> None:
        if self._types:
            self._say(
                "nftables does not know which interfaces are dial-up connections: put their names into the set ras",
                self._policy.origin,
            )
        rows = self._filters.rows
        told: set[int] = set()
        for at in ((rows["family"] == 6) & (rows["protocol_lo"] == rows["protocol_hi"])).nonzero()[0].tolist():
            number = int(rows["protocol_lo"][at])
            source = self._filters.source(at)
            if number in _EXTENSION_HEADERS and isinstance(source, PolicyFilter) and int(rows["filter"][at]) not in told:
                told.add(int(rows["filter"][at]))
                self._say(
                    f"the kernel looks for another protocol behind IPv6 protocol {number}, an extension header: the filter "
                    "never matches",
                    source,
                    is_error=True,
                )
        self._wrapped()

    def _wrapped(self) -> None:
        """Say where ESP, which carries what is protected, is blocked: Linux shows it to its filters, Windows does not."""
        rows = self._filters.rows
        carriers = (rows["protocol_lo"] <= _ESP) & (rows["protocol_hi"] >= _ESP) & (rows["action"] == Action.BLOCK)
        blocks = carriers.nonzero()[0]
        for row in rows[rows["action"] == Action.PROTECT]:
            meets = rows["family"][blocks] == row["family"]
            for end in ("src", "dst"):
                meets &= ~_above(rows[f"{end}_lo"][blocks], row[f"{end}_hi"])
                meets &= ~_above(row[f"{end}_lo"], rows[f"{end}_hi"][blocks])
            if not meets.any():
                continue
            source = self._filters.source(int(blocks[meets.argmax()]))
            assert isinstance(source, PolicyFilter)  # exemptions block nothing
            self._say(
                f"rule {source.rule!r} blocks protocol 50 as well, and Linux shows its filters the ESP packets that carry what "
                "is protected: put rules that accept them at the top of the chains input and output",
                source,
            )
            return

    def _say(self, message: str, place: Any, *, is_error: bool = False) -> None:
        severity = Severity.ERROR if is_error else Severity.WARNING
        if isinstance(place, PolicyFilter):
            self._findings.append(Finding("PA421", message, place.filter.origin, place.rule, place.text, severity=severity))
        else:
            self._findings.append(Finding("PA421", message, place or NOWHERE, severity=severity))


def conditions(row: Any) -> str:
    """Return what a packet of the right direction, IP version and interface type must meet to be held by a row.

    Parameters
    ----------
    row : numpy.void of `pastore.filters.specific.ROW`
    """
    family = int(row["family"])
    parts = []
    for end in ("src", "dst"):
        addresses = _addresses(family, join(row[f"{end}_lo"]), join(row[f"{end}_hi"]))
        if addresses:
            parts.append(f"{_WORDS[family]} {end[0]}addr {addresses}")
    protocols = int(row["protocol_lo"]), int(row["protocol_hi"])
    transport = _PROTOCOLS.get(protocols[0], "") if protocols[0] == protocols[1] else ""
    ports = [
        f"{transport or 'th'} {end}port {_numbers(low, high)}"
        for end, low, high in ((end, int(row[f"{end}port_lo"]), int(row[f"{end}port_hi"])) for end in ("s", "d"))
        if (low, high) != (0, 65535)
    ]
    if protocols != (0, 255) and not (ports and transport):
        parts.append(f"meta l4proto {transport or _numbers(*protocols)}")
    return " ".join(parts + ports)


def _above(one: npt.NDArray[np.uint64], other: npt.NDArray[np.uint64]) -> npt.NDArray[np.bool_]:
    """Whether addresses are above others, of shape (n, 2) or (2,)."""
    higher: npt.NDArray[np.bool_] = (one[..., 0] > other[..., 0]) | (
        (one[..., 0] == other[..., 0]) & (one[..., 1] > other[..., 1])
    )
    return higher


def _addresses(family: int, low: int, high: int) -> str:
    kind = IPv4Address if family == 4 else IPv6Address
    size = high - low + 1
    if size == 1:
        return str(kind(low))
    if size & (size - 1) or low % size:
        return f"{kind(low)}-{kind(high)}"
    length = (32 if family == 4 else 128) - size.bit_length() + 1
    return f"{kind(low)}/{length}" if length else ""


def _numbers(low: int, high: int) -> str:
    return str(low) if low == high else f"{low}-{high}"


def _chain(way: int, family: int, interface: int | None) -> str:
    kind = "" if interface is None else ("_ras" if interface == RAS else "_lan")
    return f"{_WAYS[way]}_{_VERSIONS[family]}{kind}"


def _protect(name: str) -> Iterator[str]:
    """Yield the rules of a chain for packets that IPsec is to protect."""
    _, way, *options = name.split("_")
    yield "meta ipsec exists accept" if way == "in" else "rt ipsec exists accept"
    if way == "in" and "inpass" in options:
        yield "accept # clear text is accepted inbound"
    elif way == "out" and "soft" in options:
        yield "accept # clear text to those who do not answer IKE"
    else:
        if "soft" in options:
            yield "ct state established,related accept # answers of those who do not answer IKE"
        yield "counter drop"


def _comment(text: str) -> str:
    """Return a text that can stand in quotes and on one line: nft has no escapes there."""
    clean = printable(text).replace('"', "'").replace("\\", "/")
    return clean.encode("utf-8")[:_COMMENT].decode("utf-8", "ignore").strip()
