"""The policy store that a script works on: what its commands have made so far, and the policies that come of it."""

from dataclasses import dataclass, field
from typing import Final
from uuid import UUID, uuid5

from pastore.model import (
    NOWHERE,
    Action,
    Algorithm,
    AuthKind,
    AuthMethod,
    Filter,
    FilterAction,
    FilterList,
    InterfaceType,
    IPAddress,
    MainMode,
    MainModeMethod,
    Offer,
    Origin,
    Policy,
    Rule,
    Storage,
)
from pastore.sources.netsh.text import TooMuchError

_SPACE: Final = UUID("1c0d8a52-3f0e-5d43-9d4b-6a2f6f0d5a11")

KERBEROS: Final = (AuthMethod(AuthKind.KERBEROS),)
DEFAULT_METHODS: Final = ((3, 2, 2),)  # 3DES-SHA1-2
DEFAULT_OFFERS: Final = (Offer((Algorithm("esp", 3, 2),), lifetime_seconds=3600, lifetime_kilobytes=100_000),)
RESPONSE_OFFERS: Final = (Offer((Algorithm("esp", 3, 2),)), Offer((Algorithm("ah", 2),)))
WORK_LIMIT: Final = 5_000_000
DEFAULT_LIFETIME: Final = 480  # minutes
DEFAULT_POLLING: Final = 180  # minutes


def guid(kind: str, name: str, number: int = 0) -> UUID:
    """Return a GUID that depends on names only, and that sorts by the number among those of one name.

    Windows draws them at random. These are the same whenever the script is read, and ties between filters that are equally
    specific fall the way the script is written.
    """
    base = uuid5(_SPACE, f"{kind}\0{name.casefold()}").bytes
    return UUID(bytes=base[:10] + number.to_bytes(6, "big"))


def key(name: str) -> str:
    """Return what names have in common that mean the same object."""
    return name.casefold()


@dataclass(slots=True, eq=False)
class ListNode:
    """A filter list."""

    name: str
    description: str = ""
    filters: list[Filter] = field(default_factory=list)
    origin: Origin = NOWHERE
    section: str = ""
    made: int = 0  # filters that were ever in it

    def frozen(self) -> FilterList:
        """Return the list as part of a policy."""
        return FilterList(guid("list", self.name), self.name, tuple(self.filters), self.description, origin=self.origin)


@dataclass(slots=True, eq=False)
class ActionNode:
    """A filter action."""

    name: str
    description: str = ""
    action: Action = Action.PROTECT
    pfs: bool = False
    inpass: bool = False
    soft: bool = False
    offers: tuple[Offer, ...] | None = None  # None for those netsh takes by default
    origin: Origin = NOWHERE
    section: str = ""

    def frozen(self) -> FilterAction:
        """Return the action as part of a policy."""
        return FilterAction(
            guid("action", self.name),
            self.name,
            self.action,
            self.inpass,
            self.soft,
            with_pfs(self.offers or DEFAULT_OFFERS, self.pfs) if self.action is Action.PROTECT else (),
            self.description,
            origin=self.origin,
        )


def with_pfs(offers: tuple[Offer, ...], pfs: bool) -> tuple[Offer, ...]:
    """Return offers that all have perfect forward secrecy, or all do not."""
    return tuple(Offer(offer.algorithms, offer.lifetime_seconds, offer.lifetime_kilobytes, pfs) for offer in offers)


@dataclass(slots=True, eq=False)
class RuleNode:
    """A rule."""

    name: str
    filter_list: ListNode
    filter_action: ActionNode
    description: str = ""
    tunnel: tuple[IPAddress | None, str] | None = None
    interface_type: InterfaceType = InterfaceType.ALL
    active: bool = True
    auth_methods: tuple[AuthMethod, ...] = KERBEROS
    origin: Origin = NOWHERE
    section: str = ""
    number: int = 0

    def same_as(self, other: "RuleNode") -> bool:
        """Whether two rules do the same."""
        return (
            self.filter_list is other.filter_list
            and self.filter_action is other.filter_action
            and self.tunnel == other.tunnel
            and self.interface_type is other.interface_type
            and self.active == other.active
            and self.auth_methods == other.auth_methods
        )

    def frozen(self, policy: str) -> Rule:
        """Return the rule as part of a policy."""
        address, name = self.tunnel or (None, "")
        return Rule(
            guid("rule", policy, self.number),
            self.name,
            self.description,
            self.active,
            (self.filter_list.frozen(),),
            self.filter_action.frozen(),
            interface_type=self.interface_type,
            tunnel=address,
            is_tunnel=self.tunnel is not None,
            tunnel_name=name,
            auth_methods=self.auth_methods,
            origin=self.origin,
        )


