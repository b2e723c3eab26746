"""pastore show: the policy as a person reads it."""

import os
import pty
import subprocess
import sys
from dataclasses import replace
from ipaddress import ip_address
from pathlib import Path

import pytest

from pastore.model import AuthKind, AuthMethod, InterfaceType, MainModeMethod, Secret
from tests.support.command import pastore
from tests.support.example import CHANGED, registry
from tests.support.policies import KERBEROS, MAIN_MODE, action, flt, policy, rule
from tests.support.registry import cached, changed, dn, export, write

AUTH = (
    AuthMethod(AuthKind.PRESHARED_KEY, key=Secret("hunter2")),
    AuthMethod(AuthKind.CERTIFICATE, certificate_authority="CN=Corp Root"),
    *KERBEROS,
)
SITE = replace(
    policy(
        rule("Web", "allow", "tcp any > me:80", flt("udp me:53 > any", mirrored=False)),
        rule("Keyed", "protect", "tcp 10.0.0.0/8 > me:1433", auth=AUTH, interface=InterfaceType.RAS),
        rule("Off", "block", "icmp any > me", active=False, interface=InterfaceType.LAN),
        rule("Tunnel", "protect", flt("10.1.0.0/16 > 10.2.0.0/16", mirrored=False), tunnel=ip_address("192.0.2.9")),
        rule("Soft", "protect", filter_action=action("protect", inpass=True, soft=True)),
        name="Server Isolation",
    ),
    description="For the file servers",
    main_mode=replace(MAIN_MODE, pfs=True, methods=(MainModeMethod(3, 2, 2), MainModeMethod(1, 1, 1))),
    when_changed=CHANGED,
    polling_interval=90,
)


def sections(text: str) -> dict[str, list[str]]:
    """Return the lines below each heading."""
    found: dict[str, list[str]] = {}
    for block in text.rstrip("\n").split("\n\n"):
        head, *rest = block.splitlines()
        found[head.split(": ", 1)[-1]] = rest
    return found


