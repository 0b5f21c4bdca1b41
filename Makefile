# `make help` lists the targets. Nothing but Python 3.11, git and make is needed.
PYTHON ?= python3.11
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
# An index of CPU builds of torch, for machines without a GPU that want the smaller download, e.g.
# make repro TORCH_INDEX=https://download.pytorch.org/whl/cpu
TORCH_INDEX ?=
export PATH := $(CURDIR)/$(BIN):$(PATH)
export HF_HUB_DISABLE_TELEMETRY := 1

.PHONY: help install repro validate test test-fast real lint deps study clean

help: ## list all targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  %-12s %s\n", $$1, $$2}'

install: $(STAMP) ## make .venv and install the lock file

$(STAMP): requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info[:2] != (3, 11))' 2>/dev/null || \
	  { echo "error: $(PYTHON) is not Python 3.11; install it, or name it: make PYTHON=/path/to/python3.11"; exit 1; }
	$(PYTHON) -m venv $(VENV)
	# torch first and pinned: any other order may pull another build of it.
	$(BIN)/python -m pip install -q $(if $(TORCH_INDEX),--index-url $(TORCH_INDEX)) $$(grep '^torch==' requirements.lock)
	$(BIN)/python -m pip install -q -r requirements.lock
	$(BIN)/python -m pip install -q --no-deps --no-build-isolation -e .
	@touch $(STAMP)

repro: install ## run the loop as params.yaml says; the default is the embedded one
	$(BIN)/dvc --wait-for-lock repro

validate: install ## list every problem of params, data and machine, before any work
	$(BIN)/llm2llm validate

test: install ## run the test suite, the real pipeline included
	$(BIN)/python -m pytest -n 2 --dist loadgroup

test-fast: install ## run the tests that need no pipeline run
	$(BIN)/python -m pytest -n 2 -m "not pipeline"

real: install ## run presets on real data: make real REAL_DATA=FOLDER, holding gsm8k/ and trec/
	@test -d "$(REAL_DATA)" || { echo "error: REAL_DATA='$(REAL_DATA)' is no folder; name one that holds gsm8k/ and trec/"; exit 1; }
	REAL_DATA="$(REAL_DATA)" $(BIN)/python -m pytest tests/real

lint: install ## ruff and mypy
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

deps: install ## write into the pipelines which modules each stage depends on
	$(BIN)/python tests/module_deps.py

study: install ## the default run over five random seeds: the table of docs/quickstart.md (half an hour)
	$(BIN)/python benchmarks/quickstart_study.py

clean: ## remove the environment and caches of tools; data, ledger and DVC cache stay
	rm -rf $(VENV) .pytest_cache .mypy_cache .ruff_cache .hypothesis build *.egg-info
