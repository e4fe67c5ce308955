# The two commands are `make run` and `make test`. Both make the environment in .venv first.
.DEFAULT_GOAL := help
.PHONY: help run test test-fast lint format prove mutants bench scale audit shell lock bump locks tracing runtime development

VENV_PYTHON := .venv/bin/python
UV_COMPILE = $(VENV_PYTHON) -m uv pip compile --universal --python-version 3.11 --quiet $(RAISED) --generate-hashes \
	--no-emit-index-url --no-annotate --no-header

help: ## list the commands
	@sed -n 's/^\([a-z-]*\):.*## /  make \1 |/p' Makefile | awk -F '|' '{ printf "%-18s%s\n", $$1, $$2 }'

run: runtime ## set up and run everything on this machine: database, broker, web, worker, beat (PORT, default 8000)
	@$(VENV_PYTHON) -m billing_site.launcher run --end-with-parent

test: development ## set up and run all checks and tests
	@$(VENV_PYTHON) -m tests.gate --end-with-parent

test-fast: development ## the tests that need no browser, no killed processes and no long runs (minutes)
	@$(VENV_PYTHON) -m tests.gate --fast --end-with-parent

lint: development ## the checks without the tests
	@$(VENV_PYTHON) -m tests.gate --lint --end-with-parent

prove: development ## the promises in full size (long)
	@COUNTINGHOUSE_PROVE=1 $(VENV_PYTHON) -m pytest -m prove -n 0 -s --refuse-skips

mutants: development ## put small faults into rules, guards and SQL: which does no test notice (up to an hour)
	@$(VENV_PYTHON) -m tests.mutants

bench: development ## the ratios of speed, each against a floor measured beside it (some minutes)
	@$(VENV_PYTHON) -m tests.benchmarks

ENTRIES ?= 500000
scale: development ## what each page, call, job and report reads at a tenth of ENTRIES and at all (minutes; ENTRIES=5000000 for years)
	@COUNTINGHOUSE_SCALE=$(ENTRIES) $(VENV_PYTHON) -m pytest -q -n 0 --show-capture=no tests/scale

format: development ## format the sources
	@$(VENV_PYTHON) -m ruff check --fix --quiet .
	@$(VENV_PYTHON) -m ruff format .
	@git ls-files -z --cached --others --exclude-standard '*.html' | xargs -0 .venv/bin/djade --target-version 5.2

audit: development ## look for published weaknesses of the locked dependencies
	@.venv/bin/python -m pip_audit --progress-spinner=off --disable-pip --require-hashes -r .requirements/runtime.txt

shell: runtime ## a Python shell beside `make run`, with Django and every model loaded
	@$(VENV_PYTHON) manage.py shell

lock: RAISED = --upgrade
lock: locks ## raise every dependency to its newest version and lock them with hashes

bump: RAISED = --upgrade-package $(or $(PACKAGE),$(error Name the dependency: make bump PACKAGE=django))
bump: locks ## raise or add one dependency (PACKAGE=name) and leave the others as they are

locks: development
	$(UV_COMPILE) pyproject.toml -o .requirements/runtime.txt
	$(UV_COMPILE) --group engines -c .requirements/runtime.txt -o .requirements/engines.txt
	$(UV_COMPILE) pyproject.toml --extra tracing -c .requirements/runtime.txt -o .requirements/tracing.txt
	$(UV_COMPILE) pyproject.toml --extra tracing --extra development -c .requirements/tracing.txt -o .requirements/development.txt
	$(UV_COMPILE) --group peers -o .requirements/peers.txt
	$(UV_COMPILE) --group localstripe -o .requirements/localstripe.txt
	$(UV_COMPILE) --group build -o .requirements/build.txt
	$(UV_COMPILE) --group node -o .requirements/node.txt

tracing: ## install what OTEL_EXPORTER_OTLP_ENDPOINT needs, for make run

runtime development tracing:
	@sh .ci/environment $@
