"""From generic filters to specific ones.

Order of the steps: validate the rule, validate the filter, mirror, substitute ``me`` and the servers, direction, interface type,
weigh, refuse what exists already. What cannot be applied is a `Failure` and a Finding; the rest of the policy stays as it is.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from pastore.filters import specific as rows_of
from pastore.filters.exemptions import DEFAULT, Exemption, ExemptRow, exempt_rows
from pastore.filters.host import UNKNOWN_HOST, Host
from pastore.filters.specific import ROW, FilterSource, SpecificFilters
from pastore.filters.text import address_text, filter_text, ip_text, prefix_length
from pastore.filters.weight import Order, SpecificFilter, range_bits, weight
from pastore.findings import Finding
from pastore.model import (
    NO_GUID,
    Action,
    Address,
    AddressKind,
    Filter,
    FilterList,
    InterfaceType,
    IPAddress,
    Origin,
    Policy,
    Rule,
)
from pastore.packets.names import protocol_name

TARGETS: Final = ("2000", "xp", "2003", "vista")
_PRODUCTS: Final = {"2000": "Windows 2000", "xp": "Windows XP", "2003": "Windows Server 2003"}
_TCP_UDP: Final = (6, 17)
_ANY_PORTS: Final = (0, 65535)
_INTERFACES: Final = {
    InterfaceType.LAN: rows_of.LAN,
    InterfaceType.RAS: rows_of.RAS,
    InterfaceType.ALL: rows_of.ALL,
}


@dataclass(frozen=True, slots=True)
class PolicyFilter:
    """The generic filter a row came from, with the rule and the filter list it stands in."""

    node: Rule
    filter_list: FilterList
    filter: Filter

    @property
    def rule(self) -> str:
        """Label of the rule."""
        return self.node.label

    @property
    def text(self) -> str:
        """The filter in one line."""
        return filter_text(self.filter)

    @property
    def tunnel(self) -> str | None:
        """Tunnel endpoint."""
        endpoint = self.node.tunnel or self.filter.tunnel
        return str(endpoint) if endpoint else None

    @property
    def place(self) -> str:
        """Where it was read."""
        return _place(self.filter.origin)

    def as_dict(self) -> dict[str, Any]:
        """Return the JSON form."""
        return {
            "text": self.text,
            "guid": f"{{{self.filter.guid}}}",
            "list": self.filter_list.name,
            "src": address_text(self.filter.src),
            "dst": address_text(self.filter.dst),
            "protocol": self.filter.protocol,
            "sport": [self.filter.sport.low, self.filter.sport.high],
            "dport": [self.filter.dport.low, self.filter.dport.high],
            "mirrored": self.filter.mirrored,
            "description": self.filter.description,
            "source": self.filter.origin.source,
            "locator": self.filter.origin.locator,
            "line": self.filter.origin.line,
        }


@dataclass(frozen=True, slots=True)
class Failure:
    """A filter that could not be added."""

    rule: str
    filter: str
    win32: int


@dataclass(frozen=True, slots=True)
class Expansion:
    """What expanding gives.

    Parameters
    ----------
    filters : SpecificFilters
        Exemptions first, then the policy's rows in the order tried.
    specific : tuple of SpecificFilter or None
        The rows with their weights, one for each of `filters`; None for an exemption.
    findings : tuple of Finding
    failures : tuple of Failure
        Every generic filter that could not be added, with the Win32 code.
    applied_rules, failed_rules : tuple of str
        Labels of rules that gave at least one row, and of rules of which something failed.
    default_exempt : int
        The NoDefaultExempt value that was taken, 0 to 3.
    """

    filters: SpecificFilters
    specific: tuple[SpecificFilter | None, ...]
    findings: tuple[Finding, ...]
    failures: tuple[Failure, ...]
    applied_rules: tuple[str, ...]
    failed_rules: tuple[str, ...]
    default_exempt: int


def expand(
    policy: Policy,
    host: Host = UNKNOWN_HOST,
    *,
    order: Order = weight,
    target: str = "vista",
    default_exempt: int | None = None,
) -> Expansion:
    """Expand a policy into specific filters in the order they are to be tried.

    Parameters
    ----------
    policy : Policy
    host : Host
        Who ``me`` is.
    order : callable
        Sort key of a `SpecificFilter`; see `pastore.filters.weight`.
    target : {"vista", "2003", "xp", "2000"}
        Version of Windows the policy is for; "vista" means that and later.
    default_exempt : int, optional
        NoDefaultExempt, 0 to 3; the policy's own when left out, else 3.

    Raises
    ------
    ValueError
        If target or default_exempt are none of these.
    """
    if target not in TARGETS:
        raise ValueError(f"target {target!r} is none of {', '.join(TARGETS)}")
    if default_exempt is not None and default_exempt not in (0, 1, 2, 3):
        raise ValueError(f"default_exempt must be 0 to 3, not {default_exempt!r}")
    return _Expander(policy, host, target).run(order, default_exempt)


class _Expander:
    def __init__(self, policy: Policy, host: Host, target: str) -> None:
        self.policy = policy
        self.host = host
        self.target = target
        self.findings: list[Finding] = []
        self.failures: list[Failure] = []
        self.sources: list[FilterSource] = []
        self.failed_rules: dict[str, None] = {}
        self.listed = 0  # rows produced

    def run(self, order: Order, default_exempt: int | None) -> Expansion:
        exempt_value = self._default_exempt(default_exempt)
        exempt = exempt_rows(exempt_value, self.host, (4, 6) if self.target == "vista" else (4,))
        exemptions = {kind: at for at, kind in enumerate(dict.fromkeys(row.kind for row in exempt))}
        self.sources.extend(Exemption(kind) for kind in exemptions)
        produced: list[SpecificFilter] = []
        for rule in self.policy.rules:
            produced.extend(self._rule(rule))
        produced.sort(key=order)
        rows = self._refuse_existing(produced)
        array = np.zeros(len(exempt) + len(rows), ROW)
        _fill(array, [*(_exempt(each, exemptions[each.kind]) for each in exempt), *rows])
        array["exempt"][: len(exempt)] = [rows_of.EXEMPTIONS.index(each.kind) for each in exempt]
        applied = {self._rule_of(row.source): None for row in rows}
        return Expansion(
            SpecificFilters(array, self.sources),
            (*(None for _ in exempt), *rows),
            tuple(self.findings),
            tuple(self.failures),
            tuple(applied),
            tuple(self.failed_rules),
            exempt_value,
        )

    def _find(self, code: str, message: str, origin: Origin, rule: Rule | None = None, filter_: Filter | None = None) -> Finding:
        finding = Finding(
            code,
            message,
            origin,
            rule=rule.label if rule else None,
            filter=filter_text(filter_) if filter_ else None,
        )
        self.findings.append(finding)
        return finding

    def _fail(self, finding: Finding, rule: Rule, filters: Sequence[Filter]) -> None:
        self.failed_rules[rule.label] = None
        self.failures.extend(Failure(rule.label, filter_text(filter_), finding.win32 or 0) for filter_ in filters)

    def _rule_of(self, source: int) -> str:
        return self.sources[source].rule or ""

    def _default_exempt(self, given: int | None) -> int:
        value = given if given is not None else self.policy.default_exempt
        if value is None:
            value = DEFAULT
            self._find(
                "PA401",
                "the source has no NoDefaultExempt: 3 is assumed, so only ISAKMP and inbound multicast and broadcast are exempt",
                self.policy.origin,
            )
        elif value not in (0, 1, 2, 3):
            self._find("PA404", f"NoDefaultExempt is {value}, which is none of 0 to 3: 3 is taken", self.policy.origin)
            value = 3
        elif value > 1 and self.target in ("2000", "xp"):
            self._find(
                "PA404", f"{_PRODUCTS[self.target]} knows NoDefaultExempt 0 and 1 only: {value} is taken as 1", self.policy.origin
            )
            value = 1
        return value

    # Rules

    def _rule(self, rule: Rule) -> Iterator[SpecificFilter]:
        if not rule.active:
            self._find("PA301", f"rule {rule.label!r} is not active", rule.origin, rule)
            return
        if rule.default_response:
            if self.target == "vista":
                self._find(
                    "PA302", "the default response rule is active, but Windows Vista and later ignore it", rule.origin, rule
                )
            return
        filters = [(filter_list, filter_) for filter_list in rule.filter_lists for filter_ in filter_list.filters]
        broken = self._rule_fault(rule)
        if broken:
            self._fail(broken, rule, [filter_ for _, filter_ in filters])
            return
        for name in rule.missing:
            # The other filter lists of the rule still apply; what this one held cannot be known.
            missing = self._find("PA202", f"rule {rule.label!r} refers to {name}, which is not there", rule.origin, rule)
            self._fail(missing, rule, [])
        for filter_list in rule.filter_lists:
            if not filter_list.filters:
                self._find("PA310", f"filter list {filter_list.name!r} is empty", filter_list.origin, rule)
        for filter_list, filter_ in filters:
            yield from self._filter(rule, filter_list, filter_)

    def _rule_fault(self, rule: Rule) -> Finding | None:
        action = rule.filter_action
        if action is None:
            return self._find("PA201", f"rule {rule.label!r} has no filter action", rule.origin, rule)
        if action.action is Action.NONE:
            return self._find("PA205", f"filter action {action.name!r} is none of permit, block, negotiate", action.origin, rule)
        if action.action is Action.PROTECT:
            if not action.offers:
                return self._find("PA209", f"filter action {action.name!r} has no security method", action.origin, rule)
            if not rule.auth_methods:
                return self._find("PA213", f"rule {rule.label!r} has no authentication method", rule.origin, rule)
        if rule.is_tunnel and rule.tunnel is None:
            return self._find("PA210", f"rule {rule.label!r} is a tunnel rule without an endpoint", rule.origin, rule)
        return None

    # Filters

    def _filter(self, rule: Rule, filter_list: FilterList, filter_: Filter) -> Iterator[SpecificFilter]:
        if filter_.version == 2 and self.target != "vista":
            self._find("PA307", f"{_PRODUCTS[self.target]} does not read version 2 filters", filter_.origin, rule, filter_)
            return
        fault = self._filter_fault(rule, filter_)
        if fault:
            self._fail(fault, rule, [filter_])
            return
        self._filter_remarks(rule, filter_)
        source = len(self.sources)
        self.sources.append(PolicyFilter(rule, filter_list, filter_))
        tunnel = rule.tunnel or filter_.tunnel
        pairs = unlocal = 0
        seen = set()
        for copy in self._copies(filter_):
            for row in self._substitute(rule, copy, source, tunnel, mirrored=copy is not filter_):
                pairs += 1
                if row is None:
                    unlocal += 1
                    continue
                conditions = row.conditions
                if conditions not in seen:  # a mirrored any > any is its own mirror image
                    seen.add(conditions)
                    self.listed += 1
                    yield row
        if pairs == unlocal and not self._unknown_servers(rule, filter_):
            self._find(
                "PA308", "no address of this computer is at either end: the filter never matches", filter_.origin, rule, filter_
            )

    def _filter_fault(self, rule: Rule, filter_: Filter) -> Finding | None:
        def fault(code: str, message: str) -> Finding:
            return self._find(code, message, filter_.origin, rule, filter_)

        src, dst = filter_.src, filter_.dst
        for end, address in (("source", src), ("destination", dst)):
            family = address.families[0]
            if address.kind is AddressKind.SUBNET and prefix_length(address.high, family) is None:
                return fault("PA203", f"the {end} mask {ip_text(family, address.high)} is not contiguous")
            if address.kind is AddressKind.RANGE and address.low > address.high:
                return fault("PA204", f"the {end} range {address_text(address)} runs backwards")
            if address.dns_name and address.kind in (AddressKind.ANY, AddressKind.ME):
                return fault("PA207", f"the {end} is the DNS name {address.dns_name!r}, stored without an address")
        for end, address, other in (("source", src, dst), ("destination", dst, src)):
            if address.kind.is_server and other.kind is not AddressKind.ME:
                return fault("PA208", f"the {end} is {address_text(address)}, so the other end must be me")
        if not set(src.families) & set(dst.families):
            return fault("PA206", "one end is IPv4, the other IPv6")
        if not 0 <= filter_.protocol <= 255:
            return fault("PA214", f"protocol {filter_.protocol} is not 0 to 255")
        for end, ports in (("source", filter_.sport), ("destination", filter_.dport)):
            if filter_.protocol in _TCP_UDP and ports.low > ports.high:
                return fault("PA204", f"the {end} port range {ports.low}-{ports.high} runs backwards")
        return None

    def _filter_remarks(self, rule: Rule, filter_: Filter) -> None:
        for end, address in (("source", filter_.src), ("destination", filter_.dst)):
            if address.kind is AddressKind.SUBNET and address.low & ~address.high:
                family = address.families[0]
                network = f"{ip_text(family, address.low & address.high)}/{prefix_length(address.high, family)}"
                message = f"the {end} {address_text(address)} has bits outside its mask: {network} is taken"
                self._find("PA304", message, filter_.origin, rule, filter_)
        if filter_.protocol not in _TCP_UDP and not (filter_.sport.is_any and filter_.dport.is_any):
            name = protocol_name(filter_.protocol) if filter_.protocol else "any protocol"
            self._find("PA303", f"ports have no meaning for {name}: they are ignored", filter_.origin, rule, filter_)
        if filter_.mirrored and (rule.tunnel or filter_.tunnel):
            self._find(
                "PA311",
                "the filter of a tunnel rule is mirrored: its copy for the other direction uses the same endpoint",
                filter_.origin,
                rule,
                filter_,
            )

    def _unknown_servers(self, rule: Rule, filter_: Filter) -> bool:
        for address in (filter_.src, filter_.dst):
            if address.kind.is_server and not any(self.host.server(address.kind, family) for family in address.families):
                name = address_text(address)
                self._find(
                    "PA402", f"the addresses of {name} are not given: the filter matches nothing", filter_.origin, rule, filter_
                )
                return True
        return False

    @staticmethod
    def _copies(filter_: Filter) -> Iterator[Filter]:
        yield filter_
        if filter_.mirrored:
            # What is left out means nothing here, and there may be a hundred thousand of them.
            yield Filter(filter_.guid, filter_.dst, filter_.src, filter_.protocol, filter_.dport, filter_.sport)

    def _substitute(
        self, rule: Rule, filter_: Filter, source: int, tunnel: IPAddress | None, *, mirrored: bool
    ) -> Iterator[SpecificFilter | None]:
        """Yield the rows of a filter or of its mirror image, None for one that no packet of this computer can meet."""
        action = rule.filter_action
        if action is None:
            return
        with_ports = filter_.protocol in _TCP_UDP
        sport = (filter_.sport.low, filter_.sport.high) if with_ports else _ANY_PORTS
        dport = (filter_.dport.low, filter_.dport.high) if with_ports else _ANY_PORTS
        flags = (
            (rows_of.INPASS if action.inpass else 0)
            | (rows_of.SOFT if action.soft else 0)
            | (rows_of.MIRRORED if mirrored else 0)
        )
        for family in (4, 6):
            if family not in filter_.src.families or family not in filter_.dst.families:
                continue
            for src, src_bits in self._ranges(filter_.src, family):
                for dst, dst_bits in self._ranges(filter_.dst, family):
                    direction = self._direction(filter_, family, src, dst, tunnel)
                    if direction is None:
                        yield None
                        continue
                    yield SpecificFilter(
                        source=source,
                        listed=self.listed,
                        family=family,
                        src=src,
                        dst=dst,
                        protocol=(filter_.protocol, filter_.protocol) if filter_.protocol else (0, 255),
                        sport=sport,
                        dport=dport,
                        direction=direction,
                        interface=_INTERFACES[rule.interface_type],
                        action=action.action,
                        flags=flags,
                        address_bits=src_bits + dst_bits,
                        protocol_set=filter_.protocol != 0,
                        ports_set=(sport != _ANY_PORTS) + (dport != _ANY_PORTS),
                        rule=rule.guid,
                        filter=filter_.guid,
                        mirrored_copy=mirrored,
                    )

    def _ranges(self, address: Address, family: int) -> list[tuple[tuple[int, int], int]]:
        """Return the ranges one end stands for in a family, each with the bits it fixes."""
        width = 32 if family == 4 else 128
        every = (0, (1 << width) - 1)
        if address.kind is AddressKind.ANY:
            return [(every, 0)]
        if address.kind is AddressKind.ME:
            return [(local, width) for local in self.host.local(family)] if self.host.me else [(every, width)]
        if address.kind is AddressKind.SUBNET:
            low = address.low & address.high
            return [((low, low | every[1] ^ address.high), width - (every[1] ^ address.high).bit_length())]
        if address.kind is AddressKind.RANGE:
            return [((address.low, address.high), range_bits(address.low, address.high, family))]
        return [(server, width) for server in self.host.server(address.kind, family)]

    def _direction(
        self, filter_: Filter, family: int, src: tuple[int, int], dst: tuple[int, int], tunnel: IPAddress | None
    ) -> int | None:
        """Return in, out or both; None for a transport filter that no packet of this computer can meet."""
        if tunnel and self.host.me:
            # The endpoint of a tunnel rule is this computer inbound and the other gateway outbound.
            return rows_of.IN if self.host.is_local(tunnel.version, int(tunnel), int(tunnel)) else rows_of.OUT
        inbound, outbound = True, True
        if self.host.me:
            inbound = self.host.is_local(family, *dst)
            outbound = self.host.is_local(family, *src)
        elif (filter_.src.kind is AddressKind.ME) != (filter_.dst.kind is AddressKind.ME):
            inbound = filter_.dst.kind is AddressKind.ME
            outbound = not inbound
        if inbound and outbound:
            return rows_of.BOTH
        if inbound or outbound:
            return rows_of.IN if inbound else rows_of.OUT
        return None

    # The whole

    def _refuse_existing(self, produced: list[SpecificFilter]) -> list[SpecificFilter]:
        """Drop rows whose conditions exist already; a filter that repeats another as written has failed."""
        holder: dict[Any, SpecificFilter] = {}
        kept: list[SpecificFilter] = []
        lost: dict[int, SpecificFilter] = {}
        repeated: set[int] = set()
        for row in produced:
            key = (*row.conditions, self.sources[row.source].tunnel)
            first = holder.setdefault(key, row)
            if first is row:
                kept.append(row)
                continue
            lost.setdefault(row.source, first)
            if not row.mirrored_copy and not first.mirrored_copy:
                repeated.add(row.source)
        left = {row.source for row in kept}
        for source, first in sorted(lost.items(), key=lambda item: item[0]):
            entry, existing = self.sources[source], self.sources[first.source]
            assert isinstance(entry, PolicyFilter)
            assert isinstance(existing, PolicyFilter)
            where = f"of rule {existing.rule!r}" + (f" ({existing.place})" if existing.place else "")
            if source in repeated and source not in left:
                code = "PA212" if entry.tunnel else "PA211"
                found = self._find(
                    code,
                    f"a filter {where} has the same conditions: this one is not added",
                    entry.filter.origin,
                    entry.node,
                    entry.filter,
                )
                self._fail(found, entry.node, [entry.filter])
                continue
            what = "one direction of it has the conditions" if source in left else "it is the mirror image"
            message = f"{what} of filter {existing.text} {where}, which comes first and decides"
            self._find("PA313", message, entry.filter.origin, entry.node, entry.filter)
        return kept


def _place(origin: Origin) -> str:
    return str(origin) if origin.source else origin.locator


def _fill(array: npt.NDArray[np.void], rows: Sequence[SpecificFilter]) -> None:
    """Write the rows into the array, column by column."""
    for field in ("src", "dst"):
        for end, name in enumerate(("lo", "hi")):
            addresses = [getattr(row, field)[end] for row in rows]
            words = array[f"{field}_{name}"]
            words[:, 0] = [address >> 64 for address in addresses]
            words[:, 1] = [address & 0xFFFFFFFFFFFFFFFF for address in addresses]
    for field in ("protocol", "sport", "dport"):
        for end, name in enumerate(("lo", "hi")):
            array[f"{field}_{name}"] = [getattr(row, field)[end] for row in rows]
    for field in ("family", "direction", "interface", "action", "flags"):
        array[field] = [getattr(row, field) for row in rows]
    array["rank"] = np.arange(len(rows))
    array["filter"] = [row.source for row in rows]


def _exempt(row: ExemptRow, source: int) -> SpecificFilter:
    width = 32 if row.family == 4 else 128
    return SpecificFilter(
        source=source,
        listed=0,
        family=row.family,
        src=(0, (1 << width) - 1),
        dst=row.dst,
        protocol=row.protocol,
        sport=row.sport,
        dport=row.dport,
        direction=row.direction,
        interface=rows_of.ALL,
        action=Action.ALLOW,
        flags=0,
        address_bits=0,
        protocol_set=False,
        ports_set=0,
        rule=NO_GUID,
        filter=NO_GUID,
        mirrored_copy=False,
    )
