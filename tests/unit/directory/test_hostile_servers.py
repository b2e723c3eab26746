"""Servers that want to hold us, fill our memory or slip something in: each ends soon after the deadline, with a finding."""

import random
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

import pastore
from pastore.directory import Access
from pastore.export import ldif
from pastore.findings import Severity
from pastore.model import Policy
from tests.support import directory_examples
from tests.support.command import pastore as run
from tests.support.hostile_ldap import (
    DONE,
    EXTENDED_ANSWER,
    FOUND,
    REFERENCE,
    SEARCH,
    Conversation,
    Directory,
    Request,
    Script,
    ber,
    domain_entries,
    entries_of_ldif,
    entry_message,
    message,
    number,
    page_control,
    result,
    serving,
    text,
)
from tests.support.memory import run_measured
from tests.support.policies import flt, policy, rule
from tests.support.relay import Relay, to_path

BASE = "DC=corp,DC=example"
CONTAINER = f"CN=IP Security,CN=System,{BASE}"
TIMEOUT = 0.7
MADE = policy(
    rule("Intranet", "allow", "tcp 10.0.0.0/8 > me:443"), rule("Rest", "block", flt("any > me", name="all")), name="Corp"
)
PASSED = f"the retrieval was not done after {TIMEOUT:g} seconds"


@pytest.fixture
def folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="ldap-") as name:  # short: the path of a socket has at most 107 bytes
        yield Path(name)


def stocked(script: Script | None = None) -> Directory:
    """Return a domain with a policy in its store."""
    return Directory({**domain_entries(BASE), **entries_of_ldif(ldif.write(MADE, base_dn=BASE))}, script=script)


def on_store(answer: Script) -> Script:
    """Return a script that plays foul only when the policy store is searched."""

    def script(conversation: Conversation, request: Request) -> bool:
        return request.tag == SEARCH and request.base == CONTAINER and answer(conversation, request)

    return script


def dn(number_: int) -> str:
    return f"CN=ipsecFilter{{{number_:08x}-0000-0000-0000-000000000000}},{CONTAINER}"


def values(data: bytes = b"x") -> dict[str, list[bytes | str]]:
    return {"objectClass": ["ipsecFilter"], "ipsecData": [data]}


def whole(request: Request) -> bytes:
    """Return an answer that is all right."""
    return entry_message(request.number, dn(1), values()) + message(request.number, result(DONE, 0))


def drip(conversation: Conversation, request: Request) -> bool:
    for byte in whole(request):
        conversation.send(bytes((byte,)))
        time.sleep(0.3)
    return True


def keep_silent(conversation: Conversation, request: Request) -> bool:
    return True


def drip_pages(conversation: Conversation, request: Request) -> bool:
    """Each answer comes in time, and there is no last one."""
    time.sleep(0.05)
    conversation.send(message(request.number, result(DONE, 0), page_control(b"again")))
    return True


def endless_pages(conversation: Conversation, request: Request) -> bool:
    endless_pages.count = getattr(endless_pages, "count", 0) + 1  # type: ignore[attr-defined]
    first = endless_pages.count * 500  # type: ignore[attr-defined]
    entries = b"".join(entry_message(request.number, dn(first + n), values(b"x" * 500)) for n in range(500))
    conversation.send(entries + message(request.number, result(DONE, 0), page_control(b"more")))
    return True


def endless_page(conversation: Conversation, request: Request) -> bool:
    entries = b"".join(entry_message(request.number, dn(n), values(b"x" * 500)) for n in range(500))
    while True:
        conversation.send(entries)


def announce_two_gigabytes(conversation: Conversation, request: Request) -> bool:
    conversation.send(b"\x30\x84\x80\x00\x00\x00")
    while True:
        conversation.send(bytes(65536))


