"""Build of the two extensions: plain C from ext/core behind a thin Cython layer from ext/cython.

PASTORE_DEBUG=1     no optimisation, debug symbols, the core's own assertions on
PASTORE_SANITIZE=1  AddressSanitizer and UndefinedBehaviorSanitizer (gcc or clang)
PASTORE_COVERAGE=1  gcov instrumentation and Cython line tracing

Instruction sets are chosen per file, by the end of its name, and at run time; nothing is built for "this machine".
"""

import os
import platform
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
else:
    C_FLAGS += ["-O3", "-g"]
if SANITIZE:
    C_FLAGS += ["-fsanitize=address,undefined", "-fno-sanitize-recover=all", "-fno-omit-frame-pointer", "-g"]
    LINK_FLAGS += ["-fsanitize=address,undefined"]
if COVERAGE:
    C_FLAGS += ["--coverage"]
    LINK_FLAGS += ["--coverage"]

CORE_FLAGS = [
    "-Wshadow",
    "-Wconversion",
    "-Werror",
]  # for ext/core only: the code Cython generates is not ours
AVX2_FLAGS = ["-mavx2", "-mbmi", "-mbmi2", "-mpopcnt"]
AVX512_FLAGS = [*AVX2_FLAGS, "-mavx512f", "-mavx512bw", "-mavx512vl", "-mavx512dq", "-mprefer-vector-width=512"]
X86_64 = platform.machine().lower() in ("x86_64", "amd64")
ISA_FLAGS = {"_avx2.c": AVX2_FLAGS, "_avx512.c": AVX512_FLAGS} if X86_64 else {}


class BuildPerFile(build_ext):
    """build_ext with compiler flags that depend on the file."""

    def build_extensions(self) -> None:
        compile_one = self.compiler._compile

        def compile_with_flags(obj: str, src: str, ext: str, cc_args: Any, postargs: Any, pp_opts: Any) -> None:
            flags = list(postargs)
            if Path(src).parent.name == "core":
                flags += CORE_FLAGS
            for ending, extra in ISA_FLAGS.items():
                if src.endswith(ending):
                    flags += extra
            compile_one(obj, src, ext, cc_args, flags, pp_opts)

        self.compiler._compile = compile_with_flags
        super().build_extensions()


def extension(name: str, pyx: str, core: list[str]) -> Extension:
    return Extension(
        name,
        [f"ext/cython/{pyx}", *(f"ext/core/{source}" for source in core)],
        include_dirs=["ext/core", numpy.get_include()],
        depends=[str(header) for header in Path("ext/core").glob("*.h")],
        define_macros=[
            ("NPY_NO_DEPRECATED_API", "NPY_2_0_API_VERSION"),
            *([("CYTHON_TRACE", "1"), ("CYTHON_USE_SYS_MONITORING", "0")] if COVERAGE else []),
        ],
        extra_compile_args=C_FLAGS,
        extra_link_args=LINK_FLAGS,
    )


FRAMES_CORE = ["frames.c"]
MATCHER_CORE = sorted(path.name for path in Path("ext/core").glob("*.c") if path.name not in FRAMES_CORE)

setup(
    ext_modules=cythonize(
        [
            extension("pastore.matcher._matcher", "_matcher.pyx", MATCHER_CORE),
            extension("pastore.packets._frames", "_frames.pyx", FRAMES_CORE),
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
