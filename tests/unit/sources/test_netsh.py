"""What netsh does with its commands, one by one."""

import re
from ipaddress import IPv4Address
from pathlib import Path
from typing import Final

import pytest

from pastore.filters.text import filter_text
from pastore.findings import Severity
from pastore.model import Action, AuthKind, InterfaceType, Policy, Secret
from pastore.sources import Loaded
from pastore.sources.netsh import load_script
from tests.support.command import pastore as run

STATIC: Final = "netsh ipsec static "
BEGIN: Final = (
    "add policy name=p assign=yes",
    "add filter filterlist=l srcaddr=any dstaddr=me protocol=tcp dstport=445",
    "add filteraction name=b action=block",
)


def script(*lines: str, wanted: str | None = None) -> Loaded:
    """Read commands of the static context and other lines of a batch file; those begin with a dot."""
    text = "\r\n".join(line[1:] if line.startswith(".") else STATIC + line for line in lines)
    return load_script(text.encode(), "x.bat", wanted)


def policy_of(*lines: str) -> Policy:
    policy = script(*lines).policy
    assert isinstance(policy, Policy)
    return policy


def filter_of(command: str) -> str:
    policy = policy_of("add policy name=p assign=yes", command, BEGIN[2], "add rule r p l b")
    ((one,),) = (filter_list.filters for filter_list in policy.rules[0].filter_lists)
    return filter_text(one)


def found(loaded: Loaded, *, but: tuple[str, ...] = ("PA309", "PA136", "PA323")) -> list[tuple[str, int | None, int | None]]:
    return [(each.code, each.origin.line, each.origin.column) for each in loaded.findings if each.code not in but]


def message(loaded: Loaded, code: str) -> str:
    return next(each.message for each in loaded.findings if each.code == code)


FILTERS: Final = {
    "any me": "any > me (mirrored)",
    "srcaddr=ME dstaddr=ANY mirrored=no": "me > any",
    "me dns protocol=udp dstport=53": "udp me > dns-servers:53 (mirrored)",
    "me gateway": "me > gateways (mirrored)",
    "10.1.2.3 me": "10.1.2.3 > me (mirrored)",
    "10.0.0.0 me srcmask=8": "10.0.0.0/8 > me (mirrored)",
    "10.0.0.0 me srcmask=255.0.255.0": "10.0.0.0/255.0.255.0 > me (mirrored)",
    "0.0.0.0 me srcmask=0": "any > me (mirrored)",
    "0.0.0.0 me srcmask=0.0.0.0": "any > me (mirrored)",
    "any 0.0.0.0 dstmask=32": "any > me (mirrored)",
    "10.0.0.1-10.0.0.9 me": "10.0.0.1-10.0.0.9 > me (mirrored)",
    "2001:db8:: me srcmask=32": "2001:db8::/32 > me (mirrored)",
    "2001:db8::1-2001:db8::9 any": "2001:db8::1-2001:db8::9 > any (mirrored)",
    "any me protocol=47": "gre any > me (mirrored)",
    "any me protocol=RAW": "raw any > me (mirrored)",
    "any me srcport=0 dstport=0": "any > me (mirrored)",
    "any me srcport=1024 protocol=6": "tcp any:1024 > me (mirrored)",
}


@pytest.mark.parametrize("typed", FILTERS)
def test_a_filter(typed: str) -> None:
    assert filter_of(f"add filter filterlist=l {typed}") == FILTERS[typed]