def send_64_megabytes(conversation: Conversation, request: Request) -> bool:
    value = b"\x04\x84" + (64 << 20).to_bytes(4, "big")
    head = number(request.number) + b"\x64\x84" + (len(value) + (64 << 20)).to_bytes(4, "big") + value
    conversation.send(b"\x30\x84" + (len(head) + (64 << 20)).to_bytes(4, "big") + head)
    for _ in range(64):
        conversation.send(bytes(1 << 20))
    return True


def send_a_million_parts(conversation: Conversation, request: Request) -> bool:
    conversation.send(message(request.number, ber(FOUND, text(dn(1)) + ber(0x30, b"\x04\x00" * (1 << 20)))))
    return True


def nest(conversation: Conversation, request: Request) -> bool:
    inner = b""
    for _ in range(3000):
        inner = ber(0x30, inner)
    conversation.send(message(request.number, ber(FOUND, inner)))
    return True


def hide_a_structure(conversation: Conversation, request: Request) -> bool:
    """A sequence that is marked as primitive, into which ldap3 would descend all the same."""
    inner = b""
    for _ in range(3000):
        inner = ber(0x10, inner)
    conversation.send(message(request.number, ber(FOUND, text(dn(1)) + inner)))
    return True


def be_indefinite(conversation: Conversation, request: Request) -> bool:
    conversation.send(b"\x30\x80" + number(request.number) + b"\x00\x00")
    return True


def end_in_the_middle(conversation: Conversation, request: Request) -> bool:
    conversation.send(whole(request)[:-3])
    conversation.socket.close()
    return True


def end_before_the_end(conversation: Conversation, request: Request) -> bool:
    """What came is whole; only the last message, which says that it is all, did not."""
    conversation.send(entry_message(request.number, dn(1), values()))
    conversation.socket.close()
    return True


def give_notice(conversation: Conversation, request: Request) -> bool:
    """RFC 4511, 4.4.1: an answer that nobody asked for, by which the server takes its leave."""
    notice = result(EXTENDED_ANSWER, 52, "closing")[2:] + ber(0x8A, b"1.3.6.1.4.1.1466.20036")
    conversation.send(message(0, ber(EXTENDED_ANSWER, notice)))
    return True


def answer_as_a_web_server(conversation: Conversation, request: Request) -> bool:
    conversation.send(b"HTTP/1.1 400 Bad Request\r\n\r\n")
    return True


def answer_another_question(conversation: Conversation, request: Request) -> bool:
    conversation.send(message(request.number + 7, result(DONE, 0)))
    return True


def cut_by_a_limit(conversation: Conversation, request: Request) -> bool:
    conversation.send(entry_message(request.number, dn(1), values()) + message(request.number, result(DONE, 4)))
    return True


def refer(conversation: Conversation, request: Request) -> bool:
    conversation.send(message(request.number, result(DONE, 10, referral="ldap://elsewhere.example/")))
    return True


def be_of_a_new_kind(conversation: Conversation, request: Request) -> bool:
    conversation.send(message(request.number, result(DONE, 4242)))
    return True


def a_range_without_end(conversation: Conversation, request: Request) -> bool:
    conversation.send(
        entry_message(request.number, dn(1), {"ipsecFilterReference;range=0-0": ["CN=a"]})
        + message(request.number, result(DONE, 0))
    )
    while (following := conversation.receive()) is not None:
        assert following.attributes[0].startswith("ipsecfilterreference;range=")
        first = int(following.attributes[0].partition("=")[2].partition("-")[0])
        name = f"ipsecFilterReference;range={first}-{first}"
        conversation.send(entry_message(following.number, dn(1), {name: ["CN=a"]}) + message(following.number, result(DONE, 0)))
    return True


