# `make demo` and `make test` are all a newcomer needs: each makes .venv and installs into it.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed

.PHONY: demo test lint test-azure clean

demo: $(STAMP)
	$(BIN)/python -m ipcluster_azure.examples.demo

test: $(STAMP)
	$(BIN)/python -m pytest

lint: $(STAMP)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

test-azure: $(STAMP)
	$(BIN)/python -m pytest tests/end_to_end --target=azure

clean:
	rm -rf $(VENV) build dist *.egg-info

$(STAMP): setup.cfg pyproject.toml
	@$(PYTHON) -c 'import sys; v = sys.version_info; sys.exit(None if v >= (3, 10) else "Python 3.10 or newer is needed, this is %d.%d; choose another with: make PYTHON=python3.12 ..." % v[:2])'
	$(PYTHON) -m venv --clear $(VENV)
	$(BIN)/python -m pip install --quiet 'uv>=0.5'
	$(BIN)/uv pip install --quiet --python $(BIN)/python --editable '.[emulator,examples,test]'
	@touch $@