REFUSED: Final = {
    "add filter l any": "add filter needs dstaddr=",
    "add filter l any me dstport=137-139": "more than one port",
    "add filter l any me dstport=http": "'http' is not a number from 0 to 65535",
    "add filter l any me dstport=65536": "not a number from 0 to 65535",
    "add filter l any me protocol=esp": "its number is 50",
    "add filter l any me protocol=256": "no number from 0 to 255",
    "add filter l 10.0.0.0/8 me": "10.0.0.0 with 8",
    "add filter l 10.0.0.0 me srcmask=33": "not a number from 0 to 32",
    "add filter l 10.0.0.0 me srcmask=ffff": "no mask of IPv4",
    "add filter l 10.0.0.1-10.0.0.x me": "not a range of two addresses",
    "add filter l 10.0.0.1-2001:db8::1 me": "not a range of two addresses",
    "add filter l 10.0.0.256 me": "neither an address nor a name",
    "add filter l any me mirrored=maybe": "'maybe' is neither yes nor no",
    "add filter l any me mirrored=": "mirrored= has no value",
    "add filter l any me src=10.0.0.1": "src= may be 'srcaddr=', 'srcmask=' or 'srcport='",
    "add filter l any me port=445": "add filter has no argument 'port'; did you mean srcport=?",
    "add filter l any me dstport=1 dstport=2": "dstport= is given twice",
    "add filter l any me d tcp yes 32 32 0 0 more": "add filter takes no further argument: 'more'",
    "add filtre l any me": "add has no 'filtre'; did you mean filter?",
    "add filter": "add filter needs filterlist=",
    "add": "add needs one of",
    "addd policy q": "netsh ipsec static has no 'addd'; did you mean add?",
    "add policy name=": "name= has no value",
    "add policy q mmsecmethods=AES-SHA256-14": "'AES-SHA256-14' is no method like 3DES-SHA1-2",
    "add policy q mmlifetime=0": "not a number from 1",
    "add filteraction q qmsecmethods=ESP[AES,SHA1]": "is no method like ESP[3DES,SHA1]",
    "add filteraction q action=deny": "'deny' is none of permit, block, negotiate",
    "add rule r p l b conntype=wlan": "'wlan' is none of lan, dialup, all",
    "add rule r p l b tunnel=10.0.0.x!": "neither an address nor a name",
    "add rule r p l b psk=": "psk= has no value",
}


@pytest.mark.parametrize("typed", REFUSED)
def test_what_netsh_refuses_has_no_effect_and_is_told(typed: str) -> None:
    loaded = script(*BEGIN, typed)
    assert [code for code, _, _ in found(loaded)] == ["PA141"]
    assert REFUSED[typed] in message(loaded, "PA141")
    assert script(*BEGIN).policy == loaded.policy


@pytest.mark.parametrize(
    "typed",
    [
        "add rule name=r policy=p filterlist=l filteraction=b",
        "add rule r p l b",
        "ADD RULE NAME=r POLICY=P FILTERLIST=L FILTERACTION=B",
        "add rule name = r policy= p filterlist =l filteraction=b",
        "add ru n=r pol=p filterl=l filtera=b",
        'add rule "name=r" policy="p" filterlist="l" filteraction="b"',
        "add rule filteraction=b filterlist=l r p",
    ],
)
def test_arguments_in_every_spelling(typed: str) -> None:
    policy = policy_of(*BEGIN, typed)
    assert [(rule.name, rule.filter_lists[0].name, rule.filter_action and rule.filter_action.name) for rule in policy.rules] == [
        ("r", "l", "b")
    ]


def test_findings_have_the_column_of_the_word() -> None:
    loaded = script(*BEGIN, "add rule r p x b", ".  if 1==1 (netsh ipsec static add rule r p l x)")
    assert found(loaded) == [("PA322", 4, len(STATIC) + 14), ("PA322", 5, len("  if 1==1 (netsh ipsec static add rule r p l x"))]


def test_defaults_are_those_of_netsh() -> None:
    policy = policy_of(*BEGIN, "add filteraction n", "add rule r p l n")
    (rule,) = policy.rules
    assert (rule.active, rule.interface_type, rule.is_tunnel) == (True, InterfaceType.ALL, False)
    assert [method.kind for method in rule.auth_methods] == [AuthKind.KERBEROS]
    action = rule.filter_action
    assert action is not None
    assert (action.action, action.inpass, action.soft) == (Action.PROTECT, False, False)
    assert action.offers
    assert policy.polling_interval == 10_800
    assert policy.main_mode is not None
    assert policy.main_mode.lifetime_seconds == 28_800


