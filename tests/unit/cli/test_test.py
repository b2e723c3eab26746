"""pastore test: packets and flows judged as the cases say."""

from pathlib import Path

import pytest
from lxml import etree

from tests.support.command import Result, pastore
from tests.support.policies import flt, policy, rule
from tests.support.registry import export

POLICY = policy(rule("Web", "allow", "tcp any > me:80"), rule("Rest", "block", flt("any > me", families=(4, 6))))
GOOD = """\
name: Web server
policy: policy.reg
me: [10.9.0.7, "2001:db8::7"]
packets:
  - packet: tcp 192.0.2.1:50000 > 10.9.0.7:80 in
    action: allow
    rule: Web
  - {packet: "tcp [2001:db8::1]:50000 > [2001:db8::7]:80 in", action: block}
  - {packet: "udp 192.0.2.1:500 > 10.9.0.7:500 in", action: allow, rule: null}
flows:
  - {flow: "tcp any > me:1-79 ipv4", action: block}
"""


def run(folder: Path, text: str | bytes, *options: str, name: str = "cases.yaml") -> Result:
    export(folder, POLICY)
    path = folder / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return pastore("test", path, *options)


class TestOutcome:
    def test_all_as_expected_is_0(self, tmp_path: Path) -> None:
        result = run(tmp_path, GOOD)
        assert (result.status, result.out, result.err) == (0, "4 passed in 1 case\n", "")

    def test_another_action_is_1_and_says_what_decides(self, tmp_path: Path) -> None:
        result = run(tmp_path, GOOD.replace("action: allow\n    rule: Web", "action: block"))
        assert result.status == 1
        place, message, _, closing = result.lines
        assert place == f"{tmp_path}/cases.yaml:5: failed Web server: tcp 192.0.2.1:50000 > 10.9.0.7:80 in"
        assert message.startswith("    allow instead of block: rule 'Web', filter tcp any > me:80 (mirrored) decides (")
        assert closing == "1 failed, 3 passed in 1 case" or closing == "3 passed, 1 failed in 1 case"

    def test_another_rule_is_1(self, tmp_path: Path) -> None:
        result = run(tmp_path, GOOD.replace("rule: Web", "rule: Internet"))
        assert result.status == 1
        assert "not by rule 'Internet': rule 'Web'" in result.out

    def test_no_rule_is_something_to_expect(self, tmp_path: Path) -> None:
        result = run(tmp_path, GOOD.replace("rule: Web", "rule: ~"))
        assert result.status == 1
        assert "not by a rule: rule 'Web'" in result.out

    def test_a_flow_is_refuted_by_a_packet(self, tmp_path: Path) -> None:
        result = run(tmp_path, GOOD.replace("me:1-79", "me:1-80"))
        assert result.status == 1
        assert "not for tcp 192.0.2.1:49152 > 10.9.0.7:80 in: allow by rule 'Web'" in result.out

    def test_a_flow_that_is_not_decided_is_2(self, tmp_path: Path) -> None:
        result = run(tmp_path, GOOD, "--work-limit", "1")
        assert result.status == 2
        assert "is not decided after 1 steps; --work-limit allows more" in result.out

    def test_verbose_tells_what_passed(self, tmp_path: Path) -> None:
        assert run(tmp_path, GOOD, "-v").out.count(": passed Web server: ") == 4

    def test_a_policy_that_cannot_be_had_is_2_after_the_rest_ran(self, tmp_path: Path) -> None:
        result = run(
            tmp_path, f"- {{policy: nowhere.reg, packets: [{{packet: tcp 1.1.1.1 > 1.1.1.2, action: none}}]}}\n---\n{GOOD}"
        )
        assert result.status == 2
        assert result.out == "4 passed in 1 case; 1 file or case could not be used\n"
        assert "cases.yaml:1: no policy was obtained from" in result.err

    def test_options_of_the_case_count(self, tmp_path: Path) -> None:
        kerberos = "packet: tcp 192.0.2.1:88 > 10.9.0.7:445"
        for value, action in ((0, "allow"), (1, "block")):
            text = f"{{policy: policy.reg, default_exempt: {value}, packets: [{{{kerberos}, action: {action}}}]}}"
            assert run(tmp_path, text).status == 0

    def test_a_compiled_table(self, tmp_path: Path) -> None:
        path = export(tmp_path, POLICY)
        assert pastore("compile", path, "--me", "10.9.0.7", "-o", tmp_path / "site.pastore").status == 0
        case = "{policy: site.pastore, flows: [{flow: tcp any > me:80, action: allow}]"
        assert run(tmp_path, case + "}").status == 0
        result = run(tmp_path, case + ", me: 10.9.0.7}")
        assert result.status == 2
        assert "is a compiled table: me is fixed in it" in result.err


