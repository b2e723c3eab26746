"""Fifty planted pre-shared keys in fifty policies: none in any output, log, exception or repr."""

import copy
import logging
import pickle
from dataclasses import replace
from pathlib import Path

import pytest

import pastore
from pastore.model import AuthKind, AuthMethod, Policy, Secret
from pastore.sources import load
from tests.support.command import pastore as run
from tests.support.example import capture, registry
from tests.support.policies import guid, policy, rule
from tests.support.reg_text import reg_text

KEYS = [f"Planted-Key-{number:02d}-{guid(str(number))}" for number in range(50)]


def planted(number: int) -> Policy:
    """Return a policy whose protecting rule has a key; every fifth one cannot be applied."""
    auth = (AuthMethod(AuthKind.PRESHARED_KEY, key=Secret(KEYS[number])), AuthMethod(AuthKind.KERBEROS))
    filters = ["tcp any > me:1433"] + (["tcp 10.0.0.1/255.0.0.255 > me:1434"] if number % 5 == 0 else [])
    return policy(rule("Keyed", "protect", *filters, auth=auth), name=f"Policy {number}")


def forms(key: str) -> list[bytes]:
    """Return how a key could leak: as text, as UTF-16, as the hex a registry shows."""
    wide = key.encode("utf-16-le")
    return [key.encode(), wide, wide.hex().encode(), ",".join(f"{byte:02x}" for byte in wide).encode(), key[-12:].encode()]


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    folder = tmp_path_factory.mktemp("planted")
    paths = []
    for number in range(50):
        made = planted(number)
        whole = reg_text(registry(made, assigned=made), ("v5", "utf8", "regedit4")[number % 3])
        if number % 7 == 0:
            whole = whole[: int(len(whole) * (0.35 + number / 100))]  # damaged: errors must not quote the bytes either
        paths.append(folder / f"{number:02d}.reg")
        paths[-1].write_bytes(whole)
    return paths


def test_the_keys_are_really_in_the_files_and_are_read(files: list[Path]) -> None:
    found = load(files[1]).policy
    assert isinstance(found, Policy)
    key = found.rules[0].auth_methods[0].key
    assert key is not None
    assert key.reveal() == KEYS[1]


def test_no_command_shows_a_key(files: list[Path], tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    packets = tmp_path / "packets.pcap"
    packets.write_bytes(capture())
    outputs: list[bytes] = []

    def keep(*arguments: object) -> None:
        result = run(*arguments)
        outputs.extend((result.out.encode(), result.err.encode()))

    for form in ("text", "json", "jsonl", "github"):
        keep("check", *files, "--output-format", form)
    for file in files:
        audit = tmp_path / f"{file.stem}.jsonl"
        packet = "tcp 10.1.2.3:40000 > 10.9.0.7:1433 in"
        keep("show", file)
        keep("show", file, "--filters")
        keep("explain", file, packet)
        keep("explain", file, packet, "--output-format", "json")
        keep("explain", file, "--rule", "Keyed")
        keep("classify", file, packets)
        keep("agent", file, "--once", "--audit", audit)
        for form in ("text", "json", "xml", "ecs"):
            keep("events", audit, "--output-format", form)
        outputs.append(audit.read_bytes())
    outputs.append(caplog.text.encode())
    everything = b"\n".join(outputs)
    assert b"Keyed" in everything
    assert [key for key in KEYS if any(form in everything for form in forms(key))] == []


def test_no_repr_str_or_format_shows_a_key(files: list[Path]) -> None:
    texts = []
    for file in files:
        loaded = pastore.load(file)
        texts += [repr(loaded), str(loaded), f"{loaded}"]
        if loaded.policy is not None:
            matcher = pastore.compile(loaded.policy)
            texts += [repr(matcher), repr(matcher.filters), repr(list(matcher.filters.sources)), repr(matcher.findings)]
    everything = "\n".join(texts).encode()
    assert b"(redacted)" in everything
    assert [key for key in KEYS if any(form in everything for form in forms(key))] == []


def test_no_exception_shows_a_key() -> None:
    made = planted(3)
    with pytest.raises(TypeError) as caught:
        pastore.compile([made])  # type: ignore[arg-type]
    assert KEYS[3] not in str(caught.value)
    key = made.rules[0].auth_methods[0].key
    assert key is not None
    with pytest.raises(TypeError) as refused:
        pickle.dumps(key)
    assert KEYS[3] not in str(refused.value)
    assert KEYS[3] not in repr(copy.deepcopy(made))
    assert KEYS[3] not in f"{key} {key!r} {key:>40}"


def test_equal_secrets_are_equal_and_others_are_not() -> None:
    assert Secret("a") == Secret("a")
    assert Secret("a") != Secret("b")
    assert Secret("a") != "a"
    assert len({Secret("a"), Secret("a")}) == 1
    assert replace(planted(1)) == planted(1)
