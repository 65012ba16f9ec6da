# Each target sets itself up: a fresh Linux with Python 3.11 and make is enough.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

PYTHON ?= $(shell command -v python3.11 || echo python3)
BIN := .venv/bin
READY := .venv/.ready
UV := $(BIN)/uv pip

export UV_PYTHON_DOWNLOADS = never
export PIP_DISABLE_PIP_VERSION_CHECK = 1
export DO_NOT_TRACK = 1
export SCARF_ANALYTICS = false
export DBT_SEND_ANONYMOUS_USAGE_STATS = false
export GX_ANALYTICS_ENABLED = false
unexport PYTHONDONTWRITEBYTECODE

.PHONY: help setup demo test test-deep mutants lint audit format lock clean

help:  ## Show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-9s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: $(READY)  ## Make the virtual environment, with everything in it
	@:

# The stamp is newer than the lock: nothing to do.
$(READY): requirements-uv.lock requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info[:2] != (3, 11))' \
		|| { echo "Python 3.11 is needed: install it, or say where it is: make PYTHON=/path/to/python3.11 …" >&2; exit 1; }
	@[ -x $(BIN)/pip ] || $(PYTHON) -m venv --clear .venv
	@[ -x $(BIN)/uv ] || $(BIN)/python -m pip install --quiet --require-hashes -r requirements-uv.lock
	@# A company's certificates are the system's; its registry, pip alone may know. The lock is complete: no resolving.
	@$(UV) install --python $(BIN)/python --quiet --require-hashes -r requirements.lock 2> /dev/null \
		|| $(UV) install --python $(BIN)/python --quiet --require-hashes --system-certs -r requirements.lock \
		|| $(BIN)/python -m pip install --quiet --require-hashes --no-deps -r requirements.lock
	@$(UV) install --python $(BIN)/python --quiet --no-deps --no-build-isolation -e .
	@touch $@

demo: setup  ## Run the sample month on the embedded stack, and print its credits
	@$(BIN)/python examples/demo.py

test: setup  ## Run the tests (about 25 minutes)
	@# Two at once, a file each, in the order of their folders: the slow ones, that mostly wait, begin first.
	@$(BIN)/python -m pytest -n 2 --dist loadfile --no-loadscope-reorder

test-deep: setup  ## Run the same at large: both routes over 50,000 account-months, hundreds of kills (hours)
	@$(BIN)/python -m pytest -m deep -s

mutants: setup  ## Mutate the money models' SQL, and list what no data tells apart (about 3 minutes)
	@$(BIN)/python -m tests.mutants

lint: setup  ## Run ruff, sqlfluff and yamllint
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/yamllint --strict .
	@$(BIN)/python .ci/lint_sql.py

audit: setup  ## Ask for known vulnerabilities of what is pinned, and write its SBOM to build/
	@$(BIN)/python .ci/audit.py

format: setup  ## Rewrite the Python files as the linter wants them
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .

lock: setup  ## Compile requirements.in to requirements.lock, and pin uv itself
	@$(UV) compile requirements.in --quiet --generate-hashes --no-emit-index-url --python-version 3.11 -o requirements.lock
	@echo uv==$$($(BIN)/uv --version | cut -d" " -f2) | $(UV) compile - --quiet --generate-hashes --no-emit-index-url --no-header --no-annotate --python-version 3.11 -o requirements-uv.lock

clean:  ## Stop the embedded stack, and remove all that was made
	@if [ -x $(BIN)/sla ]; then $(BIN)/sla down; fi
	@rm -rf .venv .sla build .pytest_cache .ruff_cache .hypothesis plugins/*.egg-info dbt_project/target dbt_project/logs
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +
