# `make run` starts the studio, `make test` runs all tests; each sets up what it needs.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

.PHONY: help run test lint types format bench faults fuzz audit demo lock migrations

help:            ## list the targets
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*##/\t/'

$(VENV)/.server: requirements.txt
	@$(PYTHON) -c 'import sys; sys.exit("Python 3.11 or newer is needed" if sys.version_info < (3, 11) else 0)'
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install -q --disable-pip-version-check uv
	$(BIN)/uv pip install -q --compile-bytecode --python $(BIN)/python --require-hashes -r requirements.txt
	@touch $@

$(VENV)/.dev: requirements-dev.txt $(VENV)/.server
	$(BIN)/uv pip install -q --compile-bytecode --python $(BIN)/python --require-hashes -r requirements-dev.txt
	@touch $@

$(VENV)/.demo: requirements-demo.txt $(VENV)/.server
	$(BIN)/uv pip install -q --compile-bytecode --python $(BIN)/python --require-hashes -r requirements-demo.txt
	@touch $@

# Clients as users have them: each in an environment of its own, beside the studio's.
.venv-mlflow/.done .venv-mlflow2/.done .venv-trackio/.done: .venv-%/.done: requirements-%.txt $(VENV)/.server
	@test -x .venv-$*/bin/python || $(BIN)/uv venv -q --python $(BIN)/python .venv-$*
	$(BIN)/uv pip install -q --python .venv-$*/bin/python --require-hashes -r $<
	@touch $@

run: $(VENV)/.server $(if $(filter 1,$(STUDIO_DEMO)),$(VENV)/.demo)  ## start the studio on http://127.0.0.1:8000 (PORT, STUDIO_HOME, STUDIO_DEMO=1)
	@exec $(BIN)/python manage.py up

test: $(VENV)/.dev .venv-mlflow/.done .venv-mlflow2/.done  ## run every test (installs Chromium, PostgreSQL, Redis, RabbitMQ where it can)
	@BIN=$(BIN) tests/run.sh

lint: $(VENV)/.dev  ## style and types
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

format: $(VENV)/.dev  ## rewrite to the house style
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: $(VENV)/.dev .venv-mlflow/.done .venv-trackio/.done  ## measure against the limits; writes benchmarks/RESULTS.md
	$(BIN)/python -m benchmarks

faults: $(VENV)/.dev  ## the fault tests in their long form, with a table of the promises at the end
	STUDIO_FAULTS=long $(BIN)/pytest -m faults

fuzz: $(VENV)/.dev  ## thousands of wrong requests to the API and to MLflow's protocol
	STUDIO_FUZZ=long $(BIN)/pytest tests/security -k fuzz

# --strict: a package that the service does not know is a failure, not a blank.
audit: $(VENV)/.dev  ## known holes of the locked dependencies; writes sbom.json
	$(BIN)/pip-audit --strict --disable-pip --require-hashes --progress-spinner off -f cyclonedx-json -o sbom.json -r requirements.txt -r requirements-demo.txt
	$(BIN)/pip-audit --strict --disable-pip --require-hashes --progress-spinner off -r requirements-dev.txt

demo: $(VENV)/.server $(VENV)/.demo  ## submit the demo's training runs to the running studio
	$(BIN)/python manage.py seed_demo

lock: $(VENV)/.server  ## resolve requirements*.in again
	$(BIN)/uv pip compile -q --python-version 3.11.0 --generate-hashes --no-header --no-emit-index-url requirements.in -o requirements.txt
	$(BIN)/uv pip compile -q --python-version 3.11.0 --generate-hashes --no-header --no-emit-index-url requirements-demo.in -c requirements.txt -o requirements-demo.txt
	$(BIN)/uv pip compile -q --python-version 3.11.0 --generate-hashes --no-header --no-emit-index-url requirements-dev.in -c requirements.txt -o requirements-dev.txt
	$(BIN)/uv pip compile -q --generate-hashes --no-header --no-emit-index-url requirements-mlflow.in -o requirements-mlflow.txt
	$(BIN)/uv pip compile -q --generate-hashes --no-header --no-emit-index-url requirements-mlflow2.in -o requirements-mlflow2.txt
	$(BIN)/uv pip compile -q --generate-hashes --no-header --no-emit-index-url requirements-trackio.in -o requirements-trackio.txt
