"""The set-up script installs what is missing and says which; without root it says what cannot be done."""

import os
import shutil
import stat
import subprocess
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[2] / "scripts" / "setup-debian"
TOOLS = ("sh", "printf", "tr", "sort", "mktemp", "rm")


def bare_machine(folder: Path, *, root: bool, python: str) -> dict[str, str]:
    """Make a PATH with hardly anything on it; ``apt-get`` writes down how it was called."""
    for tool in TOOLS:
        found = shutil.which(tool)
        assert found, tool
        (folder / tool).symlink_to(found)
    scripts = {
        "id": f"echo {0 if root else 1000}",
        "apt-get": f'echo "$@" >> {folder}/apt.log',
        "bare-python": python,
    }
    for name, body in scripts.items():
        (folder / name).write_text(f"#!/bin/sh\n{body}\n")
        (folder / name).chmod(0o755)
    return {"PATH": str(folder), "PYTHON": "bare-python"}


def run(env: dict[str, str], purpose: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["/bin/sh", str(SCRIPT), purpose], capture_output=True, text=True, env=env, timeout=60, check=False)


def test_root_gets_the_missing_packages_installed_and_named(tmp_path: Path) -> None:
    done = run(bare_machine(tmp_path, root=True, python="exit 1"), "demo")
    assert done.returncode == 0
    assert done.stdout.split()[3:] == ["gcc", "libc6-dev", "python3-dev", "python3-venv"]
    assert (tmp_path / "apt.log").read_text().splitlines()[1].split()[-4:] == ["gcc", "libc6-dev", "python3-dev", "python3-venv"]


def test_tests_get_a_domain_controller_and_nft_and_samba_does_not_start_by_itself(tmp_path: Path) -> None:
    env = bare_machine(tmp_path, root=True, python="exit 0") | {"POLICY_RC_D": str(tmp_path / "policy-rc.d")}
    (tmp_path / "apt-get").write_text(
        f'#!/bin/sh\necho "$@" >> {tmp_path}/apt.log\n{tmp_path}/policy-rc.d\necho $? >> {tmp_path}/apt.log\n'
    )
    (tmp_path / "chmod").symlink_to(shutil.which("chmod") or "chmod")
    done = run(env, "test")
    assert done.returncode == 0
    update, refused, install, refused_too = (tmp_path / "apt.log").read_text().splitlines()
    assert (update, refused, refused_too) == ("update -qq", "101", "101")
    assert {"samba", "samba-ad-provision", "samba-dsdb-modules", "gcc"} <= set(install.split())
    assert "the packages' own services are not started" in done.stdout
    assert not (tmp_path / "policy-rc.d").exists()


def test_others_are_told_what_is_missing_and_what_cannot_be_done(tmp_path: Path) -> None:
    done = run(bare_machine(tmp_path, root=False, python="exit 1"), "test")
    assert done.returncode == 1
    told = (
        "gcc libc6-dev: nothing can be built",
        "the tests under AddressSanitizer cannot run",
        "python3-venv",
        "Active Directory",
        "libwin-hivex-perl: hives cannot be held",
        "slapd ldap-utils: LDIF cannot be given",
    )
    for line in told:
        assert line in done.stderr
    assert not (tmp_path / "apt.log").exists()


def test_fuzzing_gets_clang_and_the_library_of_its_version(tmp_path: Path) -> None:
    env = bare_machine(tmp_path, root=True, python="exit 0")
    for name, body in {
        "cc": "exit 0",
        "apt-cache": "echo clang; echo '  Depends: clang-19'; echo '  Depends: libc6'",
    }.items():
        (tmp_path / name).write_text(f"#!/bin/sh\n{body}\n")
        (tmp_path / name).chmod(0o755)
    done = run(env, "fuzz")
    assert done.returncode == 0
    assert done.stdout.split()[3:] == ["clang", "libclang-rt-19-dev"]


def test_the_tests_alone_need_no_clang(tmp_path: Path) -> None:
    assert "clang" not in run(bare_machine(tmp_path, root=False, python="exit 1"), "test").stderr


def test_no_directory_server_is_started_for_the_whole_machine(tmp_path: Path) -> None:
    env = bare_machine(tmp_path, root=True, python="exit 1")
    (tmp_path / "debconf-set-selections").write_text(
        f'#!/bin/sh\nwhile read -r line; do echo "$line" >> {tmp_path}/apt.log; done\n'
    )
    (tmp_path / "debconf-set-selections").chmod(0o755)
    (tmp_path / "policy-rc.d").touch()
    env["POLICY_RC_D"] = str(tmp_path / "policy-rc.d")  # servers are kept from starting without a file of the machine
    assert run(env, "test").returncode == 0
    calls = (tmp_path / "apt.log").read_text().splitlines()
    at = calls.index("slapd slapd/no_configuration boolean true")
    assert {"install", "slapd", "ldap-utils", "libwin-hivex-perl"} <= set(calls[at + 1].split())


def test_compilers_for_other_machines_are_installed_for_that_purpose_alone(tmp_path: Path) -> None:
    (tmp_path / "cross").mkdir()
    assert run(bare_machine(tmp_path / "cross", root=True, python="exit 0"), "cross").returncode == 0
    compilers = {"clang", "gcc-aarch64-linux-gnu", "gcc-mingw-w64-x86-64-win32", "qemu-user"}
    assert compilers <= set((tmp_path / "cross/apt.log").read_text().split())
    (tmp_path / "test").mkdir()
    env = bare_machine(tmp_path / "test", root=True, python="exit 0") | {"POLICY_RC_D": str(tmp_path / "policy-rc.d")}
    (tmp_path / "policy-rc.d").touch()
    assert run(env, "test").returncode == 0
    assert not compilers & set((tmp_path / "test/apt.log").read_text().split())


def test_only_the_sanitizers_missing_stops_nothing(tmp_path: Path) -> None:
    env = bare_machine(tmp_path, root=False, python="exit 0")
    (tmp_path / "cc").write_text('#!/bin/sh\ncase "$*" in *sanitize*) exit 1 ;; esac\n')
    (tmp_path / "cc").chmod(0o755)
    done = run(env, "test")
    assert (done.returncode, "AddressSanitizer" in done.stderr) == (0, True)


def test_nothing_is_said_where_nothing_is_missing() -> None:
    done = run({**os.environ}, "test")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


@pytest.mark.parametrize("purpose", ["demo", "test", "fuzz"])
def test_regression_trying_the_compiler_as_root_replaced_the_null_device(purpose: str) -> None:
    run({**os.environ}, purpose)
    assert stat.S_ISCHR(Path(os.devnull).stat().st_mode)


@pytest.mark.parametrize(
    ("purpose", "packages", "reason"),
    [
        ("bench-peers", "libdpdk-dev pkgconf", "no comparison with DPDK's librte_acl"),
        ("callgrind", "valgrind", "instructions cannot be counted"),
    ],
)
def test_what_only_measurements_need_is_installed_for_them_alone(
    purpose: str, packages: str, reason: str, tmp_path: Path
) -> None:
    env = bare_machine(tmp_path, root=False, python="exit 0")
    assert f"{packages}: {reason}" in run(env, purpose).stderr
    assert reason not in run(env, "test").stderr
