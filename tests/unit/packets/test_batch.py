"""PacketBatch: columns in, columns out, and whose packets they are."""

from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network

import numpy as np
import pytest

from pastore.packets import UNKNOWN, Packet, PacketBatch
from pastore.packets.batch import Network
from pastore.packets.columns import Columns, blank
from tests.support.packets import texts

MIXED = [
    "tcp 10.1.2.3:49152 > 10.9.0.7:445 in",
    "udp [2001:db8::1]:500 > [2001:db8::2]:500 out ras",
    "icmp 10.9.0.7 > 10.1.2.3 out",
]


def mixed() -> PacketBatch:
    return PacketBatch.from_packets(Packet.parse(text) for text in MIXED)


def undirected(*sources: str) -> PacketBatch:
    """A batch whose directions are not known, by way of CSV."""
    rows = [f"{source},{'::' if ':' in source else '255.255.255.255'},tcp" for source in sources]
    return PacketBatch.from_csv("\n".join(["src,dst,protocol", *rows]).encode())


def test_packets_come_back_as_they_went_in() -> None:
    assert texts(mixed()) == MIXED
    assert mixed().packet(-1) == Packet.parse(MIXED[-1])
    assert len(mixed()) == 3
    assert repr(mixed()) == "<PacketBatch: 3 packets>"


def test_there_is_no_packet_beyond_the_last() -> None:
    with pytest.raises(IndexError):
        mixed().packet(3)


def test_a_selection_is_one_family_in_the_form_a_matcher_takes() -> None:
    four = mixed().select(4)
    assert four.index.tolist() == [0, 2]
    assert four.src.tolist() == [int(IPv4Address("10.1.2.3")), int(IPv4Address("10.9.0.7"))]
    assert four.dst.tolist() == [int(IPv4Address("10.9.0.7")), int(IPv4Address("10.1.2.3"))]
    assert (four.protocol.tolist(), four.sport.tolist(), four.dport.tolist()) == ([6, 1], [49152, 0], [445, 0])
    assert four.direction.tolist() == [0, 1]
    six = mixed().select(6)
    assert six.index.tolist() == [1]
    assert six.src.tobytes() == IPv6Address("2001:db8::1").packed
    assert six.interface.tolist() == [1]


@pytest.mark.parametrize("family", [4, 6])
def test_a_selection_is_contiguous_and_of_the_contract_s_types(family: int) -> None:
    got = mixed().select(family)
    types = [np.int64, *[np.uint32 if family == 4 else np.uint8] * 2, np.uint8, np.uint16, np.uint16, np.uint8, np.uint8]
    assert [column.dtype for column in got] == types
    assert all(column.flags.c_contiguous for column in got)
    assert got.src.shape == ((2,) if family == 4 else (1, 16))


def test_a_family_without_packets_is_an_empty_selection() -> None:
    six = PacketBatch.from_columns([1], [2]).select(6)
    assert six.src.shape == (0, 16)
    assert PacketBatch.from_packets([]).select(4).src.shape == (0,)


def test_there_is_no_third_family() -> None:
    with pytest.raises(ValueError, match="family is 5: accepted are 4 and 6"):
        mixed().select(5)


def test_columns_cannot_be_written_to() -> None:
    batch = mixed()
    for name in ("frame", "family", "protocol", "src", "dst", "sport", "dport", "direction", "interface"):
        with pytest.raises(ValueError, match="read-only"):
            getattr(batch, name)[0] = 0


def test_ipv4_columns_become_packets_and_stay_the_caller_s() -> None:
    src = np.array([0x0A010203, 0xFFFFFFFF], np.uint32)
    batch = PacketBatch.from_columns(src, [0x0A090007, 0], 6, [49152, 1], 445, direction=["in", "out"], interface="lan")
    assert texts(batch) == ["tcp 10.1.2.3:49152 > 10.9.0.7:445 in", "tcp 255.255.255.255:1 > 0.0.0.0:445 out"]
    assert batch.frame.tolist() == [1, 2]
    src[0] = 0
    assert batch.select(4).src.tolist() == [0x0A010203, 0xFFFFFFFF]


