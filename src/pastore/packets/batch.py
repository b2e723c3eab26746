"""PacketBatch: many packets as columns, from wherever they come."""

import os
from collections.abc import Iterable, Sequence
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, collapse_addresses, ip_network
from typing import Any, Final, NamedTuple, Self

import numpy as np
import numpy.typing as npt

from pastore.packets.capture import read_capture
from pastore.packets.columns import UNKNOWN, Columns, Damage, address_bytes, blank, checked, rows
from pastore.packets.content import Content, Source, kind, opened, refusal
from pastore.packets.lists import read_csv, read_trace
from pastore.packets.packet import DIRECTIONS, INTERFACES, Packet

Network = IPv4Network | IPv6Network | IPv4Address | IPv6Address | str

_CODES: Final = {
    "direction": {word: code for code, word in enumerate(DIRECTIONS)},
    "interface": {word: code for code, word in enumerate(INTERFACES)},
}


class Selection(NamedTuple):
    """The packets of one family as the contiguous columns a matcher takes.

    Parameters
    ----------
    index : numpy.ndarray, shape (m,), int64
        Where each of them is in the batch.
    src, dst : numpy.ndarray
        IPv4: (m,) uint32 in host order. IPv6: (m, 16) uint8 in network order.
    protocol : numpy.ndarray, shape (m,), uint8
    sport, dport : numpy.ndarray, shape (m,), uint16
    direction, interface : numpy.ndarray, shape (m,), uint8
    """

    index: npt.NDArray[np.int64]  # type: ignore[assignment]  # hides tuple.index, which nobody wants here
    src: npt.NDArray[np.uint32] | npt.NDArray[np.uint8]
    dst: npt.NDArray[np.uint32] | npt.NDArray[np.uint8]
    protocol: npt.NDArray[np.uint8]
    sport: npt.NDArray[np.uint16]
    dport: npt.NDArray[np.uint16]
    direction: npt.NDArray[np.uint8]
    interface: npt.NDArray[np.uint8]


