"""Inputs for the examples on the pages of findings about what other systems cannot hold: files by name, and the arguments."""

from collections.abc import Callable, Mapping
from typing import Final

from pastore.export import policy_json
from pastore.model import Rule
from tests.support.policies import flt, policy, rule


def converted(to: str, *rules: Rule, output: str) -> tuple[dict[str, bytes], tuple[str, ...]]:
    """Return a policy as JSON, and how it is written for a host in another format."""
    files = {"corp.json": policy_json.write(policy(*rules, name="Server Isolation"))}
    return files, ("convert", "corp.json", "-t", to, "--me", "10.20.4.7", "-o", output)


EXAMPLES: Final[Mapping[str, Callable[[], tuple[dict[str, bytes], tuple[str, ...]]]]] = {
    "PA420": lambda: converted(
        "wfas", rule("Remote Desktop", "protect", flt("tcp 10.20.0.0/16 > me:3389", mirrored=False)), output="corp.ps1"
    ),
    "PA421": lambda: converted(
        "nftables",
        rule("Database", "protect", "tcp 10.30.0.0/24 > me:1433"),
        rule("Rest", "block", "any > me"),
        output="corp.nft",
    ),
    "PA422": lambda: converted("swanctl", rule("Database", "protect", "tcp 10.30.0.0/24 > me:1433"), output="swanctl.conf"),
}
