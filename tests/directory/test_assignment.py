"""Which policy a computer gets, in a real domain: links, their order, what blocks them and who is filtered out."""

import struct
from base64 import b64encode
from collections.abc import Iterator

import pytest

import pastore
from pastore.directory import Access
from pastore.directory.assignment import Assignment, Fate, assignment_of
from pastore.directory.errors import DirectoryError
from pastore.directory.rights import APPLY_GROUP_POLICY
from pastore.directory.session import Session
from pastore.model import Policy, Secret
from tests.support.command import pastore as run
from tests.support.domain import ADMINISTRATOR, BASE, DomainController, read_ldif

OUTER = f"OU=Halden,{BASE}"
INNER = f"OU=Servers,{OUTER}"
COMPUTER = f"CN=FILES1,{INNER}"
SITE = f"CN=Default-First-Site-Name,CN=Sites,CN=Configuration,{BASE}"
PLACES = {"inner": INNER, "outer": OUTER, "domain": BASE, "site": SITE}

POLICIES = f"CN=Policies,CN=System,{BASE}"
GUIDS = {name: f"{{{number:08X}-1111-4111-8111-111111111111}}" for number, name in enumerate("ABCDE", 0xA0)}
SERVER, CLIENT, SECURE = (
    f"CN=ipsecPolicy{{{guid}-70FA-11D1-864C-14A300000000}},CN=IP Security,CN=System,{BASE}"
    for guid in ("72385230", "72385236", "7238523C")
)
TARGETS = {"A": SERVER, "B": CLIENT, "C": SECURE, "D": SERVER, "E": ""}
REGISTRY = "[{35378EAC-683F-11D2-A89A-00C04FBBCFA2}{D02B1F72-3407-48AE-BA88-E8213C6761F1}]"
EXTENSIONS = REGISTRY + "[{E437BC1C-AA7D-11D2-A382-00C04F991E27}{DEA8AFA0-CC85-11D0-9CE2-0080C7221EBD}]"
DACL_ALONE = "control: 1.2.840.113556.1.4.801 true:: MAMCAQQ="


def gpo(name: str) -> str:
    return f"CN={GUIDS[name]},{POLICIES}"


class Estate:
    """Five Group Policy objects, four places to link them, and a computer."""

    def __init__(self, domain: DomainController) -> None:
        self.domain = domain
        self.url = domain.url
        self.access = Access(user=ADMINISTRATOR, password=Secret(domain.password))

    def make(self) -> None:
        ldif = [
            f"dn: {OUTER}\nchangetype: add\nobjectClass: organizationalUnit\n",
            f"dn: {INNER}\nchangetype: add\nobjectClass: organizationalUnit\n",
            f"dn: {COMPUTER}\nchangetype: add\nobjectClass: computer\nsAMAccountName: FILES1$\nuserAccountControl: 4096\n",
        ]
        for name in GUIDS:
            ldif.append(
                f"dn: {gpo(name)}\nchangetype: add\nobjectClass: groupPolicyContainer\n"
                f"displayName: GPO {name}\nflags: 0\nversionNumber: 1\n"
                f"gPCFunctionalityVersion: 2\ngPCMachineExtensionNames: {EXTENSIONS}\n"
            )
            below = gpo(name)
            for part in ("Machine", "Microsoft", "Windows"):
                below = f"CN={part},{below}"
                ldif.append(f"dn: {below}\nchangetype: add\nobjectClass: container\n")
            if TARGETS[name]:
                ldif.append(
                    f"dn: CN=IPSEC,{below}\nchangetype: add\nobjectClass: ipsecPolicy\n"
                    f"ipsecName: x\nipsecOwnersReference: {TARGETS[name]}\n"
                )
        self.domain.modify("\n".join(ldif))
        self.set(COMPUTER, "dNSHostName", "files1.ad.test")

    def clear(self) -> None:
        """Take away what `make` made, leaves first: the objects would assign policies to other tests."""
        gone = [COMPUTER, INNER, OUTER]
        for name in GUIDS:
            parts = [gpo(name)]
            for part in ("Machine", "Microsoft", "Windows", *(["IPSEC"] if TARGETS[name] else [])):
                parts.insert(0, f"CN={part},{parts[0]}")
            gone += parts
        self.domain.modify("\n".join(f"dn: {dn}\nchangetype: delete\n" for dn in gone))

    def link(self, **places: str) -> None:
        """Link objects in the order of the attribute: the name of each, with ! if it is enforced and - if it is disabled."""
        changes = []
        for place, dn in PLACES.items():
            value = ""
            for one in places.get(place, "").split():
                options = 2 * ("!" in one) + ("-" in one)
                value += f"[LDAP://{gpo(one[0]).lower()};{options}]"
            changes.append(f"dn: {dn}\nchangetype: modify\nreplace: gPLink\n" + (f"gPLink: {value}\n" if value else ""))
        self.domain.modify("\n".join(changes))

    def set(self, dn: str, attribute: str, value: str | None) -> None:
        self.domain.modify(
            f"dn: {dn}\nchangetype: modify\nreplace: {attribute}\n" + (f"{attribute}: {value}\n" if value is not None else "")
        )

    def protect(self, dn: str, value: str) -> None:
        change = f"dn: {dn}\n{DACL_ALONE}\nchangetype: modify\nreplace: nTSecurityDescriptor\nnTSecurityDescriptor:: {value}\n"
        self.domain.modify(change)

    def of(self, computer: str = "FILES1", site: str | None = "Default-First-Site-Name") -> Assignment:
        with Session(self.url, self.access) as session:
            return assignment_of(session, computer, site)