class TestPolicy:
    def test_the_head_says_who_where_and_since_when(self, tmp_path: Path) -> None:
        path = export(tmp_path, SITE)
        result = pastore("show", path)
        assert result.status == 0
        head = sections(result.out)["Policy Server Isolation"]
        assert head[:3] == [
            "  Description      For the file servers",
            f"  GUID             {{{SITE.guid}}}",
            "  Storage          local, assigned",
        ]
        assert head[3].startswith(f"  Read from        {path}:")
        assert head[4:] == [
            "  Changed          2026-03-01 08:00:00 UTC",
            "  Polling          every 90 seconds",
            "  NoDefaultExempt  3",
            "  Key exchange     3DES-SHA-1-DH2, DES-MD5-DH1; lifetime 480 minutes; perfect forward secrecy",
        ]

    def test_rules_stand_in_the_order_of_the_policy(self, tmp_path: Path) -> None:
        shown = [line for line in pastore("show", export(tmp_path, SITE)).lines if line.startswith("Rule ")]
        assert shown == [f"Rule {number}: {each.name}" for number, each in enumerate(SITE.rules, 1)]

    def test_a_rule_says_what_it_does_and_to_what(self, tmp_path: Path) -> None:
        assert sections(pastore("show", export(tmp_path, SITE)).out)["Web"] == [
            "  State           active",
            "  Interfaces      all",
            "  Filter action   allow (permit) 'Allow'",
            "  Authentication  Kerberos",
            "  Changed         not recorded",
            "  Filter list 'Web list': 2 filters",
            "    PROTOCOL  SOURCE  PORT         DESTINATION  PORT       MIRRORED  DESCRIPTION",
            "    tcp       any     *            me           80 (http)  yes",
            "    udp       me      53 (domain)  any          *          no",
        ]

    @pytest.mark.parametrize(
        ("name", "line"),
        [
            ("Keyed", "  Interfaces      remote access (dial-up) only"),
            ("Keyed", "  Filter action   protect (negotiate) 'Protect': ESP[3DES,SHA-1] (id 3) 100000k/3600s"),
            ("Keyed", "  Authentication  pre-shared key (redacted), certificate from 'CN=Corp Root', Kerberos"),
            ("Off", "  State           not active"),
            ("Off", "  Interfaces      LAN only"),
            ("Off", "  Filter action   block 'Block'"),
            ("Tunnel", "  Tunnel to       192.0.2.9"),
            ("Soft", "  Filter list 'Soft list': 0 filters"),
        ],
    )
    def test_everything_else_a_rule_may_say(self, tmp_path: Path, name: str, line: str) -> None:
        assert line in sections(pastore("show", export(tmp_path, SITE)).out)[name]

    def test_accepting_and_falling_back_to_clear_text_stand_beside_the_filter_action(self, tmp_path: Path) -> None:
        (line,) = [line for line in sections(pastore("show", export(tmp_path, SITE)).out)["Soft"] if "Filter action" in line]
        assert line.endswith("; accepts clear text inbound; falls back to clear text")

    def test_no_key_is_shown(self, tmp_path: Path) -> None:
        assert "hunter2" not in pastore("show", export(tmp_path, SITE)).out

    def test_what_is_missing_is_said(self, tmp_path: Path) -> None:
        made = policy(rule("Web", "allow", "tcp any > me:80"))
        keys = registry(made, assigned=made)
        gone = made.rules[0].filter_lists[0].guid
        path = write(tmp_path, {path: values for path, values in keys.items() if str(gone) not in path}, "list.reg")
        (web,) = [lines for name, lines in sections(pastore("show", path).out).items() if name != "Policy Test"]
        assert f"  Missing         ipsecFilter{{{gone}}}" in web
        path = write(tmp_path, changed(keys, "ipsecNFA", lambda values: None), "rule.reg")
        assert f"  Missing          ipsecNFA{{{made.rules[0].guid}}}" in sections(pastore("show", path).out)["Policy Test"]
        path = write(tmp_path, changed(keys, "ipsecISAKMPPolicy", lambda values: None), "key.reg")
        assert "  Key exchange     missing" in sections(pastore("show", path).out)["Policy Test"]

    def test_a_name_cannot_command_the_terminal(self, tmp_path: Path) -> None:
        named = policy(rule("Web\x1b[31m\nRule 2: Fake", "allow", "tcp any > me:80"), name="Bad\x1b]0;title\x07")
        result = pastore("show", export(tmp_path, named))
        assert "\x1b" not in result.out
        assert [line for line in result.lines if line.startswith("Rule ")] == ["Rule 1: Web\\x1b[31m\\nRule 2: Fake"]

    def test_wide_characters_keep_the_columns(self, tmp_path: Path) -> None:
        from tests.support.example import described

        made = policy(rule("封禁", "block", described("tcp 10.0.0.1 > me:1", "端口"), described("tcp any > me:22222", "p")))
        listed = sections(pastore("show", export(tmp_path, made)).out)["封禁"][-2:]
        assert listed[0].endswith("yes       端口")
        assert listed[1].endswith("yes       p")
        assert listed[0].index("yes") == listed[1].index("yes")

    def test_a_domain_policy_from_the_cache_shows_its_dn(self, tmp_path: Path) -> None:
        head = sections(pastore("show", write(tmp_path, cached(SITE))).out)["Policy Server Isolation"]
        assert f"  DN               {dn(SITE)}" in head
        assert "  Storage          cache, assigned" in head

    def test_stderr_tells_how_much_is_wrong_with_it(self, tmp_path: Path) -> None:
        made = policy(rule("Odd mask", "block", "any 10.0.0.1/255.0.0.255 > me"), rule("Web", "allow", "icmp any:1 > me:2"))
        path = export(tmp_path, made)
        result = pastore("show", path)
        assert (result.status, result.err) == (0, "pastore: 1 error and 1 warning in this policy; `pastore check` tells them\n")
        assert pastore("--quiet", "show", path) == result._replace(err="")


class TestChoice:
    @pytest.fixture
    def path(self, tmp_path: Path) -> Path:
        return export(tmp_path, policy(name="One"), policy(name="Two"), policy(name="Three"), assigned=1)

    @pytest.mark.parametrize("wanted", ["Three", "THREE", "three", "guid", "{guid}", "{GUID}"])
    def test_by_name_in_any_case_or_guid_with_or_without_braces(self, path: Path, wanted: str) -> None:
        number = str(policy(name="Three").guid)
        text = wanted.replace("guid", number).replace("GUID", number.upper())
        assert pastore("show", path, "--policy", text).lines[0] == "Policy Three"

    def test_without_a_word_it_is_the_assigned_one(self, path: Path) -> None:
        assert pastore("show", path).lines[0] == "Policy Two"

    def test_or_the_only_one(self, tmp_path: Path) -> None:
        result = pastore("show", export(tmp_path, policy(name="Only"), assigned=None))
        assert result.lines[0] == "Policy Only"
        assert "  Storage          local, not assigned" in result.lines

    def test_or_exit_status_2_with_a_list_of_them(self, tmp_path: Path) -> None:
        result = pastore("show", export(tmp_path, policy(name="One"), policy(name="Two"), assigned=None))
        assert (result.status, result.out) == (2, "")
        assert all(f"{name!r} {{{policy(name=name).guid}}}" in result.err for name in ("One", "Two"))

    def test_one_that_is_not_there_lists_them_too(self, path: Path) -> None:
        result = pastore("show", path, "--policy", "Thre")
        assert (result.status, result.out) == (2, "")
        assert all(name in result.err for name in ("did you mean 'Three'?", "'One'", "'Two'"))


