"""What Windows Firewall with Advanced Security can say, found in what a policy does.

There a block beats every allow, and a rule has one protocol or all. So what is blocked is cut out of the policy exactly, in
products that hold nothing that passes; rules that block may overlap each other. What is protected are conditions as written,
with exemptions from them for what the policy allows first.
"""

from collections.abc import Iterable, Iterator
from typing import Final, NamedTuple

from pastore.export.protecting import Conditions, Protected, seen_from_here
from pastore.filters.boxes import Box, Range, TooManyBoxesError, carve, common, overlap, products, within
from pastore.filters.specific import EXEMPTIONS, IN, OUT, SpecificFilters
from pastore.model import Action

ANY_PROTOCOL: Final = (0, 255)
ANY_PORTS: Final = (0, 65535)
EVERY: Final = {4: (0, (1 << 32) - 1), 6: (0, (1 << 128) - 1)}
LIMIT: Final = 20_000  # boxes; more would be a script that nobody can read, nor Windows carry out soon

_PAIRS: Final = 100_000  # of boxes, that are compared to find those that lie within others

# A box here: local addresses, remote addresses, interface types, and after them protocol, local ports, remote ports.
_MULTICAST: Final = {4: (0xE0000000, 0xEFFFFFFF), 6: (0xFF << 120, (1 << 128) - 1)}
_BROADCAST: Final = 0xFFFFFFFF


class Part(NamedTuple):
    """Part of a region.

    Parameters
    ----------
    protocols : tuple of int, optional
        Each of these; None for every protocol.
    product : tuple of tuples of ranges
        Local addresses, remote addresses, interface types, local ports, remote ports.
    row : int
        The row that it is from.
    """

    family: int
    protocols: tuple[int, ...] | None
    product: tuple[tuple[Range, ...], ...]
    row: int


class Row(NamedTuple):
    """A row as one direction sees it."""

    at: int
    action: Action
    protocols: Range
    box: Box  # without the protocol


def rows_of(filters: SpecificFilters, way: int, family: int) -> list[Row]:
    """Return the rows of one direction and IP version in the order tried."""
    found = []
    for at, row in enumerate(filters.rows):
        if int(row["family"]) != family:
            continue
        for direction, (_, protocols, local, remote, lports, rports, types) in seen_from_here(row):
            if direction == way:
                found.append(Row(at, Action(int(row["action"])), protocols, (local, remote, types, lports, rports)))
    return found


def blocked(filters: SpecificFilters, way: int, family: int, owner: "dict[int, object]") -> Iterator[Part]:
    """Yield what a policy blocks in one direction.

    Parameters
    ----------
    filters : SpecificFilters
    way : int
        `IN` or `OUT`.
    family : int
    owner : dict of int to object
        For each row what it belongs to; parts of rows that belong together are joined.

    Raises
    ------
    TooManyBoxesError
        If it takes more than `LIMIT` boxes.
    """
    rows = rows_of(filters, way, family)
    if not any(row.action is Action.BLOCK for row in rows):
        return
    named = sorted({number for row in rows if row.protocols != ANY_PROTOCOL for number in _numbers(row.protocols)})
    others = tuple(number for number in range(256) if number not in set(named))
    of_others = _region([row for row in rows if row.protocols == ANY_PROTOCOL]) if others else []
    of_named = {number: _region([row for row in rows if _is_of(row, number)]) for number in named}
    # Blocked whatever the protocol: one rule. The rest of the others takes a rule for each protocol.
    whole: list[tuple[int, Box]] = []
    rest: list[tuple[int, Box]] = []
    for at, box in of_others:
        passing = [
            (*piece[:3], ANY_PORTS, ANY_PORTS)
            for region in of_named.values()
            for piece in carve(box, _boxes(region), limit=LIMIT)
        ]
        inside = carve(box, dict.fromkeys(passing), limit=LIMIT)
        whole += [(at, piece) for piece in inside]
        rest += [(at, piece) for piece in carve(box, inside, limit=LIMIT)]
    yield from _parts(family, None, whole, owner)
    yield from _parts(family, others, rest, owner)
    # Protocols that are blocked alike share their rules.
    alike: dict[tuple[tuple[int, Box], ...], list[int]] = {}
    for number, region in of_named.items():
        left = tuple((at, piece) for at, box in region for piece in carve(box, _boxes(whole), limit=LIMIT))
        if left:
            alike.setdefault(left, []).append(number)
    for pieces, numbers in alike.items():
        yield from _parts(family, tuple(numbers), pieces, owner)


def _region(rows: list[Row]) -> list[tuple[int, Box]]:
    """Return what rows block, each part with its row; parts that lie within others are left out."""
    found: list[tuple[int, Box]] = []
    passing: list[Box] = []
    for row in rows:
        if row.action is not Action.BLOCK:
            passing.append(row.box)
            continue
        pieces = carve(row.box, passing, limit=LIMIT)
        near = [box for _, box in found if overlap(row.box, box)]  # pieces of one row never lie within each other
        if near and len(near) * len(pieces) <= _PAIRS:  # what lies within another is no mistake, only not needed
            pieces = [piece for piece in pieces if not any(within(piece, box) for box in near)]
            found = [(at, box) for at, box in found if not any(within(box, piece) for piece in pieces)]
        found += [(row.at, piece) for piece in pieces]
        if len(found) > LIMIT:
            raise TooManyBoxesError
    return found