@pytest.fixture(scope="module")
def estate(domain: DomainController) -> Iterator[Estate]:
    made = Estate(domain)
    (entry,) = read_ldif(domain.search(BASE, "(objectClass=domainDNS)", "gPLink"))
    before = entry[1]["gplink"][0].decode()
    made.make()
    yield made
    made.link()
    made.set(BASE, "gPLink", before)
    made.clear()


def told(assignment: Assignment) -> list[tuple[str, Fate]]:
    return [(link.name[-1], link.fate) for link in assignment.links]


def winner(assignment: Assignment) -> str | None:
    return assignment.winner.name[-1] if assignment.winner else None


def test_the_unit_goes_before_the_domain_and_the_domain_before_the_site(estate: Estate) -> None:
    estate.link(outer="A", domain="B", site="C")
    got = estate.of()
    assert told(got) == [("A", Fate.WINS), ("B", Fate.OUTRANKED), ("C", Fate.OUTRANKED)]
    assert (got.computer, got.site, got.policy, got.findings) == (COMPUTER, SITE, SERVER, ())
    estate.link(domain="B", site="C")
    assert told(estate.of()) == [("B", Fate.WINS), ("C", Fate.OUTRANKED)]
    estate.link(site="C")
    assert told(estate.of()) == [("C", Fate.WINS)]


def test_the_nearer_unit_goes_before_the_farther(estate: Estate) -> None:
    estate.link(inner="A", outer="B")
    assert told(estate.of()) == [("A", Fate.WINS), ("B", Fate.OUTRANKED)]


def test_of_two_in_one_unit_link_order_1_wins_which_is_the_last_of_the_attribute(estate: Estate) -> None:
    estate.link(inner="A B")
    got = estate.of()
    assert [(link.name[-1], link.order) for link in got.links] == [("B", 1), ("A", 2)]
    assert winner(got) == "B"


def test_an_enforced_link_goes_before_nearer_ones_and_the_farthest_enforced_one_first(estate: Estate) -> None:
    estate.link(inner="A", domain="B!")
    assert told(estate.of()) == [("B", Fate.WINS), ("A", Fate.OUTRANKED)]
    estate.link(inner="A!", outer="C", domain="B!", site="D!")
    assert [name for name, _ in told(estate.of())] == ["D", "B", "A", "C"]
    estate.link(domain="A! B!")
    assert [name for name, _ in told(estate.of())] == ["B", "A"]


def test_blocked_inheritance_keeps_out_all_but_enforced_links(estate: Estate) -> None:
    estate.set(INNER, "gPOptions", "1")
    try:
        estate.link(outer="A", domain="B", site="C!")
        assert told(estate.of()) == [("C", Fate.WINS), ("A", Fate.BLOCKED), ("B", Fate.BLOCKED)]
        estate.link(inner="D", outer="A")
        assert told(estate.of()) == [("D", Fate.WINS), ("A", Fate.BLOCKED)]
    finally:
        estate.set(INNER, "gPOptions", "0")


