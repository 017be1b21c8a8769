# Each target makes what it needs: a virtual environment by the standard venv and pip, nothing else is assumed.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet

# Suites that run beside each other, on two cores, test by test; those of whole installations do so file by file, for
# they mostly wait. The demo keeps the machine: its verdicts rest on how fast models answer.
BESIDE := tests/contract tests/oracle tests/imports_test.py tests/e2e/report_test.py tests/e2e/eval_test.py
ALONE := tests/e2e/demo_test.py

# Draws the order of the tests and what hypothesis tries; printed, and given again as make test SEED=1234.
ifndef SEED
SEED := $(shell $(PYTHON) -c 'import random; print(random.getrandbits(31))')
endif
RUN = $(BIN)/python -m pytest --randomly-seed=$(SEED) --hypothesis-seed=$(SEED)
# libfaketime: the monotonic clock stays, also where pthreads wait by it (which Python's threads do at each switch).
# Envoy does not start under it.
AHEAD := FAKETIME_DONT_FAKE_MONOTONIC=1 FAKETIME_FORCE_MONOTONIC_FIX=0 PYTHONPATH=$(CURDIR)/tests/ahead faketime -f +400d
NEEDS_ENVOY := src/huidu/adapters/gateways/envoy/envoy_test.py

.PHONY: demo test test-deep test-ahead test-bare check bench bench-gateway bench-scoring bench-intervals check-wetext load kit clean

demo: $(VENV)/.installed
	$(BIN)/huidu demo

test: $(VENV)/.installed-dev check
ifeq ($(strip $(PYTEST)),)
	$(RUN) -m "not deep" -n 2 --dist worksteal src tools $(BESIDE)
	$(RUN) -m "not deep" -n 2 --dist loadfile tests $(BESIDE:%=--ignore=%) $(ALONE:%=--ignore=%)
	$(RUN) -m "not deep" $(ALONE)
else
	$(RUN) $(PYTEST)
endif

# Suites that take long.
test-deep: $(VENV)/.installed-dev
	$(RUN) -m deep src tests tools

# The unit tests and nginx's, 400 days ahead: nothing may rest on today.
test-ahead: $(VENV)/.installed-dev
	$(AHEAD) $(RUN) -m "not deep" -n 2 --dist worksteal src tools --ignore=$(NEEDS_ENVOY)

# The unit tests where none of these programs is installed.
test-bare: $(VENV)/.installed-dev
	HUIDU_TEST_WITHOUT=nginx,sctk,chromium,ffmpeg $(RUN) -m "not deep" -n 2 --dist worksteal src tools

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

# The comparison of numbers beside another house's data: make check-wetext DATA=its checkout; see tests/oracle/wetext.py.
check-wetext: $(VENV)/.installed-dev
	$(BIN)/python tests/oracle/wetext.py $(if $(DATA),$(DATA),$(error DATA is missing; accepted: DATA=a checkout of WeTextProcessing))

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
