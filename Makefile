# Two commands matter: `make demo` and `make test`. Both set up what they need in .venv.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
PIP    := $(BIN)/python -m pip --disable-pip-version-check --quiet

.PHONY: demo test test-long lint bench figures lock clean

demo: $(VENV)/.demo
	$(BIN)/simswarm demo

test: $(VENV)/.test lint
	$(BIN)/python -m pytest -n 2 -m "not slow" -rs --ignore=tests/live
	$(BIN)/python -m pytest -m "not slow" -rs tests/live  # real time: alone on the machine

test-long: $(VENV)/.test
	$(BIN)/python -m pytest -m slow -rs --ignore=tests/hunt  # the zoo: python -m benchmarks.hunt
	$(BIN)/python -m tests.determinism

lint: $(VENV)/.test
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo

bench: $(VENV)/.test
	$(BIN)/python -m benchmarks

figures: $(VENV)/.test
	$(BIN)/python -m benchmarks.figures

$(VENV)/bin/python:
	$(PYTHON) -m venv $(VENV)

$(VENV)/.demo: $(VENV)/bin/python requirements.lock pyproject.toml
	$(PIP) install --require-hashes -r requirements.lock
	$(PIP) install --no-deps --no-build-isolation --editable .
	touch $@

$(VENV)/.test: $(VENV)/bin/python requirements-test.lock pyproject.toml
	$(PIP) install --require-hashes -r requirements-test.lock
	$(PIP) install --no-deps --no-build-isolation --editable .
	touch $@ $(VENV)/.demo

# Locks hold versions and hashes, valid on 3.11 to 3.13, and name no index.
LOCK = $(BIN)/uv pip compile --universal --python-version 3.11 --generate-hashes \
	--no-annotate --no-header --no-emit-index-url --quiet pyproject.toml
lock: $(VENV)/bin/python
	$(PIP) install uv
	$(LOCK) --extra build -o requirements.lock
	$(LOCK) --extra build --extra test --extra live --extra data --extra notebook \
		-o requirements-test.lock

clean:
	rm -rf $(VENV) build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis
