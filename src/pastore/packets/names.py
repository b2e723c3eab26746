"""Names of protocols and well-known ports, the same on every machine.

Numbers and first names follow the IANA registries "Assigned Internet Protocol Numbers" and "Service Name and Transport Protocol
Port Number Registry"; the further names are what people and Windows' own tools write. Neither /etc/protocols nor /etc/services
is asked: a report must not depend on where it was made.
"""

from typing import Final

_PROTOCOLS: Final = (
    # number, the name shown, other names understood
    (0, "hopopt"),
    (1, "icmp"),
    (2, "igmp"),
    (3, "ggp"),
    (4, "ipip", "ipv4", "ipencap", "ip-in-ip"),
    (6, "tcp"),
    (8, "egp"),
    (9, "igp"),
    (12, "pup"),
    (17, "udp"),
    (20, "hmp"),
    (22, "xns-idp"),
    (27, "rdp"),  # Reliable Data Protocol; Remote Desktop is TCP and UDP port 3389
    (33, "dccp"),
    (41, "ipv6"),
    (43, "ipv6-route"),
    (44, "ipv6-frag"),
    (46, "rsvp"),
    (47, "gre"),
    (50, "esp", "ipsec-esp"),
    (51, "ah", "ipsec-ah"),
    (58, "icmpv6", "ipv6-icmp", "icmp6"),
    (59, "ipv6-nonxt"),
    (60, "ipv6-opts"),
    (66, "rvd"),
    (88, "eigrp"),
    (89, "ospf", "ospfigp"),
    (94, "ipip-micp"),
    (97, "etherip"),
    (103, "pim"),
    (108, "ipcomp"),
    (112, "vrrp"),
    (115, "l2tp"),
    (132, "sctp"),
    (135, "mobility-header", "ipv6-mh"),
    (136, "udplite", "udp-lite"),
    (137, "mpls-in-ip"),
    (139, "hip"),
    (140, "shim6"),
    (255, "raw"),  # reserved by IANA; "RAW" is what Windows calls it
)

TCP, UDP = 6, 17
_BOTH, _TCP, _UDP = (TCP, UDP), (TCP,), (UDP,)

_PORTS: Final = (
    # number, protocols, the name shown, other names understood
    (7, _BOTH, "echo"),
    (9, _BOTH, "discard"),
    (13, _BOTH, "daytime"),
    (20, _TCP, "ftp-data"),
    (21, _TCP, "ftp"),
    (22, _TCP, "ssh"),
    (23, _TCP, "telnet"),
    (25, _TCP, "smtp"),
    (37, _BOTH, "time"),
    (42, _BOTH, "nameserver", "wins-replication"),
    (49, _BOTH, "tacacs"),
    (53, _BOTH, "domain", "dns"),
    (67, _UDP, "bootps", "dhcp-server"),
    (68, _UDP, "bootpc", "dhcp-client"),
    (69, _UDP, "tftp"),
    (80, _TCP, "http"),
    (88, _BOTH, "kerberos", "krb5"),
    (110, _TCP, "pop3"),
    (111, _BOTH, "sunrpc"),
    (119, _TCP, "nntp"),
    (123, _UDP, "ntp"),
    (135, _BOTH, "epmap", "rpc", "msrpc", "rpc-epmap"),
    (137, _BOTH, "netbios-ns"),
    (138, _BOTH, "netbios-dgm"),
    (139, _BOTH, "netbios-ssn"),
    (143, _TCP, "imap"),
    (161, _UDP, "snmp"),
    (162, _UDP, "snmptrap"),
    (179, _TCP, "bgp"),
    (389, _BOTH, "ldap"),
    (443, _BOTH, "https"),
    (445, _BOTH, "microsoft-ds", "smb", "cifs"),
    (464, _BOTH, "kpasswd"),
    (465, _TCP, "submissions", "smtps"),
    (500, _UDP, "isakmp", "ike"),
    (514, _UDP, "syslog"),
    (546, _UDP, "dhcpv6-client"),
    (547, _UDP, "dhcpv6-server"),
    (554, _BOTH, "rtsp"),
    (587, _TCP, "submission"),
    (593, _TCP, "http-rpc-epmap"),
    (636, _TCP, "ldaps"),
    (853, _BOTH, "domain-s", "dns-over-tls"),
    (873, _TCP, "rsync"),
    (989, _TCP, "ftps-data"),
    (990, _TCP, "ftps"),
    (993, _TCP, "imaps"),
    (995, _TCP, "pop3s"),
    (1080, _TCP, "socks"),
    (1433, _TCP, "ms-sql-s", "ms-sql", "mssql"),
    (1434, _BOTH, "ms-sql-m"),
    (1512, _BOTH, "wins"),
    (1701, _UDP, "l2f", "l2tp"),
    (1723, _TCP, "pptp"),
    (1812, _BOTH, "radius"),
    (1813, _BOTH, "radius-acct"),
    (1900, _UDP, "ssdp"),
    (2049, _BOTH, "nfs"),
    (3268, _TCP, "msft-gc", "global-catalog"),
    (3269, _TCP, "msft-gc-ssl"),
    (3306, _TCP, "mysql"),
    (3389, _BOTH, "ms-wbt-server", "rdp"),
    (3544, _UDP, "teredo"),
    (3702, _BOTH, "ws-discovery"),
    (4500, _UDP, "ipsec-nat-t", "nat-t"),
    (5060, _BOTH, "sip"),
    (5061, _BOTH, "sips"),
    (5353, _UDP, "mdns"),
    (5355, _BOTH, "llmnr"),
    (5357, _TCP, "wsdapi"),
    (5432, _TCP, "postgresql"),
    (5900, _TCP, "rfb", "vnc"),
    (5985, _TCP, "wsman", "winrm"),
    (5986, _TCP, "wsmans", "winrm-https"),
    (8080, _TCP, "http-alt"),
    (9389, _TCP, "adws"),
)

