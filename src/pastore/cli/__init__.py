"""The pastore command: rendering only."""
