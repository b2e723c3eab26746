"""Where policies are read: one file per place or format, each giving a `Loaded`."""

from pastore.sources.loaded import Loaded

__all__ = ["Loaded"]
