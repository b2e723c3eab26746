"""pastore compile, and a compiled table where a source is asked for."""

import gzip
from dataclasses import replace
from pathlib import Path

import pytest

import pastore as api
from pastore.model import Policy
from tests.support.command import pastore
from tests.support.policies import policy, rule
from tests.support.registry import export
from tests.support.rulesets import make_rules

ME = ("--me", "10.9.0.7/24", "--me", "2001:db8::7")
PACKETS = """src,dst,protocol,sport,dport,interface
10.1.2.3,10.9.0.7,6,49152,80,
10.1.2.3,10.9.0.7,6,49152,25,lan
10.9.0.7,10.1.2.3,6,80,49152,lan
10.9.0.7,10.1.2.3,17,80,53,ras
10.1.2.3,10.9.0.7,17,500,500,lan
2001:db8::9,2001:db8::7,6,1,2,lan
"""
EXPLAINED = (
    "tcp 10.1.2.3:49152 > 10.9.0.7:80 in",
    "tcp 10.1.2.3:49152 > 10.9.0.7:8080 in",
    "tcp 10.1.2.3:49152 > 10.9.0.7:25 in",
    "udp 10.1.2.3:500 > 10.9.0.7:500 in",
    "icmp 2001:db8::9 > 2001:db8::7 in",
)


def site() -> Policy:
    return policy(
        rule("Web", "allow", "tcp any > me:80"),
        rule("Mail", "protect", "tcp 10.0.0.0/8 > me:25"),
        rule("Same as Web", "allow", "tcp any > me:80"),
        rule("Asleep", "block", "tcp any > me:8080", active=False),
        rule("Rest", "block", "any > me"),
        name="Site",
        default_exempt=None,
    )


@pytest.fixture
def source(tmp_path: Path) -> Path:
    return export(tmp_path, site())


@pytest.fixture
def packets(tmp_path: Path) -> Path:
    path = tmp_path / "packets.csv"
    path.write_text(PACKETS)
    return path


@pytest.fixture
def table(tmp_path: Path, source: Path) -> Path:
    path = tmp_path / "site.pastore"
    assert pastore("compile", source, "-o", path, *ME).status == 1
    return path


def as_source(text: str, table: Path, source: Path) -> str:
    """What is said of a table, as it would be said of its policy."""
    return text.replace(str(table), str(source))


class TestCompile:
    def test_says_rules_rows_bytes_and_layout_and_ends_with_1_on_error_findings(self, tmp_path: Path, source: Path) -> None:
        path = tmp_path / "any name at all"
        result = pastore("compile", source, "-o", path, *ME)
        matcher = api.open(path)
        rows, size = len(matcher.filters), path.stat().st_size
        assert result.status == 1
        assert f"{path}: 3 rules, {rows} rows, {size} bytes, layout one/direct" in result.err
        assert result.out == ""
        assert "1 error" in result.err

    def test_ends_with_0_where_nothing_is_wrong(self, tmp_path: Path) -> None:
        clean = export(tmp_path, policy(rule("Web", "allow", "tcp any > me:80"), name="Clean"))
        assert pastore("compile", clean, "-o", tmp_path / "out").status == 0
        assert pastore("--quiet", "compile", clean, "-o", tmp_path / "out").err == ""

    def test_a_list_of_rules(self, tmp_path: Path) -> None:
        (tmp_path / "rules").write_text("@10.0.0.0/8\t0.0.0.0/0\t0 : 65535\t80 : 80\t0x06/0xFF\t0x0000/0x0000\n")
        result = pastore("compile", tmp_path / "rules", "-o", tmp_path / "out")
        assert (result.status, "1 rule, 1 rows" in result.err) == (0, True)
        explained = pastore("explain", tmp_path / "out", "tcp 10.0.0.1:1 > 1.1.1.1:80 in").out
        assert explained == pastore("explain", tmp_path / "rules", "tcp 10.0.0.1:1 > 1.1.1.1:80 in").out

    def test_a_source_without_a_policy_writes_nothing(self, tmp_path: Path) -> None:
        (tmp_path / "empty.reg").write_bytes(b"")
        assert pastore("compile", tmp_path / "empty.reg", "-o", tmp_path / "out").status == 2
        assert not (tmp_path / "out").exists()

    @pytest.mark.parametrize("way", ["same", "link", "hard link", "roundabout"])
    def test_the_source_is_never_overwritten(self, tmp_path: Path, source: Path, way: str) -> None:
        before = source.read_bytes()
        other = tmp_path / "other"
        if way == "link":
            other.symlink_to(source)
        elif way == "hard link":
            other.hardlink_to(source)
        output = {"same": source, "roundabout": tmp_path / ".." / tmp_path.name / source.name}.get(way, other)
        result = pastore("compile", source, "-o", output)
        assert (result.status, "source itself" in result.err) == (2, True)
        assert source.read_bytes() == before

    def test_what_cannot_be_written_ends_with_2(self, tmp_path: Path, source: Path) -> None:
        for output, told in ((tmp_path, "directory"), (tmp_path / "missing" / "out", "No such file"), ("-", "standard output")):
            result = pastore("compile", source, "-o", output)
            assert (result.status, told in result.err) == (2, True), output
        assert pastore("compile", source).status == 2

    def test_a_table_is_not_compiled_again(self, tmp_path: Path, table: Path) -> None:
        result = pastore("compile", table, "-o", tmp_path / "again")
        assert (result.status, "compiled table already" in result.err) == (2, True)