@dataclass(slots=True, eq=False)
class ResponseNode:
    """The default response rule."""

    active: bool
    pfs: bool = False
    offers: tuple[Offer, ...] = RESPONSE_OFFERS
    auth_methods: tuple[AuthMethod, ...] = KERBEROS
    origin: Origin = NOWHERE

    def frozen(self, policy: str, number: int) -> Rule:
        """Return the rule as part of a policy."""
        action = FilterAction(
            guid("response", policy),
            "",
            Action.PROTECT,
            offers=with_pfs(self.offers, self.pfs),
            default_response=True,
            origin=self.origin,
        )
        return Rule(
            guid("rule", policy, number),
            active=self.active,
            filter_action=action,
            default_response=True,
            auth_methods=self.auth_methods,
            origin=self.origin,
        )


@dataclass(slots=True, eq=False)
class PolicyNode:
    """A policy."""

    name: str
    description: str = ""
    pfs: bool = False
    limit: int = 0
    lifetime: int = DEFAULT_LIFETIME  # minutes
    polling: int = DEFAULT_POLLING  # minutes
    methods: tuple[tuple[int, int, int], ...] = DEFAULT_METHODS  # encryption, hash, group
    assigned: bool = False
    response: ResponseNode | None = None
    rules: dict[str, RuleNode] = field(default_factory=dict)  # by key
    origin: Origin = NOWHERE
    section: str = ""
    made: int = 0  # rules that were ever in it

    def in_order(self) -> list[RuleNode]:
        """Return the rules in the order in which they were made."""
        return sorted(self.rules.values(), key=lambda rule: rule.number)

    def frozen(self, default_exempt: int | None) -> Policy:
        """Return the policy."""
        seconds = self.lifetime * 60
        main_mode = MainMode(
            guid("main mode", self.name),
            pfs=self.pfs,
            lifetime_seconds=seconds,
            quick_mode_limit=self.limit,
            methods=tuple(MainModeMethod(*method, seconds, 0, self.limit) for method in self.methods),
            origin=self.origin,
        )
        rules = [rule.frozen(self.name) for rule in self.rules.values()]
        if self.response is not None:
            rules.append(self.response.frozen(self.name, self.made + 1))
        return Policy(
            guid("policy", self.name),
            self.name,
            self.description,
            tuple(sorted(rules, key=lambda rule: rule.guid.int)),
            main_mode,
            self.polling * 60,
            Storage.MEMORY,
            self.assigned,
            default_exempt,
            origin=self.origin,
        )


@dataclass(slots=True, eq=False)
class Store:
    """The local store, or that of a domain."""

    location: str = "local"
    policies: dict[str, PolicyNode] = field(default_factory=dict)
    lists: dict[str, ListNode] = field(default_factory=dict)
    actions: dict[str, ActionNode] = field(default_factory=dict)
    work: int = 0

    def spend(self, count: int) -> None:
        """Count what is looked through: a command that looks through everything may come a hundred thousand times.

        Raises
        ------
        TooMuchError
        """
        self.work += count
        if self.work > WORK_LIMIT:
            raise TooMuchError("the commands look through too much")

    def rules(self) -> list[RuleNode]:
        """Return the rules of all policies."""
        self.spend(sum(len(policy.rules) for policy in self.policies.values()) + len(self.policies))
        return [rule for policy in self.policies.values() for rule in policy.rules.values()]

    def assign(self, policy: PolicyNode) -> None:
        """Make a policy the only one that is assigned."""
        self.spend(len(self.policies))
        for other in self.policies.values():
            other.assigned = other is policy
