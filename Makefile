# Everything from a machine with Python (3.11 or newer) and make: `make ui` runs Footnote, `make test` passes its tests.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

# Test collections that are not part of the project; tests that need them skip with a reason without them.
ifneq ($(wildcard ../shared/data),)
export FOOTNOTE_TEST_DATA ?= $(abspath ../shared)
endif

.PHONY: ui test lint audit bench bench-scale bench-accelerator performance pictures clean

ui: $(VENV)/.installed  ## set everything up and serve the chat on http://127.0.0.1:7860
	$(BIN)/footnote ui

test: $(VENV)/.installed-dev  ## the whole test suite
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest --numprocesses 2 --dist loadfile

lint: $(VENV)/.installed-dev  ## style, types, import contract
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

audit: $(VENV)/.installed-bench  ## known vulnerabilities of what is installed, where the database can be reached, and all licences
	$(BIN)/python tests/bench/audit.py

RESULTS := tests/bench/results
LIBRARIES := $(VENV)/bench-libraries
# A script that misses its targets says so and ends with 1; the others run all the same, and make fails at the end.
MEASURE = missed=; \
	measure() { $(BIN)/python -m tests.bench."$$@" || missed="$$missed $$1"; }; \
	on_papers() { if [ -n "$$FOOTNOTE_TEST_DATA" ]; then measure "$$@"; fi; }
AS_FOOTNOTE := OPENBLAS_NUM_THREADS=1# as its commands set it, where a script asks within its own process
TOLD = [ -z "$$missed" ] || { echo "targets missed by:$$missed" >&2; exit 1; }

bench: export RAG_HOME := $(or $(RAG_HOME),$(abspath $(VENV)/bench-home))
bench: $(VENV)/.installed-bench  ## the measurements behind the defaults and docs/performance.md, hours; BEFORE=COMMIT compares answers with those of then
	$(BIN)/footnote eval tests/bench/questions.jsonl --ablation --save tests/bench/results/questions.json
	$(BIN)/python tests/bench/gate.py --save tests/bench/results/gate.json
	$(BIN)/python tests/bench/honesty.py --save tests/bench/results/honesty.json
	$(BIN)/python tests/bench/cross_validation.py --save tests/bench/results/cross_validation.json
	$(BIN)/python -m tests.bench.ledger --save tests/bench/results/ledger.json
	$(BIN)/python tests/bench/roles.py --save tests/bench/results/roles.json
	$(BIN)/python tests/bench/typos.py --save tests/bench/results/typos.json
	$(BIN)/python tests/bench/llm.py --save tests/bench/results/llm.json
	$(BIN)/python tests/bench/chat_speed.py --save tests/bench/results/chat_speed.json
ifdef FOOTNOTE_TEST_DATA
	$(BIN)/footnote eval $(FOOTNOTE_TEST_DATA)/data/cranfield --ablation --save tests/bench/results/cranfield.json
	$(BIN)/footnote eval $(FOOTNOTE_TEST_DATA)/data/scifact --ablation --save tests/bench/results/scifact.json
	$(BIN)/python tests/bench/injection.py --save tests/bench/results/injection.json
endif
	@$(MEASURE); \
	$(AS_FOOTNOTE) measure speed --save $(RESULTS)/speed.json; \
	measure cold --save $(RESULTS)/cold.json; \
	$(AS_FOOTNOTE) measure askers --save $(RESULTS)/askers.json; \
	measure kills --save $(RESULTS)/kills.json; \
	measure flips --save $(RESULTS)/flips.json; \
	measure fuzz --save $(RESULTS)/fuzz.json; \
	on_papers embedding --save $(RESULTS)/embedding.json; \
	$(AS_FOOTNOTE) on_papers scale --papers 1000 --precision int8 --home $(LIBRARIES)/1000 --save $(RESULTS)/scale.json; \
	$(AS_FOOTNOTE) on_papers scale --papers 10000 --precision int8 --home $(LIBRARIES)/10000 --save $(RESULTS)/scale.json; \
	$(if $(BEFORE),measure quality --before $(BEFORE) --save $(RESULTS)/quality.json;) \
	$(TOLD)

bench-scale: $(VENV)/.installed-bench  ## after `bench`, 100,000 papers as well; their library is kept, and a killed ingest goes on where it was
	@$(MEASURE); \
	measure lexical --papers 1000 10000 100000 --save $(RESULTS)/lexical.json; \
	$(AS_FOOTNOTE) measure scale --papers 100000 --precision int8 --home $(LIBRARIES)/100000 --save $(RESULTS)/scale.json; \
	measure dense --home $(LIBRARIES)/100000 --vectors 1000 10000 100000 --save $(RESULTS)/dense.json; \
	$(AS_FOOTNOTE) measure grown --home $(LIBRARIES)/100000 --save $(RESULTS)/grown.json; \
	$(TOLD)

bench-accelerator: $(VENV)/.installed-bench  ## on a machine with a GPU, with a build of PyTorch for it: batch sizes of other models
	$(BIN)/python -m tests.bench.accelerator --save $(RESULTS)/accelerator.json

performance: $(VENV)/.installed  ## docs/performance.md and its plots, from the result files
	$(BIN)/python -m tests.bench.performance

pictures: export RAG_HOME := $(or $(RAG_HOME),$(abspath $(VENV)/bench-home))
pictures: $(VENV)/.installed-dev  ## the README's screenshots, in docs/
	$(BIN)/python tests/bench/picture.py

$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "Footnote needs Python 3.11 or newer; name one with: make PYTHON=/path/to/python3.12"; exit 2; }
	$(PYTHON) -m venv $(VENV)

$(VENV)/.installed: $(VENV)/bin/python pyproject.toml constraints.txt
	@echo "Installing what Footnote needs into $(VENV): once, one to two minutes."
	$(BIN)/python -m pip install --disable-pip-version-check --quiet --constraint constraints.txt --editable .
	@touch $@

$(VENV)/.installed-dev: $(VENV)/.installed
	$(BIN)/python -m pip install --disable-pip-version-check --quiet --constraint constraints.txt --editable '.[dev]'
	@touch $@

$(VENV)/.installed-bench: $(VENV)/.installed-dev
	$(BIN)/python -m pip install --disable-pip-version-check --quiet --constraint constraints.txt --editable '.[bench]'
	@touch $@

clean:
	rm -rf $(VENV) dist build
