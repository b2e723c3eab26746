"""What a change of the policy changed: the part of events 5464 and 5468 that Windows does not tell."""

from dataclasses import dataclass
from typing import Any, Final, NamedTuple

from pastore.audit.visible import joined_surrogates, visible

_LISTED: Final = 20
_LONGEST: Final = 200  # characters of a name
_LISTS: Final = ("added", "changed", "removed", "settings")


class Example(NamedTuple):
    """A packet whose verdict changed."""

    packet: str
    old: str
    new: str


@dataclass(frozen=True, slots=True)
class Summary:
    """What changed.

    Parameters
    ----------
    added, changed, removed : tuple of str
        Labels of rules. At most 20 of each are kept and names are cut, because an event must fit a log line.
    settings : tuple of str
        What else of the policy changed, as "polling interval".
    example : Example, optional
        A packet whose verdict changed, where one was found.
    more : int
        How many labels were left out.
    """

    added: tuple[str, ...] = ()
    changed: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()
    settings: tuple[str, ...] = ()
    example: Example | None = None
    more: int = 0

    def __post_init__(self) -> None:
        left_out = self.more
        for name in _LISTS:
            labels = getattr(self, name)
            left_out += max(0, len(labels) - _LISTED)
            object.__setattr__(self, name, tuple(joined_surrogates(label[:_LONGEST]) for label in labels[:_LISTED]))
        object.__setattr__(self, "more", left_out)

    def as_dict(self) -> dict[str, Any]:
        """Return the JSON form."""
        found: dict[str, Any] = {name: list(getattr(self, name)) for name in _LISTS}
        found["example"] = None if self.example is None else self.example._asdict()
        return found | ({"more": self.more} if self.more else {})

    @classmethod
    def from_dict(cls, value: object) -> "Summary":
        """Return what a log holds; keys that are not known are passed over.

        Raises
        ------
        ValueError
            If it is no summary.
        """
        if not isinstance(value, dict):
            raise ValueError("its summary is not an object")
        lists = {}
        for name in _LISTS:
            labels = value.get(name, [])
            if not isinstance(labels, list) or not all(isinstance(label, str) for label in labels):
                raise ValueError(f"the {name} of its summary are not strings")
            lists[name] = tuple(labels)
        example, more = value.get("example"), value.get("more", 0)
        if example is not None:
            parts = [example.get(name) for name in Example._fields] if isinstance(example, dict) else [None]
            if not all(isinstance(part, str) and len(part) <= _LONGEST for part in parts):
                raise ValueError("the example of its summary is none")
            example = Example(*parts)
        if not isinstance(more, int) or isinstance(more, bool) or not 0 <= more < 1 << 31:
            raise ValueError("the summary does not say how much more there is")
        return cls(**lists, example=example, more=more)

    def lines(self) -> list[str]:
        """Return it for people; no line can be forged by what a policy holds."""
        lines = [
            f"{what}: {', '.join(repr(visible(label)) if quote else visible(label) for label in labels)}"
            for what, labels, quote in (
                ("Rules added", self.added, True),
                ("Rules changed", self.changed, True),
                ("Rules removed", self.removed, True),
                ("Also changed", self.settings, False),
            )
            if labels
        ]
        if self.more:
            lines.append(f"And {self.more} more")
        if self.example:
            packet, old, new = map(visible, self.example)
            lines.append(f"For example: {packet} was {old} and is {new} now")
        return lines or ["No rule changed"]
