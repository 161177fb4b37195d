# Everything a contributor needs. `make` alone lists the targets.
PYTHON ?= python3
BIN := .venv/bin
STAMP := .venv/.installed
MAPPED := grammar compiler runtime specs

# Tests start many processes; where the environment forbids stored bytecode, each would compile the sources anew.
export PYTHONDONTWRITEBYTECODE :=

.PHONY: help setup check format types test proof bench docs tables clean

help:  ## list the targets
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 10

setup: $(STAMP)  ## make .venv and install archonnx into it, editable, with the developers' tools

$(STAMP): pyproject.toml
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/pip install -q -e '.[dev]'
	touch $(STAMP)

check: setup types  ## ruff, mypy --strict, and which room imports which
	$(BIN)/ruff check .
	$(BIN)/ruff format --check -q .
	MYPYPATH=.types $(BIN)/mypy --strict -p archonnx $(MAPPED:%=-p archonnx.%) -p benchmarks
	$(BIN)/pytest tests/test_layers.py

format: setup  ## format the sources, and mend what ruff can mend
	$(BIN)/ruff check --fix -q .
	$(BIN)/ruff format -q .

types:  # mypy sees no import hooks: a tree of links that looks like the installed package
	@rm -rf .types && mkdir -p .types/archonnx
	@ln -s ../../archonnx/* .types/archonnx/
	@for part in $(MAPPED); do ln -s ../../$$part .types/archonnx/$$part; done

test: setup  ## the tests, in parallel (a few minutes)
	$(BIN)/pytest -n auto --dist worksteal -m 'not proof'

proof: setup  ## the long tests, every function of the library beside oracles, every fact of the catalogue, what the zoo learns, 100,000 mutated specs, mutated and damaged data, 300 killed trainings; writes docs/parity.md, docs/catalogue.md, docs/mutated_data.md, docs/damaged.md, docs/kills.md, docs/proof.md
	$(BIN)/pytest -n auto -m proof || test $$? -eq 5  # 5: there are none
	$(BIN)/python -m benchmarks.parity
	$(BIN)/python -m benchmarks.catalogue
	$(BIN)/python -m benchmarks.mutated_data --whole
	$(BIN)/python -m benchmarks.damaged
	$(BIN)/python -m benchmarks.kills
	$(BIN)/python -m benchmarks.clients $(CLIENTS)
	$(BIN)/python -m benchmarks.clients.versions
	$(BIN)/python -m benchmarks.clients.halves
	$(BIN)/python -m benchmarks.hostile --whole
	$(BIN)/python -m benchmarks.proof

bench: setup  ## speed and memory beside PyTorch (install torch and onnxscript first); writes pages of docs/
	$(BIN)/python -m benchmarks.compile
	$(BIN)/python -m benchmarks.memory
	$(BIN)/python -m benchmarks.inference
	$(BIN)/python -m benchmarks.generate
	$(BIN)/python -m benchmarks.train_step

tables: setup  ## the parser's tables, from the grammar
	$(BIN)/python -m archonnx.grammar.text.parser_tables

docs: setup tables  ## the generated pages of docs/, and the grammar of editors
	$(BIN)/python -m archonnx.grammar.diagnostics.catalogue docs/diagnostics.md
	$(BIN)/python -m docs.generate
	$(BIN)/python -m editors.textmate

clean:  ## remove what was built, and the virtual environment
	rm -rf .venv .types build dist *.egg-info .mypy_cache .pytest_cache .ruff_cache .hypothesis
