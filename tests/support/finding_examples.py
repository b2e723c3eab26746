"""One small real example for every finding code, and what pastore prints about it.

The console block of each page under ``src/pastore/findings/pages`` is made from these and held against them by a test.
``python -m tests.support.finding_examples`` writes the blocks anew.
"""

import re
import struct
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, chdir, contextmanager, nullcontext
from dataclasses import replace
from importlib import resources
from ipaddress import IPv4Address
from pathlib import Path
from typing import Final, NamedTuple
from unittest.mock import patch

from click.testing import CliRunner

from pastore.api import compile_policy
from pastore.cli.main import cli
from pastore.export import ldif
from pastore.filters.host import UNKNOWN_HOST
from pastore.model import (
    Action,
    Address,
    AddressKind,
    Algorithm,
    AuthKind,
    AuthMethod,
    Filter,
    FilterAction,
    Offer,
    Policy,
    Rule,
    Secret,
)
from tests.support import converted_examples, directory_examples, export_examples, hive_examples, netsh_examples
from tests.support.captures import arp, ethernet, ipv4, pcap, tcp
from tests.support.example import HKLM, LOCAL, registry
from tests.support.policies import ESP_3DES_SHA1, KERBEROS, action, flt, guid, policy, rule
from tests.support.reg_text import RegValue, reg_text

PAGES: Final = Path(str(resources.files("pastore.findings"))) / "pages"
BLOCK: Final = re.compile(r"```console\n(.*?)```", re.DOTALL)

Keys = dict[str, Mapping[str, RegValue]]
GPT: Final = rf"{HKLM}\SOFTWARE\Policies\Microsoft\Windows\IPSec\GPTIPSECPolicy"
AGENT: Final = rf"{HKLM}\SYSTEM\CurrentControlSet\Services\PolicyAgent"


class Example(NamedTuple):
    """Files by name, and the arguments of the pastore command that is run beside them."""

    files: Mapping[str, bytes]
    arguments: tuple[str, ...] = ("check", "corp.reg")
    world: Callable[[], AbstractContextManager[object]] = nullcontext


def printed(code: str) -> str:
    """Run the example of a code and return what the page shows: the command, and the first finding of that code."""
    example = EXAMPLES[code]()
    with tempfile.TemporaryDirectory() as folder, chdir(folder), example.world():
        for name, data in example.files.items():
            Path(name).parent.mkdir(parents=True, exist_ok=True)
            Path(name).write_bytes(data)
        # Only what is said about the code matters here, not whether the command had an answer in the end.
        result = CliRunner().invoke(cli, example.arguments, prog_name="pastore")
    lines = (result.stdout + result.stderr).splitlines()
    at = next((at for at, line in enumerate(lines) if f" {code} " in line), None)
    if at is None:
        raise AssertionError(f"the example of {code} prints no {code}, but:\n" + "\n".join(lines))
    shown = [" ".join(("$ pastore", *map(_quoted, example.arguments))), lines[at]]
    if at + 1 < len(lines) and lines[at + 1].startswith("    in "):
        shown.append(lines[at + 1])
    return "\n".join(shown) + "\n"


def _quoted(argument: str) -> str:
    return f'"{argument}"' if " " in argument else argument


def main() -> None:
    """Write the console block of every page anew."""
    for code in EXAMPLES:
        path = PAGES / f"{code}.md"
        text = path.read_text(encoding="utf-8")
        path.write_text(BLOCK.sub(lambda _, code=code: f"```console\n{printed(code)}```", text), encoding="utf-8")  # type: ignore[misc]


# Ways to make an input


@contextmanager
def no_memory() -> Iterator[None]:
    """Let reading one file end for want of memory."""
    with patch("pastore.sources.load", side_effect=MemoryError):
        yield