class TestTableAsSource:
    @pytest.mark.parametrize("packet", EXPLAINED)
    @pytest.mark.parametrize("form", ["text", "json"])
    def test_explain_says_word_for_word_the_same(self, table: Path, source: Path, packet: str, form: str) -> None:
        was = pastore("explain", source, packet, *ME, "--output-format", form)
        now = pastore("explain", table, packet, "--output-format", form)
        assert (now.status, now.out, now.err) == (was.status, was.out, was.err)

    def test_the_packets_above_bring_out_every_kind_of_reason(self, table: Path) -> None:
        told = "".join(pastore("explain", table, packet).out for packet in EXPLAINED)
        for words in (
            "less specific",
            "its rule is not active",
            "default exemptions come first",
            "is not 80",
            "could not be applied",
        ):
            assert words in told

    def test_explain_keeps_the_order_it_was_compiled_with(self, tmp_path: Path, source: Path) -> None:
        path, packet = tmp_path / "first", EXPLAINED[0]
        pastore("compile", source, "-o", path, *ME, "--order", "first-match")
        was = pastore("explain", source, packet, *ME, "--order", "first-match").out
        assert pastore("explain", path, packet).out == was
        assert "it is listed later" in was

    @pytest.mark.parametrize("name", ["Web", "web", "Rest", "Asleep", "Same as Web", "No such rule", "GUID"])
    def test_explain_rule_says_the_same(self, table: Path, source: Path, name: str) -> None:
        wanted = f"{{{site().rules[0].guid}}}" if name == "GUID" else name
        was, now = pastore("explain", source, "--rule", wanted, *ME), pastore("explain", table, "--rule", wanted)
        assert (now.status, now.out, now.err) == (was.status, was.out, was.err)

    def test_explain_rule_tells_rules_of_one_name_apart_by_their_guid(self, tmp_path: Path) -> None:
        twins = [replace(rule(name, "block", f"tcp any > me:{port}"), name="Twin") for name, port in (("a", 81), ("b", 82))]
        twin = export(tmp_path, policy(*twins, name="Twins"))
        pastore("compile", twin, "-o", tmp_path / "twins.pastore")
        for each, port in zip(twins, (81, 82), strict=True):
            told = pastore("explain", tmp_path / "twins.pastore", "--rule", str(each.guid)).out
            assert (f":{port}" in told, f":{163 - port}" in told) == (True, False)

    @pytest.mark.parametrize("options", [(), ("--by", "rule"), ("--by", "filter"), ("--by", "action")])
    def test_classify_says_the_same_direction_included(
        self, table: Path, source: Path, packets: Path, options: tuple[str, ...]
    ) -> None:
        was, now = pastore("classify", source, packets, *ME, *options), pastore("classify", table, packets, *options)
        assert (now.status, now.out, now.err) == (was.status, was.out, was.err)
        if not options:
            assert ",out," in now.out

    def test_show_gives_the_specific_filters(self, table: Path, source: Path) -> None:
        was = pastore("show", source, "--filters", *ME)
        assert pastore("show", table).out == pastore("show", table, "--filters").out == was.out

    @pytest.mark.parametrize("form", ["text", "json", "jsonl"])
    def test_check_tells_the_stored_findings(self, table: Path, source: Path, form: str) -> None:
        was = pastore("check", source, *ME, "--output-format", form)
        now = pastore("check", table, "--output-format", form)
        assert (now.status, as_source(now.out, table, source)) == (was.status, was.out)
        assert now.status == 1
        assert "PA211" in now.out

    def test_check_of_a_table_without_a_policy(self, tmp_path: Path) -> None:
        api.compile(make_rules("acl", 3, seed=1)).save(tmp_path / "rules.pastore")
        result = pastore("check", tmp_path / "rules.pastore", "--output-format", "json")
        assert result.status == 0
        assert (result.json["sources"][0]["policy"], result.json["sources"][0]["rules"]) == (None, 3)

    @pytest.mark.parametrize(
        "given",
        [
            ("--me", "10.9.0.7"),
            ("--dns-server", "10.9.0.1"),
            ("--wins-server", "10.9.0.1"),
            ("--dhcp-server", "10.9.0.1"),
            ("--gateway", "10.9.0.1"),
            ("--order", "weight"),
            ("--target", "vista"),
            ("--default-exempt", "3"),
            ("--policy", "Site"),
        ],
    )
    def test_what_is_fixed_in_it_cannot_be_given(self, table: Path, packets: Path, given: tuple[str, str]) -> None:
        for command in (("classify", table, packets), ("explain", table, EXPLAINED[0]), ("show", table), ("check", table)):
            result = pastore(*command, *given)
            assert (result.status, f"{given[0]} is fixed in it" in result.err) == (2, True), command

    def test_a_folder_with_policies_and_tables(self, tmp_path: Path, table: Path, source: Path) -> None:
        whole = pastore("check", tmp_path, "--output-format", "json").json
        assert {Path(report["source"]).name for report in whole["sources"]} == {source.name, table.name}
        other = pastore("check", tmp_path, *ME, "--output-format", "json").json
        assert {Path(report["source"]).name for report in other["sources"]} == {source.name}
        assert other["summary"]["skipped"] == whole["summary"]["skipped"] + 1

    def test_the_agent_has_nothing_to_apply(self, table: Path) -> None:
        result = pastore("agent", table, "--once")
        assert (result.status, "PA106" in result.err) == (2, True)

    def test_a_table_that_knows_actions_only(self, tmp_path: Path, packets: Path) -> None:
        api.compile(site(), verdict="action").save(tmp_path / "small")
        counted = pastore("classify", tmp_path / "small", packets, "--by", "action", "--direction", "in")
        assert (counted.status, "block" in counted.out) == (0, True)
        for command in (("classify", tmp_path / "small", packets), ("explain", tmp_path / "small", EXPLAINED[0])):
            result = pastore(*command)
            assert (result.status, "knows actions only" in result.err) == (2, True)
        assert pastore("show", tmp_path / "small").status == 0


