"""Findings: the one side channel for everything that is wrong. A bad rule is a finding, never an exception."""

from pastore.findings.codes import CODES, Code, Severity, page
from pastore.findings.finding import Finding, in_order, select

__all__ = ["CODES", "Code", "Finding", "Severity", "in_order", "page", "select"]
