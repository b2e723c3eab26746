"""The targets in Python, a file each.

A target has

- a docstring that states the property;
- ``check(data: bytes) -> None``, which raises when the property does not hold;
- ``seeds() -> Iterator[bytes]``, well-formed inputs of our own making to start from;
- optionally ``WORDS``, a tuple of bytes that mean something in the format, and ``LONGEST``, the most bytes worth trying (16 KiB).

Nothing else has to be told about a new file. ``check`` should import at the top what it exercises: only modules that are imported
before fuzzing starts are instrumented. ``seeds`` is only run outside of the fuzzer and may import what it likes.
"""
