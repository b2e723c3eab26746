# Sources and compiler flags of the core, told in this one place: the Makefile includes it, setup.py and the tests read it.
# Lines are `NAME := words` and nothing cleverer, so that both can.

# Every ext/core/*.c belongs to the tables and to libpastore, except the packet walk.
CORE_FRAMES := frames.c

CORE_CFLAGS := -std=c11 -fvisibility=hidden -Wall -Wextra -Wvla -Wshadow -Wconversion -Werror

# Added to files with _avx2 or _avx512 in their names, on x86. They hold what is called only where the processor has it, and compile to
# nothing elsewhere: whoever chooses must ask the processor for each feature named here, or the compiler may use one that is missing.
# No other file gets a -m flag: what runs before the choice must run everywhere.
CORE_CFLAGS_avx2 := -mavx2 -mbmi -mbmi2 -mpopcnt
CORE_CFLAGS_avx512 := -mavx2 -mbmi -mbmi2 -mpopcnt -mavx512f -mavx512bw -mavx512vl -mavx512dq -mprefer-vector-width=512

# Goes up when a program that was linked with the library before would no longer run with it.
LIBPASTORE_ABI := 0
