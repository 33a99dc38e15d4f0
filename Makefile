# Chat Census: every command a person needs. `make help` lists them.
# The environment lives in .venv and is made from requirements-dev.lock when it is missing or older than the lock.

PYTHON ?= $(shell command -v python3.12 >/dev/null 2>&1 && python3.12 -c '' 2>/dev/null && echo python3.12 || echo python3)
UV_VERSION := 0.13.9
BIN := .venv/bin
export UV_PYTHON_DOWNLOADS := never
export PYTHONPATH := $(CURDIR)/plugins
# Without bytecode each process would compile Airflow anew, 4 s, and the tests start a hundred; images for containers set it.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := check
.PHONY: check help demo test backfills bench bench-local share-coverage summaries dashboard-bench screenshots sim sizing \
	package mwaa-check deploy rollback lint secrets audit types docs-commands up down lock clean

check: lint secrets types test ## Lint, secrets, types and tests

help: ## This list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-14s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

.venv/.ready: requirements-dev.lock
	@echo "Installing the environment into .venv (Python: $(PYTHON); once, about a minute) ..."
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Chat Census needs Python 3.11 or newer, this is " + sys.version.split()[0] + ": make PYTHON=/path/to/python3.12")'
	@$(PYTHON) -m venv --clear .venv
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check uv==$(UV_VERSION)
	@$(BIN)/uv pip install --quiet --no-deps --python $(BIN)/python -r requirements-dev.lock
	@$(BIN)/uv pip install --quiet --python $(BIN)/python --offline --no-deps --editable .
	@touch $@

DATA ?=
LATENCY ?= 0.3

demo: .venv/.ready ## The whole census on this machine, no AWS: make demo [DATA=file.jsonl] [LATENCY=0]
	@$(BIN)/python -m demo $(if $(DATA),--data "$(DATA)") --latency $(LATENCY)

up: .venv/.ready ## The real Airflow UI on 127.0.0.1:8080: make up [PORT=8081] [SCHEDULE=1]
	@$(BIN)/python -m demo.up $(if $(PORT),--port $(PORT)) $(if $(SCHEDULE),--schedule)

down: .venv/.ready ## End what `make up` started
	@$(BIN)/python -m demo.down

test: .venv/.ready ## All tests
	@echo "Running the tests ..."
	@$(BIN)/python -m pytest -q -n 3 --dist loadfile --no-loadscope-reorder $(ARGS)

backfills: .venv/.ready ## A backfill of 30 days beside other runs in a real Airflow: make backfills [DAYS=30], some minutes
	@BACKFILL_DAYS=$(or $(DAYS),30) $(BIN)/python -m pytest -q --log-cli-level=INFO --durations=0 tests/process/test_backfills.py

CASE ?= requests

bench: .venv/.ready ## Our engine beside what others would write: make bench [CASE=tokens|half|sharing|cost|memory]
	@PYTHONPATH=plugins:. $(BIN)/python -m bench.run --install --case $(CASE) $(ARGS)

share-coverage: .venv/.ready ## How often the intervals of corrected shares hold the truth: some 50 s
	@PYTHONPATH=plugins:. $(BIN)/python -m bench.share_coverage

CONVERSATIONS ?= 1000000

summaries: .venv/.ready ## What all summaries of a large table take: make summaries [CONVERSATIONS=1000000]
	@PYTHONPATH=plugins:. $(BIN)/python -m bench.summaries --conversations $(CONVERSATIONS)

ITEMS ?= 50000

bench-local: .venv/.ready ## What the local AWS takes and gives: make bench-local [ITEMS=1000000]
	@PYTHONPATH=plugins:. $(BIN)/python -m bench.local_aws --items $(ITEMS)

dashboard-bench: .venv/.ready ## How fast the dashboard is with 500 days of 20 categories and departments: a minute
	@PYTHONPATH=plugins:. $(BIN)/python -m bench.dashboard

