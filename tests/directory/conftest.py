"""A real Active Directory domain for the tests of this folder."""

import sys
from collections.abc import Iterator

import pytest

from tests.support.domain import DomainController, Elsewhere, missing_packages, namespaces


@pytest.fixture(scope="session")
def domain() -> Iterator[DomainController]:
    """A new domain, made once a session. A missing package is a failure; only a platform that forbids namespaces is excused."""
    if not sys.platform.startswith("linux"):
        pytest.skip("elsewhere: Samba's domain controller needs Linux's namespaces")
    lacking = missing_packages()
    if not {"util-linux"}.intersection(lacking):
        try:
            namespaces()
        except Elsewhere as error:
            pytest.skip(f"elsewhere: {error}")
    if lacking:
        pytest.fail(f"a domain controller needs {' '.join(lacking)}; scripts/setup-debian test installs what is missing")
    with DomainController() as controller:
        yield controller
