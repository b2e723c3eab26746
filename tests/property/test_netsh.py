"""Whatever a script holds, reading it ends soon, says what is wrong, and tells no key."""

import time
from typing import Final

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pastore.findings import Severity
from pastore.model import Policy
from pastore.sources.netsh import batch, load_script, load_show, store

KEY: Final = "moonlight-over-halden"
WORDS: Final = """
netsh|ipsec|static|dynamic|add|delete|set|show|del|policy|rule|filter|filterlist|filteraction|all|name=|name =|= |
x|y|"x y"|'x y'|policy=|filterlist=|filteraction=|srcaddr=|dstaddr=|any|me|dns|10.0.0.1|10.0.0.0-10.0.0.9|
2001:db8::1|srcmask=|24|255.255.0.0|dstport=|445|137-139|protocol=|tcp|udp|esp|99|mirrored=no|assign=y|assign=n|
action=|block|permit|negotiate|qmsecmethods=|ESP[3DES,SHA1]:100000k/3600s|AH[MD5]|"ESP[DES, None] AH[SHA1]"|
mmsecmethods=|3DES-SHA1-2|psk=moonlight-over-halden|rootca="CN=x certmap:yes"|kerberos=no|newname=|id=1|
tunnel=10.0.0.9|conntype=|lan|store location=domain|config property=ipsecexempt value=2|mmpolicy|qmpolicy|
mmpolicy=x|qmpolicy=x|actioninbound=|actionoutbound=|ipseccmd|ipsecpol|-w REG|-p x|-r y|-f|*=0:445:TCP|0+*::|
[*=0:1:udp]|(0=*)|-n BLOCK|-n|-x|-o|-u|-a|PRESHARE:moonlight-over-halden|-1s|pushd|popd|pushd ipsec static|exit|#|
rem|::|:label|goto label|call :label|call :label a b|if|if not|else|"%x%"=="y"|errorlevel 1|defined x|
for %%i in (1 2 3) do|for /l %%i in (1,1,5) do|for /f %%i in (x) do|%%i|%x%|%1|!x!|%x:a=b%|%x:~1,2%|set x=|
set "x=y"|set /a n=n+1|setlocal enabledelayedexpansion|(|)|&|&&|>nul|2>&1|^|"|'|%|!|=|,|\\|“|netshipsec|tcpnetsh| |
  """
PIECES: Final = st.sampled_from(
    [*WORDS.replace("\n", "").split("|"), "||", "|", "\n", "\n", "\n", "\r\n", "^\r\n", "\t", "\0", "\x1a", "é", "策略"]
)


def read_script(data: bytes) -> None:
    """Read bytes as a script: there is a policy or a reason, every place is in the file, and no key is told."""
    loaded = load_script(data, "x.bat")
    assert isinstance(loaded.policy, Policy) or any(finding.severity is Severity.ERROR for finding in loaded.findings)
    for finding in loaded.findings:
        assert finding.origin.line is None or finding.origin.line >= 1
        assert finding.origin.column is None or finding.origin.column >= 1
    if b"ipsecpol" not in data and b"ipseccmd" not in data:  # whose options may hold these words as names and filters
        assert not any(KEY in finding.message for finding in loaded.findings)
        assert KEY not in repr(loaded)


@given(st.lists(PIECES, max_size=80).map(" ".join), st.sampled_from(["utf-8", "utf-16", "gb18030", "cp1252"]))
@settings(deadline=None, max_examples=200, suppress_health_check=[HealthCheck.too_slow])
def test_any_script_is_read(text: str, encoding: str) -> None:
    read_script(text.encode(encoding, "replace"))


COMMANDS: Final = st.lists(st.lists(PIECES, max_size=12).map(" ".join), max_size=20)


@given(COMMANDS, st.sampled_from(["netsh ipsec static ", "netsh ipsec dynamic ", "ipseccmd "]))
@settings(deadline=None, max_examples=150, suppress_health_check=[HealthCheck.too_slow])
def test_any_commands_are_read(lines: list[str], prefix: str) -> None:
    read_script("".join(f"{prefix}{line}\n" for line in lines).encode())


@given(COMMANDS)
@settings(deadline=None, max_examples=200, suppress_health_check=[HealthCheck.too_slow])
def test_any_file_for_netsh_is_read(lines: list[str]) -> None:
    read_script(b"pushd ipsec static\n" + "".join(f"{line}\n" for line in lines).encode())


@given(st.binary(max_size=300))
@settings(deadline=None, max_examples=100)
def test_any_bytes_are_read(data: bytes) -> None:
    read_script(data)
    read_script(b"netsh ipsec static add policy x\n" + data)


SHOWN: Final = st.sampled_from(
    """Policy Name : x|Rule ID : 1, GUID = {1C8A6D06-7B42-4B3A-9B0C-0D2A9B0C0D2A}|Rule Name : y|FilterList Name : z|
Filter(s)|No. of Filters : 2|FilterAction Name : b|Action : BLOCK|Action : NEGOTIATE SECURITY|Description : NONE|
Mirrored : YES|Source IP Address : <My IP Address>|Source IP Address : 10.0.0.0|Source Mask : 255.0.0.0|
Source Mask : x|Destination IP Address : <Any IP Address>|Protocol : TCP|Destination IP Address : 2001:db8::1|
Destination DNS Name : server|Source Port : ANY|Destination Port : 445|Protocol : 300|Assigned : YES|
MainMode LifeTime : 99999999999 minutes / 3|Polling Interval : x|No. of Rules : 999999999|
Authentication Methods(2)|KERBEROS|Preshared Key : moonlight-over-halden|Root CA : CN=x|
     3DES   SHA1   Medium(2)|[NONE] [SHA1 , 3DES] 1 2|[SHA1] [NONE , NONE] 0 99999999999|
Tunnel Dest IP Address : 10.0.0.9|Connection Type : LAN|Activated : NO|GUID : {x}|---|: x|x :|The quick brown fox""".replace(
        "\n", ""
    ).split("|")
)


