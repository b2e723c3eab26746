"""Loading a source of any format, and what can be wrong with it."""

import gzip
import io
import os
import subprocess
import sys
import tracemalloc
from pathlib import Path
from typing import Any

import pytest

from pastore.filters.specific import SpecificFilters
from pastore.model import Policy
from pastore.sources import Loaded, load, reading
from pastore.sources.sniff import sniff
from tests.support.reg_text import reg_text
from tests.support.stored_policy import export

RULES = b"@10.0.0.1/32\t10.0.0.2/32\t0 : 65535\t80 : 80\t0x06/0xFF\t0x0000/0x0000\t\n" * 3


def put(directory: Path, data: bytes, name: str = "source") -> Path:
    path = directory / name
    path.write_bytes(data)
    return path


def only(got: Loaded) -> tuple[str, str]:
    """Return code and message of the one finding of a source that gave nothing."""
    assert got.policy is None
    assert got.policies == ()
    assert len(got.findings) == 1
    return got.findings[0].code, got.findings[0].message


# What is read


@pytest.mark.parametrize("pack", [bytes, gzip.compress], ids=["plain", "gzip"])
@pytest.mark.parametrize("style", ["v5", "utf8", "regedit4"])
def test_the_format_is_told_from_the_bytes_not_from_the_name(tmp_path: Path, style: str, pack: Any) -> None:
    got = load(put(tmp_path, pack(reg_text(export(), style)), "policy.rules"))
    assert isinstance(got.policy, Policy)
    assert got.policy.origin.source == str(tmp_path / "policy.rules")


@pytest.mark.parametrize("pack", [bytes, gzip.compress], ids=["plain", "gzip"])
def test_a_classbench_set(tmp_path: Path, pack: Any) -> None:
    got = load(put(tmp_path, pack(RULES), "set.reg"))
    assert isinstance(got.policy, SpecificFilters)
    assert len(got.policy) == 3
    assert got.policy.sources[2].place == f"{tmp_path / 'set.reg'}:3"


def test_a_gzip_file_of_several_members_with_padding(tmp_path: Path) -> None:
    got = load(put(tmp_path, gzip.compress(RULES) + gzip.compress(RULES) + bytes(512)))
    assert isinstance(got.policy, SpecificFilters)
    assert len(got.policy) == 6


def test_standard_input(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(gzip.compress(RULES))))
    got = load("-")
    assert isinstance(got.policy, SpecificFilters)
    assert got.policy.sources[0].place == "-:1"


def test_the_policy_is_chosen_by_name(tmp_path: Path) -> None:
    path = put(tmp_path, reg_text(export()))
    assert isinstance(load(path, policy="server isolation").policy, Policy)
    assert "PA104" in [finding.code for finding in load(path, policy="other").findings]


def test_pa104_a_classbench_list_has_no_name(tmp_path: Path) -> None:
    assert only(load(put(tmp_path, RULES), policy="one"))[0] == "PA104"


def test_the_format_can_be_named_when_the_bytes_do_not_tell(tmp_path: Path) -> None:
    path = put(tmp_path, b"\n" * 70_000 + RULES)
    assert only(load(path))[0] == "PA102"
    assert isinstance(load(path, format="classbench").policy, SpecificFilters)


def test_a_named_format_holds_even_for_an_empty_file(tmp_path: Path) -> None:
    path = put(tmp_path, b"")
    assert only(load(path, format="classbench"))[0] == "PA103"
    assert [finding.code for finding in load(path, format="reg").findings] == ["PA110", "PA103"]


def test_numpy_is_only_loaded_for_a_rule_list(tmp_path: Path) -> None:
    path = put(tmp_path, reg_text(export()))
    script = "import sys; from pastore.sources import load; assert load(sys.argv[1]).policy; sys.exit('numpy' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", script, str(path)], check=False).returncode == 0


# PA101: it cannot be read


def test_pa101_missing(tmp_path: Path) -> None:
    code, message = only(load(tmp_path / "nothing.reg"))
    assert code == "PA101"
    assert "No such file" in message


def test_pa101_directory(tmp_path: Path) -> None:
    code, message = only(load(tmp_path))
    assert code == "PA101"
    assert "directory" in message


def test_pa101_no_permission(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = put(tmp_path, RULES)
    path.chmod(0)
    if os.geteuid() == 0:  # root may read everything: let the call fail as it does for others

        def refuse(*_: object) -> None:
            raise PermissionError(13, "Permission denied")

        monkeypatch.setattr("builtins.open", refuse)
    code, message = only(load(path))
    assert code == "PA101"
    assert "Permission denied" in message


@pytest.mark.parametrize("path", ["", "a\0b", "x" * 5000])
def test_pa101_path_that_cannot_be(path: str) -> None:
    assert only(load(path))[0] == "PA101"


@pytest.mark.parametrize("pack", [bytes, gzip.compress], ids=["plain", "gzip"])
def test_pa101_larger_than_the_limit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, pack: Any) -> None:
    assert reading.SIZE_LIMIT == 1 << 30
    path = put(tmp_path, pack(RULES * 1000))
    with pytest.raises(reading.SourceError, match="more than the 100000"):
        reading.read_bytes(str(path), 100_000)
    assert len(reading.read_bytes(str(path), 300_000)) == len(RULES) * 1000


