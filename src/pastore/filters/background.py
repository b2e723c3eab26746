"""What stands behind the rows of a policy: all that is needed to say why one filter goes before another.

A matcher knows rows only. An explanation also needs their weights, the filters that could not be added, the rules that are not
active and the names of all rules; a compiled table keeps these, so that it explains itself without the policy.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from ipaddress import IPv4Network, IPv6Network
from typing import Any, Final, NamedTuple

import numpy as np
import numpy.typing as npt

from pastore.filters.expand import Expansion, Failure, expand
from pastore.filters.host import Host
from pastore.filters.specific import ROW, SpecificFilters
from pastore.filters.weight import ORDERS, Order
from pastore.findings import Finding
from pastore.model import Action, Policy

# One for each row. `rule` is the position of its rule in `Background.rules`, -1 for a default exemption; those come before every
# weight and have zeros.
WEIGHT: Final = np.dtype([("address_bits", np.uint16), ("protocol_set", np.uint8), ("ports_set", np.uint8), ("rule", np.int32)])


class Weight(NamedTuple):
    """How specific a row is, and what it does."""

    address_bits: int
    protocol_set: bool
    ports_set: int
    action: Action


@dataclass(frozen=True, slots=True)
class Background:
    """What stands behind the rows of a policy.

    Parameters
    ----------
    policy : str
        Its name.
    order : str, optional
        Name of the order in which filters are tried; None for a caller's own.
    filters : int
        How many different filters the policy holds.
    rules : tuple of (str, str)
        GUID and label of every rule, inactive ones too.
    me : tuple of network
        The local addresses the policy was expanded for.
    weights : numpy.ndarray of `WEIGHT`, shape (n,)
        One for each row.
    failures : tuple of Failure
        Filters that could not be added.
    idle : SpecificFilters
        The rows that rules that are not active would give.
    reading, analysed : tuple of Finding
        What reading the source and analysing the policy said, beside what expanding it did.
    """

    policy: str
    order: str | None
    filters: int
    rules: tuple[tuple[str, str], ...]
    me: tuple[IPv4Network | IPv6Network, ...]
    weights: npt.NDArray[np.void]
    failures: tuple[Failure, ...]
    idle: SpecificFilters
    reading: tuple[Finding, ...] = ()
    analysed: tuple[Finding, ...] = ()

    def called(self, name: str) -> list[int]:
        """Return the rules of a name or GUID, as positions in `rules`; where there is none of that very name, in any case."""
        bare = name.strip("{} ").lower()
        exact = [at for at, (guid, label) in enumerate(self.rules) if label == name or guid == bare]
        return exact or [at for at, (_, label) in enumerate(self.rules) if label.casefold() == name.casefold()]

    def weight(self, filters: SpecificFilters, index: int) -> Weight:
        """Return the weight of row `index` of the policy's `filters`."""
        bits, protocol, ports, _ = self.weights[index].item()
        return Weight(bits, bool(protocol), ports, Action(int(filters.rows["action"][index])))


def weights_of(policy: Policy, expansion: Expansion) -> npt.NDArray[np.void]:
    """Return the weights of the rows of an expansion of a policy, read-only, shape (n,)."""
    places = {rule.guid: at for at, rule in enumerate(policy.rules)}
    exempt = (0, 0, 0, -1)
    weights = np.array(
        [(row.address_bits, row.protocol_set, row.ports_set, places[row.rule]) if row else exempt for row in expansion.specific],
        WEIGHT,
    )
    weights.flags.writeable = False
    return weights


def background_of(
    policy: Policy,
    host: Host,
    weights: npt.NDArray[np.void],
    failures: tuple[Failure, ...],
    *,
    order: Order,
    target: str,
    reading: Sequence[Finding] = (),
    analysed: Sequence[Finding] = (),
) -> Background:
    """Return the background of a policy that was expanded with these arguments and gave these weights and failures."""
    return Background(
        policy.name,
        next((name for name, known in ORDERS.items() if known is order), None),
        count_filters(policy),
        tuple((str(rule.guid), rule.label) for rule in policy.rules),
        tuple(host.networks()),
        weights,
        failures,
        idle_rows(policy, host, target),
        tuple(reading),
        tuple(analysed),
    )


def count_filters(policy: Policy) -> int:
    """Return how many different filters a policy holds."""
    lists = {filter_list.guid: filter_list for rule in policy.rules for filter_list in rule.filter_lists}
    return sum(len(filter_list.filters) for filter_list in lists.values())


def idle_rows(policy: Policy, host: Host, target: str) -> SpecificFilters:
    """Return the rows that the rules that are not active would give if they were, without default exemptions."""
    idle = tuple(replace(rule, active=True) for rule in policy.rules if not rule.active and not rule.default_response)
    if not idle:
        return SpecificFilters(np.zeros(0, ROW))
    expansion = expand(replace(policy, rules=idle), host, target=target, default_exempt=3)
    exempt: Any = expansion.filters.rows["exempt"]
    return SpecificFilters(expansion.filters.rows[exempt == 0], expansion.filters.sources)
