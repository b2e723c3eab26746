"""What the matcher raises beside the built-in exceptions."""


class MemoryLimitError(ValueError):
    """Even the plain list of rows, the smallest layout there is, exceeds ``memory_limit``."""
