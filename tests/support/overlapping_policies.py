"""Seeded random policies in which rules overlap."""

import random

from pastore.model import InterfaceType, Policy
from tests.support.policies import flt, policy, rule


def random_policy(seed: int, rules: int, *, mirrored: float = 0.7) -> Policy:
    """Rules of every action about a few addresses and ports, so that they overlap, with ranges and both families."""
    draw = random.Random(seed)
    ends4 = ["any", "me", "10.9.0.0/16", "10.9.0.0/28", "10.9.0.3", "10.9.0.2-10.9.0.11", "10.8.255.250-10.9.0.1", "192.0.2.0/24"]
    ends6 = ["any", "me", "2001:db8:20::/48", "2001:db8:20::7", "2001:db8:20::3-2001:db8:20::100", "fe80::/10"]
    made = []
    for number in range(rules):
        filters = []
        for part in range(draw.randint(1, 3)):
            family = draw.choice([4, 4, 6])
            src, dst = draw.choices(ends4 if family == 4 else ends6, k=2)
            protocol = draw.choice(["any", "tcp", "tcp", "udp", "icmp", "gre", "132"])
            if protocol in ("tcp", "udp"):
                src, dst = (
                    f"[{end}]{port}" if family == 6 and port else f"{end}{port}"
                    for end, port in ((end, draw.choice(["", "", ":80", ":88", ":135-139"])) for end in (src, dst))
                )
            text = f"{protocol} {src} > {dst}"
            filters.append(
                flt(
                    text,
                    mirrored=draw.random() < mirrored,
                    name=f"{seed} {number} {part}",
                    version=2,
                    families=(6,) if family == 6 else None,
                )
            )
        kind, interface = draw.choice(["allow", "block", "protect"]), draw.choice([*InterfaceType, InterfaceType.ALL])
        made.append(rule(f"Rule {number}", kind, *filters, interface=interface))
    return policy(*made, default_exempt=draw.randint(0, 3))
