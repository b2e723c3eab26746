"""pastore convert: the policy in another format, with its keys only when they are asked for."""

import base64
import stat
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from pastore.export import policy_json, reg
from pastore.model import AuthKind, AuthMethod, Policy, Secret, Storage
from pastore.sources import load
from tests.support import example
from tests.support import stored as s
from tests.support.command import Result
from tests.support.command import pastore as run
from tests.support.exporting import BASE, KEY, in_directory, keyed, policies
from tests.support.policies import policy, rule
from tests.unit.test_secrets import KEYS, forms, planted

FORMATS = ("reg", "ldif", "json")
KEYED = (AuthMethod(AuthKind.PRESHARED_KEY, Secret("correct horse")),)


@pytest.fixture
def source(tmp_path: Path) -> Path:
    path = tmp_path / "source.reg"
    path.write_bytes(reg.write(replace(s.small_policy(), assigned=True)))
    return path


def convert(source: Path, target: str, output: Path, *options: object) -> Result:
    return run("convert", source, "-t", target, "-o", output, *(("--base-dn", BASE) if target == "ldif" else ()), *options)


def policy_of(path: Path) -> Policy:
    policy = load(path).policy
    assert isinstance(policy, Policy)
    return policy


@pytest.mark.parametrize("number", [0, 1])
def test_from_reg_to_ldif_to_json_to_reg_the_policy_stays_the_same(tmp_path: Path, data: Path | None, number: int) -> None:
    original = policies(data)[number]
    paths = {target: tmp_path / f"policy.{target}" for target in FORMATS}
    first, last = tmp_path / "first.reg", tmp_path / "last.reg"
    first.write_bytes(reg.write(original))
    for before, target in ((first, "reg"), (first, "ldif"), (paths["ldif"], "json")):
        assert convert(before, target, paths[target]).status == 0
    assert convert(paths["json"], "reg", last).status == 0
    assert policy_of(paths["reg"]) == original
    assert paths["reg"].read_bytes() == first.read_bytes()
    assert policy_of(paths["ldif"]) == policy_of(paths["json"]) == in_directory(original)
    # A directory holds neither the assignment nor NoDefaultExempt; the rest is what it was.
    assert policy_of(last) == replace(original, assigned=False, default_exempt=None, dn=in_directory(original).dn)
    # JSON holds everything.
    straight = tmp_path / "straight.json"
    assert convert(first, "json", straight).status == 0
    assert policy_of(straight) == original
    assert convert(straight, "reg", last).status == 0
    assert last.read_bytes() == first.read_bytes()


@pytest.mark.parametrize("target", FORMATS)
def test_stdout_gets_the_bytes_and_stderr_the_talk(source: Path, tmp_path: Path, target: str) -> None:
    assert convert(source, target, tmp_path / "out").status == 0
    base = ["--base-dn", BASE] if target == "ldif" else []
    command = [sys.executable, "-m", "pastore", "convert", str(source), "-t", target, *base]
    done = subprocess.run(command, capture_output=True, check=True, timeout=60)
    assert done.stdout == (tmp_path / "out").read_bytes()
    assert (b"LDIF" in done.stderr) == (target == "ldif")


def test_ldif_says_what_it_does_not_hold_and_what_active_directory_refuses(source: Path, tmp_path: Path) -> None:
    result = convert(source, "ldif", tmp_path / "out")
    assert "LDIF does not hold that the policy is assigned\n" in result.err
    assert "--no-times" in result.err
    result = convert(source, "ldif", tmp_path / "out", "--no-times")
    assert "--no-times" not in result.err
    assert b"whenChanged" not in (tmp_path / "out").read_bytes()
    assert run("--quiet", "convert", source, "-t", "ldif", "--base-dn", BASE, "-o", tmp_path / "out").err == ""


def test_the_policy_is_chosen_by_name(tmp_path: Path) -> None:
    path = tmp_path / "two.reg"
    path.write_bytes(reg.write([s.small_policy(), example.policy()]))
    assert convert(path, "json", tmp_path / "out", "--policy", "small").status == 0
    assert policy_of(tmp_path / "out") == replace(s.small_policy(), default_exempt=3)


