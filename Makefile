# `make demo` and `make test` each work as the very first command: they build .venv once.
SHELL := /bin/bash
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
DEPENDENCIES := $(VENV)/.dependencies
READY := $(VENV)/.ready
# Keeps glibc from giving pages back after every tensor, as cli/freed_memory.py does for the command: for pytest, too.
export MALLOC_MMAP_THRESHOLD_ ?= 33554432
export MALLOC_TRIM_THRESHOLD_ ?= 8589934592

# What `make pretrain` trains, where, and in how many minutes (none: as many steps as the shipped models had).
PRETRAIN ?= all
PRETRAINED ?= .pretrain/embedded
MINUTES ?= 10

.PHONY: help setup dependencies demo test test-slow e2e ui bench figures pretrain pretrain-gpu lint lock clean

help:
	@echo "make setup   environment in $(VENV), from requirements.lock"
	@echo "make demo    the whole lineage on the embedded profile"
	@echo "make test    every test that needs no GPU, but for"
	@echo "make test-slow  those that run whole services, several processes, or the lineage through Dagster"
	@echo "make e2e     the whole workbench in a headless browser (chromium and node needed; about 10 minutes)"
	@echo "make pretrain  trains the embedded models anew, into $(PRETRAINED); resumes; days without a GPU"
	@echo "make pretrain-gpu  the same on a GPU, in MINUTES=$(MINUTES)"
	@echo "make lint    ruff and mypy"
	@echo "make ui      Dagster, MLflow, reports and S3 on localhost"
	@echo "make bench   side-by-side benchmarks, into docs/benchmarks.md"
	@echo "make figures tables and pictures of README and docs, from the demo"

setup: $(READY)

dependencies: $(DEPENDENCIES)

# Compiled while installing: where PYTHONDONTWRITEBYTECODE is set, as in many containers, every command would else
# compile again all that it imports.
$(DEPENDENCIES): requirements.lock
	@echo "== building $(VENV) from requirements.lock (once; a few minutes, several GB) =="
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "error: $(PYTHON) is older than 3.11: make PYTHON=python3.11"; exit 1; }
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check uv
	@$(BIN)/uv pip install --quiet --compile-bytecode --python $(BIN)/python -r requirements.lock
	@touch $@

$(READY): $(DEPENDENCIES) pyproject.toml
	@$(BIN)/uv pip install --quiet --python $(BIN)/python --no-deps -e .
	@touch $@
	@echo "== $(VENV) is ready =="

demo: $(READY)
	@$(BIN)/editfoundry demo

test: $(READY)
	@$(BIN)/python -m pytest -n auto --dist loadfile -m "not slow"

test-slow: $(READY)
	@$(BIN)/python -m pytest -n auto --dist loadfile -m slow

e2e: $(READY)
	@command -v npm > /dev/null && npm --prefix tests/e2e ci --silent --no-audit --no-fund || true
	@$(BIN)/python -m pytest tests/e2e -s --override-ini norecursedirs=

lint: $(READY)
	@$(BIN)/ruff check src dagster_project tests
	@$(BIN)/ruff format --check src dagster_project tests
	@$(BIN)/mypy

ui: $(READY)
	@$(BIN)/editfoundry ui

bench: $(READY)
	@OMP_NUM_THREADS=$${OMP_NUM_THREADS:-$$(getconf _NPROCESSORS_ONLN)} $(BIN)/python -m pytest tests/benchmarks -s --override-ini norecursedirs=

figures: demo
	@$(BIN)/editfoundry tinyworld gallery --out docs/images/gallery.png
	@cp reports/editworld/grid.png docs/images/before_after.png
	@$(BIN)/editfoundry evaluate --editor package:editworld --benchmark tinyworld --out reports/shipped
	@cp reports/shipped/grid.png docs/images/shipped_editor.png
	@$(BIN)/editfoundry curation-sheet data/dataset --out docs/images/dataset.png --num-each 12
	@$(BIN)/python docs/fill_tables.py

pretrain: $(READY)
	@$(BIN)/editfoundry tinyworld pretrain $(PRETRAIN) --out $(PRETRAINED)

pretrain-gpu: $(READY)
	@$(BIN)/editfoundry tinyworld pretrain $(PRETRAIN) --out $(PRETRAINED) --device cuda --minutes $(MINUTES) --continue-shipped

lock:
	@uv pip compile --quiet --universal --python-version 3.11 --extra dev --no-emit-index-url --no-annotate --no-header pyproject.toml -o requirements.lock

clean:
	rm -rf $(VENV) .pytest_cache .mypy_cache .ruff_cache
