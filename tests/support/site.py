"""A policy with one-way filters, either interface type, both families, every action and every default exemption."""

from pastore.filters.host import Host
from pastore.model import InterfaceType
from tests.support.policies import flt, policy, rule

SITE = policy(
    rule("Web", "allow", "tcp any > me:80", "tcp any > me:443"),
    rule("Dial-in", "protect", "any > me", "tcp 10.0.0.0/8 > me:3389", interface=InterfaceType.RAS),
    rule("Office", "protect", "10.9.0.0/255.255.0.0 > me", flt("udp any > me:135-139", version=2), interface=InterfaceType.LAN),
    rule("No mail out", "block", flt("tcp me > any:25", mirrored=False)),
    rule("Ping", "allow", flt("icmp me > any"), "2001:db8::/32 > me"),
    rule("Laboratory", "protect", flt("tcp [2001:db8:20::100-2001:db8:20::1ff] > [2001:db8:20::7]:1433")),
    rule("Rest", "block", "any > me", flt("any > me", families=(6,), name="six")),
    default_exempt=0,
)
HOST = Host.parse(["10.9.0.7/24", "172.16.3.1", "2001:db8:20::7"])
