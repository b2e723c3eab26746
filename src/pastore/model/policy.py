"""The policy as Windows means it: an immutable tree with an Origin on every node.

Policy -> Rule -> FilterList -> Filter and Rule -> FilterAction -> Offer. Names are those of the IP Security Policies snap-in;
the stored form ([MS-GPIPSEC] 2.2.1) is the business of `pastore.ipsecdata`. Comparing two nodes ignores where they were read, and
when the store wrote them: `when_changed` is what the policy tools noted, `written` what the registry itself did, both in seconds
since 1970-01-01 UTC. Whoever changes a policy by other means changes only the latter.
"""

from dataclasses import dataclass, field
from enum import Enum, IntEnum
from ipaddress import IPv4Address, IPv6Address
from uuid import UUID

from pastore.model.origin import NOWHERE, Origin
from pastore.model.secret import Secret

IPAddress = IPv4Address | IPv6Address

NO_GUID = UUID(int=0)


WRITING_TAKES = 2  # seconds between the time the policy tools note and that of the key


def was_written_otherwise(when_changed: int | None, written: int | None) -> bool:
    """Whether the time of a key says something else than the time that the policy tools noted in it, or they noted none."""
    return written is not None and (when_changed is None or abs(written - when_changed) > WRITING_TAKES)


class Action(IntEnum):
    """What happens to a packet. The numbers are those of verdict arrays."""

    NONE = 0
    ALLOW = 1
    BLOCK = 2
    PROTECT = 3

    def __str__(self) -> str:
        return self.name.lower()


class Storage(Enum):
    """Which of the policy agent's three storages a policy was found in; MEMORY for one built by hand or read from a script."""

    LOCAL = "local"
    CACHE = "cache"
    DIRECTORY = "directory"
    MEMORY = "memory"


class InterfaceType(Enum):
    """The connection type of a rule ([MS-GPIPSEC] 2.2.1.3, Interface-Type)."""

    ALL = "all"
    LAN = "lan"
    RAS = "ras"


class AddressKind(Enum):
    """What an end of a filter names.

    The four server kinds are evaluated by the machine whenever its configuration changes; the other end must be ``me``.
    """

    ANY = "any"
    ME = "me"
    SUBNET = "subnet"
    RANGE = "range"
    DNS_SERVER = "dns"
    WINS_SERVER = "wins"
    DHCP_SERVER = "dhcp"
    GATEWAY = "gateway"

    @property
    def is_server(self) -> bool:
        """Whether this is one of the four server kinds."""
        return self in (
            AddressKind.DNS_SERVER,
            AddressKind.WINS_SERVER,
            AddressKind.DHCP_SERVER,
            AddressKind.GATEWAY,
        )


@dataclass(frozen=True, slots=True)
class Address:
    """One end of a filter, as written.

    Parameters
    ----------
    kind : AddressKind
        Single hosts are SUBNET with a mask of all ones.
    families : tuple of int
        The IP versions it stands for: (4,), (6,) or, for any, me and the server kinds of version 2 filters, (4, 6).
    low : int
        SUBNET: the address as written, host bits included. RANGE: the first address. Otherwise 0.
    high : int
        SUBNET: the mask as an integer, all ones for a host (not necessarily contiguous: it is what the file says).
        RANGE: the last address (not necessarily above the first). Otherwise 0.
    dns_name : str
        The DNS name the administrator typed, when the address was obtained by resolving one; else empty.
    """

    kind: AddressKind
    families: tuple[int, ...] = (4,)
    low: int = 0
    high: int = 0
    dns_name: str = ""


@dataclass(frozen=True, slots=True)
class Ports:
    """An inclusive port range; 0 to 65535 means any."""

    low: int = 0
    high: int = 65535

    @property
    def is_any(self) -> bool:
        """Whether every port is meant."""
        return self.low == 0 and self.high == 65535


ANY_PORT = Ports()