def test_a_disabled_link_and_a_disabled_computer_half_do_not_count(estate: Estate) -> None:
    estate.link(inner="A-", outer="B", domain="C")
    estate.set(gpo("B"), "flags", "2")
    try:
        got = estate.of()
        assert told(got) == [("A", Fate.DISABLED), ("B", Fate.FILTERED), ("C", Fate.WINS)]
        assert got.links[1].why == "its computer half is disabled"
        estate.set(gpo("B"), "flags", "1")  # the half of the users
        assert winner(estate.of()) == "B"
    finally:
        estate.set(gpo("B"), "flags", "0")


def test_an_object_without_the_extension_or_a_version_assigns_nothing(estate: Estate) -> None:
    estate.link(inner="A", outer="B", domain="C")
    estate.set(gpo("A"), "gPCMachineExtensionNames", REGISTRY)
    estate.set(gpo("B"), "versionNumber", str(7 << 16))  # versions of the users' half alone
    try:
        got = estate.of()
        assert told(got) == [("A", Fate.NO_POLICY), ("B", Fate.FILTERED), ("C", Fate.WINS)]
        assert got.links[0].why == "it does not list the IP Security extension, though it points to a policy"
    finally:
        estate.set(gpo("A"), "gPCMachineExtensionNames", EXTENSIONS)
        estate.set(gpo("B"), "versionNumber", "1")


def test_pa135_a_pointer_that_leads_nowhere_wins_all_the_same(estate: Estate) -> None:
    estate.link(inner="E", outer="A")
    got = estate.of()
    assert (winner(got), got.policy) == ("E", "")
    assert [finding.code for finding in got.findings] == ["PA135"]
    loaded = pastore.load(estate.url, computer="FILES1", site="Default-First-Site-Name", access=estate.access)
    assert (loaded.policy, [finding.code for finding in loaded.findings]) == (None, ["PA135"])


def test_pa135_a_pointer_to_a_deleted_policy(estate: Estate) -> None:
    name = "ipsecPolicy{0BADF00D-0000-4000-8000-000000000001}"
    dn = f"CN={name},CN=IP Security,CN=System,{BASE}"
    pointer = f"CN=IPSEC,CN=Windows,CN=Microsoft,CN=Machine,{gpo('B')}"
    estate.domain.modify(f"dn: {dn}\nchangetype: add\nobjectClass: ipsecPolicy\nipsecName: Doomed\n")
    estate.set(pointer, "ipsecOwnersReference", dn)
    estate.domain.modify(f"dn: {dn}\nchangetype: delete\n")
    try:
        estate.link(inner="B", outer="A")
        got = estate.of()
        assert winner(got) == "B"
        assert [finding.code for finding in got.findings] == ["PA135"]
    finally:
        estate.set(pointer, "ipsecOwnersReference", CLIENT)


def sid_of(estate: Estate, dn: str) -> bytes:
    (entry,) = (one for one in read_ldif(estate.domain.search(dn, "(objectClass=computer)", "objectSid")) if one[0] == dn)
    return entry[1]["objectsid"][0]


def descriptor(*entries: tuple[int, bytes]) -> str:
    """Return a security descriptor: object ACEs about the right Apply Group Policy, and for everybody all other rights."""
    acl = b""
    for kind, sid in entries:
        acl += struct.pack("<BBHII", kind, 0, 28 + len(sid), 0x100, 1) + APPLY_GROUP_POLICY.bytes_le + sid
    everyone = bytes.fromhex("010100000000000100000000")
    acl += struct.pack("<BBHI", 0, 0, 8 + len(everyone), 0x000F00FF & ~0x100) + everyone
    whole = struct.pack("<BBHHH", 4, 0, 8 + len(acl), len(entries) + 1, 0) + acl
    return b64encode(struct.pack("<BBHIIII", 1, 0, 0x8004, 0, 0, 0, 20) + whole).decode()


AUTHENTICATED_USERS = bytes.fromhex("01010000000000050b000000")


@pytest.mark.parametrize(
    ("kinds", "fate", "why"),
    [
        ([(5, "users")], Fate.WINS, "it has the highest precedence of those that apply"),
        ([(6, "computer"), (5, "users")], Fate.FILTERED, "the computer is denied the right Apply Group Policy"),
        ([(5, "computer"), (6, "users")], Fate.WINS, "it has the highest precedence of those that apply"),
        ([], Fate.FILTERED, "the computer does not have the right Apply Group Policy"),
        ([(5, "other")], Fate.FILTERED, "the computer does not have the right Apply Group Policy"),
    ],
)
def test_the_right_to_apply_it_is_honoured(estate: Estate, kinds: list[tuple[int, str]], fate: Fate, why: str) -> None:
    sids = {
        "users": AUTHENTICATED_USERS,
        "computer": sid_of(estate, COMPUTER),
        "other": bytes.fromhex("010100000000000512000000"),
    }
    estate.link(inner="D", outer="A")
    estate.protect(gpo("D"), descriptor(*((kind, sids[who]) for kind, who in kinds)))
    try:
        got = estate.of()
    finally:
        estate.protect(gpo("D"), descriptor((5, AUTHENTICATED_USERS)))
    assert (got.links[0].name, got.links[0].fate, got.links[0].why) == ("GPO D", fate, why)
    assert winner(got) == ("D" if fate is Fate.WINS else "A")
    assert got.findings == ()


