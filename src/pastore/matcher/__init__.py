"""Packet classification: SpecificFilters in, verdicts out."""
