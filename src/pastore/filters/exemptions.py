"""Default exemptions: traffic that no IPsec filter sees unless NoDefaultExempt says so.

Source: TechNet "IPSec default exemptions" (cc756041), KB 810207 and 811832. Values: 0 multicast, broadcast, RSVP, Kerberos and
ISAKMP are exempt; 1 multicast, broadcast and ISAKMP; 2 RSVP, Kerberos and ISAKMP; 3 ISAKMP, and inbound multicast and broadcast.
"""

from typing import Any, Final, NamedTuple

from pastore.filters.host import Host
from pastore.filters.specific import BOTH, EXEMPTIONS, IN

DEFAULT: Final = 3
_UDP, _TCP, _RSVP = 17, 6, 46
_ANY_PORTS: Final = (0, 65535)
_EVERY: Final = {4: (0, 0xFFFFFFFF), 6: (0, (1 << 128) - 1)}
_MULTICAST: Final = {4: (0xE0000000, 0xEFFFFFFF), 6: (0xFF << 120, (1 << 128) - 1)}
_LIMITED_BROADCAST: Final = 0xFFFFFFFF


class ExemptRow(NamedTuple):
    """An exemption before it becomes a row."""

    kind: str
    family: int
    dst: tuple[int, int]
    protocol: tuple[int, int]
    sport: tuple[int, int]
    dport: tuple[int, int]
    direction: int


class Exemption(NamedTuple):
    """What an exemption row came from."""

    kind: str
    rule: str | None = None
    tunnel: str | None = None
    place: str = "default exemption"

    @property
    def text(self) -> str:
        """Return ``default exemption isakmp``."""
        return f"default exemption {self.kind}"

    def as_dict(self) -> dict[str, Any]:
        """Return the JSON form."""
        return {"text": self.text, "exempt": self.kind}


def exempt_rows(value: int, host: Host, families: tuple[int, ...]) -> list[ExemptRow]:
    """Return the rows of a NoDefaultExempt value (0 to 3), in the order of `EXEMPTIONS`.

    Directed broadcast addresses are those of the subnets given for the host.
    """
    rows: list[ExemptRow] = []
    for family in families:
        every = _EVERY[family]

        def by_port(kind: str, protocols: tuple[int, ...], ports: tuple[int, ...], family: int = family) -> None:
            for protocol in protocols:
                for port in ports:
                    for sport, dport in (((port, port), _ANY_PORTS), (_ANY_PORTS, (port, port))):
                        rows.append(ExemptRow(kind, family, _EVERY[family], (protocol, protocol), sport, dport, BOTH))

        by_port("isakmp", (_UDP,), (500, 4500))
        if value in (0, 2):
            by_port("kerberos", (_TCP, _UDP), (88,))
            rows.append(ExemptRow("rsvp", family, every, (_RSVP, _RSVP), _ANY_PORTS, _ANY_PORTS, BOTH))
        if value in (0, 1, 3):
            direction = IN if value == 3 else BOTH
            rows.append(ExemptRow("multicast", family, _MULTICAST[family], (0, 255), _ANY_PORTS, _ANY_PORTS, direction))
            broadcasts = (
                {_LIMITED_BROADCAST, *(local.broadcast for local in host.me if local.broadcast)} if family == 4 else set()
            )
            for address in sorted(broadcasts):
                rows.append(ExemptRow("broadcast", 4, (address, address), (0, 255), _ANY_PORTS, _ANY_PORTS, direction))
    return sorted(rows, key=lambda row: (EXEMPTIONS.index(row.kind), row.family))
