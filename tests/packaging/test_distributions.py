"""The wheel and the source distribution install into clean environments and work there."""

import shutil
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
TRY = """
import importlib.resources, pathlib, sys
import pastore
assert pathlib.Path(pastore.__file__).is_relative_to(sys.prefix), pastore.__file__
rows = pastore.SpecificFilters.from_columns(src_lo=[1], src_hi=[9], dst_lo=[0], dst_hi=[2**32 - 1], action="block")
verdict = pastore.compile(rows).match(6, 5, 7, 1024, 80, direction="in", family=4)
assert (verdict.action, verdict.index) == ("block", 0), verdict
assert (importlib.resources.files("pastore") / "py.typed").is_file()
from pastore.findings import CODES, page
assert all(page(code) for code in CODES)
"""


@pytest.fixture(scope="module")
def distributions(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build the sdist, and the wheel from it, of a copy of the tree: setuptools puts its folders beside ``setup.py``."""
    out = tmp_path_factory.mktemp("dist")
    tree = tmp_path_factory.mktemp("tree") / "pastore"
    shutil.copytree(
        ROOT,
        tree,
        ignore=shutil.ignore_patterns(
            ".git", ".venv*", "build", "dist", "*_cache", ".hypothesis", "__pycache__", "*.egg-info", "corpus"
        ),
    )
    command = [sys.executable, "-m", "build", "--outdir", str(out), str(tree)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=900, check=False)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    return out


def install_and_try(package: Path, folder: Path) -> None:
    subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True, timeout=300)
    python = folder / "bin" / "python"
    command = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", str(package)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=900, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    done = subprocess.run([str(python), "-c", TRY], capture_output=True, text=True, timeout=120, cwd=folder, check=False)
    assert done.returncode == 0, done.stderr
    done = subprocess.run([str(folder / "bin" / "pastore"), "--version"], capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stdout.split()[0]) == (0, "pastore")


def test_the_wheel_installs_into_a_clean_environment(distributions: Path, tmp_path: Path) -> None:
    (wheel,) = distributions.glob("*.whl")
    install_and_try(wheel, tmp_path / "venv")


def test_the_source_distribution_builds_and_installs_into_a_clean_environment(distributions: Path, tmp_path: Path) -> None:
    (sdist,) = distributions.glob("*.tar.gz")
    install_and_try(sdist, tmp_path / "venv")


def test_the_wheel_holds_the_typed_package_and_no_sources_of_the_core(distributions: Path) -> None:
    (wheel,) = distributions.glob("*.whl")
    names = zipfile.ZipFile(wheel).namelist()
    assert "pastore/py.typed" in names
    assert "pastore/matcher/_matcher.pyi" in names
    assert [name for name in names if name.endswith((".c", ".h", ".pyx"))] == []


def test_the_source_distribution_holds_everything_the_build_needs(distributions: Path) -> None:
    (sdist,) = distributions.glob("*.tar.gz")
    with tarfile.open(sdist) as archive:
        names = {name.split("/", 1)[1] for name in archive.getnames() if "/" in name}
    tracked = {str(path.relative_to(ROOT)) for folder in ("core", "cython") for path in (ROOT / "ext" / folder).glob("*.[chp]*")}
    wanted = {name for name in tracked if name.endswith((".h", ".pyx", ".pxd")) or name.startswith("ext/core/")}
    assert wanted - names == set()
