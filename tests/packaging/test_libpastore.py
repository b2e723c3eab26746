"""The C library: what `make libpastore` gives, what it exports, and which instructions are where."""

import platform
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from tests.support.core import COMPILER, CORE, PROGRAMS, ROOT, core_sources, instruction_sets, is_for_x86, run, settings

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="elsewhere: the shared library is made for ELF")

VERSION = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
INSTALLED = {
    "include/pastore.h",
    "lib/libpastore.a",
    f"lib/libpastore.so.{VERSION}",
    "lib/libpastore.so.0",
    "lib/libpastore.so",
    "lib/pkgconfig/pastore.pc",
}
PROBES = {"scan_avx512_probe.c": "avx512", "scan_avx2_probe.c": "avx2", "scan_scalar_probe.c": "", "maxavx.c": ""}


def make(*arguments: str, root: Path = ROOT) -> None:
    done = subprocess.run(["make", "-s", "-C", str(root), *arguments], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, ""), done.stdout + done.stderr


def output(*command: str | Path) -> str:
    return subprocess.run([str(word) for word in command], capture_output=True, text=True, check=True).stdout


def declared() -> set[str]:
    """The functions of pastore.h."""
    header = re.sub(r"/\*.*?\*/", "", (CORE / "pastore.h").read_text(), flags=re.DOTALL)
    header = re.sub(r"^typedef .*?;", "", header, flags=re.MULTILINE)
    return set(re.findall(r"\b(pastore_\w+)\(", header))


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("libpastore")
    make("libpastore", f"BUILD={folder}")
    return folder