class TestFilters:
    def test_they_stand_in_the_order_tried(self, tmp_path: Path) -> None:
        made = policy(rule("Rest", "block", "any > me"), rule("Web", "allow", "tcp any > me:80"))
        result = pastore("show", export(tmp_path, made), "--filters", "--me", "10.9.0.7")
        heading = " ".join(result.lines[0].split())
        assert heading == "INDEX ACTION WAY IF IP PROTOCOL SOURCE PORT DESTINATION PORT RULE NOTES"
        rows = [line.split() for line in result.lines[1:]]
        assert [int(row[0]) for row in rows] == list(range(len(rows)))
        policys = [" ".join(row[1:]) for row in rows if "exempt" not in row]
        assert policys == [
            "allow both all IPv4 tcp any * 10.9.0.7 80 (http) Web",
            "allow both all IPv4 tcp 10.9.0.7 80 (http) any * Web",
            "block both all IPv4 any any * 10.9.0.7 * Rest",
            "block both all IPv4 any 10.9.0.7 * any * Rest",
        ]
        assert all(row[-2] == "exempt" for row in rows[: -len(policys)])

    def test_what_stands_beside_the_action_is_in_the_notes(self, tmp_path: Path) -> None:
        lines = pastore("show", export(tmp_path, SITE), "--filters").lines
        assert next(line for line in lines if "Tunnel" in line).endswith("Tunnel  tunnel 192.0.2.9")
        soft = policy(rule("Soft", "protect", "any > me", filter_action=action("protect", inpass=True, soft=True)))
        assert pastore("show", export(tmp_path, soft), "--filters").lines[-1].endswith("Soft  inpass soft")

    def test_an_interface_type_and_a_direction(self, tmp_path: Path) -> None:
        made = policy(rule("Ras", "block", flt("any > me", mirrored=False), interface=InterfaceType.RAS))
        assert pastore("show", export(tmp_path, made), "--filters").lines[-1].split()[1:4] == ["block", "in", "ras"]

    def test_a_classbench_list_shows_its_rules_by_their_number(self, tmp_path: Path) -> None:
        path = tmp_path / "acl"
        path.write_text(
            "@10.0.0.0/8\t0.0.0.0/0\t0 : 65535\t80 : 80\t0x06/0xFF\n@0.0.0.0/0\t10.9.0.7/32\t0 : 9\t0 : 65535\t0x00/0x00\n"
        )
        result = pastore("show", path)
        assert result.status == 0
        assert [line.split() for line in result.lines[1:]] == [
            ["0", "block", "both", "all", "IPv4", "tcp", "10.0.0.0/8", "*", "any", "80", "(http)", "0"],
            ["1", "block", "both", "all", "IPv4", "any", "any", "0-9", "10.9.0.7", "*", "1"],
        ]


class TestColours:
    def test_a_file_gets_none(self, tmp_path: Path) -> None:
        assert "\x1b" not in pastore("show", export(tmp_path, SITE)).out

    def test_a_terminal_does_and_says_the_same(self, tmp_path: Path) -> None:
        import click

        path = export(tmp_path, SITE)
        plain, coloured = pastore("show", path), pastore("show", path, terminal=True)
        assert "\x1b[1mPolicy Server Isolation\x1b[0m" in coloured.out
        assert click.unstyle(coloured.out) == plain.out

    @pytest.mark.parametrize(("no_color", "coloured"), [(None, True), ("", True), ("1", False)])
    def test_unless_no_color_is_set_and_not_empty(self, tmp_path: Path, no_color: str | None, coloured: bool) -> None:
        environment = {name: value for name, value in os.environ.items() if name != "NO_COLOR"} | {"TERM": "xterm"}
        if no_color is not None:
            environment["NO_COLOR"] = no_color
        ours, theirs = pty.openpty()
        command = [sys.executable, "-m", "pastore", "show", str(export(tmp_path, policy()))]
        with subprocess.Popen(command, stdout=theirs, stderr=subprocess.DEVNULL, env=environment) as process:
            os.close(theirs)
            told = b""
            try:
                while part := os.read(ours, 4096):
                    told += part
            except OSError:  # the terminal is gone with its last writer
                pass
            os.close(ours)
            assert process.wait(60) == 0
        assert b"Policy Test" in told
        assert (b"\x1b[" in told) is coloured
