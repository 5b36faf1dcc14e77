# Everything a checkout needs: `make demo` to see it, `make test` to trust it. Works as root or not, with git or without.
# `make demo SERVE=1` stays up with the API.

SHELL := /bin/bash
VENV := .venv
ifndef PYTHON # looked for once; some machines take their time to say that there is none
PYTHON := $(shell for p in python3.14 python3.13 python3.12 python3.11 python3 python; do \
	"$$p" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && { echo "$$p"; break; }; done)
endif
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --no-input --quiet
STAMP := $(VENV)/.installed
BENCH_STAMP := $(VENV)/.installed-bench
FUZZ_STAMP := $(VENV)/.installed-fuzz
FUZZ_SECONDS ?= 60
# Tests side by side; 0: one after the other. Many of them wait for devices, so one more than a small machine has cores.
WORKERS ?= 3
ROOMS := core ipsets vendors controller api lab

.PHONY: demo test compiled lint format bench bench-intel fuzz clean lock client docs system system-tests

demo: system $(STAMP)
	@$(BIN)/tokgate demo $(if $(filter-out 0,$(SERVE)),--serve)

# Compiled code is kept, whatever the environment says of it: the tests start tokgate a hundred times in processes of its
# own, and each worker loads all the tests. They are compiled on one core while the types are checked on another; what
# cannot be loaded is told by the tests themselves.
test: export PYTHONDONTWRITEBYTECODE :=
test: system-tests $(STAMP)
	@$(MAKE) --silent $(FUZZ_STAMP) 2>/dev/null || echo "atheris cannot be installed here: the seeds of fuzzing are only replayed" >&2
	@$(MAKE) --silent -j2 lint compiled
	@$(BIN)/pytest --numprocesses $(WORKERS) --dist worksteal

compiled: $(STAMP)
	@$(BIN)/pytest --collect-only -qq >/dev/null 2>&1 || true

lint: $(STAMP)
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy

format: $(STAMP)
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .

bench: system $(STAMP) $(BENCH_STAMP)
	@$(BIN)/python -m bench

# How good the shipped list is; offline, in seconds, and equal on every machine.
bench-intel: $(STAMP)
	@$(BIN)/python -m bench.intel

# So many seconds for each parser; what it finds is kept in .fuzz, and the next run goes on from there.
fuzz: $(STAMP) $(FUZZ_STAMP)
	@mkdir -p .fuzz
	@for target in plain rules listed table database routes message; do \
		echo "Fuzzing $$target for $(FUZZ_SECONDS) seconds"; \
		$(BIN)/python -m tests.fuzz $$target -max_total_time=$(FUZZ_SECONDS) -verbosity=0 -print_final_stats=1 \
			-artifact_prefix=.fuzz/found-$$target- .fuzz/$$target || exit 1; \
	done

client: $(STAMP)
	@PYTHONPATH=. $(BIN)/python scripts/build_client.py

docs: $(STAMP)
	@$(BIN)/python scripts/build_cli_docs.py

clean:
	@rm -rf $(VENV) .fuzz .mypy_cache .ruff_cache .pytest_cache .hypothesis *.egg-info build dist tokgate-demo
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +

# As root it installs what is missing. Otherwise it says what is missing, and what can be done without goes on.
system:
	@PYTHON="$(PYTHON)" scripts/install-system-packages || [[ $$(id -u) -ne 0 ]]

# With a browser besides.
system-tests:
	@PYTHON="$(PYTHON)" scripts/install-system-packages tests || [[ $$(id -u) -ne 0 ]]

$(STAMP): pyproject.toml requirements.lock
	@[[ -n "$(PYTHON)" ]] || { echo "Python 3.11 or later is needed, and not found." >&2; exit 1; }
	@echo "Installing tokgate into $(VENV)"
	@"$(PYTHON)" -m venv $(VENV)
	@$(PIP) install --require-hashes -r requirements.lock
	@$(PIP) install --no-deps --no-build-isolation -e .
	@touch $@

$(BENCH_STAMP): requirements-bench.lock $(STAMP)
	@$(PIP) install --require-hashes -r requirements-bench.lock
	@touch $@

$(FUZZ_STAMP): requirements-fuzz.lock $(STAMP)
	@$(PIP) install --only-binary :all: --require-hashes -r requirements-fuzz.lock
	@touch $@

# New versions: `make lock UPGRADE=--upgrade`. The locks name no index, so every mirror serves them.
LOCK := $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
	--no-header --extra inventory --extra kafka --extra lab --extra mrt --extra pdf --extra postgresql --extra s3 --group dev $(UPGRADE)
lock: $(STAMP)
	@[[ -x $(BIN)/uv ]] || $(PIP) install uv
	@$(LOCK) pyproject.toml -o requirements.lock
	@$(LOCK) --group bench -c requirements.lock pyproject.toml -o requirements-bench.lock
	@$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url 		--no-header --group pyproject.toml:fuzz $(UPGRADE) -o requirements-fuzz.lock
