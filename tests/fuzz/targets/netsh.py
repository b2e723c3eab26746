"""Any bytes as a script of netsh ipsec or ipseccmd: carried out on paper, with a policy or the reason why there is none.

No exception, and every finding has its place in the file. What a script may cost is bounded by steps, here by few. A
policy that is read can be written as JSON and is read from that as the same one.
"""

import tomllib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final
from unittest.mock import patch

from pastore.export import policy_json as export
from pastore.sources.netsh import batch, load_script, store
from pastore.sources.policy_json import load_json
from tests.fuzz import checks

LONGEST: Final = 4096
WORDS: Final = (
    b"netsh ipsec static ",
    b"netsh ipsec dynamic ",
    b"ipseccmd -w REG -p x -r y ",
    b"pushd ipsec static\n",
    b"add policy name=x ",
    b"add filter filterlist=x srcaddr=any dstaddr=me ",
    b"add filteraction name=x action=block",
    b"add rule name=x policy=x filterlist=x filteraction=x",
    b"protocol=tcp ",
    b"dstport=445",
    b'qmsecmethods="ESP[3DES,SHA1]:100000k/3600s"',
    b"psk=",
    b'rootca="CN=x certmap:yes"',
    b"-f *=0:445:TCP",
    b"PRESHARE:",
    b"for /l %%i in (1,1,5) do ",
    b"for %%i in (1 2 3) do ",
    b'if not "%x%"=="y" (',
    b"set x=",
    b"%x:~1,2%",
    b"call :",
    b"goto ",
    b"^\r\n",
    b" & ",
    b"\xff\xfe",
    b"\xef\xbb\xbf",
)
_CASES: Final = Path(__file__).parents[2] / "cases"


@contextmanager
def few_steps() -> Iterator[None]:
    """Lower the bounds of what a script may cost; with those that are in force an input may take seconds."""
    with patch.object(batch, "STEP_LIMIT", 2_000), patch.object(store, "WORK_LIMIT", 50_000):
        yield


def check(data: bytes) -> None:
    """See above."""
    with few_steps():
        loaded = load_script(data, "x.bat")
    # Unicode and old systems know more ends of lines than one; a byte 10 or 13 is at most one of them.
    checks.explained(loaded, data, data.count(b"\n") + data.count(b"\r") + 1)
    for finding in loaded.findings:
        assert finding.origin.column is None or finding.origin.column >= 1
    checks.stored_again(
        loaded.policies[:2],
        lambda one: export.write(one, secrets=True),
        lambda written: load_json(written, "y.json"),
        keeps_assignment=True,
    )


def cases(*formats: str) -> Iterator[bytes]:
    """Yield the scripts of the cases, of some formats, with their encodings and line ends."""
    for path in sorted(_CASES.glob("*/script.toml")):
        case = tomllib.loads(path.read_text(encoding="utf-8"))
        if case.get("format", "netsh") in formats:
            text = case["script"].replace("\n", case.get("newline", "\r\n"))
            yield case.get("mark", "").encode("latin-1") + text.encode(case.get("encoding", "utf-8"))


def seeds() -> Iterator[bytes]:
    """Yield the scripts of the cases, and one of each kind that is small."""
    yield from cases("netsh", "ipseccmd")
    yield b"netsh ipsec static add policy x\r\n"
    yield b"pushd ipsec static\nadd policy name=x assign=yes\npopd\n"
    yield b"ipseccmd -w REG -p x -r y -f *=0:445:TCP -n BLOCK -x\r\n"
    yield b"netsh ipsec dynamic add rule srcaddr=any dstaddr=me mmpolicy=x psk=moonlight-over-halden\r\n"
    yield "for /l %%i in (1,1,3) do netsh ipsec static add filter a any me dstport=%%i".encode("utf-16")