HOSTILE: list[tuple[Script, str]] = [
    (drip, PASSED),
    (keep_silent, PASSED),
    (drip_pages, PASSED),
    (endless_pages, PASSED),
    (endless_page, PASSED),
    (a_range_without_end, PASSED),
    (announce_two_gigabytes, "the server sends a message of 2147483654 bytes; up to 16777216 are taken"),
    (send_64_megabytes, "; up to 16777216 are taken"),
    (send_a_million_parts, "its answer has more than 250000 parts"),
    (nest, "its answer is nested too deeply"),
    (hide_a_structure, "its answer has a part of the unknown type 0x10"),
    (be_indefinite, "its answer does not begin as an LDAP message does"),
    (end_in_the_middle, "ended the connection in the middle of an answer"),
    (end_before_the_end, "ended the connection before it had answered"),
    (give_notice, "ended the connection before it had answered"),
    (answer_as_a_web_server, "its answer does not begin as an LDAP message does"),
    (answer_another_question, "does not speak LDAP as it should"),
    (cut_by_a_limit, "gave only a part of"),
    (refer, "referrals are not followed"),
    (be_of_a_new_kind, "does not speak LDAP as it should"),
]


@pytest.mark.parametrize(("answer", "said"), HOSTILE, ids=[answer.__name__ for answer, _ in HOSTILE])
def test_it_ends_in_time_with_a_finding_and_without_a_policy(folder: Path, answer: Script, said: str) -> None:
    with serving(stocked(on_store(answer)), folder) as server:
        start = time.monotonic()
        got = pastore.load(server.url, access=Access(timeout=TIMEOUT))
        took = time.monotonic() - start
    assert (got.policy, got.policies) == (None, ())
    (finding,) = got.findings
    assert (finding.code, finding.severity, finding.win32) == ("PA173", Severity.ERROR, 8250)
    assert said in finding.message
    assert finding.origin.source == server.url
    assert took < TIMEOUT + 1.5


@pytest.mark.parametrize("answer", [endless_page, send_64_megabytes, send_a_million_parts])
def test_the_command_takes_little_memory_and_ends_with_status_2(folder: Path, answer: Script) -> None:
    with serving(stocked(on_store(answer)), folder) as server:
        started = time.monotonic()
        got = run_measured([sys.executable, "-m", "pastore", "check", server.url, "--timeout", "1.5"])
        took = time.monotonic() - started
    assert got.status == 2
    assert b"error PA173" in got.out
    assert got.peak < 500 << 10  # KiB; the command alone takes about 60 MiB
    assert took < 2 + 4


def test_the_limit_of_memory_ends_a_server_that_is_fast(folder: Path) -> None:
    from pastore.directory import Limits

    access = Access(timeout=30, limits=Limits(memory=4 << 20))
    with serving(stocked(on_store(endless_page)), folder) as server:
        start = time.monotonic()
        (finding,) = pastore.load(server.url, access=access).findings
    assert finding.message == "the server sends more than a policy store holds; it would take over 4 MiB here"
    assert time.monotonic() - start < 5


def test_even_silence_before_the_first_answer_ends_in_time(folder: Path) -> None:
    with serving(stocked(keep_silent), folder) as server:
        start = time.monotonic()
        (finding,) = pastore.load(server.url, access=Access(timeout=0.5)).findings
    assert finding.message.startswith("the retrieval was not done after 0.5 seconds")
    assert time.monotonic() - start < 1.5


def test_entries_outside_the_base_are_left_out_with_a_finding(folder: Path) -> None:
    stranger = "CN=ipsecPolicy{00000000-0000-0000-0000-00000000beef},CN=Elsewhere,DC=evil,DC=example"

    def add_a_stranger(conversation: Conversation, request: Request) -> bool:
        conversation.send(entry_message(request.number, stranger, {"objectClass": ["ipsecPolicy"], "ipsecName": ["Corp"]}))
        return False  # and the directory goes on

    with serving(stocked(on_store(add_a_stranger)), folder) as server:
        got = pastore.load(server.url)
    assert isinstance(got.policy, Policy)
    assert [found.name for found in got.policies] == ["Corp"]
    (finding,) = (finding for finding in got.findings if finding.code == "PA174")
    assert "is not below 'CN=IP Security,CN=System,DC=corp,DC=example'" in finding.message
    assert finding.origin.locator == stranger


