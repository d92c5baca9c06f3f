# Everything a person runs. Each target needs no more than itself: it sets up what it needs first.
PYTHON ?= python3
BIN := .venv/bin
INSTALLED := .venv/.installed

.PHONY: help install demo up test faults bench bench-page check audit docs screenshots clean
.DEFAULT_GOAL := help

help: ## what can be made
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /  make \1\t/' | expand -t 20

install: $(INSTALLED) ## .venv with the project and its test tools

$(INSTALLED): setup.py constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "Python 3.11 or newer is needed; $(PYTHON) is older. Name another one: make PYTHON=python3.12 $(MAKECMDGOALS)" >&2; exit 1; }
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv
	@echo "Installing into .venv: about a minute the first time"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[dev]'
	@touch $@

demo: $(INSTALLED) ## the whole catalogue sync against the simulated Alibaba.com, in .dropship
	@ALIBABA_APP_KEY= ALIBABA_APP_SECRET= ALIBABA_BASE_URL= DROPSHIP_HOME=.dropship DROPSHIP_DATABASE_URL= DROPSHIP_LAKE_URL= \
	  $(BIN)/dropship sync  # empty goes before a filled .env: the demo never reads a real account
	@echo; echo "The command is $(BIN)/dropship; 'source $(BIN)/activate' puts it on your PATH."

up: $(INSTALLED) ## everything as services until Ctrl-C: Postgres, the Dagster UI, its daemon; PORT=0 for a free port
	@$(BIN)/dropship up $(if $(PORT),--port $(PORT))

test: $(INSTALLED) ## every test
	@$(BIN)/python -m compileall -q dropship_pipeline  # once, not in each of the hundreds of processes that tests start
	@$(BIN)/python -m pytest -n 4 --dist loadgroup  # on two cores too: half of the time tests wait for processes

faults: $(INSTALLED) ## trials of every fault there is: half an hour; one of them: ROW=stores.commit_unknown SEED=17
	@$(BIN)/python tests/faults/long_form.py $(if $(ROW),--row $(ROW)) $(if $(SEED),--seed $(SEED)) $(if $(TRIALS),--trials $(TRIALS))

bench: $(INSTALLED) ## every benchmark, an hour and a quarter on a quiet machine; QUICK=1: a small try of each; ONLY=peers: that one
	@$(BIN)/python benchmarks/run_all.py $(if $(QUICK),--quick) $(if $(ONLY),--only $(ONLY))

bench-page: $(INSTALLED) ## docs/benchmarks.md of what the last `make bench` measured
	@$(BIN)/python benchmarks/page.py --take build/bench

check: $(INSTALLED) ## lint, types, import rules, generated docs
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports
	@$(BIN)/python -m dropship_pipeline.tables.dictionary --check
	@$(BIN)/python -m dropship_pipeline.cli.reference --check

audit: $(INSTALLED) ## secrets in the files, advisories against the dependencies (of osv.dev, where it can be reached)
	@git ls-files -z | xargs -0 -P 2 -n 150 $(BIN)/detect-secrets-hook --no-verify --baseline .secrets.baseline
	@.ci/advisories

docs: $(INSTALLED) ## the pages that are generated from the code
	@$(BIN)/python -m dropship_pipeline.tables.dictionary
	@$(BIN)/python -m dropship_pipeline.cli.reference

screenshots: $(INSTALLED) ## the pictures of the UI in docs/images, taken anew in a browser
	@SCREENSHOTS=docs/images $(BIN)/python -m pytest -q tests/browser

clean: ## everything that was made here, the demo's data included
	rm -rf .venv .dropship .mypy_cache .ruff_cache .pytest_cache build *.egg-info