class TestForms:
    def test_json(self, tmp_path: Path) -> None:
        result = run(tmp_path, GOOD.replace("rule: Web", "rule: Internet"), "--output-format", "json")
        told = result.json
        assert told["summary"] == {"passed": 3, "failed": 1, "undecided": 0}
        assert [each["line"] for each in told["results"]] == [5, 8, 9, 11]
        assert (told["results"][0]["state"], told["results"][0]["rule"]) == ("failed", "Web")

    def test_junit(self, tmp_path: Path) -> None:
        result = run(tmp_path, GOOD.replace("rule: Web", "rule: Internet"), "--output-format", "junit")
        root = etree.fromstring(result.out.encode())
        assert root.attrib == {"name": "pastore test", "tests": "4", "failures": "1", "errors": "0"}
        (failure,) = root.iter("failure")
        assert "not by rule 'Internet'" in failure.attrib["message"]


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", ": no cases"),
        ("policy: [a", ":1:11: not valid YAML"),
        (b"\xff\xfe\x00", "not valid YAML"),
        (b"policy: \x80\n", "not valid YAML"),
        ("just a text", ":1: a case is written as keys and values"),
        ("name: x", ":1: a case needs a policy"),
        ("policy: policy.reg", ":1: a case needs packets or flows"),
        ("policy: policy.reg\npolicy: b", ":2: 'policy' is there twice"),
        ("policy: policy.reg\npakets: []", ":2: 'pakets' is no key of a case; did you mean 'packets'?"),
        ("policy: policy.reg\npackets: x", ":2: packets is a list"),
        ("policy: policy.reg\npackets:\n- action: allow", ":3: a packet of a case needs a packet"),
        ("policy: policy.reg\npackets:\n- packet: tcp 1.1.1.1 > 1.1.1.2", ":3: a packet of a case needs an action"),
        ("policy: policy.reg\npackets:\n- {packet: tcp 1.1.1.1 > x, action: allow}", ":3: destination of packet"),
        ("policy: policy.reg\npackets:\n- {packet: tcp 1.1.1.1 > 1.1.1.2, action: deny}", ":3: action 'deny' is none of"),
        ("policy: policy.reg\nflows:\n- {flow: tcp any, action: allow}", ":3: flow 'tcp any' needs one '>'"),
        ("policy: policy.reg\ntarget: nt4\nflows:\n- {flow: any > any, action: none}", ":2: target 'nt4' is none of"),
        ("policy: policy.reg\nme: x\nflows:\n- {flow: any > any, action: none}", ":1: 'x' is not an address"),
        ("policy: {a: b}\nflows:\n- {flow: any > any, action: none}", ":1: policy is one text"),
        ("policy: ~\nflows:\n- {flow: any > any, action: none}", ":1: policy is empty"),
        ("a: " + "[" * 5000, "nested too deeply"),
        ("&a [*a]", ":1: a case is written as keys and values"),
        ("x: &a [1,1]\ny: &b [*a,*a]\nz: &c [*b,*b]\n", ":1: 'x' is no key of a case"),
    ],
)
def test_a_file_that_cannot_be_used_is_2_and_says_where(tmp_path: Path, text: str | bytes, why: str) -> None:
    result = run(tmp_path, text)
    assert result.status == 2
    assert why in result.err
    assert result.out.startswith("nothing tested in 0 cases; 1 file or case")


def test_names_stay_one_harmless_line(tmp_path: Path) -> None:
    bad = "\\e[2J\\n::error::\\u202e"
    text = GOOD.replace("name: Web server", f'name: "{bad}"').replace("rule: Web", f'rule: "{bad}"')
    result = run(tmp_path, text)
    assert result.status == 1
    assert not set(result.out) & {"\x1b", "\u202e"}
    assert not any(line.lstrip().startswith("::") for line in result.lines)
    etree.fromstring(run(tmp_path, text, "--output-format", "junit").out.encode())