class PacketBatch:
    """Packets of both families as read-only columns, with what was wrong with their source.

    Parameters
    ----------
    columns : Columns
        Taken as they are and made read-only.
    source : str
        What the packets came from, as the user named it.

    Attributes
    ----------
    frame : numpy.ndarray, shape (n,), int64
        Number of the frame of a capture, or of the line of a list, from 1.
    family : numpy.ndarray, shape (n,), uint8
        4 or 6.
    protocol : numpy.ndarray, shape (n,), uint8
    src, dst : numpy.ndarray, shape (n, 16), uint8
        Network order; IPv4 in the first four bytes, the rest 0.
    sport, dport : numpy.ndarray, shape (n,), uint16
        0 where the packet has no ports.
    direction : numpy.ndarray, shape (n,), uint8
        0 in, 1 out, 255 where the source does not tell.
    interface : numpy.ndarray, shape (n,), uint8
        0 lan, 1 ras, 255 where the source does not tell.
    damage : tuple of Damage
    skipped : int
        Frames without an IP packet.

    Raises
    ------
    ValueError
        If a column has the wrong type or shape.
    """

    __slots__ = (
        "_columns",
        "damage",
        "direction",
        "dport",
        "dst",
        "family",
        "frame",
        "interface",
        "protocol",
        "skipped",
        "source",
        "sport",
        "src",
    )

    def __init__(self, columns: Columns, source: str = "") -> None:
        self._columns = checked(columns)
        self.source = source
        self.frame, self.family, self.protocol = columns.frame, columns.family, columns.protocol
        self.src, self.dst, self.sport, self.dport = columns.src, columns.dst, columns.sport, columns.dport
        self.direction, self.interface = columns.direction, columns.interface
        self.damage, self.skipped = columns.damage, columns.skipped

    @classmethod
    def from_columns(
        cls,
        src: npt.ArrayLike,
        dst: npt.ArrayLike,
        protocol: npt.ArrayLike = 0,
        sport: npt.ArrayLike = 0,
        dport: npt.ArrayLike = 0,
        *,
        direction: npt.ArrayLike | None = None,
        interface: npt.ArrayLike | None = None,
        frame: npt.ArrayLike | None = None,
    ) -> Self:
        """Build a batch of one family from arrays, which are copied.

        Parameters
        ----------
        src, dst : array_like, shape (n,) of integers, or (n, 16) of uint8
            IPv4 as integers in host order, IPv6 as bytes in network order.
        protocol : array_like of integers, 0 to 255
        sport, dport : array_like of integers, 0 to 65535
        direction : array_like of uint8 or str, optional
            0 in, 1 out, 255 not known, or those words. Not known when left out.
        interface : array_like of uint8 or str, optional
            0 lan, 1 ras, 255 not known, or those words. Not known when left out.
        frame : array_like of integers, optional
            1 to n when left out.

        Raises
        ------
        ValueError
            If shapes or values do not fit; the message names the column.
        """
        family, sources = _addresses("src", src)
        other_family, destinations = _addresses("dst", dst)
        if family != other_family or sources.shape != destinations.shape:
            raise ValueError("src and dst must have the same shape and family: both (n,) integers or both (n, 16) uint8")
        n = len(sources)
        columns = blank(n)
        columns.family[:] = family
        columns.src[:, : sources.shape[1]] = sources
        columns.dst[:, : sources.shape[1]] = destinations
        columns.protocol[:] = _numbers("protocol", protocol, n, 0, 255)
        columns.sport[:] = _numbers("sport", sport, n, 0, 65535)
        columns.dport[:] = _numbers("dport", dport, n, 0, 65535)
        if direction is not None:
            columns.direction[:] = _codes("direction", direction, n)
        if interface is not None:
            columns.interface[:] = _codes("interface", interface, n)
        columns.frame[:] = np.arange(1, n + 1) if frame is None else _numbers("frame", frame, n, 0, 2**63 - 1)
        return cls(columns)

    @classmethod
    def from_packets(cls, packets: Iterable[Packet]) -> Self:
        """Build a batch of packets of either family, numbered from 1."""
        return cls(
            rows(
                [
                    (
                        number,
                        packet.family,
                        packet.protocol,
                        address_bytes(packet.family, packet.src),
                        address_bytes(packet.family, packet.dst),
                        packet.sport,
                        packet.dport,
                        packet.direction,
                        packet.interface,
                    )
                    for number, packet in enumerate(packets, 1)
                ]
            )
        )

    @classmethod
    def from_pcap(cls, source: Source) -> Self:
        """Read a classic pcap capture, gzip or not.

        Parameters
        ----------
        source : path or bytes

        Returns
        -------
        PacketBatch
            Whatever the content is: `damage` says what could not be read.

        Raises
        ------
        OSError
            If the file cannot be read.
        """
        return cls._read(source, "pcap")

    @classmethod
    def from_csv(cls, source: Source) -> Self:
        """Read a packet CSV (``src,dst,protocol,sport,dport,direction,interface``), as `from_pcap` does a capture."""
        return cls._read(source, "csv")

    @classmethod
    def from_trace(cls, source: Source) -> Self:
        """Read a ClassBench trace (``src dst sport dport protocol``, decimal), as `from_pcap` does a capture."""
        return cls._read(source, "trace")

    @classmethod
    def _read(cls, source: Source, form: str) -> Self:
        with opened(source) as content:
            return cls(_columns(content, form), os.fspath(source) if isinstance(source, (str, os.PathLike)) else "")

    def __len__(self) -> int:
        return len(self.frame)

    def __repr__(self) -> str:
        return f"<PacketBatch: {len(self)} packets>"

    def packet(self, index: int) -> Packet:
        """Return one packet; where direction or interface is not known, in and lan.

        Raises
        ------
        IndexError
            If there is no such row.
        """
        family = int(self.family[index])
        size = 4 if family == 4 else 16
        direction, interface = int(self.direction[index]), int(self.interface[index])
        return Packet(
            family,
            int(self.protocol[index]),
            int.from_bytes(self.src[index, :size].tobytes(), "big"),
            int.from_bytes(self.dst[index, :size].tobytes(), "big"),
            int(self.sport[index]),
            int(self.dport[index]),
            0 if direction == UNKNOWN else direction,
            0 if interface == UNKNOWN else interface,
        )

    def select(self, family: int) -> Selection:
        """Return the packets of one family.

        Parameters
        ----------
        family : int
            4 or 6.

        Raises
        ------
        ValueError
            If it is neither.
        """
        if family not in (4, 6):
            raise ValueError(f"family is {family}: accepted are 4 and 6")
        index = np.flatnonzero(self.family == family)
        src, dst = self.src[index], self.dst[index]
        return Selection(
            index,
            _host_order(src) if family == 4 else src,
            _host_order(dst) if family == 4 else dst,
            self.protocol[index],
            self.sport[index],
            self.dport[index],
            self.direction[index],
            self.interface[index],
        )

    def with_context(self, me: Sequence[Network] = (), direction: str | None = None, interface: str = "lan") -> "PacketBatch":
        """Return a batch in which direction and interface of every packet are known.

        What a column of the source says stays. Otherwise the direction is the given one, else out when the source address is
        one of ours, else in; the interface is the given one.

        Parameters
        ----------
        me : sequence of addresses or networks
            Our own addresses: ipaddress objects, or text such as ``10.9.0.7`` or ``2001:db8::/64``.
        direction : str, optional
            "in" or "out".
        interface : str
            "lan" or "ras".

        Raises
        ------
        ValueError
            If a word or an address is not one of these.
        """
        networks = [_network(item) for item in me]
        given = None if direction is None else _code("direction", direction)
        known_interface = np.where(self.interface == UNKNOWN, np.uint8(_code("interface", interface)), self.interface)
        filled = self._within(networks).astype(np.uint8) if given is None else np.full(len(self), given, np.uint8)
        known_direction = np.where(self.direction == UNKNOWN, filled, self.direction)
        return PacketBatch(self._columns._replace(direction=known_direction, interface=known_interface), self.source)

    def _within(self, networks: Sequence[IPv4Network | IPv6Network]) -> npt.NDArray[np.bool_]:
        """Whether each source address is in one of the networks, by binary search in their disjoint ranges."""
        found = np.zeros(len(self), bool)
        if not networks:
            return found
        keys = np.ascontiguousarray(self.src).view("S16").ravel()  # compares as the bytes do; a 0 at the end as padding
        for family, members in (
            (4, list(collapse_addresses(item for item in networks if isinstance(item, IPv4Network)))),
            (6, list(collapse_addresses(item for item in networks if isinstance(item, IPv6Network)))),
        ):
            if members:
                first = np.array([address_bytes(family, int(item.network_address)) for item in members], "S16")
                last = np.array([address_bytes(family, int(item.broadcast_address)) for item in members], "S16")
                place = np.searchsorted(first, keys, side="right") - 1
                found |= (self.family == family) & (place >= 0) & (keys <= last[place])
        return found


