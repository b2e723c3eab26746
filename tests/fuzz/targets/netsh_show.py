"""Any bytes as the output of netsh ipsec static show: read without an exception, with a policy or the reason why there is none.

Every finding has its place in the file. A policy that is read can be written as JSON and is read from that as the same one.
"""

from collections.abc import Iterator
from typing import Final

from pastore.export import policy_json as export
from pastore.sources.netsh import load_show
from pastore.sources.policy_json import load_json
from tests.fuzz import checks

LONGEST: Final = 8192
WORDS: Final = (
    b"Policy Name : ",
    b"Rule ID : 1, GUID = {1C8A6D06-7B42-4B3A-9B0C-0D2A9B0C0D2A}",
    b"Rule Name : ",
    b"FilterList Name : ",
    b"Filter(s)\r\n",
    b"FilterAction Name : ",
    b"Action : BLOCK",
    b"Action : NEGOTIATE SECURITY",
    b"Source IP Address : <My IP Address>",
    b"Source Mask : 255.255.255.0",
    b"Destination IP Address : <Any IP Address>",
    b"Destination DNS Name : ",
    b"Protocol : TCP",
    b"Destination Port : 445",
    b"Mirrored : YES",
    b"Authentication Methods(2)\r\n",
    b"Preshared Key : ",
    b"3DES SHA1 Medium(2)",
    b"[NONE] [SHA1 , 3DES] 1 2",
    b"NONE",
    b"\xff\xfe",
)


def check(data: bytes) -> None:
    """See above."""
    loaded = load_show(data, "x.txt")
    # In UTF-16 a byte 10 may be half of another character, so this is the most there can be.
    checks.explained(loaded, data, data.count(b"\n") + data.count(b"\r") + 1)
    checks.stored_again(
        loaded.policies[:2],
        lambda one: export.write(one, secrets=True),
        lambda written: load_json(written, "y.json"),
        keeps_assignment=True,
    )


def seeds() -> Iterator[bytes]:
    """Yield the output in the cases, whole and with a key, and the least of it."""
    from tests.fuzz.targets.netsh import cases

    for shown in cases("netsh-show"):
        yield shown
        yield shown.decode().encode("utf-16")
    yield b"Policy Name : x\r\nRule ID : 1\r\nRule Name : y\r\nFilterList Name : z\r\nFilter(s)\r\nProtocol : TCP\r\n"
    yield b"Policy Name : x\nRule Name : y\nAuthentication Methods(1)\n  Preshared Key : moonlight-over-halden\nAction : BLOCK\n"
