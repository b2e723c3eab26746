"""A small local store as Windows 10 keeps it: one policy, three rules, thirty-three filters. Written from [MS-GPIPSEC] alone."""

import struct
from uuid import UUID

from tests.support.reg_text import RegValue

IPSEC = r"HKEY_LOCAL_MACHINE\SOFTWARE\Policies\Microsoft\Windows\IPSec"
LOCAL = IPSEC + r"\Policy\Local"
CACHE = IPSEC + r"\Policy\Cache"
GPT = IPSEC + r"\GPTIPSECPolicy"
SERVICES = r"HKEY_LOCAL_MACHINE\SYSTEM\CurrentControlSet\Services"

POLICY = "6f1f3b8e-0c5a-4c1e-9d8e-0a2b6d1c7f01"
MAIN_MODE = "6f1f3b8e-0c5a-4c1e-9d8e-0a2b6d1c7f02"
RULES = tuple(f"6f1f3b8e-0c5a-4c1e-9d8e-0a2b6d1c7f1{n}" for n in range(3))
LISTS = tuple(f"6f1f3b8e-0c5a-4c1e-9d8e-0a2b6d1c7f2{n}" for n in range(2))
BLOCK = "6f1f3b8e-0c5a-4c1e-9d8e-0a2b6d1c7f31"
DEFAULT_ACTION = "6f1f3b8e-0c5a-4c1e-9d8e-0a2b6d1c7f32"
CHANGED = 0x62B114D8

EMPTY = b"\x02\0\0\0\0\0"
ANY, ME = bytes(8), bytes(4) + b"\xff" * 4

Keys = dict[str, dict[str, RegValue]]


def blob(type_guid: str, body: bytes, length: int | None = None, end: bytes = b"\0") -> bytes:
    """Return an ipsecData value: type GUID, length of the body, body, pad."""
    return UUID(type_guid).bytes_le + struct.pack("<I", len(body) if length is None else length) + body + end


def filter_bytes(guid: UUID, src: bytes = ME, dst: bytes = ANY, protocol: int = 0, dport: int = 0) -> bytes:
    """Return a version 1 filter, mirrored, without names."""
    return EMPTY * 3 + guid.bytes_le + struct.pack("<I8s8s4xIHHBBH", 1, src, dst, protocol, 0, dport, 0, 0, 0)


def filter_list_blob(filters: list[bytes]) -> bytes:
    """Return the data of an ipsecFilter object, as Windows 10 writes it."""
    body = b"".join(filters)
    return blob("80dc20b5-2ec8-11d1-a89e-00a0248d3021", struct.pack("<I", len(filters)) + body, len(body), b"")


def rule_blob(*, active: bool, interface: int = 0xFFFFFFFD) -> bytes:
    """Return the data of an ipsecNFA object with Kerberos authentication."""
    body = struct.pack("<IIIH", 1, 5, 2, 0) + struct.pack("<I", interface) + EMPTY + struct.pack("<4xII", 0, active) + EMPTY
    return blob("11bbac00-498d-11d1-8639-00a0248d3021", body)


def main_mode_blob() -> bytes:
    """Return the data of an ipsecISAKMPPolicy object with one method, 3DES, SHA-1, group 2."""
    method = struct.pack("<4xII4xII20xIIIII", 3, 0, 2, 0, 2, 0, 0, 28800, 0)
    assert len(method) == 64
    body = bytes(16) + struct.pack("<4xIIIII20xI", 0, 0, 0, 0, 28800, 1) + method
    return blob("80dc20b8-2ec8-11d1-a89e-00a0248d3021", body)


def store(base: str = LOCAL, *, name: str = "Server Isolation", blocked: int = 32) -> Keys:
    """Return the objects below a store key."""
    tail = base.removeprefix("HKEY_LOCAL_MACHINE\\")
    negotiation = "80dc20b9-2ec8-11d1-a89e-00a0248d3021"
    keys: Keys = {}

    def add(kind: str, guid: str, data: bytes, **values: RegValue) -> None:
        keys[f"{base}\\{kind}{{{guid}}}"] = {
            "className": kind,
            "name": f"{kind}{{{guid}}}",
            "ipsecID": f"{{{guid}}}",
            "ipsecDataType": 0x100,
            "ipsecData": data,
            "whenChanged": CHANGED,
            **values,
        }

    def path(kind: str, guid: str) -> str:
        return f"{tail}\\{kind}{{{guid}}}"

    one = [filter_bytes(UUID(int=1), ME, ANY)]
    many = [filter_bytes(UUID(int=100 + n), ANY, ME, 6, 1000 + n) for n in range(blocked)]
    owners = tuple(path("ipsecNFA", guid) for guid in RULES)
    add("ipsecFilter", LISTS[0], filter_list_blob(one), ipsecName="All", ipsecOwnersReference=owners[1:2])
    add("ipsecFilter", LISTS[1], filter_list_blob(many), ipsecName="Blocked", ipsecOwnersReference=owners[2:])
    add("ipsecISAKMPPolicy", MAIN_MODE, main_mode_blob(), ipsecOwnersReference=(path("ipsecPolicy", POLICY),))
    add(
        "ipsecNegotiationPolicy",
        BLOCK,
        blob(negotiation, bytes(4)),
        ipsecName="Block",
        ipsecNegotiationPolicyAction="{3f91a819-7647-11d1-864d-d46a00000000}",
        ipsecNegotiationPolicyType="{62f49e10-6c37-11d1-864c-14a300000000}",
        ipsecOwnersReference=owners[1:],
    )
    add(
        "ipsecNegotiationPolicy",
        DEFAULT_ACTION,
        blob(negotiation, struct.pack("<I", 1) + struct.pack("<IIIIIIII8x40x", 0, 0, 0, 0, 1, 3, 2, 2)),
        ipsecNegotiationPolicyAction="{8a171dd3-77e3-11d1-8659-a04f00000000}",
        ipsecNegotiationPolicyType="{62f49e13-6c37-11d1-864c-14a300000000}",
        ipsecOwnersReference=owners[:1],
    )
    for number, guid in enumerate(RULES):
        values: dict[str, RegValue] = {
            "ipsecNegotiationPolicyReference": path("ipsecNegotiationPolicy", BLOCK if number else DEFAULT_ACTION),
            "ipsecOwnersReference": (path("ipsecPolicy", POLICY),),
        }
        if number:
            values["ipsecFilterReference"] = (path("ipsecFilter", LISTS[number - 1]),)
        add("ipsecNFA", guid, rule_blob(active=bool(number)), **values)
    add(
        "ipsecPolicy",
        POLICY,
        blob("22202163-4f4c-11d1-863b-00a0248d3021", struct.pack("<I", 10800)),
        ipsecName=name,
        ipsecISAKMPReference=path("ipsecISAKMPPolicy", MAIN_MODE),
        ipsecNFAReference=owners,
    )
    return keys


def export(*, assigned: bool = True, name: str = "Server Isolation", blocked: int = 32) -> Keys:
    """Return a whole local store, with its assignment."""
    keys: Keys = {IPSEC: {}, LOCAL: {}}
    if assigned:
        keys[LOCAL]["ActivePolicy"] = rf"SOFTWARE\Policies\Microsoft\Windows\IPSEC\Policy\Local\ipsecPolicy{{{POLICY}}}"
    return keys | store(name=name, blocked=blocked)
