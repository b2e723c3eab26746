"""The configuration of the agent: what it may hold, and mistakes by their line."""

import re
from pathlib import Path
from typing import Final

import click
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pastore.agent.config import OPTIONS, ConfigError, line_of, read_config
from pastore.cli import agent

PAGE: Final = Path(__file__).parents[3] / "docs" / "agent.md"


def wrong(tmp_path: Path, text: str | bytes) -> str:
    path = tmp_path / "agent.toml"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(ConfigError) as caught:
        read_config(str(path))
    return str(caught.value).removeprefix(f"{path}")


def test_the_one_of_the_documentation_is_taken(tmp_path: Path) -> None:
    text = PAGE.read_text(encoding="utf-8").split("<!-- config -->")[1].strip().removeprefix("```toml\n").removesuffix("```")
    (tmp_path / "agent.toml").write_text(text)
    values = read_config(str(tmp_path / "agent.toml"))
    assert (values["computer"], values["me"]) == ("FILES1", ["10.20.4.7/16", "2001:db8:20::7"])


def test_every_option_of_the_command_line_is_one_of_the_configuration_and_the_other_way_round() -> None:
    names = {agent._RENAMED.get(name, name) for name in OPTIONS}
    parameters = agent.run.params
    known = {parameter.name for parameter in parameters if parameter.expose_value}
    assert names == known - {"once"}
    flags = {parameter.name for parameter in parameters if isinstance(parameter, click.Option) and parameter.is_flag}
    assert flags == {"kerberos", "insecure", "once"}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('source = "a.reg"\nsite = \n', ":2:8: Invalid value"),
        ('source = "a.reg"\n\ncomputr = "FILES1"\n', ":3: there is no option 'computr'; did you mean computer?"),
        ('# x\npassword = "secret"\n', ":2: there is no option 'password'; a password does not belong here"),
        ('ca-file = "x"\n', ":1: there is no option 'ca-file'; it is written ca_file"),
        ('[agent]\nsource = "x"\n', ":1: there is no option 'agent'; a configuration has no tables"),
        ("xyzzy = 1\n", ":1: there is no option 'xyzzy'; known are source, "),
        ("\nsource = 5\n", ":2: source: a text in quotes is wanted"),
        ('source = ""\n', ":1: source: a text in quotes is wanted"),
        ('source = "ldaps://me:secret@dc1"\n', ":1: source: a URL holds no user and no password"),
        ('source = "a"\nlocal = "ldaps://dc1"\n', ":2: local: local storage is a file or registry:"),
        ('timeout = "30"\n', ":1: timeout: a number of seconds is wanted, above 0 and at most 86400"),
        ("timeout = 0\n", ":1: timeout: a number of seconds"),
        ("timeout = true\n", ":1: timeout: a number of seconds"),
        ("timeout = nan\n", ":1: timeout: a number of seconds"),
        ('insecure = "yes"\n', ":1: insecure: true or false is wanted"),
        ('me = "10.0.0.1"\n', ":1: me: a list of texts is wanted"),
        ('me = [\n  "10.0.0.1",\n  "10.0.0.300",\n]\n', ":1: me: "),
        ('gateway = ["nowhere"]\n', ":1: gateway: gateway 'nowhere' is not an address"),
        ('target = "95"\n', ":1: target: one of '2000', 'xp', '2003', 'vista' is wanted"),
        ("default_exempt = 4\n", ":1: default_exempt: one of 0, 1, 2, 3 is wanted"),
        ("default_exempt = true\n", ":1: default_exempt: one of"),
        ('audit_policy = ["Firewall=success"]\n', ":1: audit_policy: audit category 'Firewall' is not known"),
        ('site = "a"\nsite = "b"\n', ":2:11: Cannot overwrite a value"),
        ('site = "a\n', ":1:10: Illegal character"),
        (b'site = "\xff"\n', ":1: byte 8 is not UTF-8"),
        ('site = """\nme = 1\n"""\nme = 1\n', ":4: me: a list of texts is wanted"),
        ('"me" = 1\n', ":1: me: a list of texts"),
        ("site = " + "[" * 100_000, ": nested too deeply"),
        ("#" * (1 << 20) + "\n", ": a configuration has at most 1 MiB"),
    ],
)
def test_a_mistake_is_told_with_its_line(tmp_path: Path, text: str | bytes, message: str) -> None:
    said = wrong(tmp_path, text)
    assert said.startswith(message)
    assert "secret" not in said


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=re.escape("agent.toml: cannot be read: No such file or directory")):
        read_config(str(tmp_path / "agent.toml"))


@given(st.lists(st.sampled_from(['site = "x"', "# me = 1", "", 'user = """', '"""', "me = 1 # me", "'me'=2"]), max_size=8))
def test_a_line_is_told_for_whatever_file(lines: list[str]) -> None:
    text = "\n".join(lines)
    assert 1 <= line_of(text, "me") <= max(1, len(lines))