def test_a_rule_with_everything() -> None:
    policy = policy_of(
        *BEGIN,
        'add rule r p l b tunnel=192.0.2.9 conntype=dialup activate=no description="x y" '
        r'rootca="C=US,O=\'A B\',CN=Root certmap:yes excludecaname:no" kerberos=yes psk="a b"',
    )
    (rule,) = policy.rules
    assert (rule.tunnel, rule.interface_type, rule.active, rule.description) == (
        IPv4Address("192.0.2.9"),
        InterfaceType.RAS,
        False,
        "x y",
    )
    first, second, third = rule.auth_methods
    assert (first.certificate_authority, first.account_mapping, first.exclude_ca_name) == ('C=US,O="A B",CN=Root', True, False)
    assert second.kind == AuthKind.KERBEROS
    assert third.key == Secret("a b")


def test_methods_with_and_without_quotes() -> None:
    quoted = policy_of(
        *BEGIN, 'add filteraction n qmpfs=y qmsec="AH[MD5]+ESP[None,SHA1]:300s ESP[3DES,SHA1]:100000k/3600s"', "add rule r p l n"
    )
    bare = policy_of(
        *BEGIN, "add filteraction n qmpfs=y qmsec=AH[MD5]+ESP[None,SHA1]:300s ESP[3DES,SHA1]:100000k/3600s", "add rule r p l n"
    )
    assert quoted == bare
    action = quoted.rules[0].filter_action
    assert action is not None
    assert [(len(offer.algorithms), offer.lifetime_kilobytes, offer.lifetime_seconds, offer.pfs) for offer in action.offers] == [
        (2, 0, 300, True),
        (1, 100_000, 3600, True),
    ]


def test_set_changes_and_renames() -> None:
    policy = policy_of(
        *BEGIN,
        "add rule r p l b",
        "set filteraction b newname=c action=permit",
        "set filterlist l newname=m description=d",
        "set rule name=r policy=p newname=s filteraction=c activate=no",
        "set policy p newname=q pollinginterval=5 mmpfs=yes",
        "set rule id=1 policy=q conntype=lan",
    )
    (rule,) = policy.rules
    assert (policy.name, policy.polling_interval, policy.assigned) == ("q", 300, True)
    assert policy.main_mode is not None
    assert (policy.main_mode.pfs, policy.main_mode.quick_mode_limit) == (True, 1)
    assert (rule.name, rule.active, rule.interface_type, rule.filter_lists[0].name) == ("s", False, InterfaceType.LAN, "m")
    assert rule.filter_action is not None
    assert (rule.filter_action.name, rule.filter_action.action) == ("c", Action.ALLOW)


def test_a_variable_that_is_not_set() -> None:
    loaded = script(".set POL=p", *BEGIN, "add rule r %PLO% l b", "add filter l %IP% me", "add filter %LIST% any me")
    assert found(loaded) == [("PA144", 5, len(STATIC) + 12), ("PA144", 6, len(STATIC) + 14)]
    assert "'%PLO%'" in message(loaded, "PA144")


def test_only_one_policy_is_assigned() -> None:
    loaded = script("add policy a assign=y", "add policy b assign=y")
    assert [(policy.name, policy.assigned) for policy in loaded.policies] == [("a", False), ("b", True)]
    assert loaded.policy is loaded.policies[1]


def test_delete_filter_takes_all_that_are_meant() -> None:
    more = ("add filter l 10.0.0.1 me protocol=tcp dstport=80", "add filter l 10.0.0.1 me", "add rule r p l b")
    assert [
        filter_text(one) for one in policy_of(*BEGIN, *more, "delete filter l 10.0.0.1 me").rules[0].filter_lists[0].filters
    ] == ["tcp any > me:445 (mirrored)"]
    left = policy_of(*BEGIN, *more, "delete filter l 10.0.0.1 me protocol=tcp").rules[0].filter_lists[0].filters
    assert [filter_text(one) for one in left] == ["tcp any > me:445 (mirrored)", "10.0.0.1 > me (mirrored)"]


def test_what_is_in_use_is_not_deleted() -> None:
    loaded = script(*BEGIN, "add rule r p l b", "delete filterlist all", "delete filteraction name=b", "delete policy all")
    assert [code for code, _, _ in found(loaded)] == ["PA328", "PA328", "PA103"]