_PROTOCOL_NAMES: Final = {number: name for number, name, *_ in _PROTOCOLS}
_PROTOCOL_NUMBERS: Final = {name: number for number, *names in _PROTOCOLS for name in names}
_PORT_NAMES: Final = {(number, protocol): name for number, protocols, name, *_ in _PORTS for protocol in protocols}
_PORT_NUMBERS: Final = {name: number for number, _, *names in _PORTS for name in names}


def protocol_name(number: int) -> str:
    """Return the name of an IP protocol, or its number as text where it has none here.

    Parameters
    ----------
    number : int
        0 to 255.
    """
    return _PROTOCOL_NAMES.get(number, str(number))


def protocol_number(text: str) -> int:
    """Return the number of an IP protocol written as a name, in any case, or as a decimal number.

    Raises
    ------
    ValueError
        If it is neither a name of the table nor 0 to 255.
    """
    word = text.strip().lower()
    number = _PROTOCOL_NUMBERS.get(word)
    if number is None:
        number = _decimal(word, 255)
    if number is None:
        raise ValueError(f"{shown(text)} is not a protocol: accepted are 0 to 255 and names such as tcp, udp, icmp, icmpv6, esp")
    return number


def port_name(number: int, protocol: int) -> str | None:
    """Return the name of a well-known port, None where it has none here.

    Parameters
    ----------
    number : int
        0 to 65535.
    protocol : int
        IP protocol number. Names are known for TCP (6) and UDP (17).
    """
    return _PORT_NAMES.get((number, protocol))


def port_number(text: str) -> int:
    """Return the number of a port written as a name, in any case, or as a decimal number.

    Raises
    ------
    ValueError
        If it is neither a name of the table nor 0 to 65535.
    """
    word = text.strip().lower()
    number = _decimal(word, 65535)
    if number is None:
        number = _PORT_NUMBERS.get(word)
    if number is None:
        raise ValueError(f"{shown(text)} is not a port: accepted are 0 to 65535 and names such as http, smb, ldap, isakmp")
    return number


def shown(text: str) -> str:
    """Return text from outside as a message may show it: quoted, nothing unprintable, not endless."""
    return repr(text if len(text) <= 80 else text[:77] + "...")


def _decimal(word: str, limit: int) -> int | None:
    # The length is looked at first: converting a million digits takes a noticeable time.
    if not (word.isascii() and word.isdecimal() and len(word) <= 5):
        return None
    number = int(word)
    return number if number <= limit else None
