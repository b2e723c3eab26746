"""Fuzzing: coverage-guided search for inputs that break what the readers promise. ``make fuzz`` runs all targets.

A target in Python is a file in `tests.fuzz.targets` (see there), run by atheris; a target in C is ``ext/fuzz/fuzz_NAME.c``, built
with libFuzzer and the sanitizers. Inputs worth keeping are in ``tests/corpus``, a folder a target; `test_corpora` replays them.
"""
