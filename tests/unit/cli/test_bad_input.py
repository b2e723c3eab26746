"""Bad input gets a clear answer: what, where, why, what to do; the right exit status; never a traceback."""

import struct
import subprocess
import sys
import time
from pathlib import Path

import pytest

from pastore.model import Policy
from tests.support.captures import ethernet, ipv4, pcap, tcp
from tests.support.command import pastore
from tests.support.example import HKLM, LOCAL, registry
from tests.support.policies import policy, rule
from tests.support.reg_text import reg_text
from tests.support.registry import export

PNG = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\0\x01\0\0\0\x01\x08\x02\0\0\0"


@pytest.fixture
def simple() -> Policy:
    return policy(rule("Web", "allow", "tcp any > me:80"), rule("Rest", "block", "any > me"), name="Simple")


class TestSources:
    @pytest.mark.parametrize("command", ["check", "show"])
    def test_an_empty_file(self, tmp_path: Path, command: str) -> None:
        path = tmp_path / "empty.reg"
        path.write_bytes(b"")
        result = pastore(command, path)
        assert result.status == 2
        assert "PA102" in result.out + result.err
        assert "empty" in result.out + result.err

    def test_a_png(self, tmp_path: Path) -> None:
        path = tmp_path / "corp.reg"
        path.write_bytes(PNG)
        result = pastore("check", path)
        assert (result.status, "PNG" in result.out, str(path) in result.out) == (2, True, True)

    @pytest.mark.parametrize(("at", "code"), [(58, "PA111"), (60, "PA120"), (62, "PA111"), (64, "PA111")])
    def test_a_reg_file_cut_in_the_middle_of_a_hex_line(self, tmp_path: Path, simple: Policy, at: int, code: str) -> None:
        whole = export(tmp_path, simple).read_bytes()
        cut = tmp_path / "cut.reg"
        cut.write_bytes(whole[: whole.rindex("hex:".encode("utf-16-le")) + at])
        result = pastore("check", cut)
        line = len(cut.read_bytes().decode("utf-16").splitlines())
        told = next(text for text in result.out.splitlines() if code in text)
        assert told.startswith(f"{cut}:{line}")
        assert result.status == 1  # the policy itself still loads

    def test_a_blob_whose_count_says_2_to_the_31(self, tmp_path: Path, simple: Policy) -> None:
        keys = registry(simple, assigned=simple)
        for path, values in keys.items():
            if "ipsecFilter" in path:
                data = values["ipsecData"]
                assert isinstance(data, bytes)
                keys[path] = {**values, "ipsecData": data[:20] + struct.pack("<I", 2**31) + data[24:]}
        file = tmp_path / "huge.reg"
        file.write_bytes(reg_text(keys))
        started = time.monotonic()
        result = pastore("check", file)
        assert time.monotonic() - started < 30  # hang guard
        assert result.status == 1
        assert "PA121" in result.out
        assert "2147483648" in result.out

    def test_a_cycle_of_references(self, tmp_path: Path, simple: Policy) -> None:
        keys = registry(simple, assigned=simple)
        for path, values in keys.items():
            if "ipsecNFA" in path:
                keys[path] = {**values, "ipsecFilterReference": (path.removeprefix(f"{HKLM}\\"),)}
        file = tmp_path / "cycle.reg"
        file.write_bytes(reg_text(keys))
        result = pastore("check", file)
        assert (result.status, "PA132" in result.out) == (1, True)

    def test_a_dangling_reference_and_the_rest_still_loads(self, tmp_path: Path, simple: Policy) -> None:
        keys = registry(simple, assigned=simple)
        gone = next(path for path in keys if "ipsecFilter" in path)
        del keys[gone]
        file = tmp_path / "dangling.reg"
        file.write_bytes(reg_text(keys))
        result = pastore("check", file, "--output-format", "json")
        found = {finding["code"] for finding in result.json["sources"][0]["findings"]}
        assert result.status == 1
        assert {"PA130", "PA202"} <= found
        assert (result.json["sources"][0]["rules"], result.json["sources"][0]["filters"]) == (2, 1)

    def test_a_policy_name_that_is_not_there(self, tmp_path: Path, simple: Policy) -> None:
        result = pastore("show", export(tmp_path, simple), "--policy", "Simpel")
        assert (result.status, "PA104" in result.err, "Simple" in result.err) == (2, True, True)

    def test_several_policies_and_none_assigned(self, tmp_path: Path, simple: Policy) -> None:
        other = policy(rule("Web", "allow", "tcp any > me:81"), name="Other")
        result = pastore("show", export(tmp_path, simple, other, assigned=None))
        assert (result.status, "Simple" in result.err, "Other" in result.err) == (2, True, True)

    @pytest.mark.parametrize("command", ["check", "show"])
    def test_a_file_that_is_not_there(self, tmp_path: Path, command: str) -> None:
        result = pastore(command, tmp_path / "nowhere.reg")
        assert (result.status, "PA101" in result.out + result.err) == (2, True)

    def test_an_unreadable_file(self, tmp_path: Path) -> None:
        # A loop of links cannot be read by anybody, root included.
        loop = tmp_path / "loop.reg"
        loop.symlink_to(loop)
        result = pastore("check", loop)
        assert (result.status, "PA101" in result.out, "symbolic links" in result.out) == (2, True, True)

    def test_a_file_that_fails_while_it_is_read(self) -> None:
        result = pastore("check", "/proc/self/mem")
        assert (result.status, "PA101" in result.out) == (2, True)

    def test_a_format_that_the_file_does_not_have(self, tmp_path: Path, simple: Policy) -> None:
        result = pastore("check", export(tmp_path, simple), "--format", "classbench")
        assert result.status == 2

    def test_a_key_without_any_policy(self, tmp_path: Path) -> None:
        file = tmp_path / "nothing.reg"
        file.write_bytes(reg_text({f"{HKLM}\\{LOCAL}": {}}))
        result = pastore("check", file)
        assert (result.status, "PA103" in result.out) == (2, True)

    def test_the_rest_runs_when_one_named_source_cannot_be_read(self, tmp_path: Path, simple: Policy) -> None:
        result = pastore("check", tmp_path / "nowhere.reg", export(tmp_path, simple), "--output-format", "json")
        assert result.status == 2
        assert [source["policy"] for source in result.json["sources"]] == [None, "Simple"]

    def test_files_of_unknown_format_in_a_folder_are_skipped_and_counted(self, tmp_path: Path, simple: Policy) -> None:
        export(tmp_path, simple)
        (tmp_path / "logo.png").write_bytes(PNG)
        (tmp_path / "notes.txt").write_text("remember the milk")
        result = pastore("check", tmp_path, "--output-format", "json")
        assert (result.json["summary"]["skipped"], len(result.json["sources"])) == (2, 1)
        assert result.status in (0, 1)

    def test_a_folder_without_any_policy(self, tmp_path: Path) -> None:
        (tmp_path / "logo.png").write_bytes(PNG)
        assert pastore("check", tmp_path).status == 2

    def test_a_name_that_would_write_to_the_terminal_is_escaped(self, tmp_path: Path) -> None:
        hostile = policy(rule("\x1b[2J\x1b]0;owned\x07", "allow", "tcp any > me:80"), name="evil\x1b[31m")
        file = export(tmp_path, hostile)
        for command in (["show", file], ["check", file], ["explain", file, "tcp 1.2.3.4 > 5.6.7.8:80"]):
            result = pastore(*command)
            assert "\x1b" not in result.out.replace("\x1b[0m", "").replace("\x1b[1m", "") or result.out.count("\x1b]") == 0
            assert "\x07" not in result.out
            assert "\x1b[2J" not in result.out