def test_ipv6_columns_become_packets() -> None:
    src = np.frombuffer(IPv6Address("2001:db8::1").packed, np.uint8).reshape(1, 16)
    batch = PacketBatch.from_columns(src, src, [58], direction=np.array([UNKNOWN], np.uint8), frame=[9])
    assert texts(batch) == ["icmpv6 2001:db8::1 > 2001:db8::1 in"]
    assert (batch.frame.tolist(), batch.direction.tolist(), batch.interface.tolist()) == ([9], [UNKNOWN], [UNKNOWN])


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        ({"src": [-1]}, "src: values must be 0 to 4294967295"),
        ({"dst": [1 << 32]}, "dst: values must be 0 to 4294967295"),
        ({"src": [1.5]}, "src: expected integers, got float64"),
        ({"src": [[1, 2]]}, r"src: expected \(n,\) integers for IPv4 or \(n, 16\) uint8 for IPv6"),
        ({"src": [1, 2]}, "src and dst must have the same shape and family"),
        ({"src": np.zeros((1, 16), np.uint8)}, "src and dst must have the same shape and family"),
        ({"protocol": 256}, "protocol: values must be 0 to 255"),
        ({"sport": [1, 2]}, r"sport: expected one value or 1, got shape \(2,\)"),
        ({"dport": 65536}, "dport: values must be 0 to 65535"),
        ({"direction": "inward"}, "direction is 'inward': accepted are in and out"),
        ({"direction": [2]}, "direction: values must be 0, 1 or 255"),
        ({"interface": ["all"]}, "interface is 'all': accepted are lan and ras"),
        ({"frame": [-1]}, "frame: values must be 0 to"),
    ],
)
def test_columns_that_do_not_fit_are_refused_by_name(arguments: dict[str, object], reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        PacketBatch.from_columns(**{"src": [1], "dst": [2], **arguments})  # type: ignore[arg-type]


def test_a_column_of_the_wrong_type_is_refused_by_name() -> None:
    columns = blank(2)._replace(dport=np.zeros(2, np.int64))
    with pytest.raises(ValueError, match=r"dport: expected \(2,\) uint16, got \(2,\) int64"):
        PacketBatch(columns)
    short: Columns = blank(2)._replace(src=np.zeros((1, 16), np.uint8))
    with pytest.raises(ValueError, match=r"src: expected \(2, 16\) uint8"):
        PacketBatch(short)


def test_without_anything_said_a_packet_comes_in_on_the_lan() -> None:
    batch = undirected("10.9.0.7").with_context()
    assert (batch.direction.tolist(), batch.interface.tolist()) == ([0], [0])


def test_a_packet_from_me_goes_out() -> None:
    batch = undirected("10.9.0.7", "10.9.0.8", "2001:db8::7", "::10.9.0.7").with_context(["10.9.0.7", IPv6Address("2001:db8::7")])
    assert batch.direction.tolist() == [1, 0, 1, 0]


def test_me_may_be_networks() -> None:
    me: list[Network] = [IPv4Network("10.9.0.0/30"), "10.9.0.4/31", "10.9.0.9/32", IPv6Network("2001:db8::/64")]
    sources = [f"10.9.0.{last}" for last in range(11)] + ["2001:db8::ffff:0:0:0", "2001:db8:0:1::"]
    batch = undirected(*sources).with_context(me)
    assert batch.direction.tolist() == [1, 1, 1, 1, 1, 1, 0, 0, 0, 1, 0, 1, 0]


def test_everything_is_me() -> None:
    batch = undirected("0.0.0.1", "255.255.255.255", "::", "ffff::")
    assert batch.with_context(["0.0.0.0/0"]).direction.tolist() == [1, 1, 0, 0]
    assert batch.with_context(["::/0"]).direction.tolist() == [0, 0, 1, 1]


def test_the_given_direction_goes_before_me_and_the_column_before_both() -> None:
    data = (
        b"src,dst,protocol,direction,interface\n10.9.0.7,10.1.2.3,tcp,in,ras\n10.9.0.7,10.1.2.3,tcp,,\n10.1.2.3,10.9.0.7,tcp,,\n"
    )
    batch = PacketBatch.from_csv(data)
    assert batch.with_context(["10.9.0.7"]).direction.tolist() == [0, 1, 0]
    assert batch.with_context(["10.9.0.7"], direction="out").direction.tolist() == [0, 1, 1]
    assert batch.with_context(interface="lan").interface.tolist() == [1, 0, 0]
    assert batch.with_context(interface="ras").interface.tolist() == [1, 1, 1]
    assert batch.direction.tolist() == [0, UNKNOWN, UNKNOWN]  # the batch itself stays as it was


def test_context_keeps_the_rest() -> None:
    batch = PacketBatch.from_csv(b"src,dst,protocol\nill\n10.9.0.7,10.1.2.3,tcp\n")
    known = batch.with_context()
    assert (known.damage, known.frame.tolist(), known.source) == (batch.damage, [3], batch.source)


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        ({"direction": "both"}, "direction is 'both': accepted are in and out"),
        ({"interface": "all"}, "interface is 'all': accepted are lan and ras"),
        ({"me": ["me"]}, "'me' does not appear to be an IPv4 or IPv6 network"),
    ],
)
def test_context_in_other_words_is_refused(arguments: dict[str, object], reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        mixed().with_context(**arguments)  # type: ignore[arg-type]
