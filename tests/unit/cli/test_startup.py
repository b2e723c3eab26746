"""The command answers --help without importing what it does not need."""

import subprocess
import sys

HEAVY = ("numpy", "rich", "ldap3", "pastore.api", "pastore.matcher", "pastore.sources", "asyncio", "ssl", "xml")


def modules_after(code: str) -> set[str]:
    program = f"import sys\n{code}\nprint('\\n'.join(sys.modules), file=sys.stderr)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=True)
    return set(done.stderr.splitlines())


def loaded(modules: set[str]) -> list[str]:
    return [name for name in HEAVY if any(module == name or module.startswith(f"{name}.") for module in modules)]


def test_help_imports_neither_numpy_nor_a_renderer_nor_ldap() -> None:
    modules = modules_after("from pastore.cli.main import cli; cli(['--help'], standalone_mode=False)")
    assert "click" in modules
    assert loaded(modules) == []


def test_import_pastore_imports_no_command_line_library_and_nothing_heavy() -> None:
    modules = modules_after("import pastore")
    assert loaded(modules) == []
    assert "click" not in modules


def test_rule_explains_a_code_without_numpy() -> None:
    modules = modules_after("from pastore.cli.main import cli; cli(['rule'], standalone_mode=False)")
    assert loaded(modules) == []
