"""Packets to be judged: NumPy columns, capture files, CSV, traces."""
