.DEFAULT_GOAL := help
SHELL := bash
.SHELLFLAGS := -euo pipefail -c
export PYTHONPATH := operator:hack
BIN := .venv/bin
CRD_FOLDERS := crds charts/ninefold/files/crds

.PHONY: help
help: ## Print this
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 16

.PHONY: crds
crds: ## Write the CRDs from the pydantic models
	$(BIN)/python -m ninefold.api.crds $(CRD_FOLDERS)

.PHONY: check-crds
check-crds: ## Fail when the CRDs are not what the models say
	$(BIN)/python -m ninefold.api.crds --check $(CRD_FOLDERS)
