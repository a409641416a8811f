# What a developer or a tester does with this repository. `make` alone lists it.

.DEFAULT_GOAL := help
SHELL := /bin/sh

# the first Python on PATH that is new enough; any other by: make PYTHON=/path/to/python3
PYTHON ?= $(shell for p in python3.13 python3.12 python3.11 python3; do \
	$$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$p && break; done)
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
ARGS ?= $(FUNDWATCH_ARGS)

.PHONY: help
help: ## list what there is
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-8s %s\n", $$1, $$2}' $(MAKEFILE_LIST)
	@echo '  Options go into ARGS, such as: make run ARGS="--persons 10000 --speed 120"'

.PHONY: run
run: $(READY) ## the whole system on this machine, with a made-up city; Ctrl-C stops all of it
	@exec $(BIN)/fundwatch up $(ARGS)

.PHONY: test
test: $(READY) ## every test
	@exec $(BIN)/python -m pytest $(ARGS)

.PHONY: lint
lint: $(READY) ## style and types
	$(BIN)/ruff check .
	$(BIN)/mypy

.PHONY: bench
bench: $(READY) ## how fast it is on this machine
	@exec $(BIN)/python -m tests.benchmarks $(ARGS)

.PHONY: rehearse
rehearse: $(READY) ## three incidents with a real Prometheus: which alert comes, after how long
	@exec $(BIN)/python -m tests.rehearsal $(ARGS)

.PHONY: evaluate
evaluate: $(READY) ## how well the model finds what no rule describes
	@exec $(BIN)/python -m tests.evaluation $(ARGS)

.PHONY: fuzz
fuzz: $(READY) ## a million odd inputs for what reads the wire
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check 'atheris>=2.3,<4'
	@exec $(BIN)/python -m tests.fuzz.decoders data/fuzz -runs=1000000 -max_len=600 $(ARGS)

.PHONY: chaos
chaos: $(READY) ## faults at random on all parts; the alerts must be those of a quiet replay
	@exec $(BIN)/python -m tests.chaos $(ARGS)

.PHONY: order
order: $(READY) ## other orders, batches and workers; the alerts must be the same
	@exec $(BIN)/python -m tests.order $(ARGS)

.PHONY: install
install: $(READY) ## set up .venv; the others do it when it is needed

.PHONY: lock
lock: $(READY) ## choose the newest libraries that pyproject.toml allows
	CUSTOM_COMPILE_COMMAND='make lock' $(BIN)/pip-compile --quiet --upgrade --extra dev --generate-hashes --allow-unsafe \
		--strip-extras --no-emit-index-url --no-emit-find-links --no-emit-trusted-host -o requirements.lock pyproject.toml

.PHONY: clean
clean: ## remove .venv and caches, but no data
	rm -rf $(VENV) .mypy_cache .pytest_cache .ruff_cache

$(READY): pyproject.toml requirements.lock
	@test -n "$(PYTHON)" || { echo "fundwatch needs Python 3.11 or later; none is on PATH" >&2; exit 1; }
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV) || { \
		rm -rf $(VENV); echo "if Python says that ensurepip is missing: apt-get install python3-venv" >&2; exit 1; }
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements.lock
	PYTHONWARNINGS=ignore $(BIN)/python -m pip install --quiet --disable-pip-version-check \
		--no-deps --no-build-isolation -e .
	-@$(BIN)/python -m stream_app.embedded.jars
	@touch $@