def test_pa407_a_wmi_filter_is_told_and_taken_to_apply(estate: Estate) -> None:
    estate.link(inner="A", outer="B")
    estate.set(gpo("A"), "gPCWQLFilter", "[ad.test;{11111111-1111-4111-8111-111111111111};0]")
    try:
        got = estate.of()
        assert winner(got) == "A"
        assert [finding.code for finding in got.findings] == ["PA407"]
        estate.link(inner="B", outer="A")
        assert estate.of().findings == ()  # it would not win anyway
    finally:
        estate.set(gpo("A"), "gPCWQLFilter", None)


def test_pa408_a_site_that_may_decide_is_told_when_none_was_given(estate: Estate) -> None:
    estate.link(inner="A", site="B!")
    got = estate.of(site=None)
    assert winner(got) == "A"
    assert [finding.code for finding in got.findings] == ["PA408"]
    assert winner(estate.of()) == "B"
    estate.link(inner="A")
    assert estate.of(site=None).findings == ()


@pytest.mark.parametrize("name", ["FILES1", "files1$", "files1.ad.test", COMPUTER, COMPUTER.lower().replace(",", " , ")])
def test_a_computer_is_found_by_its_account_its_dns_name_and_its_dn(estate: Estate, name: str) -> None:
    estate.link(inner="A")
    assert estate.of(name).computer == COMPUTER


@pytest.mark.parametrize(
    "name", ["FILES2", "files2.ad.test", f"CN=FILES2,{INNER}", "*", ")(objectClass=*", "", INNER, "CN=FILES1,DC=other,DC=test"]
)
def test_pa175_a_computer_that_does_not_exist(estate: Estate, name: str) -> None:
    with pytest.raises(DirectoryError) as refused:
        estate.of(name)
    assert refused.value.code == "PA175"


def test_pa175_a_site_that_does_not_exist(estate: Estate) -> None:
    with pytest.raises(DirectoryError) as refused:
        estate.of(site="Nowhere,CN=Sites")
    assert (refused.value.code, str(refused.value)) == ("PA175", "there is no site 'Nowhere,CN=Sites'")


def test_the_policy_of_a_computer_is_loaded_as_the_assigned_one(estate: Estate) -> None:
    estate.link(inner="C", domain="A")
    got = pastore.load(estate.url, computer="FILES1", site="Default-First-Site-Name", access=estate.access)
    assert isinstance(got.policy, Policy)
    assert (got.policy.name, got.policy.assigned, got.policies) == ("Secure Server (Require Security)", True, (got.policy,))


def test_pa176_no_policy_is_assigned_to_the_computer(estate: Estate) -> None:
    estate.link()
    got = pastore.load(estate.url, computer="FILES1", access=estate.access)
    assert (got.policy, [finding.code for finding in got.findings]) == (None, ["PA176"])


def test_show_assignment_prints_every_link_and_why(estate: Estate, monkeypatch: pytest.MonkeyPatch) -> None:
    estate.link(inner="A-", outer="B C", domain="D!")
    monkeypatch.setenv("PASTORE_PASSWORD", estate.domain.password)
    result = run("show", estate.url, "--assignment", "--computer", "FILES1", "--user", ADMINISTRATOR)
    assert (result.status, result.err) == (0, "")
    assert result.lines[0] == f"Computer {COMPUTER}"
    rows = [line for line in result.lines if "GPO " in line and (" yes " in line or " no " in line)]
    assert [row.split()[0] for row in rows] == ["1", "2", "3", "4"]
    assert ["GPO D" in rows[0], "GPO A" in rows[1], "GPO C" in rows[2], "GPO B" in rows[3]] == [True] * 4
    assert "the link is disabled" in rows[1]
    assert "'GPO D' has precedence" in rows[2]