class TestExitStatus:
    def test_1_when_the_policy_was_read_with_errors_and_what_is_left_is_written(self, tmp_path: Path) -> None:
        source, output = tmp_path / "source.json", tmp_path / "out.reg"
        source.write_bytes(policy_json.write(s.small_policy()).replace(b'"kind": "me"', b'"kind": "you"', 1))
        result = convert(source, "reg", output)
        assert result.status == 1
        assert "error PA191 kind is none of any, me," in result.err
        assert "what could not be read is not in what was written" in result.err
        assert sum(len(one.filters) for rule in policy_of(output).rules for one in rule.filter_lists) == 32

    def test_0_with_warnings(self, tmp_path: Path) -> None:
        source = tmp_path / "source.reg"
        source.write_bytes(reg.write(replace(s.small_policy(), rules=())))
        assert {finding.severity.value for finding in load(source).findings} == {"warning"}
        assert convert(source, "json", tmp_path / "out").status == 0

    def test_2_for_a_format_that_is_none_or_not_given(self, source: Path) -> None:
        assert run("convert", source, "-t", "yaml").status == 2
        assert run("convert", source).status == 2

    @pytest.mark.parametrize("option", [("--base-dn", BASE), ("--no-times",)])
    @pytest.mark.parametrize("target", ["reg", "json"])
    def test_2_for_an_option_of_ldif_with_another_format(self, source: Path, target: str, option: tuple[str, ...]) -> None:
        result = run("convert", source, "-t", target, *option)
        assert result.status == 2
        assert f"{option[0]} is for -t ldif only" in result.err

    def test_2_without_a_policy(self, tmp_path: Path) -> None:
        assert run("convert", tmp_path / "none.reg", "-t", "json").status == 2
        (tmp_path / "two.reg").write_bytes(
            reg.write([s.small_policy(), example.policy()]).replace(b"A\0c\0t\0i\0v\0e\0P", b"X\0c\0t\0i\0v\0e\0P")
        )
        result = run("convert", tmp_path / "two.reg", "-t", "json")
        assert result.status == 2
        assert "PA105" in result.err
        assert result.out == ""

    def test_2_for_a_rule_list(self, tmp_path: Path) -> None:
        (tmp_path / "acl").write_text("@10.0.0.1/32\t10.2.0.0/16\t0 : 65535\t80 : 80\t0x06/0xFF\n")
        result = run("convert", tmp_path / "acl", "-t", "json")
        assert result.status == 2
        assert "is a list of rows and no IPsec policy" in result.err
        for target in ("wfas", "nftables", "swanctl"):
            assert run("convert", tmp_path / "acl", "-t", target).status == 2

    @pytest.mark.parametrize("option", [("--me", "10.9.0.7"), ("--order", "weight"), ("--target", "xp"), ("--default-exempt", 0)])
    @pytest.mark.parametrize("target", FORMATS)
    def test_2_for_an_option_about_a_host_with_a_format_that_holds_the_policy(
        self, source: Path, target: str, option: tuple[object, ...]
    ) -> None:
        result = run("convert", source, "-t", target, *option)
        assert result.status == 2
        assert f"{option[0]} is for wfas, nftables, swanctl, csv only; {target} holds the policy as it is" in result.err

    def test_2_for_a_policy_that_protects_nothing_as_swanctl(self, tmp_path: Path) -> None:
        (tmp_path / "x.json").write_bytes(policy_json.write(policy(rule("x", "block", "any > me"))))
        result = run("convert", tmp_path / "x.json", "-t", "swanctl")
        assert result.status == 2
        assert "cannot be written as swanctl: it protects nothing" in result.err

    def test_2_without_a_base_dn_and_with_one_that_is_none(self, source: Path) -> None:
        result = run("convert", source, "-t", "ldif")
        assert result.status == 2
        assert "cannot be written as ldif: the domain is not known" in result.err
        assert run("convert", source, "-t", "ldif", "--base-dn", "corp").status == 2

    def test_2_when_the_policy_fits_the_format_not(self, tmp_path: Path) -> None:
        (tmp_path / "x.json").write_bytes(policy_json.write(replace(s.small_policy(), when_changed=-5)))
        result = convert(tmp_path / "x.json", "reg", tmp_path / "out")
        assert result.status == 2
        assert "the policy cannot be written as reg: whenChanged is -5" in result.err
        assert not (tmp_path / "out").exists()

    def test_2_when_the_file_cannot_be_written(self, source: Path, tmp_path: Path) -> None:
        for output in (tmp_path, tmp_path / "no" / "folder"):
            result = convert(source, "json", output)
            assert result.status == 2
            assert "cannot be written: " in result.err


