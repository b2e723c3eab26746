"""Values in PowerShell commands stay data, whatever they hold."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pastore.export import wfas
from pastore.export.powershell import Code, command, quoted
from pastore.filters.expand import expand
from pastore.model import AuthKind, AuthMethod, Secret
from tests.support.netsecurity import faults
from tests.support.policies import policy, rule
from tests.support.powershell import Interpreter, NotUnderstoodError, Token, run, statements

HOSTILE = (
    "it's",
    "''; Remove-Item C:\\ -Recurse #",
    "a\u2019; Restart-Computer; \u2018b",
    "\u201a\u201b'",
    "$(Restart-Computer) $env:PATH ${x}",
    "`n`$(1) `",
    "line\r\nRestart-Computer",
    "a\nb\x01c\x1b[31m",
    '"; calc; "',
    "@FirewallAPI.dll,-28502",
    "ALL",
    "a|Action=Allow|Dir=In|",
    "<# comment",
    "#> Restart-Computer",
    "-Action Allow",
    "\u202egnp.exe",
    "\ud800",
    "事務所 🏢",
    "",
)


@given(st.text(st.characters() | st.sampled_from("'\u2018\u2019\u201a\u201b\"`$\r\n#;|{}()"), max_size=40))
@settings(max_examples=300)
def test_a_quoted_value_is_read_as_it_was(value: str) -> None:
    assert statements(quoted(value)) == [[Token("string", value)]]


@pytest.mark.parametrize("quote", "'\u2018\u2019\u201a\u201b")
def test_every_character_that_ends_a_string_stands_twice(quote: str) -> None:
    assert quoted(f"a{quote}b") == f"'a{quote}{quote}b'"


def test_the_reader_sees_what_is_not_quoted() -> None:
    # Were quotes left alone, the reader would see another command: this is what it is for.
    with pytest.raises(NotUnderstoodError):
        statements("New-NetFirewallRule -DisplayName 'a'; Restart-Computer'")
    assert len(statements("New-X -Name 'a\u2019\nRestart-Computer")) == 2
    assert statements("New-X -Name 'a`'") == [[Token("word", "New-X"), Token("parameter", "-Name"), Token("string", "a`")]]
    with pytest.raises(NotUnderstoodError):
        Interpreter()._command(statements("New-X 'a'")[0])


def test_switches_lists_and_expressions() -> None:
    made = command("New-X", ("Machine", None), ("Name", "a b"), ("Port", ["1", "2-3"]), ("None", []), ("Set", Code("$Set.Name")))
    assert made == "New-X -Machine -Name 'a b' -Port '1','2-3' -Set $Set.Name"


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_names_change_no_command_and_are_taken_for_names(name: str) -> None:
    key = AuthMethod(AuthKind.PRESHARED_KEY, Secret(name or "x"))
    root = AuthMethod(AuthKind.CERTIFICATE, certificate_authority=name or "x")
    usable = "\ud800" not in name

    def script(label: str, key: AuthMethod, root: AuthMethod) -> bytes:
        made = policy(
            rule(label, "block", "any > me", "tcp me > 10.0.0.0/8"),
            rule(f"{label}2", "protect", "tcp me > 10.1.0.0/16:1433", auth=(key, root)),
            name=label,
        )
        return wfas.write(made, expand(made), secrets=True).data

    if not usable:
        with pytest.raises(ValueError, match="character"):
            script(name, key, root)
        return
    done = run(script(name, key, root))
    plain = run(script("plain", AuthMethod(AuthKind.PRESHARED_KEY, Secret("k")), AuthMethod(AuthKind.CERTIFICATE, None, "CN=x")))
    assert faults(done.made) == []
    # The order of the rules' GUIDs, which hang on their names, is the only other thing that may differ.
    assert sorted(each.name for each in done.made) == sorted(each.name for each in plain.made)
    proposals = [each.parameters for each in done.made if each.name == "New-NetIPsecAuthProposal"]
    assert proposals[0]["PreSharedKey"] == [name or "x"]
    assert proposals[1]["Authority"] == [name or "x"]
    assert done.removed == [
        "NetFirewallRule",
        "NetIPsecRule",
        "NetIPsecMainModeRule",
        "NetIPsecMainModeCryptoSet",
        "NetIPsecQuickModeCryptoSet",
        "NetIPsecPhase1AuthSet",
    ]
