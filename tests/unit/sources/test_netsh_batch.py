"""What cmd.exe makes of a batch file before a program sees its commands."""

import pytest

from pastore.sources.log import FindingLog
from pastore.sources.netsh.batch import Batch, Command
from pastore.sources.netsh.text import words


def run(*lines: str) -> tuple[list[str], list[tuple[str, int | None]]]:
    """Return the commands that are handed on, and the findings with their lines."""
    log = FindingLog("x.bat")
    handed: list[Command] = []
    Batch(list(lines), log, handed.append).run()
    return [command.text.string.strip() for command in handed], [(each.code, each.origin.line) for each in log.findings()]


def commands(*lines: str) -> list[str]:
    handed, found = run(*lines)
    assert found == []
    return handed


@pytest.mark.parametrize(
    ("line", "handed"),
    [
        ("a b", ["a b"]),
        ("@@a", ["a"]),
        ("a & b && c | d", ["a", "b", "c", "d"]),
        ('a "b & c" d', ['a "b & c" d']),
        ("a ^& b", ["a & b"]),
        ("a ^^ b", ["a ^ b"]),
        ("a > nul 2>&1", ["a"]),
        ("a x2>nul", ["a x2"]),
        ("a 2>nul b", ["a  b"]),
        ('a >> "c d" & b', ["a", "b"]),
        ("rem a & b", []),
        (":: a & b", []),
        ("a & rem b", ["a"]),
        ("(a & b)", ["a", "b"]),
        ("a (b)", ["a (b)"]),
        ("if 1==1 a", ["a"]),
        ("if 1==2 a", []),
        ("if not 1==2 a & b", ["a", "b"]),
        ("if /i A==a (b) else (c)", ["b"]),
        ("if A==a (b) else c", ["c"]),
        ("if 10 gtr 9 (a)", ["a"]),
        ("if 1 equ 2 (a) else if 2 equ 2 (b)", ["b"]),
        ("for %%i in (1 2,3) do a %%i", ["a 1", "a 2", "a 3"]),
        ('for %%i in ("1 2" 3) do a %%~i %%i', ['a 1 2 "1 2"', "a 3 3"]),
        ("for /l %%i in (1,2,5) do a %%i", ["a 1", "a 3", "a 5"]),
        ("for /l %%i in (3,-1,2) do a %%i", ["a 3", "a 2"]),
        ("for %%i in (1 2) do for %%j in (x y) do a %%i%%j", ["a 1x", "a 1y", "a 2x", "a 2y"]),
        ("for %%i in (1) do (a %%i) & b", ["a 1", "b"]),
    ],
)
def test_a_line(line: str, handed: list[str]) -> None:
    assert commands(line) == handed


@pytest.mark.parametrize(
    ("lines", "handed"),
    [
        (["a ^", "b"], ["a b"]),
        (['a "b ^', 'c"'], ['a "b ^', 'c"']),
        (["a ^^", "b"], ["a ^", "b"]),
        (["(", "a", "b", ")", "c"], ["a", "b", "c"]),
        (["for %%i in (1", "2) do (", "a %%i", ")"], ["a 1", "a 2"]),
        (["if 1==2 (", "a", ") else (", "b", ")"], ["b"]),
        (["set x=1 2", "a %x% %X%"], ["a 1 2 1 2"]),
        (['set "x=1 2"', "a %x%"], ["a 1 2"]),
        (["set x=1", "set x=", "a %x%b"], ["a b"]),
        (["set x=abcdef", "a %x:~1,2% %x:~-2% %x:cd=-%"], ["a bc ef ab-ef"]),
        (["set x=1", "set /a x=x+2", "set /a x*=5", "a %x%"], ["a 15"]),
        (["set x=1", "(", "set x=2", "a %x%", ")"], ["a 1"]),
        (["setlocal enabledelayedexpansion", "set x=1", "(", "set x=2", "a !x! %x%", ")"], ["a 2 1"]),
        (["a 100%%"], ["a 100%"]),
        (["a 100% b"], ["a 100 b"]),
        (["for %i in (1 2) do a %i"], ["a 1", "a 2"]),
        (['call :s 1 "2 3"', "goto :eof", ":s", "a %1 %2 %~2", "exit /b", "b"], ['a 1 "2 3" 2 3']),
        (["call netsh x"], ["netsh x"]),
        (["a", ":l", "b"], ["a", "b"]),
    ],
)
def test_several_lines(lines: list[str], handed: list[str]) -> None:
    assert [command for command in run(*lines)[0]] == handed  # noqa: C416 - a list of strings reads better


@pytest.mark.parametrize(
    ("lines", "handed", "found"),
    [
        (["if exist x ipsec a"], ["ipsec a"], [("PA143", 1)]),
        (["if exist x a"], ["a"], []),
        (['if "%1"=="x" (ipsec a) else (ipsec b)'], ["ipsec a"], [("PA143", 1)]),
        (["a || ipsec b"], ["a"], [("PA143", 1)]),
        (["for /f %%i in (x) do ipsec %%i"], [], [("PA143", 1)]),
        (["for %%i in (%x%) do ipsec %%i"], [], [("PA143", 1)]),
        (["goto l", "goto m", ":l", "a"], ["a"], [("PA143", 1)]),
        (["call :nowhere"], [], [("PA143", 1)]),
        (["(", "a"], ["a"], [("PA142", 1)]),
        (["for %%i in (1) a"], [], [("PA142", 1)]),
    ],
)
def test_what_is_not_known_is_told(lines: list[str], handed: list[str], found: list[tuple[str, int]]) -> None:
    assert run(*lines) == (handed, found)


def test_places_survive_variables_carets_and_loops() -> None:
    log = FindingLog("x.bat")
    places = []

    def handle(command: Command) -> None:
        places.append([(word.string, word.line, word.column) for word in words(command.text)])

    Batch(["set x=12345", "a %x% ^& b ^", "  c", "  for %%i in (7) do d %%i e"], log, handle).run()
    assert places == [
        [("a", 2, 1), ("12345", 2, 3), ("&", 2, 8), ("b", 2, 10), ("c", 3, 3)],
        [("d", 4, 21), ("7", 4, 23), ("e", 4, 27)],
    ]


@pytest.mark.parametrize(
    ("line", "split"),
    [
        ('a "b c" d', ["a", "b c", "d"]),
        ('a="b c"d', ["a=b cd"]),
        (r'a "b\"c" d', ["a", 'b"c', "d"]),
        (r'a "b\\" c', ["a", "b\\", "c"]),
        (r"a \\b c\d", ["a", r"\\b", r"c\d"]),
        ("a 'b c' d", ["a", "b c", "d"]),
        ("a=it's b", ["a=it's", "b"]),
        ('""', [""]),
    ],
)
def test_words_are_split_as_a_program_gets_them(line: str, split: list[str]) -> None:
    log = FindingLog("x.bat")
    handed: list[Command] = []
    Batch([line], log, handed.append).run()
    assert [word.string for word in words(handed[0].text)] == split
