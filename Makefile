# `make demo` and `make test` are all a newcomer needs: each makes .venv and installs into it.
# Another Python: make PYTHON=python3.12 ...
# Fewer tests:    make test PYTEST_ADDOPTS="-k emulator"
PYTHON ?= python3
# For two cores: while some tests wait for machines, the others use them.
WORKERS ?= 3
VENV := .venv
BIN := $(VENV)/bin
PYTHON_VERSION := $(shell $(PYTHON) -c 'import sys; print("%d.%d.%d" % sys.version_info[:3])')
MADE := $(VENV)/.made-with-$(PYTHON_VERSION)
STAMP := $(VENV)/.installed
PYTEST := $(BIN)/python -m pytest
DOCS_ENV := build/docs-env
DOCS_STAMP := $(DOCS_ENV)/.installed

# else every process would compile the Azure SDK anew: half a million lines
unexport PYTHONDONTWRITEBYTECODE

.PHONY: help demo test again test-machines test-machines-short test-az docs lint bench bench-pricer schemas test-azure kills complete soak mutation clean

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-19s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: $(STAMP) ## the whole way in half a minute, on the emulator
	$(BIN)/python -m ipcluster_azure.examples.demo

test: $(STAMP) ## all tests, on the emulator
	$(PYTEST) -n $(WORKERS) --dist=worksteal

again: $(STAMP) ## the tests that failed last time, one after the other
	$(PYTEST) --last-failed --last-failed-no-failures none

test-machines: $(STAMP) ## tests on containers with systemd; as root on Linux, half an hour
	IPCLUSTER_AZURE_TEST_MACHINES=1 $(PYTEST) tests/machines
	IPCLUSTER_AZURE_TEST_MACHINES=1 $(PYTEST) tests/end_to_end

test-machines-short: $(STAMP) ## the part of it that the gate runs: a cluster, and who reaches which port
	IPCLUSTER_AZURE_TEST_MACHINES=1 $(PYTEST) tests/machines/test_cluster.py tests/machines/test_ports.py

lint: $(STAMP) ## rules, format, types, and the order of the rooms
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/mypy --platform=win32 --cache-dir=.mypy_cache/win32 --exclude=/on_vm/ --package=ipcluster_azure
	$(BIN)/mypy --platform=darwin --cache-dir=.mypy_cache/darwin --exclude=/on_vm/ --package=ipcluster_azure
	$(BIN)/lint-imports --no-logo

# The documentation as a site: build/site/index.html.
docs: $(DOCS_STAMP) ## the documentation as a site: build/site/index.html
	$(DOCS_ENV)/bin/sphinx-build -q -E -W --keep-going -c docs -d build/docs-trees -b html . build/site
	@echo "The site is in build/site/index.html"

# All benchmarks, about 80 minutes on an idle computer, into docs/benchmarks.md. Only some of them, with
# the other sections left as they are: make bench BENCH="forked tunnel"
bench: $(STAMP) ## all benchmarks into docs/benchmarks.md, about 80 minutes; some: BENCH="forked tunnel"
	$(BIN)/python -m benchmarks $(BENCH)

# The Monte Carlo pricer's section of that page alone: speed, variance, scheduling.
bench-pricer: $(STAMP) ## the options pricer's section of that page, about 6 minutes
	$(BIN)/python -m benchmarks pricer

# The emulator's body schemas, from the models of the installed Azure SDK.
schemas: $(STAMP) ## the emulator's body schemas, anew from the installed Azure SDK
	$(BIN)/python tools/generate_schemas.py

# Needs `az login`, AZURE_SUBSCRIPTION_ID and IPCLUSTER_AZURE_TEST_SPENDING_CAP; costs money.
test-azure: $(STAMP) ## tests/azure on a real subscription; costs money
	$(PYTEST) tests/azure --target=azure

# Everyday commands of az on the emulator, and job files, about 8 minutes. az has an environment of
# its own: it is large, and its SDK is not of the launchers' versions.
AZ_VENV := .venv-az
AZ_TESTS := tests/az tests/end_to_end/test_job_files.py::test_az_deploys_the_same_and_twice_what_it_once_did
test-az: $(STAMP) $(AZ_VENV)/.installed ## everyday commands of az on the emulator, and job files, about 8 minutes
	IPCLUSTER_AZURE_TEST_AZ=$(abspath $(AZ_VENV))/bin/az $(PYTEST) $(AZ_TESTS) -n 0

$(AZ_VENV)/.installed: $(STAMP)
	$(BIN)/uv venv --quiet --clear --python $(BIN)/python $(AZ_VENV)
	$(BIN)/uv pip install --quiet --python $(AZ_VENV)/bin/python 'azure-cli>=2.80'
	@touch $@

# Every way to die at every HTTP exchange; `make test` dies at each kind of exchange.
kills: $(STAMP) ## every way to die at every HTTP exchange, about 20 minutes
	IPCLUSTER_AZURE_TEST_COMPLETE=1 $(PYTEST) tests/end_to_end/test_kills.py -n $(WORKERS) --dist=worksteal

# All tests, with those that are much like another and the long series: about 50 minutes.
complete: $(STAMP) ## all tests, with the long series, about 50 minutes
	IPCLUSTER_AZURE_TEST_COMPLETE=1 $(PYTEST) -n $(WORKERS) --dist=worksteal

# 3,000 starts and stops with random faults and kills, into docs/benchmarks.md.
soak: $(STAMP) ## 3,000 starts and stops with random deaths, about an hour
	$(BIN)/python -m benchmarks soak

# How much of what plans, remembers and deletes can be broken unnoticed: see CONTRIBUTING.md.
mutation: $(STAMP) ## breaks the code in hundreds of places and counts what tests notice
	$(BIN)/python tools/mutation.py

clean: ## removes .venv, what was built, and caches
	rm -rf $(VENV) $(AZ_VENV) build dist *.egg-info demo-output .pytest_cache .mypy_cache .ruff_cache .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(STAMP): setup.cfg pyproject.toml $(MADE)
	$(BIN)/uv pip install --quiet --compile-bytecode --python $(BIN)/python --editable '.[emulator,examples,test]'
	@touch $@

$(DOCS_STAMP): setup.cfg pyproject.toml $(MADE)
	$(BIN)/uv venv --quiet --clear --python $(BIN)/python $(DOCS_ENV)
	$(BIN)/uv pip install --quiet --python $(DOCS_ENV)/bin/python --editable '.[docs,emulator]'
	@touch $@

$(MADE):
	@$(PYTHON) -c 'import sys; v = sys.version_info; sys.exit(None if v >= (3, 10) else "Python 3.10 or newer is needed, this is %d.%d; choose another with: make PYTHON=python3.12 ..." % v[:2])'
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { echo "This Python can't make virtual environments: it lacks ensurepip. On Debian and Ubuntu: apt install python3-venv" >&2; exit 1; }
	$(PYTHON) -m venv --clear $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check 'uv>=0.9.10'
	@touch $@
