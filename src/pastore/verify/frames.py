"""Packets -> the frames that carry them to the kernel, and back: who is who in its answers."""

from typing import Final

import numpy as np
import numpy.typing as npt

from pastore.packets.batch import Selection

ETHERNET: Final = 14
HEADER: Final = {4: 20, 6: 40}
PORTS: Final = 8  # of the transport header, whatever the protocol: the ports and four bytes more

# The kernel walks these as extension headers of IPv6 and looks for another protocol behind them.
EXTENSION_HEADERS: Final = (0, 43, 44, 51, 60)

_ETHERTYPE: Final = {4: 0x0800, 6: 0x86DD}


def judgeable(family: int, protocol: npt.NDArray[np.uint8]) -> npt.NDArray[np.bool_]:
    """Return which packets the kernel takes for what they are; all of IPv4, and of IPv6 all but `EXTENSION_HEADERS`."""
    return np.ones(len(protocol), bool) if family == 4 else ~np.isin(protocol, EXTENSION_HEADERS)


def frames(family: int, packets: Selection) -> npt.NDArray[np.uint8]:
    """Return Ethernet frames, one a packet.

    Parameters
    ----------
    family : int
        4 or 6.
    packets : Selection
        The m packets of that family.

    Returns
    -------
    numpy.ndarray, shape (m, length), uint8
        An IP header without options, ports, and four bytes of nothing. The packet's number, modulo 65536, is its identification
        in IPv4 and its flow label in IPv6: no rule looks at either.
    """
    m = len(packets.protocol)
    header = HEADER[family]
    out = np.zeros((m, ETHERNET + header + PORTS), np.uint8)
    _put(out, 12, np.full(m, _ETHERTYPE[family]))
    ip = out[:, ETHERNET:]
    number = np.arange(m) & 0xFFFF
    if family == 4:
        ip[:, 0] = 0x45
        _put(ip, 2, np.full(m, header + PORTS))
        _put(ip, 4, number)
        ip[:, 8] = 64
        ip[:, 9] = packets.protocol
        ip[:, 12:16] = packets.src.astype(">u4").view(np.uint8).reshape(m, 4)
        ip[:, 16:20] = packets.dst.astype(">u4").view(np.uint8).reshape(m, 4)
        _put(ip, 10, _checksum(ip[:, :20]))
    else:
        ip[:, 0] = 0x60
        _put(ip, 2, number)
        _put(ip, 4, np.full(m, PORTS))
        ip[:, 6] = packets.protocol
        ip[:, 7] = 64
        ip[:, 8:24] = packets.src
        ip[:, 24:40] = packets.dst
    _put(ip, header, packets.sport)
    _put(ip, header + 2, packets.dport)
    return out


def _put(out: npt.NDArray[np.uint8], at: int, values: npt.NDArray[np.integer]) -> None:
    """Write 16-bit numbers in network order."""
    wide = values.astype(np.uint16)
    out[:, at] = wide >> 8
    out[:, at + 1] = wide & 0xFF


def _checksum(headers: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint16]:
    """Return the Internet checksum (RFC 1071) of each header, whose own field is still 0."""
    total = np.ascontiguousarray(headers).view(">u2").astype(np.uint32).sum(axis=1)
    for _ in range(2):
        total = (total >> 16) + (total & 0xFFFF)
    checksum: npt.NDArray[np.uint16] = (~total).astype(np.uint16)
    return checksum