def _parts(
    family: int, protocols: tuple[int, ...] | None, pieces: Iterable[tuple[int, Box]], owner: "dict[int, object]"
) -> Iterator[Part]:
    groups: dict[object, list[tuple[int, Box]]] = {}
    for at, box in pieces:
        groups.setdefault(owner[at], []).append((at, box))
    for members in groups.values():
        for product in products(box for _, box in members):
            yield Part(family, protocols, product, members[0][0])


def _boxes(region: Iterable[tuple[int, Box]]) -> list[Box]:
    return [box for _, box in region]


def _numbers(protocols: Range) -> range:
    return range(protocols[0], protocols[1] + 1)


def _is_of(row: Row, number: int) -> bool:
    return row.protocols[0] <= number <= row.protocols[1]


# What is protected


def whole_box(conditions: Conditions) -> Box:
    """Return conditions as a box with its protocol."""
    _, protocols, local, remote, lports, rports, types = conditions
    return (local, remote, types, protocols, lports, rports)


def unicast(filters: SpecificFilters, family: int) -> tuple[Range, ...]:
    """Return the addresses of one IP version that are neither multicast nor a broadcast the policy exempts."""
    out = [_MULTICAST[family]]
    if family == 4:
        out.append((_BROADCAST, _BROADCAST))
        exempt = filters["exempt"] == EXEMPTIONS.index("broadcast")
        out += [(int(words[1]), int(words[1])) for words in filters["dst_lo"][exempt]]
    return tuple(box[0] for box in sorted(carve((EVERY[family],), [(part,) for part in out], limit=LIMIT)))


def secured(each: Protected, allowed: tuple[Range, ...], earlier: Iterable[Protected]) -> tuple[list[Box], bool]:
    """Return the boxes of something protected, without those that are protected otherwise before.

    Returns
    -------
    list of Box
        Between unicast addresses.
    bool
        Whether that is exact. If not, nothing was taken away: rules for IPsec have no ranges of ports.
    """
    box = whole_box(each.conditions)
    start = [(local, remote, *box[2:]) for local in _common_ranges(box[0], allowed) for remote in _common_ranges(box[1], allowed)]
    cuts = [
        whole_box(other.conditions)
        for other in earlier
        if other.conditions[0] == each.conditions[0] and (other.settings, other.endpoints) != (each.settings, each.endpoints)
    ]
    left = [piece for part in start for piece in carve(part, cuts, limit=LIMIT)]
    if all(piece[4:] == box[4:] for piece in left):
        return left, True
    return start, False


def _common_ranges(one: Range, others: tuple[Range, ...]) -> Iterator[Range]:
    for low, high in others:
        if low <= one[1] and one[0] <= high:
            yield max(low, one[0]), min(high, one[1])


def exempt(filters: SpecificFilters, family: int, secure: list[tuple[int, Box]]) -> tuple[list[tuple[int, Box]], list[int]]:
    """Return what the policy allows within what is protected, and the rows that allow it in one direction only.

    Parameters
    ----------
    filters : SpecificFilters
    family : int
    secure : list of (int, Box)
        What is protected, each with the row that decides; both directions alike.
    """
    allowed, dropped = {}, {}
    for way in (IN, OUT):
        allowed[way], dropped[way] = _within_secure(rows_of(filters, way, family), secure)
    both: list[tuple[int, Box]] = []
    known: set[Box] = set()
    one_way: dict[int, None] = {}
    for way, other in ((IN, OUT), (OUT, IN)):
        # What is blocked the other way may be exempt: it stays blocked.
        there = [box for _, box in (*allowed[other], *dropped[other])]
        for at, box in allowed[way]:
            met = [part for cut in there if (part := common(box, cut)) is not None]
            both += [(at, part) for part in met if part not in known]
            known.update(met)
            if len(both) > LIMIT:
                raise TooManyBoxesError
            if carve(box, met, limit=LIMIT):
                one_way[at] = None
    return both, list(one_way)


def _within_secure(rows: list[Row], secure: list[tuple[int, Box]]) -> tuple[list[tuple[int, Box]], list[tuple[int, Box]]]:
    """Return what is allowed, and what is blocked, within what is protected."""
    found: dict[Action, list[tuple[int, Box]]] = {Action.ALLOW: [], Action.BLOCK: []}
    before: dict[Action, list[Box]] = {action: [] for action in Action}
    known: set[tuple[Action, Box]] = set()
    for row in rows:
        box = (*row.box[:3], row.protocols, *row.box[3:])
        if row.action is not Action.PROTECT:
            others = [cut for action, boxes in before.items() if action is not row.action for cut in boxes]
            for _, protected in secure:
                part = common(box, protected)
                if part is not None and (row.action, part) not in known:
                    known.add((row.action, part))
                    cuts = [cut for cut in others if overlap(cut, part)]
                    found[row.action] += [(row.at, piece) for piece in carve(part, cuts, limit=LIMIT)]
            if len(found[row.action]) > LIMIT:
                raise TooManyBoxesError
        before[row.action].append(box)
    return found[Action.ALLOW], found[Action.BLOCK]
