# `make` lists what there is. The environments are made under .venv/ on first use.
# PYTHON=python3.12 names the interpreter, PYTHONS="3.10 3.13" (or all) those to test on, JOBS=1
# runs one stage at a time.

PYTHON ?= python3
SUITE = @$(PYTHON) scripts/suite.py
ENVIRONMENT = $(PYTHON) scripts/environments.py

.DEFAULT_GOAL := help
.PHONY: help serve demo test check tests lint types docs upstream bench wheels layer layer-test \
  lock audit format clean python

help: ## show this list
	@sed -n 's/^\([a-z-]*\):[^#]*## /\1	/p' $(MAKEFILE_LIST) | expand -t 12

serve: python ## the example chat behind the local gateway; SERVE_ARGS="--port 0 --reload" adds to it
	@python=$$($(ENVIRONMENT) examples) && cd examples/chat && \
	  exec "$$python" -m mangum serve main:handler $(SERVE_ARGS)

demo: python ## answer one recorded event of each source with an example application
	@python=$$($(ENVIRONMENT) examples) && "$$python" examples/gallery/demo.py

test: python ## everything, on several Python versions; the same that CI runs
	$(SUITE)

check tests: export PYTHONS ?= default

check: python ## lint, types and tests on this Python alone: the quick round before a commit
	$(SUITE) lint types tests

tests: python ## the tests on this Python, both halves; PYTEST_ARGS="-k cookie" narrows them down
	$(SUITE) tests

lint: python ## ruff, cython-lint, typos, zizmor and actionlint, and whether uv.lock is current
	$(SUITE) lint

types: python ## mypy, for the oldest and the newest supported Python, and stubtest
	$(SUITE) types

docs: python ## build the documentation into site/
	$(SUITE) docs

upstream: python ## the test-suite that mangum 0.22.0 was published with
	$(SUITE) upstream

bench: python ## measure this project beside mangum 0.22.0; BENCH_ARGS=--help says what there is
	@python=$$($(ENVIRONMENT) bench) && "$$python" -m benchmarks $(BENCH_ARGS)

wheels: python ## build all wheels into dist/, check and test each; WHEELS_ARGS=--help says what there is
	@python=$$($(ENVIRONMENT) wheels) && "$$python" scripts/wheels.py $(WHEELS_ARGS)

lock: python ## write uv.lock anew: the newest versions that pyproject.toml admits
	@python=$$($(ENVIRONMENT) lint) && "$$python" scripts/lock.py write

audit: python ## look up known vulnerabilities of what uv.lock names
	@python=$$($(ENVIRONMENT) lint) && "$$python" scripts/lock.py audit

layer: python ## make the layer zips into dist/, of wheels that are built anew; LAYER_ARGS=--help
	@python=$$($(ENVIRONMENT) layers) && "$$python" scripts/wheels.py --no-tests $(WHEELS_ARGS) && \
	  "$$python" scripts/layers.py $(LAYER_ARGS)

layer-test: python ## make wheels and a layer for some Pythons, and test the layer
	$(SUITE) layer

format: python ## let ruff put the source into shape
	@python=$$($(ENVIRONMENT) lint) && "$$python" -m ruff check --fix-only . && "$$python" -m ruff format .

clean: ## remove environments, caches and builds
	rm -rf .venv .coverage* .hypothesis .mypy_cache .pytest_cache .ruff_cache build dist site *.egg-info
	rm -f mangum/_speedups/*.c mangum/_speedups/*.so
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

python:
	@$(PYTHON) -c 'import sys; sys.version_info >= (3, 10) or sys.exit( \
	  "Python 3.10 or newer is needed and $(PYTHON) is %d.%d; name another: make PYTHON=python3.12 …" \
	  % sys.version_info[:2])'
