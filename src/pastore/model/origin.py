"""Where a thing was read."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Origin:
    """The place a node of a policy, or a finding, comes from.

    Parameters
    ----------
    source : str
        The file, directory server or registry as the user named it; empty when built in memory.
    locator : str
        The place inside the source: a registry key, a DN, a byte range of a value.
    line, column : int, optional
        One-based position in a text source.
    """

    source: str = ""
    locator: str = ""
    line: int | None = None
    column: int | None = None

    def __str__(self) -> str:
        place = self.source or "(memory)"
        if self.line is not None:
            place += f":{self.line}"
            if self.column is not None:
                place += f":{self.column}"
        return place


NOWHERE = Origin()