def test_a_reference_to_another_server_is_told_and_not_followed(folder: Path) -> None:
    def point_away(conversation: Conversation, request: Request) -> bool:
        conversation.send(message(request.number, ber(REFERENCE, text("ldap://127.0.0.1:1/DC=evil,DC=example"))))
        return False

    with serving(stocked(on_store(point_away)), folder) as server:
        got = pastore.load(server.url)
    assert isinstance(got.policy, Policy)
    assert [finding.code for finding in got.findings if finding.code.startswith("PA17")] == ["PA174"]


def test_objects_that_refer_to_each_other_in_a_circle_are_a_finding(folder: Path) -> None:
    directory = stocked()
    nfa = next(name for name in directory.entries if "ipsecNFA" in name)
    list_ = next(name for name in directory.entries if "ipsecFilter" in name)
    directory.entries[list_]["ipsecNFAReference"] = [nfa]
    directory.entries[nfa]["ipsecFilterReference"] = [list_, nfa]
    with serving(directory, folder) as server:
        got = pastore.load(server.url, access=Access(timeout=5))
    assert {"PA132", "PA137"} <= {finding.code for finding in got.findings}


def test_a_store_in_pieces_of_ranges_is_read_whole(folder: Path) -> None:
    directory = stocked()
    policy_dn = next(name for name in directory.entries if "ipsecPolicy{" in name)
    rules = directory.entries[policy_dn].pop("ipsecNFAReference")
    assert len(rules) == 2

    def in_pieces(conversation: Conversation, request: Request) -> bool:
        if request.tag == SEARCH and request.base == policy_dn:
            assert request.attributes == ["ipsecnfareference;range=1-*"]
            piece = entry_message(request.number, policy_dn, {"ipsecNFAReference;range=1-*": rules[1:]})
            conversation.send(piece + message(request.number, result(DONE, 0)))
            return True
        return False

    directory.script = in_pieces
    directory.entries[policy_dn]["ipsecNFAReference;range=0-0"] = rules[:1]
    # The server names the attribute with its range although it was asked for without.
    plain = Request.attributes.fget  # type: ignore[attr-defined]
    assert plain is not None
    original = directory.answer

    def answer(conversation: Conversation, request: Request) -> None:
        if request.base == CONTAINER:
            found = [(name, have) for name, have in directory.entries.items() if name.endswith(f",{CONTAINER}")]
            conversation.send(b"".join(entry_message(request.number, name, have) for name, have in found))
            conversation.send(message(request.number, result(DONE, 0)))
        else:
            original(conversation, request)

    directory.answer = answer  # type: ignore[method-assign]
    with serving(directory, folder) as server:
        got = pastore.load(server.url)
    assert isinstance(got.policy, Policy)
    assert {one.name for one in got.policy.rules} == {"Intranet", "Rest"}


def test_the_same_policy_comes_from_the_directory_and_from_its_ldif(folder: Path, tmp_path: Path) -> None:
    file = tmp_path / "corp.ldif"
    file.write_bytes(ldif.write(MADE, base_dn=BASE))
    with serving(stocked(), folder) as server:
        got = pastore.load(server.url)
        assert run("check", server.url).status == 0
        assert "Policy Corp" in run("show", server.url).out
        assert run("explain", server.url, "tcp 10.1.2.3:1 > 10.9.0.7:443 in").out.startswith(
            "tcp 10.1.2.3:1 > 10.9.0.7:443 in: allow"
        )
        table = tmp_path / "corp.pastore"
        assert run("compile", server.url, "-o", table).status == 0
    assert got.policy == pastore.load(file).policy
    assert run("show", table, "--filters").status == 0


