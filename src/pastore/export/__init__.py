"""Policies written in other formats: one file per target, each with a `write` that returns bytes."""

from pastore.export.gathering import SecretsWithheldError

__all__ = ["SecretsWithheldError"]