@dataclass(frozen=True, slots=True)
class Filter:
    """A generic filter: conditions as the administrator wrote them, before mirroring and substitution.

    Parameters
    ----------
    guid : UUID
    src, dst : Address
    protocol : int
        IP protocol number, 0 for any.
    sport, dport : Ports
    mirrored : bool
        Whether the same filter with both ends exchanged applies too.
    description : str
    version : int
        1 or 2: the section of the ipsecFilter blob it came from. Version 2 is understood by Windows Vista and later.
    tunnel : IPAddress, optional
        Tunnel endpoint stored with the filter itself (version 1 only); the rule's is `Rule.tunnel`.
    origin : Origin
    """

    guid: UUID
    src: Address
    dst: Address
    protocol: int = 0
    sport: Ports = ANY_PORT
    dport: Ports = ANY_PORT
    mirrored: bool = True
    description: str = ""
    version: int = 1
    tunnel: IPAddress | None = None
    origin: Origin = field(default=NOWHERE, compare=False)


@dataclass(frozen=True, slots=True)
class FilterList:
    """A named list of filters (ipsecFilter object)."""

    guid: UUID
    name: str
    filters: tuple[Filter, ...] = ()
    description: str = ""
    when_changed: int | None = None  # seconds since 1970-01-01 UTC
    origin: Origin = field(default=NOWHERE, compare=False)
    written: int | None = field(default=None, compare=False)


@dataclass(frozen=True, slots=True)
class Algorithm:
    """One algorithm of an offer, numbers as stored ([MS-GPIPSEC] 2.2.1.4.1).

    `transform` is "ah" or "esp". `integrity` is meaningful for ESP only. Unknown numbers are kept.
    """

    transform: str
    algorithm: int
    integrity: int = 0


@dataclass(frozen=True, slots=True)
class Offer:
    """A quick mode security method. No algorithms at all is the marker for "fall back to clear"."""

    algorithms: tuple[Algorithm, ...] = ()
    lifetime_seconds: int = 0
    lifetime_kilobytes: int = 0
    pfs: bool = False


@dataclass(frozen=True, slots=True)
class FilterAction:
    """A filter action (ipsecNegotiationPolicy object).

    Parameters
    ----------
    guid : UUID
    name : str
    action : Action
        ALLOW, BLOCK or PROTECT; NONE when the stored action GUID is not one of the four that are defined.
    inpass : bool
        Accept unsecured communication inbound, but always respond using IPsec.
    soft : bool
        Fall back to unsecured communication with computers that do not answer IKE.
    offers : tuple of Offer
        In order of preference, the soft marker left out.
    default_response : bool
        Whether it is stored as the action of a default response rule.
    """

    guid: UUID
    name: str
    action: Action
    inpass: bool = False
    soft: bool = False
    offers: tuple[Offer, ...] = ()
    description: str = ""
    default_response: bool = False
    when_changed: int | None = None
    origin: Origin = field(default=NOWHERE, compare=False)
    written: int | None = field(default=None, compare=False)


class AuthKind(IntEnum):
    """Authentication method types of [MS-GPIPSEC] 2.2.1.3."""

    PRESHARED_KEY = 1
    CERTIFICATE = 3
    KERBEROS = 5


@dataclass(frozen=True, slots=True)
class AuthMethod:
    """One way to authenticate, in order of preference.

    `kind` is an `AuthKind` or, for a number the specification does not define, that number. `key` holds a pre-shared key and
    nothing else does; `certificate_authority` the name of a root.
    """

    kind: AuthKind | int
    key: Secret | None = None
    certificate_authority: str = ""
    account_mapping: bool = False
    exclude_ca_name: bool = False


