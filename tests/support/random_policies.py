"""Small policies of all kinds in a small corner of the address space, where filters meet and hide each other."""

import random
from dataclasses import replace
from typing import Final, NamedTuple

from pastore.filters.host import Host
from pastore.filters.weight import ORDERS, Order
from pastore.model import Filter, InterfaceType, Origin, Policy, Rule
from tests.support.policies import action, flt, guid, policy, rule

_FOUR: Final = (
    "any", "any", "any", "me", "me", "10.0.0.1", "10.0.0.2", "10.0.0.0/30", "10.0.0.0/31", "10.0.0.2/31",
    "10.0.0.0/29", "10.0.0.4/30",
)  # fmt: skip
_FOUR_RANGES: Final = ("10.0.0.1-10.0.0.6", "10.0.0.0-10.0.0.2", "10.0.0.3-10.0.0.7")
_SIX: Final = ("any", "any", "me", "2001:db8::1", "2001:db8::/126", "2001:db8::/127", "2001:db8::1-2001:db8::2")
_PORTS: Final = ("", "", "", ":80", ":80-81", ":0-1023", ":1024-65535", ":389", ":53", ":88")


class Made(NamedTuple):
    """A policy, whom it is for and how it is expanded."""

    policy: Policy
    host: Host
    order: Order


def random_policy(seed: int, *, rules: int = 4, filters: int = 4, spread: int = 1) -> Made:
    """Return a policy whose filters have their number as the line of their origin.

    Parameters
    ----------
    seed : int
        The same seed gives the same policy.
    rules, filters : int
        At most so many rules, of at most so many filters.
    spread : int
        How many such corners there are to be in; more make large policies that are not all hidden.
    """
    rng = random.Random(seed)
    count = 0
    made: list[Rule] = []
    for number in range(rng.randint(1, rules)):
        listed = []
        for _ in range(rng.randint(1, filters)):
            count += 1
            listed.append(replace(_filter(rng, count, spread), origin=Origin("p", line=count)))
        kind = rng.choice(("allow", "allow", "block", "block", "protect"))
        interface = rng.choice((InterfaceType.ALL,) * 4 + (InterfaceType.LAN, InterfaceType.RAS))
        does = action(kind, soft=rng.random() < 0.1, inpass=rng.random() < 0.1) if kind == "protect" else action(kind)
        made.append(rule(f"r{number}", kind, *listed, interface=interface, filter_action=does))
    me = rng.choice(((), (), ("10.0.0.1",), ("10.0.0.1", "10.0.0.2", "2001:db8::1"), ("10.0.0.1/30", "2001:db8::1")))
    order = ORDERS[rng.choice(("weight", "weight", "first-match"))]
    return Made(policy(*made, default_exempt=rng.choice((0, 1, 2, 3, 3))), Host.parse(me), order)


def _filter(rng: random.Random, number: int, spread: int) -> Filter:
    name = str(guid(f"filter {number} {rng.random()}"))
    six = rng.random() < 0.2
    ranges = not six and rng.random() < 0.15
    pool = _SIX if six else _FOUR + (_FOUR_RANGES if ranges else ())
    src, dst = rng.choice(pool), rng.choice(pool)
    if spread > 1:
        src, dst = (_elsewhere(end, rng.randrange(spread)) for end in (src, dst))
    protocol = rng.choice(("", "tcp ", "tcp ", "udp "))
    ports = [rng.choice(_PORTS) if protocol else "" for _ in range(2)]
    ends = [f"[{end}]{port}" if six and port else f"{end}{port}" for end, port in zip((src, dst), ports, strict=True)]
    mirrored = rng.random() < 0.6
    families = (6,) if six else None
    version = 2 if ranges else 1
    return flt(f"{protocol}{ends[0]} > {ends[1]}", mirrored=mirrored, name=name, families=families, version=version)


def _elsewhere(end: str, corner: int) -> str:
    return end.replace("10.0.0.", f"10.0.{corner}.").replace("2001:db8::", f"2001:db8:{corner:x}::")