screenshots: .venv/.ready ## The pictures of the README, taken anew by the browser of the tests
	@PYTHONPATH=plugins:. $(BIN)/python -m tests.browser.screenshots

SEEDS ?= 10000

sim: .venv/.ready ## Simulate the engine under faults: make sim [SEEDS=n] [SEED=n replays one]
	@PYTHONPATH=plugins:. $(BIN)/python -m tests.sim $(if $(SEED),--seed $(SEED),$(SEEDS))

sizing: .venv/.ready ## Workers, minutes and USD for 10 thousand to 100 million conversations
	@PYTHONPATH=plugins:. $(BIN)/python -m bench.sizing

package: .venv/.ready ## What MWAA needs, in dist/: the same tree gives the same bytes
	@$(BIN)/python -m deploy.package

LANE ?= 3.3.1

mwaa-check: .venv/.ready ## The package in a fresh environment as MWAA makes it: make mwaa-check [LANE=3.3.2|3.2.1]
	@PYTHONPATH=plugins:. $(BIN)/python -m deploy.mwaa_check --lane $(LANE)

BUCKET_OF = $(or $(BUCKET),$(error name the bucket of the environment: make $@ BUCKET=my-mwaa-bucket))

deploy: .venv/.ready ## Upload dist/ to the bucket of an environment: make deploy BUCKET=... [PREFIX=...]
	@$(BIN)/python -m deploy.upload --bucket "$(BUCKET_OF)" --prefix "$(PREFIX)"

RELEASE ?= previous

rollback: .venv/.ready ## Bring an earlier release back: make rollback BUCKET=... [PREFIX=...] [RELEASE=...]
	@$(BIN)/python -m deploy.upload --bucket "$(BUCKET_OF)" --prefix "$(PREFIX)" --rollback "$(RELEASE)"

lint: .venv/.ready ## Style of Python and SQL
	@$(BIN)/ruff check . && $(BIN)/ruff format --check . && $(BIN)/sqlfluff lint -q include/sql && $(BIN)/cfn-lint deploy/*.yaml

secrets: .venv/.ready ## Keys and tokens that are about to be committed
	@git ls-files -z --cached --others --exclude-standard \
		| xargs -0 -P 2 -n 200 $(BIN)/detect-secrets-hook --no-verify --baseline .secrets.baseline

audit: .venv/.ready ## Known vulnerabilities of what is pinned; asks api.osv.dev
	@$(BIN)/python -m deploy.audit

types: .venv/.ready ## Types of plugins/
	@$(BIN)/mypy

docs-commands: .venv/.ready ## Run the heavy commands of the documents, and count all of them: ten minutes
	@PYTHONPATH=plugins:. $(BIN)/python -m tests.docs

lock: .venv/.ready ## Resolve constraints.txt (as MWAA 3.3.1) and requirements-dev.lock (everything else on top)
	@grep -v '^--constraint' requirements.txt > .venv/runtime.in
	@$(BIN)/uv pip compile -q --no-header --no-annotate --strip-extras --python-version 3.12 --exclude-newer 2026-08-12 \
		-c constraints.in .venv/runtime.in -o constraints.txt
	@$(BIN)/uv pip compile -q --no-header --no-annotate --strip-extras --universal --python-version 3.11 --exclude-newer 2026-08-12 \
		-c constraints.in .venv/runtime.in -o .venv/runtime.lock
	@echo rfc3987-syntax > .venv/excludes.txt # jsonschema needs none; with it, each start of Airflow takes 4 s more
	@$(BIN)/uv pip compile -q --no-header --no-annotate --strip-extras --universal --python-version 3.11 \
		--excludes .venv/excludes.txt -c .venv/runtime.lock .venv/runtime.in requirements-dev.txt -o requirements-dev.lock

clean: down ## Remove the state of the demo and of make up (not the environment)
	@rm -rf .local report.html
