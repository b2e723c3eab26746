"""The compiled table as a file: the core's table, and beside it the rows, what they came from, and what was found.

docs/table-format.md tells the sections; ext/core/load.c the rest.
"""

import errno
import mmap
import os
import stat
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from ipaddress import ip_network
from math import isfinite
from typing import Any, BinaryIO, Final, NamedTuple

import numpy as np
import numpy.typing as npt

from pastore.filters.background import WEIGHT, Background
from pastore.filters.expand import Failure
from pastore.filters.specific import ROW, FilterSource, SpecificFilters
from pastore.findings import Finding, Severity
from pastore.matcher._matcher import Table
from pastore.matcher.errors import TableError
from pastore.matcher.records import Records, encode
from pastore.model import Origin

# Kinds of sections.
ROWS: Final = 1
SOURCES: Final = 2
FINDINGS: Final = 3
ABOUT: Final = 4
WEIGHTS: Final = 5
RULES: Final = 6
FAILURES: Final = 7
IDLE_ROWS: Final = 8
IDLE_SOURCES: Final = 9
READING: Final = 10
ANALYSED: Final = 11

_SCALARS: Final = frozenset((str, int, bool, type(None)))


@dataclass(frozen=True, slots=True)
class StoredSource:
    """What a row of an opened table came from."""

    rule: str | None
    text: str
    tunnel: str | None
    place: str
    details: dict[str, Any] | None = field(default=None, hash=False)

    def as_dict(self) -> dict[str, Any]:
        """Return the JSON form."""
        return {"text": self.text, "place": self.place} if self.details is None else dict(self.details)


class Opened(NamedTuple):
    """What a file gives a Matcher."""

    table: Table
    filters: SpecificFilters
    findings: tuple[Finding, ...]
    background: Background | None
    build_seconds: float


def sections_of(
    filters: SpecificFilters, findings: Sequence[Finding], background: Background | None, build_seconds: float
) -> list[tuple[int, Any]]:
    """Return what is stored beside the core's table.

    Raises
    ------
    ValueError
        If a source cannot be stored; the message says which.
    """
    about: list[Any] = [build_seconds]
    if background is not None:
        about += [background.policy, background.order, background.filters, [str(network) for network in background.me]]
    sections: list[tuple[int, Any]] = [
        (ROWS, _bytes(filters.rows)),
        (SOURCES, encode("source", map(_source_record, filters.sources), _check_source)),
        (FINDINGS, encode("finding", map(_finding_record, findings), _finding)),
        (ABOUT, encode("fact", [about], _about)),
    ]
    if background is not None:
        sections += [
            (WEIGHTS, _bytes(background.weights)),
            (RULES, encode("rule", background.rules, _rule)),
            (FAILURES, encode("failure", ([each.rule, each.filter, each.win32] for each in background.failures), _failure)),
            (IDLE_ROWS, _bytes(background.idle.rows)),
            (IDLE_SOURCES, encode("source", map(_source_record, background.idle.sources), _check_source)),
            (READING, encode("finding", map(_finding_record, background.reading), _finding)),
            (ANALYSED, encode("finding", map(_finding_record, background.analysed), _finding)),
        ]
    return sections


def open_table(path: str) -> Opened:
    """Map a file and check everything in it.

    Raises
    ------
    TableError
        If it is not a compiled table that can be used.
    OSError
        If it cannot be opened or mapped.
    """
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)  # a pipe without a writer must not stop us
    try:
        status = os.fstat(descriptor)
        if stat.S_ISDIR(status.st_mode):
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), path)
        if not stat.S_ISREG(status.st_mode):
            raise OSError(errno.EINVAL, "not a regular file, so it cannot be mapped", path)
        if status.st_size == 0:
            raise TableError("this is not a compiled table: the file is empty")
        buffer = mmap.mmap(descriptor, status.st_size, access=mmap.ACCESS_READ)
    finally:
        os.close(descriptor)
    return read_sections(Table.load(buffer))


def read_sections(table: Table) -> Opened:
    """Check what is stored beside the core's table, and against it.

    Raises
    ------
    TableError
    """
    rows = _array(table, ROWS, ROW)
    table.same_rows(rows.view(np.uint8))
    filters = _filters(table, rows, SOURCES)
    about = _list(table, ABOUT, "fact", _about)
    if len(about) != 1:
        raise TableError("the table is damaged: it does not hold the facts about itself once")
    return Opened(
        table, filters, tuple(_list(table, FINDINGS, "finding", _finding)), _background(table, filters, about[0]), about[0][0]
    )


def _background(table: Table, filters: SpecificFilters, about: list[Any]) -> Background | None:
    if len(about) == 1:
        return None
    _, policy, order, count, me = about
    weights = _array(table, WEIGHTS, WEIGHT)
    if len(weights) != len(filters):
        raise TableError("the table is damaged: it has another number of weights than of rows")
    rules = tuple(_list(table, RULES, "rule", _rule))
    if len(weights) and not -1 <= int(weights["rule"].min()) <= int(weights["rule"].max()) < len(rules):
        raise TableError("the table is damaged: a row belongs to a rule that is not there")
    return Background(
        policy,
        order,
        count,
        rules,
        tuple(ip_network(network) for network in me),
        weights,
        tuple(_list(table, FAILURES, "failure", _failure)),
        _filters(table, _array(table, IDLE_ROWS, ROW), IDLE_SOURCES),
        tuple(_list(table, READING, "finding", _finding)),
        tuple(_list(table, ANALYSED, "finding", _finding)),
    )


