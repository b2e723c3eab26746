"""ipsecPolicy data."""

import pytest

from pastore.ipsecdata.policy import PolicyBlob, decode, encode
from tests.support import stored as s


def test_the_25_byte_policy_holds_10800_seconds_and_a_pad() -> None:
    assert len(s.POLICY) == 25
    assert decode(s.POLICY) == (PolicyBlob(10800, 4, b"\0"), ())


@pytest.mark.parametrize("data", [s.POLICY, s.POLICY[:-1], s.POLICY[:-1] + b"\xcd"])
def test_encoding_gives_the_same_bytes_with_any_or_no_pad(data: bytes) -> None:
    blob, _ = decode(data)
    assert blob is not None
    assert encode(blob) == data


def test_an_interval_that_does_not_fit_is_refused() -> None:
    with pytest.raises(ValueError, match="polling interval"):
        encode(PolicyBlob(1 << 32))
