.DEFAULT_GOAL := help
SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DELETE_ON_ERROR:

export PYTHONPATH := operator:hack
PYTHON := .venv/bin/python
INSTALLED := .venv/.installed
CRD_FOLDERS := crds charts/ninefold/files/crds
VERSION = $(shell sed -n 's/^__version__ = "\(.*\)"/\1/p' operator/ninefold/__init__.py)

.PHONY: help
help: ## Print this
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

# ------------------------------------------------------------------ what everything else needs

.PHONY: setup
setup: $(INSTALLED) ## Make .venv from the lock (with uv where it is there, else with pip)

$(INSTALLED): requirements/dev.txt pyproject.toml
	@if command -v uv > /dev/null; then \
		uv venv --quiet --allow-existing .venv; \
		uv pip install --quiet --python $(PYTHON) --require-hashes --requirement requirements/dev.txt; \
		uv pip install --quiet --python $(PYTHON) --no-deps --editable .; \
	else \
		python3 -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed")'; \
		python3 -m venv .venv; \
		$(PYTHON) -m pip install --quiet --require-hashes --requirement requirements/dev.txt; \
		$(PYTHON) -m pip install --quiet --no-deps --editable .; \
	fi
	@touch $@

.PHONY: servers
servers: $(INSTALLED) ## Find or build the servers of the test bed (some minutes the first time)
	@$(PYTHON) -c 'from testbed.binaries import binaries; from testbed.redis import redis_binary; binaries(); redis_binary()'

.PHONY: lock
lock: ## Resolve pyproject.toml anew into requirements/ (needs uv)
	$(call resolve,dev,--all-extras --group dev --upgrade)
	$(call resolve,operator,--extra operator --constraints requirements/dev.txt)
	$(call resolve,jobs,--extra jobs --constraints requirements/dev.txt)

# Hashes pin the bytes; no index is named, so that a mirror serves as well.
resolve = uv pip compile --quiet pyproject.toml --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
	--no-annotate --custom-compile-command 'make lock' --output-file requirements/$(1).txt $(2)

.PHONY: crds
crds: $(INSTALLED) ## Write the CRDs from the pydantic models
	$(PYTHON) -m ninefold.api.crds $(CRD_FOLDERS)

.PHONY: check-crds
check-crds: $(INSTALLED) ## Fail when the CRDs are not what the models say
	$(PYTHON) -m ninefold.api.crds --check $(CRD_FOLDERS)

# ------------------------------------------------------------------ tests

.PHONY: check
check: check-crds ## Style, types, import contracts, drift of the CRDs
	.venv/bin/ruff check .
	.venv/bin/ruff format --check .
	.venv/bin/mypy
	.venv/bin/lint-imports

# Tests of the control plane wait, the others compute: three workers keep two cores busy. Each has servers of its own.
WORKERS ?= 3
pytest = .venv/bin/pytest --numprocesses $(WORKERS) --dist worksteal

.PHONY: unit
unit: $(INSTALLED) ## Tests that need no server (WORKERS=3 processes)
	$(pytest) tests/unit

.PHONY: test
test: check servers ## Everything: checks, unit, control plane, chart, the demo (WORKERS=3 processes)
	$(pytest) --durations=15 -m 'not recorded'

.PHONY: contract
contract: $(INSTALLED) ## Trace backends against real servers (builds a collector and Jaeger the first time)
	$(PYTHON) -m contract.servers
	.venv/bin/pytest tests/contract -m 'not recorded'

# ------------------------------------------------------------------ to see it work

.PHONY: demo
demo: servers ## See the loop close once (CLUSTER=local|kind|kubeconfig; default: what is there)
	@$(PYTHON) -m demo $(if $(CLUSTER),--cluster $(CLUSTER))

SEED ?= 0
.PHONY: recorded
recorded: servers ## Optimize a recorded agent (DATA=../shared SEED=0 | SEED=0,1,2; KINDS= CONTROL=wrong-key)
	@$(PYTHON) -m recorded --data '$(or $(DATA),$(error say where the recordings are: make recorded DATA=../shared))' \
		--seeds $(SEED) $(if $(KINDS),--kinds $(KINDS)) $(if $(CONTROL),--control $(CONTROL))

.PHONY: bench
bench: $(INSTALLED) ## What the gate lets through and what it finds, by simulation (PLOTS=folder for SVG files)
	@$(PYTHON) -m bench.gate $(if $(PLOTS),--plots $(PLOTS))

.PHONY: bench-optimizers
bench-optimizers: $(INSTALLED) ## Our loop beside GEPA and random search on a planted agent, calls and scores
	@$(PYTHON) -m bench.optimizers

.PHONY: clean
clean: ## End what is still running and remove what was made (but .venv and the cache of servers)
	@if [ -x $(PYTHON) ]; then $(PYTHON) -m demo --stop; $(PYTHON) -m testbed down; fi
	rm -rf .demo .ninefold-testbed .pytest_cache .mypy_cache .ruff_cache .import_linter_cache dist build

# ------------------------------------------------------------------ images

CONTAINERS ?= docker
.PHONY: images
images: ## Build both images (REPOSITORY=ninefold CONTAINERS=docker)
	$(CONTAINERS) build --target operator --tag $(or $(REPOSITORY),ninefold)/operator:$(VERSION) .
	$(CONTAINERS) build --target jobs --tag $(or $(REPOSITORY),ninefold)/jobs:$(VERSION) .
