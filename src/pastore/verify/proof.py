"""What was compared with what, and where the answers differ."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

import numpy as np
import numpy.typing as npt

from pastore.matcher import Matcher
from pastore.model import Action
from pastore.packets.batch import PacketBatch
from pastore.packets.packet import Packet
from pastore.verify import kernel

MISMATCHES_TOLD: Final = 10


@dataclass(frozen=True, slots=True)
class Answer:
    """The action for a packet and the row that decided, -1 for none."""

    action: str
    row: int


@dataclass(frozen=True, slots=True)
class Mismatch:
    """A packet that two judges see differently: the answer of the table, and the other's."""

    packet: Packet
    table: Answer
    other: Answer


@dataclass(frozen=True, slots=True)
class Comparison:
    """The table against one other judge.

    Parameters
    ----------
    against : str
        "scan" or "kernel".
    packets : int
        How many were compared.
    different : int
        How many got another action or another row.
    mismatches : tuple of Mismatch
        The first `MISMATCHES_TOLD` of them.
    left_out : dict of str to int
        Packets that this judge cannot be asked about, by reason.
    unanswered : int
        Packets it was asked about and did not answer.
    unavailable : str
        Why nothing at all was compared, else empty.
    """

    against: str
    packets: int = 0
    different: int = 0
    mismatches: tuple[Mismatch, ...] = ()
    left_out: dict[str, int] = field(default_factory=dict)
    unanswered: int = 0
    unavailable: str = ""


def against_scan(matcher: Matcher, packets: PacketBatch) -> Comparison:
    """Compare the table with the linear scan of the same rows."""
    other = matcher.scan(packets)
    assert other.index is not None
    return _compare("scan", matcher, packets, other.action, other.index, np.ones(len(packets), bool))


def against_kernel(matcher: Matcher, packets: PacketBatch) -> Comparison:
    """Compare the table with the kernel's packet filter, which is given the same rows."""
    try:
        answers = kernel.judge(matcher.filters, packets)
    except kernel.KernelUnavailableError as error:
        return Comparison("kernel", unavailable=str(error))
    answered = answers.asked & (answers.action != kernel.UNANSWERED)
    return _compare("kernel", matcher, packets, answers.action, answers.row, answered, answers.left_out, answers.unanswered)


def _compare(
    against: str,
    matcher: Matcher,
    packets: PacketBatch,
    action: npt.NDArray[np.uint8],
    row: npt.NDArray[np.int32],
    compared: npt.NDArray[np.bool_],
    left_out: dict[str, int] | None = None,
    unanswered: int = 0,
) -> Comparison:
    table = matcher.classify(packets)
    assert table.index is not None
    differ = np.flatnonzero(compared & ((table.action != action) | (table.index != row)))
    mismatches = tuple(
        Mismatch(packets.packet(at), _answer(table.action, table.index, at), _answer(action, row, at))
        for at in differ[:MISMATCHES_TOLD].tolist()
    )
    return Comparison(against, int(compared.sum()), len(differ), mismatches, left_out or {}, unanswered)


def _answer(action: Sequence[int] | npt.NDArray[np.uint8], row: Sequence[int] | npt.NDArray[np.int32], at: int) -> Answer:
    return Answer(str(Action(int(action[at]))), int(row[at]))
