"""What the matcher raises beside the built-in exceptions."""


class MemoryLimitError(ValueError):
    """Even the plain list of rows, the smallest layout there is, exceeds ``memory_limit``."""


class TableError(ValueError):
    """A file is no compiled table that can be used; the message says why in a sentence."""
