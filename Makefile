# `make demo` and `make test` need Python 3.11 or newer, make and the package registry, nothing else.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
DEMO := build/demo
# Test files at the same time; many wait for servers more than they compute.
JOBS ?= 3
SPREAD := -n $(JOBS) --dist loadfile --no-loadscope-reorder
# Rooms without servers, for `make fast` and `make lowest`.
FAST ?= tests/10_house tests/10_config tests/10_storage tests/20_dtw tests/20_features \
  tests/30_grid tests/30_scenes tests/50_samples tests/60_assess tests/60_model
KERNELS := tests/20_dtw

# Quiet and offline: no telemetry, no colour bars in CI logs.
export DO_NOT_TRACK := 1
export PREFECT_SERVER_ANALYTICS_ENABLED := false
# Tests start hundreds of processes; none of them compiles the package again.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: help install demo test fast coverage lowest lint types docs check hooks notebook benchmark lock clean

help:
	@echo 'make demo       simulate products and a DEM, map them, leave everything in $(DEMO)'
	@echo 'make install    what the other targets need, in $(VENV)'
	@echo 'make test       lint, types, documentation, tests'
	@echo 'make fast       lint, types and the tests that need no server and little time'
	@echo 'make coverage   branch coverage, which must not fall; the kernels once without JIT'
	@echo 'make lowest     the tests on the lowest versions that pyproject.toml admits'
	@echo 'make hooks      lint and types before every commit'
	@echo 'make docs       the documentation as pages, in build/site'
	@echo 'make notebook   run docs/notebook.ipynb again on $(DEMO)'
	@echo 'make benchmark  speed against named peers (docs/benchmarks.md)'
	@echo 'make lock       pin the newest compatible versions in constraints.txt'
	@echo 'make clean      remove build/ and $(VENV)'

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo 'Python 3.11 or newer is needed: make PYTHON=/path/to/python3.12'; exit 1; }
	@$(PYTHON) -c 'import venv, ensurepip' 2>/dev/null || \
	  { echo 'this Python cannot make environments: install python3-venv'; exit 1; }
	$(PYTHON) -m venv $(VENV)

# Uv takes seconds; where there is none, or it does not reach the registry that pip is set up for, pip
# takes minutes.
PIP := $(BIN)/python -m pip install --disable-pip-version-check --no-compile -c constraints.txt
UV := $(BIN)/uv pip install --python $(BIN)/python -c constraints.txt
COMPILE := $(BIN)/python -m compileall -q -j 0 -x '/tests/' $(VENV)/lib >/dev/null || true
INSTALL = { $(PIP) -q uv && $(UV) -e '.[$(EXTRAS)]'; } || $(PIP) -e '.[$(EXTRAS)]'

$(VENV)/installed: private EXTRAS := dashboard,flows
$(VENV)/installed: pyproject.toml constraints.txt | $(BIN)/python
	$(INSTALL)
	@$(COMPILE)
	@touch $@

$(VENV)/installed-test: private EXTRAS := test,docs
$(VENV)/installed-test: pyproject.toml constraints.txt | $(BIN)/python
	$(INSTALL)
	@$(COMPILE)
	@touch $(VENV)/installed $@

$(VENV)/installed-bench: private EXTRAS := bench
$(VENV)/installed-bench: $(VENV)/installed-test
	$(INSTALL)
	@$(COMPILE)
	@touch $@

install: $(VENV)/installed-test

demo: $(VENV)/installed
	$(BIN)/cpazmal demo $(DEMO)

test: $(VENV)/installed-test  # nothing is installed while types are checked
	@$(MAKE) lint
	@$(MAKE) --jobs=3 types docs check

lint: $(VENV)/installed-test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(VENV)/installed-test
	$(BIN)/mypy

check: $(VENV)/installed-test
	$(BIN)/python -m pytest $(SPREAD) --durations=15 $(PYTEST)

fast: lint types
	$(BIN)/python -m pytest $(SPREAD) -m 'not e2e and not slow' $(FAST)

# Lines and branches of the package that the tests reach; compiled kernels count in the second run.
coverage: $(VENV)/installed-test
	$(BIN)/coverage erase
	$(BIN)/coverage run -m pytest $(SPREAD) $(PYTEST)
	NUMBA_DISABLE_JIT=1 $(BIN)/coverage run -m pytest $(SPREAD) -m 'not slow and not compiled' $(KERNELS)
	$(BIN)/coverage combine
	$(BIN)/coverage report

lowest: $(VENV)/installed-test
	$(BIN)/uv venv --quiet --clear --python $(PYTHON) $(VENV)-lowest
	$(BIN)/uv pip install --quiet --python $(VENV)-lowest --resolution lowest-direct -e '.[test]'
	$(VENV)-lowest/bin/python -m pytest -m 'not e2e' $(FAST)

hooks: $(VENV)/installed-test
	$(BIN)/pre-commit install

docs: $(VENV)/installed-test
	$(BIN)/sphinx-build --fail-on-warning --keep-going --quiet -c docs -d build/doctrees . build/site
	@echo 'documentation: build/site/index.html'

notebook: $(VENV)/installed-test
	$(BIN)/jupyter execute --inplace docs/notebook.ipynb

benchmark: $(VENV)/installed-bench
	$(BIN)/python -m benchmarks

lock: $(VENV)/installed-test
	$(BIN)/uv pip compile pyproject.toml --all-extras --universal --no-header --no-annotate --upgrade \
	  --output-file constraints.txt

clean:
	rm -rf build $(VENV)