def test_deleting_what_is_not_there_is_information() -> None:
    loaded = script(
        "delete rule all policy=old", "delete policy old", "delete filterlist name=old", "delete filter old any me", *BEGIN
    )
    codes = [(each.code, each.severity) for each in loaded.findings if each.code == "PA322"]
    assert codes == [("PA322", Severity.INFO)] * 4


def test_the_default_response_rule_is_there_when_the_script_speaks_of_it() -> None:
    assert [rule.default_response for rule in policy_of(*BEGIN).rules] == []
    (rule,) = policy_of(*BEGIN, "set policy p activatedefaultrule=yes").rules
    assert (rule.default_response, rule.active) == (True, True)
    (rule,) = policy_of(*BEGIN, "set defaultrule p activate=no qmsecmethods=AH[SHA1]").rules
    assert (rule.default_response, rule.active) == (True, False)


def test_the_store_of_a_domain_is_another_one() -> None:
    loaded = script(*BEGIN, "set store location=domain domain=corp.example", "add policy p assign=yes", "add rule r p l b")
    assert [policy.assigned for policy in loaded.policies] == [True, False]
    assert ("PA327", 5, len(STATIC) + len("add policy p ") + 1) in found(loaded)
    assert "there is no filter list 'l'" in message(loaded, "PA322")


def test_a_key_and_what_stands_beside_it_are_not_told() -> None:
    loaded = script(
        *BEGIN,
        "add rule r p nolist b psk=my secret words",
        "add rule s p l b psk=my secret words",
        "add rule t p l b pks=swordfish",
        "add policy q psk= swordfish",
    )
    text = " ".join(each.message for each in loaded.findings)
    for word in ("my", "secret", "words", "swordfish"):
        assert f"{word!r}" not in text
    assert "'nolist'" in text
    assert isinstance(loaded.policy, Policy)
    assert [rule.description for rule in loaded.policy.rules] == [""]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "gb18030"])
def test_encodings_are_told_from_the_bytes(encoding: str) -> None:
    loaded = load_script(f"{STATIC}add policy name=策略 description=阻止端口".encode(encoding), "x.bat")
    assert isinstance(loaded.policy, Policy)
    assert loaded.policy.name == "策略"
    assert ("PA118" in [each.code for each in loaded.findings]) == (encoding == "gb18030")


def test_western_text_is_not_taken_for_chinese() -> None:
    loaded = load_script(f"{STATIC}add policy name=Büro description=Straße".encode("cp1252"), "x.bat")
    assert isinstance(loaded.policy, Policy)
    assert loaded.policy.name == "Büro"
    assert "code page 1252" in message(loaded, "PA118")


def test_the_same_script_gives_the_same_policy_to_the_last_guid() -> None:
    lines = (*BEGIN, "add rule b p l b", "add rule a p l b conntype=lan")
    assert policy_of(*lines) == policy_of(*lines)
    assert [rule.name for rule in policy_of(*lines).rules] == ["b", "a"]


def test_netsh_with_options() -> None:
    loaded = script(
        ".netsh -c ipsec static add policy p",
        ".netsh -r server ipsec static add policy q",
        ".netsh -f other.txt",
        ".C:\\Windows\\System32\\netsh.exe ipsec static set policy p assign=y",
        ".netsh ipsec",
        ".netsh ipsce static add policy q",
        ".netsh advfirewall set allprofiles state on",
        ".C:\\>netsh ipsec static set policy p description=typed",
    )
    assert found(loaded) == [("PA143", 2, 7), ("PA143", 3, 7), ("PA141", 5, 1), ("PA141", 6, 7)]
    assert isinstance(loaded.policy, Policy)
    assert (loaded.policy.assigned, loaded.policy.description) == (True, "typed")


def test_no_default_exempt_from_the_registry_or_from_netsh() -> None:
    key = r"HKLM\SYSTEM\CurrentControlSet\Services\PolicyAgent"
    assert policy_of(*BEGIN, f".reg add {key} /v NoDefaultExempt /t REG_DWORD /d 1 /f").default_exempt == 1
    assert policy_of(*BEGIN, ".netsh ipsec dynamic set config ipsecexempt 2").default_exempt == 2
    assert found(script(*BEGIN, f".reg add {key} /v NoDefaultExempt /d 9")) == [("PA126", 4, 1)]