def test_pa101_a_sparse_file_over_a_gibibyte_is_refused_at_once(tmp_path: Path) -> None:
    path = put(tmp_path, RULES)
    os.truncate(path, (1 << 30) + 1)
    code, message = only(load(path))
    assert code == "PA101"
    assert str((1 << 30) + 1) in message


def test_pa101_an_endless_stream_is_bounded() -> None:
    with pytest.raises(reading.SourceError, match="more than the 1000"):
        reading.read_bytes("/dev/zero", 1000)


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (gzip.compress(RULES, mtime=0)[:-12], "ends too early"),
        (gzip.compress(RULES, mtime=0)[:20], "ends too early"),
        (gzip.compress(RULES, mtime=0)[:-8] + bytes(8), "damaged"),
        (gzip.compress(RULES, mtime=0)[:11] + b"\xff" * 40, "damaged"),
        (gzip.compress(RULES, mtime=0) + b"more", "something behind"),
    ],
)
def test_pa101_damaged_gzip(tmp_path: Path, data: bytes, why: str) -> None:
    code, message = only(load(put(tmp_path, data)))
    assert code == "PA101"
    assert why in message


def test_pa101_no_standard_input(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", None)
    assert only(load("-"))[0] == "PA101"


# PA102: it is of no known format

LOOKS = {
    b"": "an empty file",
    b"\r\n \n": "blank lines",
    b"\x89PNG\r\n\x1a\n" + bytes(50): "PNG image",
    b"\xd4\xc3\xb2\xa1" + bytes(20): "pcap",
    b"\x0a\x0d\x0d\x0a" + bytes(20): "pcapng",
    b"PK\x03\x04" + bytes(20): "ZIP archive",
    b"\x7fELF" + bytes(20): "ELF program",
    b"%PDF-1.7\n": "PDF document",
    b"regf" + bytes(24) + b"\6" + bytes(508): "a transaction log of a registry hive",
    b"ElfFile\0" + bytes(50): "event log",
    b"PReg\x01\0\0\0": "Registry.pol",
    b'{"version": 1}': "JSON that is no policy",
    b'[{"policy": {}}]': "JSON that is no policy",
    b'{"sources": [{"policy": "Server Isolation"}]}\n': "JSON that is no policy",
    b'{"seq": 1, "data": {"Policy": "x"}}\n{"seq": 2, "data": {"Policy": "x"}}\n': "JSON that is no policy",
    b"<?xml version='1.0'?>": "XML",
    b"hello world\n": "text of no known format",
    "hallo\n".encode("utf-16-le"): "text of no known format",
    "hallo\n".encode("utf-16-be"): "text of no known format",
    bytes([200, 0, 3, 7, 0, 1]) * 99: "binary data",
    bytes(range(1, 32)) * 20: "binary data",
    bytes(257) + b"ustar" + bytes(300): "tar archive",
}


@pytest.mark.parametrize(("data", "what"), LOOKS.items(), ids=[what.split(",")[0] for what in LOOKS.values()])
def test_pa102_says_what_the_bytes_look_like_and_what_is_known(tmp_path: Path, data: bytes, what: str) -> None:
    code, message = only(load(put(tmp_path, data, "x.reg")))
    assert code == "PA102"
    assert what in message
    assert "(reg)" in message
    assert "(classbench)" in message


def test_pa102_an_ipsec_file_is_told_what_to_do(tmp_path: Path) -> None:
    code, message = only(load(put(tmp_path, b"\x01\0\0\x02" * 20, "backup.ipsec")))
    assert code == "PA102"
    assert "exportpolicy" in message


SCRIPTS = {
    "netsh": b"@echo off\r\nif 1==1 netsh.exe ipsec static add policy name=x assign=y\r\n",
    "ipseccmd": b'ipseccmd -w REG -p "x" -r y -f *=0:135:TCP -n BLOCK -x\r\n',
    "netsh-show": b"Policy Name    : x\r\nAssigned : YES\r\n",
}


@pytest.mark.parametrize("name", SCRIPTS)
def test_scripts_are_told_from_their_bytes(tmp_path: Path, name: str) -> None:
    path = put(tmp_path, SCRIPTS[name])
    assert sniff(SCRIPTS[name]).format == name
    for loaded in (load(path), load(path, format=name)):
        assert isinstance(loaded.policy, Policy)
        assert loaded.policy.name == "x"


def test_a_description_that_speaks_of_netsh_makes_no_script() -> None:
    assert sniff(b'{"version": 1, "policy": {"description": "see netsh ipsec static show all"}}').format == "json"
    assert sniff(b"<html><pre>netsh ipsec static add policy x</pre>").format is None


@pytest.mark.parametrize("data", [b"pushd ipsec static\r\nadd policy x\r\n", b"ipsec\r\nstatic\r\nadd policy x\r\n"])
def test_a_file_for_netsh_is_told_from_its_contexts(tmp_path: Path, data: bytes) -> None:
    policy = load(put(tmp_path, data)).policy
    assert isinstance(policy, Policy)
    assert policy.name == "x"


def test_an_encoding_is_for_text_that_is_not_unicode(tmp_path: Path) -> None:
    path = put(tmp_path, "netsh ipsec static add policy Büro".encode("cp850"))
    policy = load(path, encoding="850").policy
    assert isinstance(policy, Policy)
    assert policy.name == "Büro"
    with pytest.raises(ValueError, match="'klingon' is not an encoding"):
        load(path, encoding="klingon")
    with pytest.raises(TypeError, match="encoding: expected str"):
        load(path, encoding=850)  # type: ignore[arg-type]


def test_pa102_a_format_that_is_none(tmp_path: Path) -> None:
    code, message = only(load(put(tmp_path, RULES), format="yaml"))
    assert code == "PA102"
    assert "'yaml' is not a format" in message


@pytest.mark.parametrize(
    ("text", "format"),
    [
        ("Windows Registry Editor Version 5.00\n", "reg"),
        ("\r\n\r\nREGEDIT4\r\n", "reg"),
        ("[HKEY_LOCAL_MACHINE\\SOFTWARE]\n", "reg"),
        ("; note\n[-HKLM\\SOFTWARE]\n", "reg"),
        (RULES.decode(), "classbench"),
        ("ill\n" + RULES.decode(), "classbench"),
        ("\r\nHKEY_LOCAL_MACHINE\\SOFTWARE\\Policies\r\n    a    REG_SZ    b\r\n", "regquery"),
        ("C:\\>reg query HKLM\\X\n\nHKEY_LOCAL_MACHINE\\X\n    a b    REG_DWORD    0x1\n", "regquery"),
        ("! REG.EXE VERSION 3.0\n\nHKEY_LOCAL_MACHINE\\X\n    a\tREG_DWORD\t0x1\n", "regquery"),
        ("HKEY_LOCAL_MACHINE\\X\n\nHKEY_LOCAL_MACHINE\\X\\Y\n", "regquery"),
        ('@="value"\n', None),
        ("dn: CN=x\n", "ldif"),
        ("dn:: Q049eA==\n", "ldif"),
        ("DN:CN=x\n", "ldif"),
        ("version: 1\r\n\r\ndn: CN=x\r\n", "ldif"),
        ("# extended LDIF\n#\n# a comment that\n  goes on\nversion: 1\n\n# id, corp\ndn: CN=x\n", "ldif"),
        ("dns: 10.0.0.1\n", None),
        ('{"version": 1, "policy": {}}', "json"),
        ('\n{\n  "policy"\n: {"guid"', "json"),
    ],
)
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be"])
def test_formats_in_every_encoding(text: str, format: str | None, encoding: str) -> None:
    assert sniff(text.encode(encoding)).format == format


# Misuse


@pytest.mark.parametrize("source", [None, 5, b"x.reg", ["x.reg"]])
def test_a_source_of_another_type_is_a_type_error(source: Any) -> None:
    with pytest.raises(TypeError):
        load(source)


@pytest.mark.parametrize("argument", [{"policy": 5}, {"format": b"reg"}, {"system": b"SYSTEM"}])
def test_options_of_another_type_are_a_type_error(argument: dict[str, Any]) -> None:
    with pytest.raises(TypeError, match="expected str"):
        load("x.reg", **argument)


# What is refused anyway is not read to its end


@pytest.mark.parametrize("pack", [bytes, gzip.compress], ids=["plain", "gzip"])
@pytest.mark.parametrize("start", [b"", b"\x89PNG\r\n\x1a\n", b"regedit3\n"], ids=["zeros", "image", "text"])
def test_a_large_file_of_no_known_format_is_refused_after_its_first_bytes(tmp_path: Path, pack: Any, start: bytes) -> None:
    path = put(tmp_path, pack(start + bytes(50_000_000)))
    load(path)
    tracemalloc.start()
    try:
        code, _ = only(load(path))
        assert tracemalloc.get_traced_memory()[1] < 2_000_000
    finally:
        tracemalloc.stop()
    assert code == "PA102"


def test_zeros_on_standard_input_are_refused_after_their_first_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    packed = io.BytesIO(gzip.compress(bytes(50_000_000)))
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(packed))
    tracemalloc.start()
    try:
        assert only(load("-"))[0] == "PA102"
        assert tracemalloc.get_traced_memory()[1] < 2_000_000
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("members", [1, 2, 100])
def test_what_is_wanted_is_read_to_its_end_however_it_is_packed(tmp_path: Path, members: int) -> None:
    rules = RULES * 10_000
    assert len(rules) > 10 * reading.HEAD
    size = -(-len(rules) // members)
    packed = b"".join(gzip.compress(rules[at : at + size]) for at in range(0, len(rules), size))
    got = load(put(tmp_path, packed)).policy
    assert isinstance(got, SpecificFilters)
    assert len(got) == 30_000