class TestDamagedTables:
    @pytest.mark.parametrize("command", ["check", "show", "explain", "classify", "compile"])
    def test_end_with_2_and_a_reason(self, tmp_path: Path, table: Path, packets: Path, command: str) -> None:
        more: dict[str, tuple[object, ...]] = {
            "explain": (EXPLAINED[0],),
            "classify": (packets,),
            "compile": ("-o", tmp_path / "out"),
        }
        data = table.read_bytes()
        for changed, told in (
            (data[:-1], "cut off"),
            (data[:600] + b"\xff" + data[601:], "checksum"),
            (data[:12] + b"\x07" + data[13:], "version"),
        ):
            table.write_bytes(changed)
            result = pastore(command, table, *more.get(command, ()))
            assert (result.status, told in result.out + result.err) == (2, True), told
            assert "PA106" in result.out + result.err

    def test_a_table_by_name_only(self, source: Path) -> None:
        result = pastore("show", source, "--format", "compiled")
        assert (result.status, "not a compiled table" in result.err) == (2, True)
        result = pastore("show", source.parent / "missing", "--format", "compiled")
        assert (result.status, "No such file" in result.err) == (2, True)

    def test_a_table_from_standard_input_or_gzip_is_told_what_to_do(self, table: Path) -> None:
        packed = table.parent / "site.gz"
        packed.write_bytes(gzip.compress(table.read_bytes()))
        for result in (
            pastore("show", "-", stdin=table.read_bytes()),
            pastore("show", packed),
            pastore("show", "-", "--format", "compiled", stdin=table.read_bytes()),
        ):
            assert (result.status, "PA106" in result.err, "file" in result.err) == (2, True, True)
