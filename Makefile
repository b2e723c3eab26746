# Every chore, a line or two each. `make demo` and `make test` set up all they need on Debian with python3.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --quiet --disable-pip-version-check
NATIVE := setup.py pyproject.toml ext/core/sources.mk $(wildcard ext/core/*.[ch] ext/sets/*.[ch] ext/cython/*.pyx ext/cython/*.pxd)

.PHONY: help demo test proof fuzz cross mutants lint format sanitize bench bench-peers bench-sizes bench-frontier bench-check callgrind clean

help: ## what there is to make
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/\1\t\2/p' $(MAKEFILE_LIST) | expand -t 20

include ext/libpastore.mk

demo: $(VENV)/built ## set up, then the whole way once on the bundled example
	@scripts/demo $(BIN)/pastore

test: $(VENV)/tested ## set up, then all tests on all processors; WORKERS=0 for none but this one
	$(BIN)/python -m pytest -n $(or $(WORKERS),auto) $(PYTEST)

proof: $(VENV)/tested ## all policies of the analysis; table and rulesets against the kernel's nftables, PACKETS=200000; all bits of stored tables
	PASTORE_PROOF_POLICIES=3000 PASTORE_PROOF_LARGE=300 PASTORE_PROOF=1 PASTORE_PROOF_PACKETS=$(or $(PACKETS),200000) \
		$(BIN)/python -m pytest -q tests/oracle/test_analysis.py tests/oracle/test_kernel.py tests/oracle/test_export_nftables.py \
		tests/oracle/test_core_harness.py $(PYTEST)

fuzz: $(VENV)/fuzzed ## every fuzz target for SECONDS_EACH=60 seconds; TARGETS="reg ldif" for some
	$(BIN)/python -m tests.fuzz --seconds $(or $(SECONDS_EACH),60) $(TARGETS)

cross: $(VENV)/tested ## the core by clang, for aarch64 under qemu, for older x86 processors and for Windows; installs the compilers
	scripts/setup-debian cross
	PASTORE_CROSS=1 $(BIN)/python -m pytest -q tests/cross $(PYTEST)

mutants: $(VENV)/tested ## the core with one line broken at a time: its tests must notice each; FILES='rows.c load.c' for some
	$(BIN)/python -m tests.mutants $(FILES)

lint: $(VENV)/linted ## formats, types, styles and import rules; warnings are errors
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports --config pyproject.toml
	PATH="$$PWD/$(BIN):$$PATH" $(BIN)/cython-lint ext/cython
	$(BIN)/clang-format --dry-run --Werror $$(git ls-files 'ext/*.[ch]' 'tests/*.[ch]' 'examples/*.[ch]' 'benchmarks/*.[ch]')

format: $(VENV)/linted ## rewrite the sources in the house's format
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .
	$(BIN)/clang-format -i $$(git ls-files 'ext/*.[ch]' 'tests/*.[ch]' 'examples/*.[ch]' 'benchmarks/*.[ch]')

sanitize: $(VENV)/tested ## both extensions and their tests under AddressSanitizer and UndefinedBehaviorSanitizer
	@mkdir -p build
	PASTORE_SANITIZE=1 $(BIN)/python setup.py -q build --build-base build/sanitize-objects --build-lib build/sanitize >build/sanitize.log 2>&1 || { cat build/sanitize.log; exit 1; }
	LD_PRELOAD="$$(cc -print-file-name=libasan.so) $$(cc -print-file-name=libubsan.so)" ASAN_OPTIONS=detect_leaks=0 PYTHONPATH=build/sanitize \
		$(BIN)/python -m pytest -q -p no:cacheprovider tests/unit/matcher tests/unit/packets tests/unit/analysis tests/property/test_matcher.py tests/property/test_table.py tests/property/test_packets.py

bench: $(VENV)/tested ## the benchmarks, and a dated page of what they gave in benchmarks/record
	@mkdir -p build
	$(BIN)/python -m pytest -q benchmarks --benchmark-enable --benchmark-only --benchmark-json build/bench.json --benchmark-quiet $(PYTEST)
	$(BIN)/python -m benchmarks.record build/bench.json >"benchmarks/record/$$(date +%F)-$$(uname -m)-$$(nproc)cores.md"

bench-peers: $(VENV)/benched ## pastore beside DPDK and others, with a page and a plot; SETS='acl1_1k fw1_10k' PASSES=1 RUNS=1 CORE=1 FRESH=1
	$(BIN)/python -m benchmarks.peers $(SETS) $(if $(PASSES),--passes $(PASSES)) $(if $(RUNS),--runs $(RUNS)) $(if $(CORE),--core $(CORE)) \
		$(if $(FRESH),--fresh)

bench-sizes: $(VENV)/benched ## what a rule costs from 100 rules to MOST=1000000, with a page and a plot
	$(BIN)/python -m benchmarks.sizes benchmarks/record $(if $(MOST),--most $(MOST))

bench-frontier: $(VENV)/benched ## what a larger table buys: the standard sets within 4, 8, 16 and 32 MB; SETS='fw1_1k' for some
	$(BIN)/python -m benchmarks.frontier $(if $(SETS),build/frontier $(SETS),benchmarks/record)

bench-check: $(VENV)/benched ## check of 1,000 policies, and of 1,000 to MOST=1000000 filters, with a page and a plot
	$(BIN)/python -m benchmarks.check benchmarks/record $(MOST)

callgrind: $(VENV)/counted ## instructions a packet against those on record; SETS='acl-1k', or RECORD=1 to put them on record
	$(BIN)/python -m benchmarks.instructions $(SETS) $(if $(RECORD),--record)

clean: ## everything that was made
	rm -rf $(VENV) build dist src/*.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis .benchmarks
	find src -name '*.so' -delete

$(VENV)/made:
	PYTHON="$(PYTHON)" scripts/setup-debian demo
	$(PYTHON) -m venv $(VENV)
	$(PIP) install "setuptools>=77" "Cython>=3.1,<4" "numpy>=2.0"
	@touch $@

$(VENV)/built: $(VENV)/made $(NATIVE)
	$(PIP) install --no-build-isolation --editable .
	@touch $@

$(VENV)/tested: $(VENV)/built
	PYTHON="$(PYTHON)" scripts/setup-debian test
	$(BIN)/python scripts/requirements test >$(VENV)/test.txt
	$(PIP) install --requirement $(VENV)/test.txt
	@touch $@

$(VENV)/fuzzed: $(VENV)/tested
	PYTHON="$(PYTHON)" scripts/setup-debian fuzz
	$(BIN)/python scripts/requirements fuzz >$(VENV)/fuzz.txt
	$(PIP) install --requirement $(VENV)/fuzz.txt
	@touch $@

$(VENV)/benched: $(VENV)/built
	PYTHON="$(PYTHON)" scripts/setup-debian bench-peers
	$(BIN)/python scripts/requirements bench >$(VENV)/bench.txt
	$(PIP) install --requirement $(VENV)/bench.txt
	@touch $@

$(VENV)/counted: $(VENV)/built
	PYTHON="$(PYTHON)" scripts/setup-debian callgrind
	@touch $@

$(VENV)/linted: $(VENV)/tested
	$(BIN)/python scripts/requirements lint >$(VENV)/lint.txt
	$(PIP) install --requirement $(VENV)/lint.txt
	@touch $@
