# Everything from a machine with Python (3.11 or newer) and make: `make ui` runs Footnote, `make test` passes its tests.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

# Test collections that are not part of the project; tests that need them skip with a reason without them.
ifneq ($(wildcard ../shared/data),)
export FOOTNOTE_TEST_DATA ?= $(abspath ../shared)
endif

.PHONY: ui test lint bench pictures clean

ui: $(VENV)/.installed  ## set everything up and serve the chat on http://127.0.0.1:7860
	$(BIN)/footnote ui

test: $(VENV)/.installed-dev  ## the whole test suite
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest --numprocesses 2 --dist loadfile

lint: $(VENV)/.installed-dev  ## style, types, import contract
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

bench: export RAG_HOME := $(or $(RAG_HOME),$(abspath $(VENV)/bench-home))
bench: $(VENV)/.installed-dev  ## the measurements behind the defaults; minutes, with the test collections half an hour
	$(BIN)/footnote eval tests/bench/questions.jsonl --ablation --save tests/bench/results/questions.json
	$(BIN)/python tests/bench/gate.py --save tests/bench/results/gate.json
	$(BIN)/python tests/bench/honesty.py --save tests/bench/results/honesty.json
	$(BIN)/python tests/bench/cross_validation.py --save tests/bench/results/cross_validation.json
	$(BIN)/python -m tests.bench.ledger --save tests/bench/results/ledger.json
	$(BIN)/python tests/bench/roles.py --save tests/bench/results/roles.json
	$(BIN)/python tests/bench/typos.py --save tests/bench/results/typos.json
	$(BIN)/python tests/bench/speed.py --save tests/bench/results/speed.json
	$(BIN)/python tests/bench/llm.py --save tests/bench/results/llm.json
	$(BIN)/python tests/bench/chat_speed.py --save tests/bench/results/chat_speed.json
ifdef FOOTNOTE_TEST_DATA
	$(BIN)/footnote eval $(FOOTNOTE_TEST_DATA)/data/cranfield --ablation --save tests/bench/results/cranfield.json
	$(BIN)/footnote eval $(FOOTNOTE_TEST_DATA)/data/scifact --ablation --save tests/bench/results/scifact.json
	$(BIN)/python tests/bench/injection.py --save tests/bench/results/injection.json
endif

pictures: export RAG_HOME := $(or $(RAG_HOME),$(abspath $(VENV)/bench-home))
pictures: $(VENV)/.installed-dev  ## the README's screenshots, in docs/
	$(BIN)/python tests/bench/picture.py

$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "Footnote needs Python 3.11 or newer; name one with: make PYTHON=/path/to/python3.12"; exit 2; }
	$(PYTHON) -m venv $(VENV)

$(VENV)/.installed: $(VENV)/bin/python pyproject.toml constraints.txt
	$(BIN)/python -m pip install --disable-pip-version-check --quiet --constraint constraints.txt --editable .
	@touch $@

$(VENV)/.installed-dev: $(VENV)/.installed
	$(BIN)/python -m pip install --disable-pip-version-check --quiet --constraint constraints.txt --editable '.[dev]'
	@touch $@

clean:
	rm -rf $(VENV) dist build
