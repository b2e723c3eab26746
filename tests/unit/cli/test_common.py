"""What the commands share: tables, widths, talk, colours."""

import click
import pytest

from pastore.cli.common import paint, table, width
from pastore.findings import Finding
from tests.support.command import pastore


class TestWidth:
    @pytest.mark.parametrize(
        ("text", "columns"), [("", 0), ("abc", 3), ("封禁", 4), ("naïve", 5), ("e\u0301", 1), (click.style("abc", fg="red"), 3)]
    )
    def test_it_is_what_a_terminal_takes(self, text: str, columns: int) -> None:
        assert width(text) == columns


class TestTable:
    def test_columns_are_as_wide_as_their_widest_cell(self) -> None:
        assert table([("a", "bb", "c"), ("aaa", "b", "c")], heading=("X", "Y", "Z")) == [
            click.style("X    Y   Z", bold=True),
            "a    bb  c",
            "aaa  b   c",
        ]

    def test_numbers_stand_to_the_right(self) -> None:
        assert table([("1", "a"), ("100", "b")], right=(0,)) == ["  1  a", "100  b"]

    def test_nothing_trails(self) -> None:
        assert table([("a", ""), ("b", "long")]) == ["a", "b  long"]

    def test_colours_and_wide_characters_do_not_move_columns(self) -> None:
        lines = table([(paint("block", "block"), "x"), ("封禁", "y"), ("allow!", "z")])
        assert [width(line) for line in lines] == [9, 9, 9]

    def test_an_indent_stands_before_every_line(self) -> None:
        assert table([("a", "b")], heading=("H", "I"), indent="    ")[1] == "    a  b"

    def test_no_rows_are_the_heading_alone_and_no_heading_nothing(self) -> None:
        assert table([]) == []
        assert [click.unstyle(line) for line in table([], heading=("A", "B"))] == ["A  B"]


class TestCommand:
    @pytest.mark.parametrize(
        "command",
        [
            "check",
            "show",
            "explain",
            "classify",
            "diff",
            "search",
            "test",
            "verify",
            "bench",
            "convert",
            "compile",
            "agent",
            "publish",
            "events",
            "rule",
        ],
    )
    def test_every_command_explains_itself(self, command: str) -> None:
        result = pastore(command, "--help")
        assert (result.status, result.err) == (0, "")
        assert result.out.startswith(f"Usage: pastore {command} ")

    def test_help_lists_them_in_the_order_a_newcomer_needs(self) -> None:
        result = pastore("--help")
        names = [line.split()[0] for line in result.out.partition("Commands:")[2].splitlines() if line.strip()]
        assert names == [
            "check",
            "show",
            "explain",
            "classify",
            "diff",
            "search",
            "test",
            "verify",
            "bench",
            "convert",
            "compile",
            "agent",
            "publish",
            "events",
            "rule",
        ]

    def test_the_version(self) -> None:
        import pastore as package

        assert pastore("--version").out == f"pastore {package.__version__}\n"

    @pytest.mark.parametrize(
        "arguments",
        [
            ("check",),
            ("show", "x.reg", "--format", "word"),
            ("show", "x.reg", "--default-exempt", "4"),
            ("show", "x.reg", "--target", "95"),
            ("check", "x.reg", "--jobs", "0"),
            ("check", "x.reg", "--output-format", "html"),
            ("classify", "x.reg", "y.pcap", "--threads", "0"),
            ("classify", "x.reg", "y.pcap", "--by", "port"),
            ("events", "x", "--outcome", "bad"),
        ],
    )
    def test_usage_that_is_wrong_is_exit_status_2_and_nothing_on_stdout(self, arguments: tuple[str, ...]) -> None:
        result = pastore(*arguments)
        assert (result.status, result.out) == (2, "")
        assert result.err.startswith("Usage: ")


class TestRule:
    def test_without_a_code_all_of_them_are_listed(self) -> None:
        from pastore.findings import CODES

        result = pastore("rule")
        assert result.status == 0
        assert [line.split()[0] for line in result.lines] == ["CODE", *CODES]
        assert "PA211  error     filter exists already" in result.lines

    @pytest.mark.parametrize("code", ["PA211", "pa211"])
    def test_a_code_gives_its_page_and_what_windows_says(self, code: str, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("pastore.findings.page", lambda code: f"# {code}: filter exists already\n\nText.\n\n")
        assert pastore("rule", code).lines == [
            "# PA211: filter exists already",
            "",
            "Text.",
            "",
            "Win32 error 13008 ERROR_IPSEC_TRANSPORT_FILTER_EXISTS: The specified transport mode filter already exists.",
        ]

    def test_one_without_a_win32_code_gives_its_page_only(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("pastore.findings.page", lambda code: "# PA301\n")
        assert Finding("PA301", "x").win32 is None
        assert pastore("rule", "PA301").out == "# PA301\n"

    def test_one_that_is_not_there_is_exit_status_2_with_the_nearest(self) -> None:
        result = pastore("rule", "PA21")
        assert (result.status, result.out) == (2, "")
        assert result.err.startswith("pastore: there is no finding PA21; did you mean PA")
        assert pastore("rule", "zzz").err == "pastore: there is no finding zzz\n"
