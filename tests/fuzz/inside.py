"""The process in which atheris runs one target: ``python -m tests.fuzz.inside TARGET PROGRAM [OPTION]... [FOLDER]...``.

PROGRAM is what starts this process with the rest of the arguments, libFuzzer's; it does so itself when it merges corpora.
"""

import importlib
import pkgutil
import sys

import atheris

# What the target reaches, and the reader of hives, which is not ours and is trusted least.
INSTRUMENTED = ["pastore", "regipy"]
LEFT_OUT = ("pastore.cli", "pastore.agent", "pastore.__main__")


def main() -> None:
    """Import a target with everything below it instrumented, and fuzz it."""
    with atheris.instrument_imports(include=INSTRUMENTED):
        # Some modules are only imported when they are needed, which would be too late.
        package = importlib.import_module("pastore")
        for module in pkgutil.walk_packages(package.__path__, "pastore."):
            if not module.name.startswith(LEFT_OUT):
                importlib.import_module(module.name)
        importlib.import_module("regipy.recovery")
        target = importlib.import_module(f"tests.fuzz.targets.{sys.argv[1]}")
    atheris.Setup(sys.argv[2:], target.check)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
