"""The Matcher: specific filters compiled into an immutable table, and the questions it answers."""

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from operator import index as to_integer
from time import perf_counter
from typing import Any, Literal, NoReturn, overload

import numpy as np
import numpy.typing as npt

from pastore.filters.background import Background
from pastore.filters.specific import EXEMPTIONS, INPASS, SOFT, SpecificFilters
from pastore.findings import Finding
from pastore.matcher._matcher import Table
from pastore.matcher.columns import DIRECTIONS, INTERFACES, Columns, code_of, columns_of
from pastore.matcher.stored import open_table, sections_of, write_file
from pastore.matcher.verdicts import LAYOUTS, UNKNOWN, Batch, Stats, Verdict, Verdicts
from pastore.model import Action

_ACTIONS = tuple(str(action) for action in Action)

# Below this many packets a thread more costs more than it saves.
_PACKETS_A_THREAD = 4096


class Matcher:
    """Judges packets by specific filters: the first row that holds a packet decides.

    Immutable, and safe to use from any number of threads at once; a new policy means a new Matcher.

    Parameters
    ----------
    filters : SpecificFilters
        In the order tried; that order, not `rank`, is what counts.
    findings : sequence of Finding
        What was found on the way here; handed through.
    background : callable, optional
        Gives what stands behind the rows of a policy; called when it is first asked for.
    verdict : {"rule", "action"}
        "action" builds a smaller table that knows actions only.
    memory_limit : int, optional
        Bytes the finished table may take; slower layouts are chosen as needed, and faster ones that take more where there is
        room for them. Without it the table keeps within about 16 MiB, or 256 bytes a row above 100,000, as long as the rows fall
        into groups; bit vectors keep within 64 MiB, or 256 bytes a row where that is more, except for rows that crowd so much
        that the smallest need more.
    layout : str, optional
        One of `LAYOUTS` instead of the fastest; where the rows cannot have it, a simpler one (`stats.layout` tells).

    Attributes
    ----------
    filters : SpecificFilters
    findings : tuple of Finding
    stats : Stats

    Raises
    ------
    MemoryLimitError
        If even the plain list of rows exceeds `memory_limit`.
    ValueError
        If an argument or a row is not well formed, or ranks fall from a row to the next; the message names the row.

    Examples
    --------
    >>> rows = SpecificFilters.from_columns(
    ...     src_lo=[0], src_hi=[0xFFFFFFFF], dst_lo=[0x0A090007], dst_hi=[0x0A090007],
    ...     protocol_lo=6, protocol_hi=6, dport_lo=445, dport_hi=445, action="block")
    >>> Matcher(rows).match(6, 0x0A010203, 0x0A090007, 49152, 445).action
    'block'
    """

    __slots__ = ("_background", "_filters", "_findings", "_stats", "_table", "_verdicts")

    _background: Callable[[], Background] | Background | None
    _filters: SpecificFilters
    _findings: tuple[Finding, ...]
    _stats: Stats
    _table: Table
    _verdicts: dict[int, Verdict]

    def __init__(
        self,
        filters: SpecificFilters,
        *,
        findings: Sequence[Finding] = (),
        background: Callable[[], Background] | None = None,
        verdict: Literal["rule", "action"] = "rule",
        memory_limit: int | None = None,
        layout: str | None = None,
    ) -> None:
        if layout is not None and layout not in LAYOUTS:
            raise ValueError(f"layout: {layout!r} is none of {', '.join(LAYOUTS)}")
        if verdict not in ("rule", "action"):
            raise ValueError(f'verdict: {verdict!r} is neither "rule" nor "action"')
        if memory_limit is not None and memory_limit <= 0:
            raise ValueError(f"memory_limit: {memory_limit} is not a positive number of bytes")
        started = perf_counter()
        table = Table.build(filters.rows.view(np.uint8), memory_limit or 0, verdict == "action", layout)
        seconds = perf_counter() - started
        self._fill(filters, findings, background, table, seconds)

    def _fill(
        self,
        filters: SpecificFilters,
        findings: Sequence[Finding],
        background: Callable[[], Background] | Background | None,
        table: Table,
        seconds: float,
    ) -> None:
        rows, dead_rows, size, layout, groups, isa = table.stats()
        # Verdicts by what the table answers; filled as they are asked for, so a repeated answer is one look-up.
        verdicts = {-1: Verdict("none", index=-1, inpass=False, soft=False)}
        for name, value in (
            ("_background", background),
            ("_filters", filters),
            ("_findings", tuple(findings)),
            ("_stats", Stats(_count_rules(filters), rows, seconds, size, layout, isa, dead_rows, groups)),
            ("_table", table),
            ("_verdicts", verdicts),
        ):
            object.__setattr__(self, name, value)

    def __copy__(self) -> "Matcher":
        return self

    def __deepcopy__(self, memo: object) -> "Matcher":
        return self

    def __reduce__(self) -> NoReturn:
        raise TypeError("a Matcher cannot be pickled: compile its policy again in the other process")

    @classmethod
    def open(cls, path: str | os.PathLike[str]) -> "Matcher":
        """Open a table that `save` wrote: memory-mapped, and checked whole before it answers.

        Parameters
        ----------
        path : str or path
            A regular file. It must not be cut short or written to while the matcher is in use (`save` replaces it whole, which is
            safe); a file that shrinks ends the process.

        Returns
        -------
        Matcher
            Answers as the one that was saved.

        Raises
        ------
        TableError
            If the file is no table, of another version or byte order, cut off or damaged; the message says which.
        OSError
            If it cannot be opened.
        """
        opened = open_table(os.fsdecode(path))
        self = cls.__new__(cls)
        self._fill(opened.filters, opened.findings, opened.background, opened.table, opened.build_seconds)
        return self

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the table, with its filters and findings, to a file for `open`.

        Parameters
        ----------
        path : str or path
            Replaced whole: until the new table is on the disk, the old file stays.

        Raises
        ------
        OSError
            If it cannot be written; the old file is as it was.
        ValueError
            If a source has a text or JSON form of other types than those of `FilterSource`; the message says which.
        """
        sections = sections_of(self._filters, self._findings, self.background, self._stats.build_seconds)
        write_file(os.fsdecode(path), lambda file: self._table.save(sections, file.write))

    def __setattr__(self, name: str, value: object) -> NoReturn:
        raise AttributeError(f"a Matcher is immutable: {name} cannot be set")

    def __delattr__(self, name: str) -> NoReturn:
        raise AttributeError(f"a Matcher is immutable: {name} cannot be deleted")

    def __repr__(self) -> str:
        return f"<Matcher: {self._stats.specific_filters} rows, {self._stats.layout}, {self._stats.bytes} bytes>"

    @property
    def filters(self) -> SpecificFilters:
        """The rows, in the order tried."""
        return self._filters

    @property
    def findings(self) -> tuple[Finding, ...]:
        """What was found while the rows were made."""
        return self._findings

    @property
    def background(self) -> Background | None:
        """What stands behind the rows; None for rows that came without a Policy."""
        if callable(self._background):
            object.__setattr__(self, "_background", self._background())
        found = self._background
        assert not callable(found)
        return found

    @property
    def actions_only(self) -> bool:
        """Whether this matcher cannot say which row decided."""
        return self._table.actions_only

    @property
    def stats(self) -> Stats:
        """Counts, size, build time and layout."""
        return self._stats

    def match(
        self,
        protocol: int | str,
        src: int | str,
        dst: int | str,
        sport: int | None = None,
        dport: int | None = None,
        *,
        direction: str | int = "in",
        family: int = 4,
        interface: str | int = "lan",
    ) -> Verdict:
        """Judge one packet.

        Parameters
        ----------
        protocol : int or str
            Number or name.
        src, dst : int or str
            Both addresses as integers, or both as text, ``10.1.2.3:49152`` or ``[2001:db8::1]:443``, the port optional.
        sport, dport : int, optional
            With integer addresses only. 0 when left out.
        direction : {"in", "out"}
        family : {4, 6}
            Of integer addresses; text says it itself.
        interface : {"lan", "ras"}

        Returns
        -------
        Verdict

        Raises
        ------
        ValueError
            If a value does not fit its field or a text cannot be read; the message names it.
        TypeError
            If one address is text and the other is not, or ports are given twice.
        """
        if isinstance(protocol, str):
            from pastore.packets import protocol_number

            protocol = protocol_number(protocol)
        if isinstance(src, str) or isinstance(dst, str):
            if sport is not None or dport is not None:
                raise TypeError("sport and dport go with integer addresses; in text, the port is part of src and dst")
            family, *packet = _endpoints(src, dst)
            return self.match(protocol, *packet, direction=direction, family=family, interface=interface)
        try:
            if family == 4:
                action, index = self._table.match4(
                    src, dst, protocol, sport or 0, dport or 0, DIRECTIONS[direction], INTERFACES[interface]
                )
            elif family == 6:
                action, index = self._table.match6(
                    to_integer(src).to_bytes(16, "big"),
                    to_integer(dst).to_bytes(16, "big"),
                    protocol,
                    sport or 0,
                    dport or 0,
                    DIRECTIONS[direction],
                    INTERFACES[interface],
                )
            else:
                raise ValueError(f"family: {family!r} is neither 4 nor 6")
        except (KeyError, OverflowError):
            raise _misfit(family, protocol, src, dst, sport or 0, dport or 0, direction, interface) from None
        if self._table.actions_only:
            return _ACTION_VERDICTS[action]
        return self._verdicts.get(index) or self._verdict(index)

    def _verdict(self, index: int) -> Verdict:
        row = self._filters.rows[index]
        source = self._filters.source(index)
        verdict = Verdict(
            action=_ACTIONS[row["action"]],
            rule=source.rule if source else None,
            filter=source,
            index=index,
            inpass=bool(row["flags"] & INPASS),
            soft=bool(row["flags"] & SOFT),
            tunnel=source.tunnel if source else None,
            exempt=EXEMPTIONS[row["exempt"]],
        )
        self._verdicts[index] = verdict
        return verdict

    @overload
    def classify(
        self, src: Batch, /, *, direction: str = "in", interface: str = "lan", threads: int = 1, out: Verdicts | None = None
    ) -> Verdicts: ...
    @overload
    def classify(
        self,
        src: npt.ArrayLike,
        dst: npt.ArrayLike,
        protocol: npt.ArrayLike,
        sport: npt.ArrayLike,
        dport: npt.ArrayLike,
        direction: str | npt.ArrayLike = "in",
        interface: str | npt.ArrayLike = "lan",
        threads: int = 1,
        out: Verdicts | None = None,
    ) -> Verdicts: ...
    def classify(
        self,
        src: Batch | npt.ArrayLike,
        dst: npt.ArrayLike | None = None,
        protocol: npt.ArrayLike | None = None,
        sport: npt.ArrayLike | None = None,
        dport: npt.ArrayLike | None = None,
        direction: str | npt.ArrayLike = "in",
        interface: str | npt.ArrayLike = "lan",
        threads: int = 1,
        out: Verdicts | None = None,
    ) -> Verdicts:
        """Judge many packets.

        Parameters
        ----------
        src : array_like, shape (n,) of uint32, or (n, 16) of uint8; or Batch
            IPv4 in host order, or IPv6 in network order. A batch such as `PacketBatch` brings all columns along, both families
            mixed.
        dst : array_like
            As `src`.
        protocol : array_like of uint8
        sport, dport : array_like of uint16
        direction : {"in", "out"} or array_like of uint8
            0 in, 1 out. With a batch, what to take where the batch does not tell.
        interface : {"lan", "ras"} or array_like of uint8
            0 lan, 1 ras. With a batch, likewise.
        threads : int
            How many threads to share the packets among.
        out : Verdicts, optional
            Where to put the answers. Its arrays must be contiguous and of length n.

        Returns
        -------
        Verdicts
            `out` if it was given.

        Raises
        ------
        ValueError
            If columns do not fit each other or their type; the message names the column, or the packet.
        TypeError
            If columns are missing, or given beside a batch.

        Notes
        -----
        Columns that are C-contiguous and of the right dtype are used without a copy; others are converted, never wrapped around.
        For `protocol`, `sport` and `dport` one value may stand for all packets. The GIL is released.
        """
        return self._judge(False, src, (dst, protocol, sport, dport, direction, interface), threads, out)

    @overload
    def scan(
        self, src: Batch, /, *, direction: str = "in", interface: str = "lan", threads: int = 1, out: Verdicts | None = None
    ) -> Verdicts: ...
    @overload
    def scan(
        self,
        src: npt.ArrayLike,
        dst: npt.ArrayLike,
        protocol: npt.ArrayLike,
        sport: npt.ArrayLike,
        dport: npt.ArrayLike,
        direction: str | npt.ArrayLike = "in",
        interface: str | npt.ArrayLike = "lan",
        threads: int = 1,
        out: Verdicts | None = None,
    ) -> Verdicts: ...
    def scan(
        self,
        src: Batch | npt.ArrayLike,
        dst: npt.ArrayLike | None = None,
        protocol: npt.ArrayLike | None = None,
        sport: npt.ArrayLike | None = None,
        dport: npt.ArrayLike | None = None,
        direction: str | npt.ArrayLike = "in",
        interface: str | npt.ArrayLike = "lan",
        threads: int = 1,
        out: Verdicts | None = None,
    ) -> Verdicts:
        """Answer as `classify` does, by trying row after row in C: slow, simple, and there to compare with."""
        return self._judge(True, src, (dst, protocol, sport, dport, direction, interface), threads, out)

    def check(self) -> None:
        """Recompute every invariant of the built table from its rows.

        Raises
        ------
        AssertionError
            If one does not hold: a defect of pastore, not of the policy.
        """
        self._table.check()

    def _judge(self, scan: bool, src: Any, others: tuple[Any, ...], threads: int, out: Verdicts | None) -> Verdicts:
        if threads < 1:
            raise ValueError(f"threads: {threads} is less than 1")
        if hasattr(src, "select"):
            *packets, direction, interface = others
            if any(column is not None for column in packets):
                raise TypeError("a batch brings its own columns; give no others")
            assumed = code_of("direction", direction, DIRECTIONS), code_of("interface", interface, INTERFACES)
            return self._judge_batch(scan, src, assumed, threads, out)
        missing = [name for name, column in zip(("dst", "protocol", "sport", "dport"), others, strict=False) if column is None]
        if missing:
            raise TypeError(f"columns missing: {', '.join(missing)}")
        columns = columns_of(src, *others)
        out = self._output(len(columns.src), out)
        self._run(scan, columns, threads, out)
        return out

    def _judge_batch(self, scan: bool, batch: Batch, assumed: tuple[int, int], threads: int, out: Verdicts | None) -> Verdicts:
        out = self._output(len(batch), out)
        out.action.fill(Action.NONE)
        if out.index is not None:
            out.index.fill(-1)
        for family in (4, 6):
            chosen = batch.select(family)
            direction, interface = (
                np.where(column == UNKNOWN, np.uint8(code), column)
                for column, code in zip((chosen.direction, chosen.interface), assumed, strict=True)
            )
            columns = columns_of(chosen.src, chosen.dst, chosen.protocol, chosen.sport, chosen.dport, direction, interface)
            part = self._output(len(columns.src), None)
            self._run(scan, columns, threads, part)
            out.action[chosen.index] = part.action
            if out.index is not None and part.index is not None:
                out.index[chosen.index] = part.index
        return out

    def _output(self, n: int, out: Verdicts | None) -> Verdicts:
        if out is None:
            return Verdicts(np.empty(n, np.uint8), None if self._table.actions_only else np.empty(n, np.int32))
        if out.index is not None and self._table.actions_only:
            raise ValueError("out.index: this matcher knows actions only, it must be None")
        _check_output("out.action", out.action, np.dtype(np.uint8), n)
        if out.index is not None:
            _check_output("out.index", out.index, np.dtype(np.int32), n)
        return out

    def _run(self, scan: bool, columns: Columns, threads: int, out: Verdicts) -> None:
        n = len(columns.src)
        kernel: Callable[..., None] = self._table.classify4 if columns.family == 4 else self._table.classify6
        parts = max(1, min(threads, n // _PACKETS_A_THREAD))
        bounds = [n * part // parts for part in range(parts + 1)]
        if parts == 1:
            kernel(scan, *columns[1:], out.action, out.index, 0, n)
            return
        with ThreadPoolExecutor(parts) as pool:
            for done in [
                pool.submit(kernel, scan, *columns[1:], out.action, out.index, start, stop) for start, stop in pairwise(bounds)
            ]:
                done.result()


def _check_output(name: str, array: npt.NDArray[Any], dtype: np.dtype[Any], n: int) -> None:
    if array.dtype != dtype or array.shape != (n,) or not array.flags.carray:
        raise ValueError(f"{name}: expected a writeable contiguous array of {dtype}, shape ({n},)")


_ACTION_VERDICTS = tuple(Verdict(name) for name in _ACTIONS)


def _count_rules(filters: SpecificFilters) -> int:
    sources = filters.rows["filter"][filters.rows["exempt"] == 0]
    named = sources[sources >= 0]
    return len(np.unique(named)) + len(sources) - len(named)


def _endpoints(src: int | str, dst: int | str) -> tuple[int, int, int, int, int]:
    """Return family, src, dst, sport and dport of two ends given as text."""
    from pastore.packets import endpoint

    if not (isinstance(src, str) and isinstance(dst, str)):
        raise TypeError("src and dst must both be text or both be integers")
    family, src_address, sport = endpoint(src)
    dst_family, dst_address, dport = endpoint(dst)
    if dst_family != family:
        raise ValueError(f"src {src} is IPv{family}, dst {dst} is IPv{dst_family}")
    return family, src_address, dst_address, sport, dport


def _misfit(
    family: int, protocol: int, src: int, dst: int, sport: int, dport: int, direction: str | int, interface: str | int
) -> ValueError:
    """Say which value of a packet it was that did not fit."""
    address = (1 << 32) - 1 if family == 4 else (1 << 128) - 1
    for name, value, last in (
        ("protocol", protocol, 255),
        ("src", src, address),
        ("dst", dst, address),
        ("sport", sport, 65535),
        ("dport", dport, 65535),
    ):
        if not 0 <= value <= last:
            return ValueError(f"{name}: {value} is not 0 to {last}")
    try:
        code_of("direction", direction, DIRECTIONS)
        code_of("interface", interface, INTERFACES)
    except ValueError as error:
        return error
    raise AssertionError("every value fits")
