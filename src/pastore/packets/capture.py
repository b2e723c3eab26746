"""Capture files: the packet walk of the C core, and what it found as sentences."""

from typing import Final

from pastore.packets import _frames
from pastore.packets.columns import Columns, Damage, blank
from pastore.packets.content import Octets, refusal

_LINKS: Final = "0, 1, 12, 14, 101, 108, 113, 228, 229 and 276"  # as in ext/core/frames.c


def read_capture(data: Octets) -> Columns:
    """Read every IP packet of a classic pcap capture.

    Parameters
    ----------
    data : contiguous buffer of bytes

    Returns
    -------
    Columns
        With `frame` the number of the frame, direction and interface unknown, and `skipped` the frames without an IP packet.
        Never raises for what the bytes are; PA102, PA150, PA151 and PA153 say what was wrong.
    """
    status, header, arrays, report = _frames.walk(data)
    if arrays is None or report is None:
        return blank(0, _header_damage(status, header, data))
    frame, family, protocol, sport, dport, src, dst = arrays
    frames, other, broken, stopped, claim, end = report
    damage = []
    if end != _frames.WHOLE:
        damage.append(Damage("PA150", _end_text(frames, stopped, claim, end)))
    if other or broken:
        damage.append(
            Damage(
                "PA153",
                f"{other + broken} of {frames} frames hold no IP packet that can be read:"
                f" {other} of other protocols, {broken} with a cut or damaged header",
            )
        )
    unknown = blank(len(frame))
    return Columns(
        frame, family, protocol, src, dst, sport, dport, unknown.direction, unknown.interface, tuple(damage), other + broken
    )


def _header_damage(status: int, header: tuple[int, int, int], data: Octets) -> Damage:
    major, minor, link = header
    if status == _frames.SHORT:
        return Damage("PA150", f"the capture ends at byte {len(data)}, inside its 24-byte file header", fatal=True)
    if status == _frames.VERSION:
        return Damage("PA151", f"the capture is of pcap version {major}.{minor}: understood is 2.4", fatal=True)
    if status == _frames.LINK:
        return Damage("PA151", f"the capture is of link type {link}: understood are {_LINKS}", fatal=True)
    return refusal(data)


def _end_text(frames: int, stopped: int, claim: int, end: int) -> str:
    last = f"the last whole frame is number {frames}" if frames else "there is no whole frame"
    if end == _frames.CUT_HEADER:
        return f"the capture ends inside the header of the frame at byte {stopped}; {last}"
    if end == _frames.CUT_FRAME:
        return f"the frame at byte {stopped} claims {claim} bytes, more than the file holds; {last}"
    if end == _frames.ABSURD:
        return f"the frame at byte {stopped} claims {claim} bytes, more than the capture's snapshot length allows; {last}"
    return f"the capture grew while it was read and was read up to byte {stopped}; {last}"
