# Each target makes what it needs: a virtual environment by the standard venv and pip, nothing else is assumed.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet

# Suites that run beside each other, on two cores; the others run whole installations, and keep the machine.
BESIDE := tests/contract tests/oracle tests/imports_test.py tests/e2e/report_test.py tests/e2e/eval_test.py

.PHONY: demo test check bench bench-gateway bench-scoring bench-intervals load kit clean

demo: $(VENV)/.installed
	$(BIN)/huidu demo

test: $(VENV)/.installed-dev check
ifeq ($(strip $(PYTEST)),)
	$(BIN)/python -m pytest -n 2 src tools $(BESIDE)
	$(BIN)/python -m pytest tests $(BESIDE:%=--ignore=%)
else
	$(BIN)/python -m pytest $(PYTEST)
endif

check: $(VENV)/.installed-dev
	$(BIN)/ruff check src tests tools
	$(BIN)/ruff format --check src tests tools
	$(BIN)/mypy

load: $(VENV)/.installed-dev
	PYTHONPATH=tests $(BIN)/python tests/bench/gateway_load.py

bench-gateway: $(VENV)/.installed-dev
	PYTHONPATH=tests $(BIN)/python tests/bench/gateway.py

bench-scoring: $(VENV)/.installed-dev
	$(BIN)/python tests/bench/scoring.py

bench-intervals: $(VENV)/.installed-dev
	PYTHONPATH=tests $(BIN)/python tests/bench/intervals.py

bench: $(VENV)/.installed-dev
	$(BIN)/python tests/bench/verdicts.py

# Rebuilds the demo kit's models and audio; see tools/demo_kit/README.md. Takes about half an hour and espeak-ng.
kit:
	$(PYTHON) -m venv .venv-kit
	.venv-kit/bin/python -m pip install --quiet -r tools/demo_kit/requirements.txt
	.venv-kit/bin/python tools/demo_kit/build.py --out src/huidu/demo/kit
	.venv-kit/bin/python tools/demo_kit/check.py --kit src/huidu/demo/kit

$(VENV)/.installed: requirements/run.txt requirements/build.txt pyproject.toml
	$(PYTHON) -c 'import sys; sys.exit("Huidu needs Python 3.11 or newer, this is " + sys.version.split()[0] if sys.version_info < (3, 11) else 0)'
	$(PYTHON) -m venv $(VENV)
	$(PIP) install -r requirements/build.txt -r requirements/run.txt
	$(PIP) install --no-deps --no-build-isolation --editable .
	touch $@

$(VENV)/.installed-dev: requirements/dev.txt $(VENV)/.installed
	$(PIP) install -r requirements/dev.txt
	touch $@

clean:
	rm -rf $(VENV) .venv-kit .mypy_cache .ruff_cache .pytest_cache .hypothesis