def read_output(data: bytes) -> None:
    """Read bytes as what netsh shows, with the promises of `read_script`."""
    loaded = load_show(data, "x.txt")
    assert isinstance(loaded.policy, Policy) or any(finding.severity is Severity.ERROR for finding in loaded.findings)
    assert not any(KEY in finding.message for finding in loaded.findings)
    assert KEY not in repr(loaded)


@given(st.lists(SHOWN, max_size=40), st.binary(max_size=20))
@settings(deadline=None, max_examples=200)
def test_any_output_is_read(lines: list[str], tail: bytes) -> None:
    read_output("\r\n".join(lines).encode() + tail)


def test_output_of_many_lines_is_read_soon() -> None:
    begin = time.process_time()
    load_show(
        b"Policy Name : x\n" + (b"Rule ID : 1\nFilterList Name : a\nFilter(s)\nDescription : x" + b" " * 500 + b"\n") * 5_000, "x"
    )
    load_show(b"Policy Name : x\n" + b"[" * 60_000 + b"\n" + b"A" * 60_000 + b" : " + b" " * 60_000 + b":\n" + b"-" * 60_000, "x")
    assert time.process_time() - begin < 10


ADD: Final = "netsh ipsec static add filter filterlist=a srcaddr=any dstaddr=me protocol=tcp dstport="
RULES: Final = "netsh ipsec static add policy p\nnetsh ipsec static add filteraction b action=block\n" + ADD + "1\n"
DELETE: Final = ADD.replace(" add ", " delete ")
BOMBS: Final = {
    "a variable that doubles": "set a=xxxxxxxxxx\n" + "set a=%a%%a%\n" * 100 + "netsh ipsec static add policy %a%\n",
    "a variable that doubles, often": "set a=x\n" + "set a=%a%%a%%a%%a%\n" * 20_000,
    "nested loops": "".join(f"for /l %%{name} in (1,1,1000) do " for name in "abcdef") + ADD + "%%a\n",
    "nested loops of nothing": "".join(f"for /l %%{name} in (1,1,1000) do " for name in "abcdef") + "(\n)\n" + ADD + "1\n",
    "loops in a row": ("for /l %%a in (1,1,100000) do " + ADD + "%%a\n") * 20,
    "a section that calls another twice": "".join(f":s{n}\ncall :s{n + 1}\ncall :s{n + 1}\nexit /b\n" for n in range(60)),
    "a section that calls itself": ":a\n" + ADD + "1\ncall :a\ncall :a\n",
    "a section of many lines": "call :a\n" * 3000 + ":a\n" + "\n" * 20_000 + ADD + "1\n",
    "blocks in blocks": "(" * 5000 + ADD + "1" + ")" * 5000 + "\n",
    "conditions in conditions": "if a==a " * 5000 + ADD + "1\n",
    "a long line": ADD + "1" * 3_000_000 + "\n",
    "a line of quotes": ADD + '"' * 60_000 + "\n",
    "a line of carets": ADD + "^" * 60_001 + "\n",
    "a line of redirections": ADD + "1>a " * 15_000 + "\n",
    "a line that goes on for ever": (ADD + "^\n") * 50_000,
    "a block that goes on for ever": "(\n" + (ADD + "1\n") * 20_000,
    "a line of variables": "set a=b\n" + ADD + "%a%" * 20_000 + "\n",
    "a line of equal signs": "netsh ipsec static add filter " + "= " * 30_000 + "\n",
    "a line of words": ADD + "1 " * 30_000 + "\n",
    "unknown names": "netsh ipsec static add rule name=a policy=abcdefghij filterlist=x filteraction=y\n" * 10_000,
    "unknown names beside many": "".join(f"netsh ipsec static add filterlist abcdefghijk{n}\n" for n in range(3000))
    + RULES
    + "netsh ipsec static add rule name=a policy=p filterlist=abcdefghijk filteraction=b\n" * 3000,
    "many rules by number": RULES
    + "".join(f"netsh ipsec static add rule {n} p a b\n" for n in range(2000))
    + "netsh ipsec static set rule id=1000 policy=p activate=no\n" * 2000,
    "filters deleted one by one": (ADD + "1\n") * 2000 + (DELETE + "2\n") * 2000,
    "methods": 'netsh ipsec static add filteraction x qmsecmethods="' + "ESP[3DES,SHA1] " * 4000 + '"\n',
    "a root with flags": 'netsh ipsec static add rule a b c d rootca="' + "x certmap:yes " * 4000 + '"\n',
    "a range of hyphens": ADD.replace("any", "1-" * 30_000) + "1\n",
}


@pytest.mark.parametrize("name", BOMBS)
def test_a_script_that_is_meant_to_take_for_ever_does_not(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    # What is proved is that there are bounds; with those that are in force this would take its time.
    monkeypatch.setattr(batch, "STEP_LIMIT", 5_000)
    monkeypatch.setattr(store, "WORK_LIMIT", 100_000)
    begin = time.process_time()
    read_script(BOMBS[name].encode())
    assert time.process_time() - begin < 10
