# One command for each job, the same on a laptop and in CI.
#
#   make setup   a virtual environment with vmaspace and the tools of development
#   make check   the main job: every invariant check that fits the `ci` time budget
#   make test    the test suite
#   make lint    ruff, mypy --strict, and the arrows between the rooms
#   make clean   remove what the other jobs made

PYTHON ?= python3
VENV ?= .venv
JOBS ?= 2

BIN := $(VENV)/bin
STAMP := $(VENV)/.vmaspace-setup

.DEFAULT_GOAL := help
.PHONY: help setup check test lint clean

help:
	@sed -n 's/^#   //p' $(firstword $(MAKEFILE_LIST))

setup: $(STAMP)

# The stamp stands inside the environment, so that removing the environment also forgets it.
$(STAMP): pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "vmaspace needs Python 3.11 or later; this is " + sys.version.split()[0] + ". Say which one: make PYTHON=python3.11 ...")'
	@$(BIN)/python -m pip --version >/dev/null 2>&1 || $(PYTHON) -m venv --clear $(VENV)
	$(BIN)/python -m pip install --quiet --editable '.[dev]'
	@$(BIN)/python -m compileall -q spec model checker properties  # as pip does for what is not editable
	@touch $(STAMP)

check: setup
	$(BIN)/vmaspace check --profile ci --oracle unicorn

test: setup
	$(BIN)/pytest -n $(JOBS) -q

lint: setup
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo

clean:
	rm -rf $(VENV) build dist *.egg-info .mypy_cache .pytest_cache .ruff_cache .hypothesis \
		.import_linter_cache .vmaspace
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
