"""What makes a Group Policy object assign a policy: its list of extensions, its version, and how one is named."""

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from pastore.directory import DirectoryError, Session
from pastore.directory.group_policy import Assigning, assigning, find_gpo, next_version, with_extension
from pastore.directory.writing import Add, Modify
from tests.support.directory_examples import BASE, CONTAINER, GPO, entries, made
from tests.support.hostile_ldap import Directory, serving

IPSEC = "[{E437BC1C-AA7D-11D2-A382-00C04F991E27}{DEA8AFA0-CC85-11D0-9CE2-0080C7221EBD}]"
BEFORE = "[{35378EAC-683F-11D2-A89A-00C04FBBCFA2}{D02B1F72-3407-48AE-BA88-E8213C6761F1}]"
AFTER = "[{f3ccc681-b74c-4060-9f26-cd84525dca2a}{0F3F3735-573D-9804-99E4-AB2A69BA5FD4}{ABCDEF00-0000-4000-8000-000000000000}]"
POLICY = f"CN=ipsecPolicy{{{made().guid}}},{CONTAINER}"
POINTER = f"CN=IPSEC,CN=Windows,CN=Microsoft,CN=Machine,{GPO}"
Entries = dict[str, dict[str, list[bytes | str]]]


@pytest.mark.parametrize(
    ("listed", "wanted"),
    [
        ("", IPSEC),
        (BEFORE, BEFORE + IPSEC),
        (AFTER, IPSEC + AFTER),
        (BEFORE + AFTER, BEFORE + IPSEC + AFTER),
        (IPSEC.lower(), IPSEC.lower()),
        (BEFORE + "[{E437BC1C-AA7D-11D2-A382-00C04F991E27}]", BEFORE + "[{E437BC1C-AA7D-11D2-A382-00C04F991E27}]"),
    ],
)
def test_the_extension_stands_once_and_in_order(listed: str, wanted: str) -> None:
    assert with_extension(listed) == wanted


@pytest.mark.parametrize("listed", ["{E437}", "[", BEFORE + "x", "[no guid]"])
def test_a_list_that_is_none_is_not_touched(listed: str) -> None:
    with pytest.raises(ValueError, match="is no list of"):
        with_extension(listed)


@pytest.mark.parametrize(
    ("version", "following"),
    [
        (0, 1),
        (7, 8),
        ((3 << 16) | 5, (3 << 16) | 6),
        ((3 << 16) | 0xFFFF, (3 << 16) | 1),  # 0 would mean that there is nothing for computers
        (-0x10000 + 4, -0x10000 + 5),  # the half of the users fills the sign
        (0x7FFF0001, 0x7FFF0002),
    ],
)
def test_the_version_of_the_computers_half_is_raised(version: int, following: int) -> None:
    assert next_version(version) == following


@pytest.fixture
def folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="ldap-") as name:
        yield Path(name)


def asked(folder: Path, found: Entries, name: str = "Servers", policy: str = POLICY) -> Assigning:
    with serving(Directory(found), folder) as server, Session(server.url) as session:
        return assigning(session, find_gpo(session, name), policy, "Server Isolation", "")


def test_one_that_assigns_it_already_is_left_alone(folder: Path) -> None:
    found = entries(uSNChanged=["20"])
    found[POINTER] |= {"ipsecName": ["Server Isolation"], "uSNChanged": ["10"]}
    got = asked(folder, found)
    assert (got.name, got.changes, got.before.lower(), got.is_off) == ("Servers", (), POLICY.lower(), False)


def test_a_pointer_that_was_written_and_not_announced_is_announced(folder: Path) -> None:
    found = entries(uSNChanged=["20"])
    found[POINTER] |= {"ipsecName": ["Server Isolation"], "uSNChanged": ["30"]}
    (change,) = asked(folder, found).changes
    assert isinstance(change, Modify)
    assert change.dn == GPO
    assert [(step.operation.name, step.attribute, step.values) for step in change.steps] == [
        ("DELETE", "versionNumber", (b"1",)),
        ("ADD", "versionNumber", (b"2",)),
    ]


def test_the_pointer_comes_before_what_announces_it(folder: Path) -> None:
    found = entries(gPCMachineExtensionNames=[BEFORE], flags=["2"])
    del found[POINTER]
    got = asked(folder, found)
    assert [(type(change), change.dn) for change in got.changes] == [
        (Add, f"CN=Machine,{GPO}"),
        (Add, f"CN=Microsoft,CN=Machine,{GPO}"),
        (Add, f"CN=Windows,CN=Microsoft,CN=Machine,{GPO}"),
        (Add, POINTER),
        (Modify, GPO),
    ]
    pointer, announced = got.changes[-2:]
    assert isinstance(pointer, Add)
    assert pointer.attributes["ipsecOwnersReference"] == (POLICY.encode(),)
    assert pointer.attributes["objectClass"][-1] == b"ipsecPolicy"
    assert isinstance(announced, Modify)
    assert announced.steps[1].values == ((BEFORE + IPSEC).encode(),)
    assert got.is_off


def test_another_policy_is_replaced_in_one_step_and_named(folder: Path) -> None:
    other = POLICY.replace(str(made().guid), "11111111-1111-4111-8111-111111111111")
    got = asked(folder, entries(), policy=other)
    pointer, announced = got.changes
    assert isinstance(pointer, Modify)
    assert (pointer.steps[0].operation.name, pointer.steps[0].values) == ("REPLACE", (other.encode(),))
    assert announced.dn == GPO
    assert got.before.lower() == POLICY.lower()


@pytest.mark.parametrize("name", ["Servers", " servers ", GPO, GPO.lower(), GPO.partition("{")[2].partition("}")[0]])
def test_it_is_named_by_its_name_its_guid_or_its_dn(folder: Path, name: str) -> None:
    found = entries()
    found[GPO]["cn"] = [GPO.partition(",")[0].partition("=")[2]]
    assert asked(folder, found, name).name == "Servers"


@pytest.mark.parametrize("name", ["", "Server", "*", "CN=Servers", "00000000-0000-0000-0000-000000000000"])
def test_pa178_there_is_none(folder: Path, name: str) -> None:
    with pytest.raises(DirectoryError, match="there are 'Servers'") as refused:
        asked(folder, entries(), name)
    assert refused.value.code == "PA178"


def test_pa178_several_of_one_name_and_a_list_that_is_none(folder: Path) -> None:
    found = entries()
    found[f"CN={{{made().guid}}},CN=Policies,CN=System,{BASE}"] = found[GPO]
    with pytest.raises(DirectoryError, match="2 Group Policy objects are called 'Servers'") as refused:
        asked(folder, found)
    assert refused.value.code == "PA178"
    (folder / "ldapi").unlink()
    with pytest.raises(DirectoryError, match="is no list of") as refused:
        asked(folder, entries(gPCMachineExtensionNames=["nonsense"]))
    assert refused.value.code == "PA178"
