"""What changed from one policy to the next, for the events that tell of a change."""

from dataclasses import replace
from typing import Final

import numpy as np

from pastore.agent.applying import Attempt
from pastore.analysis.aim import aim, sample
from pastore.audit.summary import Example, Summary
from pastore.filters.specific import SpecificFilters
from pastore.matcher import Matcher
from pastore.model import Action, Policy, Rule
from pastore.packets.packet import Packet

_PACKETS: Final = 1024
_CONSIDERED: Final = 100
_MOST_ROWS: Final = 2048


def compare(old: Attempt, new: Attempt) -> Summary:
    """Say what changed.

    Rules are told by their GUID; when an object was written is no difference. The example is looked for with packets in and
    around the specific filters that only one of the two policies has, since any packet whose verdict changes lies in one of them:
    it is found nearly always, but that there is none proves nothing.
    """
    before = {rule.guid: rule for rule in old.policy.rules}
    after = {rule.guid: rule for rule in new.policy.rules}
    both = [guid for guid in after if guid in before]
    return Summary(
        added=tuple(rule.label for guid, rule in after.items() if guid not in before),
        changed=tuple(after[guid].label for guid in both if _timeless(before[guid]) != _timeless(after[guid])),
        removed=tuple(rule.label for guid, rule in before.items() if guid not in after),
        settings=tuple(_settings(old.policy, new.policy)),
        example=None if old.matcher is None or new.matcher is None else example(old.matcher, new.matcher),
    )


def example(old: Matcher, new: Matcher) -> Example | None:
    """Return a packet on which two tables disagree, None if none was found."""
    differing = _differing(old.filters, new.filters)
    for make in (sample, aim):
        for filters in differing:
            if not len(filters):
                continue
            batch = make(filters, _PACKETS)
            was, now = old.classify(batch).action, new.classify(batch).action
            found = np.flatnonzero(was != now)
            if len(found):
                at = min(map(int, found[:_CONSIDERED]), key=lambda at: _strangeness(batch.packet(at)))
                return Example(str(batch.packet(at)), str(Action(int(was[at]))), str(Action(int(now[at]))))
    return None


def _strangeness(packet: Packet) -> int:
    """Return how much of a packet nobody would meet: the first and last addresses and ports of everything."""
    last = (1 << (32 if packet.family == 4 else 128)) - 1
    ends = [packet.src in (0, last), packet.dst in (0, last), packet.sport in (0, 65535), packet.dport in (0, 65535)]
    return sum(ends) + packet.interface


def _differing(old: SpecificFilters, new: SpecificFilters) -> list[SpecificFilters]:
    """Return the rows that only the new one has, then those that only the old one had; at most so many of each."""
    keys = [_keys(filters) for filters in (new, old)]
    found = []
    for filters, mine, others in ((new, keys[0], set(keys[1])), (old, keys[1], set(keys[0]))):
        places = [at for at, key in enumerate(mine) if key not in others][:_MOST_ROWS]
        found.append(SpecificFilters(filters.rows[np.array(places, np.intp)], filters.sources))
    return found


def _keys(filters: SpecificFilters) -> list[bytes]:
    """Return each row as bytes, without its rank and its place in the sources."""
    rows = filters.rows.copy()
    for name in ("rank", "filter"):
        rows[name] = 0
    data, size = rows.tobytes(), rows.dtype.itemsize
    return [data[at : at + size] for at in range(0, len(data), size)]


def _timeless(rule: Rule) -> Rule:
    action = rule.filter_action
    return replace(
        rule,
        when_changed=None,
        filter_lists=tuple(replace(filter_list, when_changed=None) for filter_list in rule.filter_lists),
        filter_action=None if action is None else replace(action, when_changed=None),
    )


def _settings(old: Policy, new: Policy) -> list[str]:
    pairs = (
        ("name", old.name, new.name),
        ("description", old.description, new.description),
        ("polling interval", old.polling_interval, new.polling_interval),
        ("NoDefaultExempt", old.default_exempt, new.default_exempt),
        (
            "key exchange",
            old.main_mode and replace(old.main_mode, when_changed=None),
            new.main_mode and replace(new.main_mode, when_changed=None),
        ),
        ("references that lead nowhere", old.missing, new.missing),
    )
    return [name for name, before, after in pairs if before != after]
