"""What makes a finding the same as one of an earlier check, though lines have moved."""

import os
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from hashlib import sha256
from typing import Any

from pastore.findings.finding import Finding

_OFFSET = re.compile(r"\+0x[0-9a-fA-F]+$")  # of a filter in its list: it moves with those before it

Identity = tuple[str, ...]


def identity(finding: Mapping[str, Any]) -> Identity:
    """Return what a finding is about.

    Parameters
    ----------
    finding : mapping
        The JSON form of a finding.

    Raises
    ------
    KeyError, TypeError
        If it is none.
    """
    source = finding["source"]
    message = finding["message"]
    if source:
        message = re.sub(rf"({re.escape(source)}):\d+(:\d+)?", r"\1", message)
    parts = [finding["code"], same_path(source), _OFFSET.sub("", finding["locator"] or "")]
    return tuple(str(part) for part in (*parts, finding["rule"], finding["filter"], message))


def same_path(source: str) -> str:
    """Return a path as every way to write it comes out: relative where it lies below the working directory."""
    if not source or "://" in source or source == "-":
        return source
    path = os.path.normpath(source)
    if os.path.isabs(path):
        try:
            relative = os.path.relpath(path)
        except (OSError, ValueError):  # the working directory is gone, or on another drive
            return path
        return path if relative.startswith(os.pardir) else relative
    return path


def fingerprints(findings: Iterable[Finding]) -> Iterator[str]:
    """Yield a fingerprint for each finding: the same in the next check, different from all others of this one."""
    seen: Counter[Identity] = Counter()
    for finding in findings:
        name = identity(finding.as_dict())
        seen[name] += 1
        digest = sha256("\0".join(name).encode("utf-8", "surrogatepass")).hexdigest()
        yield f"{digest[:32]}:{seen[name]}"
