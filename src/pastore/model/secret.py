"""Values that must not be shown."""

from typing import Final

REDACTED: Final = "(redacted)"


class Secret:
    """A pre-shared key or password that prints as ``(redacted)`` everywhere.

    Two secrets compare equal when their values do. The value is only handed out by `reveal`, and pickling is refused so that
    it cannot leave the process by accident.
    """

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        self._value = value

    def reveal(self) -> str:
        """Return the clear text. Callers must not write it anywhere a user has not asked for it."""
        return self._value

    def __repr__(self) -> str:
        return REDACTED

    def __str__(self) -> str:
        return REDACTED

    def __format__(self, spec: str) -> str:
        return format(REDACTED, spec)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and self._value == other._value

    def __hash__(self) -> int:
        return hash((Secret, self._value))

    def __reduce__(self) -> str:
        raise TypeError("a secret cannot be pickled or copied")

    def __copy__(self) -> "Secret":
        return self

    def __deepcopy__(self, memo: object) -> "Secret":
        return self