def read_packets(path: str | os.PathLike[str], source: str = "") -> PacketBatch:
    """Read packets from a file whose format is told by its first bytes.

    Parameters
    ----------
    path : path
        A pcap capture, a packet CSV or a ClassBench trace, gzip or not; ``-`` is standard input.
    source : str
        The name to show for it; the path when left out.

    Returns
    -------
    PacketBatch
        Never raises for what is or is not there: an unreadable file is PA101, unknown content PA102, both fatal and in
        `PacketBatch.damage` with the rest.
    """
    name = source or ("(standard input)" if path == "-" else os.fspath(path))
    try:
        with opened(path) as content:
            return PacketBatch(_columns(content, kind(content.data)), name)
    except OSError as error:
        return PacketBatch(blank(0, Damage("PA101", f"{name} cannot be read: {error.strerror or error}", fatal=True)), name)


def _columns(content: Content, form: str | None) -> Columns:
    cut = bool(content.damage)
    if form == "pcap":
        columns = read_capture(content.data)
    elif form == "csv":
        columns = read_csv(content.data, cut)
    elif form == "trace":
        columns = read_trace(content.data, cut)
    else:
        columns = blank(0, refusal(content.data))
    return columns._replace(damage=content.damage + columns.damage)


def _host_order(octets: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint32]:
    return np.ascontiguousarray(octets[:, :4]).view(">u4").ravel().astype(np.uint32)


def _network(item: Network) -> IPv4Network | IPv6Network:
    return item if isinstance(item, (IPv4Network, IPv6Network)) else ip_network(item, strict=False)


def _addresses(name: str, value: npt.ArrayLike) -> tuple[int, npt.NDArray[np.uint8]]:
    column = np.asarray(value)
    if column.ndim == 2 and column.shape[1] == 16 and column.dtype == np.uint8:
        return 6, column
    if column.ndim == 1:
        numbers = _numbers(name, column, len(column), 0, 0xFFFFFFFF)
        return 4, numbers.astype(">u4").view(np.uint8).reshape(-1, 4)
    raise ValueError(f"{name}: expected (n,) integers for IPv4 or (n, 16) uint8 for IPv6, got {column.shape} {column.dtype}")


def _numbers(name: str, value: npt.ArrayLike, n: int, low: int, high: int) -> npt.NDArray[Any]:
    column = np.asarray(value)
    if column.shape not in ((), (n,)):
        raise ValueError(f"{name}: expected one value or {n}, got shape {column.shape}")
    if column.size and not np.issubdtype(column.dtype, np.integer):
        raise ValueError(f"{name}: expected integers, got {column.dtype}")
    if column.size and (int(column.min()) < low or int(column.max()) > high):
        raise ValueError(f"{name}: values must be {low} to {high}")
    return column


def _codes(name: str, value: npt.ArrayLike, n: int) -> npt.NDArray[Any]:
    column = np.asarray(value)
    if column.dtype.kind in "UO":
        column = np.array([_code(name, str(word)) for word in column.ravel()], np.uint8).reshape(column.shape)
    column = _numbers(name, column, n, 0, UNKNOWN)
    if np.any((column > 1) & (column != UNKNOWN)):
        raise ValueError(f"{name}: values must be 0, 1 or {UNKNOWN}")
    return column


def _code(name: str, word: str) -> int:
    code = _CODES[name].get(word)
    if code is None:
        raise ValueError(f"{name} is {word!r}: accepted are {' and '.join(_CODES[name])}")
    return code
