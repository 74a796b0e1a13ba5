# The commands of this project; `make` alone lists them. Works with GNU make 3.81 (macOS) or newer.
# Needs Python >= 3.11, pip and make. PYTHON=/path/to/python3.x chooses the interpreter.

SHELL := /bin/sh
.DEFAULT_GOAL := help
.PHONY: help serve test check peers bench soak lock clean runtime dev

PYTHON ?=
BIN := .venv/bin
# Extra words for pytest, for example: make test ARGS='-k feeds -x'
ARGS ?=

DOC_TESTS = $(wildcard tests/test_docs.py tests/test_architecture.py)
SOAK_TESTS = $(wildcard tests/soak tests/test_convergence.py tests/test_crashes.py)

help:
	@echo "make serve   the site of content/ on http://127.0.0.1:8000, with SQLite in var/"
	@echo "make test    every test that needs only Python packages    (ARGS='-k word' narrows it)"
	@echo "make check   lint, format, types, architecture, docs"
	@echo "make peers   tests against nginx, PostgreSQL, newsboat, Chromium and a Fedify server"
	@echo "make bench   the benchmarks, each beside its reference"
	@echo "make soak    the long fault, kill and fuzz runs; every test on PostgreSQL too"
	@echo "make lock    compile requirements/*.txt anew (needs the network)"
	@echo "make clean   remove .venv, node_modules and caches; content/ and var/ stay"

# The script compares contents and returns at once when there is nothing to do.
runtime:
	@PYTHON='$(PYTHON)' sh requirements/venv.sh runtime

dev:
	@PYTHON='$(PYTHON)' sh requirements/venv.sh dev

serve: runtime
	@exec $(BIN)/dramafeed serve

test: dev
	@$(BIN)/python -m pytest $(ARGS)

check: dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo
ifneq ($(DOC_TESTS),)
	$(BIN)/python -m pytest -q $(DOC_TESTS)
endif

peers: dev
	@sh tests/peers/install.sh
	@$(BIN)/python -m pytest -m peers -o faulthandler_timeout=300 tests/peers $(ARGS)

bench: dev
	@$(BIN)/python -m bench $(ARGS)

soak: dev
ifeq ($(SOAK_TESTS),)
	@echo "There is no tests/soak yet."
else
	@DRAMAFEED_SOAK=1 $(BIN)/python -m pytest -o faulthandler_timeout=0 $(SOAK_TESTS) $(ARGS)
endif
	@$(BIN)/python -m tests.peers.on_postgres -o faulthandler_timeout=0 $(ARGS)

lock:
	@PYTHON='$(PYTHON)' sh requirements/lock.sh $(ARGS)

clean:
	rm -rf .venv .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis .coverage
	rm -rf tests/peers/*/node_modules
	find src tests bench -name __pycache__ -type d -prune -exec rm -rf {} + 2>/dev/null || true
