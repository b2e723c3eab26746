"""Who the host is: the addresses that ``me`` and the server keywords stand for."""

from collections.abc import Iterable
from dataclasses import dataclass
from ipaddress import (
    IPv4Address,
    IPv4Network,
    IPv6Address,
    IPv6Network,
    ip_address,
    ip_interface,
    summarize_address_range,
)

from pastore.model import AddressKind, IPAddress


@dataclass(frozen=True, slots=True)
class Local:
    """A range of local addresses, and the directed broadcast address of their subnet where it is known.

    Parameters
    ----------
    family : int
        4 or 6.
    low, high : int
    broadcast : int, optional
        IPv4 only.
    """

    family: int
    low: int
    high: int
    broadcast: int | None = None

    @classmethod
    def parse(cls, text: str) -> "Local":
        """Read ``ADDR`` or ``ADDR/LEN``.

        ``10.9.0.7/24`` is the address 10.9.0.7 on a subnet of that length; ``10.9.0.0/24``, with no host bits set, stands for
        every address of the network.

        Raises
        ------
        ValueError
            If the text is neither.
        """
        try:
            interface = ip_interface(str(text).strip())
        except ValueError:
            raise ValueError(f"{text!r} is not an address such as 10.9.0.7, 10.9.0.7/24 or 2001:db8::7") from None
        network, address = interface.network, int(interface.ip)
        broadcast = None
        if network.version == 4 and network.prefixlen < 31:
            broadcast = int(network.broadcast_address)
        if network.num_addresses > 1 and int(network.network_address) == address:
            return cls(network.version, address, int(network.broadcast_address), broadcast)
        return cls(network.version, address, address, broadcast)


@dataclass(frozen=True, slots=True)
class Host:
    """The addresses of the computer the policy is meant for.

    Parameters
    ----------
    me : tuple of Local
        Empty when the host is not known: then ``me`` is any address (docs/adr/002-me-and-direction.md).
    servers : tuple of (AddressKind, address)
        The machine's DNS, WINS and DHCP servers and its default gateways.
    """

    me: tuple[Local, ...] = ()
    servers: tuple[tuple[AddressKind, IPAddress], ...] = ()

    @classmethod
    def parse(
        cls,
        me: Iterable[str] = (),
        dns: Iterable[str] = (),
        wins: Iterable[str] = (),
        dhcp: Iterable[str] = (),
        gateway: Iterable[str] = (),
    ) -> "Host":
        """Read addresses as a user gives them.

        Raises
        ------
        ValueError
            If one of them is not an address; the message says which.
        """
        for name, texts in (("me", me), ("dns", dns), ("wins", wins), ("dhcp", dhcp), ("gateway", gateway)):
            if isinstance(texts, str):
                raise ValueError(f"{name} is the text {texts!r}: give a list of addresses")
        given = (
            (AddressKind.DNS_SERVER, "DNS server", dns),
            (AddressKind.WINS_SERVER, "WINS server", wins),
            (AddressKind.DHCP_SERVER, "DHCP server", dhcp),
            (AddressKind.GATEWAY, "gateway", gateway),
        )
        servers = []
        for kind, name, texts in given:
            for text in texts:
                try:
                    servers.append((kind, ip_address(str(text).strip())))
                except ValueError:
                    raise ValueError(f"{name} {text!r} is not an address") from None
        return cls(tuple(Local.parse(text) for text in me), tuple(servers))

    def networks(self) -> list[IPv4Network | IPv6Network]:
        """Return the local addresses as networks."""
        found: list[IPv4Network | IPv6Network] = []
        for local in self.me:
            if local.family == 4:
                found.extend(summarize_address_range(IPv4Address(local.low), IPv4Address(local.high)))
            else:
                found.extend(summarize_address_range(IPv6Address(local.low), IPv6Address(local.high)))
        return found

    def local(self, family: int) -> list[tuple[int, int]]:
        """Return the local address ranges of a family."""
        return [(local.low, local.high) for local in self.me if local.family == family]

    def server(self, kind: AddressKind, family: int) -> list[tuple[int, int]]:
        """Return the addresses of a server kind and family as ranges of one."""
        return [(int(address), int(address)) for of, address in self.servers if of is kind and address.version == family]

    def is_local(self, family: int, low: int, high: int) -> bool:
        """Whether a range contains a local address; always, when the host is not known."""
        if not self.me:
            return True
        return any(low <= local_high and local_low <= high for local_low, local_high in self.local(family))


UNKNOWN_HOST = Host()
