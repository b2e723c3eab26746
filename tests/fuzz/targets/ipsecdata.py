"""Any bytes as ipsecData: decoding does not raise, explains itself, and what it gives encodes to the same bytes.

Every codec sees every input. A value that is not understood is an error; every finding has its place inside the value. None
quotes data: the pre-shared key of the seeds is not found in any of them, wherever it has been moved to, and no repr shows it.
"""

from collections.abc import Iterator
from typing import Any, Final

from pastore.findings import Severity
from pastore.ipsecdata import filter_list, isakmp, meaning, negotiation, nfa, policy
from pastore.ipsecdata.blob import FILTERS_V1, FILTERS_V2, NFA
from pastore.model import NOWHERE, Origin, Secret

CANARY: Final = "c4narybird"
CODECS: Final[tuple[Any, ...]] = (policy, isakmp, negotiation, nfa, filter_list)
LONGEST: Final = 2048
WORDS: Final = (
    *(bytes([kind, 0, 0, 0]) for kind in (1, 2, 3, 5)),
    b"\xff\xff\xff\xff",
    b"\xfe\xff\xff\xff",
    b"\xfd\xff\xff\xff",
    b"\1" * 16,
    b"\1" * 15 + b"\2",
    b"\1" * 15 + b"\3",
    b"\x02\0\0\0\0\0",
    *(each.bytes_le for each in (FILTERS_V1, FILTERS_V2, NFA)),
)
_ORIGIN: Final = Origin("x", "key\\ipsecData")


def check(data: bytes) -> None:
    """See above."""
    for codec in CODECS:
        blob, findings = codec.decode(data, _ORIGIN)
        if blob is None:
            assert any(finding.severity is Severity.ERROR for finding in findings)
        else:
            assert codec.encode(blob) == data
        for finding in findings:
            offset = int(finding.origin.locator.removeprefix("key\\ipsecData+0x"), 16)
            assert 0 <= offset <= len(data)
            assert CANARY not in finding.message
        if codec is nfa and blob is not None and any(isinstance(method.data, Secret) for method in blob.auth_methods):
            keys = [method.data.reveal() for method in blob.auth_methods if isinstance(method.data, Secret)]
            assert not any(key in repr(blob) for key in keys if len(key) > 16)
        if codec is filter_list and blob is not None:
            meaning.filters_of(blob, NOWHERE)


def seeds() -> Iterator[bytes]:
    """Yield values as Windows 2000 and Windows 10 write them, and a rule with a key."""
    from pastore.ipsecdata.objects import store
    from tests.support import example, exporting, stored

    yield from (stored.POLICY, stored.ICMP_W2K, stored.NFA_W2K, stored.NFA_W10, stored.ISAKMP_W2K, stored.NEGOTIATION_W2K)
    for one in (example.policy(), exporting.keyed(stored.small_policy(), CANARY)):
        for each in store(one):
            data = each.attributes["ipsecdata"]
            if isinstance(data, bytes) and len(data) <= LONGEST:
                yield data
