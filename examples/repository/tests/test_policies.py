"""What must hold for every packet; run by pytest."""

from pathlib import Path

import pytest

import pastore
from pastore.testing import assert_blocks, assert_passes, assert_protects

POLICIES = Path(__file__).parents[1] / "policies"


@pytest.fixture(scope="module")
def file_server() -> pastore.Matcher:
    loaded = pastore.load(POLICIES / "file-servers.bat")
    assert isinstance(loaded.policy, pastore.Policy)
    return pastore.compile(loaded.policy, me=["10.20.4.7/16"])


def test_nobody_outside_reaches_the_shares(file_server: pastore.Matcher) -> None:
    assert_blocks(file_server, "tcp 0.0.0.0-10.19.255.255 > me:445")
    assert_blocks(file_server, "tcp 10.21.0.0-255.255.255.255 > me:445")


def test_the_company_does(file_server: pastore.Matcher) -> None:
    assert_passes(file_server, "tcp 10.20.0.0/16 > me:443,445")


def test_the_database_is_reached_under_ipsec_alone(file_server: pastore.Matcher) -> None:
    assert_protects(file_server, "tcp 10.30.0.0/24:1024-65535 > me:1433")
