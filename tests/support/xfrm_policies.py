"""A program: prints the IPsec policies of the kernel of this network namespace as JSON, by netlink (linux/xfrm.h)."""

import json
import socket
import struct
import sys

NETLINK_XFRM, XFRM_MSG_GETPOLICY, XFRMA_TMPL = 6, 21, 5
NLM_F_REQUEST, NLM_F_DUMP, NLMSG_DONE = 1, 0x300, 3


def main() -> None:
    found = []
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, NETLINK_XFRM) as kernel:
        kernel.send(struct.pack("=IHHII", 16 + 64, XFRM_MSG_GETPOLICY, NLM_F_REQUEST | NLM_F_DUMP, 1, 0) + bytes(64))
        more = True
        while more:
            data, at = kernel.recv(1 << 20), 0
            while at + 16 <= len(data):
                length, kind = struct.unpack_from("=IH", data, at)
                if kind == NLMSG_DONE:
                    more = False
                    break
                found.append(policy(data[at + 16 : at + length]))
                at += length + 3 & ~3
    json.dump([each for each in found if each["direction"] in (0, 1)], sys.stdout)


def policy(data: bytes) -> dict[str, object]:
    dport, dmask, sport, smask = struct.unpack_from(">HHHH", data, 32)
    family, dlen, slen, protocol = struct.unpack_from("=HBBB", data, 40)
    priority, _, direction, action = struct.unpack_from("=IIBB", data, 56 + 64 + 32)
    size = 4 if family == socket.AF_INET else 16
    at, templates = 168, False
    while at + 4 <= len(data):
        length, attribute = struct.unpack_from("=HH", data, at)
        templates |= attribute == XFRMA_TMPL
        at += max(4, length + 3 & ~3)
    return {
        "family": 4 if size == 4 else 6,
        "src": [int.from_bytes(data[16 : 16 + size], "big"), slen],
        "dst": [int.from_bytes(data[:size], "big"), dlen],
        "sport": [sport, smask],
        "dport": [dport, dmask],
        "protocol": protocol,
        "priority": priority,
        "direction": direction,
        "action": "block" if action else ("protect" if templates else "allow"),
    }


if __name__ == "__main__":
    main()
