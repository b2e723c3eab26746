"""Which events are recorded: success and failure auditing, switched per category or subcategory as Windows does."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from pastore.audit.events import SUBCATEGORIES, AuditEvent, Outcome, Subcategory

_BOTH = frozenset(Outcome)
_NEITHER: frozenset[Outcome] = frozenset()
# What auditpol prints, besides the bare words.
_PHRASES = {
    "success and failure": _BOTH,
    "no auditing": _NEITHER,
    "none": _NEITHER,
    "success": frozenset({Outcome.SUCCESS}),
    "failure": frozenset({Outcome.FAILURE}),
}


def _known() -> dict[str, tuple[Subcategory, ...]]:
    named: dict[str, tuple[Subcategory, ...]] = {}
    for one in SUBCATEGORIES:
        of_category = tuple(other for other in SUBCATEGORIES if other.category == one.category)
        for key, meant in ((one.category, of_category), (one, (one,))):
            named[key.name.casefold()] = named[key.guid.strip("{}").casefold()] = meant
    return named


_BY_KEY = _known()


@dataclass(frozen=True, slots=True)
class AuditPolicy:
    """Success and failure auditing of every subcategory that has events in the catalogue.

    Build one with `all`, `windows_default` or `parse`.

    Parameters
    ----------
    settings : mapping of Subcategory to frozenset of Outcome
        The outcomes recorded; a subcategory that is not there is not audited.
    """

    settings: Mapping[Subcategory, frozenset[Outcome]]

    def __post_init__(self) -> None:
        object.__setattr__(self, "settings", MappingProxyType(dict(self.settings)))

    def __hash__(self) -> int:
        return hash(frozenset(self.settings.items()))

    @classmethod
    def all(cls) -> "AuditPolicy":
        """Everything is recorded: the default of pastore's own log."""
        return cls(dict.fromkeys(SUBCATEGORIES, _BOTH))

    @classmethod
    def windows_default(cls) -> "AuditPolicy":
        """Nothing is recorded: these subcategories are not audited on a Windows that was not told to."""
        return cls(dict.fromkeys(SUBCATEGORIES, _NEITHER))

    @classmethod
    def parse(cls, settings: Iterable[str], base: "AuditPolicy | None" = None) -> "AuditPolicy":
        """Read settings such as ``IPsec Driver=success,failure``.

        Parameters
        ----------
        settings : iterable of str
            ``NAME=VALUE`` in order, a later one over an earlier one. NAME is a category or subcategory, or its GUID with or
            without braces; a category sets all its subcategories. VALUE is ``success``, ``failure``, both with a comma between,
            ``none``, or what auditpol prints (``Success and Failure``, ``No Auditing``). Case does not matter.
        base : AuditPolicy, optional
            What holds for subcategories not named; everything on when left out.

        Returns
        -------
        AuditPolicy

        Raises
        ------
        ValueError
            For a name or value that is not known; the message lists what is.
        """
        result = dict((base or cls.all()).settings)
        for setting in settings:
            name, equals, value = setting.partition("=")
            if not equals:
                raise ValueError(f"audit setting {setting!r} is not of the form NAME=VALUE")
            meant = _BY_KEY.get(name.strip().strip("{}").casefold())
            if meant is None:
                names = dict.fromkeys([one.category.name for one in SUBCATEGORIES] + [one.name for one in SUBCATEGORIES])
                raise ValueError(f"audit category {name.strip()!r} is not known; known are {', '.join(names)}")
            result.update(dict.fromkeys(meant, _outcomes(value)))
        return cls(result)

    def wants(self, event: AuditEvent) -> bool:
        """Return whether an event with this subcategory and outcome is recorded."""
        return event.outcome in self.settings.get(event.type.subcategory, _NEITHER)

    def __str__(self) -> str:
        parts = []
        for subcategory, outcomes in self.settings.items():
            words = [outcome.value for outcome in Outcome if outcome in outcomes]
            parts.append(f"{subcategory.name}={','.join(words) or 'none'}")
        return "; ".join(parts)


def _outcomes(value: str) -> frozenset[Outcome]:
    words = [" ".join(word.casefold().split()) for word in value.split(",")]
    if any(word not in _PHRASES for word in words) or (len(words) > 1 and any(not _PHRASES[word] for word in words)):
        raise ValueError(f"audit setting {value.strip()!r} is not success, failure, success,failure or none")
    return frozenset().union(*(_PHRASES[word] for word in words))
