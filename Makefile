# `make demo` and `make test` need Python 3.11 or newer, make and the package registry, nothing else.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
DEMO := build/demo
# Test files at the same time; many wait for servers more than they compute.
JOBS ?= 2

# Quiet and offline: no telemetry, no colour bars in CI logs.
export DO_NOT_TRACK := 1
export PREFECT_SERVER_ANALYTICS_ENABLED := false

.PHONY: help demo test lint types docs check notebook benchmark lock clean

help:
	@echo 'make demo       simulate a small campaign, map it, leave everything in $(DEMO)'
	@echo 'make test       lint, types, documentation, tests'
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

$(VENV)/installed: pyproject.toml constraints.txt | $(BIN)/python
	$(BIN)/python -m pip install --disable-pip-version-check -c constraints.txt -e '.[dashboard,flows]'
	@touch $@

$(VENV)/installed-test: $(VENV)/installed
	$(BIN)/python -m pip install --disable-pip-version-check -q -c constraints.txt -e '.[test]'
	@touch $@

$(VENV)/installed-bench: $(VENV)/installed-test
	$(BIN)/python -m pip install --disable-pip-version-check -q -c constraints.txt -e '.[bench]'
	@touch $@

$(VENV)/installed-docs: $(VENV)/installed-test
	$(BIN)/python -m pip install --disable-pip-version-check -q -c constraints.txt -e '.[docs]'
	@touch $@

demo: $(VENV)/installed
	$(BIN)/cpazmal demo $(DEMO)

test: lint types docs check

lint: $(VENV)/installed-test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(VENV)/installed-test
	$(BIN)/mypy

check: $(VENV)/installed-test
	$(BIN)/python -m pytest -n $(JOBS) --dist loadfile $(PYTEST)

docs: $(VENV)/installed-docs
	$(BIN)/sphinx-build --fail-on-warning --keep-going --quiet -c docs -d build/doctrees . build/site
	@echo 'documentation: build/site/index.html'

notebook: $(VENV)/installed-test
	$(BIN)/jupyter execute --inplace docs/notebook.ipynb

benchmark: $(VENV)/installed-bench
	$(BIN)/python -m benchmarks

lock:
	uv pip compile pyproject.toml --all-extras --universal --no-header --no-annotate --upgrade \
	  --output-file constraints.txt

clean:
	rm -rf build $(VENV)
