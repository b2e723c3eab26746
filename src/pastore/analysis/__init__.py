"""Exact answers about sets of packets."""