class TestSecrets:
    @pytest.fixture
    def keys(self, tmp_path: Path) -> Path:
        path = tmp_path / "keyed.reg"
        path.write_bytes(reg.write(keyed(s.small_policy()), secrets=True))
        return path

    @pytest.mark.parametrize("target", ["reg", "ldif"])
    def test_a_key_is_not_taken_out_of_a_policy_that_will_be_imported(self, keys: Path, tmp_path: Path, target: str) -> None:
        output = tmp_path / "out"
        output.write_text("as it was")
        result = convert(keys, target, output)
        assert result.status == 2
        assert "has a pre-shared key" in result.err
        assert "give --secrets" in result.err
        assert output.read_text() == "as it was"

    @pytest.mark.parametrize("target", FORMATS)
    def test_with_secrets_every_format_holds_the_key_and_says_so(self, keys: Path, tmp_path: Path, target: str) -> None:
        output = tmp_path / "out"
        result = convert(keys, target, output, "--secrets")
        assert result.status == 0
        assert "holds pre-shared keys in clear text" in result.err
        assert policy_of(output).rules == keyed(s.small_policy()).rules
        assert stat.S_IMODE(output.stat().st_mode) == 0o600

    def test_json_leaves_it_out_and_says_so(self, keys: Path, tmp_path: Path) -> None:
        output = tmp_path / "out.json"
        result = convert(keys, "json", output)
        assert result.status == 0
        assert "pre-shared keys are left out" in result.err
        assert KEY not in output.read_text()
        # It can be judged and shown, and not be made into something to import.
        assert run("show", output).status == 0
        result = convert(output, "reg", tmp_path / "out.reg", "--secrets")
        assert result.status == 2
        assert "is not known" in result.err

    def test_of_fifty_planted_keys_none_is_in_any_output_without_secrets(self, tmp_path: Path) -> None:
        outputs = []
        for number, key in enumerate(KEYS):
            policy = replace(planted(number), storage=Storage.LOCAL)
            paths = [tmp_path / f"{number}.{target}" for target in FORMATS]
            paths[0].write_bytes(reg.write(policy, secrets=True))
            for target, path in zip(FORMATS[1:], paths[1:], strict=True):
                assert convert(paths[0], target, path, "--secrets").status == 0
                assert policy_of(path).rules[0].auth_methods[0].key == policy.rules[0].auth_methods[0].key
            for path in paths:
                for target in (*FORMATS, "csv", "nftables", "swanctl", "wfas"):
                    result = run("convert", path, "-t", target, *(("--base-dn", BASE) if target == "ldif" else ()))
                    outputs += [result.out, result.err]
                for command in (("show",), ("check",), ("explain", "tcp 10.1.2.3 > 10.9.0.7:1433")):
                    result = run(command[0], path, *command[1:])
                    outputs += [result.out, result.err]
            # The test itself can tell: the key is found in what is written with secrets.
            assert any(form in paths[1].read_bytes().replace(b"\n ", b"") for form in encoded(key))
            assert key.encode() in paths[2].read_bytes()
        everything = "\n".join(outputs).encode()
        assert everything.count(b'"preshared_key"') == 150
        assert [key for key in KEYS if any(form in everything for form in (*forms(key), *encoded(key)))] == []


SITE_FORMATS = ("wfas", "nftables", "swanctl", "csv")


