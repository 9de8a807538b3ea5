# `make demo` and `make test` are all that a newcomer needs: each makes the virtual environment that it runs in.

PYTHON ?= python3
VENV ?= .venv
RUN = $(VENV)/bin/python
DEMO_ARGUMENTS = $(if $(filter-out 0,$(ONCE)),--once) $(if $(SKIP),--skip $(SKIP))
PYTEST_ARGUMENTS = $(if $(FORBID_SKIPS),-p tests.forbid_skips)
SOURCES = core/dd_pa dd_pa_django dd_pa_flask dd_pa_pytest

.DEFAULT_GOAL := help
FUZZ ?= 500
.PHONY: help demo test check pytest fuzz answers matrix lint types vendor vendor-check bench simulate mutations chaos soak docs openapi \
  release-check clean

help: ## Show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-13s %s\n", $$1, $$2 }' Makefile

demo: ## Two shops and a local Product Analytics (ONCE=1: check and exit; PYTHON=python3.12)
	@$(PYTHON) -u example_project/demo/install.py $(DEMO_ARGUMENTS)

test: lint types pytest ## All tests, lint and types

# Left out: what starts processes and servers, waits for time-outs, or goes through hundreds of outages.
SLOW = tests/core/test_attributes.py tests/core/test_delivery_faults.py tests/core/test_doctor.py \
  tests/core/test_emitter_life.py tests/core/test_event_quarantine.py tests/core/test_reentrancy.py tests/core/test_secrets_in_logs.py \
  tests/core/test_spool_processes.py tests/core/test_tls.py

check: lint $(VENV)/installed ## While you work: lint, types and the quick tests
	$(RUN) -m mypy $(SOURCES) example_project/demo benchmarks tests
	$(RUN) -X dev -m pytest --quiet --numprocesses=auto --dist=loadfile tests/core $(SLOW:%=--ignore=%)

pytest: $(VENV)/installed
	$(RUN) -X dev -m pytest --numprocesses=auto --dist=loadfile --durations=15 $(PYTEST_ARGUMENTS)

fuzz: $(VENV)/installed ## Random programs of the ORM, held against triggers of three databases (FUZZ=500 on each)
	DD_PA_FUZZ=$(FUZZ) $(RUN) -m pytest tests/django_app/oracle --timeout=0

answers: $(VENV)/installed ## Random questions to the emulator, held against plain Python (ANSWERS=500 of each kind, SEED=1)
	DD_PA_ANSWERS=$(or $(ANSWERS),500) DD_PA_SEED=$(or $(SEED),1) $(RUN) -m pytest tests/emulator/test_plain_answers.py --timeout=0

matrix: $(VENV)/installed ## The glue's tests with each Django and Flask on each Python that is here, the delivery's with httpx
	$(VENV)/bin/pip install --quiet --group matrix
	UV_NATIVE_TLS=1 $(VENV)/bin/nox $(if $(FORBID_SKIPS),--error-on-missing-interpreters) -- $(if $(FORBID_SKIPS),forbid-skips)

lint: $(VENV)/installed ## ruff and import-linter
	$(RUN) -m ruff check .
	$(RUN) -m ruff format --check .
	$(VENV)/bin/lint-imports

types: $(VENV)/installed ## mypy and pyright
	$(RUN) -m mypy $(SOURCES) example_project/demo benchmarks tests
	$(RUN) -m pyright --pythonpath $(RUN)

vendor: ## Build the page's third-party code from its lock file (needs Node)
	frontend/vendor.sh

vendor-check: ## Fail if that file is not what its lock file gives, or the page's types are wrong
	frontend/vendor.sh --check

bench: $(VENV)/installed ## All benchmarks, beside other libraries, into benchmarks/README.md (12 minutes; ONLY=name; SMALL=1: only shown; COMPARE=revision: instructions)
	$(VENV)/bin/pip install --quiet --group bench
	$(if $(COMPARE),$(RUN) -m benchmarks.instructions --against $(COMPARE),$(RUN) -m benchmarks $(if $(ONLY),--only $(ONLY)) $(if $(filter-out 0,$(SMALL)),--small))

simulate: $(VENV)/installed ## Delivery under trouble of all kinds (SEEDS=0:1000; SEED=7 KINDS=kill,eio: one again)
	$(RUN) -m tests.simulation $(if $(SEED),--seed $(SEED),--seeds $(or $(SEEDS),0:1000)) $(if $(KINDS),--kinds $(KINDS))

mutations: $(VENV)/installed ## Which seed of the simulation finds each of 52 faults made on purpose (10 minutes)
	$(RUN) -m tests.simulation.mutations $(if $(ONLY),--only "$(ONLY)")

openapi: $(VENV)/installed ## Datadog's OpenAPI document held against the emulator: no 500, documented answers (SPEC=openapi.yaml EXAMPLES=20 SEED=1)
	$(VENV)/bin/pip install --quiet --group openapi
	$(RUN) -m tests.emulator.openapi $(SPEC) --examples $(or $(EXAMPLES),20) --seed $(or $(SEED),1)

docs: $(VENV)/installed ## The documentation's site in build/site; a warning is an error
	$(VENV)/bin/pip install --quiet --group docs
	$(RUN) site/build.py

release-check: $(VENV)/installed ## What must hold before a version is tagged (TAG=v1.2.3); leaves the files in dist/
	$(VENV)/bin/pip install --quiet --group release
	$(RUN) release/check.py $(if $(TAG),--tag $(TAG))

chaos: $(VENV)/installed ## A shop whose processes are killed at random for a minute; nothing may be lost (SEED=1 SECONDS=60)
	$(RUN) -m tests.processes.chaos $(if $(SEED),--seed $(SEED)) --seconds $(or $(SECONDS),60)

soak: $(VENV)/installed ## HTTP/2 over real servers that are killed, reloaded and cut off all the time (MINUTES=60 SEED=1)
	$(RUN) -m tests.http2.soak $(if $(SEED),--seed $(SEED)) --minutes $(or $(MINUTES),60)

clean: ## Remove what the above made
	rm -rf .venv .nox .demo build dist .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis .coverage
	find . -name __pycache__ -not -path './.git/*' -prune -exec rm -rf {} +

$(VENV)/installed: pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(VENV)/bin/pip install --quiet --upgrade pip
	$(VENV)/bin/pip install --quiet --editable '.[django,flask,cli,emulator,query]' --group test --group lint --group typing
	touch $@