def cut_table() -> Example:
    """Return the check of a compiled table that is cut off."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "site.pastore"
        compile_policy(intact(), UNKNOWN_HOST).matcher.save(path)
        return Example({"site.pastore": path.read_bytes()[:1000]}, ("check", "site.pastore"))


def corp(policy_: Policy, *more: str, command: tuple[str, ...] = ("check", "corp.reg")) -> Example:
    """Return the check of one assigned policy, or another command."""
    return Example({"corp.reg": reg_text(registry(policy_, assigned=policy_))}, (*command, *more))


def isolation(*rules: Rule, default_exempt: int | None = 3) -> Policy:
    """Return a policy of some rules."""
    return policy(*rules, name="Server Isolation", default_exempt=default_exempt)


def intact() -> Policy:
    """Return the policy that is damaged below."""
    rest = (flt("any > me", name="all"), flt("any > me", name="all of IPv6", families=(6,)))
    return isolation(rule("Intranet", "allow", "tcp 10.0.0.0/8 > me:443"), rule("Everything else", "block", *rest))


def stored() -> Keys:
    """Return the registry keys of `intact`."""
    return registry(intact(), assigned=intact())


def find(keys: Keys, kind: str, rule_name: str = "Intranet") -> str:
    """Return the path of the object of a kind that belongs to a rule, or of the only one."""
    names = {
        "ipsecNFA": guid(rule_name),
        "ipsecFilter": guid(f"list of {rule_name}"),
        "ipsecNegotiationPolicy": action("allow" if rule_name == "Intranet" else "block").guid,
    }
    wanted = f"{kind}{{{names[kind]}}}" if kind in names else f"{kind}{{"
    return next(path for path in keys if f"\\{wanted}" in path)


def edited(kind: str, **values: RegValue | None) -> Example:
    """Return the check of `intact` with values of one object replaced, or taken out by None."""
    keys = stored()
    path = find(keys, kind)
    keys[path] = {name: value for name, value in {**keys[path], **values}.items() if value is not None}
    return exported(keys)


def patched(kind: str, change: Callable[[bytes], bytes]) -> Example:
    """Return the check of `intact` with the ipsecData of one object changed."""
    keys = stored()
    data = keys[find(keys, kind)]["ipsecData"]
    assert isinstance(data, bytes)
    return edited(kind, ipsecData=change(data))


def exported(keys: Keys) -> Example:
    """Return the check of some keys."""
    return Example({"corp.reg": reg_text(keys)})


def text(old: str, new: str) -> Example:
    """Return the check of `intact` with a piece of the exported text changed."""
    whole = reg_text(stored(), "utf8").decode()
    assert old in whole, old
    return Example({"corp.reg": whole.replace(old, new, 1).encode()})


def set_u32(at: int, value: int) -> Callable[[bytes], bytes]:
    """Return a change of four bytes."""
    return lambda data: data[:at] + struct.pack("<I", value) + data[at + 4 :]


def tunnel(*rules: str, mirrored: bool = False) -> Policy:
    """Return a policy of tunnel rules with the same filter each."""
    made = (
        rule(name, "protect", flt("10.1.0.0/16 > 10.2.0.0/16", mirrored=mirrored, name=name), tunnel=IPv4Address("192.0.2.1"))
        for name in rules
    )
    return isolation(*made)


def without(kind: str) -> Example:
    """Return the check of `intact` without one object."""
    keys = stored()
    del keys[find(keys, kind)]
    return exported(keys)


def domain(*, cached: bool) -> Example:
    """Return the check of a computer to which a domain assigns a policy."""
    keys = stored()
    dn = f"LDAP://CN=ipsecPolicy{{{intact().guid}}},CN=IP Security,CN=System,DC=corp,DC=example"
    if cached:
        for path in [path for path in keys if path.startswith(f"{HKLM}\\{LOCAL}\\")]:
            keys[path.replace(r"\Policy\Local", r"\Policy\Cache")] = keys[path]
    keys[GPT] = {"DSIPSECPolicyPath": dn, "DSIPSECPolicyName": "Server Isolation"}
    return exported(keys)


def packets(name: str, data: bytes) -> Example:
    """Return the classification of some packets."""
    return Example({"corp.reg": reg_text(stored()), name: data}, ("classify", "corp.reg", name))


def frames(count: int) -> list[bytes]:
    """Return frames with a TCP packet each."""
    return [ethernet(ipv4("10.0.0.1", "10.0.0.2", 6, tcp(49152 + n, 443))) for n in range(count)]


def log(*sequence: int, tail: bytes = b"") -> Example:
    """Return the reading of an audit log."""
    lines = [
        b'{"seq":%d,"time":"2026-03-01T08:00:0%d.000000Z","id":5463,"outcome":"success","data":{},"text":"PAStore Engine polled '
        b'for changes to the active IPsec policy and detected no changes."}\n' % (number, at)
        for at, number in enumerate(sequence)
    ]
    return Example({"audit.jsonl": b"".join(lines) + tail}, ("events", "audit.jsonl"))


def reg_list(line: str) -> Example:
    """Return the check of a ClassBench filter set with one line more."""
    good = "@10.0.0.0/8\t192.0.2.0/24\t0 : 65535\t443 : 443\t0x06/0xFF\n"
    return Example({"acl1.txt": (good + line + "\n").encode()}, ("check", "acl1.txt"))


def two_policies() -> Example:
    """Return the display of one of two policies of which none is assigned."""
    other = policy(rule("Web", "allow", "tcp any > me:80"), name="Web Servers")
    return Example({"corp.reg": reg_text(registry(intact(), other))}, ("show", "corp.reg"))


def crowded() -> Policy:
    """Return a policy with more than a hundred conflicts."""
    by_port = [f"tcp any > me:{port}" for port in range(8001, 8013)]
    by_source = [f"tcp any:{port} > me" for port in range(20, 32)]
    return isolation(rule("Allow services", "allow", *by_port), rule("Block sources", "block", *by_source))


def twice() -> Example:
    """Return a filter list under two spellings of its name."""
    keys = stored()
    path = find(keys, "ipsecFilter")
    keys[path.replace("}", " }")] = keys[path]
    return exported(keys)


def cycle() -> Example:
    """Return a rule that refers to itself."""
    path = find(stored(), "ipsecNFA")
    return edited("ipsecNFA", ipsecFilterReference=(path.removeprefix(f"{HKLM}\\"),))


def other_class() -> Example:
    """Return a rule whose filter list is a filter action."""
    path = find(stored(), "ipsecNegotiationPolicy")
    return edited("ipsecNFA", ipsecFilterReference=(path.removeprefix(f"{HKLM}\\"),))


def stale() -> Example:
    """Return an assignment of a policy that was deleted."""
    keys = stored()
    keys[f"{HKLM}\\{LOCAL}"] = {"ActivePolicy": f"{LOCAL}\\ipsecPolicy{{{guid('deleted')}}}"}
    return exported(keys)


def orphan() -> Example:
    """Return a filter list that no rule uses."""
    keys = stored()
    more = registry(isolation(rule("Old servers", "allow", "tcp any > me:8080")))
    path = find(more, "ipsecFilter", "Old servers")
    keys[path] = {name: value for name, value in more[path].items() if name != "ipsecOwnersReference"}
    return exported(keys)


def exempt(value: RegValue) -> Example:
    """Return a NoDefaultExempt of some value."""
    keys = stored()
    keys[AGENT] = {"NoDefaultExempt": value}
    return exported(keys)


def listed(what: str, *filters: Filter | str, name: str = "Intranet") -> Rule:
    """Return a rule."""
    return rule(name, what, *filters)


def ended(name: str) -> Policy:
    """Return a filter with a DNS name that was stored without an address."""
    end = Address(AddressKind.ANY, dns_name=name)
    return isolation(rule("Backup", "allow", replace(flt("tcp any > me:10000"), src=end)))


def families() -> Policy:
    """Return a filter of IPv6 at one end and of IPv4 at the other."""
    mixed = replace(flt("tcp 2001:db8::/32 > me:443", families=(6,)), dst=Address(AddressKind.ME, (4,)))
    return isolation(rule("Intranet", "allow", mixed))


def halved() -> Policy:
    """Return a block that two permits of its halves hide."""
    halves = [f"tcp {network} > me:443" for network in ("10.0.0.0/9", "10.128.0.0/9")]
    return isolation(rule("Web", "allow", *halves), rule("No web", "block", "tcp 10.0.0.0/8 > me:443", "tcp any > me:80"))


def one_way() -> Policy:
    """Return a block-all with an opening that is not mirrored."""
    return left_alone(mirrored=False)


def left_alone(*, mirrored: bool = True) -> Policy:
    """Return a block-all with one opening."""
    everything = (flt("any > me", name="all"), flt("any > me", name="all of IPv6", families=(6,)))
    opening = flt("tcp any > me:443", mirrored=mirrored)
    return isolation(rule("Intranet", "allow", opening), rule("Everything else", "block", *everything))


def silencer() -> Policy:
    """Return a policy that keeps an agent from its servers."""
    return isolation(rule("Telemetry", "block", *(f"me > {host}" for host in ("203.0.112.9", "203.0.112.10", "198.52.100.7"))))


def protected(name: str = "Database", **changes: object) -> Policy:
    """Return a policy of one rule that protects."""
    made = rule(name, "protect", "tcp 10.1.0.0/16 > me:1433")
    return isolation(replace(made, **changes))  # type: ignore[arg-type]


LONG: Final = replace(ESP_3DES_SHA1, lifetime_seconds=7 * 24 * 3600)
AH_SHA1: Final = Offer((Algorithm("ah", 2),), lifetime_seconds=3600)
WEAK: Final = Offer((Algorithm("esp", 1, 1),), lifetime_seconds=3600)
KEY: Final = AuthMethod(AuthKind.PRESHARED_KEY, Secret("correct horse"))
ANOTHER_HOST: Final = Address(AddressKind.SUBNET, (4,), 0x0A000009, 0xFF0000FF)
RESPONSE: Final = Rule(
    guid("response"),
    default_response=True,
    filter_action=replace(action("protect"), guid=guid("response action"), default_response=True),
    auth_methods=KERBEROS,
)
NO_METHOD: Final = action("protect", offers=())
UNNAMED: Final = replace(action("allow"), guid=guid("no action"), name="Permit?", action=Action.NONE)
SOFT: Final[FilterAction] = action("protect", soft=True)

_OURS: Final[dict[str, Callable[[], Example]]] = {
    "PA101": lambda: Example({}),
    "PA102": lambda: Example({"corp.reg": b"\x89PNG\r\n\x1a\n" + bytes(508)}),
    "PA103": lambda: exported({f"{HKLM}\\{LOCAL}": {}}),
    "PA104": lambda: Example({"corp.reg": reg_text(stored())}, ("check", "corp.reg", "--policy", "Server Isolatoin")),
    "PA105": two_policies,
    "PA106": cut_table,
    "PA107": lambda: Example({"corp.reg": b""}, world=no_memory),
    "PA110": lambda: text('"ipsecName"=', "ipsecName="),
    "PA111": lambda: Example({"corp.reg": (whole := reg_text(stored(), "utf8"))[: whole.index(b"hex:") + 40]}),
    "PA112": lambda: exempt("3"),
    "PA113": lambda: Example({"corp.reg": reg_text(stored(), "utf8").replace(b"Intranet list", b"B\xfcro list", 1)}),
    "PA120": lambda: patched("ipsecNFA", lambda data: data[:50]),
    "PA121": lambda: patched("ipsecFilter", set_u32(20, 1000)),
    "PA122": lambda: patched("ipsecFilter", set_u32(16, 300)),
    "PA123": lambda: patched("ipsecFilter", lambda data: data + b"\0" * 16),
    "PA124": lambda: edited("ipsecFilter", ipsecData=stored()[find(stored(), "ipsecNegotiationPolicy")]["ipsecData"]),
    "PA125": lambda: patched("ipsecFilter", lambda data: data[:24] + struct.pack("<I", 3) + b"d\0c" + data[30:]),
    "PA126": lambda: exempt(7),
    "PA130": lambda: without("ipsecFilter"),
    "PA131": twice,
    "PA132": cycle,
    "PA133": lambda: edited("ipsecFilter", ipsecData=None),
    "PA134": lambda: edited("ipsecFilter", ipsecOwnersReference=None),
    "PA135": stale,
    "PA136": orphan,
    "PA137": other_class,
    "PA138": lambda: without("ipsecISAKMPPolicy"),
    "PA140": lambda: reg_list("@10.0.0.0/8\t192.0.2.0/24\t1024 : 80\t443 : 443\t0x06/0xFF"),
    "PA150": lambda: packets("morning.pcap", pcap(frames(5))[:-7]),
    "PA151": lambda: packets("morning.pcapng", b"\x0a\x0d\x0d\x0a" + bytes(24)),
    "PA152": lambda: packets("packets.csv", b"src,dst,protocol,dport\n10.0.0.5,10.0.0.2,tcp,443\n10.0.0.5,server2,tcp,443\n"),
    "PA153": lambda: packets("morning.pcap", pcap([ethernet(arp(), ethertype=0x0806), *frames(3)])),
    "PA160": lambda: log(1, 2, tail=b'{"seq":3,"time":"2026-03-01T0'),
    "PA161": lambda: log(1, 2, 5),
    "PA196": lambda: Example({"state/policy.cache/file": b""}, directory_examples.AGENT, directory_examples.played()),
    "PA197": lambda: corp(intact(), command=("agent", "corp.reg", "--once", "--command", "false")),
    "PA201": lambda: corp(isolation(replace(listed("allow", "tcp any > me:443"), filter_action=None))),
    "PA202": lambda: without("ipsecFilter"),
    "PA203": lambda: corp(isolation(rule("Backup", "allow", replace(flt("tcp any > me:10000"), src=ANOTHER_HOST)))),
    "PA204": lambda: corp(isolation(listed("allow", flt("tcp 10.0.0.99-10.0.0.10 > me:443", version=2)))),
    "PA205": lambda: corp(isolation(replace(listed("allow", "tcp any > me:443"), filter_action=UNNAMED))),
    "PA206": lambda: corp(families()),
    "PA207": lambda: corp(ended("backup.corp.example")),
    "PA208": lambda: corp(isolation(listed("allow", "udp 10.0.0.0/8 > dns-servers:53", name="Name lookups"))),
    "PA209": lambda: corp(protected(filter_action=NO_METHOD)),
    "PA210": lambda: corp(protected("To branch office", is_tunnel=True)),
    "PA211": lambda: corp(
        isolation(
            rule("Intranet", "allow", "tcp any > me:443"),
            rule("Block old ports", "block", flt("tcp any > me:443", name="copy")),
        )
    ),
    "PA212": lambda: corp(tunnel("To branch office", "To branch office (new)")),
    "PA213": lambda: corp(protected(auth_methods=())),
    "PA214": lambda: corp(isolation(listed("allow", "300 any > me"))),
    "PA301": lambda: corp(isolation(rule("Intranet", "allow", "tcp any > me:443", active=False))),
    "PA302": lambda: corp(isolation(RESPONSE)),
    "PA303": lambda: corp(isolation(listed("allow", "icmp any > me:8"))),
    "PA304": lambda: corp(isolation(listed("allow", "tcp 192.168.0.1/255.255.255.0 > me:443"))),
    "PA305": lambda: corp(
        isolation(
            rule("FTP data", "allow", "tcp any:20 > me"),
            rule("No remote desktop", "block", "tcp any > me:3389"),
        )
    ),
    "PA306": lambda: corp(isolation(rule("Everything else", "block", "any > me"))),
    "PA307": lambda: corp(isolation(listed("allow", flt("tcp 10.0.0.10-10.0.0.99 > me:443", version=2))), "--target", "2003"),
    "PA308": lambda: corp(isolation(listed("allow", "tcp 10.8.0.0/16 > 10.9.0.8:443")), "--me", "10.9.0.7"),
    "PA309": lambda: Example({"corp.reg": reg_text(registry(intact()))}),
    "PA310": lambda: corp(isolation(listed("allow"))),
    "PA311": lambda: corp(tunnel("To branch office", mirrored=True)),
    "PA312": lambda: domain(cached=True),
    "PA313": lambda: corp(
        isolation(
            rule("Web, inbound", "allow", "tcp any > me:443"),
            rule("Web, outbound", "allow", "tcp me:443 > any"),
        )
    ),
    "PA314": lambda: corp(halved()),
    "PA315": lambda: corp(
        isolation(
            rule("Key exchange", "block", "udp any > me:500"),
            rule("Intranet", "allow", "tcp any > me:443"),
        )
    ),
    "PA316": lambda: corp(
        isolation(
            rule("Intranet", "allow", "tcp 10.0.0.0/8 > me:443", "tcp 10.1.2.3 > me:443"),
        )
    ),
    "PA317": lambda: corp(
        isolation(
            rule("Administrator", "allow", "10.1.2.3 > me"),
            rule("No remote desktop", "block", "tcp any > me:3389"),
        )
    ),
    "PA318": lambda: corp(one_way()),
    "PA319": lambda: corp(left_alone()),
    "PA401": lambda: corp(isolation(listed("allow", "tcp any > me:443"), default_exempt=None)),
    "PA402": lambda: corp(isolation(listed("allow", "udp me > dns-servers:53", name="Name lookups"))),
    "PA403": lambda: corp(crowded()),
    "PA404": lambda: corp(intact(), "--target", "xp"),
    "PA430": lambda: corp(halved(), "--work-limit", "50"),
    "PA501": lambda: corp(protected(auth_methods=(KEY,))),
    "PA502": lambda: corp(protected(filter_action=action("protect", offers=(ESP_3DES_SHA1, WEAK)))),
    "PA503": lambda: corp(isolation(listed("allow", "tcp any > me:443"), default_exempt=0)),
    "PA504": lambda: corp(protected(filter_action=SOFT)),
    "PA506": lambda: corp(isolation(rule("No file sharing", "block", "tcp any > me:445"), default_exempt=0)),
    "PA507": lambda: corp(protected(filter_action=action("protect", inpass=True))),
    "PA508": lambda: corp(protected()),
    "PA509": lambda: corp(protected(filter_action=action("protect", offers=(LONG,)))),
    "PA510": lambda: corp(protected(filter_action=action("protect", offers=(ESP_3DES_SHA1, AH_SHA1)))),
    "PA511": lambda: corp(protected(filter_action=action("protect", offers=(ESP_3DES_SHA1, WEAK)))),
    "PA512": lambda: Example(
        {**corp(silencer()).files, "agent.txt": b"# servers of the security agent\n203.0.112.0/24 tcp/443\n"},
        ("check", "corp.reg", "--protect-ranges", "agent.txt"),
    ),
    "PA513": lambda: corp(silencer()),
}


def _from(code: str, make: Callable[[], tuple[dict[str, bytes], tuple[str, ...]]]) -> tuple[str, Callable[[], Example]]:
    return code, lambda: Example(*make())


def _asked(code: str) -> Callable[[], Example]:
    arguments, world = directory_examples.EXAMPLES[code]
    return lambda: Example({}, arguments, world)


_OTHERS: Final = (
    *export_examples.EXAMPLES.items(),
    *hive_examples.EXAMPLES.items(),
    *netsh_examples.EXAMPLES.items(),
    *converted_examples.EXAMPLES.items(),
)


def _published(code: str) -> Callable[[], Example]:
    def example() -> Example:
        policy_, arguments, world = directory_examples.PUBLISHED[code]
        return Example({"new.ldif": ldif.write(policy_(), base_dn=directory_examples.BASE)}, arguments, world)

    return example


_PUBLISHED: Final = {code: _published(code) for code in directory_examples.PUBLISHED}
_ASKED: Final = {code: _asked(code) for code in directory_examples.EXAMPLES}
EXAMPLES: Final = dict(
    sorted([*_OURS.items(), *_ASKED.items(), *_PUBLISHED.items(), *(_from(code, make) for code, make in _OTHERS)])
)
"""By code: a way to make the example."""

if __name__ == "__main__":
    main()