class TestWhatItDoesOnAHost:
    """The formats that hold what a policy does; what is in them is shown in tests/unit/export and tests/oracle."""

    @pytest.fixture
    def source(self, tmp_path: Path) -> Path:
        path = tmp_path / "site.json"
        made = policy(
            rule("Data", "protect", "tcp me > 10.8.0.0/16:1433", auth=KEYED),
            rule("Web", "allow", "tcp any > me:80"),
            rule("Names", "allow", "udp me > dns-servers:53"),
            rule("Rest", "block", "any > me"),
        )
        path.write_bytes(policy_json.write(made, secrets=True))
        return path

    @pytest.mark.parametrize("target", SITE_FORMATS)
    def test_it_is_the_host_that_is_named(self, source: Path, tmp_path: Path, target: str) -> None:
        options = ("--me", "10.9.0.7/24", "--dns-server", "10.9.0.53", "--secrets")
        result = convert(source, target, tmp_path / "out", *options)
        assert result.status == 0, result.err
        assert "10.9.0.7" in (tmp_path / "out").read_text("utf-8-sig")
        assert ("10.9.0.53" in (tmp_path / "out").read_text("utf-8-sig")) == (target in ("nftables", "csv", "wfas"))

    @pytest.mark.parametrize("target", SITE_FORMATS)
    def test_servers_that_are_not_given_are_told(self, source: Path, tmp_path: Path, target: str) -> None:
        result = convert(source, target, tmp_path / "out", "--me", "10.9.0.7", "--secrets")
        assert "PA402" in result.err

    @pytest.mark.parametrize("target", SITE_FORMATS)
    def test_a_filter_that_cannot_be_applied_is_not_in_it_and_the_status_is_1(self, tmp_path: Path, target: str) -> None:
        made = policy(rule("x", "block", "tcp 10.0.0.9/255.0.255.0 > me"), rule("y", "protect", "me > 10.8.0.0/16", auth=KEYED))
        (tmp_path / "x.json").write_bytes(policy_json.write(made, secrets=True))
        result = convert(tmp_path / "x.json", target, tmp_path / "out", "--secrets", "--me", "10.9.0.7")
        assert result.status == 1
        assert "error PA203" in result.err

    def test_no_key_is_written_unless_asked_for(self, source: Path, tmp_path: Path) -> None:
        outputs = []
        for target, status in zip(SITE_FORMATS, (2, 0, 0, 0), strict=True):
            result = convert(source, target, tmp_path / target, "--me", "10.9.0.7")
            assert result.status == status
            outputs += [result.out, result.err, (tmp_path / target).read_text() if status == 0 else ""]
        assert "give --secrets" in outputs[1]
        assert "correct horse" not in "".join(outputs)
        for target in ("wfas", "swanctl"):
            output = tmp_path / f"{target} with keys"
            result = convert(source, target, output, "--me", "10.9.0.7", "--secrets")
            assert "holds pre-shared keys in clear text" in result.err
            assert "correct horse" in output.read_text("utf-8-sig")
            assert stat.S_IMODE(output.stat().st_mode) == 0o600

    def test_csv_takes_lists_and_compiled_tables_too(self, source: Path, tmp_path: Path) -> None:
        (tmp_path / "acl").write_text("@10.0.0.1/32\t10.2.0.0/16\t0 : 65535\t80 : 80\t0x06/0xFF\n")
        result = run("convert", tmp_path / "acl", "-t", "csv")
        assert (result.status, len(result.lines)) == (0, 2)
        assert run("compile", source, "--me", "10.9.0.7", "-o", tmp_path / "t.pastore").status == 0
        straight = run("convert", source, "-t", "csv", "--me", "10.9.0.7")
        assert run("convert", tmp_path / "t.pastore", "-t", "csv").out == straight.out
        assert run("convert", tmp_path / "t.pastore", "-t", "csv", "--me", "10.9.0.7").status == 2

    @pytest.mark.parametrize("option", [("--me", "10.9.0.700"), ("--order", "none"), ("--target", "nftables")])
    def test_2_for_a_host_that_is_none(self, source: Path, option: tuple[str, str]) -> None:
        assert run("convert", source, "-t", "nftables", *option).status == 2


def encoded(key: str) -> list[bytes]:
    """Return the middle of a key in base64, at each of its three places among the bytes."""
    wide = key.encode("utf-16-le")
    return [base64.b64encode(bytes(shift) + wide)[4:-4] for shift in range(3)]