def write_file(path: str, fill: Callable[[BinaryIO], None]) -> None:
    """Write a file so that its name always stands for a whole one: the old until the new is on the disk.

    Parameters
    ----------
    path : str
        What a symbolic link leads to is replaced, not the link. Must be a regular file if it exists; its permissions are kept.
    fill : callable
        Writes the content.

    Raises
    ------
    OSError
        The file is as it was, and nothing is left beside it.
    """
    path = os.path.realpath(path)
    mode = None
    with suppress(FileNotFoundError):
        mode = os.stat(path).st_mode
        if stat.S_ISDIR(mode):
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), path)
        if not stat.S_ISREG(mode):
            raise OSError(errno.EINVAL, "not a regular file, so it cannot be replaced", path)
    folder = os.path.dirname(path)
    temporary = os.path.join(folder, f".pastore-{os.urandom(8).hex()}.tmp")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o666)
    try:
        with open(descriptor, "wb") as file:
            if mode is not None:
                os.fchmod(descriptor, stat.S_IMODE(mode))
            fill(file)
            file.flush()
            os.fsync(descriptor)
        os.replace(temporary, path)
    except BaseException:
        with suppress(OSError):
            os.unlink(temporary)
        raise
    _sync_folder(folder)


def _sync_folder(folder: str) -> None:
    """Bring the new name to the disk; file systems that cannot do so for a folder say EINVAL."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_CLOEXEC | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno != errno.EINVAL:
            raise
    finally:
        os.close(descriptor)


def _bytes(array: npt.NDArray[Any]) -> npt.NDArray[np.uint8]:
    return np.ascontiguousarray(array).view(np.uint8)


def _section(table: Table, kind: int) -> memoryview:
    found = table.section(kind)
    if found is None:
        raise TableError("the table was not written by the pastore package: it holds no rows and sources")
    return found


def _array(table: Table, kind: int, dtype: np.dtype[Any]) -> npt.NDArray[Any]:
    section = _section(table, kind)
    if len(section) % dtype.itemsize:
        raise TableError("the table is damaged: a column of it ends in the middle of a row")
    return np.frombuffer(section, dtype)


def _list(table: Table, kind: int, what: str, parse: Callable[[Any], Any]) -> Sequence[Any]:
    return Records(what, _section(table, kind), parse)


def _filters(table: Table, rows: npt.NDArray[Any], kind: int) -> SpecificFilters:
    sources = Records("source", _section(table, kind), _source, _check_source)
    try:
        return SpecificFilters(rows, sources)
    except ValueError as error:
        raise TableError(f"the table is damaged: {error}") from None


# Records: how each is written, and how it is read, which is also how it is checked.


def _source_record(source: FilterSource) -> list[Any]:
    if isinstance(source, StoredSource):
        details = source.details
    else:
        as_dict = getattr(source, "as_dict", None)
        details = as_dict() if as_dict else None
    return [source.rule, source.text, source.tunnel, source.place, details]


def _source(value: Any) -> StoredSource:
    return StoredSource(*value)


def _check_source(value: Any) -> None:
    # There may be as many as rows, and this is most of what opening a table takes.
    rule, text, tunnel, place, details = value
    if type(value) is not list or type(text) is not str or type(place) is not str:
        raise TypeError(f"{type(text).__name__} and {type(place).__name__} where text belongs")
    if (rule is not None and type(rule) is not str) or (tunnel is not None and type(tunnel) is not str):
        raise TypeError("a rule or tunnel that is not text")
    if details is not None and not (type(details) is dict and all(map(_is_flat, details.values()))):
        raise TypeError("a JSON form that is nested")


def _is_flat(value: Any) -> bool:
    if type(value) is list:
        return all(type(each) in _SCALARS for each in value)
    return type(value) in _SCALARS


def _finding_record(finding: Finding) -> list[Any]:
    return list(finding.as_dict().values())


def _finding(value: Any) -> Finding:
    number = (int, None)
    code, severity, message, source, locator, line, column, rule, filter_, win32, event = _fields(
        value, (str,), (str,), (str,), (str,), (str,), number, number, (str, None), (str, None), number, number
    )
    return Finding(code, message, Origin(source, locator, line, column), rule, filter_, Severity(severity), win32, event)


def _rule(value: Any) -> tuple[str, str]:
    guid, label = _fields(value, (str,), (str,))
    return guid, label


def _failure(value: Any) -> Failure:
    return Failure(*_fields(value, (str,), (str,), (int,)))


def _about(value: Any) -> list[Any]:
    """Return seconds, and for a policy its name, order, number of filters and local addresses."""
    if type(value) is list and len(value) == 1:
        facts = [*_fields(value, (float,)), "", None, 0, []]
    else:
        facts = _fields(value, (float,), (str,), (str, None), (int,), (list,))
    seconds, _, _, filters, me = facts
    if not (isfinite(seconds) and seconds >= 0 and filters >= 0):
        raise ValueError("a number is out of its range")
    for network in me:
        if type(network) is not str:
            raise TypeError("a local address is not text")
        ip_network(network)
    return facts[: len(value)]


def _fields(value: Any, *shape: Iterable[type | None]) -> list[Any]:
    """Return a list of values of these types, None standing for null."""
    if type(value) is not list or len(value) != len(shape):
        raise ValueError(f"not a list of {len(shape)}")
    for each, types in zip(value, shape, strict=True):
        if (None if each is None else type(each)) not in types:
            raise TypeError(f"{type(each).__name__} where it does not belong")
    return value