def dynamic(*lines: str) -> Loaded:
    return load_script("\n".join(f"netsh ipsec dynamic {line}" for line in ("add mmpolicy m", *lines)).encode(), "x.bat")


def rules_of(loaded: Loaded) -> list[tuple[str, str]]:
    assert isinstance(loaded.policy, Policy)
    return [
        (str(rule.filter_action and rule.filter_action.action), filter_text(rule.filter_lists[0].filters[0]))
        for rule in loaded.policy.rules
    ]


def test_a_dynamic_rule_has_an_action_for_each_direction() -> None:
    inbound, outbound = "actioninbound=block", "actionoutbound=permit"
    assert rules_of(dynamic(f"add rule any any m {inbound} actionoutbound=block")) == [("block", "any > any (mirrored)")]
    assert rules_of(dynamic(f"add rule any any m {inbound} {outbound}")) == [("block", "any > me"), ("allow", "me > any")]
    assert rules_of(dynamic(f"add rule 10.0.0.1 me m protocol=tcp dstport=22 {inbound} {outbound}")) == [
        ("block", "tcp 10.0.0.1 > me:22"),
        ("allow", "tcp me:22 > 10.0.0.1"),
    ]
    assert rules_of(dynamic(f"add rule me 10.0.0.1 m mirrored=no {inbound} {outbound}")) == [("allow", "me > 10.0.0.1")]


def test_dynamic_rules_are_known_by_their_filters() -> None:
    add = "add rule any me m protocol=tcp dstport=80 actioninbound=block actionoutbound=block"
    again = dynamic(add, add, "set rule any me tcp 0 80 actioninbound=permit actionoutbound=permit")
    assert rules_of(again) == [("allow", "tcp any > me:80 (mirrored)")]
    assert [code for code, _, _ in found(again)] == ["PA321"]
    gone = dynamic(add, add.replace("80", "81"), "delete rule any me tcp 0 80")
    assert rules_of(gone) == [("block", "tcp any > me:81 (mirrored)")]


def test_dynamic_rules_need_their_policies() -> None:
    loaded = dynamic(
        "add rule any me nothere", "add rule any me m", "add qmpolicy q soft=y qmsec=ESP[3DES,SHA1]", "add rule any me m q"
    )
    assert [code for code, _, _ in found(loaded)] == ["PA322", "PA141"]
    assert rules_of(loaded) == [("protect", "any > me (mirrored)")]


def test_the_key_of_ipseccmd_is_not_told() -> None:
    lines = (
        '.ipseccmd -w REG -p p -r r -f 0+10.0.0.1 -n ESP[3DES,SHA] -a PRESHARE:"my secret" -x',
        ".ipseccmd -w REG -p p -r s -f 0+10.0.0.1 -n ESP[3DES,SHA] -a PRESHARE:my secret",
        ".ipseccmd -w REG -p p -r t -f swordfish -n PASS -a p:swordfish",
        ".ipseccmd -w REG -p p -r t -f 0+10.0.0.x -n swordfish -a p:swordfish",
    )
    loaded = script(*lines)
    assert isinstance(loaded.policy, Policy)
    assert [rule.auth_methods[0].key for rule in loaded.policy.rules] == [Secret("my secret")]
    assert [code for code, _, _ in found(loaded)] == ["PA141"] * 3
    assert not any(word in repr(loaded) for word in ("secret'", "swordfish"))


def test_the_example_of_the_readme_is_what_pastore_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    readme = (Path(__file__).parents[3] / "README.md").read_text(encoding="utf-8")
    match = re.search(
        r"<!-- script -->\n```console\n\$ cat ports.bat\n(.*?)\n\n\$ pastore check ports.bat\n(.*?)```", readme, re.DOTALL
    )
    assert match is not None
    (tmp_path / "ports.bat").write_text(match[1] + "\n", encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    assert run("check", "ports.bat").out == match[2]