class TestPackets:
    def test_a_capture_cut_mid_packet(self, tmp_path: Path, simple: Policy) -> None:
        frames = [ethernet(ipv4("10.0.0.1", "10.0.0.2", 6, tcp(1024 + n, 80))) for n in range(5)]
        file = tmp_path / "cut.pcap"
        file.write_bytes(pcap(frames)[:-7])
        result = pastore("classify", export(tmp_path, simple), file, "--by", "action")
        assert (result.status, "PA150" in result.err) == (0, True)
        assert "4" in next(line for line in result.out.splitlines() if line.startswith("allow"))

    def test_a_png_as_a_capture(self, tmp_path: Path, simple: Policy) -> None:
        file = tmp_path / "x.pcap"
        file.write_bytes(PNG)
        result = pastore("classify", export(tmp_path, simple), file)
        assert (result.status, result.out) == (2, "")

    def test_a_line_of_csv_that_cannot_be_read_is_told_with_its_number_and_the_rest_is_judged(
        self, tmp_path: Path, simple: Policy
    ) -> None:
        file = tmp_path / "packets.csv"
        file.write_text("src,dst,protocol,dport\n1.2.3.4,5.6.7.8,tcp,80\n1.2.3.4,five,tcp,80\n1.2.3.4,5.6.7.8,udp,53\n")
        result = pastore("classify", export(tmp_path, simple), file)
        assert f"{file}:3" in result.err
        assert [line.split(",")[8] for line in result.out.splitlines()[1:]] == ["allow", "block"]

    @pytest.mark.parametrize("packet", ["tcp 10.1.2.3", "tcp 10.1.2.300 > 10.1.2.3", "xyz 1.2.3.4 > 1.2.3.5", ""])
    def test_a_packet_that_cannot_be_read(self, tmp_path: Path, simple: Policy, packet: str) -> None:
        result = pastore("explain", export(tmp_path, simple), packet)
        assert (result.status, "PACKET" in result.err) == (2, True)


class TestUsage:
    def test_an_unknown_command_is_answered_with_the_nearest(self) -> None:
        result = pastore("chekc")
        assert (result.status, "Did you mean 'check'?" in result.err) == (2, True)

    def test_an_unknown_finding_is_answered_with_the_nearest(self) -> None:
        result = pastore("rule", "PA2111")
        assert (result.status, "PA211" in result.err) == (2, True)

    def test_an_address_that_is_none(self, tmp_path: Path, simple: Policy) -> None:
        result = pastore("show", export(tmp_path, simple), "--me", "10.9.0")
        assert (result.status, "'10.9.0' is not an address" in result.err) == (2, True)

    def test_explain_needs_a_packet_or_a_rule_and_not_both(self, tmp_path: Path, simple: Policy) -> None:
        file = export(tmp_path, simple)
        assert pastore("explain", file).status == 2
        assert pastore("explain", file, "tcp 1.2.3.4 > 1.2.3.5", "--rule", "Web").status == 2

    def test_a_rule_that_is_not_there(self, tmp_path: Path, simple: Policy) -> None:
        result = pastore("explain", export(tmp_path, simple), "--rule", "Mail")
        assert (result.status, "'Web'" in result.err) == (2, True)


def test_a_defect_of_ours_is_a_sentence_and_not_a_traceback(tmp_path: Path, simple: Policy) -> None:
    program = (
        "import sys, pastore.sources, pastore.cli.main as m\n"
        "def broken(*a, **k): raise RuntimeError('boom')\n"
        "pastore.sources.load = broken\n"
        f"sys.argv = ['pastore', 'show', {str(export(tmp_path, simple))!r}]\n"
        "m.main()\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 2
    assert "internal error (RuntimeError)" in done.stderr
    assert "Traceback" not in done.stderr
