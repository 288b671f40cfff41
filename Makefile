# Tocsin from a clean clone: `make demo` to see it work, `make test` to check everything. `make help` lists the rest.

SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory

VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
CODE := tocsin models alerts drills streams bench tests
ARGS ?=

# The first Python that is new enough and can make virtual environments; override with `make PYTHON=…`.
PYTHON ?= $(shell for python in python3 python3.11 python3.12 python3.13 python3.14; do \
	"$$python" -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo "$$python" && break; done)

.PHONY: help setup demo test lint fmt types law unit chaos bench bench-detection clean

help: ## show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-15s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: $(READY) ## make .venv and install the pinned dependencies, once

$(READY): pyproject.toml constraints.txt
	@if [ -z "$(PYTHON)" ]; then \
		echo 'Tocsin needs Python 3.11 or newer with its venv module. On Debian or Ubuntu:' >&2; \
		echo '    apt-get install python3 python3-venv' >&2; exit 2; fi
	$(PYTHON) -m venv --clear $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt setuptools
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt --no-build-isolation -e '.[dev]'
	@touch $@

demo: $(READY) ## an attack on a model, found live, on an embedded broker (under 3 minutes)
	$(BIN)/tocsin demo $(ARGS)

test: lint types law unit ## everything that must hold: style, types, import law, tests (up to 15 minutes)

lint: $(READY) ## style and formatting
	$(BIN)/ruff check $(CODE)
	$(BIN)/ruff format --check $(CODE)

fmt: $(READY) ## format the code and mend what can be mended
	$(BIN)/ruff format $(CODE)
	$(BIN)/ruff check --fix $(CODE)

types: $(READY) ## mypy --strict
	$(BIN)/mypy

law: $(READY) ## who may import whom
	$(BIN)/lint-imports

unit: $(READY) ## the tests alone; ARGS='-k probe' narrows them
	@command -v java >/dev/null && command -v mvn >/dev/null || { \
		echo 'Java 17 or Maven is missing: tests on a real Apache Kafka will be SKIPPED. On Debian or Ubuntu:' >&2; \
		echo '    apt-get install default-jre-headless maven' >&2; }
	$(BIN)/python -m pytest $(ARGS)

chaos: $(READY) ## an attacker on approvals for 100,000 steps; a hundred kills on a real Kafka, then an independent verifier
	TOCSIN_STEPS=100000 $(BIN)/python -m pytest tests/property/test_containment.py
	$(BIN)/python -m tests.chaos $(ARGS)

bench: $(READY) ## cost per event against naive Faust and Quix Streams, both with River
	$(BIN)/python -m bench $(ARGS)

bench-detection: $(READY) ## what detectors find and what they raise for nothing, beside their peers (hours; ARGS='query --quick' for a part)
	$(BIN)/python -m bench.detection $(or $(ARGS),all --save)

clean: ## remove what these commands made
	rm -rf $(VENV) .venv-bench build dist ./*.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache .broker
	find $(CODE) -name __pycache__ -type d -prune -exec rm -rf {} +