@pytest.fixture(scope="module")
def installed(built: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    stage = tmp_path_factory.mktemp("stage")
    make("install-libpastore", f"BUILD={built}", f"DESTDIR={stage}", "PREFIX=/opt/p")
    return stage


def program(folder: Path, *flags: str | Path) -> Path:
    target = folder / "first"
    command = [*COMPILER, "-std=c11", "-Wall", "-Wextra", "-Werror", PROGRAMS / "first.c", *flags, "-o", target]
    subprocess.run([str(word) for word in command], check=True)
    return target


def test_the_header_declares_what_it_is_known_for() -> None:
    assert {"pastore_build", "pastore_open", "pastore_load", "pastore_classify4", "pastore_match6", "pastore_close"} <= declared()


def test_the_shared_library_exports_the_functions_of_the_header_and_nothing_else(built: Path) -> None:
    lines = output("nm", "-D", "--defined-only", built / "libpastore.so").splitlines()
    assert {line.split()[2].partition("@")[0] for line in lines if line.split()[1] != "A"} == declared()


def test_the_static_library_has_no_other_global_names(built: Path) -> None:
    lines = output("nm", "--defined-only", "--extern-only", built / "libpastore.a").splitlines()
    assert {line.split()[2] for line in lines if len(line.split()) == 3} == declared()


def test_the_shared_library_has_a_soname_and_needs_libc_alone(built: Path) -> None:
    dynamic = output("readelf", "-d", built / "libpastore.so")
    assert re.findall(r"\(SONAME\).*\[(.*)\]", dynamic) == ["libpastore.so.0"]
    assert re.findall(r"\(NEEDED\).*\[(.*)\]", dynamic) == ["libc.so.6"]
    assert (built / "libpastore.so.0").samefile(built / "libpastore.so")


def test_the_library_takes_no_lock(built: Path) -> None:
    wanted = output("nm", "-D", "--undefined-only", built / "libpastore.so")
    assert "malloc" in wanted
    assert re.findall(r"\b(?:pthread_(?:mutex|rwlock|spin|cond)|mtx_|cnd_|sem_)\w*", wanted) == []


def test_a_program_links_with_either_and_runs(built: Path, tmp_path: Path) -> None:
    assert run(program(tmp_path, f"-I{CORE}", built / "libpastore.a")) == "row 0: block\n"
    shared = program(tmp_path, f"-I{CORE}", f"-L{built}", "-lpastore")
    assert "libpastore.so.0" in output("readelf", "-d", shared)
    assert run(shared, env={"LD_LIBRARY_PATH": str(built)}) == "row 0: block\n"


def test_installing_puts_the_header_both_libraries_and_a_pkg_config_file_below_prefix(installed: Path) -> None:
    found = {str(path.relative_to(installed / "opt/p")) for path in installed.rglob("*") if not path.is_dir()}
    assert found == INSTALLED
    assert "prefix=/opt/p\n" in (installed / "opt/p/lib/pkgconfig/pastore.pc").read_text()


def test_pkg_config_says_how_to_link(installed: Path, tmp_path: Path) -> None:
    assert shutil.which("pkg-config"), "pkg-config is needed"
    env = {"PKG_CONFIG_PATH": str(installed / "opt/p/lib/pkgconfig"), "PATH": "/usr/bin:/bin"}

    def ask(*what: str) -> list[str]:
        command = ["pkg-config", f"--define-variable=prefix={installed}/opt/p", *what, "pastore"]
        return subprocess.run(command, capture_output=True, text=True, check=True, env=env).stdout.split()

    assert ask("--modversion") == [VERSION]
    target = program(tmp_path, *ask("--cflags", "--libs"))
    assert run(target, env={"LD_LIBRARY_PATH": f"{installed}/opt/p/lib"}) == "row 0: block\n"


def wide_registers(listing: str) -> set[str]:
    """Which kinds of vector registers beyond those of every x86-64 a disassembly names."""
    return set(re.findall(r"%([yz]mm|k)[0-9]", listing))


def test_wide_registers_are_only_in_the_files_named_for_them(built: Path) -> None:
    if platform.machine() not in ("x86_64", "AMD64"):
        pytest.skip("elsewhere: the registers are those of x86-64")
    objects = [path for path in (built / "libpastore").glob("*.o") if path.stem != "whole"]
    assert {path.stem for path in objects} == {path.stem for path in core_sources()}
    for path in objects:
        allowed = {"ymm", "zmm", "k"} if "_avx512" in path.stem else {"ymm"} if "_avx2" in path.stem else set()
        assert wide_registers(output("objdump", "-d", "--no-show-raw-insn", path)) <= allowed, path.name


def test_that_check_sees_them(tmp_path: Path) -> None:
    if not is_for_x86(COMPILER):
        pytest.skip("elsewhere: the registers are those of x86-64")
    (tmp_path / "sum.c").write_text("void add(float *a, const float *b) { for (int i = 0; i < 64; i++) a[i] += b[i]; }\n")
    flags = ["-O3", "-mavx512f", "-mprefer-vector-width=512"]
    subprocess.run([*COMPILER, *flags, "-c", str(tmp_path / "sum.c"), "-o", str(tmp_path / "sum.o")], check=True)
    assert "zmm" in wide_registers(output("objdump", "-d", tmp_path / "sum.o"))


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tree with files for every kind of instruction set, and a compiler that writes down how it is called."""
    root = tmp_path_factory.mktemp("tree")
    for name in ("setup.py", "pyproject.toml", "Makefile", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, root)
    shutil.copytree(ROOT / "ext", root / "ext", ignore=shutil.ignore_patterns("*.so", "corpus"))
    (root / "src/pastore").mkdir(parents=True)
    for name in PROBES:
        (root / "ext/core" / name).write_text("typedef int probe;\n")
    (root / "cc").write_text(
        '#!/bin/sh\ncase "$*" in *-dumpmachine*) echo "${MACHINE:-x86_64-linux-gnu}"; exit ;; esac\n'
        f'echo "$@" >>{root}/log\nwhile [ $# -gt 1 ]; do [ "$1" = -o ] && : >"$2"; shift; done\n'
    )
    (root / "cc").chmod(0o755)
    return root


def machine_flags(root: Path) -> dict[str, list[str]]:
    """The -m flags of each file of the core, as the compiler got them."""
    found = {}
    for line in (root / "log").read_text().splitlines():
        named = re.search(r"ext/core/(\w+\.c)\b", line)
        if named and " -c " in f" {line}":
            found[named[1]] = re.findall(r"(?<= )-m\S+", line)
    (root / "log").unlink()
    return found


@pytest.mark.parametrize("machine", ["x86_64-linux-gnu", "aarch64-linux-gnu"])
def test_setup_and_make_give_the_same_files_the_same_flags(
    copy: Path, machine: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MACHINE", machine)
    monkeypatch.setenv("CC", str(copy / "cc"))
    monkeypatch.setenv("LDSHARED", f"{copy}/cc -shared")
    make("libpastore", f"CC={copy}/cc", "AR=true", "OBJCOPY=true", f"BUILD={tmp_path}/make", root=copy)
    by_make = machine_flags(copy)
    setup = [sys.executable, "setup.py", "-q", "build", "--build-base", str(tmp_path / "setup")]
    subprocess.run(setup, cwd=copy, check=True, capture_output=True)
    by_setup = machine_flags(copy)
    assert by_setup.pop("frames.c") == []
    assert by_setup == by_make
    assert {path.name for path in core_sources()} | set(PROBES) == set(by_make)
    known = settings()
    for name, flags in by_make.items():
        isa = "avx512" if "_avx512" in name else "avx2" if "_avx2" in name else ""
        wanted = known[f"CORE_CFLAGS_{isa}"] if isa and machine.startswith("x86") else []
        assert flags == wanted, name


def test_the_processor_is_asked_for_every_feature_the_compiler_may_use() -> None:
    """A file compiled for a feature may use it anywhere: chosen where it is missing, the lookup would end with SIGILL."""
    text = "".join(path.read_text() for path in core_sources())
    asked = set(re.findall(r'__builtin_cpu_supports\("(\w+)"\)', text))
    for isa in instruction_sets()[1:]:
        features = {flag[2:] for flag in settings()[f"CORE_CFLAGS_{isa}"] if "=" not in flag}
        assert features <= asked, isa


def test_nothing_is_built_for_this_machine_only() -> None:
    for path in (ROOT / "setup.py", ROOT / "Makefile", ROOT / "ext/libpastore.mk", CORE / "sources.mk"):
        assert not re.search(r"-m(arch|tune|cpu)=", path.read_text()), path