@dataclass(frozen=True, slots=True)
class Rule:
    """A rule (ipsecNFA object): filter lists, a filter action and how to authenticate.

    Parameters
    ----------
    guid : UUID
    name : str
        As stored; often empty. `label` is what to show.
    active : bool
        Whether the rule is ticked.
    filter_lists : tuple of FilterList
        Empty for the default response rule.
    filter_action : FilterAction, optional
        None when the reference to it leads nowhere.
    missing : tuple of str
        Names of referenced objects that could not be had; the rule cannot be applied as it was meant.
    default_response : bool
        Whether this is the default response rule (no filter list reference at all).
    interface_type : InterfaceType
    interface_name : str
    tunnel : IPAddress, optional
        Tunnel endpoint; None for transport mode.
    tunnel_name : str
        DNS name of the tunnel endpoint.
    auth_methods : tuple of AuthMethod
    """

    guid: UUID
    name: str = ""
    description: str = ""
    active: bool = True
    filter_lists: tuple[FilterList, ...] = ()
    filter_action: FilterAction | None = None
    missing: tuple[str, ...] = ()
    default_response: bool = False
    interface_type: InterfaceType = InterfaceType.ALL
    interface_name: str = ""
    tunnel: IPAddress | None = None
    is_tunnel: bool = False
    tunnel_name: str = ""
    auth_methods: tuple[AuthMethod, ...] = ()
    when_changed: int | None = None
    origin: Origin = field(default=NOWHERE, compare=False)
    written: int | None = field(default=None, compare=False)

    @property
    def label(self) -> str:
        """The name to show: the rule's own, else that of its filter lists, else its GUID."""
        if self.name:
            return self.name
        if self.default_response:
            return "<Dynamic>"
        names = [filter_list.name for filter_list in self.filter_lists if filter_list.name]
        return " + ".join(names) if names else f"{{{self.guid}}}"


@dataclass(frozen=True, slots=True)
class MainModeMethod:
    """A main mode (IKE) security method, numbers as stored ([MS-GPIPSEC] 2.2.1.2).

    `encryption` 1 DES, 2 or 3 3DES; `hash` 1 MD5, 2 SHA-1; `group` 1, 2 or 14 (stored as 0x10000001).
    """

    encryption: int
    hash: int
    group: int
    lifetime_seconds: int = 0
    lifetime_kilobytes: int = 0
    quick_mode_limit: int = 0


@dataclass(frozen=True, slots=True)
class MainMode:
    """Key exchange settings (ipsecISAKMPPolicy object)."""

    guid: UUID
    name: str = ""
    pfs: bool = False
    lifetime_seconds: int = 28800
    quick_mode_limit: int = 0
    methods: tuple[MainModeMethod, ...] = ()
    account_mapping: bool = False
    no_certificate_request: bool = False
    when_changed: int | None = None
    origin: Origin = field(default=NOWHERE, compare=False)
    written: int | None = field(default=None, compare=False)


@dataclass(frozen=True, slots=True)
class Policy:
    """An IPsec policy (ipsecPolicy object) with everything it refers to.

    Parameters
    ----------
    guid : UUID
    name, description : str
    rules : tuple of Rule
        Ordered by GUID: the stores keep references as sets, so their order means nothing.
    main_mode : MainMode, optional
        None when the reference to it leads nowhere.
    polling_interval : int
        Seconds; a stored 0 is 10800 (180 minutes).
    storage : Storage
    assigned : bool
        Whether the source says that this policy is the assigned one.
    default_exempt : int, optional
        NoDefaultExempt as the source has it (0 to 3), None where it is absent.
    dn : str
        Distinguished name when it came from a directory or its cached copy, where known.
    when_changed : int, optional
        Seconds since 1970-01-01 UTC.
    missing : tuple of str
        Names of referenced rules that are not there or cannot be read; the policy cannot be applied as it was meant.
    """

    guid: UUID
    name: str
    description: str = ""
    rules: tuple[Rule, ...] = ()
    main_mode: MainMode | None = None
    polling_interval: int = 10800
    storage: Storage = Storage.MEMORY
    assigned: bool = False
    default_exempt: int | None = None
    dn: str = ""
    when_changed: int | None = None
    missing: tuple[str, ...] = ()
    origin: Origin = field(default=NOWHERE, compare=False)
    written: int | None = field(default=None, compare=False)