def test_a_server_that_knows_no_pages_is_read_all_the_same(folder: Path) -> None:
    directory = stocked()
    directory.script = lambda conversation, request: request.controls.clear() or False  # type: ignore[func-returns-value]
    with serving(directory, folder) as server:
        assert isinstance(pastore.load(server.url).policy, Policy)


def test_pages_are_put_together(folder: Path) -> None:
    directory = stocked()
    directory.page = 2
    with serving(directory, folder) as server:
        got = pastore.load(server.url)
    assert isinstance(got.policy, Policy)
    assert len(got.policy.rules) == 2
    assert [base for kind, base in directory.log if kind == "search"].count(CONTAINER) > 3


def test_a_proxy_that_cuts_after_every_64th_byte_leaves_all_or_an_error(folder: Path) -> None:
    with serving(stocked(), folder) as server, Relay(to_path(str(server.path)), path=str(folder / "cut")) as relay:
        url = f"ldapi://{folder}/cut".replace("/", "%2F").replace("ldapi:%2F%2F", "ldapi://")
        policies = pastore.load(url).policies
        assert [one.name for one in policies] == ["Corp"]
        length = relay.passed
        assert length > 5000
        whole = []
        for cut in range(64, length + 64, 64):
            relay.cut_after = cut
            got = pastore.load(url, access=Access(timeout=5))
            if got.policies:
                assert got.policies == policies
                whole.append(cut)
            else:
                assert [finding.code for finding in got.findings] == ["PA173"]
    assert len(whole) == 1
    assert whole[0] >= length


def test_no_damage_to_an_answer_is_a_traceback(folder: Path) -> None:
    """Whatever bytes are changed, the answer is a policy or an error that is told."""
    chance = random.Random(4711)
    answers: list[bytes] = []

    def record(data: bytes) -> None:
        answers.append(data)

    def damage(conversation: Conversation, request: Request) -> bool:
        if request.tag != SEARCH or request.base != CONTAINER:
            return False
        directory.script = None
        kept, conversation.send = conversation.send, record  # type: ignore[method-assign]
        directory.answer(conversation, request)
        conversation.send = kept  # type: ignore[method-assign]
        directory.script = damage
        data = bytearray(answers.pop())
        for _ in range(chance.randint(1, 4)):
            data[chance.randrange(len(data)) if chance.random() < 0.5 else chance.randrange(120)] = chance.randrange(256)
        conversation.send(bytes(data))
        conversation.socket.close()
        return True

    directory = stocked(damage)
    told = set()
    with serving(directory, folder) as server:
        for _ in range(60):
            got = pastore.load(server.url, access=Access(timeout=5))
            assert got.policies or got.findings
            told |= {finding.message.partition(":")[0] for finding in got.findings if finding.code == "PA173"}
    assert len(told) >= 2


def test_numbers_among_values_are_refused(folder: Path) -> None:
    def count(conversation: Conversation, request: Request) -> bool:
        listed = ber(0x30, text("ipsecName") + ber(0x31, number(7)))
        conversation.send(message(request.number, ber(FOUND, text(dn(1)) + ber(0x30, listed))))
        return False

    with serving(stocked(on_store(count)), folder) as server:
        (finding,) = pastore.load(server.url).findings
    assert (finding.code, finding.message.rpartition(": ")[2]) == (
        "PA173",
        "its answer has a number among the values of an entry",
    )


def test_pa173_a_place_with_more_links_than_windows_applies(folder: Path) -> None:
    found = directory_examples.entries()
    link = f"[LDAP://{directory_examples.GPO};0]"
    found[f"OU=Servers,{BASE}"]["gPLink"] = [link * 1000]
    with serving(Directory(found), folder) as server:
        (finding,) = pastore.load(server.url, computer="FILES1").findings
        assert finding.code == "PA173"
        found[f"OU=Servers,{BASE}"]["gPLink"] = [link * 999]
        assert isinstance(pastore.load(server.url, computer="FILES1").policy, Policy)
