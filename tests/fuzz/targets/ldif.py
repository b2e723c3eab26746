"""Any bytes as LDIF: read without an exception, with a policy or the reason why there is none.

No finding is in a line that the file does not have. A policy that is read can be written as LDIF and is read from it as the same
one.
"""

from collections.abc import Iterator
from dataclasses import replace
from typing import Final

from pastore.export import ldif as export
from pastore.sources.ldif import load_ldif
from tests.fuzz import checks

BASE: Final = "DC=corp,DC=example"
WORDS: Final = (
    b"dn: ",
    b"dn:: ",
    b"changetype: modify\n",
    b"changetype: delete\n",
    b"add: ipsecOwnersReference\n",
    b"delete: ipsecName\n",
    b"replace: ipsecData\n",
    b"\n-\n",
    b"\n ",
    b"version: 1\n",
    b"ipsecData:: ",
    b"whenChanged: 20220628040732.0Z\n",
    b";range=0-1",
    b":< file:///x",
    b",CN=IP Security,CN=System,DC=corp,DC=example",
    b"CN=IPSEC,CN=Windows,CN=Microsoft,CN=Machine,",
)


def check(data: bytes) -> None:
    """See above."""
    loaded = load_ldif(data, "x.ldif")
    checks.explained(loaded, data, data.count(b"\n") + 1)
    checks.stored_again(
        loaded.policies[:2],
        lambda one: export.write(one, base_dn=BASE, secrets=True),
        lambda written: load_ldif(written, "y.ldif"),
        keeps_assignment=False,
    )


def seeds() -> Iterator[bytes]:
    """Yield what `convert` writes, entries as ldapsearch prints them, and a Group Policy object that assigns one."""
    from tests.support.exporting import in_directory, keyed
    from tests.support.policies import flt, policy, rule

    small = keyed(
        policy(rule("Rest", "block", flt("any > me")), rule("In", "protect", flt("tcp 10.0.0.0/8 > me:443")), name="One")
    )
    dated = replace(policy(name="Empty"), when_changed=1_772_352_000)
    for one in (dated, small):
        for times in (True, False):
            written = export.write(one, base_dn=BASE, secrets=True, times=times)
            yield written
            yield written.replace(b"changetype: add\n", b"").replace(b"version: 1\n\n", b"# extended LDIF\n")
        assigned = (
            "\ndn: CN=IPSEC,CN=Windows,CN=Microsoft,CN=Machine,CN={31B2F340-016D-11D2-945F-00C04FB984F9},CN=Policies,CN=System,"
            f"{BASE}\nobjectClass: ipsecPolicy\nipsecOwnersReference: {in_directory(one).dn}\n"
        )
        yield written + assigned.encode()
    yield written.decode().encode("utf-16")
