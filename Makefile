.DEFAULT_GOAL := repro
.PHONY: help setup repro test test-quick test-slow test-all lab reports bench lint lock clean

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
LAB := $(CURDIR)/src/songgenre/notebook/lab
PYTEST := pytest --durations 25 --numprocesses 2 --dist loadfile --no-loadscope-reorder
export PATH := $(CURDIR)/$(BIN):$(PATH)

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "make %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

repro: setup ## Rebuild what is not up to date: data, models and reports (the default)
	@python -c 'from songgenre.runtime.instruction_level import explain_limits as limits; limits() and print(limits())'
	songgenre run
	@echo "The reports are in $(CURDIR)/reports/html/index.html"

setup: $(READY) ## Make .venv with everything that requirements.lock names

$(READY): requirements.lock pyproject.toml
	$(PYTHON) -c 'import sys; (3, 11) <= sys.version_info < (3, 14) or sys.exit(f"Python {sys.version.split()[0]}: not supported. Use Python 3.11, 3.12 or 3.13, for example: make PYTHON=python3.12")'
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	command -v uv > /dev/null || $(BIN)/python -m pip install --quiet uv
	uv pip sync --quiet --compile-bytecode --python $(BIN)/python --require-hashes requirements.lock
	uv pip install --quiet --python $(BIN)/python --no-deps --no-build-isolation --editable .
	-songgenre pretrained download
	touch $@

test: setup ## Run all tests except the slow ones
	$(PYTEST) -m "not slow"

test-quick: setup ## Run the unit tests alone
	$(PYTEST) -m "not slow and not integration"

test-slow: setup ## Run the slow tests alone
	$(PYTEST) -m slow

test-all: setup ## Run all tests
	$(PYTEST)

lab: setup ## Open the notebooks in JupyterLab, which saves them without outputs
	JUPYTER_PATH="$(LAB)" JUPYTER_CONFIG_PATH="$(LAB)" jupyter lab --LabApp.default_url=/lab/tree/README.md --ContentsManager.pre_save_hook=songgenre.notebook.normalise.clean_before_save $(if $(filter 0,$(shell id -u)),--allow-root) notebooks

reports: setup ## Print the path of the reports, and open them if there is a browser
	@test -f reports/html/index.html || { echo "reports/html/index.html: not found. Run make first."; exit 1; }
	@echo "$(CURDIR)/reports/html/index.html"
	@python -c 'import pathlib, webbrowser; webbrowser.open(pathlib.Path("reports/html/index.html").resolve().as_uri())' > /dev/null 2>&1 || true

bench: setup ## Run the benchmarks after a build, and write docs/benchmarks.md
	python benchmarks

lint: setup ## Check style and types
	ruff format --check .
	ruff check .
	mypy

lock: setup ## Resolve pyproject.toml anew into requirements.lock
	uv pip compile --quiet --universal --fork-strategy fewest --python-version 3.11 --all-extras --upgrade \
		--generate-hashes --no-emit-index-url --output-file requirements.lock pyproject.toml

clean: ## Remove .venv, caches and everything that stages and notebooks wrote; the DVC cache and the wheel of the networks stay
	rm -rf $(VENV) .mypy_cache .pytest_cache .ruff_cache
	git clean -fdXq -e '!/data/cache/wheels' data models reports scratch
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
