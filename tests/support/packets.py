"""Ways to look at packets that several tests share."""

from pastore.packets import PacketBatch


def texts(batch: PacketBatch) -> list[str]:
    """Return every packet of a batch as text."""
    return [str(batch.packet(row)) for row in range(len(batch))]
