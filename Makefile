# Everything from a machine with Python 3.10 to 3.13 and make:
#
#   make demo                        build, train, deploy and estimate on digits
#   make test                        the tests
#   make PYTHON=python3.12 test      the same with another Python
#
# The first call makes a virtual environment per Python version, .venv-py3XX.

PYTHON ?= python3
PYTEST_ARGS ?=

# One constraints file per Python that is supported.
supported := $(patsubst deploy/constraints/py3%.txt,3.%,$(wildcard deploy/constraints/py3*.txt))
found := $(shell $(PYTHON) -c 'import sys; print("%d.%d" % sys.version_info[:2])' 2>/dev/null)
tag := py$(subst .,,$(found))
venv := .venv-$(tag)
run := $(venv)/bin

.PHONY: help demo test check format parity docs environment clean

help:
	@sed -n 's/^#   //p' Makefile
	@echo "make check, format, parity, docs, clean: see CONTRIBUTING.md"

environment:
ifeq ($(filter $(found),$(supported)),)
	@echo "nengo-hybrid needs Python $(supported); $(PYTHON) is $(or $(found),not there)." >&2
	@echo "Name another, for example: make PYTHON=python3.11 $(or $(MAKECMDGOALS),test)" >&2
	@exit 2
endif
	@$(PYTHON) .ci/environment.py $(venv)

demo: environment
	@$(run)/nengo-hybrid demo --out demo-out

test: environment
	@$(run)/python -m pytest $(PYTEST_ARGS)

check: environment
	$(run)/ruff check .
	$(run)/ruff format --check .
	$(run)/python -m pytest -q tests/test_imports.py tests/test_packaging.py

format: environment
	$(run)/ruff check --fix .
	$(run)/ruff format .

parity: environment
	@$(run)/python -m pip install --quiet -c deploy/constraints/$(tag).txt \
		-r tests/parity/requirements.txt
	@# Lava runs on Python 3.10 alone; without one its tests are skipped.
	@python3.10 -c "" 2>/dev/null && test ! -e .venv-lava && python3.10 -m venv .venv-lava \
		&& .venv-lava/bin/python -m pip install --quiet -r tests/parity/requirements-lava.txt \
		&& .venv-lava/bin/python -m pip install --quiet --no-deps lava-dl==0.6.0 || true
	$(run)/python -m pytest -m parity $(PYTEST_ARGS)

docs: environment
	@$(run)/python -m pip install --quiet -c deploy/constraints/$(tag).txt \
		--no-build-isolation --editable ".[docs]"
	$(run)/python -m sphinx -W -b html docs docs/_build/html

clean:
	rm -rf .venv-py3* .venv-lava build dist *.egg-info .pytest_cache .ruff_cache .hypothesis
