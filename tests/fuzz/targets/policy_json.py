"""Any bytes as a policy in JSON: read without an exception, with a policy or the reason why there is none.

No finding is in a line that the file does not have. A policy that is read is written as JSON, read again as the same one, and
written again as the same bytes; as a registry export it is written and read as the same one, or refused with a sentence.
"""

import re
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from typing import Final

from pastore.export import policy_json as export
from pastore.export import reg
from pastore.model import NOWHERE, Policy
from pastore.sources.policy_json import load_json
from tests.fuzz import checks

WORDS: Final = (
    *(b'"%b":' % name.encode() for name in ("version", "policy", "rules", "filters", "kind", "key", "offers", "methods")),
    *(b'"%b"' % name.encode() for name in ("preshared_key", "kerberos", "subnet", "range", "me", "any", "dns", "esp", "ah")),
    b"null",
    b"true",
    b"[]",
    b"{}",
    b"1e400",
    b"-0",
    b"\\ud800",
    b"\xff\xfe",
)


def check(data: bytes) -> None:
    """See above."""
    loaded = load_json(data, "x.json")
    checks.explained(loaded, data, len(re.findall(rb"\n|\r", data)) + 1)
    if not isinstance(loaded.policy, Policy):
        return
    policy = replace(loaded.policy, origin=NOWHERE)
    written = export.write(policy, secrets=True)
    again = load_json(written, "x.json")
    assert again.policy == policy
    assert isinstance(again.policy, Policy)
    assert _without_places(export.write(again.policy, secrets=True)) == _without_places(written)
    with suppress(ValueError):  # which is a sentence for the user
        reg.write(policy, secrets=True)


def _without_places(written: bytes) -> bytes:
    """Return JSON without the places where nodes were read, which are in their own lines."""
    return re.sub(rb',\s*"origin": \{[^}]*\}', b"", written)


def seeds() -> Iterator[bytes]:
    """Yield policies of different shapes, with and without blanks."""
    import json

    from tests.support.exporting import keyed
    from tests.support.policies import flt, policy, rule

    small = keyed(
        policy(rule("Rest", "block", flt("any > me")), rule("In", "protect", flt("tcp 10.0.0.0/8 > me:443")), name="One")
    )
    for one in (policy(name="Empty"), small):
        written = export.write(one, secrets=True)
        yield written
        yield json.dumps(json.loads(written), separators=(",", ":")).encode()
    yield json.dumps(json.loads(written)).encode("utf-16")
