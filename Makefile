# Everything a user or a contributor runs. `make` alone lists it.
PYTHON ?= python3
BIN := .venv/bin
PAGE := federated_pneumonia_detection/server/page/index.html
PAGE_SOURCES := $(shell find dashboard/src dashboard/index.html dashboard/vite.config.ts dashboard/vite.notebook.config.ts -type f 2>/dev/null)
NPM := scripts/npm.sh

.DEFAULT_GOAL := help
.PHONY: help install page demo test test-quick check format generate docs pictures bench long wheel clean

help:  ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

install: .venv/.installed page  ## .venv with the fpd command, and the dashboard built into it
	@echo "Installed. Next: make demo, or .venv/bin/fpd --help"

.venv/.installed: pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(0 if sys.version_info >= (3, 11) else "Python 3.11 or newer is needed, this is %s; name another with make PYTHON=…" % sys.version.split()[0])'
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv
	@echo "Installing into .venv (about a minute, 1.5 GB; PyTorch is most of it)"
	@$(BIN)/python -m pip install -q --disable-pip-version-check -c constraints.txt -e '.[dev]'
	@touch $@

page: $(PAGE)  ## the dashboard, built where the server finds it

dashboard/node_modules/.installed: dashboard/package-lock.json | .venv/.installed
	@$(NPM) ci --no-audit --no-fund --loglevel=error
	@touch $@

$(PAGE): dashboard/node_modules/.installed $(PAGE_SOURCES)
	@$(NPM) run --silent build
	@touch $@

demo: install  ## a server, the page in a browser, a real centralised run, then a federated one
	@$(BIN)/fpd demo

test: install  ## every test, with Chromium and PostgreSQL fetched where they are missing
	@$(BIN)/python scripts/test_needs.py
	@$(NPM) test --silent
	@$(BIN)/pytest

test-quick: install  ## the unit tests alone, in seconds
	@$(BIN)/pytest -q tests/unit

check: install  ## form, types, import arrows, and that what is generated is fresh
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports --no-cache
	@$(BIN)/python scripts/generate.py --check
	@$(NPM) run --silent check

format: install  ## let the machines settle form
	@$(BIN)/ruff check --fix-only -q .
	@$(BIN)/ruff format -q .
	@$(NPM) run --silent format

generate: .venv/.installed  ## schemas, TypeScript types and reference pages, from the code
	@$(BIN)/python scripts/generate.py

docs: .venv/.installed  ## the documentation as a site, in site/
	@$(BIN)/python -m pip install -q --disable-pip-version-check -c constraints.txt -e '.[docs]'
	@$(BIN)/python scripts/generate.py
	@$(BIN)/mkdocs build --strict -q
	@echo "site/index.html"

pictures: install  ## the pictures of README and docs, from real trainings in a real browser
	@$(BIN)/python scripts/pictures.py

bench: install  ## every figure of the README, beside its peer or its limit
	@$(BIN)/python -m pip install -q --disable-pip-version-check -c constraints.txt picows
	@$(BIN)/python -m benchmarks --docs

long: install  ## what takes minutes: more faults, more seeds, the engine on Ray at full size
	@$(BIN)/pytest -m "" --long

wheel: page  ## one wheel with the page inside, in dist/
	@rm -rf dist && $(BIN)/python -m build -q --wheel && ls dist

clean:  ## everything that was built or installed
	rm -rf .venv dist site dashboard/node_modules federated_pneumonia_detection/server/page federated_pneumonia_detection/notebook/page
