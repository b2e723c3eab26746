"""Build of the extensions: plain C from ext/core and ext/sets behind a thin Cython layer from ext/cython.

PASTORE_DEBUG=1     no optimisation, debug symbols, the core's own assertions on
PASTORE_SANITIZE=1  AddressSanitizer and UndefinedBehaviorSanitizer (gcc or clang)
PASTORE_COVERAGE=1  gcov instrumentation and Cython line tracing

The core's files and flags are those of ext/core/sources.mk. Instruction sets are chosen per file, by its name, and at run time;
nothing is built for "this machine".
"""

import os
import re
import subprocess
from pathlib import Path
from typing import Any

import numpy
from Cython.Build import cythonize
from setuptools import Extension, setup
from setuptools.command.build_ext import build_ext

DEBUG = bool(os.environ.get("PASTORE_DEBUG"))
SANITIZE = bool(os.environ.get("PASTORE_SANITIZE"))
COVERAGE = bool(os.environ.get("PASTORE_COVERAGE"))

C_FLAGS = [
    "-std=c11",
    "-Wall",
    "-Wextra",
    "-Wvla",
    "-Werror=implicit-function-declaration",
    "-fvisibility=hidden",
]
LINK_FLAGS: list[str] = []
if DEBUG or COVERAGE:
    C_FLAGS += ["-O0", "-g3", "-DPASTORE_DEBUG=1"]
elif SANITIZE:
    C_FLAGS += ["-O1"]  # -O3 would take minutes for the lookups, and hides nothing that is looked for here
else:
    C_FLAGS += ["-O3", "-g"]
if SANITIZE:
    C_FLAGS += ["-fsanitize=address,undefined", "-fno-sanitize-recover=all", "-fno-omit-frame-pointer", "-g"]
    LINK_FLAGS += ["-fsanitize=address,undefined"]
if COVERAGE:
    C_FLAGS += ["--coverage"]
    LINK_FLAGS += ["--coverage"]

CORE = Path("ext/core")
SETS = Path("ext/sets")
CORE_SETTINGS = {
    name: words.split() for name, words in re.findall(r"^(\w+) := (.*)$", (CORE / "sources.mk").read_text(), re.MULTILINE)
}
FRAMES_CORE = CORE_SETTINGS["CORE_FRAMES"]
MATCHER_CORE = sorted(path.name for path in CORE.glob("*.c") if path.name not in FRAMES_CORE)
ISA_FLAGS = {f"_{isa}": CORE_SETTINGS[f"CORE_CFLAGS_{isa}"] for isa in ("avx2", "avx512")}


def is_for_x86(compiler: list[str]) -> bool:
    """Whether the code this compiler makes is for x86: that need not be the machine it runs on."""
    try:
        machine = subprocess.run([*compiler, "-dumpmachine"], capture_output=True, text=True, check=False).stdout
    except OSError:
        return False  # there is no compiler, which the build itself says better
    return re.match(r"x86_64|i[3-6]86|amd64", machine) is not None


class BuildPerFile(build_ext):
    """build_ext with compiler flags that depend on the file."""

    def build_extensions(self) -> None:
        compile_one = self.compiler._compile
        isa_flags = ISA_FLAGS if is_for_x86(self.compiler.compiler_so) else {}

        def compile_with_flags(obj: str, src: str, ext: str, cc_args: Any, postargs: Any, pp_opts: Any) -> None:
            flags = list(postargs)
            if Path(src).parent in (CORE, SETS):  # the code Cython generates is not ours
                flags += CORE_SETTINGS["CORE_CFLAGS"]
                flags += next((extra for mark, extra in isa_flags.items() if mark in Path(src).name), [])
            compile_one(obj, src, ext, cc_args, flags, pp_opts)

        self.compiler._compile = compile_with_flags
        super().build_extensions()


def extension(name: str, pyx: str, sources: list[str], folder: Path = CORE) -> Extension:
    return Extension(
        name,
        [f"ext/cython/{pyx}", *(f"{folder}/{source}" for source in sources)],
        include_dirs=[str(folder), numpy.get_include()],
        depends=[*map(str, folder.glob("*.h")), str(CORE / "sources.mk"), "setup.py"],
        define_macros=[
            ("NPY_NO_DEPRECATED_API", "NPY_2_0_API_VERSION"),
            *([("CYTHON_TRACE", "1"), ("CYTHON_USE_SYS_MONITORING", "0")] if COVERAGE else []),
        ],
        extra_compile_args=C_FLAGS,
        extra_link_args=LINK_FLAGS,
    )


setup(
    ext_modules=cythonize(
        [
            extension("pastore.matcher._matcher", "_matcher.pyx", MATCHER_CORE),
            extension("pastore.packets._frames", "_frames.pyx", FRAMES_CORE),
            extension("pastore.analysis._sets", "_sets.pyx", ["sets.c"], SETS),
        ],
        include_path=["ext/cython"],
        language_level=3,
        compiler_directives={
            "embedsignature": True,
            "boundscheck": DEBUG or SANITIZE,
            "wraparound": False,
            "linetrace": COVERAGE,
        },
    ),
    cmdclass={"build_ext": BuildPerFile},
)
