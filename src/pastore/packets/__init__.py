"""Packets to be judged: NumPy columns, capture files, CSV, traces."""

from pastore.packets.batch import PacketBatch, Selection, read_packets
from pastore.packets.columns import UNKNOWN, Damage
from pastore.packets.names import port_name, port_number, protocol_name, protocol_number
from pastore.packets.packet import Packet, address, address_text, endpoint, endpoint_text

__all__ = [
    "UNKNOWN",
    "Damage",
    "Packet",
    "PacketBatch",
    "Selection",
    "address",
    "address_text",
    "endpoint",
    "endpoint_text",
    "port_name",
    "port_number",
    "protocol_name",
    "protocol_number",
    "read_packets",
]
