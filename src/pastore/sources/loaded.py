"""What a source gives."""

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from pastore.findings import Finding
from pastore.model import Policy

if TYPE_CHECKING:  # NumPy is only needed once a rule list is read
    from pastore.filters.specific import SpecificFilters


@dataclass(frozen=True, slots=True)
class Loaded:
    """A policy and what was found while reading it.

    Parameters
    ----------
    policy : Policy, SpecificFilters or None
        A first-match rule list (ClassBench) has no Policy: it goes straight to SpecificFilters. None when no policy could be
        obtained; then at least one error finding says why.
    findings : tuple of Finding
    policies : tuple of Policy
        Every policy of the source, the chosen one included.
    """

    policy: "Policy | SpecificFilters | None"
    findings: tuple[Finding, ...] = ()
    policies: tuple[Policy, ...] = field(default=())
